//! A cluster's conditions, by Kubernetes' habits: each is a question with the answer True, False or Unknown, one word of reason and a sentence.

use super::facts::Facts;
use super::{one_line, rfc3339};
use drydock_model::desired::Standing;
use drydock_model::plan::{Decision, HoldReason, WaitingOn, WindowReport};
use drydock_model::time::Stamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The question.
    #[serde(rename = "type")]
    pub kind: ConditionKind,
    /// The answer.
    pub status: Truth,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// When the answer last changed, in RFC 3339; `unknown` while the controller's clock and the nodes' do not agree.
    pub last_transition_time: String,
}

/// The questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionKind {
    /// The summary: every node was seen to satisfy the newest revision.
    Ready,
    /// Work is left and goes on without a person. Present only while true.
    Reconciling,
    /// Work is left and waits for a person. Present only while true; never together with `Reconciling`.
    Stalled,
    /// The newest revision's file is valid and is the one in force.
    SpecVerified,
    /// A maintenance window is open.
    WindowOpen,
    /// What the upgrade path asks for was seen before the first node was begun.
    PreflightPassed,
    /// A cluster that satisfied this very desired state no longer does.
    Drifted,
}

/// An answer. Nothing is true over something unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Truth {
    /// Yes.
    True,
    /// No.
    False,
    /// Not known.
    Unknown,
}

impl fmt::Display for ConditionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ConditionKind::Ready => "Ready",
            ConditionKind::Reconciling => "Reconciling",
            ConditionKind::Stalled => "Stalled",
            ConditionKind::SpecVerified => "SpecVerified",
            ConditionKind::WindowOpen => "WindowOpen",
            ConditionKind::PreflightPassed => "PreflightPassed",
            ConditionKind::Drifted => "Drifted",
        })
    }
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        })
    }
}

/// The conditions of some facts; the time of one whose answer is that of `before` is kept.
pub(super) fn of(facts: &Facts, before: &[Condition]) -> Vec<Condition> {
    let now = match facts.stamp {
        Stamp::At(at) => rfc3339(at),
        Stamp::Unknown => "unknown".to_owned(),
    };
    let answers = [
        Some(ready(facts)),
        outlook(facts),
        Some(spec_verified(facts)),
        Some(window_open(facts)),
        Some(preflight_passed(facts)),
        Some(drifted(facts)),
    ];
    let dated = |a: Answer| {
        let same = before.iter().find(|b| b.kind == a.kind && b.status == a.status);
        let last_transition_time = same.map_or_else(|| now.clone(), |b| b.last_transition_time.clone());
        Condition { kind: a.kind, status: a.status, reason: a.reason, message: one_line(&a.message, MOST_MESSAGE), last_transition_time }
    };
    answers.into_iter().flatten().map(dated).collect()
}

/// Characters of a message: two lines of a wide screen say what to do; the rest is in the facts.
const MOST_MESSAGE: usize = 400;

/// A condition before it has a time.
struct Answer {
    kind: ConditionKind,
    status: Truth,
    reason: String,
    message: String,
}

fn answer(kind: ConditionKind, status: Truth, reason: &str, message: impl Into<String>) -> Answer {
    Answer { kind, status, reason: reason.to_owned(), message: message.into() }
}

/// How many nodes stand where, by their last observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Count {
    pub(super) all: usize,
    pub(super) on_target: usize,
    pub(super) elsewhere: usize,
    pub(super) unknown: usize,
}

pub(super) fn count(facts: &Facts) -> Count {
    let mut count = Count::default();
    for node in &facts.wanted.desired.nodes {
        count.all += 1;
        match facts.observed.nodes.get(node).and_then(|n| n.build.known()) {
            Some(build) => match facts.wanted.desired.target.standing(*build) {
                Standing::OnTarget => count.on_target += 1,
                Standing::Below | Standing::Above => count.elsewhere += 1,
            },
            None => count.unknown += 1,
        }
    }
    count
}

fn ready(facts: &Facts) -> Answer {
    let say = |status, reason: &str, message: String| answer(ConditionKind::Ready, status, reason, message);
    let count = count(facts);
    let at_work = facts.ledger.open.is_some() || facts.ledger.out.is_some() || facts.ledger.settling.is_some();
    let open_question = |reason: &str, message: String| {
        if count.elsewhere == 0 && !at_work && count.unknown > 0 {
            say(Truth::Unknown, "NotAllObserved", format!("{} of {} nodes were not seen; {message}", count.unknown, count.all))
        } else {
            say(Truth::False, reason, message)
        }
    };
    match (&facts.decision, &facts.wanted.problem) {
        (Decision::Converged, None) => say(Truth::True, "Converged", format!("every node runs {}", facts.wanted.desired.target)),
        (Decision::Converged, Some(_)) => {
            say(Truth::False, "NewestFileRefused", "the nodes satisfy the last good file, not the newest one".to_owned())
        }
        (Decision::Hold(why), _) => say(Truth::False, why.kind(), why.to_string()),
        (Decision::Wait(on, _), _) => open_question(on.kind(), format!("waiting for {on}")),
        (
            Decision::Fence(_)
            | Decision::Meet(_)
            | Decision::Open(_)
            | Decision::Cancel(_)
            | Decision::Perform(_)
            | Decision::Close { .. },
            _,
        ) => open_question("Working", facts.report.next.clone()),
    }
}

