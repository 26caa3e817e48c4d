//! WS-Management as far as a command shell needs it: what to send, and what an answer means. No sockets, no clock, no dice.
//!
//! `request` writes envelopes, `answer` reads them with bounds, and `conversation` is the state machine between them.
//! Sources: Microsoft's open specification MS-WSMV ("Web Services Management Protocol Extensions for Windows Vista"), DMTF DSP0226.

mod answer;
mod conversation;
mod request;

pub use answer::{Answer, Fault, Malformed, OpenShell, Output};
pub use conversation::{Conversation, Next, Problem, Program};
pub use request::{Envelope, MessageIds, Requests};

/// The least envelope a node accepts by documented default (150 KiB); real ones accept 500. We ask for no more, and send no more.
pub const ENVELOPE: usize = 153_600;
/// Bytes of standard input in one Send: in base64 with its envelope they stay below [`ENVELOPE`].
pub const CHUNK: usize = 96 * 1024;
/// How large an answer may be: a node that keeps to our [`ENVELOPE`] stays far below it.
pub const ANSWER: usize = 1024 * 1024;

const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
const WSMAN: &str = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd";
const MICROSOFT: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd";
const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
const FAULT: &str = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault";
const IDENTITY: &str = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd";
const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
const ENUMERATION: &str = "http://schemas.xmlsoap.org/ws/2004/09/enumeration";
/// The resource of a command shell.
const COMMAND_SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd";
