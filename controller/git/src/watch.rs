//! Waking early when a repository on this machine changes. An event carries no information and may be missing: it only shortens a
//! sleep, so that everything works the same, later, without any.

use crate::landing;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Notify;

/// Ends a sleep. Any number of wakes before it is looked at are one.
#[derive(Debug, Clone, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// Ends the sleep, or the next one if nobody sleeps.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Waits for a wake; to be used beside a sleep, never instead of one.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Watches as long as it lives.
pub struct Watch(RecommendedWatcher);

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    /// Wakes when the references of the repository at this path change. `None`, and a warning, if that cannot be watched.
    #[must_use]
    pub fn start(path: &Path, waker: &Waker) -> Option<Self> {
        match Self::try_start(path, waker.clone()) {
            Ok(watch) => Some(watch),
            Err(why) => {
                tracing::warn!(path = %path.display(), why, "the repository cannot be watched; changes are seen at the next poll instead");
                None
            }
        }
    }

    fn try_start(path: &Path, waker: Waker) -> Result<Self, String> {
        let folder = landing::open(path).map_err(|trouble| trouble.to_string())?.commondir().to_owned();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // What the watcher cannot tell us is a reason to look, too.
            if event.as_ref().map_or(true, matters) {
                waker.wake();
            }
        })
        .map_err(|error| error.to_string())?;
        // Branches are files under refs, or lines of packed-refs.
        watcher.watch(&folder.join("refs"), RecursiveMode::Recursive).map_err(|error| error.to_string())?;
        watcher.watch(&folder, RecursiveMode::NonRecursive).map_err(|error| error.to_string())?;
        Ok(Self(watcher))
    }

    /// Ends the watch.
    pub fn stop(self) {
        drop(self.0);
    }
}

/// Whether an event can mean that a reference changed: reading does not, and neither do the files that only live while one is written.
fn matters(event: &Event) -> bool {
    let passing = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".lock") || name.starts_with("drydock-ref-")
    };
    match event.kind {
        EventKind::Access(_) => false,
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => {
            event.paths.is_empty() || !event.paths.iter().all(|path| passing(path))
        }
    }
}
