//! Ports that count a controller's effects and can take the controller away before or after any of them, or lose the answer.

use drydock_engine::ports::{Appended, ClaimError, Clusters, PerformError, Reading, Record, Store, StoreError, TakeOver, Wanted, World};
use drydock_lab::Lab;
use drydock_lab::sim::{Branch, Shared, SimClock, SimClusters, SimSource, SimStore};
use drydock_model::ids::{ClusterName, Epoch};
use drydock_model::observed::Observed;
use drydock_model::order::{Order, Receipt};
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

/// Effects so far, and what shall happen at one of them.
#[derive(Debug, Default)]
pub struct Touch {
    /// Effects begun so far: claims, appended entries, orders.
    pub count: u64,
    /// At which effect, counted from 0, what happens.
    pub armed: Option<(u64, Blow)>,
    /// What shall happen at a later effect, once the first blow has struck.
    pub then: Option<(u64, Blow)>,
    /// The effect that a blow struck.
    pub struck: Option<String>,
    /// Keeps what a crash before or after each effect would leave.
    pub watch: Option<Watch>,
}

/// Keeps what a crash before or after each effect would leave.
#[derive(Debug)]
pub struct Watch {
    lab: Shared,
    branch: Branch,
    /// In the order of time.
    pub kept: Vec<Left>,
}

/// What a crashed controller leaves: nothing of its own.
#[derive(Debug, Clone)]
pub struct Left {
    /// The cluster as it was.
    pub lab: Lab,
    /// The branch as it was.
    pub branch: Branch,
    /// At which effect, before or after it.
    pub at: (u64, Blow),
    /// What the effect was.
    pub what: String,
}

impl Watch {
    /// A watch over a lab and a branch.
    pub fn new(lab: Shared, branch: Branch) -> Watch {
        Watch { lab, branch, kept: Vec::new() }
    }

    fn keep(&mut self, at: (u64, Blow), what: String) {
        let lab = self.lab.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.kept.push(Left { lab, branch: self.branch.copy(), at, what });
    }
}

/// What happens at an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blow {
    /// The controller is killed before it.
    Before,
    /// The controller is killed after it, before it hears of it.
    After,
    /// It happens, and the controller does not hear of it and goes on.
    AnswerLost,
}

impl Blow {
    /// All of them.
    pub const ALL: [Blow; 3] = [Blow::Before, Blow::After, Blow::AnswerLost];
}

/// All ports of one simulated controller.
pub struct Ports {
    source: SimSource,
    store: TouchyStore,
    clusters: TouchyClusters,
    clock: SimClock,
}

/// The status branch behind a [`Touch`].
pub struct TouchyStore {
    inner: SimStore,
    branch: Branch,
    touch: Arc<Mutex<Touch>>,
}

/// The clusters behind a [`Touch`].
pub struct TouchyClusters {
    inner: SimClusters,
    touch: Arc<Mutex<Touch>>,
}

impl Ports {
    /// These ports behind `touch`.
    pub fn new(
        source: SimSource,
        store: SimStore,
        branch: Branch,
        clusters: SimClusters,
        clock: SimClock,
        touch: Arc<Mutex<Touch>>,
    ) -> Ports {
        Ports {
            source,
            store: TouchyStore { inner: store, branch, touch: Arc::clone(&touch) },
            clusters: TouchyClusters { inner: clusters, touch },
            clock,
        }
    }
}

impl TouchyStore {
    /// The store itself.
    pub fn inner(&self) -> &SimStore {
        &self.inner
    }
}

impl World for Ports {
    type Source = SimSource;
    type Store = TouchyStore;
    type Clusters = TouchyClusters;
    type Clock = SimClock;

    fn source(&self) -> &SimSource {
        &self.source
    }
    fn store(&self) -> &TouchyStore {
        &self.store
    }
    fn clusters(&self) -> &TouchyClusters {
        &self.clusters
    }
    fn clock(&self) -> &SimClock {
        &self.clock
    }
}

/// Counts one effect; says what happens at it. A controller that is killed waits for ever.
fn next(touch: &Mutex<Touch>, what: impl Fn() -> String) -> Option<Blow> {
    let mut touch = touch.lock().unwrap_or_else(PoisonError::into_inner);
    let own = touch.count;
    touch.count += 1;
    if let Some(watch) = &mut touch.watch {
        watch.keep((own, Blow::Before), what());
    }
    let (_, blow) = touch.armed.take_if(|(at, _)| *at <= own)?;
    touch.struck = Some(what());
    touch.armed = touch.then.take();
    Some(blow)
}

/// The effect is over.
fn over(touch: &Mutex<Touch>, what: impl Fn() -> String) {
    let mut touch = touch.lock().unwrap_or_else(PoisonError::into_inner);
    let own = touch.count.saturating_sub(1);
    if let Some(watch) = &mut touch.watch {
        watch.keep((own, Blow::After), what());
    }
}

impl Store for TouchyStore {
    async fn claim(&self, take_over: TakeOver) -> Result<Epoch, ClaimError> {
        let what = || "claim".to_owned();
        match next(&self.touch, what) {
            None => {
                let answer = self.inner.claim(take_over).await;
                over(&self.touch, what);
                answer
            }
            Some(Blow::Before) => pending().await,
            // Who does not hear of its claim starts anew and claims again.
            Some(Blow::After | Blow::AnswerLost) => {
                let (Ok(_) | Err(_)) = self.inner.claim(take_over).await;
                pending().await
            }
        }
    }

    async fn read(&self, cluster: &ClusterName) -> Result<Reading, StoreError> {
        self.inner.read(cluster).await
    }

    async fn append(&self, record: Record) -> Result<Appended, StoreError> {
        let state = record.decision.state();
        let what = || format!("append {state}");
        match next(&self.touch, what) {
            None => {
                let answer = self.inner.append(record).await;
                over(&self.touch, what);
                answer
            }
            Some(Blow::Before) => pending().await,
            Some(Blow::After) => {
                let (Ok(_) | Err(_)) = self.inner.append(record).await;
                pending().await
            }
            Some(Blow::AnswerLost) => {
                self.branch.lose_answers(1);
                self.inner.append(record).await
            }
        }
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.inner.flush().await
    }
}

impl Clusters for TouchyClusters {
    async fn observe(&self, wanted: &Wanted) -> Observed {
        self.inner.observe(wanted).await
    }

    async fn perform(&self, wanted: &Wanted, order: &Order) -> Result<Receipt, PerformError> {
        let what = || order.to_string();
        match next(&self.touch, what) {
            None => {
                let answer = self.inner.perform(wanted, order).await;
                over(&self.touch, what);
                answer
            }
            Some(Blow::Before) => pending().await,
            Some(Blow::After) => {
                let (Ok(_) | Err(_)) = self.inner.perform(wanted, order).await;
                pending().await
            }
            Some(Blow::AnswerLost) => {
                let (Ok(_) | Err(_)) = self.inner.perform(wanted, order).await;
                Err(PerformError::Unknown("the answer was lost".to_owned()))
            }
        }
    }
}
