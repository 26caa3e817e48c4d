//! A person's word is in the ledger once it was heard, whatever became of the entry that was on its way. On a real repository.

use super::pushing::{accept, begun};
use drydock_engine::ports::{Appended, StoreError};
use drydock_git::status::adopt;
use drydock_model::ids::Place;
use drydock_model::ledger::{Event, Word};
use drydock_model::plan::Remote;
use drydock_model::time::Millis;
use drydock_spec::wire::words::Said;
use drydock_tests::home::{BEGIN, End, Hand, Remotes, cluster, revision};
use drydock_tests::sim::node;

fn retry(name: &str) -> Said {
    Said::Cluster { cluster: cluster(name), word: Word::Retry { node: node(1), reason: "mended".to_owned() } }
}

/// How many fresh attempts a node was given.
fn attempt(end: &End, name: &str) -> u8 {
    end.ledger(name).attempts[&node(1)].number
}

/// `north` starts anew, with a state folder of that name.
fn anew(remotes: &Remotes, state: &str) -> End {
    remotes.clock.pass(Millis::hours(2));
    let north = remotes.end("north", Hand::North, state);
    north.claim().expect("a claim");
    north
}

#[test]
fn a_word_to_a_cluster_whose_entry_was_left_behind_is_written_with_it() {
    let (remotes, north) = begun(&["alpha"]);
    let foreign = remotes.write(Hand::Stranger, "clusters/alpha/status.yaml", "all is well\n");
    assert!(matches!(north.note("alpha", "Wait/A"), Err(StoreError::Touched { .. })));
    remotes.say(Hand::Ann, &retry("alpha"));
    remotes.say(Hand::Ann, &accept(foreign));
    assert!((0..3).any(|_| north.read("alpha").expect("fine").remote == Remote::Confirmed));
    assert_eq!(attempt(&north, "alpha"), 2);
    drop(north);
    assert_eq!(attempt(&anew(&remotes, "elsewhere"), "alpha"), 2);
}

#[test]
fn a_word_to_a_cluster_whose_entry_was_refused_is_not_forgotten() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    // Its node is not out any more; of one that is, see rule 19.
    north.append("beta", vec![Event::Word(Word::Gone { node: node(2), reason: "its board is dead".to_owned() })]).expect("fine");
    let given_up = Event::Word(Word::Gone { node: node(1), reason: "its board is dead".to_owned() });
    north.append("beta", vec![given_up]).expect("fine");
    remotes.hook("update", "case \"$(git diff --name-only $2 $3)\" in *clusters/beta/*) exit 1;; esac");
    remotes.say(Hand::Ann, &retry("beta"));
    assert!(matches!(north.note("beta", "Wait/A"), Err(StoreError::Refused(_))));
    assert_eq!(attempt(&north, "beta"), 2);
    remotes.hook("update", "exit 0");
    assert_eq!(north.note("beta", "Wait/B"), Ok(Appended::Pushed));
    drop(north);
    assert_eq!(attempt(&anew(&remotes, "elsewhere"), "beta"), 2);
}

#[test]
fn an_entry_that_moves_onto_a_word_to_its_cluster_takes_it_in() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    remotes.say(Hand::Ann, &retry("alpha"));
    // Not looked at before: the push finds out.
    assert_eq!(north.note("alpha", "Wait/A"), Ok(Appended::Pushed));
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    let since = |end: &End| end.ledger("alpha").since.map(|(state, _)| state);
    let told = (attempt(&north, "alpha"), since(&north), remotes.entries_of("alpha"));
    assert_eq!(told, (2, Some("Wait/A".to_owned()), 3), "the word, and an entry before and after it");
    drop(north);
    let north = anew(&remotes, "elsewhere");
    assert_eq!((attempt(&north, "alpha"), since(&north)), (2, Some("Wait/A".to_owned())));
}

