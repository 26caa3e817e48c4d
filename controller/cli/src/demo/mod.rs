//! `drydock demo`: all of it at work, in a minute: a fleet repository, simulated clusters, a controller, and two pull requests.
//!
//! Nothing is faked but the clusters: the repository is a real one, the controller is `drydock run`, and what is shown is read from the status branch.

mod files;
mod fleet;
mod processes;
mod show;

use crate::Context;
use crate::args::Demo as Args;
use crate::clock::System;
use crate::controller::{AnyClock, LabTime};
use crate::exit::{Exit, Failure};
use drydock_engine::ports::Clock;
use drydock_git::SigningKey;
use drydock_lab::process::{Client, Status};
use drydock_lab::{ClusterConfig, Fault, Planned};
use drydock_model::ledger::Word;
use drydock_model::time::{Millis, Timestamp};
use drydock_spec::wire::status::ClusterStatus;
use drydock_spec::wire::words::Said;
use fleet::Fleet;
use processes::Running;
use show::Show;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What can go wrong in a demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mishap {
    /// A node comes back on its old build; a person looks and lets it be tried again
    NodeRollsBack,
    /// A storage repair stands still; a person mends it
    StorageRepairStalls,
    /// A node does not come back from its restart; a person switches it on
    NodeNeverReturns,
    /// The controller is killed in the middle of an installation, and started again
    ControllerKilled,
    /// The git server is gone for a while
    GitDown,
    /// A second controller is started, and then takes over
    SecondController,
}

/// The clusters of the example fleet: name, folder on the status branch, nodes.
const CLUSTERS: [(&str, &str, &[&str]); 2] = [
    ("hospital-north", "clusters/hospital-north", &["HN01", "HN02", "HN03", "HN04"]),
    ("till-042", "clusters/shops/till-042", &["T042A", "T042B"]),
];

/// What every node runs at first: a 22H2 that both paths start from.
const FIRST_BUILD: &str = "20349.3692";

/// A demo at the usual speed that takes longer, in real time, has gone wrong; a slower one may take as much longer as it is slower.
const MOST: Millis = Millis::minutes(10);

/// The speed for which that was measured.
const USUAL_SPEED: u32 = 600;

/// Real time between two looks at the status branch.
const LOOK: Millis = Millis(200);

/// Real time that a hold stands before the demo's person acts on it.
const PERSON: Millis = Millis::seconds(3);

/// Where the lab is asked, in the demo's folder.
const SOCKET: &str = "lab.sock";

/// Bytes of a socket's path that Linux takes.
const MOST_SOCKET: usize = 107;

/// Runs the demo.
pub(crate) fn run(args: &Args, context: &mut Context) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Exit::Local, format!("no runtime: {e}"), "check this machine's limits"))?;
    let folder = folder(args, context)?;
    let done = runtime.block_on(async {
        let mut stop = Stop::listen()?;
        // What is dropped at a signal ends its processes: nothing is left behind.
        tokio::select! {
            done = async { Demo::prepare(args, &folder, context).await?.play(args, context).await } => done,
            () = stop.told() => Err(Failure::new(Exit::Found, "told to stop before every node was done", "run it again; nothing is left running")),
        }
    });
    if args.keep.is_none() && done.is_err() {
        context.output.note(&format!("everything is in {}", folder.display()));
    }
    done
}

/// What tells a process to end.
struct Stop([tokio::signal::unix::Signal; 3]);

impl Stop {
    fn listen() -> Result<Stop, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let hear = |kind| signal(kind).map_err(local);
        Ok(Stop([hear(SignalKind::terminate())?, hear(SignalKind::interrupt())?, hear(SignalKind::hangup())?]))
    }

    async fn told(&mut self) {
        let Stop([terminate, interrupt, hangup]) = self;
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {}, _ = hangup.recv() => {} }
    }
}

