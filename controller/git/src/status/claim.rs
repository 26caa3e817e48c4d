//! Claiming the right to write (rules 1 to 5), and taking every ledger up once.

use super::init::{InitError, bearable};
use super::keeper::{Claim, Keeper, local};
use super::person;
use super::survey::Survey;
use crate::chain::Outbox;
use crate::commit::{Draft, Edit, Group, Unwritable};
use crate::mirror::Head;
use crate::push::{Pushed, Refusal};
use crate::trouble::chain;
use drydock_engine::ports::{ClaimError, StoreError, TakeOver};
use drydock_model::ids::{ClusterName, Epoch};
use drydock_model::ledger::Ledger;
use drydock_model::time::{Millis, Timestamp};
use drydock_spec::wire::root::{MOST_UNHEARD, Root, Unheard};
use drydock_spec::wire::words::Said;
use drydock_spec::wire::{FACTS_FILE, ROOT_FILE, message};
use git2::Oid;
use std::collections::{BTreeMap, BTreeSet};
use tracing::warn;

/// Claims of one name within the hour that cost nothing (rule 1).
const FREE_CLAIMS: usize = 3;
/// The first wait after those; it doubles.
const FIRST_WAIT: Millis = Millis::minutes(1);
/// Losing a race this often in a row means a fight; the next try waits.
const RACES: usize = 8;

impl Keeper {
    pub(super) fn claim(&mut self, take_over: TakeOver, now: Timestamp, dice: (u64, u64)) -> Result<Epoch, ClaimError> {
        for _ in 0..RACES {
            let head = match self.mirror.fetch(std::slice::from_ref(&self.branch)) {
                Ok(heads) => heads.of(&self.branch),
                Err(trouble) => return Err(ClaimError::Unreachable(chain(&trouble))),
            };
            let Head::At(head) = head else { return Err(ClaimError::NoBranch(self.branch.full().to_owned())) };
            let survey = self.survey(head)?;
            self.allowed(&survey.root, take_over, now)?;
            let last = survey.root.epoch.as_ref().map_or(0, |e| e.number);
            let number = last.checked_add(1).ok_or_else(|| ClaimError::Refused(format!("claim {last} is the last there can be")))?;
            if let Some(epoch) = self.try_claim(head, &survey, number, now, dice)? {
                return Ok(epoch);
            }
        }
        Err(ClaimError::Refused(format!("the branch moved {RACES} times while it was being claimed")))
    }

    /// Whether this controller may claim now.
    fn allowed(&mut self, root: &Root, take_over: TakeOver, now: Timestamp) -> Result<(), ClaimError> {
        if root.epoch.is_some() && root.name != self.name && take_over == TakeOver::No {
            return Err(ClaimError::HeldBy { holder: root.name.clone() });
        }
        let recent = root.recent(now);
        if root.name == self.name
            && recent.len() >= FREE_CLAIMS
            && let Some(last) = recent.iter().max()
        {
            let doubled = FIRST_WAIT.times(1 << (recent.len() - FREE_CLAIMS).min(16));
            // A claim that was made by a clock which ran ahead does not lie in the future for ever.
            let waits_since = *self.waits_since.get_or_insert(now);
            let passed = now.since(*last).max(if *last > now { now.since(waits_since) } else { Millis::ZERO });
            if passed < doubled {
                let claims = u32::try_from(recent.len()).unwrap_or(u32::MAX);
                return Err(ClaimError::TooMany { claims, wait: Millis(doubled.0 - passed.0) });
            }
        }
        Ok(())
    }

