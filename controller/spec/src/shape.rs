//! The files as people write them. The JSON Schemas are generated from these, and the comments here are what an editor shows.
//!
//! An optional field may be left out, but not left empty: `windows:` with nothing behind it would otherwise mean "at any time".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One cluster: what it shall run, from where, how and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterFile {
    /// The version of these fields.
    pub api_version: ApiVersion,
    /// What the file describes.
    pub kind: ClusterKind,
    /// Its name and labels.
    pub metadata: Metadata,
    /// What is asked.
    pub spec: ClusterShape,
}

/// The fleet: what its clusters have in common. A cluster's own file wins where both speak; exclusions add up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetFile {
    /// The version of these fields.
    pub api_version: ApiVersion,
    /// What the file describes.
    pub kind: FleetKind,
    /// Its name and labels.
    pub metadata: Metadata,
    /// What holds for every cluster.
    pub spec: FleetShape,
}

/// The version of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first.
    #[serde(rename = "drydock/v1alpha1")]
    V1Alpha1,
}

/// A cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClusterKind {
    /// A cluster.
    Cluster,
}

/// A fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FleetKind {
    /// A fleet.
    Fleet,
}

/// Name and labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Lower-case letters, digits and `-`; at most 63 characters; unique in the fleet. A cluster that is renamed is another cluster.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub name: String,
    /// For people and for choosing clusters. Changes nothing about how a cluster is upgraded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What is asked of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterShape {
    /// Every node of the cluster. A node that is not listed makes Drydock hold, and so does one that is listed and not there.
    #[schemars(length(min = 2, max = 16))]
    pub nodes: Vec<NodeShape>,
    /// How the nodes are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionShape>,
    /// What every node shall run: a release, or a build of it and later ones.
    pub operating_system: OperatingSystemShape,
    /// How the cluster is upgraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodShape>,
    /// Where the new release comes from. Needed unless the fleet's defaults say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceShape>,
    /// When work may be done. Without windows (here and in the fleet's defaults): at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<MaintenanceShape>,
    /// Bounds and orders of a run, by the names of Cluster-Aware Updating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunShape>,
    /// What is asked of the virtual machines before a node is taken out. `LiveMigrate` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadShape>,
    /// While it stands here nothing new is begun; a node that is out is brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<SuspendShape>,
    /// Whom to call; shown whenever Drydock needs a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub contact: Option<String>,
    /// The change's number in your own system; shown whenever Drydock needs a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub change: Option<String>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeShape {
    /// Its short name as the cluster knows it: letters, digits and `-`, at most 15 characters.
    #[schemars(regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9-]{0,13}[A-Za-z0-9])?$"))]
    pub name: String,
    /// The host name or IP address to reach it at. Its name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// How this node is reached, where it is not as the others are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionShape>,
}

/// How the nodes are reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionShape {
    /// `WinRM` when left out. `Lab` is a simulated cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<TransportShape>,
    /// The TCP port. The transport's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// The name of a credential in the controller's own configuration. Never a secret itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub credential: Option<String>,
}

/// A transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TransportShape {
    /// WinRM.
    WinRM,
    /// SSH.
    SSH,
    /// A simulated cluster.
    Lab,
}

/// What every node shall run: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct OperatingSystemShape {
    /// A release; any build of it will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionShape>,
    /// The least build of a release, in quotes: `"25398.1611"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^(20349|25398|26100)\.[0-9]{1,6}$"))]
    pub minimum_build: Option<String>,
}

/// A release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VersionShape {
    /// Builds 20349.
    #[serde(rename = "22H2")]
    V22H2,
    /// Builds 25398. Out of support since April 2026.
    #[serde(rename = "23H2")]
    V23H2,
    /// Builds 26100.
    #[serde(rename = "24H2")]
    V24H2,
}

/// A method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum MethodShape {
    /// Node after node, while the cluster serves.
    Rolling,
}

/// Where the new release comes from: exactly one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct SourceShape {
    /// The feature update that Windows Update offers: `windowsUpdate: {}`. For 23H2 only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows_update: Option<WindowsUpdateShape>,
    /// Extracted installation media.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaShape>,
}

/// Windows Update; nothing to say about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowsUpdateShape {}

/// Extracted installation media.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MediaShape {
    /// The folder that holds the extracted media (not the ISO), the same local path on every node: `D:\Media\24H2`.
    #[schemars(regex(pattern = r"^[A-Za-z]:\\"), length(max = 200))]
    pub path: String,
}

/// When work may be done.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MaintenanceShape {
    /// The windows. Where they touch or overlap they are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub windows: Option<Vec<WindowShape>>,
    /// Spans in which nothing is begun, whatever the windows say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub exclusions: Option<Vec<ExclusionShape>>,
    /// What happens when the window closes on work that has begun. `FinishNode` when left out. A node that is out is always brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrun: Option<OverrunShape>,
}

