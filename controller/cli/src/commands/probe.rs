//! `drydock probe`: one look at a cluster's nodes, printed; nothing is ordered. On a node, the first look since it started leaves a name for this boot in a
//! volatile key; here, a recording is written where one is asked for.

use crate::Context;
use crate::args::Probe;
use crate::branch::unreadable;
use crate::clock;
use crate::controller::{AnyClock, reach};
use crate::exit::{Exit, Failure};
use crate::files::{Desired, Files};
use crate::nodes::{Purpose, close, real_nodes};
use crate::setup;
use crate::table::{Cell, cell, table};
use drydock_engine::ports::{Clusters, Wanted};
use drydock_git::{Mirror, Oid};
use drydock_model::fact::{Fact, Gap};
use drydock_model::observed::{ClusterService, DiskState, NodeFacts, Observed, WorkerState};
use drydock_spec::wire::config::Config;
use drydock_spec::wire::one_line;
use drydock_spec::{ClusterSpec, Transport};
use drydock_windows::record::{self, Known, Scrubber};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Characters of the reason why facts are not known; a node may have a part in its words.
const MOST: usize = 400;

pub(super) fn run(args: &Probe, context: &mut Context) -> Result<Exit, Failure> {
    let config = setup::load(context, &args.config)?;
    let (spec, wanted) = described(&config, &args.cluster)?;
    if let Some(folder) = &args.record {
        let folder = context.directory.join(folder);
        return record(context, &config, &spec, &wanted, &folder);
    }
    if spec.connection.transport == Transport::Lab && config.lab.is_none() {
        let what = "the cluster is simulated, and no lab is configured";
        return Err(Failure::new(Exit::Configuration, what, "set lab.socket in the configuration"));
    }
    let observed = runtime()?.block_on(async {
        let reach = reach(&config, AnyClock::Machine(clock::System), Purpose::Look)?;
        let observed = reach.observe(&wanted).await;
        reach.close().await;
        Ok::<_, Failure>(observed)
    })?;
    show(context, &observed);
    let silent = observed.nodes.values().any(|n| n.id.known().is_none());
    Ok(if silent { Exit::Found } else { Exit::Fine })
}

/// The cluster's file as the desired branch has it now.
pub(super) fn described(config: &Config, cluster: &str) -> Result<(ClusterSpec, Wanted), Failure> {
    let branch = setup::branch(&config.desired)?;
    let mut mirror = Mirror::open(&config.state_directory.join("probe"), setup::remote(&config.desired)?).map_err(Failure::configured)?;
    let heads = mirror.fetch(std::slice::from_ref(&branch)).map_err(Failure::configured)?;
    let newest = heads.of(&branch).oid().ok_or_else(|| {
        Failure::new(Exit::Usage, format!("{} has no branch {branch}", mirror.remote()), "check desired.branch in the configuration")
    })?;
    let spec = spec(&mirror, newest, cluster)?;
    let wanted = wanted(&spec, newest)?;
    Ok((spec, wanted))
}

fn spec(mirror: &Mirror, newest: Oid, cluster: &str) -> Result<ClusterSpec, Failure> {
    let desired = Desired::check(Files::of_commit(mirror, newest)?);
    if !desired.guided {
        // How the nodes are reached may stand there.
        let what = "fleet.yaml does not count, so what it says of connections is not known";
        return Err(Failure::new(Exit::Found, what, "mend it: drydock validate tells what is wrong"));
    }
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
        connection: spec.connection.clone(),
        problem: None,
        warnings: Vec::new(),
    })
}

pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Local, format!("no runtime: {e}"), "check the limits of this process"))
}

/// Writes what real nodes answer, scrubbed.
fn record(context: &mut Context, config: &Config, spec: &ClusterSpec, wanted: &Wanted, folder: &Path) -> Result<Exit, Failure> {
    match spec.connection.transport {
        Transport::WinRM | Transport::SSH => {}
        Transport::Lab => {
            return Err(Failure::new(Exit::Usage, "the cluster is simulated: there is nothing to record", "name a cluster of real nodes"));
        }
    }
    // Said before the nodes are asked, which takes minutes.
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        let what = format!("{} is not empty", folder.display());
        return Err(Failure::new(Exit::Local, what, "name a folder that is empty or not there"));
    }
    let real = real_nodes(config, Arc::new(clock::System), Purpose::Look)?;
    let mut targets = Vec::new();
    for node in &wanted.desired.nodes {
        let target = real.target(wanted, node);
        targets.push(target.map_err(|e| Failure::of(Exit::Configuration, &e, "mend nodes.credentials in the configuration"))?);
    }
    let scrubber = Scrubber::new(&known(config, wanted));
    let recorded = runtime()?.block_on(async {
        let recorded = record::record(real.sessions(), targets, scrubber).await;
        close(&real).await;
        recorded
    });
    record::write(folder, &recorded).map_err(|e| Failure::of(Exit::Local, &e, "name a folder that is empty or not there"))?;
    let silent = recorded.iter().filter(|one| one.error.is_some()).count();
    context.output.say(&format!("{} answers of {} nodes are in {}", recorded.len() - silent, wanted.desired.nodes.len(), folder.display()));
    if silent > 0 {
        context
            .output
            .say(&format!("{silent} questions were not answered; drydock doctor {} --config FILE says why", wanted.desired.cluster));
    }
    context.output.say("names, addresses, identifiers and words were replaced; look through the files before you hand them over");
    Ok(if silent > 0 { Exit::Found } else { Exit::Fine })
}

