//! Each fault does what its name says, and calm ends it.

use super::hand::{Hand, config, known, n};
use crate::{Fault, Planned, Rules};
use drydock_engine::ports::PerformError;
use drydock_model::fact::Gap;
use drydock_model::observed::{CommitPhase, DrainStatus, MemberState, Memory, WorkerState};
use drydock_model::order::{Order, Receipt, Unmet};
use drydock_model::step::Step;
use drydock_model::time::Millis;

fn strike(hand: &mut Hand, fault: Fault, node: u32) {
    hand.lab.plan(Planned::now(fault, hand.cluster.clone(), Some(n(node)))).unwrap();
}

fn count(hand: &Hand, node: u32, word: &'static str) -> usize {
    hand.lab.truth().counts(&hand.cluster).get(&(n(node), word)).copied().unwrap_or(0)
}

#[test]
fn a_lost_answer_is_of_an_order_that_was_performed() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::LostAnswer, 1);
    assert!(matches!(hand.gives(&n(1), Step::WriteRegistry), Err(PerformError::Unknown(_))));
    assert_eq!(count(&hand, 1, "wrote-registry"), 1);
}

#[test]
fn a_delayed_order_comes_later_and_a_dropped_one_never() {
    let mut hand = Hand::new(1, 4);
    let place = |hand: &mut Hand| known(&hand.facts(&n(1)).memory).consumed.map(|c| c.place);
    strike(&mut hand, Fault::DelayedOrder, 1);
    let mut order = hand.bare(&n(1), Step::WriteRegistry);
    order.not_after = Some(Millis(u64::MAX));
    assert!(matches!(hand.lab.perform(&order), Err(PerformError::Unknown(_))));
    assert_eq!(place(&mut hand), None);
    hand.wait(Millis::minutes(20));
    assert_eq!(place(&mut hand), Some(order.entry.place));
    strike(&mut hand, Fault::DroppedOrder, 1);
    let before = place(&mut hand);
    assert!(matches!(hand.gives(&n(1), Step::WriteRegistry), Err(PerformError::Unknown(_))));
    hand.wait(Millis::hours(1));
    assert_eq!(place(&mut hand), before);
}

#[test]
fn a_doubled_order_is_performed_once_by_a_node_that_remembers() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::DuplicatedOrder, 1);
    assert_eq!(hand.gives(&n(1), Step::WriteRegistry), Ok(Receipt::Applied));
    hand.wait(Millis::hours(1));
    assert_eq!(count(&hand, 1, "wrote-registry"), 1);
}

#[test]
fn an_unreachable_node_works_on() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::NodeUnreachable, 1);
    assert_eq!(hand.facts(&n(1)).id.gap(), Some(&Gap::Unreachable));
    let mut order = drydock_model::order::Order::fence(hand.entry(4), known(&hand.facts(&n(2)).id), None);
    order.node.name = n(1);
    assert!(matches!(hand.lab.perform(&order), Err(PerformError::NotSent(_))));
    assert_eq!(hand.member(&n(1)).state, MemberState::Up);
    hand.wait(Millis::minutes(11));
    assert!(hand.facts(&n(1)).id.known().is_some());
}

#[test]
fn an_upgrade_that_rolls_back_ends_on_the_old_build() {
    let mut hand = Hand::new(1, 4);
    let before = hand.lab.truth().builds(&hand.cluster);
    strike(&mut hand, Fault::NodeRollsBack, 1);
    hand.upgrade(&n(1));
    assert_eq!(hand.lab.truth().builds(&hand.cluster), before);
    assert_eq!((count(&hand, 1, "rolled-back"), count(&hand, 1, "changed-build")), (1, 0));
}

#[test]
fn a_node_that_never_returns_returns_in_calm() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::NodeNeverReturns, 1);
    hand.vacated(&n(1));
    assert_eq!(hand.gives(&n(1), Step::Reboot), Ok(Receipt::Started));
    hand.wait(Millis::hours(24));
    assert_eq!(hand.member(&n(1)).state, MemberState::Down);
    hand.lab.calm();
    hand.wait(Millis::minutes(10));
    assert_eq!(hand.member(&n(1)).state, MemberState::Paused);
}

