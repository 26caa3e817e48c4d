//! The second reader: serde_yaml, which shares no code with the first. A file counts only where both say the same of it, so that what people
//! approve does not hang on one parser's reading. Nothing else in Drydock uses serde_yaml, which its author has archived.

use crate::code::Code;
use crate::diagnostic::{Diagnostic, Problems};
use crate::tree::{Node, Scalar, Value};
use serde::de::DeserializeOwned;

/// Tells where serde_yaml understands the text otherwise than the tree does, and whether it reads it as a `T`.
pub fn agree<T: DeserializeOwned>(text: &str, tree: &Node, problems: &mut Problems) {
    let second: serde_yaml::Value = match serde_yaml::from_str(text) {
        Ok(value) => value,
        Err(error) => return tell(error, problems),
    };
    compare(tree, &second, problems);
    if !problems.any_error()
        && let Err(error) = serde_yaml::from_str::<T>(text)
    {
        tell(error, problems);
    }
}

fn tell(error: serde_yaml::Error, problems: &mut Problems) {
    let message = format!("a second YAML reader does not accept this file: {error}");
    problems.push(Diagnostic::whole_file(Code::ReadersDisagree, problems.file(), message).hint("write it more plainly, as in specs/"));
}

fn compare(first: &Node, second: &serde_yaml::Value, problems: &mut Problems) {
    let same = match (&first.value, second) {
        (Value::Scalar(_, Scalar::Null), serde_yaml::Value::Null) => true,
        (Value::Scalar(_, Scalar::Bool(one)), serde_yaml::Value::Bool(other)) => one == other,
        (Value::Scalar(_, Scalar::Int(one)), serde_yaml::Value::Number(other)) => {
            other.as_i64().map(i128::from).or(other.as_u64().map(i128::from)) == Some(*one)
        }
        (Value::Scalar(_, Scalar::Float(one)), serde_yaml::Value::Number(other)) => {
            other.is_f64() && other.as_f64().is_some_and(|other| other == *one || (other.is_nan() && one.is_nan()))
        }
        (Value::Scalar(one, Scalar::Text), serde_yaml::Value::String(other)) => one == other,
        (Value::List(one), serde_yaml::Value::Sequence(other)) if one.len() == other.len() => {
            return one.iter().zip(other).for_each(|(one, other)| compare(one, other, problems));
        }
        (Value::Map(one), serde_yaml::Value::Mapping(other)) if one.len() == other.len() => {
            if one.iter().zip(other).all(|(field, (name, _))| name.as_str() == Some(&field.name)) {
                return one.iter().zip(other).for_each(|(field, (_, value))| compare(&field.value, value, problems));
            }
            false
        }
        (Value::Scalar(..) | Value::List(_) | Value::Map(_), _) => false,
    };
    if !same {
        let message = format!("two YAML readers differ here: one sees {}, the other {}", kind(&first.value), other_kind(second));
        problems.error_with(
            Code::ReadersDisagree,
            &first.place,
            message,
            "write it plainly: a number without leading zeros, a text in quotes",
        );
    }
}

/// What a value is, without its text, which could be a secret.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Scalar(_, Scalar::Null) => "nothing",
        Value::Scalar(_, Scalar::Bool(_)) => "true or false",
        Value::Scalar(_, Scalar::Int(_)) => "a whole number",
        Value::Scalar(_, Scalar::Float(_)) => "a number",
        Value::Scalar(_, Scalar::Text) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

fn other_kind(value: &serde_yaml::Value) -> &'static str {
    match value {
        serde_yaml::Value::Null => "nothing",
        serde_yaml::Value::Bool(_) => "true or false",
        serde_yaml::Value::Number(n) if n.is_f64() => "a number",
        serde_yaml::Value::Number(_) => "a whole number",
        serde_yaml::Value::String(_) => "a text",
        serde_yaml::Value::Sequence(_) => "a list",
        serde_yaml::Value::Mapping(_) => "a mapping",
        serde_yaml::Value::Tagged(_) => "a tagged value",
    }
}

/// A shape as YAML text, for tests and tools that write files.
pub fn print<T: serde::Serialize>(value: &T) -> Result<String, PrintError> {
    serde_yaml::to_string(value).map_err(PrintError)
}

/// A value that YAML cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("cannot be written as YAML")]
pub struct PrintError(#[source] serde_yaml::Error);

/// A text of ours as JSON's data model has it. For what Drydock wrote itself; what people write goes through [`crate::tree`].
pub fn read(text: &str) -> Result<serde_json::Value, ReadError> {
    serde_yaml::from_str(text).map_err(|e| ReadError { detail: e.to_string() })
}

/// A text that is not YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ReadError {
    detail: String,
}
