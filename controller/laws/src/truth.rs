//! S7: what is said is what was seen.

use crate::Found;
use crate::case::Case;
use crate::evidence;
use drydock_model::desired::{Build, Standing};
use drydock_model::ids::NodeName;
use drydock_model::ledger::Outcome;
use drydock_model::plan::{Decision, NodePhase, NodeReport, WindowReport};

/// S7: status claims only what was observed, inside its stated span. Unknown is written as unknown.
pub(crate) fn s7(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    let report = &case.plan.report;
    for name in &case.situation.desired.nodes {
        match report.nodes.get(name) {
            Some(said) => said_of_node(case, name, said, &mut found),
            None => found.push(format!("the report does not speak of {name}")),
        }
    }
    for name in report.nodes.keys().filter(|n| !case.situation.desired.nodes.contains(n)) {
        found.push(format!("the report speaks of {name}, which is no node of the desired state"));
    }
    let open = case.situation.desired.maintenance.windows.open_span(case.situation.now.at).is_some();
    match report.window {
        WindowReport::Always | WindowReport::Open { .. } if !open => found.push("the report calls a closed window open".to_owned()),
        WindowReport::Closed { .. } if open => found.push("the report calls an open window closed".to_owned()),
        WindowReport::Always | WindowReport::Open { .. } | WindowReport::Closed { .. } => {}
    }
    match &case.plan.decision {
        Decision::Converged => converged(case, &mut found),
        Decision::Close { entry, outcome: Outcome::Done, .. } => {
            if let Some(open) = case.open().filter(|open| open.entry == *entry)
                && let Err(why) = evidence::done(case, open)
            {
                found.push(format!("{} of {} would be closed as done: {why}", open.step, open.node.name));
            }
        }
        Decision::Close { .. }
        | Decision::Wait(..)
        | Decision::Fence(_)
        | Decision::Meet(_)
        | Decision::Open(_)
        | Decision::Cancel(_)
        | Decision::Perform(_)
        | Decision::Hold(_) => {}
    }
    found
}

fn said_of_node(case: &Case<'_>, name: &NodeName, said: &NodeReport, found: &mut Found) {
    let known: Option<Build> = case.facts(name).and_then(|f| f.build.known()).copied();
    if let Some(build) = said.build.filter(|build| known != Some(*build)) {
        found.push(format!("the report says that {name} runs {build}, which was not seen"));
    }
    match said.phase {
        NodePhase::Done => {
            if let Err(why) = on_target_and_up(case, name) {
                found.push(format!("the report calls {name} done: {why}"));
            }
        }
        NodePhase::Gone if !case.ledger.is_some_and(|l| l.gone.contains_key(name)) => {
            found.push(format!("the report calls {name} gone, which nobody said"));
        }
        NodePhase::Unknown
        | NodePhase::Pending
        | NodePhase::Working { .. }
        | NodePhase::Settling
        | NodePhase::Failed
        | NodePhase::Held
        | NodePhase::Gone => {}
    }
}

fn converged(case: &Case<'_>, found: &mut Found) {
    let Some(ledger) = case.ledger else { return found.push("the cluster is called converged over an unknown ledger".to_owned()) };
    for name in case.expected() {
        if let Err(why) = on_target_and_up(case, name) {
            found.push(format!("the cluster is called converged: {why}"));
        }
    }
    if let Some(open) = &ledger.open {
        found.push(format!("the cluster is called converged while {} is open", open.entry));
    }
    if let Some(out) = &ledger.out {
        found.push(format!("the cluster is called converged while {} is out", out.node.name));
    }
    if let Some(settling) = &ledger.settling {
        found.push(format!("the cluster is called converged while {} settles", settling.node.name));
    }
}

fn on_target_and_up(case: &Case<'_>, name: &NodeName) -> Result<(), String> {
    let facts = case.facts(name).ok_or_else(|| format!("{name} was not observed"))?;
    match (case.fresh(&facts.build), case.gap(&facts.build)) {
        (Some(build), _) if case.situation.desired.target.standing(*build) != Standing::OnTarget => {
            return Err(format!("{name} runs {build}"));
        }
        (Some(_), _) => {}
        (None, Some(gap)) => return Err(format!("the build of {name}: {gap}")),
        (None, None) => return Err(format!("the build of {name} is not known")),
    }
    match case.side.as_ref().map(|side| side.not_up(name)) {
        Ok(None) => Ok(()),
        Ok(Some(state)) => Err(format!("{name} is {state}")),
        Err(why) => Err(format!("nobody can say whether {name} is Up: {why}")),
    }
}
