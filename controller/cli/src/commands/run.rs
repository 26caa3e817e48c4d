//! `drydock run`: a controller.

use crate::Context;
use crate::args::Run;
use crate::controller;
use crate::exit::{Exit, Failure};
use crate::setup;
use drydock_engine::lap::Mode;
use drydock_engine::ports::TakeOver;
use drydock_engine::run::End;
use tracing_subscriber::EnvFilter;

pub(super) fn run(args: &Run, context: &mut Context) -> Result<Exit, Failure> {
    let config = setup::load(context, &args.config)?;
    log();
    let mode = if args.observe || config.observe { Mode::Observe } else { Mode::Act };
    let take_over = if args.take_over { TakeOver::Yes } else { TakeOver::No };
    match controller::live(&config, mode, take_over, args.lab_time)? {
        End::Stopped { unpushed: None } => Ok(Exit::Fine),
        End::Stopped { unpushed: Some(why) } => {
            let todo = "they are kept in the state folder; nothing was done to a node for them, and the next run looks at the nodes anew";
            Err(Failure::new(Exit::Unreachable, format!("stopped, and not everything is on the status branch: {why}"), todo))
        }
        End::Fault(what) => {
            let todo = "please report it with the lines above; started again, it goes on from git and from what the nodes show";
            Err(Failure::new(Exit::Fault, format!("the task of a cluster broke off: {what}"), todo))
        }
        End::StoodDown(why) => {
            Err(Failure::new(Exit::StoodDown, why, "run one controller for a status branch; --take-over takes it from one that is stopped"))
        }
    }
}

/// What happens goes to standard error, as much of it as RUST_LOG asks.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // Set already only in tests that run two controllers in one process.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).try_init();
}
