//! Single situations for the planner: a healthy cluster of four, one thing changed at a time.

use crate::sim::desired;
use drydock_model::desired::Desired;
use drydock_model::fact::Fact;
use drydock_model::ids::*;
use drydock_model::ledger::*;
use drydock_model::observed::*;
use drydock_model::plan::*;
use drydock_model::time::{Millis, Now, Span, Stamp, Timestamp};
use drydock_planner::plan;
use std::collections::{BTreeMap, BTreeSet};

/// The time.
pub const NOON: Timestamp = Timestamp(1_763_899_200_000);

/// A situation that can be changed.
#[derive(Clone)]
pub struct Case {
    /// What is wanted.
    pub desired: Desired,
    /// What is written.
    pub ledger: Ledger,
    /// What is seen.
    pub observed: Observed,
    /// How the branch is.
    pub remote: Remote,
    /// The stop file.
    pub stop: Option<&'static str>,
    /// When.
    pub now: Timestamp,
}

/// A node's name.
pub fn name(n: u32) -> NodeName {
    format!("N0{n}").parse().expect("fine")
}

/// A node's identity.
pub fn id(n: u32) -> NodeId {
    NodeId {
        name: name(n),
        machine: format!("machine-{n}").parse().expect("fine"),
        cluster: "cluster".parse().expect("fine"),
        node: n.to_string().parse().expect("fine"),
    }
}

/// The claim.
pub fn epoch() -> Epoch {
    Epoch { number: 1, nonce: "ab12".parse().expect("fine") }
}

/// A fact read at noon.
pub fn known<T>(value: T) -> Fact<T> {
    Fact::Known { value, seen: Span::at(NOON) }
}

/// A node in good order.
pub fn node(n: u32, view: &View) -> NodeFacts {
    NodeFacts {
        id: known(id(n)),
        boot: known(Boot { id: format!("boot-{n}").parse().expect("fine"), up: Millis::hours(100) }),
        clock: known(NOON),
        build: known("20349.3692".parse().expect("fine")),
        memory: known(Memory {
            fence: Some(Place { epoch: epoch(), seq: 0 }),
            registry_written: Some("an-earlier-boot".parse().expect("fine")),
            ..Memory::default()
        }),
        registry: known(RegistryFacts { refs_enable_metadata_validation: Some(0), skip_small_local_allocations: Some(0) }),
        worker: known(None),
        setup: known(Setup::default()),
        service: known(ClusterService::Running),
        view: known(view.clone()),
        disk_free: known(80 << 30),
    }
}

/// Four nodes in good order, on 22H2, of which 23H2 is wanted.
pub fn four() -> Case {
    let member = |n: u32| Member { state: MemberState::Up, drain: DrainStatus::NotInitiated, impaired: false, vote: true, roles: n };
    let members: BTreeMap<_, _> = (1..=4).map(|n| (name(n), member(n))).collect();
    let view = View { cluster: "cluster".parse().expect("fine"), members, witness: Witness::Online { vote: false } };
    let room = Room { free_mib: 65_536, roles_mib: vec![8_192, 4_096] };
    let storage = Storage {
        disks: BTreeMap::from([("Volume01".to_owned(), DiskState::Healthy)]),
        jobs: Vec::new(),
        drives: (1..=4).map(|n| (name(n), Drives { total: 4, good: 4, maintenance: 0 })).collect(),
        pool_healthy: true,
    };
    let mut ledger = Ledger::new(epoch());
    ledger.known = (1..=4).map(|n| (name(n), id(n))).collect();
    Case {
        desired: desired(&"hospital-north".parse().expect("fine"), 4),
        ledger,
        observed: Observed {
            nodes: (1..=4).map(|n| (name(n), node(n, &view))).collect(),
            cluster: ClusterFacts {
                through: Some(name(4)),
                storage: known(storage),
                capacity: known(Capacity { nodes: (1..=4).map(|n| (name(n), room.clone())).collect() }),
                level: known(Level { functional: 11, upgrade: 32_773 }),
                would_lose_quorum: known(BTreeSet::new()),
                preconditions: known(Preconditions { solution: false, self_updating: false, sites: 1 }),
            },
            span: Span::at(NOON),
        },
        remote: Remote::Confirmed,
        stop: None,
        now: NOON,
    }
}

