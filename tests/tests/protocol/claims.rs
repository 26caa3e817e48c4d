//! Rules 1 to 5: who may write. On a real repository.

use drydock_engine::handling::{Handling, of_claim, of_store};
use drydock_engine::lap::{Memory, Mode, lap};
use drydock_engine::ports::{Appended, ClaimError, Clock, Fleet, Store, StoreError, TakeOver, Wanted, World};
use drydock_git::status::{GitStore, InitError, init};
use drydock_lab::sim::{Shared, SimClock, SimClusters, SimSource, Sleep};
use drydock_lab::{ClusterConfig, Durations, Lab, Rule};
use drydock_model::ids::Place;
use drydock_model::ledger::{Event, Word};
use drydock_model::order::{Receipt, Unmet};
use drydock_model::plan::Remote;
use drydock_model::step::Step;
use drydock_model::time::Millis;
use drydock_spec::wire::words::Said;
use drydock_tests::hand::{claim, matters};
use drydock_tests::home::{BEGIN, Hand, Remotes, cluster, record, status_branch, vacate, wait};
use drydock_tests::sim::node;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[test]
fn rule_01_each_claim_is_the_next_number_and_entry_zero_of_every_cluster() {
    let remotes = Remotes::new();
    let north = remotes.north();
    let first = north.claim().expect("fine");
    assert_eq!(first.number, 1);
    for name in ["alpha", "beta"] {
        assert_eq!(north.append(name, vec![Event::Opened(vacate(name, &first))]), Ok(Appended::Pushed));
    }
    drop(north);
    let north = remotes.north();
    let second = north.claim().expect("fine");
    assert_eq!(second.number, 2);
    assert_ne!(second.nonce, first.nonce);
    for name in ["alpha", "beta"] {
        let ledger = north.ledger(name);
        assert_eq!((&ledger.epoch, ledger.next), (&second, 1), "{name}");
        assert_eq!((ledger.claim().seq, &ledger.open.expect("fine").entry.place.epoch), (0, &first), "{name} keeps what was open");
    }
}

#[test]
fn rule_01_another_name_takes_over_only_when_told_to() {
    let remotes = Remotes::new();
    remotes.north().claim().expect("fine");
    let before = remotes.head();
    let south = remotes.end("south", Hand::South, "south");
    let refused = south.claim().unwrap_err();
    assert_eq!(refused, ClaimError::HeldBy { holder: "north".to_owned() });
    assert!(matches!(of_claim(&refused), Handling::StandDown(_)));
    assert_eq!(remotes.head(), before);
    assert_eq!(south.take_over().expect("fine").number, 2);
    assert_eq!(remotes.end("north", Hand::North, "anew").claim().unwrap_err(), ClaimError::HeldBy { holder: "south".to_owned() });
}

#[test]
fn rule_01_the_fourth_claim_of_a_name_within_an_hour_waits_and_the_next_one_twice_as_long() {
    let remotes = Remotes::new();
    let claim = || remotes.north().claim();
    for number in 1..=3 {
        assert_eq!(claim().expect("fine").number, number);
    }
    assert_eq!(claim().unwrap_err(), ClaimError::TooMany { claims: 3, wait: Millis::minutes(1) });
    remotes.clock.pass(Millis::minutes(1));
    assert_eq!(claim().expect("fine").number, 4);
    assert_eq!(claim().unwrap_err(), ClaimError::TooMany { claims: 4, wait: Millis::minutes(2) });
    remotes.clock.pass(Millis::hours(1));
    assert_eq!(claim().expect("fine").number, 5, "an hour later it is forgotten");
}

#[test]
fn rule_01_an_equal_number_with_another_nonce_is_somebody_elses() {
    let remotes = Remotes::new();
    let root = remotes.head();
    let north = remotes.north();
    let ours = north.claim().expect("fine");
    north.note("alpha", "Wait/A").expect("fine");
    remotes.force(root);
    let theirs = remotes.end("north", Hand::North, "a restored machine").claim().expect("fine");
    assert_eq!(theirs.number, ours.number);
    assert_ne!(theirs.nonce, ours.nonce);
    assert!(matches!(north.read("alpha"), Err(StoreError::StoodDown(_))), "{:?}", north.read("alpha"));
}

