//! The status branch in memory: claims, entries, lost answers, rewinds and other people's commits, as a git server would have them.

use super::{SimClock, lock};
use drydock_engine::ports::{Appended, ClaimError, Clock, Reading, Record, Store, StoreError, TakeOver};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{ClusterName, Epoch, Revision};
use drydock_model::ledger::{Event, Ledger, Word};
use drydock_model::plan::Remote;
use drydock_model::time::{Millis, Stamp, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// The branch on its server; copies are the same branch.
#[derive(Debug, Clone)]
pub struct Branch {
    server: Arc<Mutex<Server>>,
}

#[derive(Debug, Clone)]
struct Server {
    exists: bool,
    commits: Vec<Arc<BranchCommit>>,
    /// Commits ever made, for their ids.
    made: u64,
    down: bool,
    /// How many answers to pushes will be lost, the pushes having landed.
    lose_answers: u32,
    /// Clusters whose entries the server refuses.
    refuses: BTreeSet<ClusterName>,
}

/// One commit of the branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchCommit {
    /// Its object id.
    pub id: Revision,
    /// What it wrote.
    pub write: BranchWrite,
}

/// What a commit wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BranchWrite {
    /// The first commit, by `drydock init`.
    Root,
    /// A claim.
    Claim {
        /// Which.
        epoch: Epoch,
        /// Under which configured name.
        holder: String,
        /// When.
        at: Timestamp,
        /// Whether a person claimed above everything that any node shows (`drydock init --adopt`).
        adopts: bool,
    },
    /// An entry, under a claim.
    Entry {
        /// The claim.
        epoch: Epoch,
        /// What was recorded.
        record: Arc<Record>,
    },
    /// A person's signed word.
    Word {
        /// For which cluster.
        cluster: ClusterName,
        /// What.
        word: Word,
    },
    /// A commit that no known controller signed.
    Foreign {
        /// Whose part it touched.
        cluster: ClusterName,
    },
    /// A person's signed acceptance of a foreign commit.
    Accepted {
        /// Which.
        commit: Revision,
    },
}

impl Branch {
    /// A branch with its root commit.
    pub fn new() -> Branch {
        let branch = Branch::missing();
        lock(&branch.server).init();
        branch
    }

    /// No branch at all.
    pub fn missing() -> Branch {
        let server = Server { exists: false, commits: Vec::new(), made: 0, down: false, lose_answers: 0, refuses: BTreeSet::new() };
        Branch { server: Arc::new(Mutex::new(server)) }
    }

    /// A branch of its own that holds the same: what is written to one is not in the other.
    pub fn copy(&self) -> Branch {
        Branch { server: Arc::new(Mutex::new(lock(&self.server).clone())) }
    }

    /// `drydock init`.
    pub fn init(&self) {
        lock(&self.server).init();
    }

    /// `drydock init --adopt`: a claim above `shown`, the highest number that any node shows, in the name of the last holder.
    pub fn adopt(&self, shown: u32) {
        let mut server = lock(&self.server);
        let (last, holder) = server.last_claim().map_or((0, String::new()), |(epoch, holder)| (epoch.number, holder.to_owned()));
        let epoch = Epoch { number: shown.max(last) + 1, nonce: crate::cluster::name("adopted") };
        server.append(BranchWrite::Claim { epoch, holder, at: Timestamp(0), adopts: true });
    }

    /// The server cannot be reached, or can again.
    pub fn set_down(&self, down: bool) {
        lock(&self.server).down = down;
    }

    /// The next `n` pushes land, and their answers are lost.
    pub fn lose_answers(&self, n: u32) {
        lock(&self.server).lose_answers = n;
    }

    /// The server refuses a cluster's entries, or takes them again.
    pub fn refuse(&self, cluster: &ClusterName, refuse: bool) {
        let mut server = lock(&self.server);
        if refuse {
            server.refuses.insert(cluster.clone())
        } else {
            server.refuses.remove(cluster)
        };
    }

    /// The last `n` commits are gone.
    pub fn rewind(&self, n: usize) {
        let mut server = lock(&self.server);
        let left = server.commits.len().saturating_sub(n);
        server.commits.truncate(left);
        server.exists = left > 0;
    }

    /// Somebody writes to a cluster's part.
    pub fn foreign(&self, cluster: &ClusterName) -> Revision {
        lock(&self.server).append(BranchWrite::Foreign { cluster: cluster.clone() })
    }

    /// A person accepts such a commit.
    pub fn accept(&self, commit: &Revision) {
        lock(&self.server).append(BranchWrite::Accepted { commit: commit.clone() });
    }

