//! The whole stack: the real binary, a real repository, and a cluster of three stub nodes behind real servers: WinRM over TLS, WinRM with sealed messages,
//! SSH. The servers and the nodes' scripts are Python and PowerShell that nobody of Drydock's own code is in.

use crate::binary::Process;
use crate::node::powershell;
use crate::repository::Repository;
use drydock::clock::System;
use drydock::controller::LabTime;
use drydock_engine::ports::Clock;
use drydock_git::SigningKey;
use drydock_git::limits::{self, Limits};
use drydock_model::time::Millis;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The nodes.
pub const NODES: [&str; 3] = ["N01", "N02", "N03"];

/// How many times faster than the wall the controller's and the nodes' clocks run: a soak of five minutes then takes a quarter of one.
const SPEED: u32 = 20;

/// The passwords, unlike anything that is written by chance.
pub const TLS_SECRET: &str = "canary-tls-7Qx!";
/// Of the account that N02 knows, at first.
pub const FIRST_SECRET: &str = "canary-first-4Vb!";
/// The same, afterwards.
pub const SECOND_SECRET: &str = "canary-second-9Kd!";

/// A server in front of a node; told to end, and waited for, when it is dropped.
struct Server {
    child: Child,
    said: Value,
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, as it ends its own children then. Already gone is as good.
        let _ = Command::new("kill").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

/// Everything but a controller.
pub struct Stack {
    folder: TempDir,
    repository: Repository,
    time: LabTime,
    /// The interpreter of the servers' environment.
    python: PathBuf,
    started: u32,
    _servers: Vec<Server>,
}

/// What is missing on this machine, if anything.
pub fn missing() -> Option<String> {
    if powershell().is_none() {
        return Some("no PowerShell with a registry provider (DRYDOCK_PWSH, pwsh or powershell.exe on PATH)".to_owned());
    }
    if !Path::new("/usr/sbin/sshd").exists() {
        return Some("no sshd (Debian: openssh-server)".to_owned());
    }
    environment().err()
}

/// The interpreter of the servers' environment, made inside the target folder.
pub fn environment() -> Result<PathBuf, String> {
    let test = std::env::current_exe().map_err(|e| e.to_string())?;
    let target = test.ancestors().find(|f| f.join("debug").is_dir() || f.join("release").is_dir()).ok_or("tests lie in a target folder")?;
    let made = Command::new("sh").arg(winrm().join("environment.sh")).arg(target).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    if made.status.success() { Ok(said.into()) } else { Err(String::from_utf8_lossy(&made.stderr).trim().to_owned()) }
}

fn tests() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn winrm() -> PathBuf {
    tests().join("winrm")
}

impl Stack {
    /// A cluster on 22H2, its servers, and an empty fleet with its status branch.
    pub fn new(seed: u64, source: &str) -> Stack {
        limits::settle(&Limits::default()).expect("the limits of a test process are its own");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().to_owned();
        let python = environment().expect("asked before");
        let pwsh = powershell().expect("asked before");
        let time = LabTime { ahead: Millis::ZERO, origin: Clock::now(&System), speed: SPEED };
        let cluster = path.join("cluster");
        let made = Command::new(&python)
            .env("PYTHONPATH", tests().join("node"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .args(["-m", "stub", "make"])
            .arg(&cluster)
            .args(["--nodes", &NODES.join(","), "--seed", &seed.to_string(), "--owner", &std::process::id().to_string(), "--pwsh"])
            .arg(&pwsh)
            .output()
            .expect("Python runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let scale = json!({"clock-scale": {"origin": time.origin.0, "times": SPEED}});
        put(&cluster.join("faults.json"), &json!({"*": scale}));
        put(&path.join("users.json"), &users(FIRST_SECRET));
        for (file, secret) in [("tls.secret", TLS_SECRET), ("sealed.secret", FIRST_SECRET)] {
            fs::write(path.join(file), secret).expect("a secret's file");
        }
        let certificates = Command::new(&python).arg(winrm().join("certificates.py")).arg(path.join("certs")).arg("n01").status();
        assert!(certificates.expect("Python runs").success());
        let node = |program: &[&str], name: &str, address: &str, more: &[String]| {
            let mut command = Command::new(&python);
            command
                .args(program)
                .args(["--node", name, "--address", address, "--port", "0", "--with-parent"])
                .arg("--cluster")
                .arg(&cluster);
            command.args(more).env("PYTHONPATH", winrm()).env("PYTHONDONTWRITEBYTECODE", "1").env("DRYDOCK_PWSH", &pwsh).current_dir(&path);
            serve(command, &path.join(format!("{name}.err")))
        };
        let users = path.join("users.json").display().to_string();
        let switches = |name: &str| vec!["--users".to_owned(), users.clone(), "--switches".to_owned(), format!("{name}.switches")];
        for name in ["N01", "N02"] {
            put(&path.join(format!("{name}.switches")), &json!({}));
        }
        let tls = ["--auth", "ntlm", "--tls", "certs/n01.pem", "certs/n01.key"].map(str::to_owned).to_vec();
        let server: &[&str] = &["-m", "winrm_server"];
        let n01 = node(server, "N01", "127.0.0.11", &[switches("N01"), tls].concat());
        let n02 = node(server, "N02", "127.0.0.12", &[switches("N02"), vec!["--auth".to_owned(), "ntlm".to_owned()]].concat());
        let sshd = winrm().join("sshd.py").display().to_string();
        fs::create_dir(path.join("ssh")).expect("a folder");
        let n03 = node(&[&sshd, "run", "ssh"], "N03", "127.0.0.13", &[]);

        let mut repository = Repository::new(&path, seed);
        fs::write(path.join("north.yaml"), config(&path, repository.key(), n03.said["user"].as_str().expect("a user")))
            .expect("a configuration");
        let ports = [&n01.said["nodes"][0]["port"], &n02.said["nodes"][0]["port"], &n03.said["port"]].map(|p| p.as_u64().expect("a port"));
        repository.merge("Begin the fleet", &[("clusters/tills.yaml", &fleet(ports, source))], Clock::now(&System));
        Repository::init(&path.join("north.yaml"));
        Stack { folder, repository, time, python, started: 0, _servers: vec![n01, n02, n03] }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a controller.
    pub fn controller(&mut self) -> Process {
        self.started += 1;
        let (config, time) = (self.path().join("north.yaml").display().to_string(), self.time.to_string());
        crate::binary::start(self.path(), &format!("north-{}", self.started), &["run", "--config", &config, "--lab-time", &time])
    }

    /// The messages of the status branch, newest first.
    pub fn messages(&mut self) -> Vec<String> {
        self.repository.messages()
    }

    /// Waits, for at most `most` of real time, until a message of the status branch holds one of these texts.
    pub async fn until_told(&mut self, texts: &[&str], most: Duration) -> Result<(), String> {
        let began = Clock::now(&System);
        loop {
            let messages = self.messages();
            if messages.iter().any(|m| texts.iter().any(|t| m.contains(t))) {
                return Ok(());
            }
            if u128::from(Clock::now(&System).since(began).0) > most.as_millis() {
                let lines: Vec<&str> = messages.iter().take(30).filter_map(|m| m.lines().next()).collect();
                return Err(format!("nobody told of {texts:?}; newest first:\n{}", lines.join("\n")));
            }
            Clock::sleep(&System, Millis(200)).await;
        }
    }

    /// What the stub platform knows in truth.
    pub fn truth(&self) -> Value {
        let asked = Command::new(&self.python)
            .env("PYTHONPATH", tests().join("node"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .args(["-m", "stub", "act"])
            .arg(self.path().join("cluster"))
            .arg("state")
            .output()
            .expect("Python runs");
        let answer: Value =
            serde_json::from_slice(&asked.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&asked.stderr)));
        answer["value"].clone()
    }

    /// The switches of a node's server.
    pub fn switch(&self, node: &str, switches: &Value) {
        put(&self.path().join(format!("{node}.switches")), switches);
    }

    /// What a node's server counted.
    pub fn counters(&self, node: &str) -> Value {
        let text = fs::read_to_string(self.path().join("cluster/nodes").join(node).join("winrm.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Changes the password of the account that N02 knows, in its directory.
    pub fn change_password(&self, to: &str) {
        put(&self.path().join("users.json"), &users(to));
    }

    /// Gives the controller the new password, as whoever manages secrets does.
    pub fn change_secret(&self, to: &str) {
        replace(&self.path().join("sealed.secret"), to);
    }

    /// Everything that any process of the stack wrote or left, for a search for secrets.
    pub fn everything_written(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("a folder").flatten() {
                let path = entry.path();
                let name = entry.file_name();
                let own = ["users.json", "tls.secret", "sealed.secret", "sealed.new", "certs", "ssh", "controller.key"];
                if own.iter().any(|o| *o == name) {
                    continue;
                }
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    Ok(kind) if kind.is_file() => found.push((path.clone(), fs::read(&path).unwrap_or_default())),
                    Ok(_) | Err(_) => {}
                }
            }
        }
        found
    }
}

/// Starts a server, and waits for its line that it is ready.
fn serve(mut command: Command, errors: &Path) -> Server {
    let errors = fs::File::create(errors).expect("a log");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn().expect("Python runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("text");
    let said = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: the server said {line:?}"));
    Server { child, said }
}

fn put(file: &Path, value: &Value) {
    replace(file, &value.to_string());
}

/// Whole or not at all, as whoever reads it may look at any moment.
fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, file)).expect("a file");
}

fn users(sealed: &str) -> Value {
    json!({"users": [
        {"name": "svc-tls", "domain": "LAB", "password": TLS_SECRET},
        {"name": "svc-sealed", "domain": "LAB", "password": sealed}]})
}

fn config(folder: &Path, key: &SigningKey, user: &str) -> String {
    let at = |file: &str| folder.join(file).display().to_string();
    format!(
        "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: north\ndesired:\n  remote: '{}'\n  poll: 30s\n\
         stateDirectory: '{}'\nsigningKey: '{}'\nallowedSigners:\n  controllers:\n    - {}\nnodes:\n  credentials:\n\
         \x20   - {{name: tls, user: 'LAB\\svc-tls', secret: {{passwordFile: tls.secret}}, winRm: {{authentication: NTLM, certificateAuthority: certs/ca.pem}}}}\n\
         \x20   - {{name: sealed, user: 'LAB\\svc-sealed', secret: {{passwordFile: sealed.secret}}, winRm: {{authentication: NTLM, encryption: Message}}}}\n\
         \x20   - {{name: keys, user: {user}, secret: {{sshKey: ssh/client}}, ssh: {{knownHosts: [ssh/known_hosts]}}}}\n",
        at("fleet.git"),
        at("state"),
        at("controller.key"),
        key.public(),
    )
}

fn fleet(ports: [u64; 3], source: &str) -> String {
    format!(
        "apiVersion: drydock/v1alpha1\nkind: Cluster\nmetadata:\n  name: tills\nspec:\n  nodes:\n\
         \x20   - {{name: N01, address: 127.0.0.11}}\n\
         \x20   - {{name: N02, address: 127.0.0.12, connection: {{credential: sealed, port: {}}}}}\n\
         \x20   - {{name: N03, address: 127.0.0.13, connection: {{transport: SSH, credential: keys, port: {}}}}}\n\
         \x20 connection: {{credential: tls, port: {}}}\n  operatingSystem: {{version: 23H2}}\n  source: {source}\n",
        ports[1], ports[2], ports[0],
    )
}
