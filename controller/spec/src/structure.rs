//! Holds a tree against a JSON Schema, the same that editors use: unknown, missing, mistyped and empty fields, all at once.
//!
//! What a schema says beyond that (patterns, bounds, numbers of items) is for editors; [`crate::read`] checks it again with better words.

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Place, Problems};
use crate::similar::nearest;
use crate::tree::{Field, Node, Scalar, Value};
use crate::yaml::kind;
use drydock_model::ids::NodeName;
use serde_json::Value as Json;

/// Fields whose values are judged by [`crate::read`], since it knows more about a wrong one.
const JUDGED_BY_MEANING: &[&str] = &["apiVersion", "kind", "method", "requireAllNodesOnline"];

/// Lists whose emptiness [`crate::read`] judges.
const JUDGED_WHEN_EMPTY: &[&str] = &["nodes", "windows"];

/// Tells everything in `tree` that `schema` does not allow.
pub fn check(tree: &Node, schema: &Json, problems: &mut Problems) {
    let start = Place { line: 1, column: 1, bytes: 0..0 };
    let own = schema["title"] == "ControllerConfiguration";
    node(tree, schema, &Spot { place: &start, path: String::new(), own }, problems);
}

/// Where a value belongs: the place of its key (an empty value has none of its own) and its path, `spec.nodes[2].name`.
struct Spot<'a> {
    place: &'a Place,
    path: String,
    /// In a controller's own configuration, and not in the fleet.
    own: bool,
}

impl Spot<'_> {
    fn named(&self) -> String {
        if self.path.is_empty() { "the file".to_owned() } else { format!("`{}`", self.path) }
    }

    /// An item of a cluster's `nodes`.
    fn is_a_node(&self) -> bool {
        self.path.strip_prefix("spec.nodes[").is_some_and(|rest| !rest.contains('.'))
    }
}

fn node(found: &Node, schema: &Json, spot: &Spot<'_>, problems: &mut Problems) {
    let place = if found.place.bytes.is_empty() { spot.place } else { &found.place };
    if let Value::Scalar(_, Scalar::Null) = found.value {
        let hint = "give it a value, or delete the line";
        return problems.error_with(Code::WrongType, place, format!("{} is empty", spot.named()), hint);
    }
    let expected = schema["type"].as_str().unwrap_or("string");
    match (expected, &found.value) {
        ("object", Value::Map(fields)) => object(fields, schema, spot, problems),
        ("array", Value::List(items)) => {
            let needed = schema["minItems"].as_u64().unwrap_or(0) > 0 && !JUDGED_WHEN_EMPTY.iter().any(|name| spot.path.ends_with(name));
            if needed && items.is_empty() {
                problems.error_with(
                    Code::WrongType,
                    spot.place,
                    format!("{} is an empty list", spot.named()),
                    "list something, or delete the line",
                );
            }
            for (i, item) in items.iter().enumerate() {
                node(item, &schema["items"], &Spot { place, path: format!("{}[{i}]", spot.path), own: spot.own }, problems);
            }
        }
        ("string", Value::Scalar(text, Scalar::Text)) => one_of(text, schema, place, spot, problems),
        ("boolean", Value::Scalar(_, Scalar::Bool(_))) | ("integer", Value::Scalar(_, Scalar::Int(_))) => {}
        (expected, other) => wrong_type(expected, other, schema, place, spot, problems),
    }
}

fn object(fields: &[Field], schema: &Json, spot: &Spot<'_>, problems: &mut Problems) {
    let properties = schema["properties"].as_object();
    let known = || properties.into_iter().flatten().map(|(name, _)| name.as_str());
    for field in fields {
        let path = if spot.path.is_empty() { field.name.clone() } else { format!("{}.{}", spot.path, field.name) };
        let inner = Spot { place: &field.place, path, own: spot.own };
        match properties.and_then(|p| p.get(&field.name)) {
            Some(_) if JUDGED_BY_MEANING.contains(&field.name.as_str()) && !matches!(field.value.value, Value::Scalar(_, Scalar::Null)) => {
            }
            Some(schema) => node(&field.value, schema, &inner, problems),
            None if schema["additionalProperties"].is_object() => node(&field.value, &schema["additionalProperties"], &inner, problems),
            None => unknown(field, known().collect(), spot, problems),
        }
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str) {
        if !fields.iter().any(|f| f.name == name) {
            let hint = format!("{name}: {}", first_sentence(&schema["properties"][name]));
            problems.error_with(Code::MissingField, spot.place, format!("{} lacks the field `{name}`", spot.named()), hint);
        }
    }
    if schema["minProperties"] == 1 && schema["maxProperties"] == 1 {
        let given = fields.iter().filter(|f| known().any(|k| k == f.name)).count();
        if given != 1 {
            let choices = known().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(" or ");
            let message = format!("{} must have exactly one of {choices}", spot.named());
            problems.error_with(Code::ExactlyOne, spot.place, message, if given == 0 { "give one of them" } else { "delete one of them" });
        }
    }
}

