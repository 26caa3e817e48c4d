//! What the engine needs from outside: desired source, ledger, clusters, clock and dice. Production, the lab and simulation each bring their own.

use drydock_model::connection::Connection;
use drydock_model::desired::Desired;
use drydock_model::fact::Fact;
use drydock_model::ids::{ClusterName, Epoch, Revision};
use drydock_model::ledger::{Event, Ledger};
use drydock_model::observed::Observed;
use drydock_model::order::{Order, Receipt};
use drydock_model::plan::{Decision, Remote, Report};
use drydock_model::time::{Millis, Stamp, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

/// All ports.
pub trait World: Send + Sync + 'static {
    /// Where desired state comes from.
    type Source: Source;
    /// Where entries go.
    type Store: Store;
    /// How nodes are reached.
    type Clusters: Clusters;
    /// Time and chance.
    type Clock: Clock;
    /// The desired source.
    fn source(&self) -> &Self::Source;
    /// The ledger store.
    fn store(&self) -> &Self::Store;
    /// The clusters.
    fn clusters(&self) -> &Self::Clusters;
    /// The clock and the dice.
    fn clock(&self) -> &Self::Clock;
}

/// Where desired state comes from.
pub trait Source: Send + Sync {
    /// The fleet as the newest verified revision has it. Costs little when nothing changed. On an error the last fleet stays in force.
    fn read(&self) -> impl Future<Output = Result<Arc<Fleet>, SourceError>> + Send;
    /// Returns when something may have changed; never, where nothing can tell. Carries no information: it only shortens a sleep.
    fn stirred(&self) -> impl Future<Output = ()> + Send;
}

/// The desired state of all clusters at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// The verified revision.
    pub revision: Revision,
    /// Every cluster, also those whose newest file is bad or gone.
    pub clusters: BTreeMap<ClusterName, Arc<Wanted>>,
    /// Files that count for no cluster: what is wrong with them, as printed by the checker.
    pub problems: Vec<String>,
    /// A revision of the watched branch that does not count, and why.
    pub refused: Option<(Revision, String)>,
}

/// One cluster's desired state and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The file, relative to the repository: `clusters/shops/till-042.yaml`.
    pub path: String,
    /// The last good spec.
    pub desired: Arc<Desired>,
    /// The last revision that changed this cluster's inputs.
    pub revision: Revision,
    /// How its nodes are reached, for the clusters port.
    pub connection: Connection,
    /// Set while the newest file is bad or gone: the spec above is then the last good one.
    pub problem: Option<String>,
    /// What the checker warned of.
    pub warnings: Vec<String>,
}

/// Why the desired source could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The remote does not answer, or refuses.
    #[error("the fleet repository cannot be read: {0}")]
    Unreachable(String),
    /// The watched branch does not exist.
    #[error("the fleet repository has no branch {0}; put it back, or check desired.branch in the configuration")]
    NoBranch(String),
    /// The newest revision is no descendant of the last accepted one.
    #[error(
        "branch {branch} was rewound or rewritten: {} does not descend from {}; put the branch back; or, if this history is right: \
         drydock accept {found} --reason TEXT",
        short(found),
        short(accepted)
    )]
    Rewritten {
        /// The branch.
        branch: String,
        /// The last accepted revision.
        accepted: Revision,
        /// What stands there now.
        found: Revision,
    },
    /// The newest revision has more, or deeper folders, than is read.
    #[error("{found} cannot be read: {why}; a further commit that takes it away mends that")]
    Unfit {
        /// What stands there now.
        found: Revision,
        /// What of it.
        why: String,
    },
    /// The local copy or the disk under it failed.
    #[error("the local copy of the fleet repository failed: {0}")]
    Local(String),
}

/// A revision's first characters, as people quote it.
fn short(revision: &Revision) -> &str {
    revision.as_str().get(..10).unwrap_or(revision.as_str())
}

