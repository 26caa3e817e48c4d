//! Whether a node performs an order: one pure function over what it remembers and what it sees. A refusal consumes nothing.

use super::rules::{Rule, Rules};
use drydock_model::desired::{Build, Standing};
use drydock_model::ids::{NodeId, NodeName, Place};
use drydock_model::observed::{
    Boot, Consumed, DiskState, JobState, Marker, MemberState, Memory, Phase, Setup, Storage, View, Worker, WorkerState,
};
use drydock_model::order::{Act, Expect, MarkerExpected, Order, Receipt, StorageExpected, Unmet, Work};
use drydock_model::step::Step;
use std::cmp::Ordering;

/// What a node knows of itself besides its memory.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    /// Who it is.
    pub id: &'a NodeId,
    /// Its boot.
    pub boot: &'a Boot,
    /// Its build.
    pub build: Build,
    /// Whether setup is at work.
    pub setup: Setup,
    /// Its worker.
    pub worker: Option<&'a Worker>,
    /// Whether a detached script of an earlier order is at work.
    pub busy: bool,
}

/// What its cluster service tells it.
#[derive(Debug, Clone, Copy)]
pub struct LocalView<'a> {
    /// The members.
    pub view: &'a View,
    /// The storage.
    pub storage: &'a Storage,
    /// `WillOfflineLoseQuorum` of itself.
    pub would_lose_quorum: bool,
}

/// An order that is admitted, and the memory to be flushed before anything is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The memory with the fence raised and the entry recorded.
    pub memory: Memory,
    /// The step to perform; `None` for fences and Cancels, which are done once they are remembered.
    pub work: Option<Work>,
}

/// Whether a node performs an order.
pub fn admit(rules: &Rules, memory: &Memory, state: State<'_>, local: Option<LocalView<'_>>, order: &Order) -> Result<Admission, Receipt> {
    let refuse = |why: Unmet| Err(Receipt::Refused(why));
    if rules.on(Rule::Digest) && !order.intact() {
        return refuse(Unmet::Garbled);
    }
    if rules.on(Rule::Identity) && order.node != *state.id {
        return refuse(Unmet::OtherIdentity);
    }
    let place = &order.entry.place;
    if let Some(fence) = &memory.fence {
        match place.compare(fence) {
            None if rules.on(Rule::OtherClaim) => return refuse(Unmet::OtherClaim),
            Some(Ordering::Less) if rules.on(Rule::Fence) => return Err(Receipt::Fenced { newer: fence.clone() }),
            None | Some(_) => {}
        }
    }
    match &order.act {
        Act::Fence { marker } => {
            exempt(rules, memory, state, order)?;
            let mut after = raised(rules, memory, place);
            if let Some(marker) = marker
                && writes_back(rules, memory, marker)
            {
                after.marker = Some(marker.clone());
            }
            Ok(Admission { memory: after, work: None })
        }
        Act::Cancel => {
            exempt(rules, memory, state, order)?;
            let mut after = raised(rules, memory, place);
            after.cancelled = Some(newer(memory.cancelled.as_ref(), place));
            Ok(Admission { memory: after, work: None })
        }
        Act::Step(work) => {
            consumed_before(rules, memory, order)?;
            timely(rules, state, order)?;
            if let Err(why) = unstopped(rules, memory, work)
                .and_then(|()| expected(rules, memory, state, local, &order.expect, work.step))
                .and_then(|()| possible(rules, memory, state, local, work))
            {
                return refuse(why);
            }
            let mut after = raised(rules, memory, place);
            if rules.on(Rule::RecordFirst) {
                after.consumed = Some(Consumed { place: place.clone(), digest: order.digest.clone(), phase: Phase::Recorded });
            }
            Ok(Admission { memory: after, work: Some(work.clone()) })
        }
    }
}

/// Rule 28 taken out: fences and Cancels are then held to the stop mark as steps are.
fn exempt(rules: &Rules, memory: &Memory, state: State<'_>, order: &Order) -> Result<(), Receipt> {
    if rules.on(Rule::Exempt) {
        return Ok(());
    }
    timely(rules, state, order)?;
    if memory.stop.is_some() { Err(Receipt::Refused(Unmet::StopMark)) } else { Ok(()) }
}

fn raised(rules: &Rules, memory: &Memory, place: &Place) -> Memory {
    let mut after = memory.clone();
    after.fence = Some(newer(memory.fence.as_ref(), place));
    if !rules.on(Rule::FenceKeepsConsumed) {
        after.consumed = None;
    }
    after
}

