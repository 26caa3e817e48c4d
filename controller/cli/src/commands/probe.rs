//! `drydock probe`: one look at a cluster's nodes, printed; nothing is changed and nothing is written.

use crate::Context;
use crate::args::Probe;
use crate::branch::unreadable;
use crate::clock;
use crate::exit::{Exit, Failure};
use crate::files::{Desired, Files};
use crate::setup;
use crate::table::{cell, table};
use drydock_engine::ports::{Clusters, Wanted};
use drydock_git::{Mirror, Oid};
use drydock_lab::process::Client;
use drydock_model::fact::Fact;
use drydock_model::observed::{ClusterService, DiskState, NodeFacts, Observed, WorkerState};
use drydock_model::time::Millis;
use drydock_spec::{ClusterSpec, Transport};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How long a look may take; a node that is silent for longer is unknown.
const PATIENCE: Millis = Millis::seconds(60);

pub(super) fn run(args: &Probe, context: &mut Context) -> Result<Exit, Failure> {
    let config = setup::load(context, &args.config)?;
    let branch = setup::branch(&config.desired)?;
    let mut mirror = Mirror::open(&config.state_directory.join("probe"), setup::remote(&config.desired)?)?;
    let heads = mirror.fetch(std::slice::from_ref(&branch))?;
    let newest = heads.of(&branch).oid().ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{} has no branch {branch}", mirror.remote()), "check desired.branch in the configuration")
    })?;
    let spec = spec(&mirror, newest, &args.cluster)?;
    let wanted = wanted(&spec, newest)?;
    let observed = match (spec.connection.transport, &config.lab) {
        (Transport::Lab, Some(socket)) => look(socket, &wanted)?,
        (Transport::Lab, None) => {
            return Err(Failure::new(
                Exit::Configuration,
                "the cluster is simulated, and no lab is configured",
                "set lab.socket in the configuration",
            ));
        }
        (other @ (Transport::WinRM | Transport::SSH), _) => {
            let what = format!("{} is reached by {other}, which this version cannot yet", args.cluster);
            return Err(Failure::new(Exit::Configuration, what, "use connection.transport: Lab, or a later version"));
        }
    };
    show(context, &observed);
    let silent = observed.nodes.values().any(|n| n.id.known().is_none());
    Ok(if silent { Exit::Found } else { Exit::Fine })
}

fn spec(mirror: &Mirror, newest: Oid, cluster: &str) -> Result<ClusterSpec, Failure> {
    let desired = Desired::check(Files::of_commit(mirror, newest)?);
    let names: Vec<String> = desired.clusters.values().map(|c| c.desired.cluster.to_string()).collect();
    desired.clusters.into_values().find(|c| c.desired.cluster.as_str() == cluster).ok_or_else(|| {
        let todo = if names.is_empty() {
            "no cluster's file counts; see: drydock validate".to_owned()
        } else {
            format!("clusters are: {}", names.join(", "))
        };
        Failure::new(Exit::Usage, format!("no file that counts describes a cluster {cluster:?}"), todo)
    })
}

fn wanted(spec: &ClusterSpec, newest: Oid) -> Result<Wanted, Failure> {
    let revision = newest.to_string().parse().map_err(|_| unreadable(&drydock_git::Unreadable::NoSuchCommit(newest)))?;
    Ok(Wanted {
        path: spec.path.clone(),
        desired: Arc::new(spec.desired.clone()),
        revision,
        addresses: spec.connection.addresses.clone(),
        problem: None,
        warnings: Vec::new(),
    })
}

fn look(socket: &std::path::Path, wanted: &Wanted) -> Result<Observed, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Local, format!("no runtime: {e}"), "check the limits of this process"))?;
    let client = Client::new(socket, std::time::Duration::from_millis(PATIENCE.0), clock::System);
    Ok(runtime.block_on(client.observe(wanted)))
}

/// A fact in a few words; one that is not known says why.
fn told<T>(fact: &Fact<T>, say: impl FnOnce(&T) -> String) -> String {
    match fact {
        Fact::Known { value, .. } => say(value),
        Fact::Unknown(gap) => format!("unknown ({gap})"),
    }
}

fn show(context: &mut Context, observed: &Observed) {
    let heading = ["NODE", "BUILD", "UP", "SERVICE", "FENCE", "MARKER", "WORKER", "SETUP", "FREE"];
    let rows: Vec<_> = observed.nodes.iter().map(|(name, facts)| row(name.as_str(), facts)).collect();
    let text = table(&context.output, &heading, &rows);
    context.output.write(&text);
    let cluster = &observed.cluster;
    let through = cluster.through.as_ref().map_or("nobody".to_owned(), ToString::to_string);
    let storage = told(&cluster.storage, |s| {
        let mut kinds: BTreeMap<DiskState, usize> = BTreeMap::new();
        s.disks.values().for_each(|d| *kinds.entry(*d).or_default() += 1);
        let disks = kinds.iter().map(|(state, n)| format!("{n} {state}")).collect::<Vec<_>>().join(", ");
        format!("disks {disks}; {} jobs; pool {}", s.jobs.len(), if s.pool_healthy { "healthy" } else { "not healthy" })
    });
    let level = told(&cluster.level, |l| format!("{} ({})", l.functional, l.upgrade));
    context.output.say(&format!("cluster, through {through}: {storage}; level {level}"));
    let highest = observed.nodes.values().filter_map(|n| n.memory.known()?.fence.as_ref()).map(|p| p.epoch.number).max();
    context.output.say(&format!("highest epoch that a node remembers: {}", highest.map_or("none".to_owned(), |n| n.to_string())));
}

fn row(name: &str, facts: &NodeFacts) -> Vec<crate::table::Cell> {
    let memory =
        |say: fn(&drydock_model::observed::Memory) -> Option<String>| told(&facts.memory, |m| say(m).unwrap_or_else(|| "-".to_owned()));
    vec![
        cell(name),
        cell(told(&facts.build, ToString::to_string)),
        cell(told(&facts.boot, |b| b.up.to_string())),
        cell(told(&facts.service, |s| match s {
            ClusterService::Running => "running".to_owned(),
            ClusterService::Stopped => "stopped".to_owned(),
            ClusterService::Disabled => "disabled".to_owned(),
        })),
        cell(memory(|m| m.fence.as_ref().map(ToString::to_string))),
        cell(memory(|m| m.marker.as_ref().map(|marker| format!("{:?} by {}", marker.state, marker.vacate)))),
        cell(told(&facts.worker, |w| {
            w.as_ref().map_or("-".to_owned(), |w| match &w.state {
                WorkerState::Downloading(p) => format!("downloading {p} %"),
                WorkerState::Staging(p) => format!("staging {p} %"),
                WorkerState::Staged => "staged".to_owned(),
                WorkerState::Failed(why) => format!("failed: {why}"),
                WorkerState::Cancelled => "cancelled".to_owned(),
            })
        })),
        cell(told(&facts.setup, |s| match (s.running, s.pending) {
            (true, _) => "at work".to_owned(),
            (false, true) => "restart pending".to_owned(),
            (false, false) => "-".to_owned(),
        })),
        cell(told(&facts.disk_free, |b| format!("{} GiB", b >> 30))),
    ]
}
