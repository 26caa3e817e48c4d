//! S11: a person's word that nothing may begin.

use crate::Found;
use crate::case::Case;

/// S11: after `suspend` or a stop mark is seen no new step begins except the way back of a node that is out.
///
/// Whatever is known of a stop counts, however old: only a fresh look that shows it gone takes it away.
pub(crate) fn s11(case: &Case<'_>) -> Found {
    let situation = case.situation;
    let mut stops = Vec::new();
    if let Some(suspend) = &situation.desired.suspend
        && suspend.until.is_none_or(|until| situation.now.at < until)
    {
        stops.push("the cluster is suspended".to_owned());
    }
    if situation.stop.is_some() {
        stops.push("a stop file stands beside the controller".to_owned());
    }
    for (name, facts) in &situation.observed.nodes {
        if facts.memory.known().is_some_and(|m| m.stop.is_some()) {
            stops.push(format!("a stop mark is on {name}"));
        }
    }
    let mut found = Found::new();
    for doing in case.doing.iter().filter(|d| d.begins()) {
        found.extend(stops.iter().map(|stop| format!("{stop}, and the {} would begin", doing.name())));
    }
    found
}
