//! How real nodes are reached: which credential is meant by a name in a cluster's file, where its secret is kept, and how a node proves itself.
//! Secrets are named by their place only.

use super::reader::Reader;
use crate::code::Code;
use drydock_model::ids::ClusterName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Everything that is needed to reach real nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    /// Sessions at most at one time, over the whole fleet.
    pub parallel_sessions: u16,
    /// By their names, each once.
    pub credentials: Vec<NodeCredential>,
}

impl Default for Nodes {
    fn default() -> Nodes {
        // One for each node of the 32 clusters that are looked at at once, at eight nodes each.
        Nodes { parallel_sessions: 256, credentials: Vec::new() }
    }
}

/// A credential for nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCredential {
    /// What `connection.credential` of a cluster's file names.
    pub name: String,
    /// The account. `None` where the place of the secret says it, or a certificate does.
    pub user: Option<String>,
    /// Where the secret is kept.
    pub secret: SecretFrom,
    /// Over WinRM, if it serves there.
    pub winrm: Option<WinRm>,
    /// Over SSH, if it serves there.
    pub ssh: Option<Ssh>,
}

/// Where a secret is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFrom {
    /// In a file of its own; read again when it changes.
    File(PathBuf, Holds),
    /// In a folder with one file for each part; read again when one changes.
    Directory(PathBuf),
    /// In an environment variable of the controller.
    Environment(String),
    /// A command prints it, as JSON, with the instant until which it holds.
    Command(Vec<String>),
    /// With the SSH agent.
    Agent,
}

/// What a secret's file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A password, on its first line.
    Password,
    /// Keys of Kerberos, as `ktutil` writes them.
    Keytab,
    /// Tickets that somebody else keeps fresh: a credential cache of MIT Kerberos.
    Tickets,
    /// An SSH private key.
    SshKey,
}

/// How a credential serves over WinRM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WinRm {
    /// How the account proves itself.
    pub authentication: Authentication,
    /// How messages are protected.
    pub encryption: Encryption,
    /// Tickets' home, for Kerberos.
    pub kerberos: Option<KerberosRealm>,
}

/// How an account proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// With tickets.
    Kerberos,
    /// Challenge and response; proves the account and not the node.
    Ntlm,
    /// The password itself, inside TLS.
    Basic,
    /// A client certificate, inside TLS.
    Certificate,
}

/// How messages are protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// TLS, to a node whose certificate these authorities signed.
    Authorities(PathBuf),
    /// TLS, to a node with exactly this certificate (SHA-256).
    Fingerprint(String),
    /// HTTP, every message sealed by Kerberos or NTLM.
    Message,
}

/// A realm and its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KerberosRealm {
    /// `NORTH.EXAMPLE`.
    pub realm: String,
    /// `dc1.north.example:88`, tried in this order.
    pub kdcs: Vec<String>,
}

/// How a credential serves over SSH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ssh {
    /// Files with the nodes' host keys.
    pub known_hosts: Vec<PathBuf>,
}

/// How real nodes are reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodesShape {
    /// Sessions at most at one time, over the whole fleet: 256 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 4096))]
    pub parallel_sessions: Option<u16>,
    /// The credentials that clusters' files name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Vec<NodeCredentialShape>>,
}

/// A credential for nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeCredentialShape {
    /// What `connection.credential` of a cluster's file names.
    #[schemars(regex(pattern = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"))]
    pub name: String,
    /// The account: `svc-drydock` with a realm, `NORTH\svc-drydock`, or a local one. May be left out where the secret's place says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where the secret is kept. Never the secret itself.
    pub secret: SecretShape,
    /// How it serves over WinRM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub win_rm: Option<WinRmShape>,
    /// How it serves over SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshShape>,
}

/// Where a secret is kept: exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct SecretShape {
    /// A file with a password on its first line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// A file of Kerberos keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keytab: Option<String>,
    /// A credential cache file of MIT Kerberos, which somebody else keeps fresh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_cache: Option<String>,
    /// A file with an SSH private key that has no passphrase; one that has goes into a `directory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key: Option<String>,
    /// A folder, as systemd credentials and Kubernetes secrets are mounted: `username`, `password`, `keytab`, `ccache`, `tls.crt` with `tls.key`, `ssh-privatekey` with `passphrase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// An environment variable of the controller, with a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// A program and its arguments, none of them secret, which prints `{"username": …, "password": …, "expires": …}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// The SSH agent of the controller's own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<bool>,
}

