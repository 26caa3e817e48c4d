//! The task that owns one session: opens it, runs requests one by one, keeps it alive, and ends it.

use super::caught::caught;
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
                end(channel, permits).await;
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
        Transport::Local(program) => Ok(Channel::Local(Box::new(Local::open(program, &words, inner.credentials.withheld())?))),
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
                let running = caught(host.run(job.script, &job.libraries, &job.arguments, job.deadline)).await;
                let result = running.unwrap_or_else(|| Err(SessionError::AnswerLost("the controller failed over it".into())));
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
                if !matches!(caught(timeout(BEAT, host.heartbeat())).await, Some(Ok(Ok(())))) {
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
    end(host.into_channel(), permits).await;
}

/// Closes a channel; its places stay taken until it is gone from the node.
async fn end(channel: Channel, permits: [OwnedSemaphorePermit; 2]) {
    if caught(channel.close()).await.is_none() {
        tracing::error!("the controller failed while it closed a session; what is left of it on the node ends by itself within minutes");
    }
    drop(permits);
}

#[cfg(test)]
mod tests {
    use super::super::channel::Fake;
    use super::*;
    use crate::auth::{Breaker, Instruments};
    use crate::credential::Credentials;
    use crate::session::{Config, Sessions};
    use drydock_model::time::Timestamp;
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::sync::Semaphore;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    struct Bench;

    impl Instruments for Bench {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }
        fn dice(&self) -> u64 {
            4
        }
    }

    fn sessions(folder: &std::path::Path) -> Sessions {
        let breaker = Breaker::new(folder, Arc::new(Bench)).unwrap();
        let credentials = Credentials::new(BTreeMap::new(), Arc::new(Bench));
        Sessions::new(Config::new("tests", "host"), Arc::new(Bench), Arc::new(credentials), Arc::new(breaker))
    }

    fn target() -> Target {
        let transport = Transport::Local(crate::local::Program { path: String::new(), environment: BTreeMap::new() });
        Target { node: "N01".parse().unwrap(), address: String::new(), transport, credential: String::new() }
    }

    #[tokio::test]
    async fn a_session_whose_task_panics_answers_whoever_asked_and_is_closed_before_its_places_are_free() {
        let folder = tempfile::tempdir().unwrap();
        let inner = sessions(folder.path()).inner.clone();
        let places = Arc::new(Semaphore::new(2));
        let permits = [places.clone().acquire_owned().await.unwrap(), places.clone().acquire_owned().await.unwrap()];
        let closed = Arc::new(AtomicBool::new(false));
        let greeting = format!("{TOKEN} {}\n", serde_json::json!({ "id": 0, "ok": true, "value": {} }));
        // Greets, and has nothing more to say: the next question to it panics.
        let channel = Channel::Fake(Fake { said: vec![greeting], closed: closed.clone() });
        let Ok(host) = Host::greet(channel, TOKEN, Duration::from_secs(20)).await else { panic!("it did not greet") };
        let (jobs, queue) = mpsc::channel(1);
        let mut live = Live { jobs, used: Instant::now(), hello: Value::Null };
        let task = tokio::spawn(live_on(inner, target(), host, queue, permits));
        let script = Script { name: "one", source: "1" };
        let error = live.ask(script, &[], Map::new(), Instant::now() + Duration::from_secs(20)).await.unwrap_err();
        assert!(matches!(&error, SessionError::AnswerLost(_)) && error.was_sent(), "{error}");
        task.await.unwrap();
        assert!(closed.load(Ordering::SeqCst), "the shell is removed");
        assert_eq!(places.available_permits(), 2);
        assert!(live.is_over());
    }

    #[tokio::test]
    async fn a_greeting_over_which_the_controller_panics_gives_the_channel_back_to_be_closed() {
        let closed = Arc::new(AtomicBool::new(false));
        let channel = Channel::Fake(Fake { said: Vec::new(), closed: closed.clone() });
        let Err((error, channel)) = Host::greet(channel, TOKEN, Duration::from_secs(20)).await else { panic!("nobody greeted") };
        assert!(!error.was_sent(), "{error}");
        channel.close().await;
        assert!(closed.load(Ordering::SeqCst));
    }
}
