//! Session hosts that behave badly, as shell scripts: what a session does with them, in bounded time and memory.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on shall stop, and says aloud what it leaves out")]

mod common;

use common::{MINUTE, bed, local};
use drydock_windows::SessionError;
use drydock_windows::session::{Script, Target};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

/// Greets, and answers with its process id; what it shall do instead is the script's name.
const HOST: &str = r#"#!/bin/sh
read -r token
printf '\n%s {"id":0,"ok":true,"value":{"host":%s}}\n' "$token" "$$"
while IFS= read -r line; do
  if [ -z "$line" ]; then echo beat >> "$0.beats"; continue; fi
  id=${line#*\"id\":}; id=${id%%[,\}]*}
  case $line in
    *'"run":"silent"'*) ;;
    *'"run":"babble"'*) while :; do printf '%04096d\n' 0; done ;;
    *'"run":"long"'*) printf '\n%s ' "$token"; while :; do printf '%04096d' 0; done ;;
    *'"run":"die"'*) echo "last words" >&2; exit 3 ;;
    *'"run":"other"'*) printf '\n%s {"id":999,"ok":true,"value":1}\n' "$token" ;;
    *'"run":"forged"'*) printf '%s\n' "0123456789abcdef0123456789abcdef {\"id\":$id,\"ok\":true,\"value\":1}"; printf '\n%s {"id":%s,"ok":true,"value":"real"}\n' "$token" "$id" ;;
    *'"run":"garbled"'*) printf '\n%s hello\n' "$token" ;;
    *) printf '\n%s {"id":%s,"ok":true,"value":%s}\n' "$token" "$id" "$$" ;;
  esac
done
"#;

fn script(name: &'static str) -> Script {
    Script { name, source: "x" }
}

struct Node {
    _folder: tempfile::TempDir,
    target: Target,
    beats: std::path::PathBuf,
}

fn node(name: &str, text: &str) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Node { beats: folder.path().join("host.beats"), target: local(name, &path.to_string_lossy()), _folder: folder }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_a_babbling_a_dying_and_a_lying_host_are_each_noticed() {
    let node = node("N01", HOST);
    let bed = bed(BTreeMap::new(), |_| {});
    let mut seen = Vec::new();
    for name in ["silent", "babble", "long", "die", "other", "garbled", "forged"] {
        let within = if name == "silent" { Duration::from_millis(300) } else { MINUTE };
        let result = bed.sessions.run(&node.target, script(name), &[], Map::new(), within).await;
        seen.push(match result {
            Ok(value) => format!("{name}: {value}"),
            Err(error) => format!("{name}: {} sent={} {error}", error.code(), error.was_sent()),
        });
    }
    expect_test::expect![[r#"
        silent: DD0609 sent=true the answer was lost: script silent did not answer in time; the script may have run, so look before anything is repeated
        babble: DD0610 sent=true the answer cannot be understood: the node wrote 16777216 bytes without an answer
        long: DD0610 sent=true the answer cannot be understood: an answer is longer than 4194304 bytes
        die: DD0609 sent=true the answer was lost: PowerShell ended with exit code 3: last words; the script may have run, so look before anything is repeated
        other: DD0610 sent=true the answer cannot be understood: answer 999 came where 1 was awaited
        garbled: DD0610 sent=true the answer cannot be understood: an answer is not what the session host writes: expected value at line 1 column 1
        forged: "real""#]].assert_eq(&seen.join("\n"));
    assert!(bed.sessions.close(MINUTE).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_greet_is_told_by_its_own_words() {
    let bed = bed(BTreeMap::new(), |c| c.greeting = Duration::from_millis(300));
    let mut seen = Vec::new();
    for text in [
        "#!/bin/sh\necho 'cannot be loaded because running scripts is disabled'\nexit 1\n",
        "#!/bin/sh\nread -r token\necho 'DRYDOCK-LANGUAGE ConstrainedLanguage'\nexit 4\n",
        "#!/bin/sh\nread -r token\nread -r more\n",
    ] {
        let node = node("N01", text);
        let error = bed.sessions.run(&node.target, script("one"), &[], Map::new(), MINUTE).await.unwrap_err();
        seen.push(format!("{} sent={} {error}", error.code(), error.was_sent()));
    }
    let missing = local("N01", "/nowhere/powershell");
    let error = bed.sessions.run(&missing, script("one"), &[], Map::new(), MINUTE).await.unwrap_err();
    seen.push(format!("{} sent={}", error.code(), error.was_sent()));
    expect_test::expect![[r#"
        DD0607 sent=false the node would not run the script: PowerShell ended with exit code 1: cannot be loaded because running scripts is disabled
        DD0607 sent=false the node would not run the script: PowerShell runs in ConstrainedLanguage mode there; an application control policy must allow the account FullLanguage
        DD0607 sent=false the node would not run the script: PowerShell did not greet within 300ms
        DD0607 sent=false"#]].assert_eq(&seen.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_session_beats_and_then_ends_by_itself() {
    let node = node("N01", HOST);
    let bed = bed(BTreeMap::new(), |c| {
        c.heartbeat = Duration::from_millis(30);
        c.idle = Duration::from_millis(400);
    });
    bed.sessions.run(&node.target, script("one"), &[], Map::new(), MINUTE).await.unwrap();
    let deadline = tokio::time::Instant::now() + MINUTE;
    while bed.sessions.figures().open > 0 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    assert!(fs::read_to_string(&node.beats).unwrap().lines().count() >= 3);
    bed.sessions.run(&node.target, script("one"), &[], Map::new(), MINUTE).await.unwrap();
    assert_eq!(bed.sessions.figures().opened, 2, "and is opened again when it is needed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_opens_no_more_sessions_than_allowed_and_idle_ones_make_room() {
    let nodes: Vec<Node> = (0..6).map(|n| node(&format!("N0{n}"), HOST)).collect();
    let bed = bed(BTreeMap::new(), |c| (c.open, c.together) = (2, 3));
    for _ in 0..3 {
        let mut all = Vec::new();
        for node in &nodes {
            all.push(bed.sessions.run(&node.target, script("one"), &[], Map::new(), MINUTE));
        }
        let results: Vec<Result<Value, SessionError>> = join(all).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        assert!(bed.sessions.figures().open <= 2);
    }
    assert!(bed.sessions.close(MINUTE).await);
    assert_eq!(bed.sessions.figures().open, 0);
}

async fn join<F: Future>(all: Vec<F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn an_argument_that_is_neither_plain_nor_a_list_of_texts_is_never_sent() {
    let node = node("N01", HOST);
    let bed = bed(BTreeMap::new(), |_| {});
    for bad in [serde_json::json!({ "a": { "b": 1 } }), serde_json::json!({ "a": [1] }), serde_json::json!({ "a": [["x"]] })] {
        let error = bed.sessions.run(&node.target, script("one"), &[], bad.as_object().unwrap().clone(), MINUTE).await.unwrap_err();
        assert!(matches!(&error, SessionError::ScriptRefused(_)) && !error.was_sent(), "{error}");
    }
}
