//! Upgrades in simulation, judged by what the lab knows.

#[path = "simulation/full.rs"]
mod full;

use drydock_engine::lap::Mode;
use drydock_engine::pace::Pacing;
use drydock_engine::ports::{Fleet, TakeOver, Wanted};
use drydock_engine::run::{End, Options, run};
use drydock_lab::sim::{Branch, BranchWrite, SimClock, SimClusters, SimSource, SimStore, SimWorld, Sleep};
use drydock_lab::{Durations, Fault, Lab, Planned};
use drydock_model::desired::{Desired, Suspend};
use drydock_model::ledger::Word;
use drydock_model::plan::Decision;
use drydock_model::step::{Purpose, Step};
use drydock_model::time::Millis;
use drydock_tests::home::{BEGIN, record};
use drydock_tests::sim::{Ended, Sim, node};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[test]
fn a_calm_upgrade_of_four_nodes_converges_and_nothing_happens_twice() {
    let mut sim = Sim::new(1, 4, Durations::real());
    let ended = sim.run(20_000);
    let story = sim.story.join("\n");
    assert_eq!(ended, Ended::Converged, "{story}");
    println!("{story}\nlaps {} commits {}", sim.laps, sim.branch.commits().len());
    sim.with(|lab| {
        let truth = lab.truth();
        println!("{:?}\n{:?}", truth.builds(&"hospital-north".parse().unwrap()), truth.counts(&"hospital-north".parse().unwrap()));
        assert!(truth.catastrophes().is_empty());
        assert!(truth.repeated().is_empty());
    });
}

#[test]
fn a_converged_cluster_tells_once_that_its_newest_file_does_not_count_and_once_that_it_counts_again() {
    let mut sim = Sim::new(1, 2, Durations::real());
    assert_eq!(sim.run(20_000), Ended::Converged, "{}", sim.story.join("\n"));
    let converged = sim.branch.commits().len();
    let problem = Some("error[DD0103]: is not YAML\n --> clusters/hospital-north.yaml:1:22".to_owned());
    for (told, problem) in [(1, problem), (2, None)] {
        sim.wanted = Arc::new(Wanted { problem, ..(*sim.wanted).clone() });
        for _ in 0..20 {
            sim.turn();
        }
        assert_eq!(sim.branch.commits().len(), converged + told);
    }
}

/// L3: whatever else is written meanwhile, the newest entry says what stands in the way.
#[test]
fn a_hold_is_told_again_after_an_entry_about_something_else() {
    let mut sim = Sim::new(1, 3, Durations::real());
    let cluster = "hospital-north".parse().unwrap();
    sim.merge("1111111111111111111111111111111111111111", |desired| drop(desired.nodes.pop()));
    let says = |sim: &Sim| match sim.branch.commits().last().map(|commit| commit.write.clone()) {
        Some(BranchWrite::Entry { record, .. }) => record.decision.state(),
        other => format!("{other:?}"),
    };
    let until_held = |sim: &mut Sim| {
        let entries = sim.branch.commits().len();
        for _ in 0..20 {
            sim.turn();
            if sim.branch.commits().len() > entries && says(sim).starts_with("Hold/MembersDiffer") {
                return;
            }
        }
        panic!("it says {}: {}", says(sim), sim.story.join("\n"));
    };
    until_held(&mut sim);
    sim.branch.word(&cluster, Word::Retry { node: node(1), reason: "was replaced".to_owned() });
    until_held(&mut sim);
}

#[test]
fn a_run_that_becomes_late_while_it_waits_for_one_thing_is_warned_of_once() {
    let mut sim = Sim::new(1, 2, Durations::real());
    sim.merge("1111111111111111111111111111111111111111", |desired| desired.run.warn_after = Some(Millis::hours(48)));
    while sim.branch.ledger(&"hospital-north".parse().unwrap()).is_none_or(|ledger| ledger.run_began.is_none()) {
        sim.turn();
    }
    sim.merge("2222222222222222222222222222222222222222", |desired| {
        desired.suspend = Some(Suspend { reason: "a freeze".to_owned(), until: None });
    });
    let days = |sim: &mut Sim, days: u64| {
        let began = sim.now();
        while sim.now().since(began) < Millis::hours(24 * days) {
            sim.turn();
        }
        sim.branch.commits().len()
    };
    let waits = days(&mut sim, 1);
    assert_eq!(days(&mut sim, 3), waits + 1);
    let commits = sim.branch.commits();
    let Some(BranchWrite::Entry { record, .. }) = commits.last().map(|commit| &commit.write) else { panic!("no entry") };
    assert_eq!(record.report.warnings.last().map(String::as_str), Some("the run began more than 2d ago (warnAfter)"));
    assert_eq!(days(&mut sim, 3), waits + 1);
}

