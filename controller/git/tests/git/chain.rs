//! What is not confirmed is sent again, the same, until its fate is known.

use crate::git::stage::{Stage, allowed, at, commit, draft, key, put, status};
use drydock_git::{
    Calm, Dropped, Edit, Head, Judgement, Mirror, Oid, Outbox, Pushed, RefName, Refusal, RefusedEntry, Sent, Trouble, Wire, find_refused,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Loses answers, or requests, while the count lasts.
struct Losing {
    answers: AtomicU32,
    requests: AtomicU32,
}

impl Losing {
    fn some(answers: u32, requests: u32) -> Arc<Self> {
        Arc::new(Self { answers: answers.into(), requests: requests.into() })
    }
}

fn take(count: &AtomicU32) -> Result<(), Dropped> {
    match count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
        Ok(_) => Err(Dropped("lost")),
        Err(_) => Ok(()),
    }
}

impl Wire for Losing {
    fn request(&self) -> Result<(), Dropped> {
        take(&self.requests)
    }
    fn answer(&self) -> Result<(), Dropped> {
        take(&self.answers)
    }
}

fn folder(path: &str) -> Vec<String> {
    vec![path.rsplit_once('/').map_or(path, |(folder, _)| folder).to_owned()]
}

/// An outbox on a branch with one confirmed commit.
fn begin(stage: &Stage) -> (Mirror, Outbox) {
    let mut mirror = stage.mirror("state");
    stage.land(&mut mirror, &status(), "drydock.yaml", "root");
    mirror.fetch(&[status()]).expect("fetched");
    let outbox = Outbox::restore(&mirror, &status()).expect("restored");
    (mirror, outbox)
}

/// Adds a commit for each of these files.
fn add(outbox: &mut Outbox, mirror: &Mirror, files: &[(&str, &str)]) -> Vec<Oid> {
    let mut group = outbox.begin(mirror).expect("begun");
    for (path, text) in files {
        group.add(&draft(vec![put(path, text)]), &key()).expect("made");
    }
    outbox.append(mirror, group).expect("kept").commits
}

fn confirmed(sent: Sent) {
    assert!(matches!(sent, Sent::Confirmed), "{sent:?}");
}

#[test]
fn what_is_sent_is_confirmed_and_leaves_the_outbox() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let made = add(&mut outbox, &mirror, &[("clusters/oslo/s", "1"), ("clusters/reno/s", "1")]);
    confirmed(outbox.send(&mut mirror));
    assert_eq!((stage.head(&status()), outbox.entries(), outbox.base()), (Some(made[1]), [].as_slice(), Some(made[1])));
    assert_eq!(mirror.last_seen(&status()), at(made[1]), "nothing needs to be fetched for it");
    confirmed(outbox.send(&mut mirror));
    assert_eq!(Outbox::restore(&mirror, &status()).expect("restored"), outbox);
}

#[test]
fn after_a_lost_answer_the_same_objects_are_found_there() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let made = add(&mut outbox, &mirror, &[("clusters/oslo/s", "1")]);
    mirror.set_wire(Losing::some(1, 0));
    assert!(matches!(outbox.send(&mut mirror), Sent::Unknown(_)));
    assert_eq!(outbox.entries(), made);
    // More may be added meanwhile; what landed is recognised, the rest follows.
    let more = add(&mut outbox, &mirror, &[("clusters/oslo/s", "2")]);
    confirmed(outbox.send(&mut mirror));
    assert_eq!(stage.head(&status()), Some(more[0]));
    assert_eq!(stage.git(&stage.remote(), &["rev-list", "--count", status().full()]).trim(), "3");
}

