//! Desired state as it stands in a folder or in a commit: the fleet's file, every cluster's file, and what is wrong with them.

use crate::branch::unreadable;
use crate::exit::{Exit, Failure};
use drydock_git::{ChangeKind, Kind, Mirror, Oid};
use drydock_model::desired::BitsSource;
use drydock_model::ids::ClusterName;
use drydock_spec::fleet::{CLUSTERS, FLEET_FILE, MISNAMED_FLEET_FILES, Seniority, is_cluster_path, keeps_its_cluster};
use drydock_spec::{
    ClusterSpec, Code, Connection, Diagnostic, Fleet, Look, Severity, check_fleet, parse_cluster, parse_fleet, render, tree,
};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Files of one fleet repository that are read; ten times the largest fleet that Drydock was designed for.
const MOST_FILES: usize = 100_000;
/// Folders in folders.
const MOST_DEPTH: usize = 32;

/// Files as they were found: path in the repository, and content, or why there is none.
#[derive(Debug, Default)]
pub struct Files {
    /// By path.
    pub found: BTreeMap<String, Result<Vec<u8>, Diagnostic>>,
}

/// What was accepted from a file before.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// What is wanted of which cluster.
    pub desired: drydock_model::desired::Desired,
    /// How its nodes are reached.
    pub connection: Connection,
}

impl Accepted {
    /// What a file says that counts.
    pub fn of(spec: &ClusterSpec) -> Accepted {
        Accepted { desired: spec.desired.clone(), connection: spec.connection.clone() }
    }
}

/// What was accepted from files before, as far as that is known.
pub trait Past {
    /// The cluster that a file described. Asked of every file.
    fn cluster(&self, path: &str) -> Option<ClusterName>;
    /// All of it. Asked only where that decides something.
    fn accepted(&self, path: &str) -> Option<Accepted>;
}

/// Nothing is known.
struct NoPast;

impl Past for NoPast {
    fn cluster(&self, _: &str) -> Option<ClusterName> {
        None
    }
    fn accepted(&self, _: &str) -> Option<Accepted> {
        None
    }
}

/// Desired state, checked.
#[derive(Debug)]
pub struct Desired {
    /// What holds for every cluster.
    pub fleet: Fleet,
    /// Whether that is what `fleet.yaml` says; not so while that file does not count.
    pub guided: bool,
    /// Every cluster whose file counts, by path.
    pub clusters: BTreeMap<String, ClusterSpec>,
    /// What is wrong, by file, with the file's text.
    pub problems: BTreeMap<String, (String, Vec<Diagnostic>)>,
    /// Files that were read.
    pub files: usize,
}

impl Files {
    /// The files of a folder that Drydock reads.
    pub fn of_folder(root: &Path) -> Result<Files, Failure> {
        let mut files = Files::default();
        files.add_fleet(root)?;
        let clusters = Path::new(CLUSTERS);
        match fs::symlink_metadata(root.join(clusters)) {
            Ok(meta) if !meta.is_dir() => files.no_file(CLUSTERS, if meta.is_symlink() { LINK } else { "is a file" }),
            Ok(_) if is_another_repository(&root.join(clusters)) => files.no_file(CLUSTERS, SUBMODULE),
            Ok(_) | Err(_) => files.walk(root, clusters, 0)?,
        }
        Ok(files)
    }

    /// These files alone, and the fleet's file beside them. Each must lie in a fleet repository: below a folder `clusters`.
    pub fn of_paths(paths: &[PathBuf]) -> Result<Files, Failure> {
        let mut files = Files::default();
        for path in paths {
            let (root, inside) = split(path);
            if !path.exists() {
                let what = format!("there is no {}", path.display());
                return Err(Failure::new(Exit::Usage, what, "check the spelling; a fleet repository's folder will do as well"));
            }
            files.add_fleet(&root)?;
            let on_the_way = Path::new(&inside).ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
            if let Some(link) = on_the_way.filter_map(Path::to_str).find(|folder| root.join(folder).is_symlink()) {
                files.no_file(link, LINK);
                continue;
            }
            if !MISNAMED_FLEET_FILES.contains(&inside.as_str()) {
                files.add(&root, &inside)?;
            }
        }
        Ok(files)
    }

