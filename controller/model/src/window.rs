//! When work may be done: recurring windows of wall-clock time in a named zone, less exclusions. Reads no clock; zones come with the binary.
//!
//! Both edges of a window are read off the wall clock, so its duration is wall-clock time: "22:00 for 6h" ends at 04:00 by the clock on the wall, also
//! in the night in which an hour is skipped (five hours pass) or repeated (seven pass). What people agree on is when the cluster is theirs again, and
//! that is a time of day. An edge in a skipped hour moves to the first minute that exists; an edge in a repeated hour has two readings, and a
//! moment is open only if it is open under both.

use crate::time::{Millis, Timestamp};
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::hash::{Hash, Hasher};

mod shape;
#[cfg(test)]
mod tests;
mod text;

use shape::{ExclusionShape, WindowShape, WindowsShape};
pub use text::{ScheduleError, WindowError};

/// The recurring windows of one cluster, less its exclusions. No window at all means: always open.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WindowsShape", into = "WindowsShape")]
#[schemars(with = "WindowsShape")]
pub struct Windows {
    /// Each opens on its own; where they touch or overlap they are one.
    recurring: Vec<Window>,
    /// Closed here, whatever the windows say.
    exclusions: Vec<Exclusion>,
}

/// One recurring window.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WindowShape", into = "WindowShape")]
#[schemars(with = "WindowShape")]
pub struct Window {
    schedule: Schedule,
    duration: Millis,
    zone: Zone,
}

/// On which days a window opens, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Schedule {
    /// Which days.
    pub day: Day,
    /// When on such a day, by the wall clock.
    pub at: TimeOfDay,
}

/// Which days a schedule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Day {
    /// Every day.
    Daily,
    /// Every week on this day.
    Weekly(Weekday),
    /// Every month on the first, second, … such day.
    Monthly(Nth, Weekday),
    /// So many days after the second Tuesday of each month, on which Microsoft publishes its updates.
    PatchTuesday(u8),
}

/// Which of a month's four or five Mondays, Tuesdays, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Nth {
    /// The first.
    First,
    /// The second.
    Second,
    /// The third.
    Third,
    /// The fourth. There is no fifth: some months lack it, and a window must not depend on that.
    Fourth,
    /// The last.
    Last,
}

/// A minute of the day, by the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay {
    hour: u8,
    minute: u8,
}

/// A zone of the IANA database, such as `Europe/Berlin`.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// A span in which nothing is begun, whatever the windows say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "ExclusionShape", into = "ExclusionShape")]
#[schemars(with = "ExclusionShape")]
pub struct Exclusion {
    start: Timestamp,
    end: Timestamp,
    reason: String,
}

/// The open span around a moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// When it opened; `None` when that is further back than [`HORIZON`], or there was never a closed moment.
    pub opened: Option<Timestamp>,
    /// The first moment that is closed again; `None` when none comes within [`HORIZON`].
    pub closes: Option<Timestamp>,
    /// The window that is open, in words.
    pub reason: String,
}

/// How far openings are looked for: thirteen months. Every schedule recurs within 62 days; a window that exclusions keep shut for longer than a
/// year is one that a person should look at, and the bound keeps one question below some ten thousand steps.
pub const HORIZON: Millis = Millis::hours(24 * 396);

/// The longest duration of one window: a month. A window that never closes is said by giving none.
pub const LONGEST: Millis = Millis::hours(24 * 31);

/// Windows of one cluster. More is a calendar, not a schedule; it also bounds the work of one question.
pub const MOST_WINDOWS: usize = 32;

/// Exclusions of one cluster, its fleet's included; bounds the work of one question.
pub const MOST_EXCLUSIONS: usize = 256;

impl Windows {
    /// No windows, no exclusions: always open.
    pub fn always() -> Windows {
        Windows::default()
    }

    /// These windows, less these exclusions.
    pub fn new(recurring: Vec<Window>, exclusions: Vec<Exclusion>) -> Result<Windows, WindowError> {
        if recurring.len() > MOST_WINDOWS {
            return Err(WindowError::TooManyWindows(recurring.len()));
        }
        if exclusions.len() > MOST_EXCLUSIONS {
            return Err(WindowError::TooManyExclusions(exclusions.len()));
        }
        Ok(Windows { recurring, exclusions })
    }

