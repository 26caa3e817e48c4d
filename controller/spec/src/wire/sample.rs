//! Facts for tests, here and of other packages (feature `samples`): one cluster of four nodes at several moments of its upgrade.
#![allow(clippy::unwrap_used, reason = "test data, written out below")]

use super::facts::{Facts, Transition, Wanted};
use drydock_model::connection::{Connection, Transport};
use drydock_model::desired::*;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::*;
use drydock_model::ledger::*;
use drydock_model::observed::*;
use drydock_model::plan::*;
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Span, Stamp, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// 2026-11-24T01:12:00Z.
pub const NOW: Timestamp = Timestamp(1_795_482_720_000);
const TARGET: Target = Target { version: Version::V23H2, revision: 1_611 };
const REVISION: &str = "5f1c0d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d";

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn epoch() -> Epoch {
    Epoch { number: 3, nonce: "12e4567".parse().unwrap() }
}

fn id(text: &str) -> NodeId {
    NodeId {
        name: name(text),
        machine: format!("machine-{}", text.to_lowercase()).parse().unwrap(),
        cluster: "c1".parse().unwrap(),
        node: text[2..].parse().unwrap(),
    }
}

fn seen<T>(value: T) -> Fact<T> {
    Fact::Known { value, seen: Span { from: NOW - Millis::seconds(4), to: NOW - Millis::seconds(2) } }
}

fn desired() -> Desired {
    Desired {
        cluster: "hospital-north".parse().unwrap(),
        spec: "ab".repeat(32).parse().unwrap(),
        nodes: ["N01", "N02", "N03", "N04"].map(name).to_vec(),
        target: TARGET,
        source: BitsSource::WindowsUpdate,
        method: Method::Rolling,
        maintenance: Maintenance { windows: drydock_model::window::Windows::always(), overrun: Overrun::FinishNode },
        run: RunOptions {
            max_retries_per_node: 3,
            max_failed_nodes: 0,
            node_order: NodeOrder::FewestRolesFirst,
            stop_after: None,
            warn_after: None,
            reboot_timeout: Millis::hours(1),
            suspend_cluster_node_timeout: Millis::minutes(30),
            wait_for_storage_repair_timeout: Millis::hours(8),
            failback_mode: FailbackMode::Immediate,
        },
        workload: WorkloadPolicy::LiveMigrate,
        suspend: None,
        contact: Some("Storage on call, +49 30 1234".to_owned()),
        change: Some("CHG0042".to_owned()),
    }
}

fn facts_of(text: &str, build: &str, state: MemberState) -> NodeFacts {
    let members = ["N01", "N02", "N03", "N04"].map(|n| {
        let state = if n == "N02" { state } else { MemberState::Up };
        (name(n), Member { state, drain: DrainStatus::NotInitiated, impaired: false, vote: true, roles: 2 })
    });
    NodeFacts {
        id: seen(id(text)),
        boot: seen(Boot { id: "b1".parse().unwrap(), up: Millis::hours(90) }),
        clock: seen(NOW),
        build: seen(build.parse().unwrap()),
        memory: seen(Memory {
            fence: Some(Place { epoch: epoch(), seq: 12 }),
            consumed: Some(Consumed {
                place: Place { epoch: epoch(), seq: 9 },
                digest: "cd".repeat(32).parse().unwrap(),
                phase: Phase::Started,
            }),
            ..Memory::default()
        }),
        registry: seen(RegistryFacts { refs_enable_metadata_validation: Some(0), skip_small_local_allocations: None }),
        worker: seen(None),
        setup: seen(Setup::default()),
        service: seen(ClusterService::Running),
        view: seen(View {
            cluster: "c1".parse().unwrap(),
            members: members.into_iter().collect(),
            witness: Witness::Online { vote: true },
        }),
        disk_free: seen(80 << 30),
    }
}

fn observed(builds: [&str; 4]) -> Observed {
    let nodes = ["N01", "N02", "N03", "N04"].into_iter().zip(builds);
    Observed {
        nodes: nodes.map(|(n, build)| (name(n), facts_of(n, build, MemberState::Up))).collect(),
        cluster: ClusterFacts {
            through: Some(name("N01")),
            storage: seen(Storage {
                disks: BTreeMap::from([("Volume \"01\"".to_owned(), DiskState::Degraded)]),
                jobs: vec![Job { name: "Volume01-Regeneration".to_owned(), state: JobState::Suspended, percent: 12 }],
                drives: BTreeMap::from([(name("N01"), Drives { total: 8, good: 8, maintenance: 0 })]),
                pool_healthy: true,
            }),
            capacity: seen(Capacity { nodes: BTreeMap::from([(name("N01"), Room { free_mib: 1 << 17, roles_mib: vec![4096, 8192] })]) }),
            level: Fact::Unknown(Gap::Unparsable("ClusterFunctionalLevel".to_owned())),
            would_lose_quorum: seen(BTreeSet::new()),
            preconditions: seen(Preconditions { solution: false, self_updating: false, sites: 1 }),
        },
        span: Span { from: NOW - Millis::seconds(5), to: NOW },
    }
}

