//! Packs: which objects are new between commits (found by looking only into folders that differ), one pack of exactly those, and
//! putting it into an object store so that it survives a power cut.

use crate::reading::{FOLDER, Kind, kind_of};
use crate::trouble::Trouble;
use git2::{Indexer, Oid, Repository, Sort};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Commits in one push. A controller that was cut off for a month has thousands to send, not millions.
const COMMITS_MAX: usize = 200_000;

/// An object and the path where it was met: what was at the same path is packed as a difference.
pub(crate) type Named = (Oid, String);

/// Every object that `tip` needs and the commits of `have` do not bring, parents before children.
pub(crate) fn new_objects(git: &Repository, tip: Oid, have: &[Oid]) -> Result<Vec<Named>, git2::Error> {
    let mut walk = git.revwalk()?;
    walk.push(tip)?;
    for oid in have {
        walk.hide(*oid)?;
    }
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
    let mut found = Found::default();
    for (number, id) in walk.enumerate() {
        if number >= COMMITS_MAX {
            return Err(git2::Error::from_str("more commits than one push may hold"));
        }
        let id = id?;
        let commit = git.find_commit(id)?;
        let parents = commit.parents().map(|parent| parent.tree_id()).collect::<Vec<_>>();
        found.tree(git, "", commit.tree_id(), parents.first().copied())?;
        found.add(id, "");
    }
    Ok(found.order)
}

