//! Rules 10 to 12: what a node remembers, and when it refuses.

use drydock_model::observed::Marker;
use drydock_model::order::{Act, Expect, MarkerExpected, Order, Receipt, StorageExpected, Unmet};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use drydock_tests::hand::claim;
use drydock_tests::node::StubCluster;
use serde_json::{Value, json};

fn refused(why: Unmet) -> Receipt {
    Receipt::Refused(why)
}

#[test]
fn rule_10_the_same_order_sent_twice_is_performed_once() {
    let Some(mut c) = StubCluster::lease(10) else { return };
    let order = c.order("N01", Step::Vacate);
    assert_eq!(c.send(&order), Receipt::Started);
    assert_eq!(c.send(&order), Receipt::AlreadyConsumed);
    let later = Order { not_after: order.not_after.map(|limit| limit.plus(Millis::minutes(9))), expect: Expect::NOTHING, ..order };
    assert_eq!(c.send(&later), Receipt::AlreadyConsumed, "limit and expectations differ between two sends");
    assert_eq!(c.count("N01", "Suspended"), 1);
}

#[test]
fn rule_10_an_order_changed_on_its_way_is_refused() {
    let Some(mut c) = StubCluster::lease(10) else { return };
    let before = c.memory("N01");
    let mut order = c.bare("N01", Step::WriteRegistry);
    if let Act::Step(work) = &mut order.act {
        work.attempt += 1;
    }
    assert_eq!(c.send(&order), refused(Unmet::Garbled));
    let mut moved = c.bare("N01", Step::WriteRegistry);
    moved.entry.place.seq += 1;
    assert_eq!(c.send(&moved), refused(Unmet::Garbled));
    assert_eq!(c.memory("N01"), before);
}

#[test]
fn rule_10_the_node_computes_the_digest_of_a_target_with_a_floor_as_the_controller_does() {
    let Some(mut c) = StubCluster::lease(10) else { return };
    let plain = c.bare("N01", Step::WriteRegistry);
    let mut work = c.work(Step::WriteRegistry);
    work.target = "23H2 (25398.1611 or later)".parse().expect("a target");
    work.attempt = 250;
    let (Some(boot), Some(limit)) = (plain.boot, plain.not_after) else { panic!("a step") };
    let order = Order::step(plain.entry, plain.node, work, Expect::NOTHING, boot, limit);
    assert_eq!(c.send(&order), Receipt::Applied);
    assert_eq!(c.memory("N01")["consumed"]["digest"], order.digest.as_str());
}

#[test]
fn rule_11_an_order_older_than_the_fence_is_refused() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let order = c.bare("N01", Step::Vacate);
    let fence = c.fence("N01", None);
    assert_eq!(c.send(&fence), Receipt::Applied);
    assert_eq!(c.send(&order), Receipt::Fenced { newer: fence.entry.place });
    assert_eq!(c.count("N01", "Suspended"), 0);
    assert_eq!(c.memory("N01")["consumed"], Value::Null);
}

#[test]
fn rule_11_of_two_claims_with_one_number_a_node_hears_the_first() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let ours = c.fence("N01", None);
    assert_eq!(c.send(&ours), Receipt::Applied);
    c.epoch = claim(1, "ef");
    let theirs = c.bare("N01", Step::Vacate);
    assert_eq!(c.send(&theirs), refused(Unmet::OtherClaim));
    c.epoch = claim(2, "ef");
    let next = c.bare("N01", Step::Vacate);
    assert_eq!(c.send(&next), Receipt::Started, "a higher number is heard");
}

#[test]
fn rule_11_an_entry_has_one_meaning() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let order = c.bare("N01", Step::WriteRegistry);
    assert_eq!(c.send(&order), Receipt::Applied);
    let other = c.instead(&order, Step::Vacate);
    assert_eq!(c.send(&other), refused(Unmet::OtherOrderConsumed));
    assert_eq!(c.count("N01", "Suspended"), 0);
}

#[test]
fn rule_11_a_name_alone_is_nobody() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let order = c.bare("N01", Step::Vacate);
    for field in ["name", "machine", "cluster", "node"] {
        let mut id = order.node.clone();
        match field {
            "name" => id.name = "N02".parse().expect("a name"),
            "machine" => id.machine = "00000000-0000-4000-8000-000000000001".parse().expect("a machine"),
            "cluster" => id.cluster = "another".parse().expect("a cluster"),
            _ => id.node = "77".parse().expect("a member"),
        }
        let other = c.under(&order, order.entry.clone(), id);
        assert_eq!(c.send_to("N01", &other), Ok(refused(Unmet::OtherIdentity)), "{field}");
    }
    assert_eq!(c.memory("N01")["consumed"], Value::Null);
}

