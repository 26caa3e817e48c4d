//! Problems as people read them: with the line, a caret, and what to do.

use crate::diagnostic::{Diagnostic, Severity};
use crate::keys::names_a_secret;
use crate::similar::is_invisible;
use crate::tree::without_mark;
use annotate_snippets::{Annotation, AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Text alone, for logs and files.
    Plain,
    /// With colours, for a terminal.
    Coloured,
}

/// The problems of one file. `source` is the file's text; lines that could hold a secret are shown without it.
pub fn render(problems: &[Diagnostic], source: &str, look: Look) -> String {
    let source = mask(without_mark(source));
    let renderer = match look {
        Look::Plain => Renderer::plain(),
        Look::Coloured => Renderer::styled(),
    };
    let mut text = String::new();
    for problem in problems {
        text.push_str(&renderer.render(&[group(problem, &source)]));
        text.push_str("\n\n");
    }
    text.truncate(text.trim_end().len());
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

fn group<'a>(problem: &'a Diagnostic, source: &'a str) -> annotate_snippets::Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(normalize_untrusted_str(&problem.message)).id(problem.code.to_string());
    let file = visible(&problem.file);
    let mut group = match &problem.place {
        Some(place) => {
            let mark = |kind: AnnotationKind, bytes: &std::ops::Range<usize>| -> Annotation<'a> {
                let end = bytes.end.min(source.len());
                kind.span(bytes.start.min(end)..end)
            };
            let snippet = Snippet::source(source).path(file).annotation(mark(AnnotationKind::Primary, &place.bytes));
            match &problem.related {
                Some((other, label)) => {
                    title.element(snippet.annotation(mark(AnnotationKind::Context, &other.bytes).label(label.as_str())))
                }
                None => title.element(snippet),
            }
        }
        None => title.element(annotate_snippets::Origin::path(file)),
    };
    if let Some(hint) = &problem.hint {
        group = group.element(Level::HELP.message(normalize_untrusted_str(hint)));
    }
    group
}

/// A path on one line: what cannot be seen in it is written as it would be typed.
pub(crate) fn visible(path: &str) -> String {
    let shown = |c: char| if is_invisible(c) || c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    path.chars().map(shown).collect()
}

/// The same text, byte for byte as long, with something to see in place of what cannot be seen, and without what looks like a secret.
fn mask(source: &str) -> String {
    let mut seen = String::with_capacity(source.len());
    for c in source.chars() {
        match c.len_utf8() {
            _ if !is_invisible(c) => seen.push(c),
            // The sign for what cannot be shown is three bytes long.
            3 => seen.push('\u{fffd}'),
            length => seen.extend(std::iter::repeat_n('?', length)),
        }
    }
    without_secrets(&seen)
}

/// Hides the value behind a field that names a secret, the lines below it that are indented deeper, private keys, and passwords in addresses (law
/// S16).
fn without_secrets(source: &str) -> String {
    let mut masked = String::with_capacity(source.len());
    let mut hide_below: Option<usize> = None;
    let mut in_key = false;
    for line in source.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        if hide_below.is_some_and(|outer| indent <= outer && !line.trim().is_empty()) {
            hide_below = None;
        }
        in_key |= line.contains("PRIVATE KEY");
        let from = if hide_below.is_some() || in_key {
            Some(indent)
        } else if let Some(after) = secret_at(line) {
            hide_below = Some(indent);
            Some(after)
        } else {
            line.find("://").filter(|at| line[*at..].contains('@')).map(|at| at + 3)
        };
        in_key &= !line.contains("-----END");
        match from {
            Some(from) => {
                masked.push_str(&line[..from]);
                masked.extend(line[from..].bytes().map(|b| if b == b'\n' || b == b'\r' { char::from(b) } else { '*' }));
            }
            None => masked.push_str(line),
        }
    }
    masked
}

/// Where the value behind a field that names a secret begins on this line.
fn secret_at(line: &str) -> Option<usize> {
    let mut start = 0;
    for (at, _) in line.match_indices(':') {
        let word = line[start..at].rsplit(['{', ',', ' ', '\t', '-']).next().unwrap_or("");
        // The dash is a part of names too: `api-key`.
        let whole = line[start..at].rsplit(['{', ',', ' ', '\t']).next().unwrap_or("");
        // What stands in the place of a credential's name, and is none, could be the secret.
        let value = line[at + 1..].trim().trim_matches(['"', '\'', '}']);
        let no_name = whole == "credential" && !value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if names_a_secret(word) || names_a_secret(whole) || no_name {
            return Some(at + 1);
        }
        start = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_shown() {
        let check = |text: &str, shown: &str| {
            assert_eq!(mask(text), shown);
            assert_eq!(mask(text).len(), text.len());
        };
        check("a: b\npassword: hunter2\nc: d\n", "a: b\npassword:********\nc: d\n");
        check("x: {user: y, api-key: zz}\n", "x: {user: y, api-key:****\n");
        check("  secret: |\n    one\n\n    two\n  next: 1\n", "  secret:**\n    ***\n\n    ***\n  next: 1\n");
        check("r: https://u:p@host/x\n", "r: https://**********\n");
        check("pwd: ü\n", "pwd:***\n");
        check("a: x\u{200b}y\u{7f}z\u{e0041}\n", "a: x\u{fffd}y?z????\n");
        check("credential: P@ss\n", "credential:*****\n");
        check("credential: ops-north\n", "credential: ops-north\n");
    }

    #[test]
    fn a_path_with_a_newline_stays_on_its_line() {
        let problem = Diagnostic::whole_file(crate::code::Code::NotAFile, "clusters/a\nb\u{202e}.yaml", "is no file");
        assert!(render(std::slice::from_ref(&problem), "", Look::Plain).contains("--> clusters/a\\nb\\u{202e}.yaml\n"));
        assert!(problem.to_string().starts_with("clusters/a\\nb\\u{202e}.yaml: error"));
    }
}
