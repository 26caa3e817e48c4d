//! What the tests share: a clock and dice, and where PowerShell is.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses a part")]

use drydock_model::time::Timestamp;
use drydock_windows::auth::{Breaker, Instruments};
use drydock_windows::credential::{Credentials, Reference};
use drydock_windows::local::Program;
use drydock_windows::session::{Config, Sessions, Target, Transport};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub const MINUTE: Duration = Duration::from_secs(60);

/// A variable that holds a secret, in the one test that has one: for the code under test, and not for the servers.
pub const CANARY: &str = "DRYDOCK_TEST_CANARY";

/// A clock of the wall, and dice that count (no test here needs them to be fair, and all need them to differ).
pub struct Bench {
    dice: AtomicU64,
}

impl Bench {
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { dice: AtomicU64::new(seed) })
    }
}

impl Instruments for Bench {
    #[allow(clippy::disallowed_methods, reason = "the clock adapter of these tests")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_millis()).unwrap())
    }

    fn dice(&self) -> u64 {
        self.dice.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst)
    }
}

/// Says that this test, or a part of it, is left out. To the handle itself: what goes through the macros is shown of failed tests only.
pub fn left_out(why: &str) {
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    std::io::stderr().write_all(format!("LEFT OUT: {name}: {why}\n").as_bytes()).unwrap();
}

/// The PowerShell that `DRYDOCK_PWSH` names, else one on `PATH`. Without a registry provider no script of ours runs. `None`, said by name.
pub fn powershell() -> Option<String> {
    static FOUND: OnceLock<Option<String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find().filter(|path| has_registry(path)));
    if found.is_none() {
        left_out("there is no PowerShell with a registry provider (DRYDOCK_PWSH, pwsh or powershell.exe on PATH)");
    }
    found.clone()
}

fn find() -> Option<String> {
    if let Ok(path) = std::env::var("DRYDOCK_PWSH") {
        assert!(Path::new(&path).exists(), "DRYDOCK_PWSH names {path}, which is not there");
        return Some(path);
    }
    let paths = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&paths).flat_map(|p| ["pwsh", "powershell.exe"].map(|n| p.join(n))).find(|p| p.exists());
    found.map(|p| p.to_string_lossy().into_owned())
}

fn has_registry(powershell: &str) -> bool {
    let asked = Command::new(powershell).args(["-NoProfile", "-NonInteractive", "-Command", "(Get-PSDrive HKLM).Provider.Name"]).output();
    asked.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("Registry"))
}

pub fn local(node: &str, program: &str) -> Target {
    Target {
        node: node.parse().unwrap(),
        address: String::new(),
        transport: Transport::Local(Program { path: program.to_owned(), environment: BTreeMap::new() }),
        credential: String::new(),
    }
}

pub struct Bed {
    pub folder: tempfile::TempDir,
    pub sessions: Sessions,
}

pub fn bed(references: BTreeMap<String, Reference>, change: impl FnOnce(&mut Config)) -> Bed {
    // As of different processes: no two beds throw the same.
    static BEDS: AtomicU64 = AtomicU64::new(1);
    bed_by(Bench::new(u64::from(std::process::id()) << 32 | BEDS.fetch_add(1, Ordering::SeqCst) << 8), references, change)
}

/// The same, by the test's own clock.
pub fn bed_by(bench: Arc<dyn Instruments>, references: BTreeMap<String, Reference>, change: impl FnOnce(&mut Config)) -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::new("tests", drydock_windows::scripts::HOST);
    change(&mut config);
    let breaker = Arc::new(Breaker::new(&folder.path().join("breaker"), bench.clone()).unwrap());
    let credentials = Arc::new(Credentials::new(references, bench.clone()));
    Bed { sessions: Sessions::new(config, bench, credentials, breaker), folder }
}
