//! What is said of every node while a decision is made, also of idle ones (S7): only what was seen, and unknown as unknown.

use crate::eye::Eye;
use crate::way;
use drydock_model::desired::Standing;
use drydock_model::fact::Fact;
use drydock_model::ids::NodeName;
use drydock_model::ledger::Ledger;
use drydock_model::paths::path;
use drydock_model::plan::{Decision, Estimate, HoldReason, NodePhase, NodeReport, Recheck, Report, Situation, WaitingOn, WindowReport};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn report(s: &Situation<'_>, decision: &Decision) -> Report {
    let window = window(s);
    let (next, next_at) = next(s, decision);
    let mut report =
        Report { nodes: BTreeMap::new(), window, next, next_at, blocked_by: blockers(decision), warnings: warnings(s), estimate: None };
    if let Fact::Known { value: ledger, .. } = s.ledger {
        let eye = Eye::new(s, ledger);
        report.nodes = s.desired.nodes.iter().map(|name| (name.clone(), node(&eye, name, decision))).collect();
        report.estimate = estimate(&eye, window);
        if let Some(why) = unupgraded(&eye, decision) {
            report.next = format!("{}, which goes back as it is: {why}", report.next);
        }
        report.warnings.extend(warn_after(&eye));
        report.warnings.extend(after_the_way_back(&eye, decision));
    } else {
        let unknown = || NodeReport { build: None, phase: NodePhase::Unknown, detail: "the ledger could not be read".to_owned() };
        report.nodes = s.desired.nodes.iter().map(|name| (name.clone(), unknown())).collect();
    }
    report
}

/// Why a node begins its way back without what it was taken out for.
fn unupgraded(eye: &Eye<'_>, decision: &Decision) -> Option<String> {
    let (Decision::Open(intent), Some(out)) = (decision, &eye.ledger.out) else { return None };
    let upgraded = out.purpose == Purpose::Upgrade && eye.release_reached(&out.node.name) == Ok(true);
    if intent.step != Step::Return || out.returning || upgraded {
        return None;
    }
    way::wants_back(eye, out).map(|(_, why)| why)
}

fn window(s: &Situation<'_>) -> WindowReport {
    let windows = &s.desired.maintenance.windows;
    match windows.open_span(s.now.at) {
        Some(open) => open.closes.map_or(WindowReport::Always, |closes| WindowReport::Open { closes }),
        None => WindowReport::Closed { opens: windows.next_open(s.now.at) },
    }
}

fn node(eye: &Eye<'_>, name: &NodeName, decision: &Decision) -> NodeReport {
    let facts = eye.node(name);
    let build = eye.fresh(&facts.build).ok().copied();
    let said = |phase, detail: String| NodeReport { build, phase, detail };
    if let Some(reason) = eye.ledger.gone.get(name) {
        return said(NodePhase::Gone, format!("declared gone: {reason}"));
    }
    if let Decision::Hold(why) = decision
        && why.node() == Some(name)
    {
        let phase = if matches!(why, HoldReason::NodeFailed { .. }) { NodePhase::Failed } else { NodePhase::Held };
        return said(phase, why.to_string());
    }
    if let Some(why) = eye.troubles.get(name) {
        return said(NodePhase::Held, why.to_string());
    }
    if let Some(intent) = eye.ledger.open.as_ref().filter(|i| i.node.name == *name) {
        let phase = if intent.step == Step::Settle {
            NodePhase::Settling
        } else {
            NodePhase::Working { step: intent.step, since: intent.opened.known(), percent: percent(eye, name, intent.step) }
        };
        return said(phase, format!("{} {}", intent.step, doing(decision)));
    }
    if eye.ledger.out.as_ref().is_some_and(|o| o.node.name == *name) {
        let step = match decision {
            Decision::Open(intent) => intent.step,
            Decision::Converged
            | Decision::Wait(..)
            | Decision::Fence(_)
            | Decision::Meet(_)
            | Decision::Cancel(_)
            | Decision::Perform(_)
            | Decision::Close { .. }
            | Decision::Hold(_) => eye.ledger.last.as_ref().map_or(Step::Vacate, |last| last.step),
        };
        return said(NodePhase::Working { step, since: None, percent: None }, format!("out, {}", doing(decision)));
    }
    if eye.ledger.settling.as_ref().is_some_and(|x| x.node.name == *name) {
        return said(NodePhase::Settling, "returned; its storage heals".to_owned());
    }
    let attempts = facts.id.known().map(|id| eye.ledger.attempts_of(id, eye.s.desired.target));
    match eye.standing(name) {
        Err(why) => said(NodePhase::Unknown, why.to_string()),
        Ok(Standing::Above) => said(NodePhase::Held, "newer than desired".to_owned()),
        Ok(Standing::OnTarget) => match eye.up(name) {
            Ok(()) => said(NodePhase::Done, "on the target".to_owned()),
            Err(why @ (WaitingOn::Answer { .. } | WaitingOn::ClusterAnswer { .. })) => said(NodePhase::Unknown, why.to_string()),
            Err(why) => said(NodePhase::Pending, format!("on the target, waits for {why}")),
        },
        Ok(Standing::Below) => match attempts.and_then(|a| a.last.clone().map(|l| (a, l))) {
            Some((a, last)) if a.spent || a.used() > eye.s.desired.run.max_retries_per_node => {
                said(NodePhase::Failed, format!("failed at {}: {}", last.step, last.why))
            }
            Some((a, last)) if a.used() > 0 => {
                said(NodePhase::Pending, format!("attempt {} to come; {} failed before: {}", a.number, last.step, last.why))
            }
            Some(_) | None => said(NodePhase::Pending, "waits for its turn".to_owned()),
        },
    }
}

