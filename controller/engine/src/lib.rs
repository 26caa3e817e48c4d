//! The lap, the ports it works through, pacing and error handling.

pub mod handling;
pub mod lap;
pub mod pace;
pub mod ports;
pub mod run;
