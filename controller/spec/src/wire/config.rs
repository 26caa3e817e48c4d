//! The controller's own configuration: `drydock run --config FILE`. It names files of secrets and never holds one.

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Place, Problems};
use crate::schema::schema_of;
use crate::tree::{self, Node};
use crate::{duration, keys, structure, yaml};
use drydock_model::ids::ClusterName;
use drydock_model::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
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

/// The JSON Schema of the file.
pub fn schema() -> &'static serde_json::Value {
    static SCHEMA: OnceLock<serde_json::Value> = OnceLock::new();
    SCHEMA.get_or_init(schema_of::<Shape>)
}

/// Least time between two questions to a remote; forges ask one client to come less often, and 30 s is the default.
const LEAST_FETCH: Millis = Millis::seconds(1);
/// Least time between two looks at a cluster at rest; meant for labs, as on real nodes the looks themselves would be the load.
const LEAST_PROBE: Millis = Millis::seconds(1);
/// Most time between two of either: beyond an hour a window could open and close unseen.
const MOST_POLL: Millis = Millis::hours(1);
/// Clusters looked at at once: each costs a session to every node.
const MOST_PARALLEL: u16 = 1024;

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
    yaml::agree::<Shape>(text, &root, problems);
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
    let mut reader = Reader { root: &root, base, problems };
    Some(reader.config(shape))
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

