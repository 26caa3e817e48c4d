//! The whole walk, from the name to the facts, to a stub node behind each door that a real one has: servers of other people's parts.

use super::{Stub, advice, bound, doctor, secrets};
use crate::common::{self, MINUTE, bed};
use crate::helper::Helper;
use crate::server::{Server, python};
use drydock_windows::auth::{Kerberos, Sealing, Security};
use drydock_windows::credential::{Field, Reference, Source};
use drydock_windows::doctor::Intent;
use drydock_windows::http::Trust;
use drydock_windows::session::{Target, Transport};
use expect_test::expect;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

fn target(address: &str, transport: Transport) -> Target {
    Target { node: "N01".parse().unwrap(), address: address.into(), transport, credential: "svc".into() }
}

/// The walk to N01, with what to do where something is to be done.
async fn walk(bed: &common::Bed, target: &Target, port: u16) -> String {
    advice(&doctor(&bed.sessions, Intent::Upgrade).walk(target).await, &[(&port.to_string(), "PORT")])
}

async fn nothing_stays(bed: &common::Bed, server: &Server) {
    assert!(bed.sessions.close(MINUTE).await);
    assert_eq!((server.counter("shellsOpen"), server.counter("logons"), server.counter("broken")), (0, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_walked_to_its_facts_over_winrm_with_tls_and_ntlm() {
    let (Some(python), Some(stub)) = (python(), Stub::new()) else { return };
    let users = json!({ "users": [{ "name": "svc", "domain": "LAB", "password": "canary" }] });
    let tls = ["--auth", "ntlm", "--tls", "CERTS/node1.pem", "CERTS/node1.key", "--cluster", stub.folder.path().to_str().unwrap()];
    let server = Server::start_node(&python, "N01", &tls, &users);
    let trust = Trust::authorities(&std::fs::read(server.certificate("ca.pem")).unwrap()).unwrap();
    let bed = bed(BTreeMap::from([secrets("svc", r"LAB\svc", "canary")]), |_| {});
    let target = target("127.0.0.1", Transport::Winrm { port: server.port, security: bound(trust) });
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS ok: the certificate is for 127.0.0.1 and signed by a trusted authority
        authentication ok: let in, HTTPS with NTLM
        shell ok: opened
        PowerShell ok: PowerShell VERSION, FullLanguage, on N01
        modules ok: FailoverClusters, Storage, ScheduledTasks, CimCmdlets, Dism, Hyper-V, AzureStackHCI
        rights ok: LAB\svc (NTLM), an administrator; 30 shells for each account
        facts ok: 16 known, 0 unknown; build 20349.3692; the cluster service runs; no fence yet
    "#]]
    .assert_eq(&walk(&bed, &target, server.port).await);
    nothing_stays(&bed, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_walked_to_its_facts_over_winrm_sealed_by_kerberos() {
    let (Some(python), Some(stub)) = (python(), Stub::new()) else { return };
    let realm = tempfile::tempdir().unwrap();
    let path = realm.path().to_str().unwrap();
    let Some(kdc) = Helper::start(&python, "kdc.py", &["run", path, "--host", "localhost", "--user", "svc", "canary"]) else { return };
    let keytab = realm.path().join("node.keytab");
    let users = json!({ "users": [{ "name": "svc", "domain": "LAB", "password": "nobody asks for it" }] });
    let kerberos = ["--auth", "kerberos", "--keytab", keytab.to_str().unwrap(), "--cluster", stub.folder.path().to_str().unwrap()];
    let server = Server::start_node(&python, "N01", &kerberos, &users);
    let bed = bed(BTreeMap::from([secrets("svc", "svc@LAB.TEST", "canary")]), |_| {});
    let method = Sealing::Kerberos(Kerberos {
        realm: "LAB.TEST".into(),
        kdcs: vec![format!("127.0.0.1:{}", kdc.port())],
        service_host: None,
        within: Duration::from_secs(5),
    });
    let target = target("localhost", Transport::Winrm { port: server.port, security: Security::SealedHttp { method } });
    // Which of its addresses a name shows first, and which of them listens, is this machine's own.
    let text = walk(&bed, &target, server.port).await.replace("localhost is 127.0.0.1, ::1", "localhost is 127.0.0.1");
    expect![[r#"
        name ok: localhost is 127.0.0.1
        port ok: 127.0.0.1:PORT takes connections
        TLS -: HTTP; every message is sealed
        authentication ok: let in, HTTP sealed by Kerberos
        shell ok: opened
        PowerShell ok: PowerShell VERSION, FullLanguage, on N01
        modules ok: FailoverClusters, Storage, ScheduledTasks, CimCmdlets, Dism, Hyper-V, AzureStackHCI
        rights ok: LAB\svc (Kerberos), an administrator; 30 shells for each account
        facts ok: 16 known, 0 unknown; build 20349.3692; the cluster service runs; no fence yet
    "#]]
    .assert_eq(&text);
    nothing_stays(&bed, &server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_walked_to_its_facts_over_ssh_and_told_that_sshd_would_not_come_back() {
    let (Some(python), Some(stub)) = (python(), Stub::new()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (path, cluster) = (folder.path().to_str().unwrap(), stub.folder.path().to_str().unwrap());
    let Some(sshd) = Helper::start(&python, "sshd.py", &["run", path, "--node", "N01", "--cluster", cluster]) else { return };
    let user = sshd.ready["user"].as_str().unwrap().to_owned();
    let source = Source::File { path: folder.path().join("client"), field: Field::SshKey };
    let bed = bed(BTreeMap::from([("svc".to_owned(), Reference { user: Some(user), source })]), |_| {});
    let known_hosts = vec![folder.path().join("known_hosts")];
    let target = target("127.0.0.1", Transport::Ssh { port: sshd.port(), known_hosts, program: "powershell.exe".into() });
    // As the optional feature installs it, and somebody started it.
    stub.set("N01", &json!({"services.sshd.status": "Running"}));
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS -: SSH; the host key is compared at the logon
        authentication ok: let in, and the host key is a known one
        shell ok: opened
        PowerShell ok: PowerShell VERSION, FullLanguage, on N01
        modules found: FailoverClusters, Storage, ScheduledTasks, CimCmdlets, Dism, Hyper-V, AzureStackHCI
          DD0616 the service sshd starts only by hand, and after a restart nobody could reach the node
            -> on the node: Set-Service -Name sshd -StartupType Automatic
        rights ok: FABRIC\svc-drydock (unknown), an administrator; 30 shells for each account
        facts ok: 16 known, 0 unknown; build 20349.3692; the cluster service runs; no fence yet
    "#]]
    .assert_eq(&walk(&bed, &target, sshd.port()).await);
    stub.set("N01", &json!({"services.sshd.start": "Automatic"}));
    expect![[r#"
        name ok: 127.0.0.1 is an address
        port ok: 127.0.0.1:PORT takes connections
        TLS -: SSH; the host key is compared at the logon
        authentication ok: let in, and the host key is a known one
        shell ok: opened
        PowerShell ok: PowerShell VERSION, FullLanguage, on N01
        modules ok: FailoverClusters, Storage, ScheduledTasks, CimCmdlets, Dism, Hyper-V, AzureStackHCI
        rights ok: FABRIC\svc-drydock (unknown), an administrator; 30 shells for each account
        facts ok: 16 known, 0 unknown; build 20349.3692; the cluster service runs; no fence yet
    "#]]
    .assert_eq(&walk(&bed, &target, sshd.port()).await);
    assert!(bed.sessions.close(MINUTE).await);
    let begun = std::fs::read_to_string(folder.path().join("sessions")).unwrap();
    assert_eq!(begun.lines().count(), 1, "both walks were one session");
}
