//! Nothing of anybody gets into a recording, and what gets there is still what a look would have read.

use super::scrub::{Known, Scrubber};
use super::{RecordError, Recorded, facts, failed, gathered, read, scrubbed, write};
use crate::error::SessionError;
use crate::scripts;
use expect_test::expect;
use serde_json::{Value, json};

#[tokio::test]
async fn a_node_over_which_the_recording_fails_is_in_it_with_nothing_answered() {
    let mut asked = tokio::task::JoinSet::new();
    asked.spawn(async { (0, vec![("probe-node", Ok(Value::from(1)))]) });
    asked.spawn(async { panic!("nobody foresaw this") });
    let mut all = gathered(asked).await;
    assert!(all.remove(&0).is_some() && all.is_empty());
    let answers = failed();
    assert_eq!(answers.len(), scripts::PROBES.len());
    assert!(answers.iter().all(|(_, answer)| answer.as_ref().is_err_and(|e| e.code() == "DD0609")));
}

fn known() -> Known {
    Known {
        nodes: ["HV07", "HV08"].map(|name| name.parse().unwrap()).to_vec(),
        names: ["till-berlin", "hv07.corp.example", "CORP\\svc-drydock", "CORP.EXAMPLE"].map(str::to_owned).to_vec(),
    }
}

fn ok(value: Value) -> Value {
    json!({"ok": true, "value": value})
}

fn node(name: &str, number: u8) -> Value {
    let member =
        |name: &str| json!({"name": name, "state": "Up", "drain": "NotInitiated", "information": "Normal", "dynamicWeight": 1, "roles": 3});
    json!({
        "identity": ok(json!({"name": name, "machine": format!("4c4c4544-0042-3510-8056-b4c04f56443{number}"), "cluster": "1c0e4c57-3bd6-4ba2-a2ad-5f0cb8e1e0a1", "node": number.to_string()})),
        "boot": ok(json!({"id": format!("{number:032x}").replace('0', "a"), "upMs": 86_400_000})),
        "clock": ok(json!("2026-11-23T18:00:00.123Z")),
        "build": ok(json!({"build": 20349, "revision": 3692})),
        "memory": ok(json!({
            "fence": "3.ab12/8", "consumed": {"place": "3.ab12/6", "digest": "c0".repeat(32), "phase": "Started"},
            "marker": {"vacate": "3.ab12/1", "state": "Suspended"},
            "commit": {"target": "23H2 (25398.1611 or later)", "attempt": 1, "phase": "Committing", "boot": "ab".repeat(16)},
            "cancelled": null, "registryWritten": "ab".repeat(16),
            "stop": {"who": "CORP\\ann", "when": "today", "why": "disk in rack 7"}})),
        "registry": ok(json!({"refsEnableMetadataValidation": 0, "skipSmallLocalAllocations": null})),
        "worker": ok(json!({"place": "3.ab12/6", "target": "23H2 (25398.1611 or later)", "attempt": 1, "state": "Failed", "percent": 40, "code": 2_149_842_967_u64, "doing": "installing", "alive": false})),
        "setup": ok(json!({"running": false, "pending": false})),
        "service": ok(json!("Running")),
        "view": ok(json!({"cluster": "1c0e4c57-3bd6-4ba2-a2ad-5f0cb8e1e0a1", "members": [member("HV07"), member("HV08")], "witness": {"kind": "Online", "dynamicWeight": 1}})),
        "room": json!({"ok": false, "gap": "Failed", "category": "OperationStopped", "id": "DrydockRoles: 3 groups run on HV07", "message": "DrydockRoles: 3 groups run on HV07"}),
        "diskFree": ok(json!(64_424_509_440_u64)),
    })
}

fn of_cluster() -> Value {
    json!({
        "level": ok(json!({"functional": 11, "upgrade": 32_773})),
        "solution": ok(json!({"present": false})),
        "sites": ok(json!(1)),
        "wouldLoseQuorum": ok(json!(["HV08"])),
        "groups": ok(json!([{"name": "VM payroll", "state": "Online", "owner": "HV08", "type": "VirtualMachine", "core": false}])),
    })
}

fn storage() -> Value {
    json!({
        "disks": ok(json!([{"name": "UserStorage_payroll", "health": "Healthy", "operational": ["OK"]}])),
        "jobs": ok(json!([{"name": "UserStorage_payroll-Repair", "state": "Suspended", "percent": 7}])),
        "drives": ok(json!([{"node": "HV07", "total": 4, "good": 4, "maintenance": 0}, {"node": "HV08", "total": 4, "good": 3, "maintenance": 0}])),
        "pool": ok(json!({"health": "Healthy", "operational": ["OK"], "readOnly": false, "version": 28})),
    })
}

