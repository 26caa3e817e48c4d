//! Answers told apart from noise: a line that begins with the session's token is an answer, any other is noise. Bounded whatever comes.

use serde::Deserialize;
use serde_json::Value;

/// The longest answer.
pub const LINE: usize = 4 * 1024 * 1024;
/// Values in one answer: everything that the largest cluster has is some tens of thousands. However short its text, a value takes up to some 650 bytes of
/// memory, so that four megabytes of text could become five hundred.
pub const VALUES: usize = 100_000;
/// Noise kept for the log, for each request.
pub const NOISE: usize = 64 * 1024;
/// Bytes without any answer after which the host is babbling.
pub const BABBLE: usize = 16 * 1024 * 1024;

/// One answer of the session host.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Answer {
    /// Of which request; 0 is the greeting, -1 a line that the host could not read.
    pub id: i64,
    /// Whether there is a value.
    pub ok: bool,
    /// The value.
    #[serde(default)]
    pub value: Value,
    /// Or why there is none.
    #[serde(default)]
    pub error: Option<ScriptError>,
}

/// An error record, as the host reports it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct ScriptError {
    /// PowerShell's word for the kind of error.
    pub category: String,
    /// The fully qualified error id.
    pub id: String,
    /// The node's words.
    pub message: String,
    /// Which script or library.
    pub script: String,
    /// Where in it.
    pub line: Option<u32>,
}

/// Why no answer can come any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Disorder {
    /// Megabytes, and no answer.
    #[error("the node wrote {BABBLE} bytes without an answer")]
    Babble,
    /// An answer longer than allowed.
    #[error("an answer is longer than {LINE} bytes")]
    TooLong,
    /// An answer with more values than allowed.
    #[error("an answer holds more than {VALUES} values")]
    TooMany,
    /// The token, and then no JSON of ours.
    #[error("an answer is not what the session host writes: {0}")]
    NotOurs(String),
}

/// Reads what the host writes.
#[derive(Debug)]
pub struct Frames {
    prefix: Vec<u8>,
    line: Vec<u8>,
    /// The line is noise already, and too long to keep.
    skipping: bool,
    noise: Vec<u8>,
    noise_lost: usize,
    since_answer: usize,
}

impl Frames {
    /// A reader for the session with this token.
    pub fn new(token: &str) -> Self {
        let prefix = format!("{token} ").into_bytes();
        Self { prefix, line: Vec::new(), skipping: false, noise: Vec::new(), noise_lost: 0, since_answer: 0 }
    }

    /// Takes bytes, gives the answers in them.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Answer>, Disorder> {
        let mut answers = Vec::new();
        for part in bytes.split_inclusive(|b| *b == b'\n') {
            self.since_answer += part.len();
            let (text, whole) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            self.grow(text)?;
            if whole && let Some(answer) = self.end_of_line()? {
                answers.push(answer);
                self.since_answer = 0;
            }
            if self.since_answer > BABBLE {
                return Err(Disorder::Babble);
            }
        }
        Ok(answers)
    }

    /// The noise since this was last called: text for the log, and how many bytes of it were not kept.
    pub fn take_noise(&mut self) -> Option<(String, usize)> {
        let (kept, lost) = (std::mem::take(&mut self.noise), std::mem::take(&mut self.noise_lost));
        (!kept.is_empty() || lost > 0).then(|| (String::from_utf8_lossy(&kept).into_owned(), lost))
    }

    /// Keeps what came on standard error as noise, too.
    pub fn keep_noise(&mut self, bytes: &[u8]) {
        let room = NOISE.saturating_sub(self.noise.len()).min(bytes.len());
        self.noise.extend_from_slice(&bytes[..room]);
        self.noise_lost += bytes.len() - room;
    }

    fn grow(&mut self, text: &[u8]) -> Result<(), Disorder> {
        if self.skipping {
            self.keep_noise(text);
            return Ok(());
        }
        self.line.extend_from_slice(text);
        let known = self.line.len().min(self.prefix.len());
        if self.line[..known] != self.prefix[..known] {
            // Noise: it need not be kept together, and may be longer than an answer.
            let line = std::mem::take(&mut self.line);
            self.keep_noise(&line);
            self.skipping = true;
        } else if self.line.len() > LINE + self.prefix.len() {
            return Err(Disorder::TooLong);
        }
        Ok(())
    }

    fn end_of_line(&mut self) -> Result<Option<Answer>, Disorder> {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.skipping) {
            self.keep_noise(b"\n");
            return Ok(None);
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        match line.strip_prefix(self.prefix.as_slice()) {
            Some(json) if values(json) > VALUES => Err(Disorder::TooMany),
            Some(json) => serde_json::from_slice(json).map(Some).map_err(|e| Disorder::NotOurs(e.to_string())),
            None => {
                if !line.is_empty() {
                    self.keep_noise(&line);
                    self.keep_noise(b"\n");
                }
                Ok(None)
            }
        }
    }
}

