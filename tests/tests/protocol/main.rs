//! The thirty rules of the protocol, each by number and claim. tests/README.md says how each was shown to fail when its rule is taken out.

mod accounts;
mod beginning;
mod claims;
mod closing;
mod disk;
mod joins;
mod lost;
mod memory;
mod pushing;
mod restart;
mod schema;
mod stop;
mod strangers;
mod way_back;
mod words;
mod worker;

/// Where the tests of the rules are, and where they are listed.
const SOURCES: [&str; 16] = [
    include_str!("accounts.rs"),
    include_str!("beginning.rs"),
    include_str!("claims.rs"),
    include_str!("closing.rs"),
    include_str!("disk.rs"),
    include_str!("joins.rs"),
    include_str!("lost.rs"),
    include_str!("memory.rs"),
    include_str!("pushing.rs"),
    include_str!("restart.rs"),
    include_str!("schema.rs"),
    include_str!("stop.rs"),
    include_str!("strangers.rs"),
    include_str!("way_back.rs"),
    include_str!("words.rs"),
    include_str!("worker.rs"),
];

#[test]
fn every_rule_has_a_test_and_every_test_stands_in_the_readme() {
    let readme = include_str!("../../README.md");
    let names: Vec<&str> = SOURCES
        .iter()
        .flat_map(|source| source.lines())
        .filter_map(|line| line.strip_prefix("fn ")?.strip_suffix("() {"))
        .filter(|name| name.starts_with("rule_"))
        .collect();
    for number in 1..=30 {
        assert!(names.iter().any(|name| name.starts_with(&format!("rule_{number:02}_"))), "rule {number} has no test");
    }
    for name in names {
        assert!(readme.contains(&format!("`{name}`")), "{name} is not in tests/README.md");
    }
}
