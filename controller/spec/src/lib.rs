//! What people write and what they are told: YAML read with places, checked against the shapes and the laws, and the JSON Schemas of all of it.
//!
//! A file becomes a [`ClusterSpec`] or a [`Fleet`] in four passes, and every pass goes on as far as it can, so that all problems of a file are
//! told at once:
//!
//! 1. [`tree`]: the text becomes a tree in which every key and value knows its place. Limits on size, depth and number; no anchors, no tags.
//! 2. [`structure`]: the tree is compared with the JSON Schema that editors use: unknown, missing and mistyped fields.
//! 3. [`read`]: each value is read for what it means, and the whole for what the laws forbid.
//! 4. [`yaml`]: a second, unrelated reader must say the same of the file.
//!
//! Nothing here reads a file, a clock or the network: a text that is good today is good tomorrow.

pub mod code;
pub mod diagnostic;
pub mod duration;
pub mod fleet;
pub mod keys;
pub mod read;
pub mod render;
pub mod schema;
pub mod shape;
pub mod similar;
pub mod structure;
pub mod tree;
pub mod wire;
pub mod yaml;

pub use code::Code;
pub use diagnostic::{Diagnostic, Place, Severity, Told};
pub use drydock_model::connection::{Connection, Transport};
pub use fleet::check_fleet;
pub use read::cluster::{ClusterSpec, frozen, parse_cluster};
pub use read::defaults::{Defaults, Fleet, StatusHome};
pub use read::fleet::parse_fleet;
pub use render::{Look, render};
pub use schema::schemas;
