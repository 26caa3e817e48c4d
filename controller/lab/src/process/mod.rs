//! The lab as a process of its own, so that controllers can be killed and started beside it: JSON lines over a Unix socket, one question and one
//! answer after the other on each connection.
//!
//! Nothing is kept on disk: the lab outlives its controllers, and ends by itself once nobody has been connected for a while.

mod client;
mod clock;
mod server;
mod wire;

pub use client::{CallError, Client, Held};
pub use clock::ScaledClock;
pub use server::{Limits, ServeError, serve};
pub use wire::{ClusterStatus, Status};
