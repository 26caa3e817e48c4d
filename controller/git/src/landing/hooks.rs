//! The hooks of a repository on a path. They are what protects a branch there, so a push that went past them would be a breach:
//! those that may refuse are run as git runs them (they need no git program, unless they call it themselves), and a repository with
//! a hook that we do not know how to run is not pushed to.

use crate::access::printable;
use crate::names::RefName;
use crate::push::Refusal;
use crate::trouble::Trouble;
use git2::{Oid, Repository};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

/// Hooks whose protocols are git's inner affair.
const BEYOND_US: [&str; 2] = ["proc-receive", "reference-transaction"];
/// What a hook says is for a person.
const SAID_MAX: u64 = 4 * 1024;
/// A hook that checks a signature or asks a service answers in seconds.
const HOOK_TIME: Duration = Duration::from_secs(60);

/// Variables of the environment that hold secrets of this process.
static WITHHELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Says which variables of the environment hold secrets: a hook of a repository on a path is somebody else's program, and does not see them.
pub fn withhold(variables: impl IntoIterator<Item = String>) {
    WITHHELD.lock().unwrap_or_else(PoisonError::into_inner).extend(variables);
}

/// A hook that is there and that we cannot run.
pub(super) fn beyond_us(there: &Repository) -> Option<String> {
    BEYOND_US.iter().find(|name| find(there, name).is_some()).map(|name| (*name).to_owned())
}

/// Runs `pre-receive` and `update`; says which of them refused.
pub(super) fn refusal(there: &Repository, name: &RefName, old: Option<Oid>, new: Oid, place: &Path) -> Result<Option<Refusal>, Trouble> {
    let sort = |source: io::Error| match source.kind() {
        // As of a remote that is silent: it is left alone for a while.
        io::ErrorKind::TimedOut => {
            Trouble::TimedOut { remote: place.display().to_string(), source: git2::Error::from_str(&source.to_string()) }
        }
        _ => Trouble::from_io("run a hook of", place, source),
    };
    let (old, new) = (old.map_or_else(|| "0".repeat(40), |old| old.to_string()), new.to_string());
    if let Some(said) = run(there, "pre-receive", &[], &format!("{old} {new} {}\n", name.full())).map_err(sort)? {
        return Ok(Some(Refusal::Hook { hook: "pre-receive".into(), said }));
    }
    if let Some(said) = run(there, "update", &[name.full(), &old, &new], "").map_err(sort)? {
        return Ok(Some(Refusal::Hook { hook: "update".into(), said }));
    }
    Ok(None)
}

/// Runs `post-receive` and `post-update`, which may say what they like: it has landed.
pub(super) fn tell(there: &Repository, name: &RefName, old: Option<Oid>, new: Oid) {
    let line = format!("{} {new} {}\n", old.map_or_else(|| "0".repeat(40), |old| old.to_string()), name.full());
    for (hook, arguments, input) in [("post-receive", vec![], line.as_str()), ("post-update", vec![name.full()], "")] {
        match run(there, hook, &arguments, input) {
            Ok(None) => {}
            Ok(Some(said)) => tracing::warn!(hook, said, "a hook of the remote failed after the push had landed"),
            Err(error) => tracing::warn!(hook, why = %error, "a hook of the remote could not be run after the push had landed"),
        }
    }
}

fn find(there: &Repository, name: &str) -> Option<PathBuf> {
    let folder = match there.config().and_then(|config| config.get_path("core.hooksPath")) {
        // As git has it: relative to where the hook runs.
        Ok(path) => there.path().join(path),
        Err(_) => there.commondir().join("hooks"),
    };
    let path = folder.join(name);
    let runnable = std::fs::metadata(&path).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0);
    runnable.then_some(path)
}

/// `None` if there is no such hook or it agreed, else what it said.
fn run(there: &Repository, name: &str, arguments: &[&str], input: &str) -> io::Result<Option<String>> {
    let Some(path) = find(there, name) else { return Ok(None) };
    let mut command = Command::new(&path);
    command.args(arguments).current_dir(there.path()).env("GIT_DIR", there.path());
    // Whoever started us may have been a hook himself.
    for (variable, _) in std::env::vars_os().filter(|(variable, _)| variable.as_encoded_bytes().starts_with(b"GIT_")) {
        if variable != OsStr::new("GIT_DIR") {
            command.env_remove(variable);
        }
    }
    for variable in WITHHELD.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        command.env_remove(variable);
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let late = |error: io::Error| match error.kind() {
        io::ErrorKind::TimedOut => {
            io::Error::new(error.kind(), format!("{name} did not end within {} s, and was ended", HOOK_TIME.as_secs()))
        }
        _ => error,
    };
    let said = talk(&mut child, input);
    if said.is_err() {
        child.kill()?;
        child.wait()?;
    }
    let said = said.map_err(late)?;
    let status = ended(&mut child).map_err(late)?;
    Ok(if status.success() { None } else { Some(printable(&said)) })
}

/// How it ended. One that has closed its output may go on for as long as it likes, so it is asked, and killed when its time is over.
fn ended(child: &mut Child) -> io::Result<ExitStatus> {
    const PAUSE: Duration = Duration::from_millis(20);
    let (_nobody, waits) = mpsc::channel::<()>();
    let mut left = HOOK_TIME;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if left.is_zero() {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::from(io::ErrorKind::TimedOut));
        }
        left = left.saturating_sub(PAUSE);
        // Nobody sends: this is a pause.
        let Err(_) = waits.recv_timeout(PAUSE) else { continue };
    }
}

/// One short line in, what comes out up to a limit; all at once, so that a full pipe blocks neither side.
fn talk(child: &mut Child, input: &str) -> io::Result<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    let mut open = 0;
    let streams: [Option<Box<dyn Read + Send>>; 2] =
        [child.stdout.take().map(|out| Box::new(out) as Box<_>), child.stderr.take().map(|err| Box::new(err) as Box<_>)];
    for (number, stream) in streams.into_iter().flatten().enumerate() {
        let tell = tell.clone();
        open += 1;
        // Not joined: a hook's own child may hold the pipe longer than we wait. Nobody listening is fine then.
        std::thread::spawn(move || tell.send((number, drain(stream))).is_ok());
    }
    if let Some(mut stdin) = child.stdin.take() {
        // A hook may decide without reading.
        match stdin.write_all(input.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    let mut said = Vec::new();
    for _ in 0..open {
        let (number, part) = told.recv_timeout(HOOK_TIME).map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        said.push((number, part?));
    }
    said.sort();
    Ok(said.into_iter().map(|(_, part)| part).collect::<Vec<_>>().join(&b'\n'))
}

fn drain(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut said = Vec::new();
    from.by_ref().take(SAID_MAX).read_to_end(&mut said)?;
    // The rest is read too, or the hook would stand still on a full pipe.
    io::copy(&mut from, &mut io::sink())?;
    Ok(said)
}
