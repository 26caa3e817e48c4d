//! The commit of one entry: a line that a person understands, a few sentences, and trailers, so that `git log` alone is the audit.
//!
//! The trailers are the message's last paragraph. Every value stands on one line and cannot end it.

use super::facts::Facts;
use super::{SCHEMA, one_line, rfc3339};
use drydock_model::ids::EntryId;
use drydock_model::ledger::{Event, Intent, Ledger, Outcome, Word};
use drydock_model::plan::{Decision, WaitingOn};

/// Characters of a subject: what `git log --oneline` shows on a usual terminal, beside the hash.
const MOST_SUBJECT: usize = 100;
/// Characters of any other line.
const MOST_LINE: usize = 300;
/// Bytes of a message that is parsed; ours have less than a tenth of it.
const MOST_BYTES: usize = 64 << 10;
/// Trailers of a message that are read; ours have eleven at most.
const MOST_TRAILERS: usize = 32;

/// The trailers of one commit of the status branch, as text; absent ones are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trailers {
    /// Whose entry.
    pub cluster: Option<String>,
    /// About which node.
    pub node: Option<String>,
    /// Which step.
    pub step: Option<String>,
    /// The entry's name.
    pub entry: Option<String>,
    /// Which attempt.
    pub attempt: Option<String>,
    /// What happened: `Opened`, `Done`, `Failed: …`, `Wait/…`.
    pub outcome: Option<String>,
    /// The revision that was in force.
    pub spec_revision: Option<String>,
    /// The observation's first question,
    pub observed_from: Option<String>,
    /// and its last answer.
    pub observed_to: Option<String>,
    /// The schema of the facts beside it.
    pub schema: Option<String>,
    /// A person's word: `retry`, `gone`, `clock`, `accept`, `accept-status`.
    pub word: Option<String>,
    /// Why the person said so.
    pub reason: Option<String>,
    /// The commit or revision that the word names.
    pub commit: Option<String>,
}

/// The message of an entry.
pub fn message(facts: &Facts) -> String {
    // That nothing is left goes without saying where every node has just been seen on the target.
    let applied = facts.events.iter().any(|e| matches!(e, Event::Applied { .. }));
    let said = |e: &&Event| !(applied && matches!(e, Event::Noted { .. }));
    let mut told: Vec<Told<'_>> = facts.events.iter().filter(said).map(|e| tell(facts, e)).collect();
    // The event that names a step says what the entry is about; a note or a new revision beside it is context.
    told.sort_by_key(|t| t.intent.is_none());
    let subject = match told.as_slice() {
        [] => "nothing happened".to_owned(),
        [one] => one.text.clone(),
        many => many.iter().map(|t| t.text.as_str()).collect::<Vec<_>>().join("; "),
    };
    let mut text = format!("{}\n\n", one_line(&format!("{}: {subject}", facts.cluster), MOST_SUBJECT));
    let mut say = |line: String| {
        text.push_str(&one_line(&line, MOST_LINE));
        text.push('\n');
    };
    if told.len() > 1 || subject.chars().count() > MOST_SUBJECT {
        told.iter().for_each(|t| say(format!("- {}", t.text)));
    }
    say(format!("Next: {}", facts.report.next));
    facts.report.blocked_by.iter().for_each(|b| say(format!("Blocked by: {b}")));
    text.push('\n');
    text.push_str(&trailers(facts, told.first()));
    text
}

/// One event in words.
struct Told<'a> {
    text: String,
    outcome: String,
    intent: Option<&'a Intent>,
}

