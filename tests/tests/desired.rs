//! The desired source over a real repository: what counts, what holds, and what is left alone.

use drydock_engine::handling::{Handling, of_source};
use drydock_engine::ports::{Fleet, Source, SourceError, Wanted};
use drydock_git::desired::GitSource;
use drydock_git::status::Shared;
use drydock_git::{Oid, RefName};
use drydock_model::desired::Version;
use drydock_model::ids::Revision;
use drydock_tests::home::{Line, Remotes, cluster, wait};
use git2::{FileMode, Signature, Time};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const FLEET: &str = "\
apiVersion: drydock/v1alpha1
kind: Fleet
metadata:
  name: fleet
spec:
  defaults:
    connection:
      transport: Lab
    contact: the platform team
";

/// A cluster's file with nothing wrong in it.
fn file(name: &str, node: &str, version: &str) -> String {
    format!(
        "apiVersion: drydock/v1alpha1\nkind: Cluster\nmetadata:\n  name: {name}\nspec:\n  nodes:\n    - name: {node}1\n    - name: {node}2\n  \
         operatingSystem:\n    version: {version}\n  source:\n    media:\n      path: D:\\Media\n"
    )
}

enum What {
    File(String),
    Link(&'static str),
    Submodule,
    Gone,
}

/// A fleet repository, and a controller's source over it.
struct Stage {
    remotes: Remotes,
    shared: Arc<Mutex<Shared>>,
    line: Arc<Line>,
    source: GitSource,
}

fn main_branch() -> RefName {
    RefName::branch("main").expect("fine")
}

fn source(remotes: &Remotes, shared: &Arc<Mutex<Shared>>, state: &str) -> (GitSource, Arc<Line>) {
    let line = Arc::new(Line::default());
    let mut mirror = remotes.mirror(state);
    mirror.set_wire(line.clone());
    (GitSource::new(mirror, main_branch(), Arc::clone(shared)), line)
}

impl Stage {
    fn empty() -> Stage {
        let remotes = Remotes::empty();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (source, line) = source(&remotes, &shared, "desired");
        Stage { remotes, shared, line, source }
    }

    /// Two clusters and the fleet's defaults.
    fn new() -> (Stage, Oid) {
        let stage = Stage::empty();
        let files = [
            ("fleet.yaml", What::File(FLEET.to_owned())),
            ("clusters/alpha.yaml", What::File(file("alpha", "A", "23H2"))),
            ("clusters/shops/beta.yaml", What::File(file("beta", "B", "23H2"))),
        ];
        let head = stage.commit(None, &files);
        (stage, head)
    }

    /// A commit on `base`, to which the branch is moved whatever it was.
    fn commit(&self, base: Option<Oid>, changes: &[(&str, What)]) -> Oid {
        let repository = self.remotes.repository();
        let parent = base.map(|oid| repository.find_commit(oid).expect("fine"));
        let tree = match &parent {
            Some(parent) => parent.tree().expect("fine"),
            None => repository.find_tree(repository.treebuilder(None).expect("fine").write().expect("fine")).expect("fine"),
        };
        // A file gives way to a submodule only when it is gone.
        let mut clear = git2::build::TreeUpdateBuilder::new();
        let there = |path: &str| tree.get_path(Path::new(path)).is_ok();
        for (path, _) in changes.iter().filter(|(path, what)| matches!(what, What::Submodule) && there(path)) {
            clear.remove(*path);
        }
        let tree = repository.find_tree(clear.create_updated(&repository, &tree).expect("fine")).expect("fine");
        let mut update = git2::build::TreeUpdateBuilder::new();
        for (path, what) in changes {
            match what {
                What::File(text) => update.upsert(*path, repository.blob(text.as_bytes()).expect("fine"), FileMode::Blob),
                What::Link(to) => update.upsert(*path, repository.blob(to.as_bytes()).expect("fine"), FileMode::Link),
                What::Submodule => update.upsert(*path, base.expect("fine"), FileMode::Commit),
                What::Gone => update.remove(*path),
            };
        }
        let tree = repository.find_tree(update.create_updated(&repository, &tree).expect("fine")).expect("fine");
        let ada = Signature::new("Ada", "ada@example.org", &Time::new(1_767_571_200, 0)).expect("fine");
        let commit = repository.commit(None, &ada, &ada, "a change", &tree, &parent.iter().collect::<Vec<_>>()).expect("fine");
        self.force(commit);
        commit
    }

    fn force(&self, to: Oid) {
        self.remotes.repository().reference("refs/heads/main", to, true, "test").expect("fine");
    }

    fn read(&self) -> Result<Arc<Fleet>, SourceError> {
        wait(self.source.read())
    }

