//! The laws over what happened: the entries of one cluster in their order, and the effects on its nodes as somebody truthful recorded them.
//!
//! Keeps its own account and does not use the ledger's: what the ledger gets wrong is found here. Bounded memory; events and effects come in the order
//! in which they happened.

use crate::effect::{Effect, EffectKind, reserved, says};
use crate::law::{LawId, Violation};
use drydock_model::desired::Target;
use drydock_model::ids::{ClusterName, EntryId, Epoch, NodeId, NodeName, Place};
use drydock_model::ledger::{Abandoned, Event, Failure, Intent, Outcome, Word};
use drydock_model::step::Step;
use drydock_model::time::{Millis, Stamp, Timestamp};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Blocks whose effects can still be told; an effect of an older one is by then an old order that changed something.
const RECENT: usize = 64;

/// Machines that one cluster can have had; more means that identities are not what they should be.
const MACHINES: usize = 256;

/// Stamps are taken only while the controller's clock is within two minutes of the nodes', so two of them are at most this far out of order (rule 15).
const DISORDER: Millis = Millis::minutes(4);

/// What is known of one cluster's past.
#[derive(Debug, Clone)]
pub struct History {
    cluster: ClusterName,
    epoch: Option<Epoch>,
    /// The highest epoch that every node has heard: a node is taken out only then.
    fenced: u32,
    last: Option<Place>,
    stamp: Option<Timestamp>,
    open: Option<Intent>,
    /// The intent that a person's word ended.
    taken: Option<Intent>,
    recent: VecDeque<Past>,
    /// The node that is out by the entries.
    out: Option<NodeId>,
    /// Nodes that are out in earnest.
    away: BTreeMap<NodeName, EntryId>,
    /// Nodes that were out when a person declared them gone.
    gone: BTreeSet<NodeName>,
    known: BTreeMap<NodeName, NodeId>,
    machines: BTreeMap<NodeId, Machine>,
    stopped: bool,
}

#[derive(Debug, Clone)]
struct Past {
    intent: Intent,
    /// Set once it was closed as proven never to be performed.
    never: bool,
}

/// What was done to one machine.
#[derive(Debug, Clone, Default)]
struct Machine {
    /// The newest place that it has acted on or heard.
    heard: Option<Place>,
    restarted: Option<Place>,
    opened: BTreeMap<Target, u8>,
    installed: BTreeMap<Target, u8>,
    committed: BTreeMap<Target, u8>,
}

impl History {
    /// Nothing has happened yet.
    pub fn new(cluster: ClusterName) -> History {
        History {
            cluster,
            epoch: None,
            fenced: 0,
            last: None,
            stamp: None,
            open: None,
            taken: None,
            recent: VecDeque::new(),
            out: None,
            away: BTreeMap::new(),
            gone: BTreeSet::new(),
            known: BTreeMap::new(),
            machines: BTreeMap::new(),
            stopped: false,
        }
    }

    /// From now on a stop (`suspend`, a stop file or a stop mark) is seen, or is seen no more.
    pub fn stopped(&mut self, seen: bool) {
        self.stopped = seen;
    }

    /// A node has heard of a place: nothing older may change it from now on.
    pub fn heard(&mut self, node: &NodeId, place: &Place) {
        let Some(machine) = self.machine(node) else { return };
        if machine.heard.as_ref().is_none_or(|heard| place.compare(heard).is_some_and(Ordering::is_gt)) {
            machine.heard = Some(place.clone());
        }
    }

    /// One more entry, and what is wrong with it.
    pub fn event(&mut self, event: &Event, stamp: Stamp) -> Vec<Violation> {
        let mut found = Vec::new();
        self.stamped(event, stamp, &mut found);
        match event {
            Event::Claimed { epoch } => self.claimed(epoch, &mut found),
            Event::Met(ids) => ids.iter().for_each(|id| self.met(id, &mut found)),
            Event::Opened(intent) => self.opened(intent, &mut found),
            Event::Cancelled(entry) => self.cancelled(entry, stamp, &mut found),
            Event::Closed { entry, outcome, heard } => self.closed(entry, outcome, *heard, &mut found),
            Event::Word(word) => self.word(word),
            Event::Noted { .. } | Event::Applied { .. } | Event::Read(_) | Event::Refused { .. } => {}
        }
        found
    }

