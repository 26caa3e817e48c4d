//! A cluster of four nodes as small as it can be made without losing what the protocol is about, for the model check: the planner and the nodes' admission
//! are the real ones, time and everything that only takes time are taken away.

mod canonical;
mod view;

pub use canonical::canonical;

use crate::sim::{desired, node};
use drydock_lab::{LocalView, Rules, State, admit};
use drydock_model::desired::{Build, Desired};
use drydock_model::ids::{BootId, ClusterName, Epoch, NodeId, Place, Revision};
use drydock_model::ledger::{Event, Ledger, Word};
use drydock_model::observed::{
    Boot, Commit, CommitPhase, Consumed, Hindrance, Marker, MarkerState, Memory, Phase, Setup, Worker, WorkerFailure, WorkerState,
};
use drydock_model::order::{Act, Order, Work};
use drydock_model::plan::{Decision, HoldReason, Remote, Situation};
use drydock_model::step::Step;
use drydock_model::time::{Millis, Now, Span, Stamp, Timestamp};
use std::collections::BTreeSet;

/// Nodes of the abstract cluster.
pub const NODES: usize = 4;

/// Every entry is stamped with this instant.
pub const NOON: Timestamp = Timestamp(1_767_614_400_000);

/// A lap that comes late: longer than every patience of the planner but shorter than the steps' own bounds, as the abstract spec sets them.
const LATE: Millis = Millis::minutes(45);

/// Orders that lie about at one time: as many as there are faults in the largest run.
const FLIGHT: usize = 2;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// Which machine has the name.
    pub machine: u8,
    /// It runs and has joined.
    pub on: bool,
    /// It is paused and drained.
    pub paused: bool,
    /// It runs the target.
    pub upgraded: bool,
    /// The registry values are right.
    pub registry: bool,
    /// A restart is pending.
    pub pending: bool,
    /// What is staged was committed: the next start runs the target.
    pub committed: bool,
    /// What orders left in its registry. The boot `now` is the present one.
    pub memory: Memory,
    /// Its worker.
    pub worker: Option<Worker>,
}

/// The whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Copies of data are out of date.
    pub stale: bool,
    /// The status branch can be reached.
    pub git: bool,
    /// What the branch adds up to.
    pub ledger: Ledger,
    /// The same before the last entry, while it may still be lost.
    pub earlier: Option<Box<Ledger>>,
    /// Orders on their way that may arrive at any time and in any order; at most `FLIGHT`.
    pub flight: Vec<Order>,
    /// What a controller that fell asleep is about to write, and under which claim.
    pub hand: Option<(Epoch, Event)>,
    /// Faults that may still come.
    pub faults: u8,
    /// Installs and commits that have happened: node, machine, attempt, whether a commit.
    pub done: BTreeSet<(u8, u8, u8, bool)>,
}

/// What is taken away for a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Nodes check what they are ordered.
    pub node_guards: bool,
    /// The planner sees the truth. Without, it sees all others Up, fenced and healed, and the branch confirmed.
    pub planner_guards: bool,
    /// Faults, at most.
    pub faults: u8,
    /// Nodes that run the target from the beginning.
    pub upgraded: usize,
}

/// One way on.
#[derive(Debug, Clone)]
pub struct Way {
    /// What happens.
    pub name: String,
    /// Whether it is a fault.
    pub fault: bool,
    /// Where it leads.
    pub to: World,
    /// Laws that are broken on the way.
    pub broken: Vec<String>,
}

/// The rules of a run.
pub struct Model {
    settings: Settings,
    pub(crate) desired: Desired,
    revision: Revision,
    rules: Rules,
    /// The present boot of every node; an earlier one has another name.
    pub(crate) boot: BootId,
}

pub(crate) fn name<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| unreachable!("{text:?} is a name"))
}

impl Model {
    /// A model with these settings.
    pub fn new(settings: Settings) -> Model {
        let cluster: ClusterName = name("abstract");
        let mut wanted = desired(&cluster, NODES);
        wanted.run.max_retries_per_node = 1;
        wanted.run.reboot_timeout = Millis::hours(3);
        Model { settings, desired: wanted, revision: name("aaaa"), rules: Rules::all(), boot: name("now") }
    }

