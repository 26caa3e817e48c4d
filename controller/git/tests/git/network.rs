//! Pushing and fetching over a network: a real `git daemon` on this machine, and small servers that behave badly.

use crate::git::stage::{Stage, at, commit, commits, status};
use drydock_git::{Access, Dropped, Head, Mirror, Outbox, Proxy, Pushed, Refusal, Remote, Sent, TokenFrom, Trouble, Wire};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// `git daemon` over the stage's folder; it ends with the test.
struct Daemon {
    child: Child,
    port: u16,
}

impl Daemon {
    fn start(stage: &Stage) -> Self {
        // A port that was free a moment ago may be taken by another test: then the daemon ends, and another is tried.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
            // Itself and not by way of `git daemon`, which would leave it running when it is ended.
            let program = stage.git(&stage.path(""), &["--exec-path"]).trim().to_owned() + "/git-daemon";
            let mut child = std::process::Command::new(program)
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .env("GIT_CONFIG_NOSYSTEM", "1")
                .args(["--verbose", "--reuseaddr", "--listen=127.0.0.1", "--export-all", "--enable=receive-pack"])
                .arg(format!("--port={port}"))
                .arg(format!("--base-path={}", stage.path("").display()))
                .stderr(Stdio::piped())
                .spawn()
                .expect("git runs");
            let mut lines = BufReader::new(child.stderr.take().expect("piped"));
            let mut line = String::new();
            lines.read_line(&mut line).expect("read");
            if line.contains("Ready to rumble") {
                // Its later lines are read, so that it never stands still on a full pipe.
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return Self { child, port };
            }
            child.kill().ok();
            child.wait().expect("ended");
        }
        panic!("git daemon did not start");
    }

    fn mirror(&self, stage: &Stage, name: &str) -> Mirror {
        Mirror::open(&stage.path(name), Remote::parse(&format!("git://127.0.0.1:{}/fleet.git", self.port)).expect("remote"))
            .expect("mirror")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn over_a_network_a_push_lands_only_on_what_it_expects() {
    let stage = Stage::new();
    let daemon = Daemon::start(&stage);
    let mut mirror = daemon.mirror(&stage, "state");
    assert_eq!(mirror.fetch(&[status()]).expect("fetched").of(&status()), Head::Absent);
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2"), ("a", "3")]);
    assert!(matches!(mirror.push(&status(), Some(all[0]), all[1]), Pushed::Rejected { now: Some(Head::Absent), why: Refusal::Moved }));
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::Landed));
    assert!(matches!(mirror.push(&status(), None, all[1]), Pushed::Rejected { now: Some(Head::At(_)), why: Refusal::Moved }));
    assert!(matches!(mirror.push(&status(), Some(all[0]), all[2]), Pushed::Landed));
    assert!(matches!(mirror.push(&status(), Some(all[0]), all[2]), Pushed::Landed), "it is there already");
    assert!(matches!(mirror.push(&status(), Some(all[2]), all[1]), Pushed::NotSent(Trouble::NotADescendant { .. })));
    assert_eq!(stage.head(&status()), Some(all[2]));
    assert_eq!(mirror.fetch(&[status()]).expect("fetched").of(&status()), at(all[2]));
}