    fn fleet(&self) -> Arc<Fleet> {
        self.read().unwrap_or_else(|e| panic!("{e}"))
    }

    fn wanted(&self, name: &str) -> Arc<Wanted> {
        self.fleet().clusters.get(&cluster(name)).cloned().unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// What does not count, and why; the fleet before it is in force.
    fn refused(&self) -> (Revision, String) {
        self.fleet().refused.clone().expect("refused")
    }

    fn let_in(&self, oid: Oid) {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).let_in = Some(revision(oid));
    }
}

fn revision(oid: Oid) -> Revision {
    oid.to_string().parse().expect("fine")
}

#[test]
fn every_cluster_has_the_fleets_defaults_and_the_revision_that_changed_it() {
    let (stage, head) = Stage::new();
    let fleet = stage.fleet();
    assert_eq!((fleet.revision.clone(), fleet.clusters.len(), fleet.problems.len()), (revision(head), 2, 0));
    let alpha = stage.wanted("alpha");
    assert_eq!((alpha.path.as_str(), &alpha.revision), ("clusters/alpha.yaml", &revision(head)));
    assert_eq!(alpha.desired.contact.as_deref(), Some("the platform team"));
}

#[test]
fn a_bad_file_holds_its_own_cluster_at_its_last_good_spec_and_no_other() {
    let (stage, first) = Stage::new();
    stage.fleet();
    let bad = file("alpha", "A", "23H2").replace("nodes:", "nodse:");
    let changes = [("clusters/alpha.yaml", What::File(bad)), ("clusters/shops/beta.yaml", What::File(file("beta", "B", "24H2")))];
    let second = stage.commit(Some(first), &changes);
    let (alpha, beta) = (stage.wanted("alpha"), stage.wanted("beta"));
    assert_eq!((&alpha.revision, alpha.desired.target.version), (&revision(first), Version::V23H2));
    let problem = alpha.problem.clone().expect("fine");
    assert!(problem.contains("clusters/alpha.yaml:6:3") && problem.contains("did you mean `nodes`"), "{problem}");
    assert_eq!((&beta.revision, beta.desired.target.version, &beta.problem), (&revision(second), Version::V24H2, &None));
    // Mended, it counts again.
    let third = stage.commit(Some(second), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    let alpha = stage.wanted("alpha");
    assert_eq!((&alpha.revision, alpha.desired.target.version, &alpha.problem), (&revision(third), Version::V24H2, &None));
}

#[test]
fn what_is_told_of_a_refused_file_is_what_refuses_it_and_not_its_warnings() {
    let (stage, first) = Stage::new();
    stage.fleet();
    // 23H2 is warned of, further up than the line that is wrong.
    let bad = format!("{}  bad: 1\n", file("alpha", "A", "23H2"));
    let second = stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(bad))]);
    let problem = stage.wanted("alpha").problem.clone().expect("refused");
    assert!(problem.starts_with("error[DD0201]: `spec` has no field \"bad\"") && !problem.contains("warning"), "{problem}");
    let warned =
        format!("{FLEET}  exclusions:\n    - {{start: 2020-12-20T00:00:00Z, end: 2020-12-22T00:00:00Z, reason: over}}\n  bad: 1\n");
    stage.commit(Some(second), &[("fleet.yaml", What::File(warned))]);
    let problem = stage.wanted("beta").problem.clone().expect("told");
    assert!(problem.starts_with("error[DD0201]") && !problem.contains("warning"), "{problem}");
}

#[test]
fn a_bad_file_that_never_was_good_is_a_problem_and_no_cluster() {
    let (stage, first) = Stage::new();
    stage.commit(Some(first), &[("clusters/gamma.yaml", What::File("kind: Cluster\n".to_owned()))]);
    let fleet = stage.fleet();
    assert_eq!(fleet.clusters.len(), 2);
    assert!(fleet.problems[0].contains("clusters/gamma.yaml"), "{:?}", fleet.problems);
}

#[test]
fn a_file_that_is_bad_since_before_a_restart_holds_at_what_the_status_branch_remembers() {
    let (stage, first) = Stage::new();
    let good = stage.wanted("alpha");
    stage.commit(Some(first), &[("clusters/alpha.yaml", What::File("kind: Cluster\n".to_owned()))]);
    let shared = Arc::new(Mutex::new(Shared::default()));
    shared.lock().expect("fine").wanted.insert(cluster("alpha"), Arc::clone(&good));
    let (anew, _line) = source(&stage.remotes, &shared, "another folder");
    let fleet = wait(anew.read()).expect("fine");
    let alpha = &fleet.clusters[&cluster("alpha")];
    assert_eq!((&alpha.desired, &alpha.revision), (&good.desired, &good.revision));
    assert!(alpha.problem.is_some());
}

