//! A damaged mirror is found, moved aside and made again; what was not confirmed is carried over or named as lost.

use crate::git::stage::{Stage, at, commit, draft, key, main_branch, put, status};
use drydock_git::{Dropped, Group, Head, Mirror, Oid, Outbox, Pushed, Trouble, Unreadable, Wire};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A remote with some commits, and a closed mirror of it.
fn fetched(stage: &Stage) -> (PathBuf, Oid) {
    let mut writer = stage.mirror("writer");
    for number in 0..5 {
        stage.land(&mut writer, &main_branch(), &format!("clusters/c{number}"), &"text ".repeat(200));
    }
    let head = stage.land(&mut writer, &main_branch(), "clusters/a", "whole");
    let mut mirror = stage.mirror("state");
    mirror.fetch(&[main_branch()]).expect("fetched");
    (mirror.place(), head)
}

fn pack_of(place: &Path, extension: &str) -> PathBuf {
    let found = fs::read_dir(place.join("objects/pack")).expect("folder").flatten().map(|entry| entry.path());
    let path = found.into_iter().find(|path| path.extension().is_some_and(|e| e == extension)).expect("a pack");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("writable");
    path
}

fn heals(stage: &Stage, head: Oid) -> String {
    let mut mirror = stage.mirror("state");
    let heads = mirror.fetch(&[main_branch()]).expect("fetched");
    assert_eq!(heads.of(&main_branch()), at(head));
    assert_eq!(mirror.read(head, "clusters/a", 100).expect("read"), b"whole");
    let healed = heads.healed.expect("healed");
    assert!(healed.aside.exists());
    assert_eq!(mirror.fetch(&[main_branch()]).expect("fetched").healed, None, "told once");
    healed.why
}

#[test]
fn a_truncated_pack_is_found_at_the_start() {
    let stage = Stage::new();
    let (place, head) = fetched(&stage);
    let pack = pack_of(&place, "pack");
    let bytes = fs::read(&pack).expect("read");
    fs::write(&pack, &bytes[..bytes.len() / 2]).expect("written");
    assert!(heals(&stage, head).contains("is not what its index was made for"));
}

#[test]
fn an_empty_pack_and_a_missing_index_are_found_at_the_start() {
    let stage = Stage::new();
    let (place, head) = fetched(&stage);
    fs::write(pack_of(&place, "pack"), "").expect("written");
    assert!(heals(&stage, head).contains("truncated"));
    fs::remove_file(pack_of(&place, "idx")).expect("removed");
    assert!(heals(&stage, head).contains("has no whole index"));
}

#[test]
fn a_garbage_head_a_garbage_reference_and_a_missing_config_are_found_at_the_start() {
    let stage = Stage::new();
    let (place, head) = fetched(&stage);
    fs::write(place.join("HEAD"), "\0garbage").expect("written");
    heals(&stage, head);
    fs::write(place.join("refs/seen/heads/main"), "not a commit\n").expect("written");
    heals(&stage, head);
    fs::write(place.join("refs/seen/heads/main"), format!("{}\n", "1".repeat(40))).expect("written");
    heals(&stage, head);
    fs::write(place.join("config"), "[core\n").expect("written");
    heals(&stage, head);
    fs::remove_dir_all(place.join("objects")).expect("removed");
    heals(&stage, head);
}

#[test]
fn a_flipped_byte_is_found_when_it_is_read_and_healed_by_the_next_fetch() {
    let stage = Stage::new();
    let (place, head) = fetched(&stage);
    let pack = pack_of(&place, "pack");
    let mut mirror = stage.mirror("state");
    let mut bytes = fs::read(&pack).expect("read");
    // Everything between header and checksum, so that some object surely is hit.
    let end = bytes.len() - 20;
    for byte in &mut bytes[12..end] {
        *byte ^= 0x55;
    }
    fs::write(&pack, &bytes).expect("written");
    let read = mirror.read(head, "clusters/a", 100);
    assert!(matches!(read, Err(Unreadable::Corrupt(_) | Unreadable::NoSuchCommit(_))), "{read:?}");
    drop(mirror);
    mirror = stage.mirror("state");
    let heads = mirror.fetch(&[main_branch()]).expect("fetched");
    assert!(heads.healed.is_some());
    assert_eq!(mirror.read(head, "clusters/a", 100).expect("read"), b"whole");
}

