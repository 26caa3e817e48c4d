//! Desired state from a branch of a git repository: only a revision that descends from every accepted one counts, only changed files are read,
//! and a bad file holds its own cluster at its last good spec. A controller that starts while nothing counts goes on with what the status branch
//! remembers, as one that runs goes on with what it read last.

use crate::mirror::{Head, Mirror};
use crate::names::RefName;
use crate::reading::{Change, ChangeKind, Kind, Unreadable};
use crate::status::Shared;
use crate::trouble::chain;
use crate::watch::{Waker, Watch};
use drydock_engine::ports::{Fleet, Source, SourceError, Wanted};
use drydock_model::desired::{Desired, Suspend};
use drydock_model::ids::{ClusterName, Revision};
use drydock_spec::fleet::{CLUSTERS, FLEET_FILE, MISNAMED_FLEET_FILES, Seniority, is_cluster_path, keeps_its_cluster};
use drydock_spec::{ClusterSpec, Diagnostic, Look, Severity, check_fleet, frozen, parse_cluster, parse_fleet, render};
use git2::Oid;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest file that is read; the checker refuses far smaller ones, with a place and a hint.
const FILE_MAX: usize = 1 << 20;

/// The source.
pub struct GitSource {
    state: Arc<Mutex<State>>,
    waker: Waker,
    /// Lives as long as the source; `None` where the remote cannot be watched.
    _watch: Option<Watch>,
}

struct State {
    mirror: Mirror,
    branch: RefName,
    shared: Arc<Mutex<Shared>>,
    /// The revision in force.
    at: Option<Oid>,
    /// The last good one; nothing while no good one has been read. Then no cluster's file counts: its freezes and defaults are not known.
    fleet_file: Option<drydock_spec::Fleet>,
    fleet_problem: Option<String>,
    files: BTreeMap<String, File>,
    current: Option<Arc<Fleet>>,
    /// A head that does not count, and the fleet that says so.
    refused: Option<(Oid, Arc<Fleet>)>,
}

/// One cluster's file.
#[derive(Clone)]
struct File {
    /// Its text, or why there is none.
    bytes: Result<Vec<u8>, String>,
    /// The last good reading.
    good: Option<Arc<Wanted>>,
    spec: Option<Box<ClusterSpec>>,
    /// What is wrong with the newest text.
    problem: Option<String>,
}

/// What is wrong with a file that is gone.
const DELETED: &str = "the file was deleted: a node that is out is brought back, and nothing else is begun; put the file back to go on";

impl File {
    fn removed(&self) -> bool {
        self.bytes.as_ref().is_err_and(|why| why == DELETED)
    }
}

impl GitSource {
    /// A source that has read nothing yet.
    pub fn new(mirror: Mirror, branch: RefName, shared: Arc<Mutex<Shared>>) -> GitSource {
        let waker = Waker::default();
        let watch = mirror.remote().path().and_then(|path| Watch::start(path, &waker));
        let state = State {
            mirror,
            branch,
            shared,
            at: None,
            fleet_file: None,
            fleet_problem: None,
            files: BTreeMap::new(),
            current: None,
            refused: None,
        };
        GitSource { state: Arc::new(Mutex::new(state)), waker, _watch: watch }
    }
}

impl Source for GitSource {
    async fn read(&self) -> Result<Arc<Fleet>, SourceError> {
        let state = Arc::clone(&self.state);
        tokio::task::spawn_blocking(move || state.lock().unwrap_or_else(PoisonError::into_inner).read())
            .await
            .map_err(|_| SourceError::Local("the work on the repository was broken off".to_owned()))?
    }

    async fn stirred(&self) {
        self.waker.woken().await;
    }
}

impl State {
    fn read(&mut self) -> Result<Arc<Fleet>, SourceError> {
        let head = match self.head() {
            Ok(head) => head,
            Err(error) => return self.begun_without(error),
        };
        if self.at == Some(head)
            && let Some(current) = &self.current
        {
            return Ok(Arc::clone(current));
        }
        let by_word = match self.verified(head) {
            Ok(by_word) => by_word,
            Err(error) => return self.refuse(head, error),
        };
        match self.take(head) {
            Ok(()) => {}
            // The next fetch makes our copy again; nothing is said of what stands on the branch.
            Err(damaged @ Unreadable::Corrupt(_)) => return self.begun_without(local(damaged)),
            Err(why) => return self.refuse(head, SourceError::Unfit { found: revision(head), why: why.to_string() }),
        }
        if by_word {
            self.reroot(head)?;
        }
        let fleet = Arc::new(self.fleet(head));
        self.at = Some(head);
        self.refused = None;
        self.share(|shared| {
            shared.accepted = vec![revision(head)];
            // A word lets in once: what is rewritten after that needs another.
            if by_word {
                shared.let_in = None;
            }
        });
        self.current = Some(Arc::clone(&fleet));
        Ok(fleet)
    }

