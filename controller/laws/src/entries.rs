//! S5: what makes repetition harmless, as far as one plan shows it: attempts and entries are counted, and orders can only be performed once.

use crate::Found;
use crate::case::{Case, Doing, Form, Weight};
use drydock_model::ids::Place;
use drydock_model::ledger::Ledger;
use drydock_model::observed::{Worker, WorkerState};
use drydock_model::step::{Purpose, Step};

/// S5: every effect is harmless when repeated, delayed, or applied after its answer was lost: at most one install and one commit per
/// (node identity, target, attempt), one restart per entry.
pub(crate) fn s5(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    for order in case.orders() {
        if !order.intact() {
            found.push(format!("the digest of the order for {} is not that of its text", order.node.name));
        }
    }
    for doing in &case.doing {
        if let Some(ledger) = case.ledger {
            counted(case, ledger, doing, &mut found);
        }
        if let Some(order) = doing.order()
            && doing.begins()
            && (order.boot.is_none() || order.not_after.is_none())
        {
            found.push(format!("the order for {} could be performed in any boot and at any time", doing.name()));
        }
        match doing.step {
            Step::Install => installed_once(case, doing, &mut found),
            Step::Restart => committed_once(case, doing, &mut found),
            Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Return | Step::Settle => {}
        }
    }
    found
}

/// Entries and attempts. The Return is exempt, as a node is always brought back; Settle orders nothing.
fn counted(case: &Case<'_>, ledger: &Ledger, doing: &Doing<'_>, found: &mut Found) {
    let attempts = ledger.attempts_of(doing.node, doing.target);
    if doing.begins() || doing.step == Step::Restart {
        let written = attempts.entries.get(&doing.step).copied().unwrap_or(0);
        let with_this = match doing.form {
            Form::Opened(_) => written.saturating_add(1),
            Form::Sent(..) => written,
        };
        let most = doing.step.row().entries;
        if with_this > most {
            found.push(format!("{} has had {written} entries in attempt {}; at most {most} are allowed", doing.name(), attempts.number));
        }
    }
    let passed_over = match doing.form {
        // What was begun under a number, by the ledger or by what the node shows, and cannot be taken up again: its number is passed over.
        Form::Opened(_) if doing.step == Step::Install => {
            // Whatever it was for: numbers never repeat on one machine.
            let facts = case.facts(&doing.node.name);
            let worker = facts.and_then(|f| f.worker.known()).and_then(Option::as_ref).map(|w| w.attempt);
            let commit = facts.and_then(|f| f.memory.known()).and_then(|m| m.commit.as_ref()).map(|c| c.attempt);
            let begun = attempts.installed.max(worker).max(commit).filter(|begun| *begun >= attempts.number);
            begun.and_then(|begun| begun.checked_add(1)) == Some(doing.attempt)
        }
        Form::Opened(_) | Form::Sent(..) => false,
    };
    if doing.begins() && doing.attempt != attempts.number && !passed_over {
        found.push(format!("{} asks for attempt {}, and the ledger is at {}", doing.name(), doing.attempt, attempts.number));
    }
    if attempts.spent && doing.endangers() && doing.purpose == Purpose::Upgrade {
        found.push(format!("the attempts of {} were used up by a rollback", doing.node.name));
    }
}

/// At most one install per attempt: none where the node shows its commit, or its worker by another entry, unless that one is alive: then it is taken
/// over and not started again (rule 24). Where the node shows no worker it may have forgotten one, so the number of an Install before is not used again.
fn installed_once(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    if case.commit(&doing.node.name, doing.target, doing.attempt).is_some() {
        found.push(format!("attempt {} of {} has been committed and cannot be installed again", doing.attempt, doing.node.name));
    }
    let worker = case.facts(&doing.node.name).and_then(|f| f.worker.known()).and_then(Option::as_ref).filter(|w| of_attempt(w, doing));
    if let Some(worker) = worker.filter(|w| w.place != doing.entry.place && (!w.alive || w.state.ended())) {
        found.push(format!("attempt {} of {} was installed under {}", doing.attempt, doing.node.name, place(&worker.place)));
    }
    let before = case.ledger.and_then(|l| l.attempts_of(doing.node, doing.target).installed);
    match doing.form {
        Form::Opened(_) if worker.is_none() && before == Some(doing.attempt) => {
            found.push(format!("attempt {} of {} may have been installed, and its worker is not seen", doing.attempt, doing.node.name));
        }
        Form::Opened(_) | Form::Sent(..) => {}
    }
}

/// At most one commit per attempt: only what this attempt staged, and never after a commit that a rollback took back.
fn committed_once(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    match doing.weight {
        Weight::Back => {}
        Weight::Passive | Weight::Prepares | Weight::TakesOut | Weight::GoesOn => {
            if case.commit(&doing.node.name, doing.target, doing.attempt).is_some() {
                found.push(format!("the commit of attempt {} on {} was made and taken back", doing.attempt, doing.node.name));
            }
            let worker = case.of(&doing.node.name, |f| &f.worker).and_then(Option::as_ref);
            if !worker.is_some_and(|w| of_attempt(w, doing) && w.state == WorkerState::Staged) {
                found.push(format!("nothing is staged on {} for attempt {}", doing.node.name, doing.attempt));
            }
        }
    }
}

fn of_attempt(worker: &Worker, doing: &Doing<'_>) -> bool {
    worker.target == doing.target && worker.attempt == doing.attempt
}

fn place(place: &Place) -> String {
    format!("entry {place}")
}
