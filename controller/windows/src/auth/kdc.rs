//! Questions to a KDC over TCP, and what its refusals mean. The answer's error is read here: the library above keeps only its text.

use super::{Kerberos, Refusal};
use crate::http::der::{element, elements, sound};
use crate::net::dial;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

/// An answer with a ticket of an account in a thousand groups stays below.
const ANSWER: usize = 256 * 1024;
/// Where KDCs listen.
const PORT: u16 = 88;

/// What the KDCs of one logon said last.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// The last refusal that is none of "tell me more first".
    pub(crate) error: Option<KdcError>,
}

/// A KRB-ERROR: its code, and the Windows status beside it where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KdcError {
    pub(crate) code: u32,
    pub(crate) status: Option<u32>,
}

/// Sends one question to the first KDC that can be connected to. Never to a second one after it was sent: each can count as a failed logon.
pub(crate) async fn ask(settings: &Kerberos, question: &[u8], said: &mut Said) -> Result<Vec<u8>, Refusal> {
    let mut last = Refusal::Directory("no KDC is configured".into());
    for kdc in &settings.kdcs {
        let (host, port) = match kdc.rsplit_once(':') {
            Some((host, digits)) if !host.contains(':') || host.ends_with(']') => (host, digits.parse().unwrap_or(PORT)),
            _ => (kdc.as_str(), PORT),
        };
        let mut stream = match dial(host, port, settings.within).await {
            Ok(stream) => stream,
            Err(error) => {
                last = Refusal::Directory(error.to_string());
                continue;
            }
        };
        let exchange = async {
            stream.write_all(question).await?;
            let length = stream.read_u32().await?;
            let size = usize::try_from(length).unwrap_or(usize::MAX);
            if size > ANSWER {
                return Err(std::io::Error::other("its answer is too long"));
            }
            let mut answer = vec![0; size + 4];
            answer[..4].copy_from_slice(&length.to_be_bytes());
            stream.read_exact(&mut answer[4..]).await?;
            Ok(answer)
        };
        return match timeout(settings.within, exchange).await {
            Ok(Ok(answer)) => {
                if let Some(error) = error_of(&answer[4..]).filter(|e| e.code != PROVE_FIRST) {
                    said.error = Some(error);
                }
                Ok(answer)
            }
            Ok(Err(error)) => Err(Refusal::Directory(format!("{kdc}: {error}"))),
            Err(_) => Err(Refusal::Directory(format!("{kdc} does not answer within {:?}", settings.within))),
        };
    }
    Err(last)
}

/// Whether an answer may go to the library, whose reader of DER adds lengths before it looks whether they fit. It also reads the hints for a proof, which
/// stand in octet strings.
pub(super) fn readable(message: &[u8]) -> bool {
    sound(message) && hints(message).all(sound)
}

/// Whether a node's token may go to the library: bare, or wrapped as GSS-API does.
pub(super) fn readable_token(token: &[u8]) -> bool {
    match element(token) {
        Some((0x60, inside, _)) => element(inside).and_then(|(_, _, rest)| rest.get(2..)).is_some_and(sound),
        Some(_) => sound(token),
        None => token.is_empty(),
    }
}

/// METHOD-DATA in the error that asks for a proof, and ETYPE-INFO2 in it or in a ticket's answer (RFC 4120, 5.2.7 and 5.9.1).
fn hints(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    let inside = |content| element(content).map_or(&[][..], |(_, inside, _)| inside);
    let asks = error_of(message).is_some_and(|e| e.code == PROVE_FIRST);
    let part = move |wanted: u8| elements(inside(inside(message))).find(|(tag, _)| *tag == wanted).map_or(&[][..], |(_, content)| content);
    let method = if asks { inside(part(0xac)) } else { &[][..] };
    let list = match message.first() {
        Some(0x7e) => inside(method),
        Some(_) | None => inside(part(0xa2)),
    };
    let entry = move |(_, entry)| {
        let mut fields = elements(entry);
        let known = fields.any(|(tag, kind)| tag == 0xa1 && inside(kind) == [19]);
        fields.find(|(tag, _)| known && *tag == 0xa2).map(|(_, value)| inside(value))
    };
    std::iter::once(method).chain(elements(list).filter_map(entry))
}

/// KDC_ERR_PREAUTH_REQUIRED: "tell me more first", part of every logon.
const PROVE_FIRST: u32 = 25;

