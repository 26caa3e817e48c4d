//! The lab: clusters side by side under one time.

use crate::cluster::Cluster;
use crate::config::ClusterConfig;
use crate::durations::Durations;
use crate::fault::Planned;
use crate::node::rules::Rules;
use crate::truth::Truth;
use drydock_engine::ports::PerformError;
use drydock_model::fact::Gap;
use drydock_model::ids::{ClusterName, NodeName};
use drydock_model::observed::{ClusterFacts, NodeFacts, Observed};
use drydock_model::order::{Order, Receipt};
use drydock_model::time::{Span, Timestamp};
use std::collections::BTreeMap;

/// Simulated clusters under one time. A copy of it goes on by itself, and equal labs have equal futures.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lab {
    now: Timestamp,
    seed: u64,
    durations: Durations,
    rules: Rules,
    pub(crate) clusters: BTreeMap<ClusterName, Cluster>,
}

impl Lab {
    /// An empty lab.
    pub fn new(seed: u64, start: Timestamp, durations: Durations) -> Lab {
        Lab { now: start, seed, durations, rules: Rules::all(), clusters: BTreeMap::new() }
    }

    /// The same with other rules, for clusters added from now on.
    pub fn with_rules(mut self, rules: Rules) -> Lab {
        self.rules = rules;
        self
    }

    /// One more cluster.
    pub fn add(&mut self, config: &ClusterConfig) {
        let cluster = Cluster::new(self.seed, self.now, self.durations.clone(), self.rules.clone(), config);
        self.clusters.insert(config.name.clone(), cluster);
    }

    /// The lab's own time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When the next thing happens by itself.
    pub fn next_event(&self) -> Option<Timestamp> {
        self.clusters.values().filter_map(Cluster::next_event).min()
    }

    /// Everything until `to` happens. An earlier `to` changes nothing.
    pub fn advance_to(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
        for cluster in self.clusters.values_mut() {
            cluster.advance_to(self.now);
        }
    }

    /// One look at a cluster and those of its nodes that are named.
    pub fn observe(&mut self, cluster: &ClusterName, nodes: &[NodeName]) -> Observed {
        match self.clusters.get_mut(cluster) {
            Some(cluster) => cluster.observe(nodes),
            None => Observed {
                nodes: nodes.iter().map(|n| (n.clone(), NodeFacts::unknown(&Gap::Unreachable))).collect(),
                cluster: ClusterFacts::unknown(&Gap::Unreachable),
                span: Span::at(self.now),
            },
        }
    }

    /// One order to its node.
    pub fn perform(&mut self, order: &Order) -> Result<Receipt, PerformError> {
        match self.clusters.get_mut(&order.entry.cluster) {
            Some(cluster) => cluster.receives(order),
            None => Err(PerformError::NotSent(format!("there is no cluster {}", order.entry.cluster))),
        }
    }

    /// A fault strikes now or later; what it leaves open is drawn. Returns the fault as it will strike, or `None` where there is no such cluster or node.
    pub fn plan(&mut self, planned: Planned) -> Option<Planned> {
        self.clusters.get_mut(&planned.cluster)?.plan(planned)
    }

    /// No more faults: those to come are forgotten, and what can be healed from outside is healed.
    pub fn calm(&mut self) {
        self.clusters.values_mut().for_each(Cluster::calm);
    }

    /// A person brings volumes online that an upgraded node holds offline for want of a registry value (domain.md section 12).
    pub fn bring_online(&mut self, cluster: &ClusterName) {
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.bring_online();
        }
    }

    /// A person takes away what is staged on a node, and the pending restart with it.
    pub fn unstage(&mut self, cluster: &ClusterName, node: &NodeName) {
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.unstage(node);
        }
    }

    /// A person moves what still runs on a node by hand, shut down where it does not move live; what has no place elsewhere stays.
    pub fn move_roles(&mut self, cluster: &ClusterName, node: &NodeName) {
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.move_roles(node);
        }
    }

    /// Questions about what really is and was.
    pub fn truth(&self) -> Truth<'_> {
        Truth { lab: self }
    }

    /// The clusters.
    pub fn clusters(&self) -> impl Iterator<Item = &ClusterName> {
        self.clusters.keys()
    }

    /// The names of a cluster's nodes; none where there is no such cluster.
    pub fn nodes(&self, cluster: &ClusterName) -> Vec<NodeName> {
        self.clusters.get(cluster).map(|c| c.nodes.keys().cloned().collect()).unwrap_or_default()
    }
}
