//! Going down, starting, and the restarts of an upgrade.

use super::rules::Rule;
use super::{Maintenance, Upgrade};
use crate::cluster::{Cluster, Event, name as token};
use crate::effect::{Cause, Did};
use crate::fault::Fault;
use drydock_model::desired::{Build, Target, Version};
use drydock_model::ids::NodeName;
use drydock_model::observed::{ClusterService, DrainStatus, Memory, Setup, WorkerFailure, WorkerState};
use drydock_model::time::Millis;

/// What happened so shortly before an order was accepted may be missing from every look it was planned on.
const UNSEEN: Millis = Millis::minutes(4);

impl Cluster {
    /// The node goes down: in good order, or not.
    pub(crate) fn goes_down(&mut self, name: &NodeName, in_order: bool, cause: &Cause) {
        if !self.nodes[name].on {
            return;
        }
        let between = self.nodes[name].upgrade.is_some();
        if !between {
            self.did(name, Did::WentDown, cause);
            self.what_follows_the_restart(name);
        }
        if in_order {
            self.leaves_in_order(name);
        }
        let node = self.node(name);
        node.on = false;
        node.power += 1;
        node.joined = false;
        node.impaired = false;
        node.script = None;
        node.task = None;
        node.setup.running = false;
        if node.service == ClusterService::Running {
            node.service = ClusterService::Stopped;
        }
        if let Some(worker) = &mut node.worker {
            worker.seen.alive = false;
        }
        if node.drain == DrainStatus::InProgress {
            node.drain = DrainStatus::Failed;
        }
        let stays_down = std::mem::take(&mut node.armed.never_returns);
        let upgrading = node.upgrade.is_some();
        self.changed(cause);
        if !stays_down {
            let usual = if upgrading { self.durations.upgrade_reboot } else { self.durations.reboot };
            let wait = self.dice.about(usual);
            self.starts_after(name, wait, cause);
        }
    }

    /// Somebody or something switches it on.
    pub(crate) fn starts_after(&mut self, name: &NodeName, wait: Millis, cause: &Cause) {
        let power = self.nodes[name].power;
        self.after(wait, Event::PowerOn { node: name.clone(), power, cause: cause.clone() });
    }

    /// What Windows will do with what is staged, at the restart that begins now.
    fn what_follows_the_restart(&mut self, name: &NodeName) {
        let interrupted = self.nodes[name].script.is_some() && self.nodes[name].staged.as_ref().is_some_and(|s| !s.committed);
        let committing = interrupted && self.nodes[name].memory.commit.as_ref().is_some_and(|c| c.boot == self.nodes[name].boot);
        let Some(staged) = self.nodes[name].staged.clone() else { return };
        let goes_on = if staged.committed {
            true
        } else if committing {
            // It went down in the middle of a commit: how far that came nobody can say.
            self.dice.one_in(2)
        } else if staged.media {
            // Setup's /noreboot holds back the first restart only (Microsoft: Windows Setup command-line options); whether another one goes on with the
            // upgrade is not said.
            self.dice.one_in(2)
        } else {
            false
        };
        let forgotten = !goes_on && self.dice.one_in(2);
        // Two or three restarts: a feature upgrade needs several, how many differs.
        let restarts_left = 1 + u32::try_from(self.dice.below(2)).unwrap_or(0);
        let node = self.node(name);
        if goes_on {
            let rolls_back = std::mem::take(&mut node.armed.rolls_back);
            node.upgrade = Some(Upgrade { target: staged.target, restarts_left, rolls_back });
            node.staged = None;
        } else if forgotten || committing {
            // An update that was not committed before a restart is found on the old build, with this code (a public project's notes on unattended
            // in-place upgrades); whether a later commit would still do is not documented.
            node.staged = None;
            node.setup.pending = false;
            if let Some(worker) = &mut node.worker {
                worker.seen.state = WorkerState::Failed(WorkerFailure { code: 0x8024_2014, doing: "restarting".to_owned() });
            }
        }
    }

