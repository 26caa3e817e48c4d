//! The breaker (rule 29): an account is never locked out by us. Kept in the state folder, so that a restart is no way around it.
//!
//! - Only an answer that blames the secret opens it. Then one logon, on one node, every 30 minutes, five at most; then a person says `retry`.
//! - A credential that is new or has changed, or that one node has refused without saying why, logs on once, alone, before others use it.
//! - A node that refuses a credential which another node then accepts is held back by itself, by the same times.
//! - Of a proven credential at most two logons are under way at once: so many can fail together when its secret changes.

mod held;
mod record;
#[cfg(test)]
mod tests;

pub use held::{Held, Standing};

use super::{Blame, Instruments, Refusal};
use record::{Kept, Refused, held, hint, remember};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, fs, io};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// Logons of one proven credential under way at once.
const TOGETHER: usize = 2;
/// What only this process knows.
struct Entry {
    print: Option<[u8; 32]>,
    said: Option<u64>,
    proven: bool,
    alone: Arc<Semaphore>,
    few: Arc<Semaphore>,
}

/// All breakers.
pub struct Breaker {
    folder: PathBuf,
    instruments: Arc<dyn Instruments>,
    entries: Mutex<BTreeMap<String, Entry>>,
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The leave to log on once. Dropped without a word, nothing is learned.
pub(crate) struct Pass {
    breaker: Arc<Breaker>,
    credential: String,
    node: String,
    _permit: OwnedSemaphorePermit,
}

enum Next {
    Alone(Arc<Semaphore>),
    Few(Arc<Semaphore>),
}

impl Breaker {
    /// Breakers kept in `folder`, which is made.
    pub fn new(folder: &Path, instruments: Arc<dyn Instruments>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned(), instruments, entries: Mutex::new(BTreeMap::new()) })
    }

    /// Asks for a logon of `credential`, whose secret has this print, on `node`.
    pub(crate) async fn admit(self: &Arc<Self>, credential: &str, print: [u8; 32], node: &str, deadline: Instant) -> Result<Pass, Held> {
        let first = || Held::First { credential: credential.to_owned() };
        loop {
            let (alone, queue) = match self.look(credential, print, node, false)? {
                Next::Alone(queue) => (true, queue),
                Next::Few(queue) => (false, queue),
            };
            let permit = match timeout_at(deadline, queue.acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                Ok(Err(_)) | Err(_) => return Err(first()),
            };
            // While we waited, the others may have learned something.
            match (self.look(credential, print, node, true)?, alone) {
                (Next::Alone(_), true) | (Next::Few(_), _) => {}
                (Next::Alone(_), false) => continue,
            }
            return Ok(Pass { breaker: self.clone(), credential: credential.to_owned(), node: node.to_owned(), _permit: permit });
        }
    }

    /// All that is held back of the credentials that were used, for the status.
    pub fn standings(&self) -> Vec<Standing> {
        let now = self.instruments.now();
        let names: Vec<String> = self.entries.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        let mut standings = Vec::new();
        for credential in names {
            let found = match Kept::lock(&self.folder, &credential, &*self.instruments) {
                // The credential's own word stands for its nodes', too.
                Ok(kept) => {
                    held(&kept.record, None, now).or_else(|| kept.record.nodes.keys().find_map(|n| held(&kept.record, Some(n), now)))
                }
                Err(error) => Some(Held::State(error.to_string())),
            };
            standings.extend(found.map(|held| Standing { credential, held }));
        }
        standings
    }

    /// A person's word: every process that uses `folder` forgets the refusals of `credential`, which then logs on once, alone.
    pub fn retry(folder: &Path, credential: &str, instruments: &dyn Instruments) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut kept = Kept::lock(folder, credential, instruments)?;
        kept.record.open = None;
        kept.record.nodes.clear();
        kept.record.hint = None;
        kept.record.said += 1;
        kept.keep()
    }

    /// What may be done now; `Err` where nothing. With `count`, a logon with a refused secret is counted before it is made.
    fn look(&self, credential: &str, print: [u8; 32], node: &str, count: bool) -> Result<Next, Held> {
        let now = self.instruments.now();
        let state = |e: io::Error| Held::State(e.to_string());
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = Kept::lock(&self.folder, credential, &*self.instruments).map_err(state)?;
        let entry = entries.entry(credential.to_owned()).or_insert_with(Entry::new);
        let changed = match entry.print {
            Some(known) => known != print,
            None => kept.record.hint.is_some_and(|h| h != hint(kept.record.salt, &print)),
        };
        if changed {
            kept.record.open = None;
            kept.record.nodes.clear();
            kept.record.hint = None;
        }
        if changed || entry.said.is_some_and(|said| said != kept.record.said) {
            entry.proven = false;
        }
        (entry.print, entry.said) = (Some(print), Some(kept.record.said));
        let no = held(&kept.record, None, now).or_else(|| held(&kept.record, Some(node), now));
        let proven = entry.proven && kept.record.open.is_none();
        if let (None, true, Some(open)) = (&no, count, &mut kept.record.open) {
            open.last = now;
            open.tries += 1;
        }
        kept.keep().map_err(state)?;
        match no {
            Some(held) => Err(held),
            None if proven => Ok(Next::Few(entry.few.clone())),
            None => Ok(Next::Alone(entry.alone.clone())),
        }
    }

    fn learn(&self, pass: &Pass, refusal: Option<&Refusal>) -> io::Result<()> {
        let now = self.instruments.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get_mut(&pass.credential) else { return Ok(()) };
        let was_proven = entry.proven;
        // What is learned in memory does not wait for the disk.
        match refusal.map(Refusal::blame) {
            None => entry.proven = true,
            Some(Blame::No) => return Ok(()),
            Some(Blame::Perhaps | Blame::Secret) => entry.proven = false,
        }
        let mut kept = Kept::lock(&self.folder, &pass.credential, &*self.instruments)?;
        match refusal.map(|r| (r.blame(), r.to_string())) {
            None | Some((Blame::No, _)) => {
                kept.record.open = None;
                kept.record.nodes.remove(&pass.node);
            }
            // Accepted elsewhere before: the node or the secret? The next logon, alone and on another node, tells.
            Some((Blame::Perhaps, why)) if was_proven => remember(&mut kept.record.nodes, &pass.node, why, now),
            Some((Blame::Perhaps | Blame::Secret, why)) => {
                let open = kept.record.open.get_or_insert(Refused { since: now, last: now, tries: 0, why: why.clone() });
                (open.last, open.why) = (now, why);
                kept.record.hint = entry.print.map(|p| hint(kept.record.salt, &p));
            }
        }
        kept.keep()
    }
}

impl Entry {
    fn new() -> Self {
        Entry { print: None, said: None, proven: false, alone: Arc::new(Semaphore::new(1)), few: Arc::new(Semaphore::new(TOGETHER)) }
    }
}

impl Pass {
    /// The credential is good here.
    pub(crate) fn accepted(self) {
        self.learn(None);
    }

    /// It is not.
    pub(crate) fn refused(self, refusal: &Refusal) {
        self.learn(Some(refusal));
    }

    fn learn(&self, refusal: Option<&Refusal>) {
        if let Err(error) = self.breaker.learn(self, refusal) {
            tracing::error!(credential = self.credential, %error, "what a logon taught cannot be kept; a restart would forget it");
        }
    }
}

/// How long a logon waits for the one that goes first.
pub(crate) const FIRST: Duration = Duration::from_secs(45);
