//! How a cluster's nodes are reached: names and places only, never a secret (S16).

use crate::ids::NodeName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// How a cluster's nodes are reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// By what.
    pub transport: Transport,
    /// At which TCP port; `None` is the transport's own.
    pub port: Option<u16>,
    /// The name of a credential in the controller's own configuration.
    pub credential: Option<String>,
    /// Where each node is reached: its address, or its name in lower case.
    pub addresses: BTreeMap<NodeName, String>,
    /// Nodes that are reached in another way than the rest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<NodeName, Way>,
}

/// How one node is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Way {
    /// By what.
    pub transport: Transport,
    /// At which TCP port; `None` is the transport's own.
    pub port: Option<u16>,
    /// The name of a credential in the controller's own configuration.
    pub credential: Option<String>,
}

impl Connection {
    /// To a simulated cluster.
    pub const fn lab() -> Connection {
        Connection { transport: Transport::Lab, port: None, credential: None, addresses: BTreeMap::new(), nodes: BTreeMap::new() }
    }

    /// The way to one node: its own, or that of all.
    pub fn way(&self, node: &NodeName) -> Way {
        let usual = || Way { transport: self.transport, port: self.port, credential: self.credential.clone() };
        self.nodes.get(node).cloned().unwrap_or_else(usual)
    }
}

/// By what nodes are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Transport {
    /// WinRM.
    WinRM,
    /// SSH.
    SSH,
    /// A simulated cluster.
    Lab,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::WinRM => "WinRM",
            Transport::SSH => "SSH",
            Transport::Lab => "Lab",
        })
    }
}
