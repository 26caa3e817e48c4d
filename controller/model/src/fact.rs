//! Facts: what is known, since when, or why it is not.

use crate::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something read from the outside. Unknown is a value, and no guard is true over it (S10).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Fact<T> {
    /// It was so at some instant inside `seen`.
    Known {
        /// What was read.
        value: T,
        /// When, by the controller's clock.
        seen: Span,
    },
    /// Not known, and why.
    Unknown(Gap),
}

impl<T> Fact<T> {
    /// The value, where known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Fact::Known { value, .. } => Some(value),
            Fact::Unknown(_) => None,
        }
    }

    /// When it was read, where known.
    pub fn seen(&self) -> Option<Span> {
        match self {
            Fact::Known { seen, .. } => Some(*seen),
            Fact::Unknown(_) => None,
        }
    }

    /// Why it is not known.
    pub fn gap(&self) -> Option<&Gap> {
        match self {
            Fact::Known { .. } => None,
            Fact::Unknown(gap) => Some(gap),
        }
    }

    /// The value or the gap, for `?`.
    pub fn get(&self) -> Result<&T, &Gap> {
        match self {
            Fact::Known { value, .. } => Ok(value),
            Fact::Unknown(gap) => Err(gap),
        }
    }

    /// The same with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Fact::Known { value, seen } => Fact::Known { value: f(value), seen },
            Fact::Unknown(gap) => Fact::Unknown(gap),
        }
    }
}

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Gap {
    /// Nobody asked.
    NotAsked,
    /// No answer in the time allowed.
    TimedOut,
    /// No connection.
    Unreachable,
    /// The account may not read it.
    AccessDenied,
    /// Nobody is logged on there; says which credential, and why.
    AuthenticationFailed(String),
    /// The answer could not be understood at this field.
    Unparsable(String),
    /// The answer lacks this field.
    Missing(String),
    /// The cluster service is not running there, so cluster commands fail.
    ClusterServiceStopped,
    /// Those who answered do not agree on this.
    Disagree(String),
    /// Read too long ago to act on.
    Stale,
    /// The ledger or a repository could not be read.
    Unreadable(String),
    /// What a node keeps of Drydock's is damaged; says what.
    Damaged(String),
}

impl Gap {
    /// One word that names the kind, for transitions. Silence is one kind: how it shows itself changes from one look to the next.
    pub fn kind(&self) -> &'static str {
        match self {
            Gap::NotAsked | Gap::TimedOut | Gap::Unreachable | Gap::Stale => "Silent",
            Gap::AccessDenied => "AccessDenied",
            Gap::AuthenticationFailed(_) => "AuthenticationFailed",
            Gap::Unparsable(_) => "Unparsable",
            Gap::Missing(_) => "Missing",
            Gap::ClusterServiceStopped => "ClusterServiceStopped",
            Gap::Disagree(_) => "Disagree",
            Gap::Unreadable(_) => "Unreadable",
            Gap::Damaged(_) => "Damaged",
        }
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gap::NotAsked => f.write_str("not asked"),
            Gap::TimedOut => f.write_str("no answer in time"),
            Gap::Unreachable => f.write_str("unreachable"),
            Gap::AccessDenied => f.write_str("access denied"),
            Gap::AuthenticationFailed(why) => write!(f, "authentication failed: {why}"),
            Gap::Unparsable(field) => write!(f, "answer not understood at {field}"),
            Gap::Missing(field) => write!(f, "answer lacks {field}"),
            Gap::ClusterServiceStopped => f.write_str("cluster service not running"),
            Gap::Disagree(what) => write!(f, "nodes disagree on {what}"),
            Gap::Stale => f.write_str("read too long ago"),
            Gap::Unreadable(what) => write!(f, "could not be read: {what}"),
            Gap::Damaged(what) => write!(f, "damaged, and a person must look at it (DD0617): {what}"),
        }
    }
}
