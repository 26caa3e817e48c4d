//! What it costs to plan one cluster of four nodes, beside what the rest of the same lap costs: the laws, and the text of the facts.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures real time and prints a table")]

use drydock_lab::Durations;
use drydock_model::fact::Fact;
use drydock_model::plan::{Remote, Situation};
use drydock_model::time::{Now, Span, Timestamp};
use drydock_tests::sim::Sim;
use std::hint::black_box;
use std::time::Instant;

const RUNS: usize = 7;
const EACH: u32 = 2_000;
/// Laps until the first node installs.
const WARM: usize = 1_200;

/// Microseconds for one call: the median of some runs.
fn median(mut call: impl FnMut()) -> f64 {
    let mut runs: Vec<f64> = (0..RUNS)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..EACH {
                call();
            }
            began.elapsed().as_secs_f64() * 1e6 / f64::from(EACH)
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[RUNS / 2]
}

fn main() {
    let mut sim = Sim::new(1, 4, Durations::real());
    for _ in 0..WARM {
        sim.step();
    }
    let desired = sim.wanted.desired.clone();
    let observed = sim.with(|lab| lab.observe(&desired.cluster, &desired.nodes));
    let ledger = sim.branch.ledger(&desired.cluster).expect("the simulation has a ledger");
    let ledger = Fact::Known { value: ledger, seen: Span::at(Timestamp(0)) };
    let situation = Situation {
        desired: &desired,
        revision: &sim.wanted.revision,
        ledger: &ledger,
        remote: &Remote::Confirmed,
        observed: &observed,
        stop: None,
        now: Now { at: sim.now() },
    };
    let plan = drydock_planner::plan(&situation);
    println!("one cluster of 4 nodes, {} of it; microseconds, median of {RUNS} runs of {EACH}\n", plan.decision.state());
    println!("{:>10}  plan", format!("{:.1}", median(|| drop(black_box(drydock_planner::plan(black_box(&situation)))))));
    println!("{:>10}  laws over the same", format!("{:.1}", median(|| drop(black_box(drydock_laws::check(black_box(&situation), &plan))))));
    println!(
        "{:>10}  the same facts as JSON, as a peer",
        format!("{:.1}", median(|| drop(black_box(serde_json::to_string(black_box(&observed))))))
    );
}
