//! A bare mirror of the remote in the state folder. It is a cache: what it lost is fetched again, and when it is damaged it is moved
//! aside and made anew. It never decides anything about the remote; it says what the remote's branches were at one moment.

use crate::access::{Talk, callbacks, proxy};
use crate::landing;
use crate::limits;
use crate::names::RefName;
use crate::patience::{self, Patience};
use crate::push::{Calm, Wire};
use crate::remote::Remote;
use crate::repair;
use crate::tidy;
use crate::trouble::Trouble;
use git2::{AutotagOption, Direction, FetchOptions, Oid, RemoteRedirect, Repository, RepositoryInitOptions};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a branch is on the remote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// There is no such branch.
    Absent,
    /// It points to this commit.
    At(Oid),
}

impl Head {
    /// The commit, if there is one.
    #[must_use]
    pub fn oid(self) -> Option<Oid> {
        match self {
            Self::Absent => None,
            Self::At(oid) => Some(oid),
        }
    }

    pub(crate) fn of(oid: Option<Oid>) -> Self {
        oid.map_or(Self::Absent, Self::At)
    }
}

/// The branches that were asked for, all as they were in one answer of the remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heads {
    heads: BTreeMap<RefName, Head>,
    /// Set when the mirror had to be made again.
    pub healed: Option<Healed>,
}

impl Heads {
    /// One of the branches that were asked for; one that was not is absent.
    #[must_use]
    pub fn of(&self, name: &RefName) -> Head {
        self.heads.get(name).copied().unwrap_or(Head::Absent)
    }
}

/// The mirror was damaged and is new now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Healed {
    /// What was wrong.
    pub why: String,
    /// Where the damaged one is kept (only the last one is).
    pub aside: PathBuf,
    /// Outboxes that could not be carried over, by reference: what they held was never confirmed by the remote.
    pub lost: Vec<String>,
}

/// The mirror. One process, one thread at a time.
pub struct Mirror {
    folder: PathBuf,
    pub(crate) git: Repository,
    remote: Remote,
    pub(crate) wire: Arc<dyn Wire>,
    /// Why the next fetch shall start over.
    pub(crate) suspect: RefCell<Option<String>>,
    pub(crate) patience: Patience,
    /// Held as long as we live: one process per state folder.
    _in_use: File,
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mirror({} of {})", self.folder.display(), self.remote)
    }
}

impl Mirror {
    /// Opens the mirror in this folder, or makes an empty one; nothing is asked of the remote yet.
    ///
    /// A damaged mirror is moved aside at once, so that opening never fails for what a fetch can bring back.
    pub fn open(folder: &Path, remote: Remote) -> Result<Self, Trouble> {
        limits::settled().map_err(Trouble::Limits)?;
        std::fs::create_dir_all(folder).map_err(|source| Trouble::from_io("make the state folder", folder, source))?;
        let in_use = repair::take(folder)?;
        let place = folder.join(repair::MIRROR);
        let git = match repair::open_sound(&place)? {
            Ok(git) => git,
            Err(why) => {
                if place.exists() {
                    repair::set_aside(folder, &why)?;
                }
                make(&place)?
            }
        };
        let mirror = Self {
            folder: folder.to_owned(),
            git,
            remote,
            wire: Arc::new(Calm),
            suspect: RefCell::default(),
            patience: Patience::default(),
            _in_use: in_use,
        };
        mirror.configure()?;
        Ok(mirror)
    }

    /// Lets a test (or a drill) cut the line to the remote.
    pub fn set_wire(&mut self, wire: Arc<dyn Wire>) {
        self.wire = wire;
    }

    /// From here on somebody waits who has other things to do: a fetch may take half a minute, and a remote that was waited for in vain is left alone twice
    /// as long, which is an error at once (`TimedOut`). One that is slow, and not silent, gets twice the time at each try, up to a quarter of an hour.
    pub fn hurry(&mut self) {
        self.patience.hurry();
    }

    /// For the last word before an end: the remote is asked even if it was waited for in vain just now.
    pub fn once_more(&self) {
        self.patience.rested();
    }

    /// The remote that this mirrors.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The mirror's own repository, for people who want to look with git.
    #[must_use]
    pub fn place(&self) -> PathBuf {
        self.folder.join(repair::MIRROR)
    }

