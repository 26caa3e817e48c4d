//! The controller's life: claim, one task per cluster, a bounded number of probes at once, a clean stop.

use crate::handling::{self, Handling};
use crate::lap::{self, Memory, Mode, Then};
use crate::pace::{Pace, Pacing, spread};
use crate::ports::{ClaimError, Clock, Fleet, Source, Store, StoreError, TakeOver, Wanted, World};
use drydock_model::desired::{Desired, Suspend};
use drydock_model::ids::ClusterName;
use drydock_model::plan::{Decision, Plan, Recheck};
use drydock_model::time::Millis;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

/// Told of each plan, for those who watch.
pub type Watcher = dyn Fn(&Wanted, &Plan) + Send + Sync;

/// How a controller is run.
#[derive(Clone)]
pub struct Options {
    /// Whether it acts.
    pub mode: Mode,
    /// Whether it may take over from another one.
    pub take_over: TakeOver,
    /// How many clusters are looked at at once.
    pub probes: usize,
    /// How soon laps follow each other.
    pub pacing: Pacing,
    /// How often the desired source is read when nothing stirs.
    pub poll: Millis,
    /// The words of the stop file, while there is one (rule 27).
    pub stop_file: Arc<dyn Fn() -> Option<String> + Send + Sync>,
    /// Told of each plan, for those who watch.
    pub watcher: Arc<Watcher>,
}

/// How a controller's life ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// As it was told to. Entries that the remote does not have are named; no effect depends on them but the way back of a node that was out.
    Stopped {
        /// Why not everything could be pushed.
        unpushed: Option<String>,
    },
    /// Another controller holds the branch; its supervisor must not start it again.
    StoodDown(String),
    /// The branch must not be written, nor read, by this version.
    TooNew(String),
    /// As it was told to, and a cluster's task had broken off and not gone on since: a fault in Drydock itself.
    Fault(String),
}

impl End {
    /// Why a controller that got no claim does not ask again.
    pub fn without_claim(error: &ClaimError, why: String) -> End {
        match error {
            ClaimError::SchemaTooNew { .. } => End::TooNew(why),
            ClaimError::HeldBy { .. }
            | ClaimError::Split { .. }
            | ClaimError::TooMany { .. }
            | ClaimError::Unreachable(_)
            | ClaimError::NoBranch(_)
            | ClaimError::Unsigned { .. }
            | ClaimError::Refused(_)
            | ClaimError::Local(_) => End::StoodDown(why),
        }
    }
}

/// Runs until `stop` turns true, or another controller takes over.
pub async fn run<W: World>(world: Arc<W>, options: Options, mut stop: watch::Receiver<bool>) -> End {
    let mut pace = Pace::new(options.pacing);
    loop {
        match world.store().claim(options.take_over).await {
            Ok(epoch) => {
                info!(%epoch, "claimed");
                break;
            }
            Err(error) => {
                let pause = match handling::of_claim(&error) {
                    Handling::StandDown(why) => return End::without_claim(&error, why),
                    Handling::After(pause) => pause,
                    Handling::Again | Handling::Onward => pace.slower(),
                };
                warn!(%error, "no claim yet; nothing is done without one");
                if sleep(&*world, pause, &mut stop).await {
                    return End::Stopped { unpushed: None };
                }
            }
        }
    }
    let broken = match tend(&world, &options, &mut stop).await {
        Ok(broken) => broken,
        Err(why) => return End::StoodDown(why),
    };
    let unpushed = match world.store().flush().await {
        Ok(()) => None,
        Err(StoreError::StoodDown(why)) => return End::StoodDown(why),
        Err(StoreError::Refused(why) | StoreError::Local(why)) => Some(why),
        Err(error @ StoreError::Touched { .. }) => Some(error.to_string()),
    };
    let Some(what) = broken else { return End::Stopped { unpushed } };
    if let Some(why) = unpushed {
        warn!(%why, "not everything is on the status branch");
    }
    End::Fault(what)
}

/// Reads the desired state again and again, and keeps one task per cluster, until it is told to stop: then what broke a task that has not gone on since.
/// Or until another controller holds the branch: then why that is so.
async fn tend<W: World>(world: &Arc<W>, options: &Options, stop: &mut watch::Receiver<bool>) -> Result<Option<String>, String> {
    let mut pace = Pace::new(options.pacing);
    let probes = Arc::new(Semaphore::new(options.probes.max(1)));
    let mut tasks: BTreeMap<ClusterName, watch::Sender<Arc<Wanted>>> = BTreeMap::new();
    let mut running: JoinSet<Option<String>> = JoinSet::new();
    // One word is enough: the first to stand down speaks for all.
    let (down, mut stood_down) = mpsc::channel::<String>(1);
    let mut last: Option<Arc<Fleet>> = None;
    let end = loop {
        let pause = match world.source().read().await {
            Ok(fleet) => {
                pace.well();
                if last.as_ref() != Some(&fleet) {
                    note(&fleet);
                    // One that the fleet says nothing of any more is not left to itself: nothing is begun there, and what was begun is ended.
                    for (_, task) in tasks.iter().filter(|(name, _)| !fleet.clusters.contains_key(*name)) {
                        task.send_if_modified(forsaken);
                    }
                    for (name, wanted) in &fleet.clusters {
                        match tasks.get(name) {
                            Some(task) => {
                                task.send_if_modified(|was| {
                                    let changed = was != wanted;
                                    *was = Arc::clone(wanted);
                                    changed
                                });
                            }
                            None => {
                                let (tell, told) = watch::channel(Arc::clone(wanted));
                                tasks.insert(name.clone(), tell);
                                let task = Task {
                                    world: Arc::clone(world),
                                    options: options.clone(),
                                    probes: Arc::clone(&probes),
                                    down: down.clone(),
                                };
                                running.spawn(task.steadily(told, stop.clone()));
                            }
                        }
                    }
                    last = Some(fleet);
                }
                options.poll
            }
            Err(error) => {
                warn!(%error, "the last desired state stays in force");
                match handling::of_source(&error) {
                    Handling::StandDown(why) => break Err(why),
                    Handling::After(pause) => pause,
                    Handling::Again | Handling::Onward => pace.slower().max(options.pacing.soon),
                }
            }
        };
        let pause = spread(pause, world.clock().dice());
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break Ok(()),
            Some(why) = stood_down.recv() => break Err(why),
            () = world.source().stirred() => {}
            () = world.clock().sleep(pause) => {}
        }
    };
    // Each task ends its lap; then they are gone.
    drop(tasks);
    let mut broken = None;
    while let Some(ended) = running.join_next().await {
        broken = broken.or(ended.unwrap_or_else(|error| Some(error.to_string())));
    }
    end.map(|()| broken)
}