    fn head(&mut self) -> Result<Oid, SourceError> {
        match self.mirror.fetch(std::slice::from_ref(&self.branch)).map(|heads| heads.of(&self.branch)) {
            Ok(Head::At(head)) => Ok(head),
            Ok(Head::Absent) => Err(SourceError::NoBranch(self.branch.full().to_owned())),
            Err(trouble) => Err(SourceError::Unreachable(chain(&trouble))),
        }
    }

    /// Nothing can be read. Said as an error once something is in force.
    fn begun_without(&mut self, error: SourceError) -> Result<Arc<Fleet>, SourceError> {
        if self.current.is_none()
            && let Some(fleet) = self.remembered(&error)
        {
            self.current = Some(Arc::clone(&fleet));
            return Ok(fleet);
        }
        Err(error)
    }

    /// What the status branch remembers of every cluster.
    fn remembered(&self, why: &SourceError) -> Option<Arc<Fleet>> {
        let shared = self.share(|shared| shared.clone());
        let revision = shared.accepted.last()?.clone();
        let problems = vec![format!("{why}; in force is what the status branch remembers of each cluster")];
        (!shared.wanted.is_empty()).then(|| Arc::new(Fleet { revision, clusters: shared.wanted, problems, refused: None }))
    }

    /// What stands on the branch does not count: every cluster says so, and what was in force before goes on.
    fn refuse(&mut self, head: Oid, error: SourceError) -> Result<Arc<Fleet>, SourceError> {
        if let Some((refused, fleet)) = &self.refused
            && *refused == head
        {
            return Ok(Arc::clone(fleet));
        }
        let Some(before) = self.current.clone().or_else(|| self.remembered(&error)) else { return Err(error) };
        let why = error.to_string();
        let told = |wanted: &Arc<Wanted>| Arc::new(Wanted { problem: Some(why.clone()), ..(**wanted).clone() });
        let clusters = before.clusters.iter().map(|(name, wanted)| (name.clone(), told(wanted))).collect();
        let fleet = Arc::new(Fleet { clusters, refused: Some((revision(head), why.clone())), ..(*before).clone() });
        self.refused = Some((head, Arc::clone(&fleet)));
        Ok(fleet)
    }

    /// A revision counts only if it descends from every accepted one, or a person let it in (S8); whether the latter.
    fn verified(&self, head: Oid) -> Result<bool, SourceError> {
        let shared = self.share(|shared| shared.clone());
        if let Some(let_in) = &shared.let_in
            && let Ok(let_in) = let_in.as_str().parse()
            && self.mirror.is_ancestor(let_in, head).map_err(local)?
            && !self.used(let_in, &shared.served)?
        {
            return Ok(true);
        }
        for accepted in shared.accepted.iter().chain(self.at.map(revision).iter()) {
            if !self.descends(head, accepted)? {
                return Err(SourceError::Rewritten {
                    branch: self.branch.full().to_owned(),
                    accepted: accepted.clone(),
                    found: revision(head),
                });
            }
        }
        Ok(false)
    }

