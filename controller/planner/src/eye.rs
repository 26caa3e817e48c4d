//! What the planner sees: facts with their freshness, the quorate side's word on who is Up, and the small answers that guards share.

use crate::clock::FRESH;
use drydock_model::desired::{Standing, Version};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{ClusterId, EntryId, NodeId, NodeName, Place};
use drydock_model::ledger::{Intent, Ledger};
use drydock_model::observed::{Member, MemberState, Memory, NodeFacts, Storage, View, Witness};
use drydock_model::order::{Expect, Order, Work};
use drydock_model::paths::paths_to;
use drydock_model::plan::{HoldReason, Remote, Situation, WaitingOn};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Stamp, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// A situation whose ledger is known.
pub(crate) struct Eye<'a> {
    pub(crate) s: &'a Situation<'a>,
    pub(crate) ledger: &'a Ledger,
    /// What the quorate side says, or why nobody can say it.
    pub(crate) view: Result<View, WaitingOn>,
    /// Nodes that are not who the ledger knows, or remember what it does not. They are neither met nor fenced.
    pub(crate) troubles: BTreeMap<NodeName, HoldReason>,
}

/// Why a guard says no: something that passes, or something that needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum No {
    Wait(WaitingOn),
    Hold(HoldReason),
}

impl From<WaitingOn> for No {
    fn from(why: WaitingOn) -> No {
        No::Wait(why)
    }
}

impl From<HoldReason> for No {
    fn from(why: HoldReason) -> No {
        No::Hold(why)
    }
}

impl<'a> Eye<'a> {
    pub(crate) fn new(s: &'a Situation<'a>, ledger: &'a Ledger) -> Eye<'a> {
        let mut eye = Eye { s, ledger, view: Err(cluster_answer("members", Gap::NotAsked)), troubles: BTreeMap::new() };
        eye.troubles = eye.troubles();
        eye.view = eye.quorate_view();
        eye
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.s.now.at
    }

    /// The nodes of the desired state that no person declared gone.
    pub(crate) fn named(&self) -> impl Iterator<Item = &'a NodeName> {
        let ledger = self.ledger;
        self.s.desired.nodes.iter().filter(move |n| !ledger.gone.contains_key(*n))
    }

