//! The corners of the laws: each line is one small change to a situation that holds, and what it breaks.

use super::scene::{NOW, Scene, TARGET, build, epoch, id, known, place, text};
use drydock_model::desired::{Overrun, Target, Version};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{EntryId, NodeId, Place};
use drydock_model::ledger::{Event, Failure, Outcome};
use drydock_model::observed::{ClusterService, Drives, MarkerState, MemberState, Setup, Witness};
use drydock_model::order::{Act, MarkerExpected, Order, Work};
use drydock_model::plan::{Decision, NodePhase, NodeReport, Recheck, WaitingOn, WindowReport};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Span, Stamp};
use expect_test::{Expect, expect};

fn change(mut scene: Scene, change: impl FnOnce(&mut Scene)) -> Scene {
    change(&mut scene);
    scene
}

/// The verdicts, one under the other, each under its case.
fn table(expect: Expect, cases: Vec<(&str, String)>) {
    let all: String = cases.iter().map(|(case, verdict)| format!("{case}:\n{}\n", verdict.trim_end())).collect();
    expect.assert_eq(&all);
}

fn unknown<T>() -> Fact<T> {
    Fact::Unknown(Gap::TimedOut)
}

fn worked(scene: &Scene, change: impl FnOnce(&mut Work)) -> String {
    let order = scene.order();
    let Act::Step(mut work) = order.act else { panic!("{order}") };
    change(&mut work);
    let order = Order::step(order.entry, order.node, work, order.expect, order.boot.unwrap(), order.not_after.unwrap());
    scene.verdict(Decision::Perform(vec![order]))
}

fn ordered(scene: &Scene, change: impl FnOnce(&mut Order)) -> String {
    let mut order = scene.order();
    change(&mut order);
    scene.verdict(Decision::Perform(vec![order]))
}

fn opening(scene: &Scene, step: Step, change: impl FnOnce(&mut drydock_model::ledger::Intent)) -> String {
    let mut intent = scene.intent(step);
    change(&mut intent);
    scene.verdict(Decision::Open(intent))
}