#[test]
fn the_words_of_a_servers_hook_reach_the_caller() {
    let stage = Stage::new();
    let daemon = Daemon::start(&stage);
    let mirror = daemon.mirror(&stage, "state");
    let head = commit(&mirror, None, "a", "1");
    stage.hook("pre-receive", "echo 'this branch is protected' >&2; exit 1");
    match mirror.push(&status(), None, head) {
        Pushed::Rejected { now: Some(Head::Absent), why: Refusal::Server { said } } => {
            assert!(said.contains("pre-receive hook declined") && said.contains("this branch is protected"), "{said}");
        }
        other => panic!("{other:?}"),
    }
    stage.hook("pre-receive", "exit 0");
    stage.hook("update", "echo 'not this one' >&2; exit 1");
    match mirror.push(&status(), None, head) {
        Pushed::Rejected { why: Refusal::Server { said }, .. } => assert!(said.contains("not this one"), "{said}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.head(&status()), None);
}

#[test]
fn a_writer_who_was_faster_during_the_push_is_seen_as_such() {
    let stage = Stage::new();
    let daemon = Daemon::start(&stage);
    let mirror = daemon.mirror(&stage, "state");
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2")]);
    let sideways = commit(&mirror, Some(all[0]), "b", "1");
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::Landed));
    let side = drydock_git::RefName::branch("side").expect("a name");
    assert!(matches!(mirror.push(&side, None, sideways), Pushed::Landed));
    // While the server looks at our push, somebody else moves the branch.
    stage.hook("pre-receive", &format!("unset GIT_QUARANTINE_PATH; exec git update-ref {} {sideways}", status().full()));
    match mirror.push(&status(), Some(all[0]), all[1]) {
        Pushed::Rejected { now: Some(Head::At(now)), why: Refusal::Moved } => assert_eq!(now, sideways),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.head(&status()), Some(sideways));
}

#[test]
fn four_writers_over_a_network_lose_nothing() {
    let stage = Stage::new();
    let daemon = Daemon::start(&stage);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (stage, daemon) = (&stage, &daemon);
            scope.spawn(move || {
                let mut mirror = daemon.mirror(stage, &format!("writer{writer}"));
                for number in 0..5 {
                    let landed = (0..200).any(|_| {
                        let base = mirror.fetch(&[status()]).expect("fetched").of(&status()).oid();
                        let new = commit(&mirror, base, &format!("w{writer}/{number}"), "x");
                        match mirror.push(&status(), base, new) {
                            Pushed::Landed => true,
                            // Git's own lock on the branch shows as a refusal while the branch is still what it was.
                            Pushed::Rejected { why: Refusal::Moved | Refusal::Server { .. }, .. } => false,
                            other => panic!("{other:?}"),
                        }
                    });
                    assert!(landed);
                }
            });
        }
    });
    assert_eq!(stage.git(&stage.remote(), &["rev-list", "--count", status().full()]).trim(), "20");
    assert_eq!(stage.git(&stage.remote(), &["ls-tree", "-r", "--name-only", status().full()]).lines().count(), 20);
}

struct LoseOneAnswer(AtomicU32);

impl Wire for LoseOneAnswer {
    fn answer(&self) -> Result<(), Dropped> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 { Err(Dropped("answer")) } else { Ok(()) }
    }
}

#[test]
fn a_lost_answer_over_a_network_is_found_there() {
    let stage = Stage::new();
    let daemon = Daemon::start(&stage);
    let mut mirror = daemon.mirror(&stage, "state");
    mirror.fetch(&[status()]).expect("fetched");
    let mut outbox = Outbox::restore(&mirror, &status()).expect("restored");
    let mut group = outbox.begin(&mirror).expect("begun");
    let made = group.add(&crate::git::stage::draft(vec![crate::git::stage::put("a", "1")]), &crate::git::stage::key()).expect("made");
    outbox.append(&mirror, group).expect("kept");
    mirror.set_wire(Arc::new(LoseOneAnswer(AtomicU32::new(0))));
    assert!(matches!(outbox.send(&mut mirror), Sent::Unknown(_)));
    assert!(matches!(outbox.send(&mut mirror), Sent::Confirmed));
    assert_eq!(stage.head(&status()), Some(made));
}

#[test]
fn a_server_that_is_gone_is_unreachable_and_nothing_was_sent() {
    let stage = Stage::new();
    let daemon = Daemon::start(&stage);
    let mut mirror = daemon.mirror(&stage, "state");
    let head = commit(&mirror, None, "a", "1");
    drop(daemon);
    let fetched = mirror.fetch(&[status()]);
    assert!(matches!(fetched, Err(Trouble::Unreachable { .. })), "{fetched:?}");
    let pushed = mirror.push(&status(), None, head);
    assert!(matches!(pushed, Pushed::NotSent(Trouble::Unreachable { .. })), "{pushed:?}");
}

