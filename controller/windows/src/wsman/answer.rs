//! What a node answers. It may send anything: sizes are bounded, entities are not resolved, and whatever is not understood is an error.

use super::{ADDRESSING, ANSWER, ENUMERATION, FAULT, IDENTITY, SHELL, SOAP, WSMAN};
use crate::words::{MESSAGE, SHORT, plain};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node, ParsingOptions};
use std::fmt;

/// Nodes of one document: an answer has some dozens; streams are few and long.
const NODES: u32 = 20_000;
/// Declarations of name spaces in one document: an answer has some ten, a list of shells a few for each shell. The parser's time grows with the third
/// power of their number; two thousand take it fifteen seconds.
const SPACES: usize = 500;
/// Attributes of one element: an answer has five. The parser compares each with all before it.
const ATTRIBUTES: usize = 250;

/// Bytes of the token by which a listing goes on; Windows' own is a UUID. A longer one ends the listing.
const MOST_CONTEXT: usize = 2_000;

/// An answer, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// What is there.
    Identified {
        /// `Microsoft Corporation`.
        vendor: String,
        /// `OS: 10.0.20349 SP: 0.0 Stack: 3.0`.
        version: String,
    },
    /// A shell is open.
    ShellCreated {
        /// Its id.
        shell: String,
    },
    /// A program runs.
    CommandStarted {
        /// Its id.
        command: String,
    },
    /// The bytes are written.
    Sent,
    /// What the program wrote.
    Received(Output),
    /// The signal is delivered.
    Signalled,
    /// The shell is gone.
    Deleted,
    /// Shells that there are, and where to ask for more.
    Shells {
        /// They.
        shells: Vec<OpenShell>,
        /// The context of the rest.
        more: Option<String>,
    },
    /// The node says no.
    Fault(Fault),
}

/// What a program wrote since it was last asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// Set when the program has ended: its exit code, where it was told.
    pub ended: Option<Option<i32>>,
}

/// A shell on the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenShell {
    /// Its id.
    pub id: String,
    /// The name its maker gave it.
    pub name: Option<String>,
    /// Whose it is.
    pub owner: Option<String>,
}

/// A node's no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The number in WSManFault, 0 where there is none.
    pub code: u32,
    /// The last part of the subcode: `TimedOut`, `AccessDenied`, `QuotaLimit`.
    pub subcode: String,
    /// The node's words.
    pub message: String,
}

impl Fault {
    /// Nothing was written in the time allowed: ask again.
    pub fn timed_out(&self) -> bool {
        self.code == 0x8033_8029 || (self.code == 0 && self.subcode == "TimedOut")
    }

    /// The shell or the command is not there (any more).
    pub fn gone(&self) -> bool {
        // ERROR_WSMAN_INVALID_SELECTORS: "the shell was not found on the server".
        self.code == 0x8033_805b || (self.code == 0 && self.subcode == "InvalidSelectors")
    }

    /// The account may not.
    pub fn denied(&self) -> bool {
        self.code == 5 || self.subcode == "AccessDenied"
    }

    /// A limit of the node is reached: shells of a user, users, processes, operations, memory.
    pub fn quota(&self) -> bool {
        // ERROR_WSMAN_QUOTA_MAX_SHELLS and its neighbours, 0x803381A4 to 0x803381AD.
        self.subcode == "QuotaLimit" || (0x8033_81a4..=0x8033_81ad).contains(&self.code)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (fault {}, 0x{:08X})",
            self.message,
            if self.subcode.is_empty() { "without a name" } else { &self.subcode },
            self.code
        )
    }
}

/// Why an answer could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Larger than we read.
    #[error("the answer is larger than {ANSWER} bytes")]
    TooLarge,
    /// Not text.
    #[error("the answer is not UTF-8")]
    NotText,
    /// XML that takes far longer to read than any answer would.
    #[error("the answer has more attributes or name spaces than any answer")]
    Crowded,
    /// Not XML, or XML with a document type, or with more nodes than an answer has.
    #[error("the answer is not XML: {0}")]
    NotXml(String),
    /// XML of another kind.
    #[error("the answer has no {0}")]
    Lacks(&'static str),
    /// A stream that is not base64.
    #[error("a stream of the answer is not base64")]
    Stream,
    /// It belongs to another request.
    #[error("the answer belongs to another request")]
    Foreign,
}