/// Who has to act before a cluster that is not converged goes on.
enum Outlook {
    /// Nobody: time, the nodes or Drydock itself.
    GoesOn,
    /// Nobody has to: people stopped it on purpose.
    Halted,
    /// A person.
    Stalled,
}

fn outlook(facts: &Facts) -> Option<Answer> {
    let goes_on = |reason: &str| answer(ConditionKind::Reconciling, Truth::True, reason, facts.report.next.clone());
    let stalled = |reason: &str, message: String| answer(ConditionKind::Stalled, Truth::True, reason, message);
    match (&facts.decision, &facts.wanted.problem) {
        (Decision::Hold(why), _) => Some(stalled(why.kind(), format!("{why}. {}", why.way_out()))),
        (Decision::Converged, None) => None,
        (Decision::Converged, Some(problem)) => Some(stalled("NewestFileRefused", first_line(problem).to_owned())),
        (Decision::Wait(on, _), _) => match waits(on) {
            Outlook::GoesOn => Some(goes_on(on.kind())),
            Outlook::Halted => None,
            Outlook::Stalled => Some(stalled(on.kind(), format!("waiting for {on}"))),
        },
        (
            Decision::Fence(_)
            | Decision::Meet(_)
            | Decision::Open(_)
            | Decision::Cancel(_)
            | Decision::Perform(_)
            | Decision::Close { .. },
            _,
        ) => Some(goes_on("Working")),
    }
}

fn waits(on: &WaitingOn) -> Outlook {
    match on {
        WaitingOn::Suspended { .. } | WaitingOn::StopFile(_) | WaitingOn::StopMark { .. } => Outlook::Halted,
        WaitingOn::WindowOpens(None) | WaitingOn::WindowTooShort { opens: None, .. } | WaitingOn::RolesRunning { .. } => Outlook::Stalled,
        WaitingOn::Ledger(_)
        | WaitingOn::Remote(_)
        | WaitingOn::Answer { .. }
        | WaitingOn::ClusterAnswer { .. }
        | WaitingOn::WindowOpens(Some(_))
        | WaitingOn::WindowTooShort { opens: Some(_), .. }
        | WaitingOn::StepRunning { .. }
        | WaitingOn::StorageRepair(_)
        | WaitingOn::Soak { .. }
        | WaitingOn::NotUp { .. }
        | WaitingOn::Quorum { .. }
        | WaitingOn::Room { .. }
        | WaitingOn::Backoff { .. }
        | WaitingOn::Clocks { .. }
        | WaitingOn::Servicing { .. } => Outlook::GoesOn,
    }
}

fn spec_verified(facts: &Facts) -> Answer {
    let wanted = &facts.wanted;
    match &wanted.problem {
        None => answer(ConditionKind::SpecVerified, Truth::True, "Valid", format!("{} at {}", wanted.path, wanted.revision)),
        Some(problem) => answer(
            ConditionKind::SpecVerified,
            Truth::False,
            "NewestFileRefused",
            format!("{} (in force is the file of {})", first_line(problem), wanted.revision),
        ),
    }
}

/// A diagnostic's first line says what is wrong; the others show where.
pub(super) fn first_line(text: &str) -> &str {
    text.lines().find(|l| !l.trim().is_empty()).unwrap_or(text)
}

fn window_open(facts: &Facts) -> Answer {
    let say = |status, reason, message: String| answer(ConditionKind::WindowOpen, status, reason, message);
    match facts.report.window {
        WindowReport::Always => say(Truth::True, "Always", "no windows are given".to_owned()),
        WindowReport::Open { closes } => say(Truth::True, "Open", format!("until {closes}")),
        WindowReport::Closed { opens: Some(opens) } => say(Truth::False, "Closed", format!("opens {opens}")),
        WindowReport::Closed { opens: None } => say(Truth::False, "NeverOpens", "none opens within 13 months".to_owned()),
    }
}

fn preflight_passed(facts: &Facts) -> Answer {
    let say = |status, reason: &str, message: String| answer(ConditionKind::PreflightPassed, status, reason, message);
    if let Decision::Hold(why) = &facts.decision
        && fails_preflight(why)
    {
        return say(Truth::False, why.kind(), why.to_string());
    }
    match (&facts.decision, &facts.ledger.run_began) {
        (Decision::Converged, _) => say(Truth::True, "Converged", "nothing is left to do".to_owned()),
        (_, Some((target, began))) if *target == facts.wanted.desired.target => {
            say(Truth::True, "Begun", format!("the first node was begun at {began}"))
        }
        (_, Some(_) | None) => say(Truth::Unknown, "NotBegun", "no node was begun yet; everything is checked again then".to_owned()),
    }
}

