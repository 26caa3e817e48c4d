//! What is done to nodes in earnest, as somebody truthful records it.

use drydock_model::desired::Target;
use drydock_model::ids::{EntryId, NodeId};
use drydock_model::ledger::{AGAIN, Intent, RETURN};
use drydock_model::step::Step;
use drydock_model::time::Timestamp;
use std::fmt;

/// Something that was done to a node in earnest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// When.
    pub at: Timestamp,
    /// To whom.
    pub node: NodeId,
    /// What.
    pub kind: EffectKind,
    /// The entry of the order that did it.
    pub entry: EntryId,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EffectKind {
    /// The cluster accepted to pause it.
    Suspend,
    /// It was resumed.
    Resume,
    /// An installation was started.
    Install {
        /// For which target.
        target: Target,
        /// In which attempt.
        attempt: u8,
    },
    /// An installation was committed.
    Commit {
        /// For which target.
        target: Target,
        /// In which attempt.
        attempt: u8,
    },
    /// It was restarted.
    Restart,
    /// Its registry values were written.
    WriteRegistry,
}

/// `Suspend`, `Install`, …
impl fmt::Display for EffectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            EffectKind::Suspend => "Suspend",
            EffectKind::Resume => "Resume",
            EffectKind::Install { .. } => "Install",
            EffectKind::Commit { .. } => "Commit",
            EffectKind::Restart => "Restart",
            EffectKind::WriteRegistry => "WriteRegistry",
        })
    }
}

/// Whether an intent asks for what was done.
pub(crate) fn says(intent: &Intent, kind: EffectKind) -> bool {
    match kind {
        EffectKind::Suspend => intent.step == Step::Vacate,
        EffectKind::Resume => intent.step == Step::Return,
        EffectKind::Install { target, attempt } => intent.step == Step::Install && intent.target == target && intent.attempt == attempt,
        EffectKind::Commit { target, attempt } => intent.step == Step::Restart && intent.target == target && intent.attempt == attempt,
        EffectKind::Restart => intent.step == Step::Restart || intent.step == Step::Reboot,
        EffectKind::WriteRegistry => intent.step == Step::WriteRegistry,
    }
}

/// Whether it is part of the way back that the intent's block pre-authorises, for the hours in which nothing can be written (rule 19).
pub(crate) fn reserved(intent: &Intent, effect: &Effect) -> bool {
    let offset = match effect.kind {
        EffectKind::Resume => RETURN,
        EffectKind::Restart => AGAIN,
        EffectKind::Suspend | EffectKind::Install { .. } | EffectKind::Commit { .. } | EffectKind::WriteRegistry => return false,
    };
    let place = &effect.entry.place;
    place.epoch == intent.entry.place.epoch && place.seq == intent.base.saturating_add(offset)
}
