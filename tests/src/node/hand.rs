//! The orders of a careful hand: what a controller would send to a stub node, without one.

use super::{Host, StubCluster, orders, receipt};
use crate::node::ScriptError;
use drydock_model::ids::{EntryId, NodeId, Place};
use drydock_model::observed::Marker;
use drydock_model::order::{Act, Expect, MarkerExpected, Order, Receipt, StorageExpected, Work};
use drydock_model::step::Step;
use drydock_model::time::Millis;
use serde_json::{Value, json};

impl StubCluster {
    /// A place under the claim.
    pub fn place(&self, seq: u32) -> Place {
        Place { epoch: self.epoch.clone(), seq }
    }

    /// The same as an entry.
    pub fn entry(&self, seq: u32) -> EntryId {
        EntryId { cluster: "c".parse().expect("a name"), place: self.place(seq) }
    }

    /// What a step asks.
    pub fn work(&self, step: Step) -> Work {
        Work {
            step,
            target: "23H2".parse().expect("a target"),
            attempt: self.attempt,
            source: drydock_model::desired::BitsSource::WindowsUpdate,
            failback: drydock_model::desired::FailbackMode::Immediate,
            small_allocations: true,
        }
    }

    /// The next order, with nothing expected.
    pub fn bare(&mut self, node: &str, step: Step) -> Order {
        self.seq += 4;
        let seen = self.look(node);
        self.order_by(&seen, step)
    }

    /// What an order is planned by.
    fn look(&mut self, node: &str) -> Value {
        self.part(node, "all")
    }

    fn order_by(&self, seen: &Value, step: Step) -> Order {
        let up = seen["upMs"].as_u64().unwrap_or_else(|| panic!("{seen}"));
        let id = seen["id"].as_str().unwrap_or_else(|| panic!("{seen}")).parse().expect("a boot");
        let identity = orders::identity(&seen["identity"]);
        Order::step(self.entry(self.seq), identity, self.work(step), Expect::NOTHING, id, Millis(up).plus(Millis::minutes(5)))
    }

    /// The next order, with everything expected that its step needs.
    pub fn order(&mut self, node: &str, step: Step) -> Order {
        self.seq += 4;
        let seen = self.look(node);
        let mut order = self.order_by(&seen, step);
        let marker = seen["memory"]["marker"]["vacate"].as_str().and_then(|place| place.parse().ok());
        let ours = marker.map_or(MarkerExpected::Absent, MarkerExpected::Ours);
        order.expect = match step {
            Step::WriteRegistry | Step::Settle => Expect::NOTHING,
            Step::Vacate => {
                Expect { marker: MarkerExpected::Absent, others_up: true, storage: StorageExpected::Settled, build: None, quorum: true }
            }
            Step::Reboot | Step::Install | Step::Restart => {
                Expect { marker: ours, others_up: true, storage: StorageExpected::OwnDamageOnly, build: None, quorum: true }
            }
            Step::Return => Expect { marker: ours, ..Expect::NOTHING },
        };
        order
    }

    /// A fence at the next place.
    pub fn fence(&mut self, node: &str, marker: Option<Marker>) -> Order {
        self.seq += 4;
        let id = self.id(node);
        Order::fence(self.entry(self.seq), id, marker)
    }

    /// A Cancel at the next place.
    pub fn cancel(&mut self, node: &str) -> Order {
        self.seq += 4;
        let id = self.id(node);
        Order::cancel(self.entry(self.seq), id)
    }

    /// Another order with the entry, boot and limit of this one.
    pub fn instead(&self, order: &Order, step: Step) -> Order {
        let (Some(boot), Some(limit)) = (order.boot.clone(), order.not_after) else { panic!("no step") };
        Order::step(order.entry.clone(), order.node.clone(), self.work(step), Expect::NOTHING, boot, limit)
    }

    /// The same work under another entry and identity.
    pub fn under(&self, order: &Order, entry: EntryId, node: NodeId) -> Order {
        let Act::Step(work) = order.act.clone() else { panic!("no step") };
        let (Some(boot), Some(limit)) = (order.boot.clone(), order.not_after) else { panic!("no step") };
        Order::step(entry, node, work, order.expect.clone(), boot, limit)
    }

    /// Sends an order to its own node.
    pub fn send(&mut self, order: &Order) -> Receipt {
        let node = order.node.name.to_string();
        self.send_to(&node, order).unwrap_or_else(|why| panic!("{order}: {why}"))
    }

    /// Sends an order to a node; an error when its script ended without a receipt.
    pub fn send_to(&mut self, node: &str, order: &Order) -> Result<Receipt, ScriptError> {
        let answer = self.run(node, orders::script(order), orders::arguments(order))?;
        Ok(receipt(&answer))
    }

    /// Sends the next order of a step.
    pub fn gives(&mut self, node: &str, step: Step) -> Receipt {
        let order = self.order(node, step);
        self.send(&order)
    }

    /// The node is taken out.
    pub fn vacated(&mut self, node: &str) {
        assert_eq!(self.gives(node, Step::Vacate), Receipt::Started);
        self.until(node, "drain", json!("Completed"));
    }

    /// The node is taken out, and its worker stages.
    pub fn installing(&mut self, node: &str) {
        self.vacated(node);
        assert_eq!(self.gives(node, Step::Install), Receipt::Started);
        self.until_worker(node, &["Staging", "Staged"]);
    }

    /// The node is taken out, and everything is staged.
    pub fn staged(&mut self, node: &str) {
        self.installing(node);
        self.until_worker(node, &["Staged"]);
    }

    /// The node went down and has come back, joined, after so many boots.
    pub fn back(&mut self, node: &str) {
        self.until(node, "on", json!(false));
        self.until(node, "joined", json!(true));
        self.drop_host(node);
    }
}

impl Host {
    /// Sends an order through this very session.
    pub fn send(&mut self, order: &Order) -> Receipt {
        let answer = self.run(orders::script(order), orders::arguments(order));
        receipt(&answer.unwrap_or_else(|why| panic!("{order}: {why}")))
    }
}
