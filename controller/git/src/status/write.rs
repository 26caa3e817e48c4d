//! Entries become commits, and commits reach the remote: the same objects, until their fate is known (rules 6 to 9).

use super::keeper::{Claim, Keeper, Tracked, about, local, revision};
use super::line::{self, Came};
use super::person;
use crate::chain::{RefusedEntry, Sent};
use crate::commit::{Draft, Edit};
use crate::mirror::Head;
use crate::push::Refusal;
use crate::reading::ChangeKind;
use crate::trouble::chain;
use drydock_engine::ports::{Appended, Record, StoreError};
use drydock_model::ids::ClusterName;
use drydock_model::ledger::{Event, Ledger, Word};
use drydock_model::time::Stamp;
use drydock_spec::fleet::CLUSTERS;
use drydock_spec::wire::facts::{Facts, Transition, Wanted};
use drydock_spec::wire::status::ClusterStatus;
use drydock_spec::wire::words::Said;
use drydock_spec::wire::{FACTS_FILE, STATUS_FILE, folder, message};
use git2::Oid;
use std::collections::{BTreeMap, BTreeSet};
use tracing::warn;

/// Others' commits that may come between while we push; more in a row is somebody who does nothing else.
const ROUNDS: usize = 8;
/// Refused entries that are taken out in one look. More are hardly their clusters' own fault: everybody would wait for a server that takes nothing.
const MOST_REFUSED: usize = 16;

impl Keeper {
    /// Makes the commit of one entry; it survives a crash from here on.
    pub(super) fn commit(&mut self, record: Record) -> Result<Oid, StoreError> {
        let Some(claim) = self.claim.clone() else { return Err(StoreError::Local("this controller has no claim".to_owned())) };
        // Whatever was refused before, this entry has not been.
        self.refused.remove(&record.cluster);
        // Also for a cluster that somebody else wrote to: the ledger is what we remember, and the hold and the way back must be told (rule 7).
        let tracked = self.clusters.get(&record.cluster);
        let before = tracked.and_then(|t| t.facts.as_deref());
        let (mut ledger, mut events) = match (self.unwritten.get(&record.cluster), tracked.map(|t| &t.ledger)) {
            (Some(unwritten), _) => (unwritten.facts.ledger.clone(), unwritten.facts.events.clone()),
            (None, Some(Ok(ledger))) => (ledger.clone(), Vec::new()),
            (None, Some(Err(gap))) => return Err(StoreError::Local(gap.to_string())),
            (None, None) => (Ledger::new(claim.epoch), Vec::new()),
        };
        ledger.begin_above(self.given);
        for event in &record.events {
            ledger.apply(event, record.stamp);
        }
        self.given = self.given.max(ledger.next);
        events.extend(record.events.iter().cloned());
        let facts = Facts::new(transition(Record { events, ..record }, ledger), before);
        match self.put(facts.clone()) {
            Err(StoreError::Local(why)) => {
                self.keep_unwritten(facts, &why);
                Err(StoreError::Local(why))
            }
            put => put,
        }
    }

    /// Makes the commit that says these facts.
    pub(super) fn put(&mut self, facts: Facts) -> Result<Oid, StoreError> {
        let folder = folder(&facts.wanted.path).to_owned();
        // Two clusters in one folder would write over each other's ledger.
        if let Some(other) = self.folders.get(&folder).filter(|other| **other != facts.cluster && self.clusters.contains_key(*other)) {
            return Err(StoreError::Local(format!("{folder} of the status branch is that of {other}")));
        }
        let status = ClusterStatus::of(&facts).encode();
        let mut edits = vec![
            Edit::Put { path: format!("{folder}/{FACTS_FILE}"), bytes: facts.encode().into_bytes() },
            Edit::Put { path: format!("{folder}/{STATUS_FILE}"), bytes: status.into_bytes() },
        ];
        // The cluster's file was moved in the desired tree; the status tree follows.
        let moved = self.clusters.get(&facts.cluster).map(|t| t.folder.clone()).filter(|old| *old != folder);
        if let Some(old) = &moved {
            for path in [FACTS_FILE, STATUS_FILE].map(|file| format!("{old}/{file}")) {
                // Somebody else may have removed it.
                if self.outbox.tip().is_some_and(|tip| matches!(self.mirror.identity(tip, &path), Ok(Some(_)))) {
                    edits.push(Edit::Remove { path });
                }
            }
        }
        let who = person(&self.name, facts.at);
        let draft = Draft { edits, message: message::message(&facts), author: who.clone(), committer: who };
        let mut group = self.outbox.begin(&self.mirror).map_err(local)?;
        let entry = group.add(&draft, &self.key).map_err(local)?;
        self.outbox.append(&self.mirror, group).map_err(local)?;
        let cluster = facts.cluster.clone();
        if let Some(old) = moved {
            self.folders.remove(&old);
        }
        self.folders.insert(folder.clone(), cluster.clone());
        self.behind.remove(&cluster);
        self.told.remove(&cluster);
        self.unwritten_sent(&facts);
        self.clusters.insert(cluster, Tracked { folder, ledger: Ok(facts.ledger.clone()), facts: Some(Box::new(facts)) });
        Ok(entry)
    }

