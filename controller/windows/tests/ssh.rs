//! SSH against a real sshd whose exec runs real PowerShell.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on shall stop, and says aloud what it leaves out")]

mod common;
#[path = "common/helper.rs"]
mod helper;
#[path = "common/server.rs"]
mod server;

use common::{Bed, MINUTE, bed, left_out, powershell};
use drydock_windows::SessionError;
use drydock_windows::auth::Refusal;
use drydock_windows::credential::{Field, Reference, Source};
use drydock_windows::scripts::LIBRARIES;
use drydock_windows::session::{Script, Target, Transport};
use helper::Helper;
use serde_json::{Map, Value, json};
use server::python;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const ONE: Script = Script { name: "one", source: "[CmdletBinding()]param([string]$Text) @{ text = $Text }" };

struct Node {
    folder: tempfile::TempDir,
    sshd: Helper,
}

fn node() -> Option<Node> {
    let python = python()?;
    powershell()?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_string_lossy().into_owned();
    let sshd = Helper::start(&python, "sshd.py", &["run", &path, "--node", "NODE1"])?;
    Some(Node { folder, sshd })
}

impl Node {
    fn target(&self, known_hosts: &str) -> Target {
        let file = self.folder.path().join(known_hosts);
        let transport = Transport::Ssh { port: self.sshd.port(), known_hosts: vec![file], program: "powershell.exe".into() };
        Target { node: "NODE1".parse().unwrap(), address: "127.0.0.1".into(), transport, credential: "svc".into() }
    }

    fn bed(&self, key: &str) -> Bed {
        let source = Source::File { path: self.folder.path().join(key), field: Field::SshKey };
        self.bed_from(source)
    }

    fn bed_from(&self, source: Source) -> Bed {
        let user = self.sshd.ready["user"].as_str().unwrap().to_owned();
        bed(BTreeMap::from([("svc".to_owned(), Reference { user: Some(user), source })]), |_| {})
    }
}

async fn echo(bed: &Bed, target: &Target, text: &str) -> Result<Value, SessionError> {
    bed.sessions.run(target, ONE, LIBRARIES, Map::from_iter([("Text".to_owned(), Value::from(text))]), MINUTE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_both_kinds_log_on_and_long_texts_pass() {
    let Some(node) = node() else { return };
    for key in ["client", "client-rsa"] {
        let bed = node.bed(key);
        for text in ["a", &"\u{e9}".repeat(400_000)] {
            assert_eq!(echo(&bed, &node.target("known_hosts"), text).await.unwrap(), json!({ "text": text }));
        }
        assert!(bed.sessions.close(MINUTE).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_needs_its_passphrase() {
    let Some(node) = node() else { return };
    let secrets = node.folder.path().join("secrets");
    fs::create_dir(&secrets).unwrap();
    let key = secrets.join("ssh-privatekey");
    fs::copy(node.folder.path().join("client"), &key).unwrap();
    let done =
        Command::new("ssh-keygen").args(["-q", "-p", "-P", "", "-N", "canary phrase", "-f"]).arg(&key).stdout(Stdio::null()).status();
    assert!(done.unwrap().success());
    fs::write(secrets.join("passphrase"), "canary phrase\n").unwrap();
    let target = node.target("known_hosts");
    assert!(echo(&node.bed_from(Source::Directory(secrets.clone())), &target, "a").await.is_ok());
    for wrong in ["other", ""] {
        fs::write(secrets.join("passphrase"), wrong).unwrap();
        let error = echo(&node.bed_from(Source::Directory(secrets.clone())), &target, "a").await.unwrap_err();
        assert!(matches!(&error, SessionError::Authentication(Refusal::Unavailable { .. })), "{error}");
        assert!(!error.to_string().contains("canary"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_a_changed_and_no_host_key_end_the_connection_before_anything_is_said() {
    let Some(node) = node() else { return };
    let bed = node.bed("client");
    for file in ["known_hosts.wrong", "nothing"] {
        let error = echo(&bed, &node.target(file), "a").await.unwrap_err();
        let SessionError::Authentication(Refusal::HostKey(why)) = &error else { panic!("{error}") };
        assert!(why.contains(if file == "nothing" { "not on record" } else { "another host key" }), "{why}");
    }
    assert!(!node.folder.path().join("sessions").exists(), "nothing began");
    let stranger = echo(&node.bed("stranger"), &node.target("known_hosts"), "a").await.unwrap_err();
    assert!(matches!(&stranger, SessionError::Authentication(Refusal::KeyRefused(_))), "{stranger}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_signs() {
    let Some(node) = node() else { return };
    let socket = node.folder.path().join("agent");
    let agent = Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn();
    let Ok(mut agent) = agent else {
        left_out("there is no ssh-agent");
        return;
    };
    let deadline = tokio::time::Instant::now() + MINUTE;
    while !socket.exists() {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    let add = |key: &str| {
        let key = node.folder.path().join(key);
        Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket).status().unwrap()
    };
    assert!(add("stranger").success() && add("client-rsa").success());
    let result = with_agent(&socket, &node);
    agent.kill().unwrap();
    agent.wait().unwrap();
    result.unwrap();
}

/// In a process of its own, as the variable is of the whole process.
fn with_agent(socket: &Path, node: &Node) -> Result<(), String> {
    let this = std::env::current_exe().unwrap();
    let done = Command::new(this)
        .args(["--exact", "the_child_of_an_agent_signs", "--nocapture"])
        .env("SSH_AUTH_SOCK", socket)
        .env("DRYDOCK_TEST_SSH_FOLDER", node.folder.path())
        .env("DRYDOCK_TEST_SSH_PORT", node.sshd.port().to_string())
        .env("DRYDOCK_TEST_SSH_USER", node.sshd.ready["user"].as_str().unwrap())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() && words.contains("AGENT SIGNED") { Ok(()) } else { Err(words) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_child_of_an_agent_signs() {
    let Some(folder) = std::env::var_os("DRYDOCK_TEST_SSH_FOLDER") else { return };
    let (port, user) = (std::env::var("DRYDOCK_TEST_SSH_PORT").unwrap(), std::env::var("DRYDOCK_TEST_SSH_USER").unwrap());
    let known_hosts = vec![Path::new(&folder).join("known_hosts")];
    let transport = Transport::Ssh { port: port.parse().unwrap(), known_hosts, program: "powershell.exe".into() };
    let target = Target { node: "NODE1".parse().unwrap(), address: "127.0.0.1".into(), transport, credential: "svc".into() };
    let bed = bed(BTreeMap::from([("svc".to_owned(), Reference { user: Some(user), source: Source::Agent })]), |_| {});
    assert_eq!(echo(&bed, &target, "a").await.unwrap(), json!({ "text": "a" }));
    println!("AGENT SIGNED");
}
