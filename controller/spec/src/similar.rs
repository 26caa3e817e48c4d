//! "Did you mean": the nearest of the words allowed, and the plain letter that another only looks like.

/// The one of `allowed` that `word` most likely was meant to be, if one is near enough.
pub fn nearest<'a>(word: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer ones are no typing mistake of a field, and the work grows with the square.
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let plain = |s: &str| -> Vec<char> { s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    let meant = plain(word);
    let near = |candidate: &&str| {
        let candidate = plain(candidate);
        let budget = candidate.len().max(meant.len()) / 3;
        let distance = distance(&meant, &candidate);
        (distance <= budget.max(1)).then_some(distance)
    };
    allowed.into_iter().filter_map(|c| near(&c).map(|d| (d, c))).min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut rows: Vec<Vec<usize>> = vec![(0..width).collect()];
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, y) in b.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(x != y);
            let mut best = replaced.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[i - 1][j - 1] + 1);
            }
            row[j + 1] = best;
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// Letters of other scripts that are drawn like one of ours: what a person sees is not what a machine compares.
const LOOK_ALIKES: &[(char, &str)] = &[
    ('a', "\u{430}\u{3b1}\u{ff41}"),
    ('b', "\u{184}\u{ff42}"),
    ('c', "\u{441}\u{3f2}\u{ff43}"),
    ('d', "\u{501}\u{ff44}"),
    ('e', "\u{435}\u{ff45}\u{212e}"),
    ('h', "\u{4bb}\u{ff48}"),
    ('i', "\u{456}\u{3b9}\u{131}\u{ff49}"),
    ('j', "\u{458}\u{ff4a}"),
    ('k', "\u{43a}\u{3ba}\u{ff4b}"),
    ('l', "\u{4cf}\u{ff4c}"),
    ('m', "\u{43c}\u{ff4d}"),
    ('n', "\u{578}\u{ff4e}"),
    ('o', "\u{43e}\u{3bf}\u{585}\u{ff4f}"),
    ('p', "\u{440}\u{3c1}\u{ff50}"),
    ('s', "\u{455}\u{ff53}"),
    ('t', "\u{442}\u{3c4}\u{ff54}"),
    ('u', "\u{57d}\u{3c5}\u{ff55}"),
    ('v', "\u{475}\u{3bd}\u{ff56}"),
    ('w', "\u{461}\u{ff57}"),
    ('x', "\u{445}\u{3c7}\u{ff58}"),
    ('y', "\u{443}\u{3b3}\u{ff59}"),
    ('A', "\u{410}\u{391}\u{ff21}"),
    ('B', "\u{412}\u{392}\u{ff22}"),
    ('C', "\u{421}\u{3f9}\u{ff23}"),
    ('E', "\u{415}\u{395}\u{ff25}"),
    ('H', "\u{41d}\u{397}\u{ff28}"),
    ('I', "\u{406}\u{399}\u{ff29}"),
    ('K', "\u{41a}\u{39a}\u{ff2b}"),
    ('M', "\u{41c}\u{39c}\u{ff2d}"),
    ('N', "\u{39d}\u{ff2e}"),
    ('O', "\u{41e}\u{39f}\u{ff2f}"),
    ('P', "\u{420}\u{3a1}\u{ff30}"),
    ('S', "\u{405}\u{ff33}"),
    ('T', "\u{422}\u{3a4}\u{ff34}"),
    ('X', "\u{425}\u{3a7}\u{ff38}"),
    ('Y', "\u{423}\u{3a5}\u{ff39}"),
    ('-', "\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2212}\u{ff0d}"),
    ('.', "\u{2024}\u{ff0e}"),
    (':', "\u{a789}\u{ff1a}"),
    ('\\', "\u{29f5}\u{ff3c}\u{2216}"),
    ('/', "\u{2044}\u{2215}\u{ff0f}"),
    (' ', "\u{a0}\u{2007}\u{202f}\u{3000}"),
];

/// The plain character that `c` is drawn like, if it is another one.
pub fn looks_like(c: char) -> Option<char> {
    // The wide forms of East Asian typing stand in the order of ASCII.
    let wide = || u32::from(c).checked_sub(0xff01).filter(|at| *at <= 0x5d).and_then(|at| char::from_u32(at + u32::from('!')));
    LOOK_ALIKES.iter().find(|(_, others)| others.contains(c)).map(|(plain, _)| *plain).or_else(wide)
}

/// Whether a character is not to be seen, or changes how its neighbours are shown: control characters, zero-width spaces, writing direction. The
/// joiners that some scripts and emoji need stay allowed; names are ASCII anyway.
pub fn is_invisible(c: char) -> bool {
    let code = u32::from(c);
    let hidden = matches!(code, 0xad | 0x61c | 0x115f | 0x1160 | 0x200b | 0x200e | 0x200f | 0x2028..=0x202e | 0x2060..=0x206f);
    let hidden = hidden || matches!(code, 0x3164 | 0xfeff | 0xffa0 | 0xfff9..=0xfffb | 0xe0000..=0xe0fff);
    hidden || (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let allowed = ["maxRetriesPerNode", "maxFailedNodes", "nodeOrder", "stopAfter", "warnAfter", "path"];
        let check = |word: &str, expect: Option<&str>| assert_eq!(nearest(word, allowed), expect, "{word}");
        check("maxRetrysPerNode", Some("maxRetriesPerNode"));
        check("max-failed-nodes", Some("maxFailedNodes"));
        check("MaxFailedNodes", Some("maxFailedNodes"));
        check("ndoeOrder", Some("nodeOrder"));
        check("stopafter", Some("stopAfter"));
        check("paht", Some("path"));
        check("flavour", None);
        check("", None);
    }

    #[test]
    fn letters_of_other_scripts_are_told_apart() {
        assert_eq!(looks_like('\u{430}'), Some('a'));
        assert_eq!(looks_like('\u{2013}'), Some('-'));
        assert_eq!((looks_like('\u{ff12}'), looks_like('\u{ff24}')), (Some('2'), Some('D')), "wide ones");
        assert_eq!((looks_like('a'), looks_like('\u{e9}'), looks_like('\u{ff5f}')), (None, None, None));
        for (plain, others) in LOOK_ALIKES {
            assert!(plain.is_ascii() && others.chars().all(|c| !c.is_ascii()));
        }
    }

    #[test]
    fn ordinary_text_of_any_script_is_visible() {
        for c in "abc äöü ß 患者 α и - \n\t".chars() {
            assert!(!is_invisible(c), "{c:?}");
        }
        for c in ['\0', '\u{7}', '\u{85}', '\u{200b}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{e0041}'] {
            assert!(is_invisible(c), "{c:?}");
        }
    }
}
