//! The way of a node that is out: forward while everything speaks for it, else back; after the point of no return back means forward (rules 17 to 24).
//! Needs only the node's own view and fence, and for its Restart the quorate side's word on quorum.

use crate::begin;
use crate::eye::{Eye, Registry};
use crate::open;
use crate::storage::own_damage_only;
use drydock_model::desired::Overrun;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{NodeId, NodeName};
use drydock_model::ledger::{Abandoned, Intent, Ledger, Out};
use drydock_model::observed::{Commit, Marker, MarkerState, MemberState, Memory, WorkerState};
use drydock_model::order::{Expect, MarkerExpected, StorageExpected};
use drydock_model::plan::{Decision, HoldReason, Recheck, WaitingOn};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Timestamp};
use std::cmp::Ordering;

/// How long a node stays out, before its point of no return, while the status branch cannot be read. A short loss must not cost an upgrade; a long
/// one leaves a cluster short of a node with nobody able to see why.
pub(crate) const GRACE_WITHOUT_GIT: Millis = Millis::minutes(15);

/// How long a worker may take to end after its Cancel: it looks before each phase, and no phase that it can leave takes longer.
const WORKER_ENDS: Millis = Millis::minutes(15);

/// How long a node that is out may wait for one thing that nothing else bounds before a person is told.
const STILL: Millis = Millis::hours(2);

pub(crate) fn plan(eye: &Eye<'_>, out: &Out) -> Decision {
    let decision = match &eye.ledger.open {
        Some(open) => open::plan(eye, open),
        None => next(eye, out).unwrap_or_else(|decision| decision),
    };
    standing_still(eye, out, decision)
}

/// A wait that has no end of its own becomes a hold, and stays one until it is over.
fn standing_still(eye: &Eye<'_>, out: &Out, decision: Decision) -> Decision {
    let Decision::Wait(on, _) = &decision else { return decision };
    if !matches!(on, WaitingOn::Answer { .. } | WaitingOn::ClusterAnswer { .. } | WaitingOn::Servicing { .. } | WaitingOn::NotUp { .. }) {
        return decision;
    }
    let hold = Decision::Hold(HoldReason::StandsStill { node: out.node.name.clone(), what: on.to_string() });
    let long = eye.ledger.since.as_ref().is_some_and(|(state, since)| {
        let still = *state == decision.state() && eye.age(*since) >= STILL;
        still || *state == hold.state()
    });
    if long { hold } else { decision }
}

