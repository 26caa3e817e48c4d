//! The reference upgrade of four nodes, with its controller crashed before and after every effect (claim, entry, order) and with every answer lost; then
//! pairs of these. What a controller keeps in memory matters to nobody, so what follows a crash depends on the cluster, the branch and the time alone:
//! equal ones are run once.
//!
//! `DRYDOCK_CRASH_PAIRS=all` runs every pair; without it the second blows of every so-manieth first one are run, as the test prints.

use drydock_engine::ports::TakeOver;
use drydock_lab::Durations;
use drydock_model::ids::{ClusterName, NodeName};
use drydock_model::ledger::Ledger;
use drydock_model::plan::{Decision, HoldReason};
use drydock_model::time::{Millis, Timestamp};
use drydock_tests::sim::{Setup, Sim, Turn};
use drydock_tests::touch::{Blow, Left, Watch};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A calm upgrade takes about 700 laps; one that never ends is cut here.
const LAPS: usize = 6_000;

/// Of the first blows, every so-manieth has all its second ones run in `cargo test`.
const EVERY: usize = 120;

fn setup() -> Setup {
    Setup { durations: Durations::brief(), skip: Some(Millis::minutes(4)), ..Setup::usual(1, 4) }
}

fn cluster() -> ClusterName {
    setup().config.name
}

/// What is compared with the calm run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    builds: BTreeMap<NodeName, String>,
    counts: BTreeMap<(NodeName, &'static str), usize>,
    away: BTreeSet<NodeName>,
}

/// One run to its end.
struct Ran {
    end: End,
    laps: usize,
    kept: Vec<Left>,
    effects: u64,
    /// What its last controller did, for whoever has to find out why it differs.
    story: Vec<String>,
}

fn ends(mut sim: Sim, watched: bool) -> Result<Ran, String> {
    if watched {
        let watch = Watch::new(sim.lab.clone(), sim.branch.clone());
        sim.touch.lock().unwrap().watch = Some(watch);
    }
    let stuck = |sim: &Sim, why: &str| {
        let story: Vec<&str> = sim.story.iter().rev().take(12).rev().map(String::as_str).collect();
        format!("{why}\n{}", story.join("\n"))
    };
    loop {
        match sim.turn() {
            Turn::Claim => {}
            Turn::Nobody => return Err(stuck(&sim, "nobody is left")),
            // Who does not hear of its claim starts anew.
            Turn::Crashed => {
                let starts = sim.branch.commits().len() as u64;
                sim.start_with("north", starts, TakeOver::No, Millis::minutes(1));
            }
            Turn::Lap(lap) => match lap.plan.map(|p| p.decision) {
                Some(Decision::Converged) if lap.wrote.is_none() => break,
                Some(Decision::Hold(HoldReason::Law { id, what })) => return Err(stuck(&sim, &format!("{id}: {what}"))),
                Some(Decision::Hold(why)) => return Err(stuck(&sim, &format!("needs a person: {why}"))),
                Some(_) | None => {}
            },
        }
        if sim.laps > LAPS {
            return Err(stuck(&sim, "never ends"));
        }
    }
    let ledger = sim.branch.ledger(&cluster()).unwrap();
    if ledger.open.is_some() || ledger.out.is_some() || ledger.settling.is_some() {
        return Err(stuck(&sim, "converged with something unfinished"));
    }
    let end = sim.with(|lab| {
        let truth = lab.truth();
        if let Some(twice) = truth.repeated().first() {
            return Err(format!("twice: {twice:?}"));
        }
        if let Some(lost) = truth.catastrophes().first() {
            return Err(lost.to_string());
        }
        let builds = truth.builds(&cluster()).into_iter().map(|(n, b)| (n, b.to_string())).collect();
        Ok(End { builds, counts: truth.counts(&cluster()), away: truth.away(&cluster()) })
    });
    let end = end.map_err(|why| stuck(&sim, &why))?;
    let story = std::mem::take(&mut sim.story);
    let mut touch = sim.touch.lock().unwrap();
    let kept = touch.watch.take().map(|w| w.kept).unwrap_or_default();
    Ok(Ran { end, laps: sim.laps, kept, effects: touch.count, story })
}

/// A supervisor starts the controller anew, on the next full minute.
fn again(left: &Left) -> Sim {
    let mut sim = Sim::left(&setup(), left);
    let minute = Millis::minutes(1).0;
    let now = u64::try_from(left.lab.now().0).unwrap();
    let wait = Millis(minute - now % minute);
    // Another start has other dice, as a process has.
    let starts = sim.branch.commits().len() as u64;
    sim.start_with("north", starts, TakeOver::No, wait);
    sim
}

fn first_start() -> Sim {
    let mut sim = Sim::of(setup());
    sim.start("north", 1);
    sim
}

/// What follows a crash depends on nothing else.
fn state(left: &Left) -> u64 {
    let sim = again(left);
    let (at, _) = sim.next_turn().unwrap();
    // Up to the moment at which the controller starts again.
    sim.with(|lab| lab.advance_to(at));
    let ledger: Option<Ledger> = sim.branch.ledger(&cluster());
    let (lab, now): (_, Timestamp) = (sim.with(|lab| lab.clone()), at);
    let mut hash = DefaultHasher::new();
    (lab, ledger, now).hash(&mut hash);
    hash.finish()
}

