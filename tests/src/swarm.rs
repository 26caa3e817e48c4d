//! Many worlds, drawn from seeds: first everything goes wrong that the seed says, then calm comes and the cluster must converge.

mod draw;

pub use draw::{Drawn, Trouble, draw, media};

use crate::judge::Judge;
use crate::sim::{Sim, Turn};
use drydock_engine::ports::TakeOver;
use drydock_lab::{Fault, Planned};
use drydock_model::desired::{BitsSource, NodeOrder, Overrun, Suspend, Target, Version};
use drydock_model::ids::{ClusterName, NodeName};
use drydock_model::ledger::{Failure as Why, Word};
use drydock_model::plan::{Decision, HoldReason};
use drydock_model::step::Step;
use drydock_model::time::{Millis, Timestamp};
use std::collections::BTreeMap;

/// Laps until calm comes, at most: far above what any seed needs, so that reaching it is a loop.
const SAFETY_LAPS: usize = 20_000;

/// Laps from calm to convergence, at most.
pub const CALM_LAPS: usize = 6_000;

/// Time from calm to convergence, at most: one node in a night, six nodes, twice over for what failed and is made anew.
pub const CALM_TIME: Millis = Millis::hours(24 * 21);

/// What a person does in one run, at most: every hold of every node once, and something over.
const WORDS: usize = 60;

/// What was seen, for a person who asks what is covered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// How often each thing was seen, by group and name.
    pub seen: BTreeMap<(&'static str, String), u64>,
    /// Laps in all.
    pub laps: u64,
    /// Simulated time in all.
    pub time: u64,
    /// The most laps from calm to convergence.
    pub most_calm_laps: u64,
}

impl Tally {
    fn count(&mut self, group: &'static str, name: impl Into<String>) {
        *self.seen.entry((group, name.into())).or_insert(0) += 1;
    }

    /// The sum of two.
    pub fn add(&mut self, other: &Tally) {
        for (key, n) in &other.seen {
            *self.seen.entry(key.clone()).or_insert(0) += n;
        }
        self.laps += other.laps;
        self.time += other.time;
        self.most_calm_laps = self.most_calm_laps.max(other.most_calm_laps);
    }
}

/// A seed that showed something wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Which.
    pub seed: u64,
    /// What.
    pub what: Vec<String>,
    /// What the seed stands for.
    pub drawn: String,
    /// What the controllers did.
    pub story: Vec<String>,
}

/// One seed from its beginning to its convergence.
pub fn run(seed: u64) -> Result<Tally, Box<Failure>> {
    let drawn = draw(seed);
    let mut run = Run::new(drawn);
    let what = match run.safety().and_then(|()| run.calm()) {
        Ok(()) => {
            run.tally.laps = run.sim.laps as u64;
            run.tally.time = run.sim.now().since(crate::sim::START).0;
            return Ok(run.tally);
        }
        Err(what) => what,
    };
    Err(Box::new(Failure { seed, what, drawn: run.drawn.to_string(), story: run.sim.story }))
}

struct Run {
    drawn: Drawn,
    sim: Sim,
    judge: Judge,
    tally: Tally,
    cluster: ClusterName,
    /// Whether observations and clocks are those of the moment.
    exact: bool,
    merged: u32,
    started: u64,
    /// The older of two releases was asked for first, as a hold says; the newer one comes next.
    then_newer: bool,
    /// When a controller that a blow kills starts anew.
    restart: Option<(String, Millis)>,
}

impl Run {
    fn new(drawn: Drawn) -> Run {
        let mut sim = Sim::of(drawn.setup.clone());
        sim.start("north", drawn.setup.seed);
        let cluster = drawn.setup.config.name.clone();
        let vague = |t: &Trouble| {
            matches!(t, Trouble::Skew(_) | Trouble::Lab(Fault::SlowObserve | Fault::Gaps | Fault::ClockSkew | Fault::NodeUnreachable))
        };
        let exact = !drawn.troubles.iter().any(|(_, t)| vague(t));
        let forgets = |t: &Trouble| matches!(t, Trouble::Lab(Fault::ReimagedMemory | Fault::UpgradeForgets));
        let judge = Judge::new(cluster.clone(), drawn.troubles.iter().any(|(_, t)| forgets(t)));
        Run { drawn, sim, judge, tally: Tally::default(), cluster, exact, merged: 0, started: 0, then_newer: false, restart: None }
    }

