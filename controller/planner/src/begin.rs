//! What must be true before a node is taken out: rules 13 to 16 and laws S1, S2, S3, S4, S10, S11, S15. Asked when Vacate is opened, and again when
//! it is first performed.

use crate::clock::{CLOCKS_APART, clock_apart};
use crate::eye::{Eye, No, Registry};
use crate::storage::settled;
use drydock_model::desired::{Standing, WorkloadPolicy};
use drydock_model::fact::Gap;
use drydock_model::ids::NodeName;
use drydock_model::ledger::Attempts;
use drydock_model::observed::{MemberState, Witness};
use drydock_model::plan::{HoldReason, WaitingOn};
use drydock_model::step::Purpose;
use drydock_model::time::{Millis, Timestamp};

/// All guards to begin, cheapest to explain first.
pub(crate) fn guards(eye: &Eye<'_>, node: &NodeName, purpose: Purpose) -> Result<(), No> {
    eye.confirmed()?;
    eye.stopped()?;
    window(eye, purpose)?;
    eye.troubles.values().next().map_or(Ok(()), |why| Err(No::Hold(why.clone())))?;
    everybody_answers(eye)?;
    clocks(eye)?;
    members(eye)?;
    eye.up(node)?;
    eye.others_up(node)?;
    everybody_sees(eye)?;
    nobody_services(eye)?;
    preconditions(eye)?;
    // What is damaged there would refuse every order but the way back.
    eye.need(node, "worker", &eye.node(node).worker)?;
    if purpose == Purpose::Upgrade {
        registry_everywhere(eye)?;
    }
    settled(eye.storage()?).map_err(WaitingOn::StorageRepair)?;
    quorum(eye, node)?;
    room(eye, node)?;
    Ok(())
}

/// Nobody else upgrades this cluster, and nothing on it asks for another way (domain.md sections 2 and 5).
pub(crate) fn preconditions(eye: &Eye<'_>) -> Result<(), No> {
    let facts = eye
        .fresh(&eye.s.observed.cluster.preconditions)
        .map_err(|gap| WaitingOn::ClusterAnswer { fact: "preconditions (solution, self-updating, sites)".to_owned(), gap })?;
    HoldReason::of(facts).map_or(Ok(()), |why| Err(why.into()))
}

