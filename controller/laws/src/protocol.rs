//! S14: the ledger is append-only and linear: what is opened, cancelled, performed and closed fits what stands there.

use crate::Found;
use crate::case::{Case, Doing, Form, Weight};
use crate::evidence;
use drydock_model::ids::EntryId;
use drydock_model::ledger::{AGAIN, BLOCK, Failure, Intent, Ledger, Outcome, RETURN};
use drydock_model::observed::{Hindrance, MemberState, Phase};
use drydock_model::order::{Act, Order};
use drydock_model::plan::{Decision, Remote};
use drydock_model::step::Step;

/// S14: an intent is opened before its effects and closed once, and not while its order may still arrive, unless its node owes a tombstone; at most one
/// is open per cluster.
pub(crate) fn s14(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    let Some(ledger) = case.ledger else { return found };
    for doing in &case.doing {
        confirmed(case, doing, &mut found);
    }
    match &case.plan.decision {
        Decision::Open(intent) => opens(ledger, intent, &mut found),
        Decision::Perform(_) => performs(case, &mut found),
        Decision::Cancel(entry) => cancels(case, entry, &mut found),
        Decision::Close { entry, outcome, heard } => match case.open().filter(|open| open.entry == *entry) {
            Some(open) => closes(case, ledger, open, outcome, *heard, &mut found),
            None => found.push(format!("{entry} would be closed and is not open")),
        },
        Decision::Fence(orders) => {
            for order in orders {
                match order.act {
                    Act::Fence { .. } if order.entry.place.seq <= ledger.ceiling().seq => {}
                    Act::Fence { .. } => found.push(format!("{order} is above every entry of the ledger")),
                    Act::Cancel | Act::Step(_) => found.push(format!("{order} is no fence and would be sent as one")),
                }
            }
        }
        Decision::Converged | Decision::Wait(..) | Decision::Meet(_) | Decision::Hold(_) => {}
    }
    found
}

/// Rule 14: the remote was read in this lap and holds our entries, so that what begins is known to be written.
fn confirmed(case: &Case<'_>, doing: &Doing<'_>, found: &mut Found) {
    match case.situation.remote {
        Remote::Confirmed => {}
        Remote::Unread(_) if doing.begins() => found.push(format!("{} would begin while the status branch cannot be read", doing.name())),
        Remote::Touched { .. } | Remote::Unread(_) => {}
    }
}

fn opens(ledger: &Ledger, intent: &Intent, found: &mut Found) {
    if let Some(open) = &ledger.open {
        found.push(format!("{} would be opened while {} is open", intent.entry, open.entry));
    }
    let (seq, base) = (intent.entry.place.seq, intent.base);
    let in_last_block = ledger.last.as_ref().is_some_and(|last| last.entry.place.epoch == ledger.epoch && last.base == base);
    if base == 0 || (base < ledger.next && !in_last_block) {
        found.push(format!("{} would be opened in a block that was given out", intent.entry));
    }
    if let Some(last) = ledger.last.as_ref().filter(|last| last.entry.place.epoch == ledger.epoch && last.entry.place.seq >= seq) {
        found.push(format!("{} would be opened after {}", intent.entry, last.entry));
    }
    let may_stand = match intent.step {
        Step::Return => seq == base || seq == base.saturating_add(RETURN),
        Step::Restart => seq == base || seq == base.saturating_add(AGAIN),
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Settle => seq == base,
    };
    if !may_stand {
        found.push(format!("{} takes a number that its block of {BLOCK} keeps for something else", intent.entry));
    }
    if intent.cancelled.is_some() {
        found.push(format!("{} would be opened as cancelled", intent.entry));
    }
}

fn performs(case: &Case<'_>, found: &mut Found) {
    let Some(open) = case.open() else { return };
    for order in case.orders() {
        match order.act {
            Act::Cancel if open.cancelled.is_none() => found.push(format!("{order} would be sent before its mark is written")),
            Act::Cancel | Act::Fence { .. } | Act::Step(_) => {}
        }
    }
    for doing in &case.doing {
        let Form::Sent(order, _) = doing.form else { continue };
        if open.cancelled.is_some() && doing.begins() {
            found.push(format!("{order} would be sent after it was cancelled"));
        }
        if doing.begins() && case.owes(&doing.node.name) {
            found.push(format!("{order} would be sent before {} has given the tombstone that it owes", doing.node.name));
        }
        if doing.weight == Weight::Back && unknown_to_git(case, open, order) {
            found.push(format!("{order} would be sent before git has it, and no earlier entry keeps its number"));
        }
        match doing.weight {
            Weight::Passive => found.push(format!("{order} asks for a step that orders nothing")),
            Weight::Back | Weight::Prepares | Weight::TakesOut | Weight::GoesOn => {}
        }
    }
}

