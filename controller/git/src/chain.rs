//! What has been committed here and is not confirmed by the remote: kept in order, on the disk, and sent, the same objects each time,
//! until its fate is known. Whether it is there is judged by ancestry alone, never by what a push answered.

use crate::commit::{Draft, Edit, Group, Unwritable, Written};
use crate::mirror::{Head, Mirror};
use crate::names::RefName;
use crate::pack;
use crate::push::{Pushed, Refusal};
use crate::reading::{ChangeKind, Kind, Unreadable};
use crate::signing::SigningKey;
use crate::trouble::Trouble;
use git2::{ErrorCode, Oid};
use std::collections::BTreeSet;

/// Unconfirmed commits of one reference, each on top of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbox {
    name: RefName,
    /// What the first entry stands on: the last confirmed commit.
    base: Option<Oid>,
    entries: Vec<Oid>,
    /// An earlier send may still land: look before anything else is done.
    doubt: bool,
    /// Packs with entries that a power cut could take: flushed only if the remote does not confirm them at once, because confirmed
    /// is safer than flushed, and one is enough.
    unflushed: Vec<String>,
}

/// What the remote's head means for what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// All of it is there.
    Landed,
    /// That many of the entries are there, and nothing else is.
    Partly(usize),
    /// Nothing of it is there, and nothing else came.
    Untouched,
    /// The remote went back to before what it had confirmed.
    Rewound,
    /// Others' commits are on the branch: after that many of our entries.
    Diverged(usize),
}

/// How sending ended.
#[derive(Debug)]
pub enum Sent {
    /// Everything is confirmed; the outbox is empty.
    Confirmed,
    /// Others' commits are there: bring the entries onto this head with [`Outbox::reparent`].
    Diverged {
        /// What the branch is.
        head: Oid,
    },
    /// The remote lost what it had confirmed. If nobody else claims the branch, [`Outbox::send_onto`] brings it back.
    Rewound {
        /// What the branch is.
        to: Head,
    },
    /// The remote refuses something in it: [`Outbox::isolate`] finds what.
    Refused(Refusal),
    /// Nothing left this machine; try again.
    NotSent(Trouble),
    /// It may land yet; the next send looks first.
    Unknown(Trouble),
}

/// Entries rebuilt on another base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reparented {
    /// Which entry became which.
    pub moved: Vec<(Oid, Oid)>,
    /// Which could not be moved; they are no longer in the outbox.
    pub left: Vec<Conflict>,
}

/// An entry whose part of the tree changed under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The entry.
    pub commit: Oid,
    /// The parts of the tree that somebody else (or an entry left behind before it) changed.
    pub subtrees: Vec<String>,
}

/// What the search for a refused entry found.
#[derive(Debug)]
pub enum RefusedEntry {
    /// This one; everything before it has landed.
    Found {
        /// The entry, first in the outbox now.
        commit: Oid,
        /// The remote's reason.
        why: Refusal,
    },
    /// The remote changed its mind: everything landed.
    None,
    /// The search could not go on; what landed so far is confirmed.
    Stopped(Sent),
}

/// Entries of one outbox: a controller that was cut off for weeks. More is a loop that should have been stopped.
const ENTRIES_MAX: usize = 100_000;
/// Pushes in one send of a branch that has moved each time and is what was expected when it is looked at.
const PUSHES_MAX: usize = 3;

impl Outbox {
    /// The outbox of a reference as the mirror keeps it: empty, or what an earlier process could not see confirmed.
    /// Fetch the reference first.
    pub fn restore(mirror: &Mirror, name: &RefName) -> Result<Self, Trouble> {
        let head = mirror.last_seen(name).oid();
        let tip = match mirror.git.refname_to_id(&name.outbox()) {
            Ok(tip) => tip,
            Err(error) if error.code() == ErrorCode::NotFound => {
                return Ok(Self::empty(mirror, name));
            }
            Err(error) => return Err(mirror.local(error)),
        };
        let corrupt = |error: Unreadable| Trouble::Corrupt { detail: error.to_string() };
        let mut entries = mirror.walk(tip, head, ENTRIES_MAX).map_err(corrupt)?.commits;
        entries.reverse();
        let base = match entries.first() {
            Some(first) => mirror.commit(*first).map_err(corrupt)?.parents.first().copied(),
            None => head,
        };
        let mut outbox = Self { name: name.clone(), base, doubt: !entries.is_empty(), entries, unflushed: Vec::new() };
        if outbox.entries.is_empty() {
            outbox.confirmed(mirror, head)?;
        }
        Ok(outbox)
    }

