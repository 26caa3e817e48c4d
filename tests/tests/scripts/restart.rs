//! Rules 23 and 24: one commit and one installation per attempt, whatever happens between.

use drydock_model::order::{Expect, Order, Receipt, Unmet};
use drydock_model::step::Step;
use drydock_tests::node::{StubCluster, order_arguments, receipt};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Sends a Restart whose task first runs this: what happens between its acceptance and its act.
fn struck(c: &mut StubCluster, order: &Order, blow: &str) -> Receipt {
    let mut args = order_arguments(order);
    args["TaskLibraries"].as_array_mut().expect("texts").push(json!(blow));
    receipt(&c.run("N01", "order-restart", args).expect("a receipt"))
}

/// What the task of an order says of itself.
fn said(c: &StubCluster, order: &Order) -> Value {
    let place = order.entry.place.to_string().replace('/', "-");
    let file = PathBuf::from(&c.environment("N01")["ProgramData"]).join("Drydock").join(place).join("state.json");
    serde_json::from_str(&std::fs::read_to_string(file).expect("its state")).expect("JSON")
}

/// What ends an order's own time before its task asks for the first time.
const LATE: &str = "$late = Read-JsonFile (Join-Path (Get-Location).ProviderPath 'values.json'); $late.deadlineUp = 1L
    Write-JsonFile (Join-Path (Get-Location).ProviderPath 'values.json') $late\n";

#[test]
fn what_changed_since_a_restart_was_accepted_forbids_its_commit() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    c.staged("N01");
    c.until_idle("N01");
    // What may pass is asked again until the order's time is over; what a person did is for good.
    let blows = [
        ("[void](New-Item -Path 'HKLM:\\SOFTWARE\\Drydock\\Stop' -Force)", "StopMark", "StopMark", false),
        ("", "TooLate", "TooLate", true),
        ("function Get-StorageFacts { throw 'no answer' }", "Storage not known: no answer", "Storage", true),
        ("function Get-QuorumLosers([string]$Name) { $Name }", "Quorum", "Quorum", true),
        ("function Get-QuorumLosers([string]$Name) { throw 'no answer' }", "Quorum not known: no answer", "Quorum", true),
        ("function Get-View { throw 'no answer' }", "NoView no answer", "NoView", true),
        ("[void]@(Suspend-ClusterNode -Name N02)", "NotUp N02", "NotUp", true),
        ("[void]@(Resume-ClusterNode -Name N01)", "Marker the node is Up", "Marker", false),
    ];
    for (blow, words, by, passes) in blows {
        let order = c.order("N01", Step::Restart);
        let blow = format!("{}{blow}", if passes { LATE } else { "" });
        assert_eq!(struck(&mut c, &order, &blow), Receipt::Started, "{blow}");
        c.until_idle("N01");
        let memory = c.memory("N01");
        assert_eq!((&memory["commit"], &memory["consumed"]["phase"]), (&Value::Null, &json!(format!("Unmet{by}"))), "{blow}");
        let state = said(&c, &order);
        let doing = state["doing"].as_str().unwrap_or_default();
        assert!(state["state"] == "Failed" && doing.starts_with(&format!("not committed: {words}")), "{blow}: {state}");
        c.registry("N01", json!({"key": "SOFTWARE\\Drydock\\Stop", "drop": true}));
        if blow.contains("N02") {
            c.act("resume", Some("N02"), json!({}));
            c.until("N02", "paused", json!(false));
        }
    }
    assert_eq!((c.count("N01", "Committed"), c.count("N01", "ShutdownAsked")), (0, 0));
}

#[test]
fn one_question_that_fails_costs_a_restart_a_few_seconds() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    c.staged("N01");
    let blip = "$script:Asked = 0\n$script:Real = ${function:Get-StorageFacts}
        function Get-StorageFacts { $script:Asked++; if ($script:Asked -eq 1) { throw 'a timeout' }; & $script:Real }";
    let order = c.order("N01", Step::Restart);
    assert_eq!(struck(&mut c, &order, blip), Receipt::Started);
    c.back("N01");
    c.wait(json!({"field": "nodes.N01.upgrade", "in": [null]}));
    assert_eq!((c.part("N01", "build")["build"].clone(), c.count("N01", "Committed")), (json!(25398), 1));
}

