//! Reading commits and files out of the mirror. Costs follow what changed, not what is there; everything read has a limit.

use crate::commit::Stamp;
use crate::mirror::Mirror;
use crate::names::{BadPath, check_path};
use git2::{ErrorCode, ObjectType, Oid, Sort, Tree};
use std::collections::BTreeMap;

/// Why something could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The mirror has no such commit: it was never on the remote, or the remote's history was rewritten.
    #[error("commit {0} is not in the mirror")]
    NoSuchCommit(Oid),
    /// The commit has no such file.
    #[error("there is no {0} in that commit")]
    NoSuchPath(String),
    /// A link where a file or folder should be. Links are never followed: they could lead anywhere.
    #[error("{0} is a symbolic link; put the file or folder itself there")]
    Symlink(String),
    /// Another repository where a file or folder should be.
    #[error("{0} is a submodule; put the file or folder itself there")]
    Submodule(String),
    /// A folder where a file should be.
    #[error("{0} is a folder, a file is expected")]
    Folder(String),
    /// A file where a folder should be.
    #[error("{0} is a file, a folder is expected")]
    NotAFolder(String),
    /// More than is read.
    #[error("{path} has {size} bytes, {limit} at most are read")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// More changes than one look can take.
    #[error("more than {0} files or folders changed at once")]
    TooManyChanges(usize),
    /// Folders in folders beyond reason.
    #[error("{0} lies deeper than 64 folders")]
    TooDeep(String),
    /// The path cannot be one.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// The mirror is damaged; the next fetch makes it again.
    #[error("the local mirror is damaged ({0}); the next fetch makes it again")]
    Corrupt(String),
}

/// One file that differs between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: String,
    /// How.
    pub what: ChangeKind,
    /// What is there now; for a deleted one, what was there.
    pub kind: Kind,
}

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It has other content, or another kind.
    Modified,
    /// It is gone.
    Deleted,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A symbolic link.
    Symlink,
    /// A commit of another repository.
    Submodule,
    /// A folder.
    Folder,
    /// Its name is not UTF-8; the path shows replacement characters.
    Unnameable,
}

/// What a commit says beside its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitFacts {
    /// Its id.
    pub id: Oid,
    /// The commits before it; none for a root.
    pub parents: Vec<Oid>,
    /// Its tree.
    pub tree: Oid,
    /// Who wrote it, and when by their own clock.
    pub author: Stamp,
    /// Who committed it.
    pub committer: Stamp,
    /// The whole message.
    pub message: String,
}

/// Commits, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// Their ids.
    pub commits: Vec<Oid>,
    /// Whether the limit ended it.
    pub more: bool,
}

/// A fleet of 10,000 clusters has some 20,000 files; a merge that touches ten times that is a mistake.
const CHANGES_MAX: usize = 200_000;
/// Folders in folders: far more than people make, far less than the stack.
const DEPTH_MAX: usize = 64;
/// A commit without its tree is a message with trailers. One that is not read keeps everybody from looking past it, so the bound is above what servers take.
const COMMIT_MAX: usize = 128 << 20;
/// What anybody reads of its message.
const MESSAGE_MAX: usize = 1 << 20;
/// A folder of 200,000 files with long names.
const TREE_MAX: usize = 32 << 20;
/// Commits looked at to tell a rewritten history from a damaged mirror.
const SEARCH_MAX: usize = 1_000_000;

type Entries = BTreeMap<Vec<u8>, (Oid, i32)>;

impl Mirror {
    /// The files under a folder (`clusters`, or empty for all) that differ between two commits; all of them if there is no old one.
    /// Only folders that differ are read.
    pub fn changed(&self, old: Option<Oid>, new: Oid, under: &str) -> Result<Vec<Change>, Unreadable> {
        let mut found = Vec::new();
        let under = under.trim_end_matches('/');
        let before = old.map(|old| self.at(old, under)).transpose()?.flatten();
        let after = self.at(new, under)?;
        self.compare(under, before, after, 0, &mut 0, &mut found)?;
        Ok(found)
    }

