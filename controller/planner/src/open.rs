//! An intent is open: perform it, watch it, or close it by what the node shows (rules 16, 18, 20 to 24).

use crate::begin;
use crate::close;
use crate::eye::{Eye, No, Registry};
use crate::storage::settled;
use crate::way::{self, Whose, running, soon};
use drydock_model::desired::Standing;
use drydock_model::ids::{NodeName, Place};
use drydock_model::ledger::{Abandoned, Failure, Intent, Out, Outcome};
use drydock_model::observed::{ClusterService, CommitPhase, DrainStatus, Hindrance, MarkerState, MemberState, Memory, Phase, WorkerState};
use drydock_model::order::{Expect, MarkerExpected, Order, StorageExpected};
use drydock_model::plan::{Decision, HoldReason, Recheck, Remote, WaitingOn};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::Millis;
use std::cmp::Ordering;

/// How long after an act was started its first effect must be seen; longer than the slowest of them shows itself, shorter than a person's patience.
const EFFECT: Millis = Millis::minutes(10);

/// The same for a Restart: its node may take 15 minutes until it commits and waits ten for the quorum afterwards, and it was opened before it was heard.
const RESTARTED: Millis = Millis::minutes(40);

/// How long an order may be refused again and again, for a reason that no guard here sees, before its attempt counts as failed.
pub(crate) const IGNORED: Millis = Millis::minutes(30);

/// How long a guard that fails for want of facts is waited for before the intent is given up.
const PATIENCE: Millis = Millis::minutes(10);

/// How long storage must stay healed after a return; jobs appear some time after the resume.
const SOAK: Millis = Millis::minutes(5);

/// A Return that is ignored needs a person, and is sent again for half of this time all the same: what kept the node from hearing it may be over.
const ASKED_AGAIN: Millis = Millis::minutes(10);

/// How an intent stands, by what the node shows.
enum Verdict {
    /// Its done-test holds.
    Done,
    /// It ended otherwise.
    Failed(Failure),
    /// The node has not consumed it.
    Untouched,
    /// At work.
    Running(Option<u8>),
}

pub(crate) fn plan(eye: &Eye<'_>, intent: &Intent) -> Decision {
    let verdict = match verdict(eye, intent) {
        Ok(verdict) => verdict,
        Err(decision) => return decision,
    };
    if intent.entry.place.epoch != eye.ledger.epoch {
        return inherited(eye, intent, verdict);
    }
    match verdict {
        Verdict::Done => done(eye, intent),
        Verdict::Failed(why) => close(eye.ledger, Outcome::Failed(why), heard(eye, intent)),
        Verdict::Untouched => begin(eye, intent),
        Verdict::Running(percent) => watch(eye, intent, percent),
    }
}

/// What leads on is written only where it can be read; what leads back is written as soon as it can be.
fn done(eye: &Eye<'_>, intent: &Intent) -> Decision {
    match (intent.step, eye.confirmed()) {
        (Step::Vacate | Step::Install, Err(_)) if way::without_git_too_long(eye) => {
            close(eye.ledger, Outcome::Superseded, heard(eye, intent))
        }
        (Step::WriteRegistry | Step::Vacate | Step::Install, Err(why)) => soon(why),
        (Step::WriteRegistry | Step::Vacate | Step::Install, Ok(())) | (Step::Reboot | Step::Restart | Step::Return | Step::Settle, _) => {
            close(eye.ledger, Outcome::Done, heard(eye, intent))
        }
    }
}

