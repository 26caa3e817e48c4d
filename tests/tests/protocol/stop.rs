//! Rules 27 and 28: stop now, and what is exempt from it.

use drydock_engine::lap::{Memory, Mode, lap};
use drydock_lab::{Fault, Rule, Rules, State, admit};
use drydock_model::observed::{Commit, CommitPhase, MemberState, Setup, StopMark, WorkerState};
use drydock_model::order::{Order, Receipt, Unmet};
use drydock_model::plan::{Decision, WaitingOn};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use drydock_tests::hand::{known, matters};
use drydock_tests::sim::{Ended, Sim, node, now};
use drydock_tests::situation::{Case, four, name};

fn mark() -> StopMark {
    StopMark { who: "ann".to_owned(), when: "today".to_owned(), why: "smoke in the rack".to_owned() }
}

#[test]
fn rule_27_a_stop_file_and_a_stop_mark_are_named_as_the_blocker() {
    let mut case = four();
    case.stop = Some("fire drill");
    assert_eq!(case.says(), "wait for the stop file beside the controller: fire drill");
    case.stop = None;
    case.memory(3).stop = Some(mark());
    assert_eq!(case.says(), "wait for the stop mark on N03: smoke in the rack (ann, today)");
}

#[test]
fn rule_27_a_stop_file_stops_what_begins_and_brings_back_who_is_out_without_git() {
    let mut sim = Sim::quick(12);
    let at_work = |s: &Sim| (1..=4).any(|n| s.facts(&node(n)).worker.known().is_some_and(|w| w.as_ref().is_some_and(|w| w.alive)));
    assert!(sim.until(20_000, at_work));
    sim.stop = Some("smoke in the rack".to_owned());
    sim.branch.set_down(true);
    assert!(sim.until(2_000, |s| s.away().is_empty()), "{}", sim.story.join("\n"));
    let suspended = sim.count_all("suspended");
    sim.branch.set_down(false);
    sim.laps_for(Millis::hours(24));
    assert_eq!((sim.count_all("suspended"), sim.count_all("committed")), (suspended, 0));
    sim.stop = None;
    assert_eq!(sim.run(60_000), Ended::Converged, "{}", sim.story.join("\n"));
}

#[test]
fn rule_27_a_stop_mark_on_any_node_keeps_every_node_in() {
    let mut sim = Sim::quick(13);
    sim.laps_for(Millis::minutes(5));
    sim.strike(Fault::StopMark, Some(&node(4)));
    let (wrote, suspended) = (sim.count_all("wrote-registry"), sim.count_all("suspended"));
    sim.laps_for(Millis::minutes(2));
    let settled = (sim.count_all("wrote-registry"), sim.count_all("suspended"));
    assert!(settled.0 <= wrote + 1 && settled.1 == suspended);
    sim.laps_for(Millis::hours(24));
    assert_eq!((sim.count_all("wrote-registry"), sim.count_all("suspended")), settled, "{}", sim.story.join("\n"));
    let blocked = sim.until_decides(5, |d| matches!(d, Decision::Wait(WaitingOn::StopMark { .. }, _)));
    assert!(blocked.is_some(), "{}", sim.story.join("\n"));
}

#[test]
fn rule_27_a_node_with_a_stop_mark_refuses_what_begins_something() {
    matters(Rule::StopMark, |h| {
        h.strike(Fault::StopMark, 1);
        h.gives(1, Step::Vacate) == Ok(Receipt::Refused(Unmet::StopMark)) && h.count(1, "suspended") == 0
    });
}

#[test]
fn rule_27_a_node_with_a_stop_mark_performs_its_return() {
    matters(Rule::StopMarkSparesWayBack, |h| {
        h.vacated(1);
        h.strike(Fault::StopMark, 1);
        h.gives(1, Step::Return) == Ok(Receipt::Applied) && h.count(1, "resumed") == 1
    });
}

#[test]
fn rule_27_a_stop_mark_spares_a_restart_after_the_point_of_no_return_and_no_other() {
    let mut hand = drydock_tests::hand::Hand::new(1, drydock_lab::Rules::all());
    hand.staged(1);
    hand.strike(Fault::StopMark, 1);
    assert_eq!(hand.gives(1, Step::Restart), Ok(Receipt::Refused(Unmet::StopMark)));

    let order = hand.bare(1, Step::Restart);
    let (facts, rules) = (hand.facts(1), Rules::all());
    let (boot, id) = (known(&facts.boot), known(&facts.id));
    let mut memory = known(&facts.memory);
    let target = hand.work(Step::Restart).target;
    memory.commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Committing, boot: boot.id.clone() });
    let build = known(&facts.build);
    let state = |boot| State { id: &id, boot, build, setup: Setup { running: false, pending: true }, worker: None, busy: false };
    let admitted = admit(&rules, &memory, state(&boot), None, &order);
    assert!(admitted.is_ok(), "after `committing` it is the way back: {admitted:?}");
    memory.commit = None;
    let refused = admit(&rules, &memory, state(&boot), None, &order);
    assert_eq!(refused, Err(Receipt::Refused(Unmet::StopMark)));
}

