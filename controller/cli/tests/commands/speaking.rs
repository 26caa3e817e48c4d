//! accept, node, clock: a person's word is a signed commit with the same tree.

use crate::harness::{KEY, PUBLIC, World};
use drydock::exit::Exit;
use drydock_git::AllowedKeys;
use drydock_spec::wire::words::{self, Said};
use drydock_spec::wire::{ROOT_FILE, sample, status::ClusterStatus};
use expect_test::{Expect, expect};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Runs it in a clone, and reads back what the status branch then says.
fn spoken(world: &World, line: &str, expect: Expect) -> Option<Said> {
    let clone = if world.path("clone").exists() { world.path("clone") } else { world.clone() };
    let (before, _, tip) = world.mirror("drydock/status");
    let tree = before.commit(tip.unwrap()).unwrap().tree;
    drop(before);
    expect.assert_eq(&world.run_in(&clone, line).all());
    let (mirror, _, now) = world.mirror("drydock/status");
    if now == tip {
        return None;
    }
    let commit = mirror.commit(now.unwrap()).unwrap();
    assert_eq!((commit.parents, commit.tree), (vec![tip.unwrap()], tree), "one commit, the same tree");
    assert_eq!(commit.committer.name, "Ann");
    assert_eq!(mirror.verify(now.unwrap(), &AllowedKeys::parse(&format!("ann {PUBLIC}")).unwrap()).unwrap(), "ann");
    words::parse(&commit.message).unwrap()
}

fn key(world: &World) -> String {
    format!("--key {}", world.path("key").display())
}

