//! A careful hand that gives orders to a lab's nodes: what a controller would do, without one.

use drydock_engine::ports::PerformError;
use drydock_lab::{ClusterConfig, Durations, Fault, Lab, Planned, Rule, Rules};
use drydock_model::desired::{BitsSource, FailbackMode, Target, Version};
use drydock_model::fact::Fact;
use drydock_model::ids::{ClusterName, EntryId, Epoch, NodeId, NodeName, Place};
use drydock_model::observed::{DrainStatus, Member, MemberState, Memory, NodeFacts, Observed, Worker, WorkerState};
use drydock_model::order::{Act, Expect, MarkerExpected, Order, Receipt, StorageExpected, Work};
use drydock_model::step::Step;
use drydock_model::time::Millis;

/// A lab with one cluster of four, and the place of the last order.
pub struct Hand {
    /// The lab.
    pub lab: Lab,
    /// Its cluster.
    pub cluster: ClusterName,
    /// The claim that orders bear.
    pub epoch: Epoch,
    /// The number of the last order.
    pub seq: u32,
    /// The attempt that orders bear.
    pub attempt: u8,
}

/// The claim holds with all rules in force, for eight seeds, and falls without this one.
pub fn matters(rule: Rule, claim: fn(&mut Hand) -> bool) {
    let holds = |rules: Rules| (0..8).all(|seed| claim(&mut Hand::new(seed, rules.clone())));
    assert!(holds(Rules::all()), "{rule}: the claim does not hold");
    assert!(!holds(Rules::without(rule)), "{rule}: the claim holds without it as well");
}

/// What is known.
pub fn known<T: Clone>(fact: &Fact<T>) -> T {
    match fact {
        Fact::Known { value, .. } => value.clone(),
        Fact::Unknown(gap) => panic!("unknown: {gap}"),
    }
}

impl Hand {
    /// A cluster of four on 22H2 whose nodes have heard of the claim.
    pub fn new(seed: u64, rules: Rules) -> Hand {
        let cluster: ClusterName = "c".parse().unwrap_or_else(|_| unreachable!("a name"));
        let mut lab = Lab::new(seed, crate::sim::START, Durations::real()).with_rules(rules);
        let build = "20349.3700".parse().unwrap_or_else(|_| unreachable!("a build"));
        lab.add(&ClusterConfig::new(cluster.clone(), (1..=4).map(crate::sim::node).collect(), build));
        let mut hand = Hand { lab, cluster, epoch: claim(1, "ab"), seq: 0, attempt: 1 };
        hand.fence_all();
        hand
    }

    /// A place under the claim.
    pub fn place(&self, seq: u32) -> Place {
        Place { epoch: self.epoch.clone(), seq }
    }

    /// The same as an entry.
    pub fn entry(&self, seq: u32) -> EntryId {
        EntryId { cluster: self.cluster.clone(), place: self.place(seq) }
    }

    /// A look at everything.
    pub fn observe(&mut self) -> Observed {
        let nodes = self.lab.nodes(&self.cluster);
        self.lab.observe(&self.cluster, &nodes)
    }

    /// A look at one node.
    pub fn facts(&mut self, node: usize) -> NodeFacts {
        let name = crate::sim::node(node);
        self.observe().nodes.remove(&name).unwrap_or_else(|| unreachable!("every node is in a look"))
    }

    /// What a node remembers.
    pub fn memory(&mut self, node: usize) -> Memory {
        known(&self.facts(node).memory)
    }

    /// Who a node is.
    pub fn id(&mut self, node: usize) -> NodeId {
        known(&self.facts(node).id)
    }

    /// A node's worker.
    pub fn worker(&mut self, node: usize) -> Worker {
        known(&self.facts(node).worker).unwrap_or_else(|| panic!("no worker"))
    }

    /// The node as another one sees it.
    pub fn member(&mut self, node: usize) -> Member {
        let name = crate::sim::node(node);
        let observed = self.observe();
        let mut views = observed.nodes.iter().filter(|(other, _)| **other != name).filter_map(|(_, facts)| facts.view.known());
        views.next_back().and_then(|view| view.members.get(&name)).cloned().unwrap_or_else(|| panic!("nobody sees {name}"))
    }

    /// Every node hears of the last place.
    pub fn fence_all(&mut self) {
        for n in 1..=4 {
            let order = Order::fence(self.entry(self.seq), self.id(n), None);
            assert_eq!(self.lab.perform(&order), Ok(Receipt::Applied));
        }
    }

    /// What a step asks.
    pub fn work(&self, step: Step) -> Work {
        let target = Target { version: Version::V23H2, revision: 0 };
        let source = BitsSource::WindowsUpdate;
        Work { step, target, attempt: self.attempt, source, failback: FailbackMode::Immediate, small_allocations: true }
    }

