//! Pushing to a path: a compare-and-swap that never uses force, and every way it can end.

use crate::git::stage::{Stage, at, commit, commits, files, main_branch, status};
use drydock_git::{Calm, Dropped, Head, Mirror, Pushed, RefName, Refusal, Remote, Trouble, Wire};
use expect_test::expect;
use std::io;
use std::sync::Arc;

fn moved(pushed: Pushed) -> Head {
    match pushed {
        Pushed::Rejected { now: Some(now), why: Refusal::Moved } => now,
        other => panic!("expected a rejection because the branch moved, got {other:?}"),
    }
}

fn why(pushed: Pushed) -> String {
    match pushed {
        Pushed::Rejected { why, .. } => why.to_string(),
        Pushed::NotSent(trouble) => trouble.to_string(),
        other => panic!("expected a no, got {other:?}"),
    }
}

#[test]
fn a_push_lands_only_on_what_it_expects() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2"), ("a", "3")]);
    // A branch that does not exist is expected not to exist.
    assert_eq!(moved(mirror.push(&status(), Some(all[0]), all[1])), Head::Absent);
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::Landed));
    assert_eq!(stage.head(&status()), Some(all[0]));
    assert_eq!(moved(mirror.push(&status(), None, all[1])), at(all[0]));
    assert_eq!(moved(mirror.push(&status(), Some(all[1]), all[2])), at(all[0]));
    assert!(matches!(mirror.push(&status(), Some(all[0]), all[2]), Pushed::Landed));
    assert_eq!(stage.head(&status()), Some(all[2]));
    // The same again is there already.
    assert!(matches!(mirror.push(&status(), Some(all[0]), all[2]), Pushed::Landed));
}

#[test]
fn nothing_is_ever_pushed_with_force() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2")]);
    let sideways = commit(&mirror, Some(all[0]), "b", "1");
    let unrelated = commit(&mirror, None, "c", "1");
    assert!(matches!(mirror.push(&status(), None, all[1]), Pushed::Landed));
    for backwards in [all[0], sideways, unrelated] {
        let pushed = mirror.push(&status(), Some(all[1]), backwards);
        assert!(matches!(pushed, Pushed::NotSent(Trouble::NotADescendant { .. })), "{pushed:?}");
        assert_eq!(stage.head(&status()), Some(all[1]));
    }
    // No source of this crate has a refspec that forces a push: the only plus belongs to fetching.
    let sources = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let pluses: Vec<String> =
        files(&sources).into_iter().filter(|name| std::fs::read_to_string(sources.join(name)).expect("read").contains("\"+")).collect();
    assert_eq!(pluses, ["mirror.rs"]);
}

#[test]
fn a_branch_in_packed_refs_is_compared_and_replaced() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2")]);
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::Landed));
    stage.git(&stage.remote(), &["pack-refs", "--all", "--prune"]);
    assert_eq!(moved(mirror.push(&status(), None, all[1])), at(all[0]));
    assert!(matches!(mirror.push(&status(), Some(all[0]), all[1]), Pushed::Landed));
    assert_eq!(stage.git(&stage.remote(), &["rev-parse", status().full()]).trim(), all[1].to_string());
}

#[test]
fn only_new_objects_are_sent() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let files: Vec<String> = (0..50).map(|number| format!("clusters/c{number}/status.yaml")).collect();
    let base = commits(&mirror, None, &files.iter().map(|path| (path.as_str(), "x")).collect::<Vec<_>>());
    let base = *base.last().expect("some");
    assert!(matches!(mirror.push(&status(), None, base), Pushed::Landed));
    let count = || {
        stage
            .git(&stage.remote(), &["count-objects", "-v"])
            .lines()
            .find_map(|line| line.strip_prefix("in-pack: ")?.parse::<usize>().ok())
            .expect("counted")
    };
    let before = count();
    let new = commit(&mirror, Some(base), "clusters/c7/status.yaml", "y");
    assert!(matches!(mirror.push(&status(), Some(base), new), Pushed::Landed));
    // Commit, file, and the three trees on the way.
    assert_eq!(count() - before, 5);
    // Another branch on known commits needs nothing at all.
    assert!(matches!(mirror.push(&main_branch(), None, new), Pushed::Landed));
    assert_eq!(count() - before, 5);
}

