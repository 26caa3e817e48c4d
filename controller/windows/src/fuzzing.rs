//! Entry points for fuzzers: everything here that reads what a node, or whoever answers in its place, sends. Each takes any bytes and must
//! neither panic nor grow without bound; and each asserts what else must hold of its parser whatever comes.
//!
//! `tests/fuzzing.rs` runs each over damaged seeds on every `cargo test`; `tests/fuzz` at the top of the repository runs each guided by coverage.

use crate::auth::{cached_ticket, choose_key, directory_answered, keytab_entries, node_challenged, offered, open_frames, told, wrapped};
use crate::frame::Frames;
use crate::http::{Reader, end_point_binding};
use crate::orders;
use crate::record::{self, Known, Recorded, Scrubber};
use crate::session::Transport;
use crate::ssh::{judge, kinds};
use crate::wsman::{Conversation, Envelope, MessageIds, Next, Problem, Program, Requests};
use crate::{doctor, facts};
use drydock_model::ids::NodeName;
use drydock_model::order::Receipt;
use drydock_model::time::{Span, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

fn conversation() -> Conversation {
    let requests = Requests::new("http://n01:5985/wsman", Duration::from_secs(20), MessageIds::new(1));
    let program = Program { name: String::new(), program: String::new(), arguments: Vec::new(), idle: Duration::from_secs(180) };
    Conversation::new(requests, program)
}

/// An envelope, as the answer to each kind of request.
pub fn wsman_response(bytes: &[u8]) {
    let mut talk = conversation();
    talk.identify();
    let _ = talk.answered(bytes);
    talk.list();
    let _ = talk.answered(bytes);
    talk.open();
    // The same bytes go on being the answer as far as they lead.
    for _ in 0..3 {
        if talk.answered(bytes).is_err() {
            break;
        }
    }
    talk.adopt("S");
    if talk.close().is_some() {
        let _ = talk.answered(bytes);
    }
}

/// A whole talk: envelopes one after another, parted by a zero byte, which no envelope may hold. What we post next holds ids that the node chose, and
/// must be XML all the same.
pub fn wsman_talk(bytes: &[u8]) {
    let mut talk = conversation();
    sound(&talk.open());
    // A whole session with a sweep behind it; more of the same finds nothing.
    for (turn, answer) in bytes.split(|b| *b == 0).take(20).enumerate() {
        let next = talk.answered(answer);
        let posted = match next {
            Ok(Next::Post(envelope)) => Some(envelope),
            // A session writes, then reads.
            Ok(Next::Opened) => talk.send(b"\n").map(|(envelope, _)| envelope),
            Ok(Next::Accepted | Next::Silence) => talk.receive(),
            Ok(Next::Output(output)) if output.ended.is_none() => talk.receive(),
            Ok(Next::Output(_)) => talk.close(),
            Ok(Next::Shells(shells)) => shells.first().and_then(|shell| {
                talk.adopt(&shell.id);
                talk.close()
            }),
            Ok(Next::Closed | Next::Identified { .. }) => None,
            Err(Problem::Fault(fault)) => {
                let told = fault.to_string();
                assert!(told.len() < 6_000 && !told.contains(char::is_control), "{told:?} is shown to a person");
                // How a session takes a fault.
                if fault.denied() || fault.quota() || fault.gone() { None } else { talk.close() }
            }
            Err(Problem::Malformed(_) | Problem::OutOfTurn) => talk.close(),
        };
        let posted = posted.unwrap_or_else(|| if turn.is_multiple_of(2) { talk.list() } else { talk.identify() });
        sound(&posted);
    }
}

fn sound(envelope: &Envelope) {
    let document = roxmltree::Document::parse(&envelope.text);
    assert!(document.is_ok(), "we would post what is no XML: {document:?}");
}

/// An HTTP answer, whole and in small pieces: both must be read alike. Then what it says of ways to log on.
pub fn http_response(bytes: &[u8]) {
    let whole = Reader::new(64 * 1024).feed(bytes);
    if let Ok(Some(response)) = &whole {
        offered(response);
    }
    let mut reader = Reader::new(64 * 1024);
    for piece in bytes.chunks(7) {
        match reader.feed(piece) {
            Ok(None) => {}
            Ok(Some(response)) => {
                // A complete answer in front of surplus bytes is an error only where they come together.
                if let Ok(Some(whole)) = &whole {
                    assert_eq!(whole, &response);
                }
                return;
            }
            Err(_) => {
                assert!(whole.is_err(), "pieces are refused where the whole is not");
                return;
            }
        }
    }
    assert!(!matches!(whole, Ok(Some(_))), "the whole is complete where its pieces are not");
    let _ = reader.end();
}

/// Standard output of a session host, whole and in small pieces.
pub fn frame_line(bytes: &[u8]) {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let mut frames = Frames::new(TOKEN);
    let whole = frames.feed(bytes);
    let noise = frames.take_noise();
    let mut frames = Frames::new(TOKEN);
    let pieces: Result<Vec<_>, _> = bytes.chunks(5).map(|piece| frames.feed(piece)).collect();
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => {
            assert_eq!(whole, pieces.concat(), "pieces hold other answers than the whole");
            assert_eq!(noise, frames.take_noise(), "pieces hold other noise than the whole");
        }
        (Err(whole), Err(pieces)) => assert_eq!(whole, pieces),
        (whole, pieces) => assert_eq!(whole.is_ok(), pieces.is_ok(), "pieces are judged otherwise than the whole"),
    }
}

