//! Names and identities: short texts with a checked alphabet, so that none of them can carry a quote, a newline or a path.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Why a text is not a name of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameError {
    /// Nothing there.
    Empty,
    /// Longer than the kind allows.
    TooLong {
        /// Characters found.
        found: usize,
        /// Characters allowed.
        most: usize,
    },
    /// A character outside the kind's alphabet.
    BadCharacter(char),
    /// Begins or ends with a character that may only stand inside.
    BadEdge(char),
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("is empty"),
            NameError::TooLong { found, most } => write!(f, "has {found} characters; at most {most} are allowed"),
            NameError::BadCharacter(c) => {
                write!(f, "contains {c:?} (U+{:04X}); only letters a-z, digits and '-' are allowed", u32::from(*c))
            }
            NameError::BadEdge(c) => write!(f, "begins or ends with {c:?}"),
        }
    }
}

impl std::error::Error for NameError {}

fn check(text: &str, most: usize, upper: bool) -> Result<(), NameError> {
    let found = text.chars().count();
    if found == 0 {
        return Err(NameError::Empty);
    }
    if found > most {
        return Err(NameError::TooLong { found, most });
    }
    let bad = |c: &char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-' || (upper && c.is_ascii_uppercase()));
    if let Some(c) = text.chars().find(bad) {
        return Err(NameError::BadCharacter(c));
    }
    match text.chars().next().into_iter().chain(text.chars().last()).find(|c| *c == '-') {
        Some(c) => Err(NameError::BadEdge(c)),
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let normal: fn(&str) -> Result<String, NameError> = $check;
                normal(text).map($name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// A cluster's name in the fleet repository: lower-case letters, digits and `-`, at most 63 characters.
    ClusterName, |t| check(t, 63, false).map(|()| t.to_owned())
);
name!(
    /// A node's short name as the cluster knows it: at most 15 characters (the NetBIOS limit); kept in upper case, as Windows does not tell cases apart.
    NodeName, |t| check(t, 15, true).map(|()| t.to_ascii_uppercase())
);

fn token(t: &str) -> Result<String, NameError> {
    check(t, 64, true).map(|()| t.to_ascii_lowercase())
}

name!(
    /// The machine's SMBIOS UUID: another machine under the same name has another one.
    MachineUuid, token
);
name!(
    /// The cluster's own id (`(Get-Cluster).Id`).
    ClusterId, token
);
name!(
    /// The node's id inside its cluster (`(Get-ClusterNode).Id`).
    ClusterNodeId, token
);
name!(
    /// A random value in a volatile registry key, made at first contact after each boot: another boot has another one.
    BootId, token
);
name!(
    /// A commit's object id in hexadecimal.
    Revision, |t| match t.chars().find(|c| !c.is_ascii_hexdigit()) {
        Some(c) => Err(NameError::BadCharacter(c)),
        None => token(t),
    }
);
name!(
    /// Names one cluster's effective inputs: its own file's meaning merged with the fleet's defaults.
    SpecHash, token
);
name!(
    /// The random part of a claim: two claims with equal numbers differ in it.
    Nonce, token
);
name!(
    /// What an order asks, in 64 hexadecimal digits: equal for every send of one order (rule 10).
    Digest, token
);

/// One claim of the right to write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Epoch {
    /// Rises by one with each claim.
    pub number: u32,
    /// Tells two claims with the same number apart.
    pub nonce: Nonce,
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.number, self.nonce)
    }
}

/// Counts entries of one cluster within one epoch; the claim itself is 0.
pub type Seq = u32;

/// Where an entry stands: the fence a node keeps, and all of an [`EntryId`] but the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The claim it was written under.
    pub epoch: Epoch,
    /// Its number within that claim.
    pub seq: Seq,
}

impl Place {
    /// How the two stand to each other; `None` for two claims of one number, of which neither is older.
    pub fn compare(&self, other: &Place) -> Option<std::cmp::Ordering> {
        match self.epoch.number.cmp(&other.epoch.number) {
            std::cmp::Ordering::Equal if self.epoch.nonce != other.epoch.nonce => None,
            std::cmp::Ordering::Equal => Some(self.seq.cmp(&other.seq)),
            unequal => Some(unequal),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.epoch, self.seq)
    }
}

/// The text that [`Place`] prints: `3.ab12/8`.
impl FromStr for Place {
    type Err = NotAPlace;
    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let parts = || {
            let (epoch, seq) = text.split_once('/')?;
            let (number, nonce) = epoch.split_once('.')?;
            let epoch = Epoch { number: number.parse().ok()?, nonce: nonce.parse().ok()? };
            Some(Place { epoch, seq: seq.parse().ok()? })
        };
        // `+3` and `03` are numbers to the parser; a place has one text only.
        parts().filter(|place| place.to_string() == text).ok_or(NotAPlace)
    }
}

/// A text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPlace;

impl fmt::Display for NotAPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no place in the ledger, as in 3.ab12/8")
    }
}

impl std::error::Error for NotAPlace {}

/// A ledger entry's stable name; unlike a commit hash it survives re-parenting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryId {
    /// Whose entry.
    pub cluster: ClusterName,
    /// Claim and number.
    pub place: Place,
}

impl EntryId {
    /// The entry `offset` numbers later.
    pub fn later(&self, offset: u32) -> EntryId {
        let mut later = self.clone();
        later.place.seq += offset;
        later
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.place)
    }
}

/// Who a node is. A name alone is nobody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeId {
    /// Short name.
    pub name: NodeName,
    /// The machine under that name.
    pub machine: MachineUuid,
    /// The cluster it belongs to.
    pub cluster: ClusterId,
    /// Its id there.
    pub node: ClusterNodeId,
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (machine {}, node {})", self.name, self.machine, self.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_anything_but_letters_digits_and_inner_dashes_are_refused() {
        for bad in ["", "-a", "a-", "a b", "a;b", "a'b", "a\nb", "../a", "a.b", "\u{430}bc", "a\u{200b}"] {
            assert!(bad.parse::<NodeName>().is_err(), "{bad:?}");
            assert!(bad.parse::<ClusterName>().is_err(), "{bad:?}");
        }
        assert!("abcdefghijklmnop".parse::<NodeName>().is_err(), "sixteen characters");
    }

    #[test]
    fn node_names_do_not_tell_cases_apart() {
        assert_eq!("n01".parse::<NodeName>(), "N01".parse::<NodeName>());
        assert!("N01".parse::<ClusterName>().is_err());
    }

    #[test]
    fn a_place_is_read_from_its_own_text_and_from_no_other() {
        let place: Place = "3.ab12/8".parse().unwrap();
        assert_eq!(place.to_string(), "3.ab12/8");
        for bad in ["", "3/8", "3.ab12", "3.ab12/", "+3.ab12/8", "03.ab12/8", "3.AB12/8", "3.ab12/8 ", "3.a b/8", "3.ab12/99999999999"] {
            assert_eq!(bad.parse::<Place>(), Err(NotAPlace), "{bad:?}");
        }
    }

    #[test]
    fn two_claims_of_one_number_are_not_comparable() {
        let place = |number, nonce: &str, seq| Place { epoch: Epoch { number, nonce: nonce.parse().unwrap() }, seq };
        assert_eq!(place(1, "a", 9).compare(&place(1, "b", 1)), None);
        assert_eq!(place(1, "a", 9).compare(&place(2, "b", 1)), Some(std::cmp::Ordering::Less));
        assert_eq!(place(2, "b", 9).compare(&place(2, "b", 1)), Some(std::cmp::Ordering::Greater));
    }
}