fn wanted() -> Wanted {
    Wanted {
        path: "clusters/hospitals/hospital-north.yaml".to_owned(),
        revision: REVISION.parse().unwrap(),
        desired: desired(),
        connection: Connection {
            transport: Transport::WinRM,
            port: None,
            credential: Some("north".to_owned()),
            addresses: BTreeMap::from([(name("N01"), "n01.north.example".to_owned())]),
            nodes: BTreeMap::new(),
        },
        problem: None,
        warnings: vec!["23H2 is out of support since April 2026 (clusters/hospitals/hospital-north.yaml:14)".to_owned()],
    }
}

fn intent(step: Step, seq: Seq) -> Intent {
    Intent {
        entry: EntryId { cluster: "hospital-north".parse().unwrap(), place: Place { epoch: epoch(), seq } },
        base: seq,
        step,
        purpose: Purpose::Upgrade,
        node: id("N02"),
        spec: desired().spec,
        revision: REVISION.parse().unwrap(),
        target: TARGET,
        attempt: 1,
        boot: Some("b1".parse().unwrap()),
        opened: Stamp::At(NOW - Millis::minutes(50)),
        cancelled: None,
    }
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::new(epoch());
    let at = Stamp::At(NOW - Millis::minutes(60));
    ledger.apply(&Event::Met(["N01", "N02", "N03", "N04"].map(id).to_vec()), at);
    ledger.apply(&Event::Read(REVISION.parse().unwrap()), at);
    ledger.apply(&Event::Opened(intent(Step::Vacate, 5)), at);
    ledger.apply(
        &Event::Closed { entry: intent(Step::Vacate, 5).entry, outcome: Outcome::Done, heard: true },
        Stamp::At(NOW - Millis::minutes(51)),
    );
    ledger
}

fn report(nodes: [(NodePhase, &str); 4], builds: [Option<&str>; 4], next: &str) -> Report {
    let rows = ["N01", "N02", "N03", "N04"].into_iter().zip(nodes.into_iter().zip(builds));
    Report {
        nodes: rows
            .map(|(n, ((phase, detail), build))| {
                (name(n), NodeReport { build: build.map(|b| b.parse().unwrap()), phase, detail: detail.to_owned() })
            })
            .collect(),
        window: WindowReport::Open { closes: NOW + Millis::minutes(168) },
        next: next.to_owned(),
        next_at: None,
        blocked_by: Vec::new(),
        warnings: Vec::new(),
        estimate: Some(Estimate { p50: Millis::minutes(401), p95: Millis::minutes(540), fits_window: false }),
    }
}

const MIXED: [&str; 4] = ["25398.1611", "20349.3692", "20349.3692", "20349.3692"];

/// N02 is out and installs.
pub fn transition_installing() -> Transition {
    let mut ledger = ledger();
    let install = intent(Step::Install, 9);
    ledger.apply(&Event::Opened(install.clone()), Stamp::At(NOW - Millis::minutes(50)));
    let working = NodePhase::Working { step: Step::Install, since: Some(NOW - Millis::minutes(50)), percent: Some(43) };
    let mut report = report(
        [
            (NodePhase::Done, "on the target and in service"),
            (working, "staging, 43 % done"),
            (NodePhase::Pending, "waits for its turn"),
            (NodePhase::Pending, "waits for its turn"),
        ],
        MIXED.map(Some),
        "N02 goes on with Install; then Restart, Return and Settle",
    );
    report.blocked_by = vec!["Install on N02, 43 % done".to_owned()];
    let mut observed = observed(MIXED);
    if let Some(facts) = observed.nodes.get_mut(&name("N02")) {
        *facts = facts_of("N02", MIXED[1], MemberState::Paused);
        let worker =
            Worker { place: install.entry.place.clone(), target: TARGET, attempt: 1, state: WorkerState::Staging(43), alive: true };
        facts.worker = seen(Some(worker));
    }
    Transition {
        cluster: "hospital-north".parse().unwrap(),
        at: NOW,
        stamp: Stamp::At(NOW),
        events: vec![Event::Noted { state: "Wait/StepRunning/N02".to_owned() }],
        decision: Decision::Wait(WaitingOn::StepRunning { node: name("N02"), step: Step::Install, percent: Some(43) }, Recheck::Soon),
        report,
        observed,
        remote: Remote::Confirmed,
        stop: None,
        wanted: wanted(),
        ledger,
    }
}

