//! Windows as people write and read them, and why a text is none.

use super::{Day, Exclusion, LONGEST, MOST_EXCLUSIONS, MOST_WINDOWS, Nth, Schedule, TimeOfDay, Window, Windows, Zone};
use crate::time::{Millis, Timestamp};
use jiff::civil::Weekday;
use jiff::tz::TimeZoneDatabase;
use std::fmt;
use std::str::FromStr;

/// Days after Patch Tuesday; with 28 the next one could come first.
const MOST_DAYS_AFTER: u8 = 27;

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl FromStr for Zone {
    type Err = WindowError;
    fn from_str(text: &str) -> Result<Zone, WindowError> {
        let rules = TimeZoneDatabase::bundled().get(text).map_err(|_| WindowError::Zone(text.to_owned()))?;
        // The database does not tell cases apart; the name in its own spelling does, so that equal zones are equal.
        let name = rules.iana_name().ok_or_else(|| WindowError::Zone(text.to_owned()))?.to_owned();
        Ok(Zone { name, rules })
    }
}

/// `always open`, or the windows one after another, and how many exclusions there are.
impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.recurring.is_empty() {
            f.write_str("always open")?;
        }
        for (i, window) in self.recurring.iter().enumerate() {
            write!(f, "{}{window}", if i == 0 { "" } else { "; " })?;
        }
        match self.exclusions.len() {
            0 => Ok(()),
            1 => f.write_str(", less 1 exclusion"),
            n => write!(f, ", less {n} exclusions"),
        }
    }
}

/// `weekly on Saturday at 22:00 for 6h (Europe/Berlin)`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {} ({})", self.schedule, self.duration, self.zone)
    }
}

/// As a schedule is written: `second Tuesday of the month at 21:00`.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.day {
            Day::Daily => f.write_str("daily")?,
            Day::Weekly(on) => write!(f, "weekly on {}", name_of(on))?,
            Day::Monthly(nth, on) => write!(f, "{nth} {} of the month", name_of(on))?,
            Day::PatchTuesday(0) => f.write_str("Patch Tuesday")?,
            Day::PatchTuesday(1) => f.write_str("Patch Tuesday + 1 day")?,
            Day::PatchTuesday(days) => write!(f, "Patch Tuesday + {days} days")?,
        }
        write!(f, " at {}", self.at)
    }
}

impl fmt::Display for Nth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Nth::First => "first",
            Nth::Second => "second",
            Nth::Third => "third",
            Nth::Fourth => "fourth",
            Nth::Last => "last",
        })
    }
}

/// `21:00`.
impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

/// `2026-12-20T00:00:00Z to 2027-01-06T00:00:00Z: year-end freeze`.
impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}: {}", self.start, self.end, self.reason)
    }
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("Monday", Weekday::Monday),
    ("Tuesday", Weekday::Tuesday),
    ("Wednesday", Weekday::Wednesday),
    ("Thursday", Weekday::Thursday),
    ("Friday", Weekday::Friday),
    ("Saturday", Weekday::Saturday),
    ("Sunday", Weekday::Sunday),
];

fn name_of(day: Weekday) -> &'static str {
    WEEKDAYS.iter().find(|(_, d)| *d == day).map_or("", |(name, _)| name)
}

/// Reads `daily at 01:00`, `weekly on Saturday at 22:00`, `second Tuesday of the month at 21:00`, `Patch Tuesday + 11 days at 21:00`; cases and the
/// number of spaces do not matter.
impl FromStr for Schedule {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<Schedule, ScheduleError> {
        let lower = text.to_ascii_lowercase().replace('+', " + ");
        let words: Vec<&str> = lower.split_ascii_whitespace().collect();
        let (day, time) = match words.as_slice() {
            ["daily", "at", time] => (Day::Daily, time),
            ["weekly", "on", day, "at", time] => (Day::Weekly(weekday(day)?), time),
            [nth @ ("first" | "second" | "third" | "fourth" | "fifth" | "last"), day, "of", "the", "month", "at", time] => {
                (Day::Monthly(ordinal(nth)?, weekday(day)?), time)
            }
            ["patch", "tuesday", "at", time] => (Day::PatchTuesday(0), time),
            ["patch", "tuesday", "+", days, "day" | "days", "at", time] => (Day::PatchTuesday(days_after(days)?), time),
            _ => return Err(ScheduleError::NotASchedule),
        };
        Ok(Schedule { day, at: time.parse()? })
    }
}