    fn fresh_seed(&mut self) -> u64 {
        self.started += 1;
        self.drawn.setup.seed.wrapping_mul(31).wrapping_add(self.started)
    }

    /// Troubles come in their time; the laws hold in every lap.
    fn safety(&mut self) -> Result<(), Vec<String>> {
        let began = crate::sim::START;
        let mut troubles = self.drawn.troubles.clone().into_iter().peekable();
        for _ in 0..SAFETY_LAPS {
            let turn_at = self.sim.next_turn().map(|(at, _)| at);
            let trouble_at = troubles.peek().map(|(at, _)| began + *at);
            let end = began + self.drawn.safety;
            match (turn_at, trouble_at) {
                (turn, Some(at)) if turn.is_none_or(|turn| at <= turn) => {
                    let Some((_, trouble)) = troubles.next() else { continue };
                    self.sim.with(|lab| lab.advance_to(at));
                    self.strike(&trouble);
                }
                (Some(at), _) if at <= end => {
                    self.turn()?;
                }
                (Some(_), None) | (None, _) => return Ok(()),
                (Some(_), Some(_)) => return Ok(()),
            }
        }
        Err(vec![format!("{SAFETY_LAPS} laps, and the time has not passed")])
    }

    fn turn(&mut self) -> Result<Turn, Vec<String>> {
        let turn = self.sim.turn();
        let wrong = self.judge.look(&self.sim, &turn, self.exact);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        if let Turn::Lap(lap) = &turn
            && let Some(plan) = &lap.plan
        {
            match &plan.decision {
                Decision::Hold(why @ HoldReason::Law { .. }) => return Err(vec![why.to_string()]),
                Decision::Hold(why) => self.tally.count("hold", why.kind()),
                Decision::Wait(on, _) => self.tally.count("wait", on.kind()),
                Decision::Open(intent) => self.tally.count("open", intent.step.to_string()),
                Decision::Close { outcome, .. } => self.tally.count("close", close_kind(&outcome.to_string())),
                Decision::Cancel(_) => self.tally.count("decision", "Cancel"),
                Decision::Fence(_) => self.tally.count("decision", "Fence"),
                Decision::Meet(_) => self.tally.count("decision", "Meet"),
                Decision::Perform(_) => self.tally.count("decision", "Perform"),
                Decision::Converged => self.tally.count("decision", "Converged"),
            }
        }
        if turn == Turn::Crashed {
            self.tally.count("fault", "killed-at-an-effect");
            let (name, pause) = self.restart.take().unwrap_or(("north".to_owned(), Millis::ZERO));
            let seed = self.fresh_seed();
            self.sim.start_with(&name, seed, TakeOver::No, pause);
        }
        Ok(turn)
    }

    fn merge(&mut self, change: impl FnOnce(&mut drydock_model::desired::Desired)) {
        self.merged += 1;
        self.sim.merge(&format!("{:06x}", self.merged), change);
    }

    /// The newest controller that is alive.
    fn newest(&self) -> Option<usize> {
        self.sim.controllers.iter().rposition(crate::sim::Controller::alive)
    }

