//! `status.yaml`: the facts of one cluster for people, by Kubernetes' habits. A pure function of the facts; nothing reads it back to act on it.
//!
//! It is ordered for whoever is called at night: what is going on, what blocks, what to do and whom to call, then node by node.

use super::condition::{self, Condition, Truth};
use super::facts::Facts;
use super::text::{self, WireError};
use super::{clean_lines, one_line, rfc3339};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::NodeName;
use drydock_model::plan::{Decision, NodePhase, WindowReport};
use drydock_model::time::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest status that is read; far above that of 16 nodes.
pub const MOST_BYTES: usize = 1 << 20;

/// What is written where something is not known.
pub const UNKNOWN: &str = "unknown";

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// `drydock/v1alpha1`.
    pub api_version: String,
    /// `ClusterStatus`.
    pub kind: String,
    /// Whose.
    pub metadata: Metadata,
    /// What is said of it.
    pub status: Status,
}

/// Whose status it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Metadata {
    /// The cluster's name.
    pub name: String,
}

/// What is said of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// All in one sentence.
    pub summary: String,
    /// What every node shall run.
    pub target: String,
    /// Set while a person is needed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hold: Option<Hold>,
    /// What happens next.
    pub next_action: NextAction,
    /// Every node of the desired state.
    pub nodes: Vec<Node>,
    /// The maintenance window.
    pub window: Window,
    /// How long the rest of the work takes; absent when none is left.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub estimate: Option<Estimate>,
    /// What a person should know and that blocks nothing.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
    /// What is wrong with the newest file, while an older one is in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub problem: Option<String>,
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// The last revision that changed this cluster's inputs.
    pub observed_revision: String,
    /// The last revision that work was begun for.
    pub attempted_revision: String,
    /// The last revision that every node was seen to satisfy.
    pub applied_revision: String,
    /// When the nodes were looked at.
    pub observed: Observed,
}

/// A person is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hold {
    /// One word.
    pub reason: String,
    /// What is the matter.
    pub message: String,
    /// What to do about it.
    pub way_out: String,
    /// Whom to call.
    pub contact: String,
    /// The change's number in the owner's own system.
    pub change: String,
}

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NextAction {
    /// What.
    pub what: String,
    /// When; absent when it has no time of its own.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<String>,
    /// What stands in its way.
    pub blocked_by: Vec<String>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The build it was seen to run, or `unknown`.
    pub build: String,
    /// `Unknown`, `Pending`, `Working`, `Settling`, `Done`, `Failed`, `Held` or `Gone`.
    pub phase: String,
    /// The step at work on it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<String>,
    /// Since when that step is at work.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<String>,
    /// How much of it is done; absent where nothing tells.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub percent: Option<u8>,
    /// In words.
    pub detail: String,
    /// The build was read between here,
    pub observed_from: String,
    /// and here; `unknown` where it was not read.
    pub observed_to: String,
    /// Why the build was not read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gap: Option<String>,
}

/// The maintenance window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// `Always`, `Open` or `Closed`.
    pub state: String,
    /// When it closes, while open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub closes: Option<String>,
    /// When the next one opens, while closed: an instant, or `not within 13 months`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opens: Option<String>,
}

/// How long the rest of the work takes, from learned durations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Median.
    pub p50: String,
    /// 95th percentile.
    pub p95: String,
    /// Whether one more node fits this window.
    pub fits_window: Truth,
}

/// The span of the observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observed {
    /// First question.
    pub from: String,
    /// Last answer.
    pub to: String,
}

impl ClusterStatus {
    /// What these facts say to a person.
    pub fn of(facts: &Facts) -> ClusterStatus {
        ClusterStatus {
            api_version: "drydock/v1alpha1".to_owned(),
            kind: "ClusterStatus".to_owned(),
            metadata: Metadata { name: facts.cluster.to_string() },
            status: status(facts),
        }
    }

    /// The file's text.
    pub fn encode(&self) -> String {
        format!(
            "# Written by Drydock, for people; it is overwritten with each entry. facts.yaml beside it holds the same for machines.\n{}",
            text::people_yaml(self)
        )
    }

    /// A status from the file's text.
    pub fn decode(text: &str) -> Result<ClusterStatus, WireError> {
        text::read("status.yaml", text, MOST_BYTES)
    }
}

/// Characters of one text; what does not fit on three lines of a terminal is not read at night, and is in the facts.
const MOST: usize = 300;
/// Characters of a way out: what a person is told to do is never cut, whatever the names in it.
const MOST_WAY: usize = 1_200;
/// Lines of a diagnostic.
const MOST_LINES: usize = 30;