    /// The next order, with nothing expected.
    pub fn bare(&mut self, node: usize, step: Step) -> Order {
        self.seq += 4;
        let facts = self.facts(node);
        let boot = known(&facts.boot);
        let limit = boot.up.plus(Millis::minutes(2));
        Order::step(self.entry(self.seq), known(&facts.id), self.work(step), Expect::NOTHING, boot.id, limit)
    }

    /// The next order, with everything expected that its step needs.
    pub fn order(&mut self, node: usize, step: Step) -> Order {
        let mut order = self.bare(node, step);
        let marker = self.facts(node).memory.known().and_then(|m| m.marker.clone());
        let ours = marker.map_or(MarkerExpected::Absent, |m| MarkerExpected::Ours(m.vacate));
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

    /// Another order with the entry, boot and limit of this one.
    pub fn instead(&self, order: &Order, step: Step) -> Order {
        let (Some(boot), Some(limit)) = (order.boot.clone(), order.not_after) else { panic!("no step") };
        Order::step(order.entry.clone(), order.node.clone(), self.work(step), Expect::NOTHING, boot, limit)
    }

    /// The same work under another entry and identity.
    pub fn under(&self, order: &Order, entry: EntryId, node: NodeId) -> Order {
        let Act::Step(work) = order.act.clone() else { panic!("no step") };
        let (Some(boot), Some(limit)) = (order.boot.clone(), order.not_after) else { panic!("no step") };
        Order::step(entry, node, work, order.expect.clone(), boot, limit)
    }

    /// Sends an order.
    pub fn send(&mut self, order: &Order) -> Result<Receipt, PerformError> {
        self.lab.perform(order)
    }

    /// Sends the next order of a step.
    pub fn gives(&mut self, node: usize, step: Step) -> Result<Receipt, PerformError> {
        let order = self.order(node, step);
        self.lab.perform(&order)
    }

    /// Time passes.
    pub fn wait(&mut self, time: Millis) {
        let to = self.lab.now() + time;
        self.lab.advance_to(to);
    }

    /// Waits, a minute at a time and a day at most.
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Hand) -> bool) {
        for _ in 0..24 * 60 {
            if holds(self) {
                return;
            }
            self.wait(Millis::minutes(1));
        }
        panic!("a day has passed, and still not: {what}");
    }

    /// The node is taken out.
    pub fn vacated(&mut self, node: usize) {
        assert_eq!(self.gives(node, Step::Vacate), Ok(Receipt::Started));
        self.until("drained", |h| {
            let m = h.member(node);
            m.state == MemberState::Paused && m.drain == DrainStatus::Completed && m.roles == 0
        });
    }

    /// The node is taken out, and its worker is half way.
    pub fn installing(&mut self, node: usize) {
        self.vacated(node);
        assert_eq!(self.gives(node, Step::Install), Ok(Receipt::Started));
        self.until("staging", |h| matches!(h.worker(node).state, WorkerState::Staging(_)));
    }

    /// The node is taken out, and everything is staged.
    pub fn staged(&mut self, node: usize) {
        self.installing(node);
        self.until("staged", |h| h.worker(node).state == WorkerState::Staged);
    }

    /// The node has come back.
    pub fn back(&mut self, node: usize) {
        self.wait(Millis::minutes(6));
        self.until("back", |h| {
            let facts = h.facts(node);
            facts.view.known().is_some() && facts.setup.known().is_some_and(|s| !s.running)
        });
    }

    /// A fault strikes a node now.
    pub fn strike(&mut self, fault: Fault, node: usize) {
        let planned = Planned::now(fault, self.cluster.clone(), Some(crate::sim::node(node)));
        assert!(self.lab.plan(planned).is_some());
    }

    /// A fault strikes a node now, and lasts for this long.
    pub fn strike_for(&mut self, fault: Fault, node: usize, lasting: Millis) {
        let planned = Planned::now(fault, self.cluster.clone(), Some(crate::sim::node(node)));
        assert!(self.lab.plan(Planned { lasting: Some(lasting), ..planned }).is_some());
    }

    /// How often something happened to a node.
    pub fn count(&self, node: usize, word: &'static str) -> usize {
        self.lab.truth().counts(&self.cluster).get(&(crate::sim::node(node), word)).copied().unwrap_or(0)
    }
}

/// A claim.
pub fn claim(number: u32, nonce: &str) -> Epoch {
    Epoch { number, nonce: nonce.parse().unwrap_or_else(|_| panic!("no nonce")) }
}

/// A name of a node.
pub fn name(node: usize) -> NodeName {
    crate::sim::node(node)
}