#[test]
fn rule_18_a_return_ends_a_restart_that_has_not_committed() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    c.staged("N01");
    c.until_idle("N01");
    let order = c.order("N01", Step::Restart);
    assert_eq!(struck(&mut c, &order, "function Get-QuorumLosers([string]$Name) { $Name }"), Receipt::Started);
    c.wait(json!({"doing": "N01", "in": ["not committed yet: Quorum"]}));
    assert_eq!(c.gives("N01", Step::Return), Receipt::Refused(Unmet::Busy));
    c.until_idle("N01");
    let memory = c.memory("N01");
    assert_eq!((&memory["commit"], &memory["consumed"]["phase"]), (&Value::Null, &json!("UnmetTold")));
    assert_eq!(said(&c, &order)["doing"], "not committed: a Return was heard");
    assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
    assert_eq!((c.count("N01", "Committed"), c.count("N01", "ShutdownAsked")), (0, 0));
}

/// A node that has committed while others went down, so that its own going would cost the quorum.
fn committed_alone(c: &mut StubCluster, limit: &str) -> Order {
    c.staged("N01");
    c.until_idle("N01");
    c.linger("commit");
    let order = c.order("N01", Step::Restart);
    assert_eq!(struck(c, &order, limit), Receipt::Started);
    c.until("N01", "agent.operation.what", json!("commit"));
    // Of two that are left without a witness one has the vote.
    let mut calm =
        json!({"drawn": {"pause-lost": 0, "refs-stays-offline": 0, "tasks-are-lost": 0, "restarts": 0, "shows-between-restarts": 0}});
    calm["cluster"] = json!({"witness-offline": true});
    c.faults(&calm);
    for node in ["N02", "N03"] {
        c.act("crash", Some(node), json!({"stays": true}));
    }
    order
}

#[test]
fn a_committed_node_is_not_restarted_while_that_would_cost_the_quorum() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    let order = committed_alone(&mut c, "function Get-QuorumWaitMs { -1 }");
    c.pace(&json!({}));
    c.until_idle("N01");
    assert_eq!(c.memory("N01")["commit"]["phase"], "Committed", "back means forward");
    assert_eq!(said(&c, &order)["doing"], "not restarted: Quorum");
    assert_eq!((c.count("N01", "Committed"), c.count("N01", "ShutdownAsked")), (1, 0));
    let next = c.order("N01", Step::Restart);
    let next = Order { expect: Expect { quorum: true, ..Expect::NOTHING }, ..next };
    assert_eq!(c.send(&next), Receipt::Refused(Unmet::Quorum));
    for node in ["N02", "N03"] {
        c.act("power_on", Some(node), json!({}));
        c.until(node, "joined", json!(true));
    }
    assert_eq!(c.send(&next), Receipt::Started, "it only restarts");
    c.back("N01");
    c.wait(json!({"field": "nodes.N01.upgrade", "in": [null]}));
    assert_eq!((c.part("N01", "build")["build"].clone(), c.count("N01", "Committed")), (json!(25398), 1));
}

#[test]
fn a_committed_node_that_a_person_puts_back_into_service_is_not_restarted() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    let order = committed_alone(&mut c, "function Get-QuorumWaitMs { 600000 }");
    c.pace(&json!({}));
    c.wait(json!({"doing": "N01", "in": ["not restarted: Quorum"]}));
    c.act("resume", Some("N01"), json!({}));
    c.until_idle("N01");
    assert_eq!(said(&c, &order)["doing"], "not restarted: the node is Up");
    assert_eq!((&c.memory("N01")["consumed"]["phase"], c.count("N01", "ShutdownAsked")), (&json!("UnmetMarker"), 0));
    for node in ["N02", "N03"] {
        c.act("power_on", Some(node), json!({}));
        c.until(node, "joined", json!(true));
    }
    let again = |c: &mut StubCluster| {
        let next = c.order("N01", Step::Restart);
        Order { expect: Expect { marker: next.expect.marker.clone(), quorum: true, ..Expect::NOTHING }, ..next }
    };
    let next = again(&mut c);
    assert_eq!(c.send(&next), Receipt::Refused(Unmet::Marker), "also by a later order");
    c.act("pause", Some("N01"), json!({}));
    c.until("N01", "drain", json!("Completed"));
    let next = again(&mut c);
    assert_eq!(c.send(&next), Receipt::Started, "taken out again, it is");
    c.back("N01");
    c.wait(json!({"field": "nodes.N01.upgrade", "in": [null]}));
    assert_eq!((c.part("N01", "build")["build"].clone(), c.count("N01", "Committed")), (json!(25398), 1));
}