fn newer(known: Option<&Place>, place: &Place) -> Place {
    match known {
        Some(known) if !matches!(place.compare(known), Some(Ordering::Greater)) => known.clone(),
        Some(_) | None => place.clone(),
    }
}

/// A memory that has heard of the Vacate, or of anything later, and has no marker, lost it to a person or to a Return.
fn writes_back(rules: &Rules, memory: &Memory, marker: &Marker) -> bool {
    if !rules.on(Rule::WriteBack) {
        return true;
    }
    match &memory.fence {
        None => true,
        Some(fence) => memory.marker.is_none() && fence.compare(&marker.vacate) == Some(Ordering::Less),
    }
}

fn consumed_before(rules: &Rules, memory: &Memory, order: &Order) -> Result<(), Receipt> {
    match &memory.consumed {
        Some(consumed) if consumed.place == order.entry.place => {
            if consumed.digest != order.digest {
                if rules.on(Rule::ConsumedDigest) {
                    return Err(Receipt::Refused(Unmet::OtherOrderConsumed));
                }
            } else if rules.on(Rule::ConsumedOnce) {
                return Err(Receipt::AlreadyConsumed);
            }
            Ok(())
        }
        Some(_) | None => Ok(()),
    }
}

fn timely(rules: &Rules, state: State<'_>, order: &Order) -> Result<(), Receipt> {
    if rules.on(Rule::Boot) && order.boot.as_ref().is_some_and(|boot| *boot != state.boot.id) {
        return Err(Receipt::Refused(Unmet::OtherBoot));
    }
    if rules.on(Rule::NotAfter) && order.not_after.is_some_and(|limit| state.boot.up > limit) {
        return Err(Receipt::Refused(Unmet::TooLate));
    }
    Ok(())
}

fn unstopped(rules: &Rules, memory: &Memory, work: &Work) -> Result<(), Unmet> {
    if memory.stop.is_none() || !rules.on(Rule::StopMark) {
        return Ok(());
    }
    let spared = match work.step {
        Step::Return => true,
        Step::Restart => committed(memory, work),
        Step::WriteRegistry | Step::Vacate | Step::Reboot | Step::Install | Step::Settle => false,
    };
    if spared && rules.on(Rule::StopMarkSparesWayBack) { Ok(()) } else { Err(Unmet::StopMark) }
}

/// Whether the attempt is past its point of no return.
fn committed(memory: &Memory, work: &Work) -> bool {
    memory.commit.as_ref().is_some_and(|c| c.target == work.target && c.attempt == work.attempt)
}

/// What an order expected, asked once more by its detached script: between acceptance and act minutes pass.
pub fn still(
    rules: &Rules,
    memory: &Memory,
    state: State<'_>,
    local: Option<LocalView<'_>>,
    expect: &Expect,
    work: &Work,
) -> Result<(), Unmet> {
    unstopped(rules, memory, work)?;
    expected(rules, memory, state, local, expect, work.step)
}

fn expected(
    rules: &Rules,
    memory: &Memory,
    state: State<'_>,
    local: Option<LocalView<'_>>,
    expect: &Expect,
    step: Step,
) -> Result<(), Unmet> {
    if rules.on(Rule::ExpectMarker) {
        match &expect.marker {
            MarkerExpected::Any => {}
            MarkerExpected::Absent => {
                let view = local.ok_or(Unmet::NoView)?.view;
                let paused = view.members.get(&state.id.name).is_none_or(|m| m.state != MemberState::Up);
                if memory.marker.is_some() || paused {
                    return Err(Unmet::Marker);
                }
            }
            MarkerExpected::Ours(vacate) => {
                let ours = |m: &Marker| matches!(m.vacate.compare(vacate), Some(Ordering::Equal | Ordering::Greater));
                // A person's resume leaves the marker: what is in service again is not out, and is neither installed on nor restarted.
                let goes_on = match step {
                    Step::Install | Step::Reboot | Step::Restart => true,
                    Step::WriteRegistry | Step::Vacate | Step::Return | Step::Settle => false,
                };
                let serves = local.and_then(|l| l.view.members.get(&state.id.name)).is_some_and(|m| m.state == MemberState::Up);
                if (goes_on && serves) || !memory.marker.as_ref().is_some_and(ours) {
                    return Err(Unmet::Marker);
                }
            }
        }
    }
    if let Some(build) = expect.build
        && rules.on(Rule::ExpectBuild)
        && build != state.build
    {
        return Err(Unmet::OtherBuild(state.build));
    }
    if expect.others_up && rules.on(Rule::ExpectOthersUp) {
        for (name, member) in &local.ok_or(Unmet::NoView)?.view.members {
            if *name != state.id.name && (member.state != MemberState::Up || member.impaired) {
                return Err(Unmet::NotUp(name.clone()));
            }
        }
    }
    if rules.on(Rule::ExpectStorage) {
        let fits = match expect.storage {
            StorageExpected::Any => true,
            StorageExpected::Settled => settled(local.ok_or(Unmet::NoView)?.storage),
            StorageExpected::OwnDamageOnly => own_damage_only(local.ok_or(Unmet::NoView)?.storage, &state.id.name),
        };
        if !fits {
            return Err(Unmet::Storage);
        }
    }
    if expect.quorum && rules.on(Rule::ExpectQuorum) && local.ok_or(Unmet::NoView)?.would_lose_quorum {
        return Err(Unmet::Quorum);
    }
    Ok(())
}

