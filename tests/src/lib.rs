//! What the tests of the whole share: simulated fleets, and judging them by what the lab knows.

pub mod sim;