#[test]
fn a_stalled_repair_goes_on_in_calm() {
    let mut hand = Hand::new(1, 4);
    hand.vacated(&n(1));
    strike(&mut hand, Fault::StorageRepairStalls, 1);
    assert_eq!(hand.gives(&n(1), Step::Return), Ok(Receipt::Applied));
    hand.wait(Millis::hours(24));
    assert!(!hand.settled());
    hand.lab.calm();
    hand.wait(Millis::hours(1));
    assert!(hand.settled());
}

#[test]
fn data_out_of_reach_after_a_failed_drive_comes_back_in_calm() {
    let mut hand = Hand::new(1, 2);
    hand.vacated(&n(1));
    strike(&mut hand, Fault::DiskFails, 2);
    assert_eq!(hand.gives(&n(1), Step::Return), Ok(Receipt::Applied));
    hand.wait(Millis::hours(24));
    assert!(!hand.settled(), "the only good copy lost a drive");
    hand.lab.calm();
    hand.wait(Millis::hours(2));
    assert!(hand.settled());
}

#[test]
fn a_drain_fails_once() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::DrainFails, 1);
    assert_eq!(hand.gives(&n(1), Step::Vacate), Ok(Receipt::Started));
    hand.wait(Millis::minutes(10));
    let member = hand.member(&n(1));
    assert_eq!((member.state, member.drain), (MemberState::Paused, DrainStatus::Failed));
    hand.returned(&n(1));
    hand.vacated(&n(1));
}

#[test]
fn workers_die_fail_and_leave_restarts_pending() {
    let run = |fault| {
        let mut hand = Hand::new(1, 4);
        hand.vacated(&n(1));
        strike(&mut hand, fault, 1);
        assert_eq!(hand.gives(&n(1), Step::Install), Ok(Receipt::Started));
        hand.wait(Millis::hours(1));
        hand
    };
    let mut died = run(Fault::WorkerDies);
    let worker = known(&died.facts(&n(1)).worker).unwrap();
    assert!(!worker.alive && !worker.state.ended());
    let mut failed = run(Fault::WorkerFails);
    let worker = known(&failed.facts(&n(1)).worker).unwrap();
    assert!(!worker.alive && matches!(worker.state, WorkerState::Failed(_)));
    let mut pending = run(Fault::WorkerFailsPending);
    assert!(known(&pending.facts(&n(1)).setup).pending);
    pending.attempt = 2;
    assert_eq!(pending.gives(&n(1), Step::Install), Ok(Receipt::Started));
    let worker = known(&pending.facts(&n(1)).worker).unwrap();
    assert!(matches!(&worker.state, WorkerState::Failed(why) if why.code == 0x8024_0016), "{worker:?}");
    assert_eq!(pending.gives(&n(1), Step::Reboot), Ok(Receipt::Started));
    pending.wait(Millis::minutes(1));
    pending.back_up(&n(1));
    assert!(!known(&pending.facts(&n(1)).setup).pending);
    pending.attempt = 3;
    assert_eq!(pending.gives(&n(1), Step::Install), Ok(Receipt::Started));
    assert!(known(&pending.facts(&n(1)).worker).unwrap().alive);
}

#[test]
fn a_staging_that_was_taken_away_may_leave_a_restart_pending_until_one_comes() {
    for (armed, staged) in [(false, true), (true, true), (false, false), (true, false)] {
        let mut hand = Hand::new(1, 4);
        if staged {
            hand.staged(&n(1));
        } else {
            hand.vacated(&n(1));
            assert_eq!(hand.gives(&n(1), Step::Install), Ok(Receipt::Started));
        }
        if armed {
            strike(&mut hand, Fault::CleanUpLeavesPending, 1);
        }
        let cancel = Order::cancel(hand.entry(hand.seq + 1), known(&hand.facts(&n(1)).id));
        assert_eq!(hand.lab.perform(&cancel), Ok(Receipt::Applied));
        hand.wait(Millis::hours(1));
        assert_eq!(known(&hand.facts(&n(1)).setup).pending, armed, "staged before: {staged}");
        assert_eq!(hand.gives(&n(1), Step::Reboot), Ok(Receipt::Started));
        hand.wait(Millis::minutes(1));
        hand.back_up(&n(1));
        assert!(!known(&hand.facts(&n(1)).setup).pending);
        hand.attempt = 2;
        assert_eq!(hand.gives(&n(1), Step::Install), Ok(Receipt::Started));
        assert!(known(&hand.facts(&n(1)).worker).unwrap().alive);
    }
}

