//! Situations and orders, drawn from a seed: mostly such that an order could be admitted, with everything wrong now and then.

use drydock_lab::Dice;
use drydock_model::desired::{Build, Target};
use drydock_model::ids::{BootId, EntryId, Epoch, NodeId, NodeName, Place};
use drydock_model::observed::{
    Boot, Commit, CommitPhase, Consumed, DiskState, DrainStatus, Drives, Job, JobState, Marker, MarkerState, Member, MemberState, Memory,
    Phase, Setup, StopMark, Storage, View, Witness, Worker, WorkerFailure, WorkerState,
};
use drydock_model::order::{Act, Expect, MarkerExpected, Order, StorageExpected, Work};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

/// A situation: what a node remembers and sees.
pub(super) struct Situation {
    pub(super) id: NodeId,
    pub(super) memory: Memory,
    pub(super) boot: Boot,
    pub(super) build: Build,
    pub(super) setup: Setup,
    pub(super) worker: Option<Worker>,
    pub(super) busy: bool,
    pub(super) local: Option<(View, Storage, bool)>,
    /// `StatusInformation` of each member, as the scripts tell it: in words, and as a number where one has no word.
    pub(super) information: BTreeMap<NodeName, &'static str>,
}

const HARMLESS: [&str; 5] = ["Normal", "Normal", "DrainCompleted", "DrainFailed, AvoidPlacement", "DrainInProgress"];
const HARMFUL: [&str; 7] =
    ["Isolated", "Isolated, DrainInProgress", "Quarantined", "65", "-2147483648", "Unknown", "DrainCompleted, SomethingNew"];

pub(super) fn parse<T: FromStr<Err: Display>>(text: &str) -> T {
    text.parse().unwrap_or_else(|why| panic!("{text:?} {why}"))
}

fn place(dice: &mut Dice) -> Place {
    let (number, nonce) = [(1, "ab"), (1, "ab"), (1, "ab"), (1, "ef"), (2, "ab"), (0, "cd")][index(dice, 6)];
    Place { epoch: Epoch { number, nonce: parse(nonce) }, seq: u32::try_from(dice.below(12)).expect("small") }
}

fn index(dice: &mut Dice, n: u64) -> usize {
    usize::try_from(dice.below(n)).expect("small")
}

fn pick<T: Clone>(dice: &mut Dice, from: &[T]) -> T {
    from[index(dice, from.len() as u64)].clone()
}

fn maybe<T>(dice: &mut Dice, n: u64, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    (!dice.one_in(n)).then(|| make(dice))
}

fn boot(n: u64) -> BootId {
    parse(&format!("{n:032x}"))
}

fn target(dice: &mut Dice) -> Target {
    parse(pick(dice, &["23H2", "23H2", "23H2", "24H2", "23H2 (25398.2000 or later)"]))
}

fn marker(dice: &mut Dice) -> Marker {
    Marker { vacate: place(dice), state: pick(dice, &[MarkerState::Suspending, MarkerState::Suspended]) }
}

fn identity(dice: &mut Dice) -> NodeId {
    let odd = dice.below(40);
    let either = |n: u64, usual: &str, other: &str| if odd == n { other.to_owned() } else { usual.to_owned() };
    NodeId {
        name: parse(&either(0, "N01", "N02")),
        machine: parse(&either(1, "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002")),
        cluster: parse(&either(2, "cccccccc-0000-4000-8000-000000000001", "k2")),
        node: parse(&either(3, "1", "9")),
    }
}

pub(super) fn order(dice: &mut Dice) -> Order {
    let entry = EntryId { cluster: parse("c"), place: place(dice) };
    let node = identity(dice);
    let mut order = match dice.below(10) {
        0 => {
            let marker = maybe(dice, 2, marker);
            Order::fence(entry, node, marker)
        }
        1 => Order::cancel(entry, node),
        _ => {
            let step =
                pick(dice, &[Step::WriteRegistry, Step::Vacate, Step::Reboot, Step::Install, Step::Restart, Step::Restart, Step::Return]);
            let work = Work {
                step,
                target: target(dice),
                attempt: pick(dice, &[1, 1, 2]),
                source: drydock_model::desired::BitsSource::WindowsUpdate,
                failback: drydock_model::desired::FailbackMode::Immediate,
                small_allocations: true,
            };
            let storage =
                pick(dice, &[StorageExpected::Any, StorageExpected::Any, StorageExpected::Settled, StorageExpected::OwnDamageOnly]);
            let expected = place(dice);
            let expect = Expect {
                marker: pick(dice, &[MarkerExpected::Any, MarkerExpected::Any, MarkerExpected::Absent, MarkerExpected::Ours(expected)]),
                others_up: dice.one_in(3),
                storage,
                build: dice.one_in(6).then(|| parse(pick(dice, &["20349.3692", "25398.1665"]))),
                quorum: dice.one_in(3),
            };
            let limit = Millis(if dice.one_in(12) { 10 } else { 1_000 });
            Order::step(entry, node, work, expect, boot(u64::from(dice.one_in(14))), limit)
        }
    };
    if dice.one_in(30) {
        order.entry.place.seq += 1;
    }
    order
}

