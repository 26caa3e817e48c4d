//! Rules 13 to 16: what must be true before a node is taken out.

use drydock_lab::Fault;
use drydock_model::desired::{Suspend, Version};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::Place;
use drydock_model::ledger::{Abandoned, Event, Outcome, Word};
use drydock_model::observed::{MemberState, NodeFacts};
use drydock_model::plan::{Decision, HoldReason, Remote, WaitingOn};
use drydock_model::step::Step;
use drydock_model::time::{Millis, Stamp};
use drydock_tests::hand::claim;
use drydock_tests::sim::{Sim, node};
use drydock_tests::situation::{Case, NOON, four, id, known, name, value};

#[test]
fn rule_13_no_node_is_taken_out_unless_every_member_answers() {
    for silent in 1..=4 {
        let mut case = four();
        *case.node(silent) = NodeFacts::unknown(&Gap::TimedOut);
        let said = case.says();
        assert!(said.starts_with("wait for N0"), "{silent}: {said}");
    }
    // Also when it was already opened: it is not sent.
    let mut case = four();
    case.open();
    *case.node(3) = NodeFacts::unknown(&Gap::TimedOut);
    assert_eq!(case.says(), "wait for N03: identity: no answer in time");
}

#[test]
fn rule_13_no_node_is_taken_out_unless_every_member_carries_our_fence() {
    let mut case = four();
    case.memory(4).fence = Some(Place { epoch: claim(0, "old"), seq: 9 });
    assert_eq!(case.says(), "fence N04");
    case.memory(4).fence = None;
    assert_eq!(case.says(), "fence N04");
    // A node that never lets itself be fenced keeps everybody in.
    let mut sim = Sim::quick(2);
    let deaf = node(4);
    for _ in 0..300 {
        let deafened = sim.memory(&deaf).is_some_and(|m| m.fence.is_none());
        assert!(deafened, "the fault missed an order");
        sim.strike(Fault::DroppedOrder, Some(&deaf));
        sim.step();
    }
    assert_eq!((sim.count_all("suspended"), sim.count_all("wrote-registry")), (0, 0), "{}", sim.story.join("\n"));
    assert!(sim.memory(&node(1)).is_some_and(|m| m.fence.is_some()), "the others have heard");
}

#[test]
fn rule_13_no_node_is_taken_out_unless_all_agree_on_the_cluster_and_its_members() {
    let mut other = id(3);
    other.cluster = "another".parse().expect("fine");
    let mut case = four();
    case.node(3).id = known(other);
    assert_eq!(case.decide(), Decision::Hold(HoldReason::OtherCluster { node: name(3) }));
    let mut case = four();
    value(&mut case.node(3).view).cluster = "another".parse().expect("fine");
    assert!(case.says().starts_with("wait for the cluster: members"), "{}", case.says());
    let mut case = four();
    let view = value(&mut case.node(3).view);
    view.members.get_mut(&name(2)).expect("fine").state = MemberState::Down;
    assert!(case.says().starts_with("wait for the cluster: members"), "{}", case.says());
}

#[test]
fn rule_13_who_does_not_hold_the_votes_does_not_say_who_is_up() {
    // Two of four answer, and say that all four are Up: they may be the smaller half.
    let mut case = Case::out();
    for silent in [2, 3, 4] {
        case.node(silent).view = Fact::Unknown(Gap::ClusterServiceStopped);
    }
    assert!(case.says().starts_with("wait for the cluster: members"), "{}", case.says());
    let mut nobody = four();
    for n in 1..=4 {
        nobody.node(n).view = Fact::Unknown(Gap::ClusterServiceStopped);
    }
    assert!(nobody.says().starts_with("wait for the cluster: members"), "{}", nobody.says());
}

#[test]
fn rule_14_no_node_is_taken_out_unless_the_remote_was_read_in_the_same_lap() {
    let unread = || Remote::Unread("connection refused".to_owned());
    let mut case = four();
    case.remote = unread();
    assert_eq!(case.says(), "wait for the status branch: connection refused", "nothing is opened");
    case.remote = Remote::Confirmed;
    case.open();
    case.remote = unread();
    assert_eq!(case.says(), "wait for the status branch: connection refused", "and what is open is not sent");
    case.remote = Remote::Touched { commit: "feed".parse().expect("fine") };
    assert_eq!(case.says(), "hold: commit feed of the status branch was not written by this controller");
    case.remote = Remote::Confirmed;
    assert!(case.says().starts_with("send Vacate"));
}

#[test]
fn rule_14_an_open_vacate_is_not_performed_while_the_branch_cannot_be_read() {
    let mut sim = Sim::quick(3);
    let opened = |d: &Decision| matches!(d, Decision::Open(i) if i.step == Step::Vacate);
    assert!(sim.until_decides(5_000, opened).is_some());
    let before = sim.count_all("suspended");
    sim.branch.set_down(true);
    sim.laps_for(Millis::minutes(8));
    assert_eq!(sim.count_all("suspended"), before);
    sim.branch.set_down(false);
    assert!(sim.until(50, |s| s.count_all("suspended") == before + 1), "{}", sim.story.join("\n"));
}

