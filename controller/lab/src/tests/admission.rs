//! Rule by rule: what it claims, and that the claim falls when the rule is taken out.

use super::hand::{Hand, config, known, n};
use crate::node::Node;
use crate::{Fault, Planned, Rule, Rules};
use drydock_engine::ports::PerformError;
use drydock_model::ids::{Epoch, NodeName};
use drydock_model::observed::{CommitPhase, Hindrance, Phase, WorkerState};
use drydock_model::order::{Act, Expect, Order, Receipt, Unmet};
use drydock_model::step::Step;
use drydock_model::time::Millis;

/// The claim holds with all rules, and falls without this one.
fn matters(rule: Rule, claim: fn(&mut Hand) -> bool) {
    let holds = |rules: Rules| (0..8).all(|seed| claim(&mut Hand::with(seed, &config("c", 4), rules.clone())));
    assert!(holds(Rules::all()), "{rule}: the claim does not hold");
    assert!(!holds(Rules::without(rule)), "{rule}: the claim holds without it as well");
}

macro_rules! rules_matter {
    ($($rule:ident: $name:ident => $claim:expr;)*) => {
        $(#[test] fn $name() { matters(Rule::$rule, $claim); })*
        const COVERED: &[Rule] = &[$(Rule::$rule,)*];
    };
}

#[test]
fn every_rule_has_a_test_that_fails_without_it() {
    let missing: Vec<_> = Rule::ALL.iter().filter(|r| !COVERED.contains(r)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn refused(why: Unmet) -> Result<Receipt, PerformError> {
    Ok(Receipt::Refused(why))
}

fn strike(hand: &mut Hand, fault: Fault, node: u32) {
    let planned = Planned::now(fault, hand.cluster.clone(), Some(n(node)));
    assert!(hand.lab.plan(planned).is_some());
}

fn truth(hand: &mut Hand, node: u32) -> &mut Node {
    hand.lab.clusters.values_mut().next().unwrap().node(&n(node))
}

fn count(hand: &Hand, node: u32, word: &'static str) -> usize {
    hand.lab.truth().counts(&hand.cluster).get(&(n(node), word)).copied().unwrap_or(0)
}

fn worker_state(hand: &mut Hand, node: &NodeName) -> WorkerState {
    known(&hand.facts(node).worker).unwrap().state
}

/// Installing on N01, half way.
fn installing(hand: &mut Hand) {
    hand.vacated(&n(1));
    assert_eq!(hand.gives(&n(1), Step::Install), Ok(Receipt::Started));
    hand.wait(Millis::minutes(40));
    assert!(matches!(worker_state(hand, &n(1)), WorkerState::Staging(_)));
}

rules_matter! {
    OtherClaim: of_two_claims_with_one_number_a_node_hears_the_first => |h| {
        let mut order = h.bare(&n(1), Step::WriteRegistry);
        let Act::Step(work) = order.act.clone() else { return false };
        order.entry.place.epoch = Epoch { number: 1, nonce: "cd".parse().unwrap() };
        let order = Order::step(order.entry, order.node, work, Expect::NOTHING, order.boot.unwrap(), order.not_after.unwrap());
        h.lab.perform(&order) == refused(Unmet::OtherClaim) && count(h, 1, "wrote-registry") == 0
    };
    MarkerGoesWithRefusal: a_refused_vacate_leaves_no_marker => |h| {
        strike(h, Fault::SuspendRefused, 1);
        let receipt = h.gives(&n(1), Step::Vacate);
        let memory = known(&h.facts(&n(1)).memory);
        matches!(receipt, Ok(Receipt::PlatformRefused(_))) && memory.marker.is_none() && memory.consumed.unwrap().phase == Phase::PlatformRefused
    };
    FenceKeepsConsumed: raising_the_fence_keeps_what_was_consumed => |h| {
        assert_eq!(h.gives(&n(1), Step::WriteRegistry), Ok(Receipt::Applied));
        let consumed = h.place(h.seq);
        h.seq += 4;
        h.fence_all();
        let memory = known(&h.facts(&n(1)).memory);
        memory.fence == Some(h.place(h.seq)) && memory.consumed.is_some_and(|c| c.place == consumed && c.phase == Phase::Ended)
    };
    RecordFirst: what_was_accepted_is_remembered_through_a_crash => |h| {
        truth(h, 1).armed.crash_in_script = Some(0);
        assert!(matches!(h.gives(&n(1), Step::Reboot), Err(PerformError::Unknown(_))));
        h.wait(Millis::minutes(1));
        h.back_up(&n(1));
        known(&h.facts(&n(1)).memory).consumed.is_some_and(|c| c.place == h.place(h.seq) && c.phase == Phase::Recorded)
    };
    Digest: an_order_changed_on_its_way_is_refused => |h| {
        let mut order = h.bare(&n(1), Step::WriteRegistry);
        if let Act::Step(work) = &mut order.act {
            work.attempt += 1;
        }
        h.lab.perform(&order) == refused(Unmet::Garbled) && count(h, 1, "wrote-registry") == 0
    };
    ConsumedOnce: an_order_that_comes_twice_is_performed_once => |h| {
        let order = h.bare(&n(1), Step::WriteRegistry);
        assert_eq!(h.lab.perform(&order), Ok(Receipt::Applied));
        h.lab.perform(&order) == Ok(Receipt::AlreadyConsumed) && count(h, 1, "wrote-registry") == 1
    };
    ConsumedDigest: an_entry_has_one_meaning => |h| {
        let order = h.bare(&n(1), Step::WriteRegistry);
        assert_eq!(h.lab.perform(&order), Ok(Receipt::Applied));
        let work = h.work(Step::Reboot);
        let other = Order::step(order.entry, order.node, work, Expect::NOTHING, order.boot.unwrap(), order.not_after.unwrap());
        let receipt = h.lab.perform(&other);
        h.wait(Millis::minutes(1));
        receipt == refused(Unmet::OtherOrderConsumed) && count(h, 1, "went-down") == 0
    };
    Fence: an_older_order_changes_nothing => |h| {
        let order = h.bare(&n(1), Step::WriteRegistry);
        h.seq += 4;
        h.fence_all();
        h.lab.perform(&order) == Ok(Receipt::Fenced { newer: h.place(h.seq) }) && count(h, 1, "wrote-registry") == 0
    };
    Identity: another_machine_under_the_name_refuses => |h| {
        let order = h.bare(&n(1), Step::WriteRegistry);
        let Act::Step(work) = order.act.clone() else { return false };
        let mut id = order.node.clone();
        id.machine = "other".parse().unwrap();
        let order = Order::step(order.entry, id, work, Expect::NOTHING, order.boot.unwrap(), order.not_after.unwrap());
        h.lab.perform(&order) == refused(Unmet::OtherIdentity) && count(h, 1, "wrote-registry") == 0
    };
    Boot: an_order_planned_on_another_boot_is_refused => |h| {
        let order = h.bare(&n(1), Step::WriteRegistry);
        strike(h, Fault::NodeCrashes, 1);
        h.wait(Millis::minutes(1));
        h.back_up(&n(1));
        h.lab.perform(&order) == refused(Unmet::OtherBoot) && count(h, 1, "wrote-registry") == 0
    };
    NotAfter: an_order_that_comes_too_late_is_refused => |h| {
        let order = h.bare(&n(1), Step::WriteRegistry);
        h.wait(Millis::minutes(3));
        h.lab.perform(&order) == refused(Unmet::TooLate) && count(h, 1, "wrote-registry") == 0
    };
    ExpectMarker: a_node_that_somebody_took_out_is_not_taken_out_again => |h| {
        strike(h, Fault::PersonPauses, 1);
        let order = h.order(&n(1), Step::Vacate);
        h.lab.perform(&order) == refused(Unmet::Marker) && count(h, 1, "suspended") == 0
    };
    ExpectOthersUp: no_node_is_taken_out_beside_a_paused_one => |h| {
        strike(h, Fault::PersonPauses, 2);
        h.gives(&n(1), Step::Vacate) == refused(Unmet::NotUp(n(2))) && count(h, 1, "suspended") == 0
    };
    ExpectStorage: no_node_is_taken_out_while_storage_repairs => |h| {
        h.vacated(&n(2));
        assert_eq!(h.gives(&n(2), Step::Return), Ok(Receipt::Applied));
        h.wait(Millis::minutes(5));
        h.gives(&n(1), Step::Vacate) == refused(Unmet::Storage)
    };
    ExpectBuild: a_node_on_another_build_refuses => |h| {
        let mut order = h.bare(&n(1), Step::WriteRegistry);
        order.expect.build = Some("20349.1".parse().unwrap());
        h.lab.perform(&order) == refused(Unmet::OtherBuild("20349.3700".parse().unwrap())) && count(h, 1, "wrote-registry") == 0
    };
    ExpectQuorum: a_node_that_quorum_hangs_on_refuses => |h| {
        // Two members down by accident and no witness: the third one's vote decides.
        for node in [3, 4] {
            truth(h, node).armed.never_returns = true;
            strike(h, Fault::NodeCrashes, node);
        }
        h.lab.plan(Planned::now(Fault::WitnessOffline, h.cluster.clone(), None)).unwrap();
        let node = if h.observe().cluster.would_lose_quorum.known().unwrap().contains(&n(1)) { n(1) } else { n(2) };
        let mut order = h.bare(&node, Step::WriteRegistry);
        order.expect.quorum = true;
        h.lab.perform(&order) == refused(Unmet::Quorum)
    };
    OneAtATime: a_commit_at_work_keeps_everything_else_out => |h| {
        h.staged(&n(1));
        assert_eq!(h.gives(&n(1), Step::Restart), Ok(Receipt::Started));
        h.gives(&n(1), Step::Return) == refused(Unmet::Busy) && count(h, 1, "resumed") == 0
    };
    WriteBack: a_late_fence_does_not_bring_back_a_marker_that_was_removed => |h| {
        h.vacated(&n(1));
        let memory = known(&h.facts(&n(1)).memory);
        let late = Order::fence(h.entry(h.seq + 4), known(&h.facts(&n(1)).id), memory.marker);
        h.returned(&n(1));
        assert_eq!(h.lab.perform(&late), Ok(Receipt::Applied));
        known(&h.facts(&n(1)).memory).marker.is_none()
    };
    ReturnAwaitsWorker: a_node_is_not_resumed_under_a_living_worker => |h| {
        installing(h);
        h.gives(&n(1), Step::Return) == refused(Unmet::OtherWorker) && count(h, 1, "resumed") == 0
    };
    Staged: nothing_is_committed_that_is_not_staged => |h| {
        installing(h);
        h.gives(&n(1), Step::Restart) == refused(Unmet::NotStaged) && count(h, 1, "committed") == 0
    };
    CommitOnce: an_attempt_that_rolled_back_is_not_committed_again => |h| {
        strike(h, Fault::NodeRollsBack, 1);
        h.staged(&n(1));
        assert_eq!(h.gives(&n(1), Step::Restart), Ok(Receipt::Started));
        h.wait(Millis::minutes(6));
        h.back_up(&n(1));
        assert_eq!(count(h, 1, "rolled-back"), 1);
        let again = h.gives(&n(1), Step::Restart);
        h.wait(Millis::minutes(10));
        again == refused(Unmet::CommitSpent) && count(h, 1, "committed") == 1 && h.lab.truth().repeated().is_empty()
    };
    AsksAgain: what_was_expected_is_asked_once_more_before_the_commit => |h| {
        h.staged(&n(1));
        assert_eq!(h.gives(&n(1), Step::Restart), Ok(Receipt::Started));
        strike(h, Fault::PersonPauses, 2);
        h.wait(Millis::minutes(20));
        let phase = known(&h.facts(&n(1)).memory).consumed.map(|c| c.phase);
        count(h, 1, "committed") == 0 && phase == Some(Phase::Unmet(Hindrance::NotUp)) && h.gives(&n(1), Step::Restart) == refused(Unmet::NotUp(n(2)))
    };
    ReturnEndsRestart: a_return_ends_a_restart_that_asks_still => |h| {
        h.staged(&n(1));
        assert_eq!(h.gives(&n(1), Step::Restart), Ok(Receipt::Started));
        strike(h, Fault::PersonPauses, 2);
        assert_eq!(h.gives(&n(1), Step::Return), refused(Unmet::Busy));
        h.wait(Millis::minutes(1));
        h.gives(&n(1), Step::Return) == Ok(Receipt::Applied)
    };
    NoReturnAfterCommit: a_node_is_not_resumed_between_its_commit_and_its_restart => |h| {
        h.staged(&n(1));
        assert_eq!(h.gives(&n(1), Step::Restart), Ok(Receipt::Started));
        h.wait(Millis::minutes(1));
        let questions = Planned::now(Fault::QuestionsFail, h.cluster.clone(), Some(n(1)));
        assert!(h.lab.plan(Planned { lasting: Some(Millis::minutes(20)), ..questions }).is_some());
        h.wait(Millis::minutes(21));
        h.gives(&n(1), Step::Return) == refused(Unmet::Committed) && count(h, 1, "resumed") == 0
    };
    InstallOnce: a_second_install_of_an_attempt_takes_the_worker_over => |h| {
        installing(h);
        assert_eq!(h.gives(&n(1), Step::Install), Ok(Receipt::Started));
        let worker = known(&h.facts(&n(1)).worker).unwrap();
        h.wait(Millis::hours(3));
        worker.place == h.place(h.seq) && count(h, 1, "began-install") == 1 && worker_state(h, &n(1)) == WorkerState::Staged
    };
    HeedsCancel: the_worker_stops_on_a_cancel => |h| {
        installing(h);
        let cancel = Order::cancel(h.entry(h.seq + 1), known(&h.facts(&n(1)).id));
        assert_eq!(h.lab.perform(&cancel), Ok(Receipt::Applied));
        h.wait(Millis::hours(3));
        worker_state(h, &n(1)) == WorkerState::Cancelled
    };
    HeedsNewer: the_worker_stops_on_a_newer_order => |h| {
        installing(h);
        assert_eq!(h.gives(&n(1), Step::WriteRegistry), Ok(Receipt::Applied));
        h.wait(Millis::hours(3));
        worker_state(h, &n(1)) == WorkerState::Cancelled
    };
    HeedsMarker: the_worker_stops_under_a_foreign_marker => |h| {
        installing(h);
        truth(h, 1).memory.marker = None;
        h.wait(Millis::hours(3));
        worker_state(h, &n(1)) == WorkerState::Cancelled
    };
    WorksOnUnderFence: the_worker_goes_on_under_a_newer_fence => |h| {
        installing(h);
        h.epoch = Epoch { number: 2, nonce: "cd".parse().unwrap() };
        h.seq = 0;
        h.fence_all();
        h.wait(Millis::hours(3));
        worker_state(h, &n(1)) == WorkerState::Staged
    };
    ReportsAfterBoot: the_worker_only_reports_after_a_boot => |h| {
        installing(h);
        strike(h, Fault::NodeCrashes, 1);
        h.wait(Millis::minutes(1));
        h.back_up(&n(1));
        h.wait(Millis::hours(3));
        let worker = known(&h.facts(&n(1)).worker).unwrap();
        !worker.alive && matches!(worker.state, WorkerState::Staging(_))
    };
    StopMark: a_stop_mark_refuses_what_begins_something => |h| {
        strike(h, Fault::StopMark, 1);
        h.gives(&n(1), Step::Vacate) == refused(Unmet::StopMark) && count(h, 1, "suspended") == 0
    };
    StopMarkSparesWayBack: a_stop_mark_spares_the_way_back => |h| {
        h.vacated(&n(1));
        strike(h, Fault::StopMark, 1);
        h.gives(&n(1), Step::Return) == Ok(Receipt::Applied) && count(h, 1, "resumed") == 1
    };
    Exempt: fences_and_cancels_are_heard_in_spite_of_a_stop_mark => |h| {
        strike(h, Fault::StopMark, 1);
        let id = known(&h.facts(&n(1)).id);
        let (fence, cancel) = (Order::fence(h.entry(4), id.clone(), None), Order::cancel(h.entry(5), id));
        h.lab.perform(&fence) == Ok(Receipt::Applied) && h.lab.perform(&cancel) == Ok(Receipt::Applied)
    };
}

#[test]
fn a_refusal_consumes_nothing_and_raises_no_fence() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::StopMark, 1);
    let before = known(&hand.facts(&n(1)).memory);
    assert_eq!(hand.gives(&n(1), Step::Vacate), refused(Unmet::StopMark));
    assert_eq!(known(&hand.facts(&n(1)).memory), before);
}

#[test]
fn a_stop_mark_spares_a_restart_after_the_point_of_no_return_only() {
    let mut hand = Hand::new(1, 4);
    hand.staged(&n(1));
    strike(&mut hand, Fault::StopMark, 1);
    assert_eq!(hand.gives(&n(1), Step::Restart), refused(Unmet::StopMark));
    let node = truth(&mut hand, 1);
    let boot = node.boot.clone();
    let target = hand.target;
    let commit = drydock_model::observed::Commit { target, attempt: 1, phase: CommitPhase::Committed, boot };
    truth(&mut hand, 1).memory.commit = Some(commit);
    assert_eq!(hand.gives(&n(1), Step::Restart), Ok(Receipt::Started));
    assert_eq!(count(&hand, 1, "committed"), 0, "it only restarts");
}

#[test]
fn a_refused_return_ends_the_worker_and_is_admitted_then() {
    let mut hand = Hand::new(1, 4);
    installing(&mut hand);
    let order = hand.bare(&n(1), Step::Return);
    assert_eq!(hand.lab.perform(&order), refused(Unmet::OtherWorker));
    hand.wait(Millis::minutes(25));
    assert_eq!(worker_state(&mut hand, &n(1)), WorkerState::Cancelled);
    // The same entry, planned again on what is seen now.
    hand.seq -= 4;
    let again = hand.bare(&n(1), Step::Return);
    assert_eq!((&again.entry, &again.digest), (&order.entry, &order.digest));
    assert_eq!(hand.lab.perform(&again), Ok(Receipt::Applied));
}

#[test]
fn a_return_takes_away_what_is_staged_and_not_committed() {
    let mut hand = Hand::new(1, 4);
    hand.staged(&n(1));
    hand.returned(&n(1));
    let facts = hand.facts(&n(1));
    assert!(!known(&facts.setup).pending);
    assert_eq!(known(&facts.worker).unwrap().state, WorkerState::Cancelled);
    strike(&mut hand, Fault::NodeCrashes, 1);
    hand.wait(Millis::hours(1));
    assert_eq!(count(&hand, 1, "changed-build"), 0);
}

#[test]
fn a_marker_that_the_upgrade_took_with_the_fence_is_written_back() {
    let mut hand = Hand::new(1, 4);
    hand.vacated(&n(1));
    let marker = known(&hand.facts(&n(1)).memory).marker;
    truth(&mut hand, 1).memory = Default::default();
    let fence = Order::fence(hand.entry(hand.seq), known(&hand.facts(&n(1)).id), marker.clone());
    assert_eq!(hand.lab.perform(&fence), Ok(Receipt::Applied));
    assert!(marker.is_some());
    assert_eq!(known(&hand.facts(&n(1)).memory).marker, marker);
}

#[test]
fn a_cancel_takes_away_what_is_staged_and_not_committed() {
    let mut hand = Hand::new(1, 4);
    hand.staged(&n(1));
    assert!(known(&hand.facts(&n(1)).setup).pending);
    let cancel = Order::cancel(hand.entry(hand.seq + 1), known(&hand.facts(&n(1)).id));
    assert_eq!(hand.lab.perform(&cancel), Ok(Receipt::Applied));
    assert_eq!(worker_state(&mut hand, &n(1)), WorkerState::Cancelled);
    assert_eq!(hand.gives(&n(1), Step::Restart), refused(Unmet::NotStaged));
    assert!(!known(&hand.facts(&n(1)).setup).pending);
}

#[test]
fn expectations_without_a_cluster_service_are_not_judged() {
    let mut hand = Hand::new(1, 4);
    strike(&mut hand, Fault::NodeCrashes, 1);
    hand.until("on", |h| h.facts(&n(1)).id.known().is_some());
    let order = hand.order(&n(1), Step::Vacate);
    assert_eq!(hand.lab.perform(&order), refused(Unmet::NoView));
}
