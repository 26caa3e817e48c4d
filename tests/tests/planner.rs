//! The planner over single situations: a healthy cluster of four, one thing changed at a time.

#[path = "planner/edges.rs"]
mod edges;
#[path = "planner/others.rs"]
mod others;
#[path = "planner/schedules.rs"]
mod schedules;

use drydock_model::desired::*;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::*;
use drydock_model::ledger::*;
use drydock_model::observed::*;
use drydock_model::plan::*;
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Stamp};
use drydock_tests::situation::{Case, NOON, changed, epoch, four, known, name, node, value};

fn check(case: &Case, expect: &str) {
    assert_eq!(case.says(), expect);
}

#[test]
fn a_ready_cluster_begins_with_the_node_of_fewest_roles() {
    check(&four(), "open Vacate of N01 for Upgrade at 1.ab12/1");
}

#[test]
fn the_node_that_answers_cluster_queries_comes_last() {
    let said = changed(|c| c.observed.cluster.through = Some(name(1)));
    assert_eq!(said, "open Vacate of N02 for Upgrade at 1.ab12/1");
}

#[test]
fn a_listed_order_is_kept() {
    let said = changed(|c| c.desired.run.node_order = NodeOrder::Listed(vec![name(3), name(2)]));
    assert_eq!(said, "open Vacate of N03 for Upgrade at 1.ab12/1");
}

#[test]
fn nothing_begins_while_anything_that_a_guard_asks_is_wrong_or_unknown() {
    type Change = fn(&mut Case);
    let wrong: [(&str, Change); 31] = [
        ("remote unread", |c| c.remote = Remote::Unread("connection refused".to_owned())),
        ("remote touched", |c| c.remote = Remote::Touched { commit: "feed".parse().unwrap() }),
        ("stop file", |c| c.stop = Some("fire drill")),
        ("suspend", |c| c.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None })),
        ("stop mark", |c| {
            c.memory(3).stop = Some(StopMark { who: "ann".to_owned(), when: "today".to_owned(), why: "smoke".to_owned() });
        }),
        ("a silent node", |c| *c.node(3) = NodeFacts::unknown(&Gap::TimedOut)),
        ("no identity", |c| c.node(2).id = Fact::Unknown(Gap::AccessDenied)),
        ("stale facts", |c| c.now = NOON + Millis::minutes(3)),
        ("clock of the controller", |c| {
            for n in 1..=4 {
                c.node(n).clock = known(NOON + Millis::minutes(5));
            }
        }),
        ("one node tells no clock", |c| c.node(2).clock = Fact::Unknown(Gap::TimedOut)),
        ("clock ran back", |c| c.ledger.last_stamp = Some(NOON + Millis::minutes(1))),
        ("another node down", |c| c.member(2, |m| m.state = MemberState::Down)),
        ("another node paused", |c| c.member(2, |m| m.state = MemberState::Paused)),
        ("another node isolated", |c| c.member(2, |m| m.impaired = true)),
        ("its own pause", |c| c.member(1, |m| m.state = MemberState::Paused)),
        ("views differ", |c| value(&mut c.node(2).view).members.get_mut(&name(3)).unwrap().state = MemberState::Down),
        ("disk repairing", |c| *c.storage().disks.get_mut("Volume01").unwrap() = DiskState::Repairing),
        ("job runs", |c| c.storage().jobs.push(Job { name: "Repair".to_owned(), state: JobState::Running, percent: 3 })),
        ("job suspended", |c| c.storage().jobs.push(Job { name: "Repair".to_owned(), state: JobState::Suspended, percent: 3 })),
        ("drive bad", |c| c.storage().drives.get_mut(&name(2)).unwrap().good = 3),
        ("storage unknown", |c| c.observed.cluster.storage = Fact::Unknown(Gap::TimedOut)),
        ("quorum asked", |c| value(&mut c.observed.cluster.would_lose_quorum).extend([name(1)])),
        ("quorum unknown", |c| c.observed.cluster.would_lose_quorum = Fact::Unknown(Gap::TimedOut)),
        ("no room", |c| {
            for room in value(&mut c.observed.cluster.capacity).nodes.values_mut() {
                room.free_mib = 8_000;
            }
        }),
        ("roles running", |c| c.desired.workload = WorkloadPolicy::MustBeOff),
        ("member not named", |c| drop(c.desired.nodes.pop())),
        ("setup runs", |c| value(&mut c.node(2).setup).running = true),
        ("disk full", |c| c.node(2).disk_free = known(10 << 30)),
        ("no route", |c| c.desired.target.version = Version::V24H2),
        ("other machine", |c| value(&mut c.node(2).id).machine = "stranger".parse().unwrap()),
        ("fence above", |c| c.memory(2).fence = Some(Place { epoch: epoch(), seq: 9 })),
    ];
    let mut text = String::new();
    for (what, change) in wrong {
        let said = changed(change);
        assert!(said.starts_with("wait") || said.starts_with("hold"), "{what}: {said}");
        text.push_str(&format!("{what}: {said}\n"));
    }
    expect_test::expect_file!["./golden/guards.txt"].assert_eq(&text);
}