/// A description's first sentence, as a hint.
fn first_sentence(schema: &Json) -> String {
    let text = schema["description"].as_str().unwrap_or("see specs/README.md").replace('\n', " ");
    let end = text.find(". ").map_or(text.len(), |end| end);
    text[..end].trim_end_matches('.').to_owned()
}

fn unknown(field: &Field, known: Vec<&str>, spot: &Spot<'_>, problems: &mut Problems) {
    if crate::keys::names_a_secret(&field.name) {
        let message = format!("{} may not have the field {:?}: it looks like a secret", spot.named(), field.name);
        let hint = if spot.own {
            "no secret stands in this file: name the file, variable or command that it comes from, as `nodes.credentials` and `credentials` let you"
        } else {
            "secrets stay in the controller's own configuration; name one with `credential`. If it has been pushed, change it: git forgets nothing"
        };
        return problems.error_with(Code::SecretInFile, &field.place, message, hint);
    }
    let message = format!("{} has no field {:?}", spot.named(), field.name);
    // People look for it here; what stood here would be approved, and change nothing.
    if spot.path == "spec" && field.name == "controllers" {
        let hint = "whose entries count is said by `allowedSigners.controllers` in each controller's own configuration";
        return problems.error_with(Code::UnknownField, &field.place, message, hint);
    }
    let hint = match nearest(&field.name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "it has no fields at all; write `{}`".to_owned(),
        None => format!("its fields are {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")),
    };
    problems.error_with(Code::UnknownField, &field.place, message, hint);
}

/// The values of an enumeration, however the schema writes it.
fn choices(schema: &Json) -> Vec<&str> {
    let listed = schema["enum"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let described = schema["oneOf"].as_array().into_iter().flatten().flat_map(|c| {
        let list = c["enum"].as_array().into_iter().flatten().filter_map(Json::as_str);
        c["const"].as_str().into_iter().chain(list)
    });
    listed.chain(described).chain(schema["const"].as_str()).collect()
}

fn one_of(text: &str, schema: &Json, place: &Place, spot: &Spot<'_>, problems: &mut Problems) {
    let choices = choices(schema);
    if choices.is_empty() || choices.contains(&text) {
        return;
    }
    let list = choices.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
    // Of two versions that differ in one digit none is a slip of the other.
    let versions = choices.iter().any(|choice| choice.starts_with(|c: char| c.is_ascii_digit()));
    let hint = match nearest(text, choices.iter().copied()).filter(|near| !versions || near.eq_ignore_ascii_case(text)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {list}"),
    };
    problems.error_with(Code::NotOneOf, place, format!("{} must be one of {list}", spot.named()), hint);
}

fn wrong_type(expected: &str, found: &Value, schema: &Json, place: &Place, spot: &Spot<'_>, problems: &mut Problems) {
    let wanted = match expected {
        "object" => "a mapping",
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "a whole number",
        _ => "a text",
    };
    let hint = match (expected, found) {
        ("string", Value::Scalar(text, Scalar::Float(_))) if schema["pattern"].as_str().is_some_and(|p| p.contains("20349")) => {
            format!("put it in quotes, \"{text}\": as a number 25398.1610 and 25398.161 would be the same")
        }
        ("string", Value::Scalar(..)) if ["Timeout", "After", "duration"].iter().any(|end| spot.path.ends_with(end)) => {
            "write it with a unit: 90s, 15m, 2h30m, 3d".to_owned()
        }
        ("string", Value::Scalar(..)) => "put it in quotes".to_owned(),
        // Anywhere else, and of anything else, the text could be a secret that was put in the wrong place.
        ("object", Value::Scalar(text, Scalar::Text)) if spot.is_a_node() && text.parse::<NodeName>().is_ok() => {
            format!("write `name: {text}`")
        }
        ("object", _) => {
            let fields: Vec<&str> = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            if fields.is_empty() { "write `{}`".to_owned() } else { format!("its fields are {}", fields.join(", ")) }
        }
        ("array", _) => "write each item on a line of its own, after `- `".to_owned(),
        ("boolean" | "integer", Value::Scalar(_, Scalar::Text)) => "write it without quotes and without a unit".to_owned(),
        (_, _) => "see specs/README.md".to_owned(),
    };
    let message = format!("{} must be {wanted}, not {}", spot.named(), kind(found));
    let problem = match found {
        // Who gives a key or a password in place of a file with fields does not want to read its lines in a log.
        Value::Scalar(..) if spot.path.is_empty() => Diagnostic::whole_file(Code::WrongType, problems.file(), message),
        Value::Scalar(..) | Value::List(_) | Value::Map(_) => Diagnostic::error(Code::WrongType, problems.file(), place.clone(), message),
    };
    problems.push(problem.hint(hint));
}
