//! validate, plan, schema, completions, man, help, probe and init.

use crate::harness::{HOSPITAL, KEY, PUBLIC, World};
use drydock::exit::Exit;

use drydock_spec::wire::sample;
use expect_test::{Expect, expect};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn write(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn check_in(world: &World, directory: &Path, line: &str, expect: Expect) {
    expect.assert_eq(&world.run_in(directory, line).all());
}

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

#[test]
fn a_plan_tells_old_and_new_target_and_what_it_means_for_each_node() {
    let world = World::with(&sample::installing());
    let clone = world.clone();
    check_in(
        &world,
        &clone,
        "plan",
        expect![[r#"
        compared with main (COMMIT-10-)

        no cluster would change

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
    let path = "clusters/hospitals/hospital-north.yaml";
    let newer = HOSPITAL
        .replace("minimumBuild: \"25398.1611\"", "version: 24H2")
        .replace("windowsUpdate: {}", "media:\n      path: D:\\Media\\24H2")
        .replace("duration: 40h", "duration: 30h");
    write(&clone, &[(path, &newer)]);
    check_in(
        &world,
        &clone,
        "plan",
        expect![[r#"
            compared with main (COMMIT-10-)

            changed hospital-north: 23H2 (25398.1611 or later) → 24H2  (clusters/hospitals/hospital-north.yaml)
              source: Windows Update → media in D:\Media\24H2
              windows: weekly on Saturday at 20:00 for 1d16h (Europe/Berlin) → weekly on Saturday at 20:00 for 1d6h (Europe/Berlin)
              N01 runs 25398.1611: the cluster would be held: 25398.1611 is too old for 24H2, which needs later than 25398.1611; install current updates first (Microsoft: Upgrade Azure Stack HCI OS to version 24H2 via PowerShell (2026-05-01))
              N02, N03, N04 run 20349.3692: would be upgraded from 22H2 (Microsoft: Upgrade Azure Stack HCI OS to version 24H2 via PowerShell (2026-05-01))
              mind: N02 is out just now; it is finished or brought back first

            1 other cluster would not change

            warning[DD0312]: builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; ask for 23H2 only as a step on the way
              --> clusters/shops/till-042.yaml:11:3
               |
            11 |   operatingSystem:
               |   ^^^^^^^^^^^^^^^
               |
               = help: go on to 24H2 soon, or ask for 24H2 at once

            2 files: good, 1 warning
            --- exit 1
        "#]],
    );
    let said = world.run_in(&clone, "plan -o json");
    let json: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((json["items"].as_array().map(Vec::len), json["unchanged"].as_u64()), (Some(1), Some(1)));
    assert_eq!(json["items"][0]["opens"], Value::Null, "N01 keeps all of them from beginning");
}

#[test]
fn a_plan_shows_every_change_of_when_and_how() {
    let world = World::with(&sample::converged());
    let clone = world.clone();
    let changed = HOSPITAL
        .replace("    - name: N03", "    - {name: N03, connection: {transport: Lab, port: 7}}")
        .replace("        duration: 40h\n        timeZone: Europe/Berlin\n", "        duration: 1d2h3m\n        timeZone: Europe/Berlin\n    exclusions:\n      - {start: 2026-12-20T00:00:00Z, end: 2027-01-06T00:00:00Z, reason: freeze}\n")
        + "  suspend: {reason: audit, until: 2026-12-01T00:00:00Z}\n  run: {rebootTimeout: 1h2m3s}\n";
    write(&clone, &[("clusters/hospitals/hospital-north.yaml", &changed)]);
    let said = world.run_in(&clone, "plan").out;
    let shown: Vec<&str> = said.lines().skip_while(|l| !l.starts_with("changed")).take_while(|l| !l.is_empty()).collect();
    expect![[r#"
        changed hospital-north: stays on 23H2 (25398.1611 or later)  (clusters/hospitals/hospital-north.yaml)
          windows: weekly on Saturday at 20:00 for 1d16h (Europe/Berlin) → weekly on Saturday at 20:00 for 1d2h3m (Europe/Berlin)
          suspend: none → audit (until 2026-12-01T00:00:00Z)
          rebootTimeout: 1h → 1h2m3s
          connection of N03: as the cluster → Lab, port 7, no credential
          newly excluded: 2026-12-20T00:00:00Z to 2027-01-06T00:00:00Z: freeze
          N01, N02, N03, N04 run 25398.1611: is on the target
          mind: builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; ask for 23H2 only as a step on the way
          mind: suspended: audit (until 2026-12-01T00:00:00Z)"#]].assert_eq(&shown.join("\n"));
    // A suspension that is over is still a line of the file, and no reason to wait.
    write(&clone, &[("clusters/hospitals/hospital-north.yaml", &changed.replace("2026-12-01", "2026-11-01"))]);
    let said = world.run_in(&clone, "plan").out;
    assert!(said.contains("suspend: none → audit (until 2026-11-01T00:00:00Z)") && !said.contains("mind: suspended"), "{said}");
}

/// What the two clusters leave to the fleet, and a freeze.
const FLEET: &str = "apiVersion: drydock/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec:\n  defaults:\n    connection: {transport: Lab}\n    source: {windowsUpdate: {}}\n  exclusions:\n    - {start: 2026-12-20T00:00:00Z, end: 2027-01-06T00:00:00Z, reason: freeze}\n";

#[test]
fn a_fleet_file_that_does_not_count_is_blamed_on_no_cluster() {
    let world = World::with(&sample::converged());
    let short = |text: &str| text.replace("  connection:\n    transport: Lab\n", "").replace("  source:\n    windowsUpdate: {}\n", "");
    let (north, till) = (short(HOSPITAL), short(crate::harness::TILL));
    world.commit(
        "main",
        "defaults",
        &[("fleet.yaml", FLEET), ("clusters/hospitals/hospital-north.yaml", &north), ("clusters/shops/till-042.yaml", &till)],
    );
    let clone = world.clone();
    write(&clone, &[("fleet.yaml", &FLEET.replace("defaults", "defautls"))]);
    let said = world.run_in(&clone, "validate");
    let heads: Vec<&str> = said.out.lines().filter(|l| l.starts_with("error") || l.contains("fleet.yaml does not count")).collect();
    let note = "fleet.yaml does not count, so the clusters' files were checked without it; check again when it is mended";
    assert_eq!(heads, ["error[DD0201]: `spec` has no field \"defautls\"", note], "{said:?}");
    assert_eq!(said.exit, Exit::Found);
    // As for a controller, the one before stays in force: no freeze ends by a typing mistake.
    let said = world.run_in(&clone, "plan");
    assert!(said.out.contains("the new fleet.yaml does not count; clusters are shown as under the one that is there"), "{said:?}");
    assert!(said.out.contains("no cluster would change") && !said.out.contains("no longer excluded"), "{said:?}");
    assert_eq!(said.exit, Exit::Found);
    // Where nothing good is known, nothing is said of it.
    world.commit("main", "oops", &[("fleet.yaml", &FLEET.replace("defaults", "defautls"))]);
    let said = world.run_in(&clone, "plan");
    assert!(said.out.contains("clusters are shown without what it says") && said.out.contains("no cluster would change"), "{said:?}");
    configured(&world);
    let said = world.run_in(&world.path(""), "probe till-042 --config north.yaml");
    assert!(said.exit == Exit::Found && said.err.contains("fleet.yaml does not count"), "{said:?}");
}

#[test]
fn what_mends_a_fleet_file_is_compared_with_nothing_that_only_that_file_says() {
    let world = World::with(&sample::converged());
    let short = |text: &str| text.replace("  connection:\n    transport: Lab\n", "").replace("  source:\n    windowsUpdate: {}\n", "");
    let (north, till) = (short(HOSPITAL), short(crate::harness::TILL));
    let files = [("clusters/hospitals/hospital-north.yaml", north.as_str()), ("clusters/shops/till-042.yaml", &till)];
    for bad in [("fleet.yaml", FLEET.replace("defaults", "defautls")), ("fleet.yml", FLEET.to_owned())] {
        world.commit("main", "oops", &[files[0], files[1], (bad.0, &bad.1)]);
    }
    let clone = world.clone();
    fs::remove_file(clone.join("fleet.yml")).unwrap();
    write(&clone, &[("fleet.yaml", FLEET), ("clusters/shops/till-042.yaml", &format!("{till}  contact: the shops\n"))]);
    expect![[r#"
        compared with main (COMMIT-10-)

        fleet.yaml of main does not count, so what it put in force is not known here; what only fleet.yaml says is not compared

        changed till-042: stays on 23H2  (clusters/shops/till-042.yaml)
          contact: none → the shops
          T1, T2 run unknown builds: not observed yet; it is checked before anything begins
          work could begin at 11-24 01:17Z

        1 other cluster would not change
        fleet.yaml does not count (error[DD0201]: `spec` has no field "defautls"); if it says that status is elsewhere, this is not it
        --- exit 0
    "#]]
    .assert_eq(&planned(&world, &clone));
}

#[test]
fn a_fleet_file_by_another_name_is_told_and_is_no_missing_one() {
    let world = World::with(&sample::converged());
    let short = |text: &str| text.replace("  connection:\n    transport: Lab\n", "").replace("  source:\n    windowsUpdate: {}\n", "");
    let (north, till) = (short(HOSPITAL), short(crate::harness::TILL));
    world.commit(
        "main",
        "defaults",
        &[("fleet.yaml", FLEET), ("clusters/hospitals/hospital-north.yaml", &north), ("clusters/shops/till-042.yaml", &till)],
    );
    let clone = world.clone();
    let heads = |said: &crate::harness::Said| -> Vec<String> {
        let told = |l: &&str| l.starts_with("error") || l.contains("not count") || l.starts_with("refused") || l.contains("would change");
        said.out.lines().filter(told).map(ToOwned::to_owned).collect()
    };
    let mut name = "fleet.yaml";
    for mistaken in ["fleet.yml", "Fleet.yaml", "FLEET.YML"] {
        fs::rename(clone.join(name), clone.join(mistaken)).unwrap();
        name = mistaken;
        let error = "error[DD0403]: is not read: the fleet's own file is fleet.yaml";
        let note = "fleet.yaml does not count, so the clusters' files were checked without it; check again when it is mended";
        for line in ["validate", "validate clusters/shops/till-042.yaml"] {
            let said = world.run_in(&clone, line);
            assert_eq!((said.exit, heads(&said)), (Exit::Found, vec![error.to_owned(), note.to_owned()]), "{line}: {said:?}");
        }
        // A controller keeps the last one, with its freezes.
        let said = world.run_in(&clone, "plan");
        let note = "the new fleet.yaml does not count; clusters are shown as under the one that is there";
        assert_eq!((said.exit, heads(&said)), (Exit::Found, vec![note.to_owned(), "no cluster would change".to_owned(), error.to_owned()]));
    }
    let misnamed = World::bare();
    misnamed.commit("main", "misnamed", &[("fleet.yml", FLEET), ("clusters/shops/till-042.yaml", &till)]);
    configured(&misnamed);
    for line in ["probe till-042 --config north.yaml", "doctor till-042 --config north.yaml"] {
        let said = misnamed.run_in(&misnamed.path(""), line);
        assert!(said.exit == Exit::Found && said.err.contains("fleet.yaml does not count"), "{said:?}");
    }
    check_in(
        &misnamed,
        &misnamed.path("fleet.git"),
        "status",
        expect![[r#"
            --- standard error
            drydock: DIR/fleet.git/ has no status branch drydock/status, and fleet.yaml, which may say that status is elsewhere, does not count: fleet.yml is not read; rename it
              mend fleet.yaml: drydock validate tells all that is wrong; or say where status is, with --repository and --status-branch
            --- exit 1
        "#]],
    );
}

#[test]
fn a_clusters_file_with_another_ending_is_told() {
    let world = World::bare();
    let clone = world.clone();
    for name in ["a.yml", "b.YAML", "c.Yml", "d.yaml.bak"] {
        write(&clone, &[(&format!("clusters/{name}"), "x")]);
    }
    let said = world.run_in(&clone, "validate");
    let told: Vec<&str> = said.out.lines().filter(|l| l.starts_with("--> clusters/")).collect();
    assert_eq!(told, ["--> clusters/a.yml", "--> clusters/b.YAML", "--> clusters/c.Yml"], "{said:?}");
    assert_eq!(said.out.matches("error[DD0403]: is not read: a cluster's file ends in .yaml").count(), 3);
}

#[test]
fn a_file_where_a_folder_should_be_is_a_wrong_command_line() {
    let world = World::bare();
    let clone = world.clone();
    for line in ["plan clusters/shops/till-042.yaml", "plan nowhere", "validate clusters/shops/till-042.yaml/child.yaml"] {
        assert_eq!(world.run_in(&clone, line).exit, Exit::Usage, "{line}");
    }
    // Has no end.
    assert_eq!(world.run_in(&clone, "validate /dev/zero").exit, Exit::Found);
}

#[test]
fn a_plan_shows_new_removed_and_refused_clusters() {
    let world = World::with(&sample::converged());
    let clone = world.clone();
    fs::remove_file(clone.join("clusters/shops/till-042.yaml")).unwrap();
    write(
        &clone,
        &[
            ("clusters/new.yaml", &crate::harness::TILL.replace("till-042", "new").replace("T1", "X1").replace("T2", "X2")),
            ("clusters/hospitals/hospital-north.yaml", &HOSPITAL.replace("23", "32").replace("25398", "12345")),
        ],
    );
    check_in(
        &world,
        &clone,
        "plan",
        expect![[r#"
            compared with main (COMMIT-10-)

            refused hospital-north: stays on 23H2 (25398.1611 or later)  (clusters/hospitals/hospital-north.yaml)
              mind: the new file does not count; the cluster would stay on the last good one

            added new: → 23H2  (clusters/new.yaml)
              X1, X2 run unknown builds: not observed yet; it is checked before anything begins
              work could begin at 11-24 01:17Z
              mind: builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; ask for 23H2 only as a step on the way

            removed till-042: 23H2, no longer cared for  (clusters/shops/till-042.yaml)
              mind: nothing new would begin; a node that is out is brought back


            warning[DD0312]: builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; ask for 23H2 only as a step on the way
              --> clusters/new.yaml:11:3
               |
            11 |   operatingSystem:
               |   ^^^^^^^^^^^^^^^
               |
               = help: go on to 24H2 soon, or ask for 24H2 at once

            error[DD0310]: 12345.1611 is no build of a known release
              --> clusters/hospitals/hospital-north.yaml:14:19
               |
            14 |     minimumBuild: "12345.1611"
               |                   ^^^^^^^^^^^^
               |
               = help: the known families are 20349 (22H2), 25398 (23H2), 26100 (24H2)

            2 files: 1 error, 1 warning
            --- exit 1
        "#]],
    );
}

/// What a plan says, without the places of what is wrong, and without what every file of these fleets is warned of.
fn planned(world: &World, tree: &Path) -> String {
    let said = world.run_in(tree, "plan");
    let head = said.out.split("\nwarning[").next().unwrap_or_default().trim_end();
    let errors: String = said.out.lines().filter(|l| l.starts_with("error")).map(|l| format!("{l}\n")).collect();
    let text = format!("{head}\n{errors}{}--- exit {}\n", said.err, said.exit.number());
    text.lines().filter(|l| !l.contains("mind: builds 25398 (23H2) are out of support")).map(|l| format!("{l}\n")).collect()
}

#[test]
fn a_plan_refuses_what_a_controller_would_refuse_for_what_is_there_already() {
    let world = World::with(&sample::converged());
    let clone = world.clone();
    // In place, a cluster gets another name; and a new file, first in the order of paths, takes another one's machines.
    let renamed = crate::harness::TILL.replace("till-042", "till-043");
    let thief = HOSPITAL.replace("hospital-north", "aaa");
    write(&clone, &[("clusters/shops/till-042.yaml", &renamed), ("clusters/aaa.yaml", &thief)]);
    expect![[r#"
        compared with main (COMMIT-10-)

        refused till-042: stays on 23H2  (clusters/shops/till-042.yaml)
          mind: the new file does not count; the cluster would stay on the last good one

        1 other cluster would not change
        error[DD0402]: the machine n01 (N01) belongs to the cluster hospital-north already, in clusters/hospitals/hospital-north.yaml:7
        error[DD0402]: the machine n02 (N02) belongs to the cluster hospital-north already, in clusters/hospitals/hospital-north.yaml:8
        error[DD0402]: the machine n03 (N03) belongs to the cluster hospital-north already, in clusters/hospitals/hospital-north.yaml:9
        error[DD0402]: the machine n04 (N04) belongs to the cluster hospital-north already, in clusters/hospitals/hospital-north.yaml:10
        error[DD0401]: this file describes the cluster till-042, and would describe till-043 now
        --- exit 1
    "#]]
    .assert_eq(&planned(&world, &clone));
    let thief = crate::harness::TILL.replace("till-042", "hospital-north").replace("T1", "X1").replace("T2", "X2");
    write(&clone, &[("clusters/shops/till-042.yaml", crate::harness::TILL), ("clusters/aaa.yaml", &thief)]);
    expect![[r#"
        compared with main (COMMIT-10-)

        no cluster would change
        error[DD0401]: the cluster hospital-north is described in clusters/hospitals/hospital-north.yaml:4 already
        --- exit 1
    "#]]
    .assert_eq(&planned(&world, &clone));
}

#[test]
fn a_plan_goes_by_what_was_accepted_and_not_by_what_was_merged() {
    let world = World::with(&sample::converged());
    let clone = world.clone();
    let path = "clusters/hospitals/hospital-north.yaml";
    let renamed = HOSPITAL.replace("name: hospital-north", "name: hospital-south");
    world.commit("main", "a new name", &[(path, &renamed)]);
    // As merged: a controller refuses it still.
    write(&clone, &[(path, &renamed)]);
    let said = world.run_in(&clone, "plan");
    assert!(said.exit == Exit::Found && said.out.contains("this file describes the cluster hospital-north, and would"), "{said:?}");
    // As it was: that mends it.
    write(&clone, &[(path, HOSPITAL)]);
    expect![[r#"
        compared with main (COMMIT-10-)

        changed hospital-north: stays on 23H2 (25398.1611 or later)  (clusters/hospitals/hospital-north.yaml)
          windows: always open → weekly on Saturday at 20:00 for 1d16h (Europe/Berlin)
          transport: WinRM → Lab
          credential: north → none
          addresses: n01.north.example → n01, n02, n03, n04
          N01, N02, N03, N04 run 25398.1611: is on the target

        1 other cluster would not change
        --- exit 0
    "#]]
    .assert_eq(&planned(&world, &clone));
}

#[test]
fn a_plan_says_when_work_could_begin_only_where_it_could() {
    let world = World::with(&sample::installing());
    let clone = world.clone();
    let opens = |changed: &str| -> Vec<String> {
        write(&clone, &[("clusters/hospitals/hospital-north.yaml", changed)]);
        let said = world.run_in(&clone, "plan").out;
        let json: Value = serde_json::from_str(&world.run_in(&clone, "plan -o json").out).unwrap();
        let told = said.lines().filter(|l| l.contains("work could") || l.contains("no window")).map(|l| l.trim().to_owned());
        told.chain(json["items"][0]["opens"].as_str().map(ToOwned::to_owned)).collect()
    };
    let contact = HOSPITAL.replace("Storage on call", "Nobody");
    assert_eq!(opens(&contact), ["work could begin at 11-28 19:00Z", "2026-11-28T19:00:00Z"]);
    let until = format!("{HOSPITAL}  suspend: {{reason: audit, until: 2026-12-01T00:00:00Z}}\n");
    assert_eq!(opens(&until), ["work could begin at 12-05 19:00Z", "2026-12-05T19:00:00Z"], "not before the suspension ends");
    assert_eq!(opens(&format!("{HOSPITAL}  suspend: {{reason: incident 7}}\n")), [""; 0]);
    let held =
        HOSPITAL.replace("minimumBuild: \"25398.1611\"", "version: 24H2").replace("windowsUpdate: {}", "media:\n      path: D:\\Media");
    assert_eq!(opens(&held), [""; 0], "N01 keeps all of them");
    let done = World::with(&sample::converged());
    let clone = done.clone();
    write(&clone, &[("clusters/hospitals/hospital-north.yaml", &contact)]);
    assert!(!done.run_in(&clone, "plan").out.contains("work could begin"), "there is none");
}

#[test]
fn facts_for_a_newer_reader_end_no_plan_and_name_their_cluster() {
    let world = World::with(&sample::installing());
    world.commit("drydock/status", "newer", &[("clusters/hospitals/hospital-north/facts.yaml", "schema: 9\nleast: 9\n")]);
    let clone = world.clone();
    let (north, till) = (HOSPITAL.replace("Storage", "Nobody"), format!("{}  contact: the shops\n", crate::harness::TILL));
    write(&clone, &[("clusters/hospitals/hospital-north.yaml", &north), ("clusters/shops/till-042.yaml", &till)]);
    expect![[r#"
        compared with main (COMMIT-10-)

        changed hospital-north: stays on 23H2 (25398.1611 or later)  (clusters/hospitals/hospital-north.yaml)
          contact: Storage on call, +49 30 1234 → Nobody on call, +49 30 1234
          N01, N02, N03, N04 run unknown builds: it may have been observed; it is checked before anything begins
          work could begin at 11-28 19:00Z
          mind: its facts cannot be read: facts.yaml needs schema 9, and this drydock reads up to 1; upgrade it; install a newer drydock

        changed till-042: stays on 23H2  (clusters/shops/till-042.yaml)
          contact: none → the shops
          T1, T2 run unknown builds: not observed yet; it is checked before anything begins
          work could begin at 11-24 01:17Z
        --- exit 8
    "#]]
    .assert_eq(&planned(&world, &clone));
}

#[test]
fn a_plan_needs_a_working_tree_with_a_fleet() {
    let world = World::bare();
    check_in(
        &world,
        &world.path("fleet.git"),
        "plan",
        expect![[r#"
        --- standard error
        drydock: there is no working tree here
          name its folder: drydock plan FOLDER; or run this inside a clone
        --- exit 2
    "#]],
    );
    fs::create_dir(world.path("empty")).unwrap();
    check_in(
        &world,
        &world.path("fleet.git"),
        "plan ../empty",
        expect![[r#"
        --- standard error
        drydock: DIR/fleet.git/../empty has no fleet.yaml and no clusters/**.yaml
          name the folder of a fleet repository's working tree
        --- exit 2
    "#]],
    );
}

#[test]
fn schemas_are_listed_and_printed() {
    let world = World::bare();
    check_in(
        &world,
        &world.path(""),
        "schema",
        expect![[r#"
        cluster
        fleet
        problems
        cluster-facts
        cluster-status
        answer-doctor
        answer-history
        answer-plan
        answer-status
        answer-validate
        controller
        controller-config
        --- exit 0
    "#]],
    );
    let schema: serde_json::Value = serde_json::from_str(&world.run("schema answer-status").out).unwrap();
    assert_eq!(schema["title"], "StatusAnswer");
    check_in(
        &world,
        &world.path(""),
        "schema nonsense",
        expect![[r#"
        --- standard error
        drydock: there is no schema "nonsense"
          schemas are: cluster, fleet, problems, cluster-facts, cluster-status, answer-doctor, answer-history, answer-plan, answer-status, answer-validate, controller, controller-config
        --- exit 2
    "#]],
    );
}

#[test]
fn completions_and_the_manual_know_every_command() {
    let world = World::bare();
    let script = world.run("completions bash").out;
    let man = world.run("man").out;
    for command in [
        "run",
        "init",
        "validate",
        "plan",
        "status",
        "why",
        "history",
        "probe",
        "doctor",
        "credential",
        "accept",
        "node",
        "clock",
        "schema",
    ] {
        assert!(script.contains(&format!("drydock__subcmd__{command}")) || script.contains(&format!("drydock__{command}")), "{command}");
        assert!(man.contains(&format!("DRYDOCK {}", command.to_uppercase())), "{command}");
    }
    assert!(man.contains("another controller holds the status branch"), "exit codes");
    check_in(
        &world,
        &world.path(""),
        "completions nonsense",
        expect![[r#"
        --- standard error
        error: invalid value 'nonsense' for '<SHELL>'
          [possible values: bash, elvish, fish, powershell, zsh]

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}

#[test]
fn help_names_every_command_and_exit_code() {
    let world = World::bare();
    check_in(
        &world,
        &world.path(""),
        "--help",
        expect![[r#"
            Operating system upgrades of Windows failover clusters by pull request

            Usage: drydock <COMMAND>

            Commands:
              demo         See it work: a fleet repository, simulated clusters, a controller, and two pull
                           requests, in a minute
              run          Run a controller: watch the fleet repository and upgrade its clusters
              init         Make the status branch, once per fleet
              validate     Check files of a fleet repository
              plan         Show what merging the working tree would do to each cluster
              status       Show how clusters stand
              why          Say in plain words what a cluster waits for, and what to do
              history      Show what was done to a cluster
              probe        Look at a cluster's nodes once; orders nothing
              doctor       Walk to every node of a cluster, from its name to its facts, and say where it stops
                           and what to do
              credential   Speak about a credential for nodes
              accept       Let in a rewritten revision, or a foreign commit of the status branch
              node         Speak about one node
              clock        Speak about the time
              schema       Print a JSON Schema
              completions  Print completions for a shell
              man          Print the manual page

            Options:
              -h, --help     Print help
              -V, --version  Print version

            Exit codes:
              0  fine
              1  done, and something was found: an invalid file, a cluster that needs a person
              2  the command line is wrong, or names something that is not there
              3  the configuration, or a key that it names, cannot be used
              4  a repository or a node does not answer; trying again may help
              5  a remote or a node refused; trying again does not help
              6  this machine: disk, permissions, the state folder
              7  another controller holds the status branch; a supervisor must not restart this one
              8  the repository was written by a newer Drydock; upgrade this one
              9  a fault in Drydock itself; please report it
            --- exit 0
        "#]],
    );
    check_in(
        &world,
        &world.path(""),
        "status --help",
        expect![[r#"
            Show how clusters stand

            Usage: drydock status [OPTIONS] [CLUSTER]...

            Arguments:
              [CLUSTER]...
                      Only these clusters

            Options:
              -w, --watch
                      Show it again whenever it changes

              -o, --output <OUTPUT>
                      How to answer

                      Possible values:
                      - table: One line per cluster
                      - wide:  And one line per node
                      - json:  For tools; see `drydock schema`
                      - yaml:  As the status files have it

                      [default: table]

              -h, --help
                      Print help (see a summary with '-h')

            Repository:
                  --repository <REPOSITORY>
                      The fleet repository: a path or a URL. The `origin` of the clone around the current
                      directory when left out

                  --base <BRANCH>
                      The fleet's branch: the one that people merge to, and that controllers watch

                      [default: main]

                  --status-branch <BRANCH>
                      The status branch. What fleet.yaml says, or drydock/status, when left out

                  --ssh-key <FILE>
                      The SSH private key for ssh:// remotes. The agent's when left out

                  --token-file <FILE>
                      A file whose first line is the token for https:// remotes

                  --ca-file <FILE>
                      Certificates (PEM) trusted beside the system's
            --- exit 0
        "#]],
    );
    check_in(
        &world,
        &world.path(""),
        "statsu",
        expect![[r#"
        --- standard error
        error: unrecognized subcommand 'statsu'

          tip: a similar subcommand exists: 'status'

        Usage: drydock <COMMAND>

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}

fn configured(world: &World) {
    let config = format!(
        "apiVersion: drydock/v1alpha1\nkind: ControllerConfiguration\nname: north\ndesired: {{remote: fleet.git}}\nstateDirectory: state\nsigningKey: key\n\
         allowedSigners: {{persons: ['{PUBLIC}']}}\nlab: {{socket: no.sock}}\n"
    );
    write(&world.path(""), &[("north.yaml", &config), ("key", KEY)]);
}

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
fn a_probe_without_its_lab_knows_nothing_and_says_why() {
    let world = World::bare();
    configured(&world);
    check_in(
        &world,
        &world.path(""),
        "probe till-042 --config north.yaml",
        expect![[r#"
        NODE  BUILD                  UP                     SERVICE                FENCE                  MARKER                 WORKER                 SETUP                  FREE
        T1    unknown (unreachable)  unknown (unreachable)  unknown (unreachable)  unknown (unreachable)  unknown (unreachable)  unknown (unreachable)  unknown (unreachable)  unknown (unreachable)
        T2    unknown (unreachable)  unknown (unreachable)  unknown (unreachable)  unknown (unreachable)  unknown (unreachable)  unknown (unreachable)  unknown (unreachable)  unknown (unreachable)
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
