//! What really happened, held against the laws: the oracle of every simulation.

use crate::sim::{Sim, Turn};
use drydock_engine::lap::Lap;
use drydock_lab::sim::{BranchCommit, BranchWrite};
use drydock_lab::{Cause, Did};
use drydock_laws::{Effect, EffectKind, History, LawId, Violation};
use drydock_model::desired::Standing;
use drydock_model::ids::{ClusterName, EntryId, Revision};
use drydock_model::ledger::Event;
use drydock_model::plan::{Decision, HoldReason, WaitingOn};
use drydock_model::time::{Millis, Stamp, Timestamp};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The age that a look at the cluster may have when a node acts on it: facts count for two minutes, and an order for two more.
const LOOK: Millis = Millis::minutes(4);

/// Follows a simulation turn by turn.
pub struct Judge {
    history: History,
    fed: BTreeSet<Revision>,
    effects: usize,
    catastrophes: usize,
    /// Entries were lost for good: what is written afterwards does not follow from what was written before.
    lost: bool,
    /// Nodes may lose their memory: then nobody can tell that an entry was performed.
    forgetful: bool,
}

impl Judge {
    /// Before the first turn.
    pub fn new(cluster: ClusterName, forgetful: bool) -> Judge {
        Judge { history: History::new(cluster), fed: BTreeSet::new(), effects: 0, catastrophes: 0, lost: false, forgetful }
    }

    /// One turn later: everything that is wrong. `exact` where observations and clocks are those of the moment.
    pub fn look(&mut self, sim: &Sim, turn: &Turn, exact: bool) -> Vec<String> {
        let mut wrong = Vec::new();
        let commits = sim.branch.commits();
        // A lap pushes what earlier ones left behind before it sends its order; what it decides itself it writes instead of sending.
        let left: &[Arc<BranchCommit>] = match turn {
            Turn::Lap(lap) if lap.wrote.is_some() => &[],
            Turn::Lap(_) | Turn::Crashed | Turn::Claim | Turn::Nobody => &commits,
        };
        self.happened(sim, left, &mut wrong);
        self.written(&commits, &mut wrong);
        if let Turn::Lap(lap) = turn {
            said(sim, lap, exact, &mut wrong);
        }
        wrong
    }

    /// What is wrong at the end.
    pub fn at_rest(&self) -> Vec<String> {
        if self.lost { Vec::new() } else { self.history.at_rest().iter().map(ToString::to_string).collect() }
    }

    fn written(&mut self, commits: &[Arc<BranchCommit>], wrong: &mut Vec<String>) {
        let mut new: Vec<&Arc<BranchCommit>> = commits.iter().rev().take_while(|c| !self.fed.contains(&c.id)).collect();
        new.reverse();
        if !new.is_empty() && commits.len() - new.len() < self.fed.len() {
            self.lost = true;
        }
        for commit in new {
            self.fed.insert(commit.id.clone());
            if self.lost {
                continue;
            }
            let found = match &commit.write {
                BranchWrite::Claim { epoch, .. } => self.history.event(&Event::Claimed { epoch: epoch.clone() }, Stamp::Unknown),
                BranchWrite::Entry { record, .. } => {
                    record.events.iter().flat_map(|event| self.history.event(event, record.stamp)).collect()
                }
                BranchWrite::Word { word, .. } => self.history.event(&Event::Word(word.clone()), Stamp::Unknown),
                BranchWrite::Root | BranchWrite::Foreign { .. } | BranchWrite::Accepted { .. } => Vec::new(),
            };
            let excused = |v: &&Violation| self.forgetful && v.law == LawId::S14 && v.what.contains("closed as never performed");
            wrong.extend(found.iter().filter(|v| !excused(v)).map(|v| format!("history: {v}")));
        }
    }

    /// What was `left` to be pushed counts from the first effect on that it opens.
    fn happened(&mut self, sim: &Sim, left: &[Arc<BranchCommit>], wrong: &mut Vec<String>) {
        sim.with(|lab| {
            let truth = lab.truth();
            let effects = truth.effects();
            for effect in effects.iter().skip(self.effects) {
                let Cause::Order { entry, .. } = &effect.cause else { continue };
                if let Some(opened) = left.iter().position(|commit| !self.fed.contains(&commit.id) && opens(commit, entry)) {
                    self.written(&left[..=opened], wrong);
                }
                let kind = match &effect.did {
                    Did::Suspended => EffectKind::Suspend,
                    Did::Resumed => EffectKind::Resume,
                    Did::BeganInstall { target, attempt } => EffectKind::Install { target: *target, attempt: *attempt },
                    Did::Committed { target, attempt } => EffectKind::Commit { target: *target, attempt: *attempt },
                    Did::WentDown => EffectKind::Restart,
                    Did::WroteRegistry => EffectKind::WriteRegistry,
                    Did::ChangedBuild { .. } | Did::RolledBack { .. } => continue,
                };
                if matches!(kind, EffectKind::Suspend | EffectKind::Commit { .. }) {
                    // S1 by the truth: nobody else was away when the node was taken, or its upgrade committed.
                    let others = lab.nodes(&entry.cluster).into_iter().filter(|n| *n != effect.node.name);
                    let away = others.filter(|n| truth.out_at(&entry.cluster, n, effect.at) == Some(true)).collect::<Vec<_>>();
                    if !away.is_empty() {
                        wrong.push(format!("{effect} while {away:?} did not serve"));
                    }
                }
                if !self.lost {
                    let effect = Effect { at: effect.at, node: effect.node.clone(), kind, entry: entry.clone() };
                    // A person resumes a node that forgot us, of which the entries know nothing; the truth above knows.
                    let excused = |v: &&Violation| self.forgetful && v.law == LawId::S1;
                    let found = self.history.effect(&effect);
                    wrong.extend(found.iter().filter(|v| !excused(v)).map(|v| format!("history: {v}")));
                }
            }
            if effects.len() > self.effects {
                wrong.extend(truth.repeated().iter().map(|r| format!("happened twice: {r:?}")));
            }
            self.effects = effects.len();
            let catastrophes = truth.catastrophes();
            for catastrophe in catastrophes.iter().skip(self.catastrophes).filter(|c| c.blames_controller(LOOK)) {
                wrong.push(format!("catastrophe: {catastrophe}, away {:?}", catastrophe.away));
            }
            self.catastrophes = catastrophes.len();
        });
    }
}