#[test]
fn an_order_that_is_not_obeyed_is_told_within_a_few_looks_and_once() {
    let mut sim = Sim::new(1, 2, Durations::real());
    let name: drydock_model::ids::ClusterName = "hospital-north".parse().unwrap();
    let told = |sim: &Sim| -> Vec<String> {
        let commits = sim.branch.commits();
        let said = commits.iter().filter_map(|commit| match &commit.write {
            BranchWrite::Entry { record, .. } => {
                record.report.blocked_by.last().filter(|why| why.contains("not sent") || why.contains("without an answer"))
            }
            _ => None,
        });
        said.cloned().collect()
    };
    while sim.branch.ledger(&name).is_none_or(|ledger| ledger.open.is_none()) {
        sim.turn();
    }
    for _ in 0..6 {
        sim.with(|lab| lab.plan(drydock_lab::Planned::now(drydock_lab::Fault::DroppedOrder, name.clone(), None)));
        sim.with(|lab| lab.plan(drydock_lab::Planned::now(drydock_lab::Fault::DroppedOrder, name.clone(), None)));
        sim.turn();
    }
    assert_eq!(told(&sim).len(), 1, "{}\n{:?}", sim.story.join("\n"), told(&sim));
    assert_eq!(sim.run(20_000), Ended::Converged, "{}", sim.story.join("\n"));
}

#[test]
fn an_order_that_takes_turns_with_a_hold_is_not_told_each_time() {
    let mut sim = Sim::new(1, 2, Durations::real());
    let name: drydock_model::ids::ClusterName = "hospital-north".parse().unwrap();
    let returning = |sim: &Sim| {
        let open = sim.branch.ledger(&name).and_then(|ledger| ledger.open.clone());
        open.filter(|intent| intent.step == drydock_model::step::Step::Return).map(|intent| intent.node.name)
    };
    let node = loop {
        match returning(&sim) {
            Some(node) => break node,
            None => sim.turn(),
        };
    };
    let (begun, commits) = (sim.now(), sim.branch.commits().len());
    while sim.now().since(begun) < Millis::hours(3) {
        sim.with(|lab| lab.plan(drydock_lab::Planned::now(drydock_lab::Fault::DroppedOrder, name.clone(), Some(node.clone()))));
        sim.turn();
    }
    assert_eq!(returning(&sim), Some(node), "{}", sim.story.join("\n"));
    let wrote = sim.branch.commits().len() - commits;
    assert!(wrote <= 8, "{wrote} entries in three hours: {}", sim.story.join("\n"));
}

/// What a watcher can do to the life that it watches.
struct Reach {
    stop: tokio::sync::watch::Sender<bool>,
    source: SimSource,
}

/// A controller that tends one cluster, told of each plan.
fn life(watcher: impl Fn(&Wanted, &Reach) + Send + Sync + 'static) -> End {
    life_with(None, watcher)
}

fn fleet(of: &[Arc<Wanted>]) -> Fleet {
    let clusters: BTreeMap<_, _> = of.iter().map(|wanted| (wanted.desired.cluster.clone(), Arc::clone(wanted))).collect();
    Fleet { revision: record("c", Vec::new(), BEGIN).wanted.revision.clone(), clusters, problems: Vec::new(), refused: None }
}

/// The same, of a cluster that is suspended at first.
fn life_with(suspend: Option<Suspend>, watcher: impl Fn(&Wanted, &Reach) + Send + Sync + 'static) -> End {
    let lab = Arc::new(Mutex::new(Lab::new(1, BEGIN, Durations::real())));
    let clock = SimClock::new(Arc::clone(&lab), Sleep::Drives, 1);
    let wanted = record("c", Vec::new(), BEGIN).wanted;
    let desired = Arc::new(Desired { suspend, ..(*wanted.desired).clone() });
    let source = SimSource::new(fleet(&[Arc::new(Wanted { desired, ..(*wanted).clone() })]));
    let world = SimWorld {
        source: source.clone(),
        store: Arc::new(SimStore::new(Branch::new(), "north", clock.clone())),
        clusters: SimClusters::new(lab, clock.clone()),
        clock,
    };
    let (stop, told) = tokio::sync::watch::channel(false);
    let reach = Reach { stop, source };
    let options = Options {
        mode: Mode::Act,
        take_over: TakeOver::No,
        probes: 1,
        pacing: Pacing::default(),
        poll: Millis::minutes(1),
        stop_file: Arc::new(|| None),
        watcher: Arc::new(move |wanted, _| watcher(wanted, &reach)),
    };
    // The sleeps of this clock take no time and give nobody a turn: the cluster's task has a thread of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    runtime.block_on(run(Arc::new(world), options, told))
}

