//! A YAML text as a tree in which every key and value knows its place.
//!
//! Only what a desired state needs is let in: one document of mappings, lists and scalars. Anchors, aliases and tags are refused, since they let a
//! text mean something else than it shows; so are characters that cannot be seen.

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Place, Problems};
use crate::similar::is_invisible;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

/// A file of 64 nodes with a comment to each line has a tenth of this; it bounds the time of everything behind it.
pub const MOST_BYTES: usize = 256 * 1024;
/// The shapes are six deep.
pub const MOST_DEPTH: usize = 12;
/// The largest sensible file has a few hundred values.
pub const MOST_VALUES: usize = 10_000;
/// Invisible characters told of one file, each with its place: whoever has more has another problem.
const MOST_INVISIBLE: usize = 5;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where.
    pub place: Place,
    /// What.
    pub value: Value,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A single value: its text as written, and what YAML takes it for.
    Scalar(String, Scalar),
    /// A list.
    List(Vec<Node>),
    /// Fields in the order of the file; of a name given twice, the first.
    Map(Vec<Field>),
}

/// What YAML takes a scalar for (the core schema of YAML 1.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// Nothing: `~`, `null`, or no text at all.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Another number.
    Float(f64),
    /// Any other text, and all that is quoted.
    Text,
}

/// A field of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub place: Place,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The field of that name, when this is a mapping that has it.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields().iter().find(|f| f.name == name)
    }

    /// The value of the field of that name, when this is a mapping that has it.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.field(name).map(|f| &f.value)
    }

    /// The fields, when this is a mapping.
    pub fn fields(&self) -> &[Field] {
        match &self.value {
            Value::Map(fields) => fields,
            Value::Scalar(..) | Value::List(_) => &[],
        }
    }

    /// The items, when this is a list.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            Value::Scalar(..) | Value::Map(_) => &[],
        }
    }

    /// The text, when this is one.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text, Scalar::Text) => Some(text),
            Value::Scalar(..) | Value::List(_) | Value::Map(_) => None,
        }
    }
}

/// Reads a text. What is wrong goes into `problems`; `None` when there is no tree to go on with. With it comes the text that places are places of.
pub fn read<'t>(bytes: &'t [u8], problems: &mut Problems) -> Option<(Node, &'t str)> {
    let text = decode(bytes, problems)?;
    tell_invisible(text, problems);
    // The parser panics nowhere that we know of; should it on some file, that file is lost, and not the controller.
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Builder::new(text, problems).document()));
    match read {
        Ok(root) => root.map(|root| (root, text)),
        Err(_) => {
            problems.push(Diagnostic::whole_file(Code::NotYaml, problems.file(), "cannot be read as YAML"));
            None
        }
    }
}

/// The text without the byte order mark that some editors on Windows put before it, which means nothing in UTF-8.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn decode<'t>(bytes: &'t [u8], problems: &mut Problems) -> Option<&'t str> {
    let file = problems.file().to_owned();
    if bytes.len() > MOST_BYTES {
        let message = format!("has {} bytes; at most {MOST_BYTES} are read", bytes.len());
        problems.push(Diagnostic::whole_file(Code::FileTooLarge, &file, message).hint("split it: one file for each cluster"));
        return None;
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(without_mark(text)),
        Err(error) => {
            let wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
            let message = format!("is not UTF-8: byte {} cannot be read", error.valid_up_to() + 1);
            let hint = if wide { "it is UTF-16; save it as UTF-8" } else { "save it as UTF-8" };
            problems.push(Diagnostic::whole_file(Code::NotUtf8, &file, message).hint(hint));
            None
        }
    }
}

fn tell_invisible(text: &str, problems: &mut Problems) {
    let lines = Lines::new(text);
    let found = text.char_indices().filter(|(_, c)| is_invisible(*c));
    for (at, c) in found.take(MOST_INVISIBLE) {
        let message = format!("the character U+{:04X} stands here, which cannot be seen or changes how others are shown", u32::from(c));
        problems.error_with(Code::InvisibleCharacter, &lines.place(at, at + c.len_utf8()), message, "delete it");
    }
}