/// S3: the window stays open for all of one node's remaining steps and its way back.
pub(crate) fn window(eye: &Eye<'_>, purpose: Purpose) -> Result<(), No> {
    let windows = &eye.s.desired.maintenance.windows;
    let needed = eye.s.desired.node_budget(purpose);
    // Nobody is drained for the registry's sake in a cluster whose upgrade then fits into no window.
    let upgrades = eye.named().any(|name| eye.standing(name) == Ok(Standing::Below));
    let whole = if upgrades { needed.max(eye.s.desired.node_budget(Purpose::Upgrade)) } else { needed };
    if windows.longest().is_some_and(|longest| longest < whole) {
        // Those that touch are one.
        let longest = windows.longest_after(eye.now());
        if longest < whole {
            return Err(HoldReason::NoWindowFits { needed: whole, longest }.into());
        }
    }
    // A freeze holds for a run that may go on outside its windows, too, and also one that begins before the node would be back.
    if windows.exclusion_within(eye.now(), needed).is_none() && began_inside(eye) {
        return Ok(());
    }
    let Some(open) = windows.open_span(eye.now()) else {
        return Err(WaitingOn::WindowOpens(windows.next_open(eye.now())).into());
    };
    match open.closes {
        Some(closes) if closes.since(eye.now()) < needed => {
            Err(WaitingOn::WindowTooShort { needed, opens: windows.next_open(closes) }.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// `Finish`: a run that began inside a window goes on until the whole cluster is done.
fn began_inside(eye: &Eye<'_>) -> bool {
    let maintenance = &eye.s.desired.maintenance;
    let began = eye.ledger.run_began.as_ref().filter(|(target, _)| *target == eye.s.desired.target).and_then(|(_, stamp)| stamp.known());
    maintenance.overrun == drydock_model::desired::Overrun::Finish && began.is_some_and(|t| maintenance.windows.open_span(t).is_some())
}

/// Rule 13: every member answers for itself, is who the ledger knows, tells its clock, and carries our fence.
pub(crate) fn everybody_answers(eye: &Eye<'_>) -> Result<(), No> {
    for name in eye.named() {
        let facts = eye.node(name);
        let id = eye.need(name, "identity", &facts.id)?;
        if eye.ledger.known.get(name) != Some(id) {
            return Err(HoldReason::NodeReplaced { node: name.clone() }.into());
        }
        // The median of the others would do for rule 15; a node that cannot tell the time is not answering (S10).
        eye.need(name, "clock", &facts.clock)?;
        let needed = eye.fence_needed(name);
        let carries = eye.memory(name)?.fence.as_ref().and_then(|f| f.compare(&needed));
        match carries {
            Some(std::cmp::Ordering::Equal | std::cmp::Ordering::Greater) => {}
            Some(std::cmp::Ordering::Less) | None => {
                return Err(
                    WaitingOn::Answer { node: name.clone(), fact: "our fence".to_owned(), gap: Gap::Missing("it".to_owned()) }.into()
                );
            }
        }
    }
    Ok(())
}

/// The others' word says who is Up; a member that cannot say what it sees is asked for it all the same (S10). One that is Down was named before.
fn everybody_sees(eye: &Eye<'_>) -> Result<(), No> {
    eye.named().try_for_each(|name| eye.need(name, "view of the cluster", &eye.node(name).view).map(drop).map_err(No::from))
}

/// Rule 15.
fn clocks(eye: &Eye<'_>) -> Result<(), No> {
    if let Some(last) = eye.ledger.last_stamp
        && eye.now() < last
        && !eye.ledger.clock_accepted
    {
        return Err(WaitingOn::Clocks { by: last.since(eye.now()) }.into());
    }
    match clock_apart(eye.s.observed) {
        Some(by) if by <= CLOCKS_APART => Ok(()),
        Some(by) => Err(WaitingOn::Clocks { by }.into()),
        None => Err(WaitingOn::ClusterAnswer { fact: "clocks".to_owned(), gap: Gap::NotAsked }.into()),
    }
}

/// The members that the cluster counts are the nodes that are desired: a node nobody named is a node nobody watches.
pub(crate) fn members(eye: &Eye<'_>) -> Result<(), No> {
    let view = eye.view.as_ref().map_err(Clone::clone)?;
    let unnamed: Vec<NodeName> = view.members.keys().filter(|m| !eye.s.desired.nodes.contains(m)).cloned().collect();
    let missing: Vec<NodeName> = eye.named().filter(|n| !view.members.contains_key(*n)).cloned().collect();
    if let Some(gone) = view.members.keys().find(|m| eye.ledger.gone.contains_key(*m)) {
        return Err(HoldReason::GoneIsMember { node: gone.clone() }.into());
    }
    if unnamed.is_empty() && missing.is_empty() { Ok(()) } else { Err(HoldReason::MembersDiffer { unnamed, missing }.into()) }
}

/// The barrier of the registry pass, judged again when the node is really taken: another one may have been replaced meanwhile.
fn registry_everywhere(eye: &Eye<'_>) -> Result<(), No> {
    for name in eye.named() {
        if eye.registry(name)? != Registry::Effective {
            return Err(WaitingOn::Servicing { node: name.clone() }.into());
        }
    }
    Ok(())
}

/// No member is in the middle of an update that somebody else began.
fn nobody_services(eye: &Eye<'_>) -> Result<(), No> {
    for name in eye.named() {
        if eye.need(name, "setup state", &eye.node(name).setup)?.running {
            return Err(WaitingOn::Servicing { node: name.clone() }.into());
        }
    }
    Ok(())
}

/// S4: the cluster and the pool survive without this node; votes are counted from the cluster, the cluster itself is asked too.
pub(crate) fn quorum(eye: &Eye<'_>, node: &NodeName) -> Result<(), WaitingOn> {
    let no = |why: &str| Err(WaitingOn::Quorum { without: node.clone(), why: why.to_owned() });
    let view = eye.view.as_ref().map_err(Clone::clone)?;
    let witness = view.witness == Witness::Online { vote: true };
    // A witness that is configured and offline is a vote that is lost.
    let all = view.members.values().filter(|m| m.vote).count() + usize::from(witness || view.witness == Witness::Offline);
    let others = view
        .members
        .iter()
        .filter(|(name, m)| *name != node && m.vote && !m.impaired && matches!(m.state, MemberState::Up | MemberState::Paused))
        .count();
    if (others + usize::from(witness)) * 2 <= all {
        return no("the others hold no majority of the votes");
    }
    let lost = eye
        .fresh(&eye.s.observed.cluster.would_lose_quorum)
        .map_err(|gap| WaitingOn::ClusterAnswer { fact: "WillOfflineLoseQuorum".to_owned(), gap })?;
    if lost.contains(node) {
        return no("the cluster says that it would lose quorum");
    }
    let storage = eye.storage()?;
    if let Some(unseen) = view.members.keys().find(|member| storage.drives.get(*member).is_none_or(|drives| drives.total == 0)) {
        return no(&format!("no drive of the pool is seen on {unseen}, so nobody can count them"));
    }
    let total: u32 = storage.drives.values().map(|d| d.total).sum();
    let good: u32 = storage.drives.iter().filter(|(name, _)| *name != node).map(|(_, d)| d.good).sum();
    // A pool has no dynamic quorum: more than half of the drives, or half of them together with the tie-breaker (Microsoft: Understanding pool quorum).
    let tie_breaker = matches!(view.witness, Witness::Online { .. });
    if good * 2 > total || (good * 2 == total && tie_breaker) { Ok(()) } else { no("the storage pool would lose its quorum") }
}

/// S15: first fit of the node's roles, largest first, into what the others have free; or no virtual machine at all, where the policy says so.
fn room(eye: &Eye<'_>, node: &NodeName) -> Result<(), No> {
    let capacity =
        eye.fresh(&eye.s.observed.cluster.capacity).map_err(|gap| WaitingOn::ClusterAnswer { fact: "memory for roles".to_owned(), gap })?;
    match eye.s.desired.workload {
        WorkloadPolicy::MustBeOff => {
            let roles = capacity.nodes.values().map(|room| room.roles_mib.len()).sum::<usize>();
            match u32::try_from(roles).unwrap_or(u32::MAX) {
                0 => Ok(()),
                roles => Err(WaitingOn::RolesRunning { roles }.into()),
            }
        }
        WorkloadPolicy::LiveMigrate => {
            let unknown = || WaitingOn::ClusterAnswer { fact: "memory for roles".to_owned(), gap: Gap::Missing(format!("that of {node}")) };
            let mut roles = capacity.nodes.get(node).map(|r| r.roles_mib.clone()).ok_or_else(unknown)?;
            roles.sort_unstable_by(|a, b| b.cmp(a));
            let mut free: Vec<u64> = capacity.nodes.iter().filter(|(name, _)| *name != node).map(|(_, r)| r.free_mib).collect();
            for role in roles {
                match free.iter_mut().find(|f| **f >= role) {
                    Some(f) => *f -= role,
                    None => return Err(WaitingOn::Room { node: node.clone() }.into()),
                }
            }
            Ok(())
        }
    }
}

/// When the next attempt may begin, after one that failed.
pub(crate) fn next_attempt(attempts: &Attempts) -> Option<Timestamp> {
    let last = attempts.last.as_ref().filter(|_| attempts.used() > 0)?;
    Some(last.at.known()? + backoff(attempts.used()))
}

/// Time until the next attempt after `used` failed ones: five minutes, doubling, at most an hour.
pub(crate) fn backoff(used: u8) -> Millis {
    const FIRST: Millis = Millis::minutes(5);
    const MOST: Millis = Millis::hours(1);
    let doubled = FIRST.times(1 << u64::from(used.saturating_sub(1)).min(10));
    doubled.min(MOST)
}