#[test]
fn names_that_cannot_stand_beside_each_other_are_refused() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let head = commit(&mirror, None, "a", "1");
    let name = |text: &str| RefName::branch(text).expect("a name");
    assert!(matches!(mirror.push(&name("drydock/status"), None, head), Pushed::Landed));
    expect!["the name is taken by refs/heads/drydock/status"].assert_eq(&why(mirror.push(&name("drydock"), None, head)));
    expect!["the name is taken by refs/heads/drydock/status"].assert_eq(&why(mirror.push(&name("drydock/status/x"), None, head)));
    stage.git(&stage.remote(), &["pack-refs", "--all", "--prune"]);
    expect!["the name is taken by refs/heads/drydock/status"].assert_eq(&why(mirror.push(&name("drydock"), None, head)));
    expect!["the name is taken by refs/heads/drydock/status"].assert_eq(&why(mirror.push(&name("drydock/status/x"), None, head)));
    // The folder that a deleted branch leaves is in nobody's way.
    stage.git(&stage.remote(), &["update-ref", "-d", "refs/heads/drydock/status"]);
    std::fs::create_dir_all(stage.remote().join("refs/heads/drydock/a/b")).expect("folder");
    assert!(matches!(mirror.push(&name("drydock"), None, head), Pushed::Landed));
    assert!(files(&stage.remote()).iter().all(|name| !name.ends_with(".lock") && !name.contains("drydock-ref")));
}

#[test]
fn hooks_of_the_repository_are_run_and_may_refuse() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2")]);
    let notes = stage.path("notes");
    stage.hook("pre-receive", &format!("cat >> {0}; pwd >> {0}; echo GIT_DIR=$GIT_DIR >> {0}", notes.display()));
    stage.hook("update", &format!("echo update $1 $2 $3 >> {}", notes.display()));
    stage.hook("post-receive", &format!("echo post; cat >> {}", notes.display()));
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::Landed));
    let place = std::fs::canonicalize(stage.remote()).expect("there").display().to_string();
    let said = std::fs::read_to_string(&notes)
        .expect("read")
        .replace(&format!("{place}/"), "REMOTE")
        .replace(&place, "REMOTE")
        .replace(&all[0].to_string(), "NEW");
    expect![[r#"
        0000000000000000000000000000000000000000 NEW refs/heads/drydock/status
        REMOTE
        GIT_DIR=REMOTE
        update refs/heads/drydock/status 0000000000000000000000000000000000000000 NEW
        0000000000000000000000000000000000000000 NEW refs/heads/drydock/status
    "#]]
    .assert_eq(&said);
    stage.hook("update", "echo 'only from the pipeline' >&2; printf '\\033[31mred'; exit 1");
    expect!["the repository's update hook refused it: [31mred; only from the pipeline"].assert_eq(&why(mirror.push(
        &status(),
        Some(all[0]),
        all[1],
    )));
    stage.hook("pre-receive", "echo 'status is frozen' >&2; exit 7");
    expect!["the repository's pre-receive hook refused it: status is frozen"].assert_eq(&why(mirror.push(&status(), Some(all[0]), all[1])));
    assert_eq!(stage.head(&status()), Some(all[0]));
}

#[test]
fn a_hook_does_not_see_the_variables_that_hold_secrets() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let all = commits(&mirror, None, &[("a", "1")]);
    // Cargo sets both for every test.
    drydock_git::withhold(["CARGO_PKG_NAME".to_owned()]);
    let notes = stage.path("notes");
    stage.hook("update", &format!("echo ${{CARGO_PKG_NAME-gone}} ${{CARGO_PKG_VERSION-gone}} > {}", notes.display()));
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::Landed));
    assert_eq!(std::fs::read_to_string(notes).expect("it ran").trim(), format!("gone {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_hook_that_only_git_can_run_stops_the_push() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let head = commit(&mirror, None, "a", "1");
    stage.hook("reference-transaction", "exit 1");
    expect!["the repository has a reference-transaction hook, which a push by path cannot run; serve the repository by ssh:// or https://"]
        .assert_eq(&why(mirror.push(&status(), None, head)));
    assert_eq!(stage.head(&status()), None);
}

#[test]
fn a_hook_that_writes_a_flood_is_heard_in_part() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let head = commit(&mirror, None, "a", "1");
    stage.hook("pre-receive", "head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero | tr '\\0' y >&2; exit 1");
    let said = why(mirror.push(&status(), None, head));
    assert!(said.len() < 10_000 && said.contains("xxx") && said.contains("yyy"), "{}", said.len());
}

