//! The logon on one connection, and what every later message of that connection needs.

use super::context::Context;
use super::seal;
use super::{Method, Proof, Refusal, Sealing, Security};
use crate::http::{Connection, Post, PostError, Response};
use crate::secret::Secret;
use crate::wsman::{ANSWER, Conversation, Problem};
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
    /// Logs on. Basic and certificates are judged with the first message: a harmless question of `talk`.
    pub(crate) async fn on(
        mut connection: Connection,
        security: &Security,
        proof: &Proof,
        host: &str,
        talk: &mut Conversation,
        within: Duration,
    ) -> Result<Self, Guarded> {
        let (method, sealed) = match security {
            Security::Https { method: Method::Bound(method), .. } => (method, false),
            Security::SealedHttp { method } => (method, true),
            Security::Https { method: Method::Basic, .. } => {
                let Proof::Password { user, password } = proof else {
                    return Err(Guarded::Refused(Refusal::Protocol("Basic needs a password".into())));
                };
                let logon = Self { connection, seal: None, authorization: Some(basic(user, password)), account: user.clone() };
                return logon.judged(talk, within).await;
            }
            Security::Https { method: Method::Certificate, .. } => {
                let value = Zeroizing::new(MUTUAL.to_owned());
                let logon = Self { connection, seal: None, authorization: Some(value), account: String::new() };
                return logon.judged(talk, within).await;
            }
        };
        let context = establish(&mut connection, method, proof, host, within).await?;
        let account = context.account().to_owned();
        Ok(Self { connection, seal: sealed.then_some(context), authorization: None, account })
    }

    /// What counts as let in is an answer of WS-Management, be it a fault: a proxy's page says nothing of the account.
    async fn judged(mut self, talk: &mut Conversation, within: Duration) -> Result<Self, Guarded> {
        let question = talk.identify();
        let body = self.exchange(question.text.as_bytes(), within).await?;
        match talk.answered(&body) {
            Ok(_) | Err(Problem::Fault(_)) => Ok(self),
            Err(problem @ (Problem::Malformed(_) | Problem::OutOfTurn)) => Err(Guarded::Unsealed(problem.to_string())),
        }
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
            // The password was sent: only a node that names other ways, and not this one, has not judged it.
            (Some(_), false) if names_ways(response) && !offers(response, "Basic") => not_offered("Basic", response),
            (Some(_), false) => Refusal::Rejected(self.account.clone()),
            (None, _) => Refusal::Protocol("the node wants another logon on this connection".into()),
        }
    }
}