    /// An outbox with nothing in it, whatever the mirror keeps: what that is stays there until the next [`Outbox::restore`].
    #[must_use]
    pub fn empty(mirror: &Mirror, name: &RefName) -> Self {
        let base = mirror.last_seen(name).oid();
        Self { name: name.clone(), base, entries: Vec::new(), doubt: false, unflushed: Vec::new() }
    }

    /// An empty outbox stands on this commit from now on, whatever has come on top of it.
    pub fn stand_on(&mut self, base: Oid) {
        if self.entries.is_empty() {
            self.base = Some(base);
        }
    }

    /// What everything unconfirmed stands on.
    #[must_use]
    pub fn base(&self) -> Option<Oid> {
        self.base
    }

    /// What is not confirmed, oldest first.
    #[must_use]
    pub fn entries(&self) -> &[Oid] {
        &self.entries
    }

    /// What the next commit goes on top of.
    #[must_use]
    pub fn tip(&self) -> Option<Oid> {
        self.entries.last().copied().or(self.base)
    }

    /// Begins commits on top of what is here already.
    pub fn begin(&self, mirror: &Mirror) -> Result<Group, Unwritable> {
        Group::begin(mirror, self.tip())
    }

    /// Takes over a group that was begun here. When this returns, it survives a kill; once [`Outbox::send`] has returned, a power cut.
    pub fn append(&mut self, mirror: &Mirror, group: Group) -> Result<Written, Trouble> {
        let written = group.store(mirror)?;
        if let Some(tip) = written.commits.last() {
            keep(mirror, &self.name, *tip)?;
        }
        self.entries.extend(&written.commits);
        self.unflushed.extend(written.pack.clone());
        Ok(written)
    }

    /// After a mirror was made again: drops the entries whose objects no copy had, and says how many they were.
    pub fn drop_lost(&mut self, mirror: &Mirror) -> Result<usize, Trouble> {
        let whole = self.entries.iter().take_while(|entry| mirror.commit_header(**entry).is_ok()).count();
        let lost = self.entries.len() - whole;
        if lost > 0 {
            self.entries.truncate(whole);
            match self.entries.last() {
                Some(tip) => keep(mirror, &self.name, *tip)?,
                None => forget(mirror, &self.name)?,
            }
        }
        Ok(lost)
    }

    /// What this head means for the entries.
    pub fn judge(&self, mirror: &Mirror, head: Head) -> Result<Judgement, Unreadable> {
        let Some(head) = head.oid() else {
            return Ok(if self.base.is_none() { Judgement::Untouched } else { Judgement::Rewound });
        };
        // Entries are a chain: if one is there, those before it are. So the last one that is there is found by halving.
        let (mut there, mut open) = (0, self.entries.len());
        while there < open {
            let middle = (there + open).div_ceil(2);
            if mirror.is_ancestor(self.entries[middle - 1], head)? {
                there = middle;
            } else {
                open = middle - 1;
            }
        }
        if there == self.entries.len() && there > 0 {
            return Ok(Judgement::Landed);
        }
        if there > 0 {
            return Ok(if self.entries[there - 1] == head { Judgement::Partly(there) } else { Judgement::Diverged(there) });
        }
        match self.base {
            Some(base) if base == head => Ok(Judgement::Untouched),
            Some(base) if mirror.is_ancestor(head, base)? => Ok(Judgement::Rewound),
            Some(_) | None => Ok(Judgement::Diverged(0)),
        }
    }

    /// Sends everything; after a lost answer it looks first, and sends the same objects if they are not there.
    pub fn send(&mut self, mirror: &mut Mirror) -> Sent {
        let sent = self.look_and_push(mirror);
        match (&sent, self.flush(mirror)) {
            (Sent::Confirmed, _) | (_, Ok(())) => sent,
            (_, Err(trouble)) => {
                tracing::warn!(why = %trouble, "entries that the remote has not confirmed could not be flushed to the disk; a power cut would lose them");
                sent
            }
        }
    }

