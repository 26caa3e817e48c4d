//! What is kept of an answer: by the place of each text, and only in the form that this place has. Everything else is replaced, the same text by the
//! same replacement. Nothing is kept because it looks harmless somewhere else.

use super::Unanswered;
use crate::error::SessionError;
use drydock_model::ids::NodeName;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// What is known to be somebody's: names and addresses of the configuration and of the cluster's file.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The cluster's nodes, in the order in which they are numbered.
    pub nodes: Vec<NodeName>,
    /// The cluster's name, addresses, accounts, credentials, realms.
    pub names: Vec<String>,
}

/// Replaces; remembers what by what.
#[derive(Debug, Default)]
pub struct Scrubber {
    known: BTreeSet<String>,
    replaced: BTreeMap<(&'static str, String), usize>,
    counts: BTreeMap<&'static str, usize>,
}

/// What a text at some place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A word of Windows, of PowerShell or of ours.
    Word,
    /// A number, a build, a version, `true`.
    Figure,
    /// An instant.
    Instant,
    /// What an order names: `3.ab12/8`.
    Place,
    /// What shall run.
    Target,
    /// A node's name.
    Node,
    /// A UUID, a digest, a random value.
    Id,
    /// An error's id.
    ErrorId,
    /// The title of an update that Microsoft published.
    Title,
    /// Anything else, with the word that its replacement begins with.
    Name(&'static str),
}

/// The kind of a text at its place inside an answer, part by part.
fn kind(path: &str) -> Kind {
    match path {
        "identity.name" | "view.members[].name" | "wouldLoseQuorum[]" | "groups[].owner" | "drives[].node" => Kind::Node,
        "identity.machine" | "identity.cluster" | "identity.node" | "boot.id" | "view.cluster" | "machine" => Kind::Id,
        "memory.consumed.digest" | "memory.commit.boot" | "memory.registryWritten" => Kind::Id,
        "memory.fence" | "memory.consumed.place" | "memory.marker.vacate" | "memory.cancelled" | "worker.place" => Kind::Place,
        "memory.commit.target" | "worker.target" => Kind::Target,
        "memory.consumed.phase" | "memory.marker.state" | "memory.commit.phase" | "worker.state" | "worker.doing" => Kind::Word,
        "service" | "view.members[].state" | "view.members[].drain" | "view.members[].information" | "view.witness.kind" => Kind::Word,
        "groups[].state" | "groups[].type" | "disks[].health" | "disks[].operational[]" | "jobs[].state" => Kind::Word,
        "pool.health" | "pool.operational[]" => Kind::Word,
        "registration.registrationStatus" | "registration.connectionStatus" | "offers[].category" => Kind::Word,
        "shell.language" | "shell.culture" | "account.logon" | "policy[].scope" | "policy[].policy" => Kind::Word,
        "modules[].name" | "modules[].missing[]" | "services[].name" | "services[].status" | "services[].start" | "tasks[].state" => {
            Kind::Word
        }
        "shell.version" | "cim" => Kind::Figure,
        "clock" => Kind::Instant,
        "offers[].title" => Kind::Title,
        "groups[].name" => Kind::Name("group"),
        "disks[].name" => Kind::Name("disk"),
        "jobs[].name" => Kind::Name("job"),
        "cluster.name" => Kind::Name("cluster"),
        "storage" => Kind::Name("pool"),
        "account.name" => Kind::Name("account"),
        "account.sid" => Kind::Name("sid"),
        "tasks[].name" => Kind::Name("task"),
        "folder.path" => Kind::Name("path"),
        // The service's limits, by their names.
        _ if path.strip_prefix("quotas.").is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric())) => Kind::Figure,
        _ => Kind::Name("text"),
    }
}

