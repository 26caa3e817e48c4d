//! `drydock demo`.

use crate::Context;
use crate::args::Demo;
use crate::exit::{Exit, Failure};

pub(super) fn run(args: &Demo, context: &mut Context) -> Result<Exit, Failure> {
    crate::demo::run(args, context)
}
