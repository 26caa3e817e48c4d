//! Rule 7: what somebody else wrote to the status branch is nobody's ledger, whatever it says of itself and whoever looks at it later. On a real repository.

use super::pushing::{accept, begun, ledger, revision};
use drydock_engine::ports::{Appended, Store};
use drydock_git::Edit;
use drydock_git::status::adopt;
use drydock_model::fact::Fact;
use drydock_model::ids::NodeName;
use drydock_model::ledger::{Attempts, Event, Intent, Ledger, Out};
use drydock_model::plan::Remote;
use drydock_model::time::Millis;
use drydock_tests::home::{BEGIN, End, Hand, Remotes, record, wait};
use std::collections::BTreeMap;
use std::sync::Arc;

const FACTS: &str = "clusters/oslo/facts.yaml";

/// `north` starts anew, with a state folder of that name.
fn anew(remotes: &Remotes, state: &str) -> End {
    remotes.clock.pass(Millis::hours(2));
    let north = remotes.end("north", Hand::North, state);
    north.claim().expect("a claim");
    north
}

/// What must not be lost of a ledger.
fn kept(ledger: &Ledger) -> (Option<Intent>, Option<Out>, BTreeMap<NodeName, Attempts>) {
    (ledger.open.clone(), ledger.out.clone(), ledger.attempts.clone())
}

#[test]
fn rule_07_a_message_that_nobody_could_read_holds_its_cluster_and_keeps_no_claim_from_being_made() {
    let (remotes, north) = begun(&["oslo", "rome"]);
    let before = kept(&north.ledger("oslo"));
    let edit = Edit::Put { path: "clusters/oslo/status.yaml".to_owned(), bytes: b"all is well\n".to_vec() };
    let foreign = remotes.put(Hand::Stranger, vec![edit], &"ledger ".repeat(400_000));
    let running = north.read("oslo").expect("fine");
    assert_eq!(running.remote, Remote::Touched { commit: revision(foreign) });
    assert_eq!(north.read("rome").expect("fine").remote, Remote::Confirmed);
    drop(north);
    let oslo = anew(&remotes, "second").read("oslo").expect("fine");
    assert_eq!(oslo.remote, Remote::Touched { commit: revision(foreign) });
    assert_eq!(kept(&ledger(oslo)), before);
}

#[test]
fn rule_07_a_folder_that_is_given_another_name_holds_the_cluster_whose_it_was() {
    for how in ["a word of it changed", "removed and made anew"] {
        let (remotes, north) = begun(&["oslo", "rome"]);
        let before = kept(&north.ledger("oslo"));
        drop(north);
        let renamed = remotes.file(remotes.head().expect("fine"), FACTS).expect("fine").replace("cluster: oslo\n", "cluster: bergen\n");
        let mut first = None;
        if how == "removed and made anew" {
            first = Some(remotes.put(Hand::Stranger, vec![Edit::Remove { path: FACTS.to_owned() }], "clean-up"));
        }
        let renames = remotes.write(Hand::Stranger, FACTS, &renamed);
        let foreign = first.unwrap_or(renames);
        for state in ["first", "second"] {
            let north = anew(&remotes, state);
            let oslo = north.read("oslo").expect("fine");
            assert_eq!(oslo.remote, Remote::Touched { commit: revision(foreign) }, "{how}, {state}");
            assert_eq!(kept(&ledger(oslo)), before, "{how}, {state}");
            assert!(matches!(north.read("bergen").expect("fine").remote, Remote::Touched { .. }), "{how}, {state}");
            assert_eq!(north.read("rome").expect("fine").remote, Remote::Confirmed, "{how}, {state}");
            north.note("oslo", "Hold/StatusTouched").expect("the hold is told");
        }
        remotes.say(Hand::Ann, &accept(foreign));
        for state in ["third", "fourth"] {
            let oslo = anew(&remotes, state).read("oslo").expect("fine");
            assert_eq!(oslo.remote, Remote::Confirmed, "{how}, {state}");
            assert_eq!(kept(&ledger(oslo)), before, "{how}, {state}");
        }
    }
}

#[test]
fn rule_07_a_forged_second_folder_is_seen_at_once_and_never_becomes_a_ledger() {
    let (remotes, north) = begun(&["oslo"]);
    let copy = remotes.file(remotes.head().expect("fine"), FACTS).expect("fine").replace("clusters/oslo.yaml", "clusters/zzz.yaml");
    let forged = remotes.write(Hand::Stranger, "clusters/zzz/facts.yaml", &copy);
    let touched = Remote::Touched { commit: revision(forged) };
    assert_eq!(north.read("oslo").expect("fine").remote, touched, "while it runs");
    // What is told of the hold makes the tree below it no ledger.
    north.note("oslo", "Hold/StatusTouched").expect("fine");
    let before = kept(&north.ledger("oslo"));
    drop(north);
    for state in ["first", "second"] {
        let north = anew(&remotes, state);
        let oslo = north.read("oslo").expect("fine");
        assert_eq!(oslo.remote, touched, "{state}");
        assert_eq!(kept(&ledger(oslo)), before, "{state}");
        north.note("oslo", &format!("Wait/{state}")).expect("fine");
    }
    remotes.say(Hand::Ann, &accept(forged));
    for state in ["third", "fourth"] {
        let north = anew(&remotes, state);
        let oslo = north.read("oslo").expect("fine");
        assert_eq!(oslo.remote, Remote::Confirmed, "{state}");
        assert_eq!(kept(&ledger(oslo)), before, "{state}");
        if state == "third" {
            north.note("oslo", "Wait/A").expect("fine");
        }
    }
}