    /// Makes the claim and pushes it; nothing if the branch moved meanwhile.
    fn try_claim(
        &mut self,
        head: Oid,
        survey: &Survey,
        number: u32,
        now: Timestamp,
        dice: (u64, u64),
    ) -> Result<Option<Epoch>, ClaimError> {
        // Begins with a letter, so that no reader of YAML takes it for a number.
        let nonce = format!("c{:08x}{:08x}", dice.0 & 0xffff_ffff, dice.1 & 0xffff_ffff);
        let epoch = Epoch { number, nonce: nonce.parse().map_err(|_| ClaimError::Local("the nonce is no nonce".to_owned()))? };
        self.take_up(head, survey, &epoch);
        // A ledger that cannot be read may have anything under way.
        let at_rest = self.clusters.values().all(|tracked| tracked.ledger.as_ref().is_ok_and(Ledger::at_rest));
        let (root, heard) = self.carry(head, survey, survey.root.claimed(&self.name, epoch.clone(), now, at_rest))?;
        self.waits_since = None;
        let mut edits = vec![Edit::Put { path: ROOT_FILE.to_owned(), bytes: root.encode().into_bytes() }];
        edits.extend(heard);
        let who = person(&self.name, now);
        let draft = Draft { edits, message: message::claim_message(&self.name, &epoch), author: who.clone(), committer: who };
        let trouble = |error: String| ClaimError::Local(error);
        let mut group = Group::begin(&self.mirror, Some(head)).map_err(|e| trouble(e.to_string()))?;
        let commit = group.add(&draft, &self.key).map_err(|e| trouble(e.to_string()))?;
        group.store(&self.mirror).map_err(|e| trouble(e.to_string()))?;
        match self.mirror.push(&self.branch, Some(head), commit) {
            Pushed::Landed => {}
            Pushed::Rejected { why: Refusal::Moved, .. } => return Ok(None),
            Pushed::Rejected { why, .. } => return Err(ClaimError::Refused(why.to_string())),
            Pushed::NotSent(trouble) => return Err(ClaimError::Unreachable(chain(&trouble))),
            // It may land yet (rule 6). The next try looks; if it is there by then it is a claim of our name, and we claim above it.
            Pushed::Unknown(trouble) => match self.mirror.fetch(std::slice::from_ref(&self.branch)).map(|h| h.of(&self.branch)) {
                Ok(Head::At(now)) if now == commit => {}
                Ok(_) | Err(_) => return Err(ClaimError::Unreachable(chain(&trouble))),
            },
        }
        self.mirror.fetch(std::slice::from_ref(&self.branch)).map_err(|e| ClaimError::Unreachable(e.to_string()))?;
        self.put_aside(commit, &epoch).map_err(|error| ClaimError::Local(error.to_string()))?;
        self.classified = Some(commit);
        self.claim = Some(Claim { epoch: epoch.clone(), commit });
        Ok(Some(epoch))
    }

    /// What `init --adopt` writes: the claim above which all others shall be, and the ledgers that words have changed since the last one.
    pub(super) fn adopted(&mut self, head: Oid, above: u32) -> Result<(Root, Vec<Edit>), InitError> {
        let survey = self.survey(head)?;
        let last = survey.root.epoch.as_ref().map_or(0, |e| e.number);
        bearable(above, last)?;
        let epoch = super::init::adopted(last.max(above)).map_err(ClaimError::Local)?;
        self.take_up(head, &survey, &epoch);
        Ok(self.carry(head, &survey, Root { epoch: Some(epoch), ..survey.root.clone() })?)
    }

    /// The claim with all that the next one must know of those before it, and the ledgers that are written with it.
    fn carry(&mut self, head: Oid, survey: &Survey, root: Root) -> Result<(Root, Vec<Edit>), ClaimError> {
        let mut heard = self.heard(survey);
        self.leave_out(head, survey, &mut heard).map_err(|error| ClaimError::Local(chain(&error)))?;
        // What cannot be written into a ledger yet is written down beside it.
        let waits = |cluster: &ClusterName| self.clusters.contains_key(cluster) && !heard.contains_key(cluster);
        let words = survey.words.iter().filter_map(|said| match said {
            Said::Cluster { cluster, word } if waits(cluster) => Some(Unheard { cluster: cluster.clone(), word: word.clone() }),
            Said::Cluster { .. } | Said::ClockEverywhere { .. } | Said::Accept { .. } | Said::AcceptStatus { .. } => None,
        });
        let mut unheard: Vec<Unheard> = words.collect();
        unheard.drain(..unheard.len().saturating_sub(MOST_UNHEARD));
        let adopted = self.clusters.keys().filter(|cluster| waits(cluster) && survey.adopts(cluster)).cloned().collect();
        let (unaccepted, folders, let_in) = (self.unaccepted(), survey.listed(), survey.let_in());
        self.unheard.clone_from(&unheard);
        Ok((Root { unaccepted, folders, unheard, adopted, let_in, ..root }, heard.into_values().collect()))
    }

