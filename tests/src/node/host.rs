//! A session host (controller/windows/scripts/host.ps1) on a stub node: one PowerShell, fed lines, answering lines.

use super::scripts_folder;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

/// The libraries, in the order in which they are loaded.
pub(super) const LIBRARIES: [&str; 6] = ["lib-seam", "lib-json", "lib-memory", "lib-facts", "lib-guard", "lib-work"];
/// Longer than any script takes here.
const PATIENCE: Duration = Duration::from_secs(60);
/// Any will do: 32 hexadecimal digits that no script prints.
const TOKEN: &str = "5f3a9c0e7b1d4826a0c4e8f2b6d17935";
/// As many lines of noise as are kept for an error.
const MOST_NOISE: usize = 200;

/// The scripts that this process ran, by name.
static RUN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The scripts that this process has run so far.
pub fn scripts_run() -> BTreeSet<String> {
    RUN.lock().map(|run| run.clone()).unwrap_or_default()
}

/// A PowerShell that can be a stub node's, or nothing.
pub fn powershell() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> Option<PathBuf> {
    let named = std::env::var_os("DRYDOCK_PWSH").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).flat_map(|f| ["pwsh", "powershell.exe"].map(|n| f.join(n))).find(|p| p.is_file());
    let found = named.or_else(on_path)?;
    // Without a registry provider no script of ours runs.
    let asked =
        Command::new(&found).args(["-NoProfile", "-NonInteractive", "-Command", "(Get-PSDrive HKLM).Provider.Name"]).output().ok()?;
    String::from_utf8_lossy(&asked.stdout).contains("Registry").then_some(found)
}

/// A script of the project, by its file name without `.ps1`.
pub(super) fn source(name: &str) -> String {
    let file = scripts_folder().join(format!("{name}.ps1"));
    std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

/// What a script ended with instead of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// The host died, or did not answer in time.
    pub lost: bool,
    /// `FullyQualifiedErrorId`.
    pub id: String,
    /// The category of the error record.
    pub category: String,
    /// The message, and where.
    pub message: String,
}

impl std::fmt::Display for ScriptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}): {}", self.id, self.category, self.message)
    }
}

/// One session host.
pub struct Host {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    id: u64,
    known: BTreeSet<String>,
    noise: Vec<String>,
    /// What it said of itself when it began.
    pub hello: Value,
}

impl Drop for Host {
    fn drop(&mut self) {
        // The end of its input ends it; it has nothing left to do that a test would wait for.
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Base64 of UTF-16LE, as `-EncodedCommand` wants it.
fn encoded(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |w, b| w << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

impl Host {
    /// Starts a host with a node's environment, and loads the libraries.
    pub fn start(environment: &BTreeMap<String, String>) -> Host {
        let mut host = Host::bare(environment);
        for library in LIBRARIES {
            let answer = host.ask(json!({"load": library, "source": source(library)}));
            assert!(answer.is_ok(), "{library}: {answer:?}");
        }
        host
    }

    /// Starts a host with nothing loaded.
    pub fn bare(environment: &BTreeMap<String, String>) -> Host {
        let program = Path::new(&environment["SystemRoot"]).join("System32/powershell.exe");
        let mut child = Command::new(program)
            .args(["-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", &encoded(&source("host"))])
            .env_clear()
            .envs(environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("PowerShell starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("its output is ours"));
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        let mut host = Host { child, input, lines, id: 0, known: BTreeSet::new(), noise: Vec::new(), hello: Value::Null };
        host.write(TOKEN);
        host.hello = host.answer(0).unwrap_or_else(|why| panic!("the host does not begin: {why}"));
        host
    }

    /// Whether its process lives.
    pub fn lives(&mut self) -> bool {
        self.input.is_some() && matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line as it is; for tests of the framing.
    pub fn write(&mut self, line: &str) {
        let broken =
            self.input.as_mut().is_some_and(|input| input.write_all(format!("{line}\n").as_bytes()).and_then(|()| input.flush()).is_err());
        if broken {
            self.input = None;
        }
    }

    /// Runs a script of the project.
    pub fn run(&mut self, name: &str, args: Value) -> Result<Value, ScriptError> {
        if let Ok(mut run) = RUN.lock() {
            run.insert(name.to_owned());
        }
        let mut request = json!({"run": name, "args": args});
        if self.known.insert(name.to_owned()) {
            request["source"] = json!(source(name));
        }
        self.ask(request)
    }

    /// Runs a text of the test's own, or loads it as a library.
    pub fn ask(&mut self, mut request: Value) -> Result<Value, ScriptError> {
        self.id += 1;
        request["id"] = json!(self.id);
        self.write(&ascii(&request.to_string()));
        self.answer(self.id)
    }

    fn answer(&mut self, id: u64) -> Result<Value, ScriptError> {
        loop {
            let line = match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => line,
                Err(why) => {
                    self.input = None;
                    let said = self.noise.join("\n");
                    let what = if why == RecvTimeoutError::Timeout { "no answer in time" } else { "the session ended" };
                    return Err(ScriptError { lost: true, id: what.to_owned(), category: String::new(), message: said });
                }
            };
            let Some(text) = line.strip_prefix(TOKEN).and_then(|rest| rest.strip_prefix(' ')) else {
                if !line.is_empty() && self.noise.len() < MOST_NOISE {
                    self.noise.push(line);
                }
                continue;
            };
            assert!(text.is_ascii(), "an answer beyond ASCII: {text}");
            let answer: Value = serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"));
            assert_eq!(answer["id"], json!(id), "{answer}");
            if answer["ok"] == true {
                return Ok(answer["value"].clone());
            }
            let error = &answer["error"];
            let text = |field: &str| error[field].as_str().unwrap_or_default().to_owned();
            let message = format!("{} (script {}, line {})", text("message"), text("script"), error["line"]);
            return Err(ScriptError { lost: false, id: text("id"), category: text("category"), message });
        }
    }

    /// What it wrote that was no answer.
    pub fn noise(&self) -> &[String] {
        &self.noise
    }
}

/// JSON with everything beyond ASCII escaped.
fn ascii(json: &str) -> String {
    let mut units = [0; 2];
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}
