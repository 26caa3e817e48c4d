//! What a cluster waits on, and how that reads.

use crate::fact::Gap;
use crate::ids::NodeName;
use crate::step::Step;
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

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
            WaitingOn::Servicing { node } => write!(f, "{node}, where a restart is pending or servicing is at work"),
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
            WaitingOn::Servicing { .. } => "Servicing",
        }
    }

    /// What of it is waited for, where that can change while kind and node stay: without percentages, numbers and times.
    pub fn subject(&self) -> Option<String> {
        match self {
            WaitingOn::Answer { fact, gap, .. } | WaitingOn::ClusterAnswer { fact, gap } => Some(format!("{fact}: {}", gap.kind())),
            WaitingOn::StorageRepair(what) => what.split([',', ':']).next().map(ToOwned::to_owned),
            WaitingOn::NotUp { state, .. } => Some(state.clone()),
            WaitingOn::Quorum { why, .. } => Some(why.clone()),
            WaitingOn::Suspended { reason, .. } => Some(reason.clone()),
            WaitingOn::StopFile(words) | WaitingOn::StopMark { words, .. } => Some(words.clone()),
            WaitingOn::Ledger(_)
            | WaitingOn::Remote(_)
            | WaitingOn::WindowOpens(_)
            | WaitingOn::WindowTooShort { .. }
            | WaitingOn::StepRunning { .. }
            | WaitingOn::Soak { .. }
            | WaitingOn::Room { .. }
            | WaitingOn::RolesRunning { .. }
            | WaitingOn::Backoff { .. }
            | WaitingOn::Clocks { .. }
            | WaitingOn::Servicing { .. } => None,
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
            | WaitingOn::Clocks { .. } => None,
        }
    }
}
