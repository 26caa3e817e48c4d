//! Pushing to a repository on a path, by our own hand: libgit2's local transport loses updates when two push at once, runs no
//! hooks, and answers Ok all the same.
//!
//! The order is git's: objects first (whole and on the disk), then the hooks that may refuse, then the reference, replaced under
//! its lock only if it still is what the caller expects. The lock is the file that git itself uses (`refs/heads/x.lock`), so real
//! git and any number of us exclude each other. A lock of ours whose owner was killed is recognised and removed:
//! its inode is also linked under a name of ours, and the owner holds a lock on it that the system takes back when it dies.

mod hooks;

pub use hooks::withhold;

use crate::mirror::Head;
use crate::names::RefName;
use crate::pack;
use crate::push::{Pushed, Refusal, Wire};
use crate::tidy;
use crate::trouble::{Trouble, unsupported};
use git2::{ErrorCode, Oid, Repository};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Opens the repository at a path, or says why not in a person's words.
pub(crate) fn open(path: &Path) -> Result<Repository, Trouble> {
    match fs::metadata(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Trouble::NoSuchPath(path.to_owned())),
        Err(error) => return Err(Trouble::from_io("read", path, error)),
    }
    Repository::open_ext(path, git2::RepositoryOpenFlags::NO_SEARCH, std::iter::empty::<&std::ffi::OsStr>()).map_err(|error| {
        let detail = error.message().to_owned();
        match error.code() {
            ErrorCode::Owner => Trouble::not_ours(path),
            ErrorCode::NotFound => match fs::read_dir(path) {
                Err(denied) if denied.kind() == io::ErrorKind::PermissionDenied => Trouble::from_io("read", path, denied),
                Ok(_) | Err(_) => Trouble::NotARepository(path.to_owned()),
            },
            _ if unsupported(&detail) => Trouble::Unsupported { remote: path.display().to_string(), detail },
            _ => Trouble::of_remote(path, error),
        }
    })
}

/// Replaces one reference of the repository at `path`, if it still is what is expected.
pub(crate) fn push(path: &Path, from: &Repository, name: &RefName, expected: Option<Oid>, new: Oid, wire: &dyn Wire) -> Pushed {
    match prepare(path, from, name, expected, new, wire) {
        Ok(Prepared::Ready(there)) => land(&there, name, expected, new, wire),
        Ok(Prepared::Over(pushed)) => pushed,
        Err(trouble) => Pushed::NotSent(trouble),
    }
}

enum Prepared {
    Ready(Repository),
    Over(Pushed),
}

/// Everything up to the reference: it may be repeated and leaves at most unused objects behind.
fn prepare(path: &Path, from: &Repository, name: &RefName, expected: Option<Oid>, new: Oid, wire: &dyn Wire) -> Result<Prepared, Trouble> {
    wire.request().map_err(|dropped| Trouble::Injected(dropped.0))?;
    let there = open(path)?;
    let git = |error| Trouble::of_remote(path, error);
    let now = current(&there, name).map_err(git)?;
    if now == Some(new) {
        return Ok(Prepared::Over(Pushed::Landed));
    }
    if now != expected {
        return Ok(Prepared::Over(Pushed::Rejected { now: Some(Head::of(now)), why: Refusal::Moved }));
    }
    if now.is_none()
        && let Some(by) = in_the_way(&there, name)
    {
        return Ok(Prepared::Over(Pushed::Rejected { now: Some(Head::Absent), why: Refusal::NameTaken { by } }));
    }
    if checked_out(&there, name) {
        return Ok(Prepared::Over(Pushed::Rejected { now: Some(Head::of(now)), why: Refusal::CheckedOut }));
    }
    if let Some(hook) = hooks::beyond_us(&there) {
        return Ok(Prepared::Over(Pushed::Rejected { now: Some(Head::of(now)), why: Refusal::HookNotRun { hook } }));
    }
    let known = known_there(&there, from, expected).map_err(git)?;
    let ids = pack::new_objects(from, new, &known).map_err(|error| Trouble::Corrupt { detail: error.message().to_owned() })?;
    let bytes = pack::encode(from, ids.iter().cloned()).map_err(|error| Trouble::Corrupt { detail: error.message().to_owned() })?;
    wire.storing().map_err(|source| Trouble::from_io("write to", path, source))?;
    if !ids.is_empty() {
        pack::store(&there.commondir().join("objects"), &bytes)?;
    }
    // The server's own check: what the reference will name is really there.
    there.find_commit(new).and_then(|commit| commit.tree()).map_err(git)?;
    if let Some(refused) = hooks::refusal(&there, name, expected, new, path)? {
        return Ok(Prepared::Over(Pushed::Rejected { now: Some(Head::of(now)), why: refused }));
    }
    Ok(Prepared::Ready(there))
}

