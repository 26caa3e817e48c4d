//! What is known of the status branch, and a look at it.

use super::{Home, Shared};
use crate::chain::Outbox;
use crate::mirror::{Head, Mirror};
use crate::names::RefName;
use crate::signing::{AllowedKeys, SigningKey};
use crate::trouble::Trouble;
use drydock_engine::ports::{Reading, StoreError, Wanted};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{ClusterName, Epoch, Revision};
use drydock_model::ledger::{Event, Ledger, Word};
use drydock_model::plan::Remote;
use drydock_model::time::{Span, Stamp, Timestamp};
use drydock_spec::wire::facts::Facts;
use drydock_spec::wire::root::Unaccepted;
use drydock_spec::wire::words::{self, Said};
use drydock_spec::wire::{FACTS_FILE, ROOT_FILE, facts, message};
use git2::Oid;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{info, warn};

/// Commits looked at in one go: a year of a large fleet's entries. More is history that somebody must look at.
pub(super) const WALK: usize = 1_000_000;

/// The folder of the branch that holds clusters.
pub(super) const CLUSTERS: &str = "clusters";

pub(super) struct Keeper {
    pub(super) mirror: Mirror,
    pub(super) branch: RefName,
    pub(super) name: String,
    pub(super) key: SigningKey,
    pub(super) controllers: AllowedKeys,
    pub(super) persons: AllowedKeys,
    pub(super) shared: Arc<Mutex<Shared>>,
    pub(super) outbox: Outbox,
    pub(super) claim: Option<Claim>,
    pub(super) clusters: BTreeMap<ClusterName, Tracked>,
    /// Which cluster a folder of the branch belongs to.
    pub(super) folders: BTreeMap<String, ClusterName>,
    /// Clusters whose last entry the server refused, and why.
    pub(super) refused: BTreeMap<ClusterName, String>,
    /// Entries that were left behind because somebody else wrote to their cluster, and that commit. Who appended one takes it out.
    pub(super) left: BTreeMap<Oid, Oid>,
    /// What the last look gave, and the number of the first question that came after it began.
    looked: Option<(u64, Look)>,
    /// The next question's number.
    next: u64,
}

/// Our claim.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) epoch: Epoch,
    pub(super) commit: Oid,
}

/// One cluster's ledger as we hold it.
#[derive(Debug, Clone)]
pub(super) struct Tracked {
    pub(super) folder: String,
    pub(super) ledger: Result<Ledger, Gap>,
    /// The facts of its last entry, for conditions that keep their time.
    pub(super) facts: Option<Box<Facts>>,
    /// Somebody else's commit in its part of the tree, and the last one whose tree counts.
    pub(super) touched: Option<(Oid, Oid)>,
}

/// How a look at the remote ended.
#[derive(Debug, Clone)]
pub(super) enum Look {
    Confirmed,
    Unread(String),
}

impl Keeper {
    pub(super) fn new(home: Home, shared: Arc<Mutex<Shared>>) -> Result<Keeper, Trouble> {
        let Home { mirror, branch, name, key, controllers, persons } = home;
        let outbox = Outbox::restore(&mirror, &branch)?;
        let controllers = controllers.and(&name, &key);
        Ok(Keeper {
            mirror,
            branch,
            name,
            key,
            controllers,
            persons,
            shared,
            outbox,
            claim: None,
            clusters: BTreeMap::new(),
            folders: BTreeMap::new(),
            refused: BTreeMap::new(),
            left: BTreeMap::new(),
            looked: None,
            next: 0,
        })
    }

    /// How a cluster's ledger stands, with a look at the remote that began after this was asked (rule 14).
    pub(super) fn read(&mut self, cluster: &ClusterName, asked: u64) -> Result<Reading, StoreError> {
        let look = match &self.looked {
            Some((from, look)) if asked < *from => look.clone(),
            Some(_) | None => {
                // Every question that was numbered by now came before this look began.
                self.next = self.next.max(asked + 1);
                let look = self.look()?;
                self.looked = Some((self.next, look.clone()));
                look
            }
        };
        Ok(self.reading(cluster, look))
    }

