//! Single values: names, durations, instants, windows, paths, addresses. A value of the wrong type is passed over, since [`crate::structure`] tells it.

use crate::code::Code;
use crate::diagnostic::{Place, Problems};
use crate::duration;
use crate::similar::{is_invisible, looks_like, nearest};
use crate::tree::{Node, Scalar, Value};
use drydock_model::ids::NameError;
use drydock_model::time::{Millis, Timestamp};
use drydock_model::window::{Exclusion, LONGEST, Schedule, ScheduleError, Window, Zone};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Characters of a text that is shown in every hold.
const MOST_TEXT: usize = 200;
/// Windows allows paths of 260 characters; what Setup unpacks below the folder needs the rest.
const MOST_PATH: usize = 200;

/// A name of any kind.
pub(super) fn name<T: FromStr<Err = NameError>>(node: &Node, what: &str, problems: &mut Problems) -> Option<T> {
    let text = node.text()?;
    match text.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            let hint = match &error {
                NameError::BadCharacter(c) => match looks_like(*c) {
                    Some(plain) => format!("U+{:04X} only looks like `{plain}`: type it anew", u32::from(*c)),
                    None if c.is_ascii_uppercase() => "write it in lower case".to_owned(),
                    None if *c == '.' => "write the short name; a full one belongs into `address`".to_owned(),
                    None => "delete the character, or write `-` for it".to_owned(),
                },
                NameError::Empty => "give it a name".to_owned(),
                NameError::TooLong { .. } => "shorten it".to_owned(),
                NameError::BadEdge(_) => "begin and end with a letter or digit".to_owned(),
            };
            problems.error_with(Code::BadName, &node.place, format!("{what} {error}"), hint);
            None
        }
    }
}

/// One line for people.
pub(super) fn line(node: &Node, what: &str, problems: &mut Problems) -> Option<String> {
    let text = node.text()?;
    let length = text.chars().count();
    let wrong = if text.trim().is_empty() {
        Some("is empty".to_owned())
    } else if length > MOST_TEXT {
        Some(format!("has {length} characters; at most {MOST_TEXT} are allowed"))
    } else if text.contains(['\n', '\r', '\t']) {
        Some("must be one line, without tabs".to_owned())
    } else {
        text.chars().find(|c| is_invisible(*c)).map(|c| format!("holds U+{:04X}, which cannot be seen", u32::from(c)))
    };
    match wrong {
        Some(wrong) => {
            problems.error_with(
                Code::BadText,
                &node.place,
                format!("`{what}` {wrong}"),
                "write one line that tells a person what to do or whom to ask",
            );
            None
        }
        None => Some(text.to_owned()),
    }
}

/// A whole number within bounds.
pub(super) fn number(node: &Node, what: &str, bounds: RangeInclusive<u16>, problems: &mut Problems) -> Option<u16> {
    let Value::Scalar(_, Scalar::Int(number)) = node.value else { return None };
    match u16::try_from(number).ok().filter(|n| bounds.contains(n)) {
        Some(number) => Some(number),
        None => {
            let message = format!("`{what}` is {number}; it must be from {} to {}", bounds.start(), bounds.end());
            problems.error(Code::OutOfBounds, &node.place, message);
            None
        }
    }
}

/// A duration within bounds.
pub(super) fn length(node: &Node, what: &str, bounds: RangeInclusive<Millis>, problems: &mut Problems) -> Option<Millis> {
    let text = node.text()?;
    let Some(length) = duration::parse(text) else {
        problems.error_with(
            Code::BadDuration,
            &node.place,
            format!("`{what}` is not a duration"),
            "write whole numbers with units, the larger first: 90s, 15m, 2h30m, 3d",
        );
        return None;
    };
    if !bounds.contains(&length) {
        let (least, most) = (duration::print(*bounds.start()), duration::print(*bounds.end()));
        problems.error(
            Code::OutOfBounds,
            &node.place,
            format!("`{what}` is {}; it must be from {least} to {most}", duration::print(length)),
        );
        return None;
    }
    Some(length)
}

