//! Faults strike, and are healed.

use super::{Cluster, Event, name as token};
use crate::effect::Cause;
use crate::fault::{Fault, Planned};
use crate::node::{Armed, Maintenance};
use crate::truth::{Catastrophe, What};
use drydock_model::desired::FailbackMode;
use drydock_model::ids::NodeName;
use drydock_model::observed::{DrainStatus, Memory, RegistryFacts, Setup, StopMark};
use drydock_model::time::{Millis, Timestamp};

/// How long the questions of a node's own scripts fail when nothing says so, at most: longer than any of them asks.
const UNANSWERED: Millis = Millis::minutes(25);

/// How long a node stays unreachable when nothing says so, at most.
const UNREACHABLE: Millis = Millis::minutes(10);

impl Cluster {
    /// Draws what a planned fault leaves open, and has it strike in its time.
    pub(crate) fn plan(&mut self, mut planned: Planned) -> Option<Planned> {
        if planned.fault.of_a_node() && planned.node.is_none() {
            let names: Vec<NodeName> = self.nodes.keys().cloned().collect();
            planned.node = self.dice.pick(&names).cloned();
        }
        if planned.node.as_ref().is_some_and(|n| !self.nodes.contains_key(n)) {
            return None;
        }
        match planned.after {
            Millis::ZERO => self.strikes(&planned),
            wait => self.after(wait, Event::Strikes(planned.clone())),
        }
        Some(planned)
    }

    pub(crate) fn strikes(&mut self, planned: &Planned) {
        match &planned.node {
            Some(node) if planned.fault.of_a_node() => self.strikes_node(planned.fault, node, planned.lasting),
            Some(_) | None => self.strikes_cluster(planned.fault),
        }
    }

    fn strikes_cluster(&mut self, fault: Fault) {
        match fault {
            Fault::StorageRepairStalls => self.storage.stalled = true,
            Fault::WitnessOffline => {
                if self.witness.configured {
                    self.witness.offline_since = Some(self.now);
                    self.changed(&Cause::Fault(fault));
                }
            }
            Fault::SlowObserve => self.slow = true,
            Fault::Gaps => self.gaps = true,
            Fault::NodeRollsBack
            | Fault::NodeNeverReturns
            | Fault::DrainFails
            | Fault::WorkerDies
            | Fault::WorkerFails
            | Fault::WorkerFailsPending
            | Fault::CleanUpLeavesPending
            | Fault::NodeUnreachable
            | Fault::LostAnswer
            | Fault::DelayedOrder
            | Fault::DuplicatedOrder
            | Fault::DroppedOrder
            | Fault::PersonPauses
            | Fault::PersonResumes
            | Fault::NodeReplaced
            | Fault::UpgradeForgets
            | Fault::ReimagedMemory
            | Fault::StopMark
            | Fault::DiskFails
            | Fault::NodeCrashes
            | Fault::CrashInScript
            | Fault::ClockSkew
            | Fault::RegistryLost
            | Fault::SuspendRefused
            | Fault::QuestionsFail => {}
        }
    }

    fn strikes_node(&mut self, fault: Fault, name: &NodeName, lasting: Option<Millis>) {
        let cause = Cause::Fault(fault);
        let drawn = self.dice.roll();
        let now = self.now;
        let node = self.node(name);
        match fault {
            Fault::NodeRollsBack => node.armed.rolls_back = true,
            Fault::NodeNeverReturns => node.armed.never_returns = true,
            Fault::DrainFails => node.armed.drain_fails = true,
            Fault::WorkerDies => node.armed.worker_dies = true,
            Fault::WorkerFails => node.armed.worker_fails = true,
            Fault::WorkerFailsPending => {
                node.armed.worker_fails = true;
                node.armed.worker_leaves_pending = true;
            }
            Fault::CleanUpLeavesPending => node.armed.clean_up_leaves_pending = true,
            Fault::UpgradeForgets => node.armed.forgets = true,
            Fault::LostAnswer => node.armed.lost_answer = true,
            Fault::DelayedOrder => node.armed.delayed = true,
            Fault::DuplicatedOrder => node.armed.doubled = true,
            Fault::DroppedOrder => node.armed.dropped = true,
            Fault::SuspendRefused => node.armed.refuses_suspend = true,
            // No script flushes more than three times.
            Fault::CrashInScript => node.armed.crash_in_script = Some(u32::try_from(drawn % 3).unwrap_or(0)),
            Fault::QuestionsFail => {
                let lasting = lasting.unwrap_or(Millis(1 + drawn % UNANSWERED.0));
                node.armed.unanswered = Some(now + lasting);
            }
            Fault::NodeUnreachable => {
                let lasting = lasting.unwrap_or(Millis(1 + drawn % UNREACHABLE.0));
                node.unreachable = Some(now + lasting);
            }
            Fault::ClockSkew => {
                // Up to an hour, either way.
                let most = Millis::hours(1).0;
                node.skew = i64::try_from(drawn % (2 * most)).unwrap_or(0) - i64::try_from(most).unwrap_or(0);
            }
            Fault::RegistryLost => {
                node.registry = RegistryFacts::default();
                node.armed.values_lost = Some(now);
            }
            Fault::StopMark => {
                let mark = StopMark { who: "operator".to_owned(), when: now.to_string(), why: "month-end closing".to_owned() };
                node.memory.stop = Some(mark);
            }
            Fault::DiskFails => {
                node.failed_drives = 1;
                self.changed(&cause);
            }
            Fault::NodeCrashes => self.goes_down(name, false, &cause),
            Fault::ReimagedMemory => {
                node.memory = node.earlier.clone();
                node.worker = None;
                self.goes_down(name, false, &cause);
            }
            Fault::PersonPauses => {
                if node.joined && !node.paused {
                    node.persons = true;
                    self.begin_drain(name, &cause);
                }
            }
            Fault::PersonResumes => {
                if node.joined && node.paused {
                    self.resume(name, FailbackMode::Immediate, &cause);
                }
            }
            Fault::NodeReplaced => self.replaced(name, &cause),
            // These strike the cluster.
            Fault::StorageRepairStalls | Fault::WitnessOffline | Fault::SlowObserve | Fault::Gaps => {}
        }
    }