    fn reading(&self, cluster: &ClusterName, look: Look) -> Reading {
        let Some(claim) = &self.claim else {
            return Reading { ledger: Fact::Unknown(Gap::NotAsked), remote: Remote::Unread("this controller has no claim".to_owned()) };
        };
        let remote = match look {
            Look::Unread(why) => Remote::Unread(why),
            Look::Confirmed => match self.clusters.get(cluster).and_then(|t| t.touched) {
                Some((commit, _)) => Remote::Touched { commit: revision(commit) },
                None => Remote::Confirmed,
            },
        };
        // A ledger is not read off a clock: it is what the entries add up to.
        let seen = Span::at(Timestamp(0));
        let ledger = match self.clusters.get(cluster).map(|t| &t.ledger) {
            Some(Ok(ledger)) => Fact::Known { value: ledger.clone(), seen },
            Some(Err(gap)) => Fact::Unknown(gap.clone()),
            None => Fact::Known { value: Ledger::new(claim.epoch.clone()), seen },
        };
        Reading { ledger, remote }
    }

    /// Looks at the remote, takes in what came, and sends what is not there yet.
    fn look(&mut self) -> Result<Look, StoreError> {
        let Some(claim) = self.claim.clone() else { return Ok(Look::Unread("this controller has no claim".to_owned())) };
        let head = match self.mirror.fetch(std::slice::from_ref(&self.branch)) {
            Ok(heads) => heads.of(&self.branch),
            Err(trouble) => return Ok(Look::Unread(trouble.to_string())),
        };
        if self.outbox.entries().is_empty() && head.oid().is_some() && head.oid() == self.outbox.base() {
            return Ok(Look::Confirmed);
        }
        self.take_in(head, &claim)?;
        match self.send()? {
            None => Ok(Look::Confirmed),
            Some(why) => Ok(Look::Unread(why)),
        }
    }

    /// What others wrote since we looked last. Ends this controller where the claim is no longer ours (rule 4).
    pub(super) fn take_in(&mut self, head: Head, claim: &Claim) -> Result<(), StoreError> {
        // Gone, or back to what was before: the same objects are sent again (rule 8).
        let (Some(head), Some(base)) = (head.oid(), self.outbox.base()) else { return Ok(()) };
        if self.mirror.is_ancestor(head, base).map_err(local)? {
            return Ok(());
        }
        if !self.mirror.is_ancestor(claim.commit, head).map_err(local)? {
            return Err(self.stand_down(&format!("its claim {} is no longer on the branch", claim.epoch)));
        }
        if !self.mirror.is_ancestor(base, head).map_err(local)? {
            return Err(self.stand_down("the branch was rewritten under its claim"));
        }
        let mut came = self.mirror.walk(head, Some(base), WALK).map_err(local)?.commits;
        came.reverse();
        for commit in came {
            if self.outbox.entries().contains(&commit) {
                continue;
            }
            if let Some(why) = self.classify(commit)? {
                return Err(self.stand_down(&why));
            }
        }
        Ok(())
    }

    /// What one commit of somebody else means; words of a stand-down if it is a claim.
    fn classify(&mut self, commit: Oid) -> Result<Option<String>, StoreError> {
        let parent = self.mirror.commit(commit).map_err(local)?.parents.first().copied();
        let root_changed = self.identity(parent, ROOT_FILE)? != self.identity(Some(commit), ROOT_FILE)?;
        if self.mirror.verify(commit, &self.controllers).is_ok() && root_changed {
            return Ok(Some(format!("commit {commit} claims the branch for another controller")));
        }
        if let Some(said) = self.word(commit, parent)? {
            self.hear(&said);
            return Ok(None);
        }
        let good = parent.unwrap_or(commit);
        if root_changed {
            // The claim itself was written over by somebody unknown: nothing on the branch can be relied on.
            let all: Vec<ClusterName> = self.clusters.keys().cloned().collect();
            for cluster in all {
                self.touch(&cluster, commit, good);
            }
            return Ok(None);
        }
        for cluster in self.touched_by(parent, commit)? {
            self.touch(&cluster, commit, good);
        }
        Ok(None)
    }