#[test]
fn a_branch_somebody_works_on_is_left_alone() {
    let stage = Stage::new();
    let place = stage.path("person");
    std::fs::create_dir(&place).expect("folder");
    stage.git(&place, &["init", "-q", "-b", "main"]);
    stage.git(&place, &["commit", "-q", "--allow-empty", "-m", "one"]);
    let mut mirror = Mirror::open(&stage.path("state"), Remote::at_path(&place)).expect("mirror");
    let base = mirror.fetch(&[main_branch()]).expect("fetched").of(&main_branch()).oid();
    let new = commit(&mirror, base, "a", "1");
    expect!["the branch is checked out in a work tree there; use a bare repository"].assert_eq(&why(mirror.push(
        &main_branch(),
        base,
        new,
    )));
    assert!(matches!(mirror.push(&status(), None, new), Pushed::Landed));
    stage.git(&place, &["worktree", "add", "-q", "../second", status().full().trim_start_matches("refs/heads/")]);
    let newer = commit(&mirror, Some(new), "a", "2");
    expect!["the branch is checked out in a work tree there; use a bare repository"].assert_eq(&why(mirror.push(
        &status(),
        Some(new),
        newer,
    )));
}

#[test]
fn a_symbolic_branch_is_not_written_through() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let head = commit(&mirror, None, "a", "1");
    stage.git(&stage.remote(), &["symbolic-ref", status().full(), main_branch().full()]);
    assert!(why(mirror.push(&status(), None, head)).contains("symbolic reference"));
    assert_eq!(stage.head(&main_branch()), None);
}

#[test]
fn the_lock_of_real_git_is_respected() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2")]);
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::Landed));
    let lock = stage.remote().join(format!("{}.lock", status().full()));
    std::fs::write(&lock, "").expect("written");
    let pushed = mirror.push(&status(), Some(all[0]), all[1]);
    assert!(matches!(pushed, Pushed::NotSent(Trouble::Locked { .. })), "{pushed:?}");
    assert!(lock.exists(), "it is not ours to remove");
    assert_eq!(stage.head(&status()), Some(all[0]));
    std::fs::remove_file(lock).expect("removed");
    assert!(matches!(mirror.push(&status(), Some(all[0]), all[1]), Pushed::Landed));
}

#[test]
fn the_lock_of_a_killed_controller_is_removed_and_that_of_a_living_one_is_not() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2")]);
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::Landed));
    let ours = stage.remote().join("drydock-ref-999-0");
    let lock = stage.remote().join(format!("{}.lock", status().full()));
    std::fs::write(&ours, format!("{}\n", all[1])).expect("written");
    std::fs::hard_link(&ours, &lock).expect("linked");
    let alive = std::fs::File::open(&ours).expect("opened");
    alive.lock().expect("held, as its owner would");
    for _ in 0..2 {
        let pushed = mirror.push(&status(), Some(all[0]), all[1]);
        assert!(matches!(pushed, Pushed::NotSent(Trouble::Locked { .. })), "{pushed:?}");
        assert!(lock.exists());
    }
    drop(alive);
    // The first try after its death still finds the lock, and removes it.
    let pushed = mirror.push(&status(), Some(all[0]), all[1]);
    assert!(matches!(pushed, Pushed::NotSent(Trouble::Locked { .. })), "{pushed:?}");
    assert!(matches!(mirror.push(&status(), Some(all[0]), all[1]), Pushed::Landed));
    assert!(files(&stage.remote()).iter().all(|name| !name.ends_with(".lock") && !name.contains("drydock-ref")));
}

#[test]
fn what_a_controller_killed_after_landing_left_is_swept() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2"), ("a", "3")]);
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::Landed));
    // Killed between the rename and the removal: the reference has a second name.
    std::fs::hard_link(stage.remote().join(status().full()), stage.remote().join("drydock-ref-999-0")).expect("linked");
    assert!(matches!(mirror.push(&status(), Some(all[0]), all[1]), Pushed::Landed));
    assert!(matches!(mirror.push(&status(), Some(all[1]), all[2]), Pushed::Landed));
    assert!(!stage.remote().join("drydock-ref-999-0").exists());
}

