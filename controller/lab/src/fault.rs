//! What can go wrong, by name.

use drydock_model::ids::{ClusterName, NodeName};
use drydock_model::time::Millis;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $node:literal;)*) => {
        /// Something that goes wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum Fault { $($(#[$doc])* $name,)* }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Fault] = &[$(Fault::$name,)*];

            /// Its name.
            pub const fn word(self) -> &'static str {
                match self { $(Fault::$name => $word,)* }
            }

            /// Whether it strikes one node, and not the whole cluster.
            pub const fn of_a_node(self) -> bool {
                match self { $(Fault::$name => $node,)* }
            }
        }
    };
}

faults! {
    /// The node's next upgrade ends on its old build.
    NodeRollsBack = "node-rolls-back", true;
    /// The next storage repair stands still.
    StorageRepairStalls = "storage-repair-stalls", false;
    /// The next time it goes down the node stays down.
    NodeNeverReturns = "node-never-returns", true;
    /// The node's next drain fails.
    DrainFails = "drain-fails", true;
    /// The node's worker disappears.
    WorkerDies = "worker-dies", true;
    /// The node's worker gives up.
    WorkerFails = "worker-fails", true;
    /// The node's worker gives up and leaves a pending restart that forbids the next attempt.
    WorkerFailsPending = "worker-fails-pending", true;
    /// The next time that something staged is taken away from the node, Windows goes on showing a pending restart.
    CleanUpLeavesPending = "clean-up-leaves-pending", true;
    /// The node does not answer for a while; it goes on working.
    NodeUnreachable = "node-unreachable-for-a-while", true;
    /// The next order to the node is performed, and its answer is lost.
    LostAnswer = "lost-answer", true;
    /// The next order to the node arrives later.
    DelayedOrder = "delayed-order", true;
    /// The next order to the node arrives twice.
    DuplicatedOrder = "duplicated-order", true;
    /// The next order to the node never arrives.
    DroppedOrder = "dropped-order", true;
    /// A person pauses the node.
    PersonPauses = "person-pauses-node", true;
    /// A person resumes the node, whoever paused it.
    PersonResumes = "person-resumes-node", true;
    /// Another machine takes the node's name and place.
    NodeReplaced = "node-replaced", true;
    /// The node's next upgrade forgets what orders left in the registry.
    UpgradeForgets = "upgrade-forgets-registry", true;
    /// The node's memory of orders is that of an earlier moment.
    ReimagedMemory = "reimaged-memory", true;
    /// A person sets a stop mark on the node.
    StopMark = "stop-mark", true;
    /// The witness goes offline.
    WitnessOffline = "witness-offline", false;
    /// A drive of the node fails.
    DiskFails = "disk-fails-elsewhere", true;
    /// The node restarts unasked.
    NodeCrashes = "node-crashes", true;
    /// The node crashes in the middle of the next order's script.
    CrashInScript = "node-crashes-in-script", true;
    /// The node's clock is wrong.
    ClockSkew = "clock-skew", true;
    /// The registry values of the upgrade articles are lost.
    RegistryLost = "registry-values-lost", true;
    /// Observations are old when they arrive.
    SlowObserve = "slow-observe", false;
    /// Observations lack facts.
    Gaps = "partial-view", false;
    /// The cluster refuses to suspend the node, once.
    SuspendRefused = "suspend-refused", true;
    /// What scripts on the node ask of its cluster is not answered for a while; what is asked from outside is.
    QuestionsFail = "questions-fail-for-a-while", true;
}

/// A name that is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no fault; the faults are: {}", list())]
pub struct FaultError {
    /// What was written.
    pub name: String,
}

fn list() -> String {
    Fault::ALL.iter().map(|f| f.word()).collect::<Vec<_>>().join(", ")
}

impl FromStr for Fault {
    type Err = FaultError;
    fn from_str(text: &str) -> Result<Fault, FaultError> {
        Fault::ALL.iter().copied().find(|f| f.word() == text).ok_or_else(|| FaultError { name: text.to_owned() })
    }
}

impl TryFrom<String> for Fault {
    type Error = FaultError;
    fn try_from(text: String) -> Result<Fault, FaultError> {
        text.parse()
    }
}

impl From<Fault> for String {
    fn from(fault: Fault) -> String {
        fault.word().to_owned()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A fault with its place and time; what is not said is drawn from the seed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Planned {
    /// What.
    pub fault: Fault,
    /// In which cluster.
    pub cluster: ClusterName,
    /// At which node, for those that strike a node.
    pub node: Option<NodeName>,
    /// How long from now.
    pub after: Millis,
    /// How long it lasts, for those that end by themselves.
    pub lasting: Option<Millis>,
}

impl Planned {
    /// A fault that strikes now.
    pub fn now(fault: Fault, cluster: ClusterName, node: Option<NodeName>) -> Planned {
        Planned { fault, cluster, node, after: Millis::ZERO, lasting: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found_by_its_name() {
        for fault in Fault::ALL {
            assert_eq!(fault.word().parse::<Fault>(), Ok(*fault));
        }
        let error = "node-explodes".parse::<Fault>().unwrap_err().to_string();
        assert!(error.starts_with("\"node-explodes\" is no fault; the faults are: node-rolls-back, storage-repair-stalls"), "{error}");
    }
}
