//! Files that count: what they mean, and what does not change it.

use crate::support::{CLUSTER, FLEET, accepted, accepted_in, cluster_and, cluster_with, fleet};
use drydock_model::desired::{BitsSource, Desired, NodeOrder, Overrun};
use drydock_model::time::Millis;
use drydock_spec::shape::*;
use drydock_spec::yaml::print;
use drydock_spec::{Look, Transport, render};

/// A shape in which every field is given, and none is at its default.
fn full() -> ClusterFile {
    let text = |t: &str| t.to_owned();
    ClusterFile {
        api_version: ApiVersion::V1Alpha1,
        kind: ClusterKind::Cluster,
        metadata: Metadata { name: text("full"), labels: [(text("ring"), text("1"))].into() },
        spec: ClusterShape {
            nodes: [("N01", Some("n01.example")), ("N02", Some("10.0.0.2")), ("N03", None)]
                .map(|(n, a)| NodeShape { name: text(n), address: a.map(text), connection: None })
                .to_vec(),
            connection: Some(ConnectionShape { transport: Some(TransportShape::SSH), port: Some(2_222), credential: Some(text("ops")) }),
            operating_system: OperatingSystemShape { version: None, minimum_build: Some(text("26100.4946")) },
            method: Some(MethodShape::Rolling),
            source: Some(SourceShape { windows_update: None, media: Some(MediaShape { path: text(r"D:\Media\24H2") }) }),
            maintenance: Some(MaintenanceShape {
                windows: Some(vec![WindowShape {
                    schedule: text("Patch Tuesday + 11 days at 21:00"),
                    duration: text("1d2h"),
                    time_zone: text("Europe/Berlin"),
                }]),
                exclusions: Some(vec![ExclusionShape {
                    start: text("2026-12-20T00:00:00+01:00"),
                    end: text("2027-01-07T00:00:00+01:00"),
                    reason: text("freeze"),
                }]),
                overrun: Some(OverrunShape::Stop),
            }),
            run: Some(RunShape {
                max_retries_per_node: Some(5),
                max_failed_nodes: Some(1),
                require_all_nodes_online: Some(true),
                node_order: Some(vec![text("N03"), text("n01")]),
                stop_after: Some(text("20h")),
                warn_after: Some(text("10h")),
                reboot_timeout: Some(text("95m")),
                suspend_cluster_node_timeout: Some(text("25m")),
                wait_for_storage_repair_timeout: Some(text("2d")),
                failback_mode: Some(FailbackShape::Policy),
            }),
            workload: Some(WorkloadShape::MustBeOff),
            suspend: Some(SuspendShape { reason: text("audit"), until: Some(text("2026-12-01T00:00:00Z")) }),
            contact: Some(text("Ä. Müller, +49 30 5550100")),
            change: Some(text("CHG1")),
        },
    }
}

