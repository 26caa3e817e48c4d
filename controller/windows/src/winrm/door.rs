//! The way to a logged-on connection: the credential as it is now, a connection, the breaker's leave, the logon.

use crate::auth::{Blame, Breaker, FIRST, Guarded, Instruments, Logon, Method, Refusal, Security};
use crate::credential::{Credential, Credentials, unavailable};
use crate::error::SessionError;
use crate::http::{Connection, Endpoint};
use crate::wsman::{Conversation, MessageIds, Program, Requests};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long one leg of a logon may take.
const LEG: Duration = Duration::from_secs(20);
/// A connection that has waited longer for its turn is opened anew: nodes close those that say nothing.
const STALE: Duration = Duration::from_secs(5);

/// Names of shells: whose they are, and of which run.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    owner: String,
    run: u64,
}

impl Names {
    /// `owner` is the controller's configured name and purpose; `run` tells this process from those before it.
    pub(crate) fn new(owner: &str, run: u64) -> Self {
        let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        Self { owner: owner.chars().filter(plain).take(80).collect(), run }
    }

    pub(crate) fn mine(&self) -> String {
        format!("drydock:{}:{:016x}", self.owner, self.run)
    }

    /// Of ours, and of another run.
    pub(crate) fn is_left_over(&self, name: &str) -> bool {
        name != self.mine() && name.strip_prefix(&format!("drydock:{}:", self.owner)).is_some_and(|run| run.len() == 16)
    }
}

/// Everything that a logon on one node takes.
pub(crate) struct Door {
    pub(crate) node: String,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) credential: String,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) instruments: Arc<dyn Instruments>,
    pub(crate) names: Names,
    pub(crate) connect: Duration,
}

impl Door {
    pub(crate) fn url(&self) -> String {
        let scheme = match self.security {
            Security::Https { .. } => "https",
            Security::SealedHttp { .. } => "http",
        };
        format!("{scheme}://{}:{}/wsman", self.host, self.port)
    }

    pub(crate) fn dice(&self) -> u64 {
        self.instruments.dice()
    }

    /// Logs on, if the breaker lets us.
    pub(crate) async fn logon(&self) -> Result<Entered, SessionError> {
        let credential = self.credentials.get(&self.credential).await?;
        let proof = credential.proof(&self.security, &*self.instruments).map_err(|why| unavailable(&self.credential, why))?;
        let tls = match &self.security {
            Security::Https { trust, method: Method::Certificate } => {
                let own = credential.certificate().map_err(|why| unavailable(&self.credential, why))?;
                Some((trust.clone(), Some(own)))
            }
            Security::Https { trust, .. } => Some((trust.clone(), None)),
            Security::SealedHttp { .. } => None,
        };
        let endpoint = Endpoint { host: self.host.clone(), port: self.port, connect: self.connect, tls };
        let mut connection = Connection::open(&endpoint).await?;
        let asked = Instant::now();
        let pass = self.breaker.admit(&self.credential, credential.print(), &self.node, asked + FIRST).await.map_err(Refusal::Held)?;
        if asked.elapsed() > STALE {
            connection = Connection::open(&endpoint).await?;
        }
        let mut talk = self.question();
        match Logon::on(connection, &self.security, &proof, &self.host, &mut talk, LEG).await {
            Ok(logon) => {
                pass.accepted();
                self.credentials.trust(&self.credential, &credential);
                Ok(Entered { logon, credential })
            }
            Err(Guarded::Refused(refusal)) => {
                pass.refused(&refusal);
                self.doubt(&credential, &refusal);
                Err(refusal.into())
            }
            Err(Guarded::Post(error)) => {
                // A second handshake, which our TLS does not do, ends like that.
                let late = match &self.security {
                    Security::Https { method: Method::Certificate, .. } => {
                        " (does the node ask for the client's certificate only then? See DD0604)"
                    }
                    Security::Https { .. } | Security::SealedHttp { .. } => "",
                };
                Err(SessionError::Unreachable(format!("{error} during the logon{late}")))
            }
            Err(Guarded::Unsealed(why)) => Err(SessionError::AnswerUnintelligible { why, sent: false }),
        }
    }

    fn doubt(&self, credential: &Credential, refusal: &Refusal) {
        match refusal.blame() {
            Blame::Secret | Blame::Perhaps => self.credentials.doubt(&self.credential, credential),
            Blame::No => {}
        }
    }

    /// For a harmless question, for methods that are judged with the first message.
    fn question(&self) -> Conversation {
        let program = Program { name: String::new(), program: String::new(), arguments: Vec::new(), idle: LEG };
        Conversation::new(Requests::new(&self.url(), LEG, MessageIds::new(0)), program)
    }
}

/// Somebody who was let in, and with what.
pub(crate) struct Entered {
    logon: Logon,
    credential: Arc<Credential>,
}

impl Entered {
    /// Posts one message. Methods that prove the account with each message can be refused at each: then the breaker hears of it before anybody logs on again.
    pub(crate) async fn exchange(&mut self, door: &Door, message: &[u8], within: Duration) -> Result<Vec<u8>, Guarded> {
        let result = self.logon.exchange(message, within).await;
        if let Err(Guarded::Refused(refusal)) = &result {
            door.breaker.refused_later(&door.credential, self.credential.print(), &door.node, refusal);
            door.doubt(&self.credential, refusal);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shells_of_another_run_of_the_same_owner_are_left_over() {
        let names = Names::new("shop 1:x", 7);
        assert_eq!(names.mine(), "drydock:shop1x:0000000000000007");
        assert!(names.is_left_over("drydock:shop1x:0000000000000008"));
        for other in [names.mine().as_str(), "drydock:shop1x:8", "drydock:shop2:0000000000000008", "Runspace1", ""] {
            assert!(!names.is_left_over(other), "{other}");
        }
    }
}
