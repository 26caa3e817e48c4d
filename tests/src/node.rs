//! Stub nodes (tests/node) under real PowerShell: a cluster of them, a session host on each, and orders sent to their scripts.
//!
//! The PowerShell is the one that `DRYDOCK_PWSH` names, else `pwsh` or `powershell.exe` on PATH. Where there is none, or one without a registry
//! provider, [`StubCluster::lease`] answers nothing and says so: its tests then pass without having run, by name and in a count.

mod hand;
mod host;
mod orders;

pub use host::{Host, ScriptError, powershell, scripts_run};
pub use orders::{Gap, arguments as order_arguments, receipt};

use drydock_model::ids::{Epoch, NodeId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The folder of the stub node.
pub fn stub_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

/// The folder of the scripts.
pub fn scripts_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../controller/windows/scripts")
}

/// Longer than anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many tests found no PowerShell.
static LEFT_OUT: AtomicU32 = AtomicU32::new(0);
/// Clusters that a test has given back; each has warm session hosts.
static IDLE: Mutex<Vec<StubCluster>> = Mutex::new(Vec::new());

/// A stub cluster of four nodes, N01 to N04.
pub struct StubCluster {
    folder: PathBuf,
    environment: BTreeMap<String, BTreeMap<String, String>>,
    hosts: BTreeMap<String, Host>,
    platform: Option<BufReader<TcpStream>>,
    token: String,
    /// The claim that orders bear.
    pub epoch: Epoch,
    /// The number of the last order.
    pub seq: u32,
    /// The attempt that orders bear.
    pub attempt: u8,
}

/// A cluster for one test, given back when the test has passed.
pub struct Lease(Option<StubCluster>);

impl Drop for Lease {
    fn drop(&mut self) {
        if !std::thread::panicking()
            && let Some(cluster) = self.0.take()
            && let Ok(mut idle) = IDLE.lock()
        {
            idle.push(cluster);
        }
    }
}

impl std::ops::Deref for Lease {
    type Target = StubCluster;
    fn deref(&self) -> &StubCluster {
        self.0.as_ref().expect("a lease holds its cluster until it is dropped")
    }
}

impl std::ops::DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut StubCluster {
        self.0.as_mut().expect("a lease holds its cluster until it is dropped")
    }
}

impl StubCluster {
    /// A cluster as new, or nothing where there is no PowerShell to run it with. `seed` draws what the documentation leaves open.
    pub fn lease(seed: u64) -> Option<Lease> {
        let Some(pwsh) = host::powershell() else {
            let name = std::thread::current().name().unwrap_or("a test").to_owned();
            let count = LEFT_OUT.fetch_add(1, Ordering::Relaxed) + 1;
            let why = "no PowerShell with a registry provider (DRYDOCK_PWSH, pwsh or powershell.exe on PATH)";
            crate::left_out(&name, &format!("{why}; {count} left out so far"));
            return None;
        };
        let idle = IDLE.lock().map(|mut idle| idle.pop()).unwrap_or_default();
        let mut cluster = idle.unwrap_or_else(|| StubCluster::new(&pwsh));
        cluster.faults(&json!({"drawn": calm()}));
        cluster.pace(&json!({}));
        cluster.act("reset", None, json!({"seed": seed}));
        cluster.seq = 0;
        cluster.attempt = 1;
        cluster.epoch = crate::hand::claim(1, "ab");
        Some(Lease(Some(cluster)))
    }

    fn new(pwsh: &Path) -> StubCluster {
        let folder = tempfile::tempdir().expect("a temporary folder").keep();
        let made = python(&folder)
            .args(["-m", "stub", "make"])
            .arg(&folder)
            .args(["--owner", &std::process::id().to_string(), "--pwsh"])
            .arg(pwsh)
            .output()
            .expect("Python 3.11 makes the stub nodes");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let environment = serde_json::from_slice(&made.stdout).expect("the environments of the nodes");
        StubCluster {
            folder,
            environment,
            hosts: BTreeMap::new(),
            platform: None,
            token: String::new(),
            epoch: crate::hand::claim(1, "ab"),
            seq: 0,
            attempt: 1,
        }
    }