fn settled(storage: &Storage) -> bool {
    storage.pool_healthy
        && storage.disks.values().all(|d| *d == DiskState::Healthy)
        && storage.jobs.iter().all(|j| j.state == JobState::Ended)
        && storage.drives.values().all(|d| d.maintenance == 0 && d.good == d.total)
}

fn own_damage_only(storage: &Storage, own: &NodeName) -> bool {
    storage.disks.values().all(|d| match d {
        DiskState::Healthy | DiskState::Repairing | DiskState::Incomplete | DiskState::Degraded => true,
        DiskState::NoRedundancy | DiskState::Detached | DiskState::Other => false,
    }) && storage.jobs.iter().all(|j| j.state != JobState::Running)
        && storage.drives.iter().all(|(node, d)| node == own || (d.maintenance == 0 && d.good == d.total))
}

/// What the step itself needs, asked by its script.
fn possible(rules: &Rules, memory: &Memory, state: State<'_>, local: Option<LocalView<'_>>, work: &Work) -> Result<(), Unmet> {
    if state.busy && rules.on(Rule::OneAtATime) {
        return Err(Unmet::Busy);
    }
    let same = |w: &Worker| w.target == work.target && w.attempt == work.attempt;
    let at_work = state.worker.filter(|w| w.alive && !w.state.ended());
    match work.step {
        Step::WriteRegistry | Step::Settle => Ok(()),
        Step::Vacate => match local {
            None => Err(Unmet::NoView),
            Some(_) if state.setup.running => Err(Unmet::SetupRunning),
            Some(_) => Ok(()),
        },
        Step::Reboot => match at_work {
            Some(_) => Err(Unmet::OtherWorker),
            None if state.setup.running => Err(Unmet::SetupRunning),
            None => Ok(()),
        },
        Step::Install => match at_work {
            Some(worker) if !same(worker) => Err(Unmet::OtherWorker),
            Some(_) => Ok(()),
            None if state.setup.running => Err(Unmet::SetupRunning),
            None => Ok(()),
        },
        Step::Restart => {
            if committed(memory, work) && rules.on(Rule::CommitOnce) {
                // Restarting again is of use only while what was committed still waits for a restart (rule 18).
                let other_boot = memory.commit.as_ref().is_some_and(|c| c.boot != state.boot.id);
                let below = work.target.standing(state.build) == Standing::Below;
                return if state.setup.running {
                    Err(Unmet::SetupRunning)
                } else if other_boot && below && !state.setup.pending {
                    Err(Unmet::CommitSpent)
                } else {
                    Ok(())
                };
            }
            let staged = state.worker.is_some_and(|w| same(w) && w.state == WorkerState::Staged);
            if !staged && rules.on(Rule::Staged) { Err(Unmet::NotStaged) } else { Ok(()) }
        }
        // Resumed, it would be in service, and its next restart, whoever asked for it, would go on with the upgrade (rule 18).
        Step::Return
            if rules.on(Rule::NoReturnAfterCommit)
                && memory.commit.as_ref().is_some_and(|c| c.boot == state.boot.id && c.target.standing(state.build) == Standing::Below) =>
        {
            Err(Unmet::Committed)
        }
        Step::Return => match at_work {
            Some(_) if rules.on(Rule::ReturnAwaitsWorker) => Err(Unmet::OtherWorker),
            // What is neither paused nor in service cannot be resumed now, and its marker must not go.
            Some(_) | None => match local.and_then(|l| l.view.members.get(&state.id.name)).map(|m| m.state) {
                Some(MemberState::Paused | MemberState::Up) => Ok(()),
                Some(MemberState::Down | MemberState::Joining | MemberState::Unknown) | None => Err(Unmet::NoView),
            },
        },
    }
}
