//! Key tables of MIT Kerberos, format 2, as `ktpass` and `ktutil` write them.

use crate::secret::Secret;

/// Entries of one file; an account has one for each kind of key and version.
const ENTRIES: usize = 200;

/// One key.
#[derive(Debug)]
pub struct KeytabEntry {
    /// The principal's name, without the realm: `svc`.
    pub name: String,
    /// `CORP.EXAMPLE`.
    pub realm: String,
    /// 18 is AES-256, 17 AES-128.
    pub kind: u16,
    /// The key's version.
    pub version: u32,
    /// The key.
    pub key: Secret,
}

/// Why a key table does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeytabProblem {
    /// Another kind of file.
    #[error("it is no key table of format 2")]
    Format,
    /// Shorter than it says.
    #[error("the key table is cut")]
    Cut,
    /// No key of a kind that is still used.
    #[error("it has no AES key for the account; make one with AES-256")]
    NoKey,
}

/// All entries of a file.
pub fn keytab_entries(bytes: &[u8]) -> Result<Vec<KeytabEntry>, KeytabProblem> {
    let mut rest = bytes.strip_prefix(&[5, 2]).ok_or(KeytabProblem::Format)?;
    let mut entries = Vec::new();
    while !rest.is_empty() && entries.len() < ENTRIES {
        let (size, after) = rest.split_first_chunk::<4>().ok_or(KeytabProblem::Cut)?;
        let size = i32::from_be_bytes(*size);
        // A negative size is a hole.
        let length = usize::try_from(size.unsigned_abs()).map_err(|_| KeytabProblem::Cut)?;
        if size == 0 {
            break;
        }
        if after.len() < length {
            return Err(KeytabProblem::Cut);
        }
        if size > 0 {
            entries.push(entry(&after[..length]).ok_or(KeytabProblem::Cut)?);
        }
        rest = &after[length..];
    }
    Ok(entries)
}

/// The best key for an account: the strongest kind, then the newest version.
pub(crate) fn choose(bytes: &[u8], user: Option<&str>) -> Result<KeytabEntry, KeytabProblem> {
    let wanted = user.map(|u| u.split('@').next().unwrap_or(u));
    let fits = |e: &KeytabEntry| matches!(e.kind, 17 | 18) && wanted.is_none_or(|w| e.name.eq_ignore_ascii_case(w));
    keytab_entries(bytes)?.into_iter().filter(fits).max_by_key(|e| (e.kind, e.version)).ok_or(KeytabProblem::NoKey)
}

fn entry(bytes: &[u8]) -> Option<KeytabEntry> {
    let mut at = bytes;
    let count = u16::from_be_bytes(take(&mut at)?);
    let realm = text(&mut at)?;
    let mut parts = Vec::new();
    for _ in 0..count.min(10) {
        parts.push(text(&mut at)?);
    }
    let _name_type: [u8; 4] = take(&mut at)?;
    let _written: [u8; 4] = take(&mut at)?;
    let [short] = take(&mut at)?;
    let kind = u16::from_be_bytes(take(&mut at)?);
    let key = counted(&mut at)?.to_vec();
    // Newer writers add the version again, in 32 bits.
    let version = take::<4>(&mut at).map(u32::from_be_bytes).filter(|v| *v != 0).unwrap_or(u32::from(short));
    Some(KeytabEntry { name: parts.join("/"), realm, kind, version, key: Secret::new(key) })
}

fn take<const N: usize>(at: &mut &[u8]) -> Option<[u8; N]> {
    let (now, later) = at.split_first_chunk::<N>()?;
    *at = later;
    Some(*now)
}

fn counted<'a>(at: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::from(u16::from_be_bytes(take(at)?));
    let (now, later) = at.split_at_checked(length)?;
    *at = later;
    Some(now)
}

fn text(at: &mut &[u8]) -> Option<String> {
    counted(at).and_then(|b| std::str::from_utf8(b).ok()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(entries: &[(&str, u16, u8)]) -> Vec<u8> {
        let mut bytes = vec![5, 2];
        for (name, kind, version) in entries {
            let counted = |b: &[u8]| [&(b.len() as u16).to_be_bytes()[..], b].concat();
            let entry = [
                &1u16.to_be_bytes()[..],
                &counted(b"LAB.TEST"),
                &counted(name.as_bytes()),
                &[0; 8],
                &[*version],
                &kind.to_be_bytes(),
                &counted(&[7; 32]),
            ]
            .concat();
            bytes.extend((entry.len() as i32).to_be_bytes());
            bytes.extend(entry);
        }
        bytes
    }

    #[test]
    fn the_strongest_and_newest_key_of_the_account_is_chosen() {
        let bytes = file(&[("svc", 23, 9), ("svc", 17, 9), ("svc", 18, 1), ("svc", 18, 2), ("other", 18, 3)]);
        let best = choose(&bytes, Some("SVC@lab.test")).unwrap();
        assert_eq!((best.kind, best.version, best.realm.as_str()), (18, 2, "LAB.TEST"));
        assert!(matches!(choose(&file(&[("svc", 23, 1)]), None), Err(KeytabProblem::NoKey)));
        assert!(matches!(choose(&bytes[..bytes.len() - 1], None), Err(KeytabProblem::Cut)));
        assert!(matches!(choose(b"x", None), Err(KeytabProblem::Format)));
    }
}
