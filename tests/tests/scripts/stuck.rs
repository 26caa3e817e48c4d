//! Rules 19, 21 and 25: a worker that is told to stop and does not, and a stop while Windows Setup works from media. The node is as before afterwards, and
//! may be installed on again.

use crate::way_back::from_media;
use drydock_model::order::{Receipt, Unmet};
use drydock_model::step::Step;
use drydock_tests::node::StubCluster;
use serde_json::{Value, json};
use std::process::Command;

/// Longer than any test: what takes this long is stuck.
const FOREVER: u32 = 3_600_000;

/// A node on which setup works from media, and does not come to an end.
fn setting_up(c: &mut StubCluster) {
    c.pace(&json!({"setup": FOREVER, "parts": 40}));
    c.vacated("N01");
    let order = c.order("N01", Step::Install);
    let order = from_media(c, &order);
    assert_eq!(c.send(&order), Receipt::Started);
    c.wait(json!({"worker": "N01", "in": ["Staging"]}));
    c.until("N01", "setup.noreboot", json!(true));
}

/// The file of what a node's worker says of itself.
fn state_file(c: &StubCluster, node: &str) -> std::path::PathBuf {
    let root = c.environment(node)["ProgramData"].clone();
    let folders = std::fs::read_dir(std::path::Path::new(&root).join("Drydock")).expect("its folder");
    let works = folders.filter_map(|f| Some(f.ok()?.path().join("state.json")));
    let install = |file: &std::path::PathBuf| std::fs::read_to_string(file).is_ok_and(|text| text.contains("setupPid"));
    works.into_iter().find(install).expect("a worker's state")
}

fn state(c: &StubCluster, node: &str) -> Value {
    let text = std::fs::read_to_string(state_file(c, node)).expect("its state");
    serde_json::from_str(&text).expect("JSON")
}

/// The worker's process hangs: it neither looks nor hears, and lives.
fn hang(c: &StubCluster, node: &str) {
    let process = state(c, node)["pid"].to_string();
    assert!(Command::new("kill").args(["-STOP", &process]).status().expect("kill runs").success());
}

/// From now on this node's sessions take a worker that was told for one that was told long ago.
fn told_long_ago(c: &mut StubCluster, node: &str) {
    let limit = json!({"load": "told-long-ago", "source": "function Get-ToldLimitMs { -1 }"});
    c.host(node).ask(limit).expect("the limit");
}

/// Nothing is left of an installation, the node serves, and another attempt goes through.
fn as_before_and_installs_again(c: &mut StubCluster) {
    let truth = c.truth("N01");
    assert_eq!((&truth["setup"], &truth["agent"]["operation"], &truth["paused"]), (&Value::Null, &Value::Null, &json!(false)), "{truth}");
    assert_eq!((&truth["staged"], &truth["tasks"]), (&Value::Null, &json!({})), "{truth}");
    // What setup unpacked may lie there, without a boot entry; the next worker begins with an empty folder.
    let unpacked = c.home("N01").join("C/$WINDOWS.~BT");
    std::fs::create_dir_all(unpacked.join("old")).expect("its folder");
    assert_eq!(c.part("N01", "setup"), json!({"running": false, "pending": false}));
    assert_eq!(c.memory("N01")["marker"], Value::Null);
    // A new session, so that nothing of a test stays in it.
    c.drop_host("N01");
    c.hurry();
    c.wait(json!({"settled": true}));
    c.attempt += 1;
    let began = c.count("N01", "InstallBegan");
    c.vacated("N01");
    let order = c.order("N01", Step::Install);
    let order = from_media(c, &order);
    assert_eq!(c.send(&order), Receipt::Started);
    c.until("N01", "staged.media", json!(true));
    c.until_idle("N01");
    assert_eq!(c.part("N01", "worker")["state"], "Staged");
    assert_eq!((c.count("N01", "InstallBegan"), c.count("N01", "ShutdownAsked")), (began + 1, 0));
    assert!(unpacked.exists() && !unpacked.join("old").exists());
}

/// A Return is refused while a worker lives; past its bound the worker is ended, and the next Return goes through.
fn ended_by_the_next_return(c: &mut StubCluster) {
    let back = c.order("N01", Step::Return);
    assert_eq!(c.send(&back), Receipt::Refused(Unmet::OtherWorker), "it is told to stop");
    assert_eq!(c.part("N01", "worker")["alive"], true, "and given its time");
    assert_eq!(c.send(&back), Receipt::Refused(Unmet::OtherWorker), "which is not over yet");
    assert_eq!(c.part("N01", "worker")["alive"], true);
    assert_eq!(c.truth("N01")["paused"], true, "no node is resumed under a living worker");
    told_long_ago(c, "N01");
    assert_eq!(c.send(&back), Receipt::Refused(Unmet::OtherWorker), "it is ended");
    assert_eq!(c.part("N01", "worker")["alive"], false);
    assert_eq!(c.send(&back), Receipt::Applied);
    assert_eq!(c.part("N01", "worker")["state"], "Cancelled");
}

