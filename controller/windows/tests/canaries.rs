//! Canaries in every kind of credential, and a search through everything that comes out: logs of all libraries at their most talkative,
//! errors, what is printed for debugging, the state folder, the process list. A test binary of its own, as it listens to the whole process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;
#[path = "common/helper.rs"]
mod helper;
#[path = "common/server.rs"]
mod server;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{CANARY, MINUTE, bed, powershell};
use drydock_windows::auth::{Kerberos, Method, Sealing, Security, cached_ticket};
use drydock_windows::credential::{Field, Reference, Source};
use drydock_windows::http::Trust;
use drydock_windows::session::{Script, Target, Transport};
use helper::Helper;
use serde_json::Map;
use server::{Server, python};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ONE: Script = Script { name: "one", source: "1" };

#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<u8>>>);

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl log::Log for Ear {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let _written = writeln!(self.clone(), "{} {}", record.target(), record.args());
    }
    fn flush(&self) {}
}

/// What stays the same of base64 wherever in a longer text the bytes stand: `Authorization: Basic` has a user before them.
fn in_base64(bytes: &[u8]) -> impl Iterator<Item = String> {
    (0..3).map(move |before| {
        let text = STANDARD.encode([&[0; 2][..before], bytes].concat());
        text[(before * 8).div_ceil(6)..(before + bytes.len()) * 8 / 6].to_owned()
    })
}

/// The ways in which a secret could be written.
fn disguises(secret: &[u8]) -> Vec<String> {
    let wide: Vec<u8> = String::from_utf8_lossy(secret).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut all = vec![String::from_utf8_lossy(secret).into_owned()];
    for bytes in [secret, &wide] {
        let hex = bytes.iter().fold(String::new(), |mut hex, b| {
            let _ = write!(hex, "{b:02x}");
            hex
        });
        let list = format!("{bytes:?}");
        all.extend([hex.to_uppercase(), hex, list.trim_matches(['[', ']']).to_owned()]);
        all.extend(in_base64(bytes));
    }
    all
}

#[test]
fn a_secret_in_the_header_of_basic_is_found_whatever_the_user_is_called() {
    for user in ["", "a", "ab", "abc", "NORTH\\svc"] {
        let header = STANDARD.encode(format!("{user}:l0calcanary"));
        assert!(disguises(b"l0calcanary").iter().any(|d| header.contains(d)), "{header}");
    }
}

#[test]
fn no_secret_comes_out_anywhere() {
    // A variable of one's own environment can be set for a child only: this test again, with one.
    if std::env::var_os(CANARY).is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["no_secret_comes_out_anywhere", "--exact", "--nocapture"]).env(CANARY, VARIABLE);
        assert!(again.status().unwrap().success(), "what it found stands above");
        return;
    }
    tokio::runtime::Runtime::new().unwrap().block_on(look_everywhere());
}