/// How many values a text of JSON holds at most: what opens one or parts it from the next, outside of texts.
fn values(json: &[u8]) -> usize {
    let (mut inside, mut escaped, mut count) = (false, false, 1);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if inside => escaped = true,
            b'"' => inside = !inside,
            b',' | b'[' | b'{' if !inside => count += 1,
            _ => {}
        }
    }
    count
}

/// JSON in ASCII: everything else as `\uXXXX`, so that no code page matters.
pub fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if (' '..='~').contains(&c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn answer(id: i64) -> String {
        format!("{TOKEN} {{\"id\":{id},\"ok\":true,\"value\":{{\"a\":1}}}}")
    }

    #[test]
    fn noise_is_kept_for_the_log_and_never_taken_for_an_answer() {
        let mut frames = Frames::new(TOKEN);
        let text = format!("warning {}\r\n {}\n{TOKEN}x\n\n{}\r\nafter, without an end\n{}\n", answer(1), answer(2), answer(3), answer(4));
        // However it is cut.
        let whole: Vec<i64> = frames.feed(text.as_bytes()).unwrap().iter().map(|a| a.id).collect();
        let noise = frames.take_noise();
        assert_eq!(whole, [3, 4]);
        let mut frames = Frames::new(TOKEN);
        let single: Vec<i64> = text.bytes().flat_map(|b| frames.feed(&[b]).unwrap()).map(|a| a.id).collect();
        assert_eq!(single, [3, 4]);
        assert_eq!(frames.take_noise(), noise);
        assert_eq!(frames.take_noise(), None);
    }

    #[test]
    fn a_babbling_host_is_noticed_in_bounded_memory() {
        let mut frames = Frames::new(TOKEN);
        let mut fed = 0;
        let disorder = loop {
            fed += 65_536;
            if let Err(disorder) = frames.feed(&[b'x'; 65_536]) {
                break disorder;
            }
        };
        assert_eq!(disorder, Disorder::Babble);
        assert!(fed <= BABBLE + 65_536 && frames.noise.len() <= NOISE && frames.line.capacity() < 1024);
        let (kept, lost) = frames.take_noise().unwrap();
        assert_eq!((kept.len(), lost), (NOISE, fed - NOISE));
    }

    #[test]
    fn an_answer_that_never_ends_is_cut() {
        let mut frames = Frames::new(TOKEN);
        frames.feed(format!("{TOKEN} ").as_bytes()).unwrap();
        let mut result = Ok(Vec::new());
        for _ in 0..=LINE / 65_536 {
            result = frames.feed(&[b' '; 65_536]);
        }
        assert_eq!(result, Err(Disorder::TooLong));
    }

    #[test]
    fn an_answer_of_more_values_than_memory_should_hold_is_refused() {
        let line = |value: &str| format!("{TOKEN} {{\"id\":1,\"ok\":true,\"value\":{value}}}\n");
        // Each of these opens a map of its own in memory: five bytes become some 650.
        let nested = format!("{}0{}", "{\"\":".repeat(100), "}".repeat(100));
        let many = line(&format!("[{}]", vec![nested.as_str(); 6_000].join(",")));
        assert!(many.len() < LINE);
        assert_eq!(Frames::new(TOKEN).feed(many.as_bytes()).map(|answers| answers.len()), Err(Disorder::TooMany));
        // Inside of a text nothing counts, also behind a quote in it.
        let text = line(&format!("\"\\\"{}\\\\\"", "[,{".repeat(100_000)));
        assert_eq!(Frames::new(TOKEN).feed(text.as_bytes()).map(|answers| answers.len()), Ok(1));
    }

    #[test]
    fn the_token_before_anything_but_an_answer_is_an_error() {
        let mut frames = Frames::new(TOKEN);
        assert!(matches!(frames.feed(format!("{TOKEN} hello\n").as_bytes()), Err(Disorder::NotOurs(_))));
    }

    #[test]
    fn everything_beyond_ascii_is_escaped_and_reads_back() {
        let text = "a\u{7f}\u{e9}\u{1f600}\u{2028}";
        let json = ascii(&serde_json::to_string(text).unwrap());
        assert!(json.is_ascii());
        assert_eq!(json, "\"a\\u007f\\u00e9\\ud83d\\ude00\\u2028\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