fn tell<'a>(facts: &'a Facts, event: &'a Event) -> Told<'a> {
    let plain = |text: String, outcome: &str| Told { text, outcome: outcome.to_owned(), intent: None };
    match event {
        Event::Claimed { epoch } => plain(format!("claim {}", epoch.number), "Claimed"),
        Event::Met(ids) => plain(format!("met {}", ids.iter().map(|id| id.name.as_str()).collect::<Vec<_>>().join(", ")), "Met"),
        Event::Opened(intent) => Told {
            text: format!("{} {} opened{}", intent.node.name, intent.step, again(&facts.ledger, intent)),
            outcome: "Opened".to_owned(),
            intent: Some(intent),
        },
        Event::Cancelled(entry) => {
            let intent = named(&facts.ledger, entry);
            Told { text: format!("{} to be cancelled", subject_of(entry, intent)), outcome: "Cancelled".to_owned(), intent }
        }
        Event::Closed { entry, outcome, .. } => {
            let intent = named(&facts.ledger, entry);
            Told { text: format!("{} {}", subject_of(entry, intent), ended(outcome)), outcome: outcome.to_string(), intent }
        }
        Event::Noted { state } => plain(noted(&facts.decision), state),
        Event::Applied { .. } => plain(format!("every node runs {}", facts.wanted.desired.target), "Applied"),
        Event::Read(revision) => plain(format!("{} wanted since {}", facts.wanted.desired.target, short(revision.as_str())), "Read"),
        Event::Refused { problem: Some(why) } => plain(format!("what stands on the branch does not count: {why}"), "Refused"),
        Event::Refused { problem: None } => plain("what stands on the branch counts again".to_owned(), "Counts"),
        Event::Word(Word::Retry { node, reason }) => plain(format!("{node} gets fresh attempts: {reason}"), "Word"),
        Event::Word(Word::Gone { node, reason }) => plain(format!("{node} is gone for good: {reason}"), "Word"),
        Event::Word(Word::Clock { reason }) => plain(format!("the clock is right as it is: {reason}"), "Word"),
    }
}

/// Which attempt it is since a person, or another release, allowed fresh ones; numbers themselves never repeat on a machine.
fn again(ledger: &Ledger, intent: &Intent) -> String {
    let first = ledger.attempts.get(&intent.node.name).map_or(1, |a| a.first);
    match intent.attempt.saturating_sub(first) {
        0 => String::new(),
        before => format!(", attempt {}", before + 1),
    }
}

/// The intent of that name, if it is still remembered.
fn named<'a>(ledger: &'a Ledger, entry: &EntryId) -> Option<&'a Intent> {
    ledger.last.as_ref().filter(|i| i.entry == *entry || i.cancel_entry().as_ref() == Some(entry))
}

fn subject_of(entry: &EntryId, intent: Option<&Intent>) -> String {
    match intent {
        Some(intent) => format!("{} {}", intent.node.name, intent.step),
        None => format!("entry {}", entry.place),
    }
}

fn ended(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Abandoned(why) => format!("not begun: {why}"),
        Outcome::Failed(why) => format!("failed: {why}"),
        Outcome::Superseded => "gives way to the way back".to_owned(),
        Outcome::Inherited => "taken over from the controller before".to_owned(),
    }
}

fn noted(decision: &Decision) -> String {
    match decision {
        Decision::Converged => "nothing left to do".to_owned(),
        Decision::Wait(WaitingOn::StepRunning { node, step, percent: Some(percent) }, _) => format!("{node} {step} at work, {percent} %"),
        Decision::Wait(WaitingOn::StepRunning { node, step, percent: None }, _) => format!("{node} {step} at work"),
        Decision::Wait(on, _) => format!("waits for {on}"),
        Decision::Hold(why) => format!("HELD: {why}"),
        Decision::Fence(_) => "fences to be raised".to_owned(),
        Decision::Meet(_) => "nodes to be met".to_owned(),
        Decision::Open(intent) => format!("{} {} to be opened", intent.node.name, intent.step),
        Decision::Cancel(_) => "a step to be cancelled".to_owned(),
        Decision::Perform(orders) => match orders.first() {
            Some(order) => {
                format!("{} to be sent", order.step_of().map_or(order.node.name.to_string(), |s| format!("{s} for {}", order.node.name)))
            }
            None => "nothing to be sent".to_owned(),
        },
        Decision::Close { entry, .. } => format!("entry {} to be closed", entry.place),
    }
}

fn trailers(facts: &Facts, main: Option<&Told<'_>>) -> String {
    let intent = main.and_then(|t| t.intent);
    let rows = [
        ("Cluster", Some(facts.cluster.to_string())),
        ("Node", intent.map(|i| i.node.name.to_string())),
        ("Step", intent.map(|i| i.step.to_string())),
        ("Entry", intent.map(|i| i.entry.place.to_string())),
        ("Attempt", intent.map(|i| i.attempt.to_string())),
        ("Outcome", main.map(|t| t.outcome.clone())),
        ("Spec-Revision", Some(facts.wanted.revision.to_string())),
        ("Observed-From", Some(rfc3339(facts.observed.span.from))),
        ("Observed-To", Some(rfc3339(facts.observed.span.to))),
        ("Schema", Some(SCHEMA.to_string())),
    ];
    write_trailers(&rows)
}