#[test]
fn rule_18_a_node_is_not_resumed_between_its_commit_and_its_restart() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    committed_alone(&mut c, "function Get-QuorumWaitMs { -1 }");
    c.pace(&json!({}));
    c.until_idle("N01");
    assert_eq!(c.memory("N01")["consumed"]["phase"], "UnmetQuorum");
    assert_eq!(c.gives("N01", Step::Return), Receipt::Refused(Unmet::Committed));
    assert_eq!((&c.truth("N01")["paused"], c.memory("N01")["marker"].is_null()), (&json!(true), false));
}

#[test]
fn a_committed_node_is_restarted_as_soon_as_the_quorum_bears_it() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    committed_alone(&mut c, "function Get-QuorumWaitMs { 600000 }");
    c.pace(&json!({}));
    c.until("N01", "agent.operation", Value::Null);
    for node in ["N02", "N03"] {
        c.act("power_on", Some(node), json!({}));
        c.until(node, "joined", json!(true));
    }
    c.back("N01");
    c.wait(json!({"field": "nodes.N01.upgrade", "in": [null]}));
    assert_eq!((c.part("N01", "build")["build"].clone(), c.count("N01", "Committed")), (json!(25398), 1));
}

#[test]
fn rule_23_a_restart_commits_once_and_writes_each_half_down() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    c.staged("N01");
    c.linger("commit");
    let order = c.order("N01", Step::Restart);
    assert_eq!(c.send(&order), Receipt::Started);
    assert_eq!(c.send(&order), Receipt::AlreadyConsumed);
    c.until("N01", "agent.operation.what", json!("commit"));
    let memory = c.memory("N01");
    assert_eq!(memory["commit"]["phase"], "Committing", "written before the commit");
    let next = c.order("N01", Step::Restart);
    assert_eq!(c.send(&next), Receipt::Refused(Unmet::Busy), "while the first is at work");
    c.hurry();
    c.back("N01");
    c.wait(json!({"field": "nodes.N01.upgrade", "in": [null]}));
    assert_eq!(c.part("N01", "build"), json!({"build": 25398, "revision": 1665}));
    assert_eq!(c.memory("N01")["commit"]["phase"], "Restarting");
    assert_eq!(c.count("N01", "Committed"), 1);
}

/// The node goes down in the middle of its commit; how far that came nobody can say, so both are tried.
fn crash_in_commit(goes_on: bool) {
    let Some(mut c) = StubCluster::lease(23) else { return };
    c.staged("N01");
    // The crash comes before its end.
    c.linger("commit");
    assert_eq!(c.gives("N01", Step::Restart), Receipt::Started);
    c.until("N01", "agent.operation.what", json!("commit"));
    c.faults(&json!({"drawn": {"half-a-commit-goes-on": u8::from(goes_on), "pause-lost": 0, "restarts": 0, "shows-between-restarts": 0,
        "tasks-are-lost": 0, "refs-stays-offline": 0}}));
    c.act("crash", Some("N01"), json!({}));
    c.back("N01");
    c.wait(json!({"field": "nodes.N01.upgrade", "in": [null]}));
    c.wait(json!({"field": "nodes.N01.joined", "in": [true]}));
    let commit = c.memory("N01")["commit"].clone();
    assert_eq!(commit["phase"], "Committing", "from here on, back means forward");
    let again = c.gives("N01", Step::Restart);
    if goes_on {
        assert_eq!(c.part("N01", "build")["build"], 25398);
        assert_eq!(again, Receipt::Started, "a restart at most, never a commit");
        c.back("N01");
    } else {
        assert_eq!(again, Receipt::Refused(Unmet::CommitSpent));
    }
    assert_eq!(c.count("N01", "Committed"), 1);
}

#[test]
fn rule_23_a_crash_in_the_commit_that_goes_on_is_never_committed_again() {
    crash_in_commit(true);
}

#[test]
fn rule_23_a_crash_in_the_commit_that_is_lost_is_never_committed_again() {
    crash_in_commit(false);
}

#[test]
fn rule_23_a_failed_commit_is_restarted_and_never_committed_again() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    c.staged("N01");
    c.fault("N01", json!({"agent": {"Commit": "0x8024000F"}}));
    assert_eq!(c.gives("N01", Step::Restart), Receipt::Started);
    c.back("N01");
    assert_eq!(c.part("N01", "build")["build"], 20349);
    c.fault("N01", json!({}));
    assert!(matches!(c.gives("N01", Step::Restart), Receipt::Refused(Unmet::CommitSpent) | Receipt::Started));
    assert_eq!(c.count("N01", "Committed"), 0, "the agent refused the one that was asked for, and no other was");
}

