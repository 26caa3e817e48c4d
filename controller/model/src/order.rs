//! What a node is asked to do, with everything it needs to refuse, and what it answers.

use crate::desired::{BitsSource, Build, FailbackMode, Target};
use crate::ids::{BootId, Digest, EntryId, NodeId, NodeName, Place};
use crate::observed::Marker;
use crate::step::Step;
use crate::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// One order to one node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The entry it performs. A node refuses one older than its fence.
    pub entry: EntryId,
    /// Whom it is for. Another machine under the same name refuses it.
    pub node: NodeId,
    /// What to do.
    pub act: Act,
    /// What must be so on the node, checked in the same script as the act.
    pub expect: Expect,
    /// The boot it was planned on; `None` for fences and Cancels, which hold in every boot.
    pub boot: Option<BootId>,
    /// The node refuses when it has been up longer than this, so neither skew nor delay nor a jumping clock matters; `None` for fences and Cancels.
    pub not_after: Option<Millis>,
    /// Equal for every send of this order (rule 10).
    pub digest: Digest,
}

/// What an order asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// Remember that nothing older than the entry may come; nothing else.
    Fence {
        /// Written back where the upgrade took it together with the fence (rule 17).
        marker: Option<Marker>,
    },
    /// A fence that also ends the worker and makes the entry before it unperformable.
    Cancel,
    /// One step.
    Step(Work),
}

/// One step's parameters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// Which.
    pub step: Step,
    /// For which target.
    pub target: Target,
    /// In which attempt of the node's upgrade to that target.
    pub attempt: u8,
    /// Where the bits come from.
    pub source: BitsSource,
    /// Whether roles move back, for Return.
    pub failback: FailbackMode,
    /// Whether `SkipSmallLocalAllocations` is written too, for WriteRegistry.
    pub small_allocations: bool,
}

/// What must be so on the node when the act begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expect {
    /// Who must have taken the node out.
    pub marker: MarkerExpected,
    /// Every other member is Up and unimpaired, as the node's own cluster service sees it.
    pub others_up: bool,
    /// How the storage must be.
    pub storage: StorageExpected,
    /// The build it must run; `None` where it does not matter.
    pub build: Option<Build>,
    /// The cluster itself says that it survives the node's absence (`WillOfflineLoseQuorum`).
    pub quorum: bool,
}

impl Expect {
    /// Nothing at all.
    pub const NOTHING: Expect =
        Expect { marker: MarkerExpected::Any, others_up: false, storage: StorageExpected::Any, build: None, quorum: false };
}

/// Who must have taken the node out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MarkerExpected {
    /// Does not matter.
    Any,
    /// Nobody, and the node is not paused.
    Absent,
    /// The Vacate of this place, or a later one of ours.
    Ours(Place),
}

/// How the storage must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum StorageExpected {
    /// Does not matter.
    Any,
    /// Disks healthy, no job, no drive in maintenance mode (S2).
    Settled,
    /// All damage is the node's own (S2b).
    OwnDamageOnly,
}

impl Order {
    /// A fence at `entry`.
    pub fn fence(entry: EntryId, node: NodeId, marker: Option<Marker>) -> Order {
        let digest = digest(&entry, &node, Asked::Fence);
        Order { entry, node, act: Act::Fence { marker }, expect: Expect::NOTHING, boot: None, not_after: None, digest }
    }

    /// The Cancel whose mark is `entry`.
    pub fn cancel(entry: EntryId, node: NodeId) -> Order {
        let digest = digest(&entry, &node, Asked::Cancel);
        Order { entry, node, act: Act::Cancel, expect: Expect::NOTHING, boot: None, not_after: None, digest }
    }

    /// A step.
    pub fn step(entry: EntryId, node: NodeId, work: Work, expect: Expect, boot: BootId, not_after: Millis) -> Order {
        let digest = digest(&entry, &node, Asked::Step(&work));
        Order { entry, node, act: Act::Step(work), expect, boot: Some(boot), not_after: Some(not_after), digest }
    }