    fn flush(&mut self, mirror: &Mirror) -> Result<(), Trouble> {
        for name in std::mem::take(&mut self.unflushed) {
            pack::flush(&mirror.place().join("objects"), &name)?;
        }
        if self.entries.is_empty() {
            return Ok(());
        }
        let reference = mirror.place().join(self.name.outbox());
        let flushed = std::fs::File::open(&reference).and_then(|file| file.sync_all());
        flushed.map_err(|source| Trouble::from_io("flush", &reference, source))
    }

    fn look_and_push(&mut self, mirror: &mut Mirror) -> Sent {
        if self.doubt
            && let Some(end) = self.look(mirror)
        {
            return end;
        }
        let Some(tip) = self.entries.last().copied() else { return Sent::Confirmed };
        self.push_to(mirror, self.base, tip)
    }

    /// Sends everything to a remote that went back to `to`: the caller has made sure that nobody else claims the branch.
    pub fn send_onto(&mut self, mirror: &mut Mirror, to: Head) -> Sent {
        match self.tip() {
            Some(tip) => self.push_to(mirror, to.oid(), tip),
            None => Sent::Confirmed,
        }
    }

    fn push_to(&mut self, mirror: &mut Mirror, expected: Option<Oid>, tip: Oid) -> Sent {
        let (mut expected, mut tip) = (expected, tip);
        for _ in 0..PUSHES_MAX {
            match mirror.push(&self.name, expected, tip) {
                Pushed::Landed => {
                    return match self.confirmed(mirror, Some(tip)) {
                        Ok(()) => Sent::Confirmed,
                        Err(trouble) => Sent::Unknown(trouble),
                    };
                }
                Pushed::Rejected { why: Refusal::Moved, .. } => {
                    self.doubt = true;
                    // Moved, perhaps by our own earlier send.
                    if let Some(end) = self.look(mirror) {
                        return end;
                    }
                    // It was: a part of this landed late. Or whatever moved it is gone again.
                    let Some(last) = self.entries.last() else { return Sent::Confirmed };
                    (expected, tip) = (self.base, *last);
                }
                Pushed::Rejected { why, .. } => return Sent::Refused(why),
                Pushed::NotSent(trouble) => return Sent::NotSent(trouble),
                Pushed::Unknown(trouble) => {
                    self.doubt = true;
                    return Sent::Unknown(trouble);
                }
            }
        }
        Sent::NotSent(Trouble::Restless { branch: self.name.full().to_owned() })
    }

    /// Looks at the remote; `None` means: nothing in the way, send.
    fn look(&mut self, mirror: &mut Mirror) -> Option<Sent> {
        let head = match mirror.fetch(std::slice::from_ref(&self.name)) {
            Ok(heads) => heads.of(&self.name),
            Err(trouble) => return Some(Sent::NotSent(trouble)),
        };
        let judgement = match self.judge(mirror, head) {
            Ok(judgement) => judgement,
            Err(error) => return Some(Sent::NotSent(Trouble::Corrupt { detail: error.to_string() })),
        };
        match (judgement, head) {
            // What others put on top of it has to be looked at first: it may be another controller's claim.
            (Judgement::Landed, Head::At(head)) if self.entries.last() != Some(&head) => {
                self.settle(self.entries.len());
                Some(Sent::Diverged { head })
            }
            (Judgement::Landed, _) => Some(match self.confirmed(mirror, head.oid()) {
                Ok(()) => Sent::Confirmed,
                Err(trouble) => Sent::Unknown(trouble),
            }),
            (Judgement::Partly(count), _) => {
                self.settle(count);
                None
            }
            (Judgement::Untouched, _) => {
                self.doubt = false;
                None
            }
            (Judgement::Diverged(count), Head::At(head)) => {
                self.settle(count);
                Some(Sent::Diverged { head })
            }
            (Judgement::Rewound, to) | (Judgement::Diverged(_), to @ Head::Absent) => Some(Sent::Rewound { to }),
        }
    }

