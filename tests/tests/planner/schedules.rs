//! Schedules of many looks: what goes on for ever, what is never heard of again, and what a new claim, a word or a merge comes between.

use super::*;
use drydock_model::window::{Window, Windows};
use drydock_tests::situation::{id, say};

fn boot(text: &str) -> Boot {
    Boot { id: text.parse().expect("fine"), up: Millis::minutes(5) }
}

fn refs(case: &mut Case, n: u32, value_is: u32) {
    value(&mut case.node(n).registry).refs_enable_metadata_validation = Some(value_is);
}

fn written(case: &mut Case, n: u32) {
    refs(case, n, 0);
    case.memory(n).registry_written = case.node(n).boot.known().map(|boot| boot.id.clone());
}

fn resumed(case: &mut Case, n: u32) {
    case.memory(n).marker = None;
    case.member(n, |m| m.state = MemberState::Up);
    let drives = case.storage().drives.get_mut(&name(n)).expect("there");
    (drives.good, drives.maintenance) = (drives.total, 0);
}

#[test]
fn a_restart_that_waits_to_commit_is_ended_by_whatever_forbids_its_commit() {
    type Change = (&'static str, fn(&mut Case));
    let changes: [Change; 6] = [
        ("suspend", |c| c.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None })),
        ("stop file", |c| c.stop = Some("smoke in the rack")),
        ("stop mark on another node", |c| {
            c.memory(2).stop = Some(StopMark { who: "ann".to_owned(), when: "today".to_owned(), why: "smoke".to_owned() });
        }),
        ("another release", |c| c.desired.target.revision = 1_700),
        ("no longer named", |c| drop(c.desired.nodes.remove(0))),
        ("the window closes", |c| {
            let monday = Window::new("weekly on Monday at 12:00".parse().expect("fine"), Millis::hours(9), "UTC".parse().expect("fine"));
            c.desired.maintenance.windows = Windows::new(vec![monday.expect("fine")], Vec::new()).expect("fine");
            c.desired.maintenance.overrun = Overrun::Stop;
        }),
    ];
    let mut deaf = Vec::new();
    for (what, change) in changes {
        let (mut case, restart) = Case::restarting();
        value(&mut case.node(1).setup).pending = true;
        // Accepted by the node: its task asks for up to 15 minutes whether it may commit, and cannot now.
        case.consume(1, &restart.entry.place, Phase::Started);
        change(&mut case);
        if !matches!(case.decide(), Decision::Cancel(_) | Decision::Close { outcome: Outcome::Superseded, .. }) {
            deaf.push(format!("{what}: {}", case.says()));
        }
    }
    assert!(deaf.is_empty(), "{}", deaf.join("\n"));
}

/// As by DSC, which corrects every fifteen minutes by default, in a drain that takes as long.
#[test]
fn values_that_are_set_back_while_the_node_drains_end_in_a_hold() {
    let mut case = four();
    refs(&mut case, 3, 1);
    let mut drains = 0;
    for _ in 0..1_000 {
        match case.decide() {
            Decision::Open(_) => {
                let intent = case.open();
                match intent.step {
                    Step::WriteRegistry => {
                        written(&mut case, 3);
                        case.close(Outcome::Done);
                    }
                    Step::Vacate => {
                        drains += 1;
                        case.vacated(3, &intent);
                        refs(&mut case, 3, 1);
                    }
                    Step::Return => resumed(&mut case, 3),
                    Step::Reboot | Step::Install | Step::Restart | Step::Settle => {}
                }
            }
            Decision::Close { outcome, .. } => case.close(outcome),
            Decision::Hold(HoldReason::NodeFailed { .. }) => return,
            Decision::Wait(..) => case.pass(Millis::minutes(10)),
            other => panic!("{other:?}"),
        }
    }
    panic!("{drains} drains in {}, and no end: {}", case.now.since(NOON), case.says());
}

