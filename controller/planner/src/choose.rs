//! Nothing is begun and nobody is out: has the cluster converged, may anything begin, and with which node?

use crate::begin;
use crate::eye::{Eye, No, Registry};
use drydock_model::desired::{NodeOrder, Standing, Version};
use drydock_model::ids::NodeName;
use drydock_model::ledger::{Failed, Failure};
use drydock_model::paths::route;
use drydock_model::plan::{Decision, HoldReason, Recheck, WaitingOn};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::Stamp;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn choose(eye: &Eye<'_>) -> Decision {
    match answer(eye) {
        Ok(decision) => decision,
        Err(No::Hold(why)) => Decision::Hold(why),
        Err(No::Wait(on)) => {
            let recheck = recheck(&on);
            Decision::Wait(on, recheck)
        }
    }
}

/// A blocker that names a moment is looked at again then; everything else at the usual pace.
fn recheck(on: &WaitingOn) -> Recheck {
    match on {
        WaitingOn::WindowOpens(Some(at)) | WaitingOn::WindowTooShort { opens: Some(at), .. } => Recheck::At(*at),
        WaitingOn::Backoff { until, .. } | WaitingOn::Soak { until, .. } | WaitingOn::Suspended { until: Some(until), .. } => {
            Recheck::At(*until)
        }
        WaitingOn::WindowOpens(None)
        | WaitingOn::WindowTooShort { opens: None, .. }
        | WaitingOn::Suspended { until: None, .. }
        | WaitingOn::Ledger(_)
        | WaitingOn::Remote(_)
        | WaitingOn::Answer { .. }
        | WaitingOn::ClusterAnswer { .. }
        | WaitingOn::StepRunning { .. }
        | WaitingOn::StorageRepair(_)
        | WaitingOn::NotUp { .. }
        | WaitingOn::Quorum { .. }
        | WaitingOn::Room { .. }
        | WaitingOn::RolesRunning { .. }
        | WaitingOn::StopFile(_)
        | WaitingOn::StopMark { .. }
        | WaitingOn::Clocks { .. }
        | WaitingOn::Servicing { .. } => Recheck::Usual,
    }
}

fn answer(eye: &Eye<'_>) -> Result<Decision, No> {
    let below = standings(eye)?;
    // Where every node is on the target nothing is to be prepared: a restart that somebody's patch waits for, and values that somebody changed, are not ours.
    let unready = if below.is_empty() { Vec::new() } else { unready(eye)? };
    if below.is_empty() {
        begin::members(eye)?;
        for name in eye.named() {
            persons_pause(eye, name)?;
            eye.up(name)?;
        }
        return Ok(Decision::Converged);
    }
    eye.stopped()?;
    eye.confirmed()?;
    if eye.s.desired.nodes.len() > 1 {
        begin::members(eye)?;
    }
    if eye.named().count() < 2 {
        return Err(HoldReason::SingleNode.into());
    }
    begin::preconditions(eye)?;
    for name in &below {
        prepared(eye, name)?;
    }
    let (failed, rest) = failures(eye, &below, &unready)?;
    stop_after(eye)?;
    // A restart that is pending on a node which is not tried any more is nobody's barrier.
    let barred = unready.iter().any(|(name, _)| rest.contains(name) || eye.registry(name) != Ok(Registry::Effective));
    let purpose = if barred { Purpose::Registry } else { Purpose::Upgrade };
    // The barrier: no upgrade before the values are in effect on every node, also on one that failed here, as roles may move to it.
    let candidates: Vec<NodeName> = match purpose {
        Purpose::Registry => unready.iter().map(|(name, _)| name.clone()).filter(|n| rest.contains(n)).collect(),
        Purpose::Upgrade => {
            let candidates = below.into_iter().filter(|n| rest.contains(n)).collect();
            at_most_two_releases(eye, candidates)?
        }
    };
    let Some(node) = next(eye, &candidates)? else {
        return Err(failed
            .map_or(HoldReason::TooManyFailed { nodes: Vec::new() }, |(node, failed)| HoldReason::NodeFailed { node, failed })
            .into());
    };
    if let Some((_, Registry::Wrong)) = unready.iter().find(|(name, registry)| *name == node && *registry == Registry::Wrong) {
        return write_registry(eye, &node);
    }
    eye.named().try_for_each(|name| persons_pause(eye, name))?;
    begin::guards(eye, &node, purpose)?;
    let id = eye.need(&node, "identity", &eye.node(&node).id)?;
    Ok(Decision::Open(eye.intent(Step::Vacate, purpose, id, false)))
}

