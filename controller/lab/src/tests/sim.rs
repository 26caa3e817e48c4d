//! The ports over a lab in the same process.

use super::hand::{START, config, known, n};
use super::process::wanted;
use crate::sim::{Branch, SimClock, SimClusters, SimSource, SimStore, SimWorld, Sleep};
use crate::{Durations, Lab};
use drydock_engine::ports::{Clock, Clusters, Fleet, Source, SourceError, World};
use drydock_model::fact::Fact;
use drydock_model::time::{Millis, Span};
use std::sync::{Arc, Mutex};

fn world(how: Sleep) -> SimWorld {
    let mut lab = Lab::new(5, START, Durations::real());
    lab.add(&config("c", 4));
    let lab = Arc::new(Mutex::new(lab));
    let clock = SimClock::new(lab.clone(), how, 5);
    let fleet = Fleet { revision: "aa".parse().unwrap(), clusters: Default::default(), problems: Vec::new(), refused: None };
    SimWorld {
        source: SimSource::new(fleet),
        store: Arc::new(SimStore::new(Branch::new(), "one", clock.clone())),
        clusters: SimClusters::new(lab, clock.clone()),
        clock,
    }
}

#[tokio::test]
async fn a_driving_sleep_passes_at_once_and_takes_the_lab_along() {
    let world = world(Sleep::Drives);
    world.clock().sleep(Millis::hours(5)).await;
    assert_eq!(world.clock().now(), START + Millis::hours(5));
}

#[tokio::test]
async fn a_waiting_sleep_ends_when_time_was_advanced_and_not_before() {
    let world = world(Sleep::Waits);
    let clock = world.clock.clone();
    let slept = tokio::spawn(async move { clock.sleep(Millis::minutes(2)).await });
    tokio::task::yield_now().await;
    assert_eq!(world.clock.next_wake(), Some(START + Millis::minutes(2)));
    world.clock.advance_to(START + Millis::minutes(1));
    tokio::task::yield_now().await;
    assert!(!slept.is_finished());
    world.clock.advance_to(START + Millis::minutes(2));
    slept.await.unwrap();
    assert_eq!(world.clock.next_wake(), None);
}

#[tokio::test]
async fn a_controller_with_a_wrong_clock_dates_what_it_sees_by_it() {
    let world = world(Sleep::Drives);
    world.clock.set_skew(90_000);
    let seen = world.clusters().observe(&wanted(4)).await;
    let now = START + Millis::seconds(90);
    assert_eq!(world.clock().now(), now);
    assert_eq!(seen.span, Span::at(now));
    let node = &seen.nodes[&n(1)];
    assert!(matches!(&node.clock, Fact::Known { value, seen } if *value == START && *seen == Span::at(now)), "{:?}", node.clock);
    assert!(known(&node.view).members.len() == 4);
}

#[tokio::test]
async fn a_source_gives_what_was_set_and_stirs_once() {
    let world = world(Sleep::Drives);
    assert_eq!(world.source().read().await.unwrap().revision.as_str(), "aa");
    world.source.set(Err(SourceError::Unreachable("down".to_owned())));
    world.source().stirred().await;
    assert_eq!(world.source().read().await, Err(SourceError::Unreachable("down".to_owned())));
}

#[test]
fn two_clocks_of_one_seed_draw_the_same() {
    let draw = |w: SimWorld| (0..3).map(|_| w.clock.dice()).collect::<Vec<_>>();
    assert_eq!(draw(world(Sleep::Drives)), draw(world(Sleep::Waits)));
}