#[test]
fn a_cluster_whose_file_is_deleted_is_suspended_and_its_node_still_cared_for() {
    let (stage, first) = Stage::new();
    let before = stage.wanted("alpha");
    let second = stage.commit(Some(first), &[("clusters/alpha.yaml", What::Gone)]);
    let alpha = stage.wanted("alpha");
    assert_eq!(alpha.desired.nodes, before.desired.nodes);
    assert!(alpha.desired.suspend.is_some() && alpha.problem.is_some());
    let back = stage.commit(Some(second), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "23H2")))]);
    let alpha = stage.wanted("alpha");
    assert_eq!((&alpha.desired.suspend, &alpha.problem), (&None, &None));
    assert!([revision(first), revision(back)].contains(&alpha.revision));
}

#[test]
fn a_cluster_that_moved_to_another_file_is_one_cluster() {
    let (stage, first) = Stage::new();
    stage.fleet();
    let changes = [("clusters/alpha.yaml", What::Gone), ("clusters/wards/alpha.yaml", What::File(file("alpha", "A", "23H2")))];
    stage.commit(Some(first), &changes);
    let alpha = stage.wanted("alpha");
    assert_eq!((alpha.path.as_str(), &alpha.problem, &alpha.desired.suspend), ("clusters/wards/alpha.yaml", &None, &None));
    assert_eq!(stage.fleet().clusters.len(), 2);
}

#[test]
fn a_symlink_or_submodule_where_a_file_should_be_is_not_followed() {
    for what in [What::Link("shops/beta.yaml"), What::Link("../../../etc/passwd"), What::Submodule] {
        let (stage, first) = Stage::new();
        let before = stage.wanted("alpha");
        stage.commit(Some(first), &[("clusters/alpha.yaml", what)]);
        let alpha = stage.wanted("alpha");
        assert_eq!(alpha.desired, before.desired, "its last good spec stays in force");
        let problem = alpha.problem.clone().expect("fine");
        assert!(problem.contains("symbolic link") || problem.contains("submodule"), "{problem}");
    }
}

#[test]
fn what_stands_in_place_of_the_clusters_folder_is_refused_and_no_file_counts_as_deleted() {
    for (instead, said) in [
        (What::Link("cl"), "clusters is a symbolic link"),
        (What::Submodule, "clusters is a submodule"),
        (What::File("x".to_owned()), "clusters is a file, a folder is expected"),
    ] {
        let (stage, head) = Stage::new();
        stage.fleet();
        let gone = stage.commit(Some(head), &[("clusters/alpha.yaml", What::Gone), ("clusters/shops/beta.yaml", What::Gone)]);
        stage.commit(Some(gone), &[("clusters", instead)]);
        let fleet = stage.fleet();
        assert_eq!(fleet.clusters.len(), 2);
        for wanted in fleet.clusters.values() {
            let problem = wanted.problem.as_deref().unwrap_or_default();
            assert!(problem.contains(said) && wanted.desired.suspend.is_none(), "{problem}");
        }
    }
}

#[test]
fn a_deleted_file_is_told_with_its_path() {
    let (stage, head) = Stage::new();
    stage.fleet();
    stage.commit(Some(head), &[("clusters/shops/beta.yaml", What::Gone)]);
    let fleet = stage.fleet();
    let told = fleet.clusters.values().filter_map(|wanted| wanted.problem.as_deref()).collect::<Vec<_>>().join("; ");
    assert!(told.starts_with("clusters/shops/beta.yaml: the file was deleted: "), "{told}");
}

#[test]
fn the_way_out_of_a_rewound_branch_has_two_sides_and_short_names() {
    let (stage, head) = Stage::new();
    stage.fleet();
    let other = stage.commit(None, &[("fleet.yaml", What::File(FLEET.to_owned()))]);
    let (_, why) = stage.fleet().refused.clone().expect("refused");
    let short = |oid: Oid| oid.to_string()[..10].to_owned();
    let expected = format!(
        "{} does not descend from {}; put the branch back; or, if this history is right: drydock accept {other} --reason TEXT",
        short(other),
        short(head)
    );
    assert!(why.ends_with(&expected), "{why}");
}

