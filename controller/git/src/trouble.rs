//! What can go wrong between us and a repository, in words that say what to do. Sources are kept, never printed.

use crate::access::without_addresses;
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// An error and its causes on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    // Chains of ours have three links at most; the bound is for those of others.
    for _ in 0..8 {
        let Some(inner) = cause else { break };
        let more = inner.to_string();
        // libgit2 tells its own sort of error behind its words, which ours have without it.
        let words = more.split_once("; class=").map_or(more.as_str(), |(words, _)| words);
        if !text.contains(words) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text
}

/// Why a fetch or a push did not go through.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The remote is a path, and nothing is there.
    #[error("there is nothing at {0}; check the spelling, or make the repository with `git init --bare`")]
    NoSuchPath(PathBuf),
    /// Something is there, but no repository.
    #[error("{0} is not a git repository; check the spelling, or make one with `git init --bare`")]
    NotARepository(PathBuf),
    /// Somebody else's files; git trusts them only when told to.
    #[error(
        "{0} belongs to another user, so git does not trust it; run as its owner, or allow it with `git config --global --add safe.directory {0}`"
    )]
    NotOurs(PathBuf),
    /// A repository in a form that libgit2 does not read (SHA-256, reftable).
    #[error("the repository {remote} is in a form that is not supported ({detail}); Drydock needs SHA-1 objects and file references")]
    Unsupported {
        /// Which one.
        remote: String,
        /// In libgit2's words.
        detail: String,
    },
    /// No connection, or it broke.
    #[error("{remote} cannot be reached: {detail}")]
    Unreachable {
        /// Which one.
        remote: String,
        /// In libgit2's words.
        detail: String,
        /// The error as it came.
        #[source]
        source: git2::Error,
    },
    /// Connected, and then silent.
    #[error("{remote} did not answer in time")]
    TimedOut {
        /// Which one.
        remote: String,
        /// The error as it came.
        #[source]
        source: git2::Error,
    },
    /// It sends more, or for longer, than any fleet has to say.
    #[error("a fetch from {remote} was broken off: {detail}; see what was pushed there")]
    TooMuch {
        /// Which one.
        remote: String,
        /// How much of what.
        detail: String,
    },
    /// The server knows no such repository (or does not show it to us).
    #[error("{remote} does not exist, or this credential may not see it")]
    NoSuchRepository {
        /// Which one.
        remote: String,
    },
    /// The server asked for a credential and none is configured that it takes.
    #[error("{remote} asks for a credential: {advice}")]
    CredentialMissing {
        /// Which one.
        remote: String,
        /// What to configure.
        advice: String,
    },
    /// The server did not take the credential.
    #[error("{remote} did not accept {credential}; check that it is current and may read and push")]
    CredentialRefused {
        /// Which one.
        remote: String,
        /// Which credential, named without its content.
        credential: String,
    },
    /// Nobody vouches for the server's key.
    #[error(
        "the SSH host key of {host} is not known: {algorithm} {fingerprint}. Compare it with what the server's owner publishes, then add its line to {files}"
    )]
    HostUnknown {
        /// The host, with its port unless 22.
        host: String,
        /// The kind of key.
        algorithm: String,
        /// Its SHA-256 fingerprint.
        fingerprint: String,
        /// The known_hosts files that were read.
        files: String,
    },
    /// Another key is on record: either the server was rebuilt or somebody is in between.
    #[error(
        "the SSH host key of {host} is {algorithm} {fingerprint}, but {place} has another one. Somebody may be in between; only if the owner confirms the change, replace that line"
    )]
    HostChanged {
        /// The host, with its port unless 22.
        host: String,
        /// The kind of key.
        algorithm: String,
        /// The fingerprint it showed.
        fingerprint: String,
        /// File and line of the record.
        place: String,
    },
    /// The key is marked `@revoked`.
    #[error("the SSH host key {fingerprint} of {host} is revoked in {place}; do not connect before its owner has replaced it")]
    HostRevoked {
        /// The host, with its port unless 22.
        host: String,
        /// The fingerprint it showed.
        fingerprint: String,
        /// File and line of the record.
        place: String,
    },
    /// The server's TLS certificate is not trusted.
    #[error("the TLS certificate of {remote} is not trusted: {detail}. With a private CA, configure its certificate file")]
    CertificateRefused {
        /// Which one.
        remote: String,
        /// In libgit2's words.
        detail: String,
    },
    /// No room.
    #[error("no space is left where {place} is; free some, nothing was lost")]
    DiskFull {
        /// Which repository or folder.
        place: String,
    },
    /// Not allowed.
    #[error("no permission to {doing} {place}; it must be writable for the user that runs Drydock")]
    NoPermission {
        /// What was tried.
        doing: &'static str,
        /// Which repository or folder.
        place: String,
    },
    /// Mounted read-only.
    #[error("{place} is on a read-only file system; mount it writable, or name another remote")]
    ReadOnly {
        /// Which repository or folder.
        place: String,
    },
    /// Somebody else writes just now, or died while writing.
    #[error("another writer holds {lock}; it is tried again. If it stays and no git runs there, remove that file")]
    Locked {
        /// The lock file.
        lock: PathBuf,
    },
    /// It is never what the look before the push saw.
    #[error(
        "{branch} moved each time it was pushed to, and had not when it was looked at; it is tried again. If it stays, find out who writes there"
    )]
    Restless {
        /// The branch.
        branch: String,
    },
    /// Our mirror is damaged; the next fetch makes it again.
    #[error("the local mirror is damaged ({detail}); the next fetch makes it again from the remote")]
    Corrupt {
        /// What was found.
        detail: String,
    },
    /// Making the mirror anew failed in the same way, so it is the remote that is damaged.
    #[error("{remote} is damaged ({detail}); run `git fsck` there. What was fetched before stays")]
    RemoteDamaged {
        /// Which one.
        remote: String,
        /// What was found.
        detail: String,
    },
    /// Another process uses our state folder.
    #[error("{0} is in use by another process; two controllers cannot share one state folder")]
    InUse(PathBuf),
    /// What shall be pushed does not contain what is there: pushing it would need force.
    #[error("{new} does not descend from {expected}, so it cannot be pushed without force, and force is never used")]
    NotADescendant {
        /// What the branch is.
        expected: git2::Oid,
        /// What it should become.
        new: git2::Oid,
    },
    /// A test, or a fault that a test asked for.
    #[error("the connection was cut by a fault that was asked for ({0})")]
    Injected(&'static str),
    /// libgit2's process-wide settings could not be made.
    #[error("git could not be set up")]
    Limits(#[source] crate::limits::LimitsError),
    /// The server takes the connection but says something unexpected.
    #[error("{remote}: {detail}")]
    Server {
        /// Which one.
        remote: String,
        /// In libgit2's words.
        detail: String,
        /// The error as it came.
        #[source]
        source: git2::Error,
    },
    /// An operation on files failed in another way.
    #[error("cannot {doing} {place}")]
    Files {
        /// What was tried.
        doing: &'static str,
        /// Where.
        place: String,
        /// The error as it came.
        #[source]
        source: io::Error,
    },
}

impl Trouble {
    /// Somebody else's files, named as git compares them: without links, `..` and a last `/`, for else the advice would be followed in vain.
    pub fn not_ours(path: &Path) -> Self {
        Self::NotOurs(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
    }

    /// Sorts an error of our own file operations.
    pub(crate) fn from_io(doing: &'static str, place: &Path, source: io::Error) -> Self {
        let name = place.display().to_string();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { place: name },
            io::ErrorKind::PermissionDenied => Self::NoPermission { doing, place: name },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { place: name },
            _ => Self::Files { doing, place: name, source },
        }
    }

    /// Sorts an error about the files of a remote on a path: what is damaged there is not our mirror.
    pub(crate) fn of_remote(path: &Path, source: git2::Error) -> Self {
        let remote = path.display().to_string();
        match Self::from_git(&remote, None, source) {
            Self::Corrupt { detail } => Self::RemoteDamaged { remote, detail },
            other => other,
        }
    }

    /// Sorts an error of libgit2 about a remote. `credential` names what was shown to the server, if anything.
    pub(crate) fn from_git(remote: &str, credential: Option<String>, source: git2::Error) -> Self {
        let source = without_addresses(source);
        let detail = source.message().to_owned();
        let remote = remote.to_owned();
        if let Some(trouble) = Self::by_system_text(&remote, &detail) {
            return trouble;
        }
        match (source.code(), source.class()) {
            (git2::ErrorCode::Timeout, _) => Self::TimedOut { remote, source },
            _ if detail.to_ascii_lowercase().contains("timed out") => Self::TimedOut { remote, source },
            (git2::ErrorCode::Auth, _) => match credential {
                Some(credential) => Self::CredentialRefused { remote, credential },
                None => Self::CredentialMissing { remote, advice: "configure a key or a token for it".into() },
            },
            (git2::ErrorCode::Certificate, _) | (_, git2::ErrorClass::Ssl) => Self::CertificateRefused { remote, detail },
            (git2::ErrorCode::NotFound, git2::ErrorClass::Http) => Self::NoSuchRepository { remote },
            (git2::ErrorCode::Owner, _) => Self::not_ours(Path::new(&remote)),
            (_, git2::ErrorClass::Http) if detail.contains("status code: 404") => Self::NoSuchRepository { remote },
            (_, git2::ErrorClass::Http) if detail.contains("status code: 403") || detail.contains("status code: 401") => match credential {
                Some(credential) => Self::CredentialRefused { remote, credential },
                None => Self::CredentialMissing { remote, advice: "configure a token for it".into() },
            },
            (git2::ErrorCode::Eof, _) | (_, git2::ErrorClass::Net | git2::ErrorClass::Os) => Self::Unreachable { remote, detail, source },
            (_, git2::ErrorClass::Ssh) if detail.contains("timeout") => Self::TimedOut { remote, source },
            (_, git2::ErrorClass::Ssh) if detail.contains("passphrase") || detail.contains("private key") => {
                let credential = credential.unwrap_or_else(|| "the key".into());
                Self::CredentialMissing {
                    remote,
                    advice: format!("{credential} cannot be opened; its passphrase is missing or wrong, or it is no key"),
                }
            }
            (_, git2::ErrorClass::Ssh) => Self::Unreachable { remote, detail, source },
            (_, git2::ErrorClass::Repository) if unsupported(&detail) => Self::Unsupported { remote, detail },
            (_, git2::ErrorClass::Odb | git2::ErrorClass::Zlib | git2::ErrorClass::Sha1) => Self::Corrupt { detail },
            (_, git2::ErrorClass::Reference) if detail.contains("corrupt") => Self::Corrupt { detail },
            _ => Self::Server { remote, detail, source },
        }
    }

    /// libgit2 keeps no error number; the system's words are in its text (never translated: we set no locale).
    fn by_system_text(place: &str, detail: &str) -> Option<Self> {
        let place = place.to_owned();
        if detail.contains("No space left on device") || detail.contains("Disk quota exceeded") {
            Some(Self::DiskFull { place })
        } else if detail.contains("Permission denied") && !detail.contains("publickey") {
            Some(Self::NoPermission { doing: "use", place })
        } else if detail.contains("Read-only file system") {
            Some(Self::ReadOnly { place })
        } else {
            None
        }
    }
}

/// Whether libgit2 speaks of a repository's format rather than of its state.
pub(crate) fn unsupported(detail: &str) -> bool {
    detail.contains("unsupported extension")
        || detail.contains("unknown object format")
        || detail.contains("unsupported repository version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libgit2_says_is_said_once() {
        let source =
            git2::Error::new(git2::ErrorCode::GenericError, git2::ErrorClass::Os, "failed to connect to localhost: Connection refused");
        let trouble = Trouble::from_git("git://localhost/fleet.git", None, source);
        assert_eq!(chain(&trouble), "git://localhost/fleet.git cannot be reached: failed to connect to localhost: Connection refused");
    }

    #[test]
    fn a_folder_of_somebody_else_is_named_so_that_the_advice_about_it_works() {
        let here = std::env::temp_dir().canonicalize().unwrap_or_default();
        let round_about = here.join("..").join(here.file_name().unwrap_or_default()).join(".");
        let told = Trouble::not_ours(&round_about).to_string();
        assert!(told.ends_with(&format!("--add safe.directory {}`", here.display())), "{told}");
        assert!(
            Trouble::not_ours(Path::new("/nowhere/at/all")).to_string().contains("safe.directory /nowhere/at/all`"),
            "what is not there stays as it is"
        );
    }
}
