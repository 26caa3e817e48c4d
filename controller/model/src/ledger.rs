//! What a cluster's entries on the status branch add up to. Pure: the same entries, the same ledger.

use crate::desired::Target;
use crate::ids::{EntryId, Epoch, MachineUuid, NodeId, NodeName, Place, Revision, Seq, SpecHash};
use crate::step::{Purpose, Step};
use crate::time::{Millis, Stamp, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Offset of the Cancel in an intent's block.
pub const CANCEL: Seq = 1;
/// Offset of the Restart that only restarts, in the block of a Restart.
pub const AGAIN: Seq = 2;
/// Offset of the Return in the block of any intent of an out node (rule 19).
pub const RETURN: Seq = 3;
/// Offset of the tombstone: above everything of the block that may still arrive.
pub const TOMB: Seq = 4;
/// Numbers that one intent takes: itself and the four above, so that the way back has its names before it is needed and two of them never collide.
pub const BLOCK: Seq = 5;

/// How many earlier epochs are remembered; a node that was away for longer is met by its fence alone.
pub const HEIGHTS: usize = 64;

/// How many durations are remembered per step; enough for a median and a 95th percentile, bounded (S12).
pub const DURATIONS: usize = 20;

/// An act that was written down before it is performed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Its name.
    pub entry: EntryId,
    /// The first number of the block that `entry` lies in.
    pub base: Seq,
    /// What.
    pub step: Step,
    /// Why the node is out, or will be.
    pub purpose: Purpose,
    /// On whom.
    pub node: NodeId,
    /// The effective inputs it serves.
    pub spec: SpecHash,
    /// The revision they were read at.
    pub revision: Revision,
    /// The target of those inputs.
    pub target: Target,
    /// Which attempt of the node's upgrade to that target.
    pub attempt: u8,
    /// The boot that the node was in when it was opened; another one afterwards shows a restart.
    pub boot: Option<crate::ids::BootId>,
    /// When it was opened; the ledger fills it in.
    pub opened: Stamp,
    /// The mark of a Cancel, once there is one (rule 21).
    pub cancelled: Option<Stamp>,
}

impl Intent {
    fn in_block(&self, offset: Seq) -> EntryId {
        EntryId { cluster: self.entry.cluster.clone(), place: Place { epoch: self.entry.place.epoch.clone(), seq: self.base + offset } }
    }

    /// The entry of its Cancel; none for what stands higher in the block, as a Cancel below it would end nothing.
    pub fn cancel_entry(&self) -> Option<EntryId> {
        (self.entry.place.seq == self.base).then(|| self.in_block(CANCEL))
    }
}

/// How an intent ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Its done-test held over an observation.
    Done,
    /// Proven never to be performed: the node consumed nothing of it and refuses it from now on.
    Abandoned(Abandoned),
    /// It was performed, or may have been, and did not come to its end.
    Failed(Failure),
    /// The way back took its place; the node owes a tombstone when it may not have heard.
    Superseded,
    /// Opened under an older claim; what the node shows is gone on from.
    Inherited,
}

/// Why an intent was given up before it was performed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Abandoned {
    /// The spec no longer asks for it.
    SpecChanged,
    /// A guard to begin no longer held when it was to be performed.
    GuardFailed,
    /// `suspend`, a stop file or a stop mark.
    Suspended,
    /// The window closed and the policy is `Stop`.
    WindowClosed,
}

/// Why an intent failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Failure {
    /// The platform refused the act; nothing changed.
    PlatformRefused,
    /// `DrainStatus` Failed.
    DrainFailed,
    /// The step's time budget ran out.
    TimedOut,
    /// The worker gave up, with its code and what it was doing.
    WorkerFailed {
        /// HRESULT or Setup code.
        code: u32,
        /// What it was doing.
        doing: String,
    },
    /// The worker's process is gone and nothing is staged.
    WorkerDied,
    /// The node came back on the old build.
    RolledBack,
    /// It took no effect.
    NoEffect,
    /// It was ended by a Cancel.
    Cancelled,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::PlatformRefused => f.write_str("the cluster refused it"),
            Failure::DrainFailed => f.write_str("the drain failed"),
            Failure::TimedOut => f.write_str("its time ran out"),
            Failure::WorkerFailed { code, doing } => write!(f, "the installation failed with 0x{code:08X} while {doing}"),
            Failure::WorkerDied => f.write_str("the installation's process is gone"),
            Failure::RolledBack => f.write_str("the node came back on its old build"),
            Failure::NoEffect => f.write_str("it took no effect"),
            Failure::Cancelled => f.write_str("it was cancelled"),
        }
    }
}

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Abandoned::SpecChanged => "the desired state no longer asks for it",
            Abandoned::GuardFailed => "what it needs to begin no longer held",
            Abandoned::Suspended => "the cluster was suspended",
            Abandoned::WindowClosed => "the window closed",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("Done"),
            Outcome::Abandoned(why) => write!(f, "Abandoned: {why}"),
            Outcome::Failed(why) => write!(f, "Failed: {why}"),
            Outcome::Superseded => f.write_str("Superseded"),
            Outcome::Inherited => f.write_str("Inherited"),
        }
    }
}

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
}

