//! What the planner decides, and what it says of every node while doing so.

use crate::desired::{Build, Desired, Version};
use crate::fact::{Fact, Gap};
use crate::ids::{EntryId, NodeId, NodeName, Place, Revision};
use crate::ledger::{Failed, Intent, Ledger, Outcome};
use crate::observed::Observed;
use crate::order::Order;
use crate::step::Step;
use crate::time::{Millis, Now, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Everything that the planner may know.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// What the cluster shall be.
    pub desired: &'a Desired,
    /// The revision that `desired` was read at.
    pub revision: &'a Revision,
    /// What its entries add up to.
    pub ledger: &'a Fact<Ledger>,
    /// Whether the status branch was read in this lap.
    pub remote: &'a Remote,
    /// What was seen.
    pub observed: &'a Observed,
    /// A stop file beside the controller, with the words in it.
    pub stop: Option<&'a str>,
    /// The controller's time.
    pub now: Now,
}

/// Whether the status branch was read in this lap, and what stood there (rule 14).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Remote {
    /// It holds all our entries as the newest of this cluster, and no newer claim.
    Confirmed,
    /// It could not be read; only the way back goes on.
    Unread(String),
    /// Somebody else wrote to this cluster's part of it (rule 7).
    Touched {
        /// The commit.
        commit: Revision,
    },
}

/// What is done next, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The one next effect, if there is one.
    pub decision: Decision,
    /// Speaks of every node, also idle ones.
    pub report: Report,
}

/// The one next effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Decision {
    /// Every node was seen to satisfy the desired state.
    Converged,
    /// Nothing now.
    Wait(WaitingOn, Recheck),
    /// Raise fences: harmless, and needs no intent.
    Fence(Vec<Order>),
    /// Write down who the nodes are.
    Meet(Vec<NodeId>),
    /// Write ahead: committed and pushed before anything happens.
    Open(Intent),
    /// Mark the open intent as cancelled, before the Cancel is sent (rule 21).
    Cancel(EntryId),
    /// Send the open intent's orders.
    Perform(Vec<Order>),
    /// Close the open intent.
    Close {
        /// Which.
        entry: EntryId,
        /// How.
        outcome: Outcome,
        /// Whether the node was heard to have done with it.
        heard: bool,
    },
    /// Needs a person; clears itself when that is done.
    Hold(HoldReason),
}

/// When to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Recheck {
    /// Soon: something is at work.
    Soon,
    /// At the usual pace.
    Usual,
    /// Not before then, unless something changes.
    At(Timestamp),
}

/// What a cluster waits on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WaitingOn {
    /// The ledger cannot be read.
    Ledger(Gap),
    /// The status branch cannot be read, and nothing new begins without it.
    Remote(String),
    /// A node does not answer, or lacks a fact that is needed.
    Answer {
        /// Which node.
        node: NodeName,
        /// Which fact.
        fact: String,
        /// Why it is missing.
        gap: Gap,
    },
    /// The cluster as a whole lacks a fact that is needed.
    ClusterAnswer {
        /// Which fact.
        fact: String,
        /// Why it is missing.
        gap: Gap,
    },
    /// The next maintenance window.
    WindowOpens(Option<Timestamp>),
    /// What is left of this window is too short for one more node.
    WindowTooShort {
        /// What one node needs, its way back included.
        needed: Millis,
        /// When the next window opens.
        opens: Option<Timestamp>,
    },
    /// A step at work.
    StepRunning {
        /// On which node.
        node: NodeName,
        /// Which.
        step: Step,
        /// Percent done, where it can be read.
        percent: Option<u8>,
    },
    /// Storage is not healed.
    StorageRepair(String),
    /// A node that returned has to prove itself a little longer.
    Soak {
        /// Which node.
        node: NodeName,
        /// Until when.
        until: Timestamp,
    },
    /// A member is not Up.
    NotUp {
        /// Which.
        node: NodeName,
        /// How it is.
        state: String,
    },
    /// Cluster or pool quorum would not survive.
    Quorum {
        /// Without which node.
        without: NodeName,
        /// Why not.
        why: String,
    },
    /// The other nodes have no room for a node's roles.
    Room {
        /// Whose roles.
        node: NodeName,
    },
    /// Virtual machines run though the policy is `MustBeOff`.
    RolesRunning {
        /// How many.
        roles: u32,
    },
    /// The next attempt.
    Backoff {
        /// On which node.
        node: NodeName,
        /// When.
        until: Timestamp,
    },
    /// `suspend` in the desired state.
    Suspended {
        /// The reason given.
        reason: String,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// A stop file beside the controller.
    StopFile(String),
    /// A stop mark on a node.
    StopMark {
        /// On which.
        node: NodeName,
        /// Who set it, and why.
        words: String,
    },
    /// The controller's clock and the nodes' differ (rule 15).
    Clocks {
        /// By how much.
        by: Millis,
    },
    /// The run's `stopAfter` has passed; the nodes that are left need a new change or a longer one.
    StopAfter,
    /// A restart is pending or servicing is at work on a node that is in service.
    Servicing {
        /// Which node.
        node: NodeName,
    },
}

