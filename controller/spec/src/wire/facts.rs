//! `facts.yaml`: everything one entry was decided on, and the ledger after it. The next controller starts from this and from probes alone.

use super::condition::{self, Condition};
use super::{SCHEMA, WireError, least_after, text};
use drydock_model::connection::Connection;
use drydock_model::desired::Desired;
use drydock_model::ids::{ClusterName, Revision};
use drydock_model::ledger::{Event, Ledger};
use drydock_model::observed::Observed;
use drydock_model::plan::{Decision, Remote, Report};
use drydock_model::time::{Stamp, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest facts that are read. A cluster of 16 nodes, the platform's most, has some 100 KiB; twenty times that is no cluster of ours.
pub const MOST_BYTES: usize = 2 << 20;

/// One cluster's facts as one entry leaves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The schema they were written in.
    pub schema: u32,
    /// The least schema a reader must know.
    pub least: u32,
    /// Whose.
    pub cluster: ClusterName,
    /// The controller's own time of the entry.
    pub at: Timestamp,
    /// The same, if the nodes' clocks agreed with it.
    pub stamp: Stamp,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The decision it was part of.
    pub decision: Decision,
    /// What was said of the nodes.
    pub report: Report,
    /// What was seen.
    pub observed: Observed,
    /// How the status branch was.
    pub remote: Remote,
    /// The words of the stop file, if there was one.
    pub stop: Option<String>,
    /// What was wanted.
    pub wanted: Wanted,
    /// What all entries add up to, this one's events included.
    pub ledger: Ledger,
    /// The conditions, each with the time of its last change.
    pub conditions: Vec<Condition>,
}

/// What was wanted of a cluster, and where that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// The file in the desired tree.
    pub path: String,
    /// The last revision that changed this cluster's inputs.
    pub revision: Revision,
    /// The last good spec.
    pub desired: Desired,
    /// How its nodes are reached.
    pub connection: Connection,
    /// Set while the newest file is bad or gone.
    pub problem: Option<String>,
    /// What the checker warned of.
    pub warnings: Vec<String>,
}

/// What makes an entry's facts, beside what this module adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Whose.
    pub cluster: ClusterName,
    /// The controller's own time.
    pub at: Timestamp,
    /// The same, if the clocks agreed.
    pub stamp: Stamp,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The decision it was part of.
    pub decision: Decision,
    /// What was said of the nodes.
    pub report: Report,
    /// What was seen.
    pub observed: Observed,
    /// How the status branch was.
    pub remote: Remote,
    /// The words of the stop file, if there was one.
    pub stop: Option<String>,
    /// What was wanted.
    pub wanted: Wanted,
    /// The ledger after the events.
    pub ledger: Ledger,
}

impl Facts {
    /// The facts of a transition; `before` are the cluster's facts of the entry before, from which conditions that did not change keep their time.
    pub fn new(of: Transition, before: Option<&Facts>) -> Facts {
        let Transition { cluster, at, stamp, events, decision, report, observed, remote, stop, wanted, ledger } = of;
        let mut facts = Facts {
            schema: SCHEMA,
            least: least_after(before.map(|b| b.least), ledger.at_rest()),
            cluster,
            at,
            stamp,
            events,
            decision,
            report,
            observed,
            remote,
            stop,
            wanted,
            ledger,
            conditions: Vec::new(),
        };
        facts.conditions = condition::of(&facts, before.map_or(&[], |b| &b.conditions));
        facts
    }

    /// The file's text. Equal facts, equal bytes.
    pub fn encode(&self) -> String {
        text::machine_yaml(self)
    }

    /// Facts from the file's text.
    pub fn decode(text: &str) -> Result<Facts, WireError> {
        text::read("facts.yaml", text, MOST_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn facts_survive_their_text_and_equal_facts_have_equal_bytes() {
        for facts in sample::all() {
            let text = facts.encode();
            assert_eq!(Facts::decode(&text).as_ref(), Ok(&facts), "{text}");
            assert_eq!(Facts::decode(&text).unwrap().encode(), text);
        }
    }

    #[test]
    fn facts_of_a_later_schema_that_allows_ours_are_read_and_others_are_refused() {
        let text = sample::installing().encode();
        let later = text.replace("schema: 1\n", "schema: 7\nnews: {a: 1}\n");
        assert_eq!(Facts::decode(&later).map(|f| f.schema), Ok(7));
        let closed = text.replace("least: 1\n", "least: 2\n");
        assert_eq!(Facts::decode(&closed), Err(WireError::SchemaTooNew { what: "facts.yaml", needs: 2 }));
    }

    #[test]
    fn torn_foreign_and_huge_facts_are_refused() {
        let text = sample::installing().encode();
        assert!(matches!(Facts::decode(&text[..text.len() / 2]), Err(WireError::Shape { .. } | WireError::NotYaml { .. })));
        assert!(matches!(Facts::decode("hello"), Err(WireError::Shape { .. })));
        assert!(matches!(Facts::decode("a: [1"), Err(WireError::NotYaml { .. })));
        assert!(matches!(Facts::decode(&" ".repeat(MOST_BYTES + 1)), Err(WireError::TooLarge { .. })));
        assert!(matches!(Facts::decode(&text.replace("N02", "N-02-")), Err(WireError::Shape { .. })), "a name that is none");
    }

    #[test]
    fn the_least_schema_of_an_entry_rises_only_while_nothing_is_under_way() {
        let least = |of: Transition, before: u32| Facts::new(of, Some(&Facts { least: before, ..sample::installing() })).least;
        assert!(!sample::installing().ledger.at_rest() && sample::converged().ledger.at_rest());
        assert_eq!(least(sample::transition_installing(), 0), 0, "who could bring the node back still can");
        assert_eq!(least(sample::transition_converged(), 0), 1);
        assert_eq!(least(sample::transition_converged(), 7), 7, "and never falls");
    }
}
