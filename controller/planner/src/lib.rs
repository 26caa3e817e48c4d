//! One situation in, one safe next step out.
//!
//! Pure: no I/O, no clock, no chance. Cannot fail, wait or log, and cannot tell why it was called. Same situation, same plan, byte for byte.
//! [`plan`] goes through the same questions in the same order each time; the first that has an answer decides.
//!
//! Where each law is guarded:
//!
//! | laws | where |
//! |---|---|
//! | S1, S2, S3, S4, S10, S11, S15 | `begin`: before a node is taken out; S1, S2b and S4 again in `way::carry_on` |
//! | S5, S12 | `Eye::attempt`, `way::open`, `choose::failures`: numbers never repeat, entries and attempts are bounded |
//! | S6, S9 | `Eye::confirmed` and the fences of `tombstones_and_fences`: nothing begins under an entry or a claim that is not ours and newest |
//! | S7, S16, L3 | `report`: only what was seen, unknown as unknown, the true blocker, no text that a node could have put a secret into |
//! | S8, S17 | `choose::standings`, `choose::at_most_two_releases` |
//! | S13 | by what is absent: no step raises a functional level or a pool version |
//! | S14 | `open`: one intent at a time, closed as heard only when its node shows it |
//! | L1, L4 | every `Wait` passes or is a `Hold`, and every `Hold` clears itself when its way out was taken |
//! | L2, L5 | the engine's lap writes nothing for a cluster that stays converged; its claim is the store's |

#![allow(clippy::result_large_err, reason = "an early decision is returned once a lap; boxing it would cost clarity and gain nothing")]

mod begin;
mod choose;
mod clock;
mod eye;
mod open;
mod report;
mod storage;
mod way;

pub use clock::{FRESH, clock_apart, stamp};
pub use storage::{own_damage_only, settled};

use drydock_model::ids::{NodeId, NodeName};
use drydock_model::ledger::{Ledger, Outcome};
use drydock_model::observed::NodeFacts;
use drydock_model::order::Order;
use drydock_model::plan::{Decision, HoldReason, Plan, Recheck, Remote, Situation, WaitingOn};
use drydock_model::time::Millis;
use eye::Eye;

/// The next step for one cluster, and what is said of it.
pub fn plan(situation: &Situation<'_>) -> Plan {
    let decision = decide(situation);
    let report = report::report(situation, &decision);
    Plan { decision, report }
}

fn decide(situation: &Situation<'_>) -> Decision {
    let ledger = match situation.ledger.get() {
        Ok(ledger) => ledger,
        Err(gap) => return Decision::Wait(WaitingOn::Ledger(gap.clone()), Recheck::Usual),
    };
    let eye = Eye::new(situation, ledger);
    let mut questions = [troubles, strangers, tombstones_and_fences, out, open_intent, settling, touched].into_iter();
    match questions.find_map(|question| question(&eye)) {
        // What waits for git waits for a person then.
        Some(waits @ Decision::Wait(WaitingOn::Remote(_), _)) => touched(&eye).unwrap_or(waits),
        Some(decision) => decision,
        None => choose::choose(&eye),
    }
}

/// Rule 7: nothing begins over what somebody else wrote until a person has accepted it.
fn touched(eye: &Eye<'_>) -> Option<Decision> {
    match eye.s.remote {
        Remote::Touched { commit } => Some(Decision::Hold(HoldReason::StatusTouched { commit: commit.clone() })),
        Remote::Confirmed | Remote::Unread(_) => None,
    }
}

/// A node that remembers what the ledger does not know (rule 26), and a name that another machine answers to, need a person. While a node is out, only
/// what is wrong with that node is said at once: what is wrong with another brings it back first, and is said when it is.
fn troubles(eye: &Eye<'_>) -> Option<Decision> {
    let out = eye.ledger.out.as_ref().map(|out| &out.node.name);
    let mut told = eye.troubles.iter().filter(|(name, _)| out.is_none_or(|out| out == *name));
    told.next().map(|(_, why)| Decision::Hold(why.clone()))
}