impl fmt::Display for WaitingOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitingOn::Ledger(gap) => write!(f, "the ledger: {gap}"),
            WaitingOn::Remote(why) => write!(f, "the status branch: {why}"),
            WaitingOn::Answer { node, fact, gap } => write!(f, "{node}: {fact}: {gap}"),
            WaitingOn::ClusterAnswer { fact, gap } => write!(f, "the cluster: {fact}: {gap}"),
            WaitingOn::WindowOpens(Some(at)) => write!(f, "the maintenance window, which opens {at}"),
            WaitingOn::WindowOpens(None) => f.write_str("a maintenance window; none opens within the next 13 months"),
            WaitingOn::WindowTooShort { needed, opens: Some(at) } => {
                write!(f, "the next maintenance window ({at}): one node needs {needed}, and this window closes before")
            }
            WaitingOn::WindowTooShort { needed, opens: None } => {
                write!(f, "a longer maintenance window: one node needs {needed}, and no other window opens within 13 months")
            }
            WaitingOn::StepRunning { node, step, percent: Some(p) } => write!(f, "{step} on {node}, {p} % done"),
            WaitingOn::StepRunning { node, step, percent: None } => write!(f, "{step} on {node}"),
            WaitingOn::StorageRepair(what) => write!(f, "storage: {what}"),
            WaitingOn::Soak { node, until } => write!(f, "{node} to prove itself until {until}"),
            WaitingOn::NotUp { node, state } => write!(f, "{node}, which is {state}"),
            WaitingOn::Quorum { without, why } => write!(f, "quorum: without {without} {why}"),
            WaitingOn::Room { node } => write!(f, "room for the roles of {node} on the other nodes"),
            WaitingOn::RolesRunning { roles } => write!(f, "{roles} roles to be shut down, as the workload policy is MustBeOff"),
            WaitingOn::Backoff { node, until } => write!(f, "the next attempt on {node}, at {until}"),
            WaitingOn::Suspended { reason, until: Some(until) } => write!(f, "suspend until {until}: {reason}"),
            WaitingOn::Suspended { reason, until: None } => write!(f, "suspend: {reason}"),
            WaitingOn::StopFile(words) => write!(f, "the stop file beside the controller: {words}"),
            WaitingOn::StopMark { node, words } => write!(f, "the stop mark on {node}: {words}"),
            WaitingOn::Clocks { by } => write!(f, "the clocks: the controller's and the nodes' differ by {by}"),
            WaitingOn::StopAfter => f.write_str("a new change: stopAfter has passed since the first node was begun"),
            WaitingOn::Servicing { node } => write!(f, "{node}, where a restart is pending or servicing is at work"),
        }
    }
}

