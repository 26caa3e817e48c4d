//! What is said on the socket.

use crate::effect::Effect;
use crate::fault::Planned;
use crate::lab::Lab;
use crate::truth::Catastrophe;
use drydock_engine::ports::PerformError;
use drydock_model::desired::Build;
use drydock_model::ids::{ClusterName, NodeName};
use drydock_model::observed::Observed;
use drydock_model::order::{Order, Receipt};
use drydock_model::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The longest line: sixteen nodes with all their facts stay far below.
pub(crate) const LONGEST_LINE: u64 = 4 << 20;

/// A question.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Ask {
    Observe { cluster: ClusterName, nodes: Vec<NodeName> },
    Perform(Box<Order>),
    Status,
    Plan(Planned),
    Calm,
    Effects { after: usize },
    Stop,
}

/// Its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Answer {
    /// How long before the answer it was seen.
    Observed {
        observed: Box<Observed>,
        age: Millis,
    },
    Receipt(Receipt),
    NotSent(String),
    Unknown(String),
    Status(Status),
    Planned(Option<Planned>),
    Done,
    Effects(Vec<Effect>),
    /// The line was no question.
    Bad(String),
}

/// How the lab stands, in truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its time.
    pub now: Timestamp,
    /// Each cluster.
    pub clusters: BTreeMap<ClusterName, ClusterStatus>,
    /// What went wrong with service and data.
    pub catastrophes: Vec<Catastrophe>,
    /// How many installs and commits happened more than once for one machine, target and attempt.
    pub repeated: usize,
}

/// How a cluster stands, in truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// What each node runs.
    pub builds: BTreeMap<NodeName, Build>,
    /// Nodes that do not serve.
    pub away: BTreeSet<NodeName>,
    /// Whether all nodes serve, all storage has healed, and nothing is under way.
    pub at_rest: bool,
}

impl Status {
    fn of(lab: &Lab) -> Status {
        let truth = lab.truth();
        let cluster =
            |name: &ClusterName| ClusterStatus { builds: truth.builds(name), away: truth.away(name), at_rest: truth.at_rest(name) };
        Status {
            now: lab.now(),
            clusters: lab.clusters().map(|name| (name.clone(), cluster(name))).collect(),
            catastrophes: truth.catastrophes().into_iter().cloned().collect(),
            repeated: truth.repeated().len(),
        }
    }
}

/// What the lab answers. `Stop` is answered as the others are; that the server ends is the server's part.
pub(crate) fn answer(lab: &mut Lab, ask: Ask) -> Answer {
    match ask {
        Ask::Observe { cluster, nodes } => {
            let observed = lab.observe(&cluster, &nodes);
            let age = lab.now().since(observed.span.to);
            Answer::Observed { observed: Box::new(observed), age }
        }
        Ask::Perform(order) => match lab.perform(&order) {
            Ok(receipt) => Answer::Receipt(receipt),
            Err(PerformError::NotSent(why)) => Answer::NotSent(why),
            Err(PerformError::Unknown(why)) => Answer::Unknown(why),
        },
        Ask::Status => Answer::Status(Status::of(lab)),
        Ask::Plan(planned) => Answer::Planned(lab.plan(planned)),
        Ask::Calm => {
            lab.calm();
            Answer::Done
        }
        Ask::Effects { after } => Answer::Effects(lab.truth().effects().into_iter().skip(after).cloned().collect()),
        Ask::Stop => Answer::Done,
    }
}
