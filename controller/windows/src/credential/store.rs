//! All credentials of a controller: read when needed, read again when their files change, forgotten when they expire.

use super::{Credential, Field, Reference, SIZE, Source, command, unavailable};
use crate::auth::{Instruments, Refusal};
use crate::secret::Secret;
use drydock_model::time::{Millis, Timestamp};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroizing;

/// Files are read again after this time also where nothing tells of a change (a network file system).
const FRESH: Millis = Millis::minutes(1);
/// What a command printed without an expiry is asked for again after this time.
const PRINTED: Millis = Millis::minutes(5);
/// A credential is not used in the last moments before it expires.
const MARGIN: Millis = Millis::seconds(30);

struct Cached {
    credential: Arc<Credential>,
    read: Timestamp,
    changes: u64,
}

/// The credentials that a configuration refers to.
pub struct Credentials {
    references: BTreeMap<String, Reference>,
    instruments: Arc<dyn Instruments>,
    cache: Mutex<BTreeMap<String, Cached>>,
    /// Of credentials that were refused, which one it was.
    refused: Mutex<BTreeMap<String, [u8; 32]>>,
    /// Variables of the environment that hold a secret: no child of ours sees them.
    withheld: BTreeSet<String>,
    /// Counts events of the watched folders: what was read before an event is read again.
    changes: Arc<AtomicU64>,
    _watcher: Option<RecommendedWatcher>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("references", &self.references).finish_non_exhaustive()
    }
}

impl Credentials {
    /// Watches the folders of all file references. Where they cannot be watched, files are read again by time alone.
    pub fn new(references: BTreeMap<String, Reference>, instruments: Arc<dyn Instruments>) -> Self {
        let changes = Arc::new(AtomicU64::new(0));
        let watcher = watch(&references, changes.clone());
        let variable = |reference: &Reference| match &reference.source {
            Source::Environment { variable, .. } => Some(variable.clone()),
            Source::File { .. } | Source::Directory(_) | Source::Command { .. } | Source::Agent => None,
        };
        Self {
            withheld: references.values().filter_map(variable).collect(),
            references,
            instruments,
            cache: Mutex::new(BTreeMap::new()),
            refused: Mutex::new(BTreeMap::new()),
            changes,
            _watcher: watcher,
        }
    }

    /// More variables with secrets, of which the references say nothing.
    pub fn withholding(mut self, variables: impl IntoIterator<Item = String>) -> Self {
        self.withheld.extend(variables);
        self
    }

    /// Variables that no child of ours sees.
    pub(crate) fn withheld(&self) -> &BTreeSet<String> {
        &self.withheld
    }

    /// The names that there are.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.references.keys().map(String::as_str)
    }

    /// The credential of that name, as it is now.
    pub async fn get(&self, name: &str) -> Result<Arc<Credential>, Refusal> {
        let reference = self.references.get(name).ok_or_else(|| unavailable(name, "the configuration has none of that name"))?;
        let now = self.instruments.now();
        let changes = self.changes.load(Ordering::SeqCst);
        if let Some(cached) = self.cached(name, reference, now, changes) {
            return Ok(cached);
        }
        let (fields, expires) = read(&reference.source, &self.withheld).await.map_err(|why| unavailable(name, why))?;
        if expires.is_some_and(|e| e <= now + MARGIN) {
            return Err(unavailable(name, "it has expired"));
        }
        let credential = Arc::new(Credential::new(reference, fields, expires).map_err(|why| unavailable(name, why))?);
        let entry = Cached { credential: credential.clone(), read: now, changes };
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), entry);
        Ok(credential)
    }

    /// It was refused: whatever it says of its end, a command that printed it is asked again, at once and then every minute, until it prints another one.
    /// A managed password that was changed before its time would otherwise be held back until the old one expires.
    pub(crate) fn doubt(&self, name: &str, credential: &Credential) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), credential.print());
        let command = self.references.get(name).is_some_and(|r| matches!(r.source, Source::Command { .. }));
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if command && cache.get(name).is_some_and(|entry| entry.credential.print() == credential.print()) {
            cache.remove(name);
        }
    }

    /// It was accepted.
    pub(crate) fn trust(&self, name: &str, credential: &Credential) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.get(name) == Some(&credential.print()) {
            refused.remove(name);
        }
    }

    fn doubted(&self, name: &str, credential: &Credential) -> bool {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).get(name) == Some(&credential.print())
    }

    fn cached(&self, name: &str, reference: &Reference, now: Timestamp, changes: u64) -> Option<Arc<Credential>> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = cache.get(name)?;
        let age = now.distance(entry.read);
        let fresh = match &reference.source {
            Source::File { .. } | Source::Directory(_) => entry.changes == changes && age < FRESH,
            Source::Environment { .. } | Source::Agent => true,
            Source::Command { .. } if self.doubted(name, &entry.credential) => age < FRESH,
            Source::Command { .. } => match entry.credential.expires {
                Some(expires) => now + MARGIN < expires,
                None => age < PRINTED,
            },
        };
        fresh.then(|| entry.credential.clone())
    }
}