/// Rule 20: an intent of an older claim is never performed again. The node has heard our fence by now, so nothing of it can still arrive.
fn inherited(eye: &Eye<'_>, intent: &Intent, verdict: Verdict) -> Decision {
    if let Err(why) = eye.confirmed() {
        return soon(why);
    }
    match verdict {
        Verdict::Done => close(eye.ledger, Outcome::Done, heard(eye, intent)),
        Verdict::Failed(why) => close(eye.ledger, Outcome::Failed(why), heard(eye, intent)),
        Verdict::Untouched => close(eye.ledger, Outcome::Abandoned(Abandoned::GuardFailed), true),
        Verdict::Running(percent) => match intent.step {
            // A drain goes on without anybody's order: to give it up would drain the node a second time.
            Step::Vacate => watch(eye, intent, percent),
            // Goes on by itself through its restarts; there is nothing to take up again until it shows where it ends.
            Step::Reboot | Step::Restart if eye.node(&intent.node.name).memory.known().is_none() => {
                running(&intent.node.name, intent.step, None)
            }
            Step::WriteRegistry | Step::Reboot | Step::Install | Step::Restart | Step::Return | Step::Settle => {
                close(eye.ledger, Outcome::Inherited, true)
            }
        },
    }
}

/// Not consumed yet: the guards are judged again (rule 16), then it is performed.
fn begin(eye: &Eye<'_>, intent: &Intent) -> Decision {
    let name = &intent.node.name;
    let fence = eye.node(name).memory.known().and_then(|m| m.fence.as_ref());
    let barred = fence.is_some_and(|f| matches!(f.compare(&intent.entry.place), Some(Ordering::Greater)));
    if intent.cancelled.is_some() || barred {
        return give_up(eye, intent, barred);
    }
    let forward = beyond(eye, intent);
    let unwanted = match (intent.step, &eye.ledger.out) {
        (Step::Vacate | Step::WriteRegistry, _) if intent.target != eye.s.desired.target || !eye.s.desired.nodes.contains(name) => {
            Some(Abandoned::SpecChanged)
        }
        (Step::Vacate | Step::WriteRegistry, _) => eye.stopped().is_err().then_some(Abandoned::Suspended),
        (Step::Reboot | Step::Install, Some(out)) => way::wants_back(eye, out).map(|(why, _)| why),
        (Step::Restart, Some(out)) if !forward => way::wants_back(eye, out).map(|(why, _)| why),
        (Step::Reboot | Step::Install | Step::Restart | Step::Return | Step::Settle, _) => None,
    };
    // A person's word has begun another attempt since.
    let other = !forward && eye.ledger.attempts_of(&intent.node, intent.target).number != intent.attempt;
    let unwanted = match intent.step {
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Restart if other => Some(Abandoned::GuardFailed),
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Restart | Step::Return | Step::Settle => unwanted,
    };
    match (intent.step, &eye.ledger.out) {
        // Committed since: back means forward, and the node refuses to be resumed (rule 18).
        (Step::Return, Some(out)) if forward && whose(eye, out) == Some(Whose::Ours) => {
            return close(eye.ledger, Outcome::Superseded, heard(eye, intent));
        }
        // A person has taken it over and put it back into service: its Return closes at the first look.
        (Step::Restart, Some(out)) if forward && whose(eye, out) == Some(Whose::Persons) && up(eye, name) => {
            return close(eye.ledger, Outcome::Superseded, heard(eye, intent));
        }
        (
            Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Restart | Step::Return | Step::Settle,
            Some(_) | None,
        ) => {}
    }
    let back = intent.step == Step::Return || intent.step == Step::Restart && forward;
    if back && let Err(why) = kept(eye, intent) {
        return soon(why);
    }
    let ignored = eye.age(intent.opened) > IGNORED;
    match intent.step {
        Step::Return if ignored && eye.age(intent.opened).0 % ASKED_AGAIN.0 >= ASKED_AGAIN.0 / 2 => {
            return Decision::Hold(HoldReason::StepOverdue { node: name.clone(), step: Step::Return });
        }
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Restart if ignored && !back => return mark(eye, intent),
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Restart | Step::Return | Step::Settle => {}
    }
    if unwanted.is_some() {
        return mark(eye, intent);
    }
    match guards(eye, intent) {
        Ok(expect) => match eye.order(intent, expect) {
            Ok(order) => Decision::Perform(vec![order]),
            Err(why) => soon(why),
        },
        // A node that is out is not helped by giving up: its own way back decides. A node that is not out yet had better stay in.
        Err(No::Wait(_)) if intent.step == Step::Vacate && eye.age(intent.opened) > PATIENCE => mark(eye, intent),
        Err(No::Hold(_)) if intent.step == Step::Vacate => mark(eye, intent),
        Err(No::Wait(WaitingOn::Remote(_))) if way::without_git_too_long(eye) => mark(eye, intent),
        Err(No::Wait(why)) => soon(why),
        Err(No::Hold(why)) => Decision::Hold(why),
    }
}