#[test]
fn a_rewound_or_rewritten_branch_does_not_count_until_a_person_lets_it_in() {
    let (stage, first) = Stage::new();
    let second = stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    stage.fleet();
    let sideways = stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "22H2")))]);
    let unrelated = stage.commit(None, &[("clusters/alpha.yaml", What::File(file("alpha", "A", "22H2")))]);
    for found in [first, sideways, unrelated] {
        stage.force(found);
        let rewritten = SourceError::Rewritten { branch: "refs/heads/main".to_owned(), accepted: revision(second), found: revision(found) };
        assert_eq!(stage.refused(), (revision(found), rewritten.to_string()));
        let alpha = stage.wanted("alpha");
        assert_eq!(
            (alpha.desired.target.version, alpha.revision.clone()),
            (Version::V24H2, revision(second)),
            "what was in force stays so"
        );
        assert_eq!(alpha.problem, Some(rewritten.to_string()), "and its status says why");
    }
    stage.force(second);
    assert_eq!(stage.wanted("alpha").problem, None, "back where it was");
    stage.force(sideways);
    stage.let_in(first);
    assert_eq!(stage.fleet().refused, None, "a descendant of what was let in");
    stage.force(unrelated);
    assert_eq!(stage.refused().0, revision(unrelated), "one word lets in one revision");
    stage.let_in(unrelated);
    assert_eq!(stage.fleet().revision, revision(unrelated));
    assert_eq!(stage.wanted("alpha").desired.target.version, Version::V22H2);
}

#[test]
fn a_word_lets_a_rewritten_branch_in_once() {
    let (stage, first) = Stage::new();
    let second = stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    stage.fleet();
    let other = stage.commit(Some(first), &[("clusters/shops/beta.yaml", What::File(file("beta", "B", "24H2")))]);
    let more = stage.commit(Some(other), &[("clusters/shops/beta.yaml", What::File(file("beta", "B", "22H2")))]);
    stage.let_in(other);
    assert_eq!(stage.fleet().revision, revision(more));
    stage.force(other);
    assert_eq!(stage.refused().0, revision(other), "rewound again, which nobody has let in");
    stage.force(second);
    assert_eq!(stage.refused().0, revision(second));
}

#[test]
fn after_a_word_every_cluster_is_wanted_under_the_history_that_was_let_in() {
    let (stage, first) = Stage::new();
    stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    stage.fleet();
    let unrelated = [("fleet.yaml", What::File(FLEET.to_owned())), ("clusters/shops/beta.yaml", What::File(file("beta", "B", "23H2")))];
    let anew = stage.commit(None, &unrelated);
    stage.let_in(anew);
    let fleet = stage.fleet();
    let revisions: Vec<&Revision> = fleet.clusters.values().map(|wanted| &wanted.revision).collect();
    assert_eq!(revisions, [&revision(anew), &revision(anew)], "beta's file is what it was, and alpha's is gone");
    // What the ledgers say after that, and a new start knows nothing of the word.
    let wanted = fleet.clusters.clone();
    let accepted = wanted.values().map(|wanted| wanted.revision.clone()).collect();
    let shared = Arc::new(Mutex::new(Shared { accepted, wanted, ..Shared::default() }));
    let (after, _line) = source(&stage.remotes, &shared, "another folder");
    assert_eq!(wait(after.read()).expect("fine").refused, None);
}

#[test]
fn a_word_that_was_used_before_a_restart_lets_nothing_in_again() {
    let (stage, first) = Stage::new();
    let second = stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    stage.force(first);
    let wanted = stage.fleet().clusters.clone();
    let start = |served: Vec<Revision>, state: &str| {
        let let_in = Some(revision(first));
        let shared = Shared { accepted: vec![revision(second)], let_in, served, wanted: wanted.clone() };
        let (source, _line) = source(&stage.remotes, &Arc::new(Mutex::new(shared)), state);
        wait(source.read()).expect("fine").refused.clone().map(|(found, _)| found)
    };
    assert_eq!(start(Vec::new(), "said and not used"), None);
    assert_eq!(start(vec![revision(second)], "used"), Some(revision(first)), "entries after the word serve what came after it");
}

#[test]
fn a_rewound_branch_is_noticed_after_a_restart_by_what_the_status_branch_remembers() {
    let (stage, first) = Stage::new();
    let second = stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    stage.force(first);
    let shared = Arc::new(Mutex::new(Shared { accepted: vec![revision(second)], ..Shared::default() }));
    let (anew, _line) = source(&stage.remotes, &shared, "another folder");
    let error = wait(anew.read()).unwrap_err();
    assert!(matches!(error, SourceError::Rewritten { .. }), "nothing is remembered that could stay in force");
    assert_eq!(of_source(&error), Handling::Again);
}

