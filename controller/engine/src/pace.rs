//! How soon the next lap comes. The one file that knows the crate `backoff`, which is no longer maintained.

use backoff::backoff::Backoff;
use backoff::exponential::ExponentialBackoffBuilder;
use drydock_model::plan::Recheck;
use drydock_model::time::{Millis, Timestamp};
use std::time::Duration;

/// How long to sleep between laps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pacing {
    /// After an entry was written: a breath, so that a fault in the planner is no hot loop.
    pub breath: Millis,
    /// While something is at work.
    pub soon: Millis,
    /// While something is waited for.
    pub usual: Millis,
    /// While nothing is expected before a known moment, and once converged.
    pub idle: Millis,
}

impl Default for Pacing {
    fn default() -> Pacing {
        Pacing { breath: Millis::seconds(1), soon: Millis::seconds(10), usual: Millis::seconds(60), idle: Millis::minutes(5) }
    }
}

/// The longest pause after errors; a remote that comes back is noticed within this.
const MOST: Duration = Duration::from_secs(300);

/// The pace of one cluster, or of one port.
pub struct Pace {
    pacing: Pacing,
    slowing: backoff::exponential::ExponentialBackoff<backoff::SystemClock>,
}

impl Pace {
    /// A pace that has met no error yet.
    pub fn new(pacing: Pacing) -> Pace {
        let slowing = ExponentialBackoffBuilder::new()
            .with_initial_interval(Duration::from_millis(pacing.soon.0))
            // Chance comes from the dice port, in `spread`.
            .with_randomization_factor(0.0)
            .with_multiplier(2.0)
            .with_max_interval(MOST.max(Duration::from_millis(pacing.soon.0)))
            // Nothing here gives up, so the clock that the crate reads for that decides nothing.
            .with_max_elapsed_time(None)
            .build();
        Pace { pacing, slowing }
    }

    /// After a lap that went well.
    pub fn after(&mut self, recheck: Recheck, converged: bool, now: Timestamp) -> Millis {
        self.slowing.reset();
        match recheck {
            _ if converged => self.pacing.idle,
            Recheck::Soon => self.pacing.soon,
            Recheck::Usual => self.pacing.usual,
            Recheck::At(at) => at.since(now).max(self.pacing.soon).min(self.pacing.idle),
        }
    }

    /// After an entry was written.
    pub fn at_once(&mut self) -> Millis {
        self.slowing.reset();
        self.pacing.breath
    }

    /// After something went well: the next error is the first one again.
    pub fn well(&mut self) {
        self.slowing.reset();
    }

    /// After an error.
    pub fn slower(&mut self) -> Millis {
        let next = self.slowing.next_backoff().unwrap_or(MOST);
        Millis(u64::try_from(next.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A pause, up to a tenth longer by chance, so that many clusters do not ask at once.
pub fn spread(pause: Millis, dice: u64) -> Millis {
    pause.plus(Millis(dice % (pause.0 / 10 + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn errors_slow_down_up_to_a_bound_and_one_good_lap_ends_that() {
        let mut pace = Pace::new(Pacing::default());
        let pauses: Vec<u64> = (0..7).map(|_| pace.slower().0 / 1_000).collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300]);
        pace.after(Recheck::Soon, false, NOW);
        assert_eq!(pace.slower(), Millis::seconds(10));
    }

    #[test]
    fn a_known_moment_is_slept_to_but_never_for_longer_than_an_idle_cluster_is_left_alone() {
        let mut pace = Pace::new(Pacing::default());
        assert_eq!(pace.after(Recheck::At(NOW + Millis::seconds(90)), false, NOW), Millis::seconds(90));
        assert_eq!(pace.after(Recheck::At(NOW + Millis::hours(9)), false, NOW), Millis::minutes(5));
        assert_eq!(pace.after(Recheck::At(NOW), false, NOW), Millis::seconds(10));
        assert_eq!(pace.after(Recheck::Soon, true, NOW), Millis::minutes(5));
    }

    #[test]
    fn pauses_are_spread_by_at_most_a_tenth() {
        for dice in [0, 1, 7, u64::MAX] {
            let pause = spread(Millis::seconds(100), dice);
            assert!((Millis::seconds(100)..=Millis::seconds(110)).contains(&pause), "{pause}");
        }
    }
}
