//! Rules 1 and 7 where somebody joined histories: no claim and no ledger of before comes back. On a real repository.

use super::pushing::{accept, begun, revision};
use drydock_engine::ports::ClaimError;
use drydock_git::Oid;
use drydock_git::status::adopt;
use drydock_model::plan::Remote;
use drydock_model::time::Millis;
use drydock_tests::home::{BEGIN, End, Hand, Remotes};

/// `north` starts anew, with a state folder of that name.
fn anew(remotes: &Remotes, state: &str) -> End {
    remotes.clock.pass(Millis::hours(2));
    let north = remotes.end("north", Hand::North, state);
    north.claim().expect("a claim");
    north
}

/// What the cluster was last told to wait for.
fn waits(end: &End, name: &str) -> Option<String> {
    end.ledger(name).since.map(|(state, _)| state)
}

#[test]
fn rule_07_of_joins_upon_joins_the_line_on_which_a_controller_went_on_counts() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    let older = remotes.commits()[1].0;
    north.note("alpha", "Wait/A").expect("fine");
    drop(north);
    let head = remotes.head().expect("fine");
    let aside = remotes.join(&[older], older);
    remotes.force(Some(head));
    type Ways = fn(&Remotes, Oid, Oid, Oid) -> Oid;
    let ways: [(&str, Ways); 4] = [
        ("the older one first, twice", |r, older, _, head| {
            let first = r.join(&[older, head], older);
            r.join(&[older, first], older);
            first
        }),
        ("an empty commit of somebody's, twice", |r, older, aside, head| {
            let first = r.join(&[aside, head], older);
            r.join(&[aside, first], older);
            first
        }),
        ("joined before it was joined", |r, older, aside, head| {
            let side = r.join(&[aside, older], older);
            r.join(&[side, head], older)
        }),
        ("three at once", |r, older, aside, head| r.join(&[older, aside, head], older)),
    ];
    for (nth, (how, way)) in ways.into_iter().enumerate() {
        remotes.force(Some(head));
        let join = way(&remotes, older, aside, head);
        let north = anew(&remotes, &format!("first-{nth}"));
        assert_eq!(north.read("alpha").expect("fine").remote, Remote::Touched { commit: revision(join) }, "{how}");
        assert_eq!(waits(&north, "alpha").as_deref(), Some("Wait/A"), "{how}");
        drop(north);
        remotes.say(Hand::Ann, &accept(join));
        let north = anew(&remotes, &format!("second-{nth}"));
        assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed, "{how}");
        assert_eq!(waits(&north, "alpha").as_deref(), Some("Wait/A"), "{how}");
    }
}

#[test]
fn rule_07_what_was_written_between_two_joins_is_kept() {
    let (remotes, north) = begun(&["alpha"]);
    let older = remotes.head().expect("fine");
    north.note("alpha", "Wait/A").expect("fine");
    let first = remotes.join(&[older, remotes.head().expect("fine")], older);
    north.read("alpha").expect("seen");
    remotes.say(Hand::Ann, &accept(first));
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    north.note("alpha", "Wait/B").expect("fine");
    let second = remotes.join(&[older, remotes.head().expect("fine")], older);
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Touched { commit: revision(second) });
    drop(north);
    let north = anew(&remotes, "elsewhere");
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Touched { commit: revision(second) });
    assert_eq!(waits(&north, "alpha").as_deref(), Some("Wait/B"));
}

#[test]
fn rule_01_a_join_with_what_was_before_brings_no_older_claim_back() {
    let (remotes, north) = begun(&["alpha"]);
    let before = remotes.head().expect("fine");
    drop(north);
    anew(&remotes, "second").note("alpha", "Wait/A").expect("fine");
    let head = remotes.head().expect("fine");
    let orphan = remotes.join(&[], before);
    for side in [before, orphan] {
        remotes.force(Some(head));
        // Of people who pull and push all the time.
        for _ in 0..6 {
            let tip = remotes.head().expect("fine");
            remotes.join(&[tip, side], tip);
        }
        remotes.clock.pass(Millis::hours(2));
        let north = remotes.end("north", Hand::North, &format!("after {side}"));
        assert_eq!(north.claim().expect("a claim").number, 3);
        assert!(matches!(north.read("alpha").expect("fine").remote, Remote::Touched { .. }));
        assert_eq!(waits(&north, "alpha").as_deref(), Some("Wait/A"));
    }
}

#[test]
fn rule_01_of_claims_that_somebody_joined_the_highest_counts_and_none_of_two_with_one_number() {
    let (remotes, north) = begun(&["alpha"]);
    let before = remotes.head().expect("fine");
    drop(north);
    anew(&remotes, "old").note("alpha", "Wait/Old").expect("fine");
    let old = remotes.head().expect("fine");
    // The branch was restored from a copy, and goes on above all that nodes remember. Somebody with a clone of before pulls and pushes.
    remotes.force(Some(before));
    adopt(remotes.home("north", Hand::North, "adopt").0, BEGIN, 9).expect("fine");
    anew(&remotes, "new").note("alpha", "Wait/New").expect("fine");
    let join = remotes.join(&[old, remotes.head().expect("fine")], old);
    remotes.clock.pass(Millis::hours(2));
    let north = remotes.end("north", Hand::North, "joined");
    assert_eq!(north.claim().expect("a claim").number, 11);
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Touched { commit: revision(join) });
    assert_eq!(waits(&north, "alpha").as_deref(), Some("Wait/New"));
    drop(north);
    // The same without the adoption: either may be the one that nodes have heard of.
    remotes.force(Some(before));
    anew(&remotes, "another").note("alpha", "Wait/Other").expect("fine");
    let joined = remotes.join(&[old, remotes.head().expect("fine")], old);
    remotes.clock.pass(Millis::hours(2));
    let end = |state: &str| remotes.end("north", Hand::North, state);
    let none = end("split").claim().unwrap_err();
    assert!(matches!(none, ClaimError::Split { number: 2, .. }), "{none}");
    assert_eq!(remotes.head(), Some(joined), "nothing is written");
    remotes.force(Some(old));
    assert_eq!(end("set back").claim().expect("the way out").number, 3);
}