#[test]
fn a_cluster_whose_task_breaks_off_is_begun_anew() {
    let looks = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&looks);
    let ended = life(move |_, reach| {
        let look = {
            let mut looks = counted.lock().unwrap();
            *looks += 1;
            *looks
        };
        assert!(look > 2, "a fault at look {look}");
        reach.stop.send_replace(true);
    });
    assert_eq!((ended, *looks.lock().unwrap()), (End::Stopped { unpushed: None }, 3));
}

#[test]
fn a_cluster_whose_task_is_broken_off_is_named_at_the_end() {
    let ended = life(|wanted, reach| {
        reach.stop.send_replace(true);
        panic!("a fault while {} is looked at", wanted.path);
    });
    assert!(matches!(&ended, End::Fault(what) if what.starts_with("c: ") && what.contains("panicked")), "{ended:?}");
}

#[test]
fn a_cluster_that_the_fleet_speaks_of_no_more_stays_suspended_without_end() {
    let suspend = |reason: &str, until| Some(Suspend { reason: reason.to_owned(), until });
    let gone = suspend("the fleet does not speak of it any more", None);
    let endless = suspend("a freeze", None);
    for (at_first, at_last) in
        [(None, gone.clone()), (suspend("a freeze", Some(BEGIN + Millis::hours(1))), gone), (endless.clone(), endless)]
    {
        let seen = Arc::new(Mutex::new(vec![at_first.clone()]));
        let (noted, last) = (Arc::clone(&seen), at_last.clone());
        let looks = Mutex::new(0);
        let ended = life_with(at_first, move |wanted, reach| {
            reach.source.set(Ok(fleet(&[])));
            let (mut seen, mut looks) = (noted.lock().unwrap(), looks.lock().unwrap());
            if seen.last() != Some(&wanted.desired.suspend) {
                seen.push(wanted.desired.suspend.clone());
            }
            *looks += 1;
            // Some looks more than the news needs: it is not taken back.
            reach.stop.send_replace(*looks > 200 && seen.last() == Some(&last) || *looks > 100_000);
        });
        assert_eq!(ended, End::Stopped { unpushed: None });
        let seen = seen.lock().unwrap();
        assert!(seen.last() == Some(&at_last) && seen.len() <= 2, "{seen:?}");
    }
}

/// The whole way, in the lab: the stop file stands there for minutes, and the point of no return is crossed all the same.
#[test]
fn nothing_is_committed_after_a_stop_file_was_seen() {
    let mut late = Vec::new();
    for seed in 0..6 {
        let mut sim = Sim::quick(seed);
        let opened = |d: &Decision| matches!(d, Decision::Open(i) if i.step == Step::Restart);
        assert!(sim.until_decides(20_000, opened).is_some(), "{}", sim.story.join("\n"));
        let open = sim.ledger().open.expect("fine");
        let node = open.node.name.clone();
        let accepted = |s: &Sim| s.memory(&node).and_then(|m| m.consumed).is_some_and(|c| c.place == open.entry.place);
        assert!(sim.until(50, accepted), "{}", sim.story.join("\n"));
        // What the node's own task asks of its cluster is not answered for eight minutes; so it does not commit yet.
        let planned = Planned::now(Fault::QuestionsFail, sim.cluster(), Some(node.clone()));
        assert!(sim.with(|lab| lab.plan(Planned { lasting: Some(Millis::minutes(8)), ..planned })).is_some());
        assert_eq!(sim.count(&node, "committed"), 0, "seed {seed}");
        sim.stop = Some("smoke in the rack".to_owned());
        let before = sim.story.len();
        sim.laps_for(Millis::hours(2));
        if sim.count(&node, "committed") > 0 {
            late.push(format!("seed {seed}: {}", sim.story[before..].join("\n  ")));
        }
    }
    assert!(late.is_empty(), "committed after the stop file:\n{}", late.join("\n"));
}

/// The whole way: N0x is taken out of the file while its Install is written and not sent, and the controller dies in that moment.
#[test]
fn a_node_that_the_file_names_no_longer_is_not_left_out_by_a_controller_that_starts_anew() {
    for step in [Step::Vacate, Step::Install, Step::Restart] {
        let mut sim = Sim::quick(5);
        let opened = |d: &Decision| matches!(d, Decision::Open(i) if i.step == step && i.purpose == Purpose::Upgrade);
        assert!(sim.until_decides(20_000, opened).is_some(), "{}", sim.story.join("\n"));
        let node = sim.ledger().open.expect("fine").node.name;
        sim.merge("bbbb", |d| d.nodes.retain(|n| *n != node));
        sim.kill(0, 77);
        let before = sim.story.len();
        sim.laps_for(Millis::hours(24));
        assert_eq!(
            (sim.away(), sim.ledger().out),
            (Vec::new(), None),
            "{step} of {node}, a day later:\n{}",
            sim.story[before..].join("\n")
        );
    }
}