    /// A person's word.
    pub fn word(&self, cluster: &ClusterName, word: Word) {
        lock(&self.server).append(BranchWrite::Word { cluster: cluster.clone(), word });
    }

    /// All commits, oldest first.
    pub fn commits(&self) -> Vec<Arc<BranchCommit>> {
        lock(&self.server).commits.clone()
    }

    /// The ledger of a cluster as the server has it; `None` before the first claim.
    pub fn ledger(&self, cluster: &ClusterName) -> Option<Ledger> {
        fold(&lock(&self.server).commits, cluster)
    }
}

impl Default for Branch {
    fn default() -> Branch {
        Branch::new()
    }
}

impl Server {
    fn init(&mut self) {
        if !self.exists {
            self.exists = true;
            self.append(BranchWrite::Root);
        }
    }

    fn commit(&mut self, write: BranchWrite) -> Arc<BranchCommit> {
        self.made += 1;
        let id = crate::cluster::name(&format!("{:040x}", self.made));
        Arc::new(BranchCommit { id, write })
    }

    fn append(&mut self, write: BranchWrite) -> Revision {
        let commit = self.commit(write);
        self.commits.push(commit.clone());
        commit.id.clone()
    }

    fn last_claim(&self) -> Option<(&Epoch, &str)> {
        self.commits.iter().rev().find_map(|c| match &c.write {
            BranchWrite::Claim { epoch, holder, .. } => Some((epoch, holder.as_str())),
            BranchWrite::Root
            | BranchWrite::Entry { .. }
            | BranchWrite::Word { .. }
            | BranchWrite::Foreign { .. }
            | BranchWrite::Accepted { .. } => None,
        })
    }
}

/// One controller's end of the branch. A controller that crashes makes a new one: what was pending is lost with it.
#[derive(Debug)]
pub struct SimStore {
    branch: Branch,
    name: String,
    clock: SimClock,
    own: Mutex<Own>,
}

#[derive(Debug, Default)]
struct Own {
    epoch: Option<Epoch>,
    /// The branch as it was last seen.
    known: Vec<Arc<BranchCommit>>,
    pending: Vec<Arc<BranchCommit>>,
    /// Ledgers by what they were folded from: how many commits, and the last one.
    folded: BTreeMap<ClusterName, (usize, Option<Revision>, Ledger)>,
}

/// Claims of one name within an hour before the next one waits.
const CLAIMS: u32 = 3;
const HOUR: Millis = Millis::hours(1);

impl SimStore {
    /// The end of a controller with this configured name.
    pub fn new(branch: Branch, name: &str, clock: SimClock) -> SimStore {
        SimStore { branch, name: name.to_owned(), clock, own: Mutex::new(Own::default()) }
    }

    /// Entries that the server has not confirmed.
    pub fn pending(&self) -> usize {
        lock(&self.own).pending.len()
    }

    fn claims_now(&self, take_over: TakeOver) -> Result<Epoch, ClaimError> {
        let mut server = lock(&self.branch.server);
        if server.down {
            return Err(ClaimError::Unreachable("connection refused".to_owned()));
        }
        if !server.exists {
            return Err(ClaimError::NoBranch("drydock/status".to_owned()));
        }
        let number = match server.last_claim() {
            Some((_, holder)) if holder != self.name && take_over == TakeOver::No => {
                return Err(ClaimError::HeldBy { holder: holder.to_owned() });
            }
            Some((epoch, _)) => epoch.number + 1,
            None => 1,
        };
        let now = self.clock.now();
        self.may_claim(&server, now)?;
        let epoch = Epoch { number, nonce: crate::cluster::name(&format!("{:08x}", self.clock.dice() >> 32)) };
        server.append(BranchWrite::Claim { epoch: epoch.clone(), holder: self.name.clone(), at: now, adopts: false });
        let mut own = lock(&self.own);
        own.epoch = Some(epoch.clone());
        own.known = server.commits.clone();
        Ok(epoch)
    }

