//! What one lap saw of a cluster and its nodes. Partial, never an error: every part says for itself whether it is known.

use crate::desired::{Build, Target};
use crate::fact::{Fact, Gap};
use crate::ids::{BootId, ClusterId, Digest, NodeId, NodeName, Place};
use crate::time::{Millis, Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One observation of one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// Each node, as it answered for itself.
    pub nodes: BTreeMap<NodeName, NodeFacts>,
    /// What the cluster says of itself, read through one node.
    pub cluster: ClusterFacts,
    /// From the first question to the last answer.
    pub span: Span,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeFacts {
    /// Who it is.
    pub id: Fact<NodeId>,
    /// Which boot it is in, and since how long.
    pub boot: Fact<Boot>,
    /// Its own clock at the instant of the answer (`Win32_OperatingSystem.LocalDateTime`, in UTC).
    pub clock: Fact<Timestamp>,
    /// The build it runs: `CurrentBuildNumber` and `UBR` of the registry.
    pub build: Fact<Build>,
    /// What Drydock's orders left in its registry.
    pub memory: Fact<Memory>,
    /// The registry values that the upgrade articles ask for.
    pub registry: Fact<RegistryFacts>,
    /// The worker that stages an installation, when there is one.
    pub worker: Fact<Option<Worker>>,
    /// Whether Windows Setup or servicing is at work.
    pub setup: Fact<Setup>,
    /// The cluster service's state.
    pub service: Fact<ClusterService>,
    /// The cluster as this node's cluster service sees it; unknown while the service is stopped.
    pub view: Fact<View>,
    /// Free bytes on the system drive.
    pub disk_free: Fact<u64>,
}

impl NodeFacts {
    /// A node of which nothing is known, for one reason.
    pub fn unknown(gap: &Gap) -> NodeFacts {
        NodeFacts {
            id: Fact::Unknown(gap.clone()),
            boot: Fact::Unknown(gap.clone()),
            clock: Fact::Unknown(gap.clone()),
            build: Fact::Unknown(gap.clone()),
            memory: Fact::Unknown(gap.clone()),
            registry: Fact::Unknown(gap.clone()),
            worker: Fact::Unknown(gap.clone()),
            setup: Fact::Unknown(gap.clone()),
            service: Fact::Unknown(gap.clone()),
            view: Fact::Unknown(gap.clone()),
            disk_free: Fact::Unknown(gap.clone()),
        }
    }
}

/// One boot of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Boot {
    /// Random, from a volatile registry key.
    pub id: BootId,
    /// How long the node has been up, by its own steady clock.
    pub up: Millis,
}

/// What Drydock's orders left in a node's registry, under the software key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// The highest place it has heard of.
    pub fence: Option<Place>,
    /// The last entry it consumed; raising the fence never overwrites it.
    pub consumed: Option<Consumed>,
    /// Who took it out.
    pub marker: Option<Marker>,
    /// The update agent's commit, kept for the attempt it belongs to: never made twice.
    pub commit: Option<Commit>,
    /// The last Cancel it heard.
    pub cancelled: Option<Place>,
    /// The boot in which the registry values were last written by us.
    pub registry_written: Option<BootId>,
    /// A person's word on the node itself that nothing may happen to it.
    pub stop: Option<StopMark>,
}

/// The last entry a node consumed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Consumed {
    /// Which.
    pub place: Place,
    /// What it asked.
    pub digest: Digest,
    /// How far its script came.
    pub phase: Phase,
}

/// How far the script of a consumed entry came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Written down, nothing done yet.
    Recorded,
    /// The act was started.
    Started,
    /// The script ran to its end; whether the act had its effect only the done-test tells.
    Ended,
    /// The platform refused the act, and nothing changed.
    PlatformRefused,
    /// Its detached work asked once more for what was expected, and ended where the answer was no.
    Unmet(Hindrance),
}

/// What no longer held when detached work asked once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Hindrance {
    /// A Cancel, a Return or a newer order ended it.
    Told,
    /// A person's stop mark.
    StopMark,
    /// The node is in service, or another one's marker is on it.
    Marker,
    /// Another member is not Up.
    NotUp,
    /// The cluster service does not run.
    NoView,
    /// Storage is not as expected.
    Storage,
    /// It runs another build.
    OtherBuild,
    /// The cluster would lose quorum.
    Quorum,
    /// It had no time left.
    TooLate,
    /// Windows refused a part of it.
    Platform,
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Hindrance::Told => "it was told to stop",
            Hindrance::StopMark => "a stop mark is on the node",
            Hindrance::Marker => "the node is in service, or not out by us",
            Hindrance::NotUp => "another node is not Up",
            Hindrance::NoView => "the cluster service does not answer",
            Hindrance::Storage => "the storage is not as it must be",
            Hindrance::OtherBuild => "the node runs another build",
            Hindrance::Quorum => "quorum would be lost, or it is not known whether",
            Hindrance::TooLate => "its time was over",
            Hindrance::Platform => "Windows refused it",
        })
    }
}

