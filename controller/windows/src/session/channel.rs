//! The three transports behind one face: write, read, close.

use crate::error::SessionError;
use crate::local::Local;
use crate::ssh::Ssh;
use crate::winrm::Winrm;
pub(crate) use crate::wsman::Output;

/// A transport failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// What happened.
    pub(crate) why: String,
    /// Whether anything may have reached the node.
    pub(crate) sent: bool,
    /// The class, where it is another than a lost connection.
    pub(crate) class: Option<SessionError>,
}

impl Broken {
    /// Nothing left this machine.
    pub(crate) fn before(why: impl Into<String>) -> Self {
        Self { why: why.into(), sent: false, class: None }
    }

    /// Something may have.
    pub(crate) fn after(why: impl Into<String>) -> Self {
        Self { why: why.into(), sent: true, class: None }
    }

    /// The node refused: certainly not taken in.
    pub(crate) fn refused(error: SessionError) -> Self {
        Self { why: error.to_string(), sent: false, class: Some(error) }
    }

    /// The node says no, and it may have taken it in all the same.
    pub(crate) fn in_doubt(error: SessionError) -> Self {
        Self { why: error.to_string(), sent: true, class: Some(error) }
    }

    /// Something came back, and makes no sense.
    pub(crate) fn unintelligible(why: String, sent: bool) -> Self {
        Self { class: Some(SessionError::AnswerUnintelligible { why: why.clone(), sent }), why, sent }
    }

    /// As an error of a request whose last byte this was about.
    pub(crate) fn into_error(self) -> SessionError {
        match self.class {
            Some(class @ SessionError::AnswerUnintelligible { .. }) => class,
            Some(_) | None if self.sent => SessionError::AnswerLost(self.why),
            Some(class) => class,
            None => SessionError::Unreachable(self.why),
        }
    }

    /// As an error while its answer is awaited: a node that refuses to say more has still taken the request in.
    pub(crate) fn awaiting(self) -> SessionError {
        match self.class {
            Some(SessionError::AnswerUnintelligible { why, .. }) => SessionError::AnswerUnintelligible { why, sent: true },
            _ => SessionError::AnswerLost(self.why),
        }
    }

    /// As an error while no script was sent.
    pub(crate) fn unsent(self) -> SessionError {
        match self.class {
            Some(SessionError::AnswerUnintelligible { why, .. }) => SessionError::AnswerUnintelligible { why, sent: false },
            Some(class) => class,
            None => SessionError::Unreachable(self.why),
        }
    }
}

/// One transport.
pub(crate) enum Channel {
    Local(Box<Local>),
    Winrm(Box<Winrm>),
    Ssh(Box<Ssh>),
    #[cfg(test)]
    Fake(Fake),
}

/// Says what it was given, and panics when it is asked for more.
#[cfg(test)]
pub(crate) struct Fake {
    pub(crate) said: Vec<String>,
    pub(crate) closed: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Channel {
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        match self {
            Channel::Local(local) => local.send(bytes).await,
            Channel::Winrm(winrm) => winrm.send(bytes).await,
            Channel::Ssh(ssh) => ssh.send(bytes).await,
            #[cfg(test)]
            Channel::Fake(_) => Ok(()),
        }
    }

    pub(crate) async fn receive(&mut self) -> Result<Output, Broken> {
        match self {
            Channel::Local(local) => local.receive().await,
            Channel::Winrm(winrm) => winrm.receive().await,
            Channel::Ssh(ssh) => ssh.receive().await,
            #[cfg(test)]
            Channel::Fake(fake) => Ok(Output { stdout: fake.said.remove(0).into_bytes(), ..Output::default() }),
        }
    }

    pub(crate) async fn close(self) {
        match self {
            Channel::Local(local) => local.close().await,
            Channel::Winrm(winrm) => winrm.close().await,
            Channel::Ssh(ssh) => ssh.close().await,
            #[cfg(test)]
            Channel::Fake(fake) => fake.closed.store(true, std::sync::atomic::Ordering::SeqCst),
        }
    }
}
