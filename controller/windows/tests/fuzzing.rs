//! Every parser of what a node sends, with twenty thousand damaged inputs each (two thousand for those that take long), the same ones at every run.
//! `tests/fuzz` at the top of the repository begins with the same seeds and is guided by coverage.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on shall stop, and says aloud what it leaves out")]

use drydock_windows::fuzzing;
use std::path::{Path, PathBuf};

/// Enough for damage of every kind at every place of these small seeds; some seconds in all. `DRYDOCK_FUZZ_RUNS` asks for more.
fn runs() -> u64 {
    std::env::var("DRYDOCK_FUZZ_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

/// Of these one run takes a tenth of a millisecond and more, without optimisation several times that.
const SLOW: [&str; 6] = ["wsman_talk", "ntlm_challenge", "kdc_answer", "facts", "doctor", "recording"];

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }
}

/// Damages one of the seeds: bytes changed, removed, doubled, swapped for pieces of other seeds, cut.
fn damaged(dice: &mut Dice, seeds: &[&[u8]]) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].to_vec();
    for _ in 0..1 + dice.below(6) {
        let at = dice.below(bytes.len().max(1)).min(bytes.len());
        match dice.below(7) {
            0 if at < bytes.len() => bytes[at] = dice.next().to_le_bytes()[0],
            1 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            2 => bytes.truncate(at),
            3 => {
                let end = (at + dice.below(40)).min(bytes.len());
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + dice.below(40)).min(bytes.len());
                let piece = bytes[at..end].repeat(1 + dice.below(8));
                bytes.splice(at..at, piece);
            }
            5 => {
                let other = seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                let to = (from + dice.below(60)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                let word: &[u8] =
                    [&b"\r\n\r\n"[..], b"\0", b"\xff\xff\xff\xff", b"<!DOCTYPE x [", b"&#0;", b"4294967295", b"-1", b"]]>"][dice.below(8)];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
    bytes
}

/// What an entry's seeds are: the files from which the coverage-guided fuzzers begin as well, and among them every input that ever broke something.
fn seeds(name: &str) -> Vec<Vec<u8>> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![top.join("tests/fuzz/seeds").join(name)];
    if name == "recording" {
        folders.push(top.join("tests/recordings/stub-22h2"));
    }
    let mut files: Vec<PathBuf> = folders.iter().flat_map(|f| std::fs::read_dir(f).unwrap()).map(|e| e.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn run(seed: u64, entry: fn(&[u8]), name: &str) {
    let seeds = seeds(name);
    let seeds: &[&[u8]] = &seeds.iter().map(Vec::as_slice).collect::<Vec<_>>();
    for undamaged in seeds {
        entry(undamaged);
    }
    let mut dice = Dice(seed);
    let share = if SLOW.contains(&name) { 10 } else { 1 };
    for n in 0..runs() / share {
        let input = damaged(&mut dice, seeds);
        let result = std::panic::catch_unwind(|| entry(&input));
        assert!(result.is_ok(), "run {n} of seed {seed}: {:?}", String::from_utf8_lossy(&input));
    }
}

#[test]
fn envelopes() {
    run(1, fuzzing::wsman_response, "wsman_response");
}

#[test]
fn talks_over_envelopes() {
    run(2, fuzzing::wsman_talk, "wsman_talk");
}

#[test]
fn http_answers() {
    run(3, fuzzing::http_response, "http_response");
}

#[test]
fn lines_of_a_session_host() {
    run(4, fuzzing::frame_line, "frame_line");
}

#[test]
fn sealed_messages() {
    run(5, fuzzing::sealed_message, "sealed_message");
}

#[test]
fn challenges_of_ntlm() {
    run(6, fuzzing::ntlm_challenge, "ntlm_challenge");
}

#[test]
fn answers_of_a_directory() {
    run(7, fuzzing::kdc_answer, "kdc_answer");
}

#[test]
fn errors_of_kerberos() {
    run(8, fuzzing::kerberos_error, "kerberos_error");
}

#[test]
fn certificates() {
    run(9, fuzzing::certificate, "certificate");
}

#[test]
fn answers_of_probes() {
    run(10, fuzzing::facts, "facts");
}

#[test]
fn answers_of_orders() {
    run(11, fuzzing::receipt, "receipt");
}

#[test]
fn answers_to_the_doctor() {
    run(12, fuzzing::doctor, "doctor");
}

#[test]
fn recordings() {
    run(13, fuzzing::recording, "recording");
}

#[test]
fn key_tables() {
    run(14, fuzzing::key_table, "key_table");
}

#[test]
fn credential_caches() {
    run(15, fuzzing::ticket_cache, "ticket_cache");
}

#[test]
fn files_of_known_hosts() {
    run(16, fuzzing::known_hosts, "known_hosts");
}
