//! The composition root: a configuration becomes a controller, with git on one side and its clusters on the other.

use crate::clock::System;
use crate::exit::{Exit, Failure};
use crate::nodes::{self, Purpose, real_nodes};
use crate::setup;
use drydock_engine::lap::Mode;
use drydock_engine::pace::Pacing;
use drydock_engine::ports::{Clock, Clusters, PerformError, TakeOver, Wanted, World};
use drydock_engine::run::{End, Options, run};
use drydock_git::desired::GitSource;
use drydock_git::status::{GitStore, Home};
use drydock_git::{Mirror, RefName, Remote, Unreadable};
use drydock_lab::process::{Client, ScaledClock};
use drydock_model::connection::Transport;
use drydock_model::fact::Gap;
use drydock_model::observed::{ClusterFacts, NodeFacts, Observed};
use drydock_model::order::{Order, Receipt};
use drydock_model::time::{Millis, Span, Timestamp};
use drydock_spec::fleet::FLEET_FILE;
use drydock_spec::wire::config::Config;
use drydock_spec::{Fleet, parse_fleet, tree};
use drydock_windows::port::RealNodes;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How long the lab may take to answer, in real time; it answers within milliseconds.
const LAB_ANSWERS: Duration = Duration::from_secs(10);

/// The machine's clock, ahead by a fixed time.
#[derive(Debug, Clone)]
pub struct Ahead {
    by: Millis,
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Clock::now(&System) + self.by
    }
    async fn sleep(&self, time: Millis) {
        Clock::sleep(&System, time).await;
    }
    fn dice(&self) -> u64 {
        System.dice()
    }
}

/// How a lab's time runs: it and every controller beside it are told the same three numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabTime {
    /// How far its beginning is ahead of the machine's clock.
    pub ahead: Millis,
    /// When it began, by the machine's clock plus `ahead`.
    pub origin: Timestamp,
    /// How many times as fast it runs.
    pub speed: u32,
}

impl LabTime {
    /// Its clock.
    pub fn clock(self) -> ScaledClock<Ahead> {
        ScaledClock::new(Ahead { by: self.ahead }, self.origin, self.speed)
    }
}

/// `AHEAD,ORIGIN,SPEED`, as it is handed to a process.
impl std::fmt::Display for LabTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{},{}", self.ahead.0, self.origin.0, self.speed)
    }
}

impl std::str::FromStr for LabTime {
    type Err = String;
    fn from_str(text: &str) -> Result<LabTime, String> {
        let mut parts = text.split(',');
        let mut next = || parts.next().and_then(|p| p.parse::<u64>().ok());
        match (next(), next(), next()) {
            (Some(ahead), Some(origin), Some(speed)) => Ok(LabTime {
                ahead: Millis(ahead),
                origin: Timestamp(i64::try_from(origin).map_err(|e| e.to_string())?),
                speed: u32::try_from(speed).map_err(|e| e.to_string())?,
            }),
            (_, _, _) => Err("a lab's time is AHEAD,ORIGIN,SPEED in milliseconds, milliseconds and times".to_owned()),
        }
    }
}

/// The clock of a controller.
#[derive(Debug, Clone)]
pub enum AnyClock {
    /// The machine's.
    Machine(System),
    /// A lab's.
    Lab(ScaledClock<Ahead>),
}

impl Clock for AnyClock {
    fn now(&self) -> Timestamp {
        match self {
            AnyClock::Machine(clock) => Clock::now(clock),
            AnyClock::Lab(clock) => clock.now(),
        }
    }
    async fn sleep(&self, time: Millis) {
        match self {
            AnyClock::Machine(clock) => Clock::sleep(clock, time).await,
            AnyClock::Lab(clock) => clock.sleep(time).await,
        }
    }
    fn dice(&self) -> u64 {
        System.dice()
    }
}

/// How nodes are reached: each cluster's file says whether they are real.
pub struct Reach {
    lab: Option<Client<AnyClock>>,
    real: RealNodes,
    clock: AnyClock,
}

impl Reach {
    /// Ends all sessions, and waits until the nodes have let go of them.
    pub async fn close(&self) {
        nodes::close(&self.real).await;
    }
}

