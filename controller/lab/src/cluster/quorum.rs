//! Votes and quorum, with dynamic quorum and a dynamic witness (Microsoft: Understanding cluster and pool quorum; Configure and manage quorum).

use super::Cluster;
use crate::effect::Cause;
use crate::truth::What;
use drydock_model::ids::NodeName;
use drydock_model::observed::{ClusterService, Witness};

impl Cluster {
    fn votes(&self) -> (usize, usize) {
        let witness = usize::from(self.witness.vote);
        let all = self.nodes.values().filter(|n| n.vote).count() + witness;
        let here = self.nodes.values().filter(|n| n.vote && n.joined).count() + usize::from(self.witness.vote && self.witness.serves());
        (here, all)
    }

    /// The witness as its vote is counted.
    pub(crate) fn witness(&self) -> Witness {
        match (self.witness.configured, self.witness.serves()) {
            (false, _) => Witness::None,
            (true, false) => Witness::Offline,
            (true, true) => Witness::Online { vote: self.witness.vote },
        }
    }

    /// Dynamic quorum gives every member that is there a vote and takes it from one that is not, and keeps the total odd: by the witness where
    /// there is one, else by one member's vote.
    pub(crate) fn count_votes(&mut self) {
        for node in self.nodes.values_mut() {
            node.vote = node.joined;
        }
        let even = self.nodes.values().filter(|n| n.vote).count().is_multiple_of(2);
        let witness = self.witness.serves();
        self.witness.vote = witness && even;
        if even
            && !witness
            && let Some(node) = self.nodes.values_mut().rev().find(|n| n.vote)
        {
            // Which one loses its vote is up to the cluster unless somebody says so (LowerQuorumPriorityNodeID); here the last by name.
            node.vote = false;
        }
    }

    /// A member that leaves in good order takes its vote along first.
    pub(crate) fn leaves_in_order(&mut self, name: &NodeName) {
        self.node(name).joined = false;
        if self.formed && self.nodes.values().any(|n| n.joined) {
            self.count_votes();
        }
    }

    /// Whether quorum holds with the votes as they were, and how they are counted from now on.
    pub(crate) fn count_quorum(&mut self, cause: &Cause) {
        let (here, all) = self.votes();
        let quorate = here * 2 > all && self.nodes.values().any(|n| n.joined);
        match (self.formed, quorate) {
            (true, true) => self.count_votes(),
            (true, false) => {
                self.formed = false;
                self.catastrophe(What::QuorumLost, cause);
            }
            (false, true) => {
                self.formed = true;
                self.count_votes();
            }
            // The service of a node without quorum ends and tries again; it stays a candidate.
            (false, false) => {}
        }
    }

    /// `WillOfflineLoseQuorum` (Microsoft: MSCluster_Node class). How it counts is not documented; here it is the careful reading: whether the rest
    /// would hold the majority of the votes as they are, the node's own counted as lost.
    pub(crate) fn would_lose_quorum(&self, name: &NodeName) -> bool {
        let (here, all) = self.votes();
        let node = &self.nodes[name];
        let mine = usize::from(node.vote && node.joined);
        (here - mine) * 2 <= all
    }

    /// What a node's cluster service looks like from outside: without quorum it does not stay up.
    pub(crate) fn service_of(&self, name: &NodeName) -> ClusterService {
        let node = &self.nodes[name];
        match node.service {
            ClusterService::Running if !self.formed => ClusterService::Stopped,
            service => service,
        }
    }
}
