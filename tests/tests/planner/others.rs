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
fn a_way_back_that_waits_for_the_cluster_does_not_hide_what_is_wrong_elsewhere() {
    let (mut case, restart) = Case::restarting();
    case.consume(1, &restart.entry.place, Phase::Ended);
    case.memory(1).commit =
        Some(Commit { target: restart.target, attempt: 1, phase: CommitPhase::Committed, boot: "boot-1".parse().expect("fine") });
    case.close(Outcome::Failed(Failure::NoEffect));
    value(&mut case.node(3).id).machine = "another".parse().expect("fine");
    case.open();
    case.observed.cluster.would_lose_quorum = Fact::Unknown(Gap::TimedOut);
    assert_eq!(case.decide(), Decision::Hold(HoldReason::NodeReplaced { node: name(3) }));
}

#[test]
fn what_holds_the_node_that_is_out_comes_first_and_what_is_wrong_elsewhere_is_a_warning() {
    let mut case = Case::out();
    value(&mut case.node(3).id).machine = "another".parse().expect("fine");
    case.memory(1).marker = None;
    let plan = case.plan();
    assert_eq!(plan.decision, Decision::Hold(HoldReason::PersonHasNode { node: name(1), committed: false }));
    assert!(plan.report.warnings.iter().any(|warning| warning.contains("another machine answers as N03")), "{:?}", plan.report.warnings);
}

#[test]
fn what_answers_under_the_name_of_the_node_that_is_out_makes_no_strangers_of_the_others() {
    let mut case = Case::out();
    let id = value(&mut case.node(1).id);
    (id.machine, id.cluster) = ("another".parse().expect("fine"), "elsewhere".parse().expect("fine"));
    value(&mut case.node(1).view).cluster = "elsewhere".parse().expect("fine");
    let plan = case.plan();
    assert_eq!(plan.decision, Decision::Hold(HoldReason::NodeReplaced { node: name(1) }));
    assert!(!plan.report.warnings.iter().any(|warning| warning.contains("another cluster")), "{:?}", plan.report.warnings);
    for n in 2..=4 {
        assert_eq!(plan.report.nodes[&name(n)].detail, "waits for its turn");
    }
}

#[test]
fn a_machine_of_another_cluster_under_a_known_name_has_no_word_on_this_one() {
    let mut case = Case::out();
    let id = value(&mut case.node(3).id);
    (id.machine, id.cluster) = ("another".parse().expect("fine"), "elsewhere".parse().expect("fine"));
    value(&mut case.node(3).view).cluster = "elsewhere".parse().expect("fine");
    brought_back(&mut case);
    assert_eq!(case.decide(), Decision::Hold(HoldReason::NodeReplaced { node: name(3) }));
}

#[test]
fn a_node_that_is_out_and_was_evicted_and_added_again_is_brought_back_once_a_person_says_so() {
    let mut case = Case::out();
    value(&mut case.node(1).id).node = "9".parse().expect("fine");
    let Decision::Hold(why) = case.decide() else { panic!("{}", case.says()) };
    assert_eq!(why, HoldReason::OtherCluster { node: name(1) });
    assert!(why.way_out().contains("drydock node retry N01"), "{}", why.way_out());
    case.write(&Event::Word(Word::Retry { node: name(1), reason: "evicted and added again".to_owned() }));
    let Decision::Meet(met) = case.decide() else { panic!("{}", case.says()) };
    case.write(&Event::Met(met));
    let Decision::Open(intent) = case.decide() else { panic!("{}", case.says()) };
    assert_eq!((intent.step, intent.node.node.as_str()), (Step::Return, "9"));
    brought_back(&mut case);
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

/// One that failed in an earlier time out is not brought back each time it is taken: its new attempt has a window of its own.
#[test]
fn a_node_that_failed_before_is_not_brought_back_because_its_window_has_less_left_than_the_whole_of_it() {
    let mut case = four();
    let needed = case.desired.node_budget(drydock_model::step::Purpose::Upgrade);
    let sunday =
        |length| Window::new("weekly on Sunday at 12:00".parse().expect("fine"), length, "UTC".parse().expect("fine")).expect("fine");
    case.desired.maintenance.windows = Windows::new(vec![sunday(needed.plus(Millis::minutes(15)))], Vec::new()).expect("fine");
    let mut attempts = case.ledger.attempts_of(&id(1), case.desired.target);
    (attempts.number, attempts.installed) = (2, Some(1));
    attempts.last = Some(Failed { step: Step::Install, why: Failure::WorkerDied, at: Stamp::At(NOON - Millis::hours(24)) });
    case.ledger.attempts.insert(name(1), attempts);
    let vacate = case.open();
    assert_eq!((vacate.step, vacate.attempt), (Step::Vacate, 2));
    case.pass(Millis::minutes(50));
    case.vacated(1, &vacate);
    case.close(Outcome::Done);
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
    assert_eq!(case.plan().report.next, "begins Return on N01, which goes back as it is: the window has no time for another attempt");
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
fn a_stretched_cluster_is_left_alone_and_one_of_a_single_site_is_not() {
    let mut case = four();
    for sites in [0, 1] {
        case.observed.cluster.preconditions = known(Preconditions { solution: false, self_updating: false, sites });
        assert!(matches!(case.decide(), Decision::Open(_)), "{sites}: {}", case.says());
    }
    case.observed.cluster.preconditions = known(Preconditions { solution: false, self_updating: false, sites: 2 });
    assert_eq!(case.decide(), Decision::Hold(HoldReason::Stretched { sites: 2 }));
}

#[test]
fn a_cluster_of_the_solution_and_one_that_updates_itself_are_left_alone() {
    let mut case = four();
    case.observed.cluster.preconditions = known(Preconditions { solution: true, self_updating: false, sites: 1 });
    assert_eq!(case.decide(), Decision::Hold(HoldReason::SolutionDeployed));
    case.observed.cluster.preconditions = known(Preconditions { solution: false, self_updating: true, sites: 1 });
    assert_eq!(case.decide(), Decision::Hold(HoldReason::SelfUpdating));
    case.observed.cluster.preconditions = Fact::Unknown(Gap::AccessDenied);
    assert_eq!(case.says(), "wait for the cluster: preconditions (solution, self-updating, sites): access denied");
}