/// The same while an installation is at work, which takes hours: each turn costs two drains, a reboot and a download.
#[test]
fn values_that_are_set_back_while_it_installs_end_in_a_hold() {
    let mut case = four();
    let (mut drains, mut reboots, mut installs) = (0, 0, 0);
    for _ in 0..2_000 {
        match case.decide() {
            Decision::Open(_) => {
                let intent = case.open();
                match intent.step {
                    Step::WriteRegistry => {
                        written(&mut case, 1);
                        case.close(Outcome::Done);
                    }
                    Step::Vacate => {
                        drains += 1;
                        case.vacated(1, &intent);
                    }
                    Step::Reboot => {
                        reboots += 1;
                        case.consume(1, &intent.entry.place, Phase::Ended);
                        case.node(1).boot = known(boot(&format!("boot-again-{reboots}")));
                        case.pass(Millis::minutes(1));
                    }
                    Step::Install => {
                        installs += 1;
                        case.consume(1, &intent.entry.place, Phase::Started);
                        case.worker(1, &intent.entry.place, WorkerState::Downloading(30));
                        if let Some(worker) = value(&mut case.node(1).worker) {
                            worker.attempt = intent.attempt;
                        }
                        refs(&mut case, 1, 1);
                        case.pass(Millis::minutes(15));
                    }
                    Step::Return => resumed(&mut case, 1),
                    Step::Restart | Step::Settle => {}
                }
            }
            Decision::Cancel(_) => {
                let open = case.ledger.open.clone().expect("open");
                case.cancel(&open);
            }
            Decision::Perform(_) => {
                if let Some(worker) = value(&mut case.node(1).worker) {
                    (worker.state, worker.alive) = (WorkerState::Cancelled, false);
                }
            }
            Decision::Close { outcome, .. } => case.close(outcome),
            Decision::Hold(HoldReason::NodeFailed { .. }) => return,
            Decision::Wait(..) => case.pass(Millis::minutes(10)),
            other => panic!("{drains} drains, {reboots} reboots, {installs} installations in {}: {other:?}", case.now.since(NOON)),
        }
    }
    panic!("{drains} drains, {reboots} reboots, {installs} installations in {}, and no end: {}", case.now.since(NOON), case.says());
}

/// Set back within seconds: four writes, and then a hold that speaks of a drain that never was.
#[test]
fn values_that_are_set_back_at_once_end_in_a_hold_that_says_so() {
    let mut case = four();
    case.desired.run.max_failed_nodes = 0;
    refs(&mut case, 3, 1);
    for _ in 0..50 {
        match case.decide() {
            Decision::Open(_) => {
                let intent = case.open();
                assert_eq!(intent.step, Step::WriteRegistry, "nobody is drained for it");
                case.close(Outcome::Done);
            }
            Decision::Hold(why) => {
                let HoldReason::NodeFailed { failed, .. } = &why else { panic!("{why}") };
                assert_ne!(failed.step, Step::Vacate, "{why}. {}", why.way_out());
                assert!(why.way_out().contains("RefsEnableMetadataValidation"), "{why}. {}", why.way_out());
                return;
            }
            Decision::Wait(..) => case.pass(Millis::minutes(10)),
            other => panic!("{other:?}"),
        }
    }
    panic!("{}", case.says());
}

/// Whether jobs show as Suspended, or run, while a node is paused has been seen on no real box (domain.md section 14): where they run, every node is drained
/// and brought back without end.
#[test]
fn a_node_that_is_brought_back_for_the_same_reason_each_time_is_not_drained_without_end() {
    let mut case = four();
    case.desired.run.max_failed_nodes = 0;
    let mut drains = 0;
    for _ in 0..1_000 {
        match case.decide() {
            Decision::Open(_) => {
                let intent = case.open();
                match intent.step {
                    Step::Vacate => {
                        drains += 1;
                        case.vacated(1, &intent);
                        case.storage().jobs = vec![Job { name: "Repair".to_owned(), state: JobState::Running, percent: 0 }];
                    }
                    Step::Return => {
                        resumed(&mut case, 1);
                        case.storage().jobs.clear();
                    }
                    Step::WriteRegistry | Step::Reboot | Step::Install | Step::Restart | Step::Settle => {}
                }
            }
            Decision::Close { outcome, .. } => case.close(outcome),
            Decision::Hold(_) => return,
            Decision::Wait(..) => case.pass(Millis::minutes(10)),
            other => panic!("{other:?}"),
        }
    }
    panic!("{drains} drains of N01 in {}, and no end: {}", case.now.since(NOON), case.says());
}

fn second_claim(case: &mut Case) {
    let epoch = Epoch { number: 2, nonce: "cd34".parse().expect("fine") };
    case.write(&Event::Claimed { epoch: epoch.clone() });
    for n in 2..=4 {
        case.memory(n).fence = Some(Place { epoch: epoch.clone(), seq: 0 });
    }
}

