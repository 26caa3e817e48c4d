//! `drydock status`: how clusters stand, from the status branch alone.

use super::{API_VERSION, say_json};
use crate::Context;
use crate::args::{Status, StatusForm};
use crate::branch::{self, Damaged};
use crate::exit::{Exit, Failure};
use crate::output::Paint;
use crate::place::{Place, text_of};
use crate::table::{Cell, cell, last, painted, table};
use drydock_git::Oid;
use drydock_model::time::{Millis, Timestamp};
use drydock_spec::wire::answer::StatusAnswer;
use drydock_spec::wire::condition::{ConditionKind, Truth};
use drydock_spec::wire::status::ClusterStatus;
use drydock_spec::wire::{instant, rfc3339};

/// How often the remote is asked while watching: people do not read faster, and forges bear it.
const WATCH: Millis = Millis::seconds(2);

pub(super) fn run(args: &Status, context: &mut Context) -> Result<Exit, Failure> {
    let mut place = Place::open(context, &args.repository)?;
    let mut exit = show(args, context, &place)?;
    if !args.watch {
        return Ok(exit);
    }
    let mut shown = (place.status, place.stale.clone(), place.missing(), None);
    // Ends with the reader, or with the process: whoever watches wants to see it come back, too.
    while !context.output.closed() && context.clock.sleep(WATCH) {
        let trouble = place.refresh().err();
        let now = (place.status, place.stale.clone(), place.missing(), trouble.as_ref().map(|t| t.what.clone()));
        // On a terminal the ages go on while nothing else does.
        let redraw = context.output.on_terminal();
        if now == shown && !redraw {
            continue;
        }
        if redraw {
            context.output.write("\u{1b}[H\u{1b}[J");
        } else {
            context.output.say("");
        }
        let troubles = [show(args, context, &place).map(|seen| exit = seen).err(), trouble];
        for trouble in troubles.into_iter().flatten() {
            context.output.complain(&trouble);
            exit = trouble.exit;
        }
        shown = now;
    }
    Ok(exit)
}

fn show(args: &Status, context: &mut Context, place: &Place) -> Result<Exit, Failure> {
    let tip = place.tip()?;
    let (items, unreadable) = read(args, place, tip)?;
    place.note(context);
    let held = place.exit(if items.iter().any(found) { Exit::Found } else { Exit::Fine });
    let exit = unreadable.iter().map(Damaged::exit).fold(held, Exit::max);
    match args.output {
        StatusForm::Json => {
            let answer = StatusAnswer {
                api_version: API_VERSION.to_owned(),
                kind: "ClusterStatusList".to_owned(),
                branch: place.branch.to_string(),
                commit: text_of(Some(tip)),
                stale: place.stale.clone(),
                items,
                unreadable: unreadable.iter().map(Damaged::to_string).collect(),
            };
            say_json(context, &answer)?;
            return Ok(exit);
        }
        StatusForm::Yaml => items.iter().for_each(|item| context.output.write(&format!("---\n{}", item.encode()))),
        StatusForm::Table | StatusForm::Wide if items.is_empty() && !unreadable.is_empty() => {}
        StatusForm::Table | StatusForm::Wide if items.is_empty() => context.output.say("no cluster has a status yet"),
        StatusForm::Table => clusters(context, &items),
        StatusForm::Wide => {
            clusters(context, &items);
            context.output.say("");
            nodes(context, &items);
        }
    }
    unreadable.iter().for_each(|u| context.output.note(&format!("cannot be read: {u}")));
    Ok(exit)
}

fn read(args: &Status, place: &Place, tip: Oid) -> Result<(Vec<ClusterStatus>, Vec<Damaged>), Failure> {
    let mirror = place.status_mirror();
    let (mut items, mut unreadable) = (Vec::new(), Vec::new());
    for folder in branch::folders(mirror, tip)? {
        match branch::status(mirror, tip, &folder) {
            Ok(status) if args.clusters.is_empty() || args.clusters.contains(&status.metadata.name) => items.push(status),
            Ok(_) => {}
            Err(damaged) => unreadable.push(damaged),
        }
    }
    for asked in &args.clusters {
        if !items.iter().any(|i| i.metadata.name == *asked) {
            // Says which there are, when there is no such cluster at all.
            branch::find(place, asked)?;
        }
    }
    if !args.clusters.is_empty() {
        unreadable.retain(|damaged| args.clusters.iter().any(|asked| asked == damaged.cluster()));
    }
    Ok((items, unreadable))
}

pub(super) fn needs_a_person(item: &ClusterStatus) -> bool {
    answer(item, ConditionKind::Stalled) == Some(Truth::True)
}

/// Whether something was found that a person should look at: also what keeps the newest revision out while the cluster goes on.
pub(super) fn found(item: &ClusterStatus) -> bool {
    needs_a_person(item) || item.status.problem.is_some()
}

