//! What is done about a damaged mirror: found cheaply when it is opened, moved aside (one is kept), made again, and the outboxes
//! carried over as far as they can be read.

use crate::mirror::Healed;
use crate::names::OUTBOX;
use crate::pack;
use crate::trouble::Trouble;
use git2::{ErrorCode, Oid, Repository};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The mirror's folder in the state folder.
pub(crate) const MIRROR: &str = "mirror.git";
/// The last damaged one, for a person who wants to look.
const DAMAGED: &str = "mirror.damaged";
/// In a damaged mirror: why it was set aside; there until its outboxes have been carried over.
const REASON: &str = "drydock-damage";
/// References are few and shallow; a deeper folder is not ours.
const DEPTH_MAX: u32 = 16;

/// Claims the state folder for this process; the system lets go of it when the process ends, however it ends.
pub(crate) fn take(folder: &Path) -> Result<File, Trouble> {
    let place = folder.join("mirror.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&place)
        .map_err(|source| Trouble::from_io("write to", folder, source))?;
    // A process that is just being started holds a copy of every open file for a moment, this one too if another thread of ours began it.
    let mut locked = file.try_lock();
    for _ in 0..50 {
        if !matches!(locked, Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(10));
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Trouble::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(Trouble::from_io("lock", &place, source)),
    }
}

/// Opens the mirror if it is there and looks whole; the inner error says what is wrong with it.
pub(crate) fn open_sound(place: &Path) -> Result<Result<Repository, String>, Trouble> {
    if !place.exists() {
        return Ok(Err("there is none".into()));
    }
    sweep(place, 0)?;
    let git = match Repository::open_bare(place) {
        Ok(git) => git,
        // Whose files they are is for a person to settle; a new mirror would not be ours either.
        Err(error) if error.code() == ErrorCode::Owner => return Err(Trouble::not_ours(place)),
        Err(error) => return Ok(Err(error.message().to_owned())),
    };
    Ok(sound(&git).map(|()| git))
}

/// Removes the locks and half-written files of a process that was killed: we hold the folder, so nobody else is writing.
fn sweep(folder: &Path, depth: u32) -> Result<(), Trouble> {
    let sort = |source| Trouble::from_io("read", folder, source);
    for entry in fs::read_dir(folder).map_err(sort)? {
        let entry = entry.map_err(sort)?;
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        if entry.file_type().map_err(sort)?.is_dir() {
            // Loose objects are complete or absent: their folders (two digits) need no look.
            if depth < DEPTH_MAX && name.len() != 2 {
                sweep(&path, depth + 1)?;
            }
        } else if name.ends_with(".lock") || name.starts_with("tmp_pack_") || name.starts_with("pack_git2_") {
            fs::remove_file(&path).map_err(|source| Trouble::from_io("remove", &path, source))?;
        }
    }
    Ok(())
}

/// Cheap enough for every start: HEAD, each reference's commit and tree, each pack's ends. The rest is found when it is read,
/// because libgit2 checks every object's hash.
fn sound(git: &Repository) -> Result<(), String> {
    match git.head() {
        Ok(_) => {}
        Err(error) if matches!(error.code(), ErrorCode::UnbornBranch | ErrorCode::NotFound) => {}
        Err(error) => return Err(format!("HEAD: {}", error.message())),
    }
    packs(&git.path().join("objects/pack"))?;
    // Read as files: libgit2's own listing passes over a reference that it cannot read.
    for (name, tip) in references(git.path(), "refs/") {
        let tip = tip.ok_or_else(|| format!("{name} is garbage"))?;
        let whole = git.find_commit(tip).and_then(|commit| commit.tree());
        whole.map_err(|error| format!("{name}: {}", error.message()))?;
    }
    Ok(())
}

/// A pack ends with its own checksum, and its index repeats it: a truncated or exchanged pack is seen without reading it whole.
fn packs(folder: &Path) -> Result<(), String> {
    let Ok(entries) = fs::read_dir(folder) else { return Err("objects/pack is missing".into()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.extension().is_some_and(|extension| extension == "pack") {
            let broken = |what: &str| format!("{}: {what}", path.file_name().unwrap_or_default().to_string_lossy());
            let of_pack = ending(&path, 20).map_err(|_| broken("truncated"))?;
            let of_index = ending(&path.with_extension("idx"), 40).map_err(|_| broken("has no whole index"))?;
            if of_pack != of_index[..20] {
                return Err(broken("is not what its index was made for"));
            }
        }
    }
    Ok(())
}

fn ending(path: &Path, length: usize) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-i64::try_from(length).unwrap_or(i64::MAX)))?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Moves the mirror out of the way. Only the last damaged one is kept: each may be as large as the repository.
pub(crate) fn set_aside(folder: &Path, why: &str) -> Result<(), Trouble> {
    let (from, to) = (folder.join(MIRROR), folder.join(DAMAGED));
    if to.join(REASON).exists() {
        // Its outboxes have not been carried over, and what was to take its place never held any.
        return fs::remove_dir_all(&from).map_err(|source| Trouble::from_io("remove", &from, source));
    }
    if to.exists() {
        fs::remove_dir_all(&to).map_err(|source| Trouble::from_io("remove", &to, source))?;
    }
    // Written first: if we die in between, the reason is in the mirror and harmless.
    fs::write(from.join(REASON), why).map_err(|source| Trouble::from_io("write to", &from, source))?;
    fs::rename(&from, &to).map_err(|source| Trouble::from_io("move aside", &from, source))
}

