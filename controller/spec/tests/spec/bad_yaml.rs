//! Files that are not read at all, or not in one way only.

use crate::support::{CLUSTER, cluster_and, cluster_with, refused, refused_bytes};
use expect_test::expect;

#[test]
fn malformed_yaml_is_told_with_its_place() {
    expect![[r#"
        error[DD0103]: is not YAML: invalid indentation in quoted scalar
         --> clusters/a.yaml:8:13
          |
        8 |     - name: 'N02
          |             ^
          |
          = help: check the indentation, the quotes and the brackets around this place
    "#]]
    .assert_eq(&refused(&cluster_with("    - name: N02", "    - name: 'N02")));
}

#[test]
fn a_tab_as_indentation_is_told() {
    expect![[r#"
        error[DD0103]: is not YAML: tabs disallowed within this context (block indentation)
         --> clusters/a.yaml:7:2
          |
        7 |     - name: N01
          |     ^
          |
          = help: indent with spaces, not with tabs
    "#]]
    .assert_eq(&refused(&cluster_with("  nodes:\n    - name: N01", "  nodes:\n\t- name: N01")));
}

#[test]
fn a_huge_file_is_refused_unread() {
    let text = format!("{CLUSTER}# {}\n", "x".repeat(256 * 1024));
    expect![[r#"
        error[DD0101]: has 262378 bytes; at most 262144 are read
        --> clusters/a.yaml
         = help: split it: one file for each cluster
    "#]]
    .assert_eq(&refused(&text));
}

#[test]
fn a_deep_file_is_refused() {
    expect![[r#"
        error[DD0107]: nested more than 12 deep
          --> clusters/a.yaml:16:21
           |
        16 |   change: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...
           |                     ^
    "#]].assert_eq(&refused(&cluster_and(&format!("  change: {}1{}\n", "[".repeat(200), "]".repeat(200)))));
}

#[test]
fn a_file_deeper_than_the_parser_goes_is_too_deep_as_well() {
    let said = refused(&cluster_and(&format!("  change: {}\n", "[".repeat(5_000))));
    assert!(said.starts_with("error[DD0107]: nested more than 12 deep"), "{said}");
}

#[test]
fn a_file_of_too_many_values_is_refused() {
    let said = refused(&cluster_and(&format!("  change: [{}]\n", "1,".repeat(20_000))));
    assert!(said.starts_with("error[DD0108]: more than 10000 values"), "{said}");
}

#[test]
fn anchors_and_aliases_are_refused_where_they_stand() {
    let text = cluster_with("    - name: N01\n    - name: N02", "    - &n\n      name: N01\n    - *n");
    expect![[r#"
        error[DD0105]: anchors and aliases are not allowed
         --> clusters/a.yaml:7:7
          |
        7 |     - &n
          |       ^^
          |
          = help: write the value out; what clusters have in common stands in fleet.yaml

        error[DD0105]: anchors and aliases are not allowed
         --> clusters/a.yaml:9:7
          |
        9 |     - *n
          |       ^^
          |
          = help: write the value out; what clusters have in common stands in fleet.yaml

        error[DD0203]: `spec.nodes[1]` is empty
         --> clusters/a.yaml:9:7
          |
        9 |     - *n
          |       ^^
          |
          = help: give it a value, or delete the line
    "#]]
    .assert_eq(&refused(&text));
}

#[test]
fn a_billion_laughs_are_refused_in_no_time() {
    let mut text = String::from("a0: &a0 [x, x]\n");
    for i in 1..40 {
        text.push_str(&format!("a{i}: &a{i} [*a{}, *a{}]\n", i - 1, i - 1));
    }
    assert!(refused(&text).contains("error[DD0105]"));
}

#[test]
fn duplicate_keys_name_both_places() {
    expect![[r#"
        error[DD0104]: the field "contact" is given twice
          --> clusters/a.yaml:18:3
           |
        16 |   contact: a
           |   ------- first given here
        17 |   change: b
        18 |   contact: c
           |   ^^^^^^^
           |
           = help: keep one of them
    "#]]
    .assert_eq(&refused(&cluster_and("  contact: a\n  change: b\n  contact: c\n")));
}

#[test]
fn tags_are_refused() {
    expect![[r#"
        error[DD0106]: tags are not allowed
         --> clusters/a.yaml:4:9
          |
        4 |   name: !!str alpha
          |         ^^^^^^^^^^^
          |
          = help: write the value without the `!`; quotes make it a text
    "#]]
    .assert_eq(&refused(&cluster_with("name: alpha", "name: !!str alpha")));
}

#[test]
fn a_second_document_is_refused() {
    expect![[r#"
        error[DD0109]: a second document begins here
          --> clusters/a.yaml:16:1
           |
        16 | ---
           | ^^^
           |
           = help: one file holds one cluster
    "#]]
    .assert_eq(&refused(&cluster_and("---\nkind: Cluster\n")));
}

#[test]
fn a_file_that_says_nothing_is_refused() {
    expect![[r#"
        error[DD0110]: says nothing
        --> clusters/a.yaml
         = help: delete it, or copy an example from specs/
    "#]]
    .assert_eq(&refused(""));
    assert_eq!(refused("# only a comment\n"), refused(""));
    assert_eq!(refused("---\n"), refused(""));
}

#[test]
fn other_encodings_are_told() {
    expect![[r#"
        error[DD0102]: is not UTF-8: byte 1 cannot be read
        --> clusters/a.yaml
         = help: it is UTF-16; save it as UTF-8
    "#]]
    .assert_eq(&refused_bytes(b"\xff\xfea\0"));
    expect![[r#"
        error[DD0102]: is not UTF-8: byte 9 cannot be read
        --> clusters/a.yaml
         = help: save it as UTF-8
    "#]]
    .assert_eq(&refused_bytes(b"kind: Cl\xfcster\n"));
}

#[test]
fn characters_that_cannot_be_seen_are_told_even_in_comments() {
    expect![[r#"
        error[DD0111]: the character U+202E stands here, which cannot be seen or changes how others are shown
         --> clusters/a.yaml:6:14
          |
        6 |   # reviewed �ton
          |              ^
          |
          = help: delete it
    "#]]
    .assert_eq(&refused(&cluster_with("  nodes:", "  # reviewed \u{202e}ton\n  nodes:")));
    expect![[r#"
        error[DD0301]: the cluster's name contains '\u{200b}' (U+200B); only letters a-z, digits and '-' are allowed
         --> clusters/a.yaml:4:9
          |
        4 |   name: al�pha
          |         ^^^^^^
          |
          = help: delete the character, or write `-` for it

        error[DD0111]: the character U+200B stands here, which cannot be seen or changes how others are shown
         --> clusters/a.yaml:4:11
          |
        4 |   name: al�pha
          |           ^
          |
          = help: delete it
    "#]]
    .assert_eq(&refused(&cluster_with("name: alpha", "name: al\u{200b}pha")));
}

#[test]
fn a_field_name_that_is_no_text_is_refused() {
    expect![[r#"
        error[DD0113]: a field's name must be a text
          --> clusters/a.yaml:16:3
           |
        16 |   1: one
           |   ^
           |
           = help: put it in quotes
    "#]]
    .assert_eq(&refused(&cluster_and("  1: one\n")));
}

#[test]
fn a_text_that_readers_take_for_two_things_is_refused() {
    // A number with a leading zero: seven for one reader, a text for the other.
    expect![[r#"
        error[DD0112]: two YAML readers differ here: one sees a whole number, the other a text
          --> clusters/a.yaml:17:24
           |
        17 |     maxRetriesPerNode: 007
           |                        ^^^
           |
           = help: write it plainly: a number without leading zeros, a text in quotes
    "#]]
    .assert_eq(&refused(&cluster_and("  run:\n    maxRetriesPerNode: 007\n")));
}

#[test]
fn places_are_right_with_a_mark_carriage_returns_and_wide_letters() {
    let text = format!("\u{feff}{}", cluster_with("  nodes:", "  # Größe 患者\n  nodse:").replace('\n', "\r\n"));
    expect![[r#"
        error[DD0202]: `spec` lacks the field `nodes`
         --> clusters/a.yaml:5:1
          |
        5 | spec:
          | ^^^^
          |
          = help: nodes: Every node of the cluster

        error[DD0201]: `spec` has no field "nodse"
         --> clusters/a.yaml:7:3
          |
        7 |   nodse:
          |   ^^^^^
          |
          = help: did you mean `nodes`?
    "#]]
    .assert_eq(&refused(&text));
}