#[test]
fn every_field_is_read_and_comes_back() {
    let text = print(&full()).unwrap();
    let spec = accepted(&text);
    let meant = Desired { spec: "0".parse().unwrap(), ..spec.desired.clone() };
    expect_test::expect![[r#"
        (
            Desired {
                cluster: ClusterName(
                    "full",
                ),
                spec: SpecHash(
                    "0",
                ),
                nodes: [
                    NodeName(
                        "N01",
                    ),
                    NodeName(
                        "N02",
                    ),
                    NodeName(
                        "N03",
                    ),
                ],
                target: Target {
                    version: V24H2,
                    revision: 4946,
                },
                source: Media {
                    path: "D:\\Media\\24H2",
                },
                method: Rolling,
                maintenance: Maintenance {
                    windows: Windows {
                        recurring: [
                            Window {
                                schedule: Schedule {
                                    day: PatchTuesday(
                                        11,
                                    ),
                                    at: TimeOfDay {
                                        hour: 21,
                                        minute: 0,
                                    },
                                },
                                duration: Millis(
                                    93600000,
                                ),
                                zone: Zone(
                                    "Europe/Berlin",
                                ),
                            },
                        ],
                        exclusions: [
                            Exclusion {
                                start: Timestamp(
                                    1797721200000,
                                ),
                                end: Timestamp(
                                    1799276400000,
                                ),
                                reason: "freeze",
                            },
                        ],
                    },
                    overrun: Stop,
                },
                run: RunOptions {
                    max_retries_per_node: 5,
                    max_failed_nodes: 1,
                    node_order: Listed(
                        [
                            NodeName(
                                "N03",
                            ),
                            NodeName(
                                "N01",
                            ),
                        ],
                    ),
                    stop_after: Some(
                        Millis(
                            72000000,
                        ),
                    ),
                    warn_after: Some(
                        Millis(
                            36000000,
                        ),
                    ),
                    reboot_timeout: Millis(
                        5700000,
                    ),
                    suspend_cluster_node_timeout: Millis(
                        1500000,
                    ),
                    wait_for_storage_repair_timeout: Millis(
                        172800000,
                    ),
                    failback_mode: Policy,
                },
                workload: MustBeOff,
                suspend: Some(
                    Suspend {
                        reason: "audit",
                        until: Some(
                            Timestamp(
                                1796083200000,
                            ),
                        ),
                    },
                ),
                contact: Some(
                    "Ä. Müller, +49 30 5550100",
                ),
                change: Some(
                    "CHG1",
                ),
            },
            Connection {
                transport: SSH,
                port: Some(
                    2222,
                ),
                credential: Some(
                    "ops",
                ),
                addresses: {
                    NodeName(
                        "N01",
                    ): "n01.example",
                    NodeName(
                        "N02",
                    ): "10.0.0.2",
                    NodeName(
                        "N03",
                    ): "n03",
                },
                nodes: {},
            },
            {
                "ring": "1",
            },
        )
    "#]]
    .assert_debug_eq(&(meant, &spec.connection, &spec.labels));
    let again: ClusterFile = serde_json::from_value(serde_json::to_value(full()).unwrap()).unwrap();
    assert_eq!(again, full());
    assert_eq!(accepted(&print(&again).unwrap()).desired, spec.desired);
}

#[test]
fn every_field_of_the_shape_changes_the_hash() {
    let base = accepted(&print(&full()).unwrap()).desired.spec;
    let check = |what: &str, change: &dyn Fn(&mut ClusterShape)| {
        let mut file = full();
        change(&mut file.spec);
        assert_ne!(accepted(&print(&file).unwrap()).desired.spec, base, "{what}");
    };
    check("nodes", &|s| s.nodes[2].name = "N04".to_owned().clone_into_node(&mut s.run));
    check("address", &|s| s.nodes[2].address = Some("10.0.0.3".to_owned()));
    check("connection", &|s| s.connection.as_mut().unwrap().port = None);
    check("operatingSystem", &|s| s.operating_system.minimum_build = Some("26100.4947".to_owned()));
    check("source", &|s| s.source.as_mut().unwrap().media.as_mut().unwrap().path.push('2'));
    check("windows", &|s| s.maintenance.as_mut().unwrap().windows.as_mut().unwrap()[0].duration = "27h".to_owned());
    check("exclusions", &|s| s.maintenance.as_mut().unwrap().exclusions = None);
    check("overrun", &|s| s.maintenance.as_mut().unwrap().overrun = None);
    check("maxRetriesPerNode", &|s| s.run.as_mut().unwrap().max_retries_per_node = Some(4));
    check("maxFailedNodes", &|s| s.run.as_mut().unwrap().max_failed_nodes = Some(0));
    check("nodeOrder", &|s| s.run.as_mut().unwrap().node_order = None);
    check("stopAfter", &|s| s.run.as_mut().unwrap().stop_after = None);
    check("warnAfter", &|s| s.run.as_mut().unwrap().warn_after = None);
    check("rebootTimeout", &|s| s.run.as_mut().unwrap().reboot_timeout = None);
    check("suspendClusterNodeTimeout", &|s| s.run.as_mut().unwrap().suspend_cluster_node_timeout = None);
    check("waitForStorageRepairTimeout", &|s| s.run.as_mut().unwrap().wait_for_storage_repair_timeout = None);
    check("failbackMode", &|s| s.run.as_mut().unwrap().failback_mode = None);
    check("workload", &|s| s.workload = None);
    check("suspend", &|s| s.suspend = None);
    check("until", &|s| s.suspend.as_mut().unwrap().until = None);
    check("contact", &|s| s.contact = None);
    check("change", &|s| s.change = None);
}

#[test]
fn comments_order_labels_and_spelled_out_defaults_do_not_change_the_hash() {
    let base = accepted(CLUSTER).desired;
    let same = |text: &str| assert_eq!(accepted(text).desired, base, "{text}");
    same(&format!("# a comment\n{CLUSTER}# another\n"));
    same(&CLUSTER.replace('\n', "\r\n"));
    same(&format!("\u{feff}{CLUSTER}"));
    same(&cluster_with("name: alpha", "name: 'alpha'\n  labels: {ring: '9'}"));
    same(&cluster_with("- name: N01", "- {name: n01, address: N01}"));
    same(&cluster_with(r"D:\Media\24H2", r"D:\Media\24H2\"));
    same(&cluster_and(
        "  method: Rolling\n  workload: LiveMigrate\n  maintenance: {overrun: FinishNode}\n  run: {maxRetriesPerNode: 3, maxFailedNodes: 0, requireAllNodesOnline: true, rebootTimeout: 60m, suspendClusterNodeTimeout: 30m, waitForStorageRepairTimeout: 8h, failbackMode: Immediate}\n",
    ));
    let same_hash = |text: &str, plain: &str| assert_eq!(accepted(text).desired.spec, accepted(plain).desired.spec, "{text}");
    let ssh = cluster_with("transport: Lab", "{transport: SSH, credential: ops}").replace("connection:\n    {", "connection: {");
    same_hash(&ssh.replace("SSH", "SSH, port: 22"), &ssh);
    same_hash(&ssh.replace("- name: N01", "- {name: N01, connection: {transport: SSH, port: 22, credential: ops}}"), &ssh);
    same_hash(&ssh.replace("- name: N01", "- {name: N01, connection: {credential: ops}}"), &ssh);
    let moved: String = {
        let (head, spec) = CLUSTER.split_once("spec:\n").unwrap();
        format!("spec:\n{spec}{head}")
    };
    same(&moved);
}

#[test]
fn what_a_cluster_leaves_out_comes_from_the_fleet() {
    let defaults = "    connection: {transport: WinRM, port: 5986, credential: ops}
    source: {media: {path: 'E:\\24H2'}}
    maintenance: {overrun: Finish, windows: [{schedule: daily at 01:00, duration: 9h, timeZone: UTC}]}
    run: {maxRetriesPerNode: 1, maxFailedNodes: 3, rebootTimeout: 2h}
    contact: everybody
";
    let text = FLEET.replace("    connection:\n      transport: Lab\n", defaults);
    let fleet = fleet(&format!(
        "{text}  exclusions:\n    - {{start: 2026-12-20T00:00:00Z, end: 2026-12-21T00:00:00Z, reason: freeze}}\n  suspend: {{reason: incident}}\n"
    ));
    let bare = cluster_with("  connection:\n    transport: Lab\n", "").replace("  source:\n    media:\n      path: D:\\Media\\24H2\n", "");
    let spec = accepted_in(&bare, &fleet);
    assert_eq!(
        (spec.connection.transport, spec.connection.port, spec.connection.credential.as_deref()),
        (Transport::WinRM, Some(5_986), Some("ops"))
    );
    assert_eq!(spec.desired.source, BitsSource::Media { path: r"E:\24H2".to_owned() });
    assert_eq!(spec.desired.maintenance.overrun, Overrun::Finish);
    assert_eq!(spec.desired.maintenance.windows.to_string(), "daily at 01:00 for 9h (UTC), less 1 exclusion");
    assert_eq!((spec.desired.run.max_retries_per_node, spec.desired.run.reboot_timeout), (1, Millis::hours(2)));
    assert_eq!(spec.desired.run.max_failed_nodes, 1, "three of two nodes would be all");
    assert_eq!(spec.desired.contact.as_deref(), Some("everybody"));
    assert_eq!(spec.desired.suspend.as_ref().map(|s| s.reason.as_str()), Some("incident"));

    let own = accepted_in(
        &cluster_and(
            "  maintenance: {windows: [{schedule: daily at 02:00, duration: 9h, timeZone: UTC}], exclusions: [{start: 2027-12-20T00:00:00Z, end: 2027-12-21T00:00:00Z, reason: own}]}\n  suspend: {reason: mine}\n  contact: me\n",
        ),
        &fleet,
    );
    assert_eq!(own.desired.maintenance.windows.to_string(), "daily at 02:00 for 9h (UTC), less 2 exclusions");
    assert_eq!(own.desired.suspend.map(|s| s.reason).as_deref(), Some("mine"));
    assert_eq!((own.desired.contact.as_deref(), own.connection.transport), (Some("me"), Transport::Lab));
}

#[test]
fn a_fleets_port_belongs_to_the_fleets_transport() {
    let check = |fleets: &str, own: &str, expect: Option<u16>| {
        let fleet =
            fleet(&FLEET.replace("    connection:\n      transport: Lab\n", &format!("    connection: {{credential: ops, {fleets}}}\n")));
        let spec = accepted_in(&cluster_with("    transport: Lab\n", own), &fleet);
        assert_eq!(spec.connection.port, expect, "{fleets} / {own}");
    };
    check("transport: SSH, port: 2222", "    credential: mine\n", Some(2_222));
    check("transport: SSH, port: 2222", "    transport: WinRM\n", None);
    check("port: 5985", "    transport: SSH\n", None);
    check("port: 5985", "    transport: WinRM\n", Some(5_985));
    check("port: 5985", "    transport: Lab\n", None);
    check("port: 5985", "    {transport: SSH, port: 2022}\n", Some(2_022));
}

#[test]
fn of_two_suspensions_the_longer_one_holds() {
    let check = |own: &str, fleets: &str, reason: &str| {
        let fleet = fleet(&format!("{FLEET}  suspend: {{reason: fleet{fleets}}}\n"));
        let spec = accepted_in(&cluster_and(&format!("  suspend: {{reason: own{own}}}\n")), &fleet);
        assert_eq!(spec.desired.suspend.map(|s| s.reason).as_deref(), Some(reason), "own{own}, fleet{fleets}");
    };
    let (soon, late) = (", until: 2026-12-01T00:00:00Z", ", until: 2026-12-02T00:00:00Z");
    check("", "", "own");
    check(soon, "", "fleet");
    check("", soon, "own");
    check(soon, late, "fleet");
    check(late, soon, "own");
    check(soon, soon, "own");
}

#[test]
fn without_windows_anywhere_it_is_always_open() {
    let desired = accepted(CLUSTER).desired;
    assert_eq!(desired.maintenance.windows.to_string(), "always open");
    assert_eq!(desired.run.node_order, NodeOrder::FewestRolesFirst);
}

/// Keeps the node order of the full shape right when its third node gets another name.
trait IntoNode {
    fn clone_into_node(&self, run: &mut Option<RunShape>) -> String;
}

impl IntoNode for String {
    fn clone_into_node(&self, run: &mut Option<RunShape>) -> String {
        if let Some(order) = run.as_mut().and_then(|r| r.node_order.as_mut()) {
            order[0] = self.clone();
        }
        self.clone()
    }
}

#[test]
fn a_terminal_gets_colours_and_a_file_does_not() {
    let text = cluster_with("version: 24H2", "version: 23H2");
    let warnings = accepted(&text).warnings;
    let (plain, coloured) = (render(&warnings, &text, Look::Plain), render(&warnings, &text, Look::Coloured));
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}["));
    assert_eq!(render(&[], &text, Look::Plain), "");
}

#[test]
fn a_problem_is_one_line_for_a_log_and_fields_for_a_machine() {
    let problem = accepted(&cluster_with("version: 24H2", "version: 22H2")).warnings.remove(0);
    let line = "clusters/a.yaml:11:3: warning DD0312: 22H2 is out of support: it gets no more updates (Microsoft: Azure Stack HCI 22H2 end of service); ask for a newer release when you are ready";
    assert_eq!(problem.to_string(), line);
    let told = serde_json::to_value(problem.told()).unwrap();
    assert_eq!((&told["code"], &told["line"], &told["column"]), (&"DD0312".into(), &11.into(), &3.into()));
}

#[test]
fn a_node_may_be_reached_in_another_way_than_the_rest() {
    let text = "apiVersion: drydock/v1alpha1
kind: Cluster
metadata: {name: mixed}
spec:
  nodes:
    - {name: N01}
    - {name: N02, connection: {transport: SSH}}
    - {name: N03, connection: {port: 15986, credential: other}}
  connection: {credential: usual, port: 5986}
  operatingSystem: {version: 24H2}
  source: {media: {path: 'D:\\Media\\24H2'}}
";
    let spec = accepted(text);
    let way = |node: &str| {
        let way = spec.connection.way(&node.parse().unwrap());
        format!("{} {:?} {:?}", way.transport, way.port, way.credential)
    };
    assert_eq!(way("N01"), r#"WinRM Some(5986) Some("usual")"#);
    assert_eq!(way("N02"), r#"SSH None Some("usual")"#, "a port belongs to its transport");
    assert_eq!(way("N03"), r#"WinRM Some(15986) Some("other")"#);
}
