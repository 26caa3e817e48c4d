//! Probing many stub nodes over the independent WinRM server, beside pypsrp and Ansible doing the same reads against the same server: nodes per second of the
//! client's own processor time, and its memory. `DRYDOCK_NODES=N` sets how many (200), `DRYDOCK_ROUNDS=R` how often (5: a thousand probes). Then what a reader
//! that is killed leaves on the nodes, by the server's count: after the next start has swept, and after the hosts' own time-out alone.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures real time and prints a table")]

use drydock::clock::System;
use drydock_tests::stack::{environment, missing};
use drydock_windows::auth::{Breaker, Instruments, Sealing, Security};
use drydock_windows::credential::{Credentials, Field, Reference, Source};
use drydock_windows::scripts;
use drydock_windows::session::{Config, Sessions, Target, Transport};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Set for the process that is to be killed: the folder of the servers' files.
const VICTIM: &str = "DRYDOCK_VICTIM";

/// Sessions stay for all rounds, however long the first one takes here.
const IDLE: Duration = Duration::from_secs(3_600);

/// Nodes on which a reader is killed.
const STRUCK: usize = 40;

/// Hosts and shells give a silent controller three minutes.
const TIME_OUT: Duration = Duration::from_secs(240);

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// Seconds of processor time that this process has used.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after = stat.rsplit_once(')').expect("a name in parentheses").1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    // utime and stime, in hundredths of a second on every Linux of today.
    fields[11..13].iter().map(|f| f.parse::<f64>().expect("a number")).sum::<f64>() / 100.0
}

/// What this process holds at most, in MiB.
fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("a number") / 1024.0
}

fn counted(nodes: &[Value], folder: &Path, name: &str) -> u64 {
    let one = |node: &Value| -> u64 {
        let file = folder.join(format!("{}.json", node["node"].as_str().unwrap_or_default()));
        let counters: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap_or_default()).unwrap_or_default();
        counters[name].as_u64().unwrap_or(0)
    };
    nodes.iter().map(one).sum()
}

/// The servers' process; told to end, and waited for, when it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM, as it ends its own children then. Already gone is as good.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn listed(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("nodes.json")).expect("the server's file");
    serde_json::from_str(&text).expect("JSON")
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    if let Some(folder) = std::env::var_os(VICTIM) {
        return runtime.block_on(victim(Path::new(&folder)));
    }
    if let Some(why) = missing() {
        println!("probing cannot be measured here: {why}");
        return;
    }
    let python = environment().expect("asked just now");
    let pwsh = drydock_tests::node::powershell().expect("asked just now");
    let (count, rounds) = (number("DRYDOCK_NODES", 200), number("DRYDOCK_ROUNDS", 5));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bench = Path::new(env!("CARGO_MANIFEST_DIR")).join("winrm/bench.py");
    let mut server = Command::new(&python);
    server.arg(&bench).arg("serve").arg(folder.path()).args(["--nodes", &count.to_string()]).env("DRYDOCK_PWSH", &pwsh);
    let mut server = Server(server.stdout(Stdio::piped()).spawn().expect("Python runs"));
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().expect("piped")).read_line(&mut line).expect("text");
    assert!(line.contains("ready"), "the server said {line:?}");
    let nodes = listed(folder.path());

    runtime.block_on(ours(&nodes, folder.path(), rounds));
    runtime.block_on(killed(&struck(nodes), folder.path()));

    let peers =
        Command::new(&python).arg(&bench).arg("peers").arg(folder.path()).args(["--rounds", "1"]).env("DRYDOCK_PWSH", &pwsh).status();
    assert!(peers.expect("Python runs").success(), "the peers failed");
}

fn sessions(nodes: &[Value], folder: &Path) -> Sessions {
    let instruments: Arc<dyn Instruments> = Arc::new(System);
    let secret = folder.join("secret");
    std::fs::write(&secret, "bench").expect("a file");
    let reference = Reference { user: Some("LAB\\bench".to_owned()), source: Source::File { path: secret, field: Field::Password } };
    let credentials = Credentials::new(BTreeMap::from([("bench".to_owned(), reference)]), instruments.clone());
    let breaker = Breaker::new(&folder.join("breaker"), instruments.clone()).expect("a folder");
    let config = Config { open: nodes.len(), together: 8, idle: IDLE, ..Config::new("bench-run", scripts::HOST) };
    Sessions::new(config, instruments, Arc::new(credentials), Arc::new(breaker))
}