/// The rows that are there, one line each.
pub(super) fn write_trailers(rows: &[(&str, Option<String>)]) -> String {
    rows.iter().filter_map(|(key, value)| value.as_ref().map(|v| format!("{key}: {}\n", one_line(v, MOST_LINE)))).collect()
}

/// The message of the root commit that `drydock init` makes.
pub fn root_message(name: &str) -> String {
    format!(
        "{}\n\nThis branch is written by Drydock alone. People speak here with `drydock accept` and `drydock node`.\n\n{}",
        one_line(&format!("Status branch begun by {name}"), MOST_SUBJECT),
        write_trailers(&[("Outcome", Some("Begun".to_owned())), ("Schema", Some(SCHEMA.to_string()))])
    )
}

/// The message of what `drydock init --adopt` writes: every claim is above `number`, and what nodes remember of earlier ones holds nothing up (rule 26).
pub fn adopted_message(name: &str, number: u32) -> String {
    format!(
        "{}\n\nWhat nodes remember of claims up to that one, and this branch has not, holds no cluster any more.\n\n{}",
        one_line(&format!("Status branch adopted by {name}: every claim is above {number}"), MOST_SUBJECT),
        write_trailers(&[("Outcome", Some(format!("Adopted above {number}"))), ("Schema", Some(SCHEMA.to_string()))])
    )
}

/// The message of a claim.
pub fn claim_message(name: &str, epoch: &drydock_model::ids::Epoch) -> String {
    let entry = drydock_model::ids::Place { epoch: epoch.clone(), seq: 0 };
    format!(
        "{}\n\n{}",
        one_line(&format!("Claim {} by controller {name}", epoch.number), MOST_SUBJECT),
        write_trailers(&[
            ("Entry", Some(entry.to_string())),
            ("Outcome", Some("Claimed".to_owned())),
            ("Schema", Some(SCHEMA.to_string()))
        ])
    )
}

/// The trailers of a message; `None` when its last paragraph is not made of our trailers alone, each at most once.
pub fn parse(message: &str) -> Option<Trailers> {
    if message.len() > MOST_BYTES {
        return None;
    }
    // The subject is never a trailer, so a message of one paragraph has none.
    let (_, last) = message.trim_end().rsplit_once("\n\n")?;
    let mut found = Trailers::default();
    for line in last.lines().take(MOST_TRAILERS + 1) {
        let (key, value) = line.split_once(": ")?;
        let slot = match key {
            "Cluster" => &mut found.cluster,
            "Node" => &mut found.node,
            "Step" => &mut found.step,
            "Entry" => &mut found.entry,
            "Attempt" => &mut found.attempt,
            "Outcome" => &mut found.outcome,
            "Spec-Revision" => &mut found.spec_revision,
            "Observed-From" => &mut found.observed_from,
            "Observed-To" => &mut found.observed_to,
            "Schema" => &mut found.schema,
            "Word" => &mut found.word,
            "Reason" => &mut found.reason,
            "Commit" => &mut found.commit,
            _ => return None,
        };
        if slot.replace(value.to_owned()).is_some() {
            return None;
        }
    }
    found.schema.is_some().then_some(found)
}

