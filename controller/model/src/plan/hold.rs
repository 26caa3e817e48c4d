//! Why a person is needed, and the way out of it.

use crate::desired::{Build, Version};
use crate::ids::{NodeName, Place, Revision};
use crate::ledger::{Failed, Failure};
use crate::observed::Preconditions;
use crate::step::Step;
use crate::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a person is needed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HoldReason {
    /// Another machine answers under a known name.
    NodeReplaced {
        /// Which node.
        node: NodeName,
    },
    /// A node that is out by the ledger carries no marker of ours, though it remembers us; or a node is paused that we did not pause; or one that waits for
    /// the restart of its committed upgrade was put back into service.
    PersonHasNode {
        /// Which node.
        node: NodeName,
        /// An upgrade is committed on it: its next restart, whoever asks for it, goes on with that.
        #[serde(default)]
        committed: bool,
    },
    /// A node remembers more than the ledger.
    LedgerRewound {
        /// Which node.
        node: NodeName,
        /// What it remembers.
        shows: Place,
    },
    /// A node's attempts are used up.
    NodeFailed {
        /// Which node.
        node: NodeName,
        /// The last failure.
        failed: Failed,
    },
    /// More nodes failed than `maxFailedNodes` allows.
    TooManyFailed {
        /// Which.
        nodes: Vec<NodeName>,
    },
    /// A node that is out has not answered for longer than its step allows.
    NodeSilent {
        /// Which node.
        node: NodeName,
        /// In which step.
        step: Step,
    },
    /// A node that is out takes longer than its step allows.
    StepOverdue {
        /// Which node.
        node: NodeName,
        /// Which step.
        step: Step,
    },
    /// A node is out, and the same thing has been waited for all the time since.
    StandsStill {
        /// Which node.
        node: NodeName,
        /// For what.
        what: String,
    },
    /// Storage has not healed in the time allowed.
    StorageStalled {
        /// After the return of which node.
        node: NodeName,
        /// What is not healed.
        what: String,
    },
    /// A node runs a newer release than the desired one.
    NewerThanDesired {
        /// Which node.
        node: NodeName,
        /// What it runs.
        build: Build,
    },
    /// No documented way leads a node from what it runs to the target, with the bits from where they shall come.
    NoRoute {
        /// Which node.
        node: NodeName,
        /// Why not, with the article.
        why: String,
    },
    /// Too little free space on a node's system drive.
    DiskSpace {
        /// Which node.
        node: NodeName,
        /// Bytes free.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// The cluster's members are not the nodes of the desired state.
    MembersDiffer {
        /// Members that the desired state does not name.
        unnamed: Vec<NodeName>,
        /// Named nodes that are no members.
        missing: Vec<NodeName>,
    },
    /// A node that a person declared gone is a member of the cluster still.
    GoneIsMember {
        /// Which node.
        node: NodeName,
    },
    /// Nodes belong to different clusters.
    OtherCluster {
        /// Which node.
        node: NodeName,
    },
    /// No window of the desired state is long enough for one node.
    NoWindowFits {
        /// What one node needs.
        needed: Millis,
        /// The longest window.
        longest: Millis,
    },
    /// The run's `stopAfter` has passed since its first node was begun.
    StopAfter {
        /// What was allowed.
        limit: Millis,
    },
    /// Somebody else wrote to this cluster's part of the status branch.
    StatusTouched {
        /// The commit.
        commit: Revision,
    },
    /// Two claims have the same number, and a node has heard the other one.
    OtherClaim {
        /// Which node.
        node: NodeName,
        /// What it remembers.
        shows: Place,
    },
    /// Whichever node came next, more than two releases would serve in one cluster.
    MixedReleases {
        /// What the nodes run now.
        releases: Vec<Version>,
    },
    /// The Azure Local solution is deployed on the cluster.
    SolutionDeployed,
    /// Cluster-Aware Updating updates the cluster by itself.
    SelfUpdating,
    /// The cluster is stretched over sites.
    Stretched {
        /// How many fault domains of the type Site it has.
        sites: u32,
    },
    /// The desired state names a single node; taking it out stops the cluster.
    SingleNode,
    /// A law forbids what the planner wanted: a fault in Drydock itself.
    Law {
        /// Which law.
        id: String,
        /// What was wrong.
        what: String,
    },
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HoldReason::NodeReplaced { node } => write!(f, "another machine answers as {node}"),
            HoldReason::PersonHasNode { node, committed: false } => write!(f, "{node} is paused or resumed by somebody else"),
            HoldReason::PersonHasNode { node, committed: true } => {
                write!(
                    f,
                    "{node} was put back into service by somebody else after its upgrade was committed; its next restart goes on with that"
                )
            }
            HoldReason::LedgerRewound { node, shows } => write!(f, "{node} remembers {shows}, which the ledger has not"),
            HoldReason::NodeFailed { node, failed } => write!(f, "{node} failed at {}: {}", failed.step, failed.why),
            HoldReason::TooManyFailed { nodes } => write!(f, "more nodes failed than maxFailedNodes allows: {}", list(nodes)),
            HoldReason::NodeSilent { node, step } => write!(f, "{node} has not answered since its {step}, for longer than that may take"),
            HoldReason::StepOverdue { node, step } => write!(f, "{step} on {node} takes longer than it may"),
            HoldReason::StandsStill { node, what } => write!(f, "{node} is out, and for hours nothing has come of waiting for {what}"),
            HoldReason::StorageStalled { node, what } => write!(f, "storage has not healed after the return of {node}: {what}"),
            HoldReason::NewerThanDesired { node, build } => write!(f, "{node} runs {build}, which is newer than what is desired"),
            HoldReason::NoRoute { node, why } => write!(f, "{node}: {why}"),
            HoldReason::DiskSpace { node, free, needed } => {
                write!(f, "{node} has {} GiB free on its system drive and needs {} GiB", free >> 30, needed >> 30)
            }
            HoldReason::MembersDiffer { unnamed, missing } if missing.is_empty() => {
                write!(f, "the cluster has members that the desired state does not name: {}", list(unnamed))
            }
            HoldReason::MembersDiffer { missing, .. } => {
                write!(f, "the desired state names nodes that are not members of the cluster: {}", list(missing))
            }
            HoldReason::GoneIsMember { node } => write!(f, "{node} was declared gone and is still a member of the cluster"),
            HoldReason::OtherCluster { node } => write!(f, "{node} belongs to another cluster"),
            HoldReason::NoWindowFits { needed, longest } => {
                write!(f, "one node needs {needed}, and the longest maintenance window lasts {longest}")
            }
            HoldReason::StopAfter { limit } => write!(f, "the run began more than {limit} ago (stopAfter)"),
            HoldReason::StatusTouched { commit } => write!(f, "commit {commit} of the status branch was not written by this controller"),
            HoldReason::OtherClaim { node, shows } => write!(f, "{node} remembers {shows}, of another claim with our number"),
            HoldReason::MixedReleases { releases } => {
                let names: Vec<String> = releases.iter().map(ToString::to_string).collect();
                write!(f, "the nodes run {}; with one more release there would be three in the cluster", names.join(" and "))
            }
            HoldReason::SolutionDeployed => {
                f.write_str("the Azure Local solution is deployed here, and the operating system must not be upgraded beside it")
            }
            HoldReason::SelfUpdating => {
                f.write_str("the clustered role of Cluster-Aware Updating is online and may take a node at any time")
            }
            HoldReason::Stretched { sites } => {
                write!(
                    f,
                    "the cluster is stretched over {sites} sites, and only Cluster-Aware Updating may upgrade one, from media, to 23H2"
                )
            }
            HoldReason::SingleNode => f.write_str("a cluster of one node cannot be upgraded node by node"),
            HoldReason::Law { id, what } => write!(f, "law {id} forbids the next step: {what}"),
        }
    }
}

