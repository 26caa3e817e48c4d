//! Where a repository is: a path, `file://`, `https://`, `ssh://` or `user@host:path`. User information is taken out of the text
//! when it is parsed, so that nothing that prints a remote can print a secret.

use crate::access::Access;
use std::fmt;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A remote repository and how to get at it.
#[derive(Clone)]
pub struct Remote {
    place: Place,
    access: Access,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A repository on this machine (or on a mounted file system).
    Path(PathBuf),
    /// Smart HTTP. The user name is not part of the address: some forges want a token there.
    Http { url: String, user: Option<String> },
    /// SSH; the address as libgit2 wants it.
    Ssh { url: String, user: String, host: String, port: u16 },
    /// The git protocol, on this machine only.
    Daemon { url: String },
}

/// Why a text is no remote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRemote {
    /// There is none.
    #[error("the remote is empty")]
    Empty,
    /// Not one of ours.
    #[error("remotes of the kind {0:?} are not supported; use a path, file://, https://, ssh:// or user@host:path")]
    Scheme(String),
    /// Anyone on the way could read and change what passes.
    #[error("{0}:// is neither encrypted nor authenticated, so it is allowed to this machine only; use https:// or ssh://")]
    Plain(String),
    /// A secret in an address ends in logs and process lists.
    #[error("the remote has a password in its address; take it out and name a token file or an environment variable instead")]
    SecretInAddress,
    /// An address without its parts, or with parts that git has no use for.
    #[error("the remote's address {0}")]
    Shape(&'static str),
}

impl Remote {
    /// Reads a remote as people write it. Relative paths are taken from the current directory.
    pub fn parse(text: &str) -> Result<Self, BadRemote> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadRemote::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(BadRemote::Shape("has control characters"));
        }
        let place = match text.split_once("://") {
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "file" => Place::Path(file_path(rest)?),
                "https" => http("https", rest)?,
                "ssh" => ssh(rest)?,
                plain @ ("http" | "git") => {
                    if !is_loopback(split(rest)?.host) {
                        return Err(BadRemote::Plain(plain.to_owned()));
                    }
                    if plain == "http" { http("http", rest)? } else { Place::Daemon { url: format!("git://{rest}") } }
                }
                other => return Err(BadRemote::Scheme(other.chars().take(20).collect())),
            },
            None => match short_ssh(text)? {
                Some(place) => place,
                None => Place::Path(
                    std::path::absolute(text).map_err(|_| BadRemote::Shape("is a relative path, and there is no current directory"))?,
                ),
            },
        };
        Ok(Self { place, access: Access::default() })
    }

    /// The remote at a path.
    #[must_use]
    pub fn at_path(path: &Path) -> Self {
        Self { place: Place::Path(path.to_owned()), access: Access::default() }
    }

    /// The same remote, with these credentials and proxies.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Self { place: self.place, access }
    }

    /// The path, when the remote is one: it can be watched, and pushes to it are our own.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Path(path) => Some(path),
            Place::Http { .. } | Place::Ssh { .. } | Place::Daemon { .. } => None,
        }
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// What libgit2 is given: without any secret. A path goes as `file://`, because with a colon in it libgit2 would dial a host.
    pub(crate) fn url(&self) -> String {
        match &self.place {
            Place::Path(path) => {
                let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(byte);
                let encoded = path
                    .as_os_str()
                    .as_bytes()
                    .iter()
                    .map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") });
                format!("file://{}", encoded.collect::<String>())
            }
            Place::Http { url, .. } | Place::Ssh { url, .. } | Place::Daemon { url } => url.clone(),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Path(path) => write!(f, "{}", path.display()),
            Place::Http { url, .. } | Place::Ssh { url, .. } | Place::Daemon { url } => f.write_str(url),
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({self})")
    }
}

struct Parts<'a> {
    user: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
}

