//! Answers of HTTP/1.1, read from bytes as they come. Everything is bounded; whatever two readers could take in two ways is refused.

/// Status line and headers together. Tickets of an account in hundreds of groups reach some 48 KiB.
const HEAD: usize = 96 * 1024;
/// Number of headers.
const HEADERS: usize = 100;
/// Interim answers (100 Continue) before the real one.
const INTERIM: u32 = 5;
/// The line of a chunk's size.
const CHUNK_LINE: usize = 256;

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// 200, 401, 500.
    pub status: u16,
    /// In order of arrival, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Decoded of chunks.
    pub body: Vec<u8>,
    /// Whether the peer will close the connection.
    pub last: bool,
}

impl Response {
    /// All values of one header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// Why the bytes are no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The first line is not one of HTTP/1.0 or 1.1.
    #[error("this is not an HTTP server: it does not answer with a status line")]
    StatusLine,
    /// A header that is none.
    #[error("a header of the answer cannot be read")]
    Header,
    /// More or longer headers than allowed.
    #[error("the headers of the answer are longer than {HEAD} bytes or more than {HEADERS}")]
    HeadTooLarge,
    /// Two lengths, a length that is no number, or a coding that we do not read.
    #[error("the length of the answer cannot be told")]
    Length,
    /// Larger than the caller reads.
    #[error("the answer is larger than {0} bytes")]
    BodyTooLarge(usize),
    /// A chunk that is none.
    #[error("a chunk of the answer cannot be read")]
    Chunk,
    /// The connection ended in the middle.
    #[error("the connection ended in the middle of an answer")]
    Cut,
    /// Bytes after the answer, which nobody asked for.
    #[error("the server sent more than one answer")]
    Surplus,
}

#[derive(Debug)]
enum State {
    Head,
    Counted { left: usize },
    ToTheEnd,
    ChunkSize,
    Chunk { left: usize },
    ChunkEnd,
    Trailer,
    Done,
}

/// Reads one answer.
#[derive(Debug)]
pub struct Reader {
    limit: usize,
    buffer: Vec<u8>,
    state: State,
    interim: u32,
    response: Response,
}