#[test]
fn after_a_lost_answer_others_may_have_built_on_it() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let made = add(&mut outbox, &mirror, &[("clusters/oslo/s", "1")]);
    mirror.set_wire(Losing::some(1, 0));
    assert!(matches!(outbox.send(&mut mirror), Sent::Unknown(_)));
    let mut other = stage.mirror("other");
    let on_top = stage.land(&mut other, &status(), "clusters/reno/s", "1");
    // Its own entry is confirmed, and what stands on it is for the caller to look at: it may be another controller's claim.
    let Sent::Diverged { head } = outbox.send(&mut mirror) else { panic!("nothing is said of what came on top") };
    assert_eq!((head, outbox.base(), outbox.entries().len()), (on_top, Some(made[0]), 0));
    assert!(mirror.is_ancestor(made[0], on_top).expect("known"));
}

#[test]
fn a_lost_request_is_sent_again_without_a_look() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let made = add(&mut outbox, &mirror, &[("clusters/oslo/s", "1")]);
    mirror.set_wire(Losing::some(0, 2));
    for _ in 0..2 {
        assert!(matches!(outbox.send(&mut mirror), Sent::NotSent(Trouble::Injected(_))));
    }
    confirmed(outbox.send(&mut mirror));
    assert_eq!(stage.head(&status()), Some(made[0]));
}

#[test]
fn a_controller_that_died_before_during_or_after_sending_finds_its_entries_again() {
    for (answers, sends) in [(0, 0), (1, 1), (0, 1)] {
        let stage = Stage::new();
        let (mut mirror, mut outbox) = begin(&stage);
        let made = add(&mut outbox, &mirror, &[("clusters/oslo/s", "1"), ("clusters/reno/s", "1")]);
        mirror.set_wire(Losing::some(answers, 0));
        for _ in 0..sends {
            let _how_it_ended_dies_with_the_process = outbox.send(&mut mirror);
        }
        drop((mirror, outbox));
        let mut mirror = stage.mirror("state");
        mirror.fetch(&[status()]).expect("fetched");
        let mut outbox = Outbox::restore(&mirror, &status()).expect("restored");
        assert_eq!(outbox.entries().len(), if sends == 0 { 2 } else { 0 });
        confirmed(outbox.send(&mut mirror));
        assert_eq!(stage.head(&status()), Some(made[1]));
    }
}

#[test]
fn a_root_is_sent_to_a_branch_that_does_not_exist() {
    let stage = Stage::new();
    let mut mirror = stage.mirror("state");
    mirror.fetch(&[status()]).expect("fetched");
    let mut outbox = Outbox::restore(&mirror, &status()).expect("restored");
    assert_eq!(outbox.base(), None);
    let made = add(&mut outbox, &mirror, &[("drydock.yaml", "root"), ("clusters/oslo/s", "1")]);
    assert_eq!(Outbox::restore(&mirror, &status()).expect("restored").entries(), made);
    mirror.set_wire(Losing::some(0, 1));
    assert!(matches!(outbox.send(&mut mirror), Sent::NotSent(_)));
    confirmed(outbox.send(&mut mirror));
    assert_eq!(stage.head(&status()), Some(made[1]));
}

#[test]
fn judgement_is_by_ancestry_alone() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let base = outbox.base().expect("one");
    let older = mirror.commit(base).expect("read").parents.first().copied();
    assert_eq!(older, None);
    let made = add(&mut outbox, &mirror, &[("a/s", "1"), ("b/s", "1"), ("c/s", "1")]);
    let on_second = commit(&mirror, Some(made[1]), "x/s", "1");
    let on_base = commit(&mirror, Some(base), "x/s", "1");
    let unrelated = commit(&mirror, None, "x/s", "1");
    let on_all = commit(&mirror, Some(made[2]), "x/s", "1");
    for (head, judgement) in [
        (at(base), Judgement::Untouched),
        (at(made[0]), Judgement::Partly(1)),
        (at(made[1]), Judgement::Partly(2)),
        (at(made[2]), Judgement::Landed),
        (at(on_all), Judgement::Landed),
        (at(on_second), Judgement::Diverged(2)),
        (at(on_base), Judgement::Diverged(0)),
        (at(unrelated), Judgement::Diverged(0)),
        (Head::Absent, Judgement::Rewound),
    ] {
        assert_eq!(outbox.judge(&mirror, head).expect("judged"), judgement, "{head:?}");
    }
    confirmed(outbox.send(&mut mirror));
    add(&mut outbox, &mirror, &[("d/s", "1")]);
    assert_eq!(outbox.judge(&mirror, at(base)).expect("judged"), Judgement::Rewound);
}

