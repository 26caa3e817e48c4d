//! `drydock schema`: the JSON Schemas, for editors and tools.

use crate::Context;
use crate::args::Schema;
use crate::exit::{Exit, Failure};
use drydock_spec::schemas;

pub(super) fn run(args: &Schema, context: &mut Context) -> Result<Exit, Failure> {
    let all = schemas();
    let short = |file: &str| file.strip_suffix(".schema.json").unwrap_or(file).to_owned();
    let Some(name) = &args.name else {
        all.iter().for_each(|(file, _)| context.output.say(&short(file)));
        return Ok(Exit::Fine);
    };
    match all.iter().find(|(file, _)| *file == name || short(file) == *name) {
        Some((_, text)) => {
            context.output.write(text);
            Ok(Exit::Fine)
        }
        None => {
            let names: Vec<String> = all.iter().map(|(file, _)| short(file)).collect();
            Err(Failure::new(Exit::Usage, format!("there is no schema {name:?}"), format!("schemas are: {}", names.join(", "))))
        }
    }
}
