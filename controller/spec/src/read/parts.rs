//! The parts that a cluster's file and the fleet's defaults have in common.

use super::defaults::{ConnectionPart, RunPart};
use super::values::{choice, exclusion, forbidden, instant, length, line, media_path, number, window};
use crate::code::Code;
use crate::diagnostic::{Place, Problems};
use crate::similar::nearest;
use crate::tree::{Node, Scalar, Value};
use drydock_model::connection::Transport;
use drydock_model::desired::{BitsSource, FailbackMode, Method, Overrun, Suspend, WorkloadPolicy};
use drydock_model::ids::ClusterName;
use drydock_model::time::Millis;
use drydock_model::window::{Exclusion, MOST_WINDOWS, Window};

/// Bounds of `stopAfter` and `warnAfter`: a run shorter than an hour begins no node, one longer than a quarter of a year is none.
const RUN: std::ops::RangeInclusive<Millis> = Millis::hours(1)..=Millis::hours(24 * 90);
/// A feature upgrade restarts several times; below a quarter of an hour every one would count as failed.
const REBOOT: std::ops::RangeInclusive<Millis> = Millis::minutes(15)..=Millis::hours(12);
/// A drain moves every virtual machine of a node.
const DRAIN: std::ops::RangeInclusive<Millis> = Millis::minutes(1)..=Millis::hours(12);
/// Storage repairs for hours after each node, on large pools for days.
const REPAIR: std::ops::RangeInclusive<Millis> = Millis::minutes(10)..=Millis::hours(24 * 14);

pub(super) fn connection(node: Option<&Node>, problems: &mut Problems) -> ConnectionPart {
    let Some(node) = node else { return ConnectionPart::default() };
    let transports = [("WinRM", Transport::WinRM), ("SSH", Transport::SSH), ("Lab", Transport::Lab)];
    ConnectionPart {
        transport: node.get("transport").and_then(|n| choice(n, &transports)),
        port: node.get("port").and_then(|n| number(n, "port", 1..=u16::MAX, problems)),
        credential: node.get("credential").and_then(|n| credential(n, problems)),
    }
}

