//! init, the start of run, and probe.

use crate::harness::{World, check_in, configured, write};
use drydock::exit::Exit;
use expect_test::expect;
use std::fs;

#[test]
fn init_makes_the_branch_once() {
    let world = World::bare();
    configured(&world);
    check_in(
        &world,
        &world.path(""),
        "init --config north.yaml",
        expect![[r#"
        drydock/status begun at DIR/fleet.git (commit COMMIT)
        next: drydock run --config north.yaml
        --- exit 0
    "#]],
    );
    check_in(
        &world,
        &world.path(""),
        "init --config north.yaml",
        expect![[r#"
        --- standard error
        drydock: the branch refs/heads/drydock/status is there already; nothing was done
          start the controller: drydock run --config FILE; or, after the branch was rewound: --adopt --above NUMBER
        --- exit 2
    "#]],
    );
    let (mirror, _, tip) = world.mirror("drydock/status");
    assert_eq!(mirror.commit(tip.unwrap()).unwrap().parents, []);
    check_in(
        &world,
        &world.path(""),
        "status",
        expect![[r#"
        --- standard error
        drydock: DIR/ is not a git repository; check the spelling, or make one with `git init --bare`
          name the fleet repository with --repository, or run this inside a clone of it
        --- exit 2
    "#]],
    );
    check_in(
        &world,
        &world.path("fleet.git"),
        "status",
        expect![[r#"
        no cluster has a status yet
        --- exit 0
    "#]],
    );
}

#[test]
fn what_keeps_init_from_its_remote_keeps_its_own_class() {
    let world = World::bare();
    configured(&world);
    let hook = world.path("fleet.git/hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, "#!/bin/sh\necho no >&2\nexit 1\n").unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let said = world.run_in(&world.path(""), "init --config north.yaml");
    assert_eq!(said.exit, Exit::Refused, "{said:?}");
    fs::remove_file(&hook).unwrap();
    fs::rename(world.path("fleet.git"), world.path("moved.git")).unwrap();
    let said = world.run_in(&world.path(""), "init --config north.yaml");
    assert!(said.exit == Exit::Configuration && !said.err.contains("--repository"), "{said:?}");
}

#[test]
fn init_and_run_need_a_good_configuration_and_a_key() {
    let world = World::bare();
    configured(&world);
    let init = world.run_in(&world.path(""), "init --config nowhere.yaml").all();
    assert_eq!(world.run_in(&world.path(""), "run --config nowhere.yaml").all(), init);
    expect![[r#"
        --- standard error
        drydock: DIR/nowhere.yaml cannot be read: No such file or directory (os error 2)
          name the controller's configuration with --config; drydock schema controller-config says what it holds
        --- exit 3
    "#]]
    .assert_eq(&init);
    write(&world.path(""), &[("key", "nonsense")]);
    check_in(
        &world,
        &world.path(""),
        "init --config north.yaml",
        expect![[r#"
            --- standard error
            drydock: DIR/key: this is not an OpenSSH private key, as `ssh-keygen -t ed25519` writes it
              name the file of an OpenSSH private key as signingKey; its passphrase goes into DRYDOCK_KEY_PASSPHRASE
            --- exit 3
        "#]],
    );
    // A key that is there is not to be written over: it may have signed the ledger.
    fs::remove_file(world.path("key")).unwrap();
    let missing = world.run_in(&world.path(""), "init --config north.yaml");
    assert!(missing.exit == Exit::Configuration && missing.err.contains("make one with: ssh-keygen"), "{missing:?}");
    fs::create_dir(world.path("key")).unwrap();
    let there = world.run_in(&world.path(""), "init --config north.yaml");
    assert!(there.exit == Exit::Configuration && !there.err.contains("ssh-keygen"), "{there:?}");
    assert_eq!(world.run_in(&world.path(""), "init --config north.yaml --adopt").exit, Exit::Usage, "--adopt needs --above");
}

#[test]
fn a_demo_in_a_folder_whose_socket_no_system_takes_is_refused_before_anything_is_made() {
    let world = World::bare();
    let said = world.run_in(&world.path(""), &format!("demo --keep {}", "x".repeat(120)));
    assert!(said.exit == Exit::Usage && said.err.contains("name a folder with a shorter path with --keep"), "{said:?}");
    assert!(!world.path(&"x".repeat(120)).exists());
}

#[test]
fn validate_is_named_only_where_it_shows_the_same() {
    let world = World::bare();
    configured(&world);
    let good = fs::read_to_string(world.path("north.yaml")).unwrap();
    write(
        &world.path(""),
        &[("other.yaml", &good.replace("kind: ControllerConfiguration\n", "")), ("bad.yaml", &good.replace("name: north", "name: N!"))],
    );
    let told = |file: &str| world.run_in(&world.path(""), &format!("init --config {file}")).err;
    assert!(told("other.yaml").ends_with("  mend what is shown above\n"), "{}", told("other.yaml"));
    assert!(told("bad.yaml").ends_with("  mend what is shown above; drydock validate bad.yaml shows it again\n"), "{}", told("bad.yaml"));
    // The whole key would stand in a supervisor's journal.
    assert!(!told("key").contains("b3Blb"), "{}", told("key"));
}

#[test]
fn a_probe_without_its_lab_knows_nothing_and_says_why() {
    let world = World::bare();
    configured(&world);
    check_in(
        &world,
        &world.path(""),
        "probe till-042 --config north.yaml",
        expect![[r#"
            NODE  BUILD    UP       SERVICE  FENCE    MARKER   WORKER   SETUP    FREE
            T1    unknown  unknown  unknown  unknown  unknown  unknown  unknown  unknown
            T2    unknown  unknown  unknown  unknown  unknown  unknown  unknown  unknown
            T1: unreachable
            T2: unreachable
            cluster, through nobody: unknown (unreachable); level unknown (unreachable)
            highest epoch that a node remembers: none
            --- exit 1
        "#]],
    );
    check_in(
        &world,
        &world.path(""),
        "probe nowhere --config north.yaml",
        expect![[r#"
        --- standard error
        drydock: no file that counts describes a cluster "nowhere"
          clusters are: hospital-north, till-042
        --- exit 2
    "#]],
    );
}
