//! A healthy cluster on 22H2 that shall become 23H2, and its states on the way, to be changed in one place by each test.

use crate::check;
use drydock_model::desired::*;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::*;
use drydock_model::ledger::*;
use drydock_model::observed::*;
use drydock_model::order::*;
use drydock_model::plan::*;
use drydock_model::step::{Purpose, Step};
use drydock_model::time::*;
use drydock_model::window::{Window, Windows};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const GIB: u64 = 1 << 30;
/// A Saturday at 22:30 in UTC: half an hour into the window.
pub(super) const NOW: Timestamp = Timestamp(1_795_905_000_000);
pub(super) const TARGET: Target = Target { version: Version::V23H2, revision: 0 };

pub(super) struct Scene {
    pub(super) desired: Desired,
    pub(super) revision: Revision,
    pub(super) ledger: Fact<Ledger>,
    pub(super) remote: Remote,
    pub(super) observed: Observed,
    pub(super) stop: Option<String>,
    pub(super) now: Timestamp,
    /// What the report says otherwise than an honest one.
    pub(super) edit: fn(&mut Report),
}

pub(super) fn text<T: std::str::FromStr<Err = NameError>>(t: &str) -> T {
    t.parse().unwrap()
}

pub(super) fn known<T>(value: T) -> Fact<T> {
    Fact::Known { value, seen: Span { from: Timestamp(NOW.0 - 3_000), to: Timestamp(NOW.0 - 1_000) } }
}

pub(super) fn build(t: &str) -> Build {
    t.parse().unwrap()
}

pub(super) fn epoch() -> Epoch {
    Epoch { number: 3, nonce: text("ab") }
}

pub(super) fn place(seq: Seq) -> Place {
    Place { epoch: epoch(), seq }
}

pub(super) fn id(name: &str) -> NodeId {
    NodeId { name: text(name), machine: text(&format!("m-{name}")), cluster: text("k1"), node: text(&name.replace("N0", "")) }
}

fn names(n: usize) -> Vec<NodeName> {
    (1..=n).map(|i| text(&format!("N0{i}"))).collect()
}

fn node(name: &NodeName, all: &[NodeName], witness: Witness) -> NodeFacts {
    let member = Member { state: MemberState::Up, drain: DrainStatus::NotInitiated, impaired: false, vote: true, roles: 3 };
    let memory = Memory { fence: Some(place(0)), registry_written: Some(text("b0")), ..Memory::default() };
    NodeFacts {
        id: known(id(name.as_str())),
        boot: known(Boot { id: text("b1"), up: Millis::hours(5) }),
        clock: known(Timestamp(NOW.0 - 2_000)),
        build: known(build("20349.3700")),
        memory: known(memory),
        registry: known(RegistryFacts { refs_enable_metadata_validation: Some(0), skip_small_local_allocations: Some(0) }),
        worker: known(None),
        setup: known(Setup::default()),
        service: known(ClusterService::Running),
        view: known(View { cluster: text("k1"), members: all.iter().map(|n| (n.clone(), member.clone())).collect(), witness }),
        disk_free: known(60 * GIB),
    }
}

impl Scene {
    /// Four nodes and a witness.
    pub(super) fn four() -> Scene {
        Scene::of(4, Witness::Online { vote: true })
    }

    /// Two nodes and a witness.
    pub(super) fn two() -> Scene {
        Scene::of(2, Witness::Online { vote: true })
    }

    /// Five nodes without a witness, of which two are down with their votes.
    pub(super) fn of_five_with_two_down() -> Scene {
        let mut scene = Scene::of(5, Witness::None);
        scene.lose("N04");
        scene.lose("N05");
        scene
    }

