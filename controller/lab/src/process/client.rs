//! A controller's side of the socket, and that of a script which makes things go wrong.

use super::wire::{Answer, Ask, LONGEST_LINE, Status};
use crate::effect::Effect;
use crate::fault::Planned;
use crate::observe::each_span;
use drydock_engine::ports::{Clock, Clusters, PerformError, Wanted};
use drydock_model::fact::Gap;
use drydock_model::observed::{ClusterFacts, NodeFacts, Observed};
use drydock_model::order::{Order, Receipt};
use drydock_model::time::Span;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

/// The clusters of a lab process.
#[derive(Debug, Clone)]
pub struct Client<C> {
    socket: PathBuf,
    timeout: Duration,
    clock: C,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The lab knows nothing of the question.
    #[error("the lab cannot be reached: {0}")]
    NotSent(String),
    /// The question was sent, and perhaps acted on.
    #[error("the lab did not answer: {0}")]
    Unknown(String),
}

/// A connection that is held open, so that the lab stays.
#[derive(Debug)]
pub struct Held {
    _stream: UnixStream,
}

impl<C: Clock> Client<C> {
    /// A client of the lab at `socket`. A call ends after `timeout`, in real time.
    pub fn new(socket: &Path, timeout: Duration, clock: C) -> Client<C> {
        Client { socket: socket.to_owned(), timeout, clock }
    }

    /// How everything stands in truth.
    pub async fn status(&self) -> Result<Status, CallError> {
        match self.call(&Ask::Status).await? {
            Answer::Status(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    }

    /// Has a fault strike; returns it with what was drawn, or `None` where there is no such cluster or node.
    pub async fn plan(&self, planned: Planned) -> Result<Option<Planned>, CallError> {
        match self.call(&Ask::Plan(planned)).await? {
            Answer::Planned(planned) => Ok(planned),
            other => Err(unexpected(&other)),
        }
    }

    /// No more faults.
    pub async fn calm(&self) -> Result<(), CallError> {
        match self.call(&Ask::Calm).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// What happened, less the first `after`.
    pub async fn effects(&self, after: usize) -> Result<Vec<Effect>, CallError> {
        match self.call(&Ask::Effects { after }).await? {
            Answer::Effects(effects) => Ok(effects),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends the lab.
    pub async fn stop(&self) -> Result<(), CallError> {
        match self.call(&Ask::Stop).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Holds a connection open: the lab does not end by itself before this is dropped.
    pub async fn hold(&self) -> Result<Held, CallError> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| CallError::NotSent(e.to_string()))?;
        Ok(Held { _stream: stream })
    }

    /// One question on a connection of its own, so that a slow answer holds up no other question.
    async fn call(&self, ask: &Ask) -> Result<Answer, CallError> {
        let mut text = serde_json::to_vec(ask).map_err(|e| CallError::NotSent(e.to_string()))?;
        text.push(b'\n');
        let mut sent = false;
        match tokio::time::timeout(self.timeout, self.exchange(&text, &mut sent)).await {
            Ok(answer) => answer,
            // The line's end is sent last: before that, the lab has heard nothing.
            Err(_) if sent => Err(CallError::Unknown(format!("nothing within {:?}", self.timeout))),
            Err(_) => Err(CallError::NotSent(format!("no connection within {:?}", self.timeout))),
        }
    }

    async fn exchange(&self, text: &[u8], sent: &mut bool) -> Result<Answer, CallError> {
        let not_sent = |e: std::io::Error| CallError::NotSent(e.to_string());
        let mut stream = UnixStream::connect(&self.socket).await.map_err(not_sent)?;
        stream.write_all(text).await.map_err(not_sent)?;
        *sent = true;
        let mut line = Vec::new();
        let mut reader = BufReader::new(stream).take(LONGEST_LINE);
        reader.read_until(b'\n', &mut line).await.map_err(|e| CallError::Unknown(e.to_string()))?;
        if line.last() != Some(&b'\n') {
            return Err(CallError::Unknown("the connection was closed".to_owned()));
        }
        serde_json::from_slice(&line).map_err(|e| CallError::Unknown(format!("not understood: {e}")))
    }
}

fn unexpected(answer: &Answer) -> CallError {
    match answer {
        Answer::Bad(why) => CallError::Unknown(why.clone()),
        Answer::Observed { .. }
        | Answer::Receipt(_)
        | Answer::NotSent(_)
        | Answer::Unknown(_)
        | Answer::Status(_)
        | Answer::Planned(_)
        | Answer::Done
        | Answer::Effects(_) => CallError::Unknown("it answered another question".to_owned()),
    }
}

impl<C: Clock> Clusters for Client<C> {
    async fn observe(&self, wanted: &Wanted) -> Observed {
        let nodes = wanted.desired.nodes.clone();
        let from = self.clock.now();
        let answer = self.call(&Ask::Observe { cluster: wanted.desired.cluster.clone(), nodes: nodes.clone() }).await;
        let span = Span { from, to: self.clock.now() };
        let gap = match answer {
            Ok(Answer::Observed { observed, age }) => {
                let mut observed = *observed;
                each_span(&mut observed, |seen| *seen = Span { from: span.from - age, to: span.to - age });
                return observed;
            }
            Ok(other) => Gap::Unparsable(unexpected(&other).to_string()),
            Err(CallError::NotSent(_)) => Gap::Unreachable,
            Err(CallError::Unknown(_)) => Gap::TimedOut,
        };
        Observed { nodes: nodes.into_iter().map(|n| (n, NodeFacts::unknown(&gap))).collect(), cluster: ClusterFacts::unknown(&gap), span }
    }

    async fn perform(&self, _wanted: &Wanted, order: &Order) -> Result<Receipt, PerformError> {
        match self.call(&Ask::Perform(Box::new(order.clone()))).await {
            Ok(Answer::Receipt(receipt)) => Ok(receipt),
            Ok(Answer::NotSent(why)) | Err(CallError::NotSent(why)) => Err(PerformError::NotSent(why)),
            Ok(Answer::Unknown(why)) | Err(CallError::Unknown(why)) => Err(PerformError::Unknown(why)),
            Ok(other) => Err(PerformError::Unknown(unexpected(&other).to_string())),
        }
    }
}
