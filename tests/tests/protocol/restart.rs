//! Rules 23 and 24: the point of no return, and how often anything may happen.

use drydock_lab::{Fault, Rule};
use drydock_model::desired::Target;
use drydock_model::ids::NodeName;
use drydock_model::ledger::{Event, Failure, Outcome, Word};
use drydock_model::observed::{Boot, Commit, CommitPhase, Phase};
use drydock_model::order::{Receipt, Unmet};
use drydock_model::plan::{Decision, HoldReason};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use drydock_tests::hand::matters;
use drydock_tests::sim::{Ended, Sim, node};
use drydock_tests::situation::{Case, known, name};

#[test]
fn rule_23_a_restart_runs_detached_and_says_committing_before_it_commits() {
    let mut hand = drydock_tests::hand::Hand::new(1, drydock_lab::Rules::all());
    hand.staged(1);
    assert_eq!(hand.gives(1, Step::Restart), Ok(Receipt::Started), "the answer does not wait for the commit");
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
    case.pass(Millis::minutes(11));
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
