//! The status branch in memory keeps the promises that the real one keeps.

use super::hand::START;
use super::process::wanted;
use crate::sim::{Branch, BranchWrite, SimClock, SimStore, Sleep};
use crate::{Durations, Lab};
use drydock_engine::ports::{Appended, ClaimError, Clock, Record, Store, StoreError, TakeOver};
use drydock_model::fact::Gap;
use drydock_model::ids::{ClusterName, Epoch};
use drydock_model::ledger::{Event, Ledger};
use drydock_model::observed::{ClusterFacts, Observed};
use drydock_model::plan::{Decision, Remote, Report, WindowReport};
use drydock_model::time::{Millis, Span, Stamp};
use std::sync::{Arc, Mutex};

fn clock() -> SimClock {
    of_seed(3)
}

fn of_seed(seed: u64) -> SimClock {
    SimClock::new(Arc::new(Mutex::new(Lab::new(0, START, Durations::real()))), Sleep::Drives, seed)
}

fn name(text: &str) -> ClusterName {
    text.parse().unwrap()
}

/// An entry that leaves a trace in the ledger.
fn record(cluster: &str, revision: &str) -> Record {
    Record {
        cluster: name(cluster),
        path: "clusters/c.yaml".to_owned(),
        events: vec![Event::Read(revision.parse().unwrap())],
        stamp: Stamp::At(START),
        at: START,
        decision: Decision::Converged,
        report: Report {
            nodes: Default::default(),
            window: WindowReport::Always,
            next: String::new(),
            next_at: None,
            blocked_by: Vec::new(),
            warnings: Vec::new(),
            estimate: None,
        },
        observed: Observed { nodes: Default::default(), cluster: ClusterFacts::unknown(&Gap::NotAsked), span: Span::at(START) },
        remote: Remote::Confirmed,
        stop: None,
        wanted: Arc::new(wanted(2)),
    }
}

async fn claimed(branch: &Branch, holder: &str) -> (SimStore, Epoch) {
    let store = SimStore::new(branch.clone(), holder, of_seed(holder.len() as u64 + branch.commits().len() as u64));
    let epoch = store.claim(TakeOver::Yes).await.unwrap();
    (store, epoch)
}

async fn read(store: &SimStore, cluster: &str) -> (Ledger, Remote) {
    let reading = store.read(&name(cluster)).await.unwrap();
    (reading.ledger.known().unwrap().clone(), reading.remote)
}

fn observed_of(ledger: &Ledger) -> Option<&str> {
    ledger.revisions.observed.as_ref().map(|r| r.as_str())
}

#[tokio::test]
async fn an_entry_is_read_back_by_whoever_claims_next() {
    let branch = Branch::new();
    let (one, first) = claimed(&branch, "one").await;
    assert_eq!(one.append(record("c", "aa01")).await, Ok(Appended::Pushed));
    let (ledger, remote) = read(&one, "c").await;
    assert_eq!((observed_of(&ledger), remote), (Some("aa01"), Remote::Confirmed));
    assert_eq!(observed_of(&read(&one, "d").await.0), None, "another cluster's ledger");
    let (two, second) = claimed(&branch, "one").await;
    let (ledger, _) = read(&two, "c").await;
    assert_eq!((observed_of(&ledger), &ledger.epoch), (Some("aa01"), &second));
    assert_eq!((first.number, second.number), (1, 2));
    assert_eq!(branch.ledger(&name("c")), Some(ledger));
}

#[tokio::test]
async fn who_finds_a_newer_claim_stands_down() {
    let branch = Branch::new();
    let (one, _) = claimed(&branch, "one").await;
    let (two, _) = claimed(&branch, "two").await;
    assert!(matches!(one.append(record("c", "aa01")).await, Err(StoreError::StoodDown(_))));
    assert!(matches!(one.read(&name("c")).await, Err(StoreError::StoodDown(_))));
    assert_eq!(observed_of(&read(&two, "c").await.0), None);
}

#[tokio::test]
async fn another_name_takes_over_only_when_told_to() {
    let branch = Branch::new();
    claimed(&branch, "one").await;
    let two = SimStore::new(branch, "two", clock());
    assert_eq!(two.claim(TakeOver::No).await, Err(ClaimError::HeldBy { holder: "one".to_owned() }));
    assert!(two.claim(TakeOver::Yes).await.is_ok());
}

#[tokio::test]
async fn after_three_claims_within_an_hour_the_next_one_waits_and_doubles() {
    let branch = Branch::new();
    let clock = clock();
    let store = SimStore::new(branch, "one", clock.clone());
    for _ in 0..3 {
        store.claim(TakeOver::No).await.unwrap();
    }
    assert_eq!(store.claim(TakeOver::No).await, Err(ClaimError::TooMany { claims: 3, wait: Millis::minutes(1) }));
    clock.sleep(Millis::minutes(1)).await;
    store.claim(TakeOver::No).await.unwrap();
    assert_eq!(store.claim(TakeOver::No).await, Err(ClaimError::TooMany { claims: 4, wait: Millis::minutes(2) }));
}

#[tokio::test]
async fn without_branch_or_remote_there_is_no_claim() {
    let branch = Branch::missing();
    let store = SimStore::new(branch.clone(), "one", clock());
    assert!(matches!(store.claim(TakeOver::No).await, Err(ClaimError::NoBranch(_))));
    branch.set_down(true);
    assert!(matches!(store.claim(TakeOver::No).await, Err(ClaimError::Unreachable(_))));
    branch.set_down(false);
    branch.init();
    assert!(store.claim(TakeOver::No).await.is_ok());
}

