//! What the doctor says of answers as they come over the wire.

use super::facts::Read;
use super::finding::{Code, Finding, quoted};
use super::{Intent, Outcome, Step, Taken, Told, Walk, needs, together, way};
use crate::auth::Refusal;
use crate::error::SessionError;
use crate::http::TlsProblem;
use crate::local::Program;
use crate::session::{Target, Transport};
use drydock_model::fact::Gap;
use drydock_model::ids::NodeName;
use drydock_model::observed::NodeFacts;
use drydock_model::time::{Span, Timestamp};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn n(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn ok(value: Value) -> Value {
    json!({"ok": true, "value": value})
}

fn denied(message: &str) -> Value {
    json!({"ok": false, "gap": "AccessDenied", "category": "PermissionDenied", "id": "x", "message": message})
}

fn failed(message: &str) -> Value {
    json!({"ok": false, "gap": "Failed", "category": "NotSpecified", "id": "x", "message": message})
}

/// A node on which all is well.
fn healthy() -> Value {
    let service = |name: &str, status: &str, start: &str| json!({"name": name, "status": status, "start": start});
    json!({
        "shell": ok(json!({"version": "5.1.20348.2849", "language": "FullLanguage", "bits": 64, "culture": "en-US"})),
        "account": ok(json!({"name": "NORTH\\svc-drydock", "sid": "S-1-5-21-1-2-3-1104", "logon": "Kerberos", "administrator": true})),
        "policy": ok(json!([{"scope": "MachinePolicy", "policy": "Undefined"}, {"scope": "LocalMachine", "policy": "RemoteSigned"}])),
        "modules": ok(json!([
            {"name": "FailoverClusters", "missing": []}, {"name": "Storage", "missing": []}, {"name": "ScheduledTasks", "missing": []},
            {"name": "CimCmdlets", "missing": []}, {"name": "Hyper-V", "missing": ["Get-VM"]}])),
        "services": ok(json!([
            service("clussvc", "Running", "Automatic"), service("Schedule", "Running", "Automatic"), service("wuauserv", "Stopped", "Manual"),
            service("WinRM", "Running", "Automatic"), service("sshd", "Running", "Automatic")])),
        "machine": ok(json!("4c4c4544-0042-3510-8056-b4c04f564433")),
        "cim": ok(json!("20349")),
        "cluster": ok(json!({"name": "north", "nodes": 2})),
        "quorumQuestion": ok(json!([])),
        "storage": ok(json!("S2D on north")),
        "registryRead": ok(json!(true)),
        "registryWrite": ok(json!(true)),
        "mutex": ok(json!({"free": true})),
        "folder": ok(json!({"path": "C:\\ProgramData\\Drydock", "there": false, "entries": 0})),
        "tasks": ok(json!([])),
        "updateAgent": ok(json!(true)),
        "quotas": ok(json!({"MaxShellsPerUser": "30", "MaxProcessesPerShell": "25"})),
        "setup": ok(json!({"running": false, "pending": false})),
    })
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut answer = healthy();
    for (part, value) in changes {
        answer[part] = value.clone();
    }
    answer
}

fn ssh() -> Transport {
    Transport::Ssh { port: 22, known_hosts: Vec::new(), program: "powershell.exe".into() }
}

fn lines(told: &Told) -> String {
    let found: String = told.findings.iter().map(|f| format!("{} {}\n  -> {}\n", f.code, f.what, f.todo)).collect();
    format!("{}\n{found}", told.saw)
}

fn check(told: &Told, expect: Expect) {
    expect.assert_eq(&lines(told));
}

#[test]
fn a_healthy_node_has_all_it_needs() {
    check(
        &needs::modules(&healthy(), &ssh(), Intent::Upgrade),
        expect![[r#"
            FailoverClusters, Storage, ScheduledTasks, CimCmdlets, no Hyper-V (not needed everywhere)
        "#]],
    );
    check(
        &needs::rights(&healthy(), Intent::Upgrade),
        expect![[r#"
            NORTH\svc-drydock (Kerberos), an administrator; 30 shells for each account
        "#]],
    );
}

#[test]
fn what_would_be_missing_later_is_said_now() {
    let answer = with(&[
        ("modules", ok(json!([{"name": "FailoverClusters", "missing": ["Get-Cluster", "Suspend-ClusterNode"]}]))),
        (
            "services",
            ok(json!([
                {"name": "clussvc", "status": "Stopped", "start": "Disabled"}, {"name": "Schedule", "status": "Stopped", "start": "Automatic"},
                {"name": "sshd", "status": "Running", "start": "Manual"}])),
        ),
    ]);
    check(
        &needs::modules(&answer, &ssh(), Intent::Upgrade),
        expect![[r#"

            DD0611 module FailoverClusters lacks Get-Cluster, Suspend-ClusterNode
              -> on the node: Get-Module -ListAvailable FailoverClusters; is it the right machine?
            DD0616 the service sshd starts only by hand, and after a restart nobody could reach the node
              -> on the node: Set-Service -Name sshd -StartupType Automatic
            DD0616 the service clussvc starts not at all, and after a restart the node would not join its cluster
              -> on the node: Set-Service -Name clussvc -StartupType Automatic
            DD0616 the service Schedule does not run, and long work runs as its tasks
              -> on the node: Start-Service -Name Schedule
        "#]],
    );
    let looking = needs::modules(&answer, &ssh(), Intent::Observe);
    assert_eq!(looking.findings.len(), 1, "who only looks restarts nothing");
}

#[test]
fn what_only_media_need_is_missed_only_where_the_new_system_comes_from_media() {
    let answer =
        with(&[("modules", ok(json!([{"name": "Dism", "missing": ["Get-WindowsImage"]}, {"name": "Hyper-V", "missing": ["Get-VM"]}])))]);
    let found = |intent| needs::modules(&answer, &ssh(), intent).findings.iter().map(|f| f.what.clone()).collect::<Vec<_>>();
    assert_eq!(found(Intent::UpgradeFromMedia), ["module Dism lacks Get-WindowsImage"]);
    for intent in [Intent::Upgrade, Intent::Observe] {
        assert_eq!(found(intent), Vec::<String>::new());
    }
}

#[test]
fn every_refusal_has_its_own_next_step_and_a_retry_only_where_the_secret_is_blamed_or_held() {
    use crate::auth::{Blame, Held, Refusal};
    let (name, why) = (|| "svc".to_owned(), || "why".to_owned());
    let all = [
        Refusal::WrongSecret(name()),
        Refusal::UnknownAccount(name()),
        Refusal::Locked(name()),
        Refusal::Disabled(name()),
        Refusal::Rejected(name()),
        Refusal::ClockSkew,
        Refusal::NotOffered { wanted: "Basic", offered: "Negotiate".to_owned() },
        Refusal::UnknownService("HTTP/n01".to_owned()),
        Refusal::Directory(why()),
        Refusal::Protocol(why()),
        Refusal::CertificateRefused,
        Refusal::KeyRefused(name()),
        Refusal::HostKey(why()),
        Refusal::Held(Held::First { credential: name() }),
        Refusal::Held(Held::State(why())),
        Refusal::Held(Held::Exhausted { credential: name(), why: why() }),
        Refusal::Unavailable { name: name(), why: why() },
    ];
    let mut seen = std::collections::BTreeSet::new();
    for refusal in all {
        let held = matches!(&refusal, Refusal::Held(Held::Exhausted { .. } | Held::Until { .. } | Held::Node { .. }));
        let blamed = refusal.blame() != Blame::No;
        let finding = Finding::of(&SessionError::Authentication(refusal));
        assert_eq!(finding.todo.contains("drydock credential retry"), blamed || held, "{finding:?}");
        assert!(seen.insert(finding.todo.clone()), "{finding:?} says what another one says");
    }
}

/// An account without rights, on a node that refuses it what Windows refuses to such accounts.
fn reader() -> Value {
    with(&[
        ("account", ok(json!({"name": "NORTH\\svc-look", "sid": "S-1-5-21-1-2-3-1105", "logon": "Kerberos", "administrator": false}))),
        ("services", denied("Cannot open Service Control Manager on computer '.'.")),
        ("quorumQuestion", denied("Access denied")),
        ("registryWrite", denied("Requested registry access is not allowed.")),
        ("mutex", denied("Access to the path 'Global\\Drydock' is denied.")),
        ("quotas", denied("Access is denied.")),
        ("updateAgent", failed("a line\nand a second one \u{1b}[31m")),
        ("storage", failed("DrydockNotThere: 0 storage pools")),
    ])
}

#[test]
fn an_account_without_rights_is_told_each_of_them() {
    check(
        &needs::rights(&reader(), Intent::Upgrade),
        expect![[r#"
            NORTH\svc-look (Kerberos)
            DD0612 NORTH\svc-look is no administrator of this node, or its rights are filtered over the network
              -> make it a member of Administrators; a local account also needs LocalAccountTokenFilterPolicy, see DD0612
            DD0612 it may not ask the cluster's WMI classes: Access denied
              -> allow it root\MSCluster, or make it a member of the node's Administrators
            DD0612 it may not write below HKLM:\SOFTWARE\Drydock: Requested registry access is not allowed.
              -> make the account a member of the node's Administrators
            DD0612 it may not take the mutex of Drydock: Access to the path 'Global\Drydock' is denied.
              -> make the account a member of the node's Administrators
            DD0612 it may not ask the update agent: a line and a second one [31m
              -> on the node: Get-Service wuauserv; Windows Update must not be switched off by policy
        "#]],
    );
    check(
        &needs::rights(&reader(), Intent::Observe),
        expect![[r#"
            NORTH\svc-look (Kerberos); for looking only; what orders need is not judged
            DD0612 it may not ask the cluster's WMI classes: Access denied
              -> allow it root\MSCluster, or make it a member of the node's Administrators
        "#]],
    );
}

#[test]
fn an_execution_policy_by_group_policy_is_told_and_no_finding_as_no_script_file_runs() {
    let under = |scope: &str, policy: &str| {
        let answer = with(&[("policy", ok(json!([{"scope": scope, "policy": policy}])))]);
        let told = needs::rights(&answer, Intent::Upgrade);
        assert!(told.findings.is_empty());
        told.saw
    };
    assert!(under("MachinePolicy", "AllSigned").contains("; Group Policy sets the execution policy AllSigned"));
    assert!(!under("LocalMachine", "AllSigned").contains("AllSigned") && !under("MachinePolicy", "Undefined").contains("Undefined"));
}

#[test]
fn an_answer_of_nonsense_is_judged_and_not_believed() {
    for nonsense in [json!(null), json!({}), json!([]), json!({"modules": 7, "account": {"ok": true}, "policy": ok(json!("x"))})] {
        assert!(!needs::modules(&nonsense, &ssh(), Intent::Upgrade).findings.is_empty(), "{nonsense}");
        assert!(needs::rights(&nonsense, Intent::Upgrade).findings.len() >= 5, "{nonsense}");
    }
}

const NOON: Timestamp = Timestamp(1_795_456_800_000);

fn seen() -> Span {
    Span { from: NOON, to: Timestamp(NOON.0 + 900) }
}

fn node(name: &str) -> Value {
    let member =
        |m: &str| json!({"name": m, "state": "Up", "drain": "NotInitiated", "information": "Normal", "dynamicWeight": 1, "roles": 0});
    json!({
        "identity": ok(json!({"name": name, "machine": format!("machine-{name}"), "cluster": "c1", "node": "1"})),
        "boot": ok(json!({"id": "9f2c", "upMs": 86_400_000})),
        "clock": ok(json!("2026-11-23T18:00:00.123Z")),
        "build": ok(json!({"build": 20349, "revision": 3692})),
        "memory": ok(json!({"fence": null, "consumed": null, "marker": null, "commit": null, "cancelled": null, "registryWritten": null, "stop": null})),
        "registry": ok(json!({"refsEnableMetadataValidation": 0, "skipSmallLocalAllocations": null})),
        "worker": ok(json!(null)),
        "setup": ok(json!({"running": false, "pending": false})),
        "service": ok(json!("Running")),
        "view": ok(json!({
            "cluster": "c1",
            "members": [member("N01"), member("N02")],
            "witness": {"kind": "None", "dynamicWeight": 0}})),
        "room": ok(json!({"freeMib": 65_536, "rolesMib": []})),
        "diskFree": ok(json!(64_424_509_440_u64)),
    })
}

fn cluster() -> Value {
    json!({"level": ok(json!({"functional": 11, "upgrade": 32_773})), "solution": ok(json!({"present": false})), "sites": ok(json!(0)),
        "wouldLoseQuorum": ok(json!([])), "groups": ok(json!([]))})
}

fn read(node: &Value, name: &str) -> (NodeFacts, Told) {
    let mut read = Read::node(node, seen());
    if read.serves() {
        read.cluster("probe-cluster", cluster());
        read.cluster("probe-storage", json!({"disks": denied("no"), "jobs": ok(json!([])), "drives": ok(json!([])), "pool": denied("no")}));
    }
    read.told(&n(name), seen())
}

#[test]
fn facts_that_are_unknown_are_named_and_so_is_what_would_stop_an_upgrade() {
    check(
        &read(&node("N01"), "N01").1,
        expect![[r#"
            15 known, 1 unknown; build 20349.3692; the cluster service runs; no fence yet
            DD0613 storage is unknown: access denied
              -> give the account the right; the step before may name it
        "#]],
    );
    let mut damaged = node("N01");
    damaged["worker"] =
        json!({"ok": false, "gap": "Failed", "id": "DrydockDamagedState", "message": "C:\\D\\1.ab-8\\state.json does not read"});
    check(
        &read(&damaged, "N01").1,
        expect![[r#"
            14 known, 2 unknown; build 20349.3692; the cluster service runs; no fence yet
            DD0617 worker is unknown, as something that Drydock keeps there is damaged: C:\D\1.ab-8\state.json does not read
              -> look at it and at what stands beside it, then remove the folder of that file, or that one value, as DD0617 says
            DD0613 storage is unknown: access denied
              -> give the account the right; the step before may name it
        "#]],
    );
    let mut stretched = cluster();
    stretched["sites"] = ok(json!(2));
    let mut reading = Read::node(&node("N01"), seen());
    reading.cluster("probe-cluster", stretched);
    check(
        &reading.told(&n("N01"), seen()).1,
        expect![[r#"
        15 known, 0 unknown; build 20349.3692; the cluster service runs; no fence yet
        DD0616 the cluster is stretched over 2 sites, and only Cluster-Aware Updating may upgrade one, from media, to 23H2
          -> Upgrade it by Invoke-CauRun with media, as Microsoft's article for stretched clusters says, and take its file out of the fleet. If it is not stretched, remove the sites that it does not have (Get-ClusterFaultDomain -Type Site, Remove-ClusterFaultDomain); Drydock then goes on by itself.
    "#]],
    );
    let mut odd = node("N02");
    odd["clock"] = ok(json!("2026-11-23T17:50:00.000Z"));
    odd["service"] = ok(json!("Stopped"));
    odd["view"] = json!({"ok": false, "gap": "ClusterServiceStopped", "id": "DrydockServiceStopped"});
    odd["memory"]["value"]["stop"] = json!({"who": "ann", "when": "today", "why": "disks\u{202e}\n"});
    odd["setup"] = ok(json!({"running": false, "pending": true}));
    check(
        &read(&odd, "N01").1,
        expect![[r#"
            11 known, 1 unknown; build 20349.3692; the cluster service is stopped; no fence yet; setup is at work, or a restart is pending
            DD0613 view is unknown: cluster service not running
              -> on the node: Start-Service -Name clussvc; while it upgrades or restarts this is as it should be
            DD0614 the machine that answers is N02, not N01
              -> correct the node's `address` in the cluster's file
            DD0616 its clock is 10m away from the controller's; beyond 2m nothing is begun
              -> on the node: w32tm /query /status; here: timedatectl; let both follow one source
            DD0616 a stop mark stands there, set by ann at today: disks
              -> ask who set it; it is lifted on the node: Remove-Item -Path HKLM:\SOFTWARE\Drydock\Stop -Recurse
        "#]],
    );
}

fn walked(name: &str, answer: &Value) -> Walk {
    Walk { facts: Some(read(answer, name).0), ..Walk::begin(n(name)) }
}

fn beside(walks: &[Walk], listed: &[&str], expect: Expect) {
    let listed: Vec<NodeName> = listed.iter().map(|name| n(name)).collect();
    expect.assert_eq(&together(walks, &listed).iter().map(|f| format!("{} {}\n", f.code, f.what)).collect::<String>());
}

#[test]
fn nodes_that_are_not_one_cluster_are_found_beside_each_other() {
    let (one, two) = (walked("N01", &node("N01")), walked("N02", &node("N02")));
    beside(&[one.clone(), two.clone()], &["N01", "N02"], expect![""]);
    beside(
        &[one.clone(), two.clone()],
        &["N01", "N03"],
        expect![[r#"
            DD0615 the cluster has N02, which the file does not list
            DD0615 the file lists N03, which no node names as a member of its cluster
        "#]],
    );
    let mut twin = node("N02");
    twin["identity"]["value"]["machine"] = json!("machine-N01");
    twin["identity"]["value"]["cluster"] = json!("c2");
    beside(
        &[one, walked("N02", &twin)],
        &["N01", "N02"],
        expect![[r#"
            DD0615 N01, N02 are one machine, machine-n01
            DD0615 the nodes are members of 2 clusters: N01 of c1; N02 of c2
        "#]],
    );
    let silent = Walk { facts: Some(NodeFacts::unknown(&Gap::TimedOut)), ..Walk::begin(n("N01")) };
    beside(&[silent, Walk::begin(n("N02"))], &["N01", "N02"], expect![""]);
}

/// One of each class.
fn errors() -> Vec<SessionError> {
    vec![
        SessionError::Unreachable("10.0.0.1:5986 refuses connections on this port".into()),
        SessionError::Name("n01".into()),
        SessionError::Tls(TlsProblem::Expired),
        SessionError::Authentication(Refusal::WrongSecret("svc".into())),
        SessionError::AccessDenied("5".into()),
        SessionError::Quota("2150859173".into()),
        SessionError::ScriptRefused("PowerShell runs in ConstrainedLanguage mode there".into()),
        SessionError::ScriptFailed { category: "c".into(), id: "i".into(), message: "m".into(), script: "probe-node".into(), line: 1 },
        SessionError::AnswerLost("the connection broke".into()),
        SessionError::AnswerUnintelligible { why: "HTTP 404".into(), sent: false },
    ]
}

#[test]
fn a_script_that_ends_with_access_denied_is_a_missing_right_and_was_sent_all_the_same() {
    for category in ["PermissionDenied", "AuthenticationError", "SecurityError"] {
        let error = SessionError::ScriptFailed {
            category: category.into(),
            id: "i".into(),
            message: "m".into(),
            script: "order-fence".into(),
            line: 1,
        };
        let finding = Finding::of(&error);
        assert_eq!((error.code(), finding.code, error.was_sent()), ("DD0612", "DD0612", true));
        assert_eq!(finding.todo, "make the account a member of the node's Administrators");
    }
}

fn outline(walk: &Walk) -> String {
    let word = |taken: &Taken| match &taken.outcome {
        Outcome::Fine => format!("{} ok", taken.step),
        Outcome::Found(all) => format!("{} found {}", taken.step, all.len()),
        Outcome::Stopped(why) => format!("{} STOP {}", taken.step, why.code),
        Outcome::NotNeeded => format!("{} -", taken.step),
        Outcome::NotReached => format!("{} .", taken.step),
    };
    walk.steps.iter().map(word).collect::<Vec<_>>().join(", ")
}

#[test]
fn each_class_of_error_stops_at_its_step_and_every_step_is_told() {
    let mut all = String::new();
    for error in errors() {
        let mut walk = Walk::begin(n("N01"));
        for step in [Step::Name, Step::Port, Step::Tls] {
            walk.fine(step, "");
        }
        let walk = way::not_greeted(walk, &error);
        assert_eq!(walk.steps.iter().map(|taken| taken.step).collect::<Vec<_>>(), Step::ALL);
        all.push_str(&outline(&walk).replace("name ok, port ok, TLS ok, ", ""));
        all.push('\n');
    }
    expect![[r#"
        authentication STOP DD0601, shell ., PowerShell ., modules ., rights ., facts .
        authentication STOP DD0602, shell ., PowerShell ., modules ., rights ., facts .
        authentication STOP DD0603, shell ., PowerShell ., modules ., rights ., facts .
        authentication STOP DD0604, shell ., PowerShell ., modules ., rights ., facts .
        authentication ok, shell STOP DD0605, PowerShell ., modules ., rights ., facts .
        authentication ok, shell STOP DD0606, PowerShell ., modules ., rights ., facts .
        authentication ok, shell ok, PowerShell STOP DD0607, modules ., rights ., facts .
        authentication ok, shell ok, PowerShell STOP DD0608, modules ., rights ., facts .
        authentication ok, shell ok, PowerShell STOP DD0609, modules ., rights ., facts .
        authentication STOP DD0610, shell ., PowerShell ., modules ., rights ., facts .
    "#]]
    .assert_eq(&all);
    let nowhere = Walk::nowhere(n("N01"), &SessionError::Authentication(Refusal::Rejected("svc".into())));
    expect!["name ., port ., TLS ., authentication STOP DD0604, shell ., PowerShell ., modules ., rights ., facts ."]
        .assert_eq(&outline(&nowhere));
}

#[test]
fn another_machine_that_greets_ends_the_walk() {
    let program = Program { path: "powershell.exe".into(), environment: BTreeMap::new() };
    let target = Target { node: n("N01"), address: "10.0.0.1".into(), transport: Transport::Local(program), credential: String::new() };
    let mut walk = Walk::begin(n("N01"));
    assert_eq!(way::greeted(&mut walk, &target, &json!({"computer": "n01", "psVersion": "5.1", "languageMode": "FullLanguage"})), None);
    let finding = way::greeted(&mut walk, &target, &json!({"computer": "MAIL\u{7}7"})).unwrap();
    assert_eq!((finding.code, finding.what.as_str()), ("DD0614", "the machine that answers at 10.0.0.1 calls itself MAIL 7, not N01"));
}

#[test]
fn a_nodes_words_are_one_short_line() {
    assert_eq!(quoted("a\r\n\tb\u{0}c"), "a b c");
    assert_eq!(quoted(&"x".repeat(1_000)).chars().count(), 201);
}

/// `specs/errors.md`.
const PAGES: &str = include_str!("../../../../specs/errors.md");

#[test]
fn every_code_of_a_node_has_a_page_and_every_page_its_code() {
    let mut codes: Vec<&str> = errors().iter().map(SessionError::code).chain(Code::ALL.iter().map(|code| code.text())).collect();
    codes.sort_unstable();
    let paged: Vec<&str> = PAGES.split("\n## ").filter(|page| page.starts_with("DD06")).map(|page| &page[..6]).collect();
    assert_eq!(codes, paged);
    for page in PAGES.split("\n## ").filter(|page| page.starts_with("DD06")) {
        for part in ["**What happened.**", "**What Drydock did.**", "**What to do.**"] {
            assert!(page.contains(part), "the page {} lacks {part}", &page[..6]);
        }
    }
    for error in errors() {
        assert!(!Finding::of(&error).todo.is_empty());
    }
}