/// Why a person is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HoldReason {
    /// Another machine answers under a known name.
    NodeReplaced {
        /// Which node.
        node: NodeName,
    },
    /// A node that is out by the ledger carries no marker of ours, though it remembers us; or a node is paused that we did not pause.
    PersonHasNode {
        /// Which node.
        node: NodeName,
    },
    /// A node remembers more than the ledger.
    LedgerRewound {
        /// Which node.
        node: NodeName,
        /// What it remembers.
        shows: Place,
    },
    /// A node's attempts are used up.
    NodeFailed {
        /// Which node.
        node: NodeName,
        /// The last failure.
        failed: Failed,
    },
    /// More nodes failed than `maxFailedNodes` allows.
    TooManyFailed {
        /// Which.
        nodes: Vec<NodeName>,
    },
    /// A node that is out has not answered for longer than its step allows.
    NodeSilent {
        /// Which node.
        node: NodeName,
        /// In which step.
        step: Step,
    },
    /// A node that is out takes longer than its step allows.
    StepOverdue {
        /// Which node.
        node: NodeName,
        /// Which step.
        step: Step,
    },
    /// Storage has not healed in the time allowed.
    StorageStalled {
        /// After the return of which node.
        node: NodeName,
        /// What is not healed.
        what: String,
    },
    /// A node runs a newer release than the desired one.
    NewerThanDesired {
        /// Which node.
        node: NodeName,
        /// What it runs.
        build: Build,
    },
    /// No documented way leads a node from what it runs to the target, with the bits from where they shall come.
    NoRoute {
        /// Which node.
        node: NodeName,
        /// Why not, with the article.
        why: String,
    },
    /// Too little free space on a node's system drive.
    DiskSpace {
        /// Which node.
        node: NodeName,
        /// Bytes free.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// The cluster's members are not the nodes of the desired state.
    MembersDiffer {
        /// Members that the desired state does not name.
        unnamed: Vec<NodeName>,
        /// Named nodes that are no members.
        missing: Vec<NodeName>,
    },
    /// Nodes belong to different clusters.
    OtherCluster {
        /// Which node.
        node: NodeName,
    },
    /// No window of the desired state is long enough for one node.
    NoWindowFits {
        /// What one node needs.
        needed: Millis,
        /// The longest window.
        longest: Millis,
    },
    /// Somebody else wrote to this cluster's part of the status branch.
    StatusTouched {
        /// The commit.
        commit: Revision,
    },
    /// Two claims have the same number, and a node has heard the other one.
    OtherClaim {
        /// Which node.
        node: NodeName,
        /// What it remembers.
        shows: Place,
    },
    /// Whichever node came next, more than two releases would serve in one cluster.
    MixedReleases {
        /// What the nodes run now.
        releases: Vec<Version>,
    },
    /// The desired state names a single node; taking it out stops the cluster.
    SingleNode,
    /// A law forbids what the planner wanted: a fault in Drydock itself.
    Law {
        /// Which law.
        id: String,
        /// What was wrong.
        what: String,
    },
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HoldReason::NodeReplaced { node } => write!(f, "another machine answers as {node}"),
            HoldReason::PersonHasNode { node } => write!(f, "{node} is paused or resumed by somebody else"),
            HoldReason::LedgerRewound { node, shows } => write!(f, "{node} remembers {shows}, which the ledger has not"),
            HoldReason::NodeFailed { node, failed } => write!(f, "{node} failed at {}: {}", failed.step, failed.why),
            HoldReason::TooManyFailed { nodes } => write!(f, "more nodes failed than maxFailedNodes allows: {}", list(nodes)),
            HoldReason::NodeSilent { node, step } => write!(f, "{node} has not answered since its {step}, for longer than that may take"),
            HoldReason::StepOverdue { node, step } => write!(f, "{step} on {node} takes longer than it may"),
            HoldReason::StorageStalled { node, what } => write!(f, "storage has not healed after the return of {node}: {what}"),
            HoldReason::NewerThanDesired { node, build } => write!(f, "{node} runs {build}, which is newer than what is desired"),
            HoldReason::NoRoute { node, why } => write!(f, "{node}: {why}"),
            HoldReason::DiskSpace { node, free, needed } => {
                write!(f, "{node} has {} GiB free on its system drive and needs {} GiB", free >> 30, needed >> 30)
            }
            HoldReason::MembersDiffer { unnamed, missing } if missing.is_empty() => {
                write!(f, "the cluster has members that the desired state does not name: {}", list(unnamed))
            }
            HoldReason::MembersDiffer { missing, .. } => {
                write!(f, "the desired state names nodes that are not members of the cluster: {}", list(missing))
            }
            HoldReason::OtherCluster { node } => write!(f, "{node} belongs to another cluster"),
            HoldReason::NoWindowFits { needed, longest } => {
                write!(f, "one node needs {needed}, and the longest maintenance window lasts {longest}")
            }
            HoldReason::StatusTouched { commit } => write!(f, "commit {commit} of the status branch was not written by this controller"),
            HoldReason::OtherClaim { node, shows } => write!(f, "{node} remembers {shows}, of another claim with our number"),
            HoldReason::MixedReleases { releases } => {
                let names: Vec<String> = releases.iter().map(ToString::to_string).collect();
                write!(f, "the nodes run {}; with one more release there would be three in the cluster", names.join(" and "))
            }
            HoldReason::SingleNode => f.write_str("a cluster of one node cannot be upgraded node by node"),
            HoldReason::Law { id, what } => write!(f, "law {id} forbids the next step: {what}"),
        }
    }
}

