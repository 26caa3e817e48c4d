//! S6, S9: in whose name something is done, and that nobody newer has spoken.

use crate::Found;
use crate::case::{Case, Doing, Form, Weight};
use drydock_model::ids::{EntryId, NodeId, NodeName, Place};
use drydock_model::ledger::{AGAIN, Intent, Ledger, RETURN};
use drydock_model::observed::{Marker, Memory};
use drydock_model::order::{Act, Order, Work};
use drydock_model::plan::{Decision, Remote};
use drydock_model::step::Step;

/// S6: no node is touched for a revision that is not verified, nor for a ledger entry no controller signed.
pub(crate) fn s6(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    let Some(ledger) = case.ledger else {
        if !case.orders().is_empty() || !case.doing.is_empty() {
            found.push("something would be done under a ledger that cannot be read".to_owned());
        }
        return found;
    };
    for doing in &case.doing {
        whom(case, ledger, doing, &mut found);
        wish(case, doing, &mut found);
    }
    for order in case.orders() {
        if order.entry.cluster != case.situation.desired.cluster {
            found.push(format!("{order} carries an entry of another cluster"));
        }
        match &order.act {
            Act::Fence { marker: Some(marker) } => marker_is_ours(case, ledger, order, marker, &mut found),
            Act::Fence { marker: None } | Act::Cancel | Act::Step(_) => {}
        }
    }
    match &case.plan.decision {
        Decision::Perform(orders) => orders.iter().for_each(|order| written_down(case, order, &mut found)),
        Decision::Meet(ids) => ids.iter().for_each(|id| met(case, ledger, id, &mut found)),
        Decision::Converged
        | Decision::Wait(..)
        | Decision::Fence(_)
        | Decision::Open(_)
        | Decision::Cancel(_)
        | Decision::Close { .. }
        | Decision::Hold(_) => {}
    }
    found
}

/// The node is the machine that the ledger met under this name, and nobody has declared it gone.
fn whom(case: &Case<'_>, ledger: &Ledger, doing: &Doing<'_>, found: &mut Found) {
    let node = doing.node;
    if doing.step == Step::Return && ledger.out.as_ref().is_none_or(|out| out.node != *node) {
        let marked = case.facts(&node.name).and_then(|f| f.memory.known()).is_some_and(|m| m.marker.is_some());
        if !marked {
            found.push(format!("{} would be resumed, and is not out by us", node.name));
        }
    }
    if !doing.begins() {
        return;
    }
    match ledger.known.get(&node.name) {
        Some(known) if known == node => {}
        Some(known) => found.push(format!("{} is for another machine than the ledger knows: {known}", doing.name())),
        None => found.push(format!("{} is for a node that the ledger never met", doing.name())),
    }
    if let Some(answers) = case.of(&node.name, |f| &f.id)
        && answers != node
    {
        found.push(format!("{} would reach another machine: {answers}", doing.name()));
    }
    if !case.expected().contains(&node.name) {
        found.push(format!("{} is for a node that the desired state does not name, or that is gone", doing.name()));
    }
}

/// What begins is what the verified revision asks for, and nobody else wrote to the ledger (rules 7 and 16).
fn wish(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    if !doing.begins() {
        return;
    }
    let desired = case.situation.desired;
    if doing.target != desired.target {
        found.push(format!("{} is for {}, and {} is desired", doing.name(), doing.target, desired.target));
    }
    match doing.form {
        Form::Opened(intent) => {
            if intent.spec != desired.spec {
                found.push(format!("{} would be opened for another spec than the desired one", doing.name()));
            }
            if intent.revision != *case.situation.revision {
                found.push(format!(
                    "{} would be opened for revision {}, which is not the one that was read",
                    doing.name(),
                    intent.revision
                ));
            }
        }
        Form::Sent(_, work) => {
            if work.step == Step::Install && work.source != desired.source {
                found.push(format!("{} takes its bits from {}, and {} is desired", doing.name(), work.source, desired.source));
            }
        }
    }
    match case.situation.remote {
        Remote::Touched { commit } => found.push(format!("{} would begin after commit {commit}, which is not ours", doing.name())),
        Remote::Confirmed | Remote::Unread(_) => {}
    }
}

/// An order performs the open intent, its Cancel, or what its block reserves for the way back.
fn written_down(case: &Case<'_>, order: &Order, found: &mut Found) {
    let Some(open) = case.open() else { return found.push(format!("{order} has no open intent")) };
    if order.node != open.node {
        found.push(format!("{order} is for another node than the open intent"));
    }
    match &order.act {
        Act::Fence { .. } => {}
        Act::Cancel => {
            if open.cancel_entry().as_ref() != Some(&order.entry) {
                found.push(format!("{order} does not carry the entry of the open intent's Cancel"));
            }
        }
        Act::Step(work) if order.entry == open.entry => {
            if work.step != open.step || work.target != open.target || work.attempt != open.attempt {
                found.push(format!("{order} does not do what the open intent says"));
            }
        }
        Act::Step(work) if reserved(open, &order.entry, work) => {}
        Act::Step(_) => found.push(format!("{order} does not carry the open intent's entry")),
    }
}

fn reserved(open: &Intent, entry: &EntryId, work: &Work) -> bool {
    let offset = match work.step {
        Step::Return => RETURN,
        Step::Restart => AGAIN,
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Settle => return false,
    };
    entry.cluster == open.entry.cluster
        && entry.place == Place { epoch: open.entry.place.epoch.clone(), seq: open.base.saturating_add(offset) }
}

