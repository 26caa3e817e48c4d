//! What stands on the status branch.

use crate::exit::{Exit, Failure};
use crate::place::Place;
use drydock_git::{Mirror, Oid, Unreadable};
use drydock_spec::wire::facts::{self, Facts};
use drydock_spec::wire::status::{self, ClusterStatus};
use drydock_spec::wire::{FACTS_FILE, STATUS_FILE, WireError, one_line};

/// The folders of all clusters on a commit of the status branch, by path.
pub fn folders(mirror: &Mirror, tip: Oid) -> Result<Vec<String>, Failure> {
    let all = mirror.changed(None, tip, "").map_err(|e| unreadable(&e))?;
    let suffix = format!("/{STATUS_FILE}");
    let mut folders: Vec<String> = all.iter().filter_map(|c| c.path.strip_suffix(&suffix).map(ToOwned::to_owned)).collect();
    folders.sort();
    Ok(folders)
}

/// One cluster's status.
pub fn status(mirror: &Mirror, tip: Oid, folder: &str) -> Result<ClusterStatus, String> {
    let text = read(mirror, tip, &format!("{folder}/{STATUS_FILE}"), status::MOST_BYTES)?;
    ClusterStatus::decode(&text).map_err(|e| format!("{folder}: {e}"))
}

/// One cluster's facts.
pub fn facts(mirror: &Mirror, tip: Oid, folder: &str) -> Result<Facts, Failure> {
    let path = format!("{folder}/{FACTS_FILE}");
    let text = read(mirror, tip, &path, facts::MOST_BYTES).map_err(|what| Failure::new(Exit::Found, what, LOOK))?;
    Facts::decode(&text).map_err(|e| match e {
        WireError::SchemaTooNew { .. } => Failure::of(Exit::TooNew, &e, "install a newer drydock"),
        WireError::TooLarge { .. } | WireError::NotYaml { .. } | WireError::Shape { .. } => {
            Failure::new(Exit::Found, format!("{path}: {e}"), LOOK)
        }
    })
}

const LOOK: &str = "look at the branch with git log; a commit that Drydock did not write may have touched it";

/// The folder of a cluster, found by the name in its status.
pub fn find(place: &Place, cluster: &str) -> Result<(Oid, String), Failure> {
    let tip = place.tip()?;
    let mirror = place.status_mirror();
    let mut folders = folders(mirror, tip)?;
    // Files are mostly named as their clusters: those first.
    folders.sort_by_key(|f| f.rsplit('/').next() != Some(cluster));
    let mut names = Vec::new();
    for folder in folders {
        if let Ok(status) = status(mirror, tip, &folder) {
            if status.metadata.name == cluster {
                return Ok((tip, folder));
            }
            names.push(status.metadata.name);
        }
    }
    Err(unknown(cluster, &names))
}

/// Names that are listed when none fits; more are no help.
const MOST_LISTED: usize = 12;

fn unknown(cluster: &str, names: &[String]) -> Failure {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    let near: Vec<&str> = names.iter().copied().filter(|n| n.contains(cluster) || cluster.contains(n)).collect();
    let shown = if near.is_empty() { &names } else { &near };
    let list = shown.iter().take(MOST_LISTED).copied().collect::<Vec<_>>().join(", ");
    let todo = match (names.is_empty(), near.is_empty()) {
        (true, _) => "no cluster has a status yet; a controller writes it: drydock run --config FILE".to_owned(),
        (false, true) => format!("clusters are: {}", one_line(&list, 300)),
        (false, false) => format!("did you mean: {}", one_line(&list, 300)),
    };
    Failure::new(Exit::Usage, format!("no status of a cluster {cluster:?} is on the status branch"), todo)
}

fn read(mirror: &Mirror, tip: Oid, path: &str, most: usize) -> Result<String, String> {
    let bytes = mirror.read(tip, path, most).map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8"))
}

/// A mirror that could not be read.
pub fn unreadable(e: &Unreadable) -> Failure {
    match e {
        Unreadable::Corrupt(_) => Failure::of(Exit::Local, e, "run the command again"),
        Unreadable::NoSuchCommit(_) => Failure::of(Exit::Usage, e, "check the commit's name with git log"),
        Unreadable::NoSuchPath(_)
        | Unreadable::Symlink(_)
        | Unreadable::Submodule(_)
        | Unreadable::Folder(_)
        | Unreadable::NotAFolder(_)
        | Unreadable::TooLarge { .. }
        | Unreadable::TooManyChanges(_)
        | Unreadable::TooDeep(_)
        | Unreadable::Path(_) => Failure::of(Exit::Found, e, "mend the repository"),
    }
}