#[test]
fn a_node_without_our_fence_hears_of_our_claim_first() {
    let said = changed(|c| c.memory(3).fence = None);
    assert_eq!(said, "fence N03");
}

#[test]
fn an_unknown_node_is_written_down_first() {
    let said = changed(|c| drop(c.ledger.known.remove(&name(2))));
    assert_eq!(said, "meet N02");
}

#[test]
fn a_cluster_on_its_target_is_converged() {
    let said = changed(|c| {
        for n in 1..=4 {
            c.node(n).build = known("25398.1611".parse().unwrap());
        }
    });
    assert_eq!(said, "converged");
}

#[test]
fn a_newer_node_is_no_converged_node() {
    let said = changed(|c| c.node(2).build = known("26100.4061".parse().unwrap()));
    assert_eq!(said, "hold: N02 runs 26100.4061, which is newer than what is desired");
}

#[test]
fn registry_values_are_written_before_any_upgrade() {
    let said = changed(|c| value(&mut c.node(3).registry).skip_small_local_allocations = None);
    assert_eq!(said, "open WriteRegistry of N03 for Registry at 1.ab12/1");
}

#[test]
fn values_written_in_this_boot_ask_for_a_restart_first() {
    let said = changed(|c| c.memory(3).registry_written = Some("boot-3".parse().unwrap()));
    assert_eq!(said, "open Vacate of N03 for Registry at 1.ab12/1");
}

#[test]
fn a_vacate_is_sent_once_it_is_open_and_the_guards_still_hold() {
    let mut case = four();
    let vacate = case.open();
    check(&case, "send Vacate for N01 (hospital-north/1.ab12/1)");
    case.consume(1, &vacate.entry.place, Phase::Started);
    check(&case, "wait for Vacate on N01");
    case.vacated(1, &vacate);
    check(&case, "close 1.ab12/1 Done");
}

#[test]
fn a_vacate_that_is_no_longer_wanted_is_cancelled_and_proven_unperformed() {
    let mut case = four();
    let vacate = case.open();
    case.stop = Some("fire drill");
    check(&case, "mark the cancel of 1.ab12/2");
    case.ledger.apply(&Event::Cancelled(vacate.cancel_entry().unwrap()), Stamp::At(NOON));
    check(&case, "send Cancel for N01 (hospital-north/1.ab12/2)");
    case.memory(1).fence = Some(Place { epoch: epoch(), seq: 2 });
    check(&case, "close 1.ab12/1 Abandoned: the cluster was suspended");
    case.close(Outcome::Abandoned(Abandoned::Suspended));
    assert_eq!(case.ledger.out, None);
}

#[test]
fn a_vacated_node_is_installed_on_then_restarted_then_returned_then_settled() {
    let (mut case, restart) = Case::restarting();
    check(&case, "send Restart for N01 (hospital-north/1.ab12/11)");
    case.consume(1, &restart.entry.place, Phase::Ended);
    *case.node(1) = NodeFacts::unknown(&Gap::Unreachable);
    case.member(1, |m| (m.state, m.vote) = (MemberState::Down, false));
    check(&case, "wait for Restart on N01");
    let mut back = node(1, value(&mut case.node(2).view));
    back.boot = known(Boot { id: "boot-after".parse().unwrap(), up: Millis::minutes(1) });
    back.build = known("25398.1611".parse().unwrap());
    *case.node(1) = back;
    case.consume(1, &restart.entry.place, Phase::Ended);
    case.memory(1).marker = Some(Marker { vacate: Place { epoch: epoch(), seq: 1 }, state: MarkerState::Suspended });
    case.member(1, |m| (m.state, m.vote) = (MemberState::Paused, true));
    check(&case, "close 1.ab12/11 Done");
    case.close(Outcome::Done);
    let back = case.open();
    assert_eq!((back.step, back.entry.place.seq), (Step::Return, 14));
    case.consume(1, &back.entry.place, Phase::Ended);
    case.memory(1).marker = None;
    case.member(1, |m| m.state = MemberState::Up);
    check(&case, "close 1.ab12/14 Done");
    case.close(Outcome::Done);
    check(&case, "open Settle of N01 for Upgrade at 1.ab12/16");
    case.open();
    check(&case, "wait for storage: drives of N01 are in maintenance mode: 4");
    let drives = case.storage().drives.get_mut(&name(1)).unwrap();
    (drives.good, drives.maintenance) = (4, 0);
    check(&case, "wait for N01 to prove itself until 2025-11-23T12:05:00Z");
}