    /// Whether a word was used before this process began: entries after it serve what it let in. Of a revision that is no longer there nobody can
    /// tell, so it counts as one of those; the word can be said again.
    fn used(&self, let_in: Oid, served: &[Revision]) -> Result<bool, SourceError> {
        for revision in served {
            let Ok(revision) = revision.as_str().parse() else { continue };
            if self.mirror.commit(revision).is_err() || self.mirror.is_ancestor(let_in, revision).map_err(local)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn descends(&self, head: Oid, from: &Revision) -> Result<bool, SourceError> {
        match from.as_str().parse() {
            Ok(from) => self.mirror.is_ancestor(from, head).map_err(local),
            Err(_) => Ok(false),
        }
    }

    /// A person let in another history: what was last wanted of a cluster under a revision that is gone is wanted under `head` from now on, so that the
    /// ledgers name revisions of the history in force, and another start does not need the word again.
    fn reroot(&mut self, head: Oid) -> Result<(), SourceError> {
        let moved = |source: &State, wanted: &Arc<Wanted>| -> Result<Option<Arc<Wanted>>, SourceError> {
            let gone = !source.descends(head, &wanted.revision)?;
            Ok(gone.then(|| Arc::new(Wanted { revision: revision(head), ..(**wanted).clone() })))
        };
        for path in self.files.keys().cloned().collect::<Vec<_>>() {
            let Some(good) = self.files.get(&path).and_then(|file| file.good.clone()) else { continue };
            if let (Some(good), Some(file)) = (moved(self, &good)?, self.files.get_mut(&path)) {
                file.good = Some(good);
            }
        }
        for (name, wanted) in self.share(|shared| shared.wanted.clone()) {
            if let Some(wanted) = moved(self, &wanted)? {
                self.share(|shared| drop(shared.wanted.insert(name, wanted)));
            }
        }
        Ok(())
    }

    /// Reads what differs between the revision in force and `head`, of the files that are ours: whatever else the repository holds, and however much of
    /// it, keeps no merge out.
    fn take(&mut self, head: Oid) -> Result<(), Unreadable> {
        let from = self.at.filter(|at| self.mirror.commit(*at).is_ok());
        let changes = self.mirror.changed(from, head, CLUSTERS)?;
        // Else every file would be taken for deleted.
        if let Some(instead) = changes.iter().find(|change| change.path == CLUSTERS && change.what != ChangeKind::Deleted) {
            return Err(match instead.kind {
                Kind::Symlink => Unreadable::Symlink(CLUSTERS.to_owned()),
                Kind::Submodule => Unreadable::Submodule(CLUSTERS.to_owned()),
                Kind::File | Kind::Folder | Kind::Unnameable => Unreadable::NotAFolder(CLUSTERS.to_owned()),
            });
        }
        let mut fleet_changed = from.is_none();
        for name in [FLEET_FILE].into_iter().chain(MISNAMED_FLEET_FILES) {
            // A folder of that name has files of its own, however deep.
            fleet_changed = fleet_changed || self.mirror.changed(from, head, name).map_or(true, |changes| !changes.is_empty());
        }
        if fleet_changed {
            self.take_fleet(head)?;
        }
        for change in changes.iter().filter(|change| is_cluster_path(&change.path)) {
            self.take_file(head, change)?;
        }
        if from.is_none() {
            let there: BTreeSet<&str> = changes.iter().map(|change| change.path.as_str()).collect();
            let gone: Vec<String> = self.files.keys().filter(|path| !there.contains(path.as_str())).cloned().collect();
            for path in gone {
                self.take_file(head, &Change { path, what: ChangeKind::Deleted, kind: Kind::File })?;
            }
        }
        let touched: Vec<String> = if fleet_changed {
            self.files.keys().cloned().collect()
        } else {
            changes.iter().map(|change| change.path.clone()).filter(|path| self.files.contains_key(path)).collect()
        };
        for path in touched {
            self.parse(&path, head);
        }
        Ok(())
    }

    /// A bad fleet file leaves the last good one in force, for every cluster. Where this process has read no good one, what the status branch remembers of
    /// each cluster is in force.
    fn take_fleet(&mut self, head: Oid) -> Result<(), Unreadable> {
        let bytes = match self.mirror.identity(head, FLEET_FILE) {
            Ok(None) => {
                let there = |name: &str| matches!(self.mirror.identity(head, name), Ok(Some(_)) | Err(_));
                match MISNAMED_FLEET_FILES.into_iter().find(|name| there(name)) {
                    // By another name it is not missing, and its freezes are not lifted.
                    Some(name) => self.fleet_problem = Some(format!("{name} is not read, and there is no {FLEET_FILE}: rename it")),
                    None => (self.fleet_file, self.fleet_problem) = (Some(drydock_spec::Fleet::default()), None),
                }
                return Ok(());
            }
            Ok(Some(_)) => self.mirror.read(head, FLEET_FILE, FILE_MAX),
            Err(why) => Err(why),
        };
        match bytes {
            Ok(bytes) => match parse_fleet(FLEET_FILE, &bytes) {
                Ok(fleet) => (self.fleet_file, self.fleet_problem) = (Some(fleet), None),
                Err(problems) => self.fleet_problem = Some(printed(&problems, &bytes)),
            },
            Err(damaged @ Unreadable::Corrupt(_)) => return Err(damaged),
            Err(why) => self.fleet_problem = Some(why.to_string()),
        }
        Ok(())
    }

    fn take_file(&mut self, head: Oid, change: &Change) -> Result<(), Unreadable> {
        let bytes = match (change.what, change.kind) {
            (ChangeKind::Deleted, _) => Err(DELETED.to_owned()),
            (ChangeKind::Added | ChangeKind::Modified, Kind::File) => match self.mirror.read(head, &change.path, FILE_MAX) {
                Err(damaged @ Unreadable::Corrupt(_)) => return Err(damaged),
                read => read.map_err(|why| why.to_string()),
            },
            (_, Kind::Symlink) => Err(format!("{} is a symbolic link; a cluster's file must be a file", change.path)),
            (_, Kind::Submodule) => Err(format!("{} is a submodule; a cluster's file must be a file", change.path)),
            (_, Kind::Folder | Kind::Unnameable) => Err(format!("{} is not a file", change.path)),
        };
        let file = self.files.entry(change.path.clone()).or_insert(File { bytes: Ok(Vec::new()), good: None, spec: None, problem: None });
        file.bytes = bytes;
        Ok(())
    }

    /// Reads one file under the fleet's defaults in force.
    fn parse(&mut self, path: &str, head: Oid) {
        let Some(file) = self.files.get(path) else { return };
        let read = match (&file.bytes, &self.fleet_file) {
            (Ok(bytes), Some(fleet)) => parse_cluster(path, bytes, fleet)
                .and_then(|spec| self.keeps_its_cluster(file, spec))
                .map_err(|problems| printed(&problems, bytes)),
            (Ok(_), None) => Err(self.fleet_problem.clone().unwrap_or_else(|| format!("{FLEET_FILE} has not been read yet"))),
            (Err(_), _) if file.removed() => Err(format!("{path}: {DELETED}")),
            (Err(why), _) => Err(why.clone()),
        };
        let mut file = file.clone();
        match read {
            Ok(spec) => {
                let seed = self.share(|shared| shared.wanted.get(&spec.desired.cluster).cloned());
                let was = file.good.as_ref().or(seed.as_ref()).filter(|was| was.desired.spec == spec.desired.spec && was.path == path);
                // The last revision that changed this cluster's inputs: another merge costs a converged cluster nothing.
                let since = was.map_or_else(|| revision(head), |was| was.revision.clone());
                file.good = Some(Arc::new(wanted(path, &spec, since)));
                (file.spec, file.problem) = (Some(Box::new(spec)), None);
            }
            Err(problem) => file.problem = Some(problem),
        }
        self.files.insert(path.to_owned(), file);
    }

    fn keeps_its_cluster(&self, file: &File, spec: ClusterSpec) -> Result<ClusterSpec, Vec<Diagnostic>> {
        let was = file.good.clone().or_else(|| self.seeded(&spec.path));
        keeps_its_cluster(&spec, was.as_ref().map(|was| &was.desired.cluster))?;
        Ok(spec)
    }

    /// What all files together say.
    fn fleet(&self, head: Oid) -> Fleet {
        // Those that were accepted before come first, so that a new file cannot take what is another cluster's.
        let mut specs: Vec<&ClusterSpec> =
            self.files.values().filter(|file| !file.removed()).filter_map(|file| file.spec.as_deref()).collect();
        specs.sort_by_key(|spec| self.accepted_before(spec));
        let clashes = check_fleet(specs);
        let mut clusters: BTreeMap<ClusterName, Arc<Wanted>> = BTreeMap::new();
        let mut problems: Vec<String> = self.fleet_problem.iter().cloned().collect();
        // A cluster whose file was moved is what its new file says; the deleted one speaks only where no other does.
        let (removed, there): (Vec<_>, Vec<_>) = self.files.iter().partition(|(_, file)| file.removed());
        for (path, file) in there.into_iter().chain(removed) {
            let clash: Vec<Diagnostic> = clashes.iter().filter(|d| d.file == *path).cloned().collect();
            let problem = match (&file.problem, clash.is_empty()) {
                (Some(problem), _) => Some(problem.clone()),
                (None, false) => Some(printed(&clash, file.bytes.as_deref().unwrap_or_default())),
                (None, true) => None,
            };
            problems.extend(problem.clone());
            let good = match (&file.good, &problem) {
                // A file that clashes with an earlier one is no cluster of its own, unless it was one before.
                (Some(good), Some(_)) if !clash.is_empty() => self.before(&good.desired.cluster, path).or_else(|| self.seeded(path)),
                (Some(good), _) => Some(Arc::clone(good)),
                (None, _) => self.seeded(path),
            };
            let Some(good) = good else { continue };
            // What is wrong with the fleet's own file keeps the newest defaults and freezes from every cluster.
            let held = match problem.or_else(|| self.fleet_problem.clone()) {
                None => good,
                Some(problem) => Arc::new(self.held(&good, problem, file.removed())),
            };
            clusters.entry(held.desired.cluster.clone()).or_insert(held);
        }
        // What the status branch knows and no file names any more: the way back of a node that is out goes on.
        for (name, wanted) in self.share(|shared| shared.wanted.clone()) {
            if !clusters.contains_key(&name) && !self.files.contains_key(&wanted.path) {
                clusters.insert(name, Arc::new(self.held(&wanted, format!("{}: {DELETED}", wanted.path), true)));
            }
        }
        Fleet { revision: revision(head), clusters, problems, refused: None }
    }

    /// How old a cluster's claim to its name and machines is.
    fn accepted_before(&self, spec: &ClusterSpec) -> Seniority {
        let cluster = &spec.desired.cluster;
        let current = self.current.as_ref().and_then(|fleet| fleet.clusters.get(cluster)).cloned();
        let was = current.or_else(|| self.share(|shared| shared.wanted.get(cluster).cloned()));
        let was = was.filter(|was| was.path == spec.path);
        Seniority::of(spec, was.as_ref().map(|was| (&*was.desired, &was.connection)))
    }

    fn before(&self, cluster: &ClusterName, path: &str) -> Option<Arc<Wanted>> {
        self.current.as_ref().and_then(|fleet| fleet.clusters.get(cluster)).filter(|was| was.path == path).cloned()
    }

    /// The last good spec of a file that is bad since before this process began.
    fn seeded(&self, path: &str) -> Option<Arc<Wanted>> {
        self.share(|shared| shared.wanted.values().find(|wanted| wanted.path == path).cloned())
    }

    /// The last good spec, with the problem of the newest file beside it; what the fleet's file freezes holds for it too. Of a cluster whose file is gone
    /// nothing new is begun.
    fn held(&self, good: &Wanted, problem: String, removed: bool) -> Wanted {
        let mut desired: Desired = self.fleet_file.as_ref().map_or_else(|| (*good.desired).clone(), |fleet| frozen(&good.desired, fleet));
        if removed {
            desired.suspend = Some(Suspend { reason: "its file was removed from the fleet".to_owned(), until: None });
        }
        Wanted { desired: Arc::new(desired), problem: Some(problem), ..good.clone() }
    }

    fn share<T>(&self, work: impl FnOnce(&mut Shared) -> T) -> T {
        work(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn wanted(path: &str, spec: &ClusterSpec, revision: Revision) -> Wanted {
    Wanted {
        path: path.to_owned(),
        desired: Arc::new(spec.desired.clone()),
        revision,
        connection: spec.connection.clone(),
        problem: None,
        warnings: spec.warnings.iter().map(|w| w.message.clone()).collect(),
    }
}

/// What refuses a file. A warning refuses nothing, and would be taken for the reason: whoever reads on goes by the first line.
fn printed(problems: &[Diagnostic], bytes: &[u8]) -> String {
    let errors: Vec<Diagnostic> = problems.iter().filter(|problem| problem.severity == Severity::Error).cloned().collect();
    render(&errors, &String::from_utf8_lossy(bytes), Look::Plain)
}

fn revision(oid: Oid) -> Revision {
    // 40 hexadecimal digits always are a revision.
    oid.to_string().parse().unwrap_or_else(|_| unreachable!("an object id is a revision"))
}

fn local(error: impl std::error::Error) -> SourceError {
    SourceError::Local(chain(&error))
}