async fn read(source: &Source, withheld: &BTreeSet<String>) -> Result<(BTreeMap<Field, Secret>, Option<Timestamp>), String> {
    match source {
        Source::File { path, field } => Ok((BTreeMap::from([(*field, file(path, *field)?)]), None)),
        Source::Directory(folder) => {
            let mut fields = BTreeMap::new();
            for field in Field::ALL {
                let path = folder.join(field.name());
                if path.exists() {
                    fields.insert(field, file(&path, field)?);
                }
            }
            Ok((fields, None))
        }
        Source::Environment { variable, field } => {
            let value = std::env::var_os(variable).ok_or_else(|| format!("the variable {variable} is not set"))?;
            let value = value.into_string().map_err(|_| format!("the variable {variable} is not text"))?;
            Ok((BTreeMap::from([(*field, Secret::new(value.into_bytes()))]), None))
        }
        Source::Command { program, arguments, within } => command::run(program, arguments, *within, withheld).await,
        Source::Agent => Ok((BTreeMap::new(), None)),
    }
}

fn file(path: &Path, field: Field) -> Result<Secret, String> {
    let broken = |e: std::io::Error| format!("{} cannot be read: {e}", path.display());
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let limit = u64::try_from(SIZE).unwrap_or(u64::MAX);
    File::open(path).map_err(broken)?.take(limit + 1).read_to_end(&mut bytes).map_err(broken)?;
    if bytes.len() > SIZE {
        return Err(format!("{} is larger than {SIZE} bytes", path.display()));
    }
    let mut used: &[u8] = &bytes;
    if field.is_line() {
        used = used.strip_suffix(b"\n").unwrap_or(used);
        used = used.strip_suffix(b"\r").unwrap_or(used);
    }
    Ok(Secret::new(used.to_vec()))
}

