//! The whole stack on one machine: the real binary upgrades three stub nodes over WinRM with TLS, WinRM with sealed messages, and SSH, once from Windows
//! Update and once from media; through a `kill -9`, cut connections, the nodes' own restarts, and an account whose password changes in mid-run.
//!
//! Where PowerShell, sshd or the servers' Python environment is missing, the tests say so by name and have not run.

use drydock_tests::stack::{FIRST_SECRET, NODES, SECOND_SECRET, Stack, TLS_SECRET, missing};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Real time for one part of the story. The longest takes some four minutes on two busy cores; this is for noticing that nothing happens any more.
const MOST: Duration = Duration::from_secs(900);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Whether the test can run here; says why not.
fn can_run(name: &str) -> bool {
    match missing() {
        None => true,
        Some(why) => {
            drydock_tests::left_out(name, &why);
            false
        }
    }
}

/// Every node runs 23H2 and serves, and what may happen once happened once on each.
fn judge(truth: &Value, media: bool) {
    for name in NODES {
        let node = &truth["nodes"][name];
        assert_eq!(
            (&node["build"], &node["on"], &node["paused"], &node["joined"]),
            (&json!(25398), &json!(true), &json!(false), &json!(true)),
            "{name}"
        );
    }
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for effect in truth["effects"].as_array().unwrap() {
        *counts.entry((effect["node"].as_str().unwrap(), effect["did"].as_str().unwrap())).or_insert(0) += 1;
    }
    let count = |node, did| counts.get(&(node, did)).copied().unwrap_or(0);
    for name in NODES {
        let once = [("InstallBegan", 1), ("ChangedBuild", 1), ("Committed", usize::from(!media)), ("RolledBack", 0)];
        for (did, times) in once {
            assert_eq!(count(name, did), times, "{name} {did}: {counts:?}");
        }
        // Once for the registry values, once for the upgrade; whether a node is still paused after it is not documented, and drawn.
        assert_eq!(count(name, "Suspended"), 2, "{name}: {counts:?}");
        assert!((1..=2).contains(&count(name, "Resumed")), "{name}: {counts:?}");
    }
    assert_eq!((count("cluster", "QuorumLost"), count("cluster", "DataUnavailable")), (0, 0), "{counts:?}");
}

/// No shell is left on a node that is reached over WinRM, and the server made no mistake of its own.
fn no_shell_is_left(stack: &Stack) {
    for name in ["N01", "N02"] {
        let counters = stack.counters(name);
        assert_eq!((&counters["shellsOpen"], &counters["broken"]), (&json!(0), &json!(0)), "{name}: {counters}");
    }
}

#[test]
fn three_nodes_are_upgraded_from_windows_update_through_a_kill_cut_connections_and_a_changed_password() {
    if !can_run("the upgrade from Windows Update") {
        return;
    }
    runtime().block_on(async {
        let mut stack = Stack::new(3, "{windowsUpdate: {}}");
        let mut controller = stack.controller();
        let told = async |stack: &mut Stack, texts: &[&str], log: &dyn Fn() -> String| {
            if let Err(why) = stack.until_told(texts, MOST).await {
                panic!("{why}\n{}", log());
            }
        };
        // What N01 is asked next, orders and probes, is done, and the answer lost.
        told(&mut stack, &["Vacate opened"], &|| controller.said()).await;
        stack.switch("N01", &json!({"faults": [{"do": "cut-after", "action": "Receive", "times": 2}]}));
        told(&mut stack, &["Install opened"], &|| controller.said()).await;
        let cut = stack.counters("N01")["switched"].as_u64();
        assert!(cut.is_some_and(|cut| cut > 0), "no answer of N01 was cut off: {}", stack.counters("N01"));
        controller.kill();
        // The directory has a new password, and the controller the old one: it holds, and does not lock the account out.
        stack.change_password(SECOND_SECRET);
        controller = stack.controller();
        told(&mut stack, &["credential sealed"], &|| controller.said()).await;
        let failed = stack.counters("N02")["failedLogons"].as_u64().unwrap_or(99);
        // The new process knows nothing of the secret, so its first logon is alone; the next one is half an hour later by its clock.
        assert!((1..=2).contains(&failed), "{failed} failed logons: three lock an account out");
        stack.change_secret(SECOND_SECRET);
        told(&mut stack, &["nothing left to do", "every node runs 23H2"], &|| controller.said()).await;
        judge(&stack.truth(), false);
        assert!(controller.stop().success());
        no_shell_is_left(&stack);
        for (path, bytes) in stack.everything_written() {
            for secret in [TLS_SECRET, FIRST_SECRET, SECOND_SECRET] {
                assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()), "{} holds a secret", path.display());
            }
        }
    });
}

#[test]
fn three_nodes_are_upgraded_from_media() {
    if !can_run("the upgrade from media") {
        return;
    }
    runtime().block_on(async {
        let mut stack = Stack::new(5, "{media: {path: 'C:\\Media'}}");
        let controller = stack.controller();
        if let Err(why) = stack.until_told(&["nothing left to do", "every node runs 23H2"], MOST).await {
            panic!("{why}\n{}", controller.said());
        }
        judge(&stack.truth(), true);
        assert!(controller.stop().success());
        no_shell_is_left(&stack);
    });
}
