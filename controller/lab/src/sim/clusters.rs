//! The clusters of a lab, reached without any wire.

use super::{Shared, SimClock, lock};
use crate::observe::shift;
use drydock_engine::ports::{Clusters, PerformError, Wanted};
use drydock_model::observed::Observed;
use drydock_model::order::{Order, Receipt};

/// The clusters of a lab, as one controller reaches them.
#[derive(Debug, Clone)]
pub struct SimClusters {
    lab: Shared,
    clock: SimClock,
}

impl SimClusters {
    /// The clusters of `lab`; observations bear the times of the controller's own clock.
    pub fn new(lab: Shared, clock: SimClock) -> SimClusters {
        SimClusters { lab, clock }
    }
}

impl Clusters for SimClusters {
    async fn observe(&self, wanted: &Wanted) -> Observed {
        let skew = self.clock.skew();
        let mut observed = lock(&self.lab).observe(&wanted.desired.cluster, &wanted.desired.nodes);
        shift(&mut observed, skew);
        observed
    }

    async fn perform(&self, _wanted: &Wanted, order: &Order) -> Result<Receipt, PerformError> {
        lock(&self.lab).perform(order)
    }
}