impl HoldReason {
    /// Why no node of such a cluster may be taken out, where there is a reason.
    pub fn of(cluster: &Preconditions) -> Option<HoldReason> {
        if cluster.solution {
            return Some(HoldReason::SolutionDeployed);
        }
        if cluster.self_updating {
            return Some(HoldReason::SelfUpdating);
        }
        // One site, or none that anybody named, is no stretch.
        (cluster.sites > 1).then_some(HoldReason::Stretched { sites: cluster.sites })
    }

    /// What a person does about it. Taking this way leads on (L4).
    pub fn way_out(&self) -> String {
        match self {
            HoldReason::NodeReplaced { node } => format!(
                "If the machine was replaced on purpose: drydock node retry {node} --reason TEXT. If it will not come back: drydock node gone {node} --reason TEXT."
            ),
            HoldReason::PersonHasNode { node, committed: true } => format!(
                "Take it out of service again (Suspend-ClusterNode -Name {node} -Drain); Drydock then restarts it and brings it back. Or drain and restart it yourself. A commit cannot be taken back."
            ),
            HoldReason::PersonHasNode { node, committed: false } => format!(
                "When you have done with it, resume it (Resume-ClusterNode -Name {node}) so that it is Up; Drydock then goes on by itself."
            ),
            HoldReason::LedgerRewound { .. } => {
                "Find out who rewound or replaced the status branch. Restore it, or claim above every node: drydock init --config FILE --adopt --above NUMBER (drydock probe shows the number).".to_owned()
            }
            HoldReason::NodeFailed { node, failed } => {
                format!("{} Mend the cause, then: drydock node retry {node} --reason TEXT.", where_to_look(node, failed))
            }
            HoldReason::TooManyFailed { .. } => {
                "Mend the cause on each, then for each: drydock node retry NODE --reason TEXT; or raise maxFailedNodes.".to_owned()
            }
            HoldReason::NodeSilent { node, .. } => format!(
                "Look at {node}'s console. When it answers again Drydock goes on by itself. If it will not come back: drydock node gone {node} --reason TEXT."
            ),
            HoldReason::StepOverdue { node, step: Step::Return } => format!(
                "It is tried again by itself, at most an hour apart. The newest log.txt under %ProgramData%\\Drydock on {node} and the System log say what refuses it; Resume-ClusterNode -Name {node} by hand ends it, too."
            ),
            HoldReason::StepOverdue { node, .. } => {
                format!(
                    "Look at what {node} is doing. When the step ends, or fails, Drydock goes on by itself. Where it was tried as often as it may be: mend the cause, then drydock node retry {node} --reason TEXT."
                )
            }
            HoldReason::StandsStill { node, .. } => format!(
                "drydock doctor CLUSTER --config FILE says where it stops, and the System log on {node} why. Drydock goes on by itself once that has passed. If the node is needed now: Resume-ClusterNode -Name {node}, unless setup is at work on it."
            ),
            HoldReason::StorageStalled { node, .. } => format!(
                "Get-StorageJob, Get-VirtualDisk and Get-HealthFault on the cluster say what is missing; never cancel a repair. Where a ReFS volume stays Detached after an upgrade, set RefsEnableMetadataValidation on {node} to 1 and back to 0 (HKLM\\SYSTEM\\CurrentControlSet\\Control\\FileSystem). Drydock goes on when it has healed."
            ),
            HoldReason::NewerThanDesired { .. } => "Nothing is moved back. Ask for the newer release in the desired state.".to_owned(),
            HoldReason::NoRoute { .. } => {
                "Change the desired state (release or source), or bring the node to a build that the article starts from; Drydock then goes on by itself."
                    .to_owned()
            }
            HoldReason::DiskSpace { node, .. } => format!(
                "Free the space; Drydock goes on by itself. From media, an attempt that was given up may have left %SystemDrive%\\$WINDOWS.~BT on {node} (gigabytes), which may be removed."
            ),
            HoldReason::MembersDiffer { .. } => "Make spec.nodes name exactly the cluster's members.".to_owned(),
            HoldReason::GoneIsMember { node } => format!(
                "Evict it (Remove-ClusterNode -Name {node}), then take it out of spec.nodes. If it has come back after all: drydock node retry {node} --reason TEXT."
            ),
            HoldReason::OtherCluster { node } => format!(
                "Make spec.nodes name the members of one cluster. Where they do, because {node} was evicted and added again, or the cluster was made anew: drydock node retry {node} --reason TEXT."
            ),
            HoldReason::NoWindowFits { .. } => "Make a maintenance window longer, or begin it earlier.".to_owned(),
            HoldReason::StopAfter { .. } => {
                "See why it took so long; then make run.stopAfter longer, or take it out. Asking for another release begins another run.".to_owned()
            }
            HoldReason::StatusTouched { commit } => {
                format!("Read the commit. If it is harmless: drydock accept --status {commit} --reason TEXT.")
            }
            HoldReason::OtherClaim { .. } => {
                "Another controller uses another status branch for this cluster. Stop one; then for the other: drydock init --config FILE --adopt --above NUMBER (drydock probe shows the number).".to_owned()
            }
            HoldReason::MixedReleases { releases } => match releases.last() {
                Some(newest) => format!("Ask for {newest} until all nodes run it, then for the newer release."),
                None => "Ask for the release in the middle first.".to_owned(),
            },
            HoldReason::SolutionDeployed => {
                "Upgrade it by the solution's own updates, and take its file out of the fleet. If the solution is not deployed, remove the service \"Azure Stack HCI Orchestrator Service\" that says so; Drydock then goes on by itself."
                    .to_owned()
            }
            HoldReason::SelfUpdating => {
                "Disable-CauClusterRole -ClusterName CLUSTER for the time of the upgrade, and where its group is online still: Stop-ClusterGroup. Afterwards Enable-CauClusterRole. Drydock goes on by itself.".to_owned()
            }
            HoldReason::Stretched { .. } => {
                "Upgrade it by Invoke-CauRun with media, as Microsoft's article for stretched clusters says, and take its file out of the fleet. If it is not stretched, remove the sites that it does not have (Get-ClusterFaultDomain -Type Site, Remove-ClusterFaultDomain); Drydock then goes on by itself.".to_owned()
            }
            HoldReason::SingleNode => "Upgrade it by hand, with its virtual machines shut down.".to_owned(),
            HoldReason::Law { .. } => "This is a fault in Drydock. Nothing was done. Please report it with this cluster's facts.yaml.".to_owned(),
        }
    }

