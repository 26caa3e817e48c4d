//! Sessions: one PowerShell on each node, kept warm, fed requests, always taken away again.
//!
//! A session lives in a task of its own, which ends it whatever happens to those who asked: a caller that stops waiting loses its answer and
//! nothing else. What was not sent is sent once more over a new session; what was sent is never repeated here.

mod actor;
mod caught;
mod channel;
mod host;
mod target;

pub(crate) use crate::wsman::Output;
pub(crate) use caught::caught;
pub(crate) use channel::Broken;
pub use host::Script;
pub use target::{Target, Transport};

use crate::auth::{Breaker, Instruments, Standing};
use crate::credential::Credentials;
use crate::error::SessionError;
use crate::winrm::Names;
use actor::Live;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Plain, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// How often those who wait for room look for an idle session.
const LOOK: Duration = Duration::from_millis(250);

/// How sessions behave.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whose shells these are: the controller's name and what it does (`shops-run`). Never used by two processes at once.
    pub owner: String,
    /// The session host's text.
    pub host: &'static str,
    /// Whether shells that an earlier process of this owner left on a node are removed at the first contact with it.
    pub sweep: bool,
    /// Requests under way at once, over all nodes.
    pub together: usize,
    /// Sessions open at once, over all nodes; idle ones make room.
    pub open: usize,
    /// A session that nobody used for so long is closed.
    pub idle: Duration,
    /// An empty line is written this often, so that host and shell stay.
    pub heartbeat: Duration,
    /// How long a connection may take, each of its parts.
    pub connect: Duration,
    /// How long PowerShell may take to greet.
    pub greeting: Duration,
}

impl Config {
    /// Usual times and bounds.
    pub fn new(owner: &str, host: &'static str) -> Self {
        Self {
            owner: owner.to_owned(),
            host,
            sweep: true,
            // Two cores drive some hundred nodes a second; a fleet's domain controllers bear so many logons.
            together: 32,
            open: 256,
            // Longer than the pause between two laps, shorter than anybody would wonder at.
            idle: Duration::from_secs(240),
            // The host waits three minutes for a line, and so does the shell.
            heartbeat: Duration::from_secs(60),
            connect: Duration::from_secs(15),
            greeting: Duration::from_secs(90),
        }
    }
}

/// What is going on, for `doctor`, metrics and tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Sessions opened since the start.
    pub opened: usize,
    /// Sessions that are open, or being closed, now.
    pub open: usize,
}

/// All sessions of a controller.
#[derive(Clone)]
pub struct Sessions {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    instruments: Arc<dyn Instruments>,
    credentials: Arc<Credentials>,
    breaker: Arc<Breaker>,
    names: Names,
    slots: Plain<BTreeMap<Target, Arc<Slot>>>,
    swept: Plain<BTreeSet<Target>>,
    together: Arc<Semaphore>,
    open: Arc<Semaphore>,
    opened: AtomicUsize,
    /// Those who wait for another node's session to end.
    waiting: AtomicUsize,
}