/// Reads KRB-ERROR ::= [APPLICATION 30] SEQUENCE { …, error-code [6] INTEGER, …, e-data [12] OCTET STRING } (RFC 4120, 5.9.1).
pub(crate) fn error_of(message: &[u8]) -> Option<KdcError> {
    let (tag, inside, _) = element(message)?;
    if tag != 0x7e {
        return None;
    }
    let (_, fields, _) = element(inside)?;
    let (mut code, mut status) = (None, None);
    for (tag, content) in elements(fields) {
        match tag {
            0xa6 => {
                let (_, digits, _) = element(content)?;
                code = Some(digits.iter().take(4).fold(0u32, |n, d| (n << 8) | u32::from(*d)));
            }
            0xac => status = element(content).and_then(|(_, data, _)| extended(data)),
            _ => {}
        }
    }
    Some(KdcError { code: code?, status })
}

/// KERB-ERROR-DATA (MS-KILE 2.2.1): { data-type [1] 3, data-value [2] { status, reserved, flags } }.
fn extended(data: &[u8]) -> Option<u32> {
    let (_, fields, _) = element(data)?;
    let value = elements(fields).find(|(tag, _)| *tag == 0xa2)?.1;
    let (_, bytes, _) = element(value)?;
    (bytes.len() == 12).then(|| bytes.first_chunk::<4>().map(|s| u32::from_le_bytes(*s)))?
}

/// The KRB-ERROR in a node's token: bare, or wrapped as GSS-API does (RFC 4121, 4.1: mechanism, then the token's kind 03 00).
pub(crate) fn error_in_token(token: &[u8]) -> Option<KdcError> {
    let bare = match element(token)? {
        (0x60, inside, _) => element(inside).and_then(|(_, _, rest)| rest.strip_prefix(&[3, 0]))?,
        _ => token,
    };
    error_of(bare)
}

/// What a node's refusal of a ticket means. The directory gave the ticket, so it says nothing against the account.
pub(crate) fn node_refusal(error: KdcError, service: &str) -> Refusal {
    match error.code {
        // KRB_AP_ERR_TKT_NYV, KRB_AP_ERR_SKEW
        33 | 37 => Refusal::ClockSkew,
        32 => Refusal::Protocol("the ticket has expired".into()),
        // KRB_AP_ERR_BAD_INTEGRITY, NOT_US, MODIFIED, NOKEY: sealed with another key than the node's.
        31 | 35 | 41 | 45 => {
            Refusal::Protocol(format!("the ticket for {service} is not for this node: another machine has that name in the directory"))
        }
        code => Refusal::Protocol(format!("the node does not take the ticket (error {code})")),
    }
}

/// What a refusal means for the account.
pub(crate) fn refusal(error: KdcError, account: &str, service: &str, words: &str) -> Refusal {
    let account = account.to_owned();
    match (error.code, error.status) {
        // KDC_ERR_PREAUTH_FAILED, KRB_AP_ERR_BAD_INTEGRITY
        (24 | 31, _) => Refusal::WrongSecret(account),
        (6, _) => Refusal::UnknownAccount(account),
        // KDC_ERR_CLIENT_REVOKED; STATUS_ACCOUNT_DISABLED and STATUS_ACCOUNT_EXPIRED tell it from a lockout.
        (18, Some(0xc000_0072)) => Refusal::Disabled(account),
        (18, Some(0xc000_0193)) | (1 | 23, _) => Refusal::Expired(account),
        (18, _) => Refusal::Locked(account),
        (37, _) => Refusal::ClockSkew,
        (7, _) => Refusal::UnknownService(service.to_owned()),
        (code, _) => Refusal::Directory(format!("error {code}: {words}")),
    }
}