    /// Rebuilds the entries on another commit, keeping edits, messages, authors and times, and signing again. An entry whose subtree
    /// is not what it was is left out, and so is every later one of that subtree, and those in `skip`.
    ///
    /// `subtree` says which part of the tree a path belongs to; it is compared between the old base and the new one.
    pub fn reparent(
        &mut self,
        mirror: &Mirror,
        key: &SigningKey,
        onto: Oid,
        skip: &BTreeSet<Oid>,
        parts: &dyn Fn(&str) -> Vec<String>,
    ) -> Result<Reparented, Unmovable> {
        let mut group = Group::begin(mirror, Some(onto))?;
        let mut lost: BTreeSet<String> = BTreeSet::new();
        let mut result = Reparented { moved: Vec::new(), left: Vec::new() };
        for entry in &self.entries {
            let (draft, paths) = redraft(mirror, *entry)?;
            let parts: BTreeSet<String> = paths.iter().flat_map(|path| parts(path)).collect();
            let mut changed = Vec::new();
            for part in &parts {
                let was = self.base.map(|base| mirror.identity(base, part)).transpose()?.flatten();
                if lost.contains(part) || mirror.identity(onto, part)? != was {
                    changed.push(part.clone());
                }
            }
            // Somebody may have put a file where it needs a folder that was not there before.
            let fits = match &draft {
                Some(draft) => draft.edits.iter().try_fold(true, |fits, edit| Ok::<_, Unwritable>(fits && group.takes(edit)?))?,
                None => false,
            };
            match draft {
                Some(draft) if fits && changed.is_empty() && !skip.contains(entry) => result.moved.push((*entry, group.add(&draft, key)?)),
                Some(_) | None => {
                    lost.extend(parts);
                    result.left.push(Conflict { commit: *entry, subtrees: changed });
                }
            }
        }
        self.unflushed.extend(group.store(mirror)?.pack);
        self.base = Some(onto);
        self.entries = result.moved.iter().map(|(_, new)| *new).collect();
        match self.entries.last() {
            Some(tip) => keep(mirror, &self.name, *tip)?,
            None => forget(mirror, &self.name)?,
        }
        // What was sent before stood on a base that the branch has left: it cannot land any more.
        self.doubt = false;
        Ok(result)
    }

    /// After a refusal: finds the one entry that the remote refuses, by halves; the entries before it land on the way.
    pub fn isolate(&mut self, mirror: &mut Mirror, refused: Refusal) -> RefusedEntry {
        let entries = self.entries.clone();
        // What it refuses is what it had before.
        if entries.is_empty() {
            return RefusedEntry::Stopped(Sent::Refused(refused));
        }
        let base = self.base;
        let mut reached = base;
        let found = find_refused(&entries, refused, |_, tip| {
            let pushed = mirror.push(&self.name, reached, tip);
            if matches!(pushed, Pushed::Landed) {
                reached = Some(tip);
            }
            pushed
        });
        let landed = reached.and_then(|reached| entries.iter().position(|entry| *entry == reached)).map_or(0, |at| at + 1);
        if landed == entries.len() && landed > 0 {
            return match self.confirmed(mirror, reached) {
                Ok(()) => RefusedEntry::None,
                Err(trouble) => RefusedEntry::Stopped(Sent::Unknown(trouble)),
            };
        }
        self.settle(landed);
        match found {
            Ok((at, why)) => RefusedEntry::Found { commit: entries[at], why },
            Err(Pushed::Landed) => RefusedEntry::None,
            Err(Pushed::Unknown(trouble)) => {
                self.doubt = true;
                RefusedEntry::Stopped(Sent::Unknown(trouble))
            }
            Err(Pushed::NotSent(trouble)) => RefusedEntry::Stopped(Sent::NotSent(trouble)),
            Err(Pushed::Rejected { why, .. }) => {
                self.doubt = true;
                RefusedEntry::Stopped(Sent::Refused(why))
            }
        }
    }

    /// After a refused entry was taken out: sends the next one alone, because where one was refused the next one often is, and is known by one push then.
    pub fn send_first(&mut self, mirror: &mut Mirror) -> RefusedEntry {
        let (Some(first), true) = (self.entries.first().copied(), self.entries.len() > 1) else { return stopped(self.send(mirror)) };
        match mirror.push(&self.name, self.base, first) {
            Pushed::Landed => {
                self.settle(1);
                stopped(self.send(mirror))
            }
            Pushed::Rejected { why: Refusal::Moved, .. } => {
                self.doubt = true;
                stopped(self.send(mirror))
            }
            Pushed::Rejected { why, .. } => RefusedEntry::Found { commit: first, why },
            Pushed::NotSent(trouble) => RefusedEntry::Stopped(Sent::NotSent(trouble)),
            Pushed::Unknown(trouble) => {
                self.doubt = true;
                RefusedEntry::Stopped(Sent::Unknown(trouble))
            }
        }
    }

