//! `drydock man`: the manual page of the program and of each command, in one.

use crate::Context;
use crate::args::Args;
use crate::exit::{Exit, Failure};
use clap::CommandFactory;
use clap_mangen::Man;

pub(super) fn run(context: &mut Context) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let broken = |e: std::io::Error| Failure::new(Exit::Fault, format!("the manual could not be written: {e}"), "please report this");
    let mut command = Args::command();
    command.build();
    let man = Man::new(command.clone());
    man.render(&mut page).map_err(broken)?;
    for sub in command.get_subcommands() {
        describe(sub, &mut page).map_err(broken)?;
    }
    context.output.write(&String::from_utf8_lossy(&page));
    Ok(Exit::Fine)
}

/// One command: what it is for, how it is written, and its options.
fn describe(command: &clap::Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_uppercase();
    page.extend_from_slice(format!(".SH \"{name}\"\n").as_bytes());
    let man = Man::new(command.clone());
    let mut part = Vec::new();
    man.render_description_section(&mut part)?;
    man.render_synopsis_section(&mut part)?;
    if command.get_arguments().next().is_some() {
        man.render_options_section(&mut part)?;
    }
    // Sections of a command are parts of its own section.
    page.extend_from_slice(String::from_utf8_lossy(&part).replace(".SH ", ".SS ").as_bytes());
    for sub in command.get_subcommands() {
        describe(sub, page)?;
    }
    Ok(())
}