    /// Brings these branches up to date and says what they are. When nothing changed, nothing is downloaded.
    pub fn fetch(&mut self, names: &[RefName]) -> Result<Heads, Trouble> {
        let began = self.patience.begin(&self.remote)?;
        let fetched = self.fetch_now(names);
        self.patience.ended(began, fetched.as_ref().err());
        fetched
    }

    fn fetch_now(&mut self, names: &[RefName]) -> Result<Heads, Trouble> {
        let suspect = self.suspect.borrow().clone();
        let heads = match suspect {
            Some(why) => self.fetch_anew(&why, names)?,
            None => match self.fetch_once(names) {
                Err(Trouble::Corrupt { detail }) => self.fetch_anew(&detail, names)?,
                other => other?,
            },
        };
        let healed = repair::rescue(&self.folder, &self.git)?;
        if let Some(healed) = &healed {
            tracing::warn!(why = %healed.why, aside = %healed.aside.display(), lost = healed.lost.len(), "the local mirror was damaged and has been made again");
        }
        match self.tidy() {
            Ok(()) => {}
            // The next fetch makes it again.
            Err(Trouble::Corrupt { detail }) => *self.suspect.borrow_mut() = Some(detail),
            Err(trouble) => tracing::warn!(why = %trouble, "the packs of the local mirror could not be gathered"),
        }
        Ok(Heads { heads, healed })
    }

    /// What these branches were at the last fetch, from the mirror alone.
    #[must_use]
    pub fn last_seen(&self, name: &RefName) -> Head {
        Head::of(self.git.refname_to_id(&name.seen()).ok())
    }

    /// What these branches are now, without downloading anything.
    pub fn ask(&self, names: &[RefName]) -> Result<BTreeMap<RefName, Head>, Trouble> {
        let talk = Talk::default();
        let mut link = self.link()?;
        let connection = link
            .connect_auth(Direction::Fetch, Some(callbacks(&self.remote, &talk)), Some(proxy(&self.remote)))
            .map_err(|error| talk.trouble(&self.remote, error))?;
        let listed = connection.list().map_err(|error| talk.trouble(&self.remote, error))?;
        Ok(pick(names, listed))
    }

    /// Gathers packs when they have become many; the handle is opened anew, so that it holds none of the old ones.
    fn tidy(&mut self) -> Result<(), Trouble> {
        if tidy::tidy(&self.place().join("objects"))? {
            self.git = Repository::open_bare(self.place()).map_err(|error| self.local(error))?;
        }
        Ok(())
    }

    fn fetch_once(&self, names: &[RefName]) -> Result<BTreeMap<RefName, Head>, Trouble> {
        self.wire.fetching().map_err(|dropped| Trouble::Injected(dropped.0))?;
        let talk = Talk::default();
        let sort = |error| talk.trouble(&self.remote, error);
        let mut link = self.link()?;
        let mut connection =
            link.connect_auth(Direction::Fetch, Some(callbacks(&self.remote, &talk)), Some(proxy(&self.remote))).map_err(sort)?;
        let heads = pick(names, connection.list().map_err(sort)?);
        let wanted: Vec<String> = heads
            .iter()
            .filter(|(name, head)| **head != Head::Absent && **head != self.last_seen(name))
            .map(|(name, _)| format!("+{}:{}", name.full(), name.seen()))
            .collect();
        if !wanted.is_empty() {
            let (began, bound) = (patience::now(), self.patience.bound());
            let mut options = FetchOptions::new();
            options.download_tags(AutotagOption::None).update_fetchhead(false).follow_redirects(RemoteRedirect::None);
            let mut bounded = callbacks(&self.remote, &talk);
            bounded.transfer_progress(|done| {
                let detail = if done.received_bytes() > BYTES_MAX {
                    format!("more than {} MiB came", BYTES_MAX >> 20)
                } else if began.elapsed() > bound {
                    format!("it was not done after {} s", bound.as_secs())
                } else {
                    return true;
                };
                *talk.stopped.borrow_mut() = Some(Trouble::TooMuch { remote: self.remote.to_string(), detail });
                false
            });
            options.remote_callbacks(bounded).proxy_options(proxy(&self.remote));
            connection.remote().download(&wanted, Some(&mut options)).map_err(|error| match sort(error) {
                // Who only reads there fills no disk there.
                Trouble::DiskFull { .. } => Trouble::DiskFull { place: self.place().display().to_string() },
                other => other,
            })?;
        }
        drop(connection);
        for (name, head) in &heads {
            self.record(name, *head)?;
        }
        Ok(heads)
    }

