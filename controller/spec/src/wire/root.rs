//! `controller.yaml` at the root of the status branch: who holds the branch, and what nobody has accepted yet.

use super::{SCHEMA, WireError, instant, least_after, rfc3339, text};
use drydock_model::ids::{ClusterName, Epoch, Revision};
use drydock_model::ledger::Word;
use drydock_model::time::{Millis, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// Words that wait for an entry of their cluster; of more, the newest are kept. A person says a handful of them to a cluster that is held.
pub const MOST_UNHEARD: usize = 1_000;

/// The largest file that is read; ours has less than 1 KiB, 100 bytes more for each cluster, and 200 for each that somebody else wrote to.
pub const MOST_BYTES: usize = 16 << 20;

/// Claims are remembered this long (rule 1).
pub const CLAIM_MEMORY: Millis = Millis::hours(1);

/// Claims that are remembered; after three within the hour each waits twice as long, so a dozen fill an hour.
pub const MOST_CLAIMS: usize = 16;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Root {
    /// The schema it was written in.
    pub schema: u32,
    /// The least schema a reader must know (rule 30).
    pub least: u32,
    /// The configured name of the controller that holds the branch.
    pub name: String,
    /// Its claim; `None` on a branch that nobody claimed yet.
    pub epoch: Option<Epoch>,
    /// When claims were made within the last hour, oldest first, in RFC 3339.
    pub claims: Vec<String>,
    /// Commits that no known controller signed, and that nobody accepted yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unaccepted: Vec<Unaccepted>,
    /// Where each cluster's entries lie. A folder that stands here under no cluster was written by no controller; a file without this list is older than it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folders: Option<BTreeMap<ClusterName, String>>,
    /// What persons said to clusters whose ledger could not be written with this claim, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unheard: Vec<Unheard>,
    /// Clusters whose ledger an adoption has not been written into yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub adopted: BTreeSet<ClusterName>,
    /// What a person let in last of the desired branch, while no entry has served anything since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub let_in: Option<LetIn>,
    /// When it was written, by the controller's own clock.
    pub written_at: String,
}

/// A cluster's part of the branch that somebody else wrote to (rule 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unaccepted {
    /// Whose part.
    pub cluster: ClusterName,
    /// The commit.
    pub commit: Revision,
    /// The last commit whose tree counts as this cluster's ledger.
    pub good: Revision,
}

/// A person's word that no entry of its cluster has taken in yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unheard {
    /// To whom.
    pub cluster: ClusterName,
    /// What.
    #[serde(serialize_with = "untagged")]
    pub word: Word,
}

/// As the entries have it: an enum would become a tag of YAML, which nothing here reads.
fn untagged<S: Serializer>(word: &Word, to: S) -> Result<S::Ok, S::Error> {
    serde_json::to_value(word).map_err(serde::ser::Error::custom)?.serialize(to)
}

/// A revision of the desired branch that a person let in, though it does not descend from the last accepted one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LetIn {
    /// Which.
    pub revision: Revision,
    /// Why.
    pub reason: String,
}

impl Root {
    /// The file of the root commit: begun, and held by nobody.
    pub fn begun(name: &str, now: Timestamp) -> Root {
        Root {
            schema: SCHEMA,
            least: least_after(None, true),
            name: name.to_owned(),
            epoch: None,
            claims: Vec::new(),
            unaccepted: Vec::new(),
            folders: Some(BTreeMap::new()),
            unheard: Vec::new(),
            adopted: BTreeSet::new(),
            let_in: None,
            written_at: rfc3339(now),
        }
    }

    /// The file after one more claim. Claims by another name are forgotten: only a name fights with itself. `at_rest`: no cluster has anything under way.
    pub fn claimed(&self, name: &str, epoch: Epoch, now: Timestamp, at_rest: bool) -> Root {
        let mut claims = if self.name == name { self.recent(now) } else { Vec::new() };
        // One from the future has been waited for now, and is forgotten an hour from now: else every start would wait again until its time comes.
        claims.iter_mut().for_each(|claim| *claim = (*claim).min(now));
        claims.push(now);
        let surplus = claims.len().saturating_sub(MOST_CLAIMS);
        Root {
            schema: SCHEMA,
            least: least_after(Some(self.least), at_rest),
            name: name.to_owned(),
            epoch: Some(epoch),
            claims: claims.split_off(surplus).into_iter().map(rfc3339).collect(),
            unaccepted: self.unaccepted.clone(),
            folders: self.folders.clone(),
            unheard: self.unheard.clone(),
            adopted: self.adopted.clone(),
            let_in: self.let_in.clone(),
            written_at: rfc3339(now),
        }
    }

