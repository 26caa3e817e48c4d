//! The commands, one file each.

mod accept;
mod clock;
mod completions;
mod credential;
mod demo;
mod differs;
mod doctor;
mod history;
mod init;
mod lab;
mod man;
mod node;
mod plan;
mod probe;
pub mod run;
mod schema;
mod status;
mod validate;
mod why;

use crate::Context;
use crate::args::{Args, Command};
use crate::exit::{Exit, Failure};
use serde::Serialize;

/// Runs one command.
pub fn run(args: Args, context: &mut Context) -> Result<Exit, Failure> {
    match args.command {
        Command::Demo(args) => demo::run(&args, context),
        Command::Lab(args) => lab::run(&args, context),
        Command::Run(args) => run::run(&args, context),
        Command::Init(args) => init::run(&args, context),
        Command::Validate(args) => validate::run(&args, context),
        Command::Plan(args) => plan::run(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::Why(args) => why::run(&args, context),
        Command::History(args) => history::run(&args, context),
        Command::Probe(args) => probe::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Credential(args) => credential::run(&args, context),
        Command::Accept(args) => accept::run(&args, context),
        Command::Node(word) => node::run(&word, context),
        Command::Clock(word) => clock::run(&word, context),
        Command::Schema(args) => schema::run(&args, context),
        Command::Completions(args) => completions::run(&args, context),
        Command::Man => man::run(context),
    }
}

/// The version of what `-o json` answers.
const API_VERSION: &str = "drydock/v1alpha1";

/// An answer for tools.
fn say_json<T: Serialize>(context: &mut Context, answer: &T) -> Result<(), Failure> {
    match serde_json::to_string_pretty(answer) {
        Ok(text) => {
            context.output.say(&text);
            Ok(())
        }
        Err(e) => Err(Failure::new(Exit::Fault, format!("an answer could not be written as JSON: {e}"), "please report this")),
    }
}
