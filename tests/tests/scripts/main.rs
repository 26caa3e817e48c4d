//! The scripts of controller/windows/scripts on stub nodes (tests/node), under real PowerShell. Where there is no PowerShell each of these tests says by name
//! that it cannot run, with a count, and passes.

mod claims;
mod damage;
mod injection;
mod journey;
mod memory;
mod orders;
mod probes;
mod restart;
mod stuck;
mod twins;
mod way_back;
mod worker;
