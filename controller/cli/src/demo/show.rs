//! Live progress: one line for each cluster and each node, redrawn on a terminal, written when they change elsewhere.

use crate::output::{Output, Paint};
use drydock_model::time::{Millis, Timestamp};
use drydock_spec::wire::instant;
use drydock_spec::wire::status::{ClusterStatus, Node};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct Show {
    /// Lines of the block that is on the terminal now.
    drawn: usize,
    /// What was last said of each line, without its times.
    said: BTreeMap<String, String>,
    /// The terminal was too small for the block once: what wraps or scrolls cannot be drawn over. From then on lines are written as into a file.
    small: bool,
}

impl Show {
    /// Shows how clusters stand. `now` is the lab's time, `passed` the time on the wall since the demo began.
    pub(super) fn draw(&mut self, output: &mut Output, clusters: &BTreeMap<&'static str, ClusterStatus>, now: Timestamp, passed: Millis) {
        let rows: Vec<Row> = clusters.iter().flat_map(|(name, status)| rows(name, status, now)).collect();
        self.small |= !fits(&rows, output.size());
        if output.on_terminal() && !self.small {
            let mut text = String::new();
            if self.drawn > 0 {
                text.push_str(&format!("\u{1b}[{}A", self.drawn));
            }
            for row in &rows {
                text.push_str(&format!("\u{1b}[2K{}\n", output.paint(&format!("{}{}", row.text, row.times), row.paint)));
            }
            self.drawn = rows.len();
            output.write(&text);
            return;
        }
        for row in rows {
            if self.said.get(&row.about) != Some(&row.news) {
                output.say(&format!("{:>5.1}s  {}{}", passed.0 as f64 / 1_000.0, row.text, row.times));
                self.said.insert(row.about, row.news);
            }
        }
    }

    /// Something beside the progress: what is drawn below it begins anew.
    pub(super) fn tell(&mut self, output: &mut Output, text: &str) {
        self.drawn = 0;
        output.say(text);
    }
}

/// Whether a terminal of so many columns and lines shows all rows, each on a line of its own, and the line below them.
fn fits(rows: &[Row], size: Option<(usize, usize)>) -> bool {
    let Some((columns, lines)) = size else { return false };
    rows.len() < lines && rows.iter().all(|row| row.text.chars().count() + row.times.chars().count() <= columns)
}

struct Row {
    about: String,
    /// What makes a line worth saying again.
    news: String,
    text: String,
    times: String,
    paint: Paint,
}

fn rows(name: &str, cluster: &ClusterStatus, now: Timestamp) -> Vec<Row> {
    let status = &cluster.status;
    let window = match (&status.window.closes, &status.window.opens) {
        (Some(closes), _) => format!("window open until {closes}"),
        (None, Some(opens)) => format!("window closed until {opens}"),
        (None, None) => format!("window {}", status.window.state.to_lowercase()),
    };
    let (text, paint) = match &status.hold {
        Some(hold) => (format!("{name:<16} HOLD {}: {}", hold.reason, hold.message), Paint::Red),
        None => (format!("{name:<16} to {} · {}", status.target, status.summary), Paint::Plain),
    };
    let text = clip(&text);
    let mut rows = vec![Row { about: name.to_owned(), news: text.clone(), text, times: format!(" · {window}"), paint }];
    rows.extend(status.nodes.iter().map(|node| node_row(name, node, now)));
    rows
}

fn node_row(cluster: &str, node: &Node, now: Timestamp) -> Row {
    let step = node.step.as_deref().unwrap_or(&node.phase);
    let since = node.since.as_deref().and_then(instant).map_or_else(String::new, |t| format!(" {}", now.since(t)));
    let paint = match node.phase.as_str() {
        "Done" => Paint::Green,
        "Working" | "Settling" => Paint::Yellow,
        "Failed" | "Held" => Paint::Red,
        _ => Paint::Dim,
    };
    let share = node.percent.map_or_else(String::new, |p| format!(" {p:>3} %"));
    // Said anew in quarters, so that lines of a log are not one for each percent.
    let quarter = node.percent.map_or(0, |p| p / 25);
    let text = format!("  {:<14} {:<12} {step}", node.name, node.build);
    Row {
        about: format!("{cluster}/{}", node.name),
        news: format!("{text} {quarter}"),
        text: format!("{text}{share}"),
        times: since,
        paint,
    }
}

/// Columns of a line; what is longer would wrap and spoil the redrawing.
const MOST: usize = 110;

fn clip(text: &str) -> String {
    if text.chars().count() <= MOST { text.to_owned() } else { format!("{}…", text.chars().take(MOST - 1).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_drawn_only_where_every_row_has_its_own_line() {
        let row = |text: &str| Row {
            about: String::new(),
            news: String::new(),
            text: text.to_owned(),
            times: " 5m".to_owned(),
            paint: Paint::Plain,
        };
        let rows = [row("short"), row("as long as it is")];
        assert!(fits(&rows, Some((19, 3))));
        assert!(!fits(&rows, Some((18, 3))), "the second row would wrap");
        assert!(!fits(&rows, Some((19, 2))), "the block would scroll");
        assert!(!fits(&rows, None));
    }
}
