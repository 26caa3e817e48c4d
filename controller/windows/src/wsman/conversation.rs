//! The talk with one shell: given an answer, what comes next. Fed bytes, says what to post; never does it.

use super::answer::{self, Answer, Fault, Malformed, OpenShell, Output};
use super::{CHUNK, Envelope, Requests};
use std::time::Duration;

/// Pages of a list of shells; a node allows some dozens of shells.
const PAGES: u32 = 20;

/// The program that runs in the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The name a later sweep knows the shell by.
    pub name: String,
    /// `powershell.exe`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// After how much silence the node removes the shell by itself.
    pub idle: Duration,
}

/// What an answer led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Post this as well.
    Post(Envelope),
    /// The program runs.
    Opened,
    /// The bytes are written.
    Accepted,
    /// The program wrote something, or ended.
    Output(Output),
    /// It wrote nothing in the time allowed.
    Silence,
    /// The shell is gone.
    Closed,
    /// What is there.
    Identified {
        /// Who made it.
        vendor: String,
        /// Which version.
        version: String,
    },
    /// All shells of the node.
    Shells(Vec<OpenShell>),
}

/// Why it cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The node says no.
    #[error("{0}")]
    Fault(Fault),
    /// The answer makes no sense.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// An answer of another kind than the one awaited.
    #[error("the answer is of another kind than the request")]
    OutOfTurn,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Awaits {
    Nothing,
    Identify,
    Create,
    Command,
    Send,
    Receive,
    Terminate,
    Delete,
    Shells { found: Vec<OpenShell>, pages: u32 },
}

/// The talk with one shell. One request at a time.
#[derive(Debug)]
pub struct Conversation {
    requests: Requests,
    program: Program,
    shell: Option<String>,
    command: Option<String>,
    awaits: Awaits,
    id: String,
}

impl Conversation {
    /// Nothing is open yet.
    pub fn new(requests: Requests, program: Program) -> Self {
        Self { requests, program, shell: None, command: None, awaits: Awaits::Nothing, id: String::new() }
    }

    /// The shell's id, while one is open: a second connection can remove it.
    pub fn shell(&self) -> Option<&str> {
        self.shell.as_deref()
    }

    /// Talks about a shell that another conversation opened, to remove it.
    pub fn adopt(&mut self, shell: &str) {
        self.shell = Some(shell.to_owned());
        self.command = None;
    }

    /// Forgets the adopted shell.
    pub fn forget(&mut self) {
        self.shell = None;
        self.command = None;
    }

    /// Asks what is there.
    pub fn identify(&mut self) -> Envelope {
        let envelope = self.requests.identify();
        self.post(Awaits::Identify, envelope)
    }

    /// Opens the shell and starts the program; its answers lead to [`Next::Opened`].
    pub fn open(&mut self) -> Envelope {
        let envelope = self.requests.create(&self.program.name, self.program.idle);
        self.post(Awaits::Create, envelope)
    }