    /// The named ones, and whoever something was begun on that the desired state names no longer: what is asked of it stands on its fence, too.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &'a NodeName> {
        let ledger = self.ledger;
        let begun = ledger.out.iter().map(|out| &out.node.name).chain(ledger.open.iter().map(|intent| &intent.node.name)).next();
        self.named().chain(begun.filter(|name| !self.s.desired.nodes.contains(*name)))
    }

    pub(crate) fn node(&self, name: &NodeName) -> &'a NodeFacts {
        static UNSEEN: OnceLock<NodeFacts> = OnceLock::new();
        self.s.observed.nodes.get(name).unwrap_or_else(|| UNSEEN.get_or_init(|| NodeFacts::unknown(&Gap::NotAsked)))
    }

    /// The value of a fact, if it is known and was read lately (S10).
    pub(crate) fn fresh<'f, T>(&self, fact: &'f Fact<T>) -> Result<&'f T, Gap> {
        match fact {
            // A fact of the future is one that a clock which was set back left behind.
            Fact::Known { value, seen } if self.now().distance(seen.from) <= FRESH => Ok(value),
            Fact::Known { .. } => Err(Gap::Stale),
            Fact::Unknown(gap) => Err(gap.clone()),
        }
    }

    /// The value of a node's fact, or that it is waited for.
    pub(crate) fn need<'f, T>(&self, node: &NodeName, name: &str, fact: &'f Fact<T>) -> Result<&'f T, WaitingOn> {
        self.fresh(fact).map_err(|gap| WaitingOn::Answer { node: node.clone(), fact: name.to_owned(), gap })
    }

    pub(crate) fn memory(&self, node: &NodeName) -> Result<&'a Memory, WaitingOn> {
        self.need(node, "memory of orders", &self.node(node).memory)
    }

    pub(crate) fn storage(&self) -> Result<&'a Storage, WaitingOn> {
        self.fresh(&self.s.observed.cluster.storage).map_err(|gap| cluster_answer("storage", gap))
    }

    pub(crate) fn member(&self, node: &NodeName) -> Result<&Member, WaitingOn> {
        match self.view.as_ref() {
            Ok(view) => view.members.get(node).ok_or_else(|| WaitingOn::NotUp { node: node.clone(), state: "not a member".to_owned() }),
            Err(why) => Err(why.clone()),
        }
    }

    /// Whether the quorate side says that a node is in service, and it owes nothing (rules 13 and 22).
    pub(crate) fn up(&self, node: &NodeName) -> Result<(), WaitingOn> {
        let member = self.member(node)?;
        let not = |state: &str| Err(WaitingOn::NotUp { node: node.clone(), state: state.to_owned() });
        match member.state {
            _ if self.ledger.gone.contains_key(node) => not("declared gone and still a member"),
            MemberState::Up if member.impaired => not("isolated or quarantined"),
            MemberState::Up if self.owes(node) => not("in debt of an answer to an order that may still arrive"),
            MemberState::Up => Ok(()),
            MemberState::Down => not("Down"),
            MemberState::Paused => not("Paused"),
            MemberState::Joining => not("Joining"),
            MemberState::Unknown => not("in an unknown state"),
        }
    }

    /// S1: every other node is Up, and every other member, also one that nobody named or that a person declared gone.
    pub(crate) fn others_up(&self, node: &NodeName) -> Result<(), WaitingOn> {
        self.named().filter(|other| *other != node).try_for_each(|other| self.up(other))?;
        self.unnamed_members().filter(|other| *other != node).try_for_each(|other| self.up(other))
    }

    fn unnamed_members(&self) -> impl Iterator<Item = &NodeName> {
        let named: BTreeSet<&NodeName> = self.named().collect();
        self.view.iter().flat_map(|view| view.members.keys()).filter(move |member| !named.contains(member))
    }

    /// What is known to be wrong with a node other than `node`: it is missing, or another than it was.
    pub(crate) fn other_missing(&self, node: &NodeName) -> Option<String> {
        if let Some((_, why)) = self.troubles.iter().find(|(other, _)| *other != node) {
            return Some(why.to_string());
        }
        match self.others_up(node) {
            Err(why @ WaitingOn::NotUp { .. }) if self.view.is_ok() => Some(why.to_string()),
            Err(_) | Ok(()) => None,
        }
    }

    /// The nodes that the ledger does not know as they show themselves, each with what is wrong.
    fn troubles(&self) -> BTreeMap<NodeName, HoldReason> {
        let mut troubles = BTreeMap::new();
        // Not what answers under its name now: that may be another machine.
        let mut cluster: Option<&ClusterId> = self.ledger.out.as_ref().map(|out| &out.node.cluster);
        for name in self.watched() {
            let facts = self.node(name);
            let trouble = facts.memory.known().and_then(|memory| self.rewound(name, memory));
            let trouble = trouble.or_else(|| facts.id.known().and_then(|id| self.other(name, id, &mut cluster)));
            troubles.extend(trouble.map(|why| (name.clone(), why)));
        }
        troubles
    }

    /// What a node remembers must be what the ledger knows (rule 26).
    fn rewound(&self, name: &NodeName, memory: &Memory) -> Option<HoldReason> {
        memory.fence.iter().chain(memory.consumed.iter().map(|c| &c.place)).find_map(|place| match self.ledger.knows(place) {
            Some(true) => None,
            Some(false) => Some(HoldReason::LedgerRewound { node: name.clone(), shows: place.clone() }),
            None => Some(HoldReason::OtherClaim { node: name.clone(), shows: place.clone() }),
        })
    }

    /// Another machine under a known name, or a member of another cluster than the first.
    fn other(&self, name: &NodeName, id: &'a NodeId, cluster: &mut Option<&'a ClusterId>) -> Option<HoldReason> {
        let replaced = || Some(HoldReason::NodeReplaced { node: name.clone() });
        if id.name != *name {
            return replaced();
        }
        match self.ledger.known.get(name) {
            Some(known) if known.machine != id.machine => return replaced(),
            Some(known) if known != id => return Some(HoldReason::OtherCluster { node: name.clone() }),
            Some(_) | None => {}
        }
        (**cluster.get_or_insert(&id.cluster) != id.cluster).then(|| HoldReason::OtherCluster { node: name.clone() })
    }

    /// Whether the machine that answers under this name sits in another cluster than the one that is known.
    fn elsewhere(&self, name: &NodeName) -> bool {
        let ours = self.ledger.out.as_ref().map(|out| &out.node).or_else(|| self.ledger.known.get(name));
        ours.zip(self.node(name).id.known()).is_some_and(|(ours, id)| ours.cluster != id.cluster)
    }

    fn owes(&self, node: &NodeName) -> bool {
        let Some(owed) = self.ledger.owes.get(node) else { return false };
        let carried = self.node(node).memory.known().and_then(|m| m.fence.as_ref());
        !carried.is_some_and(|f| matches!(f.compare(owed), Some(std::cmp::Ordering::Equal | std::cmp::Ordering::Greater)))
    }

    /// The fence a node must carry: our claim, what it owes under it, and, while it is out, the Vacate that it has consumed: below that, its memory is
    /// that of an earlier moment (rule 26).
    pub(crate) fn fence_needed(&self, node: &NodeName) -> Place {
        let vacate = self.ledger.out.as_ref().filter(|out| out.node.name == *node && out.vacated).map(|out| &out.vacate);
        let above = |most: Place, other: &Place| match other.compare(&most) {
            Some(std::cmp::Ordering::Greater) => other.clone(),
            Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal) | None => most,
        };
        self.ledger.owes.get(node).into_iter().chain(vacate).fold(self.ledger.claim(), above)
    }

    /// Rule 14: the remote was read in this lap and holds our entries as the newest of this cluster.
    pub(crate) fn confirmed(&self) -> Result<(), WaitingOn> {
        match self.s.remote {
            Remote::Confirmed => Ok(()),
            Remote::Unread(why) => Err(WaitingOn::Remote(why.clone())),
            Remote::Touched { commit } => Err(WaitingOn::Remote(format!("commit {commit} was not written by this controller"))),
        }
    }

    /// `suspend`, the stop file, or a stop mark on a node (S11, rule 27).
    pub(crate) fn stopped(&self) -> Result<(), WaitingOn> {
        if let Some(words) = self.s.stop {
            return Err(WaitingOn::StopFile(words.to_owned()));
        }
        if let Some(suspend) = &self.s.desired.suspend
            && suspend.until.is_none_or(|until| self.now() < until)
        {
            return Err(WaitingOn::Suspended { reason: suspend.reason.clone(), until: suspend.until });
        }
        for name in self.named() {
            if let Some(mark) = self.node(name).memory.known().and_then(|m| m.stop.as_ref()) {
                let words = format!("{} ({}, {})", mark.why, mark.who, mark.when);
                return Err(WaitingOn::StopMark { node: name.clone(), words });
            }
        }
        Ok(())
    }

    /// How a node's build stands to the target.
    pub(crate) fn standing(&self, node: &NodeName) -> Result<Standing, WaitingOn> {
        let build = self.need(node, "build", &self.node(node).build)?;
        Ok(self.s.desired.target.standing(*build))
    }

    /// Whether a node runs the target's release or a newer one: nothing is installed there any more, whatever floor is asked for.
    pub(crate) fn release_reached(&self, node: &NodeName) -> Result<bool, WaitingOn> {
        let build = self.need(node, "build", &self.node(node).build)?;
        Ok(self.s.desired.target.reached_by(*build))
    }

    /// What is still to do about a node's registry.
    pub(crate) fn registry(&self, node: &NodeName) -> Result<Registry, WaitingOn> {
        let facts = self.node(node);
        let values = self.need(node, "registry values", &facts.registry)?;
        let build = self.need(node, "build", &facts.build)?;
        let boot = self.need(node, "boot", &facts.boot)?;
        let written = self.memory(node)?.registry_written.as_ref();
        let right = values.refs_enable_metadata_validation == Some(0)
            && (!self.small_allocations(Version::of_family(build.family)) || values.skip_small_local_allocations == Some(0));
        let on_target = self.s.desired.target.standing(*build) != Standing::Below;
        Ok(match written {
            _ if !right => Registry::Wrong,
            Some(in_boot) if *in_boot == boot.id => Registry::AwaitsRestart,
            Some(_) => Registry::Effective,
            // Values that are right but not ours may have been set after the last restart; only our own write knows its boot.
            None if on_target => Registry::Effective,
            None => Registry::Wrong,
        })
    }

    /// Whether the articles ask for `SkipSmallLocalAllocations` too, on a node of this release.
    pub(crate) fn small_allocations(&self, from: Option<Version>) -> bool {
        let asks = |p: &&drydock_model::paths::UpgradePath| p.registry.iter().any(|v| v.name == "SkipSmallLocalAllocations");
        let to = self.s.desired.target.version;
        if from == Some(to) { paths_to(to).all(|p| asks(&p)) } else { paths_to(to).filter(|p| Some(p.from) == from).any(|p| asks(&p)) }
    }

    pub(crate) fn entry(&self, place: Place) -> EntryId {
        EntryId { cluster: self.s.desired.cluster.clone(), place }
    }

    /// A new intent on a node, at the numbers that the ledger has for it.
    pub(crate) fn intent(&self, step: Step, purpose: Purpose, node: &NodeId, again: bool) -> Intent {
        let (seq, base) = self.ledger.place_for(step, again);
        Intent {
            entry: self.entry(Place { epoch: self.ledger.epoch.clone(), seq }),
            base,
            step,
            purpose,
            node: node.clone(),
            spec: self.s.desired.spec.clone(),
            revision: self.s.revision.clone(),
            target: self.s.desired.target,
            attempt: self.attempt(node, step),
            boot: self.node(&node.name).boot.known().map(|b| b.id.clone()),
            opened: Stamp::Unknown,
            cancelled: None,
        }
    }

    /// The attempt of a new intent. An installation that was begun once is taken up again where its worker is seen, else it is begun as another attempt
    /// (law S5): a node that forgot its worker must not be told the same thing twice.
    fn attempt(&self, node: &NodeId, step: Step) -> u8 {
        let attempts = self.ledger.attempts_of(node, self.s.desired.target);
        let seen = self.node(&node.name).worker.known().and_then(Option::as_ref);
        let goes_on = |w: &&drydock_model::observed::Worker| w.alive || w.state == drydock_model::observed::WorkerState::Staged;
        let its_worker = seen.filter(goes_on).is_some_and(|w| w.target == self.s.desired.target && w.attempt == attempts.number);
        // What the node shows of an installation that entries were lost of (rule 26) counts as begun, too.
        let commit = self.node(&node.name).memory.known().and_then(|m| m.commit.as_ref()).map(|c| c.attempt);
        if step != Step::Install || (its_worker && commit != Some(attempts.number)) {
            return attempts.number;
        }
        let begun = attempts.installed.into_iter().chain(seen.map(|w| w.attempt)).chain(commit).max();
        begun.map_or(attempts.number, |begun| attempts.number.max(begun.saturating_add(1)))
    }

    /// The order of an intent, for the boot that was seen.
    pub(crate) fn order(&self, intent: &Intent, expect: Expect) -> Result<Order, WaitingOn> {
        let name = &intent.node.name;
        let facts = self.node(name);
        let boot = self.need(name, "boot", &facts.boot)?;
        let build = facts.build.known().and_then(|b| Version::of_family(b.family));
        let work = Work {
            step: intent.step,
            target: intent.target,
            attempt: intent.attempt,
            source: self.s.desired.source.clone(),
            failback: self.s.desired.run.failback_mode,
            small_allocations: self.small_allocations(build),
        };
        Ok(Order::step(intent.entry.clone(), intent.node.clone(), work, expect, boot.id.clone(), boot.up.plus(FRESH)))
    }

    /// How long an intent has been open. One without a stamp counts from the last stamp there is: that may be too long, and never nothing for ever.
    pub(crate) fn age(&self, since: Stamp) -> Millis {
        since.known().or(self.ledger.last_stamp).map_or(Millis::ZERO, |t| self.now().since(t))
    }

    /// What the answering nodes say of the cluster. A node that was declared gone is asked only where the others hold no majority without it: then it is
    /// not gone, and whoever said so must be told.
    fn quorate_view(&self) -> Result<View, WaitingOn> {
        // What a member of another cluster sees is no word on this one.
        let foreign = |name: &&NodeName| match self.troubles.get(*name) {
            Some(HoldReason::OtherCluster { .. }) => true,
            Some(HoldReason::NodeReplaced { .. }) => self.elsewhere(name),
            Some(_) | None => false,
        };
        let named: Vec<&NodeName> = self.named().filter(|name| !foreign(name)).collect();
        let all = || self.s.desired.nodes.iter().filter(|name| !foreign(name)).collect::<Vec<_>>();
        self.view_of(&named).or_else(|why| if self.ledger.gone.is_empty() { Err(why) } else { self.view_of(&all()).map_err(|_| why) })
    }

    /// What these nodes say of the cluster, if they agree, name each other and hold the votes.
    fn view_of(&self, asked: &[&'a NodeName]) -> Result<View, WaitingOn> {
        let mut views: Vec<(&NodeName, &View)> = Vec::new();
        let mut gap = None;
        for name in asked.iter().copied() {
            match self.fresh(&self.node(name).view) {
                Ok(view) => views.push((name, view)),
                Err(why) => gap = Some(why),
            }
        }
        let Some(((_, first), rest)) = views.split_first() else {
            return Err(cluster_answer("members", gap.unwrap_or(Gap::NotAsked)));
        };
        let states = |v: &View| v.members.iter().map(|(n, m)| (n.clone(), m.state, m.vote, m.impaired)).collect::<Vec<_>>();
        for (name, view) in rest {
            if states(view) != states(first) || view.cluster != first.cluster {
                return Err(cluster_answer("members", Gap::Disagree(format!("the members ({name} says otherwise)"))));
            }
        }
        let held = views
            .iter()
            .filter(|(name, _)| {
                first.members.get(*name).is_some_and(|m| m.vote && matches!(m.state, MemberState::Up | MemberState::Paused))
            })
            .count();
        let witness = usize::from(first.witness == Witness::Online { vote: true });
        let total = first.members.values().filter(|m| m.vote).count() + witness;
        if (held + witness) * 2 <= total {
            return Err(cluster_answer("members", Gap::Missing("the votes of a majority".to_owned())));
        }
        Ok((*first).clone())
    }
}

/// How far a node's registry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Registry {
    /// A value is not what the article asks for, or nobody knows since when it is.
    Wrong,
    /// Written in this boot.
    AwaitsRestart,
    /// In effect.
    Effective,
}

fn cluster_answer(fact: &str, gap: Gap) -> WaitingOn {
    WaitingOn::ClusterAnswer { fact: fact.to_owned(), gap }
}