    pub(crate) fn powers_on(&mut self, name: &NodeName, cause: &Cause) {
        let boot = token(&self.dice.token());
        let now = self.now;
        let between = self.nodes[name].upgrade.as_ref().is_some_and(|u| u.restarts_left > 0);
        // Between its restarts an upgrading node may answer for a while.
        let shows = !between || self.dice.one_in(3);
        let resumes_work = !self.rules.on(Rule::ReportsAfterBoot);
        let node = self.node(name);
        node.on = shows;
        node.power += 1;
        node.boot = boot;
        node.booted = now;
        node.effective = node.registry.clone();
        let power = node.power;
        if let Some(upgrade) = node.upgrade.as_mut().filter(|u| u.restarts_left > 0) {
            upgrade.restarts_left -= 1;
            node.setup = Setup { running: true, pending: true };
            let wait = self.dice.about(self.durations.upgrade_reboot);
            let event = if shows {
                Event::GoDown { node: name.clone(), power, cause: cause.clone() }
            } else {
                Event::PowerOn { node: name.clone(), power, cause: cause.clone() }
            };
            return self.after(wait, event);
        }
        match node.upgrade.take() {
            Some(upgrade) => self.upgrade_ends(name, &upgrade, cause),
            // A restart is what a pending one waited for, unless something is still staged.
            None => node.setup = Setup { running: false, pending: node.staged.is_some() },
        }
        let node = self.node(name);
        if let Some(worker) = &mut node.worker
            && resumes_work
            && !worker.seen.state.ended()
        {
            worker.seen.alive = true;
            let number = worker.number;
            self.after(self.durations.service, Event::Worker { node: name.clone(), number });
        }
        if self.nodes[name].service != ClusterService::Disabled {
            let wait = self.dice.about(self.durations.service);
            self.after(wait, Event::ServiceStarts { node: name.clone(), power });
        }
    }

    fn upgrade_ends(&mut self, name: &NodeName, upgrade: &Upgrade, cause: &Cause) {
        // Explicitly asked for, in effect, before any node is upgraded; otherwise ReFS volumes may not come online
        // (Microsoft: Upgrade Azure Stack HCI OS, version 22H2 to version 23H2 via PowerShell).
        let refs = self.nodes[name].effective.refs_enable_metadata_validation == Some(0) || !self.dice.one_in(2);
        // A pause is documented to survive a restart (Microsoft: PauseClusterNode function); nothing says so of an upgrade.
        let pause_lost = !upgrade.rolls_back && self.dice.one_in(8);
        let node = self.node(name);
        let from = node.build;
        node.setup = Setup::default();
        if upgrade.rolls_back {
            return self.did(name, Did::RolledBack { build: from }, cause);
        }
        let to = landing(upgrade.target);
        node.build = to;
        if std::mem::take(&mut node.armed.forgets) {
            node.memory = Memory::default();
            node.worker = None;
        }
        if pause_lost && node.paused {
            node.paused = false;
            node.pause += 1;
            node.drain = DrainStatus::NotInitiated;
            node.drives = Maintenance::Out;
        }
        self.did(name, Did::ChangedBuild { from, to }, cause);
        if !refs {
            self.storage.refs_offline = true;
            // Values that were lost after the order, or too shortly before it for anybody to have seen, are not the order's doing.
            let lost = self.nodes[name].armed.values_lost;
            match cause {
                Cause::Order { accepted, .. } if lost.is_some_and(|lost| lost > *accepted - UNSEEN) => {
                    self.changed(&Cause::Fault(Fault::RegistryLost));
                }
                Cause::Order { .. } | Cause::Fault(_) | Cause::Windows => self.changed(cause),
            }
        }
    }

    pub(crate) fn service_starts(&mut self, name: &NodeName) {
        let node = self.node(name);
        node.service = ClusterService::Running;
        let power = node.power;
        let wait = self.dice.about(self.durations.join);
        self.after(wait, Event::Joins { node: name.clone(), power });
    }

    pub(crate) fn joins(&mut self, name: &NodeName) {
        self.node(name).joined = true;
        self.changed(&Cause::Windows);
    }
}

/// The build on which an upgrade ends: that of release 2506 (Microsoft: Azure Local release information), or the one asked for.
fn landing(target: Target) -> Build {
    let usual = match target.version {
        Version::V22H2 => 3_692,
        Version::V23H2 => 1_665,
        Version::V24H2 => 4_349,
    };
    Build { family: target.version.family(), revision: usual.max(target.revision) }
}