/// A credential's name has the alphabet of a cluster's: nothing that a password is usually made of. What is none could be a secret, so nothing of it
/// is told.
fn credential(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.text()?;
    if text.parse::<ClusterName>().is_err() {
        let hint = "write the name of a credential of the controller's configuration (lower-case letters, digits and `-`), never a secret";
        problems.error_with(Code::BadName, &node.place, "`credential` is not a credential's name", hint);
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn method(node: Option<&Node>, problems: &mut Problems) -> Option<Method> {
    let node = node?;
    match node.text() {
        Some("Rolling") => return Some(Method::Rolling),
        Some(later @ ("Offline" | "ClusterAwareUpdating")) => {
            let message = format!("the method {later} is not in this version of Drydock yet");
            problems.error_with(Code::MethodNotYet, &node.place, message, "write `method: Rolling`, or leave the field out");
        }
        Some(other) => {
            let hint = match nearest(other, ["Rolling", "Offline", "ClusterAwareUpdating"]) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write `method: Rolling`, or leave the field out".to_owned(),
            };
            problems.error_with(Code::NotOneOf, &node.place, "`method` must be `Rolling`", hint);
        }
        None => problems.error(Code::WrongType, &node.place, "`method` must be a text"),
    }
    None
}

pub(super) fn source(node: Option<&Node>, problems: &mut Problems) -> Option<BitsSource> {
    let node = node?;
    let media = node.get("media").and_then(|m| m.get("path")).and_then(|n| media_path(n, problems));
    match (node.get("windowsUpdate"), node.get("media")) {
        (Some(_), None) => Some(BitsSource::WindowsUpdate),
        (None, Some(_)) => media.map(|path| BitsSource::Media { path }),
        (Some(_), Some(_)) | (None, None) => None,
    }
}

pub(super) fn windows(maintenance: Option<&Node>, problems: &mut Problems) -> Option<Vec<Window>> {
    let field = maintenance?.field("windows")?;
    let Value::List(items) = &field.value.value else { return None };
    if items.is_empty() {
        let hint = "leave the field out if the cluster may be worked on at any time";
        problems.error_with(Code::NeverOpens, &field.place, "`windows` is an empty list: the cluster could never be worked on", hint);
    }
    if items.len() > MOST_WINDOWS {
        problems.error(Code::OutOfBounds, &field.place, format!("`windows` has {} items; at most {MOST_WINDOWS} are allowed", items.len()));
        return None;
    }
    Some(items.iter().filter_map(|item| window(item, problems)).collect())
}

pub(super) fn exclusions(parent: Option<&Node>, problems: &mut Problems) -> Vec<Exclusion> {
    let Some(list) = parent.and_then(|p| p.get("exclusions")) else { return Vec::new() };
    list.items().iter().filter_map(|item| exclusion(item, problems)).collect()
}

pub(super) fn overrun(maintenance: Option<&Node>) -> Option<Overrun> {
    choice(maintenance?.get("overrun")?, &[("Finish", Overrun::Finish), ("FinishNode", Overrun::FinishNode), ("Stop", Overrun::Stop)])
}

pub(super) fn workload(node: Option<&Node>) -> Option<WorkloadPolicy> {
    choice(node?, &[("LiveMigrate", WorkloadPolicy::LiveMigrate), ("MustBeOff", WorkloadPolicy::MustBeOff)])
}

pub(super) fn suspend(node: Option<&Node>, problems: &mut Problems) -> Option<Suspend> {
    let node = node?;
    let until = node.get("until").map(|n| instant(n, "until", problems));
    let reason = node.get("reason").and_then(|n| line(n, "reason", problems))?;
    match until {
        // A wrong end is told; without it the suspension would have none.
        Some(None) => None,
        Some(Some(until)) => Some(Suspend { reason, until: Some(until) }),
        None => Some(Suspend { reason, until: None }),
    }
}

pub(super) fn contact(node: Option<&Node>, what: &str, problems: &mut Problems) -> Option<String> {
    node.and_then(|n| line(n, what, problems))
}

pub(super) fn run(node: Option<&Node>, problems: &mut Problems) -> RunPart {
    let Some(node) = node else { return RunPart::default() };
    all_nodes_online(node, problems);
    let mut count = |what: &str, most: u16| {
        let number = node.get(what).and_then(|n| number(n, what, 0..=most, problems));
        number.and_then(|n| u8::try_from(n).ok())
    };
    let max_retries_per_node = count("maxRetriesPerNode", 64);
    let max_failed_nodes = count("maxFailedNodes", 15);
    storage_is_waited_for(node, problems);
    let mut time = |what: &str, bounds| node.get(what).and_then(|n| length(n, what, bounds, problems));
    let part = RunPart {
        max_retries_per_node,
        max_failed_nodes,
        stop_after: time("stopAfter", RUN),
        warn_after: time("warnAfter", RUN),
        reboot_timeout: time("rebootTimeout", REBOOT),
        suspend_cluster_node_timeout: time("suspendClusterNodeTimeout", DRAIN),
        wait_for_storage_repair_timeout: if waits_no_time(node).is_some() { None } else { time("waitForStorageRepairTimeout", REPAIR) },
        failback_mode: node.get("failbackMode").and_then(|n| {
            choice(n, &[("NoFailback", FailbackMode::NoFailback), ("Immediate", FailbackMode::Immediate), ("Policy", FailbackMode::Policy)])
        }),
    };
    if let (Some(warn), Some(stop)) = (part.warn_after, part.stop_after)
        && warn >= stop
    {
        let place = super::place_of(node, "warnAfter");
        problems.warn(Code::Contradiction, place, "`warnAfter` is not before `stopAfter`, so it never warns", "make it shorter");
    }
    part
}

fn all_nodes_online(run: &Node, problems: &mut Problems) {
    let Some(node) = run.get("requireAllNodesOnline") else { return };
    match node.value {
        Value::Scalar(_, Scalar::Bool(true)) => {}
        Value::Scalar(_, Scalar::Bool(false)) => {
            let message = "`requireAllNodesOnline: false` is forbidden: no node is taken out unless every other one is Up";
            forbidden(&node.place, "S1", message, "delete the line; bring the missing node back, or take it out of the cluster", problems);
        }
        Value::Scalar(..) | Value::List(_) | Value::Map(_) => {
            problems.error_with(
                Code::WrongType,
                &node.place,
                "`requireAllNodesOnline` must be true",
                "write `true`, or leave the field out",
            );
        }
    }
}

/// The place of a `waitForStorageRepairTimeout` of no time at all.
fn waits_no_time(run: &Node) -> Option<&Place> {
    let node = run.get("waitForStorageRepairTimeout")?;
    (crate::duration::parse(node.text()?)? == Millis::ZERO).then_some(&node.place)
}

fn storage_is_waited_for(run: &Node, problems: &mut Problems) {
    if let Some(place) = waits_no_time(run) {
        let message = "not waiting for storage is forbidden: no node is taken out before the last one has settled";
        forbidden(place, "S2", message, "write how long it may take before a person is asked, such as 8h", problems);
    }
}
