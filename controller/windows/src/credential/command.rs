//! A program that prints a credential as JSON. No shell, bounded in time and size, its words on standard error are thrown away.

use super::{Field, SIZE};
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use drydock_model::time::Timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::{Zeroize as _, Zeroizing};

#[derive(Deserialize)]
struct Printed {
    username: Option<String>,
    password: Option<String>,
    keytab: Option<String>,
    ccache: Option<String>,
    #[serde(rename = "tls.crt")]
    certificate: Option<String>,
    #[serde(rename = "tls.key")]
    certificate_key: Option<String>,
    #[serde(rename = "ssh-privatekey")]
    ssh_key: Option<String>,
    passphrase: Option<String>,
    expires: Option<String>,
}

type Fields = (BTreeMap<Field, Secret>, Option<Timestamp>);

/// Runs it, without the variables that hold other secrets, and reads what it prints.
pub(super) async fn run(program: &Path, arguments: &[String], within: Duration, withheld: &BTreeSet<String>) -> Result<Fields, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    for variable in withheld {
        command.env_remove(variable);
    }
    let mut child = command.spawn().map_err(|e| format!("its command does not start: {e}"))?;
    let output = child.stdout.take().ok_or("its command has no output")?;
    let reading = async {
        let mut text = Zeroizing::new(Vec::new());
        let limit = u64::try_from(SIZE).unwrap_or(u64::MAX);
        output.take(limit + 1).read_to_end(&mut text).await.map_err(|e| format!("its command's output cannot be read: {e}"))?;
        if text.len() > SIZE {
            return Err(format!("its command prints more than {SIZE} bytes"));
        }
        let status = child.wait().await.map_err(|e| format!("its command cannot be waited for: {e}"))?;
        if status.success() { Ok(text) } else { Err(format!("its command failed ({status})")) }
    };
    let text = timeout(within, reading).await.map_err(|_| format!("its command takes longer than {within:?}"))??;
    parse(&text)
}

fn parse(text: &[u8]) -> Result<Fields, String> {
    // The parser's own words could quote the secret.
    let mut printed: Printed =
        serde_json::from_slice(text).map_err(|e| format!("its command does not print JSON as described (line {})", e.line()))?;
    let expires = match printed.expires.take() {
        Some(text) => Some(instant(&text).ok_or("its command prints an expiry that is no RFC 3339 time")?),
        None => None,
    };
    let mut fields = BTreeMap::new();
    for (field, value) in [
        (Field::Username, printed.username.take()),
        (Field::Password, printed.password.take()),
        (Field::Certificate, printed.certificate.take()),
        (Field::CertificateKey, printed.certificate_key.take()),
        (Field::SshKey, printed.ssh_key.take()),
        (Field::Passphrase, printed.passphrase.take()),
    ] {
        if let Some(value) = value {
            fields.insert(field, Secret::new(value.into_bytes()));
        }
    }
    for (field, packed) in [(Field::Keytab, printed.keytab.take()), (Field::Cache, printed.ccache.take())] {
        if let Some(mut packed) = packed {
            let bytes = STANDARD.decode(packed.trim()).map_err(|_| format!("its command prints a {} that is not base64", field.name()))?;
            packed.zeroize();
            fields.insert(field, Secret::new(bytes));
        }
    }
    Ok((fields, expires))
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|t| Timestamp(t.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_prints_is_read_and_an_error_never_quotes_it() {
        let (fields, expires) =
            parse(br#"{"username":"svc","password":"canary","keytab":"BQI=","expires":"2026-11-23T18:00:00Z","other":1}"#).unwrap();
        assert_eq!(fields[&Field::Keytab].expose(), [5, 2]);
        assert_eq!(expires.unwrap().to_string(), "2026-11-23T18:00:00Z");
        for bad in [r#"{"password":"canary""#, r#"{"password":["canary"]}"#, r#"{"password":"canary","expires":"canary"}"#, "canary"] {
            let why = parse(bad.as_bytes()).unwrap_err();
            assert!(!why.contains("canary"), "{why}");
        }
    }
}
