//! What a fleet's file says, and what a cluster's file leaves open until the fleet's is known.

use crate::diagnostic::Diagnostic;
use drydock_model::connection::Transport;
use drydock_model::desired::{BitsSource, FailbackMode, Method, Overrun, Suspend, WorkloadPolicy};
use drydock_model::time::Millis;
use drydock_model::window::{Exclusion, Window};

/// What holds for the whole fleet. The default is that of a repository without a `fleet.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fleet {
    /// Its name.
    pub name: Option<String>,
    /// What clusters' files may leave out.
    pub defaults: Defaults,
    /// Added to every cluster's own.
    pub exclusions: Vec<Exclusion>,
    /// Nothing new begins in the whole fleet.
    pub suspend: Option<Suspend>,
    /// Where commands look for status; where it is written says the controller's own configuration.
    pub status: StatusHome,
    /// What a person should know about the file.
    pub warnings: Vec<Diagnostic>,
}

/// Where commands look for status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusHome {
    /// Another repository; `None` is the desired state's own.
    pub remote: Option<String>,
    /// The branch.
    pub branch: String,
}

impl Default for StatusHome {
    fn default() -> StatusHome {
        StatusHome { remote: None, branch: "drydock/status".to_owned() }
    }
}

/// What clusters' files may leave out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Defaults {
    /// How nodes are reached.
    pub connection: ConnectionPart,
    /// How clusters are upgraded.
    pub method: Option<Method>,
    /// Where the bits come from.
    pub source: Option<BitsSource>,
    /// Windows for clusters that name none.
    pub windows: Option<Vec<Window>>,
    /// What happens when a window closes on work that has begun.
    pub overrun: Option<Overrun>,
    /// Bounds of a run.
    pub run: RunPart,
    /// What is asked of the workloads.
    pub workload: Option<WorkloadPolicy>,
    /// Whom to call.
    pub contact: Option<String>,
}

/// How nodes are reached, as far as one file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConnectionPart {
    /// By what.
    pub transport: Option<Transport>,
    /// At which TCP port.
    pub port: Option<u16>,
    /// With which credential.
    pub credential: Option<String>,
}

/// Bounds of a run, as far as one file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunPart {
    /// `maxRetriesPerNode`.
    pub max_retries_per_node: Option<u8>,
    /// `maxFailedNodes`.
    pub max_failed_nodes: Option<u8>,
    /// `stopAfter`.
    pub stop_after: Option<Millis>,
    /// `warnAfter`.
    pub warn_after: Option<Millis>,
    /// `rebootTimeout`.
    pub reboot_timeout: Option<Millis>,
    /// `suspendClusterNodeTimeout`.
    pub suspend_cluster_node_timeout: Option<Millis>,
    /// `waitForStorageRepairTimeout`.
    pub wait_for_storage_repair_timeout: Option<Millis>,
    /// `failbackMode`.
    pub failback_mode: Option<FailbackMode>,
}
