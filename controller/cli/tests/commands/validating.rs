//! validate.

use crate::harness::{HOSPITAL, World, check_in, write};
use expect_test::expect;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn a_good_fleet_is_told_to_be_good() {
    let world = World::bare();
    let clone = world.clone();
    check_in(
        &world,
        &clone,
        "validate",
        expect![[r#"
        warning[DD0312]: builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; ask for 23H2 only as a step on the way
          --> clusters/hospitals/hospital-north.yaml:13:3
           |
        13 |   operatingSystem:
           |   ^^^^^^^^^^^^^^^
           |
           = help: go on to 24H2 soon, or ask for 24H2 at once

        warning[DD0312]: builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; ask for 23H2 only as a step on the way
          --> clusters/shops/till-042.yaml:11:3
           |
        11 |   operatingSystem:
           |   ^^^^^^^^^^^^^^^
           |
           = help: go on to 24H2 soon, or ask for 24H2 at once

        2 files: good, 2 warnings
        --- exit 0
    "#]],
    );
    check_in(
        &world,
        &clone,
        "validate clusters/shops/till-042.yaml",
        expect![[r#"
        warning[DD0312]: builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; ask for 23H2 only as a step on the way
          --> clusters/shops/till-042.yaml:11:3
           |
        11 |   operatingSystem:
           |   ^^^^^^^^^^^^^^^
           |
           = help: go on to 24H2 soon, or ask for 24H2 at once

        1 file: good, 1 warning
        --- exit 0
    "#]],
    );
}

#[test]
fn all_problems_of_all_files_are_shown_with_carets() {
    let world = World::bare();
    let clone = world.clone();
    write(
        &clone,
        &[
            ("clusters/shops/till-042.yaml", "apiVersion: drydock/v1alpha1\nkind: Cluster\nmetadata: {name: Till}\nspec:\n  nodse: []\n"),
            ("clusters/shops/old.yml", "x"),
            ("clusters/twin.yaml", &HOSPITAL.replace("N0", "M0")),
        ],
    );
    std::os::unix::fs::symlink("till-042.yaml", clone.join("clusters/shops/link.yaml")).unwrap();
    check_in(
        &world,
        &clone,
        "validate",
        expect![[r#"
            warning[DD0312]: builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; ask for 23H2 only as a step on the way
              --> clusters/hospitals/hospital-north.yaml:13:3
               |
            13 |   operatingSystem:
               |   ^^^^^^^^^^^^^^^
               |
               = help: go on to 24H2 soon, or ask for 24H2 at once

            warning[DD0312]: builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; ask for 23H2 only as a step on the way
              --> clusters/twin.yaml:13:3
               |
            13 |   operatingSystem:
               |   ^^^^^^^^^^^^^^^
               |
               = help: go on to 24H2 soon, or ask for 24H2 at once

            error[DD0115]: is a symbolic link, which Drydock does not follow
            --> clusters/shops/link.yaml
             = help: put the file itself there

            error[DD0403]: is not read: a cluster's file ends in .yaml
            --> clusters/shops/old.yml
             = help: rename it

            error[DD0301]: the cluster's name contains 'T' (U+0054); only letters a-z, digits and '-' are allowed
             --> clusters/shops/till-042.yaml:3:18
              |
            3 | metadata: {name: Till}
              |                  ^^^^
              |
              = help: write it in lower case

            error[DD0202]: `spec` lacks the field `nodes`
             --> clusters/shops/till-042.yaml:4:1
              |
            4 | spec:
              | ^^^^
              |
              = help: nodes: Every node of the cluster

            error[DD0202]: `spec` lacks the field `operatingSystem`
             --> clusters/shops/till-042.yaml:4:1
              |
            4 | spec:
              | ^^^^
              |
              = help: operatingSystem: What every node shall run: a release, or a build of it and later ones

            error[DD0202]: neither `spec` nor the fleet's defaults have a `source`
             --> clusters/shops/till-042.yaml:4:1
              |
            4 | spec:
              | ^^^^
              |
              = help: write `source: {windowsUpdate: {}}` or `source: {media: {path: 'D:\Media\24H2'}}`

            error[DD0202]: WinRM needs a credential, and neither `connection` nor the fleet's defaults name one
             --> clusters/shops/till-042.yaml:4:1
              |
            4 | spec:
              | ^^^^
              |
              = help: write `connection: {credential: NAME}`, NAME as in the controller's configuration

            error[DD0201]: `spec` has no field "nodse"
             --> clusters/shops/till-042.yaml:5:3
              |
            5 |   nodse: []
              |   ^^^^^
              |
              = help: did you mean `nodes`?

            error[DD0401]: the cluster hospital-north is described in clusters/hospitals/hospital-north.yaml:4 already
             --> clusters/twin.yaml:4:9
              |
            4 |   name: hospital-north
              |         ^^^^^^^^^^^^^^
              |
              = help: rename one of them, or delete one file

            5 files: 9 errors, 2 warnings
            --- exit 1
        "#]],
    );
    let json: Value = serde_json::from_str(&world.run_in(&clone, "validate -o json").out).unwrap();
    assert_eq!((json["kind"].as_str(), json["files"].as_u64()), (Some("Validation"), Some(5)));
    let problems = json["problems"].as_array().unwrap();
    assert!(problems.iter().any(|p| p["file"] == "clusters/shops/till-042.yaml" && p["line"] == 5), "{json}");
}

#[test]
fn what_many_files_are_warned_of_does_not_hide_an_error() {
    let world = World::bare();
    let clone = world.clone();
    let file = |n: usize| HOSPITAL.replace("hospital-north", &format!("till-{n}")).replace("N0", &format!("T{n}N"));
    for n in 0..7 {
        write(&clone, &[(&format!("clusters/till-{n}.yaml"), &file(n))]);
    }
    write(&clone, &[("clusters/alpha.yaml", "kind: [")]);
    let told = world.run_in(&clone, "validate").out;
    assert_eq!(told.matches("warning[DD0312]: builds").count(), 3, "{told}");
    let heads: Vec<&str> = told.lines().filter(|l| l.starts_with("error") || l.contains("more") || l.contains("files:")).collect();
    let error = "error[DD0103]: is not YAML: while parsing a node, did not find expected node content";
    assert_eq!(heads, ["warning[DD0312]: the same 6 times more", error, "10 files: 1 error, 9 warnings"], "{told}");
    let json: Value = serde_json::from_str(&world.run_in(&clone, "validate -o json").out).unwrap();
    assert_eq!(json["problems"].as_array().map(Vec::len), Some(10), "tools are told all of them");
}

#[test]
fn a_link_or_a_submodule_among_the_clusters_hides_no_file_unsaid() {
    let world = World::bare();
    let clone = world.clone();
    fs::rename(clone.join("clusters/shops"), clone.join("shops")).unwrap();
    symlink("../shops", clone.join("clusters/shops")).unwrap();
    write(&clone, &[("clusters/module/.git", "gitdir: elsewhere"), ("clusters/module/x.yaml", crate::harness::TILL)]);
    let said = world.run_in(&clone, "validate").all();
    for told in [
        "error[DD0115]: is a symbolic link, which Drydock does not follow\n--> clusters/shops\n",
        "error[DD0115]: is a submodule\n--> clusters/module\n",
        "3 files: 2 errors, 1 warning\n",
    ] {
        assert!(said.contains(told), "{said}");
    }
    let through = world.run_in(&clone, "validate clusters/shops/till-042.yaml").all();
    assert!(through.contains("--> clusters/shops\n") && through.contains("exit 1"), "{through}");
    fs::rename(clone.join("clusters"), clone.join("cl")).unwrap();
    symlink("cl", clone.join("clusters")).unwrap();
    check_in(
        &world,
        &clone,
        "validate",
        expect![[r#"
        error[DD0115]: is a symbolic link, which Drydock does not follow
        --> clusters
         = help: make it a folder, and put the clusters' files themselves there

        1 file: 1 error
        --- exit 1
    "#]],
    );
    check_in(
        &world,
        &clone,
        "plan",
        expect![[r#"
        compared with main (COMMIT-10-)

        refused hospital-north: stays on 23H2 (25398.1611 or later)  (clusters/hospitals/hospital-north.yaml)
          mind: the new file does not count; the cluster would stay on the last good one

        refused till-042: stays on 23H2  (clusters/shops/till-042.yaml)
          mind: the new file does not count; the cluster would stay on the last good one


        error[DD0115]: is a symbolic link, which Drydock does not follow
        --> clusters
         = help: make it a folder, and put the clusters' files themselves there

        1 file: 1 error
        --- exit 1
    "#]],
    );
}

#[test]
fn validate_says_when_there_is_nothing_to_check() {
    let world = World::bare();
    fs::create_dir(world.path("empty")).unwrap();
    check_in(
        &world,
        &world.path("empty"),
        "validate",
        expect![[r#"
        --- standard error
        drydock: there is no fleet.yaml and no clusters/**.yaml here
          name the folder that holds fleet.yaml and clusters/, or a file of it
        --- exit 2
    "#]],
    );
    check_in(
        &world,
        &world.path("empty"),
        "validate nowhere.yaml",
        expect![[r#"
        --- standard error
        drydock: there is no DIR/empty/nowhere.yaml
          check the spelling; a fleet repository's folder will do as well
        --- exit 2
    "#]],
    );
    check_in(
        &world,
        &world.path(""),
        "validate empty empty",
        expect![[r#"
        --- standard error
        drydock: several folders, or folders and files, cannot be checked at once
          name the folder of one fleet repository, or files of one
        --- exit 2
    "#]],
    );
}

#[test]
fn a_configuration_is_checked_by_its_own_rules() {
    let world = World::bare();
    let good = "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: north\ndesired: {remote: fleet.git}\nstateDirectory: state\nsigningKey: key\n";
    write(&world.path(""), &[("good.yaml", good), ("bad.yaml", &good.replace("signingKey", "signingkey"))]);
    check_in(
        &world,
        &world.path(""),
        "validate good.yaml",
        expect![[r#"
        1 file: all good
        --- exit 0
    "#]],
    );
    let spelled = good.replace("kind: ControllerConfiguration", "\"kind\":   'ControllerConfiguration'  # ours");
    write(&world.path(""), &[("spelled.yaml", &spelled), ("broken.yaml", &format!("{spelled}nodes: ["))]);
    assert_eq!(world.run_in(&world.path(""), "validate spelled.yaml").out, "1 file: all good\n", "the same in YAML");
    let said = world.run_in(&world.path(""), "validate broken.yaml").out;
    assert!(said.contains("error[DD0103]") && !said.contains("DD0403"), "{said}");
    check_in(
        &world,
        &world.path(""),
        "validate bad.yaml",
        expect![[r#"
        error[DD0202]: the file lacks the field `signingKey`
         --> bad.yaml:1:1
          |
        1 | apiVersion: drydock/v1alpha1
          | ^
          |
          = help: signingKey: The SSH private key file (ed25519 is best) that entries are signed with

        error[DD0201]: the file has no field "signingkey"
         --> bad.yaml:6:1
          |
        6 | signingkey: key
          | ^^^^^^^^^^
          |
          = help: did you mean `signingKey`?

        1 file: 2 errors
        --- exit 1
    "#]],
    );
}