#[test]
fn an_install_that_is_no_longer_wanted_is_cancelled_and_the_node_returns() {
    let (mut case, install) = Case::installing();
    check(&case, "wait for Install on N01, 10 % done");
    case.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
    check(&case, "mark the cancel of 1.ab12/7");
    case.ledger.apply(&Event::Cancelled(install.cancel_entry().unwrap()), Stamp::At(NOON));
    check(&case, "send Cancel for N01 (hospital-north/1.ab12/7)");
    case.worker(1, &install.entry.place, WorkerState::Cancelled);
    check(&case, "close 1.ab12/6 Failed: it was cancelled");
    case.close(Outcome::Failed(Failure::Cancelled));
    check(&case, "open Return of N01 for Upgrade at 1.ab12/9");
}

#[test]
fn over_a_worker_that_cannot_be_read_a_node_returns_and_is_not_taken_out_again() {
    let damage = || Fact::Unknown(Gap::Damaged("state.json".to_owned()));
    // Told to install, and nobody can tell how far it came.
    let (mut case, _) = Case::installing();
    case.node(1).worker = damage();
    check(&case, "close 1.ab12/6 Failed: the installation's process is gone");
    case.close(Outcome::Failed(Failure::WorkerDied));
    check(&case, "open Return of N01 for Upgrade at 1.ab12/9");
    // Not told yet.
    let mut case = Case::out();
    case.node(1).worker = damage();
    check(&case, "open Return of N01 for Upgrade at 1.ab12/4");
    // In service.
    let mut case = four();
    case.node(1).worker = damage();
    check(&case, "wait for N01: worker: damaged, and a person must look at it (DD0617): state.json");
    // What merely was not told is waited for.
    let mut case = Case::out();
    case.node(1).worker = Fact::Unknown(Gap::TimedOut);
    check(&case, "wait for N01: worker: no answer in time");
}