/// One node's place: one session, and at most one more that is being closed.
struct Slot {
    turn: Mutex<Option<Live>>,
    places: Arc<Semaphore>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Sessions {
    /// No session is opened yet.
    pub fn new(config: Config, instruments: Arc<dyn Instruments>, credentials: Arc<Credentials>, breaker: Arc<Breaker>) -> Self {
        let names = Names::new(&config.owner, instruments.dice());
        let inner = Inner {
            together: Arc::new(Semaphore::new(config.together.max(1))),
            open: Arc::new(Semaphore::new(config.open.max(1))),
            config,
            instruments,
            credentials,
            breaker,
            names,
            slots: Plain::default(),
            swept: Plain::default(),
            opened: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Runs `script` on a node, with `libraries` loaded before it, and gives its value. All of it takes at most `within`.
    pub async fn run(
        &self,
        target: &Target,
        script: Script,
        libraries: &[Script],
        arguments: Map<String, Value>,
        within: Duration,
    ) -> Result<Value, SessionError> {
        let deadline = Instant::now() + within;
        let slot = self.slot(target);
        let mut turn = timeout_at(deadline, slot.turn.lock())
            .await
            .map_err(|_| SessionError::Unreachable("the node's session is busy with another request".into()))?;
        // Only who has the node takes part in the fleet's bound: many who wait for one stuck node hold up nobody else.
        let busy = || SessionError::Unreachable("this controller is busy with other nodes".into());
        let acquired = timeout_at(deadline, self.inner.together.clone().acquire_owned()).await;
        let _working = acquired.ok().and_then(Result::ok).ok_or_else(busy)?;
        // A session from before may be dead without anybody knowing: then once more over a new one.
        if let Some(live) = turn.take_if(|live| live.is_over()) {
            drop(live);
        }
        if let Some(mut live) = turn.take() {
            match live.ask(script, libraries, arguments.clone(), deadline).await {
                Err(error) if !error.was_sent() => {
                    tracing::debug!(node = %target.node, %error, "a session was lost; a new one is opened");
                }
                Err(error) if !error.leaves_session() => return Err(error),
                result => {
                    self.keep(&mut turn, live);
                    return result;
                }
            }
        }
        let mut live = self.open(target, &slot, deadline).await?;
        let result = live.ask(script, libraries, arguments, deadline).await;
        if !matches!(&result, Err(error) if !error.leaves_session()) {
            self.keep(&mut turn, live);
        }
        result
    }

    /// Opens a session, if there is none, and tells what its host said of itself.
    pub async fn greet(&self, target: &Target, within: Duration) -> Result<Value, SessionError> {
        let deadline = Instant::now() + within;
        let slot = self.slot(target);
        let mut turn = timeout_at(deadline, slot.turn.lock())
            .await
            .map_err(|_| SessionError::Unreachable("the node's session is busy with another request".into()))?;
        drop(turn.take_if(|live| live.is_over()));
        if turn.is_none() {
            *turn = Some(self.open(target, &slot, deadline).await?);
        }
        Ok(turn.as_ref().map(|live| live.hello.clone()).unwrap_or_default())
    }

    /// Ends all sessions and waits until they are gone from the nodes, at most `within`. Tells whether all are.
    pub async fn close(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let slots: Vec<_> = lock(&self.inner.slots).values().cloned().collect();
        for slot in &slots {
            if let Ok(mut turn) = timeout_at(deadline, slot.turn.lock()).await {
                *turn = None;
            }
        }
        let all = u32::try_from(self.inner.config.open.max(1)).unwrap_or(u32::MAX);
        matches!(timeout_at(deadline, self.inner.open.acquire_many(all)).await, Ok(Ok(_)))
    }

    /// What is going on.
    pub fn figures(&self) -> Figures {
        let free = self.inner.open.available_permits();
        Figures { opened: self.inner.opened.load(Ordering::Relaxed), open: self.inner.config.open.max(1).saturating_sub(free) }
    }

    /// Credentials that are held back, for the status.
    pub fn standings(&self) -> Vec<Standing> {
        self.inner.breaker.standings()
    }

    fn slot(&self, target: &Target) -> Arc<Slot> {
        let mut slots = lock(&self.inner.slots);
        if !slots.contains_key(target) {
            // Nodes that nobody asks about any more leave no trace.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.turn.try_lock().is_ok_and(|turn| turn.is_some()));
        }
        let fresh = || Arc::new(Slot { turn: Mutex::new(None), places: Arc::new(Semaphore::new(2)) });
        slots.entry(target.clone()).or_insert_with(fresh).clone()
    }

    async fn open(&self, target: &Target, slot: &Slot, deadline: Instant) -> Result<Live, SessionError> {
        let late = |what: &str| SessionError::Unreachable(format!("{what} within the time allowed"));
        let place = timeout_at(deadline, slot.places.clone().acquire_owned()).await;
        let place = place.ok().and_then(Result::ok).ok_or_else(|| late("two stuck sessions of this node did not end"))?;
        let open = timeout_at(deadline, self.room()).await;
        let open = open.ok().flatten().ok_or_else(|| late("no session of another node ended"))?;
        let sweep = self.inner.config.sweep && lock(&self.inner.swept).insert(target.clone());
        let opening = actor::open(self.inner.clone(), target.clone(), sweep, [place, open]);
        // In a task of its own: a caller that stops waiting must not leave half a session behind.
        let live = match timeout_at(deadline, tokio::spawn(opening)).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(SessionError::Unreachable("opening the session failed within the controller".into())),
            Err(_) => Err(late("the node did not open a session")),
        };
        match live {
            Ok(live) => {
                self.inner.opened.fetch_add(1, Ordering::Relaxed);
                Ok(live)
            }
            Err(error) => {
                // What could not be looked at is looked at the next time.
                lock(&self.inner.swept).remove(target);
                Err(error)
            }
        }
    }

    /// Leaves a session to the next one who asks, unless others need its room more.
    fn keep(&self, turn: &mut Option<Live>, live: Live) {
        if self.inner.waiting.load(Ordering::SeqCst) == 0 {
            *turn = Some(live);
        }
    }

    /// The right to one more session; idle ones are ended for it.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.inner.open.clone().try_acquire_owned() {
            return Some(permit);
        }
        let _waiting = Waiting::new(&self.inner.waiting);
        loop {
            self.make_room();
            // A session that became idle just when we looked is seen the next time.
            if let Ok(permit) = timeout(LOOK, self.inner.open.clone().acquire_owned()).await {
                return permit.ok();
            }
        }
    }

    /// Ends the session that was unused for longest.
    fn make_room(&self) {
        let slots: Vec<_> = lock(&self.inner.slots).values().cloned().collect();
        let mut oldest = None;
        for slot in &slots {
            if let Ok(turn) = slot.turn.try_lock()
                && let Some(used) = turn.as_ref().map(|live| live.used)
                && oldest.as_ref().is_none_or(|(since, _)| used < *since)
            {
                oldest = Some((used, turn));
            }
        }
        if let Some((_, mut turn)) = oldest {
            *turn = None;
        }
    }
}

/// Counts one who waits, for as long as it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn lock<T>(mutex: &Plain<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
