//! The vocabulary of Drydock: what a cluster shall be, what was seen of it, what is decided and ordered, and what the ledger remembers.
//!
//! Pure: reads no clock, no file, no network. Everything else imports this; this imports nothing of ours.

pub mod connection;
pub mod desired;
pub mod fact;
pub mod ids;
pub mod ledger;
pub mod observed;
pub mod order;
pub mod paths;
pub mod plan;
pub mod step;
pub mod time;
pub mod window;
