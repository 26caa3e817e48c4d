//! A careful hand that gives orders, for tests: what a controller would do, without one.

use crate::{ClusterConfig, Durations, Lab, Rules};
use drydock_engine::ports::PerformError;
use drydock_model::desired::{BitsSource, Build, FailbackMode, Target, Version};
use drydock_model::fact::Fact;
use drydock_model::ids::{ClusterName, EntryId, Epoch, NodeName, Place};
use drydock_model::observed::{Member, MemberState, NodeFacts, Observed};
use drydock_model::order::{Expect, MarkerExpected, Order, Receipt, StorageExpected, Work};
use drydock_model::step::Step;
use drydock_model::time::{Millis, Timestamp};

pub(crate) const START: Timestamp = Timestamp(1_795_000_000_000);

pub(crate) struct Hand {
    pub(crate) lab: Lab,
    pub(crate) cluster: ClusterName,
    pub(crate) epoch: Epoch,
    pub(crate) seq: u32,
    pub(crate) attempt: u8,
    pub(crate) target: Target,
    pub(crate) source: BitsSource,
}

pub(crate) fn n(number: u32) -> NodeName {
    format!("N{number:02}").parse().unwrap()
}

pub(crate) fn build(text: &str) -> Build {
    text.parse().unwrap()
}

pub(crate) fn config(name: &str, nodes: u32) -> ClusterConfig {
    ClusterConfig::new(name.parse().unwrap(), (1..=nodes).map(n).collect(), build("20349.3700"))
}

impl Hand {
    pub(crate) fn new(seed: u64, nodes: u32) -> Hand {
        Hand::with(seed, &config("c", nodes), Rules::all())
    }

    pub(crate) fn with(seed: u64, config: &ClusterConfig, rules: Rules) -> Hand {
        let mut lab = Lab::new(seed, START, Durations::real()).with_rules(rules);
        lab.add(config);
        let mut hand = Hand {
            lab,
            cluster: config.name.clone(),
            epoch: Epoch { number: 1, nonce: "ab".parse().unwrap() },
            seq: 0,
            attempt: 1,
            target: Target { version: Version::V23H2, revision: 0 },
            source: BitsSource::WindowsUpdate,
        };
        hand.fence_all();
        hand
    }

    pub(crate) fn place(&self, seq: u32) -> Place {
        Place { epoch: self.epoch.clone(), seq }
    }

    pub(crate) fn entry(&self, seq: u32) -> EntryId {
        EntryId { cluster: self.cluster.clone(), place: self.place(seq) }
    }

    pub(crate) fn observe(&mut self) -> Observed {
        let nodes = self.lab.nodes(&self.cluster);
        self.lab.observe(&self.cluster, &nodes)
    }

    pub(crate) fn facts(&mut self, node: &NodeName) -> NodeFacts {
        self.observe().nodes.remove(node).unwrap()
    }

    /// The node as the first other node that answers sees it.
    pub(crate) fn member(&mut self, node: &NodeName) -> Member {
        let observed = self.observe();
        let others = observed.nodes.iter().filter(|(name, _)| *name != node);
        let view = others.filter_map(|(_, f)| f.view.known()).next().expect("somebody has a view");
        view.members[node].clone()
    }

    pub(crate) fn fence_all(&mut self) {
        for node in self.lab.nodes(&self.cluster) {
            let id = known(&self.facts(&node).id);
            let order = Order::fence(self.entry(self.seq), id, None);
            assert_eq!(self.lab.perform(&order), Ok(Receipt::Applied));
        }
    }

    pub(crate) fn work(&self, step: Step) -> Work {
        Work {
            step,
            target: self.target,
            attempt: self.attempt,
            source: self.source.clone(),
            failback: FailbackMode::Immediate,
            small_allocations: true,
        }
    }

    /// The next order, with nothing expected.
    pub(crate) fn bare(&mut self, node: &NodeName, step: Step) -> Order {
        self.seq += 4;
        let facts = self.facts(node);
        let boot = known(&facts.boot);
        let limit = boot.up.plus(Millis::minutes(2));
        Order::step(self.entry(self.seq), known(&facts.id), self.work(step), Expect::NOTHING, boot.id, limit)
    }

