//! Secrets that have no place in a file, and public keys that do.

/// Parts of field names behind which people keep secrets.
const SECRET_WORDS: [&str; 12] =
    ["password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "privatekey", "accesskey", "credentials", "username", "sas"];

/// Whether a field of this name would hold a secret (or half of one).
pub fn names_a_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    // Three letters are too short to be looked for inside a word.
    SECRET_WORDS.iter().any(|word| if word.len() > 3 { plain.contains(word) } else { plain == *word })
}

/// The kinds of key that controllers sign with.
const KINDS: [&str; 4] = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "ssh-rsa"];

/// Why a text is not an SSH public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyError {
    /// It is a private one.
    Private,
    /// Not `kind base64 [comment]`.
    NotAKey,
    /// A kind that controllers do not sign with.
    OtherKind,
    /// The base64 part is damaged, or of another kind than it says.
    Damaged,
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            KeyError::Private => {
                "is a private key, which must never be in a repository; if it has been pushed, replace it: git forgets nothing"
            }
            KeyError::NotAKey => "is not the one line of a `.pub` file: `ssh-ed25519 AAAA… comment`",
            KeyError::OtherKind => "is of a kind that Drydock does not read; use ssh-ed25519, ecdsa-sha2-nistp256 or ssh-rsa",
            KeyError::Damaged => "is damaged: its second part does not hold a key of the kind named by the first",
        })
    }
}

impl std::error::Error for KeyError {}

/// A public key in the form in which two equal ones are equal: kind and base64, without the comment.
pub fn public_key(text: &str) -> Result<String, KeyError> {
    if text.contains("PRIVATE KEY") {
        return Err(KeyError::Private);
    }
    let mut parts = text.split_ascii_whitespace();
    let (Some(kind), Some(data)) = (parts.next(), parts.next()) else { return Err(KeyError::NotAKey) };
    if text.contains(['\n', '\r']) {
        return Err(KeyError::NotAKey);
    }
    if !KINDS.contains(&kind) {
        return Err(if kind.starts_with("ssh-") || kind.contains("sha2") { KeyError::OtherKind } else { KeyError::NotAKey });
    }
    let bytes = base64(data).ok_or(KeyError::Damaged)?;
    // The key begins with its kind, as a length of four bytes and the text.
    let inner = bytes.split_at_checked(4).and_then(|(length, rest)| {
        let length = u32::from_be_bytes(length.try_into().ok()?);
        rest.split_at_checked(usize::try_from(length).ok()?)
    });
    match inner {
        Some((inner, key)) if inner == kind.as_bytes() && key.len() >= 32 => Ok(format!("{kind} {data}")),
        Some(_) | None => Err(KeyError::Damaged),
    }
}

/// Decodes standard base64 of at most 4 KiB (an RSA key of 16,384 bits has 2.8).
fn base64(text: &str) -> Option<Vec<u8>> {
    let data = text.trim_end_matches('=');
    if text.len() > 4_096 || !text.len().is_multiple_of(4) || text.len() - data.len() > 2 {
        return None;
    }
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0u32, 0u32);
    for c in data.bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8vWqGzrAYpJ0r2X4K7Vw1b0j8VwQ0cQyq3x2mH5k9d";

    #[test]
    fn a_public_key_is_read_without_its_comment() {
        assert_eq!(public_key(&format!("{GOOD} drydock@hospital")).as_deref(), Ok(GOOD));
    }

    #[test]
    fn what_is_no_public_key_says_why() {
        let check = |text: &str, expect| assert_eq!(public_key(text), Err(expect), "{text}");
        check("", KeyError::NotAKey);
        check("ssh-ed25519", KeyError::NotAKey);
        check("-----BEGIN OPENSSH PRIVATE KEY-----", KeyError::Private);
        check("ssh-dss AAAA", KeyError::OtherKind);
        check("hello world", KeyError::NotAKey);
        check("ssh-ed25519 AAAA", KeyError::Damaged);
        check(&GOOD.replace("ssh-ed25519 ", "ssh-rsa "), KeyError::Damaged);
        check(&GOOD[..GOOD.len() - 1], KeyError::Damaged);
        check(&GOOD.replace("IJ8v", "I!8v"), KeyError::Damaged);
        check(&format!("{GOOD}\nssh-rsa AAAA"), KeyError::NotAKey);
    }

    #[test]
    fn fields_that_would_hold_a_secret_are_known() {
        for name in ["password", "adminPassword", "client_secret", "API-Key", "pwd", "token", "userName"] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in ["credential", "path", "publicKey", "reason", "sasquatch"] {
            assert!(!names_a_secret(name), "{name}");
        }
    }
}
