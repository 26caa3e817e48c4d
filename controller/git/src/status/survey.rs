//! What the branch says, read once before a claim. Trusted is what controllers signed, on the one line: the last claim, and the entries on top of it. Which folder
//! is whose is taken from them alone; what somebody else wrote says nothing but that it touches a cluster, and never keeps a claim from being made.

use super::keeper::{Keeper, WALK, about, local, revision, serves};
use super::line::{self, Came};
use crate::reading::{ChangeKind, Unreadable};
use crate::trouble::chain;
use drydock_engine::ports::{ClaimError, StoreError};
use drydock_model::ids::{ClusterName, Revision};
use drydock_model::ledger::Word;
use drydock_spec::fleet::CLUSTERS;
use drydock_spec::wire::root::{self, LetIn, Root, Unheard};
use drydock_spec::wire::words::Said;
use drydock_spec::wire::{FACTS_FILE, ROOT_FILE, SCHEMA, WireError};
use git2::Oid;
use std::collections::{BTreeMap, BTreeSet};
use tracing::warn;

/// Names that only strangers' folders bear and that are remembered as touched; more are noise, which must not fill the claim.
const MOST_STRANGE: usize = 1_000;

/// What the branch says, from the last claim on.
pub(super) struct Survey {
    pub(super) root: Root,
    /// Clusters that somebody else wrote to: the commit, and the last one whose tree counts.
    pub(super) touched: BTreeMap<ClusterName, (Oid, Oid)>,
    /// Clusters of which a foreign commit was accepted and no entry was written since: the commit, and where their ledger stands.
    pub(super) accepted: BTreeMap<ClusterName, (Oid, Oid)>,
    /// Words that no entry of their cluster has taken in yet, oldest first; those that the last claim carries are before all others.
    pub(super) words: Vec<Said>,
    /// Which folder is which cluster's, by what controllers wrote.
    pub(super) folders: BTreeMap<String, ClusterName>,
    /// Revisions that entries after the last `accept` of a revision serve; none where nobody said it.
    pub(super) served: Option<BTreeSet<Revision>>,
    /// Clusters whose ledger an earlier adoption has not reached yet.
    pub(super) to_adopt: BTreeSet<ClusterName>,
    /// Entries whose folders have not been looked at: of each cluster the last one says where its files are.
    newest: BTreeMap<ClusterName, Oid>,
}

impl Survey {
    /// Whether an adoption has yet to reach this cluster's ledger: the epoch before is one that a person set, or an earlier one was.
    pub(super) fn adopts(&self, cluster: &ClusterName) -> bool {
        self.root.epoch.as_ref().is_some_and(|e| e.nonce.as_str() == super::init::ADOPTED) || self.to_adopt.contains(cluster)
    }

    /// The folders of each cluster. Two can only be on a branch whose last claim does not list them.
    pub(super) fn by_cluster(&self) -> BTreeMap<ClusterName, Vec<String>> {
        let mut by: BTreeMap<ClusterName, Vec<String>> = BTreeMap::new();
        for (folder, cluster) in &self.folders {
            by.entry(cluster.clone()).or_default().push(folder.clone());
        }
        by
    }

    /// Where each cluster's entries lie, as a claim lists them. Where nobody can tell, nothing is listed, and the next one looks again.
    pub(super) fn listed(&self) -> Option<BTreeMap<ClusterName, String>> {
        let one = |(cluster, folders): (ClusterName, Vec<String>)| {
            let [folder] = <[String; 1]>::try_from(folders).ok()?;
            Some((cluster, folder))
        };
        self.by_cluster().into_iter().map(one).collect()
    }

    /// Somebody else wrote to this cluster, or to something that says it is its.
    fn touch(&mut self, cluster: ClusterName, commit: Oid, good: Oid) {
        let good = self.accepted.remove(&cluster).map_or(good, |(_, good)| good);
        if self.touched.len() < self.folders.len() + MOST_STRANGE || self.folders.values().any(|known| *known == cluster) {
            self.touched.entry(cluster).or_insert((commit, good));
        }
    }

    /// Every cluster that a controller wrote of.
    fn everybody(&self) -> BTreeSet<ClusterName> {
        self.folders.values().cloned().collect()
    }

    /// A person's word.
    fn hear(&mut self, said: Said) {
        if let Said::AcceptStatus { commit: accepted, .. } = &said {
            let harmless = |_: &ClusterName, (commit, _): &mut (Oid, Oid)| revision(*commit) == *accepted;
            let found: Vec<_> = self.touched.extract_if(.., harmless).collect();
            self.accepted.extend(found);
        }
        match said {
            // Only the last one counts.
            Said::Accept { .. } => {
                self.served = Some(BTreeSet::new());
                self.words.retain(|said| !matches!(said, Said::Accept { .. }));
                self.words.push(said);
            }
            // Each cluster's entries take in its own.
            Said::ClockEverywhere { reason } => {
                let all: BTreeSet<ClusterName> = self.everybody().into_iter().chain(self.newest.keys().cloned()).collect();
                let word = Word::Clock { reason };
                self.words.extend(all.into_iter().map(|cluster| Said::Cluster { cluster, word: word.clone() }));
            }
            Said::Cluster { .. } | Said::AcceptStatus { .. } => self.words.push(said),
        }
    }

