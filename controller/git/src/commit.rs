//! Making commits: many in memory, each on top of the one before, signed, then stored together as one pack. The cost of a commit
//! follows the width of the folders it touches, not the size of the tree.

use crate::mirror::Mirror;
use crate::names::{BadPath, check_path};
use crate::pack;
use crate::reading::{Kind, kind_of};
use crate::signing::{BadKey, SigningKey};
use crate::trouble::Trouble;
use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature, Time};
use std::collections::{BTreeMap, BTreeSet};

/// Who and when. The time is the caller's: this crate has no clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The name that `git log` shows.
    pub name: String,
    /// The address beside it.
    pub email: String,
    /// Seconds since 1970.
    pub seconds: i64,
    /// Minutes east of Greenwich.
    pub offset_minutes: i32,
}

impl Stamp {
    pub(crate) fn of(signature: &Signature<'_>) -> Self {
        Self {
            name: String::from_utf8_lossy(signature.name_bytes()).into_owned(),
            email: String::from_utf8_lossy(signature.email_bytes()).into_owned(),
            seconds: signature.when().seconds(),
            offset_minutes: signature.when().offset_minutes(),
        }
    }

    fn signature(&self) -> Result<Signature<'static>, Unwritable> {
        let odd = |text: &str| text.trim().is_empty() || text.contains(['<', '>', '\n', '\0']);
        if odd(&self.name) || odd(&self.email) {
            return Err(Unwritable::Person { name: self.name.clone(), email: self.email.clone() });
        }
        Signature::new(&self.name, &self.email, &Time::new(self.seconds, self.offset_minutes)).map_err(Unwritable::Git)
    }
}

/// One change to the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// This file with this content, new or replaced.
    Put {
        /// Where.
        path: String,
        /// What.
        bytes: Vec<u8>,
    },
    /// This file with content that the repository has already.
    PutKnown {
        /// Where.
        path: String,
        /// The blob.
        blob: Oid,
    },
    /// This file no longer.
    Remove {
        /// Where.
        path: String,
    },
}

impl Edit {
    /// Where.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Put { path, .. } | Self::PutKnown { path, .. } | Self::Remove { path } => path,
        }
    }
}

/// A commit to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What changes; may be nothing.
    pub edits: Vec<Edit>,
    /// The message; a newline at its end is added.
    pub message: String,
    /// Who wrote it.
    pub author: Stamp,
    /// Who commits it.
    pub committer: Stamp,
}

