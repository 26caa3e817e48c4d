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

/// The tables of a manifest in which dependencies stand, by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum For {
    /// What is built, and what builds it.
    Use,
    /// Its tests.
    Tests,
}

/// Our own packages among a manifest's dependencies. Reads every way in which cargo lets one be written: in a table, in a table of its own, for one target
/// alone, under another name. A line of a dependency table that it does not understand fails the test.
fn edges(manifest: &str) -> BTreeSet<(For, String)> {
    let mut found = BTreeSet::new();
    let mut table: Vec<String> = Vec::new();
    for line in joined(manifest) {
        if let Some(header) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            table = keys(header);
            if let (Some(what), Some(name)) = dependency_table(&table) {
                found.extend(ours(name).map(|name| (what, name)));
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { panic!("no key and no table: {line}") };
        let path: Vec<String> = table.iter().cloned().chain(keys(key)).collect();
        let (what, name) = dependency_table(&path);
        let Some(what) = what else { continue };
        found.extend(name.and_then(ours).map(|name| (what, name)));
        // `other = { package = "drydock-git" }`, or the same in a table or with a dotted key: the value bears the name.
        for (at, _) in value.match_indices("drydock-") {
            let word: String = value[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
            found.extend(ours(&word).map(|name| (what, name)));
        }
        // A path leads to a package whatever it is called.
        assert!(!value.contains("path") || !value.contains(".."), "a dependency by its path: {line}");
    }
    found
}

/// `drydock-git` as `git`; the binary's package has no other name than ours.
fn ours(name: &str) -> Option<String> {
    if name == "drydock" { Some("cli".to_owned()) } else { name.strip_prefix("drydock-").map(ToOwned::to_owned) }
}

/// What a key path is for, when it leads into a table of dependencies, and the dependency's name if it leads that far.
fn dependency_table(path: &[String]) -> (Option<For>, Option<&str>) {
    let inner = match path {
        [target, _, rest @ ..] if target == "target" => rest,
        all => all,
    };
    let what = match inner.first().map(String::as_str) {
        Some("dependencies" | "build-dependencies") => Some(For::Use),
        Some("dev-dependencies") => Some(For::Tests),
        Some(_) | None => None,
    };
    (what, inner.get(1).map(String::as_str))
}

/// A manifest's lines without comments; a list or a table over several lines is one.
fn joined(manifest: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut depth = 0;
    for line in manifest.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        match lines.last_mut() {
            Some(last) if depth > 0 => last.push_str(line),
            Some(_) | None => lines.push(line.to_owned()),
        }
        if !(depth == 0 && line.starts_with('[')) {
            let count = |of: [char; 2]| i32::try_from(line.matches(of).count()).unwrap();
            depth += count(['[', '{']) - count([']', '}']);
        }
    }
    lines
}

/// The parts of a dotted key; a quoted one is one part.
fn keys(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    for c in text.trim().chars() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '.') => parts.push(String::new()),
            (None, ' ') => {}
            (None | Some(_), c) => parts.last_mut().unwrap().push(c),
        }
    }
    parts
}