#[test]
fn rule_01_of_two_claims_with_one_number_a_node_hears_the_first() {
    matters(Rule::OtherClaim, |h| {
        let order = h.bare(1, Step::WriteRegistry);
        let mut entry = order.entry.clone();
        entry.place.epoch = claim(1, "cd");
        let other = h.under(&order, entry, order.node.clone());
        h.send(&other) == Ok(Receipt::Refused(Unmet::OtherClaim)) && h.count(1, "wrote-registry") == 0
    });
}

#[test]
fn rule_02_an_epoch_comes_from_the_branch_and_never_from_a_disk() {
    let remotes = Remotes::new();
    assert_eq!(remotes.north().claim().expect("fine").number, 1);
    // Meanwhile the same name claims from another machine; what the first one's disk says is old.
    assert_eq!(remotes.end("north", Hand::North, "another machine").claim().expect("fine").number, 2);
    let north = remotes.north();
    let before = remotes.head();
    let early = north.note("alpha", "Wait/A").unwrap_err();
    assert!(matches!(early, StoreError::Local(_)), "who has not claimed writes nothing: {early}");
    assert_eq!(remotes.head(), before);
    assert_eq!(north.claim().expect("fine").number, 3);
}

#[test]
fn rule_03_only_init_makes_the_root_commit() {
    let remotes = Remotes::empty();
    let north = remotes.north();
    for claim in [north.claim(), north.take_over()] {
        let error = claim.unwrap_err();
        assert!(matches!(error, ClaimError::NoBranch(_)), "{error}");
        assert_eq!(of_claim(&error), Handling::Again, "it holds, and goes on by itself once the branch is there");
    }
    assert_eq!(remotes.references("refs/"), Vec::new());
    let mut mirror = remotes.mirror("init");
    init(&mut mirror, &status_branch(), "north", &Hand::North.key(), BEGIN, 0).expect("fine");
    let twice = init(&mut mirror, &status_branch(), "north", &Hand::North.key(), BEGIN, 0).unwrap_err();
    assert_eq!(twice.to_string(), "the branch refs/heads/drydock/status is there already; nothing was done");
    assert_eq!(north.claim().expect("fine").number, 1);
}

#[test]
fn rule_03_adopt_claims_above_every_number_that_a_node_shows() {
    let remotes = Remotes::new();
    remotes.north().claim().expect("fine");
    let adopt = |above| drydock_git::status::adopt(remotes.home("north", Hand::North, "adopt").0, BEGIN, above).expect("fine");
    assert_eq!(adopt(7).1, 7);
    assert!(remotes.log()[0].starts_with("Status branch adopted by north: every claim is above 7\n"), "{}", remotes.log()[0]);
    assert_eq!(remotes.north().claim().expect("fine").number, 8);
    // A lower number than the branch's own takes nothing back.
    assert_eq!(adopt(2).1, 8);
    assert_eq!(remotes.north().claim().expect("fine").number, 9);
}

#[test]
fn rule_03_after_an_adoption_what_nodes_remember_of_lost_entries_is_no_contradiction() {
    let remotes = Remotes::new();
    let north = remotes.north();
    let first = north.claim().expect("fine");
    north.append("alpha", vec![Event::Opened(vacate("alpha", &first))]).expect("fine");
    drop(north);
    let north = remotes.north();
    let second = north.claim().expect("fine");
    north.note("alpha", "Wait/A").expect("fine");
    let lost = Place { epoch: first, seq: 90 };
    assert_eq!(north.ledger("alpha").knows(&lost), Some(false), "a node that shows it holds the cluster");
    drop(north);
    let adopt = |above| drydock_git::status::adopt(remotes.home("north", Hand::North, "adopt").0, BEGIN, above).expect("fine");
    adopt(second.number + 5);
    for state in ["north", "another machine"] {
        let north = remotes.end("north", Hand::North, state);
        north.claim().expect("fine");
        let ledger = north.ledger("alpha");
        assert_eq!(ledger.knows(&lost), Some(true), "{state}");
        assert!(ledger.open.is_some(), "what is open stays open");
        remotes.clock.pass(Millis::hours(2));
    }
}

