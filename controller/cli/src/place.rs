//! Which repository is meant, and a mirror of it in the user's cache: the fleet's, and the one that status is written to.

use crate::Context;
use crate::args;
use crate::exit::{Exit, Failure};
use drydock_git::limits::{self, Limits};
use drydock_git::{Access, KeyFrom, Mirror, Oid, RefName, Remote, TokenFrom, Trouble, Unreadable};
use drydock_spec::fleet::{FLEET_FILE, MISNAMED_FLEET_FILES};
use drydock_spec::wire::config::{DESIRED_BRANCH, STATUS_BRANCH};
use drydock_spec::wire::{ROOT_FILE, one_line};
use drydock_spec::{Severity, StatusHome, parse_fleet, tree};
use std::path::{Path, PathBuf};

/// A fleet, looked at through its repositories.
pub struct Place {
    /// The clone around the current directory, if there is one.
    pub work_tree: Option<PathBuf>,
    /// The newest revision of the fleet.
    pub desired: Option<Oid>,
    /// The newest commit of the status branch.
    pub status: Option<Oid>,
    /// Its name.
    pub branch: RefName,
    /// Set when the remote did not answer, and this is what was fetched before.
    pub stale: Option<String>,
    /// Set when `fleet.yaml` is there and does not count, so that nobody knows whether status is somewhere else.
    pub unguided: Option<String>,
    base: RefName,
    /// The command line says where status is, and nothing of the desired branch.
    elsewhere_by_word: bool,
    fleet: Mirror,
    elsewhere: Option<Mirror>,
}

/// Characters of the reason why `fleet.yaml` does not count.
const MOST_WHY: usize = 300;

/// Commits in which the claim of a status branch is looked for that is not in the newest one.
const MOST_COMMITS: usize = 10_000;

/// Mirrors of one remote that are tried: one for each command that runs at the same time.
const MOST_MIRRORS: u32 = 8;

impl Place {
    /// Finds the fleet that the arguments mean and fetches what is new.
    pub fn open(context: &Context, at: &args::Repository) -> Result<Place, Failure> {
        if let Some(file) = &at.ca_file {
            let limits = Limits { ca_file: Some(context.directory.join(file)), ..Limits::default() };
            limits::settle(&limits)
                .map_err(|e| Failure::of(Exit::Configuration, &e, "give --ca-file a file of certificates in PEM form"))?;
        }
        let access = access(context, at);
        let (remote, work_tree) = locate(context, at.repository.as_deref())?;
        let base = branch(&at.base)?;
        let asked = at.status_branch.as_deref();
        let mut place = Place {
            work_tree,
            desired: None,
            status: None,
            branch: branch(asked.unwrap_or(STATUS_BRANCH))?,
            stale: None,
            unguided: None,
            base,
            elsewhere_by_word: asked.is_some() && at.base == DESIRED_BRANCH,
            fleet: open_mirror(context, remote.with_access(access.clone()))?,
            elsewhere: None,
        };
        place.refresh()?;
        place.follow(context, asked, access)?;
        Ok(place)
    }

    /// Fetches what is new. When the remote does not answer, what was fetched before is shown, and said to be old.
    pub fn refresh(&mut self) -> Result<(), Failure> {
        self.stale = None;
        let names = [self.base.clone(), self.branch.clone()];
        let seen = fetch(&mut self.fleet, &names, Failure::from)?;
        (self.desired, self.status, self.stale) = (seen.desired, seen.status, seen.stale);
        if let Some(mirror) = &mut self.elsewhere {
            let seen = fetch(mirror, &names, Failure::led)?;
            self.status = seen.status;
            self.stale = self.stale.take().or(seen.stale);
        }
        Ok(())
    }