/// What is known to be this fleet's own, and may stand in no recording.
fn known(config: &Config, wanted: &Wanted) -> Known {
    let mut names = vec![wanted.desired.cluster.to_string(), config.name.clone()];
    names.extend(wanted.connection.addresses.values().cloned());
    for credential in &config.nodes.credentials {
        names.push(credential.name.clone());
        names.extend(credential.user.clone());
        if let Some(kerberos) = credential.winrm.as_ref().and_then(|winrm| winrm.kerberos.as_ref()) {
            names.push(kerberos.realm.clone());
            names.extend(kerberos.kdcs.iter().cloned());
        }
    }
    Known { nodes: wanted.desired.nodes.clone(), names }
}

/// Why facts of a node are not known, each reason once; with the columns, where it is not all of them.
fn missing(facts: &NodeFacts) -> Vec<String> {
    let columns = [
        ("BUILD", facts.build.gap()),
        ("UP", facts.boot.gap()),
        ("SERVICE", facts.service.gap()),
        ("FENCE and MARKER", facts.memory.gap()),
        ("WORKER", facts.worker.gap()),
        ("SETUP", facts.setup.gap()),
        ("FREE", facts.disk_free.gap()),
    ];
    let mut reasons: Vec<(&Gap, Vec<&str>)> = Vec::new();
    for (column, gap) in columns {
        let Some(gap) = gap else { continue };
        match reasons.iter_mut().find(|(known, _)| *known == gap) {
            Some((_, of)) => of.push(column),
            None => reasons.push((gap, vec![column])),
        }
    }
    let told = |(gap, of): &(&Gap, Vec<&str>)| {
        if of.len() == columns.len() { gap.to_string() } else { format!("unknown {}: {gap}", of.join(", ")) }
    };
    reasons.iter().map(told).collect()
}

/// A fact in a few words; why one is not known stands below the table.
fn column<T>(fact: &Fact<T>, say: impl FnOnce(&T) -> String) -> Cell {
    cell(fact.known().map_or_else(|| "unknown".to_owned(), say))
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
    for (name, facts) in &observed.nodes {
        missing(facts).iter().for_each(|why| context.output.say(&one_line(&format!("{name}: {why}"), MOST)));
    }
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

fn row(name: &str, facts: &NodeFacts) -> Vec<Cell> {
    let memory =
        |say: fn(&drydock_model::observed::Memory) -> Option<String>| column(&facts.memory, |m| say(m).unwrap_or_else(|| "-".to_owned()));
    vec![
        cell(name),
        column(&facts.build, ToString::to_string),
        column(&facts.boot, |b| b.up.to_string()),
        column(&facts.service, |s| match s {
            ClusterService::Running => "running".to_owned(),
            ClusterService::Stopped => "stopped".to_owned(),
            ClusterService::Disabled => "disabled".to_owned(),
        }),
        memory(|m| m.fence.as_ref().map(ToString::to_string)),
        memory(|m| m.marker.as_ref().map(|marker| format!("{:?} by {}", marker.state, marker.vacate))),
        column(&facts.worker, |w| {
            w.as_ref().map_or("-".to_owned(), |w| match &w.state {
                WorkerState::Downloading(p) => format!("downloading {p} %"),
                WorkerState::Staging(p) => format!("staging {p} %"),
                WorkerState::Staged => "staged".to_owned(),
                WorkerState::Failed(why) => format!("failed: {why}"),
                WorkerState::Cancelled => "cancelled".to_owned(),
            })
        }),
        column(&facts.setup, |s| match (s.running, s.pending) {
            (true, _) => "at work".to_owned(),
            (false, true) => "restart pending".to_owned(),
            (false, false) => "-".to_owned(),
        }),
        column(&facts.disk_free, |b| format!("{} GiB", b >> 30)),
    ]
}
