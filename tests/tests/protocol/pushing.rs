//! Rules 6 to 9: pushing. On a real repository.

use drydock_engine::ports::{Appended, Reading, Store, StoreError};
use drydock_git::{Edit, Oid};
use drydock_model::fact::Fact;
use drydock_model::ids::{EntryId, Place, Revision};
use drydock_model::ledger::{Event, Intent, Ledger, Outcome, RETURN, Word};
use drydock_model::plan::Remote;
use drydock_model::step::Step;
use drydock_model::time::Millis;
use drydock_spec::wire::words::Said;
use drydock_tests::home::{Hand, Remotes, cluster, record, vacate, wait};
use drydock_tests::sim::node;

/// A branch on which `north` has written an entry for each of these clusters.
pub(super) fn begun(names: &[&str]) -> (Remotes, drydock_tests::home::End) {
    let remotes = Remotes::new();
    let north = remotes.north();
    let epoch = north.claim().expect("fine");
    for name in names {
        assert_eq!(north.append(name, vec![Event::Opened(vacate(name, &epoch))]), Ok(Appended::Pushed));
    }
    (remotes, north)
}

pub(super) fn revision(commit: Oid) -> Revision {
    commit.to_string().parse().expect("fine")
}

pub(super) fn ledger(reading: Reading) -> Ledger {
    match reading.ledger {
        Fact::Known { value, .. } => value,
        Fact::Unknown(gap) => panic!("{gap}"),
    }
}

pub(super) fn accept(commit: Oid) -> Said {
    Said::AcceptStatus { commit: revision(commit), reason: "it was a typing mistake".to_owned() }
}

#[test]
fn rule_06_an_entry_whose_answer_was_lost_is_the_same_commit_afterwards_and_there_once() {
    let (remotes, north) = begun(&["alpha"]);
    north.line.lose_answers(1);
    assert!(matches!(north.note("alpha", "Wait/A"), Ok(Appended::Pending(_))));
    let landed = remotes.head();
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    assert_eq!(remotes.head(), landed);
    assert_eq!(north.note("alpha", "Wait/B"), Ok(Appended::Pushed));
    assert_eq!(remotes.entries_of("alpha"), 3);
    assert_eq!(remotes.commits()[1].0, landed.expect("fine"));
}

#[test]
fn rule_06_an_entry_that_lands_long_after_it_was_sent_is_known_again() {
    let (remotes, north) = begun(&["alpha"]);
    north.line.set_down(true);
    assert!(matches!(north.note("alpha", "Wait/A"), Ok(Appended::Pending(_))));
    // What lay about on the way arrives: the very objects that are in the controller's outbox.
    let state = remotes.beside("north");
    let mirror = std::fs::read_dir(&state).expect("fine").flatten().map(|e| e.path()).find(|p| p.join("objects").is_dir()).expect("fine");
    let waiting = git2::Repository::open_bare(&mirror).expect("fine").refname_to_id("refs/outbox/heads/drydock/status").expect("fine");
    let repository = remotes.repository();
    let mut late = repository.remote_anonymous(mirror.to_str().expect("fine")).expect("fine");
    late.fetch(&["refs/outbox/heads/drydock/status:refs/heads/drydock/status"], None, None).expect("fine");
    assert_eq!(remotes.head(), Some(waiting));
    north.line.set_down(false);
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    assert_eq!(remotes.head(), Some(waiting));
    assert_eq!(remotes.entries_of("alpha"), 2);
}

#[test]
fn rule_06_while_the_remote_is_down_entries_wait_in_order_and_none_is_lost() {
    let (remotes, north) = begun(&["alpha"]);
    north.line.set_down(true);
    for state in ["Wait/A", "Wait/B", "Wait/C"] {
        assert!(matches!(north.note("alpha", state), Ok(Appended::Pending(_))));
    }
    assert!(matches!(north.read("alpha").expect("fine").remote, Remote::Unread(_)), "and nothing is confirmed meanwhile");
    north.line.set_down(false);
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    let states: Vec<bool> = remotes
        .commits()
        .iter()
        .take(3)
        .zip(["Wait/C", "Wait/B", "Wait/A"])
        .map(|((commit, _), state)| remotes.file(*commit, "clusters/alpha/facts.yaml").expect("fine").contains(state))
        .collect();
    assert_eq!(states, [true, true, true]);
    assert_eq!(remotes.entries_of("alpha"), 4);
}