/// How long a demo of this speed may take.
fn most(speed: u32) -> Millis {
    Millis(MOST.0.saturating_mul(u64::from(USUAL_SPEED)).checked_div(u64::from(speed)).unwrap_or(u64::MAX).max(MOST.0))
}

fn folder(args: &Args, context: &Context) -> Result<PathBuf, Failure> {
    let folder = match &args.keep {
        Some(keep) => context.directory.join(keep),
        None => std::env::temp_dir().join(format!("drydock-demo-{:08x}", System.dice() >> 32)),
    };
    let length = folder.join(SOCKET).as_os_str().len();
    if length > MOST_SOCKET {
        let what = format!(
            "{} is too long: the path of the socket in it would have {length} bytes, and the system takes {MOST_SOCKET}",
            folder.display()
        );
        return Err(Failure::new(Exit::Usage, what, "name a folder with a shorter path with --keep"));
    }
    let failed = |e: std::io::Error| Failure::new(Exit::Local, format!("{}: {e}", folder.display()), "name an empty folder with --keep");
    fs::create_dir_all(&folder).map_err(failed)?;
    if fs::read_dir(&folder).map_err(failed)?.next().is_some() {
        return Err(Failure::new(Exit::Usage, format!("{} is not empty", folder.display()), "name an empty folder with --keep"));
    }
    Ok(folder)
}

struct Demo {
    folder: PathBuf,
    fleet: Fleet,
    time: LabTime,
    clock: AnyClock,
    lab: Client<AnyClock>,
    lab_process: Running,
    controller: Running,
    began: Timestamp,
    show: Show,
    /// A hold and since when it stands.
    held: BTreeMap<&'static str, (String, Timestamp)>,
}

impl Demo {
    async fn prepare(args: &Args, folder: &Path, context: &mut Context) -> Result<Demo, Failure> {
        let began = Clock::now(&System);
        let time = lab_time(args.speed, began);
        let clock = AnyClock::Lab(time.clock());
        context.output.say(&format!("In {}: a fleet repository, a clone of it, simulated clusters, a controller.", folder.display()));
        let person = key(folder, "person")?;
        let controller = key(folder, "controller")?;
        for name in ["north", "south"] {
            write(folder, &format!("{name}.yaml"), &config(folder, name, &[&controller], &person))?;
        }
        let clusters: Vec<ClusterConfig> = CLUSTERS.iter().map(cluster).collect::<Result<_, _>>()?;
        let text = serde_json::to_string(&clusters).map_err(|e| Failure::new(Exit::Fault, e.to_string(), "please report this"))?;
        write(folder, "lab.json", &text)?;
        let mut fleet = Fleet::make(folder, person)?;
        let begin: Vec<(&str, String)> =
            files::FILES.iter().filter(|(path, _)| !path.starts_with("clusters/")).map(|(p, t)| (*p, (*t).to_owned())).collect();
        fleet.merge("Begin the fleet", &begin, &clock)?;
        let lab_process = Running::lab(folder, args.seed, time)?;
        let lab = Client::new(&folder.join(SOCKET), Duration::from_secs(10), clock.clone());
        until_it_answers(&lab).await?;
        init(folder)?;
        let controller = Running::controller(folder, "north", time, false)?;
        let folder = folder.to_owned();
        Ok(Demo { folder, fleet, time, clock, lab, lab_process, controller, began, show: Show::default(), held: BTreeMap::new() })
    }

