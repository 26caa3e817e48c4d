//! Why a script gave no value: one class for each thing an operator would do differently.

use crate::auth::Refusal;
use crate::http::{OpenError, TlsProblem};
use crate::net::DialError;

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No connection, or none left to give.
    #[error("{0}; check that the node is up, that the service listens there and that the firewalls between let it through")]
    Unreachable(String),
    /// The name leads nowhere.
    #[error("the name {0} cannot be resolved; correct the address in the cluster's file, or the name service")]
    Name(String),
    /// TCP, but no trustworthy TLS.
    #[error("{0}; correct the node's certificate, or the authorities or the fingerprint in the controller's configuration")]
    Tls(TlsProblem),
    /// The node, or the directory, does not take the credential; or none was sent, for a reason.
    #[error("{0}")]
    Authentication(Refusal),
    /// The account is known and may not do this.
    #[error("access denied: {0}; the account must be allowed to use remote management and to administer the node")]
    AccessDenied(String),
    /// A limit of the node is reached.
    #[error("a limit of the node is reached: {0}; end shells that are left over there, or raise the limit")]
    Quota(String),
    /// PowerShell, or the session host, would not run it. It did not begin.
    #[error("the node would not run the script: {0}")]
    ScriptRefused(String),
    /// It ran, and ended with an error.
    #[error("script {script} failed: {message} ({category}, {id}, line {line})")]
    ScriptFailed {
        /// PowerShell's word for the kind of error.
        category: String,
        /// The fully qualified error id.
        id: String,
        /// The node's words.
        message: String,
        /// Which script or library.
        script: String,
        /// Where in it.
        line: u32,
    },
    /// It was sent, and perhaps acted upon; how it ended is not known.
    #[error("the answer was lost: {0}; the script may have run, so look before anything is repeated")]
    AnswerLost(String),
    /// Something answered that is not what was asked for.
    #[error("the answer cannot be understood: {why}")]
    AnswerUnintelligible {
        /// What is wrong with it.
        why: String,
        /// Whether the script may have begun to run.
        sent: bool,
    },
}

impl SessionError {
    /// Whether the script may have begun to run on the node. Only what was not sent may be sent again without looking.
    pub fn was_sent(&self) -> bool {
        match self {
            SessionError::Unreachable(_)
            | SessionError::Name(_)
            | SessionError::Tls(_)
            | SessionError::Authentication(_)
            | SessionError::AccessDenied(_)
            | SessionError::Quota(_)
            | SessionError::ScriptRefused(_) => false,
            SessionError::ScriptFailed { .. } | SessionError::AnswerLost(_) => true,
            SessionError::AnswerUnintelligible { sent, .. } => *sent,
        }
    }

    /// The code under which the manual has a page.
    pub fn code(&self) -> &'static str {
        match self {
            SessionError::Unreachable(_) => "DD0601",
            SessionError::Name(_) => "DD0602",
            SessionError::Tls(_) => "DD0603",
            SessionError::Authentication(_) => "DD0604",
            SessionError::AccessDenied(_) => "DD0605",
            SessionError::Quota(_) => "DD0606",
            SessionError::ScriptRefused(_) => "DD0607",
            SessionError::ScriptFailed { category, .. } if is_denied(category) => "DD0612",
            SessionError::ScriptFailed { .. } => "DD0608",
            SessionError::AnswerLost(_) => "DD0609",
            SessionError::AnswerUnintelligible { .. } => "DD0610",
        }
    }

    /// Whether the session is still good after it.
    pub(crate) fn leaves_session(&self) -> bool {
        matches!(self, SessionError::ScriptFailed { .. })
    }
}

/// PowerShell's words for a right that is not there; the cluster's commands say the second.
fn is_denied(category: &str) -> bool {
    matches!(category, "PermissionDenied" | "AuthenticationError" | "SecurityError")
}

impl From<DialError> for SessionError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Name(name) => SessionError::Name(name),
            DialError::Refused(_) | DialError::Silent { .. } | DialError::Unreachable { .. } => {
                SessionError::Unreachable(error.to_string())
            }
        }
    }
}

impl From<OpenError> for SessionError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Dial(error) => error.into(),
            OpenError::Tls(problem) => SessionError::Tls(problem),
        }
    }
}

impl From<Refusal> for SessionError {
    fn from(refusal: Refusal) -> Self {
        SessionError::Authentication(refusal)
    }
}