#[test]
fn a_remote_that_went_back_gets_the_same_objects_again() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let base = outbox.base().expect("one");
    add(&mut outbox, &mirror, &[("clusters/oslo/s", "1")]);
    confirmed(outbox.send(&mut mirror));
    let made = add(&mut outbox, &mirror, &[("clusters/oslo/s", "2")]);
    stage.git(&stage.remote(), &["update-ref", status().full(), &base.to_string()]);
    match outbox.send(&mut mirror) {
        Sent::Rewound { to } => {
            assert_eq!(to, at(base));
            confirmed(outbox.send_onto(&mut mirror, to));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.head(&status()), Some(made[0]));
    // Deleted altogether.
    let made = add(&mut outbox, &mirror, &[("clusters/oslo/s", "3")]);
    stage.git(&stage.remote(), &["update-ref", "-d", status().full()]);
    match outbox.send(&mut mirror) {
        Sent::Rewound { to: Head::Absent } => confirmed(outbox.send_onto(&mut mirror, Head::Absent)),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.head(&status()), Some(made[0]));
}

#[test]
fn entries_of_others_are_built_upon_when_our_subtrees_are_unchanged() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let mut group = outbox.begin(&mirror).expect("begun");
    group.add(&draft(vec![put("clusters/oslo/status.yaml", "1"), put("clusters/oslo/facts.yaml", "1")]), &key()).expect("made");
    group
        .add(&draft(vec![put("clusters/oslo/status.yaml", "2"), Edit::Remove { path: "clusters/oslo/facts.yaml".into() }]), &key())
        .expect("made");
    let made = outbox.append(&mirror, group).expect("kept").commits;
    let mut other = stage.mirror("other");
    let theirs = stage.land(&mut other, &status(), "clusters/reno/status.yaml", "1");
    let head = match outbox.send(&mut mirror) {
        Sent::Diverged { head } => head,
        other => panic!("{other:?}"),
    };
    assert_eq!(head, theirs);
    let result = outbox.reparent(&mirror, &key(), head, &BTreeSet::new(), &folder).expect("rebuilt");
    assert_eq!(result.left, []);
    assert_eq!(result.moved.iter().map(|(old, _)| *old).collect::<Vec<_>>(), made);
    // It survives a crash before it is sent.
    drop((mirror, outbox));
    let mut mirror = stage.mirror("state");
    mirror.fetch(&[status()]).expect("fetched");
    let mut outbox = Outbox::restore(&mirror, &status()).expect("restored");
    assert_eq!(outbox.entries(), result.moved.iter().map(|(_, new)| *new).collect::<Vec<_>>());
    confirmed(outbox.send(&mut mirror));
    let tip = stage.head(&status()).expect("there");
    assert_eq!(mirror.read(tip, "clusters/oslo/status.yaml", 10).expect("read"), b"2");
    assert_eq!(mirror.read(tip, "clusters/reno/status.yaml", 10).expect("read"), b"1");
    assert!(mirror.read(tip, "clusters/oslo/facts.yaml", 10).is_err());
    for (old, new) in result.moved {
        let (old, new) = (mirror.commit(old).expect("read"), mirror.commit(new).expect("read"));
        assert_eq!((old.message, old.author, old.committer), (new.message, new.author, new.committer));
        assert_eq!(mirror.verify(new.id, &allowed()).expect("signed again"), "controller");
    }
}

