//! The tests' own KDC and sshd (tests/winrm/kdc.py, sshd.py): real ones, with a realm and keys made for the test.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses a part")]

use super::common::{CANARY, left_out};
use super::server::sources;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A helper that prints one line of JSON when it is ready, and ends on SIGTERM.
pub struct Helper {
    child: Child,
    pub ready: Value,
}

impl Helper {
    /// `None`, said by name, where what it needs is not installed.
    pub fn start(python: &Path, script: &str, arguments: &[&str]) -> Option<Helper> {
        let mut command = Command::new(python);
        command.env_remove(CANARY).arg(sources().join(script)).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let words = child.wait_with_output().unwrap();
            left_out(&format!("{script}: {}", String::from_utf8_lossy(&words.stderr).trim()));
            return None;
        }
        Some(Helper { child, ready: serde_json::from_str(&line).unwrap() })
    }

    pub fn port(&self) -> u16 {
        u16::try_from(self.ready["port"].as_u64().unwrap()).unwrap()
    }

    /// Runs one of the script's other verbs.
    pub fn tell(python: &Path, script: &str, arguments: &[&str]) {
        let done = Command::new(python).arg(sources().join(script)).args(arguments).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // SIGTERM: it has children of its own to end.
        let _told = Command::new("kill").arg(self.child.id().to_string()).status();
        let _waited = self.child.wait();
    }
}