/// Nothing is open: which step next?
fn next(eye: &Eye<'_>, out: &Out) -> Result<Decision, Decision> {
    let name = &out.node.name;
    let facts = eye.node(name);
    silent(eye, out)?;
    let memory = eye.memory(name).map_err(soon)?;
    let boot = eye.need(name, "boot", &facts.boot).map_err(soon)?;
    let setup = *eye.need(name, "setup state", &facts.setup).map_err(soon)?;
    match whose(eye, memory, out) {
        Whose::Ours => {}
        // A person resumed it: there is nothing left to bring back, and the Return closes at the first look.
        Whose::Persons if eye.member(name).is_ok_and(|m| m.state == MemberState::Up) => return open(eye, Step::Return, out),
        Whose::Persons => return Err(Decision::Hold(HoldReason::PersonHasNode { node: name.clone(), committed: false })),
    }
    if let Some(commit) = beyond(eye, name, memory) {
        if commit.boot != boot.id {
            // Setup goes on by itself through its restarts.
            return Err(running(name, Step::Restart, None));
        }
        out_of_service(eye, name).map_err(Decision::Hold)?;
        begin::quorum(eye, name).map_err(soon)?;
        // Only the order of the attempt that was committed is known there, whatever is asked for by now.
        let again = eye.intent(Step::Restart, out.purpose, &out.node, true);
        return bounded(eye, Intent { target: commit.target, attempt: commit.attempt, ..again });
    }
    // A Return ends a worker that still lives before it resumes the node.
    if wants_back(eye, out).is_some() {
        return open(eye, Step::Return, out);
    }
    if let Err(on) = eye.confirmed() {
        return if without_git_too_long(eye) { open(eye, Step::Return, out) } else { Err(soon(on)) };
    }
    if setup.running {
        return Err(Decision::Wait(WaitingOn::Servicing { node: name.clone() }, Recheck::Usual));
    }
    let step = match out.purpose {
        Purpose::Registry => match eye.registry(name).map_err(soon)? {
            Registry::Effective if !setup.pending => Step::Return,
            // Lost again while it was out: the pass begins anew once it is back.
            Registry::Wrong => Step::Return,
            Registry::Effective | Registry::AwaitsRestart => Step::Reboot,
        },
        // On the target, or on a release that is newer: it is brought back, and what is wrong with it is said once it is in service.
        Purpose::Upgrade if eye.release_reached(name).map_err(soon)? => Step::Return,
        Purpose::Upgrade if staged(eye, out) => Step::Restart,
        // A failed attempt may leave one behind, and an installation is refused while it is there (domain.md section 3).
        Purpose::Upgrade if setup.pending => Step::Reboot,
        Purpose::Upgrade => Step::Install,
    };
    match step {
        Step::Return => open(eye, Step::Return, out),
        Step::Install | Step::Reboot | Step::Restart if let Err(waits) = carry_on(eye, name, step) => {
            if in_vain(eye, &waits) {
                open(eye, Step::Return, out)
            } else {
                Err(waits)
            }
        }
        Step::Install => {
            backed_off(eye, out)?;
            open(eye, Step::Install, out)
        }
        Step::Reboot | Step::Restart => open(eye, step, out),
        Step::WriteRegistry | Step::Vacate | Step::Settle => unreachable!("not a step of a node that is out"),
    }
}

/// Whether a node before its point of no return has waited for one thing for as long as an opened step would be waited for: it is of more use in service.
fn in_vain(eye: &Eye<'_>, waits: &Decision) -> bool {
    eye.ledger.since.as_ref().is_some_and(|(state, since)| *state == waits.state() && eye.age(*since) >= open::IGNORED)
}

/// After a failed attempt a node that is out is given the same time as one in service: what failed may pass.
fn backed_off(eye: &Eye<'_>, out: &Out) -> Result<(), Decision> {
    let node = &out.node;
    match begin::next_attempt(&eye.ledger.attempts_of(node, eye.s.desired.target)) {
        Some(until) if eye.now() < until => Err(Decision::Wait(WaitingOn::Backoff { node: node.name.clone(), until }, Recheck::At(until))),
        Some(_) | None => Ok(()),
    }
}

/// Whether one more attempt would outlast the window: the time that was counted when the node was taken is used up by the one that failed.
fn no_time_for_another(eye: &Eye<'_>, out: &Out) -> bool {
    let attempts = eye.ledger.attempts_of(&out.node, eye.s.desired.target);
    // The attempt that the node was taken out for has its own Vacate, whatever failed in an earlier time out.
    let another = attempts.used() > 0 && attempts.entries.get(&Step::Vacate).is_none_or(|entries| *entries == 0);
    let between = another && attempts.installed != Some(attempts.number);
    let maintenance = &eye.s.desired.maintenance;
    if out.purpose != Purpose::Upgrade || !between || maintenance.overrun == Overrun::Finish {
        return false;
    }
    // It is vacated already.
    let steps = [Step::Install, Step::Restart, Step::Return];
    let needed = steps.iter().fold(Millis::ZERO, |sum, step| sum.plus(eye.s.desired.budget(*step)));
    maintenance.windows.open_span(eye.now()).is_none_or(|open| open.closes.is_some_and(|closes| closes.since(eye.now()) < needed))
}

/// Whether this node has waited for the status branch, or for a person's word on it, longer than it should stay out.
pub(crate) fn without_git_too_long(eye: &Eye<'_>) -> bool {
    let waits = |state: &str| state == "Wait/Remote" || state == "Hold/StatusTouched";
    eye.ledger.since.as_ref().is_some_and(|(state, since)| waits(state) && eye.age(*since) >= GRACE_WITHOUT_GIT)
}

