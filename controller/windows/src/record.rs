//! Recordings: what the nodes of a real cluster answered, without anything that says whose they are, so that it can be handed over as a test case.
//!
//! One file for each script and node: `NODE-1.probe-node.json`. Nothing of an answer is kept that `scrub` does not know to be harmless.

mod scrub;
#[cfg(test)]
mod tests;

pub use scrub::{Known, Scrubber};

use crate::error::SessionError;
use crate::facts;
use crate::scripts;
use crate::session::{Sessions, Target};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::NodeName;
use drydock_model::observed::{ClusterFacts, NodeFacts, Observed, Room};
use drydock_model::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;
use tokio::task::JoinSet;

/// The shape of these files; a reader of another one refuses.
const SHAPE: u32 = 1;

/// One script; a search for updates takes minutes.
const SCRIPT: Duration = Duration::from_secs(300);

/// A recording's file: an answer is at most 4 MiB.
const MOST_FILE: u64 = 8 << 20;

/// Files of one recording: sixteen nodes, and more scripts than there will be.
const MOST_FILES: usize = 512;

/// What lies beside the files, for whoever hands them over.
const NOTE: &str = "What the nodes of one cluster answered to Drydock's probes, one file for each script and node.\n\
    Names of machines, clusters, accounts, disks and the like, addresses, identifiers, messages and words of people were replaced, each by the same\n\
    replacement everywhere; numbers, states, builds, times and error ids were kept. Please look through the files before you hand them over.\n";

/// One script's answer on one node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recorded {
    /// The shape of this file.
    pub recording: u32,
    /// Which node, as it is called here.
    pub node: NodeName,
    /// Which script.
    pub script: String,
    /// What it answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<Value>,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<Unanswered>,
}

/// Why a script gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unanswered {
    /// `DD0601` and so on.
    pub code: String,
    /// PowerShell's word for the kind of error, where a script failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub category: Option<String>,
    /// The error's id, where a script failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// Where in which script.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<String>,
}

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The folder holds something already, and a mixture of two clusters would be none.
    #[error("{0} is not empty")]
    NotEmpty(String),
    /// The disk says no.
    #[error("{path} cannot be used: {why}")]
    Disk {
        /// Which file or folder.
        path: String,
        /// The system's words.
        why: String,
    },
    /// Not a recording.
    #[error("{path} is no recording: {why}")]
    NotOne {
        /// Which file.
        path: String,
        /// Why not.
        why: String,
    },
}

/// Asks every node everything that only looks, and scrubs it. Targets come in the order in which nodes are numbered.
pub async fn record(sessions: &Sessions, targets: Vec<Target>, mut scrubber: Scrubber) -> Vec<Recorded> {
    let mut asked = JoinSet::new();
    for (number, target) in targets.iter().cloned().enumerate() {
        let sessions = sessions.clone();
        asked.spawn(async move {
            let mut answers = Vec::new();
            for script in scripts::PROBES {
                answers.push((script.name, sessions.run(&target, *script, scripts::LIBRARIES, Map::new(), SCRIPT).await));
            }
            (number, answers)
        });
    }
    let mut all = gathered(asked).await;
    // One after another, so that the same cluster gives the same numbers.
    let mut recorded = Vec::new();
    for (number, target) in targets.iter().enumerate() {
        let node = scrubber.node(target.node.as_str());
        for (script, answer) in all.remove(&number).unwrap_or_else(failed) {
            recorded.push(scrubbed(&mut scrubber, &node, script, answer));
        }
    }
    recorded
}

