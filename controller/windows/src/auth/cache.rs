//! Credential caches of MIT Kerberos, format 4, as `kinit` writes them, and how their ticket is used.
//!
//! The library below knows passwords and keys only. So its first exchange, which would fetch a ticket-granting ticket, is answered here, with
//! the ticket of the cache sealed under a key made up for this one logon; the directory hears only the second exchange.

use super::Refusal;
use crate::http::der::element;
use crate::secret::Secret;
use drydock_model::time::Timestamp;

/// Entries of one cache; a user has one for each service.
const ENTRIES: usize = 1_000;
/// A cache with tickets of an account in a thousand groups stays below.
const PARTS: usize = 100;

/// A ticket-granting ticket.
#[derive(Debug)]
pub struct CachedTicket {
    /// `svc`, its parts.
    name: Vec<String>,
    /// `CORP.EXAMPLE`.
    pub realm: String,
    /// When it ends.
    pub ends: Timestamp,
    kind: u16,
    /// The key that goes with the ticket: who has both is logged on.
    pub key: Secret,
    ticket: Vec<u8>,
}

/// Why a cache does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CacheProblem {
    /// Another kind of file.
    #[error("it is no credential cache of format 4 (a FILE: cache of MIT Kerberos)")]
    Format,
    /// Shorter than it says.
    #[error("the credential cache is cut")]
    Cut,
    /// No ticket of a kind that is still used.
    #[error("it has no ticket-granting ticket with an AES key; log on with kinit")]
    NoTicket,
}

struct Principal {
    realm: String,
    parts: Vec<String>,
}

/// The ticket-granting ticket of the cache's own realm that ends last.
pub fn cached_ticket(bytes: &[u8]) -> Result<CachedTicket, CacheProblem> {
    let mut at = bytes.strip_prefix(&[5, 4]).ok_or(CacheProblem::Format)?;
    let at = &mut at;
    let header = usize::from(u16::from_be_bytes(take(at)?));
    skip(at, header)?;
    principal(at)?;
    let mut best: Option<CachedTicket> = None;
    for _ in 0..ENTRIES {
        if at.is_empty() {
            break;
        }
        if let Some(found) = entry(at)?
            && best.as_ref().is_none_or(|b| b.ends < found.ends)
        {
            best = Some(found);
        }
    }
    best.ok_or(CacheProblem::NoTicket)
}

fn entry(at: &mut &[u8]) -> Result<Option<CachedTicket>, CacheProblem> {
    let (client, server) = (principal(at)?, principal(at)?);
    let kind = u16::from_be_bytes(take(at)?);
    let key = counted(at)?.to_vec();
    let _authenticated_and_begins: [u8; 8] = take(at)?;
    let ends = u32::from_be_bytes(take(at)?);
    let _renewable_session_flags: [u8; 9] = take(at)?;
    for _ in 0..2 {
        // Addresses, then authorization data.
        let count = u32::from_be_bytes(take(at)?);
        for _ in 0..count {
            skip(at, 2)?;
            counted(at)?;
        }
    }
    let ticket = counted(at)?.to_vec();
    counted(at)?;
    let granting =
        server.parts.len() == 2 && server.parts[0] == "krbtgt" && server.parts[1] == client.realm && server.realm == client.realm;
    // It goes out again inside our own message, so it must be one whole element.
    let whole = element(&ticket).is_some_and(|(tag, _, rest)| tag == 0x61 && rest.is_empty());
    let usable = matches!((kind, key.len()), (18, 32) | (17, 16));
    Ok((granting && whole && usable).then(|| CachedTicket {
        name: client.parts,
        realm: client.realm,
        ends: Timestamp(i64::from(ends) * 1_000),
        kind,
        key: Secret::new(key),
        ticket,
    }))
}

fn principal(at: &mut &[u8]) -> Result<Principal, CacheProblem> {
    let _kind: [u8; 4] = take(at)?;
    let count = usize::try_from(u32::from_be_bytes(take(at)?)).unwrap_or(usize::MAX);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let realm = text(counted(at)?);
    if count > PARTS {
        return Err(CacheProblem::Cut);
    }
    let parts = (0..count).map(|_| counted(at).map(text)).collect::<Result<_, _>>()?;
    Ok(Principal { realm, parts })
}

fn take<const N: usize>(at: &mut &[u8]) -> Result<[u8; N], CacheProblem> {
    let (now, later) = at.split_first_chunk::<N>().ok_or(CacheProblem::Cut)?;
    *at = later;
    Ok(*now)
}

fn skip(at: &mut &[u8], length: usize) -> Result<(), CacheProblem> {
    *at = at.get(length..).ok_or(CacheProblem::Cut)?;
    Ok(())
}

fn counted<'a>(at: &mut &'a [u8]) -> Result<&'a [u8], CacheProblem> {
    let length = usize::try_from(u32::from_be_bytes(take(at)?)).unwrap_or(usize::MAX);
    let (now, later) = at.split_at_checked(length).ok_or(CacheProblem::Cut)?;
    *at = later;
    Ok(now)
}

impl CachedTicket {
    /// `svc@CORP.EXAMPLE`.
    pub(super) fn account(&self) -> String {
        format!("{}@{}", self.name.join("/"), self.realm)
    }

    /// `svc`.
    pub(super) fn user(&self) -> String {
        self.name.join("/")
    }

    pub(super) fn kind(&self) -> u16 {
        self.kind
    }

    /// A key of the same kind as the ticket's, made up for one logon.
    pub(crate) fn made_up_key(&self, dice: impl Fn() -> u64) -> Secret {
        let length = self.key.expose().len();
        Secret::new((0..length / 8).flat_map(|_| dice().to_le_bytes()).collect())
    }