/// A commit's first characters, as people quote it.
pub fn short(revision: &str) -> &str {
    revision.get(..10).unwrap_or(revision)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use expect_test::{Expect, expect};

    fn check(facts: &Facts, expect: Expect) {
        expect.assert_eq(&message(facts));
    }

    #[test]
    fn an_opened_intent_is_told_with_node_step_and_entry() {
        check(
            &sample::opening(),
            expect![[r#"
            hospital-north: N02 Install opened

            Next: Install on N02

            Cluster: hospital-north
            Node: N02
            Step: Install
            Entry: 3.12e4567/9
            Attempt: 1
            Outcome: Opened
            Spec-Revision: 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d
            Observed-From: 2026-11-24T01:11:55Z
            Observed-To: 2026-11-24T01:12:00Z
            Schema: 1
        "#]],
        );
    }

    #[test]
    fn a_hold_is_loud_and_a_new_revision_beside_it_is_told_too() {
        check(
            &sample::held(),
            expect![[r#"
            hospital-north: N02 Restart failed: the node came back on its old build; 23H2 (25398.1611 or later)…

            - N02 Restart failed: the node came back on its old build
            - 23H2 (25398.1611 or later) wanted since 5f1c0d2e9b
            Next: nothing until a person acts
            Blocked by: N02 failed at Restart: the node came back on its old build

            Cluster: hospital-north
            Node: N02
            Step: Restart
            Entry: 3.12e4567/13
            Attempt: 1
            Outcome: Failed: the node came back on its old build
            Spec-Revision: 5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d
            Observed-From: 2026-11-24T01:11:55Z
            Observed-To: 2026-11-24T01:12:00Z
            Schema: 1
        "#]],
        );
    }

    #[test]
    fn a_cluster_that_reached_its_target_is_told_once() {
        let mut of = sample::transition_converged();
        of.events.push(Event::Noted { state: "Converged".to_owned() });
        let text = message(&Facts::new(of, None));
        assert!(text.starts_with("hospital-north: every node runs 23H2 (25398.1611 or later)\n\nNext: nothing\n\nCluster: "), "{text}");
        assert!(text.contains("\nOutcome: Applied\n"), "{text}");
    }

    #[test]
    fn what_was_written_is_read_back() {
        for facts in sample::all() {
            let text = message(&facts);
            let read = parse(&text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.cluster.as_deref(), Some(facts.cluster.as_str()));
            assert_eq!(read.spec_revision.as_deref(), Some(facts.wanted.revision.as_str()));
            assert!(text.lines().next().is_some_and(|l| l.chars().count() <= MOST_SUBJECT));
        }
    }

    #[test]
    fn nothing_from_outside_can_forge_a_trailer() {
        let mut of = sample::transition_installing();
        let evil = "x\n\nCluster: other\r\nOutcome: Done\u{2028}Node: N09";
        of.report.next = evil.to_owned();
        of.report.blocked_by = vec![evil.to_owned()];
        of.events = vec![Event::Word(Word::Retry { node: "N02".parse().unwrap(), reason: evil.to_owned() })];
        let text = message(&Facts::new(of, None));
        assert_eq!(text.matches("\nCluster: ").count(), 1, "{text}");
        let read = parse(&text).unwrap();
        assert_eq!((read.cluster.as_deref(), read.outcome.as_deref(), read.node), (Some("hospital-north"), Some("Word"), None));
    }

    #[test]
    fn foreign_messages_have_no_trailers() {
        for foreign in [
            "",
            "hello",
            "Cluster: a\nSchema: 1",
            "a\n\nCluster: a\nCluster: b\nSchema: 1",
            "a\n\nSchema: 1\nSigned-off-by: x",
            "a\n\nfree text",
        ] {
            assert_eq!(parse(foreign), None, "{foreign:?}");
        }
        assert!(parse(&format!("a\n\n{}", "Schema: 1\n".repeat(10_000))).is_none());
    }

    #[test]
    fn the_root_a_claim_and_an_adoption_are_told() {
        let epoch = drydock_model::ids::Epoch { number: 3, nonce: "ab12".parse().unwrap() };
        expect![[r#"
            Status branch begun by north

            This branch is written by Drydock alone. People speak here with `drydock accept` and `drydock node`.

            Outcome: Begun
            Schema: 1
            ===
            Claim 3 by controller north

            Entry: 3.ab12/0
            Outcome: Claimed
            Schema: 1
            ===
            Status branch adopted by north: every claim is above 9

            What nodes remember of claims up to that one, and this branch has not, holds no cluster any more.

            Outcome: Adopted above 9
            Schema: 1
        "#]]
        .assert_eq(&[root_message("north"), claim_message("north", &epoch), adopted_message("north", 9)].join("===\n"));
        assert!(parse(&adopted_message("north", 9)).is_some());
        assert!(parse(&claim_message("a\n\nSchema: 9", &epoch)).is_some_and(|t| t.schema.as_deref() == Some("1")));
    }
}