#[test]
fn rule_07_a_foreign_commit_holds_only_the_clusters_it_touched() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    let before = north.ledger("alpha");
    let foreign = remotes.write(Hand::Stranger, "clusters/alpha/facts.yaml", "ledger: mine\n");
    let touched = north.read("alpha").expect("fine");
    assert_eq!(touched.remote, Remote::Touched { commit: revision(foreign) });
    assert_eq!(ledger(touched), before, "a foreign tree is never read as ledger");
    assert_eq!(north.read("beta").expect("fine").remote, Remote::Confirmed);
    assert_eq!(north.note("beta", "Wait/A"), Ok(Appended::Pushed));
    // What the cluster's hold and way back have to say is written over it, and lifts nothing.
    assert_eq!(north.note("alpha", "Hold/StatusTouched"), Ok(Appended::Pushed));
    let held = north.read("alpha").expect("fine");
    assert_eq!(held.remote, Remote::Touched { commit: revision(foreign) });
    assert_eq!(ledger(held).open, before.open);
}

#[test]
fn rule_07_a_persons_signed_word_lets_a_foreign_commit_pass_and_nobody_elses_does() {
    let (remotes, north) = begun(&["alpha"]);
    let before = north.ledger("alpha");
    let foreign = remotes.write(Hand::Stranger, "clusters/alpha/facts.yaml", "ledger: mine\n");
    for hand in [Hand::Stranger, Hand::South] {
        remotes.say(hand, &accept(foreign));
        assert!(matches!(north.read("alpha").expect("fine").remote, Remote::Touched { .. }), "{hand:?}");
    }
    remotes.say(Hand::Ann, &accept(remotes.commits().last().expect("fine").0));
    assert!(matches!(north.read("alpha").expect("fine").remote, Remote::Touched { .. }), "a word about another commit");
    let changes = vec![Edit::Put { path: "clusters/alpha/more".to_owned(), bytes: b"x".to_vec() }];
    remotes.put(Hand::Ann, changes, &drydock_spec::wire::words::encode(&accept(foreign)));
    assert!(matches!(north.read("alpha").expect("fine").remote, Remote::Touched { .. }), "a word that changes files is none");
    remotes.say(Hand::Ann, &accept(foreign));
    let reading = north.read("alpha").expect("fine");
    assert_eq!(reading.remote, Remote::Confirmed);
    assert_eq!(ledger(reading), before, "it goes on from what it remembers");
    assert_eq!(north.note("alpha", "Wait/A"), Ok(Appended::Pushed));
    assert_ne!(remotes.file(remotes.head().expect("fine"), "clusters/alpha/facts.yaml").expect("fine"), "ledger: mine\n");
}

#[test]
fn rule_07_a_foreign_commit_still_holds_after_a_restart_and_its_tree_is_still_no_ledger() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    let before = north.ledger("alpha");
    let foreign = remotes.write(Hand::Stranger, "clusters/alpha/facts.yaml", "ledger: mine\n");
    drop(north);
    for state in ["north", "elsewhere"] {
        remotes.clock.pass(Millis::hours(2));
        let north = remotes.end("north", Hand::North, state);
        let epoch = north.claim().expect("fine");
        let touched = north.read("alpha").expect("fine");
        assert_eq!(touched.remote, Remote::Touched { commit: revision(foreign) }, "{state}");
        let now = ledger(touched);
        assert_eq!((now.open, now.out), (before.open.clone(), before.out.clone()));
        assert_eq!(now.epoch, epoch);
        assert_eq!(north.note("beta", &format!("Wait/{state}")), Ok(Appended::Pushed));
    }
    remotes.say(Hand::Ann, &accept(foreign));
    remotes.clock.pass(Millis::hours(2));
    let north = remotes.north();
    north.claim().expect("fine");
    let accepted = north.read("alpha").expect("fine");
    assert_eq!(accepted.remote, Remote::Confirmed);
    assert_eq!(ledger(accepted).open, before.open);
}

