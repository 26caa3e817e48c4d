//! The little of DER that is needed: the signature algorithm of a certificate, and the error in a KDC's answer.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// One element: its tag, its content, and what follows it. `None` where the bytes are no DER.
pub(crate) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        // Four bytes of length are far more than anything here has; 0 would be BER's open end.
        if count == 0 || count > 4 || rest.len() < count {
            return None;
        }
        let (digits, rest) = rest.split_at(count);
        (digits.iter().fold(0usize, |n, d| (n << 8) | usize::from(*d)), rest)
    };
    (rest.len() >= length).then(|| (tag, &rest[..length], &rest[length..]))
}

/// The elements of a constructed one, at most a hundred of them.
pub(crate) fn elements(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (tag, content, rest) = element(bytes)?;
        bytes = rest;
        Some((tag, content))
    })
    .take(100)
}

/// Whether these are whole elements: no length, on any level, that goes beyond what is there. Octet strings hold anything and are not looked into.
pub(crate) fn sound(bytes: &[u8]) -> bool {
    let mut open = vec![bytes];
    while let Some(mut rest) = open.pop() {
        while !rest.is_empty() {
            let Some((tag, inside, after)) = element(rest) else { return false };
            if tag & CONSTRUCTED != 0 {
                open.push(inside);
            }
            rest = after;
        }
    }
    true
}

/// The bit of a tag that says that there are elements inside.
const CONSTRUCTED: u8 = 0x20;

/// The channel binding `tls-server-end-point` (RFC 5929): the certificate's hash, by the hash of its own signature, at least SHA-256.
pub fn end_point_binding(certificate: &[u8]) -> Vec<u8> {
    let mut binding = b"tls-server-end-point:".to_vec();
    match signature_hash(certificate) {
        Hash::Sha384 => binding.extend_from_slice(&Sha384::digest(certificate)),
        Hash::Sha512 => binding.extend_from_slice(&Sha512::digest(certificate)),
        Hash::Sha256 => binding.extend_from_slice(&Sha256::digest(certificate)),
    }
    binding
}

enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

fn signature_hash(certificate: &[u8]) -> Hash {
    // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signature }
    let algorithm = element(certificate).and_then(|(_, inside, _)| elements(inside).nth(1)).map_or(&[][..], |(_, a)| a);
    let has = |oid: &[u8]| algorithm.windows(oid.len()).any(|w| w == oid);
    // 1.2.840.113549.1.1.12 and .13 (RSA), 1.2.840.10045.4.3.3 and .4 (ECDSA), and the hashes that RSASSA-PSS names in its parameters.
    let (rsa, ecdsa, plain) =
        ([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1], [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3], [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2]);
    let named =
        |r: u8, e: u8, p: u8| has(&[&rsa[..], &[r]].concat()) || has(&[&ecdsa[..], &[e]].concat()) || has(&[&plain[..], &[p]].concat());
    if named(12, 3, 2) {
        Hash::Sha384
    } else if named(13, 4, 3) {
        Hash::Sha512
    } else {
        Hash::Sha256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(oid: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, inside: &[u8]| [&[tag, inside.len() as u8][..], inside].concat();
        let algorithm = wrap(0x30, &wrap(6, oid));
        wrap(0x30, &[wrap(0x30, b"\x02\x01\x01"), algorithm, wrap(3, b"\0sig")].concat())
    }

    #[test]
    fn the_binding_follows_the_hash_of_the_certificates_signature() {
        let length = |oid: &[u8]| end_point_binding(&certificate(oid)).len() - "tls-server-end-point:".len();
        assert_eq!(length(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]), 32);
        assert_eq!(length(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5]), 32, "SHA-1 counts as SHA-256");
        assert_eq!(length(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12]), 48);
        assert_eq!(length(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4]), 64);
        assert_eq!(end_point_binding(b"").len(), 32 + 21);
    }

    #[test]
    fn an_element_is_sound_when_all_in_it_are() {
        let wrap = |tag: u8, inside: &[u8]| [&[tag, inside.len() as u8][..], inside].concat();
        assert!(sound(&wrap(0x7e, &wrap(0x30, &wrap(4, b"\x30\x84\xff")))), "an octet string holds anything");
        let long = [&[0x30, 0x81, 0x80][..], &[4, 0x7e], &[0; 0x7e]].concat();
        assert!(sound(&long) && sound(b""));
        assert!(sound(b"\x30\x84\0\0\0\x03\x02\x01\x05"), "some write lengths longer than they must be");
        for bad in [&wrap(0x7e, &wrap(0x30, b"\x02\x05a"))[..], b"\x30\x03\x02\x01\x05\x04", &long[..9]] {
            assert!(!sound(bad), "{bad:?}");
        }
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        for bad in [&b"\x30"[..], b"\x30\x05ab", b"\x30\x80\0\0", b"\x30\x85\0\0\0\0\0", b"\x30\x84\xff\xff\xff\xff"] {
            assert_eq!(element(bad), None, "{bad:?}");
        }
    }
}
