//! Rules 26 to 29: what a node shows after memory was lost, what a person's word stops, and what is always heard.

use drydock_model::observed::{Marker, MarkerState};
use drydock_model::order::{Expect, Order, Receipt, Unmet};
use drydock_model::step::Step;
use drydock_tests::hand::claim;
use drydock_tests::node::{Gap, StubCluster};
use serde_json::{Value, json};

#[test]
fn rule_26_a_memory_that_was_taken_back_is_fenced_again_and_nothing_is_repeated() {
    let Some(mut c) = StubCluster::lease(26) else { return };
    let first = c.fence("N01", None);
    assert_eq!(c.send(&first), Receipt::Applied);
    let order = c.order("N01", Step::Vacate);
    assert_eq!(c.send(&order), Receipt::Started);
    // A restored image: the fence is that of before, the rest is gone.
    c.registry("N01", json!({"key": "SOFTWARE\\Drydock", "drop": true}));
    c.registry("N01", json!({"key": "SOFTWARE\\Drydock", "values": {"Fence": first.entry.place.to_string()}}));
    assert_eq!(c.memory("N01")["fence"], first.entry.place.to_string(), "a fence below the ledger's is seen from outside");
    let marker = Marker { vacate: order.entry.place.clone(), state: MarkerState::Suspended };
    let again = c.fence("N01", Some(marker));
    assert_eq!(c.send(&again), Receipt::Applied);
    assert_eq!(c.memory("N01")["marker"]["vacate"], order.entry.place.to_string());
    assert!(matches!(c.send(&order), Receipt::Fenced { .. }), "what was performed is not performed again");
    assert_eq!(c.count("N01", "Suspended"), 1);
}

#[test]
fn rule_26_a_replaced_machine_shows_another_identity_and_refuses() {
    let Some(mut c) = StubCluster::lease(26) else { return };
    let order = c.bare("N01", Step::Vacate);
    let before = c.id("N01");
    c.act("replace", Some("N01"), json!({}));
    let after = c.id("N01");
    assert_eq!((&before.name, &before.cluster), (&after.name, &after.cluster));
    assert!(before.machine != after.machine && before.node != after.node);
    assert_eq!(c.send(&order), Receipt::Refused(Unmet::OtherIdentity));
    // Put back: the pool of clusters keeps its machines.
    c.drop_host("N01");
}

#[test]
fn rule_26_a_node_shows_more_than_a_rewound_ledger_knows() {
    let Some(mut c) = StubCluster::lease(26) else { return };
    c.epoch = claim(7, "zz");
    let fence = c.fence("N01", None);
    assert_eq!(c.send(&fence), Receipt::Applied);
    c.epoch = claim(3, "ab");
    let older = c.bare("N01", Step::Vacate);
    assert_eq!(c.send(&older), Receipt::Fenced { newer: fence.entry.place.clone() });
    assert_eq!(c.memory("N01")["fence"], fence.entry.place.to_string());
}

#[test]
fn rule_26_damaged_memory_is_an_error_and_never_an_empty_memory() {
    let Some(mut c) = StubCluster::lease(26) else { return };
    let order = c.bare("N01", Step::Vacate);
    for (value, damage) in
        [("Fence", "3.ab"), ("Consumed", "1.ab/4 xyz Recorded"), ("Marker", "1.ab/4 Sleeping"), ("Commit", "x Committing b 23H2")]
    {
        c.registry("N01", json!({"key": "SOFTWARE\\Drydock", "values": {value: damage}}));
        let probe = c.probe("N01");
        assert_eq!(Gap::of(&probe["memory"]), Some(Gap("Failed".to_owned())), "{value}");
        let answer = c.send_to("N01", &order).expect_err(value);
        assert!(!answer.lost && answer.to_string().contains("DrydockDamagedMemory"), "{value}: {answer}");
        c.registry("N01", json!({"key": "SOFTWARE\\Drydock", "unset": value}));
    }
    assert_eq!(c.count("N01", "Suspended"), 0);
}

