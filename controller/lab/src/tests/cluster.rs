//! Votes, storage, drains and restarts, against what Microsoft documents.

use super::hand::{Hand, config, known, n};
use crate::{Fault, Planned, Rules, What};
use drydock_model::observed::{ClusterService, DiskState, DrainStatus, JobState, MemberState, Witness};
use drydock_model::order::Receipt;
use drydock_model::step::Step;
use drydock_model::time::Millis;

fn crash(hand: &mut Hand, node: u32) {
    for fault in [Fault::NodeNeverReturns, Fault::NodeCrashes] {
        hand.lab.plan(Planned::now(fault, hand.cluster.clone(), Some(n(node)))).unwrap();
    }
}

fn lost(hand: &Hand, what: fn(&What) -> bool) -> bool {
    hand.lab.truth().catastrophes().iter().any(|c| what(&c.what))
}

/// Microsoft: Understanding cluster and pool quorum, both tables: nodes, witness, and whether one failure, one after the other, and two in the pool are
/// survived. "50:50" is left out.
#[test]
fn quorum_is_kept_and_lost_as_the_tables_say() {
    let cluster = |what: &What| matches!(what, What::QuorumLost);
    let pool = |what: &What| matches!(what, What::DataUnavailable { .. });
    for (nodes, witness, one, then_another, pool_one, pool_two) in [
        (2, true, true, Some(false), true, false),
        (3, true, true, Some(true), true, false),
        (3, false, true, None, true, false),
        (4, true, true, Some(true), true, true),
        (4, false, true, Some(true), true, false),
        (5, false, true, Some(true), true, true),
        (5, true, true, Some(true), true, true),
    ] {
        let mut config = config("c", nodes);
        config.witness = witness;
        let mut hand = Hand::with(1, &config, Rules::all());
        crash(&mut hand, 1);
        assert_eq!(!lost(&hand, cluster), one, "{nodes} nodes, witness {witness}: quorum after one");
        assert_eq!(!lost(&hand, pool), pool_one, "{nodes} nodes, witness {witness}: pool after one");
        crash(&mut hand, 2);
        if let Some(kept) = then_another {
            assert_eq!(!lost(&hand, cluster), kept, "{nodes} nodes, witness {witness}: quorum after another");
        }
        assert_eq!(!lost(&hand, pool), pool_two, "{nodes} nodes, witness {witness}: pool after another");
    }
}

#[test]
fn the_witness_votes_only_with_an_even_number_of_members() {
    let witness = |nodes| {
        let mut hand = Hand::new(1, nodes);
        known(&hand.facts(&n(1)).view).witness
    };
    assert_eq!(witness(2), Witness::Online { vote: true });
    assert_eq!(witness(3), Witness::Online { vote: false });
    assert_eq!(witness(4), Witness::Online { vote: true });
    let mut hand = Hand::new(1, 4);
    hand.lab.plan(Planned::now(Fault::WitnessOffline, hand.cluster.clone(), None)).unwrap();
    let view = known(&hand.facts(&n(1)).view);
    assert_eq!(view.witness, Witness::Offline);
    assert_eq!(view.members.values().filter(|m| m.vote).count(), 3, "the total is kept odd");
}

#[test]
fn two_members_without_a_witness_hang_on_one_of_them() {
    let mut hand = Hand::with(1, &config("c", 2).without_witness(), Rules::all());
    let would = known(&hand.observe().cluster.would_lose_quorum);
    assert_eq!(would.into_iter().collect::<Vec<_>>(), [n(1)]);
    crash(&mut hand, 1);
    assert!(lost(&hand, |w| *w == What::QuorumLost));
    let facts = hand.facts(&n(2));
    assert_eq!(known(&facts.service), ClusterService::Stopped, "without quorum the service does not stay up");
    assert!(facts.view.known().is_none());
}

#[test]
fn a_vacated_node_is_paused_drained_and_in_maintenance_mode() {
    let mut hand = Hand::new(1, 4);
    assert_eq!(hand.gives(&n(2), Step::Vacate), Ok(Receipt::Started));
    let member = hand.member(&n(2));
    assert_eq!(
        (member.state, member.drain, member.roles),
        (MemberState::Paused, DrainStatus::InProgress, 4),
        "Paused comes before the drain is finished"
    );
    hand.wait(Millis::minutes(10));
    let member = hand.member(&n(2));
    assert_eq!((member.state, member.drain, member.roles), (MemberState::Paused, DrainStatus::Completed, 0));
    let storage = known(&hand.observe().cluster.storage);
    assert_eq!(storage.drives[&n(2)].maintenance, 4);
    assert!(storage.disks.values().all(|d| matches!(d, DiskState::Incomplete | DiskState::Degraded)));
    assert!(storage.jobs.iter().all(|j| j.state == JobState::Suspended));
}