    /// Goes where `fleet.yaml` says that status is written.
    fn follow(&mut self, context: &Context, asked: Option<&str>, access: Access) -> Result<(), Failure> {
        let Some(desired) = self.desired else { return Ok(()) };
        let bytes = match self.fleet.read(desired, FLEET_FILE, tree::MOST_BYTES) {
            Ok(bytes) => bytes,
            Err(Unreadable::NoSuchPath(_)) => {
                let there = |name: &&str| !matches!(self.fleet.identity(desired, name), Ok(None));
                let mistaken = MISNAMED_FLEET_FILES.iter().copied().find(there);
                self.unguided = mistaken.map(|name| format!("{name} is not read; rename it"));
                return Ok(());
            }
            Err(e) => {
                self.unguided = Some(e.to_string());
                return Ok(());
            }
        };
        let fleet = match parse_fleet(FLEET_FILE, &bytes) {
            Ok(fleet) => fleet,
            Err(problems) => {
                let first = problems.iter().find(|p| p.severity == Severity::Error);
                let why = first.map_or_else(String::new, |p| format!("error[{}]: {}", p.code, p.message));
                self.unguided = Some(one_line(&why, MOST_WHY));
                return Ok(());
            }
        };
        let StatusHome { remote, branch: named } = fleet.status;
        let named = branch(asked.unwrap_or(&named))?;
        if remote.is_none() && named == self.branch {
            return Ok(());
        }
        self.branch = named;
        if let Some(remote) = remote {
            let remote =
                Remote::parse(&remote).map_err(|e| Failure::of(Exit::Configuration, &e, "mend spec.status.remote in fleet.yaml"))?;
            self.elsewhere = Some(open_mirror(context, remote.with_access(access))?);
        }
        self.refresh()
    }

    /// Said where the repository answers and has no such branch for people to merge to. Who says where status is may look at a repository that holds
    /// nothing else.
    pub fn missing(&self) -> Option<String> {
        let known = self.desired.is_some() || self.stale.is_some() || self.elsewhere_by_word;
        (!known).then(|| format!("{} has no branch {}", self.fleet.remote(), self.base))
    }

    /// How a command ends that would end like this with nothing missing.
    pub fn exit(&self, exit: Exit) -> Exit {
        if self.missing().is_some() { exit.max(Exit::Usage) } else { exit }
    }

    /// Tells what may be wrong with what is shown: that it is old, and that it may be shown of the wrong place.
    pub fn note(&self, context: &mut Context) {
        if let Some(why) = &self.unguided {
            context.output.note(&format!("{FLEET_FILE} does not count ({why}); if it says that status is elsewhere, this is not it"));
        }
        if let Some(what) = self.missing() {
            context.output.note(&format!(
                "{what}, so no controller that watches it takes in what is merged: put it back, or check --base, and desired.branch of the controller"
            ));
        }
        if let Some(why) = &self.stale {
            context.output.note(&format!("as fetched before; now: {why}"));
        }
    }

    /// The mirror of the desired state.
    pub fn fleet(&self) -> &Mirror {
        &self.fleet
    }

    /// The mirror of the status branch.
    pub fn status_mirror(&self) -> &Mirror {
        self.elsewhere.as_ref().unwrap_or(&self.fleet)
    }

    /// The status branch's newest commit, or why there is none.
    pub fn tip(&self) -> Result<Oid, Failure> {
        if let Some(tip) = self.status
            && !self.has_begun(tip)
        {
            let what = format!("{} of {} is no status branch: it has no {ROOT_FILE}", self.branch, self.status_mirror().remote());
            return Err(Failure::new(Exit::Usage, what, "check --status-branch, and spec.status in fleet.yaml"));
        }
        self.status.ok_or_else(|| {
            let what = match self.missing() {
                Some(missing) => format!("{missing}, and no status branch {}", self.branch),
                None => format!("{} has no status branch {}", self.status_mirror().remote(), self.branch),
            };
            if let Some(why) = &self.unguided {
                let what = format!("{what}, and {FLEET_FILE}, which may say that status is elsewhere, does not count: {why}");
                let todo = "mend fleet.yaml: drydock validate tells all that is wrong; or say where status is, with --repository and --status-branch";
                return Failure::new(Exit::Found, what, todo);
            }
            Failure::new(
                Exit::Usage,
                what,
                "check --repository, --base and --status-branch; a new fleet gets its branch from: drydock init --config FILE",
            )
        })
    }
}

