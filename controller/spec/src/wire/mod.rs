//! What Drydock writes into git and reads back, and the controller's own configuration: shapes and texts, no git and no clock.
//!
//! ```text
//!   controller.yaml                    root      who holds the status branch
//!   clusters/<path>/facts.yaml         facts     everything one entry was decided on; machines read it
//!   clusters/<path>/status.yaml        status    the same for people; a pure function of the facts
//!   the commit's message               message   a line a person understands, and trailers that `git log` can search
//!   a person's commit                  words     retry, gone, clock, accept
//!   `-o json`                          answer    what commands say to tools
//! ```
//!
//! Texts from outside (a node's error, a person's reason) are data here: nothing in them can end a line, a field or a quotation.

pub mod answer;
pub mod condition;
pub mod config;
pub mod facts;
mod line;
pub mod message;
pub mod root;
pub mod status;
mod text;
pub mod words;

#[cfg(any(test, feature = "samples"))]
pub mod sample;

pub use line::{clean_lines, one_line};
pub use text::{WireError, instant, rfc3339};

/// The schema that this version writes (rule 30).
pub const SCHEMA: u32 = 1;

/// The least schema a reader must know to act on what this version writes.
pub const LEAST: u32 = 1;

/// The least schema that a text may ask of its readers, after one that asked for `before`: it rises while nothing is under way, and not before, so that
/// whoever could bring a node back can do so until it is back (rule 30). What is written under a lower one must be readable by it.
pub(crate) fn least_after(before: Option<u32>, at_rest: bool) -> u32 {
    match before {
        None => LEAST,
        Some(before) if at_rest => before.max(LEAST),
        Some(before) => before,
    }
}

/// A status branch's file name of the facts.
pub const FACTS_FILE: &str = "facts.yaml";

/// A status branch's file name of the status.
pub const STATUS_FILE: &str = "status.yaml";

/// A status branch's file name of the claim, at its root.
pub const ROOT_FILE: &str = "controller.yaml";

/// The folder on the status branch that mirrors a desired file: `clusters/shops/till-042.yaml` has `clusters/shops/till-042`.
pub fn folder(path: &str) -> &str {
    path.strip_suffix(".yaml").or_else(|| path.strip_suffix(".yml")).unwrap_or(path)
}

/// Every schema of this module: file name in `schemas/` and text.
pub fn schemas() -> Vec<(&'static str, String)> {
    vec![
        ("cluster-facts.schema.json", text::schema::<facts::Facts>()),
        ("cluster-status.schema.json", text::schema::<status::ClusterStatus>()),
        ("answer-doctor.schema.json", text::schema::<answer::DoctorAnswer>()),
        ("answer-history.schema.json", text::schema::<answer::HistoryAnswer>()),
        ("answer-plan.schema.json", text::schema::<answer::PlanAnswer>()),
        ("answer-status.schema.json", text::schema::<answer::StatusAnswer>()),
        ("answer-validate.schema.json", text::schema::<answer::ValidateAnswer>()),
        ("controller.schema.json", text::schema::<root::Root>()),
        ("controller-config.schema.json", crate::schema::print(config::schema())),
    ]
}
