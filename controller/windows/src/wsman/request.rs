//! Envelopes, as text. Everything that is not ours to choose is escaped.

use super::{ADDRESSING, COMMAND_SHELL, ENUMERATION, ENVELOPE, IDENTITY, MICROSOFT, SHELL, SOAP, TRANSFER, WSMAN};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use std::time::Duration;

/// One request: its id, by which its answer is known, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The message id, `uuid:…`; empty for Identify, which has none.
    pub id: String,
    /// The text to post.
    pub text: String,
}

/// Message ids that never repeat within a session: a random number of the session, and a count.
#[derive(Debug, Clone)]
pub struct MessageIds {
    session: u64,
    next: u64,
}

impl MessageIds {
    /// Ids of one session; `session` comes from the dice.
    pub fn new(session: u64) -> Self {
        Self { session, next: 1 }
    }

    fn next(&mut self) -> String {
        let n = self.next;
        self.next += 1;
        self.uuid(n)
    }

    /// Version and variant bits as RFC 9562 wants them of a random UUID.
    fn uuid(&self, n: u64) -> String {
        let (a, b) = (self.session, n);
        format!(
            "{:08X}-{:04X}-4{:03X}-{:04X}-{:012X}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | ((a >> 12) & 0xf) << 10 | (b >> 48) & 0x3ff,
            b & 0xffff_ffff_ffff
        )
    }
}

/// Writes the requests of one session.
#[derive(Debug, Clone)]
pub struct Requests {
    to: String,
    operation: Duration,
    ids: MessageIds,
    session: String,
    sequence: u64,
}

/// What a header holds beside what all have.
#[derive(Default)]
struct Header<'a> {
    shell: Option<&'a str>,
    options: &'a [(&'a str, &'a str)],
}

impl Requests {
    /// Requests to one endpoint (`http://n01:5985/wsman`). `operation` is how long the node may hold one back.
    pub fn new(to: &str, operation: Duration, mut ids: MessageIds) -> Self {
        let session = ids.next();
        Self { to: to.to_owned(), operation, ids, session, sequence: 0 }
    }

