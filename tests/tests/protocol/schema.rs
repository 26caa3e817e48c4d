//! Rule 30: upgrading Drydock itself. On a real repository.

use drydock_engine::handling::{Handling, of_claim};
use drydock_engine::ports::ClaimError;
use drydock_engine::run::End;
use drydock_git::Edit;
use drydock_model::fact::{Fact, Gap};
use drydock_model::ledger::{Abandoned, Event, Outcome};
use drydock_spec::wire::SCHEMA;
use drydock_tests::home::{Hand, Remotes, vacate};

/// The same file, as a version of Drydock to come might write it.
fn of_a_later_drydock(text: &str) -> String {
    let later = text.replace(&format!("schema: {SCHEMA}\n"), "schema: 99\n").replace("least: 1\n", "least: 99\n");
    assert_ne!(later, text);
    later
}

#[test]
fn rule_30_who_may_not_read_the_branch_stands_aside() {
    let remotes = Remotes::new();
    let root = remotes.file(remotes.head().expect("fine"), "controller.yaml").expect("fine");
    let later = remotes.write(Hand::South, "controller.yaml", &of_a_later_drydock(&root));
    let north = remotes.north();
    for claim in [north.claim(), north.take_over()] {
        let error = claim.unwrap_err();
        assert_eq!(error, ClaimError::SchemaTooNew { needs: 99, reads: SCHEMA });
        let Handling::StandDown(why) = of_claim(&error) else { panic!("{error} is tried again") };
        assert!(matches!(End::without_claim(&error, why), End::TooNew(_)));
    }
    assert_eq!(remotes.head(), Some(later));
}

#[test]
fn rule_30_an_entry_that_may_not_be_read_is_an_unknown_ledger_and_no_empty_one() {
    let remotes = Remotes::new();
    let north = remotes.north();
    let epoch = north.claim().expect("fine");
    for name in ["alpha", "beta"] {
        north.append(name, vec![Event::Opened(vacate(name, &epoch))]).expect("fine");
    }
    let path = "clusters/alpha/facts.yaml";
    let facts = remotes.file(remotes.head().expect("fine"), path).expect("fine");
    let edit = Edit::Put { path: path.to_owned(), bytes: of_a_later_drydock(&facts).into_bytes() };
    remotes.put(Hand::South, vec![edit], "alpha: a later entry\n\nCluster: alpha\nSchema: 99\n");
    drop(north);
    let north = remotes.north();
    north.claim().expect("fine");
    let unread = north.read("alpha").expect("fine").ledger;
    assert!(matches!(&unread, Fact::Unknown(Gap::Unreadable(why)) if why.contains("99")), "{unread:?}");
    assert!(north.note("alpha", "Wait/A").is_err(), "nothing is written over it");
    assert!(north.ledger("beta").open.is_some(), "the others go on");
}

#[test]
fn rule_30_every_entry_says_its_schema_and_the_least_that_may_read_it() {
    let remotes = Remotes::new();
    let north = remotes.north();
    north.claim().expect("fine");
    north.note("alpha", "Wait/A").expect("fine");
    let head = remotes.head().expect("fine");
    for path in ["controller.yaml", "clusters/alpha/facts.yaml"] {
        let text = remotes.file(head, path).expect("fine");
        assert!(text.contains(&format!("schema: {SCHEMA}\n")) && text.contains("least: 1\n"), "{text}");
    }
    assert!(remotes.log()[0].contains(&format!("\nSchema: {SCHEMA}\n")), "{}", remotes.log()[0]);
}

#[test]
fn rule_30_the_least_schema_rises_only_while_nothing_is_under_way() {
    let remotes = Remotes::new();
    let least = || remotes.file(remotes.head().expect("fine"), "controller.yaml").expect("fine").contains("least: 1\n");
    let north = remotes.north();
    let epoch = north.claim().expect("fine");
    north.append("alpha", vec![Event::Opened(vacate("alpha", &epoch))]).expect("fine");
    // As a version of Drydock wrote it whose entries more could read.
    let root = remotes.file(remotes.head().expect("fine"), "controller.yaml").expect("fine");
    remotes.write(Hand::South, "controller.yaml", &root.replace("least: 1\n", "least: 0\n").replace("folders: {}\n", ""));
    drop(north);
    let north = remotes.north();
    north.claim().expect("fine");
    assert!(!least(), "an intent is open");
    let open = north.ledger("alpha").open.expect("open");
    let outcome = Outcome::Abandoned(Abandoned::GuardFailed);
    north.append("alpha", vec![Event::Closed { entry: open.entry, outcome, heard: true }]).expect("fine");
    assert_eq!(north.ledger("alpha").out, None);
    drop(north);
    remotes.north().claim().expect("fine");
    assert!(least(), "nothing is under way");
}