impl Place {
    /// Whether a branch is one that status is written to, or was: where somebody removed the claim, a person's word is what is needed.
    fn has_begun(&self, tip: Oid) -> bool {
        let mirror = self.status_mirror();
        let has = |commit: Oid| mirror.identity(commit, ROOT_FILE).map_or(true, |root| root.is_some());
        has(tip) || mirror.walk(tip, None, MOST_COMMITS).is_ok_and(|walk| walk.commits.into_iter().any(has))
    }
}

/// What the two branches are, and why that may be old.
struct Seen {
    desired: Option<Oid>,
    status: Option<Oid>,
    stale: Option<String>,
}

/// Fetches both; `failed` knows who named the repository.
fn fetch(mirror: &mut Mirror, names: &[RefName; 2], failed: fn(Trouble) -> Failure) -> Result<Seen, Failure> {
    let [base, branch] = names;
    let trouble = match mirror.fetch(names) {
        Ok(heads) => return Ok(Seen { desired: heads.of(base).oid(), status: heads.of(branch).oid(), stale: None }),
        Err(trouble) => trouble,
    };
    let (desired, status) = (mirror.last_seen(base).oid(), mirror.last_seen(branch).oid());
    // A remote that was there before and is not now: a network, or a mounted folder, that comes back.
    let away = matches!(
        trouble,
        Trouble::Unreachable { .. }
            | Trouble::TimedOut { .. }
            | Trouble::Server { .. }
            | Trouble::NoSuchPath(_)
            | Trouble::NotARepository(_)
            | Trouble::RemoteDamaged { .. }
    );
    if away && (desired.is_some() || status.is_some()) {
        return Ok(Seen { desired, status, stale: Some(trouble.to_string()) });
    }
    Err(failed(trouble))
}

/// A branch's name, checked.
pub fn branch(short: &str) -> Result<RefName, Failure> {
    RefName::branch(short).map_err(|e| Failure::of(Exit::Usage, &e, "give the branch's short name, for example: main"))
}

fn access(context: &Context, at: &args::Repository) -> Access {
    let key = at.ssh_key.as_ref().map(|p| KeyFrom::File { path: context.directory.join(p), passphrase_env: Some(PASSPHRASE.to_owned()) });
    let token = at.token_file.as_ref().map(|p| TokenFrom::File(context.directory.join(p)));
    Access { key: key.unwrap_or_default(), token, ..Access::default() }
}

/// The environment variable with the passphrase of a key file.
pub const PASSPHRASE: &str = "DRYDOCK_KEY_PASSPHRASE";

/// The remote that is meant, and the work tree around us.
fn locate(context: &Context, named: Option<&str>) -> Result<(Remote, Option<PathBuf>), Failure> {
    match named {
        Some(text) if text.contains("://") => Ok((parse(text)?, None)),
        Some(text) => {
            let path = context.directory.join(text);
            if path.exists() { of_path(&path, git2::Repository::open(&path)) } else { Ok((parse(text)?, None)) }
        }
        None => of_path(&context.directory, git2::Repository::discover(&context.directory)),
    }
}

/// Of a clone its `origin`, since that is what controllers see; else the repository itself.
fn of_path(path: &Path, opened: Result<git2::Repository, git2::Error>) -> Result<(Remote, Option<PathBuf>), Failure> {
    let git = match opened {
        Ok(git) => git,
        Err(e) if e.code() == git2::ErrorCode::Owner => return Err(Trouble::not_ours(around(path)).into()),
        Err(_) => return Err(Trouble::NotARepository(path.to_owned()).into()),
    };
    let work_tree = git.workdir().map(Path::to_owned);
    let origin = git.find_remote("origin").ok().and_then(|r| r.url().ok().map(ToOwned::to_owned));
    let remote = match (origin, &work_tree) {
        (Some(url), Some(tree)) if is_relative_path(&url) => Remote::at_path(&tree.join(&url)),
        (Some(url), Some(_)) => parse(&url)?,
        (_, _) => Remote::at_path(git.commondir()),
    };
    Ok((remote, work_tree))
}

