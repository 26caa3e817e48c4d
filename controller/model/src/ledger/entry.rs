//! Entries: what is written down, before it is done and after it ended.

use crate::desired::Target;
use crate::ids::{BootId, EntryId, Epoch, NodeId, NodeName, Place, Revision, Seq, SpecHash};
use crate::observed::Hindrance;
use crate::step::{Purpose, Step};
use crate::time::Stamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Offset of the Cancel in an intent's block.
pub const CANCEL: Seq = 1;
/// Offset of the Restart that only restarts, in the block of a Restart.
pub const AGAIN: Seq = 2;
/// Offset of the Return in the block of any intent of an out node (rule 19).
pub const RETURN: Seq = 3;
/// Offset of the tombstone: above everything of the block that may still arrive.
pub const TOMB: Seq = 4;
/// Numbers that one intent takes: itself and the four above, so that the way back has its names before it is needed and two of them never collide.
pub const BLOCK: Seq = 5;

/// An act that was written down before it is performed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Its name.
    pub entry: EntryId,
    /// The first number of the block that `entry` lies in.
    pub base: Seq,
    /// What.
    pub step: Step,
    /// Why the node is out, or will be.
    pub purpose: Purpose,
    /// On whom.
    pub node: NodeId,
    /// The effective inputs it serves.
    pub spec: SpecHash,
    /// The revision they were read at.
    pub revision: Revision,
    /// The target of those inputs.
    pub target: Target,
    /// Which attempt of the node's upgrade to that target.
    pub attempt: u8,
    /// The boot that the node was in when it was opened; another one afterwards shows a restart.
    pub boot: Option<BootId>,
    /// When it was opened; the ledger fills it in.
    pub opened: Stamp,
    /// The mark of a Cancel, once there is one (rule 21).
    pub cancelled: Option<Stamp>,
}

impl Intent {
    fn in_block(&self, offset: Seq) -> EntryId {
        EntryId { cluster: self.entry.cluster.clone(), place: Place { epoch: self.entry.place.epoch.clone(), seq: self.base + offset } }
    }

    /// The entry of its Cancel; none for what stands higher in the block, as a Cancel below it would end nothing.
    pub fn cancel_entry(&self) -> Option<EntryId> {
        (self.entry.place.seq == self.base).then(|| self.in_block(CANCEL))
    }
}

/// How an intent ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Its done-test held over an observation.
    Done,
    /// Proven never to be performed: the node consumed nothing of it and refuses it from now on.
    Abandoned(Abandoned),
    /// It was performed, or may have been, and did not come to its end.
    Failed(Failure),
    /// The way back took its place; the node owes a tombstone when it may not have heard.
    Superseded,
    /// Opened under an older claim; what the node shows is gone on from.
    Inherited,
}

/// Why an intent was given up before it was performed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Abandoned {
    /// The spec no longer asks for it.
    SpecChanged,
    /// A guard to begin no longer held when it was to be performed.
    GuardFailed,
    /// `suspend`, a stop file or a stop mark.
    Suspended,
    /// The window closed and the policy is `Stop`.
    WindowClosed,
}

