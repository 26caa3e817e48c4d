//! How a command ends: one table of exit codes, and failures that say what happened and what to do.

use drydock_git::Trouble;
pub use drydock_git::chain;
use std::error::Error;
use std::fmt;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done, and nothing is wrong.
    Fine,
    /// Done, and something was found that a person should look at.
    Found,
    /// The command line.
    Usage,
    /// The configuration, or a key that it names.
    Configuration,
    /// A repository or a node does not answer.
    Unreachable,
    /// A remote or a node said no.
    Refused,
    /// This machine: disk, permissions, the state folder.
    Local,
    /// Another controller holds the status branch.
    StoodDown,
    /// The repository needs a newer Drydock.
    TooNew,
    /// A fault in Drydock.
    Fault,
}

impl Exit {
    /// All, in the order of their numbers.
    pub const ALL: [Exit; 10] = [
        Exit::Fine,
        Exit::Found,
        Exit::Usage,
        Exit::Configuration,
        Exit::Unreachable,
        Exit::Refused,
        Exit::Local,
        Exit::StoodDown,
        Exit::TooNew,
        Exit::Fault,
    ];

    /// The number.
    pub const fn number(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Found => 1,
            Exit::Usage => 2,
            Exit::Configuration => 3,
            Exit::Unreachable => 4,
            Exit::Refused => 5,
            Exit::Local => 6,
            Exit::StoodDown => 7,
            Exit::TooNew => 8,
            Exit::Fault => 9,
        }
    }

    /// The number, for the system.
    pub fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    /// What it means, in words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Exit::Fine => "fine",
            Exit::Found => "done, and something was found: an invalid file, a cluster that needs a person",
            Exit::Usage => "the command line is wrong, or names something that is not there",
            Exit::Configuration => "the configuration, or a key that it names, cannot be used",
            Exit::Unreachable => "a repository or a node does not answer; trying again may help",
            Exit::Refused => "a remote or a node refused; trying again does not help",
            Exit::Local => "this machine: disk, permissions, the state folder",
            Exit::StoodDown => "another controller holds the status branch; a supervisor must not restart this one",
            Exit::TooNew => "the repository was written by a newer Drydock; upgrade this one",
            Exit::Fault => "a fault in Drydock itself; please report it",
        }
    }
}

/// The table, as `--help` and the manual show it.
pub fn table() -> String {
    let rows = Exit::ALL.iter().map(|e| format!("  {}  {}\n", e.number(), e.meaning()));
    format!("Exit codes:\n{}", rows.collect::<String>())
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    /// The class.
    pub exit: Exit,
    /// What happened, one line.
    pub what: String,
    /// What to do, one line.
    pub todo: String,
}

impl Failure {
    /// A failure.
    pub fn new(exit: Exit, what: impl Into<String>, todo: impl Into<String>) -> Failure {
        Failure { exit, what: what.into(), todo: todo.into() }
    }

    /// With the causes of an error, which its own text leaves out.
    pub fn of(exit: Exit, error: &dyn Error, todo: impl Into<String>) -> Failure {
        Failure::new(exit, chain(error), todo)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.what, self.todo)
    }
}

/// Who named the repository, and so where a person mends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NamedBy {
    CommandLine,
    Configuration,
    /// `spec.status` of `fleet.yaml`.
    Fleet,
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        of_trouble(&trouble, NamedBy::CommandLine)
    }
}

impl Failure {
    /// Trouble with a repository that the controller's configuration names.
    pub fn configured(trouble: Trouble) -> Failure {
        of_trouble(&trouble, NamedBy::Configuration)
    }

    /// Trouble with the status repository that `fleet.yaml` names.
    pub fn led(trouble: Trouble) -> Failure {
        of_trouble(&trouble, NamedBy::Fleet)
    }
}

fn of_trouble(trouble: &Trouble, by: NamedBy) -> Failure {
    let (exit, todo) = match trouble {
        Trouble::NoSuchPath(_) | Trouble::NotARepository(_) | Trouble::Unsupported { .. } | Trouble::NoSuchRepository { .. } => match by {
            NamedBy::CommandLine => (Exit::Usage, "name the fleet repository with --repository, or run this inside a clone of it"),
            NamedBy::Configuration => (Exit::Configuration, "check desired.remote and status.remote in the configuration"),
            NamedBy::Fleet => (
                Exit::Configuration,
                "fleet.yaml names it: mend spec.status.remote there; or say where status is, with --repository and --status-branch",
            ),
        },
        Trouble::Unreachable { .. } | Trouble::TimedOut { .. } | Trouble::Locked { .. } | Trouble::Server { .. } | Trouble::Injected(_) => {
            (Exit::Unreachable, "check the network and the address, then try again")
        }
        Trouble::Restless { .. } => (Exit::Unreachable, "try again"),
        Trouble::CredentialMissing { .. }
        | Trouble::CredentialRefused { .. }
        | Trouble::HostUnknown { .. }
        | Trouble::HostChanged { .. }
        | Trouble::HostRevoked { .. }
        | Trouble::CertificateRefused { .. } => match by {
            NamedBy::CommandLine | NamedBy::Fleet => (Exit::Refused, "see --ssh-key, --token-file and --ca-file"),
            NamedBy::Configuration => {
                (Exit::Refused, "check sshKey, knownHosts and tokenFile of the credentials in the configuration, and certificateAuthority")
            }
        },
        Trouble::TooMuch { .. } => (Exit::Refused, "look at what was pushed there last"),
        Trouble::RemoteDamaged { .. } => (Exit::Refused, "its owner mends it with git fsck, or from a copy"),
        Trouble::NotADescendant { .. } => (Exit::Refused, "try again; if it stays, look at the branch with git log"),
        Trouble::NotOurs(_)
        | Trouble::DiskFull { .. }
        | Trouble::NoPermission { .. }
        | Trouble::ReadOnly { .. }
        | Trouble::Corrupt { .. }
        | Trouble::InUse(_)
        | Trouble::Limits(_)
        | Trouble::Files { .. } => (Exit::Local, "mend that on this machine, then try again"),
    };
    Failure::of(exit, trouble, todo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_configuration_names_is_mended_there_and_not_with_flags() {
        let refused = || Trouble::NotARepository("/nowhere".into());
        assert_eq!((Failure::from(refused()).exit, Failure::configured(refused()).exit), (Exit::Usage, Exit::Configuration));
        assert!(Failure::from(refused()).todo.contains("--repository"));
        assert!(!Failure::configured(refused()).todo.contains("--"), "{}", Failure::configured(refused()));
    }

    #[test]
    fn every_exit_has_a_number_of_its_own_and_a_line_in_the_table() {
        let numbers: std::collections::BTreeSet<u8> = Exit::ALL.iter().map(|e| e.number()).collect();
        assert_eq!(numbers.len(), Exit::ALL.len());
        for exit in Exit::ALL {
            assert!(table().contains(&format!("  {}  {}\n", exit.number(), exit.meaning())));
        }
    }
}
