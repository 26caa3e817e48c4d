//! Fleet files, and what only several files together show.

use crate::support::{CLUSTER, FLEET, PATH, cluster_with, fleet, fleet_refused};
use drydock_spec::{ClusterSpec, Fleet, Look, check_fleet, parse_cluster, render};
use expect_test::expect;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8vWqGzrAYpJ0r2X4K7Vw1b0j8VwQ0cQyq3x2mH5k9d";

#[test]
fn who_may_write_status_is_not_said_by_what_people_merge() {
    let list = format!("  controllers:\n    - name: one\n      publicKey: {KEY} one@host\n");
    expect![[r#"
        error[DD0201]: `spec` has no field "controllers"
         --> fleet.yaml:9:3
          |
        9 |   controllers:
          |   ^^^^^^^^^^^
          |
          = help: whose entries count is said by `allowedSigners.controllers` in each controller's own configuration
    "#]]
    .assert_eq(&fleet_refused(&format!("{FLEET}{list}")));
}

#[test]
fn the_status_home_is_a_remote_without_a_secret() {
    let check = |lines: &str| fleet_refused(&format!("{FLEET}  status:\n{lines}"));
    expect![[r#"
        error[DD0207]: `remote` holds a user and a secret
          --> fleet.yaml:10:13
           |
        10 |     remote: https://*********************************
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: name the credential in the controller's own configuration; if this has been pushed, change it: git forgets nothing
    "#]]
    .assert_eq(&check("    remote: https://bot:s3cret@git.example/status.git\n"));
    expect![[r#"
        error[DD0321]: `remote` is not a git remote
          --> fleet.yaml:10:13
           |
        10 |     remote: ext::sh -c id
           |             ^^^^^^^^^^^^^
           |
           = help: write https://host/path.git, ssh://git@host/path.git, file:///path or /path

        error[DD0321]: `branch` is not a branch's name
          --> fleet.yaml:11:13
           |
        11 |     branch: ../main
           |             ^^^^^^^
           |
           = help: use letters, digits and - _ . /, as in drydock/status
    "#]]
    .assert_eq(&check("    remote: ext::sh -c id\n    branch: ../main\n"));
}

#[test]
fn a_fleets_defaults_do_not_say_what_a_cluster_runs() {
    expect![[r#"
        error[DD0201]: `spec.defaults` has no field "operatingSystem"
         --> fleet.yaml:7:5
          |
        7 |     operatingSystem: {version: 24H2}
          |     ^^^^^^^^^^^^^^^
          |
          = help: its fields are `connection`, `contact`, `maintenance`, `method`, `run`, `source`, `workload`
    "#]]
    .assert_eq(&fleet_refused(&FLEET.replace("defaults:\n", "defaults:\n    operatingSystem: {version: 24H2}\n")));
}

#[test]
fn a_cluster_file_in_the_fleets_place_is_refused() {
    expect![[r#"
        error[DD0206]: `kind` must be Fleet in this file
         --> fleet.yaml:2:7
          |
        2 | kind: Cluster
          |       ^^^^^^^
          |
          = help: a cluster's file lies in clusters/
    "#]]
    .assert_eq(&fleet_refused(CLUSTER));
}

#[test]
fn a_default_that_does_not_fit_a_cluster_is_told_in_the_clusters_file() {
    let fleet = fleet(&FLEET.replace("defaults:\n", "defaults:\n    source: {windowsUpdate: {}}\n"));
    let text = cluster_with("  source:\n    media:\n      path: D:\\Media\\24H2\n", "");
    let problems = parse_cluster(PATH, text.as_bytes(), &fleet).unwrap_err();
    expect![[r#"
        error[DD0311]: no documented upgrade to 24H2 takes its bits from Windows Update, which is the fleet's default
          --> clusters/a.yaml:11:3
           |
        11 |   operatingSystem:
           |   ^^^^^^^^^^^^^^^
           |
           = help: it takes the latest Azure Local media (2505 or later) from the Azure portal: write `source: {media: {path: 'D:\Media\24H2'}}` (Microsoft: Upgrade Azure Stack HCI OS to version 24H2 via PowerShell (2026-05-01))
    "#]].assert_eq(&render(&problems, &text, Look::Plain));
}

#[test]
fn files_elsewhere_or_under_other_names_are_refused() {
    for path in [
        "a.yaml",
        "clusters/a.yml",
        "clusters/.hidden.yaml",
        "clusters/a b.yaml",
        "clusters//a.yaml",
        "clusters/../a.yaml",
        "clusters/ä.yaml",
    ] {
        let problems = parse_cluster(path, CLUSTER.as_bytes(), &Fleet::default()).unwrap_err();
        assert_eq!(problems.iter().map(|p| p.code.to_string()).collect::<Vec<_>>(), ["DD0403"], "{path}");
    }
}

fn spec(path: &str, text: &str) -> ClusterSpec {
    parse_cluster(path, text.as_bytes(), &Fleet::default()).expect("the file counts")
}

fn lines(specs: &[ClusterSpec]) -> String {
    check_fleet(specs).iter().map(|p| format!("{p}\n")).collect()
}

#[test]
fn one_name_for_two_clusters_is_told_of_the_second() {
    let other = CLUSTER.replace("N01", "M01").replace("N02", "M02");
    let specs = [spec("clusters/z.yaml", &other), spec("clusters/a.yaml", CLUSTER)];
    expect![[r#"
        clusters/a.yaml:4:9: error DD0401: the cluster alpha is described in clusters/z.yaml:4 already; rename one of them, or delete one file
    "#]].assert_eq(&lines(&specs));
}

#[test]
fn one_machine_in_two_clusters_is_told_of_the_second() {
    let specs = [
        spec("clusters/a.yaml", CLUSTER),
        spec("clusters/b.yaml", &CLUSTER.replace("name: alpha", "name: beta").replace("N01", "n02").replace("name: N02", "name: M02")),
    ];
    expect![[r#"
        clusters/b.yaml:7:13: error DD0402: the machine n02 (N02) belongs to the cluster alpha already, in clusters/a.yaml:8; list it once; if two machines have one short name, give both an `address`
    "#]].assert_eq(&lines(&specs));
}

#[test]
fn equal_names_with_addresses_of_their_own_are_two_machines() {
    let at = |site: &str| {
        let text = CLUSTER.replace("N01", &format!("N01\n      address: n01.{site}.example"));
        text.replace("name: N02", &format!("name: N02\n      address: n02.{site}.example"))
    };
    let specs = [spec("clusters/a.yaml", &at("north")), spec("clusters/b.yaml", &at("south").replace("name: alpha", "name: beta"))];
    assert_eq!(check_fleet(&specs), []);
}

#[test]
fn paths_that_windows_does_not_tell_apart_are_told() {
    let other = CLUSTER.replace("N01", "M01").replace("N02", "M02").replace("name: alpha", "name: beta");
    let specs = [spec("clusters/a.yaml", &other), spec("clusters/A.yaml", CLUSTER)];
    expect![[r#"
        clusters/A.yaml: error DD0403: clusters/a.yaml differs from this path in upper and lower case only, which Windows does not tell apart; rename one of them
    "#]].assert_eq(&lines(&specs));
}