#[test]
fn an_entry_whose_subtree_changed_stays_behind_with_its_followers_and_the_others_go_on() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let made = add(
        &mut outbox,
        &mirror,
        &[("clusters/oslo/s", "1"), ("clusters/reno/s", "1"), ("clusters/oslo/t", "2"), ("clusters/bern/s", "1")],
    );
    let mut other = stage.mirror("other");
    stage.land(&mut other, &status(), "clusters/oslo/x", "by somebody");
    let head = match outbox.send(&mut mirror) {
        Sent::Diverged { head } => head,
        other => panic!("{other:?}"),
    };
    let result = outbox.reparent(&mirror, &key(), head, &BTreeSet::new(), &folder).expect("rebuilt");
    assert_eq!(result.moved.iter().map(|(old, _)| *old).collect::<Vec<_>>(), [made[1], made[3]]);
    assert_eq!(
        result.left.iter().map(|left| (left.commit, left.subtrees.join(" "))).collect::<Vec<_>>(),
        [(made[0], "clusters/oslo".to_owned()), (made[2], "clusters/oslo".to_owned())]
    );
    confirmed(outbox.send(&mut mirror));
    let tip = stage.head(&status()).expect("there");
    assert_eq!(mirror.read(tip, "clusters/oslo/x", 100).expect("read"), b"by somebody");
    assert!(mirror.read(tip, "clusters/oslo/s", 100).is_err());
    assert_eq!(mirror.read(tip, "clusters/bern/s", 100).expect("read"), b"1");
}

#[test]
fn a_late_first_send_cannot_land_after_the_entries_were_rebuilt() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let (base, made) = (outbox.base(), add(&mut outbox, &mirror, &[("clusters/oslo/s", "1")]));
    let mut other = stage.mirror("other");
    let head = stage.land(&mut other, &status(), "clusters/reno/s", "1");
    assert!(matches!(outbox.send(&mut mirror), Sent::Diverged { .. }));
    outbox.reparent(&mirror, &key(), head, &BTreeSet::new(), &folder).expect("rebuilt");
    // The old push arrives now.
    assert!(matches!(mirror.push(&status(), base, made[0]), Pushed::Rejected { why: Refusal::Moved, .. }));
    confirmed(outbox.send(&mut mirror));
}