/// Copies what `tip` needs and `to` does not have, commit by commit until one that `to` knows.
pub(crate) fn copy_missing(from: &Repository, to: &Repository, tip: Oid) -> Result<(), git2::Error> {
    let (source, target) = (from.odb()?, to.odb()?);
    let mut walk = from.revwalk()?;
    walk.push(tip)?;
    let known = |id: Oid| target.exists(id);
    let mut found = Found::default();
    let mut open = vec![tip];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if known(id) || !seen.insert(id) {
            continue;
        }
        if seen.len() > COMMITS_MAX {
            return Err(git2::Error::from_str("more commits than one push may hold"));
        }
        let commit = from.find_commit(id)?;
        let parent = commit.parents().next();
        found.tree(from, "", commit.tree_id(), parent.map(|parent| parent.tree_id()))?;
        found.add(id, "");
        open.extend(commit.parent_ids());
    }
    for (id, _) in found.order {
        if !target.exists(id) {
            let object = source.read(id)?;
            target.write(object.kind(), object.data())?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct Found {
    order: Vec<Named>,
    known: BTreeSet<Oid>,
}

impl Found {
    fn add(&mut self, id: Oid, path: &str) {
        if self.known.insert(id) {
            self.order.push((id, path.to_owned()));
        }
    }

    /// What this tree holds and the other one does not, going only where they differ.
    fn tree(&mut self, git: &Repository, path: &str, new: Oid, old: Option<Oid>) -> Result<(), git2::Error> {
        if old == Some(new) || self.known.contains(&new) {
            return Ok(());
        }
        let before: BTreeMap<Vec<u8>, Oid> = match old {
            Some(old) => git.find_tree(old)?.iter().map(|entry| (entry.name_bytes().to_vec(), entry.id())).collect(),
            None => BTreeMap::new(),
        };
        for entry in &git.find_tree(new)? {
            let was = before.get(entry.name_bytes()).copied();
            if was == Some(entry.id()) {
                continue;
            }
            let inside = format!("{path}/{}", String::from_utf8_lossy(entry.name_bytes()));
            match kind_of(entry.filemode_raw()) {
                Kind::Folder => {
                    let was = was.filter(|id| git.find_tree(*id).is_ok());
                    self.tree(git, &inside, entry.id(), was)?;
                }
                Kind::File | Kind::Symlink | Kind::Unnameable => self.add(entry.id(), &inside),
                // The commit it names is in another repository.
                Kind::Submodule => {}
            }
        }
        self.add(new, path);
        Ok(())
    }
}

/// The folder and file ids on the way to a path in a tree, as far as they exist.
pub(crate) fn ids_to(git: &Repository, root: Oid, path: &str, found: &mut BTreeMap<Oid, String>) -> Result<(), git2::Error> {
    let mut here = (root, FOLDER);
    let mut walked = String::new();
    found.insert(root, walked.clone());
    for part in path.split('/') {
        if kind_of(here.1) != Kind::Folder {
            return Ok(());
        }
        let tree = git.find_tree(here.0)?;
        let Some(entry) = tree.get_name(part) else { return Ok(()) };
        here = (entry.id(), entry.filemode_raw());
        walked = format!("{walked}/{part}");
        found.insert(here.0, walked.clone());
    }
    Ok(())
}

/// One pack of exactly these objects. (libgit2's own in-memory store would pack whole trees again for each group.)
pub(crate) fn encode(git: &Repository, objects: impl IntoIterator<Item = Named>) -> Result<Vec<u8>, git2::Error> {
    let mut builder = git.packbuilder()?;
    // Packs are small, and threads would make their bytes differ from run to run.
    builder.set_threads(1);
    for (id, path) in objects {
        builder.insert_object(id, Some(&path).filter(|path| !path.is_empty()).map(String::as_str))?;
    }
    let mut bytes = git2::Buf::new();
    builder.write_buf(&mut bytes)?;
    Ok(bytes.to_vec())
}

/// Puts a pack with its index into an object store (`…/objects`) and returns once both are on the disk. It appears whole or not at all.
pub(crate) fn store(objects: &Path, bytes: &[u8]) -> Result<String, Trouble> {
    let name = put(objects, bytes)?;
    flush(objects, &name)?;
    Ok(name)
}

/// The same, but a power cut (not a kill) may still take it.
pub(crate) fn put(objects: &Path, bytes: &[u8]) -> Result<String, Trouble> {
    let folder = objects.join("pack");
    let sort = |source: io::Error| Trouble::from_io("write to", &folder, source);
    // Only this folder: a repository that is gone, as behind a mount that was lost, is not begun anew in its place.
    match std::fs::create_dir(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(sort(error)),
        Ok(()) | Err(_) => {}
    }
    let git = |error: git2::Error| Trouble::from_git(&folder.display().to_string(), None, error);
    let mut indexer = Indexer::new(None, &folder, 0o444, false).map_err(git)?;
    indexer.write_all(bytes).map_err(|source| match source.into_inner().map(|inner| inner.downcast::<git2::Error>()) {
        Some(Ok(error)) => git(*error),
        Some(Err(other)) => sort(io::Error::other(other)),
        None => sort(io::Error::other("the pack could not be written")),
    })?;
    indexer.commit().map_err(git)
}

/// Returns once a pack and its index are on the disk. Where another writer gathered it into a larger one meanwhile, that one was flushed before this one went.
pub(crate) fn flush(objects: &Path, name: &str) -> Result<(), Trouble> {
    let folder = objects.join("pack");
    for extension in ["pack", "idx"] {
        let path = folder.join(format!("pack-{name}.{extension}"));
        match File::open(&path).and_then(|file| file.sync_all()) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => return Err(Trouble::from_io("flush", &path, source)),
            Ok(()) | Err(_) => {}
        }
    }
    sync_folder(&folder).map_err(|source| Trouble::from_io("flush", &folder, source))
}

/// Names in a folder are on the disk only when the folder is.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_that_another_writer_gathers_before_it_is_flushed_is_no_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let git = Repository::init_bare(folder.path()).expect("a repository");
        let blob = git.blob(b"x").expect("written");
        let bytes = encode(&git, [(blob, String::new())]).expect("packed");
        let objects = folder.path().join("objects");
        let name = put(&objects, &bytes).expect("put");
        // As `tidy` does, once its own pack is flushed.
        for extension in ["idx", "pack"] {
            std::fs::remove_file(objects.join("pack").join(format!("pack-{name}.{extension}"))).expect("there");
            flush(&objects, &name).expect("nothing is left to flush");
        }
        assert!(flush(&folder.path().join("nowhere"), &name).is_err(), "a repository that is gone is told");
    }
}
