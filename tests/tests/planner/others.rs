//! What is wrong with one node, and what it means for another that is out.

use drydock_model::desired::*;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::*;
use drydock_model::ledger::*;
use drydock_model::observed::*;
use drydock_model::plan::*;
use drydock_model::step::Step;
use drydock_model::time::{Millis, Stamp};
use drydock_model::window::{Window, Windows};
use drydock_tests::situation::*;

/// Takes the way back of N01 as far as its Return closes.
fn brought_back(case: &mut Case) {
    let back = case.open();
    assert_eq!((back.step, &back.node.name), (Step::Return, &name(1)));
    assert!(matches!(case.decide(), Decision::Perform(_)), "{}", case.says());
    case.consume(1, &back.entry.place, Phase::Ended);
    case.memory(1).marker = None;
    case.member(1, |m| m.state = MemberState::Up);
    let drives = case.storage().drives.get_mut(&name(1)).expect("there");
    (drives.good, drives.maintenance) = (drives.total, 0);
    let Decision::Close { outcome: Outcome::Done, .. } = case.decide() else { panic!("{}", case.says()) };
    case.close(Outcome::Done);
}

type Change = fn(&mut Case);

#[test]
fn what_is_wrong_with_another_node_brings_the_one_that_is_out_back_and_is_then_told() {
    let machine: Change = |case| value(&mut case.node(3).id).machine = "another".parse().expect("fine");
    let cluster: Change = |case| {
        value(&mut case.node(3).id).cluster = "elsewhere".parse().expect("fine");
        value(&mut case.node(3).view).cluster = "elsewhere".parse().expect("fine");
    };
    let memory: Change = |case| case.memory(3).fence = Some(Place { epoch: epoch(), seq: 4_000 });
    let claim: Change = |case| {
        case.memory(3).fence = Some(Place { epoch: Epoch { number: 1, nonce: "ffff".parse().expect("fine") }, seq: 0 });
    };
    for (change, hold) in [(machine, "NodeReplaced"), (cluster, "OtherCluster"), (memory, "LedgerRewound"), (claim, "OtherClaim")] {
        let mut case = Case::out();
        change(&mut case);
        brought_back(&mut case);
        let Decision::Hold(why) = case.decide() else { panic!("{hold}: {}", case.says()) };
        assert_eq!((why.kind(), why.node()), (hold, Some(&name(3))));
    }
}

#[test]
fn a_way_back_that_stands_still_does_not_hide_what_is_wrong_elsewhere() {
    let mut case = Case::out();
    value(&mut case.node(3).id).machine = "another".parse().expect("fine");
    case.memory(1).marker = None;
    assert_eq!(case.decide(), Decision::Hold(HoldReason::NodeReplaced { node: name(3) }));
}

#[test]
fn what_is_wrong_with_the_node_that_is_out_is_told_at_once() {
    let mut case = Case::out();
    value(&mut case.node(1).id).machine = "another".parse().expect("fine");
    assert_eq!(case.decide(), Decision::Hold(HoldReason::NodeReplaced { node: name(1) }));
}

#[test]
fn a_vacate_that_nobody_has_sent_is_given_up_when_another_node_remembers_more_than_the_ledger() {
    let mut case = four();
    case.open();
    case.memory(3).fence = Some(Place { epoch: epoch(), seq: 4_000 });
    assert!(matches!(case.decide(), Decision::Cancel(_)), "{}", case.says());
}

#[test]
fn a_node_that_was_declared_gone_is_evicted_before_anything_goes_on() {
    let mut case = four();
    case.node(3).view = Fact::Unknown(Gap::TimedOut);
    case.node(3).id = Fact::Unknown(Gap::TimedOut);
    case.member(3, |m| (m.state, m.vote) = (MemberState::Down, false));
    case.write(&Event::Word(Word::Gone { node: name(3), reason: "its board is dead".to_owned() }));
    let Decision::Hold(why) = case.decide() else { panic!("{}", case.says()) };
    assert_eq!(why, HoldReason::GoneIsMember { node: name(3) });
    assert!(why.way_out().contains("Remove-ClusterNode -Name N03"), "{}", why.way_out());
    case.view(|view| view.members.retain(|member, _| *member != name(3)));
    case.storage().drives.remove(&name(3));
    value(&mut case.observed.cluster.capacity).nodes.remove(&name(3));
    assert_eq!(case.says(), "open Vacate of N01 for Upgrade at 1.ab12/1");
}

#[test]
fn a_node_that_is_out_comes_back_when_another_is_declared_gone() {
    let mut case = Case::out();
    case.member(3, |m| (m.state, m.vote) = (MemberState::Down, false));
    case.write(&Event::Word(Word::Gone { node: name(3), reason: "its board is dead".to_owned() }));
    brought_back(&mut case);
}