/// Who took a node out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Marker {
    /// The Vacate that did.
    pub vacate: Place,
    /// How far it came.
    pub state: MarkerState,
}

/// How far taking a node out came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MarkerState {
    /// Written before `Suspend-ClusterNode`.
    Suspending,
    /// Written once it was accepted.
    Suspended,
}

/// The update agent's commit and the restart after it, of one attempt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// For which target.
    pub target: Target,
    /// In which attempt.
    pub attempt: u8,
    /// How far.
    pub phase: CommitPhase,
    /// The boot in which it was made.
    pub boot: BootId,
}

/// How far the point of no return has been crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CommitPhase {
    /// Written before the commit: from here on, back means forward.
    Committing,
    /// Written after it.
    Committed,
    /// Written before the restart.
    Restarting,
}

/// A person's word on the node that nothing may happen to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StopMark {
    /// Who said so.
    pub who: String,
    /// When, as they wrote it.
    pub when: String,
    /// Why.
    pub why: String,
}

/// The registry values of step 0 of the upgrade articles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryFacts {
    /// `HKLM\SYSTEM\CurrentControlSet\Control\FileSystem` `RefsEnableMetadataValidation`; `None` when absent.
    pub refs_enable_metadata_validation: Option<u32>,
    /// `HKLM\SYSTEM\CurrentControlSet\Services\Vid\Parameters` `SkipSmallLocalAllocations`; `None` when absent.
    pub skip_small_local_allocations: Option<u32>,
}

/// The worker that downloads and stages an installation; it never restarts the node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Worker {
    /// The Install entry that started it.
    pub place: Place,
    /// For which target.
    pub target: Target,
    /// In which attempt.
    pub attempt: u8,
    /// How far.
    pub state: WorkerState,
    /// Whether its process lives.
    pub alive: bool,
}

/// How far a worker came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WorkerState {
    /// Downloading; percent done.
    Downloading(u8),
    /// Staging; percent done.
    Staging(u8),
    /// Everything is in place; only commit and restart are missing.
    Staged,
    /// It gave up.
    Failed(WorkerFailure),
    /// It stopped because it was told to.
    Cancelled,
}

impl WorkerState {
    /// How much of the installation is done; nothing for one that was given up. The download counts for a third.
    pub fn percent(&self) -> Option<u8> {
        match self {
            WorkerState::Downloading(p) => Some(p / 3),
            WorkerState::Staging(p) => Some(33 + p.min(&100) * 2 / 3),
            WorkerState::Staged => Some(100),
            WorkerState::Failed(_) | WorkerState::Cancelled => None,
        }
    }

    /// Whether it has come to an end by itself.
    pub fn ended(&self) -> bool {
        match self {
            WorkerState::Downloading(_) | WorkerState::Staging(_) => false,
            WorkerState::Staged | WorkerState::Failed(_) | WorkerState::Cancelled => true,
        }
    }
}

/// Why a worker gave up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerFailure {
    /// The HRESULT or Setup code.
    pub code: u32,
    /// What it was doing.
    pub doing: String,
}

impl fmt::Display for WorkerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X} while {}", self.code, self.doing)
    }
}

/// Whether Windows Setup or servicing is at work on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Setup {
    /// A setup process runs, or servicing is in progress.
    pub running: bool,
    /// A restart is pending (`RebootPending`, `PackagesPending`).
    pub pending: bool,
}

/// The service `clussvc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ClusterService {
    /// Running.
    Running,
    /// Not running; starts by itself.
    Stopped,
    /// Start type Disabled.
    Disabled,
}

/// The cluster as one node's cluster service sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// The cluster's id.
    pub cluster: ClusterId,
    /// Every member.
    pub members: BTreeMap<NodeName, Member>,
    /// Its witness.
    pub witness: Witness,
}

/// A member of a cluster (`Get-ClusterNode`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// `State`.
    pub state: MemberState,
    /// `DrainStatus`.
    pub drain: DrainStatus,
    /// Isolated or quarantined, by `StatusInformation`; `State` does not tell.
    pub impaired: bool,
    /// `DynamicWeight`: the vote counted now.
    pub vote: bool,
    /// Groups owned by it that are Online, PartialOnline or Pending.
    pub roles: u32,
}

/// `ClusterNode.State`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MemberState {
    /// 0.
    Up,
    /// 1.
    Down,
    /// 2; survives a restart.
    Paused,
    /// 3.
    Joining,
    /// -1.
    Unknown,
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            MemberState::Up => "Up",
            MemberState::Down => "Down",
            MemberState::Paused => "Paused",
            MemberState::Joining => "Joining",
            MemberState::Unknown => "Unknown",
        })
    }
}

