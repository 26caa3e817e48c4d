//! Every code has its page, and every page its code.

use crate::support::file;
use drydock_spec::Code;

#[test]
fn every_code_has_a_page_that_says_what_happened_what_was_done_and_what_to_do() {
    let text = file("specs/errors.md");
    for code in Code::ALL {
        let page = text.split("\n## ").find(|p| p.starts_with(&format!("{code}: ")));
        let page = page.unwrap_or_else(|| panic!("specs/errors.md has no page for {code} ({code:?})"));
        for part in ["**What happened.**", "**What Drydock did.**", "**What to do.**"] {
            assert!(page.contains(part), "the page of {code} lacks {part}");
        }
    }
}

#[test]
fn every_page_of_a_file_problem_has_its_code() {
    let known: Vec<String> = Code::ALL.iter().map(ToString::to_string).collect();
    for page in file("specs/errors.md").split("\n## DD").skip(1) {
        let number = format!("DD{}", &page[..4]);
        // DD0101 to DD0499 are problems of files; later ones belong to others.
        assert!(number.as_str() >= "DD0500" || known.contains(&number), "no problem has the code {number}");
    }
}

/// The kinds of hold, as the schema of the facts has them.
fn holds() -> Vec<String> {
    let schema: serde_json::Value = serde_json::from_str(&file("schemas/cluster-facts.schema.json")).expect("JSON");
    let kinds = schema["definitions"]["HoldReason"]["oneOf"].as_array().expect("an enum");
    let name = |kind: &serde_json::Value| {
        let of_map = kind["properties"].as_object().and_then(|p| p.keys().next().cloned());
        let camel = of_map.or_else(|| kind["const"].as_str().map(ToOwned::to_owned)).expect("a kind has a name");
        camel[..1].to_ascii_uppercase() + &camel[1..]
    };
    kinds.iter().map(name).collect()
}

#[test]
fn every_hold_has_a_page_that_says_what_happened_what_was_done_and_what_to_do() {
    let text = file("specs/errors.md");
    let pages: Vec<&str> = text.split("\n## Hold ").skip(1).collect();
    let headings: Vec<&str> = pages.iter().filter_map(|p| p.lines().next()).collect();
    assert_eq!(headings, holds(), "specs/errors.md has one page for each kind of HoldReason, in their order");
    for page in pages {
        for part in ["**What happened.**", "**What Drydock did.**", "**What to do.**"] {
            assert!(page.contains(part), "the page of the hold {} lacks {part}", page.lines().next().unwrap_or_default());
        }
    }
}

#[test]
fn codes_are_different_and_in_order() {
    assert!(Code::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
}