/// Reads values for what they mean, and knows where each stands.
struct Reader<'a> {
    root: &'a Node,
    base: &'a Path,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn config(&mut self, shape: Shape) -> Config {
        if let Err(why) = shape.name.parse::<ClusterName>() {
            self.error(&["name"], Code::BadName, format!("`name` {why}"), "for example: drydock-north");
        }
        let common = shape.credentials.map(|c| self.credentials(&["credentials"], c)).unwrap_or_default();
        let desired = Home {
            remote: self.remote(&["desired", "remote"], shape.desired.remote),
            branch: self.branch(&["desired", "branch"], shape.desired.branch, DESIRED_BRANCH),
            credentials: shape.desired.credentials.map(|c| self.credentials(&["desired", "credentials"], c)).unwrap_or(common.clone()),
        };
        let status = shape.status.unwrap_or_default();
        let elsewhere = status.remote.is_some();
        let status = Home {
            remote: status.remote.map_or(desired.remote.clone(), |r| self.remote(&["status", "remote"], r)),
            branch: self.branch(&["status", "branch"], status.branch, STATUS_BRANCH),
            credentials: match status.credentials {
                Some(c) => self.credentials(&["status", "credentials"], c),
                None if elsewhere => common,
                None => desired.credentials.clone(),
            },
        };
        if desired.remote == status.remote && desired.branch == status.branch {
            let hint = "status is written to a branch of its own; leave `status.branch` out for drydock/status";
            self.error(
                &["status", "branch"],
                Code::Contradiction,
                format!("`status.branch` is the desired branch, {}", desired.branch),
                hint,
            );
        }
        let pacing = shape.pacing.unwrap_or_default();
        let usual = Pacing::default();
        let parallel_probes = pacing.parallel_probes.unwrap_or(usual.parallel_probes);
        if !(1..=MOST_PARALLEL).contains(&parallel_probes) {
            let message = format!("`pacing.parallelProbes` must lie between 1 and {MOST_PARALLEL}");
            self.error(&["pacing", "parallelProbes"], Code::OutOfBounds, message, "32 suits most fleets");
        }
        let state_directory = self.path(&["stateDirectory"], &shape.state_directory);
        let signers = shape.allowed_signers.unwrap_or_default();
        Config {
            poll: self.duration(&["desired", "poll"], shape.desired.poll, Millis::seconds(30), LEAST_FETCH),
            pacing: Pacing { poll: self.duration(&["pacing", "poll"], pacing.poll, usual.poll, LEAST_PROBE), parallel_probes },
            signing_key: self.path(&["signingKey"], &shape.signing_key),
            allowed_signers: AllowedSigners {
                controllers: self.signers(&["allowedSigners", "controllers"], signers.controllers),
                persons: self.signers(&["allowedSigners", "persons"], signers.persons),
            },
            certificate_authority: shape.certificate_authority.map(|p| self.path(&["certificateAuthority"], &p)),
            lab: shape.lab.map(|l| self.path(&["lab", "socket"], &l.socket)),
            stop_file: shape.stop_file.map_or(state_directory.join("stop"), |p| self.path(&["stopFile"], &p)),
            observe: shape.observe.unwrap_or(false),
            name: shape.name,
            desired,
            status,
            state_directory,
        }
    }

    fn credentials(&mut self, at: &[&str], shape: CredentialsShape) -> Credentials {
        let under = |name: &'static str| -> Vec<&str> { at.iter().copied().chain([name]).collect() };
        if let Some(proxy) = &shape.proxy {
            self.no_password(&under("proxy"), proxy);
            if !proxy.starts_with("http://") && !proxy.starts_with("https://") {
                let message = format!("`{}` is not the address of a proxy", under("proxy").join("."));
                self.error(&under("proxy"), Code::BadAddress, message, "for example: http://proxy.example:3128");
            }
        }
        Credentials {
            ssh_key: shape.ssh_key.map(|p| self.path(&under("sshKey"), &p)),
            known_hosts: shape.known_hosts.unwrap_or_default().iter().map(|p| self.path(&under("knownHosts"), p)).collect(),
            token_file: shape.token_file.map(|p| self.path(&under("tokenFile"), &p)),
            proxy: shape.proxy,
        }
    }

    fn signers(&mut self, at: &[&str], texts: Option<Vec<String>>) -> Vec<Signer> {
        let mut signers = Vec::new();
        for (i, text) in texts.unwrap_or_default().iter().enumerate() {
            let looks_like_a_key = text.contains(' ') || text.contains("PRIVATE KEY");
            match keys::public_key(text) {
                Ok(key) => signers.push(Signer::Key(key)),
                Err(_) if !looks_like_a_key => signers.push(Signer::File(self.path(at, text))),
                Err(why) => {
                    let message = format!("`{}[{i}]` {why}", at.join("."));
                    let place = self.item(at, i);
                    self.problems.error_with(Code::BadKey, &place, message, "give a public key, or the path of a file of them");
                }
            }
        }
        signers
    }

    fn remote(&mut self, at: &[&str], text: String) -> String {
        if text.trim().is_empty() || text.starts_with('-') || text.chars().any(char::is_control) {
            let message = format!("`{}` is no git remote", at.join("."));
            self.error(at, Code::BadRemote, message, "give a path, or a URL that begins with https://, ssh:// or file://");
        }
        self.no_password(at, &text);
        // What is neither a URL nor user@host:path is a path, and relative to the file like every other path.
        let is_path = !text.contains("://") && !text.split('/').next().is_some_and(|first| first.contains(':'));
        if is_path { self.base.join(&text).to_string_lossy().into_owned() } else { text }
    }

    fn no_password(&mut self, at: &[&str], url: &str) {
        let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
        if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
            let hint = "take it out of the address and into a file that `credentials.tokenFile` names";
            self.error(at, Code::SecretInFile, format!("`{}` holds a password", at.join(".")), hint);
        }
    }

    fn branch(&mut self, at: &[&str], text: Option<String>, usual: &str) -> String {
        let branch = text.unwrap_or_else(|| usual.to_owned());
        let odd = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
        let bad = branch.is_empty()
            || branch.len() > 200
            || branch.starts_with(['-', '/', '.'])
            || branch.ends_with(['/', '.'])
            || branch.ends_with(".lock")
            || branch.starts_with("refs/")
            || branch.contains("..")
            || branch.contains("//")
            || branch.contains("@{")
            || branch.chars().any(odd);
        if bad {
            self.error(at, Code::BadRemote, format!("`{}` is no name of a branch", at.join(".")), "for example: main");
        }
        branch
    }

    fn duration(&mut self, at: &[&str], text: Option<String>, usual: Millis, least: Millis) -> Millis {
        let Some(text) = text else { return usual };
        let name = at.join(".");
        match duration::parse(&text) {
            Some(length) if (least..=MOST_POLL).contains(&length) => length,
            Some(_) => {
                let message = format!("`{name}` must lie between {least} and {MOST_POLL}");
                self.error(at, Code::OutOfBounds, message, format!("{usual} suits most fleets"));
                usual
            }
            None => {
                self.error(at, Code::BadDuration, format!("`{name}` is no duration"), "for example: 30s, 5m, 1h30m");
                usual
            }
        }
    }

    fn path(&mut self, at: &[&str], text: &str) -> PathBuf {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            self.error(at, Code::BadText, format!("`{}` is no path", at.join(".")), "give the path of a file, relative to this one");
        }
        self.base.join(text)
    }

    fn error(&mut self, at: &[&str], code: Code, message: impl Into<String>, hint: impl Into<String>) {
        let place = self.place(at);
        self.problems.error_with(code, &place, message, hint);
    }

    /// Where the value stands, or the nearest field above it that is there.
    fn place(&self, at: &[&str]) -> Place {
        let mut node = self.root;
        let mut place = Place { line: 1, column: 1, bytes: 0..0 };
        for name in at {
            match node.get(name) {
                Some(inner) => (node, place) = (inner, inner.place.clone()),
                None => return place,
            }
        }
        place
    }

    fn item(&self, at: &[&str], i: usize) -> Place {
        let list = at.iter().try_fold(self.root, |node, name| node.get(name));
        list.and_then(|l| l.items().get(i)).map_or_else(|| self.place(at), |item| item.place.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8vWqGzrAYpJ0r2X4K7Vw1b0j8VwQ0cQyq3x2mH5k9d";

    fn told(text: &str) -> String {
        parse("drydock.yaml", Path::new("/etc/drydock"), text.as_bytes()).1.iter().map(|d| format!("{d}\n")).collect()
    }

    fn good(text: &str) -> Config {
        match parse("drydock.yaml", Path::new("/etc/drydock"), text.as_bytes()) {
            (Some(config), problems) if problems.is_empty() => config,
            (_, problems) => panic!("{problems:#?}"),
        }
    }

    fn check(text: &str, expect: Expect) {
        assert_eq!(parse("drydock.yaml", Path::new("/etc/drydock"), text.as_bytes()).0, None);
        expect.assert_eq(&told(text));
    }

    const LEAST: &str = "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: north\ndesired: {remote: ../fleet.git}\nstateDirectory: /var/lib/drydock\nsigningKey: key\n";

    #[test]
    fn what_is_left_out_has_a_value_that_suits_most() {
        let config = good(LEAST);
        assert_eq!(
            config.desired,
            Home { remote: "/etc/drydock/../fleet.git".to_owned(), branch: "main".to_owned(), credentials: Credentials::default() }
        );
        assert_eq!((config.status.remote, config.status.branch.as_str()), (config.desired.remote, STATUS_BRANCH));
        assert_eq!((config.poll, config.pacing, config.observe), (Millis::seconds(30), Pacing::default(), false));
        assert_eq!((config.signing_key, config.stop_file), ("/etc/drydock/key".into(), "/var/lib/drydock/stop".into()));
    }

    #[test]
    fn everything_can_be_said() {
        let config = good(&format!(
            "{}desired:\n  remote: https://git.example/fleet\n  branch: release\n  poll: 1m\n  credentials: {{tokenFile: read.token}}\n\
             status: {{remote: 'ssh://git@git.example/status', branch: st}}\ncredentials: {{sshKey: k, knownHosts: [a, /b], proxy: 'http://p:3128'}}\n\
             allowedSigners:\n  controllers: [other.pub]\n  persons: ['{KEY} ann@example']\ncertificateAuthority: ca.pem\n\
             pacing: {{poll: 2m, parallelProbes: 4}}\nlab: {{socket: lab.sock}}\nstopFile: STOP\nobserve: true\n",
            LEAST.replace("desired: {remote: ../fleet.git}\n", "")
        ));
        assert_eq!(
            config.desired.credentials,
            Credentials { token_file: Some("/etc/drydock/read.token".into()), ..Credentials::default() }
        );
        assert_eq!(config.status.credentials.known_hosts, [PathBuf::from("/etc/drydock/a"), PathBuf::from("/b")]);
        assert_eq!(config.allowed_signers.persons, [Signer::Key(KEY.to_owned())]);
        assert_eq!(config.allowed_signers.controllers, [Signer::File("/etc/drydock/other.pub".into())]);
        assert_eq!((config.lab, config.observe), (Some("/etc/drydock/lab.sock".into()), true));
    }

    #[test]
    fn wrong_shapes_are_told_with_their_places() {
        check(
            "name: north\ndesird: {remote: x}\nstatus: 5\n",
            expect![[r#"
                drydock.yaml:1:1: error DD0202: the file lacks the field `apiVersion`; apiVersion: The version of these fields
                drydock.yaml:1:1: error DD0202: the file lacks the field `kind`; kind: What the file describes
                drydock.yaml:1:1: error DD0202: the file lacks the field `desired`; desired: Where desired state is read
                drydock.yaml:1:1: error DD0202: the file lacks the field `stateDirectory`; stateDirectory: The folder of the local mirrors and of what could not be pushed yet
                drydock.yaml:1:1: error DD0202: the file lacks the field `signingKey`; signingKey: The SSH private key file (ed25519 is best) that entries are signed with
                drydock.yaml:2:1: error DD0201: the file has no field "desird"; did you mean `desired`?
                drydock.yaml:3:9: error DD0203: `status` must be a mapping, not a whole number; its fields are branch, credentials, remote
            "#]],
        );
        check(
            &LEAST.replace("ControllerConfiguration", "Cluster"),
            expect![[r#"
            drydock.yaml:2:7: error DD0206: `kind` is not that of a controller's configuration; write `kind: ControllerConfiguration`
        "#]],
        );
        check(
            "",
            expect![[r#"
            drydock.yaml: error DD0110: says nothing; delete it, or copy an example from specs/
        "#]],
        );
    }

    #[test]
    fn wrong_values_are_told_all_at_once() {
        let text = LEAST
            .replace("name: north", "name: North;")
            .replace("{remote: ../fleet.git}", "{remote: 'https://u:hunter2@h/x', branch: 'a b', poll: 1s}");
        let text = format!(
            "{text}status: {{remote: ''}}\npacing: {{poll: soon, parallelProbes: 0}}\nallowedSigners: {{persons: ['ssh-ed25519 AAAA', '-----BEGIN OPENSSH PRIVATE KEY-----']}}\ncredentials: {{proxy: 'socks5://a:b@p', sshKey: ''}}\n"
        );
        check(
            &text,
            expect![[r#"
            drydock.yaml:3:7: error DD0301: `name` contains 'N' (U+004E); only letters a-z, digits and '-' are allowed; for example: drydock-north
            drydock.yaml:4:19: error DD0207: `desired.remote` holds a password; take it out of the address and into a file that `credentials.tokenFile` names
            drydock.yaml:4:52: error DD0321: `desired.branch` is no name of a branch; for example: main
            drydock.yaml:7:18: error DD0321: `status.remote` is no git remote; give a path, or a URL that begins with https://, ssh:// or file://
            drydock.yaml:8:16: error DD0303: `pacing.poll` is no duration; for example: 30s, 5m, 1h30m
            drydock.yaml:8:38: error DD0304: `pacing.parallelProbes` must lie between 1 and 1024; 32 suits most fleets
            drydock.yaml:9:28: error DD0320: `allowedSigners.persons[0]` is damaged: its second part does not hold a key of the kind named by the first; give a public key, or the path of a file of them
            drydock.yaml:9:48: error DD0320: `allowedSigners.persons[1]` is a private key, which must never be in a repository; if it has been pushed, replace it: git forgets nothing; give a public key, or the path of a file of them
            drydock.yaml:10:22: error DD0207: `credentials.proxy` holds a password; take it out of the address and into a file that `credentials.tokenFile` names
            drydock.yaml:10:22: error DD0318: `credentials.proxy` is not the address of a proxy; for example: http://proxy.example:3128
            drydock.yaml:10:48: error DD0319: `credentials.sshKey` is no path; give the path of a file, relative to this one
        "#]],
        );
        assert!(!told(&text).contains("hunter2"), "no secret is repeated");
    }

    #[test]
    fn status_on_the_desired_branch_is_refused() {
        check(
            &format!("{LEAST}status: {{branch: main}}\n"),
            expect![[r#"
            drydock.yaml:7:18: error DD0322: `status.branch` is the desired branch, main; status is written to a branch of its own; leave `status.branch` out for drydock/status
        "#]],
        );
    }
}