    fn may_claim(&self, server: &Server, now: Timestamp) -> Result<(), ClaimError> {
        let ours = server.commits.iter().filter_map(|c| match &c.write {
            BranchWrite::Claim { holder, at, .. } if *holder == self.name && now.since(*at) < HOUR => Some(*at),
            BranchWrite::Claim { .. }
            | BranchWrite::Root
            | BranchWrite::Entry { .. }
            | BranchWrite::Word { .. }
            | BranchWrite::Foreign { .. }
            | BranchWrite::Accepted { .. } => None,
        });
        let (mut claims, mut last) = (0, None);
        for at in ours {
            claims += 1;
            last = Some(at);
        }
        let Some(last) = last.filter(|_| claims >= CLAIMS) else { return Ok(()) };
        // A minute, and twice that for each further one; the hour bounds it.
        let wait = Millis(Millis::minutes(1).times(1 << (claims - CLAIMS).min(6)).0.min(HOUR.0));
        let gone = now.since(last);
        if gone >= wait { Ok(()) } else { Err(ClaimError::TooMany { claims, wait: Millis(wait.0 - gone.0) }) }
    }

    /// Looks at the server and pushes what is pending, in order; the trouble of one cluster holds up no other (rule 9).
    fn sync(&self, own: &mut Own) -> Result<Synced, StoreError> {
        let mut server = lock(&self.branch.server);
        let mut synced = Synced::default();
        if server.down {
            synced.unread = Some("connection refused".to_owned());
            return Ok(synced);
        }
        self.still_ours(&mut server, own)?;
        // What came since the last look from hands that nobody knows: entries of its cluster that were made before it cannot stand on it (rule 7).
        let came: BTreeMap<ClusterName, Revision> = server
            .commits
            .iter()
            .skip(own.known.len())
            .filter_map(|c| match &c.write {
                BranchWrite::Foreign { cluster } => Some((cluster.clone(), c.id.clone())),
                BranchWrite::Root
                | BranchWrite::Claim { .. }
                | BranchWrite::Entry { .. }
                | BranchWrite::Word { .. }
                | BranchWrite::Accepted { .. } => None,
            })
            .collect();
        own.known = server.commits.clone();
        for next in std::mem::take(&mut own.pending) {
            if own.known.iter().any(|c| c.id == next.id) {
                continue;
            }
            let BranchWrite::Entry { record, .. } = &next.write else { continue };
            if let Some(commit) = came.get(&record.cluster) {
                synced.left.insert(record.cluster.clone(), commit.clone());
                continue;
            }
            if synced.unread.is_some() || synced.refused.contains_key(&record.cluster) {
                // What follows a refused entry stands on it.
                if !synced.refused.contains_key(&record.cluster) {
                    own.pending.push(next);
                }
                continue;
            }
            if server.refuses.contains(&record.cluster) {
                synced.refused.insert(record.cluster.clone(), "pre-receive hook declined".to_owned());
                continue;
            }
            server.commits.push(next.clone());
            if server.lose_answers > 0 {
                server.lose_answers -= 1;
                synced.unread = Some("the answer to the push was lost".to_owned());
                own.pending.push(next);
            } else {
                own.known = server.commits.clone();
            }
        }
        Ok(synced)
    }

    /// Whether the last claim is still ours; puts back what a rewind took (rule 8).
    fn still_ours(&self, server: &mut Server, own: &Own) -> Result<(), StoreError> {
        let rewound = server.commits.len() < own.known.len() && own.known.starts_with(&server.commits);
        if rewound && own.epoch.is_some() {
            server.commits = own.known.clone();
            server.exists = true;
        }
        let Some(epoch) = &own.epoch else { return Ok(()) };
        match server.last_claim() {
            Some((last, _)) if last == epoch => Ok(()),
            Some((last, holder)) => Err(StoreError::StoodDown(format!("{holder:?} claimed it as {last}"))),
            None => Err(StoreError::StoodDown("our claim is gone".to_owned())),
        }
    }

    fn reads(&self, cluster: &ClusterName) -> Result<Reading, StoreError> {
        let mut own = lock(&self.own);
        let remote = match (self.sync(&mut own)?.unread, touched(&own.known, cluster)) {
            (Some(why), _) => Remote::Unread(why),
            (None, Some(commit)) => Remote::Touched { commit },
            (None, None) => Remote::Confirmed,
        };
        let ledger = match own.ledger(cluster) {
            Some(ledger) => Fact::Known { value: ledger, seen: drydock_model::time::Span::at(self.clock.now()) },
            None => Fact::Unknown(Gap::Unreadable("the status branch was never claimed".to_owned())),
        };
        Ok(Reading { ledger, remote })
    }

