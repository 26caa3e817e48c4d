//! Rules 17 to 22: who took a node out, how it comes back, and what its orders prove.

use drydock_model::observed::{Marker, MarkerState};
use drydock_model::order::{Order, Receipt, Unmet};
use drydock_model::step::Step;
use drydock_tests::node::StubCluster;
use serde_json::{Value, json};

#[test]
fn rule_17_a_marker_is_written_back_only_where_memory_ends_before_its_vacate() {
    let Some(mut c) = StubCluster::lease(17) else { return };
    c.vacated("N01");
    let marker = Marker { vacate: c.place(c.seq), state: MarkerState::Suspended };
    c.registry("N01", json!({"key": "SOFTWARE\\Drydock", "drop": true}));
    let fence = c.fence("N01", Some(marker.clone()));
    assert_eq!(c.send(&fence), Receipt::Applied);
    assert_eq!(c.memory("N01")["marker"], json!({"vacate": marker.vacate.to_string(), "state": "Suspended"}), "the upgrade took both");
    c.registry("N01", json!({"key": "SOFTWARE\\Drydock", "unset": "Marker"}));
    let again = c.fence("N01", Some(marker));
    assert_eq!(c.send(&again), Receipt::Applied);
    assert_eq!(c.memory("N01")["marker"], Value::Null, "fence there and marker missing: a person has it");
}

#[test]
fn rule_17_the_marker_says_suspending_before_and_goes_with_a_refusal() {
    let Some(mut c) = StubCluster::lease(17) else { return };
    c.fault("N01", json!({"suspend-refused": 1}));
    let order = c.order("N01", Step::Vacate);
    assert!(matches!(c.send(&order), Receipt::PlatformRefused(why) if why.contains("locked")));
    let memory = c.memory("N01");
    assert_eq!((&memory["marker"], &memory["consumed"]["phase"]), (&Value::Null, &json!("PlatformRefused")));
    assert_eq!(c.send(&order), Receipt::AlreadyConsumed);
    assert_eq!(c.count("N01", "Suspended"), 0);
    // Recorded, then Suspending: the node crashes at the second flush.
    c.act("crash_after", Some("N01"), json!({"flushes": 1}));
    let next = c.order("N01", Step::Vacate);
    assert!(c.send_to("N01", &next).expect_err("the node went down").lost);
    c.until("N01", "joined", json!(true));
    assert_eq!(c.memory("N01")["marker"], json!({"vacate": next.entry.place.to_string(), "state": "Suspending"}));
    assert_eq!(c.count("N01", "Suspended"), 0);
}

#[test]
fn a_node_that_goes_down_between_marker_and_fence_has_its_marker_back() {
    let Some(mut c) = StubCluster::lease(17) else { return };
    c.vacated("N01");
    let marker = Marker { vacate: c.place(c.seq), state: MarkerState::Suspended };
    c.registry("N01", json!({"key": "SOFTWARE\\Drydock", "drop": true}));
    let fence = c.fence("N01", Some(marker.clone()));
    let down = json!({"load": "down", "source": "function Set-Fence([string]$Place) { throw 'the node went down' }"});
    c.host("N01").ask(down).expect("it loads");
    assert!(c.send_to("N01", &fence).is_err());
    c.drop_host("N01");
    let memory = c.memory("N01");
    let written = json!({"vacate": marker.vacate.to_string(), "state": "Suspended"});
    assert_eq!((&memory["fence"], &memory["marker"]), (&Value::Null, &written));
    assert_eq!(c.send(&fence), Receipt::Applied);
    let memory = c.memory("N01");
    assert_eq!((&memory["fence"], &memory["marker"]), (&json!(fence.entry.place.to_string()), &written));
}

#[test]
fn a_node_that_is_still_joining_is_not_returned_and_keeps_its_marker() {
    let Some(mut c) = StubCluster::lease(19) else { return };
    c.vacated("N01");
    c.fault("N01", json!({"joining": true}));
    let back = c.order("N01", Step::Return);
    let consumed = c.memory("N01")["consumed"].clone();
    assert_eq!(c.send(&back), Receipt::Refused(Unmet::NoView));
    let memory = c.memory("N01");
    assert_eq!((memory["marker"].is_null(), &memory["consumed"]), (false, &consumed), "nothing was consumed");
    assert_eq!(c.truth("N01")["paused"], true);
    c.fault("N01", json!({}));
    assert_eq!(c.send(&back), Receipt::Applied);
    assert_eq!((&c.truth("N01")["paused"], &c.memory("N01")["marker"]), (&json!(false), &Value::Null));
}

#[test]
fn rule_18_before_the_commit_back_means_resume() {
    let Some(mut c) = StubCluster::lease(18) else { return };
    c.staged("N01");
    assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
    c.until("N01", "paused", json!(false));
    assert_eq!(c.memory("N01")["marker"], Value::Null);
    assert_eq!(c.part("N01", "worker")["state"], "Cancelled", "what was staged is taken away");
    let restart = c.bare("N01", Step::Restart);
    assert_eq!(c.send(&restart), Receipt::Refused(Unmet::NotStaged));
    assert_eq!(c.count("N01", "Committed"), 0);
}