/// N02's Install is opened.
pub fn transition_opening() -> Transition {
    let mut of = transition_installing();
    of.events = vec![Event::Opened(intent(Step::Install, 9))];
    of.decision = Decision::Open(intent(Step::Install, 9));
    of.report.next = "Install on N02".to_owned();
    of.report.blocked_by.clear();
    of
}

/// N02 came back on its old build.
pub fn transition_held() -> Transition {
    let mut of = transition_installing();
    let restart = intent(Step::Restart, 13);
    let failed = Failed { step: Step::Restart, why: Failure::RolledBack, at: Stamp::At(NOW) };
    let hold = HoldReason::NodeFailed { node: name("N02"), failed };
    of.ledger.apply(&Event::Opened(restart.clone()), of.stamp);
    of.events = vec![
        Event::Read(REVISION.parse().unwrap()),
        Event::Closed { entry: restart.entry, outcome: Outcome::Failed(Failure::RolledBack), heard: true },
    ];
    of.events.iter().for_each(|e| of.ledger.apply(e, Stamp::At(NOW)));
    of.report = report(
        [
            (NodePhase::Done, "on the target and in service"),
            (NodePhase::Failed, "came back on its old build; it is in service"),
            (NodePhase::Pending, "waits for N02"),
            (NodePhase::Unknown, "does not answer"),
        ],
        [Some(MIXED[0]), Some(MIXED[1]), Some(MIXED[2]), None],
        "nothing until a person acts",
    );
    of.report.blocked_by = vec![hold.to_string()];
    of.report.estimate = None;
    of.report.window = WindowReport::Closed { opens: Some(NOW + Millis::hours(92)) };
    if let Some(facts) = of.observed.nodes.get_mut(&name("N04")) {
        *facts = NodeFacts::unknown(&Gap::TimedOut);
    }
    of.decision = Decision::Hold(hold);
    of
}

/// All is done.
pub fn transition_converged() -> Transition {
    let mut of = transition_installing();
    let builds = ["25398.1611"; 4];
    of.observed = observed(builds);
    of.report = report([(); 4].map(|()| (NodePhase::Done, "on the target and in service")), builds.map(Some), "nothing");
    of.report.estimate = None;
    of.report.window = WindowReport::Always;
    of.decision = Decision::Converged;
    of.ledger = Ledger::new(epoch());
    let applied = Event::Applied { revision: REVISION.parse().unwrap(), spec: desired().spec };
    of.ledger.apply(&applied, of.stamp);
    of.events = vec![applied];
    of
}

/// N02 is out and installs.
pub fn installing() -> Facts {
    Facts::new(transition_installing(), None)
}

/// N02's Install is opened.
pub fn opening() -> Facts {
    Facts::new(transition_opening(), None)
}

/// N02 came back on its old build, and N04 does not answer.
pub fn held() -> Facts {
    Facts::new(transition_held(), None)
}

/// All is done.
pub fn converged() -> Facts {
    Facts::new(transition_converged(), None)
}

/// All is done, but the newest file is bad.
pub fn converged_with_a_bad_newest_file() -> Facts {
    let mut of = transition_converged();
    of.wanted.problem = Some(
        "error[DD0201]: `spec` has no field \"maintainance\"\n --> clusters/hospitals/hospital-north.yaml:9:3\n  |\n9 |   maintainance:\n  |   \
         ^^^^^^^^^^^^"
            .to_owned(),
    );
    Facts::new(of, None)
}

/// Reached once; now nobody answers.
pub fn unseen() -> Facts {
    let mut of = transition_converged();
    for facts in of.observed.nodes.values_mut() {
        *facts = NodeFacts::unknown(&Gap::Unreachable);
    }
    of.decision = Decision::Wait(WaitingOn::Answer { node: name("N01"), fact: "build".to_owned(), gap: Gap::Unreachable }, Recheck::Usual);
    of.report.next = "look again".to_owned();
    of.events = vec![Event::Noted { state: "Wait/Answer/N01".to_owned() }];
    of.stamp = Stamp::Unknown;
    Facts::new(of, None)
}

/// All of them.
pub fn all() -> Vec<Facts> {
    vec![installing(), opening(), held(), converged(), converged_with_a_bad_newest_file(), unseen()]
}
