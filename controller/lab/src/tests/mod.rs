//! What the lab claims, beside its code.

mod admission;
mod cluster;
mod faults;
mod hand;
mod process;
mod rolling;
mod sim;
mod store;