    async fn play(mut self, args: &Args, context: &mut Context) -> Result<Exit, Failure> {
        let before = self.truth().await?;
        let mut mishap = args.fault;
        let first: Vec<(&str, String)> = cluster_files(|text| text.to_owned());
        let revision = self.fleet.merge("Merge pull request #1: all clusters to 23H2 from Windows Update", &first, &self.clock)?;
        self.announce(context, "#1", "23H2 from Windows Update", &revision.to_string());
        context.output.say("    Note: 23H2 is out of support since April 2026. It is asked for as a step on the way.");
        self.until("23H2", &mut mishap, context).await?;
        let second: Vec<(&str, String)> = cluster_files(files::to_24h2);
        let revision = self.fleet.merge("Merge pull request #2: all clusters to 24H2 from media", &second, &self.clock)?;
        self.announce(context, "#2", "24H2 from media", &revision.to_string());
        self.until("24H2", &mut mishap, context).await?;
        if let Some(what) = mishap {
            let name = clap::ValueEnum::to_possible_value(&what).map_or_else(String::new, |v| v.get_name().to_owned());
            let todo = "no installation was seen on the way; give a lower --speed";
            return Err(Failure::new(Exit::Found, format!("every node is on 24H2, and the fault {name} never struck"), todo));
        }
        self.finish(&before, args, context).await
    }

    fn announce(&mut self, context: &mut Context, number: &str, what: &str, revision: &str) {
        let text = format!("\nPull request {number} is merged ({}): {what}.", &revision[..10]);
        self.show.tell(&mut context.output, &text);
    }

    /// Shows progress until every node was observed on a release and is in service.
    async fn until(&mut self, release: &str, mishap: &mut Option<Mishap>, context: &mut Context) -> Result<(), Failure> {
        let folders: BTreeMap<&'static str, &'static str> = CLUSTERS.iter().map(|(name, folder, _)| (*name, *folder)).collect();
        loop {
            let statuses = self.fleet.statuses(&folders);
            let now = Clock::now(&System);
            self.show.draw(&mut context.output, &statuses, self.clock.now(), now.since(self.began));
            if CLUSTERS.iter().all(|(name, _, nodes)| statuses.get(name).is_some_and(|s| reached(s, release, nodes.len()))) {
                return Ok(());
            }
            if let Some(what) = mishap.filter(|_| installing(&statuses)) {
                *mishap = None;
                self.strike(what, context).await?;
            }
            self.person(&statuses, now, context).await?;
            if let Some(status) = self.controller.ended() {
                let what = format!("the controller ended ({status}): {}", self.controller.last_words());
                return Err(Failure::new(Exit::Fault, what, format!("its log is {}", self.controller.log.display())));
            }
            let most = most(self.time.speed);
            if now.since(self.began) > most {
                let what = format!("after {most} not every node is on {release}");
                return Err(Failure::new(Exit::Found, what, format!("the controller's log is {}", self.controller.log.display())));
            }
            Clock::sleep(&System, LOOK).await;
        }
    }

    /// Something goes wrong.
    async fn strike(&mut self, what: Mishap, context: &mut Context) -> Result<(), Failure> {
        let say = |demo: &mut Demo, context: &mut Context, text: &str| demo.show.tell(&mut context.output, &format!("\n!! {text}"));
        match what {
            Mishap::NodeRollsBack => {
                say(self, context, "HN04 will come back from its upgrade on its old build.");
                self.fault(Fault::NodeRollsBack, Some("HN04")).await?;
            }
            Mishap::StorageRepairStalls => {
                say(self, context, "The storage repair after the next return will stand still.");
                self.fault(Fault::StorageRepairStalls, None).await?;
            }
            Mishap::NodeNeverReturns => {
                say(self, context, "HN04 will not come back from its restart.");
                self.fault(Fault::NodeNeverReturns, Some("HN04")).await?;
            }
            Mishap::ControllerKilled => {
                say(self, context, "The controller is killed (kill -9) in the middle of an installation. The installation goes on.");
                self.controller.kill().map_err(local)?;
                Clock::sleep(&System, Millis::seconds(1)).await;
                self.show.tell(&mut context.output, "   Another one starts, from git and the nodes alone.");
                self.controller = Running::controller(&self.folder, "north", self.time, false)?;
            }
            Mishap::GitDown => {
                say(self, context, "The git server is gone for three seconds: half an hour for the clusters.");
                self.fleet.unplug().map_err(local)?;
                Clock::sleep(&System, Millis::seconds(3)).await;
                self.fleet.plug_in().map_err(local)?;
                self.show.tell(&mut context.output, "   It is back.");
            }
            Mishap::SecondController => self.second(context).await?,
        }
        Ok(())
    }

