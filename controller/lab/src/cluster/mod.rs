//! One simulated cluster: its members, its time, and what is due.

mod faults;
mod quorum;
mod roles;
mod storage;

use crate::config::ClusterConfig;
use crate::dice::Dice;
use crate::durations::Durations;
use crate::effect::{Cause, Did, Effect};
use crate::fault::Planned;
use crate::node::rules::Rules;
use crate::node::{Armed, Maintenance, Node};
use crate::truth::Catastrophe;
use drydock_model::desired::Version;
use drydock_model::ids::{ClusterId, ClusterName, NodeId, NodeName};
use drydock_model::observed::{ClusterService, DrainStatus, Level, Memory, Observed, RegistryFacts, Setup};
use drydock_model::order::Order;
use drydock_model::time::{Millis, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Display;

pub(crate) use roles::Role;
pub(crate) use storage::StorageTruth;

/// One cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cluster {
    pub(crate) name: ClusterName,
    pub(crate) id: ClusterId,
    pub(crate) level: Level,
    pub(crate) now: Timestamp,
    pub(crate) seed: u64,
    pub(crate) dice: Dice,
    pub(crate) durations: Durations,
    pub(crate) rules: Rules,
    pub(crate) nodes: BTreeMap<NodeName, Node>,
    /// Whether it has quorum and serves.
    pub(crate) formed: bool,
    pub(crate) witness: WitnessTruth,
    pub(crate) roles: Vec<Role>,
    pub(crate) node_mib: u64,
    pub(crate) storage: StorageTruth,
    pub(crate) effects: Vec<Effect>,
    pub(crate) catastrophes: Vec<Catastrophe>,
    /// When each node began or ceased to serve.
    pub(crate) service: BTreeMap<NodeName, Vec<(Timestamp, bool)>>,
    /// Whether observations come late, and the one that comes next.
    pub(crate) slow: bool,
    pub(crate) earlier: Option<Observed>,
    pub(crate) gaps: bool,
    queue: BTreeMap<(Timestamp, u64), Event>,
    queued: u64,
}

/// The witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WitnessTruth {
    pub(crate) configured: bool,
    pub(crate) offline_since: Option<Timestamp>,
    pub(crate) vote: bool,
}

impl WitnessTruth {
    pub(crate) fn serves(&self) -> bool {
        self.configured && self.offline_since.is_none()
    }
}

/// Something that is due. A number that is not the node's own any more makes it void.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// The next role of a draining node moves.
    Drain { node: NodeName, pause: u32, cause: Cause },
    /// Drives have left maintenance mode.
    MaintenanceEnds { node: NodeName, pause: u32 },
    /// The next role moves back.
    Failback { node: NodeName, pause: u32 },
    /// The worker's next phase.
    Worker { node: NodeName, number: u32 },
    /// The script of a Restart asks whether it may go on.
    RestartAsks { node: NodeName, power: u32 },
    /// The commit has ended.
    CommitEnds { node: NodeName, power: u32 },
    /// The node restarts.
    GoDown { node: NodeName, power: u32, cause: Cause },
    /// The node starts.
    PowerOn { node: NodeName, power: u32, cause: Cause },
    /// Its cluster service starts.
    ServiceStarts { node: NodeName, power: u32 },
    /// It has joined.
    Joins { node: NodeName, power: u32 },
    /// The repair begins to show.
    LullEnds { number: u32 },
    /// The repair has ended.
    Repaired { number: u32 },
    /// An order arrives that was sent earlier.
    Late(Box<Order>),
    /// A fault strikes.
    Strikes(Planned),
}

/// More than this many events at once are a loop in the simulator: a cluster has sixteen nodes, and none has more than a handful of things due.
const MOST_EVENTS: usize = 100_000;

impl Cluster {
    pub(crate) fn new(seed: u64, start: Timestamp, durations: Durations, rules: Rules, config: &ClusterConfig) -> Cluster {
        let mut dice = Dice::named(seed, config.name.as_str());
        let id: ClusterId = name(&dice.token());
        let mut nodes = BTreeMap::new();
        for (number, node) in config.nodes.iter().enumerate() {
            let identity =
                NodeId { name: node.clone(), machine: name(&dice.token()), cluster: id.clone(), node: name(&(number + 1).to_string()) };
            // Up for some days, as machines in service are.
            let booted = start - Millis::hours(24 + dice.below(24 * 30));
            nodes.insert(node.clone(), fresh(identity, name(&dice.token()), booted, config));
        }
        let mut roles = Vec::new();
        for _ in 0..config.roles {
            for node in &config.nodes {
                roles.push(Role { mib: config.role_mib, home: node.clone(), on: Some(node.clone()) });
            }
        }
        let service = config.nodes.iter().map(|n| (n.clone(), vec![(start, true)])).collect();
        let mut cluster = Cluster {
            name: config.name.clone(),
            id,
            level: level(Version::of_family(config.build.family)),
            now: start,
            seed,
            dice,
            durations,
            rules,
            nodes,
            formed: true,
            witness: WitnessTruth { configured: config.witness, offline_since: None, vote: false },
            roles,
            node_mib: config.node_mib,
            storage: StorageTruth::new(config),
            effects: Vec::new(),
            catastrophes: Vec::new(),
            service,
            slow: false,
            earlier: None,
            gaps: false,
            queue: BTreeMap::new(),
            queued: 0,
        };
        cluster.count_votes();
        cluster
    }

