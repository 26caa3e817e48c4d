//! The crate against real repositories: its own, and those of the git program.

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
    mod stage;
    mod watch;
}
