//! The session host in a real PowerShell, as a local process.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod common;

use common::{MINUTE, bed, local, powershell};
use drydock_windows::SessionError;
use drydock_windows::scripts::LIBRARIES;
use drydock_windows::session::{Script, Target};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The target, or a word that the test is left out: a machine without PowerShell can build and run the rest.
fn target() -> Option<Target> {
    powershell().map(|p| local("N01", &p))
}

fn arguments(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

const ECHO: Script = Script {
    name: "echo",
    source: "[CmdletBinding()]param([string]$Text, [long]$Number, [bool]$Flag, [string[]]$List)\n@{ text = $Text; number = $Number; flag = $Flag; list = @($List); count = @($List).Count }",
};

#[tokio::test(flavor = "multi_thread")]
async fn values_pass_through_unharmed_whatever_is_in_them() {
    let Some(target) = target() else { return };
    let bed = bed(BTreeMap::new(), |_| {});
    for text in ["plain", "'; throw 'x'; '", "$(throw 1) `n \"", "\u{e9}\u{1f600}\u{2028} \u{0}\r\n", "#", "\\\\server\\share", "{\"a\":1}"]
    {
        let given =
            arguments(json!({ "Text": text, "Number": 9_007_199_254_740_991_i64, "Flag": true, "List": ["a", text], "Gone": null }));
        let value = bed.sessions.run(&target, ECHO, &[], given, MINUTE).await.unwrap();
        assert_eq!(value, json!({ "text": text, "number": 9_007_199_254_740_991_i64, "flag": true, "list": ["a", text], "count": 2 }));
    }
    assert_eq!(bed.sessions.figures().opened, 1, "one session served all");
    assert!(bed.sessions.close(MINUTE).await);
    assert_eq!(bed.sessions.figures().open, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_is_no_answer_and_an_error_is_told_as_the_node_told_it() {
    let Some(target) = target() else { return };
    let bed = bed(BTreeMap::new(), |_| {});
    let noisy = Script {
        name: "noisy",
        source: "[Console]::Out.Write('no newline {\"id\":1,\"ok\":true}'); [Console]::Error.WriteLine('and there'); Write-Host 'here'; 'value'",
    };
    let run = |script| bed.sessions.run(&target, script, &[], Map::new(), MINUTE);
    assert_eq!(run(noisy).await.unwrap(), json!("value"));
    let throws = Script { name: "throws", source: "\nGet-Item /nowhere/at/all -ErrorAction Stop" };
    match run(throws).await.unwrap_err() {
        SessionError::ScriptFailed { category, id, script, line, .. } => {
            assert_eq!((category.as_str(), script.as_str(), line), ("ObjectNotFound", "throws", 2));
            assert!(id.starts_with("PathNotFound"), "{id}");
        }
        other => panic!("{other}"),
    }
    let unbound = bed.sessions.run(&target, ECHO, &[], arguments(json!({ "Nonsense": 1 })), MINUTE).await.unwrap_err();
    assert!(matches!(&unbound, SessionError::ScriptFailed { id, .. } if id.starts_with("NamedParameterNotFound")), "{unbound}");
    assert_eq!(run(noisy).await.unwrap(), json!("value"), "the session is still good");
    assert_eq!(bed.sessions.figures().opened, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_libraries_load_once_and_stay() {
    let Some(target) = target() else { return };
    let bed = bed(BTreeMap::new(), |_| {});
    let uses = Script { name: "uses", source: "@{ a = [bool](Get-Command ConvertTo-WireJson -CommandType Function) }" };
    for _ in 0..2 {
        assert_eq!(bed.sessions.run(&target, uses, LIBRARIES, Map::new(), MINUTE).await.unwrap(), json!({ "a": true }));
    }
    let broken = Script { name: "lib-broken", source: "throw 'no'" };
    let error = bed.sessions.run(&target, uses, &[broken], Map::new(), MINUTE).await.unwrap_err();
    assert!(matches!(error, SessionError::ScriptRefused(_)) && !error.was_sent(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_never_ends_is_cut_and_the_next_one_gets_a_new_session() {
    let Some(target) = target() else { return };
    let bed = bed(BTreeMap::new(), |_| {});
    let forever = Script { name: "forever", source: "while ($true) { [System.Threading.Thread]::Sleep(50) }" };
    bed.sessions.run(&target, ECHO, &[], Map::new(), MINUTE).await.unwrap();
    let error = bed.sessions.run(&target, forever, &[], Map::new(), std::time::Duration::from_secs(2)).await.unwrap_err();
    assert!(matches!(error, SessionError::AnswerLost(_)) && error.was_sent(), "{error}");
    bed.sessions.run(&target, ECHO, &[], Map::new(), MINUTE).await.unwrap();
    assert!(bed.sessions.close(MINUTE).await, "the stuck host was ended, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_under_a_script_loses_the_answer_and_one_that_died_before_costs_nothing() {
    let Some(target) = target() else { return };
    let bed = bed(BTreeMap::new(), |_| {});
    let dies = Script { name: "dies", source: "[Environment]::Exit(7)" };
    let error = bed.sessions.run(&target, dies, &[], Map::new(), MINUTE).await.unwrap_err();
    assert!(matches!(&error, SessionError::AnswerLost(why) if why.contains("exit code 7")), "{error}");
    let pid = Script { name: "pid", source: "$PID" };
    let first = bed.sessions.run(&target, pid, &[], Map::new(), MINUTE).await.unwrap();
    let killed = std::process::Command::new("kill").args(["-9", &first.to_string()]).status().unwrap();
    assert!(killed.success());
    let second = bed.sessions.run(&target, pid, &[], Map::new(), MINUTE).await;
    // The pipe may take one more write before the death shows: then the answer counts as lost, never as not sent.
    match second {
        Ok(second) => assert_ne!(first, second),
        Err(error) => assert!(error.was_sent(), "{error}"),
    }
    bed.sessions.run(&target, pid, &[], Map::new(), MINUTE).await.unwrap();
}
