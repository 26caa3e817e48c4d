//! Words of a node, made fit for logs, status and terminals: one line, bounded, nothing that moves a cursor or turns text around.

/// Kept of any one text.
const LENGTH: usize = 2_000;

/// One line of plain text.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if out.len() + word.len() >= LENGTH {
            // A long word is cut, and ends the text.
            let room = LENGTH.saturating_sub(out.len() + 1);
            let mut end = room.min(word.len());
            while !word.is_char_boundary(end) {
                end -= 1;
            }
            push(&mut out, &word[..end]);
            break;
        }
        push(&mut out, word);
    }
    out
}

fn push(out: &mut String, word: &str) {
    if !out.is_empty() && !word.is_empty() {
        out.push(' ');
    }
    out.extend(word.chars().map(|c| if c.is_control() || turns(c) { '?' } else { c }));
}

/// Unicode's marks of direction, and its joiners of nothing.
fn turns(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_line_bounded_and_harmless() {
        assert_eq!(plain(" a\r\n\tb\u{1b}[31m \u{202e}c "), "a b?[31m ?c");
        assert_eq!(plain(&"x".repeat(5_000)).len(), LENGTH - 1);
        assert!(plain(&"\u{e9} ".repeat(5_000)).len() <= LENGTH);
    }
}