fn land(there: &Repository, name: &RefName, expected: Option<Oid>, new: Oid, wire: &dyn Wire) -> Pushed {
    let lock = match Lock::take(there.commondir(), name, new) {
        Ok(lock) => lock,
        Err(trouble) => return Pushed::NotSent(trouble),
    };
    let git = |error| Trouble::of_remote(there.path(), error);
    // Under the lock nobody else changes it, also not `git pack-refs`, which moves it into packed-refs only while holding the lock.
    match current(there, name) {
        Ok(now) if now == expected => {}
        Ok(now) => return Pushed::Rejected { now: Some(Head::of(now)), why: Refusal::Moved },
        Err(error) => return Pushed::NotSent(git(error)),
    }
    if expected.is_none()
        && let Some(other) = in_the_way(there, name)
    {
        return Pushed::Rejected { now: Some(Head::Absent), why: Refusal::NameTaken { by: other } };
    }
    match lock.commit() {
        Ok(()) => {}
        Err(trouble) => return Pushed::NotSent(trouble),
    }
    hooks::tell(there, name, expected, new);
    keep_tidy(there);
    // Whoever cuts the line now loses only the answer.
    match wire.answer() {
        Ok(()) => Pushed::Landed,
        Err(dropped) => Pushed::Unknown(Trouble::Injected(dropped.0)),
    }
}

/// What git's receive-pack does after a push (`receive.autogc`), as far as it is needed: it does not matter if it fails.
fn keep_tidy(there: &Repository) {
    let config = there.config();
    let wanted = |name: &str| config.as_ref().ok().and_then(|config| config.get_bool(name).ok()).unwrap_or(true);
    if wanted("receive.autogc")
        && wanted("gc.auto")
        && let Err(trouble) = tidy::tidy(&there.commondir().join("objects"))
    {
        tracing::warn!(repository = %there.path().display(), why = %trouble, "the packs of the repository could not be gathered; run `git gc` there");
    }
}