/// A recurring window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowShape {
    /// `daily at 01:00`, `weekly on Saturday at 22:00`, `second Tuesday of the month at 21:00` (or first, third, fourth, last), or
    /// `Patch Tuesday + 11 days at 21:00`.
    pub schedule: String,
    /// How long it stays open, by the wall clock: `6h`, `1h30m`. Whole minutes, at most 31 days.
    #[schemars(regex(pattern = r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$"))]
    pub duration: String,
    /// An IANA time zone, such as `Europe/Berlin`.
    pub time_zone: String,
}

/// A span in which nothing is begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExclusionShape {
    /// Its first moment, with an offset: `2026-12-20T00:00:00+01:00`.
    pub start: String,
    /// The first moment after it.
    pub end: String,
    /// Why; shown while it holds.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
}

/// What happens when the window closes on work that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OverrunShape {
    /// The whole cluster is finished.
    Finish,
    /// The node that is out is finished; the next one waits for the next window.
    FinishNode,
    /// The node that is out returns un-upgraded at the next safe point.
    Stop,
}

/// Bounds and orders of a run, by the names of Cluster-Aware Updating.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunShape {
    /// Attempts after the first one, per node. 3 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 64))]
    pub max_retries_per_node: Option<u8>,
    /// The run goes on while at most this many nodes have failed and are Up. 0 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 15))]
    pub max_failed_nodes: Option<u8>,
    /// Only `true`: Drydock never takes a node out while another one is missing (law S1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("const" = true))]
    pub require_all_nodes_online: Option<bool>,
    /// Nodes in the order in which they are taken; those not listed follow. Fewest roles first when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub node_order: Option<Vec<String>>,
    /// No new node is begun this long after the first one was: `8h`. Never when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<String>,
    /// Status warns this long after the first node was begun: `6h`. Never when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_after: Option<String>,
    /// How long a restart may take, all its reboots and the start of the services included. `1h` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot_timeout: Option<String>,
    /// How long a drain may take. `30m` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_cluster_node_timeout: Option<String>,
    /// How long storage may repair after a node's return before a person is asked. `8h` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for_storage_repair_timeout: Option<String>,
    /// Whether roles move back to a node that returns. `Immediate` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback_mode: Option<FailbackShape>,
}

/// Whether roles move back to a node that returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailbackShape {
    /// They stay where they are.
    NoFailback,
    /// At once.
    Immediate,
    /// As each role's own policy says.
    Policy,
}

/// What is asked of the virtual machines before a node is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkloadShape {
    /// They move to other nodes by live migration.
    LiveMigrate,
    /// No virtual machine may run on the cluster.
    MustBeOff,
}

/// Nothing new is begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SuspendShape {
    /// Why; shown while it holds.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,
    /// Until when, with an offset: `2026-12-20T06:00:00+01:00`. Until these lines are removed when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What holds for every cluster.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FleetShape {
    /// What a cluster's file may leave out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<DefaultsShape>,
    /// Spans in which nothing is begun in the whole fleet; they add to each cluster's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub exclusions: Option<Vec<ExclusionShape>>,
    /// While it stands here nothing new is begun in the whole fleet; nodes that are out are brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<SuspendShape>,
    /// Where `drydock status` and the other commands look for status, when that is not the branch `drydock/status` of this repository. Where it is
    /// written says `status` in the controller's own configuration; both must say the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusShape>,
}

/// What a cluster's file may leave out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefaultsShape {
    /// How nodes are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionShape>,
    /// How clusters are upgraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodShape>,
    /// Where the new release comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceShape>,
    /// When work may be done. A cluster that names windows of its own has only those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<DefaultMaintenanceShape>,
    /// Bounds of a run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<DefaultRunShape>,
    /// What is asked of the virtual machines before a node is taken out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<WorkloadShape>,
    /// Whom to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200))]
    pub contact: Option<String>,
}

/// When work may be done; exclusions of the fleet stand beside the defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefaultMaintenanceShape {
    /// The windows. Where they touch or overlap they are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub windows: Option<Vec<WindowShape>>,
    /// What happens when the window closes on work that has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrun: Option<OverrunShape>,
}

/// Bounds of a run; the order of nodes is each cluster's own.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefaultRunShape {
    /// Attempts after the first one, per node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 64))]
    pub max_retries_per_node: Option<u8>,
    /// The run goes on while at most this many nodes have failed and are Up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 15))]
    pub max_failed_nodes: Option<u8>,
    /// Only `true`: Drydock never takes a node out while another one is missing (law S1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("const" = true))]
    pub require_all_nodes_online: Option<bool>,
    /// No new node is begun this long after the first one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_after: Option<String>,
    /// Status warns this long after the first node was begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn_after: Option<String>,
    /// How long a restart may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reboot_timeout: Option<String>,
    /// How long a drain may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_cluster_node_timeout: Option<String>,
    /// How long storage may repair after a node's return before a person is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_for_storage_repair_timeout: Option<String>,
    /// Whether roles move back to a node that returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failback_mode: Option<FailbackShape>,
}

/// Where commands look for status.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusShape {
    /// Another repository. This one when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The branch. `drydock/status` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}
