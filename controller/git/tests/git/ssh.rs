//! Over SSH, with a real OpenSSH server on this machine: host keys are checked by us, keys come from files or the agent.

use crate::git::stage::{Stage, at, commit, left_out, status};
use drydock_git::{Access, Head, KeyFrom, Mirror, Pushed, Refusal, Remote, Trouble};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const SSHD: &str = "/usr/sbin/sshd";

struct Server {
    child: Child,
    port: u16,
    user: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn keygen(stage: &Stage, name: &str, kind: &str, passphrase: &str) -> PathBuf {
    let path = stage.path(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-C", name, "-f"]).arg(&path).status();
    assert!(made.expect("ssh-keygen runs").success());
    path
}

fn text(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).expect("read")
}

impl Server {
    /// A server that lets in the key `user`, and shows the key `host`. `None`, said aloud, where there is no sshd.
    fn start(stage: &Stage, test: &str) -> Option<Self> {
        if !std::path::Path::new(SSHD).exists() {
            left_out(test, &format!("there is no {SSHD} (Debian: openssh-server)"));
            return None;
        }
        let user = String::from_utf8(Command::new("id").arg("-un").output().expect("id runs").stdout).expect("utf-8").trim().to_owned();
        let host = keygen(stage, "host", "ed25519", "");
        for (name, kind, passphrase) in
            [("user", "ed25519", ""), ("locked", "ed25519", "CANARY"), ("rsa", "rsa", ""), ("stranger", "ed25519", "")]
        {
            keygen(stage, name, kind, passphrase);
        }
        let allowed: String = ["user", "locked", "rsa"].map(|name| text(&stage.path(name).with_extension("pub"))).concat();
        std::fs::write(stage.path("authorized"), allowed).expect("written");
        // Where the server keeps its privileges apart, it wants this folder.
        std::fs::create_dir_all("/run/sshd").ok();
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
            let config = format!(
                "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n",
                host.display(),
                stage.path("authorized").display()
            );
            std::fs::write(stage.path("sshd_config"), config).expect("written");
            let mut child = Command::new(SSHD)
                .args(["-D", "-e", "-f"])
                .arg(stage.path("sshd_config"))
                .stderr(Stdio::piped())
                .spawn()
                .expect("sshd starts");
            let mut lines = BufReader::new(child.stderr.take().expect("piped"));
            let mut line = String::new();
            lines.read_line(&mut line).expect("read");
            if line.contains("listening") {
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return Some(Self { child, port, user });
            }
            child.kill().ok();
            child.wait().expect("ended");
        }
        panic!("sshd did not start");
    }

    fn mirror(&self, stage: &Stage, name: &str, access: Access) -> Mirror {
        let place = stage.remote();
        let remote =
            Remote::parse(&format!("ssh://{}@127.0.0.1:{}{}", self.user, self.port, place.display())).expect("remote").with_access(access);
        Mirror::open(&stage.path(name), remote).expect("mirror")
    }

    /// A known_hosts file with this server under the given key.
    fn known(&self, stage: &Stage, key: &str) -> Vec<PathBuf> {
        let path = stage.path(&format!("known_{key}"));
        std::fs::write(&path, format!("[127.0.0.1]:{} {}", self.port, text(&stage.path(key).with_extension("pub")))).expect("written");
        vec![path]
    }

    fn access(&self, stage: &Stage, key: &str) -> Access {
        Access {
            key: KeyFrom::File { path: stage.path(key), passphrase_env: None },
            known_hosts: self.known(stage, "host"),
            ..Access::default()
        }
    }
}