/// Reads an answer to the request `id`.
pub(super) fn read(bytes: &[u8], id: &str) -> Result<Answer, Malformed> {
    if bytes.len() > ANSWER {
        return Err(Malformed::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| Malformed::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if crowded(text) {
        return Err(Malformed::Crowded);
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|e| Malformed::NotXml(plain(&e.to_string(), SHORT)))?;
    let envelope = document.root_element();
    if !envelope.has_tag_name((SOAP, "Envelope")) {
        return Err(Malformed::Lacks("envelope"));
    }
    let related = child(envelope, SOAP, "Header").and_then(|h| child(h, ADDRESSING, "RelatesTo")).and_then(|r| r.text());
    if related.is_some_and(|r| !id.is_empty() && !r.trim().eq_ignore_ascii_case(id)) {
        return Err(Malformed::Foreign);
    }
    let body = child(envelope, SOAP, "Body").ok_or(Malformed::Lacks("body"))?;
    let Some(first) = body.children().find(Node::is_element) else { return Ok(Answer::Deleted) };
    match (first.tag_name().namespace().unwrap_or(""), first.tag_name().name()) {
        (SOAP, "Fault") => Ok(Answer::Fault(fault(first))),
        (IDENTITY, "IdentifyResponse") => Ok(Answer::Identified {
            vendor: plain(text_of(first, IDENTITY, "ProductVendor").unwrap_or(""), SHORT),
            version: plain(text_of(first, IDENTITY, "ProductVersion").unwrap_or(""), SHORT),
        }),
        // ResourceCreated, or a Shell alone: both name the shell somewhere below.
        (_, "ResourceCreated") | (SHELL, "Shell") => created(body),
        (SHELL, "CommandResponse") => {
            let command = text_of(first, SHELL, "CommandId").ok_or(Malformed::Lacks("command id"))?;
            Ok(Answer::CommandStarted { command: identity(command)? })
        }
        (SHELL, "SendResponse") => Ok(Answer::Sent),
        (SHELL, "ReceiveResponse") => output(first).map(Answer::Received),
        (SHELL, "SignalResponse") => Ok(Answer::Signalled),
        (ENUMERATION, "EnumerateResponse" | "PullResponse") => Ok(shells(first)),
        _ => Err(Malformed::Lacks("known response")),
    }
}

/// Counts too much rather than too little: what looks like a declaration or an attribute counts wherever it stands.
fn crowded(text: &str) -> bool {
    let is_value = |after: &&str| after.trim_ascii_start().starts_with(['"', '\'']);
    // No attribute holds a `<`, so all attributes of an element stand between two of them.
    text.matches("xmlns").count() > SPACES || text.split('<').any(|tag| tag.split('=').skip(1).filter(is_value).count() > ATTRIBUTES)
}

fn created(body: Node<'_, '_>) -> Result<Answer, Malformed> {
    let selector = body.descendants().find(|n| n.has_tag_name((WSMAN, "Selector")) && n.attribute("Name") == Some("ShellId"));
    let element = body.descendants().find(|n| n.has_tag_name((SHELL, "ShellId")));
    let shell = selector.or(element).and_then(|n| n.text()).ok_or(Malformed::Lacks("shell id"))?;
    Ok(Answer::ShellCreated { shell: identity(shell)? })
}

/// Ids go back to the node in every request, so a monstrous one is refused here.
fn identity(text: &str) -> Result<String, Malformed> {
    let text = text.trim();
    if text.is_empty() || text.len() > 200 { Err(Malformed::Lacks("usable id")) } else { Ok(text.to_owned()) }
}

fn output(response: Node<'_, '_>) -> Result<Output, Malformed> {
    let mut out = Output::default();
    for node in response.children().filter(Node::is_element) {
        if node.has_tag_name((SHELL, "Stream")) {
            let mut packed: Vec<u8> = node.text().unwrap_or("").bytes().collect();
            packed.retain(|b| !b.is_ascii_whitespace());
            let bytes = STANDARD.decode(&packed).map_err(|_| Malformed::Stream)?;
            match node.attribute("Name") {
                Some("stderr") => out.stderr.extend_from_slice(&bytes),
                Some("stdout") => out.stdout.extend_from_slice(&bytes),
                Some(_) | None => return Err(Malformed::Lacks("known stream")),
            }
        } else if node.has_tag_name((SHELL, "CommandState")) && node.attribute("State").is_some_and(|s| s.ends_with("/Done")) {
            // Exit codes are unsigned on the wire; a crash is a large one.
            let code = text_of(node, SHELL, "ExitCode").and_then(|t| t.trim().parse::<i64>().ok());
            out.ended = Some(code.map(|c| c as i32));
        }
    }
    Ok(out)
}

fn shells(response: Node<'_, '_>) -> Answer {
    let mut shells = Vec::new();
    for node in response.descendants().filter(|n| n.has_tag_name((SHELL, "Shell"))) {
        let word = |name: &str| text_of(node, SHELL, name).or_else(|| node.attribute(name)).map(|t| plain(t, SHORT));
        if let Some(id) = word("ShellId").and_then(|t| identity(&t).ok()) {
            shells.push(OpenShell { id, name: word("Name"), owner: word("Owner") });
        }
    }
    let ended = response.descendants().any(|n| n.tag_name().name() == "EndOfSequence");
    let more = response.descendants().find(|n| n.has_tag_name((ENUMERATION, "EnumerationContext"))).and_then(|n| n.text());
    // Goes back as it came.
    let more = more.map(str::trim).filter(|t| !ended && !t.is_empty() && t.len() <= MOST_CONTEXT).map(str::to_owned);
    Answer::Shells { shells, more }
}

fn fault(node: Node<'_, '_>) -> Fault {
    let detail = node.descendants().find(|n| n.has_tag_name((FAULT, "WSManFault")));
    let code = detail.and_then(|d| d.attribute("Code")).and_then(|c| c.parse().ok()).unwrap_or(0);
    let subcode = node.descendants().find(|n| n.has_tag_name((SOAP, "Subcode"))).and_then(|s| text_of(s, SOAP, "Value")).unwrap_or("");
    let words = detail.map(|d| d.descendants().filter_map(|n| n.text().filter(|_| n.is_text())).collect::<Vec<_>>().join(" "));
    let reason = node.descendants().find(|n| n.has_tag_name((SOAP, "Text"))).and_then(|t| t.text()).unwrap_or("");
    let message = words.filter(|w| !w.trim().is_empty()).unwrap_or_else(|| reason.to_owned());
    Fault { code, subcode: plain(subcode.rsplit(':').next().unwrap_or(""), SHORT), message: plain(&message, MESSAGE) }
}

fn child<'a, 'i>(node: Node<'a, 'i>, space: &str, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| n.is_element() && n.tag_name().name() == name && n.tag_name().namespace() == Some(space))
}

fn text_of<'a>(node: Node<'a, '_>, space: &str, name: &str) -> Option<&'a str> {
    child(node, space, name).and_then(|n| n.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn wrap(body: &str) -> String {
        format!(
            r#"<s:Envelope xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}" xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer" xmlns:n="{ENUMERATION}"><s:Header><a:RelatesTo>uuid:7</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"#
        )
    }

    fn check(body: &str, expect: expect_test::Expect) {
        expect.assert_eq(&format!("{:?}", read(wrap(body).as_bytes(), "uuid:7")));
    }

    #[test]
    fn answers_are_told_apart() {
        check(
            r#"<x:ResourceCreated><a:ReferenceParameters><w:SelectorSet><w:Selector Name="ShellId">S1</w:Selector></w:SelectorSet></a:ReferenceParameters></x:ResourceCreated>"#,
            expect![[r#"Ok(ShellCreated { shell: "S1" })"#]],
        );
        check(
            "<rsp:CommandResponse><rsp:CommandId>C1</rsp:CommandId></rsp:CommandResponse>",
            expect![[r#"Ok(CommandStarted { command: "C1" })"#]],
        );
        check("<rsp:SendResponse/>", expect!["Ok(Sent)"]);
        check("<rsp:SignalResponse/>", expect!["Ok(Signalled)"]);
        check("", expect!["Ok(Deleted)"]);
        check("<rsp:Unheard/>", expect![[r#"Err(Lacks("known response"))"#]]);
    }

    #[test]
    fn streams_are_joined_and_the_end_is_seen() {
        check(
            r#"<rsp:ReceiveResponse><rsp:Stream Name="stdout" CommandId="C">QUJD</rsp:Stream><rsp:Stream Name="stdout" CommandId="C">
 REVG </rsp:Stream><rsp:Stream Name="stderr" CommandId="C">IQ==</rsp:Stream><rsp:Stream Name="stdout" CommandId="C" End="true"/><rsp:CommandState CommandId="C" State="http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"><rsp:ExitCode>4294967295</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>"#,
            expect!["Ok(Received(Output { stdout: [65, 66, 67, 68, 69, 70], stderr: [33], ended: Some(Some(-1)) }))"],
        );
        check(r#"<rsp:ReceiveResponse><rsp:Stream Name="stdout">%%%</rsp:Stream></rsp:ReceiveResponse>"#, expect!["Err(Stream)"]);
    }

    #[test]
    fn a_fault_keeps_its_number_its_name_and_the_nodes_words() {
        let body = r#"<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:TimedOut</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">reason</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="2150858793" Machine="n01"><f:Message>The WS-Management service cannot
 complete the operation.</f:Message></f:WSManFault></s:Detail></s:Fault>"#;
        let Ok(Answer::Fault(fault)) = read(wrap(body).as_bytes(), "uuid:7") else { panic!() };
        assert!(fault.timed_out() && !fault.gone() && !fault.quota() && !fault.denied());
        assert_eq!(fault.to_string(), "The WS-Management service cannot complete the operation. (fault TimedOut, 0x80338029)");
    }

    #[test]
    fn shells_are_listed_with_their_names() {
        check(
            "<n:EnumerateResponse><n:EnumerationContext/><w:Items><rsp:Shell><rsp:ShellId>A</rsp:ShellId><rsp:Name>drydock:x</rsp:Name><rsp:Owner>d\\svc</rsp:Owner></rsp:Shell><rsp:Shell ShellId='B' Name='y'/></w:Items><w:EndOfSequence/></n:EnumerateResponse>",
            expect![[
                r#"Ok(Shells { shells: [OpenShell { id: "A", name: Some("drydock:x"), owner: Some("d\\svc") }, OpenShell { id: "B", name: Some("y"), owner: None }], more: None })"#
            ]],
        );
    }

    #[test]
    fn another_requests_answer_a_document_type_and_noise_are_refused() {
        assert_eq!(read(wrap("<rsp:SendResponse/>").as_bytes(), "uuid:8"), Err(Malformed::Foreign));
        let bomb = r#"<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><s>&b;</s>"#;
        assert!(matches!(read(bomb.as_bytes(), ""), Err(Malformed::NotXml(_))));
        assert!(matches!(read(b"\xff\xfe", ""), Err(Malformed::NotText)));
        assert!(matches!(read(&vec![b' '; ANSWER + 1], ""), Err(Malformed::TooLarge)));
        let many = format!("<a>{}</a>", "<b/>".repeat(30_000));
        assert!(matches!(read(many.as_bytes(), ""), Err(Malformed::NotXml(_))));
    }

    #[test]
    fn an_answer_that_would_take_the_parser_minutes_is_refused_at_once() {
        // Each takes the parser more than ten seconds, the first with sixty kilobytes; of a whole megabyte it takes hours.
        let spaces: String = (0..2_000).map(|n| format!(" xmlns:a{n:x}='{n:x}'")).collect();
        let spaces = format!("<a{spaces}>{}</a>", "<b xmlns:z='1'/>".repeat(2_000));
        let attributes: String = (0..80_000).map(|n| format!(" a{n:x} = '>'")).collect();
        assert_eq!(read(spaces.as_bytes(), ""), Err(Malformed::Crowded));
        assert_eq!(read(format!("<a{attributes}/>").as_bytes(), ""), Err(Malformed::Crowded));
    }

    #[test]
    fn a_list_of_many_shells_that_declare_their_spaces_each_is_read() {
        let shell = format!("<rsp:Shell xmlns:rsp=\"{SHELL}\"><rsp:ShellId>A</rsp:ShellId></rsp:Shell>");
        let body = format!("<n:EnumerateResponse>{}</n:EnumerateResponse>", shell.repeat(400));
        assert!(matches!(read(wrap(&body).as_bytes(), "uuid:7"), Ok(Answer::Shells { shells, .. }) if shells.len() == 400));
    }
}
