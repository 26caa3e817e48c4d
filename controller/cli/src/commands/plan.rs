//! `drydock plan`: what merging the working tree would do to each cluster. Compares it with the fleet's branch, and knows the nodes' builds from
//! the status branch.

use super::differs::{self, differs};
use super::status::short_time;
use super::{API_VERSION, say_json, validate};
use crate::Context;
use crate::args::{Form, Plan};
use crate::branch;
use crate::exit::{Exit, Failure};
use crate::files::{Desired, Files};
use crate::output::Paint;
use crate::place::{Place, text_of};
use drydock_model::desired::Standing;
use drydock_model::ids::ClusterName;
use drydock_model::paths::{self, NoRoute};
use drydock_model::time::Timestamp;
use drydock_spec::wire::answer::{PlanAnswer, PlannedChange, PlannedCluster, PlannedNode};
use drydock_spec::wire::facts::Facts;
use drydock_spec::wire::message::short;
use drydock_spec::wire::{folder, rfc3339};
use drydock_spec::{ClusterSpec, Diagnostic};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn run(args: &Plan, context: &mut Context) -> Result<Exit, Failure> {
    let place = Place::open(context, &args.repository)?;
    let tree = args.folder.as_ref().map(|f| context.directory.join(f)).or(place.work_tree.clone()).ok_or_else(|| {
        Failure::new(Exit::Usage, "there is no working tree here", "name its folder: drydock plan FOLDER; or run this inside a clone")
    })?;
    if !tree.is_dir() {
        let what = format!("{} is no folder", tree.display());
        return Err(Failure::new(Exit::Usage, what, "name the folder of a fleet repository's working tree"));
    }
    let before = match place.desired {
        Some(newest) => Desired::check(Files::of_commit(place.fleet(), newest)?),
        None => Desired::default(),
    };
    // As a controller does: while the new fleet.yaml does not count, the last good one is in force.
    let after = Desired::check_under(Files::of_folder(&tree)?, &before.fleet);
    if after.files == 0 {
        let what = format!("{} has no fleet.yaml and no clusters/**.yaml", tree.display());
        return Err(Failure::new(Exit::Usage, what, "name the folder of a fleet repository's working tree"));
    }
    let (items, held, unchanged) = compare(&place, context.clock.now(), &before, &after)?;
    place.note(context);
    let exit = if after.any_error() || held { Exit::Found } else { Exit::Fine };
    let problems = after.diagnostics().map(Diagnostic::told).collect();
    let answer = PlanAnswer {
        api_version: API_VERSION.to_owned(),
        kind: "ChangePlan".to_owned(),
        base: text_of(place.desired),
        items,
        unchanged,
        problems,
    };
    match args.output {
        Form::Json => say_json(context, &answer)?,
        Form::Text => {
            let base = match place.desired {
                Some(newest) => format!("{} ({})", args.repository.base, short(&newest.to_string())),
                None => format!("no branch {}: everything is new", args.repository.base),
            };
            context.output.say(&format!("compared with {base}\n"));
            if !after.guided {
                let shown = if before.guided { "as under the one that is there" } else { "without what it says" };
                context.output.say(&format!("the new fleet.yaml does not count; clusters are shown {shown}\n"));
            }
            answer.items.iter().for_each(|item| show(context, item));
            match (answer.items.is_empty(), unchanged) {
                (true, _) => context.output.say("no cluster would change"),
                (false, 0) => {}
                (false, 1) => context.output.say("1 other cluster would not change"),
                (false, n) => context.output.say(&format!("{n} other clusters would not change")),
            }
            let text = after.render(context.output.coloured());
            if !text.is_empty() {
                context.output.say(&format!("\n{}\n", text.trim_end()));
                let (errors, warnings) = after.count();
                context.output.say(&validate::summary(after.files, errors, warnings));
            }
        }
    }
    Ok(exit)
}

fn compare(place: &Place, now: Timestamp, before: &Desired, after: &Desired) -> Result<(Vec<PlannedCluster>, bool, usize), Failure> {
    let by_name = |d: &Desired| -> BTreeMap<ClusterName, ClusterSpec> {
        d.clusters.values().map(|c| (c.desired.cluster.clone(), c.clone())).collect()
    };
    let (old, new) = (by_name(before), by_name(after));
    let broken: BTreeSet<&String> = after.problems.keys().filter(|p| !after.clusters.contains_key(*p)).collect();
    let (mut items, mut held, mut unchanged) = (Vec::new(), false, 0);
    let names: BTreeSet<&ClusterName> = old.keys().chain(new.keys()).collect();
    for name in names {
        let item = match (old.get(name), new.get(name)) {
            (Some(was), Some(is)) if same(was, is) => {
                unchanged += 1;
                continue;
            }
            // The newest file is bad: the cluster stays on the last good one, and the problems say so.
            (Some(was), None) if broken.contains(&was.path) => {
                held = true;
                refused(was)
            }
            (Some(was), None) => removed(was),
            (was, Some(is)) => {
                let (item, stops) = planned(place, now, was, is)?;
                held |= stops;
                item
            }
            (None, None) => continue,
        };
        items.push(item);
    }
    Ok((items, held, unchanged))
}

fn same(was: &ClusterSpec, is: &ClusterSpec) -> bool {
    was.desired == is.desired && was.connection == is.connection && was.path == is.path
}

fn removed(was: &ClusterSpec) -> PlannedCluster {
    PlannedCluster {
        name: was.desired.cluster.to_string(),
        path: was.path.clone(),
        change: PlannedChange::Removed,
        from: Some(was.desired.target.to_string()),
        to: None,
        differs: Vec::new(),
        nodes: Vec::new(),
        opens: None,
        warnings: vec!["nothing new would begin; a node that is out is brought back".to_owned()],
    }
}