    /// The beginning: all on the old release, prepared, one claim, every node known and fenced.
    pub fn beginning(&self) -> World {
        let epoch = Epoch { number: 1, nonce: name("n1") };
        let mut ledger = Ledger::new(epoch);
        let fence = ledger.claim();
        let memory = Memory { fence: Some(fence), registry_written: Some(name("before-0")), ..Memory::default() };
        let node = Node {
            machine: 0,
            on: true,
            paused: false,
            upgraded: false,
            registry: true,
            pending: false,
            committed: false,
            memory,
            worker: None,
        };
        let mut nodes = vec![node; NODES];
        nodes.iter_mut().take(self.settings.upgraded).for_each(|n| n.upgraded = true);
        ledger.apply(&Event::Met((0..NODES).map(|i| self.id(i, 0)).collect()), Stamp::At(NOON));
        let earlier = (self.settings.faults > 0).then(|| Box::new(ledger.clone()));
        World {
            nodes,
            stale: false,
            git: true,
            ledger,
            earlier,
            flight: Vec::new(),
            hand: None,
            faults: self.settings.faults,
            done: BTreeSet::new(),
        }
    }

    pub(crate) fn id(&self, i: usize, machine: u8) -> NodeId {
        NodeId { name: node(i + 1), machine: name(&format!("m{i}-{machine}")), cluster: name("cluster"), node: name(&format!("{}", i + 1)) }
    }

    fn index(&self, of: &NodeId) -> usize {
        (0..NODES).find(|i| node(i + 1) == of.name).unwrap_or(0)
    }

    /// What the controller decides now, and the laws that its plan breaks.
    pub fn decide(&self, world: &World, late: bool) -> (Decision, Vec<String>) {
        let now = if late { NOON + LATE } else { NOON };
        let observed = self.observed(world, now, self.settings.planner_guards);
        let ledger = drydock_model::fact::Fact::Known { value: world.ledger.clone(), seen: Span::at(now) };
        let remote =
            if world.git || !self.settings.planner_guards { Remote::Confirmed } else { Remote::Unread("connection refused".to_owned()) };
        let situation = Situation {
            desired: &self.desired,
            revision: &self.revision,
            ledger: &ledger,
            remote: &remote,
            observed: &observed,
            stop: None,
            now: Now { at: now },
        };
        let plan = drydock_planner::plan(&situation);
        let broken =
            if self.settings.planner_guards { drydock_laws::check(&situation, &plan).err().unwrap_or_default() } else { Vec::new() };
        (plan.decision, broken.iter().map(|v| format!("plan: {v}")).collect())
    }

    /// Every way on.
    pub fn ways(&self, world: &World) -> Vec<Way> {
        let mut ways = Vec::new();
        let (decision, broken) = self.decide(world, false);
        if world.hand.is_none() {
            self.lap(world, &decision, broken, &mut ways);
            if let Decision::Wait(..) = decision {
                let (decision, broken) = self.decide(world, true);
                self.lap(world, &decision, broken, &mut ways);
            }
        }
        self.by_itself(world, &mut ways);
        if world.faults > 0 {
            self.faults(world, &mut ways);
        }
        ways
    }

    fn push(&self, ways: &mut Vec<Way>, of: &World, name: String, fault: bool, change: impl FnOnce(&mut World, &mut Vec<String>)) {
        let mut to = of.clone();
        let mut broken = Vec::new();
        if fault {
            to.faults -= 1;
        }
        change(&mut to, &mut broken);
        if to.faults == 0 {
            to.earlier = None;
        }
        canonical(&mut to);
        if to != *of || !broken.is_empty() {
            ways.push(Way { name, fault, to, broken });
        }
    }

