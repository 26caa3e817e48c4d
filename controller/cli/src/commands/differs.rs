//! What differs between two readings of a cluster's file, beside the target: all that is part of the hash has its line.

use drydock_model::connection::Way;
use drydock_model::desired::{NodeOrder, Suspend};
use drydock_model::ids::NodeName;
use drydock_model::time::Millis;
use drydock_model::window::{Exclusion, Windows};
use drydock_spec::ClusterSpec;
use drydock_spec::duration::print;
use std::collections::BTreeSet;

/// Exclusions that are shown one by one; a calendar of them is read in the file.
const MOST_EXCLUSIONS: usize = 20;

/// What differs, a line each.
pub(super) fn differs(was: &ClusterSpec, is: &ClusterSpec) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differ = |what: &str, old: String, new: String| {
        if old != new {
            lines.push(format!("{what}: {old} → {new}"));
        }
    };
    let (old, new) = (&was.desired, &is.desired);
    differ("file", was.path.clone(), is.path.clone());
    differ("nodes", list(&old.nodes), list(&new.nodes));
    differ("source", old.source.to_string(), new.source.to_string());
    differ("windows", windows(&old.maintenance.windows), windows(&new.maintenance.windows));
    differ("overrun", format!("{:?}", old.maintenance.overrun), format!("{:?}", new.maintenance.overrun));
    differ("workload", format!("{:?}", old.workload), format!("{:?}", new.workload));
    differ("suspend", none(old.suspend.as_ref().map(suspended)), none(new.suspend.as_ref().map(suspended)));
    let (a, b) = (&old.run, &new.run);
    differ("maxRetriesPerNode", a.max_retries_per_node.to_string(), b.max_retries_per_node.to_string());
    differ("maxFailedNodes", a.max_failed_nodes.to_string(), b.max_failed_nodes.to_string());
    differ("nodeOrder", order(&a.node_order), order(&b.node_order));
    let span = |t: Option<Millis>| none(t.map(print));
    differ("stopAfter", span(a.stop_after), span(b.stop_after));
    differ("warnAfter", span(a.warn_after), span(b.warn_after));
    differ("rebootTimeout", print(a.reboot_timeout), print(b.reboot_timeout));
    differ("suspendClusterNodeTimeout", print(a.suspend_cluster_node_timeout), print(b.suspend_cluster_node_timeout));
    differ("waitForStorageRepairTimeout", print(a.wait_for_storage_repair_timeout), print(b.wait_for_storage_repair_timeout));
    differ("failbackMode", format!("{:?}", a.failback_mode), format!("{:?}", b.failback_mode));
    differ("contact", none(old.contact.clone()), none(new.contact.clone()));
    differ("change", none(old.change.clone()), none(new.change.clone()));
    differ("transport", was.connection.transport.to_string(), is.connection.transport.to_string());
    differ("port", port(was.connection.port), port(is.connection.port));
    differ("credential", none(was.connection.credential.clone()), none(is.connection.credential.clone()));
    let addresses = |c: &ClusterSpec| c.connection.addresses.values().cloned().collect::<Vec<_>>().join(", ");
    differ("addresses", addresses(was), addresses(is));
    let apart: BTreeSet<&NodeName> = was.connection.nodes.keys().chain(is.connection.nodes.keys()).collect();
    for node in apart {
        let own = |c: &ClusterSpec| c.connection.nodes.get(node).map_or_else(|| "as the cluster".to_owned(), way);
        differ(&format!("connection of {node}"), own(was), own(is));
    }
    lines.extend(exclusions(old.maintenance.windows.exclusions(), new.maintenance.windows.exclusions()));
    lines
}

/// Why it is suspended, and until when.
pub(super) fn suspended(suspend: &Suspend) -> String {
    match suspend.until {
        Some(until) => format!("{} (until {until})", suspend.reason),
        None => suspend.reason.clone(),
    }
}

fn none(text: Option<String>) -> String {
    text.unwrap_or_else(|| "none".to_owned())
}

fn list(names: &[NodeName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn order(order: &NodeOrder) -> String {
    match order {
        NodeOrder::FewestRolesFirst => "fewest roles first".to_owned(),
        NodeOrder::Listed(nodes) => list(nodes),
    }
}

/// The windows alone, to the minute.
fn windows(windows: &Windows) -> String {
    let one = |w: &drydock_model::window::Window| format!("{} for {} ({})", w.schedule(), print(w.duration()), w.zone());
    match windows.recurring() {
        [] => "always open".to_owned(),
        some => some.iter().map(one).collect::<Vec<_>>().join("; "),
    }
}

fn port(port: Option<u16>) -> String {
    port.map_or_else(|| "the usual one".to_owned(), |p| p.to_string())
}

fn way(way: &Way) -> String {
    let credential = way.credential.as_ref().map_or_else(|| "no credential".to_owned(), |c| format!("credential {c}"));
    format!("{}, port {}, {credential}", way.transport, port(way.port))
}

fn exclusions(old: &[Exclusion], new: &[Exclusion]) -> Vec<String> {
    let gone = old.iter().filter(|e| !new.contains(e)).map(|e| format!("no longer excluded: {e}"));
    let added = new.iter().filter(|e| !old.contains(e)).map(|e| format!("newly excluded: {e}"));
    let mut lines: Vec<String> = gone.chain(added).collect();
    if lines.len() > MOST_EXCLUSIONS {
        let more = lines.len() - MOST_EXCLUSIONS;
        lines.truncate(MOST_EXCLUSIONS);
        lines.push(format!("and {more} more exclusions"));
    }
    lines
}
