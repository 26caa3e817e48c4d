//! One lap: one observation, one decision, at most one effect. Nothing kept between two laps matters: losing it loses only a lap.

use crate::handling::{self, Handling};
use crate::ports::{Appended, Clock, Clusters, PerformError, Reading, Record, Store, StoreError, Wanted, World};
use drydock_model::fact::Fact;
use drydock_model::ids::{EntryId, NodeName};
use drydock_model::ledger::{Event, Ledger};
use drydock_model::observed::Observed;
use drydock_model::order::{Order, Receipt};
use drydock_model::plan::{Decision, HoldReason, Plan, Recheck, Remote, Situation, WaitingOn};
use drydock_model::time::{Millis, Now, Stamp};
use drydock_planner as planner;
use std::borrow::Cow;
use std::sync::Arc;
use tracing::{debug, info, warn};

/// Progress of a node that is out is written at most this often.
const PROGRESS: Millis = Millis::minutes(1);

/// What a lap may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything.
    Act,
    /// Look, and write status (rule 28).
    Observe,
}

/// What is carried from lap to lap for comfort: losing it costs one lap.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// A state seen once and not written yet; written when seen twice, so that flapping does not flood the log.
    candidate: Option<String>,
    /// Laps in a row that saw another state than the written one: what never is the same twice is written all the same.
    unlike: u8,
    /// The order that was sent last and not obeyed.
    unheard: Option<Unheard>,
    /// Nodes that the ledger speaks of and the desired state no longer names: a node that is out is looked at until it is back.
    unnamed: Vec<NodeName>,
}

/// An order that was sent and not obeyed, again and again: what waits for it waits for that (L3).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unheard {
    entry: EntryId,
    node: NodeName,
    /// One word, so that it is written once.
    kind: &'static str,
    why: String,
    times: u8,
    /// Written once; what takes turns with it is no news of it.
    told: bool,
}

/// How often an order is sent before it is told that it was not obeyed: once may be chance.
const TOLD_AFTER: u8 = 2;

/// Laps in which nothing is written although none is like what is written.
const UNLIKE: u8 = 3;

/// How a lap ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lap {
    /// What was planned, where it came to planning.
    pub plan: Option<Plan>,
    /// When to look again.
    pub then: Then,
    /// Whether an entry was written.
    pub wrote: Option<Appended>,
}

/// When to look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Then {
    /// At once: an entry was written, and nothing waits for anything but a fresh look.
    AtOnce,
    /// As the decision says.
    Recheck(Recheck),
    /// As the error says.
    Handle(Handling),
}

/// Runs one lap for one cluster.
pub async fn lap<W: World>(world: &W, wanted: &Arc<Wanted>, mode: Mode, stop: Option<&str>, memory: &mut Memory) -> Lap {
    let observed = world.clusters().observe(&with_unnamed(wanted, &memory.unnamed)).await;
    // After the look at the nodes, so that nothing written meanwhile is missed (rule 14).
    let reading = match world.store().read(&wanted.desired.cluster).await {
        Ok(reading) => reading,
        Err(error) => return failed(wanted, &error),
    };
    memory.unnamed = unnamed(wanted, &reading);
    let now = Now { at: world.clock().now() };
    let plan = decide(wanted, &reading, &observed, stop, now, mode);
    let Fact::Known { value: ledger, .. } = &reading.ledger else {
        return Lap { then: Then::Recheck(Recheck::Usual), plan: Some(plan), wrote: None };
    };
    let stamp = planner::stamp(&observed, ledger, now);
    let lap = Effect { world, wanted, ledger, remote: &reading.remote, stop, observed: &observed, stamp, now, mode };
    lap.perform(plan, memory).await
}

/// Nodes that something was begun on, and that the desired state does not name any more.
fn unnamed(wanted: &Wanted, reading: &Reading) -> Vec<NodeName> {
    let Fact::Known { value: ledger, .. } = &reading.ledger else { return Vec::new() };
    let begun = [ledger.out.as_ref().map(|o| &o.node), ledger.open.as_ref().map(|i| &i.node), ledger.settling.as_ref().map(|s| &s.node)];
    let mut names: Vec<NodeName> = begun.into_iter().flatten().map(|id| id.name.clone()).collect();
    names.retain(|name| !wanted.desired.nodes.contains(name));
    names.dedup();
    names
}