#[test]
fn repair_begins_after_the_return_and_takes_its_time() {
    let mut hand = Hand::new(1, 4);
    hand.vacated(&n(2));
    hand.wait(Millis::hours(1));
    assert!(
        known(&hand.observe().cluster.storage).jobs.iter().all(|j| j.state != JobState::Running),
        "nothing repairs while the node is out"
    );
    assert_eq!(hand.gives(&n(2), Step::Return), Ok(Receipt::Applied));
    hand.wait(Millis::minutes(3));
    let storage = known(&hand.observe().cluster.storage);
    assert!(storage.disks.values().all(|d| *d == DiskState::Repairing));
    assert!(storage.jobs.iter().all(|j| j.state == JobState::Running) && !storage.jobs.is_empty());
    assert_eq!(storage.drives[&n(2)].maintenance, 0);
    hand.wait(Millis::hours(2));
    assert!(hand.settled());
    assert_eq!(hand.member(&n(2)).roles, 4, "roles have come back");
}

#[test]
fn a_pause_survives_a_restart() {
    let mut hand = Hand::new(1, 4);
    hand.vacated(&n(2));
    assert_eq!(hand.gives(&n(2), Step::Reboot), Ok(Receipt::Started));
    hand.wait(Millis::minutes(1));
    assert_eq!(hand.member(&n(2)).state, MemberState::Down);
    hand.back_up(&n(2));
    assert_eq!(hand.member(&n(2)).state, MemberState::Paused);
    assert!(hand.lab.truth().catastrophes().is_empty());
}

#[test]
fn the_platform_refuses_to_pause_over_degraded_storage() {
    let mut hand = Hand::with(1, &config("c", 4), Rules::without_expectations());
    hand.lab.plan(Planned::now(Fault::DiskFails, hand.cluster.clone(), Some(n(3)))).unwrap();
    let receipt = hand.gives(&n(2), Step::Vacate);
    assert!(matches!(&receipt, Ok(Receipt::PlatformRefused(why)) if why.starts_with("5987")), "{receipt:?}");
    assert_eq!(hand.member(&n(2)).state, MemberState::Up);
}

#[test]
fn a_drain_fails_when_roles_find_no_room() {
    let mut config = config("c", 2);
    config.node_mib = 5 * config.role_mib;
    let mut hand = Hand::with(1, &config, Rules::all());
    assert_eq!(hand.gives(&n(1), Step::Vacate), Ok(Receipt::Started));
    hand.wait(Millis::minutes(10));
    let member = hand.member(&n(1));
    assert_eq!((member.state, member.drain, member.roles), (MemberState::Paused, DrainStatus::Failed, 3));
}

/// A cluster of two releases whose node 1 drains and does not come to an end, if it does not.
fn drains_for_ever(seed: u64, prepared: bool) -> Option<Hand> {
    let mut hand = Hand::new(seed, 4);
    if prepared {
        hand.registry_pass(&n(1));
    }
    hand.registry_pass(&n(2));
    hand.upgrade(&n(2));
    assert_eq!(hand.gives(&n(1), Step::Vacate), Ok(Receipt::Started));
    hand.wait(Millis::hours(2));
    (hand.member(&n(1)).drain == DrainStatus::InProgress).then_some(hand)
}

#[test]
fn drains_hang_in_mixed_mode_where_the_migration_value_is_not_in_effect() {
    assert!((0..10).any(|seed| drains_for_ever(seed, false).is_some()));
    assert!((0..10).all(|seed| drains_for_ever(seed, true).is_none()));
}

#[test]
fn volumes_may_stay_away_where_the_refs_value_is_not_in_effect() {
    let away = |seed| {
        let mut hand = Hand::new(seed, 4);
        hand.staged(&n(2));
        assert_eq!(hand.gives(&n(2), Step::Restart), Ok(Receipt::Started));
        hand.wait(Millis::hours(1));
        lost(&hand, |w| matches!(w, What::DataUnavailable { .. }))
    };
    let bad = (0..20).filter(|seed| away(*seed)).count();
    assert!((1..20).contains(&bad), "{bad} of 20");
}

#[test]
fn what_does_not_move_live_is_moved_by_a_person() {
    let mut hand = (0..10).find_map(|seed| drains_for_ever(seed, false)).unwrap();
    assert!(hand.member(&n(1)).roles > 0);
    hand.lab.move_roles(&hand.cluster, &n(1));
    assert_eq!(hand.member(&n(1)).roles, 0);
}

#[test]
fn two_nodes_out_at_once_are_a_catastrophe_that_blames_the_order() {
    let mut hand = Hand::with(1, &config("c", 4), Rules::without_expectations());
    hand.vacated(&n(1));
    // Without any guard of the node, and in the moment in which the platform itself is asked about storage by nobody.
    hand.lab.clusters.values_mut().next().unwrap().node(&n(2)).paused = true;
    assert_eq!(hand.gives(&n(2), Step::Reboot), Ok(Receipt::Started));
    hand.wait(Millis::minutes(1));
    let catastrophes = hand.lab.truth().catastrophes();
    assert!(
        matches!(catastrophes[..], [c] if matches!(c.what, What::TwoLack { .. }) && c.blames_controller(Millis::minutes(2))),
        "{catastrophes:?}"
    );
}

