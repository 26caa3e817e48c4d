//! Kerberos with a real KDC (MIT) against the independent WinRM server.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;
#[path = "common/helper.rs"]
mod helper;
#[path = "common/server.rs"]
mod server;

use common::{Bed, Bench, MINUTE, bed, bed_by, powershell};
use drydock_model::time::{Millis, Timestamp};
use drydock_windows::SessionError;
use drydock_windows::auth::{Held, Instruments, Kerberos, Method, Refusal, Sealing, Security};
use drydock_windows::credential::{Field, Reference, Source};
use drydock_windows::doctor::{Doctor, Intent, Outcome};
use drydock_windows::http::Trust;
use drydock_windows::session::{Script, Target, Transport};
use expect_test::expect;
use helper::Helper;
use serde_json::{Map, json};
use server::{Server, python};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
    powershell()?;
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

fn later(from: Timestamp, millis: u64) -> Timestamp {
    Timestamp(from.0 + i64::try_from(millis).unwrap())
}

/// The wall's clock, and what a test adds to it.
struct Ahead(Arc<Bench>, AtomicU64);

impl Instruments for Ahead {
    fn now(&self) -> Timestamp {
        later(self.0.now(), self.1.load(Ordering::SeqCst))
    }
    fn dice(&self) -> u64 {
        self.0.dice()
    }
}

/// A group managed service account: what an administrator's program knows of it, and what it prints.
struct Managed {
    realm: Realm,
    clock: Arc<Ahead>,
}

const MANAGED: &str = "svc-drydock$";

