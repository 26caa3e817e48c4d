//! What commands answer with `-o json`: shapes for tools, each with a schema, so that nobody has to read a table with a script.

use super::status::ClusterStatus;
use crate::diagnostic::Told;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `drydock status -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusAnswer {
    /// `drydock/v1alpha1`.
    pub api_version: String,
    /// `ClusterStatusList`.
    pub kind: String,
    /// The status branch.
    pub branch: String,
    /// Its newest commit.
    pub commit: String,
    /// Set when the remote did not answer, and this is what was fetched before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stale: Option<String>,
    /// Every cluster, by path.
    pub items: Vec<ClusterStatus>,
    /// Files that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unreadable: Vec<String>,
}

/// `drydock history -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryAnswer {
    /// `drydock/v1alpha1`.
    pub api_version: String,
    /// `ClusterHistory`.
    pub kind: String,
    /// Whose.
    pub cluster: String,
    /// Its entries, newest first.
    pub items: Vec<HistoryItem>,
    /// Whether there are older ones.
    pub more: bool,
}

/// One commit of the status branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryItem {
    /// The commit.
    pub commit: String,
    /// When it was made, by its committer's clock.
    pub at: String,
    /// By whom, as the commit says.
    pub by: String,
    /// Whose key signed it, by the keys that were given; `nobody known` where none of them did. Absent when no keys were given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub signed_by: Option<String>,
    /// Its first line.
    pub subject: String,
    /// About which node.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub node: Option<String>,
    /// Which step.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub step: Option<String>,
    /// The entry's name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entry: Option<String>,
    /// Which attempt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempt: Option<String>,
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<String>,
    /// The revision in force.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub spec_revision: Option<String>,
    /// A person's word.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub word: Option<String>,
    /// Why the person said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// `drydock plan -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanAnswer {
    /// `drydock/v1alpha1`.
    pub api_version: String,
    /// `ChangePlan`.
    pub kind: String,
    /// The revision that the working tree is compared with; `none` where there is none.
    pub base: String,
    /// Every cluster whose inputs would change.
    pub items: Vec<PlannedCluster>,
    /// Clusters whose inputs would not change.
    pub unchanged: usize,
    /// What is wrong with the files.
    pub problems: Vec<Told>,
}

/// What a change would do to one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedCluster {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: String,
    /// What becomes of it.
    pub change: PlannedChange,
    /// What every node shall run before the change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<String>,
    /// What every node shall run after it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<String>,
    /// What else differs, a line each.
    pub differs: Vec<String>,
    /// What it means for each node, as far as its build was observed.
    pub nodes: Vec<PlannedNode>,
    /// When work could begin: the next open moment of its windows, not before a suspension ends; absent where nothing would begin, and where none comes
    /// within 13 months.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub opens: Option<String>,
    /// What a person should know before merging.
    pub warnings: Vec<String>,
}

/// What becomes of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlannedChange {
    /// It is new.
    Added,
    /// Its file is gone: nothing new would begin.
    Removed,
    /// Its inputs differ.
    Changed,
    /// Its new file does not count: it would stay on the last good one.
    Refused,
}

/// What a change means for one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedNode {
    /// Its name.
    pub name: String,
    /// The build it was seen to run, or `unknown`.
    pub build: String,
    /// What would happen to it.
    pub what: String,
}

/// `drydock validate -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidateAnswer {
    /// `drydock/v1alpha1`.
    pub api_version: String,
    /// `Validation`.
    pub kind: String,
    /// Files that were read.
    pub files: usize,
    /// What is wrong with them.
    pub problems: Vec<Told>,
}

/// `drydock doctor -o json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoctorAnswer {
    /// `drydock/v1alpha1`.
    pub api_version: String,
    /// `ClusterDoctor`.
    pub kind: String,
    /// Which cluster.
    pub cluster: String,
    /// Whether only what a look needs was judged.
    pub observe: bool,
    /// Its nodes, in the order of its file.
    pub items: Vec<DoctorNode>,
    /// What is wrong with the nodes beside each other.
    pub findings: Vec<DoctorFinding>,
}

/// The walk to one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoctorNode {
    /// Its name.
    pub name: String,
    /// How it is reached, in words.
    pub way: String,
    /// Every step, in order: name, port, TLS, authentication, shell, PowerShell, modules, rights, facts.
    pub steps: Vec<DoctorStep>,
}

/// One step of the walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoctorStep {
    /// `name`, `port`, and so on.
    pub name: String,
    /// How it went.
    pub outcome: DoctorOutcome,
    /// What was seen, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub saw: Option<String>,
    /// What a person should mend.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub findings: Vec<DoctorFinding>,
}

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DoctorOutcome {
    /// All is well.
    Fine,
    /// The way goes on, and something was found.
    Found,
    /// The way ends here.
    Stopped,
    /// The transport has no such step.
    NotNeeded,
    /// The way ended before it.
    NotReached,
}

/// Something that a person should mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DoctorFinding {
    /// The code of its page in `specs/errors.md`.
    pub code: String,
    /// What is the matter.
    pub what: String,
    /// What to do first.
    pub todo: String,
}
