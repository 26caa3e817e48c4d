//! Rules 17 to 19: the way back of a node that is out.

use drydock_lab::{Fault, Rule};
use drydock_model::desired::Suspend;
use drydock_model::ids::Place;
use drydock_model::ledger::{Event, Failure, Outcome, RETURN};
use drydock_model::observed::{Boot, Commit, CommitPhase, Marker, MarkerState, MemberState, Memory, Phase, Setup, WorkerState};
use drydock_model::order::{Act, Order, Receipt};
use drydock_model::plan::{Decision, HoldReason, Remote};
use drydock_model::step::Step;
use drydock_model::time::{Millis, Stamp};
use drydock_tests::hand::{claim, matters};
use drydock_tests::sim::{Ended, Sim, node};
use drydock_tests::situation::{Case, epoch, four, known, name};

#[test]
fn rule_17_a_node_is_out_from_vacates_opening_until_return_closes() {
    let mut case = four();
    case.open();
    assert!(case.ledger.out.is_some(), "before anything was sent");
    let mut case = Case::out();
    case.ledger.out.as_mut().expect("fine").returning = true;
    let back = case.open();
    assert_eq!(back.step, Step::Return);
    case.close(Outcome::Failed(Failure::NoEffect));
    assert!(case.ledger.out.is_some(), "a Return that took no effect leaves it out");
    case.ledger.open = Some(back);
    case.close(Outcome::Done);
    assert_eq!(case.ledger.out, None);
}

#[test]
fn rule_17_fence_there_and_marker_missing_is_a_persons_doing() {
    let mut case = Case::out();
    case.memory(1).marker = None;
    assert_eq!(case.decide(), Decision::Hold(HoldReason::PersonHasNode { node: name(1), committed: false }));
}

#[test]
fn rule_17_paused_with_only_suspending_is_a_persons_doing() {
    let mut case = four();
    let vacate = case.open();
    case.vacated(1, &vacate);
    case.memory(1).marker = Some(Marker { vacate: vacate.entry.place.clone(), state: MarkerState::Suspending });
    assert_eq!(case.decide(), Decision::Hold(HoldReason::PersonHasNode { node: name(1), committed: false }));
    // Also for a controller that took over in the moment after the Suspend, and has closed what it inherited.
    case.close(Outcome::Inherited);
    assert_eq!(case.decide(), Decision::Hold(HoldReason::PersonHasNode { node: name(1), committed: false }), "{}", case.says());
    case.member(1, |m| m.state = MemberState::Up);
    assert!(case.says().starts_with("open Return of N01"), "once the person has resumed it, it is brought back in order: {}", case.says());
}

#[test]
fn rule_17_what_the_upgrade_took_together_with_the_fence_is_written_again() {
    let mut case = Case::out();
    *case.memory(1) = Memory::default();
    let Decision::Fence(orders) = case.decide() else { panic!("{}", case.says()) };
    let Act::Fence { marker: Some(marker) } = &orders[0].act else { panic!("no marker in {:?}", orders[0]) };
    assert_eq!(*marker, Marker { vacate: Place { epoch: epoch(), seq: 1 }, state: MarkerState::Suspended });
    // Another machine under the name gets none.
    let mut case = Case::out();
    *case.memory(1) = Memory::default();
    let mut other = drydock_tests::situation::id(1);
    other.machine = "another".parse().expect("fine");
    case.node(1).id = known(other);
    assert_eq!(case.decide(), Decision::Hold(HoldReason::NodeReplaced { node: name(1) }));
}

#[test]
fn rule_17_an_upgrade_that_forgets_the_registry_still_ends_in_service() {
    let mut sim = Sim::quick(7);
    for n in 1..=4 {
        sim.strike(Fault::UpgradeForgets, Some(&node(n)));
    }
    let ended = sim.run(40_000);
    assert_eq!(ended, Ended::Converged, "{}", sim.story.join("\n"));
    assert_eq!(sim.away(), Vec::new());
    assert_eq!((1..=4).map(|n| sim.count(&node(n), "committed")).collect::<Vec<_>>(), [1, 1, 1, 1]);
}

#[test]
fn rule_17_a_late_fence_does_not_bring_back_a_marker_that_was_removed() {
    matters(Rule::WriteBack, |h| {
        h.vacated(1);
        let marker = h.memory(1).marker;
        let late = Order::fence(h.entry(h.seq + 4), h.id(1), marker);
        assert_eq!(h.gives(1, Step::Return), Ok(Receipt::Applied));
        assert_eq!(h.send(&late), Ok(Receipt::Applied));
        h.memory(1).marker.is_none()
    });
}

