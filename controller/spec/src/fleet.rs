//! What only the whole fleet shows: names and machines that two files claim, and files that nobody would look for.

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Problems};
use crate::read::cluster::ClusterSpec;
use drydock_model::connection::Connection;
use drydock_model::desired::Desired;
use drydock_model::ids::ClusterName;
use std::collections::BTreeMap;

/// The fleet's own file.
pub const FLEET_FILE: &str = "fleet.yaml";

/// What people call it by mistake. Where one of these is and it is not, nobody knows what holds for every cluster.
pub const MISNAMED_FLEET_FILES: [&str; 5] = ["fleet.yml", "Fleet.yaml", "Fleet.yml", "FLEET.YAML", "FLEET.YML"];

/// The longest path: that of a status file beside it must still fit where people clone on Windows.
const MOST_PATH: usize = 200;

/// The folder of the clusters' files; the status tree mirrors it.
pub const CLUSTERS: &str = "clusters";

/// Whether a path of the repository is one that Drydock reads a cluster from.
pub fn is_cluster_path(path: &str) -> bool {
    path.strip_prefix(CLUSTERS).and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| rest.ends_with(".yaml"))
}

/// Tells what is wrong with the path of a cluster's file: the status tree mirrors it, and people clone both on Windows too.
pub(crate) fn check_path(path: &str, problems: &mut Problems) {
    let part = |p: &str| {
        let fits = p.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        fits && !p.is_empty() && !p.starts_with(['.', '-']) && !p.ends_with('.')
    };
    let message = if !is_cluster_path(path) {
        "a cluster's file lies in clusters/ and ends in .yaml".to_owned()
    } else if path.len() > MOST_PATH {
        format!("the path has {} characters; at most {MOST_PATH} are allowed", path.len())
    } else if !path.split('/').all(part) {
        "the path may hold letters, digits and - _ . only, and no part of it may begin with a dot or a dash, or end with a dot".to_owned()
    } else {
        return;
    };
    problems.push(Diagnostic::whole_file(Code::BadFilePath, problems.file(), message).hint("move it: clusters/shops/till-042.yaml"));
}

/// Tells names and machines that two clusters claim. Each problem is told of the one that comes later in `clusters`: let those that were accepted
/// before come first, so that a new file cannot take what is another cluster's, and the rest in the order of their paths.
pub fn check_fleet<'a>(clusters: impl IntoIterator<Item = &'a ClusterSpec>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut names = BTreeMap::new();
    let mut machines = BTreeMap::new();
    let mut paths = BTreeMap::new();
    for spec in clusters {
        if let Some(first) = paths.insert(spec.path.to_ascii_lowercase(), spec) {
            let message = format!("{} differs from this path in upper and lower case only, which Windows does not tell apart", first.path);
            found.push(Diagnostic::whole_file(Code::BadFilePath, &spec.path, message).hint("rename one of them"));
        }
        let name = &spec.desired.cluster;
        match names.get(name) {
            Some(&first) => {
                let first: &ClusterSpec = first;
                let message = format!("the cluster {name} is described in {}:{} already", first.path, first.places.name.line);
                let problem = Diagnostic::error(Code::DuplicateCluster, &spec.path, spec.places.name.clone(), message);
                found.push(problem.hint("rename one of them, or delete one file"));
            }
            None => {
                names.insert(name, spec);
            }
        }
        for (node, address) in &spec.connection.addresses {
            match machines.get(address.as_str()) {
                Some(&(first, other)) => {
                    let first: &ClusterSpec = first;
                    let line = first.places.nodes.get(other).map_or(0, |p| p.line);
                    let message = format!(
                        "the machine {address} ({node}) belongs to the cluster {} already, in {}:{line}",
                        first.desired.cluster, first.path
                    );
                    let place = spec.places.nodes.get(node).cloned().unwrap_or_default();
                    let problem = Diagnostic::error(Code::NodeInTwoClusters, &spec.path, place, message);
                    found.push(problem.hint("list it once; if two machines have one short name, give both an `address`"));
                }
                None => {
                    machines.insert(address.as_str(), (spec, node));
                }
            }
        }
    }
    found
}

/// Whose claim counts where two clusters name one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seniority {
    /// Described by this very file before, with the same machines.
    AsItWas,
    /// Described by this very file before, with others.
    Changed,
    /// Not known before.
    New,
}

impl Seniority {
    /// How old a cluster's claim to its name and machines is; `was` is what was accepted from the same file, under the same name.
    pub fn of(spec: &ClusterSpec, was: Option<(&Desired, &Connection)>) -> Seniority {
        match was {
            Some((desired, connection)) if desired.nodes == spec.desired.nodes && *connection == spec.connection => Seniority::AsItWas,
            Some(_) => Seniority::Changed,
            None => Seniority::New,
        }
    }
}

/// A file goes on describing the cluster that it described first: under another name nobody would look after the old one's nodes, and both would
/// write to one place of the status branch.
pub fn keeps_its_cluster(spec: &ClusterSpec, was: Option<&ClusterName>) -> Result<(), Vec<Diagnostic>> {
    let Some(was) = was.filter(|was| **was != spec.desired.cluster) else { return Ok(()) };
    let message = format!("this file describes the cluster {was}, and would describe {} now", spec.desired.cluster);
    let problem = Diagnostic::error(Code::DuplicateCluster, &spec.path, spec.places.name.clone(), message);
    Err(vec![problem.hint("a cluster that is renamed is another one: write it into a new file, and delete this one in the same change")])
}