#[test]
fn rule_15_nothing_begins_while_the_clocks_differ_by_more_than_two_minutes() {
    for (apart, begins) in [(119, true), (121, false)] {
        for ahead in [true, false] {
            let mut case = four();
            let clock = if ahead { NOON + Millis::seconds(apart) } else { NOON - Millis::seconds(apart) };
            for n in 1..=4 {
                case.node(n).clock = known(clock);
            }
            assert_eq!(case.says().starts_with("open Vacate"), begins, "{apart} {ahead}: {}", case.says());
        }
    }
}

#[test]
fn rule_15_the_lower_median_of_the_nodes_clocks_counts_so_one_wrong_clock_stops_nobody() {
    let mut case = four();
    case.node(1).clock = known(NOON + Millis::hours(5));
    assert!(case.says().starts_with("open Vacate"));
    case.node(2).clock = known(NOON + Millis::hours(5));
    assert!(case.says().starts_with("open Vacate"), "two of four: the lower median is right");
    case.node(3).clock = known(NOON + Millis::hours(5));
    assert_eq!(case.says(), "wait for the clocks: the controller's and the nodes' differ by 5h");
}

#[test]
fn rule_15_entries_of_a_controller_with_a_wrong_clock_bear_no_stamp() {
    let mut sim = Sim::quick(4);
    sim.controllers[0].clock().set_skew(3_600_000);
    sim.laps_for(Millis::hours(2));
    assert_eq!(sim.ledger().last_stamp, None);
    assert_eq!(sim.count_all("suspended"), 0);
    sim.controllers[0].clock().set_skew(0);
    assert!(sim.until(5_000, |s| s.count_all("suspended") > 0), "{}", sim.story.join("\n"));
    assert!(sim.ledger().last_stamp.is_some());
}

#[test]
fn rule_15_a_wrong_stamp_keeps_everybody_in_until_a_person_accepts_the_clock() {
    let mut case = four();
    case.ledger.apply(&Event::Noted { state: "Wait/X".to_owned() }, Stamp::At(NOON + Millis::hours(30)));
    assert_eq!(case.says(), "wait for the clocks: the controller's and the nodes' differ by 1d6h");
    case.ledger.apply(&Event::Word(Word::Clock { reason: "summer time".to_owned() }), Stamp::Unknown);
    let stamp = drydock_planner::stamp(&case.observed, &case.ledger, drydock_model::time::Now { at: NOON });
    assert_eq!(stamp, Stamp::At(NOON));
    case.open();
    assert!(case.says().starts_with("send Vacate"), "{}", case.says());
    assert_eq!(case.ledger.last_stamp, Some(NOON));
}

#[test]
fn rule_16_an_intent_records_the_spec_it_serves_and_whom_it_is_for() {
    let mut case = four();
    let vacate = case.open();
    assert_eq!((&vacate.spec, &vacate.node, vacate.target), (&case.desired.spec, &id(1), case.desired.target));
}

#[test]
fn rule_16_an_intent_that_the_spec_of_the_moment_no_longer_asks_for_is_abandoned() {
    let changes: [(&str, fn(&mut Case)); 3] = [
        ("another target", |c| {
            c.desired.target.version = Version::V22H2;
            c.desired.spec = "spec-2".parse().expect("fine");
        }),
        ("suspended", |c| {
            c.desired.suspend = Some(Suspend { reason: "audit".to_owned(), until: None });
            c.desired.spec = "spec-2".parse().expect("fine");
        }),
        ("the node is not named any more", |c| {
            c.desired.nodes.remove(0);
            c.desired.spec = "spec-2".parse().expect("fine");
        }),
    ];
    for (what, change) in changes {
        let mut case = four();
        let vacate = case.open();
        change(&mut case);
        let cancel = vacate.cancel_entry().expect("fine");
        assert_eq!(case.decide(), Decision::Cancel(cancel.clone()), "{what}: {}", case.says());
        case.cancel(&vacate);
        assert!(case.says().starts_with("send Cancel for N01"), "{what}: {}", case.says());
        case.memory(1).fence = Some(cancel.place);
        let Decision::Close { outcome: Outcome::Abandoned(why), .. } = case.decide() else { panic!("{what}: {}", case.says()) };
        assert!(matches!(why, Abandoned::SpecChanged | Abandoned::Suspended), "{what}: {why}");
        case.close(Outcome::Abandoned(why));
        assert_eq!(case.ledger.out, None);
    }
}

#[test]
fn rule_16_the_guards_are_judged_again_when_an_intent_is_first_performed() {
    let changes: [(&str, fn(&mut Case)); 3] = [
        ("another node went down", |c| c.member(3, |m| m.state = MemberState::Down)),
        ("a disk repairs", |c| *c.storage().disks.values_mut().next().expect("fine") = drydock_model::observed::DiskState::Repairing),
        ("no room", |c| value(&mut c.observed.cluster.capacity).nodes.values_mut().for_each(|r| r.free_mib = 1)),
    ];
    for (what, change) in changes {
        let mut case = four();
        let vacate = case.open();
        change(&mut case);
        assert!(
            matches!(case.decide(), Decision::Wait(WaitingOn::NotUp { .. } | WaitingOn::StorageRepair(_) | WaitingOn::Room { .. }, _)),
            "{what}"
        );
        case.pass(Millis::minutes(11));
        assert_eq!(case.decide(), Decision::Cancel(vacate.cancel_entry().expect("fine")), "{what}: it is given up in the end");
    }
}
