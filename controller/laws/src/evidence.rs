//! What an observation proves of an intent: that it is done, and that its order can no longer begin anything.

use crate::case::Case;
use drydock_model::desired::{Standing, Version};
use drydock_model::fact::Fact;
use drydock_model::ledger::Intent;
use drydock_model::observed::{ClusterService, DiskState, DrainStatus, JobState, MemberState, Memory, RegistryFacts, Storage, WorkerState};
use drydock_model::paths::{self, RegistryValue};
use drydock_model::step::Step;
use drydock_model::time::Millis;

/// How long a node has to have been back before it can have settled.
const PROOF: Millis = Millis::minutes(5);

/// Whether the node was heard to have done with the intent's order: it consumed it, or refuses it from now on.
pub(crate) fn heard(case: &Case<'_>, intent: &Intent) -> bool {
    match intent.step {
        // Nothing was sent.
        Step::Settle => return true,
        // An order of an earlier boot is refused (rule 11), and an upgrade may take the node's memory with it.
        Step::Reboot | Step::Restart if restarted(case, intent) => return true,
        Step::Reboot | Step::Restart | Step::WriteRegistry | Step::Vacate | Step::Install | Step::Return => {}
    }
    if case.of(&intent.node.name, |f| &f.id) != Some(&intent.node) {
        return false;
    }
    case.of(&intent.node.name, |f| &f.memory).is_some_and(|memory| {
        let place = &intent.entry.place;
        let consumed = memory.consumed.as_ref().and_then(|c| c.place.compare(place)).is_some_and(std::cmp::Ordering::is_ge);
        let fenced = memory.fence.as_ref().and_then(|fence| fence.compare(place)).is_some_and(std::cmp::Ordering::is_gt);
        // An earlier Cancel in the same block stands below a Return, and says nothing of it.
        let cancelled = memory.cancelled.as_ref().and_then(|cancel| cancel.compare(place)).is_some_and(std::cmp::Ordering::is_gt);
        consumed || fenced || cancelled
    })
}

fn restarted(case: &Case<'_>, intent: &Intent) -> bool {
    match (&intent.boot, case.of(&intent.node.name, |f| &f.boot)) {
        (Some(before), Some(now)) => *before != now.id,
        (None, _) | (_, None) => false,
    }
}

/// Whether the node consumed this very intent.
pub(crate) fn consumed<'m>(memory: &'m Memory, intent: &Intent) -> Option<&'m drydock_model::observed::Consumed> {
    memory.consumed.as_ref().filter(|c| c.place == intent.entry.place)
}

/// The done-test of the step, over what was observed and nothing else; or what speaks against it.
pub(crate) fn done(case: &Case<'_>, intent: &Intent) -> Result<(), String> {
    let name = &intent.node.name;
    let facts = case.facts(name).ok_or_else(|| format!("{name} was not observed"))?;
    let side = || case.side.as_ref().map_err(Clone::clone);
    match intent.step {
        Step::WriteRegistry => registry(case, intent),
        Step::Vacate => {
            let drained = side()?.all_see(name, |m| m.state == MemberState::Paused && m.drain == DrainStatus::Completed && m.roles == 0);
            demand(drained, || format!("{name} is not seen Paused, drained and without roles"))
        }
        Step::Reboot => {
            demand(restarted(case, intent), || format!("{name} is not seen in another boot"))?;
            in_service(case, intent)?;
            let ended = case.of(name, |f| &f.setup).is_some_and(|setup| !setup.pending);
            demand(ended, || format!("a restart is pending on {name} still"))
        }
        Step::Install => {
            let worker = need(case, &facts.worker, || format!("the worker of {name}"))?.as_ref();
            let staged = worker.is_some_and(|w| w.state == WorkerState::Staged && w.target == intent.target && w.attempt == intent.attempt);
            // Of an earlier attempt that the ledger does not know any more, perhaps; there is nothing left to stage.
            let there = case.of(name, |f| &f.build).is_some_and(|build| intent.target.standing(*build) == Standing::OnTarget);
            demand(staged || there, || format!("{name} is not seen to have staged attempt {}", intent.attempt))
        }
        Step::Restart => {
            let build = need(case, &facts.build, || format!("the build of {name}"))?;
            demand(intent.target.standing(*build) == Standing::OnTarget, || format!("{name} runs {build}"))?;
            in_service(case, intent)
        }
        Step::Return => {
            if let Some(state) = side()?.not_up(name) {
                return Err(format!("{name} is {state}"));
            }
            let memory = need(case, &facts.memory, || format!("the memory of {name}"))?;
            demand(memory.marker.is_none(), || format!("{name} still carries the marker"))
        }
        Step::Settle => {
            let storage = need(case, &case.situation.observed.cluster.storage, || "storage".to_owned())?;
            demand(whole(storage), || "storage is not seen whole".to_owned())?;
            let since = case.ledger.and_then(|l| l.settling.as_ref()).and_then(|s| s.since.known());
            demand(since.is_none_or(|since| since + PROOF <= case.situation.now.at), || {
                format!("{name} has been back for less than {PROOF}")
            })
        }
    }
}

fn demand(so: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if so { Ok(()) } else { Err(otherwise()) }
}

fn need<'f, T>(case: &Case<'_>, fact: &'f Fact<T>, what: impl FnOnce() -> String) -> Result<&'f T, String> {
    match (case.fresh(fact), case.gap(fact)) {
        (Some(value), _) => Ok(value),
        (None, Some(gap)) => Err(format!("{}: {gap}", what())),
        (None, None) => Err(what()),
    }
}

fn in_service(case: &Case<'_>, intent: &Intent) -> Result<(), String> {
    let name = &intent.node.name;
    let running = case.of(name, |f| &f.service) == Some(&ClusterService::Running);
    demand(running, || format!("the cluster service is not seen running on {name}"))?;
    let idle = case.of(name, |f| &f.setup).is_some_and(|setup| !setup.running);
    demand(idle, || format!("setup is not seen to have ended on {name}"))
}

fn registry(case: &Case<'_>, intent: &Intent) -> Result<(), String> {
    let name = &intent.node.name;
    let facts = case.facts(name).ok_or_else(|| format!("{name} was not observed"))?;
    let build = need(case, &facts.build, || format!("the build of {name}"))?;
    let values = need(case, &facts.registry, || format!("the registry of {name}"))?;
    let path = Version::of_family(build.family).and_then(|from| paths::path(from, intent.target.version));
    let wrong = path.and_then(|path| path.registry.iter().find(|value| !holds(values, value)));
    match wrong {
        Some(value) => Err(format!("{} of {name} is not {}", value.name, value.value)),
        None => Ok(()),
    }
}

/// Whether a registry value that an article asks for is there. A value that is not read is not there.
pub(crate) fn holds(values: &RegistryFacts, asked: &RegistryValue) -> bool {
    let read = match asked.name {
        "RefsEnableMetadataValidation" => values.refs_enable_metadata_validation,
        "SkipSmallLocalAllocations" => values.skip_small_local_allocations,
        _ => None,
    };
    read == Some(asked.value)
}

fn whole(storage: &Storage) -> bool {
    storage.disks.values().all(|d| *d == DiskState::Healthy)
        && storage.jobs.iter().all(|j| j.state == JobState::Ended)
        && storage.drives.values().all(|d| d.maintenance == 0)
}