#[test]
fn a_node_that_is_out_and_no_longer_named_returns_under_a_new_claim_too() {
    let mut case = Case::out();
    assert_eq!(case.open().step, Step::Install);
    case.desired.nodes.remove(0);
    second_claim(&mut case);
    // The laws stand behind it, and panic.
    case.decide();
}

#[test]
fn a_vacate_of_a_node_that_is_no_longer_named_is_given_up_under_a_new_claim_too() {
    let mut case = four();
    assert_eq!(case.open().step, Step::Vacate);
    case.desired.nodes.remove(0);
    second_claim(&mut case);
    case.decide();
}

#[test]
fn an_upgrade_that_took_marker_and_fence_of_a_node_that_is_no_longer_named_is_no_persons_doing() {
    let (mut case, restart) = Case::restarting();
    case.consume(1, &restart.entry.place, Phase::Ended);
    case.desired.nodes.remove(0);
    case.node(1).boot = known(boot("boot-after"));
    case.node(1).build = known("25398.1611".parse().expect("fine"));
    case.node(1).memory = known(Memory::default());
    case.node(1).worker = known(None);
    let mut decision = case.decide();
    // Its marker comes back with the fence.
    if let Decision::Fence(_) = decision {
        let vacate = case.ledger.out.clone().expect("out").vacate;
        case.memory(1).fence = Some(vacate.clone());
        case.memory(1).marker = Some(Marker { vacate, state: MarkerState::Suspended });
        decision = case.decide();
    }
    let Decision::Close { outcome, .. } = decision else { panic!("{}", case.says()) };
    assert_eq!(outcome, Outcome::Done);
    case.close(outcome);
    assert!(!matches!(case.decide(), Decision::Hold(_)), "{}", case.says());
}

#[test]
fn a_settling_node_that_the_file_names_no_longer_is_looked_at_before_it_has_settled() {
    let mut case = Case::out();
    case.ledger.out.as_mut().expect("out").returning = true;
    let back = case.open();
    case.consume(1, &back.entry.place, Phase::Ended);
    resumed(&mut case, 1);
    case.close(Outcome::Done);
    assert_eq!(case.open().step, Step::Settle);
    case.pass(Millis::minutes(10));
    case.desired.nodes.remove(0);
    case.observed.nodes.remove(&name(1));
    case.decide();
}

