//! The talk with one session host, over any transport: a token, libraries, requests, framed answers.

use super::caught::caught;
use super::channel::{Broken, Channel};
use crate::error::SessionError;
use crate::frame::{Answer, Frames, ScriptError, ascii};
use crate::words::{MESSAGE, SHORT, plain};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A script: its name, and its text, which is sent once in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Script {
    /// `probe-node`.
    pub name: &'static str,
    /// The text.
    pub source: &'static str,
}

/// Arguments of PowerShell that run `host` as its session host.
pub(crate) fn arguments(host: &str) -> Vec<String> {
    let units: Vec<u8> = host.encode_utf16().flat_map(u16::to_le_bytes).collect();
    ["-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand"]
        .map(str::to_owned)
        .into_iter()
        .chain([STANDARD.encode(units)])
        .collect()
}

/// A session host that has greeted.
pub(crate) struct Host {
    channel: Channel,
    frames: Frames,
    waiting: VecDeque<Answer>,
    next: i64,
    known: BTreeSet<String>,
    loaded: BTreeSet<String>,
    ended: Option<Option<i32>>,
    /// What the host said of itself.
    pub(crate) hello: Value,
}

impl Host {
    /// Sends the token, and waits for the greeting.
    pub(crate) async fn greet(channel: Channel, token: &str, within: Duration) -> Result<Self, (SessionError, Channel)> {
        let mut host = Self {
            channel,
            frames: Frames::new(token),
            waiting: VecDeque::new(),
            next: 1,
            known: BTreeSet::new(),
            loaded: BTreeSet::new(),
            ended: None,
            hello: Value::Null,
        };
        let deadline = Instant::now() + within;
        match caught(timeout_at(deadline, host.greeting(token))).await {
            Some(Ok(Ok(hello))) => {
                host.hello = hello;
                Ok(host)
            }
            Some(Ok(Err(error))) => Err((error, host.channel)),
            None => Err((SessionError::Unreachable("the controller failed over the greeting".into()), host.channel)),
            Some(Err(_)) => {
                let error = SessionError::ScriptRefused(format!("PowerShell did not greet within {within:?}{}", host.last_words()));
                Err((error, host.channel))
            }
        }
    }

    async fn greeting(&mut self, token: &str) -> Result<Value, SessionError> {
        if let Err(broken) = self.channel.send(format!("{token}\n").as_bytes()).await {
            // A program that ended at once says why on its output.
            while let Ok(output) = self.channel.receive().await {
                self.take(output, false)?;
                if self.ended.is_some() {
                    return Err(self.farewell(false));
                }
            }
            return Err(broken.unsent());
        }
        let answer = self.answer(false).await?;
        if answer.id != 0 || !answer.ok {
            return Err(SessionError::AnswerUnintelligible { why: "the host's greeting is not one".into(), sent: false });
        }
        Ok(answer.value)
    }

    /// Loads what is not loaded yet, then runs. `deadline` covers both.
    pub(crate) async fn run(
        &mut self,
        script: Script,
        libraries: &[Script],
        arguments: &Map<String, Value>,
        deadline: Instant,
    ) -> Result<Value, SessionError> {
        let request = self.request(script, arguments)?;
        let late = |what: &str| SessionError::Unreachable(format!("the node did not {what} in time"));
        timeout_at(deadline, self.load(libraries)).await.map_err(|_| late("load the libraries"))??;
        let (id, line) = request;
        match timeout_at(deadline, self.channel.send(line.as_bytes())).await {
            Ok(Ok(())) => {}
            Ok(Err(broken)) => return Err(broken.into_error()),
            // Some of it may be on its way, also the last byte.
            Err(_) => return Err(SessionError::AnswerLost("the request could not be written in time".into())),
        }
        self.known.insert(script.name.to_owned());
        let answer = match timeout_at(deadline, self.answer(true)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(SessionError::AnswerLost(format!("script {} did not answer in time", script.name))),
        };
        self.log_noise(script.name);
        if answer.id != id {
            let why = format!("answer {} came where {id} was awaited", answer.id);
            return Err(SessionError::AnswerUnintelligible { why, sent: true });
        }
        match (answer.ok, answer.error) {
            (true, None) => Ok(answer.value),
            (false, Some(error)) if error.id.starts_with("DrydockUnknownScript") => {
                Err(SessionError::ScriptRefused(format!("the host does not know {} (any more)", script.name)))
            }
            (false, Some(error)) => Err(failed(error, script.name)),
            _ => Err(SessionError::AnswerUnintelligible { why: "neither a value nor an error".into(), sent: true }),
        }
    }

    /// Writes an empty line, which keeps host and shell alive.
    pub(crate) async fn heartbeat(&mut self) -> Result<(), SessionError> {
        self.channel.send(b"\n").await.map_err(Broken::unsent)
    }

    pub(crate) fn into_channel(self) -> Channel {
        self.channel
    }

