//! Rules 23 and 24: the point of no return, and how often anything may happen.

use drydock_lab::{Fault, Rule};
use drydock_model::desired::{Target, Version};
use drydock_model::fact::Fact;
use drydock_model::ids::NodeName;
use drydock_model::ledger::{Event, Failure, Outcome, Word};
use drydock_model::observed::{Boot, Commit, CommitPhase, DrainStatus, Hindrance, MemberState, Phase};
use drydock_model::order::{MarkerExpected, Receipt, Unmet};
use drydock_model::plan::{Decision, HoldReason};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use drydock_tests::hand::{Hand, matters};
use drydock_tests::sim::{Ended, Sim, node};
use drydock_tests::situation::{Case, known, name};

#[test]
fn rule_23_a_restart_runs_detached_and_says_committing_before_it_commits() {
    let mut hand = drydock_tests::hand::Hand::new(1, drydock_lab::Rules::all());
    hand.staged(1);
    assert_eq!(hand.gives(1, Step::Restart), Ok(Receipt::Started), "the answer does not wait for the commit");
    hand.wait(Millis::seconds(15));
    assert_eq!(hand.memory(1).commit.map(|c| c.phase), Some(CommitPhase::Committing));
    hand.until("down", |h| h.count(1, "went-down") > 0);
    hand.back(1);
    assert_eq!(hand.memory(1).commit.map(|c| c.phase), Some(CommitPhase::Restarting));
}

#[test]
fn rule_23_nothing_is_committed_that_is_not_staged() {
    matters(Rule::Staged, |h| {
        h.installing(1);
        h.gives(1, Step::Restart) == Ok(Receipt::Refused(Unmet::NotStaged)) && h.count(1, "committed") == 0
    });
}

#[test]
fn rule_23_a_later_restart_of_the_same_attempt_never_commits_again() {
    matters(Rule::CommitOnce, |h| {
        h.strike(Fault::NodeRollsBack, 1);
        h.staged(1);
        assert_eq!(h.gives(1, Step::Restart), Ok(Receipt::Started));
        h.back(1);
        let again = h.gives(1, Step::Restart);
        h.wait(Millis::minutes(10));
        again == Ok(Receipt::Refused(Unmet::CommitSpent)) && h.count(1, "committed") == 1
    });
}

/// How the script of the last order ended.
fn phase(h: &mut Hand) -> Option<Phase> {
    h.memory(1).consumed.map(|c| c.phase)
}

#[test]
fn rule_23_what_changed_since_a_restart_was_accepted_forbids_its_commit() {
    matters(Rule::AsksAgain, |h| {
        h.staged(1);
        assert_eq!(h.gives(1, Step::Restart), Ok(Receipt::Started));
        h.strike(Fault::PersonPauses, 2);
        h.wait(Millis::minutes(20));
        h.count(1, "committed") == 0 && phase(h) == Some(Phase::Unmet(Hindrance::NotUp))
    });
}

#[test]
fn rule_23_questions_that_fail_for_a_while_delay_a_commit_and_cost_nothing() {
    let mut hand = Hand::new(1, drydock_lab::Rules::all());
    hand.staged(1);
    assert_eq!(hand.gives(1, Step::Restart), Ok(Receipt::Started));
    hand.strike_for(Fault::QuestionsFail, 1, Millis::minutes(5));
    hand.wait(Millis::minutes(4));
    assert_eq!((hand.count(1, "committed"), phase(&mut hand)), (0, Some(Phase::Started)));
    hand.until("down", |h| h.count(1, "went-down") > 0);
    assert_eq!(hand.count(1, "committed"), 1);
}

#[test]
fn rule_23_a_committed_node_that_a_person_puts_back_into_service_is_not_restarted() {
    matters(Rule::AsksAgain, |h| {
        h.staged(1);
        assert_eq!(h.gives(1, Step::Restart), Ok(Receipt::Started));
        h.wait(Millis::minutes(1));
        h.strike(Fault::PersonResumes, 1);
        h.wait(Millis::minutes(30));
        h.count(1, "went-down") == 0 && phase(h) == Some(Phase::Unmet(Hindrance::Marker))
    });
}

