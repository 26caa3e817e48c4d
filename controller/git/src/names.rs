//! Names that git may be told: references and paths. Whatever is odd is refused before libgit2, a file system or a shell sees it.

use std::fmt;

/// A full reference name on the remote, checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefName(String);

/// Why a reference name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// There is none.
    #[error("a branch name is empty")]
    Empty,
    /// Git does not allow it.
    #[error("{0:?} is not a branch name that git allows; see `git check-ref-format`")]
    Refused(String),
    /// A part does not fit into a file name beside its lock.
    #[error("the branch name {0:?} is too long: 200 bytes in all at most")]
    TooLong(String),
}

/// A file name holds 255 bytes, and a lock adds `.lock`; 200 leaves room on every file system.
const NAME_MAX: usize = 200;

impl RefName {
    /// The branch of that short name (`main`, `drydock/status`).
    pub fn branch(short: &str) -> Result<Self, BadName> {
        Self::under("refs/heads/", short)
    }

    /// Where somebody who stands down leaves what it could not push: `refs/drydock/stranded/NONCE`.
    pub fn stranded(nonce: &str) -> Result<Self, BadName> {
        Self::under("refs/drydock/stranded/", nonce)
    }

    fn under(prefix: &str, short: &str) -> Result<Self, BadName> {
        if short.is_empty() {
            return Err(BadName::Empty);
        }
        if short.len() > NAME_MAX {
            return Err(BadName::TooLong(short.chars().take(40).collect()));
        }
        let full = format!("{prefix}{short}");
        // A leading dash would be read as an option wherever the name is shown as a command to copy.
        if short.starts_with('-') || short == "HEAD" || short.starts_with("refs/") || !git2::Reference::is_valid_name(&full) {
            return Err(BadName::Refused(short.to_owned()));
        }
        Ok(Self(full))
    }

    /// The full name.
    #[must_use]
    pub fn full(&self) -> &str {
        &self.0
    }

    /// Where the mirror keeps what it last saw of this reference.
    pub(crate) fn seen(&self) -> String {
        format!("refs/seen/{}", self.0.trim_start_matches("refs/"))
    }

    /// Where the mirror keeps what it has not seen confirmed on this reference.
    pub(crate) fn outbox(&self) -> String {
        format!("{OUTBOX}{}", self.0.trim_start_matches("refs/"))
    }
}

/// All outboxes of a mirror are under this.
pub(crate) const OUTBOX: &str = "refs/outbox/";

impl fmt::Display for RefName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.strip_prefix("refs/heads/").unwrap_or(&self.0))
    }
}

/// Why a path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Empty, absolute, with an empty, `.` or `..` part, or one that git reserves.
    #[error("{0:?} cannot be a path in a repository: it must be relative, without empty, `.`, `..` or `.git` parts")]
    Shape(String),
    /// A character that no path of ours has.
    #[error("{0:?} cannot be a path in a repository: control characters and backslashes are refused")]
    Character(String),
    /// Too long for some file system.
    #[error("a path is too long: 1,000 bytes in all and 200 in a part at most (it begins {0:?})")]
    TooLong(String),
}

/// Linux allows 4,096, Windows 260 by default and 32,767 at most; people clone these repositories on both.
const PATH_MAX: usize = 1000;

/// Refuses what is no plain relative path.
pub fn check_path(path: &str) -> Result<(), BadPath> {
    if path.len() > PATH_MAX || path.split('/').any(|part| part.len() > NAME_MAX) {
        return Err(BadPath::TooLong(path.chars().take(40).collect()));
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Err(BadPath::Character(path.to_owned()));
    }
    let reserved = |part: &str| part.is_empty() || part == "." || part == ".." || part.eq_ignore_ascii_case(".git");
    if path.split('/').any(reserved) {
        return Err(BadPath::Shape(path.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_names_that_git_or_a_shell_would_misread_are_refused() {
        for good in ["main", "drydock/status", "a.b", "ünïcode", "x y".replace(' ', "-").as_str()] {
            assert!(RefName::branch(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-force",
            "HEAD",
            "refs/heads/main",
            "a..b",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "x.lock",
            "/a",
            "a/",
            "a//b",
            "@{u}",
            "a\nb",
            ".a",
            "a\\b",
            "*",
        ] {
            assert!(RefName::branch(bad).is_err(), "{bad:?}");
        }
        assert_eq!(RefName::branch(&"x".repeat(201)), Err(BadName::TooLong("x".repeat(40))));
        assert_eq!(RefName::stranded("7-ab").expect("fine").full(), "refs/drydock/stranded/7-ab");
        assert_eq!(RefName::branch("drydock/status").expect("fine").to_string(), "drydock/status");
    }

    #[test]
    fn paths_that_leave_the_tree_or_hide_in_it_are_refused() {
        for good in ["a", "clusters/oslo/status.yaml", "a.b/c-d", "..a", "...", "a b"] {
            assert_eq!(check_path(good), Ok(()), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", ".git/config", "a/.GIT", "a\\b", "a\nb", "a\0b", "a\u{7f}"] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
        assert!(check_path(&"a/".repeat(600)).is_err());
        assert!(check_path(&"a".repeat(201)).is_err());
    }
}