    /// The folder of a node.
    pub fn home(&self, node: &str) -> PathBuf {
        self.folder.join("nodes").join(node)
    }

    /// Writes the switches of faults; `{}` for none, beside what is drawn calmly.
    pub fn faults(&mut self, faults: &Value) {
        put(&self.folder.join("faults.json"), faults);
    }

    /// The switches of one node, with everything drawn calmly.
    pub fn fault(&mut self, node: &str, switches: Value) {
        self.faults(&json!({"drawn": calm(), node: switches}));
    }

    /// How long things take, in milliseconds; what is not said stays short.
    pub fn pace(&mut self, pace: &Value) {
        put(&self.folder.join("pace.json"), pace);
    }

    /// Something takes so long that a test comes in between, until [`StubCluster::hurry`].
    pub fn linger(&mut self, what: &str) {
        self.pace(&json!({what: 20_000, "parts": 40}));
    }

    /// Everything goes on at its usual short pace.
    pub fn hurry(&mut self) {
        self.pace(&json!({}));
    }

    /// What only a test may do: a blow from outside, a look at the truth.
    pub fn act(&mut self, act: &str, node: Option<&str>, args: Value) -> Value {
        if self.platform.is_none() {
            self.connect();
        }
        let platform = self.platform.as_mut().expect("connected just now");
        let request = json!({"token": self.token, "act": act, "node": node, "args": args});
        let mut line = String::new();
        platform.get_mut().write_all(format!("{request}\n").as_bytes()).expect("the platform listens");
        platform.read_line(&mut line).expect("the platform answers");
        let answer: Value = serde_json::from_str(&line).expect("one line of JSON");
        assert_eq!(answer["ok"], true, "{act}: {answer}");
        answer["value"].clone()
    }

    fn connect(&mut self) {
        // Any process of a node starts the platform when it needs it; here it is needed before them.
        let began = python(&self.folder).args(["-m", "stub", "act"]).arg(&self.folder).arg("state").output().expect("Python runs");
        assert!(began.status.success(), "{}", String::from_utf8_lossy(&began.stderr));
        let text = std::fs::read_to_string(self.folder.join("platform.json")).expect("the platform says where it is");
        let there: Value = serde_json::from_str(&text).expect("JSON");
        let port = u16::try_from(there["port"].as_u64().expect("a port")).expect("a port");
        there["token"].as_str().expect("a token").clone_into(&mut self.token);
        let link = TcpStream::connect(("127.0.0.1", port)).expect("the platform listens");
        link.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        link.set_nodelay(true).expect("no delay");
        self.platform = Some(BufReader::new(link));
    }

    /// Waits until something holds; the platform answers when it does.
    pub fn wait(&mut self, what: Value) {
        let mut asked = what.clone();
        asked["most_ms"] = json!(30_000);
        let held = self.act("wait", None, asked);
        assert!(held == true, "not in time: {what}; {}", self.act("state", None, json!({}))["nodes"]["N01"]);
    }

    /// Waits until a field of a node has a value.
    pub fn until(&mut self, node: &str, field: &str, value: Value) {
        self.wait(json!({"field": format!("nodes.{node}.{field}"), "in": [value]}));
    }

    /// Waits until the worker of a node shows one of these states.
    pub fn until_worker(&mut self, node: &str, states: &[&str]) {
        self.wait(json!({"worker": node, "in": states}));
    }

    /// Waits until no task of a node runs.
    pub fn until_idle(&mut self, node: &str) {
        self.wait(json!({"idle": node}));
    }

    /// How often something happened to a node, as the platform knows it.
    pub fn count(&mut self, node: &str, did: &str) -> usize {
        let state = self.act("state", None, json!({}));
        state["effects"].as_array().expect("effects").iter().filter(|e| e["node"] == node && e["did"] == did).count()
    }