impl Reader {
    /// A reader of one answer whose body is at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        let response = Response { status: 0, headers: Vec::new(), body: Vec::new(), last: false };
        Self { limit, buffer: Vec::new(), state: State::Head, interim: 0, response }
    }

    /// Whether any byte of an answer has come.
    pub fn begun(&self) -> bool {
        !self.buffer.is_empty() || !matches!(self.state, State::Head) || self.interim > 0
    }

    /// Takes bytes; gives the answer when it is complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<Response>, Unreadable> {
        self.buffer.extend_from_slice(bytes);
        loop {
            match self.state {
                State::Head => {
                    let Some(end) = find(&self.buffer, b"\r\n\r\n") else {
                        // The end may have come in part: a head is as long alone as with what follows it.
                        return if self.buffer.len() > HEAD + 3 { Err(Unreadable::HeadTooLarge) } else { Ok(None) };
                    };
                    if end > HEAD {
                        return Err(Unreadable::HeadTooLarge);
                    }
                    let head: Vec<u8> = self.buffer.drain(..end + 4).take(end).collect();
                    self.head(&head)?;
                }
                State::Counted { left } => {
                    let now = left.min(self.buffer.len());
                    self.response.body.extend(self.buffer.drain(..now));
                    if now < left {
                        self.state = State::Counted { left: left - now };
                        return Ok(None);
                    }
                    self.state = State::Done;
                }
                State::ToTheEnd => {
                    self.response.body.append(&mut self.buffer);
                    self.bounded(0)?;
                    return Ok(None);
                }
                State::ChunkSize => {
                    let Some(line) = self.line(CHUNK_LINE)? else { return Ok(None) };
                    let digits = line.split(|b| *b == b';').next().unwrap_or(&[]).trim_ascii();
                    let size = std::str::from_utf8(digits).ok().filter(|d| !d.is_empty() && d.len() <= 8 && !d.starts_with('+'));
                    let size = size.and_then(|d| usize::from_str_radix(d, 16).ok()).ok_or(Unreadable::Chunk)?;
                    self.bounded(size)?;
                    self.state = if size == 0 { State::Trailer } else { State::Chunk { left: size } };
                }
                State::Chunk { left } => {
                    let now = left.min(self.buffer.len());
                    self.response.body.extend(self.buffer.drain(..now));
                    if now < left {
                        self.state = State::Chunk { left: left - now };
                        return Ok(None);
                    }
                    self.state = State::ChunkEnd;
                }
                State::ChunkEnd => {
                    let Some(line) = self.line(CHUNK_LINE)? else { return Ok(None) };
                    if !line.is_empty() {
                        return Err(Unreadable::Chunk);
                    }
                    self.state = State::ChunkSize;
                }
                State::Trailer => {
                    let Some(line) = self.line(HEAD)? else { return Ok(None) };
                    if line.is_empty() {
                        self.state = State::Done;
                    }
                }
                State::Done => {
                    if !self.buffer.is_empty() {
                        return Err(Unreadable::Surplus);
                    }
                    let empty = Response { status: 0, headers: Vec::new(), body: Vec::new(), last: false };
                    return Ok(Some(std::mem::replace(&mut self.response, empty)));
                }
            }
        }
    }

    /// The connection ended: complete only where the end was the length.
    pub fn end(mut self) -> Result<Response, Unreadable> {
        match self.state {
            State::ToTheEnd => {
                self.response.last = true;
                Ok(self.response)
            }
            _ => Err(Unreadable::Cut),
        }
    }

    fn bounded(&self, more: usize) -> Result<(), Unreadable> {
        if self.response.body.len().saturating_add(more) > self.limit { Err(Unreadable::BodyTooLarge(self.limit)) } else { Ok(()) }
    }

    fn line(&mut self, limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        match find(&self.buffer, b"\r\n") {
            Some(end) if end <= limit => Ok(Some(self.buffer.drain(..end + 2).take(end).collect())),
            Some(_) => Err(Unreadable::Chunk),
            None if self.buffer.len() > limit + 1 => Err(Unreadable::Chunk),
            None => Ok(None),
        }
    }

    fn head(&mut self, head: &[u8]) -> Result<(), Unreadable> {
        let mut lines = head.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l));
        let (status, old) = status_line(lines.next().unwrap_or(&[]))?;
        let mut headers = Vec::new();
        for line in lines {
            if headers.len() == HEADERS {
                return Err(Unreadable::HeadTooLarge);
            }
            headers.push(header(line)?);
        }
        if (100..200).contains(&status) {
            self.interim += 1;
            return if self.interim > INTERIM || status == 101 { Err(Unreadable::StatusLine) } else { Ok(()) };
        }
        let values = |name: &str| headers.iter().filter(|(n, _)| n == name).map(|(_, v): &(String, String)| v.clone()).collect::<Vec<_>>();
        let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
        let words = values("connection").join(",").to_ascii_lowercase();
        let said = |word: &str| words.split(',').any(|w| w.trim() == word);
        self.response.last = said("close") || (old && !said("keep-alive"));
        self.response.status = status;
        self.response.headers = headers;
        self.state = match (lengths.as_slice(), codings.as_slice()) {
            _ if status == 204 || status == 304 => State::Done,
            ([], [coding]) if coding.eq_ignore_ascii_case("chunked") => State::ChunkSize,
            ([first, rest @ ..], []) if rest.iter().all(|r| r == first) => {
                let digits = !first.is_empty() && first.len() <= 12 && first.bytes().all(|b| b.is_ascii_digit());
                let left = first.parse().ok().filter(|_| digits).ok_or(Unreadable::Length)?;
                self.bounded(left)?;
                State::Counted { left }
            }
            ([], []) => State::ToTheEnd,
            (_, _) => return Err(Unreadable::Length),
        };
        Ok(())
    }
}

