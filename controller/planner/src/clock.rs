//! Freshness of facts, and whether the controller's clock can be trusted (rule 15).

use drydock_model::ledger::Ledger;
use drydock_model::observed::Observed;
use drydock_model::time::{Millis, Now, Stamp, Timestamp};

/// Facts older than this are unknown (S10).
pub const FRESH: Millis = Millis::minutes(2);

/// How far the controller's clock may be from the lower median of the answering nodes' (rule 15).
pub(crate) const CLOCKS_APART: Millis = Millis::minutes(2);

/// How far the controller's clock is from the lower median of the answering nodes' clocks; `None` when no node told its time.
///
/// A node's clock was read at some instant inside its span; the distance to the nearest end of the span counts, so that a slow answer is no skew.
pub fn clock_apart(observed: &Observed) -> Option<Millis> {
    let mut off: Vec<i64> = observed
        .nodes
        .values()
        .filter_map(|facts| {
            let (clock, seen) = (facts.clock.known()?, facts.clock.seen()?);
            Some(match *clock {
                Timestamp(t) if t < seen.from.0 => t - seen.from.0,
                Timestamp(t) if t > seen.to.0 => t - seen.to.0,
                Timestamp(_) => 0,
            })
        })
        .collect();
    off.sort_unstable();
    let middle = off.len().checked_sub(1)? / 2;
    off.get(middle).map(|ms| Millis(ms.unsigned_abs()))
}

/// The time to write into an entry: known only where the clocks agree, and not before an earlier entry's unless a person accepted the clock.
pub fn stamp(observed: &Observed, ledger: &Ledger, now: Now) -> Stamp {
    let agree = clock_apart(observed).is_some_and(|apart| apart <= CLOCKS_APART);
    let backwards = ledger.last_stamp.is_some_and(|last| now.at < last) && !ledger.clock_accepted;
    if agree && !backwards { Stamp::At(now.at) } else { Stamp::Unknown }
}
