//! A bare repository in a folder of its own, and controllers' ends of its status branch: the real store, real signatures, a clock of the test's own.

use crate::sim::node;
use drydock_engine::ports::{Appended, Clock, Record, Store, StoreError, Wanted};
use drydock_git::status::{GitStore, Home};
use drydock_git::{AllowedKeys, Draft, Dropped, Edit, Group, Mirror, Oid, Pushed, RefName, Remote, SigningKey, Stamp as Who, Wire};
use drydock_model::connection::Connection;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{ClusterName, EntryId, Epoch, NodeId, Place, Revision};
use drydock_model::ledger::{Event, Intent, Ledger};
use drydock_model::observed::{ClusterFacts, Observed};
use drydock_model::plan::{Decision, HoldReason, Report, WindowReport};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Span, Stamp, Timestamp};
use drydock_spec::wire::words::{self, Said};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{LineEnding, PrivateKey};
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use tempfile::TempDir;

/// When stories with a real repository begin.
pub const BEGIN: Timestamp = Timestamp(1_767_571_200_000);

/// A clock that stands still until it is told otherwise, and dice that are the same in every run.
#[derive(Debug, Default)]
pub struct TestClock {
    now: AtomicI64,
    thrown: AtomicU64,
}

impl TestClock {
    /// It is set.
    pub fn set(&self, to: Timestamp) {
        self.now.store(to.0, Ordering::SeqCst);
    }

    /// Time passes.
    pub fn pass(&self, time: Millis) {
        let millis = i64::try_from(time.0).unwrap_or(i64::MAX);
        self.now.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now.load(Ordering::SeqCst))
    }

    async fn sleep(&self, time: Millis) {
        self.pass(time);
        tokio::task::yield_now().await;
    }

    fn dice(&self) -> u64 {
        let n = self.thrown.fetch_add(1, Ordering::SeqCst) + 1;
        n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31)
    }
}

/// One controller's line to the remote.
#[derive(Debug, Default)]
pub struct Line {
    down: AtomicBool,
    lost_answers: AtomicU32,
    pushes: AtomicU32,
}

impl Line {
    /// The remote cannot be reached, or can again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// The next `n` pushes land, and their answers are lost.
    pub fn lose_answers(&self, n: u32) {
        self.lost_answers.store(n, Ordering::SeqCst);
    }

    /// How many pushes set out.
    pub fn pushes(&self) -> u32 {
        self.pushes.load(Ordering::SeqCst)
    }

    fn up(&self) -> Result<(), Dropped> {
        if self.down.load(Ordering::SeqCst) { Err(Dropped("the line is cut")) } else { Ok(()) }
    }
}

impl Wire for Line {
    fn fetching(&self) -> Result<(), Dropped> {
        self.up()
    }

    fn request(&self) -> Result<(), Dropped> {
        self.up()?;
        self.pushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn storing(&self) -> io::Result<()> {
        Ok(())
    }

    fn answer(&self) -> Result<(), Dropped> {
        match self.lost_answers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(Dropped("the answer was lost")),
            Err(_) => Ok(()),
        }
    }
}

/// A bare repository and whoever writes to it.
pub struct Remotes {
    folder: TempDir,
    /// The clock of everybody.
    pub clock: Arc<TestClock>,
}

/// One controller's end of the branch.
pub struct End {
    /// The store.
    pub store: GitStore<TestClock>,
    /// Its line.
    pub line: Arc<Line>,
    clock: Arc<TestClock>,
}

/// Who signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// A controller.
    North,
    /// Another controller.
    South,
    /// A person whose words count.
    Ann,
    /// Somebody whom nobody knows.
    Stranger,
}

impl Hand {
    /// The key; the same in every run.
    pub fn key(self) -> SigningKey {
        let seed = match self {
            Hand::North => 1,
            Hand::South => 2,
            Hand::Ann => 3,
            Hand::Stranger => 4,
        };
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32]));
        let text = PrivateKey::new(pair, "test").and_then(|key| key.to_openssh(LineEnding::LF)).unwrap_or_else(|e| panic!("a key: {e}"));
        SigningKey::from_openssh(&text, None).unwrap_or_else(|e| panic!("a key: {e}"))
    }
}