    fn of(n: usize, witness: Witness) -> Scene {
        let names = names(n);
        let window = Window::new("weekly on Saturday at 22:00".parse().unwrap(), Millis::hours(8), "UTC".parse().unwrap()).unwrap();
        let desired = Desired {
            cluster: text("north"),
            spec: text("spec1"),
            nodes: names.clone(),
            target: TARGET,
            source: BitsSource::WindowsUpdate,
            method: Method::Rolling,
            maintenance: Maintenance { windows: Windows::new(vec![window], Vec::new()).unwrap(), overrun: Overrun::FinishNode },
            run: RunOptions {
                max_retries_per_node: 2,
                max_failed_nodes: 0,
                node_order: NodeOrder::FewestRolesFirst,
                stop_after: None,
                warn_after: None,
                reboot_timeout: Millis::minutes(60),
                suspend_cluster_node_timeout: Millis::minutes(30),
                wait_for_storage_repair_timeout: Millis::hours(8),
                failback_mode: FailbackMode::Immediate,
            },
            workload: WorkloadPolicy::LiveMigrate,
            suspend: None,
            contact: None,
            change: None,
        };
        let storage = Storage {
            disks: BTreeMap::from([("Volume1".to_owned(), DiskState::Healthy)]),
            jobs: Vec::new(),
            drives: names.iter().map(|n| (n.clone(), Drives { total: 4, good: 4, maintenance: 0 })).collect(),
            pool_healthy: true,
        };
        let room = Room { free_mib: 64 << 10, roles_mib: vec![8 << 10, 16 << 10] };
        let cluster = ClusterFacts {
            through: names.first().cloned(),
            storage: known(storage),
            capacity: known(Capacity { nodes: names.iter().map(|n| (n.clone(), room.clone())).collect() }),
            level: known(Level { functional: 11, upgrade: 32_773 }),
            would_lose_quorum: known(BTreeSet::new()),
            preconditions: known(Preconditions { solution: false, self_updating: false, sites: 1 }),
        };
        let mut ledger = Ledger::new(epoch());
        ledger.apply(&Event::Met(names.iter().map(|n| id(n.as_str())).collect()), Stamp::At(NOW));
        Scene {
            observed: Observed {
                nodes: names.iter().map(|n| (n.clone(), node(n, &names, witness))).collect(),
                cluster,
                span: Span { from: Timestamp(NOW.0 - 3_000), to: Timestamp(NOW.0 - 1_000) },
            },
            desired,
            revision: text("abc123"),
            ledger: known(ledger),
            remote: Remote::Confirmed,
            stop: None,
            now: NOW,
            edit: |_| {},
        }
    }

    /// N01 is vacated, and its Vacate is closed.
    pub(super) fn out(self) -> Scene {
        let mut scene = self.vacating();
        let entry = scene.open().entry.clone();
        scene.apply(Event::Closed { entry, outcome: Outcome::Done, heard: true });
        scene
    }

    /// N01's Vacate is open, was consumed, and has had its effect.
    pub(super) fn vacating(mut self) -> Scene {
        let vacate = self.intent(Step::Vacate);
        self.apply(Event::Opened(vacate.clone()));
        self.member("N01", |m| (m.state, m.drain, m.roles) = (MemberState::Paused, DrainStatus::Completed, 0));
        self.consume(&vacate, Phase::Ended);
        self.memory("N01", |m| m.marker = Some(Marker { vacate: vacate.entry.place.clone(), state: MarkerState::Suspended }));
        self.storage(|s| {
            s.disks.insert("Volume1".to_owned(), DiskState::Incomplete);
            s.drives.insert(text("N01"), Drives { total: 4, good: 0, maintenance: 4 });
        });
        self
    }

    /// N01 is out and has staged its first attempt.
    pub(super) fn staged(self) -> Scene {
        let mut scene = self.out();
        let install = scene.intent(Step::Install);
        scene.apply(Event::Opened(install.clone()));
        scene.consume(&install, Phase::Ended);
        scene.apply(Event::Closed { entry: install.entry.clone(), outcome: Outcome::Done, heard: true });
        let worker = Worker { place: install.entry.place, target: TARGET, attempt: 1, state: WorkerState::Staged, alive: false };
        scene.facts("N01").worker = known(Some(worker));
        scene
    }

    /// N01's Restart is open, and its commit has begun.
    pub(super) fn committing(self) -> Scene {
        let mut scene = self.staged();
        let restart = scene.intent(Step::Restart);
        scene.apply(Event::Opened(restart.clone()));
        scene.consume(&restart, Phase::Started);
        let commit = Commit { target: TARGET, attempt: 1, phase: CommitPhase::Committing, boot: text("b1") };
        scene.memory("N01", |m| m.commit = Some(commit));
        scene
    }

    /// N01 runs the target in another boot, has lost its memory, and its Restart is still open.
    pub(super) fn upgraded(self) -> Scene {
        let mut scene = self.committing();
        let facts = scene.facts("N01");
        facts.boot = known(Boot { id: text("b2"), up: Millis::minutes(3) });
        facts.build = known(build("25398.1700"));
        facts.worker = known(None);
        facts.memory = known(Memory::default());
        scene
    }