/// Rule 21: the mark comes first. What stands higher in its block has no Cancel of its own; the way back takes its place.
fn mark(eye: &Eye<'_>, intent: &Intent) -> Decision {
    match intent.cancel_entry() {
        Some(entry) => Decision::Cancel(entry),
        None => close(eye.ledger, Outcome::Superseded, heard(eye, intent)),
    }
}

/// The mark is in the ledger: the Cancel is sent until the node shows it, then the intent is closed.
fn give_up(eye: &Eye<'_>, intent: &Intent, barred: bool) -> Decision {
    if !barred && let Some(cancel) = intent.cancel_entry() {
        return Decision::Perform(vec![Order::cancel(cancel, intent.node.clone())]);
    }
    if eye.age(intent.opened) > IGNORED {
        return close(eye.ledger, Outcome::Failed(Failure::NoEffect), heard(eye, intent));
    }
    let why = match (&eye.ledger.out, eye.stopped()) {
        (_, Err(_)) => Abandoned::Suspended,
        (Some(_) | None, Ok(())) if intent.spec != eye.s.desired.spec => Abandoned::SpecChanged,
        (Some(_) | None, Ok(())) => Abandoned::GuardFailed,
    };
    close(eye.ledger, Outcome::Abandoned(why), true)
}

/// Whether nothing of it can still arrive, by what the node shows: it consumed it, or bars it, or has restarted since (rules 11 and 20).
fn heard(eye: &Eye<'_>, intent: &Intent) -> bool {
    let facts = eye.node(&intent.node.name);
    let place = &intent.entry.place;
    let restarted = || facts.boot.known().is_some_and(|b| intent.boot.as_ref().is_some_and(|before| *before != b.id));
    match intent.step {
        Step::Settle => return true,
        Step::Reboot | Step::Restart if restarted() => return true,
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Restart | Step::Return => {}
    }
    facts.id.known() == Some(&intent.node)
        && facts.memory.known().is_some_and(|memory| {
            let to = |other: Option<&Place>| other.and_then(|other| other.compare(place));
            to(memory.consumed.as_ref().map(|c| &c.place)).is_some_and(Ordering::is_ge)
                || to(memory.fence.as_ref()).is_some_and(Ordering::is_gt)
                || to(memory.cancelled.as_ref()).is_some_and(Ordering::is_gt)
        })
}

fn whose(eye: &Eye<'_>, out: &Out) -> Option<Whose> {
    eye.node(&out.node.name).memory.known().map(|memory| way::whose(eye, memory, out))
}

fn up(eye: &Eye<'_>, name: &NodeName) -> bool {
    eye.member(name).is_ok_and(|m| m.state == MemberState::Up)
}

fn beyond(eye: &Eye<'_>, intent: &Intent) -> bool {
    let name = &intent.node.name;
    eye.node(name).memory.known().is_some_and(|m| way::beyond(eye, name, m).is_some())
}

/// Rule 19: the way back needs no git as far as an entry that is there already keeps its number. Where it stands in a block of its own, as after a
/// tombstone, nobody after us could tell whose order the node obeyed: then its own entry must be there first.
fn kept(eye: &Eye<'_>, intent: &Intent) -> Result<(), WaitingOn> {
    match eye.s.remote {
        Remote::Unread(why) if intent.entry.place.seq == intent.base => Err(WaitingOn::Remote(why.clone())),
        Remote::Unread(_) | Remote::Confirmed | Remote::Touched { .. } => Ok(()),
    }
}