/// Percent done, where the worker tells it.
fn percent(eye: &Eye<'_>, name: &NodeName, step: Step) -> Option<u8> {
    if step != Step::Install {
        return None;
    }
    eye.node(name).worker.known().and_then(Option::as_ref).and_then(|w| w.state.percent())
}

fn doing(decision: &Decision) -> String {
    match decision {
        Decision::Wait(on, _) => format!("waits for {on}"),
        Decision::Hold(why) => why.to_string(),
        Decision::Perform(_) => "begins".to_owned(),
        Decision::Cancel(_) => "is being cancelled".to_owned(),
        Decision::Close { outcome, .. } => outcome.to_string(),
        Decision::Converged | Decision::Fence(_) | Decision::Meet(_) | Decision::Open(_) => "goes on".to_owned(),
    }
}

fn next(s: &Situation<'_>, decision: &Decision) -> (String, Option<Timestamp>) {
    let open = s.ledger.known().and_then(|l| l.open.as_ref());
    let open = open.map_or_else(|| "the open step".to_owned(), |i| format!("{} on {}", i.step, i.node.name));
    match decision {
        Decision::Converged => ("nothing: every node is on the target".to_owned(), None),
        Decision::Wait(on, recheck) => {
            let at = match recheck {
                Recheck::At(at) => Some(*at),
                Recheck::Soon | Recheck::Usual => None,
            };
            (format!("waits for {on}"), at)
        }
        Decision::Fence(orders) => (format!("tells {} nodes of this controller's claim", orders.len()), None),
        Decision::Meet(ids) => {
            let names: Vec<&str> = ids.iter().map(|id| id.name.as_str()).collect();
            (format!("writes down which machine bears the name {}", names.join(", ")), None)
        }
        Decision::Open(intent) => (format!("begins {} on {}", intent.step, intent.node.name), None),
        Decision::Cancel(_) => (format!("cancels {open}"), None),
        Decision::Perform(orders) => (orders.first().map_or_else(String::new, |o| format!("sends {o}")), None),
        Decision::Close { outcome, .. } => (format!("has seen the end of {open}: {outcome}"), None),
        Decision::Hold(why) => (why.way_out(), None),
    }
}

/// The true blocker (L3).
fn blockers(decision: &Decision) -> Vec<String> {
    match decision {
        Decision::Wait(WaitingOn::StepRunning { .. }, _) => Vec::new(),
        Decision::Wait(on, _) => vec![on.to_string()],
        Decision::Hold(why) => vec![why.to_string()],
        Decision::Converged
        | Decision::Fence(_)
        | Decision::Meet(_)
        | Decision::Open(_)
        | Decision::Cancel(_)
        | Decision::Perform(_)
        | Decision::Close { .. } => Vec::new(),
    }
}

/// What the articles warn of, for the paths that the cluster's nodes would take.
fn warnings(s: &Situation<'_>) -> Vec<String> {
    use drydock_model::desired::Version;
    let from: BTreeSet<Version> = s.observed.nodes.values().filter_map(|n| Version::of_family(n.build.known()?.family)).collect();
    let texts: BTreeSet<&str> =
        from.iter().filter_map(|v| path(*v, s.desired.target.version)).flat_map(|p| p.warnings.iter().copied()).collect();
    let begun = s.ledger.known().is_some_and(|ledger| ledger.run_began.is_some_and(|(target, _)| target == s.desired.target));
    let checks = from.iter().filter_map(|v| path(*v, s.desired.target.version)).flat_map(|p| p.checks.iter().copied());
    // Once a node was begun it is too late to ask.
    let asked: BTreeSet<&str> = checks.filter(|_| !begun).collect();
    texts
        .into_iter()
        .map(str::to_owned)
        .chain(asked.into_iter().map(|check| format!("make sure before the first node is begun: {check}")))
        .collect()
}

/// What needs a person as soon as the node that is out is back.
fn after_the_way_back(eye: &Eye<'_>, decision: &Decision) -> Vec<String> {
    let told = |why: &&HoldReason| !matches!(decision, Decision::Hold(said) if said == *why);
    eye.troubles.values().filter(told).map(|why| format!("{why}. {}", why.way_out())).collect()
}

fn warn_after(eye: &Eye<'_>) -> Option<String> {
    let limit = eye.s.desired.run.warn_after?;
    let late = eye.ledger.late_from(eye.s.desired.target, Some(limit))?;
    (eye.now() >= late).then(|| format!("the run began more than {limit} ago (warnAfter)"))
}

/// How long the nodes that are left will take, once every step of the upgrade has been seen at least once.
fn estimate(eye: &Eye<'_>, window: WindowReport) -> Option<Estimate> {
    let left = eye.named().filter(|n| eye.standing(n) == Ok(Standing::Below)).count();
    if left == 0 {
        return None;
    }
    let one = |percent: usize| -> Option<Millis> {
        let mut sum = Millis::ZERO;
        for step in [Step::Vacate, Step::Install, Step::Restart, Step::Return, Step::Settle] {
            sum = sum.plus(percentile(eye.ledger, step, percent)?);
        }
        Some(sum)
    };
    let (p50, p95) = (one(50)?, one(95)?);
    let fits_window = match window {
        WindowReport::Always => true,
        WindowReport::Open { closes } => closes.since(eye.now()) >= eye.s.desired.node_budget(Purpose::Upgrade),
        WindowReport::Closed { .. } => false,
    };
    Some(Estimate { p50: p50.times(left as u64), p95: p95.times(left as u64), fits_window })
}

fn percentile(ledger: &Ledger, step: Step, percent: usize) -> Option<Millis> {
    let mut seen = ledger.durations.get(&step)?.clone();
    seen.sort_unstable();
    let at = (seen.len() * percent).div_ceil(100).max(1) - 1;
    seen.get(at).copied()
}