#[test]
fn a_missing_object_is_found_when_it_is_read_and_healed_by_the_next_fetch() {
    let stage = Stage::new();
    let (_, _) = fetched(&stage);
    let mut mirror = stage.mirror("state");
    // Loose, so that one can be taken away.
    let head = {
        let base = mirror.last_seen(&main_branch()).oid();
        let new = commit(&mirror, base, "clusters/x/y", "deep");
        assert!(matches!(mirror.push(&main_branch(), base, new), drydock_git::Pushed::Landed));
        drop(mirror);
        fs::remove_dir_all(stage.path("state")).expect("removed");
        mirror = stage.mirror("state");
        mirror.fetch(&[main_branch()]).expect("fetched");
        new
    };
    let place = mirror.place();
    let pack = pack_of(&place, "pack");
    let (away, blob) = (stage.path("away.pack"), mirror.identity(head, "clusters/x/y").expect("read").expect("there"));
    fs::rename(&pack, &away).expect("moved");
    fs::remove_file(pack.with_extension("idx")).expect("removed");
    git_unpack(&stage, &place, &away);
    let hex = blob.to_string();
    fs::remove_file(place.join("objects").join(&hex[..2]).join(&hex[2..])).expect("removed");
    drop(mirror);
    let mut mirror = stage.mirror("state");
    assert!(mirror.fetch(&[main_branch()]).expect("fetched").healed.is_none(), "a hole in the middle is not looked for");
    assert!(matches!(mirror.read(head, "clusters/x/y", 100), Err(Unreadable::Corrupt(_))));
    assert!(mirror.fetch(&[main_branch()]).expect("fetched").healed.is_some());
    assert_eq!(mirror.read(head, "clusters/x/y", 100).expect("read"), b"deep");
}

fn git_unpack(stage: &Stage, place: &Path, pack: &Path) {
    let mut child = crate::git::stage::git_command(place)
        .args(["unpack-objects", "-q"])
        .stdin(fs::File::open(pack).expect("pack"))
        .spawn()
        .expect("git runs");
    assert!(child.wait().expect("ends").success());
    assert!(stage.path("away.pack").exists());
}

#[test]
fn locks_and_halves_of_a_killed_process_are_swept() {
    let stage = Stage::new();
    let (place, head) = fetched(&stage);
    for name in ["refs/seen/heads/main.lock", "packed-refs.lock", "config.lock", "objects/pack/tmp_pack_abc", "HEAD.lock"] {
        fs::write(place.join(name), "").expect("written");
    }
    let mut writer = stage.mirror("writer");
    let newer = stage.land(&mut writer, &main_branch(), "clusters/b", "more");
    let mut mirror = stage.mirror("state");
    let heads = mirror.fetch(&[main_branch()]).expect("fetched");
    assert_eq!((heads.of(&main_branch()), heads.healed), (at(newer), None));
    assert_ne!(newer, head);
    assert!(!place.join("packed-refs.lock").exists());
}

#[test]
fn what_was_not_confirmed_survives_a_damaged_mirror() {
    let stage = Stage::new();
    let (place, head) = fetched(&stage);
    let mut mirror = stage.mirror("state");
    mirror.fetch(&[status()]).expect("fetched");
    let mut outbox = Outbox::restore(&mirror, &status()).expect("restored");
    let group = with_two(&mirror, &outbox);
    outbox.append(&mirror, group).expect("kept");
    let entries = outbox.entries().to_vec();
    drop(mirror);
    fs::write(place.join("HEAD"), "garbage").expect("written");
    let mut mirror = stage.mirror("state");
    let heads = mirror.fetch(&[main_branch(), status()]).expect("fetched");
    assert_eq!(heads.healed.as_ref().expect("healed").lost, Vec::<String>::new());
    assert_eq!((heads.of(&main_branch()), heads.of(&status())), (at(head), Head::Absent));
    let restored = Outbox::restore(&mirror, &status()).expect("restored");
    assert_eq!(restored.entries(), entries);
}

