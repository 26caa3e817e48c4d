//! Rules 10 to 12: what a node remembers, and when it refuses. On the lab's nodes, with the rule and without it.

use drydock_lab::{Fault, Rule};
use drydock_model::desired::{BitsSource, Version};
use drydock_model::ledger::{Failure, Outcome};
use drydock_model::observed::{MemberState, Phase};
use drydock_model::order::{Act, Expect, Order, Receipt, StorageExpected, Unmet};
use drydock_model::plan::Decision;
use drydock_model::step::Step;
use drydock_model::time::{Millis, Stamp};
use drydock_tests::hand::{Hand, claim, matters};
use drydock_tests::situation::{Case, NOON};

fn refused(why: Unmet) -> Result<Receipt, drydock_engine::ports::PerformError> {
    Ok(Receipt::Refused(why))
}

#[test]
fn rule_10_the_same_order_sent_twice_is_performed_once() {
    matters(Rule::ConsumedOnce, |h| {
        let order = h.bare(1, Step::WriteRegistry);
        assert_eq!(h.send(&order), Ok(Receipt::Applied));
        h.send(&order) == Ok(Receipt::AlreadyConsumed) && h.count(1, "wrote-registry") == 1
    });
}

#[test]
fn rule_10_the_digest_covers_what_is_asked_and_nothing_that_differs_between_two_sends() {
    let mut hand = Hand::new(1, drydock_lab::Rules::all());
    let order = hand.bare(1, Step::Install);
    let Act::Step(work) = order.act.clone() else { panic!("no step") };
    let again = |change: &dyn Fn(&mut drydock_model::order::Work)| {
        let mut work = work.clone();
        change(&mut work);
        Order::step(order.entry.clone(), order.node.clone(), work, Expect::NOTHING, "another-boot".parse().expect("fine"), Millis::hours(9))
    };
    let expect = Expect { quorum: true, others_up: true, storage: StorageExpected::Settled, ..order.expect.clone() };
    let sent_later = Order { expect, ..again(&|_| {}) };
    assert_eq!(sent_later.digest, order.digest, "boot, limit and expectations differ between two sends");
    assert_eq!(again(&|w| w.source = BitsSource::Media { path: "D:\\x".to_owned() }).digest, order.digest);
    assert_ne!(again(&|w| w.step = Step::Restart).digest, order.digest);
    assert_ne!(again(&|w| w.attempt = 2).digest, order.digest);
    assert_ne!(again(&|w| w.target.version = Version::V24H2).digest, order.digest);
    assert_ne!(hand.under(&order, hand.entry(9), order.node.clone()).digest, order.digest);
    let mut other = order.node.clone();
    other.machine = "another".parse().expect("fine");
    assert_ne!(hand.under(&order, order.entry.clone(), other).digest, order.digest);
}

#[test]
fn rule_10_an_order_changed_on_its_way_is_refused() {
    matters(Rule::Digest, |h| {
        let mut order = h.bare(1, Step::WriteRegistry);
        if let Act::Step(work) = &mut order.act {
            work.attempt += 1;
        }
        h.send(&order) == refused(Unmet::Garbled) && h.count(1, "wrote-registry") == 0
    });
}

#[test]
fn rule_10_having_been_consumed_says_nothing_of_success() {
    // The node has consumed the Install and shows nothing of it: no receipt closes it as done, only the done-test does.
    let (mut case, install) = Case::installing();
    case.node(1).worker = drydock_tests::situation::known(None);
    case.consume(1, &install.entry.place, Phase::Ended);
    assert_eq!(case.says(), "wait for Install on N01");
    case.pass(Millis::minutes(11));
    let close = Decision::Close { entry: install.entry.clone(), outcome: Outcome::Failed(Failure::WorkerDied), heard: true };
    assert_eq!(case.decide(), close);
}

#[test]
fn rule_11_an_order_older_than_the_fence_changes_nothing() {
    matters(Rule::Fence, |h| {
        let older = h.bare(1, Step::WriteRegistry);
        h.epoch = claim(2, "cd");
        h.seq = 0;
        h.fence_all();
        h.send(&older) == Ok(Receipt::Fenced { newer: h.place(0) }) && h.count(1, "wrote-registry") == 0
    });
}

#[test]
fn rule_11_an_entry_that_was_consumed_with_another_digest_is_refused() {
    matters(Rule::ConsumedDigest, |h| {
        let order = h.bare(1, Step::WriteRegistry);
        assert_eq!(h.send(&order), Ok(Receipt::Applied));
        let other = h.instead(&order, Step::Reboot);
        let receipt = h.send(&other);
        h.wait(Millis::minutes(1));
        receipt == refused(Unmet::OtherOrderConsumed) && h.count(1, "went-down") == 0
    });
}

#[test]
fn rule_11_another_machine_or_member_under_the_name_refuses() {
    matters(Rule::Identity, |h| {
        let order = h.bare(1, Step::WriteRegistry);
        let mut other = order.node.clone();
        other.machine = "other".parse().expect("fine");
        let order = h.under(&order, order.entry.clone(), other);
        h.send(&order) == refused(Unmet::OtherIdentity) && h.count(1, "wrote-registry") == 0
    });
}

