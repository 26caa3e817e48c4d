//! `drydock credential`: a person speaks about a credential for nodes, to the controller that uses it (rule 29).

use crate::Context;
use crate::args::{Credential, CredentialRetry};
use crate::clock::System;
use crate::exit::{Exit, Failure};
use crate::nodes::breaker_folder;
use crate::setup;
use drydock_windows::auth::Breaker;

pub(super) fn run(args: &Credential, context: &mut Context) -> Result<Exit, Failure> {
    match args {
        Credential::Retry(args) => retry(args, context),
    }
}

fn retry(args: &CredentialRetry, context: &mut Context) -> Result<Exit, Failure> {
    let config = setup::load(context, &args.config)?;
    let names: Vec<&str> = config.nodes.credentials.iter().map(|c| c.name.as_str()).collect();
    if !names.contains(&args.name.as_str()) {
        let todo = if names.is_empty() { "it has none".to_owned() } else { format!("credentials are: {}", names.join(", ")) };
        return Err(Failure::new(Exit::Usage, format!("the configuration has no credential {:?}", args.name), todo));
    }
    let folder = breaker_folder(&config);
    Breaker::retry(&folder, &args.name, &System).map_err(|e| {
        let what = format!("the word cannot be left in {}: {e}", folder.display());
        Failure::new(Exit::Local, what, "run it on the controller's machine, as its account or as root")
    })?;
    context.output.say(&format!(
        "the refusals of credential {} are forgotten; it logs on once, alone, with the next look at a cluster that uses it",
        args.name
    ));
    Ok(Exit::Fine)
}
