//! The two storage gates: the strict one before a node is taken and after it returned, the tolerant one while it is out
//! (Microsoft: Take an Azure Local machine offline for maintenance).

use drydock_model::ids::NodeName;
use drydock_model::observed::{DiskState, JobState, Storage};

/// Whether everything has healed: every disk healthy, no job, no drive in maintenance mode. Says what has not.
pub fn settled(storage: &Storage) -> Result<(), String> {
    // Every pool of Storage Spaces Direct has one, if only for its own performance history: an empty list is an answer that came too early.
    if storage.disks.is_empty() {
        return Err("no virtual disk is seen".to_owned());
    }
    for (name, state) in &storage.disks {
        match state {
            DiskState::Healthy => {}
            DiskState::Repairing
            | DiskState::Incomplete
            | DiskState::Degraded
            | DiskState::NoRedundancy
            | DiskState::Detached
            | DiskState::Other => return Err(format!("virtual disk {name} is {state}")),
        }
    }
    for job in &storage.jobs {
        match job.state {
            JobState::Ended => {}
            JobState::Running => return Err(format!("storage job {} runs, {} % done", job.name, job.percent)),
            JobState::Suspended => return Err(format!("storage job {} is suspended, {} % done", job.name, job.percent)),
        }
    }
    for (node, drives) in &storage.drives {
        if drives.maintenance > 0 {
            return Err(format!("drives of {node} are in maintenance mode: {}", drives.maintenance));
        }
        if drives.good < drives.total {
            return Err(format!("drives of {node} are not healthy: {} of {}", drives.total - drives.good, drives.total));
        }
    }
    if storage.pool_healthy { Ok(()) } else { Err("the storage pool is not healthy".to_owned()) }
}

/// Whether all damage is explained by the absence of `node` (S2b). Says what is not.
pub fn own_damage_only(storage: &Storage, node: &NodeName) -> Result<(), String> {
    for (name, state) in &storage.disks {
        match state {
            DiskState::Healthy | DiskState::Repairing | DiskState::Incomplete | DiskState::Degraded => {}
            DiskState::NoRedundancy | DiskState::Detached | DiskState::Other => return Err(format!("virtual disk {name} is {state}")),
        }
    }
    for (other, drives) in &storage.drives {
        if other != node && (drives.maintenance > 0 || drives.good < drives.total) {
            return Err(format!("drives of {other} are not healthy: {} of {}", drives.total - drives.good, drives.total));
        }
    }
    for job in &storage.jobs {
        match job.state {
            JobState::Ended | JobState::Suspended => {}
            JobState::Running => return Err(format!("storage job {} runs, {} % done", job.name, job.percent)),
        }
    }
    Ok(())
}
