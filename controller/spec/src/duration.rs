//! Durations as people write them: `15m`, `2h30m`, `3d`.

use drydock_model::time::Millis;

/// Units, largest first, with their seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads whole numbers with units, each unit at most once and the larger ones first. Longer than a thousand days is no duration of ours.
pub fn parse(text: &str) -> Option<Millis> {
    let mut seconds: u64 = 0;
    let mut rest = text;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        // Seven digits hold a thousand days in seconds many times over, and cannot overflow.
        let number: u64 = (1..=7).contains(&digits).then(|| rest[..digits].parse().ok()).flatten()?;
        let unit = rest[digits..].chars().next()?;
        let (_, length) = units.find(|(name, _)| *name == unit)?;
        seconds += number * length;
        rest = &rest[digits + unit.len_utf8()..];
    }
    (!text.is_empty() && seconds <= 1_000 * 86_400).then(|| Millis::seconds(seconds))
}

/// The text that [`parse`] reads as this, to the second.
pub fn print(length: Millis) -> String {
    let mut seconds = length.0 / 1_000;
    let mut text = String::new();
    for (name, unit) in UNITS {
        if seconds >= unit {
            text.push_str(&format!("{}{name}", seconds / unit));
            seconds %= unit;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed() {
        let check = |text: &str, seconds: u64| {
            assert_eq!(parse(text), Some(Millis::seconds(seconds)), "{text}");
            assert_eq!(parse(&print(Millis::seconds(seconds))), Some(Millis::seconds(seconds)));
        };
        check("0s", 0);
        check("90s", 90);
        check("15m", 900);
        check("2h30m", 9_000);
        check("1d2h3m4s", 93_784);
        check("1000d", 86_400_000);
    }

    #[test]
    fn texts_that_are_no_duration_are_refused() {
        for bad in ["", "15", "m", "15 m", "1.5h", "-1h", "30m2h", "1h1h", "15min", "1w", "1001d", "99999999s", "1h ", "٣h", "PT15M", "1é"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