    /// The same with what is open closed as done.
    pub(super) fn closed(mut self) -> Scene {
        let entry = self.open().entry.clone();
        self.apply(Event::Closed { entry, outcome: Outcome::Done, heard: true });
        self
    }

    /// N01 runs the target, is Up, and its Return is still open.
    pub(super) fn returned(self) -> Scene {
        let mut scene = self.upgraded().closed().opened(Step::Return);
        let intent = scene.open().clone();
        scene.consume(&intent, Phase::Ended);
        scene.member("N01", |m| (m.state, m.drain) = (MemberState::Up, DrainStatus::NotInitiated));
        scene.storage(|s| {
            s.disks.insert("Volume1".to_owned(), DiskState::Healthy);
            s.drives.insert(text("N01"), Drives { total: 4, good: 4, maintenance: 0 });
        });
        scene
    }

    /// Every node runs the target and is Up.
    pub(super) fn all_done(mut self) -> Scene {
        for facts in self.observed.nodes.values_mut() {
            facts.build = known(build("25398.1700"));
        }
        self
    }

    /// Moves the controller's clock, and every fact with it.
    pub(super) fn later(&mut self, by: Millis) {
        fn seen<T>(fact: &mut Fact<T>, by: Millis) {
            if let Fact::Known { seen, .. } = fact {
                *seen = Span { from: seen.from + by, to: seen.to + by };
            }
        }
        self.now = self.now + by;
        for facts in self.observed.nodes.values_mut() {
            seen(&mut facts.id, by);
            seen(&mut facts.boot, by);
            seen(&mut facts.build, by);
            seen(&mut facts.memory, by);
            seen(&mut facts.registry, by);
            seen(&mut facts.worker, by);
            seen(&mut facts.setup, by);
            seen(&mut facts.service, by);
            seen(&mut facts.view, by);
            seen(&mut facts.clock, by);
            if let Fact::Known { value, .. } = &mut facts.clock {
                *value = *value + by;
            }
        }
        let cluster = &mut self.observed.cluster;
        seen(&mut cluster.storage, by);
        seen(&mut cluster.capacity, by);
        seen(&mut cluster.would_lose_quorum, by);
    }

    /// The same, that much later.
    pub(super) fn after(mut self, by: Millis) -> Scene {
        self.later(by);
        self
    }

    pub(super) fn known_ledger(&mut self) -> &mut Ledger {
        match &mut self.ledger {
            Fact::Known { value, .. } => value,
            Fact::Unknown(_) => panic!("the scene's ledger is unknown"),
        }
    }

    pub(super) fn apply(&mut self, event: Event) {
        self.known_ledger().apply(&event, Stamp::At(NOW));
    }

    pub(super) fn open(&self) -> &Intent {
        self.ledger.known().unwrap().open.as_ref().unwrap()
    }

    pub(super) fn facts(&mut self, name: &str) -> &mut NodeFacts {
        self.observed.nodes.get_mut(&text::<NodeName>(name)).unwrap()
    }

    pub(super) fn memory(&mut self, name: &str, change: impl FnOnce(&mut Memory)) {
        change(known_mut(&mut self.facts(name).memory));
    }

    pub(super) fn consume(&mut self, intent: &Intent, phase: Phase) {
        let place = intent.entry.place.clone();
        self.memory(intent.node.name.as_str(), |m| {
            m.fence = Some(place.clone());
            m.consumed = Some(Consumed { place, digest: text("d1"), phase });
        });
    }

    /// How everybody who answers sees a member.
    pub(super) fn member(&mut self, name: &str, change: impl Fn(&mut Member)) {
        let name: NodeName = text(name);
        for facts in self.observed.nodes.values_mut() {
            if let Fact::Known { value, .. } = &mut facts.view {
                change(value.members.get_mut(&name).unwrap());
            }
        }
    }

    pub(super) fn witness(&mut self, witness: Witness) {
        for facts in self.observed.nodes.values_mut() {
            if let Fact::Known { value, .. } = &mut facts.view {
                value.witness = witness;
            }
        }
    }

    pub(super) fn storage(&mut self, change: impl FnOnce(&mut Storage)) {
        change(known_mut(&mut self.observed.cluster.storage));
    }

    /// A node that does not answer, and that the others see down.
    pub(super) fn lose(&mut self, name: &str) {
        *self.facts(name) = NodeFacts::unknown(&Gap::TimedOut);
        self.member(name, |m| m.state = MemberState::Down);
    }