/// What is said at each moment of a node's way out while one fact of one node is not told.
#[test]
fn whatever_a_node_does_not_tell_no_law_has_to_say_it() {
    type Forget = (&'static str, fn(&mut NodeFacts));
    let facts: [Forget; 11] = [
        ("identity", |f| f.id = Fact::Unknown(Gap::TimedOut)),
        ("boot", |f| f.boot = Fact::Unknown(Gap::TimedOut)),
        ("clock", |f| f.clock = Fact::Unknown(Gap::TimedOut)),
        ("build", |f| f.build = Fact::Unknown(Gap::TimedOut)),
        ("memory", |f| f.memory = Fact::Unknown(Gap::TimedOut)),
        ("registry", |f| f.registry = Fact::Unknown(Gap::TimedOut)),
        ("worker", |f| f.worker = Fact::Unknown(Gap::TimedOut)),
        ("setup", |f| f.setup = Fact::Unknown(Gap::TimedOut)),
        ("service", |f| f.service = Fact::Unknown(Gap::TimedOut)),
        ("view", |f| f.view = Fact::Unknown(Gap::TimedOut)),
        ("disk", |f| f.disk_free = Fact::Unknown(Gap::TimedOut)),
    ];
    let opened = |mut case: Case| {
        case.open();
        case
    };
    let staged = || {
        let (mut case, install) = Case::installing();
        case.worker(1, &install.entry.place, WorkerState::Staged);
        case.close(Outcome::Done);
        case
    };
    type Moment<'a> = (&'a str, &'a dyn Fn() -> Case);
    let moments: [Moment<'_>; 7] = [
        ("ready", &four),
        ("Vacate opened", &|| opened(four())),
        ("out", &Case::out),
        ("Install opened", &|| opened(Case::out())),
        ("staged", &staged),
        ("Restart opened", &|| opened(staged())),
        ("restarting", &|| Case::restarting().0),
    ];
    let mut text = String::new();
    for (moment, case) in moments {
        for n in 1..=2 {
            for (fact, forget) in facts {
                let mut case = case();
                forget(case.node(n));
                text.push_str(&format!("{moment}, {fact} of N0{n}: {}\n", case.says()));
            }
        }
    }
    expect_test::expect_file!["./golden/unknown.txt"].assert_eq(&text);
}

#[test]
fn a_restart_that_is_pending_after_the_reboot_for_it_is_a_persons() {
    let mut case = four();
    case.desired.run.max_retries_per_node = 0;
    value(&mut case.node(1).setup).pending = true;
    let vacate = case.open();
    case.vacated(1, &vacate);
    case.close(Outcome::Done);
    let reboot = case.open();
    assert_eq!((reboot.step, reboot.purpose), (Step::Reboot, Purpose::Registry));
    case.consume(1, &reboot.entry.place, Phase::Ended);
    value(&mut case.node(1).boot).id = "boot-2".parse().unwrap();
    // Windows ends it while it starts.
    check(&case, "wait for Reboot on N01");
    case.pass(Millis::minutes(11));
    check(&case, "close 1.ab12/6 Failed: a restart is pending still");
    case.close(Outcome::Failed(Failure::StillPending));
    check(&case, "open Return of N01 for Registry at 1.ab12/9");
}

#[test]
fn what_waits_for_git_over_somebody_elses_commit_waits_for_a_person() {
    let (mut case, install) = Case::installing();
    case.worker(1, &install.entry.place, WorkerState::Staged);
    case.remote = Remote::Touched { commit: "feed".parse().unwrap() };
    check(&case, "hold: commit feed of the status branch was not written by this controller");
    // Nobody comes: the node does not stay out for that.
    let state = case.decide().state();
    case.write(&Event::Noted { state });
    case.pass(Millis::minutes(30));
    check(&case, "close 1.ab12/6 Superseded");
}

#[test]
fn registry_values_for_another_release_are_not_written() {
    let mut case = four();
    case.node(1).registry = known(RegistryFacts::default());
    let write = case.open();
    assert_eq!(write.step, Step::WriteRegistry);
    case.desired.target.version = Version::V24H2;
    check(&case, "mark the cancel of 1.ab12/2");
}

#[test]
fn an_install_on_a_node_that_runs_the_target_already_is_done() {
    let (mut case, _) = Case::installing();
    case.node(1).worker = known(None);
    case.node(1).build = known("25398.1611".parse().unwrap());
    check(&case, "close 1.ab12/6 Done");
}

#[test]
fn a_restart_that_a_failed_attempt_left_pending_comes_before_the_next() {
    let (mut case, install) = Case::installing();
    let why = WorkerFailure { code: 0x8024_0022, doing: "installing".to_owned() };
    case.worker(1, &install.entry.place, WorkerState::Failed(why.clone()));
    value(&mut case.node(1).setup).pending = true;
    case.close(Outcome::Failed(Failure::WorkerFailed { code: why.code, doing: why.doing }));
    // An installation is refused while a restart is pending.
    check(&case, "open Reboot of N01 for Upgrade at 1.ab12/11");
    let reboot = case.open();
    check(&case, "send Reboot for N01 (hospital-north/1.ab12/11)");
    case.consume(1, &reboot.entry.place, Phase::Ended);
    case.node(1).boot = known(Boot { id: "boot-after".parse().unwrap(), up: Millis::minutes(1) });
    value(&mut case.node(1).setup).pending = false;
    check(&case, "close 1.ab12/11 Done");
    case.close(Outcome::Done);
    check(&case, "wait for the next attempt on N01, at 2025-11-23T12:05:00Z");
    case.pass(Millis::minutes(5));
    check(&case, "open Install of N01 for Upgrade at 1.ab12/16");
    assert_eq!(case.open().attempt, 2);
}

#[test]
fn a_node_returns_outside_the_window_and_without_git() {
    let mut case = Case::out();
    case.ledger.out.as_mut().unwrap().returning = true;
    case.remote = Remote::Unread("down".to_owned());
    case.stop = Some("fire drill");
    check(&case, "open Return of N01 for Upgrade at 1.ab12/4");
}

#[test]
fn a_node_before_its_point_of_no_return_returns_when_another_goes_down() {
    let mut case = Case::out();
    case.member(3, |m| m.state = MemberState::Down);
    check(&case, "open Return of N01 for Upgrade at 1.ab12/4");
}

#[test]
fn a_node_that_is_out_and_no_longer_named_returns() {
    let mut case = Case::out();
    case.desired.nodes.remove(0);
    check(&case, "open Return of N01 for Upgrade at 1.ab12/4");
}

#[test]
fn after_the_commit_back_means_forward() {
    let (mut case, restart) = Case::restarting();
    let target = case.desired.target;
    case.consume(1, &restart.entry.place, Phase::Started);
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Committed, boot: "boot-1".parse().unwrap() });
    case.close(Outcome::Failed(Failure::NoEffect));
    case.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
    check(&case, "open Restart of N01 for Upgrade at 1.ab12/13");
}