fn doctor() -> Value {
    json!({
        "shell": ok(json!({"version": "5.1.20348.2849", "language": "FullLanguage", "bits": 64, "culture": "de-DE"})),
        "account": ok(json!({"name": "CORP\\svc-drydock", "sid": "S-1-5-21-1-2-3-1104", "logon": "Kerberos", "administrator": true})),
        "modules": ok(json!([{"name": "Hyper-V", "missing": ["Get-VM"]}])),
        "cluster": json!({"ok": false, "gap": "AccessDenied", "category": "AuthenticationError", "id": "ClusterAccessDenied,Microsoft.FailoverClusters.PowerShell.GetClusterCommand", "message": "You do not have access to till-berlin.corp.example"}),
        "storage": ok(json!("S2D on till-berlin")),
        "folder": ok(json!({"path": "C:\\ProgramData\\Drydock", "there": true, "entries": 1})),
        "quotas": ok(json!({"MaxShellsPerUser": "30", "AllowRemoteShellAccess": "true", "Odd": "CORP"})),
    })
}

fn update() -> Value {
    json!({"offers": ok(json!([
        {"title": "Azure Stack HCI, version 23H2 (KB5031680)", "category": "Upgrades"},
        {"title": "CORP agent 4.1 for Windows Server", "category": "Upgrades"},
        {"title": "Payroll client 7", "category": "Corp, own"}]))})
}

fn recording() -> Vec<Recorded> {
    let mut scrubber = Scrubber::new(&known());
    let mut all = Vec::new();
    for (name, number) in [("HV07", 1), ("HV08", 2)] {
        let here = scrubber.node(name);
        for (script, answer) in [("probe-node", node(name, number)), ("probe-cluster", of_cluster()), ("probe-storage", storage())] {
            all.push(scrubbed(&mut scrubber, &here, script, Ok(answer)));
        }
    }
    all
}

