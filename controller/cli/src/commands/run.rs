//! `drydock run`: a controller.

use crate::Context;
use crate::args::Run;
use crate::controller;
use crate::exit::{Exit, Failure};
use crate::setup;
use drydock_engine::lap::Mode;
use drydock_engine::ports::TakeOver;
use drydock_engine::run::End;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, filter, fmt};

pub(super) fn run(args: &Run, context: &mut Context) -> Result<Exit, Failure> {
    let config = setup::load(context, &args.config)?;
    log();
    let mode = if args.observe || config.observe { Mode::Observe } else { Mode::Act };
    let take_over = if args.take_over { TakeOver::Yes } else { TakeOver::No };
    ended(controller::live(&config, mode, take_over, args.lab_time)?)
}

fn ended(end: End) -> Result<Exit, Failure> {
    match end {
        End::Stopped { unpushed: None } => Ok(Exit::Fine),
        End::Stopped { unpushed: Some(why) } => {
            let todo = "nothing was begun on a node for them; one that was out may have been brought back, and the next run writes down what it finds. \
                        What could not be sent is kept in the state folder, what the server refused is not";
            Err(Failure::new(Exit::Unreachable, format!("stopped, and not everything is on the status branch: {why}"), todo))
        }
        End::Fault(what) => {
            let todo = "please report it with the lines above; started again, it goes on from git and from what the nodes show";
            Err(Failure::new(Exit::Fault, format!("stopped, and the task of a cluster had broken off: {what}"), todo))
        }
        End::TooNew(why) => {
            Err(Failure::new(Exit::TooNew, why, "install a newer drydock; nothing was written, and no node was asked for anything"))
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
    let _ = listener(filter, std::io::stderr).try_init();
}

/// Whoever sets RUST_LOG asks for more of what happens, and for no keys: these libraries write their keys to it. Looked at and left alone: russh hides its
/// own, rustls tells what goes over the wire in the clear.
const TALKS_OF_KEYS: [&str; 2] = ["sspi", "picky"];

/// Law S16: whatever the filter asks for, of those libraries nothing below `info` comes out.
fn harmless(what: &Metadata<'_>) -> bool {
    *what.level() <= LevelFilter::INFO || !TALKS_OF_KEYS.iter().any(|library| what.target().starts_with(library))
}

fn listener<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(false).with_filter(filter);
    tracing_subscriber::registry().with(lines.with_filter(filter::filter_fn(harmless)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Ear(Arc<Mutex<Vec<u8>>>);

    impl Write for Ear {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("one thread").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn each_end_has_its_own_exit_code() {
        let code = |end| match ended(end) {
            Ok(exit) => exit.number(),
            Err(failure) => failure.exit.number(),
        };
        let why = || "why".to_owned();
        let codes = [
            code(End::Stopped { unpushed: None }),
            code(End::Stopped { unpushed: Some(why()) }),
            code(End::StoodDown(why())),
            code(End::TooNew(why())),
            code(End::Fault(why())),
        ];
        assert_eq!(codes, [0, 4, 7, 8, 9]);
    }

    #[test]
    fn whatever_is_asked_for_no_library_writes_its_keys_to_the_log() {
        for asked in [
            "trace",
            "sspi=trace,sspi::kerberos=trace,picky_krb=trace,russh=debug,drydock=trace",
            "off,sspi::kerberos::client::extractors=trace",
        ] {
            let ear = Ear::default();
            let writer = ear.clone();
            tracing::subscriber::with_default(listener(EnvFilter::new(asked), move || writer.clone()), || {
                tracing::trace!(target: "sspi::kerberos::client::extractors", "canary");
                tracing::debug!(target: "sspi::kerberos", "canary");
                tracing::trace_span!(target: "sspi::ntlm", "step", key = "canary")
                    .in_scope(|| tracing::error!(target: "sspi::ntlm", "a word of it"));
                tracing::debug!(target: "picky_krb::crypto", "canary");
                tracing::trace!(target: "drydock", "what happens");
                tracing::debug!(target: "russh::client", "kex done");
            });
            let heard = String::from_utf8(ear.0.lock().expect("one thread").clone()).expect("text");
            assert!(!heard.contains("canary"), "{asked}: {heard}");
            let wanted = !asked.starts_with("off");
            for word in ["a word of it", "what happens", "kex done"] {
                assert_eq!(heard.contains(word), wanted, "{asked}: {heard}");
            }
        }
    }
}
