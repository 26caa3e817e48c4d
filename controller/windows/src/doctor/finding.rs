//! What the doctor finds, each with its page in `specs/errors.md` and the first thing to do about it.

use crate::auth::{Held, Refusal};
use crate::error::SessionError;
use crate::words::plain;

/// Something that a person should mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The code of its page.
    pub code: &'static str,
    /// What is the matter.
    pub what: String,
    /// What to do, in a line.
    pub todo: String,
}

/// Codes of what only the doctor finds; those of sessions are [`SessionError::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// A module or a command is missing.
    Command,
    /// The account lacks a right.
    Right,
    /// A fact cannot be read.
    Fact,
    /// Another machine answers.
    Machine,
    /// The nodes are not one cluster.
    Cluster,
    /// It works today, and will not later.
    Later,
    /// What the node keeps of Drydock's is damaged.
    Damage,
}

impl Code {
    /// All of them.
    pub const ALL: [Code; 7] = [Code::Command, Code::Right, Code::Fact, Code::Machine, Code::Cluster, Code::Later, Code::Damage];

    /// `DD0611` to `DD0617`.
    pub fn text(self) -> &'static str {
        match self {
            Code::Command => "DD0611",
            Code::Right => "DD0612",
            Code::Fact => "DD0613",
            Code::Machine => "DD0614",
            Code::Cluster => "DD0615",
            Code::Later => "DD0616",
            Code::Damage => "DD0617",
        }
    }
}

/// Characters of a node's own words that are shown; whole messages are in the controller's log.
const WORDS: usize = 200;

impl Finding {
    /// Something that only the doctor finds.
    pub(super) fn new(code: Code, what: impl Into<String>, todo: impl Into<String>) -> Finding {
        Finding { code: code.text(), what: what.into(), todo: todo.into() }
    }

    /// Why a session gave no value.
    pub(super) fn of(error: &SessionError) -> Finding {
        let todo = match error {
            SessionError::Unreachable(_) => {
                r"on the node: Get-Service WinRM, sshd; Get-ChildItem WSMan:\localhost\Listener; from here: nc -vz ADDRESS PORT"
            }
            SessionError::Name(_) => {
                "from here: getent hosts NAME; write the node's full name or its IP address as `address` in the cluster's file"
            }
            SessionError::Tls(_) => {
                "from here: openssl s_client -connect ADDRESS:PORT | openssl x509 -noout -subject -dates -fingerprint -sha256, and compare with the node"
            }
            SessionError::Authentication(refusal) => refused(refusal),
            SessionError::AccessDenied(_) => r"on the node: Add-LocalGroupMember -Group Administrators -Member 'DOMAIN\ACCOUNT'",
            SessionError::Quota(_) => "on the node: Get-WSManInstance winrm/config/shell -Enumerate shows whose shells are open",
            SessionError::ScriptRefused(_) => {
                "in a shell of this account: $ExecutionContext.SessionState.LanguageMode must say FullLanguage"
            }
            SessionError::ScriptFailed { .. } if error.code() == Code::Right.text() => {
                "make the account a member of the node's Administrators"
            }
            SessionError::ScriptFailed { .. } => "read the page; report it with what drydock probe --record writes",
            SessionError::AnswerLost(_) => "run it again; if it happens again, look for firewalls that drop idle connections",
            SessionError::AnswerUnintelligible { .. } => "look what answers there: curl -k https://ADDRESS:PORT/wsman -d ''",
        };
        Finding { code: error.code(), what: plain(&error.to_string(), 500), todo: todo.to_owned() }
    }
}

/// What to do about a refusal. `retry` only where the secret is blamed, as nothing else is held back.
fn refused(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::WrongSecret(_) | Refusal::Expired(_) => {
            "correct the secret where the configuration says it lies: a changed one is tried at once; if it is right: drydock credential retry NAME --config FILE"
        }
        Refusal::UnknownAccount(_) => "correct `user` or `realm` in nodes.credentials, then: drydock credential retry NAME --config FILE",
        Refusal::Locked(_) => {
            "unlock it and find who used a wrong secret (event 4740 at the domain controller), then: drydock credential retry NAME --config FILE"
        }
        Refusal::Disabled(_) => "enable it, then: drydock credential retry NAME --config FILE",
        Refusal::Rejected(_) => {
            "event 4625 in the node's security log says why; correct that, then: drydock credential retry NAME --config FILE"
        }
        Refusal::ClockSkew => "compare the clocks of the controller, the node and a domain controller: timedatectl; w32tm /query /status",
        Refusal::NotOffered { .. } => {
            r"on the node: Get-ChildItem WSMan:\localhost\Service\Auth; switch that way on there, or set winRm.authentication to one that it offers"
        }
        Refusal::UnknownService(_) => {
            "write the node's full name as its address in the cluster's file; at a domain controller: setspn -Q HTTP/NAME (or HOST/NAME)"
        }
        Refusal::Directory(_) => {
            "from here: nc -vz DOMAINCONTROLLER 88; correct winRm.kdcs or winRm.realm of the credential in the controller's configuration"
        }
        Refusal::Protocol(_) => "read the page; on the node: the event log Microsoft-Windows-WinRM/Operational",
        Refusal::CertificateRefused => {
            r"on the node: Get-ChildItem WSMan:\localhost\ClientCertificate; netsh http show sslcert must say that the client's certificate is negotiated"
        }
        Refusal::KeyRefused(_) => {
            r"on the node: look into C:\ProgramData\ssh\administrators_authorized_keys, and with icacls that only Administrators and SYSTEM may write it"
        }
        Refusal::HostKey(_) => {
            r"compare with the node's own: ssh-keygen -lf C:\ProgramData\ssh\ssh_host_ed25519_key.pub; only if they are equal, put it into the file of known hosts"
        }
        Refusal::Held(Held::First { .. }) => "wait for it, and run this again",
        Refusal::Held(Held::State(_)) => "make room in stateDirectory, or let the controller write there",
        Refusal::Held(Held::Until { .. } | Held::Exhausted { .. } | Held::Node { .. }) => {
            "correct what was refused, then: drydock credential retry NAME --config FILE"
        }
        Refusal::Unavailable { .. } => "correct nodes.credentials in the controller's configuration, or what it names",
    }
}

/// What a node said, shortened.
pub(super) fn quoted(text: &str) -> String {
    plain(text, WORDS)
}