#[test]
fn a_node_is_not_left_out_for_days_over_a_fact_that_nobody_tells() {
    type Forget = (&'static str, fn(&mut Case));
    let forgets: [Forget; 6] = [
        ("storage", |c| c.observed.cluster.storage = Fact::Unknown(Gap::TimedOut)),
        ("worker", |c| c.node(1).worker = Fact::Unknown(Gap::TimedOut)),
        ("memory", |c| c.node(1).memory = Fact::Unknown(Gap::AccessDenied)),
        ("setup", |c| c.node(1).setup = Fact::Unknown(Gap::TimedOut)),
        ("setup runs", |c| value(&mut c.node(1).setup).running = true),
        ("its cluster service", |c| c.member(1, |m| m.state = MemberState::Down)),
    ];
    let mut left = Vec::new();
    for (what, forget) in forgets {
        let mut case = Case::out();
        forget(&mut case);
        for _ in 0..48 {
            let decision = case.decide();
            if matches!(decision, Decision::Wait(..)) && case.ledger.since.as_ref().is_none_or(|(was, _)| *was != decision.state()) {
                case.write(&Event::Noted { state: decision.state() });
            }
            case.pass(Millis::hours(1));
        }
        let decision = case.decide();
        if !matches!(&decision, Decision::Hold(_)) && !matches!(&decision, Decision::Open(Intent { step: Step::Return, .. })) {
            left.push(format!("{what}: after two days: {}", say(&decision)));
        }
    }
    assert!(left.is_empty(), "{}", left.join("\n"));
}

/// The witness goes while N01 stages: it cannot be restarted, and is not brought back either.
#[test]
fn a_staged_node_that_quorum_does_not_let_restart_is_brought_back() {
    let (mut case, install) = Case::installing();
    case.worker(1, &install.entry.place, WorkerState::Staged);
    case.close(Outcome::Done);
    value(&mut case.observed.cluster.would_lose_quorum).insert(name(1));
    for _ in 0..48 {
        let decision = case.decide();
        if matches!(decision, Decision::Wait(..)) && case.ledger.since.as_ref().is_none_or(|(was, _)| *was != decision.state()) {
            case.write(&Event::Noted { state: decision.state() });
        }
        case.pass(Millis::hours(1));
    }
    assert!(
        matches!(case.decide(), Decision::Open(Intent { step: Step::Return, .. }) | Decision::Hold(_)),
        "after two days: {}",
        case.says()
    );
}

/// Nothing is committed, so nothing keeps it from being brought back; and it is held out instead.
#[test]
fn a_node_whose_restart_takes_no_effect_and_that_has_not_committed_is_brought_back() {
    let (mut case, _) = Case::restarting();
    value(&mut case.node(1).setup).pending = true;
    for entry in 1..=Step::Restart.row().entries {
        let place = case.ledger.open.as_ref().expect("open").entry.place.clone();
        case.consume(1, &place, Phase::Started);
        case.pass(Millis::minutes(41));
        let Decision::Close { outcome, .. } = case.decide() else { panic!("{}", case.says()) };
        assert_eq!(outcome, Outcome::Failed(Failure::NoEffect));
        case.close(outcome);
        if entry < Step::Restart.row().entries {
            assert_eq!(case.open().step, Step::Restart);
        }
    }
    case.pass(Millis::hours(48));
    assert!(matches!(case.decide(), Decision::Open(Intent { step: Step::Return, .. })), "after two days: {}", case.says());
}

/// The clock was six hours fast while N01 was taken out, and is right again; a fence does not land on N03.
#[test]
fn a_clock_that_was_set_back_does_not_keep_a_node_out_behind_a_fence_that_never_lands() {
    let mut case = Case::out();
    case.ledger.out.as_mut().expect("out").returning = true;
    case.ledger.last_stamp = Some(NOON + Millis::hours(6));
    case.memory(3).fence = None;
    let back = (0..120).any(|_| {
        case.pass(Millis::minutes(1));
        matches!(case.decide(), Decision::Open(Intent { step: Step::Return, .. }))
    });
    assert!(back, "after two hours: {}", case.says());
}

#[test]
fn a_restart_that_is_pending_on_a_failed_node_does_not_end_the_run_that_max_failed_nodes_lets_go_on() {
    let mut case = four();
    case.desired.run.max_failed_nodes = 1;
    let mut attempts = case.ledger.attempts_of(&id(1), case.desired.target);
    attempts.number = 5;
    let why = Failure::WorkerFailed { code: 0xC190_0101, doing: "staging".to_owned() };
    attempts.last = Some(Failed { step: Step::Install, why, at: Stamp::At(NOON - Millis::hours(2)) });
    case.ledger.attempts.insert(name(1), attempts);
    assert_eq!(case.says(), "open Vacate of N02 for Upgrade at 1.ab12/1");
    // What its last attempt left there.
    value(&mut case.node(1).setup).pending = true;
    assert_eq!(case.says(), "open Vacate of N02 for Upgrade at 1.ab12/1");
}

#[test]
fn a_node_that_was_upgraded_does_not_go_back_as_it_is() {
    let (mut case, restart) = Case::restarting();
    case.consume(1, &restart.entry.place, Phase::Ended);
    case.memory(1).commit =
        Some(Commit { target: restart.target, attempt: 1, phase: CommitPhase::Restarting, boot: "boot-1".parse().expect("fine") });
    case.node(1).boot = known(boot("boot-after"));
    case.node(1).build = known("25398.1611".parse().expect("fine"));
    case.close(Outcome::Done);
    assert_eq!(case.plan().report.next, "begins Return on N01");
    case.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
    assert_eq!(case.plan().report.next, "begins Return on N01");
}

#[test]
fn a_node_that_came_back_isolated_is_waited_for_and_not_resumed_again() {
    let mut case = Case::out();
    case.ledger.out.as_mut().expect("out").returning = true;
    let intent = case.open();
    assert_eq!(intent.step, Step::Return);
    case.consume(1, &intent.entry.place, Phase::Ended);
    resumed(&mut case, 1);
    case.member(1, |m| m.impaired = true);
    for _ in 0..100 {
        assert_eq!(case.says(), "wait for N01, which is isolated or quarantined");
        case.pass(Millis::minutes(5));
    }
    case.member(1, |m| m.impaired = false);
    assert_eq!(case.says(), "close 1.ab12/4 Done");
}

/// A patch waits for its restart on N02 of a cluster that is where it should be; a telephone number changes.
#[test]
fn no_node_of_a_cluster_that_is_on_its_target_is_restarted_for_another_telephone_number() {
    let mut case = four();
    for n in 1..=4 {
        case.node(n).build = known("25398.1611".parse().expect("fine"));
    }
    case.ledger.applied_spec = Some(case.desired.spec.clone());
    value(&mut case.node(2).setup).pending = true;
    assert_eq!(case.says(), "converged");
    case.desired.contact = Some("555-0199".to_owned());
    case.desired.spec = "spec-2".parse().expect("fine");
    assert_eq!(case.says(), "converged");
}

#[test]
fn a_commit_of_before_the_ledger_began_does_not_hold_its_node_out() {
    let old = |version| Target { version, revision: 0 };
    let boot = || "long-ago".parse().expect("fine");
    // An upgrade to 22H2, under another name of the cluster.
    let mut case = Case::out();
    case.memory(1).commit = Some(Commit { target: old(Version::V22H2), attempt: 1, phase: CommitPhase::Restarting, boot: boot() });
    assert!(case.says().starts_with("open Install of N01"), "{}", case.says());
}

#[test]
fn a_commit_that_was_rolled_back_before_the_ledger_began_does_not_hold_its_node_out() {
    let mut case = Case::out();
    let target = case.desired.target;
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Restarting, boot: "long-ago".parse().expect("fine") });
    assert!(case.says().starts_with("open Install of N01"), "{}", case.says());
}

