//! The commands as people type them, over a small fleet in a temporary folder: a bare repository with a fleet and a status branch, and a clone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod adopting;
mod checking;
mod harness;
mod nodes;
mod reading;
mod speaking;
