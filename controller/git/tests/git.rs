//! The crate against real repositories: its own, and those of the git program.

#![allow(clippy::print_stdout, reason = "a test that cannot run here says so")]

mod git {
    mod chain;
    mod commits;
    mod damage;
    mod mirror;
    mod network;
    mod push;
    mod races;
    mod reading;
    mod refused_places;
    mod ssh;
    mod stage;
    mod watch;
}