    /// A second controller of another name is refused; told to take over, it does, and the first one stands down.
    async fn second(&mut self, context: &mut Context) -> Result<(), Failure> {
        self.show.tell(&mut context.output, "\n!! A second controller is started on the same status branch.");
        let mut refused = Running::controller(&self.folder, "south", self.time, false)?;
        let status = wait(&mut refused).await?;
        self.show.tell(&mut context.output, &format!("   It does not start ({status}): {}", refused.last_words()));
        self.show.tell(&mut context.output, "   It is told to take over.");
        let second = Running::controller(&self.folder, "south", self.time, true)?;
        let mut first = std::mem::replace(&mut self.controller, second);
        let status = wait(&mut first).await?;
        self.show.tell(&mut context.output, &format!("   The first one stands down ({status}): {}", first.last_words()));
        Ok(())
    }

    async fn fault(&self, fault: Fault, node: Option<&str>) -> Result<(), Failure> {
        let cluster = CLUSTERS[0].0.parse().map_err(|_| lab("a cluster's name"))?;
        let node = node.map(str::parse).transpose().map_err(|_| lab("a node's name"))?;
        match self.lab.plan(Planned::now(fault, cluster, node)).await.map_err(|e| lab(&e.to_string()))? {
            Some(_) => Ok(()),
            None => Err(lab("it knows no such cluster or node, and the fault did not strike")),
        }
    }

    /// The demo's person: reads what a hold asks for, and does it.
    async fn person(
        &mut self,
        statuses: &BTreeMap<&'static str, ClusterStatus>,
        now: Timestamp,
        context: &mut Context,
    ) -> Result<(), Failure> {
        for (name, status) in statuses {
            let Some(hold) = &status.status.hold else {
                self.held.remove(name);
                continue;
            };
            let since = self.held.entry(name).or_insert((hold.reason.clone(), now));
            if since.0 != hold.reason {
                *since = (hold.reason.clone(), now);
            }
            if now.since(since.1) < PERSON {
                continue;
            }
            self.held.remove(name);
            let text = format!("\n.. {name} holds: {}\n   {}\n   A person does that.", hold.message, hold.way_out);
            self.show.tell(&mut context.output, &text);
            self.lab.calm().await.map_err(|e| lab(&e.to_string()))?;
            let failed: Vec<&str> = status.status.nodes.iter().filter(|n| n.phase == "Failed").map(|n| n.name.as_str()).collect();
            for node in failed {
                let word =
                    Word::Retry { node: node.parse().map_err(|_| lab("a node's name"))?, reason: "the driver was replaced".to_owned() };
                let said = Said::Cluster { cluster: name.parse().map_err(|_| lab("a cluster's name"))?, word };
                self.fleet.say(&said, &self.clock)?;
            }
        }
        Ok(())
    }

    async fn truth(&self) -> Result<Status, Failure> {
        self.lab.status().await.map_err(|e| lab(&e.to_string()))
    }