#[test]
fn a_worker_of_another_release_of_before_the_ledger_began_does_not_hold_its_node_out() {
    let mut case = Case::out();
    let place = case.ledger.out.as_ref().expect("out").vacate.clone();
    case.worker(1, &place, WorkerState::Staged);
    if let Some(worker) = value(&mut case.node(1).worker) {
        worker.target = Target { version: Version::V22H2, revision: 0 };
    }
    assert!(case.says().starts_with("open Install of N01"), "{}", case.says());
}

#[test]
fn a_word_in_the_middle_of_a_step_does_not_hold_its_node_out() {
    let mut case = Case::out();
    assert_eq!(case.open().step, Step::Install);
    case.write(&Event::Word(Word::Retry { node: name(1), reason: "the disk was cleaned up".to_owned() }));
    case.write(&Event::Met(vec![id(1)]));
    // The laws stand behind it, and panic.
    case.decide();
}

#[test]
fn nodes_of_which_only_old_facts_come_are_not_met_and_no_law_has_to_say_it() {
    let mut case = four();
    case.ledger.known.clear();
    case.now = NOON + Millis::minutes(3);
    assert!(case.says().contains("read too long ago"), "{}", case.says());
}

#[test]
fn a_return_that_cannot_be_sent_as_the_cluster_service_is_stopped_is_a_persons() {
    let mut case = Case::out();
    case.ledger.out.as_mut().expect("out").returning = true;
    assert_eq!(case.open().step, Step::Return);
    case.node(1).service = known(ClusterService::Disabled);
    case.node(1).view = Fact::Unknown(Gap::ClusterServiceStopped);
    case.member(1, |m| m.state = MemberState::Down);
    let waits = case.says();
    assert!(waits.starts_with("wait for "), "{waits}");
    case.write(&Event::Noted { state: case.decide().state() });
    case.pass(Millis::minutes(119));
    assert_eq!(case.says(), waits);
    case.pass(Millis::minutes(1));
    let Decision::Hold(why @ HoldReason::StandsStill { .. }) = case.decide() else { panic!("{}", case.says()) };
    assert!(why.way_out().contains("drydock doctor"), "{}", why.way_out());
    // Written down, it stays a hold; and ends with what it waits for.
    case.write(&Event::Noted { state: Decision::Hold(why.clone()).state() });
    case.pass(Millis::minutes(5));
    assert_eq!(case.decide(), Decision::Hold(why));
    *value(&mut case.node(1).service) = ClusterService::Running;
    assert_eq!(case.says(), "hold: Return on N01 takes longer than it may");
}
