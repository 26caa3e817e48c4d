//! S1, S3, S4, S7, S8, S17: the cluster and its builds.

use super::{change, opening, ordered, table, unknown};
use crate::tests::scene::{NOW, Scene, TARGET, build, known, place, text};
use drydock_model::desired::{Overrun, Target, Version};
use drydock_model::fact::Fact;
use drydock_model::ledger::Outcome;
use drydock_model::observed::{ClusterService, Drives, MarkerState, MemberState, Setup, Witness};
use drydock_model::order::MarkerExpected;
use drydock_model::plan::{Decision, NodePhase, NodeReport, Recheck, WaitingOn, WindowReport};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Stamp};
use expect_test::expect;

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
            S7: the cluster is called converged while north/3.ab/14 is open
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
            one does not name another:
            S10: N03 and the others do not name each other at the Vacate of N01
            one belongs to another cluster:
            S10: N02 and the others do not name each other at the Vacate of N01
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
                "one does not name another",
                change(Scene::four(), |s| {
                    if let Fact::Known { value, .. } = &mut s.facts("N03").view {
                        value.members.get_mut(&text("N01")).unwrap().state = MemberState::Down;
                    }
                })
                .open_verdict(Step::Vacate),
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
