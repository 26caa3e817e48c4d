//! No law keeps a node out: Return, Cancel, fences and the Restart after the commit go on whatever else is wrong.

use super::scene::{Scene, id, known, text};
use drydock_model::desired::{Suspend, Target, Version};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::EntryId;
use drydock_model::ledger::{Event, Outcome};
use drydock_model::observed::{DiskState, MemberState, StopMark, View, Witness};
use drydock_model::order::{Expect, Order};
use drydock_model::plan::{Decision, Remote};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use expect_test::expect;

/// Everything that would forbid something new: a shut window, a stop, a foreign commit, another target, silent and broken others.
fn beset(mut scene: Scene) -> Scene {
    scene.later(Millis::hours(40));
    scene.remote = Remote::Unread("no route".to_owned());
    scene.stop = Some("power works".to_owned());
    scene.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
    scene.desired.target = Target { version: Version::V24H2, revision: 0 };
    scene.desired.spec = text("spec9");
    scene.lose("N04");
    let words = || "x".to_owned();
    scene.memory("N01", |m| m.stop = Some(StopMark { who: words(), when: words(), why: words() }));
    scene.storage(|s| {
        s.disks.insert("Volume2".to_owned(), DiskState::NoRedundancy);
    });
    scene.observed.cluster.capacity = Fact::Unknown(Gap::TimedOut);
    scene.observed.cluster.would_lose_quorum = Fact::Unknown(Gap::TimedOut);
    scene
}

#[test]
fn a_node_that_is_out_is_returned_whatever_else_is_wrong() {
    let scene = beset(Scene::four().out());
    assert_eq!(scene.open_verdict(Step::Return), "holds");
    assert_eq!(scene.opened(Step::Return).order_verdict(), "holds");
}

#[test]
fn a_running_installation_is_cancelled_and_superseded_whatever_else_is_wrong() {
    let mut scene = beset(Scene::four().out().opened(Step::Install));
    let cancel = scene.open().cancel_entry().unwrap();
    assert_eq!(scene.verdict(Decision::Cancel(cancel.clone())), "holds");
    scene.apply(Event::Cancelled(cancel.clone()));
    assert_eq!(scene.verdict(Decision::Perform(vec![Order::cancel(cancel, id("N01"))])), "holds");
    assert_eq!(scene.close_verdict(Outcome::Superseded, false), "holds");
}

#[test]
fn a_committed_node_is_restarted_whatever_else_is_wrong_but_quorum() {
    let mut scene = beset(Scene::four().committing());
    assert_eq!(scene.order_verdict(), "holds");
    let again = scene.ledger.known().unwrap().place_for(Step::Restart, true);
    scene.apply(Event::Closed {
        entry: scene.open().entry.clone(),
        outcome: Outcome::Failed(drydock_model::ledger::Failure::TimedOut),
        heard: true,
    });
    let mut restart = scene.intent(Step::Restart);
    (restart.entry.place.seq, restart.base) = again;
    assert_eq!(scene.verdict(Decision::Open(restart.clone())), "holds");
    scene.witness(Witness::None);
    expect![[r#"
        S4: without N01 2 of 4 votes are left
    "#]]
    .assert_eq(&scene.verdict(Decision::Open(restart)));
}

#[test]
fn s1_a_committed_node_that_is_in_service_again_is_not_restarted() {
    let mut scene = Scene::four().committing();
    let mut order = scene.order();
    assert_eq!(scene.verdict(Decision::Perform(vec![order.clone()])), "holds");
    scene.member("N01", |m| m.state = MemberState::Up);
    expect![[r#"
        S1: N01 is Up at its Restart
    "#]]
    .assert_eq(&scene.order_verdict());
    scene.member("N01", |m| m.state = MemberState::Paused);
    order.expect = Expect { quorum: true, ..Expect::NOTHING };
    expect![[r#"
        S1: the order for Restart of N01 does not make the node check that it is still out by us
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![order])));
}

#[test]
fn fences_are_raised_whatever_else_is_wrong() {
    let scene = beset(Scene::four().out());
    let entry = EntryId { cluster: text("north"), place: scene.ledger.known().unwrap().ceiling() };
    assert_eq!(scene.verdict(Decision::Fence(vec![Order::fence(entry, id("N02"), None)])), "holds");
}

#[test]
fn before_the_commit_a_restart_is_no_way_back() {
    let mut scene = Scene::four().staged();
    scene.remote = Remote::Unread("no route".to_owned());
    expect![[r#"
        S14: Restart of N01 would begin while the status branch cannot be read
    "#]]
    .assert_eq(&scene.open_verdict(Step::Restart));
}

impl Scene {
    /// Only this node answers, as one that sees the others down.
    pub(super) fn witness_of(&mut self, name: &str) {
        let facts = self.facts(name);
        if let Fact::Known { value, .. } = &facts.view {
            let members = value.members.iter().map(|(n, m)| {
                let state = if n.as_str() == name { MemberState::Up } else { MemberState::Down };
                (n.clone(), drydock_model::observed::Member { state, ..m.clone() })
            });
            facts.view = known(View { cluster: value.cluster.clone(), members: members.collect(), witness: Witness::None });
        }
    }
}