fn open(eye: &Eye<'_>, step: Step, out: &Out) -> Result<Decision, Decision> {
    bounded(eye, eye.intent(step, out.purpose, &out.node, false))
}

/// Opens an intent, unless its step was opened as often as its row allows.
fn bounded(eye: &Eye<'_>, intent: Intent) -> Result<Decision, Decision> {
    let (step, node) = (intent.step, &intent.node);
    let entries = eye.ledger.attempts_of(node, intent.target).entries.get(&step).copied().unwrap_or(0);
    if entries < step.row().entries {
        return Ok(Decision::Open(intent));
    }
    let overdue = Decision::Hold(HoldReason::StepOverdue { node: node.name.clone(), step });
    match step {
        // A node is always brought back (S12 bounds how often it is tried, not whether).
        Step::Return if eye.now() >= again_at(eye, node, entries - step.row().entries + 1) => Ok(Decision::Open(intent)),
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Restart | Step::Return | Step::Settle => Err(overdue),
    }
}

/// When a Return that failed again and again is tried once more. Somebody who has resumed the node need not wait for it.
fn again_at(eye: &Eye<'_>, node: &NodeId, beyond: u8) -> Timestamp {
    let last = eye.ledger.attempts_of(node, eye.s.desired.target).last.and_then(|failed| failed.at.known());
    let up = eye.member(&node.name).is_ok_and(|member| member.state == MemberState::Up);
    last.map_or(eye.now(), |at| at + begin::backoff(if up { 1 } else { beyond }))
}

/// A worker that a Cancel has not ended by now is resumed over (rule 19).
pub(crate) fn cancelled_long_ago(eye: &Eye<'_>) -> bool {
    eye.ledger.last.as_ref().and_then(|i| i.cancelled).is_some_and(|since| eye.age(since) >= WORKER_ENDS)
}

/// Before the point of no return a node that is out goes on only while S1, S2b and, for a restart, S4 hold.
pub(crate) fn carry_on(eye: &Eye<'_>, name: &NodeName, step: Step) -> Result<(), Decision> {
    match eye.member(name).map_err(soon)?.state {
        MemberState::Paused => {}
        state @ (MemberState::Up | MemberState::Down | MemberState::Joining | MemberState::Unknown) => {
            return Err(soon(WaitingOn::NotUp { node: name.clone(), state: format!("{state} and not Paused") }));
        }
    }
    eye.need(name, "worker", &eye.node(name).worker).map_err(soon)?;
    eye.others_up(name).map_err(soon)?;
    own_damage_only(eye.storage().map_err(soon)?, name).map_err(|what| soon(WaitingOn::StorageRepair(what)))?;
    match step {
        Step::Reboot | Step::Restart => begin::quorum(eye, name).map_err(soon),
        Step::WriteRegistry | Step::Vacate | Step::Install | Step::Return | Step::Settle => Ok(()),
    }
}

/// What the node itself checks before it goes on.
pub(crate) fn expectations(step: Step, out: &Out, beyond: bool) -> Expect {
    let ours = MarkerExpected::Ours(out.vacate.clone());
    match step {
        Step::Restart if beyond => Expect { marker: ours, quorum: true, ..Expect::NOTHING },
        Step::Reboot | Step::Restart => {
            Expect { marker: ours, others_up: true, storage: StorageExpected::OwnDamageOnly, build: None, quorum: true }
        }
        Step::Install => Expect { marker: ours, others_up: true, storage: StorageExpected::OwnDamageOnly, build: None, quorum: false },
        Step::WriteRegistry | Step::Vacate | Step::Return | Step::Settle => Expect::NOTHING,
    }
}

/// Who took the node out, by its own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Ours,
    Persons,
}

