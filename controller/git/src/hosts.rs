//! Whether an SSH server's key is on record: OpenSSH's known_hosts files, plain and hashed names, wildcards, `@revoked`.
//! What cannot be read vouches for nobody: everything here fails closed.

use crate::trouble::Trouble;
use sha1::{Digest, Sha1};
use ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use ssh_key::{HashAlg, PublicKey};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// A known_hosts file of a large site has some ten thousand lines; beyond this it is something else.
const FILE_MAX: u64 = 16 * 1024 * 1024;

/// Ok if the key that the server showed is on record for that host and port.
pub(crate) fn check(files: &[PathBuf], host: &str, port: u16, shown: &[u8]) -> Result<(), Trouble> {
    let name = name_of(host, port);
    let listed = || files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" or ");
    let unknown =
        |algorithm: String, fingerprint: String| Trouble::HostUnknown { host: name.clone(), algorithm, fingerprint, files: listed() };
    let Ok(key) = PublicKey::from_bytes(shown) else {
        return Err(unknown("a key of an unknown kind".into(), "(unreadable)".into()));
    };
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    let algorithm = key.algorithm().to_string();
    let mut known = false;
    let mut other: Option<String> = None;
    for file in files {
        for (line, entry) in entries(file)? {
            let place = format!("{} line {line}", file.display());
            if !matches(entry.host_patterns(), &name) {
                continue;
            }
            let same = entry.public_key().key_data() == key.key_data();
            match entry.marker() {
                Some(Marker::Revoked) if same => return Err(Trouble::HostRevoked { host: name, fingerprint, place }),
                // Host certificates are not offered by libgit2, so an authority's line says nothing here.
                Some(Marker::Revoked | Marker::CertAuthority) => {}
                None if same => known = true,
                None if entry.public_key().algorithm() == key.algorithm() => other = other.or(Some(place)),
                None => {}
            }
        }
    }
    match (known, other) {
        (true, _) => Ok(()),
        (false, Some(place)) => Err(Trouble::HostChanged { host: name, algorithm, fingerprint, place }),
        (false, None) => Err(unknown(algorithm, fingerprint)),
    }
}

/// As OpenSSH writes it: the port only if it is not 22.
fn name_of(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// A file that is not there knows nobody. One that cannot be read could revoke what another one knows, so nobody is believed then.
fn text(file: &Path) -> Result<Vec<u8>, Trouble> {
    let cannot = |error| Trouble::from_io("read", file, error);
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(error)),
    };
    let mut text = Vec::new();
    opened.take(FILE_MAX + 1).read_to_end(&mut text).map_err(cannot)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_MAX {
        return Err(cannot(io::Error::other(format!("it is larger than {FILE_MAX} bytes"))));
    }
    Ok(text)
}

/// The lines that can be read; comments and lines with keys of unknown kinds are passed over.
fn entries(file: &Path) -> Result<Vec<(usize, Entry)>, Trouble> {
    let text = text(file)?;
    let entries = String::from_utf8_lossy(&text)
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with('#'))
        .filter_map(|(number, line)| line.trim().parse::<Entry>().ok().map(|entry| (number + 1, entry)))
        .collect();
    Ok(entries)
}

fn matches(patterns: &HostPatterns, name: &str) -> bool {
    match patterns {
        HostPatterns::HashedName { salt, hash } => hmac_sha1(salt, name.as_bytes()) == *hash,
        HostPatterns::Patterns(list) => {
            let negated = list.iter().filter_map(|pattern| pattern.strip_prefix('!')).any(|pattern| glob(pattern, name));
            !negated && list.iter().filter(|pattern| !pattern.starts_with('!')).any(|pattern| glob(pattern, name))
        }
    }
}