fn fails_preflight(why: &HoldReason) -> bool {
    match why {
        HoldReason::NewerThanDesired { .. }
        | HoldReason::NoRoute { .. }
        | HoldReason::DiskSpace { .. }
        | HoldReason::MembersDiffer { .. }
        | HoldReason::OtherCluster { .. }
        | HoldReason::NoWindowFits { .. }
        | HoldReason::GoneIsMember { .. }
        | HoldReason::MixedReleases { .. }
        | HoldReason::SolutionDeployed
        | HoldReason::SelfUpdating
        | HoldReason::Stretched { .. }
        | HoldReason::SingleNode => true,
        HoldReason::NodeReplaced { .. }
        | HoldReason::PersonHasNode { .. }
        | HoldReason::LedgerRewound { .. }
        | HoldReason::NodeFailed { .. }
        | HoldReason::TooManyFailed { .. }
        | HoldReason::NodeSilent { .. }
        | HoldReason::StandsStill { .. }
        | HoldReason::StepOverdue { .. }
        | HoldReason::StorageStalled { .. }
        | HoldReason::StopAfter { .. }
        | HoldReason::StatusTouched { .. }
        | HoldReason::OtherClaim { .. }
        | HoldReason::Law { .. } => false,
    }
}

fn drifted(facts: &Facts) -> Answer {
    let say = |status, reason, message: String| answer(ConditionKind::Drifted, status, reason, message);
    let count = count(facts);
    if facts.ledger.applied_spec.as_ref() != Some(&facts.wanted.desired.spec) {
        return say(Truth::False, "NotReachedYet", "this desired state was not reached yet".to_owned());
    }
    match count {
        Count { elsewhere: 0, unknown: 0, .. } => say(Truth::False, "AsApplied", "every node runs what was reached".to_owned()),
        Count { elsewhere: 0, unknown, all, .. } => {
            say(Truth::Unknown, "NotAllObserved", format!("{unknown} of {all} nodes were not seen"))
        }
        Count { elsewhere, all, .. } => {
            say(Truth::True, "OtherBuild", format!("{elsewhere} of {all} nodes no longer run {}", facts.wanted.desired.target))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn row(facts: &Facts, kind: ConditionKind) -> Option<(Truth, String)> {
        facts.conditions.iter().find(|c| c.kind == kind).map(|c| (c.status, c.reason.clone()))
    }

    #[test]
    fn ready_is_true_only_for_a_converged_cluster_with_a_good_newest_file() {
        let check = |facts: Facts, truth, reason: &str| assert_eq!(row(&facts, ConditionKind::Ready), Some((truth, reason.to_owned())));
        check(sample::converged(), Truth::True, "Converged");
        check(sample::converged_with_a_bad_newest_file(), Truth::False, "NewestFileRefused");
        check(sample::installing(), Truth::False, "StepRunning");
        check(sample::held(), Truth::False, "NodeFailed");
        check(sample::unseen(), Truth::Unknown, "NotAllObserved");
    }

    #[test]
    fn reconciling_and_stalled_are_never_there_together_and_never_false() {
        for facts in sample::all() {
            let rows: Vec<_> = [ConditionKind::Reconciling, ConditionKind::Stalled].into_iter().filter_map(|k| row(&facts, k)).collect();
            assert!(rows.len() <= 1 && rows.iter().all(|(truth, _)| *truth == Truth::True), "{rows:?}");
            if row(&facts, ConditionKind::Ready).is_some_and(|(truth, _)| truth == Truth::True) {
                assert_eq!(rows, []);
            }
        }
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_answer_changes() {
        let first = sample::installing();
        let mut later = sample::transition_installing();
        later.stamp = Stamp::At(drydock_model::time::Timestamp(first.at.0 + 3_600_000));
        let later = Facts::new(later, Some(&first));
        assert_eq!(later.conditions, first.conditions);
        let mut held = sample::transition_held();
        held.stamp = Stamp::At(drydock_model::time::Timestamp(first.at.0 + 7_200_000));
        let held = Facts::new(held, Some(&first));
        let time = |facts: &Facts, kind| facts.conditions.iter().find(|c| c.kind == kind).map(|c| c.last_transition_time.clone());
        assert_eq!(time(&held, ConditionKind::Ready), time(&first, ConditionKind::Ready), "False stays False");
        assert_ne!(time(&held, ConditionKind::Stalled), None);
        assert_ne!(time(&held, ConditionKind::Stalled), time(&first, ConditionKind::Reconciling));
    }

    #[test]
    fn without_agreeing_clocks_a_change_has_no_time() {
        let mut facts = sample::transition_installing();
        facts.stamp = Stamp::Unknown;
        assert!(Facts::new(facts, None).conditions.iter().all(|c| c.last_transition_time == "unknown"));
    }

    #[test]
    fn drift_is_told_from_work_and_from_ignorance() {
        assert_eq!(row(&sample::converged(), ConditionKind::Drifted), Some((Truth::False, "AsApplied".to_owned())));
        assert_eq!(row(&sample::installing(), ConditionKind::Drifted), Some((Truth::False, "NotReachedYet".to_owned())));
        assert_eq!(row(&sample::unseen(), ConditionKind::Drifted), Some((Truth::Unknown, "NotAllObserved".to_owned())));
    }
}
