//! One problem of one file: what, where, and what to do.

use crate::code::Code;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;
use std::ops::Range;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file does not count.
    Error,
    /// The file counts; a person should know.
    Warning,
}

/// Where in a file something stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// In bytes of the text as given.
    pub bytes: Range<usize>,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, as a code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// The file's path in the repository.
    pub file: String,
    /// Where; `None` when the whole file is meant.
    pub place: Option<Place>,
    /// What is wrong, in words. Never holds a value that could be a secret.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Another place that belongs to it, and why.
    pub related: Option<(Place, String)>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: Code, file: &str, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic { place: Some(place), ..Diagnostic::whole_file(code, file, message) }
    }

    /// A warning at a place.
    pub fn warning(code: Code, file: &str, place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, file, place, message) }
    }

    /// An error of the whole file.
    pub fn whole_file(code: Code, file: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            file: file.to_owned(),
            place: None,
            message: message.into(),
            hint: None,
            related: None,
        }
    }

    /// With what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    /// With another place.
    #[must_use]
    pub fn related(mut self, place: Place, label: impl Into<String>) -> Diagnostic {
        self.related = Some((place, label.into()));
        self
    }
}

/// A problem as `-o json` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// `DD0201`.
    pub code: String,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The file's path in the repository.
    pub file: String,
    /// From 1; absent when the whole file is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// From 1, in characters; absent when the whole file is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What is wrong, in words.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Diagnostic {
    /// As `-o json` tells it.
    pub fn told(&self) -> Told {
        Told {
            code: self.code.to_string(),
            severity: self.severity.word(),
            file: self.file.clone(),
            line: self.place.as_ref().map(|p| p.line),
            column: self.place.as_ref().map(|p| p.column),
            message: self.message.clone(),
            hint: self.hint.clone(),
        }
    }
}

impl Severity {
    /// `error` or `warning`.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One line, for a status file or a log: `clusters/a.yaml:3:7: error DD0201: …; …`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::render::visible(&self.file))?;
        if let Some(place) = &self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        write!(f, ": {} {}: {}", self.severity.word(), self.code, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// Characters of one message. Names and words of the file are quoted in messages, and messages go into commits.
const MOST_MESSAGE: usize = 600;

fn cut(message: String) -> String {
    match message.char_indices().nth(MOST_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message,
    }
}

/// The problems of one file, collected. Bounded: what is left out is said.
#[derive(Debug)]
pub struct Problems {
    file: String,
    found: Vec<Diagnostic>,
    left_out: usize,
}

/// Problems told of one file. Whoever has more fixes the first ones first; it also bounds what is rendered and written into a status.
pub const MOST_PROBLEMS: usize = 50;

impl Problems {
    /// None yet.
    pub fn new(file: &str) -> Problems {
        Problems { file: file.to_owned(), found: Vec::new(), left_out: 0 }
    }

    /// The file they are of.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// One more.
    pub fn push(&mut self, problem: Diagnostic) {
        if self.found.len() < MOST_PROBLEMS {
            self.found.push(Diagnostic { message: cut(problem.message), hint: problem.hint.map(cut), ..problem });
        } else {
            self.left_out += 1;
        }
    }

    /// One more error.
    pub fn error(&mut self, code: Code, place: &Place, message: impl Into<String>) {
        self.push(Diagnostic::error(code, &self.file, place.clone(), message));
    }

    /// One more error, with what to do.
    pub fn error_with(&mut self, code: Code, place: &Place, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Diagnostic::error(code, &self.file, place.clone(), message).hint(hint));
    }

    /// One more warning, with what to do.
    pub fn warn(&mut self, code: Code, place: &Place, message: impl Into<String>, hint: impl Into<String>) {
        self.push(Diagnostic::warning(code, &self.file, place.clone(), message).hint(hint));
    }

    /// Whether the file cannot count.
    pub fn any_error(&self) -> bool {
        self.left_out > 0 || self.found.iter().any(|p| p.severity == Severity::Error)
    }

    /// All, in the file's order.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|p| (p.place.as_ref().map_or(0, |p| p.bytes.start), p.severity, p.code));
        if self.left_out > 0 {
            let message = format!("{} more problems are not shown", self.left_out);
            self.found.push(Diagnostic::whole_file(Code::MoreProblems, &self.file, message).hint("fix these first"));
        }
        self.found
    }
}
