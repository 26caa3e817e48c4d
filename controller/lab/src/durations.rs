//! How long things take.

use drydock_model::time::Millis;
use serde::{Deserialize, Serialize};

/// The usual length of everything that takes time; each occurrence is drawn within a fifth of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Durations {
    /// Of a drain, before the first role moves.
    pub drain: Millis,
    /// Of one role's live migration.
    pub migrate: Millis,
    /// Of the download of a feature update.
    pub download: Millis,
    /// Of the update agent's installation of it.
    pub install: Millis,
    /// Of setup from media, without restart.
    pub setup: Millis,
    /// Of the update agent's commit.
    pub commit: Millis,
    /// From the shutdown to the next start, in an ordinary restart.
    pub reboot: Millis,
    /// The same for each restart of an upgrade, of which there are two or three.
    pub upgrade_reboot: Millis,
    /// From the start of a node to the start of its cluster service.
    pub service: Millis,
    /// From there until it has joined.
    pub join: Millis,
    /// Until drives have left maintenance mode after a node was resumed.
    pub leave_maintenance: Millis,
    /// From there, at most, until the repair shows.
    pub lull: Millis,
    /// Of a storage repair after the shortest absence.
    pub repair: Millis,
    /// The most that a repair takes.
    pub repair_most: Millis,
    /// How long a delayed order, or the second copy of a doubled one, may lie about.
    pub late: Millis,
}

impl Durations {
    /// As reported of real machines.
    ///
    /// Download 15, install 88, commit 4 minutes, and 37 minutes from media, were measured on a virtual machine by a public project on unattended
    /// in-place upgrades; a drain of a few minutes and a repair of many are Microsoft's words (Failover cluster maintenance procedures).
    pub const fn real() -> Durations {
        Durations {
            drain: Millis::seconds(60),
            migrate: Millis::seconds(40),
            download: Millis::minutes(15),
            install: Millis::minutes(88),
            setup: Millis::minutes(33),
            commit: Millis::minutes(4),
            reboot: Millis::minutes(4),
            upgrade_reboot: Millis::minutes(5),
            service: Millis::seconds(60),
            join: Millis::seconds(20),
            leave_maintenance: Millis::seconds(30),
            lull: Millis::seconds(60),
            repair: Millis::minutes(15),
            repair_most: Millis::minutes(90),
            late: Millis::minutes(20),
        }
    }

    /// The same shape, ten times shorter.
    pub const fn brief() -> Durations {
        Durations::real().shorter(10)
    }

    /// Everything `n` times shorter; `n` is at least 1.
    pub const fn shorter(self, n: u64) -> Durations {
        const fn cut(t: Millis, n: u64) -> Millis {
            Millis(t.0 / if n == 0 { 1 } else { n })
        }
        Durations {
            drain: cut(self.drain, n),
            migrate: cut(self.migrate, n),
            download: cut(self.download, n),
            install: cut(self.install, n),
            setup: cut(self.setup, n),
            commit: cut(self.commit, n),
            reboot: cut(self.reboot, n),
            upgrade_reboot: cut(self.upgrade_reboot, n),
            service: cut(self.service, n),
            join: cut(self.join, n),
            leave_maintenance: cut(self.leave_maintenance, n),
            lull: cut(self.lull, n),
            repair: cut(self.repair, n),
            repair_most: cut(self.repair_most, n),
            late: cut(self.late, n),
        }
    }
}