impl HoldReason {
    /// What a person does about it. Taking this way leads on (L4).
    pub fn way_out(&self) -> String {
        match self {
            HoldReason::NodeReplaced { node } => format!(
                "If the machine was replaced on purpose: drydock node retry {node} --reason TEXT. If it will not come back: drydock node gone {node} --reason TEXT."
            ),
            HoldReason::PersonHasNode { node } => format!(
                "When you have done with it, resume it (Resume-ClusterNode -Name {node}) so that it is Up; Drydock then goes on by itself."
            ),
            HoldReason::LedgerRewound { .. } => {
                "Find out who rewound or replaced the status branch. Restore it, or claim above every node: drydock init --config FILE --adopt --above NUMBER (drydock probe shows the number).".to_owned()
            }
            HoldReason::NodeFailed { node, .. } => {
                format!("Look at the node's setup logs, mend the cause, then: drydock node retry {node} --reason TEXT.")
            }
            HoldReason::TooManyFailed { .. } => {
                "Mend the cause on each, then for each: drydock node retry NODE --reason TEXT; or raise maxFailedNodes.".to_owned()
            }
            HoldReason::NodeSilent { node, .. } => format!(
                "Look at {node}'s console. When it answers again Drydock goes on by itself. If it will not come back: drydock node gone {node} --reason TEXT."
            ),
            HoldReason::StepOverdue { node, .. } => {
                format!("Look at what {node} is doing. When the step ends, or fails, Drydock goes on by itself.")
            }
            HoldReason::StorageStalled { .. } => {
                "Get-StorageJob, Get-VirtualDisk and Get-HealthFault on the cluster say what is missing; never cancel a repair. Drydock goes on when it has healed.".to_owned()
            }
            HoldReason::NewerThanDesired { .. } => "Nothing is moved back. Ask for the newer release in the desired state.".to_owned(),
            HoldReason::NoRoute { .. } => {
                "Change the desired state (release or source), or bring the node to a build that the article starts from; Drydock then goes on by itself."
                    .to_owned()
            }
            HoldReason::DiskSpace { .. } => "Free the space; Drydock goes on by itself.".to_owned(),
            HoldReason::MembersDiffer { .. } => "Make spec.nodes name exactly the cluster's members.".to_owned(),
            HoldReason::OtherCluster { .. } => "Make spec.nodes name the members of one cluster.".to_owned(),
            HoldReason::NoWindowFits { .. } => "Make a maintenance window longer, or begin it earlier.".to_owned(),
            HoldReason::StatusTouched { commit } => {
                format!("Read the commit. If it is harmless: drydock accept --status {commit} --reason TEXT.")
            }
            HoldReason::OtherClaim { .. } => {
                "Another controller uses another status branch for this cluster. Stop one; then for the other: drydock init --config FILE --adopt --above NUMBER (drydock probe shows the number).".to_owned()
            }
            HoldReason::MixedReleases { releases } => match releases.last() {
                Some(newest) => format!("Ask for {newest} until all nodes run it, then for the newer release."),
                None => "Ask for the release in the middle first.".to_owned(),
            },
            HoldReason::SingleNode => "Upgrade it by hand, with its virtual machines shut down.".to_owned(),
            HoldReason::Law { .. } => "This is a fault in Drydock. Nothing was done. Please report it with this cluster's facts.yaml.".to_owned(),
        }
    }

