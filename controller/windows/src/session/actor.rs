//! The task that owns one session: opens it, runs requests one by one, keeps it alive, and ends it.

use super::channel::Channel;
use super::host::{Host, Script, arguments};
use super::{Inner, Target, Transport};
use crate::error::SessionError;
use crate::local::Local;
use crate::ssh::{Ssh, Way};
use crate::winrm::{Door, Winrm};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// An idle session writes a line and waits for it at most so long.
const BEAT: Duration = Duration::from_secs(40);

struct Job {
    script: Script,
    libraries: Vec<Script>,
    arguments: Map<String, Value>,
    deadline: Instant,
    reply: oneshot::Sender<Result<Value, SessionError>>,
}

/// A session, as its users hold it. Dropped, it ends.
pub(super) struct Live {
    jobs: mpsc::Sender<Job>,
    /// When it was last used.
    pub(super) used: Instant,
    /// What its host said of itself.
    pub(super) hello: Value,
}

impl Live {
    /// Whether its task has ended.
    pub(super) fn is_over(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Runs one request. Its task answers in any case, soon after the deadline at the latest.
    pub(super) async fn ask(
        &mut self,
        script: Script,
        libraries: &[Script],
        arguments: Map<String, Value>,
        deadline: Instant,
    ) -> Result<Value, SessionError> {
        self.used = Instant::now();
        let (reply, answer) = oneshot::channel();
        let job = Job { script, libraries: libraries.to_vec(), arguments, deadline, reply };
        if self.jobs.send(job).await.is_err() {
            return Err(SessionError::Unreachable("the session has ended".into()));
        }
        let result = answer.await.unwrap_or_else(|_| Err(SessionError::AnswerLost("the session's task ended".into())));
        self.used = Instant::now();
        result
    }
}

/// Opens a session; it holds `permits` until it is gone from the node.
pub(super) async fn open(inner: Arc<Inner>, target: Target, sweep: bool, permits: [OwnedSemaphorePermit; 2]) -> Result<Live, SessionError> {
    let channel = connect(&inner, &target, sweep).await?;
    let token = format!("{:016x}{:016x}", inner.instruments.dice(), inner.instruments.dice());
    let host = match Host::greet(channel, &token, inner.config.greeting).await {
        Ok(host) => host,
        Err((error, channel)) => {
            // Whoever asked need not wait for it; the places stay taken until it is gone.
            tokio::spawn(async move {
                channel.close().await;
                drop(permits);
            });
            return Err(error);
        }
    };
    let (jobs, queue) = mpsc::channel(1);
    let live = Live { jobs, used: Instant::now(), hello: host.hello.clone() };
    tokio::spawn(live_on(inner, target, host, queue, permits));
    Ok(live)
}

async fn connect(inner: &Arc<Inner>, target: &Target, sweep: bool) -> Result<Channel, SessionError> {
    let words = arguments(inner.config.host);
    match &target.transport {
        Transport::Local(program) => Ok(Channel::Local(Box::new(Local::open(program, &words)?))),
        Transport::Winrm { port, security } => {
            let door = Door {
                node: target.node.to_string(),
                host: target.address.clone(),
                port: *port,
                security: security.clone(),
                credential: target.credential.clone(),
                credentials: inner.credentials.clone(),
                breaker: inner.breaker.clone(),
                instruments: inner.instruments.clone(),
                names: inner.names.clone(),
                connect: inner.config.connect,
            };
            Ok(Channel::Winrm(Box::new(Winrm::open(Arc::new(door), &words, sweep).await?)))
        }
        Transport::Ssh { port, known_hosts, program } => {
            let credential = inner.credentials.get(&target.credential).await?;
            let way =
                Way { host: &target.address, port: *port, known_hosts, program, name: &target.credential, connect: inner.config.connect };
            Ok(Channel::Ssh(Box::new(Ssh::open(&way, &credential, &words).await?)))
        }
    }
}

async fn live_on(inner: Arc<Inner>, target: Target, mut host: Host, mut queue: mpsc::Receiver<Job>, permits: [OwnedSemaphorePermit; 2]) {
    let mut used = Instant::now();
    let mut beat = used + inner.config.heartbeat;
    loop {
        tokio::select! {
            biased;
            job = queue.recv() => {
                let Some(job) = job else { break };
                if job.reply.is_closed() || job.deadline <= Instant::now() {
                    let _gone = job.reply.send(Err(SessionError::Unreachable("there was no time left for the request".into())));
                    continue;
                }
                let result = host.run(job.script, &job.libraries, &job.arguments, job.deadline).await;
                let over = matches!(&result, Err(error) if !error.leaves_session());
                // Whoever asked may have gone; what the node did stays for its next probe to tell.
                let _gone = job.reply.send(result);
                if over {
                    break;
                }
                used = Instant::now();
                beat = used + inner.config.heartbeat;
            }
            () = sleep_until(beat.min(used + inner.config.idle)) => {
                if used.elapsed() >= inner.config.idle {
                    break;
                }
                if !matches!(timeout(BEAT, host.heartbeat()).await, Ok(Ok(()))) {
                    tracing::debug!(node = %target.node, "a session was lost while nobody used it");
                    break;
                }
                beat = Instant::now() + inner.config.heartbeat;
            }
        }
    }
    // From here on nobody's request is taken in.
    queue.close();
    while let Some(job) = queue.recv().await {
        let _gone = job.reply.send(Err(SessionError::Unreachable("the session has ended".into())));
    }
    host.into_channel().close().await;
    drop(permits);
}
