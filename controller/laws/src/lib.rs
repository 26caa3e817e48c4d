//! The laws of Drydock, checked over what was decided and over what happened: an independent second opinion.
//!
//! Written from the text of the laws and never from the planner, which it does not import: a fault that both share would have to be made twice.
//! Pure: the same situation and plan, the same violations.
//!
//! The way back (Return, Cancel, fences, and a Restart once the commit has begun) is exempt where the protocol says so: no law keeps a node out.

mod authority;
mod availability;
mod bounds;
mod case;
mod effect;
mod entries;
mod evidence;
mod forward;
mod history;
mod law;
mod protocol;
mod quorate;
mod secrets;
mod stop;
mod storage;
mod texts;
mod truth;
mod unknown;
mod window;

#[cfg(test)]
mod tests;

pub use case::FRESH;
pub use effect::{Effect, EffectKind};
pub use history::History;
pub use law::{LawId, Violation};

use case::Case;
use drydock_model::plan::{Plan, Situation};

/// What a law found wrong; nothing when it holds.
type Found = Vec<String>;

/// A law as a function.
type Holds = fn(&Case<'_>) -> Found;

/// Every law that one situation and one plan can show broken.
pub fn check(situation: &Situation<'_>, plan: &Plan) -> Result<(), Vec<Violation>> {
    let case = Case::new(situation, plan);
    let laws: [(LawId, Holds); 18] = [
        (LawId::S1, availability::s1),
        (LawId::S2, storage::s2),
        (LawId::S2b, storage::s2b),
        (LawId::S3, window::s3),
        (LawId::S4, availability::s4),
        (LawId::S5, entries::s5),
        (LawId::S6, authority::s6),
        (LawId::S7, truth::s7),
        (LawId::S8, forward::s8),
        (LawId::S9, authority::s9),
        (LawId::S10, unknown::s10),
        (LawId::S11, stop::s11),
        (LawId::S12, bounds::s12),
        (LawId::S13, forward::s13),
        (LawId::S14, protocol::s14),
        (LawId::S15, availability::s15),
        (LawId::S16, secrets::s16),
        (LawId::S17, forward::s17),
    ];
    let mut violations = Vec::new();
    for (law, holds) in laws {
        violations.extend(holds(&case).into_iter().map(|what| Violation { law, what }));
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}