    /// What the platform knows of a node.
    pub fn truth(&mut self, node: &str) -> Value {
        self.act("state", None, json!({}))["nodes"][node].clone()
    }

    /// The session host of a node, started and loaded where it does not live.
    pub fn host(&mut self, node: &str) -> &mut Host {
        let environment = &self.environment[node];
        let host = self.hosts.entry(node.to_owned()).or_insert_with(|| Host::start(environment));
        if !host.lives() {
            *host = Host::start(environment);
        }
        host
    }

    /// One more session host on a node, beside the first.
    pub fn second_host(&self, node: &str) -> Host {
        Host::start(&self.environment[node])
    }

    /// The environment of a node's processes.
    pub fn environment(&self, node: &str) -> &BTreeMap<String, String> {
        &self.environment[node]
    }

    /// Changes a node's registry as a person does.
    pub fn registry(&mut self, node: &str, change: Value) {
        self.act("registry", Some(node), change);
    }

    /// Ends the session host of a node, as a controller's death does.
    pub fn drop_host(&mut self, node: &str) {
        self.hosts.remove(node);
    }

    /// Runs a script on a node.
    pub fn run(&mut self, node: &str, script: &str, args: Value) -> Result<Value, ScriptError> {
        self.host(node).run(script, args)
    }

    /// What `probe-node` says of a node.
    pub fn probe(&mut self, node: &str) -> Value {
        self.run(node, "probe-node", json!({})).unwrap_or_else(|why| panic!("{why}"))
    }

    /// One part of what `probe-node` says, read by the same function without the others: a whole probe takes as long as ten of its parts.
    pub fn part(&mut self, node: &str, part: &str) -> Value {
        let read = match part {
            "identity" => "Get-Identity",
            "boot" => "[ordered]@{ id = Get-BootId; upMs = Get-UpMs }",
            "build" => "Get-Build",
            "memory" => "Get-Memory",
            "worker" => "[ordered]@{ it = Get-Worker }",
            "setup" => "Get-Setup",
            "service" => "Get-ClusterServiceState",
            "view" => "Get-View",
            "all" => "[ordered]@{ identity = Get-Identity; id = Get-BootId; upMs = Get-UpMs; memory = Get-Memory }",
            _ => {
                let probe = self.probe(node);
                assert_eq!(probe[part]["ok"], true, "{part}: {}", probe[part]);
                return probe[part]["value"].clone();
            }
        };
        let asked = json!({"run": format!("part-{part}"), "source": format!("param()\n{read}"), "args": {}});
        let value = self.host(node).ask(asked).unwrap_or_else(|why| panic!("{part}: {why}"));
        if part == "worker" { value["it"].clone() } else { value }
    }

    /// What a node remembers.
    pub fn memory(&mut self, node: &str) -> Value {
        self.part(node, "memory")
    }

    /// Who a node is.
    pub fn id(&mut self, node: &str) -> NodeId {
        orders::identity(&self.part(node, "identity"))
    }

    /// The cluster's folder, in which every node finds its state.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// What the documentation leaves open, drawn so that tests of single rules know what comes; the tests of what is open draw otherwise.
fn calm() -> Value {
    json!({
        "pause-lost": 0, "migrations-hang": 0, "refs-stays-offline": 0, "tasks-are-lost": 0, "shows-between-restarts": 0, "restarts": 0,
        "suspend-asks-quorum": 0, "repair-shows-late": 0, "uncommitted-is-forgotten": 0, "media-marks-pending": 0, "second-commit-spoils": 1,
        "staged-counts-as-installed": 0,
    })
}

/// Python, with the stub nodes' modules at hand.
fn python(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()));
    command.env("PYTHONPATH", stub_folder()).env("PYTHONPYCACHEPREFIX", folder.join("pycache"));
    command
}

fn put(file: &Path, value: &Value) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, value.to_string()).and_then(|()| std::fs::rename(&beside, file)).expect("a file of switches");
}