    /// What the last claim could not write into ledgers.
    fn carry_on(&mut self) {
        self.to_adopt.clone_from(&self.root.adopted);
        if let Some(LetIn { revision, reason }) = self.root.let_in.clone() {
            self.hear(Said::Accept { revision, reason });
        }
        let unheard = self.root.unheard.iter().cloned();
        self.words.extend(unheard.map(|Unheard { cluster, word }| Said::Cluster { cluster, word }));
    }

    /// The revision that was let in, as the next claim carries it: once anything was served since, it may have been used, and nobody who reads this branch alone
    /// can tell.
    pub(super) fn let_in(&self) -> Option<LetIn> {
        if self.served.as_ref().is_none_or(|served| !served.is_empty()) {
            return None;
        }
        self.words.iter().find_map(|said| match said {
            Said::Accept { revision, reason } => Some(LetIn { revision: revision.clone(), reason: reason.clone() }),
            Said::Cluster { .. } | Said::ClockEverywhere { .. } | Said::AcceptStatus { .. } => None,
        })
    }

    /// A controller's entry.
    fn entry(&mut self, commit: Oid, message: &str) {
        if let Some(served) = &mut self.served {
            served.extend(serves(message));
        }
        // An entry has taken in every word to its cluster that came before it.
        if let Some(cluster) = about(message) {
            self.accepted.remove(&cluster);
            self.to_adopt.remove(&cluster);
            // Written over the foreign commit from what that controller remembered: this tree counts again.
            if let Some((_, good)) = self.touched.get_mut(&cluster) {
                *good = commit;
            }
            self.words.retain(|said| !matches!(said, Said::Cluster { cluster: to, .. } if *to == cluster));
            self.newest.insert(cluster, commit);
        }
    }
}

impl Keeper {
    /// Reads the branch from the last claim on, or from its root.
    pub(super) fn survey(&self, head: Oid) -> Result<Survey, ClaimError> {
        let base = self.last_claim(head)?;
        let root = self.root_at(base)?;
        let mut touched = BTreeMap::new();
        for old in &root.unaccepted {
            if let (Ok(commit), Ok(good)) = (old.commit.as_str().parse(), old.good.as_str().parse()) {
                touched.insert(old.cluster.clone(), (commit, good));
            }
        }
        let folders = match &root.folders {
            Some(listed) => listed.iter().map(|(cluster, folder)| (folder.clone(), cluster.clone())).collect(),
            None => self.unlisted(base, &touched).map_err(unread)?,
        };
        let mut survey = Survey {
            root,
            touched,
            accepted: BTreeMap::new(),
            words: Vec::new(),
            folders,
            served: None,
            to_adopt: BTreeSet::new(),
            newest: BTreeMap::new(),
        };
        survey.carry_on();
        for came in line::came(&self.mirror, &|commit| self.ours(commit), base, head).map_err(unread)? {
            match came {
                Came::Joined(join, good) => {
                    self.settle(&mut survey).map_err(unread)?;
                    // What another history brings is nobody's ledger.
                    let there = self.folders_at(join).unwrap_or_default();
                    survey.everybody().into_iter().chain(there.into_values()).for_each(|cluster| survey.touch(cluster, join, good));
                }
                Came::Put(commit) => self.survey_one(&mut survey, commit).map_err(unread)?,
            }
        }
        self.settle(&mut survey).map_err(unread)?;
        Ok(survey)
    }

    fn survey_one(&self, survey: &mut Survey, commit: Oid) -> Result<(), StoreError> {
        let facts = self.mirror.commit(commit).map_err(local)?;
        let parent = facts.parents.first().copied();
        if let Some(said) = self.word(commit, parent)? {
            survey.hear(said);
        } else if self.ours(commit) {
            survey.entry(commit, &facts.message);
        } else {
            self.settle(survey)?;
            let touches = self.touched_by(&survey.folders, parent, commit).unwrap_or_else(|error| {
                // What it did cannot be read: it may be anything.
                warn!(%commit, %error, "what somebody else wrote to the status branch cannot be read");
                survey.everybody()
            });
            touches.into_iter().for_each(|cluster| survey.touch(cluster, commit, parent.unwrap_or(commit)));
        }
        Ok(())
    }

    /// Where the clusters of the entries since the last look have their files. Not knowing it would make a new cluster of an old one.
    fn settle(&self, survey: &mut Survey) -> Result<(), StoreError> {
        if survey.newest.is_empty() {
            return Ok(());
        }
        let had = survey.by_cluster();
        for (cluster, entry) in std::mem::take(&mut survey.newest) {
            let had = had.get(&cluster).map_or(&[][..], Vec::as_slice);
            if let Some(folder) = self.written_to(entry, had).map_err(local)? {
                had.iter().for_each(|old| drop(survey.folders.remove(old)));
                survey.folders.insert(folder, cluster);
            }
        }
        Ok(())
    }

