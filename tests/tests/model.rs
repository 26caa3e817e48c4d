//! Model check: every state that four nodes and their controllers can come to, breadth first, with the real planner and the nodes' real admission.
//!
//! What is abstracted away: time (a lap is early or late, where late is later than every patience of the planner and earlier than the bounds of steps;
//! windows are always open; orders in flight never become too old, which is harsher than rule 11), drains (immediate), the registry pass (done before the
//! beginning; a replaced machine goes through it), roles and capacity, signatures, the moments inside a script (a script is performed whole or not at
//! all), more than two orders in flight, and numbers (entries, claims and boots are renamed so that equal situations are one state). Faults are bounded:
//! each run says how many. A controller that sleeps before it writes, an order that lies about or comes twice (which is what a controller does that sleeps
//! before it sends), a commit whose restart the quorum does not bear, another controller's claim, a lost entry, a lost branch, a crash, a rollback, a
//! forgotten memory, a replaced machine, a failed worker and a person's pause or resume are the faults; persons heed holds as the holds say.
//!
//! `DRYDOCK_MODEL_FAULTS=N` runs the run with both guards at N faults and not the usual ones.

use drydock_tests::abstraction::{Model, NODES, Settings, World};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

/// States at most: one that is bigger has lost its abstraction.
const STATES: usize = 4_000_000;

/// What a search found.
struct Found {
    states: usize,
    ways: usize,
    goals: usize,
    /// Laws that were broken, with the shortest way there.
    broken: BTreeMap<String, Vec<String>>,
    /// States without a fault-free way to the goal, the first one with its way.
    lost: usize,
    lost_way: Vec<String>,
}

fn hash(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

fn search(settings: Settings) -> Found {
    let model = Model::new(settings);
    let beginning = model.beginning();
    let mut index = BTreeMap::from([(hash(&beginning), 0_usize)]);
    let mut came: Vec<(usize, String)> = vec![(0, String::new())];
    let mut back: Vec<Vec<u32>> = vec![Vec::new()];
    let mut goals = Vec::new();
    let mut queue = VecDeque::from([(0_usize, beginning)]);
    let mut found = Found { states: 0, ways: 0, goals: 0, broken: BTreeMap::new(), lost: 0, lost_way: Vec::new() };
    while let Some((from, world)) = queue.pop_front() {
        if model.reached(&world) {
            goals.push(from);
        }
        for way in model.ways(&world) {
            found.ways += 1;
            for law in &way.broken {
                let kind = law.trim_start_matches("plan: ").split(':').next().unwrap_or("").to_owned();
                let trace = || [path(&came, from), vec![format!("{} => {law}", way.name)]].concat();
                found.broken.entry(kind).or_insert_with(trace);
            }
            if !way.broken.is_empty() {
                continue;
            }
            let next = came.len();
            let to = *index.entry(hash(&way.to)).or_insert(next);
            if to == next {
                came.push((from, way.name.clone()));
                back.push(Vec::new());
                queue.push_back((to, way.to));
                assert!(came.len() <= STATES, "more than {STATES} states");
            }
            if !way.fault {
                back[to].push(u32::try_from(from).unwrap());
            }
        }
    }
    found.states = came.len();
    found.goals = goals.len();
    let mut leads = vec![false; came.len()];
    let mut stack = goals;
    stack.iter().for_each(|goal| leads[*goal] = true);
    while let Some(state) = stack.pop() {
        for from in &back[state] {
            if !std::mem::replace(&mut leads[*from as usize], true) {
                stack.push(*from as usize);
            }
        }
    }
    let lost: Vec<usize> = (0..came.len()).filter(|state| !leads[*state]).collect();
    found.lost = lost.len();
    found.lost_way = lost.first().map(|state| path(&came, *state)).unwrap_or_default();
    found
}

fn path(came: &[(usize, String)], mut state: usize) -> Vec<String> {
    let mut path = Vec::new();
    while state != 0 {
        path.push(came[state].1.clone());
        state = came[state].0;
    }
    path.reverse();
    path
}

fn told(name: &str, found: &Found) -> String {
    let laws: BTreeSet<&str> = found.broken.keys().map(String::as_str).collect();
    format!(
        "{name}: {} states, {} ways, {} goals, broken {laws:?}, {} states without a way to the goal",
        found.states, found.ways, found.goals, found.lost
    )
}

fn faults() -> Option<u8> {
    std::env::var("DRYDOCK_MODEL_FAULTS").ok().map(|text| text.parse().expect("a number of faults"))
}

/// Every law holds on every way, and every state leads to the goal.
fn holds(name: &str, settings: Settings) {
    let found = search(settings);
    println!("{}", told(name, &found));
    let broken: Vec<String> = found.broken.values().map(|way| way.join("\n")).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
    assert!(found.goals > 0);
    assert_eq!(found.lost, 0, "no way to the goal from:\n{}", found.lost_way.join("\n"));
}

#[test]
fn with_both_guards_every_law_holds_and_every_state_leads_to_the_goal() {
    let faults = faults().unwrap_or(1);
    holds(
        &format!("both guards, four nodes to do, {faults} faults"),
        Settings { node_guards: true, planner_guards: true, faults, upgraded: 0 },
    );
}

#[test]
fn two_faults_at_the_last_node_break_nothing() {
    holds(
        "both guards, the last node to do, 2 faults",
        Settings { node_guards: true, planner_guards: true, faults: 2, upgraded: NODES - 1 },
    );
}

#[test]
fn the_planner_alone_needs_the_nodes_against_late_and_repeated_orders() {
    let found = search(Settings { node_guards: false, planner_guards: true, faults: 1, upgraded: 0 });
    println!("{}", told("planner alone, four nodes to do, 1 fault", &found));
    let laws: Vec<&str> = found.broken.keys().map(String::as_str).collect();
    assert_eq!(laws, ["S1", "S2", "S5", "S9"]);
}

#[test]
fn the_nodes_alone_break_no_law_but_do_not_arrive_everywhere() {
    let found = search(Settings { node_guards: true, planner_guards: false, faults: 1, upgraded: 0 });
    println!("{}", told("node guards alone, four nodes to do, 1 fault", &found));
    assert!(found.broken.is_empty(), "{:?}", found.broken);
    assert!(found.lost > 0, "a planner that does not look gets stuck somewhere");
}
