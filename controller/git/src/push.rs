//! Pushing one reference, as a compare-and-swap: it becomes `new` if it is `expected`, else nothing happens. Never with force.

use crate::access::{Talk, callbacks, proxy};
use crate::landing;
use crate::mirror::{Head, Mirror};
use crate::names::RefName;
use crate::trouble::Trouble;
use git2::{Direction, Oid, PushOptions, RemoteRedirect};
use std::cell::{Cell, RefCell};
use std::io;

/// How a push ended.
#[derive(Debug)]
pub enum Pushed {
    /// The remote has it (perhaps it had it before).
    Landed,
    /// The remote answered no, and is unchanged.
    Rejected {
        /// What the branch is there, if that could be asked.
        now: Option<Head>,
        /// Why.
        why: Refusal,
    },
    /// It never left this machine: it may be tried again without looking.
    NotSent(Trouble),
    /// It was sent and no answer came: it may land, now or later. Look; then send the same objects again.
    Unknown(Trouble),
}

/// Why a remote said no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The branch is not what was expected.
    #[error("the branch has moved")]
    Moved,
    /// The server's own words: a protected branch, a quota, a hook.
    #[error("the server refused it: {said}")]
    Server {
        /// What it said.
        said: String,
    },
    /// A hook of a repository on a path.
    #[error("the repository's {hook} hook refused it: {said}")]
    Hook {
        /// Which one.
        hook: String,
        /// What it said.
        said: String,
    },
    /// A hook that only git can run.
    #[error("the repository has a {hook} hook, which a push by path cannot run; serve the repository by ssh:// or https://")]
    HookNotRun {
        /// Which one.
        hook: String,
    },
    /// Somebody works on the branch there.
    #[error("the branch is checked out in a work tree there; use a bare repository")]
    CheckedOut,
    /// `a` and `a/b` cannot both be branches.
    #[error("the name is taken by {by}")]
    NameTaken {
        /// The other reference.
        by: String,
    },
}

/// A cut line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped(pub &'static str);

/// Where tests and drills cut the line to the remote. All of it does nothing by default.
pub trait Wire: Send + Sync {
    /// Before a fetch connects.
    fn fetching(&self) -> Result<(), Dropped> {
        Ok(())
    }
    /// Before anything of a push leaves.
    fn request(&self) -> Result<(), Dropped> {
        Ok(())
    }
    /// Before objects are stored in a repository on a path.
    fn storing(&self) -> io::Result<()> {
        Ok(())
    }
    /// After a push landed, before its answer is back.
    fn answer(&self) -> Result<(), Dropped> {
        Ok(())
    }
}

/// The wire of production.
#[derive(Debug, Clone, Copy, Default)]
pub struct Calm;

impl Wire for Calm {}

impl Mirror {
    /// Makes the remote's reference `new`, a commit of this mirror, if it is `expected` there (`None`: if it does not exist).
    pub fn push(&self, name: &RefName, expected: Option<Oid>, new: Oid) -> Pushed {
        // Checked here and not only by the server: some servers allow more than we do.
        match self.descends(expected, new) {
            Ok(()) => {}
            Err(trouble) => {
                self.doubt(&trouble);
                return Pushed::NotSent(trouble);
            }
        }
        let began = match self.patience.begin(self.remote()) {
            Ok(began) => began,
            Err(trouble) => return Pushed::NotSent(trouble),
        };
        let pushed = match self.remote().path() {
            Some(path) => landing::push(path, &self.git, name, expected, new, self.wire.as_ref()),
            None => self.push_by_network(name, expected, new),
        };
        if let Pushed::NotSent(trouble) = &pushed {
            self.doubt(trouble);
        }
        let vain = match &pushed {
            Pushed::NotSent(trouble) | Pushed::Unknown(trouble) => Some(trouble),
            Pushed::Landed | Pushed::Rejected { .. } => None,
        };
        self.patience.ended(began, vain);
        pushed
    }

    /// What is to be sent cannot be read: the next fetch makes the mirror again, as the words of this trouble promise.
    fn doubt(&self, trouble: &Trouble) {
        if let Trouble::Corrupt { detail } = trouble {
            *self.suspect.borrow_mut() = Some(detail.clone());
        }
    }

    fn descends(&self, expected: Option<Oid>, new: Oid) -> Result<(), Trouble> {
        let corrupt = |error: git2::Error| Trouble::Corrupt { detail: error.message().to_owned() };
        self.git.find_commit(new).map_err(corrupt)?;
        match expected {
            Some(expected) if expected != new && !self.git.graph_descendant_of(new, expected).map_err(corrupt)? => {
                Err(Trouble::NotADescendant { expected, new })
            }
            Some(_) | None => Ok(()),
        }
    }