#[test]
fn a_crash_beside_a_node_that_is_out_blames_nobody() {
    let mut hand = Hand::new(1, 4);
    hand.vacated(&n(1));
    crash(&mut hand, 3);
    let catastrophes = hand.lab.truth().catastrophes();
    assert!(
        matches!(catastrophes[..], [c] if matches!(c.what, What::TwoLack { .. }) && !c.blames_controller(Millis::minutes(2))),
        "{catastrophes:?}"
    );
}

#[test]
fn a_crash_after_a_restart_was_accepted_blames_nobody() {
    let mut hand = Hand::new(1, 4);
    hand.staged(&n(1));
    assert_eq!(hand.gives(&n(1), Step::Restart), Ok(Receipt::Started));
    hand.wait(Millis::minutes(1));
    for node in [2, 3] {
        crash(&mut hand, node);
    }
    hand.wait(Millis::hours(1));
    assert!(lost(&hand, |w| matches!(w, What::DataUnavailable { .. })));
    assert!(!hand.lab.truth().catastrophes().iter().any(|c| c.blames_controller(Millis::minutes(2))));
}

#[test]
fn a_witness_that_goes_after_a_reboot_was_accepted_blames_nobody() {
    let mut hand = Hand::new(1, 2);
    hand.vacated(&n(1));
    assert_eq!(hand.gives(&n(1), Step::Reboot), Ok(Receipt::Started));
    hand.lab.plan(Planned::now(Fault::WitnessOffline, hand.cluster.clone(), None)).unwrap();
    hand.wait(Millis::minutes(1));
    assert!(lost(&hand, |w| matches!(w, What::DataUnavailable { .. })));
    assert!(!hand.lab.truth().catastrophes().iter().any(|c| c.blames_controller(Millis::minutes(2))));
}

#[test]
fn a_reboot_long_after_the_witness_went_blames_the_order() {
    let mut hand = Hand::with(1, &config("c", 2), Rules::without_expectations());
    hand.vacated(&n(1));
    hand.lab.plan(Planned::now(Fault::WitnessOffline, hand.cluster.clone(), None)).unwrap();
    hand.wait(Millis::minutes(10));
    assert_eq!(hand.gives(&n(1), Step::Reboot), Ok(Receipt::Started));
    hand.wait(Millis::minutes(1));
    let catastrophes = hand.lab.truth().catastrophes();
    assert!(catastrophes.iter().any(|c| c.blames_controller(Millis::minutes(2))), "{catastrophes:?}");
}

#[test]
fn a_drive_that_fails_while_another_node_drains_blames_nobody() {
    let mut hand = Hand::new(1, 4);
    assert_eq!(hand.gives(&n(2), Step::Vacate), Ok(Receipt::Started));
    hand.wait(Millis::minutes(1));
    hand.lab.plan(Planned::now(Fault::DiskFails, hand.cluster.clone(), Some(n(4)))).unwrap();
    hand.wait(Millis::minutes(10));
    let catastrophes = hand.lab.truth().catastrophes();
    assert!(
        matches!(catastrophes[..], [c] if matches!(c.what, What::TwoLack { .. }) && !c.blames_controller(Millis::minutes(2))),
        "{catastrophes:?}"
    );
}

#[test]
fn a_crash_moves_roles_and_its_storage_repairs_by_itself() {
    let mut hand = Hand::new(1, 4);
    hand.lab.plan(Planned::now(Fault::NodeCrashes, hand.cluster.clone(), Some(n(3)))).unwrap();
    let member = hand.member(&n(3));
    assert_eq!((member.state, member.roles), (MemberState::Down, 0));
    assert!(!known(&hand.observe().cluster.storage).pool_healthy);
    assert_eq!(hand.lab.truth().out_at(&hand.cluster, &n(3), hand.lab.now()), Some(true));
    hand.wait(Millis::hours(2));
    assert!(hand.settled());
    assert_eq!(hand.member(&n(3)).state, MemberState::Up);
    assert_eq!(hand.lab.truth().out_at(&hand.cluster, &n(3), hand.lab.now()), Some(false));
}

#[test]
fn the_functional_level_is_never_raised_by_an_upgrade() {
    let mut hand = Hand::new(1, 2);
    let before = known(&hand.observe().cluster.level);
    for node in [1, 2] {
        hand.registry_pass(&n(node));
    }
    for node in [1, 2] {
        hand.upgrade(&n(node));
    }
    assert_eq!(known(&hand.observe().cluster.level), before);
    assert_eq!(before.functional, 11);
}