#[test]
fn rule_07_a_folder_of_a_cluster_that_no_controller_wrote_of_is_no_ledger_once_it_was_accepted() {
    let (remotes, north) = begun(&["oslo"]);
    let copy = remotes.file(remotes.head().expect("fine"), FACTS).expect("fine");
    let copy = copy.replace("clusters/oslo.yaml", "clusters/bergen.yaml").replace("cluster: oslo\n", "cluster: bergen\n");
    let forged = remotes.write(Hand::Stranger, "clusters/bergen/facts.yaml", &copy);
    assert_eq!(north.read("bergen").expect("fine").remote, Remote::Touched { commit: revision(forged) });
    assert_eq!(north.read("oslo").expect("fine").remote, Remote::Confirmed);
    drop(north);
    remotes.say(Hand::Ann, &accept(forged));
    for state in ["first", "second"] {
        let north = anew(&remotes, state);
        let bergen = north.read("bergen").expect("fine");
        assert_eq!(bergen.remote, Remote::Confirmed, "{state}");
        assert_eq!(ledger(bergen).out, None, "{state}");
    }
    let north = anew(&remotes, "third");
    north.note("bergen", "Wait/A").expect("its first entry");
    drop(north);
    let north = anew(&remotes, "fourth");
    assert!(remotes.file(remotes.head().expect("fine"), "clusters/bergen/facts.yaml").expect("fine").contains("Wait/A"));
    assert_eq!(north.ledger("bergen").since.map(|(state, _)| state), Some("Wait/A".to_owned()));
}

#[test]
fn rule_07_a_folder_of_a_stranger_that_cannot_be_read_stops_no_claim() {
    let (remotes, north) = begun(&["oslo", "rome"]);
    let before = north.ledger("oslo");
    drop(north);
    let deep = format!("clusters/{}facts.yaml", "a/".repeat(80));
    let foreign = remotes.write(Hand::Stranger, &deep, "x");
    for state in ["first", "second"] {
        let north = anew(&remotes, state);
        for name in ["oslo", "rome"] {
            assert_eq!(north.read(name).expect("fine").remote, Remote::Touched { commit: revision(foreign) }, "{state}");
        }
        assert_eq!(north.ledger("oslo").open, before.open, "{state}");
    }
    adopt(remotes.home("north", Hand::North, "adopt").0, BEGIN, 9).expect("nor an adoption");
    let north = anew(&remotes, "third");
    remotes.say(Hand::Ann, &accept(foreign));
    assert_eq!(north.read("oslo").expect("fine").remote, Remote::Confirmed);
    assert_eq!(north.note("oslo", "Wait/A"), Ok(drydock_engine::ports::Appended::Pushed));
    drop(north);
    assert_eq!(anew(&remotes, "fourth").read("oslo").expect("fine").remote, Remote::Confirmed);
}

#[test]
fn rule_07_what_a_person_signed_is_no_claim_and_no_ledger() {
    let (remotes, north) = begun(&["oslo"]);
    let before = north.ledger("oslo");
    drop(north);
    let head = remotes.head().expect("fine");
    let root = remotes.file(head, "controller.yaml").expect("fine").replace("writtenAt: ", "writtenAt: 2");
    let facts = remotes.file(head, FACTS).expect("fine").replace("number: 1\n", "number: 3\n");
    let put = |path: &str, text: String| Edit::Put { path: path.to_owned(), bytes: text.into_bytes() };
    let foreign = remotes.put(Hand::Ann, vec![put("controller.yaml", root), put(FACTS, facts)], "tidied up");
    let north = anew(&remotes, "elsewhere");
    let oslo = north.read("oslo").expect("fine");
    assert_eq!(oslo.remote, Remote::Touched { commit: revision(foreign) });
    assert_eq!(ledger(oslo).attempts, before.attempts);
}

#[test]
fn rule_07_an_accepted_commit_over_a_ledger_that_cannot_be_read_is_no_ledger() {
    let (remotes, north) = begun(&["oslo"]);
    drop(north);
    let facts = remotes.file(remotes.head().expect("fine"), FACTS).expect("fine");
    // A version of Drydock to come has written an entry; somebody puts an older one in its place.
    let put = |text: &str| vec![Edit::Put { path: FACTS.to_owned(), bytes: text.as_bytes().to_vec() }];
    let later = facts.replace("least: 1\n", "least: 99\n");
    remotes.put(Hand::South, put(&later), "oslo: a later entry\n\nCluster: oslo\nSchema: 99\n");
    let foreign = remotes.put(Hand::Stranger, put(&facts), "as it was");
    remotes.say(Hand::Ann, &accept(foreign));
    for state in ["first", "second"] {
        let oslo = anew(&remotes, state).read("oslo").expect("fine");
        assert!(matches!(oslo.ledger, Fact::Unknown(_)), "{state}: {:?}", oslo.ledger);
    }
}

