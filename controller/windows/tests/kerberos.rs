//! Kerberos with a real KDC (MIT) against the independent WinRM server.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on shall stop, and says aloud what it leaves out")]

mod common;
#[path = "common/helper.rs"]
mod helper;
#[path = "common/server.rs"]
mod server;

use common::{Bed, MINUTE, bed, powershell};
use drydock_windows::SessionError;
use drydock_windows::auth::{Kerberos, Method, Refusal, Sealing, Security};
use drydock_windows::credential::{Field, Reference, Source};
use drydock_windows::http::Trust;
use drydock_windows::session::{Script, Target, Transport};
use helper::Helper;
use serde_json::{Map, json};
use server::{Server, python};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

const PASSWORD: &str = "P@ssw0rd canary";
const ONE: Script = Script { name: "one", source: "1" };

struct Realm {
    python: PathBuf,
    folder: tempfile::TempDir,
    kdc: Helper,
}

fn realm(more: &[&str]) -> Option<Realm> {
    let python = python()?;
    if powershell().is_none() {
        println!("LEFT OUT: there is no PowerShell here (DRYDOCK_PWSH, pwsh or powershell.exe)");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_string_lossy().into_owned();
    let kdc = Helper::start(&python, "kdc.py", &[&["run", &path, "--host", "localhost", "--user", "svc", PASSWORD][..], more].concat())?;
    Some(Realm { python, folder, kdc })
}

impl Realm {
    fn method(&self) -> Sealing {
        let kdcs = vec!["127.0.0.1:1".to_owned(), format!("127.0.0.1:{}", self.kdc.port())];
        Sealing::Kerberos(Kerberos { realm: "LAB.TEST".into(), kdcs, service_host: None, within: Duration::from_secs(5) })
    }

    fn server(&self, more: &[&str]) -> Server {
        let keytab = self.folder.path().join("node.keytab").to_string_lossy().into_owned();
        Server::start(&self.python, &[&["--auth", "kerberos", "--keytab", &keytab][..], more].concat())
    }

    fn state(&self, verb: &str, word: &str) {
        Helper::tell(&self.python, "kdc.py", &[verb, &self.folder.path().to_string_lossy(), "svc", word]);
    }
}

fn with_password(password: &str) -> Bed {
    let secrets = tempfile::tempdir().unwrap().keep();
    fs::write(secrets.join("password"), password).unwrap();
    let source = Source::File { path: secrets.join("password"), field: Field::Password };
    bed(BTreeMap::from([("svc".to_owned(), Reference { user: Some("svc@lab.test".into()), source })]), |_| {})
}

fn target(port: u16, security: Security) -> Target {
    Target {
        node: "NODE1".parse().unwrap(),
        address: "localhost".into(),
        transport: Transport::Winrm { port, security },
        credential: "svc".into(),
    }
}

async fn one(bed: &Bed, target: &Target) -> Result<serde_json::Value, SessionError> {
    bed.sessions.run(target, ONE, &[], Map::new(), MINUTE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_and_a_key_table_get_tickets_that_seal_messages_and_serve_over_tls() {
    let Some(realm) = realm(&[]) else { return };
    let server = realm.server(&[]);
    let sealed = target(server.port, Security::SealedHttp { method: realm.method() });
    let bed = with_password(PASSWORD);
    assert_eq!(one(&bed, &sealed).await.unwrap(), json!(1));
    let table = Source::File { path: realm.folder.path().join("svc.keytab"), field: Field::Keytab };
    let keyed = common::bed(BTreeMap::from([("svc".to_owned(), Reference { user: None, source: table })]), |_| {});
    assert_eq!(one(&keyed, &sealed).await.unwrap(), json!(1));
    assert!(keyed.sessions.close(MINUTE).await);
    assert_eq!((server.counter("logons"), server.counter("failedLogons"), server.counter("unsealedRefused")), (2, 0, 0));

    let over_tls = realm.server(&["--tls", "CERTS/node1.pem", "CERTS/node1.key"]);
    let trust = Trust::authorities(&fs::read(over_tls.certificate("ca.pem")).unwrap()).unwrap();
    let security = Security::Https { trust, method: Method::Bound(realm.method()) };
    assert_eq!(one(&bed, &target(over_tls.port, security)).await.unwrap(), json!(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_directory_says_what_is_wrong_with_an_account_and_is_not_asked_again() {
    let Some(realm) = realm(&["--lockout", "3"]) else { return };
    let server = realm.server(&[]);
    let target = target(server.port, Security::SealedHttp { method: realm.method() });
    let refusal = async |password: &str| {
        let bed = with_password(password);
        let error = one(&bed, &target).await.unwrap_err();
        assert!(!error.was_sent() && !format!("{error} {error:?}").contains("canary"), "{error}");
        // Nobody asks a second time.
        let again = one(&bed, &target).await.unwrap_err();
        assert!(matches!(again, SessionError::Authentication(Refusal::Held(_))), "{again}");
        let SessionError::Authentication(refusal) = error else { panic!("{error}") };
        refusal
    };
    let account = "svc@LAB.TEST".to_owned();
    assert_eq!(refusal("wrong canary").await, Refusal::WrongSecret(account.clone()));
    realm.state("state", "password-expired");
    assert_eq!(refusal(PASSWORD).await, Refusal::Expired(account.clone()));
    realm.state("state", "disabled");
    let disabled = refusal(PASSWORD).await;
    assert!(matches!(disabled, Refusal::Disabled(_) | Refusal::Locked(_)), "MIT's KDC does not tell them apart: {disabled}");
    realm.state("state", "ok");
    assert_eq!(one(&with_password(PASSWORD), &target).await.unwrap(), json!(1));
    for n in 0..3 {
        assert_eq!(refusal(&format!("wrong {n}")).await, Refusal::WrongSecret(account.clone()));
    }
    assert_eq!(refusal(PASSWORD).await, Refusal::Locked(account));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_the_directory_does_not_know_and_a_directory_that_is_down_blame_nobodys_secret() {
    let Some(realm) = realm(&[]) else { return };
    let server = realm.server(&[]);
    let bed = with_password(PASSWORD);
    let Sealing::Kerberos(mut settings) = realm.method() else { panic!() };
    settings.service_host = Some("elsewhere".into());
    let unknown = target(server.port, Security::SealedHttp { method: Sealing::Kerberos(settings.clone()) });
    let error = one(&bed, &unknown).await.unwrap_err();
    assert_eq!(error, SessionError::Authentication(Refusal::UnknownService("HTTP/elsewhere".into())));
    settings.kdcs.truncate(1);
    let down = target(server.port, Security::SealedHttp { method: Sealing::Kerberos(settings) });
    let error = one(&bed, &down).await.unwrap_err();
    assert!(matches!(&error, SessionError::Authentication(Refusal::Directory(_))), "{error}");
    assert_eq!(bed.sessions.standings(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_cache_gets_tickets_until_its_own_ends() {
    let Some(realm) = realm(&[]) else { return };
    let server = realm.server(&[]);
    let sealed = target(server.port, Security::SealedHttp { method: realm.method() });
    let folder = realm.folder.path();
    let make = |name: &str, lifetime: &[&str]| {
        let cache = folder.join(name);
        let (home, path) = (folder.to_string_lossy(), cache.to_string_lossy().into_owned());
        let words = [&["ticket", &*home, "svc", PASSWORD, &path][..], lifetime].concat();
        Helper::tell(&realm.python, "kdc.py", &words);
        let source = Source::File { path: cache, field: Field::Cache };
        bed(BTreeMap::from([("svc".to_owned(), Reference { user: None, source })]), |_| {})
    };
    let bed = make("cache", &[]);
    assert_eq!(one(&bed, &sealed).await.unwrap(), json!(1));
    assert_eq!((server.counter("logons"), server.counter("failedLogons")), (1, 0));
    // The shortest life that MIT's directory gives.
    let short = make("short", &["--lifetime", "1s"]);
    let deadline = tokio::time::Instant::now() + MINUTE;
    loop {
        short.sessions.close(MINUTE).await;
        match one(&short, &sealed).await {
            Ok(_) => assert!(tokio::time::Instant::now() < deadline),
            Err(error) => {
                assert!(error.to_string().contains("kinit") || error.to_string().contains("expired"), "{error}");
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_differ_are_told_as_such() {
    let Some(realm) = realm(&["--clock", "+900"]) else { return };
    let server = realm.server(&[]);
    let bed = with_password(PASSWORD);
    let error = one(&bed, &target(server.port, Security::SealedHttp { method: realm.method() })).await.unwrap_err();
    assert_eq!(error, SessionError::Authentication(Refusal::ClockSkew));
    assert_eq!(bed.sessions.standings(), []);
}