/// How a credential serves over WinRM.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WinRmShape {
    /// `Kerberos` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<AuthenticationShape>,
    /// `TLS` when left out. `Message` is HTTP with every message sealed by Kerberos or NTLM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<EncryptionShape>,
    /// A file of certificates (PEM) that signed the nodes' certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<String>,
    /// The SHA-256 of the one certificate that is trusted, as `openssl x509 -fingerprint -sha256` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The realm, for Kerberos: `NORTH.EXAMPLE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// The domain controllers that give tickets, tried in this order: `dc1.north.example`, with a port where it is not 88.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kdcs: Option<Vec<String>>,
}

/// How an account proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AuthenticationShape {
    /// With tickets of the domain.
    Kerberos,
    /// Challenge and response; proves the account and not the node.
    #[serde(rename = "NTLM")]
    Ntlm,
    /// The password itself, inside TLS.
    Basic,
    /// A client certificate, inside TLS.
    Certificate,
}

/// How messages are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EncryptionShape {
    /// TLS.
    #[serde(rename = "TLS")]
    Tls,
    /// HTTP, every message sealed.
    Message,
}

/// How a credential serves over SSH.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SshShape {
    /// Files with the nodes' host keys, as `ssh-keyscan` prints them and a person has compared them.
    pub known_hosts: Vec<String>,
}

/// Sessions at one time: each costs a socket here and a process on a node.
const MOST_SESSIONS: u16 = 4_096;
/// Credentials: one for each domain and role of a large fleet.
const MOST_CREDENTIALS: usize = 256;

