//! The binary `drydock`.

fn main() {}