/// For fuzzers: all that a refusal of a directory or of a node can mean.
pub(crate) fn told(bytes: &[u8]) {
    let words = [
        error_of(bytes).map(|error| refusal(error, "svc", "HTTP/n01", "words")),
        error_in_token(bytes).map(|error| node_refusal(error, "HTTP/n01")),
    ];
    for word in words.into_iter().flatten() {
        let _ = (word.to_string(), word.blame());
    }
    let _ = (readable(bytes), readable_token(bytes));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: u8, data: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, inside: &[u8]| [&[tag, inside.len() as u8][..], inside].concat();
        let mut fields = [wrap(0xa0, b"\x02\x01\x05"), wrap(0xa6, &wrap(2, &[code]))].concat();
        if !data.is_empty() {
            let value = [wrap(0xa1, b"\x02\x01\x03"), wrap(0xa2, &wrap(4, data))].concat();
            fields.extend(wrap(0xac, &wrap(4, &wrap(0x30, &value))));
        }
        wrap(0x7e, &wrap(0x30, &fields))
    }

    #[test]
    fn lengths_that_do_not_fit_never_reach_the_library() {
        let wrap = |tag: u8, inside: &[u8]| [&[tag, u8::try_from(inside.len()).unwrap()][..], inside].concat();
        // Found by a fuzzer: eight bytes of length, to which the library's reader adds its own.
        assert!(!readable(b"\x7e\x88\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));
        assert!(readable(&error(24, b"")) && readable(&error(18, &[0; 12])));
        let hint = |kind: u8, value: &[u8]| {
            let entry = wrap(0x30, &[wrap(0xa1, &[2, 1, kind]), wrap(0xa2, &wrap(4, value))].concat());
            let fields = [wrap(0xa6, b"\x02\x01\x19"), wrap(0xac, &wrap(4, &wrap(0x30, &entry)))].concat();
            wrap(0x7e, &wrap(0x30, &fields))
        };
        assert!(readable(&hint(19, b"\x30\x02\x30\x00")) && !readable(&hint(19, b"\x30\x02\x30\x01")));
        assert!(readable(&hint(133, b"MIT cookie")), "of other hints nothing is read");
        let asked = [wrap(0xa6, b"\x02\x01\x19"), wrap(0xac, &wrap(4, b"\x30\x84\xff\xff\xff\xff"))].concat();
        assert!(!readable(&wrap(0x7e, &wrap(0x30, &asked))));
        let ticket = |value: &[u8]| {
            let entry = wrap(0x30, &[wrap(0xa1, &[2, 1, 19]), wrap(0xa2, &wrap(4, value))].concat());
            wrap(0x6b, &wrap(0x30, &[wrap(0xa0, b"\x02\x01\x05"), wrap(0xa2, &wrap(0x30, &entry))].concat()))
        };
        assert!(readable(&ticket(b"\x30\x00")) && !readable(&ticket(b"\x30\x01")));
        let token = |inside: &[u8]| wrap(0x60, &[&[6, 1, 42, 2, 0][..], inside].concat());
        assert!(readable_token(b"") && readable_token(&wrap(0x6f, b"\x30\x00")) && readable_token(&token(b"\x6f\x00")));
        assert!(!readable_token(b"\x6f\x02\x30\x01") && !readable_token(&token(b"\x6f\x05")) && !readable_token(b"\x60"));
    }

    #[test]
    fn the_directory_tells_a_wrong_secret_from_a_locked_a_disabled_and_an_expired_account() {
        let meaning = |message: &[u8]| refusal(error_of(message).unwrap(), "svc", "HTTP/n01", "words").to_string();
        let status = |s: u32| [&s.to_le_bytes()[..], &[0; 8]].concat();
        assert!(meaning(&error(24, b"")).contains("svc is wrong"));
        assert!(meaning(&error(18, b"")).contains("locked out"));
        assert!(meaning(&error(18, &status(0xc000_0234))).contains("locked out"));
        assert!(meaning(&error(18, &status(0xc000_0072))).contains("disabled"));
        assert!(meaning(&error(23, b"")).contains("expired"));
        assert!(meaning(&error(37, b"")).contains("clocks"));
        assert!(meaning(&error(7, b"")).contains("HTTP/n01"));
        assert!(meaning(&error(6, b"")).contains("does not know the account svc"));
        assert!(meaning(&error(60, b"")).contains("no ticket from the directory"));
        assert_eq!(error_of(b"\x6b\x03abc"), None);
        let inside = [&[6, 0, 3, 0][..], &error(37, b"")].concat();
        let wrapped = [&[0x60, u8::try_from(inside.len()).unwrap()][..], &inside].concat();
        assert_eq!(error_in_token(&wrapped).map(|e| e.code), Some(37));
    }

    #[test]
    fn a_node_that_does_not_take_a_ticket_never_speaks_against_the_account() {
        let meaning = |code| node_refusal(KdcError { code, status: None }, "HTTP/n01");
        for code in 0..100 {
            assert_eq!(meaning(code).blame(), crate::auth::Blame::No, "{code}");
        }
        assert_eq!((meaning(33), meaning(37)), (Refusal::ClockSkew, Refusal::ClockSkew));
        assert!(meaning(32).to_string().contains("the ticket has expired"));
        for code in [31, 35, 41, 45] {
            assert!(meaning(code).to_string().contains("HTTP/n01 is not for this node"), "{code}");
        }
        assert!(meaning(60).to_string().contains("error 60"));
    }
}