#[test]
fn rule_11_an_order_holds_for_one_boot_and_for_a_limited_time() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let order = c.bare("N01", Step::WriteRegistry);
    let other_boot = Order { boot: Some("0123456789abcdef0123456789abcdef".parse().expect("a boot")), ..order.clone() };
    assert_eq!(c.send(&other_boot), refused(Unmet::OtherBoot));
    let late = Order { not_after: Some(Millis(1)), ..order.clone() };
    assert_eq!(c.send(&late), refused(Unmet::TooLate));
    assert_eq!(c.memory("N01")["consumed"], Value::Null, "a refusal consumes nothing");
    assert_eq!(c.send(&order), Receipt::Applied);
}

#[test]
fn rule_11_an_order_of_an_earlier_boot_is_refused_after_a_restart() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let order = c.bare("N01", Step::Vacate);
    c.act("crash", Some("N01"), json!({}));
    c.back("N01");
    assert_eq!(c.send(&order), refused(Unmet::OtherBoot));
}

#[test]
fn rule_11_the_marker_must_be_as_expected() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let mut early = c.bare("N01", Step::Install);
    early.expect = Expect { marker: MarkerExpected::Ours(c.place(4)), ..Expect::NOTHING };
    assert_eq!(c.send(&early), refused(Unmet::Marker), "there is none");
    c.vacated("N01");
    let mut again = c.bare("N01", Step::Vacate);
    again.expect.marker = MarkerExpected::Absent;
    assert_eq!(c.send(&again), refused(Unmet::Marker), "it is out already");
    let later = c.place(c.seq);
    let mut other = c.bare("N01", Step::Install);
    other.expect.marker = MarkerExpected::Ours(later);
    assert_eq!(c.send(&other), refused(Unmet::Marker), "an earlier Vacate took it out");
    c.act("pause", Some("N02"), json!({}));
    let mut persons = c.bare("N02", Step::Vacate);
    persons.expect.marker = MarkerExpected::Absent;
    assert_eq!(c.send(&persons), refused(Unmet::Marker), "a person paused it");
}

#[test]
fn rule_11_all_others_must_be_up_and_unimpaired() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let order = c.order("N01", Step::Vacate);
    c.fault("N03", json!({"isolated": true}));
    let n03 = || "N03".parse().expect("a name");
    assert_eq!(c.send(&order), refused(Unmet::NotUp(n03())), "isolated, though its State is Up");
    c.fault("N03", json!({"quarantined": true}));
    assert_eq!(c.send(&order), refused(Unmet::NotUp(n03())));
    c.fault("N03", json!({}));
    c.act("crash", Some("N03"), json!({"stays": true}));
    assert_eq!(c.send(&order), refused(Unmet::NotUp(n03())));
    assert_eq!(c.count("N01", "Suspended"), 0);
}

#[test]
fn rule_11_storage_must_be_as_expected() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let order = c.order("N01", Step::Vacate);
    let cases = [
        json!({"disk-state": [["InService"], "Warning"]}),
        json!({"disk-state": [["Degraded", "Incomplete"], "Warning"]}),
        json!({"disk-state": [["No Redundancy"], "Unhealthy"]}),
        json!({"disk-state": [["Detached"], "Unknown"]}),
        json!({"jobs": [{"name": "Volume01-Repair", "state": "Suspended", "percent": 0, "elapsed": 0}]}),
        json!({"pool": {"health": "Warning", "operational": ["Degraded"], "readonly": false, "reason": "None"}}),
    ];
    for case in cases {
        c.fault("cluster", case.clone());
        assert_eq!(c.send(&order), refused(Unmet::Storage), "{case}");
    }
    c.fault("N04", json!({"failed-drives": 1}));
    assert_eq!(c.send(&order), refused(Unmet::Storage), "a drive of another node");
    let own = Order { expect: Expect { storage: StorageExpected::OwnDamageOnly, ..Expect::NOTHING }, ..c.bare("N04", Step::WriteRegistry) };
    assert_eq!(c.send(&own), Receipt::Applied, "all damage is its own");
    let other =
        Order { expect: Expect { storage: StorageExpected::OwnDamageOnly, ..Expect::NOTHING }, ..c.bare("N01", Step::WriteRegistry) };
    assert_eq!(c.send(&other), refused(Unmet::Storage));
}

#[test]
fn rule_11_build_and_quorum_must_be_as_expected() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let mut order = c.bare("N01", Step::WriteRegistry);
    order.expect.build = Some("25398.1".parse().expect("a build"));
    assert_eq!(c.send(&order), refused(Unmet::OtherBuild("20349.3692".parse().expect("a build"))));
    order.expect.build = Some("20349.3692".parse().expect("a build"));
    assert_eq!(c.send(&order), Receipt::Applied);
    // Two of four are gone and so is the witness: of three votes that are left each counts.
    for node in ["N03", "N04"] {
        c.act("crash", Some(node), json!({"stays": true}));
    }
    c.fault("cluster", json!({"witness-offline": true}));
    c.act("set", None, json!({"witness.vote": 0}));
    let mut vacate = c.bare("N01", Step::Vacate);
    vacate.expect.quorum = true;
    assert_eq!(c.send(&vacate), refused(Unmet::Quorum));
}

