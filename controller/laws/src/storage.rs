//! S2, S2b: storage before a node goes out, and while it is out.

use crate::Found;
use crate::case::{Case, Doing, Weight};
use drydock_model::observed::{DiskState, JobState};
use drydock_model::order::StorageExpected;

/// S2: no node is vacated unless the virtual disks are healthy, no repair runs, and the last node has settled.
pub(crate) fn s2(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    for doing in case.doing.iter().filter(|d| d.weight == Weight::TakesOut) {
        if let Some(settling) = case.ledger.and_then(|l| l.settling.as_ref()) {
            found.push(format!("{} has not settled at the {}", settling.node.name, doing.name()));
        }
        twin(doing, StorageExpected::Settled, &mut found);
        let Some(storage) = case.fresh(&case.situation.observed.cluster.storage) else {
            found.push(format!("storage is not known at the {}", doing.name()));
            continue;
        };
        if !storage.pool_healthy {
            found.push(format!("the pool is not healthy at the {}", doing.name()));
        }
        // A list that came too early says nothing of any disk.
        if storage.disks.is_empty() {
            found.push(format!("no virtual disk is seen at the {}", doing.name()));
        }
        for (disk, state) in &storage.disks {
            if *state != DiskState::Healthy {
                found.push(format!("virtual disk {disk} is {state} at the {}", doing.name()));
            }
        }
        for job in &storage.jobs {
            match job.state {
                JobState::Running | JobState::Suspended => {
                    found.push(format!("storage job {} has not ended at the {}", job.name, doing.name()))
                }
                JobState::Ended => {}
            }
        }
        for (node, drives) in &storage.drives {
            if drives.maintenance > 0 {
                found.push(format!("{} drives of {node} are in maintenance mode at the {}", drives.maintenance, doing.name()));
            }
        }
    }
    found
}

/// S2b: a node that is out goes on only while all damage is explained by that node: others' disks fine, nothing detached or without redundancy,
/// jobs at most suspended.
pub(crate) fn s2b(case: &Case<'_>) -> Found {
    let mut found = Found::new();
    for doing in case.doing.iter().filter(|d| d.weight == Weight::GoesOn) {
        twin(doing, StorageExpected::OwnDamageOnly, &mut found);
        let Some(storage) = case.fresh(&case.situation.observed.cluster.storage) else {
            found.push(format!("storage is not known at the {}", doing.name()));
            continue;
        };
        for (disk, state) in &storage.disks {
            match state {
                DiskState::Healthy | DiskState::Repairing | DiskState::Incomplete | DiskState::Degraded => {}
                DiskState::NoRedundancy | DiskState::Detached | DiskState::Other => {
                    found.push(format!("virtual disk {disk} is {state} at the {}", doing.name()));
                }
            }
        }
        for job in &storage.jobs {
            match job.state {
                JobState::Running => found.push(format!("storage job {} runs at the {}", job.name, doing.name())),
                JobState::Suspended | JobState::Ended => {}
            }
        }
        for (node, drives) in storage.drives.iter().filter(|(name, _)| **name != doing.node.name) {
            if drives.good < drives.total || drives.maintenance > 0 {
                found.push(format!("{} of {} drives of {node} are good at the {}", drives.good, drives.total, doing.name()));
            }
        }
    }
    found
}

/// The same check is made by the node, in the same script as the act.
fn twin(doing: &Doing<'_>, least: StorageExpected, found: &mut Found) {
    if let Some(order) = doing.order()
        && order.expect.storage != least
        && order.expect.storage != StorageExpected::Settled
    {
        found.push(format!("the order for {} does not make the node check the storage", doing.name()));
    }
}
