//! Recordings that users handed over (`drydock probe --record`): each becomes facts, and what these are stands beside it in `facts.txt`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on shall stop, and one that cannot run says so")]

use drydock_model::fact::Fact;
use drydock_windows::record;
use expect_test::expect_file;
use std::fmt::{Debug, Write as _};
use std::path::{Path, PathBuf};

fn told<T: Debug>(text: &mut String, what: &str, fact: &Fact<T>) {
    let line = match fact {
        Fact::Known { value, .. } => format!("{value:?}"),
        Fact::Unknown(gap) => format!("unknown: {gap}"),
    };
    writeln!(text, "  {what}: {line}").unwrap();
}

fn summary(folder: &Path) -> String {
    let observed = record::facts(&record::read(folder).unwrap());
    let mut text = String::new();
    for (name, node) in &observed.nodes {
        writeln!(text, "{name}").unwrap();
        told(&mut text, "id", &node.id);
        told(&mut text, "boot", &node.boot);
        told(&mut text, "clock", &node.clock);
        told(&mut text, "build", &node.build);
        told(&mut text, "memory", &node.memory);
        told(&mut text, "registry", &node.registry);
        told(&mut text, "worker", &node.worker);
        told(&mut text, "setup", &node.setup);
        told(&mut text, "service", &node.service);
        told(&mut text, "view", &node.view);
        told(&mut text, "disk free", &node.disk_free);
    }
    let cluster = &observed.cluster;
    writeln!(text, "the cluster, through {:?}", cluster.through.as_ref().map(ToString::to_string)).unwrap();
    told(&mut text, "storage", &cluster.storage);
    told(&mut text, "capacity", &cluster.capacity);
    told(&mut text, "level", &cluster.level);
    told(&mut text, "would lose quorum", &cluster.would_lose_quorum);
    told(&mut text, "preconditions", &cluster.preconditions);
    text
}

#[test]
fn every_recording_becomes_the_facts_that_stand_beside_it() {
    let home = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/recordings");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&home).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "there is no recording in {}", home.display());
    for folder in folders {
        expect_file![folder.join("facts.txt")].assert_eq(&summary(&folder));
    }
}
