//! What somebody may write into the files of a fleet, walked all the way to a node: either the file is refused, or what was written arrives there as the
//! value of one parameter and nothing else happens. The fields come from the published schemas, so that a new one has to be answered for here.

mod table;

use drydock::clock::System;
use drydock_model::desired::Desired;
use drydock_model::ids::{EntryId, Epoch, NodeId, Place};
use drydock_model::order::{Act, Expect, Order, Receipt, Unmet, Work};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use drydock_spec::{Connection, Diagnostic, Fleet, Severity, parse_cluster, parse_fleet};
use drydock_tests::node::StubCluster;
use drydock_windows::SessionError;
use drydock_windows::auth::{Breaker, Instruments};
use drydock_windows::credential::Credentials;
use drydock_windows::local::Program;
use drydock_windows::orders::{Call, call};
use drydock_windows::scripts::{HOST, LIBRARIES, script};
use drydock_windows::session::{Config, Script, Sessions, Target, Transport};
use expect_test::expect;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use table::Goes::{self, AsWord, Nowhere, To};
use table::{CLUSTER, FLEET, hostile, woven};
use tokio::runtime::{Builder, Runtime};

/// The fields of a schema that hold a value, as `spec.nodes[].name`.
fn fields(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    let named = schema["properties"].as_object().filter(|named| !named.is_empty());
    if let Some(named) = named {
        named.iter().for_each(|(name, schema)| fields(schema, &below(name), found));
    } else if schema["additionalProperties"].is_object() {
        fields(&schema["additionalProperties"], &below("*"), found);
    } else if schema["items"].is_object() {
        fields(&schema["items"], &format!("{path}[]"), found);
    } else {
        found.insert(path.to_owned());
    }
}

/// A file with a value in one field; the value may be any text. Of fields that exclude each other the other one goes.
fn with(file: &Value, path: &str, text: Value) -> Value {
    let mut file = file.clone();
    let mut at = &mut file;
    for part in path.split('.') {
        if ["operatingSystem", "source"].contains(&part) {
            at[part] = json!({});
        }
        at = match part.strip_suffix("[]") {
            Some(list) => {
                if !at[list].is_array() {
                    at[list] = json!([{}]);
                }
                &mut at[list][0]
            }
            None => &mut at[if part == "*" { "ring" } else { part }],
        };
    }
    *at = text;
    file
}

/// Two nodes that upgrade from media, and nothing that could be left out.
fn plain_cluster() -> Value {
    json!({
        "apiVersion": "drydock/v1alpha1", "kind": "Cluster", "metadata": {"name": "north"},
        "spec": {
            "nodes": [{"name": "N01"}, {"name": "N02"}], "connection": {"credential": "ops"}, "operatingSystem": {"version": "23H2"},
            "source": {"media": {"path": r"C:\Media"}}
        }
    })
}

/// The same without what the fleet's defaults shall say.
fn cluster_of_a_fleet() -> Value {
    let mut cluster = plain_cluster();
    let spec = cluster["spec"].as_object_mut().expect("an object");
    spec.remove("source");
    spec.remove("connection");
    cluster
}

fn plain_fleet() -> Value {
    json!({
        "apiVersion": "drydock/v1alpha1", "kind": "Fleet", "metadata": {"name": "fleet"},
        "spec": {"defaults": {"connection": {"credential": "ops"}, "source": {"media": {"path": r"C:\Media"}}}}
    })
}

/// What stands beside a field so that it means something.
fn company(path: &str, mut file: Value) -> Value {
    for (list, whole) in [
        ("maintenance.windows[]", json!({"schedule": "daily at 01:00", "duration": "1d", "timeZone": "Europe/Berlin"})),
        ("exclusions[]", json!({"start": "2026-12-20T00:00:00Z", "end": "2027-01-07T00:00:00Z", "reason": "freeze"})),
    ] {
        if let Some((before, _)) = path.split_once(list) {
            file = with(&file, &format!("{before}{list}"), whole);
        }
    }
    if path == "spec.suspend.until" {
        file = with(&file, "spec.suspend.reason", json!("audit"));
    }
    if let Some(before) = path.strip_suffix("status.remote").or(path.strip_suffix("status.branch")) {
        file = with(&file, &format!("{before}status"), json!({"branch": "drydock/status"}));
    }
    file
}

