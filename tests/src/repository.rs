//! A fleet repository beside real controllers: who merges into it, and what its status branch tells.

use crate::binary::binary;
use drydock_git::{Draft, Edit, Group, Head, Mirror, Oid, Pushed, RefName, Remote, SigningKey, Stamp};
use drydock_model::time::Timestamp;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A bare repository, and a person's own clone of it.
pub struct Repository {
    bare: PathBuf,
    clone: Mirror,
    key: SigningKey,
}

impl Repository {
    /// An empty one, `fleet.git`; the controllers' key lies beside it as `controller.key`.
    pub fn new(folder: &Path, seed: u64) -> Repository {
        let bare = folder.join("fleet.git");
        git2::Repository::init_bare(&bare).and_then(|git| git.set_head("refs/heads/main")).expect("a bare repository");
        let mut random = [0; 32];
        random[..8].copy_from_slice(&seed.to_be_bytes());
        let (key, text) = SigningKey::generate(&random, "controller").expect("a key");
        fs::write(folder.join("controller.key"), text).expect("the key's file");
        let clone = Mirror::open(&folder.join("test"), Remote::at_path(&bare)).expect("a mirror");
        Repository { bare, clone, key }
    }

    /// The key that controllers sign with.
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Makes the status branch, as `drydock init` does.
    pub fn init(config: &Path) {
        let init = Command::new(binary()).args(["init", "--config"]).arg(config).output().expect("init runs");
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    }

    /// Merges files into main.
    pub fn merge(&mut self, title: &str, files: &[(&str, &str)], at: Timestamp) -> Oid {
        let main = RefName::branch("main").expect("a branch");
        let on = self.clone.fetch(std::slice::from_ref(&main)).expect("the repository is there").of(&main).oid();
        let edits = files.iter().map(|(path, text)| Edit::Put { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() }).collect();
        let who = Stamp { name: "Ann".to_owned(), email: "ann@example.com".to_owned(), seconds: at.0 / 1_000, offset_minutes: 0 };
        let draft = Draft { edits, message: title.to_owned(), author: who.clone(), committer: who };
        let mut group = Group::begin(&self.clone, on).expect("a group");
        let commit = group.add(&draft, &self.key).expect("a commit");
        group.store(&self.clone).expect("space");
        assert!(matches!(self.clone.push(&main, on, commit), Pushed::Landed));
        commit
    }

    /// The messages of the status branch, newest first.
    pub fn messages(&mut self) -> Vec<String> {
        let branch = RefName::branch("drydock/status").expect("a branch");
        let Head::At(tip) = self.clone.fetch(std::slice::from_ref(&branch)).expect("the repository is there").of(&branch) else {
            return Vec::new();
        };
        let commits = self.clone.walk(tip, None, 100_000).expect("a sound mirror").commits;
        commits.iter().map(|c| self.clone.commit(*c).expect("a commit").message).collect()
    }

    /// What `git fsck` says of the bare repository. A push that was killed between its objects and its reference leaves objects that nothing
    /// names; that is no damage, and git clears them away in time.
    pub fn fsck(&self) -> String {
        let done = Command::new("git").arg("-C").arg(&self.bare).args(["fsck", "--strict", "--no-dangling"]).output().expect("git runs");
        format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
    }
}