#[test]
fn what_cannot_be_carried_over_is_named() {
    let stage = Stage::new();
    let (place, _) = fetched(&stage);
    let mirror = stage.mirror("state");
    let mut outbox = Outbox::restore(&mirror, &status()).expect("restored");
    let group = with_two(&mirror, &outbox);
    outbox.append(&mirror, group).expect("kept");
    drop(mirror);
    fs::remove_dir_all(place.join("objects/pack")).expect("removed");
    let heads = stage.mirror("state").fetch(&[main_branch()]).expect("fetched");
    assert_eq!(heads.healed.expect("healed").lost, ["refs/outbox/heads/drydock/status"]);
}

#[test]
fn a_crash_between_moving_aside_and_fetching_loses_nothing() {
    let stage = Stage::new();
    let (place, _) = fetched(&stage);
    let mirror = stage.mirror("state");
    let mut outbox = Outbox::restore(&mirror, &status()).expect("restored");
    let group = with_two(&mirror, &outbox);
    outbox.append(&mirror, group).expect("kept");
    drop(mirror);
    fs::write(place.join("HEAD"), "garbage").expect("written");
    // Opened, moved aside, and ended before any fetch.
    drop(stage.mirror("state"));
    let mut mirror = stage.mirror("state");
    assert!(mirror.fetch(&[main_branch()]).expect("fetched").healed.is_some());
    assert_eq!(Outbox::restore(&mirror, &status()).expect("restored").entries().len(), 2);
}

#[test]
fn a_damaged_remote_is_not_taken_for_a_damaged_mirror() {
    let stage = Stage::new();
    let (_, head) = fetched(&stage);
    let mut mirror = stage.mirror("state");
    let mut writer = stage.mirror("writer");
    stage.land(&mut writer, &main_branch(), "clusters/b", "more");
    for entry in fs::read_dir(stage.remote().join("objects/pack")).expect("folder").flatten() {
        fs::remove_file(entry.path()).expect("removed");
    }
    for _ in 0..2 {
        let no = mirror.fetch(&[main_branch()]);
        assert!(matches!(no, Err(Trouble::RemoteDamaged { .. })), "{no:?}");
    }
    assert_eq!(mirror.read(head, "clusters/a", 100).expect("still there"), b"whole");
}

/// The remote is away.
struct Away;

impl Wire for Away {
    fn fetching(&self) -> Result<(), Dropped> {
        Err(Dropped("away"))
    }
}

#[test]
fn a_damaged_mirror_is_kept_as_long_as_the_remote_is_away() {
    let stage = Stage::new();
    let (_, head) = fetched(&stage);
    let mirror = stage.mirror("state");
    let blob = mirror.identity(head, "clusters/c1").expect("read").expect("there");
    assert_eq!(mirror.read(head, "clusters/a", 100).expect("read"), b"whole");
    // Damage that shows only when one file is read: the rest is still worth having.
    let pack = pack_of(&mirror.place(), "pack");
    let (away, index) = (stage.path("away.pack"), pack.with_extension("idx"));
    drop(mirror);
    fs::rename(&pack, &away).expect("moved");
    fs::remove_file(index).expect("removed");
    git_unpack(&stage, &stage.path("state/mirror.git"), &away);
    let hex = blob.to_string();
    fs::remove_file(stage.path("state/mirror.git/objects").join(&hex[..2]).join(&hex[2..])).expect("removed");
    let mut mirror = stage.mirror("state");
    assert!(matches!(mirror.read(head, "clusters/c1", 10_000), Err(Unreadable::Corrupt(_))));
    mirror.set_wire(std::sync::Arc::new(Away));
    for _ in 0..2 {
        assert!(matches!(mirror.fetch(&[main_branch()]), Err(Trouble::Injected("away"))));
        assert_eq!(mirror.read(head, "clusters/a", 100).expect("still there"), b"whole");
    }
    mirror.set_wire(std::sync::Arc::new(drydock_git::Calm));
    assert!(mirror.fetch(&[main_branch()]).expect("fetched").healed.is_some());
    assert!(mirror.read(head, "clusters/c1", 10_000).is_ok());
}

