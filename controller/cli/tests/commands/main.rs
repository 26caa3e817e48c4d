//! The commands as people type them, over a small fleet in a temporary folder: a bare repository with a fleet and a status branch, and a clone.

mod checking;
mod harness;
mod reading;
mod speaking;
