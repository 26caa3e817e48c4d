//! `drydock validate`: all that is wrong with files, with carets.

use super::{API_VERSION, say_json};
use crate::Context;
use crate::args::{Form, Validate};
use crate::exit::{Exit, Failure};
use crate::files::{Desired, Files};
use crate::setup;
use drydock_spec::wire::answer::ValidateAnswer;
use drydock_spec::wire::config;
use drydock_spec::{Diagnostic, Look, Severity, Told, render};
use std::io::Read;
use std::path::{Path, PathBuf};

pub(super) fn run(args: &Validate, context: &mut Context) -> Result<Exit, Failure> {
    let paths: Vec<PathBuf> = args.paths.iter().map(|p| context.directory.join(p)).collect();
    if let [file] = paths.as_slice()
        && let Some(bytes) = configuration(file)
    {
        return one_configuration(args, context, file, &bytes);
    }
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|p| p.is_dir());
    let found = match (folders.as_slice(), files.is_empty()) {
        ([folder], true) => Files::of_folder(folder)?,
        ([], false) => Files::of_paths(&files)?,
        (_, _) => {
            let todo = "name the folder of one fleet repository, or files of one";
            return Err(Failure::new(Exit::Usage, "several folders, or folders and files, cannot be checked at once", todo));
        }
    };
    if found.found.is_empty() {
        let todo = "name the folder that holds fleet.yaml and clusters/, or a file of it";
        return Err(Failure::new(Exit::Usage, "there is no fleet.yaml and no clusters/**.yaml here", todo));
    }
    let desired = Desired::check(found);
    let exit = if desired.any_error() { Exit::Found } else { Exit::Fine };
    match args.output {
        Form::Json => {
            let problems = desired.diagnostics().map(Diagnostic::told).collect();
            answer(context, desired.files, problems)?;
        }
        Form::Text => {
            let text = desired.render(context.output.coloured());
            if !text.is_empty() {
                context.output.say(text.trim_end());
                context.output.say("");
            }
            if !desired.guided {
                context
                    .output
                    .say("fleet.yaml does not count, so the clusters' files were checked without it; check again when it is mended");
                context.output.say("");
            }
            let (errors, warnings) = desired.count();
            context.output.say(&summary(desired.files, errors, warnings));
        }
    }
    Ok(exit)
}

/// `3 files: 1 error, 2 warnings`.
pub(super) fn summary(files: usize, errors: usize, warnings: usize) -> String {
    let many = |n: usize, word: &str| if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") };
    match (errors, warnings) {
        (0, 0) => format!("{}: all good", many(files, "file")),
        (0, w) => format!("{}: good, {}", many(files, "file"), many(w, "warning")),
        (e, 0) => format!("{}: {}", many(files, "file"), many(e, "error")),
        (e, w) => format!("{}: {}, {}", many(files, "file"), many(e, "error"), many(w, "warning")),
    }
}

fn answer(context: &mut Context, files: usize, problems: Vec<Told>) -> Result<(), Failure> {
    say_json(context, &ValidateAnswer { api_version: API_VERSION.to_owned(), kind: "Validation".to_owned(), files, problems })
}

/// The content of a file that says it is a controller's configuration.
fn configuration(file: &Path) -> Option<Vec<u8>> {
    // What is no file may have no end.
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(file).ok()?.take(setup::MOST_FILE).read_to_end(&mut bytes).ok()?;
    setup::says_configuration(&bytes).then_some(bytes)
}

fn one_configuration(args: &Validate, context: &mut Context, file: &Path, bytes: &[u8]) -> Result<Exit, Failure> {
    let shown = file.strip_prefix(&context.directory).unwrap_or(file).display().to_string();
    let (_, problems) = config::parse(&shown, file.parent().unwrap_or(Path::new("")), bytes);
    let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
    match args.output {
        Form::Json => answer(context, 1, problems.iter().map(Diagnostic::told).collect())?,
        Form::Text => {
            let look = if context.output.coloured() { Look::Coloured } else { Look::Plain };
            let text = render(&problems, &String::from_utf8_lossy(bytes), look);
            if !text.is_empty() {
                context.output.say(&text);
            }
            context.output.say(&summary(1, errors, problems.len() - errors));
        }
    }
    Ok(if errors > 0 { Exit::Found } else { Exit::Fine })
}
