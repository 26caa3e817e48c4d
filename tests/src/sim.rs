//! One simulated cluster and its controllers, lap by lap under virtual time.

use crate::touch::{Left, Ports, Touch};
use drydock_engine::handling::Handling;
use drydock_engine::lap::{Lap, Memory, Mode, Then, lap};
use drydock_engine::pace::{Pace, Pacing};
use drydock_engine::ports::{Clock, Fleet, Store, TakeOver, Wanted, World};
use drydock_lab::sim::{Branch, Shared, SimClock, SimClusters, SimSource, SimStore, Sleep};
use drydock_lab::{ClusterConfig, Durations, Lab, Rules};
use drydock_model::connection::Connection;
use drydock_model::desired::{
    BitsSource, Desired, FailbackMode, Maintenance, Method, NodeOrder, Overrun, RunOptions, Target, Version, WorkloadPolicy,
};
use drydock_model::ids::{ClusterName, NodeName};
use drydock_model::plan::{Decision, Recheck};
use drydock_model::time::{Millis, Timestamp};
use drydock_model::window::Windows;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// When simulations begin: 2026-01-05T00:00:00Z, a Monday.
pub const START: Timestamp = Timestamp(1_767_571_200_000);

/// One simulated cluster, its branch, and any number of controllers.
pub struct Sim {
    /// The truth.
    pub lab: Shared,
    /// The status branch.
    pub branch: Branch,
    /// The desired state.
    pub wanted: Arc<Wanted>,
    /// The controllers.
    pub controllers: Vec<Controller>,
    /// Laps so far.
    pub laps: usize,
    /// What each lap decided, for a person who looks for a fault.
    pub story: Vec<String>,
    /// Where a controller's effects are counted, and where one may be crashed.
    pub touch: Arc<Mutex<Touch>>,
    /// A stop file beside every controller.
    pub stop: Option<String>,
    /// A lap that changed nothing is followed by one when something has happened in the lab, and not before; at the latest after this.
    pub skip: Option<Millis>,
    /// The pace of controllers that start from now on.
    pub pacing: Pacing,
}

/// What a simulation is made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// All chance comes from it.
    pub seed: u64,
    /// The cluster.
    pub config: ClusterConfig,
    /// What is wanted at first.
    pub desired: Desired,
    /// How long things take.
    pub durations: Durations,
    /// The nodes' own checks.
    pub rules: Rules,
    /// The controllers' pace.
    pub pacing: Pacing,
    /// See [`Sim::skip`].
    pub skip: Option<Millis>,
}

/// One simulated controller.
pub struct Controller {
    name: String,
    world: Ports,
    memory: Memory,
    pace: Pace,
    alive: bool,
    claimed: bool,
    take_over: TakeOver,
    due: Timestamp,
}

impl Controller {
    /// Its configured name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it still runs.
    pub fn alive(&self) -> bool {
        self.alive
    }

    /// Whether it holds a claim, as far as it knows.
    pub fn claimed(&self) -> bool {
        self.claimed
    }

    /// Its clock, to be set wrong.
    pub fn clock(&self) -> &SimClock {
        self.world.clock()
    }

    /// When its next lap is due.
    pub fn due(&self) -> Timestamp {
        self.due
    }

    /// What it carries from lap to lap, in words, and whether anything waits to be pushed.
    pub fn mind(&self) -> (String, usize) {
        (format!("{:?}", self.memory), self.world.store().inner().pending())
    }
}

/// What one turn of a controller came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// No controller is alive.
    Nobody,
    /// It tried to claim.
    Claim,
    /// It made a lap.
    Lap(Box<Lap>),
    /// It crashed where it was told to.
    Crashed,
}

/// How a simulation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The controller says that the cluster has converged.
    Converged,
    /// It ran out of laps; the last state.
    Stuck(String),
}

/// A node's name.
pub fn node(n: usize) -> NodeName {
    format!("N{n:02}").parse().unwrap_or_else(|_| unreachable!("a node's name"))
}

/// A cluster that asks for 23H2 from Windows Update.
pub fn desired(cluster: &ClusterName, nodes: usize) -> Desired {
    Desired {
        cluster: cluster.clone(),
        spec: "spec-1".parse().unwrap_or_else(|_| unreachable!("a hash")),
        nodes: (1..=nodes).map(node).collect(),
        target: Target { version: Version::V23H2, revision: 0 },
        source: BitsSource::WindowsUpdate,
        method: Method::Rolling,
        maintenance: Maintenance { windows: Windows::always(), overrun: Overrun::FinishNode },
        run: RunOptions {
            max_retries_per_node: 3,
            max_failed_nodes: 1,
            node_order: NodeOrder::FewestRolesFirst,
            stop_after: None,
            warn_after: None,
            reboot_timeout: Millis::hours(1),
            suspend_cluster_node_timeout: Millis::minutes(30),
            wait_for_storage_repair_timeout: Millis::hours(8),
            failback_mode: FailbackMode::Immediate,
        },
        workload: WorkloadPolicy::LiveMigrate,
        suspend: None,
        contact: None,
        change: None,
    }
}

