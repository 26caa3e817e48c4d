//! The repository's own examples and schemas.

use crate::support::{file, folder};
use drydock_model::desired::Desired;
use drydock_spec::{Look, check_fleet, parse_cluster, parse_fleet, render, schemas};
use expect_test::expect;

const CLUSTERS: [&str; 2] = ["clusters/hospital-north.yaml", "clusters/shops/till-042.yaml"];

#[test]
fn the_examples_ask_for_what_they_say() {
    let fleet = parse_fleet("fleet.yaml", file("specs/fleet.yaml").as_bytes()).unwrap();
    assert_eq!(fleet.warnings, []);
    let specs: Vec<_> = CLUSTERS
        .iter()
        .map(|path| {
            let text = file(&format!("specs/{path}"));
            parse_cluster(path, text.as_bytes(), &fleet).unwrap_or_else(|p| panic!("{}", render(&p, &text, Look::Plain)))
        })
        .collect();
    assert_eq!(check_fleet(&specs), []);
    let warnings: Vec<String> = specs.iter().flat_map(|s| &s.warnings).map(|w| w.code.to_string()).collect();
    assert_eq!(warnings, ["DD0312", "DD0312"], "23H2 is out of support");
    expect![[r#"
        Desired {
            cluster: ClusterName(
                "hospital-north",
            ),
            spec: SpecHash(
                "0",
            ),
            nodes: [
                NodeName(
                    "HN01",
                ),
                NodeName(
                    "HN02",
                ),
                NodeName(
                    "HN03",
                ),
                NodeName(
                    "HN04",
                ),
            ],
            target: Target {
                version: V23H2,
                revision: 0,
            },
            source: WindowsUpdate,
            method: Rolling,
            maintenance: Maintenance {
                windows: Windows {
                    recurring: [
                        Window {
                            schedule: Schedule {
                                day: Weekly(
                                    Friday,
                                ),
                                at: TimeOfDay {
                                    hour: 18,
                                    minute: 0,
                                },
                            },
                            duration: Millis(
                                216000000,
                            ),
                            zone: Zone(
                                "Europe/Berlin",
                            ),
                        },
                    ],
                    exclusions: [
                        Exclusion {
                            start: Timestamp(
                                1829084400000,
                            ),
                            end: Timestamp(
                                1830812400000,
                            ),
                            reason: "Year-end freeze",
                        },
                    ],
                },
                overrun: FinishNode,
            },
            run: RunOptions {
                max_retries_per_node: 3,
                max_failed_nodes: 0,
                node_order: Listed(
                    [
                        NodeName(
                            "HN04",
                        ),
                        NodeName(
                            "HN03",
                        ),
                    ],
                ),
                stop_after: None,
                warn_after: Some(
                    Millis(
                        43200000,
                    ),
                ),
                reboot_timeout: Millis(
                    5400000,
                ),
                suspend_cluster_node_timeout: Millis(
                    2700000,
                ),
                wait_for_storage_repair_timeout: Millis(
                    43200000,
                ),
                failback_mode: Immediate,
            },
            workload: LiveMigrate,
            suspend: None,
            contact: Some(
                "Hospital IT on call, +49 30 5550111",
            ),
            change: Some(
                "CHG0042817",
            ),
        }
    "#]]
    .assert_debug_eq(&Desired { spec: "0".parse().unwrap(), ..specs[0].desired.clone() });
    expect![[r#"
        (
            [
                NodeName(
                    "T042A",
                ),
                NodeName(
                    "T042B",
                ),
            ],
            Maintenance {
                windows: Windows {
                    recurring: [],
                    exclusions: [
                        Exclusion {
                            start: Timestamp(
                                1829084400000,
                            ),
                            end: Timestamp(
                                1830812400000,
                            ),
                            reason: "Year-end freeze",
                        },
                    ],
                },
                overrun: FinishNode,
            },
            Connection {
                transport: Lab,
                port: None,
                credential: None,
                addresses: {
                    NodeName(
                        "T042A",
                    ): "t042a",
                    NodeName(
                        "T042B",
                    ): "t042b",
                },
                nodes: {},
            },
            {
                "ring": "1",
                "site": "shops",
            },
        )
    "#]]
    .assert_debug_eq(&(&specs[1].desired.nodes, &specs[1].desired.maintenance, &specs[1].connection, &specs[1].labels));
}

#[test]
fn every_file_of_the_examples_is_one_that_is_read() {
    let mut found = Vec::new();
    let mut folders = vec![folder("specs/clusters")];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    assert_eq!(found.len(), CLUSTERS.len(), "{found:?}");
}

#[test]
fn every_example_names_its_schema() {
    for (path, schema) in [("fleet.yaml", "fleet"), (CLUSTERS[0], "cluster"), (CLUSTERS[1], "cluster")] {
        let text = file(&format!("specs/{path}"));
        let named = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        let home = folder("specs").join(path).parent().unwrap().join(named);
        assert_eq!(home.canonicalize().unwrap(), folder(&format!("schemas/{schema}.schema.json")).canonicalize().unwrap());
    }
}

#[test]
fn the_schemas_in_the_repository_are_those_of_the_shapes() {
    for (name, text) in schemas() {
        let path = folder("schemas").join(name);
        if std::env::var_os("DRYDOCK_WRITE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == text, "schemas/{name} is not what the shapes say; run this test with DRYDOCK_WRITE=1");
    }
}
