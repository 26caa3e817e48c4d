//! One simulated node: what it is, what it remembers, and what is under way on it.

pub(crate) mod admit;
mod power;
pub(crate) mod rules;
mod script;
mod worker;

use crate::effect::Cause;
use drydock_model::desired::{BitsSource, Build, Target};
use drydock_model::ids::{BootId, NodeId, Place};
use drydock_model::observed::{Boot, ClusterService, DrainStatus, Memory, RegistryFacts, Setup, Worker};
use drydock_model::order::{Expect, Work};
use drydock_model::time::{Millis, Timestamp};

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    /// What orders left in its registry.
    pub(crate) memory: Memory,
    /// The memory of an earlier moment, for a restored image.
    pub(crate) earlier: Memory,
    pub(crate) on: bool,
    /// Rises with each start and each fall, so that what was planned for an earlier boot is void.
    pub(crate) power: u32,
    pub(crate) boot: BootId,
    pub(crate) booted: Timestamp,
    pub(crate) build: Build,
    /// By how much its wall clock is ahead, in milliseconds.
    pub(crate) skew: i64,
    pub(crate) registry: RegistryFacts,
    /// The values that were read when it started: others take effect at the next start.
    pub(crate) effective: RegistryFacts,
    pub(crate) worker: Option<Staging>,
    /// What Windows does at its next restart.
    pub(crate) staged: Option<Staged>,
    pub(crate) setup: Setup,
    /// The upgrade between its restarts.
    pub(crate) upgrade: Option<Upgrade>,
    /// The detached script of a Restart, until the node goes down.
    pub(crate) script: Option<Cause>,
    /// What that script knows until it asks for the restart.
    pub(crate) task: Option<RestartTask>,
    pub(crate) service: ClusterService,
    /// Its cluster service runs and has joined.
    pub(crate) joined: bool,
    pub(crate) paused: bool,
    pub(crate) drain: DrainStatus,
    /// Rises with each pause and each resume.
    pub(crate) pause: u32,
    pub(crate) impaired: bool,
    /// Its dynamic vote.
    pub(crate) vote: bool,
    pub(crate) drives: Maintenance,
    pub(crate) failed_drives: u32,
    pub(crate) disk_free: u64,
    pub(crate) armed: Armed,
    /// Nothing reaches it before then.
    pub(crate) unreachable: Option<Timestamp>,
    /// A person paused it, so a person resumes it.
    pub(crate) persons: bool,
}

/// What the detached script of a Restart knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RestartTask {
    pub(crate) place: Place,
    pub(crate) work: Work,
    /// What its order expected.
    pub(crate) expect: Expect,
    /// The Vacate whose marker it works under.
    pub(crate) vacate: Option<Place>,
    /// Until when it asks: first whether it may commit, then whether it may restart.
    pub(crate) until: Timestamp,
    /// It has committed.
    pub(crate) committed: bool,
    /// A Return was heard, and waits for its end.
    pub(crate) told: bool,
}

/// Storage maintenance mode of a node's drives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Maintenance {
    Out,
    In,
    Leaving,
}

/// A worker, and what it knows for itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Staging {
    pub(crate) seen: Worker,
    /// The Vacate whose marker it works under.
    pub(crate) vacate: Option<Place>,
    pub(crate) deadline: Timestamp,
    pub(crate) source: BitsSource,
    pub(crate) boot: BootId,
    /// The fence that it found when it began.
    pub(crate) began_under: Option<Place>,
    /// Rises with each worker of the node.
    pub(crate) number: u32,
    /// A Return was heard, and waits for its end.
    pub(crate) told: bool,
}

/// What Windows has in place for its next restart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Staged {
    pub(crate) target: Target,
    pub(crate) media: bool,
    pub(crate) committed: bool,
}

/// An upgrade between its restarts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Upgrade {
    pub(crate) target: Target,
    pub(crate) restarts_left: u32,
    pub(crate) rolls_back: bool,
}

/// Faults that wait for their moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Armed {
    pub(crate) rolls_back: bool,
    pub(crate) never_returns: bool,
    pub(crate) drain_fails: bool,
    pub(crate) worker_dies: bool,
    pub(crate) worker_fails: bool,
    pub(crate) worker_leaves_pending: bool,
    pub(crate) clean_up_leaves_pending: bool,
    /// When the registry values were lost.
    pub(crate) values_lost: Option<Timestamp>,
    pub(crate) forgets: bool,
    pub(crate) lost_answer: bool,
    pub(crate) delayed: bool,
    pub(crate) doubled: bool,
    pub(crate) dropped: bool,
    pub(crate) refuses_suspend: bool,
    /// Until when its own scripts hear nothing of its cluster.
    pub(crate) unanswered: Option<Timestamp>,
    /// After how many flushes of the next script the node crashes.
    pub(crate) crash_in_script: Option<u32>,
}

impl Node {
    pub(crate) fn boot_at(&self, now: Timestamp) -> Boot {
        Boot { id: self.boot.clone(), up: now.since(self.booted) }
    }

    /// Whether anything from outside reaches it.
    pub(crate) fn answers(&self, now: Timestamp) -> bool {
        self.on && self.unreachable.is_none_or(|until| until <= now)
    }

    /// Whether it serves: a member that is not paused.
    pub(crate) fn serves(&self) -> bool {
        self.joined && !self.paused
    }

    pub(crate) fn clock(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0.saturating_add(self.skew))
    }
}

/// The longest that a worker works: twice what was ever reported of a feature update.
pub(crate) const WORKER_DEADLINE: Millis = Millis::hours(4);
