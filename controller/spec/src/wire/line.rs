//! Texts from outside on one line: nothing that a terminal, a trailer or a reader's eye could take for more than text.

/// The text on one line: controls and line ends become spaces, marks that reorder or hide text are dropped, and what is longer than `most`
/// characters ends in `…`.
pub fn one_line(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut written = 0;
    let mut gap = false;
    for c in text.chars().filter(|c| !hides(*c)) {
        if c.is_whitespace() || c.is_control() {
            gap = written > 0;
            continue;
        }
        if written + usize::from(gap) + 1 > most {
            return shortened(line, most);
        }
        if gap {
            line.push(' ');
            written += 1;
            gap = false;
        }
        line.push(c);
        written += 1;
    }
    line
}

/// A text of several lines, such as a diagnostic with its caret: each line is cleaned as [`one_line`] does, but keeps its spaces.
pub fn clean_lines(text: &str, most_lines: usize) -> String {
    let clean = |line: &str| -> String {
        let kept: String = line.chars().filter(|c| !hides(*c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
        kept.trim_end().to_owned()
    };
    let mut lines: Vec<String> = text.lines().take(most_lines).map(clean).collect();
    if text.lines().nth(most_lines).is_some() {
        lines.push("…".to_owned());
    }
    lines.join("\n")
}

fn shortened(line: String, most: usize) -> String {
    let mut short: String = line.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Marks without a width that reorder text or make two texts look alike.
fn hides(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_no_end_of_line_no_escape_and_no_reordering() {
        let check = |text: &str, expect: &str| assert_eq!(one_line(text, 40), expect, "{text:?}");
        check("plain", "plain");
        check("two\nlines\r\n", "two lines");
        check("\u{1b}[31mred\u{85}x\u{2028}y\u{2029}z", "[31mred x y z");
        check("a\u{202e}b\u{200b}c\u{feff}", "abc");
        check("  a \t b  ", "a b");
        check("", "");
    }

    #[test]
    fn lines_keep_their_indent_and_lose_their_controls() {
        assert_eq!(clean_lines("a\n   ^ here\u{1b}[0m\u{202e}  \nb", 9), "a\n   ^ here [0m\nb");
        assert_eq!(clean_lines("a\nb\nc", 2), "a\nb\n…");
    }

    #[test]
    fn a_long_text_ends_in_an_ellipsis_and_keeps_its_bound() {
        let check = |text: &str, most: usize, expect: &str| {
            let line = one_line(text, most);
            assert_eq!(line, expect);
            assert!(line.chars().count() <= most);
        };
        check("abcdef", 6, "abcdef");
        check("abcdefg", 6, "abcde…");
        check("ab cdefg", 3, "ab…");
        check("äöüäöü", 3, "äö…");
    }
}