/// What must hold to perform, and what the node checks for itself.
fn guards(eye: &Eye<'_>, intent: &Intent) -> Result<Expect, No> {
    let name = &intent.node.name;
    match (intent.step, &eye.ledger.out) {
        (Step::Vacate, _) => {
            begin::guards(eye, name, intent.purpose)?;
            let build = *eye.need(name, "build", &eye.node(name).build)?;
            // One that came back with an earlier memory is written over; the node is in service by its cluster's word.
            let marker = eye.memory(name)?.marker.as_ref().map_or(MarkerExpected::Absent, |m| MarkerExpected::Ours(m.vacate.clone()));
            Ok(Expect { marker, others_up: true, storage: StorageExpected::Settled, build: Some(build), quorum: true })
        }
        (Step::WriteRegistry, _) => {
            eye.confirmed()?;
            Ok(Expect::NOTHING)
        }
        (Step::Restart, Some(out)) if beyond(eye, intent) => {
            if whose(eye, out) == Some(Whose::Persons) {
                return Err(HoldReason::PersonHasNode { node: name.clone(), committed: false }.into());
            }
            way::out_of_service(eye, name)?;
            begin::quorum(eye, name)?;
            Ok(way::expectations(Step::Restart, out, true))
        }
        (step @ (Step::Reboot | Step::Install | Step::Restart), Some(out)) => {
            eye.confirmed()?;
            way::carry_on(eye, name, step).map_err(refusal)?;
            Ok(way::expectations(step, out, false))
        }
        (Step::Return | Step::Settle | Step::Reboot | Step::Install | Step::Restart, _) => Ok(Expect::NOTHING),
    }
}

fn refusal(decision: Decision) -> No {
    match decision {
        Decision::Wait(on, _) => No::Wait(on),
        Decision::Hold(why) => No::Hold(why),
        Decision::Converged
        | Decision::Fence(_)
        | Decision::Meet(_)
        | Decision::Open(_)
        | Decision::Cancel(_)
        | Decision::Perform(_)
        | Decision::Close { .. } => unreachable!("a guard waits or holds"),
    }
}

/// At work: is it still wanted, and in time?
fn watch(eye: &Eye<'_>, intent: &Intent, percent: Option<u8>) -> Decision {
    let name = &intent.node.name;
    let late = eye.age(intent.opened) > eye.s.desired.budget(intent.step);
    let unwanted = match (intent.step, &eye.ledger.out) {
        (Step::Install, Some(out)) => way::wants_back(eye, out).is_some(),
        (Step::Vacate, _) => eye.stopped().is_err(),
        // Its task asks for minutes whether it may commit, and knows nothing of what is asked for by now.
        (Step::Restart, Some(out)) => {
            waits_to_commit(eye, intent) && way::wants_back(eye, out).is_some_and(|(why, _)| why != Abandoned::GuardFailed)
        }
        (Step::WriteRegistry | Step::Install | Step::Reboot | Step::Restart | Step::Return | Step::Settle, _) => false,
    };
    match intent.step {
        Step::Install if intent.cancelled.is_some() && way::cancelled_long_ago(eye) => {
            close(eye.ledger, Outcome::Superseded, heard(eye, intent))
        }
        Step::Install if intent.cancelled.is_some() => give_up(eye, intent, false),
        Step::Restart if intent.cancelled.is_some() && waits_to_commit(eye, intent) => give_up(eye, intent, false),
        Step::Restart if unwanted => mark(eye, intent),
        Step::Install if late || unwanted => mark(eye, intent),
        Step::Vacate if unwanted => close(eye.ledger, Outcome::Failed(Failure::Cancelled), true),
        Step::Vacate if late => close(eye.ledger, Outcome::Failed(Failure::TimedOut), true),
        Step::Restart | Step::Reboot if late => Decision::Hold(HoldReason::StepOverdue { node: name.clone(), step: intent.step }),
        Step::Restart => hindered(eye, intent).unwrap_or_else(|| running(name, Step::Restart, None)),
        Step::WriteRegistry | Step::Vacate | Step::Install | Step::Reboot | Step::Return | Step::Settle => {
            running(name, intent.step, percent)
        }
    }
}