/// `*` is any run of characters, `?` any one; case does not count.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase().into_bytes(), name.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // Where the last star was, and how much of the name it has eaten so far.
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(&c) if c == b'?' || c == name[seen] => {
                at += 1;
                seen += 1;
            }
            Some(_) | None => match star {
                Some((star_at, eaten)) => {
                    star = Some((star_at, eaten + 1));
                    at = star_at + 1;
                    seen = eaten + 1;
                }
                None => return false,
            },
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
    use expect_test::expect;
    use ssh_key::private::Ed25519Keypair;

    fn key(seed: u8) -> PublicKey {
        PublicKey::from(ssh_key::public::KeyData::Ed25519(Ed25519Keypair::from_seed(&[seed; 32]).public))
    }

    fn judged(lines: &str, host: &str, port: u16, seed: u8) -> String {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("known_hosts");
        std::fs::write(&file, lines).expect("written");
        match check(&[file], host, port, &key(seed).to_bytes().expect("bytes")) {
            Ok(()) => "known".into(),
            Err(no) => no.to_string().replace(&folder.path().display().to_string(), "HOME"),
        }
    }

    fn line(names: &str, seed: u8) -> String {
        format!("{names} {}\n", key(seed).to_openssh().expect("text"))
    }

    /// A hashed name as `ssh-keygen -H` makes it.
    fn hashed(name: &str) -> String {
        use ssh_key::known_hosts::HostPatterns::HashedName;
        HashedName { salt: vec![7; 20], hash: hmac_sha1(&[7; 20], name.as_bytes()) }.to_string()
    }

    #[test]
    fn hmac_is_the_one_of_rfc_2202() {
        let hex = |bytes: [u8; 20]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(hmac_sha1(&[0x0b; 20], b"Hi There")), "b617318655057264e28bc0b6fb378c8ef146be00");
        assert_eq!(hex(hmac_sha1(b"Jefe", b"what do ya want for nothing?")), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
        assert_eq!(
            hex(hmac_sha1(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First")),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112"
        );
    }

    #[test]
    fn plain_hashed_and_wildcard_names_are_found() {
        assert_eq!(judged(&line("forge.example", 1), "forge.example", 22, 1), "known");
        assert_eq!(judged(&line("forge.example", 1), "FORGE.example", 22, 1), "known");
        assert_eq!(judged(&line("a,forge.example,10.0.0.1", 1), "10.0.0.1", 22, 1), "known");
        assert_eq!(judged(&line("[forge.example]:2222", 1), "forge.example", 2222, 1), "known");
        assert_eq!(judged(&line("*.example", 1), "forge.example", 22, 1), "known");
        assert_eq!(judged(&line(&hashed("forge.example"), 1), "forge.example", 22, 1), "known");
        assert_eq!(judged(&line(&hashed("[forge.example]:2222"), 1), "forge.example", 2222, 1), "known");
        assert_eq!(judged(&format!("# {}{}", line("x", 2), line("forge.example", 1)), "forge.example", 22, 1), "known");
    }

    #[test]
    fn a_key_that_nobody_vouches_for_is_refused_with_its_fingerprint() {
        expect!["the SSH host key of forge.example is not known: ssh-ed25519 SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8. Compare it with what the server's owner publishes, then add its line to HOME/known_hosts"]
            .assert_eq(&judged("", "forge.example", 22, 1));
        // The port, a negation, a garbled line and a certificate authority's line all vouch for nothing.
        for lines in [
            line("forge.example", 1).replace("forge.example", "[forge.example]:2222"),
            line("*.example,!forge.example", 1),
            "forge.example ssh-ed25519 AAAAgarbage\n".to_owned(),
            format!("@cert-authority {}", line("forge.example", 1)),
            line("orge.example", 1),
            line("forge.exampl?e", 1),
        ] {
            assert!(judged(&lines, "forge.example", 22, 1).contains("is not known"), "{lines}");
        }
    }

    #[test]
    fn a_changed_key_is_another_error_than_an_unknown_one() {
        expect!["the SSH host key of forge.example is ssh-ed25519 SHA256:4A9jyZBOhnKZvcGQ6TRFbf5Gymb41AfYvYaVmWHD+G4, but HOME/known_hosts line 1 has another one. Somebody may be in between; only if the owner confirms the change, replace that line"]
            .assert_eq(&judged(&line("forge.example", 1), "forge.example", 22, 2));
    }

    #[test]
    fn a_revoked_key_is_refused_even_when_it_is_also_listed() {
        let both = format!("{}@revoked {}", line("forge.example", 1), line("*", 1));
        expect!["the SSH host key SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8 of forge.example is revoked in HOME/known_hosts line 2; do not connect before its owner has replaced it"]
            .assert_eq(&judged(&both, "forge.example", 22, 1));
    }

    #[test]
    fn a_missing_file_vouches_for_nobody() {
        let bytes = key(1).to_bytes().expect("bytes");
        assert!(matches!(
            check(&[PathBuf::from("/nonexistent/known_hosts")], "forge.example", 22, &bytes),
            Err(Trouble::HostUnknown { .. })
        ));
        assert!(matches!(check(&[], "forge.example", 22, b"no key at all"), Err(Trouble::HostUnknown { .. })));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_the_reason_even_where_another_one_knows_the_key() {
        let folder = tempfile::tempdir().expect("folder");
        let (good, bad) = (folder.path().join("known_hosts"), folder.path().join("unreadable"));
        std::fs::write(&good, line("forge.example", 1)).expect("written");
        std::fs::create_dir(&bad).expect("a folder");
        let bytes = key(1).to_bytes().expect("bytes");
        let said = check(&[good, bad.clone()], "forge.example", 22, &bytes).expect_err("it may revoke the key");
        let why = std::error::Error::source(&said).expect("a reason").to_string();
        assert!(said.to_string().contains(&bad.display().to_string()) && why.contains("directory"), "{said}: {why}");
    }

    #[test]
    fn globs_match_as_openssh_does() {
        for (pattern, name, yes) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("**a", "a", true),
            ("", "a", false),
            ("*.b.*", "a.b.c", true),
        ] {
            assert_eq!(glob(pattern, name), yes, "{pattern} {name}");
        }
    }
}