#[test]
fn s1_corners_of_who_is_out_and_by_whom() {
    let out = || Scene::four().out();
    table(
        expect![[r#"
            the chosen node is paused by a person:
            S1: N01 is Paused before we took it out
            it is not vacated yet:
            S1: N01 has not been vacated at its Install
            its marker is half written:
            S1: N01 carries no marker of ours at its Install
            its marker is of another claim with our number:
            S1: N01 carries no marker of ours at its Install
            the order expects nobody to have it:
            S1: the order for Install of N01 expects a node that nobody took out
            another machine is out under its name:
            S1: N01 is not out by the ledger at its Reboot
        "#]],
        vec![
            (
                "the chosen node is paused by a person",
                change(Scene::four(), |s| s.member("N01", |m| m.state = MemberState::Paused)).open_verdict(Step::Vacate),
            ),
            (
                "it is not vacated yet",
                change(out(), |s| s.known_ledger().out.as_mut().unwrap().vacated = false).open_verdict(Step::Install),
            ),
            (
                "its marker is half written",
                change(out(), |s| s.memory("N01", |m| m.marker.as_mut().unwrap().state = MarkerState::Suspending))
                    .open_verdict(Step::Install),
            ),
            (
                "its marker is of another claim with our number",
                change(out(), |s| s.memory("N01", |m| m.marker.as_mut().unwrap().vacate.epoch.nonce = text("zz")))
                    .open_verdict(Step::Install),
            ),
            ("the order expects nobody to have it", ordered(&out().opened(Step::Install), |o| o.expect.marker = MarkerExpected::Absent)),
            (
                "another machine is out under its name",
                change(out(), |s| s.known_ledger().out.as_mut().unwrap().node.machine = text("m-x")).open_verdict(Step::Reboot),
            ),
        ],
    );
}

#[test]
fn s4_corners_of_quorum() {
    table(
        expect![[r#"
            no word of the cluster:
            S4: the cluster does not say whether it survives the loss of N01
            S10: the cluster's own word on quorum is unknown at the Vacate of N01: no answer in time
            a node without drives:
            S4: the pool's drives on N03 are not known at the Vacate of N01
            drives that are not good do not count:
            S4: without N01 6 of 16 drives of the pool are left
            the order does not ask:
            S4: the order for Vacate of N01 does not make the node ask whether quorum survives
            storage unknown while out:
            S2b: storage is not known at the Restart of N01
            S4: the pool's drives cannot be counted at the Restart of N01
            S10: storage is unknown at the Restart of N01: no answer in time
            storage unknown before:
            S2: storage is not known at the Vacate of N01
            S4: the pool's drives cannot be counted at the Vacate of N01
            S10: storage is unknown at the Vacate of N01: no answer in time
            votes of the dead:
            S1: N04 is Down at the Vacate of N01
            S1: N05 is Down at the Vacate of N01
            S4: without N01 2 of 5 votes are left
            S10: the identity of N04 is unknown at the Vacate of N01: no answer in time
            S10: the memory of N04 is unknown at the Vacate of N01: no answer in time
            S10: the clock of N04 is unknown at the Vacate of N01: no answer in time
            S10: the build of N04 is unknown at the Vacate of N01: no answer in time
            S10: the view of N04 is unknown at the Vacate of N01: no answer in time
            S10: the identity of N05 is unknown at the Vacate of N01: no answer in time
            S10: the memory of N05 is unknown at the Vacate of N01: no answer in time
            S10: the clock of N05 is unknown at the Vacate of N01: no answer in time
            S10: the build of N05 is unknown at the Vacate of N01: no answer in time
            S10: the view of N05 is unknown at the Vacate of N01: no answer in time
            S17: the build of N04 is not known at the Vacate of N01
            S17: the build of N05 is not known at the Vacate of N01
        "#]],
        vec![
            (
                "no word of the cluster",
                change(Scene::four(), |s| s.observed.cluster.would_lose_quorum = unknown()).open_verdict(Step::Vacate),
            ),
            (
                "a node without drives",
                change(Scene::four(), |s| {
                    s.storage(|s| {
                        s.drives.remove(&text("N03"));
                    });
                })
                .open_verdict(Step::Vacate),
            ),
            (
                "drives that are not good do not count",
                change(Scene::four(), |s| {
                    s.storage(|s| {
                        for name in ["N02", "N03"] {
                            s.drives.insert(text(name), Drives { total: 4, good: 1, maintenance: 0 });
                        }
                    });
                })
                .open_verdict(Step::Vacate),
            ),
            ("the order does not ask", ordered(&Scene::four().opened(Step::Vacate), |o| o.expect.quorum = false)),
            (
                "storage unknown while out",
                change(Scene::four().staged(), |s| s.observed.cluster.storage = unknown()).open_verdict(Step::Restart),
            ),
            ("storage unknown before", change(Scene::four(), |s| s.observed.cluster.storage = unknown()).open_verdict(Step::Vacate)),
            ("votes of the dead", Scene::of_five_with_two_down().open_verdict(Step::Vacate)),
        ],
    );
}

#[test]
fn s3_corners_of_windows() {
    let later = |by| change(Scene::four(), move |s| s.later(by));
    table(
        expect![[r#"
            five and a half hours left, for an upgrade:
            S3: the window closes 2026-11-29T06:00:00Z, and the Vacate of N01 needs 5h45m until the node is back
            five and a half hours left, for the registry:
            holds
            at the order too:
            S3: the window closes 2026-11-29T06:00:00Z, and the Vacate of N01 needs 5h45m until the node is back
            a run to another target:
            S3: the window closes 2026-11-29T06:00:00Z, and the Vacate of N01 needs 5h45m until the node is back
            a run of which nobody knows when it began:
            S3: the window closes 2026-11-29T06:00:00Z, and the Vacate of N01 needs 5h45m until the node is back
        "#]],
        vec![
            ("five and a half hours left, for an upgrade", later(Millis::hours(2)).open_verdict(Step::Vacate)),
            (
                "five and a half hours left, for the registry",
                opening(&later(Millis::hours(2)), Step::Vacate, |i| i.purpose = Purpose::Registry),
            ),
            ("at the order too", change(Scene::four().opened(Step::Vacate), |s| s.later(Millis::hours(2))).order_verdict()),
            (
                "a run to another target",
                change(later(Millis::hours(2)), |s| {
                    s.desired.maintenance.overrun = Overrun::Finish;
                    s.known_ledger().run_began = Some((Target { version: Version::V24H2, revision: 0 }, Stamp::At(NOW)));
                })
                .open_verdict(Step::Vacate),
            ),
            (
                "a run of which nobody knows when it began",
                change(later(Millis::hours(2)), |s| {
                    s.desired.maintenance.overrun = Overrun::Finish;
                    s.known_ledger().run_began = Some((TARGET, Stamp::Unknown));
                })
                .open_verdict(Step::Vacate),
            ),
        ],
    );
}

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
            S6: Install for N01 (south/3.ab/5) carries an entry of another cluster
            S6: Install for N01 (south/3.ab/5) does not carry the open intent's entry
            another attempt:
            S5: Install of N01 asks for attempt 2, and the ledger is at 1
            S6: Install for N01 (north/3.ab/5) does not do what the open intent says
            another step:
            S6: Reboot for N01 (north/3.ab/5) does not do what the open intent says
            another target:
            S6: Install of N01 is for 23H2 (25398.9 or later), and 23H2 is desired
            S6: Install for N01 (north/3.ab/5) does not do what the open intent says
            another node:
            S1: N01 is Paused at the Install of N02
            S1: N02 is not out by the ledger at its Install
            S2b: 0 of 4 drives of N01 are good at the Install of N02
            S6: Install for N02 (north/3.ab/5) is for another node than the open intent
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

fn fence() -> Order {
    Order::fence(EntryId { cluster: text("north"), place: place(0) }, id("N01"), None)
}

#[test]
fn s7_corners_of_what_is_said() {
    let idle = || Decision::Wait(WaitingOn::WindowOpens(None), Recheck::Usual);
    let said = |scene: Scene, edit| {
        let mut scene = scene;
        scene.edit = edit;
        scene.verdict(idle())
    };
    let closing = |edit: fn(&mut Scene)| change(Scene::four().upgraded(), edit).close_verdict(Outcome::Done, true);
    let back = || Scene::four().returned().all_done();
    table(
        expect![[r#"
            gone by nobody's word:
            S7: the report calls N01 gone, which nobody said
            a node that is none:
            S7: the report speaks of N09, which is no node of the desired state
            a window that is shut:
            S7: the report calls a closed window open
            converged over an unknown ledger:
            S7: the cluster is called converged over an unknown ledger
            converged while something is open:
            S7: the cluster is called converged while north/3.ab/12 is open
            S7: the cluster is called converged while N01 is out
            converged while a node settles:
            S7: the cluster is called converged while N01 settles
            restarted, and the service stands:
            S7: Restart of N01 would be closed as done: the cluster service is not seen running on N01
            restarted, and setup runs:
            S7: Restart of N01 would be closed as done: setup is not seen to have ended on N01
            restarted, and the build is unknown:
            S7: Restart of N01 would be closed as done: the build of N01: no answer in time
            rebooted:
            holds
            returned, and seen joining:
            S7: Return of N01 would be closed as done: N01 is Joining
        "#]],
        vec![
            ("gone by nobody's word", said(Scene::four(), |r| r.nodes.get_mut(&text("N01")).unwrap().phase = NodePhase::Gone)),
            (
                "a node that is none",
                said(Scene::four(), |r| {
                    r.nodes.insert(text("N09"), NodeReport { build: None, phase: NodePhase::Unknown, detail: String::new() });
                }),
            ),
            ("a window that is shut", said(Scene::four().after(Millis::hours(40)), |r| r.window = WindowReport::Always)),
            ("converged over an unknown ledger", change(Scene::four().all_done(), |s| s.ledger = unknown()).verdict(Decision::Converged)),
            ("converged while something is open", back().verdict(Decision::Converged)),
            ("converged while a node settles", back().closed().verdict(Decision::Converged)),
            ("restarted, and the service stands", closing(|s| s.facts("N01").service = known(ClusterService::Stopped))),
            ("restarted, and setup runs", closing(|s| s.facts("N01").setup = known(Setup { running: true, pending: false }))),
            ("restarted, and the build is unknown", closing(|s| s.facts("N01").build = unknown())),
            (
                "rebooted",
                change(Scene::four().out().opened(Step::Reboot), |s| {
                    s.facts("N01").boot = s.facts("N02").boot.clone().map(|mut b| {
                        b.id = text("b7");
                        b
                    })
                })
                .close_verdict(Outcome::Done, true),
            ),
            (
                "returned, and seen joining",
                change(Scene::four().returned(), |s| s.member("N01", |m| m.state = MemberState::Joining))
                    .close_verdict(Outcome::Done, true),
            ),
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
    table(
        expect![[r#"
            a Cancel was heard:
            S9: Install for N01 (north/3.ab/5) comes after N01 has heard 3.ab/6
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
            a silent member that the desired state does not name:
            S10: N04 was not observed at the Vacate of N01
            S17: the build of N04 is not known at the Vacate of N01
        "#]],
        vec![
            ("a Cancel was heard", change(install(), |s| s.memory("N01", |m| m.cancelled = Some(place(6)))).order_verdict()),
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
            S14: north/3.ab/12 takes a number that its block of 4 keeps for something else
            opened as cancelled:
            S14: north/3.ab/9 would be opened as cancelled
            an order to settle:
            S14: Settle for N01 (north/3.ab/13) asks for a step that orders nothing
            another intent's Cancel:
            S14: north/3.ab/2 is not the Cancel of the open north/3.ab/9
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

/// S1: an empty set is unknown, and so is a side without the votes.
#[test]
fn s1_corners_of_the_quorate_side() {
    let split = || {
        // Two and two, each pair seeing the other down.
        change(Scene::four(), |s| {
            for (name, others) in [("N01", ["N03", "N04"]), ("N02", ["N03", "N04"]), ("N03", ["N01", "N02"]), ("N04", ["N01", "N02"])] {
                if let Fact::Known { value, .. } = &mut s.facts(name).view {
                    value.witness = Witness::None;
                    for other in others {
                        value.members.get_mut(&text(other)).unwrap().state = MemberState::Down;
                    }
                }
            }
        })
    };
    let witnessed = |name: &'static str| {
        change(split(), |s| {
            for on in ["N01", "N02", "N03", "N04"] {
                if let Fact::Known { value, .. } = &mut s.facts(on).view {
                    let side = (on < "N03") == (name < "N03");
                    value.witness = if side { Witness::Online { vote: true } } else { Witness::Offline };
                }
            }
        })
    };
    let first = |verdict: String| verdict.lines().filter(|line| line.starts_with("S1:")).map(|line| format!("{line}\n")).collect();
    table(
        expect![[r#"
            two and two:
            S1: nobody can say who is Up at the Vacate of N01: no answering nodes that name each other hold the votes
            the first two hold the witness:
            S1: N03 is Down at the Vacate of N01
            S1: N04 is Down at the Vacate of N01
            the last two hold the witness:
            S1: N02 is Down at the Vacate of N01
            S1: N01 is Down before we took it out
            nobody names itself:
            S1: nobody can say who is Up at the Vacate of N01: no answering nodes that name each other hold the votes
            one belongs to another cluster:
            S10: N02 belongs to cluster k2 at the Vacate of N01
        "#]],
        vec![
            ("two and two", first(split().open_verdict(Step::Vacate))),
            ("the first two hold the witness", first(witnessed("N01").open_verdict(Step::Vacate))),
            ("the last two hold the witness", first(witnessed("N04").open_verdict(Step::Vacate))),
            (
                "nobody names itself",
                first(
                    change(Scene::four(), |s| {
                        for name in ["N01", "N02", "N03", "N04"] {
                            s.member(name, |m| m.state = MemberState::Joining);
                        }
                    })
                    .open_verdict(Step::Vacate),
                ),
            ),
            (
                "one belongs to another cluster",
                change(Scene::four(), |s| {
                    if let Fact::Known { value, .. } = &mut s.facts("N02").view {
                        value.cluster = text("k2");
                    }
                })
                .open_verdict(Step::Vacate),
            ),
        ],
    );
}

#[test]
fn s8_s17_corners_of_builds() {
    table(
        expect![[r#"
            a release that nobody knows:
            S17: N03 runs 17784.1, which is no known release, at the Vacate of N01
            a registry that restarted nobody knows when:
            S17: N03 has not restarted since its registry was written, at the Vacate of N01
            an Install above the target:
            S8: Install of N01 would move it from 26100.1 back to 23H2
            S17: Install of N01: no documented upgrade leads from 24H2 to 23H2
            S17: Install of N01 would mix 22H2, 23H2, 24H2
            a Cancel that the ledger never gave:
            S8: N03 remembers 3.ab/9, which the ledger has not given out, at the WriteRegistry of N01
        "#]],
        vec![
            (
                "a release that nobody knows",
                change(Scene::four(), |s| s.facts("N03").build = known(build("17784.1"))).open_verdict(Step::Vacate),
            ),
            (
                "a registry that restarted nobody knows when",
                change(Scene::four(), |s| s.facts("N03").boot = unknown()).open_verdict(Step::Vacate),
            ),
            (
                "an Install above the target",
                change(Scene::four().out(), |s| s.facts("N01").build = known(build("26100.1"))).open_verdict(Step::Install),
            ),
            (
                "a Cancel that the ledger never gave",
                change(Scene::four(), |s| s.memory("N03", |m| m.cancelled = Some(place(9)))).open_verdict(Step::WriteRegistry),
            ),
        ],
    );
}
