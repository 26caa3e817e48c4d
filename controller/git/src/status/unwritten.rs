//! What the branch does not take, of a cluster that has a node out. A remote that refuses is as good as one that is away: the way back goes on from what is
//! remembered here (rule 19), and is written down as soon as it can be.

use super::keeper::{Keeper, Tracked, about};
use drydock_engine::ports::StoreError;
use drydock_model::ids::ClusterName;
use drydock_spec::wire::facts::Facts;
use tracing::warn;

/// How many looks pass between two tries, at most; before that each try waits for twice as many as the one before.
const TRIED_EVERY: u32 = 64;

/// The entry that could not be written; it holds the events of those before it that could not be either.
#[derive(Debug, Clone)]
pub(super) struct Unwritten {
    pub(super) facts: Box<Facts>,
    /// Why not.
    pub(super) why: String,
    /// Whether it is on its way now.
    sent: bool,
    looks: u32,
}

impl Keeper {
    /// Keeps an entry that could not be written, where a node is out by what the branch knows, or where one was kept before it.
    pub(super) fn keep_unwritten(&mut self, facts: Facts, why: &str) {
        let out = |ledger: &drydock_model::ledger::Ledger| ledger.out.is_some();
        let looks = match self.unwritten.get(&facts.cluster) {
            Some(before) => before.looks,
            None if self.clusters.get(&facts.cluster).is_some_and(|t| t.ledger.as_ref().is_ok_and(out)) => 0,
            None => return,
        };
        warn!(cluster = %facts.cluster, why, "an entry cannot be written; the way back goes on without it");
        let why = format!("it does not take this cluster's entries: {why}");
        self.unwritten.insert(facts.cluster.clone(), Unwritten { facts: Box::new(facts), why, sent: false, looks });
    }

    /// The entry that holds what could not be written is on its way.
    pub(super) fn unwritten_sent(&mut self, facts: &Facts) {
        if let Some(unwritten) = self.unwritten.get_mut(&facts.cluster) {
            unwritten.sent = true;
            *unwritten.facts = facts.clone();
        }
    }

    /// Forgets what has been written by now, and tries again what has not, more and more seldom. An entry that was left behind by somebody else's commit
    /// is written anew once that was accepted.
    pub(super) fn write_again(&mut self, cluster: &ClusterName) -> Result<(), StoreError> {
        if self.behind.contains(cluster) && !self.touched.contains_key(cluster) {
            let Some(facts) = self.clusters.get(cluster).and_then(Tracked::newest) else { return Ok(()) };
            return match self.put(facts).and_then(|_| self.send()) {
                Err(StoreError::StoodDown(why)) => Err(StoreError::StoodDown(why)),
                Ok(_) | Err(StoreError::Local(_) | StoreError::Refused(_) | StoreError::Touched { .. }) => Ok(()),
            };
        }
        let Some(unwritten) = self.unwritten.get(cluster) else { return Ok(()) };
        let facts = unwritten.facts.clone();
        if unwritten.sent {
            if !self.on_its_way(cluster) {
                self.unwritten.remove(cluster);
            }
            return Ok(());
        }
        let looks = unwritten.looks.saturating_add(1);
        if let Some(unwritten) = self.unwritten.get_mut(cluster) {
            unwritten.looks = looks;
        }
        if !looks.is_power_of_two() && looks % TRIED_EVERY != 0 {
            return Ok(());
        }
        match self.put(*facts).and_then(|_| self.send()) {
            Ok(_) if self.refused.remove(cluster).is_none() && !self.on_its_way(cluster) => {
                self.unwritten.remove(cluster);
                Ok(())
            }
            Err(StoreError::StoodDown(why)) => Err(StoreError::StoodDown(why)),
            Ok(_) | Err(StoreError::Local(_) | StoreError::Refused(_) | StoreError::Touched { .. }) => Ok(()),
        }
    }

    /// Why entries are neither on the branch nor on their way, one for each.
    pub(super) fn unwritten_why(&self) -> Vec<String> {
        self.unwritten
            .iter()
            .filter(|(_, unwritten)| !unwritten.sent)
            .map(|(cluster, unwritten)| format!("{cluster}: {}", unwritten.why))
            .collect()
    }

    /// Whether an entry of this cluster has not reached the remote yet.
    pub(super) fn on_its_way(&self, cluster: &ClusterName) -> bool {
        let of = |entry: &git2::Oid| self.mirror.commit(*entry).is_ok_and(|facts| about(&facts.message).as_ref() == Some(cluster));
        self.outbox.entries().iter().any(of)
    }
}