/// JSON is YAML, and says hostile characters without any of YAML's own.
fn text(file: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(file).expect("JSON")
}

type Read = Result<(Desired, Connection), Vec<Diagnostic>>;

fn read_cluster(cluster: &Value, fleet: &Fleet) -> Read {
    parse_cluster("clusters/north.yaml", &text(cluster), fleet).map(|spec| (spec.desired, spec.connection))
}

fn read_fleet(fleet: &Value) -> Read {
    read_cluster(&cluster_of_a_fleet(), &parse_fleet("fleet.yaml", &text(fleet))?)
}

/// Every call of an order that such a cluster leads to, on one of its nodes. Taken apart without `..`: what is added to a cluster's desired state has to
/// be looked at here, too.
fn calls(desired: &Desired, ids: &NodeId) -> Vec<Call> {
    let Desired { cluster, nodes, target, source, run, spec: _, method: _, maintenance: _, workload: _, suspend: _, contact: _, change: _ } =
        desired;
    let place = Place { epoch: Epoch { number: 1, nonce: "ab".parse().expect("a nonce") }, seq: 4 };
    let entry = EntryId { cluster: cluster.clone(), place };
    let node = NodeId { name: nodes[0].clone(), ..ids.clone() };
    let mut orders = vec![Order::fence(entry.clone(), node.clone(), None), Order::cancel(entry.clone(), node.clone())];
    for step in Step::ALL.into_iter().filter(|step| *step != Step::Settle) {
        let work = Work { step, target: *target, attempt: 1, source: source.clone(), failback: run.failback_mode, small_allocations: true };
        orders.push(Order::step(entry.clone(), node.clone(), work, Expect::NOTHING, "0123".parse().expect("a boot"), Millis::minutes(5)));
    }
    orders.iter().filter_map(call).collect()
}

/// The script that only says what it was given: the real one's parameters, with their types and bounds, over another body.
fn echo(name: &str) -> Script {
    let real = script(name).expect("a script").source;
    let (parameters, _) = real.split_once("\nSet-StrictMode").expect("parameters come first");
    let body = "$told = [ordered]@{}\nforeach ($name in @($PSBoundParameters.Keys)) { $told[$name] = $PSBoundParameters[$name] }\n$told\n";
    // Tests end soon, and a session keeps scripts for as long as it lives.
    Script { name: String::leak(format!("echo-{name}")), source: String::leak(format!("{parameters}\n{body}")) }
}

/// The controller's own sessions, over a process of this machine: the way to one node.
struct Way {
    runtime: Runtime,
    sessions: Sessions,
    target: Target,
    echoes: BTreeMap<&'static str, Script>,
    _breaker: tempfile::TempDir,
}

impl Way {
    fn new(c: &StubCluster, node: &str) -> Way {
        let environment = c.environment(node);
        let breaker = tempfile::tempdir().expect("a temporary folder");
        let instruments: Arc<dyn Instruments> = Arc::new(System);
        let sessions = Sessions::new(
            Config::new("tests", HOST),
            instruments.clone(),
            Arc::new(Credentials::new(BTreeMap::new(), instruments.clone())),
            Arc::new(Breaker::new(breaker.path(), instruments).expect("a folder to write to")),
        );
        let path = Path::new(&environment["SystemRoot"]).join("System32/powershell.exe").display().to_string();
        let environment = environment.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
        let transport = Transport::Local(Program { path, environment });
        let target = Target { node: node.parse().expect("a name"), address: String::new(), transport, credential: String::new() };
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Way { runtime, sessions, target, echoes: BTreeMap::new(), _breaker: breaker }
    }

    fn run(&self, script: Script, arguments: Map<String, Value>) -> Result<Value, SessionError> {
        self.runtime.block_on(self.sessions.run(&self.target, script, LIBRARIES, arguments, Duration::from_secs(60)))
    }

    /// What a call's parameters hold on the node.
    fn echo(&mut self, call: &Call) -> Result<Value, SessionError> {
        let echo = *self.echoes.entry(call.script).or_insert_with(|| echo(call.script));
        self.run(echo, with_task(call))
    }
}

