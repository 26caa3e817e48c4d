//! What the probes say, and how they say that they do not know.

use drydock_tests::node::{Gap, StubCluster, scripts_folder};
use serde_json::{Value, json};

fn gap(word: &str) -> Option<Gap> {
    Some(Gap(word.to_owned()))
}

#[test]
fn a_stopped_cluster_service_is_a_gap_and_never_an_empty_cluster() {
    let Some(mut c) = StubCluster::lease(50) else { return };
    let fence = c.fence("N01", None);
    c.send(&fence);
    let known = c.part("N01", "identity");
    let stop = "param()\nStop-Service -Name clussvc; 'stopped'";
    c.host("N01").ask(json!({"run": "stop", "source": stop, "args": {}})).expect("the service stops");
    let probe = c.probe("N01");
    assert_eq!(probe["identity"]["value"], known, "what the node's own key remembers for this machine");
    assert_eq!(probe["service"]["value"], "Stopped");
    assert_eq!(Gap::of(&probe["view"]), gap("ClusterServiceStopped"));
    for (script, parts) in
        [("probe-cluster", vec!["level", "sites", "wouldLoseQuorum", "groups"]), ("probe-storage", vec!["disks", "jobs", "drives", "pool"])]
    {
        let value = c.run("N01", script, json!({})).expect(script);
        for part in parts {
            assert_eq!(Gap::of(&value[part]), gap("ClusterServiceStopped"), "{script} {part}: {}", value[part]);
        }
    }
    let seen = c.part("N02", "view");
    assert_eq!(seen["members"][0]["state"], "Down");
    let disable = "param()\nSet-Service -Name clussvc -StartupType Disabled; 'disabled'";
    c.host("N01").ask(json!({"run": "disable", "source": disable, "args": {}})).expect("the service is disabled");
    assert_eq!(c.part("N01", "service"), "Disabled");
}

#[test]
fn a_paused_node_and_its_storage_are_told_in_the_words_of_windows() {
    let Some(mut c) = StubCluster::lease(51) else { return };
    c.vacated("N01");
    let view = c.part("N02", "view");
    assert_eq!(
        view["members"][0],
        json!({"name": "N01", "state": "Paused", "drain": "Completed", "information": "DrainCompleted", "dynamicWeight": 1, "roles": 0})
    );
    assert_eq!(view["witness"], json!({"kind": "Online", "dynamicWeight": 1}));
    let storage = c.run("N02", "probe-storage", json!({})).expect("storage");
    let disk = &storage["disks"]["value"][0];
    assert_eq!(disk["health"], "Warning");
    assert!(["Incomplete", "Degraded"].contains(&disk["operational"][0].as_str().unwrap_or_default()), "{disk}");
    assert_eq!(storage["drives"]["value"][0], json!({"node": "N01", "total": 4, "good": 0, "maintenance": 4}));
    assert_eq!(storage["drives"]["value"][1], json!({"node": "N02", "total": 4, "good": 4, "maintenance": 0}));
    assert_eq!(storage["pool"]["value"]["version"], 24, "the number, not the display text");
    c.gives("N01", drydock_model::step::Step::Return);
    c.wait(json!({"settled": true}));
    let storage = c.run("N02", "probe-storage", json!({})).expect("storage");
    assert_eq!((&storage["disks"]["value"][0]["operational"], &storage["jobs"]["value"]), (&json!(["OK"]), &json!([])));
}

#[test]
fn the_drives_of_a_node_that_is_down_are_counted_as_its_own() {
    let Some(mut c) = StubCluster::lease(52) else { return };
    c.act("crash", Some("N03"), json!({"stays": true}));
    let storage = c.run("N01", "probe-storage", json!({})).expect("storage");
    assert_eq!(storage["drives"]["value"][2], json!({"node": "N03", "total": 4, "good": 0, "maintenance": 0}));
}

#[test]
fn one_part_that_fails_never_takes_another_with_it() {
    let Some(mut c) = StubCluster::lease(53) else { return };
    c.fault("N01", json!({"deny": ["Get-StorageJob"], "fail": {"Get-CimInstance": ["HRESULT 0x80041001", "NotSpecified", "Generic failure", 0x8004_1001_u32]}}));
    let probe = c.probe("N01");
    assert_eq!(Gap::of(&probe["identity"]), gap("Failed"), "{}", probe["identity"]);
    assert_eq!(Gap::of(&probe["view"]), None);
    let storage = c.run("N01", "probe-storage", json!({})).expect("storage");
    assert_eq!((Gap::of(&storage["jobs"]), Gap::of(&storage["disks"])), (gap("AccessDenied"), None));
}

#[test]
fn a_module_that_is_missing_is_a_gap() {
    let Some(mut c) = StubCluster::lease(54) else { return };
    let module = c.home("N04").join("Modules/AzureStackHCI");
    let real = std::fs::read_link(&module).expect("a link to the module");
    std::fs::remove_file(&module).expect("the link goes");
    c.drop_host("N04");
    let value = c.run("N04", "probe-registration", json!({})).expect("registration");
    std::os::unix::fs::symlink(real, &module).expect("the link comes back");
    c.drop_host("N04");
    assert_eq!(Gap::of(&value["registration"]), gap("NotThere"), "{value}");
    assert_eq!(Gap::of(&value["stamp"]), None);
}

#[test]
fn the_sites_of_a_stretched_cluster_are_counted() {
    let Some(mut c) = StubCluster::lease(62) else { return };
    let sites = |c: &mut StubCluster| c.run("N01", "probe-cluster", json!({})).expect("the cluster")["sites"].clone();
    assert_eq!(sites(&mut c), json!({"ok": true, "value": 0}));
    for (named, count) in [(json!(["Redmond"]), 1), (json!(["Redmond", "Quincy"]), 2)] {
        c.fault("cluster", json!({"sites": named}));
        assert_eq!(sites(&mut c), json!({"ok": true, "value": count}));
    }
}

