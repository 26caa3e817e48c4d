//! What the tests of the whole share: simulated fleets, and judging them by what the lab knows.

pub mod abstraction;
pub mod binary;
pub mod hand;
pub mod home;
pub mod judge;
pub mod node;
mod questions;
pub mod repository;
pub mod sim;
pub mod situation;
pub mod stack;
pub mod swarm;
pub mod touch;

/// Says that a test is left out, and why. To the handle itself: what goes through the macros is shown of failed tests only.
pub fn left_out(test: &str, why: &str) {
    use std::io::Write;
    // Nobody to tell it to is no reason to fail.
    let _ = std::io::stderr().write_all(format!("LEFT OUT: {test}: {why}\n").as_bytes());
}