    fn push_by_network(&self, name: &RefName, expected: Option<Oid>, new: Oid) -> Pushed {
        let talk = Talk::default();
        match self.exchange(&talk, name, expected, new) {
            Ok(Answer::Landed) => match self.wire.answer() {
                Ok(()) => Pushed::Landed,
                Err(dropped) => Pushed::Unknown(Trouble::Injected(dropped.0)),
            },
            Ok(Answer::Elsewhere(now)) => Pushed::Rejected { now: Some(now), why: Refusal::Moved },
            Ok(Answer::Refused(status)) => self.refused(name, expected, &status, &talk.said()),
            Err((Sent::Not, trouble)) => Pushed::NotSent(trouble),
            Err((Sent::Perhaps, trouble)) => Pushed::Unknown(trouble),
        }
    }

    /// A server says "failed to update ref" both when somebody was faster and when it does not want to: look which.
    fn refused(&self, name: &RefName, expected: Option<Oid>, status: &str, said: &str) -> Pushed {
        let now = self.ask(std::slice::from_ref(name)).ok().and_then(|heads| heads.get(name).copied());
        let why = match now {
            Some(now) if now != Head::of(expected) => Refusal::Moved,
            Some(_) | None => Refusal::Server { said: if said.is_empty() { status.to_owned() } else { format!("{status} ({said})") } },
        };
        Pushed::Rejected { now, why }
    }

    fn exchange(&self, talk: &Talk, name: &RefName, expected: Option<Oid>, new: Oid) -> Result<Answer, (Sent, Trouble)> {
        self.wire.request().map_err(|dropped| (Sent::Not, Trouble::Injected(dropped.0)))?;
        let not_sent = |error| (Sent::Not, talk.trouble(self.remote(), error));
        let mut link = self.link().map_err(|trouble| (Sent::Not, trouble))?;
        let mut connection =
            link.connect_auth(Direction::Push, Some(callbacks(self.remote(), talk)), Some(proxy(self.remote()))).map_err(not_sent)?;
        let listed = connection.list().map_err(not_sent)?;
        let now = listed.iter().find(|head| head.name() == name.full()).map(git2::RemoteHead::oid);
        if now == Some(new) {
            return Ok(Answer::Landed);
        }
        if now != expected {
            return Ok(Answer::Elsewhere(Head::of(now)));
        }
        let agreed = Cell::new(false);
        let status: RefCell<Option<Option<String>>> = RefCell::new(None);
        let result = {
            let mut callbacks = callbacks(self.remote(), talk);
            callbacks.push_negotiation(|updates| {
                // What the server advertised on this very connection is what it will compare with.
                let zero = Oid::ZERO_SHA1;
                let same = updates.iter().all(|update| update.src() == expected.unwrap_or(zero) && update.dst() == new);
                if updates.len() != 1 || !same {
                    return Err(git2::Error::from_str("the branch moved while the push was prepared"));
                }
                agreed.set(true);
                Ok(())
            });
            callbacks.push_update_reference(|_, refused| {
                *status.borrow_mut() = Some(refused.map(str::to_owned));
                Ok(())
            });
            let mut options = PushOptions::new();
            options.remote_callbacks(callbacks).proxy_options(proxy(self.remote())).follow_redirects(RemoteRedirect::None);
            options.packbuilder_parallelism(1);
            // No leading plus: this refspec can only ever move a branch forward.
            let refspec = format!("{new}:{}", name.full());
            connection.remote().push(&[refspec], Some(&mut options))
        };
        match (status.into_inner(), result) {
            (Some(None), _) => Ok(Answer::Landed),
            (Some(Some(refused)), _) => Ok(Answer::Refused(refused)),
            (None, Err(error)) if !agreed.get() => Err((Sent::Not, talk.trouble(self.remote(), error))),
            (None, Err(error)) => Err((Sent::Perhaps, talk.trouble(self.remote(), error))),
            (None, Ok(())) => {
                let silent = git2::Error::from_str("the server took the push and did not say what became of it");
                Err((Sent::Perhaps, talk.trouble(self.remote(), silent)))
            }
        }
    }
}

enum Answer {
    Landed,
    Elsewhere(Head),
    Refused(String),
}

/// Whether the request may have left.
enum Sent {
    Not,
    Perhaps,
}
