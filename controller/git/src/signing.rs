//! SSH signatures on commits, as git makes and checks them (`gpg.format = ssh`), without the git or ssh-keygen programs.

use crate::mirror::Mirror;
use git2::{ErrorCode, Oid};
use ssh_key::{Algorithm, EcdsaCurve, Fingerprint, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use std::fmt;

/// What git signs with, so that a signature made for something else never counts for a commit.
const NAMESPACE: &str = "git";

/// A private key that signs commits. Prints as its fingerprint.
#[derive(Clone)]
pub struct SigningKey(PrivateKey);

/// Why a key does not serve.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// Not a key in OpenSSH's form.
    #[error("this is not an OpenSSH private key (make one with `ssh-keygen -t ed25519`)")]
    Unreadable(#[source] ssh_key::Error),
    /// It has a passphrase and none, or a wrong one, was given.
    #[error("the signing key is encrypted, and the passphrase for it is missing or wrong")]
    Passphrase,
    /// The kind of key cannot sign here.
    #[error("{0} keys are not supported for signing commits; use ssh-ed25519")]
    Kind(Algorithm),
    /// A line of an allowed-signers file.
    #[error("line {line} of the allowed signers is not `name key-type key`")]
    Line {
        /// Which one, from 1.
        line: usize,
    },
    /// Signing itself failed.
    #[error("the commit could not be signed")]
    Signing(#[source] ssh_key::Error),
}

impl SigningKey {
    /// Reads a private key as `ssh-keygen` writes it.
    pub fn from_openssh(text: &str, passphrase: Option<&str>) -> Result<Self, BadKey> {
        let key = PrivateKey::from_openssh(text).map_err(BadKey::Unreadable)?;
        let key = match (key.is_encrypted(), passphrase) {
            (false, _) => key,
            (true, None) => return Err(BadKey::Passphrase),
            (true, Some(passphrase)) => key.decrypt(passphrase).map_err(|_| BadKey::Passphrase)?,
        };
        match key.algorithm() {
            Algorithm::Ed25519 | Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 } => Ok(Self(key)),
            // RSA: signing is broken in ssh-key 0.6 (it takes one prime twice); checking RSA signatures of others works.
            other => Err(BadKey::Kind(other)),
        }
    }

    /// A new ed25519 key from 32 random bytes, and its file as `ssh-keygen` would write it.
    pub fn generate(random: &[u8; 32], comment: &str) -> Result<(Self, String), BadKey> {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(random);
        let mut key = PrivateKey::from(pair);
        key.set_comment(comment);
        let file = key.to_openssh(LineEnding::LF).map_err(BadKey::Signing)?.to_string();
        Ok((Self(key), file))
    }

    /// The public half, as it stands in an allowed-signers file.
    #[must_use]
    pub fn public(&self) -> String {
        let mut key = self.0.public_key().clone();
        key.set_comment("");
        key.to_openssh().unwrap_or_default()
    }

    /// SHA-256 of the public half, as `ssh-keygen -l` shows it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The armoured signature over a commit's text.
    pub(crate) fn sign(&self, text: &[u8]) -> Result<String, BadKey> {
        self.0.sign(NAMESPACE, HashAlg::Sha512, text).and_then(|signature| signature.to_pem(LineEnding::LF)).map_err(BadKey::Signing)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.fingerprint())
    }
}

/// Who may sign, by name.
#[derive(Debug, Clone, Default)]
pub struct AllowedKeys(Vec<(String, PublicKey)>);

/// An allowed-signers file has a line per person; more is not one.
const LINES_MAX: usize = 10_000;

impl AllowedKeys {
    /// Reads `NAME KEY-TYPE KEY` lines, as in git's `gpg.ssh.allowedSignersFile`; comments and empty lines are passed over.
    /// Lines with options (`valid-after=`, `namespaces=`, `cert-authority`) are refused rather than half understood.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parsed = line
                .split_once(char::is_whitespace)
                .and_then(|(name, key)| Some((name.to_owned(), PublicKey::from_openssh(key.trim()).ok()?)));
            match parsed {
                Some(pair) if number <= LINES_MAX => keys.push(pair),
                Some(_) | None => return Err(BadKey::Line { line: number }),
            }
        }
        Ok(Self(keys))
    }

    /// The same list with one more key.
    #[must_use]
    pub fn and(mut self, name: &str, key: &SigningKey) -> Self {
        self.0.push((name.to_owned(), key.0.public_key().clone()));
        self
    }
}

/// Why a commit counts as nobody's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// It has no signature.
    #[error("commit {0} is not signed")]
    Unsigned(Oid),
    /// Signed in another way (OpenPGP, X.509), or garbled.
    #[error("commit {0} has a signature that is not an SSH signature")]
    NotSsh(Oid),
    /// A good signature of a key that is not on the list, or a bad one that names such a key.
    #[error("commit {commit} is signed by {fingerprint}, which is not an allowed key")]
    UnknownKey {
        /// The commit.
        commit: Oid,
        /// The key it names.
        fingerprint: String,
    },
    /// It does not match what it signs, or was made for another purpose.
    #[error("the signature of commit {commit} by {name} does not match its content")]
    Bad {
        /// The commit.
        commit: Oid,
        /// Whose key it names.
        name: String,
    },
    /// The commit cannot be read.
    #[error(transparent)]
    Unreadable(#[from] crate::reading::Unreadable),
}

impl Mirror {
    /// The name under which the key that signed this commit is allowed.
    pub fn verify(&self, commit: Oid, allowed: &AllowedKeys) -> Result<String, Unverified> {
        self.commit_header(commit)?;
        let (signature, text) = match self.git.extract_signature(&commit, None) {
            Ok(pair) => pair,
            Err(error) if error.code() == ErrorCode::NotFound => return Err(Unverified::Unsigned(commit)),
            Err(error) => return Err(self.broken(&error).into()),
        };
        let signature = SshSig::from_pem(&*signature).map_err(|_| Unverified::NotSsh(commit))?;
        let named = PublicKey::from(signature.public_key().clone());
        let Some((name, key)) = allowed.0.iter().find(|(_, key)| key.key_data() == named.key_data()) else {
            let fingerprint: Fingerprint = named.fingerprint(HashAlg::Sha256);
            return Err(Unverified::UnknownKey { commit, fingerprint: fingerprint.to_string() });
        };
        key.verify(NAMESPACE, &text, &signature).map_err(|_| Unverified::Bad { commit, name: name.clone() })?;
        Ok(name.clone())
    }
}
