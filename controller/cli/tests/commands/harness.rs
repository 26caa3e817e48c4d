//! A small fleet in a temporary folder, and a command line without a process: its clock stands still, its output is text.

use drydock::clock::Time;
use drydock::exit::Exit;
use drydock::output::Output;
use drydock::{Context, run};
use drydock_git::{Draft, Edit, Group, Mirror, Oid, Pushed, RefName, Remote, SigningKey, Stamp};
use drydock_model::time::{Millis, Timestamp};
use drydock_spec::wire::facts::Facts;
use drydock_spec::wire::status::ClusterStatus;
use drydock_spec::wire::{FACTS_FILE, ROOT_FILE, STATUS_FILE, folder, message, root::Root, sample};
use expect_test::Expect;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

/// A key that signs nothing but tests.
pub(crate) const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCtIFPz8KhR6CGoiWKp2ebIMSDe3LLoAvjQhPhcY6nK4AAAAIgtnvd5LZ73
eQAAAAtzc2gtZWQyNTUxOQAAACCtIFPz8KhR6CGoiWKp2ebIMSDe3LLoAvjQhPhcY6nK4A
AAAEBp26jQz+Q6xyXX4mBOL+uoCZ01YDCYzwPXl//3N/ujgK0gU/PwqFHoIaiJYqnZ5sgx
IN7csugC+NCE+FxjqcrgAAAABHRlc3QB
-----END OPENSSH PRIVATE KEY-----
";

/// Its public half.
pub(crate) const PUBLIC: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK0gU/PwqFHoIaiJYqnZ5sgxIN7csugC+NCE+Fxjqcrg";

/// Five minutes after the sample's facts.
pub(crate) const NOW: Timestamp = Timestamp(sample::NOW.0 + 300_000);

pub(crate) const HOSPITAL: &str = r#"apiVersion: drydock/v1alpha1
kind: Cluster
metadata:
  name: hospital-north
spec:
  nodes:
    - name: N01
    - name: N02
    - name: N03
    - name: N04
  connection:
    transport: Lab
  operatingSystem:
    minimumBuild: "25398.1611"
  source:
    windowsUpdate: {}
  maintenance:
    windows:
      - schedule: weekly on Saturday at 20:00
        duration: 40h
        timeZone: Europe/Berlin
  contact: "Storage on call, +49 30 1234"
  change: CHG0042
"#;

pub(crate) const TILL: &str = r#"apiVersion: drydock/v1alpha1
kind: Cluster
metadata:
  name: till-042
spec:
  nodes:
    - name: T1
    - name: T2
  connection:
    transport: Lab
  operatingSystem:
    version: 23H2
  source:
    windowsUpdate: {}
"#;

/// The folder, the bare repository in it, and a clone of its fleet.
pub(crate) struct World {
    folder: TempDir,
}

/// What a command said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Everything, for a golden text.
    pub(crate) fn all(&self) -> String {
        let err = if self.err.is_empty() { String::new() } else { format!("--- standard error\n{}", self.err) };
        format!("{}{err}--- exit {}\n", self.out, self.exit.number())
    }
}

/// A clock that stands still, and between two looks does what a test wants.
struct Still {
    turns: Vec<Box<dyn FnOnce()>>,
}

