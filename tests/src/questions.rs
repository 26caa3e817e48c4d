//! Questions to a simulation, and words to it.

use crate::sim::{Setup, Sim};
use drydock_lab::{Fault, Planned, Rules};
use drydock_model::ids::{ClusterName, Epoch, NodeName};
use drydock_model::ledger::Ledger;
use drydock_model::observed::{Memory, NodeFacts};
use drydock_model::plan::Decision;
use drydock_model::time::Millis;

impl Sim {
    /// Four nodes on 22H2 and one controller, which sleeps while nothing happens, five minutes at most.
    pub fn quick(seed: u64) -> Sim {
        Sim::quick_with(seed, Rules::all())
    }

    /// The same, with some of the nodes' own checks taken out, so that they do not hide what others should prevent.
    pub fn quick_with(seed: u64, rules: Rules) -> Sim {
        let mut sim = Sim::of(Setup { rules, skip: Some(Millis::minutes(5)), ..Setup::usual(seed, 4) });
        sim.start("north", seed);
        sim
    }

    /// Laps until something holds; false when `most` were not enough, or nobody is left.
    pub fn until(&mut self, most: usize, mut holds: impl FnMut(&Sim) -> bool) -> bool {
        for _ in 0..most {
            if holds(self) {
                return true;
            }
            if self.step().is_none() {
                return false;
            }
        }
        holds(self)
    }

    /// Laps until a lap has decided so; the decision, or `None` when `most` laps were not enough.
    pub fn until_decides(&mut self, most: usize, mut so: impl FnMut(&Decision) -> bool) -> Option<Decision> {
        for _ in 0..most {
            let decision = self.step()?.and_then(|lap| lap.plan).map(|plan| plan.decision);
            if let Some(decision) = decision
                && so(&decision)
            {
                return Some(decision);
            }
        }
        None
    }

    /// Laps for that long.
    pub fn laps_for(&mut self, time: Millis) {
        let end = self.now() + time;
        while self.now() < end && self.step().is_some() {}
    }

    /// The cluster's name.
    pub fn cluster(&self) -> ClusterName {
        self.wanted.desired.cluster.clone()
    }

    /// How often something happened to a node.
    pub fn count(&self, node: &NodeName, word: &'static str) -> usize {
        let cluster = self.cluster();
        self.with(|lab| lab.truth().counts(&cluster).get(&(node.clone(), word)).copied().unwrap_or(0))
    }

    /// How often something happened to any node.
    pub fn count_all(&self, word: &'static str) -> usize {
        let cluster = self.cluster();
        self.with(|lab| lab.truth().counts(&cluster).iter().filter(|((_, w), _)| *w == word).map(|(_, n)| n).sum())
    }

    /// A fault strikes now.
    pub fn strike(&mut self, fault: Fault, node: Option<&NodeName>) {
        let planned = Planned::now(fault, self.cluster(), node.cloned());
        assert!(self.with(|lab| lab.plan(planned)).is_some(), "there is no such node");
    }

    /// The ledger as the branch has it; an empty one before the first claim.
    pub fn ledger(&self) -> Ledger {
        let nobody = || Epoch { number: 0, nonce: "none".parse().unwrap_or_else(|_| unreachable!("a nonce")) };
        self.branch.ledger(&self.cluster()).unwrap_or_else(|| Ledger::new(nobody()))
    }

    /// A look at a node.
    pub fn facts(&self, node: &NodeName) -> NodeFacts {
        let cluster = self.cluster();
        let mut look = self.with(|lab| lab.observe(&cluster, std::slice::from_ref(node)));
        look.nodes.remove(node).unwrap_or_else(|| unreachable!("a look has the nodes that were asked for"))
    }

    /// What a node remembers, if it answers.
    pub fn memory(&self, node: &NodeName) -> Option<Memory> {
        self.facts(node).memory.known().cloned()
    }

    /// The nodes that do not serve now.
    pub fn away(&self) -> Vec<NodeName> {
        let cluster = self.cluster();
        self.with(|lab| lab.truth().away(&cluster).into_iter().collect())
    }
}
