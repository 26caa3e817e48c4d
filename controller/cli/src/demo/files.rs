//! The example fleet, as it stands in `specs/`, so that the binary can show itself anywhere.

/// Every file of the example fleet: path and text.
pub(super) const FILES: [(&str, &str); 5] = [
    ("README.md", include_str!("../../../../specs/README.md")),
    ("errors.md", include_str!("../../../../specs/errors.md")),
    ("fleet.yaml", include_str!("../../../../specs/fleet.yaml")),
    ("clusters/hospital-north.yaml", include_str!("../../../../specs/clusters/hospital-north.yaml")),
    ("clusters/shops/till-042.yaml", include_str!("../../../../specs/clusters/shops/till-042.yaml")),
];

/// What the second pull request changes in each cluster's file: 24H2 comes from media only.
pub(super) fn to_24h2(text: &str) -> String {
    text.replace("version: 23H2", "version: 24H2")
        .replace("  # 23H2 is out of support since April 2026: only a step on the way to 24H2.\n", "")
        .replace("    windowsUpdate: {}\n", "    media:\n      path: 'D:\\Media\\24H2'\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn below(folder: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }

    #[test]
    fn the_demo_shows_every_yaml_file_of_the_example_fleet() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs");
        let mut found = Vec::new();
        below(&root, &root, &mut found);
        found.retain(|path| path.ends_with(".yaml") && !path.starts_with("examples/"));
        found.sort();
        let mut ours: Vec<&str> = FILES.iter().map(|(path, _)| *path).filter(|path| path.ends_with(".yaml")).collect();
        ours.sort_unstable();
        assert_eq!(found, ours);
    }

    #[test]
    fn the_second_pull_request_asks_for_24h2_from_media_and_is_valid() {
        let fleet = drydock_spec::parse_fleet("fleet.yaml", FILES[2].1.as_bytes()).unwrap();
        for (path, text) in &FILES[3..] {
            let changed = to_24h2(text);
            let spec = drydock_spec::parse_cluster(path, changed.as_bytes(), &fleet).unwrap();
            assert_eq!(spec.desired.target.to_string(), "24H2");
            assert_eq!(spec.desired.source.to_string(), r"media in D:\Media\24H2");
        }
    }
}
