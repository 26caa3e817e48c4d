//! What is known of the status branch, and a look at it.

use super::line::{self, Came};
use super::unwritten::Unwritten;
use super::{Home, Shared};
use crate::chain::Outbox;
use crate::mirror::{Head, Mirror};
use crate::names::RefName;
use crate::signing::{AllowedKeys, SigningKey};
use crate::trouble::{Trouble, chain};
use drydock_engine::ports::{Reading, StoreError, Wanted};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{ClusterName, Epoch, Revision, Seq};
use drydock_model::ledger::{Event, Ledger, Word};
use drydock_model::plan::Remote;
use drydock_model::time::{Span, Stamp, Timestamp};
use drydock_spec::fleet::CLUSTERS;
use drydock_spec::wire::facts::Facts;
use drydock_spec::wire::root::{Unaccepted, Unheard};
use drydock_spec::wire::words::{self, Said};
use drydock_spec::wire::{FACTS_FILE, ROOT_FILE, facts, message};
use git2::Oid;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::{error, info, warn};

/// Commits looked at in one go: a year of a large fleet's entries. More is history that somebody must look at.
pub(super) const WALK: usize = 1_000_000;

/// Folders beyond those that are known, which one commit may change and each is read: somebody who moves a fleet. Each may hold facts of some mebibytes.
const MOST_FOLDERS: usize = 1_000;

/// Files of facts whose cluster is remembered: what a fleet of thousands writes between two looks.
const MOST_NAMED: usize = 10_000;

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
    /// Clusters that somebody else wrote to: the commit, and the last one whose tree counts.
    pub(super) touched: BTreeMap<ClusterName, (Oid, Oid)>,
    /// Clusters whose last entry was left behind: what their ledger says here stands nowhere until the next one lands (rule 14).
    pub(super) behind: BTreeSet<ClusterName>,
    /// Clusters that a word was said to since their last entry was made: while that one is not on the branch, it must take the word in.
    pub(super) told: BTreeSet<ClusterName>,
    /// Words that were said before our claim and could not be written with it.
    pub(super) unheard: Vec<Unheard>,
    /// What could not be written of clusters that had a node out.
    pub(super) unwritten: BTreeMap<ClusterName, Unwritten>,
    /// Above all numbers that were given out under this claim, whichever cluster they were for.
    pub(super) given: Seq,
    /// Up to where the branch has been looked at; each word is heard once.
    pub(super) classified: Option<Oid>,
    /// When a claim was first refused because there were too many.
    pub(super) waits_since: Option<Timestamp>,
    /// Entries that were left behind because somebody else wrote to their cluster, and that commit. Who appended one takes it out.
    pub(super) left: BTreeMap<Oid, Oid>,
    /// Why the branch cannot be read or written, as it was logged.
    logged: Option<String>,
    /// Whose facts a file is, and of which folder; by its id, which never is that of another content.
    named: RefCell<BTreeMap<Oid, Option<(ClusterName, String)>>>,
    /// The mirror was made again, and what was lost with it has not been looked at.
    losing: bool,
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
}

