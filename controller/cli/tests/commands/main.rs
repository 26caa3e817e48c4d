//! The commands as people type them, over a small fleet in a temporary folder: a bare repository with a fleet and a status branch, and a clone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on shall stop")]

mod adopting;
mod beginning;
mod fleet_file;
mod harness;
mod nodes;
mod offering;
mod planning;
mod reading;
mod speaking;
mod validating;
