//! The demo's git side: a bare fleet repository, a clone of it, merges as a forge makes them, and reading the status branch.

use crate::exit::{Exit, Failure};
use drydock_engine::ports::Clock;
use drydock_git::limits::{self, Limits};
use drydock_git::{Draft, Edit, Group, Head, Mirror, Oid, Pushed, RefName, Remote, SigningKey, Stamp};
use drydock_spec::wire::status::{self, ClusterStatus};
use drydock_spec::wire::words::{self, Said};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Commits that are counted for the summary; a demo writes some hundreds.
const MOST_COMMITS: usize = 100_000;

pub(super) struct Fleet {
    mirror: Mirror,
    main: RefName,
    status: RefName,
    key: SigningKey,
    /// The bare repository.
    pub(super) bare: PathBuf,
    clone: PathBuf,
}

fn git(error: &dyn std::error::Error) -> Failure {
    Failure::of(Exit::Local, error, "check the folder and the space there")
}

impl Fleet {
    /// Makes the bare repository, and a person's key.
    pub(super) fn make(folder: &Path, key: SigningKey) -> Result<Fleet, Failure> {
        limits::settle(&Limits::default()).map_err(|e| git(&e))?;
        let bare = folder.join("fleet.git");
        let made = git2::Repository::init_bare(&bare).map_err(|e| git(&e))?;
        made.set_head("refs/heads/main").map_err(|e| git(&e))?;
        let mirror = Mirror::open(&folder.join("demo"), Remote::at_path(&bare))?;
        let branch = |name| RefName::branch(name).map_err(|e| git(&e));
        Ok(Fleet { mirror, main: branch("main")?, status: branch("drydock/status")?, key, bare, clone: folder.join("fleet") })
    }

    /// The bare repository is not where it was, as if the server were down.
    pub(super) fn unplug(&self) -> std::io::Result<()> {
        std::fs::rename(&self.bare, self.bare.with_extension("unplugged"))
    }

    /// It is back.
    pub(super) fn plug_in(&self) -> std::io::Result<()> {
        std::fs::rename(self.bare.with_extension("unplugged"), &self.bare)
    }

    /// Merges files into main, as a pull request would, and brings the clone up to date.
    pub(super) fn merge(&mut self, title: &str, files: &[(&str, String)], at: &impl Clock) -> Result<Oid, Failure> {
        let on = self.mirror.fetch(std::slice::from_ref(&self.main))?.of(&self.main).oid();
        let edits = files.iter().map(|(path, text)| Edit::Put { path: (*path).to_owned(), bytes: text.clone().into_bytes() }).collect();
        let commit = self.commit(on, edits, title, at)?;
        let main = self.main.clone();
        self.land(&main, on, commit)?;
        match on {
            None => drop(git2::Repository::clone(&self.bare.display().to_string(), &self.clone).map_err(|e| git(&e))?),
            Some(_) => self.pull().map_err(|e| git(&e))?,
        }
        Ok(commit)
    }

    /// A person's word, as `drydock node retry` and its kin write it.
    pub(super) fn say(&mut self, said: &Said, at: &impl Clock) -> Result<(), Failure> {
        // The controller writes too; whoever comes second looks again.
        for _ in 0..8 {
            let on = self.mirror.fetch(std::slice::from_ref(&self.status))?.of(&self.status).oid();
            let commit = self.commit(on, Vec::new(), &words::encode(said), at)?;
            match self.mirror.push(&self.status, on, commit) {
                Pushed::Landed => return Ok(()),
                Pushed::Rejected { .. } => {}
                Pushed::NotSent(trouble) | Pushed::Unknown(trouble) => return Err(trouble.into()),
            }
        }
        Err(Failure::new(Exit::Unreachable, "the status branch moved each time a word was said", "try the demo again"))
    }

    fn commit(&self, on: Option<Oid>, edits: Vec<Edit>, message: &str, at: &impl Clock) -> Result<Oid, Failure> {
        let who = Stamp {
            name: "Ann Example".to_owned(),
            email: "ann@example.com".to_owned(),
            seconds: at.now().0.div_euclid(1_000),
            offset_minutes: 0,
        };
        let draft = Draft { edits, message: message.to_owned(), author: who.clone(), committer: who };
        let mut group = Group::begin(&self.mirror, on).map_err(|e| git(&e))?;
        let commit = group.add(&draft, &self.key).map_err(|e| git(&e))?;
        group.store(&self.mirror)?;
        Ok(commit)
    }

    fn land(&self, branch: &RefName, on: Option<Oid>, commit: Oid) -> Result<(), Failure> {
        match self.mirror.push(branch, on, commit) {
            Pushed::Landed => Ok(()),
            Pushed::Rejected { why, .. } => Err(git(&why)),
            Pushed::NotSent(trouble) | Pushed::Unknown(trouble) => Err(trouble.into()),
        }
    }

    fn pull(&self) -> Result<(), git2::Error> {
        let clone = git2::Repository::open(&self.clone)?;
        clone.find_remote("origin")?.fetch(&["main"], None, None)?;
        let fetched = clone.find_reference("refs/remotes/origin/main")?.peel_to_commit()?;
        clone.reset(fetched.as_object(), git2::ResetType::Hard, None)
    }

    /// Each cluster's status, as the branch has it now; nothing while it cannot be read.
    pub(super) fn statuses(&mut self, folders: &BTreeMap<&'static str, &'static str>) -> BTreeMap<&'static str, ClusterStatus> {
        let Ok(Head::At(tip)) = self.mirror.fetch(std::slice::from_ref(&self.status)).map(|heads| heads.of(&self.status)) else {
            return BTreeMap::new();
        };
        let read = |folder: &str| {
            let bytes = self.mirror.read(tip, &format!("{folder}/status.yaml"), status::MOST_BYTES).ok()?;
            ClusterStatus::decode(&String::from_utf8(bytes).ok()?).ok()
        };
        folders.iter().filter_map(|(cluster, folder)| Some((*cluster, read(folder)?))).collect()
    }

    /// How many commits the status branch has, and the newest of them, one line each.
    pub(super) fn log(&mut self, newest: usize) -> Result<(usize, Vec<String>), Failure> {
        let Head::At(tip) = self.mirror.fetch(std::slice::from_ref(&self.status))?.of(&self.status) else { return Ok((0, Vec::new())) };
        let walk = self.mirror.walk(tip, None, MOST_COMMITS).map_err(|e| git(&e))?;
        let mut lines = Vec::new();
        for commit in walk.commits.iter().take(newest) {
            let facts = self.mirror.commit(*commit).map_err(|e| git(&e))?;
            let id = commit.to_string();
            lines.push(format!("{} {}", &id[..10], facts.message.lines().next().unwrap_or_default()));
        }
        Ok((walk.commits.len(), lines))
    }
}
