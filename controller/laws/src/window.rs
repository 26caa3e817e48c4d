//! S3: the window. That the controller's clock is right belongs to it, but is judged with the other facts (S10).

use crate::Found;
use crate::case::{Case, Weight};
use drydock_model::desired::{BitsSource, Desired, Overrun};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Stamp};

/// S3: no node is vacated unless the window stays open for the sum of its remaining steps plus the way back.
///
/// A cluster whose policy is to finish is exempt once its run has begun inside a window, but not from an exclusion. A node already out is always brought
/// back.
pub(crate) fn s3(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    let (desired, now) = (case.situation.desired, case.situation.now.at);
    let windows = &desired.maintenance.windows;
    for doing in case.doing.iter().filter(|d| d.weight == Weight::TakesOut) {
        let needed = needed(desired, doing.purpose);
        let frozen = windows.exclusion_within(now, needed).is_some();
        if desired.maintenance.overrun == Overrun::Finish && begun_inside(case) && !frozen {
            continue;
        }
        match windows.open_span(now).map(|open| open.closes) {
            None => found.push(format!("no window is open at the {}", doing.name())),
            Some(Some(closes)) if now + needed > closes => {
                found.push(format!("the window closes {closes}, and the {} needs {needed} until the node is back", doing.name()));
            }
            Some(Some(_) | None) => {}
        }
    }
    found
}

/// Whether the run to the present target began while a window was open; a run that began outside one gives no leave to go on outside.
fn begun_inside(case: &Case<'_>) -> bool {
    let began = case.ledger.and_then(|l| l.run_began).filter(|(target, _)| *target == case.situation.desired.target);
    match began {
        Some((_, Stamp::At(at))) => case.situation.desired.maintenance.windows.open_span(at).is_some(),
        Some((_, Stamp::Unknown)) | None => false,
    }
}

/// What one node needs from its Vacate until it is back, each step at its budget.
fn needed(desired: &Desired, purpose: Purpose) -> Millis {
    let steps: &[Step] = match purpose {
        Purpose::Registry => &[Step::Vacate, Step::Reboot, Step::Return],
        Purpose::Upgrade => &[Step::Vacate, Step::Install, Step::Restart, Step::Return],
    };
    steps.iter().fold(Millis::ZERO, |sum, step| sum.plus(budget(desired, *step)))
}

fn budget(desired: &Desired, step: Step) -> Millis {
    let run = &desired.run;
    match step {
        Step::Vacate => run.suspend_cluster_node_timeout,
        Step::Reboot | Step::Restart => run.reboot_timeout,
        Step::Settle => run.wait_for_storage_repair_timeout,
        // Nothing is downloaded from media: half the time of Windows Update is allowed.
        Step::Install if matches!(desired.source, BitsSource::Media { .. }) => Millis(step.row().budget.0 / 2),
        Step::WriteRegistry | Step::Install | Step::Return => step.row().budget,
    }
}
