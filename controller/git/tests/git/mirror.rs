//! Fetching, and what a mirror says about the remote.

use crate::git::stage::{Stage, at, commit, commits, files, main_branch, status};
use drydock_git::{Head, Mirror, Oid, Pushed, RefName, Remote, Trouble};
use std::path::Path;

#[test]
fn an_empty_repository_has_no_branches() {
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    let heads = mirror.fetch(&[main_branch(), status()]).expect("fetched");
    assert_eq!((heads.of(&main_branch()), heads.of(&status())), (Head::Absent, Head::Absent));
    assert_eq!(heads.healed, None);
}

#[test]
fn an_unborn_branch_is_absent_although_head_names_it() {
    let stage = Stage::new();
    stage.git(&stage.remote(), &["symbolic-ref", "HEAD", main_branch().full()]);
    assert_eq!(stage.mirror("state").fetch(&[main_branch()]).expect("fetched").of(&main_branch()), Head::Absent);
}

#[test]
fn fetch_sees_branches_come_move_and_go() {
    let stage = Stage::new();
    let (mut writer, mut reader) = (stage.mirror("writer"), stage.mirror("reader"));
    let first = stage.land(&mut writer, &main_branch(), "a", "1");
    assert_eq!(reader.fetch(&[main_branch()]).expect("fetched").of(&main_branch()), at(first));
    let second = stage.land(&mut writer, &main_branch(), "a", "2");
    assert_eq!(reader.last_seen(&main_branch()), at(first), "seen only when asked");
    assert_eq!(reader.ask(&[main_branch()]).expect("asked")[&main_branch()], at(second));
    assert_eq!(reader.fetch(&[main_branch(), status()]).expect("fetched").of(&main_branch()), at(second));
    assert_eq!(reader.read(second, "a", 10).expect("read"), b"2");
    stage.git(&stage.remote(), &["update-ref", "-d", main_branch().full()]);
    assert_eq!(reader.fetch(&[main_branch()]).expect("fetched").of(&main_branch()), Head::Absent);
    assert_eq!(reader.last_seen(&main_branch()), Head::Absent);
}

#[test]
fn a_branch_in_packed_refs_is_a_branch() {
    let stage = Stage::new();
    let mut writer = stage.mirror("writer");
    let head = stage.land(&mut writer, &main_branch(), "a", "1");
    stage.git(&stage.remote(), &["pack-refs", "--all"]);
    assert!(!stage.remote().join(main_branch().full()).exists());
    assert_eq!(stage.mirror("reader").fetch(&[main_branch()]).expect("fetched").of(&main_branch()), at(head));
}

#[test]
fn a_fetch_without_news_leaves_the_mirror_untouched() {
    let stage = Stage::new();
    let (mut writer, mut reader) = (stage.mirror("writer"), stage.mirror("reader"));
    stage.land(&mut writer, &main_branch(), "a", "1");
    reader.fetch(&[main_branch()]).expect("fetched");
    let before = files(&reader.place());
    reader.fetch(&[main_branch(), status()]).expect("fetched");
    assert_eq!(files(&reader.place()), before);
}

#[test]
fn a_fetch_brings_only_what_is_new() {
    let stage = Stage::new();
    let (mut writer, mut reader) = (stage.mirror("writer"), stage.mirror("reader"));
    let names: Vec<String> = (0..50).map(|number| format!("clusters/c{number}/status.yaml")).collect();
    let base = commits(&writer, None, &names.iter().map(|name| (name.as_str(), "x")).collect::<Vec<_>>());
    assert!(matches!(writer.push(&main_branch(), None, base[49]), Pushed::Landed));
    reader.fetch(&[main_branch()]).expect("fetched");
    let count = |mirror: &Mirror| {
        stage.git(&mirror.place(), &["count-objects", "-v"]).lines().find_map(|line| line.strip_prefix("in-pack: ")?.parse::<usize>().ok())
    };
    let before = count(&reader).expect("counted");
    stage.land(&mut writer, &main_branch(), "clusters/c7/status.yaml", "y");
    reader.fetch(&[main_branch()]).expect("fetched");
    // Commit, file, and the three trees on the way.
    assert_eq!(count(&reader).expect("counted") - before, 5);
}

/// Commits one after another, each a pack on both sides.
fn push_singly(mirror: &Mirror, mut head: Option<Oid>, count: u32) -> Option<Oid> {
    for number in 0..count {
        let new = commit(mirror, head, &format!("clusters/c{}/status.yaml", number % 7), &number.to_string());
        assert!(matches!(mirror.push(&main_branch(), head, new), Pushed::Landed));
        head = Some(new);
    }
    head
}

fn packs(place: &Path) -> usize {
    files(&place.join("objects/pack")).iter().filter(|name| name.ends_with(".pack")).count()
}