#[tokio::test]
async fn while_the_remote_is_down_entries_wait_and_are_pushed_in_order_later() {
    let branch = Branch::new();
    let (one, _) = claimed(&branch, "one").await;
    branch.set_down(true);
    assert!(matches!(one.append(record("c", "aa01")).await, Ok(Appended::Pending(_))));
    assert!(matches!(one.append(record("c", "aa02")).await, Ok(Appended::Pending(_))));
    let (ledger, remote) = read(&one, "c").await;
    assert_eq!((observed_of(&ledger), remote), (Some("aa02"), Remote::Unread("connection refused".to_owned())));
    assert_eq!(branch.commits().len(), 2, "the root and the claim");
    branch.set_down(false);
    assert_eq!(read(&one, "c").await.1, Remote::Confirmed);
    assert_eq!((branch.commits().len(), one.pending()), (4, 0));
    assert_eq!(observed_of(&branch.ledger(&name("c")).unwrap()), Some("aa02"));
}

#[tokio::test]
async fn an_entry_whose_answer_was_lost_is_there_once() {
    let branch = Branch::new();
    let (one, _) = claimed(&branch, "one").await;
    branch.lose_answers(1);
    assert!(matches!(one.append(record("c", "aa01")).await, Ok(Appended::Pending(_))));
    assert_eq!((branch.commits().len(), one.pending()), (3, 1));
    assert_eq!(observed_of(&read(&one, "c").await.0), Some("aa01"));
    assert_eq!((branch.commits().len(), one.pending()), (3, 0));
}

#[tokio::test]
async fn a_foreign_commit_holds_its_cluster_alone_until_it_is_accepted() {
    let branch = Branch::new();
    let (one, _) = claimed(&branch, "one").await;
    let commit = branch.foreign(&name("c"));
    // Made before it was seen, it cannot stand on it.
    assert_eq!(one.append(record("c", "aa01")).await, Err(StoreError::Touched { commit: commit.clone() }));
    assert_eq!(read(&one, "c").await.1, Remote::Touched { commit: commit.clone() });
    assert_eq!(one.append(record("d", "aa02")).await, Ok(Appended::Pushed));
    // Hold and way back are told all the same, over what somebody else wrote.
    assert_eq!(one.append(record("c", "aa03")).await, Ok(Appended::Pushed));
    assert_eq!(read(&one, "c").await.1, Remote::Touched { commit: commit.clone() });
    assert_eq!(observed_of(&read(&one, "c").await.0), Some("aa03"));
    branch.accept(&commit);
    assert_eq!(one.append(record("c", "aa01")).await, Ok(Appended::Pushed));
    assert_eq!(read(&one, "c").await.1, Remote::Confirmed);
}

#[tokio::test]
async fn a_rewound_branch_gets_the_same_objects_again_and_a_rewound_claim_does_not_matter() {
    let branch = Branch::new();
    let (one, _) = claimed(&branch, "one").await;
    one.append(record("c", "aa01")).await.unwrap();
    one.append(record("c", "aa02")).await.unwrap();
    let before = branch.commits();
    branch.rewind(2);
    assert_eq!(observed_of(&read(&one, "c").await.0), Some("aa02"));
    assert_eq!(branch.commits(), before);
    branch.rewind(3);
    assert_eq!(read(&one, "c").await.1, Remote::Confirmed);
    assert_eq!(branch.commits(), before);
}

#[tokio::test]
async fn a_claim_that_is_gone_under_another_one_stands_down() {
    let branch = Branch::new();
    let (one, _) = claimed(&branch, "one").await;
    branch.rewind(1);
    // With the same number, and a nonce of its own.
    claimed(&branch, "another").await;
    assert!(matches!(one.read(&name("c")).await, Err(StoreError::StoodDown(_))));
}

#[tokio::test]
async fn a_refused_entry_is_not_kept_and_holds_up_no_other_cluster() {
    let branch = Branch::new();
    let (one, _) = claimed(&branch, "one").await;
    branch.refuse(&name("c"), true);
    assert!(matches!(one.append(record("c", "aa01")).await, Err(StoreError::Refused(_))));
    assert_eq!(one.append(record("d", "aa02")).await, Ok(Appended::Pushed));
    assert_eq!(observed_of(&read(&one, "c").await.0), None);
    branch.refuse(&name("c"), false);
    assert_eq!(one.append(record("c", "aa03")).await, Ok(Appended::Pushed));
}

#[tokio::test]
async fn trouble_of_one_cluster_that_waits_does_not_keep_back_the_other() {
    let branch = Branch::new();
    let (one, _) = claimed(&branch, "one").await;
    branch.set_down(true);
    one.append(record("c", "aa01")).await.unwrap();
    one.append(record("d", "aa02")).await.unwrap();
    branch.set_down(false);
    let commit = branch.foreign(&name("c"));
    assert_eq!(read(&one, "d").await.1, Remote::Confirmed);
    assert_eq!(observed_of(&branch.ledger(&name("d")).unwrap()), Some("aa02"));
    assert_eq!(read(&one, "c").await.1, Remote::Touched { commit });
}

#[tokio::test]
async fn nothing_is_written_without_a_claim() {
    let branch = Branch::new();
    let store = SimStore::new(branch.clone(), "one", clock());
    assert!(matches!(store.append(record("c", "aa01")).await, Err(StoreError::Local(_))));
    assert!(store.read(&name("c")).await.unwrap().ledger.gap().is_some());
    assert!(branch.commits().iter().all(|c| c.write == BranchWrite::Root));
}