/// A marker is written back only where it is missing together with the fence, under an unchanged identity: the upgrade took both, or an earlier memory
/// came back (rules 17 and 26).
fn marker_is_ours(case: &Case<'_>, ledger: &Ledger, order: &Order, marker: &Marker, found: &mut Found) {
    let name = &order.node.name;
    match &ledger.out {
        Some(out) if out.node == order.node && out.vacate == marker.vacate && out.vacated => {}
        Some(_) | None => {
            found.push(format!("{order} would mark {name} as taken out by entry {}, which the ledger does not say", marker.vacate))
        }
    }
    if case.of(name, |f| &f.id) != Some(&order.node) {
        found.push(format!("{order} would mark a machine whose identity was not seen"));
    }
    match case.of(name, |f| &f.memory) {
        Some(memory) if heard(memory).chain(memory.marker.as_ref().map(|m| &m.vacate)).all(|of| earlier(of, &marker.vacate)) => {}
        Some(_) => found.push(format!("{order} would mark {name}, which has kept its memory: a person has it")),
        None => found.push(format!("{order} would mark {name}, whose memory is unknown")),
    }
}

fn earlier(place: &Place, than: &Place) -> bool {
    place.compare(than).is_some_and(std::cmp::Ordering::is_lt)
}

fn met(case: &Case<'_>, ledger: &Ledger, id: &NodeId, found: &mut Found) {
    if case.of(&id.name, |f| &f.id) != Some(id) {
        found.push(format!("{id} would be met without having been seen"));
    }
    if let Some(known) = ledger.known.get(&id.name).filter(|known| *known != id) {
        found.push(format!("{id} would take the place of {known} without a person's word"));
    }
}

/// S9: a controller with an older epoch, and an order with an older entry, change nothing.
pub(crate) fn s9(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    let Some(ledger) = case.ledger else { return found };
    let mut ours = |entry: &EntryId, what: &dyn std::fmt::Display| {
        if entry.place.epoch != ledger.epoch {
            found.push(format!("{what} is under claim {}, and ours is {}", entry.place.epoch, ledger.epoch));
        }
    };
    if let Decision::Open(intent) = &case.plan.decision {
        ours(&intent.entry, &format_args!("{} of {}", intent.step, intent.node.name));
    }
    for order in case.orders() {
        ours(&order.entry, order);
    }
    for order in case.orders() {
        match order.act {
            // A fence below the node's own changes nothing.
            Act::Fence { .. } => {}
            Act::Cancel | Act::Step(_) => {
                let heard = case.facts(&order.node.name).and_then(|f| f.memory.known()).into_iter().flat_map(heard);
                for heard in heard.filter(|heard| !heard.compare(&order.entry.place).is_some_and(std::cmp::Ordering::is_le)) {
                    found.push(format!("{order} comes after {} has heard {heard}", order.node.name));
                }
            }
        }
    }
    for doing in case.doing.iter().filter(|d| d.begins()) {
        nobody_newer(case, ledger, doing, &mut found);
        fenced(case, ledger, doing, &mut found);
    }
    found.dedup();
    found
}

/// Everything that a node remembers of places.
fn heard(memory: &Memory) -> impl Iterator<Item = &Place> {
    [memory.fence.as_ref(), memory.consumed.as_ref().map(|c| &c.place), memory.cancelled.as_ref()].into_iter().flatten()
}

fn nobody_newer(case: &Case<'_>, ledger: &Ledger, doing: &Doing<'_>, found: &mut Found) {
    for (name, facts) in &case.situation.observed.nodes {
        let newer = |place: &&Place| place.epoch.number > ledger.epoch.number || place.compare(&ledger.claim()).is_none();
        if let Some(place) = facts.memory.known().and_then(|m| heard(m).find(newer)) {
            found.push(format!("{name} has heard {place} of another claim at the {}", doing.name()));
        }
    }
}

/// Rule 13: every member carries our fence before a node is taken out, so that nothing older can be performed meanwhile.
fn fenced(case: &Case<'_>, ledger: &Ledger, doing: &Doing<'_>, found: &mut Found) {
    let claim = ledger.claim();
    let whom: Vec<&NodeName> = match doing.weight {
        Weight::TakesOut => case.everybody.iter().copied().collect(),
        Weight::GoesOn | Weight::Prepares => vec![&doing.node.name],
        Weight::Passive | Weight::Back => Vec::new(),
    };
    for name in whom {
        if let Some(memory) = case.of(name, |f| &f.memory)
            && !memory.fence.as_ref().and_then(|fence| fence.compare(&claim)).is_some_and(std::cmp::Ordering::is_ge)
        {
            found.push(format!("{name} does not carry our fence at the {}", doing.name()));
        }
    }
}

/// Whether any place that a node remembers lies above what the ledger can have given out, under our claim or under one before it (rule 26).
pub(crate) fn beyond<'m>(ledger: &Ledger, memory: &'m Memory) -> Option<&'m Place> {
    let ceiling = ledger.ceiling();
    heard(memory).find(|place| match ledger.heights.get(&place.epoch.number) {
        Some(height) if place.epoch.number < ledger.epoch.number => !place.compare(height).is_some_and(std::cmp::Ordering::is_le),
        Some(_) | None => place.epoch == ledger.epoch && place.seq > ceiling.seq,
    })
}
