//! Orders as the parameters of their scripts, and what a node answers, as a receipt. Values stay values: none of them becomes script text.

use crate::words::{SHORT, plain};
use drydock_model::desired::{BitsSource, Build, FailbackMode};
use drydock_model::ids::{NodeName, Place};
use drydock_model::observed::{Marker, MarkerState};
use drydock_model::order::{Act, MarkerExpected, Order, Receipt, StorageExpected, Unmet, Work};
use drydock_model::step::Step;
use serde_json::{Map, Value, json};

/// Characters of an answer's field; what is longer is none of ours.
const MOST_DETAIL: usize = 4_000;

/// A script and its arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The script's name.
    pub script: &'static str,
    /// Its named parameters.
    pub arguments: Map<String, Value>,
}

/// The call that performs an order. `None` for a step that orders nothing.
pub fn call(order: &Order) -> Option<Call> {
    let mut arguments = common(order);
    let script = match &order.act {
        Act::Fence { marker } => {
            if let Some(marker) = marker {
                put_marker(&mut arguments, marker);
            }
            "order-fence"
        }
        Act::Cancel => "order-cancel",
        Act::Step(work) => step(work, &mut arguments)?,
    };
    Some(Call { script, arguments })
}

fn common(order: &Order) -> Map<String, Value> {
    let place = &order.entry.place;
    let expect = &order.expect;
    let marker = match &expect.marker {
        MarkerExpected::Any => "Any".to_owned(),
        MarkerExpected::Absent => "Absent".to_owned(),
        MarkerExpected::Ours(place) => place.to_string(),
    };
    let storage = match expect.storage {
        StorageExpected::Any => "Any",
        StorageExpected::Settled => "Settled",
        StorageExpected::OwnDamageOnly => "OwnDamageOnly",
    };
    // Times beyond what a number of JSON carries exactly are no limit at all; they come to 285,000 years.
    let not_after = order.not_after.map_or(-1, |limit| i64::try_from(limit.0.min((1 << 53) - 1)).unwrap_or(-1));
    let all = json!({
        "EntryCluster": order.entry.cluster,
        "EpochNumber": place.epoch.number,
        "EpochNonce": place.epoch.nonce,
        "Seq": place.seq,
        "NodeName": order.node.name,
        "Machine": order.node.machine,
        "ClusterId": order.node.cluster,
        "ClusterNode": order.node.node,
        "Boot": order.boot.as_ref().map_or("", |boot| boot.as_str()),
        "NotAfterMs": not_after,
        "Digest": order.digest,
        "ExpectMarker": marker,
        "ExpectOthersUp": expect.others_up,
        "ExpectStorage": storage,
        "ExpectBuild": expect.build.map_or_else(String::new, |build| build.to_string()),
        "ExpectQuorum": expect.quorum,
    });
    match all {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn put_marker(arguments: &mut Map<String, Value>, marker: &Marker) {
    let state = match marker.state {
        MarkerState::Suspending => "Suspending",
        MarkerState::Suspended => "Suspended",
    };
    arguments.insert("Marker".to_owned(), marker.vacate.to_string().into());
    arguments.insert("MarkerState".to_owned(), state.into());
}

fn step(work: &Work, arguments: &mut Map<String, Value>) -> Option<&'static str> {
    let mut put = |name: &str, value: Value| arguments.insert(name.to_owned(), value);
    put("Target", work.target.to_string().into());
    put("Attempt", work.attempt.into());
    Some(match work.step {
        Step::WriteRegistry => {
            put("SmallAllocations", work.small_allocations.into());
            "order-registry"
        }
        Step::Vacate => "order-vacate",
        Step::Reboot => "order-reboot",
        Step::Install => {
            match &work.source {
                BitsSource::WindowsUpdate => put("SourceKind", "WindowsUpdate".into()),
                BitsSource::Media { path } => {
                    put("MediaPath", path.as_str().into());
                    put("SourceKind", "Media".into())
                }
            };
            "order-install"
        }
        Step::Restart => "order-restart",
        Step::Return => {
            let failback = match work.failback {
                FailbackMode::NoFailback => "NoFailback",
                FailbackMode::Immediate => "Immediate",
                FailbackMode::Policy => "Policy",
            };
            put("Failback", failback.into());
            "order-return"
        }
        Step::Settle => return None,
    })
}

/// The receipt in a node's answer; an error names what in it is not understood.
pub fn receipt(answer: &Value) -> Result<Receipt, String> {
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| text.len() <= MOST_DETAIL);
    let kind = text("receipt").ok_or("it names no receipt")?;
    match kind {
        "Applied" => Ok(Receipt::Applied),
        "Started" => Ok(Receipt::Started),
        "AlreadyConsumed" => Ok(Receipt::AlreadyConsumed),
        "PlatformRefused" => Ok(Receipt::PlatformRefused(plain(text("detail").unwrap_or("it gave no reason"), SHORT))),
        "Fenced" => {
            let newer: Option<Place> = text("newer").and_then(|place| place.parse().ok());
            newer.map(|newer| Receipt::Fenced { newer }).ok_or_else(|| "the newer fence is no place".to_owned())
        }
        "Refused" => {
            let unmet = text("unmet").ok_or("the refusal gives no reason")?;
            reason(unmet, text("detail")).map(Receipt::Refused).ok_or_else(|| format!("the reason {} is not known", plain(unmet, SHORT)))
        }
        other => Err(format!("the receipt {} is not known", plain(other, SHORT))),
    }
}