    /// The files of a commit.
    pub fn of_commit(mirror: &Mirror, commit: Oid) -> Result<Files, Failure> {
        let mut files = Files::default();
        let there = |name: &str| !matches!(mirror.identity(commit, name), Ok(None));
        if there(FLEET_FILE) {
            let content = mirror.read(commit, FLEET_FILE, MOST_BYTES).map_err(|e| not_a_file(FLEET_FILE, &e.to_string()));
            files.found.insert(FLEET_FILE.to_owned(), content);
        }
        for name in MISNAMED_FLEET_FILES.into_iter().filter(|name| there(name)) {
            files.found.insert(name.to_owned(), Err(misnamed(name, FLEET_IS)));
        }
        // As a controller does: what lies beside the clusters is nobody's business here.
        for change in mirror.changed(None, commit, CLUSTERS).map_err(|e| unreadable(&e))? {
            // What hides files from view is told, whatever its name.
            let hides = matches!(change.kind, Kind::Symlink | Kind::Submodule) || change.path == CLUSTERS;
            if change.what == ChangeKind::Deleted || !(hides || is_cluster_path(&change.path)) {
                continue;
            }
            let content = match change.kind {
                Kind::File if change.path == CLUSTERS => Err(not_a_file(CLUSTERS, "is a file")),
                Kind::File => mirror.read(commit, &change.path, MOST_BYTES).map_err(|e| not_a_file(&change.path, &e.to_string())),
                Kind::Symlink => Err(not_a_file(&change.path, LINK)),
                Kind::Submodule => Err(not_a_file(&change.path, SUBMODULE)),
                Kind::Folder => Err(not_a_file(&change.path, "is a folder")),
                Kind::Unnameable => Err(not_a_file(&change.path, "has a name that is not UTF-8")),
            };
            files.found.insert(change.path, content);
        }
        Ok(files)
    }

    fn walk(&mut self, root: &Path, folder: &Path, depth: usize) -> Result<(), Failure> {
        let here = root.join(folder);
        let entries = match fs::read_dir(&here) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && depth == 0 => return Ok(()),
            Err(e) => return Err(local(&here, &e)),
        };
        for entry in entries {
            let entry = entry.map_err(|e| local(&here, &e))?;
            let path = folder.join(entry.file_name());
            let Some(text) = path.to_str().map(ToOwned::to_owned) else {
                let shown = path.to_string_lossy().into_owned();
                self.found.insert(shown.clone(), Err(not_a_file(&shown, "has a name that is not UTF-8")));
                continue;
            };
            let kind = entry.file_type().map_err(|e| local(&path, &e))?;
            if kind.is_dir() && is_another_repository(&root.join(&path)) {
                self.no_file(&text, SUBMODULE);
            } else if kind.is_dir() && depth < MOST_DEPTH {
                self.walk(root, &path, depth + 1)?;
            } else if kind.is_dir() {
                self.found.insert(text.clone(), Err(not_a_file(&text, "lies too deep in folders")));
            } else if is_misnamed_cluster(&path) {
                let found = misnamed(&text, "is not read: a cluster's file ends in .yaml");
                self.found.insert(text, Err(found));
            } else if is_cluster_path(&text) {
                self.add(root, &text)?;
            } else if kind.is_symlink() {
                self.no_file(&text, LINK);
            }
            if self.found.len() > MOST_FILES {
                let what = format!("{} has more than {MOST_FILES} files", root.display());
                return Err(Failure::new(Exit::Usage, what, "name the folder of one fleet repository"));
            }
        }
        Ok(())
    }

    fn no_file(&mut self, path: &str, what: &str) {
        self.found.insert(path.to_owned(), Err(not_a_file(path, what)));
    }

    /// The fleet's own file, and what is mistaken for it. The folder is asked for its names: where upper and lower case are one, every spelling would
    /// open the right file.
    fn add_fleet(&mut self, root: &Path) -> Result<(), Failure> {
        self.add(root, FLEET_FILE)?;
        let entries = match fs::read_dir(if root.as_os_str().is_empty() { Path::new(".") } else { root }) {
            Ok(entries) => entries,
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => return Ok(()),
            Err(e) => return Err(local(root, &e)),
        };
        for entry in entries {
            let name = entry.map_err(|e| local(root, &e))?.file_name();
            if let Some(name) = MISNAMED_FLEET_FILES.into_iter().find(|mistaken| name == *mistaken) {
                self.found.insert(name.to_owned(), Err(misnamed(name, FLEET_IS)));
            }
        }
        Ok(())
    }

    /// One file, if it is there.
    fn add(&mut self, root: &Path, inside: &str) -> Result<(), Failure> {
        let path = root.join(inside);
        let content = match fs::symlink_metadata(&path) {
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => return Ok(()),
            Err(e) => return Err(local(&path, &e)),
            Ok(meta) if meta.is_symlink() => Err(not_a_file(inside, LINK)),
            Ok(meta) if !meta.is_file() => Err(not_a_file(inside, "is no file")),
            Ok(_) => {
                let mut bytes = Vec::new();
                // One byte more than is allowed, so that the checker sees a file that is too large as one.
                let limit = u64::try_from(MOST_BYTES + 1).unwrap_or(u64::MAX);
                fs::File::open(&path).and_then(|f| f.take(limit).read_to_end(&mut bytes)).map_err(|e| local(&path, &e))?;
                Ok(bytes)
            }
        };
        self.found.insert(inside.to_owned(), content);
        Ok(())
    }
}

