//! `drydock accept`: lets in a rewritten revision of the fleet, or a foreign commit of the status branch.

use crate::Context;
use crate::args::Accept;
use crate::branch::unreadable;
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::word;
use drydock_git::{Mirror, Oid};
use drydock_model::ids::Revision;
use drydock_spec::wire::words::Said;

pub(super) fn run(args: &Accept, context: &mut Context) -> Result<Exit, Failure> {
    let reason = word::reason(&args.word)?;
    if args.revision.is_none() && args.status.is_none() {
        let todo = "give a REVISION, or --status COMMIT: drydock why CLUSTER says which is waited for";
        return Err(Failure::new(Exit::Usage, "nothing was named to accept", todo));
    }
    let mut place = Place::open(context, &args.repository)?;
    let said = match (&args.revision, &args.status) {
        (_, Some(commit)) => {
            let commit = known(place.status_mirror(), place.tip()?, commit, "the status branch")?;
            Said::AcceptStatus { commit, reason }
        }
        (Some(revision), None) => {
            let Some(newest) = place.desired else {
                let what = format!("{} has no branch {}", place.fleet().remote(), args.repository.base);
                return Err(Failure::new(Exit::Usage, what, "name the branch that controllers watch with --base; check --repository"));
            };
            Said::Accept { revision: known(place.fleet(), newest, revision, "the fleet's branch")?, reason }
        }
        (None, None) => return Err(Failure::new(Exit::Fault, "nothing was named to accept", "please report this")),
    };
    place.note(context);
    let commit = word::say(context, &mut place, &args.word, &said)?;
    word::told(context, &said, commit);
    Ok(Exit::Fine)
}

/// A full commit id that the branch holds: whoever accepts a commit has seen it there.
fn known(mirror: &Mirror, tip: Oid, text: &str, branch: &str) -> Result<Revision, Failure> {
    let todo = "give all 40 characters, as git log --format=%H shows them";
    let wrong = |what: String| Failure::new(Exit::Usage, what, todo);
    let revision: Revision = text.parse().map_err(|_| wrong(format!("{text:?} is no commit's id")))?;
    let oid: Oid = revision.as_str().parse().map_err(|_| wrong(format!("{text:?} is no commit's id")))?;
    if revision.as_str().len() != 40 {
        return Err(wrong(format!("{text:?} is not a whole commit id")));
    }
    match mirror.is_ancestor(oid, tip) {
        Ok(true) => Ok(revision),
        Ok(false) => Err(wrong(format!("commit {revision} is not on {branch}"))),
        Err(drydock_git::Unreadable::NoSuchCommit(_)) => Err(wrong(format!("commit {revision} is not on {branch}"))),
        Err(e) => Err(unreadable(&e)),
    }
}
