//! WinRM against an independent server (Python, pyspnego) that runs real PowerShell.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on shall stop, and says aloud what it leaves out")]

mod common;
#[path = "common/server.rs"]
mod server;

use common::{Bed, MINUTE, bed, powershell};
use drydock_windows::SessionError;
use drydock_windows::auth::{Method, Refusal, Sealing, Security};
use drydock_windows::credential::{Reference, Source};
use drydock_windows::http::Trust;
use drydock_windows::scripts::LIBRARIES;
use drydock_windows::session::{Script, Target, Transport};
use serde_json::{Map, Value, json};
use server::{Server, python};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn environment() -> Option<PathBuf> {
    powershell()?;
    python()
}

fn with_password(user: &str, password: &str) -> Bed {
    let secrets = tempfile::tempdir().unwrap().keep();
    fs::write(secrets.join("username"), user).unwrap();
    fs::write(secrets.join("password"), password).unwrap();
    let reference = Reference { user: None, source: Source::Directory(secrets) };
    bed(BTreeMap::from([("svc".to_owned(), reference)]), |_| {})
}

fn with_certificate(server: &Server) -> Bed {
    let secrets = tempfile::tempdir().unwrap().keep();
    fs::copy(server.certificate("client.pem"), secrets.join("tls.crt")).unwrap();
    fs::copy(server.certificate("client.key"), secrets.join("tls.key")).unwrap();
    let reference = Reference { user: None, source: Source::Directory(secrets) };
    bed(BTreeMap::from([("svc".to_owned(), reference)]), |_| {})
}

fn target(port: u16, security: Security) -> Target {
    Target {
        node: "NODE1".parse().unwrap(),
        address: "127.0.0.1".into(),
        transport: Transport::Winrm { port, security },
        credential: "svc".into(),
    }
}

fn sealed() -> Security {
    Security::SealedHttp { method: Sealing::Ntlm }
}

fn trust(server: &Server) -> Trust {
    Trust::authorities(&fs::read(server.certificate("ca.pem")).unwrap()).unwrap()
}

const PASSWORD: &str = "P@ss w\u{f6}rd canary";
const TLS: [&str; 5] = ["--tls", "CERTS/node1.pem", "CERTS/node1.key", "--client-authority", "CERTS/ca.pem"];
const ONE: Script = Script { name: "one", source: "[CmdletBinding()]param([string]$Text) @{ text = $Text }" };