fn watch(references: &BTreeMap<String, Reference>, changes: Arc<AtomicU64>) -> Option<RecommendedWatcher> {
    let folders: BTreeSet<PathBuf> = references
        .values()
        .filter_map(|r| match &r.source {
            Source::File { path, .. } => path.parent().map(Path::to_owned),
            Source::Directory(folder) => Some(folder.clone()),
            Source::Environment { .. } | Source::Command { .. } | Source::Agent => None,
        })
        .collect();
    if folders.is_empty() {
        return None;
    }
    let handler = move |_| {
        changes.fetch_add(1, Ordering::SeqCst);
    };
    let mut watcher = match notify::recommended_watcher(handler) {
        Ok(watcher) => watcher,
        Err(error) => {
            tracing::warn!(%error, "credentials cannot be watched; they are read again every minute");
            return None;
        }
    };
    for folder in folders {
        if let Err(error) = watcher.watch(&folder, RecursiveMode::NonRecursive) {
            tracing::warn!(folder = %folder.display(), %error, "this folder of credentials cannot be watched; it is read again every minute");
        }
    }
    Some(watcher)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicI64;
    use std::time::Duration;

    struct Bench(AtomicI64);

    impl Instruments for Bench {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::SeqCst))
        }
        fn dice(&self) -> u64 {
            4
        }
    }

    fn store(source: Source) -> (Credentials, Arc<Bench>) {
        let clock = Arc::new(Bench(AtomicI64::new(0)));
        let reference = Reference { user: Some("svc".into()), source };
        (Credentials::new(BTreeMap::from([("c".to_owned(), reference)]), clock.clone()), clock)
    }

    fn password(credential: &Credential) -> String {
        credential.fields[&Field::Password].expose_text().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_mounted_folder_is_read_again_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "canary one\r\n").unwrap();
        std::fs::write(folder.path().join("username"), "LAB\\other\n").unwrap();
        let (store, clock) = store(Source::Directory(folder.path().to_owned()));
        let first = store.get("c").await.unwrap();
        assert_eq!((password(&first).as_str(), first.user().unwrap().as_str()), ("canary one", "LAB\\other"));
        assert!(!format!("{first:?} {store:?}").contains("canary"));
        std::fs::write(folder.path().join("password"), "canary two").unwrap();
        // The event may take its time; the clock does not wait for it.
        clock.0.store(61_000, Ordering::SeqCst);
        let second = store.get("c").await.unwrap();
        assert_eq!(password(&second), "canary two");
        assert_ne!(first.print(), second.print());
    }

    #[tokio::test]
    async fn an_event_alone_brings_a_changed_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "one").unwrap();
        let (store, _clock) = store(Source::File { path: path.clone(), field: Field::Password });
        assert_eq!(password(&store.get("c").await.unwrap()), "one");
        std::fs::write(folder.path().join("new"), "two").unwrap();
        std::fs::rename(folder.path().join("new"), &path).unwrap();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while password(&store.get("c").await.unwrap()) == "one" {
            assert!(tokio::time::Instant::now() < deadline, "no event came");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_commands_credential_is_used_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let script = format!(
            "printf x >> {0}; printf '{{\"password\":\"%s\",\"expires\":\"1970-01-01T00:10:00Z\"}}' \"$(cat {0})\"",
            count.display()
        );
        let command = Source::Command { program: "/bin/sh".into(), arguments: vec!["-c".into(), script], within: Duration::from_secs(20) };
        let (store, clock) = store(command);
        assert_eq!(password(&store.get("c").await.unwrap()), "x");
        clock.0.store(500_000, Ordering::SeqCst);
        assert_eq!(password(&store.get("c").await.unwrap()), "x");
        clock.0.store(580_000, Ordering::SeqCst);
        let late = store.get("c").await.unwrap_err();
        assert!(late.to_string().contains("expired"), "{late}");
        assert_eq!(std::fs::read(&count).unwrap(), b"xx", "it was asked again");
    }

    #[tokio::test]
    async fn a_command_whose_credential_was_refused_is_asked_at_once_and_then_every_minute_until_it_prints_another() {
        let folder = tempfile::tempdir().unwrap();
        let (count, secret) = (folder.path().join("count"), folder.path().join("secret"));
        std::fs::write(&secret, "one").unwrap();
        let script = format!(
            "printf x >> {}; printf '{{\"password\":\"%s\",\"expires\":\"1971-01-01T00:00:00Z\"}}' \"$(cat {})\"",
            count.display(),
            secret.display()
        );
        let command = Source::Command { program: "/bin/sh".into(), arguments: vec!["-c".into(), script], within: Duration::from_secs(20) };
        let (store, clock) = store(command);
        let asked = || std::fs::read(&count).unwrap().len();
        let first = store.get("c").await.unwrap();
        store.doubt("c", &first);
        for (at, calls) in [(0, 2), (59_000, 2), (60_000, 3), (60_000, 3)] {
            clock.0.store(at, Ordering::SeqCst);
            assert_eq!(password(&store.get("c").await.unwrap()), "one");
            assert_eq!(asked(), calls, "at {at}");
        }
        // Another node took it after all: it serves as long as it says.
        store.trust("c", &first);
        clock.0.store(3_600_000, Ordering::SeqCst);
        assert_eq!(password(&store.get("c").await.unwrap()), "one");
        assert_eq!(asked(), 3);
        store.doubt("c", &first);
        std::fs::write(&secret, "two").unwrap();
        for at in [3_600_000, 7_200_000] {
            clock.0.store(at, Ordering::SeqCst);
            assert_eq!(password(&store.get("c").await.unwrap()), "two");
            assert_eq!(asked(), 4);
        }
    }

    #[tokio::test]
    async fn a_command_does_not_see_the_variables_that_hold_other_secrets() {
        // Cargo sets these for every test.
        let seen = ["CARGO_PKG_NAME", "CARGO_PKG_VERSION", "CARGO_MANIFEST_DIR"];
        let script = format!("printf '{{\"password\":\"%s\"}}' \"{}\"", seen.map(|v| format!("${{{v}-gone}}")).join(","));
        let command = Source::Command { program: "/bin/sh".into(), arguments: vec!["-c".into(), script], within: Duration::from_secs(20) };
        let variable = Source::Environment { variable: seen[0].to_owned(), field: Field::Password };
        let references = [("c", command), ("v", variable)].map(|(name, source)| (name.to_owned(), Reference { user: None, source }));
        let store = Credentials::new(references.into(), Arc::new(Bench(AtomicI64::new(0)))).withholding([seen[1].to_owned()]);
        assert_eq!(password(&store.get("v").await.unwrap()), env!("CARGO_PKG_NAME"));
        assert_eq!(password(&store.get("c").await.unwrap()), format!("gone,gone,{}", env!("CARGO_MANIFEST_DIR")));
    }

    #[tokio::test]
    async fn what_is_missing_is_named_and_nothing_else() {
        let (store, _) = store(Source::File { path: "/nowhere/secret".into(), field: Field::Password });
        assert!(store.get("c").await.unwrap_err().to_string().contains("/nowhere/secret"));
        assert!(store.get("d").await.is_err());
    }
}
