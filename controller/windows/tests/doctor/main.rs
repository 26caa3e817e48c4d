//! The doctor's walk to stub nodes: real PowerShell, and a WinRM server and a listener that are not what they should be.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on shall stop, and one that cannot run says so")]

#[path = "../common/mod.rs"]
mod common;
mod constrained;
#[path = "../common/helper.rs"]
mod helper;
mod reader;
#[path = "../common/server.rs"]
mod server;
mod ways;

use common::{Bench, bed, powershell};
use drydock_windows::auth::{Method, Sealing, Security};
use drydock_windows::credential::{Reference, Source};
use drydock_windows::doctor::{Doctor, Intent, Outcome, Walk, together};
use drydock_windows::http::{Pin, Trust};
use drydock_windows::local::Program;
use drydock_windows::record::{self, Known, Scrubber};
use drydock_windows::session::{Sessions, Target, Transport};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use server::{Server, python};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const CONNECT: Duration = Duration::from_secs(10);

/// A stub cluster of two nodes, N01 and N02, and the environment of each; gone when it is dropped.
struct Stub {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, BTreeMap<String, String>>,
    pwsh: String,
}

impl Stub {
    fn new() -> Option<Stub> {
        let pwsh = powershell()?;
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("python3")
            .args(["-m", "stub", "make"])
            .arg(folder.path())
            .args(["--nodes", "N01,N02", "--owner", &std::process::id().to_string(), "--pwsh", &pwsh])
            .env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/node"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Some(Stub { folder, environment: serde_json::from_slice(&made.stdout).unwrap(), pwsh })
    }

    /// Sets fields of a node to what a test needs.
    fn set(&self, node: &str, fields: &Value) {
        let done = Command::new("python3")
            .args(["-m", "stub", "act"])
            .arg(self.folder.path())
            .args(["set", node, &fields.to_string()])
            .env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/node"))
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// The folder of a node.
    fn home(&self, node: &str) -> PathBuf {
        self.folder.path().join("nodes").join(node)
    }

    /// What the platform knows in truth.
    fn truth(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.folder.path().join("cluster.json")).unwrap()).unwrap()
    }

    /// What a node's registry holds of Drydock; null when there is no such key.
    fn drydock_key(&self, node: &str) -> Value {
        let hives: Value = serde_json::from_slice(&std::fs::read(self.home(node).join("registry.json")).unwrap()).unwrap();
        hives["keys"]["HKEY_LOCAL_MACHINE"]["keys"]["SOFTWARE"]["keys"]["Drydock"].clone()
    }

    fn target(&self, node: &str) -> Target {
        let environment = self.environment[node].iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
        local(node, &self.pwsh, environment)
    }
}

fn local(node: &str, path: &str, environment: BTreeMap<String, Option<String>>) -> Target {
    Target {
        node: node.parse().unwrap(),
        address: "this machine".into(),
        transport: Transport::Local(Program { path: path.to_owned(), environment }),
        credential: String::new(),
    }
}

fn doctor(sessions: &Sessions, intent: Intent) -> Doctor {
    Doctor::new(sessions.clone(), Bench::new(7), intent, CONNECT)
}

/// Without what hangs on the PowerShell at hand: its version.
fn steady(saw: &str) -> String {
    match saw.strip_prefix("PowerShell ").and_then(|rest| rest.split_once(',')) {
        Some((_, rest)) => format!("PowerShell VERSION,{rest}"),
        None => saw.to_owned(),
    }
}

/// The walk in lines; what differs from run to run is replaced.
fn lines(walk: &Walk, hide: &[(&str, &str)]) -> String {
    told(walk, hide, false)
}

/// The same, with what to do.
fn advice(walk: &Walk, hide: &[(&str, &str)]) -> String {
    told(walk, hide, true)
}

