//! Which node, over which transport.

use crate::auth::Security;
use crate::local::Program;
use drydock_model::ids::NodeName;
use std::cmp::Ordering;
use std::path::PathBuf;

/// How a node is reached.
#[derive(Debug, Clone)]
pub enum Transport {
    /// WinRM, with or without TLS.
    Winrm {
        /// 5985 or 5986.
        port: u16,
        /// How it is protected.
        security: Security,
    },
    /// SSH.
    Ssh {
        /// 22.
        port: u16,
        /// Files of known host keys.
        known_hosts: Vec<PathBuf>,
        /// The program there.
        program: String,
    },
    /// A program of this machine.
    Local(Program),
}

/// A node, and the way to it. Two targets are the same when their texts are: a changed configuration means a new session.
#[derive(Debug, Clone)]
pub struct Target {
    /// The node's name.
    pub node: NodeName,
    /// A name or an address.
    pub address: String,
    /// How.
    pub transport: Transport,
    /// The credential's name; empty for a local program.
    pub credential: String,
}

impl Target {
    fn key(&self) -> (&NodeName, &str, &str, String) {
        (&self.node, &self.address, &self.credential, format!("{:?}", self.transport))
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Target {}

impl PartialOrd for Target {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Target {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}
