//! How fast status commits are, beside what git itself does with the same files in the same run.
//!
//! Every cluster has two files in a folder of its own, in a folder for its site (100 clusters each). A transition is one commit that
//! changes one of them. Ours are signed and flushed to the disk; `git fast-import` and `git commit` sign nothing and flush as git does
//! by default. Medians of three; small counts, so that the whole takes well under two minutes.

#![allow(clippy::disallowed_methods, clippy::print_stdout, reason = "a bench measures real time and prints a table")]

use drydock_git::{Draft, Edit, Group, Mirror, Oid, Pushed, RefName, Remote, SigningKey, Stamp};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{LineEnding, PrivateKey};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const RUNS: usize = 3;
/// Commits in one group; as many as a fleet makes in a busy second.
const GROUP: usize = 200;
const PUSHES: usize = 20;
const IMPORTED: usize = 1000;
const BY_HAND: usize = 5;

fn main() {
    println!("median of {RUNS} runs; commits per second, unless another unit is named\n");
    println!(
        "{:>9} {:>11} {:>11} {:>13} {:>12} {:>12} {:>11} {:>11} {:>11}",
        "clusters", "ours, group", "bytes each", "ours, pushed", "push (ms)", "idle fetch", "fast-import", "git plumb.", "git commit"
    );
    for clusters in [100, 1_000, 10_000] {
        let bench = Bench::new(clusters);
        let (group, bytes) = bench.group();
        let (pushed, push) = bench.pushed();
        println!(
            "{clusters:>9} {group:>11.0} {bytes:>11} {pushed:>13.0} {:>12.2} {:>9.2} ms {:>11.0} {:>11.0} {:>11.0}",
            push.as_secs_f64() * 1e3,
            bench.idle_fetch().as_secs_f64() * 1e3,
            bench.fast_import(),
            bench.plumbing(),
            bench.commit(),
        );
    }
}

struct Bench {
    folder: tempfile::TempDir,
    clusters: usize,
    mirror: std::cell::RefCell<Mirror>,
    base: Oid,
    key: SigningKey,
}

