//! A clock that runs faster: the lab and every controller beside it read the same one.

use drydock_engine::ports::Clock;
use drydock_model::time::{Millis, Timestamp};

/// Another clock, `speed` times as fast since `origin`. Two processes with the same origin and speed agree.
#[derive(Debug, Clone)]
pub struct ScaledClock<C> {
    inner: C,
    origin: Timestamp,
    speed: u32,
}

impl<C: Clock> ScaledClock<C> {
    /// `inner`, `speed` times as fast since `origin`; a speed of 0 counts as 1.
    pub fn new(inner: C, origin: Timestamp, speed: u32) -> ScaledClock<C> {
        ScaledClock { inner, origin, speed: speed.max(1) }
    }
}

impl<C: Clock> Clock for ScaledClock<C> {
    fn now(&self) -> Timestamp {
        self.origin + self.inner.now().since(self.origin).times(u64::from(self.speed))
    }

    async fn sleep(&self, time: Millis) {
        // Rounded up, so that a sleep is never over before its time.
        self.inner.sleep(Millis(time.0.div_ceil(u64::from(self.speed)))).await;
    }

    fn dice(&self) -> u64 {
        self.inner.dice()
    }
}
