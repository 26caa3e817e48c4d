//! Words of a node, made fit for logs, status and terminals: one line, bounded, nothing that moves a cursor or turns text around.

/// Characters of an error's message: a command's own words and where they were said.
pub(crate) const MESSAGE: usize = 2_000;

/// Characters of a short text: a name, a reason.
pub(crate) const SHORT: usize = 300;

/// One line of at most `most` characters, and `…` where there was more. Blanks and control characters become one blank, marks of direction
/// and what takes no room are left out.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let mut line = String::new();
    let mut room = most;
    for word in text.split(|c: char| c.is_control() || c.is_whitespace()) {
        let seen = || word.chars().filter(|c| !hidden(*c));
        let length = seen().count();
        if length == 0 {
            continue;
        }
        let blank = usize::from(!line.is_empty());
        if blank == 1 && room > 0 {
            line.push(' ');
        }
        if blank + length > room {
            line.extend(seen().take(room.saturating_sub(blank)));
            line.truncate(line.trim_end().len());
            line.push('\u{2026}');
            return line;
        }
        line.extend(seen());
        room -= blank + length;
    }
    line
}

/// Unicode's marks of direction, and its joiners of nothing: some change the order of the characters around them.
fn hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_line_bounded_and_harmless() {
        assert_eq!(plain(" a\r\n\tb\u{1b}[31m \u{202e}c \u{feff} d\u{200b}", 100), "a b [31m c d");
        assert_eq!(plain(&"x".repeat(5_000), 10), format!("{}\u{2026}", "x".repeat(10)));
        assert_eq!(plain(&"\u{e9} ".repeat(5_000), 5), "\u{e9} \u{e9} \u{e9}\u{2026}");
        assert_eq!(plain("ab cd", 5), "ab cd");
        assert_eq!(plain("ab cde", 5), "ab cd\u{2026}");
        assert_eq!(plain("ab cd", 3), "ab\u{2026}");
        assert_eq!(plain("ab", 0), "\u{2026}");
    }
}