fn refused(was: &ClusterSpec) -> PlannedCluster {
    let target = Some(was.desired.target.to_string());
    let warnings = vec!["the new file does not count; the cluster would stay on the last good one".to_owned()];
    PlannedCluster { change: PlannedChange::Refused, to: target, warnings, ..removed(was) }
}

fn planned(place: &Place, now: Timestamp, was: Option<&ClusterSpec>, is: &ClusterSpec) -> Result<(PlannedCluster, bool), Failure> {
    let facts = facts(place, is)?;
    let desired = &is.desired;
    let mut warnings: BTreeSet<String> = is.warnings.iter().map(|w| w.message.clone()).collect();
    let (mut nodes, mut stops) = (Vec::new(), false);
    for node in &desired.nodes {
        let build = facts.as_ref().and_then(|f| f.observed.nodes.get(node)).and_then(|n| n.build.known());
        let what = match build {
            None => "not observed yet; it is checked before anything begins".to_owned(),
            Some(build) => match (desired.target.standing(*build), paths::route(*build, desired.target, &desired.source)) {
                (Standing::OnTarget, _) => "is on the target".to_owned(),
                (Standing::Above, _) => {
                    stops = true;
                    "runs a newer release: the cluster would be held, nothing is moved back".to_owned()
                }
                (Standing::Below, Ok(path)) => {
                    warnings.extend(path.warnings.iter().map(|w| (*w).to_owned()));
                    format!("would be upgraded from {} ({})", path.from, path.article)
                }
                (Standing::Below, Err(why)) => {
                    stops = true;
                    held(why)
                }
            },
        };
        nodes.push(PlannedNode { name: node.to_string(), build: build.map_or("unknown".to_owned(), ToString::to_string), what });
    }
    if let Some(open) = facts.as_ref().and_then(|f| f.ledger.out.as_ref()) {
        warnings.insert(format!("{} is out just now; it is finished or brought back first", open.node.name));
    }
    // One that is over says nothing any more.
    if let Some(suspend) = desired.suspend.as_ref().filter(|s| s.until.is_none_or(|until| now < until)) {
        warnings.insert(format!("suspended: {}", differs::suspended(suspend)));
    }
    let opens = desired.maintenance.windows.next_open(now);
    let item = PlannedCluster {
        name: desired.cluster.to_string(),
        path: is.path.clone(),
        change: if was.is_some() { PlannedChange::Changed } else { PlannedChange::Added },
        from: was.map(|w| w.desired.target.to_string()),
        to: Some(desired.target.to_string()),
        differs: was.map(|w| differs(w, is)).unwrap_or_default(),
        nodes,
        opens: opens.map(rfc3339),
        warnings: warnings.into_iter().collect(),
    };
    Ok((item, stops))
}

fn held(why: NoRoute) -> String {
    format!("the cluster would be held: {why}")
}

/// The cluster's facts, if a controller has written some. Facts that cannot be read are no reason not to plan.
fn facts(place: &Place, is: &ClusterSpec) -> Result<Option<Facts>, Failure> {
    let Some(tip) = place.status else { return Ok(None) };
    match branch::facts(place.status_mirror(), tip, folder(&is.path)) {
        Ok(facts) => Ok(Some(facts)),
        Err(failure) if failure.exit == Exit::Found => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Nodes of which the same is said, together, in the order of the first of each.
fn grouped(nodes: &[PlannedNode]) -> Vec<(Vec<&str>, &PlannedNode)> {
    let mut groups: Vec<(Vec<&str>, &PlannedNode)> = Vec::new();
    for node in nodes {
        match groups.iter_mut().find(|(_, n)| n.build == node.build && n.what == node.what) {
            Some((names, _)) => names.push(&node.name),
            None => groups.push((vec![&node.name], node)),
        }
    }
    groups
}

fn show(context: &mut Context, item: &PlannedCluster) {
    let target = match (&item.from, &item.to) {
        (Some(from), Some(to)) if from == to => format!("stays on {to}"),
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (None, Some(to)) => format!("→ {to}"),
        (Some(from), None) => format!("{from}, no longer cared for"),
        (None, None) => String::new(),
    };
    let (word, paint) = match item.change {
        PlannedChange::Added => ("added", Paint::Green),
        PlannedChange::Changed => ("changed", Paint::Green),
        PlannedChange::Removed => ("removed", Paint::Red),
        PlannedChange::Refused => ("refused", Paint::Red),
    };
    let head = context.output.paint(&format!("{word} {}", item.name), paint);
    context.output.say(&format!("{head}: {target}  ({})", item.path));
    item.differs.iter().for_each(|d| context.output.say(&format!("  {d}")));
    for (names, node) in grouped(&item.nodes) {
        let (verb, of) = if names.len() == 1 { ("runs", "") } else { ("run", "s") };
        let build = if node.build == "unknown" { format!("unknown build{of}") } else { node.build.clone() };
        context.output.say(&format!("  {} {verb} {build}: {}", names.join(", "), node.what));
    }
    match (&item.opens, item.to.is_some() && !item.nodes.is_empty()) {
        (Some(opens), true) => context.output.say(&format!("  work could begin at {}", short_time(opens))),
        (None, true) => context.output.say("  no window opens within 13 months"),
        (_, false) => {}
    }
    item.warnings.iter().for_each(|w| context.output.say(&format!("  mind: {w}")));
    context.output.say("");
}
