//! Names that tell nothing are made equal, so that states which differ only in them are one: numbers of entries count from the next one back, claims from
//! the newest back, boots by where they are remembered, and what is only statistics is gone.
//!
//! The planner and the nodes compare numbers with each other, add small offsets within one claim and look at nothing else, so the futures of two such
//! states are the same but for the names.

use super::{World, name};
use crate::abstraction::NODES;
use crate::sim::node;
use drydock_model::ids::{BootId, Epoch, Place};
use drydock_model::ledger::{Event, Intent, Ledger};
use drydock_model::order::{Act, MarkerExpected, Order};
use std::collections::{BTreeMap, BTreeSet};

/// The next entry of the newest claim has this number: no abstract run writes so many.
const NEXT: u32 = 10_000;

/// The newest claim has this number.
const NEWEST: u32 = 1_000;

/// Makes names that tell nothing equal.
pub fn canonical(w: &mut World) {
    let heights: BTreeMap<u32, u32> = w.ledger.heights.iter().map(|(number, place)| (*number, place.seq + 1)).collect();
    let (current, next) = (w.ledger.epoch.number, w.ledger.next);
    let mut used = BTreeSet::new();
    each_place(w, &mut |place| {
        used.insert(place.epoch.number);
    });
    used.insert(current);
    let ranks: BTreeMap<u32, u32> = used.iter().rev().enumerate().map(|(rank, number)| (*number, NEWEST - rank as u32)).collect();
    let shift = |place: &mut Place| {
        let height = if place.epoch.number == current { next } else { heights.get(&place.epoch.number).copied().unwrap_or(0) };
        if place.seq > 0 && height > 0 {
            place.seq = (place.seq + NEXT).saturating_sub(height);
        }
        rank(&ranks, &mut place.epoch);
    };
    forget(&mut w.ledger, &used);
    if let Some(earlier) = &mut w.earlier {
        forget(earlier, &used);
    }
    let old_current = w.ledger.epoch.clone();
    each_place(w, &mut |place| shift(place));
    for ledger in [Some(&mut w.ledger), w.earlier.as_deref_mut()].into_iter().flatten() {
        let height = if ledger.epoch == old_current { next } else { heights.get(&ledger.epoch.number).copied().unwrap_or(ledger.next) };
        ledger.next = (ledger.next + NEXT).saturating_sub(height);
        rank(&ranks, &mut ledger.epoch);
        let old = std::mem::take(&mut ledger.heights);
        ledger.heights = old.into_values().map(|place| (place.epoch.number, place)).collect();
        ledger.durations.clear();
        ledger.since = None;
    }
    if let Some((epoch, _)) = &mut w.hand {
        rank(&ranks, epoch);
    }
    orders(w);
    boots(w);
    w.flight.sort();
}

fn rank(ranks: &BTreeMap<u32, u32>, epoch: &mut Epoch) {
    if let Some(rank) = ranks.get(&epoch.number) {
        *epoch = Epoch { number: *rank, nonce: name(&format!("n{rank}")) };
    }
}

/// Heights of claims that nobody remembers tell nothing.
fn forget(ledger: &mut Ledger, used: &BTreeSet<u32>) {
    ledger.heights.retain(|number, _| used.contains(number));
}

