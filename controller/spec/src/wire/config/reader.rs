//! From the file's shape to what it means.

use super::shape::{CredentialsShape, Shape};
use super::{AllowedSigners, Config, Credentials, DESIRED_BRANCH, Home, Pacing, STATUS_BRANCH, Signer};
use crate::code::Code;
use crate::diagnostic::{Place, Problems};
use crate::tree::Node;
use crate::{duration, keys};
use drydock_model::ids::ClusterName;
use drydock_model::time::Millis;
use std::path::{Path, PathBuf};

/// Least time between two questions to a remote; forges ask one client to come less often, and 30 s is the default.
const LEAST_FETCH: Millis = Millis::seconds(1);
/// Least time between two looks at a cluster at rest; meant for labs, as on real nodes the looks themselves would be the load.
const LEAST_PROBE: Millis = Millis::seconds(1);
/// Most time between two of either: beyond an hour a window could open and close unseen.
const MOST_POLL: Millis = Millis::hours(1);
/// Clusters looked at at once: each costs a session to every node.
const MOST_PARALLEL: u16 = 1024;

/// Reads values for what they mean, and knows where each stands.
pub(super) struct Reader<'a> {
    root: &'a Node,
    base: &'a Path,
    problems: &'a mut Problems,
}

impl<'a> Reader<'a> {
    pub(super) fn new(root: &'a Node, base: &'a Path, problems: &'a mut Problems) -> Self {
        Reader { root, base, problems }
    }

    /// What relative paths are relative to.
    pub(super) fn base(&self) -> &'a Path {
        self.base
    }

    pub(super) fn config(&mut self, shape: Shape) -> Config {
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
            nodes: shape.nodes.map(|n| self.nodes(n)).unwrap_or_default(),
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
            let hint =
                "take it out; for a proxy that asks for one leave this field out, and set https_proxy in the controller's own environment";
            self.no_password(&under("proxy"), proxy, hint);
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
        self.no_password(at, &text, "take it out of the address and into a file that `credentials.tokenFile` names");
        // What is neither a URL nor user@host:path is a path, and relative to the file like every other path.
        let is_path = !text.contains("://") && !text.split('/').next().is_some_and(|first| first.contains(':'));
        if is_path { self.base.join(&text).to_string_lossy().into_owned() } else { text }
    }

    fn no_password(&mut self, at: &[&str], url: &str, hint: &str) {
        let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or(""));
        if authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
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

    pub(super) fn error(&mut self, at: &[&str], code: Code, message: impl Into<String>, hint: impl Into<String>) {
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

    /// As [`Reader::error`], of a field inside the `i`th item of a list.
    pub(super) fn error_in(&mut self, list: &[&str], i: usize, at: &[&str], code: Code, message: String, hint: &str) {
        let mut place = self.item(list, i);
        let mut node = list.iter().try_fold(self.root, |node, name| node.get(name)).and_then(|l| l.items().get(i));
        for name in at {
            node = node.and_then(|n| n.get(name));
            match node {
                Some(inner) => place = inner.place.clone(),
                None => break,
            }
        }
        self.problems.error_with(code, &place, message, hint);
    }
}