impl Clusters for Reach {
    async fn observe(&self, wanted: &Wanted) -> Observed {
        match (wanted.connection.transport, &self.lab) {
            (Transport::Lab, Some(lab)) => lab.observe(wanted).await,
            (Transport::Lab, None) => {
                let gap = Gap::Unreadable("this controller has no lab; its configuration says nothing of lab.socket".to_owned());
                let nodes = wanted.desired.nodes.iter().map(|n| (n.clone(), NodeFacts::unknown(&gap))).collect();
                Observed { nodes, cluster: ClusterFacts::unknown(&gap), span: Span::at(self.clock.now()) }
            }
            (Transport::WinRM | Transport::SSH, _) => self.real.observe(wanted).await,
        }
    }

    async fn perform(&self, wanted: &Wanted, order: &Order) -> Result<Receipt, PerformError> {
        match (wanted.connection.transport, &self.lab) {
            (Transport::Lab, Some(lab)) => lab.perform(wanted, order).await,
            (Transport::Lab, None) => Err(PerformError::NotSent("this controller has no lab".to_owned())),
            (Transport::WinRM | Transport::SSH, _) => self.real.perform(wanted, order).await,
        }
    }
}

/// How a controller of this configuration reaches its clusters.
pub fn reach(config: &Config, clock: AnyClock, purpose: Purpose) -> Result<Reach, Failure> {
    let lab = config.lab.as_ref().map(|socket| Client::new(socket, LAB_ANSWERS, clock.clone()));
    Ok(Reach { lab, real: real_nodes(config, Arc::new(clock.clone()), purpose)?, clock })
}

struct Production {
    source: GitSource,
    store: GitStore<AnyClock>,
    clusters: Reach,
    clock: AnyClock,
}

impl World for Production {
    type Source = GitSource;
    type Store = GitStore<AnyClock>;
    type Clusters = Reach;
    type Clock = AnyClock;
    fn source(&self) -> &GitSource {
        &self.source
    }
    fn store(&self) -> &GitStore<AnyClock> {
        &self.store
    }
    fn clusters(&self) -> &Reach {
        &self.clusters
    }
    fn clock(&self) -> &AnyClock {
        &self.clock
    }
}

/// Runs a controller until it is told to stop by a signal, or another one takes over.
pub fn live(config: &Config, mode: Mode, take_over: TakeOver, lab: Option<LabTime>) -> Result<End, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Local, format!("no threads can be started: {e}"), "check this machine's limits"))?;
    runtime.block_on(async {
        let clock = lab.map_or(AnyClock::Machine(System), |time| AnyClock::Lab(time.clock()));
        // First of all, so that a signal is heard however long the repositories take to open.
        let stop = until_signal()?;
        let world = Arc::new(production(config, clock)?);
        let stop_file = config.stop_file.clone();
        let options = Options {
            mode,
            take_over,
            probes: usize::from(config.pacing.parallel_probes),
            pacing: Pacing { idle: config.pacing.poll, ..Pacing::default() },
            poll: config.poll,
            stop_file: Arc::new(move || stop_words(&stop_file)),
            watcher: Arc::new(|_, _| {}),
        };
        let end = run(world.clone(), options, stop).await;
        world.clusters.close().await;
        Ok(end)
    })
}

fn production(config: &Config, clock: AnyClock) -> Result<Production, Failure> {
    let home = Home {
        mirror: Mirror::open(&config.state_directory.join("status"), setup::remote(&config.status)?).map_err(Failure::configured)?,
        branch: setup::branch(&config.status)?,
        name: config.name.clone(),
        key: setup::signing_key(config)?,
        controllers: setup::allowed(&config.allowed_signers.controllers, "controller")?,
        persons: setup::allowed(&config.allowed_signers.persons, "person")?,
    };
    let store = GitStore::new(home, Arc::new(clock.clone())).map_err(Failure::configured)?;
    let mut mirror = Mirror::open(&config.state_directory.join("desired"), setup::remote(&config.desired)?).map_err(Failure::configured)?;
    let branch = setup::branch(&config.desired)?;
    readers(&mut mirror, &branch, config);
    let source = GitSource::new(mirror, branch, store.shared());
    Ok(Production { source, store, clusters: reach(config, clock.clone(), Purpose::Run)?, clock })
}

