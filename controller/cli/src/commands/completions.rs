//! `drydock completions`: for the user's shell.

use crate::Context;
use crate::args::{Args, Completions};
use crate::exit::{Exit, Failure};
use clap::CommandFactory;

pub(super) fn run(args: &Completions, context: &mut Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "drydock", &mut script);
    context.output.write(&String::from_utf8_lossy(&script));
    Ok(Exit::Fine)
}
