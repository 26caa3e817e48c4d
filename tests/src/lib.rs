//! What the tests of the whole share: simulated fleets, and judging them by what the lab knows.

pub mod abstraction;
pub mod judge;
pub mod binary;
pub mod sim;
pub mod home;
pub mod swarm;
pub mod touch;
pub mod hand;
mod questions;
pub mod situation;
