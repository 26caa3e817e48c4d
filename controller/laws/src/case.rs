//! One situation and one plan, read the way the laws speak of them: what is about to happen, to whom, and what is known about it.

use crate::quorate::Side;
use drydock_model::desired::{Standing, Target};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{EntryId, NodeId, NodeName};
use drydock_model::ledger::{Intent, Ledger};
use drydock_model::observed::{Commit, NodeFacts};
use drydock_model::order::{Act, Order, Work};
use drydock_model::plan::{Decision, Plan, Situation};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::Millis;
use std::collections::{BTreeMap, BTreeSet};

/// How old a fact may be and still count (S10): it was true at some instant of its span, so its age counts from the span's beginning. The same
/// bound holds for facts of the future, which a clock that was set back leaves behind.
pub const FRESH: Millis = Millis::minutes(2);

/// One situation and one plan.
pub(crate) struct Case<'a> {
    pub(crate) situation: &'a Situation<'a>,
    pub(crate) plan: &'a Plan,
    /// The ledger, where it could be read.
    pub(crate) ledger: Option<&'a Ledger>,
    /// What the plan opens or performs; empty when it does neither.
    pub(crate) doing: Vec<Doing<'a>>,
    /// The side of the cluster that holds the votes, or why none is known.
    pub(crate) side: Result<Side<'a>, String>,
    /// The expected nodes and every member that the quorate side names.
    pub(crate) everybody: BTreeSet<&'a NodeName>,
}

/// One step that the plan writes down or sends.
pub(crate) struct Doing<'a> {
    pub(crate) step: Step,
    pub(crate) node: &'a NodeId,
    pub(crate) target: Target,
    pub(crate) attempt: u8,
    pub(crate) entry: &'a EntryId,
    pub(crate) purpose: Purpose,
    pub(crate) weight: Weight,
    /// What is written down, or what is sent.
    pub(crate) form: Form<'a>,
}

/// Whether a step is written down or sent.
pub(crate) enum Form<'a> {
    Opened(&'a Intent),
    Sent(&'a Order, &'a Work),
}

/// What a step means for the service of the cluster, as the laws tell steps apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// Orders nothing.
    Passive,
    /// Part of the way back: no law but S4 keeps it.
    Back,
    /// Changes a node in service without taking it out.
    Prepares,
    /// Takes a node out.
    TakesOut,
    /// Goes on with a node that is out.
    GoesOn,
}

impl Doing<'_> {
    /// Whether it takes a node out, or keeps it out for longer.
    pub(crate) fn endangers(&self) -> bool {
        match self.weight {
            Weight::TakesOut | Weight::GoesOn => true,
            Weight::Passive | Weight::Back | Weight::Prepares => false,
        }
    }

    /// Whether something new begins that a person may forbid.
    pub(crate) fn begins(&self) -> bool {
        match self.weight {
            Weight::TakesOut | Weight::GoesOn | Weight::Prepares => true,
            Weight::Passive | Weight::Back => false,
        }
    }

    /// The order, where it is sent.
    pub(crate) fn order(&self) -> Option<&Order> {
        match self.form {
            Form::Opened(_) => None,
            Form::Sent(order, _) => Some(order),
        }
    }

    /// `Vacate of N01`.
    pub(crate) fn name(&self) -> String {
        format!("{} of {}", self.step, self.node.name)
    }
}

impl<'a> Case<'a> {
    pub(crate) fn new(situation: &'a Situation<'a>, plan: &'a Plan) -> Case<'a> {
        let nobody = Err("nobody was asked".to_owned());
        let mut case =
            Case { situation, plan, ledger: situation.ledger.known(), doing: Vec::new(), side: nobody, everybody: BTreeSet::new() };
        case.side = Side::find(&case);
        case.everybody = case.expected();
        if let Ok(side) = &case.side {
            case.everybody.extend(side.members());
        }
        case.doing = case.doing();
        case
    }

    fn doing(&self) -> Vec<Doing<'a>> {
        match &self.plan.decision {
            Decision::Open(intent) => vec![Doing {
                step: intent.step,
                node: &intent.node,
                target: intent.target,
                attempt: intent.attempt,
                entry: &intent.entry,
                purpose: intent.purpose,
                weight: self.weight(intent.step, &intent.node, intent.target, intent.attempt),
                form: Form::Opened(intent),
            }],
            Decision::Perform(orders) => orders.iter().filter_map(|order| self.sent(order)).collect(),
            Decision::Converged
            | Decision::Wait(..)
            | Decision::Fence(_)
            | Decision::Meet(_)
            | Decision::Cancel(_)
            | Decision::Close { .. }
            | Decision::Hold(_) => Vec::new(),
        }
    }

