//! Clustered roles: drain, failover, failback.

use super::{Cluster, Event};
use crate::effect::Cause;
use crate::node::Maintenance;
use drydock_model::desired::{FailbackMode, Version};
use drydock_model::ids::NodeName;
use drydock_model::observed::{DrainStatus, Phase, Room};

/// One virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Role {
    pub(crate) mib: u64,
    /// Where it was when the cluster was built, and goes back to.
    pub(crate) home: NodeName,
    /// Where it runs.
    pub(crate) on: Option<NodeName>,
}

impl Cluster {
    pub(crate) fn roles_on(&self, node: &NodeName) -> u32 {
        u32::try_from(self.roles.iter().filter(|r| r.on.as_ref() == Some(node)).count()).unwrap_or(u32::MAX)
    }

    pub(crate) fn room(&self, node: &NodeName) -> Room {
        let roles_mib: Vec<u64> = self.roles.iter().filter(|r| r.on.as_ref() == Some(node)).map(|r| r.mib).collect();
        Room { free_mib: self.node_mib.saturating_sub(roles_mib.iter().sum()), roles_mib }
    }

    /// The serving node with the most room, if a role fits there. Groups cannot be moved to a paused node (Microsoft: PauseClusterNode function).
    fn place_for(&self, mib: u64, not: &NodeName) -> Option<NodeName> {
        let serving = self.nodes.iter().filter(|(name, n)| *name != not && n.serves());
        serving.map(|(name, _)| (self.room(name).free_mib, name)).filter(|(free, _)| *free >= mib).max().map(|(_, name)| name.clone())
    }

    /// `Suspend-ClusterNode -Drain`: the state is Paused at once, the drain goes on (Microsoft: Suspend-ClusterNode; ClusterNode.DrainStatus).
    pub(crate) fn begin_drain(&mut self, name: &NodeName, cause: &Cause) {
        let node = self.node(name);
        node.paused = true;
        node.pause += 1;
        node.drain = DrainStatus::InProgress;
        let pause = node.pause;
        let wait = self.dice.about(self.durations.drain);
        self.after(wait, Event::Drain { node: name.clone(), pause, cause: cause.clone() });
        self.changed(cause);
    }

    /// One role after the other moves away.
    pub(crate) fn drain_on(&mut self, name: &NodeName, cause: &Cause) {
        if !self.nodes[name].joined || self.nodes[name].drain != DrainStatus::InProgress {
            return;
        }
        if std::mem::take(&mut self.node(name).armed.drain_fails) {
            return self.drain_ends(name, DrainStatus::Failed, cause);
        }
        let Some(role) = self.roles.iter().position(|r| r.on.as_ref() == Some(name)) else {
            return self.drain_ends(name, DrainStatus::Completed, cause);
        };
        let pause = self.nodes[name].pause;
        if self.migrations_hang(name) {
            // The drain does not complete and does not fail (Azure Local Supportability: Known issue - live migrations may fail).
            return;
        }
        // A drain that cannot place a role fails (Microsoft: failover clustering system events, 1677).
        let Some(to) = self.place_for(self.roles[role].mib, name) else { return self.drain_ends(name, DrainStatus::Failed, cause) };
        self.roles[role].on = Some(to);
        let wait = self.dice.about(self.durations.migrate);
        self.after(wait, Event::Drain { node: name.clone(), pause, cause: cause.clone() });
    }

    fn drain_ends(&mut self, name: &NodeName, how: DrainStatus, cause: &Cause) {
        self.node(name).drain = how;
        // The script that began the drain has watched it to its end.
        if let Cause::Order { entry, .. } = cause
            && let Some(consumed) = &mut self.node(name).memory.consumed
            && consumed.place == entry.place
        {
            consumed.phase = Phase::Ended;
        }
        // Pause and drain put the node's disks in storage maintenance mode (Microsoft: Failover cluster maintenance procedures, 21H2 and later).
        // Whether a failed drain does is not documented.
        if how == DrainStatus::Completed || self.dice.one_in(2) {
            self.node(name).drives = Maintenance::In;
        }
        self.changed(cause);
    }

