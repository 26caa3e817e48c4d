//! What a cluster's entries on the status branch add up to. Pure: the same entries, the same ledger.

mod entry;
#[cfg(test)]
mod tests;

pub use entry::{AGAIN, Abandoned, BLOCK, CANCEL, Event, Failure, Intent, Outcome, RETURN, TOMB, Word};

use crate::desired::Target;
use crate::ids::{Epoch, MachineUuid, NodeId, NodeName, Place, Revision, Seq, SpecHash};
use crate::step::{Purpose, Step};
use crate::time::{Millis, Stamp, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many earlier epochs are remembered; a node that was away for longer is met by its fence alone.
pub const HEIGHTS: usize = 64;

/// How many durations are remembered per step; enough for a median and a 95th percentile, bounded (S12).
pub const DURATIONS: usize = 20;

/// A node that we took out: from Vacate's opening until Return closes Done, or Vacate closes proven unperformed (rule 17).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Out {
    /// Which.
    pub node: NodeId,
    /// The Vacate, the latest if there was more than one.
    pub vacate: Place,
    /// Why.
    pub purpose: Purpose,
    /// Whether Vacate has closed Done.
    pub vacated: bool,
    /// Set once nothing but its return is wanted any more.
    pub returning: bool,
    /// Since when.
    pub since: Stamp,
}

/// A node that has returned and whose storage heals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Settling {
    /// Which.
    pub node: NodeId,
    /// Why it was out.
    pub purpose: Purpose,
    /// Since when.
    pub since: Stamp,
}

/// One node's attempts at one target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempts {
    /// The machine they were made on.
    pub machine: MachineUuid,
    /// The target.
    pub target: Target,
    /// The current one; counted from 1, never used for two commits.
    pub number: u8,
    /// The first one that a person's last word allowed.
    pub first: u8,
    /// Entries of the current attempt by step.
    pub entries: BTreeMap<Step, u8>,
    /// The last failure.
    pub last: Option<Failed>,
    /// Set by a rollback: nothing more until a person acts (rule 24).
    pub spent: bool,
    /// The attempt that an Install was opened for last: what one attempt began is taken up again, never begun anew.
    pub installed: Option<u8>,
}

impl Attempts {
    /// Attempts used up since a person's last word.
    pub fn used(&self) -> u8 {
        self.number.saturating_sub(self.first)
    }
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// At which step.
    pub step: Step,
    /// Why.
    pub why: Failure,
    /// When.
    pub at: Stamp,
}

/// The three revisions of a cluster: looked at, acted for, reached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revisions {
    /// The last that changed this cluster's inputs.
    pub observed: Option<Revision>,
    /// The last that an intent was opened for.
    pub attempted: Option<Revision>,
    /// The last that every node was seen to satisfy.
    pub applied: Option<Revision>,
}