    /// The one node that it is about, if it is about one.
    pub fn node(&self) -> Option<&NodeName> {
        match self {
            HoldReason::NodeReplaced { node }
            | HoldReason::PersonHasNode { node, .. }
            | HoldReason::LedgerRewound { node, .. }
            | HoldReason::NodeFailed { node, .. }
            | HoldReason::NodeSilent { node, .. }
            | HoldReason::StepOverdue { node, .. }
            | HoldReason::StandsStill { node, .. }
            | HoldReason::StorageStalled { node, .. }
            | HoldReason::NewerThanDesired { node, .. }
            | HoldReason::NoRoute { node, .. }
            | HoldReason::DiskSpace { node, .. }
            | HoldReason::GoneIsMember { node }
            | HoldReason::OtherCluster { node }
            | HoldReason::OtherClaim { node, .. } => Some(node),
            HoldReason::TooManyFailed { .. }
            | HoldReason::MembersDiffer { .. }
            | HoldReason::NoWindowFits { .. }
            | HoldReason::StopAfter { .. }
            | HoldReason::StatusTouched { .. }
            | HoldReason::MixedReleases { .. }
            | HoldReason::SolutionDeployed
            | HoldReason::SelfUpdating
            | HoldReason::Stretched { .. }
            | HoldReason::SingleNode
            | HoldReason::Law { .. } => None,
        }
    }