    /// Writes up to [`CHUNK`] bytes; the rest comes back. `None` while no program runs.
    pub fn send<'a>(&mut self, bytes: &'a [u8]) -> Option<(Envelope, &'a [u8])> {
        let (shell, command) = (self.shell.clone()?, self.command.clone()?);
        // A line's end never travels alone: its host acts on a line only when the piece that we count as the last one has come.
        let now = if bytes.len() > CHUNK { CHUNK.min(bytes.len() - 2) } else { bytes.len() };
        let (now, later) = bytes.split_at(now);
        let envelope = self.requests.send(&shell, &command, now);
        Some((self.post(Awaits::Send, envelope), later))
    }

    /// Asks for output. `None` while no program runs.
    pub fn receive(&mut self) -> Option<Envelope> {
        let (shell, command) = (self.shell.clone()?, self.command.clone()?);
        let envelope = self.requests.receive(&shell, &command);
        Some(self.post(Awaits::Receive, envelope))
    }

    /// Ends the program and removes the shell; its answers lead to [`Next::Closed`]. `None` when nothing is open.
    pub fn close(&mut self) -> Option<Envelope> {
        let shell = self.shell.clone()?;
        Some(match self.command.take() {
            Some(command) => {
                let envelope = self.requests.terminate(&shell, &command);
                self.post(Awaits::Terminate, envelope)
            }
            None => self.delete(&shell),
        })
    }

    /// Asks for all shells.
    pub fn list(&mut self) -> Envelope {
        let envelope = self.requests.enumerate();
        self.post(Awaits::Shells { found: Vec::new(), pages: 0 }, envelope)
    }

    fn delete(&mut self, shell: &str) -> Envelope {
        let envelope = self.requests.delete(shell);
        self.post(Awaits::Delete, envelope)
    }

    fn post(&mut self, awaits: Awaits, envelope: Envelope) -> Envelope {
        self.awaits = awaits;
        self.id.clone_from(&envelope.id);
        envelope
    }

    /// Takes the body of the answer to the last envelope.
    pub fn answered(&mut self, body: &[u8]) -> Result<Next, Problem> {
        let awaits = std::mem::replace(&mut self.awaits, Awaits::Nothing);
        let answer = answer::read(body, &self.id)?;
        match (awaits, answer) {
            (Awaits::Identify, Answer::Identified { vendor, version }) => Ok(Next::Identified { vendor, version }),
            (Awaits::Create, Answer::ShellCreated { shell }) => {
                let envelope = self.requests.command(&shell, &self.program.program.clone(), &self.program.arguments.clone());
                self.shell = Some(shell);
                Ok(Next::Post(self.post(Awaits::Command, envelope)))
            }
            (Awaits::Command, Answer::CommandStarted { command }) => {
                self.command = Some(command);
                Ok(Next::Opened)
            }
            (Awaits::Send, Answer::Sent) => Ok(Next::Accepted),
            (Awaits::Receive, Answer::Received(output)) => Ok(Next::Output(output)),
            (Awaits::Receive, Answer::Fault(fault)) if fault.timed_out() => Ok(Next::Silence),
            // Whether the program ended by our signal or before it is all the same: the shell goes next.
            (Awaits::Terminate, Answer::Signalled | Answer::Fault(_)) => match self.shell.clone() {
                Some(shell) => Ok(Next::Post(self.delete(&shell))),
                None => Ok(Next::Closed),
            },
            (Awaits::Delete, Answer::Deleted) => {
                self.shell = None;
                Ok(Next::Closed)
            }
            (Awaits::Delete, Answer::Fault(fault)) if fault.gone() => {
                self.shell = None;
                Ok(Next::Closed)
            }
            (Awaits::Shells { mut found, pages }, Answer::Shells { shells, more }) => {
                found.extend(shells);
                match more {
                    Some(context) if pages < PAGES => {
                        let envelope = self.requests.pull(&context);
                        Ok(Next::Post(self.post(Awaits::Shells { found, pages: pages + 1 }, envelope)))
                    }
                    Some(_) | None => Ok(Next::Shells(found)),
                }
            }
            (_, Answer::Fault(fault)) => Err(Problem::Fault(fault)),
            (_, _) => Err(Problem::OutOfTurn),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::MessageIds;
    use super::*;

    fn conversation() -> Conversation {
        let requests = Requests::new("http://n01:5985/wsman", Duration::from_secs(20), MessageIds::new(1));
        let program =
            Program { name: "drydock:t".into(), program: "powershell.exe".into(), arguments: vec![], idle: Duration::from_secs(180) };
        Conversation::new(requests, program)
    }

    fn wrap(body: &str) -> Vec<u8> {
        format!(
            r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><s:Body>{body}</s:Body></s:Envelope>"#
        )
        .into_bytes()
    }

    fn fault(code: u32) -> Vec<u8> {
        wrap(&format!(
            r#"<s:Fault><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="{code}">no</f:WSManFault></s:Detail></s:Fault>"#
        ))
    }

    const SHELL: &str = "<rsp:Shell><rsp:ShellId>S</rsp:ShellId></rsp:Shell>";
    const COMMAND: &str = "<rsp:CommandResponse><rsp:CommandId>C</rsp:CommandId></rsp:CommandResponse>";

    fn opened() -> Conversation {
        let mut talk = conversation();
        talk.open();
        assert!(matches!(talk.answered(&wrap(SHELL)), Ok(Next::Post(e)) if e.text.contains("<rsp:CommandLine>")));
        assert_eq!(talk.answered(&wrap(COMMAND)), Ok(Next::Opened));
        talk
    }

    #[test]
    fn a_shell_opens_talks_and_closes() {
        let mut talk = opened();
        let long = vec![b'x'; CHUNK + 1];
        let (_, rest) = talk.send(&long).unwrap();
        assert_eq!(rest.len(), 2);
        assert_eq!(talk.answered(&wrap("<rsp:SendResponse/>")), Ok(Next::Accepted));
        talk.receive().unwrap();
        assert_eq!(talk.answered(&fault(0x8033_8029)), Ok(Next::Silence));
        talk.close().unwrap();
        assert!(matches!(talk.answered(&fault(5)), Ok(Next::Post(e)) if e.text.contains("transfer/Delete")));
        assert_eq!(talk.shell(), Some("S"));
        assert_eq!(talk.answered(&wrap("")), Ok(Next::Closed));
        assert_eq!(talk.shell(), None);
    }

    #[test]
    fn a_shell_that_is_gone_counts_as_removed_and_one_that_may_not_be_removed_does_not() {
        let mut talk = opened();
        talk.command = None;
        talk.close().unwrap();
        assert_eq!(talk.answered(&fault(0x8033_805b)), Ok(Next::Closed));
        let mut talk = opened();
        talk.command = None;
        talk.close().unwrap();
        assert!(matches!(talk.answered(&fault(5)), Err(Problem::Fault(f)) if f.denied()));
        assert_eq!(talk.shell(), Some("S"));
    }

    #[test]
    fn an_answer_out_of_turn_is_never_taken() {
        let mut talk = opened();
        assert_eq!(talk.answered(&wrap("<rsp:SendResponse/>")), Err(Problem::OutOfTurn), "nothing was asked");
        talk.receive().unwrap();
        assert_eq!(talk.answered(&wrap("<rsp:SendResponse/>")), Err(Problem::OutOfTurn));
        assert!(conversation().send(b"x").is_none() && conversation().receive().is_none() && conversation().close().is_none());
    }

    #[test]
    fn a_list_that_never_ends_is_cut() {
        let mut talk = conversation();
        talk.list();
        let page = wrap(
            "<n:EnumerateResponse><n:EnumerationContext>more</n:EnumerationContext><w:Items><rsp:Shell ShellId='A'/></w:Items></n:EnumerateResponse>",
        );
        for _ in 0..PAGES {
            assert!(matches!(talk.answered(&page), Ok(Next::Post(_))));
        }
        assert!(matches!(talk.answered(&page), Ok(Next::Shells(s)) if s.len() == PAGES as usize + 1));
    }
}