/// An instant with an offset.
pub(super) fn instant(node: &Node, what: &str, problems: &mut Problems) -> Option<Timestamp> {
    let text = node.text()?;
    let hint = "write date, time and offset: 2026-12-20T00:00:00+01:00, or Z for UTC";
    // A zone behind the offset says the same twice, and the two may differ.
    if text.contains('[') {
        problems.error_with(Code::BadInstant, &node.place, format!("`{what}` names a zone; only its offset is read"), hint);
        return None;
    }
    match text.parse::<jiff::Timestamp>() {
        Ok(instant) => Some(Timestamp(instant.as_millisecond())),
        Err(_) => {
            let zoneless = text.parse::<jiff::civil::DateTime>().is_ok();
            let why = if zoneless { "has no offset, so it is another moment in every zone" } else { "is not an instant" };
            problems.error_with(Code::BadInstant, &node.place, format!("`{what}` {why}"), hint);
            None
        }
    }
}

/// One of a closed set of words. Others are told by the schema.
pub(super) fn choice<T: Copy>(node: &Node, words: &[(&str, T)]) -> Option<T> {
    let text = node.text()?;
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

/// A recurring window.
pub(super) fn window(node: &Node, problems: &mut Problems) -> Option<Window> {
    let schedule = node.get("schedule").and_then(|n| schedule(n, problems));
    let bounds = Millis::minutes(1)..=LONGEST;
    let place = node.get("duration").map_or(&node.place, |n| &n.place);
    let duration = node.get("duration").and_then(|n| length(n, "duration", bounds, problems));
    let zone = node.get("timeZone").and_then(|n| zone(n, problems));
    match Window::new(schedule?, duration?, zone?) {
        Ok(window) => Some(window),
        Err(error) => {
            problems.error(Code::BadDuration, place, error.to_string());
            None
        }
    }
}

fn schedule(node: &Node, problems: &mut Problems) -> Option<Schedule> {
    let text = node.text()?;
    match text.parse() {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            let days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
            let hint = match &error {
                ScheduleError::NotAWeekday(word) => nearest(word, days).map(|day| format!("did you mean {day}?")),
                ScheduleError::NotASchedule if text.split_whitespace().count() == 5 => {
                    Some("cron's five columns are not read: say it in words".to_owned())
                }
                ScheduleError::NotASchedule
                | ScheduleError::NotEveryMonth
                | ScheduleError::NotDaysAfter(_)
                | ScheduleError::NotATime(_) => None,
            };
            let hint = hint.unwrap_or_else(|| "see `schedule` in specs/README.md".to_owned());
            problems.error_with(Code::BadSchedule, &node.place, format!("`schedule` {error}"), hint);
            None
        }
    }
}

fn zone(node: &Node, problems: &mut Problems) -> Option<Zone> {
    let text = node.text()?;
    match text.parse::<Zone>() {
        Ok(zone) => Some(zone),
        Err(_) => {
            let zones = Zone::all();
            let city = zones.iter().find(|z| z.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(text.trim())));
            let hint = match city.map(String::as_str).or_else(|| nearest(text, zones.iter().map(String::as_str))) {
                Some(near) => format!("did you mean {near}?"),
                None => "write an IANA name, such as Europe/Berlin".to_owned(),
            };
            problems.error_with(Code::BadTimeZone, &node.place, "`timeZone` is not a time zone", hint);
            None
        }
    }
}

/// A span in which nothing is begun.
pub(super) fn exclusion(node: &Node, problems: &mut Problems) -> Option<Exclusion> {
    let start = node.get("start").and_then(|n| instant(n, "start", problems));
    let end = node.get("end").and_then(|n| instant(n, "end", problems));
    let reason = node.get("reason").and_then(|n| line(n, "reason", problems));
    let place = node.get("end").map_or(&node.place, |n| &n.place);
    match Exclusion::new(start?, end?, reason?) {
        Ok(exclusion) => Some(exclusion),
        Err(error) => {
            problems.error_with(Code::BadExclusion, place, format!("the exclusion {error}"), "exchange the two, or delete it");
            None
        }
    }
}

