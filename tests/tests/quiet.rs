//! After convergence nothing happens for thirty days (law L2), and a calm upgrade takes a known number of laps.

use drydock_engine::pace::Pacing;
use drydock_lab::Durations;
use drydock_model::plan::Decision;
use drydock_model::time::Millis;
use drydock_tests::sim::{Ended, Setup, Sim, Turn};

const DAYS: u64 = 30;

/// Laps of a calm upgrade of four nodes: with every wait cut to the moments at which something happens in the lab, the number depends on what the planner
/// does and on nothing else.
const CALM_LAPS: usize = 340;

fn sim(pacing: Pacing, skip: Option<Millis>) -> Sim {
    let mut sim = Sim::of(Setup { durations: Durations::real(), pacing, skip, ..Setup::usual(1, 4) });
    sim.start("north", 1);
    sim
}

#[test]
fn a_calm_upgrade_of_four_nodes_takes_a_known_number_of_laps() {
    let mut sim = sim(Pacing::default(), Some(Millis::hours(24)));
    assert_eq!(sim.run(20_000), Ended::Converged, "{}", sim.story.join("\n"));
    println!("{} laps, {} commits, {} effects", sim.laps, sim.branch.commits().len(), sim.touch.lock().unwrap().count);
    assert_eq!(sim.laps, CALM_LAPS);
}

#[test]
fn thirty_days_after_convergence_bring_no_order_and_no_commit() {
    let mut sim = sim(Pacing::default(), None);
    assert_eq!(sim.run(20_000), Ended::Converged, "{}", sim.story.join("\n"));
    let (commits, effects, began) = (sim.branch.commits().len(), sim.touch.lock().unwrap().count, sim.now());
    let happened = sim.with(|lab| lab.truth().effects().len());
    let laps = sim.laps;
    while sim.now().since(began) < Millis::hours(24 * DAYS) {
        let Turn::Lap(lap) = sim.turn() else { panic!("no lap") };
        assert_eq!(lap.plan.map(|p| p.decision), Some(Decision::Converged));
        assert_eq!(lap.wrote, None, "L2: nothing is left to say");
    }
    println!("{} laps in {DAYS} days", sim.laps - laps);
    assert_eq!(sim.branch.commits().len(), commits);
    assert_eq!(sim.touch.lock().unwrap().count, effects, "neither orders nor entries");
    assert_eq!(sim.with(|lab| lab.truth().effects().len()), happened, "L2: nothing is left to do");
}
