//! What a simulated cluster is made of.

use drydock_model::desired::Build;
use drydock_model::ids::{ClusterName, NodeName};
use serde::{Deserialize, Serialize};

/// What a simulated cluster is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterConfig {
    /// Its name in the fleet.
    pub name: ClusterName,
    /// Its nodes; 1 to 16, the most that such a cluster has (Microsoft: Azure Stack HCI system requirements).
    pub nodes: Vec<NodeName>,
    /// What all of them run at first.
    pub build: Build,
    /// Whether there is a witness.
    pub witness: bool,
    /// Virtual machines per node.
    pub roles: u32,
    /// Memory of each, MiB.
    pub role_mib: u64,
    /// Memory of each node for roles, MiB.
    pub node_mib: u64,
    /// Drives of each node in the pool.
    pub drives: u32,
    /// Virtual disks.
    pub disks: Vec<String>,
    /// Bytes free on each system drive.
    pub disk_free: u64,
}

impl ClusterConfig {
    /// A cluster with room for the roles of one absent node.
    pub fn new(name: ClusterName, nodes: Vec<NodeName>, build: Build) -> ClusterConfig {
        ClusterConfig {
            name,
            nodes,
            build,
            // Recommended for every size, and required for two nodes (Microsoft: Understanding cluster and pool quorum).
            witness: true,
            roles: 4,
            role_mib: 8 << 10,
            node_mib: 96 << 10,
            drives: 4,
            disks: vec!["Volume01".to_owned(), "Volume02".to_owned()],
            disk_free: 120 << 30,
        }
    }

    /// The same without a witness.
    pub fn without_witness(mut self) -> ClusterConfig {
        self.witness = false;
        self
    }
}