#[test]
fn a_replaced_node_is_another_machine_that_remembers_nothing() {
    let mut hand = Hand::new(1, 4);
    let before = known(&hand.facts(&n(1)).id);
    strike(&mut hand, Fault::NodeReplaced, 1);
    hand.wait(Millis::minutes(1));
    hand.back_up(&n(1));
    let facts = hand.facts(&n(1));
    let after = known(&facts.id);
    assert!(after.machine != before.machine && after.node != before.node && after.name == before.name);
    assert_eq!(known(&facts.memory), Memory::default());
    hand.wait(Millis::hours(2));
    assert!(hand.settled());
}

#[test]
fn an_upgrade_that_forgets_takes_fence_and_marker_and_leaves_the_identity() {
    let mut hand = Hand::new(1, 4);
    let before = known(&hand.facts(&n(1)).id);
    strike(&mut hand, Fault::UpgradeForgets, 1);
    hand.staged(&n(1));
    assert_eq!(hand.gives(&n(1), Step::Restart), Ok(Receipt::Started));
    hand.wait(Millis::minutes(6));
    hand.back_up(&n(1));
    let facts = hand.facts(&n(1));
    assert_eq!((known(&facts.id), known(&facts.memory)), (before, Memory::default()));
}

#[test]
fn a_reimaged_memory_is_an_earlier_one() {
    let mut hand = Hand::new(1, 4);
    let claimed = known(&hand.facts(&n(1)).memory);
    for _ in 0..12 {
        assert_eq!(hand.gives(&n(1), Step::WriteRegistry), Ok(Receipt::Applied));
    }
    let last = known(&hand.facts(&n(1)).memory);
    strike(&mut hand, Fault::ReimagedMemory, 1);
    hand.wait(Millis::minutes(1));
    hand.back_up(&n(1));
    let restored = known(&hand.facts(&n(1)).memory);
    assert!(restored != last && restored != claimed && restored.fence < last.fence, "{restored:?}");
}

#[test]
fn persons_pause_resume_and_in_calm_give_back_what_they_paused() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::PersonPauses, 1);
    hand.wait(Millis::minutes(10));
    assert_eq!(hand.member(&n(1)).state, MemberState::Paused);
    assert_eq!(known(&hand.facts(&n(1)).memory).marker, None);
    hand.lab.calm();
    assert_eq!(hand.member(&n(1)).state, MemberState::Up);
    hand.wait(Millis::hours(2));
    hand.vacated(&n(2));
    strike(&mut hand, Fault::PersonResumes, 2);
    assert_eq!(hand.member(&n(2)).state, MemberState::Up);
    assert!(known(&hand.facts(&n(2)).memory).marker.is_some());
    hand.lab.calm();
    assert_eq!(hand.member(&n(2)).state, MemberState::Up);
}

#[test]
fn a_crash_in_a_vacate_leaves_suspending_or_less() {
    let states: std::collections::BTreeSet<String> = (0..12)
        .map(|seed| {
            let mut hand = Hand::new(seed, 4);
            strike(&mut hand, Fault::CrashInScript, 1);
            assert!(matches!(hand.gives(&n(1), Step::Vacate), Err(PerformError::Unknown(_))));
            hand.wait(Millis::minutes(1));
            hand.back_up(&n(1));
            let memory = known(&hand.facts(&n(1)).memory);
            format!("{:?} {:?}", memory.marker.map(|m| m.state), hand.member(&n(1)).state)
        })
        .collect();
    expect_test::expect![[r#"
        {
            "None Up",
            "Some(Suspending) Paused",
            "Some(Suspending) Up",
        }
    "#]]
    .assert_debug_eq(&states);
}

#[test]
fn slow_observations_say_how_old_they_are() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::SlowObserve, 1);
    hand.observe();
    let asked = hand.lab.now();
    hand.wait(Millis::minutes(3));
    hand.wait(Millis::minutes(3));
    let late = hand.observe();
    assert_eq!(late.span.to, asked);
    assert_eq!(late.nodes[&n(1)].boot.seen(), Some(late.span));
}