/// Finds line and column of a byte.
pub(crate) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(crate) fn new(text: &'t str) -> Lines<'t> {
        let starts = std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1)).collect();
        Lines { text, starts }
    }

    pub(crate) fn place(&self, from: usize, to: usize) -> Place {
        let from = self.floor(from);
        let to = self.floor(to.max(from));
        let line = self.starts.partition_point(|s| *s <= from);
        let start = self.starts[line - 1];
        Place { line, column: self.text[start..from].chars().count() + 1, bytes: from..to }
    }

    fn floor(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        (0..=at).rev().find(|i| self.text.is_char_boundary(*i)).unwrap_or(0)
    }
}

struct Builder<'t, 'p> {
    parser: Parser<'t, StrInput<'t>>,
    lines: Lines<'t>,
    /// The byte at which each character begins, and the end; empty when every character is one byte.
    bytes: Vec<usize>,
    values: usize,
    problems: &'p mut Problems,
}

/// The file cannot be read further; why is among the problems.
struct Fatal;

impl<'t, 'p> Builder<'t, 'p> {
    fn new(text: &'t str, problems: &'p mut Problems) -> Builder<'t, 'p> {
        let bytes = if text.is_ascii() { Vec::new() } else { text.char_indices().map(|(i, _)| i).chain([text.len()]).collect() };
        Builder { parser: Parser::new_from_str(text), lines: Lines::new(text), bytes, values: 0, problems }
    }

    fn document(mut self) -> Option<Node> {
        self.one_document().ok().flatten()
    }