    /// Where somebody put a file in the place of a cluster's folder nothing can be written of it. It keeps no claim from being made: the cluster is held as one
    /// that was written to, and its ledger stays what it was.
    fn leave_out(&mut self, head: Oid, survey: &Survey, heard: &mut BTreeMap<ClusterName, Edit>) -> Result<(), Unwritable> {
        let group = Group::begin(&self.mirror, Some(head))?;
        let mut unfit = Vec::new();
        for (cluster, edit) in heard.iter() {
            if !group.takes(edit)? {
                unfit.push(cluster.clone());
            }
        }
        for cluster in unfit {
            heard.remove(&cluster);
            let (foreign, good) = survey.accepted.get(&cluster).copied().unwrap_or((head, head));
            self.touch(&cluster, foreign, good);
        }
        Ok(())
    }

    /// Words that were said and not written into a ledger yet are written with the claim, so that none is lost with a second one.
    fn heard(&self, survey: &Survey) -> BTreeMap<ClusterName, Edit> {
        let mut told: BTreeSet<&ClusterName> = survey.accepted.keys().collect();
        told.extend(self.clusters.keys().filter(|cluster| survey.adopts(cluster)));
        for said in &survey.words {
            match said {
                Said::Cluster { cluster, .. } => drop(told.insert(cluster)),
                Said::ClockEverywhere { .. } => told.extend(self.clusters.keys()),
                Said::Accept { .. } | Said::AcceptStatus { .. } => {}
            }
        }
        let written = told.into_iter().filter(|cluster| !self.touched.contains_key(*cluster));
        written
            .filter_map(|cluster| {
                let tracked = self.clusters.get(cluster)?;
                let bytes = tracked.newest()?.encode().into_bytes();
                Some((cluster.clone(), Edit::Put { path: format!("{}/{FACTS_FILE}", tracked.folder), bytes }))
            })
            .collect()
    }

    /// Entries of an earlier process that never reached the branch belong to an older claim now: they are put aside for people to read.
    fn put_aside(&mut self, claim: Oid, epoch: &Epoch) -> Result<(), StoreError> {
        let mut old = Outbox::restore(&self.mirror, &self.branch).map_err(local)?;
        let stranded: BTreeSet<Oid> = old.entries().iter().copied().collect();
        if let (Some(tip), false) = (old.tip(), stranded.is_empty()) {
            let side = crate::names::RefName::stranded(epoch.nonce.as_str()).map_err(local)?;
            match self.mirror.push(&side, None, tip) {
                Pushed::Landed => {
                    warn!(entries = stranded.len(), side = side.full(), "entries of an earlier run were not on the branch; kept aside")
                }
                other => {
                    warn!(?other, entries = stranded.len(), "entries of an earlier run were not on the branch, and could not be kept aside")
                }
            }
            old.reparent(&self.mirror, &self.key, claim, &stranded, &|path| vec![path.to_owned()]).map_err(local)?;
        }
        self.outbox = Outbox::restore(&self.mirror, &self.branch).map_err(local)?;
        // What came on top of the claim meanwhile is looked at as everything that comes later.
        self.outbox.stand_on(claim);
        Ok(())
    }

    /// Every ledger under the new claim, words included.
    fn take_up(&mut self, head: Oid, survey: &Survey, epoch: &Epoch) {
        self.clusters.clear();
        self.folders.clear();
        self.given = 1;
        self.touched.clone_from(&survey.touched);
        for (cluster, folders) in survey.by_cluster() {
            let from = survey.touched.get(&cluster).or_else(|| survey.accepted.get(&cluster)).map_or(head, |(_, good)| *good);
            self.load(&cluster, &folders, from, Some(epoch));
        }
        for (_, tracked) in self.clusters.iter_mut().filter(|(cluster, _)| survey.adopts(cluster)) {
            if let Ok(ledger) = &mut tracked.ledger {
                ledger.adopt();
            }
        }
        survey.words.iter().for_each(|said| self.hear(said));
        self.told.clear();
        // What cannot be read cannot be written over what somebody else put there, and that must not be read in its place by the next claim.
        for (cluster, foreign) in &survey.accepted {
            if self.clusters.get(cluster).is_some_and(|tracked| tracked.ledger.is_err()) {
                self.touched.insert(cluster.clone(), *foreign);
            }
        }
        self.share(|shared| shared.served = survey.served.iter().flatten().cloned().collect());
    }
}
