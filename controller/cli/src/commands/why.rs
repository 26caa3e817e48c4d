//! `drydock why`: what a cluster wants, where it stands, what stands in its way, what to do, whom to call. In plain words.

use super::status::{ago, found as needs_a_look, short_time};
use crate::Context;
use crate::args::Why;
use crate::branch::{self, unreadable};
use crate::exit::{Exit, Failure};
use crate::output::Paint;
use crate::place::Place;
use drydock_git::{Mirror, Oid};
use drydock_model::plan::{Decision, WaitingOn};
use drydock_model::time::Timestamp;
use drydock_spec::wire::condition::{ConditionKind, Truth};
use drydock_spec::wire::message::{self, short};
use drydock_spec::wire::status::{ClusterStatus, Node, is_of_a_file};
use drydock_spec::wire::words::{self, Said};
use drydock_spec::wire::{instant, one_line, rfc3339};

/// Characters of a line.
const MOST: usize = 400;
/// Commits that are looked at for words: whoever waits for one said it not long ago.
const MOST_COMMITS: usize = 10_000;

pub(super) fn run(args: &Why, context: &mut Context) -> Result<Exit, Failure> {
    let place = Place::open(context, &args.repository)?;
    let found = branch::find(&place, &args.cluster)?.readable()?;
    let facts = branch::facts(place.status_mirror(), found.tip, &found.folder)?;
    place.note(context);
    let status = ClusterStatus::of(&facts);
    let wanted = &facts.wanted;
    let now = context.clock.now();
    let mut lines = vec![
        row("wants", &format!("every node on {}, says {} of {}", status.status.target, wanted.path, short(wanted.revision.as_str()))),
        row("stands", &status.status.summary),
    ];
    lines.extend(status.status.nodes.iter().map(|n| row("", &node(n))));
    lines.push(row("blocker", &blocker(&status)));
    lines.push(row("next", &next(&status, now)));
    lines.push(row("to do", &todo(&status, &facts.decision)));
    lines.push(row("call", &call(wanted.desired.contact.as_deref(), wanted.desired.change.as_deref())));
    lines.extend(status.status.warnings.iter().map(|w| row("mind", w)));
    lines.extend(unheard(place.status_mirror(), found.tip, &args.cluster, now)?.iter().map(|said| row("said", said)));
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
    Ok(place.exit(if held { Exit::Found } else { Exit::Fine }))
}

/// Words to this cluster since its newest entry: an entry takes in every word that came before it and counts. A word that never counts stays in sight until then.
fn unheard(mirror: &Mirror, tip: Oid, cluster: &str, now: Timestamp) -> Result<Vec<String>, Failure> {
    let mut said = Vec::new();
    for id in mirror.walk(tip, None, MOST_COMMITS).map_err(|e| unreadable(&e))?.commits {
        let commit = mirror.commit(id).map_err(|e| unreadable(&e))?;
        let what = match words::parse(&commit.message) {
            Ok(Some(Said::Cluster { cluster: to, word })) if to.as_str() == cluster => {
                // As it was said to the person, but for the cluster's name.
                let words = Said::Cluster { cluster: to, word }.to_string();
                words.strip_prefix(&format!("{cluster}: ")).unwrap_or(&words).to_owned()
            }
            Ok(Some(Said::ClockEverywhere { .. })) => "the clock is right as it is, everywhere".to_owned(),
            Ok(None) if message::parse(&commit.message).is_some_and(|trailers| trailers.cluster.as_deref() == Some(cluster)) => break,
            Ok(_) | Err(_) => continue,
        };
        let (by, at) = (&commit.committer.name, rfc3339(Timestamp(commit.committer.seconds.saturating_mul(1_000))));
        said.push(format!(
            "{what} ({by}, {}, commit {}); no entry has taken it in yet: that needs a controller that runs and whose allowedSigners.persons has its key",
            ago(now, &at),
            short(&id.to_string())
        ));
    }
    said.reverse();
    Ok(said)
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

fn next(status: &ClusterStatus, now: Timestamp) -> String {
    match &status.status.next_action.at {
        Some(at) => format!("{}, {}", status.status.next_action.what, short_time(now, at)),
        None => status.status.next_action.what.clone(),
    }
}

fn todo(status: &ClusterStatus, decision: &Decision) -> String {
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
        (None, None) if is(ConditionKind::Reconciling).is_some() => match decision {
            Decision::Wait(on, _) => meanwhile(on, &status.metadata.name),
            Decision::Converged
            | Decision::Fence(_)
            | Decision::Meet(_)
            | Decision::Open(_)
            | Decision::Cancel(_)
            | Decision::Perform(_)
            | Decision::Close { .. }
            | Decision::Hold(_) => BY_ITSELF.to_owned(),
        },
        (None, None) => LET_GO.to_owned(),
    }
}

const BY_ITSELF: &str = "nothing; it goes on by itself";
const LET_GO: &str = "whoever stopped it lets it go on: remove `suspend`, the stop file or the stop mark";

/// What a person does about what is waited for: much of it does not come by itself.
fn meanwhile(on: &WaitingOn, cluster: &str) -> String {
    match on {
        WaitingOn::StepRunning { .. }
        | WaitingOn::Soak { .. }
        | WaitingOn::Backoff { .. }
        | WaitingOn::WindowOpens(Some(_))
        | WaitingOn::WindowTooShort { opens: Some(_), .. } => BY_ITSELF.to_owned(),
        WaitingOn::Ledger(_) | WaitingOn::Remote(_) => {
            "if it stays: the controller's log says what keeps it from the status branch".to_owned()
        }
        WaitingOn::Answer { .. } | WaitingOn::ClusterAnswer { .. } => {
            format!("if it stays: drydock doctor {cluster} --config FILE says where it stops")
        }
        WaitingOn::WindowOpens(None) => "give the file a maintenance window that opens".to_owned(),
        WaitingOn::WindowTooShort { needed, opens: None } => format!("give the file a maintenance window of at least {needed}"),
        WaitingOn::StorageRepair(_) => {
            "if it does not get better by itself: mend what the blocker names; Get-StorageJob on a node shows repairs".to_owned()
        }
        WaitingOn::NotUp { node, .. } => format!("if nobody is at work there: see why {node} is not in service, and bring it back"),
        WaitingOn::Quorum { without, .. } => format!("mend what the blocker names, so that the cluster can do without {without}"),
        WaitingOn::Room { node } => format!("make room for the roles of {node} on the other nodes: move or stop some, or add memory"),
        WaitingOn::RolesRunning { .. } => "shut the roles down, or write `workload: LiveMigrate` in the file".to_owned(),
        WaitingOn::Clocks { .. } => "set the clocks by one source: the controller's and every node's".to_owned(),
        WaitingOn::Servicing { node } => format!("let the servicing on {node} end; if a restart is pending there, restart it as usual"),
        WaitingOn::Suspended { .. } | WaitingOn::StopFile(_) | WaitingOn::StopMark { .. } => LET_GO.to_owned(),
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
