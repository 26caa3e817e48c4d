//! S5, S6, S9, S10, S12, S14: entries, orders and what is known.

use super::{change, opening, ordered, table, unknown, worked};
use crate::tests::scene::{NOW, Scene, TARGET, epoch, id, known, place, text};
use drydock_model::desired::Target;
use drydock_model::fact::Fact;
use drydock_model::ids::{EntryId, NodeId, Place};
use drydock_model::ledger::{Event, Failure, Outcome};
use drydock_model::observed::{Commit, CommitPhase, Worker, WorkerState};
use drydock_model::order::{Act, Order, Work};
use drydock_model::plan::{Decision, Remote};
use drydock_model::step::Step;
use drydock_model::time::{Millis, Span, Stamp};
use expect_test::expect;

#[test]
fn s5_s6_corners_of_orders() {
    let install = || Scene::four().out().opened(Step::Install);
    let elsewhere = |o: &mut Order| {
        let entry = EntryId { cluster: text("south"), ..o.entry.clone() };
        let Act::Step(work) = o.act.clone() else { panic!("{o}") };
        *o = Order::step(entry, o.node.clone(), work, o.expect.clone(), text("b1"), Millis::hours(5));
    };
    table(
        expect![[r#"
            at any time:
            S5: the order for Install of N01 could be performed in any boot and at any time
            of another cluster:
            S6: Install for N01 (south/3.ab/6) carries an entry of another cluster
            S6: Install for N01 (south/3.ab/6) does not carry the open intent's entry
            another attempt:
            S5: Install of N01 asks for attempt 2, and the ledger is at 1
            S6: Install for N01 (north/3.ab/6) does not do what the open intent says
            another step:
            S6: Reboot for N01 (north/3.ab/6) does not do what the open intent says
            another target:
            S6: Install of N01 is for 23H2 (25398.9 or later), and 23H2 is desired
            S6: Install for N01 (north/3.ab/6) does not do what the open intent says
            another node:
            S1: N01 is Paused at the Install of N02
            S1: N02 is not out by the ledger at its Install
            S2b: 0 of 4 drives of N01 are good at the Install of N02
            S6: Install for N02 (north/3.ab/6) is for another node than the open intent
            a restart that staging does not precede:
            S5: nothing is staged on N01 for attempt 1
            S10: the worker of N01 is unknown at the Restart of N01: no answer in time
            a node that is gone:
            S6: Vacate of N01 is for a node that the desired state does not name, or that is gone
            a node that was never met:
            S6: WriteRegistry of N01 is for a node that the ledger never met
            a node that was met as another:
            S6: WriteRegistry of N01 is for another machine than the ledger knows: N01 (machine m-x, node 1)
            an unknown ledger:
            S6: something would be done under a ledger that cannot be read
            a meeting in the dark:
            S6: N01 (machine m-n01, node 1) would be met without having been seen
        "#]],
        vec![
            ("at any time", ordered(&install(), |o| o.not_after = None)),
            ("of another cluster", ordered(&install(), elsewhere)),
            ("another attempt", worked(&install(), |w| w.attempt = 2)),
            ("another step", worked(&install(), |w| w.step = Step::Reboot)),
            ("another target", worked(&install(), |w| w.target.revision = 9)),
            (
                "another node",
                ordered(&install(), |o| {
                    let Act::Step(work) = o.act.clone() else { panic!("{o}") };
                    *o = Order::step(o.entry.clone(), id("N02"), work, o.expect.clone(), text("b1"), Millis::hours(5));
                }),
            ),
            ("a restart that staging does not precede", {
                let mut scene = Scene::four().staged();
                scene.facts("N01").worker = unknown();
                scene.open_verdict(Step::Restart)
            }),
            (
                "a node that is gone",
                change(Scene::four(), |s| drop(s.known_ledger().gone.insert(text("N01"), "fire".to_owned()))).open_verdict(Step::Vacate),
            ),
            (
                "a node that was never met",
                change(Scene::four(), |s| drop(s.known_ledger().known.remove(&text("N01")))).open_verdict(Step::WriteRegistry),
            ),
            ("a node that was met as another", {
                let other = NodeId { machine: text("m-x"), ..id("N01") };
                change(Scene::four(), |s| drop(s.known_ledger().known.insert(text("N01"), other))).open_verdict(Step::WriteRegistry)
            }),
            ("an unknown ledger", change(Scene::four(), |s| s.ledger = unknown()).verdict(Decision::Fence(vec![fence()]))),
            ("a meeting in the dark", change(Scene::four(), |s| s.facts("N01").id = unknown()).verdict(Decision::Meet(vec![id("N01")]))),
        ],
    );
}

/// S5: a fresh attempt has nothing to do with the commit of an older one, neither as its own nor as a way back.
#[test]
fn s5_corners_of_a_fresh_attempt() {
    let second = |step: Step, remote: Remote, target: Target| {
        let mut scene = Scene::four().staged();
        scene.memory("N01", |m| {
            m.commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Restarting, boot: text("b1") });
        });
        scene.remote = remote;
        let attempts = scene.known_ledger().attempts.get_mut(&text("N01")).unwrap();
        (attempts.number, attempts.first) = (2, 2);
        let place = scene.ledger.known().unwrap().ceiling();
        let state = WorkerState::Staged;
        scene.facts("N01").worker =
            known((step == Step::Restart).then_some(Worker { place, target: TARGET, attempt: 2, state, alive: false }));
        opening(&scene, step, |i| i.attempt = 2)
    };
    let unread = || Remote::Unread("no route".to_owned());
    table(
        expect![[r#"
            its Install:
            holds
            its Restart:
            holds
            its Restart is no way back:
            S14: Restart of N01 would begin while the status branch cannot be read
            nor for another target:
            S14: Restart of N01 would begin while the status branch cannot be read
        "#]],
        vec![
            ("its Install", second(Step::Install, Remote::Confirmed, TARGET)),
            ("its Restart", second(Step::Restart, Remote::Confirmed, TARGET)),
            ("its Restart is no way back", second(Step::Restart, unread(), TARGET)),
            ("nor for another target", second(Step::Restart, unread(), Target { revision: 9, ..TARGET })),
        ],
    );
}

/// S6: what a block reserves for the way back may be sent under its open intent.
#[test]
fn s6_corners_of_what_a_block_reserves() {
    let reserved = |scene: &Scene, step: Step, offset: u32, cluster: &str| {
        let order = scene.order();
        let Act::Step(work) = order.act else { panic!("{order}") };
        let entry = EntryId { cluster: text(cluster), ..scene.open().entry.later(offset) };
        let order = Order::step(entry, order.node, Work { step, ..work }, order.expect, text("b1"), Millis::hours(5));
        scene.verdict(Decision::Perform(vec![order]))
    };
    let (install, restart) = (Scene::four().out().opened(Step::Install), Scene::four().committing());
    table(
        expect![[r#"
            the Return:
            holds
            the Return elsewhere:
            S6: Return for N01 (north/3.ab/8) does not carry the open intent's entry
            the Return of another cluster:
            S6: Return for N01 (south/3.ab/9) carries an entry of another cluster
            S6: Return for N01 (south/3.ab/9) does not carry the open intent's entry
            the Restart that only restarts:
            holds
            a Reboot:
            S6: Reboot for N01 (north/3.ab/13) does not carry the open intent's entry
        "#]],
        vec![
            ("the Return", reserved(&install, Step::Return, 3, "north")),
            ("the Return elsewhere", reserved(&install, Step::Return, 2, "north")),
            ("the Return of another cluster", reserved(&install, Step::Return, 3, "south")),
            ("the Restart that only restarts", reserved(&restart, Step::Restart, 2, "north")),
            ("a Reboot", reserved(&restart, Step::Reboot, 2, "north")),
        ],
    );
}

#[test]
fn s9_s10_corners_of_what_is_known() {
    let install = || Scene::four().out().opened(Step::Install);
    let aged = |by: Millis, back: bool| {
        change(Scene::four(), |s| {
            let at = if back { NOW - by } else { NOW + by };
            if let Fact::Known { seen, .. } = &mut s.observed.cluster.capacity {
                *seen = Span::at(at);
            }
        })
        .open_verdict(Step::Vacate)
    };
    let clocked = |by: i64| {
        change(Scene::four(), |s| {
            for facts in s.observed.nodes.values_mut() {
                facts.clock = Fact::Known { value: drydock_model::time::Timestamp(NOW.0 + by * 1_000), seen: Span::at(NOW) };
            }
        })
        .open_verdict(Step::Vacate)
    };
    table(
        expect![[r#"
            a Cancel was heard:
            S9: Install for N01 (north/3.ab/6) comes after N01 has heard 3.ab/7
            no fence on the chosen node:
            S9: N01 does not carry our fence at the WriteRegistry of N01
            a fence under another claim:
            S9: fence for N01 (north/9.ab/0) is under claim 9.ab, and ours is 3.ab
            the worker is unknown:
            S10: the worker of N01 is unknown at the Install of N01: no answer in time
            the boot is unknown:
            S10: the boot of N01 is unknown at the WriteRegistry of N01: no answer in time
            two minutes old:
            holds
            a fact of the future:
            S10: room for roles is unknown at the Vacate of N01: read too long ago
            S15: room for the roles of N01 is not known
            clocks two minutes behind:
            holds
            clocks a little more behind:
            S10: the nodes' clocks are behind by 2m1s at the Vacate of N01
            clocks two minutes ahead:
            holds
            clocks a little more ahead:
            S10: the nodes' clocks are ahead by 2m1s at the Vacate of N01
            a silent member that the desired state does not name:
            S10: N04 was not observed at the Vacate of N01
            S17: the build of N04 is not known at the Vacate of N01
        "#]],
        vec![
            ("a Cancel was heard", {
                let cancel = install().open().cancel_entry().unwrap().place;
                change(install(), |s| s.memory("N01", |m| m.cancelled = Some(cancel))).order_verdict()
            }),
            (
                "no fence on the chosen node",
                change(Scene::four(), |s| s.memory("N01", |m| m.fence = None)).open_verdict(Step::WriteRegistry),
            ),
            ("a fence under another claim", {
                let entry =
                    EntryId { cluster: text("north"), place: Place { epoch: drydock_model::ids::Epoch { number: 9, ..epoch() }, seq: 0 } };
                Scene::four().verdict(Decision::Fence(vec![Order::fence(entry, id("N01"), None)]))
            }),
            ("the worker is unknown", change(Scene::four().out(), |s| s.facts("N01").worker = unknown()).open_verdict(Step::Install)),
            ("the boot is unknown", change(Scene::four(), |s| s.facts("N01").boot = unknown()).open_verdict(Step::WriteRegistry)),
            ("two minutes old", aged(Millis::minutes(2), true)),
            ("a fact of the future", aged(Millis::seconds(121), false)),
            ("clocks two minutes behind", clocked(-120)),
            ("clocks a little more behind", clocked(-121)),
            ("clocks two minutes ahead", clocked(120)),
            ("clocks a little more ahead", clocked(121)),
            ("a silent member that the desired state does not name", {
                let mut scene = Scene::four();
                scene.desired.nodes.pop();
                scene.observed.nodes.remove(&text("N04"));
                scene.open_verdict(Step::Vacate)
            }),
        ],
    );
}

#[test]
fn s12_s14_corners_of_the_ledger() {
    let staged = || Scene::four().staged();
    table(
        expect![[r#"
            nobody is met:
            S12: an entry would be spent on nobody
            too many are met:
            S12: 5 nodes would be met, and 4 are desired
            durations without end:
            S12: the ledger remembers 21 durations of Return; at most 20 are allowed
            the last attempt number:
            S12: Vacate of N01 has no attempt number left
            block zero:
            S14: north/3.ab/0 would be opened in a block that was given out
            a given block:
            S14: north/3.ab/5 would be opened in a block that was given out
            a Restart in the Return's place:
            S14: north/3.ab/14 takes a number that its block of 5 keeps for something else
            opened as cancelled:
            S14: north/3.ab/11 would be opened as cancelled
            an order to settle:
            S14: Settle for N01 (north/3.ab/16) asks for a step that orders nothing
            another intent's Cancel:
            S14: north/3.ab/2 is not the Cancel of the open north/3.ab/11
            our own as inherited:
            S14: Restart of N01 is our own and would be closed as inherited
            an Install refused by nobody:
            S14: Install of N01 would be closed as refused by the platform, which N01 does not show
            the Return in its block:
            holds
        "#]],
        vec![
            ("nobody is met", Scene::four().verdict(Decision::Meet(Vec::new()))),
            ("too many are met", Scene::four().verdict(Decision::Meet(vec![id("N01"); 5]))),
            (
                "durations without end",
                change(Scene::four(), |s| drop(s.known_ledger().durations.insert(Step::Return, vec![Millis::ZERO; 21])))
                    .verdict(Decision::Converged)
                    .lines()
                    .filter(|l| l.starts_with("S12"))
                    .collect(),
            ),
            ("the last attempt number", {
                let mut scene = Scene::four();
                let mut attempts = scene.known_ledger().attempts_of(&id("N01"), TARGET);
                (attempts.number, attempts.first) = (255, 255);
                scene.known_ledger().attempts.insert(text("N01"), attempts);
                opening(&scene, Step::Vacate, |i| i.attempt = 255)
            }),
            ("block zero", opening(&Scene::four(), Step::Vacate, |i| (i.base, i.entry.place.seq) = (0, 0))),
            (
                "a given block",
                opening(&change(Scene::four(), |s| s.known_ledger().next = 9), Step::Vacate, |i| (i.base, i.entry.place.seq) = (5, 5)),
            ),
            ("a Restart in the Return's place", opening(&staged(), Step::Restart, |i| i.entry.place.seq += 3)),
            ("opened as cancelled", opening(&staged(), Step::Restart, |i| i.cancelled = Some(Stamp::Unknown))),
            ("an order to settle", Scene::four().returned().closed().opened(Step::Settle).order_verdict()),
            (
                "another intent's Cancel",
                staged().opened(Step::Restart).verdict(Decision::Cancel(EntryId { cluster: text("north"), place: place(2) })),
            ),
            ("our own as inherited", staged().opened(Step::Restart).close_verdict(Outcome::Inherited, false)),
            (
                "an Install refused by nobody",
                Scene::four().out().opened(Step::Install).close_verdict(Outcome::Failed(Failure::PlatformRefused), false),
            ),
            (
                "the Return in its block",
                change(staged(), |s| s.apply(Event::Noted { state: "Wait".to_owned() })).open_verdict(Step::Return),
            ),
        ],
    );
}

fn fence() -> Order {
    Order::fence(EntryId { cluster: text("north"), place: place(0) }, id("N01"), None)
}