    /// One word that names the kind, for conditions and transitions.
    pub fn kind(&self) -> &'static str {
        match self {
            HoldReason::NodeReplaced { .. } => "NodeReplaced",
            HoldReason::PersonHasNode { .. } => "PersonHasNode",
            HoldReason::LedgerRewound { .. } => "LedgerRewound",
            HoldReason::NodeFailed { .. } => "NodeFailed",
            HoldReason::TooManyFailed { .. } => "TooManyFailed",
            HoldReason::NodeSilent { .. } => "NodeSilent",
            HoldReason::StepOverdue { .. } => "StepOverdue",
            HoldReason::StandsStill { .. } => "StandsStill",
            HoldReason::StorageStalled { .. } => "StorageStalled",
            HoldReason::NewerThanDesired { .. } => "NewerThanDesired",
            HoldReason::NoRoute { .. } => "NoRoute",
            HoldReason::DiskSpace { .. } => "DiskSpace",
            HoldReason::MembersDiffer { .. } => "MembersDiffer",
            HoldReason::GoneIsMember { .. } => "GoneIsMember",
            HoldReason::OtherCluster { .. } => "OtherCluster",
            HoldReason::NoWindowFits { .. } => "NoWindowFits",
            HoldReason::StopAfter { .. } => "StopAfter",
            HoldReason::StatusTouched { .. } => "StatusTouched",
            HoldReason::OtherClaim { .. } => "OtherClaim",
            HoldReason::MixedReleases { .. } => "MixedReleases",
            HoldReason::SolutionDeployed => "SolutionDeployed",
            HoldReason::SelfUpdating => "SelfUpdating",
            HoldReason::Stretched { .. } => "Stretched",
            HoldReason::SingleNode => "SingleNode",
            HoldReason::Law { .. } => "Law",
        }
    }
}