    /// Sends what is not there yet, unless whoever held the lock before has sent this entry with its own.
    pub(super) fn push(&mut self, cluster: &ClusterName, entry: Oid) -> Result<Appended, StoreError> {
        if !self.waits(cluster, entry) {
            return self.fate(cluster, entry);
        }
        match self.send()? {
            Some(why) if !self.refused.contains_key(cluster) => Ok(Appended::Pending(why)),
            Some(_) | None => self.fate(cluster, entry),
        }
    }

    /// Whether an entry is still to be sent; it may be another commit by now, on top of what came in between.
    fn waits(&self, cluster: &ClusterName, entry: Oid) -> bool {
        let ended = || self.refused.contains_key(cluster) || self.left.contains_key(&entry);
        self.outbox.entries().contains(&entry) || (!ended() && self.on_its_way(cluster))
    }

    /// What became of an entry that is in the outbox no more.
    fn fate(&mut self, cluster: &ClusterName, entry: Oid) -> Result<Appended, StoreError> {
        if let Some(why) = self.refused.remove(cluster) {
            return Err(StoreError::Refused(why));
        }
        match self.left.remove(&entry) {
            Some(commit) => Err(StoreError::Touched { commit: revision(commit) }),
            None => Ok(Appended::Pushed),
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        self.mirror.once_more();
        let sent = self.send()?;
        // What the server does not take is not in the outbox, and ends with this process.
        let refused = self.unwritten_why();
        let left = self.outbox.entries().len() + refused.len();
        let told = |why: &str| format!("{left} entries are not on the branch: {why}");
        match (refused.first(), sent) {
            (Some(why), _) => Err(StoreError::Refused(told(why))),
            (None, Some(why)) => Err(StoreError::Local(told(&why))),
            (None, None) => Ok(()),
        }
    }

    /// Sends the outbox. Nothing when everything is confirmed, else why not.
    pub(super) fn send(&mut self) -> Result<Option<String>, StoreError> {
        let Some(claim) = self.claim.clone() else { return Ok(Some("this controller has no claim".to_owned())) };
        let sent = self.send_all(&claim);
        if let Ok(why) = &sent {
            self.log(why.as_deref());
        }
        sent
    }

    fn send_all(&mut self, claim: &Claim) -> Result<Option<String>, StoreError> {
        let mut sent = self.outbox.send(&mut self.mirror);
        // `send` has nothing to do with an empty outbox; what the remote lost is only seen against what it had confirmed.
        if let (Sent::Confirmed, Some(base)) = (&sent, self.outbox.base())
            && self.outbox.entries().is_empty()
        {
            let head = self.mirror.last_seen(&self.branch);
            let gone_back = match head {
                Head::Absent => true,
                Head::At(head) => head != base && self.mirror.is_ancestor(head, base).map_err(local)?,
            };
            if gone_back {
                sent = Sent::Rewound { to: head };
            }
        }
        // Each refused entry that is dropped leaves fewer.
        let mut rounds = ROUNDS + self.outbox.entries().len();
        let mut refused = 0;
        let mut lost = false;
        while rounds > 0 {
            rounds -= 1;
            sent = match sent {
                Sent::Confirmed => return self.step_onto_head(),
                Sent::Diverged { head } => {
                    self.take_in(Head::At(head), claim)?;
                    self.move_onto(head)?;
                    self.outbox.send(&mut self.mirror)
                }
                Sent::Rewound { to } => {
                    lost = true;
                    warn!(?to, "the remote lost what it had confirmed; it is given the same commits again");
                    self.outbox.send_onto(&mut self.mirror, to)
                }
                Sent::Refused(why) if lost => {
                    return Ok(Some(format!("the remote lost what it had confirmed, and does not take it again: {why}")));
                }
                // Refused before it could be isolated: that it moved, or what was not the entries' fault.
                Sent::Refused(why) if why == Refusal::Moved || self.outbox.entries().is_empty() => return Ok(Some(why.to_string())),
                Sent::Refused(why) if refused == MOST_REFUSED => {
                    return Ok(Some(format!("the entries of {MOST_REFUSED} clusters were refused, and the next one is: {why}")));
                }
                Sent::Refused(why) => self.without_refused(why, &mut refused)?,
                Sent::NotSent(trouble) | Sent::Unknown(trouble) => return Ok(Some(chain(&trouble))),
            };
        }
        Ok(Some(format!("the branch moved {ROUNDS} times while it was being written")))
    }

    /// With nothing left to send, what others put on top is what the next entry stands on, once it was looked at.
    fn step_onto_head(&mut self) -> Result<Option<String>, StoreError> {
        if let (Head::At(head), Some(base)) = (self.mirror.last_seen(&self.branch), self.outbox.base())
            && head != base
            && self.classified == Some(head)
            && self.mirror.is_ancestor(base, head).map_err(local)?
        {
            self.move_onto(head)?;
        }
        Ok(None)
    }

    /// Brings the entries onto another commit; those whose cluster somebody else wrote to are left behind. Their ledger stands nowhere then. Those whose cluster
    /// was told something meanwhile are made anew: on top of the word, an entry without it would pass for one that has taken it in.
    fn move_onto(&mut self, head: Oid) -> Result<(), StoreError> {
        let before = self.outbox.base().unwrap_or(head);
        let mut stale = BTreeSet::new();
        for entry in self.outbox.entries() {
            let message = self.mirror.commit(*entry).map_err(local)?.message;
            if about(&message).is_some_and(|cluster| self.told.contains(&cluster) && !self.touched_since(&cluster, before)) {
                stale.insert(*entry);
            }
        }
        let moved = self.outbox.reparent(&self.mirror, &self.key, head, &stale, &part_of).map_err(local)?;
        let mut again: BTreeMap<ClusterName, Vec<Oid>> = BTreeMap::new();
        for conflict in &moved.left {
            let message = self.mirror.commit(conflict.commit).map_err(local)?.message;
            match about(&message) {
                Some(cluster) if stale.contains(&conflict.commit) => again.entry(cluster).or_default().push(conflict.commit),
                Some(cluster) => {
                    self.left.insert(conflict.commit, head);
                    self.behind.insert(cluster.clone());
                    self.touch(&cluster, head, before);
                }
                None => {}
            }
        }
        for (cluster, entries) in again {
            if let Err(error) = self.make_anew(&cluster, &entries) {
                warn!(%cluster, %error, "an entry could not be made anew; the next one tells it again");
                self.behind.insert(cluster);
            }
        }
        Ok(())
    }

    /// Whether somebody else wrote to this cluster after that commit.
    fn touched_since(&self, cluster: &ClusterName, before: Oid) -> bool {
        self.touched.get(cluster).is_some_and(|(commit, _)| !self.mirror.is_ancestor(*commit, before).unwrap_or(false))
    }

    /// One entry in place of these, with all that was heard since.
    fn make_anew(&mut self, cluster: &ClusterName, entries: &[Oid]) -> Result<(), StoreError> {
        let mut events = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let parent = self.mirror.commit(*entry).map_err(local)?.parents.first().copied();
            for change in self.mirror.changed(parent, *entry, CLUSTERS).map_err(local)? {
                let Some(folder) = change.path.strip_suffix(FACTS_FILE).and_then(|folder| folder.strip_suffix('/')) else { continue };
                match change.what {
                    ChangeKind::Added | ChangeKind::Modified => {
                        events.extend(self.facts_at(*entry, folder).ok().flatten().map(|facts| facts.events).unwrap_or_default());
                    }
                    // It followed its cluster's file to another folder, and does so again.
                    ChangeKind::Deleted if at == 0 => {
                        if let Some(tracked) = self.clusters.get_mut(cluster) {
                            folder.clone_into(&mut tracked.folder);
                        }
                    }
                    ChangeKind::Deleted => {}
                }
            }
        }
        let Some(newest) = self.clusters.get(cluster).and_then(Tracked::newest) else { return Ok(()) };
        self.put(Facts { events, ..newest }).map(drop)
    }

