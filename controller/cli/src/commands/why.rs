//! `drydock why`: what a cluster wants, where it stands, what stands in its way, what to do, whom to call. In plain words.

use super::status::{ago, found as needs_a_look, short_time};
use crate::Context;
use crate::args::Why;
use crate::branch;
use crate::exit::{Exit, Failure};
use crate::output::Paint;
use crate::place::Place;
use drydock_spec::wire::condition::{ConditionKind, Truth};
use drydock_spec::wire::message::short;
use drydock_spec::wire::status::{ClusterStatus, Node, is_of_a_file};
use drydock_spec::wire::{instant, one_line};

/// Characters of a line.
const MOST: usize = 400;

pub(super) fn run(args: &Why, context: &mut Context) -> Result<Exit, Failure> {
    let place = Place::open(context, &args.repository)?;
    let found = branch::find(&place, &args.cluster)?.readable()?;
    let facts = branch::facts(place.status_mirror(), found.tip, &found.folder)?;
    place.note(context);
    let status = ClusterStatus::of(&facts);
    let wanted = &facts.wanted;
    let mut lines = vec![
        row("wants", &format!("every node on {}, says {} of {}", status.status.target, wanted.path, short(wanted.revision.as_str()))),
        row("stands", &status.status.summary),
    ];
    lines.extend(status.status.nodes.iter().map(|n| row("", &node(n))));
    lines.push(row("blocker", &blocker(&status)));
    lines.push(row("next", &next(&status)));
    lines.push(row("to do", &todo(&status)));
    lines.push(row("call", &call(wanted.desired.contact.as_deref(), wanted.desired.change.as_deref())));
    lines.extend(status.status.warnings.iter().map(|w| row("mind", w)));
    let now = context.clock.now();
    let seen = &status.status.observed.to;
    let age = if instant(seen).is_some_and(|at| at > now) { "ahead of this machine's clock".to_owned() } else { ago(now, seen) };
    lines.push(row("seen", &format!("{seen} ({age})")));
    let held = needs_a_look(&status);
    let title = context.output.paint(&status.metadata.name, if held { Paint::Red } else { Paint::Plain });
    context.output.say(&title);
    lines.iter().for_each(|l| context.output.say(l));
    if let Some(problem) = &status.status.problem {
        context.output.say(&format!("\n{problem}"));
    }
    Ok(if held { Exit::Found } else { Exit::Fine })
}

fn row(head: &str, text: &str) -> String {
    format!("  {head:<8}{}", one_line(text, MOST))
}

fn node(node: &Node) -> String {
    let step = node.step.as_ref().map_or(String::new(), |s| format!(" {s}"));
    let gap = node.gap.as_ref().map_or(String::new(), |g| format!(" ({g})"));
    format!("{} runs {}{gap}, {}{step}: {}", node.name, node.build, node.phase, node.detail)
}

fn blocker(status: &ClusterStatus) -> String {
    match status.status.next_action.blocked_by.as_slice() {
        [] => "none".to_owned(),
        blockers => blockers.join("; "),
    }
}

fn next(status: &ClusterStatus) -> String {
    match &status.status.next_action.at {
        Some(at) => format!("{}, {}", status.status.next_action.what, short_time(at)),
        None => status.status.next_action.what.clone(),
    }
}

fn todo(status: &ClusterStatus) -> String {
    let is = |kind| status.status.conditions.iter().find(|c| c.kind == kind && c.status == Truth::True);
    match (&status.status.hold, &status.status.problem) {
        (Some(hold), _) => return hold.way_out.clone(),
        (None, Some(problem)) if is_of_a_file(problem) => {
            return "mend the file in a pull request; drydock plan shows before merging whether it counts".to_owned();
        }
        (None, Some(_)) => return "what keeps the newest revision out stands below, with the way out".to_owned(),
        (None, None) => {}
    }
    match (is(ConditionKind::Stalled), is(ConditionKind::Ready)) {
        (Some(stalled), _) => stalled.message.clone(),
        (None, Some(_)) => "nothing".to_owned(),
        (None, None) if is(ConditionKind::Reconciling).is_some() => "nothing; it goes on by itself".to_owned(),
        (None, None) => "whoever stopped it lets it go on: remove `suspend`, the stop file or the stop mark".to_owned(),
    }
}

fn call(contact: Option<&str>, change: Option<&str>) -> String {
    match (contact, change) {
        (Some(contact), Some(change)) => format!("{contact} (change {change})"),
        (Some(contact), None) => contact.to_owned(),
        (None, Some(change)) => format!("no contact is given in the file (change {change})"),
        (None, None) => "no contact is given in the file; set spec.contact".to_owned(),
    }
}