#[test]
fn rule_18_a_node_on_its_old_build_after_a_commit_is_before_that_point_again() {
    let Some(mut c) = StubCluster::lease(18) else { return };
    c.staged("N01");
    c.fault("N01", json!({"rolls-back": true}));
    assert_eq!(c.gives("N01", Step::Restart), Receipt::Started);
    c.back("N01");
    c.wait(json!({"field": "nodes.N01.upgrade", "in": [null]}));
    assert_eq!(c.count("N01", "RolledBack"), 1);
    let probe = c.probe("N01");
    let commit = &probe["memory"]["value"]["commit"];
    assert_eq!(commit["phase"], "Restarting");
    assert_ne!(commit["boot"], probe["boot"]["value"]["id"], "another boot");
    assert_eq!(probe["setup"]["value"], json!({"running": false, "pending": false}));
    assert_eq!(probe["build"]["value"]["build"], 20349);
    assert_eq!(c.gives("N01", Step::Restart), Receipt::Refused(Unmet::CommitSpent));
    assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
}

#[test]
fn rule_19_a_return_waits_for_the_worker_and_ends_it() {
    let Some(mut c) = StubCluster::lease(19) else { return };
    c.linger("download");
    c.vacated("N01");
    assert_eq!(c.gives("N01", Step::Install), Receipt::Started);
    c.until("N01", "agent.operation.what", json!("download"));
    let back = c.order("N01", Step::Return);
    assert_eq!(c.send(&back), Receipt::Refused(Unmet::OtherWorker));
    assert_eq!(c.truth("N01")["paused"], true, "nothing was consumed");
    c.hurry();
    c.until_worker("N01", &["Cancelled"]);
    assert_eq!(c.send(&back), Receipt::Applied);
    assert_eq!(c.truth("N01")["paused"], false);
    assert_eq!(c.count("N01", "Committed"), 0);
}

#[test]
fn rule_19_what_setup_staged_from_media_is_taken_away_by_a_return() {
    let Some(mut c) = StubCluster::lease(19) else { return };
    c.vacated("N01");
    let order = c.order("N01", Step::Install);
    let order = from_media(&c, &order);
    assert_eq!(c.send(&order), Receipt::Started);
    c.until_worker("N01", &["Staged"]);
    assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
    assert_eq!(c.count("N01", "BootEntryDeleted"), 1);
    assert!(c.home("N01").join("C/$WINDOWS.~BT").exists(), "removing gigabytes takes longer than the mutex may be held");
    c.act("crash", Some("N01"), json!({}));
    c.back("N01");
    assert_eq!(c.part("N01", "build")["build"], 20349, "no later restart goes on with it");
}

/// The same Install, from media.
pub(crate) fn from_media(c: &StubCluster, order: &Order) -> Order {
    let mut work = c.work(Step::Install);
    work.source = drydock_model::desired::BitsSource::Media { path: "C:\\Media".to_owned() };
    let (Some(boot), Some(limit)) = (order.boot.clone(), order.not_after) else { panic!("no step") };
    Order::step(order.entry.clone(), order.node.clone(), work, order.expect.clone(), boot, limit)
}

#[test]
fn rule_20_a_fence_above_an_entry_that_was_not_consumed_proves_that_it_never_will_be() {
    let Some(mut c) = StubCluster::lease(20) else { return };
    let order = c.order("N01", Step::Vacate);
    let fence = c.fence("N01", None);
    assert_eq!(c.send(&fence), Receipt::Applied);
    let memory = c.memory("N01");
    assert_eq!((&memory["fence"], &memory["consumed"]), (&json!(fence.entry.place.to_string()), &Value::Null));
    assert!(matches!(c.send(&order), Receipt::Fenced { .. }));
    let next = c.order("N01", Step::Vacate);
    assert_eq!(c.send(&next), Receipt::Started);
    let above = c.fence("N01", None);
    assert_eq!(c.send(&above), Receipt::Applied);
    assert_eq!(c.memory("N01")["consumed"]["place"], next.entry.place.to_string(), "a fence never overwrites what was consumed");
}

#[test]
fn rule_21_a_cancel_ends_the_worker_and_makes_the_entry_before_it_unperformable() {
    let Some(mut c) = StubCluster::lease(21) else { return };
    c.linger("download");
    c.vacated("N01");
    let install = c.order("N01", Step::Install);
    assert_eq!(c.send(&install), Receipt::Started);
    c.until("N01", "agent.operation.what", json!("download"));
    let cancel = c.cancel("N01");
    assert_eq!(c.send(&cancel), Receipt::Applied);
    c.hurry();
    c.until_worker("N01", &["Cancelled"]);
    assert!(matches!(c.send(&install), Receipt::Fenced { .. }));
    assert_eq!(c.memory("N01")["cancelled"], cancel.entry.place.to_string());
    assert_eq!(c.count("N01", "InstallBegan"), 0, "it was told during the download");
}

#[test]
fn rule_22_after_its_tombstone_a_superseded_order_changes_nothing() {
    let Some(mut c) = StubCluster::lease(22) else { return };
    c.vacated("N01");
    let superseded = c.order("N01", Step::Install);
    assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
    let tombstone = c.fence("N01", None);
    assert_eq!(c.send(&tombstone), Receipt::Applied);
    assert!(matches!(c.send(&superseded), Receipt::Fenced { .. }));
    assert_eq!((c.count("N01", "TaskRegistered"), c.count("N01", "Suspended")), (0, 1));
}