    /// The windows as given; empty means always open.
    pub fn recurring(&self) -> &[Window] {
        &self.recurring
    }

    /// The exclusions as given.
    pub fn exclusions(&self) -> &[Exclusion] {
        &self.exclusions
    }

    /// The open span around `at`, or `None` when it is closed then.
    pub fn open_span(&self, at: Timestamp) -> Option<Opening> {
        if self.exclusion_at(at).is_some() {
            return None;
        }
        let mut reach = if self.recurring.is_empty() { HORIZON } else { FIRST_REACH };
        loop {
            let (from, to) = (at - reach, at + reach);
            let around = self.stretches(from, to).into_iter().find(|s| s.from <= at && at < s.to)?;
            let (cut_before, cut_after) = (around.from <= from, to <= around.to);
            if !(cut_before || cut_after) || reach >= HORIZON {
                return Some(Opening {
                    opened: (!cut_before).then_some(around.from),
                    closes: (!cut_after).then_some(around.to),
                    reason: self.reason(at),
                });
            }
            reach = reach.times(8).min(HORIZON);
        }
    }

    /// The first open moment at or after `at`; `None` when none comes within [`HORIZON`].
    pub fn next_open(&self, at: Timestamp) -> Option<Timestamp> {
        let mut reach = FIRST_REACH;
        loop {
            let to = at + reach;
            if let Some(first) = self.stretches(at, to).into_iter().find(|s| at < s.to && s.from < to) {
                return Some(first.from.max(at));
            }
            if reach >= HORIZON {
                return None;
            }
            reach = reach.times(8).min(HORIZON);
        }
    }

    /// The exclusion that closes `at`, if one does.
    pub fn exclusion_at(&self, at: Timestamp) -> Option<&Exclusion> {
        self.exclusions.iter().find(|e| e.start <= at && at < e.end)
    }

    /// The first exclusion that holds at some moment of the `time` after `at`.
    pub fn exclusion_within(&self, at: Timestamp, time: Millis) -> Option<&Exclusion> {
        self.exclusions.iter().filter(|e| e.start < at + time && at < e.end).min_by_key(|e| e.start)
    }

    /// The longest of the windows as written, by the wall clock; `None` when always open. Windows that touch may together be longer:
    /// [`Windows::longest_after`] counts them as one, and counts exclusions.
    pub fn longest(&self) -> Option<Millis> {
        self.recurring.iter().map(|w| w.duration).max()
    }

    /// The longest open span of the [`HORIZON`] after `at`, of which what lies before `at` does not count; zero when there is none. The hour that comes
    /// twice when a clock is set back does not count either: what fits into one night of the year only is nothing to plan with.
    pub fn longest_after(&self, at: Timestamp) -> Millis {
        let ordinary = |s: Stretch| Millis(s.to.since(s.from.max(at)).0.saturating_sub(self.set_back(s).0));
        self.stretches(at, at + HORIZON).into_iter().map(ordinary).max().unwrap_or(Millis::ZERO)
    }

    /// By how much a clock of these windows is set back within a span; the most of them where they differ.
    fn set_back(&self, span: Stretch) -> Millis {
        self.recurring.iter().map(|w| w.zone.set_back(span)).max().unwrap_or(Millis::ZERO)
    }

    /// All open spans that touch `from..to`, oldest first, neither overlapping nor touching each other. One that reaches over an edge may be cut
    /// anywhere beyond it.
    fn stretches(&self, from: Timestamp, to: Timestamp) -> Vec<Stretch> {
        let open = if self.recurring.is_empty() {
            vec![Stretch { from, to }]
        } else {
            let (earlier, later): (Vec<Stretch>, Vec<Stretch>) = self.recurring.iter().flat_map(|w| w.occurrences(from, to)).unzip();
            // Most questions are nowhere near a change of the clock.
            if earlier == later { merge(earlier) } else { intersect(&merge(earlier), &merge(later)) }
        };
        let shut = merge(self.exclusions.iter().map(|e| Stretch { from: e.start, to: e.end }).collect());
        subtract(&open, &shut)
    }