    /// One more effect, and what is wrong with it.
    pub fn effect(&mut self, effect: &Effect) -> Vec<Violation> {
        let mut found = Vec::new();
        let what = format!("{} of {} by {}", effect.kind, effect.node.name, effect.entry);
        self.written(effect, &what, &mut found);
        self.newest(effect, &what, &mut found);
        self.once(effect, &what, &mut found);
        self.one_away(effect, &what, &mut found);
        found
    }

    /// How many blocks are kept.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.recent.len()
    }

    /// The account of one machine; none once there have been too many.
    fn machine(&mut self, node: &NodeId) -> Option<&mut Machine> {
        if self.machines.len() >= MACHINES && !self.machines.contains_key(node) {
            return None;
        }
        Some(self.machines.entry(node.clone()).or_default())
    }

    /// What is wrong when nothing more is going to happen: every node that went out is back, and nothing is half done.
    pub fn at_rest(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        if let Some(out) = &self.out {
            found.push(broken(LawId::S3, format!("{} is out by the ledger and was not brought back", out.name)));
        }
        for (node, entry) in &self.away {
            found.push(broken(LawId::S3, format!("{node} was taken out by {entry} and was not brought back")));
        }
        if let Some(open) = &self.open {
            found.push(broken(LawId::L1, format!("{} of {} is still open as {}", open.step, open.node.name, open.entry)));
        }
        found
    }

    fn stamped(&mut self, event: &Event, stamp: Stamp, found: &mut Vec<Violation>) {
        if let Stamp::At(at) = stamp {
            if let Some(last) = self.stamp.filter(|last| at < *last && at.distance(*last) > DISORDER) {
                found.push(broken(LawId::S8, format!("an entry is stamped {at}, and one before it {last}")));
            }
            self.stamp = Some(self.stamp.map_or(at, |last| last.max(at)));
        }
        if let Event::Word(Word::Clock { .. }) = event {
            self.stamp = None;
        }
    }

    fn claimed(&mut self, epoch: &Epoch, found: &mut Vec<Violation>) {
        if let Some(last) = self.epoch.as_ref().filter(|last| epoch.number <= last.number) {
            found.push(broken(LawId::S8, format!("claim {epoch} comes after {last}")));
        }
        self.epoch = Some(epoch.clone());
    }

    /// A machine that a person let in takes the name over, and what was begun on the one before it ends.
    fn met(&mut self, id: &NodeId, found: &mut Vec<Violation>) {
        if let Some(known) = self.known.insert(id.name.clone(), id.clone()).filter(|known| known != id) {
            found.push(broken(LawId::S6, format!("{id} takes the place of {known} without a person's word")));
        }
        let before = |was: &NodeId| was.name == id.name && was.machine != id.machine;
        self.open.take_if(|open| before(&open.node));
        if self.out.take_if(|out| before(out)).is_some() {
            self.away.remove(&id.name);
        }
    }

    fn opened(&mut self, intent: &Intent, found: &mut Vec<Violation>) {
        let (entry, place) = (&intent.entry, &intent.entry.place);
        let what = format!("{} of {} as {entry}", intent.step, intent.node.name);
        if entry.cluster != self.cluster {
            found.push(broken(LawId::S14, format!("{what} stands among the entries of {}", self.cluster)));
        }
        if self.epoch.as_ref() != Some(&place.epoch) {
            found.push(broken(LawId::S9, format!("{what} is opened under a claim that is not the newest")));
        }
        if let Some(open) = &self.open {
            found.push(broken(LawId::S14, format!("{what} is opened while {} is open", open.entry)));
        }
        if let Some(last) = self.last.as_ref().filter(|last| !place.compare(last).is_some_and(Ordering::is_gt)) {
            found.push(broken(LawId::S14, format!("{what} is opened after {last}")));
        }
        if self.stopped && self.begins(intent) {
            found.push(broken(LawId::S11, format!("{what} begins after a stop was seen")));
        }
        match self.machine(&intent.node) {
            None => found.push(broken(LawId::S12, format!("{what} is for one machine more than {MACHINES}"))),
            Some(machine) => {
                let attempt = machine.opened.entry(intent.target).or_insert(intent.attempt);
                if *attempt > intent.attempt {
                    found.push(broken(LawId::S5, format!("{what} goes back from attempt {attempt} to {}", intent.attempt)));
                }
                *attempt = intent.attempt.max(*attempt);
            }
        }
        match (intent.step, &self.out) {
            (Step::Vacate, Some(out)) if *out != intent.node => {
                found.push(broken(LawId::S1, format!("{what} is opened while {} is out", out.name)));
            }
            (Step::Install | Step::Restart | Step::Reboot, out) if out.as_ref() != Some(&intent.node) => {
                found.push(broken(LawId::S1, format!("{what} is opened on a node that is not out")));
            }
            (Step::Vacate | Step::Install | Step::Restart | Step::Reboot | Step::WriteRegistry | Step::Return | Step::Settle, _) => {}
        }
        if intent.step == Step::Vacate {
            self.out = Some(intent.node.clone());
        }
        self.last = Some(place.clone());
        self.open = Some(intent.clone());
        self.recent.push_back(Past { intent: intent.clone(), never: false });
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// Whether a person may forbid it: all but the way back.
    fn begins(&self, intent: &Intent) -> bool {
        match intent.step {
            Step::Return | Step::Settle => false,
            Step::Restart => {
                let committed = self.machines.get(&intent.node).and_then(|m| m.committed.get(&intent.target));
                committed != Some(&intent.attempt)
            }
            Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install => true,
        }
    }

    fn cancelled(&mut self, entry: &EntryId, stamp: Stamp, found: &mut Vec<Violation>) {
        match &mut self.open {
            None if self.taken.as_ref().and_then(Intent::cancel_entry).as_ref() == Some(entry) => {}
            Some(open) if open.cancel_entry().as_ref() != Some(entry) => {
                found.push(broken(LawId::S14, format!("{entry} is not the Cancel of the open {}", open.entry)));
            }
            Some(open) if open.cancelled.is_some() => found.push(broken(LawId::S14, format!("{} is cancelled twice", open.entry))),
            Some(open) => open.cancelled = Some(stamp),
            None => found.push(broken(LawId::S14, format!("{entry} cancels something that is not open"))),
        }
    }

    fn closed(&mut self, entry: &EntryId, outcome: &Outcome, heard: bool, found: &mut Vec<Violation>) {
        if self.taken.as_ref().is_some_and(|taken| taken.entry == *entry) {
            self.taken = None;
            return;
        }
        let Some(open) = self.open.take_if(|open| open.entry == *entry) else {
            return found.push(broken(LawId::S14, format!("{entry} is closed and was not open")));
        };
        let never = match outcome {
            Outcome::Abandoned(Abandoned::SpecChanged | Abandoned::GuardFailed | Abandoned::Suspended | Abandoned::WindowClosed)
            | Outcome::Failed(Failure::PlatformRefused | Failure::Hindered { .. }) => true,
            Outcome::Done | Outcome::Failed(_) | Outcome::Superseded | Outcome::Inherited => false,
        };
        if let Some(past) = self.recent.iter_mut().find(|past| past.intent.entry == *entry) {
            past.never = never && heard;
        }
        match open.step {
            // Closed unheard, the node stays out until its Return.
            Step::Vacate if never => {
                if let Some(by) = self.away.get(&open.node.name).filter(|by| heard || *by == entry) {
                    found.push(broken(
                        LawId::S14,
                        format!("{entry} is closed as never performed, and {} was taken out by {by}", open.node.name),
                    ));
                }
                self.out.take_if(|_| heard);
            }
            Step::Return if *outcome == Outcome::Done => {
                self.out = None;
                self.away.remove(&open.node.name);
            }
            Step::Vacate | Step::Return | Step::WriteRegistry | Step::Reboot | Step::Install | Step::Restart | Step::Settle => {}
        }
    }

    fn word(&mut self, word: &Word) {
        match word {
            Word::Retry { node, .. } => {
                self.known.remove(node);
            }
            Word::Gone { node, .. } => {
                // What was written of it while the branch could not be reached may stand after the word.
                self.taken = self.open.take_if(|open| open.node.name == *node).or(self.taken.take());
                self.out.take_if(|out| out.name == *node);
                // What was sent to it before may still happen there, in service it is not.
                if self.away.remove(node).is_some() {
                    self.gone.insert(node.clone());
                }
            }
            Word::Clock { .. } => {}
        }
    }

    /// S14: there is an entry for it, and it says so.
    fn written(&self, effect: &Effect, what: &str, found: &mut Vec<Violation>) {
        let of_block = self.recent.iter().rev().find(|past| {
            let intent = &past.intent;
            effect.entry == intent.entry || (effect.entry.cluster == self.cluster && reserved(intent, effect))
        });
        let Some(past) = of_block else {
            return found.push(broken(LawId::S14, format!("{what} was never opened, or is one of more than {RECENT} before")));
        };
        let intent = &past.intent;
        if intent.node != effect.node {
            found.push(broken(LawId::S6, format!("{what} was opened for {}", intent.node)));
        }
        if effect.entry != intent.entry {
            return;
        }
        if past.never {
            found.push(broken(LawId::S14, format!("{what} comes after it was closed as never performed")));
        }
        if !says(intent, effect.kind) {
            found.push(broken(LawId::S6, format!("{what} was opened as {} in attempt {}", intent.step, intent.attempt)));
        }
    }

    /// S9: nothing older than what the node has heard changes it, nor of a claim older than the one that every node had heard.
    fn newest(&mut self, effect: &Effect, what: &str, found: &mut Vec<Violation>) {
        let place = &effect.entry.place;
        let fenced = self.fenced;
        let Some(machine) = self.machine(&effect.node) else {
            return found.push(broken(LawId::S12, format!("{what} is on one machine more than {MACHINES}")));
        };
        if let Some(heard) = machine.heard.as_ref().filter(|heard| !place.compare(heard).is_some_and(Ordering::is_ge)) {
            found.push(broken(LawId::S9, format!("{what} comes after the node has heard {heard}")));
        } else {
            machine.heard = Some(place.clone());
        }
        if place.epoch.number < fenced {
            found.push(broken(LawId::S9, format!("{what} comes after every node has heard claim {fenced}")));
        }
        if effect.kind == EffectKind::Suspend {
            self.fenced = self.fenced.max(place.epoch.number);
        }
    }

    /// S5: at most one install and one commit per machine, target and attempt; one restart per entry. Attempts only ever rise.
    fn once(&mut self, effect: &Effect, what: &str, found: &mut Vec<Violation>) {
        let Some(machine) = self.machine(&effect.node) else { return };
        match effect.kind {
            EffectKind::Install { target, attempt } => {
                if let Some(last) = machine.installed.insert(target, attempt).filter(|last| *last >= attempt) {
                    found.push(broken(LawId::S5, format!("{what} is attempt {attempt} to {target}, after attempt {last} was installed")));
                }
            }
            EffectKind::Commit { target, attempt } => {
                if machine.installed.get(&target) != Some(&attempt) {
                    found.push(broken(LawId::S5, format!("{what} is of attempt {attempt} to {target}, which was not the last installed")));
                }
                if let Some(last) = machine.committed.insert(target, attempt).filter(|last| *last >= attempt) {
                    found
                        .push(broken(LawId::S5, format!("{what} is of attempt {attempt} to {target}, after attempt {last} was committed")));
                }
            }
            EffectKind::Restart => {
                let place = Some(effect.entry.place.clone());
                if machine.restarted == place {
                    found.push(broken(LawId::S5, format!("{what} is the second by this entry")));
                }
                machine.restarted = place;
            }
            EffectKind::Suspend | EffectKind::Resume | EffectKind::WriteRegistry => {}
        }
    }

    /// S1: at most one node is out, and only what is out is installed on or restarted.
    fn one_away(&mut self, effect: &Effect, what: &str, found: &mut Vec<Violation>) {
        let node = &effect.node.name;
        match effect.kind {
            EffectKind::Suspend => {
                for other in self.away.keys().filter(|other| *other != node) {
                    found.push(broken(LawId::S1, format!("{what} comes while {other} is out")));
                }
                self.gone.remove(node);
                self.away.insert(node.clone(), effect.entry.clone());
            }
            EffectKind::Resume => {
                self.gone.remove(node);
                self.away.remove(node);
            }
            EffectKind::Install { .. } | EffectKind::Commit { .. } | EffectKind::Restart => {
                if !self.away.contains_key(node) && !self.gone.contains(node) {
                    found.push(broken(LawId::S1, format!("{what} comes while the node is in service")));
                }
            }
            EffectKind::WriteRegistry => {}
        }
    }
}

fn broken(law: LawId, what: String) -> Violation {
    Violation { law, what }
}
