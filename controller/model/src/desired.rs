//! What one cluster shall be, as a verified revision asks for it, with the fleet's defaults applied.

use crate::ids::{ClusterName, NodeName, SpecHash};
use crate::step::{Purpose, Step};
use crate::time::{Millis, Timestamp};
use crate::window::Windows;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One cluster's desired state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Desired {
    /// The cluster's name in the fleet.
    pub cluster: ClusterName,
    /// Names all inputs below; equal hashes ask for the same.
    pub spec: SpecHash,
    /// Its nodes, in the file's order; at least one, no name twice.
    pub nodes: Vec<NodeName>,
    /// What every node shall run.
    pub target: Target,
    /// Where the bits come from.
    pub source: BitsSource,
    /// How.
    pub method: Method,
    /// When.
    pub maintenance: Maintenance,
    /// Bounds and orders, by the names of Cluster-Aware Updating.
    pub run: RunOptions,
    /// What is asked of the workloads before a node is taken out.
    pub workload: WorkloadPolicy,
    /// Set while nothing new may begin.
    pub suspend: Option<Suspend>,
    /// Whom to call; shown in every hold.
    pub contact: Option<String>,
    /// The change's number in the owner's own system; shown in every hold.
    pub change: Option<String>,
}

impl Desired {
    /// How long a step may take before it counts as overdue, and what a window must leave room for (S3).
    pub fn budget(&self, step: Step) -> Millis {
        match step {
            Step::Vacate => self.run.suspend_cluster_node_timeout,
            Step::Reboot | Step::Restart => self.run.reboot_timeout,
            Step::Settle => self.run.wait_for_storage_repair_timeout,
            Step::Install => match &self.source {
                BitsSource::WindowsUpdate => step.row().budget,
                // Media was measured at a fifth of the time that Windows Update takes on the same machine; half is still generous.
                BitsSource::Media { .. } => Millis(step.row().budget.0 / 2),
            },
            Step::WriteRegistry | Step::Return => step.row().budget,
        }
    }

    /// What one node needs from its Vacate until it is back in service, for a purpose. Settling is not in it: the node serves again by then.
    pub fn node_budget(&self, purpose: Purpose) -> Millis {
        let steps: &[Step] = match purpose {
            Purpose::Registry => &[Step::Vacate, Step::Reboot, Step::Return],
            Purpose::Upgrade => &[Step::Vacate, Step::Install, Step::Restart, Step::Return],
        };
        steps.iter().fold(Millis::ZERO, |sum, step| sum.plus(self.budget(*step)))
    }
}

/// An operating system build: family and revision, as in `25398.1611`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Build {
    /// `CurrentBuildNumber`.
    pub family: u32,
    /// `UBR`.
    pub revision: u32,
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.family, self.revision)
    }
}

impl TryFrom<String> for Build {
    type Error = BuildError;
    fn try_from(text: String) -> Result<Build, BuildError> {
        text.parse()
    }
}

impl From<Build> for String {
    fn from(build: Build) -> String {
        build.to_string()
    }
}

impl FromStr for Build {
    type Err = BuildError;
    fn from_str(text: &str) -> Result<Build, BuildError> {
        let digits = |s: &str| (!s.is_empty() && s.len() <= 6 && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse().ok()).flatten();
        match text.split_once('.') {
            Some((family, revision)) => match (digits(family), digits(revision)) {
                (Some(family), Some(revision)) => Ok(Build { family, revision }),
                (None, _) | (_, None) => Err(BuildError),
            },
            None => Err(BuildError),
        }
    }
}

/// A text that is no build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildError;

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is not a build; write family and revision, as in 25398.1611")
    }
}

impl std::error::Error for BuildError {}

/// A release of the Azure Stack HCI / Azure Local operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Version {
    /// Build family 20349.
    V22H2,
    /// Build family 25398.
    V23H2,
    /// Build family 26100.
    V24H2,
}

impl Version {
    /// All, oldest first.
    pub const ALL: [Version; 3] = [Version::V22H2, Version::V23H2, Version::V24H2];

    /// `CurrentBuildNumber` of the release (Microsoft: upgrade Azure Stack HCI via PowerShell).
    pub const fn family(self) -> u32 {
        match self {
            Version::V22H2 => 20_349,
            Version::V23H2 => 25_398,
            Version::V24H2 => 26_100,
        }
    }

    /// The release of a build family; `None` for one that is none of these.
    pub fn of_family(family: u32) -> Option<Version> {
        Version::ALL.into_iter().find(|v| v.family() == family)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Version::V22H2 => "22H2",
            Version::V23H2 => "23H2",
            Version::V24H2 => "24H2",
        })
    }
}

/// A release and the least build of it that counts as reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// The release.
    pub version: Version,
    /// Least `UBR`; 0 when any build of the release will do.
    pub revision: u32,
}

/// How a build stands to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// An older release, or an older build of the target's own.
    Below,
    /// The target's own release, and at least its floor.
    OnTarget,
    /// A newer release; never moved back (S8).
    Above,
}

impl Target {
    /// Whether a node has the target's release or a newer one, whatever its floor.
    pub fn reached_by(&self, build: Build) -> bool {
        build.family >= self.version.family()
    }

    /// "On the target" means the target's own release family and at least its floor.
    pub fn standing(&self, build: Build) -> Standing {
        match build.family.cmp(&self.version.family()) {
            std::cmp::Ordering::Less => Standing::Below,
            std::cmp::Ordering::Greater => Standing::Above,
            std::cmp::Ordering::Equal if build.revision >= self.revision => Standing::OnTarget,
            std::cmp::Ordering::Equal => Standing::Below,
        }
    }
}

