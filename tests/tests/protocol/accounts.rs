//! Rule 29: accounts. The lab's nodes have none, so what can be said here is only what the planner makes of an answer that blames the secret.

use drydock_model::fact::{Fact, Gap};
use drydock_model::observed::NodeFacts;
use drydock_tests::situation::{Case, four};

#[test]
fn rule_29_status_names_an_account_that_a_node_refused_and_nothing_begins() {
    let mut case = four();
    *case.node(2) = NodeFacts::unknown(&Gap::AuthenticationFailed);
    assert_eq!(case.says(), "wait for N02: build: authentication failed");
    let mut out = Case::out();
    out.node(1).memory = Fact::Unknown(Gap::AuthenticationFailed);
    assert_eq!(out.says(), "wait for N01: memory of orders: authentication failed");
}
