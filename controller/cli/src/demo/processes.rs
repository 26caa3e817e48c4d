//! The demo's processes: the lab, and controllers that can be stopped and killed.

use crate::controller::LabTime;
use crate::exit::{Exit, Failure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// One process of ours; killed when it is dropped, so that nothing is left behind.
pub(super) struct Running {
    child: Child,
    /// Where it writes what it has to say.
    pub(super) log: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    fn start(folder: &Path, name: &str, arguments: &[&str]) -> Result<Running, Failure> {
        let failed = |e: std::io::Error| Failure::new(Exit::Local, format!("{name} cannot be started: {e}"), "check this machine's limits");
        let log = folder.join(format!("{name}.log"));
        let file = File::options().create(true).append(true).open(&log).map_err(failed)?;
        let program = std::env::current_exe().map_err(failed)?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone().map_err(failed)?)
            .stderr(file)
            .spawn()
            .map_err(failed)?;
        Ok(Running { child, log })
    }

    /// The lab.
    pub(super) fn lab(folder: &Path, seed: u64, time: LabTime) -> Result<Running, Failure> {
        let at = |file: &str| folder.join(file).display().to_string();
        let (socket, clusters) = (at("lab.sock"), at("lab.json"));
        let (seed, time) = (seed.to_string(), time.to_string());
        Running::start(folder, "lab", &["lab", "--socket", &socket, "--clusters", &clusters, "--seed", &seed, "--lab-time", &time])
    }

    /// A controller.
    pub(super) fn controller(folder: &Path, name: &str, time: LabTime, take_over: bool) -> Result<Running, Failure> {
        let config = folder.join(format!("{name}.yaml")).display().to_string();
        let time = time.to_string();
        let mut arguments = vec!["run", "--config", &config, "--lab-time", &time];
        if take_over {
            arguments.push("--take-over");
        }
        Running::start(folder, name, &arguments)
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) -> std::io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Asks it to stop, as a supervisor would. The standard library has only the harder way.
    pub(super) fn ask_to_stop(&self) -> std::io::Result<()> {
        Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status().map(drop)
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// What it said last: why it failed, if it says so, else the last line of its log.
    pub(super) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let why = text.lines().rev().find_map(|line| line.strip_prefix("drydock: "));
        why.or_else(|| text.lines().last()).unwrap_or_default().to_owned()
    }
}
