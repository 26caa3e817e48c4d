//! What a node says of itself (`probe-node`).

use super::{At, MOST_MEMBERS, MOST_ROLES, part};
use drydock_model::desired::{Build, Target};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::{ClusterId, NodeId, NodeName, Place};
use drydock_model::observed::{
    Boot, ClusterService, Commit, CommitPhase, Consumed, DrainStatus, Hindrance, Marker, MarkerState, Member, MemberState, Memory,
    NodeFacts, Phase, RegistryFacts, Room, Setup, StopMark, View, Witness, Worker, WorkerFailure, WorkerState,
};
use drydock_model::time::{Millis, Span, Timestamp};
use serde_json::Value;
use std::collections::BTreeMap;

/// The facts of one node from the answer of `probe-node`. `seen` runs from the question to the answer, by the controller's clock.
pub fn node(answer: &Value, seen: Span) -> NodeFacts {
    NodeFacts {
        id: part(answer, "identity", seen, identity),
        boot: part(answer, "boot", seen, boot),
        clock: part(answer, "clock", seen, instant),
        build: part(answer, "build", seen, build),
        memory: part(answer, "memory", seen, memory),
        registry: part(answer, "registry", seen, registry),
        worker: part(answer, "worker", seen, |at| at.optional(worker)),
        setup: part(answer, "setup", seen, setup),
        service: part(answer, "service", seen, service),
        view: part(answer, "view", seen, view),
        disk_free: part(answer, "diskFree", seen, |at| at.number()),
    }
}

/// What the node says of its room for roles, which only it can tell of itself.
pub fn room(answer: &Value, seen: Span) -> Fact<Room> {
    part(answer, "room", seen, |at| {
        let roles = at.field("rolesMib")?.items(MOST_ROLES)?;
        Ok(Room { free_mib: at.field("freeMib")?.number()?, roles_mib: roles.iter().map(At::number).collect::<Result<_, _>>()? })
    })
}

fn identity(at: At<'_>) -> Result<NodeId, Gap> {
    Ok(NodeId {
        name: at.field("name")?.parsed()?,
        machine: at.field("machine")?.parsed()?,
        cluster: at.field("cluster")?.parsed()?,
        node: at.field("node")?.parsed()?,
    })
}

fn boot(at: At<'_>) -> Result<Boot, Gap> {
    Ok(Boot { id: at.field("id")?.parsed()?, up: Millis(at.field("upMs")?.number()?) })
}

fn instant(at: At<'_>) -> Result<Timestamp, Gap> {
    let instant: jiff::Timestamp = at.parsed()?;
    Ok(Timestamp(instant.as_millisecond()))
}

fn build(at: At<'_>) -> Result<Build, Gap> {
    let build = Build { family: at.field("build")?.number()?, revision: at.field("revision")?.number()? };
    // In status it is a text: one that cannot be read there would make its whole entry unreadable.
    build.to_string().parse().or_else(|_| at.no())
}

fn memory(at: At<'_>) -> Result<Memory, Gap> {
    let place = |at: At<'_>| at.parsed::<Place>();
    Ok(Memory {
        fence: at.field("fence")?.optional(place)?,
        consumed: at.field("consumed")?.optional(consumed)?,
        marker: at.field("marker")?.optional(marker)?,
        commit: at.field("commit")?.optional(commit)?,
        cancelled: at.field("cancelled")?.optional(place)?,
        registry_written: at.field("registryWritten")?.optional(|at| at.parsed())?,
        stop: at.field("stop")?.optional(stop)?,
    })
}

fn consumed(at: At<'_>) -> Result<Consumed, Gap> {
    let phases = [
        ("Recorded", Phase::Recorded),
        ("Started", Phase::Started),
        ("Ended", Phase::Ended),
        ("PlatformRefused", Phase::PlatformRefused),
        ("UnmetTold", Phase::Unmet(Hindrance::Told)),
        ("UnmetStopMark", Phase::Unmet(Hindrance::StopMark)),
        ("UnmetMarker", Phase::Unmet(Hindrance::Marker)),
        ("UnmetNotUp", Phase::Unmet(Hindrance::NotUp)),
        ("UnmetNoView", Phase::Unmet(Hindrance::NoView)),
        ("UnmetStorage", Phase::Unmet(Hindrance::Storage)),
        ("UnmetOtherBuild", Phase::Unmet(Hindrance::OtherBuild)),
        ("UnmetQuorum", Phase::Unmet(Hindrance::Quorum)),
        ("UnmetTooLate", Phase::Unmet(Hindrance::TooLate)),
        ("UnmetPlatform", Phase::Unmet(Hindrance::Platform)),
    ];
    Ok(Consumed { place: at.field("place")?.parsed()?, digest: at.field("digest")?.parsed()?, phase: at.field("phase")?.word(&phases)? })
}

fn marker(at: At<'_>) -> Result<Marker, Gap> {
    let states = [("Suspending", MarkerState::Suspending), ("Suspended", MarkerState::Suspended)];
    Ok(Marker { vacate: at.field("vacate")?.parsed()?, state: at.field("state")?.word(&states)? })
}