    /// Notes what a branch is, once what it points to is really here.
    pub(crate) fn record(&self, name: &RefName, head: Head) -> Result<(), Trouble> {
        if head == self.last_seen(name) {
            return Ok(());
        }
        match head {
            Head::At(oid) => {
                let whole = self.git.find_commit(oid).and_then(|commit| commit.tree());
                whole.map_err(|error| Trouble::Corrupt { detail: format!("{oid} of {name} is missing: {}", error.message()) })?;
                self.git.reference(&name.seen(), oid, true, "fetch").map_err(|error| self.local(error))?;
            }
            Head::Absent => {
                if let Ok(mut gone) = self.git.find_reference(&name.seen()) {
                    gone.delete().map_err(|error| self.local(error))?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn link(&self) -> Result<git2::Remote<'_>, Trouble> {
        if let Some(path) = self.remote.path() {
            landing::open(path)?;
        }
        self.git.remote_anonymous(&self.remote.url()).map_err(|error| self.local(error))
    }

    /// An error about our own files.
    pub(crate) fn local(&self, error: git2::Error) -> Trouble {
        Trouble::from_git(&self.place().display().to_string(), None, error)
    }

    /// Makes the mirror again from the remote. Only when that has worked is the old one given up: a damaged mirror is better than an
    /// empty one as long as the remote is away.
    fn fetch_anew(&mut self, why: &str, names: &[RefName]) -> Result<BTreeMap<RefName, Head>, Trouble> {
        repair::set_aside(&self.folder, why)?;
        let fetched = make(&self.place()).and_then(|git| {
            self.git = git;
            self.configure()?;
            self.fetch_once(names)
        });
        match fetched {
            Ok(heads) => {
                *self.suspect.borrow_mut() = None;
                Ok(heads)
            }
            Err(trouble) => {
                self.git = repair::put_back(&self.folder)?;
                *self.suspect.borrow_mut() = Some(why.to_owned());
                Err(match trouble {
                    Trouble::Corrupt { detail } => {
                        *self.suspect.borrow_mut() = None;
                        Trouble::RemoteDamaged { remote: self.remote.to_string(), detail }
                    }
                    other => other,
                })
            }
        }
    }

    /// Settings of the mirror; what was seen of another remote is forgotten.
    fn configure(&self) -> Result<(), Trouble> {
        let local = |error| self.local(error);
        let mut config = self.git.config().map_err(local)?;
        // What was fetched can be fetched again; what was not confirmed is flushed by the outbox itself.
        config.set_bool("core.fsyncObjectFiles", false).map_err(local)?;
        config.set_bool("core.logAllRefUpdates", false).map_err(local)?;
        // The first request of a connection follows no option of ours, only this: else a server could send us, and our token, elsewhere.
        config.set_bool("http.followRedirects", false).map_err(local)?;
        let now = self.remote.to_string();
        if config.get_string("drydock.remote").ok().as_deref() != Some(now.as_str()) {
            let old: Vec<git2::Reference<'_>> = self.git.references_glob("refs/seen/*").map_err(local)?.flatten().collect();
            for mut reference in old {
                reference.delete().map_err(local)?;
            }
            config.set_str("drydock.remote", &now).map_err(local)?;
        }
        Ok(())
    }
}

/// What one fetch may bring: the whole history of a fleet of thousands is far below.
const BYTES_MAX: usize = 2 << 30;

fn make(place: &Path) -> Result<Repository, Trouble> {
    let mut options = RepositoryInitOptions::new();
    // No template: the mirror shall not inherit hooks or settings of the machine.
    options.bare(true).no_reinit(true).external_template(false).initial_head("none");
    Repository::init_opts(place, &options).map_err(|error| Trouble::from_git(&place.display().to_string(), None, error))
}

fn pick(names: &[RefName], listed: &[git2::RemoteHead<'_>]) -> BTreeMap<RefName, Head> {
    let found: BTreeMap<&str, Oid> = listed.iter().map(|head| (head.name(), head.oid())).collect();
    names.iter().map(|name| (name.clone(), Head::of(found.get(name.full()).copied()))).collect()
}
