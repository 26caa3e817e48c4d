//! What the cluster says of itself, asked through one node (`probe-cluster`, `probe-storage`).

use super::{At, MOST_DISKS, MOST_MEMBERS, MOST_NAMES, MOST_WORDS, part};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::NodeName;
use drydock_model::observed::{
    Capacity, ClusterFacts, ClusterService, DiskState, Drives, Job, JobState, Level, MemberState, NodeFacts, Preconditions, Room, Storage,
};
use drydock_model::time::Span;
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The node to ask of the cluster: one that serves or is paused by its own cluster service's word, of the newest build, as down-level tools cannot manage
/// up-level nodes (Microsoft: Cluster operating system rolling upgrade). `None` where no node can tell.
pub fn through(nodes: &BTreeMap<NodeName, NodeFacts>) -> Option<NodeName> {
    let joined = |(name, facts): &(&NodeName, &NodeFacts)| {
        facts.service.known() == Some(&ClusterService::Running)
            && facts.view.known().and_then(|view| view.members.get(*name)).is_some_and(|own| match own.state {
                MemberState::Up | MemberState::Paused => true,
                MemberState::Down | MemberState::Joining | MemberState::Unknown => false,
            })
    };
    nodes
        .iter()
        .filter(joined)
        .max_by_key(|(name, facts)| (facts.build.known().copied(), Reverse((*name).clone())))
        .map(|(name, _)| name.clone())
}

/// The facts of the cluster. `rooms` are what each node said of its own room.
pub fn cluster(
    through: NodeName,
    cluster: Result<&Value, &Gap>,
    storage: Result<&Value, &Gap>,
    rooms: &BTreeMap<NodeName, Fact<Room>>,
    seen: Span,
) -> ClusterFacts {
    ClusterFacts {
        through: Some(through),
        storage: asked(storage, |answer| storage_facts(answer, seen)),
        capacity: capacity(rooms, seen),
        level: asked(cluster, |answer| part(answer, "level", seen, level)),
        would_lose_quorum: asked(cluster, |answer| part(answer, "wouldLoseQuorum", seen, names)),
        preconditions: asked(cluster, |answer| preconditions(answer, seen)),
    }
}

/// Groups of one cluster: a virtual machine each, and some more.
const MOST_GROUPS: usize = 8_192;

fn preconditions(answer: &Value, seen: Span) -> Fact<Preconditions> {
    let all = || -> Result<Preconditions, Gap> {
        Ok(Preconditions {
            solution: known(part(answer, "solution", seen, |at| at.field("present")?.yes()))?,
            self_updating: known(part(answer, "groups", seen, self_updating))?,
            sites: known(part(answer, "sites", seen, |at| at.number()))?,
        })
    };
    match all() {
        Ok(value) => Fact::Known { value, seen },
        Err(gap) => Fact::Unknown(gap),
    }
}

/// The role may move to another node at any moment while it is not offline.
fn self_updating(at: At<'_>) -> Result<bool, Gap> {
    let mut on = false;
    for group in at.items(MOST_GROUPS)? {
        on |= group.field("type")?.text()? == "ClusterAwareUpdating" && group.field("state")?.text()? != "Offline";
    }
    Ok(on)
}

fn asked<T>(answer: Result<&Value, &Gap>, read: impl FnOnce(&Value) -> Fact<T>) -> Fact<T> {
    match answer {
        Ok(answer) => read(answer),
        Err(gap) => Fact::Unknown(gap.clone()),
    }
}

/// Room is known when every node has told its own: a sum with a gap is no sum. A node that does not answer keeps every guard closed by itself.
fn capacity(rooms: &BTreeMap<NodeName, Fact<Room>>, seen: Span) -> Fact<Capacity> {
    let mut nodes = BTreeMap::new();
    for (name, room) in rooms {
        match room {
            Fact::Known { value, .. } => nodes.insert(name.clone(), value.clone()),
            Fact::Unknown(gap) => return Fact::Unknown(gap.clone()),
        };
    }
    Fact::Known { value: Capacity { nodes }, seen }
}

fn level(at: At<'_>) -> Result<Level, Gap> {
    Ok(Level { functional: at.field("functional")?.number()?, upgrade: at.field("upgrade")?.number()? })
}

/// Drives of one server.
const MOST_DRIVES: u32 = 4_096;

fn names(at: At<'_>) -> Result<BTreeSet<NodeName>, Gap> {
    at.items(MOST_MEMBERS)?.iter().map(At::parsed).collect()
}

