//! `drydock plan`: what merging the working tree would do to each cluster. Compares it with the fleet's branch, and knows the nodes' builds from
//! the status branch.

use super::differs::{self, differs};
use super::status::short_time;
use super::{API_VERSION, say_json, validate};
use crate::Context;
use crate::args::{Form, Plan};
use crate::branch;
use crate::exit::{Exit, Failure};
use crate::files::{Accepted, Desired, Files, Past, stand_in};
use crate::output::Paint;
use crate::place::{Place, text_of};
use drydock_model::desired::Standing;
use drydock_model::ids::ClusterName;
use drydock_model::paths::{self, NoRoute};
use drydock_model::time::Timestamp;
use drydock_spec::fleet::CLUSTERS;
use drydock_spec::wire::answer::{PlanAnswer, PlannedChange, PlannedCluster, PlannedNode};
use drydock_spec::wire::facts::Facts;
use drydock_spec::wire::message::short;
use drydock_spec::wire::{FACTS_FILE, folder, rfc3339};
use drydock_spec::{ClusterSpec, Diagnostic, Fleet};
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
    if let Some(missing) = place.missing() {
        let todo = "check --base; of a fleet that was never pushed, drydock validate checks the files";
        return Err(Failure::new(Exit::Usage, missing, todo));
    }
    let base = place.desired.map(|newest| Files::of_commit(place.fleet(), newest)).transpose()?;
    let tree_files = Files::of_folder(&tree)?;
    let remembered = Remembered(&place);
    let (before, after) = both(&remembered, base.as_ref(), &tree_files);
    if after.files == 0 {
        let what = format!("{} has no fleet.yaml and no clusters/**.yaml", tree.display());
        return Err(Failure::new(Exit::Usage, what, "name the folder of a fleet repository's working tree"));
    }
    let (items, worst, unchanged) = compare(&place, context.clock.now(), (&before, &remembered), &after);
    place.note(context);
    let exit = if after.any_error() { worst.max(Exit::Found) } else { worst };
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
            } else if !before.guided {
                let base = &args.repository.base;
                context.output.say(&format!(
                    "fleet.yaml of {base} does not count, so what it put in force is not known here; what only fleet.yaml says is not compared\n"
                ));
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

/// What stands on the branch, and what stands in the tree. As for a controller, the last good `fleet.yaml` is in force while the new one does not count,
/// and what was accepted from a file is that file's own; where the branch has no good file, what the status branch remembers of it is that.
fn both(remembered: &Remembered<'_>, base: Option<&Files>, tree: &Files) -> (Desired, Desired) {
    let read = |last: &Fleet| base.map(|files| Desired::check_beside(files, last, remembered)).unwrap_or_default();
    let mut before = read(&stand_in());
    if !before.guided {
        let new = Desired::check_beside(tree, &before.fleet, remembered);
        if new.guided {
            // What the branch's fleet.yaml put in force is not known: both are read under the new one, so that nothing seems to differ that only it says.
            let alone = std::mem::replace(&mut before, read(&new.fleet));
            for (path, spec) in alone.clusters {
                before.clusters.entry(path).or_insert(spec);
            }
        }
    }
    let after = Desired::check_beside(tree, &before.fleet, &Beside { before: &before, remembered });
    (before, after)
}

/// What the status branch remembers. What cannot be read of it decides nothing here.
struct Remembered<'a>(&'a Place);

impl Past for Remembered<'_> {
    fn cluster(&self, path: &str) -> Option<ClusterName> {
        branch::cluster(self.0.status_mirror(), self.0.status?, folder(path))
    }
    fn accepted(&self, path: &str) -> Option<Accepted> {
        let facts = facts(self.0, path).ok()??;
        (facts.wanted.path == path).then_some(Accepted { desired: facts.wanted.desired, connection: facts.wanted.connection })
    }
}

/// What the branch says where it says something good, else what is remembered.
struct Beside<'a> {
    before: &'a Desired,
    remembered: &'a Remembered<'a>,
}

impl Past for Beside<'_> {
    fn cluster(&self, path: &str) -> Option<ClusterName> {
        self.before.clusters.get(path).map(|spec| spec.desired.cluster.clone()).or_else(|| self.remembered.cluster(path))
    }
    fn accepted(&self, path: &str) -> Option<Accepted> {
        self.before.clusters.get(path).map(Accepted::of).or_else(|| self.remembered.accepted(path))
    }
}