impl Setup {
    /// A cluster of `nodes` nodes on 22H2 with a witness, 23H2 wanted, everything as it usually is.
    pub fn usual(seed: u64, nodes: usize) -> Setup {
        let name: ClusterName = "hospital-north".parse().unwrap_or_else(|_| unreachable!("a name"));
        let build = "20349.3692".parse().unwrap_or_else(|_| unreachable!("a build"));
        Setup {
            seed,
            config: ClusterConfig::new(name.clone(), (1..=nodes).map(node).collect(), build),
            desired: desired(&name, nodes),
            durations: Durations::real(),
            rules: Rules::default(),
            pacing: Pacing::default(),
            skip: None,
        }
    }
}

impl Sim {
    /// A cluster of `nodes` nodes on 22H2, and one controller.
    pub fn new(seed: u64, nodes: usize, durations: Durations) -> Sim {
        Sim::with_rules(seed, nodes, durations, Rules::default())
    }

    /// The same, with some of the nodes' own checks taken out.
    pub fn with_rules(seed: u64, nodes: usize, durations: Durations, rules: Rules) -> Sim {
        let mut sim = Sim::of(Setup { durations, rules, ..Setup::usual(seed, nodes) });
        sim.start("north", seed);
        sim
    }

    /// A simulation without any controller yet.
    pub fn of(setup: Setup) -> Sim {
        let mut lab = Lab::new(setup.seed, START, setup.durations).with_rules(setup.rules);
        lab.add(&setup.config);
        let wanted = Wanted {
            path: format!("clusters/{}.yaml", setup.config.name),
            desired: Arc::new(setup.desired),
            revision: "aaaa".parse().unwrap_or_else(|_| unreachable!("a revision")),
            connection: Connection::lab(),
            problem: None,
            warnings: Vec::new(),
        };
        Sim {
            lab: Arc::new(Mutex::new(lab)),
            branch: Branch::new(),
            wanted: Arc::new(wanted),
            controllers: Vec::new(),
            laps: 0,
            story: Vec::new(),
            touch: Arc::default(),
            stop: None,
            skip: setup.skip,
            pacing: setup.pacing,
        }
    }

    /// A simulation that goes on from what a crashed controller left, without any controller yet.
    pub fn left(setup: &Setup, left: &Left) -> Sim {
        let mut sim = Sim::of(setup.clone());
        sim.lab = Arc::new(Mutex::new(left.lab.clone()));
        sim.branch = left.branch.copy();
        sim
    }

    /// Starts one more controller.
    pub fn start(&mut self, name: &str, seed: u64) -> usize {
        self.start_with(name, seed, TakeOver::No, Millis::ZERO)
    }

    /// Starts one more controller after a pause, perhaps with `--take-over`.
    pub fn start_with(&mut self, name: &str, seed: u64, take_over: TakeOver, after: Millis) -> usize {
        let clock = SimClock::new(Arc::clone(&self.lab), Sleep::Drives, seed ^ (self.controllers.len() as u64) << 32);
        let fleet = Fleet {
            revision: self.wanted.revision.clone(),
            clusters: BTreeMap::from([(self.wanted.desired.cluster.clone(), Arc::clone(&self.wanted))]),
            problems: Vec::new(),
            refused: None,
        };
        let world = Ports::new(
            SimSource::new(fleet),
            SimStore::new(self.branch.clone(), name, clock.clone()),
            self.branch.clone(),
            SimClusters::new(Arc::clone(&self.lab), clock.clone()),
            clock,
            Arc::clone(&self.touch),
        );
        let due = self.now() + after;
        let pace = Pace::new(self.pacing);
        self.controllers.push(Controller {
            name: name.to_owned(),
            world,
            memory: Memory::default(),
            pace,
            alive: true,
            claimed: false,
            take_over,
            due,
        });
        self.controllers.len() - 1
    }

    /// The controller is gone, with all it had in memory, and starts anew.
    pub fn kill(&mut self, which: usize, seed: u64) -> usize {
        self.kill_for(which, seed, Millis::ZERO)
    }

    /// The same, and it starts anew only after a while.
    pub fn kill_for(&mut self, which: usize, seed: u64, pause: Millis) -> usize {
        self.controllers[which].alive = false;
        let name = self.controllers[which].name.clone();
        let take_over = self.controllers[which].take_over;
        self.start_with(&name, seed, take_over, pause)
    }