/// Where entries go: the status branch.
pub trait Store: Send + Sync {
    /// Claims the next epoch (rules 1 to 5). Called before the first lap that writes.
    fn claim(&self, take_over: TakeOver) -> impl Future<Output = Result<Epoch, ClaimError>> + Send;
    /// How a cluster's ledger stands, with a look at the remote in this call (rule 14). Looks of many clusters may share one fetch.
    fn read(&self, cluster: &ClusterName) -> impl Future<Output = Result<Reading, StoreError>> + Send;
    /// Writes one entry and pushes it. While the remote is unreachable the entry stays pending, in order, and is pushed as the same objects later.
    fn append(&self, record: Record) -> impl Future<Output = Result<Appended, StoreError>> + Send;
    /// Pushes what is pending; called before a clean stop.
    fn flush(&self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Whether a claim may take over from a controller of another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakeOver {
    /// Only from ourselves.
    No,
    /// From anybody (`--take-over`).
    Yes,
}

/// What a look at the status branch gave for one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The ledger, pending entries included.
    pub ledger: Fact<Ledger>,
    /// Whether the remote confirms it.
    pub remote: Remote,
}

/// One commit to be: what happened to one cluster, and everything needed to judge it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which cluster.
    pub cluster: ClusterName,
    /// Its file in the desired tree; the status tree mirrors it.
    pub path: String,
    /// What happened, in order; at least one.
    pub events: Vec<Event>,
    /// When, if the clocks agree.
    pub stamp: Stamp,
    /// The controller's own time, for the commit's date only.
    pub at: Timestamp,
    /// The decision this was part of.
    pub decision: Decision,
    /// What was said of the nodes.
    pub report: Report,
    /// What was seen.
    pub observed: Observed,
    /// How the status branch was.
    pub remote: Remote,
    /// The words of the stop file, if there was one.
    pub stop: Option<String>,
    /// What was wanted.
    pub wanted: Arc<Wanted>,
}

/// How an append ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// The remote has it.
    Pushed,
    /// Kept; the remote could not be reached, or its answer was lost.
    Pending(String),
}

/// Why there is no claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The remote is down; only observe (rule 5).
    #[error("the status branch cannot be read: {0}")]
    Unreachable(String),
    /// There is no status branch (rule 3).
    #[error("there is no status branch {0}; make it once with: drydock init")]
    NoBranch(String),
    /// Another controller holds it (rule 1).
    #[error("the status branch is held by the controller {holder:?}; stop that one, then start this one with --take-over")]
    HeldBy {
        /// Its configured name.
        holder: String,
    },
    /// Three claims of our name within the hour: two of us may be fighting (rule 1).
    #[error("{claims} claims of this name within the last hour; the next one waits {wait}")]
    TooMany {
        /// How many.
        claims: u32,
        /// How long to wait.
        wait: Millis,
    },
    /// This version of Drydock may not read the branch (rule 30).
    #[error("the status branch needs schema {needs}, and this drydock reads up to {reads}; upgrade it")]
    SchemaTooNew {
        /// The least schema that may read it.
        needs: u32,
        /// What we read.
        reads: u32,
    },
    /// Nothing on the branch that could be a claim is signed by a known controller.
    #[error(
        "no known controller signed any claim on the status branch, which is at {commit}: name the key of the one that did under allowedSigners.controllers, or set the branch back to what that one wrote"
    )]
    Unsigned {
        /// What the branch is.
        commit: Revision,
    },
    /// Two claims with one number, neither below the other.
    #[error(
        "somebody joined two histories of the status branch that each have a claim {number}, {one} and {other}: set the branch back to the last commit before that on the one that goes on; the nodes' fences show which (drydock probe)"
    )]
    Split {
        /// Their number.
        number: u32,
        /// One of them.
        one: Revision,
        /// The other.
        other: Revision,
    },
    /// The server refused the claim itself.
    #[error("the server refused the claim: {0}")]
    Refused(String),
    /// The local copy or the disk under it failed.
    #[error("the local copy of the status branch failed: {0}")]
    Local(String),
}

/// Why an entry could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody newer holds the branch, or our claim is gone: stand down (rule 4).
    #[error("this controller no longer holds the status branch: {0}")]
    StoodDown(String),
    /// The server refuses this cluster's entry, and no other (rule 9).
    #[error("the server refused the entry: {0}")]
    Refused(String),
    /// Somebody wrote to this cluster's part in the meantime (rule 7).
    #[error("commit {commit} wrote to this cluster's status")]
    Touched {
        /// The commit.
        commit: Revision,
    },
    /// The local copy or the disk under it failed.
    #[error("the local copy of the status branch failed: {0}")]
    Local(String),
}

/// How nodes are reached.
pub trait Clusters: Send + Sync {
    /// Looks at every node and at the cluster. Partial, never an error; bounded in time.
    fn observe(&self, wanted: &Wanted) -> impl Future<Output = Observed> + Send;
    /// Sends one order to its node.
    fn perform(&self, wanted: &Wanted, order: &Order) -> impl Future<Output = Result<Receipt, PerformError>> + Send;
}

/// Why there is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PerformError {
    /// Certainly not sent: the node knows nothing of it.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Sent, or perhaps sent, and not answered: it may be performed now or later.
    #[error("sent, without an answer: {0}")]
    Unknown(String),
}

/// Time and chance.
pub trait Clock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Sleeps.
    fn sleep(&self, time: Millis) -> impl Future<Output = ()> + Send;
    /// A number that cannot be guessed.
    fn dice(&self) -> u64;
}

impl fmt::Display for Appended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Appended::Pushed => f.write_str("pushed"),
            Appended::Pending(why) => write!(f, "pending: {why}"),
        }
    }
}