    /// Finds what the server refuses and takes it out, and so on as long as the next entry is refused as well.
    fn without_refused(&mut self, why: Refusal, refused: &mut usize) -> Result<Sent, StoreError> {
        let mut found = self.outbox.isolate(&mut self.mirror, why);
        loop {
            match found {
                RefusedEntry::Found { commit, why } => {
                    self.drop_refused(commit, &why.to_string())?;
                    *refused += 1;
                    if *refused == MOST_REFUSED {
                        return Ok(self.outbox.send(&mut self.mirror));
                    }
                    found = self.outbox.send_first(&mut self.mirror);
                }
                RefusedEntry::None => return Ok(Sent::Confirmed),
                RefusedEntry::Stopped(sent) => return Ok(sent),
            }
        }
    }

    /// Rule 9: one cluster's refused entry does not hold up the others. Its ledger goes back to what the branch says, unless a node is out.
    fn drop_refused(&mut self, entry: Oid, why: &str) -> Result<(), StoreError> {
        let Some(base) = self.outbox.base() else { return Ok(()) };
        let facts = self.mirror.commit(entry).map_err(local)?;
        let cluster = about(&facts.message);
        // Where its files were before, and where the entry put them.
        let changes = self.mirror.changed(facts.parents.first().copied(), entry, CLUSTERS).map_err(local)?;
        let folders: BTreeSet<String> =
            changes.iter().filter_map(|c| c.path.rsplit_once('/')).map(|(folder, _)| folder.to_owned()).collect();
        let left = self.outbox.reparent(&self.mirror, &self.key, base, &BTreeSet::from([entry]), &part_of).map_err(local)?.left;
        let Some(cluster) = cluster else { return Ok(()) };
        warn!(%cluster, why, "the server refused this cluster's entry");
        self.refused.insert(cluster.clone(), why.to_owned());
        let mut events = Vec::new();
        for conflict in &left {
            for folder in &folders {
                if let Ok(Some(facts)) = self.facts_at(conflict.commit, folder) {
                    events.extend(facts.events);
                }
            }
        }
        let newest = self.clusters.remove(&cluster).as_ref().and_then(Tracked::newest);
        folders.iter().for_each(|folder| drop(self.folders.remove(folder)));
        let epoch = self.claim.as_ref().map(|c| c.epoch.clone());
        let there: Vec<String> = folders.iter().filter(|f| matches!(self.facts_at(base, f), Ok(Some(_)) | Err(_))).cloned().collect();
        // What the branch says of revisions is older than what the source knows.
        let known = self.share(|shared| shared.clone());
        self.load(&cluster, &there, base, epoch.as_ref());
        self.share(|shared| *shared = known);
        let words = self.words_since(&cluster, base)?;
        if let Some(Ok(ledger)) = self.clusters.get_mut(&cluster).map(|tracked| tracked.ledger.as_mut()) {
            words.into_iter().for_each(|word| ledger.apply(&Event::Word(word), Stamp::Unknown));
        }
        if let Some(newest) = newest {
            self.keep_unwritten(Facts { events, ..newest }, why);
        }
        Ok(())
    }

