//! What is remembered of a credential: one file each, read and replaced whole under a lock.

use super::Held;
use crate::auth::Instruments;
use drydock_model::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Between two logons with a refused secret. Directories forget failed logons after 10 to 30 minutes.
const PAUSE: Millis = Millis::minutes(30);
/// Logons with a refused secret before a person must say something.
pub(super) const TRIES: u32 = 5;
/// Nodes whose refusals are remembered, for one credential.
const NODES: usize = 2_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Refused {
    pub(super) since: Timestamp,
    pub(super) last: Timestamp,
    pub(super) tries: u32,
    pub(super) why: String,
}

/// What is kept across restarts, and shared with other processes: every look and every lesson reads it anew, under a lock. Of the secret it
/// knows eight bits, salted: enough to see nearly every change, useless for guessing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Record {
    pub(super) credential: String,
    pub(super) open: Option<Refused>,
    pub(super) nodes: BTreeMap<String, Refused>,
    /// A node refused what others accepted, and no logon has told yet which of them is right.
    #[serde(default)]
    pub(super) doubted: bool,
    pub(super) salt: u64,
    pub(super) hint: Option<u8>,
    /// How often a person has said `retry`.
    pub(super) said: u64,
}

impl Record {
    /// A changed secret, or a person's word: nothing of before counts.
    pub(super) fn forget(&mut self) {
        self.open = None;
        self.nodes.clear();
        self.doubted = false;
        self.hint = None;
    }

    /// Adds what was learned before and could not be written; of two refusals the later one and the greater count hold.
    pub(super) fn recall(&mut self, unkept: &Record) {
        let later = |mine: Option<Refused>, theirs: &Refused| match mine {
            Some(mine) => Refused {
                since: mine.since.min(theirs.since),
                last: mine.last.max(theirs.last),
                tries: mine.tries.max(theirs.tries),
                why: if mine.last >= theirs.last { mine.why } else { theirs.why.clone() },
            },
            None => theirs.clone(),
        };
        if let Some(open) = &unkept.open {
            self.open = Some(later(self.open.take(), open));
            // Where there was no record to be read, there was no salt either: without a hint every secret counts as the refused one.
            self.hint = self.hint.or(unkept.hint.filter(|_| unkept.salt == self.salt));
        }
        for (node, refused) in &unkept.nodes {
            let mine = self.nodes.remove(node);
            self.nodes.insert(node.clone(), later(mine, refused));
        }
        self.doubted |= unkept.doubted;
    }
}

/// A record in hand; no other process has it meanwhile.
pub(super) struct Kept {
    pub(super) record: Record,
    found: Option<Record>,
    path: PathBuf,
    _lock: fs::File,
}

impl Kept {
    pub(super) fn lock(folder: &Path, credential: &str, instruments: &dyn Instruments) -> io::Result<Self> {
        let path = folder.join(format!("{}.json", file_name(credential)));
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path.with_extension("lock"))?;
        // Held for moments only, and given back by the system when a process dies.
        lock.lock()?;
        let fresh = || Record { credential: credential.to_owned(), salt: instruments.dice(), ..Record::default() };
        let found = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Record>(&bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Some(fresh()),
            Err(error) => return Err(error),
        };
        let record = found.clone().unwrap_or_else(|| {
            // Nobody knows what it said: as if refused now.
            let now = instruments.now();
            let why = "what was remembered of it cannot be read".to_owned();
            Record { open: Some(Refused { since: now, last: now, tries: 0, why }), ..fresh() }
        });
        Ok(Self { record, found, path, _lock: lock })
    }

    /// Writes it, where it has changed.
    pub(super) fn keep(&self) -> io::Result<()> {
        if self.found.as_ref() == Some(&self.record) {
            return Ok(());
        }
        self.write()
    }

    /// Writes it also where nothing has changed, to know that it can be written.
    pub(super) fn write(&self) -> io::Result<()> {
        replace(&self.path, &serde_json::to_vec_pretty(&self.record).map_err(io::Error::other)?)
    }
}

pub(super) fn remember(nodes: &mut BTreeMap<String, Refused>, node: &str, why: String, now: Timestamp) {
    if nodes.len() >= NODES && !nodes.contains_key(node) {
        nodes.pop_first();
    }
    let entry = nodes.entry(node.to_owned()).or_insert(Refused { since: now, last: now, tries: 0, why: String::new() });
    (entry.last, entry.why) = (now, why);
    entry.tries += 1;
}

pub(super) fn held(record: &Record, node: Option<&str>, now: Timestamp) -> Option<Held> {
    let refused = match node {
        None => record.open.as_ref()?,
        Some(node) => record.nodes.get(node)?,
    };
    // A clock that was set back must not hold for longer than the pause.
    let over = now.distance(refused.last) >= PAUSE;
    let (credential, doubted) = (record.credential.clone(), record.doubted);
    match node {
        None if refused.tries >= TRIES => Some(Held::Exhausted { credential, why: refused.why.clone() }),
        None if !over => Some(Held::Until { credential, why: refused.why.clone(), until: refused.last + PAUSE, tries: refused.tries }),
        Some(node) if refused.tries >= TRIES => Some(Held::Node { credential, node: node.to_owned(), doubted, until: None }),
        Some(node) if !over => Some(Held::Node { credential, node: node.to_owned(), doubted, until: Some(refused.last + PAUSE) }),
        None | Some(_) => None,
    }
}

pub(super) fn hint(salt: u64, print: &[u8; 32]) -> u8 {
    Sha256::new().chain_update(salt.to_le_bytes()).chain_update(print).finalize()[0]
}

/// A file name that no credential's name can leave the folder with.
pub(super) fn file_name(credential: &str) -> String {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    credential.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write as _;
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The name must be on the disk as well.
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