/// Suspends a cluster that the fleet no longer speaks of; whether that is new.
fn forsaken(wanted: &mut Arc<Wanted>) -> bool {
    if wanted.desired.suspend.as_ref().is_some_and(|suspend| suspend.until.is_none()) {
        return false;
    }
    let suspend = Some(Suspend { reason: "the fleet does not speak of it any more".to_owned(), until: None });
    *wanted = Arc::new(Wanted { desired: Arc::new(Desired { suspend, ..(*wanted.desired).clone() }), ..(**wanted).clone() });
    true
}

fn note(fleet: &Fleet) {
    info!(revision = %fleet.revision, clusters = fleet.clusters.len(), "desired state");
    for problem in &fleet.problems {
        warn!("{problem}");
    }
    if let Some((revision, why)) = &fleet.refused {
        warn!(%revision, %why, "a revision does not count");
    }
}

/// Until nobody says any more what is wanted.
async fn over(told: &mut watch::Receiver<Arc<Wanted>>) {
    while told.changed().await.is_ok() {}
}

/// Sleeps; true when told to stop meanwhile.
async fn sleep<W: World>(world: &W, pause: Millis, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => true,
        () = world.clock().sleep(pause) => false,
    }
}

/// How long a cluster whose task broke off is left alone: at first, and at most.
const BROKEN: [Millis; 2] = [Millis::minutes(1), Millis::hours(1)];

struct Task<W> {
    world: Arc<W>,
    options: Options,
    probes: Arc<Semaphore>,
    down: mpsc::Sender<String>,
}

impl<W: World> Task<W> {
    /// Begins the task anew where it breaks off: a node of this cluster may be out, and the other clusters do not pay for its fault. What broke it last,
    /// where it has not gone on since.
    async fn steadily(self, mut told: watch::Receiver<Arc<Wanted>>, mut stop: watch::Receiver<bool>) -> Option<String> {
        let this = Arc::new(self);
        let [first, most] = BROKEN;
        let mut pause = first;
        loop {
            let began = this.world.clock().now();
            let Err(broken) = tokio::spawn(Arc::clone(&this).live(told.clone(), stop.clone())).await else { return None };
            let cluster = told.borrow_and_update().desired.cluster.clone();
            if this.world.clock().now().since(began) > most {
                pause = first;
            }
            error!(%cluster, %broken, %pause, "the task of this cluster broke off, which is a fault in Drydock; it is begun anew after a pause, and the other clusters go on");
            let ended = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => true,
                () = over(&mut told) => true,
                () = this.world.clock().sleep(pause) => false,
            };
            if ended {
                return Some(format!("{cluster}: {broken}"));
            }
            pause = pause.times(2).min(most);
        }
    }

    async fn live(self: Arc<Self>, mut told: watch::Receiver<Arc<Wanted>>, mut stop: watch::Receiver<bool>) {
        let mut pace = Pace::new(self.options.pacing);
        let mut memory = Memory::default();
        loop {
            let wanted = Arc::clone(&told.borrow_and_update());
            let lap = {
                // Closed only with the runtime, which takes this task with it.
                let Ok(_permit) = self.probes.acquire().await else { return };
                let words = (self.options.stop_file)();
                lap::lap(&*self.world, &wanted, self.options.mode, words.as_deref(), &mut memory).await
            };
            if let Some(plan) = &lap.plan {
                (self.options.watcher)(&wanted, plan);
            }
            let converged = lap.plan.as_ref().is_some_and(|p| p.decision == Decision::Converged);
            let now = self.world.clock().now();
            let pause = match lap.then {
                Then::AtOnce => pace.at_once(),
                Then::Recheck(recheck) => pace.after(recheck, converged, now),
                Then::Handle(Handling::Onward) => pace.after(Recheck::Soon, false, now),
                Then::Handle(Handling::After(pause)) => pause,
                Then::Handle(Handling::Again) => pace.slower(),
                Then::Handle(Handling::StandDown(why)) => {
                    // Full means that another task has said it already.
                    drop(self.down.try_send(why));
                    return;
                }
            };
            let pause = spread(pause, self.world.clock().dice());
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                changed = told.changed() => if changed.is_err() { return },
                () = self.world.clock().sleep(pause) => {}
            }
        }
    }
}
