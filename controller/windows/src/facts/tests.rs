//! Answers as they come over the wire, and what is made of them.

use super::{cluster, node, room, through};
use drydock_model::fact::{Fact, Gap};
use drydock_model::ids::NodeName;
use drydock_model::observed::{DiskState, JobState, MemberState, NodeFacts, Phase, Witness, WorkerState};
use drydock_model::time::{Span, Timestamp};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn seen() -> Span {
    Span { from: Timestamp(1_000), to: Timestamp(2_000) }
}

/// A node that is out and stages an installation.
fn answer() -> Value {
    json!({
        "identity": {"ok": true, "value": {"name": "N01", "machine": "4c4c4544-0042-3510-8056-b4c04f564433", "cluster": "1c0e4c57-3bd6-4ba2-a2ad-5f0cb8e1e0a1", "node": "1"}},
        "boot": {"ok": true, "value": {"id": "9f2c", "upMs": 86_400_000}},
        "clock": {"ok": true, "value": "2026-11-23T18:00:00.123Z"},
        "build": {"ok": true, "value": {"build": 20349, "revision": 3692}},
        "memory": {"ok": true, "value": {
            "fence": "3.ab12/8", "consumed": {"place": "3.ab12/6", "digest": "00ff", "phase": "Started"},
            "marker": {"vacate": "3.ab12/1", "state": "Suspended"}, "commit": null, "cancelled": null,
            "registryWritten": "8e1b", "stop": null}},
        "registry": {"ok": true, "value": {"refsEnableMetadataValidation": 0, "skipSmallLocalAllocations": null}},
        "worker": {"ok": true, "value": {"place": "3.ab12/6", "target": "23H2 (25398.1611 or later)", "attempt": 1, "state": "Staging", "percent": 40, "code": 0, "doing": "installing", "alive": true}},
        "setup": {"ok": true, "value": {"running": true, "pending": false}},
        "service": {"ok": true, "value": "Running"},
        "view": {"ok": true, "value": {
            "cluster": "1c0e4c57-3bd6-4ba2-a2ad-5f0cb8e1e0a1",
            "members": [
                {"name": "N01", "state": "Paused", "drain": "Completed", "information": "DrainCompleted", "dynamicWeight": 1, "roles": 0},
                {"name": "N02", "state": "Up", "drain": "NotInitiated", "information": "Normal", "dynamicWeight": 1, "roles": 7}],
            "witness": {"kind": "Online", "dynamicWeight": 1}}},
        "room": {"ok": true, "value": {"freeMib": 65_536, "rolesMib": [4_096, 8_192]}},
        "diskFree": {"ok": true, "value": 64_424_509_440_u64},
    })
}

fn storage() -> Value {
    json!({
        "disks": {"ok": true, "value": [
            {"name": "Volume01", "health": "Warning", "operational": ["Degraded", "Incomplete"]},
            {"name": "Volume02", "health": "Warning", "operational": ["In Service"]},
            {"name": "Volume03", "health": "Healthy", "operational": ["Suboptimal"]}]},
        "jobs": {"ok": true, "value": [{"name": "Volume02-Repair", "state": "Running", "percent": 65}]},
        "drives": {"ok": true, "value": [{"node": "N01", "total": 4, "good": 0, "maintenance": 4}, {"node": "N02", "total": 4, "good": 4, "maintenance": 0}]},
        "pool": {"ok": true, "value": {"health": "Healthy", "operational": ["OK"], "readOnly": false, "version": 28}},
    })
}

fn of_cluster() -> Value {
    json!({
        "level": {"ok": true, "value": {"functional": 11, "upgrade": 32_773}},
        "solution": {"ok": true, "value": {"present": false}},
        "sites": {"ok": true, "value": 0},
        "wouldLoseQuorum": {"ok": true, "value": ["N02"]},
        "groups": {"ok": true, "value": []},
    })
}

fn n(text: &str) -> NodeName {
    text.parse().unwrap()
}