async fn look_everywhere() {
    let Some(python) = python() else { return };
    if powershell().is_none() {
        return;
    }
    let ear = Ear::default();
    let writer = ear.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(move || writer.clone()).init();
    log::set_logger(Box::leak(Box::new(ear.clone()))).unwrap();
    log::set_max_level(log::LevelFilter::Trace);

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    // The canaries: each is a secret by itself, and none is part of a name.
    let mut canaries: Vec<Vec<u8>> = [PASSWORD, "l0calcanary", "wr0ngcanary", "k3rbcanary", VARIABLE, "c0mmandcanary", "f0ldercanary"]
        .map(|c| c.as_bytes().to_vec())
        .into();
    let mut references = BTreeMap::new();
    let mut add = |name: &str, user: &str, field: Field, bytes: &[u8]| {
        fs::write(at(name), bytes).unwrap();
        let source = Source::File { path: at(name).into(), field };
        references.insert(name.to_owned(), Reference { user: Some(user.to_owned()), source });
    };
    add("ntlm", "LAB\\svc", Field::Password, PASSWORD.as_bytes());
    add("wrong", "LAB\\svc", Field::Password, b"wr0ngcanary");
    add("basic", "local", Field::Password, b"l0calcanary");
    add("kerberos", "svc", Field::Password, b"k3rbcanary");
    add("kerberos-wrong", "svc", Field::Password, b"wr0ngcanary");

    fs::write(at("printed"), r#"{"username":"LAB\\printed","password":"c0mmandcanary"}"#).unwrap();
    fs::create_dir(at("folder")).unwrap();
    fs::write(at("folder/username"), "LAB\\folder").unwrap();
    fs::write(at("folder/password"), "f0ldercanary\n").unwrap();

    let kdc = Helper::start(&python, "kdc.py", &["run", &at("kdc"), "--host", "localhost", "--user", "svc", "k3rbcanary"]);
    let sshd = Helper::start(&python, "sshd.py", &["run", &at("sshd"), "--node", "NODE1"]);
    if let Some(sshd) = &sshd {
        let key = fs::read(folder.path().join("sshd/client")).unwrap();
        // The private half stands in the last lines.
        let text = String::from_utf8(key.clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        canaries.push(lines[lines.len() - 3].as_bytes().to_vec());
        let user = sshd.ready["user"].as_str().unwrap();
        add("ssh", user, Field::SshKey, &key);
        fs::create_dir(at("locked")).unwrap();
        fs::copy(folder.path().join("sshd/client"), at("locked/ssh-privatekey")).unwrap();
        let mut lock = Command::new("ssh-keygen");
        lock.args(["-q", "-p", "-P", "", "-N", "phr4secanary", "-f"]).arg(at("locked/ssh-privatekey")).stdout(Stdio::null());
        assert!(lock.status().unwrap().success());
        fs::write(at("locked/passphrase"), "phr4secanary\n").unwrap();
        fs::write(at("locked/username"), user).unwrap();
        canaries.push(b"phr4secanary".to_vec());
    }
    if kdc.is_some() {
        let table = fs::read(folder.path().join("kdc/svc.keytab")).unwrap();
        for entry in drydock_windows::auth::keytab_entries(&table).unwrap() {
            canaries.push(entry.key.expose().to_vec());
        }
        add("keytab", "svc", Field::Keytab, &table);
        Helper::tell(&python, "kdc.py", &["ticket", &at("kdc"), "svc", "k3rbcanary", &at("made")]);
        let cache = fs::read(at("made")).unwrap();
        canaries.push(cached_ticket(&cache).unwrap().key.expose().to_vec());
        add("cache", "svc", Field::Cache, &cache);
    }

    let users = serde_json::json!({ "users": [
        { "name": "svc", "domain": "LAB", "password": PASSWORD },
        { "name": "local", "password": "l0calcanary", "certificate": "drydock@local" },
        { "name": "variable", "domain": "LAB", "password": VARIABLE },
        { "name": "printed", "domain": "LAB", "password": "c0mmandcanary" },
        { "name": "folder", "domain": "LAB", "password": "f0ldercanary" },
    ] });
    let plain = Server::start_with(&python, &["--auth", "ntlm"], &users);
    let tls = Server::start_with(&python, &["--auth", "basic", "--tls", "CERTS/node1.pem", "CERTS/node1.key"], &users);
    let trust = Trust::authorities(&fs::read(tls.certificate("ca.pem")).unwrap()).unwrap();
    let mutual = ["--auth", "certificate", "--tls", "CERTS/node1.pem", "CERTS/node1.key", "--client-authority", "CERTS/ca.pem"];
    let mutual = Server::start_with(&python, &mutual, &users);
    let key = fs::read_to_string(mutual.certificate("client.key")).unwrap();
    canaries.push(key.lines().nth(2).unwrap().as_bytes().to_vec());
    fs::create_dir(at("certificate")).unwrap();
    fs::copy(mutual.certificate("client.pem"), at("certificate/tls.crt")).unwrap();
    fs::write(at("certificate/tls.key"), &key).unwrap();
    let mutual_trust = Trust::authorities(&fs::read(mutual.certificate("ca.pem")).unwrap()).unwrap();
    let arguments = vec!["-c".to_owned(), "cat \"$0\"".to_owned(), at("printed")];
    let command = Source::Command { program: "/bin/sh".into(), arguments, within: Duration::from_secs(20) };
    for (name, user, source) in [
        ("ssh-locked", None, Source::Directory(at("locked").into())),
        ("variable", Some("LAB\\variable"), Source::Environment { variable: CANARY.to_owned(), field: Field::Password }),
        ("printed", None, command),
        ("folder", None, Source::Directory(at("folder").into())),
        ("certificate", None, Source::Directory(at("certificate").into())),
    ] {
        references.insert(name.to_owned(), Reference { user: user.map(str::to_owned), source });
    }
    let winrm = |port, security| Transport::Winrm { port, security };
    let ntlm = Security::SealedHttp { method: Sealing::Ntlm };
    let mut targets = vec![
        ("ntlm", winrm(plain.port, ntlm.clone()), true),
        ("wrong", winrm(plain.port, ntlm.clone()), false),
        ("variable", winrm(plain.port, ntlm.clone()), true),
        ("printed", winrm(plain.port, ntlm.clone()), true),
        ("folder", winrm(plain.port, ntlm), true),
        ("certificate", winrm(mutual.port, Security::Https { trust: mutual_trust, method: Method::Certificate }), true),
        ("basic", winrm(tls.port, Security::Https { trust: trust.clone(), method: Method::Basic }), true),
        ("kerberos-wrong", winrm(tls.port, Security::Https { trust, method: Method::Basic }), false),
    ];
    let node = kdc.as_ref().map(|kdc| {
        let table = at("kdc/node.keytab");
        let server = Server::start(&python, &["--auth", "kerberos", "--keytab", &table]);
        let kdcs = vec![format!("127.0.0.1:{}", kdc.port())];
        let settings = Kerberos { realm: "LAB.TEST".into(), kdcs, service_host: None, within: Duration::from_secs(10) };
        let security = Security::SealedHttp { method: Sealing::Kerberos(settings) };
        for (name, fine) in [("kerberos", true), ("keytab", true), ("cache", true), ("kerberos-wrong", false)] {
            targets.push((name, winrm(server.port, security.clone()), fine));
        }
        server
    });
    if let Some(sshd) = &sshd {
        let known_hosts = vec![folder.path().join("sshd/known_hosts")];
        for name in ["ssh", "ssh-locked"] {
            let transport = Transport::Ssh { port: sshd.port(), known_hosts: known_hosts.clone(), program: "powershell.exe".into() };
            targets.push((name, transport, true));
        }
    }

    let bed = bed(references, |_| {});
    let mut said = String::new();
    for (credential, transport, fine) in targets {
        let target = Target { node: "NODE1".parse().unwrap(), address: "localhost".into(), transport, credential: credential.into() };
        let target = if credential.starts_with("ssh") { Target { address: "127.0.0.1".into(), ..target } } else { target };
        let result = bed.sessions.run(&target, ONE, &[], Map::new(), MINUTE).await;
        assert_eq!(result.is_ok(), fine, "{credential}: {result:?}");
        let _ = write!(said, "{target:?} {result:?} {}", result.as_ref().err().map(ToString::to_string).unwrap_or_default());
    }
    let _ = write!(said, "{:?} {:?}", bed.sessions, bed.sessions.standings());
    let processes = Command::new("ps").args(["axeww", "-o", "pid=,args="]).stdout(Stdio::piped()).output().unwrap();
    // The variable is our own, and `ps` has it from us.
    let pid = std::process::id().to_string();
    let own = |line: &str| line.contains("ps axeww") || line.split_whitespace().next() == Some(pid.as_str());
    let text = String::from_utf8_lossy(&processes.stdout).into_owned();
    let mine: String = text.lines().filter(|l| !l.contains("kdc.py") && !own(l)).collect::<Vec<_>>().join("\n");
    let state = read_all(&bed.folder.path().join("breaker"));
    assert!(bed.sessions.close(MINUTE).await);
    drop(node);
    let heard = String::from_utf8_lossy(&ear.0.lock().unwrap()).into_owned();
    assert!(heard.contains("sspi") && (sshd.is_none() || heard.contains("russh")), "the ear is deaf");
    for canary in canaries {
        for disguise in disguises(&canary) {
            for (place, text) in [("log", &heard), ("errors", &said), ("processes", &mine), ("state", &state)] {
                if let Some(found) = text.find(&disguise) {
                    let from = text[..found].rfind('\n').map_or(0, |n| n + 1);
                    panic!("a secret is in the {place}: {:.300}", &text[from..]);
                }
            }
        }
    }
}

const VARIABLE: &str = "v4riablecanary";
const PASSWORD: &str = "P@ss n7lmcanary";

fn read_all(folder: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        all.push_str(&String::from_utf8_lossy(&fs::read(entry.unwrap().path()).unwrap()));
    }
    assert!(!all.is_empty());
    all
}