/// Names that Windows keeps for devices, also with something behind a dot.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "COM", "LPT"];

/// A local folder of a Windows machine.
pub(super) fn media_path(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.text()?;
    let (wrong, hint) = match wrong_path(text) {
        None => return Some(text.trim_end_matches('\\').to_owned()),
        Some(found) => found,
    };
    problems.error_with(Code::BadMediaPath, &node.place, format!("`path` {wrong}"), hint);
    None
}

fn wrong_path(text: &str) -> Option<(String, String)> {
    let told = |wrong: &str, hint: &str| Some((wrong.to_owned(), hint.to_owned()));
    if text.starts_with(r"\\") || text.starts_with("//") {
        return told("is a share", r"copy the extracted media to the same local folder on every node: D:\Media\24H2");
    }
    if text.contains('/') {
        return told("has `/` in it", r"write it as Windows does: D:\Media\24H2");
    }
    let drive: Vec<char> = text.chars().take(3).collect();
    if !matches!(drive.as_slice(), [letter, ':', '\\'] if letter.is_ascii_alphabetic()) {
        return told("does not begin with a drive, as in `D:\\`", r"write the whole path: D:\Media\24H2");
    }
    if text.chars().count() > MOST_PATH {
        return told(&format!("is longer than {MOST_PATH} characters"), "use a shorter one");
    }
    let rest = text[3..].trim_end_matches('\\');
    if rest.is_empty() {
        return told("is a whole drive", "name the folder that the media was extracted to");
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "\\ ._-()+".contains(*c);
    if let Some(c) = rest.chars().find(|c| !allowed(c)) {
        let hint = match looks_like(c) {
            Some(plain) => format!("U+{:04X} only looks like `{plain}`: type it anew", u32::from(c)),
            None => "use letters, digits, spaces, and . _ - ( ) +".to_owned(),
        };
        return Some((format!("holds {c:?} (U+{:04X}), which is not allowed in it", u32::from(c)), hint));
    }
    for part in rest.split('\\') {
        if part == ".." || part == "." {
            return told("holds a step to another folder", "write the path without `.` and `..`");
        }
        if part.is_empty() || part.starts_with(' ') || part.ends_with([' ', '.']) {
            return told(
                "has a part that is empty, or begins or ends with a space, or ends with a dot",
                "Windows would read another path: rename the folder",
            );
        }
        let stem = part.split('.').next().unwrap_or(part).trim_end_matches(|c: char| c.is_ascii_digit()).to_ascii_uppercase();
        if DEVICES.contains(&stem.as_str()) {
            return told(&format!("has the part {part:?}, which Windows keeps for a device"), "rename the folder");
        }
    }
    None
}

/// A host name or an IP address, without a port.
pub(super) fn address(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.text()?;
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Some(text.to_ascii_lowercase());
    }
    let label = |l: &str| {
        let fits = (1..=63).contains(&l.len()) && !l.starts_with('-') && !l.ends_with('-');
        fits && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    // A name of digits and dots alone is a mistyped IP address.
    let numbers = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if text.len() <= 253 && !numbers && text.split('.').all(label) {
        return Some(text.to_ascii_lowercase());
    }
    let hint = match text.chars().find(|c| looks_like(*c).is_some()) {
        Some(c) => format!("U+{:04X} only looks like `{}`: type it anew", u32::from(c), looks_like(c).unwrap_or(c)),
        None if text.contains(':') => "write no port here: it belongs into `connection.port`".to_owned(),
        None => "write n01.hospital.example or 10.0.0.11".to_owned(),
    };
    problems.error_with(Code::BadAddress, &node.place, "`address` is neither a host name nor an IP address", hint);
    None
}

/// Tells a value that a law forbids.
pub(super) fn forbidden(place: &Place, law: &str, message: &str, hint: &str, problems: &mut Problems) {
    problems.error_with(Code::ForbiddenByLaw, place, format!("{message} (law {law})"), hint);
}