#[test]
fn a_node_that_lands_below_minimum_build_is_brought_back_and_then_told() {
    let (mut case, restart) = Case::restarting();
    case.desired.target.revision = 1_611;
    let target = case.desired.target;
    for intent in [&mut case.ledger.open, &mut case.ledger.last].into_iter().flatten() {
        intent.target = target;
    }
    case.ledger.attempts.get_mut(&name(1)).expect("there").target = target;
    case.consume(1, &restart.entry.place, Phase::Ended);
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Restarting, boot: "boot-1".parse().expect("fine") });
    case.node(1).boot = known(Boot { id: "another".parse().expect("fine"), up: Millis::minutes(5) });
    case.node(1).build = known("25398.1500".parse().expect("fine"));
    let Decision::Close { outcome, .. } = case.decide() else { panic!("{}", case.says()) };
    assert_eq!(outcome, Outcome::Failed(Failure::BelowMinimum));
    case.close(outcome);
    brought_back(&mut case);
    let settle = case.open();
    assert_eq!(settle.step, Step::Settle);
    case.pass(Millis::minutes(10));
    case.close(Outcome::Done);
    let Decision::Hold(HoldReason::NoRoute { node, why }) = case.decide() else { panic!("{}", case.says()) };
    assert_eq!(node, name(1));
    assert!(why.contains("ordinary updates"), "{why}");
}

#[test]
fn a_node_that_is_out_waits_between_its_attempts() {
    let (mut case, _) = Case::installing();
    case.close(Outcome::Failed(Failure::WorkerDied));
    let until = NOON + Millis::minutes(5);
    assert_eq!(case.decide(), Decision::Wait(WaitingOn::Backoff { node: name(1), until }, Recheck::At(until)));
    case.pass(Millis::minutes(5));
    assert!(matches!(case.decide(), Decision::Open(Intent { step: Step::Install, attempt: 2, .. })), "{}", case.says());
}

/// Noon is on a Sunday; one node takes six hours and more.
#[test]
fn no_further_attempt_is_made_that_would_outlast_the_window() {
    let sunday =
        |from: &str, hours| Window::new(from.parse().expect("fine"), Millis::hours(hours), "UTC".parse().expect("fine")).expect("fine");
    let back = |case: &Case| matches!(case.decide(), Decision::Open(Intent { step: Step::Return, .. }));
    let (mut case, _) = Case::installing();
    let needed = case.desired.node_budget(drydock_model::step::Purpose::Upgrade);
    let hours = needed.0 / 3_600_000 + 1;
    case.desired.maintenance.windows = Windows::new(vec![sunday("weekly on Sunday at 12:00", hours)], Vec::new()).expect("fine");
    case.close(Outcome::Failed(Failure::WorkerDied));
    assert!(!back(&case), "the whole of it fits still: {}", case.says());
    case.pass(Millis::hours(2));
    assert!(back(&case), "{}", case.says());
    case.desired.maintenance.overrun = Overrun::Finish;
    assert!(!back(&case), "a run that may go on outside its windows goes on: {}", case.says());
}

#[test]
fn a_run_that_is_past_stop_after_is_held_with_its_way_out() {
    let mut case = four();
    case.desired.run.stop_after = Some(Millis::hours(4));
    case.ledger.run_began = Some((case.desired.target, Stamp::At(NOON - Millis::hours(4))));
    assert_eq!(case.decide(), Decision::Hold(HoldReason::StopAfter { limit: Millis::hours(4) }));
    case.desired.run.stop_after = Some(Millis::hours(5));
    assert_eq!(case.says(), "open Vacate of N01 for Upgrade at 1.ab12/1");
}

#[test]
fn facts_of_the_future_are_stale() {
    let mut case = four();
    case.now = NOON - Millis::minutes(3);
    assert!(matches!(case.decide(), Decision::Wait(WaitingOn::Answer { gap: Gap::Stale, .. }, _)), "{}", case.says());
}

#[test]
fn an_empty_list_of_virtual_disks_is_no_healed_storage() {
    let said = changed(|case| case.storage().disks.clear());
    assert_eq!(said, "wait for storage: no virtual disk is seen");
}

#[test]
fn drives_that_nobody_sees_are_not_counted_as_spare() {
    let said = changed(|case| case.storage().drives.retain(|node, _| *node != name(3)));
    assert_eq!(said, "wait for quorum: without N01 no drive of the pool is seen on N03, so nobody can count them");
}

#[test]
fn a_cluster_of_the_solution_and_one_that_updates_itself_are_left_alone() {
    let mut case = four();
    case.observed.cluster.preconditions = known(Preconditions { solution: true, self_updating: false });
    assert_eq!(case.decide(), Decision::Hold(HoldReason::SolutionDeployed));
    case.observed.cluster.preconditions = known(Preconditions { solution: false, self_updating: true });
    assert_eq!(case.decide(), Decision::Hold(HoldReason::SelfUpdating));
    case.observed.cluster.preconditions = Fact::Unknown(Gap::AccessDenied);
    assert_eq!(case.says(), "wait for the cluster: solution and self-updating: access denied");
}
