//! Rule 25: the worker on the node stages and nothing else, looks before each phase, and after any boot only reports.

use drydock_model::order::Receipt;
use drydock_model::step::Step;
use drydock_tests::node::StubCluster;
use serde_json::{Value, json};

/// A node whose worker is in the middle of a download.
fn downloading(c: &mut StubCluster) {
    c.linger("download");
    c.vacated("N01");
    assert_eq!(c.gives("N01", Step::Install), Receipt::Started);
    c.until("N01", "agent.operation.what", json!("download"));
}

#[test]
fn rule_25_the_worker_stages_and_neither_commits_nor_restarts() {
    let Some(mut c) = StubCluster::lease(25) else { return };
    c.staged("N01");
    c.until_idle("N01");
    let worker = c.part("N01", "worker");
    assert_eq!((&worker["state"], &worker["percent"], &worker["alive"]), (&json!("Staged"), &json!(100), &json!(false)));
    assert_eq!((c.count("N01", "InstallBegan"), c.count("N01", "Committed"), c.count("N01", "ShutdownAsked")), (1, 0, 0));
    assert_eq!(c.truth("N01")["tasks"], json!({}), "its task is gone");
}

#[test]
fn rule_25_the_worker_goes_on_under_a_newer_fence_and_without_its_controller() {
    let Some(mut c) = StubCluster::lease(25) else { return };
    downloading(&mut c);
    let fence = c.fence("N01", None);
    assert_eq!(c.send(&fence), Receipt::Applied);
    c.drop_host("N01");
    c.hurry();
    c.until_worker("N01", &["Staged"]);
    assert_eq!(c.count("N01", "InstallBegan"), 1);
}

#[test]
fn rule_25_the_worker_stops_on_a_newer_order_for_its_node() {
    let Some(mut c) = StubCluster::lease(25) else { return };
    downloading(&mut c);
    let order = c.bare("N01", Step::WriteRegistry);
    assert_eq!(c.send(&order), Receipt::Applied);
    c.hurry();
    c.until_worker("N01", &["Cancelled"]);
    assert_eq!(c.count("N01", "InstallBegan"), 0);
}

#[test]
fn rule_25_the_worker_stops_under_a_foreign_marker() {
    let Some(mut c) = StubCluster::lease(25) else { return };
    downloading(&mut c);
    c.registry("N01", json!({"key": "SOFTWARE\\Drydock", "values": {"Marker": "9.zz/4 Suspended"}}));
    c.hurry();
    c.until_worker("N01", &["Cancelled"]);
    assert_eq!(c.count("N01", "InstallBegan"), 0);
}

#[test]
fn rule_25_after_a_boot_the_worker_only_reports() {
    let Some(mut c) = StubCluster::lease(25) else { return };
    downloading(&mut c);
    c.act("crash", Some("N01"), json!({}));
    c.back("N01");
    let worker = c.part("N01", "worker");
    assert_eq!((&worker["state"], &worker["alive"]), (&json!("Downloading"), &json!(false)));
    // Even if the scheduler starts it once more.
    let task = c.truth("N01")["tasks"].as_object().and_then(|tasks| tasks.keys().next().cloned()).expect("its task is there");
    let name = task.rsplit('\\').next().expect("a name").to_owned();
    let start = "param($Name)\nStart-ScheduledTask -TaskPath '\\Drydock\\' -TaskName $Name; 'started'";
    c.host("N01").ask(json!({"run": "start-again", "source": start, "args": {"Name": name}})).expect("the scheduler starts it");
    c.until_idle("N01");
    assert_eq!(c.part("N01", "worker")["alive"], false);
    assert_eq!(c.count("N01", "InstallBegan"), 0);
}

#[test]
fn rule_25_a_worker_that_died_shows_that_it_is_not_alive() {
    let Some(mut c) = StubCluster::lease(25) else { return };
    downloading(&mut c);
    c.act("kill_tasks", Some("N01"), json!({}));
    c.hurry();
    let worker = c.part("N01", "worker");
    assert_eq!((&worker["state"], &worker["alive"]), (&json!("Downloading"), &json!(false)));
    // The attempt may be installed no second time, another one may.
    c.attempt = 2;
    assert_eq!(c.gives("N01", Step::Install), Receipt::Started);
    c.until_worker("N01", &["Staged"]);
    assert_eq!(c.count("N01", "InstallBegan"), 1);
}

