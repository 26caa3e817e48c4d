//! Remotes and folders that do not serve say so in words that help.

use crate::git::stage::{Stage, at, commit, key, key_text, left_out, main_branch, status};
use drydock_git::{Group, Mirror, Oid, Pushed, Remote, Trouble};
use expect_test::expect;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

fn fetching(stage: &Stage, place: &Path) -> String {
    let mut mirror = Mirror::open(&stage.path("state"), Remote::at_path(place)).expect("mirror");
    told(stage, &mirror.fetch(&[main_branch()]).expect_err("refused"))
}

fn told(stage: &Stage, trouble: &Trouble) -> String {
    trouble.to_string().replace(&stage.path("").display().to_string(), "")
}

#[test]
fn a_path_where_nothing_is_says_so() {
    let stage = Stage::new();
    expect!["there is nothing at nowhere; check the spelling, or make the repository with `git init --bare`"]
        .assert_eq(&fetching(&stage, &stage.path("nowhere")));
}

#[test]
fn a_folder_or_file_that_is_no_repository_says_so() {
    let stage = Stage::new();
    std::fs::create_dir_all(stage.remote().join("inside")).expect("folder");
    std::fs::write(stage.path("file"), "x").expect("file");
    for name in ["fleet.git/inside", "file"] {
        assert_eq!(
            fetching(&stage, &stage.path(name)),
            format!("{name} is not a git repository; check the spelling, or make one with `git init --bare`")
        );
    }
}

#[test]
fn forms_of_repositories_that_cannot_be_read_are_named() {
    let stage = Stage::new();
    for option in ["--object-format=sha256", "--ref-format=reftable"] {
        let place = stage.path(option.trim_start_matches('-'));
        stage.git(&stage.path(""), &["init", "-q", "--bare", option, &place.display().to_string()]);
        let said = fetching(&stage, &place);
        assert!(said.contains("is in a form that is not supported") && said.contains("SHA-1 objects and file references"), "{said}");
    }
}

#[test]
fn somebody_elses_repository_is_not_trusted() {
    let stage = Stage::new();
    if !as_root() {
        left_out("somebody_elses_repository_is_not_trusted", "giving files away needs root");
        return;
    }
    let given = Command::new("chown").args(["-R", "65534:65534"]).arg(stage.remote()).status().expect("chown runs");
    assert!(given.success());
    let said = fetching(&stage, &stage.remote());
    expect!["fleet.git belongs to another user, so git does not trust it; run as its owner, or allow it with `git config --global --add safe.directory fleet.git`"].assert_eq(&said);
}

/// What the tests below do as a user who may not write: this test program again, with one test's name, as nobody.
const AS_NOBODY: &str = "DRYDOCK_TEST_AS_NOBODY";

fn as_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("proc")) == 0
}

/// Runs one test of this program again as an unprivileged user in that folder; false if that cannot be done here.
fn again_as_nobody(test: &str, folder: &Path) -> bool {
    if !as_root() {
        println!("{test} runs as the user it is");
        return false;
    }
    // The program may lie where only root can go.
    let copy = folder.join("again");
    // By another process, so that it is not "busy" when it is started.
    let copied = Command::new("cp").arg(std::env::current_exe().expect("a program")).arg(&copy).status();
    assert!(copied.expect("cp runs").success());
    for path in [folder, &copy] {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("open to all");
    }
    let ended = Command::new(&copy)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(AS_NOBODY, folder)
        .env("HOME", folder)
        .current_dir("/")
        .uid(65534)
        .gid(65534)
        .status()
        .expect("started");
    assert!(ended.success(), "as an unprivileged user: {ended}");
    true
}

/// Files that nobody owns but may not write.
fn given_away(path: &Path, owner_may: &str) {
    for arguments in [["-R", "65534:65534"].as_slice(), ["-R", owner_may].as_slice()] {
        let program = if arguments[1] == owner_may { "chmod" } else { "chown" };
        assert!(Command::new(program).args(arguments).arg(path).status().expect("runs").success());
    }
}

#[test]
fn a_remote_that_may_not_be_written_says_so_and_reading_goes_on() {
    if let Ok(folder) = std::env::var(AS_NOBODY) {
        let folder = Path::new(&folder);
        let mut mirror = Mirror::open(&folder.join("open/state"), Remote::at_path(&folder.join("fleet.git"))).expect("mirror");
        let base = mirror.fetch(&[main_branch()]).expect("reading is allowed").of(&main_branch()).oid();
        let new = commit(&mirror, base, "a", "2");
        match mirror.push(&main_branch(), base, new) {
            Pushed::NotSent(trouble @ Trouble::NoPermission { .. }) => {
                let said = trouble.to_string();
                assert!(said.contains("no permission to") && said.contains("fleet.git") && said.contains("must be writable"), "{said}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(mirror.fetch(&[main_branch()]).expect("still").of(&main_branch()).oid(), base);
        return;
    }
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    stage.land(&mut mirror, &main_branch(), "a", "1");
    std::fs::create_dir(stage.path("open")).expect("folder");
    given_away(&stage.remote(), "a-w");
    given_away(&stage.path("open"), "u+w");
    again_as_nobody("git::refused_places::a_remote_that_may_not_be_written_says_so_and_reading_goes_on", &stage.path(""));
}

#[test]
fn a_remote_or_state_folder_that_may_not_be_entered_says_so() {
    if let Ok(folder) = std::env::var(AS_NOBODY) {
        let folder = Path::new(&folder);
        let mut mirror = Mirror::open(&folder.join("open/state"), Remote::at_path(&folder.join("closed/fleet.git"))).expect("mirror");
        assert!(matches!(mirror.fetch(&[main_branch()]), Err(Trouble::NoPermission { .. })));
        let mut mirror = Mirror::open(&folder.join("open/state2"), Remote::at_path(&folder.join("closed"))).expect("mirror");
        assert!(matches!(mirror.fetch(&[main_branch()]), Err(Trouble::NoPermission { .. })));
        assert!(matches!(Mirror::open(&folder.join("closed/state"), Remote::at_path(folder)), Err(Trouble::NoPermission { .. })));
        return;
    }
    let stage = Stage::new();
    std::fs::create_dir(stage.path("closed")).expect("folder");
    std::fs::create_dir(stage.path("open")).expect("folder");
    given_away(&stage.path("closed"), "a-rwx");
    given_away(&stage.path("open"), "u+w");
    again_as_nobody("git::refused_places::a_remote_or_state_folder_that_may_not_be_entered_says_so", &stage.path(""));
}

/// A file system of a few pages, gone when dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(place: std::path::PathBuf, options: &str) -> Option<Self> {
        std::fs::create_dir_all(&place).expect("folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&place).output().is_ok_and(|out| out.status.success());
        mounted.then_some(Self(place))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let gone = Command::new("umount").arg("-l").arg(&self.0).status();
        assert!(gone.is_ok_and(|status| status.success()));
    }
}

fn noise(bytes: usize) -> String {
    // Does not compress well; any fixed sequence does.
    let mut state = 0x9e37_79b9_u32;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            char::from(b' ' + u8::try_from(state % 90).expect("small"))
        })
        .collect()
}

