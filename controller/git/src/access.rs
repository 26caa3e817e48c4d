//! Credentials and proxies: read when they are used, so that a rotated token counts at once; never printed.

use crate::hosts;
use crate::remote::{Place, Remote};
use crate::trouble::Trouble;
use git2::{CertificateCheckStatus, Cred, CredentialType, ProxyOptions, RemoteCallbacks};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// How a remote is got at. The default: the SSH agent, the user's known_hosts, no token, the environment's proxy.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Where the SSH key comes from.
    pub key: KeyFrom,
    /// Files with the keys of SSH servers; empty: the user's and the machine's.
    pub known_hosts: Vec<PathBuf>,
    /// Where the token (or password) for `https` comes from.
    pub token: Option<TokenFrom>,
    /// The user name to show with the token; forges that have tokens mostly ignore it.
    pub user: Option<String>,
    /// How `https` goes out.
    pub proxy: Proxy,
}

/// Where an SSH key comes from.
#[derive(Debug, Clone, Default)]
pub enum KeyFrom {
    /// The agent at `SSH_AUTH_SOCK`.
    #[default]
    Agent,
    /// A private key file.
    File {
        /// The file.
        path: PathBuf,
        /// The environment variable that holds its passphrase, if it has one.
        passphrase_env: Option<String>,
    },
}

/// Where a token comes from. The token itself is never kept.
#[derive(Debug, Clone)]
pub enum TokenFrom {
    /// The first line of a file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// How `https` goes out.
#[derive(Clone, Default)]
pub enum Proxy {
    /// As git's configuration and the environment (`https_proxy`, `no_proxy`) say.
    #[default]
    Auto,
    /// Straight.
    None,
    /// Through this one; its address may hold a password, which is never printed.
    Url(String),
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("Auto"),
            Self::None => f.write_str("None"),
            Self::Url(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
                write!(f, "Url({scheme}://{})", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
            }
        }
    }
}

/// What happened on one connection, told by callbacks; libgit2's own error would only say "callback returned -1".
#[derive(Debug, Default)]
pub(crate) struct Talk {
    /// Our own, better reason for an end.
    pub(crate) stopped: RefCell<Option<Trouble>>,
    /// How often a credential was asked for: libgit2 asks again and again while it is refused.
    asked: Cell<u32>,
    /// What was shown, named without its content.
    shown: RefCell<Option<String>>,
    /// What the server said beside the protocol: the words of its hooks.
    said: RefCell<Vec<u8>>,
}

/// One try with each kind: a second one with the same secret only helps to lock the account.
const ASKED_MAX: u32 = 2;
/// A hook that says more is not read by anybody.
const SAID_MAX: usize = 4 * 1024;

impl Talk {
    /// The trouble behind an error of libgit2, on this connection.
    pub(crate) fn trouble(&self, remote: &Remote, error: git2::Error) -> Trouble {
        match self.stopped.take() {
            Some(trouble) => trouble,
            None => Trouble::from_git(&remote.to_string(), self.shown.borrow().clone(), scrubbed(remote, error)),
        }
    }

    /// What the server's hooks said, on one line each, printable.
    pub(crate) fn said(&self) -> String {
        printable(&self.said.borrow())
    }

    fn stop(&self, trouble: Trouble) -> git2::Error {
        let text = trouble.to_string();
        *self.stopped.borrow_mut() = Some(trouble);
        git2::Error::from_str(&text)
    }
}

/// Where the environment names a proxy, as libgit2 looks for it.
const PROXIES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"];

/// libgit2 quotes a proxy's address, with its password, when it cannot use it.
fn scrubbed(remote: &Remote, error: git2::Error) -> git2::Error {
    let addresses = match &remote.access().proxy {
        Proxy::Url(url) => vec![url.clone()],
        Proxy::Auto => {
            let named = PROXIES.iter().filter_map(|name| std::env::var(name).ok());
            named.chain(git2::Config::open_default().map(|config| configured(&config)).unwrap_or_default()).collect()
        }
        Proxy::None => Vec::new(),
    };
    let message = addresses.iter().fold(error.message().to_owned(), |message, address| without_password(&message, address));
    saying(error, message)
}

/// The last defence, for addresses that nobody told us of: an error without what stands between `//` and `@` in any of its words.
pub(crate) fn without_addresses(error: git2::Error) -> git2::Error {
    let message = without_any_password(error.message());
    saying(error, message)
}

fn saying(error: git2::Error, message: String) -> git2::Error {
    if message == error.message() { error } else { git2::Error::new(error.code(), error.class(), message) }
}