impl Managed {
    fn new() -> Option<Managed> {
        let realm = realm(&["--managed", MANAGED])?;
        Some(Managed { realm, clock: Arc::new(Ahead(Bench::new(11), AtomicU64::new(0))) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.realm.folder.path().join(name)
    }

    /// The directory changes the password.
    fn change(&self) {
        Helper::tell(&self.realm.python, "kdc.py", &["managed", &self.realm.folder.path().to_string_lossy(), MANAGED]);
    }

    /// The program reads it, and prints from now on what is so many milliseconds away from its end.
    fn read(&self, lasts: u64) {
        fs::copy(self.path(&format!("{MANAGED}.keytab")), self.path("known.keytab")).unwrap();
        fs::write(self.path("expires"), later(self.clock.now(), lasts).to_string()).unwrap();
    }

    fn asked(&self) -> u64 {
        fs::metadata(self.path("asked")).map_or(0, |file| file.len())
    }

    fn bed(&self) -> Bed {
        let program = self.path("program");
        let text = "printf x >> \"$1/asked\"\n\
                    keys=$(base64 < \"$1/known.keytab\" | tr -d '\\n')\n\
                    printf '{\"username\": \"svc-drydock$@LAB.TEST\", \"keytab\": \"%s\", \"expires\": \"%s\"}' \"$keys\" \"$(cat \"$1/expires\")\"\n";
        fs::write(&program, text).unwrap();
        self.bed_of(vec![program.to_string_lossy().into_owned(), self.realm.folder.path().to_string_lossy().into_owned()], MINUTE)
    }

    fn bed_of(&self, arguments: Vec<String>, within: Duration) -> Bed {
        let source = Source::Command { program: "/bin/sh".into(), arguments, within };
        bed_by(self.clock.clone(), BTreeMap::from([("svc".to_owned(), Reference { user: None, source })]), |_| {})
    }

    async fn one(&self, bed: &Bed, target: &Target) -> Result<serde_json::Value, SessionError> {
        // A new session, so a new logon.
        bed.sessions.close(MINUTE).await;
        one(bed, target).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_account_logs_on_by_the_keytab_that_a_command_prints_and_a_changed_password_is_asked_for_anew() {
    let Some(managed) = Managed::new() else { return };
    let server = managed.realm.server(&[]);
    let sealed = target(server.port, Security::SealedHttp { method: managed.realm.method() });
    let bed = managed.bed();
    let day = Millis::minutes(24 * 60).0;
    managed.read(Millis::minutes(2).0);
    for _ in 0..2 {
        assert_eq!(managed.one(&bed, &sealed).await.unwrap(), json!(1));
    }
    assert_eq!((managed.asked(), server.counter("logons")), (1, 2), "what was printed serves until it expires");

    // The password changed when it was to change: the old one has expired, the new one is asked for, and nobody refuses anything.
    managed.change();
    managed.clock.1.store(Millis::seconds(100).0, Ordering::SeqCst);
    let late = managed.one(&bed, &sealed).await.unwrap_err();
    assert!(late.to_string().contains("expired"), "the program prints the old one still: {late}");
    managed.read(day);
    assert_eq!(managed.one(&bed, &sealed).await.unwrap(), json!(1));
    assert_eq!((managed.asked(), server.counter("logons"), server.counter("failedLogons")), (3, 3, 0));
    assert_eq!(bed.sessions.standings(), []);

    // It changed before that: one logon is refused, and the program is asked at once, though what it printed has not expired.
    managed.change();
    let refused = managed.one(&bed, &sealed).await.unwrap_err();
    assert!(matches!(&refused, SessionError::Authentication(Refusal::WrongSecret(_))), "{refused}");
    // As long as it prints what was refused, nothing of that is tried again, and it is asked once a minute.
    for _ in 0..3 {
        let held = managed.one(&bed, &sealed).await.unwrap_err();
        assert!(matches!(&held, SessionError::Authentication(Refusal::Held(Held::Until { .. } | Held::First { .. }))), "{held}");
    }
    assert_eq!(managed.asked(), 4);
    managed.read(day);
    managed.clock.1.fetch_add(Millis::seconds(61).0, Ordering::SeqCst);
    assert_eq!(managed.one(&bed, &sealed).await.unwrap(), json!(1));
    assert_eq!((managed.asked(), server.counter("logons"), server.counter("failedLogons")), (5, 4, 0));
    assert_eq!(bed.sessions.standings(), []);
    assert!(bed.sessions.close(MINUTE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_why_a_command_gave_no_credential() {
    let Some(managed) = Managed::new() else { return };
    let server = managed.realm.server(&[]);
    let sealed = target(server.port, Security::SealedHttp { method: managed.realm.method() });
    let mut text = String::new();
    for (script, within) in [
        ("echo canary >&2; exit 3", MINUTE),
        ("echo canary", MINUTE),
        ("echo '{\"username\": \"svc-drydock$@LAB.TEST\", \"keytab\": \"canary!\"}'", MINUTE),
        ("echo '{\"username\": \"svc-drydock$@LAB.TEST\", \"keytab\": \"Y2FuYXJ5\"}'", MINUTE),
        ("echo '{\"username\": \"svc-drydock$@LAB.TEST\", \"keytab\": \"Y2FuYXJ5\", \"expires\": \"2001-01-01T00:00:00Z\"}'", MINUTE),
        ("read line < /dev/zero", Duration::from_millis(50)),
    ] {
        let bed = managed.bed_of(vec!["-c".to_owned(), script.to_owned()], within);
        let doctor = Doctor::new(bed.sessions.clone(), managed.clock.clone(), Intent::Upgrade, Duration::from_secs(10));
        let walk = doctor.walk(&sealed).await;
        for taken in &walk.steps {
            if let Outcome::Stopped(finding) = &taken.outcome {
                text.push_str(&format!("{}: {} {}\n  -> {}\n", taken.step, finding.code, finding.what, finding.todo));
            }
        }
    }
    expect![[r#"
        authentication: DD0604 credential svc cannot be used: its command failed (exit status: 3)
          -> correct nodes.credentials in the controller's configuration, or what it names
        authentication: DD0604 credential svc cannot be used: its command does not print JSON as described (line 1)
          -> correct nodes.credentials in the controller's configuration, or what it names
        authentication: DD0604 credential svc cannot be used: its command prints a keytab that is not base64
          -> correct nodes.credentials in the controller's configuration, or what it names
        authentication: DD0604 credential svc cannot be used: it is no key table of format 2
          -> correct nodes.credentials in the controller's configuration, or what it names
        authentication: DD0604 credential svc cannot be used: it has expired
          -> correct nodes.credentials in the controller's configuration, or what it names
        authentication: DD0604 credential svc cannot be used: its command takes longer than 50ms
          -> correct nodes.credentials in the controller's configuration, or what it names
    "#]]
    .assert_eq(&text);
    assert!(!text.contains("canary") && server.counter("logons") == 0);
}