#[test]
fn a_controller_that_starts_while_nothing_counts_goes_on_with_what_the_status_branch_remembers() {
    let (stage, first) = Stage::new();
    let second = stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    let before = stage.fleet();
    let remembered = || {
        let shared = Shared { accepted: vec![revision(second)], wanted: before.clusters.clone(), ..Shared::default() };
        Arc::new(Mutex::new(shared))
    };

    let (away, line) = source(&stage.remotes, &remembered(), "while the remote is down");
    line.set_down(true);
    let fleet = wait(away.read()).expect("a fleet");
    assert_eq!(fleet.clusters, before.clusters);
    assert!(fleet.problems[0].contains("what the status branch remembers"), "{:?}", fleet.problems);
    assert!(matches!(wait(away.read()), Err(SourceError::Unreachable(_))), "said from then on as in every controller");
    line.set_down(false);
    assert_eq!(*wait(away.read()).expect("fine"), *before);

    stage.force(first);
    let (rewound, _line) = source(&stage.remotes, &remembered(), "while the branch is rewound");
    let fleet = wait(rewound.read()).expect("a fleet");
    assert_eq!(fleet.refused.as_ref().map(|(found, _)| found.clone()), Some(revision(first)));
    assert_eq!(fleet.clusters[&cluster("alpha")].desired, before.clusters[&cluster("alpha")].desired, "never backwards");
    stage.force(second);
    assert_eq!(*wait(rewound.read()).expect("fine"), *before);
}

/// A file below so many folders that nobody reads it.
fn deep(under: &str) -> String {
    format!("{under}/{}x.yaml", "a/".repeat(70))
}

