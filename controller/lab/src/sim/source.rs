//! Desired state that a harness sets.

use super::lock;
use drydock_engine::ports::{Fleet, Source, SourceError};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Desired state that a harness sets.
#[derive(Debug, Clone)]
pub struct SimSource {
    now: Arc<Mutex<Result<Arc<Fleet>, SourceError>>>,
    stir: Arc<Notify>,
}

impl SimSource {
    /// A source that gives `fleet`.
    pub fn new(fleet: Fleet) -> SimSource {
        SimSource { now: Arc::new(Mutex::new(Ok(Arc::new(fleet)))), stir: Arc::new(Notify::new()) }
    }

    /// What it gives from now on.
    pub fn set(&self, answer: Result<Fleet, SourceError>) {
        *lock(&self.now) = answer.map(Arc::new);
        self.stir.notify_one();
    }
}

impl Source for SimSource {
    async fn read(&self) -> Result<Arc<Fleet>, SourceError> {
        lock(&self.now).clone()
    }

    async fn stirred(&self) {
        self.stir.notified().await;
    }
}
