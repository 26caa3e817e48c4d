//! Upgrades in simulation, judged by what the lab knows.

use drydock_lab::Durations;
use drydock_tests::sim::{Ended, Sim};

#[test]
fn a_calm_upgrade_of_four_nodes_converges_and_nothing_happens_twice() {
    let mut sim = Sim::new(1, 4, Durations::real());
    let ended = sim.run(20_000);
    let story = sim.story.join("\n");
    assert_eq!(ended, Ended::Converged, "{story}");
    println!("{story}\nlaps {} commits {}", sim.laps, sim.branch.commits().len());
    sim.with(|lab| {
        let truth = lab.truth();
        println!("{:?}\n{:?}", truth.builds(&"hospital-north".parse().unwrap()), truth.counts(&"hospital-north".parse().unwrap()));
        assert!(truth.catastrophes().is_empty());
        assert!(truth.repeated().is_empty());
    });
}