    /// The clusters whose part of the tree differs between a commit and its parent.
    pub(super) fn touched_by(&self, parent: Option<Oid>, commit: Oid) -> Result<Vec<ClusterName>, StoreError> {
        let changes = self.mirror.changed(parent, commit, CLUSTERS).map_err(local)?;
        let mut clusters: Vec<ClusterName> = changes
            .iter()
            .filter_map(|change| change.path.rsplit_once('/').map(|(folder, _)| folder))
            .filter_map(|folder| self.folders.get(folder).cloned())
            .collect();
        clusters.sort_unstable();
        clusters.dedup();
        Ok(clusters)
    }

    pub(super) fn touch(&mut self, cluster: &ClusterName, commit: Oid, good: Oid) {
        warn!(%cluster, %commit, "somebody else wrote to this cluster's part of the status branch");
        if let Some(tracked) = self.clusters.get_mut(cluster) {
            tracked.touched.get_or_insert((commit, good));
        }
    }

    /// A person's word: signed by one of them, with the same tree as its parent.
    pub(super) fn word(&self, commit: Oid, parent: Option<Oid>) -> Result<Option<Said>, StoreError> {
        let facts = self.mirror.commit(commit).map_err(local)?;
        let said = match words::parse(&facts.message) {
            Ok(Some(said)) => said,
            Ok(None) => return Ok(None),
            Err(why) => {
                warn!(%commit, %why, "a word that is not understood");
                return Ok(None);
            }
        };
        let Some(parent) = parent else { return Ok(None) };
        let same = self.mirror.commit(parent).map_err(local)?.tree == facts.tree;
        match self.mirror.verify(commit, &self.persons) {
            Ok(who) if same => {
                info!(%commit, %who, %said, "a person's word");
                Ok(Some(said))
            }
            Ok(who) => {
                warn!(%commit, %who, "a word must not change files; it does not count");
                Ok(None)
            }
            Err(why) => {
                warn!(%commit, %why, "a word that no known person signed does not count");
                Ok(None)
            }
        }
    }

    /// Takes a person's word in.
    pub(super) fn hear(&mut self, said: &Said) {
        match said {
            Said::Cluster { cluster, word } => self.tell(cluster, word),
            Said::ClockEverywhere { reason } => {
                let all: Vec<ClusterName> = self.clusters.keys().cloned().collect();
                for cluster in all {
                    self.tell(&cluster, &Word::Clock { reason: reason.clone() });
                }
            }
            Said::Accept { revision, .. } => self.share(|shared| {
                shared.let_in = Some(revision.clone());
                shared.served.clear();
            }),
            Said::AcceptStatus { commit: accepted, .. } => self.accept(accepted),
        }
    }

    fn tell(&mut self, cluster: &ClusterName, word: &Word) {
        if let Some(Ok(ledger)) = self.clusters.get_mut(cluster).map(|t| &mut t.ledger) {
            // Without a stamp: a person's machine has a clock of its own, which nothing here compares (rule 15).
            ledger.apply(&Event::Word(word.clone()), Stamp::Unknown);
        }
    }

    /// A foreign commit is harmless: the cluster goes on from what we remember; the foreign tree is never read as ledger.
    fn accept(&mut self, accepted: &Revision) {
        for tracked in self.clusters.values_mut() {
            if tracked.touched.is_some_and(|(commit, _)| revision(commit) == *accepted) {
                tracked.touched = None;
            }
        }
    }

    /// The touched clusters, as a claim writes them down.
    pub(super) fn unaccepted(&self) -> Vec<Unaccepted> {
        self.clusters
            .iter()
            .filter_map(|(cluster, t)| t.touched.map(|(commit, good)| (cluster, commit, good)))
            .map(|(cluster, commit, good)| Unaccepted { cluster: cluster.clone(), commit: revision(commit), good: revision(good) })
            .collect()
    }