#[test]
fn a_rolled_back_node_is_returned_and_never_tried_again_without_a_person() {
    let (mut case, restart) = Case::restarting();
    let target = case.desired.target;
    case.consume(1, &restart.entry.place, Phase::Ended);
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Restarting, boot: "boot-1".parse().unwrap() });
    case.node(1).boot = known(Boot { id: "boot-after".parse().unwrap(), up: Millis::minutes(1) });
    check(&case, "close 1.ab12/11 Failed: the node came back on its old build");
    case.close(Outcome::Failed(Failure::RolledBack));
    assert_eq!(case.open().step, Step::Return);
    case.memory(1).marker = None;
    case.member(1, |m| m.state = MemberState::Up);
    case.close(Outcome::Done);
    let drives = case.storage().drives.get_mut(&name(1)).unwrap();
    (drives.good, drives.maintenance) = (4, 0);
    case.ledger.settling = None;
    check(&case, "open Vacate of N02 for Upgrade at 1.ab12/16");
    case.desired.run.max_failed_nodes = 0;
    check(&case, "hold: N01 failed at Restart: the node came back on its old build");
}

#[test]
fn a_commit_that_was_rolled_back_is_no_point_of_no_return_of_the_next_attempt() {
    let (mut case, restart) = Case::restarting();
    let target = case.desired.target;
    case.memory(1).commit = Some(Commit { target, attempt: 1, phase: CommitPhase::Restarting, boot: "before".parse().unwrap() });
    case.close(Outcome::Abandoned(Abandoned::GuardFailed));
    let attempts = case.ledger.attempts.get_mut(&name(1)).unwrap();
    (attempts.number, attempts.first) = (2, 2);
    case.worker(1, &restart.entry.place, WorkerState::Staged);
    if let Fact::Known { value: Some(worker), .. } = &mut case.node(1).worker {
        worker.attempt = 2;
    }
    case.node(1).setup = known(Setup { running: false, pending: true });
    assert_eq!(case.open().step, Step::Restart);
}

#[test]
fn a_return_that_the_node_never_consumed_is_closed_unheard() {
    let mut case = Case::out();
    case.ledger.out.as_mut().unwrap().returning = true;
    case.open();
    case.memory(1).marker = None;
    case.member(1, |m| m.state = MemberState::Up);
    let Decision::Close { outcome: Outcome::Done, heard, .. } = case.decide() else { panic!("not closed") };
    assert!(!heard);
}

#[test]
fn a_node_that_lost_its_registry_values_returns_before_its_point_of_no_return() {
    let mut case = Case::out();
    case.node(1).registry = known(RegistryFacts::default());
    assert_eq!(case.open().step, Step::Return);
}

#[test]
fn a_reboot_is_not_repeated_on_a_node_that_restarted_and_forgot() {
    let mut case = four();
    value(&mut case.node(1).setup).pending = true;
    let vacate = case.open();
    assert_eq!(vacate.purpose, Purpose::Registry);
    case.vacated(1, &vacate);
    case.close(Outcome::Done);
    let reboot = case.open();
    assert_eq!(reboot.step, Step::Reboot);
    check(&case, "send Reboot for N01 (hospital-north/1.ab12/6)");
    // It was performed, and then the node's memory was taken back to what it was before.
    value(&mut case.node(1).setup).pending = false;
    case.node(1).boot = known(Boot { id: "boot-after".parse().unwrap(), up: Millis::minutes(1) });
    check(&case, "close 1.ab12/6 Done");
}

#[test]
fn an_install_is_not_repeated_on_a_node_that_restarted_and_forgot() {
    let mut case = Case::out();
    case.open();
    case.node(1).boot = known(Boot { id: "boot-after".parse().unwrap(), up: Millis::minutes(1) });
    case.node(1).worker = known(None);
    let Decision::Close { outcome: Outcome::Failed(Failure::WorkerDied), .. } = case.decide() else { panic!("not closed") };
}