fn memory(dice: &mut Dice, order: &Order) -> Memory {
    let consumed = if dice.one_in(8) {
        let other = "e".repeat(64);
        let digest = if dice.one_in(2) { order.digest.clone() } else { parse(&other) };
        Some(Consumed { place: order.entry.place.clone(), digest, phase: Phase::Ended })
    } else {
        maybe(dice, 2, |dice| Consumed { place: place(dice), digest: parse(&"d".repeat(64)), phase: Phase::Started })
    };
    let commit = maybe(dice, 2, |dice| Commit {
        target: target(dice),
        attempt: pick(dice, &[1, 1, 2]),
        phase: pick(dice, &[CommitPhase::Committing, CommitPhase::Committed, CommitPhase::Restarting]),
        boot: boot(dice.below(2)),
    });
    Memory {
        fence: maybe(dice, 3, |dice| {
            let mut fence = place(dice);
            // Most orders are newer than what was heard.
            if !dice.one_in(4) {
                fence = Place { epoch: order.entry.place.epoch.clone(), seq: 0 };
            }
            fence
        }),
        consumed,
        marker: maybe(dice, 2, marker),
        commit,
        cancelled: None,
        registry_written: None,
        stop: dice.one_in(8).then(|| StopMark { who: "w".into(), when: "x".into(), why: "y".into() }),
    }
}

fn worker(dice: &mut Dice) -> Worker {
    let failure = WorkerFailure { code: 0x8024_0016, doing: "starting".to_owned() };
    let states = [
        WorkerState::Downloading(5),
        WorkerState::Staging(50),
        WorkerState::Staged,
        WorkerState::Staged,
        WorkerState::Failed(failure),
        WorkerState::Cancelled,
    ];
    Worker { place: place(dice), target: target(dice), attempt: pick(dice, &[1, 1, 2]), state: pick(dice, &states), alive: dice.one_in(2) }
}

fn view(dice: &mut Dice) -> View {
    let members = (1..=4).map(|n| {
        let name: NodeName = parse(&format!("N0{n}"));
        let away = [MemberState::Paused, MemberState::Paused, MemberState::Down, MemberState::Joining, MemberState::Unknown];
        let state = if dice.one_in(if n == 1 { 2 } else { 9 }) { pick(dice, &away) } else { MemberState::Up };
        (name, Member { state, drain: DrainStatus::NotInitiated, impaired: dice.one_in(16), vote: true, roles: 0 })
    });
    View { cluster: parse("cccccccc-0000-4000-8000-000000000001"), members: members.collect(), witness: Witness::None }
}

fn storage(dice: &mut Dice) -> Storage {
    let bad =
        [DiskState::Repairing, DiskState::Incomplete, DiskState::Degraded, DiskState::NoRedundancy, DiskState::Detached, DiskState::Other];
    let state = |dice: &mut Dice| if dice.one_in(4) { pick(dice, &bad) } else { DiskState::Healthy };
    let disks = [("A".to_owned(), state(dice)), ("B".to_owned(), state(dice))].into();
    let jobs = (0..dice.below(2)).map(|_| Job {
        name: "A-Repair".to_owned(),
        state: pick(dice, &[JobState::Running, JobState::Suspended, JobState::Ended]),
        percent: 3,
    });
    let jobs = jobs.collect();
    let drives = (1..=4).map(|n| {
        let lack = dice.one_in(if n == 1 { 3 } else { 14 });
        let maintenance = if dice.one_in(if n == 1 { 3 } else { 14 }) { 2 } else { 0 };
        (parse(&format!("N0{n}")), Drives { total: 4, good: if lack { 3 } else { 4 - maintenance }, maintenance })
    });
    Storage { disks, jobs, drives: drives.collect::<BTreeMap<NodeName, Drives>>(), pool_healthy: !dice.one_in(6) }
}

pub(super) fn situation(dice: &mut Dice, order: &Order) -> Situation {
    let mut quiet = Dice::new(99);
    // The node is who it is; the order may be another's.
    let id = loop {
        let id = identity(&mut quiet);
        if id.name.as_str() == "N01" && id.machine.as_str().ends_with('1') && id.cluster.as_str().ends_with('1') && id.node.as_str() == "1"
        {
            break id;
        }
    };
    let mut drawn = Situation {
        id,
        memory: memory(dice, order),
        boot: Boot { id: boot(0), up: Millis(dice.below(40)) },
        build: parse(pick(dice, &["20349.3692", "20349.3692", "25398.1665", "26100.1"])),
        setup: Setup { running: dice.one_in(5), pending: dice.one_in(2) },
        worker: maybe(dice, 3, worker),
        busy: dice.one_in(12),
        local: maybe(dice, 9, |dice| (view(dice), storage(dice), dice.one_in(3))),
        information: BTreeMap::new(),
    };
    if let Some((view, _, _)) = &drawn.local {
        for (name, member) in &view.members {
            let words: &[&str] = if member.impaired { &HARMFUL } else { &HARMLESS };
            drawn.information.insert(name.clone(), pick(dice, words));
        }
    }
    // A commit that came to nothing is rare among what is drawn at random.
    if let Act::Step(Work { step: Step::Restart, target, attempt, .. }) = &order.act
        && dice.one_in(2)
    {
        drawn.memory.commit =
            Some(Commit { target: *target, attempt: *attempt, phase: CommitPhase::Committing, boot: boot(dice.below(2)) });
        drawn.setup.running = false;
        drawn.build = parse("20349.3692");
    }
    drawn
}
