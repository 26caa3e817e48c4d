//! What is said of a cluster and of each of its nodes.

use crate::desired::Build;
use crate::ids::NodeName;
use crate::step::Step;
use crate::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
