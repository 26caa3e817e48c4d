//! What a node does with an order: the script of each step, with what it flushes before each act.

use super::RestartTask;
use super::admit::{LocalView, State, admit, still};
use super::rules::Rule;
use crate::cluster::{Cluster, Event};
use crate::effect::{Cause, Did};
use drydock_engine::ports::PerformError;
use drydock_model::ids::{NodeName, Place};
use drydock_model::observed::{Commit, CommitPhase, Hindrance, Marker, MarkerState, MemberState, Phase, View};
use drydock_model::order::{Order, Receipt, Unmet, Work};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use std::cmp::Ordering;

/// The node went down in the middle of a script.
pub(crate) struct Crashed;

/// How long a script takes from its answer to the restart that it asked for.
const SHUTDOWN: Millis = Millis::seconds(5);

/// How long the script of a Restart takes to find what is staged.
const BEGINS: Millis = Millis::seconds(10);

/// How long after its acceptance a Restart may begin its commit; how long what was committed waits for the quorum to bear its restart; how often it asks.
const COMMIT_LIMIT: Millis = Millis::minutes(15);
const QUORUM_WAIT: Millis = Millis::minutes(10);
const LOOK: Millis = Millis::seconds(10);

impl Cluster {
    /// An order comes from a controller, over a connection that may fail it.
    pub(crate) fn receives(&mut self, order: &Order) -> Result<Receipt, PerformError> {
        let name = &order.node.name;
        let now = self.now;
        let Some(node) = self.nodes.get_mut(name) else {
            return Err(PerformError::NotSent(format!("there is no {name} here")));
        };
        if !node.answers(now) {
            return Err(PerformError::NotSent(format!("{name} does not answer")));
        }
        if std::mem::take(&mut node.armed.dropped) {
            return Err(PerformError::Unknown("no answer in time".to_owned()));
        }
        if std::mem::take(&mut node.armed.delayed) {
            let wait = Millis(self.dice.below(self.durations.late.0));
            self.after(wait, Event::Late(Box::new(order.clone())));
            return Err(PerformError::Unknown("no answer in time".to_owned()));
        }
        if std::mem::take(&mut node.armed.doubled) {
            let wait = Millis(self.dice.below(self.durations.late.0));
            self.after(wait, Event::Late(Box::new(order.clone())));
        }
        let lost = std::mem::take(&mut self.node(name).armed.lost_answer);
        match self.hears(order) {
            Ok(_) if lost => Err(PerformError::Unknown("the answer was lost".to_owned())),
            Ok(receipt) => Ok(receipt),
            Err(Crashed) => Err(PerformError::Unknown("the connection broke".to_owned())),
        }
    }

    /// An order comes that lay about; nobody waits for its answer any more.
    pub(crate) fn arrives_late(&mut self, order: &Order) {
        if self.nodes.get(&order.node.name).is_some_and(|n| n.answers(self.now)) {
            // Only the node's memory says what became of it.
            let (Ok(_) | Err(Crashed)) = self.hears(order);
        }
    }

    fn hears(&mut self, order: &Order) -> Result<Receipt, Crashed> {
        let name = &order.node.name;
        let view = self.heard_view(name);
        let storage = self.storage_facts();
        let would_lose_quorum = self.would_lose_quorum(name);
        let local = view.as_ref().map(|view| LocalView { view, storage: &storage, would_lose_quorum });
        let node = &self.nodes[name];
        let boot = node.boot_at(self.now);
        let state = State {
            id: &node.id,
            boot: &boot,
            build: node.build,
            setup: node.setup,
            worker: node.worker.as_ref().map(|w| &w.seen),
            busy: node.script.is_some(),
        };
        let admission = match admit(&self.rules, &node.memory, state, local, order) {
            Ok(admission) => admission,
            Err(receipt) => {
                if order.step_of() == Some(Step::Return) {
                    if receipt == Receipt::Refused(Unmet::OtherWorker) {
                        self.tell_worker(name);
                    } else if receipt == Receipt::Refused(Unmet::Busy) {
                        self.tell_restart(name);
                    }
                }
                return Ok(receipt);
            }
        };
        let before = std::mem::replace(&mut self.node(name).memory, admission.memory);
        if admission.work.is_some() && self.dice.one_in(3) {
            self.node(name).earlier = before;
        }
        self.flushed(name)?;
        let cause = Cause::Order { entry: order.entry.clone(), node: name.clone(), accepted: self.now };
        match admission.work {
            None => {
                self.clean_up_if_cancelled(name);
                Ok(Receipt::Applied)
            }
            Some(work) => self.performs(name, order, &work, &cause),
        }
    }