    /// Changes what is wanted, as a merge would.
    pub fn merge(&mut self, revision: &str, change: impl FnOnce(&mut Desired)) {
        let mut desired = (*self.wanted.desired).clone();
        change(&mut desired);
        desired.spec = format!("spec-{revision}").parse().unwrap_or_else(|_| unreachable!("a hash"));
        let revision = revision.parse().unwrap_or_else(|_| unreachable!("a revision"));
        self.wanted = Arc::new(Wanted { desired: Arc::new(desired), revision, ..(*self.wanted).clone() });
    }

    /// The lab's time.
    pub fn now(&self) -> Timestamp {
        self.with(|lab| lab.now())
    }

    /// A look at, or a word to, the lab.
    pub fn with<T>(&self, ask: impl FnOnce(&mut Lab) -> T) -> T {
        ask(&mut self.lab.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// When the next turn comes, and whose it is.
    pub fn next_turn(&self) -> Option<(Timestamp, usize)> {
        self.controllers.iter().enumerate().filter(|(_, c)| c.alive).map(|(i, c)| (c.due, i)).min()
    }

    /// One lap of the controller whose turn comes first. `None` when none is alive; no lap while it only claims, or crashes.
    pub fn step(&mut self) -> Option<Option<Lap>> {
        match self.turn() {
            Turn::Nobody => None,
            Turn::Claim | Turn::Crashed => Some(None),
            Turn::Lap(lap) => Some(Some(*lap)),
        }
    }

    /// One turn of the controller whose turn comes first.
    pub fn turn(&mut self) -> Turn {
        let Some((at, which)) = self.next_turn() else { return Turn::Nobody };
        self.with(|lab| {
            let to = at.max(lab.now());
            lab.advance_to(to);
        });
        self.laps += 1;
        let controller = &mut self.controllers[which];
        if !controller.claimed {
            let Some(claim) = at_once(controller.world.store().claim(controller.take_over)) else {
                controller.alive = false;
                return Turn::Crashed;
            };
            let pause = match claim {
                Ok(_) => {
                    controller.claimed = true;
                    Millis::ZERO
                }
                Err(error) => match drydock_engine::handling::of_claim(&error) {
                    Handling::StandDown(_) => {
                        controller.alive = false;
                        Millis::ZERO
                    }
                    Handling::After(pause) => pause,
                    Handling::Again | Handling::Onward => controller.pace.slower(),
                },
            };
            controller.due = at + pause;
            return Turn::Claim;
        }
        let Some(ended) = at_once(lap(&controller.world, &self.wanted, Mode::Act, self.stop.as_deref(), &mut controller.memory)) else {
            controller.alive = false;
            return Turn::Crashed;
        };
        let time = controller.world.clock().now();
        let converged = ended.plan.as_ref().is_some_and(|p| p.decision == Decision::Converged);
        let mut pause = match &ended.then {
            Then::AtOnce => controller.pace.at_once(),
            Then::Recheck(recheck) => controller.pace.after(*recheck, converged, time),
            Then::Handle(Handling::Onward) => controller.pace.after(Recheck::Soon, false, time),
            Then::Handle(Handling::After(pause)) => *pause,
            Then::Handle(Handling::Again) => controller.pace.slower(),
            Then::Handle(Handling::StandDown(_)) => {
                controller.alive = false;
                Millis::ZERO
            }
        };
        let idle = |decision: &Decision| matches!(decision, Decision::Wait(..) | Decision::Hold(_) | Decision::Converged);
        if let Some(most) = self.skip
            && ended.wrote.is_none()
            && ended.plan.as_ref().is_some_and(|p| idle(&p.decision))
        {
            let happens = self.lab.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next_event();
            pause = happens.map_or(most, |next| next.since(at)).min(most).max(pause);
        }
        let controller = &mut self.controllers[which];
        controller.due = at + pause;
        if let Some(plan) = &ended.plan {
            let line = format!("{at} {which} {}", plan.report.next);
            if self.story.last().is_none_or(|last| last.split_once(' ').map(|x| x.1) != line.split_once(' ').map(|x| x.1)) {
                self.story.push(line);
            }
        }
        Turn::Lap(Box::new(ended))
    }

    /// Laps until the cluster has converged, or `most` laps are over.
    pub fn run(&mut self, most: usize) -> Ended {
        let mut last = "no lap".to_owned();
        for _ in 0..most {
            match self.step() {
                None => return Ended::Stuck("no controller is left".to_owned()),
                Some(None) => {}
                Some(Some(ended)) => {
                    if let Some(plan) = ended.plan {
                        if plan.decision == Decision::Converged && ended.wrote.is_none() {
                            return Ended::Converged;
                        }
                        last = format!("{}: {}", plan.decision.state(), plan.report.next);
                    }
                }
            }
        }
        Ended::Stuck(last)
    }
}

/// The result of a future, unless it waits for ever: what a crash looks like from outside.
pub fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// The result of a future that never waits: everything in a simulation is ready at once.
pub fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a simulated port waits"),
    }
}