#[test]
fn rule_11_without_a_view_of_the_cluster_expectations_are_refused() {
    let Some(mut c) = StubCluster::lease(11) else { return };
    let order = c.order("N01", Step::Vacate);
    let fence = c.fence("N01", None);
    let marker = Marker { vacate: c.place(1), state: drydock_model::observed::MarkerState::Suspended };
    let with_marker = Order::fence(c.entry(c.seq), fence.node.clone(), Some(marker));
    // The first contact leaves the identity, by which the node knows itself while its cluster service is stopped.
    assert_eq!(c.send(&with_marker), Receipt::Applied);
    c.act("set", Some("N01"), json!({"services.clussvc.status": "Stopped", "joined": false}));
    let mut blind = c.under(&order, c.entry(c.seq), order.node.clone());
    blind.expect = Expect { others_up: true, ..Expect::NOTHING };
    assert_eq!(c.send(&blind), refused(Unmet::NoView));
    let mut resume = c.instead(&order, Step::Return);
    resume = c.under(&resume, c.entry(c.seq), order.node);
    assert_eq!(c.send(&resume), refused(Unmet::NoView));
}

/// A script that holds the mutex until a file comes.
const HOLDER: &str = "param($Here, $Gone)\n[void](Invoke-Alone (Get-MachineUuid) { [System.IO.File]::WriteAllText($Here, 'x'); \
                      while (-not [System.IO.File]::Exists($Gone)) { [System.Threading.Thread]::Sleep(10) }; 'done' }); 'held'";

#[test]
fn rule_12_one_order_at_a_time_and_a_wait_that_ends() {
    let Some(mut c) = StubCluster::lease(12) else { return };
    let order = c.bare("N01", Step::WriteRegistry);
    let (here, gone) = (c.folder().join("here-12"), c.folder().join("gone-12"));
    let mut holder = c.second_host("N01");
    holder.write(&json!({"id": 100, "run": "holder", "source": HOLDER, "args": {"Here": here, "Gone": gone}}).to_string());
    let waits = "function Get-MutexWaitMs { 200 }";
    c.host("N01").ask(json!({"load": "short", "source": waits})).expect("a library");
    c.host("N01").ask(json!({"run": "until", "source": WAIT, "args": {"File": here}})).expect("held");
    assert_eq!(c.send(&order), refused(Unmet::Busy));
    std::fs::write(&gone, "x").expect("a file");
    c.host("N01").ask(json!({"load": "long", "source": "function Get-MutexWaitMs { 30000 }"})).expect("a library");
    assert_eq!(c.send(&order), Receipt::Applied);
    drop(holder);
    c.drop_host("N01");
}

/// A script that waits for a file.
const WAIT: &str = "param($File)\nwhile (-not [System.IO.File]::Exists($File)) { [System.Threading.Thread]::Sleep(10) }; 'there'";

#[test]
fn rule_12_a_mutex_whose_holder_died_counts_as_acquired() {
    let Some(mut c) = StubCluster::lease(12) else { return };
    let order = c.bare("N01", Step::WriteRegistry);
    let here = c.folder().join("here-died");
    let mut holder = c.second_host("N01");
    holder.write(&json!({"id": 100, "run": "holder", "source": HOLDER, "args": {"Here": here, "Gone": "/nowhere"}}).to_string());
    c.host("N01").ask(json!({"run": "until", "source": WAIT, "args": {"File": here}})).expect("held");
    drop(holder);
    assert_eq!(c.send(&order), Receipt::Applied);
}

#[test]
fn rule_12_a_holder_past_its_deadline_is_ended() {
    let Some(mut c) = StubCluster::lease(12) else { return };
    let order = c.bare("N01", Step::WriteRegistry);
    let here = c.folder().join("here-late");
    let mut holder = c.second_host("N01");
    holder.ask(json!({"load": "short", "source": "function Get-HolderLimitMs { 1 }"})).expect("a library");
    holder.write(&json!({"id": 100, "run": "holder", "source": HOLDER, "args": {"Here": here, "Gone": "/nowhere"}}).to_string());
    c.host("N01").ask(json!({"load": "short", "source": "function Get-MutexWaitMs { 200 }"})).expect("a library");
    c.host("N01").ask(json!({"run": "until", "source": WAIT, "args": {"File": here}})).expect("held");
    assert_eq!(c.send(&order), Receipt::Applied);
    assert!(!holder.lives(), "the holder was ended");
    c.drop_host("N01");
}

#[test]
fn rule_12_of_two_sends_at_one_time_one_is_performed() {
    let Some(mut c) = StubCluster::lease(12) else { return };
    let order = c.order("N01", Step::Vacate);
    let mut second = c.second_host("N01");
    let answers = std::thread::scope(|s| {
        let there = s.spawn(|| second.send(&order));
        let here = c.send(&order);
        [here, there.join().expect("the other send ends")]
    });
    assert!(answers.contains(&Receipt::Started) && answers.contains(&Receipt::AlreadyConsumed), "{answers:?}");
    assert_eq!(c.count("N01", "Suspended"), 1);
}
