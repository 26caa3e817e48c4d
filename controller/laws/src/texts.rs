//! Everything that a plan says in words, for the laws that look at words.

use crate::case::Case;
use drydock_model::ids::NodeName;
use drydock_model::plan::Decision;
use std::borrow::Cow;
use std::fmt;

/// Where a text stands.
pub(crate) enum Where<'a> {
    Next,
    Node(&'a NodeName),
    Blocker,
    Warning,
    Wait,
    Hold,
    Outcome,
}

impl fmt::Display for Where<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Where::Next => f.write_str("what comes next"),
            Where::Node(name) => write!(f, "the report of {name}"),
            Where::Blocker => f.write_str("a blocker"),
            Where::Warning => f.write_str("a warning"),
            Where::Wait => f.write_str("what is waited on"),
            Where::Hold => f.write_str("the hold"),
            Where::Outcome => f.write_str("the outcome"),
        }
    }
}

/// Where a text stands, and the text.
pub(crate) fn texts<'a>(case: &Case<'a>) -> Vec<(Where<'a>, Cow<'a, str>)> {
    let report = &case.plan.report;
    let mut all = vec![(Where::Next, Cow::from(&report.next))];
    all.extend(report.nodes.iter().map(|(name, node)| (Where::Node(name), Cow::from(&node.detail))));
    all.extend(report.blocked_by.iter().map(|text| (Where::Blocker, Cow::from(text))));
    all.extend(report.warnings.iter().map(|text| (Where::Warning, Cow::from(text))));
    match &case.plan.decision {
        Decision::Wait(on, _) => all.push((Where::Wait, on.to_string().into())),
        Decision::Hold(why) => all.push((Where::Hold, why.to_string().into())),
        Decision::Close { outcome, .. } => all.push((Where::Outcome, outcome.to_string().into())),
        Decision::Converged | Decision::Fence(_) | Decision::Meet(_) | Decision::Open(_) | Decision::Cancel(_) | Decision::Perform(_) => {}
    }
    all
}
