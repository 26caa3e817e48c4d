//! Entries that were not confirmed yet, and a disk that lost some of them. On a real repository.

use super::pushing::begun;
use drydock_engine::ports::Appended;
use drydock_git::Oid;
use drydock_model::plan::Remote;
use drydock_model::time::Millis;
use drydock_tests::home::{End, Hand, Remotes};

fn packs_of(remotes: &Remotes, state: &str) -> Vec<std::path::PathBuf> {
    let folder = remotes.beside(state).join("mirror.git/objects/pack");
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .expect("fine")
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "pack"))
        .collect();
    found.sort();
    found
}

fn pack_with(remotes: &Remotes, state: &str, commit: Oid) -> std::path::PathBuf {
    packs_of(remotes, state)
        .into_iter()
        .find(|pack| std::fs::read(pack.with_extension("idx")).expect("read").windows(20).any(|w| w == commit.as_bytes()))
        .expect("a pack")
}

/// North with two entries that are not on the remote, and where the first is.
fn with_two_pending() -> (Remotes, End, std::path::PathBuf) {
    let (remotes, north) = begun(&["alpha"]);
    north.line.set_down(true);
    for state in ["Wait/A", "Wait/B"] {
        assert!(matches!(north.note("alpha", state), Ok(Appended::Pending(_))));
    }
    let git = git2::Repository::open_bare(remotes.beside("north").join("mirror.git")).expect("fine");
    let tip = git.refname_to_id("refs/outbox/heads/drydock/status").expect("fine");
    let first = git.find_commit(tip).expect("fine").parent_id(0).expect("fine");
    let pack = pack_with(&remotes, "north", first);
    (remotes, north, pack)
}

#[test]
fn a_controller_whose_disk_lost_one_of_its_pending_entries_starts_again() {
    let (remotes, north, pack) = with_two_pending();
    drop(north);
    for extension in ["idx", "pack"] {
        std::fs::remove_file(pack.with_extension(extension)).expect("there");
    }
    remotes.clock.pass(Millis::hours(2));
    let north = remotes.end("north", Hand::North, "north");
    north.claim().expect("a claim");
    assert_eq!(north.note("alpha", "Wait/C"), Ok(Appended::Pushed));
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
}

#[test]
fn a_controller_whose_disk_lost_one_of_its_pending_entries_goes_on() {
    let (remotes, north, pack) = with_two_pending();
    // The same disk, while it runs; something else of the mirror is found damaged, and the mirror is made again.
    for extension in ["idx", "pack"] {
        std::fs::remove_file(pack.with_extension(extension)).expect("there");
    }
    std::fs::write(remotes.beside("north").join("mirror.git/refs/seen/heads/drydock/status"), "garbage").expect("written");
    north.line.set_down(false);
    assert!((0..3).any(|_| north.read("alpha").expect("fine").remote == Remote::Confirmed), "it is told again");
    assert_eq!(remotes.entries_of("alpha"), 2, "in one entry");
    assert_eq!(north.note("alpha", "Wait/C"), Ok(Appended::Pushed));
}
