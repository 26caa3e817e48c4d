//! `drydock completions`: for the user's shell.

use crate::Context;
use crate::args::{Args, Completions};
use crate::exit::{Exit, Failure};
use clap::{Command, CommandFactory};

pub(super) fn run(args: &Completions, context: &mut Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut shown(), "drydock", &mut script);
    context.output.write(&String::from_utf8_lossy(&script));
    Ok(Exit::Fine)
}

/// The command line without the commands that are only for us: scripts of some shells offer hidden ones too.
fn shown() -> Command {
    let all = Args::command();
    let commands = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    Command::new("drydock").version(env!("CARGO_PKG_VERSION")).args(all.get_arguments().cloned()).subcommands(commands)
}