/// N01 has committed in its first boot.
fn committed(phase: CommitPhase) -> Case {
    let (mut case, restart) = Case::restarting();
    let target = case.desired.target;
    case.consume(1, &restart.entry.place, Phase::Started);
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase, boot: "boot-1".parse().expect("fine") });
    case.close(Outcome::Failed(Failure::NoEffect));
    case
}

#[test]
fn rule_18_before_the_point_of_no_return_back_means_resume() {
    let (mut case, install) = Case::installing();
    case.worker(1, &install.entry.place, WorkerState::Staged);
    case.close(Outcome::Done);
    case.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
    assert_eq!(case.says(), "open Return of N01 for Upgrade at 1.ab12/9");
}

#[test]
fn rule_18_after_it_back_means_forward() {
    for phase in [CommitPhase::Committing, CommitPhase::Committed, CommitPhase::Restarting] {
        let mut case = committed(phase);
        case.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
        case.remote = Remote::Unread("down".to_owned());
        assert_eq!(case.says(), "open Restart of N01 for Upgrade at 1.ab12/13", "{phase:?}");
    }
}

#[test]
fn rule_18_a_node_that_rolled_back_is_before_that_point_again() {
    let mut case = committed(CommitPhase::Restarting);
    case.node(1).boot = known(Boot { id: "boot-2".parse().expect("fine"), up: Millis::minutes(9) });
    case.node(1).setup = known(Setup { running: true, pending: false });
    assert!(case.says().starts_with("wait for Restart on N01"), "as long as setup is at work it is not: {}", case.says());
    case.node(1).setup = known(Setup { running: false, pending: true });
    assert!(case.says().starts_with("wait for Restart on N01"), "{}", case.says());
    case.node(1).setup = known(Setup::default());
    case.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
    assert!(case.says().starts_with("open Return of N01"), "{}", case.says());
}

#[test]
fn rule_19_the_numbers_of_the_way_back_are_reserved_with_each_intent_of_a_node_that_is_out() {
    let (mut case, install) = Case::installing();
    assert!(case.ledger.ceiling().seq >= install.base + RETURN, "a node that shows them is not ahead of the ledger");
    case.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
    case.cancel(&install);
    case.worker(1, &install.entry.place, WorkerState::Cancelled);
    case.close(Outcome::Failed(Failure::Cancelled));
    let back = case.open();
    assert_eq!((back.step, back.entry.place.seq), (Step::Return, install.base + RETURN));
    assert!(install.cancel_entry().expect("fine").place.seq < back.entry.place.seq, "a Cancel never has the number of a Return");
    case.memory(1).marker = None;
    case.member(1, |m| m.state = MemberState::Up);
    case.close(Outcome::Done);
    let settle = case.open();
    assert!(settle.entry.place.seq > back.entry.place.seq);
}

#[test]
fn rule_19_a_return_whose_number_nothing_keeps_waits_until_git_has_it() {
    // Closed without the node's word, so that it must hear of a tombstone, and the block's own Return with it.
    let (mut case, install) = Case::installing();
    let entry = install.entry.clone();
    case.ledger.apply(&Event::Closed { entry, outcome: Outcome::Superseded, heard: false }, Stamp::At(case.now));
    case.memory(1).fence = case.ledger.owes.get(&name(1)).cloned();
    case.remote = Remote::Unread("down".to_owned());
    assert_eq!(case.says(), "open Return of N01 for Upgrade at 1.ab12/11");
    case.open();
    assert_eq!(case.says(), "wait for the status branch: down");
    case.pass(Millis::hours(2));
    assert_eq!(case.says(), "wait for the status branch: down");
    case.remote = Remote::Confirmed;
    assert_eq!(case.says(), "send Return for N01 (hospital-north/1.ab12/11)");
}

/// Half way through the first Install, the branch is gone for good, as far as this controller lives to see.
fn cut_off_in_mid_install(seed: u64) -> Sim {
    let mut sim = Sim::quick(seed);
    let at_work = |s: &Sim| (1..=4).any(|n| s.facts(&node(n)).worker.known().is_some_and(|w| w.as_ref().is_some_and(|w| w.alive)));
    assert!(sim.until(20_000, at_work), "{}", sim.story.join("\n"));
    sim.branch.set_down(true);
    sim
}

#[test]
fn rule_19_a_node_that_is_out_is_brought_back_without_git() {
    for seed in 0..4 {
        let mut sim = cut_off_in_mid_install(seed);
        let written = sim.branch.commits().len();
        assert!(sim.until(5_000, |s| s.away().is_empty()), "{}", sim.story.join("\n"));
        assert_eq!(sim.branch.commits().len(), written, "git had no part in it");
        assert_eq!(sim.count_all("committed"), 0);
        let stopped = |s: &Sim| (1..=4).all(|n| s.facts(&node(n)).worker.known().is_none_or(|w| w.as_ref().is_none_or(|w| !w.alive)));
        assert!(stopped(&sim), "no worker lives on a node in service");
        let suspended = sim.count_all("suspended");
        sim.laps_for(Millis::hours(3));
        assert_eq!(sim.count_all("suspended"), suspended, "and nobody else is taken out");
    }
}