/// The nodes below the target, none above it (S8).
fn standings(eye: &Eye<'_>) -> Result<Vec<NodeName>, No> {
    let mut below = Vec::new();
    for name in eye.named() {
        match eye.standing(name)? {
            Standing::Below => below.push(name.clone()),
            Standing::OnTarget => {}
            Standing::Above => {
                let build = eye.need(name, "build", &eye.node(name).build)?;
                return Err(HoldReason::NewerThanDesired { node: name.clone(), build: *build }.into());
            }
        }
    }
    Ok(below)
}

/// The nodes whose registry values are not in effect, or where a restart is pending from before: they are restarted once, drained, before any upgrade.
fn unready(eye: &Eye<'_>) -> Result<Vec<(NodeName, Registry)>, No> {
    let mut unready = Vec::new();
    for name in eye.named() {
        let pending = eye.need(name, "setup state", &eye.node(name).setup)?.pending;
        match eye.registry(name)? {
            Registry::Effective if pending => unready.push((name.clone(), Registry::AwaitsRestart)),
            Registry::Effective => {}
            registry @ (Registry::Wrong | Registry::AwaitsRestart) => unready.push((name.clone(), registry)),
        }
    }
    Ok(unready)
}

/// S17: the candidates after whose upgrade at most two releases serve in the cluster.
fn at_most_two_releases(eye: &Eye<'_>, candidates: Vec<NodeName>) -> Result<Vec<NodeName>, No> {
    let mut releases: BTreeMap<&NodeName, Version> = BTreeMap::new();
    for name in eye.named() {
        let build = eye.need(name, "build", &eye.node(name).build)?;
        releases.extend(Version::of_family(build.family).map(|release| (name, release)));
    }
    let target = eye.s.desired.target.version;
    let after = |node: &NodeName| {
        let others = releases.iter().filter(|(name, _)| **name != node).map(|(_, release)| *release);
        others.chain([target]).collect::<BTreeSet<Version>>().len()
    };
    let fit: Vec<NodeName> = candidates.iter().filter(|node| after(node) <= 2).cloned().collect();
    if fit.is_empty() && !candidates.is_empty() {
        let now: BTreeSet<Version> = releases.into_values().collect();
        return Err(HoldReason::MixedReleases { releases: now.into_iter().collect() }.into());
    }
    Ok(fit)
}

/// The path is documented, the build new enough, the disk large enough.
fn prepared(eye: &Eye<'_>, name: &NodeName) -> Result<(), No> {
    let facts = eye.node(name);
    let build = eye.need(name, "build", &facts.build)?;
    let path = route(*build, eye.s.desired.target, &eye.s.desired.source)
        .map_err(|why| HoldReason::NoRoute { node: name.clone(), why: why.to_string() })?;
    let free = *eye.need(name, "free disk space", &facts.disk_free)?;
    if free < path.least_free_disk {
        return Err(HoldReason::DiskSpace { node: name.clone(), free, needed: path.least_free_disk }.into());
    }
    Ok(())
}

/// A node that is paused, and not by us, belongs to a person.
fn persons_pause(eye: &Eye<'_>, name: &NodeName) -> Result<(), No> {
    use drydock_model::observed::MemberState;
    match eye.member(name)?.state {
        MemberState::Paused => Err(HoldReason::PersonHasNode { node: name.clone(), committed: false }.into()),
        MemberState::Up | MemberState::Down | MemberState::Joining | MemberState::Unknown => Ok(()),
    }
}

type Split = (Option<(NodeName, Failed)>, Vec<NodeName>);

