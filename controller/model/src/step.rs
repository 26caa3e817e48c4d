//! The steps of an upgrade: one row each, the same rows as the reference prints.

use crate::time::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A step. Closed: a new one is a new row of [`Step::row`] and a new arm wherever steps are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Step {
    /// Writes the registry values that the upgrade article asks for.
    WriteRegistry,
    /// Pauses and drains the node: from here on it is *out*.
    Vacate,
    /// Restarts the node so that written registry values take effect.
    Reboot,
    /// Downloads and stages the new release; never restarts.
    Install,
    /// The update agent's commit and the restart, one script: the point of no return.
    Restart,
    /// Resumes the node.
    Return,
    /// Waits until storage has healed for good; orders nothing.
    Settle,
}

/// What a step can do to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Class {
    /// Orders nothing.
    Passive,
    /// Changes a node without touching its service.
    Preparing,
    /// Takes service away from a node, or gives it back.
    Disruptive,
    /// Cannot be taken back.
    Irreversible,
}

/// One row of the table of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The step.
    pub step: Step,
    /// What it can do.
    pub class: Class,
    /// How long it may take when the cluster's own options do not say.
    pub budget: Millis,
    /// How many entries of it one attempt may have, so that a step that never takes effect ends in a hold.
    pub entries: u8,
    /// What must be true to begin, in words.
    pub begin: &'static str,
    /// When it is done, in words.
    pub done: &'static str,
}

impl Step {
    /// All, in the order of one node's upgrade.
    pub const ALL: [Step; 7] = [Step::WriteRegistry, Step::Vacate, Step::Reboot, Step::Install, Step::Restart, Step::Return, Step::Settle];

    /// Whether its entries still count once the node has been back: one attempt has only so many of them.
    pub fn outlasts_a_return(self) -> bool {
        match self {
            Step::WriteRegistry | Step::Vacate | Step::Restart => true,
            Step::Reboot | Step::Install | Step::Return | Step::Settle => false,
        }
    }

    /// Its row.
    pub const fn row(self) -> Row {
        match self {
            Step::WriteRegistry => Row {
                step: self,
                class: Class::Preparing,
                budget: Millis::minutes(5),
                entries: 4,
                begin: "node answers and carries our fence; nothing is suspended or stopped",
                done: "both values read back as the article asks",
            },
            Step::Vacate => Row {
                step: self,
                class: Class::Disruptive,
                budget: Millis::minutes(30),
                entries: 8,
                begin: "every node answers, is Up and carries our fence; storage healthy and settled; quorum, room and window suffice",
                done: "node Paused, drain Completed, no group active on it",
            },
            Step::Reboot => Row {
                step: self,
                class: Class::Disruptive,
                // `run.rebootTimeout` counts for both kinds of restart, and so does its default.
                budget: Millis::minutes(60),
                entries: 3,
                begin: "node is out by us; every other node Up; all damage explained by this node; quorum suffices",
                done: "another boot, cluster service running, no setup at work, no restart pending any more",
            },
            Step::Install => Row {
                step: self,
                class: Class::Disruptive,
                // An upgrade by Windows Update was measured at 103 minutes of download and install, and above two hours elsewhere.
                budget: Millis::minutes(240),
                entries: 4,
                begin: "node is out by us; every other node Up; all damage explained by this node",
                done: "the worker of this attempt has staged everything, or the node runs the target already",
            },
            Step::Restart => Row {
                step: self,
                class: Class::Irreversible,
                budget: Millis::minutes(60),
                entries: 3,
                begin: "as Install, and quorum suffices without this node",
                done: "node on the target, cluster service running, no setup at work",
            },
            Step::Return => Row {
                step: self,
                class: Class::Disruptive,
                budget: Millis::minutes(15),
                entries: 4,
                begin: "node answers; worker ended or its boot gone",
                done: "the quorate side says Up, and the marker is gone",
            },
            Step::Settle => Row {
                step: self,
                class: Class::Passive,
                budget: Millis::hours(8),
                entries: 1,
                begin: "node has returned",
                done: "virtual disks Healthy, no storage job, no disk in maintenance mode, and five minutes have passed",
            },
        }
    }
}

/// `Vacate`, `Install`, …
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Step::WriteRegistry => "WriteRegistry",
            Step::Vacate => "Vacate",
            Step::Reboot => "Reboot",
            Step::Install => "Install",
            Step::Restart => "Restart",
            Step::Return => "Return",
            Step::Settle => "Settle",
        })
    }
}

/// Why a node is taken out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Purpose {
    /// So that registry values take effect: Vacate, Reboot, Return, Settle.
    Registry,
    /// To upgrade it: Vacate, Install, Restart, Return, Settle.
    Upgrade,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Purpose::Registry => "Registry",
            Purpose::Upgrade => "Upgrade",
        })
    }
}