/// All four parts, or nothing: disks without their jobs would look healed.
fn storage_facts(answer: &Value, seen: Span) -> Fact<Storage> {
    let all = || -> Result<Storage, Gap> {
        Ok(Storage {
            disks: known(part(answer, "disks", seen, disks))?,
            jobs: known(part(answer, "jobs", seen, jobs))?,
            drives: known(part(answer, "drives", seen, drives))?,
            pool_healthy: known(part(answer, "pool", seen, pool_healthy))?,
        })
    };
    match all() {
        Ok(value) => Fact::Known { value, seen },
        Err(gap) => Fact::Unknown(gap),
    }
}

fn known<T>(fact: Fact<T>) -> Result<T, Gap> {
    match fact {
        Fact::Known { value, .. } => Ok(value),
        Fact::Unknown(gap) => Err(gap),
    }
}

fn disks(at: At<'_>) -> Result<BTreeMap<String, DiskState>, Gap> {
    let mut disks = BTreeMap::new();
    let mut names = 0;
    for item in at.items(MOST_DISKS)? {
        let name = item.field("name")?.words()?;
        names += name.len();
        if names > MOST_NAMES {
            return at.no();
        }
        let state = disk_state(&item)?;
        // Two of one name: the worse one counts.
        let worst = disks.get(&name).map_or(state, |other| std::cmp::max(*other, state));
        disks.insert(name, worst);
    }
    Ok(disks)
}

/// Several words may stand together; the worst one counts (Microsoft: Storage Spaces and Storage Spaces Direct health and operational states).
fn disk_state(at: &At<'_>) -> Result<DiskState, Gap> {
    let words = words(&at.field("operational")?)?;
    let worst = [
        ("Detached", DiskState::Detached),
        ("NoRedundancy", DiskState::NoRedundancy),
        ("Degraded", DiskState::Degraded),
        ("Incomplete", DiskState::Incomplete),
        ("InService", DiskState::Repairing),
    ];
    if let Some((_, state)) = worst.iter().find(|(word, _)| words.iter().any(|w| w == word)) {
        return Ok(*state);
    }
    let good = at.field("health")?.text()? == "Healthy" && !words.is_empty() && words.iter().all(|w| w == "OK" || w == "Suboptimal");
    Ok(if good { DiskState::Healthy } else { DiskState::Other })
}

/// Words without their blanks: one state is spelled `InService` and `In Service`.
fn words(at: &At<'_>) -> Result<Vec<String>, Gap> {
    at.items(MOST_WORDS)?.iter().map(|item| item.text().map(|word| word.replace(' ', ""))).collect()
}

fn jobs(at: At<'_>) -> Result<Vec<Job>, Gap> {
    let states = [
        ("New", JobState::Running),
        ("Starting", JobState::Running),
        ("Running", JobState::Running),
        ("Suspended", JobState::Suspended),
        ("ShuttingDown", JobState::Running),
        ("Completed", JobState::Ended),
        ("Terminated", JobState::Ended),
        ("Killed", JobState::Ended),
        ("Exception", JobState::Ended),
        ("Service", JobState::Running),
        ("QueryPending", JobState::Running),
    ];
    let job = |item: &At<'_>| -> Result<Job, Gap> {
        Ok(Job {
            name: item.field("name")?.words()?,
            state: item.field("state")?.word(&states)?,
            percent: item.field("percent")?.number::<u8>()?.min(100),
        })
    };
    let jobs: Vec<Job> = at.items(MOST_DISKS)?.iter().map(job).collect::<Result<_, _>>()?;
    if jobs.iter().map(|job| job.name.len()).sum::<usize>() > MOST_NAMES { at.no() } else { Ok(jobs) }
}

fn drives(at: At<'_>) -> Result<BTreeMap<NodeName, Drives>, Gap> {
    let mut drives = BTreeMap::new();
    for item in at.items(MOST_MEMBERS)? {
        let count = |name: &str| {
            let at = item.field(name)?;
            // They are added up later: of numbers that no pool has a sum could be anything.
            at.number().and_then(|count| if count > MOST_DRIVES { at.no() } else { Ok(count) })
        };
        let own = Drives { total: count("total")?, good: count("good")?, maintenance: count("maintenance")? };
        if drives.insert(item.field("node")?.parsed()?, own).is_some() {
            return item.field("node")?.no();
        }
    }
    Ok(drives)
}

fn pool_healthy(at: At<'_>) -> Result<bool, Gap> {
    let words = words(&at.field("operational")?)?;
    let healthy = at.field("health")?.text()? == "Healthy";
    Ok(healthy && !at.field("readOnly")?.yes()? && words.iter().all(|w| w == "OK"))
}
