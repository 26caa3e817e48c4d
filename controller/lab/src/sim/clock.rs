//! Virtual time: the lab's own, as a controller with a wrong clock may read it.

use super::{Shared, lock};
use crate::dice::Dice;
use drydock_engine::ports::Clock;
use drydock_model::time::{Millis, Timestamp};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// Who makes time pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sleep {
    /// Every sleep passes at once and takes the lab along: for one task alone.
    Drives,
    /// A sleep ends when somebody has called [`SimClock::advance_to`]: for several tasks.
    Waits,
}

/// A controller's clock and dice.
#[derive(Debug, Clone)]
pub struct SimClock {
    lab: Shared,
    how: Sleep,
    own: Arc<Mutex<Own>>,
}

#[derive(Debug)]
struct Own {
    /// By how much this controller's clock is ahead, in milliseconds.
    skew: i64,
    dice: Dice,
    sleepers: Vec<(Timestamp, Waker)>,
}

impl SimClock {
    /// A clock over a lab's time.
    pub fn new(lab: Shared, how: Sleep, seed: u64) -> SimClock {
        SimClock { lab, how, own: Arc::new(Mutex::new(Own { skew: 0, dice: Dice::named(seed, "controller"), sleepers: Vec::new() })) }
    }

    /// Sets this controller's clock wrong.
    pub fn set_skew(&self, millis: i64) {
        lock(&self.own).skew = millis;
    }

    /// By how much it is wrong.
    pub fn skew(&self) -> i64 {
        lock(&self.own).skew
    }

    /// The lab's own time.
    pub fn true_time(&self) -> Timestamp {
        lock(&self.lab).now()
    }

    /// When the next sleep ends; `None` when nobody sleeps.
    pub fn next_wake(&self) -> Option<Timestamp> {
        lock(&self.own).sleepers.iter().map(|(until, _)| *until).min()
    }

    /// Time passes, and who has slept enough wakes.
    pub fn advance_to(&self, to: Timestamp) {
        lock(&self.lab).advance_to(to);
        let mut own = lock(&self.own);
        let sleepers = std::mem::take(&mut own.sleepers);
        let (due, left): (Vec<_>, Vec<_>) = sleepers.into_iter().partition(|(until, _)| *until <= to);
        own.sleepers = left;
        drop(own);
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let skew = self.skew();
        Timestamp(self.true_time().0.saturating_add(skew))
    }

    async fn sleep(&self, time: Millis) {
        let until = self.true_time() + time;
        match self.how {
            Sleep::Drives => lock(&self.lab).advance_to(until),
            Sleep::Waits => {
                poll_fn(|context| {
                    if self.true_time() >= until {
                        return Poll::Ready(());
                    }
                    let mut own = lock(&self.own);
                    own.sleepers.retain(|(_, waker)| !waker.will_wake(context.waker()));
                    own.sleepers.push((until, context.waker().clone()));
                    Poll::Pending
                })
                .await;
            }
        }
    }

    fn dice(&self) -> u64 {
        lock(&self.own).dice.roll()
    }
}