/// Where the cause of a failure shows itself (domain.md section 6 for Setup's logs, section 12 for drains).
fn where_to_look(node: &NodeName, failed: &Failed) -> String {
    match (failed.step, &failed.why) {
        (Step::Vacate, Failure::PlatformRefused) => "A pause is refused while a volume is degraded or quorum would be lost: see \
            Get-VirtualDisk, Get-StorageJob and Get-ClusterQuorum."
            .to_owned(),
        (Step::Vacate, Failure::DrainFailed) => {
            format!("Event 1677 in the System log of {node} says which role found no place: make room for it, or shut it down.")
        }
        (Step::Vacate, _) => format!(
            "Get-ClusterGroup says which roles {node} still owns: mend why they do not move live, or move them by quick migration, or shut them down."
        ),
        (Step::Install, _) => format!("See the newest log.txt under %ProgramData%\\Drydock on {node}, and Setup's own logs."),
        (Step::Reboot, Failure::StillPending) => format!(
            "Something staged on {node} asks for a restart that does not end with one: see the history of Windows Update, and RebootPending and PackagesPending under Component Based Servicing in the registry."
        ),
        (_, Failure::ValuesLost) => format!(
            "RefsEnableMetadataValidation (HKLM\\SYSTEM\\CurrentControlSet\\Control\\FileSystem) or SkipSmallLocalAllocations (HKLM\\SYSTEM\\CurrentControlSet\\Services\\Vid\\Parameters) of {node} does not stay 0 over a restart: a Group Policy may set it, or set it to 1 and back to 0 once by hand."
        ),
        (_, Failure::Hindered { by } | Failure::NotRestarted { by }) => {
            format!("The newest log.txt under %ProgramData%\\Drydock on {node} says more of what stood against it: {by}.")
        }
        (Step::Restart, Failure::RolledBack) => {
            format!("Setup says why in setuperr.log on {node}, in C:\\$WINDOWS.~BT\\Sources\\Panther or C:\\Windows\\Panther.")
        }
        (Step::WriteRegistry | Step::Reboot | Step::Restart | Step::Return | Step::Settle, _) => {
            format!("See the System log of {node}, and the newest log.txt under %ProgramData%\\Drydock there.")
        }
    }
}

fn list(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")
}