    fn request(&mut self, script: Script, arguments: &Map<String, Value>) -> Result<(i64, String), SessionError> {
        let mut given = Map::new();
        for (name, value) in arguments {
            match value {
                Value::Null => {}
                Value::Bool(_) | Value::Number(_) | Value::String(_) => drop(given.insert(name.clone(), value.clone())),
                Value::Array(all) if all.iter().all(Value::is_string) => drop(given.insert(name.clone(), value.clone())),
                Value::Array(_) | Value::Object(_) => {
                    return Err(SessionError::ScriptRefused(format!("argument {name} is neither a plain value nor a list of texts")));
                }
            }
        }
        let id = self.next;
        self.next += 1;
        let mut request = json!({ "id": id, "run": script.name, "args": given });
        if !self.known.contains(script.name) {
            request["source"] = Value::from(script.source);
        }
        Ok((id, ascii(&request.to_string()) + "\n"))
    }

    /// All in one go: a library that fails ends the session, so nothing is lost by not waiting for each.
    async fn load(&mut self, libraries: &[Script]) -> Result<(), SessionError> {
        let (mut lines, mut awaited) = (String::new(), Vec::new());
        for library in libraries {
            if self.loaded.contains(library.name) {
                continue;
            }
            let id = self.next;
            self.next += 1;
            let request = json!({ "id": id, "load": library.name, "source": library.source });
            lines.push_str(&ascii(&request.to_string()));
            lines.push('\n');
            awaited.push((id, library.name));
        }
        if awaited.is_empty() {
            return Ok(());
        }
        self.channel.send(lines.as_bytes()).await.map_err(Broken::unsent)?;
        for (id, name) in awaited {
            let answer = self.answer(false).await?;
            match answer.error {
                None if answer.id == id && answer.ok => drop(self.loaded.insert(name.to_owned())),
                Some(error) => {
                    let why = format!(
                        "library {name} does not load: {} ({}, line {})",
                        plain(&error.message, MESSAGE),
                        plain(&error.id, SHORT),
                        error.line.unwrap_or(0)
                    );
                    return Err(SessionError::ScriptRefused(why));
                }
                None => {
                    let why = format!("the answer to loading {name} is not one");
                    return Err(SessionError::AnswerUnintelligible { why, sent: false });
                }
            }
        }
        self.log_noise("libraries");
        Ok(())
    }

    /// The next answer; `sent` says whether a script may be running.
    async fn answer(&mut self, sent: bool) -> Result<Answer, SessionError> {
        loop {
            if let Some(answer) = self.waiting.pop_front() {
                return Ok(answer);
            }
            if self.ended.is_some() {
                return Err(self.farewell(sent));
            }
            match self.channel.receive().await {
                Ok(output) => self.take(output, sent)?,
                Err(broken) if sent => return Err(broken.awaiting()),
                Err(broken) => return Err(broken.unsent()),
            }
        }
    }

    fn take(&mut self, output: super::Output, sent: bool) -> Result<(), SessionError> {
        self.frames.keep_noise(&output.stderr);
        let answers = self.frames.feed(&output.stdout);
        self.waiting.extend(answers.map_err(|d| SessionError::AnswerUnintelligible { why: d.to_string(), sent })?);
        if output.ended.is_some() {
            self.ended = output.ended;
        }
        Ok(())
    }

    /// The program ended without an answer.
    fn farewell(&mut self, sent: bool) -> SessionError {
        let code = self.ended.flatten();
        let words = self.last_words();
        let code = code.map_or(String::new(), |c| format!(" with exit code {c}"));
        match words.split("DRYDOCK-LANGUAGE ").nth(1).and_then(|m| m.split_whitespace().next()) {
            Some(mode) => SessionError::ScriptRefused(format!(
                "PowerShell runs in {mode} mode there; an application control policy must allow the account FullLanguage"
            )),
            None if sent => SessionError::AnswerLost(format!("PowerShell ended{code}{words}")),
            None => SessionError::ScriptRefused(format!("PowerShell ended{code}{words}")),
        }
    }

    fn last_words(&mut self) -> String {
        let Some((noise, _)) = self.frames.take_noise() else { return String::new() };
        let words = plain(&noise, SHORT);
        if words.is_empty() { words } else { format!(": {words}") }
    }

    fn log_noise(&mut self, script: &str) {
        if let Some((text, lost)) = self.frames.take_noise() {
            tracing::debug!(script, lost, noise = %plain(&text, MESSAGE), "a script wrote more than its answer");
        }
    }
}

fn failed(error: ScriptError, name: &str) -> SessionError {
    let script = if error.script.is_empty() { name.to_owned() } else { plain(&error.script, SHORT) };
    SessionError::ScriptFailed {
        category: plain(&error.category, SHORT),
        id: plain(&error.id, SHORT),
        message: plain(&error.message, MESSAGE),
        script,
        line: error.line.unwrap_or(0),
    }
}
