//! The binary `drydock`; everything it does stands in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    drydock::main()
}
