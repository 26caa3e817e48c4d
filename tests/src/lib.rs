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