    /// Something is due later.
    pub(crate) fn after(&mut self, wait: Millis, event: Event) {
        self.queued += 1;
        self.queue.insert((self.now + wait, self.queued), event);
    }

    /// When the next thing is due.
    pub(crate) fn next_event(&self) -> Option<Timestamp> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// Everything until `to` happens, in order.
    pub(crate) fn advance_to(&mut self, to: Timestamp) {
        for _ in 0..MOST_EVENTS {
            let Some(entry) = self.queue.first_entry().filter(|e| e.key().0 <= to) else {
                self.now = self.now.max(to);
                return;
            };
            let (at, _) = *entry.key();
            let event = entry.remove();
            self.now = self.now.max(at);
            self.happens(event);
        }
        unreachable!("the simulator makes events without end");
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Drain { node, pause, cause } => {
                if self.nodes[&node].pause == pause {
                    self.drain_on(&node, &cause);
                }
            }
            Event::MaintenanceEnds { node, pause } => {
                if self.nodes[&node].pause == pause {
                    self.maintenance_ends(&node);
                }
            }
            Event::Failback { node, pause } => {
                if self.nodes[&node].pause == pause {
                    self.fail_back(&node);
                }
            }
            Event::Worker { node, number } => self.worker_goes_on(&node, number),
            Event::RestartAsks { node, power } => {
                if self.nodes[&node].power == power {
                    self.restart_asks(&node);
                }
            }
            Event::CommitEnds { node, power } => {
                if self.nodes[&node].power == power {
                    self.commit_ends(&node);
                }
            }
            Event::GoDown { node, power, cause } => {
                if self.nodes[&node].power == power {
                    self.goes_down(&node, true, &cause);
                }
            }
            Event::PowerOn { node, power, cause } => {
                if self.nodes[&node].power == power {
                    self.powers_on(&node, &cause);
                }
            }
            Event::ServiceStarts { node, power } => {
                if self.nodes[&node].power == power {
                    self.service_starts(&node);
                }
            }
            Event::Joins { node, power } => {
                if self.nodes[&node].power == power {
                    self.joins(&node);
                }
            }
            Event::LullEnds { number } => self.lull_ends(number),
            Event::Repaired { number } => self.repaired(number),
            Event::Late(order) => self.arrives_late(&order),
            Event::Strikes(planned) => self.strikes(&planned),
        }
    }

    pub(crate) fn node(&mut self, name: &NodeName) -> &mut Node {
        match self.nodes.get_mut(name) {
            Some(node) => node,
            None => unreachable!("{name} is no node of {}", self.name),
        }
    }

    /// Writes down what happened.
    pub(crate) fn did(&mut self, node: &NodeName, did: Did, cause: &Cause) {
        let node = self.nodes[node].id.clone();
        self.effects.push(Effect { at: self.now, node, did, cause: cause.clone() });
    }

    /// What follows from a change of members: votes, quorum, storage, roles.
    pub(crate) fn changed(&mut self, cause: &Cause) {
        self.count_quorum(cause);
        self.place_roles();
        self.look_at_storage(cause);
        let now = self.now;
        for (name, node) in &self.nodes {
            let serves = self.formed && node.serves();
            let history = self.service.entry(name.clone()).or_default();
            if history.last().is_none_or(|(_, was)| *was != serves) {
                history.push((now, serves));
            }
        }
    }
}

/// `ClusterFunctionalLevel` 11 for 22H2 and 12 for 23H2 and 24H2; the level stays until it is raised on purpose, after all nodes run the new release
/// (Microsoft: Cluster operating system rolling upgrade). The upgrade versions follow clusapi.h of the Windows SDK.
fn level(version: Option<Version>) -> Level {
    match version {
        Some(Version::V22H2) | None => Level { functional: 11, upgrade: 32_773 },
        Some(Version::V23H2) => Level { functional: 12, upgrade: 32_772 },
        Some(Version::V24H2) => Level { functional: 12, upgrade: 32_774 },
    }
}

fn fresh(id: NodeId, boot: drydock_model::ids::BootId, booted: Timestamp, config: &ClusterConfig) -> Node {
    Node {
        id,
        memory: Memory::default(),
        earlier: Memory::default(),
        on: true,
        power: 0,
        boot,
        booted,
        build: config.build,
        skew: 0,
        registry: RegistryFacts::default(),
        effective: RegistryFacts::default(),
        worker: None,
        staged: None,
        setup: Setup::default(),
        upgrade: None,
        script: None,
        task: None,
        service: ClusterService::Running,
        joined: true,
        paused: false,
        drain: DrainStatus::NotInitiated,
        pause: 0,
        impaired: false,
        vote: true,
        drives: Maintenance::Out,
        failed_drives: 0,
        disk_free: config.disk_free,
        armed: Armed::default(),
        unreachable: None,
        persons: false,
    }
}

/// A name made of letters and digits.
pub(crate) fn name<T: std::str::FromStr<Err: Display>>(text: &str) -> T {
    match text.parse() {
        Ok(name) => name,
        Err(why) => unreachable!("{text:?} {why}"),
    }
}