    /// "Prove first that you know the key": what a directory answers to the first question (KDC_ERR_PREAUTH_REQUIRED).
    pub(super) fn prove_first(&self) -> Vec<u8> {
        let fields = [
            tagged(0, &integer(5)),
            tagged(1, &integer(30)),
            tagged(4, &time()),
            tagged(5, &integer(0)),
            tagged(6, &integer(25)),
            tagged(9, &text(&self.realm)),
            tagged(10, &names(2, &["krbtgt", &self.realm])),
        ];
        framed(&wrap(0x7e, &wrap(0x30, &fields.concat())))
    }

    /// For fuzzers: both answers, under a seal that seals nothing.
    pub(crate) fn prepared(&self) -> Option<[Vec<u8>; 2]> {
        Some([self.prove_first(), self.granted(|plain| Some(plain.to_vec())).ok()?])
    }

    /// The ticket as if it came just now. `seal` encrypts for the made-up key.
    pub(super) fn granted(&self, seal: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Result<Vec<u8>, Refusal> {
        let key = wrap(0x30, &[tagged(0, &integer(self.kind)), tagged(1, &wrap(4, self.key.expose()))].concat());
        let last = wrap(0x30, &wrap(0x30, &[tagged(0, &integer(0)), tagged(1, &time())].concat()));
        let granting = names(2, &["krbtgt", &self.realm]);
        let fields = [
            tagged(0, &key),
            tagged(1, &last),
            tagged(2, &integer(0)),
            tagged(4, &wrap(3, &[0, 0, 0, 0, 0])),
            tagged(5, &time()),
            tagged(7, &time()),
            tagged(9, &text(&self.realm)),
            tagged(10, &granting),
        ];
        let plain = zeroize::Zeroizing::new(wrap(0x79, &wrap(0x30, &fields.concat())));
        let sealed = seal(&plain).ok_or_else(|| Refusal::Protocol("the cached ticket cannot be used".into()))?;
        let part = wrap(0x30, &[tagged(0, &integer(self.kind)), tagged(2, &wrap(4, &sealed))].concat());
        let parts: Vec<&str> = self.name.iter().map(String::as_str).collect();
        let fields = [
            tagged(0, &integer(5)),
            tagged(1, &integer(11)),
            tagged(3, &text(&self.realm)),
            tagged(4, &names(1, &parts)),
            tagged(5, &self.ticket),
            tagged(6, &part),
        ];
        Ok(framed(&wrap(0x6b, &wrap(0x30, &fields.concat()))))
    }
}

/// DER with its length; nothing here is longer than a ticket.
fn wrap(tag: u8, inside: &[u8]) -> Vec<u8> {
    let length = inside.len();
    let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            out.push(0x80 | digits.len().to_le_bytes()[0]);
            out.extend_from_slice(&digits);
        }
    }
    out.extend_from_slice(inside);
    out
}

fn tagged(number: u8, inside: &[u8]) -> Vec<u8> {
    wrap(0xa0 | number, inside)
}

/// Small and never negative.
fn integer(value: u16) -> Vec<u8> {
    let mut digits: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|b| *b == 0).collect();
    if digits.first().is_none_or(|d| *d >= 0x80) {
        digits.insert(0, 0);
    }
    wrap(2, &digits)
}

fn text(value: &str) -> Vec<u8> {
    wrap(0x1b, value.as_bytes())
}

/// Nobody looks at it: the ticket's own times are sealed in it.
fn time() -> Vec<u8> {
    wrap(0x18, b"20000101000000Z")
}

fn names(kind: u16, parts: &[&str]) -> Vec<u8> {
    let parts = wrap(0x30, &parts.iter().flat_map(|p| text(p)).collect::<Vec<u8>>());
    wrap(0x30, &[tagged(0, &integer(kind)), tagged(1, &parts)].concat())
}

/// Over TCP the length goes before.
fn framed(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap_or(0).to_be_bytes()[..], message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(kind: u16, key: usize, ends: u32) -> Vec<u8> {
        let counted = |b: &[u8]| [&(b.len() as u32).to_be_bytes()[..], b].concat();
        let principal = |parts: &[&str]| {
            let count = (parts.len() as u32).to_be_bytes();
            [&[0, 0, 0, 1][..], &count, &counted(b"LAB.TEST"), &parts.iter().flat_map(|p| counted(p.as_bytes())).collect::<Vec<u8>>()]
                .concat()
        };
        let times = [&[0; 8][..], &ends.to_be_bytes(), &[0; 9]].concat();
        let head = [&[5, 4, 0, 0][..], &principal(&["svc"]), &principal(&["svc"]), &principal(&["krbtgt", "LAB.TEST"])].concat();
        [&head[..], &kind.to_be_bytes(), &counted(&vec![7; key]), &times, &[0; 8], &counted(b"\x61\x03abc"), &[0; 4]].concat()
    }

    #[test]
    fn the_ticket_granting_ticket_is_found_and_damage_is_told() {
        let found = cached_ticket(&cache(18, 32, 60)).unwrap();
        assert_eq!((found.account().as_str(), found.ends), ("svc@LAB.TEST", Timestamp(60_000)));
        assert!(matches!(cached_ticket(&cache(23, 16, 60)), Err(CacheProblem::NoTicket)));
        assert!(matches!(cached_ticket(b"\x05\x02"), Err(CacheProblem::Format)));
        let whole = cache(18, 32, 60);
        for length in 2..whole.len() {
            assert!(cached_ticket(&whole[..length]).is_err(), "{length}");
        }
    }
}
