//! S16: no secret in what is written. A last look, on the safe side of missing some: what it finds should never have come this far.

use crate::Found;
use crate::case::Case;
use crate::texts::texts;

/// From this length on letters of both cases mixed with digits are no word of ours: names end at 63 characters of one case, digests are hexadecimal.
const KEY: usize = 40;

/// S16: no secret reaches git, logs, status or error texts. What is found is not repeated.
pub(crate) fn s16(case: &Case<'_>) -> Found {
    texts(case).into_iter().filter_map(|(place, text)| Some(format!("{place} {}", smells(&text)?))).collect()
}

/// What about a text looks like a secret.
fn smells(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    if assigned(&lower) {
        return Some("assigns a password or a token");
    }
    if lower.contains("-----begin") {
        return Some("contains a key in PEM form");
    }
    if lower.contains("authorization:") || lower.contains("bearer ") {
        return Some("contains a header that authorizes");
    }
    if lower.split("://").skip(1).any(|rest| userinfo(rest).is_some_and(|info| info.contains(':'))) {
        return Some("contains an address with a password");
    }
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '+' || c == '=')).any(random).then_some("contains what looks like a key")
}

/// `password=…`, `token: …`: a secret's name, a sign, and then something that is not prose.
fn assigned(lower: &str) -> bool {
    ["password", "passwd", "pwd", "secret", "token"].iter().any(|name| {
        lower.match_indices(name).any(|(at, _)| {
            let after = lower.get(at + name.len()..).unwrap_or_default().trim_start_matches(['"', '\'', ' ']);
            match after.strip_prefix('=') {
                Some(value) => value.trim_start().chars().next().is_some(),
                None => after.strip_prefix(':').is_some_and(|value| {
                    // "wrong password: account locked" is what status has to say; a value has more in it than letters.
                    let word = value.split_whitespace().next().unwrap_or_default();
                    word.len() >= 6 && !word.trim_end_matches(['.', ',', ';', ':']).chars().all(char::is_alphabetic)
                }),
            }
        })
    })
}

/// What stands before the `@` of an address.
fn userinfo(rest: &str) -> Option<&str> {
    let host = rest.split(|c: char| c == '/' || c.is_whitespace()).next()?;
    host.rsplit_once('@').map(|(info, _)| info)
}

fn random(run: &str) -> bool {
    let has = |kind: fn(&char) -> bool| run.chars().any(|c| kind(&c));
    run.len() >= KEY && has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase) && has(char::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_words_that_look_like_secrets_are_found_and_ordinary_ones_are_not() {
        let check = |text: &str, secret: bool| assert_eq!(smells(text).is_some(), secret, "{text}");
        check("cannot log on: Password=hunter2", true);
        check("token: ghp9f8e7d6", true);
        check("https://fleet:tops3cret@git.example.com/fleet.git cannot be read", true);
        check("-----BEGIN OPENSSH PRIVATE KEY-----", true);
        check("Authorization: Basic Zm9v", true);
        check("key aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5hJ7kL9 was refused", true);
        check("the password of CONTOSO\\drydock has expired", false);
        check("wrong password: account locked", false);
        check("https://git.example.com/fleet.git cannot be read", false);
        check("git@git.example.com:fleet/hospital-north.git cannot be read", false);
        check("3f786850e387550fdab836ed7e6dc881de23001b3f786850e387550fdab836ed was not ours", false);
        check("file:///srv/Fleet2/Repository/branches/drydock/status/clusters", false);
    }
}
