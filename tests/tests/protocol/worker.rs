//! Rules 25 and 26: the worker on the node, and what a rollback or a reimage takes back.

use drydock_lab::{Fault, Rule};
use drydock_model::ids::{NodeName, Place};
use drydock_model::ledger::{Event, Word};
use drydock_model::observed::{MemberState, WorkerState};
use drydock_model::order::{Order, Receipt};
use drydock_model::plan::{Decision, HoldReason};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use drydock_tests::hand::{claim, matters};
use drydock_tests::sim::{Ended, Sim, node};
use drydock_tests::situation::{Case, four, id, name};

#[test]
fn rule_25_the_worker_stops_on_a_cancel() {
    matters(Rule::HeedsCancel, |h| {
        h.installing(1);
        let cancel = Order::cancel(h.entry(h.seq + 1), h.id(1));
        assert_eq!(h.send(&cancel), Ok(Receipt::Applied));
        h.wait(Millis::hours(3));
        h.worker(1).state == WorkerState::Cancelled
    });
}

#[test]
fn rule_25_the_worker_stops_on_a_newer_order_for_its_node() {
    matters(Rule::HeedsNewer, |h| {
        h.installing(1);
        assert_eq!(h.gives(1, Step::WriteRegistry), Ok(Receipt::Applied));
        h.wait(Millis::hours(3));
        h.worker(1).state == WorkerState::Cancelled
    });
}

#[test]
fn rule_25_the_worker_goes_on_under_a_newer_fence() {
    matters(Rule::WorksOnUnderFence, |h| {
        h.installing(1);
        h.epoch = claim(2, "cd");
        h.seq = 0;
        h.fence_all();
        h.wait(Millis::hours(3));
        h.worker(1).state == WorkerState::Staged
    });
}

#[test]
fn rule_25_after_a_boot_the_worker_only_reports() {
    matters(Rule::ReportsAfterBoot, |h| {
        h.installing(1);
        h.strike(Fault::NodeCrashes, 1);
        h.back(1);
        h.wait(Millis::hours(3));
        let worker = h.worker(1);
        !worker.alive && matches!(worker.state, WorkerState::Staging(_))
    });
}

#[test]
fn rule_25_the_worker_never_restarts_its_node() {
    let mut hand = drydock_tests::hand::Hand::new(3, drydock_lab::Rules::all());
    hand.staged(1);
    hand.wait(Millis::hours(48));
    assert_eq!((hand.count(1, "went-down"), hand.count(1, "committed")), (0, 0));
    assert_eq!(hand.member(1).state, MemberState::Paused);
}

#[test]
fn rule_26_a_node_whose_memory_was_taken_back_hears_again_and_repeats_nothing() {
    let mut sim = Sim::quick(5);
    let first: NodeName = node(1);
    assert!(sim.until(20_000, |s| s.count(&first, "changed-build") == 1), "{}", sim.story.join("\n"));
    let before: Vec<usize> = ["began-install", "committed"].iter().map(|w| sim.count(&first, w)).collect();
    assert!(sim.until(20_000, |s| s.ledger().out.is_none()));
    sim.strike(Fault::ReimagedMemory, Some(&first));
    let ended = sim.run(40_000);
    assert_eq!(ended, Ended::Converged, "{}", sim.story.join("\n"));
    assert_eq!(["began-install", "committed"].iter().map(|w| sim.count(&first, w)).collect::<Vec<_>>(), before);
    let ledger = sim.ledger();
    let fence = sim.memory(&first).and_then(|m| m.fence);
    assert!(fence.is_some_and(|f| f.compare(&ledger.claim()).is_some_and(std::cmp::Ordering::is_ge)), "it was fenced again");
}

#[test]
fn rule_26_a_fence_below_the_ledgers_is_raised_again() {
    let mut case = four();
    case.write(&Event::Claimed { epoch: claim(4, "cd34") });
    case.fence_all(&Place { epoch: claim(4, "cd34"), seq: 0 });
    // An image of the time before the last claim was restored on it.
    case.memory(3).fence = Some(Place { epoch: claim(1, "ab12"), seq: 0 });
    assert_eq!(case.says(), "fence N03");
    let Decision::Fence(orders) = case.decide() else { panic!("no fence") };
    assert_eq!(orders[0].entry.place, Place { epoch: claim(4, "cd34"), seq: 0 });
}

#[test]
fn rule_26_another_identity_holds_until_a_person_says_so() {
    let mut case = four();
    let mut other = id(2);
    other.machine = "another".parse().expect("fine");
    case.node(2).id = drydock_tests::situation::known(other.clone());
    assert_eq!(case.decide(), Decision::Hold(HoldReason::NodeReplaced { node: name(2) }));
    case.write(&Event::Word(Word::Retry { node: name(2), reason: "a new board".to_owned() }));
    assert_eq!(case.decide(), Decision::Meet(vec![other]));
}

#[test]
fn rule_26_a_node_that_remembers_more_than_the_ledger_holds_everything() {
    let mut case = four();
    let shows = Place { epoch: claim(1, "ab12"), seq: 40 };
    case.memory(3).fence = Some(shows.clone());
    assert_eq!(case.decide(), Decision::Hold(HoldReason::LedgerRewound { node: name(3), shows }));
    let shows = Place { epoch: claim(2, "cd"), seq: 0 };
    case.memory(3).fence = Some(shows.clone());
    assert_eq!(case.decide(), Decision::Hold(HoldReason::LedgerRewound { node: name(3), shows }));
    // The way out: a claim above every node, by a person's word.
    case.ledger.adopt();
    case.write(&Event::Claimed { epoch: claim(3, "ef") });
    case.ledger.adopt();
    assert_eq!(case.says(), "fence N01 N02 N03 N04");
}

#[test]
fn rule_26_a_rewound_branch_is_noticed_by_the_nodes() {
    let mut sim = Sim::quick(6);
    assert!(sim.until(20_000, |s| s.ledger().settling.is_some()), "{}", sim.story.join("\n"));
    // The branch and every controller's memory go back to the beginning: only the nodes know better.
    let commits = sim.branch.commits().len();
    sim.branch.rewind(commits - 1);
    sim.controllers.clear();
    sim.start("north", 9);
    let before = sim.count_all("suspended");
    let hold = sim.until_decides(200, |d| matches!(d, Decision::Hold(_)));
    match hold {
        Some(Decision::Hold(HoldReason::LedgerRewound { .. } | HoldReason::OtherClaim { .. })) => {}
        other => panic!("{other:?}"),
    }
    sim.laps_for(Millis::hours(12));
    assert_eq!(sim.count_all("suspended"), before);
}

#[test]
fn rule_26_what_is_ahead_of_the_ledger_only_by_reserved_numbers_is_no_rewound_ledger() {
    let mut case = Case::out();
    let place = case.ledger.ceiling();
    case.memory(1).fence = Some(place);
    assert!(!case.says().starts_with("hold"), "{}", case.says());
}
