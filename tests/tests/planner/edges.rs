//! Where bounds, windows and ways back meet: each was wrong once.

use drydock_model::desired::*;
use drydock_model::ledger::*;
use drydock_model::observed::*;
use drydock_model::plan::*;
use drydock_model::step::Step;
use drydock_model::time::{Millis, Stamp, Timestamp};
use drydock_model::window::{Exclusion, Window, Windows};
use drydock_tests::situation::*;

fn window(schedule: &str, hours: u64) -> Window {
    let (schedule, zone) = (schedule.parse().expect("a schedule"), "UTC".parse().expect("a zone"));
    Window::new(schedule, Millis::hours(hours), zone).expect("a window")
}

fn windows(windows: &[(&str, u64)], exclusions: Vec<Exclusion>) -> Windows {
    Windows::new(windows.iter().map(|(schedule, hours)| window(schedule, *hours)).collect(), exclusions).expect("windows")
}

/// N01 in the middle of its restart, in the boot in which it committed.
fn committed(consumed: Phase, phase: CommitPhase) -> Case {
    let (mut case, restart) = Case::restarting();
    case.consume(1, &restart.entry.place, consumed);
    let target = case.desired.target;
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase, boot: "boot-1".parse().expect("fine") });
    case
}

/// Noon is on a Sunday.
#[test]
fn windows_that_touch_are_one() {
    let mut case = four();
    case.desired.maintenance.windows = windows(&[("weekly on Sunday at 11:00", 4), ("weekly on Sunday at 15:00", 4)], Vec::new());
    assert_eq!(case.says(), "open Vacate of N01 for Upgrade at 1.ab12/1");
}

#[test]
fn no_node_is_drained_for_the_registry_where_the_upgrade_fits_no_window() {
    let mut case = four();
    case.desired.maintenance.windows = windows(&[("weekly on Sunday at 11:30", 3)], Vec::new());
    case.memory(3).registry_written = Some("boot-3".parse().expect("fine"));
    assert!(matches!(case.decide(), Decision::Hold(HoldReason::NoWindowFits { .. })), "{}", case.says());
}

#[test]
fn a_freeze_holds_for_a_run_that_may_finish_outside_its_windows() {
    let mut case = four();
    case.desired.maintenance.overrun = Overrun::Finish;
    case.ledger.run_began = Some((case.desired.target, Stamp::At(NOON - Millis::hours(12))));
    case.desired.maintenance.windows = windows(&[("weekly on Saturday at 22:00", 8)], Vec::new());
    assert_eq!(case.says(), "open Vacate of N01 for Upgrade at 1.ab12/1", "a run that began inside goes on");
    // In it, and a minute before it.
    for begins in [NOON - Millis::hours(1), NOON + Millis::minutes(1)] {
        let freeze = Exclusion::new(begins, NOON + Millis::hours(48), "freeze".to_owned()).expect("fine");
        case.desired.maintenance.windows = windows(&[("weekly on Saturday at 22:00", 8)], vec![freeze]);
        assert!(matches!(case.decide(), Decision::Wait(WaitingOn::WindowOpens(Some(_)), _)), "{}", case.says());
    }
}

#[test]
fn roles_that_fit_in_one_way_have_room() {
    let mut case = four();
    let capacity = value(&mut case.observed.cluster.capacity);
    capacity.nodes.get_mut(&name(1)).expect("there").roles_mib = vec![4_096, 3_072, 3_072];
    for (n, free) in [(2, 4_096), (3, 6_144), (4, 1_024)] {
        capacity.nodes.get_mut(&name(n)).expect("there").free_mib = free;
    }
    assert_eq!(case.says(), "open Vacate of N01 for Upgrade at 1.ab12/1");
    value(&mut case.observed.cluster.capacity).nodes.remove(&name(1));
    assert!(matches!(case.decide(), Decision::Wait(WaitingOn::ClusterAnswer { .. }, _)), "what it carries is not known: {}", case.says());
}

#[test]
fn a_cluster_that_was_reached_is_not_restarted_for_what_others_do_there() {
    let mut case = four();
    for n in 1..=4 {
        case.node(n).build = known("25398.1611".parse().expect("fine"));
    }
    case.ledger.applied_spec = Some(case.desired.spec.clone());
    value(&mut case.node(2).setup).pending = true;
    value(&mut case.node(3).registry).refs_enable_metadata_validation = Some(1);
    assert_eq!(case.decide(), Decision::Converged);
}

#[test]
fn values_that_a_restart_loses_fail_the_attempt_and_end_in_a_hold_that_names_the_cause() {
    let mut case = four();
    let mut drains = 0;
    value(&mut case.node(3).registry).refs_enable_metadata_validation = Some(1);
    for _ in 0..200 {
        match case.decide() {
            Decision::Open(_) => {
                let intent = case.open();
                match intent.step {
                    Step::WriteRegistry => value(&mut case.node(3).registry).refs_enable_metadata_validation = Some(0),
                    Step::Vacate => {
                        drains += 1;
                        case.vacated(3, &intent);
                    }
                    Step::Reboot => {
                        case.consume(3, &intent.entry.place, Phase::Ended);
                        // What sets them at each start does so for ever.
                        value(&mut case.node(3).registry).refs_enable_metadata_validation = Some(1);
                        case.node(3).boot =
                            known(Boot { id: format!("boot-{drains}-again").parse().expect("fine"), up: Millis::minutes(5) });
                    }
                    Step::Return => {
                        case.memory(3).marker = None;
                        case.member(3, |m| m.state = MemberState::Up);
                        let drives = case.storage().drives.get_mut(&name(3)).expect("there");
                        (drives.good, drives.maintenance) = (drives.total, 0);
                    }
                    Step::Install | Step::Restart | Step::Settle => {}
                }
                if intent.step == Step::WriteRegistry {
                    case.memory(3).registry_written = case.node(3).boot.known().map(|boot| boot.id.clone());
                    case.close(Outcome::Done);
                }
            }
            Decision::Close { outcome, .. } => case.close(outcome),
            Decision::Hold(HoldReason::NodeFailed { node, failed }) => {
                assert_eq!((node, failed.why), (name(3), Failure::ValuesLost));
                assert_eq!(drains, 1 + u32::from(case.desired.run.max_retries_per_node));
                return;
            }
            Decision::Wait(..) => case.pass(Millis::minutes(30)),
            other => panic!("{other:?}"),
        }
    }
    panic!("{drains} drains, and no end: {}", case.says());
}

