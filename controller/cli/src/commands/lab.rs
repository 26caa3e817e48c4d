//! `drydock lab`, hidden: simulated clusters in a process of their own.

use crate::Context;
use crate::args::Lab as Args;
use crate::exit::{Exit, Failure};
use drydock_engine::ports::Clock;
use drydock_lab::process::{Limits, serve};
use drydock_lab::{ClusterConfig, Durations, Lab};
use std::fs;

pub(super) fn run(args: &Args, _context: &mut Context) -> Result<Exit, Failure> {
    let bad = |what: String| Failure::new(Exit::Usage, what, "the lab is started by drydock demo; see there");
    let text = fs::read_to_string(&args.clusters).map_err(|e| bad(format!("{}: {e}", args.clusters.display())))?;
    let clusters: Vec<ClusterConfig> = serde_json::from_str(&text).map_err(|e| bad(format!("{}: {e}", args.clusters.display())))?;
    let durations = if args.shorter > 1 { Durations::real().shorter(args.shorter) } else { Durations::real() };
    let clock = args.lab_time.clock();
    let mut lab = Lab::new(args.seed, clock.now(), durations);
    for cluster in &clusters {
        lab.add(cluster);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Local, format!("no runtime: {e}"), "check this machine's limits"))?;
    let served = runtime.block_on(serve(&args.socket, lab, clock, Limits::default()));
    served.map_err(|e| Failure::of(Exit::Local, &e, "check the folder of the socket"))?;
    Ok(Exit::Fine)
}
