//! Every order is safe when it is sent twice, late, or after its answer was lost; and a crash at any flush repeats nothing.

use drydock_model::order::{Order, Receipt, Unmet};
use drydock_model::step::Step;
use drydock_tests::node::StubCluster;
use serde_json::{Value, json};

/// Brings N01 to where a step can be ordered, and says what that step does to it.
fn ready(c: &mut StubCluster, step: Step) -> &'static str {
    match step {
        Step::WriteRegistry | Step::Settle => "Nothing",
        Step::Vacate => "Suspended",
        Step::Reboot => {
            c.vacated("N01");
            "ShutdownAsked"
        }
        Step::Install => {
            c.vacated("N01");
            "TaskRegistered"
        }
        Step::Restart => {
            c.staged("N01");
            "Committed"
        }
        Step::Return => {
            c.vacated("N01");
            "Resumed"
        }
    }
}

fn twice_late_and_lost(step: Step) {
    let Some(mut c) = StubCluster::lease(30) else { return };
    let did = ready(&mut c, step);
    let before = c.count("N01", did);
    let order = c.order("N01", step);
    let first = c.send(&order);
    assert!(matches!(first, Receipt::Applied | Receipt::Started), "{step}: {first:?}");
    // Its answer was lost and the session with it: a new one asks again. A node that restarts meanwhile refuses by its boot.
    let expected = |receipt: &Receipt| match step {
        Step::Reboot | Step::Restart => matches!(receipt, Receipt::AlreadyConsumed),
        _ => *receipt == Receipt::AlreadyConsumed,
    };
    if step == Step::Reboot || step == Step::Restart {
        c.until("N01", "on", json!(false));
        c.until("N01", "joined", json!(true));
        c.wait(json!({"field": "nodes.N01.upgrade", "in": [null]}));
    }
    c.drop_host("N01");
    let again = c.send(&order);
    assert!(expected(&again), "{step}: {again:?}");
    let fence = c.fence("N01", None);
    assert_eq!(c.send(&fence), Receipt::Applied);
    let late = c.send(&order);
    assert!(matches!(late, Receipt::Fenced { .. }), "{step}: {late:?}");
    if did != "Nothing" {
        assert_eq!(c.count("N01", did) - before, 1, "{step}");
    }
    let mut second = c.second_host("N01");
    assert_eq!(second.send(&fence), Receipt::Applied, "a fence is heard as often as it comes");
}

#[test]
fn writing_the_registry_is_safe_twice_late_and_after_a_lost_answer() {
    twice_late_and_lost(Step::WriteRegistry);
}

#[test]
fn a_vacate_is_safe_twice_late_and_after_a_lost_answer() {
    twice_late_and_lost(Step::Vacate);
}

#[test]
fn a_reboot_is_safe_twice_late_and_after_a_lost_answer() {
    twice_late_and_lost(Step::Reboot);
}

#[test]
fn an_install_is_safe_twice_late_and_after_a_lost_answer() {
    twice_late_and_lost(Step::Install);
}

#[test]
fn a_restart_is_safe_twice_late_and_after_a_lost_answer() {
    twice_late_and_lost(Step::Restart);
}

#[test]
fn a_return_is_safe_twice_late_and_after_a_lost_answer() {
    twice_late_and_lost(Step::Return);
}

/// The node crashes at the flush after so many of its scripts; the order is sent again afterwards, and what it did is counted.
fn crashes_at_flushes(step: Step, flushes: std::ops::Range<u32>) {
    for flushes in flushes {
        let Some(mut c) = StubCluster::lease(40 + u64::from(flushes)) else { return };
        let did = ready(&mut c, step);
        let before = c.count("N01", did);
        let order: Order = c.order("N01", step);
        c.act("crash_after", Some("N01"), json!({"flushes": flushes}));
        let first = c.send_to("N01", &order);
        c.until("N01", "on", json!(false));
        c.until("N01", "joined", json!(true));
        c.wait(json!({"field": "nodes.N01.upgrade", "in": [null]}));
        c.drop_host("N01");
        let again = c.send(&order);
        assert_eq!(again, Receipt::AlreadyConsumed, "{step} after {flushes}: recorded first ({first:?})");
        assert!(c.count("N01", did) - before <= 1, "{step} after {flushes}");
        let next = c.order("N01", step);
        let receipt = c.send(&next);
        if step == Step::Restart {
            c.act("crash", Some("N01"), json!({}));
            c.back("N01");
            assert!(c.count("N01", did) - before <= 1, "{step} after {flushes}, then {receipt:?}: one commit per attempt");
        }
    }
}

#[test]
fn a_vacate_that_crashes_at_any_flush_was_recorded_first() {
    crashes_at_flushes(Step::Vacate, 0..3);
}

#[test]
fn a_restart_that_crashes_before_its_commit_commits_once_at_most() {
    // The order's own two are as any order's; this one comes right before the commit. Rule 23's tests crash in the commit.
    crashes_at_flushes(Step::Restart, 2..3);
}

#[test]
fn what_changes_while_the_storage_is_read_is_seen_before_the_act() {
    let Some(mut c) = StubCluster::lease(50) else { return };
    let stop = "[void](New-Item -Path 'HKLM:\\SOFTWARE\\Drydock\\Stop' -Force)";
    let cases = [
        ("[void]@(Suspend-ClusterNode -Name N02)", Unmet::NotUp("N02".parse().expect("a node"))),
        ("[void]@(Suspend-ClusterNode -Name N01)", Unmet::Marker),
        (stop, Unmet::StopMark),
        ("$global:Late = $true", Unmet::TooLate),
    ];
    for (blow, why) in cases {
        let reads = format!(
            "$script:Read = ${{function:Get-StorageFacts}}\n$script:Up = ${{function:Get-UpMs}}\n$global:Late = $false\n\
             function Get-StorageFacts {{ {blow}; & $script:Read }}\nfunction Get-UpMs {{ if ($global:Late) {{ 9007199254740991L }} else {{ & $script:Up }} }}"
        );
        c.host("N01").ask(json!({"load": "reads-slowly", "source": reads})).expect("it loads");
        let order = c.order("N01", Step::Vacate);
        assert_eq!(c.send(&order), Receipt::Refused(why), "{blow}");
        c.drop_host("N01");
        assert_eq!(c.memory("N01")["marker"], Value::Null);
        for node in ["N01", "N02"] {
            c.act("resume", Some(node), json!({}));
        }
        c.registry("N01", json!({"key": "SOFTWARE\\Drydock\\Stop", "drop": true}));
        c.wait(json!({"settled": true}));
    }
    assert_eq!(c.gives("N01", Step::Vacate), Receipt::Started);
}
