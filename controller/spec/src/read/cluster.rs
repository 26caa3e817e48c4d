//! One cluster's file.

use super::defaults::{ConnectionPart, Fleet};
use super::values::{address, name};
use super::{head, parts, place_of, target};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Place, Problems};
use crate::keys::names_a_secret;
use crate::shape::ClusterFile;
use crate::tree::{Field, Node, Value};
use crate::{duration, schema, structure, tree, yaml};
use drydock_model::connection::{Connection, Transport, Way};
use drydock_model::desired::{Desired, FailbackMode, Maintenance, Method, NodeOrder, Overrun, RunOptions, Suspend, WorkloadPolicy};
use drydock_model::ids::{ClusterName, NodeName, SpecHash};
use drydock_model::step::{Purpose, Step};
use drydock_model::time::{Millis, Timestamp};
use drydock_model::window::{HORIZON, Windows};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What one cluster's file says, with the fleet's defaults applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSpec {
    /// The file's path in the repository.
    pub path: String,
    /// What the cluster shall be.
    pub desired: Desired,
    /// How its nodes are reached.
    pub connection: Connection,
    /// For people and for choosing clusters; part of no hash, since they change nothing about an upgrade.
    pub labels: BTreeMap<String, String>,
    /// What a person should know about the file.
    pub warnings: Vec<Diagnostic>,
    /// Where its names stand, for problems that only the whole fleet shows.
    pub places: Places,
}

/// Where a cluster's names stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// Its own.
    pub name: Place,
    /// Its nodes'.
    pub nodes: BTreeMap<NodeName, Place>,
}

/// Nodes of one cluster (Microsoft: Azure Local supports up to 16 machines in one instance).
pub const MOST_NODES: usize = 16;
/// Labels of one cluster, and characters of one: enough to choose by, and no place for documents.
const MOST_LABELS: usize = 32;
const MOST_LABEL: usize = 63;

/// Reads a cluster's file. All problems are told at once; warnings come with the result.
pub fn parse_cluster(path: &str, bytes: &[u8], fleet: &Fleet) -> Result<ClusterSpec, Vec<Diagnostic>> {
    let mut problems = Problems::new(path);
    crate::fleet::check_path(path, &mut problems);
    let Some((tree, text)) = tree::read(bytes, &mut problems) else { return Err(problems.finish()) };
    if !head(&tree, "Cluster", &mut problems) {
        return Err(problems.finish());
    }
    structure::check(&tree, schema::cluster(), &mut problems);
    let spec = read(path, &tree, fleet, &mut problems);
    if !problems.any_error() {
        yaml::agree::<ClusterFile>(text, &tree, &mut problems);
    }
    match spec {
        Some(spec) if !problems.any_error() => Ok(ClusterSpec { warnings: problems.finish(), ..spec }),
        Some(_) => Err(problems.finish()),
        None => {
            if !problems.any_error() {
                problems.push(Diagnostic::whole_file(
                    Code::ReadersDisagree,
                    path,
                    "passes the schema, and yet cannot be read; please report this",
                ));
            }
            Err(problems.finish())
        }
    }
}

