//! Orders as the parameters of their scripts, and what comes back. Written for the tests alone: the controller has its own, and both must fit the scripts.

use super::host::{LIBRARIES, source};
use drydock_model::desired::{BitsSource, FailbackMode};
use drydock_model::ids::{NodeId, Place};
use drydock_model::observed::MarkerState;
use drydock_model::order::{Act, MarkerExpected, Order, Receipt, StorageExpected, Unmet};
use drydock_model::step::Step;
use serde_json::{Value, json};

/// Why a part of a probe is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap(
    /// `AccessDenied`, `ClusterServiceStopped`, `NotThere` or `Failed`.
    pub String,
);

impl Gap {
    /// The gap of a part; nothing when it is known.
    pub fn of(part: &Value) -> Option<Gap> {
        (part["ok"] == false).then(|| Gap(part["gap"].as_str().unwrap_or_default().to_owned()))
    }
}

/// The script of an order.
pub(super) fn script(order: &Order) -> &'static str {
    match &order.act {
        Act::Fence { .. } => "order-fence",
        Act::Cancel => "order-cancel",
        Act::Step(work) => match work.step {
            Step::WriteRegistry => "order-registry",
            Step::Vacate => "order-vacate",
            Step::Reboot => "order-reboot",
            Step::Install => "order-install",
            Step::Restart => "order-restart",
            Step::Return => "order-return",
            Step::Settle => panic!("nothing is ordered to settle"),
        },
    }
}

/// The parameters of its script.
pub fn arguments(order: &Order) -> Value {
    let place = &order.entry.place;
    let expect = &order.expect;
    let mut args = json!({
        "EntryCluster": order.entry.cluster.as_str(), "EpochNumber": place.epoch.number, "EpochNonce": place.epoch.nonce.as_str(), "Seq": place.seq,
        "NodeName": order.node.name.as_str(), "Machine": order.node.machine.as_str(), "ClusterId": order.node.cluster.as_str(),
        "ClusterNode": order.node.node.as_str(), "Digest": order.digest.as_str(),
        "Boot": order.boot.as_ref().map_or("", |boot| boot.as_str()),
        "NotAfterMs": order.not_after.map_or(-1, |limit| i64::try_from(limit.0).expect("a limit")),
        "ExpectMarker": match &expect.marker {
            MarkerExpected::Any => "Any".to_owned(),
            MarkerExpected::Absent => "Absent".to_owned(),
            MarkerExpected::Ours(place) => place.to_string(),
        },
        "ExpectOthersUp": expect.others_up,
        "ExpectStorage": match expect.storage {
            StorageExpected::Any => "Any",
            StorageExpected::Settled => "Settled",
            StorageExpected::OwnDamageOnly => "OwnDamageOnly",
        },
        "ExpectBuild": expect.build.map_or_else(String::new, |build| build.to_string()),
        "ExpectQuorum": expect.quorum,
    });
    match &order.act {
        Act::Fence { marker } => {
            if let Some(marker) = marker {
                args["Marker"] = json!(marker.vacate.to_string());
                args["MarkerState"] = json!(match marker.state {
                    MarkerState::Suspending => "Suspending",
                    MarkerState::Suspended => "Suspended",
                });
            }
        }
        Act::Cancel => {}
        Act::Step(work) => {
            args["Target"] = json!(work.target.to_string());
            args["Attempt"] = json!(work.attempt);
            match work.step {
                Step::WriteRegistry => args["SmallAllocations"] = json!(work.small_allocations),
                Step::Install => {
                    let (kind, path) = match &work.source {
                        BitsSource::WindowsUpdate => ("WindowsUpdate", ""),
                        BitsSource::Media { path } => ("Media", path.as_str()),
                    };
                    args["SourceKind"] = json!(kind);
                    args["MediaPath"] = json!(path);
                    task(&mut args, "task-install");
                }
                Step::Restart => task(&mut args, "task-restart"),
                Step::Return => {
                    args["Failback"] = json!(match work.failback {
                        FailbackMode::NoFailback => "NoFailback",
                        FailbackMode::Immediate => "Immediate",
                        FailbackMode::Policy => "Policy",
                    });
                }
                Step::Vacate | Step::Reboot | Step::Settle => {}
            }
        }
    }
    args
}

fn task(args: &mut Value, name: &str) {
    args["TaskSource"] = json!(source(name));
    args["TaskLibraries"] = json!(LIBRARIES.map(source));
}

/// A node's identity, as `probe-node` tells it.
pub(super) fn identity(value: &Value) -> NodeId {
    let text = |field: &str| value[field].as_str().unwrap_or_else(|| panic!("no {field}: {value}")).to_owned();
    NodeId {
        name: text("name").parse().expect("a node's name"),
        machine: text("machine").parse().expect("a machine"),
        cluster: text("cluster").parse().expect("a cluster"),
        node: text("node").parse().expect("a member"),
    }
}

/// What an order script answered.
pub fn receipt(answer: &Value) -> Receipt {
    let detail = answer["detail"].as_str().unwrap_or_default();
    match answer["receipt"].as_str().unwrap_or_else(|| panic!("no receipt: {answer}")) {
        "Applied" => Receipt::Applied,
        "Started" => Receipt::Started,
        "AlreadyConsumed" => Receipt::AlreadyConsumed,
        "PlatformRefused" => Receipt::PlatformRefused(detail.to_owned()),
        "Fenced" => {
            let newer = answer["newer"].as_str().unwrap_or_default();
            Receipt::Fenced { newer: newer.parse::<Place>().unwrap_or_else(|_| panic!("no place: {answer}")) }
        }
        "Refused" => Receipt::Refused(unmet(answer["unmet"].as_str().unwrap_or_default(), detail)),
        other => panic!("no receipt: {other}"),
    }
}

fn unmet(word: &str, detail: &str) -> Unmet {
    match word {
        "Garbled" => Unmet::Garbled,
        "OtherOrderConsumed" => Unmet::OtherOrderConsumed,
        "OtherClaim" => Unmet::OtherClaim,
        "OtherIdentity" => Unmet::OtherIdentity,
        "OtherBoot" => Unmet::OtherBoot,
        "TooLate" => Unmet::TooLate,
        "StopMark" => Unmet::StopMark,
        "Marker" => Unmet::Marker,
        "NotUp" => Unmet::NotUp(detail.parse().unwrap_or_else(|_| panic!("no node: {detail}"))),
        "NoView" => Unmet::NoView,
        "Storage" => Unmet::Storage,
        "OtherBuild" => Unmet::OtherBuild(detail.parse().unwrap_or_else(|_| panic!("no build: {detail}"))),
        "Quorum" => Unmet::Quorum,
        "SetupRunning" => Unmet::SetupRunning,
        "NotStaged" => Unmet::NotStaged,
        "OtherWorker" => Unmet::OtherWorker,
        "CommitSpent" => Unmet::CommitSpent,
        "Committed" => Unmet::Committed,
        "Busy" => Unmet::Busy,
        other => panic!("no reason: {other}"),
    }
}