    /// One word that names the kind, for conditions and transitions.
    pub fn kind(&self) -> &'static str {
        match self {
            HoldReason::NodeReplaced { .. } => "NodeReplaced",
            HoldReason::PersonHasNode { .. } => "PersonHasNode",
            HoldReason::LedgerRewound { .. } => "LedgerRewound",
            HoldReason::NodeFailed { .. } => "NodeFailed",
            HoldReason::TooManyFailed { .. } => "TooManyFailed",
            HoldReason::NodeSilent { .. } => "NodeSilent",
            HoldReason::StepOverdue { .. } => "StepOverdue",
            HoldReason::StorageStalled { .. } => "StorageStalled",
            HoldReason::NewerThanDesired { .. } => "NewerThanDesired",
            HoldReason::NoRoute { .. } => "NoRoute",
            HoldReason::DiskSpace { .. } => "DiskSpace",
            HoldReason::MembersDiffer { .. } => "MembersDiffer",
            HoldReason::OtherCluster { .. } => "OtherCluster",
            HoldReason::NoWindowFits { .. } => "NoWindowFits",
            HoldReason::StatusTouched { .. } => "StatusTouched",
            HoldReason::OtherClaim { .. } => "OtherClaim",
            HoldReason::MixedReleases { .. } => "MixedReleases",
            HoldReason::SingleNode => "SingleNode",
            HoldReason::Law { .. } => "Law",
        }
    }
}

impl WaitingOn {
    /// One word that names the kind, for conditions and transitions.
    pub fn kind(&self) -> &'static str {
        match self {
            WaitingOn::Ledger(_) => "Ledger",
            WaitingOn::Remote(_) => "Remote",
            WaitingOn::Answer { .. } => "Answer",
            WaitingOn::ClusterAnswer { .. } => "ClusterAnswer",
            WaitingOn::WindowOpens(_) => "WindowOpens",
            WaitingOn::WindowTooShort { .. } => "WindowTooShort",
            WaitingOn::StepRunning { .. } => "StepRunning",
            WaitingOn::StorageRepair(_) => "StorageRepair",
            WaitingOn::Soak { .. } => "Soak",
            WaitingOn::NotUp { .. } => "NotUp",
            WaitingOn::Quorum { .. } => "Quorum",
            WaitingOn::Room { .. } => "Room",
            WaitingOn::RolesRunning { .. } => "RolesRunning",
            WaitingOn::Backoff { .. } => "Backoff",
            WaitingOn::Suspended { .. } => "Suspended",
            WaitingOn::StopFile(_) => "StopFile",
            WaitingOn::StopMark { .. } => "StopMark",
            WaitingOn::Clocks { .. } => "Clocks",
            WaitingOn::StopAfter => "StopAfter",
            WaitingOn::Servicing { .. } => "Servicing",
        }
    }

    /// The node it is about, if it is about one.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            WaitingOn::Answer { node, .. }
            | WaitingOn::StepRunning { node, .. }
            | WaitingOn::Soak { node, .. }
            | WaitingOn::NotUp { node, .. }
            | WaitingOn::Quorum { without: node, .. }
            | WaitingOn::Room { node }
            | WaitingOn::Backoff { node, .. }
            | WaitingOn::StopMark { node, .. }
            | WaitingOn::Servicing { node } => Some(node),
            WaitingOn::Ledger(_)
            | WaitingOn::Remote(_)
            | WaitingOn::ClusterAnswer { .. }
            | WaitingOn::WindowOpens(_)
            | WaitingOn::WindowTooShort { .. }
            | WaitingOn::StorageRepair(_)
            | WaitingOn::RolesRunning { .. }
            | WaitingOn::Suspended { .. }
            | WaitingOn::StopFile(_)
            | WaitingOn::Clocks { .. }
            | WaitingOn::StopAfter => None,
        }
    }
}

