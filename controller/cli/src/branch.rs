//! What stands on the status branch.

use crate::exit::{Exit, Failure};
use crate::place::Place;
use drydock_git::{Mirror, Oid, Unreadable};
use drydock_model::ids::ClusterName;
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

/// A status that is there and does not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The cluster's folder on the status branch.
    pub folder: String,
    /// Why, in one line.
    pub why: String,
    /// A newer Drydock wrote it: nothing is wrong with it.
    pub too_new: bool,
}

impl Damaged {
    /// The name that its cluster has, going by the folder: files are mostly named as their clusters, and nothing better is left.
    pub fn cluster(&self) -> &str {
        self.folder.rsplit('/').next().unwrap_or(&self.folder)
    }

    /// How a command ends that found nothing worse.
    pub fn exit(&self) -> Exit {
        if self.too_new { Exit::TooNew } else { Exit::Found }
    }

    /// Why a command that needs this status does nothing.
    pub fn failure(&self) -> Failure {
        let what = format!("the status of {} cannot be read: {self}", self.cluster());
        Failure::new(self.exit(), what, if self.too_new { NEWER } else { LOOK })
    }
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.folder, self.why)
    }
}

/// One cluster's status.
pub fn status(mirror: &Mirror, tip: Oid, folder: &str) -> Result<ClusterStatus, Damaged> {
    let damaged = |why: String, too_new| Damaged { folder: folder.to_owned(), why: one_line(&why, MOST_WHY), too_new };
    let text = read(mirror, tip, &format!("{folder}/{STATUS_FILE}"), status::MOST_BYTES).map_err(|why| damaged(why, false))?;
    ClusterStatus::decode(&text).map_err(|e| {
        // A status bears no schema number of its own; the facts beside it do, from the same hand.
        let newer = matches!(e, WireError::SchemaTooNew { .. }) || facts(mirror, tip, folder).is_err_and(|f| f.exit == Exit::TooNew);
        damaged(e.to_string(), newer)
    })
}

/// Characters of the reason why a status does not read.
const MOST_WHY: usize = 300;

/// One cluster's facts.
pub fn facts(mirror: &Mirror, tip: Oid, folder: &str) -> Result<Facts, Failure> {
    let path = format!("{folder}/{FACTS_FILE}");
    let text = read(mirror, tip, &path, facts::MOST_BYTES).map_err(|what| Failure::new(Exit::Found, what, LOOK))?;
    Facts::decode(&text).map_err(|e| match e {
        WireError::SchemaTooNew { .. } => Failure::of(Exit::TooNew, &e, NEWER),
        WireError::TooLarge { .. } | WireError::NotYaml { .. } | WireError::Shape { .. } => {
            Failure::new(Exit::Found, format!("{path}: {e}"), LOOK)
        }
    })
}

/// The name of the cluster that a folder's facts are of, from the line that bears it: the rest of them, a hundred times as much, is not read.
pub fn cluster(mirror: &Mirror, tip: Oid, folder: &str) -> Option<ClusterName> {
    let text = read(mirror, tip, &format!("{folder}/{FACTS_FILE}"), facts::MOST_BYTES).ok()?;
    text.lines().find_map(|line| line.strip_prefix("cluster: "))?.trim().trim_matches(['"', '\'']).parse().ok()
}

const LOOK: &str = "look at the branch with git log; a commit that Drydock did not write may have touched it";
const NEWER: &str = "install a newer drydock";

/// A cluster, found on the status branch.
pub struct Found {
    /// The branch's newest commit.
    pub tip: Oid,
    /// The cluster's folder.
    pub folder: String,
    /// Set when its status does not read, and it was found by the name of its folder alone.
    pub damaged: Option<Damaged>,
}

impl Found {
    /// The same, for commands that say nothing of a cluster whose status does not read.
    pub fn readable(self) -> Result<Found, Failure> {
        match &self.damaged {
            Some(damaged) => Err(damaged.failure()),
            None => Ok(self),
        }
    }
}

/// The folder of a cluster, found by the name in its status; where a status does not read, by the name of its folder.
pub fn find(place: &Place, cluster: &str) -> Result<Found, Failure> {
    let tip = place.tip()?;
    let mirror = place.status_mirror();
    let mut folders = folders(mirror, tip)?;
    // Files are mostly named as their clusters: those first.
    folders.sort_by_key(|f| f.rsplit('/').next() != Some(cluster));
    let (mut names, mut damaged) = (Vec::new(), Vec::new());
    for folder in folders {
        match status(mirror, tip, &folder) {
            Ok(status) if status.metadata.name == cluster => return Ok(Found { tip, folder, damaged: None }),
            Ok(status) => names.push(status.metadata.name),
            Err(why) => damaged.push(why),
        }
    }
    match damaged.iter().find(|d| d.cluster() == cluster) {
        Some(here) => Ok(Found { tip, folder: here.folder.clone(), damaged: Some(here.clone()) }),
        None => Err(unknown(cluster, &names, &damaged)),
    }
}

/// Names that are listed when none fits; more are no help.
const MOST_LISTED: usize = 12;

/// No readable status has this name. One that cannot be read might: then nobody can say that there is no such cluster.
fn unknown(cluster: &str, names: &[String], damaged: &[Damaged]) -> Failure {
    if let Some(one) = damaged.iter().max_by_key(|d| d.exit()) {
        let more = if damaged.len() > 1 { format!("; nor {} more", damaged.len() - 1) } else { String::new() };
        let what = format!("no status that can be read is of a cluster {cluster:?}; this one cannot: {one}{more}");
        return Failure::new(one.exit(), what, one.failure().todo);
    }
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