/// What happened; one commit each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// A controller claimed the right to write; entry number 0 of every cluster.
    Claimed {
        /// The claim.
        epoch: Epoch,
    },
    /// Nodes were seen for the first time.
    Met(Vec<NodeId>),
    /// An intent was opened.
    Opened(Intent),
    /// The open intent was marked as cancelled.
    Cancelled(EntryId),
    /// The open intent was closed.
    Closed {
        /// Which.
        entry: EntryId,
        /// How.
        outcome: Outcome,
        /// Whether the node was heard to have done with it; if not it owes a tombstone.
        heard: bool,
    },
    /// The decision, its blocker or a condition changed; nothing else.
    Noted {
        /// The kind of decision and its blocker, as one word each.
        state: String,
    },
    /// Every node satisfies the inputs of this revision.
    Applied {
        /// Which.
        revision: Revision,
        /// Its meaning for this cluster.
        spec: SpecHash,
    },
    /// Another revision changed this cluster's inputs.
    Read(Revision),
    /// A person's word.
    Word(Word),
}

/// What a person said, in a signed commit of the status branch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Word {
    /// `drydock node retry`: fresh attempts, and the machine that answers now is the right one.
    Retry {
        /// Which node.
        node: NodeName,
        /// Why.
        reason: String,
    },
    /// `drydock node gone`: the node will not come back; it is nobody's duty to return it.
    Gone {
        /// Which node.
        node: NodeName,
        /// Why.
        reason: String,
    },
    /// `drydock clock accept`: the time of now is right, whatever earlier entries say.
    Clock {
        /// Why.
        reason: String,
    },
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
        }
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
                for id in ids {
                    self.met(id);
                }
            }
            // Entries that are read twice (rules 6 and 8) count once.
            Event::Opened(intent) if self.open.as_ref().is_some_and(|open| open.entry == intent.entry) => {}
            Event::Opened(intent) => self.opened(intent, stamp),
            Event::Cancelled(entry) if self.open.as_ref().and_then(Intent::cancel_entry).as_ref() != Some(entry) => {}
            Event::Cancelled(_) => {
                for intent in [&mut self.open, &mut self.last].into_iter().flatten() {
                    intent.cancelled = Some(stamp);
                }
                if let Some(out) = &mut self.out {
                    out.returning = true;
                }
            }
            Event::Closed { entry, .. } if self.open.as_ref().is_none_or(|open| open.entry != *entry) => {}
            Event::Closed { outcome, heard, .. } => {
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
            Event::Word(word) => self.word(word, stamp),
        }
    }

    /// A machine that a person let in takes the name over; what was begun on the one before it ends here.
    fn met(&mut self, id: &NodeId) {
        let other = |was: &NodeId| was.name == id.name && was.machine != id.machine;
        if self.open.as_ref().is_some_and(|i| other(&i.node)) {
            self.open = None;
        }
        if self.out.as_ref().is_some_and(|o| other(&o.node)) {
            self.out = None;
        }
        if self.settling.as_ref().is_some_and(|s| other(&s.node)) {
            self.settling = None;
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
                // The node has been out, came back and healed: the bounds of its steps count anew for its next time out.
                if let Some(attempts) = self.attempts.get_mut(&intent.node.name) {
                    attempts.entries.clear();
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
                attempts.entries.clear();
            }
            Step::Vacate | Step::Install | Step::Reboot => {
                attempts.number = attempts.number.saturating_add(1);
                attempts.entries.clear();
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
                if let Some(a) = self.attempts.get_mut(node) {
                    a.number = a.number.saturating_add(1);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Version;

    fn node() -> NodeId {
        NodeId { name: "N01".parse().unwrap(), machine: "m1".parse().unwrap(), cluster: "c".parse().unwrap(), node: "1".parse().unwrap() }
    }

    fn ledger() -> Ledger {
        Ledger::new(Epoch { number: 3, nonce: "ab".parse().unwrap() })
    }

    fn open(ledger: &mut Ledger, step: Step, target: Target) -> Intent {
        let (seq, base) = ledger.place_for(step, false);
        let intent = Intent {
            entry: EntryId { cluster: "north".parse().unwrap(), place: Place { epoch: ledger.epoch.clone(), seq } },
            base,
            step,
            purpose: Purpose::Upgrade,
            node: node(),
            spec: "s".parse().unwrap(),
            revision: "aa".parse().unwrap(),
            target,
            attempt: ledger.attempts_of(&node(), target).number,
            boot: None,
            opened: Stamp::Unknown,
            cancelled: None,
        };
        ledger.apply(&Event::Opened(intent.clone()), Stamp::At(Timestamp(0)));
        intent
    }

    fn close(ledger: &mut Ledger, intent: &Intent, outcome: Outcome, heard: bool) {
        ledger.apply(&Event::Closed { entry: intent.entry.clone(), outcome, heard }, Stamp::At(Timestamp(9)));
    }

    const TO_23H2: Target = Target { version: Version::V23H2, revision: 0 };
    const TO_24H2: Target = Target { version: Version::V24H2, revision: 0 };

    #[test]
    fn attempt_numbers_never_repeat_on_one_machine() {
        let mut ledger = ledger();
        open(&mut ledger, Step::Vacate, TO_23H2);
        assert_eq!(ledger.attempts_of(&node(), TO_24H2).number, 2);
        assert_eq!(ledger.attempts_of(&NodeId { machine: "m2".parse().unwrap(), ..node() }, TO_23H2).number, 1);
    }

    #[test]
    fn a_rollback_stays_spent_when_only_the_floor_changes() {
        let mut ledger = ledger();
        let restart = open(&mut ledger, Step::Restart, TO_23H2);
        close(&mut ledger, &restart, Outcome::Failed(Failure::RolledBack), true);
        assert!(ledger.attempts_of(&node(), Target { revision: 1_611, ..TO_23H2 }).spent);
    }

    #[test]
    fn a_return_takes_its_reserved_number_unless_a_tombstone_bars_it() {
        let mut ledger = ledger();
        let vacate = open(&mut ledger, Step::Vacate, TO_23H2);
        assert_eq!(ledger.place_for(Step::Return, false), (1 + RETURN, 1));
        close(&mut ledger, &vacate, Outcome::Superseded, false);
        assert_eq!(ledger.place_for(Step::Return, false), (1 + BLOCK, 1 + BLOCK));
    }

    #[test]
    fn a_vacate_that_may_still_arrive_leaves_its_node_out() {
        for (heard, out) in [(true, false), (false, true)] {
            let mut ledger = ledger();
            let vacate = open(&mut ledger, Step::Vacate, TO_23H2);
            close(&mut ledger, &vacate, Outcome::Abandoned(Abandoned::GuardFailed), heard);
            assert_eq!(ledger.out.is_some(), out);
            assert_eq!(ledger.owes.is_empty(), heard);
        }
    }

    #[test]
    fn entries_that_are_read_twice_count_once() {
        let mut ledger = ledger();
        let vacate = open(&mut ledger, Step::Vacate, TO_23H2);
        ledger.apply(&Event::Opened(vacate.clone()), Stamp::At(Timestamp(1)));
        assert_eq!(ledger.attempts_of(&node(), TO_23H2).entries.get(&Step::Vacate), Some(&1));
        close(&mut ledger, &vacate, Outcome::Done, true);
        let install = open(&mut ledger, Step::Install, TO_23H2);
        close(&mut ledger, &vacate, Outcome::Done, true);
        assert_eq!(ledger.open.as_ref().map(|i| &i.entry), Some(&install.entry));
    }

    #[test]
    fn a_node_that_remembers_more_than_an_earlier_claim_wrote_is_noticed() {
        let mut ledger = ledger();
        open(&mut ledger, Step::Vacate, TO_23H2);
        let old = ledger.epoch.clone();
        ledger.apply(&Event::Claimed { epoch: Epoch { number: 4, nonce: "cd".parse().unwrap() } }, Stamp::Unknown);
        let shows = |epoch: &Epoch, seq| Place { epoch: epoch.clone(), seq };
        assert_eq!(ledger.knows(&shows(&old, BLOCK)), Some(true));
        assert_eq!(ledger.knows(&shows(&old, BLOCK + 1)), Some(false));
        assert_eq!(ledger.knows(&shows(&Epoch { number: 3, nonce: "xx".parse().unwrap() }, 1)), None);
        ledger.adopt();
        assert_eq!(ledger.knows(&shows(&old, BLOCK + 1)), Some(true));
    }
}