    /// The next order, with everything expected that its step needs.
    pub(crate) fn order(&mut self, node: &NodeName, step: Step) -> Order {
        let mut order = self.bare(node, step);
        let vacate = self.facts(node).memory.known().and_then(|m| m.marker.clone()).map(|m| m.vacate);
        let ours = vacate.map_or(MarkerExpected::Absent, MarkerExpected::Ours);
        order.expect = match step {
            Step::WriteRegistry | Step::Settle => Expect::NOTHING,
            Step::Vacate => {
                Expect { marker: MarkerExpected::Absent, others_up: true, storage: StorageExpected::Settled, build: None, quorum: true }
            }
            Step::Reboot | Step::Install | Step::Restart => {
                Expect { marker: ours, others_up: true, storage: StorageExpected::OwnDamageOnly, build: None, quorum: true }
            }
            Step::Return => Expect { marker: ours, ..Expect::NOTHING },
        };
        order
    }

    pub(crate) fn gives(&mut self, node: &NodeName, step: Step) -> Result<Receipt, PerformError> {
        let order = self.order(node, step);
        self.lab.perform(&order)
    }

    pub(crate) fn wait(&mut self, time: Millis) {
        let to = self.lab.now() + time;
        self.lab.advance_to(to);
    }

    /// Waits, a minute at a time and a day at most.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Hand) -> bool) {
        for _ in 0..24 * 60 {
            if holds(self) {
                return;
            }
            self.wait(Millis::minutes(1));
        }
        let observed = self.observe();
        panic!("a day has passed, and still not: {what}\n{observed:#?}");
    }

    pub(crate) fn vacated(&mut self, node: &NodeName) {
        assert_eq!(self.gives(node, Step::Vacate), Ok(Receipt::Started), "Vacate of {node}");
        self.until("drained", |h| {
            use drydock_model::observed::DrainStatus;
            let m = h.member(node);
            m.state == MemberState::Paused && m.drain == DrainStatus::Completed && m.roles == 0
        });
    }

    pub(crate) fn back_up(&mut self, node: &NodeName) {
        self.until("back", |h| {
            let facts = h.facts(node);
            facts.view.known().is_some() && facts.setup.known().is_some_and(|s| !s.running)
        });
    }

    pub(crate) fn returned(&mut self, node: &NodeName) {
        assert_eq!(self.gives(node, Step::Return), Ok(Receipt::Applied), "Return of {node}");
        assert_eq!(self.member(node).state, MemberState::Up);
        // A repair may take a while to show.
        self.wait(Millis::minutes(5));
        self.until("settled", |h| h.settled());
    }

    pub(crate) fn settled(&mut self) -> bool {
        use drydock_model::observed::DiskState;
        let storage = known(&self.observe().cluster.storage);
        storage.pool_healthy
            && storage.jobs.is_empty()
            && storage.disks.values().all(|d| *d == DiskState::Healthy)
            && storage.drives.values().all(|d| d.good == d.total && d.maintenance == 0)
    }

    /// One node through the registry pass.
    pub(crate) fn registry_pass(&mut self, node: &NodeName) {
        assert_eq!(self.gives(node, Step::WriteRegistry), Ok(Receipt::Applied));
        self.vacated(node);
        assert_eq!(self.gives(node, Step::Reboot), Ok(Receipt::Started));
        self.wait(Millis::minutes(1));
        self.back_up(node);
        self.returned(node);
    }

    /// Everything up to the restart.
    pub(crate) fn staged(&mut self, node: &NodeName) {
        self.vacated(node);
        assert_eq!(self.gives(node, Step::Install), Ok(Receipt::Started), "Install on {node}");
        self.until("staged", |h| {
            let worker = known(&h.facts(node).worker);
            worker.is_some_and(|w| w.state == drydock_model::observed::WorkerState::Staged)
        });
    }

    /// One node through the upgrade.
    pub(crate) fn upgrade(&mut self, node: &NodeName) {
        self.staged(node);
        assert_eq!(self.gives(node, Step::Restart), Ok(Receipt::Started), "Restart of {node}");
        self.wait(Millis::minutes(6));
        self.back_up(node);
        self.returned(node);
    }
}

pub(crate) fn known<T: Clone>(fact: &Fact<T>) -> T {
    match fact {
        Fact::Known { value, .. } => value.clone(),
        Fact::Unknown(gap) => panic!("unknown: {gap}"),
    }
}
