//! Columns of text. Cells are cleaned: what stands on a branch may have been written by anybody.

use crate::output::{Output, Paint};
use drydock_spec::wire::one_line;

/// Characters of one cell.
const MOST_CELL: usize = 160;

/// Characters of the last cell of a row.
const MOST_LAST: usize = 300;

/// One cell.
pub(crate) struct Cell {
    text: String,
    paint: Paint,
}

/// A cell in the usual colour.
pub(crate) fn cell(text: impl AsRef<str>) -> Cell {
    painted(text, Paint::Plain)
}

/// A cell in a colour.
pub(crate) fn painted(text: impl AsRef<str>, paint: Paint) -> Cell {
    let text = one_line(text.as_ref(), MOST_CELL);
    Cell { text: if text.is_empty() { "-".to_owned() } else { text }, paint }
}

/// The last one of a row, which pushes no other aside: a way out with a whole commit's name fits.
pub(crate) fn last(text: impl AsRef<str>, paint: Paint) -> Cell {
    Cell { text: one_line(text.as_ref(), MOST_LAST), paint }
}

/// Rows under a heading, each column as wide as its widest cell, the last as it is.
pub(crate) fn table(output: &Output, heading: &[&str], rows: &[Vec<Cell>]) -> String {
    let width = |i: usize| {
        let cells = rows.iter().filter_map(|r| r.get(i)).map(|c| c.text.chars().count());
        cells.chain([heading.get(i).map_or(0, |h| h.len())]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: Vec<(String, Paint)>| {
        let last = cells.len().saturating_sub(1);
        let mut text = String::new();
        for (i, (cell, paint)) in cells.into_iter().enumerate() {
            let gap = if i == last { 0 } else { widths.get(i).copied().unwrap_or(0).saturating_sub(cell.chars().count()) + 2 };
            text.push_str(&output.paint(&cell, paint));
            text.extend(std::iter::repeat_n(' ', gap));
        }
        text.push('\n');
        text
    };
    let mut text = line(heading.iter().map(|h| ((*h).to_owned(), Paint::Dim)).collect());
    for row in rows {
        text.push_str(&line(row.iter().map(|c| (c.text.clone(), c.paint)).collect()));
    }
    text
}
