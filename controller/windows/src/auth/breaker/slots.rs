//! Logons under way, counted over all processes that share a state folder: as many locked files as may be at once. The system gives the lock of a
//! process back that dies.

use super::TOGETHER;
use super::record::file_name;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often one looks whether another process has let go. A logon takes some tenths of a second.
const LOOK: Duration = Duration::from_millis(100);

/// Locked files; given back when dropped.
pub(super) struct Slots(Vec<File>);

impl Slots {
    /// Takes `count` of them; `None` where other processes have not let go by then.
    pub(super) async fn take(folder: &Path, credential: &str, count: usize, deadline: Instant) -> io::Result<Option<Slots>> {
        let mut taken = Vec::new();
        loop {
            // One by one from the first, so that two who want all of them cannot each hold what the other one waits for.
            for number in taken.len()..TOGETHER {
                if taken.len() == count {
                    break;
                }
                let path = folder.join(format!("{}.{number}.slot", file_name(credential)));
                let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
                match file.try_lock() {
                    Ok(()) => taken.push(file),
                    Err(TryLockError::WouldBlock) if count == TOGETHER => break,
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
            if taken.len() == count {
                return Ok(Some(Slots(taken)));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            sleep_until(deadline.min(Instant::now() + LOOK)).await;
        }
    }

    /// Gives back all but `count`.
    pub(super) fn keep(&mut self, count: usize) {
        self.0.truncate(count);
    }
}
