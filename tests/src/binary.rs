//! The real binary, a real repository and a lab process, for tests that kill.

use crate::repository::Repository;
use drydock::clock::System;
use drydock::controller::{AnyClock, LabTime};
use drydock_engine::ports::Clock;
use drydock_git::limits::{self, Limits};
use drydock_git::{Oid, SigningKey};
use drydock_lab::ClusterConfig;
use drydock_lab::process::{Client, Status};
use drydock_model::time::Millis;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use tempfile::TempDir;

/// The binary, built in the profile that the tests were built in.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().expect("a test knows where it is");
        // target/debug/deps/test
        let profile = test.ancestors().nth(2).expect("tests lie in a target folder");
        let target = profile.parent().expect("profiles lie in a target folder");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // Of the workspace, as the tests are: a package by itself would be built with fewer features, and all below it once more.
        build
            .args(["build", "--quiet", "--workspace", "--bin", "drydock", "--target-dir"])
            .arg(target)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success(), "the binary cannot be built");
        profile.join("drydock")
    })
}

/// A process of ours, ended when it is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().expect("our own process can be killed");
        self.child.wait().expect("and waited for");
    }

    /// SIGTERM, and its end.
    pub fn stop(mut self) -> ExitStatus {
        let kill = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        assert!(kill.expect("sh runs").success());
        self.child.wait().expect("our own process can be waited for")
    }

    /// Waits for its end.
    pub fn end(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().expect("our own process can be waited for");
        (status, self.said())
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own process can be asked for")
    }

    /// What it wrote.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

/// A fleet of one simulated cluster of two nodes, as files, processes and a repository.
pub struct Field {
    folder: TempDir,
    repository: Repository,
    time: LabTime,
    clock: AnyClock,
    lab: Client<AnyClock>,
    started: u32,
    _lab: Process,
}

/// The cluster's file; `more` are lines of its spec.
pub fn cluster(more: &str) -> String {
    format!(
        "apiVersion: drydock/v1alpha1\nkind: Cluster\nmetadata:\n  name: till-042\nspec:\n  nodes: [{{name: T042A}}, {{name: T042B}}]\n  \
         connection: {{transport: Lab}}\n  operatingSystem: {{version: 23H2}}\n  source: {{windowsUpdate: {{}}}}\n{}",
        if more.is_empty() { String::new() } else { format!("  {more}") }
    )
}

impl Field {
    /// Everything but a controller. `speed` is how many times faster than the clock on the wall the lab's time runs.
    pub fn new(seed: u64, speed: u32) -> Field {
        limits::settle(&Limits::default()).expect("the limits of a test process are its own");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path();
        let repository = Repository::new(path, seed);
        let time = LabTime { ahead: Millis::ZERO, origin: Clock::now(&System), speed };
        let clock = AnyClock::Lab(time.clock());
        for name in ["north", "south"] {
            fs::write(path.join(format!("{name}.yaml")), config(path, name, repository.key())).expect("a configuration");
        }
        let nodes = ["T042A", "T042B"].map(|n| n.parse().expect("a node's name")).to_vec();
        let simulated = ClusterConfig::new("till-042".parse().expect("a name"), nodes, "20349.3692".parse().expect("a build"));
        fs::write(path.join("lab.json"), serde_json::to_string(&[simulated]).expect("JSON")).expect("the lab's clusters");
        let at = |file: &str| path.join(file).display().to_string();
        let (socket, clusters, seed, times) = (at("lab.sock"), at("lab.json"), seed.to_string(), time.to_string());
        let lab_process = start(path, "lab", &["lab", "--socket", &socket, "--clusters", &clusters, "--seed", &seed, "--lab-time", &times]);
        let lab = Client::new(&path.join("lab.sock"), Duration::from_secs(20), clock.clone());
        let mut field = Field { folder, repository, time, clock, lab, started: 0, _lab: lab_process };
        field.merge("Begin the fleet", &[("clusters/till-042.yaml", &cluster(""))]);
        Repository::init(&field.folder.path().join("north.yaml"));
        field
    }

    /// Merges files into main.
    pub fn merge(&mut self, title: &str, files: &[(&str, &str)]) -> Oid {
        self.repository.merge(title, files, self.clock.now())
    }

    /// Starts a controller.
    pub fn controller(&mut self, name: &str, arguments: &[&str]) -> Process {
        self.started += 1;
        let (config, time) = (self.folder.path().join(format!("{name}.yaml")).display().to_string(), self.time.to_string());
        let mut all = vec!["run", "--config", &config, "--lab-time", &time];
        all.extend(arguments);
        start(self.folder.path(), &format!("{name}-{}", self.started), &all)
    }

    /// How everything stands in truth.
    pub async fn truth(&self) -> Status {
        self.lab.status().await.expect("the lab answers")
    }

    /// How many things happened to the nodes so far.
    pub async fn effects(&self) -> usize {
        self.lab.effects(0).await.expect("the lab answers").len()
    }

    /// Waits, for at most `most` of real time, until every node runs 23H2 and serves.
    pub async fn until_upgraded(&self, most: Duration) -> Result<Status, Status> {
        let began = Clock::now(&System);
        loop {
            let truth = self.truth().await;
            let done = |c: &drydock_lab::process::ClusterStatus| c.at_rest && c.builds.values().all(|b| b.family == 25_398);
            if truth.clusters.values().all(done) {
                return Ok(truth);
            }
            if u128::from(Clock::now(&System).since(began).0) > most.as_millis() {
                return Err(truth);
            }
            Clock::sleep(&System, Millis(100)).await;
        }
    }

    /// The fleet's repository.
    pub fn repository(&mut self) -> &mut Repository {
        &mut self.repository
    }
}

pub(crate) fn start(folder: &Path, name: &str, arguments: &[&str]) -> Process {
    let log = folder.join(format!("{name}.log"));
    let file = File::create(&log).expect("a log");
    let child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(file.try_clone().expect("a log"))
        .stderr(file)
        .spawn()
        .expect("the binary runs");
    Process { child, log }
}

fn config(folder: &Path, name: &str, key: &SigningKey) -> String {
    format!(
        "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: {name}\ndesired:\n  remote: '{}'\n  poll: 30s\n\
         stateDirectory: '{}'\nsigningKey: '{}'\nallowedSigners:\n  controllers:\n    - {}\nlab:\n  socket: '{}'\n",
        folder.join("fleet.git").display(),
        folder.join(format!("state-{name}")).display(),
        folder.join("controller.key").display(),
        key.public(),
        folder.join("lab.sock").display(),
    )
}