/// Between us and a real server: passes everything on until the server has answered the push, then cuts.
#[test]
fn a_line_cut_after_the_pack_was_sent_leaves_the_fate_unknown() {
    let stage = Stage::new();
    let daemon = Daemon::start(&stage);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let to = daemon.port;
    // The hook tells that the server has the whole push; only then the line is cut, so that it surely lands.
    let fifo = stage.path("arrived");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo runs").success());
    stage.hook("post-receive", &format!("echo landed > {}", fifo.display()));
    let cutter = std::thread::spawn(move || {
        let (client, _) = listener.accept().expect("a client");
        let server = TcpStream::connect(("127.0.0.1", to)).expect("the server");
        let (mut from_client, mut to_server) = (client.try_clone().expect("cloned"), server.try_clone().expect("cloned"));
        std::thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
        let (mut from_server, mut to_client) = (server.try_clone().expect("cloned"), client.try_clone().expect("cloned"));
        // What the server has comes first and ends with a line of length zero; its answer to the push is never passed on.
        let mut length = [0; 4];
        while length != *b"0000" {
            from_server.read_exact(&mut length).expect("read");
            let size = usize::from_str_radix(std::str::from_utf8(&length).expect("digits"), 16).expect("a length");
            let mut line = vec![0; size.saturating_sub(4)];
            from_server.read_exact(&mut line).expect("read");
            to_client.write_all(&[&length, line.as_slice()].concat()).expect("written");
        }
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || tell.send(std::fs::read_to_string(fifo)));
        told.recv_timeout(std::time::Duration::from_secs(50)).expect("the push arrived").expect("read");
        client.shutdown(std::net::Shutdown::Both).expect("cut");
        server.shutdown(std::net::Shutdown::Both).ok();
    });
    let mirror =
        Mirror::open(&stage.path("state"), Remote::parse(&format!("git://127.0.0.1:{port}/fleet.git")).expect("remote")).expect("mirror");
    let head = commit(&mirror, None, "a", "1");
    let pushed = mirror.push(&status(), None, head);
    assert!(matches!(pushed, Pushed::Unknown(_)), "{pushed:?}");
    cutter.join().expect("no panic");
    assert_eq!(stage.head(&status()), Some(head), "it landed all the same");
}

/// An HTTP server that answers everything in one way, and tells what it was asked.
fn answering(answer: &'static str) -> (u16, std::sync::mpsc::Receiver<String>) {
    answering_at("127.0.0.1", answer)
}

fn answering_at(address: &str, answer: &'static str) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind((address, 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let tell = tell.clone();
            std::thread::spawn(move || {
                let mut lines = BufReader::new(client.try_clone().expect("cloned"));
                let mut to = client;
                loop {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if lines.read_line(&mut head).unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    tell.send(head).ok();
                    if to.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, told)
}

const UNAUTHORISED: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"forge\"\r\nContent-Length: 0\r\n\r\n";

fn by_http(stage: &Stage, port: u16, access: Access) -> Trouble {
    let remote = Remote::parse(&format!("http://127.0.0.1:{port}/fleet.git")).expect("remote").with_access(access);
    Mirror::open(&stage.path("state"), remote).expect("mirror").fetch(&[status()]).expect_err("refused")
}

/// The error and everything behind it, as a careless log would print it.
fn all_of(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(" {source} {source:?}"));
        next = source.source();
    }
    text
}

#[test]
fn a_token_that_is_refused_is_named_but_not_shown_and_shown_once_only() {
    let stage = Stage::new();
    std::fs::write(stage.path("token"), "CANARY\n").expect("written");
    let (port, told) = answering(UNAUTHORISED);
    let access =
        Access { token: Some(TokenFrom::File(stage.path("token"))), user: Some("robot".into()), proxy: Proxy::None, ..Access::default() };
    assert!(!format!("{access:?}").contains("CANARY"));
    let trouble = by_http(&stage, port, access);
    assert!(matches!(trouble, Trouble::CredentialRefused { .. }), "{trouble:?}");
    let said = all_of(&trouble);
    // Also not in the form in which it went over the line: base64 of robot:CANARY.
    assert!(!said.contains("CANARY") && !said.contains("cm9ib3Q6Q0FOQVJZ"), "{said}");
    assert!(said.contains("the token in") && said.contains("check that it is current"), "{said}");
    let with_token = told.try_iter().filter(|head| head.contains("cm9ib3Q6Q0FOQVJZ")).count();
    assert_eq!(with_token, 1, "an account is not locked by our own repetition");
}