/// Whether a Restart that the node has accepted has not crossed the point of no return.
fn waits_to_commit(eye: &Eye<'_>, intent: &Intent) -> bool {
    let facts = eye.node(&intent.node.name);
    let committed = |m: &Memory| m.commit.as_ref().is_some_and(|c| c.target == intent.target && c.attempt == intent.attempt);
    facts.boot.known().map(|b| &b.id) == intent.boot.as_ref() && facts.memory.known().is_some_and(|m| !committed(m))
}

/// What the task of a Restart waits for, as far as it is seen from here: before its commit for all that it needs, after it for the quorum (L3).
fn hindered(eye: &Eye<'_>, intent: &Intent) -> Option<Decision> {
    let name = &intent.node.name;
    let facts = eye.node(name);
    if facts.boot.known().map(|b| &b.id) != intent.boot.as_ref() {
        return None;
    }
    match facts.memory.known()?.commit.as_ref().filter(|c| c.target == intent.target && c.attempt == intent.attempt) {
        None => way::carry_on(eye, name, Step::Restart).err(),
        Some(commit) => match commit.phase {
            CommitPhase::Committed => begin::quorum(eye, name).err().map(soon),
            CommitPhase::Committing | CommitPhase::Restarting => None,
        },
    }
}

/// How an intent stands. What cannot be told yet is an early decision.
fn verdict(eye: &Eye<'_>, intent: &Intent) -> Result<Verdict, Decision> {
    if intent.step == Step::Settle {
        return settle(eye, intent);
    }
    let name = &intent.node.name;
    let facts = eye.node(name);
    if let Err(gap) = eye.fresh(&facts.id) {
        return Err(way::silence(eye, Some(intent), name, intent.step, gap));
    }
    let memory = eye.memory(name).map_err(soon)?;
    let verdict = match intent.step {
        Step::WriteRegistry => write_registry(eye, intent, memory)?,
        Step::Vacate => vacate(eye, intent, memory)?,
        Step::Reboot => reboot(eye, intent, memory)?,
        Step::Install => install(eye, intent, memory)?,
        Step::Restart => restart(eye, intent, memory)?,
        Step::Return => returned(eye, intent, memory)?,
        Step::Settle => unreachable!("answered above"),
    };
    Ok(verdict)
}

fn consumed(memory: &Memory, intent: &Intent) -> Option<Phase> {
    memory.consumed.as_ref().filter(|c| c.place == intent.entry.place).map(|c| c.phase)
}

/// Consumed, and nothing seen of it yet.
fn no_effect_yet(eye: &Eye<'_>, intent: &Intent) -> Verdict {
    let patience = match intent.step {
        Step::Restart => RESTARTED,
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Return | Step::Settle => EFFECT,
    };
    if eye.age(intent.opened) > patience { Verdict::Failed(Failure::NoEffect) } else { Verdict::Running(None) }
}

fn write_registry(eye: &Eye<'_>, intent: &Intent, memory: &Memory) -> Result<Verdict, Decision> {
    match (eye.registry(&intent.node.name).map_err(soon)?, consumed(memory, intent)) {
        (Registry::AwaitsRestart | Registry::Effective, _) => Ok(Verdict::Done),
        (Registry::Wrong, None) => Ok(Verdict::Untouched),
        (Registry::Wrong, Some(Phase::PlatformRefused)) => Ok(Verdict::Failed(Failure::PlatformRefused)),
        (Registry::Wrong, Some(Phase::Unmet(by))) => Ok(Verdict::Failed(Failure::Hindered { by })),
        (Registry::Wrong, Some(Phase::Recorded | Phase::Started | Phase::Ended)) => Ok(no_effect_yet(eye, intent)),
    }
}