impl Case {
    /// What the planner decides.
    pub fn decide(&self) -> Decision {
        self.plan().decision
    }

    /// What the planner decides and reports. The laws stand behind it: what they have to forbid is a fault of the planner's.
    pub fn plan(&self) -> Plan {
        let ledger = known(self.ledger.clone());
        let revision = "abc123".parse().expect("fine");
        let situation = Situation {
            desired: &self.desired,
            revision: &revision,
            ledger: &ledger,
            remote: &self.remote,
            observed: &self.observed,
            stop: self.stop,
            now: Now { at: self.now },
        };
        let plan = plan(&situation);
        if let Err(broken) = drydock_laws::check(&situation, &plan) {
            let broken: Vec<String> = broken.iter().map(ToString::to_string).collect();
            panic!("the planner decides {}, and the laws forbid it: {}", say(&plan.decision), broken.join("; "));
        }
        plan
    }

    /// A node in good order.
    pub fn node(&mut self, n: u32) -> &mut NodeFacts {
        self.observed.nodes.get_mut(&name(n)).expect("fine")
    }

    /// What a node remembers.
    pub fn memory(&mut self, n: u32) -> &mut Memory {
        value(&mut self.node(n).memory)
    }

    /// What every node sees of the cluster.
    pub fn view(&mut self, change: impl Fn(&mut View)) {
        for facts in self.observed.nodes.values_mut() {
            if let Fact::Known { value, .. } = &mut facts.view {
                change(value);
            }
        }
    }

    /// What every node sees of one member.
    pub fn member(&mut self, n: u32, change: impl Fn(&mut Member)) {
        self.view(|view| change(view.members.get_mut(&name(n)).expect("fine")));
    }

    /// The storage.
    pub fn storage(&mut self) -> &mut Storage {
        value(&mut self.observed.cluster.storage)
    }

    /// Opens what the planner opens, and gives it back.
    pub fn open(&mut self) -> Intent {
        match self.decide() {
            Decision::Open(intent) => {
                self.ledger.apply(&Event::Opened(intent.clone()), Stamp::At(self.now));
                intent
            }
            other => panic!("opens nothing but decides {}", say(&other)),
        }
    }

    /// Closes what is open.
    pub fn close(&mut self, outcome: Outcome) {
        let entry = self.ledger.open.as_ref().expect("fine").entry.clone();
        self.ledger.apply(&Event::Closed { entry, outcome, heard: true }, Stamp::At(self.now));
    }

    /// The node as it is once the Vacate was performed.
    pub fn vacated(&mut self, n: u32, vacate: &Intent) {
        self.consume(n, &vacate.entry.place, Phase::Ended);
        self.memory(n).marker = Some(Marker { vacate: vacate.entry.place.clone(), state: MarkerState::Suspended });
        self.member(n, |m| (m.state, m.drain, m.roles) = (MemberState::Paused, DrainStatus::Completed, 0));
        let drives = self.storage().drives.get_mut(&name(n)).expect("fine");
        (drives.good, drives.maintenance) = (0, 4);
    }

    /// The node remembers to have consumed an entry.
    pub fn consume(&mut self, n: u32, place: &Place, phase: Phase) {
        let memory = self.memory(n);
        memory.fence = Some(place.clone());
        memory.consumed = Some(Consumed { place: place.clone(), digest: "00".parse().expect("fine"), phase });
    }

    /// The node has a worker.
    pub fn worker(&mut self, n: u32, place: &Place, state: WorkerState) {
        let target = self.desired.target;
        let alive = !state.ended();
        self.node(n).worker = known(Some(Worker { place: place.clone(), target, attempt: 1, state, alive }));
    }

    /// A case in which N01 is out and vacated, with nothing open.
    pub fn out() -> Case {
        let mut case = four();
        let vacate = case.open();
        case.vacated(1, &vacate);
        case.close(Outcome::Done);
        case
    }

