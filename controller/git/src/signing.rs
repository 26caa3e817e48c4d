//! SSH signatures on commits, as git makes and checks them (`gpg.format = ssh`). A controller needs no program for them; a person whose key is in an agent,
//! on a token or behind a passphrase signs by `ssh-keygen`, as with git.

use crate::mirror::Mirror;
use git2::{ErrorCode, Oid};
use ssh_key::{Algorithm, EcdsaCurve, Fingerprint, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What git signs with, so that a signature made for something else never counts for a commit.
const NAMESPACE: &str = "git";

/// A private key that signs commits. Prints as its fingerprint.
#[derive(Clone)]
pub struct SigningKey(Hand);

#[derive(Clone)]
enum Hand {
    /// The key itself.
    Key(Box<PrivateKey>),
    /// Whoever `ssh-keygen -Y sign -f FILE` gets to sign: the agent, a token, the user who types a passphrase.
    Program { file: PathBuf, public: PublicKey },
}

/// Why a key does not serve.
#[derive(Debug, thiserror::Error)]
pub enum BadKey {
    /// Not a key in OpenSSH's form.
    #[error("this is not an OpenSSH private key, as `ssh-keygen -t ed25519` writes it")]
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
    /// ssh-keygen did not sign.
    #[error("`ssh-keygen -Y sign -f {}` did not sign: {said}", file.display())]
    Program {
        /// The key's file.
        file: PathBuf,
        /// What it said, or why it could not be asked.
        said: String,
    },
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
            Algorithm::Ed25519 | Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 } => Ok(Self(Hand::Key(Box::new(key)))),
            // RSA: signing is broken in ssh-key 0.6 (it takes one prime twice); checking RSA signatures of others works.
            other => Err(BadKey::Kind(other)),
        }
    }

    /// A key that `ssh-keygen` signs with, for a person: `text` is what stands in the file, a public key whose private half an agent holds or that lies beside
    /// it, or a private key that is of a kind, or behind a passphrase, that is not read here.
    pub fn by_program(file: &Path, text: &str) -> Result<Self, BadKey> {
        let public = PublicKey::from_openssh(text.trim())
            .or_else(|_| PrivateKey::from_openssh(text).map(|key| key.public_key().clone()))
            .map_err(BadKey::Unreadable)?;
        Ok(Self(Hand::Program { file: file.to_owned(), public }))
    }

    fn public_key(&self) -> &PublicKey {
        match &self.0 {
            Hand::Key(key) => key.public_key(),
            Hand::Program { public, .. } => public,
        }
    }

    /// A new ed25519 key from 32 random bytes, and its file as `ssh-keygen` would write it.
    pub fn generate(random: &[u8; 32], comment: &str) -> Result<(Self, String), BadKey> {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(random);
        let mut key = PrivateKey::from(pair);
        key.set_comment(comment);
        let file = key.to_openssh(LineEnding::LF).map_err(BadKey::Signing)?.to_string();
        Ok((Self(Hand::Key(Box::new(key))), file))
    }

    /// The public half, as it stands in an allowed-signers file.
    #[must_use]
    pub fn public(&self) -> String {
        let mut key = self.public_key().clone();
        key.set_comment("");
        key.to_openssh().unwrap_or_default()
    }

    /// SHA-256 of the public half, as `ssh-keygen -l` shows it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.public_key().fingerprint(HashAlg::Sha256).to_string()
    }

    /// The armoured signature over a commit's text.
    pub(crate) fn sign(&self, text: &[u8]) -> Result<String, BadKey> {
        match &self.0 {
            Hand::Key(key) => {
                key.sign(NAMESPACE, HashAlg::Sha512, text).and_then(|signature| signature.to_pem(LineEnding::LF)).map_err(BadKey::Signing)
            }
            Hand::Program { file, public } => {
                let said = |said: String| BadKey::Program { file: file.clone(), said };
                let armoured = ask_program(file, text).map_err(said)?;
                let signature = SshSig::from_pem(&armoured).map_err(|_| said("its answer is no signature".to_owned()))?;
                // It may have found another key of that name.
                public.verify(NAMESPACE, text, &signature).map_err(|_| said("its signature is of another key".to_owned()))?;
                Ok(armoured)
            }
        }
    }
}

/// A passphrase, or a touch of a token, it asks for on the terminal itself.
fn ask_program(file: &Path, text: &[u8]) -> Result<String, String> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("the program cannot be started ({error})"))?;
    // A commit's text is far below what a pipe holds.
    let sent = child.stdin.take().map_or(Ok(()), |mut input| input.write_all(text));
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
        return Err(said.chars().filter(|c| !c.is_control()).take(SAID_MAX).collect());
    }
    sent.map_err(|error| error.to_string())?;
    String::from_utf8(output.stdout).map_err(|_| "its answer is no text".to_owned())
}

/// Characters of what a program says that a person reads.
const SAID_MAX: usize = 300;

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
        self.0.push((name.to_owned(), key.public_key().clone()));
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