#[test]
fn a_missing_token_says_what_to_configure() {
    let stage = Stage::new();
    let (port, _told) = answering(UNAUTHORISED);
    let said = |token: Option<TokenFrom>| by_http(&stage, port, Access { token, proxy: Proxy::None, ..Access::default() }).to_string();
    assert!(said(None).contains("configure a token file or an environment variable"));
    assert!(said(Some(TokenFrom::File(stage.path("nowhere")))).contains("cannot be read"));
    assert!(said(Some(TokenFrom::Env("DRYDOCK_TEST_NO_SUCH_VARIABLE".into()))).contains("DRYDOCK_TEST_NO_SUCH_VARIABLE, which is not set"));
    std::fs::write(stage.path("empty"), "\n").expect("written");
    assert!(said(Some(TokenFrom::File(stage.path("empty")))).contains("holds no token"));
}

#[test]
fn what_a_server_says_is_sorted() {
    let stage = Stage::new();
    let (port, _told) = answering("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(by_http(&stage, port, Access { proxy: Proxy::None, ..Access::default() }), Trouble::NoSuchRepository { .. }));
    let (port, _told) = answering("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    assert!(matches!(by_http(&stage, port, Access { proxy: Proxy::None, ..Access::default() }), Trouble::Server { .. }));
    let (port, _told) = answering("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello");
    let odd = by_http(&stage, port, Access { proxy: Proxy::None, ..Access::default() });
    assert!(matches!(odd, Trouble::Server { .. } | Trouble::Unreachable { .. }), "{odd:?}");
}

#[test]
fn a_redirect_does_not_carry_us_to_another_host() {
    let stage = Stage::new();
    let (port, told) = answering_at("127.0.0.2", UNAUTHORISED);
    let place: &'static str = Box::leak(format!("HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.2:{port}/fleet.git/info/refs?service=git-upload-pack\r\nContent-Length: 0\r\n\r\n").into_boxed_str());
    let (first, _told) = answering(place);
    std::fs::write(stage.path("token"), "CANARY\n").expect("written");
    let access = Access { token: Some(TokenFrom::File(stage.path("token"))), proxy: Proxy::None, ..Access::default() };
    let trouble = by_http(&stage, first, access);
    assert!(told.try_recv().is_err(), "nobody there was asked anything: {trouble:?}");
}

#[test]
fn a_proxy_is_used_and_its_password_is_not_shown() {
    let stage = Stage::new();
    let (proxy, told) = answering("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
    let access = Access { proxy: Proxy::Url(format!("http://user:CANARY@127.0.0.1:{proxy}")), ..Access::default() };
    assert!(!format!("{access:?}").contains("CANARY"), "{access:?}");
    // This name leads nowhere: only the proxy could resolve it.
    let remote = Remote::parse("https://forge.invalid/fleet.git").expect("remote").with_access(access);
    let trouble = Mirror::open(&stage.path("by proxy"), remote).expect("mirror").fetch(&[status()]).expect_err("refused");
    let asked = told.recv_timeout(std::time::Duration::from_secs(20)).expect("the proxy was asked");
    assert!(asked.starts_with("CONNECT forge.invalid:443"), "{asked}");
    assert!(!all_of(&trouble).contains("CANARY"), "{trouble:?}");
    for broken in ["http://user:CANARY@", "user:CANARY@127.0.0.1", "ftp://user:CANARY@127.0.0.1:1", "http://user:CANARY@127.0.0.1:notaport"]
    {
        let access = Access { proxy: Proxy::Url(broken.into()), ..Access::default() };
        assert!(!format!("{access:?}").contains("CANARY"), "{access:?}");
        let trouble = by_http(&stage, 1, access);
        assert!(!all_of(&trouble).contains("CANARY"), "{trouble:?}");
    }
}
