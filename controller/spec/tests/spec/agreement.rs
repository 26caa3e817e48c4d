//! The two YAML readers: where they agree, and that a file on which they do not is refused.

use crate::support::{CLUSTER, PATH, file};
use drydock_spec::diagnostic::Problems;
use drydock_spec::tree::{self, Scalar, Value};
use drydock_spec::{Code, Fleet, parse_cluster, yaml};

/// The codes told when both readers read `value: TEXT`.
fn told(value: &str) -> Vec<Code> {
    let text = format!("value: {value}\n");
    let mut problems = Problems::new("a.yaml");
    if let Some((tree, text)) = tree::read(text.as_bytes(), &mut problems)
        && !problems.any_error()
    {
        yaml::agree::<std::collections::BTreeMap<String, serde_json::Value>>(text, &tree, &mut problems);
    }
    problems.finish().iter().map(|p| p.code).collect()
}

#[test]
fn both_readers_take_ordinary_scalars_for_the_same() {
    for value in [
        "a",
        "'a'",
        "\"a\\nb\"",
        "22H2",
        "yes",
        "no",
        "on",
        "off",
        "y",
        "~",
        "null",
        "Null",
        "",
        "true",
        "True",
        "FALSE",
        "'true'",
        "0",
        "-1",
        "+1",
        "42",
        "0x1F",
        "0o17",
        "1.5",
        "-0.5",
        ".5",
        "5.",
        "1e3",
        "1.5E-3",
        ".inf",
        "-.Inf",
        "25398.1611",
        "'25398.1611'",
        "2026-12-20T00:00:00+01:00",
        "2026-12-20",
        "1_000",
        "0x",
        "0o8",
        "--1",
        "1.2.3",
        "a: b",
        "[1, a, {b: c}]",
        "{}",
        "[]",
        "|\n  one\n  two",
        ">-\n  one\n  two",
        "'it''s'",
        "a # comment",
        "a#b",
        "D:\\Media",
        "340282366920938463463374607431768211455000",
    ] {
        let codes = told(value);
        // `a: b` inside of a value is no YAML at all.
        let expect: &[Code] = if value == "a: b" { &[Code::NotYaml] } else { &[] };
        assert_eq!(codes, expect, "{value}");
    }
}

#[test]
fn scalars_that_they_take_for_different_things_are_refused() {
    for value in ["007", "-01", "00", "0b101"] {
        assert_eq!(told(value), [Code::ReadersDisagree], "{value}");
    }
}

#[test]
fn numbers_are_read_exactly() {
    let check = |text: &str, expect: Scalar| {
        let mut problems = Problems::new("a.yaml");
        let source = format!("value: {text}\n");
        let (tree, _) = tree::read(source.as_bytes(), &mut problems).unwrap();
        let Value::Scalar(kept, found) = &tree.get("value").unwrap().value else { panic!("{text} is a scalar") };
        assert_eq!((kept.as_str(), *found), (text, expect));
    };
    check("18446744073709551615", Scalar::Int(18_446_744_073_709_551_615));
    check("-9223372036854775808", Scalar::Int(-9_223_372_036_854_775_808));
    check("25398.1610", Scalar::Float(25_398.161));
    check("0x1F", Scalar::Int(31));
    check("1e", Scalar::Text);
    check("--", Scalar::Text);
    check(".", Scalar::Text);
}

#[test]
fn the_examples_mean_the_same_to_both() {
    for text in [
        CLUSTER.to_owned(),
        file("specs/fleet.yaml"),
        file("specs/clusters/hospital-north.yaml"),
        file("specs/clusters/shops/till-042.yaml"),
    ] {
        let mut problems = Problems::new("a.yaml");
        let (tree, text) = tree::read(text.as_bytes(), &mut problems).unwrap();
        yaml::agree::<serde_json::Value>(text, &tree, &mut problems);
        assert_eq!(problems.finish(), []);
    }
}

#[test]
fn large_hostile_files_are_refused_quickly() {
    let most = tree::MOST_BYTES;
    for piece in [
        "[",
        "{",
        "- ",
        "? ",
        "a: ",
        "!a ",
        "&a ",
        "*a\n",
        "'",
        "\"",
        "|\n",
        "#",
        "\n",
        " ",
        "\t",
        "- - - -\n",
        "{a: [",
        "a:\n b:\n",
        "%YAML 1.2\n",
        "\u{1f600}",
        "--- \n",
        "? a\n: b\n",
    ] {
        let text = piece.repeat(most / piece.len());
        assert!(parse_cluster(PATH, text.as_bytes(), &Fleet::default()).is_err(), "{piece:?}");
    }
}
