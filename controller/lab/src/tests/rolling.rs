//! Whole upgrades by hand.

use super::hand::{Hand, config, n};
use crate::{ClusterConfig, Rules};
use drydock_model::desired::{BitsSource, Target, Version};
use drydock_model::time::Millis;
use expect_test::expect;

fn rolls(seed: u64, config: &ClusterConfig) -> Hand {
    let mut hand = Hand::with(seed, config, Rules::all());
    let nodes = hand.lab.nodes(&hand.cluster);
    nodes.iter().for_each(|node| hand.registry_pass(node));
    nodes.iter().for_each(|node| hand.upgrade(node));
    hand
}

fn log(hand: &Hand) -> String {
    hand.lab.truth().effects().iter().map(|e| format!("{e}\n")).collect()
}

#[test]
fn four_nodes_roll_to_23h2_without_a_catastrophe() {
    for seed in 0..40 {
        let hand = rolls(seed, &config("c", 4));
        let truth = hand.lab.truth();
        assert_eq!(truth.catastrophes(), Vec::<&crate::Catastrophe>::new(), "seed {seed}");
        assert!(truth.builds(&hand.cluster).values().all(|b| b.to_string() == "25398.1665"), "seed {seed}");
        assert!(truth.repeated().is_empty() && truth.at_rest(&hand.cluster), "seed {seed}");
    }
}

#[test]
fn two_nodes_with_a_witness_roll_on_to_24h2_from_media() {
    for seed in 0..10 {
        let mut hand = rolls(seed, &config("c", 2));
        hand.target = Target { version: Version::V24H2, revision: 0 };
        hand.source = BitsSource::Media { path: r"D:\Media\24H2".to_owned() };
        hand.upgrade(&n(1));
        hand.upgrade(&n(2));
        let truth = hand.lab.truth();
        assert_eq!(truth.catastrophes(), Vec::<&crate::Catastrophe>::new(), "seed {seed}");
        assert!(truth.builds(&hand.cluster).values().all(|b| b.to_string() == "26100.4349"), "seed {seed}");
    }
}

#[test]
fn the_same_seed_and_orders_give_the_same_log_byte_for_byte() {
    let one = rolls(7, &config("c", 4));
    let other = rolls(7, &config("c", 4));
    assert_eq!(log(&one), log(&other));
    assert_eq!(one.lab, other.lab);
    assert_ne!(log(&one), log(&rolls(8, &config("c", 4))));
}

#[test]
fn the_log_tells_an_upgrade() {
    let mut hand = Hand::new(1, 4);
    hand.registry_pass(&n(2));
    hand.upgrade(&n(2));
    expect![[r#"
        2026-11-18T11:06:40Z N02 wrote-registry (order c/1.ab/4, accepted 2026-11-18T11:06:40Z)
        2026-11-18T11:06:40Z N02 suspended (order c/1.ab/8, accepted 2026-11-18T11:06:40Z)
        2026-11-18T11:10:45Z N02 went-down (order c/1.ab/12, accepted 2026-11-18T11:10:40Z)
        2026-11-18T11:16:40Z N02 resumed (order c/1.ab/16, accepted 2026-11-18T11:16:40Z)
        2026-11-18T11:34:40Z N02 suspended (order c/1.ab/20, accepted 2026-11-18T11:34:40Z)
        2026-11-18T11:39:40Z N02 began-install 23H2 attempt 1 (order c/1.ab/24, accepted 2026-11-18T11:39:40Z)
        2026-11-18T13:27:50Z N02 committed 23H2 attempt 1 (order c/1.ab/28, accepted 2026-11-18T13:27:40Z)
        2026-11-18T13:31:38Z N02 went-down (order c/1.ab/28, accepted 2026-11-18T13:27:40Z)
        2026-11-18T13:47:04Z N02 changed-build 20349.3700 to 25398.1665 (order c/1.ab/28, accepted 2026-11-18T13:27:40Z)
        2026-11-18T13:48:40Z N02 resumed (order c/1.ab/32, accepted 2026-11-18T13:48:40Z)
    "#]]
    .assert_eq(&log(&hand));
}

#[test]
fn a_lab_left_alone_stays_as_it_is() {
    let mut hand = rolls(3, &config("c", 2));
    hand.wait(Millis::hours(24));
    let (effects, builds) = (log(&hand), hand.lab.truth().builds(&hand.cluster));
    hand.wait(Millis::hours(24 * 30));
    assert_eq!((log(&hand), hand.lab.truth().builds(&hand.cluster)), (effects, builds));
    assert_eq!(hand.lab.next_event(), None);
}
