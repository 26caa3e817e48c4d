//! S14: what is opened, cancelled, performed and closed.

use super::scene::{NOW, Scene, build, id, known, place, text};
use drydock_model::ids::EntryId;
use drydock_model::ledger::{Abandoned, Event, Failure, Outcome, TOMB};
use drydock_model::observed::{Consumed, Hindrance, Marker, MarkerState, MemberState, Phase};
use drydock_model::order::Order;
use drydock_model::plan::{Decision, Remote};
use drydock_model::step::Step;
use drydock_model::time::Stamp;
use expect_test::expect;

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
        S14: north/3.ab/9 takes a number that its block of 5 keeps for something else
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
    let cancel = Order::cancel(scene.open().cancel_entry().unwrap(), id("N01"));
    expect![[r#"
        S14: Cancel for N01 (north/3.ab/7) would be sent before its mark is written
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![cancel.clone()])));
    assert_eq!(scene.verdict(Decision::Cancel(cancel.entry.clone())), "holds");
    scene.apply(Event::Cancelled(cancel.entry.clone()));
    assert_eq!(scene.verdict(Decision::Perform(vec![cancel.clone()])), "holds");
    expect![[r#"
        S14: Install for N01 (north/3.ab/6) would be sent after it was cancelled
    "#]]
    .assert_eq(&scene.order_verdict());
    expect![[r#"
        S14: north/3.ab/6 would be cancelled twice
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
    scene.memory("N01", |m| m.fence = Some(own.cancel_entry().unwrap().place));
    assert_eq!(scene.close_verdict(failed(), true), "holds", "a fence above it does not");
    scene = Scene::four().out().opened(Step::Install);
    scene.consume(&own, Phase::Recorded);
    assert_eq!(scene.close_verdict(failed(), true), "holds", "what was consumed is not consumed again");
    let mut other = id("N01");
    other.machine = text("m-other");
    scene.facts("N01").id = known(other);
    assert_ne!(scene.close_verdict(failed(), true), "holds", "another machine speaks for nobody else");
}

/// S14: the Cancel of an Install is below the Return in the same block.
#[test]
fn s14_a_return_is_not_heard_by_the_cancel_before_it_and_has_none_of_its_own() {
    let mut scene = Scene::four().out().opened(Step::Install);
    let cancel = scene.open().cancel_entry().unwrap();
    scene.apply(Event::Cancelled(cancel.clone()));
    scene.memory("N01", |m| (m.fence, m.cancelled) = (Some(cancel.place.clone()), Some(cancel.place.clone())));
    assert_eq!(scene.close_verdict(Outcome::Failed(Failure::Cancelled), true), "holds");
    let entry = scene.open().entry.clone();
    scene.apply(Event::Closed { entry, outcome: Outcome::Failed(Failure::Cancelled), heard: true });
    let scene = scene.opened(Step::Return);
    expect![[r#"
        S14: Return of N01 would be closed as heard, and N01 shows neither that it consumed it nor a fence above it
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Failed(Failure::TimedOut), true));
    expect![[r#"
        S14: north/3.ab/7 would cancel north/3.ab/9, which stands above every Cancel of its block
    "#]]
    .assert_eq(&scene.verdict(Decision::Cancel(cancel)));
}

/// S14, rule 17: what is closed unheard keeps its node out and owes a tombstone; what is closed as heard ends being out.
#[test]
fn s14_a_vacate_that_is_given_up_ends_being_out_only_where_nothing_took_the_node_out() {
    let given_up = || Outcome::Abandoned(Abandoned::GuardFailed);
    let mut scene = Scene::four().opened(Step::Vacate);
    assert_eq!(scene.close_verdict(given_up(), false), "holds");
    let entry = scene.open().entry.clone();
    let mut after = scene.known_ledger().clone();
    after.apply(&Event::Closed { entry, outcome: given_up(), heard: false }, Stamp::At(NOW));
    assert!(after.out.is_some_and(|out| out.returning), "it is brought back to be sure");
    assert_eq!(after.owes.get(&text("N01")), Some(&place(TOMB + 1)));
    let cancel = scene.open().cancel_entry().unwrap();
    scene.memory("N01", |m| (m.fence, m.cancelled) = (Some(cancel.place.clone()), Some(cancel.place)));
    assert_eq!(scene.close_verdict(given_up(), true), "holds");
    scene.member("N01", |m| m.state = MemberState::Paused);
    assert_eq!(scene.close_verdict(given_up(), true), "holds", "a person's pause");
    scene.memory("N01", |m| m.marker = Some(Marker { vacate: place(0), state: MarkerState::Suspended }));
    expect![[r#"
        S14: N01 would stop being out, and is Paused with our marker of entry 3.ab/0
    "#]]
    .assert_eq(&scene.close_verdict(given_up(), true));
    scene.member("N01", |m| m.state = MemberState::Up);
    assert_eq!(scene.close_verdict(given_up(), true), "holds", "an earlier memory came back to a node in service");
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
fn s14_what_stood_against_a_restart_is_seen_on_the_node() {
    let by = Hindrance::Quorum;
    let mut scene = Scene::four().staged().opened(Step::Restart);
    let restart = scene.open().clone();
    scene.consume(&restart, Phase::Started);
    let hindered = || Outcome::Failed(Failure::Hindered { by });
    expect![[r#"
        S14: Restart of N01 would be closed as hindered (quorum would be lost, or it is not known whether), which N01 does not show
    "#]]
    .assert_eq(&scene.close_verdict(hindered(), true));
    scene.consume(&restart, Phase::Unmet(by));
    assert_eq!(scene.close_verdict(hindered(), true), "holds");
    let mut scene = Scene::four().committing();
    let restart = scene.open().clone();
    scene.consume(&restart, Phase::Unmet(by));
    expect![[r#"
        S14: Restart of N01 would be closed as never begun, and N01 has committed it
    "#]]
    .assert_eq(&scene.close_verdict(hindered(), true));
    assert_eq!(scene.close_verdict(Outcome::Failed(Failure::NotRestarted { by }), true), "holds");
}

#[test]
fn s14_a_node_gives_its_tombstone_before_its_next_order() {
    let mut scene = Scene::four().out().opened(Step::Install);
    // The whole block of its Vacate.
    scene.known_ledger().owes.insert(text("N01"), place(TOMB + 1));
    expect![[r#"
        S14: Install for N01 (north/3.ab/6) would be sent before N01 has given the tombstone that it owes
    "#]]
    .assert_eq(&scene.order_verdict());
    scene.memory("N01", |m| m.fence = Some(place(TOMB + 1)));
    assert_eq!(scene.order_verdict(), "holds", "a tombstone is below the next block");
}

#[test]
fn s14_without_git_only_a_number_that_git_keeps_leads_back() {
    let superseded = |heard| {
        let mut scene = Scene::four().out().opened(Step::Install);
        let entry = scene.open().entry.clone();
        scene.apply(Event::Closed { entry, outcome: Outcome::Superseded, heard });
        scene.remote = Remote::Unread("no route".to_owned());
        scene.memory("N01", |m| m.fence = Some(place(6 + TOMB)).filter(|_| !heard));
        scene.opened(Step::Return)
    };
    assert_eq!(superseded(true).order_verdict(), "holds");
    // The tombstone of the Install's block bars the Return that it keeps.
    let mut own = superseded(false);
    expect![[r#"
        S14: Return for N01 (north/3.ab/11) would be sent before git has it, and no earlier entry keeps its number
    "#]]
    .assert_eq(&own.order_verdict());
    own.remote = Remote::Confirmed;
    assert_eq!(own.order_verdict(), "holds");
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
