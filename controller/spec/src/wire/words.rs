//! A person's word: a signed commit on the status branch that changes no file and says in trailers what is allowed from now on.

use super::message::{self, write_trailers};
use super::{SCHEMA, one_line};
use drydock_model::ids::{ClusterName, NodeName, Revision};
use drydock_model::ledger::Word;
use std::fmt;

/// Characters of a reason; it is shown in every later status, on one line.
pub const MOST_REASON: usize = 200;

/// What a person said, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// To one cluster's ledger.
    Cluster {
        /// Which.
        cluster: ClusterName,
        /// What.
        word: Word,
    },
    /// `drydock clock accept` without a cluster: to every cluster's ledger.
    ClockEverywhere {
        /// Why.
        reason: String,
    },
    /// `drydock accept REV`: this revision of the desired branch counts, though it does not descend from the last accepted one.
    Accept {
        /// Which.
        revision: Revision,
        /// Why.
        reason: String,
    },
    /// `drydock accept --status COMMIT`: this commit of the status branch is harmless, though no known controller signed it.
    AcceptStatus {
        /// Which.
        commit: Revision,
        /// Why.
        reason: String,
    },
}

/// Why a commit that has a word's trailers says nothing that counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWord {
    /// No such word.
    #[error("{0:?} is no word; known are retry, gone, clock, accept and accept-status")]
    Unknown(String),
    /// A trailer is missing.
    #[error("the word {word} needs the trailer {trailer}")]
    Missing {
        /// The word.
        word: String,
        /// What it lacks.
        trailer: &'static str,
    },
    /// A trailer's value is not of its kind.
    #[error("the trailer {trailer} {why}")]
    Value {
        /// Which.
        trailer: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A word for another version of Drydock.
    #[error("the word is of schema {0}, and this drydock reads up to {SCHEMA}; upgrade it")]
    SchemaTooNew(String),
}

impl Said {
    /// The reason given.
    pub fn reason(&self) -> &str {
        match self {
            Said::Cluster { word: Word::Retry { reason, .. } | Word::Gone { reason, .. } | Word::Clock { reason }, .. } => reason,
            Said::ClockEverywhere { reason } | Said::Accept { reason, .. } | Said::AcceptStatus { reason, .. } => reason,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Said::Cluster { word: Word::Retry { .. }, .. } => "retry",
            Said::Cluster { word: Word::Gone { .. }, .. } => "gone",
            Said::Cluster { word: Word::Clock { .. }, .. } | Said::ClockEverywhere { .. } => "clock",
            Said::Accept { .. } => "accept",
            Said::AcceptStatus { .. } => "accept-status",
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::Cluster { cluster, word: Word::Retry { node, .. } } => write!(f, "{cluster}: {node} gets fresh attempts"),
            Said::Cluster { cluster, word: Word::Gone { node, .. } } => write!(f, "{cluster}: {node} is gone for good"),
            Said::Cluster { cluster, word: Word::Clock { .. } } => write!(f, "{cluster}: the clock is right as it is"),
            Said::ClockEverywhere { .. } => f.write_str("all clusters: the clock is right as it is"),
            Said::Accept { revision, .. } => write!(f, "revision {revision} of the fleet is accepted"),
            Said::AcceptStatus { commit, .. } => write!(f, "commit {commit} of the status branch is accepted"),
        }
    }
}

/// The message of the commit that says it.
pub fn encode(said: &Said) -> String {
    let (cluster, node, commit) = match said {
        Said::Cluster { cluster, word: Word::Retry { node, .. } | Word::Gone { node, .. } } => (Some(cluster), Some(node), None),
        Said::Cluster { cluster, word: Word::Clock { .. } } => (Some(cluster), None, None),
        Said::ClockEverywhere { .. } => (None, None, None),
        Said::Accept { revision: commit, .. } | Said::AcceptStatus { commit, .. } => (None, None, Some(commit)),
    };
    let rows = [
        ("Word", Some(said.word().to_owned())),
        ("Cluster", cluster.map(ToString::to_string)),
        ("Node", node.map(ToString::to_string)),
        ("Commit", commit.map(ToString::to_string)),
        ("Reason", Some(one_line(said.reason(), MOST_REASON))),
        ("Schema", Some(SCHEMA.to_string())),
    ];
    format!("{}\n\n{}", one_line(&said.to_string(), 100), write_trailers(&rows))
}