/// The state of one cluster's entries.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The claim under which the next entry is written.
    pub epoch: Epoch,
    /// The number that the next intent takes.
    pub next: Seq,
    /// How far the numbers of earlier epochs went: a node that remembers more shows that entries were lost (rule 26).
    #[serde(default)]
    pub heights: BTreeMap<u32, Place>,
    /// The open intent; at most one (S14).
    pub open: Option<Intent>,
    /// The intent opened last, open or not: its block has the names of the way back.
    pub last: Option<Intent>,
    /// The node that is out; at most one.
    pub out: Option<Out>,
    /// The node that has returned and has not settled.
    pub settling: Option<Settling>,
    /// Attempts by node.
    pub attempts: BTreeMap<NodeName, Attempts>,
    /// Nodes that owe a tombstone: a fence at least this high, before the next order and before they count as Up (rule 22).
    pub owes: BTreeMap<NodeName, Place>,
    /// Who each node is, as first met or as a person accepted.
    pub known: BTreeMap<NodeName, NodeId>,
    /// Nodes that a person declared gone.
    pub gone: BTreeMap<NodeName, String>,
    /// The revisions.
    pub revisions: Revisions,
    /// The effective inputs that were applied last.
    pub applied_spec: Option<SpecHash>,
    /// How long steps took, newest last.
    pub durations: BTreeMap<Step, Vec<Millis>>,
    /// When the first node of the current target was begun.
    pub run_began: Option<(Target, Stamp)>,
    /// The latest stamp of any entry.
    pub last_stamp: Option<Timestamp>,
    /// Set when a person accepted a clock that ran backwards; the next stamp is taken as it is.
    pub clock_accepted: bool,
    /// When the current kind of decision and blocker began.
    pub since: Option<(String, Stamp)>,
    /// Why what stands on the watched branch does not count, as last told; nothing when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Ledger {
    /// The ledger of a cluster that no entry names.
    pub fn new(epoch: Epoch) -> Ledger {
        Ledger {
            epoch,
            next: 1,
            heights: BTreeMap::new(),
            open: None,
            last: None,
            out: None,
            settling: None,
            attempts: BTreeMap::new(),
            owes: BTreeMap::new(),
            known: BTreeMap::new(),
            gone: BTreeMap::new(),
            revisions: Revisions::default(),
            applied_spec: None,
            durations: BTreeMap::new(),
            run_began: None,
            last_stamp: None,
            clock_accepted: false,
            since: None,
            refused: None,
        }
    }

    /// Numbers below `next` were given out under this claim to other clusters, and a node of one of those may be this cluster's now: what it heard then is known,
    /// and nothing that it would refuse is begun. Once this cluster has opened an intent, its numbers are its own.
    pub fn begin_above(&mut self, next: Seq) {
        if self.last.is_none() {
            self.next = self.next.max(next);
        }
    }

    /// Whether nothing is under way: no intent is open, and no node is out.
    pub fn at_rest(&self) -> bool {
        self.open.is_none() && self.out.is_none()
    }

    /// When the run towards `target` becomes one to be warned of, if it has begun: `limit` after its first node was taken.
    pub fn late_from(&self, target: Target, limit: Option<Millis>) -> Option<Timestamp> {
        let (of, began) = self.run_began?;
        (of == target).then_some(began.known()? + limit?)
    }

    /// The claim's own place: what every node's fence must reach before it is taken out (rule 13).
    pub fn claim(&self) -> Place {
        Place { epoch: self.epoch.clone(), seq: 0 }
    }

    /// The highest place that any order of this ledger can carry; a node that shows a higher one remembers more than we do (rule 26).
    pub fn ceiling(&self) -> Place {
        Place { epoch: self.epoch.clone(), seq: self.next.saturating_sub(1) }
    }

    /// The number and the block at which the next intent stands.
    ///
    /// A Return of an out node, and a Restart after one that committed, take the numbers that the last block of this epoch reserved for them,
    /// so that they have the same names with and without git. `again` is the Restart that only restarts.
    pub fn place_for(&self, step: Step, again: bool) -> (Seq, Seq) {
        // A node that owes a tombstone for the block refuses everything below it.
        let barred = |i: &&Intent| self.owes.get(&i.node.name).is_some_and(|owed| owed.epoch == self.epoch && owed.seq >= i.base);
        let reserved = self.last.as_ref().filter(|i| i.entry.place.epoch == self.epoch && !barred(i));
        match (step, reserved) {
            (Step::Return, Some(i)) if i.entry.place.seq < i.base + RETURN => (i.base + RETURN, i.base),
            (Step::Restart, Some(i)) if again && i.step == Step::Restart && i.entry.place.seq < i.base + AGAIN => (i.base + AGAIN, i.base),
            (Step::Return | Step::Restart, Some(_) | None) => (self.next, self.next),
            (Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Settle, Some(_) | None) => (self.next, self.next),
        }
    }

    /// Whether a node that remembers `place` remembers more than this ledger (rule 26); `None` for another claim of one of our numbers.
    pub fn knows(&self, place: &Place) -> Option<bool> {
        if place.epoch.number >= self.epoch.number {
            return place.compare(&self.ceiling()).map(|order| order.is_le());
        }
        match self.heights.get(&place.epoch.number) {
            Some(height) => place.compare(height).map(|order| order.is_le()),
            // A claim under which this cluster had no entry raised fences, and nothing else. Before what is remembered nothing can be said.
            None => {
                let remembered = self.heights.first_key_value().is_some_and(|(first, _)| *first < place.epoch.number);
                Some(!remembered || place.seq == 0)
            }
        }
    }

    /// The attempts of a node at a target; fresh ones when the machine or the release is another.
    pub fn attempts_of(&self, node: &NodeId, target: Target) -> Attempts {
        let fresh = |number| Attempts {
            machine: node.machine.clone(),
            target,
            number,
            first: number,
            entries: BTreeMap::new(),
            last: None,
            spent: false,
            installed: None,
        };
        match self.attempts.get(&node.name) {
            // Another floor of the same release is the same upgrade: a merge does not undo what only a person may.
            Some(a) if a.machine == node.machine && a.target.version == target.version => Attempts { target, ..a.clone() },
            // Numbers never repeat on one machine, whatever it was asked for in between (rule 24).
            Some(a) if a.machine == node.machine => fresh(a.number.saturating_add(1)),
            Some(_) | None => fresh(1),
        }
    }

    /// A person claimed above whatever the nodes remember (`init --adopt`): what they remember of earlier claims is no contradiction any more.
    pub fn adopt(&mut self) {
        self.heights.clear();
    }

    /// The ledger after one more entry.
    pub fn apply(&mut self, event: &Event, stamp: Stamp) {
        if let Stamp::At(t) = stamp {
            self.last_stamp = match self.last_stamp {
                Some(last) if !self.clock_accepted => Some(last.max(t)),
                Some(_) | None => Some(t),
            };
            self.clock_accepted = false;
        }
        match event {
            // An older claim that is read again says nothing new.
            Event::Claimed { epoch } if epoch.number < self.epoch.number => {}
            Event::Claimed { epoch } => {
                if epoch.number > self.epoch.number {
                    self.heights.insert(self.epoch.number, self.ceiling());
                }
                while self.heights.len() > HEIGHTS {
                    self.heights.pop_first();
                }
                self.epoch = epoch.clone();
                self.next = 1;
            }
            Event::Met(ids) => {
                self.since = None;
                for id in ids {
                    self.met(id);
                }
            }
            // Entries that are read twice (rules 6 and 8) count once.
            Event::Opened(intent) if self.open.as_ref().is_some_and(|open| open.entry == intent.entry) => {}
            Event::Opened(intent) => {
                self.since = None;
                self.opened(intent, stamp);
            }
            Event::Cancelled(entry) if self.open.as_ref().and_then(Intent::cancel_entry).as_ref() != Some(entry) => {}
            Event::Cancelled(_) => {
                self.since = None;
                for intent in [&mut self.open, &mut self.last].into_iter().flatten() {
                    intent.cancelled = Some(stamp);
                }
                if let Some(out) = &mut self.out {
                    out.returning = true;
                }
            }
            Event::Closed { entry, .. } if self.open.as_ref().is_none_or(|open| open.entry != *entry) => {}
            Event::Closed { outcome, heard, .. } => {
                self.since = None;
                if let Some(intent) = self.open.take() {
                    self.closed(&intent, outcome, *heard, stamp);
                }
            }
            Event::Noted { state } => {
                if self.since.as_ref().is_none_or(|(was, _)| was != state) {
                    self.since = Some((state.clone(), stamp));
                }
            }
            Event::Applied { revision, spec } => {
                self.revisions.applied = Some(revision.clone());
                self.applied_spec = Some(spec.clone());
                self.run_began = None;
            }
            Event::Read(revision) => self.revisions.observed = Some(revision.clone()),
            Event::Refused { problem } => self.refused = problem.clone(),
            Event::Word(word) => self.word(word, stamp),
        }
    }

    /// A machine that a person let in takes the name over; what was begun on the one before it ends here. The same machine as another member (evicted and
    /// added again) is out as it was and is brought back: what was sent to it before, it refuses.
    fn met(&mut self, id: &NodeId) {
        let other = |was: &NodeId| was.name == id.name && was.machine != id.machine;
        let again = |was: &NodeId| was.machine == id.machine && was != id;
        if self.open.as_ref().is_some_and(|i| other(&i.node) || again(&i.node)) {
            self.open = None;
        }
        if self.out.as_ref().is_some_and(|o| other(&o.node)) {
            self.out = None;
        }
        if let Some(out) = self.out.as_mut().filter(|o| again(&o.node)) {
            (out.node, out.returning) = (id.clone(), true);
        }
        if self.settling.as_ref().is_some_and(|s| other(&s.node)) {
            self.settling = None;
        }
        if let Some(settling) = self.settling.as_mut().filter(|s| again(&s.node)) {
            settling.node = id.clone();
        }
        self.known.insert(id.name.clone(), id.clone());
    }

    fn opened(&mut self, intent: &Intent, stamp: Stamp) {
        self.next = self.next.max(intent.base + BLOCK);
        self.revisions.attempted = Some(intent.revision.clone());
        if intent.step == Step::Vacate && self.run_began.as_ref().is_none_or(|(target, _)| *target != intent.target) {
            self.run_began = Some((intent.target, stamp));
        }
        let mut attempts = self.attempts_of(&intent.node, intent.target);
        let entries = attempts.entries.entry(intent.step).or_insert(0);
        *entries = entries.saturating_add(1);
        // A number that is passed over, because what it began cannot be taken up again, costs nobody an attempt.
        let over = intent.attempt.saturating_sub(attempts.number);
        (attempts.number, attempts.first) = (attempts.number + over, attempts.first.saturating_add(over));
        if intent.step == Step::Install {
            attempts.installed = Some(intent.attempt);
        }
        self.attempts.insert(intent.node.name.clone(), attempts);
        match intent.step {
            Step::Vacate => {
                let since = self.out.as_ref().map_or(stamp, |out| out.since);
                self.out = Some(Out {
                    node: intent.node.clone(),
                    vacate: intent.entry.place.clone(),
                    purpose: intent.purpose,
                    vacated: false,
                    returning: false,
                    since,
                });
            }
            Step::Return => {
                if let Some(out) = &mut self.out {
                    out.returning = true;
                }
            }
            Step::WriteRegistry | Step::Reboot | Step::Install | Step::Restart | Step::Settle => {}
        }
        let intent = Intent { opened: stamp, ..intent.clone() };
        self.last = Some(intent.clone());
        self.open = Some(intent);
    }

    fn closed(&mut self, intent: &Intent, outcome: &Outcome, heard: bool, stamp: Stamp) {
        if !heard {
            // Whatever of the intent's block may still arrive is below this.
            self.owes.insert(intent.node.name.clone(), Place { epoch: intent.entry.place.epoch.clone(), seq: intent.base + TOMB });
        }
        match outcome {
            Outcome::Done => self.done(intent, stamp),
            Outcome::Abandoned(_) => {
                self.unperformed(intent, heard);
                self.forget_entry(intent);
            }
            Outcome::Failed(why) => {
                let unchanged = matches!(why, Failure::PlatformRefused);
                if intent.step == Step::Vacate && unchanged {
                    self.unperformed(intent, heard);
                } else if intent.step == Step::Vacate
                    && let Some(out) = &mut self.out
                {
                    out.returning = true;
                }
                self.failed(intent, why, stamp);
            }
            Outcome::Superseded => {
                if let Some(out) = &mut self.out {
                    out.returning = true;
                }
                // What it began may go on, so its number is not used again; it costs nobody an attempt.
                if intent.step == Step::Install {
                    self.failed(intent, &Failure::Cancelled, stamp);
                }
            }
            Outcome::Inherited => self.forget_entry(intent),
        }
    }

    /// A Vacate that took no effect: the node is out no more if that is proven, and else brought back to be sure (rule 17).
    fn unperformed(&mut self, intent: &Intent, heard: bool) {
        if intent.step != Step::Vacate {
            return;
        }
        match &mut self.out {
            Some(out) if !heard => out.returning = true,
            Some(_) | None => self.out = None,
        }
    }

    /// An entry that was never performed, or is gone on from, does not count against the bound of its step.
    fn forget_entry(&mut self, intent: &Intent) {
        if let Some(n) = self.attempts.get_mut(&intent.node.name).and_then(|a| a.entries.get_mut(&intent.step)) {
            *n = n.saturating_sub(1);
        }
    }

    fn done(&mut self, intent: &Intent, stamp: Stamp) {
        if let (Stamp::At(from), Stamp::At(to)) = (intent.opened, stamp) {
            let of = self.durations.entry(intent.step).or_default();
            of.push(to.since(from));
            if of.len() > DURATIONS {
                of.remove(0);
            }
        }
        match intent.step {
            Step::Vacate => {
                if let Some(out) = &mut self.out {
                    out.vacated = true;
                }
            }
            Step::Return => {
                if let Some(out) = self.out.take() {
                    self.settling = Some(Settling { node: out.node, purpose: out.purpose, since: stamp });
                }
            }
            Step::Settle => {
                self.settling = None;
                // The node has been out, came back and healed: the bounds of its steps count anew for its next time out, save for what would make it go
                // out and come back without end.
                if let Some(attempts) = self.attempts.get_mut(&intent.node.name) {
                    attempts.entries.retain(|step, _| step.outlasts_a_return());
                }
            }
            Step::WriteRegistry | Step::Reboot | Step::Install | Step::Restart => {}
        }
    }

    fn failed(&mut self, intent: &Intent, why: &Failure, stamp: Stamp) {
        let mut attempts = self.attempts_of(&intent.node, intent.target);
        attempts.last = Some(Failed { step: intent.step, why: why.clone(), at: stamp });
        match intent.step {
            // What was cancelled was our own wish and costs nobody an attempt, but its number is not used again.
            Step::Vacate | Step::Install | Step::Reboot if matches!(why, Failure::Cancelled) => {
                attempts.number = attempts.number.saturating_add(1);
                attempts.first = attempts.first.saturating_add(1);
                attempts.entries.retain(|step, _| step.outlasts_a_return());
            }
            Step::Vacate | Step::Install | Step::Reboot => {
                attempts.number = attempts.number.saturating_add(1);
                attempts.entries.clear();
            }
            // What was staged stays of use as long as the step has entries left.
            Step::Restart if matches!(why, Failure::Hindered { .. }) => {
                if attempts.entries.get(&Step::Restart).is_some_and(|entries| *entries >= Step::Restart.row().entries) {
                    attempts.number = attempts.number.saturating_add(1);
                    attempts.entries.clear();
                }
            }
            Step::Restart if matches!(why, Failure::RolledBack | Failure::PlatformRefused) => {
                attempts.number = attempts.number.saturating_add(1);
                attempts.entries.clear();
                if matches!(why, Failure::RolledBack) {
                    attempts.spent = true;
                    if let Some(out) = &mut self.out {
                        out.returning = true;
                    }
                }
            }
            // One more entry of the same attempt; its row bounds them.
            Step::Restart => {}
            Step::WriteRegistry | Step::Return | Step::Settle => {}
        }
        self.attempts.insert(intent.node.name.clone(), attempts);
    }

    fn word(&mut self, word: &Word, _stamp: Stamp) {
        match word {
            Word::Retry { node, .. } => {
                // Past its point of no return a node goes forward under the number it has: under another one nothing would remember what was committed.
                let begun = self.last.as_ref().filter(|i| i.step == Step::Restart && i.node.name == *node);
                let begun = begun.filter(|_| self.out.as_ref().is_some_and(|out| out.node.name == *node)).map(|i| i.attempt);
                if let Some(a) = self.attempts.get_mut(node) {
                    if begun != Some(a.number) {
                        a.number = a.number.saturating_add(1);
                    }
                    a.first = a.number;
                    a.entries.clear();
                    a.spent = false;
                }
                self.gone.remove(node);
                // The next observation meets whoever answers.
                self.known.remove(node);
            }
            Word::Gone { node, reason } => {
                self.gone.insert(node.clone(), reason.clone());
                if self.open.as_ref().is_some_and(|i| i.node.name == *node)
                    && let Some(intent) = self.open.take()
                {
                    self.owes.insert(node.clone(), Place { epoch: intent.entry.place.epoch, seq: intent.base + TOMB });
                }
                if self.out.as_ref().is_some_and(|o| o.node.name == *node) {
                    self.out = None;
                }
                if self.settling.as_ref().is_some_and(|s| s.node.name == *node) {
                    self.settling = None;
                }
            }
            Word::Clock { .. } => self.clock_accepted = true,
        }
    }
}
