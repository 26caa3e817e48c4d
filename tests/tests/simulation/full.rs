//! A controller that cannot write what it would tell.

use drydock_engine::ports::*;
use drydock_lab::sim::SimSource;
use drydock_model::connection::Connection;
use drydock_model::ids::*;
use drydock_model::ledger::*;
use drydock_model::observed::Observed;
use drydock_model::order::{Order, Receipt, Unmet};
use drydock_model::plan::Remote;
use drydock_model::step::Step;
use drydock_model::time::{Millis, Timestamp};
use drydock_tests::situation::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A controller whose disk is full, and a node whose worker takes a while to end.
struct Full {
    source: SimSource,
    ledger: Ledger,
    observed: Observed,
    sent: AtomicU32,
}

impl Store for Full {
    async fn claim(&self, _: TakeOver) -> Result<Epoch, ClaimError> {
        Ok(epoch())
    }
    async fn read(&self, _: &ClusterName) -> Result<Reading, StoreError> {
        Ok(Reading { ledger: known(self.ledger.clone()), remote: Remote::Confirmed })
    }
    async fn append(&self, _: Record) -> Result<Appended, StoreError> {
        Err(StoreError::Local("no space left on device".to_owned()))
    }
    async fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Clusters for Full {
    async fn observe(&self, _: &Wanted) -> Observed {
        self.observed.clone()
    }
    async fn perform(&self, _: &Wanted, _: &Order) -> Result<Receipt, PerformError> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        Ok(Receipt::Refused(Unmet::OtherWorker))
    }
}

impl Clock for Full {
    fn now(&self) -> Timestamp {
        NOON
    }
    async fn sleep(&self, _: Millis) {}
    fn dice(&self) -> u64 {
        0
    }
}

impl World for Full {
    type Source = SimSource;
    type Store = Full;
    type Clusters = Full;
    type Clock = Full;
    fn source(&self) -> &SimSource {
        &self.source
    }
    fn store(&self) -> &Full {
        self
    }
    fn clusters(&self) -> &Full {
        self
    }
    fn clock(&self) -> &Full {
        self
    }
}

#[test]
fn a_return_is_sent_again_also_while_it_cannot_be_told_that_it_was_not_obeyed() {
    let mut case = Case::out();
    case.ledger.out.as_mut().expect("out").returning = true;
    assert_eq!(case.open().step, Step::Return);
    case.ledger.revisions.observed = Some("abc123".parse().expect("fine"));
    let wanted = Arc::new(Wanted {
        path: "clusters/hospital-north.yaml".to_owned(),
        desired: Arc::new(case.desired.clone()),
        revision: "abc123".parse().expect("fine"),
        connection: Connection::lab(),
        problem: None,
        warnings: Vec::new(),
    });
    let fleet = Fleet { revision: wanted.revision.clone(), clusters: BTreeMap::new(), problems: Vec::new(), refused: None };
    let world = Full { source: SimSource::new(fleet), ledger: case.ledger, observed: case.observed, sent: AtomicU32::new(0) };
    let mut memory = drydock_engine::lap::Memory::default();
    for _ in 0..100 {
        drydock_tests::sim::now(drydock_engine::lap::lap(&world, &wanted, drydock_engine::lap::Mode::Act, None, &mut memory));
    }
    assert!(world.sent.load(Ordering::Relaxed) > 10, "sent {} times in 100 laps", world.sent.load(Ordering::Relaxed));
}
