//! The worker that downloads and stages an installation. It never restarts the node.

use super::rules::Rule;
use super::{Staged, Staging, WORKER_DEADLINE};
use crate::cluster::{Cluster, Event};
use crate::effect::{Cause, Did};
use drydock_model::desired::BitsSource;
use drydock_model::ids::{NodeName, Place};
use drydock_model::observed::{Worker, WorkerFailure, WorkerState};
use drydock_model::order::Work;
use drydock_model::time::Millis;
use std::cmp::Ordering;

/// Parts in which download and staging advance; before each the worker looks whether it may go on.
const PARTS: u8 = 5;
const PART: u8 = 100 / PARTS;

impl Cluster {
    pub(crate) fn unstage(&mut self, name: &NodeName) {
        let node = self.node(name);
        node.staged = None;
        node.setup.pending = false;
    }

    /// Starts a worker, or takes over the one of this attempt (rule 24).
    pub(crate) fn begins_install(&mut self, name: &NodeName, work: &Work, place: &Place, cause: &Cause) {
        let once = self.rules.on(Rule::InstallOnce);
        let now = self.now;
        let node = self.node(name);
        let vacate = node.memory.marker.as_ref().map(|m| m.vacate.clone());
        if let Some(worker) = &mut node.worker
            && once
            && worker.seen.target == work.target
            && worker.seen.attempt == work.attempt
        {
            worker.seen.place = place.clone();
            worker.vacate = vacate;
            return;
        }
        let media = match &work.source {
            BitsSource::WindowsUpdate => false,
            BitsSource::Media { .. } => true,
        };
        // A pending restart forbids an installation (Microsoft: IUpdateInstaller::Install, WU_E_INSTALL_NOT_ALLOWED; Windows upgrade error codes).
        let barred = node.setup.pending.then(|| {
            let code = if media { 0xC190_0107 } else { 0x8024_0016 };
            WorkerFailure { code, doing: "starting".to_owned() }
        });
        let number = node.worker.as_ref().map_or(0, |w| w.number) + 1;
        let state = match &barred {
            Some(why) => WorkerState::Failed(why.clone()),
            None if media => WorkerState::Staging(0),
            None => WorkerState::Downloading(0),
        };
        node.staged = None;
        node.setup.running = barred.is_none() && media;
        node.worker = Some(Staging {
            seen: Worker { place: place.clone(), target: work.target, attempt: work.attempt, state, alive: barred.is_none() },
            vacate,
            deadline: now + WORKER_DEADLINE,
            source: work.source.clone(),
            boot: node.boot.clone(),
            began_under: node.memory.fence.clone(),
            number,
            told: false,
        });
        self.did(name, Did::BeganInstall { target: work.target, attempt: work.attempt }, cause);
        if barred.is_none() {
            self.next_part(name, number);
        }
    }

    fn next_part(&mut self, name: &NodeName, number: u32) {
        let Some(worker) = &self.nodes[name].worker else { return };
        let whole = match (&worker.seen.state, &worker.source) {
            (WorkerState::Downloading(_), _) => self.durations.download,
            (_, BitsSource::WindowsUpdate) => self.durations.install,
            (_, BitsSource::Media { .. }) => self.durations.setup,
        };
        let wait = self.dice.about(Millis(whole.0 / u64::from(PARTS)));
        self.after(wait, Event::Worker { node: name.clone(), number });
    }