    fn reason(&self, at: Timestamp) -> String {
        let within = |w: &&Window| w.occurrences(at, at).iter().any(|(_, later)| later.from <= at && at < later.to);
        match self.recurring.iter().find(within).or(self.recurring.first()) {
            Some(window) => window.to_string(),
            None => "always open".to_owned(),
        }
    }
}

/// How far the first look goes: a day and a half answers most questions, and each further look goes eight times as far.
const FIRST_REACH: Millis = Millis::hours(36);

/// A span from `from` up to, but not including, `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    from: Timestamp,
    to: Timestamp,
}

fn merge(mut spans: Vec<Stretch>) -> Vec<Stretch> {
    spans.retain(|s| s.from < s.to);
    spans.sort();
    let mut merged: Vec<Stretch> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            Some(_) | None => merged.push(span),
        }
    }
    merged
}

fn intersect(left: &[Stretch], right: &[Stretch]) -> Vec<Stretch> {
    let (mut l, mut r, mut both) = (0, 0, Vec::new());
    while let (Some(a), Some(b)) = (left.get(l), right.get(r)) {
        both.push(Stretch { from: a.from.max(b.from), to: a.to.min(b.to) });
        if a.to <= b.to { l += 1 } else { r += 1 }
    }
    merge(both)
}

fn subtract(open: &[Stretch], shut: &[Stretch]) -> Vec<Stretch> {
    let mut left = Vec::new();
    for span in open {
        let mut from = span.from;
        for cut in shut.iter().filter(|c| c.to > span.from && c.from < span.to) {
            left.push(Stretch { from, to: cut.from });
            from = cut.to;
        }
        left.push(Stretch { from, to: span.to });
    }
    left.retain(|s| s.from < s.to);
    left
}

impl Window {
    /// A window of whole minutes, at least one, at most [`LONGEST`].
    pub fn new(schedule: Schedule, duration: Millis, zone: Zone) -> Result<Window, WindowError> {
        if duration.0 == 0 || !duration.0.is_multiple_of(60_000) || duration > LONGEST {
            return Err(WindowError::Duration(duration));
        }
        Ok(Window { schedule, duration, zone })
    }

    /// On which days it opens, and when.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// How long it stays open, by the wall clock.
    pub fn duration(&self) -> Millis {
        self.duration
    }

    /// The zone of its wall clock.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Its occurrences that touch `from..=to`, each with its true edges: under the earlier reading of a repeated hour, and under the later one.
    fn occurrences(&self, from: Timestamp, to: Timestamp) -> Vec<(Stretch, Stretch)> {
        // Two days more on each side than the calendar needs: a zone is at most a day away from UTC, and a skipped day moves an edge by one more.
        let back = Millis(self.duration.0.saturating_add(2 * DAY.0));
        let (Some(first), Some(last)) = (utc_date(from - back), utc_date(to + DAY.times(2))) else {
            return Vec::new();
        };
        let minutes = jiff::SignedDuration::from_mins(i64::try_from(self.duration.0 / 60_000).unwrap_or(i64::MAX));
        self.schedule
            .days(first, last)
            .into_iter()
            .filter_map(|day| {
                let opens = day.to_datetime(self.schedule.at.time());
                let (first_opens, last_opens) = self.zone.instants(opens)?;
                let (first_closes, last_closes) = self.zone.instants(opens.checked_add(minutes).ok()?)?;
                Some((Stretch { from: first_opens, to: first_closes }, Stretch { from: last_opens, to: last_closes }))
            })
            .filter(|(earlier, later)| earlier.from <= to && from <= later.to)
            .collect()
    }
}

const DAY: Millis = Millis::hours(24);

fn utc_date(at: Timestamp) -> Option<Date> {
    jiff::Timestamp::from_millisecond(at.0).ok().map(|t| TimeZone::UTC.to_datetime(t).date())
}

