//! Simulated clusters, at the level of orders: what nodes remember, how a cluster votes, drains, stores and heals, and what goes wrong.
//!
//! Never reads a clock and never draws chance from outside: the same seed and the same orders give the same run, byte for byte. What Microsoft
//! documents is modelled as documented and names its article; what nobody documents is drawn from the seed.
//!
//! [`Lab`] is the truth. [`sim`] brings the engine's ports over it for simulation in one process; [`process`] serves it over a socket.

mod cluster;
mod config;
mod dice;
mod durations;
mod effect;
mod fault;
mod lab;
mod node;
mod observe;
pub mod process;
pub mod sim;
mod truth;

pub use config::ClusterConfig;
pub use dice::Dice;
pub use durations::Durations;
pub use effect::{Cause, Did, Effect};
pub use fault::{Fault, FaultError, Planned};
pub use lab::Lab;
pub use node::admit::{Admission, LocalView, State, admit, still};
pub use node::rules::{Rule, Rules};
pub use truth::{Catastrophe, Truth, What};

#[cfg(test)]
mod tests;