fn vacate(eye: &Eye<'_>, intent: &Intent, memory: &Memory) -> Result<Verdict, Decision> {
    let name = &intent.node.name;
    let phase = match consumed(memory, intent) {
        // Paused, and it does not remember by whom: perhaps by us, before its memory was taken back (rules 17 and 26).
        None if eye.member(name).is_ok_and(|m| m.state == MemberState::Paused) => {
            return Err(Decision::Hold(HoldReason::PersonHasNode { node: name.clone(), committed: false }));
        }
        None => return Ok(Verdict::Untouched),
        Some(Phase::PlatformRefused) => return Ok(Verdict::Failed(Failure::PlatformRefused)),
        Some(Phase::Unmet(by)) => return Ok(Verdict::Failed(Failure::Hindered { by })),
        Some(phase @ (Phase::Recorded | Phase::Started | Phase::Ended)) => phase,
    };
    let member = eye.member(name).map_err(soon)?;
    let marker = memory.marker.as_ref().filter(|m| m.vacate == intent.entry.place).map(|m| m.state);
    let settled_by_now = phase == Phase::Ended || eye.age(intent.opened) > Millis::minutes(2);
    match (marker, member.state) {
        (Some(MarkerState::Suspended), MemberState::Paused) => Ok(match member.drain {
            DrainStatus::Completed if member.roles == 0 => Verdict::Done,
            DrainStatus::Failed => Verdict::Failed(Failure::DrainFailed),
            DrainStatus::Completed | DrainStatus::InProgress | DrainStatus::NotInitiated => Verdict::Running(None),
        }),
        // Somebody resumed it, or paused it under our hands (rule 17). A resumed one is simply not out any more.
        (None, MemberState::Up) if settled_by_now => Ok(Verdict::Failed(Failure::NoEffect)),
        (None | Some(MarkerState::Suspending), MemberState::Paused) if settled_by_now => {
            Err(Decision::Hold(HoldReason::PersonHasNode { node: name.clone(), committed: false }))
        }
        (Some(MarkerState::Suspending | MarkerState::Suspended) | None, _) => Ok(Verdict::Running(None)),
    }
}

fn reboot(eye: &Eye<'_>, intent: &Intent, memory: &Memory) -> Result<Verdict, Decision> {
    let name = &intent.node.name;
    let facts = eye.node(name);
    let boot = &eye.need(name, "boot", &facts.boot).map_err(soon)?.id;
    let restarted = intent.boot.as_ref() != Some(boot);
    match consumed(memory, intent) {
        // It has restarted, by this order or not, and what it remembers may be older than what it did: nothing is repeated (rule 26).
        None if intent.boot.is_some() && restarted => {}
        None => return Ok(Verdict::Untouched),
        Some(_) if restarted => {}
        Some(_) => return Ok(no_effect_yet(eye, intent)),
    }
    let setup = eye.need(name, "setup state", &facts.setup).map_err(soon)?;
    let service = eye.need(name, "cluster service", &facts.service).map_err(soon)?;
    if *service != ClusterService::Running || setup.running {
        return Ok(Verdict::Running(None));
    }
    if intent.purpose == Purpose::Registry && !setup.pending && eye.registry(name).map_err(soon)? == Registry::Wrong {
        return Ok(Verdict::Failed(Failure::ValuesLost));
    }
    // What a restart ends it ends while the node starts; one more would not end it either.
    Ok(match (setup.pending, eye.age(intent.opened) > EFFECT) {
        (false, _) => Verdict::Done,
        (true, false) => Verdict::Running(None),
        (true, true) => Verdict::Failed(Failure::StillPending),
    })
}

