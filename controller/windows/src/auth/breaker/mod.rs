//! The breaker (rule 29): an account is never locked out by us. Kept in the state folder, so that a restart is no way around it.
//!
//! - Only an answer that blames the secret opens it. Then one logon, on one node, every 30 minutes, five at most; then a person says `retry`.
//! - A credential that is new or has changed, or that one node has refused without saying why, logs on once, alone, before others use it.
//! - A node that refuses a credential which another node then accepts is held back by itself, by the same times.
//! - Of a proven credential at most two logons are under way at once, in all processes of the folder together, and none while one goes alone: so many can
//!   fail together when its secret changes.
//! - What cannot be written is held in memory, and no secret is tried that is not known to be good: a logon that cannot be counted is not made.

mod held;
mod record;
mod slots;
#[cfg(test)]
mod tests;

pub use held::{Held, Standing};

use super::{Blame, Instruments, Refusal};
use record::{Kept, Record, Refused, held, hint, remember};
use slots::Slots;
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
    /// Who goes alone takes all of it.
    turns: Arc<Semaphore>,
    /// What was learned and could not be written: it holds all the same, and is written with the next look that can.
    unkept: Option<Record>,
    /// Why a logon could not be counted, the last time.
    trouble: Option<String>,
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
    who: Who,
    _turn: OwnedSemaphorePermit,
    _slots: Slots,
}

/// Whom a lesson is about.
struct Who {
    credential: String,
    print: [u8; 32],
    node: String,
    /// Nobody else logged on with it meanwhile.
    alone: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Alone,
    Few,
}