#[test]
fn a_full_disk_on_either_side_says_so_and_loses_nothing() {
    let stage = Stage::new();
    let Some(disk) = SmallDisk::mount(stage.path("disk"), "size=600k") else {
        left_out("a_full_disk_on_either_side_says_so_and_loses_nothing", "mounting needs root");
        return;
    };
    // The remote is on the small disk.
    let place = disk.0.join("fleet.git");
    git2::Repository::init_bare(&place).expect("bare repository");
    let mut mirror = Mirror::open(&stage.path("state"), Remote::at_path(&place)).expect("mirror");
    let small = commit(&mirror, None, "a", "1");
    assert!(matches!(mirror.push(&status(), None, small), Pushed::Landed));
    let big = commit(&mirror, Some(small), "big", &noise(900_000));
    match mirror.push(&status(), Some(small), big) {
        Pushed::NotSent(trouble @ Trouble::DiskFull { .. }) => assert!(trouble.to_string().contains("free some, nothing was lost")),
        other => panic!("{other:?}"),
    }
    assert_eq!(mirror.fetch(&[status()]).expect("fetched").of(&status()), at(small));
    let left = crate::git::stage::files(&place);
    assert!(left.iter().all(|name| !name.ends_with(".lock")), "{left:?}");
    // There is room again for small things: the failed try left no large file behind.
    let next = commit(&mirror, Some(small), "b", "1");
    assert!(matches!(mirror.push(&status(), Some(small), next), Pushed::Landed));

    // The state folder is on the small disk.
    let mut writer = stage.mirror("writer");
    let head: Oid = stage.land(&mut writer, &main_branch(), "big", &noise(900_000));
    let mut mirror = Mirror::open(&disk.0.join("state"), Remote::at_path(&stage.remote())).expect("mirror");
    let full = mirror.fetch(&[main_branch()]).expect_err("no room");
    assert_eq!(full.to_string(), format!("no space is left where {} is; free some, nothing was lost", mirror.place().display()));
    let mut group = Group::begin(&mirror, None).expect("begun");
    group.add(&crate::git::stage::draft(vec![crate::git::stage::put("big", &noise(900_000))]), &key()).expect("in memory");
    assert!(matches!(group.store(&mirror), Err(Trouble::DiskFull { .. })));
    assert!(Command::new("mount").args(["-o", "remount,size=8m"]).arg(&disk.0).status().expect("runs").success());
    let heads = mirror.fetch(&[main_branch()]).expect("there is room now");
    assert_eq!((heads.of(&main_branch()), heads.healed), (at(head), None));
}

#[test]
fn a_read_only_file_system_says_so() {
    let stage = Stage::new();
    let Some(disk) = SmallDisk::mount(stage.path("disk"), "size=2m") else {
        left_out("a_read_only_file_system_says_so", "mounting needs root");
        return;
    };
    let place = disk.0.join("fleet.git");
    git2::Repository::init_bare(&place).expect("bare repository");
    assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(&disk.0).status().expect("runs").success());
    let mut mirror = Mirror::open(&stage.path("state"), Remote::at_path(&place)).expect("mirror");
    mirror.fetch(&[status()]).expect("reading is allowed");
    let new = commit(&mirror, None, "a", "1");
    match mirror.push(&status(), None, new) {
        Pushed::NotSent(Trouble::ReadOnly { .. }) => {}
        other => panic!("{other:?}"),
    }
    let no = Mirror::open(&disk.0.join("state"), Remote::at_path(&place)).expect_err("refused");
    assert!(matches!(no, Trouble::ReadOnly { .. }), "{no:?}");
}

#[test]
fn no_error_shows_a_secret() {
    let text = key_text(3);
    let secret = text.lines().nth(2).expect("three lines");
    let key = drydock_git::SigningKey::from_openssh(&text, None).expect("key");
    assert!(!format!("{key:?}").contains(secret));
    let broken = text.replace(secret, "CANARY");
    let error = drydock_git::SigningKey::from_openssh(&broken, None).expect_err("refused");
    let mut all = format!("{error} {error:?}");
    let mut source = std::error::Error::source(&error);
    while let Some(next) = source {
        all.push_str(&format!("{next} {next:?}"));
        source = next.source();
    }
    assert!(!all.contains("CANARY"), "{all}");
}