    fn lap(&self, world: &World, decision: &Decision, broken: Vec<String>, ways: &mut Vec<Way>) {
        if !broken.is_empty() {
            ways.push(Way { name: decision.state(), fault: false, to: world.clone(), broken });
            return;
        }
        match decision {
            Decision::Converged | Decision::Wait(..) => {}
            Decision::Hold(why) => self.push(ways, world, format!("a person heeds {}", why.kind()), false, |w, _| self.person(w, why)),
            Decision::Fence(orders) | Decision::Perform(orders) => {
                let what = orders.first().map_or_else(String::new, ToString::to_string);
                self.push(ways, world, format!("sends {what}"), false, |w, broken| orders.iter().for_each(|o| self.arrives(w, o, broken)));
                if let (Decision::Perform(orders), true, true) = (decision, world.faults > 0, world.flight.len() < FLIGHT)
                    && let [order] = orders.as_slice()
                {
                    self.push(ways, world, format!("{what} lies about"), true, |w, _| w.flight.push(order.clone()));
                    if order.step_of() == Some(Step::Restart) {
                        self.push(ways, world, format!("{what} commits, and the restart is not borne"), true, |w, broken| {
                            self.comes(w, order, false, broken);
                        });
                    }
                    self.push(ways, world, format!("{what} comes, and once more"), true, |w, broken| {
                        w.flight.push(order.clone());
                        self.arrives(w, order, broken);
                    });
                }
            }
            Decision::Meet(ids) => self.writes(world, Event::Met(ids.clone()), ways),
            Decision::Open(intent) => self.writes(world, Event::Opened(intent.clone()), ways),
            Decision::Cancel(entry) => self.writes(world, Event::Cancelled(entry.clone()), ways),
            Decision::Close { entry, outcome, heard } => {
                self.writes(world, Event::Closed { entry: entry.clone(), outcome: outcome.clone(), heard: *heard }, ways);
            }
        }
    }

    fn writes(&self, world: &World, event: Event, ways: &mut Vec<Way>) {
        self.push(ways, world, format!("writes {}", said(&event)), false, |w, _| append(w, &event));
        if world.faults > 0 {
            self.push(ways, world, format!("sleeps before it writes {}", said(&event)), true, |w, _| {
                w.hand = Some((w.ledger.epoch.clone(), event));
            });
        }
    }

    /// The way out of a hold.
    fn person(&self, w: &mut World, why: &HoldReason) {
        let retry = |w: &mut World, node: &drydock_model::ids::NodeName| {
            append(w, &Event::Word(Word::Retry { node: node.clone(), reason: "mended".to_owned() }));
        };
        match why {
            HoldReason::NodeReplaced { node } | HoldReason::NodeFailed { node, .. } => retry(w, node),
            HoldReason::TooManyFailed { nodes } => nodes.iter().for_each(|node| retry(w, node)),
            HoldReason::PersonHasNode { node: who, committed } => {
                let i = (0..NODES).find(|i| node(i + 1) == *who).unwrap_or(0);
                w.nodes[i].paused = *committed;
                w.stale |= *committed;
            }
            HoldReason::LedgerRewound { .. } | HoldReason::OtherClaim { .. } => {
                claim(w);
                w.ledger.adopt();
            }
            // These end when the node or the storage does what it is at; the others cannot be reached with this spec.
            HoldReason::NodeSilent { .. }
            | HoldReason::StandsStill { .. }
            | HoldReason::StepOverdue { .. }
            | HoldReason::StorageStalled { .. }
            | HoldReason::NewerThanDesired { .. }
            | HoldReason::NoRoute { .. }
            | HoldReason::DiskSpace { .. }
            | HoldReason::MembersDiffer { .. }
            | HoldReason::OtherCluster { .. }
            | HoldReason::NoWindowFits { .. }
            | HoldReason::GoneIsMember { .. }
            | HoldReason::StopAfter { .. }
            | HoldReason::StatusTouched { .. }
            | HoldReason::MixedReleases { .. }
            | HoldReason::SolutionDeployed
            | HoldReason::SelfUpdating
            | HoldReason::Stretched { .. }
            | HoldReason::SingleNode
            | HoldReason::Law { .. } => {}
        }
    }

