//! Rules 20 to 22: how an intent ends.

use drydock_lab::{Fault, Rule, Rules};
use drydock_model::desired::Suspend;
use drydock_model::ids::Place;
use drydock_model::ledger::{Abandoned, Event, Outcome, Word};
use drydock_model::order::Act;
use drydock_model::plan::Decision;
use drydock_model::step::Step;
use drydock_model::time::Millis;
use drydock_tests::hand::claim;
use drydock_tests::sim::{Ended, Sim, node};
use drydock_tests::situation::{Case, epoch, four, name};

fn suspend(case: &mut Case) {
    case.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
}

#[test]
fn rule_20_an_intent_is_abandoned_only_when_the_node_shows_a_fence_or_cancel_above_it() {
    let mut case = four();
    let vacate = case.open();
    suspend(&mut case);
    case.cancel(&vacate);
    for _ in 0..10 {
        assert_eq!(case.says(), "send Cancel for N01 (hospital-north/1.ab12/2)", "as often as it takes");
        case.pass(Millis::seconds(30));
    }
    case.memory(1).fence = Some(vacate.entry.place.clone());
    assert!(case.says().starts_with("send Cancel"), "its own place is not above it");
    case.memory(1).fence = vacate.cancel_entry().map(|c| c.place);
    assert_eq!(case.says(), "close 1.ab12/1 Abandoned: the cluster was suspended");
}

#[test]
fn rule_20_what_was_consumed_is_never_abandoned() {
    let mut case = four();
    let vacate = case.open();
    case.vacated(1, &vacate);
    suspend(&mut case);
    case.memory(1).fence = Some(Place { epoch: epoch(), seq: 2 });
    assert_eq!(case.says(), "close 1.ab12/1 Done");
    case.close(Outcome::Done);
    assert!(case.says().starts_with("open Return of N01"), "{}", case.says());
}

/// A Vacate whose order lies about somewhere on the way, and a cluster that is suspended meanwhile.
fn late_vacate(seed: u64) -> Sim {
    // Without the limit of an order's life, which would hide what the fence is for.
    let mut sim = Sim::quick_with(seed, Rules::without(Rule::NotAfter));
    let opened = |d: &Decision| matches!(d, Decision::Open(i) if i.step == Step::Vacate);
    assert!(sim.until_decides(5_000, opened).is_some());
    let target = sim.ledger().open.expect("fine").node.name;
    sim.strike(Fault::DelayedOrder, Some(&target));
    assert!(sim.until_decides(50, |d| matches!(d, Decision::Perform(_))).is_some());
    sim.merge("bbbb", |d| d.suspend = Some(Suspend { reason: "audit".to_owned(), until: None }));
    sim
}

#[test]
fn rule_20_an_order_that_arrives_after_its_intent_was_closed_changes_nothing() {
    for seed in 0..8 {
        let mut sim = late_vacate(seed);
        assert!(sim.until(500, |s| s.ledger().open.is_none() && s.ledger().out.is_none()), "{}", sim.story.join("\n"));
        let suspended = sim.count_all("suspended");
        sim.laps_for(Millis::hours(2));
        assert_eq!(sim.count_all("suspended"), suspended, "seed {seed}");
        assert_eq!(sim.away(), Vec::new(), "seed {seed}");
    }
}

#[test]
fn rule_20_an_intent_of_an_older_claim_is_closed_by_what_the_node_shows_and_never_performed() {
    let newer = claim(2, "cd34");
    let claimed = |case: &mut Case| {
        case.write(&Event::Claimed { epoch: newer.clone() });
        assert!(case.says().starts_with("fence "), "first of all every node hears of the claim");
        case.fence_all(&Place { epoch: newer.clone(), seq: 0 });
    };
    let mut untouched = four();
    untouched.open();
    claimed(&mut untouched);
    assert_eq!(untouched.says(), "close 1.ab12/1 Abandoned: what it needs to begin no longer held");
    untouched.close(Outcome::Abandoned(Abandoned::GuardFailed));
    assert_eq!(untouched.says(), "open Vacate of N01 for Upgrade at 2.cd34/1", "and opened anew, as it is still needed");

    let mut done = four();
    let vacate = done.open();
    done.vacated(1, &vacate);
    claimed(&mut done);
    assert_eq!(done.says(), "close 1.ab12/1 Done");

    let (mut running, _) = Case::installing();
    claimed(&mut running);
    assert_eq!(running.says(), "close 1.ab12/6 Inherited");
    running.close(Outcome::Inherited);
    assert_eq!(running.says(), "open Install of N01 for Upgrade at 2.cd34/1");
}

#[test]
fn rule_20_a_controller_that_starts_anew_in_the_middle_of_anything_installs_once() {
    for laps in [40, 80, 120, 160, 200, 240, 280, 320] {
        let mut sim = Sim::quick(laps as u64);
        for _ in 0..laps {
            sim.step();
        }
        sim.kill(0, 77);
        assert_eq!(sim.run(60_000), Ended::Converged, "after {laps}: {}", sim.story.join("\n"));
        sim.with(|lab| assert_eq!(lab.truth().repeated().len(), 0));
        assert_eq!((1..=4).map(|n| sim.count(&node(n), "began-install")).collect::<Vec<_>>(), [1, 1, 1, 1]);
    }
}