fn opens(commit: &BranchCommit, entry: &EntryId) -> bool {
    match &commit.write {
        BranchWrite::Entry { record, .. } => {
            record.events.iter().any(|event| matches!(event, Event::Opened(intent) if intent.entry == *entry))
        }
        BranchWrite::Root
        | BranchWrite::Claim { .. }
        | BranchWrite::Word { .. }
        | BranchWrite::Foreign { .. }
        | BranchWrite::Accepted { .. } => false,
    }
}

/// What a lap said, against what is (L3, S7).
fn said(sim: &Sim, lap: &Lap, exact: bool, wrong: &mut Vec<String>) {
    let Some(plan) = &lap.plan else { return };
    let desired = &sim.wanted.desired;
    let now = sim.now();
    match &plan.decision {
        Decision::Hold(HoldReason::Law { id, what }) => wrong.push(format!("the planner broke {id}: {what}")),
        Decision::Converged => {
            let builds = sim.with(|lab| lab.truth().builds(&desired.cluster));
            if let Some((name, build)) = builds.iter().find(|(_, build)| desired.target.standing(**build) != Standing::OnTarget) {
                wrong.push(format!("converged, and {name} runs {build}"));
            }
            if exact {
                let away = sim.with(|lab| lab.truth().away(&desired.cluster));
                if !away.is_empty() {
                    wrong.push(format!("converged, and {away:?} do not serve"));
                }
            }
        }
        Decision::Wait(on, _) => {
            if plan.report.blocked_by.is_empty() && !matches!(on, WaitingOn::StepRunning { .. }) {
                wrong.push(format!("waits for {on}, and names no blocker"));
            }
            if exact {
                plausible(sim, on, now, wrong);
            }
        }
        Decision::Hold(why) => {
            if plan.report.blocked_by.is_empty() {
                wrong.push(format!("holds for {why}, and names no blocker"));
            }
        }
        Decision::Fence(_)
        | Decision::Meet(_)
        | Decision::Open(_)
        | Decision::Cancel(_)
        | Decision::Perform(_)
        | Decision::Close { .. } => {}
    }
}

fn plausible(sim: &Sim, on: &WaitingOn, now: Timestamp, wrong: &mut Vec<String>) {
    let desired = &sim.wanted.desired;
    let open = desired.maintenance.windows.open_span(now).is_some();
    match on {
        WaitingOn::WindowOpens(_) if open => wrong.push("waits for a window that is open".to_owned()),
        WaitingOn::WindowTooShort { .. } if !open => wrong.push("calls a window too short that is closed".to_owned()),
        WaitingOn::Suspended { .. } if desired.suspend.is_none() => wrong.push("says suspended, and is not".to_owned()),
        WaitingOn::StopFile(_) if sim.stop.is_none() => wrong.push("names a stop file that is not there".to_owned()),
        WaitingOn::NotUp { node, state } if state == "Down" || state == "Paused" => {
            if sim.with(|lab| lab.truth().out_at(&desired.cluster, node, now)) == Some(false) {
                wrong.push(format!("says that {node} is {state}, and it serves"));
            }
        }
        WaitingOn::Ledger(_)
        | WaitingOn::Remote(_)
        | WaitingOn::Answer { .. }
        | WaitingOn::ClusterAnswer { .. }
        | WaitingOn::WindowOpens(_)
        | WaitingOn::WindowTooShort { .. }
        | WaitingOn::StepRunning { .. }
        | WaitingOn::StorageRepair(_)
        | WaitingOn::Soak { .. }
        | WaitingOn::NotUp { .. }
        | WaitingOn::Quorum { .. }
        | WaitingOn::Room { .. }
        | WaitingOn::RolesRunning { .. }
        | WaitingOn::Backoff { .. }
        | WaitingOn::Suspended { .. }
        | WaitingOn::StopFile(_)
        | WaitingOn::StopMark { .. }
        | WaitingOn::Clocks { .. }
        | WaitingOn::Servicing { .. } => {}
    }
}