/// Why an intent failed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Failure {
    /// The platform refused the act; nothing changed.
    PlatformRefused,
    /// `DrainStatus` Failed.
    DrainFailed,
    /// The step's time budget ran out.
    TimedOut,
    /// The worker gave up, with its code and what it was doing.
    WorkerFailed {
        /// HRESULT or Setup code.
        code: u32,
        /// What it was doing.
        doing: String,
    },
    /// The worker's process is gone and nothing is staged.
    WorkerDied,
    /// The node came back on the old build.
    RolledBack,
    /// A restart is pending on the node after it was restarted for one: something staged there waits for more than that.
    StillPending,
    /// The registry values were lost in the restart that should have put them into effect: something on the node sets them.
    ValuesLost,
    /// The node runs a newer release than the one that was asked for.
    OtherRelease,
    /// The node runs the release that was asked for, in a build below `minimumBuild`.
    BelowMinimum,
    /// What it needs no longer held before it began; nothing changed.
    Hindered {
        /// What.
        by: Hindrance,
    },
    /// The upgrade is committed, and the restart that it waits for was not possible.
    NotRestarted {
        /// What stood against it.
        by: Hindrance,
    },
    /// It took no effect.
    NoEffect,
    /// It was ended by a Cancel.
    Cancelled,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::PlatformRefused => f.write_str("the cluster refused it"),
            Failure::DrainFailed => f.write_str("the drain failed"),
            Failure::TimedOut => f.write_str("its time ran out"),
            Failure::WorkerFailed { code, doing } => write!(f, "the installation failed with 0x{code:08X} while {doing}"),
            Failure::WorkerDied => f.write_str("the installation's process is gone"),
            Failure::RolledBack => f.write_str("the node came back on its old build"),
            Failure::StillPending => f.write_str("a restart is pending still"),
            Failure::ValuesLost => f.write_str("the registry values were lost in the restart"),
            Failure::BelowMinimum => f.write_str("the node runs the release asked for, and a build below minimumBuild"),
            Failure::OtherRelease => f.write_str("the node runs a newer release than the one asked for"),
            Failure::Hindered { by } => write!(f, "nothing was begun, as what it needs no longer held: {by}"),
            Failure::NotRestarted { by } => write!(f, "the upgrade is committed and the node was not restarted: {by}"),
            Failure::NoEffect => f.write_str("it took no effect"),
            Failure::Cancelled => f.write_str("it was cancelled"),
        }
    }
}

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Abandoned::SpecChanged => "the desired state no longer asks for it",
            Abandoned::GuardFailed => "what it needs to begin no longer held",
            Abandoned::Suspended => "the cluster was suspended",
            Abandoned::WindowClosed => "the window closed",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Done => f.write_str("Done"),
            Outcome::Abandoned(why) => write!(f, "Abandoned: {why}"),
            Outcome::Failed(why) => write!(f, "Failed: {why}"),
            Outcome::Superseded => f.write_str("Superseded"),
            Outcome::Inherited => f.write_str("Inherited"),
        }
    }
}

/// What happened; one commit each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// A controller claimed the right to write; entry number 0 of every cluster.
    Claimed {
        /// The claim.
        epoch: Epoch,
    },
    /// Nodes were seen for the first time.
    Met(Vec<NodeId>),
    /// An intent was opened.
    Opened(Intent),
    /// The open intent was marked as cancelled.
    Cancelled(EntryId),
    /// The open intent was closed.
    Closed {
        /// Which.
        entry: EntryId,
        /// How.
        outcome: Outcome,
        /// Whether the node was heard to have done with it; if not it owes a tombstone.
        heard: bool,
    },
    /// The decision, its blocker or a condition changed; nothing else.
    Noted {
        /// The kind of decision and its blocker, as one word each.
        state: String,
    },
    /// Every node satisfies the inputs of this revision.
    Applied {
        /// Which.
        revision: Revision,
        /// Its meaning for this cluster.
        spec: SpecHash,
    },
    /// Another revision changed this cluster's inputs.
    Read(Revision),
    /// What stands on the watched branch now does not count for this cluster, or counts again.
    Refused {
        /// Why not, in short; nothing when it counts again.
        problem: Option<String>,
    },
    /// A person's word.
    Word(Word),
}

/// What a person said, in a signed commit of the status branch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Word {
    /// `drydock node retry`: fresh attempts, and the machine that answers now is the right one.
    Retry {
        /// Which node.
        node: NodeName,
        /// Why.
        reason: String,
    },
    /// `drydock node gone`: the node will not come back; it is nobody's duty to return it.
    Gone {
        /// Which node.
        node: NodeName,
        /// Why.
        reason: String,
    },
    /// `drydock clock accept`: the time of now is right, whatever earlier entries say.
    Clock {
        /// Why.
        reason: String,
    },
}
