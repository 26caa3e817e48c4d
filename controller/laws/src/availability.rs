//! S1, S4, S15: whom the cluster can spare.

use crate::Found;
use crate::case::{Case, Doing, Weight};
use crate::quorate::{takes_part, votes};
use drydock_model::ids::NodeName;
use drydock_model::observed::{Drives, MarkerState, Member, MemberState, View, Witness};
use drydock_model::order::MarkerExpected;
use drydock_model::step::Step;

/// S1: no node is vacated, installed on or restarted by us unless every other node is Up, not paused and joined.
/// Exempt: bringing back a node that is already out.
pub(crate) fn s1(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    for doing in case.doing.iter().filter(|d| d.step == Step::Restart && d.weight == Weight::Back) {
        restarted_in_service(case, doing, &mut found);
    }
    for doing in case.doing.iter().filter(|d| d.endangers()) {
        others_up(case, doing, &mut found);
        match doing.weight {
            Weight::TakesOut => may_go_out(case, doing, &mut found),
            Weight::GoesOn => is_out(case, doing, &mut found),
            Weight::Passive | Weight::Back | Weight::Prepares => {}
        }
        if let Some(order) = doing.order() {
            if !order.expect.others_up {
                found.push(format!("the order for {} does not make the node check that the others are Up", doing.name()));
            }
            match (&order.expect.marker, doing.weight) {
                (MarkerExpected::Any, _) => {
                    found.push(format!("the order for {} does not make the node check who took it out", doing.name()))
                }
                (MarkerExpected::Absent, Weight::GoesOn) => {
                    found.push(format!("the order for {} expects a node that nobody took out", doing.name()));
                }
                (MarkerExpected::Absent | MarkerExpected::Ours(_), _) => {}
            }
        }
    }
    found
}

fn others_up(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    let side = match &case.side {
        Ok(side) => side,
        Err(why) => return found.push(format!("nobody can say who is Up at the {}: {why}", doing.name())),
    };
    for other in case.everybody.iter().copied().filter(|n| **n != doing.node.name) {
        if let Some(state) = side.not_up(other) {
            found.push(format!("{other} is {state} at the {}", doing.name()));
        } else if case.owes(other) {
            found.push(format!("{other} owes a tombstone and does not count as Up at the {}", doing.name()));
        }
    }
}

fn may_go_out(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    let Some(ledger) = case.ledger else { return found.push(format!("the ledger is unknown at the {}", doing.name())) };
    match &ledger.out {
        Some(out) if out.node != *doing.node => found.push(format!("{} is out already at the {}", out.node.name, doing.name())),
        Some(_) => {}
        None => {
            if let Ok(side) = &case.side
                && let Some(state) = side.not_up(&doing.node.name)
            {
                found.push(format!("{} is {state} before we took it out", doing.node.name));
            }
        }
    }
}

fn is_out(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    let Some(ledger) = case.ledger else { return found.push(format!("the ledger is unknown at the {}", doing.name())) };
    let Some(out) = ledger.out.as_ref().filter(|out| out.node == *doing.node) else {
        return found.push(format!("{} is not out by the ledger at its {}", doing.node.name, doing.step));
    };
    if !out.vacated {
        found.push(format!("{} has not been vacated at its {}", doing.node.name, doing.step));
    }
    if let Ok(side) = &case.side
        && !side.all_see(&doing.node.name, |m| m.state == MemberState::Paused)
    {
        found.push(format!("{} is not Paused at its {}", doing.node.name, doing.step));
    }
    let marker = case.of(&doing.node.name, |f| &f.memory).and_then(|m| m.marker.as_ref());
    let ours = marker.is_some_and(|m| m.state == MarkerState::Suspended && m.vacate.compare(&out.vacate).is_some());
    if !ours {
        found.push(format!("{} carries no marker of ours at its {}", doing.node.name, doing.step));
    }
}

/// A committed node that a person has put back into service is out no more: it is not restarted under what runs there.
fn restarted_in_service(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    if let Ok(side) = &case.side
        && side.all_see(&doing.node.name, |m| m.state == MemberState::Up)
    {
        found.push(format!("{} is Up at its {}", doing.node.name, doing.step));
    }
    if doing.order().is_some_and(|order| !matches!(order.expect.marker, MarkerExpected::Ours(_))) {
        found.push(format!("the order for {} does not make the node check that it is still out by us", doing.name()));
    }
}

/// S4: losing the chosen node (and the witness, if in doubt) leaves cluster quorum and pool quorum; votes are counted from the cluster.
///
/// Holds for a Restart on the way back too, as far as votes go: its drives are in maintenance mode already, so the pool loses nothing by it.
pub(crate) fn s4(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    for doing in &case.doing {
        let lost = match doing.step {
            Step::Vacate | Step::Reboot | Step::Restart => true,
            Step::WriteRegistry | Step::Install | Step::Return | Step::Settle => false,
        };
        if !lost {
            continue;
        }
        cluster_quorum(case, doing, &mut found);
        if doing.endangers() {
            pool_quorum(case, doing, &mut found);
            if doing.order().is_some_and(|order| !order.expect.quorum) {
                found.push(format!("the order for {} does not make the node ask whether quorum survives", doing.name()));
            }
        }
    }
    found
}