/// The arguments with what an order leaves behind, in short.
fn with_task(call: &Call) -> Map<String, Value> {
    let mut arguments = call.arguments.clone();
    if ["order-install", "order-restart"].contains(&call.script) {
        arguments.insert("TaskSource".to_owned(), json!("param()"));
        arguments.insert("TaskLibraries".to_owned(), json!(["# one", "# two"]));
    }
    arguments
}

/// All files below a folder, but for those that the platform and PowerShell themselves keep there.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                Ok(_) | Err(_) => {
                    found.insert(entry.path());
                }
            }
        }
    }
    found
}

/// What became of one field.
#[derive(Default)]
struct Row {
    refused: BTreeMap<String, usize>,
    arrived: usize,
    never: usize,
    other_good: usize,
    bound: usize,
    stopped: usize,
}

/// The parameter whose value differs between two lists of calls; nothing when none does.
fn difference(a: &[Call], b: &[Call]) -> BTreeSet<String> {
    assert_eq!(a.len(), b.len());
    let mut names = BTreeSet::new();
    for (a, b) in a.iter().zip(b) {
        assert_eq!(a.script, b.script);
        names.extend(a.arguments.keys().chain(b.arguments.keys()).filter(|name| a.arguments.get(*name) != b.arguments.get(*name)).cloned());
    }
    // The digest follows whatever it covers.
    names.remove("Digest");
    names
}

fn walk(way: &mut Way, ids: &NodeId, table: &[(&str, &str, Goes)], plain: &Value, read: &dyn Fn(&Value) -> Read, canary: &Path) -> String {
    let schema = if plain["kind"] == "Fleet" { "fleet" } else { "cluster" };
    let (desired, _) = read(plain).unwrap_or_else(|why| panic!("{why:?}"));
    let usual = calls(&desired, ids);
    let mut told = Vec::new();
    for (field, good, goes) in table {
        let mut row = Row::default();
        let file = company(field, plain.clone());
        for (name, hostile) in hostile(canary) {
            for value in woven(good, &hostile, *goes) {
                let told = format!("{schema} {field}, {name}: {value:.80?}");
                match read(&with(&file, field, json!(value))) {
                    Err(problems) => {
                        let codes: BTreeSet<String> =
                            problems.iter().filter(|p| p.severity == Severity::Error).map(|p| p.code.to_string()).collect();
                        assert!(!codes.is_empty(), "{told}: refused without saying why");
                        for problem in &problems {
                            assert!(!problem.message.chars().any(char::is_control) && problem.message.len() < 2_000, "{told}: {problem:?}");
                        }
                        codes.into_iter().for_each(|code| *row.refused.entry(code).or_default() += 1);
                    }
                    Ok((desired, _)) => {
                        let calls = calls(&desired, ids);
                        let differ = difference(&calls, &usual);
                        match goes {
                            Nowhere => {
                                assert_eq!(differ, BTreeSet::new(), "{told}: reaches a node");
                                row.never += 1;
                            }
                            AsWord(_) => {
                                assert_eq!(differ, BTreeSet::new(), "{told}: is none of the words");
                                row.other_good += 1;
                            }
                            To(parameter) => {
                                assert!(differ.iter().all(|name| name == parameter), "{told}: {differ:?}");
                                for call in &calls {
                                    let seen = way.echo(call).unwrap_or_else(|why| panic!("{told}, {}: {why}", call.script));
                                    assert_eq!(seen, Value::Object(with_task(call)), "{told}, {}", call.script);
                                }
                                row.arrived += 1;
                            }
                        }
                    }
                }
                // With the files' readers out of the way the node's own bounds are left.
                if let To(parameter) | AsWord(parameter) = goes {
                    // One script after another: those that have the parameter have it with the same bounds.
                    let having: Vec<&Call> = usual.iter().filter(|call| call.arguments.contains_key(*parameter)).collect();
                    let mut call = having[(row.bound + row.stopped) % having.len()].clone();
                    call.arguments.insert((*parameter).to_owned(), json!(value));
                    match way.echo(&call) {
                        Ok(seen) => {
                            assert_eq!(seen[*parameter], json!(value), "{told}, {}", call.script);
                            row.bound += 1;
                        }
                        Err(SessionError::ScriptFailed { id, .. }) => {
                            assert!(id.starts_with("ParameterArgumentValidationError"), "{told}, {}: {id}", call.script);
                            row.stopped += 1;
                        }
                        Err(other) => panic!("{told}, {}: {other}", call.script),
                    }
                }
            }
        }
        assert!(!canary.exists(), "{schema} {field}: a command in it ran");
        told.push(print(field, *goes, &row));
    }
    let mut known = BTreeSet::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../schemas/{schema}.schema.json"));
    let published: Value = serde_json::from_slice(&std::fs::read(&file).expect("the schema")).expect("JSON");
    fields(&published, "", &mut known);
    let listed: BTreeSet<String> = table.iter().map(|(field, ..)| (*field).to_owned()).collect();
    assert_eq!(known, listed, "{schema}: each field stands in the table, with where it goes");
    told.join("\n")
}