    /// One part is done.
    pub(crate) fn worker_goes_on(&mut self, name: &NodeName, number: u32) {
        let must_stop = self.must_stop(name);
        let now = self.now;
        let node = self.node(name);
        let Some(worker) = node.worker.as_mut().filter(|w| w.number == number && w.seen.alive) else { return };
        if std::mem::take(&mut node.armed.worker_dies) {
            worker.seen.alive = false;
            node.setup.running = false;
            return;
        }
        let failed = |code, doing: &str| WorkerState::Failed(WorkerFailure { code, doing: doing.to_owned() });
        let next = match worker.seen.state {
            _ if must_stop => WorkerState::Cancelled,
            _ if now > worker.deadline => failed(0x8007_05B4, "waiting"),
            // 0xC1900101: most often a driver (Microsoft: Windows upgrade error codes).
            _ if std::mem::take(&mut node.armed.worker_fails) => failed(0xC190_0101, "staging"),
            WorkerState::Downloading(done) if done + PART < 100 => WorkerState::Downloading(done + PART),
            WorkerState::Downloading(_) => WorkerState::Staging(0),
            WorkerState::Staging(done) if done + PART < 100 => WorkerState::Staging(done + PART),
            WorkerState::Staging(_) => WorkerState::Staged,
            WorkerState::Staged | WorkerState::Failed(_) | WorkerState::Cancelled => return,
        };
        worker.seen.state = next.clone();
        match next {
            WorkerState::Downloading(_) => {}
            WorkerState::Staging(_) => node.setup.running = true,
            WorkerState::Staged => {
                worker.seen.alive = false;
                node.staged =
                    Some(Staged { target: worker.seen.target, media: worker.source != BitsSource::WindowsUpdate, committed: false });
                node.setup.running = false;
                node.setup.pending = true;
                return;
            }
            WorkerState::Failed(_) => {
                worker.seen.alive = false;
                node.setup.running = false;
                // Whether a failed attempt leaves a pending restart differs from case to case.
                node.setup.pending = std::mem::take(&mut node.armed.worker_leaves_pending);
                return;
            }
            WorkerState::Cancelled => {
                worker.seen.alive = false;
                node.setup.running = false;
                node.setup.pending = std::mem::take(&mut node.armed.clean_up_leaves_pending);
                return;
            }
        }
        self.next_part(name, number);
    }

    /// The worker's look before each part (rule 25).
    fn must_stop(&self, name: &NodeName) -> bool {
        let node = &self.nodes[name];
        let Some(worker) = &node.worker else { return false };
        let after = |place: Option<&Place>| place.is_some_and(|p| p.compare(&worker.seen.place) == Some(Ordering::Greater));
        let cancelled = after(node.memory.cancelled.as_ref());
        let newer = after(node.memory.consumed.as_ref().map(|c| &c.place));
        let foreign = node.memory.marker.as_ref().map(|m| &m.vacate) != worker.vacate.as_ref();
        let fenced = node.memory.fence != worker.began_under && after(node.memory.fence.as_ref());
        worker.told
            || (cancelled && self.rules.on(Rule::HeedsCancel))
            || (newer && self.rules.on(Rule::HeedsNewer))
            || (foreign && self.rules.on(Rule::HeedsMarker))
            || (fenced && !self.rules.on(Rule::WorksOnUnderFence))
    }

    /// A Return is refused while a worker lives, and ends it: the next send of it is then admitted (rule 19).
    pub(crate) fn tell_worker(&mut self, name: &NodeName) {
        if let Some(worker) = &mut self.node(name).worker {
            worker.told = true;
        }
    }

    /// A Cancel also takes away what was staged and not committed. A worker that is at work stops by itself.
    pub(crate) fn clean_up_if_cancelled(&mut self, name: &NodeName) {
        let node = &self.nodes[name];
        let (Some(worker), Some(cancelled)) = (&node.worker, &node.memory.cancelled) else { return };
        if cancelled.compare(&worker.seen.place) == Some(Ordering::Greater) {
            self.clean_up(name);
        }
    }

    /// Takes away what was staged and not committed, so that no later restart goes on with it. That Windows lets itself be cleaned like this is assumed,
    /// not documented.
    pub(crate) fn clean_up(&mut self, name: &NodeName) {
        let node = self.node(name);
        let Some(worker) = &mut node.worker else { return };
        let committed = node.memory.commit.as_ref().is_some_and(|c| c.target == worker.seen.target && c.attempt == worker.seen.attempt);
        if !committed && worker.seen.state == WorkerState::Staged && node.staged.take().is_some() {
            worker.seen.state = WorkerState::Cancelled;
            // Believed: that a failed attempt leaves a pending restart which bars the next one is told by public notes on unattended in-place upgrades; of one
            // that was taken back nobody tells. So it goes, and by a fault it stays.
            node.setup.pending = std::mem::take(&mut node.armed.clean_up_leaves_pending);
        }
    }
}