    /// Another machine was given the node's name and joined in its place: it remembers nothing and holds no data.
    fn replaced(&mut self, name: &NodeName, cause: &Cause) {
        self.goes_down(name, false, cause);
        let machine = token(&self.dice.token());
        let member = token(&(100 + self.dice.below(900)).to_string());
        let node = self.node(name);
        node.id.machine = machine;
        node.id.node = member;
        node.memory = Memory::default();
        node.earlier = Memory::default();
        node.worker = None;
        node.staged = None;
        node.upgrade = None;
        node.setup = Setup::default();
        node.registry = RegistryFacts::default();
        node.paused = false;
        node.persons = false;
        node.drain = DrainStatus::NotInitiated;
        node.pause += 1;
        node.drives = Maintenance::Out;
        node.armed = Armed::default();
    }

    /// No more faults, and people mend what they can.
    pub(crate) fn calm(&mut self) {
        self.queue.retain(|_, event| !matches!(event, Event::Strikes(_)));
        self.slow = false;
        self.earlier = None;
        self.gaps = false;
        self.witness.offline_since = None;
        self.storage.refs_offline = false;
        self.repair_goes_on();
        let names: Vec<NodeName> = self.nodes.keys().cloned().collect();
        for name in names {
            let node = self.node(&name);
            node.armed = Armed::default();
            node.unreachable = None;
            node.skew = 0;
            node.memory.stop = None;
            // A failed drive was replaced.
            node.failed_drives = 0;
            let (off, persons) = (!node.on, node.persons && node.joined);
            if off && !self.starts_by_itself(&name) {
                self.starts_after(&name, Millis::minutes(1), &Cause::Windows);
            }
            if persons {
                self.resume(&name, FailbackMode::Immediate, &Cause::Windows);
            }
        }
        self.changed(&Cause::Windows);
    }

    fn starts_by_itself(&self, name: &NodeName) -> bool {
        let own = self.nodes[name].power;
        self.queue.values().any(|e| matches!(e, Event::PowerOn { node, power, .. } if node == name && *power == own))
    }

    pub(crate) fn catastrophe(&mut self, what: What, cause: &Cause) {
        let silent = |name: &NodeName| -> Option<Timestamp> {
            let history = self.service.get(name).map(Vec::as_slice).unwrap_or_default();
            let since = history.last().filter(|(_, serves)| !serves).map_or(self.now, |(at, _)| *at);
            (!self.nodes[name].serves()).then_some(since)
        };
        // Serving no data counts as being away: what matters is what could be seen when the order was given.
        let since = |name: &NodeName| [silent(name), self.copies_lag_since(name)].into_iter().flatten().min();
        let away = self.nodes.keys().filter_map(|name| Some((name.clone(), since(name)?))).collect();
        self.catastrophes.push(Catastrophe {
            at: self.now,
            cluster: self.name.clone(),
            what,
            cause: cause.clone(),
            away,
            witness: self.witness.offline_since,
        });
    }

    pub(crate) fn lacks_data(&self) -> bool {
        self.degraded() || self.nodes.values().any(|n| n.failed_drives > 0) || self.copies_lag()
    }
}