#[test]
fn rule_07_an_entry_moves_onto_what_came_in_between() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    let foreign = remotes.write(Hand::Stranger, "clusters/beta/status.yaml", "all is well\n");
    // Not looked at before: the push finds out.
    assert_eq!(north.note("alpha", "Wait/A"), Ok(Appended::Pushed));
    let commits = remotes.commits();
    assert_eq!(commits[1].0, foreign);
    assert!(commits[0].1.contains("\nCluster: alpha\n"));
    assert!(remotes.file(commits[0].0, "clusters/alpha/facts.yaml").expect("fine").contains("Wait/A"));
    assert_eq!(remotes.file(commits[0].0, "clusters/beta/status.yaml").expect("fine"), "all is well\n");
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    assert_eq!(north.read("beta").expect("fine").remote, Remote::Touched { commit: revision(foreign) });
}

#[test]
fn rule_07_an_entry_does_not_move_onto_its_own_cluster_changed_by_somebody_else() {
    let (remotes, north) = begun(&["alpha"]);
    remotes.write(Hand::Stranger, "clusters/alpha/status.yaml", "all is well\n");
    let left = north.note("alpha", "Wait/A");
    assert!(matches!(left, Err(StoreError::Touched { .. })), "{left:?}");
    assert_eq!(remotes.entries_of("alpha"), 1);
    assert!(matches!(north.read("alpha").expect("fine").remote, Remote::Touched { .. }));
}

#[test]
fn rule_07_whoever_writes_over_the_claim_holds_every_cluster() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    let foreign = remotes.write(Hand::Stranger, "controller.yaml", "name: mine\n");
    for name in ["alpha", "beta"] {
        assert_eq!(north.read(name).expect("fine").remote, Remote::Touched { commit: revision(foreign) });
    }
}

#[test]
fn rule_08_a_remote_that_went_back_gets_the_same_commits_again() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    let commits = remotes.commits();
    remotes.force(Some(commits[1].0));
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    assert_eq!(remotes.commits(), commits);
    // To before our claim, or without any branch at all.
    remotes.force(Some(commits.last().expect("fine").0));
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    assert_eq!(remotes.commits(), commits);
    remotes.force(None);
    assert_eq!(north.note("alpha", "Wait/A"), Ok(Appended::Pushed));
    assert_eq!(remotes.commits()[1..], commits);
}

#[test]
fn rule_08_a_remote_that_went_back_and_was_claimed_by_another_is_left_to_it() {
    let (remotes, north) = begun(&["alpha"]);
    let commits = remotes.commits();
    remotes.force(Some(commits.last().expect("fine").0));
    remotes.end("south", Hand::South, "south").take_over().expect("fine");
    let theirs = remotes.head();
    assert!(matches!(north.read("alpha"), Err(StoreError::StoodDown(_))));
    assert_eq!(remotes.head(), theirs);
}

#[test]
fn rule_09_one_clusters_refused_entry_does_not_hold_up_the_others() {
    let (remotes, north) = begun(&["alpha", "beta", "gamma"]);
    let refuse = "case \"$(git diff --name-only $2 $3)\" in *clusters/beta/*) echo not beta; exit 1;; esac";
    // Its node is not out any more; of one that is, see rule 19.
    let given_up = Event::Word(Word::Gone { node: node(1), reason: "its board is dead".to_owned() });
    north.append("beta", vec![given_up]).expect("fine");
    remotes.hook("update", refuse);
    let before = north.ledger("beta");
    north.line.set_down(true);
    for name in ["alpha", "beta", "gamma", "alpha"] {
        assert!(matches!(north.note(name, "Wait/A"), Ok(Appended::Pending(_))));
    }
    north.line.set_down(false);
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    assert_eq!((remotes.entries_of("alpha"), remotes.entries_of("beta"), remotes.entries_of("gamma")), (3, 2, 2));
    assert_eq!(north.ledger("beta"), before, "its ledger is what the branch says");
    let error = north.note("beta", "Wait/B").unwrap_err();
    assert!(matches!(&error, StoreError::Refused(why) if why.contains("not beta")), "{error}");
    assert_eq!(north.note("gamma", "Wait/C"), Ok(Appended::Pushed));
}