    /// The content of one file. Never follows a link; never reads more than the limit.
    pub fn read(&self, commit: Oid, path: &str, limit: usize) -> Result<Vec<u8>, Unreadable> {
        check_path(path)?;
        let (id, mode) = self.at(commit, path)?.ok_or_else(|| Unreadable::NoSuchPath(path.to_owned()))?;
        match kind_of(mode) {
            Kind::File => {}
            Kind::Symlink => return Err(Unreadable::Symlink(path.to_owned())),
            Kind::Submodule => return Err(Unreadable::Submodule(path.to_owned())),
            Kind::Folder | Kind::Unnameable => return Err(Unreadable::Folder(path.to_owned())),
        }
        let odb = self.git.odb().map_err(|error| self.broken(&error))?;
        let (size, _) = odb.read_header(id).map_err(|error| self.broken(&error))?;
        if size > limit {
            return Err(Unreadable::TooLarge { path: path.to_owned(), size, limit });
        }
        let object = odb.read(id).map_err(|error| self.broken(&error))?;
        Ok(object.data().to_vec())
    }

    /// The id of what is at a path (file or folder): equal ids are equal content, however deep.
    pub fn identity(&self, commit: Oid, path: &str) -> Result<Option<Oid>, Unreadable> {
        Ok(self.at(commit, path)?.map(|(id, _)| id))
    }

    /// Whether `old` is `new` or before it. A commit that the mirror does not have is before nothing in it.
    pub fn is_ancestor(&self, old: Oid, new: Oid) -> Result<bool, Unreadable> {
        if old == new {
            return Ok(true);
        }
        self.commit_header(new)?;
        if self.commit_header(old).is_err() {
            // Either history was rewritten, or our copy has a hole: only a whole walk tells.
            let mut walk = self.git.revwalk().map_err(|error| self.broken(&error))?;
            walk.push(new).map_err(|error| self.broken(&error))?;
            for step in walk.take(SEARCH_MAX) {
                step.map_err(|error| self.broken(&error))?;
            }
            return Ok(false);
        }
        self.git.graph_descendant_of(new, old).map_err(|error| self.broken(&error))
    }

