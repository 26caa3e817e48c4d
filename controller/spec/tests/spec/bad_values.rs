//! Files that are read, and then refused (or warned of) for what they say.

use crate::support::{CLUSTER, cluster_and, cluster_with, refused, warned};
use expect_test::expect;

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let text = cluster_with("name: alpha", "name: Alpha")
        .replace("- name: N02", "- name: n01\n      adress: 10.0.0.1")
        .replace("version: 24H2", "version: 24H3")
        .replace("transport: Lab", "transport: winrm");
    expect![[r#"
        error[DD0301]: the cluster's name contains 'A' (U+0041); only letters a-z, digits and '-' are allowed
         --> clusters/a.yaml:4:9
          |
        4 |   name: Alpha
          |         ^^^^^
          |
          = help: write it in lower case

        error[DD0302]: the node N01 is listed twice (Windows does not tell upper and lower case apart)
         --> clusters/a.yaml:8:13
          |
        7 |     - name: N01
          |             --- first listed here
        8 |     - name: n01
          |             ^^^
          |
          = help: list every node once

        error[DD0201]: `spec.nodes[1]` has no field "adress"
         --> clusters/a.yaml:9:7
          |
        9 |       adress: 10.0.0.1
          |       ^^^^^^
          |
          = help: did you mean `address`?

        error[DD0204]: `spec.connection.transport` must be one of `WinRM`, `SSH`, `Lab`
          --> clusters/a.yaml:11:16
           |
        11 |     transport: winrm
           |                ^^^^^
           |
           = help: did you mean `WinRM`?

        error[DD0204]: `spec.operatingSystem.version` must be one of `22H2`, `23H2`, `24H2`
          --> clusters/a.yaml:13:14
           |
        13 |     version: 24H3
           |              ^^^^
           |
           = help: write one of `22H2`, `23H2`, `24H2`

        error[DD0201]: `spec` has no field "maintenence"
          --> clusters/a.yaml:17:3
           |
        17 |   maintenence: {}
           |   ^^^^^^^^^^^
           |
           = help: did you mean `maintenance`?

        error[DD0202]: `spec.suspend` lacks the field `reason`
          --> clusters/a.yaml:18:3
           |
        18 |   suspend: {until: tomorrow}
           |   ^^^^^^^
           |
           = help: reason: Why; shown while it holds

        error[DD0317]: `until` is not an instant
          --> clusters/a.yaml:18:20
           |
        18 |   suspend: {until: tomorrow}
           |                    ^^^^^^^^
           |
           = help: write date, time and offset: 2026-12-20T00:00:00+01:00, or Z for UTC
    "#]]
    .assert_eq(&refused(&format!("{text}  maintenence: {{}}\n  suspend: {{until: tomorrow}}\n")));
}

#[test]
fn unknown_fields_are_told_with_what_was_meant() {
    expect![[r#"
        error[DD0201]: `spec.run` has no field "maxRetrysPerNode"
          --> clusters/a.yaml:17:5
           |
        17 |     maxRetrysPerNode: 2
           |     ^^^^^^^^^^^^^^^^
           |
           = help: did you mean `maxRetriesPerNode`?
    "#]]
    .assert_eq(&refused(&cluster_and("  run:\n    maxRetrysPerNode: 2\n")));
}

#[test]
fn missing_fields_are_told() {
    expect![[r#"
        error[DD0202]: `metadata` lacks the field `name`
         --> clusters/a.yaml:3:1
          |
        3 | metadata: {}
          | ^^^^^^^^
          |
          = help: name: Lower-case letters, digits and `-`; at most 63 characters; unique in the fleet

        error[DD0202]: `spec` lacks the field `nodes`
         --> clusters/a.yaml:4:1
          |
        4 | spec: {}
          | ^^^^
          |
          = help: nodes: Every node of the cluster

        error[DD0202]: `spec` lacks the field `operatingSystem`
         --> clusters/a.yaml:4:1
          |
        4 | spec: {}
          | ^^^^
          |
          = help: operatingSystem: What every node shall run: a release, or a build of it and later ones

        error[DD0202]: neither `spec` nor the fleet's defaults have a `source`
         --> clusters/a.yaml:4:1
          |
        4 | spec: {}
          | ^^^^
          |
          = help: write `source: {windowsUpdate: {}}` or `source: {media: {path: 'D:\Media\24H2'}}`

        error[DD0202]: WinRM needs a credential, and neither `connection` nor the fleet's defaults name one
         --> clusters/a.yaml:4:1
          |
        4 | spec: {}
          | ^^^^
          |
          = help: write `connection: {credential: NAME}`, NAME as in the controller's configuration
    "#]]
    .assert_eq(&refused("apiVersion: drydock/v1alpha1\nkind: Cluster\nmetadata: {}\nspec: {}\n"));
}

#[test]
fn an_empty_field_is_not_taken_for_a_missing_one() {
    expect![[r#"
        error[DD0203]: `spec.maintenance.windows` is empty
          --> clusters/a.yaml:17:5
           |
        17 |     windows:
           |     ^^^^^^^
           |
           = help: give it a value, or delete the line
    "#]]
    .assert_eq(&refused(&cluster_and("  maintenance:\n    windows:\n")));
    expect![[r#"
        error[DD0308]: `windows` is an empty list: the cluster could never be worked on
          --> clusters/a.yaml:17:5
           |
        17 |     windows: []
           |     ^^^^^^^
           |
           = help: leave the field out if the cluster may be worked on at any time
    "#]]
    .assert_eq(&refused(&cluster_and("  maintenance:\n    windows: []\n")));
}

#[test]
fn empty_lists_are_told() {
    let said = refused(&cluster_and("  maintenance:\n    exclusions: []\n  run: {nodeOrder: []}\n"));
    expect![[r#"
        error[DD0203]: `spec.maintenance.exclusions` is an empty list
          --> clusters/a.yaml:17:5
           |
        17 |     exclusions: []
           |     ^^^^^^^^^^
           |
           = help: list something, or delete the line

        error[DD0203]: `spec.run.nodeOrder` is an empty list
          --> clusters/a.yaml:18:9
           |
        18 |   run: {nodeOrder: []}
           |         ^^^^^^^^^
           |
           = help: list something, or delete the line
    "#]]
    .assert_eq(&said);
}

#[test]
fn another_version_is_no_slip_of_a_known_one() {
    let said = |version: &str| refused(&cluster_with("version: 24H2", &format!("version: {version}")));
    assert!(said("25H2").contains("= help: write one of `22H2`, `23H2`, `24H2`"), "{}", said("25H2"));
    assert!(said("24h2").contains("= help: did you mean `24H2`?"), "{}", said("24h2"));
}

#[test]
fn a_build_without_quotes_is_told_why_it_needs_them() {
    expect![[r#"
        error[DD0203]: `spec.operatingSystem.minimumBuild` must be a text, not a number
          --> clusters/a.yaml:12:19
           |
        12 |     minimumBuild: 26100.1610
           |                   ^^^^^^^^^^
           |
           = help: put it in quotes, "26100.1610": as a number 25398.1610 and 25398.161 would be the same
    "#]]
    .assert_eq(&refused(&cluster_with("version: 24H2", "minimumBuild: 26100.1610")));
}

#[test]
fn builds_of_no_known_release_are_refused() {
    expect![[r#"
        error[DD0310]: 17763.1 is no build of a known release
          --> clusters/a.yaml:12:19
           |
        12 |     minimumBuild: "17763.1"
           |                   ^^^^^^^^^
           |
           = help: the known families are 20349 (22H2), 25398 (23H2), 26100 (24H2)
    "#]]
    .assert_eq(&refused(&cluster_with("version: 24H2", "minimumBuild: \"17763.1\"")));
    expect![[r#"
        error[DD0310]: `minimumBuild` is not a build; write family and revision, as in 25398.1611
          --> clusters/a.yaml:12:19
           |
        12 |     minimumBuild: latest
           |                   ^^^^^^
    "#]]
    .assert_eq(&refused(&cluster_with("version: 24H2", "minimumBuild: latest")));
}

#[test]
fn a_version_and_a_build_together_are_refused() {
    expect![[r#"
        error[DD0208]: `spec.operatingSystem` must have exactly one of `minimumBuild` or `version`
          --> clusters/a.yaml:11:3
           |
        11 |   operatingSystem:
           |   ^^^^^^^^^^^^^^^
           |
           = help: delete one of them
    "#]]
    .assert_eq(&refused(&cluster_with("version: 24H2", "version: 24H2\n    minimumBuild: \"26100.1\"")));
}

#[test]
fn another_version_of_the_fields_or_another_kind_is_refused() {
    expect![[r#"
        error[DD0205]: `apiVersion` must be drydock/v1alpha1
         --> clusters/a.yaml:1:13
          |
        1 | apiVersion: drydock/v1beta1
          |             ^^^^^^^^^^^^^^^
          |
          = help: write `apiVersion: drydock/v1alpha1`
    "#]]
    .assert_eq(&refused(&cluster_with("v1alpha1", "v1beta1")));
    expect![[r#"
        error[DD0206]: `kind` must be Cluster in this file
         --> clusters/a.yaml:2:7
          |
        2 | kind: Rollout
          |       ^^^^^^^
          |
          = help: rollouts come with a later version of Drydock
    "#]]
    .assert_eq(&refused(&cluster_with("kind: Cluster", "kind: Rollout")));
}

#[test]
fn a_password_is_refused_and_not_shown() {
    let said = refused(&cluster_with("transport: Lab", "transport: WinRM\n    username: admin\n    password: hunter2"));
    assert!(!said.contains("hunter2"), "{said}");
    expect![[r#"
        error[DD0202]: WinRM needs a credential, and neither `connection` nor the fleet's defaults name one
         --> clusters/a.yaml:9:3
          |
        9 |   connection:
          |   ^^^^^^^^^^
          |
          = help: write `connection: {credential: NAME}`, NAME as in the controller's configuration

        error[DD0207]: `spec.connection` may not have the field "username": it looks like a secret
          --> clusters/a.yaml:11:5
           |
        11 |     username:******
           |     ^^^^^^^^
           |
           = help: secrets stay in the controller's own configuration; name one with `credential`. If it has been pushed, change it: git forgets nothing

        error[DD0207]: `spec.connection` may not have the field "password": it looks like a secret
          --> clusters/a.yaml:12:5
           |
        12 |     password:********
           |     ^^^^^^^^
           |
           = help: secrets stay in the controller's own configuration; name one with `credential`. If it has been pushed, change it: git forgets nothing
    "#]].assert_eq(&said);
}

#[test]
fn names_with_quotes_semicolons_newlines_and_dots_are_refused() {
    for name in [
        "'N01\"'",
        "\"N01'\"",
        "'N01; Restart-Computer'",
        "\"N01\\nN02\"",
        "'../N01'",
        "'N 01'",
        "'$(x)'",
        "n01.example",
        "'N01-'",
        "ABCDEFGHIJKLMNOP",
    ] {
        let said = refused(&cluster_with("- name: N01", &format!("- name: {name}")));
        assert!(said.starts_with("error[DD0301]: the node's name "), "{name}: {said}");
    }
    expect![[r#"
        error[DD0301]: the node's name contains ';' (U+003B); only letters a-z, digits and '-' are allowed
         --> clusters/a.yaml:7:13
          |
        7 |     - name: 'N01; reboot'
          |             ^^^^^^^^^^^^^
          |
          = help: delete the character, or write `-` for it
    "#]]
    .assert_eq(&refused(&cluster_with("- name: N01", "- name: 'N01; reboot'")));
}

#[test]
fn letters_that_only_look_alike_are_told_by_their_code() {
    expect![[r#"
        error[DD0301]: the cluster's name contains 'а' (U+0430); only letters a-z, digits and '-' are allowed
         --> clusters/a.yaml:4:9
          |
        4 |   name: аlpha
          |         ^^^^^
          |
          = help: U+0430 only looks like `a`: type it anew
    "#]]
    .assert_eq(&refused(&cluster_with("name: alpha", "name: \u{430}lpha")));
    expect![[r#"
        error[DD0301]: the node's name contains '–' (U+2013); only letters a-z, digits and '-' are allowed
         --> clusters/a.yaml:7:13
          |
        7 |     - name: N–1
          |             ^^^
          |
          = help: U+2013 only looks like `-`: type it anew
    "#]]
    .assert_eq(&refused(&cluster_with("- name: N01", "- name: N\u{2013}1")));
}

#[test]
fn a_node_listed_twice_is_refused_whatever_its_case() {
    expect![[r#"
        error[DD0302]: the node N01 is listed twice (Windows does not tell upper and lower case apart)
         --> clusters/a.yaml:8:13
          |
        7 |     - name: N01
          |             --- first listed here
        8 |     - name: n01
          |             ^^^
          |
          = help: list every node once
    "#]]
    .assert_eq(&refused(&cluster_with("- name: N02", "- name: n01")));
    expect![[r#"
        error[DD0302]: the nodes N01 and N02 have the same address
         --> clusters/a.yaml:9:13
          |
        7 |     - name: N01
          |             --- first listed here
        8 |       address: 10.0.0.1
        9 |     - name: N02
          |             ^^^
          |
          = help: list every node once
    "#]]
    .assert_eq(&refused(&cluster_with(
        "- name: N01\n    - name: N02",
        "- name: N01\n      address: 10.0.0.1\n    - name: N02\n      address: 10.0.0.1",
    )));
}

#[test]
fn one_node_cannot_be_upgraded_rolling() {
    expect![[r#"
        error[DD0323]: a rolling upgrade needs at least two nodes: the only node cannot leave and the cluster stay (law S4)
         --> clusters/a.yaml:6:3
          |
        6 |   nodes:
          |   ^^^^^
          |
          = help: list every node; clusters of one node come with the method Offline, in a later version
    "#]]
    .assert_eq(&refused(&cluster_with("    - name: N02\n", "")));
}

#[test]
fn addresses_are_host_names_or_ip_addresses() {
    for address in ["10.0.0.11:5985", "10.0.0", "n01/..", "\"n01'\"", "-n01", "n01..example", "https://n01"] {
        let said = refused(&cluster_with("- name: N01", &format!("- name: N01\n      address: {address}")));
        assert!(said.starts_with("error[DD0318]"), "{address}: {said}");
    }
    expect![[r#"
        error[DD0318]: `address` is neither a host name nor an IP address
         --> clusters/a.yaml:8:16
          |
        8 |       address: 10.0.0.11:5985
          |                ^^^^^^^^^^^^^^
          |
          = help: write no port here: it belongs into `connection.port`
    "#]]
    .assert_eq(&refused(&cluster_with("- name: N01", "- name: N01\n      address: 10.0.0.11:5985")));
}

#[test]
fn media_paths_are_local_folders_without_surprises() {
    for path in [
        r"\\server\share",
        "D:",
        r"D:\",
        r"Media\24H2",
        r"D:\Media\..\Windows",
        r"D:\Media\*",
        "D:\\Media\\'x'",
        r"D:\a;b",
        r"D:\$env",
        r"D:\x\NUL",
        r"D:\x.\y",
        "D:/Media",
        r"1:\x",
        "D:\\Mediа",
    ] {
        let quoted = format!("\"{}\"", path.replace('\\', "\\\\"));
        let said = refused(&cluster_with("D:\\Media\\24H2", &quoted));
        assert!(said.starts_with("error[DD0315]"), "{path}: {said}");
    }
    expect![[r#"
        error[DD0315]: `path` is a share
          --> clusters/a.yaml:15:13
           |
        15 |       path: \\server\share\24H2
           |             ^^^^^^^^^^^^^^^^^^^
           |
           = help: copy the extracted media to the same local folder on every node: D:\Media\24H2
    "#]]
    .assert_eq(&refused(&cluster_with("D:\\Media\\24H2", r"\\server\share\24H2")));
    expect![[r#"
        error[DD0315]: `path` holds a step to another folder
          --> clusters/a.yaml:15:13
           |
        15 |       path: D:\Media\..\Windows
           |             ^^^^^^^^^^^^^^^^^^^
           |
           = help: write the path without `.` and `..`
    "#]]
    .assert_eq(&refused(&cluster_with("D:\\Media\\24H2", r"D:\Media\..\Windows")));
}

#[test]
fn a_source_that_does_not_have_the_target_is_refused() {
    expect![[r#"
        error[DD0311]: no documented upgrade to 24H2 takes its bits from Windows Update
          --> clusters/a.yaml:13:3
           |
        13 |   source:
           |   ^^^^^^
           |
           = help: it takes the latest Azure Local media (2505 or later) from the Azure portal: write `source: {media: {path: 'D:\Media\24H2'}}` (Microsoft: Upgrade Azure Stack HCI OS to version 24H2 via PowerShell (2026-05-01))
    "#]].assert_eq(&refused(&cluster_with("    media:\n      path: D:\\Media\\24H2", "    windowsUpdate: {}")));
}

#[test]
fn two_sources_or_none_are_refused() {
    expect![[r#"
        error[DD0208]: `spec.source` must have exactly one of `media` or `windowsUpdate`
          --> clusters/a.yaml:13:3
           |
        13 |   source:
           |   ^^^^^^
           |
           = help: delete one of them
    "#]]
    .assert_eq(&refused(&cluster_with("  source:\n", "  source:\n    windowsUpdate: {}\n")));
    expect![[r#"
        error[DD0202]: neither `spec` nor the fleet's defaults have a `source`
         --> clusters/a.yaml:5:1
          |
        5 | spec:
          | ^^^^
          |
          = help: write `source: {windowsUpdate: {}}` or `source: {media: {path: 'D:\Media\24H2'}}`
    "#]]
    .assert_eq(&refused(&cluster_with("  source:\n    media:\n      path: D:\\Media\\24H2\n", "")));
}

#[test]
fn a_release_out_of_support_is_warned_of() {
    expect![[r#"
        warning[DD0312]: builds 25398 (23H2) are out of support since April 2026, and Microsoft's current article no longer documents this upgrade; ask for 23H2 only as a step on the way
          --> clusters/a.yaml:11:3
           |
        11 |   operatingSystem:
           |   ^^^^^^^^^^^^^^^
           |
           = help: go on to 24H2 soon, or ask for 24H2 at once
    "#]].assert_eq(&warned(&cluster_with("version: 24H2", "version: 23H2")));
    expect![[r#"
        warning[DD0312]: 22H2 is out of support: it gets no more updates (Microsoft: Azure Stack HCI 22H2 end of service)
          --> clusters/a.yaml:11:3
           |
        11 |   operatingSystem:
           |   ^^^^^^^^^^^^^^^
           |
           = help: ask for a newer release when you are ready
    "#]]
    .assert_eq(&warned(&cluster_with("version: 24H2", "version: 22H2")));
}

#[test]
fn values_that_a_law_forbids_are_refused_with_the_law() {
    expect![[r#"
        error[DD0313]: `requireAllNodesOnline: false` is forbidden: no node is taken out unless every other one is Up (law S1)
          --> clusters/a.yaml:17:28
           |
        17 |     requireAllNodesOnline: false
           |                            ^^^^^
           |
           = help: delete the line; bring the missing node back, or take it out of the cluster

        error[DD0313]: not waiting for storage is forbidden: no node is taken out before the last one has settled (law S2)
          --> clusters/a.yaml:18:34
           |
        18 |     waitForStorageRepairTimeout: 0s
           |                                  ^^
           |
           = help: write how long it may take before a person is asked, such as 8h
    "#]]
    .assert_eq(&refused(&cluster_and("  run:\n    requireAllNodesOnline: false\n    waitForStorageRepairTimeout: 0s\n")));
}

#[test]
fn methods_of_later_versions_are_told_apart_from_mistyped_ones() {
    expect![[r#"
        error[DD0314]: the method Offline is not in this version of Drydock yet
          --> clusters/a.yaml:16:11
           |
        16 |   method: Offline
           |           ^^^^^^^
           |
           = help: write `method: Rolling`, or leave the field out
    "#]]
    .assert_eq(&refused(&cluster_and("  method: Offline\n")));
    expect![[r#"
        error[DD0204]: `method` must be `Rolling`
          --> clusters/a.yaml:16:11
           |
        16 |   method: rolling
           |           ^^^^^^^
           |
           = help: did you mean `Rolling`?
    "#]]
    .assert_eq(&refused(&cluster_and("  method: rolling\n")));
}

#[test]
fn run_options_have_bounds() {
    expect![[r#"
        error[DD0304]: `maxRetriesPerNode` is 65; it must be from 0 to 64
          --> clusters/a.yaml:17:24
           |
        17 |     maxRetriesPerNode: 65
           |                        ^^

        error[DD0304]: `maxFailedNodes` is -1; it must be from 0 to 15
          --> clusters/a.yaml:18:21
           |
        18 |     maxFailedNodes: -1
           |                     ^^

        error[DD0304]: `stopAfter` is 30m; it must be from 1h to 90d
          --> clusters/a.yaml:19:16
           |
        19 |     stopAfter: 30m
           |                ^^^

        error[DD0203]: `spec.run.rebootTimeout` must be a text, not a whole number
          --> clusters/a.yaml:20:20
           |
        20 |     rebootTimeout: 1
           |                    ^
           |
           = help: write it with a unit: 90s, 15m, 2h30m, 3d

        error[DD0303]: `suspendClusterNodeTimeout` is not a duration
          --> clusters/a.yaml:21:32
           |
        21 |     suspendClusterNodeTimeout: 1 hour
           |                                ^^^^^^
           |
           = help: write whole numbers with units, the larger first: 90s, 15m, 2h30m, 3d

        error[DD0204]: `spec.run.failbackMode` must be one of `NoFailback`, `Immediate`, `Policy`
          --> clusters/a.yaml:22:19
           |
        22 |     failbackMode: Never
           |                   ^^^^^
           |
           = help: write one of `NoFailback`, `Immediate`, `Policy`
    "#]].assert_eq(&refused(&cluster_and(
        "  run:\n    maxRetriesPerNode: 65\n    maxFailedNodes: -1\n    stopAfter: 30m\n    rebootTimeout: 1\n    suspendClusterNodeTimeout: 1 hour\n    failbackMode: Never\n",
    )));
}

#[test]
fn more_failed_nodes_than_would_leave_one_are_refused() {
    expect![[r#"
        error[DD0304]: `maxFailedNodes` is 2, but the cluster has 2 nodes: the run would never stop
          --> clusters/a.yaml:17:21
           |
        17 |     maxFailedNodes: 2
           |                     ^
           |
           = help: write at most 1
    "#]]
    .assert_eq(&refused(&cluster_and("  run:\n    maxFailedNodes: 2\n")));
}

#[test]
fn a_node_order_names_nodes_of_the_cluster_once() {
    expect![[r#"
        error[DD0316]: `nodeOrder` lists N03, which is not among `nodes`
          --> clusters/a.yaml:17:22
           |
        17 |     nodeOrder: [N02, N03, n02]
           |                      ^^^
           |
           = help: its nodes are N01, N02

        error[DD0316]: `nodeOrder` lists N02 twice
          --> clusters/a.yaml:17:27
           |
        17 |     nodeOrder: [N02, N03, n02]
           |                           ^^^
           |
           = help: list it once
    "#]]
    .assert_eq(&refused(&cluster_and("  run:\n    nodeOrder: [N02, N03, n02]\n")));
}

const WINDOW: &str =
    "  maintenance:\n    windows:\n      - schedule: weekly on Saturday at 22:00\n        duration: 8h\n        timeZone: Europe/Berlin\n";

#[test]
fn schedules_zones_and_durations_that_are_none_are_told() {
    let window = WINDOW.replace("weekly on Saturday", "weekly on Saturdays").replace("8h", "8 hours").replace("Europe/Berlin", "Berlin");
    expect![[r#"
        error[DD0305]: `schedule` has "saturdays" where a weekday is expected: Monday, Tuesday, … Sunday
          --> clusters/a.yaml:18:19
           |
        18 |       - schedule: weekly on Saturdays at 22:00
           |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: did you mean Saturday?

        error[DD0303]: `duration` is not a duration
          --> clusters/a.yaml:19:19
           |
        19 |         duration: 8 hours
           |                   ^^^^^^^
           |
           = help: write whole numbers with units, the larger first: 90s, 15m, 2h30m, 3d

        error[DD0306]: `timeZone` is not a time zone
          --> clusters/a.yaml:20:19
           |
        20 |         timeZone: Berlin
           |                   ^^^^^^
           |
           = help: did you mean Europe/Berlin?
    "#]]
    .assert_eq(&refused(&cluster_and(&window)));
    let cron =
        WINDOW.replace("weekly on Saturday at 22:00", "0 22 * * 6").replace("8h", "0m").replace("Europe/Berlin", "W. Europe Standard Time");
    expect![[r#"
        error[DD0305]: `schedule` is none of the forms `daily at 01:00`, `weekly on Saturday at 22:00`, `second Tuesday of the month at 21:00`, `Patch Tuesday + 11 days at 21:00`
          --> clusters/a.yaml:18:19
           |
        18 |       - schedule: 0 22 * * 6
           |                   ^^^^^^^^^^
           |
           = help: cron's five columns are not read: say it in words

        error[DD0304]: `duration` is 0s; it must be from 1m to 31d
          --> clusters/a.yaml:19:19
           |
        19 |         duration: 0m
           |                   ^^

        error[DD0306]: `timeZone` is not a time zone
          --> clusters/a.yaml:20:19
           |
        20 |         timeZone: W. Europe Standard Time
           |                   ^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: write an IANA name, such as Europe/Berlin
    "#]].assert_eq(&refused(&cluster_and(&cron)));
}

#[test]
fn a_window_that_never_opens_is_refused() {
    let never = format!(
        "{WINDOW}    exclusions:\n      - start: 2026-01-01T00:00:00Z\n        end: 2028-01-01T00:00:00Z\n        reason: freeze\n"
    );
    expect![[r#"
        error[DD0308]: nothing is open for 396d from 2026-01-01T00:00:00Z: exclusions cut every window
          --> clusters/a.yaml:16:3
           |
        16 |   maintenance:
           |   ^^^^^^^^^^^
           |
           = help: shorten the exclusions (those of fleet.yaml count too), or write `suspend` with a reason
    "#]]
    .assert_eq(&refused(&cluster_and(&never)));
}

#[test]
fn exclusions_that_exclude_nothing_or_have_no_offset_are_refused() {
    let text = "  maintenance:\n    exclusions:\n      - start: 2027-01-01T00:00:00Z\n        end: 2026-12-01T00:00:00Z\n        reason: backwards\n      - start: 2026-12-20\n        end: 2026-12-21T00:00:00\n        reason: ' '\n";
    expect![[r#"
        error[DD0307]: the exclusion ends at 2026-12-01T00:00:00Z, which is not after its start at 2027-01-01T00:00:00Z
          --> clusters/a.yaml:19:14
           |
        19 |         end: 2026-12-01T00:00:00Z
           |              ^^^^^^^^^^^^^^^^^^^^
           |
           = help: exchange the two, or delete it

        error[DD0317]: `start` has no offset, so it is another moment in every zone
          --> clusters/a.yaml:21:16
           |
        21 |       - start: 2026-12-20
           |                ^^^^^^^^^^
           |
           = help: write date, time and offset: 2026-12-20T00:00:00+01:00, or Z for UTC

        error[DD0317]: `end` has no offset, so it is another moment in every zone
          --> clusters/a.yaml:22:14
           |
        22 |         end: 2026-12-21T00:00:00
           |              ^^^^^^^^^^^^^^^^^^^
           |
           = help: write date, time and offset: 2026-12-20T00:00:00+01:00, or Z for UTC

        error[DD0319]: `reason` is empty
          --> clusters/a.yaml:23:17
           |
        23 |         reason: ' '
           |                 ^^^
           |
           = help: write one line that tells a person what to do or whom to ask
    "#]]
    .assert_eq(&refused(&cluster_and(text)));
}

#[test]
fn windows_too_short_for_one_node_are_warned_of() {
    expect![[r#"
        warning[DD0309]: the longest window is 2h, but one node may need 3h45m from media in D:\Media\24H2, and 15m may pass until it is begun, together 4h: none would be begun (law S3)
          --> clusters/a.yaml:16:3
           |
        16 |   maintenance:
           |   ^^^^^^^^^^^
           |
           = help: make a window longer, or the timeouts in `run` shorter; media takes half the time of Windows Update
    "#]]
    .assert_eq(&warned(&cluster_and(&WINDOW.replace("8h", "2h"))));
}

#[test]
fn a_window_is_long_enough_with_what_passes_until_a_node_is_begun_and_without_the_hour_that_comes_twice() {
    // Media needs 3h45m of node time, and a quarter of an hour is left for the beginning.
    let check = |duration: &str, enough: bool| {
        let said = warned(&cluster_and(&WINDOW.replace("8h", duration)));
        assert_eq!(said.is_empty(), enough, "{duration}: {said}");
    };
    check("3h45m", false);
    check("3h59m", false);
    check("4h", true);
}

#[test]
fn a_zone_behind_an_offset_is_refused() {
    let text = "  suspend:\n    reason: audit\n    until: 2026-12-20T06:00:00+01:00[Europe/Berlin]\n";
    expect![[r#"
        error[DD0317]: `until` names a zone; only its offset is read
          --> clusters/a.yaml:18:12
           |
        18 |     until: 2026-12-20T06:00:00+01:00[Europe/Berlin]
           |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: write date, time and offset: 2026-12-20T00:00:00+01:00, or Z for UTC
    "#]]
    .assert_eq(&refused(&cluster_and(text)));
}

#[test]
fn a_calendar_of_windows_is_told_once() {
    let one = "      - {schedule: dayly, duration: 8h, timeZone: UTC}\n";
    expect![[r#"
        error[DD0304]: `windows` has 33 items; at most 32 are allowed
          --> clusters/a.yaml:17:5
           |
        17 |     windows:
           |     ^^^^^^^
    "#]]
    .assert_eq(&refused(&cluster_and(&format!("  maintenance:\n    windows:\n{}", one.repeat(33)))));
}

#[test]
fn texts_for_people_are_one_short_line() {
    let text = format!("  contact: \"a\\nb\"\n  change: {}\n  suspend:\n    reason: ''\n    until: 2026-12-20T06:00:00\n", "x".repeat(201));
    expect![[r#"
        error[DD0319]: `contact` must be one line, without tabs
          --> clusters/a.yaml:16:12
           |
        16 |   contact: "a\nb"
           |            ^^^^^^
           |
           = help: write one line that tells a person what to do or whom to ask

        error[DD0319]: `change` has 201 characters; at most 200 are allowed
          --> clusters/a.yaml:17:11
           |
        17 | ...e: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
           |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: write one line that tells a person what to do or whom to ask

        error[DD0319]: `reason` is empty
          --> clusters/a.yaml:19:13
           |
        19 |     reason: ''
           |             ^^
           |
           = help: write one line that tells a person what to do or whom to ask

        error[DD0317]: `until` has no offset, so it is another moment in every zone
          --> clusters/a.yaml:20:12
           |
        20 |     until: 2026-12-20T06:00:00
           |            ^^^^^^^^^^^^^^^^^^^
           |
           = help: write date, time and offset: 2026-12-20T00:00:00+01:00, or Z for UTC
    "#]].assert_eq(&refused(&cluster_and(&text)));
}

#[test]
fn real_transports_need_a_credential_by_name() {
    expect![[r#"
        error[DD0202]: WinRM needs a credential, and neither `connection` nor the fleet's defaults name one
         --> clusters/a.yaml:9:3
          |
        9 |   connection:
          |   ^^^^^^^^^^
          |
          = help: write `connection: {credential: NAME}`, NAME as in the controller's configuration
    "#]]
    .assert_eq(&refused(&cluster_with("transport: Lab", "transport: WinRM")));
    expect![[r#"
        error[DD0301]: `credential` is not a credential's name
          --> clusters/a.yaml:10:17
           |
        10 |     credential:**********
           |                 ^^^^^^^^^
           |
           = help: write the name of a credential of the controller's configuration (lower-case letters, digits and `-`), never a secret
    "#]]
    .assert_eq(&refused(&cluster_with("transport: Lab", "credential: P@ssw0rd!")));
}

#[test]
fn a_warning_that_never_comes_is_warned_of() {
    expect![[r#"
        warning[DD0322]: `warnAfter` is not before `stopAfter`, so it never warns
          --> clusters/a.yaml:17:5
           |
        17 |     warnAfter: 8h
           |     ^^^^^^^^^
           |
           = help: make it shorter
    "#]]
    .assert_eq(&warned(&cluster_and("  run:\n    warnAfter: 8h\n    stopAfter: 8h\n")));
}

#[test]
fn labels_are_short_and_plain() {
    expect![[r#"
        error[DD0203]: `metadata.labels.ring` must be a text, not a whole number
         --> clusters/a.yaml:6:11
          |
        6 |     ring: 2
          |           ^
          |
          = help: put it in quotes

        error[DD0301]: a label is one to 63 letters, digits and - _ . / on each side
         --> clusters/a.yaml:7:11
          |
        7 |     site: 'a b'
          |           ^^^^^

        error[DD0301]: a label is one to 63 letters, digits and - _ . / on each side
         --> clusters/a.yaml:8:5
          |
        8 |     '': x
          |     ^^
    "#]]
    .assert_eq(&refused(&cluster_with("name: alpha", "name: alpha\n  labels:\n    ring: 2\n    site: 'a b'\n    '': x")));
}

#[test]
fn a_name_in_place_of_a_node_is_told_how_to_write_it_and_any_other_text_is_not_repeated() {
    let said = |item: &str| refused(&cluster_with("- name: N01", item));
    assert!(said("- N01").contains("= help: write `name: N01`"), "{}", said("- N01"));
    assert!(said("- 'N01: x'").contains("= help: its fields are address, connection, name"), "{}", said("- 'N01: x'"));
}

#[test]
fn a_secret_among_the_labels_is_refused_and_not_shown() {
    let said = refused(&cluster_with("name: alpha", "name: alpha\n  labels:\n    api-token: hunter2"));
    assert!(said.starts_with("error[DD0207]: the label \"api-token\" looks like a secret") && !said.contains("hunter2"), "{said}");
}

#[test]
fn messages_stay_short_whatever_is_quoted_in_them() {
    let long = "x".repeat(100_000);
    let text =
        cluster_and(&format!("  {}: 1\n  maintenance:\n    windows:\n      - schedule: weekly on {long} at 01:00\n", &long[..1_000]));
    let problems = drydock_spec::parse_cluster("clusters/a.yaml", text.as_bytes(), &drydock_spec::Fleet::default()).unwrap_err();
    assert!(problems.len() >= 4 && problems.iter().all(|p| p.to_string().len() < 1_500), "{}", problems.len());
    assert!(refused(&text).len() < 8_000);
}

#[test]
fn more_problems_than_anyone_reads_are_counted() {
    let many: String = (0..70).map(|i| format!("  unknown{i}: x\n")).collect();
    let said = refused(&format!("{CLUSTER}{many}"));
    assert!(said.contains("error[DD0114]: 20 more problems are not shown"), "{said}");
}