    /// What happens without anybody's doing.
    fn by_itself(&self, world: &World, ways: &mut Vec<Way>) {
        for (i, n) in world.nodes.iter().enumerate() {
            if !n.on {
                self.push(ways, world, format!("N{i} starts"), false, |w, _| starts(w, i, false, false));
                if world.faults > 0 && n.committed {
                    self.push(ways, world, format!("N{i} rolls back"), true, |w, _| starts(w, i, true, false));
                    self.push(ways, world, format!("N{i} forgets"), true, |w, _| starts(w, i, false, true));
                }
            }
            if n.on && n.worker.as_ref().is_some_and(|worker| worker.alive) {
                self.push(ways, world, format!("the worker of N{i} ends"), false, |w, _| worker_ends(&mut w.nodes[i]));
                if world.faults > 0 {
                    self.push(ways, world, format!("the worker of N{i} fails"), true, |w, _| {
                        if let Some(worker) = &mut w.nodes[i].worker {
                            worker.alive = false;
                            worker.state = WorkerState::Failed(WorkerFailure { code: 1, doing: "staging".to_owned() });
                        }
                    });
                }
            }
        }
        if world.stale && world.nodes.iter().all(|n| n.on && !n.paused) {
            self.push(ways, world, "storage heals".to_owned(), false, |w, _| w.stale = false);
        }
        if !world.git {
            self.push(ways, world, "the branch is back".to_owned(), false, |w, _| w.git = true);
        }
        for (i, order) in world.flight.iter().enumerate() {
            self.push(ways, world, format!("late comes {order}"), false, |w, broken| {
                w.flight.remove(i);
                self.arrives(w, order, broken);
            });
            self.push(ways, world, format!("late {order} is lost"), false, |w, _| {
                w.flight.remove(i);
            });
        }
        if let Some((epoch, event)) = &world.hand {
            self.push(ways, world, format!("wakes and writes {}", said(event)), false, |w, _| {
                w.hand = None;
                // The server takes only what stands on the newest claim.
                if w.ledger.epoch == *epoch {
                    append(w, event);
                }
            });
        }
    }

    fn faults(&self, world: &World, ways: &mut Vec<Way>) {
        self.push(ways, world, "another controller claims".to_owned(), true, |w, _| claim(w));
        if world.git {
            self.push(ways, world, "the branch goes away".to_owned(), true, |w, _| w.git = false);
        }
        if let Some(earlier) = world.earlier.as_ref().filter(|e| ***e != world.ledger) {
            self.push(ways, world, "the last entry is lost, and the controller starts anew".to_owned(), true, |w, _| {
                w.ledger = (**earlier).clone();
                claim(w);
            });
        }
        for (i, n) in world.nodes.iter().enumerate() {
            if n.on {
                self.push(ways, world, format!("N{i} crashes"), true, |w, _| goes_down(w, i));
                self.push(ways, world, format!("N{i} is replaced"), true, |w, _| {
                    let n = &mut w.nodes[i];
                    let (machine, upgraded) = (n.machine + 1, n.upgraded);
                    *n = Node {
                        machine,
                        on: true,
                        paused: false,
                        upgraded,
                        registry: false,
                        pending: false,
                        committed: false,
                        memory: Memory::default(),
                        worker: None,
                    };
                    w.stale = true;
                });
                let what = if n.paused { "resumes" } else { "pauses" };
                self.push(ways, world, format!("a person {what} N{i}"), true, |w, _| {
                    w.nodes[i].paused = !w.nodes[i].paused;
                    w.stale = true;
                });
            }
        }
    }

    /// An order comes to its node, which performs it or does not.
    fn arrives(&self, w: &mut World, order: &Order, broken: &mut Vec<String>) {
        self.comes(w, order, true, broken);
    }

    /// The same; what commits goes down for it only where the quorum bears that.
    fn comes(&self, w: &mut World, order: &Order, borne: bool, broken: &mut Vec<String>) {
        let i = self.index(&order.node);
        let n = &w.nodes[i];
        if !n.on {
            return;
        }
        let heard = n.memory.fence.clone();
        let (memory, work) = if self.settings.node_guards {
            let (id, boot) = (self.id(i, n.machine), Boot { id: self.boot.clone(), up: Millis::hours(1) });
            let (view, storage) = (self.members(w, true), self.storage(w, true));
            let up = w.nodes.iter().filter(|n| n.on).count();
            let local = LocalView { view: &view, storage: &storage, would_lose_quorum: (up - 1) * 2 <= NODES };
            let setup = Setup { running: false, pending: n.pending };
            let state = State { id: &id, boot: &boot, build: build(n), setup, worker: n.worker.as_ref(), busy: false };
            match admit(&self.rules, &n.memory, state, Some(local), order) {
                Ok(admission) => (admission.memory, admission.work),
                Err(_) => return,
            }
        } else {
            credulous(&n.memory, order)
        };
        w.nodes[i].memory = memory;
        match work {
            None => clean_up(&mut w.nodes[i]),
            Some(work) => {
                if heard.is_some_and(|heard| order.entry.place.compare(&heard) == Some(std::cmp::Ordering::Less)) {
                    broken.push(format!("S9: {order} after something newer was heard"));
                }
                if order.node.machine != self.id(i, w.nodes[i].machine).machine {
                    broken.push(format!("S6: {order} on another machine"));
                }
                self.works(w, i, &work, &order.entry.place, borne, broken);
            }
        }
    }