    /// Memory is on the disk; here a node may go down.
    fn flushed(&mut self, name: &NodeName) -> Result<(), Crashed> {
        let armed = &mut self.node(name).armed.crash_in_script;
        match armed {
            None => Ok(()),
            Some(0) => {
                *armed = None;
                self.goes_down(name, false, &Cause::Fault(crate::fault::Fault::CrashInScript));
                Err(Crashed)
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn phase(&mut self, name: &NodeName, place: &Place, phase: Phase) {
        if let Some(consumed) = &mut self.node(name).memory.consumed
            && consumed.place == *place
        {
            consumed.phase = phase;
        }
    }

    fn performs(&mut self, name: &NodeName, order: &Order, work: &Work, cause: &Cause) -> Result<Receipt, Crashed> {
        let place = &order.entry.place;
        match work.step {
            Step::WriteRegistry => self.writes_registry(name, work, place, cause),
            Step::Vacate => self.vacates(name, place, cause),
            Step::Reboot => {
                self.phase(name, place, Phase::Started);
                self.flushed(name)?;
                self.restarts_soon(name, cause);
                Ok(Receipt::Started)
            }
            Step::Install => {
                self.phase(name, place, Phase::Started);
                self.flushed(name)?;
                self.begins_install(name, work, place, cause);
                Ok(Receipt::Started)
            }
            Step::Restart => {
                self.begins_restart(name, order, work, cause);
                Ok(Receipt::Started)
            }
            Step::Return => {
                self.phase(name, place, Phase::Started);
                self.flushed(name)?;
                self.clean_up(name);
                self.resume(name, work.failback, cause);
                self.did(name, Did::Resumed, cause);
                self.flushed(name)?;
                self.node(name).memory.marker = None;
                self.phase(name, place, Phase::Ended);
                Ok(Receipt::Applied)
            }
            // Nothing is ordered to settle.
            Step::Settle => Ok(Receipt::Applied),
        }
    }

    /// Both values as the articles ask (Microsoft: Upgrade Azure Stack HCI OS, version 22H2 to version 23H2 via PowerShell).
    fn writes_registry(&mut self, name: &NodeName, work: &Work, place: &Place, cause: &Cause) -> Result<Receipt, Crashed> {
        let node = self.node(name);
        node.memory.registry_written = Some(node.boot.clone());
        self.phase(name, place, Phase::Started);
        self.flushed(name)?;
        let registry = &mut self.node(name).registry;
        registry.refs_enable_metadata_validation = Some(0);
        if work.small_allocations {
            registry.skip_small_local_allocations = Some(0);
        }
        self.did(name, Did::WroteRegistry, cause);
        self.phase(name, place, Phase::Ended);
        Ok(Receipt::Applied)
    }

    fn vacates(&mut self, name: &NodeName, place: &Place, cause: &Cause) -> Result<Receipt, Crashed> {
        let before = self.nodes[name].memory.marker.clone();
        self.node(name).memory.marker = Some(Marker { vacate: place.clone(), state: MarkerState::Suspending });
        self.flushed(name)?;
        if let Some(why) = self.suspend_refused(name) {
            if self.rules.on(Rule::MarkerGoesWithRefusal) {
                self.node(name).memory.marker = before;
            }
            self.phase(name, place, Phase::PlatformRefused);
            return Ok(Receipt::PlatformRefused(why));
        }
        self.phase(name, place, Phase::Started);
        self.begin_drain(name, cause);
        self.did(name, Did::Suspended, cause);
        self.flushed(name)?;
        self.node(name).memory.marker = Some(Marker { vacate: place.clone(), state: MarkerState::Suspended });
        Ok(Receipt::Started)
    }

    /// Why `Suspend-ClusterNode` would refuse.
    fn suspend_refused(&mut self, name: &NodeName) -> Option<String> {
        if std::mem::take(&mut self.node(name).armed.refuses_suspend) {
            // Azure Local Supportability: a previous Cluster-Aware Updating run failed.
            return Some("the requested operation cannot be completed because a resource has locked status".to_owned());
        }
        if self.nodes[name].paused {
            // Issued again after a failed drain, it only drains again.
            return None;
        }
        if self.degraded() {
            return Some(
                "5987: a clustered space is in a degraded condition and the requested action cannot be completed at this time".to_owned(),
            );
        }
        // Whether a pause asks about quorum is not documented.
        if self.would_lose_quorum(name) && self.dice.one_in(2) {
            return Some("the cluster would lose quorum".to_owned());
        }
        None
    }

    fn restarts_soon(&mut self, name: &NodeName, cause: &Cause) {
        let node = self.node(name);
        node.script = Some(cause.clone());
        let power = node.power;
        self.after(SHUTDOWN, Event::GoDown { node: name.clone(), power, cause: cause.clone() });
    }

    /// Commit must be called once, right before the restart; a second call before it is unsupported and can make the update fail
    /// (Microsoft: IUpdateInstaller4::Commit).
    fn begins_restart(&mut self, name: &NodeName, order: &Order, work: &Work, cause: &Cause) {
        let place = order.entry.place.clone();
        self.phase(name, &place, Phase::Started);
        let now = self.now;
        let once = self.rules.on(Rule::CommitOnce);
        let node = self.node(name);
        let found = node.memory.commit.as_ref().is_some_and(|c| c.target == work.target && c.attempt == work.attempt);
        let committed = found && once;
        node.script = Some(cause.clone());
        node.task = Some(RestartTask {
            place,
            work: work.clone(),
            expect: order.expect.clone(),
            vacate: node.memory.marker.as_ref().map(|m| m.vacate.clone()),
            until: now + if committed { QUORUM_WAIT } else { COMMIT_LIMIT },
            committed,
            told: false,
        });
        let power = node.power;
        self.after(BEGINS, Event::RestartAsks { node: name.clone(), power });
    }

    /// A Return is refused while the script of a Restart is at work, and ends it as long as it has not committed: the next send is then admitted (rule 18).
    fn tell_restart(&mut self, name: &NodeName) {
        if !self.rules.on(Rule::ReturnEndsRestart) {
            return;
        }
        if let Some(task) = self.node(name).task.as_mut().filter(|task| !task.committed) {
            task.told = true;
        }
    }

    /// The script of a Restart asks whether it may commit, or restart what is committed.
    pub(crate) fn restart_asks(&mut self, name: &NodeName) {
        let Some(task) = self.nodes[name].task.clone() else { return };
        let hindrance = if task.committed { self.restart_hindered(name, &task) } else { self.commit_hindered(name, &task) };
        match hindrance {
            None if task.committed => self.restarts(name),
            None => self.commits(name, &task),
            Some(by) => {
                let for_good = match by {
                    Hindrance::Told | Hindrance::StopMark | Hindrance::Marker => true,
                    Hindrance::NotUp
                    | Hindrance::NoView
                    | Hindrance::Storage
                    | Hindrance::OtherBuild
                    | Hindrance::Quorum
                    | Hindrance::TooLate
                    | Hindrance::Platform => false,
                };
                if for_good || self.now > task.until {
                    self.phase(name, &task.place, Phase::Unmet(by));
                    let node = self.node(name);
                    (node.script, node.task) = (None, None);
                } else {
                    let power = self.nodes[name].power;
                    self.after(LOOK, Event::RestartAsks { node: name.clone(), power });
                }
            }
        }
    }

    /// Why the commit must not be begun now.
    fn commit_hindered(&self, name: &NodeName, task: &RestartTask) -> Option<Hindrance> {
        if !self.rules.on(Rule::AsksAgain) {
            return None;
        }
        let node = &self.nodes[name];
        let above = |place: Option<&Place>| place.and_then(|place| place.compare(&task.place)).is_some_and(Ordering::is_gt);
        let memory = &node.memory;
        if task.told
            || above(memory.cancelled.as_ref())
            || above(memory.consumed.as_ref().map(|c| &c.place))
            || memory.marker.as_ref().map(|m| &m.vacate) != task.vacate.as_ref()
        {
            return Some(Hindrance::Told);
        }
        let view = self.heard_view(name);
        let storage = self.storage_facts();
        let would_lose_quorum = self.would_lose_quorum(name);
        let local = view.as_ref().map(|view| LocalView { view, storage: &storage, would_lose_quorum });
        let boot = node.boot_at(self.now);
        let worker = node.worker.as_ref().map(|w| &w.seen);
        let state = State { id: &node.id, boot: &boot, build: node.build, setup: node.setup, worker, busy: true };
        still(&self.rules, memory, state, local, &task.expect, &task.work).err().map(|unmet| hindrance(&unmet))
    }

    /// Why what is committed must not be restarted now: a person has put the node back into service, or its going would cost the quorum.
    fn restart_hindered(&self, name: &NodeName, task: &RestartTask) -> Option<Hindrance> {
        let view = self.heard_view(name);
        let taken = self.nodes[name].memory.marker.as_ref().map(|m| &m.vacate) != task.vacate.as_ref();
        let serves = view.as_ref().and_then(|v| v.members.get(name)).is_some_and(|m| m.state == MemberState::Up);
        if (taken || serves) && self.rules.on(Rule::AsksAgain) && self.rules.on(Rule::ExpectMarker) {
            return Some(Hindrance::Marker);
        }
        if !task.expect.quorum || !self.rules.on(Rule::ExpectQuorum) {
            return None;
        }
        if view.is_none() { Some(Hindrance::NoView) } else { self.would_lose_quorum(name).then_some(Hindrance::Quorum) }
    }

    fn commits(&mut self, name: &NodeName, task: &RestartTask) {
        let node = self.node(name);
        node.memory.commit =
            Some(Commit { target: task.work.target, attempt: task.work.attempt, phase: CommitPhase::Committing, boot: node.boot.clone() });
        if let Some(task) = &mut node.task {
            task.committed = true;
        }
        let power = node.power;
        let media = node.staged.as_ref().is_some_and(|s| s.media);
        let Some(cause) = node.script.clone() else { return };
        if self.flushed(name).is_err() {
            return;
        }
        self.did(name, Did::Committed { target: task.work.target, attempt: task.work.attempt }, &cause);
        // With media there is nothing for the update agent to do.
        let wait = if media { SHUTDOWN } else { self.dice.about(self.durations.commit) };
        self.after(wait, Event::CommitEnds { node: name.clone(), power });
    }

    /// Others may have gone down while it committed.
    pub(crate) fn commit_ends(&mut self, name: &NodeName) {
        let until = self.now + QUORUM_WAIT;
        let node = self.node(name);
        if let Some(staged) = &mut node.staged {
            staged.committed = true;
        }
        if let Some(commit) = &mut node.memory.commit {
            commit.phase = CommitPhase::Committed;
        }
        if let Some(task) = &mut node.task {
            task.until = until;
        }
        self.restart_asks(name);
    }

    fn restarts(&mut self, name: &NodeName) {
        let node = self.node(name);
        node.task = None;
        if let Some(commit) = &mut node.memory.commit {
            commit.phase = CommitPhase::Restarting;
        }
        let Some(cause) = node.script.clone() else { return };
        if self.flushed(name).is_ok() {
            self.restarts_soon(name, &cause);
        }
    }

    /// The cluster as the node's own scripts hear of it.
    fn heard_view(&self, name: &NodeName) -> Option<View> {
        let unanswered = self.nodes[name].armed.unanswered.is_some_and(|until| self.now < until);
        if unanswered { None } else { self.view_of(name) }
    }
}

/// How a refusal reads where the entry was consumed before.
fn hindrance(unmet: &Unmet) -> Hindrance {
    match unmet {
        Unmet::StopMark => Hindrance::StopMark,
        Unmet::Marker => Hindrance::Marker,
        Unmet::NotUp(_) => Hindrance::NotUp,
        Unmet::NoView => Hindrance::NoView,
        Unmet::Storage => Hindrance::Storage,
        Unmet::OtherBuild(_) => Hindrance::OtherBuild,
        Unmet::Quorum => Hindrance::Quorum,
        Unmet::TooLate => Hindrance::TooLate,
        Unmet::Garbled
        | Unmet::OtherOrderConsumed
        | Unmet::OtherClaim
        | Unmet::OtherIdentity
        | Unmet::OtherBoot
        | Unmet::SetupRunning
        | Unmet::NotStaged
        | Unmet::OtherWorker
        | Unmet::CommitSpent
        | Unmet::Committed
        | Unmet::Busy => Hindrance::Platform,
    }
}
