//! The thirty rules of the protocol, each by number and claim. tests/README.md says how each was shown to fail when its rule is taken out.

mod accounts;
mod beginning;
mod claims;
mod closing;
mod memory;
mod pushing;
mod restart;
mod schema;
mod stop;
mod way_back;
mod worker;