    /// A case in which the Install of N01 is at work.
    pub fn installing() -> (Case, Intent) {
        let mut case = Case::out();
        let install = case.open();
        case.consume(1, &install.entry.place, Phase::Started);
        case.worker(1, &install.entry.place, WorkerState::Downloading(30));
        (case, install)
    }

    /// A case in which everything is staged on N01 and its Restart is open.
    pub fn restarting() -> (Case, Intent) {
        let (mut case, install) = Case::installing();
        case.worker(1, &install.entry.place, WorkerState::Staged);
        case.close(Outcome::Done);
        let restart = case.open();
        (case, restart)
    }
}

/// The value of a fact that is known.
pub fn value<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Known { value, .. } => value,
        Fact::Unknown(gap) => panic!("unknown: {gap}"),
    }
}

/// A decision in words.
pub fn say(decision: &Decision) -> String {
    match decision {
        Decision::Converged => "converged".to_owned(),
        Decision::Wait(on, _) => format!("wait for {on}"),
        Decision::Fence(orders) => format!("fence {}", orders.iter().map(|o| o.node.name.as_str()).collect::<Vec<_>>().join(" ")),
        Decision::Meet(ids) => format!("meet {}", ids.iter().map(|i| i.name.as_str()).collect::<Vec<_>>().join(" ")),
        Decision::Open(i) => format!("open {} of {} for {} at {}", i.step, i.node.name, i.purpose, i.entry.place),
        Decision::Cancel(entry) => format!("mark the cancel of {}", entry.place),
        Decision::Perform(orders) => format!("send {}", orders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        Decision::Close { entry, outcome, heard } => {
            format!("close {} {outcome}{}", entry.place, if *heard { "" } else { ", unheard" })
        }
        Decision::Hold(why) => format!("hold: {why}"),
    }
}

/// What the planner says of four nodes with one thing changed.
pub fn changed(change: impl FnOnce(&mut Case)) -> String {
    let mut case = four();
    change(&mut case);
    say(&case.decide())
}

impl Case {
    /// What the planner says.
    pub fn says(&self) -> String {
        say(&self.decide())
    }

    /// Writes an event down.
    pub fn write(&mut self, event: &Event) {
        self.ledger.apply(event, Stamp::At(self.now));
    }

    /// The mark of the open intent's Cancel is written down.
    pub fn cancel(&mut self, intent: &Intent) {
        self.write(&Event::Cancelled(intent.cancel_entry().expect("a Cancel of its own")));
    }

    /// Every node has heard of this place.
    pub fn fence_all(&mut self, place: &Place) {
        for n in 1..=4 {
            self.memory(n).fence = Some(place.clone());
        }
    }

    /// The worker's and the nodes' facts stay fresh while time passes.
    pub fn pass(&mut self, time: Millis) {
        self.now = self.now + time;
        let now = self.now;
        let text = Span::at(now);
        for facts in self.observed.nodes.values_mut() {
            refresh(&mut facts.id, text);
            refresh(&mut facts.boot, text);
            refresh(&mut facts.build, text);
            refresh(&mut facts.memory, text);
            refresh(&mut facts.registry, text);
            refresh(&mut facts.worker, text);
            refresh(&mut facts.setup, text);
            refresh(&mut facts.service, text);
            refresh(&mut facts.view, text);
            refresh(&mut facts.disk_free, text);
            if let Fact::Known { value, seen } = &mut facts.clock {
                (*value, *seen) = (now, text);
            }
        }
        let cluster = &mut self.observed.cluster;
        refresh(&mut cluster.storage, text);
        refresh(&mut cluster.capacity, text);
        refresh(&mut cluster.level, text);
        refresh(&mut cluster.would_lose_quorum, text);
        refresh(&mut cluster.preconditions, text);
    }
}

fn refresh<T>(fact: &mut Fact<T>, now: Span) {
    if let Fact::Known { seen, .. } = fact {
        *seen = now;
    }
}