#[test]
fn rule_23_nothing_is_restarted_that_was_not_staged() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    c.vacated("N01");
    assert_eq!(c.gives("N01", Step::Restart), Receipt::Refused(Unmet::NotStaged));
    c.fault("N01", json!({"agent-result": {"install": "0x800705AA"}}));
    assert_eq!(c.gives("N01", Step::Install), Receipt::Started);
    c.until_worker("N01", &["Failed"]);
    assert_eq!(c.part("N01", "worker")["code"], 0x8007_05AA_u32);
    assert_eq!(c.gives("N01", Step::Restart), Receipt::Refused(Unmet::NotStaged));
    assert_eq!(c.count("N01", "ShutdownAsked"), 0);
}

#[test]
fn rule_24_a_second_install_of_one_attempt_takes_the_worker_over() {
    let Some(mut c) = StubCluster::lease(24) else { return };
    c.linger("download");
    c.vacated("N01");
    assert_eq!(c.gives("N01", Step::Install), Receipt::Started);
    c.until("N01", "agent.operation.what", json!("download"));
    assert_eq!(c.gives("N01", Step::Install), Receipt::Started);
    let place = c.place(c.seq);
    c.hurry();
    c.until_worker("N01", &["Staged", "Cancelled", "Failed"]);
    let worker = c.part("N01", "worker");
    assert_eq!((&worker["state"], &worker["place"]), (&json!("Staged"), &json!(place.to_string())));
    assert_eq!((c.count("N01", "InstallBegan"), c.count("N01", "TaskRegistered")), (1, 1));
    // Also when it has ended: the same attempt stages once.
    assert_eq!(c.gives("N01", Step::Install), Receipt::Started);
    assert_eq!((c.count("N01", "InstallBegan"), c.count("N01", "TaskRegistered")), (1, 1));
}

#[test]
fn rule_24_another_attempt_waits_for_the_worker_of_the_first() {
    let Some(mut c) = StubCluster::lease(24) else { return };
    c.linger("download");
    c.vacated("N01");
    assert_eq!(c.gives("N01", Step::Install), Receipt::Started);
    c.until("N01", "agent.operation.what", json!("download"));
    c.attempt = 2;
    assert_eq!(c.gives("N01", Step::Install), Receipt::Refused(Unmet::OtherWorker));
    c.hurry();
    c.until_worker("N01", &["Staged"]);
    assert_eq!(c.count("N01", "InstallBegan"), 1);
}

#[test]
fn what_was_staged_is_found_however_the_agent_shows_it() {
    let Some(mut c) = StubCluster::lease(23) else { return };
    c.staged("N01");
    c.until_idle("N01");
    let find = "param([string]$Id)\n(Find-StagedUpdate ((New-UpdateObject 'Session').CreateUpdateSearcher()) $Id).Identity.UpdateID";
    let staged = c.truth("N01")["staged"].clone();
    let id = staged["id"].as_str().expect("an update").to_owned();
    let offers = c.truth("N01")["agent"]["offers"].clone();
    for optional in [true, false] {
        let mut shown = offers.clone();
        for offer in shown.as_array_mut().expect("offers") {
            offer["optional"] = json!(optional);
        }
        c.act("set", Some("N01"), json!({"agent.offers": shown}));
        for installed in [false, true] {
            let mut counts = staged.clone();
            counts["installed"] = json!(installed);
            c.act("set", Some("N01"), json!({"staged": counts}));
            for faults in [json!({}), json!({"no-network": true}), json!({"nothing-cached": true}), json!({"no-optional-criterion": true})]
            {
                c.fault("N01", faults.clone());
                let asked = json!({"run": "find-staged", "source": find, "args": {"Id": id}});
                let found =
                    c.host("N01").ask(asked).unwrap_or_else(|why| panic!("optional {optional}, installed {installed}, {faults}: {why}"));
                assert_eq!(found, json!(id));
            }
        }
    }
    c.fault("N01", json!({}));
    let other = json!({"run": "find-staged", "source": find, "args": {"Id": "00000000-0000-4000-8000-000000000000"}});
    assert!(c.host("N01").ask(other).expect_err("there is none").id.starts_with("DrydockNotStaged"));
}