#[test]
fn packs_are_gathered_before_they_become_many() {
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    let head = push_singly(&mirror, None, 53).expect("some");
    mirror.fetch(&[main_branch()]).expect("fetched");
    for place in [stage.remote(), mirror.place()] {
        assert!(packs(&place) <= 4, "{} packs in {}", packs(&place), place.display());
        assert!(stage.try_git(&place, &["fsck", "--strict", "--full", "--no-dangling"]).status.success());
        assert_eq!(stage.git(&place, &["rev-list", "--count", &head.to_string()]).trim(), "53");
    }
    assert_eq!(mirror.read(head, "clusters/c0/status.yaml", 100).expect("read"), b"49");
}

#[test]
fn a_repository_that_wants_no_tidying_gets_none() {
    let stage = Stage::new();
    stage.git(&stage.remote(), &["config", "receive.autogc", "false"]);
    push_singly(&stage.mirror("state"), None, 53);
    assert_eq!(packs(&stage.remote()), 53);
}

#[test]
fn a_rewritten_branch_is_found_as_not_a_descendant() {
    let stage = Stage::new();
    let (mut writer, mut reader) = (stage.mirror("writer"), stage.mirror("reader"));
    let first = stage.land(&mut writer, &main_branch(), "a", "1");
    let accepted = stage.land(&mut writer, &main_branch(), "a", "2");
    reader.fetch(&[main_branch()]).expect("fetched");
    let sideways = commit(&writer, Some(first), "a", "3");
    assert!(matches!(writer.push(&RefName::branch("side").expect("name"), None, sideways), Pushed::Landed));
    stage.git(&stage.remote(), &["update-ref", main_branch().full(), &sideways.to_string()]);
    let now = reader.fetch(&[main_branch()]).expect("fetched").of(&main_branch()).oid().expect("there");
    assert_eq!(now, sideways);
    assert!(!reader.is_ancestor(accepted, now).expect("known"));
    assert!(reader.is_ancestor(first, now).expect("known"));
    assert!(reader.is_ancestor(now, now).expect("known"));
    assert_eq!(reader.merge_base(accepted, now).expect("known"), Some(first));
    // A new mirror never saw the accepted commit: still no descendant, and no damage.
    let mut fresh = stage.mirror("fresh");
    fresh.fetch(&[main_branch()]).expect("fetched");
    assert!(!fresh.is_ancestor(accepted, now).expect("known"));
    assert_eq!(fresh.fetch(&[main_branch()]).expect("fetched").healed, None);
}

#[test]
fn unrelated_histories_have_no_merge_base() {
    let stage = Stage::new();
    let mirror = stage.mirror("state");
    let (one, other) = (commit(&mirror, None, "a", "1"), commit(&mirror, None, "b", "1"));
    assert_eq!(mirror.merge_base(one, other).expect("known"), None);
}

#[test]
fn spaces_colons_and_percents_in_a_path_are_no_trouble() {
    let stage = Stage::new();
    for name in ["with space", "a:b", "100%", "ünïcode"] {
        let place = stage.path(name);
        git2::Repository::init_bare(&place).expect("bare repository");
        let mut mirror = Mirror::open(&stage.path(&format!("state {name}")), Remote::at_path(&place)).expect("mirror");
        let head = commits(&mirror, None, &[("a", "1")])[0];
        assert!(matches!(mirror.push(&main_branch(), None, head), Pushed::Landed), "{name}");
        assert_eq!(mirror.fetch(&[main_branch()]).expect("fetched").of(&main_branch()), at(head), "{name}");
    }
    let by_url = Remote::parse(&format!("file://{}", stage.path("with%20space").display())).expect("remote");
    let mut mirror = Mirror::open(&stage.path("by url"), by_url).expect("mirror");
    assert_ne!(mirror.fetch(&[main_branch()]).expect("fetched").of(&main_branch()), Head::Absent);
}

#[test]
fn a_repository_with_a_work_tree_serves_as_a_remote() {
    let stage = Stage::new();
    let place = stage.path("person");
    std::fs::create_dir(&place).expect("folder");
    stage.git(&place, &["init", "-q", "-b", "main"]);
    std::fs::write(place.join("a"), "1").expect("file");
    stage.git(&place, &["add", "."]);
    stage.git(&place, &["commit", "-q", "-m", "one"]);
    let mut mirror = Mirror::open(&stage.path("state"), Remote::at_path(&place)).expect("mirror");
    assert_ne!(mirror.fetch(&[main_branch()]).expect("fetched").of(&main_branch()), Head::Absent);
}

#[test]
fn one_state_folder_serves_one_process() {
    let stage = Stage::new();
    let first = stage.mirror("state");
    let again = Mirror::open(&stage.path("state"), Remote::at_path(&stage.remote()));
    assert!(matches!(again, Err(Trouble::InUse(_))), "{again:?}");
    drop(first);
    stage.mirror("state");
}

#[test]
fn what_was_seen_of_another_remote_is_forgotten() {
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    stage.land(&mut mirror, &main_branch(), "a", "1");
    mirror.fetch(&[main_branch()]).expect("fetched");
    drop(mirror);
    git2::Repository::init_bare(stage.path("other.git")).expect("bare repository");
    let mirror = Mirror::open(&stage.path("state"), Remote::at_path(&stage.path("other.git"))).expect("mirror");
    assert_eq!(mirror.last_seen(&main_branch()), Head::Absent);
}