/// Fails at one point, once.
#[derive(Default)]
struct Fault {
    point: &'static str,
    left: std::sync::Mutex<u32>,
}

impl Fault {
    fn once(point: &'static str) -> Arc<Self> {
        Arc::new(Self { point, left: std::sync::Mutex::new(1) })
    }

    fn strikes(&self, point: &'static str) -> Result<(), Dropped> {
        let mut left = self.left.lock().expect("not poisoned");
        if self.point == point && *left > 0 {
            *left -= 1;
            return Err(Dropped(point));
        }
        Ok(())
    }
}

impl Wire for Fault {
    fn fetching(&self) -> Result<(), Dropped> {
        self.strikes("fetching")
    }
    fn request(&self) -> Result<(), Dropped> {
        self.strikes("request")
    }
    fn storing(&self) -> io::Result<()> {
        self.strikes("storing").map_err(|_| io::Error::from(io::ErrorKind::StorageFull))
    }
    fn answer(&self) -> Result<(), Dropped> {
        self.strikes("answer")
    }
}

#[test]
fn a_lost_request_was_not_sent_and_a_lost_answer_is_unknown() {
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    let all = commits(&mirror, None, &[("a", "1"), ("a", "2")]);
    mirror.set_wire(Fault::once("request"));
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::NotSent(Trouble::Injected("request"))));
    assert_eq!(stage.head(&status()), None);
    assert!(matches!(mirror.push(&status(), None, all[0]), Pushed::Landed));
    mirror.set_wire(Fault::once("answer"));
    assert!(matches!(mirror.push(&status(), Some(all[0]), all[1]), Pushed::Unknown(Trouble::Injected("answer"))));
    assert_eq!(stage.head(&status()), Some(all[1]), "it landed all the same");
    mirror.set_wire(Fault::once("fetching"));
    assert!(matches!(mirror.fetch(&[status()]), Err(Trouble::Injected("fetching"))));
    mirror.set_wire(Arc::new(Calm));
    assert_eq!(mirror.fetch(&[status()]).expect("fetched").of(&status()), at(all[1]));
}

#[test]
fn a_full_disk_that_was_asked_for_changes_nothing_and_says_what_to_do() {
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    let head = commit(&mirror, None, "a", "1");
    mirror.set_wire(Fault::once("storing"));
    let said = why(mirror.push(&status(), None, head)).replace(&stage.path("").display().to_string(), "");
    expect!["no space is left where fleet.git is; free some, nothing was lost"].assert_eq(&said);
    assert_eq!(stage.head(&status()), None);
    assert!(matches!(mirror.push(&status(), None, head), Pushed::Landed));
}

#[test]
fn what_could_not_be_pushed_can_be_left_on_a_side_reference() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let head = commit(&mirror, None, "a", "1");
    let side = RefName::stranded("7f3a").expect("a name");
    assert!(matches!(mirror.push(&side, None, head), Pushed::Landed));
    assert_eq!(stage.git(&stage.remote(), &["rev-parse", "refs/drydock/stranded/7f3a"]).trim(), head.to_string());
    let mut reader = stage.mirror("reader");
    assert_eq!(reader.fetch(std::slice::from_ref(&side)).expect("fetched").of(&side), at(head));
}

/// The repository is gone by the time that something is stored in it.
#[derive(Debug)]
struct Gone(std::path::PathBuf);

impl Wire for Gone {
    fn fetching(&self) -> Result<(), Dropped> {
        Ok(())
    }

    fn request(&self) -> Result<(), Dropped> {
        Ok(())
    }

    fn storing(&self) -> io::Result<()> {
        std::fs::rename(&self.0, self.0.with_extension("away"))
    }

    fn answer(&self) -> Result<(), Dropped> {
        Ok(())
    }
}

#[test]
fn a_repository_that_goes_away_in_mid_push_is_not_begun_anew_in_its_place() {
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    let head = commit(&mirror, None, "a", "1");
    mirror.set_wire(Arc::new(Gone(stage.remote())));
    let pushed = mirror.push(&status(), None, head);
    assert!(!matches!(pushed, Pushed::Landed), "{pushed:?}");
    assert!(!stage.remote().exists());
}
