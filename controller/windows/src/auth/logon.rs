//! The logon on one connection, and what every later message of that connection needs.

use super::context::Context;
use super::seal;
use super::{Method, Proof, Refusal, Sealing, Security};
use crate::http::{Connection, Post, PostError, Response};
use crate::wsman::ANSWER;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::time::Duration;
use zeroize::Zeroizing;

/// Legs of one logon; NTLM has two, Kerberos one or two.
const LEGS: u32 = 6;
const SOAP: &str = "application/soap+xml;charset=UTF-8";
/// What WinRM calls a logon by client certificate.
const MUTUAL: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual";

/// A connection on which somebody is logged on.
pub(crate) struct Logon {
    connection: Connection,
    seal: Option<Context>,
    authorization: Option<Zeroizing<String>>,
    account: String,
}

/// Why a message got no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Guarded {
    /// Nothing came back.
    Post(PostError),
    /// The node does not know us (any more).
    Refused(Refusal),
    /// What came back cannot be opened.
    Unsealed(String),
}

impl Logon {
    /// Logs on. Basic and certificates are judged with the first message, which is `probe`.
    pub(crate) async fn on(
        mut connection: Connection,
        security: &Security,
        proof: &Proof,
        host: &str,
        probe: &str,
        within: Duration,
    ) -> Result<Self, Guarded> {
        let (method, sealed) = match security {
            Security::Https { method: Method::Bound(method), .. } => (method, false),
            Security::SealedHttp { method } => (method, true),
            Security::Https { method: Method::Basic, .. } => {
                let Proof::Password { user, password } = proof else {
                    return Err(Guarded::Refused(Refusal::Protocol("Basic needs a password".into())));
                };
                let mut pair = Zeroizing::new(user.clone().into_bytes());
                pair.push(b':');
                pair.extend_from_slice(password.expose());
                let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*pair)));
                let mut logon = Self { connection, seal: None, authorization: Some(value), account: user.clone() };
                logon.exchange(probe.as_bytes(), within).await?;
                return Ok(logon);
            }
            Security::Https { method: Method::Certificate, .. } => {
                let value = Zeroizing::new(MUTUAL.to_owned());
                let mut logon = Self { connection, seal: None, authorization: Some(value), account: String::new() };
                logon.exchange(probe.as_bytes(), within).await?;
                return Ok(logon);
            }
        };
        let context = establish(&mut connection, method, proof, host, within).await?;
        let account = context.account().to_owned();
        Ok(Self { connection, seal: sealed.then_some(context), authorization: None, account })
    }

    /// Posts one message and gives the plain body of the answer, whether it is a fault or not.
    pub(crate) async fn exchange(&mut self, message: &[u8], within: Duration) -> Result<Vec<u8>, Guarded> {
        let (kind, body) = match &mut self.seal {
            Some(context) => {
                let protocol = context.protocol();
                let sealed = context.seal(message).map_err(Guarded::Refused)?;
                (format!("multipart/encrypted;protocol=\"{protocol}\";boundary=\"Encrypted Boundary\""), seal::frame(protocol, &sealed))
            }
            None => (SOAP.to_owned(), message.to_vec()),
        };
        let authorization = self.authorization.as_ref().map(|a| a.as_str());
        let post = Post { content_type: &kind, authorization, body: &body, limit: ANSWER, within };
        let response = self.connection.post(&post).await.map_err(Guarded::Post)?;
        match response.status {
            401 => Err(Guarded::Refused(self.unauthorized(&response))),
            _ => self.open(response),
        }
    }

    fn open(&mut self, response: Response) -> Result<Vec<u8>, Guarded> {
        let sealed = response.all("content-type").any(|t| t.to_ascii_lowercase().starts_with("multipart/encrypted"));
        match (&mut self.seal, sealed) {
            (Some(context), true) => context.unseal(&response.body).map_err(Guarded::Unsealed),
            // A plain answer to a sealed message could be anybody's.
            (Some(_), false) => Err(Guarded::Unsealed(format!("a plain answer (HTTP {}) to a sealed message", response.status))),
            (None, true) => Err(Guarded::Unsealed("a sealed answer to a plain message".into())),
            (None, false) => match response.status {
                200 | 500 => Ok(response.body),
                other => Err(Guarded::Unsealed(format!("HTTP {other} where WS-Management was expected"))),
            },
        }
    }

    fn unauthorized(&self, response: &Response) -> Refusal {
        match (&self.authorization, self.account.is_empty()) {
            (Some(_), true) => Refusal::CertificateRefused,
            (Some(_), false) if !offers(response, "Basic") => not_offered("Basic", response),
            (Some(_), false) => Refusal::Rejected(self.account.clone()),
            (None, _) => Refusal::Protocol("the node wants another logon on this connection".into()),
        }
    }
}

