//! S8, S13, S17: nothing moves backwards, the irreversible comes last, and builds mix only inside a documented pair.

use crate::Found;
use crate::authority::beyond;
use crate::case::{Case, Doing, Weight};
use crate::evidence::holds;
use drydock_model::desired::{Standing, Version};
use drydock_model::ids::NodeName;
use drydock_model::observed::NodeFacts;
use drydock_model::paths;
use drydock_model::step::{Purpose, Step};
use std::collections::BTreeSet;

/// S8: the cluster never moves backwards: no older build, level, revision or ledger.
pub(crate) fn s8(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    for doing in case.doing.iter().filter(|d| d.begins()) {
        if let Some(build) = case.of(&doing.node.name, |f| &f.build)
            && doing.target.standing(*build) == Standing::Above
        {
            found.push(format!("{} would move it from {build} back to {}", doing.name(), doing.target));
        }
        for (name, facts) in &case.situation.observed.nodes {
            if let (Some(ledger), Some(memory)) = (case.ledger, facts.memory.known())
                && let Some(place) = beyond(ledger, memory)
            {
                found.push(format!("{name} remembers {place}, which the ledger has not given out, at the {}", doing.name()));
            }
        }
    }
    found
}

/// S13: the irreversible step (functional level, pool version) only if all nodes run the target and the spec asks for it.
///
/// No step of the table does either today; a new one has to say so here before it compiles.
pub(crate) fn s13(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    for doing in case.doing.iter().filter(|d| raises_level(d.step)) {
        for name in case.everybody.iter().copied() {
            if !case.of(name, |f| &f.build).is_some_and(|build| doing.target.standing(*build) == Standing::OnTarget) {
                found.push(format!("{name} is not seen on {} at the {}", doing.target, doing.name()));
            }
        }
    }
    found
}

/// Whether a step raises the functional level or the pool's version.
pub(crate) const fn raises_level(step: Step) -> bool {
    match step {
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Restart | Step::Return | Step::Settle => false,
    }
}

/// S17: mixed builds stay inside the supported pairings: one documented path, from a build and with bits that it takes, and with the registry values
/// that it asks for effective on every node that it still has to lead.
pub(crate) fn s17(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    for doing in case.doing.iter().filter(|d| d.endangers() && d.purpose == Purpose::Upgrade) {
        if let Some(build) = case.of(&doing.node.name, |f| &f.build)
            && let Err(why) = paths::route(*build, doing.target, &case.situation.desired.source)
        {
            found.push(format!("{}: {why}", doing.name()));
        }
        one_pair(case, doing, &mut found);
        if doing.weight == Weight::TakesOut {
            for name in case.expected() {
                if let Some(facts) = case.facts(name) {
                    registry_effective(case, doing, name, facts, &mut found);
                }
            }
        }
    }
    found
}

/// What serves once the node is back: the target beside what the others run. What it runs now goes with it; its own path is judged for itself.
fn one_pair(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    let mut versions = BTreeSet::from([doing.target.version]);
    for name in case.everybody.iter().copied() {
        match case.of(name, |f| &f.build) {
            None if doing.weight == Weight::TakesOut => found.push(format!("the build of {name} is not known at the {}", doing.name())),
            // While a node is out, what the others ran when it was taken out counts: nothing of ours changes it meanwhile.
            None => {}
            Some(_) if *name == doing.node.name => {}
            Some(build) => match Version::of_family(build.family) {
                Some(version) => {
                    versions.insert(version);
                }
                None => found.push(format!("{name} runs {build}, which is no known release, at the {}", doing.name())),
            },
        }
    }
    let documented = match versions.iter().collect::<Vec<_>>().as_slice() {
        [_] => true,
        [from, to] => paths::path(**from, **to).is_some() && **to == doing.target.version,
        _ => false,
    };
    if !documented {
        let list = versions.iter().map(Version::to_string).collect::<Vec<_>>().join(", ");
        found.push(format!("{} would mix {list}", doing.name()));
    }
}

/// The barrier: before any node is upgraded, every node below the target has its registry values, and has restarted since they were written.
fn registry_effective(case: &Case<'_>, doing: &Doing<'_>, name: &NodeName, facts: &NodeFacts, found: &mut Found) {
    let Some(build) = case.fresh(&facts.build) else { return };
    let Some(path) = Version::of_family(build.family).and_then(|from| paths::path(from, doing.target.version)) else { return };
    let Some(values) = case.fresh(&facts.registry) else {
        return found.push(format!("the registry of {name} is not known at the {}", doing.name()));
    };
    for asked in path.registry.iter().filter(|asked| !holds(values, asked)) {
        found.push(format!("{} of {name} is not {} at the {}", asked.name, asked.value, doing.name()));
    }
    let effective = match (case.fresh(&facts.memory), case.fresh(&facts.boot)) {
        (Some(memory), Some(boot)) => memory.registry_written.as_ref() != Some(&boot.id),
        (None, _) | (_, None) => false,
    };
    if !effective {
        found.push(format!("{name} has not restarted since its registry was written, at the {}", doing.name()));
    }
}