fn read(path: &str, tree: &Node, fleet: &Fleet, problems: &mut Problems) -> Option<ClusterSpec> {
    let metadata = tree.get("metadata");
    let cluster = metadata.and_then(|m| m.get("name")).and_then(|n| name::<ClusterName>(n, "the cluster's name", problems));
    let labels = labels(metadata.and_then(|m| m.field("labels")), problems);
    let spec = tree.get("spec")?;
    let maintenance = spec.get("maintenance");

    let nodes = nodes(spec.field("nodes"), problems);
    let own = parts::connection(spec.get("connection"), problems);
    let method = parts::method(spec.get("method"), problems);
    let own_source = parts::source(spec.get("source"), problems);
    let windows = parts::windows(maintenance, problems);
    let exclusions = parts::exclusions(maintenance, problems);
    let run = parts::run(spec.get("run"), problems);
    let node_order = node_order(spec.get("run").and_then(|r| r.get("nodeOrder")), &nodes, problems);
    let suspend = parts::suspend(spec.get("suspend"), problems);
    let contact = parts::contact(spec.get("contact"), "contact", problems);
    let change = parts::contact(spec.get("change"), "change", problems);
    let target = target::target(spec.get("operatingSystem"), problems);

    let defaults = &fleet.defaults;
    let source = own_source.or_else(|| if spec.get("source").is_some() { None } else { defaults.source.clone() });
    if spec.get("source").is_none() && source.is_none() {
        let hint = "write `source: {windowsUpdate: {}}` or `source: {media: {path: 'D:\\Media\\24H2'}}`";
        problems.error_with(Code::MissingField, place_of(tree, "spec"), "neither `spec` nor the fleet's defaults have a `source`", hint);
    }
    if let Some(target) = target {
        target::judge(spec, target, source.as_ref(), problems);
    }
    let failed_most = run.max_failed_nodes.or(defaults.run.max_failed_nodes).unwrap_or(0);
    spares_one(spec, run.max_failed_nodes, nodes.len(), problems);
    let usual = defaults.connection.transport.unwrap_or(Transport::WinRM);
    let transport = own.transport.unwrap_or(usual);
    let connection = Connection {
        transport,
        port: port(transport, own.port, (usual, defaults.connection.port)),
        credential: own.credential.or_else(|| defaults.connection.credential.clone()),
        addresses: nodes.iter().map(|n| (n.name.clone(), n.address.clone())).collect(),
        nodes: BTreeMap::new(),
    };
    let connection = Connection { nodes: ways(&connection, &nodes, problems), ..connection };
    needs_credential(tree, spec, &connection, problems);
    let windows = assemble(spec, windows.or_else(|| defaults.windows.clone()), exclusions, fleet, problems);

    let mut desired = Desired {
        cluster: cluster?,
        spec: unhashed()?,
        nodes: nodes.iter().map(|n| n.name.clone()).collect(),
        target: target?,
        source: source?,
        method: method.or(defaults.method).unwrap_or(Method::Rolling),
        maintenance: Maintenance {
            windows: windows?,
            overrun: parts::overrun(maintenance).or(defaults.overrun).unwrap_or(Overrun::FinishNode),
        },
        run: RunOptions {
            max_retries_per_node: run.max_retries_per_node.or(defaults.run.max_retries_per_node).unwrap_or(3),
            // A default for large clusters does no harm on small ones, where it would mean "all".
            max_failed_nodes: failed_most.min(u8::try_from(nodes.len().saturating_sub(1)).unwrap_or(u8::MAX)),
            node_order,
            stop_after: run.stop_after.or(defaults.run.stop_after),
            warn_after: run.warn_after.or(defaults.run.warn_after),
            reboot_timeout: run.reboot_timeout.or(defaults.run.reboot_timeout).unwrap_or(Step::Restart.row().budget),
            suspend_cluster_node_timeout: run
                .suspend_cluster_node_timeout
                .or(defaults.run.suspend_cluster_node_timeout)
                .unwrap_or(Step::Vacate.row().budget),
            wait_for_storage_repair_timeout: run
                .wait_for_storage_repair_timeout
                .or(defaults.run.wait_for_storage_repair_timeout)
                .unwrap_or(Step::Settle.row().budget),
            failback_mode: run.failback_mode.or(defaults.run.failback_mode).unwrap_or(FailbackMode::Immediate),
        },
        workload: parts::workload(spec.get("workload")).or(defaults.workload).unwrap_or(WorkloadPolicy::LiveMigrate),
        suspend: longer(suspend, fleet.suspend.clone()),
        contact: contact.or_else(|| defaults.contact.clone()),
        change,
    };
    long_enough(spec, &desired, problems);
    desired.spec = hash(&desired, &connection)?;
    let places = Places {
        name: metadata.and_then(|m| m.get("name")).map(|n| n.place.clone()).unwrap_or_default(),
        nodes: nodes.into_iter().map(|n| (n.name, n.place)).collect(),
    };
    Some(ClusterSpec { path: path.to_owned(), desired, connection, labels, warnings: Vec::new(), places })
}