#[test]
fn rule_11_an_order_planned_on_another_boot_is_refused() {
    matters(Rule::Boot, |h| {
        let order = h.bare(1, Step::WriteRegistry);
        h.strike(Fault::NodeCrashes, 1);
        h.back(1);
        h.send(&order) == refused(Unmet::OtherBoot) && h.count(1, "wrote-registry") == 0
    });
}

#[test]
fn rule_11_an_order_that_comes_too_late_is_refused_whatever_the_clocks_say() {
    matters(Rule::NotAfter, |h| {
        let order = h.bare(1, Step::WriteRegistry);
        h.strike(Fault::ClockSkew, 1);
        h.wait(Millis::minutes(3));
        h.send(&order) == refused(Unmet::TooLate) && h.count(1, "wrote-registry") == 0
    });
}

#[test]
fn rule_11_no_node_is_taken_out_beside_a_paused_one() {
    matters(Rule::ExpectOthersUp, |h| {
        h.strike(Fault::PersonPauses, 2);
        let paused = drydock_tests::hand::name(2);
        h.gives(1, Step::Vacate) == refused(Unmet::NotUp(paused)) && h.count(1, "suspended") == 0
    });
}

#[test]
fn rule_11_a_node_that_a_person_took_out_is_not_taken_out_by_us() {
    matters(Rule::ExpectMarker, |h| {
        h.strike(Fault::PersonPauses, 1);
        h.gives(1, Step::Vacate) == refused(Unmet::Marker) && h.count(1, "suspended") == 0
    });
}

#[test]
fn rule_11_no_node_is_taken_out_while_storage_repairs() {
    matters(Rule::ExpectStorage, |h| {
        h.vacated(2);
        assert_eq!(h.gives(2, Step::Return), Ok(Receipt::Applied));
        h.wait(Millis::minutes(5));
        h.gives(1, Step::Vacate) == refused(Unmet::Storage)
    });
}

#[test]
fn rule_11_a_node_on_another_build_than_expected_refuses() {
    matters(Rule::ExpectBuild, |h| {
        let mut order = h.bare(1, Step::WriteRegistry);
        order.expect.build = Some("20349.1".parse().expect("fine"));
        h.send(&order) == refused(Unmet::OtherBuild("20349.3700".parse().expect("fine"))) && h.count(1, "wrote-registry") == 0
    });
}

#[test]
fn rule_11_a_refusal_consumes_nothing_and_raises_no_fence() {
    let mut hand = Hand::new(1, drydock_lab::Rules::all());
    hand.strike(Fault::PersonPauses, 2);
    let before = hand.memory(1);
    assert!(matches!(hand.gives(1, Step::Vacate), Ok(Receipt::Refused(Unmet::NotUp(_)))));
    assert_eq!(hand.memory(1), before);
    // And once what it lacked is there, the very same order is performed.
    let refused = hand.order(1, Step::Vacate);
    assert!(matches!(hand.send(&refused), Ok(Receipt::Refused(_))));
    hand.strike(Fault::PersonResumes, 2);
    hand.until("settled", |h| h.gives(1, Step::Vacate) == Ok(Receipt::Started));
    assert_eq!(hand.member(1).state, MemberState::Paused);
}

#[test]
fn rule_11_a_refusal_proves_nothing() {
    // A refused Vacate leaves the intent open: it is sent again as long as it is wanted, and never closed for having been refused.
    let mut case = drydock_tests::situation::four();
    let vacate = case.open();
    for _ in 0..3 {
        case.pass(Millis::minutes(1));
        assert_eq!(case.says(), "send Vacate for N01 (hospital-north/1.ab12/1)");
    }
    case.cancel(&vacate);
    assert!(case.says().starts_with("send Cancel"), "only the fence above it closes it: {}", case.says());
    assert_eq!(case.ledger.open.as_ref().and_then(|i| i.cancelled), Some(Stamp::At(NOON + Millis::minutes(3))));
}

#[test]
fn rule_12_one_script_at_a_time() {
    matters(Rule::OneAtATime, |h| {
        h.staged(1);
        assert_eq!(h.gives(1, Step::Restart), Ok(Receipt::Started));
        h.gives(1, Step::Return) == refused(Unmet::Busy) && h.count(1, "resumed") == 0
    });
}

#[test]
fn rule_12_what_was_accepted_is_remembered_through_a_crash() {
    matters(Rule::RecordFirst, |h| {
        h.strike(Fault::CrashInScript, 1);
        let order = h.bare(1, Step::Reboot);
        let receipt = h.send(&order);
        h.back(1);
        let consumed = h.memory(1).consumed.filter(|c| c.place == order.entry.place);
        assert!(receipt.is_err() || receipt == Ok(Receipt::Started), "{receipt:?}");
        consumed.is_some()
    });
}
