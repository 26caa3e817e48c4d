//! The way to the door and through it: name, port, TLS, then what the greeting, or its absence, says of authentication, shell and PowerShell.

use super::finding::{Code, Finding, quoted};
use super::{Outcome, Step, Walk};
use crate::auth::{Method, Sealing, Security};
use crate::error::SessionError;
use crate::http::{Connection, Endpoint, Trust};
use crate::net;
use crate::session::{Target, Transport};
use serde_json::Value;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::timeout;

/// Addresses of one name that are shown.
const SHOWN: usize = 4;

/// Name, port and TLS, without an account. A failure comes with its step.
pub(super) async fn to_the_door(walk: &mut Walk, target: &Target, within: Duration) -> Result<(), (Step, SessionError)> {
    let (port, security) = match &target.transport {
        Transport::Winrm { port, security } => (*port, Some(security)),
        Transport::Ssh { port, .. } => (*port, None),
        Transport::Local(_) => {
            for step in [Step::Name, Step::Port, Step::Tls, Step::Authentication] {
                walk.take(step, "a program of this machine", Outcome::NotNeeded);
            }
            return Ok(());
        }
    };
    let saw = name(&target.address, port, within).await.map_err(|e| (Step::Name, e))?;
    walk.fine(Step::Name, saw);
    let stream = net::dial(&target.address, port, within).await.map_err(|e| (Step::Port, e.into()))?;
    let peer = stream.peer_addr().map_or_else(|_| format!("port {port}"), |peer| peer.to_string());
    walk.fine(Step::Port, format!("{peer} takes connections"));
    drop(stream);
    match security {
        Some(Security::Https { trust, .. }) => {
            let tls = Some((trust.clone(), None));
            let endpoint = Endpoint { host: target.address.clone(), port, connect: within, tls };
            Connection::open(&endpoint).await.map_err(|e| (Step::Tls, e.into()))?;
            walk.fine(
                Step::Tls,
                match trust {
                    Trust::Authorities(_) => format!("the certificate is for {} and signed by a trusted authority", target.address),
                    Trust::Pinned(pin) => format!("the certificate is the pinned one, {pin}"),
                },
            );
        }
        Some(Security::SealedHttp { .. }) => walk.take(Step::Tls, "HTTP; every message is sealed", Outcome::NotNeeded),
        None => walk.take(Step::Tls, "SSH; the host key is compared at the logon", Outcome::NotNeeded),
    }
    Ok(())
}

async fn name(address: &str, port: u16, within: Duration) -> Result<String, SessionError> {
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return Ok(format!("{bare} is an address"));
    }
    match timeout(within, tokio::net::lookup_host((bare, port))).await {
        Ok(Ok(found)) => {
            let mut found: Vec<String> = found.map(|a| a.ip().to_string()).collect();
            found.sort();
            found.dedup();
            found.truncate(SHOWN);
            if found.is_empty() { Err(SessionError::Name(bare.to_owned())) } else { Ok(format!("{bare} is {}", found.join(", "))) }
        }
        Ok(Err(_)) => Err(SessionError::Name(bare.to_owned())),
        Err(_) => Err(SessionError::Name(format!("{bare} (no name service answers within {within:?})"))),
    }
}

/// Nobody greeted: which step that was.
pub(super) fn not_greeted(mut walk: Walk, error: &SessionError) -> Walk {
    let step = match error {
        // What breaks before the greeting is put down to the first step that is not proven.
        SessionError::Unreachable(_)
        | SessionError::Name(_)
        | SessionError::Tls(_)
        | SessionError::Authentication(_)
        | SessionError::AnswerUnintelligible { .. } => Step::Authentication,
        SessionError::AccessDenied(_) | SessionError::Quota(_) => Step::Shell,
        SessionError::ScriptRefused(_) | SessionError::ScriptFailed { .. } | SessionError::AnswerLost(_) => Step::PowerShell,
    };
    let local = walk.steps.iter().any(|taken| taken.step == Step::Authentication);
    if local {
        // A local program has no logon to fail.
        walk.steps.retain(|taken| taken.step != Step::Authentication || step != Step::Authentication);
    } else if step > Step::Authentication {
        walk.fine(Step::Authentication, "the account was let in");
    }
    if step > Step::Shell {
        walk.fine(Step::Shell, "a shell was opened");
    }
    walk.stop(step, Finding::of(error))
}

/// The host greeted: authentication, shell and PowerShell are proven. What it says of its machine may not fit.
pub(super) fn greeted(walk: &mut Walk, target: &Target, hello: &Value) -> Option<Finding> {
    let text = |name: &str| quoted(hello.get(name).and_then(Value::as_str).unwrap_or("unknown"));
    match &target.transport {
        Transport::Winrm { security, .. } => walk.fine(Step::Authentication, format!("let in, {}", words(security))),
        Transport::Ssh { .. } => walk.fine(Step::Authentication, "let in, and the host key is a known one"),
        Transport::Local(_) => {}
    }
    walk.fine(Step::Shell, "opened");
    let computer = text("computer");
    if !computer.eq_ignore_ascii_case(target.node.as_str()) {
        return Some(Finding::new(
            Code::Machine,
            format!("the machine that answers at {} calls itself {computer}, not {}", target.address, target.node),
            "correct the node's `address` in the cluster's file; it is never the cluster's own name",
        ));
    }
    walk.fine(Step::PowerShell, format!("PowerShell {}, {}, on {computer}", text("psVersion"), text("languageMode")));
    None
}

/// How an account proves itself, in words.
pub(super) fn words(security: &Security) -> String {
    let sealing = |method: &Sealing| match method {
        Sealing::Ntlm => "NTLM",
        Sealing::Kerberos(_) => "Kerberos",
    };
    match security {
        Security::Https { method: Method::Basic, .. } => "HTTPS with Basic".to_owned(),
        Security::Https { method: Method::Certificate, .. } => "HTTPS with a client certificate".to_owned(),
        Security::Https { method: Method::Bound(method), .. } => format!("HTTPS with {}", sealing(method)),
        Security::SealedHttp { method } => format!("HTTP sealed by {}", sealing(method)),
    }
}