#[test]
fn a_word_to_a_touched_cluster_survives_an_entry_that_moves_onto_it() {
    let (remotes, north) = begun(&["alpha"]);
    remotes.write(Hand::Stranger, "clusters/alpha/status.yaml", "all is well\n");
    assert!(matches!(north.read("alpha").expect("fine").remote, Remote::Touched { .. }));
    assert_eq!(north.note("alpha", "Hold/StatusTouched"), Ok(Appended::Pushed));
    remotes.say(Hand::Ann, &retry("alpha"));
    // Not looked at before: the push finds out.
    assert_eq!(north.note("alpha", "Hold/Other"), Ok(Appended::Pushed));
    assert_eq!(attempt(&north, "alpha"), 2);
    drop(north);
    assert_eq!(attempt(&anew(&remotes, "elsewhere"), "alpha"), 2);
}

#[test]
fn a_word_about_the_clock_to_everybody_is_heard_once() {
    let (remotes, north) = begun(&["alpha"]);
    remotes.say(Hand::Ann, &Said::ClockEverywhere { reason: "the batteries were changed".to_owned() });
    assert!(north.ledger("alpha").clock_accepted);
    north.note("alpha", "Wait/A").expect("fine");
    assert!(!north.ledger("alpha").clock_accepted, "used up");
    drop(north);
    assert!(!anew(&remotes, "elsewhere").ledger("alpha").clock_accepted, "and not heard again");
}

#[test]
fn a_word_to_a_touched_cluster_survives_two_starts() {
    let (remotes, north) = begun(&["alpha"]);
    let foreign = remotes.write(Hand::Stranger, "clusters/alpha/status.yaml", "all is well\n");
    assert!(matches!(north.read("alpha").expect("fine").remote, Remote::Touched { .. }));
    assert_eq!(north.note("alpha", "Hold/StatusTouched"), Ok(Appended::Pushed));
    remotes.say(Hand::Ann, &retry("alpha"));
    drop(north);
    for state in ["first", "second"] {
        assert_eq!(attempt(&anew(&remotes, state), "alpha"), 2, "{state}");
    }
    let north = anew(&remotes, "third");
    assert_eq!(north.note("alpha", "Hold/Other"), Ok(Appended::Pushed), "it has taken the word in");
    drop(north);
    assert_eq!(attempt(&anew(&remotes, "fourth"), "alpha"), 2, "which is not heard twice");
    remotes.say(Hand::Ann, &accept(foreign));
    for state in ["fifth", "sixth"] {
        assert_eq!(attempt(&anew(&remotes, state), "alpha"), 2, "{state}");
    }
}

#[test]
fn an_adoption_of_a_touched_cluster_survives_two_starts() {
    let (remotes, north) = begun(&["alpha"]);
    let first = north.ledger("alpha").epoch;
    drop(north);
    let north = anew(&remotes, "more");
    north.note("alpha", "Wait/A").expect("fine");
    let lost = Place { epoch: first, seq: 90 };
    assert_eq!(north.ledger("alpha").knows(&lost), Some(false));
    remotes.write(Hand::Stranger, "clusters/alpha/status.yaml", "all is well\n");
    drop(north);
    adopt(remotes.home("north", Hand::North, "adopt").0, BEGIN, 9).expect("fine");
    for state in ["first", "second", "third"] {
        assert_eq!(anew(&remotes, state).ledger("alpha").knows(&lost), Some(true), "{state}");
    }
}

#[test]
fn a_word_that_lets_a_revision_in_is_not_forgotten_before_it_was_used() {
    let (remotes, north) = begun(&["alpha"]);
    drop(north);
    remotes.say(Hand::Ann, &Said::Accept { revision: revision(7), reason: "the branch was cleaned up".to_owned() });
    for state in ["first", "second"] {
        // Nothing is read of the fleet meanwhile: its remote is away.
        let north = anew(&remotes, state);
        let shared = north.store.shared().lock().expect("fine").clone();
        assert_eq!((shared.let_in, shared.served), (Some(revision(7)), Vec::new()), "{state}");
    }
}