#[test]
fn rule_26_a_cluster_that_is_new_under_a_running_claim_knows_what_nodes_heard_from_the_others() {
    let remotes = Remotes::new();
    let north = remotes.north();
    let first = north.claim().expect("fine");
    // The nodes of a cluster that is renamed are those of the one before.
    north.append("before", vec![Event::Opened(vacate("before", &first))]).expect("fine");
    let heard = north.ledger("before").ceiling();
    let next = Place { seq: heard.seq + 1, ..heard.clone() };
    let of = |end: &drydock_tests::home::End| end.ledger("renamed");
    assert_eq!((of(&north).knows(&heard), of(&north).knows(&next)), (Some(true), Some(false)), "before its first entry");
    assert_eq!(of(&north).place_for(Step::Vacate, false), (next.seq, next.seq), "and no number is given twice");
    north.note("renamed", "Wait/A").expect("fine");
    assert_eq!((of(&north).knows(&heard), of(&north).knows(&next)), (Some(true), Some(false)), "and with it");
    drop(north);
    let north = remotes.end("north", Hand::North, "elsewhere");
    north.claim().expect("fine");
    assert_eq!((of(&north).knows(&heard), of(&north).knows(&next)), (Some(true), Some(false)), "also under the next claim");
    assert_eq!(of(&north).next, 1);
}

#[test]
fn rule_04_who_finds_a_newer_claim_stands_down_and_keeps_aside_what_it_could_not_push() {
    let remotes = Remotes::new();
    let north = remotes.north();
    let epoch = north.claim().expect("fine");
    north.note("alpha", "Wait/A").expect("fine");
    north.line.set_down(true);
    assert!(matches!(north.note("alpha", "Wait/B"), Ok(Appended::Pending(_))));
    remotes.end("south", Hand::South, "south").take_over().expect("fine");
    north.line.set_down(false);
    let error = north.read("alpha").unwrap_err();
    assert!(matches!(of_store(&error), Handling::StandDown(_)), "{error}");
    let side = remotes.references("refs/drydock/stranded/");
    assert_eq!(side.len(), 1);
    assert_eq!(side[0].0, format!("refs/drydock/stranded/{}", epoch.nonce));
    assert!(remotes.file(side[0].1, "clusters/alpha/facts.yaml").expect("fine").contains("Wait/B"));
    assert!(!remotes.file(remotes.head().expect("fine"), "clusters/alpha/facts.yaml").expect("fine").contains("Wait/B"));
    assert_eq!(remotes.entries_of("alpha"), 1);
}

#[test]
fn rule_03_an_adoption_holds_what_somebody_else_wrote_and_hears_what_a_person_said() {
    let remotes = Remotes::new();
    let north = remotes.north();
    let epoch = north.claim().expect("fine");
    for name in ["alpha", "beta"] {
        north.append(name, vec![Event::Opened(vacate(name, &epoch))]).expect("fine");
    }
    let before = north.ledger("alpha");
    drop(north);
    let foreign = remotes.write(Hand::Stranger, "clusters/alpha/facts.yaml", "ledger: mine\n");
    let forged = remotes.write(
        Hand::Stranger,
        "controller.yaml",
        "schema: 1\nleast: 1\nname: north\nepoch:\n  number: 4294967295\n  nonce: c1\nclaims: []\nwrittenAt: now\n",
    );
    let word = Word::Gone { node: "N01".parse().expect("fine"), reason: "its board is dead".to_owned() };
    remotes.say(Hand::Ann, &Said::Cluster { cluster: cluster("beta"), word });
    drydock_git::status::adopt(remotes.home("north", Hand::North, "adopt").0, BEGIN, 7).expect("fine");
    let north = remotes.north();
    assert_eq!(north.claim().expect("fine").number, 8, "nobody believes a stranger's number");
    let alpha = north.read("alpha").expect("fine");
    assert_eq!(alpha.remote, Remote::Touched { commit: foreign.to_string().parse().expect("fine") }, "not {forged}");
    assert_eq!(north.ledger("alpha").open, before.open);
    assert!(north.ledger("beta").gone.contains_key(&node(1)), "what was said before the adoption is not lost");
}