/// An entry of a cluster that the desired tree describes in this file.
fn note_of(north: &End, name: &str, path: &str) -> Result<Appended, drydock_engine::ports::StoreError> {
    let mut record = record(name, vec![Event::Noted { state: "Wait/A".to_owned() }], BEGIN);
    let mut wanted = (*record.wanted).clone();
    path.clone_into(&mut wanted.path);
    path.clone_into(&mut record.path);
    record.wanted = Arc::new(wanted);
    wait(north.store.append(record))
}

#[test]
fn a_cluster_whose_file_moves_after_somebody_removed_its_status_is_written_of() {
    let (remotes, north) = begun(&["oslo"]);
    let removed = vec![Edit::Remove { path: "clusters/oslo/status.yaml".to_owned() }];
    let foreign = remotes.put(Hand::Stranger, removed, "clean-up");
    north.read("oslo").expect("seen");
    remotes.say(Hand::Ann, &accept(foreign));
    assert_eq!(north.read("oslo").expect("fine").remote, Remote::Confirmed);
    assert_eq!(note_of(&north, "oslo", "clusters/shops/oslo.yaml"), Ok(Appended::Pushed));
    drop(north);
    assert_eq!(note_of(&anew(&remotes, "elsewhere"), "oslo", "clusters/shops/oslo.yaml"), Ok(Appended::Pushed));
}

#[test]
fn an_accepted_commit_that_put_a_file_where_a_clusters_folder_was_locks_nobody_out() {
    let (remotes, north) = begun(&["oslo", "rome"]);
    let before = kept(&north.ledger("oslo"));
    drop(north);
    let removed = ["facts.yaml", "status.yaml"].map(|file| Edit::Remove { path: format!("clusters/oslo/{file}") });
    let foreign = remotes.put(Hand::Stranger, removed.to_vec(), "clean-up");
    remotes.write(Hand::Stranger, "clusters/oslo", "see the wiki\n");
    remotes.say(Hand::Ann, &accept(foreign));
    for state in ["first", "second"] {
        let north = anew(&remotes, state);
        let oslo = north.read("oslo").expect("fine");
        assert_eq!(oslo.remote, Remote::Touched { commit: revision(foreign) }, "{state}");
        assert_eq!(kept(&ledger(oslo)), before, "{state}");
        assert_eq!(north.read("rome").expect("fine").remote, Remote::Confirmed, "{state}");
        drop(north);
        adopt(remotes.home("north", Hand::North, "adopt").0, BEGIN, 9).expect("nor out of an adoption");
    }
    remotes.end("north", Hand::North, "over").take_over().expect("nor out of a take-over");
    // The way out: the file goes, and the commit is accepted again.
    remotes.put(Hand::Stranger, vec![Edit::Remove { path: "clusters/oslo".to_owned() }], "it may go");
    remotes.say(Hand::Ann, &accept(foreign));
    let north = anew(&remotes, "third");
    assert_eq!(north.read("oslo").expect("fine").remote, Remote::Confirmed);
    assert_eq!(kept(&north.ledger("oslo")), before);
}

#[test]
fn a_commit_in_a_folder_below_a_clusters_own_holds_only_the_cluster_whose_it_is() {
    let (remotes, north) = begun(&["shops"]);
    assert_eq!(note_of(&north, "till", "clusters/shops/till.yaml"), Ok(Appended::Pushed));
    let foreign = remotes.write(Hand::Stranger, "clusters/shops/till/status.yaml", "all is well\n");
    // Not looked at before: the push finds out.
    assert_eq!(north.note("shops", "Wait/A"), Ok(Appended::Pushed));
    assert_eq!(north.read("shops").expect("fine").remote, Remote::Confirmed);
    assert_eq!(north.read("till").expect("fine").remote, Remote::Touched { commit: revision(foreign) });
}

#[test]
fn an_entry_that_does_not_fit_any_more_is_left_behind_and_holds_up_no_other() {
    let (remotes, north) = begun(&["shops"]);
    let foreign = remotes.write(Hand::Stranger, "clusters/oslo", "see the wiki\n");
    let _left = note_of(&north, "oslo", "clusters/oslo.yaml").unwrap_err();
    assert_eq!(north.note("shops", "Wait/A"), Ok(Appended::Pushed));
    assert_eq!(north.read("shops").expect("fine").remote, Remote::Confirmed);
    assert_eq!(remotes.commits()[1].0, foreign);
}

#[test]
fn a_commit_of_more_folders_than_anybody_reads_holds_every_cluster() {
    let (remotes, north) = begun(&["alpha"]);
    let edits = (0..1_100).map(|n| Edit::Put { path: format!("clusters/x{n}/note.txt"), bytes: b"x".to_vec() }).collect();
    let foreign = remotes.put(Hand::Stranger, edits, "a thousand folders");
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Touched { commit: revision(foreign) });
}