impl Bench {
    fn new(clusters: usize) -> Self {
        // Beside the build, not in /tmp: that may be memory, and flushing is half of what is measured.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("folder");
        let remote = folder.path().join("fleet.git");
        git2::Repository::init_bare(&remote).expect("bare repository");
        let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&[1; 32]));
        let text = PrivateKey::new(pair, "bench").expect("key").to_openssh(LineEnding::LF).expect("text");
        let key = SigningKey::from_openssh(&text, None).expect("key");
        let mirror = Mirror::open(&folder.path().join("state"), Remote::at_path(&remote)).expect("mirror");
        let mut group = Group::begin(&mirror, None).expect("begun");
        let edits = (0..clusters).flat_map(|number| [put(number, "facts", 0), put(number, "status", 0)]).collect();
        let base = group.add(&draft(edits), &key).expect("made");
        group.store(&mirror).expect("stored");
        assert!(matches!(mirror.push(&status(), None, base), Pushed::Landed));
        Self { folder, clusters, mirror: mirror.into(), base, key }
    }

    /// Many commits in one pack: per second, and bytes for each.
    fn group(&self) -> (f64, usize) {
        let mirror = self.mirror.borrow();
        let mut bytes = 0;
        let rate = median(|run| {
            let started = Instant::now();
            let mut group = Group::begin(&mirror, Some(self.base)).expect("begun");
            for number in 0..GROUP {
                group.add(&draft(vec![put(self.spread(number), "status", run * GROUP + number + 1)]), &self.key).expect("made");
            }
            bytes = group.store(&mirror).expect("stored").bytes / GROUP;
            GROUP as f64 / started.elapsed().as_secs_f64()
        });
        (rate, bytes)
    }

    /// Each commit made, stored and pushed alone: per second, and how long the push took.
    fn pushed(&self) -> (f64, Duration) {
        let mut mirror = self.mirror.borrow_mut();
        let mut pushes = Vec::new();
        let rate = median(|run| {
            let mut base = mirror.fetch(&[status()]).expect("fetched").of(&status()).oid();
            let started = Instant::now();
            for number in 0..PUSHES {
                let mut group = Group::begin(&mirror, base).expect("begun");
                let made =
                    group.add(&draft(vec![put(self.spread(number), "status", 10_000 + run * PUSHES + number)]), &self.key).expect("made");
                group.store(&mirror).expect("stored");
                let before = Instant::now();
                assert!(matches!(mirror.push(&status(), base, made), Pushed::Landed));
                pushes.push(before.elapsed());
                base = Some(made);
            }
            PUSHES as f64 / started.elapsed().as_secs_f64()
        });
        pushes.sort();
        (rate, pushes[pushes.len() / 2])
    }

    fn idle_fetch(&self) -> Duration {
        let mut mirror = self.mirror.borrow_mut();
        mirror.fetch(&[status()]).expect("fetched");
        let mut all: Vec<Duration> = (0..50)
            .map(|_| {
                let before = Instant::now();
                mirror.fetch(&[status()]).expect("fetched");
                before.elapsed()
            })
            .collect();
        all.sort();
        all[all.len() / 2]
    }

    fn fast_import(&self) -> f64 {
        let place = self.clone_bare("import.git");
        median(|run| {
            let mut stream = Vec::new();
            for number in 0..IMPORTED {
                let (path, text) = file(self.spread(number), "status", run * IMPORTED + number + 1);
                let from = if number == 0 { format!("from {}\n", self.base) } else { String::new() };
                let message = "status";
                write!(
                    stream,
                    "commit refs/heads/import{run}\ncommitter Bench <bench@example.org> 1795000000 +0000\ndata {}\n{message}\n{from}M 100644 inline {path}\ndata {}\n{text}\n",
                    message.len(),
                    text.len()
                )
                .expect("memory");
            }
            let started = Instant::now();
            let mut child = git(&place).args(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().expect("git runs");
            child.stdin.take().expect("piped").write_all(&stream).expect("written");
            assert!(child.wait().expect("ends").success());
            IMPORTED as f64 / started.elapsed().as_secs_f64()
        })
    }

    /// As a script does it in a bare repository, with an index and five processes for each commit.
    fn plumbing(&self) -> f64 {
        let place = self.clone_bare("plumbing.git");
        let index = self.folder.path().join("index");
        let run_git = |arguments: &[&str], input: &str| -> String {
            let mut command = git(&place);
            command.env("GIT_INDEX_FILE", &index).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().expect("git runs");
            child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
            let output = child.wait_with_output().expect("ends");
            assert!(output.status.success());
            String::from_utf8(output.stdout).expect("utf-8").trim().to_owned()
        };
        let mut tip = self.base.to_string();
        run_git(&["read-tree", &tip], "");
        median(|run| {
            let started = Instant::now();
            for number in 0..BY_HAND {
                let (path, text) = file(self.spread(number), "status", run * BY_HAND + number + 1);
                let blob = run_git(&["hash-object", "-w", "--stdin"], &text);
                run_git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")], "");
                let tree = run_git(&["write-tree"], "");
                let new = run_git(&["commit-tree", &tree, "-p", &tip, "-m", "status"], "");
                run_git(&["update-ref", "refs/heads/plumbing", &new], "");
                tip = new;
            }
            BY_HAND as f64 / started.elapsed().as_secs_f64()
        })
    }

    /// As a person does it, in a work tree.
    fn commit(&self) -> f64 {
        let place = self.folder.path().join("work");
        let remote = self.folder.path().join("fleet.git");
        assert!(
            git(self.folder.path())
                .args(["clone", "-q", "-b", "drydock/status"])
                .arg(&remote)
                .arg(&place)
                .status()
                .expect("git runs")
                .success()
        );
        median(|run| {
            let started = Instant::now();
            for number in 0..BY_HAND {
                let (path, text) = file(self.spread(number), "status", 50_000 + run * BY_HAND + number);
                std::fs::write(place.join(&path), text).expect("written");
                assert!(git(&place).args(["add", &path]).status().expect("git runs").success());
                assert!(git(&place).args(["commit", "-q", "-m", "status"]).status().expect("git runs").success());
            }
            BY_HAND as f64 / started.elapsed().as_secs_f64()
        })
    }

    fn clone_bare(&self, name: &str) -> PathBuf {
        let place = self.folder.path().join(name);
        let remote = self.folder.path().join("fleet.git");
        assert!(git(self.folder.path()).args(["clone", "-q", "--bare"]).arg(&remote).arg(&place).status().expect("git runs").success());
        place
    }

    /// Neighbours in time are seldom neighbours in the tree.
    fn spread(&self, number: usize) -> usize {
        number * 7919 % self.clusters
    }
}

fn status() -> RefName {
    RefName::branch("drydock/status").expect("a name")
}

fn file(cluster: usize, kind: &str, state: usize) -> (String, String) {
    let text = format!(
        "apiVersion: drydock/v1alpha1\nkind: Status\ncluster: c{cluster:05}\nstate: {state}\nconditions:\n- type: Reconciling\n  status: \"True\"\n  reason: StepRunning\n  message: node n{} installs, {state} % done\nnextAction:\n  at: 2026-11-23T10:00:00Z\n  what: look again\n",
        state % 4
    );
    (format!("clusters/site{:03}/c{cluster:05}/{kind}.yaml", cluster / 100), text)
}

fn put(cluster: usize, kind: &str, state: usize) -> Edit {
    let (path, text) = file(cluster, kind, state);
    Edit::Put { path, bytes: text.into() }
}

fn draft(edits: Vec<Edit>) -> Draft {
    let stamp = Stamp { name: "Bench".into(), email: "bench@example.org".into(), seconds: 1_795_000_000, offset_minutes: 0 };
    Draft {
        edits,
        message: "c00001: Install begins\n\nCluster: c00001\nNode: n1\nStep: Install\nEntry: 3/17\n".into(),
        author: stamp.clone(),
        committer: stamp,
    }
}

fn git(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for (name, value) in [("NAME", "Bench"), ("EMAIL", "bench@example.org")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    command
}

fn median(mut once: impl FnMut(usize) -> f64) -> f64 {
    let mut all: Vec<f64> = (0..RUNS).map(&mut once).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