/// The proxies that git's own configuration names: `http.proxy`, `http.<url>.proxy` and `remote.<name>.proxy`.
fn configured(config: &git2::Config) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(entries) = config.entries(Some(r"\.proxy$")) {
        // What cannot be read any more names no proxy to libgit2 either.
        let _ = entries.for_each(|entry| {
            if entry.has_value() {
                found.extend(entry.value().ok().map(ToOwned::to_owned));
            }
        });
    }
    found
}

fn without_any_password(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("//") {
        out.push_str(before);
        out.push_str("//");
        let word = &after[..after.find(|c: char| c.is_whitespace() || c == '"' || c == '\'').unwrap_or(after.len())];
        rest = match word.rfind('@') {
            Some(at) => {
                out.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    out.push_str(rest);
    out
}

/// A text without the user and password of an address in it.
fn without_password(text: &str, address: &str) -> String {
    let authority = address.split_once("//").map_or(address, |(_, rest)| rest);
    match authority.rsplit_once('@') {
        Some((secret, _)) if !secret.is_empty() => text.replace(secret, "***"),
        Some(_) | None => text.to_owned(),
    }
}

/// Foreign text for a person's eyes: no escapes, no trailing space.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let clean: String = text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    clean.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

/// Callbacks for one connection: credentials, the host's key, the server's words.
pub(crate) fn callbacks<'a>(remote: &'a Remote, talk: &'a Talk) -> RemoteCallbacks<'a> {
    let mut callbacks = RemoteCallbacks::new();
    callbacks.credentials(move |_, _, allowed| credential(remote, talk, allowed));
    callbacks.certificate_check(move |certificate, _| {
        let Place::Ssh { host, port, .. } = remote.place() else {
            // TLS: libgit2 has checked chain and name already, and its verdict stands.
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        };
        let shown = certificate.as_hostkey().and_then(git2::cert::CertHostkey::hostkey).unwrap_or_default();
        let files = known_hosts(remote.access());
        hosts::check(&files, host, *port, shown).map_err(|no| talk.stop(no))?;
        Ok(CertificateCheckStatus::CertificateOk)
    });
    callbacks.sideband_progress(move |bytes| {
        let mut said = talk.said.borrow_mut();
        let room = SAID_MAX.saturating_sub(said.len());
        said.extend(bytes.iter().take(room));
        true
    });
    callbacks
}

/// The proxy, as libgit2 wants it.
pub(crate) fn proxy(remote: &Remote) -> ProxyOptions<'static> {
    let mut options = ProxyOptions::new();
    match &remote.access().proxy {
        Proxy::Auto => {
            options.auto();
        }
        Proxy::None => {}
        Proxy::Url(url) => {
            options.url(url);
        }
    }
    options
}

fn known_hosts(access: &Access) -> Vec<PathBuf> {
    if !access.known_hosts.is_empty() {
        return access.known_hosts.clone();
    }
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".ssh/known_hosts"));
    home.into_iter().chain([PathBuf::from("/etc/ssh/ssh_known_hosts")]).collect()
}

