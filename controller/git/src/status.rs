//! The ledger store: each cluster's entries as commits on the status branch, under a claim, pushed together.
//!
//! ```text
//!   claim   who may write; ledgers are taken up once, then kept in step                 (rules 1 to 5)
//!   survey  what the branch says since the last claim, and which of it is ledger        (rules 1, 7)
//!   keeper  a look at the remote: what came, from whom, and what it means               (rules 7, 8)
//!   write   entries become commits; the same objects go again until their fate is known (rules 6, 9)
//! ```
//! Blocking inside, behind one lock: whoever waits for the lock finds the work of those before it done, so that many clusters share a fetch and a push.

mod claim;
mod init;
mod keeper;
mod line;
mod survey;
mod unwritten;
mod write;

pub use init::{InitError, adopt, init};

use crate::commit::Stamp as Person;
use crate::mirror::Mirror;
use crate::names::RefName;
use crate::signing::{AllowedKeys, SigningKey};
use crate::trouble::Trouble;
use drydock_engine::ports::{Appended, ClaimError, Clock, Reading, Record, Store, StoreError, TakeOver, Wanted};
use drydock_model::ids::{ClusterName, Epoch, Revision};
use drydock_model::time::Timestamp;
use keeper::Keeper;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Who writes, where, and whose words count.
pub struct Home {
    /// The mirror of the remote that holds the branch.
    pub mirror: Mirror,
    /// The branch.
    pub branch: RefName,
    /// This controller's configured name.
    pub name: String,
    /// What it signs with.
    pub key: SigningKey,
    /// Whose entries are ledger; our own key always is one.
    pub controllers: AllowedKeys,
    /// Whose words count.
    pub persons: AllowedKeys,
}

/// What the status branch says that the desired source must know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    /// Revisions of the desired branch that were accepted; the newest must descend from each of them.
    pub accepted: Vec<Revision>,
    /// A revision that a person let in although it does not descend from those.
    pub let_in: Option<Revision>,
    /// Revisions that entries after that word serve: once one of them descends from it, the word has been used.
    pub served: Vec<Revision>,
    /// What was last wanted of each cluster.
    pub wanted: BTreeMap<ClusterName, Arc<Wanted>>,
}

/// The store.
pub struct GitStore<C> {
    keeper: Arc<Mutex<Keeper>>,
    shared: Arc<Mutex<Shared>>,
    /// Counts looks at the remote, so that a caller knows whether one began after it asked.
    asked: AtomicU64,
    clock: Arc<C>,
}

impl<C: Clock + 'static> GitStore<C> {
    /// A store that has not claimed yet.
    pub fn new(home: Home, clock: Arc<C>) -> Result<GitStore<C>, Trouble> {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let keeper = Keeper::new(home, Arc::clone(&shared))?;
        Ok(GitStore { keeper: Arc::new(Mutex::new(keeper)), shared, asked: AtomicU64::new(0), clock })
    }

    /// What the desired source must know.
    pub fn shared(&self) -> Arc<Mutex<Shared>> {
        Arc::clone(&self.shared)
    }

    /// Runs blocking work behind the lock, on a thread that may block.
    async fn behind<T: Send + 'static>(&self, work: impl FnOnce(&mut Keeper) -> T + Send + 'static) -> Result<T, String> {
        let keeper = Arc::clone(&self.keeper);
        // A panic behind the lock left nothing half done that the next look would not find: what counts is in the repository.
        tokio::task::spawn_blocking(move || work(&mut keeper.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
            .map_err(|_| "the work on the repository was broken off".to_owned())
    }
}

impl<C: Clock + 'static> Store for GitStore<C> {
    async fn claim(&self, take_over: TakeOver) -> Result<Epoch, ClaimError> {
        let (now, dice) = (self.clock.now(), (self.clock.dice(), self.clock.dice()));
        self.behind(move |keeper| keeper.claim(take_over, now, dice)).await.map_err(ClaimError::Local)?
    }

    async fn read(&self, cluster: &ClusterName) -> Result<Reading, StoreError> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let cluster = cluster.clone();
        self.behind(move |keeper| keeper.read(&cluster, asked)).await.map_err(StoreError::Local)?
    }

    async fn append(&self, record: Record) -> Result<Appended, StoreError> {
        let cluster = record.cluster.clone();
        let entry = self.behind(move |keeper| keeper.commit(record)).await.map_err(StoreError::Local)??;
        self.behind(move |keeper| keeper.push(&cluster, entry)).await.map_err(StoreError::Local)?
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.behind(Keeper::flush).await.map_err(StoreError::Local)?
    }
}

fn person(name: &str, at: Timestamp) -> Person {
    Person { name: name.to_owned(), email: format!("{name}@drydock.invalid"), seconds: at.0.div_euclid(1_000), offset_minutes: 0 }
}
