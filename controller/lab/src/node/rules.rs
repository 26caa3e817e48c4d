//! The rules that nodes keep, each of which can be taken out, so that a test can show that it matters.

use std::collections::BTreeSet;
use std::fmt;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $words:literal;)*) => {
        /// A rule that a node keeps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $($(#[$doc])* $name,)* }

        impl Rule {
            /// All of them.
            pub const ALL: &'static [Rule] = &[$(Rule::$name,)*];
        }

        impl fmt::Display for Rule {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Rule::$name => write!(f, "rule {}: {}", $number, $words),)* }
            }
        }
    };
}

rules! {
    /// The fence of another claim with the same number refuses everything.
    OtherClaim = 1, "of two claims with one number a node hears the first";
    /// The marker is removed in the same script when the platform refuses.
    MarkerGoesWithRefusal = 9, "a refused Vacate leaves no marker";
    /// Raising the fence leaves the consumed entry as it is.
    FenceKeepsConsumed = 9, "raising the fence never overwrites what was consumed";
    /// The entry is written down before its act.
    RecordFirst = 9, "what was accepted is written down before it is done";
    /// The digest fits the text.
    Digest = 10, "the digest is that of the order";
    /// An entry that was consumed is not performed again.
    ConsumedOnce = 10, "an entry is performed once";
    /// An entry that was consumed with another digest is refused.
    ConsumedDigest = 11, "an entry has one meaning";
    /// Nothing older than the fence.
    Fence = 11, "nothing older than the fence is performed";
    /// The machine and member are those of the order.
    Identity = 11, "a name alone is nobody";
    /// The boot is that of the order.
    Boot = 11, "an order holds for one boot";
    /// Not too late.
    NotAfter = 11, "an order holds for a limited time";
    /// The marker is as expected.
    ExpectMarker = 11, "the node was taken out by whom the order expects";
    /// All others are Up.
    ExpectOthersUp = 11, "all others are Up";
    /// Storage is as expected.
    ExpectStorage = 11, "storage is as the order expects";
    /// The build is as expected.
    ExpectBuild = 11, "the build is as the order expects";
    /// Quorum would survive.
    ExpectQuorum = 11, "the cluster survives the node's absence";
    /// What was expected is asked once more before a commit, and before a restart.
    AsksAgain = 23, "what a Restart expected holds at its commit, too";
    /// A node that has committed is not resumed in the same boot.
    NoReturnAfterCommit = 18, "no Return between a commit and its restart";
    /// A Return ends a Restart that has not committed.
    ReturnEndsRestart = 18, "a Return ends a Restart that has not committed";
    /// One script at a time.
    OneAtATime = 12, "one script at a time";
    /// A marker is written back only where the Vacate is not remembered.
    WriteBack = 17, "a marker is written back only where memory ends before its Vacate";
    /// A node is not resumed while a worker is at work on it.
    ReturnAwaitsWorker = 19, "no Return while a worker lives";
    /// A restart needs something staged.
    Staged = 23, "no commit of what is not staged";
    /// One commit per attempt.
    CommitOnce = 23, "one commit per attempt";
    /// One worker per attempt.
    InstallOnce = 24, "one installation per attempt";
    /// The worker stops on a Cancel.
    HeedsCancel = 25, "the worker stops on a Cancel";
    /// The worker stops on a newer order.
    HeedsNewer = 25, "the worker stops on a newer order";
    /// The worker stops under a foreign marker.
    HeedsMarker = 25, "the worker stops under a foreign marker";
    /// The worker goes on under a newer fence.
    WorksOnUnderFence = 25, "the worker goes on under a newer fence";
    /// The worker only reports after a boot.
    ReportsAfterBoot = 25, "the worker only reports after a boot";
    /// A person's stop mark refuses what begins something.
    StopMark = 27, "a stop mark refuses what begins something";
    /// The way back is exempt from the stop mark.
    StopMarkSparesWayBack = 27, "a stop mark spares the way back";
    /// Fences and Cancels are heard whatever the state of the node.
    Exempt = 28, "fences and Cancels are always heard";
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Rules {
    without: BTreeSet<Rule>,
}

impl Rules {
    /// All of them.
    pub fn all() -> Rules {
        Rules::default()
    }

    /// All but one.
    pub fn without(rule: Rule) -> Rules {
        Rules { without: [rule].into() }
    }

    /// All but the node's own look at the cluster: the controller's guards are then alone.
    pub fn without_expectations() -> Rules {
        let guards = [Rule::ExpectMarker, Rule::ExpectOthersUp, Rule::ExpectStorage, Rule::ExpectBuild, Rule::ExpectQuorum];
        Rules { without: guards.into() }
    }

    /// Whether a rule is in force.
    pub fn on(&self, rule: Rule) -> bool {
        !self.without.contains(&rule)
    }
}