#[test]
fn rule_18_a_return_ends_a_restart_that_has_not_committed() {
    matters(Rule::ReturnEndsRestart, |h| {
        h.staged(1);
        assert_eq!(h.gives(1, Step::Restart), Ok(Receipt::Started));
        h.strike_for(Fault::QuestionsFail, 1, Millis::minutes(5));
        assert_eq!(h.gives(1, Step::Return), Ok(Receipt::Refused(Unmet::Busy)));
        h.wait(Millis::minutes(6));
        h.count(1, "committed") == 0 && h.gives(1, Step::Return) == Ok(Receipt::Applied)
    });
}

#[test]
fn rule_18_a_node_is_not_resumed_between_its_commit_and_its_restart() {
    matters(Rule::NoReturnAfterCommit, |h| {
        h.staged(1);
        assert_eq!(h.gives(1, Step::Restart), Ok(Receipt::Started));
        h.wait(Millis::minutes(1));
        h.strike_for(Fault::QuestionsFail, 1, Millis::minutes(30));
        h.until("ended", |h| phase(h) == Some(Phase::Unmet(Hindrance::NoView)));
        h.wait(Millis::minutes(30));
        h.gives(1, Step::Return) == Ok(Receipt::Refused(Unmet::Committed))
    });
}

/// A case in which N01 has committed in this boot, and its Restart ended for this.
fn committed(by: Hindrance) -> Case {
    let (mut case, restart) = Case::restarting();
    let target = case.desired.target;
    case.consume(1, &restart.entry.place, Phase::Unmet(by));
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Committed, boot: "boot-1".parse().expect("fine") });
    case
}

#[test]
fn rule_18_a_committed_node_that_a_person_put_back_into_service_is_held_until_it_is_taken_out_again() {
    let mut case = committed(Hindrance::Marker);
    case.member(1, |m| (m.state, m.drain) = (MemberState::Up, DrainStatus::NotInitiated));
    assert_eq!(
        case.says(),
        "close 1.ab12/11 Failed: the upgrade is committed and the node was not restarted: the node is in service, or not out by us"
    );
    case.close(Outcome::Failed(Failure::NotRestarted { by: Hindrance::Marker }));
    let Decision::Hold(hold) = case.decide() else { panic!("{}", case.says()) };
    assert_eq!(
        hold.to_string(),
        "N01 was put back into service by somebody else after its upgrade was committed; its next restart goes on with that"
    );
    assert!(hold.way_out().starts_with("Take it out of service again (Suspend-ClusterNode -Name N01 -Drain)"), "{}", hold.way_out());
    case.member(1, |m| (m.state, m.drain, m.roles) = (MemberState::Paused, DrainStatus::InProgress, 2));
    assert_eq!(case.decide(), Decision::Hold(hold), "not before it is drained");
    case.member(1, |m| (m.state, m.drain, m.roles) = (MemberState::Paused, DrainStatus::Completed, 0));
    let again = case.open();
    assert_eq!((again.step, again.entry.place.seq, again.attempt), (Step::Restart, 13, 1));
    let Decision::Perform(orders) = case.decide() else { panic!("{}", case.says()) };
    let marker = case.ledger.out.as_ref().map(|out| MarkerExpected::Ours(out.vacate.clone()));
    assert_eq!(Some(&orders[0].expect.marker), marker.as_ref(), "the node looks, too");
    case.member(1, |m| m.state = MemberState::Up);
    assert!(matches!(case.decide(), Decision::Hold(HoldReason::PersonHasNode { committed: true, .. })), "{}", case.says());
}

#[test]
fn rule_18_a_return_that_was_opened_before_the_commit_gives_way_to_the_restart() {
    let mut case = Case::out();
    case.ledger.out.as_mut().expect("fine").returning = true;
    let back = case.open();
    assert_eq!(back.step, Step::Return);
    let target = case.desired.target;
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Committed, boot: "boot-1".parse().expect("fine") });
    assert_eq!(case.says(), format!("close {} Superseded, unheard", back.entry.place));
    case.close(Outcome::Superseded);
    // By then something newer is asked for: only the order of what was committed is known on the node.
    case.desired.target = Target { version: Version::V24H2, revision: 0 };
    let restart = case.open();
    assert_eq!((restart.step, restart.target, restart.attempt), (Step::Restart, target, 1));
}