#[test]
fn rule_21_a_cancel_is_a_mark_on_the_open_intent_and_written_before_it_is_sent() {
    let (mut case, install) = Case::installing();
    suspend(&mut case);
    let cancel = install.cancel_entry().expect("fine");
    assert_eq!(case.decide(), Decision::Cancel(cancel.clone()));
    case.cancel(&install);
    let open = case.ledger.open.clone().expect("the intent stays open");
    assert_eq!((&open.entry, open.cancelled.is_some()), (&install.entry, true));
    let Decision::Perform(orders) = case.decide() else { panic!("{}", case.says()) };
    assert_eq!((&orders[0].act, &orders[0].entry), (&Act::Cancel, &cancel));
    assert_eq!(cancel.place.seq, install.entry.place.seq + 1, "the next number");
}

#[test]
fn rule_21_no_node_hears_a_cancel_that_the_branch_does_not_have() {
    for seed in 0..6 {
        let mut sim = Sim::quick(seed);
        let at_work = |s: &Sim| (1..=4).any(|n| s.facts(&node(n)).worker.known().is_some_and(|w| w.as_ref().is_some_and(|w| w.alive)));
        assert!(sim.until(20_000, at_work));
        sim.merge("bbbb", |d| d.suspend = Some(Suspend { reason: "audit".to_owned(), until: None }));
        let heard = |s: &Sim| (1..=4).find_map(|n| s.memory(&node(n)).and_then(|m| m.cancelled));
        assert!(sim.until(500, |s| heard(s).is_some()));
        let marked = sim.ledger().last.filter(|i| i.cancelled.is_some()).and_then(|i| i.cancel_entry()).map(|c| c.place);
        assert_eq!(marked, heard(&sim), "seed {seed}");
    }
}

#[test]
fn rule_22_the_way_back_closes_an_open_intent_as_superseded() {
    let (mut case, install) = Case::installing();
    suspend(&mut case);
    case.cancel(&install);
    case.pass(Millis::minutes(16));
    let decision = case.decide();
    assert!(matches!(&decision, Decision::Close { outcome: Outcome::Superseded, .. }), "{}", case.says());
    case.close(Outcome::Superseded);
    assert!(case.ledger.out.as_ref().is_some_and(|out| out.returning));
    assert!(case.says().starts_with("open Return of N01"), "{}", case.says());
}

#[test]
fn rule_22_a_node_that_was_not_heard_from_owes_a_tombstone_before_its_next_order_and_before_it_counts_as_up() {
    let mut case = four();
    let vacate = case.open();
    let gone = Word::Gone { node: name(1), reason: "fire".to_owned() };
    case.write(&Event::Word(gone));
    assert_eq!((&case.ledger.open, &case.ledger.out), (&None, &None), "it is nobody's duty to return it");
    let owed = case.ledger.owes[&name(1)].clone();
    assert!(owed.seq > vacate.cancel_entry().expect("fine").place.seq, "above everything that may still arrive");
    // It comes back after all.
    case.write(&Event::Word(Word::Retry { node: name(1), reason: "it was only smoke".to_owned() }));
    case.write(&Event::Met(vec![drydock_tests::situation::id(1)]));
    let Decision::Fence(orders) = case.decide() else { panic!("{}", case.says()) };
    assert_eq!(orders.iter().map(|o| (o.node.name.clone(), o.entry.place.clone())).collect::<Vec<_>>(), [(name(1), owed.clone())]);
    // As long as it has not heard, it is not Up, so nobody else is taken out either.
    case.node(1).memory = drydock_model::fact::Fact::Unknown(drydock_model::fact::Gap::TimedOut);
    assert!(case.says().starts_with("wait for N01"), "{}", case.says());
    case.node(1).memory = drydock_tests::situation::known(drydock_model::observed::Memory::default());
    case.memory(1).registry_written = Some("an-earlier-boot".parse().expect("fine"));
    case.memory(1).fence = Some(owed);
    assert!(case.says().starts_with("open Vacate"), "{}", case.says());
}

#[test]
fn rule_22_an_order_to_a_node_that_was_declared_gone_changes_nothing_when_it_comes_back() {
    for seed in 0..6 {
        let mut sim = late_vacate(seed);
        let gone = sim.ledger().open.expect("fine").node.name;
        let cluster = sim.cluster();
        sim.branch.word(&cluster, Word::Gone { node: gone.clone(), reason: "fire".to_owned() });
        sim.branch.word(&cluster, Word::Retry { node: gone.clone(), reason: "only smoke".to_owned() });
        let heard = |s: &Sim| s.memory(&gone).and_then(|m| m.fence).is_some_and(|f| f.seq > 0);
        assert!(sim.until(500, |s| heard(s) && s.ledger().known.contains_key(&gone)), "{}", sim.story.join("\n"));
        let suspended = sim.count_all("suspended");
        sim.laps_for(Millis::hours(2));
        assert_eq!(sim.count_all("suspended"), suspended, "seed {seed}");
    }
}