#[test]
fn what_lies_beside_the_clusters_is_not_looked_at_and_keeps_no_merge_out() {
    let (stage, first) = Stage::new();
    let before = stage.fleet();
    let docs = stage.commit(Some(first), &[(&deep("docs"), What::File("hello".to_owned()))]);
    assert_eq!(stage.fleet().clusters, before.clusters);
    let later = stage.commit(Some(docs), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    assert_eq!((stage.fleet().revision.clone(), stage.wanted("alpha").desired.target.version), (revision(later), Version::V24H2));
    assert_eq!(started(&stage, &[]).clusters.len(), 2, "nor does it keep a start from anything");
}

#[test]
fn a_revision_that_cannot_be_read_as_a_whole_is_refused_and_what_was_in_force_goes_on() {
    let (stage, first) = Stage::new();
    let (alpha, beta) = (stage.wanted("alpha"), stage.wanted("beta"));
    let found = stage.commit(Some(first), &[(&deep("clusters"), What::File("hello".to_owned()))]);
    for fleet in [stage.fleet(), started(&stage, &[&alpha, &beta])] {
        let (refused, why) = fleet.refused.clone().expect("refused");
        assert!(refused == revision(found) && why.contains("lies deeper than 64 folders"), "{why}");
        assert_eq!(fleet.clusters[&cluster("alpha")].desired, alpha.desired);
        assert_eq!(fleet.clusters[&cluster("beta")].problem.as_ref(), Some(&why), "every cluster says so");
    }
    let mended =
        stage.commit(Some(found), &[(&deep("clusters"), What::Gone), ("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    let fleet = stage.fleet();
    assert_eq!((&fleet.revision, &fleet.refused, &fleet.clusters[&cluster("alpha")].problem), (&revision(mended), &None, &None));
}

#[test]
fn an_unrelated_merge_changes_no_clusters_revision_and_reads_no_other_file() {
    let (stage, first) = Stage::new();
    let before = stage.fleet();
    let changes = [("README.md", What::File("hello".to_owned())), ("clusters/shops/beta.yaml", What::File(file("beta", "B", "24H2")))];
    let second = stage.commit(Some(first), &changes);
    let after = stage.fleet();
    assert_eq!(after.revision, revision(second));
    let alpha = cluster("alpha");
    assert_eq!(after.clusters[&alpha].revision, revision(first));
    assert!(Arc::ptr_eq(&before.clusters[&alpha], &after.clusters[&alpha]), "what did not change was not read again");
    assert_eq!(after.clusters[&cluster("beta")].revision, revision(second));
    assert!(Arc::ptr_eq(&after, &stage.fleet()), "and without a change nothing is done at all");
}

#[test]
fn a_change_of_a_file_that_changes_none_of_its_meaning_is_no_new_revision_of_its_cluster() {
    let (stage, first) = Stage::new();
    stage.fleet();
    stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(format!("# a comment\n{}", file("alpha", "A", "23H2"))))]);
    assert_eq!(stage.wanted("alpha").revision, revision(first));
}

#[test]
fn a_change_of_the_fleets_defaults_reaches_every_cluster() {
    let (stage, first) = Stage::new();
    stage.fleet();
    let second = stage.commit(Some(first), &[("fleet.yaml", What::File(FLEET.replace("the platform team", "the night shift")))]);
    for name in ["alpha", "beta"] {
        let wanted = stage.wanted(name);
        assert_eq!(wanted.desired.contact.as_deref(), Some("the night shift"));
        assert_eq!(wanted.revision, revision(second));
    }
}

#[test]
fn a_bad_fleet_file_leaves_the_last_good_defaults_in_force_for_everybody() {
    let (stage, first) = Stage::new();
    stage.fleet();
    let changes = [("fleet.yaml", What::File("kind: Flet\n".to_owned())), ("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))];
    let bad = stage.commit(Some(first), &changes);
    let fleet = stage.fleet();
    assert!(fleet.problems.iter().any(|p| p.contains("fleet.yaml")), "{:?}", fleet.problems);
    let alpha = &fleet.clusters[&cluster("alpha")];
    assert_eq!((alpha.desired.contact.as_deref(), alpha.desired.target.version), (Some("the platform team"), Version::V24H2));
    let says_so = |wanted: &Arc<Wanted>| wanted.problem.as_ref().is_some_and(|p| p.contains("fleet.yaml"));
    assert!(fleet.clusters.values().all(says_so), "every status tells that the newest freezes are not in force");
    stage.commit(Some(bad), &[("fleet.yaml", What::File(FLEET.to_owned()))]);
    assert!(stage.fleet().clusters.values().all(|wanted| wanted.problem.is_none()));
}

/// A source that starts now, on a status branch that remembers these.
fn started(stage: &Stage, remembered: &[&Arc<Wanted>]) -> Arc<Fleet> {
    let shared = Arc::new(Mutex::new(Shared::default()));
    let wanted = remembered.iter().map(|wanted| (wanted.desired.cluster.clone(), Arc::clone(wanted)));
    let mut known = shared.lock().expect("fine");
    known.wanted.extend(wanted);
    known.accepted.extend(remembered.first().map(|wanted| wanted.revision.clone()));
    drop(known);
    let (anew, _line) = source(&stage.remotes, &shared, "another folder");
    wait(anew.read()).expect("fine")
}

const FREEZE: &str = "  exclusions:\n    - start: 2026-12-20T00:00:00Z\n      end: 2027-01-03T00:00:00Z\n      reason: Christmas\n";

#[test]
fn a_controller_that_starts_with_a_bad_fleet_file_goes_on_with_what_the_status_branch_remembers() {
    let (stage, first) = Stage::new();
    let frozen = stage.commit(Some(first), &[("fleet.yaml", What::File(format!("{FLEET}{FREEZE}")))]);
    let before = stage.wanted("alpha");
    assert_eq!(before.desired.maintenance.windows.exclusions().len(), 1);
    let whole = file("alpha", "A", "24H2").replace("spec:\n", "spec:\n  connection:\n    transport: Lab\n");
    let changes = [("fleet.yaml", What::File("kind: Flet\n".to_owned())), ("clusters/alpha.yaml", What::File(whole))];
    stage.commit(Some(frozen), &changes);
    let fleet = started(&stage, &[&before]);
    let alpha = &fleet.clusters[&cluster("alpha")];
    assert_eq!(alpha.desired, before.desired, "without the fleet's freezes no file of a cluster counts");
    assert!(alpha.problem.as_ref().is_some_and(|p| p.contains("fleet.yaml")), "{:?}", alpha.problem);
    assert!(!fleet.clusters.contains_key(&cluster("beta")), "a cluster that nobody remembers is not begun under unknown defaults");
}

#[test]
fn a_fleet_file_that_was_misnamed_lifts_no_freeze() {
    let (stage, first) = Stage::new();
    let frozen = stage.commit(Some(first), &[("fleet.yaml", What::File(format!("{FLEET}{FREEZE}")))]);
    let before = stage.wanted("alpha");
    let (mut last, mut name) = (frozen, "fleet.yaml");
    for misnamed in ["fleet.yml", "Fleet.yaml", "FLEET.YML"] {
        last = stage.commit(Some(last), &[(name, What::Gone), (misnamed, What::File(FLEET.to_owned()))]);
        name = misnamed;
        for fleet in [stage.fleet(), started(&stage, &[&before])] {
            let alpha = &fleet.clusters[&cluster("alpha")];
            assert_eq!(alpha.desired.maintenance, before.desired.maintenance);
            let told = format!("{misnamed} is not read, and there is no fleet.yaml");
            assert!(alpha.problem.as_ref().is_some_and(|p| p.contains(&told)), "{:?}", alpha.problem);
        }
    }
    stage.commit(Some(last), &[(name, What::Gone)]);
    assert!(stage.wanted("alpha").problem.is_some(), "without any, this cluster's file does not say how it is reached");
}

#[test]
fn what_the_fleet_freezes_holds_for_a_cluster_that_is_held_at_an_earlier_file() {
    let (stage, first) = Stage::new();
    let before = stage.wanted("alpha");
    let bad = stage.commit(Some(first), &[("clusters/alpha.yaml", What::File("kind: Cluster\n".to_owned()))]);
    let suspend = "  suspend:\n    reason: an outage\n";
    stage.commit(Some(bad), &[("fleet.yaml", What::File(format!("{FLEET}{FREEZE}{suspend}")))]);
    for fleet in [stage.fleet(), started(&stage, &[&before])] {
        let alpha = &fleet.clusters[&cluster("alpha")].desired;
        assert_eq!(alpha.suspend.as_ref().map(|s| s.reason.as_str()), Some("an outage"));
        assert_eq!(alpha.maintenance.windows.exclusions().len(), 1);
        assert_eq!(alpha.target, before.desired.target);
    }
}

#[test]
fn a_file_goes_on_describing_the_cluster_that_it_described_first() {
    let (stage, first) = Stage::new();
    let before = stage.wanted("alpha");
    stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("gamma", "A", "24H2")))]);
    for fleet in [stage.fleet(), started(&stage, &[&before])] {
        assert!(!fleet.clusters.contains_key(&cluster("gamma")));
        let alpha = &fleet.clusters[&cluster("alpha")];
        assert_eq!(alpha.desired.target, before.desired.target);
        let problem = alpha.problem.as_deref().expect("told");
        assert!(problem.contains("this file describes the cluster alpha, and would describe gamma now"), "{problem}");
    }
}