#[test]
fn a_restart_that_waits_says_for_what() {
    let mut case = committed(Hindrance::Quorum);
    case.memory(1).consumed.as_mut().expect("fine").phase = Phase::Started;
    assert_eq!(case.says(), "wait for Restart on N01");
    if let Fact::Known { value, .. } = &mut case.observed.cluster.would_lose_quorum {
        value.insert(name(1));
    }
    assert_eq!(case.says(), "wait for quorum: without N01 the cluster says that it would lose quorum");
    case.memory(1).commit = None;
    case.member(3, |m| m.state = MemberState::Down);
    assert_eq!(case.says(), "wait for N03, which is Down");
    case.pass(Millis::minutes(39));
    assert_eq!(case.says(), "wait for N03, which is Down", "its task may live still");
}

#[test]
fn rule_24_what_no_longer_held_before_the_commit_costs_an_entry_and_in_the_end_the_attempt() {
    let (mut case, _) = Case::restarting();
    let by = Hindrance::Storage;
    for entry in 1..=Step::Restart.row().entries {
        let place = case.ledger.open.as_ref().expect("fine").entry.place.clone();
        case.consume(1, &place, Phase::Unmet(by));
        assert!(case.says().contains("Failed: nothing was begun, as what it needs no longer held: the storage is not as it must be"));
        case.close(Outcome::Failed(Failure::Hindered { by }));
        let attempts = case.ledger.attempts_of(&drydock_tests::situation::id(1), case.desired.target);
        let last = entry == Step::Restart.row().entries;
        assert_eq!(attempts.number, if last { 2 } else { 1 }, "after entry {entry}");
        if !last {
            assert_eq!(case.open().step, Step::Restart, "what is staged is of use still");
        }
    }
}

#[test]
fn rule_23_a_node_that_crashes_anywhere_in_its_restart_commits_once_and_comes_back() {
    for seed in 0..9 {
        let mut sim = Sim::quick(seed);
        let opened = |d: &Decision| matches!(d, Decision::Open(i) if i.step == Step::Restart);
        assert!(sim.until_decides(20_000, opened).is_some(), "{}", sim.story.join("\n"));
        let target = sim.ledger().open.expect("fine").node.name;
        sim.strike(Fault::CrashInScript, Some(&target));
        let ended = sim.run(60_000);
        let why = sim.until_decides(2, |d| matches!(d, Decision::Hold(_)));
        assert_eq!(ended, Ended::Converged, "seed {seed}: {why:?} {}", sim.story.join("\n"));
        // None at all where it went down between `committing` and the commit: that one is never made up for.
        assert!(sim.count(&target, "committed") <= 1, "seed {seed}");
        sim.with(|lab| assert_eq!(lab.truth().repeated().len(), 0, "seed {seed}"));
    }
}

#[test]
fn rule_23_after_a_commit_the_next_restart_has_the_number_that_only_restarts() {
    let (mut case, restart) = Case::restarting();
    let target = case.desired.target;
    case.consume(1, &restart.entry.place, Phase::Started);
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Committing, boot: "boot-1".parse().expect("fine") });
    case.pass(Millis::minutes(41));
    assert_eq!(case.says(), "close 1.ab12/11 Failed: it took no effect");
    case.close(Outcome::Failed(Failure::NoEffect));
    let again = case.open();
    assert_eq!((again.step, again.entry.place.seq, again.attempt), (Step::Restart, restart.entry.place.seq + 2, restart.attempt));
}

#[test]
fn rule_24_an_attempt_has_one_installation() {
    matters(Rule::InstallOnce, |h| {
        h.installing(1);
        assert_eq!(h.gives(1, Step::Install), Ok(Receipt::Started));
        h.wait(Millis::hours(3));
        h.count(1, "began-install") == 1
    });
}

