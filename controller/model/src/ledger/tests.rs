//! The ledger after single entries.

use super::*;
use crate::desired::Version;
use crate::ids::EntryId;

fn node() -> NodeId {
    NodeId { name: "N01".parse().unwrap(), machine: "m1".parse().unwrap(), cluster: "c".parse().unwrap(), node: "1".parse().unwrap() }
}

fn ledger() -> Ledger {
    Ledger::new(Epoch { number: 3, nonce: "ab".parse().unwrap() })
}

fn open(ledger: &mut Ledger, step: Step, target: Target) -> Intent {
    let (seq, base) = ledger.place_for(step, false);
    let intent = Intent {
        entry: EntryId { cluster: "north".parse().unwrap(), place: Place { epoch: ledger.epoch.clone(), seq } },
        base,
        step,
        purpose: Purpose::Upgrade,
        node: node(),
        spec: "s".parse().unwrap(),
        revision: "aa".parse().unwrap(),
        target,
        attempt: ledger.attempts_of(&node(), target).number,
        boot: None,
        opened: Stamp::Unknown,
        cancelled: None,
    };
    ledger.apply(&Event::Opened(intent.clone()), Stamp::At(Timestamp(0)));
    intent
}

fn close(ledger: &mut Ledger, intent: &Intent, outcome: Outcome, heard: bool) {
    ledger.apply(&Event::Closed { entry: intent.entry.clone(), outcome, heard }, Stamp::At(Timestamp(9)));
}

const TO_23H2: Target = Target { version: Version::V23H2, revision: 0 };
const TO_24H2: Target = Target { version: Version::V24H2, revision: 0 };

#[test]
fn attempt_numbers_never_repeat_on_one_machine() {
    let mut ledger = ledger();
    open(&mut ledger, Step::Vacate, TO_23H2);
    assert_eq!(ledger.attempts_of(&node(), TO_24H2).number, 2);
    assert_eq!(ledger.attempts_of(&NodeId { machine: "m2".parse().unwrap(), ..node() }, TO_23H2).number, 1);
}

#[test]
fn a_rollback_stays_spent_when_only_the_floor_changes() {
    let mut ledger = ledger();
    let restart = open(&mut ledger, Step::Restart, TO_23H2);
    close(&mut ledger, &restart, Outcome::Failed(Failure::RolledBack), true);
    assert!(ledger.attempts_of(&node(), Target { revision: 1_611, ..TO_23H2 }).spent);
}

#[test]
fn a_return_takes_its_reserved_number_unless_a_tombstone_bars_it() {
    let mut ledger = ledger();
    let vacate = open(&mut ledger, Step::Vacate, TO_23H2);
    assert_eq!(ledger.place_for(Step::Return, false), (1 + RETURN, 1));
    close(&mut ledger, &vacate, Outcome::Superseded, false);
    assert_eq!(ledger.place_for(Step::Return, false), (1 + BLOCK, 1 + BLOCK));
}

#[test]
fn a_vacate_that_may_still_arrive_leaves_its_node_out() {
    for (heard, out) in [(true, false), (false, true)] {
        let mut ledger = ledger();
        let vacate = open(&mut ledger, Step::Vacate, TO_23H2);
        close(&mut ledger, &vacate, Outcome::Abandoned(Abandoned::GuardFailed), heard);
        assert_eq!(ledger.out.is_some(), out);
        assert_eq!(ledger.owes.is_empty(), heard);
    }
}

#[test]
fn entries_that_are_read_twice_count_once() {
    let mut ledger = ledger();
    let vacate = open(&mut ledger, Step::Vacate, TO_23H2);
    ledger.apply(&Event::Opened(vacate.clone()), Stamp::At(Timestamp(1)));
    assert_eq!(ledger.attempts_of(&node(), TO_23H2).entries.get(&Step::Vacate), Some(&1));
    close(&mut ledger, &vacate, Outcome::Done, true);
    let install = open(&mut ledger, Step::Install, TO_23H2);
    close(&mut ledger, &vacate, Outcome::Done, true);
    assert_eq!(ledger.open.as_ref().map(|i| &i.entry), Some(&install.entry));
}

#[test]
fn a_node_that_remembers_more_than_an_earlier_claim_wrote_is_noticed() {
    let mut ledger = ledger();
    open(&mut ledger, Step::Vacate, TO_23H2);
    let old = ledger.epoch.clone();
    ledger.apply(&Event::Claimed { epoch: Epoch { number: 4, nonce: "cd".parse().unwrap() } }, Stamp::Unknown);
    let shows = |epoch: &Epoch, seq| Place { epoch: epoch.clone(), seq };
    assert_eq!(ledger.knows(&shows(&old, BLOCK)), Some(true));
    assert_eq!(ledger.knows(&shows(&old, BLOCK + 1)), Some(false));
    assert_eq!(ledger.knows(&shows(&Epoch { number: 3, nonce: "xx".parse().unwrap() }, 1)), None);
    ledger.adopt();
    assert_eq!(ledger.knows(&shows(&old, BLOCK + 1)), Some(true));
}
