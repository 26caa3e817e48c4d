//! The laws over a whole history: one calm upgrade, and what breaks it.

use super::scene::{TARGET, id, text};
use crate::{Effect, EffectKind, History};
use drydock_model::desired::Target;
use drydock_model::ids::{EntryId, Epoch, NodeId, Place, Seq};
use drydock_model::ledger::{Abandoned, BLOCK, Event, Intent, Outcome, Word};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Stamp, Timestamp};
use expect_test::expect;

/// A history, and everything that was found wrong with it.
struct Tale {
    history: History,
    found: Vec<String>,
    epoch: Epoch,
    next: Seq,
    last: Option<Intent>,
    now: Timestamp,
}

const INSTALL: EffectKind = EffectKind::Install { target: TARGET, attempt: 1 };
const COMMIT: EffectKind = EffectKind::Commit { target: TARGET, attempt: 1 };

impl Tale {
    fn begin() -> Tale {
        let mut tale = Tale {
            history: History::new(text("north")),
            found: Vec::new(),
            epoch: Epoch { number: 1, nonce: text("aa") },
            next: 1,
            last: None,
            now: super::scene::NOW,
        };
        let epoch = tale.epoch.clone();
        tale.event(Event::Claimed { epoch });
        tale.event(Event::Met(vec![id("N01"), id("N02")]));
        tale
    }

    fn claim(&mut self, number: u32) {
        self.epoch = Epoch { number, nonce: text("bb") };
        self.next = 1;
        let epoch = self.epoch.clone();
        self.event(Event::Claimed { epoch });
    }

    fn event(&mut self, event: Event) {
        self.now = self.now + Millis::seconds(10);
        let found = self.history.event(&event, Stamp::At(self.now));
        self.found.extend(found.iter().map(|v| format!("{v}\n")));
    }

    fn entry(&self, seq: Seq) -> EntryId {
        EntryId { cluster: text("north"), place: Place { epoch: self.epoch.clone(), seq } }
    }

    fn open(&mut self, step: Step, node: &str) -> EntryId {
        self.open_attempt(step, node, 1)
    }

    fn open_attempt(&mut self, step: Step, node: &str, attempt: u8) -> EntryId {
        let entry = self.entry(self.next);
        let intent = Intent {
            entry: entry.clone(),
            base: self.next,
            step,
            purpose: Purpose::Upgrade,
            node: id(node),
            spec: text("spec1"),
            revision: text("abc123"),
            target: TARGET,
            attempt,
            boot: None,
            opened: Stamp::At(self.now),
            cancelled: None,
        };
        self.next += BLOCK;
        self.last = Some(intent.clone());
        self.event(Event::Opened(intent));
        entry
    }

    fn effect(&mut self, node: &NodeId, kind: EffectKind, entry: &EntryId) {
        let found = self.history.effect(&Effect { at: self.now, node: node.clone(), kind, entry: entry.clone() });
        self.found.extend(found.iter().map(|v| format!("{v}\n")));
    }

    fn close(&mut self, entry: &EntryId, outcome: Outcome, heard: bool) {
        self.event(Event::Closed { entry: entry.clone(), outcome, heard });
    }

    /// A step that does what it shall.
    fn step(&mut self, step: Step, node: &str, effects: &[EffectKind]) -> EntryId {
        let entry = self.open(step, node);
        for effect in effects {
            self.effect(&id(node), *effect, &entry);
        }
        self.close(&entry, Outcome::Done, true);
        entry
    }

    fn upgrade(&mut self, node: &str) {
        self.step(Step::Vacate, node, &[EffectKind::Suspend]);
        self.step(Step::Install, node, &[INSTALL]);
        self.step(Step::Restart, node, &[COMMIT, EffectKind::Restart]);
        self.step(Step::Return, node, &[EffectKind::Resume]);
        self.step(Step::Settle, node, &[]);
    }

    fn found(&mut self) -> String {
        std::mem::take(&mut self.found).concat()
    }

    fn at_rest(&self) -> String {
        self.history.at_rest().iter().map(|v| format!("{v}\n")).collect()
    }
}

#[test]
fn a_calm_upgrade_of_two_nodes_breaks_no_law() {
    let mut tale = Tale::begin();
    tale.step(Step::WriteRegistry, "N01", &[EffectKind::WriteRegistry]);
    tale.upgrade("N01");
    tale.claim(2);
    tale.upgrade("N02");
    assert_eq!(tale.found(), "");
    assert_eq!(tale.at_rest(), "");
}

