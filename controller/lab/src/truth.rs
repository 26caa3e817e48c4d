//! What really was: the judge of what a controller believed and brought about.

use crate::effect::{Cause, Did, Effect};
use crate::lab::Lab;
use drydock_model::desired::{Build, Target};
use drydock_model::ids::{ClusterName, MachineUuid, NodeName};
use drydock_model::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Service was lost, or hung on one more failure, in a way that a rolling upgrade exists to avoid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Catastrophe {
    /// When.
    pub at: Timestamp,
    /// In which cluster.
    pub cluster: ClusterName,
    /// What.
    pub what: What,
    /// What brought it about in the end.
    pub cause: Cause,
    /// The nodes that did not serve at that moment, or lacked data, and since when.
    pub away: BTreeMap<NodeName, Timestamp>,
    /// Since when the witness was offline at that moment, if it was.
    pub witness: Option<Timestamp>,
}

/// What a catastrophe is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// The cluster lost quorum.
    QuorumLost,
    /// Data is out of reach.
    DataUnavailable {
        /// The nodes whose data is missing or out of date.
        lacking: BTreeSet<NodeName>,
    },
    /// Two nodes lack data at once: nothing is lost yet.
    TwoLack {
        /// Which.
        lacking: BTreeSet<NodeName>,
    },
}

impl Catastrophe {
    /// Whether the controller is to blame: an order brought it about that was accepted while another node had been away for longer than `look`, the
    /// age that a look at the cluster may have, or while no other node was away at all. What another node or the witness does after that is nobody's
    /// fault.
    pub fn blames_controller(&self, look: Millis) -> bool {
        match &self.cause {
            Cause::Order { node, accepted, .. } => {
                let unseen = |since: Timestamp| since > *accepted - look;
                let mut others = self.away.iter().filter(|(name, _)| *name != node).map(|(_, since)| *since).peekable();
                let alone = others.peek().is_none() && !self.witness.is_some_and(unseen);
                alone || others.any(|since| !unseen(since))
            }
            Cause::Fault(_) | Cause::Windows => false,
        }
    }
}

impl fmt::Display for Catastrophe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |nodes: &BTreeSet<NodeName>| nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ");
        write!(f, "{} {}: ", self.at, self.cluster)?;
        match &self.what {
            What::QuorumLost => f.write_str("quorum was lost")?,
            What::DataUnavailable { lacking } => write!(f, "data was out of reach, with {} lacking", list(lacking))?,
            What::TwoLack { lacking } => write!(f, "{} lacked data at once", list(lacking))?,
        }
        write!(f, ", because of {}", self.cause)
    }
}

/// Questions about what really was.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    pub(crate) lab: &'a Lab,
}

impl<'a> Truth<'a> {
    /// What each node of a cluster runs.
    pub fn builds(self, cluster: &ClusterName) -> BTreeMap<NodeName, Build> {
        let nodes = self.lab.clusters.get(cluster).into_iter().flat_map(|c| &c.nodes);
        nodes.map(|(name, node)| (name.clone(), node.build)).collect()
    }

    /// What happened, in the order of time.
    pub fn effects(self) -> Vec<&'a Effect> {
        let mut all: Vec<&Effect> = self.lab.clusters.values().flat_map(|c| &c.effects).collect();
        all.sort_by_key(|e| e.at);
        all
    }

    /// How often each thing happened to each node of a cluster.
    pub fn counts(self, cluster: &ClusterName) -> BTreeMap<(NodeName, &'static str), usize> {
        let mut counts = BTreeMap::new();
        for effect in self.lab.clusters.get(cluster).into_iter().flat_map(|c| &c.effects) {
            *counts.entry((effect.node.name.clone(), effect.did.word())).or_insert(0) += 1;
        }
        counts
    }

    /// What went wrong with service and data, in the order of time.
    pub fn catastrophes(self) -> Vec<&'a Catastrophe> {
        let mut all: Vec<&Catastrophe> = self.lab.clusters.values().flat_map(|c| &c.catastrophes).collect();
        all.sort_by_key(|c| c.at);
        all
    }

    /// Whether a node did not serve at `t`; `None` for a node that there is not.
    pub fn out_at(self, cluster: &ClusterName, node: &NodeName, t: Timestamp) -> Option<bool> {
        let history = self.lab.clusters.get(cluster)?.service.get(node)?;
        let served = history.iter().rev().find(|(at, _)| *at <= t).or(history.first())?.1;
        Some(!served)
    }

    /// Installs and commits that happened more than once for one machine, target and attempt (law S5).
    pub fn repeated(self) -> BTreeSet<(MachineUuid, Target, u8, &'static str)> {
        let mut seen = BTreeSet::new();
        let mut repeated = BTreeSet::new();
        for effect in self.lab.clusters.values().flat_map(|c| &c.effects) {
            let key = match &effect.did {
                Did::BeganInstall { target, attempt } | Did::Committed { target, attempt } => {
                    (effect.node.machine.clone(), *target, *attempt, effect.did.word())
                }
                Did::WroteRegistry | Did::Suspended | Did::Resumed | Did::WentDown | Did::ChangedBuild { .. } | Did::RolledBack { .. } => {
                    continue;
                }
            };
            if !seen.insert(key.clone()) {
                repeated.insert(key);
            }
        }
        repeated
    }

    /// Nodes that do not serve now.
    pub fn away(self, cluster: &ClusterName) -> BTreeSet<NodeName> {
        let nodes = self.lab.clusters.get(cluster).into_iter().flat_map(|c| &c.nodes);
        nodes.filter(|(_, n)| !n.serves()).map(|(name, _)| name.clone()).collect()
    }

    /// Whether all nodes serve, all storage has healed, and nothing is under way.
    pub fn at_rest(self, cluster: &ClusterName) -> bool {
        self.lab.clusters.get(cluster).is_some_and(|c| c.nodes.values().all(|n| n.serves() && n.script.is_none()) && !c.lacks_data())
    }
}