fn with_unnamed<'w>(wanted: &'w Arc<Wanted>, unnamed: &[NodeName]) -> Cow<'w, Wanted> {
    if unnamed.is_empty() {
        return Cow::Borrowed(wanted);
    }
    let mut desired = (*wanted.desired).clone();
    desired.nodes.extend(unnamed.iter().cloned());
    Cow::Owned(Wanted { desired: Arc::new(desired), ..(**wanted).clone() })
}

/// What is planned. An observer fences nobody and meets nobody, so it says what would come after that: as if every node had heard, and each were known.
fn decide(wanted: &Wanted, reading: &Reading, observed: &Observed, stop: Option<&str>, now: Now, mode: Mode) -> Plan {
    let situation = Situation {
        desired: &wanted.desired,
        revision: &wanted.revision,
        ledger: &reading.ledger,
        remote: &reading.remote,
        observed,
        stop,
        now,
    };
    match (mode, &reading.ledger) {
        (Mode::Observe, Fact::Known { value: ledger, seen }) => {
            let (mut ledger, mut heard) = (ledger.clone(), observed.clone());
            // No entry is waited for, however long ago the last one was.
            ledger.last_stamp = ledger.last_stamp.map(|last| last.max(now.at));
            let plan = |ledger: &Ledger, heard: &Observed| {
                let ledger = Fact::Known { value: ledger.clone(), seen: *seen };
                judged(&Situation { ledger: &ledger, observed: heard, ..situation })
            };
            let mut planned = plan(&ledger, &heard);
            for _ in 0..BEFORE_ANYTHING {
                if !pretend(&planned.decision, &mut ledger, &mut heard) {
                    break;
                }
                planned = plan(&ledger, &heard);
            }
            only_observed(planned)
        }
        (Mode::Act, _) | (Mode::Observe, Fact::Unknown(_)) => judged(&situation),
    }
}

/// Fences and acquaintances that come before anything else: two of each at most, as each makes the next one needless.
const BEFORE_ANYTHING: usize = 4;

/// Takes a fence for heard, or a node for met. False where the decision is another one.
fn pretend(decision: &Decision, ledger: &mut Ledger, heard: &mut Observed) -> bool {
    match decision {
        Decision::Fence(orders) => {
            for order in orders {
                if let Some(Fact::Known { value, .. }) = heard.nodes.get_mut(&order.node.name).map(|facts| &mut facts.memory) {
                    value.fence = Some(order.entry.place.clone());
                }
            }
            true
        }
        Decision::Meet(ids) => {
            ledger.apply(&Event::Met(ids.clone()), Stamp::Unknown);
            true
        }
        Decision::Converged
        | Decision::Wait(..)
        | Decision::Open(_)
        | Decision::Cancel(_)
        | Decision::Perform(_)
        | Decision::Close { .. }
        | Decision::Hold(_) => false,
    }
}

/// What an observer says of a plan that it will not carry out.
fn only_observed(mut plan: Plan) -> Plan {
    if plan.decision != Decision::Converged {
        plan.report.next = format!("nothing, as this controller only observes; one that acts: {}", plan.report.next);
        plan.report.blocked_by.push("this controller only observes (run --observe)".to_owned());
    }
    plan
}

/// Plans, and lets the laws judge the plan: they were written apart from the planner.
fn judged(situation: &Situation<'_>) -> Plan {
    let mut plan = planner::plan(situation);
    if let Err(violations) = drydock_laws::check(situation, &plan)
        && let Some(first) = violations.first()
    {
        let cluster = &situation.desired.cluster;
        warn!(%cluster, law = %first.law, what = %first.what, decision = ?plan.decision, "a law forbids the next step");
        let hold = HoldReason::Law { id: first.law.to_string(), what: first.what.clone() };
        plan.report.next = hold.way_out();
        plan.report.next_at = None;
        plan.report.blocked_by = vec![hold.to_string()];
        plan.decision = Decision::Hold(hold);
    }
    plan
}

struct Effect<'a, W: World> {
    world: &'a W,
    wanted: &'a Arc<Wanted>,
    ledger: &'a Ledger,
    remote: &'a Remote,
    stop: Option<&'a str>,
    observed: &'a Observed,
    stamp: Stamp,
    now: Now,
    mode: Mode,
}