#[test]
fn what_the_agent_or_setup_answers_is_told_with_its_code() {
    let Some(mut c) = StubCluster::lease(25) else { return };
    c.vacated("N01");
    for (attempt, fault, code) in [
        (1, json!({"agent-result": {"download": "0x80240022"}}), 0x8024_0022_u32),
        (2, json!({"agent": {"CreateInstaller": "0x80070005"}}), 0x8007_0005),
    ] {
        c.attempt = attempt;
        c.fault("N01", fault.clone());
        assert_eq!(c.gives("N01", Step::Install), Receipt::Started);
        c.until_worker("N01", &["Failed"]);
        assert_eq!(c.part("N01", "worker")["code"], code, "{fault}");
    }
    c.attempt = 3;
    c.fault("N01", json!({"setup-fails": "0xC1900101"}));
    let order = c.order("N01", Step::Install);
    let order = crate::way_back::from_media(&c, &order);
    assert_eq!(c.send(&order), Receipt::Started);
    c.until_worker("N01", &["Failed"]);
    assert_eq!(c.part("N01", "worker")["code"], 0xC190_0101_u32);
    assert_eq!(c.count("N01", "ShutdownAsked"), 0);
}

#[test]
fn a_task_that_the_scheduler_refuses_leaves_nothing_behind() {
    let Some(mut c) = StubCluster::lease(25) else { return };
    c.vacated("N01");
    for fault in ["task-register-refused", "task-start-refused"] {
        c.fault("N01", json!({fault: 1}));
        let order = c.order("N01", Step::Install);
        assert!(matches!(c.send(&order), Receipt::PlatformRefused(_)), "{fault}");
        assert_eq!(c.memory("N01")["consumed"]["phase"], "PlatformRefused");
        assert_eq!(c.truth("N01")["tasks"], json!({}), "{fault}");
        assert!(c.part("N01", "worker").is_null(), "{fault}");
    }
}

#[test]
fn media_that_does_not_say_which_release_it_holds_is_not_installed() {
    let Some(mut c) = StubCluster::lease(25) else { return };
    c.vacated("N01");
    let wim = c.home("N01").join("C/Media/sources/install.wim");
    let images = std::fs::read_to_string(&wim).expect("the media");
    for (attempt, version) in ["", "24H2", "10.0.25398", "10.0.26100.4349"].into_iter().enumerate() {
        c.attempt = u8::try_from(attempt).expect("few") + 1;
        let mut other: Value = serde_json::from_str(&images).expect("JSON");
        for image in other.as_array_mut().expect("images") {
            image["Version"] = json!(version);
        }
        std::fs::write(&wim, other.to_string()).expect("the media");
        let order = c.order("N01", Step::Install);
        let order = crate::way_back::from_media(&c, &order);
        assert_eq!(c.send(&order), Receipt::Started);
        c.until_idle("N01");
        let worker = c.part("N01", "worker");
        if version == "10.0.25398" {
            assert_eq!(worker["state"], "Staged", "a release without a revision is told well enough");
            assert_eq!(c.gives("N01", Step::Return), Receipt::Applied);
            c.wait(json!({"settled": true}));
            c.vacated("N01");
        } else {
            assert_eq!((&worker["state"], &worker["code"]), (&json!("Failed"), &json!(0xA0DD_0003_u32)), "{version}");
        }
    }
    std::fs::write(&wim, images).expect("the media");
    assert_eq!(c.count("N01", "InstallBegan"), 1);
}

#[test]
fn a_reason_to_stop_is_believed_only_when_it_is_seen_under_the_mutex() {
    let Some(mut c) = StubCluster::lease(25) else { return };
    c.staged("N01");
    c.until_idle("N01");
    // What an order consumes is written before what it asks of the work.
    let looks = r"param()
$item = @(Get-ChildItem -LiteralPath (Get-WorkRoot))[0]
$work = @{ folder = $item.FullName; name = $item.Name; values = $null; state = $null }
$digest = 'a' * 64
Set-Consumed '1.ab/900' $digest 'Started'
$seen = Find-StopReason $work
function Invoke-Alone([string]$Machine, [scriptblock]$Inside) {
    # By the time that the mutex is free the order has written the rest.
    $values = Read-JsonFile (Join-Path $work.folder 'values.json')
    $values.place = '1.ab/900'
    Write-JsonFile (Join-Path $work.folder 'values.json') $values
    & $Inside
}
$taken = Get-StopReason $work
Set-Consumed '1.ab/901' $digest 'Started'
function Invoke-Alone([string]$Machine, [scriptblock]$Inside) { New-Refusal 'Busy' $null }
$busy = Get-StopReason $work
function Invoke-Alone([string]$Machine, [scriptblock]$Inside) { & $Inside }
$newer = Get-StopReason $work
[ordered]@{ seen = $seen; taken = $taken; busy = $busy; newer = $newer; place = $work.values.place }";
    let told = c.host("N01").ask(json!({"run": "looks", "source": looks, "args": {}})).expect("it looks");
    let expected =
        json!({"seen": "newer order 1.ab/900", "taken": null, "busy": null, "newer": "newer order 1.ab/901", "place": "1.ab/900"});
    assert_eq!(told, expected);
}