    fn works(&self, w: &mut World, i: usize, work: &Work, place: &Place, borne: bool, broken: &mut Vec<String>) {
        let away = |w: &World| (0..NODES).find(|j| *j != i && (!w.nodes[*j].on || w.nodes[*j].paused));
        let found = w.nodes[i].memory.commit.as_ref().is_some_and(|c| c.target == work.target && c.attempt == work.attempt);
        let endangers = match work.step {
            Step::Vacate | Step::Install | Step::Reboot => true,
            Step::Restart => !found,
            Step::WriteRegistry | Step::Return | Step::Settle => false,
        };
        if endangers && let Some(j) = away(w) {
            broken.push(format!("S1: {} of N{i} while N{j} is away", work.step));
        }
        if work.step == Step::Vacate && w.stale {
            broken.push(format!("S2: Vacate of N{i} while copies are out of date"));
        }
        let goes_on = matches!(work.step, Step::Install | Step::Reboot | Step::Restart);
        let waits = w.nodes[i].committed && !w.nodes[i].upgraded;
        if work.step == Step::Return && w.nodes[i].paused && waits {
            broken.push(format!("S1: N{i} is put back into service, and its next restart upgrades it"));
        }
        if goes_on && !w.nodes[i].paused {
            broken.push(format!("S1: {} of N{i} in service", work.step));
        }
        let machine = w.nodes[i].machine;
        let key = |commit| (u8::try_from(i).unwrap_or(0), machine, work.attempt, commit);
        let n = &mut w.nodes[i];
        match work.step {
            Step::WriteRegistry => {
                n.registry = true;
                n.memory.registry_written = Some(self.boot.clone());
                phase(n, Phase::Ended);
            }
            Step::Vacate => {
                n.paused = true;
                n.memory.marker = Some(Marker { vacate: place.clone(), state: MarkerState::Suspended });
                phase(n, Phase::Ended);
                w.stale = true;
            }
            Step::Return => {
                n.paused = false;
                n.memory.marker = None;
                phase(n, Phase::Ended);
            }
            Step::Reboot => {
                phase(n, Phase::Started);
                goes_down(w, i);
            }
            Step::Install => {
                phase(n, Phase::Started);
                match &mut n.worker {
                    Some(worker) if self.settings.node_guards && worker.target == work.target && worker.attempt == work.attempt => {
                        worker.place = place.clone();
                    }
                    Some(_) | None => {
                        n.worker = Some(Worker {
                            place: place.clone(),
                            target: work.target,
                            attempt: work.attempt,
                            state: WorkerState::Downloading(0),
                            alive: true,
                        });
                        n.pending = false;
                        if !w.done.insert(key(false)) {
                            broken.push(format!("S5: N{i} is installed twice in attempt {}", work.attempt));
                        }
                    }
                }
            }
            Step::Restart => {
                phase(n, Phase::Started);
                if !(found && self.settings.node_guards) {
                    n.committed = n.pending;
                    n.memory.commit = Some(Commit {
                        target: work.target,
                        attempt: work.attempt,
                        phase: if borne { CommitPhase::Restarting } else { CommitPhase::Committed },
                        boot: self.boot.clone(),
                    });
                    if !w.done.insert(key(true)) {
                        broken.push(format!("S5: N{i} is committed twice in attempt {}", work.attempt));
                    }
                }
                if borne {
                    goes_down(w, i);
                } else {
                    phase(&mut w.nodes[i], Phase::Unmet(Hindrance::Quorum));
                }
            }
            // Nothing is ordered to settle.
            Step::Settle => {}
        }
    }

    /// Whether everything is reached.
    pub fn reached(&self, world: &World) -> bool {
        world.flight.is_empty()
            && world.hand.is_none()
            && world.nodes.iter().all(|n| n.on && !n.paused && n.upgraded)
            && self.decide(world, false).0 == Decision::Converged
    }
}

fn said(event: &Event) -> String {
    match event {
        Event::Opened(intent) => format!("{} of {} opened", intent.step, intent.node.name),
        Event::Closed { outcome, .. } => format!("closed {outcome}"),
        Event::Cancelled(_) => "cancelled".to_owned(),
        Event::Met(_) => "met".to_owned(),
        Event::Claimed { .. } | Event::Noted { .. } | Event::Applied { .. } | Event::Read(_) | Event::Refused { .. } | Event::Word(_) => {
            "an entry".to_owned()
        }
    }
}

