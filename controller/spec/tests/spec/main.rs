//! The spec crate from outside: the example files, bad files and what is said of them, the schemas, and files damaged at random.

mod agreement;
mod bad_fleets;
mod bad_values;
mod bad_yaml;
mod damage;
mod examples;
mod good;
mod pages;
mod reference;
mod support;