#[test]
fn a_refused_return_is_tried_again_for_ever_and_more_and_more_slowly() {
    let mut case = Case::out();
    case.ledger.out.as_mut().expect("out").returning = true;
    let mut tried: Vec<Timestamp> = Vec::new();
    for _ in 0..2_000 {
        match case.decide() {
            Decision::Open(intent) => {
                assert_eq!(intent.step, Step::Return);
                let intent = case.open();
                tried.push(case.now);
                case.consume(1, &intent.entry.place, Phase::PlatformRefused);
                case.close(Outcome::Failed(Failure::PlatformRefused));
            }
            Decision::Hold(HoldReason::StepOverdue { step: Step::Return, .. }) => case.pass(Millis::minutes(1)),
            other => panic!("{other:?}"),
        }
    }
    let pauses: Vec<u64> = tried.windows(2).map(|pair| pair[1].since(pair[0]).0 / 60_000).collect();
    assert_eq!(pauses[..9], [0, 0, 0, 5, 10, 20, 40, 60, 60]);
    // A person resumed it: what is left to do is asked for within minutes.
    case.member(1, |m| m.state = MemberState::Up);
    case.pass(Millis::minutes(5));
    assert!(matches!(case.decide(), Decision::Open(Intent { step: Step::Return, .. })), "{}", case.says());
}

#[test]
fn a_node_that_lands_on_a_newer_release_is_brought_back_and_then_told() {
    let mut case = committed(Phase::Ended, CommitPhase::Restarting);
    case.node(1).boot = known(Boot { id: "another".parse().expect("fine"), up: Millis::minutes(5) });
    case.node(1).build = known("26100.4061".parse().expect("fine"));
    let Decision::Close { outcome, .. } = case.decide() else { panic!("{}", case.says()) };
    assert_eq!(outcome, Outcome::Failed(Failure::OtherRelease));
    case.close(outcome);
    assert!(matches!(case.decide(), Decision::Open(Intent { step: Step::Return, .. })), "{}", case.says());
}

#[test]
fn registry_values_are_not_written_on_a_node_that_is_no_longer_named() {
    let mut case = four();
    value(&mut case.node(3).registry).refs_enable_metadata_validation = None;
    assert_eq!(case.open().step, Step::WriteRegistry);
    case.desired.nodes.retain(|node| *node != name(3));
    assert!(matches!(case.decide(), Decision::Cancel(_)), "{}", case.says());
}

#[test]
fn a_persons_word_does_not_turn_a_committed_node_back() {
    let mut case = committed(Phase::Started, CommitPhase::Committed);
    value(&mut case.node(1).setup).pending = true;
    case.close(Outcome::Failed(Failure::NoEffect));
    case.write(&Event::Word(Word::Retry { node: name(1), reason: "look again".to_owned() }));
    case.ledger.known.insert(name(1), id(1));
    case.desired.suspend = Some(Suspend { reason: "a freeze".to_owned(), until: None });
    assert!(matches!(case.decide(), Decision::Open(Intent { step: Step::Restart, .. })), "forward: {}", case.says());
}

#[test]
fn a_fence_that_never_lands_on_another_node_does_not_keep_a_node_out() {
    let mut case = Case::out();
    case.ledger.out.as_mut().expect("out").returning = true;
    case.ledger.last_stamp = Some(NOON);
    case.memory(3).fence = None;
    assert!(matches!(case.decide(), Decision::Fence(_)), "{}", case.says());
    let back = (0..12).any(|_| {
        case.pass(Millis::minutes(1));
        matches!(case.decide(), Decision::Open(Intent { step: Step::Return, .. }))
    });
    assert!(back, "{}", case.says());
}

#[test]
fn a_fence_that_never_lands_does_not_hide_what_is_waited_for() {
    let mut case = four();
    case.ledger.last_stamp = Some(NOON);
    case.memory(3).fence = None;
    assert!(matches!(case.decide(), Decision::Fence(_)), "{}", case.says());
    let mut said = std::collections::BTreeSet::new();
    for _ in 0..12 {
        case.pass(Millis::minutes(1));
        said.insert(case.decide().state());
    }
    assert_eq!(said.into_iter().collect::<Vec<_>>(), ["Fence", "Wait/Answer/N03/our fence: Missing"]);
}

#[test]
fn whatever_the_pace_of_looks_a_fence_has_its_turn_again_and_again() {
    for seconds in [20, 30, 60, 90, 120, 180, 240, 300, 600, 900] {
        let mut case = four();
        case.ledger.last_stamp = Some(NOON);
        case.memory(3).fence = None;
        let fences = (0..40).filter(|_| {
            case.pass(Millis::seconds(seconds));
            matches!(case.decide(), Decision::Fence(_))
        });
        let fences = fences.count();
        assert!((5..=35).contains(&fences), "a look each {seconds} s: {fences} of 40");
    }
}