fn compare(
    place: &Place,
    now: Timestamp,
    (before, remembered): (&Desired, &Remembered<'_>),
    after: &Desired,
) -> (Vec<PlannedCluster>, Exit, usize) {
    let by_name = |d: &Desired| -> BTreeMap<ClusterName, ClusterSpec> {
        d.clusters.values().map(|c| (c.desired.cluster.clone(), c.clone())).collect()
    };
    let (mut old, new) = (by_name(before), by_name(after));
    for (name, is) in &new {
        // The branch's own file does not count: in force is the last good one.
        if !old.contains_key(name)
            && let Some(was) = remembered.accepted(&is.path).filter(|was| was.desired.cluster == *name)
        {
            old.insert(name.clone(), ClusterSpec { desired: was.desired, connection: was.connection, ..is.clone() });
        }
    }
    let broken: BTreeSet<&String> = after.problems.keys().filter(|p| !after.clusters.contains_key(*p)).collect();
    // A controller refuses a revision whose folder is none, and takes no file for deleted.
    let hidden = after.problems.contains_key(CLUSTERS);
    let (mut items, mut worst, mut unchanged) = (Vec::new(), Exit::Fine, 0);
    let names: BTreeSet<&ClusterName> = old.keys().chain(new.keys()).collect();
    for name in names {
        let item = match (old.get(name), new.get(name)) {
            (Some(was), Some(is)) if same(was, is) => {
                unchanged += 1;
                continue;
            }
            // The newest file is bad: the cluster stays on the last good one, and the problems say so.
            (Some(was), None) if broken.contains(&was.path) || hidden => {
                worst = worst.max(Exit::Found);
                refused(was)
            }
            (Some(was), None) => removed(was),
            (was, Some(is)) => {
                let (item, exit) = planned(place, now, was, is);
                worst = worst.max(exit);
                item
            }
            (None, None) => continue,
        };
        items.push(item);
    }
    (items, worst, unchanged)
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

fn planned(place: &Place, now: Timestamp, was: Option<&ClusterSpec>, is: &ClusterSpec) -> (PlannedCluster, Exit) {
    let read = facts(place, &is.path);
    let desired = &is.desired;
    let mut warnings: BTreeSet<String> = is.warnings.iter().map(|w| w.message.clone()).collect();
    warnings.extend(read.as_ref().err().map(|why| format!("its facts cannot be read: {}; {}", why.what, why.todo)));
    let facts = read.as_ref().ok().and_then(Option::as_ref);
    let (mut nodes, mut stops, mut done) = (Vec::new(), false, true);
    for node in &desired.nodes {
        let build = facts.and_then(|f| f.observed.nodes.get(node)).and_then(|n| n.build.known());
        let what = match build {
            None if read.is_err() => "it may have been observed; it is checked before anything begins".to_owned(),
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
        done &= build.is_some_and(|build| desired.target.standing(*build) == Standing::OnTarget);
        nodes.push(PlannedNode { name: node.to_string(), build: build.map_or("unknown".to_owned(), ToString::to_string), what });
    }
    if let Some(open) = facts.and_then(|f| f.ledger.out.as_ref()) {
        warnings.insert(format!("{} is out just now; it is finished or brought back first", open.node.name));
    }
    // One that is over says nothing any more.
    let suspend = desired.suspend.as_ref().filter(|s| s.until.is_none_or(|until| now < until));
    warnings.extend(suspend.map(|suspend| format!("suspended: {}", differs::suspended(suspend))));
    // Nothing begins in a cluster that is held, nor where nothing is left to do, nor before a suspension ends.
    let from = suspend.map_or(Some(now), |suspend| suspend.until).filter(|_| !stops && !done);
    let opens = from.and_then(|from| desired.maintenance.windows.next_open(from));
    if from.is_some() && opens.is_none() {
        warnings.insert("no window opens within 13 months".to_owned());
    }
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
    let exit = if stops { Exit::Found } else { Exit::Fine };
    (item, read.err().map(|why| why.exit).filter(|exit| *exit != Exit::Found).map_or(exit, |worse| worse.max(exit)))
}

fn held(why: NoRoute) -> String {
    format!("the cluster would be held: {why}")
}

/// The cluster's facts, if a controller has written some. Facts that cannot be read are no reason not to plan.
fn facts(place: &Place, path: &str) -> Result<Option<Facts>, Failure> {
    let Some(tip) = place.status else { return Ok(None) };
    let (mirror, home) = (place.status_mirror(), folder(path));
    match mirror.identity(tip, &format!("{home}/{FACTS_FILE}")) {
        Ok(None) => Ok(None),
        Ok(Some(_)) | Err(_) => branch::facts(mirror, tip, home).map(Some),
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
    let now = context.clock.now();
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
    item.opens.iter().for_each(|opens| context.output.say(&format!("  work could begin at {}", short_time(now, opens))));
    item.warnings.iter().for_each(|w| context.output.say(&format!("  mind: {w}")));
    context.output.say("");
}
