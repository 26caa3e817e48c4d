//! The branch is one line of commits, each on top of the one before (law S14). Where somebody joined another history to it, what counts is what stood on the
//! one line before, and what was put on top since.

use super::keeper::{WALK, local};
use crate::mirror::Mirror;
use drydock_engine::ports::StoreError;
use git2::Oid;
use std::collections::BTreeSet;

/// What came on top of a commit, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Came {
    /// Commits of the one line.
    pub(super) before: Vec<Oid>,
    /// The commit that joins another history, and the last one of the line before it.
    pub(super) joined: Option<(Oid, Oid)>,
    /// Commits on top of that one.
    pub(super) after: Vec<Oid>,
}

/// What came since `from`, which is `head` or before it. `ours` tells whether a known controller signed a commit.
pub(super) fn came(mirror: &Mirror, ours: &dyn Fn(Oid) -> bool, from: Oid, head: Oid) -> Result<Came, StoreError> {
    let walk = mirror.walk(head, Some(from), WALK).map_err(local)?;
    if walk.more {
        return Err(StoreError::Local(format!(
            "more than {WALK} commits came since {from}: nobody looks at them all, so none of them counts"
        )));
    }
    let mut after = Vec::new();
    let mut at = head;
    while at != from {
        match mirror.commit(at).map_err(local)?.parents.as_slice() {
            [parent] => {
                after.push(at);
                at = *parent;
            }
            parents => {
                let good = line_before(mirror, ours, from, parents)?;
                let mut before = single_line(mirror, from, good)?.unwrap_or_default();
                before.reverse();
                after.reverse();
                return Ok(Came { before, joined: Some((at, good)), after });
            }
        }
    }
    after.reverse();
    Ok(Came { before: after, joined: None, after: Vec::new() })
}

/// The end of the one line from `from` on: of two that part, the one on which a controller went on; where that cannot be told, what they have in common.
fn line_before(mirror: &Mirror, ours: &dyn Fn(Oid) -> bool, from: Oid, parents: &[Oid]) -> Result<Oid, StoreError> {
    let mut ends = BTreeSet::new();
    for parent in parents {
        if single_line(mirror, from, *parent)?.is_some() {
            ends.insert(*parent);
        }
    }
    let mut newest = Vec::new();
    for end in &ends {
        let mut below = false;
        for other in ends.iter().filter(|other| *other != end) {
            below |= mirror.is_ancestor(*end, *other).map_err(local)?;
        }
        if !below {
            newest.push(*end);
        }
    }
    let [one, other] = match newest.as_slice() {
        [one] => return Ok(*one),
        [one, other] => [*one, *other],
        _ => return Ok(from),
    };
    let Some(fork) = mirror.merge_base(one, other).map_err(local)? else { return Ok(from) };
    let went_on =
        |end: Oid| -> Result<bool, StoreError> { Ok(single_line(mirror, fork, end)?.is_some_and(|line| line.into_iter().any(ours))) };
    Ok(match (went_on(one)?, went_on(other)?) {
        (true, false) => one,
        (false, true) => other,
        (true, true) | (false, false) => fork,
    })
}

/// The commits from `head` down to `from`, newest first, if each has one parent.
fn single_line(mirror: &Mirror, from: Oid, head: Oid) -> Result<Option<Vec<Oid>>, StoreError> {
    let mut line = Vec::new();
    let mut at = head;
    while at != from {
        match mirror.commit(at).map_err(local)?.parents.as_slice() {
            [parent] if line.len() < WALK => {
                line.push(at);
                at = *parent;
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(line))
}