fn cluster_quorum(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    match &case.side {
        Err(why) => found.push(format!("votes cannot be counted at the {}: {why}", doing.name())),
        Ok(side) => {
            for view in side.views.values() {
                let (left, total) = votes_left(view, &doing.node.name);
                if 2 * left <= total {
                    found.push(format!("without {} {left} of {total} votes are left", doing.node.name));
                    break;
                }
            }
        }
    }
    let cluster = &case.situation.observed.cluster;
    match case.fresh(&cluster.would_lose_quorum) {
        Some(nodes) if nodes.contains(&doing.node.name) => {
            found.push(format!("the cluster says that it would lose quorum without {}", doing.node.name));
        }
        None if doing.endangers() => found.push(format!("the cluster does not say whether it survives the loss of {}", doing.node.name)),
        Some(_) | None => {}
    }
}

/// Votes that are left without a node, of those that count. A witness that is configured and not online may count and is lost.
fn votes_left(view: &View, without: &NodeName) -> (u32, u32) {
    let (witness, lost) = match view.witness {
        Witness::None | Witness::Online { vote: false } => (0, 0),
        Witness::Online { vote: true } => (1, 0),
        Witness::Offline => (0, 1),
    };
    let living = |(name, member): &(&NodeName, &Member)| *name != without && takes_part(member.state);
    let left = votes(view.members.iter().filter(living).map(|(_, m)| m)) + witness;
    (left, votes(view.members.values()) + witness + lost)
}

fn pool_quorum(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    let Some(storage) = case.fresh(&case.situation.observed.cluster.storage) else {
        return found.push(format!("the pool's drives cannot be counted at the {}", doing.name()));
    };
    for node in case.everybody.iter().copied() {
        if storage.drives.get(node).is_none_or(|d| d.total == 0) {
            found.push(format!("the pool's drives on {node} are not known at the {}", doing.name()));
        }
    }
    let sum = |of: fn(&Drives) -> u32, others: bool| -> u64 {
        storage.drives.iter().filter(|(name, _)| !others || **name != doing.node.name).map(|(_, d)| u64::from(of(d))).sum()
    };
    let (left, total) = (sum(|d| d.good, true), sum(|d| d.total, false));
    // Exactly half suffices where the pool's owner can be elected, which a witness decides (Microsoft: Understanding cluster and pool quorum).
    let witness = case.side.as_ref().is_ok_and(|side| side.views.values().all(|v| matches!(v.witness, Witness::Online { .. })));
    if 2 * left < total || (2 * left == total && !witness) {
        found.push(format!("without {} {left} of {total} drives of the pool are left", doing.node.name));
    }
}

/// S15: before vacating, the others have room for the roles.
pub(crate) fn s15(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    for doing in case.doing.iter().filter(|d| d.weight == Weight::TakesOut) {
        let chosen = &doing.node.name;
        let Some(capacity) = case.fresh(&case.situation.observed.cluster.capacity) else {
            found.push(format!("room for the roles of {chosen} is not known"));
            continue;
        };
        let Some(room) = capacity.nodes.get(chosen) else {
            found.push(format!("the roles of {chosen} are not known"));
            continue;
        };
        let free: Vec<u64> = capacity.nodes.iter().filter(|(name, _)| *name != chosen).map(|(_, r)| r.free_mib).collect();
        let mut roles = room.roles_mib.clone();
        roles.sort_unstable_by(|a, b| b.cmp(a));
        // The largest role first. One plan that works is enough, and none of these ways finds all of them.
        let ways: [Way; 3] = [
            |free, role| free.iter_mut().filter(|f| **f >= role).max(),
            |free, role| free.iter_mut().filter(|f| **f >= role).min(),
            |free, role| free.iter_mut().find(|f| **f >= role),
        ];
        let refused = ways.map(|way| without_room(&roles, free.clone(), way));
        if let [Some(role), Some(_), Some(_)] = refused {
            found.push(format!("no other node has room for a role of {chosen} that needs {role} MiB"));
        }
    }
    found
}

/// Where the next role goes, of what is free on each node.
type Way = fn(&mut [u64], u64) -> Option<&mut u64>;

/// The first role that finds no room when each is placed by `way`, in MiB.
fn without_room(roles: &[u64], mut free: Vec<u64>, way: Way) -> Option<u64> {
    for role in roles {
        match way(&mut free, *role) {
            Some(room) => *room -= role,
            None => return Some(*role),
        }
    }
    None
}
