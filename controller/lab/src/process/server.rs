//! The lab's side of the socket.

use super::wire::{Answer, Ask, LONGEST_LINE, answer};
use crate::lab::Lab;
use crate::sim::lock;
use drydock_engine::ports::Clock;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;

/// Bounds of a lab process.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// It ends once nobody has been connected for so long, in real time: whoever started it is gone.
    pub idle: Duration,
    /// Connections at a time; more are closed at once.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        // Three minutes outlast any restart of a controller; 256 is a connection for each of some dozens of clusters' probes and orders.
        Limits { idle: Duration::from_secs(180), connections: 256 }
    }
}

/// Why a lab cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Another process serves there.
    #[error("another lab already answers at {}", .0.display())]
    Taken(PathBuf),
    /// The socket cannot be made or used.
    #[error("the socket {} cannot be served", .path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Whether a connection's last question was to stop.
enum Ended {
    Closed,
    Stop,
}

/// Serves a lab until it is told to stop, or nobody has been connected for a while. The lab's time is the clock's.
pub async fn serve<C: Clock + 'static>(path: &Path, lab: Lab, clock: C, limits: Limits) -> Result<(), ServeError> {
    let broken = |source| ServeError::Socket { path: path.to_owned(), source };
    let listener = bind(path).await?;
    let lab = Arc::new(Mutex::new(lab));
    let clock = Arc::new(clock);
    let mut open: JoinSet<io::Result<Ended>> = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.map_err(broken)?;
                if open.len() < limits.connections {
                    open.spawn(converse(stream, lab.clone(), clock.clone()));
                }
            }
            Some(ended) = open.join_next(), if !open.is_empty() => match ended {
                Ok(Ok(Ended::Stop)) => break,
                Ok(Ok(Ended::Closed)) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a connection to the lab broke"),
                Err(error) => tracing::error!(%error, "a conversation with the lab failed"),
            },
            () = tokio::time::sleep(limits.idle), if open.is_empty() => {
                tracing::info!("nobody has been connected for {:?}: the lab ends", limits.idle);
                break;
            }
        }
    }
    drop(listener);
    std::fs::remove_file(path).map_err(broken)
}

/// Binds, over a socket file that a dead process left behind.
async fn bind(path: &Path) -> Result<UnixListener, ServeError> {
    let broken = |source| ServeError::Socket { path: path.to_owned(), source };
    if path.exists() {
        if UnixStream::connect(path).await.is_ok() {
            return Err(ServeError::Taken(path.to_owned()));
        }
        std::fs::remove_file(path).map_err(broken)?;
    }
    UnixListener::bind(path).map_err(broken)
}

async fn converse<C: Clock>(stream: UnixStream, lab: Arc<Mutex<Lab>>, clock: Arc<C>) -> io::Result<Ended> {
    let (read, mut write) = stream.into_split();
    let mut reader = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await?;
        // What has no end was not said: a half-sent order is never performed.
        if line.last() != Some(&b'\n') {
            return Ok(Ended::Closed);
        }
        let (said, stop) = match serde_json::from_slice::<Ask>(&line) {
            Ok(ask) => {
                let stop = matches!(ask, Ask::Stop);
                let mut lab = lock(&lab);
                lab.advance_to(clock.now());
                (answer(&mut lab, ask), stop)
            }
            Err(error) => (Answer::Bad(error.to_string()), false),
        };
        let mut text = serde_json::to_vec(&said).map_err(io::Error::other)?;
        text.push(b'\n');
        write.write_all(&text).await?;
        if stop {
            return Ok(Ended::Stop);
        }
    }
}
