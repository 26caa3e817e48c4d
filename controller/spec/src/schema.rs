//! The JSON Schemas of the files, for editors and for [`crate::structure`], which holds every file against them.

use crate::diagnostic::Told;
use crate::shape::{ClusterFile, FleetFile};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};
use std::sync::OnceLock;

/// All schemas: file name and text.
pub fn schemas() -> Vec<(&'static str, String)> {
    let mut all = vec![("cluster.schema.json", print(cluster())), ("fleet.schema.json", print(fleet()))];
    all.push(("problems.schema.json", print(&schema_of::<Vec<Told>>())));
    all.extend(crate::wire::schemas());
    all
}

/// The schema of a cluster's file.
pub fn cluster() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema_of::<ClusterFile>)
}

/// The schema of the fleet's file.
pub fn fleet() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema_of::<FleetFile>)
}

/// The schema of any shape: draft 7, which editors know best, without references, sorted, and without `null`.
pub fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|s| s.inline_subschemas = true);
    tidy(settings.into_generator().into_root_schema_for::<T>().to_value())
}

/// The text of a schema as it stands in `schemas/`.
pub fn print(schema: &Value) -> String {
    format!("{schema:#}\n")
}

/// Sorted, so that the text does not hang on how the JSON library was built; and without `null`, since a field that is left empty is refused.
fn tidy(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(tidy).collect()),
        Value::Object(object) => {
            let mut entries: Vec<(String, Value)> = object.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let mut sorted = Map::new();
            for (name, value) in entries {
                match (name.as_str(), value) {
                    ("type", Value::Array(kinds)) => {
                        let mut kinds: Vec<Value> = kinds.into_iter().filter(|k| k != "null").collect();
                        let kinds = if kinds.len() == 1 { kinds.remove(0) } else { Value::Array(kinds) };
                        sorted.insert(name, kinds);
                    }
                    ("enum", Value::Array(values)) => {
                        sorted.insert(name, Value::Array(values.into_iter().filter(|v| !v.is_null()).collect()));
                    }
                    ("anyOf", Value::Array(choices)) => {
                        let mut choices: Vec<Value> = choices.into_iter().filter(|c| c["type"] != "null").map(tidy).collect();
                        match (choices.len(), choices.pop()) {
                            // `T` or null: `T`, but the field's own description is the better one.
                            (1, Some(Value::Object(only))) => only.into_iter().for_each(|(n, v)| {
                                sorted.entry(n).or_insert(v);
                            }),
                            (_, last) => {
                                choices.extend(last);
                                sorted.insert(name, Value::Array(choices));
                            }
                        }
                    }
                    ("default", Value::Null) => {}
                    (_, value) => {
                        sorted.insert(name, tidy(value));
                    }
                }
            }
            let mut entries: Vec<(String, Value)> = sorted.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        other => other,
    }
}