#[test]
fn partial_views_lack_facts_and_lack_the_same_ones_when_asked_again() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::Gaps, 1);
    let seen = hand.observe();
    assert!(
        seen.nodes
            .values()
            .any(|f| f.view.gap() == Some(&Gap::TimedOut) || f.memory.gap() == Some(&Gap::TimedOut) || f.boot.gap().is_some())
    );
    assert_eq!(hand.observe(), seen);
    hand.wait(Millis::minutes(1));
    assert_ne!(hand.observe().nodes, seen.nodes);
    hand.lab.calm();
    assert!(hand.observe().nodes.values().all(|f| f.view.known().is_some()));
}

#[test]
fn clocks_go_wrong_by_at_most_an_hour_and_right_again() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::ClockSkew, 1);
    let off = known(&hand.facts(&n(1)).clock).distance(hand.lab.now());
    assert!(off > Millis::ZERO && off <= Millis::hours(1), "{off}");
    hand.lab.calm();
    assert_eq!(known(&hand.facts(&n(1)).clock), hand.lab.now());
}

#[test]
fn registry_values_are_lost_and_the_note_of_writing_them_stays() {
    let mut hand = Hand::new(1, 4);
    assert_eq!(hand.gives(&n(1), Step::WriteRegistry), Ok(Receipt::Applied));
    strike(&mut hand, Fault::RegistryLost, 1);
    let facts = hand.facts(&n(1));
    assert_eq!(known(&facts.registry).refs_enable_metadata_validation, None);
    assert!(known(&facts.memory).registry_written.is_some());
}

#[test]
fn a_fault_in_the_future_is_forgotten_in_calm() {
    let mut hand = Hand::new(1, 4);
    let planned = Planned { after: Millis::hours(1), ..Planned::now(Fault::NodeCrashes, hand.cluster.clone(), None) };
    let drawn = hand.lab.plan(planned).unwrap();
    assert!(drawn.node.is_some());
    hand.lab.calm();
    hand.wait(Millis::hours(2));
    assert!(hand.lab.truth().effects().is_empty());
}

#[test]
fn after_any_three_faults_calm_leads_to_rest() {
    for seed in 0..60 {
        let mut hand = Hand::with(seed, &config("c", 4), Rules::all());
        let mut dice = crate::Dice::new(seed);
        for _ in 0..3 {
            let fault = *dice.pick(Fault::ALL).unwrap();
            hand.lab.plan(Planned::now(fault, hand.cluster.clone(), None)).unwrap();
            hand.wait(Millis::minutes(dice.below(30)));
        }
        hand.lab.calm();
        hand.wait(Millis::hours(24));
        assert!(hand.lab.truth().at_rest(&hand.cluster), "seed {seed}");
    }
}

#[test]
fn a_committed_node_stays_up_while_its_going_would_cost_the_quorum() {
    let mut hand = Hand::new(1, 2);
    hand.staged(&n(1));
    assert_eq!(hand.gives(&n(1), Step::Restart), Ok(Receipt::Started));
    hand.wait(Millis::minutes(1));
    strike(&mut hand, Fault::NodeNeverReturns, 2);
    strike(&mut hand, Fault::NodeCrashes, 2);
    let phase = |hand: &mut Hand| known(&hand.facts(&n(1)).memory).commit.map(|c| c.phase);
    hand.wait(Millis::minutes(30));
    assert_eq!((count(&hand, 1, "went-down"), phase(&mut hand)), (0, Some(CommitPhase::Committed)));
    let mut again = hand.bare(&n(1), Step::Restart);
    again.expect.quorum = true;
    assert_eq!(hand.lab.perform(&again), Ok(Receipt::Refused(Unmet::Quorum)));
    hand.lab.calm();
    hand.wait(Millis::minutes(10));
    let mut again = hand.bare(&n(1), Step::Restart);
    again.expect.quorum = true;
    assert_eq!(hand.lab.perform(&again), Ok(Receipt::Started), "it only restarts");
    hand.wait(Millis::hours(1));
    assert_eq!((count(&hand, 1, "went-down"), count(&hand, 1, "committed")), (1, 1));
}
