//! status, why, history.

use crate::harness::{PUBLIC, World};
use drydock::exit::Exit;
use drydock_engine::ports::SourceError;
use drydock_model::plan::{Decision, Recheck, WaitingOn};
use drydock_model::time::Millis;
use drydock_spec::wire::answer::{HistoryAnswer, StatusAnswer};
use drydock_spec::wire::facts::Facts;
use drydock_spec::wire::{message, sample};
use expect_test::{Expect, expect};
use std::fs;

fn check(world: &World, line: &str, expect: Expect) {
    expect.assert_eq(&world.run(line).all());
}

#[test]
fn status_is_one_line_per_cluster() {
    check(
        &World::with(&sample::installing()),
        "status",
        expect![[r#"
        CLUSTER         READY  TARGET  DONE  WINDOW              SEEN    STATE
        hospital-north  False  23H2    1/4   until 11-24 04:00Z  5m ago  waits for Install on N02, 43 % done
        --- exit 0
    "#]],
    );
    check(
        &World::with(&sample::held()),
        "status",
        expect![[r#"
        CLUSTER         READY  TARGET  DONE  WINDOW              SEEN    STATE
        hospital-north  False  23H2    1/4   opens 11-27 21:12Z  5m ago  HELD: N02 failed at Restart: the node came back on its old build
        --- exit 1
    "#]],
    );
    check(
        &World::with(&sample::converged()),
        "status hospital-north",
        expect![[r#"
        CLUSTER         READY  TARGET  DONE  WINDOW       SEEN    STATE
        hospital-north  True   23H2    4/4   always open  5m ago  converged
        --- exit 0
    "#]],
    );
}

#[test]
fn a_refused_newest_file_is_found_and_named_also_while_the_cluster_only_waits() {
    let problem = sample::converged_with_a_bad_newest_file().wanted.problem;
    let mut waits = sample::transition_installing();
    waits.wanted.problem = problem.clone();
    let mut held = sample::transition_held();
    held.wanted.problem = problem;
    let waits = World::with(&Facts::new(waits, None));
    check(
        &waits,
        "status",
        expect![[r#"
        CLUSTER         READY  TARGET  DONE  WINDOW              SEEN    STATE
        hospital-north  False  23H2    1/4   until 11-24 04:00Z  5m ago  the newest file: error[DD0201]: `spec` has no field "maintainance"; waits for Install on N02, 43 % done
        --- exit 1
    "#]],
    );
    assert_eq!(waits.run("why hospital-north").exit, Exit::Found);
    check(
        &World::with(&Facts::new(held, None)),
        "status",
        expect![[r#"
        CLUSTER         READY  TARGET  DONE  WINDOW              SEEN    STATE
        hospital-north  False  23H2    1/4   opens 11-27 21:12Z  5m ago  HELD: N02 failed at Restart: the node came back on its old build
        --- exit 1
    "#]],
    );
    check(
        &World::with(&sample::converged_with_a_bad_newest_file()),
        "status",
        expect![[r#"
        CLUSTER         READY  TARGET  DONE  WINDOW       SEEN    STATE
        hospital-north  False  23H2    4/4   always open  5m ago  the newest file: error[DD0201]: `spec` has no field "maintainance"
        --- exit 1
    "#]],
    );
}

#[test]
fn wide_status_adds_one_line_per_node() {
    check(
        &World::with(&sample::held()),
        "status -o wide",
        expect![[r#"
        CLUSTER         READY  TARGET  DONE  WINDOW              SEEN    STATE
        hospital-north  False  23H2    1/4   opens 11-27 21:12Z  5m ago  HELD: N02 failed at Restart: the node came back on its old build

        CLUSTER         NODE  BUILD       PHASE    STEP  SINCE  SHARE  SEEN      DETAIL
        hospital-north  N01   25398.1611  Done     -     -      -      5m2s ago  on the target and in service
        hospital-north  N02   20349.3692  Failed   -     -      -      5m2s ago  came back on its old build; it is in service
        hospital-north  N03   20349.3692  Pending  -     -      -      5m2s ago  waits for N02
        hospital-north  N04   unknown     Unknown  -     -      -      unknown   does not answer
        --- exit 1
    "#]],
    );
}

#[test]
fn status_for_tools_is_what_its_schema_says() {
    let world = World::with(&sample::held());
    let said = world.run("status -o json");
    assert_eq!(said.exit, Exit::Found, "a hold was found");
    let answer: StatusAnswer = serde_json::from_str(&said.out).unwrap();
    assert_eq!((answer.kind.as_str(), answer.branch.as_str(), answer.items.len()), ("ClusterStatusList", "drydock/status", 1));
    assert_eq!(answer.items[0].metadata.name, "hospital-north");
    let yaml = world.run("status -o yaml");
    assert!(yaml.out.starts_with("---\n# Written by Drydock") && yaml.out.contains("\nkind: ClusterStatus\n"), "{}", yaml.out);
}

#[test]
fn a_clone_shows_what_its_origin_has_and_not_what_was_cloned() {
    let world = World::with(&sample::installing());
    let clone = world.clone();
    world.entry(&sample::held());
    let inside = clone.join("clusters/shops");
    assert_eq!(world.run_in(&inside, "status").out, world.run("status").out);
    assert!(world.run_in(&inside, "status").out.contains("HELD"));
}

#[test]
fn a_url_is_as_good_as_a_path() {
    let world = World::with(&sample::installing());
    let url = format!("file://{}", world.path("fleet.git").display());
    assert_eq!(world.run_in(&world.path(""), &format!("status --repository {url}")).out, world.run("status").out);
}

#[test]
fn watching_shows_it_again_only_when_it_changed() {
    let world = std::rc::Rc::new(World::with(&sample::installing()));
    let change: Box<dyn FnOnce()> = {
        let world = std::rc::Rc::clone(&world);
        Box::new(move || world.entry(&sample::converged()))
    };
    let idle: Box<dyn FnOnce()> = Box::new(|| {});
    // Taken from the end: nothing, a change, nothing.
    let said = world.run_with(&world.path("fleet.git"), "status -w", vec![Box::new(|| {}), change, idle]);
    assert_eq!(said.out.matches("CLUSTER").count(), 2, "{}", said.out);
    assert!(said.out.contains("waits for Install") && said.out.ends_with("converged\n"), "{}", said.out);
    assert_eq!(said.exit, Exit::Fine);
}

#[test]
fn watching_outlives_what_goes_wrong_meanwhile() {
    let world = std::rc::Rc::new(World::with(&sample::installing()));
    let (server, away) = (world.path("fleet.git"), world.path("moved.git"));
    let back: Box<dyn FnOnce()> = {
        let (world, server, away) = (std::rc::Rc::clone(&world), server.clone(), away.clone());
        Box::new(move || {
            fs::remove_file(&server).unwrap();
            fs::rename(&away, &server).unwrap();
            world.entry(&sample::converged());
        })
    };
    let gone: Box<dyn FnOnce()> = {
        let (server, away) = (server.clone(), away.clone());
        Box::new(move || {
            fs::rename(&server, &away).unwrap();
            // No repository, and no trouble that only time mends.
            std::os::unix::fs::symlink("/dev/null", &server).unwrap();
        })
    };
    let said = world.run_with(&world.path(""), &format!("status -w --repository file://{}", server.display()), vec![back, gone]);
    assert!(said.out.ends_with("converged\n"), "{said:?}");
    assert_eq!(said.exit, Exit::Fine);
    assert!(!said.err.is_empty(), "it was told");
}

#[test]
fn a_status_remote_that_fleet_yaml_names_is_mended_there() {
    let world = World::bare();
    let text = "apiVersion: drydock/v1alpha1\nkind: Fleet\nmetadata:\n  name: f\nspec:\n  status:\n    remote: /nowhere/at/all\n";
    world.commit("main", "status elsewhere", &[("fleet.yaml", text)]);
    check(
        &world,
        "status",
        expect![[r#"
        --- standard error
        drydock: there is nothing at /nowhere/at/all; check the spelling, or make the repository with `git init --bare`
          fleet.yaml names it: mend spec.status.remote there; or say where status is, with --repository and --status-branch
        --- exit 3
    "#]],
    );
}

#[test]
fn status_may_live_in_another_repository_that_fleet_yaml_names() {
    let world = World::bare();
    let other = World::with(&sample::installing());
    let text = format!(
        "apiVersion: drydock/v1alpha1\nkind: Fleet\nmetadata:\n  name: f\nspec:\n  status:\n    remote: {}\n",
        other.path("fleet.git").display()
    );
    world.commit("main", "status elsewhere", &[("fleet.yaml", &text)]);
    assert_eq!(world.run("status").out, other.run("status").out);
}

#[test]
fn why_says_what_blocks_what_to_do_and_whom_to_call() {
    check(
        &World::with(&sample::held()),
        "why hospital-north",
        expect![[r#"
        hospital-north
          wants   every node on 23H2 (25398.1611 or later), says clusters/hospitals/hospital-north.yaml of COMMIT-10-
          stands  HELD, a person is needed: N02 failed at Restart: the node came back on its old build. 1 of 4 nodes run 23H2 (25398.1611 or later), 1 unknown
                  N01 runs 25398.1611, Done: on the target and in service
                  N02 runs 20349.3692, Failed: came back on its old build; it is in service
                  N03 runs 20349.3692, Pending: waits for N02
                  N04 runs unknown (no answer in time), Unknown: does not answer
          blocker N02 failed at Restart: the node came back on its old build
          next    nothing until a person acts
          to do   Setup says why in setuperr.log on N02, in C:\$WINDOWS.~BT\Sources\Panther or C:\Windows\Panther. Mend the cause, then: drydock node retry N02 --reason TEXT.
          call    Storage on call, +49 30 1234 (change CHG0042)
          mind    23H2 is out of support since April 2026 (clusters/hospitals/hospital-north.yaml:14)
          seen    2026-11-24T01:12:00Z (5m ago)
        --- exit 1
    "#]],
    );
    check(
        &World::with(&sample::installing()),
        "why hospital-north",
        expect![[r#"
        hospital-north
          wants   every node on 23H2 (25398.1611 or later), says clusters/hospitals/hospital-north.yaml of COMMIT-10-
          stands  1 of 4 nodes run 23H2 (25398.1611 or later). Waiting for Install on N02, 43 % done
                  N01 runs 25398.1611, Done: on the target and in service
                  N02 runs 20349.3692, Working Install: staging, 43 % done
                  N03 runs 20349.3692, Pending: waits for its turn
                  N04 runs 20349.3692, Pending: waits for its turn
          blocker Install on N02, 43 % done
          next    N02 goes on with Install; then Restart, Return and Settle
          to do   nothing; it goes on by itself
          call    Storage on call, +49 30 1234 (change CHG0042)
          mind    23H2 is out of support since April 2026 (clusters/hospitals/hospital-north.yaml:14)
          seen    2026-11-24T01:12:00Z (5m ago)
        --- exit 0
    "#]],
    );
    check(
        &World::with(&sample::converged_with_a_bad_newest_file()),
        "why hospital-north",
        expect![[r#"
            hospital-north
              wants   every node on 23H2 (25398.1611 or later), says clusters/hospitals/hospital-north.yaml of COMMIT-10-
              stands  All 4 nodes run 23H2 (25398.1611 or later), but the newest file is refused
                      N01 runs 25398.1611, Done: on the target and in service
                      N02 runs 25398.1611, Done: on the target and in service
                      N03 runs 25398.1611, Done: on the target and in service
                      N04 runs 25398.1611, Done: on the target and in service
              blocker the newest file: error[DD0201]: `spec` has no field "maintainance"
              next    nothing
              to do   mend the file in a pull request; drydock plan shows before merging whether it counts
              call    Storage on call, +49 30 1234 (change CHG0042)
              mind    23H2 is out of support since April 2026 (clusters/hospitals/hospital-north.yaml:14)
              seen    2026-11-24T01:12:00Z (5m ago)

            error[DD0201]: `spec` has no field "maintainance"
             --> clusters/hospitals/hospital-north.yaml:9:3
              |
            9 |   maintainance:
              |   ^^^^^^^^^^^^
            --- exit 1
        "#]],
    );
}

#[test]
fn why_says_what_a_person_does_where_nothing_goes_on_by_itself() {
    let to_do = |facts: &Facts| {
        let said = World::with(facts).run("why hospital-north").out;
        said.lines().find_map(|line| line.strip_prefix("  to do   ")).unwrap_or_default().to_owned()
    };
    assert_eq!(to_do(&sample::unseen()), "if it stays: drydock doctor hospital-north --config FILE says where it stops");
    let mut facts = sample::installing();
    facts.decision = Decision::Wait(WaitingOn::Clocks { by: Millis::hours(1) }, Recheck::Usual);
    assert_eq!(to_do(&facts), "set the clocks by one source: the controller's and every node's");
    facts.decision = Decision::Wait(WaitingOn::WindowOpens(None), Recheck::Usual);
    assert_eq!(to_do(&facts), "give the file a maintenance window that opens");
}

#[test]
fn a_desired_branch_that_is_not_there_is_told_whatever_the_status_says() {
    let world = World::with(&sample::installing());
    for line in ["status --base nope", "why hospital-north --base nope", "history hospital-north --base nope"] {
        let said = world.run(line);
        assert!(said.exit == Exit::Usage && said.out.contains("Install"), "{said:?}");
        assert!(
            said.err.starts_with("DIR/fleet.git/ has no branch nope, so no controller that watches it takes in what is merged"),
            "{said:?}"
        );
    }
    git2::Repository::open_bare(world.path("fleet.git")).unwrap().find_reference("refs/heads/main").unwrap().delete().unwrap();
    assert_eq!(world.run("status").exit, Exit::Usage);
    assert_eq!(world.run("status --status-branch drydock/status").exit, Exit::Fine, "a repository of status alone");
}

#[test]
fn a_time_of_another_year_is_shown_with_it() {
    let mut facts = sample::installing();
    facts.report.next_at = Some(sample::NOW + Millis::hours(24 * 388));
    let said = World::with(&facts).run("why hospital-north").out;
    assert!(said.contains("then Restart, Return and Settle, 2027-12-17 01:12Z\n"), "{said}");
}

#[test]
fn status_does_not_cut_the_way_out_of_a_rewound_branch() {
    let revision = |digit: &str| digit.repeat(40).parse().unwrap();
    let why = SourceError::Rewritten { branch: "refs/heads/main".to_owned(), accepted: revision("a"), found: revision("b") };
    let mut facts = sample::converged();
    facts.wanted.problem = Some(why.to_string());
    let said = World::with(&facts).run("status").out;
    assert!(said.contains("put the branch back; or, if this history is right: drydock accept COMMIT --reason TEXT\n"), "{said}");
}

#[test]
fn an_unknown_cluster_is_answered_with_those_that_are_known() {
    let world = World::with(&sample::installing());
    check(
        &world,
        "why hospital",
        expect![[r#"
        --- standard error
        drydock: no status of a cluster "hospital" is on the status branch
          did you mean: hospital-north
        --- exit 2
    "#]],
    );
    check(
        &world,
        "history nowhere",
        expect![[r#"
        --- standard error
        drydock: no status of a cluster "nowhere" is on the status branch
          clusters are: hospital-north
        --- exit 2
    "#]],
    );
    check(
        &world,
        "status nowhere",
        expect![[r#"
        --- standard error
        drydock: no status of a cluster "nowhere" is on the status branch
          clusters are: hospital-north
        --- exit 2
    "#]],
    );
}

#[test]
fn history_tells_entries_words_claims_and_foreign_commits_of_this_cluster() {
    let world = World::with(&sample::opening());
    world.entry(&sample::held());
    world.commit("drydock/status", "Fix typo", &[("clusters/hospitals/hospital-north/status.yaml", "kind: nonsense\n")]);
    world.commit("drydock/status", "Elsewhere", &[("clusters/shops/till-042/note", "x\n")]);
    world.entry(&sample::converged());
    check(
        &world,
        "history hospital-north",
        expect![[r#"
        AT            COMMIT      BY     WHAT
        11-24 01:12Z  COMMIT-10-  north  every node runs 23H2 (25398.1611 or later)
        11-24 01:12Z  COMMIT-10-  north  not written by Drydock: Fix typo
        11-24 01:12Z  COMMIT-10-  north  N02 Restart failed: the node came back on its old build; 23H2 (25398.1611 or later)…
        11-24 01:12Z  COMMIT-10-  north  N02 Install opened
        11-24 01:12Z  COMMIT-10-  north  Claim 3 by controller north
        11-24 01:12Z  COMMIT-10-  north  Status branch begun by north
        --- exit 0
    "#]],
    );
    let json: HistoryAnswer = serde_json::from_str(&world.run("history hospital-north -o json -n 2").out).unwrap();
    assert_eq!((json.items.len(), json.more), (2, true));
    assert_eq!(json.items[0].outcome.as_deref(), Some("Applied"));
}

#[test]
fn history_shows_a_commit_in_another_clusters_name_that_touches_this_ones_folder() {
    let world = World::with(&sample::opening());
    fs::write(world.path("keys"), format!("controller-north {PUBLIC}\n")).unwrap();
    let path = "clusters/hospitals/hospital-north/facts.yaml";
    let facts = String::from_utf8(world.read("drydock/status", path)).unwrap();
    // Another cluster's entry by its message; one of ours that touches its own folder only is not shown.
    let words =
        message::message(&sample::held()).replace("Cluster: hospital-north", "Cluster: till-042").replace("hospital-north:", "till-042:");
    world.commit("drydock/status", &words, &[("clusters/shops/till-042/note", "x\n")]);
    world.commit("drydock/status", &words, &[(path, &format!("{facts}# more\n"))]);
    check(
        &world,
        "history hospital-north -n 2",
        expect![[r#"
        AT            COMMIT      BY     WHAT
        11-24 01:12Z  COMMIT-10-  north  in another cluster's name, and touches this one's folder: till-042: N02 Restart failed: the node came back on its old build; 23H2 (25398.1611 or later)…
        11-24 01:12Z  COMMIT-10-  north  N02 Install opened
        --- standard error
        older ones are left out; see more with -n 10
        --- exit 0
    "#]],
    );
    let git = git2::Repository::open_bare(world.path("fleet.git")).unwrap();
    let tip = git.find_reference("refs/heads/drydock/status").unwrap().peel_to_commit().unwrap();
    let before = tip.parent(0).unwrap();
    git.commit(Some("refs/heads/drydock/status"), &tip.author(), &tip.committer(), &words, &before.tree().unwrap(), &[&tip]).unwrap();
    check(
        &world,
        "history hospital-north -n 1 --allowed-signers ../keys",
        expect![[r#"
        AT            COMMIT      BY     SIGNED BY     WHAT
        11-24 01:12Z  COMMIT-10-  north  nobody known  in another cluster's name, and touches this one's folder: till-042: N02 Restart failed: the node came back on its old build; 23H2 (25398.1611 or later)…
        --- standard error
        older ones are left out; see more with -n 5
        --- exit 1
    "#]],
    );
}

#[test]
fn history_tells_whose_key_signed_and_finds_what_nobody_known_did() {
    let world = World::with(&sample::opening());
    fs::write(world.path("keys"), format!("controller-north {PUBLIC}\n")).unwrap();
    check(
        &world,
        "history hospital-north --allowed-signers ../keys -n 2",
        expect![[r#"
        AT            COMMIT      BY     SIGNED BY         WHAT
        11-24 01:12Z  COMMIT-10-  north  controller-north  N02 Install opened
        11-24 01:12Z  COMMIT-10-  north  controller-north  Claim 3 by controller north
        --- standard error
        older ones are left out; see more with -n 10
        --- exit 0
    "#]],
    );
    // Anybody can write the same words, and call himself north.
    let git = git2::Repository::open_bare(world.path("fleet.git")).unwrap();
    let tip = git.find_reference("refs/heads/drydock/status").unwrap().peel_to_commit().unwrap();
    let words = tip.message().unwrap().to_owned();
    git.commit(Some("refs/heads/drydock/status"), &tip.author(), &tip.committer(), &words, &tip.tree().unwrap(), &[&tip]).unwrap();
    check(
        &world,
        "history hospital-north --allowed-signers ../keys -n 2",
        expect![[r#"
        AT            COMMIT      BY     SIGNED BY         WHAT
        11-24 01:12Z  COMMIT-10-  north  nobody known      N02 Install opened
        11-24 01:12Z  COMMIT-10-  north  controller-north  N02 Install opened
        --- standard error
        older ones are left out; see more with -n 10
        --- exit 1
    "#]],
    );
    let json: HistoryAnswer = serde_json::from_str(&world.run("history hospital-north --allowed-signers ../keys -o json").out).unwrap();
    assert_eq!(json.items[0].signed_by.as_deref(), Some("nobody known"));
}

#[test]
fn a_branch_that_is_no_status_branch_is_not_taken_for_an_empty_one() {
    check(
        &World::with(&sample::opening()),
        "status --status-branch main",
        expect![[r#"
        --- standard error
        drydock: main of DIR/fleet.git/ is no status branch: it has no controller.yaml
          check --status-branch, and spec.status in fleet.yaml
        --- exit 2
    "#]],
    );
}

#[test]
fn without_a_status_branch_there_is_a_way_on() {
    check(
        &World::bare(),
        "status",
        expect![[r#"
            --- standard error
            drydock: DIR/fleet.git/ has no status branch drydock/status
              check --repository, --base and --status-branch; a new fleet gets its branch from: drydock init --config FILE
            --- exit 2
        "#]],
    );
    check(
        &World::with(&sample::held()),
        "status --status-branch nowhere",
        expect![[r#"
            --- standard error
            drydock: DIR/fleet.git/ has no status branch nowhere
              check --repository, --base and --status-branch; a new fleet gets its branch from: drydock init --config FILE
            --- exit 2
        "#]],
    );
    check(
        &World::with(&sample::held()),
        "status --status-branch ../x",
        expect![[r#"
        --- standard error
        drydock: "../x" is not a branch name that git allows; see `git check-ref-format`
          give the branch's short name, for example: main
        --- exit 2
    "#]],
    );
}

#[test]
fn what_is_no_repository_is_told() {
    let world = World::bare();
    fs::create_dir(world.path("empty")).unwrap();
    expect![[r#"
        --- standard error
        drydock: DIR/empty is not a git repository; check the spelling, or make one with `git init --bare`
          name the fleet repository with --repository, or run this inside a clone of it
        --- exit 2
    "#]]
    .assert_eq(&world.run_in(&world.path("empty"), "status").all());
    check(
        &world,
        "status --repository /nowhere/at/all",
        expect![[r#"
        --- standard error
        drydock: there is nothing at /nowhere/at/all; check the spelling, or make the repository with `git init --bare`
          name the fleet repository with --repository, or run this inside a clone of it
        --- exit 2
    "#]],
    );
    check(
        &world,
        "status --repository gopher://x/y",
        expect![[r#"
        --- standard error
        drydock: remotes of the kind "gopher" are not supported; use a path, file://, https://, ssh:// or user@host:path
          give --repository a path, or a URL that begins with https://, ssh:// or file://
        --- exit 2
    "#]],
    );
    check(
        &world,
        "status --repository https://user:secret@example.com/fleet",
        expect![[r#"
        --- standard error
        drydock: the remote has a password in its address; take it out and name a token file or an environment variable instead
          give --repository a path, or a URL that begins with https://, ssh:// or file://
        --- exit 2
    "#]],
    );
}

#[test]
fn a_status_file_that_nobody_can_read_hides_no_other_cluster() {
    let world = World::with(&sample::installing());
    world.commit("drydock/status", "odd", &[("clusters/shops/till-042/status.yaml", "kind: [\n")]);
    let said = world.run("status");
    assert!(said.out.contains("hospital-north") && said.err.contains("clusters/shops/till-042"), "{said:?}");
    assert_eq!(said.exit, Exit::Found);
}

#[test]
fn torn_and_newer_facts_are_told() {
    let world = World::with(&sample::installing());
    let path = "clusters/hospitals/hospital-north/facts.yaml";
    world.commit("drydock/status", "torn", &[(path, "schema: 1\nleast: 1\n")]);
    check(
        &world,
        "why hospital-north",
        expect![[r#"
        --- standard error
        drydock: clusters/hospitals/hospital-north/facts.yaml: facts.yaml does not have the shape of schema 1: missing field `cluster`
          look at the branch with git log; a commit that Drydock did not write may have touched it
        --- exit 1
    "#]],
    );
    world.commit("drydock/status", "newer", &[(path, "schema: 2\nleast: 2\n")]);
    check(
        &world,
        "why hospital-north",
        expect![[r#"
        --- standard error
        drydock: facts.yaml needs schema 2, and this drydock reads up to 1; upgrade it
          install a newer drydock
        --- exit 8
    "#]],
    );
}

#[test]
fn a_cluster_whose_status_does_not_read_is_not_denied() {
    let world = World::with(&sample::opening());
    world.commit("drydock/status", "Fix typo", &[("clusters/hospitals/hospital-north/status.yaml", "kind: nonsense\n")]);
    for line in ["why hospital-north", "status hospital-north", "status", "history hospital-north -n 1", "why elsewhere"] {
        let said = world.run(line);
        assert_eq!(said.exit, Exit::Found, "{line}: {said:?}");
        assert!(said.err.contains("clusters/hospitals/hospital-north: status.yaml does not have the shape"), "{line}: {said:?}");
    }
    assert!(world.run("history hospital-north").out.contains("N02 Install opened"), "its history is in the messages");
    let json: StatusAnswer = serde_json::from_str(&world.run("status hospital-north -o json").out).unwrap();
    assert_eq!((json.items.len(), json.unreadable.len()), (0, 1));
    let other = ("clusters/shops/till-042/status.yaml", "least: 2\n");
    world.commit("drydock/status", "newer", &[other]);
    for line in ["why till-042", "status till-042", "status", "history till-042", "why elsewhere"] {
        let said = world.run(line);
        assert_eq!(said.exit, Exit::TooNew, "{line}: {said:?}");
        assert!(said.err.contains("till-042: status.yaml needs schema 2"), "{line}: {said:?}");
    }
    assert_eq!(world.run("status hospital-north").exit, Exit::Found, "of another cluster's status nobody asked");
}

#[test]
fn a_status_beside_facts_for_a_newer_reader_is_for_a_newer_reader_too() {
    let world = World::with(&sample::installing());
    let home = "clusters/hospitals/hospital-north";
    let files = [(format!("{home}/status.yaml"), "kind: of the future\n"), (format!("{home}/facts.yaml"), "schema: 2\nleast: 2\n")];
    world.commit("drydock/status", "newer", &[(&files[0].0, files[0].1), (&files[1].0, files[1].1)]);
    let said = world.run("why hospital-north");
    assert_eq!(said.exit, Exit::TooNew, "{said:?}");
    assert!(said.err.contains("install a newer drydock"), "{said:?}");
}

#[test]
fn a_fleet_file_that_does_not_count_leads_nobody_to_an_empty_place() {
    let world = World::bare();
    world.commit(
        "main",
        "oops",
        &[("fleet.yaml", "apiVersion: drydock/v1alpha1\nkind: Fleet\nmetadata:\n  name: f\nspec:\n  stauts: {}\n")],
    );
    check(
        &world,
        "status",
        expect![[r#"
            --- standard error
            drydock: DIR/fleet.git/ has no status branch drydock/status, and fleet.yaml, which may say that status is elsewhere, does not count: error[DD0201]: `spec` has no field "stauts"
              mend fleet.yaml: drydock validate tells all that is wrong; or say where status is, with --repository and --status-branch
            --- exit 1
        "#]],
    );
    let world = World::with(&sample::installing());
    world.commit("main", "oops", &[("fleet.yaml", "kind: [")]);
    let said = world.run("status");
    assert_eq!((said.exit, said.out.contains("hospital-north")), (Exit::Fine, true), "{said:?}");
    assert!(said.err.starts_with("fleet.yaml does not count (error[DD0103]: "), "{said:?}");
}

#[test]
fn escapes_on_the_branch_reach_no_terminal() {
    let world = World::with(&sample::installing());
    let status = drydock_spec::wire::status::ClusterStatus::of(&sample::installing()).encode();
    let evil = status.replace("on the target and in service", "\"a\\e[2Jb\\nc\"");
    assert_ne!(evil, status);
    world.commit("drydock/status", "evil \u{1b}[31m", &[("clusters/hospitals/hospital-north/status.yaml", &evil)]);
    for line in ["status -o wide", "history hospital-north"] {
        let said = world.run(line);
        assert!(!said.out.contains('\u{1b}') && said.out.contains("hospital-north") | said.out.contains("evil"), "{said:?}");
    }
}

#[test]
fn a_remote_that_went_away_leaves_what_was_fetched_and_says_so() {
    let world = World::with(&sample::installing());
    let server = world.path("fleet.git");
    let line = format!("status --repository file://{}", server.display());
    let before = world.run(&line);
    assert_eq!((before.exit, before.err.as_str()), (Exit::Fine, ""));
    fs::rename(&server, world.path("moved.git")).unwrap();
    let after = world.run_in(&world.path(""), &line);
    assert_eq!(after.out, before.out);
    expect![[r#"
        as fetched before; now: there is nothing at DIR/fleet.git; check the spelling, or make the repository with `git init --bare`
    "#]]
    .assert_eq(&after.err);
    let json: StatusAnswer = serde_json::from_str(&world.run_in(&world.path(""), &format!("{line} -o json")).out).unwrap();
    assert!(json.stale.is_some_and(|s| s.contains("there is nothing at")));
}

#[test]
fn nobody_speaks_while_the_remote_is_away() {
    let world = World::with(&sample::held());
    let server = world.path("fleet.git");
    let at = format!("--repository file://{}", server.display());
    assert_eq!(world.run(&format!("status {at}")).exit, Exit::Found);
    fs::rename(&server, world.path("moved.git")).unwrap();
    let said = world.run_in(&world.path(""), &format!("node retry N02 --reason x --key {} {at}", world.path("key").display()));
    assert!(matches!(said.exit, Exit::Unreachable | Exit::Configuration) && said.out.is_empty(), "{said:?}");
}
