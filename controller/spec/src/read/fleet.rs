//! The fleet's file.

use super::defaults::{Defaults, Fleet, StatusHome};
use super::values::name;
use super::{head, parts};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Problems};
use crate::shape::FleetFile;
use crate::tree::Node;
use crate::{schema, structure, tree, yaml};
use drydock_model::ids::ClusterName;

/// Exclusions of a fleet. Each cluster may add as many of its own as the model's bound leaves.
const MOST_EXCLUSIONS: usize = 200;

/// Reads the fleet's file. All problems are told at once; warnings come with the result.
pub fn parse_fleet(path: &str, bytes: &[u8]) -> Result<Fleet, Vec<Diagnostic>> {
    let mut problems = Problems::new(path);
    let Some((tree, text)) = tree::read(bytes, &mut problems) else { return Err(problems.finish()) };
    if !head(&tree, "Fleet", &mut problems) {
        return Err(problems.finish());
    }
    structure::check(&tree, schema::fleet(), &mut problems);
    let fleet = read(&tree, &mut problems);
    if !problems.any_error() {
        yaml::agree::<FleetFile>(text, &tree, &mut problems);
    }
    if problems.any_error() { Err(problems.finish()) } else { Ok(Fleet { warnings: problems.finish(), ..fleet }) }
}

fn read(tree: &Node, problems: &mut Problems) -> Fleet {
    let fleet_name = tree.get("metadata").and_then(|m| m.get("name")).and_then(|n| name::<ClusterName>(n, "the fleet's name", problems));
    let spec = tree.get("spec");
    let get = |field: &str| spec.and_then(|s| s.get(field));
    let exclusions = parts::exclusions(spec, problems);
    if let Some(field) = spec.and_then(|s| s.field("exclusions"))
        && field.value.items().len() > MOST_EXCLUSIONS
    {
        let message = format!("{} exclusions; a fleet may have {MOST_EXCLUSIONS}", field.value.items().len());
        problems.error_with(Code::OutOfBounds, &field.place, message, "delete those that are over");
    }
    Fleet {
        name: fleet_name.map(|n| n.to_string()),
        defaults: defaults(get("defaults"), problems),
        exclusions,
        suspend: parts::suspend(get("suspend"), problems),
        status: status(get("status"), problems),
        warnings: Vec::new(),
    }
}

fn defaults(node: Option<&Node>, problems: &mut Problems) -> Defaults {
    let get = |field: &str| node.and_then(|n| n.get(field));
    Defaults {
        connection: parts::connection(get("connection"), problems),
        method: parts::method(get("method"), problems),
        source: parts::source(get("source"), problems),
        windows: parts::windows(get("maintenance"), problems),
        overrun: parts::overrun(get("maintenance")),
        run: parts::run(get("run"), problems),
        workload: parts::workload(get("workload")),
        contact: parts::contact(get("contact"), "contact", problems),
    }
}

fn status(node: Option<&Node>, problems: &mut Problems) -> StatusHome {
    let home = StatusHome::default();
    let Some(node) = node else { return home };
    StatusHome {
        remote: node.get("remote").and_then(|n| remote(n, problems)),
        branch: node.get("branch").and_then(|n| branch(n, problems)).unwrap_or(home.branch),
    }
}

/// Schemes that the git side speaks.
const SCHEMES: [&str; 3] = ["https://", "ssh://", "file:///"];

fn remote(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.text()?;
    let rest = SCHEMES.iter().find_map(|s| text.strip_prefix(s));
    let host = rest.unwrap_or(text).split('/').next().unwrap_or("");
    // `ssh://git@host` is a user; `https://user:token@host` is a secret, and so is `https://token@host`.
    if let Some((user, _)) = host.split_once('@')
        && (user.contains(':') || text.starts_with("https://"))
    {
        let hint = "name the credential in the controller's own configuration; if this has been pushed, change it: git forgets nothing";
        problems.error_with(Code::SecretInFile, &node.place, "`remote` holds a user and a secret", hint);
        return None;
    }
    let plain = text.len() <= 400 && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"'`$;|&<>(){}*?\\".contains(&b));
    let known = rest.is_some_and(|r| !r.is_empty()) || (text.starts_with('/') && text.len() > 1);
    if !plain || !known || text.contains("..") || host.starts_with('-') {
        problems.error_with(
            Code::BadRemote,
            &node.place,
            "`remote` is not a git remote",
            "write https://host/path.git, ssh://git@host/path.git, file:///path or /path",
        );
        return None;
    }
    Some(text.to_owned())
}

fn branch(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.text()?;
    let part = |p: &str| !p.is_empty() && !p.starts_with('.') && !p.ends_with(".lock") && !p.ends_with('.');
    let plain = text.len() <= 200 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    if !plain || text.starts_with('-') || text.contains("..") || !text.split('/').all(part) {
        problems.error_with(
            Code::BadRemote,
            &node.place,
            "`branch` is not a branch's name",
            "use letters, digits and - _ . /, as in drydock/status",
        );
        return None;
    }
    Some(text.to_owned())
}
