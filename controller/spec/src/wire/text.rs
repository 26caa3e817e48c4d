//! Between shapes and YAML text: bounded, deterministic, through JSON's data model so that enums do not become YAML tags.

use drydock_model::time::Timestamp;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::SCHEMA;
use crate::yaml;

/// Why a text of ours could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Larger than anything we write.
    #[error("{what} has {found} bytes; at most {most} are read. It was not written by Drydock, or the repository is damaged")]
    TooLarge {
        /// Which text.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// No YAML.
    #[error("{what} is not YAML: {detail}")]
    NotYaml {
        /// Which text.
        what: &'static str,
        /// In the parser's words.
        detail: String,
    },
    /// YAML of another shape.
    #[error("{what} does not have the shape of schema {SCHEMA}: {detail}")]
    Shape {
        /// Which text.
        what: &'static str,
        /// What is wrong.
        detail: String,
    },
    /// Written by a version whose entries ours must not read (rule 30).
    #[error("{what} needs schema {needs}, and this drydock reads up to {SCHEMA}; upgrade it")]
    SchemaTooNew {
        /// Which text.
        what: &'static str,
        /// The least schema that may read it.
        needs: u32,
    },
}

/// The text of a shape whose enums carry data; keys in alphabetical order.
pub(super) fn machine_yaml<T: Serialize>(shape: &T) -> String {
    match serde_json::to_value(shape) {
        Ok(value) => people_yaml(&value),
        Err(e) => unreachable!("every shape of this module is a JSON value: {e}"),
    }
}

/// The text of a shape without such enums; keys in the order of its fields.
pub(super) fn people_yaml<T: Serialize>(shape: &T) -> String {
    match yaml::print(shape) {
        Ok(text) => text,
        Err(e) => unreachable!("every shape of this module is YAML: {e}"),
    }
}

/// A shape from its text.
pub(super) fn read<T: DeserializeOwned>(what: &'static str, text: &str, most: usize) -> Result<T, WireError> {
    if text.len() > most {
        return Err(WireError::TooLarge { what, found: text.len(), most });
    }
    let value: Value = yaml::read(text).map_err(|e| WireError::NotYaml { what, detail: e.to_string() })?;
    match value.get("least").and_then(Value::as_u64) {
        Some(needs) if needs > u64::from(SCHEMA) => {
            return Err(WireError::SchemaTooNew { what, needs: u32::try_from(needs).unwrap_or(u32::MAX) });
        }
        Some(_) | None => {}
    }
    serde_json::from_value(value).map_err(|e| WireError::Shape { what, detail: e.to_string() })
}

/// The schema of a file that machines write, in which `null` is a value. Shapes that occur twice stand under `definitions`.
pub(super) fn schema<T: JsonSchema>() -> String {
    let mut value = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value();
    value.sort_all_objects();
    crate::schema::print(&value)
}

/// An instant as people and Kubernetes write it: RFC 3339, UTC, to the second.
pub fn rfc3339(at: Timestamp) -> String {
    at.to_string()
}

/// An instant from RFC 3339; `None` when it is none.
pub fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>().ok().map(|t| Timestamp(t.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_survive_their_text_to_the_second() {
        assert_eq!(instant(&rfc3339(Timestamp(1_763_890_000_000))), Some(Timestamp(1_763_890_000_000)));
        for no in ["", "unknown", "2026-13-01T00:00:00Z", "2026-01-01"] {
            assert_eq!(instant(no), None, "{no}");
        }
    }

    #[test]
    fn a_text_for_a_newer_reader_is_refused_before_its_shape_is_looked_at() {
        let e = read::<Vec<u8>>("the file", "{least: 2, other: [1]}", 100).unwrap_err();
        assert_eq!(e, WireError::SchemaTooNew { what: "the file", needs: 2 });
    }

    #[test]
    fn a_text_beyond_its_bound_is_not_parsed() {
        let e = read::<Value>("the file", "[[[[[[[[[[", 5).unwrap_err();
        assert_eq!(e, WireError::TooLarge { what: "the file", found: 10, most: 5 });
    }

    #[test]
    fn texts_that_yaml_reads_otherwise_come_back_as_they_were() {
        let nasty = [
            "12e4567",
            "0123",
            "0x1f",
            "true",
            "no",
            "null",
            "~",
            "",
            " ",
            "- a",
            "a: b",
            "#x",
            "!tag",
            "&a",
            "*a",
            "|",
            ">",
            "%",
            "@",
            "`",
            "'",
            "\"",
            "a\nb",
            "a\r\nb",
            "\u{85}",
            "\u{2028}",
            "\u{feff}x",
            "\0",
            "\u{1b}[31m",
            "2026-11-23",
            ".inf",
            "1_000",
            "0o7",
            "é",
            "\u{1F600}",
            "a\tb",
            "trailing ",
            "y",
            "on",
            "=",
            "<<",
            "? x",
            "[a",
            "{a",
            "a,b",
            "\\",
            "---",
            "...",
        ];
        let value = serde_json::to_value(nasty.to_vec()).unwrap();
        assert_eq!(read::<Value>("list", &people_yaml(&value), 10_000).unwrap(), value);
        let keys: Value = nasty.iter().map(|k| ((*k).to_owned(), Value::from(1))).collect::<serde_json::Map<_, _>>().into();
        assert_eq!(read::<Value>("map", &people_yaml(&keys), 10_000).unwrap(), keys);
    }
}
