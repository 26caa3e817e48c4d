//! Sealed messages inside HTTP: `multipart/encrypted`, as WinRM frames them (MS-WSMV 2.2.9.1).

/// Parts of one message: Windows splits none for NTLM and Kerberos, and long ones at 16 KiB for others.
const PARTS: usize = 256;
const BOUNDARY: &[u8] = b"--Encrypted Boundary";
const OCTETS: &[u8] = b"application/octet-stream\r\n";

/// One sealed piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    /// Length of the plain text.
    pub(crate) length: usize,
    /// Signature or token.
    pub(crate) token: Vec<u8>,
    /// The cipher text.
    pub(crate) data: Vec<u8>,
}

/// Why a sealed message cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotSealed {
    #[error("the message is not framed as multipart/encrypted")]
    Frame,
    #[error("the length of a sealed part is wrong")]
    Length,
    #[error("a sealed part is no wrap token of Kerberos")]
    Wrap,
}

/// Of a Kerberos wrap token (RFC 4121, 4.2.6.2): the header.
const WRAP_HEADER: usize = 16;
/// Behind the header at least a confounder and a checksum, of AES: what Windows turns the sealed part by (MS-KILE 3.4.5.4.1).
const WRAP_TURN: u16 = 28;

/// Whether a sealed piece may go to the library that opens those of Kerberos. It turns the bytes behind the header by a number that stands in the header,
/// and looks only then whether there are so many; and it would take what is signed and not sealed.
pub(crate) fn wrapped(sealed: &Sealed) -> Result<(), NotSealed> {
    let mut all = sealed.token.iter().chain(&sealed.data).copied();
    // 05 04, flags, a filler, EC, RRC, a number.
    let header: Vec<u8> = all.by_ref().take(WRAP_HEADER).collect();
    let (Some([5, 4, flags, 0xff, high, low]), WRAP_HEADER) = (header.first_chunk::<6>(), header.len()) else {
        return Err(NotSealed::Wrap);
    };
    let turned = u16::from_be_bytes([*high, *low]).checked_add(WRAP_TURN).ok_or(NotSealed::Wrap)?;
    if flags & 2 != 2 || all.count() < usize::from(turned) {
        return Err(NotSealed::Wrap);
    }
    Ok(())
}

/// Frames one sealed piece.
pub(crate) fn frame(protocol: &str, sealed: &Sealed) -> Vec<u8> {
    let mut body = format!(
        "--Encrypted Boundary\r\n\tContent-Type: {protocol}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={}\r\n\
         --Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n",
        sealed.length
    )
    .into_bytes();
    body.extend_from_slice(&u32::try_from(sealed.token.len()).unwrap_or(0).to_le_bytes());
    body.extend_from_slice(&sealed.token);
    body.extend_from_slice(&sealed.data);
    body.extend_from_slice(b"--Encrypted Boundary--\r\n");
    body
}

/// Takes a framed message apart.
pub(crate) fn open_frames(mut body: &[u8]) -> Result<Vec<Sealed>, NotSealed> {
    let mut parts = Vec::new();
    loop {
        let head_end = find(body, OCTETS).ok_or(NotSealed::Frame)?;
        let (head, rest) = (&body[..head_end], &body[head_end + OCTETS.len()..]);
        if !head.starts_with(BOUNDARY) || head.len() > 2_000 {
            return Err(NotSealed::Frame);
        }
        let length = original_length(head).ok_or(NotSealed::Length)?;
        let (size, rest) = rest.split_first_chunk::<4>().ok_or(NotSealed::Length)?;
        let size = usize::try_from(u32::from_le_bytes(*size)).map_err(|_| NotSealed::Length)?;
        if size > rest.len() {
            return Err(NotSealed::Length);
        }
        let (token, rest) = rest.split_at(size);
        // The length is the plain text's and, with all methods here, the cipher's; cipher text may hold the boundary by chance.
        let end = if rest.get(length..).is_some_and(|r| r.starts_with(BOUNDARY)) {
            length
        } else {
            rfind(rest, BOUNDARY).ok_or(NotSealed::Frame)?
        };
        parts.push(Sealed { length, token: token.to_vec(), data: rest[..end].to_vec() });
        body = &rest[end..];
        if body.starts_with(b"--Encrypted Boundary--") {
            return Ok(parts);
        }
        if parts.len() == PARTS {
            return Err(NotSealed::Frame);
        }
    }
}

fn original_length(head: &[u8]) -> Option<usize> {
    let at = find(head, b"Length=")? + b"Length=".len();
    let digits: String = head[at..].iter().take_while(|b| b.is_ascii_digit()).take(9).map(|b| char::from(*b)).collect();
    digits.parse().ok()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

fn rfind(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).rposition(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_framed_opens_again_also_with_the_boundary_inside() {
        let sealed = Sealed { length: 40, token: vec![7; 16], data: [BOUNDARY, &[1; 20][..]].concat() };
        assert_eq!(open_frames(&frame("application/x", &sealed)), Ok(vec![sealed.clone()]));
        let two = [&frame("application/x", &sealed)[..], b""].concat();
        let joined = [&two[..two.len() - 4], b"\r\n", &two[b"--Encrypted Boundary\r\n".len()..]].concat();
        assert_eq!(open_frames(&joined).map(|p| p.len()), Ok(2));
    }

    #[test]
    fn a_wrap_token_that_is_shorter_than_it_says_or_not_sealed_never_reaches_the_library() {
        let token = |flags: u8, ec: u16, behind: usize| {
            let header = [&[5, 4, flags, 0xff][..], &ec.to_be_bytes(), &[0, 28], &[0; 8]].concat();
            Sealed { length: 0, token: [header, vec![7; behind.min(28)]].concat(), data: vec![7; behind.saturating_sub(28)] }
        };
        for (flags, ec, behind) in [(3, 0, 28), (7, 0, 28), (7, 16, 44), (3, 0, 5_000)] {
            assert_eq!(wrapped(&token(flags, ec, behind)), Ok(()), "{flags} {ec} {behind}");
        }
        for (flags, ec, behind) in
            [(3, 0, 0), (3, 0, 27), (3, 16, 43), (3, 0xffff, 100_000), (3, 0xffff - 27, 100_000), (1, 0, 28), (0, 0, 500)]
        {
            assert_eq!(wrapped(&token(flags, ec, behind)), Err(NotSealed::Wrap), "{flags} {ec} {behind}");
        }
        let mut other = token(3, 0, 28);
        other.token[3] = 0;
        assert_eq!(wrapped(&other), Err(NotSealed::Wrap));
        for length in 0..16 {
            let cut = Sealed { length: 0, token: token(3, 0, 0).token[..length].to_vec(), data: Vec::new() };
            assert_eq!(wrapped(&cut), Err(NotSealed::Wrap));
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let mut body = frame("application/x", &Sealed { length: 3, token: vec![1], data: vec![1, 2, 3] });
        let at = find(&body, OCTETS).unwrap() + OCTETS.len();
        body[at + 3] = 0xff;
        assert_eq!(open_frames(&body), Err(NotSealed::Length));
        assert_eq!(open_frames(b"<s:Envelope/>"), Err(NotSealed::Frame));
    }
}