#[test]
fn node_words_find_their_cluster_and_are_signed() {
    let world = World::with(&sample::held());
    let key = key(&world);
    let said = spoken(
        &world,
        &format!("node retry N02 --reason disk_3_replaced {key}"),
        expect![[r#"
            said: hospital-north: N02 gets fresh attempts (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]],
    );
    expect![[r#"
        Some(
            Cluster {
                cluster: ClusterName(
                    "hospital-north",
                ),
                word: Retry {
                    node: NodeName(
                        "N02",
                    ),
                    reason: "disk 3 replaced",
                },
            },
        )
    "#]]
    .assert_debug_eq(&said);
    let told = world.run("history hospital-north -n 1").out;
    assert!(told.contains(": disk 3 replaced\n"), "{told}");
    let said = spoken(
        &world,
        &format!("node gone n04 --reason scrapped {key} --cluster hospital-north"),
        expect![[r#"
            said: hospital-north: N04 is gone for good (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]],
    );
    assert!(matches!(said, Some(Said::Cluster { .. })));
}

#[test]
fn a_node_that_is_nowhere_or_twice_is_not_spoken_of() {
    let world = World::with(&sample::held());
    let key = key(&world);
    assert_eq!(
        spoken(
            &world,
            &format!("node retry N09 --reason x {key}"),
            expect![[r#"
        --- standard error
        drydock: no cluster has a node N09
          see: drydock status -o wide
        --- exit 2
    "#]]
        ),
        None
    );
    assert_eq!(
        spoken(
            &world,
            &format!("node retry N;2 --reason x {key}"),
            expect![[r#"
        --- standard error
        drydock: "N;2" is no node: it contains ';' (U+003B); only letters a-z, digits and '-' are allowed
          write the node's short name, as drydock status -o wide shows it
        --- exit 2
    "#]]
        ),
        None
    );
    let mut twin = ClusterStatus::of(&sample::converged());
    twin.metadata.name = "hospital-south".to_owned();
    world.commit("drydock/status", "x", &[("clusters/hospitals/hospital-south/status.yaml", &twin.encode())]);
    assert_eq!(
        spoken(
            &world,
            &format!("node retry N02 --reason x {key}"),
            expect![[r#"
        --- standard error
        drydock: 2 clusters have a node N02
          say which with --cluster: hospital-north, hospital-south
        --- exit 2
    "#]]
        ),
        None
    );
}

#[test]
fn a_word_goes_nowhere_while_a_status_that_may_be_meant_does_not_read() {
    let world = World::with(&sample::held());
    let key = key(&world);
    world.commit("drydock/status", "torn", &[("clusters/hospitals/hospital-south/status.yaml", "kind: nonsense\n")]);
    assert_eq!(
        spoken(
            &world,
            &format!("node retry N02 --reason x {key}"),
            expect![[r#"
                --- standard error
                drydock: whose node N02 is meant cannot be told, as a status cannot be read: clusters/hospitals/hospital-south: status.yaml does not have the shape of schema 1: missing field `apiVersion`
                  say which with --cluster CLUSTER, or mend that first; look at the branch with git log; a commit that Drydock did not write may have touched it
                --- exit 1
            "#]]
        ),
        None
    );
    assert_eq!(
        spoken(
            &world,
            &format!("node retry N02 --reason x {key} --cluster hospital-south"),
            expect![[r#"
                --- standard error
                drydock: the status of hospital-south cannot be read: clusters/hospitals/hospital-south: status.yaml does not have the shape of schema 1: missing field `apiVersion`
                  look at the branch with git log; a commit that Drydock did not write may have touched it
                --- exit 1
            "#]]
        ),
        None
    );
    assert_eq!(
        spoken(
            &world,
            &format!("clock accept --reason x {key} --cluster hospital-south"),
            expect![[r#"
        --- standard error
        drydock: the status of hospital-south cannot be read: clusters/hospitals/hospital-south: status.yaml does not have the shape of schema 1: missing field `apiVersion`
          look at the branch with git log; a commit that Drydock did not write may have touched it
        --- exit 1
    "#]]
        ),
        None
    );
    let said = spoken(
        &world,
        &format!("node retry N02 --reason x {key} --cluster hospital-north"),
        expect![[r#"
            said: hospital-north: N02 gets fresh attempts (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]],
    );
    assert!(matches!(said, Some(Said::Cluster { cluster, .. }) if cluster.as_str() == "hospital-north"));
}

#[test]
fn a_fleet_on_another_branch_is_spoken_of_with_its_name() {
    let world = World::with(&sample::held());
    let key = key(&world);
    let newest = world.commit("production", "here it is", &[("README", "x")]);
    assert_eq!(
        spoken(
            &world,
            &format!("accept {newest} --reason x {key}"),
            expect![[r#"
        --- standard error
        drydock: commit COMMIT is not on the fleet's branch
          give all 40 characters, as git log --format=%H shows them
        --- exit 2
    "#]]
        ),
        None
    );
    let said = spoken(
        &world,
        &format!("accept {newest} --reason x {key} --base production"),
        expect![[r#"
            said: revision COMMIT of the fleet is accepted (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]],
    );
    assert!(matches!(said, Some(Said::Accept { .. })));
    assert_eq!(
        spoken(
            &world,
            &format!("accept {newest} --reason x {key} --base nowhere"),
            expect![[r#"
        --- standard error
        drydock: DIR/fleet.git has no branch nowhere
          name the branch that controllers watch with --base; check --repository
        --- exit 2
    "#]]
        ),
        None
    );
}

#[test]
fn clock_words_go_to_one_cluster_or_to_all() {
    let world = World::with(&sample::held());
    let key = key(&world);
    let all = spoken(
        &world,
        &format!("clock accept --reason NTP_was_wrong {key}"),
        expect![[r#"
            said: all clusters: the clock is right as it is (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]],
    );
    assert_eq!(all, Some(Said::ClockEverywhere { reason: "NTP was wrong".to_owned() }));
    let one = spoken(
        &world,
        &format!("clock accept --cluster hospital-north --reason x {key}"),
        expect![[r#"
            said: hospital-north: the clock is right as it is (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]],
    );
    assert!(matches!(one, Some(Said::Cluster { .. })));
    assert_eq!(
        spoken(
            &world,
            &format!("clock accept --cluster nowhere --reason x {key}"),
            expect![[r#"
        --- standard error
        drydock: no status of a cluster "nowhere" is on the status branch
          clusters are: hospital-north
        --- exit 2
    "#]]
        ),
        None
    );
}

#[test]
fn only_commits_that_are_there_can_be_accepted() {
    let world = World::with(&sample::held());
    let key = key(&world);
    let refused = |line: &str| {
        let said = world.run(&format!("accept {line}--reason x {key}"));
        (said.exit, said.err)
    };
    expect![[r#"
        (
            (
                Usage,
                "drydock: \"main\" is no commit's id\n  give all 40 characters, as git log --format=%H shows them\n",
            ),
            (
                Usage,
                "drydock: nothing was named to accept\n  give a REVISION, or --status COMMIT: drydock why CLUSTER says which is waited for\n",
            ),
        )
    "#]].assert_debug_eq(&(refused("main "), refused("")));
    let newest = world.commit("main", "rewritten", &[("README", "x")]);
    let said = spoken(
        &world,
        &format!("accept {newest} --reason cleaned_up {key}"),
        expect![[r#"
            said: revision COMMIT of the fleet is accepted (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]],
    );
    assert_eq!(said, Some(Said::Accept { revision: newest.to_string().parse().unwrap(), reason: "cleaned up".to_owned() }));
    let foreign = world.commit("drydock/status", "by hand", &[("x", "y")]);
    let said = spoken(
        &world,
        &format!("accept --status {foreign} --reason harmless {key}"),
        expect![[r#"
            said: commit COMMIT of the status branch is accepted (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]],
    );
    assert!(matches!(said, Some(Said::AcceptStatus { .. })));
    let nowhere = "0123456789abcdef0123456789abcdef01234567";
    assert_eq!(
        spoken(
            &world,
            &format!("accept {nowhere} --reason x {key}"),
            expect![[r#"
        --- standard error
        drydock: commit COMMIT is not on the fleet's branch
          give all 40 characters, as git log --format=%H shows them
        --- exit 2
    "#]]
        ),
        None
    );
    assert_eq!(
        spoken(
            &world,
            &format!("accept abc --reason x {key}"),
            expect![[r#"
        --- standard error
        drydock: "abc" is not a whole commit id
          give all 40 characters, as git log --format=%H shows them
        --- exit 2
    "#]]
        ),
        None
    );
    assert_eq!(world.run(&format!("accept --reason x {key}")).exit, Exit::Usage);
}

#[test]
fn where_somebody_removed_the_claim_it_can_be_looked_at_and_accepted() {
    let world = World::with(&sample::held());
    let git = git2::Repository::open_bare(world.path("fleet.git")).unwrap();
    let name = "refs/heads/drydock/status";
    let tip = git.find_commit(git.refname_to_id(name).unwrap()).unwrap();
    let mut tree = git.treebuilder(Some(&tip.tree().unwrap())).unwrap();
    tree.remove(ROOT_FILE).unwrap();
    let tree = git.find_tree(tree.write().unwrap()).unwrap();
    let who = git2::Signature::new("Bob", "bob@example", &git2::Time::new(sample::NOW.0 / 1_000, 0)).unwrap();
    let foreign = git.commit(Some(name), &who, &who, "clean-up", &tree, &[&tip]).unwrap();
    assert!(world.run("status").out.contains("hospital-north"));
    let said = spoken(
        &world,
        &format!("accept --status {foreign} --reason harmless {}", key(&world)),
        expect![[r#"
            said: commit COMMIT of the status branch is accepted (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]],
    );
    assert!(matches!(said, Some(Said::AcceptStatus { .. })));
}

#[test]
fn a_lock_on_the_branch_is_waited_for_and_named_where_it_stays() {
    let world = World::with(&sample::held());
    let key = key(&world);
    let lock = world.path("fleet.git/refs/heads/drydock/status.lock");
    fs::write(&lock, "").unwrap();
    let line = format!("node retry N02 --reason disk_3_replaced {key}");
    assert_eq!(
        spoken(
            &world,
            &line,
            expect![[r#"
                --- standard error
                drydock: another writer holds DIR/fleet.git/refs/heads/drydock/status.lock, also at the 8th try
                  try again; if it stays and no git runs there, remove that file
                --- exit 4
            "#]]
        ),
        None
    );
    // Whoever held it lets go of it after the first try.
    let hook = world.path("fleet.git/hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let script = format!("if test -e '{0}.seen'; then rm -f '{0}'; fi; touch '{0}.seen'", lock.display());
    let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod 755 "$2""#;
    assert!(std::process::Command::new("sh").args(["-c", write, "sh", &script]).arg(&hook).status().unwrap().success());
    assert!(
        spoken(
            &world,
            &line,
            expect![[r#"
            said: hospital-north: N02 gets fresh attempts (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]]
        )
        .is_some()
    );
}

#[test]
fn a_word_needs_a_reason_a_key_and_a_name() {
    let world = World::with(&sample::held());
    let usual = key(&world);
    assert_eq!(
        spoken(
            &world,
            &format!("node retry N02 {usual} --reason _"),
            expect![[r#"
        --- standard error
        drydock: a reason has between 1 and 200 characters
          give --reason a sentence that a colleague understands next year
        --- exit 2
    "#]]
        ),
        None
    );
    assert_eq!(
        spoken(
            &world,
            "node retry N02 --reason x",
            expect![[r#"
                --- standard error
                drydock: the signing key DIR/home/.ssh/id_ed25519 cannot be read: No such file or directory (os error 2)
                  name your SSH key with --key, or its .pub where an agent has it; whoever has none makes one with: ssh-keygen -t ed25519
                --- exit 3
            "#]]
        ),
        None
    );
    fs::write(world.path("other"), "no key").unwrap();
    assert_eq!(
        spoken(
            &world,
            &format!("node retry N02 --reason x --key {}", world.path("other").display()),
            expect![[r#"
                --- standard error
                drydock: DIR/other: this is not an OpenSSH private key, as `ssh-keygen -t ed25519` writes it
                  name your SSH key with --key, or its .pub where an agent has it; its passphrase goes into DRYDOCK_KEY_PASSPHRASE
                --- exit 3
            "#]]
        ),
        None
    );
    let nobody = world.run(&format!("node retry N02 --reason x {usual}"));
    assert!(nobody.exit == Exit::Configuration || nobody.exit == Exit::Fine, "git on this machine may know who we are: {nobody:?}");
}

#[test]
fn gits_own_signing_key_is_the_usual_one() {
    let world = World::with(&sample::held());
    let clone = world.clone();
    fs::write(world.path("mine"), KEY).unwrap();
    let git = git2::Repository::open(&clone).unwrap();
    let mut config = git.config().unwrap();
    config.set_str("gpg.format", "ssh").unwrap();
    config.set_str("user.signingkey", world.path("mine.pub").to_str().unwrap()).unwrap();
    assert_eq!(world.run_in(&clone, "node retry N02 --reason x").exit, Exit::Fine);
}

/// Here no agent runs; with one, and for keys that only `ssh-keygen` reads, it signs in the same way (controller/git has the test).
#[test]
fn a_public_key_is_signed_for_by_whoever_has_the_private_half() {
    let world = World::with(&sample::held());
    fs::write(world.path("mine"), KEY).unwrap();
    fs::set_permissions(world.path("mine"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(world.path("mine.pub"), PUBLIC).unwrap();
    let word = format!("node retry N02 --reason x --key {}", world.path("mine.pub").display());
    let said = spoken(
        &world,
        &word,
        expect![[r#"
            said: hospital-north: N02 gets fresh attempts (commit COMMIT)
            a controller hears it with its next look, if it knows this key: see allowedSigners.persons in its configuration
            --- exit 0
        "#]],
    );
    assert!(said.is_some());
    fs::remove_file(world.path("mine")).unwrap();
    let refused = world.run(&word);
    assert_eq!(refused.exit, Exit::Configuration, "{refused:?}");
    assert!(refused.all().contains("did not sign: ") && refused.all().contains("ssh-add"), "{refused:?}");
}

#[test]
fn what_was_said_and_is_not_heard_yet_is_told_by_why() {
    let world = World::with(&sample::held());
    let clone = world.clone();
    let key = key(&world);
    let rows = || {
        let why = world.run_in(&clone, "why hospital-north");
        why.out.lines().filter(|line| line.starts_with("  said")).map(|line| format!("{}\n", line.trim())).collect::<String>()
    };
    assert_eq!(rows(), "");
    for line in [
        "node retry N02 --reason disk_3_replaced",
        "clock accept --reason checked",
        "node gone N04 --reason scrapped --cluster hospital-north",
    ] {
        assert_eq!(world.run_in(&clone, &format!("{line} {key}")).exit, Exit::Fine);
    }
    // Not for this cluster, and no word.
    world.commit("drydock/status", "clock is accepted\n\nWord: clock\nCluster: till-042\nReason: r\nSchema: 1", &[]);
    world.commit("drydock/status", "just a note", &[]);
    expect![[r#"
          said    N02 gets fresh attempts (Ann, 0s ago, commit COMMIT-10-); no entry has taken it in yet: that needs a controller that runs and whose allowedSigners.persons has its key
          said    the clock is right as it is, everywhere (Ann, 0s ago, commit COMMIT-10-); no entry has taken it in yet: that needs a controller that runs and whose allowedSigners.persons has its key
          said    N04 is gone for good (Ann, 0s ago, commit COMMIT-10-); no entry has taken it in yet: that needs a controller that runs and whose allowedSigners.persons has its key
    "#]].assert_eq(&rows());
    world.commit("drydock/status", "hospital-north: Wait/Window\n\nCluster: hospital-north\nSchema: 1", &[]);
    assert_eq!(rows(), "");
}