#[test]
fn rule_09_however_many_entries_are_refused_in_one_look_the_others_land() {
    let bad: Vec<String> = (0..12).map(|n| format!("bad-{n}")).collect();
    let names: Vec<&str> = bad.iter().map(String::as_str).chain(["good"]).collect();
    let (remotes, north) = begun(&names);
    remotes.hook("update", "case \"$(git diff --name-only $2 $3)\" in *clusters/bad*) echo not these; exit 1;; esac");
    north.line.set_down(true);
    for name in &names {
        assert!(matches!(north.note(name, "Wait/A"), Ok(Appended::Pending(_))));
    }
    north.line.set_down(false);
    assert_eq!(north.read("good").expect("fine").remote, Remote::Confirmed);
    assert_eq!((remotes.entries_of("good"), remotes.entries_of("bad-0")), (2, 1));
    let left = wait(north.store.flush()).unwrap_err().to_string();
    assert!(left.contains("12 entries are not on the branch") && left.contains("not these"), "{left}");
}

#[test]
fn rule_09_a_refusal_that_is_over_is_forgotten() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    remotes.hook("update", "case \"$(git diff --name-only $2 $3)\" in *clusters/beta/*) exit 1;; esac");
    north.line.set_down(true);
    assert!(matches!(north.note("beta", "Wait/A"), Ok(Appended::Pending(_))));
    north.line.set_down(false);
    assert_eq!(north.read("alpha").expect("fine").remote, Remote::Confirmed);
    remotes.hook("update", "exit 0");
    assert_eq!(north.note("beta", "Wait/B"), Ok(Appended::Pushed));
    assert_eq!(remotes.entries_of("beta"), 2);
}

#[test]
fn rule_19_what_the_server_refuses_of_a_cluster_with_a_node_out_is_gone_on_from_and_written_once_it_may_be() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    remotes.hook("update", "case \"$(git diff --name-only $2 $3)\" in *clusters/beta/*) echo not beta; exit 1;; esac");
    let epoch = north.ledger("beta").epoch;
    let back = Intent { step: Step::Return, ..vacate("beta", &epoch) };
    let back = Intent { entry: EntryId { place: Place { epoch, seq: back.base + RETURN }, ..back.entry.clone() }, ..back };
    let superseded = Event::Closed { entry: vacate("beta", &back.entry.place.epoch).entry, outcome: Outcome::Superseded, heard: false };
    for event in [superseded, Event::Opened(back.clone())] {
        assert!(matches!(north.append("beta", vec![event]), Err(StoreError::Refused(_))));
        let reading = north.read("beta").expect("fine");
        assert!(matches!(&reading.remote, Remote::Unread(why) if why.contains("not beta")), "{:?}", reading.remote);
    }
    assert_eq!(north.ledger("beta").open.map(|open| open.entry), Some(back.entry.clone()), "the way back goes on");
    assert_eq!(north.note("alpha", "Wait/A"), Ok(Appended::Pushed), "and nobody else is held up");
    remotes.hook("update", "exit 0");
    assert!((0..200).any(|_| north.read("beta").expect("fine").remote == Remote::Confirmed), "it is tried again");
    drop(north);
    let north = remotes.end("north", Hand::North, "elsewhere");
    remotes.clock.pass(Millis::hours(2));
    north.claim().expect("fine");
    assert_eq!(north.ledger("beta").open.map(|open| open.entry), Some(back.entry), "nothing of it was lost");
}

