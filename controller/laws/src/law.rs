//! The laws by name: what must hold, whatever the planner thinks.

use std::fmt;

/// A law. `S` laws are about safety and are checked here; `L` laws say that something good happens in the end, which only runs can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LawId {
    /// Every other node serves.
    S1,
    /// Storage is whole before a node is taken out.
    S2,
    /// All damage is the out node's own.
    S2b,
    /// The window is long enough.
    S3,
    /// Quorum survives.
    S4,
    /// Repetition is harmless.
    S5,
    /// Only verified wishes and signed entries.
    S6,
    /// Only what was observed is claimed.
    S7,
    /// Nothing moves backwards.
    S8,
    /// Nothing older changes anything.
    S9,
    /// Unknown fails closed.
    S10,
    /// Stop means stop.
    S11,
    /// Everything is bounded.
    S12,
    /// The irreversible step comes last.
    S13,
    /// The ledger is append-only and linear.
    S14,
    /// The others have room.
    S15,
    /// No secret is written.
    S16,
    /// Mixed builds stay inside a documented pair.
    S17,
    /// The target is reached.
    L1,
    /// Then there is quiet.
    L2,
    /// Status names the true blocker.
    L3,
    /// Every hold has a way out.
    L4,
    /// One of two controllers wins.
    L5,
}

impl LawId {
    /// All, in the order of their names.
    pub const ALL: [LawId; 23] = [
        LawId::S1,
        LawId::S2,
        LawId::S2b,
        LawId::S3,
        LawId::S4,
        LawId::S5,
        LawId::S6,
        LawId::S7,
        LawId::S8,
        LawId::S9,
        LawId::S10,
        LawId::S11,
        LawId::S12,
        LawId::S13,
        LawId::S14,
        LawId::S15,
        LawId::S16,
        LawId::S17,
        LawId::L1,
        LawId::L2,
        LawId::L3,
        LawId::L4,
        LawId::L5,
    ];

    /// What it demands.
    pub const fn text(self) -> &'static str {
        match self {
            LawId::S1 => {
                "No node is vacated, installed on or restarted by us unless every other node is Up, not paused and joined. \
                 Exempt: bringing back a node that is already out."
            }
            LawId::S2 => "No node is vacated unless the virtual disks are healthy, no repair runs, and the last node has settled.",
            LawId::S2b => {
                "A node that is out goes on only while all damage is explained by that node: \
                 others' disks fine, nothing detached or without redundancy, jobs at most suspended."
            }
            LawId::S3 => {
                "No node is vacated unless the window stays open for the sum of its remaining steps plus the way back. \
                 A node already out is always brought back."
            }
            LawId::S4 => {
                "Losing the chosen node (and the witness, if in doubt) leaves cluster quorum and pool quorum; votes are counted from the cluster."
            }
            LawId::S5 => {
                "Every effect is harmless when repeated, delayed, or applied after its answer was lost: at most one install and one commit \
                 per (node identity, target, attempt), one restart per entry."
            }
            LawId::S6 => "No node is touched for a revision that is not verified, nor for a ledger entry no controller signed.",
            LawId::S7 => "Status claims only what was observed, inside its stated span. Unknown is written as unknown.",
            LawId::S8 => "The cluster never moves backwards: no older build, level, revision or ledger.",
            LawId::S9 => "A controller with an older epoch, and an order with an older entry, change nothing.",
            LawId::S10 => {
                "Unknown fails closed; facts older than the freshness budget are unknown, \
                 and the node itself refuses an order that was planned on them."
            }
            LawId::S11 => "After suspend or a stop mark is seen no new step begins except the way back of a node that is out.",
            LawId::S12 => "Everything is bounded: attempts, laps, queue lengths, sizes of what is read, probe time, ledger growth.",
            LawId::S13 => {
                "The irreversible step (functional level, pool version) only if all nodes run the target and the spec asks for it."
            }
            LawId::S14 => {
                "The ledger is append-only and linear; an intent is opened before its effects and closed once, and not while its order may still \
                 arrive, unless its node owes a tombstone; at most one is open per cluster."
            }
            LawId::S15 => "Before vacating, the others have room for the roles.",
            LawId::S16 => "No secret reaches git, logs, status or error texts.",
            LawId::S17 => "Mixed builds stay inside the supported pairings.",
            LawId::L1 => "If the spec stays, faults stop, and windows keep opening, the cluster reaches its target and stays there.",
            LawId::L2 => "Once converged: thirty simulated days, no orders, no commits except a bounded heartbeat.",
            LawId::L3 => "At every moment not converged, status names the true blocker within two laps.",
            LawId::L4 => "Every hold has a documented way out, and taking it leads back to L1.",
            LawId::L5 => "Two controllers: one wins in bounded time, the other stands down.",
        }
    }
}

/// `S2b`, as the documents write it.
impl fmt::Display for LawId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            LawId::S1 => "S1",
            LawId::S2 => "S2",
            LawId::S2b => "S2b",
            LawId::S3 => "S3",
            LawId::S4 => "S4",
            LawId::S5 => "S5",
            LawId::S6 => "S6",
            LawId::S7 => "S7",
            LawId::S8 => "S8",
            LawId::S9 => "S9",
            LawId::S10 => "S10",
            LawId::S11 => "S11",
            LawId::S12 => "S12",
            LawId::S13 => "S13",
            LawId::S14 => "S14",
            LawId::S15 => "S15",
            LawId::S16 => "S16",
            LawId::S17 => "S17",
            LawId::L1 => "L1",
            LawId::L2 => "L2",
            LawId::L3 => "L3",
            LawId::L4 => "L4",
            LawId::L5 => "L5",
        })
    }
}

/// A law that a plan or a history breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which law.
    pub law: LawId,
    /// What breaks it.
    pub what: String,
}

/// `S1: N02 is Down while N01 would be taken out`.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law, self.what)
    }
}