/// `[user@]host[:port]/path`; never with a password, a query or a fragment.
fn split(rest: &str) -> Result<Parts<'_>, BadRemote> {
    let (authority, path) = rest.split_once('/').ok_or(BadRemote::Shape("has no path after the host"))?;
    if path.is_empty() {
        return Err(BadRemote::Shape("has no path after the host"));
    }
    if path.contains(['?', '#']) {
        return Err(BadRemote::Shape("has a query or a fragment; take it out"));
    }
    if rest.contains(char::is_whitespace) {
        return Err(BadRemote::Shape("has a space in it; write %20"));
    }
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => return Err(BadRemote::SecretInAddress),
        Some((user, address)) => (Some(user).filter(|user| !user.is_empty()), address),
        None => (None, authority),
    };
    let (host, port) = match address.rsplit_once(':') {
        // The colons of a bare IPv6 address are inside its brackets.
        Some((host, port)) if !port.contains(']') => {
            (host, Some(port.parse().map_err(|_| BadRemote::Shape("has a port that is not a number up to 65535"))?))
        }
        Some(_) | None => (address, None),
    };
    if host.is_empty() || host.starts_with('-') {
        return Err(BadRemote::Shape("has no host"));
    }
    Ok(Parts { user, host, port, path })
}

fn http(scheme: &str, rest: &str) -> Result<Place, BadRemote> {
    let parts = split(rest)?;
    let port = parts.port.map_or(String::new(), |port| format!(":{port}"));
    Ok(Place::Http { url: format!("{scheme}://{}{port}/{}", parts.host, parts.path), user: parts.user.map(str::to_owned) })
}

/// Most forges call their one SSH user `git`; OpenSSH would take the local user's name, which is hardly ever meant.
const SSH_USER: &str = "git";

fn ssh(rest: &str) -> Result<Place, BadRemote> {
    let parts = split(rest)?;
    let user = parts.user.unwrap_or(SSH_USER).to_owned();
    let port = parts.port.unwrap_or(22);
    let at = if port == 22 { String::new() } else { format!(":{port}") };
    Ok(Place::Ssh { url: format!("ssh://{user}@{}{at}/{}", parts.host, parts.path), user, host: bare(parts.host), port })
}

/// `user@host:path`, known by a colon before the first slash, as git does it.
fn short_ssh(text: &str) -> Result<Option<Place>, BadRemote> {
    let Some((before, path)) = text.split_once(':') else { return Ok(None) };
    if before.contains('/') || before.is_empty() {
        return Ok(None);
    }
    let (user, host) = before.rsplit_once('@').unwrap_or((SSH_USER, before));
    if host.is_empty() || host.starts_with('-') || user.is_empty() || host.contains(['[', ']']) {
        return Err(BadRemote::Shape("has no host before the colon"));
    }
    if path.is_empty() || text.contains(char::is_whitespace) {
        return Err(BadRemote::Shape("has no path after the colon, or a space; for spaces use ssh:// and %20"));
    }
    Ok(Some(Place::Ssh { url: format!("{user}@{host}:{path}"), user: user.to_owned(), host: host.to_owned(), port: 22 }))
}

fn file_path(rest: &str) -> Result<PathBuf, BadRemote> {
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(BadRemote::Shape("names another machine in file://; use ssh:// or https:// for that"));
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
            let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
                return Err(BadRemote::Shape("has a % that is not followed by two hexadecimal digits"));
            };
            bytes.push(high * 16 + low);
        } else {
            bytes.push(byte);
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| BadRemote::Shape("is a path that is not UTF-8"))?;
    if text.contains('\0') {
        return Err(BadRemote::Shape("has control characters"));
    }
    Ok(PathBuf::from(text))
}

