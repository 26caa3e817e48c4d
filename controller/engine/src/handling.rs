//! What is done about an error: one exhaustive function per kind, and the only branch on errors.

use crate::ports::{ClaimError, PerformError, SourceError, StoreError};
use drydock_model::time::Millis;

/// What the engine does about an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handling {
    /// Go on; the next lap looks again.
    Onward,
    /// Not before so long.
    After(Millis),
    /// Again, at a pace that slows down.
    Again,
    /// This controller ends, with words for its supervisor's log; starting it again would not help.
    StandDown(String),
}

/// For an order without a receipt: whether it was performed is for the next observation to say.
pub fn of_perform(error: &PerformError) -> Handling {
    match error {
        PerformError::NotSent(_) => Handling::Again,
        PerformError::Unknown(_) => Handling::Onward,
    }
}

/// For the ledger store.
pub fn of_store(error: &StoreError) -> Handling {
    match error {
        StoreError::StoodDown(_) => Handling::StandDown(error.to_string()),
        // The next reading says Touched, and the planner holds.
        StoreError::Touched { .. } => Handling::Onward,
        StoreError::Refused(_) | StoreError::Local(_) => Handling::Again,
    }
}

/// For a claim.
pub fn of_claim(error: &ClaimError) -> Handling {
    match error {
        ClaimError::TooMany { wait, .. } => Handling::After(*wait),
        ClaimError::Unreachable(_)
        | ClaimError::NoBranch(_)
        | ClaimError::Unsigned { .. }
        | ClaimError::Split { .. }
        | ClaimError::Refused(_)
        | ClaimError::Local(_) => Handling::Again,
        ClaimError::HeldBy { .. } | ClaimError::SchemaTooNew { .. } => Handling::StandDown(error.to_string()),
    }
}

/// For the desired source: the last fleet stays in force.
pub fn of_source(error: &SourceError) -> Handling {
    match error {
        SourceError::Unreachable(_)
        | SourceError::NoBranch(_)
        | SourceError::Rewritten { .. }
        | SourceError::Unfit { .. }
        | SourceError::Local(_) => Handling::Again,
    }
}
