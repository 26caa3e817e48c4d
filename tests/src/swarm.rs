//! Many worlds, drawn from seeds.