#[test]
fn a_doctors_answer_keeps_what_windows_says_and_nothing_of_whose_it_is() {
    let mut scrubber = Scrubber::new(&known());
    let clean = json!([scrubber.answer(&doctor()), scrubber.answer(&update())]);
    expect![[r#"
        [
          {
            "account": {
              "ok": true,
              "value": {
                "administrator": true,
                "logon": "Kerberos",
                "name": "account-1",
                "sid": "sid-1"
              }
            },
            "cluster": {
              "category": "AuthenticationError",
              "gap": "AccessDenied",
              "id": "ClusterAccessDenied,Microsoft.FailoverClusters.PowerShell.GetClusterCommand",
              "message": "text-1",
              "ok": false
            },
            "folder": {
              "ok": true,
              "value": {
                "entries": 1,
                "path": "path-1",
                "there": true
              }
            },
            "modules": {
              "ok": true,
              "value": [
                {
                  "missing": [
                    "Get-VM"
                  ],
                  "name": "Hyper-V"
                }
              ]
            },
            "quotas": {
              "ok": true,
              "value": {
                "AllowRemoteShellAccess": "true",
                "MaxShellsPerUser": "30",
                "Odd": "text-2"
              }
            },
            "shell": {
              "ok": true,
              "value": {
                "bits": 64,
                "culture": "de-DE",
                "language": "FullLanguage",
                "version": "5.1.20348.2849"
              }
            },
            "storage": {
              "ok": true,
              "value": "pool-1"
            }
          },
          {
            "offers": {
              "ok": true,
              "value": [
                {
                  "category": "Upgrades",
                  "title": "Azure Stack HCI, version 23H2 (KB5031680)"
                },
                {
                  "category": "Upgrades",
                  "title": "text-3"
                },
                {
                  "category": "text-4",
                  "title": "text-5"
                }
              ]
            }
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&clean).unwrap());
}

#[test]
fn a_recording_read_again_gives_the_facts_that_a_look_had_but_for_the_names() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("recording");
    write(&home, &recording()).unwrap();
    let back = read(&home).unwrap();
    assert_eq!(back.len(), 6);
    let observed = facts(&back);
    let text = format!("{:?} {:?}", observed.nodes, observed.cluster);
    for name in ["HV07", "HV08", "payroll", "ann", "rack", "ab12", "4c4c4544", "c0c0", "corp"] {
        assert!(!text.contains(name), "{name}");
    }
    let one = &observed.nodes[&"NODE-1".parse().unwrap()];
    let memory = one.memory.known().unwrap();
    assert_eq!(memory.fence.as_ref().unwrap().to_string(), "3.n1/8");
    assert_eq!(memory.commit.as_ref().unwrap().boot.as_str(), memory.registry_written.as_ref().unwrap().as_str(), "one boot, one name");
    let ids: Vec<_> = observed.nodes.values().map(|n| n.id.known().unwrap()).collect();
    assert_eq!((ids[0].cluster == ids[1].cluster, ids[0].machine == ids[1].machine), (true, false));
    assert!(observed.cluster.storage.known().unwrap().drives.contains_key(&"NODE-2".parse().unwrap()));
    assert!(observed.cluster.level.known().is_some() && one.worker.known().unwrap().is_some() && one.view.known().is_some());
    // What was unknown is unknown, for the same reason.
    assert!(format!("{:?}", observed.cluster.capacity).contains("room (DrydockRoles)"), "{:?}", observed.cluster.capacity);
    assert!(matches!(write(&home, &recording()), Err(RecordError::NotEmpty(_))), "two recordings are never mixed");
}

/// Every text of an answer becomes a canary; nothing of it may be found afterwards.
fn poisoned(value: &Value, canary: &str) -> Value {
    match value {
        Value::String(_) => Value::from(canary),
        Value::Array(items) => items.iter().map(|item| poisoned(item, canary)).collect(),
        Value::Object(fields) => {
            let mut all: serde_json::Map<String, Value> =
                fields.iter().map(|(name, value)| (name.clone(), poisoned(value, canary))).collect();
            all.insert(format!("x {canary}"), Value::from(canary));
            all.insert("unheardOf".to_owned(), json!({"deep": [canary, {"er": canary}]}));
            Value::Object(all)
        }
        other => other.clone(),
    }
}

#[test]
fn a_secret_at_any_place_of_any_answer_does_not_get_through() {
    // As a word it is known; as a sentence, an address and a path it needs nobody's knowledge.
    for canary in [
        "till-berlin",
        "svc-drydock",
        "The canary sits: here!",
        "10.20.30.40 canary",
        "C:\\canary\\1",
        "canary@corp.example",
        "HV07/canary",
    ] {
        for answer in [node("HV07", 1), of_cluster(), storage(), doctor(), update()] {
            let mut scrubber = Scrubber::new(&known());
            let clean = scrubber.answer(&poisoned(&answer, canary)).to_string();
            let tell =
                canary.split_whitespace().find(|w| w.contains("anary")).unwrap_or(canary).trim_matches(|c: char| !c.is_alphanumeric());
            assert!(!clean.contains(tell) && !clean.contains(&canary.replace('\\', "\\\\")), "{canary}: {clean}");
        }
    }
}

#[test]
fn an_error_is_recorded_by_its_class_and_not_by_its_words() {
    let mut scrubber = Scrubber::new(&known());
    let here = scrubber.node("HV07");
    let lost = scrubbed(&mut scrubber, &here, "probe-node", Err(SessionError::Unreachable("10.1.2.3:5986 refuses".into())));
    let error = SessionError::ScriptFailed {
        category: "InvalidOperation".into(),
        id: "RuntimeException".into(),
        message: "HV07 said no".into(),
        script: "probe-storage".into(),
        line: 7,
    };
    let failed = scrubbed(&mut scrubber, &here, "probe-storage", Err(error));
    expect![[r#"
        [{"recording":1,"node":"NODE-1","script":"probe-node","error":{"code":"DD0601"}},{"recording":1,"node":"NODE-1","script":"probe-storage","error":{"code":"DD0608","category":"InvalidOperation","id":"RuntimeException","line":"probe-storage:7"}}]"#]]
    .assert_eq(&serde_json::to_string(&[lost, failed]).unwrap());
}

#[test]
fn what_is_no_recording_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(read(folder.path()).is_err(), "an empty folder");
    for text in [
        "{",
        "{}",
        r#"{"recording":2,"node":"N","script":"probe-node","answer":{}}"#,
        r#"{"recording":1,"node":"N","script":"probe-node"}"#,
    ] {
        std::fs::write(folder.path().join("a.json"), text).unwrap();
        assert!(read(folder.path()).is_err(), "{text}");
    }
}
