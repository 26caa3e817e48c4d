//! Credentials by reference: where a secret is, never the secret itself, stands in a configuration.
//!
//! systemd hands credentials over as files of a folder, Kubernetes mounts a secret as a folder with one file a field: both are
//! [`Source::Directory`] or [`Source::File`]. Nothing is taken from a command line, and nothing but this module reads a secret.

mod command;
mod store;

pub use store::Credentials;

use crate::auth::{Instruments, Method, Proof, Refusal, Sealing, Security, cached_ticket};
use crate::http::ClientCertificate;
use crate::secret::Secret;
use drydock_model::time::Timestamp;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A secret's file or answer; key tables and certificate chains stay far below.
pub(crate) const SIZE: usize = 1024 * 1024;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// One file that holds one field.
    File {
        /// Where.
        path: PathBuf,
        /// What it holds.
        field: Field,
    },
    /// A folder with a file for each field, named as Kubernetes names them.
    Directory(PathBuf),
    /// A variable of the environment that holds one field.
    Environment {
        /// Its name.
        variable: String,
        /// What it holds.
        field: Field,
    },
    /// A program that prints `{"username":…,"password":…,"expires":…}`.
    Command {
        /// The program; no shell is between.
        program: PathBuf,
        /// Its arguments; a secret among them would be seen in the process list.
        arguments: Vec<String>,
        /// How long it may take.
        within: Duration,
    },
    /// The keys of the SSH agent that `SSH_AUTH_SOCK` names.
    Agent,
}

/// A part of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `username`
    Username,
    /// `password`
    Password,
    /// `keytab`; base64 where a command prints it.
    Keytab,
    /// `ccache`: a credential cache, as kinit makes it; base64 where a command prints it.
    Cache,
    /// `tls.crt`
    Certificate,
    /// `tls.key`
    CertificateKey,
    /// `ssh-privatekey`
    SshKey,
    /// `passphrase`, of the SSH key
    Passphrase,
}

impl Field {
    /// All of them.
    pub const ALL: [Field; 8] = [
        Field::Username,
        Field::Password,
        Field::Keytab,
        Field::Cache,
        Field::Certificate,
        Field::CertificateKey,
        Field::SshKey,
        Field::Passphrase,
    ];

    /// Its file in a folder, its name in a command's answer.
    pub fn name(self) -> &'static str {
        match self {
            Field::Username => "username",
            Field::Password => "password",
            Field::Keytab => "keytab",
            Field::Cache => "ccache",
            Field::Certificate => "tls.crt",
            Field::CertificateKey => "tls.key",
            Field::SshKey => "ssh-privatekey",
            Field::Passphrase => "passphrase",
        }
    }

    /// Whether it is a line of text, whose newline at the end is the editor's.
    fn is_line(self) -> bool {
        matches!(self, Field::Username | Field::Password | Field::Passphrase)
    }
}

/// A reference to a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The account, where the source does not say.
    pub user: Option<String>,
    /// Where the secret is.
    pub source: Source,
}

/// A credential in hand.
pub struct Credential {
    fields: BTreeMap<Field, Secret>,
    user: Option<String>,
    agent: bool,
    expires: Option<Timestamp>,
    print: [u8; 32],
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential").field("fields", &self.fields.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// What an SSH logon is made with.
pub(crate) enum SshProof<'a> {
    Key { key: &'a Secret, passphrase: Option<&'a Secret> },
    Agent,
}

impl Credential {
    fn new(reference: &Reference, mut fields: BTreeMap<Field, Secret>, expires: Option<Timestamp>) -> Result<Self, String> {
        let mut hash = Sha256::new();
        for (field, secret) in &fields {
            // Lengths between, so that no two credentials hash the same bytes.
            hash.update(field.name());
            hash.update((secret.expose().len() as u64).to_le_bytes());
            hash.update(secret.expose());
        }
        hash.update(reference.user.as_deref().unwrap_or(""));
        let user = match fields.remove(&Field::Username) {
            Some(name) => Some(name.expose_text().ok_or("the user name is not text")?.to_owned()),
            None => reference.user.clone(),
        };
        if user.as_ref().is_some_and(|u| u.is_empty() || u.len() > 256 || u.chars().any(char::is_control)) {
            return Err("the user name is empty, too long, or holds control characters".into());
        }
        let agent = reference.source == Source::Agent;
        if fields.is_empty() && !agent {
            return Err("there is no secret in it".into());
        }
        Ok(Self { fields, user, agent, expires, print: hash.finalize().into() })
    }

    /// Changes when anything in the credential does. Never leaves memory.
    pub(crate) fn print(&self) -> [u8; 32] {
        self.print
    }

    fn user(&self) -> Result<String, String> {
        self.user.clone().ok_or_else(|| "it names no user".to_owned())
    }

    fn copy(&self, field: Field) -> Result<Secret, String> {
        let secret = self.fields.get(&field).ok_or_else(|| format!("it has no {}", field.name()))?;
        Ok(Secret::new(secret.expose().to_vec()))
    }

    /// What a WinRM logon with this method needs.
    pub(crate) fn proof(&self, security: &Security, instruments: &dyn Instruments) -> Result<Proof, String> {
        let password = || Ok(Proof::Password { user: self.user()?, password: self.copy(Field::Password)? });
        match security {
            Security::Https { method: Method::Basic, .. }
            | Security::Https { method: Method::Bound(Sealing::Ntlm), .. }
            | Security::SealedHttp { method: Sealing::Ntlm } => password(),
            Security::Https { method: Method::Certificate, .. } => self.certificate().map(|_| Proof::Certificate),
            Security::Https { method: Method::Bound(Sealing::Kerberos(_)), .. } | Security::SealedHttp { method: Sealing::Kerberos(_) } => {
                match (self.fields.get(&Field::Keytab), self.fields.get(&Field::Cache)) {
                    (None, Some(cache)) => {
                        let ticket = cached_ticket(cache.expose()).map_err(|e| e.to_string())?;
                        if ticket.ends <= instruments.now() {
                            return Err(format!("its ticket ended at {}; log on anew with kinit", ticket.ends));
                        }
                        Ok(Proof::Ticket { key: ticket.made_up_key(|| instruments.dice()), ticket })
                    }
                    (Some(table), _) => {
                        let entry = crate::auth::choose_key(table.expose(), self.user.as_deref()).map_err(|e| e.to_string())?;
                        let user = self.user.clone().unwrap_or_else(|| format!("{}@{}", entry.name, entry.realm));
                        Ok(Proof::Key { user, entry })
                    }
                    (None, None) => password(),
                }
            }
        }
    }

    /// The client certificate, where there is one.
    pub(crate) fn certificate(&self) -> Result<ClientCertificate, String> {
        let (chain, key) = (self.copy(Field::Certificate)?, self.copy(Field::CertificateKey)?);
        ClientCertificate::from_pem(chain.expose(), key.expose()).map_err(|e| e.to_string())
    }

    /// The user and the key of an SSH logon.
    pub(crate) fn ssh(&self) -> Result<(String, SshProof<'_>), String> {
        let user = self.user()?;
        if self.agent {
            return Ok((user, SshProof::Agent));
        }
        let key = self.fields.get(&Field::SshKey).ok_or("it has no ssh-privatekey")?;
        Ok((user, SshProof::Key { key, passphrase: self.fields.get(&Field::Passphrase) }))
    }
}

/// Names the credential in a refusal.
pub(crate) fn unavailable(name: &str, why: impl Into<String>) -> Refusal {
    Refusal::Unavailable { name: name.to_owned(), why: why.into() }
}