fn bare(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || bare(host).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn shown(text: &str) -> String {
        match Remote::parse(text) {
            Ok(remote) => {
                let kind = match remote.place() {
                    Place::Path(_) => "path",
                    Place::Http { .. } => "http",
                    Place::Ssh { .. } => "ssh",
                    Place::Daemon { .. } => "git",
                };
                format!("{kind:4} {remote}\n")
            }
            Err(no) => format!("no   {no}\n"),
        }
    }

    #[test]
    fn every_form_that_people_write_is_read() {
        let all: String = [
            "/srv/git/fleet.git",
            "/srv/with space/fleet",
            "/srv/a:b",
            "file:///srv/with%20space/fleet.git",
            "file://localhost/srv/fleet",
            "https://forge.example/org/fleet.git",
            "https://someone@forge.example:8443/org/fleet.git",
            "ssh://git@forge.example/org/fleet.git",
            "ssh://forge.example:2222/org/fleet.git",
            "ssh://git@[::1]:2222/org/fleet.git",
            "git@forge.example:org/fleet.git",
            "forge.example:org/fleet.git",
            "http://127.0.0.1:8080/fleet.git",
            "git://localhost/fleet.git",
            "git://[::1]:9418/fleet.git",
        ]
        .map(shown)
        .concat();
        expect![[r#"
            path /srv/git/fleet.git
            path /srv/with space/fleet
            path /srv/a:b
            path /srv/with space/fleet.git
            path /srv/fleet
            http https://forge.example/org/fleet.git
            http https://forge.example:8443/org/fleet.git
            ssh  ssh://git@forge.example/org/fleet.git
            ssh  ssh://git@forge.example:2222/org/fleet.git
            ssh  ssh://git@[::1]:2222/org/fleet.git
            ssh  git@forge.example:org/fleet.git
            ssh  git@forge.example:org/fleet.git
            http http://127.0.0.1:8080/fleet.git
            git  git://localhost/fleet.git
            git  git://[::1]:9418/fleet.git
        "#]]
        .assert_eq(&all);
    }

    #[test]
    fn a_remote_that_cannot_work_is_refused_with_what_to_do() {
        let all: String = [
            "",
            "ftp://x/y",
            "http://forge.example/fleet.git",
            "git://forge.example/fleet.git",
            "https://forge.example",
            "https://forge.example/",
            "https://forge.example/x?y",
            "https://forge.example:99999/x",
            "https:///x",
            "ssh://-oProxyCommand=x/y",
            "-oProxyCommand=x:y",
            "git@forge.example:",
            "file://other/srv",
            "file:///srv/%zz",
            "a\nb",
            "ext::sh -c date",
        ]
        .map(shown)
        .concat();
        expect![[r#"
            no   the remote is empty
            no   remotes of the kind "ftp" are not supported; use a path, file://, https://, ssh:// or user@host:path
            no   http:// is neither encrypted nor authenticated, so it is allowed to this machine only; use https:// or ssh://
            no   git:// is neither encrypted nor authenticated, so it is allowed to this machine only; use https:// or ssh://
            no   the remote's address has no path after the host
            no   the remote's address has no path after the host
            no   the remote's address has a query or a fragment; take it out
            no   the remote's address has a port that is not a number up to 65535
            no   the remote's address has no host
            no   the remote's address has no host
            no   the remote's address has no host before the colon
            no   the remote's address has no path after the colon, or a space; for spaces use ssh:// and %20
            no   the remote's address names another machine in file://; use ssh:// or https:// for that
            no   the remote's address has a % that is not followed by two hexadecimal digits
            no   the remote's address has control characters
            no   the remote's address has no path after the colon, or a space; for spaces use ssh:// and %20
        "#]]
        .assert_eq(&all);
    }

    #[test]
    fn user_information_never_comes_back_out() {
        for text in ["https://CANARY@forge.example/x", "https://u:CANARY@forge.example/x", "ssh://u:CANARY@forge.example/x"] {
            let out = match Remote::parse(text) {
                Ok(remote) => format!("{remote} {remote:?} {}", remote.url()),
                Err(no) => format!("{no} {no:?}"),
            };
            assert!(!out.contains("CANARY"), "{out}");
        }
    }
}