    /// In mixed mode of 22H2 and 23H2, virtual machines with dynamic memory do not migrate unless `SkipSmallLocalAllocations` is 0 and in effect on the
    /// 22H2 node (Azure Local Supportability: Known issue - live migrations may fail). Whether there are such machines is drawn.
    fn migrations_hang(&mut self, name: &NodeName) -> bool {
        let node = &self.nodes[name];
        let old = node.build.family == Version::V22H2.family();
        let mixed = self.nodes.values().any(|n| n.build.family == Version::V23H2.family());
        old && mixed && node.effective.skip_small_local_allocations != Some(0) && self.dice.one_in(2)
    }

    /// `Resume-ClusterNode`: ends maintenance mode and brings roles back as asked (Microsoft: Resume-ClusterNode; Failover cluster maintenance procedures).
    pub(crate) fn resume(&mut self, name: &NodeName, failback: FailbackMode, cause: &Cause) {
        let node = self.node(name);
        node.paused = false;
        node.persons = false;
        node.pause += 1;
        node.drain = DrainStatus::NotInitiated;
        let pause = node.pause;
        if node.drives == Maintenance::In {
            node.drives = Maintenance::Leaving;
        }
        if node.drives == Maintenance::Leaving {
            let wait = self.dice.about(self.durations.leave_maintenance);
            self.after(wait, Event::MaintenanceEnds { node: name.clone(), pause });
        }
        match failback {
            FailbackMode::NoFailback => {}
            // What each group's own policy says is not modelled: roles have none here, so both bring them back.
            FailbackMode::Immediate | FailbackMode::Policy => {
                let wait = self.dice.about(self.durations.migrate);
                self.after(wait, Event::Failback { node: name.clone(), pause });
            }
        }
        self.changed(cause);
    }

    pub(crate) fn maintenance_ends(&mut self, name: &NodeName) {
        if self.nodes[name].drives == Maintenance::Leaving {
            self.node(name).drives = Maintenance::Out;
            self.changed(&Cause::Windows);
        }
    }

    pub(crate) fn fail_back(&mut self, name: &NodeName) {
        if !self.nodes[name].serves() {
            return;
        }
        let Some(role) = self.roles.iter().position(|r| r.home == *name && r.on.as_ref() != Some(name)) else { return };
        if self.room(name).free_mib < self.roles[role].mib {
            return;
        }
        self.roles[role].on = Some(name.clone());
        let pause = self.nodes[name].pause;
        let wait = self.dice.about(self.durations.migrate);
        self.after(wait, Event::Failback { node: name.clone(), pause });
    }

    /// A role that is shut down moves whatever stands against its live migration.
    pub(crate) fn move_roles(&mut self, name: &NodeName) {
        for i in 0..self.roles.len() {
            if self.roles[i].on.as_ref() == Some(name)
                && let Some(to) = self.place_for(self.roles[i].mib, name)
            {
                self.roles[i].on = Some(to);
            }
        }
    }

    /// Roles of a member that is gone start elsewhere, where there is room; roles that have no place wait for one.
    pub(crate) fn place_roles(&mut self) {
        for i in 0..self.roles.len() {
            let lost = match &self.roles[i].on {
                Some(node) => !self.nodes[node].joined || !self.formed,
                None => true,
            };
            if lost {
                let from = self.roles[i].on.take().unwrap_or_else(|| self.roles[i].home.clone());
                if self.formed {
                    let home = self.nodes[&from].serves() && self.room(&from).free_mib >= self.roles[i].mib;
                    self.roles[i].on = if home { Some(from) } else { self.place_for(self.roles[i].mib, &from) };
                }
            }
        }
    }
}