/// What the reference is. A symbolic one is followed no further than git's receive-pack would: it is refused as not a commit.
fn current(there: &Repository, name: &RefName) -> Result<Option<Oid>, git2::Error> {
    match there.find_reference(name.full()) {
        Ok(reference) => match reference.target() {
            Some(oid) => Ok(Some(oid)),
            None => Err(git2::Error::from_str("the branch is a symbolic reference; push to what it points to")),
        },
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A repository of references in the thousands is told by its branch alone.
const KNOWN_MAX: usize = 1000;

/// Commits that the other side surely has whole: what its references name.
fn known_there(there: &Repository, from: &Repository, expected: Option<Oid>) -> Result<Vec<Oid>, git2::Error> {
    let mut known: Vec<Oid> = expected.into_iter().collect();
    if known.is_empty() {
        for reference in there.references()?.take(KNOWN_MAX) {
            if let Some(oid) = reference?.target()
                && from.find_commit(oid).is_ok()
            {
                known.push(oid);
            }
        }
    }
    Ok(known)
}

/// Git refuses to pull a branch from under somebody's work tree; so do we.
fn checked_out(there: &Repository, name: &RefName) -> bool {
    let head = |git: &Repository| git.find_reference("HEAD").ok().and_then(|head| head.symbolic_target().ok().flatten().map(str::to_owned));
    let here = !there.is_bare() && head(there).as_deref() == Some(name.full());
    let trees = there.worktrees().map(|names| names.iter().flatten().flatten().map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default();
    here || trees.iter().any(|tree| {
        let its_head = fs::read_to_string(there.commondir().join("worktrees").join(tree).join("HEAD")).unwrap_or_default();
        its_head.trim().strip_prefix("ref: ") == Some(name.full())
    })
}

/// `a` and `a/b` cannot both be branches.
fn in_the_way(there: &Repository, name: &RefName) -> Option<String> {
    let above = name.full().match_indices('/').map(|(at, _)| &name.full()[..at]).find(|prefix| there.find_reference(prefix).is_ok());
    let below = || there.references_glob(&format!("{}/*", name.full())).ok()?.names().flatten().next().map(str::to_owned);
    above.map(str::to_owned).or_else(below)
}

/// The reference's lock file, with the new value in it, held.
struct Lock {
    /// The name by which we know our own locks; linked to the same inode.
    ours: PathBuf,
    /// The name by which everybody knows it; `None` once it has become the reference, because the next lock is somebody else's.
    lock: Option<PathBuf>,
    target: PathBuf,
    /// The system's lock on the inode lives as long as this.
    _held: File,
}

/// Our names in the repository's folder.
const OURS: &str = "drydock-ref-";
static NUMBER: AtomicU64 = AtomicU64::new(0);
/// Names that a dead process of our number left behind are passed over; more than this is no accident.
const NAMES_MAX: u32 = 1000;
/// Git removes empty folders of references while we make one: seen again at once, it is tried again. As deep as names nest, too.
const FOLDERS_MAX: u32 = 10;

impl Lock {
    fn take(folder: &Path, name: &RefName, new: Oid) -> Result<Self, Trouble> {
        let sort = |source| Trouble::from_io("write to", folder, source);
        let target = folder.join(name.full());
        let lock = PathBuf::from(format!("{}.lock", target.display()));
        let (ours, mut file) = draw(folder).map_err(sort)?;
        let made = (|| {
            file.try_lock().map_err(io::Error::from)?;
            file.write_all(format!("{new}\n").as_bytes())?;
            file.sync_all()?;
            link(&ours, &lock)
        })();
        match made {
            Ok(()) => Ok(Self { ours, lock: Some(lock), target, _held: file }),
            Err(error) => {
                let removed = fs::remove_file(&ours);
                drop(file);
                if error.kind() == io::ErrorKind::AlreadyExists {
                    free_if_dead(folder, &lock);
                    return Err(Trouble::Locked { lock });
                }
                removed.map_err(sort)?;
                Err(sort(error))
            }
        }
    }

    /// The reference becomes what the lock says, at once for everybody.
    fn commit(mut self) -> Result<(), Trouble> {
        let target = self.target.clone();
        let sort = |source| Trouble::from_io("write to", &target, source);
        if target.is_dir() {
            // Empty folders that deleted branches left; with anything in them this fails, as it must.
            remove_empty(&target, 0).map_err(sort)?;
        }
        if let Some(lock) = &self.lock {
            fs::rename(lock, &target).map_err(sort)?;
        }
        self.lock = None;
        if let Some(folder) = target.parent() {
            // It has landed for everybody who looks; only a power cut in this moment could still take it back,
            // and then the same objects are sent again.
            if let Err(error) = pack::sync_folder(folder) {
                tracing::warn!(folder = %folder.display(), why = %error, "a reference could not be flushed to the disk");
            }
        }
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // In this order: while the lock is there, our name for it must be there too.
        for path in self.lock.iter().chain([&self.ours]) {
            remove(path);
        }
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(file = %path.display(), why = %error, "a lock could not be removed"),
    }
}

/// Removes what dead processes left: names of ours that are linked nowhere else. Empty ones were made this very moment.
fn sweep(folder: &Path) {
    let Ok(names) = fs::read_dir(folder) else { return };
    for entry in names.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(OURS)) {
        let alone = |file: &File| file.metadata().is_ok_and(|facts| facts.nlink() == 1 && facts.len() > 0);
        if File::open(entry.path()).is_ok_and(|file| alone(&file) && file.try_lock().is_ok() && alone(&file)) {
            remove(&entry.path());
        }
    }
}

fn remove_empty(folder: &Path, depth: u32) -> io::Result<()> {
    if depth < FOLDERS_MAX {
        for entry in fs::read_dir(folder)?.flatten().filter(|entry| entry.path().is_dir()) {
            remove_empty(&entry.path(), depth + 1)?;
        }
    }
    fs::remove_dir(folder)
}

fn draw(folder: &Path) -> io::Result<(PathBuf, File)> {
    sweep(folder);
    for _ in 0..NAMES_MAX {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{OURS}{}-{number}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("too many files of dead processes are left in the repository's folder"))
}

/// Makes a folder for references where `refs` is: a repository that is gone is not begun anew in its place.
fn make_below_refs(folder: &Path) -> io::Result<()> {
    let missing = match fs::create_dir(folder) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => error,
    };
    match folder.parent() {
        Some(parent) if missing.kind() == io::ErrorKind::NotFound && folder.file_name() != Some("refs".as_ref()) => {
            make_below_refs(parent)?;
            fs::create_dir(folder).or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
        }
        Some(_) | None => Err(missing),
    }
}

fn link(ours: &Path, lock: &Path) -> io::Result<()> {
    let folder = lock.parent().unwrap_or(Path::new("/"));
    for _ in 0..FOLDERS_MAX {
        make_below_refs(folder)?;
        match fs::hard_link(ours, lock) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
    }
    Err(io::Error::from(io::ErrorKind::NotFound))
}

/// Removes the lock if it is one of ours and its owner is dead. Who sees it meanwhile tries again later anyway.
fn free_if_dead(folder: &Path, lock: &Path) {
    let Ok(file) = File::open(lock) else { return };
    let Ok(facts) = file.metadata() else { return };
    let Ok(names) = fs::read_dir(folder) else { return };
    let ours = names.flatten().find(|entry| {
        entry.file_name().to_string_lossy().starts_with(OURS)
            && entry.metadata().is_ok_and(|other| (other.dev(), other.ino()) == (facts.dev(), facts.ino()))
    });
    let Some(ours) = ours else { return };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return,
    }
    // Holding the dead owner's inode: nobody else may remove it, and if the name has passed to another inode, we leave it.
    if fs::metadata(lock).is_ok_and(|now| (now.dev(), now.ino()) == (facts.dev(), facts.ino())) {
        tracing::warn!(lock = %lock.display(), "the lock of a controller that was killed is removed");
        remove(lock);
        remove(&ours.path());
    }
}