#[test]
fn rule_28_fences_and_cancels_are_heard_in_spite_of_a_stop_mark() {
    matters(Rule::Exempt, |h| {
        h.strike(Fault::StopMark, 1);
        let id = h.id(1);
        let (fence, cancel) = (Order::fence(h.entry(4), id.clone(), None), Order::cancel(h.entry(5), id));
        h.send(&fence) == Ok(Receipt::Applied) && h.send(&cancel) == Ok(Receipt::Applied)
    });
}

#[test]
fn rule_28_a_cancel_is_heard_in_another_boot_and_however_late() {
    let mut hand = drydock_tests::hand::Hand::new(1, drydock_lab::Rules::all());
    hand.installing(1);
    let cancel = Order::cancel(hand.entry(hand.seq + 1), hand.id(1));
    let fence = Order::fence(hand.entry(hand.seq + 3), hand.id(1), None);
    hand.strike(Fault::NodeCrashes, 1);
    hand.back(1);
    hand.strike(Fault::PersonPauses, 2);
    hand.wait(Millis::hours(2));
    assert_eq!((hand.send(&cancel), hand.send(&fence)), (Ok(Receipt::Applied), Ok(Receipt::Applied)));
    assert_eq!(hand.memory(1).fence, Some(fence.entry.place.clone()));
    assert!(hand.worker(1).state != WorkerState::Staged);
}

#[test]
fn rule_28_a_cancel_needs_nothing_that_a_node_expects() {
    let (mut case, install) = Case::installing();
    case.stop = Some("fire drill");
    case.cancel(&install);
    case.member(3, |m| m.state = MemberState::Down);
    case.remote = drydock_model::plan::Remote::Unread("down".to_owned());
    let Decision::Perform(orders) = case.decide() else { panic!("{}", case.says()) };
    let order = &orders[0];
    assert_eq!((&order.expect, &order.boot, &order.not_after), (&drydock_model::order::Expect::NOTHING, &None, &None));
    assert_eq!(order.node.name, name(1));
}

#[test]
fn rule_28_an_observer_only_looks_and_writes_status() {
    use drydock_engine::ports::{Store, TakeOver, World};
    let sim = Sim::quick(14);
    let ports = ports(&sim);
    now(ports.store().claim(TakeOver::No)).expect("fine");
    let mut memory = Memory::default();
    for _ in 0..200 {
        let ended = now(lap(&ports, &sim.wanted, Mode::Observe, None, &mut memory));
        let later = sim.now() + Millis::minutes(1);
        sim.with(|lab| lab.advance_to(later));
        assert!(ended.plan.is_some());
    }
    for n in 1..=4 {
        assert_eq!(sim.memory(&node(n)), Some(drydock_model::observed::Memory::default()), "not even a fence");
    }
    let ledger = sim.ledger();
    assert_eq!((ledger.open, ledger.known.len()), (None, 0));
    assert_eq!(ledger.since.map(|(state, _)| state).as_deref(), Some("Observe/Open"), "and says what would be done, were it not for it");
    let written = sim.branch.commits().len();
    assert!(written <= 4, "{written} commits for a cluster in which nothing changes");
}

#[test]
fn rule_28_an_observer_says_converged_of_what_is_and_held_of_what_is() {
    use drydock_engine::ports::{Store, TakeOver, World};
    let mut sim = Sim::quick(14);
    assert_eq!(sim.run(20_000), drydock_tests::sim::Ended::Converged);
    let ports = ports(&sim);
    now(ports.store().claim(TakeOver::Yes)).expect("fine");
    let mut memory = Memory::default();
    let mut look = |sim: &Sim| now(lap(&ports, &sim.wanted, Mode::Observe, None, &mut memory)).plan.expect("planned");
    assert_eq!(look(&sim).decision, Decision::Converged, "no node has heard of this claim, and none ever will");
    sim.merge("2222222222222222222222222222222222222222", |desired| desired.target.version = drydock_model::desired::Version::V22H2);
    let plan = look(&sim);
    assert!(matches!(plan.decision, Decision::Hold(_)), "{:?}", plan.decision);
    assert!(plan.report.blocked_by.iter().any(|b| b.contains("only observes")), "{:?}", plan.report.blocked_by);
}

fn ports(sim: &Sim) -> drydock_lab::sim::SimWorld {
    use drydock_engine::ports::Fleet;
    use drydock_lab::sim::{SimClock, SimClusters, SimSource, SimStore, SimWorld, Sleep};
    let clock = SimClock::new(std::sync::Arc::clone(&sim.lab), Sleep::Drives, 1);
    let fleet =
        Fleet { revision: sim.wanted.revision.clone(), clusters: std::collections::BTreeMap::new(), problems: Vec::new(), refused: None };
    SimWorld {
        source: SimSource::new(fleet),
        store: std::sync::Arc::new(SimStore::new(sim.branch.clone(), "watcher", clock.clone())),
        clusters: SimClusters::new(std::sync::Arc::clone(&sim.lab), clock.clone()),
        clock,
    }
}