#[test]
fn the_update_agent_offers_its_feature_update_also_where_it_refuses_the_newer_criterion() {
    let Some(mut c) = StubCluster::lease(55) else { return };
    let offers = json!([{"title": "Feature update to Azure Stack HCI, version 23H2", "category": "Upgrades"}]);
    assert_eq!(c.run("N01", "probe-update", json!({})).expect("offers")["offers"]["value"], offers);
    c.fault("N01", json!({"no-optional-criterion": true}));
    assert_eq!(c.run("N01", "probe-update", json!({})).expect("offers")["offers"]["value"], offers);
    c.fault("N01", json!({"agent": {"Search": "0x8024002E"}}));
    assert_eq!(Gap::of(&c.run("N01", "probe-update", json!({})).expect("no offers")["offers"]), gap("Failed"));
}

#[test]
fn a_registration_that_needs_repair_is_told() {
    let Some(mut c) = StubCluster::lease(56) else { return };
    let azure = json!({"ClusterStatus": "Clustered", "RegistrationStatus": "RepairRegistrationRequired", "ConnectionStatus": "Connected", "stamp": true});
    c.fault("N01", json!({"azure": azure}));
    let value = c.run("N01", "probe-registration", json!({})).expect("registration");
    assert_eq!(
        value["registration"]["value"],
        json!({"registrationStatus": "RepairRegistrationRequired", "connectionStatus": "Connected"})
    );
    assert_eq!(value["stamp"]["value"], json!({"present": true}));
}

#[test]
fn the_service_of_the_solution_says_that_it_is_deployed_also_where_its_command_fails() {
    let Some(mut c) = StubCluster::lease(63) else { return };
    let solution = |c: &mut StubCluster| c.run("N01", "probe-cluster", json!({})).expect("the cluster")["solution"].clone();
    assert_eq!(solution(&mut c), json!({"ok": true, "value": {"present": false}}));
    c.fault("N01", json!({"fail": {"Get-StampInformation": ["StampUnavailable", "NotSpecified", "the service does not answer", 0]}}));
    assert_eq!(Gap::of(&solution(&mut c)), gap("Failed"), "without its service nobody can tell");
    let service = json!({"display": "Azure Stack HCI Orchestrator Service", "status": "Stopped", "start": "Manual"});
    c.act("set", Some("N01"), json!({"services.Orchestrator": service}));
    assert_eq!(solution(&mut c), json!({"ok": true, "value": {"present": true}}));
}

#[test]
fn the_session_host_keeps_answers_and_noise_apart() {
    let Some(mut c) = StubCluster::lease(57) else { return };
    let host = c.host("N01");
    let noisy = "param([string]$Text)\n[Console]::Out.Write('half a line'); [Console]::Out.WriteLine('{\"id\":1,\"ok\":true}'); $Text";
    let text = "M\u{fc}nchen \u{1f6a2} \"'$(exit)`\u{7f}";
    let answer = host.ask(json!({"run": "noisy", "source": noisy, "args": {"Text": text}}));
    assert_eq!(answer, Ok(json!(text)), "a value never enters script text");
    assert!(host.noise().iter().any(|line| line.contains("half a line")), "{:?}", host.noise());
    host.write("");
    assert_eq!(host.ask(json!({"run": "noisy", "args": {"Text": "still here"}})), Ok(json!("still here")), "known by its name");
    let unknown = host.ask(json!({"run": "never-sent", "args": {}})).expect_err("nobody knows it");
    assert!(unknown.message.contains("DrydockUnknownScript") || unknown.id.contains("DrydockUnknownScript"), "{unknown}");
    let two = host.ask(json!({"run": "two", "source": "param()\n1; 2", "args": {}})).expect_err("two values");
    assert!(two.id.contains("DrydockNotOneValue"), "{two}");
    c.drop_host("N01");
}

#[test]
fn every_script_refuses_a_parameter_that_it_does_not_have() {
    let Some(mut c) = StubCluster::lease(59) else { return };
    let files = std::fs::read_dir(scripts_folder()).expect("the scripts");
    let names = files.filter_map(|f| f.ok()?.file_name().into_string().ok()?.strip_suffix(".ps1").map(str::to_owned));
    for name in names.filter(|name| name.starts_with("probe-") || name.starts_with("order-")) {
        let wrong = c.run("N01", &name, json!({"NoSuchParameter": 1})).expect_err("no such parameter");
        assert!(wrong.id.starts_with("NamedParameterNotFound"), "{name}: {wrong}");
    }
}

#[test]
fn the_session_host_is_short_and_plain() {
    let host = std::fs::read_to_string(scripts_folder().join("host.ps1")).expect("the host");
    assert!(host.len() <= 2_800 && host.is_ascii(), "{}", host.len());
}

#[test]
fn numbers_beyond_what_json_bears_never_occur() {
    let Some(mut c) = StubCluster::lease(58) else { return };
    for script in ["probe-node", "probe-cluster", "probe-storage", "probe-registration", "probe-update"] {
        let value = c.run("N01", script, json!({})).expect(script);
        walk(&value, script);
    }
}

fn walk(value: &Value, at: &str) {
    match value {
        Value::Number(n) => assert!(n.as_i64().is_some_and(|n| n.unsigned_abs() < 1 << 53), "{at}: {n}"),
        Value::Array(items) => items.iter().for_each(|v| walk(v, at)),
        Value::Object(fields) => fields.iter().for_each(|(k, v)| walk(v, &format!("{at}.{k}"))),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