    /// The folder that an entry wrote its facts to. Mostly one of those that its cluster had, and then a wide tree need not be compared.
    fn written_to(&self, entry: Oid, had: &[String]) -> Result<Option<String>, Unreadable> {
        let parent = self.mirror.commit(entry)?.parents.first().copied();
        for folder in had {
            let path = format!("{folder}/{FACTS_FILE}");
            let before = parent.map_or(Ok(None), |parent| self.mirror.identity(parent, &path))?;
            let here = self.mirror.identity(entry, &path)?;
            if here.is_some() && here != before {
                return Ok(Some(folder.clone()));
            }
        }
        let changes = self.mirror.changed(parent, entry, CLUSTERS)?;
        let written = changes.iter().filter(|change| change.what != ChangeKind::Deleted);
        Ok(written.filter_map(|change| change.path.strip_suffix(FACTS_FILE)?.strip_suffix('/')).next().map(ToOwned::to_owned))
    }

    /// Whose folders are whose by a claim that does not list them: what its tree says, and where somebody else had written, what stood there before.
    fn unlisted(&self, claim: Oid, touched: &BTreeMap<ClusterName, (Oid, Oid)>) -> Result<BTreeMap<String, ClusterName>, StoreError> {
        let mut folders = self.folders_at(claim)?;
        folders.retain(|_, cluster| !touched.contains_key(cluster));
        for (cluster, (_, good)) in touched {
            folders.extend(self.folders_at(*good)?.into_iter().filter(|(_, of)| of == cluster));
        }
        Ok(folders)
    }

    fn root_at(&self, claim: Oid) -> Result<Root, ClaimError> {
        let bytes = self.mirror.read(claim, ROOT_FILE, root::MOST_BYTES).map_err(broken)?;
        let text = String::from_utf8(bytes).map_err(|_| ClaimError::Local(format!("{ROOT_FILE} is not UTF-8")))?;
        Root::decode(&text).map_err(|error| match error {
            WireError::SchemaTooNew { needs, .. } => ClaimError::SchemaTooNew { needs, reads: SCHEMA },
            WireError::TooLarge { .. } | WireError::NotYaml { .. } | WireError::Shape { .. } => broken(error),
        })
    }

    /// The claim that has all others below it. Where histories were joined that have claims of their own, the one with the highest number is it: no node that has
    /// heard of it obeys another.
    fn last_claim(&self, head: Oid) -> Result<Oid, ClaimError> {
        let claims = self.claims_below(head)?;
        let mut last: Vec<Oid> = Vec::new();
        for claim in &claims {
            let mut below = false;
            for other in claims.iter().filter(|other| *other != claim) {
                below |= self.mirror.is_ancestor(*claim, *other).map_err(broken)?;
            }
            if !below {
                last.push(*claim);
            }
        }
        let mut newest: Option<(u32, Oid)> = None;
        let mut twin: Option<(u32, Oid, Oid)> = None;
        for claim in last {
            let number = self.root_at(claim)?.epoch.map_or(0, |epoch| epoch.number);
            match newest {
                Some((most, _)) if number < most => {}
                Some((most, one)) if number == most => twin = Some((number, one, claim)),
                Some(_) | None => newest = Some((number, claim)),
            }
        }
        match (newest, twin) {
            (Some((most, _)), Some((number, one, other))) if most == number => {
                Err(ClaimError::Split { number, one: revision(one), other: revision(other) })
            }
            (Some((_, claim)), _) => Ok(claim),
            (None, _) => Err(ClaimError::Unsigned { commit: revision(head) }),
        }
    }

    /// The claims that are met first on the ways down from `head`: commits that a known controller signed and that changed the claim, or the root commit.
    fn claims_below(&self, head: Oid) -> Result<BTreeSet<Oid>, ClaimError> {
        let mut claims = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut ways = vec![head];
        while let Some(at) = ways.pop() {
            if !seen.insert(at) {
                continue;
            }
            // What lies deeper may be a newer claim than those that were met.
            if seen.len() > WALK {
                return Err(ClaimError::Local(format!("the last claim lies deeper than {WALK} commits below {head}")));
            }
            let parents = self.mirror.commit(at).map_err(broken)?.parents;
            if let [] | [_] = parents.as_slice() {
                let here = self.mirror.identity(at, ROOT_FILE).map_err(broken)?;
                let before = parents.first().map_or(Ok(None), |parent| self.mirror.identity(*parent, ROOT_FILE)).map_err(broken)?;
                if here.is_some() && here != before && self.ours(at) {
                    claims.insert(at);
                    continue;
                }
            }
            ways.extend(parents);
        }
        Ok(claims)
    }
}

fn broken(error: impl std::error::Error) -> ClaimError {
    ClaimError::Local(chain(&error))
}

/// What keeps a claim from being made, said once.
fn unread(error: StoreError) -> ClaimError {
    match error {
        StoreError::Local(why) => ClaimError::Local(why),
        StoreError::StoodDown(_) | StoreError::Refused(_) | StoreError::Touched { .. } => ClaimError::Local(error.to_string()),
    }
}
