//! What a controller really writes for one transition of one cluster, and how fast: the store itself, signed, with the facts and the status of four nodes,
//! each entry kept before it is pushed; beside `git commit` of the same two files, unsigned and not pushed.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures real time and prints a table")]

use drydock_engine::ports::{Record, Store, Wanted};
use drydock_git::Edit;
use drydock_model::ledger::Event;
use drydock_model::plan::Situation;
use drydock_model::time::Now;
use drydock_tests::home::{BEGIN, End, Hand, Remotes, cluster, record, wait};
use drydock_tests::situation::{NOON, four, known};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

/// Entries one after the other, each pushed alone.
const ALONE: usize = 50;
/// Clusters that write at once.
const AT_ONCE: usize = 16;
/// Entries of each of them.
const EACH: usize = 12;
/// Commits by hand.
const BY_HAND: usize = 5;

fn main() {
    println!("one run each; entries per second, unless another unit is named\n");
    println!("{:>9} {:>12} {:>12} {:>11} {:>11}", "clusters", "one by one", "16 at once", "bytes each", "git commit");
    for clusters in [100, 1_000, 10_000] {
        let remotes = Remotes::new();
        let north = begun(&remotes, clusters);
        let before = size(&remotes.path().join("objects"));
        let began = Instant::now();
        for number in 0..ALONE {
            write(&north, number * 7_919 % clusters, number);
        }
        let alone = ALONE as f64 / began.elapsed().as_secs_f64();
        let bytes = (size(&remotes.path().join("objects")) - before) / ALONE as u64;
        let began = Instant::now();
        std::thread::scope(|scope| {
            for own in 0..AT_ONCE {
                let north = &north;
                scope.spawn(move || (0..EACH).for_each(|number| write(north, (own + 1) * 7 % clusters, number)));
            }
        });
        let at_once = (AT_ONCE * EACH) as f64 / began.elapsed().as_secs_f64();
        println!("{clusters:>9} {alone:>12.0} {at_once:>12.0} {bytes:>11} {:>11.0}", by_hand(&remotes, clusters));
    }
}

fn name(number: usize) -> String {
    format!("till-{number:05}")
}

/// A branch on which every cluster has its two files, and a controller that holds it.
fn begun(remotes: &Remotes, clusters: usize) -> End {
    let north = remotes.north();
    north.claim().expect("a claim");
    write(&north, 0, 0);
    drop(north);
    let head = remotes.head().expect("a branch");
    let files = ["facts.yaml", "status.yaml"];
    let of_first = files.map(|file| remotes.file(head, &format!("clusters/{}/{file}", name(0))).expect("written"));
    let edits = (1..clusters).flat_map(|number| {
        let texts = of_first.clone().map(|text| text.replace(&name(0), &name(number)));
        files
            .into_iter()
            .zip(texts)
            .map(move |(file, text)| Edit::Put { path: format!("clusters/{}/{file}", name(number)), bytes: text.into_bytes() })
    });
    remotes.put(Hand::North, edits.collect(), "every cluster");
    let north = remotes.north();
    north.claim().expect("a claim");
    north
}

fn write(north: &End, number: usize, turn: usize) {
    let case = four();
    let name = name(number);
    let ledger = known(case.ledger.clone());
    let revision = drydock_tests::home::revision(1);
    let plan = drydock_planner::plan(&Situation {
        desired: &case.desired,
        revision: &revision,
        ledger: &ledger,
        remote: &case.remote,
        observed: &case.observed,
        stop: None,
        now: Now { at: NOON },
    });
    let entry = record(&name, vec![Event::Noted { state: format!("Wait/{turn}") }], BEGIN);
    let desired = drydock_model::desired::Desired { cluster: cluster(&name), ..case.desired };
    let wanted = Arc::new(Wanted { desired: Arc::new(desired), ..(*entry.wanted).clone() });
    let entry = Record { decision: plan.decision, report: plan.report, observed: case.observed, wanted, ..entry };
    wait(north.store.append(entry)).expect("pushed");
}

/// As a person does it, in a work tree: the same two files.
fn by_hand(remotes: &Remotes, clusters: usize) -> f64 {
    let work = remotes.beside("work");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Bench", "-c", "user.email=bench@example.org"]).args(arguments);
        assert!(command.output().expect("git runs").status.success(), "git {arguments:?}");
    };
    git(&["clone", "-q", "-b", "drydock/status", &remotes.path().display().to_string(), &work.display().to_string()]);
    let began = Instant::now();
    for number in 0..BY_HAND {
        let folder = format!("clusters/{}", name(number * 7_919 % clusters));
        for file in ["facts.yaml", "status.yaml"] {
            let place = work.join(&folder).join(file);
            let text = std::fs::read_to_string(&place).expect("there");
            std::fs::write(place, format!("{text}# {number}\n")).expect("written");
        }
        let work = work.display().to_string();
        git(&["-C", &work, "add", &folder]);
        git(&["-C", &work, "commit", "-q", "-m", "status"]);
    }
    BY_HAND as f64 / began.elapsed().as_secs_f64()
}

fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    entries.map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().map_or(0, |facts| facts.len()) }).sum()
}