fn status(facts: &Facts) -> Status {
    let wanted = &facts.wanted;
    let revisions = &facts.ledger.revisions;
    let or_none = |revision: &Option<drydock_model::ids::Revision>| revision.as_ref().map_or("none".to_owned(), ToString::to_string);
    let mut warnings: Vec<String> = facts.report.warnings.iter().chain(&wanted.warnings).map(|w| one_line(w, MOST)).collect();
    warnings.dedup();
    Status {
        summary: one_line(&summary(facts), MOST),
        target: wanted.desired.target.to_string(),
        hold: hold(facts),
        next_action: next_action(facts),
        nodes: wanted.desired.nodes.iter().map(|name| node(facts, name)).collect(),
        window: window(&facts.report.window),
        estimate: estimate(facts),
        warnings,
        problem: wanted.problem.as_ref().map(|p| clean_lines(p, MOST_LINES)),
        conditions: facts.conditions.clone(),
        observed_revision: revisions.observed.as_ref().unwrap_or(&wanted.revision).to_string(),
        attempted_revision: or_none(&revisions.attempted),
        applied_revision: or_none(&revisions.applied),
        observed: Observed { from: rfc3339(facts.observed.span.from), to: rfc3339(facts.observed.span.to) },
    }
}

/// All in one sentence.
fn summary(facts: &Facts) -> String {
    let target = facts.wanted.desired.target;
    let count = condition::count(facts);
    let progress = match count.unknown {
        0 => format!("{} of {} nodes run {target}", count.on_target, count.all),
        unknown => format!("{} of {} nodes run {target}, {unknown} unknown", count.on_target, count.all),
    };
    match &facts.decision {
        Decision::Converged if facts.wanted.problem.is_some() => {
            format!("All {} nodes run {target}, but the newest file is refused", count.all)
        }
        Decision::Converged => format!("All {} nodes run {target}", count.all),
        Decision::Hold(why) => format!("HELD, a person is needed: {why}. {progress}"),
        Decision::Wait(on, _) => format!("{progress}. Waiting for {on}"),
        Decision::Fence(_)
        | Decision::Meet(_)
        | Decision::Open(_)
        | Decision::Cancel(_)
        | Decision::Perform(_)
        | Decision::Close { .. } => {
            format!("{progress}. {}", capital(&facts.report.next))
        }
    }
}

/// A sentence as it begins.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn hold(facts: &Facts) -> Option<Hold> {
    let desired = &facts.wanted.desired;
    let given = |text: &Option<String>| text.as_ref().map_or("none given".to_owned(), |t| one_line(t, MOST));
    match &facts.decision {
        Decision::Hold(why) => Some(Hold {
            reason: why.kind().to_owned(),
            message: one_line(&why.to_string(), MOST),
            way_out: one_line(&why.way_out(), MOST_WAY),
            contact: given(&desired.contact),
            change: given(&desired.change),
        }),
        Decision::Converged
        | Decision::Wait(..)
        | Decision::Fence(_)
        | Decision::Meet(_)
        | Decision::Open(_)
        | Decision::Cancel(_)
        | Decision::Perform(_)
        | Decision::Close { .. } => None,
    }
}

/// Whether a problem is one of a file, by the checker's mark, and not of the whole branch or of a file that is gone.
pub fn is_of_a_file(problem: &str) -> bool {
    problem.starts_with("error[")
}

fn next_action(facts: &Facts) -> NextAction {
    let report = &facts.report;
    let mut blocked_by: Vec<String> = report.blocked_by.iter().map(|b| one_line(b, MOST)).collect();
    if let Some(problem) = &facts.wanted.problem {
        let what = if is_of_a_file(problem) { "the newest file: " } else { "" };
        blocked_by.push(one_line(&format!("{what}{}", condition::first_line(problem)), MOST));
    }
    NextAction { what: one_line(&report.next, MOST), at: report.next_at.map(rfc3339), blocked_by }
}

