//! What a file means: every value is read on its own, so that one wrong value does not hide the next, and the whole is held against the laws.

pub mod cluster;
pub mod defaults;
pub mod fleet;
mod parts;
mod target;
mod values;

use crate::code::Code;
use crate::diagnostic::{Place, Problems};
use crate::tree::Node;

/// The `apiVersion` that this version reads.
pub const API_VERSION: &str = "drydock/v1alpha1";

/// Checks `apiVersion` and `kind`. Returns false when the file is of another kind, and what follows would only be noise.
fn head(tree: &Node, kind: &str, problems: &mut Problems) -> bool {
    if let Some(found) = tree.get("apiVersion")
        && found.text() != Some(API_VERSION)
    {
        problems.error_with(
            Code::UnknownApiVersion,
            &found.place,
            format!("`apiVersion` must be {API_VERSION}"),
            format!("write `apiVersion: {API_VERSION}`"),
        );
    }
    let Some(found) = tree.get("kind") else { return true };
    if found.text() == Some(kind) {
        return true;
    }
    let hint = match found.text() {
        Some("Fleet") => "the fleet's file is fleet.yaml, at the top of the repository",
        Some("Cluster") => "a cluster's file lies in clusters/",
        Some("Rollout") => "rollouts come with a later version of Drydock",
        Some(_) | None => "see specs/ for examples",
    };
    problems.error_with(Code::UnknownKind, &found.place, format!("`kind` must be {kind} in this file"), hint);
    false
}

/// Where a problem of a whole mapping is told: at the name of its field.
fn place_of<'n>(parent: &'n Node, name: &str) -> &'n Place {
    parent.field(name).map_or(&parent.place, |f| &f.place)
}