fn install(eye: &Eye<'_>, intent: &Intent, memory: &Memory) -> Result<Verdict, Decision> {
    let name = &intent.node.name;
    let facts = eye.node(name);
    let build = eye.need(name, "build", &facts.build).map_err(soon)?;
    if intent.target.standing(*build) == Standing::OnTarget {
        return Ok(Verdict::Done);
    }
    let consumed = consumed(memory, intent);
    if way::damaged(eye, name) {
        return Ok(if consumed.is_some() { Verdict::Failed(Failure::WorkerDied) } else { Verdict::Untouched });
    }
    let worker = eye.need(name, "worker", &facts.worker).map_err(soon)?.as_ref();
    let Some(worker) = worker.filter(|w| w.target == intent.target && w.attempt == intent.attempt) else {
        let boot = facts.boot.known().map(|b| &b.id);
        return Ok(match consumed {
            // It has restarted, and what it remembers may be older than what it did: nothing is repeated (rule 26).
            None if intent.boot.is_some() && boot.is_some() && intent.boot.as_ref() != boot => Verdict::Failed(Failure::WorkerDied),
            None => Verdict::Untouched,
            Some(Phase::PlatformRefused) => Verdict::Failed(Failure::PlatformRefused),
            Some(Phase::Unmet(by)) => Verdict::Failed(Failure::Hindered { by }),
            Some(Phase::Recorded | Phase::Started | Phase::Ended) if eye.age(intent.opened) > EFFECT => {
                Verdict::Failed(Failure::WorkerDied)
            }
            Some(Phase::Recorded | Phase::Started | Phase::Ended) => Verdict::Running(None),
        });
    };
    Ok(match &worker.state {
        WorkerState::Staged => Verdict::Done,
        WorkerState::Failed(f) => Verdict::Failed(Failure::WorkerFailed { code: f.code, doing: f.doing.clone() }),
        WorkerState::Cancelled => Verdict::Failed(Failure::Cancelled),
        WorkerState::Downloading(_) | WorkerState::Staging(_) if !worker.alive => Verdict::Failed(Failure::WorkerDied),
        // Alive under an entry of its own: it is taken up again, not started a second time.
        WorkerState::Downloading(_) | WorkerState::Staging(_) if consumed.is_none() && intent.cancelled.is_none() => Verdict::Untouched,
        WorkerState::Downloading(_) | WorkerState::Staging(_) => Verdict::Running(worker.state.percent()),
    })
}

fn restart(eye: &Eye<'_>, intent: &Intent, memory: &Memory) -> Result<Verdict, Decision> {
    let name = &intent.node.name;
    let facts = eye.node(name);
    let build = eye.need(name, "build", &facts.build).map_err(soon)?;
    let setup = eye.need(name, "setup state", &facts.setup).map_err(soon)?;
    let boot = &eye.need(name, "boot", &facts.boot).map_err(soon)?.id;
    if intent.target.reached_by(*build) {
        let service = eye.need(name, "cluster service", &facts.service).map_err(soon)?;
        return Ok(match intent.target.standing(*build) {
            _ if *service != ClusterService::Running || setup.running => Verdict::Running(None),
            Standing::Above => Verdict::Failed(Failure::OtherRelease),
            Standing::Below => Verdict::Failed(Failure::BelowMinimum),
            Standing::OnTarget => Verdict::Done,
        });
    }
    let commit = memory.commit.as_ref().filter(|c| c.target == intent.target && c.attempt == intent.attempt);
    let restarted = commit.map_or(intent.boot.as_ref() != Some(boot), |c| c.boot != *boot);
    let at_work = setup.running || setup.pending;
    match (commit, consumed(memory, intent)) {
        (Some(_), _) if restarted && !at_work => Ok(Verdict::Failed(Failure::RolledBack)),
        (Some(_), _) if restarted => Ok(Verdict::Running(None)),
        // Restarted, and remembers neither commit nor order: the rollback took the registry back too (rule 26).
        (None, None) if restarted && !at_work => Ok(Verdict::Failed(Failure::RolledBack)),
        // A restart that is only pending, and nothing that remembers why: it never goes on by itself.
        (None, None) if restarted && !setup.running && eye.age(intent.opened) > EFFECT => Ok(Verdict::Failed(Failure::RolledBack)),
        (None, None) if restarted => Ok(Verdict::Running(None)),
        (Some(_) | None, None) => Ok(Verdict::Untouched),
        (None, Some(Phase::PlatformRefused)) => Ok(Verdict::Failed(Failure::PlatformRefused)),
        (None, Some(Phase::Unmet(Hindrance::Told))) if intent.cancelled.is_some() => Ok(Verdict::Failed(Failure::Cancelled)),
        (None, Some(Phase::Unmet(by))) => Ok(Verdict::Failed(Failure::Hindered { by })),
        // What is committed stays so, under the number that it has.
        (Some(_), Some(Phase::PlatformRefused)) => Ok(Verdict::Failed(Failure::NotRestarted { by: Hindrance::Platform })),
        (Some(_), Some(Phase::Unmet(by))) => Ok(Verdict::Failed(Failure::NotRestarted { by })),
        (Some(_) | None, Some(Phase::Recorded | Phase::Started | Phase::Ended)) => Ok(no_effect_yet(eye, intent)),
    }
}