struct Listed {
    name: NodeName,
    address: String,
    place: Place,
    own: Option<ConnectionPart>,
}

/// Nodes that are reached in another way than the rest.
fn ways(usual: &Connection, nodes: &[Listed], problems: &mut Problems) -> BTreeMap<NodeName, Way> {
    let mut ways = BTreeMap::new();
    for node in nodes {
        let Some(own) = &node.own else { continue };
        let transport = own.transport.unwrap_or(usual.transport);
        if (transport == Transport::Lab) != (usual.transport == Transport::Lab) {
            let message = format!("{} cannot be simulated in a cluster that is not, nor the other way round", node.name);
            problems.error_with(Code::Contradiction, &node.place, message, "give all nodes `transport: Lab`, or none");
        }
        let port = port(transport, own.port, (usual.transport, usual.port));
        let credential = own.credential.clone().or_else(|| usual.credential.clone());
        let way = Way { transport, port, credential };
        // One that says what holds anyway says nothing.
        if way != usual.way(&node.name) {
            ways.insert(node.name.clone(), way);
        }
    }
    ways
}

/// The port, where it is not the transport's own. A port belongs to its transport, so that of another one is not taken over. Which port is WinRM's own
/// depends on the credential's encryption, which the controller's configuration says: one that is given for WinRM always counts.
fn port(transport: Transport, given: Option<u16>, (of, usual): (Transport, Option<u16>)) -> Option<u16> {
    let port = given.or(if transport == of { usual } else { None });
    match transport {
        Transport::SSH => port.filter(|port| *port != SSH_PORT),
        Transport::WinRM | Transport::Lab => port,
    }
}

/// The port on which an sshd listens.
const SSH_PORT: u16 = 22;

fn nodes(field: Option<&Field>, problems: &mut Problems) -> Vec<Listed> {
    let Some(field) = field else { return Vec::new() };
    let Value::List(items) = &field.value.value else { return Vec::new() };
    if items.len() < 2 {
        let message = "a rolling upgrade needs at least two nodes: the only node cannot leave and the cluster stay (law S4)";
        let hint = "list every node; clusters of one node come with the method Offline, in a later version";
        problems.error_with(Code::NodeCount, &field.place, message, hint);
    }
    if items.len() > MOST_NODES {
        problems.error(Code::NodeCount, &field.place, format!("{} nodes; a cluster has at most {MOST_NODES}", items.len()));
    }
    let mut listed: Vec<Listed> = Vec::new();
    for item in items {
        let given = item.get("address").map(|n| address(n, problems));
        let Some(node) = item.get("name") else { continue };
        let Some(name) = name::<NodeName>(node, "the node's name", problems) else { continue };
        let address = match given {
            Some(None) => continue,
            Some(Some(address)) => address,
            None => name.as_str().to_ascii_lowercase(),
        };
        let twin = listed.iter().find(|l| l.name == name || l.address == address);
        match twin {
            Some(twin) => {
                let message = match twin.name == name {
                    true => format!("the node {name} is listed twice (Windows does not tell upper and lower case apart)"),
                    false => format!("the nodes {} and {name} have the same address", twin.name),
                };
                let problem = Diagnostic::error(Code::DuplicateNode, problems.file(), node.place.clone(), message);
                problems.push(problem.hint("list every node once").related(twin.place.clone(), "first listed here"));
            }
            None => {
                let own = item.get("connection").map(|connection| parts::connection(Some(connection), problems));
                listed.push(Listed { name, address, place: node.place.clone(), own });
            }
        }
    }
    listed
}