    /// The newest commit that both have, if they have one.
    pub fn merge_base(&self, one: Oid, other: Oid) -> Result<Option<Oid>, Unreadable> {
        self.commit_header(one)?;
        self.commit_header(other)?;
        match self.git.merge_base(one, other) {
            Ok(base) => Ok(Some(base)),
            Err(error) if error.code() == ErrorCode::NotFound && error.class() == git2::ErrorClass::Merge => Ok(None),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Commits from `from` backwards, newest first, without `until` and what is before it.
    pub fn walk(&self, from: Oid, until: Option<Oid>, limit: usize) -> Result<Walk, Unreadable> {
        self.commit_header(from)?;
        let broken = |error| self.broken(&error);
        let mut walk = self.git.revwalk().map_err(broken)?;
        walk.push(from).map_err(broken)?;
        if let Some(until) = until {
            self.commit_header(until)?;
            walk.hide(until).map_err(broken)?;
            // Several commits share a second: only the topological order is the order of the log.
            walk.set_sorting(Sort::TOPOLOGICAL).map_err(broken)?;
        }
        let mut commits = Vec::new();
        for step in walk {
            if commits.len() == limit {
                return Ok(Walk { commits, more: true });
            }
            commits.push(step.map_err(broken)?);
        }
        Ok(Walk { commits, more: false })
    }

    /// What a commit says beside its files; of its message at most a mebibyte.
    pub fn commit(&self, id: Oid) -> Result<CommitFacts, Unreadable> {
        self.commit_header(id)?;
        let commit = self.git.find_commit(id).map_err(|error| self.broken(&error))?;
        let message = commit.message_bytes();
        Ok(CommitFacts {
            id,
            parents: commit.parent_ids().collect(),
            tree: commit.tree_id(),
            author: Stamp::of(&commit.author()),
            committer: Stamp::of(&commit.committer()),
            message: String::from_utf8_lossy(&message[..message.len().min(MESSAGE_MAX)]).into_owned(),
        })
    }

    /// That there is such a commit, of bearable size.
    pub(crate) fn commit_header(&self, id: Oid) -> Result<(), Unreadable> {
        let odb = self.git.odb().map_err(|error| self.broken(&error))?;
        match odb.read_header(id) {
            Ok((size, ObjectType::Commit)) if size <= COMMIT_MAX => Ok(()),
            Ok((size, ObjectType::Commit)) => Err(Unreadable::TooLarge { path: id.to_string(), size, limit: COMMIT_MAX }),
            Ok(_) => Err(Unreadable::NoSuchCommit(id)),
            Err(error) if error.code() == ErrorCode::NotFound => Err(Unreadable::NoSuchCommit(id)),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// What a path leads to in a commit. An empty path is the root.
    fn at(&self, commit: Oid, path: &str) -> Result<Option<(Oid, i32)>, Unreadable> {
        self.commit_header(commit)?;
        let root = self.git.find_commit(commit).map_err(|error| self.broken(&error))?.tree_id();
        let mut here = (root, FOLDER);
        let mut walked = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            match kind_of(here.1) {
                Kind::Folder => {}
                Kind::Symlink => return Err(Unreadable::Symlink(walked)),
                Kind::Submodule => return Err(Unreadable::Submodule(walked)),
                Kind::File | Kind::Unnameable => return Ok(None),
            }
            let tree = self.tree(here.0)?;
            let Some(entry) = tree.get_name(part) else { return Ok(None) };
            here = (entry.id(), entry.filemode_raw());
            if !walked.is_empty() {
                walked.push('/');
            }
            walked.push_str(part);
        }
        Ok(Some(here))
    }

    fn compare(
        &self,
        path: &str,
        old: Option<(Oid, i32)>,
        new: Option<(Oid, i32)>,
        depth: usize,
        folders: &mut usize,
        found: &mut Vec<Change>,
    ) -> Result<(), Unreadable> {
        if old == new {
            return Ok(());
        }
        if depth > DEPTH_MAX {
            return Err(Unreadable::TooDeep(path.to_owned()));
        }
        let folder = |side: Option<(Oid, i32)>| side.filter(|(_, mode)| kind_of(*mode) == Kind::Folder).map(|(id, _)| id);
        let leaf = |side: Option<(Oid, i32)>| side.map(|(_, mode)| kind_of(mode)).filter(|kind| *kind != Kind::Folder);
        match (leaf(old), leaf(new)) {
            (None, None) => {}
            (None, Some(kind)) => found.push(Change { path: path.to_owned(), what: ChangeKind::Added, kind }),
            (Some(kind), None) => found.push(Change { path: path.to_owned(), what: ChangeKind::Deleted, kind }),
            (Some(_), Some(kind)) => found.push(Change { path: path.to_owned(), what: ChangeKind::Modified, kind }),
        }
        if found.len() > CHANGES_MAX {
            return Err(Unreadable::TooManyChanges(CHANGES_MAX));
        }
        // The same few folders inside each other hold no file and are no end of work.
        *folders += 1;
        if *folders > CHANGES_MAX {
            return Err(Unreadable::TooManyChanges(CHANGES_MAX));
        }
        let (before, after) = (self.entries(folder(old))?, self.entries(folder(new))?);
        for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
            let (was, is) = (before.get(name).copied(), after.get(name).copied());
            if was == is {
                continue;
            }
            let Ok(plain) = std::str::from_utf8(name) else {
                let what = match (was, is) {
                    (None, _) => ChangeKind::Added,
                    (Some(_), None) => ChangeKind::Deleted,
                    (Some(_), Some(_)) => ChangeKind::Modified,
                };
                found.push(Change { path: join(path, &String::from_utf8_lossy(name)), what, kind: Kind::Unnameable });
                continue;
            };
            self.compare(&join(path, plain), was, is, depth + 1, folders, found)?;
        }
        Ok(())
    }

    fn entries(&self, folder: Option<Oid>) -> Result<Entries, Unreadable> {
        let Some(id) = folder else { return Ok(Entries::new()) };
        Ok(self.tree(id)?.iter().map(|entry| (entry.name_bytes().to_vec(), (entry.id(), entry.filemode_raw()))).collect())
    }

    fn tree(&self, id: Oid) -> Result<Tree<'_>, Unreadable> {
        let odb = self.git.odb().map_err(|error| self.broken(&error))?;
        if let Ok((size, _)) = odb.read_header(id)
            && size > TREE_MAX
        {
            return Err(Unreadable::TooLarge { path: id.to_string(), size, limit: TREE_MAX });
        }
        self.git.find_tree(id).map_err(|error| self.broken(&error))
    }

    /// An object that must be there is not, or is not what its name says: the next fetch starts over.
    pub(crate) fn broken(&self, error: &git2::Error) -> Unreadable {
        let detail = error.message().to_owned();
        *self.suspect.borrow_mut() = Some(detail.clone());
        Unreadable::Corrupt(detail)
    }
}

pub(crate) const FOLDER: i32 = 0o040_000;

/// What a tree entry's mode says.
pub(crate) fn kind_of(mode: i32) -> Kind {
    match mode & 0o170_000 {
        0o040_000 => Kind::Folder,
        0o120_000 => Kind::Symlink,
        0o160_000 => Kind::Submodule,
        _ => Kind::File,
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
