//! libgit2's settings, which are of the whole process: set once, before the first repository is opened.
//!
//! Without the two timeouts a fetch from a remote that accepts and never answers hangs for ever.

use git2::opts;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What the whole process uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long connecting may take.
    pub connect: Duration,
    /// How long a connected server may be silent.
    pub answer: Duration,
    /// A file of certificates (PEM) that are trusted beside the system's: the private CA of an `https` remote.
    pub ca_file: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        // A forge under load answers a fetch within seconds; a minute of silence is a dead peer.
        Self { connect: Duration::from_secs(15), answer: Duration::from_secs(60), ca_file: None }
    }
}

/// Why the settings could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// Somebody settled other values before; they cannot change while repositories are open.
    #[error("git's process-wide limits were set before, to other values ({settled:?}); set them before the first repository is opened")]
    SettledOtherwise {
        /// What is in force.
        settled: Box<Limits>,
    },
    /// The certificate file does not serve.
    #[error("the CA file {file} is not usable; it must be readable and hold certificates in PEM form")]
    CaFile {
        /// The file.
        file: PathBuf,
        /// What libgit2 said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// libgit2 refused a value.
    #[error("git's process-wide limits could not be set")]
    Refused(#[source] git2::Error),
}

/// Pack files are mapped in windows of this size, so that one huge pack does not claim the address space at once.
const WINDOW: usize = 32 * 1024 * 1024;
/// All windows together: far above a fleet repository, far below the machine's memory.
const WINDOWS: usize = 1024 * 1024 * 1024;
/// Pack files kept open at once, well below the usual limit of 1,024 open files.
const OPEN_PACKS: usize = 256;

static SETTLED: Mutex<Option<Limits>> = Mutex::new(None);

/// Sets the limits of this process; the same values again are fine, others are refused.
pub fn settle(limits: &Limits) -> Result<(), LimitsError> {
    let mut settled = SETTLED.lock().unwrap_or_else(PoisonError::into_inner);
    match &*settled {
        Some(old) if old == limits => return Ok(()),
        Some(old) => return Err(LimitsError::SettledOtherwise { settled: Box::new(old.clone()) }),
        None => {}
    }
    if let Some(file) = &limits.ca_file {
        std::fs::File::open(file).map_err(|source| LimitsError::CaFile { file: file.clone(), source: Box::new(source) })?;
    }
    opts::strict_object_creation(true);
    opts::strict_hash_verification(true);
    apply(limits).map_err(|source| match &limits.ca_file {
        Some(file) if source.class() == git2::ErrorClass::Ssl => LimitsError::CaFile { file: file.clone(), source: Box::new(source) },
        Some(_) | None => LimitsError::Refused(source),
    })?;
    *settled = Some(limits.clone());
    Ok(())
}

/// What is in force; the defaults are settled now if nothing was.
pub(crate) fn settled() -> Result<Limits, LimitsError> {
    let now = SETTLED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match now {
        Some(limits) => Ok(limits),
        None => match settle(&Limits::default()) {
            Ok(()) => Ok(Limits::default()),
            // Another thread was faster: its values hold.
            Err(LimitsError::SettledOtherwise { settled }) => Ok(*settled),
            Err(other) => Err(other),
        },
    }
}

fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX).max(1)
}

/// The bindings mark these `unsafe` because libgit2 keeps the values in plain globals: writing them while another thread is
/// inside libgit2 is a data race. `settle` runs them once, under its lock, before this crate opens anything.
#[allow(unsafe_code, reason = "libgit2 has no other way to set its timeouts, and without them a fetch can hang")]
fn apply(limits: &Limits) -> Result<(), git2::Error> {
    unsafe {
        opts::set_server_connect_timeout_in_milliseconds(milliseconds(limits.connect))?;
        opts::set_server_timeout_in_milliseconds(milliseconds(limits.answer))?;
        opts::set_mwindow_size(WINDOW)?;
        opts::set_mwindow_mapped_limit(WINDOWS)?;
        opts::set_mwindow_file_limit(OPEN_PACKS)?;
        if let Some(file) = &limits.ca_file {
            opts::set_ssl_cert_file(file)?;
        }
    }
    Ok(())
}