fn commit(at: At<'_>) -> Result<Commit, Gap> {
    let phases = [("Committing", CommitPhase::Committing), ("Committed", CommitPhase::Committed), ("Restarting", CommitPhase::Restarting)];
    Ok(Commit {
        target: at.field("target")?.parsed::<Target>()?,
        attempt: at.field("attempt")?.number()?,
        phase: at.field("phase")?.word(&phases)?,
        boot: at.field("boot")?.parsed()?,
    })
}

/// A stop mark counts whatever a person wrote into it.
fn stop(at: At<'_>) -> Result<StopMark, Gap> {
    Ok(StopMark { who: at.field("who")?.words()?, when: at.field("when")?.words()?, why: at.field("why")?.words()? })
}

fn registry(at: At<'_>) -> Result<RegistryFacts, Gap> {
    Ok(RegistryFacts {
        refs_enable_metadata_validation: at.field("refsEnableMetadataValidation")?.optional(|at| at.number())?,
        skip_small_local_allocations: at.field("skipSmallLocalAllocations")?.optional(|at| at.number())?,
    })
}

fn worker(at: At<'_>) -> Result<Worker, Gap> {
    let percent = || -> Result<u8, Gap> {
        let at = at.field("percent")?;
        Ok(at.number::<u8>()?.min(100))
    };
    let state = match at.field("state")?.text()? {
        "Downloading" => WorkerState::Downloading(percent()?),
        "Staging" => WorkerState::Staging(percent()?),
        "Staged" => WorkerState::Staged,
        "Failed" => WorkerState::Failed(WorkerFailure { code: at.field("code")?.number()?, doing: at.field("doing")?.words()? }),
        "Cancelled" => WorkerState::Cancelled,
        _ => return at.field("state")?.no(),
    };
    Ok(Worker {
        place: at.field("place")?.parsed()?,
        target: at.field("target")?.parsed()?,
        attempt: at.field("attempt")?.number()?,
        state,
        alive: at.field("alive")?.yes()?,
    })
}

fn setup(at: At<'_>) -> Result<Setup, Gap> {
    Ok(Setup { running: at.field("running")?.yes()?, pending: at.field("pending")?.yes()? })
}

fn service(at: At<'_>) -> Result<ClusterService, Gap> {
    at.word(&[("Running", ClusterService::Running), ("Stopped", ClusterService::Stopped), ("Disabled", ClusterService::Disabled)])
}

fn view(at: At<'_>) -> Result<View, Gap> {
    let mut members = BTreeMap::new();
    for item in at.field("members")?.items(MOST_MEMBERS)? {
        let name: NodeName = item.field("name")?.parsed()?;
        // Two members of one name would leave one unseen.
        if members.insert(name, member(&item)?).is_some() {
            return item.field("name")?.no();
        }
    }
    // An empty cluster is no answer.
    if members.is_empty() {
        return at.field("members")?.no();
    }
    Ok(View { cluster: at.field("cluster")?.parsed::<ClusterId>()?, members, witness: witness(&at.field("witness")?)? })
}

fn member(at: &At<'_>) -> Result<Member, Gap> {
    let states = [MemberState::Up, MemberState::Down, MemberState::Paused, MemberState::Joining, MemberState::Unknown];
    let drains = [
        ("NotInitiated", DrainStatus::NotInitiated),
        ("InProgress", DrainStatus::InProgress),
        ("Completed", DrainStatus::Completed),
        ("Failed", DrainStatus::Failed),
    ];
    Ok(Member {
        state: at.field("state")?.one_of(&states)?,
        drain: at.field("drain")?.word(&drains)?,
        impaired: impaired(&at.field("information")?)?,
        vote: at.field("dynamicWeight")?.number::<u32>()? != 0,
        roles: at.field("roles")?.number()?,
    })
}

/// `StatusInformation` is a set of flags, as their words or, where one has no word, as a number. Words that are not known here count as impaired: what a
/// newer Windows means by them is not known either.
fn impaired(at: &At<'_>) -> Result<bool, Gap> {
    const HARMLESS: u64 = 4 | 8 | 16 | 32;
    let text = at.text()?;
    if let Ok(bits) = text.parse::<u64>() {
        return Ok(bits & !HARMLESS != 0);
    }
    Ok(text.split(", ").any(|word| match word {
        "Normal" | "DrainInProgress" | "DrainCompleted" | "DrainFailed" | "AvoidPlacement" => false,
        "Isolated" | "Quarantined" => true,
        _ => true,
    }))
}

fn witness(at: &At<'_>) -> Result<Witness, Gap> {
    match at.field("kind")?.text()? {
        "None" => Ok(Witness::None),
        "Online" => Ok(Witness::Online { vote: at.field("dynamicWeight")?.number::<u32>()? != 0 }),
        "Offline" => Ok(Witness::Offline),
        _ => at.field("kind")?.no(),
    }
}
