//! S1, S2, S2b, S3, S4, S15: the cluster's service.

use super::scene::{Scene, known, text};
use drydock_model::desired::Overrun;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ledger::Settling;
use drydock_model::observed::{DiskState, Drives, Job, JobState, MemberState, Witness};
use drydock_model::order::{MarkerExpected, StorageExpected};
use drydock_model::plan::Decision;
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Stamp};
use expect_test::expect;

#[test]
fn s1_no_node_is_vacated_while_another_is_down() {
    let mut scene = Scene::four();
    scene.member("N03", |m| m.state = MemberState::Down);
    expect![[r#"
        S1: N03 is Down at the Vacate of N01
        S10: N03 and the others do not name each other at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s1_no_node_is_vacated_while_another_is_paused_in_quarantine_or_no_member() {
    let mut scene = Scene::four();
    scene.member("N02", |m| m.state = MemberState::Paused);
    scene.member("N03", |m| m.impaired = true);
    scene.desired.nodes.push(text("N05"));
    expect![[r#"
        S1: N02 is Paused at the Vacate of N01
        S1: N03 is isolated or in quarantine at the Vacate of N01
        S1: N05 is no member at the Vacate of N01
        S4: the pool's drives on N05 are not known at the Vacate of N01
        S10: N05 was not observed at the Vacate of N01
        S17: the build of N05 is not known at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

/// S1: the nodes are asked who is Up, not one of them.
#[test]
fn s1_one_dissenting_voice_about_a_node_keeps_the_others_in() {
    let mut scene = Scene::four();
    if let Fact::Known { value, .. } = &mut scene.facts("N04").view {
        value.members.get_mut(&text("N02")).unwrap().impaired = true;
    }
    expect![[r#"
        S1: N02 is isolated or in quarantine at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s1_no_node_goes_out_while_another_is_out() {
    let scene = Scene::four().out();
    let mut intent = scene.intent(Step::Vacate);
    intent.node = super::scene::id("N02");
    let verdict = scene.verdict(Decision::Open(intent));
    expect![[r#"
        S1: N01 is Paused at the Vacate of N02
        S1: N01 is out already at the Vacate of N02
        S2: virtual disk Volume1 is Incomplete at the Vacate of N02
        S2: 4 drives of N01 are in maintenance mode at the Vacate of N02
    "#]]
    .assert_eq(&verdict);
}

#[test]
fn s1_a_node_that_owes_a_tombstone_does_not_count_as_up() {
    let mut scene = Scene::four();
    scene.known_ledger().owes.insert(text("N02"), super::scene::place(7));
    expect![[r#"
        S1: N02 owes a tombstone and does not count as Up at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    scene.memory("N02", |m| m.fence = Some(super::scene::place(7)));
    scene.known_ledger().next = 8;
    assert_eq!(scene.open_verdict(Step::Vacate), "holds");
}

#[test]
fn s1_a_node_in_service_is_neither_installed_on_nor_restarted() {
    expect![[r#"
        S1: N01 is not out by the ledger at its Install
    "#]]
    .assert_eq(&Scene::four().open_verdict(Step::Install));
    let mut scene = Scene::four().staged();
    scene.member("N01", |m| m.state = MemberState::Up);
    expect![[r#"
        S1: N01 is not Paused at its Restart
    "#]]
    .assert_eq(&scene.open_verdict(Step::Restart));
}

#[test]
fn s1_a_node_without_our_marker_is_not_installed_on() {
    let mut scene = Scene::four().out();
    scene.memory("N01", |m| m.marker = None);
    expect![[r#"
        S1: N01 carries no marker of ours at its Install
    "#]]
    .assert_eq(&scene.open_verdict(Step::Install));
}

/// S1: the guard has a twin on the node.
#[test]
fn s1_the_order_makes_the_node_look_for_itself() {
    let scene = Scene::four().opened(Step::Vacate);
    let mut order = scene.order();
    order.expect.others_up = false;
    order.expect.marker = MarkerExpected::Any;
    expect![[r#"
        S1: the order for Vacate of N01 does not make the node check that the others are Up
        S1: the order for Vacate of N01 does not make the node check who took it out
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![order])));
}

#[test]
fn s2_no_node_is_vacated_while_storage_is_not_whole() {
    let mut scene = Scene::four();
    scene.storage(|s| {
        s.disks.insert("Volume2".to_owned(), DiskState::Repairing);
        s.jobs.push(Job { name: "Repair".to_owned(), state: JobState::Suspended, percent: 4 });
        s.jobs.push(Job { name: "Rebalance".to_owned(), state: JobState::Ended, percent: 100 });
        s.drives.insert(text("N02"), Drives { total: 4, good: 3, maintenance: 1 });
        s.pool_healthy = false;
    });
    expect![[r#"
        S2: the pool is not healthy at the Vacate of N01
        S2: virtual disk Volume2 is InService at the Vacate of N01
        S2: storage job Repair has not ended at the Vacate of N01
        S2: 1 drives of N02 are in maintenance mode at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s2_no_node_is_vacated_before_the_last_one_has_settled() {
    let mut scene = Scene::four();
    scene.known_ledger().settling =
        Some(Settling { node: super::scene::id("N02"), purpose: Purpose::Upgrade, since: Stamp::At(super::scene::NOW) });
    expect![[r#"
        S2: N02 has not settled at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s2_the_order_to_vacate_makes_the_node_check_the_storage() {
    let scene = Scene::four().opened(Step::Vacate);
    let mut order = scene.order();
    order.expect.storage = StorageExpected::OwnDamageOnly;
    expect![[r#"
        S2: the order for Vacate of N01 does not make the node check the storage
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![order])));
}

#[test]
fn s2b_an_out_node_goes_on_over_its_own_damage_and_no_other() {
    let mut scene = Scene::four().out();
    scene.storage(|s| s.jobs.push(Job { name: "Repair".to_owned(), state: JobState::Suspended, percent: 4 }));
    assert_eq!(scene.open_verdict(Step::Install), "holds");
    scene.storage(|s| {
        s.disks.insert("Volume2".to_owned(), DiskState::NoRedundancy);
        s.jobs.push(Job { name: "Repair 2".to_owned(), state: JobState::Running, percent: 4 });
        s.drives.insert(text("N02"), Drives { total: 4, good: 3, maintenance: 0 });
    });
    expect![[r#"
        S2b: virtual disk Volume2 is No Redundancy at the Install of N01
        S2b: storage job Repair 2 runs at the Install of N01
        S2b: 3 of 4 drives of N02 are good at the Install of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Install));
}

#[test]
fn s2b_the_order_to_install_makes_the_node_check_the_storage() {
    let scene = Scene::four().out().opened(Step::Install);
    let mut order = scene.order();
    order.expect.storage = StorageExpected::Any;
    expect![[r#"
        S2b: the order for Install of N01 does not make the node check the storage
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![order])));
}

#[test]
fn s3_no_node_is_vacated_when_the_window_is_shut_or_too_short() {
    let mut scene = Scene::four();
    scene.desired.run.reboot_timeout = Millis::minutes(165);
    assert_eq!(scene.open_verdict(Step::Vacate), "holds");
    scene.desired.run.reboot_timeout = Millis::minutes(166);
    expect![[r#"
        S3: the window closes 2026-11-29T06:00:00Z, and the Vacate of N01 needs 7h31m until the node is back
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    let mut scene = Scene::four();
    let monday = Millis::hours(40);
    scene.later(monday);
    expect![[r#"
        S3: no window is open at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    assert_eq!(Scene::four().out().after(monday).open_verdict(Step::Return), "holds");
}

/// S3: a policy to finish lets a run that began inside a window go on outside, and no other.
#[test]
fn s3_a_run_that_began_outside_a_window_gives_no_leave_to_finish_outside() {
    let mut scene = Scene::four();
    scene.desired.maintenance.overrun = Overrun::Finish;
    scene.known_ledger().run_began = Some((super::scene::TARGET, Stamp::At(super::scene::NOW)));
    scene.later(Millis::hours(40));
    assert_eq!(scene.open_verdict(Step::Vacate), "holds");
    scene.known_ledger().run_began = Some((super::scene::TARGET, Stamp::At(super::scene::NOW + Millis::hours(39))));
    expect![[r#"
        S3: no window is open at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s4_two_nodes_whose_witness_is_in_doubt_stay_in() {
    for witness in [Witness::Offline, Witness::None] {
        let mut scene = Scene::two();
        scene.witness(witness);
        let verdict = scene.open_verdict(Step::Vacate);
        match witness {
            Witness::Offline => expect![[r#"
                S4: without N01 1 of 3 votes are left
                S4: without N01 4 of 8 drives of the pool are left
            "#]]
            .assert_eq(&verdict),
            Witness::None => expect![[r#"
                S4: without N01 1 of 2 votes are left
                S4: without N01 4 of 8 drives of the pool are left
            "#]]
            .assert_eq(&verdict),
            Witness::Online { .. } => unreachable!(),
        }
    }
}

/// S4: votes are counted, not nodes.
#[test]
fn s4_votes_are_counted_from_the_cluster() {
    let mut scene = Scene::four();
    scene.witness(Witness::None);
    assert_eq!(scene.open_verdict(Step::Vacate), "holds");
    scene.member("N03", |m| m.vote = false);
    scene.member("N04", |m| m.vote = false);
    expect![[r#"
        S4: without N01 1 of 2 votes are left
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s4_the_clusters_own_word_on_quorum_counts() {
    let mut scene = Scene::four();
    scene.observed.cluster.would_lose_quorum = known([text("N01")].into());
    expect![[r#"
        S4: the cluster says that it would lose quorum without N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s4_the_pool_keeps_more_than_half_of_its_drives() {
    let mut scene = Scene::four();
    scene.storage(|s| {
        s.drives.insert(text("N01"), Drives { total: 13, good: 13, maintenance: 0 });
    });
    expect![[r#"
        S4: without N01 12 of 25 drives of the pool are left
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s4_a_restart_asks_for_quorum_again() {
    let mut scene = Scene::two().staged();
    scene.witness(Witness::Offline);
    expect![[r#"
        S4: without N01 1 of 3 votes are left
        S4: without N01 4 of 8 drives of the pool are left
    "#]]
    .assert_eq(&scene.open_verdict(Step::Restart));
}

#[test]
fn s15_the_others_have_room_for_each_role() {
    let mut scene = Scene::two();
    if let Fact::Known { value, .. } = &mut scene.observed.cluster.capacity {
        value.nodes.get_mut(&text("N02")).unwrap().free_mib = 20 << 10;
    }
    expect![[r#"
        S15: no other node has room for a role of N01 that needs 8192 MiB
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    let mut scene = Scene::four();
    if let Fact::Known { value, .. } = &mut scene.observed.cluster.capacity {
        for name in ["N02", "N03", "N04"] {
            // Together there is room enough, and on none of them.
            value.nodes.get_mut(&text(name)).unwrap().free_mib = 12 << 10;
        }
    }
    expect![[r#"
        S15: no other node has room for a role of N01 that needs 16384 MiB
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s15_room_that_is_not_known_is_no_room() {
    let mut scene = Scene::four();
    scene.observed.cluster.capacity = Fact::Unknown(Gap::TimedOut);
    expect![[r#"
        S10: room for roles is unknown at the Vacate of N01: no answer in time
        S15: room for the roles of N01 is not known
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}