/// Why a commit could not be made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// A path that git, or a file system, would misread.
    #[error(transparent)]
    Path(#[from] BadPath),
    /// Two edits at one place, or one inside the other.
    #[error("one commit cannot change {0} twice, nor {0} and something inside it")]
    Twice(String),
    /// Nothing there to remove.
    #[error("{0} cannot be removed, it is not there")]
    NotThere(String),
    /// A file where a folder is needed, or the other way round.
    #[error("{0} is a file and a folder at once: what is there must be removed by a commit of its own first")]
    Clash(String),
    /// A name or address that git's format cannot hold.
    #[error("{name:?} <{email:?}> cannot be an author: neither may be empty or hold <, > or a line break")]
    Person {
        /// The name.
        name: String,
        /// The address.
        email: String,
    },
    /// A message with a NUL, or none.
    #[error("a commit message must have text and no NUL")]
    Message,
    /// Too much at once.
    #[error("a group holds {0} commits at most; store it and begin another")]
    Full(usize),
    /// The key.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// The base is not in the mirror, or the mirror is damaged.
    #[error("the commit's base cannot be read")]
    Base(#[source] git2::Error),
    /// libgit2 refused.
    #[error("git could not make the commit")]
    Git(#[source] git2::Error),
}

/// Commits being made. Dropped without [`Group::store`], it never was.
pub struct Group {
    git: Repository,
    tip: Option<Oid>,
    commits: Vec<Oid>,
    ids: BTreeMap<Oid, String>,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The commits, oldest first.
    pub commits: Vec<Oid>,
    /// The size of their pack.
    pub bytes: usize,
    /// Its name, to flush it later.
    pub(crate) pack: Option<String>,
}

/// Commits in memory at once: some 40 MB of status files, a second of work.
const GROUP_MAX: usize = 10_000;

impl Group {
    /// A group on top of a commit that the mirror has, or of nothing (a root).
    pub fn begin(mirror: &Mirror, base: Option<Oid>) -> Result<Self, Unwritable> {
        // A handle of its own: what is written through it stays in memory until it is stored.
        let git = Repository::open_bare(mirror.place()).map_err(Unwritable::Base)?;
        git.odb().and_then(|odb| odb.add_new_mempack_backend(1000).map(|_| ())).map_err(Unwritable::Git)?;
        if let Some(base) = base {
            git.find_commit(base).map_err(Unwritable::Base)?;
        }
        Ok(Self { git, tip: base, commits: Vec::new(), ids: BTreeMap::new() })
    }

    /// The commit that the next one goes on top of.
    #[must_use]
    pub fn tip(&self) -> Option<Oid> {
        self.tip
    }

    /// Makes one more commit. On an error the group is what it was.
    pub fn add(&mut self, draft: &Draft, key: &SigningKey) -> Result<Oid, Unwritable> {
        if self.commits.len() >= GROUP_MAX {
            return Err(Unwritable::Full(GROUP_MAX));
        }
        check(&draft.edits)?;
        let message = message(&draft.message)?;
        let (author, committer) = (draft.author.signature()?, draft.committer.signature()?);
        let parent = self.tip.map(|tip| self.git.find_commit(tip)).transpose().map_err(Unwritable::Base)?;
        let base = parent.as_ref().map(git2::Commit::tree).transpose().map_err(Unwritable::Base)?;
        let (root, fresh) = self.tree(base.as_ref(), &draft.edits)?;
        let tree = self.git.find_tree(root).map_err(Unwritable::Git)?;
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let text = self.git.commit_create_buffer(&author, &committer, &message, &tree, &parents).map_err(Unwritable::Git)?;
        let text = text.as_str().map_err(Unwritable::Git)?;
        let signature = key.sign(text.as_bytes())?;
        let id = self.git.commit_signed(text, &signature, Some("gpgsig")).map_err(Unwritable::Git)?;
        self.ids.extend(fresh);
        self.ids.insert(id, String::new());
        self.commits.push(id);
        self.tip = Some(id);
        Ok(id)
    }

    /// Whether an edit fits on the tip: no file where it needs a folder, nor the other way round, and something there to remove.
    pub fn takes(&self, edit: &Edit) -> Result<bool, Unwritable> {
        let Some(tip) = self.tip else { return Ok(!matches!(edit, Edit::Remove { .. })) };
        let tree = self.git.find_commit(tip).map_err(Unwritable::Base)?.tree_id();
        match self.fits(tree, edit) {
            Ok(()) => Ok(true),
            Err(Unwritable::Clash(_) | Unwritable::NotThere(_)) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Puts all commits into the mirror as one pack. A kill does not lose them any more; a power cut may, until they are pushed.
    pub fn store(self, mirror: &Mirror) -> Result<Written, Trouble> {
        let bytes = pack::encode(&self.git, self.ids).map_err(|error| mirror.local(error))?;
        let pack = match self.commits.is_empty() {
            true => None,
            false => Some(pack::put(&mirror.place().join("objects"), &bytes)?),
        };
        Ok(Written { commits: self.commits, bytes: bytes.len(), pack })
    }

    /// The new root, and every object on the way to what changed.
    fn tree(&self, base: Option<&git2::Tree<'_>>, edits: &[Edit]) -> Result<(Oid, BTreeMap<Oid, String>), Unwritable> {
        let mut ids = BTreeMap::new();
        let empty;
        let base = match base {
            Some(tree) => tree,
            None => {
                let id = self.git.treebuilder(None).and_then(|builder| builder.write()).map_err(Unwritable::Git)?;
                ids.insert(id, String::new());
                empty = self.git.find_tree(id).map_err(Unwritable::Git)?;
                &empty
            }
        };
        let mut update = TreeUpdateBuilder::new();
        for edit in edits {
            self.fits(base.id(), edit)?;
            match edit {
                Edit::Put { path, bytes } => {
                    let blob = self.git.blob(bytes).map_err(Unwritable::Git)?;
                    update.upsert(path.as_str(), blob, FileMode::Blob);
                }
                Edit::PutKnown { path, blob } => {
                    update.upsert(path.as_str(), *blob, FileMode::Blob);
                }
                Edit::Remove { path } => {
                    update.remove(path.as_str());
                }
            }
        }
        let root = if edits.is_empty() { base.id() } else { update.create_updated(&self.git, base).map_err(Unwritable::Git)? };
        for edit in edits {
            pack::ids_to(&self.git, root, edit.path(), &mut ids).map_err(Unwritable::Git)?;
        }
        Ok((root, ids))
    }

    /// libgit2 would say "D/F conflict"; we say where.
    fn fits(&self, root: Oid, edit: &Edit) -> Result<(), Unwritable> {
        let path = edit.path();
        let mut here = Some(root);
        let mut walked = 0;
        for part in path.split('/') {
            let last = walked + part.len() == path.len();
            let entry = match here {
                Some(id) => {
                    let tree = self.git.find_tree(id).map_err(Unwritable::Base)?;
                    tree.get_name(part).map(|entry| (entry.id(), kind_of(entry.filemode_raw())))
                }
                None => None,
            };
            let removing = matches!(edit, Edit::Remove { .. });
            here = match (entry, last) {
                (Some((id, Kind::Folder)), false) => Some(id),
                (Some((_, Kind::Folder)), true) => return Err(Unwritable::Clash(path.to_owned())),
                (Some(_), true) => return Ok(()),
                (Some(_), false) => return Err(Unwritable::Clash(path[..walked + part.len()].to_owned())),
                (None, _) if removing => return Err(Unwritable::NotThere(path.to_owned())),
                (None, _) => None,
            };
            walked += part.len() + 1;
        }
        Ok(())
    }
}

fn check(edits: &[Edit]) -> Result<(), Unwritable> {
    let mut paths = BTreeSet::new();
    for edit in edits {
        check_path(edit.path())?;
        if !paths.insert(edit.path()) {
            return Err(Unwritable::Twice(edit.path().to_owned()));
        }
    }
    for path in &paths {
        for (at, _) in path.match_indices('/') {
            if paths.contains(&path[..at]) {
                return Err(Unwritable::Twice(path[..at].to_owned()));
            }
        }
    }
    Ok(())
}

fn message(text: &str) -> Result<String, Unwritable> {
    if text.trim().is_empty() || text.contains('\0') {
        return Err(Unwritable::Message);
    }
    Ok(if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") })
}