    fn strike(&mut self, trouble: &Trouble) {
        self.tally.count("fault", trouble.kind());
        match trouble {
            Trouble::Lab(fault) => {
                let planned = Planned::now(*fault, self.cluster.clone(), None);
                let (Some(_) | None) = self.sim.with(|lab| lab.plan(planned));
            }
            Trouble::BranchDown(_) => self.sim.branch.set_down(true),
            Trouble::BranchUp => self.sim.branch.set_down(false),
            Trouble::LoseAnswers(n) => self.sim.branch.lose_answers(*n),
            Trouble::Refuses(_) => self.sim.branch.refuse(&self.cluster, true),
            Trouble::TakesAgain => self.sim.branch.refuse(&self.cluster, false),
            Trouble::Rewind(n) => self.sim.branch.rewind((*n).min(self.sim.branch.commits().len().saturating_sub(2))),
            Trouble::Lost(n) => {
                self.sim.branch.rewind((*n).min(self.sim.branch.commits().len().saturating_sub(2)));
                self.kill_all();
            }
            Trouble::Foreign(_) => {
                self.sim.branch.foreign(&self.cluster);
            }
            Trouble::Accept => self.accept_all(),
            Trouble::Kill(ahead, blow, pause) => {
                let Some(which) = self.newest() else { return };
                self.restart = Some((self.sim.controllers[which].name().to_owned(), *pause));
                let mut touch = self.sim.touch.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                touch.armed = Some((touch.count + ahead, *blow));
            }
            Trouble::Second(true) => {
                let seed = self.fresh_seed();
                let name = if self.started.is_multiple_of(2) { "north" } else { "south" };
                self.sim.start_with(name, seed, TakeOver::Yes, Millis::ZERO);
            }
            Trouble::Second(false) => {
                let seed = self.fresh_seed();
                self.sim.start("east", seed);
            }
            Trouble::Twin => {
                let seed = self.fresh_seed();
                if let Some(which) = self.newest() {
                    let name = self.sim.controllers[which].name().to_owned();
                    self.sim.start(&name, seed);
                }
            }
            Trouble::Skew(by) => {
                if let Some(which) = self.newest() {
                    self.sim.controllers[which].clock().set_skew(*by);
                }
            }
            Trouble::Stop(_) => self.sim.stop = Some("month-end closing".to_owned()),
            Trouble::StopRemoved => self.sim.stop = None,
            Trouble::Suspend(_) => self.merge(|d| d.suspend = Some(Suspend { reason: "an outage elsewhere".to_owned(), until: None })),
            Trouble::Resume => self.merge(|d| d.suspend = None),
            Trouble::Target24 => self.merge(|d| {
                d.target = Target { version: Version::V24H2, revision: 0 };
                d.source = media();
            }),
            Trouble::Floor(floor) => self.merge(|d| d.target.revision = *floor),
            Trouble::Unnamed(roll) => {
                let nodes = self.drawn.setup.desired.nodes.clone();
                let out = self.sim.ledger().out.map(|o| o.node.name);
                let node = out.filter(|_| roll % 3 > 0).unwrap_or(nodes[usize::try_from(*roll).unwrap_or(0) % nodes.len()].clone());
                self.merge(|d| d.nodes.retain(|n| *n != node));
            }
            Trouble::Named => {
                let nodes = self.drawn.setup.desired.nodes.clone();
                self.merge(|d| d.nodes = nodes);
            }
            Trouble::Retry(roll) => {
                let nodes = self.drawn.setup.desired.nodes.clone();
                let out = self.sim.ledger().out.map(|o| o.node.name);
                let node = out.filter(|_| roll % 3 > 0).unwrap_or(nodes[usize::try_from(*roll).unwrap_or(0) % nodes.len()].clone());
                self.retry(&node);
            }
            Trouble::Gone(roll) => {
                let nodes = &self.drawn.setup.desired.nodes;
                let node = nodes[usize::try_from(*roll).unwrap_or(0) % nodes.len()].clone();
                self.sim.branch.word(&self.cluster, Word::Gone { node, reason: "it smelled of smoke".to_owned() });
            }
            Trouble::Options(roll) => {
                let roll = *roll;
                self.merge(|d| match roll % 4 {
                    0 => d.run.max_retries_per_node = u8::try_from(roll / 4 % 4).unwrap_or(0),
                    1 => d.run.node_order = NodeOrder::Listed(d.nodes.clone()),
                    2 => d.maintenance.overrun = Overrun::Stop,
                    _ => d.contact = Some("storage on call".to_owned()),
                });
            }
        }
    }