/// `23H2`, or `23H2 (25398.1611 or later)`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision {
            0 => self.version.fmt(f),
            revision => write!(f, "{} ({}.{revision} or later)", self.version, self.version.family()),
        }
    }
}

/// The text that [`Target`] prints.
impl FromStr for Target {
    type Err = NotATarget;
    fn from_str(text: &str) -> Result<Self, NotATarget> {
        let parts = || {
            let (version, floor) = match text.split_once(" (") {
                None => (text, None),
                Some((version, floor)) => (version, Some(floor.strip_suffix(" or later)")?)),
            };
            let version = Version::ALL.into_iter().find(|v| v.to_string() == version)?;
            let revision = match floor {
                None => 0,
                Some(floor) => floor.parse::<Build>().ok()?.revision,
            };
            Some(Target { version, revision })
        };
        parts().filter(|target| target.to_string() == text).ok_or(NotATarget)
    }
}

/// A text that is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotATarget;

impl fmt::Display for NotATarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is no target, as in 23H2")
    }
}

impl std::error::Error for NotATarget {}

/// Where a node gets the new release from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BitsSource {
    /// The feature update that Windows Update offers.
    WindowsUpdate,
    /// Extracted installation media, at the same local path on every node.
    Media {
        /// A local Windows path, `D:\Media\23H2`.
        path: String,
    },
}

impl fmt::Display for BitsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BitsSource::WindowsUpdate => f.write_str("Windows Update"),
            BitsSource::Media { path } => write!(f, "media in {path}"),
        }
    }
}

/// How a cluster is upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Method {
    /// Node after node, while the cluster serves.
    Rolling,
}

/// When work may be done.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Maintenance {
    /// The windows, less the exclusions. No window at all means: always open.
    pub windows: Windows,
    /// What happens when the window closes on work that has begun.
    pub overrun: Overrun,
}

/// What happens when the window closes on work that has begun. A node that is out is always brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Overrun {
    /// The whole cluster is finished.
    Finish,
    /// The node that is out is finished; the next one waits for the next window.
    FinishNode,
    /// The node that is out returns un-upgraded at the next safe point.
    Stop,
}

/// In which order nodes are taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum NodeOrder {
    /// Fewest clustered roles first, the node that answers cluster queries last (the default of Cluster-Aware Updating).
    FewestRolesFirst,
    /// As listed; nodes not listed follow, fewest roles first.
    Listed(Vec<NodeName>),
}

/// Whether roles move back to a node that returns (`Resume-ClusterNode -Failback`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FailbackMode {
    /// They stay where they are.
    NoFailback,
    /// At once.
    Immediate,
    /// As each role's own policy says.
    Policy,
}

/// Bounds of a run, named as in Cluster-Aware Updating.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunOptions {
    /// Attempts after the first one, per node; 0 to 64.
    pub max_retries_per_node: u8,
    /// The run goes on while at most this many nodes have failed and are Up.
    pub max_failed_nodes: u8,
    /// Which node next.
    pub node_order: NodeOrder,
    /// No new node is begun this long after the first one was.
    pub stop_after: Option<Millis>,
    /// Status warns this long after the first node was begun.
    pub warn_after: Option<Millis>,
    /// How long a restart may take, all its reboots and the start of the services included.
    pub reboot_timeout: Millis,
    /// How long a drain may take before the attempt counts as failed.
    pub suspend_cluster_node_timeout: Millis,
    /// How long storage may repair after a node's return before a person is asked.
    pub wait_for_storage_repair_timeout: Millis,
    /// Whether roles move back.
    pub failback_mode: FailbackMode,
}

/// What is asked of the virtual machines before a node is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum WorkloadPolicy {
    /// They move to other nodes by live migration.
    LiveMigrate,
    /// No virtual machine may run on the cluster.
    MustBeOff,
}

/// Nothing new may begin.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Suspend {
    /// Why; never empty.
    pub reason: String,
    /// Until when; without it until the field is removed.
    pub until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_family_is_above_and_not_on_the_target() {
        let target = Target { version: Version::V23H2, revision: 1_611 };
        let check = |text: &str, expect| assert_eq!(target.standing(text.parse().unwrap()), expect, "{text}");
        check("20349.3692", Standing::Below);
        check("25398.1610", Standing::Below);
        check("25398.1611", Standing::OnTarget);
        check("26100.1", Standing::Above);
    }

    #[test]
    fn texts_that_are_no_build_are_refused() {
        for bad in ["", "25398", "25398.", ".1", "25398.1.2", "25398.x", "-1.2", "2539800.1"] {
            assert_eq!(bad.parse::<Build>(), Err(BuildError), "{bad}");
        }
    }

    #[test]
    fn a_target_is_read_from_its_own_text_and_from_no_other() {
        for version in Version::ALL {
            for revision in [0, 1_611] {
                let target = Target { version, revision };
                assert_eq!(target.to_string().parse(), Ok(target));
            }
        }
        for bad in ["", "23h2", "21H2", "23H2 (", "23H2 (26100.5 or later)", "23H2 (25398.0 or later)", "23H2 (25398.01611 or later)"] {
            assert_eq!(bad.parse::<Target>(), Err(NotATarget), "{bad}");
        }
    }
}
