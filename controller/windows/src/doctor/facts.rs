//! The last step: everything that a look reads, and what of it is unknown.

use super::Told;
use super::finding::{Code, Finding, quoted};
use crate::facts;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::NodeName;
use drydock_model::observed::{ClusterService, NodeFacts, Room};
use drydock_model::plan::HoldReason;
use drydock_model::time::{Millis, Span};
use serde_json::Value;
use std::collections::BTreeMap;

/// How far a node's clock may be away from the controller's (rule 15).
const CLOCK: Millis = Millis::minutes(2);

/// What was read so far.
pub(super) struct Read {
    node: NodeFacts,
    room: Fact<Room>,
    cluster: Option<Value>,
    storage: Option<Value>,
    findings: Vec<Finding>,
}

impl Read {
    /// From the answer of `probe-node`.
    pub(super) fn node(answer: &Value, seen: Span) -> Read {
        Read { node: facts::node(answer, seen), room: facts::room(answer, seen), cluster: None, storage: None, findings: Vec::new() }
    }

    /// Whether the node can tell something of its cluster.
    pub(super) fn serves(&self) -> bool {
        self.node.service.known() == Some(&ClusterService::Running)
    }

    /// The answer of `probe-cluster` or `probe-storage`.
    pub(super) fn cluster(&mut self, script: &str, answer: Value) {
        if script == "probe-storage" {
            self.storage = Some(answer);
        } else {
            self.cluster = Some(answer);
        }
    }

    /// One of them gave no answer.
    pub(super) fn failed(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// What it all says.
    pub(super) fn told(self, name: &NodeName, seen: Span) -> (NodeFacts, Told) {
        let Read { node, room, cluster, storage, mut findings } = self;
        let mut known = 0_usize;
        let mut gaps: Vec<(&str, Gap)> = Vec::new();
        let mut judge = |what: &'static str, gap: Option<&Gap>| match gap {
            None => known += 1,
            Some(gap) => gaps.push((what, gap.clone())),
        };
        judge("identity", node.id.gap());
        judge("boot", node.boot.gap());
        judge("clock", node.clock.gap());
        judge("build", node.build.gap());
        judge("memory", node.memory.gap());
        judge("registry", node.registry.gap());
        judge("worker", node.worker.gap());
        judge("setup", node.setup.gap());
        judge("service", node.service.gap());
        judge("view", node.view.gap());
        judge("disk", node.disk_free.gap());
        judge("room", room.gap());
        let mut forbidden = None;
        let nothing = Gap::NotAsked;
        if cluster.is_some() || storage.is_some() {
            let rooms = BTreeMap::from([(name.clone(), room)]);
            let told = facts::cluster(name.clone(), cluster.as_ref().ok_or(&nothing), storage.as_ref().ok_or(&nothing), &rooms, seen);
            // What was not asked has its finding already.
            let mut asked = |what: &'static str, gap: Option<&Gap>| {
                if gap != Some(&Gap::NotAsked) {
                    judge(what, gap);
                }
            };
            asked("level", told.level.gap());
            asked("quorum", told.would_lose_quorum.gap());
            asked("storage", told.storage.gap());
            asked("preconditions (solution, self-updating, sites)", told.preconditions.gap());
            forbidden = told.preconditions.known().and_then(HoldReason::of);
        }
        findings.extend(gaps.iter().map(|(what, gap)| unread(what, gap)));
        findings.extend(identity(&node, name));
        findings.extend(clock(&node, seen));
        findings.extend(stop_mark(&node));
        findings.extend(forbidden.map(|why| Finding::new(Code::Later, why.to_string(), why.way_out())));
        (node.clone(), Told { saw: saw(&node, known, gaps.len()), findings })
    }
}

fn saw(node: &NodeFacts, known: usize, unknown: usize) -> String {
    let mut saw = vec![format!("{known} known, {unknown} unknown")];
    saw.extend(node.build.known().map(|build| format!("build {build}")));
    saw.extend(node.service.known().map(|service| match service {
        ClusterService::Running => "the cluster service runs".to_owned(),
        ClusterService::Stopped => "the cluster service is stopped".to_owned(),
        ClusterService::Disabled => "the cluster service is disabled".to_owned(),
    }));
    saw.extend(node.memory.known().map(|memory| match &memory.fence {
        Some(fence) => format!("fence {fence}"),
        None => "no fence yet".to_owned(),
    }));
    if node.setup.known().is_some_and(|setup| setup.running || setup.pending) {
        saw.push("setup is at work, or a restart is pending".to_owned());
    }
    saw.join("; ")
}

fn unread(what: &str, gap: &Gap) -> Finding {
    if let Gap::Damaged(which) = gap {
        return Finding::new(
            Code::Damage,
            format!("{what} is unknown, as something that Drydock keeps there is damaged: {}", quoted(which)),
            "look at it and at what stands beside it, then remove the folder of that file, or that one value, as DD0617 says",
        );
    }
    let todo = match gap {
        Gap::AccessDenied => "give the account the right; the step before may name it".to_owned(),
        Gap::ClusterServiceStopped => {
            "on the node: Start-Service -Name clussvc; while it upgrades or restarts this is as it should be".to_owned()
        }
        Gap::NotAsked
        | Gap::TimedOut
        | Gap::Unreachable
        | Gap::AuthenticationFailed(_)
        | Gap::Unparsable(_)
        | Gap::Missing(_)
        | Gap::Disagree(_)
        | Gap::Stale
        | Gap::Unreadable(_)
        | Gap::Damaged(_) => "in a shell of this account try the commands that DD0613 names".to_owned(),
    };
    Finding::new(Code::Fact, format!("{what} is unknown: {}", quoted(&gap.to_string())), todo)
}

fn identity(node: &NodeFacts, name: &NodeName) -> Option<Finding> {
    let id = node.id.known().filter(|id| id.name != *name)?;
    Some(Finding::new(
        Code::Machine,
        format!("the machine that answers is {}, not {name}", id.name),
        "correct the node's `address` in the cluster's file",
    ))
}

fn clock(node: &NodeFacts, seen: Span) -> Option<Finding> {
    let there = *node.clock.known()?;
    let off = if there < seen.from {
        seen.from.distance(there)
    } else if there > seen.to {
        there.distance(seen.to)
    } else {
        Millis::ZERO
    };
    (off > CLOCK).then(|| {
        Finding::new(
            Code::Later,
            format!("its clock is {off} away from the controller's; beyond {CLOCK} nothing is begun"),
            "on the node: w32tm /query /status; here: timedatectl; let both follow one source",
        )
    })
}

fn stop_mark(node: &NodeFacts) -> Option<Finding> {
    let stop = node.memory.known()?.stop.as_ref()?;
    Some(Finding::new(
        Code::Later,
        format!("a stop mark stands there, set by {} at {}: {}", quoted(&stop.who), quoted(&stop.when), quoted(&stop.why)),
        r"ask who set it; it is lifted on the node: Remove-Item -Path HKLM:\SOFTWARE\Drydock\Stop -Recurse",
    ))
}
