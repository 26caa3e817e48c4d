//! plan.

use crate::harness::{HOSPITAL, World, check_in, write};
use drydock::exit::Exit;
use drydock_spec::wire::sample;
use expect_test::expect;
use serde_json::Value;
use std::fs;
use std::path::Path;

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
pub(crate) fn planned(world: &World, tree: &Path) -> String {
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
fn a_plan_is_compared_with_a_branch_that_is_there() {
    let world = World::with(&sample::converged());
    check_in(
        &world,
        &world.clone(),
        "plan --base nope",
        expect![[r#"
        --- standard error
        drydock: DIR/fleet.git has no branch nope
          check --base; of a fleet that was never pushed, drydock validate checks the files
        --- exit 2
    "#]],
    );
}

#[test]
fn a_link_on_the_branch_is_told_as_one_in_the_tree_is() {
    let world = World::bare();
    let git = git2::Repository::open_bare(world.path("fleet.git")).unwrap();
    let tip = git.find_reference("refs/heads/main").unwrap().peel_to_commit().unwrap();
    let mut edit = git2::build::TreeUpdateBuilder::new();
    edit.upsert("clusters/more", git.blob(b"../more").unwrap(), git2::FileMode::Link);
    let tree = git.find_tree(edit.create_updated(&git, &tip.tree().unwrap()).unwrap()).unwrap();
    git.commit(Some("refs/heads/main"), &tip.author(), &tip.committer(), "a link", &tree, &[&tip]).unwrap();
    let said = planned(&world, &world.clone());
    assert!(said.contains("error[DD0115]: is a symbolic link, which Drydock does not follow"), "{said}");
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