fn append(w: &mut World, event: &Event) {
    if w.faults > 0 {
        w.earlier = Some(Box::new(w.ledger.clone()));
    }
    w.ledger.apply(event, Stamp::At(NOON));
}

fn claim(w: &mut World) {
    let seen = w.nodes.iter().flat_map(|n| n.memory.fence.iter().chain(n.memory.consumed.iter().map(|c| &c.place)));
    let number = seen.map(|p| p.epoch.number).max().unwrap_or(0).max(w.ledger.epoch.number) + 1;
    let epoch = Epoch { number, nonce: name(&format!("n{number}")) };
    w.ledger.apply(&Event::Claimed { epoch }, Stamp::Unknown);
    if w.faults > 0 {
        // A claim is not lost: only what is written under it.
        w.earlier = Some(Box::new(w.ledger.clone()));
    }
}

pub(crate) fn build(n: &Node) -> Build {
    if n.upgraded { Build { family: 25_398, revision: 1_665 } } else { Build { family: 20_349, revision: 3_692 } }
}

fn phase(n: &mut Node, phase: Phase) {
    if let Some(consumed) = &mut n.memory.consumed {
        consumed.phase = phase;
    }
}

fn goes_down(w: &mut World, i: usize) {
    let n = &mut w.nodes[i];
    n.on = false;
    if let Some(worker) = &mut n.worker {
        worker.alive = false;
    }
    w.stale = true;
    canonical::another_boot(w, i);
}

/// It starts, and what was committed takes effect, or does not.
fn starts(w: &mut World, i: usize, rolls_back: bool, forgets: bool) {
    let n = &mut w.nodes[i];
    n.on = true;
    if n.committed {
        n.upgraded |= !rolls_back;
        n.pending = false;
    } else if n.pending {
        // What was staged and not committed before a restart is of no use afterwards.
        n.pending = false;
        if let Some(worker) = &mut n.worker {
            worker.state = WorkerState::Failed(WorkerFailure { code: 0x8024_2014, doing: "restarting".to_owned() });
        }
    }
    n.committed = false;
    if forgets {
        n.memory = Memory::default();
        n.worker = None;
    }
}

/// The worker looks whether it may go on, and comes to its end.
fn worker_ends(n: &mut Node) {
    let memory = &n.memory;
    let Some(worker) = &mut n.worker else { return };
    let above = |place: Option<&Place>| place.is_some_and(|p| p.compare(&worker.place) == Some(std::cmp::Ordering::Greater));
    let stops = above(memory.cancelled.as_ref()) || above(memory.consumed.as_ref().map(|c| &c.place)) || memory.marker.is_none();
    worker.alive = false;
    worker.state = if stops { WorkerState::Cancelled } else { WorkerState::Staged };
    n.pending = !stops;
}

/// A Cancel takes away what was staged and not committed.
fn clean_up(n: &mut Node) {
    let cancelled = n.memory.cancelled.clone();
    let committed = n.memory.commit.clone();
    let Some(worker) = &mut n.worker else { return };
    let newer = cancelled.is_some_and(|c| c.compare(&worker.place) == Some(std::cmp::Ordering::Greater));
    let spent = committed.is_some_and(|c| c.target == worker.target && c.attempt == worker.attempt);
    if newer && !spent && worker.state == WorkerState::Staged {
        worker.state = WorkerState::Cancelled;
        n.pending = false;
    }
}

/// A node without guards: it remembers what it is told, and does it.
fn credulous(memory: &Memory, order: &Order) -> (Memory, Option<Work>) {
    let mut after = memory.clone();
    let place = order.entry.place.clone();
    let higher = |old: &Option<Place>| old.as_ref().is_none_or(|old| old.compare(&place) != Some(std::cmp::Ordering::Greater));
    if higher(&after.fence) {
        after.fence = Some(place.clone());
    }
    match &order.act {
        Act::Fence { marker } => {
            if marker.is_some() {
                after.marker = marker.clone();
            }
            (after, None)
        }
        Act::Cancel => {
            after.cancelled = Some(place);
            (after, None)
        }
        Act::Step(work) => {
            after.consumed = Some(Consumed { place, digest: order.digest.clone(), phase: Phase::Recorded });
            (after, Some(work.clone()))
        }
    }
}