#[test]
fn rule_04_a_claim_on_top_of_an_entry_whose_answer_was_lost_is_seen() {
    let remotes = Remotes::new();
    let north = remotes.north();
    north.claim().expect("fine");
    north.note("alpha", "Wait/A").expect("fine");
    north.line.lose_answers(1);
    assert!(matches!(north.note("alpha", "Wait/B"), Ok(Appended::Pending(_))));
    remotes.end("south", Hand::South, "south").take_over().expect("fine");
    // The next push looks first, and finds its own entry there with the claim on it.
    let error = north.note("beta", "Wait/A").unwrap_err();
    assert!(matches!(error, StoreError::StoodDown(_)), "{error}");
}

#[test]
fn rule_01_claims_of_a_clock_that_ran_ahead_lock_nobody_out() {
    let remotes = Remotes::new();
    remotes.clock.pass(Millis::hours(24 * 365));
    for _ in 1..=3 {
        remotes.north().claim().expect("fine");
    }
    remotes.clock.set(BEGIN);
    let north = remotes.north();
    assert_eq!(north.claim().unwrap_err(), ClaimError::TooMany { claims: 3, wait: Millis::minutes(1) });
    remotes.clock.pass(Millis::minutes(1));
    assert_eq!(north.claim().expect("a minute of its own time later").number, 4);
}

#[test]
fn rule_04_who_finds_its_own_claim_gone_stands_down() {
    let remotes = Remotes::new();
    let other = Remotes::new();
    let north = remotes.north();
    north.claim().expect("fine");
    // Somebody puts another history in its place.
    let stranger = other.write(Hand::Stranger, "clusters/alpha/facts.yaml", "no facts");
    let repository = remotes.repository();
    let mut remote = repository.remote_anonymous(other.path().to_str().expect("fine")).expect("fine");
    remote.fetch(&["+refs/heads/drydock/status:refs/heads/drydock/status"], None, None).expect("fine");
    assert_eq!(remotes.head(), Some(stranger));
    let error = north.read("alpha").unwrap_err();
    assert!(matches!(error, StoreError::StoodDown(_)), "{error}");
    assert_eq!(remotes.head(), Some(stranger), "what others wrote is left alone");
}

/// The real store over simulated nodes.
pub(super) struct Both {
    pub(super) source: SimSource,
    pub(super) store: GitStore<SimClock>,
    pub(super) clusters: SimClusters,
    pub(super) clock: SimClock,
}

impl World for Both {
    type Source = SimSource;
    type Store = GitStore<SimClock>;
    type Clusters = SimClusters;
    type Clock = SimClock;

    fn source(&self) -> &SimSource {
        &self.source
    }
    fn store(&self) -> &GitStore<SimClock> {
        &self.store
    }
    fn clusters(&self) -> &SimClusters {
        &self.clusters
    }
    fn clock(&self) -> &SimClock {
        &self.clock
    }
}