    /// The claims within the hour before `now`. One from the future counts: a clock that was set back must not let a fight go on.
    pub fn recent(&self, now: Timestamp) -> Vec<Timestamp> {
        self.claims.iter().filter_map(|c| instant(c)).filter(|c| now.since(*c) < CLAIM_MEMORY).collect()
    }

    /// The file's text.
    pub fn encode(&self) -> String {
        text::people_yaml(self)
    }

    /// The file from its text.
    pub fn decode(text: &str) -> Result<Root, WireError> {
        text::read("controller.yaml", text, MOST_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    const NOW: Timestamp = Timestamp(1_763_890_000_000);

    fn epoch(number: u32) -> Epoch {
        Epoch { number, nonce: "12e4567".parse().unwrap() }
    }

    #[test]
    fn the_file_is_read_back_as_it_was_written() {
        let root = Root::begun("north", NOW).claimed("north", epoch(1), NOW, true);
        assert_eq!(Root::decode(&root.encode()), Ok(root.clone()));
        expect![[r#"
            schema: 1
            least: 1
            name: north
            epoch:
              number: 1
              nonce: 12e4567
            claims:
            - 2025-11-23T09:26:40Z
            folders: {}
            writtenAt: 2025-11-23T09:26:40Z
        "#]]
        .assert_eq(&root.encode());
    }

    #[test]
    fn what_waits_for_an_entry_is_read_back_and_a_file_without_it_is_older() {
        let word = Word::Retry { node: "N01".parse().unwrap(), reason: "mended".to_owned() };
        let unheard = vec![Unheard { cluster: "oslo".parse().unwrap(), word }];
        let revision: Revision = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        let let_in = LetIn { revision, reason: "cleaned up".to_owned() };
        let older = Root::begun("north", NOW);
        let root = Root { unheard, adopted: BTreeSet::from(["oslo".parse().unwrap()]), let_in: Some(let_in), ..older.clone() };
        assert_eq!(Root::decode(&root.encode()), Ok(root.clone()));
        expect![[r#"
            unheard:
            - cluster: oslo
              word:
                retry:
                  node: N01
                  reason: mended
            adopted:
            - oslo
            letIn:
              revision: 0123456789abcdef0123456789abcdef01234567
              reason: cleaned up
            writtenAt: 2025-11-23T09:26:40Z
        "#]]
        .assert_eq(root.encode().strip_prefix(older.encode().split("writtenAt").next().unwrap()).unwrap());
    }

    #[test]
    fn a_file_without_a_list_of_folders_is_older_than_the_list() {
        let root = Root::begun("north", NOW);
        let older = root.encode().replace("folders: {}\n", "");
        assert_eq!(Root::decode(&older), Ok(Root { folders: None, ..root }));
    }

    #[test]
    fn the_file_of_ten_thousand_clusters_is_read() {
        let named = |n: u32| (format!("cluster-{n}").parse().unwrap(), format!("clusters/{}/cluster-{n}", "d".repeat(180)));
        let root = Root { folders: Some((0..10_000).map(named).collect()), ..Root::begun("north", NOW) };
        assert_eq!(Root::decode(&root.encode()), Ok(root));
    }

    #[test]
    fn claims_are_remembered_for_an_hour_and_only_of_the_same_name() {
        let first = Root::begun("north", NOW).claimed("north", epoch(1), NOW, true);
        let second = first.claimed("north", epoch(2), NOW + Millis::minutes(59), true);
        assert_eq!(second.claims.len(), 2);
        assert_eq!(second.claimed("north", epoch(3), NOW + Millis::minutes(61), true).claims.len(), 2, "the first is forgotten");
        assert_eq!(second.claimed("south", epoch(3), NOW + Millis::minutes(60), true).claims.len(), 1);
    }

    #[test]
    fn claims_of_the_future_count_and_their_number_is_bounded() {
        let ahead = Root::begun("north", NOW).claimed("north", epoch(1), NOW + Millis::hours(9), true);
        assert_eq!(ahead.recent(NOW).len(), 1);
        let later = ahead.claimed("north", epoch(2), NOW, true);
        assert_eq!(later.recent(NOW), [NOW, NOW]);
        assert_eq!(later.recent(NOW + Millis::minutes(61)), []);
        let many = (1..100).fold(Root::begun("north", NOW), |root, n| root.claimed("north", epoch(n), NOW, true));
        assert_eq!(many.claims.len(), MOST_CLAIMS);
    }

    #[test]
    fn the_least_schema_rises_only_at_rest() {
        let older = Root { least: 0, ..Root::begun("north", NOW) };
        assert_eq!(older.claimed("north", epoch(1), NOW, false).least, 0);
        assert_eq!(older.claimed("north", epoch(1), NOW, true).least, 1);
        let newer = Root { least: 7, ..older };
        assert_eq!(newer.claimed("north", epoch(1), NOW, true).least, 7, "and never falls");
    }
}
