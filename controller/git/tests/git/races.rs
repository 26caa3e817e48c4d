//! Many writers at once on one path: every update is kept, or its writer is told.

use crate::git::stage::{Stage, commit, draft, git_command, key, put, status};
use drydock_git::{Head, Mirror, Outbox, Pushed, Refusal, Remote, Sent, Trouble};
use std::collections::BTreeSet;
use std::sync::Barrier;

/// Tries for one commit. Each failed try means that another writer landed, so a writer is beaten by the others' 75 commits at most,
/// and by locks seen in passing.
const TRIES_MAX: u32 = 2000;

/// Fetches, commits and pushes until it lands; the number of tries.
fn land(mirror: &mut Mirror, path: &str) -> u32 {
    for tries in 1..=TRIES_MAX {
        let base = mirror.fetch(&[status()]).expect("fetched").of(&status()).oid();
        let new = commit(mirror, base, path, "x");
        match mirror.push(&status(), base, new) {
            Pushed::Landed => return tries,
            Pushed::Rejected { why: Refusal::Moved, .. } | Pushed::NotSent(Trouble::Locked { .. }) => std::thread::yield_now(),
            other => panic!("{other:?}"),
        }
    }
    panic!("{path} never landed");
}

fn files_on(stage: &Stage) -> usize {
    stage.git(&stage.remote(), &["ls-tree", "-r", "--name-only", status().full()]).lines().count()
}

#[test]
fn four_writers_keep_a_hundred_of_a_hundred_updates() {
    let stage = Stage::new();
    let start = Barrier::new(4);
    let tries: u32 = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (stage, start) = (&stage, &start);
                scope.spawn(move || {
                    let mut mirror = stage.mirror(&format!("writer{writer}"));
                    start.wait();
                    (0..25).map(|number| land(&mut mirror, &format!("clusters/w{writer}/{number}"))).sum::<u32>()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("no panic")).sum()
    });
    println!("100 updates of 4 writers took {tries} tries");
    assert_eq!(files_on(&stage), 100);
    assert_eq!(stage.git(&stage.remote(), &["rev-list", "--count", status().full()]).trim(), "100");
    assert!(stage.try_git(&stage.remote(), &["fsck", "--strict", "--full", "--no-dangling"]).status.success());
    assert_eq!(
        std::fs::read_dir(stage.remote())
            .expect("folder")
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("drydock"))
            .count(),
        0
    );
}

#[test]
fn four_creators_of_one_branch_have_one_winner() {
    for _ in 0..5 {
        let stage = Stage::new();
        let start = Barrier::new(4);
        let landed: Vec<bool> = std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let (stage, start) = (&stage, &start);
                    scope.spawn(move || {
                        let mirror = stage.mirror(&format!("writer{writer}"));
                        let root = commit(&mirror, None, &format!("root{writer}"), "x");
                        start.wait();
                        loop {
                            match mirror.push(&status(), None, root) {
                                Pushed::Landed => return true,
                                Pushed::Rejected { now: Some(Head::At(_)), why: Refusal::Moved } => return false,
                                Pushed::NotSent(Trouble::Locked { .. }) => std::thread::yield_now(),
                                other => panic!("{other:?}"),
                            }
                        }
                    })
                })
                .collect();
            writers.into_iter().map(|writer| writer.join().expect("no panic")).collect()
        });
        assert_eq!(landed.iter().filter(|landed| **landed).count(), 1, "{landed:?}");
    }
}

#[test]
fn real_git_pushes_and_packs_references_beside_us_and_nothing_is_lost() {
    let stage = Stage::new();
    let mut first = stage.mirror("first");
    land(&mut first, "clusters/first");
    std::thread::scope(|scope| {
        let stage = &stage;
        for writer in 0..2 {
            scope.spawn(move || {
                let mut mirror = stage.mirror(&format!("writer{writer}"));
                for number in 0..20 {
                    land(&mut mirror, &format!("clusters/w{writer}/{number}"));
                }
            });
        }
        for person in 0..2 {
            scope.spawn(move || {
                let place = stage.path(&format!("person{person}"));
                let remote = stage.remote().display().to_string();
                stage.git(&stage.path(""), &["clone", "-q", "-b", "drydock/status", &remote, &place.display().to_string()]);
                for number in 0..10 {
                    std::fs::create_dir_all(place.join("people")).expect("folder");
                    std::fs::write(place.join(format!("people/{person}-{number}")), "x").expect("file");
                    stage.git(&place, &["add", "-A"]);
                    stage.git(&place, &["commit", "-q", "-m", "by a person"]);
                    let landed = (0..TRIES_MAX).any(|_| {
                        // Its exit tells: either it landed, or the branch had moved (or was locked) and it pulls and tries again.
                        let pushed =
                            git_command(&place).args(["push", "-q", "origin", "HEAD"]).output().expect("git runs").status.success();
                        if !pushed {
                            stage.git(&place, &["pull", "-q", "--rebase"]);
                        }
                        pushed
                    });
                    assert!(landed);
                }
            });
        }
        scope.spawn(move || {
            for _ in 0..30 {
                // May lose the race for packed-refs.lock; that is its own affair.
                let packed = stage.try_git(&stage.remote(), &["pack-refs", "--all", "--prune"]);
                assert!(packed.status.code().is_some());
            }
        });
    });
    assert_eq!(files_on(&stage), 1 + 40 + 20);
    assert!(stage.try_git(&stage.remote(), &["fsck", "--strict", "--full", "--no-dangling"]).status.success());
}