    fn one_document(&mut self) -> Result<Option<Node>, Fatal> {
        let mut root = None;
        // Bounded: every turn takes an event, and events are bounded by the file's size.
        loop {
            let (event, span) = self.event()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    let place = self.place(span);
                    self.problems.error_with(Code::SeveralDocuments, &place, "a second document begins here", "one file holds one cluster");
                    return Err(Fatal);
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.event()?;
                    root = Some(self.node(event, span, 1)?);
                }
                Event::Alias(_)
                | Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..)
                | Event::MappingEnd => {
                    let place = self.place(span);
                    self.problems.error(Code::NotYaml, &place, "is not YAML: a value outside of a document");
                    return Err(Fatal);
                }
            }
        }
        let empty = match &root {
            None => true,
            Some(root) => matches!(root.value, Value::Scalar(_, Scalar::Null)),
        };
        if empty {
            let file = self.problems.file().to_owned();
            self.problems
                .push(Diagnostic::whole_file(Code::Empty, &file, "says nothing").hint("delete it, or copy an example from specs/"));
            return Err(Fatal);
        }
        Ok(root)
    }

    fn event(&mut self) -> Result<(Event<'t>, Span), Fatal> {
        match self.parser.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(error)) => {
                let at = self.byte(error.marker().index());
                // The parser has a limit of its own, above ours.
                if error.info().contains("recursion limit") {
                    return Err(self.too_deep(&self.lines.place(at, at + 1)));
                }
                let tab = error.info().contains("tab") || self.lines.text[at..].starts_with('\t');
                let hint = if tab {
                    "indent with spaces, not with tabs"
                } else {
                    "check the indentation, the quotes and the brackets around this place"
                };
                let place = self.lines.place(at, at + 1);
                self.problems.error_with(Code::NotYaml, &place, format!("is not YAML: {}", error.info()), hint);
                Err(Fatal)
            }
            None => {
                let end = self.lines.text.len();
                self.problems.error(Code::NotYaml, &self.lines.place(end, end), "is not YAML: it ends too early");
                Err(Fatal)
            }
        }
    }

    fn too_deep(&mut self, place: &Place) -> Fatal {
        self.problems.error(Code::TooDeep, place, format!("nested more than {MOST_DEPTH} deep"));
        Fatal
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Fatal> {
        let place = self.place(span);
        self.values += 1;
        if self.values > MOST_VALUES {
            self.problems.error_with(Code::TooManyValues, &place, format!("more than {MOST_VALUES} values"), "one file holds one cluster");
            return Err(Fatal);
        }
        if depth > MOST_DEPTH {
            return Err(self.too_deep(&place));
        }
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(&place, anchor > 0, tag.is_some());
                let kind = if style == ScalarStyle::Plain { resolve(&text) } else { Scalar::Text };
                Value::Scalar(text.into_owned(), kind)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(&place, anchor > 0, tag.is_some());
                self.list(depth)?
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(&place, anchor > 0, tag.is_some());
                self.map(depth)?
            }
            Event::Alias(_) => {
                self.refuse(&place, true, false);
                Value::Scalar(String::new(), Scalar::Null)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => {
                self.problems.error(Code::NotYaml, &place, "is not YAML: a value is missing");
                return Err(Fatal);
            }
        };
        Ok(Node { place, value })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fatal> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.event()?;
            match event {
                Event::SequenceEnd => return Ok(Value::List(items)),
                other => items.push(self.node(other, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Fatal> {
        let mut fields: Vec<Field> = Vec::new();
        loop {
            let (event, span) = self.event()?;
            if event == Event::MappingEnd {
                return Ok(Value::Map(fields));
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.event()?;
            let value = self.node(event, span, depth + 1)?;
            let Value::Scalar(name, Scalar::Text) = key.value else {
                self.problems.error_with(Code::KeyNotText, &key.place, "a field's name must be a text", "put it in quotes");
                continue;
            };
            match fields.iter().find(|f| f.name == name) {
                Some(first) => {
                    let message = format!("the field {name:?} is given twice");
                    let problem = Diagnostic::error(Code::DuplicateKey, self.problems.file(), key.place, message);
                    let problem = problem.hint("keep one of them").related(first.place.clone(), "first given here");
                    self.problems.push(problem);
                }
                None => fields.push(Field { name, place: key.place, value }),
            }
        }
    }

    fn refuse(&mut self, place: &Place, anchor: bool, tag: bool) {
        if anchor {
            let hint = "write the value out; what clusters have in common stands in fleet.yaml";
            self.problems.error_with(Code::AnchorOrAlias, place, "anchors and aliases are not allowed", hint);
        }
        if tag {
            self.problems.error_with(Code::Tag, place, "tags are not allowed", "write the value without the `!`; quotes make it a text");
        }
    }

    fn place(&self, span: Span) -> Place {
        let from = self.byte(span.start.index());
        let shown = &self.lines.text[from..self.byte(span.end.index()).max(from)];
        // Of what goes over several lines the first is pointed at.
        let shown = shown.lines().next().unwrap_or("").trim_end();
        self.lines.place(from, from + shown.len())
    }

    fn byte(&self, character: usize) -> usize {
        if self.bytes.is_empty() { character.min(self.lines.text.len()) } else { self.bytes[character.min(self.bytes.len() - 1)] }
    }
}

/// What YAML 1.2 takes a plain scalar for.
fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        _ => {}
    }
    let radix = |prefix: &str, radix| text.strip_prefix(prefix).and_then(|digits| i128::from_str_radix(digits, radix).ok());
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Scalar::Int(number);
    }
    if !unsigned.is_empty() && digits(unsigned) {
        // A number that no integer holds is a number nevertheless.
        return text.parse().map(Scalar::Int).or_else(|_| text.parse().map(Scalar::Float)).unwrap_or(Scalar::Text);
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return Scalar::Float(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, part) = mantissa.split_once('.').map_or((mantissa, None), |(w, p)| (w, Some(p)));
    let exponent_fits = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    let mantissa_fits = digits(whole) && part.is_none_or(digits) && (!whole.is_empty() || part.is_some_and(|p| !p.is_empty()));
    if mantissa_fits && exponent_fits { text.parse().map_or(Scalar::Text, Scalar::Float) } else { Scalar::Text }
}