    /// Whether the digest is the one of what is asked.
    pub fn intact(&self) -> bool {
        let asked = match &self.act {
            Act::Fence { .. } => Asked::Fence,
            Act::Cancel => Asked::Cancel,
            Act::Step(work) => Asked::Step(work),
        };
        digest(&self.entry, &self.node, asked) == self.digest
    }

    /// The step it performs, if it performs one.
    pub fn step_of(&self) -> Option<Step> {
        match &self.act {
            Act::Fence { .. } | Act::Cancel => None,
            Act::Step(work) => Some(work.step),
        }
    }
}

/// What a digest covers of the act.
enum Asked<'a> {
    Fence,
    Cancel,
    Step(&'a Work),
}

/// Entry, identity, step, target, attempt: nothing that differs between two sends.
fn digest(entry: &EntryId, node: &NodeId, asked: Asked<'_>) -> Digest {
    let mut hash = Sha256::new();
    let mut field = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    field(&entry.to_string());
    field(node.name.as_str());
    field(node.machine.as_str());
    field(node.cluster.as_str());
    field(node.node.as_str());
    match asked {
        Asked::Fence => field("Fence"),
        Asked::Cancel => field("Cancel"),
        Asked::Step(work) => {
            field(&work.step.to_string());
            field(&work.target.to_string());
            field(&work.attempt.to_string());
        }
    }
    let hex: String = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    // 64 hexadecimal digits are always a digest.
    hex.parse().unwrap_or_else(|_| unreachable!("a SHA-256 in hexadecimal is a digest"))
}

/// `Vacate to N01 (hospital-north/3.ab12/8)`.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.act {
            Act::Fence { .. } => write!(f, "fence for {} ({})", self.node.name, self.entry),
            Act::Cancel => write!(f, "Cancel for {} ({})", self.node.name, self.entry),
            Act::Step(work) => write!(f, "{} for {} ({})", work.step, self.node.name, self.entry),
        }
    }
}

/// What a node answers. Never evidence: only a later observation is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Receipt {
    /// Done, as far as the script can tell.
    Applied,
    /// Begun, and going on by itself.
    Started,
    /// This very order was consumed before; says nothing of its success.
    AlreadyConsumed,
    /// Not begun; nothing was consumed.
    Refused(Unmet),
    /// The platform refused the act; the entry is consumed and nothing changed.
    PlatformRefused(String),
    /// The node has heard of something newer.
    Fenced {
        /// What.
        newer: Place,
    },
}

/// Why a node refused an order. A refusal consumes nothing and proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Unmet {
    /// The digest is not that of the order's text.
    Garbled,
    /// The entry was consumed with another digest.
    OtherOrderConsumed,
    /// The fence is of another claim with the same number.
    OtherClaim,
    /// It is another machine, or another member of another cluster.
    OtherIdentity,
    /// It has restarted since.
    OtherBoot,
    /// It has been up for too long since the order was planned.
    TooLate,
    /// A person's stop mark is on the node.
    StopMark,
    /// The marker is not as expected.
    Marker,
    /// Another member is not Up.
    NotUp(NodeName),
    /// Its cluster service does not run, so the expectations cannot be judged.
    NoView,
    /// Storage is not as expected.
    Storage,
    /// It runs another build.
    OtherBuild(Build),
    /// The cluster says that it would lose quorum.
    Quorum,
    /// Windows Setup or servicing is at work.
    SetupRunning,
    /// The worker has not staged this attempt.
    NotStaged,
    /// Another worker is at work.
    OtherWorker,
    /// The commit of this attempt was made before, and the node has restarted since.
    CommitSpent,
    /// An upgrade was committed in this boot: only its restart leads on.
    Committed,
    /// Another order holds the node's mutex.
    Busy,
}

