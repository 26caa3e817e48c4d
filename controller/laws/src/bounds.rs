//! S12: everything is bounded.

use crate::Found;
use crate::case::{Case, Form, Weight};
use crate::texts::texts;
use drydock_model::ledger::DURATIONS;
use drydock_model::plan::{Decision, NodePhase, WaitingOn};
use drydock_model::step::Step;
use std::collections::BTreeSet;

/// Characters of one text; a screen full, so that what a node or a server says cannot swell the ledger.
const TEXT: usize = 2_000;

/// Texts of one list of the report besides one for each node.
const LIST: usize = 32;

/// S12: everything is bounded: attempts, laps, queue lengths, sizes of what is read, probe time, ledger growth.
pub(crate) fn s12(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    orders(case, &mut found);
    attempts(case, &mut found);
    for (place, text) in texts(case) {
        let length = text.chars().count();
        if length > TEXT {
            found.push(format!("{place} has {length} characters; at most {TEXT} are allowed"));
        }
    }
    let (report, nodes) = (&case.plan.report, case.situation.desired.nodes.len());
    for (what, length) in [("blockers", report.blocked_by.len()), ("warnings", report.warnings.len())] {
        if length > nodes.saturating_add(LIST) {
            found.push(format!("the report has {length} {what}"));
        }
    }
    let said = report.nodes.values().filter_map(|node| match node.phase {
        NodePhase::Working { percent, .. } => percent,
        NodePhase::Unknown
        | NodePhase::Pending
        | NodePhase::Settling
        | NodePhase::Done
        | NodePhase::Failed
        | NodePhase::Held
        | NodePhase::Gone => None,
    });
    let waited = match &case.plan.decision {
        Decision::Wait(WaitingOn::StepRunning { percent, .. }, _) => *percent,
        Decision::Wait(..)
        | Decision::Converged
        | Decision::Fence(_)
        | Decision::Meet(_)
        | Decision::Open(_)
        | Decision::Cancel(_)
        | Decision::Perform(_)
        | Decision::Close { .. }
        | Decision::Hold(_) => None,
    };
    found.extend(said.chain(waited).filter(|p| *p > 100).map(|p| format!("{p} percent are done")));
    if let Some(ledger) = case.ledger {
        let long = ledger.durations.iter().filter(|(_, of)| of.len() > DURATIONS);
        found.extend(
            long.map(|(step, of)| format!("the ledger remembers {} durations of {step}; at most {DURATIONS} are allowed", of.len())),
        );
    }
    found
}

fn orders(case: &Case<'_>, found: &mut Found) {
    let desired = &case.situation.desired.nodes;
    // One that was begun on and is named no longer hears of a claim, too.
    let begun = case.ledger.and_then(|l| l.out.as_ref().map(|o| &o.node.name).or(l.open.as_ref().map(|i| &i.node.name)));
    let nodes = desired.len() + usize::from(begun.is_some_and(|name| !desired.contains(name)));
    let orders = case.orders();
    if orders.len() > nodes {
        found.push(format!("{} orders would be sent to {nodes} nodes", orders.len()));
    }
    let mut names = BTreeSet::new();
    for order in orders.iter().filter(|order| !names.insert(&order.node.name)) {
        found.push(format!("{} would get two orders in one lap", order.node.name));
    }
    match &case.plan.decision {
        Decision::Perform(orders) | Decision::Fence(orders) if orders.is_empty() => {
            found.push("a lap would be spent on no order".to_owned())
        }
        Decision::Meet(ids) if ids.is_empty() => found.push("an entry would be spent on nobody".to_owned()),
        Decision::Meet(ids) if ids.len() > nodes => found.push(format!("{} nodes would be met, and {nodes} are desired", ids.len())),
        Decision::Perform(_)
        | Decision::Fence(_)
        | Decision::Meet(_)
        | Decision::Converged
        | Decision::Wait(..)
        | Decision::Open(_)
        | Decision::Cancel(_)
        | Decision::Close { .. }
        | Decision::Hold(_) => {}
    }
}

/// A new attempt only while retries are left, and while its number has not been used.
fn attempts(case: &Case<'_>, found: &mut Found) {
    let Some(ledger) = case.ledger else { return };
    for doing in &case.doing {
        let fresh = match doing.form {
            Form::Opened(_) => doing.weight == Weight::TakesOut || doing.step == Step::Install,
            Form::Sent(..) => false,
        };
        let attempts = ledger.attempts_of(doing.node, doing.target);
        let most = case.situation.desired.run.max_retries_per_node;
        if fresh && attempts.used() > most {
            found.push(format!("{} would be attempt {}, and {most} retries are allowed", doing.name(), attempts.used().saturating_add(1)));
        }
        if fresh && attempts.number == u8::MAX {
            found.push(format!("{} has no attempt number left", doing.name()));
        }
    }
}