impl Schedule {
    /// The days it names from `first` to `last`, in order.
    fn days(self, first: Date, last: Date) -> Vec<Date> {
        let within = |d: &Date| first <= *d && *d <= last;
        match self.day {
            Day::Daily => std::iter::successors(Some(first), |d| d.tomorrow().ok()).take_while(|d| *d <= last).collect(),
            Day::Weekly(on) => {
                let ahead = i64::from(on.since(first.weekday()));
                match first.checked_add(jiff::Span::new().days(ahead)) {
                    Ok(start) => start.series(jiff::Span::new().weeks(1)).take_while(|d| *d <= last).collect(),
                    Err(_) => Vec::new(),
                }
            }
            Day::Monthly(nth, on) => {
                months(first, last).filter_map(|m| m.nth_weekday_of_month(nth.number(), on).ok()).filter(within).collect()
            }
            Day::PatchTuesday(after) => months(first, last)
                .filter_map(|m| {
                    m.nth_weekday_of_month(2, Weekday::Tuesday).ok()?.checked_add(jiff::Span::new().days(i64::from(after))).ok()
                })
                .filter(within)
                .collect(),
        }
    }
}

/// The first days of all months from the one before `first` (days after its Patch Tuesday may lie in the next) to that of `last`.
fn months(first: Date, last: Date) -> impl Iterator<Item = Date> {
    let start = first.first_of_month();
    let start = start.checked_sub(jiff::Span::new().months(1)).unwrap_or(start);
    start.series(jiff::Span::new().months(1)).take_while(move |m| *m <= last)
}

impl Nth {
    fn number(self) -> i8 {
        match self {
            Nth::First => 1,
            Nth::Second => 2,
            Nth::Third => 3,
            Nth::Fourth => 4,
            Nth::Last => -1,
        }
    }
}

impl TimeOfDay {
    /// `hour` below 24, `minute` below 60.
    pub fn new(hour: u8, minute: u8) -> Option<TimeOfDay> {
        (hour < 24 && minute < 60).then_some(TimeOfDay { hour, minute })
    }

    fn time(self) -> Time {
        Time::midnight().saturating_add(jiff::SignedDuration::from_mins(i64::from(self.hour) * 60 + i64::from(self.minute)))
    }
}

impl Zone {
    /// The zone's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of all zones, for hints.
    pub fn all() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|n| n.as_str().to_owned()).collect()
    }

    /// By how much its wall clock shows less at the end of a span than has passed within it.
    fn set_back(&self, span: Stretch) -> Millis {
        let offset = |at: Timestamp| jiff::Timestamp::from_millisecond(at.0).ok().map(|t| i64::from(self.rules.to_offset(t).seconds()));
        match (offset(span.from), offset(span.to)) {
            (Some(before), Some(after)) => Millis::seconds(u64::try_from(before.saturating_sub(after)).unwrap_or(0)),
            (Some(_) | None, _) => Millis::ZERO,
        }
    }

    /// The first and the last instant at which this zone's wall clock shows `at`; in a skipped hour the first instant after it.
    fn instants(&self, at: DateTime) -> Option<(Timestamp, Timestamp)> {
        let ambiguous = self.rules.to_ambiguous_timestamp(at);
        let only = |instant: jiff::Timestamp| (instant, instant);
        let (first, last) = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset } => only(offset.to_timestamp(at).ok()?),
            AmbiguousOffset::Fold { before, after } => (before.to_timestamp(at).ok()?, after.to_timestamp(at).ok()?),
            // The skipped time, read by the clock's new offset, lies before the jump: the jump is the next change to that offset.
            AmbiguousOffset::Gap { after, .. } => {
                let before_the_jump = after.to_timestamp(at).ok()?;
                only(self.rules.following(before_the_jump).take(MOST_CHANGES).find(|t| t.offset() == after)?.timestamp())
            }
        };
        Some((Timestamp(first.as_millisecond()), Timestamp(last.as_millisecond())))
    }
}

/// Changes of a zone looked at to find the one that skipped a given time: it is the next one, save for changes of nothing but the zone's abbreviation.
const MOST_CHANGES: usize = 4;

impl Exclusion {
    /// From `start` up to, but not including, `end`.
    pub fn new(start: Timestamp, end: Timestamp, reason: String) -> Result<Exclusion, WindowError> {
        if end <= start {
            return Err(WindowError::EndsBeforeItStarts { start, end });
        }
        Ok(Exclusion { start, end, reason })
    }

    /// The first moment it closes.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The first moment it no longer closes.
    pub fn end(&self) -> Timestamp {
        self.end
    }

    /// Why.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Zone").field(&self.name).finish()
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