impl Time for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
    fn sleep(&mut self, _: Millis) -> bool {
        match self.turns.pop() {
            Some(turn) => {
                turn();
                true
            }
            None => false,
        }
    }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Captured {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl World {
    /// A fleet of two clusters on `main`, without a status branch.
    pub(crate) fn bare() -> World {
        let world = World { folder: TempDir::new().unwrap() };
        let mut options = git2::RepositoryInitOptions::new();
        options.bare(true).external_template(false).initial_head("main");
        git2::Repository::init_opts(world.path("fleet.git"), &options).unwrap();
        fs::write(world.path("key"), KEY).unwrap();
        world.commit("main", "the fleet", &[("clusters/hospitals/hospital-north.yaml", HOSPITAL), ("clusters/shops/till-042.yaml", TILL)]);
        world
    }

    /// The same with a status branch: the root, one claim, and these facts of hospital-north.
    pub(crate) fn with(facts: &Facts) -> World {
        let world = World::bare();
        let epoch = drydock_model::ids::Epoch { number: 3, nonce: "12e4567".parse().unwrap() };
        let root = Root::begun("north", NOW);
        world.commit("drydock/status", &message::root_message("north"), &[(ROOT_FILE, &root.encode())]);
        let claimed = root.claimed("north", epoch.clone(), NOW, true);
        world.commit("drydock/status", &message::claim_message("north", &epoch), &[(ROOT_FILE, &claimed.encode())]);
        world.entry(facts);
        world
    }

    /// Writes one entry as a controller would.
    pub(crate) fn entry(&self, facts: &Facts) {
        let home = folder(&facts.wanted.path);
        let (facts_path, status_path) = (format!("{home}/{FACTS_FILE}"), format!("{home}/{STATUS_FILE}"));
        let status = ClusterStatus::of(facts).encode();
        self.commit("drydock/status", &message::message(facts), &[(&facts_path, &facts.encode()), (&status_path, &status)]);
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    /// A mirror of the bare repository, and what a branch is there.
    pub(crate) fn mirror(&self, branch: &str) -> (Mirror, RefName, Option<Oid>) {
        let name = RefName::branch(branch).unwrap();
        let mut mirror = Mirror::open(&self.path("test-mirror"), Remote::at_path(&self.path("fleet.git"))).unwrap();
        let tip = mirror.fetch(std::slice::from_ref(&name)).unwrap().of(&name).oid();
        (mirror, name, tip)
    }

    /// One commit with these files on top of a branch of the bare repository.
    pub(crate) fn commit(&self, branch: &str, message: &str, files: &[(&str, &str)]) -> Oid {
        let (mirror, name, tip) = self.mirror(branch);
        let edits = files.iter().map(|(path, text)| Edit::Put { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() }).collect();
        let who =
            Stamp { name: "north".to_owned(), email: "drydock@example".to_owned(), seconds: sample::NOW.0 / 1_000, offset_minutes: 0 };
        let draft = Draft { edits, message: message.to_owned(), author: who.clone(), committer: who };
        let mut group = Group::begin(&mirror, tip).unwrap();
        let commit = group.add(&draft, &SigningKey::from_openssh(KEY, None).unwrap()).unwrap();
        group.store(&mirror).unwrap();
        match mirror.push(&name, tip, commit) {
            Pushed::Landed => commit,
            other => panic!("{other:?}"),
        }
    }

    /// A file of a branch.
    pub(crate) fn read(&self, branch: &str, path: &str) -> Vec<u8> {
        let (mirror, _, tip) = self.mirror(branch);
        mirror.read(tip.unwrap(), path, 1 << 20).unwrap()
    }

    /// A clone of the bare repository with a work tree of `main`; git knows who we are there.
    pub(crate) fn clone(&self) -> PathBuf {
        let place = self.path("clone");
        let git = git2::Repository::clone(self.path("fleet.git").to_str().unwrap(), &place).unwrap();
        let mut config = git.config().unwrap();
        config.set_str("user.name", "Ann").unwrap();
        config.set_str("user.email", "ann@example").unwrap();
        place
    }

    /// Runs a command line in a directory.
    pub(crate) fn run_in(&self, directory: &Path, line: &str) -> Said {
        self.run_with(directory, line, Vec::new())
    }

    /// Runs a command line over the bare repository.
    pub(crate) fn run(&self, line: &str) -> Said {
        self.run_in(&self.path("fleet.git"), line)
    }

    /// Runs a command line; between two looks of one that watches a turn is taken, the last first.
    pub(crate) fn run_with(&self, directory: &Path, line: &str, turns: Vec<Box<dyn FnOnce()>>) -> Said {
        let (out, err) = (Captured::default(), Captured::default());
        let mut context = Context {
            output: Output::into(Box::new(out.clone()), Box::new(err.clone())),
            clock: Box::new(Still { turns }),
            directory: directory.to_owned(),
            cache: self.path("cache"),
            home: Some(self.path("home")),
        };
        let arguments = std::iter::once("drydock").chain(line.split(' ').filter(|a| !a.is_empty()));
        let exit = run(arguments.map(|a| OsString::from(a.replace('_', " "))), &mut context);
        Said { exit, out: self.redact(&out.text()), err: self.redact(&err.text()) }
    }

    /// Paths and commits differ from run to run.
    fn redact(&self, text: &str) -> String {
        let text = text.replace(self.folder.path().to_str().unwrap(), "DIR");
        let mut clean = String::new();
        let mut word = String::new();
        for c in text.chars().chain(['\n']) {
            if c.is_ascii_alphanumeric() {
                word.push(c);
                continue;
            }
            let hexadecimal = word.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
            clean.push_str(match word.len() {
                40 if hexadecimal => "COMMIT",
                10 if hexadecimal => "COMMIT-10-",
                _ => &word,
            });
            word.clear();
            clean.push(c);
        }
        clean.pop();
        // Spaces at the end of a line are no text that anybody sees, and editors drop them from golden files.
        clean.split('\n').map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

/// Files below `root`.
pub(crate) fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// All that a command says, run in `directory`.
pub(crate) fn check_in(world: &World, directory: &Path, line: &str, expect: Expect) {
    expect.assert_eq(&world.run_in(directory, line).all());
}

/// A controller's configuration, and its key.
pub(crate) fn configured(world: &World) {
    let config = format!(
        "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: north\ndesired: {{remote: fleet.git}}\nstateDirectory: state\nsigningKey: key\n\
         allowedSigners: {{persons: ['{PUBLIC}']}}\nlab: {{socket: no.sock}}\n"
    );
    write(&world.path(""), &[("north.yaml", &config), ("key", KEY)]);
}
