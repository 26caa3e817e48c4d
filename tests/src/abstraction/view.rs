//! What is seen of the abstract cluster: with open eyes as it is, with closed ones as a planner without guards would have it.

use super::{Model, NODES, NOON, World, build, name};
use crate::sim::node;
use drydock_model::fact::{Fact, Gap};
use drydock_model::observed::{
    Boot, Capacity, ClusterFacts, ClusterService, DiskState, DrainStatus, Drives, Job, JobState, Level, Member, MemberState, NodeFacts,
    Observed, Preconditions, RegistryFacts, Room, Setup, Storage, View, Witness,
};
use drydock_model::time::{Millis, Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

impl Model {
    pub(super) fn observed(&self, w: &World, now: Timestamp, open_eyes: bool) -> Observed {
        let span = Span::at(now);
        let facts = (0..NODES).map(|i| (node(i + 1), self.facts(w, i, span, open_eyes))).collect();
        let up: Vec<usize> = (0..NODES).filter(|i| w.nodes[*i].on || !open_eyes).collect();
        let quorate = up.len() * 2 > NODES;
        let cluster = if quorate {
            let room = || Room { free_mib: 1 << 20, roles_mib: Vec::new() };
            let lost: BTreeSet<_> = if (up.len() - 1) * 2 <= NODES { up.iter().map(|i| node(i + 1)).collect() } else { BTreeSet::new() };
            ClusterFacts {
                through: up.first().map(|i| node(i + 1)),
                storage: known(self.storage(w, open_eyes), span),
                capacity: known(Capacity { nodes: (0..NODES).map(|i| (node(i + 1), room())).collect() }, span),
                level: known(Level { functional: 11, upgrade: 32_773 }, span),
                would_lose_quorum: known(lost, span),
                preconditions: known(Preconditions { solution: false, self_updating: false, sites: 1 }, span),
            }
        } else {
            ClusterFacts::unknown(&Gap::ClusterServiceStopped)
        };
        Observed { nodes: facts, cluster, span }
    }

    fn facts(&self, w: &World, i: usize, span: Span, open_eyes: bool) -> NodeFacts {
        let n = &w.nodes[i];
        if !n.on && (open_eyes || self.is_out(w, i)) {
            return NodeFacts::unknown(&Gap::Unreachable);
        }
        let mut memory = n.memory.clone();
        if !open_eyes && memory.fence.as_ref().is_none_or(|f| f.compare(&w.ledger.claim()).is_none_or(std::cmp::Ordering::is_lt)) {
            memory.fence = Some(w.ledger.claim());
        }
        let right = Some(0).filter(|_| n.registry);
        let quorate = w.nodes.iter().filter(|n| n.on).count() * 2 > NODES || !open_eyes;
        NodeFacts {
            id: known(self.id(i, n.machine), span),
            boot: known(Boot { id: self.boot.clone(), up: Millis::hours(1) }, span),
            clock: known(span.from, span),
            build: known(build(n), span),
            memory: known(memory, span),
            registry: known(RegistryFacts { refs_enable_metadata_validation: right, skip_small_local_allocations: right }, span),
            worker: known(n.worker.clone(), span),
            setup: known(Setup { running: false, pending: n.pending }, span),
            service: known(if quorate { ClusterService::Running } else { ClusterService::Stopped }, span),
            view: if quorate { known(self.members(w, open_eyes), span) } else { Fact::Unknown(Gap::ClusterServiceStopped) },
            disk_free: known(100 << 30, span),
        }
    }

    fn is_out(&self, w: &World, i: usize) -> bool {
        w.ledger.out.as_ref().is_some_and(|out| out.node.name == node(i + 1))
    }

    pub(super) fn members(&self, w: &World, open_eyes: bool) -> View {
        let on = w.nodes.iter().filter(|n| n.on).count();
        let members: BTreeMap<_, _> = (0..NODES)
            .map(|i| {
                let n = &w.nodes[i];
                let state = match (n.on, n.paused) {
                    _ if !open_eyes && !self.is_out(w, i) => MemberState::Up,
                    (true, false) => MemberState::Up,
                    (true, true) => MemberState::Paused,
                    (false, _) => MemberState::Down,
                };
                let drain = if n.paused { DrainStatus::Completed } else { DrainStatus::NotInitiated };
                (node(i + 1), Member { state, drain, impaired: false, vote: n.on || !open_eyes, roles: 0 })
            })
            .collect();
        View { cluster: name("cluster"), members, witness: Witness::Online { vote: on.is_multiple_of(2) } }
    }

    pub(super) fn storage(&self, w: &World, open_eyes: bool) -> Storage {
        let away = w.nodes.iter().any(|n| !n.on || n.paused);
        let disk = match (w.stale && open_eyes, away) {
            (false, _) => DiskState::Healthy,
            (true, true) => DiskState::Incomplete,
            (true, false) => DiskState::Repairing,
        };
        let jobs = match disk {
            DiskState::Repairing => vec![Job { name: "Repair".to_owned(), state: JobState::Running, percent: 50 }],
            DiskState::Healthy
            | DiskState::Incomplete
            | DiskState::Degraded
            | DiskState::NoRedundancy
            | DiskState::Detached
            | DiskState::Other => Vec::new(),
        };
        let drives = (0..NODES)
            .map(|i| {
                let n = &w.nodes[i];
                let (good, maintenance) = match (n.on, n.paused) {
                    _ if !open_eyes => (4, 0),
                    (true, false) => (4, 0),
                    (_, true) => (0, 4),
                    (false, false) => (0, 0),
                };
                (node(i + 1), Drives { total: 4, good, maintenance })
            })
            .collect();
        let pool_healthy = !open_eyes || w.nodes.iter().all(|n| n.on);
        Storage { disks: BTreeMap::from([("Volume01".to_owned(), disk)]), jobs, drives, pool_healthy }
    }
}

fn known<T>(value: T, seen: Span) -> Fact<T> {
    debug_assert!(seen.from >= NOON);
    Fact::Known { value, seen }
}