#[test]
fn rule_19_a_worker_inside_a_call_that_does_not_come_back_is_ended_past_its_bound() {
    let Some(mut c) = StubCluster::lease(19) else { return };
    c.pace(&json!({"download": FOREVER, "parts": 40}));
    c.vacated("N01");
    assert_eq!(c.gives("N01", Step::Install), Receipt::Started);
    c.until("N01", "agent.operation.what", json!("download"));
    ended_by_the_next_return(&mut c);
    assert_eq!(c.count("N01", "InstallBegan"), 0);
    c.act("set", Some("N01"), json!({"agent.operation": null}));
    as_before_and_installs_again(&mut c);
}

#[test]
fn rule_19_a_worker_that_hangs_beside_setup_is_ended_past_its_bound_and_setup_with_it() {
    let Some(mut c) = StubCluster::lease(19) else { return };
    setting_up(&mut c);
    hang(&c, "N01");
    ended_by_the_next_return(&mut c);
    as_before_and_installs_again(&mut c);
}

#[test]
fn rule_19_setup_is_ended_also_where_its_worker_died_before_it_wrote_down_which_process_it_is() {
    let Some(mut c) = StubCluster::lease(19) else { return };
    setting_up(&mut c);
    hang(&c, "N01");
    let setup = state(&c, "N01")["setupPid"].clone();
    let mut forgotten = state(&c, "N01");
    forgotten["setupPid"] = json!(0);
    forgotten["setupStart"] = json!(0);
    std::fs::write(state_file(&c, "N01"), forgotten.to_string()).expect("its state");
    let process = forgotten["pid"].to_string();
    assert!(Command::new("kill").args(["-KILL", &process]).status().expect("kill runs").success());
    c.until_idle("N01");
    assert_eq!(c.truth("N01")["setup"]["pid"], setup, "setup lives on");
    assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
    as_before_and_installs_again(&mut c);
}

#[test]
fn rule_21_a_cancel_while_setup_works_from_media_ends_it_and_takes_away_what_it_unpacked() {
    let Some(mut c) = StubCluster::lease(21) else { return };
    setting_up(&mut c);
    let unpacked = c.home("N01").join("C/$WINDOWS.~BT");
    assert!(unpacked.exists());
    // Cancels are heard under a stop mark, too (rules 27 and 28).
    c.registry("N01", json!({"key": "SOFTWARE\\Drydock\\Stop", "values": {"Who": "Ann", "Why": "disk replacement"}}));
    let cancel = c.cancel("N01");
    assert_eq!(c.send(&cancel), Receipt::Applied);
    c.until_worker("N01", &["Cancelled"]);
    c.until_idle("N01");
    assert_eq!((&c.truth("N01")["setup"], unpacked.exists()), (&Value::Null, false));
    assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
    c.registry("N01", json!({"key": "SOFTWARE\\Drydock\\Stop", "drop": true}));
    as_before_and_installs_again(&mut c);
}

#[test]
fn rule_21_a_cancel_after_setup_has_staged_takes_its_boot_entry_away() {
    let Some(mut c) = StubCluster::lease(21) else { return };
    c.vacated("N01");
    let order = c.order("N01", Step::Install);
    let order = from_media(&c, &order);
    assert_eq!(c.send(&order), Receipt::Started);
    c.until_worker("N01", &["Staged"]);
    c.until_idle("N01");
    let cancel = c.cancel("N01");
    assert_eq!(c.send(&cancel), Receipt::Applied);
    assert_eq!(c.part("N01", "worker")["state"], "Cancelled");
    assert_eq!(c.count("N01", "BootEntryDeleted"), 1);
    let restart = c.order("N01", Step::Restart);
    assert_eq!(c.send(&restart), Receipt::Refused(Unmet::NotStaged));
    assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
    // The stub keeps the staging that lost its boot entry; a restart shows that it does nothing.
    c.act("crash", Some("N01"), json!({}));
    c.back("N01");
    assert_eq!(c.part("N01", "build")["build"], 20349);
    as_before_and_installs_again(&mut c);
}