impl<W: World> Effect<'_, W> {
    async fn perform(&self, plan: Plan, memory: &mut Memory) -> Lap {
        let (events, recheck) = match (&plan.decision, self.mode) {
            (Decision::Converged, _) => (self.converged(), Recheck::Usual),
            (Decision::Wait(on, recheck), _) => (self.noted(&plan.decision, Some(on), memory), *recheck),
            (Decision::Hold(_), _) => (self.noted(&plan.decision, None, memory), Recheck::Usual),
            (_, Mode::Observe) => (self.observed_only(&plan.decision), Recheck::Usual),
            (Decision::Fence(orders) | Decision::Perform(orders), Mode::Act) => {
                let state = memory.unheard.as_ref().and_then(|unheard| self.told(orders, &plan.decision, unheard));
                return match state {
                    Some((state, why)) => {
                        let mut told = plan.clone();
                        told.report.blocked_by.push(why);
                        let lap = self.write(vec![Event::Noted { state }], Then::AtOnce, told).await;
                        if let Some(unheard) = &mut memory.unheard {
                            unheard.told = lap.wrote.is_some();
                        }
                        match lap {
                            // What cannot be told is done all the same.
                            Lap { wrote: None, then: Then::Handle(Handling::Again | Handling::Onward | Handling::After(_)), .. } => {
                                self.send(orders.clone(), plan, memory).await
                            }
                            lap => lap,
                        }
                    }
                    None => self.send(orders.clone(), plan, memory).await,
                };
            }
            (Decision::Meet(ids), Mode::Act) => return self.write(vec![Event::Met(ids.clone())], Then::AtOnce, plan).await,
            (Decision::Open(intent), Mode::Act) => return self.write(vec![Event::Opened(intent.clone())], Then::AtOnce, plan).await,
            (Decision::Cancel(entry), Mode::Act) => return self.write(vec![Event::Cancelled(entry.clone())], Then::AtOnce, plan).await,
            (Decision::Close { entry, outcome, heard }, Mode::Act) => {
                let closed = Event::Closed { entry: entry.clone(), outcome: outcome.clone(), heard: *heard };
                return self.write(vec![closed], Then::AtOnce, plan).await;
            }
        };
        self.write(events, Then::Recheck(recheck), plan).await
    }

    /// What is to be told of an order that would be sent once more and was not obeyed so far, unless it has been told.
    fn told(&self, orders: &[Order], decision: &Decision, unheard: &Unheard) -> Option<(String, String)> {
        let again = orders.iter().any(|order| order.entry == unheard.entry && order.node.name == unheard.node);
        let state = format!("{}/{}/{}", decision.state(), unheard.node, unheard.kind);
        let new = self.ledger.since.as_ref().is_none_or(|(was, _)| *was != state);
        (again && new && !unheard.told && unheard.times >= TOLD_AFTER).then(|| (state, unheard.why.clone()))
    }

    /// Orders are sent one after the other; what they did is for the next observation to say.
    async fn send(&self, orders: Vec<Order>, plan: Plan, memory: &mut Memory) -> Lap {
        let cluster = &self.wanted.desired.cluster;
        let mut worst = Then::Recheck(Recheck::Soon);
        let before = memory.unheard.take();
        for order in &orders {
            let (kind, why) = match self.world.clusters().perform(self.wanted, order).await {
                Ok(receipt) => {
                    info!(%cluster, %order, ?receipt, "sent");
                    match receipt {
                        Receipt::Refused(unmet) => (unmet.kind(), format!("{} refuses {order}: {unmet}", order.node.name)),
                        Receipt::Fenced { newer } => ("Fenced", format!("{} refuses {order}: it has heard {newer}", order.node.name)),
                        // What the node shows of these decides.
                        Receipt::Applied | Receipt::Started | Receipt::AlreadyConsumed | Receipt::PlatformRefused(_) => continue,
                    }
                }
                Err(error) => {
                    warn!(%cluster, %order, %error, "no receipt");
                    worst = Then::Handle(handling::of_perform(&error));
                    let kind = match &error {
                        PerformError::NotSent(_) => "NotSent",
                        PerformError::Unknown(_) => "NoAnswer",
                    };
                    (kind, in_short(&format!("{order}: {error}")))
                }
            };
            let same = before.as_ref().filter(|b| b.entry == order.entry && b.node == order.node.name && b.kind == kind);
            let (times, told) = same.map_or((1, false), |b| (b.times.saturating_add(1), b.told));
            memory.unheard = Some(Unheard { entry: order.entry.clone(), node: order.node.name.clone(), kind, why, times, told });
        }
        Lap { plan: Some(plan), then: worst, wrote: None }
    }

    async fn write(&self, mut events: Vec<Event>, then: Then, plan: Plan) -> Lap {
        if self.ledger.revisions.observed.as_ref() != Some(&self.wanted.revision) {
            events.insert(0, Event::Read(self.wanted.revision.clone()));
        }
        let problem = self.wanted.problem.as_deref().map(in_short);
        if self.ledger.refused != problem {
            events.push(Event::Refused { problem });
        }
        if events.is_empty() {
            return Lap { plan: Some(plan), then, wrote: None };
        }
        let record = Record {
            cluster: self.wanted.desired.cluster.clone(),
            path: self.wanted.path.clone(),
            events,
            stamp: self.stamp,
            at: self.now.at,
            decision: plan.decision.clone(),
            report: plan.report.clone(),
            observed: self.observed.clone(),
            remote: self.remote.clone(),
            stop: self.stop.map(ToOwned::to_owned),
            wanted: Arc::clone(self.wanted),
        };
        match self.world.store().append(record).await {
            Ok(appended) => {
                debug!(cluster = %self.wanted.desired.cluster, %appended, state = plan.decision.state(), "written");
                // Without the remote nothing that was opened is performed: no hurry.
                let then = if appended == Appended::Pushed { then } else { Then::Recheck(Recheck::Soon) };
                Lap { plan: Some(plan), then, wrote: Some(appended) }
            }
            Err(error) => Lap { plan: Some(plan), ..failed(self.wanted, &error) },
        }
    }

    /// Converged clusters cost no commit, once it is written that they are.
    fn converged(&self) -> Vec<Event> {
        let state = Decision::Converged.state();
        let mut events = Vec::new();
        if self.ledger.applied_spec.as_ref() != Some(&self.wanted.desired.spec) {
            events.push(Event::Applied { revision: self.wanted.revision.clone(), spec: self.wanted.desired.spec.clone() });
        }
        if self.ledger.since.as_ref().is_none_or(|(was, _)| *was != state) {
            events.push(Event::Noted { state });
        }
        events
    }

    /// A transition is a change of the kind of decision or of its blocker, seen in two laps; and progress, once a minute.
    fn noted(&self, decision: &Decision, on: Option<&WaitingOn>, memory: &mut Memory) -> Vec<Event> {
        let state = decision.state();
        let was = self.ledger.since.as_ref().map(|(state, _)| state.as_str());
        if was == Some(state.as_str()) {
            (memory.candidate, memory.unlike) = (None, 0);
            let progress = matches!(on, Some(WaitingOn::StepRunning { percent: Some(_), .. }));
            let due = self.ledger.last_stamp.is_some_and(|last| self.now.at.since(last) >= PROGRESS);
            return if progress && due || self.late_now() { vec![Event::Noted { state }] } else { Vec::new() };
        }
        memory.unlike = memory.unlike.saturating_add(1);
        if memory.candidate.as_deref() != Some(state.as_str()) && memory.unlike < UNLIKE {
            memory.candidate = Some(state);
            return Vec::new();
        }
        (memory.candidate, memory.unlike) = (None, 0);
        vec![Event::Noted { state }]
    }

    /// Whether the run has become late since the last entry: whoever waits for one thing all the time is warned too.
    fn late_now(&self) -> bool {
        let desired = &self.wanted.desired;
        match (self.ledger.late_from(desired.target, desired.run.warn_after), self.stamp, self.ledger.last_stamp) {
            (Some(late), Stamp::At(now), Some(last)) => last < late && now >= late,
            // Without a stamp nobody could tell afterwards that it was said.
            (_, Stamp::Unknown, _) | (None, _, _) | (_, _, None) => false,
        }
    }

    /// With `--observe` what would be done is only said.
    fn observed_only(&self, decision: &Decision) -> Vec<Event> {
        let state = format!("Observe/{}", decision.state());
        if self.ledger.since.as_ref().is_some_and(|(was, _)| *was == state) { Vec::new() } else { vec![Event::Noted { state }] }
    }
}

/// A problem as it is compared with what was told before: its beginning, on one line. The whole of it stands in the status beside.
fn in_short(problem: &str) -> String {
    const MOST: usize = 200;
    let words: Vec<&str> = problem.split_whitespace().collect();
    words.join(" ").chars().take(MOST).collect()
}

fn failed(wanted: &Wanted, error: &StoreError) -> Lap {
    warn!(cluster = %wanted.desired.cluster, %error, "the ledger");
    Lap { plan: None, then: Then::Handle(handling::of_store(error)), wrote: None }
}