    async fn finish(mut self, before: &Status, args: &Args, context: &mut Context) -> Result<Exit, Failure> {
        let after = self.truth().await?;
        let passed = Clock::now(&System).since(self.began);
        let inside = self.clock.now().since(before.now);
        self.controller.ask_to_stop().map_err(local)?;
        let stopped = wait(&mut self.controller).await?;
        let (commits, log) = self.fleet.log(10)?;
        self.lab.stop().await.map_err(|e| lab(&e.to_string()))?;
        let lab_ended = wait(&mut self.lab_process).await?;
        let mut text = String::from("\nEvery node was observed on 24H2.\n\n  cluster           node     before        after\n");
        for (name, _, _) in CLUSTERS {
            let builds = |status: &Status| {
                status.clusters.iter().find(|(n, _)| n.as_str() == name).map(|(_, c)| c.builds.clone()).unwrap_or_default()
            };
            let then = builds(before);
            for (node, build) in builds(&after) {
                let was = then.get(&node).map_or_else(String::new, ToString::to_string);
                text.push_str(&format!("  {name:<17} {node:<8} {was:<13} {build}\n"));
            }
        }
        text.push_str(&format!(
            "\n  {:.1} s, which were {inside} for the clusters; {commits} commits on drydock/status. The last ten:\n\n",
            passed.0 as f64 / 1_000.0
        ));
        text.push_str(&log.iter().map(|line| format!("    {line}\n")).collect::<String>());
        let at = self.fleet.bare.display().to_string();
        // The name to type: a binary that cargo has just built is in no search path.
        let drydock = std::env::current_exe().map_or_else(|_| "drydock".to_owned(), |path| path.display().to_string());
        text.push_str(&format!(
            "\n  Everything is in {}. Try next:\n\n    {drydock} status -o wide --repository {at}\n    {drydock} history hospital-north --repository {at}\n    git -C {at} log --stat drydock/status\n",
            self.folder.display()
        ));
        if args.seed != 1 || args.fault.is_some() {
            text.push_str(&format!("\n  Seed {}.\n", args.seed));
        }
        self.show.tell(&mut context.output, &text);
        let mut wrong = Vec::new();
        if after.repeated > 0 {
            wrong.push(format!("{} installs or commits happened twice", after.repeated));
        }
        wrong.extend(
            after.catastrophes.iter().filter(|c| args.fault.is_none() || c.blames_controller(Millis::minutes(2))).map(ToString::to_string),
        );
        if !stopped.success() {
            wrong.push(format!("the controller did not stop cleanly ({stopped})"));
        }
        if !lab_ended.success() {
            wrong.push(format!("the lab did not stop cleanly ({lab_ended})"));
        }
        if wrong.is_empty() {
            return Ok(Exit::Fine);
        }
        Err(Failure::new(Exit::Found, wrong.join("; "), format!("see the logs in {}", self.folder.display())))
    }
}

/// Whether a cluster's status says that every node was observed on a release, and is in service.
fn reached(cluster: &ClusterStatus, release: &str, nodes: usize) -> bool {
    let status = &cluster.status;
    status.target.starts_with(release) && status.nodes.len() == nodes && status.nodes.iter().all(|n| n.phase == "Done")
}

fn installing(statuses: &BTreeMap<&'static str, ClusterStatus>) -> bool {
    statuses.get(CLUSTERS[0].0).is_some_and(|s| s.status.nodes.iter().any(|n| n.step.as_deref() == Some("Install")))
}

fn cluster_files(change: impl Fn(&str) -> String) -> Vec<(&'static str, String)> {
    files::FILES.iter().filter(|(path, _)| path.starts_with("clusters/")).map(|(path, text)| (*path, change(text))).collect()
}

fn cluster(of: &(&str, &str, &[&str])) -> Result<ClusterConfig, Failure> {
    let (name, _, nodes) = of;
    let nodes = nodes.iter().map(|n| n.parse()).collect::<Result<_, _>>().map_err(|_| lab("a node's name"))?;
    Ok(ClusterConfig::new(name.parse().map_err(|_| lab("a cluster's name"))?, nodes, FIRST_BUILD.parse().map_err(|_| lab("a build"))?))
}

/// The lab's time begins on a Friday evening in Berlin, when the hospital's window has just opened.
fn lab_time(speed: u32, began: Timestamp) -> LabTime {
    let friday = || {
        let now = jiff::Timestamp::from_millisecond(began.0).ok()?.in_tz("Europe/Berlin").ok()?;
        let day = now.date().nth_weekday(1, jiff::civil::Weekday::Friday).ok()?;
        Some(day.at(18, 5, 0, 0).in_tz("Europe/Berlin").ok()?.timestamp().as_millisecond())
    };
    let ahead = friday().map_or(Millis::ZERO, |at| Timestamp(at).since(began));
    LabTime { ahead, origin: began + ahead, speed }
}