impl Scrubber {
    /// Nodes are numbered in the order in which `known` has them.
    pub fn new(known: &Known) -> Scrubber {
        let mut scrubber = Scrubber::default();
        for node in &known.nodes {
            scrubber.node(node.as_str());
        }
        // Of an address or an account the parts tell as much as the whole.
        for name in known.names.iter().map(String::as_str).chain(known.nodes.iter().map(NodeName::as_str)) {
            let name = name.to_ascii_lowercase();
            scrubber.known.extend(name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| part.len() > 1).map(str::to_owned));
            scrubber.known.insert(name);
        }
        scrubber
    }

    /// A node's name here.
    pub fn node(&mut self, name: &str) -> NodeName {
        let number = self.number("node", &name.to_ascii_uppercase());
        // Far below fifteen characters: a cluster has sixteen nodes.
        format!("NODE-{number}").parse().unwrap_or_else(|_| unreachable!("NODE- and a number is a node's name"))
    }

    /// An answer of a probe: an object of parts.
    pub fn answer(&mut self, answer: &Value) -> Value {
        match answer {
            Value::Object(parts) => {
                let mut clean = Map::new();
                for (name, part) in parts {
                    let name = self.key(name);
                    let part = self.part(&name, part);
                    clean.insert(name, part);
                }
                Value::Object(clean)
            }
            other => self.value("", other),
        }
    }

    /// Why there was none.
    pub(super) fn unanswered(&mut self, error: &SessionError) -> Unanswered {
        let mut told = Unanswered { code: error.code().to_owned(), category: None, id: None, line: None };
        if let SessionError::ScriptFailed { category, id, script, line, .. } = error {
            told.category = Some(self.text(Kind::Word, category));
            told.id = Some(self.text(Kind::ErrorId, id));
            // The script's name is ours.
            let known = crate::scripts::script(script).map_or("another", |s| s.name);
            told.line = Some(format!("{known}:{line}"));
        }
        told
    }

    fn part(&mut self, name: &str, part: &Value) -> Value {
        let Value::Object(fields) = part else { return self.value(name, part) };
        let mut clean = Map::new();
        for (field, value) in fields {
            let value = match (field.as_str(), value) {
                ("ok", Value::Bool(_)) => value.clone(),
                ("value", value) => self.value(name, value),
                ("gap" | "category", Value::String(text)) => Value::from(self.text(Kind::Word, text)),
                ("id", Value::String(text)) => Value::from(self.text(Kind::ErrorId, text)),
                (_, value) => self.value("", value),
            };
            clean.insert(self.key(field), value);
        }
        Value::Object(clean)
    }

    fn value(&mut self, path: &str, value: &Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
            Value::String(text) => Value::from(self.text(kind(path), text)),
            Value::Array(items) => {
                let path = format!("{path}[]");
                Value::Array(items.iter().map(|item| self.value(&path, item)).collect())
            }
            Value::Object(fields) => {
                let mut clean = Map::new();
                for (name, value) in fields {
                    let value = self.value(&format!("{path}.{name}"), value);
                    clean.insert(self.key(name), value);
                }
                Value::Object(clean)
            }
        }
    }

    /// Names of fields are our scripts' own. What does not look so is not.
    fn key(&mut self, name: &str) -> String {
        let ours =
            name.len() <= 40 && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric());
        if ours { name.to_owned() } else { self.replace("key", name) }
    }

    fn text(&mut self, kind: Kind, text: &str) -> String {
        let shaped = |most: usize, also: &str| {
            !text.is_empty() && text.len() <= most && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
        };
        match kind {
            Kind::Word if text.is_empty() => String::new(),
            Kind::Word if shaped(60, " ,-") && !self.names_somebody(text) => text.to_owned(),
            Kind::Figure
                if text.chars().all(|c| c.is_ascii_digit() || c == '.') && text.len() <= 30 || matches!(text, "true" | "false") =>
            {
                text.to_owned()
            }
            Kind::Instant if text.len() <= 30 && text.chars().all(|c| c.is_ascii_digit() || "-:.TZ+".contains(c)) => text.to_owned(),
            Kind::Target if shaped(40, " .()") && text.starts_with('2') && !self.names_somebody(text) => text.to_owned(),
            Kind::Title if shaped(160, " ,.()-_") && PUBLIC.iter().any(|p| text.contains(p)) && !self.names_somebody(text) => {
                text.to_owned()
            }
            Kind::Place => self.place(text),
            Kind::Node => self.node(text).to_string(),
            Kind::Id => self.id(text),
            Kind::ErrorId => self.error_id(text),
            Kind::Name(word) => self.replace(word, text),
            Kind::Word | Kind::Figure | Kind::Instant | Kind::Target | Kind::Title => self.replace("text", text),
        }
    }

    /// The numbers order entries; the nonce is somebody's commit.
    fn place(&mut self, text: &str) -> String {
        let digits = |t: &str| !t.is_empty() && t.len() <= 10 && t.chars().all(|c| c.is_ascii_digit());
        match text.split_once('.').and_then(|(epoch, rest)| rest.split_once('/').map(|(nonce, seq)| (epoch, nonce, seq))) {
            Some((epoch, nonce, seq)) if digits(epoch) && digits(seq) => {
                let number = self.number("nonce", nonce);
                format!("{epoch}.n{number}/{seq}")
            }
            Some(_) | None => self.replace("text", text),
        }
    }

    /// Another one of the same form, so that whatever reads it still can.
    fn id(&mut self, text: &str) -> String {
        // A node's number inside its cluster.
        if !text.is_empty() && text.len() <= 3 && text.chars().all(|c| c.is_ascii_digit()) {
            return text.to_owned();
        }
        let number = self.number("id", &text.to_ascii_lowercase());
        let hexadecimal = |t: &str| t.chars().all(|c| c.is_ascii_hexdigit());
        match text.len() {
            36 if text.chars().all(|c| c.is_ascii_hexdigit() || c == '-') => format!("00000000-0000-0000-0000-{number:012x}"),
            length @ (32 | 64) if hexadecimal(text) => format!("{number:0length$x}"),
            _ => format!("id-{number}"),
        }
    }

    /// An error's id names the error and the command, unless somebody threw a text: then the text is the id.
    fn error_id(&mut self, text: &str) -> String {
        let plain = |t: &str, also: &str| t.len() <= 200 && t.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c));
        let ours = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if ours.starts_with("Drydock") && ours.len() <= 60 {
            return ours.to_owned();
        }
        let of_a_command = text.contains(',') && plain(text, "_.,-");
        let of_cim = text.strip_prefix("HRESULT 0x").is_some_and(|rest| rest.contains(',') && plain(rest, "_.,-"));
        // What .NET throws is named by its type.
        let of_net = text.len() <= 80 && text.ends_with("Exception") && text.chars().all(|c| c.is_ascii_alphabetic());
        if (of_a_command || of_cim || of_net) && !self.names_somebody(text) { text.to_owned() } else { self.replace("error", text) }
    }

    /// Whether a known name is among the words of a text.
    fn names_somebody(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        self.known
            .iter()
            .filter(|name| !name.is_empty())
            .any(|name| if name.chars().all(|c| c.is_ascii_alphanumeric()) { words.contains(&name.as_str()) } else { text.contains(name) })
    }

    fn replace(&mut self, word: &'static str, text: &str) -> String {
        // Whether there was a text at all is no secret.
        if text.is_empty() {
            return String::new();
        }
        let number = self.number(word, text);
        format!("{word}-{number}")
    }

    fn number(&mut self, word: &'static str, text: &str) -> usize {
        let key = (word, text.to_owned());
        if let Some(number) = self.replaced.get(&key) {
            return *number;
        }
        let count = self.counts.entry(word).or_insert(0);
        *count += 1;
        let number = *count;
        self.replaced.insert(key, number);
        number
    }
}

/// What titles of feature updates speak of; a company's own updates may speak of anything.
const PUBLIC: [&str; 4] = ["Azure Stack HCI", "Azure Local", "Windows Server", "Feature update"];