#[test]
fn rule_07_a_copy_of_a_clusters_folder_is_nobodys_ledger() {
    let (remotes, north) = begun(&["oslo"]);
    let before = north.ledger("oslo");
    let head = remotes.head().expect("fine");
    let copied = remotes.file(head, "clusters/oslo/facts.yaml").expect("fine");
    // One as it is, and one that says of itself where it lies.
    remotes.write(Hand::Stranger, "clusters/zzz/facts.yaml", &copied);
    let forged = remotes.write(Hand::Stranger, "clusters/zzzz/facts.yaml", &copied.replace("clusters/oslo.yaml", "clusters/zzzz.yaml"));
    drop(north);
    for state in ["first", "second"] {
        remotes.clock.pass(Millis::hours(2));
        let north = remotes.end("north", Hand::North, state);
        north.claim().expect("fine");
        let oslo = north.read("oslo").expect("fine");
        assert_eq!(oslo.remote, Remote::Touched { commit: revision(forged) }, "{state}");
        let now = ledger(oslo);
        assert_eq!((now.open, now.out, now.attempts), (before.open.clone(), before.out.clone(), before.attempts.clone()), "{state}");
    }
}

#[test]
fn rule_07_a_folder_that_somebody_removed_holds_its_cluster_after_a_restart() {
    let (remotes, north) = begun(&["oslo"]);
    let before = north.ledger("oslo");
    let removed = ["facts.yaml", "status.yaml"].map(|file| Edit::Remove { path: format!("clusters/oslo/{file}") });
    let foreign = remotes.put(Hand::Stranger, removed.to_vec(), "clean-up");
    drop(north);
    for state in ["first", "second"] {
        remotes.clock.pass(Millis::hours(2));
        let north = remotes.end("north", Hand::North, state);
        north.claim().expect("fine");
        let oslo = north.read("oslo").expect("fine");
        assert_eq!(oslo.remote, Remote::Touched { commit: revision(foreign) }, "{state}");
        assert_eq!(ledger(oslo).open, before.open, "{state}");
    }
}

#[test]
fn rule_07_a_join_of_histories_holds_every_cluster_and_brings_no_ledger_and_no_word() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    let older = remotes.commits()[1].0;
    assert_eq!(north.note("alpha", "Wait/A"), Ok(Appended::Pushed));
    let (before, head) = (north.ledger("alpha"), remotes.head().expect("fine"));
    // A word that was said on another history, brought in from the side.
    remotes.force(Some(older));
    let gone = Said::Cluster { cluster: cluster("beta"), word: Word::Gone { node: node(1), reason: "elsewhere".to_owned() } };
    let word = remotes.say(Hand::Ann, &gone);
    remotes.force(Some(head));
    for (parents, like) in [([older, head], older), ([head, word], head)] {
        remotes.force(Some(head));
        let join = remotes.join(&parents, like);
        let touched = Remote::Touched { commit: revision(join) };
        let running = remotes.end("north", Hand::North, "running");
        assert_eq!(remotes.head(), Some(join));
        remotes.clock.pass(Millis::hours(2));
        running.claim().expect("fine");
        for name in ["alpha", "beta"] {
            assert_eq!(running.read(name).expect("fine").remote, touched, "{name}");
        }
        assert_eq!(running.ledger("alpha").since, before.since, "what stood on the line before the join");
        assert!(running.ledger("beta").gone.is_empty(), "a word of another history");
        remotes.say(Hand::Ann, &accept(join));
        assert_eq!(running.read("alpha").expect("fine").remote, Remote::Confirmed);
    }
}

#[test]
fn rule_07_a_join_under_a_running_controller_holds_every_cluster() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    let commits = remotes.commits();
    let join = remotes.join(&[commits[1].0, commits[0].0], commits[1].0);
    for name in ["alpha", "beta"] {
        assert_eq!(north.read(name).expect("fine").remote, Remote::Touched { commit: revision(join) });
    }
}

#[test]
fn rule_07_a_second_foreign_commit_does_not_make_the_first_ones_tree_a_ledger() {
    let (remotes, north) = begun(&["alpha"]);
    let before = north.ledger("alpha");
    drop(north);
    let first = remotes.write(Hand::Stranger, "clusters/alpha/facts.yaml", "ledger: mine\n");
    remotes.say(Hand::Ann, &accept(first));
    let second = remotes.write(Hand::Stranger, "clusters/alpha/status.yaml", "all is well\n");
    remotes.clock.pass(Millis::hours(2));
    let north = remotes.north();
    north.claim().expect("fine");
    let alpha = north.read("alpha").expect("fine");
    assert_eq!(alpha.remote, Remote::Touched { commit: revision(second) });
    assert_eq!(ledger(alpha).open, before.open);
}

