//! Making the status branch (rule 3): only this makes its root commit.

use super::person;
use crate::commit::{Draft, Edit, Group};
use crate::mirror::{Head, Mirror};
use crate::names::RefName;
use crate::push::Pushed;
use crate::signing::SigningKey;
use drydock_model::ids::Epoch;
use drydock_model::time::Timestamp;
use drydock_spec::wire::root::{self, Root};
use drydock_spec::wire::{ROOT_FILE, message};
use git2::Oid;

/// The nonce of an epoch that nobody claimed: a person said that every claim shall be above it.
pub(super) const ADOPTED: &str = "adopted";

/// Why the branch was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InitError {
    /// It is there already.
    #[error("the branch {0} is there already; nothing was done")]
    Exists(String),
    /// There is nothing to adopt.
    #[error("there is no branch {0}; make it without --adopt")]
    Absent(String),
    /// The remote cannot be reached, or refuses.
    #[error("{0}")]
    Remote(String),
    /// The local copy failed.
    #[error("the local copy failed: {0}")]
    Local(String),
}

/// Makes the branch. `number` is the highest epoch that any node remembers, 0 for a new fleet: every claim is above it.
pub fn init(mirror: &mut Mirror, branch: &RefName, name: &str, key: &SigningKey, now: Timestamp, number: u32) -> Result<Oid, InitError> {
    let heads = mirror.fetch(std::slice::from_ref(branch)).map_err(|e| InitError::Remote(e.to_string()))?;
    if let Head::At(_) = heads.of(branch) {
        return Err(InitError::Exists(branch.full().to_owned()));
    }
    let root = above(Root::begun(name, now), number)?;
    write(mirror, branch, name, key, now, None, &root)
}

/// Claims above `number`, the highest epoch that any node remembers, on a branch that lost it (rule 3).
pub fn adopt(mirror: &mut Mirror, branch: &RefName, name: &str, key: &SigningKey, now: Timestamp, number: u32) -> Result<Oid, InitError> {
    let heads = mirror.fetch(std::slice::from_ref(branch)).map_err(|e| InitError::Remote(e.to_string()))?;
    let Head::At(head) = heads.of(branch) else { return Err(InitError::Absent(branch.full().to_owned())) };
    let bytes = mirror.read(head, ROOT_FILE, root::MOST_BYTES).map_err(|e| InitError::Local(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| InitError::Local(format!("{ROOT_FILE} is not UTF-8")))?;
    let root = Root::decode(&text).map_err(|e| InitError::Local(e.to_string()))?;
    let number = number.max(root.epoch.as_ref().map_or(0, |e| e.number));
    let root = above(Root { name: name.to_owned(), ..root }, number)?;
    write(mirror, branch, name, key, now, Some(head), &root)
}

fn above(root: Root, number: u32) -> Result<Root, InitError> {
    if number == 0 {
        return Ok(root);
    }
    let nonce = ADOPTED.parse().map_err(|_| InitError::Local("the nonce is no nonce".to_owned()))?;
    Ok(Root { epoch: Some(Epoch { number, nonce }), ..root })
}

fn write(
    mirror: &mut Mirror,
    branch: &RefName,
    name: &str,
    key: &SigningKey,
    now: Timestamp,
    on: Option<Oid>,
    root: &Root,
) -> Result<Oid, InitError> {
    let who = person(name, now);
    let edits = vec![Edit::Put { path: ROOT_FILE.to_owned(), bytes: root.encode().into_bytes() }];
    let draft = Draft { edits, message: message::root_message(name), author: who.clone(), committer: who };
    let broken = |e: String| InitError::Local(e);
    let mut group = Group::begin(mirror, on).map_err(|e| broken(e.to_string()))?;
    let commit = group.add(&draft, key).map_err(|e| broken(e.to_string()))?;
    group.store(mirror).map_err(|e| broken(e.to_string()))?;
    match mirror.push(branch, on, commit) {
        Pushed::Landed => Ok(commit),
        Pushed::Rejected { why, .. } => Err(InitError::Remote(why.to_string())),
        Pushed::NotSent(trouble) | Pushed::Unknown(trouble) => Err(InitError::Remote(trouble.to_string())),
    }
}