    fn kill_all(&mut self) {
        let seed = self.fresh_seed();
        let alive: Vec<usize> = (0..self.sim.controllers.len()).filter(|i| self.sim.controllers[*i].alive()).collect();
        for which in &alive {
            self.sim.kill(*which, seed ^ *which as u64);
        }
    }

    fn accept_all(&mut self) {
        use drydock_lab::sim::BranchWrite;
        let commits = self.sim.branch.commits();
        let accepted = |id| commits.iter().any(|c| matches!(&c.write, BranchWrite::Accepted { commit } if commit == id));
        for commit in &commits {
            if matches!(commit.write, BranchWrite::Foreign { .. }) && !accepted(&commit.id) {
                self.sim.branch.accept(&commit.id);
            }
        }
    }

    /// Nothing goes wrong any more; persons do what the holds ask of them; the cluster converges.
    fn calm(&mut self) -> Result<(), Vec<String>> {
        self.calm_down();
        let (laps, began) = (self.sim.laps, self.sim.now());
        let mut words = 0;
        let mut last = String::new();
        for _ in 0..CALM_LAPS {
            if self.sim.now().since(began) > CALM_TIME {
                return Err(vec![format!("calm for {CALM_TIME} and not converged; {last}; {} words said", words)]);
            }
            match self.turn()? {
                Turn::Nobody => self.person_starts(),
                Turn::Claim | Turn::Crashed => {}
                Turn::Lap(lap) => {
                    let Some(plan) = &lap.plan else { continue };
                    last = format!("{}: {}", plan.decision.state(), plan.report.next);
                    match &plan.decision {
                        Decision::Converged if lap.wrote.is_none() && std::mem::take(&mut self.then_newer) => self.merge(|d| {
                            d.target = Target { version: Version::V24H2, revision: 0 };
                            d.source = media();
                        }),
                        Decision::Converged if lap.wrote.is_none() => {
                            self.tally.most_calm_laps = (self.sim.laps - laps) as u64;
                            return self.converged();
                        }
                        Decision::Hold(why) => {
                            words += 1;
                            if words > WORDS {
                                return Err(vec![format!("{WORDS} ways out taken, and still: {last}")]);
                            }
                            self.way_out(why);
                        }
                        Decision::Converged
                        | Decision::Wait(..)
                        | Decision::Fence(_)
                        | Decision::Meet(_)
                        | Decision::Open(_)
                        | Decision::Cancel(_)
                        | Decision::Perform(_)
                        | Decision::Close { .. } => {}
                    }
                }
            }
        }
        Err(vec![format!("calm for {CALM_LAPS} laps ({}) and not converged; {last}; {words} words said", self.sim.now().since(began))])
    }

    fn calm_down(&mut self) {
        self.sim.with(|lab| lab.calm());
        self.sim.branch.set_down(false);
        self.sim.branch.lose_answers(0);
        self.sim.branch.refuse(&self.cluster, false);
        self.sim.stop = None;
        let nodes = self.drawn.setup.desired.nodes.clone();
        if self.sim.wanted.desired.nodes != nodes {
            self.merge(|d| d.nodes = nodes);
        }
        for controller in &self.sim.controllers {
            controller.clock().set_skew(0);
        }
        self.sim.touch.lock().unwrap_or_else(std::sync::PoisonError::into_inner).armed = None;
        if self.sim.wanted.desired.suspend.is_some() || self.sim.wanted.desired.run.stop_after.is_some() {
            self.merge(|d| {
                d.suspend = None;
                d.run.stop_after = None;
            });
        }
        self.exact = true;
    }

    fn person_starts(&mut self) {
        let seed = self.fresh_seed();
        self.sim.start_with("north", seed, TakeOver::Yes, Millis::minutes(1));
    }

