//! Entry points for fuzzers: everything here that reads what a node, or whoever answers in its place, sends. Each takes any bytes and must
//! neither panic nor grow without bound.

use crate::auth::{cached_ticket, kdc_error, keytab_entries, open_frames, token_error};
use crate::frame::Frames;
use crate::http::{Reader, end_point_binding};
use crate::ssh::{judge, kinds};
use crate::wsman::{Conversation, MessageIds, Program, Requests};
use std::time::Duration;

/// An envelope, as the answer to each kind of request.
pub fn wsman_response(bytes: &[u8]) {
    let requests = Requests::new("http://n01:5985/wsman", Duration::from_secs(20), MessageIds::new(1));
    let program = Program { name: String::new(), program: String::new(), arguments: Vec::new(), idle: Duration::from_secs(180) };
    let mut talk = Conversation::new(requests, program);
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

/// An HTTP answer, whole and in small pieces: both must be read alike.
pub fn http_response(bytes: &[u8]) {
    let whole = Reader::new(64 * 1024).feed(bytes);
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

/// Standard output of a session host.
pub fn frame_line(bytes: &[u8]) {
    let mut frames = Frames::new("0123456789abcdef0123456789abcdef");
    let _ = frames.feed(bytes);
    let _ = frames.take_noise();
}

/// A sealed message, a KDC's answer, a key table, a credential cache, a certificate.
pub fn sspi_frame(bytes: &[u8]) {
    let _ = open_frames(bytes);
    let _ = (kdc_error(bytes), token_error(bytes));
    let _ = keytab_entries(bytes);
    let _ = cached_ticket(bytes);
    let _ = end_point_binding(bytes);
}

/// A known_hosts file.
pub fn known_hosts(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let key = [&[0, 0, 0, 11][..], b"ssh-ed25519", &[1; 32]].concat();
    let _ = judge(&text, "n01.shop", 2222, &key);
    let _ = judge(&text, "n01.shop", 22, bytes);
    let _ = kinds(&text, "n01.shop", 22);
}