/// This test program again, as a writer that goes on until it is killed: the folder it works in.
const UNTIL_KILLED: &str = "DRYDOCK_TEST_UNTIL_KILLED";

#[test]
fn a_writer_killed_at_any_moment_blocks_nobody_and_loses_nothing() {
    if let Ok(folder) = std::env::var(UNTIL_KILLED) {
        let folder = std::path::Path::new(&folder);
        let mut mirror =
            Mirror::open(&folder.join("killed"), Remote::at_path(&folder.join("fleet.git"))).expect("the dead one's folder is free");
        mirror.fetch(&[status()]).expect("fetched");
        let mut outbox = Outbox::restore(&mirror, &status()).expect("restored");
        for number in 0..100_000 {
            let mut group = outbox.begin(&mirror).expect("begun");
            let path = format!("clusters/killed/{}", number % 5);
            group.add(&draft(vec![put(&path, &format!("{} {number}", std::process::id()))]), &key()).expect("made");
            outbox.append(&mirror, group).expect("kept");
            for _ in 0..TRIES_MAX {
                match outbox.send(&mut mirror) {
                    Sent::Confirmed => break,
                    Sent::NotSent(Trouble::Locked { .. }) => {}
                    Sent::Diverged { head } => {
                        let moved =
                            outbox.reparent(&mirror, &key(), head, &BTreeSet::new(), &|path| vec![path.to_owned()]).expect("rebuilt");
                        assert_eq!(moved.left, []);
                    }
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(outbox.entries(), []);
        }
        return;
    }
    let stage = Stage::new();
    let mut mirror = stage.mirror("calm");
    land(&mut mirror, "clusters/first");
    // More by this variable; each is a second or two.
    let kills = std::env::var("DRYDOCK_KILLS").ok().and_then(|count| count.parse().ok()).unwrap_or(5_u32);
    for round in 0..kills {
        let mut writer = std::process::Command::new(std::env::current_exe().expect("a program"))
            .args(["git::races::a_writer_killed_at_any_moment_blocks_nobody_and_loses_nothing", "--exact", "--nocapture"])
            .env(UNTIL_KILLED, stage.path(""))
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("started");
        // After it has landed twice, and a little work of our own that differs from round to round.
        let before = stage.head(&status());
        let mut seen = before;
        for _ in 0..2 {
            let last = seen;
            while seen == last {
                assert_eq!(writer.try_wait().expect("asked"), None, "it ended by itself");
                seen = stage.head(&status());
            }
        }
        for _ in 0..(round * 997) % 20_000 {
            std::hint::black_box(stage.path("x"));
        }
        writer.kill().expect("killed");
        writer.wait().expect("ended");
        let landed = seen.expect("something");
        assert!(land(&mut mirror, &format!("clusters/calm/{round}")) <= 2, "one try at most finds the dead one's lock");
        assert!(mirror.is_ancestor(landed, stage.head(&status()).expect("there")).expect("known"));
    }
    // Whatever it had promised to keep comes out with the next life.
    let mut revived = Mirror::open(&stage.path("killed"), Remote::at_path(&stage.remote())).expect("free");
    let heads = revived.fetch(&[status()]).expect("fetched");
    assert_eq!(heads.healed, None, "a kill damages no mirror");
    let mut outbox = Outbox::restore(&revived, &status()).expect("restored");
    assert!(outbox.entries().len() <= 1);
    match outbox.send(&mut revived) {
        Sent::Confirmed => {}
        Sent::Diverged { head } => {
            outbox.reparent(&revived, &key(), head, &BTreeSet::new(), &|path| vec![path.to_owned()]).expect("rebuilt");
            assert!(matches!(outbox.send(&mut revived), Sent::Confirmed));
        }
        other => panic!("{other:?}"),
    }
    assert!(stage.try_git(&stage.remote(), &["fsck", "--strict", "--full", "--no-dangling"]).status.success());
}