fn node(facts: &Facts, name: &NodeName) -> Node {
    let seen = facts.observed.nodes.get(name).map(|n| &n.build);
    let unknown = |why: String| (UNKNOWN.to_owned(), UNKNOWN.to_owned(), UNKNOWN.to_owned(), Some(one_line(&why, MOST)));
    let (build, observed_from, observed_to, gap) = match seen {
        Some(Fact::Known { value, seen }) => (value.to_string(), rfc3339(seen.from), rfc3339(seen.to), None),
        Some(Fact::Unknown(gap)) => unknown(gap.to_string()),
        None => unknown(Gap::NotAsked.to_string()),
    };
    let report = facts.report.nodes.get(name);
    let phase = report.map_or(&NodePhase::Unknown, |r| &r.phase);
    let (step, since, percent) = match phase {
        NodePhase::Working { step, since, percent } => (Some(step.to_string()), Some(since.map_or(UNKNOWN.to_owned(), rfc3339)), *percent),
        NodePhase::Unknown
        | NodePhase::Pending
        | NodePhase::Settling
        | NodePhase::Done
        | NodePhase::Failed
        | NodePhase::Held
        | NodePhase::Gone => (None, None, None),
    };
    Node {
        name: name.to_string(),
        build,
        phase: phase_word(phase).to_owned(),
        step,
        since,
        percent,
        detail: one_line(report.map_or("nothing was reported", |r| &r.detail), MOST),
        observed_from,
        observed_to,
        gap,
    }
}

/// A phase in one word.
pub fn phase_word(phase: &NodePhase) -> &'static str {
    match phase {
        NodePhase::Unknown => "Unknown",
        NodePhase::Pending => "Pending",
        NodePhase::Working { .. } => "Working",
        NodePhase::Settling => "Settling",
        NodePhase::Done => "Done",
        NodePhase::Failed => "Failed",
        NodePhase::Held => "Held",
        NodePhase::Gone => "Gone",
    }
}

fn window(window: &WindowReport) -> Window {
    let never = |at: Option<Timestamp>| at.map_or("not within 13 months".to_owned(), rfc3339);
    let (state, closes, opens) = match window {
        WindowReport::Always => ("Always", None, None),
        WindowReport::Open { closes } => ("Open", Some(rfc3339(*closes)), None),
        WindowReport::Closed { opens } => ("Closed", None, Some(never(*opens))),
    };
    Window { state: state.to_owned(), closes, opens }
}