#[test]
fn an_edge_is_seen_however_a_manifest_writes_it() {
    let seen = |text: &str| edges(text).into_iter().map(|(what, name)| format!("{what:?} {name}")).collect::<Vec<_>>().join(", ");
    for text in [
        "[dependencies]\ndrydock-git.workspace = true",
        "[dependencies]\n# why\ndrydock-git = { workspace = true }",
        "[dependencies]\n\"drydock-git\" = \"1\"",
        "[dependencies.drydock-git]\nworkspace = true",
        "dependencies.drydock-git.workspace = true",
        "[dependencies]\nother = { package = \"drydock-git\", version = \"1\" }",
        "[dependencies.other]\npackage = \"drydock-git\"",
        "[target.'cfg(unix)'.dependencies]\ndrydock-git = {\n  workspace = true,\n}",
        "[target.\"cfg(target_os = 'linux')\".dependencies.drydock-git]\nworkspace = true",
        "[build-dependencies]\ndrydock-git.workspace = true",
    ] {
        assert_eq!(seen(text), "Use git", "{text}");
    }
    assert_eq!(seen("[dev-dependencies]\ndrydock-git.workspace = true\n[dependencies]\nserde.workspace = true"), "Tests git");
    assert_eq!(seen("[features]\nsamples = []\n[package]\nname = \"drydock-git\""), "");
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
        ("cli", &["engine", "git", "lab", "model", "spec", "windows"]),
    ]);
    let there: BTreeSet<String> = fs::read_dir(root().join("controller"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(there, drawn.keys().map(|name| (*name).to_owned()).collect(), "every package is drawn");
    for (package, allowed) in drawn {
        let manifest = read(&format!("controller/{package}/Cargo.toml"));
        let found = edges(&manifest);
        let of = |what| found.iter().filter(|(w, _)| *w == what).map(|(_, name)| name.as_str()).collect::<BTreeSet<&str>>();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert_eq!(of(For::Use), allowed, "{package}");
        // Tests need no more: what joins packages that do not know each other stands in tests/.
        assert!(of(For::Tests).is_subset(&allowed), "{package}'s tests import {:?}", of(For::Tests));
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

/// A source without its comments, so that what is only said of it does not count. Texts stay: a message names its law.
fn code(source: &str) -> String {
    let mut out = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            rest = &rest[rest.find("*/").map_or(rest.len(), |end| end + 2)..];
        } else if let Some(length) = quoted(rest) {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The length of the text or character that a source begins with. `//` in one is no comment.
fn quoted(source: &str) -> Option<usize> {
    let hashes = source.strip_prefix('r').map_or(0, |r| r.len() - r.trim_start_matches('#').len());
    if source.starts_with('r') && source[1 + hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let begin = 2 + hashes;
        return source[begin..].find(&end).map(|at| begin + at + end.len());
    }
    if source.starts_with("'\"'") || source.starts_with("'\\\"'") {
        return source[1..].find("\"'").map(|at| at + 3);
    }
    let inside = source.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            '"' if !escaped => return Some(at + 2),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

#[test]
fn comments_are_no_code_and_texts_are() {
    assert_eq!(code("a // S1\nb"), "a \nb");
    assert_eq!(code("a /* S1 */ b"), "a  b");
    assert_eq!(code(r#"f("// S1", '"', 'x') // S2"#), r#"f("// S1", '"', 'x') "#);
    assert_eq!(code(r##"r#"a " // S1"# // S2"##), r##"r#"a " // S1"# "##);
    assert_eq!(code(r#""\" // S1" // S2"#), r#""\" // S1" "#);
}

/// Whether a word stands in a text by itself.
fn mentions(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric();
    text.match_indices(word).any(|(at, _)| !text[..at].ends_with(part) && !text[at + word.len()..].starts_with(part))
}

/// Laws that no single function of the planner guards, and what keeps them instead.
const KEPT_OTHERWISE: [(&str, &str); 5] = [
    // No step raises a functional level or a pool version; the test below looks for one.
    ("S13", "by what is absent"),
    // These are about what follows in the end, which the model check and the swarm show.
    ("L1", "every `Wait` passes"),
    ("L4", "every `Wait` passes"),
    ("L2", "the engine's lap"),
    ("L5", "the engine's lap"),
];

#[test]
fn every_law_is_in_the_planner_in_the_laws_and_in_a_test() {
    use drydock_laws::LawId;
    let text = |paths: Vec<PathBuf>| paths.iter().map(|p| code(&fs::read_to_string(p).unwrap())).collect::<String>();
    let (of_tests, sources): (Vec<PathBuf>, Vec<PathBuf>) =
        files("controller/laws/src", ".rs").into_iter().partition(|p| p.to_string_lossy().contains("/tests"));
    let sources: Vec<PathBuf> = sources.into_iter().filter(|p| !p.ends_with("law.rs")).collect();
    let tests = text(of_tests)
        + &text(files("tests/tests", ".rs").into_iter().filter(|p| !p.ends_with("tidy.rs")).collect())
        + &text(files("tests/src", ".rs"));
    let (laws, planner) = (text(sources), text(files("controller/planner/src", ".rs")));
    let map = planner_map();
    for law in LawId::ALL {
        let id = law.to_string();
        // What one plan or one history can break is judged there; the rest is what tests/ shows over time.
        let judged = mentions(&laws, &format!("LawId::{id}")) || matches!(law, LawId::L2 | LawId::L3 | LawId::L4 | LawId::L5);
        assert!(judged, "{id} is not in laws");
        let small = id.to_lowercase();
        let tested = mentions(&tests, &id) || tests.contains(&format!("{small}_")) || tests.contains(&format!("_{small}("));
        assert!(tested, "{id} has no test");
        let place = map.get(&id).unwrap_or_else(|| panic!("{id} has no row in the planner's map of guards"));
        if let Some((_, how)) = KEPT_OTHERWISE.iter().find(|(law, _)| *law == id) {
            assert!(place.contains(how), "{id}: {place}");
            continue;
        }
        let guards: Vec<String> = place.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect();
        assert!(!guards.is_empty(), "{id} names no guard: {place}");
        for guard in guards {
            let name = guard.rsplit("::").next().unwrap_or(&guard);
            let module = root().join(format!("controller/planner/src/{name}.rs")).exists() && planner.contains(&format!("{name}::"));
            let function = planner.contains(&format!("fn {name}(")) || planner.contains(&format!("fn {name}<"));
            let uses = planner.match_indices(name).filter(|(at, _)| !planner[..*at].ends_with("fn ")).count();
            assert!(module || (function && uses > 0), "{id} is guarded by `{guard}`, which is not there, or which nobody asks");
        }
    }
    for step in Step::ALL {
        assert!(!mentions(&step.to_string().to_lowercase(), "level") && !step.to_string().contains("Pool"), "S13: {step}");
    }
}

/// The table at the head of the planner: each law, and where it is guarded.
fn planner_map() -> BTreeMap<String, String> {
    let head = read("controller/planner/src/lib.rs");
    let rows: Vec<(&str, &str)> = head.lines().filter_map(|l| l.strip_prefix("//! | ")).filter_map(|l| l.split_once(" | ")).collect();
    let own = rows.iter().flat_map(|(laws, place)| laws.split(", ").map(move |law| (law.to_owned(), (*place).to_owned())));
    // A row may say of another law that it is guarded in the same place.
    let beside = rows.iter().flat_map(|(_, place)| {
        let named = drydock_laws::LawId::ALL.into_iter().filter(|law| mentions(place, &law.to_string()));
        named.map(move |law| (law.to_string(), (*place).to_owned()))
    });
    beside.chain(own).collect()
}

#[test]
fn the_laws_that_people_read_are_those_that_are_judged() {
    use drydock_laws::LawId;
    let readme = read("controller/README.md");
    let rows: Vec<&str> =
        readme.lines().filter(|l| l.starts_with("| S") || l.starts_with("| L")).filter_map(|l| l.split('|').nth(1)).collect();
    assert_eq!(rows.iter().map(|r| r.trim().to_owned()).collect::<Vec<_>>(), LawId::ALL.map(|law| law.to_string()), "controller/README.md");
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

/// Cargo would build them, and run none.
#[test]
fn where_a_manifest_says_that_there_are_no_unit_tests_there_are_none() {
    let mut without = files("controller/planner/src", ".rs");
    without.extend(files("tests/src", ".rs"));
    without.push(root().join("controller/cli/src/main.rs"));
    for path in without {
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("#[test]") && !text.contains("cfg(test)"), "{} has tests that nobody runs", path.display());
    }
}