fn weekday(word: &str) -> Result<Weekday, ScheduleError> {
    let found = WEEKDAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, day)| *day).ok_or_else(|| ScheduleError::NotAWeekday(word.to_owned()))
}

fn ordinal(word: &str) -> Result<Nth, ScheduleError> {
    match word {
        "first" => Ok(Nth::First),
        "second" => Ok(Nth::Second),
        "third" => Ok(Nth::Third),
        "fourth" => Ok(Nth::Fourth),
        "last" => Ok(Nth::Last),
        _ => Err(ScheduleError::NotEveryMonth),
    }
}

fn days_after(word: &str) -> Result<u8, ScheduleError> {
    let days = word.bytes().all(|b| b.is_ascii_digit()).then(|| word.parse().ok()).flatten();
    days.filter(|d| *d <= MOST_DAYS_AFTER).ok_or_else(|| ScheduleError::NotDaysAfter(word.to_owned()))
}

impl FromStr for TimeOfDay {
    type Err = ScheduleError;
    fn from_str(text: &str) -> Result<TimeOfDay, ScheduleError> {
        let wrong = || ScheduleError::NotATime(text.to_owned());
        let two = |s: &str| (s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok()).flatten();
        let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
        let (Some(hour), Some(minute)) = (two(hour), two(minute)) else { return Err(wrong()) };
        TimeOfDay::new(hour, minute).ok_or_else(wrong)
    }
}

/// Why a text is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleError {
    /// It has none of the four forms.
    NotASchedule,
    /// A word where a weekday is expected.
    NotAWeekday(String),
    /// Some months have no fifth such day.
    NotEveryMonth,
    /// Not a number of days from 0 to 27.
    NotDaysAfter(String),
    /// Not a time of day.
    NotATime(String),
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScheduleError::NotASchedule => f.write_str(
                "is none of the forms `daily at 01:00`, `weekly on Saturday at 22:00`, `second Tuesday of the month at 21:00`, `Patch Tuesday + 11 days at 21:00`",
            ),
            ScheduleError::NotAWeekday(word) => write!(f, "has {word:?} where a weekday is expected: Monday, Tuesday, … Sunday"),
            ScheduleError::NotEveryMonth => f.write_str("names a fifth weekday, which some months lack; say first, second, third, fourth or last"),
            ScheduleError::NotDaysAfter(word) => write!(f, "has {word:?} where a number of days from 0 to {MOST_DAYS_AFTER} is expected"),
            ScheduleError::NotATime(word) => write!(f, "has {word:?} where a time from 00:00 to 23:59 is expected"),
        }
    }
}

impl std::error::Error for ScheduleError {}

/// Why windows cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WindowError {
    /// Not a zone of the database.
    Zone(String),
    /// Not whole minutes from one minute to [`LONGEST`].
    Duration(Millis),
    /// An exclusion that excludes nothing.
    EndsBeforeItStarts {
        /// Its start.
        start: Timestamp,
        /// Its end, which is not later.
        end: Timestamp,
    },
    /// More than [`MOST_WINDOWS`].
    TooManyWindows(usize),
    /// More than [`MOST_EXCLUSIONS`].
    TooManyExclusions(usize),
}

impl fmt::Display for WindowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WindowError::Zone(name) => write!(f, "{name:?} is not a time zone; write an IANA name, as in Europe/Berlin"),
            WindowError::Duration(_) => write!(f, "a window lasts whole minutes, from 1m to {LONGEST}"),
            WindowError::EndsBeforeItStarts { start, end } => write!(f, "ends at {end}, which is not after its start at {start}"),
            WindowError::TooManyWindows(found) => write!(f, "{found} windows; at most {MOST_WINDOWS} are allowed"),
            WindowError::TooManyExclusions(found) => {
                write!(f, "{found} exclusions; at most {MOST_EXCLUSIONS} are allowed, the fleet's included")
            }
        }
    }
}

impl std::error::Error for WindowError {}