fn status_line(line: &[u8]) -> Result<(u16, bool), Unreadable> {
    let text = std::str::from_utf8(line).map_err(|_| Unreadable::StatusLine)?;
    let (version, rest) = text.split_once(' ').ok_or(Unreadable::StatusLine)?;
    let old = match version {
        "HTTP/1.1" => false,
        "HTTP/1.0" => true,
        _ => return Err(Unreadable::StatusLine),
    };
    let digits = rest.split(' ').next().unwrap_or("");
    let status = digits.parse().ok().filter(|s| digits.len() == 3 && (100..600).contains(s)).ok_or(Unreadable::StatusLine)?;
    Ok((status, old))
}

fn header(line: &[u8]) -> Result<(String, String), Unreadable> {
    let text = String::from_utf8_lossy(line);
    let (name, value) = text.split_once(':').ok_or(Unreadable::Header)?;
    // A space before the colon, or a continued line, is read differently by different readers.
    let token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
    if !token || value.bytes().any(|b| b < 0x20 && b != b'\t') {
        return Err(Unreadable::Header);
    }
    Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Response>, Unreadable> {
        Reader::new(100).feed(text.as_bytes())
    }

    fn body(text: &str) -> String {
        String::from_utf8(read(text).unwrap().unwrap().body).unwrap()
    }

    #[test]
    fn counted_and_chunked_answers_are_the_same_however_they_are_cut() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nA: b\r\n\r\n",
        ] {
            assert_eq!(body(text), "hello");
            let mut reader = Reader::new(100);
            let parts: Vec<_> = text.bytes().map(|b| reader.feed(&[b]).unwrap()).collect();
            assert_eq!(parts.last().unwrap().as_ref().unwrap().body, b"hello");
            assert!(parts[..parts.len() - 1].iter().all(Option::is_none));
        }
    }

    #[test]
    fn an_answer_without_a_length_ends_with_the_connection_and_any_other_is_cut() {
        let mut reader = Reader::new(100);
        assert_eq!(reader.feed(b"HTTP/1.0 200 OK\r\n\r\nhel"), Ok(None));
        assert_eq!(reader.end().unwrap().body, b"hel");
        let mut reader = Reader::new(100);
        assert_eq!(reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"), Ok(None));
        assert_eq!(reader.end(), Err(Unreadable::Cut));
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let refused = |head: &str, why: Unreadable| assert_eq!(read(&format!("{head}\r\n\r\nhello")), Err(why), "{head}");
        refused("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4", Unreadable::Length);
        refused("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", Unreadable::Length);
        refused("HTTP/1.1 200 OK\r\nContent-Length: +5", Unreadable::Length);
        refused("HTTP/1.1 200 OK\r\nContent-Length: 4", Unreadable::Surplus);
        refused("HTTP/1.1 200 OK\r\nContent-Length: 101", Unreadable::BodyTooLarge(100));
        refused("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip", Unreadable::Length);
        refused("HTTP/1.1 200 OK\r\nContent-Length : 5", Unreadable::Header);
        refused("HTTP/2 200", Unreadable::StatusLine);
        refused("SSH-2.0-OpenSSH_for_Windows", Unreadable::StatusLine);
        assert_eq!(read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"), Err(Unreadable::BodyTooLarge(100)));
        assert_eq!(read(&"x".repeat(HEAD + 4)), Err(Unreadable::HeadTooLarge));
    }

    #[test]
    fn the_longest_head_is_read_however_it_is_cut_and_a_longer_one_is_not() {
        let head = |length: usize| {
            let start = "HTTP/1.1 204 OK\r\nA: ";
            format!("{start}{}\r\n\r\n", "x".repeat(length - start.len()))
        };
        for (length, fits) in [(HEAD, true), (HEAD + 1, false), (HEAD + 4, false)] {
            let text = head(length);
            assert_eq!(read(&text).is_ok(), fits, "{length}");
            for last in 1..6 {
                let (most, rest) = text.as_bytes().split_at(text.len() - last);
                let mut reader = Reader::new(100);
                let read = reader.feed(most).and_then(|_| reader.feed(rest));
                assert_eq!(read.is_ok(), fits, "{length} in pieces, the last of {last} bytes");
            }
        }
    }

    #[test]
    fn a_closing_connection_is_told() {
        assert!(read("HTTP/1.1 401 No\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n").unwrap().unwrap().last);
        assert!(!read("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n").unwrap().unwrap().last);
    }
}
