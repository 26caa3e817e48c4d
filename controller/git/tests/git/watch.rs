//! A watch only shortens a sleep.

use crate::git::stage::{Stage, commit, main_branch, status};
use drydock_git::{Pushed, Waker, Watch};
use std::time::Duration;

/// Far longer than any event takes; only a test that fails waits for it.
const SOON: Duration = Duration::from_secs(20);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("runtime")
}

async fn woken(waker: &Waker) -> bool {
    tokio::time::timeout(SOON, waker.woken()).await.is_ok()
}

#[test]
fn a_push_by_us_or_by_git_wakes() {
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    let waker = Waker::default();
    let watch = Watch::start(&stage.remote(), &waker).expect("watched");
    runtime().block_on(async {
        let head = commit(&mirror, None, "a", "1");
        assert!(matches!(mirror.push(&status(), None, head), Pushed::Landed));
        assert!(woken(&waker).await, "a new branch");
        let next = stage.land(&mut mirror, &status(), "a", "2");
        assert!(woken(&waker).await, "a moved branch");
        stage.git(&stage.remote(), &["update-ref", main_branch().full(), &next.to_string()]);
        assert!(woken(&waker).await, "git's own update");
        stage.git(&stage.remote(), &["pack-refs", "--all", "--prune"]);
        assert!(woken(&waker).await, "packed references");
    });
    watch.stop();
}

#[test]
fn many_wakes_before_a_look_are_one() {
    runtime().block_on(async {
        let waker = Waker::default();
        for _ in 0..10_000 {
            waker.wake();
        }
        assert!(woken(&waker).await);
        let again = tokio::time::timeout(Duration::ZERO, waker.woken()).await;
        assert!(again.is_err(), "the ten thousand were one");
    });
}

#[test]
fn a_place_that_cannot_be_watched_is_no_error() {
    let stage = Stage::new();
    let waker = Waker::default();
    assert!(Watch::start(&stage.path("nowhere"), &waker).is_none());
    assert!(Watch::start(&stage.path(""), &waker).is_none());
}

#[test]
fn reading_and_fetching_wake_nobody() {
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    stage.land(&mut mirror, &main_branch(), "a", "1");
    let waker = Waker::default();
    let watch = Watch::start(&stage.remote(), &waker).expect("watched");
    let mut reader = stage.mirror("reader");
    for _ in 0..20 {
        reader.fetch(&[main_branch()]).expect("fetched");
    }
    runtime().block_on(async {
        // A marker after the reads: when it has woken us, everything before it has been seen.
        stage.land(&mut mirror, &main_branch(), "a", "2");
        assert!(woken(&waker).await);
    });
    watch.stop();
}