fn node_order(node: Option<&Node>, nodes: &[Listed], problems: &mut Problems) -> NodeOrder {
    let Some(node) = node else { return NodeOrder::FewestRolesFirst };
    let mut order: Vec<NodeName> = Vec::new();
    for item in node.items() {
        let Some(name) = name::<NodeName>(item, "the node's name", problems) else { continue };
        if order.contains(&name) {
            problems.error_with(Code::BadNodeOrder, &item.place, format!("`nodeOrder` lists {name} twice"), "list it once");
        } else if !nodes.iter().any(|n| n.name == name) {
            let hint = format!("its nodes are {}", nodes.iter().map(|n| n.name.as_str()).collect::<Vec<_>>().join(", "));
            problems.error_with(Code::BadNodeOrder, &item.place, format!("`nodeOrder` lists {name}, which is not among `nodes`"), hint);
        } else {
            order.push(name);
        }
    }
    if order.is_empty() { NodeOrder::FewestRolesFirst } else { NodeOrder::Listed(order) }
}

fn labels(field: Option<&Field>, problems: &mut Problems) -> BTreeMap<String, String> {
    let Some(field) = field else { return BTreeMap::new() };
    let fields = field.value.fields();
    if fields.len() > MOST_LABELS {
        problems.error(Code::OutOfBounds, &field.place, format!("{} labels; at most {MOST_LABELS} are allowed", fields.len()));
    }
    let fits = |t: &str| (1..=MOST_LABEL).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
    let mut labels = BTreeMap::new();
    for label in fields {
        if names_a_secret(&label.name) {
            let message = format!("the label {:?} looks like a secret", label.name);
            problems.error_with(
                Code::SecretInFile,
                &label.place,
                message,
                "delete it; if it has been pushed, change the secret: git forgets nothing",
            );
        }
        let Some(text) = label.value.text() else { continue };
        for (text, place) in [(label.name.as_str(), &label.place), (text, &label.value.place)] {
            if !fits(text) {
                let message = format!("a label is one to {MOST_LABEL} letters, digits and - _ . / on each side");
                problems.error(Code::BadName, place, message);
            }
        }
        labels.insert(label.name.clone(), text.to_owned());
    }
    labels
}

/// The same desired state with what the fleet's file freezes now: a cluster that is held at an earlier reading of its own file is kept still by today's
/// `suspend` and exclusions all the same. Where they are more than one cluster may have, it is suspended.
pub fn frozen(desired: &Desired, fleet: &Fleet) -> Desired {
    let windows = &desired.maintenance.windows;
    let new: Vec<_> = fleet.exclusions.iter().filter(|e| !windows.exclusions().contains(e)).cloned().collect();
    let mut frozen = desired.clone();
    frozen.suspend = longer(frozen.suspend, fleet.suspend.clone());
    if new.is_empty() {
        return frozen;
    }
    match Windows::new(windows.recurring().to_vec(), windows.exclusions().iter().cloned().chain(new).collect()) {
        Ok(windows) => frozen.maintenance.windows = windows,
        Err(why) => {
            let reason = format!("the fleet's exclusions cannot be added to this cluster's: {why}");
            frozen.suspend = longer(frozen.suspend, Some(Suspend { reason, until: None }));
        }
    }
    frozen
}

/// Of two suspensions the one that lasts longer: neither may end the other.
fn longer(own: Option<Suspend>, fleets: Option<Suspend>) -> Option<Suspend> {
    match (own, fleets) {
        (Some(own), Some(fleets)) => {
            let lasts = |s: &Suspend| s.until.map_or(i64::MAX, |until| until.0);
            Some(if lasts(&own) >= lasts(&fleets) { own } else { fleets })
        }
        (own, fleets) => own.or(fleets),
    }
}

fn spares_one(spec: &Node, failed_most: Option<u8>, nodes: usize, problems: &mut Problems) {
    let Some(run) = spec.get("run") else { return };
    if let Some(most) = failed_most.filter(|most| nodes >= 2 && usize::from(*most) >= nodes) {
        let message = format!("`maxFailedNodes` is {most}, but the cluster has {nodes} nodes: the run would never stop");
        let place = run.get("maxFailedNodes").map_or(&run.place, |n| &n.place);
        problems.error_with(Code::OutOfBounds, place, message, format!("write at most {}", nodes - 1));
    }
}