#[test]
fn a_cluster_that_names_anothers_machine_by_mistake_stays_and_the_other_one_too() {
    let (stage, first) = Stage::new();
    let (alpha, beta) = (stage.wanted("alpha"), stage.wanted("beta"));
    // Its path comes first, and it is the one that changed.
    stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("alpha", "B", "23H2")))]);
    for fleet in [stage.fleet(), started(&stage, &[&alpha, &beta])] {
        let there = |name| &fleet.clusters[&cluster(name)];
        assert_eq!((&there("alpha").desired.nodes, &there("beta").desired.nodes), (&alpha.desired.nodes, &beta.desired.nodes));
        assert!(there("alpha").problem.is_some(), "who changed is told");
        assert!(there("beta").problem.is_none(), "{:?}", there("beta").problem);
    }
}

#[test]
fn a_new_file_cannot_take_another_clusters_name() {
    let (stage, first) = Stage::new();
    let before = stage.wanted("beta");
    // Earlier in the order of paths than the file that was there before.
    stage.commit(Some(first), &[("clusters/a-thief.yaml", What::File(file("beta", "X", "24H2")))]);
    let beta = stage.wanted("beta");
    assert_eq!((&beta.path, &beta.desired), (&before.path, &before.desired));
    assert!(stage.fleet().problems.iter().any(|p| p.contains("a-thief.yaml")), "{:?}", stage.fleet().problems);
}

#[test]
fn a_corrupt_mirror_is_made_again() {
    let (stage, first) = Stage::new();
    stage.fleet();
    let objects = stage.remotes.beside("desired").join("mirror.git").join("objects");
    for folder in std::fs::read_dir(&objects).expect("fine").flatten() {
        if folder.path().is_dir() {
            for file in std::fs::read_dir(folder.path()).expect("fine").flatten() {
                std::fs::remove_file(file.path()).expect("fine");
            }
        }
    }
    let second = stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    // The look that finds the damage may fail; the one after it does not.
    let fleet = stage.read().or_else(|_| stage.read()).expect("fine");
    assert_eq!(fleet.revision, revision(second));
    assert_eq!(fleet.clusters[&cluster("alpha")].desired.target.version, Version::V24H2);
    assert_eq!(fleet.clusters[&cluster("beta")].revision, revision(first));
}

#[test]
fn a_missing_branch_is_said_and_nothing_is_lost() {
    let stage = Stage::empty();
    let error = stage.read().unwrap_err();
    assert_eq!(error, SourceError::NoBranch("refs/heads/main".to_owned()));
    let (stage, first) = Stage::new();
    stage.fleet();
    stage.remotes.repository().find_reference("refs/heads/main").expect("fine").delete().expect("fine");
    assert_eq!(stage.read(), Err(SourceError::NoBranch("refs/heads/main".to_owned())));
    stage.force(first);
    assert_eq!(stage.fleet().clusters.len(), 2);
}