impl Next {
    /// How many of the logons that may be under way at once it takes the place of.
    fn turns(self) -> usize {
        match self {
            Next::Alone => TOGETHER,
            Next::Few => 1,
        }
    }
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
            let (next, turns) = self.look(credential, print, node, false)?;
            let wanted = u32::try_from(next.turns()).unwrap_or(u32::MAX);
            let mut turn = match timeout_at(deadline, turns.acquire_many_owned(wanted)).await {
                Ok(Ok(turn)) => turn,
                Ok(Err(_)) | Err(_) => return Err(first()),
            };
            // The other processes of this folder.
            let mut slots = match Slots::take(&self.folder, credential, next.turns(), deadline).await {
                Ok(Some(slots)) => slots,
                Ok(None) => return Err(first()),
                Err(error) => return Err(self.unwritable(credential, &error)),
            };
            // While we waited, the others may have learned something.
            let alone = match (self.look(credential, print, node, true)?.0, next) {
                (Next::Alone, Next::Alone) => true,
                (Next::Alone, Next::Few) => continue,
                (Next::Few, Next::Alone | Next::Few) => {
                    drop(turn.split(next.turns() - 1));
                    slots.keep(1);
                    false
                }
            };
            let who = Who { credential: credential.to_owned(), print, node: node.to_owned(), alone };
            return Ok(Pass { breaker: self.clone(), who, _turn: turn, _slots: slots });
        }
    }

    /// A node stopped accepting, in the middle of a session, what it had accepted: that is a logon that failed, though none was asked for.
    pub(crate) fn refused_later(&self, credential: &str, print: [u8; 32], node: &str, refusal: &Refusal) {
        self.teach(&Who { credential: credential.to_owned(), print, node: node.to_owned(), alone: false }, Some(refusal));
    }

    /// All that is held back of the credentials that were used, for the status.
    pub fn standings(&self) -> Vec<Standing> {
        let now = self.instruments.now();
        let mut standings = Vec::new();
        for (credential, entry) in self.entries.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let found = match Kept::lock(&self.folder, credential, &*self.instruments) {
                Ok(mut kept) => {
                    if let Some(unkept) = entry.unkept.as_ref().filter(|_| entry.said == Some(kept.record.said)) {
                        kept.record.recall(unkept);
                    }
                    // The credential's own word stands for its nodes', too.
                    let of_node = || kept.record.nodes.keys().find_map(|n| held(&kept.record, Some(n), now));
                    held(&kept.record, None, now).or_else(of_node).or_else(|| entry.trouble.clone().map(Held::State))
                }
                Err(error) => Some(Held::State(error.to_string())),
            };
            standings.extend(found.map(|held| Standing { credential: credential.clone(), held }));
        }
        standings
    }

    /// A person's word: every process that uses `folder` forgets the refusals of `credential`, which then logs on once, alone.
    pub fn retry(folder: &Path, credential: &str, instruments: &dyn Instruments) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut kept = Kept::lock(folder, credential, instruments)?;
        kept.record.forget();
        kept.record.said += 1;
        kept.keep()
    }

    /// What may be done now; `Err` where nothing. With `count`, a logon with a refused secret is counted before it is made.
    fn look(&self, credential: &str, print: [u8; 32], node: &str, count: bool) -> Result<(Next, Arc<Semaphore>), Held> {
        let now = self.instruments.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.entry(credential.to_owned()).or_insert_with(Entry::new);
        let mut kept = Kept::lock(&self.folder, credential, &*self.instruments).map_err(|e| entry.unwritable(&e))?;
        let changed = match entry.print {
            Some(known) => known != print,
            None => kept.record.hint.is_some_and(|h| h != hint(kept.record.salt, &print)),
        };
        if changed {
            kept.record.forget();
        }
        if changed || entry.said.is_some_and(|said| said != kept.record.said) {
            entry.proven = false;
            entry.unkept = None;
        }
        (entry.print, entry.said) = (Some(print), Some(kept.record.said));
        if let Some(unkept) = &entry.unkept {
            kept.record.recall(unkept);
        }
        let no = held(&kept.record, None, now).or_else(|| held(&kept.record, Some(node), now));
        let proven = entry.proven && kept.record.open.is_none() && !kept.record.doubted;
        if let (None, true, Some(open)) = (&no, count, &mut kept.record.open) {
            open.last = now;
            open.tries += 1;
        }
        // Of a secret that is not known to be good it must be possible to write down that it was refused, before it is tried.
        let written = if no.is_none() && count && !proven { kept.write() } else { kept.keep() };
        match (no, written) {
            (Some(held), Err(_)) => Err(held),
            (None, Err(error)) => Err(entry.unwritable(&error)),
            (no, Ok(())) => {
                (entry.unkept, entry.trouble) = (None, None);
                let next = if proven { Next::Few } else { Next::Alone };
                no.map_or_else(|| Ok((next, entry.turns.clone())), Err)
            }
        }
    }

    fn unwritable(&self, credential: &str, error: &io::Error) -> Held {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.entry(credential.to_owned()).or_insert_with(Entry::new).unwritable(error)
    }

    fn teach(&self, who: &Who, refusal: Option<&Refusal>) {
        if let Err(error) = self.learn(who, refusal) {
            tracing::error!(
                credential = who.credential,
                %error,
                "what a logon taught cannot be written; until it can, this process remembers it and tries no secret that it does not know to be good"
            );
        }
    }

    fn learn(&self, who: &Who, refusal: Option<&Refusal>) -> io::Result<()> {
        let now = self.instruments.now();
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get_mut(&who.credential) else { return Ok(()) };
        // What an older secret taught says nothing of the one there is now.
        if entry.print != Some(who.print) {
            return Ok(());
        }
        let mut kept = Kept::lock(&self.folder, &who.credential, &*self.instruments);
        let mut alone_here = Record { credential: who.credential.clone(), ..Record::default() };
        let record = match &mut kept {
            Ok(kept) => &mut kept.record,
            Err(_) => &mut alone_here,
        };
        if let Some(unkept) = &entry.unkept {
            record.recall(unkept);
        }
        match refusal.map(|r| (r.blame(), r.to_string())) {
            Some((Blame::No, _)) => return Ok(()),
            None => {
                record.nodes.remove(&who.node);
                // A logon that began beside one that was refused may be from before the secret was changed.
                if who.alone {
                    (record.open, record.doubted) = (None, false);
                }
                entry.proven = who.alone || (record.open.is_none() && !record.doubted);
            }
            // Accepted elsewhere before: the node or the secret? The next logon, alone and on another node, tells.
            Some((Blame::Perhaps, why)) if !who.alone && !record.doubted => {
                remember(&mut record.nodes, &who.node, why, now);
                record.doubted = true;
                entry.proven = false;
            }
            Some((Blame::Perhaps | Blame::Secret, why)) => {
                let open = record.open.get_or_insert(Refused { since: now, last: now, tries: 0, why: why.clone() });
                (open.last, open.why) = (now, why);
                record.hint = Some(hint(record.salt, &who.print));
                entry.proven = false;
            }
        }
        let lesson = record.clone();
        let written = kept.and_then(|kept| kept.keep());
        entry.unkept = match (&written, refusal) {
            (Ok(()), _) => None,
            (Err(_), Some(_)) => Some(lesson),
            // That it is good is known to this process; what the disk says holds it back no longer than that would.
            (Err(_), None) => None,
        };
        written
    }
}

impl Entry {
    fn new() -> Self {
        Entry { print: None, said: None, proven: false, turns: Arc::new(Semaphore::new(TOGETHER)), unkept: None, trouble: None }
    }

    fn unwritable(&mut self, error: &io::Error) -> Held {
        self.trouble = Some(error.to_string());
        Held::State(error.to_string())
    }
}

impl Pass {
    /// The credential is good here.
    pub(crate) fn accepted(self) {
        self.breaker.teach(&self.who, None);
    }

    /// It is not.
    pub(crate) fn refused(self, refusal: &Refusal) {
        self.breaker.teach(&self.who, Some(refusal));
    }
}

/// How long a logon waits for the one that goes first.
pub(crate) const FIRST: Duration = Duration::from_secs(45);