    /// Asks what is there; the only request that needs no resource.
    pub fn identify(&self) -> Envelope {
        let text = format!(r#"<s:Envelope xmlns:s="{SOAP}" xmlns:i="{IDENTITY}"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>"#);
        Envelope { id: String::new(), text }
    }

    /// Opens a shell. `name` is what a later sweep knows it by.
    pub fn create(&mut self, name: &str, idle: Duration) -> Envelope {
        let body = format!(
            "<rsp:Shell Name=\"{}\"><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>\
             <rsp:IdleTimeOut>{}</rsp:IdleTimeOut></rsp:Shell>",
            escape(name),
            seconds(idle)
        );
        // Code page 437 agrees with ASCII, which is all we speak, and writes no byte order mark.
        let options = [("WINRS_NOPROFILE", "FALSE"), ("WINRS_CODEPAGE", "437")];
        self.envelope(&format!("{TRANSFER}/Create"), COMMAND_SHELL, Header { shell: None, options: &options }, &body)
    }

    /// Starts a program in the shell, without cmd.exe, its standard input a pipe.
    pub fn command(&mut self, shell: &str, program: &str, arguments: &[String]) -> Envelope {
        let mut body = format!("<rsp:CommandLine><rsp:Command>{}</rsp:Command>", escape(program));
        for argument in arguments {
            let _ = write!(body, "<rsp:Arguments>{}</rsp:Arguments>", escape(argument));
        }
        body.push_str("</rsp:CommandLine>");
        let options = [("WINRS_CONSOLEMODE_STDIN", "FALSE"), ("WINRS_SKIP_CMD_SHELL", "TRUE")];
        self.envelope(&format!("{SHELL}/Command"), COMMAND_SHELL, Header { shell: Some(shell), options: &options }, &body)
    }

    /// Writes to the program's standard input; at most [`super::CHUNK`] bytes.
    pub fn send(&mut self, shell: &str, command: &str, bytes: &[u8]) -> Envelope {
        let body = format!(
            "<rsp:Send><rsp:Stream Name=\"stdin\" CommandId=\"{}\">{}</rsp:Stream></rsp:Send>",
            escape(command),
            STANDARD.encode(bytes)
        );
        self.envelope(&format!("{SHELL}/Send"), COMMAND_SHELL, Header { shell: Some(shell), options: &[] }, &body)
    }

    /// Asks for what the program wrote; held back by the node until there is something.
    pub fn receive(&mut self, shell: &str, command: &str) -> Envelope {
        let body =
            format!("<rsp:Receive><rsp:DesiredStream CommandId=\"{}\">stdout stderr</rsp:DesiredStream></rsp:Receive>", escape(command));
        self.envelope(&format!("{SHELL}/Receive"), COMMAND_SHELL, Header { shell: Some(shell), options: &[] }, &body)
    }

    /// Ends the program.
    pub fn terminate(&mut self, shell: &str, command: &str) -> Envelope {
        let body = format!("<rsp:Signal CommandId=\"{}\"><rsp:Code>{SHELL}/signal/terminate</rsp:Code></rsp:Signal>", escape(command));
        self.envelope(&format!("{SHELL}/Signal"), COMMAND_SHELL, Header { shell: Some(shell), options: &[] }, &body)
    }

    /// Removes a shell, with whatever runs in it.
    pub fn delete(&mut self, shell: &str) -> Envelope {
        self.envelope(&format!("{TRANSFER}/Delete"), COMMAND_SHELL, Header { shell: Some(shell), options: &[] }, "")
    }

    /// Asks which shells there are.
    pub fn enumerate(&mut self) -> Envelope {
        let body =
            format!("<n:Enumerate xmlns:n=\"{ENUMERATION}\"><w:OptimizeEnumeration/><w:MaxElements>1000</w:MaxElements></n:Enumerate>");
        self.envelope(&format!("{ENUMERATION}/Enumerate"), SHELL, Header::default(), &body)
    }

    /// Asks for more of an enumeration.
    pub fn pull(&mut self, context: &str) -> Envelope {
        let body = format!(
            "<n:Pull xmlns:n=\"{ENUMERATION}\"><n:EnumerationContext>{}</n:EnumerationContext><n:MaxElements>1000</n:MaxElements></n:Pull>",
            escape(context)
        );
        self.envelope(&format!("{ENUMERATION}/Pull"), SHELL, Header::default(), &body)
    }

    fn envelope(&mut self, action: &str, resource: &str, header: Header<'_>, body: &str) -> Envelope {
        let id = format!("uuid:{}", self.ids.next());
        self.sequence += 1;
        let mut text = format!(
            "<s:Envelope xmlns:s=\"{SOAP}\" xmlns:a=\"{ADDRESSING}\" xmlns:w=\"{WSMAN}\" xmlns:p=\"{MICROSOFT}\" xmlns:rsp=\"{SHELL}\"><s:Header>\
             <a:To>{}</a:To><w:ResourceURI s:mustUnderstand=\"true\">{resource}</w:ResourceURI>\
             <a:ReplyTo><a:Address s:mustUnderstand=\"true\">{ADDRESSING}/role/anonymous</a:Address></a:ReplyTo>\
             <a:Action s:mustUnderstand=\"true\">{action}</a:Action>\
             <w:MaxEnvelopeSize s:mustUnderstand=\"true\">{ENVELOPE}</w:MaxEnvelopeSize><a:MessageID>{id}</a:MessageID>\
             <w:Locale xml:lang=\"en-US\" s:mustUnderstand=\"false\"/><p:DataLocale xml:lang=\"en-US\" s:mustUnderstand=\"false\"/>\
             <p:SessionId s:mustUnderstand=\"false\">uuid:{}</p:SessionId><p:SequenceId s:mustUnderstand=\"false\">{}</p:SequenceId>\
             <w:OperationTimeout>{}</w:OperationTimeout>",
            escape(&self.to),
            self.session,
            self.sequence,
            seconds(self.operation)
        );
        if let Some(shell) = header.shell {
            let _ = write!(text, "<w:SelectorSet><w:Selector Name=\"ShellId\">{}</w:Selector></w:SelectorSet>", escape(shell));
        }
        if !header.options.is_empty() {
            text.push_str("<w:OptionSet s:mustUnderstand=\"true\">");
            for (name, value) in header.options {
                let _ = write!(text, "<w:Option Name=\"{name}\">{value}</w:Option>");
            }
            text.push_str("</w:OptionSet>");
        }
        let _ = write!(text, "</s:Header><s:Body>{body}</s:Body></s:Envelope>");
        Envelope { id, text }
    }
}

/// `PT20.000S`.
fn seconds(time: Duration) -> String {
    format!("PT{}.{:03}S", time.as_secs(), time.subsec_millis())
}

/// Text for an element or an attribute in double quotes. What XML 1.0 cannot carry becomes a question mark.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if u32::from(c) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn requests() -> Requests {
        Requests::new("http://n01:5985/wsman", Duration::from_secs(20), MessageIds::new(0x0123_4567_89ab_cdef))
    }

    #[test]
    fn create_asks_for_a_short_idle_time_and_carries_our_name() {
        expect![[r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell"><s:Header><a:To>http://n01:5985/wsman</a:To><w:ResourceURI s:mustUnderstand="true">http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd</w:ResourceURI><a:ReplyTo><a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo><a:Action s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/09/transfer/Create</a:Action><w:MaxEnvelopeSize s:mustUnderstand="true">153600</w:MaxEnvelopeSize><a:MessageID>uuid:01234567-89AB-4DEF-B000-000000000002</a:MessageID><w:Locale xml:lang="en-US" s:mustUnderstand="false"/><p:DataLocale xml:lang="en-US" s:mustUnderstand="false"/><p:SessionId s:mustUnderstand="false">uuid:01234567-89AB-4DEF-B000-000000000001</p:SessionId><p:SequenceId s:mustUnderstand="false">1</p:SequenceId><w:OperationTimeout>PT20.000S</w:OperationTimeout><w:OptionSet s:mustUnderstand="true"><w:Option Name="WINRS_NOPROFILE">FALSE</w:Option><w:Option Name="WINRS_CODEPAGE">437</w:Option></w:OptionSet></s:Header><s:Body><rsp:Shell Name="drydock &lt;a&gt;"><rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams><rsp:IdleTimeOut>PT180.000S</rsp:IdleTimeOut></rsp:Shell></s:Body></s:Envelope>"#]]
        .assert_eq(&requests().create("drydock <a>", Duration::from_secs(180)).text);
    }

    fn body(envelope: Envelope) -> String {
        let at = envelope.text.find("<w:SelectorSet").or_else(|| envelope.text.find("</s:Header>")).unwrap();
        envelope.text[at..].to_owned()
    }

    #[test]
    fn the_other_requests_read_as_documented() {
        let mut r = requests();
        let all = [
            body(r.command("S", "powershell.exe", &["-NoProfile".into(), "a&b".into()])),
            body(r.send("S", "C", b"\n")),
            body(r.receive("S", "C")),
            body(r.terminate("S", "C")),
            body(r.delete("S")),
            body(r.enumerate()),
            body(r.pull("X")),
            r.identify().text,
        ];
        expect![[r#"
            <w:SelectorSet><w:Selector Name="ShellId">S</w:Selector></w:SelectorSet><w:OptionSet s:mustUnderstand="true"><w:Option Name="WINRS_CONSOLEMODE_STDIN">FALSE</w:Option><w:Option Name="WINRS_SKIP_CMD_SHELL">TRUE</w:Option></w:OptionSet></s:Header><s:Body><rsp:CommandLine><rsp:Command>powershell.exe</rsp:Command><rsp:Arguments>-NoProfile</rsp:Arguments><rsp:Arguments>a&amp;b</rsp:Arguments></rsp:CommandLine></s:Body></s:Envelope>
            <w:SelectorSet><w:Selector Name="ShellId">S</w:Selector></w:SelectorSet></s:Header><s:Body><rsp:Send><rsp:Stream Name="stdin" CommandId="C">Cg==</rsp:Stream></rsp:Send></s:Body></s:Envelope>
            <w:SelectorSet><w:Selector Name="ShellId">S</w:Selector></w:SelectorSet></s:Header><s:Body><rsp:Receive><rsp:DesiredStream CommandId="C">stdout stderr</rsp:DesiredStream></rsp:Receive></s:Body></s:Envelope>
            <w:SelectorSet><w:Selector Name="ShellId">S</w:Selector></w:SelectorSet></s:Header><s:Body><rsp:Signal CommandId="C"><rsp:Code>http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/terminate</rsp:Code></rsp:Signal></s:Body></s:Envelope>
            <w:SelectorSet><w:Selector Name="ShellId">S</w:Selector></w:SelectorSet></s:Header><s:Body></s:Body></s:Envelope>
            </s:Header><s:Body><n:Enumerate xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><w:OptimizeEnumeration/><w:MaxElements>1000</w:MaxElements></n:Enumerate></s:Body></s:Envelope>
            </s:Header><s:Body><n:Pull xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><n:EnumerationContext>X</n:EnumerationContext><n:MaxElements>1000</n:MaxElements></n:Pull></s:Body></s:Envelope>
            <s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>"#]]
        .assert_eq(&all.join("\n"));
    }

    #[test]
    fn a_full_chunk_stays_below_the_least_envelope_a_node_accepts() {
        let text = requests().send(&"S".repeat(36), &"C".repeat(36), &vec![0xff; super::super::CHUNK]).text;
        assert!(text.len() < ENVELOPE, "{}", text.len());
    }

    #[test]
    fn what_xml_cannot_carry_does_not_break_the_envelope() {
        assert_eq!(escape("a\0b\u{1b}\"\r\n"), "a?b?&quot;&#13;&#10;");
    }
}