/// `Basic` and the pair, of which no copy is left behind unwiped: nothing here grows.
fn basic(user: &str, password: &Secret) -> Zeroizing<String> {
    let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + 1 + password.expose().len()));
    pair.extend_from_slice(user.as_bytes());
    pair.push(b':');
    pair.extend_from_slice(password.expose());
    let mut value = Zeroizing::new(String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4));
    value.push_str("Basic ");
    STANDARD.encode_string(&*pair, &mut value);
    value
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
            // WinRM may answer an empty body of somebody it let in with an error of its own. Whatever else comes back (a redirection, a service that is
            // down, a gateway) is from somebody who judged no secret.
            (400 | 500, _) if step.done => {
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

fn names_ways(response: &Response) -> bool {
    response.all("www-authenticate").next().is_some()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Blame;
    use crate::http::{Endpoint, Pin, Trust};
    use crate::wsman::{MessageIds, Program, Requests};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    const WITHIN: Duration = Duration::from_secs(20);
    const IDENTIFIED: &str = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
        xmlns:i=\"http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd\"><s:Body><i:IdentifyResponse><i:ProtocolVersion>1</i:ProtocolVersion>\
        <i:ProductVendor>M</i:ProductVendor><i:ProductVersion>1</i:ProductVersion></i:IdentifyResponse></s:Body></s:Envelope>";

    fn answer(status: &str, headers: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// A logon by Basic or NTLM on a node that gives these answers, one to each request.
    async fn logon(method: Method, answers: Vec<String>) -> Result<(), Guarded> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let node = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                let (mut asked, mut byte) = (Vec::new(), [0]);
                while !asked.ends_with(b"\r\n\r\n") {
                    stream.read_exact(&mut byte).await.unwrap();
                    asked.push(byte[0]);
                }
                let head = String::from_utf8(asked).unwrap();
                let length = head.split("Content-Length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok()).unwrap();
                let mut body = vec![0; length];
                stream.read_exact(&mut body).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let connection = Connection::open(&Endpoint { host: "127.0.0.1".into(), port, connect: WITHIN, tls: None }).await.unwrap();
        let security = Security::Https { trust: Trust::Pinned("00".repeat(32).parse::<Pin>().unwrap()), method };
        let proof = Proof::Password { user: "svc".into(), password: Secret::new(b"secret".to_vec()) };
        let program = Program { name: String::new(), program: String::new(), arguments: Vec::new(), idle: WITHIN };
        let mut talk = Conversation::new(Requests::new("http://n01/wsman", WITHIN, MessageIds::new(1)), program);
        let result = Logon::on(connection, &security, &proof, "n01", &mut talk, WITHIN).await.map(drop);
        node.abort();
        result
    }

    async fn basic_answered(status: &str, headers: &str, body: &str) -> Result<(), Guarded> {
        logon(Method::Basic, vec![answer(status, headers, body)]).await
    }

    fn blamed(result: Result<(), Guarded>) -> Blame {
        match result {
            Err(Guarded::Refused(refusal)) => refusal.blame(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_password_that_was_sent_and_refused_is_blamed_unless_the_node_names_only_other_ways() {
        let header = |value: &str| format!("WWW-Authenticate: {value}\r\n");
        assert_eq!(blamed(basic_answered("401 x", "", "").await), Blame::Perhaps, "no header at all");
        assert_eq!(blamed(basic_answered("401 x", &header("Basic realm=\"WSMAN\""), "").await), Blame::Perhaps);
        let both = header("Negotiate") + &header("Basic realm=\"WSMAN\"");
        assert_eq!(blamed(basic_answered("401 x", &both, "").await), Blame::Perhaps);
        let result = basic_answered("401 x", &header("Negotiate"), "").await;
        assert!(
            matches!(&result, Err(Guarded::Refused(Refusal::NotOffered { wanted: "Basic", offered })) if offered == "Negotiate"),
            "{result:?}"
        );
    }

    #[tokio::test]
    async fn only_an_answer_of_winrm_itself_says_that_a_password_was_accepted() {
        assert_eq!(basic_answered("200 OK", "", IDENTIFIED).await, Ok(()));
        for (status, body) in
            [("200 OK", "<html/>"), ("500 x", "down"), ("302 x", ""), ("404 x", ""), ("502 x", ""), ("503 x", ""), ("200 OK", "")]
        {
            let result = basic_answered(status, "", body).await;
            assert!(matches!(result, Err(Guarded::Unsealed(_))), "{status} {body}: {result:?}");
        }
    }

    /// A CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2) with a time, so that the answer is one of NTLMv2.
    fn challenge() -> String {
        let pairs = [&[7, 0, 8, 0][..], &[0; 8], &[0; 4]].concat();
        let length = u8::try_from(pairs.len()).unwrap();
        let field = [length, 0, length, 0, 48, 0, 0, 0];
        let flags = 0xe288_8235_u32.to_le_bytes();
        let message = [&b"NTLMSSP\0\x02\0\0\0"[..], &[0, 0, 0, 0, 48, 0, 0, 0], &flags, &[7; 8], &[0; 8], &field, &pairs].concat();
        format!("WWW-Authenticate: Negotiate {}\r\n", STANDARD.encode(message))
    }

    async fn ntlm_ended(status: &str) -> Result<(), Guarded> {
        logon(Method::Bound(Sealing::Ntlm), vec![answer("401 x", &challenge(), ""), answer(status, "", "")]).await
    }

    #[tokio::test]
    async fn only_what_winrm_says_to_somebody_it_let_in_ends_a_logon_well() {
        for status in ["200 OK", "204 x", "400 x", "500 x"] {
            assert_eq!(ntlm_ended(status).await, Ok(()), "{status}");
        }
        for status in ["302 x", "403 x", "404 x", "411 x", "502 x", "503 x"] {
            let result = ntlm_ended(status).await;
            assert!(matches!(result, Err(Guarded::Unsealed(_))), "{status}: {result:?}");
        }
        assert_eq!(blamed(ntlm_ended("401 x").await), Blame::Perhaps);
    }

    #[test]
    fn the_pair_of_basic_is_made_without_a_copy_that_is_left_behind() {
        let value = basic("svc", &Secret::new("s\u{fc}cret".into()));
        assert_eq!(*value, format!("Basic {}", STANDARD.encode("svc:s\u{fc}cret")));
        assert_eq!(value.capacity(), value.len());
    }
}
