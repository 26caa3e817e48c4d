//! The shape of the repository: what may import what, what documents promise, and where old packages may be used.

use drydock_model::step::{Class, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// All files below a folder that end so.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut open = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn packages_import_what_the_map_draws_and_nothing_else() {
    let drawn: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("model", &[][..]),
        ("planner", &["model"][..]),
        ("laws", &["model"]),
        ("spec", &["model"]),
        ("engine", &["laws", "model", "planner"]),
        ("git", &["engine", "model", "spec"]),
        ("windows", &["engine", "model"]),
        ("lab", &["engine", "model"]),
        ("cli", &["engine", "git", "lab", "laws", "model", "planner", "spec", "windows"]),
    ]);
    for (package, edges) in drawn {
        let manifest = read(&format!("controller/{package}/Cargo.toml"));
        let dependencies = manifest.split("\n[dependencies]\n").nth(1).unwrap_or("").split("\n[").next().unwrap_or("");
        let ours: BTreeSet<&str> =
            dependencies.lines().filter_map(|l| l.strip_prefix("drydock-")).filter_map(|l| l.split(['.', ' ', '=']).next()).collect();
        assert_eq!(ours, edges.iter().copied().collect(), "{package}");
        assert!(manifest.contains("\n[lints]\n") || manifest.contains("\n[lints."), "{package} has no lints");
    }
}

#[test]
fn the_top_level_is_what_it_shall_be() {
    let tracked = std::process::Command::new("git").arg("-C").arg(root()).args(["ls-files"]).output().unwrap();
    let text = String::from_utf8(tracked.stdout).unwrap();
    let top: BTreeSet<&str> = text.lines().filter_map(|l| l.split('/').next()).filter(|n| !n.starts_with('.')).collect();
    let shall = ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "controller", "schemas", "specs", "tests"];
    // Outside a git checkout there is nothing to list.
    if !top.is_empty() {
        assert_eq!(top, BTreeSet::from(shall));
    }
}

#[test]
fn packages_that_are_no_longer_maintained_stand_behind_one_file_each() {
    for (word, only) in [("serde_yaml::", "controller/spec/src/yaml.rs"), ("backoff::", "controller/engine/src/pace.rs")] {
        let users: Vec<String> = files("controller", ".rs")
            .into_iter()
            .filter(|path| fs::read_to_string(path).unwrap().lines().any(|l| !l.trim_start().starts_with("//") && uses(l, word)))
            .map(|path| path.strip_prefix(root()).unwrap().display().to_string())
            .collect();
        assert_eq!(users, [only], "{word}");
    }
}

fn uses(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

#[test]
fn every_law_is_in_the_planner_in_the_laws_and_in_a_test() {
    use drydock_laws::LawId;
    let text = |paths: Vec<PathBuf>| paths.iter().map(|p| fs::read_to_string(p).unwrap()).collect::<String>();
    let (tests, sources): (Vec<PathBuf>, Vec<PathBuf>) =
        files("controller/laws/src", ".rs").into_iter().partition(|p| p.to_string_lossy().contains("/tests"));
    let tests = text(tests) + &text(files("tests/tests", ".rs")) + &text(files("tests/src", ".rs"));
    let (laws, planner) = (text(sources), text(files("controller/planner/src", ".rs")) + &text(files("controller/engine/src", ".rs")));
    let mentions = |text: &str, id: &str| {
        text.match_indices(id).any(|(at, _)| !text[at + id.len()..].starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    for law in LawId::ALL {
        let id = law.to_string();
        assert!(mentions(&laws, &id), "{id} is not in laws");
        assert!(
            mentions(&tests, &id) || mentions(&tests, &id.to_lowercase()) || tests.contains(&format!("{}_", id.to_lowercase())),
            "{id} has no test"
        );
        assert!(mentions(&planner, &id), "{id} guards nothing in the planner or the engine");
    }
}

#[test]
fn the_table_of_steps_is_printed_as_it_is() {
    let mut text = String::from(
        "# The steps of an upgrade\n\nOne row each, printed from `controller/model/src/step.rs`. What a cluster's own options set is marked with \u{2020}.\n\n\
         | Step | Class | Begins when | Is done when | Time | Entries |\n|---|---|---|---|---|---|\n",
    );
    for step in Step::ALL {
        let row = step.row();
        let class = match row.class {
            Class::Passive => "passive",
            Class::Preparing => "preparing",
            Class::Disruptive => "disruptive",
            Class::Irreversible => "irreversible",
        };
        let own = match step {
            Step::Vacate | Step::Reboot | Step::Restart | Step::Settle => "\u{2020}",
            Step::WriteRegistry | Step::Install | Step::Return => "",
        };
        text.push_str(&format!("| {step} | {class} | {} | {} | {}{own} | {} |\n", row.begin, row.done, row.budget, row.entries));
    }
    text.push_str(
        "\nVacate takes `run.suspendClusterNodeTimeout`, Reboot and Restart take `run.rebootTimeout`, Settle takes `run.waitForStorageRepairTimeout`. \
         An installation from media has half the time of one from Windows Update.\n\
         \nBefore any upgrade the registry pass goes over all nodes: WriteRegistry, Vacate, Reboot, Return, Settle. Then, node by node: Vacate, Install, \
         Restart, Return, Settle.\n",
    );
    expect_test::expect_file![root().join("specs/steps.md")].assert_eq(&text);
}

#[test]
fn the_readme_names_the_commands_that_there_are() {
    use clap::CommandFactory;
    let readme = read("README.md");
    let commands: BTreeSet<String> =
        drydock::args::Args::command().get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name().to_owned()).collect();
    for (at, _) in readme.match_indices("drydock ") {
        let word: String = readme[at + 8..].chars().take_while(char::is_ascii_lowercase).collect();
        let follows = readme[..at].ends_with('`');
        if follows && !word.is_empty() {
            assert!(commands.contains(&word), "README names `drydock {word}`");
        }
    }
    assert!(readme.contains("\n    cargo test\n"), "CI reads the test command from the README");
}

#[test]
fn a_configuration_that_a_document_shows_is_accepted() {
    let mut shown = 0;
    for path in ["README.md", "specs/README.md"] {
        let text = read(path);
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap_or_default();
            // A block in a list is indented as a whole.
            let indent = block.len() - block.trim_start_matches(' ').len();
            let yaml: String = block.lines().map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect();
            if yaml.contains("kind: ControllerConfiguration") {
                let (config, found) = drydock_spec::wire::config::parse(path, Path::new("/etc/drydock"), yaml.as_bytes());
                assert!(config.is_some() && found.is_empty(), "{path}: {found:?}");
                shown += 1;
            }
        }
    }
    assert_eq!(shown, 2);
}

#[test]
fn no_document_or_source_links_to_a_file_that_is_not_there() {
    let documents = [
        "README.md",
        "controller/README.md",
        "controller/windows/README.md",
        "controller/windows/scripts/README.md",
        "specs/README.md",
        "specs/errors.md",
        "tests/README.md",
        "tests/node/README.md",
        "tests/winrm/README.md",
    ];
    for path in documents {
        let text = read(path);
        let folder = root().join(path).parent().unwrap().to_owned();
        for (at, _) in text.match_indices("](") {
            let link: String = text[at + 2..].chars().take_while(|c| *c != ')').collect();
            let file = link.split('#').next().unwrap_or("");
            if !file.is_empty() && !file.contains("://") {
                assert!(folder.join(file).exists(), "{path} links to {link}");
            }
        }
    }
}