/// A sealed message in its frames.
pub fn sealed_message(bytes: &[u8]) {
    if let Ok(parts) = open_frames(bytes) {
        let held: usize = parts.iter().map(|part| part.token.len() + part.data.len()).sum();
        assert!(held <= bytes.len(), "more was taken out than is there");
        for part in parts.iter().filter(|part| wrapped(part).is_ok()) {
            // What the library does first with a wrap token of Kerberos.
            let mut all = [&part.token[..], &part.data].concat();
            let turn = 28 + u16::from_be_bytes([all[4], all[5]]);
            all[16..].rotate_left(usize::from(turn));
        }
    }
}

/// What a KDC or a node says of a ticket that it does not take.
pub fn kerberos_error(bytes: &[u8]) {
    told(bytes);
}

/// A key table.
pub fn key_table(bytes: &[u8]) {
    let _ = keytab_entries(bytes);
    let _ = (choose_key(bytes, None), choose_key(bytes, Some("svc@LAB.TEST")));
}

/// A credential cache, and its ticket made ready for a logon.
pub fn ticket_cache(bytes: &[u8]) {
    if let Ok(ticket) = cached_ticket(bytes) {
        let _ = ticket.made_up_key(|| 7);
        let _ = ticket.prepared();
    }
}

/// A certificate.
pub fn certificate(bytes: &[u8]) {
    let _ = end_point_binding(bytes);
}

/// A logon by NTLM: the node's challenge, and behind it (from `--Encrypted Boundary` on) its first sealed message.
pub fn ntlm_challenge(bytes: &[u8]) {
    const BOUNDARY: &[u8] = b"--Encrypted Boundary";
    let at = bytes.windows(BOUNDARY.len()).position(|w| w == BOUNDARY).unwrap_or(bytes.len());
    let (challenge, sealed) = bytes.split_at(at);
    node_challenged(challenge, sealed);
}

/// A logon by Kerberos: what the directory answers to the first question, then to the second. The first four bytes say in big-endian how long the first
/// answer is behind them, as on the wire.
pub fn kdc_answer(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX).min(rest.len());
    let (first, second) = rest.split_at(length);
    directory_answered(&framed(first), second);
}

/// As it comes over TCP, behind its length.
fn framed(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes()[..], message].concat()
}

/// The value in an answer of a session host, whatever it is.
fn value(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok()
}

fn node_name() -> Option<NodeName> {
    "N01".parse().ok()
}

/// What is written to status must be read again as it was.
fn lasting<T: Serialize + DeserializeOwned + PartialEq + Debug>(written: &T) {
    let text = serde_json::to_string(written);
    assert!(text.is_ok(), "{written:?} cannot be written: {text:?}");
    let read = text.ok().map(|text| serde_json::from_str::<T>(&text));
    assert!(matches!(&read, Some(Ok(read)) if read == written), "{written:?} is read as {read:?}");
}

/// The answer of a probe, taken for that of each probe.
pub fn facts(bytes: &[u8]) {
    let (Some(answer), Some(name)) = (value(bytes), node_name()) else { return };
    let seen = Span::at(Timestamp(1_795_456_800_000));
    let node = facts::node(&answer, seen);
    lasting(&node);
    let rooms = BTreeMap::from([(name.clone(), facts::room(&answer, seen))]);
    let cluster = facts::cluster(name.clone(), Ok(&answer), Ok(&answer), &rooms, seen);
    lasting(&cluster);
    let _ = facts::through(&BTreeMap::from([(name, node)]));
}

/// The answer of an order.
pub fn receipt(bytes: &[u8]) {
    let Some(answer) = value(bytes) else { return };
    match orders::receipt(&answer) {
        Ok(receipt) => lasting::<Receipt>(&receipt),
        Err(why) => assert!(why.chars().count() < 400 && !why.contains(char::is_control), "{why:?} goes into status"),
    }
}

/// The answers of everything that the doctor asks, and what it tells of them.
pub fn doctor(bytes: &[u8]) {
    let (Some(answer), Some(name)) = (value(bytes), node_name()) else { return };
    let ssh = Transport::Ssh { port: 22, known_hosts: Vec::new(), program: String::new() };
    doctor::judged(&name, &ssh, &answer);
}

/// A file of a recording, and the answer in it scrubbed: of a name that is known to be somebody's nothing may be left.
pub fn recording(bytes: &[u8]) {
    const NAME: &str = "zanzibar";
    if let Ok(recorded) = serde_json::from_slice::<Recorded>(bytes) {
        // A number with a fraction may lose its last digit; nothing is made of one.
        let read = serde_json::to_vec(&recorded).and_then(|text| serde_json::from_slice::<Recorded>(&text));
        assert!(read.is_ok(), "{recorded:?} cannot be read again: {read:?}");
        let facts = |one: &Recorded| record::facts(std::slice::from_ref(one));
        assert!(read.is_ok_and(|read| facts(&read) == facts(&recorded)), "{recorded:?} is read again as other facts");
    }
    let Some(answer) = value(bytes) else { return };
    let mut scrubber = Scrubber::new(&Known { nodes: node_name().into_iter().collect(), names: vec![NAME.to_owned()] });
    let clean = scrubber.answer(&answer);
    for text in texts(&clean) {
        let told = text.to_ascii_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == NAME);
        assert!(!told, "{text:?} names somebody");
    }
}

/// Every text in a value but the names of fields.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// A known_hosts file.
pub fn known_hosts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let key = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[1; 32]].concat();
    let _ = judge(&text, "n01.shop", 2222, &key);
    let _ = judge(&text, "n01.shop", 22, bytes);
    let _ = kinds(&text, "n01.shop", 22);
}