/// `ClusterNode.DrainStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DrainStatus {
    /// 0.
    NotInitiated,
    /// 1.
    InProgress,
    /// 2.
    Completed,
    /// 3.
    Failed,
}

/// The cluster's witness and its vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Witness {
    /// None configured.
    None,
    /// Online.
    Online {
        /// `WitnessDynamicWeight`: whether its vote counts now.
        vote: bool,
    },
    /// Configured, and not online.
    Offline,
}

/// What the cluster says of itself, read through one node of the quorate side.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterFacts {
    /// The node that was asked.
    pub through: Option<NodeName>,
    /// Virtual disks, repair jobs, the pool.
    pub storage: Fact<Storage>,
    /// Memory for roles.
    pub capacity: Fact<Capacity>,
    /// Functional level.
    pub level: Fact<Level>,
    /// Nodes whose loss the cluster itself says it would not survive (`MSCluster_Node.WillOfflineLoseQuorum`).
    pub would_lose_quorum: Fact<BTreeSet<NodeName>>,
    /// What forbids an upgrade by somebody else's hand than the platform's own. Entries before it was read are without it.
    #[serde(default = "not_asked")]
    pub preconditions: Fact<Preconditions>,
}

fn not_asked() -> Fact<Preconditions> {
    Fact::Unknown(Gap::NotAsked)
}

/// What forbids that the operating system is upgraded node by node (domain.md sections 2 and 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preconditions {
    /// The Azure Local solution is deployed: its own updates bring the operating system, and nothing else may.
    pub solution: bool,
    /// The clustered role of Cluster-Aware Updating, which updates by itself, is online.
    pub self_updating: bool,
    /// How many fault domains of the type Site there are. With two or more the cluster is stretched.
    pub sites: u32,
}

impl ClusterFacts {
    /// A cluster of which nothing is known, for one reason.
    pub fn unknown(gap: &Gap) -> ClusterFacts {
        ClusterFacts {
            through: None,
            storage: Fact::Unknown(gap.clone()),
            capacity: Fact::Unknown(gap.clone()),
            level: Fact::Unknown(gap.clone()),
            would_lose_quorum: Fact::Unknown(gap.clone()),
            preconditions: Fact::Unknown(gap.clone()),
        }
    }
}

/// `ClusterFunctionalLevel` and `ClusterUpgradeVersion`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Level {
    /// 11 for 22H2, 12 for 23H2 and 24H2.
    pub functional: u32,
    /// Tells 23H2 and 24H2 apart.
    pub upgrade: u32,
}

/// The clustered storage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// Virtual disks by friendly name.
    pub disks: BTreeMap<String, DiskState>,
    /// Storage jobs that have not vanished.
    pub jobs: Vec<Job>,
    /// Physical disks per node.
    pub drives: BTreeMap<NodeName, Drives>,
    /// Whether the pool is healthy and writable.
    pub pool_healthy: bool,
}

/// How a virtual disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DiskState {
    /// Healthy and OK (or Suboptimal, which is uneven data only).
    Healthy,
    /// InService with Warning: resynchronising.
    Repairing,
    /// Missing drives hold current data.
    Incomplete,
    /// Missing or failed drives hold outdated copies.
    Degraded,
    /// Too many drives failed.
    NoRedundancy,
    /// Not attached.
    Detached,
    /// Anything else.
    Other,
}

impl fmt::Display for DiskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DiskState::Healthy => "Healthy",
            DiskState::Repairing => "InService",
            DiskState::Incomplete => "Incomplete",
            DiskState::Degraded => "Degraded",
            DiskState::NoRedundancy => "No Redundancy",
            DiskState::Detached => "Detached",
            DiskState::Other => "in another state",
        })
    }
}

/// A storage job (`Get-StorageJob`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Its name; differs between builds, never matched on.
    pub name: String,
    /// How it is.
    pub state: JobState,
    /// Percent done.
    pub percent: u8,
}

/// `StorageJob.JobState`, as far as a gate asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum JobState {
    /// New, Starting, Running, Shutting Down, Service or Query Pending.
    Running,
    /// Suspended.
    Suspended,
    /// Completed, Terminated, Killed or Exception.
    Ended,
}

/// The physical disks of one node in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drives {
    /// How many belong to the pool.
    pub total: u32,
    /// Healthy, OK, and in no maintenance mode.
    pub good: u32,
    /// In, entering or leaving storage maintenance mode.
    pub maintenance: u32,
}

/// Memory for roles, in MiB.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Each node.
    pub nodes: BTreeMap<NodeName, Room>,
}

/// One node's room.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// Free memory, MiB.
    pub free_mib: u64,
    /// What each running role on it needs, MiB.
    pub roles_mib: Vec<u64>,
}