#[test]
fn over_ssh_with_a_key_file_a_push_lands_only_on_what_it_expects() {
    let stage = Stage::new();
    let Some(server) = Server::start(&stage, "over_ssh_with_a_key_file_a_push_lands_only_on_what_it_expects") else { return };
    for key in ["user", "rsa"] {
        let mut mirror = server.mirror(&stage, &format!("state {key}"), server.access(&stage, key));
        let base = mirror.fetch(&[status()]).expect("fetched").of(&status()).oid();
        let new = commit(&mirror, base, key, "1");
        let newer = commit(&mirror, Some(new), key, "2");
        assert!(matches!(mirror.push(&status(), base, new), Pushed::Landed));
        assert!(
            matches!(mirror.push(&status(), base, newer), Pushed::Rejected { now: Some(Head::At(now)), why: Refusal::Moved } if now == new)
        );
        assert_eq!(mirror.fetch(&[status()]).expect("fetched").of(&status()), at(new));
        assert_eq!(stage.head(&status()), Some(new));
    }
    stage.hook("pre-receive", "echo 'this branch is protected' >&2; exit 1");
    let mirror = server.mirror(&stage, "state", server.access(&stage, "user"));
    let side = drydock_git::RefName::branch("side").expect("a name");
    let root = commit(&mirror, None, "a", "1");
    match mirror.push(&side, None, root) {
        Pushed::Rejected { why: Refusal::Server { said }, .. } => assert!(said.contains("this branch is protected"), "{said}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_ssh_server_that_nobody_vouches_for_is_not_talked_to() {
    let stage = Stage::new();
    let Some(server) = Server::start(&stage, "an_ssh_server_that_nobody_vouches_for_is_not_talked_to") else { return };
    let printed = Command::new("ssh-keygen").args(["-l", "-f"]).arg(stage.path("host").with_extension("pub")).output().expect("runs");
    let printed = String::from_utf8(printed.stdout).expect("utf-8");
    let fingerprint = printed.split(' ').nth(1).expect("a fingerprint");
    let empty = stage.path("known_none");
    std::fs::write(&empty, "").expect("written");
    let mut mirror = server.mirror(&stage, "state", Access { known_hosts: vec![empty], ..server.access(&stage, "user") });
    match mirror.fetch(&[status()]) {
        Err(Trouble::HostUnknown { fingerprint: shown, host, .. }) => {
            assert_eq!((shown.as_str(), host), (fingerprint, format!("[127.0.0.1]:{}", server.port)))
        }
        other => panic!("{other:?}"),
    }
    let new = commit(&mirror, None, "a", "1");
    assert!(matches!(mirror.push(&status(), None, new), Pushed::NotSent(Trouble::HostUnknown { .. })));
    let changed = server.known(&stage, "stranger");
    let mut mirror = server.mirror(&stage, "state2", Access { known_hosts: changed, ..server.access(&stage, "user") });
    assert!(matches!(mirror.fetch(&[status()]), Err(Trouble::HostChanged { .. })));
}

#[test]
fn a_key_that_the_server_does_not_take_is_named_and_no_passphrase_shown() {
    let stage = Stage::new();
    let Some(server) = Server::start(&stage, "a_key_that_the_server_does_not_take_is_named_and_no_passphrase_shown") else { return };
    let fetch = |name: &str, access: Access| server.mirror(&stage, name, access).fetch(&[status()]).expect_err("refused");
    match fetch("state", server.access(&stage, "stranger")) {
        Trouble::CredentialRefused { credential, .. } => assert!(credential.contains("stranger"), "{credential}"),
        other => panic!("{other:?}"),
    }
    let missing = Access { key: KeyFrom::File { path: stage.path("nowhere"), passphrase_env: None }, ..server.access(&stage, "user") };
    assert!(fetch("state", missing).to_string().contains("cannot be read"));
    let unset = Access {
        key: KeyFrom::File { path: stage.path("locked"), passphrase_env: Some("DRYDOCK_TEST_UNSET".into()) },
        ..server.access(&stage, "user")
    };
    assert!(fetch("state", unset).to_string().contains("DRYDOCK_TEST_UNSET, which is not set"));
    // A key without a passphrase needs no variable.
    let open = KeyFrom::File { path: stage.path("user"), passphrase_env: Some("DRYDOCK_TEST_UNSET".into()) };
    let mut mirror = server.mirror(&stage, "open", Access { key: open, ..server.access(&stage, "user") });
    assert!(mirror.fetch(&[status()]).is_ok());
}

/// The two ways that need the environment: this test program again, with it.
const AGAIN: &str = "DRYDOCK_TEST_SSH_AGAIN";

#[test]
fn a_passphrase_comes_from_the_environment_and_keys_from_the_agent() {
    if let Ok(what) = std::env::var(AGAIN) {
        let mut parts = what.split('|');
        let mut next = || parts.next().expect("given");
        let (url, known, state, key) = (next(), next(), next(), next());
        let key = match key {
            "" => KeyFrom::Agent,
            path => KeyFrom::File { path: path.into(), passphrase_env: Some("DRYDOCK_TEST_PASSPHRASE".into()) },
        };
        let access = Access { key, known_hosts: vec![known.into()], ..Access::default() };
        let mut mirror =
            Mirror::open(std::path::Path::new(state), Remote::parse(url).expect("remote").with_access(access)).expect("mirror");
        let told = match mirror.fetch(&[status()]) {
            Ok(heads) => format!("{:?}", heads.of(&status())),
            Err(trouble) => format!("{trouble} {trouble:?}"),
        };
        println!("TOLD {told}");
        return;
    }
    let stage = Stage::new();
    let test = "a_passphrase_comes_from_the_environment_and_keys_from_the_agent";
    let Some(server) = Server::start(&stage, test) else { return };
    let known = server.known(&stage, "host").remove(0);
    let url = format!("ssh://{}@127.0.0.1:{}{}", server.user, server.port, stage.remote().display());
    let again = |state: &str, key: &str, environment: &[(&str, &str)], without: &str| {
        let what = [url.as_str(), &known.display().to_string(), &stage.path(state).display().to_string(), key].join("|");
        let name = format!("git::ssh::{test}");
        let output = Command::new(std::env::current_exe().expect("a program"))
            .args([name.as_str(), "--exact", "--nocapture"])
            .env_remove(without)
            .env(AGAIN, what)
            .envs(environment.iter().copied())
            .output()
            .expect("started");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("CANARY"), "{said}");
        said.lines().find_map(|line| line.split_once("TOLD ")).unwrap_or_else(|| panic!("{said}")).1.to_owned()
    };
    let locked = stage.path("locked").display().to_string();
    assert_eq!(again("state", &locked, &[("DRYDOCK_TEST_PASSPHRASE", "CANARY")], ""), "Absent");
    assert!(again("state", &locked, &[("DRYDOCK_TEST_PASSPHRASE", "CANARY, wrong")], "").contains("its passphrase is missing or wrong"));
    assert!(again("state", "", &[], "SSH_AUTH_SOCK").contains("no SSH agent runs"));

    let socket = stage.path("agent").display().to_string();
    let mut agent = Command::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::piped()).spawn().expect("ssh-agent starts");
    let mut line = String::new();
    BufReader::new(agent.stdout.take().expect("piped")).read_line(&mut line).expect("it is there");
    let with_agent = [("SSH_AUTH_SOCK", socket.as_str())];
    let empty = again("state", "", &with_agent, "");
    let added = Command::new("ssh-add").arg("-q").arg(stage.path("user")).env("SSH_AUTH_SOCK", &socket).status().expect("ssh-add runs");
    let full = again("state", "", &with_agent, "");
    agent.kill().expect("ended");
    agent.wait().expect("ended");
    assert!(added.success());
    assert!(empty.contains("did not accept the SSH agent's keys"), "{empty}");
    assert_eq!(full, "Absent");
}