/// Nodes whose attempts are used up, and the rest. More failures than `maxFailedNodes` allows end the run (they count only while Up).
fn failures(eye: &Eye<'_>, below: &[NodeName], unready: &[(NodeName, Registry)]) -> Result<Split, No> {
    let most = u32::from(eye.s.desired.run.max_retries_per_node);
    let mut failed: Vec<(NodeName, Failed)> = Vec::new();
    let mut rest = Vec::new();
    for name in eye.named().filter(|n| below.contains(n) || unready.iter().any(|(u, _)| u == *n)) {
        let id = eye.need(name, "identity", &eye.node(name).id)?;
        let attempts = eye.ledger.attempts_of(id, eye.s.desired.target);
        let bounded = Step::ALL.into_iter().find(|step| attempts.entries.get(step).copied().unwrap_or(0) >= step.row().entries);
        let exhausted = attempts.spent || u32::from(attempts.used()) > most || bounded.is_some();
        let again = |step| {
            let why = if step == Step::WriteRegistry { Failure::ValuesLost } else { Failure::NoEffect };
            Failed { step, why, at: Stamp::Unknown }
        };
        let last = bounded.map(again).or(attempts.last).unwrap_or_else(|| again(Step::Vacate));
        if exhausted { failed.push((name.clone(), last)) } else { rest.push(name.clone()) }
    }
    if failed.len() > usize::from(eye.s.desired.run.max_failed_nodes) {
        return match failed.as_slice() {
            [(node, failed)] => Err(HoldReason::NodeFailed { node: node.clone(), failed: failed.clone() }.into()),
            many => Err(HoldReason::TooManyFailed { nodes: many.iter().map(|(n, _)| n.clone()).collect() }.into()),
        };
    }
    Ok((failed.into_iter().next(), rest))
}

fn stop_after(eye: &Eye<'_>) -> Result<(), No> {
    let (Some(limit), Some((target, began))) = (eye.s.desired.run.stop_after, eye.ledger.run_began) else { return Ok(()) };
    if target == eye.s.desired.target && eye.age(began) >= limit { Err(HoldReason::StopAfter { limit }.into()) } else { Ok(()) }
}

/// The candidate whose turn it is: as listed, else fewest roles first, the node that answers the cluster's questions last. Those that wait for their
/// next attempt are passed over.
fn next(eye: &Eye<'_>, candidates: &[NodeName]) -> Result<Option<NodeName>, No> {
    let mut waiting = None;
    let mut ready: Vec<&NodeName> = Vec::new();
    for name in candidates {
        let id = eye.need(name, "identity", &eye.node(name).id)?;
        let attempts = eye.ledger.attempts_of(id, eye.s.desired.target);
        match begin::next_attempt(&attempts) {
            Some(until) if eye.now() < until => {
                waiting = waiting.or(Some(WaitingOn::Backoff { node: name.clone(), until }));
            }
            Some(_) | None => ready.push(name),
        }
    }
    let listed: &[NodeName] = match &eye.s.desired.run.node_order {
        NodeOrder::FewestRolesFirst => &[],
        NodeOrder::Listed(names) => names,
    };
    let key = |name: &NodeName| {
        let place = listed.iter().position(|n| n == name).unwrap_or(listed.len());
        let asked = eye.s.observed.cluster.through.as_ref() == Some(name);
        let roles = eye.member(name).map_or(u32::MAX, |m| m.roles);
        (place, asked, roles, name.clone())
    };
    match ready.into_iter().min_by_key(|name| key(name)) {
        Some(name) => Ok(Some(name.clone())),
        None => match waiting {
            Some(on) => Err(on.into()),
            None => Ok(None),
        },
    }
}

/// Writing the values disturbs nobody, and is done inside the window all the same: nothing of ours happens outside.
fn write_registry(eye: &Eye<'_>, node: &NodeName) -> Result<Decision, No> {
    begin::window(eye, Purpose::Registry)?;
    begin::everybody_answers(eye)?;
    let id = eye.need(node, "identity", &eye.node(node).id)?;
    Ok(Decision::Open(eye.intent(Step::WriteRegistry, Purpose::Registry, id, false)))
}