fn targets(nodes: &[Value]) -> Vec<Target> {
    nodes
        .iter()
        .map(|node| Target {
            node: node["node"].as_str().expect("a name").parse().expect("a name"),
            address: node["address"].as_str().expect("an address").to_owned(),
            transport: Transport::Winrm {
                port: u16::try_from(node["port"].as_u64().expect("a port")).expect("a port"),
                security: Security::SealedHttp { method: Sealing::Ntlm },
            },
            credential: "bench".to_owned(),
        })
        .collect()
}

/// One probe of each node.
async fn read(sessions: &Sessions, targets: &[Target]) {
    let script = scripts::script("probe-node").expect("it is there");
    let mut asked = JoinSet::new();
    for target in targets {
        let (sessions, target) = (sessions.clone(), target.clone());
        asked.spawn(async move {
            let answer = sessions.run(&target, script, scripts::LIBRARIES, Map::new(), Duration::from_secs(600)).await;
            let answer = answer.unwrap_or_else(|e| panic!("{}: {e}", target.node));
            assert_eq!(answer["identity"]["value"]["name"], target.node.as_str());
        });
    }
    while let Some(done) = asked.join_next().await {
        done.expect("read");
    }
}

/// Opens a session on every node, says so, and waits to be killed.
async fn victim(folder: &Path) {
    let nodes = struck(listed(folder));
    let sessions = sessions(&nodes, folder);
    read(&sessions, &targets(&nodes)).await;
    println!("open");
    std::future::pending::<()>().await;
}

/// Kills a reader that has a session on every node; how many shells it left.
fn kill_one(nodes: &[Value], folder: &Path) -> u64 {
    let mut victim = Command::new(std::env::current_exe().expect("a bench knows where it is"));
    let mut victim = victim.env(VICTIM, folder).stdout(Stdio::piped()).spawn().expect("the bench runs");
    let mut line = String::new();
    BufReader::new(victim.stdout.take().expect("piped")).read_line(&mut line).expect("text");
    assert_eq!(line, "open\n");
    victim.kill().and_then(|()| victim.wait()).expect("our own process can be killed");
    counted(nodes, folder, "shellsOpen")
}

fn struck(mut nodes: Vec<Value>) -> Vec<Value> {
    nodes.truncate(STRUCK);
    nodes
}

async fn killed(nodes: &[Value], folder: &Path) {
    let left = kill_one(nodes, folder);
    let sessions = sessions(nodes, folder);
    read(&sessions, &targets(nodes)).await;
    let swept = counted(nodes, folder, "shellsOpen");
    assert!(sessions.close(Duration::from_secs(60)).await, "not every session ended");
    let after = counted(nodes, folder, "shellsOpen");
    println!("drydock   kill -9: {left} shells left; {swept} once the next start has read every node, {after} once it has ended");

    let left = kill_one(nodes, folder);
    let began = Instant::now();
    while counted(nodes, folder, "shellsOpen") > 0 && began.elapsed() < TIME_OUT {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let after = counted(nodes, folder, "shellsOpen");
    println!(
        "drydock   kill -9: {left} shells left; {after} after {:.0} s, by the hosts' own time-out alone",
        began.elapsed().as_secs_f64()
    );
}

async fn ours(nodes: &[Value], folder: &Path, rounds: usize) {
    let (sessions, targets) = (sessions(nodes, folder), targets(nodes));
    for round in 0..rounds {
        let (began, before) = (Instant::now(), processor());
        read(&sessions, &targets).await;
        let (wall, used) = (began.elapsed().as_secs_f64(), processor() - before);
        let count = targets.len() as f64;
        println!(
            "drydock   round {}: {count} nodes in {wall:.1} s, {:.0} nodes per second of processor, at most {:.0} MiB",
            round + 1,
            count / used.max(0.01),
            memory()
        );
    }
    println!(
        "drydock   shells open {}, most on one node {}",
        counted(nodes, folder, "shellsOpen"),
        counted(nodes, folder, "shellsMost") / nodes.len() as u64
    );
    assert!(sessions.close(Duration::from_secs(60)).await, "not every session ended");
    println!("drydock   after {} probes and the end: {} shells left", rounds * targets.len(), counted(nodes, folder, "shellsOpen"));
}