/// A name alone is nobody: every node is written down when first met.
fn strangers(eye: &Eye<'_>) -> Option<Decision> {
    let unmet = eye.named().filter(|name| !eye.ledger.known.contains_key(*name) && !eye.troubles.contains_key(*name));
    let strangers: Vec<NodeId> = unmet.filter_map(|name| eye.fresh(&eye.node(name).id).ok().cloned()).collect();
    (!strangers.is_empty()).then_some(Decision::Meet(strangers))
}

/// Every answering node hears of our claim, and of what it owes, before anything else is asked of it (rules 13 and 22).
/// A node that is out and lost fence and marker together gets both back (rule 17).
fn tombstones_and_fences(eye: &Eye<'_>) -> Option<Decision> {
    // A node that something was begun on is never passed over: what is asked of it next, and what is said of it, stands on its fence.
    let begun = |name: &&NodeName| {
        eye.ledger.out.as_ref().is_some_and(|out| out.node.name == **name)
            || eye.ledger.open.as_ref().is_some_and(|i| i.node.name == **name)
    };
    let stuck = stuck(eye);
    let heard = |name: &&NodeName| !eye.troubles.contains_key(*name) && (!stuck || begun(name));
    let orders: Vec<Order> = eye.watched().filter(heard).filter_map(|name| fence_for(eye, eye.node(name))).collect();
    (!orders.is_empty()).then_some(Decision::Fence(orders))
}

/// How long fences are sent and nothing else comes of it before every other look passes them over: one that never lands must hide neither what is waited
/// for nor a node that is out.
const FENCES_ALONE: Millis = Millis::minutes(5);

/// Whether fences have been all there was for long, and it is the turn of something else.
fn stuck(eye: &Eye<'_>) -> bool {
    // No pace of looks has a part in common with it: one that has would always meet the same turn.
    const TURN: i64 = 97_000;
    let quiet = eye.ledger.last_stamp.is_some_and(|last| eye.now().distance(last) > FENCES_ALONE);
    quiet && eye.now().0.rem_euclid(2 * TURN) < TURN
}

fn fence_for(eye: &Eye<'_>, facts: &NodeFacts) -> Option<Order> {
    // What came late may be of another machine or of another memory by now.
    let (id, memory) = (eye.fresh(&facts.id).ok()?, eye.fresh(&facts.memory).ok()?);
    let needed = eye.fence_needed(&id.name);
    let carries =
        memory.fence.as_ref().is_some_and(|f| matches!(f.compare(&needed), Some(std::cmp::Ordering::Equal | std::cmp::Ordering::Greater)));
    if carries {
        return None;
    }
    let marker = way::lost_marker(eye.ledger, id, memory);
    Some(Order::fence(eye.entry(needed), id.clone(), marker))
}

fn out(eye: &Eye<'_>) -> Option<Decision> {
    let out = eye.ledger.out.as_ref()?;
    let decision = way::plan(eye, out);
    // A way back that stands still does not hide what is wrong with another node: that may be why. What holds the node itself comes first all the same.
    let stands = matches!(decision, Decision::Wait(WaitingOn::ClusterAnswer { .. }, _));
    let mut others = eye.troubles.iter().filter(|(name, _)| **name != out.node.name);
    others.next().filter(|_| stands).map(|(_, why)| Decision::Hold(why.clone())).or(Some(decision))
}

fn open_intent(eye: &Eye<'_>) -> Option<Decision> {
    eye.ledger.open.as_ref().map(|intent| open::plan(eye, intent))
}

/// The last node must have settled before anything new (S2).
fn settling(eye: &Eye<'_>) -> Option<Decision> {
    eye.ledger.settling.as_ref().map(|settling| match eye.confirmed() {
        Ok(()) => Decision::Open(eye.intent(drydock_model::step::Step::Settle, settling.purpose, &settling.node, false)),
        Err(why) => Decision::Wait(why, Recheck::Usual),
    })
}

pub(crate) fn close(ledger: &Ledger, outcome: Outcome, heard: bool) -> Decision {
    match &ledger.open {
        Some(open) => Decision::Close { entry: open.entry.clone(), outcome, heard },
        None => unreachable!("only an open intent is closed"),
    }
}