    /// What was said to a cluster, and heard, since its last entry on the branch, oldest first.
    fn words_since(&self, cluster: &ClusterName, base: Oid) -> Result<Vec<Word>, StoreError> {
        let Some(claim) = &self.claim else { return Ok(Vec::new()) };
        let heard = match self.classified {
            Some(heard) if self.mirror.is_ancestor(base, heard).map_err(local)? => heard,
            Some(_) | None => base,
        };
        let mut words = Vec::new();
        let mut entry = false;
        for came in line::came(&self.mirror, &|commit| self.ours(commit), claim.commit, heard)?.into_iter().rev() {
            let Came::Put(commit) = came else { continue };
            let facts = self.mirror.commit(commit).map_err(local)?;
            match self.word(commit, facts.parents.first().copied())? {
                Some(Said::Cluster { cluster: to, word }) if to == *cluster => words.push(word),
                Some(Said::ClockEverywhere { reason }) => words.push(Word::Clock { reason }),
                Some(Said::Cluster { .. } | Said::Accept { .. } | Said::AcceptStatus { .. }) => {}
                None if about(&facts.message).as_ref() == Some(cluster) && self.ours(commit) => {
                    entry = true;
                    break;
                }
                None => {}
            }
        }
        if !entry {
            words.extend(self.unheard.iter().rev().filter(|unheard| unheard.cluster == *cluster).map(|unheard| unheard.word.clone()));
        }
        words.reverse();
        Ok(words)
    }
}

/// A cluster's part of the tree is its two files together: who changed one of them has written to the cluster, and a folder below may be that of another one.
/// Everything else is its own part.
fn part_of(path: &str) -> Vec<String> {
    match path.rsplit_once('/') {
        Some((folder, FACTS_FILE | STATUS_FILE)) => [FACTS_FILE, STATUS_FILE].map(|file| format!("{folder}/{file}")).to_vec(),
        Some(_) | None => vec![path.to_owned()],
    }
}

fn transition(record: Record, ledger: Ledger) -> Transition {
    let w = &record.wanted;
    let wanted = Wanted {
        path: w.path.clone(),
        revision: w.revision.clone(),
        desired: (*w.desired).clone(),
        connection: w.connection.clone(),
        problem: w.problem.clone(),
        warnings: w.warnings.clone(),
    };
    Transition {
        cluster: record.cluster,
        at: record.at,
        stamp: record.stamp,
        events: record.events,
        decision: record.decision,
        report: record.report,
        observed: record.observed,
        remote: record.remote,
        stop: record.stop,
        wanted,
        ledger,
    }
}
