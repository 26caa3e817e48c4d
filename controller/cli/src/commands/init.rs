//! `drydock init`: makes the status branch, once per fleet; with `--adopt` claims above what nodes remember.

use crate::Context;
use crate::args::Init;
use crate::exit::{Exit, Failure};
use crate::setup;
use drydock_engine::ports::ClaimError;
use drydock_git::status::{Home, InitError, adopt, init};
use drydock_git::{Mirror, Refusal};

pub(super) fn run(args: &Init, context: &mut Context) -> Result<Exit, Failure> {
    let config = setup::load(context, &args.config)?;
    let key = setup::signing_key(&config)?;
    // Whom the controller would believe must be readable before there is anything to believe.
    let controllers = setup::allowed(&config.allowed_signers.controllers, "controller")?;
    let persons = setup::allowed(&config.allowed_signers.persons, "person")?;
    let branch = setup::branch(&config.status)?;
    let mut mirror = Mirror::open(&config.state_directory.join("init"), setup::remote(&config.status)?).map_err(Failure::configured)?;
    let now = context.clock.now();
    let above = args.above.unwrap_or(0);
    let at = mirror.remote().to_string();
    let made = match args.adopt {
        true => adopt(Home { mirror, branch: branch.clone(), name: config.name.clone(), key, controllers, persons }, now, above)
            .map(|(commit, above)| format!("{branch} adopted at {at}: every claim is above {above} (commit {commit})")),
        false => {
            init(&mut mirror, &branch, &config.name, &key, now, above).map(|commit| format!("{branch} begun at {at} (commit {commit})"))
        }
    };
    let made = made.map_err(|e| match e {
        InitError::Exists(_) => Failure::of(
            Exit::Usage,
            &e,
            "start the controller: drydock run --config FILE; or, after the branch was rewound: --adopt --above NUMBER",
        ),
        InitError::Absent(_) => Failure::of(Exit::Usage, &e, "drydock init --config FILE --above NUMBER makes it and claims above NUMBER"),
        InitError::TooHigh { .. } => Failure::of(Exit::Usage, &e, "give --above the highest number that any node shows: drydock probe"),
        InitError::Remote(trouble) => Failure::configured(trouble),
        InitError::Refused(Refusal::Moved) => {
            Failure::of(Exit::Unreachable, &e, "somebody else made or moved it at this moment; try again")
        }
        InitError::Refused(_) => Failure::of(Exit::Refused, &e, "the credentials of status must be allowed to make and push that branch"),
        InitError::Claim(why) => unclaimed(&why),
        InitError::Local(_) => Failure::of(Exit::Local, &e, LOOK),
    })?;
    context.output.say(&made);
    context.output.say(&format!("next: drydock run --config {}", args.config.display()));
    Ok(Exit::Fine)
}

const LOOK: &str = "look at the branch with git log; a commit that Drydock did not write may have touched it";

/// What keeps anybody from claiming the branch, in the class of its cause.
fn unclaimed(why: &ClaimError) -> Failure {
    let (exit, todo) = match why {
        ClaimError::Unreachable(_) | ClaimError::NoBranch(_) => (Exit::Unreachable, "check the network and the address, then try again"),
        ClaimError::HeldBy { .. } | ClaimError::TooMany { .. } => (Exit::StoodDown, "stop the other controller"),
        ClaimError::SchemaTooNew { .. } => (Exit::TooNew, "install a newer drydock"),
        ClaimError::Unsigned { .. } => (Exit::Configuration, "check allowedSigners.controllers and signingKey in the configuration"),
        ClaimError::Split { .. } => (Exit::Found, LOOK),
        ClaimError::Refused(_) => (Exit::Refused, "the credentials of status must be allowed to push that branch"),
        ClaimError::Local(_) => (
            Exit::Local,
            "check stateDirectory in the configuration; if the local copy is sound, the branch is not: look at it with git log",
        ),
    };
    Failure::of(exit, why, todo)
}