fn answer(item: &ClusterStatus, kind: ConditionKind) -> Option<Truth> {
    item.status.conditions.iter().find(|c| c.kind == kind).map(|c| c.status)
}

fn clusters(context: &mut Context, items: &[ClusterStatus]) {
    let now = context.clock.now();
    let rows: Vec<Vec<Cell>> = items
        .iter()
        .map(|item| {
            let ready = answer(item, ConditionKind::Ready).unwrap_or(Truth::Unknown);
            let paint = match ready {
                Truth::True => Paint::Green,
                Truth::False | Truth::Unknown if found(item) => Paint::Red,
                Truth::False | Truth::Unknown => Paint::Yellow,
            };
            let done = item.status.nodes.iter().filter(|n| n.phase == "Done").count();
            let window = &item.status.window;
            let window = match (&window.closes, &window.opens) {
                (Some(closes), _) => format!("until {}", short_time(now, closes)),
                (None, Some(opens)) => format!("opens {}", short_time(now, opens)),
                (None, None) => "always open".to_owned(),
            };
            vec![
                cell(&item.metadata.name),
                painted(ready.to_string(), paint),
                cell(item.status.target.split(' ').next().unwrap_or_default()),
                cell(format!("{done}/{}", item.status.nodes.len())),
                cell(window),
                cell(ago(now, &item.status.observed.to)),
                last(state(item), paint),
            ]
        })
        .collect();
    let text = table(&context.output, &["CLUSTER", "READY", "TARGET", "DONE", "WINDOW", "SEEN", "STATE"], &rows);
    context.output.write(&text);
}

/// What is going on, in one cell. What keeps the newest revision out is named before anything that is only waited for.
fn state(item: &ClusterStatus) -> String {
    let blockers = item.status.next_action.blocked_by.as_slice();
    let (refused, blockers) = match (&item.status.problem, blockers) {
        // It is the last of them.
        (Some(_), [refused]) if item.status.hold.is_none() && item.status.next_action.what == "nothing" => return refused.clone(),
        (Some(_), [others @ .., refused]) => (format!("{refused}; "), others),
        (Some(_), []) | (None, _) => (String::new(), blockers),
    };
    let goes_on = match (&item.status.hold, blockers) {
        (Some(hold), _) => return format!("HELD: {}", hold.message),
        (None, [blocker]) => format!("waits for {blocker}"),
        (None, [blocker, more @ ..]) => format!("waits for {blocker}, and {} more", more.len()),
        (None, []) if answer(item, ConditionKind::Ready) == Some(Truth::True) => "converged".to_owned(),
        (None, []) => item.status.next_action.what.clone(),
    };
    format!("{refused}{goes_on}")
}

fn nodes(context: &mut Context, items: &[ClusterStatus]) {
    let now = context.clock.now();
    let mut rows = Vec::new();
    for item in items {
        for node in &item.status.nodes {
            let paint = match node.phase.as_str() {
                "Done" => Paint::Green,
                "Failed" | "Held" => Paint::Red,
                "Working" | "Settling" => Paint::Yellow,
                _ => Paint::Plain,
            };
            rows.push(vec![
                cell(&item.metadata.name),
                cell(&node.name),
                cell(&node.build),
                painted(&node.phase, paint),
                cell(node.step.as_deref().unwrap_or("-")),
                cell(node.since.as_deref().map_or("-".to_owned(), |s| ago(now, s).trim_end_matches(" ago").to_owned())),
                cell(node.percent.map_or("-".to_owned(), |p| format!("{p} %"))),
                cell(ago(now, &node.observed_to)),
                cell(&node.detail),
            ]);
        }
    }
    let heading = ["CLUSTER", "NODE", "BUILD", "PHASE", "STEP", "SINCE", "SHARE", "SEEN", "DETAIL"];
    let text = table(&context.output, &heading, &rows);
    context.output.write(&text);
}

/// `2026-11-24T04:00:00Z` as `11-24 04:00Z`; of another year with it.
pub(super) fn short_time(now: Timestamp, text: &str) -> String {
    let day = if text.get(..4) == rfc3339(now).get(..4) { text.get(5..10) } else { text.get(..10) };
    match (instant(text), day, text.get(11..16)) {
        (Some(_), Some(day), Some(time)) => format!("{day} {time}Z"),
        (_, _, _) => text.to_owned(),
    }
}

/// `3m ago`; the time itself where our clock is behind it; what is no instant as it is.
pub(super) fn ago(now: Timestamp, text: &str) -> String {
    match instant(text) {
        Some(at) if at > now => short_time(now, text),
        Some(at) => format!("{} ago", now.since(at)),
        None => text.to_owned(),
    }
}
