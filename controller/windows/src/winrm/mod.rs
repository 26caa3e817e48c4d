//! The session host over WinRM: one logged-on connection, one shell, one program. A shell that was opened is always removed, over a second
//! connection where the first one is stuck.

mod door;

pub(crate) use door::{Door, Names};

use crate::auth::{Guarded, Refusal};
use crate::error::SessionError;
use crate::http::{PostError, Unreadable};
use crate::session::{Broken, Output, caught};
use crate::wsman::{Conversation, Envelope, Fault, MessageIds, Next, Problem, Program, Requests};
use door::Entered;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long a node may hold back a question for output.
const OPERATION: Duration = Duration::from_secs(20);
/// How much later than that its answer may come.
const MARGIN: Duration = Duration::from_secs(15);
/// How long any other answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// After how much silence the node removes a shell by itself.
const IDLE: Duration = Duration::from_secs(180);
/// How long removing a shell may take, connections included.
const FAREWELL: Duration = Duration::from_secs(60);

/// A session host behind WinRM.
pub(crate) struct Winrm {
    door: Arc<Door>,
    logon: Option<Entered>,
    talk: Conversation,
}

impl Winrm {
    /// Logs on, sweeps where `sweep` says so, opens a shell and starts the program.
    pub(crate) async fn open(door: Arc<Door>, arguments: &[String], sweep: bool) -> Result<Self, SessionError> {
        let logon = door.logon().await?;
        let program = Program { name: door.names.mine(), program: "powershell.exe".into(), arguments: arguments.to_vec(), idle: IDLE };
        let talk = Conversation::new(Requests::new(&door.url(), OPERATION, MessageIds::new(door.dice())), program);
        let mut winrm = Self { door, logon: Some(logon), talk };
        let began = caught(async {
            if sweep {
                winrm.sweep().await;
            }
            winrm.start().await
        });
        let broken = match began.await {
            Some(Ok(())) => return Ok(winrm),
            Some(Err(broken)) => broken,
            None => Broken::before("the controller failed over the node's answer"),
        };
        winrm.close().await;
        Err(broken.unsent())
    }

    async fn start(&mut self) -> Result<(), Broken> {
        let mut envelope = self.talk.open();
        // Create, then Command.
        for _ in 0..2 {
            match self.post(&envelope, ANSWER, false).await? {
                Next::Post(next) => envelope = next,
                Next::Opened => return Ok(()),
                _ => break,
            }
        }
        Err(Broken::before("the node did not open a shell"))
    }

    pub(crate) async fn send(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let Some((envelope, rest)) = self.talk.send(bytes) else { return Err(Broken::before("no program runs there")) };
            // Only with the last piece does the host have a whole line.
            match self.post(&envelope, ANSWER, rest.is_empty()).await? {
                Next::Accepted => bytes = rest,
                _ => return Err(Broken::after("another answer than that the bytes are written")),
            }
        }
        Ok(())
    }

    pub(crate) async fn receive(&mut self) -> Result<Output, Broken> {
        let Some(envelope) = self.talk.receive() else { return Err(Broken::before("no program runs there")) };
        match self.post(&envelope, OPERATION + MARGIN, true).await? {
            Next::Output(output) => Ok(output),
            Next::Silence => Ok(Output::default()),
            _ => Err(Broken::after("another answer than output")),
        }
    }

    /// Ends the program and removes the shell, over a new connection where need be.
    pub(crate) async fn close(mut self) {
        let removal = async {
            // The connection there is, then a new one.
            for attempt in 0..2 {
                if attempt > 0 || self.logon.is_none() {
                    self.logon = self.door.logon().await.map_err(|error| tracing::debug!(%error, "no connection to remove a shell")).ok();
                }
                if self.logon.is_some() && self.remove().await {
                    return true;
                }
            }
            false
        };
        if !timeout(FAREWELL, removal).await.unwrap_or(false) {
            tracing::warn!(node = self.door.node, "a shell could not be removed; the node removes it after {IDLE:?} of silence");
        }
    }

    async fn remove(&mut self) -> bool {
        let Some(mut envelope) = self.talk.close() else { return true };
        for _ in 0..2 {
            match self.post(&envelope, ANSWER, false).await {
                Ok(Next::Post(next)) => envelope = next,
                Ok(Next::Closed) => return true,
                Ok(_) | Err(_) => return false,
            }
        }
        false
    }

    /// Removes what an earlier run of this controller left on the node. Its failure is no reason not to go on.
    async fn sweep(&mut self) {
        let envelope = self.talk.list();
        let mut next = self.post(&envelope, ANSWER, false).await;
        let shells = loop {
            match next {
                Ok(Next::Post(envelope)) => next = self.post(&envelope, ANSWER, false).await,
                Ok(Next::Shells(shells)) => break shells,
                Ok(_) => return,
                Err(broken) => {
                    tracing::debug!(
                        node = self.door.node,
                        why = broken.why,
                        "the node's shells cannot be listed; left-over ones go by their idle time"
                    );
                    return;
                }
            }
        };
        let names = self.door.names.clone();
        for shell in shells.iter().filter(|s| s.name.as_deref().is_some_and(|n| names.is_left_over(n))) {
            self.talk.adopt(&shell.id);
            let removed = self.remove().await;
            tracing::info!(node = self.door.node, removed, "a shell of an earlier run was left there");
        }
        self.talk.forget();
    }

    /// `last` says whether a lost answer leaves the request perhaps done.
    async fn post(&mut self, envelope: &Envelope, within: Duration, last: bool) -> Result<Next, Broken> {
        // Out of our hands until the answer is here: whatever else happens, that connection says nothing more that can be trusted.
        let Some(mut logon) = self.logon.take() else { return Err(Broken::before("the connection is gone")) };
        let body = match logon.exchange(&self.door, envelope.text.as_bytes(), within).await {
            Ok(body) => {
                self.logon = Some(logon);
                body
            }
            Err(guarded) => {
                return Err(match guarded {
                    Guarded::Post(PostError::Unreadable(why)) if why != Unreadable::Cut => Broken::unintelligible(why.to_string(), last),
                    Guarded::Post(error) if error.was_sent() && last => Broken::after(error.to_string()),
                    Guarded::Post(error) => Broken::before(error.to_string()),
                    Guarded::Refused(Refusal::Protocol(why)) => Broken::before(why),
                    Guarded::Refused(refusal) => Broken::refused(refusal.into()),
                    Guarded::Unsealed(why) => Broken::unintelligible(why, last),
                });
            }
        };
        match self.talk.answered(&body) {
            Ok(next) => Ok(next),
            // These come before anything is done. Of any other fault nobody knows what was done before it.
            Err(Problem::Fault(fault)) if !last || fault.denied() || fault.quota() || fault.gone() => {
                Err(Broken::refused(classify(&fault)))
            }
            Err(Problem::Fault(fault)) => Err(Broken::in_doubt(classify(&fault))),
            Err(problem @ (Problem::Malformed(_) | Problem::OutOfTurn)) => {
                self.logon = None;
                Err(Broken::unintelligible(problem.to_string(), last))
            }
        }
    }
}

/// What a node's no means.
fn classify(fault: &Fault) -> SessionError {
    if fault.denied() {
        SessionError::AccessDenied(fault.to_string())
    } else if fault.quota() {
        SessionError::Quota(fault.to_string())
    } else if fault.gone() {
        SessionError::Unreachable(format!("the shell is gone: {fault}"))
    } else {
        SessionError::ScriptRefused(fault.to_string())
    }
}
