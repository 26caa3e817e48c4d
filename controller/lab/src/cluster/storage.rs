//! Mirrored storage over the nodes' drives (Microsoft: Failover cluster maintenance procedures; Storage Spaces health and operational states).

use super::{Cluster, Event};
use crate::config::ClusterConfig;
use crate::effect::Cause;
use crate::node::Maintenance;
use crate::truth::What;
use drydock_model::ids::NodeName;
use drydock_model::observed::{DiskState, Drives, Job, JobState, Storage};
use drydock_model::time::{Millis, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The clustered storage.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct StorageTruth {
    disks: Vec<String>,
    drives: u32,
    /// Nodes whose data may be missing at a time: one for a two-way mirror over two nodes, two for a three-way mirror
    /// (Microsoft: Fault tolerance and storage efficiency).
    tolerates: usize,
    /// Nodes whose copies are out of date, and since when.
    stale: BTreeMap<NodeName, Timestamp>,
    repair: Repair,
    /// Rises with each repair that begins or stops.
    number: u32,
    /// A fault: repairs do not come to an end.
    pub(crate) stalled: bool,
    /// Whether jobs are listed as Suspended while a node is away; not documented, drawn for each absence.
    lists_suspended: bool,
    /// Whether missing copies read Degraded and not Incomplete; both are documented for a node that is away.
    reads_degraded: bool,
    /// The ReFS volumes did not come online after an upgrade.
    pub(crate) refs_offline: bool,
    /// Data was out of reach at the last look.
    unavailable: bool,
    /// The nodes that lacked data at the last look.
    thin: BTreeSet<NodeName>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Repair {
    None,
    /// Copies are out of date, and nothing shows it yet.
    Lull,
    Running {
        began: Timestamp,
        lasts: Millis,
    },
}

impl StorageTruth {
    pub(crate) fn new(config: &ClusterConfig) -> StorageTruth {
        StorageTruth {
            disks: config.disks.clone(),
            drives: config.drives,
            tolerates: if config.nodes.len() > 2 { 2 } else { 1 },
            stale: BTreeMap::new(),
            repair: Repair::None,
            number: 0,
            stalled: false,
            lists_suspended: false,
            reads_degraded: false,
            refs_offline: false,
            unavailable: false,
            thin: BTreeSet::new(),
        }
    }
}

impl Cluster {
    /// Whether a node's drives serve.
    fn drives_serve(&self, name: &NodeName) -> bool {
        let node = &self.nodes[name];
        node.joined && node.drives == Maintenance::Out
    }

    /// Nodes of which some data is missing or out of date.
    fn lacking(&self) -> BTreeSet<NodeName> {
        let lacks = |(name, n): &(&NodeName, &crate::node::Node)| {
            !self.drives_serve(name) || n.failed_drives > 0 || self.storage.stale.contains_key(*name)
        };
        self.nodes.iter().filter(lacks).map(|(name, _)| name.clone()).collect()
    }

    /// The pool needs half of its drives and one more, and counts the witness' side as the one more; its votes do not follow nodes that leave
    /// (Microsoft: Understanding cluster and pool quorum).
    fn pool_quorum(&self) -> bool {
        let (all, here) = self.nodes.values().fold((0, 0), |(all, here), n| {
            let good = if n.joined { self.storage.drives.saturating_sub(n.failed_drives) } else { 0 };
            (all + self.storage.drives, here + good)
        });
        here * 2 > all || (here * 2 == all && self.witness.serves())
    }

    pub(crate) fn bring_online(&mut self) {
        self.storage.refs_offline = false;
        self.changed(&Cause::Windows);
    }

    /// What follows for storage from a change.
    pub(crate) fn look_at_storage(&mut self, cause: &Cause) {
        let mut lacking = self.lacking();
        let writes = self.formed && self.pool_quorum() && lacking.len() <= self.storage.tolerates;
        if writes {
            for name in &lacking {
                if !self.storage.stale.contains_key(name) {
                    self.storage.stale.insert(name.clone(), self.now);
                    self.storage.lists_suspended = self.dice.one_in(2);
                    self.storage.reads_degraded = self.dice.one_in(2);
                }
            }
            lacking = self.lacking();
        }
        let unavailable = !writes || self.storage.refs_offline;
        if unavailable && !self.storage.unavailable {
            self.catastrophe(What::DataUnavailable { lacking: lacking.clone() }, cause);
        }
        self.storage.unavailable = unavailable;
        if lacking.len() > 1 && lacking.len() > self.storage.thin.len() {
            self.catastrophe(What::TwoLack { lacking: lacking.clone() }, cause);
        }
        self.storage.thin = lacking;
        self.look_at_repair();
    }

    /// Repair runs over copies that are out of date on drives that serve, while no drives are away: it begins after the node was resumed
    /// (Microsoft: Failover cluster maintenance procedures).
    fn look_at_repair(&mut self) {
        let away = self.nodes.keys().any(|n| !self.drives_serve(n));
        let wanted = !self.storage.stale.is_empty() && !away && !self.storage.unavailable;
        match (wanted, self.storage.repair) {
            (true, Repair::None) => {
                self.storage.number += 1;
                let number = self.storage.number;
                // Whether anything shows between the end of maintenance mode and the first job is not documented.
                let wait = if self.dice.one_in(4) { Millis(self.dice.below(self.durations.lull.0 + 1)) } else { Millis::ZERO };
                self.storage.repair = Repair::Lull;
                if wait == Millis::ZERO { self.lull_ends(number) } else { self.after(wait, Event::LullEnds { number }) }
            }
            (false, Repair::Lull | Repair::Running { .. }) => {
                self.storage.number += 1;
                self.storage.repair = Repair::None;
            }
            (true, Repair::Lull | Repair::Running { .. }) | (false, Repair::None) => {}
        }
    }

    pub(crate) fn lull_ends(&mut self, number: u32) {
        if self.storage.number != number {
            return;
        }
        // Depends on the length of the pause and on what was written meanwhile (Microsoft: Failover cluster maintenance procedures).
        let away = self.storage.stale.values().map(|since| self.now.since(*since).0).max().unwrap_or(0);
        let usual = Millis((self.durations.repair.0 + away / 4).min(self.durations.repair_most.0));
        let lasts = self.dice.about(usual);
        self.storage.repair = Repair::Running { began: self.now, lasts };
        self.after(lasts, Event::Repaired { number });
    }

    pub(crate) fn repaired(&mut self, number: u32) {
        if self.storage.number != number || self.storage.stalled {
            return;
        }
        // A failed drive's data is rebuilt on the drives that are left.
        self.storage.number += 1;
        self.storage.stale.clear();
        self.storage.repair = Repair::None;
        for node in self.nodes.values_mut() {
            node.failed_drives = 0;
        }
        self.changed(&Cause::Windows);
    }

    /// The fault is over: what stood still goes on.
    pub(crate) fn repair_goes_on(&mut self) {
        self.storage.stalled = false;
        if let Repair::Running { .. } = self.storage.repair {
            let number = self.storage.number;
            let wait = self.dice.about(self.durations.repair);
            self.after(wait, Event::Repaired { number });
        }
    }

    /// Whether any copy is out of date.
    pub(crate) fn copies_lag(&self) -> bool {
        !self.storage.stale.is_empty()
    }

    /// Since when a node's copies are out of date.
    pub(crate) fn copies_lag_since(&self, name: &NodeName) -> Option<Timestamp> {
        self.storage.stale.get(name).copied()
    }

    /// Whether the platform itself refuses to pause a node: unhealthy volumes forbid it, with error 5987 (Microsoft: Failover cluster
    /// maintenance procedures; Invoke-CauRun).
    pub(crate) fn degraded(&self) -> bool {
        self.storage_facts().disks.values().any(|d| *d != DiskState::Healthy)
    }

    /// The storage as `Get-VirtualDisk`, `Get-StorageJob` and `Get-PhysicalDisk` tell it.
    pub(crate) fn storage_facts(&self) -> Storage {
        let s = &self.storage;
        let away = self.nodes.keys().any(|n| !self.drives_serve(n));
        let state = match s.repair {
            _ if s.unavailable => DiskState::Detached,
            Repair::Running { .. } => DiskState::Repairing,
            // Incomplete: missing drives hold current data; Degraded: outdated copies. Both are normal while a node is away.
            Repair::None if s.stale.is_empty() => DiskState::Healthy,
            Repair::None if s.reads_degraded => DiskState::Degraded,
            Repair::None => DiskState::Incomplete,
            Repair::Lull if self.nodes.values().any(|n| n.failed_drives > 0) => DiskState::Degraded,
            Repair::Lull => DiskState::Healthy,
        };
        let job = |state, percent| s.disks.iter().map(|disk| Job { name: format!("{disk}-Repair"), state, percent }).collect();
        let jobs = match s.repair {
            Repair::Running { began, lasts } => {
                let percent = self.now.since(began).0.saturating_mul(100) / lasts.0.max(1);
                job(JobState::Running, u8::try_from(percent.min(99)).unwrap_or(99))
            }
            Repair::None if away && s.lists_suspended && !s.stale.is_empty() => job(JobState::Suspended, 0),
            Repair::None | Repair::Lull => Vec::new(),
        };
        let drives = self
            .nodes
            .iter()
            .map(|(name, node)| {
                let total = s.drives;
                let maintenance = if node.drives == Maintenance::Out { 0 } else { total };
                let good = if self.drives_serve(name) { total.saturating_sub(node.failed_drives) } else { 0 };
                (name.clone(), Drives { total, good, maintenance })
            })
            .collect();
        // A pool with missing or failed drives reads Warning, Degraded (Microsoft: Storage Spaces health and operational states).
        let pool_healthy = self.pool_quorum() && self.nodes.values().all(|n| n.joined && n.failed_drives == 0);
        Storage { disks: s.disks.iter().map(|d| (d.clone(), state)).collect(), jobs, drives, pool_healthy }
    }
}