async fn establish(connection: &mut Connection, method: &Sealing, proof: &Proof, host: &str, within: Duration) -> Result<Context, Guarded> {
    let binding = connection.binding().map(<[u8]>::to_vec);
    let mut context = Context::new(method, proof, host, binding.as_deref()).map_err(Guarded::Refused)?;
    let mut token = Vec::new();
    let mut proven = false;
    for leg in 0..LEGS {
        let step = context.step(&token).await.map_err(Guarded::Refused)?;
        if step.done && step.token.is_empty() {
            break;
        }
        let authorization = Zeroizing::new(format!("{} {}", context.scheme(), STANDARD.encode(&step.token)));
        let post = Post { content_type: SOAP, authorization: Some(&authorization), body: b"", limit: ANSWER, within };
        let response = connection.post(&post).await.map_err(Guarded::Post)?;
        let answer = response.all("www-authenticate").find_map(|v| token_of(v, context.scheme()));
        match (response.status, answer) {
            (401, Some(next)) if !step.done || leg == 0 => token = next,
            (401, _) if leg == 0 && !offers(&response, context.scheme()) => {
                return Err(Guarded::Refused(not_offered(context.scheme(), &response)));
            }
            (401, _) if matches!(method, Sealing::Kerberos(_)) => {
                // The directory gave a ticket, so the secret is right: the node's service does not take the ticket.
                let why = "the node does not take the ticket: its clock, its service principal name or its own secret is wrong";
                return Err(Guarded::Refused(Refusal::Protocol(why.into())));
            }
            (401, _) => return Err(Guarded::Refused(Refusal::Rejected(context.account().to_owned()))),
            (200..=299, next) => {
                proven = true;
                match next {
                    // The node's own proof.
                    Some(next) if !step.done => token = next,
                    _ => break,
                }
            }
            // An empty body may be answered with an error; the logon itself is done then.
            (status, _) if step.done && status != 403 => {
                proven = true;
                break;
            }
            (status, _) => return Err(Guarded::Unsealed(format!("HTTP {status} during the logon"))),
        }
    }
    if proven { Ok(context) } else { Err(Guarded::Refused(Refusal::Protocol("it did not end".into()))) }
}

fn token_of(value: &str, scheme: &str) -> Option<Vec<u8>> {
    let (name, token) = value.trim().split_once(' ')?;
    if !name.eq_ignore_ascii_case(scheme) {
        return None;
    }
    STANDARD.decode(token.trim().trim_end_matches(',')).ok().filter(|t| !t.is_empty())
}

fn offers(response: &Response, scheme: &str) -> bool {
    let words = |v: &str| v.split([' ', ',']).any(|w| w.eq_ignore_ascii_case(scheme));
    response.all("www-authenticate").any(words)
}

fn not_offered(wanted: &'static str, response: &Response) -> Refusal {
    let clean = |v: &str| v.split(' ').next().unwrap_or("").chars().filter(char::is_ascii_graphic).take(40).collect::<String>();
    let offered: Vec<String> = response.all("www-authenticate").take(10).map(clean).collect();
    let offered = if offered.is_empty() { "nothing".to_owned() } else { offered.join(", ") };
    Refusal::NotOffered { wanted, offered }
}

/// For fuzzers: everything that is read of the ways to log on which an answer offers.
pub(crate) fn offered(response: &Response) {
    let _ = response.all("www-authenticate").find_map(|v| token_of(v, "Negotiate"));
    let _ = offers(response, "Basic");
    let Refusal::NotOffered { offered, .. } = not_offered("Negotiate", response) else { return };
    assert!(offered.len() < 500, "{offered} is told to a person");
}
