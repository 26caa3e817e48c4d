//! The swarm: thousands of worlds in which everything goes wrong that a seed draws; then calm, in which laws L1 (it converges), L3 (the true blocker is named) and
//! L4 (every hold has a way out that leads on) are required.
//!
//! `DRYDOCK_SEEDS=N` runs N seeds and not 2,000; `DRYDOCK_SEED=S` runs one and tells its story.

use drydock_tests::swarm::{Failure, Tally, draw, run};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Seeds in `cargo test`.
const SEEDS: u64 = 2_000;

/// More failures than this tell nothing new.
const MOST_FAILURES: usize = 12;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

fn told(failure: &Failure, most: usize) -> String {
    let from = failure.story.len().saturating_sub(most);
    format!(
        "seed {}: {}\n{}\n{}\nagain with: DRYDOCK_SEED={} cargo test -p drydock-tests --test swarm -- --nocapture",
        failure.seed,
        failure.what.join("\n"),
        failure.drawn,
        failure.story[from..].join("\n"),
        failure.seed
    )
}

fn printed(tally: &Tally) -> String {
    let mut text = String::new();
    let mut group = "";
    for ((of, name), n) in &tally.seen {
        if group != *of {
            group = of;
            text.push_str(&format!("\n{of}:"));
        }
        text.push_str(&format!(" {name} {n},"));
    }
    text
}

#[test]
fn every_seed_keeps_the_laws_and_converges_once_it_is_calm() {
    if let Some(seed) = number("DRYDOCK_SEED") {
        println!("{}", draw(seed));
        match run(seed) {
            Ok(tally) => println!("converged after {} laps{}", tally.laps, printed(&tally)),
            Err(failure) => panic!("{}", told(&failure, usize::MAX)),
        }
        return;
    }
    let seeds = number("DRYDOCK_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let all: Mutex<(Tally, Vec<Box<Failure>>)> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || all.lock().unwrap().1.len() >= MOST_FAILURES {
                        break;
                    }
                    let ended = run(seed);
                    let mut all = all.lock().unwrap();
                    match ended {
                        Ok(tally) => all.0.add(&tally),
                        Err(failure) => all.1.push(failure),
                    }
                }
            });
        }
    });
    let (tally, failures) = all.into_inner().unwrap();
    println!(
        "{seeds} seeds, {} laps, {} simulated hours, at most {} laps from calm to convergence{}",
        tally.laps,
        tally.time / 3_600_000,
        tally.most_calm_laps,
        printed(&tally)
    );
    let told: Vec<String> = failures.iter().map(|f| told(f, 60)).collect();
    assert!(failures.is_empty(), "the S laws, or in the calm L1, L3 or L4, do not hold:\n{}", told.join("\n\n"));
}