/// The folder of the clone that a folder lies in: the one that git asks about.
fn around(path: &Path) -> &Path {
    path.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(path)
}

fn is_relative_path(url: &str) -> bool {
    url.starts_with("./") || url.starts_with("../")
}

fn parse(text: &str) -> Result<Remote, Failure> {
    Remote::parse(text)
        .map_err(|e| Failure::of(Exit::Usage, &e, "give --repository a path, or a URL that begins with https://, ssh:// or file://"))
}

/// A mirror in the cache; another one when a command at the same time uses the first.
fn open_mirror(context: &Context, remote: Remote) -> Result<Mirror, Failure> {
    let name = cache_name(&remote.to_string());
    let mut busy = None;
    for i in 0..MOST_MIRRORS {
        match Mirror::open(&context.cache.join(format!("{name}-{i}")), remote.clone()) {
            Ok(mirror) => return Ok(mirror),
            Err(trouble @ Trouble::InUse(_)) => busy = Some(trouble),
            Err(other) => return Err(other.into()),
        }
    }
    Err(busy.map_or_else(|| Failure::new(Exit::Fault, "no mirror was tried", "please report this"), Failure::from))
}

/// A folder name for a remote: readable, and different for different remotes (FNV-1a tells those apart whose letters are alike).
fn cache_name(remote: &str) -> String {
    let readable: String = remote.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let readable = readable.trim_matches('-');
    let tail = &readable[readable.len().saturating_sub(60)..];
    let hash = remote.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{tail}-{hash:016x}")
}

/// Who speaks, by git's configuration: name, address, and the file of the signing key.
pub struct Person {
    /// `user.name`.
    pub name: Option<String>,
    /// `user.email`.
    pub email: Option<String>,
    /// `user.signingKey`, where it is a file of an SSH key.
    pub key: Option<PathBuf>,
}

/// Reads git's configuration as git would here.
pub fn person(context: &Context, work_tree: Option<&Path>) -> Person {
    let opened = match work_tree {
        Some(tree) => git2::Repository::open(tree).and_then(|git| git.config()),
        None => git2::Config::open_default(),
    };
    let get = |key: &str| opened.as_ref().ok().and_then(|c| c.get_string(key).ok()).filter(|v| !v.is_empty());
    let ssh = get("gpg.format").as_deref() == Some("ssh");
    let file = get("user.signingkey").filter(|k| ssh && !k.starts_with("key::") && !k.starts_with("ssh-"));
    let at_home = |k: String| match (k.strip_prefix("~/"), &context.home) {
        (Some(rest), Some(home)) => home.join(rest),
        (Some(_) | None, _) => context.directory.join(&k),
    };
    // git takes the public file too, and finds the private one beside it; so do we. Where there is none, an agent has it.
    let key = file.map(|k| {
        let private = k.strip_suffix(".pub").map(|k| at_home(k.to_owned())).filter(|private| private.exists());
        private.unwrap_or_else(|| at_home(k))
    });
    Person { name: get("user.name"), email: get("user.email"), key }
}

/// A commit as text.
pub fn text_of(commit: Option<Oid>) -> String {
    commit.map_or_else(|| "none".to_owned(), |oid| oid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_whose_letters_are_alike_have_mirrors_of_their_own() {
        assert_ne!(cache_name("https://a/b"), cache_name("https://a-b"));
        assert!(cache_name(&"x".repeat(500)).len() < 100);
    }
}