fn stop(c: &mut StubCluster, node: &str) {
    c.registry(node, json!({"key": "SOFTWARE\\Drydock\\Stop", "values": {"Who": "operator", "When": "today", "Why": "month-end closing"}}));
}

#[test]
fn rule_27_a_stop_mark_refuses_what_begins_something_and_spares_the_way_back() {
    let Some(mut c) = StubCluster::lease(27) else { return };
    c.vacated("N01");
    for node in ["N01", "N02"] {
        stop(&mut c, node);
    }
    assert_eq!(c.memory("N01")["stop"], json!({"who": "operator", "when": "today", "why": "month-end closing"}));
    for (node, step) in
        [("N02", Step::WriteRegistry), ("N02", Step::Vacate), ("N01", Step::Install), ("N01", Step::Reboot), ("N01", Step::Restart)]
    {
        assert_eq!(c.gives(node, step), Receipt::Refused(Unmet::StopMark), "{step} for {node}");
    }
    let (fence, cancel) = (c.fence("N01", None), c.cancel("N01"));
    assert_eq!([c.send(&fence), c.send(&cancel)], [Receipt::Applied, Receipt::Applied]);
    assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
    assert_eq!(c.count("N02", "Suspended"), 0);
}

#[test]
fn rule_27_a_restart_after_the_point_of_no_return_is_spared() {
    let Some(mut c) = StubCluster::lease(27) else { return };
    c.staged("N01");
    let order = c.order("N01", Step::Restart);
    let boot = order.boot.as_ref().map(ToString::to_string).unwrap_or_default();
    c.registry("N01", json!({"key": "SOFTWARE\\Drydock", "values": {"Commit": format!("1 Committed {boot} 23H2")}}));
    stop(&mut c, "N01");
    assert_eq!(c.send(&order), Receipt::Started);
    c.back("N01");
    assert_eq!(c.count("N01", "Committed"), 0, "what was committed before is only restarted");
}

#[test]
fn rule_28_fences_and_cancels_are_heard_in_every_boot_at_any_time_and_under_a_stop_mark() {
    let Some(mut c) = StubCluster::lease(28) else { return };
    let (fence, cancel) = (c.fence("N01", None), c.cancel("N01"));
    stop(&mut c, "N01");
    c.act("crash", Some("N01"), json!({}));
    c.back("N01");
    c.fault("N02", json!({"isolated": true}));
    assert_eq!([c.send(&fence), c.send(&cancel)], [Receipt::Applied, Receipt::Applied]);
    let memory = c.memory("N01");
    assert_eq!(memory["fence"], cancel.entry.place.to_string());
    assert_eq!(memory["cancelled"], cancel.entry.place.to_string());
    assert_eq!(memory["consumed"], Value::Null);
    assert_eq!(c.send(&fence), Receipt::Fenced { newer: cancel.entry.place.clone() });
    assert_eq!(c.send(&cancel), Receipt::Applied, "and again");
}

#[test]
fn rule_29_what_a_command_refuses_is_a_gap_of_one_part_and_blames_no_account() {
    let Some(mut c) = StubCluster::lease(29) else { return };
    c.fault("N01", json!({"deny": ["Get-ClusterGroup", "Get-ClusterNode"]}));
    let probe = c.probe("N01");
    assert_eq!(Gap::of(&probe["view"]), Some(Gap("AccessDenied".to_owned())), "{}", probe["view"]);
    for part in ["boot", "clock", "build", "memory", "registry", "worker", "setup", "service"] {
        assert_eq!(Gap::of(&probe[part]), None, "{part}: {}", probe[part]);
    }
    c.fault("N01", json!({"deny": ["Suspend-ClusterNode"]}));
    let mut order = c.bare("N01", Step::Vacate);
    order = Order { expect: Expect::NOTHING, ..order };
    assert!(matches!(c.send(&order), Receipt::PlatformRefused(_)), "the session goes on, and the node says what the platform refused");
    assert_eq!(c.memory("N01")["marker"], Value::Null);
}