#[test]
fn s5_an_attempt_is_installed_and_committed_once_and_an_entry_restarts_once() {
    let mut tale = Tale::begin();
    tale.step(Step::Vacate, "N01", &[EffectKind::Suspend]);
    tale.step(Step::Install, "N01", &[INSTALL, INSTALL]);
    tale.step(Step::Restart, "N01", &[COMMIT, EffectKind::Restart, COMMIT, EffectKind::Restart]);
    expect![[r#"
        S5: Install of N01 by north/1.aa/6 is attempt 1 to 23H2, after attempt 1 was installed
        S5: Commit of N01 by north/1.aa/11 is of attempt 1 to 23H2, after attempt 1 was committed
        S5: Restart of N01 by north/1.aa/11 is the second by this entry
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s5_a_fresh_attempt_may_be_installed_and_an_older_one_may_not() {
    let mut tale = Tale::begin();
    tale.step(Step::Vacate, "N01", &[EffectKind::Suspend]);
    tale.step(Step::Install, "N01", &[INSTALL]);
    let second = tale.open_attempt(Step::Install, "N01", 2);
    tale.effect(&id("N01"), EffectKind::Install { target: TARGET, attempt: 2 }, &second);
    tale.close(&second, Outcome::Done, true);
    assert_eq!(tale.found(), "");
    tale.step(Step::Restart, "N01", &[COMMIT]);
    expect![[r#"
        S5: Restart of N01 as north/1.aa/16 goes back from attempt 2 to 1
        S5: Commit of N01 by north/1.aa/16 is of attempt 1 to 23H2, which was not the last installed
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s8_claims_and_stamps_only_rise() {
    let mut tale = Tale::begin();
    tale.claim(1);
    tale.now = tale.now - Millis::minutes(10);
    tale.event(Event::Noted { state: "Converged".to_owned() });
    expect![[r#"
        S8: claim 1.bb comes after 1.aa
        S8: an entry is stamped 2026-11-28T22:20:40Z, and one before it 2026-11-28T22:30:30Z
    "#]]
    .assert_eq(&tale.found());
    tale.now = tale.now - Millis::hours(9);
    tale.event(Event::Word(Word::Clock { reason: "battery".to_owned() }));
    tale.found();
    tale.event(Event::Noted { state: "Converged".to_owned() });
    assert_eq!(tale.found(), "", "a person said that the time is right");
}

#[test]
fn s9_an_older_order_changes_nothing() {
    let mut tale = Tale::begin();
    let write = tale.step(Step::WriteRegistry, "N01", &[]);
    tale.step(Step::Vacate, "N01", &[EffectKind::Suspend]);
    tale.effect(&id("N01"), EffectKind::WriteRegistry, &write);
    expect![[r#"
        S9: WriteRegistry of N01 by north/1.aa/1 comes after the node has heard 1.aa/6
    "#]]
    .assert_eq(&tale.found());
    let late = tale.open(Step::WriteRegistry, "N02");
    let newer = tale.entry(tale.next).place;
    tale.history.heard(&id("N02"), &newer);
    tale.effect(&id("N02"), EffectKind::WriteRegistry, &late);
    expect![[r#"
        S9: WriteRegistry of N02 by north/1.aa/11 comes after the node has heard 1.aa/16
    "#]]
    .assert_eq(&tale.found());
}

/// S9: a node is taken out only after all have heard the claim, so no order of an older one can have an effect any more.
#[test]
fn s9_an_older_controller_changes_nothing_once_a_newer_has_taken_a_node_out() {
    let mut tale = Tale::begin();
    let old = tale.open(Step::WriteRegistry, "N02");
    tale.close(&old, Outcome::Superseded, false);
    tale.claim(2);
    tale.step(Step::Vacate, "N01", &[EffectKind::Suspend]);
    tale.effect(&id("N02"), EffectKind::WriteRegistry, &old);
    expect![[r#"
        S9: WriteRegistry of N02 by north/1.aa/1 comes after every node has heard claim 2
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s9_entries_are_written_under_the_newest_claim() {
    let mut tale = Tale::begin();
    let old = tale.epoch.clone();
    tale.claim(2);
    tale.epoch = old;
    tale.open(Step::WriteRegistry, "N01");
    expect![[r#"
        S9: WriteRegistry of N01 as north/1.aa/1 is opened under a claim that is not the newest
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s14_one_intent_is_open_and_it_is_closed_once() {
    let mut tale = Tale::begin();
    let first = tale.open(Step::WriteRegistry, "N01");
    let second = tale.open(Step::WriteRegistry, "N02");
    tale.close(&second, Outcome::Done, true);
    tale.close(&first, Outcome::Done, true);
    tale.event(Event::Cancelled(first.later(1)));
    tale.next = 1;
    tale.open(Step::WriteRegistry, "N01");
    expect![[r#"
        S14: WriteRegistry of N02 as north/1.aa/6 is opened while north/1.aa/1 is open
        S14: north/1.aa/1 is closed and was not open
        S14: north/1.aa/2 cancels something that is not open
        S14: WriteRegistry of N01 as north/1.aa/1 is opened after 1.aa/6
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s14_an_effect_has_an_entry_before_it() {
    let mut tale = Tale::begin();
    let never = tale.entry(9);
    tale.effect(&id("N01"), EffectKind::WriteRegistry, &never);
    let vacate = tale.open(Step::Vacate, "N01");
    tale.effect(&id("N01"), EffectKind::WriteRegistry, &vacate.later(5));
    tale.effect(&id("N02"), EffectKind::Suspend, &vacate);
    expect![[r#"
        S14: WriteRegistry of N01 by north/1.aa/9 was never opened, or is one of more than 64 before
        S14: WriteRegistry of N01 by north/1.aa/6 was never opened, or is one of more than 64 before
        S9: WriteRegistry of N01 by north/1.aa/6 comes after the node has heard 1.aa/9
        S6: Suspend of N02 by north/1.aa/1 was opened for N01 (machine m-n01, node 1)
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s14_no_number_is_given_out_twice() {
    let mut tale = Tale::begin();
    tale.step(Step::WriteRegistry, "N01", &[]);
    tale.next = 1;
    tale.step(Step::WriteRegistry, "N02", &[]);
    expect![[r#"
        S14: WriteRegistry of N02 as north/1.aa/1 is opened after 1.aa/1
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s14_what_is_open_is_cancelled_once_and_by_its_own_cancel() {
    let mut tale = Tale::begin();
    let write = tale.open(Step::WriteRegistry, "N01");
    tale.event(Event::Cancelled(write.later(2)));
    tale.event(Event::Cancelled(write.later(1)));
    tale.event(Event::Cancelled(write.later(1)));
    expect![[r#"
        S14: north/1.aa/3 is not the Cancel of the open north/1.aa/1
        S14: north/1.aa/1 is cancelled twice
    "#]]
    .assert_eq(&tale.found());
}

/// S6: an effect is the one that its entry was opened for.
#[test]
fn s6_an_effect_is_what_its_entry_says() {
    let mut tale = Tale::begin();
    tale.step(Step::Vacate, "N01", &[EffectKind::Suspend, EffectKind::WriteRegistry]);
    let other = Target { revision: 9, ..TARGET };
    tale.step(
        Step::Install,
        "N01",
        &[EffectKind::Install { target: TARGET, attempt: 2 }, EffectKind::Install { target: other, attempt: 1 }],
    );
    tale.step(Step::Restart, "N01", &[EffectKind::Commit { target: TARGET, attempt: 2 }, EffectKind::Commit { target: other, attempt: 1 }]);
    tale.step(Step::Reboot, "N01", &[EffectKind::Restart, EffectKind::Resume]);
    expect![[r#"
        S6: WriteRegistry of N01 by north/1.aa/1 was opened as Vacate in attempt 1
        S6: Install of N01 by north/1.aa/6 was opened as Install in attempt 1
        S6: Install of N01 by north/1.aa/6 was opened as Install in attempt 1
        S6: Commit of N01 by north/1.aa/11 was opened as Restart in attempt 1
        S6: Commit of N01 by north/1.aa/11 was opened as Restart in attempt 1
        S6: Resume of N01 by north/1.aa/16 was opened as Reboot in attempt 1
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s14_the_way_back_that_a_block_reserves_needs_no_entry_of_its_own() {
    let mut tale = Tale::begin();
    let vacate = tale.step(Step::Vacate, "N01", &[EffectKind::Suspend]);
    tale.effect(&id("N01"), EffectKind::Resume, &vacate.later(3));
    assert_eq!(tale.found(), "");
    tale.effect(&id("N01"), EffectKind::Suspend, &vacate.later(3));
    expect![[r#"
        S14: Suspend of N01 by north/1.aa/4 was never opened, or is one of more than 64 before
    "#]]
    .assert_eq(&tale.found());
}

/// S14, rule 17: a Vacate that is closed unheard keeps its node out until a Return.
#[test]
fn s14_a_vacate_given_up_unheard_keeps_its_node_out() {
    let mut tale = Tale::begin();
    let vacate = tale.open(Step::Vacate, "N01");
    tale.close(&vacate, Outcome::Abandoned(Abandoned::GuardFailed), false);
    expect![[r#"
        S3: N01 is out by the ledger and was not brought back
    "#]]
    .assert_eq(&tale.at_rest());
    tale.effect(&id("N01"), EffectKind::Suspend, &vacate);
    assert_eq!(tale.found(), "", "its order may still arrive");
    tale.open(Step::Vacate, "N02");
    expect![[r#"
        S1: Vacate of N02 as north/1.aa/6 is opened while N01 is out
    "#]]
    .assert_eq(&tale.found());
    let mut tale = Tale::begin();
    let vacate = tale.open(Step::Vacate, "N01");
    tale.close(&vacate, Outcome::Abandoned(Abandoned::GuardFailed), false);
    tale.step(Step::Return, "N01", &[]);
    tale.upgrade("N02");
    assert_eq!(tale.found(), "");
    assert_eq!(tale.at_rest(), "");
}

#[test]
fn s14_what_was_closed_as_never_performed_is_never_performed() {
    let mut tale = Tale::begin();
    let vacate = tale.open(Step::Vacate, "N01");
    tale.close(&vacate, Outcome::Abandoned(Abandoned::GuardFailed), true);
    tale.effect(&id("N01"), EffectKind::Suspend, &vacate);
    let again = tale.open(Step::Vacate, "N01");
    tale.effect(&id("N01"), EffectKind::Suspend, &again);
    tale.close(&again, Outcome::Abandoned(Abandoned::GuardFailed), true);
    expect![[r#"
        S14: Suspend of N01 by north/1.aa/1 comes after it was closed as never performed
        S14: north/1.aa/6 is closed as never performed, and N01 was taken out by north/1.aa/6
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s11_after_a_stop_nothing_begins_but_the_way_back() {
    let mut tale = Tale::begin();
    tale.step(Step::Vacate, "N01", &[EffectKind::Suspend]);
    tale.step(Step::Install, "N01", &[INSTALL]);
    tale.step(Step::Restart, "N01", &[COMMIT]);
    tale.history.stopped(true);
    tale.step(Step::Restart, "N01", &[EffectKind::Restart]);
    tale.step(Step::Return, "N01", &[EffectKind::Resume]);
    tale.step(Step::Settle, "N01", &[]);
    assert_eq!(tale.found(), "");
    tale.open(Step::Vacate, "N02");
    expect![[r#"
        S11: Vacate of N02 as north/1.aa/31 begins after a stop was seen
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s1_at_most_one_node_is_out() {
    let mut tale = Tale::begin();
    tale.step(Step::Vacate, "N01", &[EffectKind::Suspend]);
    tale.step(Step::Vacate, "N02", &[EffectKind::Suspend]);
    expect![[r#"
        S1: Vacate of N02 as north/1.aa/6 is opened while N01 is out
        S1: Suspend of N02 by north/1.aa/6 comes while N01 is out
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s1_a_node_in_service_is_neither_installed_on_nor_restarted() {
    let mut tale = Tale::begin();
    tale.step(Step::Install, "N01", &[INSTALL]);
    expect![[r#"
        S1: Install of N01 as north/1.aa/1 is opened on a node that is not out
        S1: Install of N01 by north/1.aa/1 comes while the node is in service
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s3_every_node_that_went_out_comes_back() {
    let mut tale = Tale::begin();
    tale.step(Step::Vacate, "N01", &[EffectKind::Suspend]);
    tale.open(Step::Install, "N01");
    expect![[r#"
        S3: N01 is out by the ledger and was not brought back
        S3: N01 was taken out by north/1.aa/1 and was not brought back
        L1: Install of N01 is still open as north/1.aa/6
    "#]]
    .assert_eq(&tale.at_rest());
    tale.event(Event::Word(Word::Gone { node: text("N01"), reason: "fire".to_owned() }));
    assert_eq!(tale.at_rest(), "", "it is nobody's duty any more");
}

#[test]
fn s1_what_was_sent_to_a_node_that_is_out_may_come_after_the_word_that_it_is_gone() {
    let mut tale = Tale::begin();
    tale.step(Step::Vacate, "N01", &[EffectKind::Suspend]);
    tale.step(Step::Install, "N01", &[INSTALL]);
    let restart = tale.open(Step::Restart, "N01");
    tale.event(Event::Word(Word::Gone { node: text("N01"), reason: "fire".to_owned() }));
    tale.effect(&id("N01"), COMMIT, &restart);
    tale.effect(&id("N01"), EffectKind::Restart, &restart);
    assert_eq!(tale.found(), "");
    // Back in service, it is as any other.
    tale.effect(&id("N01"), EffectKind::Resume, &restart);
    tale.found();
    tale.effect(&id("N01"), EffectKind::Restart, &restart);
    expect![[r#"
        S5: Restart of N01 by north/1.aa/11 is the second by this entry
        S1: Restart of N01 by north/1.aa/11 comes while the node is in service
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s14_what_was_written_without_the_branch_may_stand_after_the_word_that_its_node_is_gone() {
    let mut tale = Tale::begin();
    tale.open(Step::WriteRegistry, "N01");
    let open = tale.last.clone().unwrap();
    tale.event(Event::Word(Word::Gone { node: text("N01"), reason: "fire".to_owned() }));
    tale.event(Event::Cancelled(open.cancel_entry().unwrap()));
    let closed = Event::Closed { entry: open.entry, outcome: Outcome::Superseded, heard: false };
    tale.event(closed.clone());
    assert_eq!(tale.found(), "");
    tale.event(closed);
    expect![[r#"
        S14: north/1.aa/1 is closed and was not open
    "#]]
    .assert_eq(&tale.found());
}

#[test]
fn s6_another_machine_is_met_only_after_a_persons_word() {
    let mut tale = Tale::begin();
    let mut other = id("N02");
    other.machine = text("m-other");
    tale.event(Event::Met(vec![other.clone()]));
    expect![[r#"
        S6: N02 (machine m-other, node 2) takes the place of N02 (machine m-n02, node 2) without a person's word
    "#]]
    .assert_eq(&tale.found());
    tale.event(Event::Word(Word::Retry { node: text("N02"), reason: "replaced".to_owned() }));
    tale.event(Event::Met(vec![id("N02")]));
    assert_eq!(tale.found(), "");
}

#[test]
fn s3_a_machine_that_was_replaced_while_it_was_out_need_not_come_back() {
    let mut tale = Tale::begin();
    tale.step(Step::Vacate, "N01", &[EffectKind::Suspend]);
    tale.open(Step::Install, "N01");
    tale.event(Event::Word(Word::Retry { node: text("N01"), reason: "burnt".to_owned() }));
    tale.event(Event::Met(vec![id("N01")]));
    assert_ne!(tale.at_rest(), "", "the same machine still owes its return");
    let mut other = id("N01");
    other.machine = text("m-new");
    tale.event(Event::Word(Word::Retry { node: text("N01"), reason: "replaced".to_owned() }));
    tale.event(Event::Met(vec![other]));
    assert_eq!((tale.found(), tale.at_rest()), (String::new(), String::new()));
}

/// S12: however long the history, what is kept of it does not grow.
#[test]
fn s12_a_long_history_takes_no_more_memory_and_forgets_only_what_is_old() {
    let mut tale = Tale::begin();
    let first = tale.step(Step::WriteRegistry, "N01", &[]);
    for _ in 0..1_000 {
        tale.step(Step::WriteRegistry, "N02", &[EffectKind::WriteRegistry]);
    }
    assert_eq!((tale.found(), tale.history.kept()), (String::new(), 64));
    tale.effect(&id("N01"), EffectKind::WriteRegistry, &first);
    expect![[r#"
        S14: WriteRegistry of N01 by north/1.aa/1 was never opened, or is one of more than 64 before
    "#]]
    .assert_eq(&tale.found());
}

/// S12: identities are bounded too.
#[test]
fn s12_a_cluster_has_a_bounded_number_of_machines() {
    let mut tale = Tale::begin();
    for n in 0..256 {
        let mut other = id("N02");
        other.machine = text(&format!("m-{n}"));
        tale.history.heard(&other, &Place { epoch: tale.epoch.clone(), seq: 0 });
    }
    let write = tale.open(Step::WriteRegistry, "N01");
    tale.effect(&id("N01"), EffectKind::WriteRegistry, &write);
    expect![[r#"
        S12: WriteRegistry of N01 as north/1.aa/1 is for one machine more than 256
        S12: WriteRegistry of N01 by north/1.aa/1 is on one machine more than 256
    "#]]
    .assert_eq(&tale.found());
}