    /// A person does what the hold says (L4).
    fn way_out(&mut self, why: &HoldReason) {
        self.tally.count("way out", why.kind());
        match why {
            HoldReason::NodeFailed { node, failed } => {
                self.sim.with(|lab| match (failed.step, &failed.why) {
                    (Step::Vacate, _) => lab.move_roles(&self.cluster, node),
                    (_, Why::StillPending) => lab.unstage(&self.cluster, node),
                    _ => {}
                });
                self.retry(node);
            }
            HoldReason::NodeReplaced { node } => self.retry(node),
            HoldReason::TooManyFailed { nodes } => nodes.clone().iter().for_each(|node| self.retry(node)),
            HoldReason::PersonHasNode { node, committed } => {
                let fault = if *committed { Fault::PersonPauses } else { Fault::PersonResumes };
                let planned = Planned::now(fault, self.cluster.clone(), Some(node.clone()));
                let (Some(_) | None) = self.sim.with(|lab| lab.plan(planned));
            }
            HoldReason::LedgerRewound { .. } | HoldReason::OtherClaim { .. } => self.adopt(),
            HoldReason::StatusTouched { .. } => self.accept_all(),
            HoldReason::MixedReleases { .. } => {
                self.then_newer = true;
                self.merge(|d| {
                    d.target = Target { version: Version::V23H2, revision: 0 };
                    d.source = BitsSource::WindowsUpdate;
                });
            }
            HoldReason::NewerThanDesired { .. } => self.merge(|d| {
                d.target = Target { version: Version::V24H2, revision: 0 };
                d.source = media();
            }),
            HoldReason::StorageStalled { .. } => {
                self.sim.with(|lab| lab.bring_online(&self.cluster));
                self.time_passes();
            }
            // These end by themselves when the machine does: the person looks, and lets time pass.
            HoldReason::NodeSilent { .. } | HoldReason::StepOverdue { .. } | HoldReason::StandsStill { .. } => self.time_passes(),
            // It has come back after all.
            HoldReason::GoneIsMember { node } => self.retry(node),
            HoldReason::StopAfter { .. } => self.merge(|d| d.run.stop_after = None),
            // Not drawn: the count of words ends the run.
            HoldReason::NoRoute { .. }
            | HoldReason::DiskSpace { .. }
            | HoldReason::MembersDiffer { .. }
            | HoldReason::OtherCluster { .. }
            | HoldReason::NoWindowFits { .. }
            | HoldReason::SolutionDeployed
            | HoldReason::SelfUpdating
            | HoldReason::Stretched { .. }
            | HoldReason::SingleNode
            | HoldReason::Law { .. } => {}
        }
    }

    fn time_passes(&self) {
        // No multiple of any period of the planner.
        let later = self.sim.now() + Millis::minutes(7);
        self.sim.with(|lab| lab.advance_to(later));
    }

    fn retry(&self, node: &NodeName) {
        self.sim.branch.word(&self.cluster, Word::Retry { node: node.clone(), reason: "the cause is mended".to_owned() });
    }

    /// `drydock init --adopt`: a claim above every number that any node shows; the controller that held stands down and is started again.
    fn adopt(&mut self) {
        let nodes = self.drawn.setup.desired.nodes.clone();
        let observed = self.sim.with(|lab| lab.observe(&self.cluster, &nodes));
        let memories = observed.nodes.values().filter_map(|n| n.memory.known());
        let places = memories.flat_map(|m| m.fence.iter().chain(m.consumed.iter().map(|c| &c.place)));
        self.sim.branch.adopt(places.map(|place| place.epoch.number).max().unwrap_or(0));
    }

    fn converged(&self) -> Result<(), Vec<String>> {
        let mut wrong = self.judge.at_rest();
        let claims = self.sim.controllers.iter().filter(|c| c.alive() && c.claimed()).count();
        if claims == 0 {
            wrong.push("converged, and nobody holds the branch".to_owned());
        }
        let late: Vec<Timestamp> = self.sim.controllers.iter().filter(|c| c.alive()).map(crate::sim::Controller::due).collect();
        if late.is_empty() {
            wrong.push("converged, and nobody watches".to_owned());
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// An outcome without what differs from case to case.
fn close_kind(text: &str) -> String {
    let text = if text.contains("installation failed") { "Failed: the installation failed" } else { text };
    text.to_owned()
}