/// Whether the status branch may lack this entry and every one that keeps its number (rule 19), and the node has not obeyed it yet.
fn unknown_to_git(case: &Case<'_>, open: &Intent, order: &Order) -> bool {
    let obeyed = case.of(&open.node.name, |f| &f.memory).is_some_and(|m| evidence::consumed(m, open).is_some());
    let own_block = order.entry == open.entry && open.entry.place.seq == open.base;
    own_block && !obeyed && matches!(case.situation.remote, Remote::Unread(_))
}

fn cancels(case: &Case<'_>, entry: &EntryId, found: &mut Found) {
    match case.open() {
        Some(open) if open.cancel_entry().is_none() => {
            found.push(format!("{entry} would cancel {}, which stands above every Cancel of its block", open.entry));
        }
        Some(open) if open.cancel_entry().as_ref() != Some(entry) => {
            found.push(format!("{entry} is not the Cancel of the open {}", open.entry))
        }
        Some(open) if open.cancelled.is_some() => found.push(format!("{} would be cancelled twice", open.entry)),
        Some(_) => {}
        None => found.push(format!("{entry} would cancel something that is not open")),
    }
}

fn closes(case: &Case<'_>, ledger: &Ledger, open: &Intent, outcome: &Outcome, heard: bool, found: &mut Found) {
    let (step, name) = (open.step, &open.node.name);
    if heard && !evidence::heard(case, open) {
        found.push(format!("{step} of {name} would be closed as heard, and {name} shows neither that it consumed it nor a fence above it"));
    }
    let consumed = case.of(name, |f| &f.memory).and_then(|m| evidence::consumed(m, open));
    match outcome {
        Outcome::Abandoned(_) => {
            if let Some(consumed) = consumed.filter(|c| c.phase != Phase::PlatformRefused) {
                found.push(format!("{step} of {name} would be abandoned, and {name} consumed it as {}", consumed.place));
            }
            ends_being_out(case, open, heard, found);
        }
        Outcome::Failed(Failure::PlatformRefused) => {
            if consumed.is_none_or(|c| c.phase != Phase::PlatformRefused) {
                found.push(format!("{step} of {name} would be closed as refused by the platform, which {name} does not show"));
            }
            ends_being_out(case, open, heard, found);
        }
        Outcome::Failed(Failure::Hindered { by } | Failure::NotRestarted { by }) => {
            let shown = match consumed.map(|c| c.phase) {
                Some(Phase::Unmet(shown)) => Some(shown),
                Some(Phase::PlatformRefused) => Some(Hindrance::Platform),
                Some(Phase::Recorded | Phase::Started | Phase::Ended) | None => None,
            };
            if shown != Some(*by) {
                found.push(format!("{step} of {name} would be closed as hindered ({by}), which {name} does not show"));
            }
            let committed = case.commit(name, open.target, open.attempt).is_some();
            if committed && matches!(outcome, Outcome::Failed(Failure::Hindered { .. })) {
                found.push(format!("{step} of {name} would be closed as never begun, and {name} has committed it"));
            }
        }
        Outcome::Inherited if open.entry.place.epoch == ledger.epoch => {
            found.push(format!("{step} of {name} is our own and would be closed as inherited"));
        }
        Outcome::Done | Outcome::Failed(_) | Outcome::Superseded | Outcome::Inherited => {}
    }
    match (case.situation.remote, outcome, step) {
        (Remote::Unread(_) | Remote::Touched { .. }, Outcome::Done, Step::WriteRegistry | Step::Vacate | Step::Install) => {
            found.push(format!(
                "{step} of {name} would be closed as done while the status branch cannot be trusted; only the way back goes on"
            ));
        }
        (Remote::Unread(_) | Remote::Touched { .. } | Remote::Confirmed, _, _) => {}
    }
}

/// Rule 17: a node stops being out only when its Vacate is proven never to be performed, and no Vacate before it was.
///
/// What is closed unheard keeps its node out until a Return, and owes a tombstone.
fn ends_being_out(case: &Case<'_>, open: &Intent, heard: bool, found: &mut Found) {
    let name = &open.node.name;
    if open.step != Step::Vacate || !heard {
        return;
    }
    let paused = case.side.as_ref().is_ok_and(|side| side.all_see(name, |member| member.state == MemberState::Paused));
    if let Some(marker) = case.of(name, |f| &f.memory).and_then(|memory| memory.marker.as_ref()).filter(|_| paused) {
        found.push(format!("{name} would stop being out, and is Paused with our marker of entry {}", marker.vacate));
    }
}
