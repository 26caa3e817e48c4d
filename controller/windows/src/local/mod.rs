//! A PowerShell of this machine as a child process: for tests, and for a controller on a cluster's management machine.

use crate::error::SessionError;
use crate::session::{Broken, Output};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// Read at once.
const BUFFER: usize = 32 * 1024;
/// How long a host may take to end after its input ended, before it is killed.
const FAREWELL: Duration = Duration::from_secs(5);

/// Which program, and how it is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its path, or a name on `PATH`.
    pub path: String,
    /// Variables set beside those of this process, values of `None` are removed.
    pub environment: BTreeMap<String, Option<String>>,
}

/// A running host.
pub(crate) struct Local {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    errors: ChildStderr,
    errors_ended: bool,
}

impl Local {
    /// Starts it, without the variables that hold secrets. The program is ended when this is dropped.
    pub(crate) fn open(program: &Program, arguments: &[String], withheld: &BTreeSet<String>) -> Result<Self, SessionError> {
        let mut command = Command::new(&program.path);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        for variable in withheld {
            command.env_remove(variable);
        }
        for (name, value) in &program.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let refused = |why: String| SessionError::ScriptRefused(format!("{} does not start: {why}", program.path));
        let mut child = command.spawn().map_err(|e| refused(e.to_string()))?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(input), Some(output), Some(errors)) => Ok(Self { child, input: Some(input), output, errors, errors_ended: false }),
            _ => Err(refused("it has no standard input or output".into())),
        }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let Some(input) = &mut self.input else { return Err(Broken::before("the program's input is closed")) };
        let result = match input.write_all(bytes).await {
            Ok(()) => input.flush().await,
            Err(error) => Err(error),
        };
        result.map_err(|e| Broken::after(format!("the program ended: {e}")))
    }

    pub(crate) async fn receive(&mut self) -> Result<Output, Broken> {
        let (mut out, mut err) = (vec![0; BUFFER], vec![0; 4096]);
        let lost = |e: std::io::Error| Broken::after(format!("the program's output cannot be read: {e}"));
        loop {
            tokio::select! {
                // Standard error first, so that it stands before the answer it belongs to.
                biased;
                count = self.errors.read(&mut err), if !self.errors_ended => {
                    let count = count.map_err(lost)?;
                    self.errors_ended = count == 0;
                    if count > 0 {
                        return Ok(Output { stderr: err[..count].to_vec(), ..Output::default() });
                    }
                }
                count = self.output.read(&mut out) => {
                    let count = count.map_err(lost)?;
                    if count > 0 {
                        return Ok(Output { stdout: out[..count].to_vec(), ..Output::default() });
                    }
                    let code = timeout(FAREWELL, self.child.wait()).await.ok().and_then(Result::ok).and_then(|s| s.code());
                    return Ok(Output { ended: Some(code), ..Output::default() });
                }
            }
        }
    }

    /// Ends its input, waits, and kills it if it stays.
    pub(crate) async fn close(mut self) {
        drop(self.input.take());
        if timeout(FAREWELL, self.child.wait()).await.is_err()
            && let Err(error) = self.child.kill().await
        {
            tracing::warn!(%error, "a local session host could not be ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_does_not_see_the_variables_that_hold_secrets() {
        let program = Program { path: "/bin/sh".into(), environment: BTreeMap::new() };
        let script = "echo ${CARGO_PKG_NAME-gone} ${CARGO_PKG_VERSION-gone}".to_owned();
        // Cargo sets both for every test.
        let mut local = Local::open(&program, &["-c".to_owned(), script], &BTreeSet::from(["CARGO_PKG_NAME".to_owned()])).unwrap();
        let said = local.receive().await.unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&said).trim(), format!("gone {}", env!("CARGO_PKG_VERSION")));
        local.close().await;
    }
}