/// Warns when people who ask for status are led elsewhere than this controller writes it. Nothing hangs on it: what cannot be read is told by the lap.
fn readers(mirror: &mut Mirror, branch: &RefName, config: &Config) {
    let newest = match mirror.fetch(std::slice::from_ref(branch)) {
        Ok(heads) => heads.of(branch).oid(),
        Err(_) => mirror.last_seen(branch).oid(),
    };
    let Some(newest) = newest else { return };
    let fleet = match mirror.read(newest, FLEET_FILE, tree::MOST_BYTES) {
        Ok(bytes) => parse_fleet(FLEET_FILE, &bytes).ok(),
        Err(Unreadable::NoSuchPath(_)) => Some(Fleet::default()),
        Err(_) => None,
    };
    if let Some(warning) = fleet.and_then(|fleet| led_astray(&fleet, config)) {
        tracing::warn!("{warning}");
    }
}

/// Where `fleet.yaml` leads readers, where that is not where this controller writes.
fn led_astray(fleet: &Fleet, config: &Config) -> Option<String> {
    // Two spellings of one address are one; what cannot be read as one is compared as it is.
    let plain = |text: &str| Remote::parse(text).map_or_else(|_| text.to_owned(), |r| r.to_string().trim_end_matches('/').to_owned());
    let read = plain(fleet.status.remote.as_deref().unwrap_or(&config.desired.remote));
    let written = plain(&config.status.remote);
    if read == written && fleet.status.branch == config.status.branch {
        return None;
    }
    Some(format!(
        "status is written to {} of {written}, and fleet.yaml leads `drydock status` and the other commands to {} of {read}; let spec.status say the same",
        config.status.branch, fleet.status.branch
    ))
}

/// Turns true at the first SIGTERM or SIGINT; a second one ends the process at once, which loses nothing but sleep.
fn until_signal() -> Result<watch::Receiver<bool>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen =
        |kind| signal(kind).map_err(|e| Failure::new(Exit::Local, format!("signals cannot be heard: {e}"), "check this machine's limits"));
    let (mut term, mut int) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        for again in [false, true] {
            tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
            if again {
                tracing::warn!("told to stop twice; ending at once");
                std::process::exit(i32::from(Exit::Fine.number()));
            }
            tracing::info!("told to stop; finishing the lap");
            tell.send_replace(true);
        }
    });
    Ok(told)
}

/// A stop file is a line or two; what is shown of it is bounded.
const MOST_WORDS: u64 = 1_000;

/// The first line of the stop file, while there is one (rule 27). One that cannot be read stops, too.
fn stop_words(path: &Path) -> Option<String> {
    let mut text = String::new();
    match std::fs::File::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
        Err(e) => Some(format!("{} cannot be read: {e}", path.display())),
        Ok(file) => match file.take(MOST_WORDS).read_to_string(&mut text) {
            Ok(_) => Some(text.lines().next().map_or_else(|| "no reason given".to_owned(), ToOwned::to_owned)),
            Err(e) => Some(format!("{} cannot be read: {e}", path.display())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drydock_spec::wire::config::parse;

    fn astray(status: &str, fleets: &str) -> Option<String> {
        let text = format!(
            "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: north\ndesired: {{remote: /srv/fleet.git}}\n{status}stateDirectory: s\nsigningKey: k\n"
        );
        let (config, problems) = parse("north.yaml", Path::new("/etc"), text.as_bytes());
        let fleet = format!("apiVersion: drydock/v1alpha1\nkind: Fleet\nmetadata: {{name: f}}\nspec: {{{fleets}}}\n");
        let fleet = parse_fleet(FLEET_FILE, fleet.as_bytes()).expect("the file counts");
        led_astray(&fleet, &config.unwrap_or_else(|| panic!("{problems:?}")))
    }

    #[test]
    fn readers_that_are_led_elsewhere_are_warned_of() {
        assert_eq!(astray("", ""), None);
        assert_eq!(astray("", "status: {remote: 'file:///srv/fleet.git'}"), None);
        assert_eq!(astray("status: {remote: /srv/status.git}\n", "status: {remote: /srv/status.git}"), None);
        let told = "status is written to drydock/status of /srv/status.git, and fleet.yaml leads `drydock status` and the other commands to drydock/status of /srv/fleet.git; let spec.status say the same";
        assert_eq!(astray("status: {remote: /srv/status.git}\n", "").as_deref(), Some(told));
        assert!(astray("", "status: {branch: elsewhere}").is_some());
        assert!(astray("status: {branch: elsewhere}\n", "").is_some());
    }
}