async fn echo(bed: &Bed, target: &Target, text: &str) -> Result<Value, SessionError> {
    let arguments = Map::from_iter([("Text".to_owned(), Value::from(text))]);
    bed.sessions.run(target, ONE, LIBRARIES, arguments, MINUTE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ntlm_seals_every_message_over_plain_http_and_nothing_is_left_behind() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &["--auth", "ntlm"]);
    let bed = with_password("LAB\\svc", PASSWORD);
    let target = target(server.port, sealed());
    for text in ["a", "\u{e9}", &"x".repeat(300_000)] {
        assert_eq!(echo(&bed, &target, text).await.unwrap(), json!({ "text": text }));
    }
    assert_eq!(server.counter("logons"), 1, "one logon for all");
    assert_eq!(server.counter("shellsOpen"), 1);
    assert!(bed.sessions.close(MINUTE).await);
    assert_eq!((server.counter("shellsOpen"), server.counter("unsealedRefused")), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn ntlm_over_tls_is_bound_to_the_channel() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &[&["--auth", "ntlm"][..], &TLS].concat());
    server.switch(&json!({ "channelBindings": "strict" }));
    let bed = with_password("LAB\\svc", PASSWORD);
    let security = Security::Https { trust: trust(&server), method: Method::Bound(Sealing::Ntlm) };
    assert_eq!(echo(&bed, &target(server.port, security), "a").await.unwrap(), json!({ "text": "a" }));
    assert_eq!(server.counter("failedLogons"), 0);
    assert!(bed.sessions.close(MINUTE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_goes_over_validated_tls() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &[&["--auth", "basic"][..], &TLS].concat());
    let bed = with_password("local", "l");
    let security = Security::Https { trust: trust(&server), method: Method::Basic };
    assert_eq!(echo(&bed, &target(server.port, security), "a").await.unwrap(), json!({ "text": "a" }));
    assert!(bed.sessions.close(MINUTE).await);
    assert_eq!(server.counter("shellsOpen"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_while_a_session_of_basic_is_open_fails_once_and_is_then_held_back() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &[&["--auth", "basic"][..], &TLS].concat());
    let bed = with_password("local", "l");
    let security = Security::Https { trust: trust(&server), method: Method::Basic };
    let target = target(server.port, security);
    echo(&bed, &target, "a").await.unwrap();
    server.users(&json!({ "users": [{ "name": "local", "password": "changed" }] }));
    for _ in 0..3 {
        let error = echo(&bed, &target, "a").await.unwrap_err();
        assert!(matches!(&error, SessionError::Authentication(Refusal::Rejected(_) | Refusal::Held(_))), "{error}");
    }
    assert_eq!(server.counter("failedLogons"), 1, "the session's own message, and no logon behind it");
    assert_eq!(bed.sessions.standings().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_logs_on() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &[&["--auth", "certificate"][..], &TLS].concat());
    let bed = with_certificate(&server);
    let security = Security::Https { trust: trust(&server), method: Method::Certificate };
    assert_eq!(echo(&bed, &target(server.port, security), "a").await.unwrap(), json!({ "text": "a" }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_ask_for_the_certificate_in_the_handshake_is_told_with_what_to_do_there() {
    let Some(python) = environment() else { return };
    // Without an authority for clients it asks for no certificate, as a binding of http.sys does not.
    let server = Server::start(&python, &[&["--auth", "certificate"][..], &TLS[..3]].concat());
    let bed = with_certificate(&server);
    let target = target(server.port, Security::Https { trust: trust(&server), method: Method::Certificate });
    let error = echo(&bed, &target, "a").await.unwrap_err();
    assert_eq!((error.code(), matches!(&error, SessionError::Authentication(Refusal::CertificateRefused))), ("DD0604", true), "{error}");
    assert!(error.to_string().contains("clientcertnegotiation"), "{error}");
    assert_eq!(bed.sessions.standings(), [], "no secret was judged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_at_the_first_message_of_a_certificates_logon_is_told_with_where_to_look() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &[&["--auth", "certificate"][..], &TLS].concat());
    // As one that begins a second handshake then, which our TLS does not do.
    server.switch(&json!({ "faults": [{ "do": "cut-before", "action": "Identify" }] }));
    let bed = with_certificate(&server);
    let security = Security::Https { trust: trust(&server), method: Method::Certificate };
    let error = echo(&bed, &target(server.port, security), "a").await.unwrap_err();
    assert_eq!(error.code(), "DD0601", "{error}");
    assert!(error.to_string().contains("DD0604"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_and_then_held_back() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &["--auth", "ntlm"]);
    let bed = with_password("LAB\\svc", "wrong canary");
    let target = target(server.port, sealed());
    let error = echo(&bed, &target, "a").await.unwrap_err();
    assert!(matches!(&error, SessionError::Authentication(Refusal::Rejected(_))), "{error}");
    for _ in 0..5 {
        let error = echo(&bed, &target, "a").await.unwrap_err();
        assert!(matches!(&error, SessionError::Authentication(Refusal::Held(_))), "{error}");
        assert!(!error.was_sent() && !format!("{error} {error:?}").contains("canary"));
    }
    assert_eq!(server.counter("failedLogons"), 1);
    assert_eq!(bed.sessions.standings().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_is_told_from_one_that_cannot_log_on() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &["--auth", "ntlm"]);
    let bed = with_password("LAB\\reader", "r");
    let error = echo(&bed, &target(server.port, sealed()), "a").await.unwrap_err();
    assert!(matches!(&error, SessionError::AccessDenied(_)) && !error.was_sent(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_told_apart() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &[&["--auth", "basic"][..], &TLS].concat());
    let bed = with_password("local", "l");
    let fingerprints: Value = serde_json::from_slice(&fs::read(server.certificate("fingerprints.json")).unwrap()).unwrap();
    let mut seen = Vec::new();
    for name in ["expired", "not-yet", "other-name", "self-signed", "other-authority"] {
        let at = |ending: &str| server.certificate(&format!("{name}.{ending}"));
        server.switch(&json!({ "certificate": { "chain": at("pem"), "key": at("key") } }));
        let security = Security::Https { trust: trust(&server), method: Method::Basic };
        let error = echo(&bed, &target(server.port, security), "a").await.unwrap_err();
        assert_eq!(error.code(), "DD0603", "{error}");
        seen.push(format!("{name}: {}", error.to_string().split(';').next().unwrap()));
    }
    expect_test::expect![[r#"
        expired: the certificate has expired, or the controller's clock is wrong
        not-yet: the certificate is not valid yet, or the controller's clock is wrong
        other-name: the certificate is for another name than 127.0.0.1
        self-signed: the certificate was signed by no authority that is trusted here
        other-authority: the certificate was signed by no authority that is trusted here"#]]
    .assert_eq(&seen.join("\n"));
    let pin = |name: &str| -> Trust { Trust::Pinned(fingerprints[name].as_str().unwrap().parse().unwrap()) };
    let pinned = |name: &str| target(server.port, Security::Https { trust: pin(name), method: Method::Basic });
    assert!(echo(&bed, &pinned("other-authority"), "a").await.is_ok(), "the pinned one needs no authority");
    let error = echo(&bed, &pinned("node1"), "a").await.unwrap_err();
    assert!(error.to_string().contains("not the pinned one"), "{error}");
}

/// What a fault does to a request over a session that is open, and what an operator is told.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_connection_does_it_is_known_whether_the_script_may_have_run() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &["--auth", "ntlm"]);
    let bed = with_password("LAB\\svc", PASSWORD);
    let target = target(server.port, sealed());
    let mut seen = Vec::new();
    for (action, fault) in [
        ("Send", "cut-before"),
        ("Send", "cut-after"),
        ("Send", "lose-shells"),
        ("Send", "silence"),
        ("Send", "fault"),
        ("Send", "other fault"),
        ("Receive", "cut-before"),
        ("Receive", "half"),
        ("Receive", "garbage"),
        ("Receive", "garbage-head"),
        ("Receive", "endless-head"),
        ("Receive", "huge"),
        ("Receive", "unsealed"),
        ("Receive", "lose-shells"),
        ("Receive", "status"),
    ] {
        assert!(echo(&bed, &target, "before").await.is_ok(), "{action} {fault}");
        // A quota is refused before anything is done; an aborted operation may have been done.
        let (rule, code) = if fault == "other fault" { ("fault", 2_147_943_395_u32) } else { (fault, 2_150_859_174) };
        server.switch(&json!({ "faults": [{ "do": rule, "action": action, "times": 1, "code": code, "status": 503 }] }));
        let arguments = Map::from_iter([("Text".to_owned(), Value::from("during"))]);
        let within = if fault == "silence" { Duration::from_secs(3) } else { MINUTE };
        let result = bed.sessions.run(&target, ONE, LIBRARIES, arguments, within).await;
        server.switch(&json!({}));
        let told = match &result {
            Ok(_) => "sent once more over a new session".to_owned(),
            Err(error) => {
                format!("{} sent={} {}", error.code(), error.was_sent(), error.to_string().chars().take(70).collect::<String>().trim_end())
            }
        };
        seen.push(format!("{action} {fault}: {told}"));
    }
    expect_test::expect![[r#"
        Send cut-before: DD0609 sent=true the answer was lost: the connection broke before the answer was comple
        Send cut-after: DD0609 sent=true the answer was lost: the connection broke before the answer was comple
        Send lose-shells: sent once more over a new session
        Send silence: DD0609 sent=true the answer was lost: the request could not be written in time; the scr
        Send fault: sent once more over a new session
        Send other fault: DD0609 sent=true the answer was lost: the node would not run the script: A fault that a
        Receive cut-before: DD0609 sent=true the answer was lost: the connection broke before the answer was comple
        Receive half: DD0609 sent=true the answer was lost: the connection ended in the middle of an answer;
        Receive garbage: DD0610 sent=true the answer cannot be understood: the message is not framed as multipar
        Receive garbage-head: DD0610 sent=true the answer cannot be understood: this is not an HTTP server: it does n
        Receive endless-head: DD0610 sent=true the answer cannot be understood: the headers of the answer are longer
        Receive huge: DD0610 sent=true the answer cannot be understood: the answer is larger than 1048576 byt
        Receive unsealed: DD0610 sent=true the answer cannot be understood: a plain answer (HTTP 200) to a sealed
        Receive lose-shells: DD0609 sent=true the answer was lost: the shell is gone: The request for the Windows Re
        Receive status: DD0610 sent=true the answer cannot be understood: a plain answer (HTTP 503) to a sealed"#]]
    .assert_eq(&seen.join("\n"));
    assert!(bed.sessions.close(MINUTE).await);
    assert_eq!(server.counter("shellsOpen"), 0, "stuck connections' shells were removed over new ones");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_before_a_session_is_open_was_never_sent() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &["--auth", "ntlm"]);
    let bed = with_password("LAB\\svc", PASSWORD);
    let mut seen = Vec::new();
    for (name, switches) in [
        ("quota", json!({ "quotas": { "maxShellsPerUser": 0 } })),
        ("access", json!({ "faults": [{ "do": "fault", "action": "Create", "code": 5 }] })),
        ("cut", json!({ "faults": [{ "do": "cut-before", "action": "Create" }] })),
        ("command refused", json!({ "faults": [{ "do": "fault", "action": "Command", "code": 2_147_942_402_u32 }] })),
        ("garbage", json!({ "faults": [{ "do": "garbage", "action": "Create" }] })),
        ("closed port", json!({ "listen": "refuse" })),
    ] {
        server.switch(&switches);
        let target = target(server.port, sealed());
        let mut error = echo(&bed, &target, "a").await.unwrap_err();
        // The server looks at its switches now and then.
        while name == "closed port" && !error.to_string().contains("refuses") {
            error = echo(&bed, &target, "a").await.unwrap_err();
        }
        assert!(!error.was_sent(), "{name}: {error}");
        let words = error.to_string().replace(&server.port.to_string(), "PORT");
        seen.push(format!("{name}: {} {}", error.code(), words.chars().take(70).collect::<String>().trim_end()));
    }
    expect_test::expect![[r#"
        quota: DD0606 a limit of the node is reached: The WS-Management service cannot proce
        access: DD0605 access denied: A fault that a test asked for: 5. (fault InternalError,
        cut: DD0601 the connection broke before the answer was complete: the node closed i
        command refused: DD0607 the node would not run the script: A fault that a test asked for: 2147
        garbage: DD0610 the answer cannot be understood: the message is not framed as multipar
        closed port: DD0601 127.0.0.1:PORT refuses connections on this port; check that the node i"#]]
    .assert_eq(&seen.join("\n"));
    let mut elsewhere = target(server.port, sealed());
    elsewhere.address = "no-such-host.invalid".into();
    assert_eq!(echo(&bed, &elsewhere, "a").await.unwrap_err().code(), "DD0602");
    assert!(bed.sessions.close(MINUTE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_one_node_share_one_session_and_a_caller_that_gives_up_breaks_nothing() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &["--auth", "ntlm"]);
    let bed = Arc::new(with_password("LAB\\svc", PASSWORD));
    let target = target(server.port, sealed());
    let mut all = tokio::task::JoinSet::new();
    for n in 0..12 {
        let (bed, target) = (bed.clone(), target.clone());
        all.spawn(async move {
            let asking = echo(&bed, &target, "a");
            if n % 3 == 0 {
                tokio::time::timeout(Duration::from_millis(n * 20), asking).await.map(|r| r.is_ok()).unwrap_or(true)
            } else {
                asking.await.is_ok()
            }
        });
    }
    while let Some(fine) = all.join_next().await {
        assert!(fine.unwrap());
    }
    assert!(echo(&bed, &target, "a").await.is_ok());
    assert!(bed.sessions.close(MINUTE).await);
    assert!(server.counter("shellsMost") <= 2, "{}", server.counters());
    assert_eq!(server.counter("shellsOpen"), 0);
}

#[test]
fn what_a_killed_controller_left_on_a_node_is_swept_by_the_next_one() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &["--auth", "ntlm"]);
    let target = target(server.port, sealed());
    let left = with_password("LAB\\svc", PASSWORD);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async { echo(&left, &target, "a").await.unwrap() });
    // As a kill does: no task gets to say goodbye.
    runtime.shutdown_background();
    assert_eq!(server.counter("shellsOpen"), 1);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let next = with_password("LAB\\svc", PASSWORD);
    runtime.block_on(async {
        echo(&next, &target, "a").await.unwrap();
        assert_eq!((server.counter("shellsOpen"), server.counter("shellsDeleted")), (1, 1));
        assert!(next.sessions.close(MINUTE).await);
    });
    assert_eq!(server.counter("shellsOpen"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_probes_take_one_logon_and_leave_no_shell() {
    let Some(python) = environment() else { return };
    let server = Server::start(&python, &["--auth", "ntlm"]);
    let bed = with_password("LAB\\svc", PASSWORD);
    let target = target(server.port, sealed());
    echo(&bed, &target, "a").await.unwrap();
    let began = tokio::time::Instant::now();
    for _ in 0..1_000 {
        echo(&bed, &target, "a").await.unwrap();
    }
    println!("a thousand scripts over one session: {:?}", began.elapsed());
    assert!(bed.sessions.close(MINUTE).await);
    assert_eq!((server.counter("logons"), server.counter("shellsMost"), server.counter("shellsOpen")), (1, 1, 0));
}