fn needs_credential(tree: &Node, spec: &Node, connection: &Connection, problems: &mut Problems) {
    // A transport or a credential that cannot be read is told already.
    let given = |field: &str| spec.get("connection").and_then(|c| c.get(field)).and_then(Node::text);
    let unread = given("credential").is_some() || given("transport").is_some_and(|t| t != connection.transport.to_string());
    if connection.transport != Transport::Lab && connection.credential.is_none() && !unread {
        let place = if spec.field("connection").is_some() { place_of(spec, "connection") } else { place_of(tree, "spec") };
        let message = format!("{} needs a credential, and neither `connection` nor the fleet's defaults name one", connection.transport);
        problems.error_with(
            Code::MissingField,
            place,
            message,
            "write `connection: {credential: NAME}`, NAME as in the controller's configuration",
        );
    }
}

fn assemble(
    spec: &Node,
    recurring: Option<Vec<drydock_model::window::Window>>,
    mut exclusions: Vec<drydock_model::window::Exclusion>,
    fleet: &Fleet,
    problems: &mut Problems,
) -> Option<Windows> {
    let place = place_of(spec, "maintenance");
    exclusions.extend(fleet.exclusions.iter().cloned());
    let windows = match Windows::new(recurring.unwrap_or_default(), exclusions) {
        Ok(windows) => windows,
        Err(error) => {
            problems.error(Code::OutOfBounds, place, error.to_string());
            return None;
        }
    };
    // Without a clock "never" means: in some exclusion begins a span of the whole horizon in which nothing is open.
    let shut = windows.exclusions().iter().find(|e| windows.next_open(e.start()).is_none());
    if let Some(exclusion) = shut {
        let message = format!("nothing is open for {HORIZON} from {}: exclusions cut every window", exclusion.start());
        let hint = "shorten the exclusions (those of fleet.yaml count too), or write `suspend` with a reason";
        problems.error_with(Code::NeverOpens, place, message, hint);
    }
    Some(windows)
}

/// What passes between the opening of a window and the first node's order: a look at the nodes, an intent, its push, and another look. A window that is
/// exactly as long as one node needs is too short by the time the first look is done.
const BEGINNING: Millis = Millis::minutes(15);

/// A year without exclusions by which windows are measured, so that a text does not become right or wrong as time passes.
const ORDINARY_YEAR: Timestamp = Timestamp(1_767_225_600_000);

fn long_enough(spec: &Node, desired: &Desired, problems: &mut Problems) {
    let recurring = desired.maintenance.windows.recurring();
    let Ok(windows) = Windows::new(recurring.to_vec(), Vec::new()) else { return };
    if recurring.is_empty() {
        return;
    }
    let longest = windows.longest_after(ORDINARY_YEAR);
    let needed: Millis = desired.node_budget(Purpose::Upgrade).max(desired.node_budget(Purpose::Registry));
    let enough = needed.plus(BEGINNING);
    if longest < enough {
        let message = format!(
            "the longest window is {}, but one node may need {} from {}, and {} may pass until it is begun, together {}: none would be begun (law S3)",
            duration::print(longest),
            duration::print(needed),
            desired.source,
            duration::print(BEGINNING),
            duration::print(enough),
        );
        let hint = "make a window longer, or the timeouts in `run` shorter; media takes half the time of Windows Update";
        problems.warn(Code::WindowTooShort, place_of(spec, "maintenance"), message, hint);
    }
}

fn unhashed() -> Option<SpecHash> {
    "0".parse().ok()
}

/// The meaning, not the text: a comment, another order of fields, or a default that is spelled out changes nothing.
fn hash(desired: &Desired, connection: &Connection) -> Option<SpecHash> {
    #[derive(Serialize)]
    struct Meaning<'a> {
        desired: Desired,
        connection: &'a Connection,
    }
    let meaning = Meaning { desired: Desired { spec: unhashed()?, ..desired.clone() }, connection };
    let digest = Sha256::digest(serde_json::to_vec(&meaning).ok()?);
    digest.iter().map(|b| format!("{b:02x}")).collect::<String>().parse().ok()
}