    fn appends(&self, record: Record) -> Result<Appended, StoreError> {
        let mut own = lock(&self.own);
        let Some(epoch) = own.epoch.clone() else {
            return Err(StoreError::Local("nothing may be written without a claim".to_owned()));
        };
        let cluster = record.cluster.clone();
        // Also for a cluster that somebody else wrote to: the hold and the way back must be told (rule 7).
        let entry = lock(&self.branch.server).commit(BranchWrite::Entry { epoch, record: Arc::new(record) });
        own.pending.push(entry);
        let mut synced = self.sync(&mut own)?;
        if let Some(why) = synced.refused.remove(&cluster) {
            return Err(StoreError::Refused(why));
        }
        if let Some(commit) = synced.left.remove(&cluster) {
            return Err(StoreError::Touched { commit });
        }
        Ok(synced.unread.map_or(Appended::Pushed, Appended::Pending))
    }
}

/// How a look at the server ended.
#[derive(Debug, Default)]
struct Synced {
    /// Why it could not be read, or whether it took the last push.
    unread: Option<String>,
    /// Whose entries were refused, and why.
    refused: BTreeMap<ClusterName, String>,
    /// Whose entries were left behind, and the commit that somebody else put in their way.
    left: BTreeMap<ClusterName, Revision>,
}

impl Own {
    /// The ledger of what is known and pending. Folded again from the last point, where that is still part of it.
    fn ledger(&mut self, cluster: &ClusterName) -> Option<Ledger> {
        let pending: Vec<_> = self.pending.iter().filter(|p| !self.known.iter().any(|k| k.id == p.id)).cloned().collect();
        let base = match self.folded.remove(cluster) {
            Some((count, last, ledger)) if count > 0 && self.known.get(count - 1).map(|c| &c.id) == last.as_ref() => {
                fold_on(Some(ledger), &self.known[count..], cluster)
            }
            Some(_) | None => fold(&self.known, cluster),
        };
        if let Some(ledger) = &base {
            let last = self.known.last().map(|c| c.id.clone());
            self.folded.insert(cluster.clone(), (self.known.len(), last, ledger.clone()));
        }
        fold_on(base, &pending, cluster)
    }
}

fn fold(commits: &[Arc<BranchCommit>], cluster: &ClusterName) -> Option<Ledger> {
    fold_on(None, commits, cluster)
}

fn fold_on(mut ledger: Option<Ledger>, commits: &[Arc<BranchCommit>], cluster: &ClusterName) -> Option<Ledger> {
    for commit in commits {
        then(&mut ledger, commit, cluster);
    }
    ledger
}

/// One commit more. Foreign commits are never read as ledger (rule 7).
fn then(ledger: &mut Option<Ledger>, commit: &BranchCommit, cluster: &ClusterName) {
    match &commit.write {
        BranchWrite::Claim { epoch, adopts, .. } => {
            let claimed = Event::Claimed { epoch: epoch.clone() };
            let ledger = ledger.get_or_insert_with(|| Ledger::new(epoch.clone()));
            ledger.apply(&claimed, Stamp::Unknown);
            if *adopts {
                ledger.adopt();
            }
        }
        BranchWrite::Entry { record, .. } if record.cluster == *cluster => {
            if let Some(ledger) = ledger {
                record.events.iter().for_each(|event| ledger.apply(event, record.stamp));
            }
        }
        BranchWrite::Word { cluster: whose, word } if whose == cluster => {
            if let Some(ledger) = ledger {
                ledger.apply(&Event::Word(word.clone()), Stamp::Unknown);
            }
        }
        BranchWrite::Root
        | BranchWrite::Entry { .. }
        | BranchWrite::Word { .. }
        | BranchWrite::Foreign { .. }
        | BranchWrite::Accepted { .. } => {}
    }
}

/// A foreign commit in a cluster's part that nobody accepted.
fn touched(commits: &[Arc<BranchCommit>], cluster: &ClusterName) -> Option<Revision> {
    let accepted = |id: &Revision| commits.iter().any(|c| matches!(&c.write, BranchWrite::Accepted { commit } if commit == id));
    commits
        .iter()
        .find(|c| matches!(&c.write, BranchWrite::Foreign { cluster: whose } if whose == cluster) && !accepted(&c.id))
        .map(|c| c.id.clone())
}

impl Store for SimStore {
    async fn claim(&self, take_over: TakeOver) -> Result<Epoch, ClaimError> {
        self.claims_now(take_over)
    }

    async fn read(&self, cluster: &ClusterName) -> Result<Reading, StoreError> {
        self.reads(cluster)
    }

    async fn append(&self, record: Record) -> Result<Appended, StoreError> {
        self.appends(record)
    }

    async fn flush(&self) -> Result<(), StoreError> {
        // What could not be pushed stays pending; whoever stops loses it, and looks again when it starts.
        self.sync(&mut lock(&self.own)).map(|_| ())
    }
}