#[test]
fn rule_14_an_entry_that_was_left_behind_is_on_the_branch_before_anything_begins() {
    let (remotes, north) = begun(&["alpha"]);
    let foreign = remotes.write(Hand::Stranger, "clusters/alpha/status.yaml", "all is well\n");
    assert!(matches!(north.note("alpha", "Wait/A"), Err(StoreError::Touched { .. })));
    assert!(matches!(north.read("alpha").expect("fine").remote, Remote::Touched { .. }));
    remotes.say(Hand::Ann, &accept(foreign));
    let facts = |remotes: &Remotes| remotes.file(remotes.head().expect("fine"), "clusters/alpha/facts.yaml").expect("fine");
    north.line.set_down(true);
    assert!(matches!(north.read("alpha").expect("fine").remote, Remote::Touched { .. } | Remote::Unread(_)));
    assert!(!facts(&remotes).contains("Wait/A"));
    north.line.set_down(false);
    let mut readings = (0..3).map(|_| north.read("alpha").expect("fine").remote);
    assert!(readings.any(|remote| remote == Remote::Confirmed && facts(&remotes).contains("Wait/A")), "what its ledger says is told again");
}

#[test]
fn rule_14_an_entry_that_is_told_again_is_on_the_branch_before_anything_begins() {
    let (remotes, north) = begun(&["alpha"]);
    let foreign = remotes.write(Hand::Stranger, "clusters/alpha/status.yaml", "all is well\n");
    assert!(matches!(north.note("alpha", "Wait/A"), Err(StoreError::Touched { .. })));
    remotes.say(Hand::Ann, &accept(foreign));
    // What is asked can be read, and what is sent does not arrive: a lock that git left there.
    let lock = remotes.path().join("refs/heads/drydock/status.lock");
    std::fs::write(&lock, "").expect("fine");
    for _ in 0..3 {
        let remote = north.read("alpha").expect("fine").remote;
        assert!(matches!(remote, Remote::Unread(_) | Remote::Touched { .. }), "{remote:?}");
    }
    std::fs::remove_file(&lock).expect("fine");
    assert!((0..3).any(|_| north.read("alpha").expect("fine").remote == Remote::Confirmed));
    assert_eq!(remotes.entries_of("alpha"), 2);
}

#[test]
fn a_word_is_heard_once_however_often_the_branch_is_looked_at() {
    let (remotes, north) = begun(&["alpha"]);
    let number = |end: &drydock_tests::home::End| end.ledger("alpha").attempts[&node(1)].number;
    let before = number(&north);
    // The token of its pushes has expired; what it reads it can read.
    remotes.hook("update", "exit 1");
    assert!(matches!(north.note("beta", "Wait/A"), Err(StoreError::Refused(_))));
    remotes.hook("update", "case \"$(git diff --name-only $2 $3)\" in *clusters/beta/*) exit 1;; esac");
    remotes.say(Hand::Ann, &Said::Cluster { cluster: cluster("alpha"), word: Word::Retry { node: node(1), reason: "mended".to_owned() } });
    remotes.hook("update", "exit 1");
    for _ in 0..5 {
        north.read("alpha").expect("fine");
    }
    assert_eq!(number(&north), before + 1);
}

#[test]
fn a_commit_of_somebody_else_that_cannot_be_read_holds_every_cluster_and_the_way_back_goes_on() {
    let (remotes, north) = begun(&["alpha", "beta"]);
    let before = north.ledger("alpha");
    // No folder that Drydock would make is so deep. A person takes it away again.
    let deep = format!("clusters/{}facts.yaml", "a/".repeat(80));
    let foreign = remotes.write(Hand::Stranger, &deep, "x");
    for name in ["alpha", "beta"] {
        let reading = north.read(name).expect("a reading all the same");
        assert_eq!(reading.remote, Remote::Touched { commit: revision(foreign) });
        assert!(ledger(reading).out.is_some());
    }
    drop(north);
    remotes.put(Hand::Stranger, vec![Edit::Remove { path: deep }], "clean-up");
    remotes.clock.pass(Millis::hours(2));
    let north = remotes.end("north", Hand::North, "elsewhere");
    north.claim().expect("fine");
    let alpha = north.read("alpha").expect("fine");
    assert_eq!((alpha.remote.clone(), ledger(alpha).open), (Remote::Touched { commit: revision(foreign) }, before.open));
}

