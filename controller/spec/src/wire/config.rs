//! The controller's own configuration: `drydock run --config FILE`. It names files of secrets and never holds one.

mod nodes;
mod reader;
mod shape;
#[cfg(test)]
mod tests;

pub use nodes::{Authentication, Encryption, Holds, KerberosRealm, NodeCredential, Nodes, SecretFrom, Ssh, WinRm};
pub use shape::Shape;

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Problems};
use crate::schema::schema_of;
use crate::tree::{self, Node};
use crate::{structure, yaml};
use drydock_model::time::Millis;
use reader::Reader;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The branch that status is written to when nothing else is said.
pub const STATUS_BRANCH: &str = "drydock/status";
/// The branch that desired state is read from when nothing else is said.
pub const DESIRED_BRANCH: &str = "main";

/// A controller's configuration, read and checked; every path is absolute or relative to the working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Its name; a controller of this name may claim the status branch again without `--take-over`.
    pub name: String,
    /// Where desired state is read.
    pub desired: Home,
    /// How often the fleet repository is asked for news.
    pub poll: Millis,
    /// Where status is written.
    pub status: Home,
    /// The folder of the local mirrors. A cache: what is in it can be lost.
    pub state_directory: PathBuf,
    /// The SSH private key that entries are signed with.
    pub signing_key: PathBuf,
    /// Whose signatures on the status branch count.
    pub allowed_signers: AllowedSigners,
    /// Certificates (PEM) trusted beside the system's, for `https` remotes.
    pub certificate_authority: Option<PathBuf>,
    /// How fast.
    pub pacing: Pacing,
    /// How real nodes are reached.
    pub nodes: Nodes,
    /// The socket of the lab that simulated clusters live in.
    pub lab: Option<PathBuf>,
    /// While this file exists nothing new is begun; its first line is the reason.
    pub stop_file: PathBuf,
    /// Look and write status; order nothing.
    pub observe: bool,
}

/// A branch of a repository and how to get at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// A path or a URL.
    pub remote: String,
    /// The branch.
    pub branch: String,
    /// How to get at it.
    pub credentials: Credentials,
}

/// How to get at a remote. Without any: the SSH agent, the user's known_hosts, the environment's proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// An SSH private key file.
    pub ssh_key: Option<PathBuf>,
    /// Files with the keys of SSH servers.
    pub known_hosts: Vec<PathBuf>,
    /// A file whose first line is the token for `https`.
    pub token_file: Option<PathBuf>,
    /// A proxy for `https`.
    pub proxy: Option<String>,
}

/// Whose signatures on the status branch count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedSigners {
    /// Controllers: their entries are ledger. Our own key always is one.
    pub controllers: Vec<Signer>,
    /// Persons: their words count.
    pub persons: Vec<Signer>,
}

/// A key, or a file of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// One public key: kind and base64.
    Key(String),
    /// A file with one public key to a line.
    File(PathBuf),
}

/// How fast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pacing {
    /// How long a cluster that is at rest is left alone.
    pub poll: Millis,
    /// Clusters that are looked at at the same time.
    pub parallel_probes: u16,
}

impl Default for Pacing {
    fn default() -> Pacing {
        // A probe of one cluster takes seconds and a node's shell quota allows it; 32 at once look at 1,000 clusters within a few minutes.
        Pacing { poll: Millis::minutes(5), parallel_probes: 32 }
    }
}

/// The JSON Schema of the file.
pub fn schema() -> &'static serde_json::Value {
    static SCHEMA: OnceLock<serde_json::Value> = OnceLock::new();
    SCHEMA.get_or_init(schema_of::<Shape>)
}

/// Reads a configuration. `file` is its name in what is said of it, relative paths in it are relative to `base`. All problems at once.
pub fn parse(file: &str, base: &Path, bytes: &[u8]) -> (Option<Config>, Vec<Diagnostic>) {
    let mut problems = Problems::new(file);
    let config = read(base, bytes, &mut problems);
    let config = if problems.any_error() { None } else { config };
    (config, problems.finish())
}

fn read(base: &Path, bytes: &[u8], problems: &mut Problems) -> Option<Config> {
    let (root, text) = tree::read(bytes, problems)?;
    structure::check(&root, schema(), problems);
    // Fields whose values the structure leaves to meaning.
    fixed(&root, "apiVersion", "drydock/v1alpha1", Code::UnknownApiVersion, problems);
    fixed(&root, "kind", "ControllerConfiguration", Code::UnknownKind, problems);
    // Of a file that is refused anyway the second reader tells only the same in other words.
    if !problems.any_error() {
        yaml::agree::<Shape>(text, &root, problems);
    }
    if problems.any_error() {
        return None;
    }
    let shape: Shape = match yaml::read(text).map_err(|e| e.to_string()).and_then(|v| serde_json::from_value(v).map_err(|e| e.to_string()))
    {
        Ok(shape) => shape,
        Err(message) => {
            problems.push(Diagnostic::whole_file(Code::WrongType, problems.file(), message));
            return None;
        }
    };
    Some(Reader::new(&root, base, problems).config(shape))
}

fn fixed(root: &Node, name: &str, value: &str, code: Code, problems: &mut Problems) {
    if let Some(field) = root.field(name)
        && field.value.text() != Some(value)
    {
        problems.error_with(
            code,
            &field.value.place,
            format!("`{name}` is not that of a controller's configuration"),
            format!("write `{name}: {value}`"),
        );
    }
}
