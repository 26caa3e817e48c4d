//! What really happened to nodes: the log that the truth is judged by.

use crate::fault::Fault;
use drydock_model::desired::{Build, Target};
use drydock_model::ids::{EntryId, NodeId, NodeName};
use drydock_model::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One thing that happened to one node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// When.
    pub at: Timestamp,
    /// To which machine.
    pub node: NodeId,
    /// What.
    pub did: Did,
    /// By whom.
    pub cause: Cause,
}

/// What can happen to a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Did {
    /// The registry values were written.
    WroteRegistry,
    /// It was paused, and its drain began.
    Suspended,
    /// It was resumed.
    Resumed,
    /// A worker began to install.
    BeganInstall {
        /// What.
        target: Target,
        /// In which attempt.
        attempt: u8,
    },
    /// The update agent's commit was called, or setup was told to go on at the next restart.
    Committed {
        /// What.
        target: Target,
        /// In which attempt.
        attempt: u8,
    },
    /// It went down.
    WentDown,
    /// It runs another build than before.
    ChangedBuild {
        /// The build before.
        from: Build,
        /// The build since.
        to: Build,
    },
    /// An upgrade ended where it began.
    RolledBack {
        /// The build, before and since.
        build: Build,
    },
}

impl Did {
    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Did::WroteRegistry => "wrote-registry",
            Did::Suspended => "suspended",
            Did::Resumed => "resumed",
            Did::BeganInstall { .. } => "began-install",
            Did::Committed { .. } => "committed",
            Did::WentDown => "went-down",
            Did::ChangedBuild { .. } => "changed-build",
            Did::RolledBack { .. } => "rolled-back",
        }
    }
}

/// Who brought something about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// An order, and when its node accepted it.
    Order {
        /// Which.
        entry: EntryId,
        /// Whose.
        node: NodeName,
        /// When it was accepted.
        accepted: Timestamp,
    },
    /// A fault.
    Fault(Fault),
    /// Windows itself, going on with what was begun.
    Windows,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Order { entry, accepted, .. } => write!(f, "order {entry}, accepted {accepted}"),
            Cause::Fault(fault) => write!(f, "fault {fault}"),
            Cause::Windows => f.write_str("Windows itself"),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.at, self.node.name, self.did.word())?;
        match &self.did {
            Did::BeganInstall { target, attempt } | Did::Committed { target, attempt } => write!(f, " {target} attempt {attempt}")?,
            Did::ChangedBuild { from, to } => write!(f, " {from} to {to}")?,
            Did::RolledBack { build } => write!(f, " to {build}")?,
            Did::WroteRegistry | Did::Suspended | Did::Resumed | Did::WentDown => {}
        }
        write!(f, " ({})", self.cause)
    }
}