#[test]
fn a_nodes_answer_becomes_its_facts() {
    let facts = node(&answer(), seen());
    let memory = facts.memory.known().unwrap();
    assert_eq!(memory.fence.as_ref().unwrap().to_string(), "3.ab12/8");
    assert_eq!(memory.consumed.as_ref().unwrap().phase, Phase::Started);
    assert_eq!(facts.clock.known(), Some(&Timestamp(1_795_456_800_123)));
    assert_eq!(facts.build.known().unwrap().to_string(), "20349.3692");
    assert_eq!(facts.worker.known().unwrap().as_ref().unwrap().state, WorkerState::Staging(40));
    assert_eq!(facts.registry.known().unwrap().skip_small_local_allocations, None);
    let view = facts.view.known().unwrap();
    assert_eq!((view.members[&n("N01")].state, view.witness), (MemberState::Paused, Witness::Online { vote: true }));
    assert_eq!(facts.disk_free.seen(), Some(seen()));
    assert_eq!(room(&answer(), seen()).known().unwrap().roles_mib, [4_096, 8_192]);
}

#[test]
fn every_word_for_what_hindered_a_restart_is_understood() {
    let library = include_str!("../../scripts/lib-memory.ps1");
    let words = library.lines().find_map(|line| line.strip_prefix("function Get-Hindrances { ")).unwrap();
    let words: Vec<&str> = words.trim_end_matches([' ', '}']).split(", ").map(|word| word.trim_matches('\'')).collect();
    assert_eq!(words.len(), 10, "{words:?}");
    for word in words {
        let mut answer = answer();
        answer["memory"]["value"]["consumed"]["phase"] = json!(format!("Unmet{word}"));
        let phase = node(&answer, seen()).memory.known().unwrap().consumed.as_ref().unwrap().phase;
        assert_eq!(format!("{phase:?}"), format!("Unmet({word})"));
    }
}

#[test]
fn a_clusters_answers_become_its_facts() {
    let rooms = BTreeMap::from([(n("N01"), room(&answer(), seen()))]);
    let facts = cluster(n("N02"), Ok(&of_cluster()), Ok(&storage()), &rooms, seen());
    let storage = facts.storage.known().unwrap();
    let states: Vec<DiskState> = storage.disks.values().copied().collect();
    assert_eq!(states, [DiskState::Degraded, DiskState::Repairing, DiskState::Healthy]);
    assert_eq!((storage.jobs[0].state, storage.pool_healthy), (JobState::Running, true));
    assert_eq!(facts.level.known().unwrap().upgrade, 32_773);
    assert_eq!(facts.would_lose_quorum.known().unwrap().len(), 1);
    assert_eq!(facts.capacity.known().unwrap().nodes[&n("N01")].free_mib, 65_536);
}

/// Every known part of a node's facts, by name, or its gap.
fn told(facts: &NodeFacts) -> String {
    fn one<T>(name: &str, fact: &Fact<T>) -> String {
        match fact {
            Fact::Known { .. } => format!("{name}: known\n"),
            Fact::Unknown(gap) => format!("{name}: {gap}\n"),
        }
    }
    [
        one("identity", &facts.id),
        one("boot", &facts.boot),
        one("clock", &facts.clock),
        one("build", &facts.build),
        one("memory", &facts.memory),
        one("registry", &facts.registry),
        one("worker", &facts.worker),
        one("setup", &facts.setup),
        one("service", &facts.service),
        one("view", &facts.view),
        one("diskFree", &facts.disk_free),
    ]
    .concat()
}

fn check(change: impl Fn(&mut Value), expect: &Expect) {
    let mut answer = answer();
    change(&mut answer);
    let (before, after) = (told(&node(&self::answer(), seen())), told(&node(&answer, seen())));
    let changed: Vec<&str> = before.lines().zip(after.lines()).filter(|(a, b)| a != b).map(|(_, b)| b).collect();
    expect.assert_eq(&changed.join("\n"));
}