/// Warnings of one kind that are shown with their carets; the rest of them is counted.
const MOST_ALIKE: usize = 3;

/// What the checker reads.
const MOST_BYTES: usize = tree::MOST_BYTES;

fn not_a_file(path: &str, message: &str) -> Diagnostic {
    let hint =
        if path == CLUSTERS { "make it a folder, and put the clusters' files themselves there" } else { "put the file itself there" };
    Diagnostic::whole_file(Code::NotAFile, path, message).hint(hint)
}

/// Said of what would lead somewhere else.
const LINK: &str = "is a symbolic link, which Drydock does not follow";
const SUBMODULE: &str = "is a submodule";

/// Whether git takes a folder for a submodule: another repository's work tree.
fn is_another_repository(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(".git")).is_ok()
}

/// Said of what is mistaken for it.
const FLEET_IS: &str = "is not read: the fleet's own file is fleet.yaml";

fn misnamed(path: &str, message: &str) -> Diagnostic {
    Diagnostic::whole_file(Code::BadFilePath, path, message).hint("rename it")
}

/// Whether a name ends as people write `.yaml` by mistake.
fn is_misnamed_cluster(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default();
    ending != "yaml" && (ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml"))
}

fn local(path: &Path, e: &std::io::Error) -> Failure {
    Failure::new(Exit::Local, format!("{} cannot be read: {e}", path.display()), "check the path and its permissions")
}

/// The repository's folder, and the path inside it: split before the last folder named `clusters`.
fn split(path: &Path) -> (PathBuf, String) {
    let parts: Vec<_> = path.components().collect();
    let at = parts.iter().rposition(|p| p.as_os_str() == CLUSTERS).unwrap_or(parts.len().saturating_sub(1));
    let root: PathBuf = parts[..at].iter().collect();
    let inside: PathBuf = parts[at..].iter().collect();
    (root, inside.to_string_lossy().into_owned())
}

impl Default for Desired {
    /// Of a repository without files.
    fn default() -> Desired {
        Desired { fleet: Fleet::default(), guided: true, clusters: BTreeMap::new(), problems: BTreeMap::new(), files: 0 }
    }
}

/// What two clusters claim. Told of the younger claim; how old they are is asked only where there is something to tell.
fn clashes(clusters: &BTreeMap<String, ClusterSpec>, past: &dyn Past) -> Vec<Diagnostic> {
    let found = check_fleet(clusters.values());
    if found.is_empty() {
        return found;
    }
    let age = |spec: &ClusterSpec| {
        let was = past.accepted(&spec.path).filter(|was| was.desired.cluster == spec.desired.cluster);
        Seniority::of(spec, was.as_ref().map(|was| (&was.desired, &was.connection)))
    };
    let mut specs: Vec<&ClusterSpec> = clusters.values().collect();
    specs.sort_by_cached_key(|spec| age(spec));
    check_fleet(specs)
}

/// What stands in for a `fleet.yaml` that does not count, where none was good before: enough that no cluster's file is blamed for what only that file
/// could say. Nothing is done by it.
pub fn stand_in() -> Fleet {
    let mut fleet = Fleet::default();
    fleet.defaults.connection.credential = Some("unknown".to_owned());
    fleet.defaults.source = Some(BitsSource::Media { path: r"C:\unknown".to_owned() });
    fleet
}

impl Desired {
    /// Reads and checks everything.
    pub fn check(files: Files) -> Desired {
        Desired::check_beside(&files, &stand_in(), &NoPast)
    }

    /// The same, beside what is there: while `fleet.yaml` does not count `last` is in force, and what was accepted from a file before is its own, as a
    /// controller has it.
    pub fn check_beside(files: &Files, last: &Fleet, past: &dyn Past) -> Desired {
        let mut desired = Desired { files: files.found.len(), ..Desired::default() };
        match files.found.get(FLEET_FILE) {
            Some(content) => match content.as_ref().map_err(|d| vec![d.clone()]).and_then(|bytes| parse_fleet(FLEET_FILE, bytes)) {
                Ok(fleet) => {
                    desired.tell(FLEET_FILE, content, fleet.warnings.clone());
                    desired.fleet = fleet;
                }
                Err(problems) => {
                    desired.tell(FLEET_FILE, content, problems);
                    (desired.fleet, desired.guided) = (last.clone(), false);
                }
            },
            // By another name it is not missing: a controller keeps the last one.
            None if MISNAMED_FLEET_FILES.iter().any(|name| files.found.contains_key(*name)) => {
                (desired.fleet, desired.guided) = (last.clone(), false);
            }
            None => {}
        }
        for (path, content) in files.found.iter().filter(|(path, _)| *path != FLEET_FILE) {
            let read = content.as_ref().map_err(|d| vec![d.clone()]).and_then(|bytes| parse_cluster(path, bytes, &desired.fleet));
            match read.and_then(|spec| keeps_its_cluster(&spec, past.cluster(path).as_ref()).map(|()| spec)) {
                Ok(spec) => {
                    desired.tell(path, content, spec.warnings.clone());
                    desired.clusters.insert(path.clone(), spec);
                }
                Err(problems) => desired.tell(path, content, problems),
            }
        }
        for problem in clashes(&desired.clusters, past) {
            let path = problem.file.clone();
            if let Some(content) = files.found.get(&path) {
                desired.tell(&path, content, vec![problem]);
            }
            desired.clusters.remove(&path);
        }
        desired
    }

    fn tell(&mut self, path: &str, content: &Result<Vec<u8>, Diagnostic>, problems: Vec<Diagnostic>) {
        if problems.is_empty() {
            return;
        }
        let text = || content.as_ref().map(|b| String::from_utf8_lossy(b).into_owned()).unwrap_or_default();
        self.problems.entry(path.to_owned()).or_insert_with(|| (text(), Vec::new())).1.extend(problems);
    }

    /// All problems, by file.
    pub fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        self.problems.values().flat_map(|(_, problems)| problems)
    }

    /// Whether some file does not count.
    pub fn any_error(&self) -> bool {
        self.diagnostics().any(|d| d.severity == Severity::Error)
    }

    /// Errors and warnings, counted.
    pub fn count(&self) -> (usize, usize) {
        let errors = self.diagnostics().filter(|d| d.severity == Severity::Error).count();
        (errors, self.diagnostics().count() - errors)
    }

    /// All problems with their carets. Warnings first, so that errors stand last, where a terminal ends; a warning that many files share is shown of
    /// some and counted of the rest.
    pub fn render(&self, coloured: bool) -> String {
        let look = if coloured { Look::Coloured } else { Look::Plain };
        let mut alike: BTreeMap<(String, &str), usize> = BTreeMap::new();
        let (mut warnings, mut errors) = (Vec::new(), Vec::new());
        for (text, problems) in self.problems.values() {
            let (wrong, doubtful): (Vec<&Diagnostic>, Vec<&Diagnostic>) = problems.iter().partition(|p| p.severity == Severity::Error);
            let shown = doubtful.into_iter().filter(|warning| {
                let count = alike.entry((warning.code.to_string(), &warning.message)).or_insert(0);
                *count += 1;
                *count <= MOST_ALIKE
            });
            let shown: Vec<Diagnostic> = shown.cloned().collect();
            warnings.extend((!shown.is_empty()).then(|| render(&shown, text, look)));
            errors.extend((!wrong.is_empty()).then(|| render(&wrong.into_iter().cloned().collect::<Vec<_>>(), text, look)));
        }
        let more = alike.into_iter().filter(|(_, count)| *count > MOST_ALIKE);
        warnings.extend(more.map(|((code, _), count)| format!("warning[{code}]: the same {} times more\n", count - MOST_ALIKE)));
        warnings.into_iter().chain(errors).collect::<Vec<_>>().join("\n")
    }
}