type Answers = Vec<(&'static str, Result<Value, SessionError>)>;

async fn gathered(mut asked: JoinSet<(usize, Answers)>) -> BTreeMap<usize, Answers> {
    let mut all = BTreeMap::new();
    while let Some(told) = asked.join_next().await {
        match told {
            Ok((number, answers)) => drop(all.insert(number, answers)),
            // Its node is in the recording all the same, with nothing answered.
            Err(error) => tracing::error!(%error, "a recording's task ended"),
        }
    }
    all
}

/// Of a node over which we failed ourselves.
fn failed() -> Answers {
    let lost = || Err(SessionError::AnswerLost("the controller failed while it asked".to_owned()));
    scripts::PROBES.iter().map(|script| (script.name, lost())).collect()
}

fn scrubbed(scrubber: &mut Scrubber, node: &NodeName, script: &str, answer: Result<Value, SessionError>) -> Recorded {
    let (answer, error) = match answer {
        Ok(value) => (Some(scrubber.answer(&value)), None),
        Err(error) => (None, Some(scrubber.unanswered(&error))),
    };
    Recorded { recording: SHAPE, node: node.clone(), script: script.to_owned(), answer, error }
}

/// Writes a recording into a folder that is empty or not there.
pub fn write(folder: &Path, recorded: &[Recorded]) -> Result<(), RecordError> {
    let disk = |path: &Path| {
        let path = path.display().to_string();
        move |e: io::Error| RecordError::Disk { path, why: e.to_string() }
    };
    fs::create_dir_all(folder).map_err(disk(folder))?;
    if fs::read_dir(folder).map_err(disk(folder))?.next().is_some() {
        return Err(RecordError::NotEmpty(folder.display().to_string()));
    }
    for one in recorded {
        let path = folder.join(format!("{}.{}.json", one.node, one.script));
        let text =
            serde_json::to_string_pretty(one).map_err(|e| RecordError::NotOne { path: path.display().to_string(), why: e.to_string() })?;
        fs::write(&path, text + "\n").map_err(disk(&path))?;
    }
    let note = folder.join("README.txt");
    fs::write(&note, NOTE).map_err(disk(&note))
}

/// Reads a recording.
pub fn read(folder: &Path) -> Result<Vec<Recorded>, RecordError> {
    let disk = |path: &Path, e: io::Error| RecordError::Disk { path: path.display().to_string(), why: e.to_string() };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| disk(folder, e))? {
        let path = entry.map_err(|e| disk(folder, e))?.path();
        if path.extension().is_some_and(|ext| ext == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    let not_one = |path: &Path, why: String| RecordError::NotOne { path: path.display().to_string(), why };
    if paths.is_empty() || paths.len() > MOST_FILES {
        return Err(not_one(folder, format!("it has {} files", paths.len())));
    }
    let mut all = Vec::new();
    for path in paths {
        let mut bytes = Vec::new();
        File::open(&path).and_then(|file| file.take(MOST_FILE).read_to_end(&mut bytes)).map_err(|e| disk(&path, e))?;
        let one: Recorded = serde_json::from_slice(&bytes).map_err(|e| not_one(&path, e.to_string()))?;
        if one.recording != SHAPE || one.answer.is_some() == one.error.is_some() {
            return Err(not_one(&path, "it has another shape".to_owned()));
        }
        all.push(one);
    }
    Ok(all)
}

/// The facts of a recording, as a look would have made them of the same answers.
pub fn facts(recorded: &[Recorded]) -> Observed {
    let seen = Span::at(Timestamp(0));
    let mut nodes: BTreeMap<NodeName, NodeFacts> = BTreeMap::new();
    let mut rooms: BTreeMap<NodeName, Fact<Room>> = BTreeMap::new();
    let answer = |node: &NodeName, script: &str| {
        let one = recorded.iter().find(|r| r.node == *node && r.script == script);
        match one.map(|one| (&one.answer, &one.error)) {
            Some((Some(value), _)) => Ok(value),
            Some((None, Some(error))) => Err(Gap::Unreadable(error.code.clone())),
            Some((None, None)) | None => Err(Gap::NotAsked),
        }
    };
    for name in recorded.iter().map(|r| &r.node) {
        let (facts, room) = match answer(name, "probe-node") {
            Ok(value) => (facts::node(value, seen), facts::room(value, seen)),
            Err(gap) => (NodeFacts::unknown(&gap), Fact::Unknown(gap)),
        };
        nodes.insert(name.clone(), facts);
        rooms.insert(name.clone(), room);
    }
    let cluster = match facts::through(&nodes) {
        None => ClusterFacts::unknown(&Gap::ClusterServiceStopped),
        Some(through) => {
            let (cluster, storage) = (answer(&through, "probe-cluster"), answer(&through, "probe-storage"));
            facts::cluster(through, cluster.as_ref().copied(), storage.as_ref().copied(), &rooms, seen)
        }
    };
    Observed { nodes, cluster, span: seen }
}
