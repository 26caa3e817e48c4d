//! What probes answered, as facts. One part that cannot be understood is unknown by itself and takes no other with it; nothing is ever guessed (S10).
//!
//! ```text
//!   probe-node      ──► node::node        one node of itself
//!   probe-cluster   ──┐
//!   probe-storage   ──┴► cluster::cluster  the cluster, through one node
//! ```

mod cluster;
mod node;
#[cfg(test)]
mod tests;

pub use cluster::{cluster, through};
pub use node::{node, room};

use crate::words::plain;
use drydock_model::fact::{Fact, Gap};
use drydock_model::time::Span;
use serde_json::{Map, Value};
use std::fmt::Display;
use std::str::FromStr;

/// The longest name or word that a node may send; what is longer is no name.
const MOST_TEXT: usize = 300;

/// What a node says goes into status, and what is longer than 2 MiB is not read there again: so no list may be longer than Windows lets it be.
/// Members of a cluster, and whatever there is one of for each.
const MOST_MEMBERS: usize = 64;

/// Virtual machines of one server (Microsoft: plan for Hyper-V scalability).
const MOST_ROLES: usize = 1_024;

/// Disks of a cluster, and their jobs: Storage Spaces Direct has 64 volumes, shared storage more.
const MOST_DISKS: usize = 512;

/// Words of one state.
const MOST_WORDS: usize = 16;

/// All names of one list together, in bytes: 512 of 64 letters.
const MOST_NAMES: usize = 32 * 1024;

/// One part of a probe's answer as a fact: `{"ok":true,"value":…}` or `{"ok":false,"gap":…}`.
fn part<T>(answer: &Value, name: &'static str, seen: Span, read: impl FnOnce(At<'_>) -> Result<T, Gap>) -> Fact<T> {
    let Some(part) = answer.get(name) else {
        return Fact::Unknown(Gap::Missing(name.to_owned()));
    };
    let value = match (part.get("ok").and_then(Value::as_bool), part.get("value")) {
        (Some(true), Some(value)) => value,
        (Some(false), _) => return Fact::Unknown(gap(part, name)),
        (Some(true) | None, _) => return Fact::Unknown(Gap::Unparsable(name.to_owned())),
    };
    match read(At { value, path: name.to_owned() }) {
        Ok(value) => Fact::Known { value, seen },
        Err(gap) => Fact::Unknown(gap),
    }
}

/// Why a part has no value. What the node could not read for a reason of its own is named by its error id.
fn gap(part: &Value, name: &str) -> Gap {
    match part.get("gap").and_then(Value::as_str) {
        Some("AccessDenied") => Gap::AccessDenied,
        Some("ClusterServiceStopped") => Gap::ClusterServiceStopped,
        Some("NotThere") => Gap::Missing(name.to_owned()),
        Some(_) | None => {
            let id = part.get("id").and_then(Value::as_str).unwrap_or_default();
            let plain = |text: &str, most: usize| text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(most).collect::<String>();
            let id = plain(id, 80);
            // Our own scripts' words: which file. Of a registry value only that there is one, as its text could be anything.
            if id.starts_with("DrydockDamagedState") {
                return Gap::Damaged(plain(part.get("message").and_then(Value::as_str).unwrap_or(name), 300));
            }
            if id.starts_with("DrydockDamagedMemory") {
                return Gap::Damaged(r"a value below HKLM:\SOFTWARE\Drydock".to_owned());
            }
            Gap::Unreadable(if id.is_empty() { name.to_owned() } else { format!("{name} ({id})") })
        }
    }
}

/// A value inside an answer, and where it stands, for the gap that names it.
struct At<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> At<'a> {
    fn no<T>(&self) -> Result<T, Gap> {
        Err(Gap::Unparsable(self.path.clone()))
    }

    fn object(&self) -> Result<&'a Map<String, Value>, Gap> {
        self.value.as_object().map_or_else(|| self.no(), Ok)
    }

    /// A field; one that is not there is missing, one that is null is there.
    fn field(&self, name: &str) -> Result<At<'a>, Gap> {
        let path = format!("{}.{name}", self.path);
        match self.object()?.get(name) {
            Some(value) => Ok(At { value, path }),
            None => Err(Gap::Missing(path)),
        }
    }

    fn items(&self, most: usize) -> Result<Vec<At<'a>>, Gap> {
        match self.value.as_array() {
            Some(items) if items.len() <= most => {
                Ok(items.iter().enumerate().map(|(i, value)| At { value, path: format!("{}[{i}]", self.path) }).collect())
            }
            Some(_) | None => self.no(),
        }
    }

    fn null(&self) -> bool {
        self.value.is_null()
    }

    /// `None` where the value is null.
    fn optional<T>(self, read: impl FnOnce(At<'a>) -> Result<T, Gap>) -> Result<Option<T>, Gap> {
        if self.null() { Ok(None) } else { read(self).map(Some) }
    }

    fn text(&self) -> Result<&'a str, Gap> {
        match self.value.as_str() {
            Some(text) if text.len() <= MOST_TEXT => Ok(text),
            Some(_) | None => self.no(),
        }
    }

    /// What a person or a platform wrote, fit to be shown.
    fn words(&self) -> Result<String, Gap> {
        match self.value.as_str() {
            Some(text) => Ok(plain(text, MOST_TEXT)),
            None => self.no(),
        }
    }

    fn parsed<T: FromStr>(&self) -> Result<T, Gap> {
        self.text()?.parse().or_else(|_| self.no())
    }

    fn number<T: TryFrom<u64>>(&self) -> Result<T, Gap> {
        self.value.as_u64().and_then(|n| T::try_from(n).ok()).map_or_else(|| self.no(), Ok)
    }

    fn yes(&self) -> Result<bool, Gap> {
        self.value.as_bool().map_or_else(|| self.no(), Ok)
    }

    /// One of the words of an enum.
    fn one_of<T: Copy + Display>(&self, all: &[T]) -> Result<T, Gap> {
        let text = self.text()?;
        all.iter().copied().find(|one| one.to_string() == text).map_or_else(|| self.no(), Ok)
    }

    /// One of these words.
    fn word<T: Copy>(&self, all: &[(&str, T)]) -> Result<T, Gap> {
        let text = self.text()?;
        all.iter().find(|(word, _)| *word == text).map_or_else(|| self.no(), |(_, one)| Ok(*one))
    }
}
