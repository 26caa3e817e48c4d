//! Instants and lengths of time. Never reads a clock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Add, Sub};

/// A length of time in milliseconds, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// No time at all.
    pub const ZERO: Millis = Millis(0);

    /// `n` seconds.
    pub const fn seconds(n: u64) -> Millis {
        Millis(n * 1_000)
    }

    /// `n` minutes.
    pub const fn minutes(n: u64) -> Millis {
        Millis(n * 60_000)
    }

    /// `n` hours.
    pub const fn hours(n: u64) -> Millis {
        Millis(n * 3_600_000)
    }

    /// The sum, at most `u64::MAX`.
    pub const fn plus(self, other: Millis) -> Millis {
        Millis(self.0.saturating_add(other.0))
    }

    /// `n` times this, at most `u64::MAX`.
    pub const fn times(self, n: u64) -> Millis {
        Millis(self.0.saturating_mul(n))
    }
}

/// `90s`, `15m`, `2h30m`, `3d4h`: at most two units, rounded down.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0 / 1_000;
        let (d, h, m) = (s / 86_400, s / 3_600 % 24, s / 60 % 60);
        match (d, h, m) {
            (0, 0, 0) => write!(f, "{s}s"),
            (0, 0, m) if s.is_multiple_of(60) => write!(f, "{m}m"),
            (0, 0, m) if m < 10 => write!(f, "{m}m{}s", s % 60),
            (0, 0, m) => write!(f, "{m}m"),
            (0, h, 0) => write!(f, "{h}h"),
            (0, h, m) => write!(f, "{h}h{m}m"),
            (d, 0, _) => write!(f, "{d}d"),
            (d, h, _) => write!(f, "{d}d{h}h"),
        }
    }
}

/// An instant: milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Timestamp) -> Millis {
        Millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The distance between the two, whichever is first.
    pub fn distance(self, other: Timestamp) -> Millis {
        Millis(self.0.abs_diff(other.0))
    }
}

impl Add<Millis> for Timestamp {
    type Output = Timestamp;
    fn add(self, rhs: Millis) -> Timestamp {
        Timestamp(self.0.saturating_add(i64::try_from(rhs.0).unwrap_or(i64::MAX)))
    }
}

impl Sub<Millis> for Timestamp {
    type Output = Timestamp;
    fn sub(self, rhs: Millis) -> Timestamp {
        Timestamp(self.0.saturating_sub(i64::try_from(rhs.0).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC to the second; the bare number of milliseconds when it lies outside the calendar.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0.div_euclid(1_000)) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

/// The time of a lap, as the controller's own clock has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Wall clock.
    pub at: Timestamp,
}

/// The instants between which something was read: true at some instant inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// When the reading began.
    pub from: Timestamp,
    /// When the answer was complete.
    pub to: Timestamp,
}

impl Span {
    /// A span of no length.
    pub const fn at(t: Timestamp) -> Span {
        Span { from: t, to: t }
    }
}

/// The time written into an entry: only where the controller's clock agreed with the nodes' (rule 15).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Stamp {
    /// The clocks agreed.
    At(Timestamp),
    /// They did not, or could not be compared; never used in arithmetic.
    Unknown,
}

impl Stamp {
    /// The instant, where there is one.
    pub fn known(self) -> Option<Timestamp> {
        match self {
            Stamp::At(t) => Some(t),
            Stamp::Unknown => None,
        }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stamp::At(t) => t.fmt(f),
            Stamp::Unknown => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_print_in_at_most_two_units() {
        let check = |s: u64, text: &str| assert_eq!(Millis::seconds(s).to_string(), text);
        check(0, "0s");
        check(59, "59s");
        check(60, "1m");
        check(90, "1m30s");
        check(900, "15m");
        check(9_000, "2h30m");
        check(90_000, "1d1h");
    }

    #[test]
    fn instants_print_as_utc() {
        assert_eq!(Timestamp(1_763_890_000_999).to_string(), "2025-11-23T09:26:40Z");
    }
}
