//! S7, S10, S11, S12, S16: what is said, what is not known, and what a person said.

use super::scene::{Scene, TARGET, id, known, text};
use drydock_model::desired::Suspend;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ledger::{Failure, Outcome};
use drydock_model::observed::{Boot, DiskState, DrainStatus, Job, JobState, MemberState, Setup, StopMark, Storage, WorkerState};
use drydock_model::plan::{Decision, NodePhase, Recheck, WaitingOn, WindowReport};
use drydock_model::step::Step;
use drydock_model::time::{Millis, Span, Timestamp};
use expect_test::expect;

fn idle() -> Decision {
    Decision::Wait(WaitingOn::WindowOpens(None), Recheck::Usual)
}

#[test]
fn s7_no_node_is_called_done_that_was_not_seen_on_the_target_and_up() {
    let mut scene = Scene::four().all_done();
    scene.edit = |report| report.nodes.values_mut().for_each(|n| n.phase = NodePhase::Done);
    assert_eq!(scene.verdict(idle()), "holds");
    scene.facts("N02").build = Fact::Unknown(Gap::TimedOut);
    scene.member("N03", |m| m.state = MemberState::Paused);
    expect![[r#"
        S7: the report calls N02 done: the build of N02: no answer in time
        S7: the report calls N03 done: N03 is Paused
    "#]]
    .assert_eq(&scene.verdict(idle()));
}

#[test]
fn s7_a_build_that_was_not_seen_is_not_reported() {
    let mut scene = Scene::four();
    scene.facts("N02").build = Fact::Unknown(Gap::Unreachable);
    scene.edit = |report| {
        report.nodes.get_mut(&text("N02")).unwrap().build = "25398.1".parse().ok();
        report.nodes.remove(&text("N03"));
        report.window = WindowReport::Closed { opens: None };
    };
    expect![[r#"
        S7: the report says that N02 runs 25398.1, which was not seen
        S7: the report does not speak of N03
        S7: the report calls an open window closed
    "#]]
    .assert_eq(&scene.verdict(idle()));
}

#[test]
fn s7_converged_is_said_only_of_what_was_seen_whole() {
    let mut scene = Scene::four().all_done();
    scene.lose("N02");
    scene.edit = |report| report.nodes.values_mut().for_each(|n| n.phase = NodePhase::Pending);
    expect![[r#"
        S7: the cluster is called converged: the build of N02: no answer in time
    "#]]
    .assert_eq(&scene.verdict(Decision::Converged));
    scene.known_ledger().gone.insert(text("N02"), "scrapped".to_owned());
    assert_eq!(scene.verdict(Decision::Converged), "holds", "nobody waits for a node that is gone");
    let mut scene = Scene::four().out().all_done();
    scene.edit = |report| report.nodes.values_mut().for_each(|n| n.phase = NodePhase::Pending);
    expect![[r#"
        S7: the cluster is called converged: N01 is Paused
        S7: the cluster is called converged while N01 is out
    "#]]
    .assert_eq(&scene.verdict(Decision::Converged));
}

/// S7: each step is done by what is seen, never by what was answered.
#[test]
fn s7_no_step_is_closed_as_done_unless_its_effect_was_seen() {
    let mut scene = Scene::four().vacating();
    scene.member("N01", |m| m.drain = DrainStatus::InProgress);
    expect![[r#"
        S7: Vacate of N01 would be closed as done: N01 is not seen Paused, drained and without roles
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Done, true));
    let mut scene = Scene::four().out().opened(Step::Install);
    let install = scene.open().clone();
    scene.consume(&install, drydock_model::observed::Phase::Started);
    expect![[r#"
        S7: Install of N01 would be closed as done: N01 is not seen to have staged attempt 1
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Done, true));
    scene.facts("N01").build = known("25398.1611".parse().unwrap());
    assert_eq!(scene.close_verdict(Outcome::Done, true), "holds", "there is nothing left to stage");
    let staged = |attempt, target, state| {
        let mut scene = Scene::four().out().opened(Step::Install);
        let install = scene.open().clone();
        scene.consume(&install, drydock_model::observed::Phase::Ended);
        let place = install.entry.place;
        scene.facts("N01").worker = known(Some(drydock_model::observed::Worker { place, target, attempt, state, alive: false }));
        scene.close_verdict(Outcome::Done, true)
    };
    let other = drydock_model::desired::Target { revision: 9, ..TARGET };
    assert_eq!(staged(1, TARGET, WorkerState::Staged), "holds");
    for not_so in [staged(2, TARGET, WorkerState::Staged), staged(1, other, WorkerState::Staged), staged(1, TARGET, WorkerState::Cancelled)]
    {
        assert_eq!(not_so, "S7: Install of N01 would be closed as done: N01 is not seen to have staged attempt 1\n");
    }
    let scene = Scene::four().committing();
    expect![[r#"
        S7: Restart of N01 would be closed as done: N01 runs 20349.3700
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Done, true));
    let mut scene = Scene::four().returned();
    scene.memory("N01", |m| {
        m.marker = Some(drydock_model::observed::Marker {
            vacate: super::scene::place(1),
            state: drydock_model::observed::MarkerState::Suspended,
        });
    });
    expect![[r#"
        S7: Return of N01 would be closed as done: N01 still carries the marker
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Done, true));
    let scene = Scene::four().returned().closed().opened(Step::Settle);
    expect![[r#"
        S7: Settle of N01 would be closed as done: N01 has been back for less than 5m
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Done, true));
    assert_eq!(scene.after(Millis::minutes(5)).close_verdict(Outcome::Done, true), "holds");
    let mut scene = Scene::four().opened(Step::WriteRegistry);
    let write = scene.open().clone();
    scene.consume(&write, drydock_model::observed::Phase::Ended);
    assert_eq!(scene.close_verdict(Outcome::Done, true), "holds");
    scene.facts("N01").registry = known(drydock_model::observed::RegistryFacts::default());
    expect![[r#"
        S7: WriteRegistry of N01 would be closed as done: RefsEnableMetadataValidation of N01 is not 0
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Done, true));
    let mut scene = Scene::four().out().opened(Step::Reboot);
    let reboot = scene.open().clone();
    scene.consume(&reboot, drydock_model::observed::Phase::Ended);
    expect![[r#"
        S7: Reboot of N01 would be closed as done: N01 is not seen in another boot
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Done, true));
    scene.facts("N01").boot = known(Boot { id: "b2".parse().unwrap(), up: Millis::minutes(2) });
    scene.facts("N01").setup = known(Setup { running: false, pending: true });
    expect![[r#"
        S7: Reboot of N01 would be closed as done: a restart is pending on N01 still
    "#]]
    .assert_eq(&scene.close_verdict(Outcome::Done, true));
    scene.facts("N01").setup = known(Setup::default());
    assert_eq!(scene.close_verdict(Outcome::Done, true), "holds");
}

#[test]
fn s7_a_node_has_settled_only_when_storage_was_seen_whole() {
    let settling = |change: fn(&mut Storage)| {
        let mut scene = Scene::four().returned().closed().opened(Step::Settle);
        scene.storage(change);
        scene.after(Millis::minutes(5)).close_verdict(Outcome::Done, true)
    };
    assert_eq!(settling(|_| {}), "holds");
    let changes: [fn(&mut Storage); 3] = [
        |s| {
            s.disks.insert("Volume1".to_owned(), DiskState::Repairing);
        },
        |s| s.jobs.push(Job { name: "Repair".to_owned(), state: JobState::Suspended, percent: 9 }),
        |s| s.drives.values_mut().for_each(|d| d.maintenance = 1),
    ];
    for change in changes {
        assert_eq!(settling(change), "S7: Settle of N01 would be closed as done: storage is not seen whole\n");
    }
}

#[test]
fn s10_no_node_is_vacated_while_any_member_is_silent() {
    let mut scene = Scene::four();
    scene.facts("N03").memory = Fact::Unknown(Gap::AccessDenied);
    scene.facts("N04").clock = Fact::Unknown(Gap::Missing("LocalDateTime".to_owned()));
    expect![[r#"
        S10: the memory of N03 is unknown at the Vacate of N01: access denied
        S10: the clock of N04 is unknown at the Vacate of N01: answer lacks LocalDateTime
        S17: N03 has not restarted since its registry was written, at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s10_a_fact_older_than_two_minutes_is_unknown() {
    let mut scene = Scene::four();
    let seen = |ago: u64| Span { from: super::scene::NOW - Millis::seconds(ago), to: super::scene::NOW };
    let aged = |scene: &mut Scene, ago| {
        if let Fact::Known { seen: when, .. } = &mut scene.facts("N02").view {
            *when = seen(ago);
        }
    };
    aged(&mut scene, 120);
    assert_eq!(scene.open_verdict(Step::Vacate), "holds");
    aged(&mut scene, 121);
    expect![[r#"
        S10: the view of N02 is unknown at the Vacate of N01: read too long ago
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s10_the_node_refuses_an_order_that_was_planned_on_old_facts() {
    let scene = Scene::four().opened(Step::Vacate);
    let mut order = scene.order();
    order.boot = Some(text("b0"));
    order.not_after = Some(Millis::hours(6));
    expect![[r#"
        S10: the order for Vacate of N01 is for another boot than the one that was seen
        S10: the order for Vacate of N01 would still be taken when its facts are older than 2m
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![order])));
}

#[test]
fn s10_no_node_is_vacated_while_the_controllers_clock_is_off() {
    let with = |by: [i64; 4]| {
        let mut scene = Scene::four();
        for (name, by) in ["N01", "N02", "N03", "N04"].into_iter().zip(by) {
            scene.facts(name).clock = known(Timestamp(super::scene::NOW.0 - 2_000 + by * 1_000));
        }
        scene.open_verdict(Step::Vacate)
    };
    assert_eq!(with([-4_000, 110, 3_600, 7_200]), "holds", "the lower median counts");
    expect![[r#"
        S10: the nodes' clocks are ahead by 2m8s at the Vacate of N01
    "#]]
    .assert_eq(&with([-4_000, 130, 3_600, 7_200]));
    expect![[r#"
        S10: the nodes' clocks are behind by 3m19s at the Vacate of N01
    "#]]
    .assert_eq(&with([-4_000, -200, 3_600, 7_200]));
}

#[test]
fn s10_members_that_disagree_on_the_cluster_lose_none_of_theirs() {
    let mut scene = Scene::four();
    let mut other = id("N03");
    other.cluster = text("k2");
    scene.facts("N03").id = known(other);
    expect![[r#"
        S10: N03 belongs to cluster k2 at the Vacate of N01
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
}

#[test]
fn s10_nobody_is_up_by_the_word_of_a_minority() {
    let mut scene = Scene::four();
    for name in ["N02", "N03", "N04"] {
        scene.facts(name).view = Fact::Unknown(Gap::ClusterServiceStopped);
    }
    scene.witness_of("N01");
    let verdict = scene.open_verdict(Step::Vacate);
    assert!(
        verdict.contains("S1: nobody can say who is Up at the Vacate of N01: no answering nodes that name each other hold the votes"),
        "{verdict}"
    );
}

#[test]
fn s11_after_a_stop_only_the_way_back_goes_on() {
    let suspend = |scene: &mut Scene| scene.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
    let mut scene = Scene::four();
    suspend(&mut scene);
    expect![[r#"
        S11: the cluster is suspended, and the WriteRegistry of N01 would begin
    "#]]
    .assert_eq(&scene.open_verdict(Step::WriteRegistry));
    expect![[r#"
        S11: the cluster is suspended, and the Vacate of N01 would begin
    "#]]
    .assert_eq(&scene.open_verdict(Step::Vacate));
    let mut scene = Scene::four().out();
    suspend(&mut scene);
    expect![[r#"
        S11: the cluster is suspended, and the Install of N01 would begin
    "#]]
    .assert_eq(&scene.open_verdict(Step::Install));
    assert_eq!(scene.open_verdict(Step::Return), "holds");
    scene.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: Some(super::scene::NOW) });
    assert_eq!(scene.open_verdict(Step::Install), "holds", "it is over");
}

#[test]
fn s11_a_stop_file_and_a_stop_mark_on_any_node_stop_the_cluster() {
    let mut scene = Scene::four().out();
    scene.stop = Some("power works".to_owned());
    let words = || "x".to_owned();
    scene.memory("N04", |m| m.stop = Some(StopMark { who: words(), when: words(), why: words() }));
    expect![[r#"
        S11: a stop file stands beside the controller, and the Install of N01 would begin
        S11: a stop mark is on N04, and the Install of N01 would begin
    "#]]
    .assert_eq(&scene.open_verdict(Step::Install));
    assert_eq!(scene.opened(Step::Return).order_verdict(), "holds");
}

#[test]
fn s12_orders_texts_and_attempts_are_bounded() {
    let scene = Scene::four().out().opened(Step::Install);
    expect![[r#"
        S12: 5 orders would be sent to 4 nodes
        S12: N01 would get two orders in one lap
        S12: N01 would get two orders in one lap
        S12: N01 would get two orders in one lap
        S12: N01 would get two orders in one lap
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(vec![scene.order(); 5])));
    expect![[r#"
        S12: a lap would be spent on no order
    "#]]
    .assert_eq(&scene.verdict(Decision::Perform(Vec::new())));
    let failed = Outcome::Failed(Failure::WorkerFailed { code: 1, doing: "x".repeat(2_000) });
    expect![[r#"
        S12: the outcome has 2054 characters; at most 2000 are allowed
    "#]]
    .assert_eq(&scene.close_verdict(failed, false));
    let mut scene = Scene::four();
    scene.edit = |report| report.warnings = vec!["mind".to_owned(); 37];
    let running = WaitingOn::StepRunning { node: text("N01"), step: Step::Install, percent: Some(101) };
    expect![[r#"
        S12: the report has 37 warnings
        S12: 101 percent are done
    "#]]
    .assert_eq(&scene.verdict(Decision::Wait(running, Recheck::Soon)));
}

#[test]
fn s12_retries_end() {
    let mut scene = Scene::four();
    let mut attempts = scene.known_ledger().attempts_of(&id("N01"), TARGET);
    attempts.number = 3;
    scene.known_ledger().attempts.insert(text("N01"), attempts.clone());
    let open = |scene: &Scene, attempt| {
        let mut intent = scene.intent(Step::Vacate);
        intent.attempt = attempt;
        scene.verdict(Decision::Open(intent))
    };
    assert_eq!(open(&scene, 3), "holds");
    attempts.number = 4;
    scene.known_ledger().attempts.insert(text("N01"), attempts);
    expect![[r#"
        S12: Vacate of N01 would be attempt 4, and 2 retries are allowed
    "#]]
    .assert_eq(&open(&scene, 4));
}

#[test]
fn s16_what_looks_like_a_secret_is_found_and_not_repeated() {
    let mut scene = Scene::four();
    scene.edit = |report| {
        report.blocked_by.push("logon failed: password=hunter2".to_owned());
        report.nodes.get_mut(&text("N02")).unwrap().detail = "the password has expired".to_owned();
    };
    let verdict = scene.verdict(Decision::Wait(WaitingOn::Remote("https://me:pass@git.example.com/x".to_owned()), Recheck::Usual));
    expect![[r#"
        S16: a blocker assigns a password or a token
        S16: what is waited on contains an address with a password
    "#]]
    .assert_eq(&verdict);
}