impl Decision {
    /// The kind of decision and its blocker: what a transition is a change of. Percentages and times are not in it.
    pub fn state(&self) -> String {
        match self {
            Decision::Converged => "Converged".to_owned(),
            Decision::Wait(on, _) => match on.node() {
                Some(node) => format!("Wait/{}/{node}", on.kind()),
                None => format!("Wait/{}", on.kind()),
            },
            Decision::Hold(why) => format!("Hold/{}", why.kind()),
            Decision::Fence(_) => "Fence".to_owned(),
            Decision::Meet(_) => "Meet".to_owned(),
            Decision::Open(_) => "Open".to_owned(),
            Decision::Cancel(_) => "Cancel".to_owned(),
            Decision::Perform(_) => "Perform".to_owned(),
            Decision::Close { .. } => "Close".to_owned(),
        }
    }
}

/// What is said of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Every node of the desired state.
    pub nodes: BTreeMap<NodeName, NodeReport>,
    /// Whether a window is open now, and until when.
    pub window: WindowReport,
    /// What happens next, and what stands in its way.
    pub next: String,
    /// When, where that is known.
    pub next_at: Option<Timestamp>,
    /// The true blocker, in words; empty when nothing blocks.
    pub blocked_by: Vec<String>,
    /// Things a person should know and that block nothing.
    pub warnings: Vec<String>,
    /// How long the rest will take, once durations are known.
    pub estimate: Option<Estimate>,
}

/// The maintenance window at the time of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WindowReport {
    /// No windows are given: always open.
    Always,
    /// Open.
    Open {
        /// Until when.
        closes: Timestamp,
    },
    /// Closed.
    Closed {
        /// When the next one opens.
        opens: Option<Timestamp>,
    },
}

/// How long the rest of the work will take, from learned durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Median of all nodes left.
    pub p50: Millis,
    /// 95th percentile of all nodes left.
    pub p95: Millis,
    /// Whether one more node fits this window at its 95th percentile.
    pub fits_window: bool,
}

/// What is said of one node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeReport {
    /// Its build, where it was observed.
    pub build: Option<Build>,
    /// How it stands.
    pub phase: NodePhase,
    /// In words.
    pub detail: String,
}

/// How a node stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NodePhase {
    /// Not observed.
    Unknown,
    /// Waits for its turn.
    Pending,
    /// A step is at work on it.
    Working {
        /// Which.
        step: Step,
        /// Since when.
        since: Option<Timestamp>,
        /// Percent done.
        percent: Option<u8>,
    },
    /// Has returned; its storage heals.
    Settling,
    /// On the target and in service.
    Done,
    /// Its attempts are used up.
    Failed,
    /// A person is needed.
    Held,
    /// A person declared it gone.
    Gone,
}

fn list(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")
}
