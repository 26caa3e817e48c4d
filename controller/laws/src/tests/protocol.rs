//! S5, S6, S9, S14: entries, authority and order.

use super::scene::{Scene, TARGET, build, id, known, place, text};
use drydock_model::desired::{BitsSource, Target, Version};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{EntryId, Epoch, Place};
use drydock_model::ledger::{Abandoned, Event, Failure, Outcome};
use drydock_model::observed::{Consumed, Marker, MarkerState, Memory, Phase, Worker, WorkerState};
use drydock_model::order::Order;
use drydock_model::plan::{Decision, Remote};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use expect_test::expect;

#[test]
fn s5_an_attempt_is_installed_once() {
    let mut scene = Scene::four().staged();
    expect![[r#"
        S5: attempt 1 of N01 was installed under entry 3.ab/5
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

#[test]
fn s5_a_committed_attempt_is_never_installed_again() {
    let mut scene = Scene::four().committing();
    let entry = scene.open().entry.clone();
    scene.apply(Event::Closed { entry, outcome: Outcome::Failed(Failure::TimedOut), heard: true });
    scene.facts("N01").worker = known(None);
    expect![[r#"
        S5: attempt 1 of N01 has been committed and cannot be installed again
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
    attempts.entries.insert(Step::Vacate, 4);
    attempts.number = 2;
    expect![[r#"
        S5: Vacate of N01 has had 4 entries in attempt 2; at most 4 are allowed
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
        S6: Install for N01 (north/3.ab/6) does not carry the open intent's entry
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![order.clone()])));
    expect![[r#"
        S6: Cancel for N01 (north/3.ab/6) has no open intent
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
    let marker = Marker { vacate: place(1), state: MarkerState::Suspended };
    let fence = |scene: &Scene| {
        let entry = EntryId { cluster: text("north"), place: scene.ledger.known().unwrap().ceiling() };
        scene.verdict(Decision::Fence(vec![Order::fence(entry, id("N01"), Some(marker.clone()))]))
    };
    assert_eq!(fence(&scene), "holds");
    scene.facts("N01").memory = known(Memory { fence: Some(place(1)), ..Memory::default() });
    expect![[r#"
        S6: fence for N01 (north/3.ab/12) would mark N01, which has kept its memory: a person has it
    "#]]
    .assert_eq(&fence(&scene));
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
        S9: Install for N01 (north/3.ab/5) is under claim 3.ab, and ours is 4.cd
        S9: Install for N01 (north/3.ab/5) comes after N01 has heard 4.cd/0
    "#]]
    .assert_eq(&scene.order_verdict());
    assert_eq!(scene.close_verdict(Outcome::Inherited, true), "holds");
}

#[test]
fn s14_at_most_one_intent_is_open_and_numbers_only_rise() {
    expect![[r#"
        S14: north/3.ab/4 would be opened while north/3.ab/1 is open
    "#]]
    .assert_eq(&Scene::four().opened(Step::Vacate).open_verdict(Step::Return));
    let scene = Scene::four().out();
    let mut install = scene.intent(Step::Install);
    install.base = 1;
    install.entry.place.seq = 1;
    expect![[r#"
        S14: north/3.ab/1 would be opened after north/3.ab/1
    "#]]
    .assert_eq(&scene.verdict(Decision::Open(install)));
    let mut install = scene.intent(Step::Install);
    install.entry.place.seq += 3;
    expect![[r#"
        S14: north/3.ab/8 takes a number that its block of 4 keeps for something else
    "#]]
    .assert_eq(&scene.verdict(Decision::Open(install)));
}

#[test]
fn s14_nothing_begins_while_the_status_branch_cannot_be_read() {
    let mut scene = Scene::four();
    scene.remote = Remote::Unread("no route".to_owned());
    expect![[r#"
        S14: Vacate of N01 would begin while the status branch cannot be read
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    let mut scene = Scene::four().vacating();
    scene.remote = Remote::Unread("no route".to_owned());
    expect![[r#"
        S14: Vacate of N01 would be closed as done while the status branch cannot be trusted; only the way back goes on
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Done, true));
    assert_eq!(scene.close_verdict(Outcome::Superseded, false), "holds");
}

#[test]
fn s14_a_cancel_is_written_before_it_is_sent_and_ends_sending() {
    let mut scene = Scene::four().out().opened(Step::Install);
    let cancel = Order::cancel(scene.open().cancel_entry(), id("N01"));
    expect![[r#"
        S14: Cancel for N01 (north/3.ab/6) would be sent before its mark is written
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![cancel.clone()])));
    assert_eq!(scene.verdict(Decision::Cancel(cancel.entry.clone())), "holds");
    scene.apply(Event::Cancelled(cancel.entry.clone()));
    assert_eq!(scene.verdict(Decision::Perform(vec![cancel.clone()])), "holds");
    expect![[r#"
        S14: Install for N01 (north/3.ab/5) would be sent after it was cancelled
    "#]]
    .assert_eq(&scene.order_verdict());
    expect![[r#"
        S14: north/3.ab/5 would be cancelled twice
    "#]]
    .assert_eq(&scene.verdict(Decision::Cancel(cancel.entry)));
}

#[test]
fn s14_only_what_is_open_is_closed_or_cancelled() {
    let scene = Scene::four();
    let entry = scene.intent(Step::Vacate).entry;
    expect![[r#"
        S14: north/3.ab/1 would be closed and is not open
    "#]]
    .assert_eq(&scene.verdict(Decision::Close { entry: entry.clone(), outcome: Outcome::Superseded, heard: false }));
    expect![[r#"
        S14: north/3.ab/1 would cancel something that is not open
    "#]]
    .assert_eq(&scene.verdict(Decision::Cancel(entry)));
}

#[test]
fn s14_an_intent_is_closed_as_heard_only_when_the_node_shows_it() {
    let failed = || Outcome::Failed(Failure::TimedOut);
    let mut scene = Scene::four().out().opened(Step::Install);
    let own = scene.open().clone();
    expect![[r#"
        S14: Install of N01 would be closed as heard, and N01 shows neither that it consumed it nor a fence above it
    "#]]
    .assert_eq(&scene.close_verdict(failed(), true));
    assert_eq!(scene.close_verdict(failed(), false), "holds", "it then owes a tombstone");
    scene.memory("N01", |m| m.fence = Some(own.entry.place.clone()));
    assert_ne!(scene.close_verdict(failed(), true), "holds", "a fence at the entry still lets it in");
    scene.memory("N01", |m| m.fence = Some(own.cancel_entry().place));
    assert_eq!(scene.close_verdict(failed(), true), "holds", "a fence above it does not");
    scene = Scene::four().out().opened(Step::Install);
    scene.consume(&own, Phase::Recorded);
    assert_eq!(scene.close_verdict(failed(), true), "holds", "what was consumed is not consumed again");
    let mut other = id("N01");
    other.machine = text("m-other");
    scene.facts("N01").id = known(other);
    assert_ne!(scene.close_verdict(failed(), true), "holds", "another machine speaks for nobody else");
}

#[test]
fn s14_a_vacate_that_may_still_arrive_keeps_its_node_out() {
    let given_up = || Outcome::Abandoned(Abandoned::GuardFailed);
    let mut scene = Scene::four().opened(Step::Vacate);
    expect![[r#"
        S14: N01 would stop being out while its Vacate may still arrive
    "#]]
    .assert_eq(&scene.close_verdict(given_up(), false));
    let cancel = scene.open().cancel_entry();
    scene.memory("N01", |m| (m.fence, m.cancelled) = (Some(cancel.place.clone()), Some(cancel.place)));
    assert_eq!(scene.close_verdict(given_up(), true), "holds");
    let vacate = scene.open().clone();
    scene.consume(&vacate, Phase::Started);
    expect![[r#"
        S14: Vacate of N01 would be abandoned, and N01 consumed it as 3.ab/1
    "#]]
    .assert_eq(&scene.close_verdict(given_up(), true));
}

#[test]
fn s14_a_refusal_of_the_platform_is_seen_on_the_node() {
    let mut scene = Scene::four().opened(Step::Vacate);
    let vacate = scene.open().clone();
    scene.consume(&vacate, Phase::Started);
    expect![[r#"
        S14: Vacate of N01 would be closed as refused by the platform, which N01 does not show
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Failed(Failure::PlatformRefused), true));
    scene.consume(&vacate, Phase::PlatformRefused);
    assert_eq!(scene.close_verdict(Outcome::Failed(Failure::PlatformRefused), true), "holds");
}

#[test]
fn s14_a_node_gives_its_tombstone_before_its_next_order() {
    let mut scene = Scene::four().out().opened(Step::Install);
    scene.known_ledger().owes.insert(text("N01"), place(4));
    expect![[r#"
        S14: Install for N01 (north/3.ab/5) would be sent before N01 has given the tombstone that it owes
    "#]]
    .assert_eq(&scene.order_verdict());
}

#[test]
fn s14_fences_are_not_above_the_ledger_and_nothing_else_is_sent_as_one() {
    let scene = Scene::four();
    let entry = |seq| EntryId { cluster: text("north"), place: place(seq) };
    assert_eq!(scene.verdict(Decision::Fence(vec![Order::fence(entry(0), id("N01"), None)])), "holds");
    let orders = vec![Order::fence(entry(5), id("N01"), None), Order::cancel(entry(0), id("N02"))];
    expect![[r#"
        S14: fence for N01 (north/3.ab/5) is above every entry of the ledger
        S14: Cancel for N02 (north/3.ab/0) is no fence and would be sent as one
    "#]]
    .assert_eq(&scene.verdict(Decision::Fence(orders)));
}

#[test]
fn s14_an_order_of_an_earlier_boot_can_no_longer_arrive() {
    let scene = Scene::four().upgraded();
    assert_eq!(scene.close_verdict(Outcome::Done, true), "holds", "the upgrade took the node's memory with it");
    let mut scene = Scene::four().upgraded();
    scene.facts("N01").build = known(build("20349.3700"));
    assert_eq!(scene.close_verdict(Outcome::Failed(Failure::RolledBack), true), "holds");
    let mut scene = Scene::four().committing();
    scene.memory("N01", |m| m.consumed = Some(Consumed { place: place(1), digest: text("d"), phase: Phase::Ended }));
    scene.memory("N01", |m| m.fence = Some(place(1)));
    expect![[r#"
        S14: Restart of N01 would be closed as heard, and N01 shows neither that it consumed it nor a fence above it
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Failed(Failure::TimedOut), true));
}
