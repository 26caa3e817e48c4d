//! Files to change, and what is said of them.

use drydock_spec::{ClusterSpec, Fleet, Look, Severity, parse_cluster, parse_fleet, render};
use std::path::{Path, PathBuf};

/// Where cluster files of these tests lie.
pub(crate) const PATH: &str = "clusters/a.yaml";

/// A small file with nothing wrong in it.
pub(crate) const CLUSTER: &str = "\
apiVersion: drydock/v1alpha1
kind: Cluster
metadata:
  name: alpha
spec:
  nodes:
    - name: N01
    - name: N02
  connection:
    transport: Lab
  operatingSystem:
    version: 24H2
  source:
    media:
      path: D:\\Media\\24H2
";

/// A small fleet with nothing wrong in it.
pub(crate) const FLEET: &str = "\
apiVersion: drydock/v1alpha1
kind: Fleet
metadata:
  name: fleet
spec:
  defaults:
    connection:
      transport: Lab
";

/// [`CLUSTER`] with one text exchanged; the text must be there.
pub(crate) fn cluster_with(from: &str, to: &str) -> String {
    assert!(CLUSTER.contains(from), "{from:?} is not in the file");
    CLUSTER.replacen(from, to, 1)
}

/// [`CLUSTER`] with lines added below `spec`.
pub(crate) fn cluster_and(lines: &str) -> String {
    format!("{CLUSTER}{lines}")
}

/// What is said of a cluster's file that must be refused.
pub(crate) fn refused(text: &str) -> String {
    refused_bytes(text.as_bytes())
}

/// The same of bytes.
pub(crate) fn refused_bytes(bytes: &[u8]) -> String {
    let problems = parse_cluster(PATH, bytes, &Fleet::default()).expect_err("the file is refused");
    assert!(problems.iter().any(|p| p.severity == Severity::Error), "refused without an error: {problems:?}");
    render(&problems, &String::from_utf8_lossy(bytes), Look::Plain)
}

/// What is said of a cluster's file that counts nevertheless.
pub(crate) fn warned(text: &str) -> String {
    let spec = accepted(text);
    assert!(spec.warnings.iter().all(|p| p.severity == Severity::Warning));
    render(&spec.warnings, text, Look::Plain)
}

/// A cluster's file that must count.
pub(crate) fn accepted(text: &str) -> ClusterSpec {
    accepted_in(text, &Fleet::default())
}

/// A cluster's file that must count in a fleet.
pub(crate) fn accepted_in(text: &str, fleet: &Fleet) -> ClusterSpec {
    parse_cluster(PATH, text.as_bytes(), fleet).unwrap_or_else(|problems| panic!("refused:\n{}", render(&problems, text, Look::Plain)))
}

/// What is said of a fleet's file that must be refused.
pub(crate) fn fleet_refused(text: &str) -> String {
    let problems = parse_fleet("fleet.yaml", text.as_bytes()).expect_err("the file is refused");
    render(&problems, text, Look::Plain)
}

/// A fleet's file that must count.
pub(crate) fn fleet(text: &str) -> Fleet {
    parse_fleet("fleet.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("refused:\n{}", render(&problems, text, Look::Plain)))
}

/// A folder of the repository.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// The text of a file of the repository.
pub(crate) fn file(name: &str) -> String {
    let path = folder(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