fn rolled_back(seed: u64) -> (Sim, NodeName) {
    let mut sim = Sim::quick(seed);
    let opened = |d: &Decision| matches!(d, Decision::Open(i) if i.step == Step::Restart);
    assert!(sim.until_decides(20_000, opened).is_some(), "{}", sim.story.join("\n"));
    let target = sim.ledger().open.expect("fine").node.name;
    sim.strike(Fault::NodeRollsBack, Some(&target));
    assert!(sim.until(20_000, |s| s.count(&target, "rolled-back") == 1), "{}", sim.story.join("\n"));
    (sim, target)
}

#[test]
fn rule_24_a_rollback_uses_up_all_attempts_until_a_person_acts() {
    let (mut sim, rolled) = rolled_back(11);
    sim.laps_for(Millis::hours(24 * 14));
    assert_eq!((sim.count(&rolled, "committed"), sim.count(&rolled, "began-install")), (1, 1), "{}", sim.story.join("\n"));
    assert_eq!(sim.away(), Vec::new(), "it serves on its old build");
    let others = (1..=4).map(node).filter(|n| *n != rolled).map(|n| sim.count(&n, "changed-build")).collect::<Vec<_>>();
    assert_eq!(others, [1, 1, 1], "one failed node is within maxFailedNodes");
    let cluster = sim.cluster();
    sim.branch.word(&cluster, Word::Retry { node: rolled.clone(), reason: "the driver was replaced".to_owned() });
    assert_eq!(sim.run(60_000), Ended::Converged, "{}", sim.story.join("\n"));
    assert_eq!((sim.count(&rolled, "committed"), sim.count(&rolled, "began-install")), (2, 2));
    sim.with(|lab| assert_eq!(lab.truth().repeated().len(), 0, "the second time was another attempt"));
}

#[test]
fn rule_24_entries_of_a_step_are_bounded_by_the_table() {
    let (mut case, _) = Case::restarting();
    let target: Target = case.desired.target;
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Committing, boot: "boot-1".parse().expect("fine") });
    case.close(Outcome::Failed(Failure::NoEffect));
    for _ in 1..Step::Restart.row().entries {
        assert_eq!(case.open().step, Step::Restart);
        case.close(Outcome::Failed(Failure::NoEffect));
    }
    assert_eq!(case.decide(), Decision::Hold(HoldReason::StepOverdue { node: name(1), step: Step::Restart }));
}

#[test]
fn rule_24_attempts_are_counted_in_the_ledger_and_bounded_by_the_spec() {
    let mut case = drydock_tests::situation::four();
    case.desired.run.max_retries_per_node = 1;
    case.desired.run.max_failed_nodes = 0;
    for attempt in 1..=2 {
        case.pass(Millis::hours(2));
        let vacate = case.open();
        assert_eq!((vacate.node.name.clone(), vacate.attempt), (name(1), attempt));
        case.close(Outcome::Failed(Failure::PlatformRefused));
    }
    case.pass(Millis::hours(2));
    let Decision::Hold(HoldReason::NodeFailed { node, .. }) = case.decide() else { panic!("{}", case.says()) };
    assert_eq!(node, name(1));
    case.write(&Event::Word(Word::Retry { node: name(1), reason: "mended".to_owned() }));
    case.write(&Event::Met(vec![drydock_tests::situation::id(1)]));
    assert_eq!(case.open().attempt, 4, "fresh attempts, and no number is used twice");
}

#[test]
fn rule_24_a_rollback_is_seen_by_the_old_build_in_another_boot_with_no_setup_at_work() {
    let (mut case, restart) = Case::restarting();
    let target = case.desired.target;
    case.consume(1, &restart.entry.place, Phase::Ended);
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Restarting, boot: "boot-1".parse().expect("fine") });
    assert!(case.says().starts_with("wait for Restart"), "the same boot: {}", case.says());
    case.node(1).boot = known(Boot { id: "boot-2".parse().expect("fine"), up: Millis::minutes(1) });
    assert_eq!(case.says(), "close 1.ab12/11 Failed: the node came back on its old build");
    case.close(Outcome::Failed(Failure::RolledBack));
    let id = drydock_tests::situation::id(1);
    let attempts = case.ledger.attempts_of(&id, target);
    assert!(attempts.spent);
}
