//! What the planner decides, and what it says of every node while doing so.

mod hold;
mod report;
mod wait;

pub use hold::HoldReason;
pub use report::{Estimate, NodePhase, NodeReport, Report, WindowReport};
pub use wait::WaitingOn;

use crate::desired::Desired;
use crate::fact::Fact;
use crate::ids::{EntryId, NodeId, NodeName, Revision};
use crate::ledger::{Intent, Ledger, Outcome};
use crate::observed::Observed;
use crate::order::Order;
use crate::time::{Now, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
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

impl Decision {
    /// The kind of decision and its blocker: what a transition is a change of. Percentages and times are not in it.
    pub fn state(&self) -> String {
        match self {
            Decision::Converged => "Converged".to_owned(),
            Decision::Wait(on, _) => [Some("Wait"), Some(on.kind()), on.node().map(NodeName::as_str), on.subject().as_deref()]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join("/"),
            Decision::Hold(why) => match why.node() {
                Some(node) => format!("Hold/{}/{node}", why.kind()),
                None => format!("Hold/{}", why.kind()),
            },
            Decision::Fence(_) => "Fence".to_owned(),
            Decision::Meet(_) => "Meet".to_owned(),
            Decision::Open(_) => "Open".to_owned(),
            Decision::Cancel(_) => "Cancel".to_owned(),
            Decision::Perform(_) => "Perform".to_owned(),
            Decision::Close { .. } => "Close".to_owned(),
        }
    }
}
