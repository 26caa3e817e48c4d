//! The corners of the laws: each line is one small change to a situation that holds, and what it breaks.

mod cluster;
mod entries;

use super::scene::Scene;
use drydock_model::fact::{Fact, Gap};
use drydock_model::order::{Act, Order, Work};
use drydock_model::plan::Decision;
use drydock_model::step::Step;
use expect_test::Expect;

pub(super) fn change(mut scene: Scene, change: impl FnOnce(&mut Scene)) -> Scene {
    change(&mut scene);
    scene
}

/// The verdicts, one under the other, each under its case.
pub(super) fn table(expect: Expect, cases: Vec<(&str, String)>) {
    let all: String = cases.iter().map(|(case, verdict)| format!("{case}:\n{}\n", verdict.trim_end())).collect();
    expect.assert_eq(&all);
}

pub(super) fn unknown<T>() -> Fact<T> {
    Fact::Unknown(Gap::TimedOut)
}

pub(super) fn worked(scene: &Scene, change: impl FnOnce(&mut Work)) -> String {
    let order = scene.order();
    let Act::Step(mut work) = order.act else { panic!("{order}") };
    change(&mut work);
    let order = Order::step(order.entry, order.node, work, order.expect, order.boot.unwrap(), order.not_after.unwrap());
    scene.verdict(Decision::Perform(vec![order]))
}

pub(super) fn ordered(scene: &Scene, change: impl FnOnce(&mut Order)) -> String {
    let mut order = scene.order();
    change(&mut order);
    scene.verdict(Decision::Perform(vec![order]))
}

pub(super) fn opening(scene: &Scene, step: Step, change: impl FnOnce(&mut drydock_model::ledger::Intent)) -> String {
    let mut intent = scene.intent(step);
    change(&mut intent);
    scene.verdict(Decision::Open(intent))
}