/// Every place but the heights' own and the epochs of ledgers and hands.
fn each_place(w: &mut World, f: &mut impl FnMut(&mut Place)) {
    for n in &mut w.nodes {
        let m = &mut n.memory;
        let consumed = m.consumed.as_mut().map(|c| &mut c.place);
        let marker = m.marker.as_mut().map(|m| &mut m.vacate);
        let worker = n.worker.as_mut().map(|w| &mut w.place);
        [m.fence.as_mut(), consumed, marker, m.cancelled.as_mut(), worker].into_iter().flatten().for_each(&mut *f);
    }
    for ledger in [Some(&mut w.ledger), w.earlier.as_deref_mut()].into_iter().flatten() {
        ledger.heights.values_mut().for_each(&mut *f);
        for intent in [&mut ledger.open, &mut ledger.last].into_iter().flatten() {
            each_of(intent, f);
        }
        if let Some(out) = &mut ledger.out {
            f(&mut out.vacate);
        }
        ledger.owes.values_mut().for_each(&mut *f);
    }
    match &mut w.hand {
        Some((_, Event::Opened(intent))) => each_of(intent, f),
        Some((_, Event::Cancelled(entry) | Event::Closed { entry, .. })) => f(&mut entry.place),
        Some((
            _,
            Event::Claimed { .. }
            | Event::Met(_)
            | Event::Noted { .. }
            | Event::Applied { .. }
            | Event::Read(_)
            | Event::Refused { .. }
            | Event::Word(_),
        ))
        | None => {}
    }
    for order in &mut w.flight {
        f(&mut order.entry.place);
        match &mut order.expect.marker {
            MarkerExpected::Ours(place) => f(place),
            MarkerExpected::Any | MarkerExpected::Absent => {}
        }
    }
}

/// A block goes where its entry goes.
fn each_of(intent: &mut Intent, f: &mut impl FnMut(&mut Place)) {
    let offset = intent.entry.place.seq - intent.base;
    f(&mut intent.entry.place);
    intent.base = intent.entry.place.seq - offset;
}

/// Digests follow the names. One that no order on its way bears is as good as any other: the entry's number alone refuses the rest.
fn orders(w: &mut World) {
    let before: Vec<_> = w.flight.iter().map(|o| o.digest.clone()).collect();
    for order in &mut w.flight {
        *order = match &order.act {
            Act::Fence { marker } => Order::fence(order.entry.clone(), order.node.clone(), marker.clone()),
            Act::Cancel => Order::cancel(order.entry.clone(), order.node.clone()),
            Act::Step(work) => Order {
                boot: order.boot.clone(),
                not_after: order.not_after,
                ..Order::step(
                    order.entry.clone(),
                    order.node.clone(),
                    work.clone(),
                    order.expect.clone(),
                    order.boot.clone().unwrap_or_else(|| name("none")),
                    order.not_after.unwrap_or_default(),
                )
            },
        };
    }
    for n in &mut w.nodes {
        if let Some(consumed) = &mut n.memory.consumed {
            let again = before.iter().zip(&w.flight).find(|(before, _)| **before == consumed.digest);
            consumed.digest = again.map_or_else(|| name("00"), |(_, order)| order.digest.clone());
        }
    }
}

/// Every memory of a node's boots, its present one first.
fn each_boot(w: &mut World, i: usize, f: &mut impl FnMut(&mut BootId)) {
    let own = node(i + 1);
    let m = &mut w.nodes[i].memory;
    [m.commit.as_mut().map(|c| &mut c.boot), m.registry_written.as_mut()].into_iter().flatten().for_each(&mut *f);
    for ledger in [Some(&mut w.ledger), w.earlier.as_deref_mut()].into_iter().flatten() {
        for intent in [&mut ledger.open, &mut ledger.last].into_iter().flatten().filter(|intent| intent.node.name == own) {
            intent.boot.as_mut().into_iter().for_each(&mut *f);
        }
    }
    if let Some((_, Event::Opened(intent))) = &mut w.hand
        && intent.node.name == own
    {
        intent.boot.as_mut().into_iter().for_each(&mut *f);
    }
    for order in w.flight.iter_mut().filter(|order| order.node.name == own) {
        order.boot.as_mut().into_iter().for_each(&mut *f);
    }
}

/// Earlier boots are named in the order in which they are remembered.
fn boots(w: &mut World) {
    for i in 0..NODES {
        let mut names: BTreeMap<BootId, BootId> = BTreeMap::new();
        each_boot(w, i, &mut |boot| {
            if boot.as_str() != "now" {
                let next = names.len();
                *boot = names.entry(boot.clone()).or_insert_with(|| name(&format!("before-{next}"))).clone();
            }
        });
    }
}

/// The present boot of a node becomes an earlier one.
pub(super) fn another_boot(w: &mut World, i: usize) {
    each_boot(w, i, &mut |boot| {
        if boot.as_str() == "now" {
            *boot = name("just-before");
        }
    });
}