#[test]
fn an_upgrade_that_took_marker_and_fence_gets_both_back() {
    let mut case = Case::out();
    *case.memory(1) = Memory::default();
    let Decision::Fence(orders) = case.decide() else { panic!("no fence") };
    let drydock_model::order::Act::Fence { marker: Some(marker) } = &orders[0].act else { panic!("no marker") };
    assert_eq!(marker.vacate.seq, 1);
}

#[test]
fn a_missing_marker_on_a_paused_node_that_remembers_us_is_a_persons_doing() {
    let mut case = Case::out();
    case.memory(1).marker = None;
    check(&case, "hold: N01 is paused or resumed by somebody else");
}

#[test]
fn an_intent_of_an_older_claim_is_closed_by_what_the_node_shows_and_opened_anew() {
    let (mut case, _) = Case::installing();
    let newer = Epoch { number: 2, nonce: "cd34".parse().unwrap() };
    case.ledger.apply(&Event::Claimed { epoch: newer.clone() }, Stamp::At(NOON));
    check(&case, "fence N01 N02 N03 N04");
    for n in 1..=4 {
        case.memory(n).fence = Some(Place { epoch: newer.clone(), seq: 0 });
    }
    check(&case, "close 1.ab12/6 Inherited");
    case.close(Outcome::Inherited);
    check(&case, "open Install of N01 for Upgrade at 2.cd34/1");
    case.open();
    check(&case, "send Install for N01 (hospital-north/2.cd34/1)");
}

#[test]
fn a_drain_that_a_controller_before_began_is_waited_for_and_not_undone() {
    let mut case = four();
    let vacate = case.open();
    case.vacated(1, &vacate);
    case.consume(1, &vacate.entry.place, Phase::Started);
    case.member(1, |m| (m.drain, m.roles) = (DrainStatus::InProgress, 2));
    let newer = Epoch { number: 2, nonce: "cd34".parse().unwrap() };
    case.ledger.apply(&Event::Claimed { epoch: newer.clone() }, Stamp::At(NOON));
    for n in 1..=4 {
        case.memory(n).fence = Some(Place { epoch: newer.clone(), seq: 0 });
    }
    check(&case, "wait for Vacate on N01");
    case.member(1, |m| (m.drain, m.roles) = (DrainStatus::Completed, 0));
    check(&case, "close 1.ab12/1 Done");
}

#[test]
fn a_node_that_owes_a_tombstone_is_fenced_above_what_may_still_arrive() {
    let mut case = four();
    case.ledger.owes.insert(name(2), Place { epoch: epoch(), seq: 7 });
    case.ledger.next = 9;
    let Decision::Fence(orders) = case.decide() else { panic!("no fence") };
    assert_eq!((orders[0].node.name.clone(), orders[0].entry.place.seq), (name(2), 7));
}

#[test]
fn failed_attempts_are_spaced_and_bounded() {
    let mut case = four();
    for n in 1..=4 {
        let vacate = case.open();
        assert_eq!(vacate.node.name, name(n), "the others come first while it waits");
        case.close(Outcome::Failed(Failure::PlatformRefused));
    }
    check(&case, "wait for the next attempt on N01, at 2025-11-23T12:05:00Z");
}

#[test]
fn a_single_node_is_left_to_people() {
    let mut case = four();
    case.desired.nodes.truncate(1);
    check(&case, "hold: a cluster of one node cannot be upgraded node by node");
}

#[test]
fn equal_situations_have_equal_plans() {
    let (a, b) = (Case::installing().0, Case::installing().0);
    assert_eq!(a.decide(), b.decide());
    assert_eq!(a.ledger.out.unwrap().purpose, Purpose::Upgrade);
}

#[test]
fn s17_never_more_than_two_releases_serve_in_one_cluster() {
    let to_24h2 = |case: &mut Case| {
        case.desired.target.version = Version::V24H2;
        case.desired.source = BitsSource::Media { path: r"D:\Media".to_owned() };
    };
    let mut case = four();
    to_24h2(&mut case);
    case.node(3).build = known("25398.1665".parse().unwrap());
    check(&case, "open Vacate of N03 for Upgrade at 1.ab12/1");
    case.node(2).build = known("25398.1665".parse().unwrap());
    check(&case, "hold: the nodes run 22H2 and 23H2; with one more release there would be three in the cluster");
}
