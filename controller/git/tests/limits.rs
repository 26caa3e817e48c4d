//! The process-wide settings, in a process of their own: what is settled here would change every other test.

#![allow(clippy::print_stdout, reason = "a test that cannot run here says so")]

use drydock_git::limits::{Limits, LimitsError, settle};
use drydock_git::{Access, Mirror, Proxy, RefName, Remote, Trouble};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn openssl(folder: &Path, arguments: &str) -> bool {
    Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A TLS server that shows this certificate and answers any request with a page.
fn serve(folder: &Path, name: &str) -> (Ended, u16) {
    for _ in 0..20 {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let arguments = format!("s_server -accept 127.0.0.1:{port} -cert {name}.pem -key {name}.key -www");
        let mut child = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        while lines.read_line(&mut line).expect("read") > 0 {
            if line.contains("ACCEPT") {
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return (Ended(child), port);
            }
        }
        child.wait().expect("ended");
    }
    panic!("openssl s_server did not start");
}

fn fetch(folder: &Path, name: &str, url: &str) -> Trouble {
    let remote = Remote::parse(url).expect("remote").with_access(Access { proxy: Proxy::None, ..Access::default() });
    let mut mirror = Mirror::open(&folder.join(name), remote).expect("mirror");
    mirror.fetch(&[RefName::branch("main").expect("a name")]).expect_err("no git is there")
}

/// The limits of the process are short here. Somebody counts who knocks.
fn a_mirror_in_a_hurry_leaves_a_silent_remote_alone_for_a_while(folder: &Path) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    silent.set_nonblocking(true).expect("set");
    let knocks = || std::iter::from_fn(|| silent.accept().ok()).count();
    let remote = Remote::parse(&format!("git://{}/x", silent.local_addr().expect("bound"))).expect("a remote");
    let mut mirror = Mirror::open(&folder.join("hurried"), remote).expect("a mirror");
    let main = [RefName::branch("main").expect("a name")];
    mirror.hurry();
    for knocked in [1, 0] {
        let trouble = mirror.fetch(&main).expect_err("it is silent");
        assert!(matches!(trouble, Trouble::TimedOut { .. }), "{trouble:?}");
        assert_eq!(knocks(), knocked, "{trouble:?}");
    }
    mirror.once_more();
    mirror.fetch(&main).expect_err("it is silent");
    assert_eq!(knocks(), 1, "once more, whatever was before");
}

#[test]
fn limits_are_settled_once_and_hold_for_every_connection() {
    let folder = tempfile::tempdir().expect("folder");
    let folder = folder.path();
    let with_tls = openssl(folder, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2")
        && openssl(folder, "req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf")
        && {
            std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1").expect("written");
            openssl(folder, "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out leaf.pem")
        }
        && openssl(
            folder,
            "req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.pem -subj /CN=self -days 2 -addext subjectAltName=IP:127.0.0.1",
        );
    let ca_file = with_tls.then(|| folder.join("ca.pem"));
    let quick = Limits { connect: Duration::from_secs(2), answer: Duration::from_secs(1), ca_file };

    let missing = settle(&Limits { ca_file: Some(PathBuf::from("/nonexistent/ca.pem")), ..quick.clone() });
    assert!(matches!(missing, Err(LimitsError::CaFile { .. })), "{missing:?}");
    settle(&quick).expect("settled");
    settle(&quick).expect("the same again");
    let other = settle(&Limits::default());
    assert!(matches!(other, Err(LimitsError::SettledOtherwise { .. })), "{other:?}");

    // A server that takes the connection and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("bound").port();
    for url in [format!("git://127.0.0.1:{port}/x"), format!("http://127.0.0.1:{port}/x"), format!("ssh://git@127.0.0.1:{port}/x")] {
        let trouble = fetch(folder, "silent", &url);
        assert!(matches!(trouble, Trouble::TimedOut { .. }), "{url}: {trouble:?}");
    }

    a_mirror_in_a_hurry_leaves_a_silent_remote_alone_for_a_while(folder);

    if !with_tls {
        println!("the private CA cannot be tested here: there is no openssl program");
        return;
    }
    let (_server, port) = serve(folder, "leaf");
    let trusted = fetch(folder, "trusted", &format!("https://127.0.0.1:{port}/x"));
    assert!(!matches!(trusted, Trouble::CertificateRefused { .. }), "the private CA vouches for it: {trusted:?}");
    assert!(matches!(trusted, Trouble::Server { .. }), "a page is no repository: {trusted:?}");
    let named_otherwise = fetch(folder, "named", &format!("https://localhost:{port}/x"));
    assert!(matches!(named_otherwise, Trouble::CertificateRefused { .. }), "{named_otherwise:?}");
    let (_server, port) = serve(folder, "self");
    let stranger = fetch(folder, "stranger", &format!("https://127.0.0.1:{port}/x"));
    assert!(matches!(stranger, Trouble::CertificateRefused { .. }), "{stranger:?}");
    assert!(stranger.to_string().contains("With a private CA, configure its certificate file"));
}
