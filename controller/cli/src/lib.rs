//! The command line of Drydock: arguments, what is printed, exit codes, and the commands one by one.
//!
//! ```text
//!   args ──► commands::* ──► output        every command: read, decide what to say, say it; errors are a Failure with an Exit
//!              │
//!              ├─► place     which repository, and its mirror in the user's cache
//!              ├─► branch    what stands on the status branch
//!              ├─► files     desired state in a folder or in a commit
//!              ├─► setup     what a configuration names: remotes, keys
//!              └─► controller, demo   the composition root, and all of it at work on simulated clusters
//! ```
//!
//! Reading commands need only a git repository: no controller, no network beyond the repository's remote.

pub mod args;
pub mod branch;
pub mod clock;
pub mod commands;
pub mod controller;
pub mod demo;
pub mod exit;
pub mod files;
pub mod nodes;
pub mod output;
pub mod place;
pub mod setup;
mod table;
pub mod word;

use args::Args;
use clap::{CommandFactory, FromArgMatches};
use exit::{Exit, Failure};
use output::Output;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// What a command works with, so that tests can bring their own.
pub struct Context {
    /// Where text goes.
    pub output: Output,
    /// Time.
    pub clock: Box<dyn clock::Time>,
    /// The directory that paths are relative to.
    pub directory: PathBuf,
    /// Where mirrors are kept between two commands.
    pub cache: PathBuf,
    /// The user's home, for keys.
    pub home: Option<PathBuf>,
}

/// Runs the process' own command line.
pub fn main() -> ExitCode {
    // Of every command: it may stand in the environment of each.
    drydock_git::withhold([place::PASSPHRASE.to_owned()]);
    let mut output = Output::of_process();
    let directory = match std::env::current_dir() {
        Ok(directory) => directory,
        Err(_) => {
            let failure = Failure::new(Exit::Local, "there is no current directory", "change to a directory that exists");
            output.complain(&failure);
            return failure.exit.code();
        }
    };
    let home = std::env::var_os("HOME").filter(|h| !h.is_empty()).map(PathBuf::from);
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|c| !c.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| home.as_ref().map(|h| h.join(".cache"))).map_or_else(of_nobody, |c| c.join("drydock"));
    let mut context = Context { output, clock: Box::new(clock::System), directory, cache, home };
    run(std::env::args_os(), &mut context).code()
}

/// The cache of a user who has no home: a folder of this user's own among all users' files, since mirrors of one are unreadable to the others.
fn of_nobody() -> PathBuf {
    let user = std::fs::metadata("/proc/self").map_or(0, |me| std::os::unix::fs::MetadataExt::uid(&me));
    std::env::temp_dir().join(format!("drydock-{user}"))
}

/// Runs one command line; the first argument is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>, context: &mut Context) -> Exit {
    let command = Args::command();
    // As wide as the terminal; what is piped or written down is the same everywhere.
    let mut command = if context.output.on_terminal() { command } else { command.term_width(100) };
    let parsed = command.try_get_matches_from_mut(arguments).and_then(|found| Args::from_arg_matches(&found));
    let exit = match parsed {
        Ok(args) => match commands::run(args, context) {
            Ok(exit) => exit,
            Err(failure) => {
                context.output.complain(&failure);
                failure.exit
            }
        },
        Err(told) => {
            let text = told.render().to_string();
            if told.use_stderr() {
                context.output.note(text.trim_end());
                Exit::Usage
            } else {
                context.output.say(text.trim_end());
                Exit::Fine
            }
        }
    };
    match context.output.finish() {
        Ok(()) => exit,
        Err(failure) => {
            context.output.complain(&failure);
            failure.exit
        }
    }
}