#[test]
fn a_part_that_is_missing_or_failed_is_a_gap_and_takes_no_other_with_it() {
    check(|a| drop(a.as_object_mut().unwrap().remove("build")), &expect!["build: answer lacks build"]);
    check(|a| a["memory"] = json!({"ok": false, "gap": "AccessDenied"}), &expect!["memory: access denied"]);
    check(|a| a["view"] = json!({"ok": false, "gap": "ClusterServiceStopped"}), &expect!["view: cluster service not running"]);
    check(|a| a["view"] = json!({"ok": false, "gap": "NotThere"}), &expect!["view: answer lacks view"]);
    check(
        |a| a["view"] = json!({"ok": false, "gap": "Failed", "id": "Some\u{1b}Id,GetCluster"}),
        &expect!["view: could not be read: view (SomeId,GetCluster)"],
    );
    check(
        |a| {
            a["worker"] =
                json!({"ok": false, "gap": "Failed", "id": "DrydockDamagedState", "message": "C:\\P\\state.json does not read\u{1b}"})
        },
        &expect![[r#"worker: damaged, and a person must look at it (DD0617): C:\P\state.json does not read"#]],
    );
    check(
        |a| a["memory"] = json!({"ok": false, "gap": "Failed", "id": "DrydockDamagedMemory", "message": "Fence is 'hunter2'"}),
        &expect![[r#"memory: damaged, and a person must look at it (DD0617): a value below HKLM:\SOFTWARE\Drydock"#]],
    );
    check(|a| a["setup"] = json!("yes"), &expect!["setup: answer not understood at setup"]);
    check(|a| a["setup"] = json!({"ok": true}), &expect!["setup: answer not understood at setup"]);
}

#[test]
fn a_value_that_is_not_understood_is_named_by_its_place() {
    let in_members = |name: &'static str, value: Value| move |a: &mut Value| a["view"]["value"]["members"][1][name] = value.clone();
    check(|a| a["identity"]["value"]["name"] = json!("N01;x"), &expect!["identity: answer not understood at identity.name"]);
    check(|a| a["boot"]["value"]["upMs"] = json!(-1), &expect!["boot: answer not understood at boot.upMs"]);
    check(|a| a["boot"]["value"]["upMs"] = json!(1.5), &expect!["boot: answer not understood at boot.upMs"]);
    check(|a| a["clock"]["value"] = json!("yesterday"), &expect!["clock: answer not understood at clock"]);
    check(|a| a["memory"]["value"]["fence"] = json!("3/8"), &expect!["memory: answer not understood at memory.fence"]);
    check(
        |a| a["memory"]["value"]["stop"] = json!({"who": 1, "when": "", "why": ""}),
        &expect!["memory: answer not understood at memory.stop.who"],
    );
    check(|a| drop(a["memory"]["value"].as_object_mut().unwrap().remove("stop")), &expect!["memory: answer lacks memory.stop"]);
    check(|a| a["worker"]["value"]["state"] = json!("Done"), &expect!["worker: answer not understood at worker.state"]);
    check(|a| a["worker"]["value"]["target"] = json!("25H2"), &expect!["worker: answer not understood at worker.target"]);
    check(in_members("state", json!("Sleeping")), &expect!["view: answer not understood at view.members[1].state"]);
    check(in_members("name", json!("N01")), &expect!["view: answer not understood at view.members[1].name"]);
    check(|a| a["view"]["value"]["members"] = json!([]), &expect!["view: answer not understood at view.members"]);
    check(|a| a["diskFree"]["value"] = json!("64 GB"), &expect!["diskFree: answer not understood at diskFree"]);
}

#[test]
fn a_build_that_could_not_be_read_again_from_status_is_not_understood() {
    check(|a| a["build"]["value"]["build"] = json!(2_090_349), &expect!["build: answer not understood at build"]);
    check(|a| a["build"]["value"]["revision"] = json!(u32::MAX), &expect!["build: answer not understood at build"]);
    check(|a| a["build"]["value"] = json!({"build": 999_999, "revision": 0}), &expect![""]);
}

#[test]
fn flags_that_nobody_here_knows_count_as_impaired() {
    let impaired = |text: &str| {
        let mut answer = answer();
        answer["view"]["value"]["members"][1]["information"] = json!(text);
        node(&answer, seen()).view.known().unwrap().members[&n("N02")].impaired
    };
    for healthy in ["Normal", "DrainInProgress", "DrainCompleted, AvoidPlacement", "0", "44"] {
        assert!(!impaired(healthy), "{healthy}");
    }
    for bad in ["Isolated", "Quarantined, DrainFailed", "1", "2", "64", "Unknown", "Evaporated", ""] {
        assert!(impaired(bad), "{bad}");
    }
}

#[test]
fn storage_is_known_as_a_whole_or_not_at_all() {
    let storage_of = |change: &dyn Fn(&mut Value)| {
        let mut storage = storage();
        change(&mut storage);
        cluster(n("N02"), Ok(&of_cluster()), Ok(&storage), &BTreeMap::new(), seen()).storage
    };
    let gap = |change: &dyn Fn(&mut Value)| storage_of(change).gap().unwrap().to_string();
    assert_eq!(gap(&|s| s["jobs"] = json!({"ok": false, "gap": "AccessDenied"})), "access denied");
    assert_eq!(gap(&|s| s["jobs"]["value"][0]["state"] = json!("13")), "answer not understood at jobs[0].state");
    assert_eq!(gap(&|s| s["drives"]["value"][1]["node"] = json!("n01")), "answer not understood at drives[1].node");
    let healthy = |words: Value, health: &str| {
        storage_of(&|s| s["disks"]["value"] = json!([{"name": "V", "health": health, "operational": words}])).known().unwrap().disks["V"]
    };
    assert_eq!(healthy(json!(["OK"]), "Healthy"), DiskState::Healthy);
    assert_eq!(healthy(json!([]), "Healthy"), DiskState::Other);
    assert_eq!(healthy(json!(["OK"]), "Warning"), DiskState::Other);
    assert_eq!(healthy(json!(["OK", "No Redundancy"]), "Unhealthy"), DiskState::NoRedundancy);
    assert_eq!(healthy(json!(["InService", "Detached"]), "Unknown"), DiskState::Detached);
    let pool = |change: &dyn Fn(&mut Value)| storage_of(change).known().unwrap().pool_healthy;
    assert!(!pool(&|s| s["pool"]["value"]["readOnly"] = json!(true)));
    assert!(!pool(&|s| s["pool"]["value"]["operational"] = json!(["Read-only"])));
}

#[test]
fn numbers_of_drives_that_no_pool_has_are_not_understood_and_never_added_up() {
    for name in ["total", "good", "maintenance"] {
        let mut storage = storage();
        storage["drives"]["value"][1][name] = json!(u32::MAX);
        let facts = cluster(n("N02"), Ok(&of_cluster()), Ok(&storage), &BTreeMap::new(), seen());
        assert_eq!(facts.storage.gap().unwrap().to_string(), format!("answer not understood at drives[1].{name}"));
    }
}

#[test]
fn what_nodes_say_at_most_stays_below_what_status_is_read_with() {
    let name = |n: usize| format!("NODE-{n:010}");
    let long = "\u{1f600}".repeat(300);
    let mut most = answer();
    let member = json!({"name": "", "state": "Unknown", "drain": "NotInitiated", "information": "Quarantined", "dynamicWeight": 1, "roles": u32::MAX});
    let members = (0..64).map(|n| {
        let mut member = member.clone();
        member["name"] = json!(name(n));
        member
    });
    most["view"]["value"]["members"] = members.collect();
    most["room"]["value"]["rolesMib"] = json!(vec![u64::MAX; 1_024]);
    most["memory"]["value"]["stop"] = json!({"who": long, "when": long, "why": long});
    most["worker"]["value"]["doing"] = json!(long);
    let facts = node(&most, seen());
    assert!(facts.view.known().is_some() && facts.memory.known().is_some() && facts.worker.known().is_some());
    // Sixteen nodes' own facts, and below those of the cluster; as YAML they are no longer than twice their JSON.
    let own = serde_json::to_string(&facts).unwrap().len() + serde_json::to_string(&room(&most, seen())).unwrap().len();
    let mut storage = storage();
    let names: Vec<String> = (0..512).map(|n| format!("{n:x>64}")).collect();
    storage["disks"]["value"] = names.iter().map(|name| json!({"name": name, "health": "Healthy", "operational": ["OK"]})).collect();
    storage["jobs"]["value"] = names.iter().map(|name| json!({"name": name, "state": "Suspended", "percent": 100})).collect();
    let drives = json!({"total": 4_096, "good": 4_096, "maintenance": 4_096});
    let drives_of = |n: usize| {
        let mut drives = drives.clone();
        drives["node"] = json!(name(n));
        drives
    };
    storage["drives"]["value"] = (0..64).map(drives_of).collect();
    let mut of_all = of_cluster();
    of_all["wouldLoseQuorum"]["value"] = (0..64).map(name).collect();
    let facts = cluster(n("N02"), Ok(&of_all), Ok(&storage), &BTreeMap::new(), seen());
    assert!(facts.storage.known().is_some() && facts.would_lose_quorum.known().is_some());
    let shared = serde_json::to_string(&facts).unwrap().len();
    assert!((16 * own + shared) * 2 < 2 << 20, "{own} for each node, {shared} for the cluster");
    // One more, or longer, and it is not understood.
    let more = |part: &str, list: &str| {
        let mut answer = json!({"view": most["view"], "room": most["room"], "disks": storage["disks"], "jobs": storage["jobs"], "drives": storage["drives"],
            "pool": storage["pool"], "level": of_all["level"], "wouldLoseQuorum": of_all["wouldLoseQuorum"]});
        let at = if list.is_empty() { &mut answer[part]["value"] } else { &mut answer[part]["value"][list] };
        let items = at.as_array_mut().unwrap();
        let last = items.last().unwrap().clone();
        items.push(last);
        let of_all = cluster(n("N02"), Ok(&answer), Ok(&answer), &BTreeMap::new(), seen());
        let gaps = [
            node(&answer, seen()).view.gap().cloned(),
            room(&answer, seen()).gap().cloned(),
            of_all.storage.gap().cloned(),
            of_all.would_lose_quorum.gap().cloned(),
        ];
        gaps.into_iter().flatten().map(|gap| gap.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(more("view", "members"), "answer not understood at view.members");
    assert_eq!(more("room", "rolesMib"), "answer not understood at room.rolesMib");
    for part in ["disks", "jobs", "drives", "wouldLoseQuorum"] {
        assert_eq!(more(part, ""), format!("answer not understood at {part}"));
    }
    for part in ["disks", "jobs"] {
        let mut longer = storage.clone();
        longer[part]["value"][0]["name"] = json!("y".repeat(65));
        let facts = cluster(n("N02"), Ok(&of_all), Ok(&longer), &BTreeMap::new(), seen());
        assert_eq!(facts.storage.gap().unwrap().to_string(), format!("answer not understood at {part}"));
    }
}

#[test]
fn the_worse_of_two_disks_of_one_name_counts() {
    let mut storage = storage();
    storage["disks"]["value"] = json!([
        {"name": "V", "health": "Unhealthy", "operational": ["No Redundancy"]},
        {"name": "V", "health": "Healthy", "operational": ["OK"]}]);
    let facts = cluster(n("N02"), Ok(&of_cluster()), Ok(&storage), &BTreeMap::new(), seen());
    assert_eq!(facts.storage.known().unwrap().disks["V"], DiskState::NoRedundancy);
}

#[test]
fn room_is_unknown_while_one_node_does_not_tell_its_own() {
    let rooms = BTreeMap::from([(n("N01"), room(&answer(), seen())), (n("N02"), Fact::Unknown(Gap::TimedOut))]);
    let facts = cluster(n("N01"), Err(&Gap::TimedOut), Err(&Gap::AccessDenied), &rooms, seen());
    assert_eq!(facts.capacity.gap(), Some(&Gap::TimedOut));
    assert_eq!((facts.level.gap(), facts.storage.gap()), (Some(&Gap::TimedOut), Some(&Gap::AccessDenied)));
}

#[test]
fn the_cluster_is_asked_through_an_upgraded_node_that_has_joined() {
    let facts = |name: &str, build: u32, state: &str| {
        let mut a = answer();
        a["identity"]["value"]["name"] = json!(name);
        a["build"]["value"]["build"] = json!(build);
        a["view"]["value"]["members"] =
            json!([{"name": name, "state": state, "drain": "NotInitiated", "information": "Normal", "dynamicWeight": 1, "roles": 0}]);
        (n(name), node(&a, seen()))
    };
    let ask = |all: Vec<(NodeName, NodeFacts)>| through(&all.into_iter().collect()).map(|name| name.to_string());
    assert_eq!(ask(vec![facts("N01", 20349, "Up"), facts("N02", 20349, "Up")]).as_deref(), Some("N01"));
    assert_eq!(ask(vec![facts("N01", 20349, "Up"), facts("N02", 25398, "Paused")]).as_deref(), Some("N02"));
    assert_eq!(ask(vec![facts("N01", 20349, "Up"), facts("N02", 25398, "Joining")]).as_deref(), Some("N01"));
    assert_eq!(ask(vec![facts("N01", 20349, "Down")]), None);
    assert_eq!(ask(vec![(n("N01"), NodeFacts::unknown(&Gap::Unreachable))]), None);
}
