//! What validate and plan make of a fleet's own file and of files by other names.

use crate::harness::{HOSPITAL, World, check_in, configured, write};
use crate::planning::planned;
use drydock::exit::Exit;
use drydock_spec::wire::sample;
use expect_test::expect;
use std::fs;

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