fn estimate(facts: &Facts) -> Option<Estimate> {
    if facts.decision == Decision::Converged {
        return None;
    }
    Some(match facts.report.estimate {
        Some(e) => {
            Estimate { p50: e.p50.to_string(), p95: e.p95.to_string(), fits_window: if e.fits_window { Truth::True } else { Truth::False } }
        }
        None => Estimate { p50: UNKNOWN.to_owned(), p95: UNKNOWN.to_owned(), fits_window: Truth::Unknown },
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use expect_test::{Expect, expect};

    fn check(facts: &Facts, expect: Expect) {
        let status = ClusterStatus::of(facts);
        let text = status.encode();
        assert_eq!(ClusterStatus::decode(&text), Ok(status));
        expect.assert_eq(&text);
    }

    #[test]
    fn a_node_that_installs_reads_well_at_night() {
        check(
            &sample::installing(),
            expect![[r#"
            # Written by Drydock, for people; it is overwritten with each entry. facts.yaml beside it holds the same for machines.
            apiVersion: drydock/v1alpha1
            kind: ClusterStatus
            metadata:
              name: hospital-north
            status:
              summary: 1 of 4 nodes run 23H2 (25398.1611 or later). Waiting for Install on N02, 43 % done
              target: 23H2 (25398.1611 or later)
              nextAction:
                what: N02 goes on with Install; then Restart, Return and Settle
                blockedBy:
                - Install on N02, 43 % done
              nodes:
              - name: N01
                build: '25398.1611'
                phase: Done
                detail: on the target and in service
                observedFrom: 2026-11-24T01:11:56Z
                observedTo: 2026-11-24T01:11:58Z
              - name: N02
                build: '20349.3692'
                phase: Working
                step: Install
                since: 2026-11-24T00:22:00Z
                percent: 43
                detail: staging, 43 % done
                observedFrom: 2026-11-24T01:11:56Z
                observedTo: 2026-11-24T01:11:58Z
              - name: N03
                build: '20349.3692'
                phase: Pending
                detail: waits for its turn
                observedFrom: 2026-11-24T01:11:56Z
                observedTo: 2026-11-24T01:11:58Z
              - name: N04
                build: '20349.3692'
                phase: Pending
                detail: waits for its turn
                observedFrom: 2026-11-24T01:11:56Z
                observedTo: 2026-11-24T01:11:58Z
              window:
                state: Open
                closes: 2026-11-24T04:00:00Z
              estimate:
                p50: 6h41m
                p95: 9h
                fitsWindow: 'False'
              warnings:
              - 23H2 is out of support since April 2026 (clusters/hospitals/hospital-north.yaml:14)
              conditions:
              - type: Ready
                status: 'False'
                reason: StepRunning
                message: waiting for Install on N02, 43 % done
                lastTransitionTime: 2026-11-24T01:12:00Z
              - type: Reconciling
                status: 'True'
                reason: StepRunning
                message: N02 goes on with Install; then Restart, Return and Settle
                lastTransitionTime: 2026-11-24T01:12:00Z
              - type: SpecVerified
                status: 'True'
                reason: Valid
                message: clusters/hospitals/hospital-north.yaml at 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d
                lastTransitionTime: 2026-11-24T01:12:00Z
              - type: WindowOpen
                status: 'True'
                reason: Open
                message: until 2026-11-24T04:00:00Z
                lastTransitionTime: 2026-11-24T01:12:00Z
              - type: PreflightPassed
                status: 'True'
                reason: Begun
                message: the first node was begun at 2026-11-24T00:12:00Z
                lastTransitionTime: 2026-11-24T01:12:00Z
              - type: Drifted
                status: 'False'
                reason: NotReachedYet
                message: this desired state was not reached yet
                lastTransitionTime: 2026-11-24T01:12:00Z
              observedRevision: 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d
              attemptedRevision: 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d
              appliedRevision: none
              observed:
                from: 2026-11-24T01:11:55Z
                to: 2026-11-24T01:12:00Z
        "#]],
        );
    }

    #[test]
    fn a_hold_says_what_to_do_and_whom_to_call_and_unknown_is_unknown() {
        check(
            &sample::held(),
            expect![[r#"
            # Written by Drydock, for people; it is overwritten with each entry. facts.yaml beside it holds the same for machines.
            apiVersion: drydock/v1alpha1
            kind: ClusterStatus
            metadata:
              name: hospital-north
            status:
              summary: 'HELD, a person is needed: N02 failed at Restart: the node came back on its old build. 1 of 4 nodes run 23H2 (25398.1611 or later), 1 unknown'
              target: 23H2 (25398.1611 or later)
              hold:
                reason: NodeFailed
                message: 'N02 failed at Restart: the node came back on its old build'
                wayOut: 'Setup says why in setuperr.log on N02, in C:\$WINDOWS.~BT\Sources\Panther or C:\Windows\Panther. Mend the cause, then: drydock node retry N02 --reason TEXT.'
                contact: Storage on call, +49 30 1234
                change: CHG0042
              nextAction:
                what: nothing until a person acts
                blockedBy:
                - 'N02 failed at Restart: the node came back on its old build'
              nodes:
              - name: N01
                build: '25398.1611'
                phase: Done
                detail: on the target and in service
                observedFrom: 2026-11-24T01:11:56Z
                observedTo: 2026-11-24T01:11:58Z
              - name: N02
                build: '20349.3692'
                phase: Failed
                detail: came back on its old build; it is in service
                observedFrom: 2026-11-24T01:11:56Z
                observedTo: 2026-11-24T01:11:58Z
              - name: N03
                build: '20349.3692'
                phase: Pending
                detail: waits for N02
                observedFrom: 2026-11-24T01:11:56Z
                observedTo: 2026-11-24T01:11:58Z
              - name: N04
                build: unknown
                phase: Unknown
                detail: does not answer
                observedFrom: unknown
                observedTo: unknown
                gap: no answer in time
              window:
                state: Closed
                opens: 2026-11-27T21:12:00Z
              estimate:
                p50: unknown
                p95: unknown
                fitsWindow: Unknown
              warnings:
              - 23H2 is out of support since April 2026 (clusters/hospitals/hospital-north.yaml:14)
              conditions:
              - type: Ready
                status: 'False'
                reason: NodeFailed
                message: 'N02 failed at Restart: the node came back on its old build'
                lastTransitionTime: 2026-11-24T01:12:00Z
              - type: Stalled
                status: 'True'
                reason: NodeFailed
                message: 'N02 failed at Restart: the node came back on its old build. Setup says why in setuperr.log on N02, in C:\$WINDOWS.~BT\Sources\Panther or C:\Windows\Panther. Mend the cause, then: drydock node retry N02 --reason TEXT.'
                lastTransitionTime: 2026-11-24T01:12:00Z
              - type: SpecVerified
                status: 'True'
                reason: Valid
                message: clusters/hospitals/hospital-north.yaml at 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d
                lastTransitionTime: 2026-11-24T01:12:00Z
              - type: WindowOpen
                status: 'False'
                reason: Closed
                message: opens 2026-11-27T21:12:00Z
                lastTransitionTime: 2026-11-24T01:12:00Z
              - type: PreflightPassed
                status: 'True'
                reason: Begun
                message: the first node was begun at 2026-11-24T00:12:00Z
                lastTransitionTime: 2026-11-24T01:12:00Z
              - type: Drifted
                status: 'False'
                reason: NotReachedYet
                message: this desired state was not reached yet
                lastTransitionTime: 2026-11-24T01:12:00Z
              observedRevision: 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d
              attemptedRevision: 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d
              appliedRevision: none
              observed:
                from: 2026-11-24T01:11:55Z
                to: 2026-11-24T01:12:00Z
        "#]],
        );
    }

    #[test]
    fn a_bad_newest_file_is_shown_with_its_caret() {
        check(
            &sample::converged_with_a_bad_newest_file(),
            expect![[r##"
                # Written by Drydock, for people; it is overwritten with each entry. facts.yaml beside it holds the same for machines.
                apiVersion: drydock/v1alpha1
                kind: ClusterStatus
                metadata:
                  name: hospital-north
                status:
                  summary: All 4 nodes run 23H2 (25398.1611 or later), but the newest file is refused
                  target: 23H2 (25398.1611 or later)
                  nextAction:
                    what: nothing
                    blockedBy:
                    - 'the newest file: error[DD0201]: `spec` has no field "maintainance"'
                  nodes:
                  - name: N01
                    build: '25398.1611'
                    phase: Done
                    detail: on the target and in service
                    observedFrom: 2026-11-24T01:11:56Z
                    observedTo: 2026-11-24T01:11:58Z
                  - name: N02
                    build: '25398.1611'
                    phase: Done
                    detail: on the target and in service
                    observedFrom: 2026-11-24T01:11:56Z
                    observedTo: 2026-11-24T01:11:58Z
                  - name: N03
                    build: '25398.1611'
                    phase: Done
                    detail: on the target and in service
                    observedFrom: 2026-11-24T01:11:56Z
                    observedTo: 2026-11-24T01:11:58Z
                  - name: N04
                    build: '25398.1611'
                    phase: Done
                    detail: on the target and in service
                    observedFrom: 2026-11-24T01:11:56Z
                    observedTo: 2026-11-24T01:11:58Z
                  window:
                    state: Always
                  warnings:
                  - 23H2 is out of support since April 2026 (clusters/hospitals/hospital-north.yaml:14)
                  problem: |-
                    error[DD0201]: `spec` has no field "maintainance"
                     --> clusters/hospitals/hospital-north.yaml:9:3
                      |
                    9 |   maintainance:
                      |   ^^^^^^^^^^^^
                  conditions:
                  - type: Ready
                    status: 'False'
                    reason: NewestFileRefused
                    message: the nodes satisfy the last good file, not the newest one
                    lastTransitionTime: 2026-11-24T01:12:00Z
                  - type: Stalled
                    status: 'True'
                    reason: NewestFileRefused
                    message: 'error[DD0201]: `spec` has no field "maintainance"'
                    lastTransitionTime: 2026-11-24T01:12:00Z
                  - type: SpecVerified
                    status: 'False'
                    reason: NewestFileRefused
                    message: 'error[DD0201]: `spec` has no field "maintainance" (in force is the file of 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d)'
                    lastTransitionTime: 2026-11-24T01:12:00Z
                  - type: WindowOpen
                    status: 'True'
                    reason: Always
                    message: no windows are given
                    lastTransitionTime: 2026-11-24T01:12:00Z
                  - type: PreflightPassed
                    status: 'True'
                    reason: Converged
                    message: nothing is left to do
                    lastTransitionTime: 2026-11-24T01:12:00Z
                  - type: Drifted
                    status: 'False'
                    reason: AsApplied
                    message: every node runs what was reached
                    lastTransitionTime: 2026-11-24T01:12:00Z
                  observedRevision: 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d
                  attemptedRevision: none
                  appliedRevision: 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d
                  observed:
                    from: 2026-11-24T01:11:55Z
                    to: 2026-11-24T01:12:00Z
            "##]],
        );
    }

    #[test]
    fn texts_from_nodes_cannot_add_lines() {
        let mut of = sample::transition_installing();
        of.report.next = "a\nhold:\n  reason: none\u{1b}[2J".to_owned();
        let status = ClusterStatus::of(&Facts::new(of, None));
        assert_eq!(status.status.next_action.what, "a hold: reason: none [2J");
    }
}