impl Tracked {
    /// The facts of the last entry with what was heard since: what an entry says that is made of them now.
    pub(super) fn newest(&self) -> Option<Facts> {
        Some(Facts { ledger: self.ledger.as_ref().ok()?.clone(), ..self.facts.as_deref()?.clone() })
    }
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
        let outbox = match Outbox::restore(&mirror, &branch) {
            // The fetch of the claim makes the mirror again and says what is lost; what can be read of it is put aside then.
            Err(trouble @ Trouble::Corrupt { .. }) => {
                warn!(why = %trouble, "entries of an earlier run cannot be read now; they are looked at again before the claim");
                Outbox::empty(&mirror, &branch)
            }
            restored => restored?,
        };
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
            touched: BTreeMap::new(),
            behind: BTreeSet::new(),
            told: BTreeSet::new(),
            unheard: Vec::new(),
            unwritten: BTreeMap::new(),
            given: 1,
            classified: None,
            waits_since: None,
            left: BTreeMap::new(),
            logged: None,
            named: RefCell::default(),
            losing: false,
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
                let look = match self.look() {
                    Ok(look) => look,
                    Err(StoreError::StoodDown(why)) => return Err(StoreError::StoodDown(why)),
                    // Whatever keeps the branch from being read or written: a node that is out is brought back all the same (rule 19).
                    Err(other) => {
                        warn!(%other, "the status branch");
                        Look::Unread(other.to_string())
                    }
                };
                self.looked = Some((self.next, look.clone()));
                look
            }
        };
        self.write_again(cluster)?;
        Ok(self.reading(cluster, look))
    }

    fn reading(&self, cluster: &ClusterName, look: Look) -> Reading {
        let Some(claim) = &self.claim else {
            return Reading { ledger: Fact::Unknown(Gap::NotAsked), remote: Remote::Unread("this controller has no claim".to_owned()) };
        };
        // A ledger is not read off a clock: it is what the entries add up to.
        let seen = Span::at(Timestamp(0));
        if let Some(unwritten) = self.unwritten.get(cluster) {
            let ledger = Fact::Known { value: unwritten.facts.ledger.clone(), seen };
            return Reading { ledger, remote: Remote::Unread(unwritten.why.clone()) };
        }
        let remote = match (look, self.touched.get(cluster)) {
            (Look::Unread(why), _) => Remote::Unread(why),
            (Look::Confirmed, Some((commit, _))) => Remote::Touched { commit: revision(*commit) },
            (Look::Confirmed, None) if self.behind.contains(cluster) => Remote::Unread(
                "this cluster's last entry was left behind by somebody else's commit, or lost; the next one tells it again".to_owned(),
            ),
            // The look that was shared may be older than the entry, and what was sent since may not have arrived.
            (Look::Confirmed, None) if self.on_its_way(cluster) => {
                Remote::Unread("this cluster's last entry is still on its way".to_owned())
            }
            (Look::Confirmed, None) => Remote::Confirmed,
        };
        let ledger = match self.clusters.get(cluster).map(|t| &t.ledger) {
            Some(Err(gap)) => Fact::Unknown(gap.clone()),
            known => {
                let mut value = known.and_then(|ledger| ledger.as_ref().ok().cloned()).unwrap_or_else(|| Ledger::new(claim.epoch.clone()));
                value.begin_above(self.given);
                Fact::Known { value, seen }
            }
        };
        Reading { ledger, remote }
    }

    /// Looks at the remote, takes in what came, and sends what is not there yet.
    fn look(&mut self) -> Result<Look, StoreError> {
        let Some(claim) = self.claim.clone() else { return Ok(Look::Unread("this controller has no claim".to_owned())) };
        // The nodes are looked at before, and grow old while this waits.
        self.mirror.hurry();
        let heads = match self.mirror.fetch(std::slice::from_ref(&self.branch)) {
            Ok(heads) => heads,
            Err(trouble) => {
                let why = chain(&trouble);
                self.log(Some(&why));
                return Ok(Look::Unread(why));
            }
        };
        let head = heads.of(&self.branch);
        if heads.healed.is_some() || self.losing {
            self.leave_lost()?;
        }
        if self.outbox.entries().is_empty() && head.oid().is_some() && head.oid() == self.outbox.base() {
            self.log(None);
            return Ok(Look::Confirmed);
        }
        self.take_in(head, &claim)?;
        match self.send()? {
            None => Ok(Look::Confirmed),
            Some(why) => Ok(Look::Unread(why)),
        }
    }

    /// Says why the branch cannot be read or written, once for each reason, and when that is over.
    pub(super) fn log(&mut self, why: Option<&str>) {
        if self.logged.as_deref() == why {
            return;
        }
        match why {
            Some(why) => {
                warn!(why, waiting = self.outbox.entries().len(), "the status branch cannot be read or written; it is tried with each look")
            }
            None => info!("the status branch can be read and written again"),
        }
        self.logged = why.map(ToOwned::to_owned);
    }

    /// What a damaged disk took of the outbox: the ledgers of those clusters stand nowhere until their next entries land.
    fn leave_lost(&mut self) -> Result<(), StoreError> {
        // Also at the next look, if this one breaks off.
        self.losing = true;
        let lost = self.outbox.drop_lost(&self.mirror).map_err(local)?;
        if lost > 0 {
            let tip = self.outbox.tip();
            let nowhere: Vec<ClusterName> =
                self.clusters.iter().filter(|(_, tracked)| !self.stands(tracked, tip)).map(|(cluster, _)| cluster.clone()).collect();
            let clusters = nowhere.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            error!(
                lost,
                clusters,
                "entries that were not confirmed are lost with the damaged mirror; these clusters' next entries tell where they are"
            );
            self.behind.extend(nowhere);
        }
        self.losing = false;
        Ok(())
    }

    /// Whether a cluster's last entry is in the tree of a commit. Of one whose ledger cannot be read there is none to tell again.
    fn stands(&self, tracked: &Tracked, tip: Option<Oid>) -> bool {
        let (Ok(_), Some(facts), Some(tip)) = (&tracked.ledger, &tracked.facts, tip) else { return true };
        matches!(self.facts_at(tip, &tracked.folder), Ok(Some(there)) if there == **facts)
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
        let came = line::came(&self.mirror, &|commit| self.ours(commit), self.looked_up_to(base, head)?, head)?;
        for came in came {
            match came {
                Came::Put(commit) => self.take_in_one(commit)?,
                Came::Joined(join, good) => {
                    warn!(%join, "somebody joined another history to the status branch");
                    self.touch_all(join, good);
                    self.classified = Some(join);
                }
            }
        }
        self.classified = Some(head);
        Ok(())
    }

    /// Whether a known controller signed a commit.
    pub(super) fn ours(&self, commit: Oid) -> bool {
        self.mirror.verify(commit, &self.controllers).is_ok()
    }

    /// Where the look goes on: what was looked at before `base` was reached is not looked at again.
    fn looked_up_to(&self, base: Oid, head: Oid) -> Result<Oid, StoreError> {
        let Some(before) = self.classified else { return Ok(base) };
        match self.mirror.merge_base(before, head).map_err(local)? {
            Some(both) if self.mirror.is_ancestor(base, both).map_err(local)? => Ok(both),
            Some(_) | None => Ok(base),
        }
    }

    fn take_in_one(&mut self, commit: Oid) -> Result<(), StoreError> {
        if !self.outbox.entries().contains(&commit)
            && let Some(why) = self.classify(commit)?
        {
            return Err(self.stand_down(&why));
        }
        // One by one: where the look ends at the next one, no word is heard twice.
        self.classified = Some(commit);
        Ok(())
    }

    /// What one commit of somebody else means; words of a stand-down if it is a claim.
    fn classify(&mut self, commit: Oid) -> Result<Option<String>, StoreError> {
        let parent = self.mirror.commit(commit).map_err(local)?.parents.first().copied();
        let root_changed = self.identity(parent, ROOT_FILE)? != self.identity(Some(commit), ROOT_FILE)?;
        if root_changed && self.ours(commit) {
            return Ok(Some(format!("commit {commit} claims the branch for another controller")));
        }
        if let Some(said) = self.word(commit, parent)? {
            self.hear(&said);
            return Ok(None);
        }
        let good = parent.unwrap_or(commit);
        if root_changed {
            // The claim itself was written over by somebody unknown: nothing on the branch can be relied on.
            self.touch_all(commit, good);
            return Ok(None);
        }
        match self.touched_by(&self.folders, parent, commit) {
            Ok(clusters) => clusters.iter().for_each(|cluster| self.touch(cluster, commit, good)),
            // What it did cannot be read: it may be anything.
            Err(error) => {
                warn!(%commit, %error, "what somebody else wrote to the status branch cannot be read");
                self.touch_all(commit, good);
            }
        }
        Ok(None)
    }

    /// The clusters that a commit of somebody else touches: those whose folders it changed, and those that such a folder says it belongs to, before or after.
    pub(super) fn touched_by(
        &self,
        folders: &BTreeMap<String, ClusterName>,
        parent: Option<Oid>,
        commit: Oid,
    ) -> Result<BTreeSet<ClusterName>, StoreError> {
        let changes = self.mirror.changed(parent, commit, CLUSTERS).map_err(local)?;
        let changed: BTreeSet<&str> = changes.iter().filter_map(|change| change.path.rsplit_once('/')).map(|(folder, _)| folder).collect();
        if changed.len() > folders.len() + MOST_FOLDERS {
            // Nobody reads them all, so they may be anybody's.
            return Ok(folders.values().cloned().collect());
        }
        let mut clusters = BTreeSet::new();
        for folder in changed {
            clusters.extend(folders.get(folder).cloned());
            clusters.extend(parent.and_then(|parent| self.said_by(parent, folder)));
            clusters.extend(self.said_by(commit, folder));
        }
        Ok(clusters)
    }

    /// The cluster that a folder of a commit's tree says it belongs to. Facts name their cluster and the file that it was described in, so that a copy of them
    /// elsewhere is nobody's; where they cannot be read the folder names the cluster, as a file is called like its cluster by custom.
    fn said_by(&self, commit: Oid, folder: &str) -> Option<ClusterName> {
        let by_name = || folder.rsplit('/').next().and_then(|name| name.parse().ok());
        let file = match self.mirror.identity(commit, &format!("{folder}/{FACTS_FILE}")) {
            Ok(Some(file)) => file,
            Ok(None) => return None,
            Err(_) => return by_name(),
        };
        match self.named_in(file, commit, folder) {
            Some((cluster, at)) => Some(cluster).filter(|_| at == folder),
            None => by_name(),
        }
    }

    /// The cluster that a file of facts names, and the folder that it belongs to. One file in many folders is read once; nothing where it cannot be read.
    fn named_in(&self, file: Oid, commit: Oid, folder: &str) -> Option<(ClusterName, String)> {
        if let Some(known) = self.named.borrow().get(&file) {
            return known.clone();
        }
        let read = match self.facts_at(commit, folder) {
            Ok(facts) => facts.map(|facts| (facts.cluster, drydock_spec::wire::folder(&facts.wanted.path).to_owned())),
            // Not of the file itself: a mirror that is made again may have it whole.
            Err(_) if self.mirror.suspect.borrow().is_some() => return None,
            Err(_) => None,
        };
        let mut named = self.named.borrow_mut();
        if named.len() == MOST_NAMED {
            named.clear();
        }
        named.insert(file, read.clone());
        read
    }

    pub(super) fn touch(&mut self, cluster: &ClusterName, commit: Oid, good: Oid) {
        warn!(%cluster, %commit, "somebody else wrote to this cluster's part of the status branch");
        self.touched.entry(cluster.clone()).or_insert((commit, good));
    }

    fn touch_all(&mut self, commit: Oid, good: Oid) {
        let all: Vec<ClusterName> = self.clusters.keys().cloned().collect();
        for cluster in all {
            self.touch(&cluster, commit, good);
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
        let tracked = self.clusters.get_mut(cluster).and_then(|tracked| tracked.ledger.as_mut().ok());
        let unwritten = self.unwritten.get_mut(cluster).map(|unwritten| &mut unwritten.facts.ledger);
        for ledger in [tracked, unwritten].into_iter().flatten() {
            // Without a stamp: a person's machine has a clock of its own, which nothing here compares (rule 15).
            ledger.apply(&Event::Word(word.clone()), Stamp::Unknown);
        }
        self.told.insert(cluster.clone());
    }

    /// A foreign commit is harmless: the cluster goes on from what we remember; the foreign tree is never read as ledger.
    fn accept(&mut self, accepted: &Revision) {
        self.touched.retain(|_, (commit, _)| revision(*commit) != *accepted);
    }

    /// The touched clusters, as a claim writes them down.
    pub(super) fn unaccepted(&self) -> Vec<Unaccepted> {
        let told = |(cluster, (commit, good)): (&ClusterName, &(Oid, Oid))| Unaccepted {
            cluster: cluster.clone(),
            commit: revision(*commit),
            good: revision(*good),
        };
        self.touched.iter().map(told).collect()
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

    /// Which folder of a commit's tree says that it is which cluster's.
    pub(super) fn folders_at(&self, commit: Oid) -> Result<BTreeMap<String, ClusterName>, StoreError> {
        let changes = self.mirror.changed(None, commit, CLUSTERS).map_err(local)?;
        let folders = changes.iter().filter_map(|change| change.path.strip_suffix(FACTS_FILE)?.strip_suffix('/'));
        Ok(folders.filter_map(|folder| Some((folder.to_owned(), self.said_by(commit, folder)?))).collect())
    }

    /// A cluster's state as a commit's tree has it in one of these folders, under our claim. None of them has any where no entry was ever written.
    pub(super) fn load(&mut self, cluster: &ClusterName, folders: &[String], commit: Oid, claim: Option<&Epoch>) {
        self.clusters.remove(cluster);
        let tracked = match folders {
            [] => return,
            [folder] => match self.facts_at(commit, folder) {
                Ok(None) => return,
                Ok(Some(facts)) if facts.cluster == *cluster => self.loaded(folder, facts, claim),
                Ok(Some(facts)) => Err(Gap::Unreadable(format!("{folder}/{FACTS_FILE} at {commit} is that of {}", facts.cluster))),
                Err(gap) => Err(gap),
            },
            [first, second, ..] => Err(Gap::Unreadable(format!(
                "{first} and {second} of the status branch both say that they are of {cluster}: find out who wrote them, and remove the wrong one"
            ))),
        };
        let folder = folders.first().cloned().unwrap_or_default();
        let tracked = tracked.unwrap_or_else(|gap| {
            warn!(%cluster, %gap, "a ledger cannot be read");
            Tracked { folder: folder.clone(), ledger: Err(gap), facts: None }
        });
        self.folders.insert(folder, cluster.clone());
        self.clusters.insert(cluster.clone(), tracked);
    }

    fn loaded(&self, folder: &str, facts: Facts, claim: Option<&Epoch>) -> Result<Tracked, Gap> {
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
            shared.wanted.insert(facts.cluster.clone(), Arc::new(wanted(&facts)));
        });
        Ok(Tracked { folder: folder.to_owned(), ledger: Ok(ledger), facts: Some(Box::new(facts)) })
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

pub(super) fn local(error: impl std::error::Error) -> StoreError {
    StoreError::Local(chain(&error))
}
