//! One node's whole way, from each source of the bits; every script is run at least once, and the list is printed.

use drydock_model::order::Receipt;
use drydock_model::step::Step;
use drydock_tests::node::{StubCluster, scripts_folder, scripts_run};
use serde_json::json;
use std::collections::BTreeSet;

/// Registry, reboot for it, upgrade, and back: as the rolling method does it.
fn upgrade(c: &mut StubCluster, media: bool) {
    assert_eq!(c.gives("N01", Step::WriteRegistry), Receipt::Applied);
    assert_eq!(c.part("N01", "registry"), json!({"refsEnableMetadataValidation": 0, "skipSmallLocalAllocations": 0}));
    c.vacated("N01");
    let boot = c.part("N01", "boot")["id"].clone();
    assert_eq!(c.gives("N01", Step::Reboot), Receipt::Started);
    c.back("N01");
    assert_ne!(c.part("N01", "boot")["id"], boot);
    assert_eq!(c.truth("N01")["effective"], json!({"refs": 0, "small": 0}));
    assert_eq!(c.truth("N01")["paused"], true, "a pause survives a restart");
    let mut install = c.order("N01", Step::Install);
    if media {
        install = crate::way_back::from_media(c, &install);
    }
    assert_eq!(c.send(&install), Receipt::Started);
    c.until_worker("N01", &["Staged", "Failed", "Cancelled"]);
    assert_eq!(c.part("N01", "worker")["state"], "Staged");
    assert_eq!(c.part("N01", "build")["build"], 20349, "staged is not installed");
    assert_eq!(c.gives("N01", Step::Restart), Receipt::Started);
    c.back("N01");
    c.wait(json!({"field": "nodes.N01.upgrade", "in": [null]}));
    assert_eq!(c.part("N01", "build"), json!({"build": 25398, "revision": 1665}));
    assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
    c.wait(json!({"settled": true}));
    for script in ["probe-node", "probe-cluster", "probe-storage", "probe-registration", "probe-update"] {
        let value = c.run("N01", script, json!({})).expect(script);
        for (part, answer) in value.as_object().expect("parts") {
            assert_eq!(answer["ok"], true, "{script} {part}: {answer}");
        }
    }
    assert_eq!(c.count("N01", "InstallBegan"), 1);
    assert_eq!(c.count("N01", "Committed"), usize::from(!media));
    assert_eq!(c.count("N01", "ChangedBuild"), 1);
}

#[test]
fn a_node_is_upgraded_from_media() {
    let Some(mut c) = StubCluster::lease(60) else { return };
    upgrade(&mut c, true);
}

#[test]
fn a_node_is_upgraded_from_windows_update_and_every_script_is_run() {
    let Some(mut c) = StubCluster::lease(61) else { return };
    upgrade(&mut c, false);
    let (fence, cancel) = (c.fence("N01", None), c.cancel("N01"));
    assert_eq!([c.send(&fence), c.send(&cancel)], [Receipt::Applied, Receipt::Applied]);
    let doctor = c.run("N01", "probe-doctor", json!({})).expect("the doctor's look");
    assert!(doctor.is_object(), "{doctor}");
    let files = std::fs::read_dir(scripts_folder()).expect("the scripts");
    let names: BTreeSet<String> = files
        .filter_map(|f| f.ok()?.file_name().into_string().ok()?.strip_suffix(".ps1").map(str::to_owned))
        .filter(|name| name != "host" && !name.starts_with("lib-"))
        .collect();
    let mut run = scripts_run();
    // The tasks ran as tasks: the order scripts sent their text, and the node changed its build.
    run.extend(["task-install".to_owned(), "task-restart".to_owned()]);
    println!("run under real PowerShell: {}", run.iter().cloned().collect::<Vec<_>>().join(" "));
    assert_eq!(names.difference(&run).collect::<Vec<_>>(), Vec::<&String>::new(), "scripts that no test runs");
}
