//! What is printed, and the only place that prints. A reader that went away (`| head`) is not an error.

use crate::exit::{Exit, Failure};
use drydock_spec::wire::one_line;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// Characters of one line of a failure. Long enough for a path and a reason.
const MOST: usize = 600;

/// Standard output and standard error, or what a test puts in their place.
pub struct Output {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    colour: bool,
    terminal: bool,
    closed: bool,
    trouble: Option<io::Error>,
}

/// A colour, where colours are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// As it is.
    Plain,
    /// All is well.
    Green,
    /// Something is going on.
    Yellow,
    /// A person is needed.
    Red,
    /// Less important.
    Dim,
}

impl Output {
    /// The process' own.
    pub fn of_process() -> Output {
        let out = io::stdout();
        let terminal = out.is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        let dumb = std::env::var_os("TERM").is_none_or(|v| v == "dumb");
        Output {
            out: Box::new(out),
            err: Box::new(io::stderr()),
            colour: terminal && !no_colour && !dumb,
            terminal,
            closed: false,
            trouble: None,
        }
    }

    /// Into these, as for a file: no colours.
    pub fn into(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Output {
        Output { out, err, colour: false, terminal: false, closed: false, trouble: None }
    }

    /// Whether colours are shown.
    pub fn coloured(&self) -> bool {
        self.colour
    }

    /// Whether a person watches.
    pub fn on_terminal(&self) -> bool {
        self.terminal
    }

    /// Columns and lines of the terminal, where there is one that knows.
    pub fn size(&self) -> Option<(usize, usize)> {
        let size = self.terminal.then(|| rustix::termios::tcgetwinsize(io::stdout()).ok()).flatten()?;
        (size.ws_col > 0 && size.ws_row > 0).then(|| (usize::from(size.ws_col), usize::from(size.ws_row)))
    }

    /// Text and the end of its line, to standard output.
    pub fn say(&mut self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// Text as it is, to standard output.
    pub fn write(&mut self, text: &str) {
        if self.closed {
            return;
        }
        match self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()) {
            Ok(()) => {}
            Err(e) => {
                self.closed = true;
                // Whoever closed the pipe has read enough.
                if e.kind() != ErrorKind::BrokenPipe {
                    self.trouble = Some(e);
                }
            }
        }
    }

    /// A remark beside the answer, to standard error.
    pub fn note(&mut self, text: &str) {
        self.write_err(&format!("{text}\n"));
    }

    /// Says why a command failed, to standard error.
    pub fn complain(&mut self, failure: &Failure) {
        let what = paint(&format!("drydock: {}", one_line(&failure.what, MOST)), Paint::Red, self.colour);
        self.write_err(&format!("{what}\n  {}\n", one_line(&failure.todo, MOST)));
    }

    /// Text in a colour, where colours are shown.
    pub fn paint(&self, text: &str, paint_as: Paint) -> String {
        paint(text, paint_as, self.colour)
    }

    /// Whether the reader has gone; what repeats itself ends then.
    pub fn closed(&self) -> bool {
        self.closed
    }

    /// What went wrong while writing, if anything did.
    pub fn finish(&mut self) -> Result<(), Failure> {
        match self.trouble.take() {
            None => Ok(()),
            Some(e) => Err(Failure::new(
                Exit::Local,
                format!("the answer could not be written: {e}"),
                "check where the output goes, and the space there",
            )),
        }
    }

    fn write_err(&mut self, text: &str) {
        // When standard error is gone there is nobody left to tell.
        let _ = self.err.write_all(text.as_bytes()).and_then(|()| self.err.flush());
    }
}

fn paint(text: &str, paint: Paint, colour: bool) -> String {
    let code = match paint {
        _ if !colour => return text.to_owned(),
        Paint::Plain => return text.to_owned(),
        Paint::Green => "32",
        Paint::Yellow => "33",
        Paint::Red => "31",
        Paint::Dim => "2",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Gone(ErrorKind);

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(self.0))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_a_full_disk_is_one() {
        let mut gone = Output::into(Box::new(Gone(ErrorKind::BrokenPipe)), Box::new(io::sink()));
        gone.say("x");
        assert!(gone.closed() && gone.finish().is_ok());
        let mut full = Output::into(Box::new(Gone(ErrorKind::StorageFull)), Box::new(io::sink()));
        full.say("x");
        assert_eq!(full.finish().map_err(|f| f.exit).unwrap_err(), Exit::Local);
    }

    #[test]
    fn colours_are_shown_only_where_they_are_wanted() {
        assert_eq!(paint("x", Paint::Red, false), "x");
        assert_eq!(paint("x", Paint::Red, true), "\u{1b}[31mx\u{1b}[0m");
    }
}