    /// The first `count` entries are confirmed.
    fn settle(&mut self, count: usize) {
        if count > 0 {
            self.base = Some(self.entries[count - 1]);
            self.entries.drain(..count);
        }
        self.doubt = false;
    }

    fn confirmed(&mut self, mirror: &Mirror, head: Option<Oid>) -> Result<(), Trouble> {
        if let Some(head) = head {
            mirror.record(&self.name, Head::At(head))?;
        }
        forget(mirror, &self.name)?;
        self.base = head;
        self.entries.clear();
        self.unflushed.clear();
        self.doubt = false;
        Ok(())
    }
}

/// How sending the rest ended, in the place of a refused entry.
fn stopped(sent: Sent) -> RefusedEntry {
    match sent {
        Sent::Confirmed => RefusedEntry::None,
        other => RefusedEntry::Stopped(other),
    }
}

/// Why entries could not be rebuilt at all.
#[derive(Debug, thiserror::Error)]
pub enum Unmovable {
    /// They, or the new base, cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// They cannot be made.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// They cannot be stored.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

/// Finds the one entry that is refused, given that pushing all of them was: pushes prefixes (`push(count, tip)`), each on what landed
/// before, log2 of them at most. `Err` is the push that ended the search.
pub fn find_refused(entries: &[Oid], refused: Refusal, mut push: impl FnMut(usize, Oid) -> Pushed) -> Result<(usize, Refusal), Pushed> {
    let (mut landed, mut refused_at, mut why) = (0, entries.len(), refused);
    while refused_at - landed > 1 {
        let middle = (landed + refused_at) / 2;
        match push(middle, entries[middle - 1]) {
            Pushed::Landed => landed = middle,
            Pushed::Rejected { why: Refusal::Moved, now } => return Err(Pushed::Rejected { why: Refusal::Moved, now }),
            Pushed::Rejected { why: reason, .. } => {
                refused_at = middle;
                why = reason;
            }
            other @ (Pushed::NotSent(_) | Pushed::Unknown(_)) => return Err(other),
        }
    }
    if refused_at == landed { Err(Pushed::Landed) } else { Ok((landed, why)) }
}

/// A commit as it could be made again, and the paths it changes; no draft if it holds what no commit of ours holds.
fn redraft(mirror: &Mirror, entry: Oid) -> Result<(Option<Draft>, Vec<String>), Unreadable> {
    let facts = mirror.commit(entry)?;
    let changes = mirror.changed(facts.parents.first().copied(), entry, "")?;
    let paths = changes.iter().map(|change| change.path.clone()).collect();
    let mut edits = Vec::new();
    for change in changes {
        match (change.kind, change.what) {
            (Kind::File, ChangeKind::Deleted) => edits.push(Edit::Remove { path: change.path }),
            (Kind::File, ChangeKind::Added | ChangeKind::Modified) => match mirror.identity(entry, &change.path)? {
                Some(blob) => edits.push(Edit::PutKnown { path: change.path, blob }),
                None => return Err(Unreadable::NoSuchPath(change.path)),
            },
            (Kind::Symlink | Kind::Submodule | Kind::Folder | Kind::Unnameable, _) => return Ok((None, paths)),
        }
    }
    Ok((Some(Draft { edits, message: facts.message, author: facts.author, committer: facts.committer }), paths))
}

fn keep(mirror: &Mirror, name: &RefName, tip: Oid) -> Result<(), Trouble> {
    mirror.git.reference(&name.outbox(), tip, true, "outbox").map(|_| ()).map_err(|error| mirror.local(error))
}

fn forget(mirror: &Mirror, name: &RefName) -> Result<(), Trouble> {
    match mirror.git.find_reference(&name.outbox()) {
        Ok(mut reference) => reference.delete().map_err(|error| mirror.local(error)),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(()),
        Err(error) => Err(mirror.local(error)),
    }
}