/// Rule 17. A marker that is missing together with the fence never gets here: the fence comes first, and brings the marker back.
pub(crate) fn whose(eye: &Eye<'_>, memory: &Memory, out: &Out) -> Whose {
    // Paused with only `suspending` on it: our Suspend was never accepted, so somebody else's was.
    let paused = eye.member(&out.node.name).is_ok_and(|m| m.state == MemberState::Paused);
    match &memory.marker {
        Some(marker) if marker.state == MarkerState::Suspending && paused => Whose::Persons,
        Some(marker) => match marker.vacate.compare(&out.vacate) {
            Some(Ordering::Less | Ordering::Equal) => Whose::Ours,
            Some(Ordering::Greater) | None => Whose::Persons,
        },
        None => Whose::Persons,
    }
}

/// The marker to write back with the fence, where the upgrade took both, or an earlier memory came back, under an unchanged identity (rules 17 and 26).
pub(crate) fn lost_marker(ledger: &Ledger, id: &NodeId, memory: &Memory) -> Option<Marker> {
    let out = ledger.out.as_ref().filter(|out| out.node == *id && out.vacated)?;
    let below = memory.fence.as_ref().is_none_or(|fence| fence.compare(&out.vacate) == Some(Ordering::Less));
    below.then(|| Marker { vacate: out.vacate.clone(), state: MarkerState::Suspended })
}

/// What is committed is restarted only while nothing runs on the node: a person may have put it back into service since.
pub(crate) fn out_of_service(eye: &Eye<'_>, name: &NodeName) -> Result<(), HoldReason> {
    let serves = eye.member(name).is_ok_and(|m| match m.state {
        MemberState::Up => true,
        // Taken out again, and not drained yet.
        MemberState::Paused => m.roles > 0,
        MemberState::Down | MemberState::Joining | MemberState::Unknown => false,
    });
    if serves { Err(HoldReason::PersonHasNode { node: name.clone(), committed: true }) } else { Ok(()) }
}

/// The commit that makes back mean forward, for a target that is not reached (rule 18): one of this boot, whatever was asked for since; or that of the
/// Restart opened last, unless a rollback has undone it.
pub(crate) fn beyond<'m>(eye: &Eye<'_>, name: &NodeName, memory: &'m Memory) -> Option<&'m Commit> {
    let commit = memory.commit.as_ref()?;
    let facts = eye.node(name);
    if commit.target.reached_by(*facts.build.known()?) {
        return None;
    }
    if facts.boot.known().is_some_and(|b| b.id == commit.boot) {
        return Some(commit);
    }
    let last = eye.ledger.last.as_ref().filter(|i| i.step == Step::Restart && i.node.name == *name)?;
    // A failed attempt has another number by now, whatever its commit left pending.
    let current = eye.ledger.attempts_of(&last.node, last.target).number;
    if (commit.target, commit.attempt) != (last.target, last.attempt) || commit.attempt != current {
        return None;
    }
    facts.setup.known().is_none_or(|s| s.running || s.pending).then_some(commit)
}

