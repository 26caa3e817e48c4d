//! Whether a host key is on record: OpenSSH's known_hosts, plain and hashed names, wildcards, `@revoked`. What cannot be read vouches for
//! nobody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// The longest line: a key of 16,384 bits takes some 3,000 characters.
const LINE: usize = 16 * 1024;

/// What the files say of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// On record.
    Known,
    /// Another key of this kind is on record: somebody else answers, or the node was installed anew.
    Changed { line: usize },
    /// Taken back.
    Revoked { line: usize },
    /// Nothing on record.
    Unknown,
}

struct Entry<'a> {
    number: usize,
    revoked: bool,
    kind: &'a str,
    key: Vec<u8>,
}

/// Judges a key in wire form.
pub(crate) fn judge(text: &str, host: &str, port: u16, key: &[u8]) -> Verdict {
    let name = name_of(host, port);
    let kind = kind_of(key);
    let (mut known, mut changed) = (false, None);
    for entry in entries(text, &name) {
        let same = entry.key == key;
        match (entry.revoked, same) {
            (true, true) => return Verdict::Revoked { line: entry.number },
            (true, false) => {}
            (false, true) => known = true,
            (false, false) if entry.kind.as_bytes() == kind => changed = changed.or(Some(entry.number)),
            (false, false) => {}
        }
    }
    match (known, changed) {
        (true, _) => Verdict::Known,
        (false, Some(line)) => Verdict::Changed { line },
        (false, None) => Verdict::Unknown,
    }
}

/// The kinds of keys on record for a host: we ask for one of these, so that a node with several keys shows the known one.
pub(crate) fn kinds(text: &str, host: &str, port: u16) -> Vec<String> {
    let name = name_of(host, port);
    entries(text, &name).filter(|e| !e.revoked).map(|e| e.kind.to_owned()).take(100).collect()
}

/// As OpenSSH writes it: the port only if it is not 22.
fn name_of(host: &str, port: u16) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// A key in wire form begins with the counted name of its kind.
fn kind_of(key: &[u8]) -> &[u8] {
    let Some((length, rest)) = key.split_first_chunk::<4>() else { return &[] };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    rest.get(..length).unwrap_or(&[])
}

fn entries<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = Entry<'a>> {
    text.lines().enumerate().filter_map(move |(at, line)| {
        if line.len() > LINE || line.trim_start().starts_with('#') {
            return None;
        }
        let mut words = line.split_whitespace();
        let mut first = words.next()?;
        // Host certificates are not asked for, so an authority's line says nothing here.
        let revoked = match first {
            "@revoked" => true,
            marker if marker.starts_with('@') => return None,
            _ => false,
        };
        if revoked {
            first = words.next()?;
        }
        let (kind, key) = (words.next()?, words.next()?);
        if !fits(first, name) {
            return None;
        }
        let key = STANDARD.decode(key).ok()?;
        // The word before the key and the key's own first word must agree.
        (kind_of(&key) == kind.as_bytes()).then_some(Entry { number: at + 1, revoked, kind, key })
    })
}

fn fits(patterns: &str, name: &str) -> bool {
    if let Some(hashed) = patterns.strip_prefix("|1|") {
        let Some((salt, hash)) = hashed.split_once('|') else { return false };
        let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else { return false };
        return hmac_sha1(&salt, name.as_bytes()) == hash[..];
    }
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(not) if glob(not, name) => return false,
            Some(_) => {}
            None => found |= glob(pattern, name),
        }
    }
    found
}

/// `*` is any run of characters, `?` any one; case does not count.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase().into_bytes(), name.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where the last star was, and how much of the name it has eaten so far.
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, seen));
                at += 1;
            }
            (Some(&c), _) if c == b'?' || c == name[seen] => {
                at += 1;
                seen += 1;
            }
            (_, Some((star_at, eaten))) => {
                star = Some((star_at, eaten + 1));
                at = star_at + 1;
                seen = eaten + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().all(|&c| c == b'*')
}

/// RFC 2104 over SHA-1: the form that known_hosts has used since names are hashed.
fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..20].copy_from_slice(&Sha1::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |with: u8| block.map(|byte| byte ^ with);
    let inner = Sha1::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha1::new().chain_update(pad(0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, n: u8) -> Vec<u8> {
        [&u32::try_from(kind.len()).unwrap().to_be_bytes()[..], kind.as_bytes(), &[n; 32]].concat()
    }

    fn line(names: &str, kind: &str, n: u8) -> String {
        format!("{names} {kind} {} comment\n", STANDARD.encode(key(kind, n)))
    }

    #[test]
    fn names_are_matched_as_openssh_does() {
        let ed = "ssh-ed25519";
        let hashed = |name: &str| format!("|1|{}|{}", STANDARD.encode(b"salt"), STANDARD.encode(hmac_sha1(b"salt", name.as_bytes())));
        for (names, host, port, known) in [
            ("n01", "N01", 22, true),
            ("n01", "n01", 2222, false),
            ("[n01]:2222", "n01", 2222, true),
            ("*.shop,!n02.shop", "n01.shop", 22, true),
            ("*.shop,!n02.shop", "n02.shop", 22, false),
            ("n0?", "n01", 22, true),
            (&hashed("n01"), "n01", 22, true),
            (&hashed("[n01]:2222"), "n01", 2222, true),
            (&hashed("n02"), "n01", 22, false),
            ("|1|!|!", "n01", 22, false),
        ] {
            let verdict = judge(&line(names, ed, 1), host, port, &key(ed, 1));
            assert_eq!(verdict == Verdict::Known, known, "{names} {host} {port}: {verdict:?}");
        }
    }

    #[test]
    fn a_changed_a_revoked_and_an_unknown_key_are_told_apart() {
        let ed = "ssh-ed25519";
        let text = format!("# x\n\n{}{}@revoked {}", line("n01", ed, 1), line("n02", "ssh-rsa", 1), line("*", ed, 9));
        assert_eq!(judge(&text, "n01", 22, &key(ed, 2)), Verdict::Changed { line: 3 });
        assert_eq!(judge(&text, "n01", 22, &key("ssh-rsa", 2)), Verdict::Unknown);
        assert_eq!(judge(&text, "n03", 22, &key(ed, 9)), Verdict::Revoked { line: 5 });
        assert_eq!(judge(&text, "n03", 22, &key(ed, 1)), Verdict::Unknown);
        assert_eq!(kinds(&text, "n02", 22), ["ssh-rsa"]);
        assert_eq!(judge(&line("n01", "ssh-rsa", 1).replace("ssh-rsa ", "ssh-ed25519 "), "n01", 22, &key("ssh-rsa", 1)), Verdict::Unknown);
    }
}
