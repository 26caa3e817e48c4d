//! Keeping the number of packs small. Every fetch, every group and every push to a path makes one pack; libgit2 never gathers them,
//! and each look-up goes through all of them. When there are more than git itself would bear, the small ones become one.
//!
//! Nothing is lost at any moment: the new pack is on the disk, and read back, before an old one goes; objects that nothing refers to
//! (yet) are kept like all others. Real git working on the same repository does the same in the same order.

use crate::pack;
use crate::trouble::Trouble;
use git2::{Odb, Oid, Repository};
use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// As git's own `gc.autoPackLimit`.
const PACKS_MAX: usize = 50;
/// Larger packs are left alone, so that what is gathered each time stays a fraction of a second of work.
const SMALL: u64 = 4 * 1024 * 1024;

/// Gathers the small packs of an object store, if there are too many. True if it did.
pub(crate) fn tidy(objects: &Path) -> Result<bool, Trouble> {
    let folder = objects.join("pack");
    if small_packs(&folder)?.len() <= PACKS_MAX {
        return Ok(false);
    }
    let place = objects.join("drydock-tidy.lock");
    let sort = |source| Trouble::from_io("tidy", objects, source);
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&place).map_err(sort)?;
    match lock.try_lock() {
        Ok(()) => {}
        // Somebody else is at it.
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(source)) => return Err(sort(source)),
    }
    let old = small_packs(&folder)?;
    if old.len() <= PACKS_MAX {
        return Ok(false);
    }
    let mut ids = BTreeSet::new();
    for path in &old {
        ids.extend(indexed(&path.with_extension("idx")).map_err(|source| Trouble::from_io("read", path, source))?);
    }
    let name = gather(objects, &ids)?;
    let new = folder.join(format!("pack-{name}.pack"));
    let there: BTreeSet<Oid> =
        indexed(&new.with_extension("idx")).map_err(|source| Trouble::from_io("read", &new, source))?.into_iter().collect();
    if there != ids {
        return Err(Trouble::Corrupt { detail: "a gathered pack does not hold what it was made of; the old ones stay".into() });
    }
    for path in old.iter().filter(|path| **path != new) {
        // The index first: without it nobody looks for the pack.
        for extension in ["idx", "rev", "pack"] {
            let path = path.with_extension(extension);
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(Trouble::from_io("remove", &path, error)),
            }
        }
    }
    Ok(true)
}

fn gather(objects: &Path, ids: &BTreeSet<Oid>) -> Result<String, Trouble> {
    let git = |error: git2::Error| Trouble::from_git(&objects.display().to_string(), None, error);
    let odb = Odb::new().map_err(git)?;
    odb.add_disk_alternate(&objects.to_string_lossy()).map_err(git)?;
    let all = Repository::from_odb(odb).map_err(git)?;
    let bytes = pack::encode(&all, ids.iter().map(|id| (*id, String::new()))).map_err(git)?;
    pack::store(objects, &bytes)
}

/// Packs below the size, without those that somebody marked (kept, promised, cruft, or with a bitmap).
fn small_packs(folder: &Path) -> Result<Vec<PathBuf>, Trouble> {
    let sort = |source| Trouble::from_io("read", folder, source);
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(sort(error)),
    };
    for entry in entries {
        let path = entry.map_err(sort)?.path();
        let marked = || ["keep", "promisor", "mtimes", "bitmap"].iter().any(|mark| path.with_extension(mark).exists());
        if path.extension().is_some_and(|extension| extension == "pack")
            && path.with_extension("idx").exists()
            && fs::metadata(&path).is_ok_and(|facts| facts.len() < SMALL)
            && !marked()
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The ids in a pack's index (version 2: magic, version, 256 counts, then the ids in order).
fn indexed(path: &Path) -> std::io::Result<Vec<Oid>> {
    use std::io::{Error, Read};
    let odd = || Error::other("not a pack index of version 2");
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    if !bytes.starts_with(b"\xfftOc\0\0\0\x02") {
        return Err(odd());
    }
    let count = bytes.get(8 + 255 * 4..8 + 256 * 4).and_then(|last| last.try_into().ok()).map(u32::from_be_bytes).ok_or_else(odd)?;
    let ids = bytes.get(8 + 256 * 4..).and_then(|rest| rest.get(..usize::try_from(count).ok()? * 20)).ok_or_else(odd)?;
    ids.chunks_exact(20).map(|id| Oid::from_bytes(id).map_err(|_| odd())).collect()
}