fn reason(word: &str, detail: Option<&str>) -> Option<Unmet> {
    Some(match word {
        "Garbled" => Unmet::Garbled,
        "OtherOrderConsumed" => Unmet::OtherOrderConsumed,
        "OtherClaim" => Unmet::OtherClaim,
        "OtherIdentity" => Unmet::OtherIdentity,
        "OtherBoot" => Unmet::OtherBoot,
        "TooLate" => Unmet::TooLate,
        "StopMark" => Unmet::StopMark,
        "Marker" => Unmet::Marker,
        "NotUp" => Unmet::NotUp(detail?.parse::<NodeName>().ok()?),
        "NoView" => Unmet::NoView,
        "Storage" => Unmet::Storage,
        "OtherBuild" => Unmet::OtherBuild(detail?.parse::<Build>().ok()?),
        "Quorum" => Unmet::Quorum,
        "SetupRunning" => Unmet::SetupRunning,
        "NotStaged" => Unmet::NotStaged,
        "OtherWorker" => Unmet::OtherWorker,
        "CommitSpent" => Unmet::CommitSpent,
        "Committed" => Unmet::Committed,
        "Busy" => Unmet::Busy,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use drydock_model::desired::{Target, Version};
    use drydock_model::ids::{EntryId, Epoch, NodeId};
    use drydock_model::order::Expect;
    use drydock_model::time::Millis;
    use expect_test::{Expect as Golden, expect};

    fn order(step: Step, source: BitsSource) -> Order {
        let place = Place { epoch: Epoch { number: 3, nonce: "ab12".parse().unwrap() }, seq: 8 };
        let entry = EntryId { cluster: "hospital-north".parse().unwrap(), place };
        let work = Work {
            step,
            target: Target { version: Version::V23H2, revision: 1_611 },
            attempt: 2,
            source,
            failback: FailbackMode::Policy,
            small_allocations: true,
        };
        let expect = Expect {
            marker: MarkerExpected::Ours("3.ab12/1".parse().unwrap()),
            others_up: true,
            storage: StorageExpected::OwnDamageOnly,
            build: Some("20349.3692".parse().unwrap()),
            quorum: true,
        };
        Order::step(entry, node(), work, expect, "9f2c".parse().unwrap(), Millis::minutes(5))
    }

    fn node() -> NodeId {
        NodeId {
            name: "N01".parse().unwrap(),
            machine: "4c4c4544".parse().unwrap(),
            cluster: "1c0e4c57".parse().unwrap(),
            node: "1".parse().unwrap(),
        }
    }

    fn check(order: &Order, golden: &Golden) {
        let call = call(order).unwrap();
        let lines: Vec<String> = call.arguments.iter().map(|(name, value)| format!("{name} {value}")).collect();
        golden.assert_eq(&format!("{}\n{}", call.script, lines.join("\n")));
    }

    #[test]
    fn an_order_becomes_its_script_and_named_values() {
        check(
            &order(Step::Install, BitsSource::Media { path: "D:\\Media\\23H2 '; exit".to_owned() }),
            &expect![[r#"
                order-install
                Attempt 2
                Boot "9f2c"
                ClusterId "1c0e4c57"
                ClusterNode "1"
                Digest "565b7bec4c73c51feb96630930e547bf2a4cdd37cc363999b81e325f74381a2c"
                EntryCluster "hospital-north"
                EpochNonce "ab12"
                EpochNumber 3
                ExpectBuild "20349.3692"
                ExpectMarker "3.ab12/1"
                ExpectOthersUp true
                ExpectQuorum true
                ExpectStorage "OwnDamageOnly"
                Machine "4c4c4544"
                MediaPath "D:\\Media\\23H2 '; exit"
                NodeName "N01"
                NotAfterMs 300000
                Seq 8
                SourceKind "Media"
                Target "23H2 (25398.1611 or later)""#]],
        );
    }

    #[test]
    fn each_step_has_a_script_and_what_it_needs() {
        let told = |step| {
            let call = call(&order(step, BitsSource::WindowsUpdate))?;
            let common = common(&order(step, BitsSource::WindowsUpdate));
            let own: Vec<String> =
                call.arguments.into_iter().filter(|(n, _)| !common.contains_key(n)).map(|(n, v)| format!("{n}={v}")).collect();
            Some(format!("{} {}", call.script, own.join(" ")))
        };
        let all: Vec<String> = Step::ALL.into_iter().filter_map(told).collect();
        expect![[r#"
            order-registry Attempt=2 SmallAllocations=true Target="23H2 (25398.1611 or later)"
            order-vacate Attempt=2 Target="23H2 (25398.1611 or later)"
            order-reboot Attempt=2 Target="23H2 (25398.1611 or later)"
            order-install Attempt=2 SourceKind="WindowsUpdate" Target="23H2 (25398.1611 or later)"
            order-restart Attempt=2 Target="23H2 (25398.1611 or later)"
            order-return Attempt=2 Failback="Policy" Target="23H2 (25398.1611 or later)""#]]
        .assert_eq(&all.join("\n"));
        assert_eq!(call(&order(Step::Settle, BitsSource::WindowsUpdate)), None);
    }

    #[test]
    fn a_fence_carries_the_marker_that_is_written_back_and_a_cancel_nothing() {
        let entry = order(Step::Vacate, BitsSource::WindowsUpdate).entry;
        let marker = Marker { vacate: entry.place.clone(), state: MarkerState::Suspended };
        let fence = call(&Order::fence(entry.clone(), node(), Some(marker))).unwrap();
        assert_eq!((&fence.arguments["Marker"], &fence.arguments["MarkerState"]), (&json!("3.ab12/8"), &json!("Suspended")));
        assert_eq!((&fence.arguments["Boot"], &fence.arguments["NotAfterMs"]), (&json!(""), &json!(-1)));
        let cancel = call(&Order::cancel(entry, node())).unwrap();
        assert_eq!((cancel.script, cancel.arguments.contains_key("Marker")), ("order-cancel", false));
    }

    #[test]
    fn every_receipt_is_understood() {
        let read = |receipt: &str, unmet: Value, detail: &str, newer: Value| {
            super::receipt(&json!({"receipt": receipt, "unmet": unmet, "detail": detail, "newer": newer}))
        };
        assert_eq!(read("Applied", Value::Null, "", Value::Null), Ok(Receipt::Applied));
        assert_eq!(read("PlatformRefused", Value::Null, "5987\n!", Value::Null), Ok(Receipt::PlatformRefused("5987 !".to_owned())));
        assert_eq!(read("Fenced", Value::Null, "", json!("4.cd/0")), Ok(Receipt::Fenced { newer: "4.cd/0".parse().unwrap() }));
        assert_eq!(read("Refused", json!("NotUp"), "N02", Value::Null), Ok(Receipt::Refused(Unmet::NotUp("N02".parse().unwrap()))));
        assert_eq!(
            read("Refused", json!("OtherBuild"), "25398.1", Value::Null),
            Ok(Receipt::Refused(Unmet::OtherBuild("25398.1".parse().unwrap())))
        );
        let plain = [
            ("Garbled", Unmet::Garbled),
            ("OtherOrderConsumed", Unmet::OtherOrderConsumed),
            ("OtherClaim", Unmet::OtherClaim),
            ("OtherIdentity", Unmet::OtherIdentity),
            ("OtherBoot", Unmet::OtherBoot),
            ("TooLate", Unmet::TooLate),
            ("StopMark", Unmet::StopMark),
            ("Marker", Unmet::Marker),
            ("NoView", Unmet::NoView),
            ("Storage", Unmet::Storage),
            ("Quorum", Unmet::Quorum),
            ("SetupRunning", Unmet::SetupRunning),
            ("NotStaged", Unmet::NotStaged),
            ("OtherWorker", Unmet::OtherWorker),
            ("CommitSpent", Unmet::CommitSpent),
            ("Committed", Unmet::Committed),
            ("Busy", Unmet::Busy),
        ];
        for (word, unmet) in plain {
            assert_eq!(read("Refused", json!(word), "", Value::Null), Ok(Receipt::Refused(unmet)), "{word}");
        }
    }

    #[test]
    fn a_receipt_that_is_none_is_told_and_never_taken_for_one() {
        let told = |answer: Value| super::receipt(&answer).unwrap_err();
        assert_eq!(told(json!({})), "it names no receipt");
        assert_eq!(told(json!({"receipt": "Appl\u{1b}ied"})), "the receipt Appl ied is not known");
        assert_eq!(told(json!({"receipt": "Refused"})), "the refusal gives no reason");
        assert_eq!(told(json!({"receipt": "Refused", "unmet": "Tired"})), "the reason Tired is not known");
        assert_eq!(told(json!({"receipt": "Refused", "unmet": "NotUp", "detail": "N02;x"})), "the reason NotUp is not known");
        assert_eq!(told(json!({"receipt": "Fenced", "newer": "4"})), "the newer fence is no place");
    }
}