/// The word of a commit; `None` when it has none.
pub fn parse(message: &str) -> Result<Option<Said>, BadWord> {
    let Some(trailers) = message::parse(message) else { return Ok(None) };
    let Some(word) = trailers.word else { return Ok(None) };
    match trailers.schema.as_deref().map(str::parse::<u32>) {
        Some(Ok(schema)) if schema <= SCHEMA => {}
        Some(Ok(_) | Err(_)) | None => return Err(BadWord::SchemaTooNew(trailers.schema.unwrap_or_default())),
    }
    let need = |trailer, value: &Option<String>| value.clone().ok_or(BadWord::Missing { word: word.clone(), trailer });
    let reason = need("Reason", &trailers.reason)?;
    if reason.trim().is_empty() {
        return Err(BadWord::Missing { word, trailer: "Reason" });
    }
    let cluster = || -> Result<ClusterName, BadWord> { value("Cluster", &need("Cluster", &trailers.cluster)?) };
    let node = || -> Result<NodeName, BadWord> { value("Node", &need("Node", &trailers.node)?) };
    let commit = || -> Result<Revision, BadWord> { value("Commit", &need("Commit", &trailers.commit)?) };
    match word.as_str() {
        "retry" => Ok(Some(Said::Cluster { cluster: cluster()?, word: Word::Retry { node: node()?, reason } })),
        "gone" => Ok(Some(Said::Cluster { cluster: cluster()?, word: Word::Gone { node: node()?, reason } })),
        "clock" if trailers.cluster.is_some() => Ok(Some(Said::Cluster { cluster: cluster()?, word: Word::Clock { reason } })),
        "clock" => Ok(Some(Said::ClockEverywhere { reason })),
        "accept" => Ok(Some(Said::Accept { revision: commit()?, reason })),
        "accept-status" => Ok(Some(Said::AcceptStatus { commit: commit()?, reason })),
        _ => Err(BadWord::Unknown(word)),
    }
}

fn value<T: std::str::FromStr>(trailer: &'static str, text: &str) -> Result<T, BadWord>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|e: T::Err| BadWord::Value { trailer, why: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn every() -> Vec<Said> {
        let cluster: ClusterName = "hospital-north".parse().unwrap();
        let node: NodeName = "N02".parse().unwrap();
        let commit: Revision = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        let reason = "mended: disk 3".to_owned();
        vec![
            Said::Cluster { cluster: cluster.clone(), word: Word::Retry { node: node.clone(), reason: reason.clone() } },
            Said::Cluster { cluster: cluster.clone(), word: Word::Gone { node, reason: reason.clone() } },
            Said::Cluster { cluster, word: Word::Clock { reason: reason.clone() } },
            Said::ClockEverywhere { reason: reason.clone() },
            Said::Accept { revision: commit.clone(), reason: reason.clone() },
            Said::AcceptStatus { commit, reason },
        ]
    }

    #[test]
    fn every_word_is_read_back_as_it_was_said() {
        for said in every() {
            assert_eq!(parse(&encode(&said)), Ok(Some(said)));
        }
        expect![[r#"
            hospital-north: N02 gets fresh attempts

            Word: retry
            Cluster: hospital-north
            Node: N02
            Reason: mended: disk 3
            Schema: 1
            ===
            hospital-north: N02 is gone for good

            Word: gone
            Cluster: hospital-north
            Node: N02
            Reason: mended: disk 3
            Schema: 1
            ===
            hospital-north: the clock is right as it is

            Word: clock
            Cluster: hospital-north
            Reason: mended: disk 3
            Schema: 1
            ===
            all clusters: the clock is right as it is

            Word: clock
            Reason: mended: disk 3
            Schema: 1
            ===
            revision 0123456789abcdef0123456789abcdef01234567 of the fleet is accepted

            Word: accept
            Commit: 0123456789abcdef0123456789abcdef01234567
            Reason: mended: disk 3
            Schema: 1
            ===
            commit 0123456789abcdef0123456789abcdef01234567 of the status branch is accepted

            Word: accept-status
            Commit: 0123456789abcdef0123456789abcdef01234567
            Reason: mended: disk 3
            Schema: 1
        "#]]
        .assert_eq(&every().iter().map(encode).collect::<Vec<_>>().join("===\n"));
    }

    #[test]
    fn entries_and_foreign_commits_are_no_words() {
        assert_eq!(parse(&message::message(&super::super::sample::installing())), Ok(None));
        assert_eq!(parse("Merge branch 'x'"), Ok(None));
    }

    #[test]
    fn half_a_word_says_nothing_and_tells_why() {
        let check = |trailers: &str, expect: &str| {
            let got = parse(&format!("subject\n\n{trailers}Schema: 1\n")).expect_err(trailers).to_string();
            assert_eq!(got, expect);
        };
        check("Word: sing\nReason: x\n", "\"sing\" is no word; known are retry, gone, clock, accept and accept-status");
        check("Word: retry\nCluster: a\nNode: N1\n", "the word retry needs the trailer Reason");
        check("Word: retry\nCluster: a\nReason: x\n", "the word retry needs the trailer Node");
        check("Word: gone\nNode: N1\nReason: x\n", "the word gone needs the trailer Cluster");
        check(
            "Word: retry\nCluster: ../a\nNode: N1\nReason: x\n",
            "the trailer Cluster contains '.' (U+002E); only letters a-z, digits and '-' are allowed",
        );
        assert_eq!(parse("s\n\nWord: gone\nReason: x\nSchema: 2\n"), Err(BadWord::SchemaTooNew("2".to_owned())));
    }

    #[test]
    fn a_reason_cannot_carry_a_second_word() {
        let reason = "x\nWord: gone\n\nWord: gone\nCluster: b".to_owned();
        let said = Said::ClockEverywhere { reason };
        assert!(matches!(parse(&encode(&said)), Ok(Some(Said::ClockEverywhere { .. }))));
    }
}