/// Takes the damaged mirror back into use, because no better one could be made.
pub(crate) fn put_back(folder: &Path) -> Result<Repository, Trouble> {
    let (from, to) = (folder.join(DAMAGED), folder.join(MIRROR));
    if to.exists() {
        fs::remove_dir_all(&to).map_err(|source| Trouble::from_io("remove", &to, source))?;
    }
    fs::rename(&from, &to).map_err(|source| Trouble::from_io("move back", &from, source))?;
    Repository::open_bare(&to).map_err(|error| Trouble::from_git(&to.display().to_string(), None, error))
}

/// Carries the outboxes of a mirror that was set aside into the new one; `None` if there is nothing to carry.
pub(crate) fn rescue(folder: &Path, git: &Repository) -> Result<Option<Healed>, Trouble> {
    let aside = folder.join(DAMAGED);
    let reason = aside.join(REASON);
    let Ok(why) = fs::read_to_string(&reason) else { return Ok(None) };
    let mut lost = Vec::new();
    for (name, tip) in references(&aside, OUTBOX) {
        let Some(tip) = tip else {
            lost.push(name);
            continue;
        };
        // The damaged mirror's HEAD may be what is wrong with it, so only its objects are used.
        let carried = git2::Odb::new().and_then(|odb| {
            odb.add_disk_alternate(&aside.join("objects").to_string_lossy())?;
            let old = Repository::from_odb(odb)?;
            pack::copy_missing(&old, git, tip)?;
            git.reference(&name, tip, true, "rescue").map(|_| ())
        });
        if let Err(error) = carried {
            tracing::error!(outbox = %name, commit = %tip, why = error.message(), "what was not confirmed yet could not be read from the damaged mirror");
            lost.push(name);
        }
    }
    fs::remove_file(&reason).map_err(|source| Trouble::from_io("remove", &reason, source))?;
    Ok(Some(Healed { why, aside, lost }))
}

/// The references under a prefix, read as the plain files they are (a mirror has no packed ones): libgit2 may refuse to open the
/// repository they are in. `None`: a file that names no commit.
fn references(place: &Path, prefix: &str) -> Vec<(String, Option<Oid>)> {
    let mut found = Vec::new();
    let mut folders: Vec<(PathBuf, String)> = vec![(place.join(prefix), prefix.to_owned())];
    while let Some((folder, name)) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let full = format!("{name}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push((entry.path(), format!("{full}/")));
            } else {
                let tip = fs::read_to_string(entry.path()).ok().and_then(|text| Oid::from_str(text.trim()).ok());
                found.push((full, tip));
            }
        }
    }
    found.sort();
    found
}
