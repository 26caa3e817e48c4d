//! S5, S6, S9: entries, authority and order.

use super::scene::{Scene, TARGET, id, known, place, text};
use drydock_model::desired::{BitsSource, Target, Version};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{EntryId, Epoch, Place};
use drydock_model::ledger::{Event, Failure, Intent, Outcome};
use drydock_model::observed::{Marker, MarkerState, Memory, Phase, StopMark, Worker, WorkerState};
use drydock_model::order::Order;
use drydock_model::plan::{Decision, Remote};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use expect_test::expect;

#[test]
fn s5_an_attempt_is_installed_once() {
    let mut scene = Scene::four().staged();
    expect![[r#"
        S5: attempt 1 of N01 was installed under entry 3.ab/6
    "#]]
    .assert_eq(&scene.open_verdict(Step::Install));
    // Under its own entry the order may be sent as often as one likes.
    let scene2 = Scene::four().out().opened(Step::Install);
    let worker =
        Worker { place: scene2.open().entry.place.clone(), target: TARGET, attempt: 1, state: WorkerState::Downloading(3), alive: true };
    scene.ledger = scene2.ledger.clone();
    scene.facts("N01").worker = known(Some(worker));
    assert_eq!(scene.order_verdict(), "holds");
}

/// S5: what an Install began is taken over by the next one while it lives, and is else begun as another attempt.
#[test]
fn s5_a_begun_install_is_taken_over_or_its_number_is_passed_over() {
    let mut scene = Scene::four().out().opened(Step::Install);
    let install = scene.open().clone();
    scene.consume(&install, Phase::Started);
    scene.apply(Event::Claimed { epoch: Epoch { number: 4, nonce: text("cd") } });
    for name in ["N01", "N02", "N03", "N04"] {
        scene.memory(name, |m| m.fence = Some(Place { epoch: Epoch { number: 4, nonce: text("cd") }, seq: 0 }));
    }
    let entry = install.entry.clone();
    scene.apply(Event::Closed { entry, outcome: Outcome::Inherited, heard: true });
    let worker =
        |alive| Worker { place: install.entry.place.clone(), target: TARGET, attempt: 1, state: WorkerState::Downloading(3), alive };
    let verdict = |scene: &Scene, attempt: u8| scene.verdict(Decision::Open(Intent { attempt, ..scene.intent(Step::Install) }));
    scene.facts("N01").worker = known(Some(worker(true)));
    assert_eq!(verdict(&scene, 1), "holds");
    scene.facts("N01").worker = known(Some(worker(false)));
    expect![[r#"
        S5: attempt 1 of N01 was installed under entry 3.ab/6
    "#]]
    .assert_eq(&verdict(&scene, 1));
    // Entries were lost, and the node shows what they began.
    scene.facts("N01").worker = known(Some(Worker { attempt: 2, ..worker(false) }));
    assert_eq!(verdict(&scene, 3), "holds");
    scene.facts("N01").worker = known(None);
    expect![[r#"
        S5: attempt 1 of N01 may have been installed, and its worker is not seen
    "#]]
    .assert_eq(&verdict(&scene, 1));
    assert_eq!(verdict(&scene, 2), "holds");
    expect![[r#"
        S5: Install of N01 asks for attempt 3, and the ledger is at 1
    "#]]
    .assert_eq(&verdict(&scene, 3));
    let vacate = Intent { attempt: 2, ..scene.intent(Step::Vacate) };
    expect!["S5: Vacate of N01 asks for attempt 2, and the ledger is at 1"]
        .assert_eq(&scene.verdict(Decision::Open(vacate)).lines().filter(|line| line.starts_with("S5")).collect::<String>());
    scene.apply(Event::Opened(Intent { attempt: 2, ..scene.intent(Step::Install) }));
    assert_eq!(scene.order_verdict(), "holds", "the number that was passed over costs no attempt");
}

#[test]
fn s5_a_committed_attempt_is_never_installed_again() {
    let mut scene = Scene::four().committing();
    let entry = scene.open().entry.clone();
    scene.apply(Event::Closed { entry, outcome: Outcome::Failed(Failure::TimedOut), heard: true });
    scene.facts("N01").worker = known(None);
    expect![[r#"
        S5: attempt 1 of N01 has been committed and cannot be installed again
        S5: attempt 1 of N01 may have been installed, and its worker is not seen
    "#]]
    .assert_eq(&scene.open_verdict(Step::Install));
}

#[test]
fn s5_a_commit_needs_what_its_own_attempt_staged() {
    let mut scene = Scene::four().out();
    expect![[r#"
        S5: nothing is staged on N01 for attempt 1
    "#]]
    .assert_eq(&scene.open_verdict(Step::Restart));
    scene = Scene::four().staged();
    scene.known_ledger().attempts.get_mut(&text("N01")).unwrap().number = 2;
    let mut restart = scene.intent(Step::Restart);
    restart.attempt = 2;
    expect![[r#"
        S5: nothing is staged on N01 for attempt 2
    "#]]
    .assert_eq(&scene.verdict(Decision::Open(restart)));
}

#[test]
fn s5_a_commit_that_a_rollback_took_back_is_not_made_again() {
    let mut scene = Scene::four().committing();
    let entry = scene.open().entry.clone();
    scene.apply(Event::Closed { entry, outcome: Outcome::Failed(Failure::TimedOut), heard: true });
    assert_eq!(scene.open_verdict(Step::Restart), "holds", "past the point of no return it is the way back");
    scene.facts("N01").boot = known(drydock_model::observed::Boot { id: text("b2"), up: Millis::minutes(9) });
    expect![[r#"
        S5: the commit of attempt 1 on N01 was made and taken back
    "#]]
    .assert_eq(&scene.open_verdict(Step::Restart));
}

#[test]
fn s5_attempts_and_entries_are_counted() {
    let mut scene = Scene::four();
    first_attempt(&mut scene);
    let attempts = scene.known_ledger().attempts.get_mut(&text("N01")).unwrap();
    attempts.entries.insert(Step::Vacate, 8);
    attempts.number = 2;
    expect![[r#"
        S5: Vacate of N01 has had 8 entries in attempt 2; at most 8 are allowed
        S5: Vacate of N01 asks for attempt 1, and the ledger is at 2
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s5_a_rollback_uses_up_all_attempts() {
    let mut scene = Scene::four();
    first_attempt(&mut scene);
    scene.known_ledger().attempts.get_mut(&text("N01")).unwrap().spent = true;
    expect![[r#"
        S5: the attempts of N01 were used up by a rollback
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

fn first_attempt(scene: &mut Scene) {
    let ledger = scene.known_ledger();
    let attempts = ledger.attempts_of(&id("N01"), TARGET);
    ledger.attempts.insert(text("N01"), attempts);
}

#[test]
fn s5_an_order_fits_its_digest_and_expires() {
    let scene = Scene::four().opened(Step::Vacate);
    let mut order = scene.order();
    order.digest = text("00");
    order.boot = None;
    expect![[r#"
        S5: the digest of the order for N01 is not that of its text
        S5: the order for Vacate of N01 could be performed in any boot and at any time
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![order])));
}

#[test]
fn s6_nothing_is_done_under_a_ledger_that_cannot_be_read() {
    let mut scene = Scene::four().opened(Step::Vacate);
    let order = scene.order();
    scene.ledger = Fact::Unknown(Gap::Unreadable("gone".to_owned()));
    expect![[r#"
        S1: the ledger is unknown at the Vacate of N01
        S6: something would be done under a ledger that cannot be read
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![order])));
}

#[test]
fn s6_an_order_carries_the_open_intents_entry_or_what_its_block_reserves() {
    let scene = Scene::four().out().opened(Step::Install);
    let mut order = scene.order();
    order = Order::step(
        order.entry.later(1),
        order.node.clone(),
        match order.act.clone() {
            drydock_model::order::Act::Step(work) => work,
            other => panic!("{other:?}"),
        },
        order.expect.clone(),
        text("b1"),
        Millis::hours(5),
    );
    expect![[r#"
        S6: Install for N01 (north/3.ab/7) does not carry the open intent's entry
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![order.clone()])));
    expect![[r#"
        S6: Cancel for N01 (north/3.ab/7) has no open intent
    "#]]
    .assert_eq(&Scene::four().verdict(Decision::Perform(vec![Order::cancel(order.entry, order.node)])));
}

#[test]
fn s6_what_begins_serves_the_revision_that_was_read() {
    let scene = Scene::four();
    let mut intent = scene.intent(Step::Vacate);
    intent.spec = text("spec0");
    intent.revision = text("dddddd");
    intent.target = Target { version: Version::V24H2, revision: 0 };
    expect![[r#"
        S6: Vacate of N01 is for 24H2, and 23H2 is desired
        S6: Vacate of N01 would be opened for another spec than the desired one
        S6: Vacate of N01 would be opened for revision dddddd, which is not the one that was read
        S17: Vacate of N01: Windows Update does not offer 24H2; it takes the latest Azure Local media (2505 or later) from the Azure portal (Microsoft: Upgrade Azure Stack HCI OS to version 24H2 via PowerShell (2026-05-01))
    "#]].assert_eq(&scene.verdict(Decision::Open(intent)));
}

#[test]
fn s6_bits_come_from_where_the_spec_says() {
    let mut scene = Scene::four().out().opened(Step::Install);
    let order = scene.order();
    scene.desired.source = BitsSource::Media { path: r"D:\Media".to_owned() };
    expect![[r#"
        S6: Install of N01 takes its bits from Windows Update, and media in D:\Media is desired
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![order])));
}

#[test]
fn s6_another_machine_under_a_known_name_is_left_alone() {
    let mut scene = Scene::four();
    let mut other = id("N01");
    other.machine = text("m-other");
    scene.facts("N01").id = known(other.clone());
    expect![[r#"
        S6: Vacate of N01 would reach another machine: N01 (machine m-other, node 1)
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    expect![[r#"
        S6: N01 (machine m-other, node 1) would take the place of N01 (machine m-n01, node 1) without a person's word
    "#]]
    .assert_eq(&scene.verdict(Decision::Meet(vec![other])));
    assert_eq!(Scene::four().verdict(Decision::Meet(vec![id("N01")])), "holds");
}

#[test]
fn s6_nothing_begins_after_a_foreign_commit() {
    let mut scene = Scene::four();
    scene.remote = Remote::Touched { commit: text("beef") };
    expect![[r#"
        S6: Vacate of N01 would begin after commit beef, which is not ours
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s6_a_marker_is_written_back_only_where_the_upgrade_took_it() {
    let mut scene = Scene::four().upgraded();
    let fence = |scene: &Scene, node: &str, vacate: u32| {
        let entry = EntryId { cluster: text("north"), place: scene.ledger.known().unwrap().ceiling() };
        let marker = Marker { vacate: place(vacate), state: MarkerState::Suspended };
        scene.verdict(Decision::Fence(vec![Order::fence(entry, id(node), Some(marker))]))
    };
    assert_eq!(fence(&scene, "N01", 1), "holds");
    let stop = StopMark { who: "ops".to_owned(), when: "22:10".to_owned(), why: "fan".to_owned() };
    scene.memory("N01", |m| m.stop = Some(stop));
    assert_eq!(fence(&scene, "N01", 1), "holds", "a stop mark is not of ours");
    scene.memory("N01", |m| m.stop = None);
    expect![[r#"
        S6: fence for N01 (north/3.ab/15) would mark N01 as taken out by entry 3.ab/2, which the ledger does not say
    "#]]
    .assert_eq(&fence(&scene, "N01", 2));
    scene.facts("N02").memory = known(Memory::default());
    expect![[r#"
        S6: fence for N02 (north/3.ab/15) would mark N02 as taken out by entry 3.ab/1, which the ledger does not say
    "#]]
    .assert_eq(&fence(&scene, "N02", 1));
    scene.facts("N01").id = Fact::Unknown(Gap::TimedOut);
    expect![[r#"
        S6: fence for N01 (north/3.ab/15) would mark a machine whose identity was not seen
    "#]]
    .assert_eq(&fence(&scene, "N01", 1));
    let mut scene = Scene::four().upgraded();
    scene.facts("N01").memory = known(Memory { fence: Some(place(1)), ..Memory::default() });
    expect![[r#"
        S6: fence for N01 (north/3.ab/15) would mark N01, which has kept its memory: a person has it
    "#]]
    .assert_eq(&fence(&scene, "N01", 1));
    // An earlier memory came back, below the Vacate and without its marker or with an earlier one.
    let vacate = Place { epoch: Epoch { number: 2, nonce: text("aa") }, seq: 7 };
    scene.memory("N01", |m| m.fence = Some(place(0)));
    assert_eq!(fence(&scene, "N01", 1), "holds");
    scene.memory("N01", |m| m.marker = Some(Marker { vacate, state: MarkerState::Suspended }));
    assert_eq!(fence(&scene, "N01", 1), "holds");
    scene.memory("N01", |m| m.marker = Some(Marker { vacate: place(1), state: MarkerState::Suspending }));
    assert_ne!(fence(&scene, "N01", 1), "holds", "it has this one's");
    scene.facts("N01").memory = Fact::Unknown(Gap::TimedOut);
    expect![[r#"
        S6: fence for N01 (north/3.ab/15) would mark N01, whose memory is unknown
    "#]]
    .assert_eq(&fence(&scene, "N01", 1));
    let scene = Scene::four().opened(Step::Vacate);
    expect![[r#"
        S6: fence for N01 (north/3.ab/5) would mark N01 as taken out by entry 3.ab/1, which the ledger does not say
    "#]]
    .assert_eq(&fence(&scene, "N01", 1));
}

#[test]
fn s6_a_node_that_we_did_not_take_out_is_not_resumed() {
    expect![[r#"
        S6: N01 would be resumed, and is not out by us
    "#]]
    .assert_eq(&Scene::four().open_verdict(Step::Return));
}

#[test]
fn s9_an_order_below_what_its_node_has_heard_is_not_sent() {
    let mut scene = Scene::four().out().opened(Step::Return);
    assert_eq!(scene.order_verdict(), "holds");
    scene.known_ledger().next = 40;
    scene.memory("N01", |m| m.fence = Some(place(30)));
    expect![[r#"
        S9: Return for N01 (north/3.ab/4) comes after N01 has heard 3.ab/30
    "#]]
    .assert_eq(&scene.order_verdict());
}

#[test]
fn s9_nothing_begins_once_any_node_has_heard_a_newer_claim() {
    let mut scene = Scene::four();
    let newer = Place { epoch: Epoch { number: 4, nonce: text("cd") }, seq: 0 };
    scene.memory("N04", |m| m.fence = Some(newer));
    expect![[r#"
        S9: N04 has heard 4.cd/0 of another claim at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    scene.memory("N04", |m| m.fence = Some(Place { epoch: Epoch { number: 3, nonce: text("cd") }, seq: 0 }));
    expect![[r#"
        S9: N04 has heard 3.cd/0 of another claim at the Vacate of N01
        S9: N04 does not carry our fence at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s9_every_member_carries_our_fence_before_a_node_is_taken_out() {
    let mut scene = Scene::four();
    scene.memory("N02", |m| m.fence = None);
    scene.memory("N03", |m| m.fence = Some(Place { epoch: Epoch { number: 2, nonce: text("aa") }, seq: 90 }));
    expect![[r#"
        S9: N02 does not carry our fence at the Vacate of N01
        S9: N03 does not carry our fence at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    assert_eq!(scene.open_verdict(Step::WriteRegistry), "holds", "a node in service needs only its own");
}

#[test]
fn s9_an_intent_of_an_older_claim_is_never_performed() {
    let mut scene = Scene::four().out().opened(Step::Install);
    scene.apply(Event::Claimed { epoch: Epoch { number: 4, nonce: text("cd") } });
    for name in ["N01", "N02", "N03", "N04"] {
        scene.memory(name, |m| m.fence = Some(Place { epoch: Epoch { number: 4, nonce: text("cd") }, seq: 0 }));
    }
    expect![[r#"
        S9: Install for N01 (north/3.ab/6) is under claim 3.ab, and ours is 4.cd
        S9: Install for N01 (north/3.ab/6) comes after N01 has heard 4.cd/0
    "#]]
    .assert_eq(&scene.order_verdict());
    assert_eq!(scene.close_verdict(Outcome::Inherited, true), "holds");
}
