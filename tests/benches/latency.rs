//! From a push to the first order on a node, with real processes, beside a bare `git push` of the same commit's size.
//!
//! The lab's time runs as the clock on the wall does, so that the controller's own breaths and the fresh look between entry and act count as they would.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures real time and prints a table")]

use drydock_tests::binary::Field;
use std::time::{Duration, Instant};

const RUNS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut orders = Vec::new();
    let mut pushes = Vec::new();
    for run in 0..RUNS {
        runtime.block_on(async {
            let mut field = Field::new(run as u64, 1);
            field.merge("Wait", &[("clusters/till-042.yaml", &drydock_tests::binary::cluster("suspend: {reason: bench}\n"))]);
            let _controller = field.controller("north", &[]);
            // At rest: the suspension is written, and nothing else is due.
            while !field.repository().messages().iter().any(|m| m.contains("suspend")) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let before = field.effects().await;
            let began = Instant::now();
            field.merge("Go on", &[("clusters/till-042.yaml", &drydock_tests::binary::cluster(""))]);
            pushes.push(began.elapsed());
            while field.effects().await == before {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            orders.push(began.elapsed());
        });
    }
    orders.sort();
    pushes.sort();
    println!("median of {RUNS} runs, two nodes, repository on a path\n");
    println!("{:>8.0} ms  push alone", pushes[RUNS / 2].as_secs_f64() * 1e3);
    println!("{:>8.0} ms  from the push to the first order performed on a node", orders[RUNS / 2].as_secs_f64() * 1e3);
}
