//! Rule 8 where the remote lost what it had confirmed and does not take it again: nothing of it counts, for no cluster. On a real repository.

use super::claims::Both;
use super::pushing::begun;
use drydock_engine::lap::{Memory, Mode, lap};
use drydock_engine::ports::{Appended, Clock, Fleet, Store, TakeOver, Wanted};
use drydock_git::Oid;
use drydock_git::status::GitStore;
use drydock_lab::sim::{Shared, SimClock, SimClusters, SimSource, Sleep};
use drydock_lab::{ClusterConfig, Durations, Lab};
use drydock_model::plan::Remote;
use drydock_model::time::Millis;
use drydock_tests::home::{BEGIN, Hand, Remotes, cluster, record, wait};
use drydock_tests::sim::node;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// An administrator sets the branch back, and locks it.
fn set_back(remotes: &Remotes, to: Option<Oid>) {
    remotes.hook("update", "echo this branch is locked; exit 1");
    remotes.force(to);
}

#[test]
fn a_remote_that_went_back_and_takes_nothing_again_is_not_confirmed() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    set_back(&remotes, Some(remotes.commits()[1].0));
    assert_ne!(north.read("beta").expect("fine").remote, Remote::Confirmed, "the branch has no entry of beta");
    wait(north.store.flush()).expect_err("and a stop tells it");
}

#[test]
fn a_branch_that_is_gone_and_may_not_be_made_again_is_not_confirmed() {
    let (remotes, north) = begun(&["alpha"]);
    set_back(&remotes, None);
    assert_ne!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    assert_eq!(remotes.head(), None);
}

#[test]
fn an_entry_for_a_branch_that_was_set_back_and_locked_is_not_called_refused_for_its_cluster_alone() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    set_back(&remotes, Some(remotes.commits()[1].0));
    assert!(matches!(north.note("alpha", "Wait/A"), Ok(Appended::Pending(_))));
    assert_ne!(north.read("beta").expect("fine").remote, Remote::Confirmed);
}

#[test]
fn no_node_obeys_an_entry_that_the_branch_has_not() {
    let remotes = Remotes::new();
    let name = cluster("c");
    let mut lab = Lab::new(1, BEGIN, Durations::real());
    lab.add(&ClusterConfig::new(name.clone(), vec![node(1), node(2)], "20349.3700".parse().expect("fine")));
    let lab: Shared = Arc::new(Mutex::new(lab));
    let wanted: Arc<Wanted> = record("c", Vec::new(), BEGIN).wanted;
    let fleet = Fleet { revision: wanted.revision.clone(), clusters: BTreeMap::new(), problems: Vec::new(), refused: None };
    let clock = SimClock::new(Arc::clone(&lab), Sleep::Drives, 1);
    let world = Both {
        source: SimSource::new(fleet),
        store: GitStore::new(remotes.home("north", Hand::North, "north").0, Arc::new(clock.clone())).expect("fine"),
        clusters: SimClusters::new(Arc::clone(&lab), clock.clone()),
        clock,
    };
    wait(world.store.claim(TakeOver::No)).expect("fine");
    let claim = remotes.head();
    let mut memory = Memory::default();
    let mut one = || {
        wait(lap(&world, &wanted, Mode::Act, None, &mut memory));
        let later = world.clock.now() + Millis::seconds(30);
        lab.lock().expect("fine").advance_to(later);
    };
    let heard = || {
        let look = lab.lock().expect("fine").observe(&name, &[node(1), node(2)]);
        look.nodes.into_values().map(|n| n.memory.known().map(|m| (m.fence.clone(), m.consumed.clone()))).collect::<Vec<_>>()
    };
    let opened = (0..60).any(|_| {
        one();
        remotes.log()[0].contains("opened")
    });
    assert!(opened, "an intent");
    set_back(&remotes, claim);
    let before = heard();
    (0..12).for_each(|_| one());
    assert_eq!(heard(), before, "a node obeyed what stands nowhere");
}