#[test]
fn one_refused_entry_does_not_hold_up_the_group() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let names: Vec<String> = (0..30).map(|number| format!("clusters/c{number}/s")).collect();
    let made = add(&mut outbox, &mirror, &names.iter().map(|name| (name.as_str(), "1")).collect::<Vec<_>>());
    // A server that dislikes one path.
    stage.hook("update", "git ls-tree -r --name-only \"$3\" | grep -q clusters/c17/ && { echo 'c17 is frozen' >&2; exit 1; }; exit 0");
    let refused = match outbox.send(&mut mirror) {
        Sent::Refused(why) => why,
        other => panic!("{other:?}"),
    };
    let culprit = match outbox.isolate(&mut mirror, refused) {
        RefusedEntry::Found { commit, why } => {
            assert_eq!(why, Refusal::Hook { hook: "update".into(), said: "c17 is frozen".into() });
            commit
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(culprit, made[17]);
    assert_eq!(stage.head(&status()), Some(made[16]), "what came before it landed");
    assert_eq!(outbox.entries(), &made[17..]);
    let base = outbox.base().expect("one");
    let result = outbox.reparent(&mirror, &key(), base, &BTreeSet::from([culprit]), &folder).expect("rebuilt");
    assert_eq!((result.left.len(), result.moved.len()), (1, 12));
    confirmed(outbox.send(&mut mirror));
    let listed = stage.git(&stage.remote(), &["ls-tree", "-r", "--name-only", status().full()]);
    assert_eq!(listed.lines().count(), 30, "all but one, and the root's file");
    assert!(!listed.contains("c17/"));
}

#[test]
fn a_refused_entry_is_found_in_as_many_pushes_as_its_number_has_digits() {
    let ids: Vec<Oid> = (0..1000).map(|number| format!("{number:040x}").parse().expect("an id")).collect();
    let refusal = || Refusal::Server { said: "no".into() };
    for bad in 0..1000 {
        let mut pushes = 0;
        let found = find_refused(&ids, refusal(), |count, tip| {
            assert_eq!(tip, ids[count - 1]);
            pushes += 1;
            if count > bad { Pushed::Rejected { now: None, why: refusal() } } else { Pushed::Landed }
        });
        assert_eq!(found.expect("found"), (bad, refusal()));
        assert!(pushes <= 10, "{pushes} pushes for 1000 entries");
    }
    let stopped = find_refused(&ids, refusal(), |_, _| Pushed::Unknown(Trouble::Injected("lost")));
    assert!(matches!(stopped, Err(Pushed::Unknown(_))));
}

#[test]
fn an_isolation_that_loses_an_answer_is_resumed() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let made = add(&mut outbox, &mirror, &[("a/s", "1"), ("b/s", "1"), ("bad/s", "1"), ("c/s", "1")]);
    stage.hook("update", "git ls-tree -r --name-only \"$3\" | grep -q bad/ && exit 1; exit 0");
    let refused = match outbox.send(&mut mirror) {
        Sent::Refused(why) => why,
        other => panic!("{other:?}"),
    };
    mirror.set_wire(Losing::some(1, 0));
    match outbox.isolate(&mut mirror, refused) {
        RefusedEntry::Stopped(Sent::Unknown(_)) => {}
        other => panic!("{other:?}"),
    }
    mirror.set_wire(Arc::new(Calm));
    // It landed although nobody said so: the next send finds that out, and is refused for the rest.
    let refused = match outbox.send(&mut mirror) {
        Sent::Refused(why) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(outbox.entries(), &made[2..]);
    match outbox.isolate(&mut mirror, refused) {
        RefusedEntry::Found { commit, .. } => assert_eq!(commit, made[2]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_stands_down_leaves_what_it_has_on_a_side_reference() {
    let stage = Stage::new();
    let (mirror, mut outbox) = begin(&stage);
    let made = add(&mut outbox, &mirror, &[("clusters/oslo/s", "1")]);
    let side = RefName::stranded("3-beef").expect("a name");
    assert!(matches!(mirror.push(&side, None, outbox.tip().expect("one")), Pushed::Landed));
    assert_eq!(stage.head(&side), Some(made[0]));
    assert_ne!(stage.head(&status()), Some(made[0]));
}

/// The first entry lands late, just before the next push sets out.
struct Late {
    remote: std::path::PathBuf,
    from: std::path::PathBuf,
    entry: std::sync::Mutex<Option<Oid>>,
}

impl Wire for Late {
    fn request(&self) -> Result<(), Dropped> {
        if let Some(entry) = self.entry.lock().expect("fine").take() {
            let there = git2::Repository::open(&self.remote).expect("remote");
            let mut late = there.remote_anonymous(self.from.to_str().expect("text")).expect("fine");
            late.fetch(&[format!("+{entry}:{}", status().full())], None, None).expect("landed");
        }
        Ok(())
    }
}

#[test]
fn what_lands_late_while_the_rest_is_sent_is_no_lock_and_the_rest_lands_on_top_of_it() {
    let stage = Stage::new();
    let (mut mirror, mut outbox) = begin(&stage);
    let made = add(&mut outbox, &mirror, &[("clusters/a/s", "1"), ("clusters/b/s", "1")]);
    mirror.set_wire(Arc::new(Late { remote: stage.remote(), from: mirror.place(), entry: Some(made[0]).into() }));
    confirmed(outbox.send(&mut mirror));
    assert_eq!(stage.head(&status()), Some(made[1]));
}