#[test]
fn two_clusters_do_not_write_into_one_folder() {
    let (_remotes, north) = begun(&["alpha"]);
    let mut record = record("alpha", vec![Event::Noted { state: "Wait/A".to_owned() }], drydock_tests::home::BEGIN);
    record.cluster = cluster("gamma");
    let refused = wait(north.store.append(record)).unwrap_err();
    assert!(refused.to_string().contains("clusters/alpha of the status branch is that of alpha"), "{refused}");
}

#[test]
fn rule_07_what_an_accept_let_in_is_known_to_the_next_claim_as_used() {
    let remotes = Remotes::new();
    let north = remotes.north();
    north.claim().expect("fine");
    north.note("alpha", "Wait/A").expect("fine");
    let said = Said::Accept { revision: drydock_tests::home::revision(7), reason: "the branch was cleaned up".to_owned() };
    remotes.say(Hand::Ann, &said);
    let anew = |state: &str| {
        let end = remotes.end("north", Hand::North, state);
        end.claim().expect("fine");
        let shared = end.store.shared();
        let shared = shared.lock().expect("fine");
        (shared.let_in.clone(), shared.served.clone())
    };
    let word = Some(drydock_tests::home::revision(7));
    // The entry before the word says nothing of it.
    north.read("alpha").expect("heard");
    assert_eq!(north.store.shared().lock().expect("fine").let_in, word);
    north.note("alpha", "Wait/B").expect("fine");
    assert_eq!(anew("another"), (word, vec![drydock_tests::home::revision(1)]));
    assert_eq!(anew("a third"), (None, Vec::new()), "a claim hears what was said since the one before it");
}

#[test]
fn a_refused_entry_brings_no_revision_back_that_a_person_has_let_go() {
    let (remotes, north) = begun(&["alpha"]);
    let of_fleet = drydock_tests::home::revision;
    north.append("alpha", vec![Event::Read(of_fleet(1))]).expect("fine");
    // As the source says after a person let another history in.
    north.store.shared().lock().expect("fine").accepted = vec![of_fleet(7)];
    remotes.hook("update", "exit 1");
    assert!(matches!(north.append("alpha", vec![Event::Read(of_fleet(7))]), Err(StoreError::Refused(_))));
    let accepted = north.store.shared().lock().expect("fine").accepted.clone();
    assert_eq!(accepted, [of_fleet(7)], "the next merge must descend from all of these");
}

#[test]
fn a_server_that_takes_nothing_any_more_is_asked_a_bounded_number_of_times_in_one_look() {
    let names: Vec<String> = (0..64).map(|n| format!("c-{n:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (remotes, north) = begun(&names);
    north.line.set_down(true);
    for name in &names {
        assert!(matches!(north.note(name, "Wait/A"), Ok(Appended::Pending(_))));
    }
    remotes.hook("update", "echo this branch is protected; exit 1");
    north.line.set_down(false);
    let before = north.line.pushes();
    let reading = north.read(names[0]).expect("fine");
    assert!(matches!(&reading.remote, Remote::Unread(why) if why.contains("this branch is protected")), "{:?}", reading.remote);
    let pushes = north.line.pushes() - before;
    assert!(pushes < 64, "{pushes}");
    // What was not asked for yet waits, and what was refused is tried again by its cluster.
    remotes.hook("update", "exit 0");
    assert!((0..200).any(|_| names.iter().all(|name| north.read(name).expect("fine").remote == Remote::Confirmed)), "all of it lands");
    assert!(names.iter().all(|name| remotes.entries_of(name) == 2));
}
