//! A folder with a bare repository and the means to look at it from both sides.

use drydock_git::{AllowedKeys, Draft, Edit, Group, Head, Mirror, Oid, Pushed, RefName, Remote, SigningKey, Stamp};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{LineEnding, PrivateKey};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Says that a test, or a part of it, is left out. To the handle itself: what goes through the macros is shown of failed tests only.
pub(crate) fn left_out(test: &str, why: &str) {
    std::io::stderr().write_all(format!("LEFT OUT: {test}: {why}\n").as_bytes()).expect("standard error is there");
}

pub(crate) struct Stage {
    folder: TempDir,
}

impl Stage {
    /// A new folder with an empty bare repository `fleet.git`.
    pub(crate) fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().expect("folder") };
        git2::Repository::init_bare(stage.remote()).expect("bare repository");
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn remote(&self) -> PathBuf {
        self.path("fleet.git")
    }

    /// A mirror of the repository in a state folder of that name.
    pub(crate) fn mirror(&self, name: &str) -> Mirror {
        Mirror::open(&self.path(name), Remote::at_path(&self.remote())).expect("mirror")
    }

    /// What the branch is on the remote, as libgit2 reads it there.
    pub(crate) fn head(&self, name: &RefName) -> Option<Oid> {
        git2::Repository::open(self.remote()).expect("remote").refname_to_id(name.full()).ok()
    }

    /// Commits one file on the branch and pushes it, by way of `mirror`.
    pub(crate) fn land(&self, mirror: &mut Mirror, branch: &RefName, path: &str, text: &str) -> Oid {
        let base = mirror.fetch(std::slice::from_ref(branch)).expect("fetched").of(branch).oid();
        let new = commit(mirror, base, path, text);
        assert!(matches!(mirror.push(branch, base, new), Pushed::Landed));
        new
    }

    /// Runs git in a folder of the stage, apart from the machine's settings.
    pub(crate) fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.try_git(folder, arguments);
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn try_git(&self, folder: &Path, arguments: &[&str]) -> Output {
        git_command(folder).args(arguments).output().expect("git runs")
    }

    /// An executable file, as hooks are. Written by another process: a file that this one has open for writing while another thread
    /// starts a program cannot be executed for a moment ("text file busy").
    pub(crate) fn hook(&self, name: &str, script: &str) {
        let folder = self.remote().join("hooks");
        std::fs::create_dir_all(&folder).expect("folder");
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod 755 "$2""#;
        let written = Command::new("sh").args(["-c", write, "sh", script]).arg(folder.join(name)).status();
        assert!(written.expect("sh runs").success());
    }
}

pub(crate) fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", folder);
    for (name, value) in [("NAME", "Ada"), ("EMAIL", "ada@example.org"), ("DATE", "2026-11-23T10:00:00Z")] {
        command.env(format!("GIT_AUTHOR_{name}"), value).env(format!("GIT_COMMITTER_{name}"), value);
    }
    command
}

pub(crate) fn status() -> RefName {
    RefName::branch("drydock/status").expect("a name")
}

pub(crate) fn main_branch() -> RefName {
    RefName::branch("main").expect("a name")
}

pub(crate) fn key_text(seed: u8) -> String {
    let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32]));
    PrivateKey::new(pair, "test").expect("key").to_openssh(LineEnding::LF).expect("text").to_string()
}

pub(crate) fn key() -> SigningKey {
    SigningKey::from_openssh(&key_text(1), None).expect("key")
}

pub(crate) fn allowed() -> AllowedKeys {
    AllowedKeys::default().and("controller", &key())
}

pub(crate) fn stamp() -> Stamp {
    Stamp { name: "Drydock".into(), email: "drydock@example.org".into(), seconds: 1_795_000_000, offset_minutes: 60 }
}

pub(crate) fn put(path: &str, text: &str) -> Edit {
    Edit::Put { path: path.into(), bytes: text.into() }
}

pub(crate) fn draft(edits: Vec<Edit>) -> Draft {
    let message = format!("{}\n\nCluster: oslo\n", edits.first().map_or("nothing", |edit| edit.path()));
    Draft { edits, message, author: stamp(), committer: stamp() }
}

/// One commit of one file, stored in the mirror.
pub(crate) fn commit(mirror: &Mirror, base: Option<Oid>, path: &str, text: &str) -> Oid {
    commits(mirror, base, &[(path, text)])[0]
}

/// One commit for each of these files.
pub(crate) fn commits(mirror: &Mirror, base: Option<Oid>, files: &[(&str, &str)]) -> Vec<Oid> {
    let mut group = Group::begin(mirror, base).expect("begun");
    for (path, text) in files {
        group.add(&draft(vec![put(path, text)]), &key()).expect("made");
    }
    group.store(mirror).expect("stored").commits
}

pub(crate) fn at(oid: Oid) -> Head {
    Head::At(oid)
}

/// All files under a folder, with their sizes: what a disk looks like.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("readable").flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(folder).expect("inside").display().to_string());
            }
        }
    }
    found.sort();
    found
}
