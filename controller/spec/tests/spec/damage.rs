//! Files damaged at random, the same way in every run: they are read or refused, never a panic, and a refusal has a place.

use crate::support::{CLUSTER, FLEET, PATH, file};
use drydock_spec::{Fleet, Look, Severity, parse_cluster, parse_fleet, render};

/// A small generator of numbers; no entropy, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        // xorshift64*: good enough to choose bytes by.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap_or(0) % below
    }
}

/// Pieces that mean something to YAML or to us.
const PIECES: [&str; 40] = [
    "\n",
    "  ",
    "\t",
    ":",
    ": ",
    "- ",
    "? ",
    "&a ",
    "*a",
    "!!str ",
    "---\n",
    "...\n",
    "#",
    "'",
    "\"",
    "|\n",
    ">-\n",
    "{",
    "}",
    "[",
    "]",
    ",",
    "%YAML 1.1\n",
    "<<: ",
    "null",
    "~",
    "true",
    "0x1F",
    "1e3",
    ".inf",
    "007",
    "\u{feff}",
    "\u{202e}",
    "\0",
    "ü",
    "\u{10ffff}",
    "\r",
    "password: x",
    "26100.1",
    "@",
];

fn damage(text: &str, dice: &mut Dice) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(bytes.len() + 1);
        let to = (at + dice.roll(12)).min(bytes.len());
        match dice.roll(5) {
            0 => drop(bytes.drain(at..to)),
            1 => drop(bytes.splice(at..at, PIECES[dice.roll(PIECES.len())].bytes())),
            2 => {
                let copy = bytes[at..to].to_vec();
                let target = dice.roll(bytes.len() + 1);
                drop(bytes.splice(target..target, copy));
            }
            3 if at < bytes.len() => bytes[at] = u8::try_from(dice.roll(256)).unwrap_or(0),
            _ => drop(bytes.splice(at..to, PIECES[dice.roll(PIECES.len())].bytes())),
        }
    }
    bytes
}

#[test]
fn damaged_files_are_read_or_refused_with_a_place() {
    let hospital = file("specs/clusters/hospital-north.yaml");
    let fleet_text = file("specs/fleet.yaml");
    let (mut read, mut refused) = (0, 0);
    let rounds = std::env::var("DRYDOCK_DAMAGE").ok().and_then(|n| n.parse().ok()).unwrap_or(1_500);
    for seed in 1..=rounds {
        let mut dice = Dice(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15) | 1);
        for (text, is_fleet) in [(CLUSTER, false), (hospital.as_str(), false), (FLEET, true), (fleet_text.as_str(), true)] {
            let bytes = damage(text, &mut dice);
            let result = match is_fleet {
                true => parse_fleet("fleet.yaml", &bytes).map(|f| f.warnings),
                false => parse_cluster(PATH, &bytes, &Fleet::default()).map(|s| s.warnings),
            };
            let source = String::from_utf8_lossy(&bytes);
            match result {
                Ok(warnings) => {
                    read += 1;
                    assert!(warnings.iter().all(|w| w.severity == Severity::Warning), "seed {seed}");
                    assert!(std::str::from_utf8(&bytes).is_ok(), "seed {seed}");
                }
                Err(problems) => {
                    refused += 1;
                    assert!(problems.iter().any(|p| p.severity == Severity::Error), "seed {seed}: refused without an error");
                    for problem in &problems {
                        assert!(!problem.message.contains("please report"), "seed {seed}: {problem}");
                        assert!(problem.message != "cannot be read as YAML", "seed {seed}: the YAML parser panicked");
                        let Some(place) = &problem.place else { continue };
                        let kept = source.strip_prefix('\u{feff}').unwrap_or(&source);
                        assert!(place.bytes.start <= place.bytes.end && place.bytes.end <= kept.len(), "seed {seed}: {problem}");
                        let line = kept.split_inclusive('\n').nth(place.line - 1).unwrap_or("");
                        assert!(place.column <= line.chars().count() + 1, "seed {seed}: {problem}");
                    }
                    // What cannot be shown to a person is as bad as what cannot be read.
                    if seed % 8 == 0 {
                        assert!(!render(&problems, &source, Look::Plain).is_empty());
                    }
                }
            }
        }
    }
    assert!(read > 100 && refused > 1_000, "{read} read, {refused} refused");
}
