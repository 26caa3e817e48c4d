//! S10: unknown fails closed. Rules 13 and 15 of the protocol stand here too: every member answers, and the clocks agree.

use crate::Found;
use crate::case::{Case, Doing, FRESH, Weight};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::NodeName;
use drydock_model::observed::NodeFacts;
use drydock_model::step::Step;
use drydock_model::time::{Millis, Timestamp};
use std::collections::BTreeSet;

/// How far the controller's clock may be from the nodes' (rule 15).
const CLOCKS: Millis = Millis::minutes(2);

/// S10: unknown fails closed; facts older than the freshness budget are unknown, and the node itself refuses an order that was planned on them.
pub(crate) fn s10(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    for doing in case.doing.iter().filter(|d| d.begins()) {
        for name in whom(case, doing) {
            match case.facts(name) {
                None => found.push(format!("{name} was not observed at the {}", doing.name())),
                Some(facts) => node(case, doing, name, facts, &mut found),
            }
        }
        cluster(case, doing, &mut found);
        if doing.weight == Weight::TakesOut {
            one_cluster(case, doing, &mut found);
            clocks(case, doing, &mut found);
        }
        expires(case, doing, &mut found);
    }
    found
}

/// Whose facts are needed: everybody's to take a node out, the node's own otherwise.
fn whom<'a>(case: &Case<'a>, doing: &Doing<'a>) -> BTreeSet<&'a NodeName> {
    let mut whom = BTreeSet::from([&doing.node.name]);
    match doing.weight {
        Weight::TakesOut => whom.extend(case.everybody.iter().copied()),
        Weight::Passive | Weight::Back | Weight::Prepares | Weight::GoesOn => {}
    }
    whom
}

fn node(case: &Case<'_>, doing: &Doing<'_>, name: &NodeName, facts: &NodeFacts, found: &mut Found) {
    let mut need = |what: &str, gap: Option<Gap>| {
        if let Some(gap) = gap {
            found.push(format!("{what} of {name} is unknown at the {}: {gap}", doing.name()));
        }
    };
    need("the identity", case.gap(&facts.id));
    need("the memory", case.gap(&facts.memory));
    if *name == doing.node.name {
        need("the boot", case.gap(&facts.boot));
    }
    match doing.weight {
        Weight::TakesOut => {
            need("the clock", case.gap(&facts.clock));
            need("the build", case.gap(&facts.build));
            need("the view", case.gap(&facts.view));
        }
        Weight::GoesOn => match doing.step {
            Step::Install | Step::Restart => {
                need("the build", case.gap(&facts.build));
                need("the worker", case.gap(&facts.worker));
            }
            Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Return | Step::Settle => {}
        },
        Weight::Passive | Weight::Back | Weight::Prepares => {}
    }
}

fn cluster(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    let facts = &case.situation.observed.cluster;
    let mut need = |what: &str, gap: Option<Gap>| {
        if let Some(gap) = gap {
            found.push(format!("{what} is unknown at the {}: {gap}", doing.name()));
        }
    };
    if doing.endangers() {
        need("storage", case.gap(&facts.storage));
    }
    if doing.weight == Weight::TakesOut {
        need("room for roles", case.gap(&facts.capacity));
        need("the cluster's own word on quorum", case.gap(&facts.would_lose_quorum));
    }
}

/// Rule 13: all who answer agree on who takes part and on which cluster they are, and it is the node's.
fn one_cluster(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    for name in case.everybody.iter().copied() {
        let apart = case.side.as_ref().is_ok_and(|side| !side.views.contains_key(name));
        if apart && case.of(name, |f| &f.view).is_some() {
            found.push(format!("{name} and the others do not name each other at the {}", doing.name()));
        }
        let view = case.of(name, |f| &f.view).map(|view| &view.cluster);
        let id = case.of(name, |f| &f.id).map(|id| &id.cluster);
        for other in view.into_iter().chain(id).filter(|cluster| **cluster != doing.node.cluster) {
            found.push(format!("{name} belongs to cluster {other} at the {}", doing.name()));
        }
    }
}

/// Rule 15: the controller's clock is within two minutes of the lower median of the answering nodes'. How far a node's clock is off is known only to
/// the span in which it was read, and the doubt counts for the controller.
fn clocks(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    let now = case.situation.now.at;
    let read = |facts: &NodeFacts| match &facts.clock {
        Fact::Known { value, seen } => case.fresh(&facts.clock).map(|_| (value.0 - seen.to.max(now).0, value.0 - seen.from.min(now).0)),
        Fact::Unknown(_) => None,
    };
    let (least, most): (Vec<i64>, Vec<i64>) = case.situation.observed.nodes.values().filter_map(read).unzip();
    let (Some(least), Some(most)) = (lower_median(least), lower_median(most)) else { return };
    let off = |by: i64| Timestamp(by).distance(Timestamp(0));
    if least > 0 && off(least) > CLOCKS {
        found.push(format!("the nodes' clocks are ahead by {} at the {}", off(least), doing.name()));
    }
    if most < 0 && off(most) > CLOCKS {
        found.push(format!("the nodes' clocks are behind by {} at the {}", off(most), doing.name()));
    }
}

/// Of an even number the lower of the two in the middle.
fn lower_median(mut values: Vec<i64>) -> Option<i64> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The node refuses the order in another boot, and once the facts it was planned on are too old.
fn expires(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    let (Some(order), Some(boot)) = (doing.order(), case.of(&doing.node.name, |f| &f.boot)) else { return };
    if order.boot.as_ref().is_some_and(|planned| *planned != boot.id) {
        found.push(format!("the order for {} is for another boot than the one that was seen", doing.name()));
    }
    if order.not_after.is_some_and(|end| end > boot.up.plus(FRESH)) {
        found.push(format!("the order for {} would still be taken when its facts are older than {FRESH}", doing.name()));
    }
}
