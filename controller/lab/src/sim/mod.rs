//! Ports over a lab in the same process, under virtual time: for simulation by the thousand.

mod clock;
mod clusters;
mod source;
mod store;

pub use clock::{SimClock, Sleep};
pub use clusters::SimClusters;
pub use source::SimSource;
pub use store::{Branch, BranchCommit, BranchWrite, SimStore};

use crate::lab::Lab;
use drydock_engine::ports::World;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All ports of one simulated controller.
#[derive(Debug, Clone)]
pub struct SimWorld {
    /// The desired source.
    pub source: SimSource,
    /// The status branch, as this controller sees it.
    pub store: Arc<SimStore>,
    /// The clusters.
    pub clusters: SimClusters,
    /// Time and chance.
    pub clock: SimClock,
}

impl World for SimWorld {
    type Source = SimSource;
    type Store = SimStore;
    type Clusters = SimClusters;
    type Clock = SimClock;

    fn source(&self) -> &SimSource {
        &self.source
    }
    fn store(&self) -> &SimStore {
        &self.store
    }
    fn clusters(&self) -> &SimClusters {
        &self.clusters
    }
    fn clock(&self) -> &SimClock {
        &self.clock
    }
}

/// A lab that several ports share.
pub type Shared = Arc<Mutex<Lab>>;

/// A panic in one simulated controller leaves the lab as it was: nothing in it is half done while it is locked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