fn told(walk: &Walk, hide: &[(&str, &str)], advice: bool) -> String {
    let mut text = String::new();
    for taken in &walk.steps {
        let (word, findings) = match &taken.outcome {
            Outcome::Fine => ("ok", &[][..]),
            Outcome::Found(all) => ("found", all.as_slice()),
            Outcome::Stopped(one) => ("STOP", std::slice::from_ref(one)),
            Outcome::NotNeeded => ("-", &[][..]),
            Outcome::NotReached => (".", &[][..]),
        };
        text.push_str(format!("{} {word}: {}", taken.step, steady(&taken.saw)).trim_end());
        text.push('\n');
        for finding in findings {
            text.push_str(&format!("  {} {}\n", finding.code, finding.what));
            if advice {
                text.push_str(&format!("    -> {}\n", finding.todo));
            }
        }
    }
    hide.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

fn check(walk: &Walk, hide: &[(&str, &str)], expect: Expect) {
    expect.assert_eq(&lines(walk, hide));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_node_is_walked_to_its_facts_and_two_of_them_are_one_cluster() {
    let Some(stub) = Stub::new() else { return };
    let bed = bed(BTreeMap::new(), |_| {});
    let doctor = doctor(&bed.sessions, Intent::Upgrade);
    let (one, two) = (stub.target("N01"), stub.target("N02"));
    let walks = [doctor.walk(&one).await, doctor.walk(&two).await];
    check(
        &walks[0],
        &[],
        expect![[r#"
            name -: a program of this machine
            port -: a program of this machine
            TLS -: a program of this machine
            authentication -: a program of this machine
            shell ok: opened
            PowerShell ok: PowerShell VERSION, FullLanguage, on N01
            modules ok: FailoverClusters, Storage, ScheduledTasks, CimCmdlets, Dism, Hyper-V, AzureStackHCI
            rights ok: FABRIC\svc-drydock (unknown), an administrator; 30 shells for each account
            facts ok: 16 known, 0 unknown; build 20349.3692; the cluster service runs; no fence yet
        "#]],
    );
    let both = ["N01", "N02"].map(|n| n.parse().unwrap());
    assert_eq!(together(&walks, &both), []);
    assert_eq!(together(&walks, &both[..1]).len(), 1, "one is not listed");
    let mut other = stub.target("N01");
    other.node = "N07".parse().unwrap();
    let wrong = doctor.walk(&other).await;
    assert!(
        lines(&wrong, &[]).contains("DD0614 the machine that answers at this machine calls itself N01, not N07"),
        "{}",
        lines(&wrong, &[])
    );
    bed.sessions.close(common::MINUTE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_stub_nodes_names_none_of_them() {
    let Some(stub) = Stub::new() else { return };
    let bed = bed(BTreeMap::new(), |_| {});
    let known = Known { nodes: ["N01", "N02"].map(|n| n.parse().unwrap()).to_vec(), names: vec!["this machine".into()] };
    let recorded = record::record(&bed.sessions, vec![stub.target("N01"), stub.target("N02")], Scrubber::new(&known)).await;
    bed.sessions.close(common::MINUTE).await;
    let folder = match std::env::var_os("DRYDOCK_WRITE") {
        // As the recording that lies in tests/recordings was made.
        Some(_) => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings/stub-22h2"),
        None => stub.folder.path().join("tape"),
    };
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    record::write(&folder, &recorded).unwrap();
    let text = serde_json::to_string(&recorded).unwrap();
    for name in ["N01", "N02", stub.folder.path().to_str().unwrap()] {
        assert!(!text.contains(name), "{name}: {text}");
    }
    let back = record::read(&folder).unwrap();
    assert_eq!(back.len(), 12, "six scripts on two nodes");
    let observed = record::facts(&back);
    assert!(observed.nodes.values().all(|n| n.id.known().is_some() && n.view.known().is_some()), "{:?}", observed.nodes);
    assert!(observed.cluster.storage.known().is_some(), "{:?}", observed.cluster);
    assert!(observed.cluster.preconditions.known().is_some(), "{:?}", observed.cluster);
}

fn winrm(port: u16, security: Security) -> Target {
    Target {
        node: "NODE1".parse().unwrap(),
        address: "127.0.0.1".into(),
        transport: Transport::Winrm { port, security },
        credential: "svc".into(),
    }
}

fn bound(trust: Trust) -> Security {
    Security::Https { trust, method: Method::Bound(Sealing::Ntlm) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_ends_where_the_way_does() {
    let bed = bed(BTreeMap::new(), |_| {});
    let doctor = doctor(&bed.sessions, Intent::Upgrade);
    let pinned = || bound(Trust::Pinned(Pin([0xab; 32])));
    let mut nameless = winrm(5986, pinned());
    nameless.address = "no..name".into();
    check(
        &doctor.walk(&nameless).await,
        &[],
        expect![[r#"
        name STOP:
          DD0602 the name no..name cannot be resolved; correct the address in the cluster's file, or the name service
        port .:
        TLS .:
        authentication .:
        shell .:
        PowerShell .:
        modules .:
        rights .:
        facts .:
    "#]],
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = port.to_string();
    let hide = [(text.as_str(), "PORT")];
    let chatter = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _told = tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 mail.example ESMTP\r\n").await;
        }
    });
    check(
        &doctor.walk(&winrm(port, pinned())).await,
        &hide,
        expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS STOP:
          DD0603 the port does not speak TLS; correct the node's certificate, or the authorities or the fingerprint in the controller's configuration
        authentication .:
        shell .:
        PowerShell .:
        modules .:
        rights .:
        facts .:
    "#]],
    );
    chatter.abort();
    let _ended = chatter.await;
    check(
        &doctor.walk(&winrm(port, pinned())).await,
        &hide,
        expect![[r#"
        name ok: 127.0.0.1 is an address
        port STOP:
          DD0601 127.0.0.1:PORT refuses connections on this port; check that the node is up, that the service listens there and that the firewalls between let it through
        TLS .:
        authentication .:
        shell .:
        PowerShell .:
        modules .:
        rights .:
        facts .:
    "#]],
    );
}

/// A credential of a user and a password.
fn secrets(name: &str, user: &str, password: &str) -> (String, Reference) {
    let secrets = tempfile::tempdir().unwrap().keep();
    std::fs::write(secrets.join("username"), user).unwrap();
    std::fs::write(secrets.join("password"), password).unwrap();
    (name.to_owned(), Reference { user: None, source: Source::Directory(secrets) })
}

fn with_password(user: &str, password: &str) -> common::Bed {
    bed(BTreeMap::from([secrets("svc", user, password)]), |_| {})
}

#[tokio::test(flavor = "multi_thread")]
async fn over_winrm_each_door_is_told_apart() {
    let (Some(python), Some(_)) = (python(), powershell()) else { return };
    let server =
        Server::start(&python, &["--auth", "ntlm", "--tls", "CERTS/node1.pem", "CERTS/node1.key", "--client-authority", "CERTS/ca.pem"]);
    let authority = || Trust::authorities(&std::fs::read(server.certificate("ca.pem")).unwrap()).unwrap();
    let text = server.port.to_string();
    let hide = [(text.as_str(), "PORT")];
    let heads = |walk: &Walk| lines(walk, &hide).lines().filter(|l| !l.contains(" .:")).map(|l| format!("{l}\n")).collect::<String>();
    let wrong = with_password("LAB\\svc", "canary");
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS ok: the certificate is for 127.0.0.1 and signed by a trusted authority
        authentication STOP:
          DD0604 the node does not accept account LAB\svc: the secret is wrong or expired, or the account locked, disabled or not allowed to log on there
    "#]].assert_eq(&heads(&doctor(&wrong.sessions, Intent::Upgrade).walk(&winrm(server.port, bound(authority()))).await));
    let pinned = bound(Trust::Pinned(Pin([0xab; 32])));
    let walk = doctor(&wrong.sessions, Intent::Upgrade).walk(&winrm(server.port, pinned)).await;
    assert!(lines(&walk, &hide).contains("TLS STOP:\n  DD0603 the certificate is not the pinned one"), "{}", lines(&walk, &hide));
    let reader = with_password("LAB\\reader", "r");
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS ok: the certificate is for 127.0.0.1 and signed by a trusted authority
        authentication ok: the account was let in
        shell STOP:
          DD0605 access denied: Access is denied. (fault AccessDenied, 0x00000005); the account must be allowed to use remote management and to administer the node
    "#]].assert_eq(&heads(&doctor(&reader.sessions, Intent::Upgrade).walk(&winrm(server.port, bound(authority()))).await));
    server.switch(&json!({ "quotas": { "maxShellsPerUser": 0 } }));
    let right = with_password("LAB\\svc", "P@ss w\u{f6}rd canary");
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS ok: the certificate is for 127.0.0.1 and signed by a trusted authority
        authentication ok: the account was let in
        shell STOP:
          DD0606 a limit of the node is reached: The WS-Management service cannot process the request. This user is allowed a maximum number of 0 concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user. (fault QuotaLimit, 0x803381A5); end shells that are left over there, or raise the limit
    "#]].assert_eq(&heads(&doctor(&right.sessions, Intent::Upgrade).walk(&winrm(server.port, bound(authority()))).await));
    assert!(right.sessions.close(common::MINUTE).await);
    assert_eq!(server.counter("shellsOpen"), 0);
}