fn credential(remote: &Remote, talk: &Talk, allowed: CredentialType) -> Result<Cred, git2::Error> {
    talk.asked.set(talk.asked.get() + 1);
    let missing = |advice: String| Trouble::CredentialMissing { remote: remote.to_string(), advice };
    if talk.asked.get() > ASKED_MAX || talk.shown.borrow().is_some() {
        let credential = talk.shown.borrow().clone().unwrap_or_else(|| "any credential".into());
        return Err(talk.stop(Trouble::CredentialRefused { remote: remote.to_string(), credential }));
    }
    match remote.place() {
        Place::Ssh { user, .. } => {
            if allowed.contains(CredentialType::USERNAME) {
                return Cred::username(user);
            }
            if !allowed.contains(CredentialType::SSH_KEY) {
                return Err(talk.stop(missing("the server takes no SSH keys, and nothing else is sent over ssh".into())));
            }
            match &remote.access().key {
                KeyFrom::Agent => {
                    if std::env::var_os("SSH_AUTH_SOCK").is_none() {
                        return Err(
                            talk.stop(missing("no SSH agent runs (SSH_AUTH_SOCK is not set); start one, or configure a key file".into()))
                        );
                    }
                    *talk.shown.borrow_mut() = Some(format!("the SSH agent's keys for user {user}"));
                    Cred::ssh_key_from_agent(user)
                }
                KeyFrom::File { path, passphrase_env } => {
                    let text = match std::fs::read_to_string(path) {
                        Ok(text) => Zeroizing::new(text),
                        Err(why) => {
                            return Err(talk.stop(missing(format!("the key file {} cannot be read ({})", path.display(), why.kind()))));
                        }
                    };
                    let passphrase = passphrase_env.as_ref().and_then(|name| std::env::var(name).ok());
                    // Of a key in another form nobody can tell here; what the library makes of it is told then.
                    let locked = ssh_key::PrivateKey::from_openssh(text.as_str()).is_ok_and(|key| key.is_encrypted());
                    if let (Some(name), None, true) = (passphrase_env, &passphrase, locked) {
                        return Err(talk.stop(missing(format!(
                            "the passphrase of {} is expected in the environment variable {name}, which is not set",
                            path.display()
                        ))));
                    }
                    *talk.shown.borrow_mut() = Some(format!("the key {} for user {user}", path.display()));
                    Cred::ssh_key(user, None, path, passphrase.as_deref())
                }
            }
        }
        Place::Http { user, .. } => {
            if !allowed.contains(CredentialType::USER_PASS_PLAINTEXT) {
                return Err(talk.stop(missing("the server wants another kind of login than a token or password".into())));
            }
            let Some(from) = &remote.access().token else {
                return Err(talk.stop(missing("configure a token file or an environment variable for it".into())));
            };
            let token = token(from).map_err(|advice| talk.stop(missing(advice)))?;
            *talk.shown.borrow_mut() = Some(match from {
                TokenFrom::File(path) => format!("the token in {}", path.display()),
                TokenFrom::Env(name) => format!("the token in ${name}"),
            });
            // GitHub, GitLab, Gitea and Azure DevOps ignore the name beside a token, but want one.
            let user = remote.access().user.as_deref().or(user.as_deref()).unwrap_or("git");
            Cred::userpass_plaintext(user, &token)
        }
        Place::Path(_) | Place::Daemon { .. } => Err(talk.stop(missing("none is used on a path or with git://".into()))),
    }
}

/// Longer than any token a forge gives out.
const TOKEN_MAX: usize = 8 * 1024;

fn token(from: &TokenFrom) -> Result<String, String> {
    let (text, place) = match from {
        TokenFrom::File(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|why| format!("the token file {} cannot be read ({})", path.display(), why.kind()))?;
            (text, path.display().to_string())
        }
        TokenFrom::Env(name) => {
            let text =
                std::env::var(name).map_err(|_| format!("the token is expected in the environment variable {name}, which is not set"))?;
            (text, format!("${name}"))
        }
    };
    let line = text.lines().next().unwrap_or("").trim();
    if line.is_empty() || line.len() > TOKEN_MAX {
        return Err(format!("{place} holds no token in its first line"));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxys_password_is_taken_out_of_what_is_said_wherever_its_address_came_from() {
        let said = |address: &str| without_password(&format!("invalid URL: '{address}'"), address);
        assert_eq!(said("http://user:p@ss@proxy:3128"), "invalid URL: 'http://***@proxy:3128'");
        assert_eq!(said("user:pass@proxy"), "invalid URL: '***@proxy'");
        assert_eq!(said("http://proxy:3128"), "invalid URL: 'http://proxy:3128'");
        assert_eq!(said("//user:pass@proxy"), "invalid URL: '//***@proxy'");
    }

    #[test]
    fn a_password_in_an_address_that_nobody_told_us_of_is_not_said_either() {
        let check = |text: &str, expect: &str| assert_eq!(without_any_password(text), expect);
        check("invalid URL: '//user:CANARY@h'", "invalid URL: '//***@h'");
        check("invalid URL: 'http://user:CAN@ARY/@'; class=Http", "invalid URL: 'http://***@'; class=Http");
        check("no //u:CANARY@a and no //CANARY@b", "no //***@a and no //***@b");
        check("https://forge.example/fleet.git cannot be reached", "https://forge.example/fleet.git cannot be reached");
        check("a // b@c", "a // b@c");
    }

    #[test]
    fn every_proxy_of_gits_configuration_is_known() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "[http]\n\tproxy = //user:CANARY@h\n[http \"https://forge.example/\"]\n\tproxy = http://user:CANARY@\n\tproxyAuthMethod = basic\n[x]\n\tproxy\n";
        std::fs::write(file.path(), text).expect("written");
        let config = git2::Config::open(file.path()).expect("read");
        assert_eq!(configured(&config), ["//user:CANARY@h", "http://user:CANARY@"]);
    }
}
