//! Real processes on a real repository: killed at random moments, and two at a time (law L5: one wins, the other stands down).

use drydock_lab::Dice;
use drydock_tests::binary::Field;
use std::collections::BTreeMap;
use std::time::Duration;

/// Real time for an upgrade of two nodes. It takes some ten seconds; this is for noticing that nothing happens any more.
const MOST: Duration = Duration::from_secs(600);

fn kills() -> u64 {
    std::env::var("DRYDOCK_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(5)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Each entry was opened once and closed once, whoever wrote it.
fn judge_messages(messages: &[String]) {
    let mut counts: BTreeMap<(String, &str), usize> = BTreeMap::new();
    for message in messages {
        let Some(trailers) = drydock_spec::wire::message::parse(message) else { panic!("a commit without trailers: {message}") };
        let (Some(entry), Some(outcome)) = (trailers.entry, trailers.outcome) else { continue };
        if trailers.step.is_none() {
            continue;
        }
        let kind = match outcome.as_str() {
            "Opened" => "opened",
            text if text.starts_with("Done") || text.starts_with("Failed") || text.starts_with("Abandoned") => "closed",
            "Inherited" | "Superseded" => "closed",
            _ => continue,
        };
        *counts.entry((entry, kind)).or_insert(0) += 1;
    }
    assert!(!counts.is_empty(), "no entry is told of");
    let twice: Vec<_> = counts.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "twice: {twice:?}");
}

#[test]
fn a_controller_killed_at_random_moments_loses_nothing_and_does_nothing_twice() {
    runtime().block_on(async {
        let seed = 7;
        let mut dice = Dice::named(seed, "kills");
        let mut field = Field::new(seed, 600);
        let mut controller = field.controller("north", &[]);
        for _ in 0..kills() {
            // Between a moment after its start and a lap or two later.
            tokio::time::sleep(Duration::from_millis(100 + dice.below(900))).await;
            controller.kill();
            controller = field.controller("north", &[]);
        }
        let ended = field.until_upgraded(MOST).await;
        let log = controller.said();
        let truth = ended.unwrap_or_else(|truth| panic!("not upgraded: {truth:?}\n{log}"));
        assert_eq!(truth.repeated, 0, "an install or a commit happened twice");
        assert!(truth.catastrophes.is_empty(), "{:?}", truth.catastrophes);
        // The last one may have been started a moment ago; a signal before it listens ends it as it ends any process.
        while !controller.said().contains("claimed") {
            assert!(controller.ended().is_none(), "{}", controller.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let status = controller.stop();
        assert!(status.success(), "{status}: {log}");
        judge_messages(&field.repository().messages());
        assert_eq!(field.repository().fsck(), "");
        println!("{} kills, {} commits", kills(), field.repository().messages().len());
    });
}

#[test]
fn of_two_controllers_one_works_and_the_other_stands_down() {
    runtime().block_on(async {
        let mut field = Field::new(11, 600);
        let first = field.controller("north", &[]);
        // Held by north as soon as its claim is on the branch.
        while !field.repository().messages().iter().any(|m| m.starts_with("Claim")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (status, said) = field.controller("south", &[]).end();
        assert_eq!(status.code(), Some(7), "L5: the other one stands down: {said}");
        assert!(said.contains("held by the controller \"north\""), "{said}");
        let second = field.controller("south", &["--take-over"]);
        let (status, said) = first.end();
        assert_eq!(status.code(), Some(7), "{said}");
        let truth = field.until_upgraded(MOST).await.unwrap_or_else(|truth| panic!("not upgraded: {truth:?}\n{}", second.said()));
        assert_eq!(truth.repeated, 0);
        assert!(truth.catastrophes.is_empty(), "{:?}", truth.catastrophes);
        assert!(second.stop().success());
        judge_messages(&field.repository().messages());
    });
}

/// The command lines of processes that name a folder.
fn naming(folder: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = all.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(folder)).collect()
}

#[test]
fn a_demo_that_is_told_to_stop_leaves_no_process_behind() {
    use std::io::BufRead;
    let folder = tempfile::tempdir().unwrap();
    let keep = folder.path().join("demo");
    let named = keep.to_str().unwrap();
    let mut demo = std::process::Command::new(drydock_tests::binary::binary())
        .args(["demo", "--keep", named])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(demo.stdout.take().unwrap()).lines();
    // By then the lab and the controller run.
    assert!(lines.any(|line| line.unwrap().contains("Pull request #1 is merged")), "it ended before");
    assert_eq!(naming(named).len(), 3, "{:?}", naming(named));
    assert!(std::process::Command::new("sh").args(["-c", &format!("kill -TERM {}", demo.id())]).status().unwrap().success());
    // Read to the end, so that it is not held up by a full pipe.
    lines.for_each(drop);
    assert_eq!(demo.wait().unwrap().code(), Some(1));
    assert_eq!(naming(named), Vec::<String>::new());
}