impl Reader<'_> {
    pub(super) fn nodes(&mut self, shape: NodesShape) -> Nodes {
        let usual = Nodes::default();
        let parallel_sessions = shape.parallel_sessions.unwrap_or(usual.parallel_sessions);
        if !(1..=MOST_SESSIONS).contains(&parallel_sessions) {
            let message = format!("`nodes.parallelSessions` must lie between 1 and {MOST_SESSIONS}");
            self.error(&["nodes", "parallelSessions"], Code::OutOfBounds, message, "256 suits most fleets");
        }
        let shapes = shape.credentials.unwrap_or_default();
        if shapes.len() > MOST_CREDENTIALS {
            let message = format!("`nodes.credentials` has {} entries; at most {MOST_CREDENTIALS} are read", shapes.len());
            self.error(&["nodes", "credentials"], Code::OutOfBounds, message, "one credential may serve many clusters");
        }
        let mut names = BTreeSet::new();
        let mut credentials = Vec::new();
        for (i, shape) in shapes.into_iter().take(MOST_CREDENTIALS).enumerate() {
            if let Err(why) = shape.name.parse::<ClusterName>() {
                self.wrong(i, &["name"], Code::BadName, format!("the credential's name {why}"), "for example: north");
            }
            if !names.insert(shape.name.clone()) {
                let message = format!("the credential {} is there twice", shape.name);
                self.wrong(i, &["name"], Code::Contradiction, message, "give each its own name");
            }
            credentials.push(self.credential(i, shape));
        }
        Nodes { parallel_sessions, credentials }
    }

    fn credential(&mut self, i: usize, shape: NodeCredentialShape) -> NodeCredential {
        if shape.win_rm.is_none() && shape.ssh.is_none() {
            let message = format!("the credential {} serves neither over WinRM nor over SSH", shape.name);
            self.wrong(i, &["name"], Code::Contradiction, message, "add `winRm` or `ssh`, or both");
        }
        let odd = |user: &String| user.trim().is_empty() || user.len() > 256 || user.chars().any(char::is_control);
        if shape.user.as_ref().is_some_and(odd) {
            self.wrong(i, &["user"], Code::BadText, "`user` is no account".to_owned(), "for example: svc-drydock");
        }
        let secret = self.secret(i, &shape);
        let winrm = shape.win_rm.map(|w| self.winrm(i, &secret, w));
        let ssh = shape.ssh.map(|s| Ssh { known_hosts: s.known_hosts.iter().map(|p| self.file(i, &["ssh", "knownHosts"], p)).collect() });
        if ssh.as_ref().is_some_and(|s| s.known_hosts.is_empty()) {
            let message = "`knownHosts` names no file, so no node could prove itself".to_owned();
            self.wrong(i, &["ssh", "knownHosts"], Code::Contradiction, message, "name a file with the nodes' host keys");
        }
        NodeCredential { name: shape.name, user: shape.user, secret, winrm, ssh }
    }

    fn secret(&mut self, i: usize, shape: &NodeCredentialShape) -> SecretFrom {
        let s = &shape.secret;
        let files = [
            ("passwordFile", &s.password_file, Holds::Password),
            ("keytab", &s.keytab, Holds::Keytab),
            ("credentialCache", &s.credential_cache, Holds::Tickets),
            ("sshKey", &s.ssh_key, Holds::SshKey),
        ];
        let places = [s.directory.is_some(), s.environment.is_some(), s.command.is_some(), s.agent.is_some()];
        let said = files.iter().map(|(_, path, _)| path.is_some()).chain(places).filter(|said| *said).count();
        if said != 1 {
            let message = "`secret` must name exactly one place".to_owned();
            let hint = "one of passwordFile, keytab, credentialCache, sshKey, directory, environment, command and agent";
            self.wrong(i, &["secret"], Code::Contradiction, message, hint);
        }
        for (name, path, holds) in files {
            if let Some(path) = path {
                let misplaced = match holds {
                    Holds::Password | Holds::Keytab | Holds::Tickets => shape.ssh.is_some(),
                    Holds::SshKey => shape.win_rm.is_some(),
                };
                if misplaced {
                    let message = format!("`{name}` serves only one of WinRM and SSH");
                    self.wrong(i, &["secret", name], Code::Contradiction, message, "use a `directory`, or two credentials");
                }
                return SecretFrom::File(self.file(i, &["secret", name], path), holds);
            }
        }
        if let Some(path) = &s.directory {
            return SecretFrom::Directory(self.file(i, &["secret", "directory"], path));
        }
        if let Some(name) = &s.environment {
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                let message = "`environment` is no name of a variable".to_owned();
                self.wrong(i, &["secret", "environment"], Code::BadText, message, "for example: DRYDOCK_NORTH_PASSWORD");
            }
            return SecretFrom::Environment(name.clone());
        }
        if let Some(command) = &s.command {
            if command.first().is_none_or(|program| program.trim().is_empty()) {
                let message = "`command` names no program".to_owned();
                self.wrong(i, &["secret", "command"], Code::BadText, message, "for example: [/usr/local/bin/read-secret, north]");
            }
            return SecretFrom::Command(command.clone());
        }
        if s.agent == Some(false) || shape.ssh.is_none() {
            let message = "`agent` is for SSH, and can only be true".to_owned();
            self.wrong(i, &["secret", "agent"], Code::Contradiction, message, "write `agent: true` beside `ssh`, or name another place");
        }
        SecretFrom::Agent
    }

    fn winrm(&mut self, i: usize, secret: &SecretFrom, shape: WinRmShape) -> WinRm {
        let authentication = match shape.authentication {
            Some(AuthenticationShape::Kerberos) | None => Authentication::Kerberos,
            Some(AuthenticationShape::Ntlm) => Authentication::Ntlm,
            Some(AuthenticationShape::Basic) => Authentication::Basic,
            Some(AuthenticationShape::Certificate) => Authentication::Certificate,
        };
        if *secret == SecretFrom::Agent {
            let message = "the SSH agent holds no secret that serves over WinRM".to_owned();
            self.wrong(i, &["secret", "agent"], Code::Contradiction, message, "name a credential of its own for WinRM");
        }
        WinRm {
            encryption: self.encryption(i, authentication, &shape),
            kerberos: self.kerberos(i, authentication, shape.realm, shape.kdcs),
            authentication,
        }
    }

    fn encryption(&mut self, i: usize, authentication: Authentication, shape: &WinRmShape) -> Encryption {
        let proofs = (&shape.certificate_authority, &shape.fingerprint);
        match (shape.encryption.unwrap_or(EncryptionShape::Tls), proofs) {
            (EncryptionShape::Message, proofs) => {
                match authentication {
                    Authentication::Kerberos | Authentication::Ntlm => {}
                    Authentication::Basic | Authentication::Certificate => {
                        let message = "`encryption: Message` needs Kerberos or NTLM; the others protect nothing".to_owned();
                        self.wrong(i, &["winRm", "encryption"], Code::Contradiction, message, "write `encryption: TLS`");
                    }
                }
                if proofs != (&None, &None) {
                    let message = "`encryption: Message` uses no certificate".to_owned();
                    self.wrong(
                        i,
                        &["winRm", "encryption"],
                        Code::Contradiction,
                        message,
                        "leave out `certificateAuthority` and `fingerprint`",
                    );
                }
                Encryption::Message
            }
            (EncryptionShape::Tls, (Some(path), None)) => Encryption::Authorities(self.file(i, &["winRm", "certificateAuthority"], path)),
            (EncryptionShape::Tls, (None, Some(text))) => {
                let digits = text.chars().filter(|c| !matches!(c, ':' | ' ' | '-'));
                if digits.clone().count() != 64 || !digits.clone().all(|c| c.is_ascii_hexdigit()) {
                    let message = "`fingerprint` is no SHA-256 of a certificate".to_owned();
                    let hint = "openssl x509 -noout -fingerprint -sha256 -in node.pem prints it";
                    self.wrong(i, &["winRm", "fingerprint"], Code::BadText, message, hint);
                }
                Encryption::Fingerprint(text.clone())
            }
            (EncryptionShape::Tls, (both, _)) => {
                let message = if both.is_some() {
                    "`certificateAuthority` and `fingerprint` are two ways to trust a node"
                } else {
                    "nothing says which certificates are trusted"
                };
                self.wrong(i, &["winRm"], Code::Contradiction, message.to_owned(), "name either `certificateAuthority` or `fingerprint`");
                Encryption::Message
            }
        }
    }

    fn kerberos(
        &mut self,
        i: usize,
        authentication: Authentication,
        realm: Option<String>,
        kdcs: Option<Vec<String>>,
    ) -> Option<KerberosRealm> {
        match (authentication, realm, kdcs) {
            (Authentication::Kerberos, Some(realm), Some(kdcs)) if !kdcs.is_empty() => {
                let host = |text: &String| {
                    let (name, port) = text.rsplit_once(':').map_or((text.as_str(), "88"), |(name, port)| (name, port));
                    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
                    !name.is_empty() && name.chars().all(known) && port.parse::<u16>().is_ok_and(|p| p > 0)
                };
                if let Some(bad) = kdcs.iter().find(|kdc| !host(kdc)) {
                    let message = format!("`kdcs` has {bad:?}, which is no host");
                    self.wrong(i, &["winRm", "kdcs"], Code::BadAddress, message, "for example: dc1.north.example");
                }
                if realm.is_empty() || !realm.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')) {
                    let message = "`realm` is no realm".to_owned();
                    self.wrong(i, &["winRm", "realm"], Code::BadText, message, "for example: NORTH.EXAMPLE");
                }
                Some(KerberosRealm { realm, kdcs })
            }
            (Authentication::Kerberos, _, _) => {
                let message = "Kerberos needs `realm` and `kdcs`".to_owned();
                self.wrong(i, &["winRm"], Code::Contradiction, message, "or write `authentication: NTLM`");
                None
            }
            (Authentication::Ntlm | Authentication::Basic | Authentication::Certificate, None, None) => None,
            (Authentication::Ntlm | Authentication::Basic | Authentication::Certificate, _, _) => {
                let message = "`realm` and `kdcs` are for Kerberos".to_owned();
                self.wrong(i, &["winRm"], Code::Contradiction, message, "leave them out");
                None
            }
        }
    }

    fn file(&mut self, i: usize, at: &[&str], text: &str) -> PathBuf {
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            let message = format!("`{}` is no path", at.join("."));
            self.wrong(i, at, Code::BadText, message, "give the path of a file, relative to this one");
        }
        self.base().join(text)
    }

    /// Something about one credential.
    fn wrong(&mut self, i: usize, at: &[&str], code: Code, message: String, hint: &str) {
        self.error_in(&["nodes", "credentials"], i, at, code, message, hint);
    }
}