#[test]
fn at_most_one_damaged_mirror_is_kept() {
    let stage = Stage::new();
    let (place, head) = fetched(&stage);
    for _ in 0..3 {
        fs::write(place.join("HEAD"), "garbage").expect("written");
        heals(&stage, head);
    }
    let mut names: Vec<String> = fs::read_dir(stage.path("state"))
        .expect("folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["mirror.damaged", "mirror.git", "mirror.lock"]);
}

fn with_two(mirror: &Mirror, outbox: &Outbox) -> Group {
    use crate::git::stage::{draft, key, put};
    let mut group = outbox.begin(mirror).expect("begun");
    group.add(&draft(vec![put("clusters/oslo/status.yaml", "one")]), &key()).expect("made");
    group.add(&draft(vec![put("clusters/oslo/status.yaml", "two")]), &key()).expect("made");
    group
}

#[test]
fn a_damaged_repository_on_a_path_is_not_called_our_mirror_when_it_is_pushed_to() {
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    let first = commit(&mirror, None, "a", "x");
    assert!(matches!(mirror.push(&status(), None, first), Pushed::Landed));
    mirror.fetch(&[status()]).expect("fetched");
    let next = commit(&mirror, Some(first), "a", "y");
    fs::write(stage.remote().join(status().full()), "garbage\n").expect("written");
    let pushed = mirror.push(&status(), Some(first), next);
    let Pushed::NotSent(trouble) = pushed else { panic!("{pushed:?}") };
    assert!(matches!(trouble, Trouble::RemoteDamaged { .. }), "{trouble:?}");
}

/// A pack that has not this commit.
fn pack_without(place: &Path, commit: Oid) -> PathBuf {
    let found = fs::read_dir(place.join("objects/pack")).expect("folder").flatten().map(|entry| entry.path());
    let mut packs = found.filter(|path| path.extension().is_some_and(|e| e == "pack"));
    let has = |pack: &Path| fs::read(pack.with_extension("idx")).expect("read").windows(20).any(|id| id == commit.as_bytes());
    let path = packs.find(|pack| !has(pack)).expect("one without it");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("writable");
    path
}

#[test]
fn a_damaged_small_pack_that_nobody_reads_does_not_stop_every_fetch_for_ever() {
    let stage = Stage::new();
    stage.git(&stage.remote(), &["config", "receive.autogc", "false"]);
    let mirror = stage.mirror("state");
    let mut head: Option<Oid> = None;
    for number in 0..52 {
        let new = commit(&mirror, head, &format!("clusters/c{}/status.yaml", number % 7), &number.to_string().repeat(50));
        assert!(matches!(mirror.push(&main_branch(), head, new), Pushed::Landed));
        head = Some(new);
    }
    let old = pack_without(&mirror.place(), head.expect("some"));
    drop(mirror);
    let mut bytes = fs::read(&old).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&old, bytes).expect("written");
    let mut mirror = stage.mirror("state");
    mirror.fetch(&[main_branch()]).expect("what was fetched counts");
    let again = mirror.fetch(&[main_branch()]).expect("the next one makes the mirror again");
    assert!(again.healed.is_some());
}

#[test]
fn a_start_that_was_cut_off_while_the_mirror_was_made_loses_no_outbox() {
    let stage = Stage::new();
    let mut writer = stage.mirror("writer");
    stage.land(&mut writer, &main_branch(), "clusters/a", "whole");
    let mut mirror = stage.mirror("state");
    mirror.fetch(&[main_branch(), status()]).expect("fetched");
    let mut outbox = Outbox::restore(&mirror, &status()).expect("restored");
    let mut group: Group = outbox.begin(&mirror).expect("begun");
    group.add(&draft(vec![put("clusters/oslo/status.yaml", "x")]), &key()).expect("made");
    outbox.append(&mirror, group).expect("kept");
    let place = mirror.place();
    drop(mirror);
    fs::write(place.join("HEAD"), "garbage").expect("written");
    // Opened and moved aside; killed, or out of space, when the new one had a folder and nothing in it.
    drop(stage.mirror("state"));
    fs::remove_dir_all(&place).expect("removed");
    fs::create_dir(&place).expect("made");
    let mut mirror = stage.mirror("state");
    mirror.fetch(&[main_branch()]).expect("fetched");
    assert_eq!(Outbox::restore(&mirror, &status()).expect("restored").entries().len(), 1);
}
