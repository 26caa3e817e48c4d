//! How long a remote is waited for by somebody who has other things to do: a controller that waits for a silent remote looks at no node meanwhile, and what
//! it saw before is too old to act on (design: the way back needs no git).

use crate::remote::Remote;
use crate::trouble::Trouble;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long one fetch may take where nothing waits for it. The history of a fleet of thousands, over a slow line, takes less.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// And at first where every cluster's look at its nodes waits for it.
const HURRIED: Duration = Duration::from_secs(30);

/// Without a hurry: the longest bound, and never a rest.
#[derive(Debug)]
pub(crate) struct Patience {
    hurried: bool,
    bound: Cell<Duration>,
    rests_until: Cell<Option<Instant>>,
}

impl Default for Patience {
    fn default() -> Self {
        Self { hurried: false, bound: Cell::new(LONGEST), rests_until: Cell::new(None) }
    }
}

impl Patience {
    /// From here on others wait for this.
    pub(crate) fn hurry(&mut self) {
        if !self.hurried {
            (self.hurried, self.bound) = (true, Cell::new(HURRIED));
        }
    }

    /// Nothing waits any more: the remote is asked at once.
    pub(crate) fn rested(&self) {
        self.rests_until.set(None);
    }

    /// How long one fetch may take now.
    pub(crate) fn bound(&self) -> Duration {
        self.bound.get()
    }

    /// When it began; an error while the remote rests.
    pub(crate) fn begin(&self, remote: &Remote) -> Result<Instant, Trouble> {
        let now = now();
        if self.rests_until.get().is_some_and(|until| now < until) {
            let source = git2::Error::from_str("it is asked again after a pause, so that the nodes need not wait for it");
            return Err(Trouble::TimedOut { remote: remote.to_string(), source });
        }
        Ok(now)
    }

    /// Who was waited for in vain is left alone twice as long. One that takes long, and is at work, gets more time at the next try.
    pub(crate) fn ended(&self, began: Instant, trouble: Option<&Trouble>) {
        let in_vain = |trouble: &&Trouble| {
            matches!(trouble, Trouble::TimedOut { .. } | Trouble::Unreachable { .. } | Trouble::TooMuch { .. } | Trouble::Server { .. })
        };
        if !self.hurried {
            return;
        }
        // A lock, or a full disk, is no silence.
        let trouble = trouble.filter(in_vain);
        self.rests_until.set(trouble.map(|_| now() + began.elapsed() * 2));
        match trouble {
            Some(Trouble::TooMuch { .. }) => self.bound.set((self.bound.get() * 2).min(LONGEST)),
            Some(_) => {}
            None => self.bound.set(HURRIED),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "bounds a wait for a foreign machine; what is decided never depends on it")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