/// A new key, in a file that only we may read.
fn key(folder: &Path, name: &str) -> Result<SigningKey, Failure> {
    let mut random = [0; 32];
    for part in random.chunks_mut(8) {
        part.copy_from_slice(&System.dice().to_be_bytes());
    }
    let (key, text) = SigningKey::generate(&random, name).map_err(|e| Failure::of(Exit::Fault, &e, "please report this"))?;
    let path = folder.join(format!("{name}.key"));
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())).map_err(local)?;
    Ok(key)
}

fn config(folder: &Path, name: &str, controllers: &[&SigningKey], person: &SigningKey) -> String {
    // Between single quotes YAML has one of them as two.
    let quoted = |file: &str| folder.join(file).display().to_string().replace('\'', "''");
    let keys: String = controllers.iter().map(|key| format!("\n    - {}", key.public())).collect();
    format!(
        "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: {name}\ndesired:\n  remote: '{}'\n  poll: 30s\n\
         stateDirectory: '{}'\nsigningKey: '{}'\nallowedSigners:\n  controllers:{keys}\n  persons:\n    - {}\nlab:\n  socket: '{}'\n",
        quoted("fleet.git"),
        quoted(&format!("state-{name}")),
        quoted("controller.key"),
        person.public(),
        quoted(SOCKET),
    )
}

fn write(folder: &Path, file: &str, text: &str) -> Result<(), Failure> {
    fs::write(folder.join(file), text).map_err(local)
}

/// `drydock init`, as a person would call it.
fn init(folder: &Path) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(local)?;
    let done = std::process::Command::new(program).args(["init", "--config"]).arg(folder.join("north.yaml")).output().map_err(local)?;
    if done.status.success() {
        return Ok(());
    }
    let what = format!("drydock init failed: {}", String::from_utf8_lossy(&done.stderr).trim());
    Err(Failure::new(Exit::Fault, what, "please report this"))
}

async fn until_it_answers(client: &Client<AnyClock>) -> Result<(), Failure> {
    let mut why = String::new();
    // A process starts within a tenth of a second; on a machine under load within some.
    for _ in 0..200 {
        match client.status().await {
            Ok(_) => return Ok(()),
            Err(e) => why = e.to_string(),
        }
        Clock::sleep(&System, Millis(50)).await;
    }
    Err(lab(&why))
}

/// Waits until a process has ended.
async fn wait(process: &mut Running) -> Result<std::process::ExitStatus, Failure> {
    for _ in 0..600 {
        if let Some(status) = process.ended() {
            return Ok(status);
        }
        Clock::sleep(&System, Millis(50)).await;
    }
    let what = format!("a process did not end within 30 s: {}", process.last_words());
    Err(Failure::new(Exit::Fault, what, format!("its log is {}", process.log.display())))
}

fn local(error: std::io::Error) -> Failure {
    Failure::new(Exit::Local, error.to_string(), "check the folder and the space there")
}

fn lab(why: &str) -> Failure {
    Failure::new(Exit::Fault, format!("the lab: {why}"), "its log is lab.log in the demo's folder; please report this")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_quotes_in_its_name_is_written_as_yaml_reads_it() {
        let key = SigningKey::generate(&[7; 32], "x").unwrap().0;
        let folder = Path::new("/tmp/an 'odd' one");
        let text = config(folder, "north", &[&key], &key);
        let (config, problems) = drydock_spec::wire::config::parse("north.yaml", folder, text.as_bytes());
        assert_eq!(config.map(|config| config.state_directory), Some(folder.join("state-north")), "{problems:?}");
    }

    #[test]
    fn a_slower_demo_may_take_longer_and_a_faster_one_as_long() {
        assert_eq!((most(600), most(2_000), most(60), most(1)), (MOST, MOST, MOST.times(10), MOST.times(600)));
    }
}