impl Unmet {
    /// One word that names the kind, for transitions.
    pub fn kind(&self) -> &'static str {
        match self {
            Unmet::Garbled => "Garbled",
            Unmet::OtherOrderConsumed => "OtherOrderConsumed",
            Unmet::OtherClaim => "OtherClaim",
            Unmet::OtherIdentity => "OtherIdentity",
            Unmet::OtherBoot => "OtherBoot",
            Unmet::TooLate => "TooLate",
            Unmet::StopMark => "StopMark",
            Unmet::Marker => "Marker",
            Unmet::NotUp(_) => "NotUp",
            Unmet::NoView => "NoView",
            Unmet::Storage => "Storage",
            Unmet::OtherBuild(_) => "OtherBuild",
            Unmet::Quorum => "Quorum",
            Unmet::SetupRunning => "SetupRunning",
            Unmet::NotStaged => "NotStaged",
            Unmet::OtherWorker => "OtherWorker",
            Unmet::CommitSpent => "CommitSpent",
            Unmet::Committed => "Committed",
            Unmet::Busy => "Busy",
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unmet::Garbled => f.write_str("the order's digest does not fit its text"),
            Unmet::OtherOrderConsumed => f.write_str("the same entry was consumed with another order"),
            Unmet::OtherClaim => f.write_str("the node carries the fence of another claim with the same number"),
            Unmet::OtherIdentity => f.write_str("another machine or member answers under this name"),
            Unmet::OtherBoot => f.write_str("the node has restarted since the order was planned"),
            Unmet::TooLate => f.write_str("the order came too late"),
            Unmet::StopMark => f.write_str("a person's stop mark is on the node"),
            Unmet::Marker => f.write_str("the node was not taken out by whom the order expects"),
            Unmet::NotUp(node) => write!(f, "{node} is not Up"),
            Unmet::NoView => f.write_str("the cluster service does not run on the node"),
            Unmet::Storage => f.write_str("the storage is not as the order expects"),
            Unmet::OtherBuild(build) => write!(f, "the node runs build {build}"),
            Unmet::Quorum => f.write_str("the cluster would lose quorum"),
            Unmet::SetupRunning => f.write_str("Windows Setup or servicing is at work"),
            Unmet::NotStaged => f.write_str("nothing is staged for this attempt"),
            Unmet::OtherWorker => f.write_str("another worker is at work"),
            Unmet::CommitSpent => f.write_str("the commit of this attempt was made in an earlier boot"),
            Unmet::Committed => f.write_str("an upgrade was committed in this boot, and only its restart leads on"),
            Unmet::Busy => f.write_str("another order is at work on the node"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::Version;
    use crate::ids::{Epoch, Place};

    fn order(step: Step, attempt: u8, source: BitsSource, not_after: Millis) -> Order {
        let name = |t: &str| t.parse().unwrap();
        let entry =
            EntryId { cluster: "c".parse().unwrap(), place: Place { epoch: Epoch { number: 1, nonce: "ab".parse().unwrap() }, seq: 5 } };
        let node = NodeId { name: name("N01"), machine: "m1".parse().unwrap(), cluster: "k".parse().unwrap(), node: "1".parse().unwrap() };
        let work = Work {
            step,
            target: Target { version: Version::V23H2, revision: 0 },
            attempt,
            source,
            failback: FailbackMode::Immediate,
            small_allocations: false,
        };
        Order::step(entry, node, work, Expect::NOTHING, "b1".parse().unwrap(), not_after)
    }

    #[test]
    fn two_sends_of_one_order_have_one_digest() {
        let a = order(Step::Install, 1, BitsSource::WindowsUpdate, Millis::seconds(5));
        let b = order(Step::Install, 1, BitsSource::WindowsUpdate, Millis::seconds(9));
        assert_eq!(a.digest, b.digest);
        assert!(a.intact());
    }

    #[test]
    fn another_step_or_attempt_has_another_digest() {
        let a = order(Step::Install, 1, BitsSource::WindowsUpdate, Millis::ZERO);
        assert_ne!(a.digest, order(Step::Install, 2, BitsSource::WindowsUpdate, Millis::ZERO).digest);
        assert_ne!(a.digest, order(Step::Restart, 1, BitsSource::WindowsUpdate, Millis::ZERO).digest);
    }

    #[test]
    fn an_order_changed_on_its_way_is_not_intact() {
        let mut order = order(Step::Install, 1, BitsSource::WindowsUpdate, Millis::ZERO);
        order.entry.place.seq += 1;
        assert!(!order.intact());
    }
}
