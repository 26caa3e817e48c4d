//! The clock of commands. The only place of the command line that reads the machine's time or sleeps.

use drydock_model::time::{Millis, Timestamp};

/// Time.
pub trait Time {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// Sleeps; `false` when there is no time any more, and a command that repeats itself ends.
    fn sleep(&mut self, time: Millis) -> bool;
}

/// The machine's.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Time for System {
    #[allow(clippy::disallowed_methods, reason = "the clock adapter of the command line")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }

    #[allow(clippy::disallowed_methods, reason = "the clock adapter of the command line")]
    fn sleep(&mut self, time: Millis) -> bool {
        std::thread::sleep(std::time::Duration::from_millis(time.0));
        true
    }
}

impl drydock_engine::ports::Clock for System {
    fn now(&self) -> Timestamp {
        Time::now(self)
    }

    async fn sleep(&self, time: Millis) {
        tokio::time::sleep(std::time::Duration::from_millis(time.0)).await;
    }

    #[allow(clippy::disallowed_methods, reason = "the dice adapter of the command line")]
    fn dice(&self) -> u64 {
        let mut bytes = [0; 8];
        match getrandom::fill(&mut bytes) {
            Ok(()) => u64::from_ne_bytes(bytes),
            // Without entropy a claim's nonce could be guessed, and two controllers could be taken for one.
            Err(e) => panic!("the system has no entropy: {e}"),
        }
    }
}
