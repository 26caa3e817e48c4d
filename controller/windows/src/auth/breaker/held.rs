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
    /// This node refused what others accept.
    Node {
        /// Which credential.
        credential: String,
        /// Which node.
        node: String,
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
            Held::Node { credential, node, until: Some(until) } => {
                write!(f, "{node} refused credential {credential}, which other nodes accept; the next logon there is at {until}")
            }
            Held::Node { credential, node, until: None } => write!(
                f,
                "{node} refused credential {credential} {TRIES} times, which other nodes accept; when that is put right: drydock credential retry {credential}"
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

/// How a credential stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub credential: String,
    /// Why it or a node is held back, in the words of the status.
    pub held: Held,
}