    /// A cluster's facts as a commit's tree has them.
    pub(super) fn facts_at(&self, commit: Oid, folder: &str) -> Result<Option<Facts>, Gap> {
        let path = format!("{folder}/{FACTS_FILE}");
        let unreadable = |why: String| Gap::Unreadable(format!("{path} at {commit}: {why}"));
        if self.mirror.identity(commit, &path).map_err(|why| unreadable(why.to_string()))?.is_none() {
            return Ok(None);
        }
        let bytes = self.mirror.read(commit, &path, facts::MOST_BYTES).map_err(|why| unreadable(why.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| unreadable("not UTF-8".to_owned()))?;
        Facts::decode(&text).map(Some).map_err(|why| unreadable(why.to_string()))
    }

    /// A cluster's state as a commit's tree has it, under our claim.
    ///
    /// The facts name the cluster; where they cannot be read the folder does.
    pub(super) fn load(&mut self, folder: &str, commit: Oid, claim: Option<&Epoch>) {
        match self.facts_at(commit, folder) {
            Ok(Some(facts)) => {
                let cluster = facts.cluster.clone();
                let mut ledger = facts.ledger.clone();
                if let Some(epoch) = claim.filter(|e| **e != ledger.epoch) {
                    ledger.apply(&Event::Claimed { epoch: epoch.clone() }, Stamp::Unknown);
                }
                self.share(|shared| {
                    if let Some(observed) = &ledger.revisions.observed
                        && !shared.accepted.contains(observed)
                    {
                        shared.accepted.push(observed.clone());
                    }
                    shared.wanted.insert(cluster.clone(), Arc::new(wanted(&facts)));
                });
                self.folders.insert(folder.to_owned(), cluster.clone());
                let touched = self.clusters.get(&cluster).and_then(|t| t.touched);
                self.clusters
                    .insert(cluster, Tracked { folder: folder.to_owned(), ledger: Ok(ledger), facts: Some(Box::new(facts)), touched });
            }
            Ok(None) => {}
            Err(gap) => {
                warn!(folder, %gap, "a ledger cannot be read");
                if let Some(cluster) = self.folders.get(folder).cloned() {
                    self.clusters.insert(cluster, Tracked { folder: folder.to_owned(), ledger: Err(gap), facts: None, touched: None });
                }
            }
        }
    }

    pub(super) fn share<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn identity(&self, commit: Option<Oid>, path: &str) -> Result<Option<Oid>, StoreError> {
        commit.map_or(Ok(None), |commit| self.mirror.identity(commit, path)).map_err(local)
    }

    /// Rule 4: what could not be pushed goes to a side reference, so that a person can read it; then this controller ends.
    fn stand_down(&mut self, why: &str) -> StoreError {
        let unpushed = self.outbox.entries().len();
        let mut words = why.to_owned();
        if let (Some(tip), Some(claim), true) = (self.outbox.tip(), &self.claim, unpushed > 0) {
            match RefName::stranded(claim.epoch.nonce.as_str()).map(|side| (self.mirror.push(&side, None, tip), side)) {
                Ok((crate::push::Pushed::Landed, side)) => {
                    words = format!("{why}; {unpushed} entries that were not on the branch are kept at {}", side.full());
                }
                Ok((other, _)) => {
                    warn!(?other, "entries that could not be pushed could not be put aside either; they stay in the local mirror")
                }
                Err(error) => warn!(%error, "no side reference can be named"),
            }
        }
        StoreError::StoodDown(words)
    }
}

pub(super) fn wanted(facts: &Facts) -> Wanted {
    let w = &facts.wanted;
    Wanted {
        path: w.path.clone(),
        desired: Arc::new(w.desired.clone()),
        revision: w.revision.clone(),
        connection: w.connection.clone(),
        problem: w.problem.clone(),
        warnings: w.warnings.clone(),
    }
}

/// The cluster that a commit of a controller is about, by its trailers.
pub(super) fn about(message: &str) -> Option<ClusterName> {
    message::parse(message)?.cluster?.parse().ok()
}

/// The revision of the fleet that a commit of a controller serves, by its trailers.
pub(super) fn serves(message: &str) -> Option<Revision> {
    message::parse(message)?.spec_revision?.parse().ok()
}

pub(super) fn revision(oid: Oid) -> Revision {
    // 40 hexadecimal digits always are a revision.
    oid.to_string().parse().unwrap_or_else(|_| unreachable!("an object id is a revision"))
}

pub(super) fn local(error: impl std::fmt::Display) -> StoreError {
    StoreError::Local(error.to_string())
}
