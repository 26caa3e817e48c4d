//! `drydock init --adopt`, and what keeps it from its branch.

use crate::harness::{KEY, NOW, PUBLIC, World};
use drydock_spec::wire::root::Root;
use drydock_spec::wire::{ROOT_FILE, message, sample};
use expect_test::{Expect, expect};
use std::fs;

/// Adopts above nine with a configuration that knows the key of the branch.
fn adopt(world: &World, expect: Expect) {
    let config = format!(
        "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: north\ndesired: {{remote: fleet.git}}\nstateDirectory: state\nsigningKey: key\n\
         allowedSigners: {{persons: ['{PUBLIC}']}}\nlab: {{socket: no.sock}}\n"
    );
    fs::write(world.path("north.yaml"), config).unwrap();
    fs::write(world.path("key"), KEY).unwrap();
    expect.assert_eq(&world.run_in(&world.path(""), "init --config north.yaml --adopt --above 9").all());
}

#[test]
fn an_adoption_says_that_it_is_one_and_above_which_claim() {
    let world = World::with(&sample::opening());
    adopt(
        &world,
        expect![[r#"
        drydock/status adopted at DIR/fleet.git: every claim is above 9 (commit COMMIT)
        next: drydock run --config north.yaml
        --- exit 0
    "#]],
    );
    let (mirror, _, tip) = world.mirror("drydock/status");
    expect![[r#"
        Status branch adopted by north: every claim is above 9

        What nodes remember of claims up to that one, and this branch has not, holds no cluster any more.

        Outcome: Adopted above 9
        Schema: 1
    "#]]
    .assert_eq(&mirror.commit(tip.unwrap()).unwrap().message);
}

#[test]
fn a_branch_of_a_newer_drydock_is_not_adopted() {
    let world = World::with(&sample::opening());
    let root = Root { schema: 99, least: 99, ..Root::begun("north", NOW) };
    world.commit("drydock/status", "a claim to come", &[(ROOT_FILE, &root.encode())]);
    adopt(
        &world,
        expect![[r#"
        --- standard error
        drydock: the status branch needs schema 99, and this drydock reads up to 1; upgrade it
          install a newer drydock
        --- exit 8
    "#]],
    );
}

#[test]
fn a_branch_that_no_known_key_claimed_is_not_adopted() {
    let world = World::bare();
    let git = git2::Repository::open_bare(world.path("fleet.git")).unwrap();
    let file = git.blob(Root::begun("north", NOW).encode().as_bytes()).unwrap();
    let mut tree = git.treebuilder(None).unwrap();
    tree.insert(ROOT_FILE, file, 0o100_644).unwrap();
    let tree = git.find_tree(tree.write().unwrap()).unwrap();
    let who = git2::Signature::new("north", "north@example", &git2::Time::new(0, 0)).unwrap();
    git.commit(Some("refs/heads/drydock/status"), &who, &who, &message::root_message("north"), &tree, &[]).unwrap();
    adopt(
        &world,
        expect![[r#"
        --- standard error
        drydock: no known controller signed any claim on the status branch, which is at COMMIT: name the key of the one that did under allowedSigners.controllers, or set the branch back to what that one wrote
          check allowedSigners.controllers and signingKey in the configuration
        --- exit 3
    "#]],
    );
}
