//! `specs/README.md` names every field of the schemas, and no other; its table of upgrades is the model's.

use crate::support::{file, folder};
use drydock_model::paths::{PATHS, UpgradePath};
use serde_json::Value;
use std::collections::BTreeSet;

/// The paths of all fields of a schema that hold a value or a list: `spec.nodes[].name`.
fn fields(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    match schema["properties"].as_object() {
        Some(properties) if !properties.is_empty() => {
            for (name, schema) in properties {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                fields(schema, &path, found);
            }
        }
        Some(_) | None => {
            found.insert(path.to_owned());
            if schema["items"]["properties"].is_object() {
                fields(&schema["items"], &format!("{path}[]"), found);
            }
        }
    }
}

fn documented(section: &str) -> BTreeSet<String> {
    let text = file("specs/README.md");
    let section = text.split("\n## ").find(|s| s.starts_with(section)).expect("the section is there").to_owned();
    section.lines().filter_map(|l| l.strip_prefix("| `")).filter_map(|l| l.split_once('`')).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_reference_has_every_field_and_no_other() {
    let sections = [
        ("A cluster", drydock_spec::schema::cluster()),
        ("The fleet", drydock_spec::schema::fleet()),
        ("The controller's configuration", drydock_spec::wire::config::schema()),
    ];
    for (section, schema) in sections {
        let mut known = BTreeSet::new();
        fields(schema, "", &mut known);
        let documented = documented(section);
        assert_eq!(known.difference(&documented).collect::<Vec<_>>(), Vec::<&String>::new(), "{section}: not in the reference");
        assert_eq!(documented.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new(), "{section}: not in the schema");
    }
}

fn row(path: &UpgradePath) -> String {
    let registry = path.registry.iter().map(|v| format!("`{}`={}", v.name, v.value)).collect::<Vec<_>>().join(", ");
    let update = if path.windows_update { "yes" } else { "no" };
    let disk = path.least_free_disk >> 30;
    format!(
        "| {} | {} | {} | {update} | {} | {registry} | {disk} GiB | {} |\n",
        path.from, path.to, path.least_source, path.media, path.article
    )
}

#[test]
fn the_table_of_upgrades_is_the_models() {
    let table: String = PATHS.iter().map(row).collect();
    let text = file("specs/README.md");
    if std::env::var_os("DRYDOCK_WRITE").is_some() {
        let (head, rest) = text.split_once("\n## Upgrades").expect("the section is there");
        let (intro, tail) = rest.split_once("|---|---|---|---|---|---|---|---|\n").expect("the table is there");
        let tail = tail.split_once("\n\n").map_or("", |(_, tail)| tail);
        let text = format!("{head}\n## Upgrades{intro}|---|---|---|---|---|---|---|---|\n{table}\n{tail}");
        std::fs::write(folder("specs/README.md"), text).expect("the file can be written");
        return;
    }
    assert!(text.contains(&table), "specs/README.md lacks these rows; run this test with DRYDOCK_WRITE=1\n{table}");
}
