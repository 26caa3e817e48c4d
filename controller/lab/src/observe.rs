//! What a look at a cluster shows: the truth, less what does not answer.

use crate::cluster::Cluster;
use crate::dice::Dice;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::NodeName;
use drydock_model::observed::{Capacity, ClusterFacts, ClusterService, Member, MemberState, NodeFacts, Observed, Preconditions, View};
use drydock_model::time::Span;

impl Cluster {
    /// One look.
    pub(crate) fn observe(&mut self, nodes: &[NodeName]) -> Observed {
        let seen = self.look(nodes);
        if !self.slow {
            self.earlier = None;
            return seen;
        }
        // The answers to the question before come now, and say themselves how old they are.
        self.earlier.replace(seen.clone()).unwrap_or(seen)
    }

    fn look(&self, nodes: &[NodeName]) -> Observed {
        let span = Span::at(self.now);
        let facts = nodes.iter().map(|name| (name.clone(), self.node_facts(name, span))).collect();
        let mut observed = Observed { nodes: facts, cluster: self.cluster_facts(nodes, span), span };
        if self.gaps {
            self.tear(&mut observed);
        }
        observed
    }

    fn node_facts(&self, name: &NodeName, span: Span) -> NodeFacts {
        let Some(node) = self.nodes.get(name).filter(|n| n.answers(self.now)) else {
            return NodeFacts::unknown(&Gap::Unreachable);
        };
        let view = match self.view_of(name) {
            Some(view) => known(view, span),
            None => Fact::Unknown(Gap::ClusterServiceStopped),
        };
        NodeFacts {
            id: known(node.id.clone(), span),
            boot: known(node.boot_at(self.now), span),
            clock: known(node.clock(self.now), span),
            build: known(node.build, span),
            memory: known(node.memory.clone(), span),
            registry: known(node.registry.clone(), span),
            worker: known(node.worker.as_ref().map(|w| w.seen.clone()), span),
            setup: known(node.setup, span),
            service: known(self.service_of(name), span),
            view,
            disk_free: known(node.disk_free, span),
        }
    }

    /// The cluster as a node's cluster service sees it.
    pub(crate) fn view_of(&self, name: &NodeName) -> Option<View> {
        let joined = self.nodes.get(name).is_some_and(|n| n.joined);
        (joined && self.formed).then(|| {
            let members = self.nodes.keys().map(|n| (n.clone(), self.member(n))).collect();
            View { cluster: self.id.clone(), members, witness: self.witness() }
        })
    }

    fn member(&self, name: &NodeName) -> Member {
        let node = &self.nodes[name];
        let state = match (node.joined, node.paused) {
            (true, false) => MemberState::Up,
            // A node that was paused comes back paused (Microsoft: PauseClusterNode function).
            (true, true) => MemberState::Paused,
            (false, _) if node.on && node.service == ClusterService::Running => MemberState::Joining,
            (false, _) => MemberState::Down,
        };
        Member { state, drain: node.drain, impaired: node.impaired, vote: node.vote, roles: self.roles_on(name) }
    }

    fn cluster_facts(&self, nodes: &[NodeName], span: Span) -> ClusterFacts {
        let answers = |name: &&NodeName| self.nodes.get(*name).is_some_and(|n| n.answers(self.now) && n.joined) && self.formed;
        // Down-level tools cannot manage up-level nodes: ask through an upgraded one (Microsoft: Cluster operating system rolling upgrade).
        let through = nodes.iter().filter(answers).max_by_key(|n| (self.nodes[*n].build, std::cmp::Reverse((*n).clone())));
        let Some(through) = through else {
            let any = nodes.iter().any(|n| self.nodes.get(n).is_some_and(|n| n.answers(self.now)));
            return ClusterFacts::unknown(if any { &Gap::ClusterServiceStopped } else { &Gap::Unreachable });
        };
        ClusterFacts {
            through: Some(through.clone()),
            storage: known(self.storage_facts(), span),
            capacity: known(Capacity { nodes: self.nodes.keys().map(|n| (n.clone(), self.room(n))).collect() }, span),
            level: known(self.level, span),
            would_lose_quorum: known(self.nodes.keys().filter(|n| self.would_lose_quorum(n)).cloned().collect(), span),
            // The lab's clusters are those of the article: without the solution, and nothing on them updates by itself.
            preconditions: known(Preconditions { solution: false, self_updating: false, sites: 1 }, span),
        }
    }

    /// Takes facts away, others at each instant, the same ones for the same instant.
    fn tear(&self, observed: &mut Observed) {
        for (name, facts) in &mut observed.nodes {
            let mut dice = Dice::named(self.seed ^ self.now.0.unsigned_abs(), name.as_str());
            tear(&mut dice, &mut facts.id);
            tear(&mut dice, &mut facts.boot);
            tear(&mut dice, &mut facts.clock);
            tear(&mut dice, &mut facts.build);
            tear(&mut dice, &mut facts.memory);
            tear(&mut dice, &mut facts.registry);
            tear(&mut dice, &mut facts.worker);
            tear(&mut dice, &mut facts.setup);
            tear(&mut dice, &mut facts.service);
            tear(&mut dice, &mut facts.view);
            tear(&mut dice, &mut facts.disk_free);
        }
        let mut dice = Dice::named(self.seed ^ self.now.0.unsigned_abs(), "cluster");
        tear(&mut dice, &mut observed.cluster.storage);
        tear(&mut dice, &mut observed.cluster.capacity);
        tear(&mut dice, &mut observed.cluster.level);
        tear(&mut dice, &mut observed.cluster.would_lose_quorum);
        tear(&mut dice, &mut observed.cluster.preconditions);
    }
}

fn known<T>(value: T, seen: Span) -> Fact<T> {
    Fact::Known { value, seen }
}

fn tear<T>(dice: &mut Dice, fact: &mut Fact<T>) {
    if dice.one_in(4) && fact.known().is_some() {
        *fact = Fact::Unknown(Gap::TimedOut);
    }
}

/// Every span of an observation. What nodes say of their own clocks is no span.
pub(crate) fn each_span(observed: &mut Observed, mut change: impl FnMut(&mut Span)) {
    fn seen<T>(fact: &mut Fact<T>) -> Option<&mut Span> {
        match fact {
            Fact::Known { seen, .. } => Some(seen),
            Fact::Unknown(_) => None,
        }
    }
    change(&mut observed.span);
    for f in observed.nodes.values_mut() {
        let spans = [
            seen(&mut f.id),
            seen(&mut f.boot),
            seen(&mut f.clock),
            seen(&mut f.build),
            seen(&mut f.memory),
            seen(&mut f.registry),
            seen(&mut f.worker),
            seen(&mut f.setup),
            seen(&mut f.service),
            seen(&mut f.view),
            seen(&mut f.disk_free),
        ];
        spans.into_iter().flatten().for_each(&mut change);
    }
    let c = &mut observed.cluster;
    let spans =
        [seen(&mut c.storage), seen(&mut c.capacity), seen(&mut c.level), seen(&mut c.would_lose_quorum), seen(&mut c.preconditions)];
    spans.into_iter().flatten().for_each(change);
}

/// The same observation by a clock that is `by` milliseconds ahead.
pub(crate) fn shift(observed: &mut Observed, by: i64) {
    if by != 0 {
        each_span(observed, |span| {
            span.from.0 = span.from.0.saturating_add(by);
            span.to.0 = span.to.0.saturating_add(by);
        });
    }
}