    /// The next intent for N01, as it should be.
    pub(super) fn intent(&self, step: Step) -> Intent {
        let ledger = self.ledger.known().unwrap();
        let (seq, base) = ledger.place_for(step, false);
        Intent {
            entry: EntryId { cluster: text("north"), place: Place { epoch: ledger.epoch.clone(), seq } },
            base,
            step,
            purpose: Purpose::Upgrade,
            node: id("N01"),
            spec: self.desired.spec.clone(),
            revision: self.revision.clone(),
            target: TARGET,
            attempt: 1,
            boot: Some(text("b1")),
            opened: Stamp::At(NOW),
            cancelled: None,
        }
    }

    /// The open intent's order, as it should be.
    pub(super) fn order(&self) -> Order {
        let open = self.open();
        let expect = match open.step {
            Step::Vacate => {
                Expect { marker: MarkerExpected::Absent, others_up: true, storage: StorageExpected::Settled, build: None, quorum: true }
            }
            Step::Install | Step::Restart | Step::Reboot => Expect {
                marker: MarkerExpected::Ours(self.ledger.known().unwrap().out.as_ref().unwrap().vacate.clone()),
                others_up: true,
                storage: StorageExpected::OwnDamageOnly,
                build: None,
                quorum: true,
            },
            Step::WriteRegistry | Step::Return | Step::Settle => Expect::NOTHING,
        };
        let work = Work {
            step: open.step,
            target: open.target,
            attempt: open.attempt,
            source: self.desired.source.clone(),
            failback: FailbackMode::Immediate,
            small_allocations: true,
        };
        Order::step(open.entry.clone(), open.node.clone(), work, expect, text("b1"), Millis::hours(5).plus(Millis::seconds(90)))
    }

    /// Opens a step for N01, so that its order can be judged.
    pub(super) fn opened(mut self, step: Step) -> Scene {
        let intent = self.intent(step);
        self.apply(Event::Opened(intent));
        self
    }

    /// The verdict over an intent to be opened.
    pub(super) fn open_verdict(&self, step: Step) -> String {
        self.verdict(Decision::Open(self.intent(step)))
    }

    /// The verdict over the open intent's order.
    pub(super) fn order_verdict(&self) -> String {
        self.verdict(Decision::Perform(vec![self.order()]))
    }

    /// The verdict over closing what is open.
    pub(super) fn close_verdict(&self, outcome: Outcome, heard: bool) -> String {
        self.verdict(Decision::Close { entry: self.open().entry.clone(), outcome, heard })
    }

    /// What the laws say: `holds`, or each violation on a line.
    pub(super) fn verdict(&self, decision: Decision) -> String {
        let mut report = self.honest(&decision);
        (self.edit)(&mut report);
        let situation = Situation {
            desired: &self.desired,
            revision: &self.revision,
            ledger: &self.ledger,
            remote: &self.remote,
            observed: &self.observed,
            stop: self.stop.as_deref(),
            now: Now { at: self.now },
        };
        match check(&situation, &Plan { decision, report }) {
            Ok(()) => "holds".to_owned(),
            Err(violations) => violations.iter().map(|v| format!("{v}\n")).collect(),
        }
    }

    fn honest(&self, decision: &Decision) -> Report {
        let open = self.desired.maintenance.windows.open_span(self.now);
        let said = |name: &NodeName| {
            let build = self.observed.nodes.get(name).and_then(|f| f.build.known()).copied();
            let phase = match (build, decision) {
                (None, _) => NodePhase::Unknown,
                (Some(_), Decision::Converged) => NodePhase::Done,
                (Some(_), _) => NodePhase::Pending,
            };
            NodeReport { build, phase, detail: String::new() }
        };
        Report {
            nodes: self.desired.nodes.iter().map(|n| (n.clone(), said(n))).collect(),
            window: match open {
                Some(open) => WindowReport::Open { closes: open.closes.unwrap() },
                None => WindowReport::Closed { opens: None },
            },
            next: "what comes next".to_owned(),
            next_at: None,
            blocked_by: Vec::new(),
            warnings: Vec::new(),
            estimate: None,
        }
    }
}

pub(super) fn known_mut<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Known { value, .. } => value,
        Fact::Unknown(gap) => panic!("unknown: {gap}"),
    }
}
