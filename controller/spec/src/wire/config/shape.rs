//! The configuration file as people write it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The file as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "ControllerConfiguration")]
pub struct Shape {
    /// The version of these fields.
    pub api_version: crate::shape::ApiVersion,
    /// What the file describes.
    pub kind: ConfigKind,
    /// The controller's name: lower-case letters, digits and `-`. Two controllers never share one.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub name: String,
    /// Where desired state is read.
    pub desired: DesiredShape,
    /// Where status is written. The branch `drydock/status` of the same repository when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusShape>,
    /// The folder of the local mirrors and of what could not be pushed yet.
    pub state_directory: String,
    /// The SSH private key file (ed25519 is best) that entries are signed with.
    pub signing_key: String,
    /// Whose signatures on the status branch count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_signers: Option<AllowedSignersShape>,
    /// How to get at the repositories, where they do not say for themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsShape>,
    /// A file of certificates (PEM) that are trusted beside the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    /// How fast.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pacing: Option<PacingShape>,
    /// How real nodes are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<super::nodes::NodesShape>,
    /// Simulated clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lab: Option<LabShape>,
    /// While this file exists nothing new is begun. `stop` in the state directory when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_file: Option<String>,
    /// Look and write status; order nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<bool>,
}

/// A controller's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConfigKind {
    /// A controller's configuration.
    ControllerConfiguration,
}

/// Where desired state is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DesiredShape {
    /// The fleet repository: a path, `file://`, `https://` or `ssh://`.
    pub remote: String,
    /// The branch that people merge to. `main` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// How often it is asked for news: `30s` when left out, `1s` at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<String>,
    /// How to get at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsShape>,
}

/// Where status is written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusShape {
    /// Another repository. The fleet repository when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The branch. `drydock/status` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// How to get at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsShape>,
}

/// How to get at a remote.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CredentialsShape {
    /// An SSH private key file. The SSH agent when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<String>,
    /// Files with the keys of SSH servers. The user's own when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_hosts: Option<Vec<String>>,
    /// A file whose first line is the token for `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// A proxy for `https`: `http://proxy.example:3128`. The environment's when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

/// Whose signatures on the status branch count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowedSignersShape {
    /// Controllers beside this one: public keys, or files of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controllers: Option<Vec<String>>,
    /// Persons whose `drydock accept`, `drydock node` and `drydock clock` count: public keys, or files of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persons: Option<Vec<String>>,
}

/// How fast.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PacingShape {
    /// How long a cluster at rest is left alone: `5m` when left out, `1s` at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll: Option<String>,
    /// Clusters that are looked at at the same time: 32 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub parallel_probes: Option<u16>,
}

/// Simulated clusters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabShape {
    /// The lab's socket.
    pub socket: String,
}