/// The status branch.
pub fn status_branch() -> RefName {
    RefName::branch("drydock/status").unwrap_or_else(|e| panic!("{e}"))
}

/// A cluster's name.
pub fn cluster(name: &str) -> ClusterName {
    name.parse().unwrap_or_else(|_| panic!("{name} is no cluster's name"))
}

/// Waits for a future on a runtime of its own.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap_or_else(|e| panic!("{e}"));
    runtime.block_on(future)
}

impl Remotes {
    /// An empty bare repository.
    pub fn empty() -> Remotes {
        let folder = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
        let remotes = Remotes { folder, clock: Arc::new(TestClock::default()) };
        remotes.clock.now.store(BEGIN.0, Ordering::SeqCst);
        git2::Repository::init_bare(remotes.path()).unwrap_or_else(|e| panic!("{e}"));
        remotes
    }

    /// The same with a status branch, as `drydock init` makes it.
    pub fn new() -> Remotes {
        let remotes = Remotes::empty();
        let mut mirror = remotes.mirror("init");
        let made = drydock_git::status::init(&mut mirror, &status_branch(), "north", &Hand::North.key(), BEGIN, 0);
        made.unwrap_or_else(|e| panic!("{e}"));
        remotes
    }

    /// Where the repository is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("fleet.git")
    }

    /// A folder beside it.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A mirror of the repository in a state folder of that name.
    pub fn mirror(&self, name: &str) -> Mirror {
        Mirror::open(&self.beside(name), Remote::at_path(&self.path())).unwrap_or_else(|e| panic!("{e}"))
    }

    /// A controller's end, with the state folder of that name.
    pub fn end(&self, name: &str, hand: Hand, state: &str) -> End {
        let (home, line) = self.home(name, hand, state);
        let store = GitStore::new(home, Arc::clone(&self.clock)).unwrap_or_else(|e| panic!("{e}"));
        End { store, line, clock: Arc::clone(&self.clock) }
    }

    /// What a controller's store is made of, and its line.
    pub fn home(&self, name: &str, hand: Hand, state: &str) -> (Home, Arc<Line>) {
        let line = Arc::new(Line::default());
        let mut mirror = self.mirror(state);
        mirror.set_wire(line.clone());
        let controllers = AllowedKeys::default().and("north", &Hand::North.key()).and("south", &Hand::South.key());
        let persons = AllowedKeys::default().and("ann", &Hand::Ann.key());
        (Home { mirror, branch: status_branch(), name: name.to_owned(), key: hand.key(), controllers, persons }, line)
    }

    /// The controller `north`, with its usual state folder.
    pub fn north(&self) -> End {
        self.end("north", Hand::North, "north")
    }

    /// The repository itself.
    pub fn repository(&self) -> git2::Repository {
        git2::Repository::open_bare(self.path()).unwrap_or_else(|e| panic!("{e}"))
    }

    /// What the status branch is.
    pub fn head(&self) -> Option<Oid> {
        self.repository().refname_to_id(status_branch().full()).ok()
    }

    /// Sets the status branch by force, as somebody with a shell on the server may.
    pub fn force(&self, to: Option<Oid>) {
        let repository = self.repository();
        match to {
            Some(to) => drop(repository.reference(status_branch().full(), to, true, "by hand").unwrap_or_else(|e| panic!("{e}"))),
            None => {
                let reference = repository.find_reference(status_branch().full());
                reference.and_then(|mut r| r.delete()).unwrap_or_else(|e| panic!("{e}"));
            }
        }
    }

    /// The messages of the branch's commits, newest first.
    pub fn log(&self) -> Vec<String> {
        self.commits().into_iter().map(|(_, message)| message).collect()
    }

    /// The branch's commits, newest first, with their messages.
    pub fn commits(&self) -> Vec<(Oid, String)> {
        let repository = self.repository();
        let mut walk = repository.revwalk().unwrap_or_else(|e| panic!("{e}"));
        let Some(head) = self.head() else { return Vec::new() };
        walk.push(head).unwrap_or_else(|e| panic!("{e}"));
        walk.flatten()
            .map(|oid| {
                let commit = repository.find_commit(oid).unwrap_or_else(|e| panic!("{e}"));
                (oid, commit.message().unwrap_or_default().to_owned())
            })
            .collect()
    }

    /// How many commits of the branch are entries of a cluster.
    pub fn entries_of(&self, name: &str) -> usize {
        self.log().iter().filter(|message| message.contains(&format!("\nCluster: {name}\n"))).count()
    }

    /// A file as a commit has it.
    pub fn file(&self, commit: Oid, path: &str) -> Option<String> {
        let repository = self.repository();
        let tree = repository.find_commit(commit).and_then(|c| c.tree()).ok()?;
        let entry = tree.get_path(std::path::Path::new(path)).ok()?;
        let blob = repository.find_blob(entry.id()).ok()?;
        String::from_utf8(blob.content().to_vec()).ok()
    }

    /// References whose name begins so.
    pub fn references(&self, prefix: &str) -> Vec<(String, Oid)> {
        let repository = self.repository();
        let all = repository.references().unwrap_or_else(|e| panic!("{e}"));
        all.flatten().filter_map(|r| Some((r.name().ok()?.to_owned(), r.target()?))).filter(|(name, _)| name.starts_with(prefix)).collect()
    }

    /// Somebody puts a commit on top of the branch.
    pub fn put(&self, hand: Hand, edits: Vec<Edit>, message: &str) -> Oid {
        let mut mirror = self.mirror(&format!("hand-{hand:?}"));
        let tip = mirror.fetch(&[status_branch()]).unwrap_or_else(|e| panic!("{e}")).of(&status_branch()).oid();
        let who = Who { name: format!("{hand:?}"), email: "someone@example.org".to_owned(), seconds: BEGIN.0 / 1_000, offset_minutes: 0 };
        let draft = Draft { edits, message: message.to_owned(), author: who.clone(), committer: who };
        let mut group = Group::begin(&mirror, tip).unwrap_or_else(|e| panic!("{e}"));
        let commit = group.add(&draft, &hand.key()).unwrap_or_else(|e| panic!("{e}"));
        group.store(&mirror).unwrap_or_else(|e| panic!("{e}"));
        assert!(matches!(mirror.push(&status_branch(), tip, commit), Pushed::Landed));
        commit
    }

    /// Somebody puts an unsigned commit with these parents and the tree of `like` on the branch, by a fast-forward.
    pub fn join(&self, parents: &[Oid], like: Oid) -> Oid {
        let repository = self.repository();
        let found = |oid: &Oid| repository.find_commit(*oid).unwrap_or_else(|e| panic!("{e}"));
        let parents: Vec<git2::Commit<'_>> = parents.iter().map(found).collect();
        let tree = found(&like).tree().unwrap_or_else(|e| panic!("{e}"));
        let who =
            git2::Signature::new("Someone", "someone@example.org", &git2::Time::new(BEGIN.0 / 1_000, 0)).unwrap_or_else(|e| panic!("{e}"));
        let joined =
            repository.commit(None, &who, &who, "a merge", &tree, &parents.iter().collect::<Vec<_>>()).unwrap_or_else(|e| panic!("{e}"));
        self.force(Some(joined));
        joined
    }

    /// Somebody writes over a file.
    pub fn write(&self, hand: Hand, path: &str, text: &str) -> Oid {
        self.put(hand, vec![Edit::Put { path: path.to_owned(), bytes: text.as_bytes().to_vec() }], "I know better")
    }

    /// A word is said, signed with this hand.
    pub fn say(&self, hand: Hand, said: &Said) -> Oid {
        self.put(hand, Vec::new(), &words::encode(said))
    }

    /// A hook of the repository.
    pub fn hook(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path().join("hooks").join(name);
        std::fs::create_dir_all(self.path().join("hooks")).unwrap_or_else(|e| panic!("{e}"));
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap_or_else(|e| panic!("{e}"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap_or_else(|e| panic!("{e}"));
    }
}

impl Default for Remotes {
    fn default() -> Remotes {
        Remotes::new()
    }
}

impl End {
    /// Claims without taking over.
    pub fn claim(&self) -> Result<Epoch, drydock_engine::ports::ClaimError> {
        wait(self.store.claim(drydock_engine::ports::TakeOver::No))
    }

    /// Claims, whoever holds it.
    pub fn take_over(&self) -> Result<Epoch, drydock_engine::ports::ClaimError> {
        wait(self.store.claim(drydock_engine::ports::TakeOver::Yes))
    }

    /// Looks.
    pub fn read(&self, name: &str) -> Result<drydock_engine::ports::Reading, StoreError> {
        wait(self.store.read(&cluster(name)))
    }

    /// The ledger.
    pub fn ledger(&self, name: &str) -> Ledger {
        match self.read(name).map(|reading| reading.ledger) {
            Ok(Fact::Known { value, .. }) => value,
            Ok(Fact::Unknown(gap)) => panic!("no ledger of {name}: {gap}"),
            Err(error) => panic!("no ledger of {name}: {error}"),
        }
    }

    /// Writes one entry.
    pub fn append(&self, name: &str, events: Vec<Event>) -> Result<Appended, StoreError> {
        wait(self.store.append(record(name, events, self.clock.now())))
    }

    /// Writes a note of that state.
    pub fn note(&self, name: &str, state: &str) -> Result<Appended, StoreError> {
        self.append(name, vec![Event::Noted { state: state.to_owned() }])
    }
}

/// An entry with these events, for a cluster of two nodes of which nothing was seen.
pub fn record(name: &str, events: Vec<Event>, at: Timestamp) -> Record {
    let wanted = Wanted {
        path: format!("clusters/{name}.yaml"),
        desired: Arc::new(crate::sim::desired(&cluster(name), 2)),
        revision: revision(1),
        connection: Connection::lab(),
        problem: None,
        warnings: Vec::new(),
    };
    Record {
        cluster: cluster(name),
        path: wanted.path.clone(),
        events,
        stamp: Stamp::At(at),
        at,
        decision: Decision::Hold(HoldReason::SingleNode),
        report: Report {
            nodes: BTreeMap::new(),
            window: WindowReport::Always,
            next: "waits".to_owned(),
            next_at: None,
            blocked_by: Vec::new(),
            warnings: Vec::new(),
            estimate: None,
        },
        observed: Observed { nodes: BTreeMap::new(), cluster: ClusterFacts::unknown(&Gap::NotAsked), span: Span::at(at) },
        remote: drydock_model::plan::Remote::Confirmed,
        stop: None,
        wanted: Arc::new(wanted),
    }
}

/// A Vacate of N01 as the first entry of a claim.
pub fn vacate(name: &str, epoch: &Epoch) -> Intent {
    let text = |t: &str| t.to_owned();
    Intent {
        entry: EntryId { cluster: cluster(name), place: Place { epoch: epoch.clone(), seq: 1 } },
        base: 1,
        step: Step::Vacate,
        purpose: Purpose::Upgrade,
        node: NodeId {
            name: node(1),
            machine: text("machine-1").parse().unwrap_or_else(|_| panic!("a machine")),
            cluster: text("cluster").parse().unwrap_or_else(|_| panic!("a cluster")),
            node: text("1").parse().unwrap_or_else(|_| panic!("a node")),
        },
        spec: text("spec-1").parse().unwrap_or_else(|_| panic!("a hash")),
        revision: revision(1),
        target: crate::sim::desired(&cluster(name), 2).target,
        attempt: 1,
        boot: None,
        opened: Stamp::Unknown,
        cancelled: None,
    }
}

/// A revision of the fleet.
pub fn revision(n: u64) -> Revision {
    format!("{n:040x}").parse().unwrap_or_else(|_| panic!("a revision"))
}