    fn sent(&self, order: &'a Order) -> Option<Doing<'a>> {
        match &order.act {
            Act::Fence { .. } | Act::Cancel => None,
            Act::Step(work) => Some(Doing {
                step: work.step,
                node: &order.node,
                target: work.target,
                attempt: work.attempt,
                entry: &order.entry,
                // Without an intent, the heavier of the two; S6 says that it is missing.
                purpose: self.open().map_or(Purpose::Upgrade, |intent| intent.purpose),
                weight: self.weight(work.step, &order.node, work.target, work.attempt),
                form: Form::Sent(order, work),
            }),
        }
    }

    fn weight(&self, step: Step, node: &NodeId, target: Target, attempt: u8) -> Weight {
        match step {
            Step::Settle => Weight::Passive,
            Step::Return => Weight::Back,
            Step::WriteRegistry => Weight::Prepares,
            Step::Vacate => Weight::TakesOut,
            Step::Restart if self.past_return(node, target, attempt) => Weight::Back,
            Step::Restart | Step::Reboot | Step::Install => Weight::GoesOn,
        }
    }

    /// Whether the node is past the point of no return in this attempt (rule 18). Any known fact counts, however old: it only ever opens the way back.
    fn past_return(&self, node: &NodeId, target: Target, attempt: u8) -> bool {
        let Some(facts) = self.facts(&node.name) else { return false };
        if facts.id.known().is_some_and(|id| id != node) {
            return false;
        }
        self.commit(&node.name, target, attempt).is_some_and(|commit| !rolled_back(facts, commit))
    }

    /// The commit that the node remembers of this attempt.
    pub(crate) fn commit(&self, node: &NodeName, target: Target, attempt: u8) -> Option<&'a Commit> {
        let commit = self.facts(node)?.memory.known()?.commit.as_ref()?;
        (commit.target == target && commit.attempt == attempt).then_some(commit)
    }

    /// What was seen of a node.
    pub(crate) fn facts(&self, node: &NodeName) -> Option<&'a NodeFacts> {
        self.situation.observed.nodes.get(node)
    }

    /// A fact's value, if it is fresh enough to act on.
    pub(crate) fn fresh<'f, T>(&self, fact: &'f Fact<T>) -> Option<&'f T> {
        match fact {
            Fact::Known { value, seen } if seen.from.distance(self.situation.now.at) <= FRESH => Some(value),
            Fact::Known { .. } | Fact::Unknown(_) => None,
        }
    }

    /// A node's fact, if it is fresh.
    pub(crate) fn of<T>(&self, node: &NodeName, part: impl Fn(&'a NodeFacts) -> &'a Fact<T>) -> Option<&'a T> {
        self.fresh(part(self.facts(node)?))
    }

    /// Why a fact does not count; nothing when it does.
    pub(crate) fn gap<T>(&self, fact: &Fact<T>) -> Option<Gap> {
        match fact {
            Fact::Known { .. } => self.fresh(fact).is_none().then_some(Gap::Stale),
            Fact::Unknown(gap) => Some(gap.clone()),
        }
    }

    /// The open intent.
    pub(crate) fn open(&self) -> Option<&'a Intent> {
        self.ledger?.open.as_ref()
    }

    /// The orders that the plan sends, of any kind.
    pub(crate) fn orders(&self) -> &'a [Order] {
        match &self.plan.decision {
            Decision::Perform(orders) | Decision::Fence(orders) => orders,
            Decision::Open(_)
            | Decision::Converged
            | Decision::Wait(..)
            | Decision::Meet(_)
            | Decision::Cancel(_)
            | Decision::Close { .. }
            | Decision::Hold(_) => &[],
        }
    }

    /// The nodes of the desired state, less those that a person declared gone.
    pub(crate) fn expected(&self) -> BTreeSet<&'a NodeName> {
        let gone: Option<&BTreeMap<NodeName, String>> = self.ledger.map(|l| &l.gone);
        self.situation.desired.nodes.iter().filter(|n| !gone.is_some_and(|g| g.contains_key(*n))).collect()
    }

    /// Whether a node has given the tombstone that it owes (rule 22).
    pub(crate) fn owes(&self, node: &NodeName) -> bool {
        let Some(owed) = self.ledger.and_then(|l| l.owes.get(node)) else { return false };
        let fence = self.of(node, |f| &f.memory).and_then(|m| m.fence.as_ref());
        !fence.and_then(|fence| fence.compare(owed)).is_some_and(std::cmp::Ordering::is_ge)
    }
}

/// A node on its old build after a commit, in another boot, with no setup running or pending, is before the point of no return again (rule 18).
fn rolled_back(facts: &NodeFacts, commit: &Commit) -> bool {
    let old = facts.build.known().is_some_and(|b| commit.target.standing(*b) == Standing::Below);
    let restarted = facts.boot.known().is_some_and(|b| b.id != commit.boot);
    let idle = facts.setup.known().is_some_and(|s| !s.running && !s.pending);
    old && restarted && idle
}