#[test]
fn while_the_remote_is_down_the_last_fleet_stays_and_afterwards_the_new_one_counts() {
    let (stage, first) = Stage::new();
    let before = stage.fleet();
    stage.line.set_down(true);
    let second = stage.commit(Some(first), &[("clusters/alpha.yaml", What::File(file("alpha", "A", "24H2")))]);
    let error = stage.read().unwrap_err();
    assert!(matches!(error, SourceError::Unreachable(_)), "{error}");
    assert_eq!(of_source(&error), Handling::Again);
    assert_eq!(before.clusters[&cluster("alpha")].desired.target.version, Version::V23H2);
    stage.line.set_down(false);
    assert_eq!(stage.fleet().revision, revision(second));
    assert_eq!(stage.wanted("alpha").desired.target.version, Version::V24H2);
}

/// Every object of a mirror as a file of its own, and then this one garbage: as a bad sector leaves it.
fn damage(place: &Path, blob: Oid) {
    let packs: Vec<_> = std::fs::read_dir(place.join("objects/pack")).expect("fine").flatten().map(|e| e.path()).collect();
    let objects: Vec<(git2::ObjectType, Vec<u8>)> = {
        let git = git2::Repository::open_bare(place).expect("fine");
        let odb = git.odb().expect("fine");
        let mut all = Vec::new();
        odb.foreach(|id| {
            all.push(*id);
            true
        })
        .expect("fine");
        all.iter().map(|id| odb.read(*id).expect("fine")).map(|object| (object.kind(), object.data().to_vec())).collect()
    };
    packs.iter().for_each(|pack| std::fs::remove_file(pack).expect("fine"));
    let git = git2::Repository::open_bare(place).expect("fine");
    let odb = git.odb().expect("fine");
    for (kind, data) in objects {
        odb.write(kind, &data).expect("fine");
    }
    let name = blob.to_string();
    let path = place.join("objects").join(&name[..2]).join(&name[2..]);
    std::fs::remove_file(&path).expect("it is there");
    std::fs::write(&path, "garbage").expect("fine");
}

#[test]
fn a_file_that_a_damaged_mirror_could_not_give_is_read_again_from_the_new_one() {
    for damaged in ["clusters/alpha.yaml", "fleet.yaml"] {
        let (stage, first) = Stage::new();
        let before = stage.fleet();
        let tree = stage.remotes.repository().find_commit(first).expect("fine").tree().expect("fine").id();
        let blob = stage.remotes.repository().find_tree(tree).expect("fine").get_path(Path::new(damaged)).expect("fine").id();
        let mut mirror = stage.remotes.mirror("later");
        mirror.fetch(&[main_branch()]).expect("fine");
        let place = mirror.place();
        drop(mirror);
        damage(&place, blob);
        // The sector went bad while the controller was not running. The remote is there and sound.
        let shared = Arc::new(Mutex::new(Shared { accepted: vec![revision(first)], wanted: before.clusters.clone(), ..Shared::default() }));
        let (later, _line) = source(&stage.remotes, &shared, "later");
        (0..5).for_each(|_| drop(wait(later.read()).expect("a fleet")));
        let last = wait(later.read()).expect("a fleet");
        let problems: Vec<_> = last.clusters.values().filter_map(|wanted| wanted.problem.clone()).collect();
        assert_eq!(problems, Vec::<String>::new(), "{damaged}");
    }
}

#[test]
fn a_file_that_the_history_let_in_does_not_have_is_gone_also_where_the_old_one_was_lost() {
    let (stage, _first) = Stage::new();
    stage.fleet();
    // Rewritten without alpha.
    let unrelated = [("fleet.yaml", What::File(FLEET.to_owned())), ("clusters/shops/beta.yaml", What::File(file("beta", "B", "24H2")))];
    let anew = stage.commit(None, &unrelated);
    assert_eq!(stage.refused().0, revision(anew));
    // The disk damages the mirror, which is made again from a remote that has only the new history.
    let place = stage.remotes.beside("desired").join("mirror.git");
    for entry in std::fs::read_dir(place.join("objects/pack")).expect("fine").flatten() {
        std::fs::remove_file(entry.path()).expect("fine");
    }
    std::fs::write(place.join("refs/seen/heads/main"), "garbage").expect("fine");
    stage.let_in(anew);
    let counts = |fleet: &Arc<Fleet>| fleet.refused.is_none() && fleet.revision == revision(anew);
    let fleet = (0..5).find_map(|_| stage.read().ok().filter(counts)).expect("let in");
    let alpha = fleet.clusters.get(&cluster("alpha"));
    assert!(alpha.is_none_or(|alpha| alpha.desired.suspend.is_some()), "nobody asks for an upgrade of alpha any more");
}
