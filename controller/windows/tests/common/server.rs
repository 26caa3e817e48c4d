//! The tests' own WinRM server (tests/winrm, Python), started and ended here.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses a part")]

use super::common::{CANARY, left_out, powershell};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where the server's sources are.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/winrm")
}

/// The servers' Python environment: the one that `DRYDOCK_WINRM_PYTHON` names, else one that `environment.sh` makes in the target folder. `None`, said by
/// name, where there is no PowerShell for it to run, or it cannot be had.
pub fn python() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("DRYDOCK_WINRM_PYTHON").map(PathBuf::from) {
        assert!(path.exists(), "DRYDOCK_WINRM_PYTHON names {}, which is not there", path.display());
        return Some(path);
    }
    powershell()?;
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().find(|f| f.join("debug").is_dir() || f.join("release").is_dir())?;
    let made = Command::new("sh").arg(sources().join("environment.sh")).arg(target).output().unwrap();
    let said = String::from_utf8_lossy(&made.stdout).trim().to_owned();
    if made.status.success() && !said.is_empty() {
        return Some(said.into());
    }
    left_out(String::from_utf8_lossy(&made.stderr).trim());
    None
}

pub struct Server {
    child: Child,
    pub folder: tempfile::TempDir,
    pub port: u16,
}

impl Server {
    /// A server with the usual users.
    pub fn start(python: &Path, arguments: &[&str]) -> Server {
        let users = json!({ "users": [
            { "name": "svc", "domain": "LAB", "password": "P@ss w\u{f6}rd canary" },
            { "name": "local", "password": "l", "certificate": "drydock@local" },
            { "name": "svc-drydock$", "domain": "LAB", "password": "nobody knows it" },
            { "name": "reader", "domain": "LAB", "password": "r", "administrator": false },
        ] });
        Self::start_with(python, arguments, &users)
    }

    /// A server for one node; `arguments` go to it as they are, `CERTS` in them stands for the folder of certificates.
    pub fn start_with(python: &Path, arguments: &[&str], users: &Value) -> Server {
        Self::start_node(python, "NODE1", arguments, users)
    }

    /// The same for a node of that name.
    pub fn start_node(python: &Path, node: &str, arguments: &[&str], users: &Value) -> Server {
        Self::start_among(python, node, arguments, users, &[])
    }

    /// The same with variables set for the server.
    pub fn start_among(python: &Path, node: &str, arguments: &[&str], users: &Value, variables: &[(&str, &str)]) -> Server {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        fs::write(at("users.json"), users.to_string()).unwrap();
        fs::write(at("switches.json"), "{}").unwrap();
        let certificates = at("certs");
        if arguments.iter().any(|a| a.contains("CERTS")) {
            let made = Command::new(python).arg(sources().join("certificates.py")).args([&certificates, "node1"]).status().unwrap();
            assert!(made.success());
        }
        let mut command = Command::new(python);
        command.args(["-m", "winrm_server", "--node", node, "--address", "127.0.0.1", "--port", "0"]);
        command.args(["--users", &at("users.json"), "--switches", &at("switches.json"), "--counters", &at("counters.json")]);
        command.args(arguments.iter().map(|a| a.replace("CERTS", &certificates)));
        command.env_remove(CANARY).env("PYTHONPATH", sources()).envs(variables.iter().copied()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
        let port = u16::try_from(ready["nodes"][0]["port"].as_u64().unwrap()).unwrap();
        Server { child, folder, port }
    }

    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.path().join("certs").join(name)
    }

    pub fn switch(&self, switches: &Value) {
        self.replace("switches.json", switches);
    }

    /// The accounts as they are from now on.
    pub fn users(&self, users: &Value) {
        self.replace("users.json", users);
    }

    fn replace(&self, file: &str, value: &Value) {
        let beside = self.folder.path().join("replaced.new");
        fs::write(&beside, value.to_string()).unwrap();
        fs::rename(beside, self.folder.path().join(file)).unwrap();
    }

    pub fn counters(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join("counters.json")).unwrap()).unwrap()
    }

    pub fn counter(&self, name: &str) -> u64 {
        self.counters()[name].as_u64().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM: it has children of its own to end.
        let _told = std::process::Command::new("kill").arg(self.child.id().to_string()).status();
        let _waited = self.child.wait();
    }
}