/// Why a node before its point of no return is brought back un-upgraded, if anything speaks for it: as its step is closed, and in words.
pub(crate) fn wants_back(eye: &Eye<'_>, out: &Out) -> Option<(Abandoned, String)> {
    let name = &out.node.name;
    let for_it = |why: Abandoned, words: &str| Some((why, words.to_owned()));
    if let Err(on) = eye.stopped() {
        return Some((Abandoned::Suspended, on.to_string()));
    }
    if out.returning || !out.vacated {
        return for_it(Abandoned::GuardFailed, "it was not taken out as a whole");
    }
    // The desired state asks nothing more of this node than that it is left as it was found.
    if !eye.s.desired.nodes.contains(name) {
        return for_it(Abandoned::SpecChanged, "the cluster's file no longer names it");
    }
    if eye.s.desired.maintenance.overrun == Overrun::Stop && eye.s.desired.maintenance.windows.open_span(eye.now()).is_none() {
        return for_it(Abandoned::WindowClosed, "the window closed");
    }
    if no_time_for_another(eye, out) {
        return for_it(Abandoned::WindowClosed, "the window has no time for another attempt");
    }
    if eye.ledger.last.as_ref().is_some_and(|last| last.node == out.node && last.target != eye.s.desired.target) {
        return for_it(Abandoned::SpecChanged, "another release is asked for now");
    }
    // With a worker that cannot be read it never goes forward, and a person need not find it paused.
    if damaged(eye, name) {
        return for_it(Abandoned::GuardFailed, "what it keeps of its worker is damaged");
    }
    let attempts = eye.ledger.attempts_of(&out.node, eye.s.desired.target);
    if attempts.spent || attempts.used() > eye.s.desired.run.max_retries_per_node {
        return for_it(Abandoned::GuardFailed, "no attempt is left");
    }
    if attempts.entries.get(&Step::Restart).is_some_and(|entries| *entries >= Step::Restart.row().entries) && eye.ledger.open.is_none() {
        return for_it(Abandoned::GuardFailed, "its restart was tried as often as it may be");
    }
    // Resumed by somebody: nothing is installed on, or restarted under, a node in service.
    if eye.member(name).is_ok_and(|m| m.state == MemberState::Up) {
        return for_it(Abandoned::GuardFailed, "somebody resumed it");
    }
    // Upgraded without the values in effect, its volumes may not come online.
    if out.purpose == Purpose::Upgrade && eye.registry(name) == Ok(Registry::Wrong) {
        return for_it(Abandoned::GuardFailed, "its registry values are not as they must be");
    }
    // Only what is known to be wrong brings a node back: over what is unknown it waits.
    let words = eye.other_missing(name).or_else(|| {
        let foreign = own_damage_only(eye.storage().ok()?, name).err()?;
        Some(WaitingOn::StorageRepair(foreign).to_string())
    });
    words.map(|words| (Abandoned::GuardFailed, words))
}

/// What the node keeps of its worker is damaged, so nobody can tell how far that came.
pub(crate) fn damaged(eye: &Eye<'_>, name: &NodeName) -> bool {
    matches!(&eye.node(name).worker, Fact::Unknown(Gap::Damaged(_)))
}

fn staged(eye: &Eye<'_>, out: &Out) -> bool {
    let attempt = eye.ledger.attempts_of(&out.node, eye.s.desired.target).number;
    let facts = eye.node(&out.node.name);
    // Committed and taken back: what the worker says it staged is spent.
    let spent = |c: &Commit| c.target == eye.s.desired.target && c.attempt == attempt;
    if facts.memory.known().and_then(|m| m.commit.as_ref()).is_some_and(spent) {
        return false;
    }
    facts
        .worker
        .known()
        .and_then(Option::as_ref)
        .is_some_and(|w| w.target == eye.s.desired.target && w.attempt == attempt && w.state == WorkerState::Staged)
}

/// A node that is out and does not answer is waited for; past the time of a restart a person is told.
fn silent(eye: &Eye<'_>, out: &Out) -> Result<(), Decision> {
    let name = &out.node.name;
    let Err(gap) = eye.fresh(&eye.node(name).id) else { return Ok(()) };
    let step = eye.ledger.last.as_ref().map_or(Step::Vacate, |i| i.step);
    Err(silence(eye, eye.ledger.last.as_ref(), name, step, gap))
}

/// What to say of a node that does not answer.
pub(crate) fn silence(eye: &Eye<'_>, intent: Option<&Intent>, name: &NodeName, step: Step, gap: Gap) -> Decision {
    let waited = intent.map_or(Millis::ZERO, |i| eye.age(i.opened));
    let allowed = eye.s.desired.run.reboot_timeout.max(eye.s.desired.budget(step));
    if waited > allowed {
        return Decision::Hold(HoldReason::NodeSilent { node: name.clone(), step });
    }
    match step {
        Step::Reboot | Step::Restart => running(name, step, None),
        Step::WriteRegistry | Step::Vacate | Step::Install | Step::Return | Step::Settle => {
            soon(WaitingOn::Answer { node: name.clone(), fact: "identity".to_owned(), gap })
        }
    }
}

pub(crate) fn running(node: &NodeName, step: Step, percent: Option<u8>) -> Decision {
    Decision::Wait(WaitingOn::StepRunning { node: node.clone(), step, percent }, Recheck::Soon)
}

pub(crate) fn soon(on: WaitingOn) -> Decision {
    Decision::Wait(on, Recheck::Soon)
}