#[test]
fn rule_05_a_controller_that_starts_while_the_remote_is_down_changes_nothing() {
    let remotes = Remotes::new();
    let north = remotes.north();
    let epoch = north.claim().expect("fine");
    let name = cluster("c");
    let mut lab = Lab::new(1, BEGIN, Durations::real());
    lab.add(&ClusterConfig::new(name.clone(), vec![node(1), node(2)], "20349.3700".parse().expect("fine")));
    // What an earlier life left on the disk would be enough to go on with.
    let mut intent = vacate("c", &epoch);
    intent.node = lab.observe(&name, &[node(1)]).nodes[&node(1)].id.known().expect("it answers").clone();
    north.append("c", vec![Event::Opened(intent)]).expect("fine");
    drop(north);
    let lab: Shared = Arc::new(Mutex::new(lab));
    let wanted: Arc<Wanted> = record("c", Vec::new(), BEGIN).wanted;
    let fleet = Fleet { revision: wanted.revision.clone(), clusters: BTreeMap::new(), problems: Vec::new(), refused: None };
    let clock = SimClock::new(Arc::clone(&lab), Sleep::Drives, 1);
    let (home, line) = remotes.home("north", Hand::North, "north");
    line.set_down(true);
    let world = Both {
        source: SimSource::new(fleet),
        store: GitStore::new(home, Arc::new(clock.clone())).expect("fine"),
        clusters: SimClusters::new(Arc::clone(&lab), clock.clone()),
        clock,
    };
    let heard = || {
        let look = lab.lock().expect("fine").observe(&name, &[node(1), node(2)]);
        look.nodes.values().any(|n| n.memory.known().is_some_and(|m| m.fence.is_some()))
    };
    let mut memory = Memory::default();
    let mut laps = |count: usize| {
        for _ in 0..count {
            wait(lap(&world, &wanted, Mode::Act, None, &mut memory));
            let later = world.clock.now() + Millis::seconds(30);
            lab.lock().expect("fine").advance_to(later);
        }
    };
    let before = remotes.head();
    for take_over in [TakeOver::No, TakeOver::Yes] {
        let error = wait(world.store.claim(take_over)).unwrap_err();
        assert!(matches!(error, ClaimError::Unreachable(_)), "{error}");
        assert_eq!(of_claim(&error), Handling::Again);
        laps(20);
        assert!(!heard(), "a node heard of a controller that has no claim");
    }
    assert_eq!((remotes.head(), line.pushes()), (before, 0));
    line.set_down(false);
    laps(20);
    assert!(!heard(), "also with the remote there, nothing is done before the claim");
    wait(world.store.claim(TakeOver::No)).expect("fine");
    laps(5);
    assert!(heard(), "then it goes on");
}

#[test]
fn a_number_that_was_mistyped_uses_up_no_others() {
    let remotes = Remotes::new();
    remotes.north().claim().expect("fine");
    let adopt = |above| drydock_git::status::adopt(remotes.home("north", Hand::North, "adopt").0, BEGIN, above).map(|(_, above)| above);
    for above in [u32::MAX, 1_000_002] {
        let refused = adopt(above).unwrap_err();
        assert!(matches!(refused, InitError::TooHigh { number, last: 1 } if number == above), "{refused}");
    }
    assert_eq!(adopt(1_000_001).expect("fine"), 1_000_001);
    assert_eq!(remotes.north().claim().expect("a claim").number, 1_000_002);
    let fresh = Remotes::empty();
    let refused = init(&mut fresh.mirror("new"), &status_branch(), "north", &Hand::North.key(), BEGIN, u32::MAX).unwrap_err();
    assert!(matches!(refused, InitError::TooHigh { last: 0, .. }), "{refused}");
}

#[test]
fn claims_of_a_clock_that_ran_ahead_are_waited_for_once_and_not_at_every_start() {
    let remotes = Remotes::new();
    let claimed = |from| {
        remotes.clock.set(from);
        let north = remotes.north();
        let mut waited = Millis::ZERO;
        loop {
            match north.claim() {
                Ok(_) => return waited,
                Err(ClaimError::TooMany { wait, .. }) => {
                    waited = Millis(waited.0 + wait.0);
                    remotes.clock.pass(wait);
                }
                Err(other) => panic!("{other}"),
            }
        }
    };
    // A controller that ends again and again, with a clock a year ahead.
    let mut ahead = BEGIN + Millis::hours(24 * 365);
    for _ in 0..8 {
        ahead = ahead + claimed(ahead);
    }
    let waited: Vec<Millis> = (1..=3).map(|day| claimed(BEGIN + Millis::hours(24 * day))).collect();
    assert_eq!(waited, [Millis::minutes(32), Millis::ZERO, Millis::ZERO]);
}
