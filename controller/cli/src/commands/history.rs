//! `drydock history`: what was done to a cluster, from the messages of the status branch alone. What a commit says of its author anybody may write;
//! with `--allowed-signers` its signature tells.

use super::status::short_time;
use super::{API_VERSION, say_json};
use crate::Context;
use crate::args::{Form, History};
use crate::branch::{self, Damaged, Found, unreadable};
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::setup::allowed;
use crate::table::{cell, table};
use drydock_git::{AllowedKeys, CommitFacts, Mirror, Oid, Unreadable};
use drydock_model::time::Timestamp;
use drydock_spec::wire::answer::{HistoryAnswer, HistoryItem};
use drydock_spec::wire::config::Signer;
use drydock_spec::wire::message::{self, Trailers, short};
use drydock_spec::wire::{one_line, rfc3339};

/// Commits that are looked at. A fleet of 1,000 clusters writes some 100,000 for one upgrade of all.
const MOST_COMMITS: usize = 500_000;
/// Said of a commit that none of the given keys signed.
const NOBODY: &str = "nobody known";
/// Characters of a subject.
const MOST: usize = 160;

pub(super) fn run(args: &History, context: &mut Context) -> Result<Exit, Failure> {
    let place = Place::open(context, &args.repository)?;
    let Found { tip, folder, damaged } = branch::find(&place, &args.cluster)?;
    let mirror = place.status_mirror();
    let walk = mirror.walk(tip, None, MOST_COMMITS).map_err(|e| unreadable(&e))?;
    let wanted = usize::try_from(args.number).unwrap_or(usize::MAX);
    let keys = keys(args, context)?;
    let (mut items, mut more) = (Vec::new(), walk.more);
    let mut looked = Looked { mirror, folder: &folder, last: None };
    for id in walk.commits {
        let commit = mirror.commit(id).map_err(|e| unreadable(&e))?;
        if let Some(item) = item(&mut looked, &commit, &args.cluster)? {
            if items.len() == wanted {
                more = true;
                break;
            }
            let signed_by = keys.as_ref().map(|keys| mirror.verify(id, keys).unwrap_or_else(|_| NOBODY.to_owned()));
            items.push(HistoryItem { signed_by, ..item });
        }
    }
    place.note(context);
    if let Some(damaged) = &damaged {
        context.output.note(&format!("cannot be read: {damaged}"));
    }
    let unsigned = items.iter().any(|item| item.signed_by.as_deref() == Some(NOBODY));
    match args.output {
        Form::Json => {
            let kind = "ClusterHistory".to_owned();
            let answer = HistoryAnswer { api_version: API_VERSION.to_owned(), kind, cluster: args.cluster.clone(), items, more };
            say_json(context, &answer)?;
        }
        Form::Text => {
            let mine = format!("{}: ", args.cluster);
            let now = context.clock.now();
            let row = |item: &HistoryItem| {
                let mut row = vec![cell(short_time(now, &item.at)), cell(short(&item.commit)), cell(&item.by)];
                row.extend(item.signed_by.as_ref().map(cell));
                let what = item.subject.strip_prefix(&mine).unwrap_or(&item.subject);
                row.push(cell(item.reason.as_ref().map_or_else(|| what.to_owned(), |reason| format!("{what}: {reason}"))));
                row
            };
            let rows: Vec<_> = items.iter().map(row).collect();
            let heading: &[&str] = match keys {
                Some(_) => &["AT", "COMMIT", "BY", "SIGNED BY", "WHAT"],
                None => &["AT", "COMMIT", "BY", "WHAT"],
            };
            let text = table(&context.output, heading, &rows);
            context.output.write(&text);
            if more {
                context.output.note(&format!("older ones are left out; see more with -n {}", args.number.saturating_mul(5).min(10_000)));
            }
        }
    }
    let worst = place.exit(damaged.as_ref().map_or(Exit::Fine, Damaged::exit));
    Ok(if unsigned { worst.max(Exit::Found) } else { worst })
}

/// Keys that were given to check signatures with.
fn keys(args: &History, context: &Context) -> Result<Option<AllowedKeys>, Failure> {
    let files: Vec<Signer> = args.allowed_signers.iter().map(|file| Signer::File(context.directory.join(file))).collect();
    if files.is_empty() { Ok(None) } else { allowed(&files, "key").map(Some) }
}

/// What a folder was, from commit to commit.
struct Looked<'a> {
    mirror: &'a Mirror,
    folder: &'a str,
    /// The commit before the last one that was asked for: mostly the next one, as branches are walked backwards.
    last: Option<(Oid, Option<Oid>)>,
}

impl Looked<'_> {
    fn at(&self, commit: Oid) -> Result<Option<Oid>, Failure> {
        match self.mirror.identity(commit, self.folder) {
            Ok(identity) => Ok(identity),
            // A link or another repository where a folder on the way should be: the folder is not there.
            Err(Unreadable::Symlink(_) | Unreadable::Submodule(_)) => Ok(None),
            Err(e) => Err(unreadable(&e)),
        }
    }

    /// Whether a commit changed something in the folder.
    fn touched(&mut self, commit: &CommitFacts) -> Result<bool, Failure> {
        let is = match self.last.take() {
            Some((id, identity)) if id == commit.id => identity,
            Some(_) | None => self.at(commit.id)?,
        };
        let Some(before) = commit.parents.first().copied() else { return Ok(is.is_some()) };
        let was = self.at(before)?;
        self.last = Some((before, was));
        Ok(is != was)
    }
}

/// A commit as an item, if it is about the cluster: its own entries, words and claims for all, and whatever else touched its folder, whatever it says of
/// itself.
fn item(looked: &mut Looked<'_>, commit: &CommitFacts, cluster: &str) -> Result<Option<HistoryItem>, Failure> {
    let subject = one_line(commit.message.lines().next().unwrap_or_default(), MOST);
    let (subject, trailers) = match message::parse(&commit.message) {
        Some(trailers) if trailers.cluster.as_deref().is_none_or(|c| c == cluster) => (subject, trailers),
        _ if !looked.touched(commit)? => return Ok(None),
        Some(_) => (format!("in another cluster's name, and touches this one's folder: {subject}"), Trailers::default()),
        None => (format!("not written by Drydock: {subject}"), Trailers::default()),
    };
    Ok(Some(HistoryItem {
        commit: commit.id.to_string(),
        at: rfc3339(Timestamp(commit.committer.seconds.saturating_mul(1_000))),
        by: one_line(&commit.committer.name, 60),
        signed_by: None,
        subject,
        node: trailers.node,
        step: trailers.step,
        entry: trailers.entry,
        attempt: trailers.attempt,
        outcome: trailers.outcome,
        spec_revision: trailers.spec_revision,
        word: trailers.word,
        reason: trailers.reason,
    }))
}
