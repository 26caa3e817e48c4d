//! Making the status branch (rule 3): only this makes its root commit.

use super::keeper::Keeper;
use super::{Home, person};
use crate::commit::{Draft, Edit, Group, Unwritable};
use crate::mirror::{Head, Mirror};
use crate::names::RefName;
use crate::push::{Pushed, Refusal};
use crate::signing::SigningKey;
use crate::trouble::{Trouble, chain};
use drydock_engine::ports::ClaimError;
use drydock_model::ids::Epoch;
use drydock_model::time::Timestamp;
use drydock_spec::wire::root::Root;
use drydock_spec::wire::{ROOT_FILE, message};
use git2::Oid;
use std::sync::Arc;

/// The nonce of an epoch that nobody claimed: a person said that every claim shall be above it.
pub(super) const ADOPTED: &str = "adopted";

/// How far above the last claim a person may set the next one: numbers end, and nothing takes one back. So many claims nobody makes, one an hour for a century.
const HIGHEST_JUMP: u32 = 1_000_000;

/// Why the branch was not made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// It is there already.
    #[error("the branch {0} is there already; nothing was done")]
    Exists(String),
    /// There is nothing to adopt.
    #[error("there is no branch {0}; make it without --adopt")]
    Absent(String),
    /// A number that would use up those that are left.
    #[error(
        "{number} is more than {HIGHEST_JUMP} above claim {last}, the last on the branch, and could not be taken back; nothing was done"
    )]
    TooHigh {
        /// What was given.
        number: u32,
        /// The last claim, 0 where there is none.
        last: u32,
    },
    /// The remote cannot be reached, or lets nobody in; or the local copy of it is in trouble.
    #[error(transparent)]
    Remote(#[from] Trouble),
    /// What is on the branch keeps anybody from claiming it.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The remote took no such commit.
    #[error(transparent)]
    Refused(Refusal),
    /// The commit cannot be made.
    #[error("the commit cannot be made: {0}")]
    Local(String),
}

/// Makes the branch. `number` is the highest epoch that any node remembers, 0 for a new fleet: every claim is above it.
pub fn init(mirror: &mut Mirror, branch: &RefName, name: &str, key: &SigningKey, now: Timestamp, number: u32) -> Result<Oid, InitError> {
    let heads = mirror.fetch(std::slice::from_ref(branch))?;
    if let Head::At(_) = heads.of(branch) {
        return Err(InitError::Exists(branch.full().to_owned()));
    }
    bearable(number, 0)?;
    let root = above(Root::begun(name, now), number)?;
    let edits = vec![Edit::Put { path: ROOT_FILE.to_owned(), bytes: root.encode().into_bytes() }];
    write(mirror, branch, key, None, &draft(name, now, edits, message::root_message(name)))
}

/// Claims above `number`, the highest epoch that any node remembers, on a branch that lost it (rule 3), and tells above which one it is now: the branch may have
/// had a higher one. What is on the branch counts as for any claim: the last one that a known hand signed, words that were said since, and nothing that somebody
/// else wrote.
pub fn adopt(home: Home, now: Timestamp, number: u32) -> Result<(Oid, u32), InitError> {
    let mut keeper = Keeper::new(home, Arc::default())?;
    let heads = keeper.mirror.fetch(std::slice::from_ref(&keeper.branch))?;
    let Head::At(head) = heads.of(&keeper.branch) else { return Err(InitError::Absent(keeper.branch.full().to_owned())) };
    let (root, mut edits) = keeper.adopted(head, number)?;
    let above = root.epoch.as_ref().map_or(number, |epoch| epoch.number);
    let root = Root { name: keeper.name.clone(), ..root };
    edits.insert(0, Edit::Put { path: ROOT_FILE.to_owned(), bytes: root.encode().into_bytes() });
    let Keeper { mut mirror, branch, name, key, .. } = keeper;
    let draft = draft(&name, now, edits, message::adopted_message(&name, above));
    Ok((write(&mut mirror, &branch, &key, Some(head), &draft)?, above))
}

/// The epoch that stands for a person's word that every claim shall be above `number`.
pub(super) fn adopted(number: u32) -> Result<Epoch, String> {
    let nonce = ADOPTED.parse().map_err(|_| "the nonce is no nonce".to_owned())?;
    Ok(Epoch { number, nonce })
}

/// That a number was not mistyped, as far as that can be told.
pub(super) fn bearable(number: u32, last: u32) -> Result<(), InitError> {
    match number.saturating_sub(last) > HIGHEST_JUMP {
        true => Err(InitError::TooHigh { number, last }),
        false => Ok(()),
    }
}

fn above(root: Root, number: u32) -> Result<Root, InitError> {
    if number == 0 {
        return Ok(root);
    }
    Ok(Root { epoch: Some(adopted(number).map_err(InitError::Local)?), ..root })
}

fn draft(name: &str, now: Timestamp, edits: Vec<Edit>, message: String) -> Draft {
    let who = person(name, now);
    Draft { edits, message, author: who.clone(), committer: who }
}

fn write(mirror: &mut Mirror, branch: &RefName, key: &SigningKey, on: Option<Oid>, draft: &Draft) -> Result<Oid, InitError> {
    let broken = |e: Unwritable| InitError::Local(chain(&e));
    let mut group = Group::begin(mirror, on).map_err(broken)?;
    let commit = group.add(draft, key).map_err(broken)?;
    group.store(mirror)?;
    match mirror.push(branch, on, commit) {
        Pushed::Landed => Ok(commit),
        Pushed::Rejected { why, .. } => Err(InitError::Refused(why)),
        Pushed::NotSent(trouble) | Pushed::Unknown(trouble) => Err(InitError::Remote(trouble)),
    }
}
