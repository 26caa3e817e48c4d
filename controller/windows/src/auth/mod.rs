//! Who we are: NTLM, Kerberos, Basic, a certificate; and what a refusal means for the account.
//!
//! Without TLS only methods that seal messages can be named at all: [`Sealing`] has no Basic.

mod breaker;
mod cache;
mod context;
mod kdc;
mod keytab;
mod logon;
mod seal;

pub(crate) use breaker::FIRST;
pub use breaker::{Breaker, Held, Standing};
pub use cache::{CacheProblem, CachedTicket, cached_ticket};
pub(crate) use context::{directory_answered, node_challenged};
pub(crate) use kdc::told;
pub(crate) use keytab::choose as choose_key;
pub use keytab::{KeytabEntry, KeytabProblem, keytab_entries};
pub(crate) use logon::{Guarded, Logon, offered};
pub(crate) use seal::{open_frames, wrapped};

use crate::http::Trust;
use drydock_model::time::Timestamp;
use std::time::Duration;

/// Where tickets come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kerberos {
    /// `CORP.EXAMPLE`.
    pub realm: String,
    /// `dc1.corp.example:88`, tried in this order.
    pub kdcs: Vec<String>,
    /// The name in the service principal `HTTP/name`, where the node's address is none.
    pub service_host: Option<String>,
    /// How long one question to a KDC may take.
    pub within: Duration,
}

/// Ways to log on that also seal every message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealing {
    /// For workgroups and for addresses that are no names.
    Ntlm,
    /// For domains.
    Kerberos(Kerberos),
}

/// Ways to log on over validated TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// The password itself, inside TLS.
    Basic,
    /// A client certificate.
    Certificate,
    /// NTLM, bound to the TLS channel, or Kerberos.
    Bound(Sealing),
}

/// How a WinRM endpoint is protected.
#[derive(Debug, Clone)]
pub enum Security {
    /// TLS below, any method inside.
    Https {
        /// Whom to trust.
        trust: Trust,
        /// How to log on.
        method: Method,
    },
    /// No TLS: every message is sealed by the method.
    SealedHttp {
        /// How to log on and seal.
        method: Sealing,
    },
}

/// What one logon is made with, taken out of a credential for one method.
#[derive(Debug)]
pub(crate) enum Proof {
    Password {
        user: String,
        password: crate::secret::Secret,
    },
    Key {
        user: String,
        entry: KeytabEntry,
    },
    /// A ticket, and a key made up for this one logon.
    Ticket {
        ticket: CachedTicket,
        key: crate::secret::Secret,
    },
    /// Shown in the TLS handshake, not in messages.
    Certificate,
}

/// Why nobody is logged on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The directory says so.
    #[error("the secret of account {0} is wrong; correct the credential")]
    WrongSecret(String),
    /// The directory does not know it.
    #[error("the directory does not know the account {0}; correct the user name or the realm")]
    UnknownAccount(String),
    /// Too many wrong secrets, from whomever.
    #[error("the account {0} is locked out; unlock it, and find who used a wrong secret")]
    Locked(String),
    /// Switched off.
    #[error("the account {0} is disabled; enable it")]
    Disabled(String),
    /// The secret is too old.
    #[error("the secret of account {0} has expired; change it")]
    Expired(String),
    /// The node says no and not why.
    #[error(
        "the node does not accept account {0}: the secret is wrong or expired, or the account locked, disabled or not allowed to log on there"
    )]
    Rejected(String),
    /// The clocks are too far apart for tickets.
    #[error("the clocks of the directory, the node and the controller are too far apart for Kerberos; correct them")]
    ClockSkew,
    /// The node has none of our ways.
    #[error("the node does not offer {wanted}, only: {offered}; allow it there, or configure another method")]
    NotOffered {
        /// What we would have used.
        wanted: &'static str,
        /// What it offers.
        offered: String,
    },
    /// The KDC does not know the node's service.
    #[error("the directory does not know the service {0}; use the node's full name as its address, or correct its service principal names")]
    UnknownService(String),
    /// No KDC, or one that answers something else.
    #[error("no ticket from the directory: {0}")]
    Directory(String),
    /// The node's side of the exchange makes no sense.
    #[error("the logon broke: {0}")]
    Protocol(String),
    /// The node does not take our certificate.
    #[error(
        "the node does not accept the client certificate; map it to a local account there, and let the port's binding ask for it in the handshake (clientcertnegotiation, DD0604)"
    )]
    CertificateRefused,
    /// The node does not take our key.
    #[error("the node does not accept the key of {0}; add it to administrators_authorized_keys there")]
    KeyRefused(String),
    /// The node's host key is another than the known one, or not known.
    #[error("{0}")]
    HostKey(String),
    /// The breaker is open, or the logon of another session decides first.
    #[error("{0}")]
    Held(Held),
    /// The credential cannot be had.
    #[error("credential {name} cannot be used: {why}")]
    Unavailable {
        /// Its name.
        name: String,
        /// Why, without any of its content.
        why: String,
    },
}

/// Whether a refusal speaks against the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Trying again can lock the account out.
    Secret,
    /// It may be the secret, and it may be this node.
    Perhaps,
    /// The secret was not judged.
    No,
}

impl Refusal {
    /// Whom it blames.
    pub fn blame(&self) -> Blame {
        match self {
            Refusal::WrongSecret(_) | Refusal::UnknownAccount(_) | Refusal::Locked(_) | Refusal::Disabled(_) | Refusal::Expired(_) => {
                Blame::Secret
            }
            Refusal::Rejected(_) => Blame::Perhaps,
            // A key or a certificate that a node does not know is no failed logon of an account.
            Refusal::ClockSkew
            | Refusal::NotOffered { .. }
            | Refusal::UnknownService(_)
            | Refusal::Directory(_)
            | Refusal::Protocol(_)
            | Refusal::CertificateRefused
            | Refusal::KeyRefused(_)
            | Refusal::HostKey(_)
            | Refusal::Held(_)
            | Refusal::Unavailable { .. } => Blame::No,
        }
    }
}

/// Wall clock and dice, as the engine's clock has them.
pub trait Instruments: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;
    /// A number that cannot be guessed.
    fn dice(&self) -> u64;
}

impl<C: drydock_engine::ports::Clock + 'static> Instruments for C {
    fn now(&self) -> Timestamp {
        drydock_engine::ports::Clock::now(self)
    }

    fn dice(&self) -> u64 {
        drydock_engine::ports::Clock::dice(self)
    }
}