/// A first blow, and how to run it.
enum First {
    Crash(Box<Left>),
    Lost(u64),
}

impl First {
    fn sim(&self) -> Sim {
        match self {
            First::Crash(left) => again(left),
            First::Lost(at) => {
                let sim = first_start();
                sim.touch.lock().unwrap().armed = Some((*at, Blow::AnswerLost));
                sim
            }
        }
    }

    fn name(&self) -> String {
        match self {
            First::Crash(left) => format!("crash {:?} effect {} ({})", left.at.1, left.at.0, left.what),
            First::Lost(at) => format!("answer of effect {at} lost"),
        }
    }
}

/// What differs from the calm run, in words.
fn differs(calm: &End, end: &End) -> Vec<String> {
    let mut found = Vec::new();
    if calm.builds != end.builds {
        found.push(format!("builds {:?}", end.builds));
    }
    if calm.away != end.away {
        found.push(format!("away {:?}", end.away));
    }
    let keys: BTreeSet<_> = calm.counts.keys().chain(end.counts.keys()).collect();
    for key in keys {
        let (was, is) = (calm.counts.get(key).copied().unwrap_or(0), end.counts.get(key).copied().unwrap_or(0));
        if was != is {
            found.push(format!("{} {} {is} times, not {was}", key.0, key.1));
        }
    }
    found
}

/// Runs all of them on every processor.
fn everywhere<T: Sync>(all: &[T], run: impl Fn(&T) -> Result<(), String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let wrong: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = run(one) {
                        wrong.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}

#[test]
fn no_crash_and_no_lost_answer_changes_what_happens_to_a_node() {
    let calm = ends(first_start(), true).unwrap();
    let counts: BTreeMap<&str, usize> = calm.end.counts.iter().fold(BTreeMap::new(), |mut sum, ((_, what), n)| {
        *sum.entry(*what).or_insert(0) += n;
        sum
    });
    println!("calm: {} laps, {} effects, {counts:?}", calm.laps, calm.effects);
    let mut seen = BTreeSet::new();
    let crashes = calm.kept.into_iter().filter(|left| seen.insert(state(left))).map(|left| First::Crash(Box::new(left)));
    assert!(calm.effects > 100, "an upgrade of four nodes has more effects than {}", calm.effects);
    let firsts: Vec<First> = crashes.chain((0..calm.effects).map(First::Lost)).collect();
    let distinct = seen.len();

    let wrong = everywhere(&firsts, |first| {
        let ran = ends(first.sim(), false).map_err(|why| format!("{}: {why}", first.name()))?;
        let found = differs(&calm.end, &ran.end);
        if found.is_empty() { Ok(()) } else { Err(format!("{}: {}", first.name(), found.join(", "))) }
    });
    println!(
        "single blows: {} crashes in {distinct} distinct states, {} lost answers, {} wrong",
        2 * calm.effects,
        calm.effects,
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(8)].join("\n\n"));

    let all = std::env::var("DRYDOCK_CRASH_PAIRS").is_ok_and(|v| v == "all");
    let chosen: Vec<&First> = firsts.iter().step_by(if all { 1 } else { EVERY }).collect();
    let seen: Mutex<BTreeSet<u64>> = Mutex::default();
    let (pairs, runs) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong = everywhere(&chosen, |first| {
        let ran = ends(first.sim(), true).map_err(|why| format!("{}: {why}", first.name()))?;
        let from = match first {
            First::Crash(_) => 0,
            First::Lost(at) => *at + 1,
        };
        for left in ran.kept.iter().filter(|left| left.at.0 >= from) {
            pairs.fetch_add(1, Ordering::Relaxed);
            if !seen.lock().unwrap().insert(state(left)) {
                continue;
            }
            runs.fetch_add(1, Ordering::Relaxed);
            let second = || format!("{}, then crash {:?} effect {} ({})", first.name(), left.at.1, left.at.0, left.what);
            let twice = ends(again(left), false).map_err(|why| format!("{}: {why}", second()))?;
            let found = differs(&calm.end, &twice.end);
            if !found.is_empty() {
                return Err(format!("{}: {}\n{}", second(), found.join(", "), twice.story.join("\n")));
            }
        }
        for lost in from..ran.effects {
            pairs.fetch_add(1, Ordering::Relaxed);
            runs.fetch_add(1, Ordering::Relaxed);
            // A second blow comes after the first.
            let sim = first.sim();
            if let First::Lost(at) = first {
                sim.touch.lock().unwrap().then = Some((lost, Blow::AnswerLost));
                debug_assert!(*at < lost);
            } else {
                sim.touch.lock().unwrap().armed = Some((lost, Blow::AnswerLost));
            }
            let second = || format!("{}, then the answer of effect {lost} lost", first.name());
            let twice = ends(sim, false).map_err(|why| format!("{}: {why}", second()))?;
            let found = differs(&calm.end, &twice.end);
            if !found.is_empty() {
                return Err(format!("{}: {}", second(), found.join(", ")));
            }
        }
        Ok(())
    });
    println!(
        "pairs: {} of {} first blows{}, {} pairs in {} runs, {} wrong",
        chosen.len(),
        firsts.len(),
        if all { "" } else { " (all with DRYDOCK_CRASH_PAIRS=all)" },
        pairs.into_inner(),
        runs.into_inner(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong[..wrong.len().min(8)].join("\n\n"));
}
