//! `drydock clock accept`: the time of now is right, whatever earlier entries say.

use crate::Context;
use crate::args::Clock;
use crate::branch;
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::word;
use drydock_model::ids::ClusterName;
use drydock_model::ledger::Word;
use drydock_spec::wire::words::Said;

pub(super) fn run(args: &Clock, context: &mut Context) -> Result<Exit, Failure> {
    let Clock::Accept(word) = args;
    let reason = word::reason(&word.word)?;
    let mut place = Place::open(context, &word.repository)?;
    let said = match &word.cluster {
        None => Said::ClockEverywhere { reason },
        Some(name) => {
            branch::find(&place, name)?.readable()?;
            let wrong = |e: drydock_model::ids::NameError| {
                Failure::new(Exit::Usage, format!("{name:?} is no cluster: it {e}"), "see: drydock status")
            };
            let cluster: ClusterName = name.parse().map_err(wrong)?;
            Said::Cluster { cluster, word: Word::Clock { reason } }
        }
    };
    place.note(context);
    let commit = word::say(context, &mut place, &word.word, &said)?;
    word::told(context, &said, commit);
    Ok(Exit::Fine)
}