fn print(field: &str, goes: Goes, row: &Row) -> String {
    let refused: Vec<String> = row.refused.iter().map(|(code, count)| format!("{code} x{count}")).collect();
    let mut parts = vec![format!("{field}: refused {}", if refused.is_empty() { "never".to_owned() } else { refused.join(", ") })];
    match goes {
        To(parameter) => parts.push(format!("arrived as -{parameter} x{}", row.arrived)),
        AsWord(_) => assert_eq!(row.other_good, 0, "{field}: a text that is none of the words was taken for one"),
        Nowhere if row.never > 0 => parts.push(format!("never sent to a node x{}", row.never)),
        Nowhere => {}
    }
    if let To(parameter) | AsWord(parameter) = goes {
        parts.push(format!("past the reader -{parameter} refuses x{}, takes x{}", row.stopped, row.bound));
    }
    parts.join("; ")
}

#[test]
fn what_is_written_into_a_file_reaches_a_node_only_as_a_parameters_value() {
    let Some(mut c) = StubCluster::lease(60) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let canary = folder.path().join("canary");
    let mut way = Way::new(&c, "N01");
    let ids = c.id("N01");

    // The canary sings where a text is taken for a command.
    let sing = Script { name: "sing", source: "param([string]$Text)\n[void](Invoke-Expression ('\"' + $Text + '\"')); 'sung'" };
    let song = hostile(&canary).into_iter().find(|(name, _)| *name == "a sub-expression").expect("it is there").1;
    way.run(sing, Map::from_iter([("Text".to_owned(), json!(song))])).expect("it runs");
    assert!(canary.exists(), "the canary is no canary");
    std::fs::remove_file(&canary).expect("the canary");

    let home = c.home("N01");
    let truth = |c: &mut StubCluster| c.act("state", None, json!({}))["effects"].clone();
    let before = (files(&home), truth(&mut c), c.part("N01", "all")["memory"].clone());
    let cluster = walk(&mut way, &ids, CLUSTER, &plain_cluster(), &|file| read_cluster(file, &Fleet::default()), &canary);
    let fleet = walk(&mut way, &ids, FLEET, &plain_fleet(), &read_fleet, &canary);
    println!("{cluster}\n\n{fleet}");
    let after = (files(&home), truth(&mut c), c.part("N01", "all")["memory"].clone());
    assert_eq!(before, after, "no file, no effect, nothing remembered");
    installs_from_a_folder_with_a_name_like_a_command(&mut c, &mut way);
    assert!(!canary.exists());
    expect![[r#"
        apiVersion: refused DD0111 x4, DD0205 x74
        kind: refused DD0111 x4, DD0206 x74
        metadata.labels.*: refused DD0111 x4, DD0301 x68; never sent to a node x6
        metadata.name: refused DD0111 x8, DD0301 x148; arrived as -EntryCluster x0; past the reader -EntryCluster refuses x148, takes x0
        spec.change: refused DD0111 x4, DD0319 x18; never sent to a node x56
        spec.connection.credential: refused DD0111 x4, DD0301 x74
        spec.connection.port: refused DD0111 x4, DD0203 x74
        spec.connection.transport: refused DD0111 x4, DD0204 x74
        spec.contact: refused DD0111 x4, DD0319 x18; never sent to a node x56
        spec.maintenance.exclusions[].end: refused DD0111 x4, DD0317 x74
        spec.maintenance.exclusions[].reason: refused DD0111 x4, DD0319 x18; never sent to a node x56
        spec.maintenance.exclusions[].start: refused DD0111 x4, DD0317 x74
        spec.maintenance.overrun: refused DD0111 x4, DD0204 x74
        spec.maintenance.windows[].duration: refused DD0111 x4, DD0303 x74
        spec.maintenance.windows[].schedule: refused DD0111 x4, DD0305 x71; never sent to a node x3
        spec.maintenance.windows[].timeZone: refused DD0111 x4, DD0306 x74
        spec.method: refused DD0111 x4, DD0204 x74
        spec.nodes[].address: refused DD0111 x4, DD0318 x73; never sent to a node x1
        spec.nodes[].connection.credential: refused DD0111 x4, DD0301 x74
        spec.nodes[].connection.port: refused DD0111 x4, DD0203 x74
        spec.nodes[].connection.transport: refused DD0111 x4, DD0204 x74
        spec.nodes[].name: refused DD0111 x8, DD0301 x146; arrived as -NodeName x2; past the reader -NodeName refuses x148, takes x0
        spec.operatingSystem.minimumBuild: refused DD0111 x8, DD0310 x148; past the reader -Target refuses x148, takes x0
        spec.operatingSystem.version: refused DD0111 x8, DD0204 x148; past the reader -Target refuses x148, takes x0
        spec.run.failbackMode: refused DD0111 x8, DD0204 x148; past the reader -Failback refuses x148, takes x0
        spec.run.maxFailedNodes: refused DD0111 x4, DD0203 x74
        spec.run.maxRetriesPerNode: refused DD0111 x4, DD0203 x74
        spec.run.nodeOrder[]: refused DD0111 x4, DD0301 x73, DD0316 x1
        spec.run.rebootTimeout: refused DD0111 x4, DD0303 x74
        spec.run.requireAllNodesOnline: refused DD0111 x4, DD0203 x74
        spec.run.stopAfter: refused DD0111 x4, DD0303 x74
        spec.run.suspendClusterNodeTimeout: refused DD0111 x4, DD0303 x74
        spec.run.waitForStorageRepairTimeout: refused DD0111 x4, DD0303 x74
        spec.run.warnAfter: refused DD0111 x4, DD0303 x74
        spec.source.media.path: refused DD0111 x12, DD0315 x216; arrived as -MediaPath x6; past the reader -MediaPath refuses x215, takes x7
        spec.source.windowsUpdate: refused DD0111 x2, DD0203 x37; past the reader -SourceKind refuses x37, takes x0
        spec.suspend.reason: refused DD0111 x4, DD0319 x18; never sent to a node x56
        spec.suspend.until: refused DD0111 x4, DD0317 x74
        spec.workload: refused DD0111 x4, DD0204 x74"#]]
    .assert_eq(&cluster);
    expect![[r#"
        apiVersion: refused DD0111 x4, DD0205 x74
        kind: refused DD0111 x4, DD0206 x74
        metadata.labels.*: refused DD0111 x4; never sent to a node x70
        metadata.name: refused DD0111 x4, DD0301 x74
        spec.defaults.connection.credential: refused DD0111 x4, DD0301 x74
        spec.defaults.connection.port: refused DD0111 x4, DD0203 x74
        spec.defaults.connection.transport: refused DD0111 x4, DD0204 x74
        spec.defaults.contact: refused DD0111 x4, DD0319 x18; never sent to a node x56
        spec.defaults.maintenance.overrun: refused DD0111 x4, DD0204 x74
        spec.defaults.maintenance.windows[].duration: refused DD0111 x4, DD0303 x74
        spec.defaults.maintenance.windows[].schedule: refused DD0111 x4, DD0305 x71; never sent to a node x3
        spec.defaults.maintenance.windows[].timeZone: refused DD0111 x4, DD0306 x74
        spec.defaults.method: refused DD0111 x4, DD0204 x74
        spec.defaults.run.failbackMode: refused DD0111 x8, DD0204 x148; past the reader -Failback refuses x148, takes x0
        spec.defaults.run.maxFailedNodes: refused DD0111 x4, DD0203 x74
        spec.defaults.run.maxRetriesPerNode: refused DD0111 x4, DD0203 x74
        spec.defaults.run.rebootTimeout: refused DD0111 x4, DD0303 x74
        spec.defaults.run.requireAllNodesOnline: refused DD0111 x4, DD0203 x74
        spec.defaults.run.stopAfter: refused DD0111 x4, DD0303 x74
        spec.defaults.run.suspendClusterNodeTimeout: refused DD0111 x4, DD0303 x74
        spec.defaults.run.waitForStorageRepairTimeout: refused DD0111 x4, DD0303 x74
        spec.defaults.run.warnAfter: refused DD0111 x4, DD0303 x74
        spec.defaults.source.media.path: refused DD0111 x12, DD0315 x216; arrived as -MediaPath x6; past the reader -MediaPath refuses x215, takes x7
        spec.defaults.source.windowsUpdate: refused DD0111 x2, DD0203 x37; past the reader -SourceKind refuses x37, takes x0
        spec.defaults.workload: refused DD0111 x4, DD0204 x74
        spec.exclusions[].end: refused DD0111 x4, DD0317 x74
        spec.exclusions[].reason: refused DD0111 x4, DD0319 x18; never sent to a node x56
        spec.exclusions[].start: refused DD0111 x4, DD0317 x74
        spec.status.branch: refused DD0111 x4, DD0321 x72; never sent to a node x2
        spec.status.remote: refused DD0111 x4, DD0321 x69; never sent to a node x5
        spec.suspend.reason: refused DD0111 x4, DD0319 x18; never sent to a node x56
        spec.suspend.until: refused DD0111 x4, DD0317 x74"#]].assert_eq(&fleet);
}

/// All that a file's reader allows in a path, from the file to the command line of setup.exe.
fn installs_from_a_folder_with_a_name_like_a_command(c: &mut StubCluster, way: &mut Way) {
    const PATH: &str = r"C:\-Command exit (1)\+ .NoProfile _.._\-File a.ps1";
    let read = read_cluster(&with(&plain_cluster(), "spec.source.media.path", json!(PATH)), &Fleet::default());
    let (desired, _) = read.unwrap_or_else(|why| panic!("{why:?}"));
    let drive = c.home("N01").join("C");
    let folder = PATH.replace('\\', "/").replace("C:", &drive.display().to_string());
    std::fs::create_dir_all(Path::new(&folder).parent().expect("a parent")).expect("folders");
    std::os::unix::fs::symlink(drive.join("Media"), &folder).expect("the media under another name");
    c.vacated("N01");
    let planned = c.order("N01", Step::Install);
    let (Act::Step(work), Some(boot), Some(limit)) = (planned.act, planned.boot, planned.not_after) else { panic!("a step") };
    let work = Work { source: desired.source, ..work };
    let order = Order::step(planned.entry, planned.node, work, planned.expect, boot, limit);
    let send = |order: &Order| {
        let mut call = call(order).expect("a script");
        let sources: Vec<&str> = LIBRARIES.iter().map(|library| library.source).collect();
        if call.script == "order-install" {
            call.arguments.insert("TaskSource".to_owned(), json!(script("task-install").expect("a task").source));
            call.arguments.insert("TaskLibraries".to_owned(), json!(sources));
        }
        let answer = way.run(script(call.script).expect("a script"), call.arguments).unwrap_or_else(|why| panic!("{why}"));
        drydock_windows::orders::receipt(&answer).expect("a receipt")
    };
    // The node itself computes the digest over what arrived: a name that changed on its way would be Garbled.
    let other = NodeId { name: "n01-COMMAND".parse().expect("a name"), ..order.node.clone() };
    let named = c.under(&order, order.entry.clone(), other);
    assert_eq!(send(&named), Receipt::Refused(Unmet::OtherIdentity));
    assert_eq!(send(&order), Receipt::Started);
    c.until_worker("N01", &["Staged"]);
    let effects = c.act("state", None, json!({}))["effects"].clone();
    let began = effects.as_array().expect("effects").iter().find(|e| e["did"] == "SetupBegan").expect("setup.exe ran").clone();
    assert_eq!(began["options"]["installfrom"], json!(format!("{folder}/sources/install.wim")), "one argument, as it was written");
    std::fs::remove_dir_all(drive.join("-Command exit (1)")).expect("the folders go");
}