fn returned(eye: &Eye<'_>, intent: &Intent, memory: &Memory) -> Result<Verdict, Decision> {
    let name = &intent.node.name;
    if let Some(member) = eye.member(name).ok().filter(|m| m.state == MemberState::Up && memory.marker.is_none()) {
        // Resumed it is. What keeps the cluster from trusting it ends by itself, or by Start-ClusterNode -ClearQuarantine: no order of ours ends it.
        if member.impaired {
            eye.up(name).map_err(soon)?;
        }
        return Ok(Verdict::Done);
    }
    let service = eye.need(name, "cluster service", &eye.node(name).service).map_err(soon)?;
    match (service, consumed(memory, intent)) {
        (ClusterService::Running, None) => Ok(Verdict::Untouched),
        (ClusterService::Stopped | ClusterService::Disabled, None) => Err(soon(WaitingOn::Answer {
            node: name.clone(),
            fact: "members".to_owned(),
            gap: drydock_model::fact::Gap::ClusterServiceStopped,
        })),
        (_, Some(Phase::PlatformRefused)) => Ok(Verdict::Failed(Failure::PlatformRefused)),
        (_, Some(Phase::Unmet(by))) => Ok(Verdict::Failed(Failure::Hindered { by })),
        (_, Some(Phase::Recorded | Phase::Started | Phase::Ended)) => Ok(no_effect_yet(eye, intent)),
    }
}

/// Since when the node has been back: the Settle opens after that, and an entry may be without a stamp.
fn back(eye: &Eye<'_>, intent: &Intent) -> Option<drydock_model::time::Timestamp> {
    intent.opened.known().or_else(|| eye.ledger.settling.as_ref().and_then(|settling| settling.since.known()))
}

/// Passive: storage heals, and stays healed for a while (S2).
fn settle(eye: &Eye<'_>, intent: &Intent) -> Result<Verdict, Decision> {
    let name = &intent.node.name;
    // Nobody is out by us: while a person keeps a node paused nothing heals, and the pause is what is to be named (L3).
    if let Some(paused) = eye.named().find(|n| eye.member(n).is_ok_and(|m| m.state == MemberState::Paused)) {
        return Err(Decision::Hold(HoldReason::PersonHasNode { node: paused.clone(), committed: false }));
    }
    // One that is named no longer is looked at from the next lap on.
    if !eye.s.observed.nodes.contains_key(name) {
        return Err(soon(WaitingOn::Answer { node: name.clone(), fact: "identity".to_owned(), gap: drydock_model::fact::Gap::NotAsked }));
    }
    let storage = eye.storage().map_err(|on| Decision::Wait(on, Recheck::Usual))?;
    let late = eye.age(intent.opened) > eye.s.desired.budget(Step::Settle);
    match settled(storage) {
        Err(what) if late => Err(Decision::Hold(HoldReason::StorageStalled { node: name.clone(), what })),
        Err(what) => Err(Decision::Wait(WaitingOn::StorageRepair(what), Recheck::Usual)),
        Ok(()) => match back(eye, intent).map(|t| t + SOAK).filter(|until| eye.now() < *until) {
            Some(until) => Err(Decision::Wait(WaitingOn::Soak { node: name.clone(), until }, Recheck::At(until))),
            None => Ok(Verdict::Done),
        },
    }
}
