//! Why a logon is not made now, in the words of the status.

use super::record::TRIES;
use drydock_model::time::Timestamp;
use std::fmt;

/// Why a logon is not made now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// The secret was refused; the next logon has its time.
    Until {
        /// Which credential.
        credential: String,
        /// Why it was refused.
        why: String,
        /// When the next logon may be.
        until: Timestamp,
        /// Logons made since.
        tries: u32,
    },
    /// The secret was refused, five times.
    Exhausted {
        /// Which credential.
        credential: String,
        /// Why it was refused.
        why: String,
    },
    /// This node refused what others accept, or accepted until then.
    Node {
        /// Which credential.
        credential: String,
        /// Which node.
        node: String,
        /// Nobody has accepted it since: whether the node or the secret is wrong is not known yet.
        doubted: bool,
        /// When the next logon there may be; `None` after five.
        until: Option<Timestamp>,
    },
    /// Another logon decides first, and takes its time.
    First {
        /// Which credential.
        credential: String,
    },
    /// The state folder cannot be written: a logon that could not be counted is not made.
    State(String),
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Held::Until { credential, why, until, tries } => write!(
                f,
                "credential {credential} is held back, because {why}; logon {} of {TRIES} is at {until}, or at once after: drydock credential retry {credential}",
                tries + 1
            ),
            Held::Exhausted { credential, why } => write!(
                f,
                "credential {credential} is held back after {TRIES} logons, because {why}; when that is put right: drydock credential retry {credential}"
            ),
            Held::Node { credential, node, doubted, until: Some(until) } => {
                write!(f, "{node} refused credential {credential}, {}; the next logon there is at {until}", others(*doubted))
            }
            Held::Node { credential, node, doubted, until: None } => write!(
                f,
                "{node} refused credential {credential} {TRIES} times, {}; when that is put right: drydock credential retry {credential}",
                others(*doubted)
            ),
            Held::First { credential } => {
                write!(
                    f,
                    "logons with credential {credential} that began before, here or in another process, have not ended; this one follows them"
                )
            }
            Held::State(why) => write!(f, "the state folder cannot be written, so no logon can be counted: {why}"),
        }
    }
}

/// What the other nodes have to do with it.
fn others(doubted: bool) -> &'static str {
    if doubted { "which other nodes accepted before" } else { "which other nodes accept" }
}

/// How a credential stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub credential: String,
    /// Why it or a node is held back, in the words of the status.
    pub held: Held,
}
