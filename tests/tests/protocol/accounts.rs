//! Rule 29: accounts. The lab's nodes have none, so what can be said here is only what the planner makes of an answer that blames the secret.

use drydock_model::fact::{Fact, Gap};
use drydock_model::observed::NodeFacts;
use drydock_tests::situation::{Case, four};

#[test]
fn rule_29_status_names_an_account_that_a_node_refused_and_nothing_begins() {
    let mut case = four();
    *case.node(2) = NodeFacts::unknown(&Gap::AuthenticationFailed("credential north: the account is locked out".to_owned()));
    assert_eq!(case.says(), "wait for N02: build: authentication failed: credential north: the account is locked out");
    let mut out = Case::out();
    out.node(1).memory = Fact::Unknown(Gap::AuthenticationFailed("credential north: the account is locked out".to_owned()));
    assert_eq!(out.says(), "wait for N01: memory of orders: authentication failed: credential north: the account is locked out");
}
