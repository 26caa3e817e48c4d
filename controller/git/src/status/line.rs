//! The branch is one line of commits, each on top of the one before (law S14). Where somebody joined another history to it, what counts is what stood on the
//! one line before, and what was put on top since.

use super::keeper::{WALK, local};
use crate::mirror::Mirror;
use drydock_engine::ports::StoreError;
use git2::Oid;
use std::collections::{BTreeMap, BTreeSet};

/// Joins that are followed in one look: one is a mistake and a handful a habit, more are somebody who does nothing else.
const MOST_JOINS: usize = 256;

/// One commit of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// Put on top of the one before.
    Put(Oid),
    /// Joins another history, and the last commit of the line before it.
    Joined(Oid, Oid),
}

impl Came {
    /// The commit itself.
    fn commit(self) -> Oid {
        match self {
            Came::Put(commit) | Came::Joined(commit, _) => commit,
        }
    }
}

/// What came since `from`, which is `head` or before it, oldest first. `ours` tells whether a known controller signed a commit.
pub(super) fn came(mirror: &Mirror, ours: &dyn Fn(Oid) -> bool, from: Oid, head: Oid) -> Result<Vec<Came>, StoreError> {
    let walk = mirror.walk(head, Some(from), WALK).map_err(local)?;
    if walk.more {
        return Err(StoreError::Local(format!(
            "more than {WALK} commits came since {from}: nobody looks at them all, so none of them counts"
        )));
    }
    Line { mirror, ours, from, joins: BTreeMap::new() }.up_to(head)
}

struct Line<'a> {
    mirror: &'a Mirror,
    ours: &'a dyn Fn(Oid) -> bool,
    from: Oid,
    /// The lines up to joins that were followed already; each ends with its join.
    joins: BTreeMap<Oid, Vec<Came>>,
}

impl Line<'_> {
    /// The line from `from` up to `head`, which is above it.
    fn up_to(&mut self, head: Oid) -> Result<Vec<Came>, StoreError> {
        let mut after = Vec::new();
        let mut at = head;
        let mut line = loop {
            if at == self.from {
                break Vec::new();
            }
            match self.mirror.commit(at).map_err(local)?.parents.as_slice() {
                [parent] => {
                    after.push(Came::Put(at));
                    at = *parent;
                }
                parents => break self.up_to_join(at, parents)?,
            }
        };
        line.extend(after.into_iter().rev());
        Ok(line)
    }

    fn up_to_join(&mut self, join: Oid, parents: &[Oid]) -> Result<Vec<Came>, StoreError> {
        if let Some(known) = self.joins.get(&join) {
            return Ok(known.clone());
        }
        if self.joins.len() == MOST_JOINS {
            return Err(StoreError::Local(format!("more than {MOST_JOINS} histories were joined since {}", self.from)));
        }
        // Taken note of before it is known, so that what is below is bounded, too.
        self.joins.insert(join, Vec::new());
        let mut line = self.line_before(parents)?;
        let good = line.last().map_or(self.from, |last| last.commit());
        line.push(Came::Joined(join, good));
        self.joins.insert(join, line.clone());
        Ok(line)
    }

    /// The one line below a join: of ends that part, the one on which a controller went on; where that cannot be told, what they have in common.
    fn line_before(&mut self, parents: &[Oid]) -> Result<Vec<Came>, StoreError> {
        let mut ends = BTreeSet::new();
        for parent in parents {
            if self.mirror.is_ancestor(self.from, *parent).map_err(local)? {
                ends.insert(*parent);
            }
        }
        let mut lines = Vec::new();
        for end in &ends {
            let others: Vec<Oid> = ends.iter().filter(|other| *other != end).copied().collect();
            if self.below(*end, &others)? == 0 {
                lines.push((self.up_to(*end)?, *end));
            }
        }
        let newest: Vec<Oid> = lines.iter().map(|(_, end)| *end).collect();
        let mut went_on = Vec::new();
        for (line, end) in &lines {
            let others: Vec<Oid> = newest.iter().filter(|other| *other != end).copied().collect();
            if others.is_empty() || self.went_on(line, &others)? {
                went_on.push(line.clone());
            }
        }
        if let [one] = went_on.as_slice() {
            return Ok(one.clone());
        }
        let Some((line, end)) = lines.into_iter().next() else { return Ok(Vec::new()) };
        let others: Vec<Oid> = newest.into_iter().filter(|other| *other != end).collect();
        self.in_common(line, &others)
    }

    /// Whether a known controller put anything on a line that none of the others has.
    fn went_on(&self, line: &[Came], others: &[Oid]) -> Result<bool, StoreError> {
        for came in line.iter().rev() {
            // Below what another one has, it has everything.
            if self.below(came.commit(), others)? > 0 {
                return Ok(false);
            }
            if matches!(came, Came::Put(_)) && (self.ours)(came.commit()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// As much of a line as all the others have.
    fn in_common(&self, mut line: Vec<Came>, others: &[Oid]) -> Result<Vec<Came>, StoreError> {
        while let Some(last) = line.last() {
            if self.below(last.commit(), others)? == others.len() {
                break;
            }
            line.pop();
        }
        Ok(line)
    }

    /// How many of the others have a commit below them.
    fn below(&self, commit: Oid, others: &[Oid]) -> Result<usize, StoreError> {
        let mut count = 0;
        for other in others {
            count += usize::from(self.mirror.is_ancestor(commit, *other).map_err(local)?);
        }
        Ok(count)
    }
}