#[test]
fn rule_19_whoever_holds_the_claim_afterwards_writes_the_way_back_in_as_observed() {
    for seed in 0..4 {
        let mut sim = cut_off_in_mid_install(seed);
        assert!(sim.until(5_000, |s| s.away().is_empty()), "{}", sim.story.join("\n"));
        // It dies with all it had not pushed.
        sim.kill(0, seed + 100);
        sim.branch.set_down(false);
        let ended = sim.run(60_000);
        assert_eq!(ended, Ended::Converged, "seed {seed}: {}", sim.story.join("\n"));
        sim.with(|lab| assert_eq!(lab.truth().repeated().len(), 0));
    }
}

#[test]
fn rule_19_a_node_is_not_resumed_under_a_living_worker() {
    matters(Rule::ReturnAwaitsWorker, |h| {
        h.installing(1);
        matches!(h.gives(1, Step::Return), Ok(Receipt::Refused(_))) && h.count(1, "resumed") == 0
    });
}

#[test]
fn rule_19_return_waits_until_the_worker_is_seen_ended() {
    let (mut case, install) = Case::installing();
    case.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
    let cancel = install.cancel_entry().expect("fine");
    assert_eq!(case.decide(), Decision::Cancel(cancel.clone()));
    case.cancel(&install);
    case.memory(1).cancelled = Some(cancel.place.clone());
    case.memory(1).fence = Some(cancel.place);
    assert!(case.says().starts_with("send Cancel"), "heard, and still alive: {}", case.says());
    case.worker(1, &install.entry.place, WorkerState::Cancelled);
    assert_eq!(case.says(), "close 1.ab12/6 Failed: it was cancelled");
}

#[test]
fn rule_19_past_a_bound_a_worker_that_does_not_end_no_longer_holds_up_the_return() {
    let (mut case, install) = Case::installing();
    case.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
    case.cancel(&install);
    case.pass(Millis::minutes(14));
    assert!(case.says().starts_with("send Cancel"), "{}", case.says());
    case.pass(Millis::minutes(2));
    assert_eq!(case.says(), "close 1.ab12/6 Superseded");
    case.close(Outcome::Superseded);
    assert!(case.says().starts_with("open Return of N01"), "{}", case.says());
}

#[test]
fn rule_19_the_way_back_goes_on_while_somebody_elses_commit_holds_the_cluster() {
    let mut sim = cut_off_in_mid_install(9);
    sim.branch.set_down(false);
    let cluster = sim.cluster();
    let foreign = sim.branch.foreign(&cluster);
    assert!(sim.until(20_000, |s| s.away().is_empty()), "{}", sim.story.join("\n"));
    let suspended = sim.count_all("suspended");
    sim.laps_for(Millis::hours(6));
    assert_eq!(sim.count_all("suspended"), suspended, "nothing begins");
    sim.branch.accept(&foreign);
    let ended = sim.run(60_000);
    assert_eq!(ended, Ended::Converged, "{}", sim.story.join("\n"));
}

#[test]
fn rule_19_a_node_that_the_desired_state_no_longer_names_is_brought_back_all_the_same() {
    for restarts in [false, true] {
        let mut sim = cut_off_in_mid_install(15);
        sim.branch.set_down(false);
        let out = sim.ledger().out.expect("fine").node.name;
        sim.merge("bbbb", |d| d.nodes.retain(|n| *n != out));
        if restarts {
            sim.kill(0, 16);
        }
        assert!(sim.until(5_000, |s| s.ledger().out.is_none() && s.away().is_empty()), "{}", sim.story.join("\n"));
        let suspended = sim.count_all("suspended");
        let hold = sim.until_decides(5_000, |d| matches!(d, Decision::Hold(HoldReason::MembersDiffer { .. })));
        assert!(hold.is_some(), "{}", sim.story.join("\n"));
        assert_eq!(sim.count_all("suspended"), suspended, "a member that nobody names keeps the others in");
    }
}

#[test]
fn rule_17_an_older_claims_marker_is_still_ours() {
    let mut case = Case::out();
    let newer = claim(2, "cd34");
    case.write(&Event::Claimed { epoch: newer.clone() });
    case.fence_all(&Place { epoch: newer, seq: 0 });
    assert!(case.says().starts_with("open Install of N01"), "{}", case.says());
    case.memory(1).marker = Some(Marker { vacate: Place { epoch: claim(7, "ee"), seq: 1 }, state: MarkerState::Suspended });
    assert_eq!(case.decide(), Decision::Hold(HoldReason::PersonHasNode { node: name(1), committed: false }));
}
