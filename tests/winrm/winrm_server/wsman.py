"""WS-Man envelopes: what a request asks for, and how an answer or a fault is written. Knows nothing of shells or connections."""

import re
import uuid
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from .faults import Fault, malformed

SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
COMMAND_SHELL = SHELL + "/cmd"
POWERSHELL = "http://schemas.microsoft.com/powershell/"
CONFIG = "http://schemas.microsoft.com/wbem/wsman/1/config"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
ENUMERATION = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
ANONYMOUS = ADDRESSING + "/role/anonymous"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
PREFIXES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": ADDRESSING,
    "x": TRANSFER,
    "n": ENUMERATION,
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "p": "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd",
    "rsp": SHELL,
}


@dataclass
class Request:
    """One request, read from its envelope."""

    action: str
    message_id: str
    resource: str
    selectors: dict[str, str]
    options: dict[str, str]
    timeout: float
    max_envelope: int | None
    body: ElementTree.Element
    identify: bool = False

    @property
    def name(self) -> str:
        """The last part of the action: Create, Command, Receive."""
        return "Identify" if self.identify else self.action.rsplit("/", 1)[-1]


@dataclass
class Answer:
    """What goes back for a request: the HTTP status and the envelope."""

    status: int
    envelope: bytes
    # Whether the operation changed something (a fault did not): the switches that lose answers tell by it.
    fault: int | None = field(default=None)


def parse(document: bytes) -> Request:
    """Reads an envelope. A document type is refused before the parser sees it: entities have no place in SOAP."""
    if b"<!DOCTYPE" in document:
        raise malformed("a document type")
    try:
        envelope = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise malformed(str(error)) from error
    header, body = envelope.find("s:Header", PREFIXES), envelope.find("s:Body", PREFIXES)
    if body is None:
        raise malformed("no body")
    if body.find("{%s}Identify" % IDENTITY) is not None:
        return Request("", "", "", {}, {}, 60, None, body, identify=True)
    if header is None:
        raise malformed("no header")

    def text(path: str, default: str = "") -> str:
        found = header.find(path, PREFIXES)
        return default if found is None else (found.text or "").strip()

    size = text("w:MaxEnvelopeSize")
    return Request(
        action=text("a:Action"),
        message_id=text("a:MessageID"),
        resource=text("w:ResourceURI"),
        selectors={s.get("Name", ""): s.text or "" for s in header.iterfind("w:SelectorSet/w:Selector", PREFIXES)},
        options={o.get("Name", "").upper(): o.text or "" for o in header.iterfind("w:OptionSet/w:Option", PREFIXES)},
        timeout=seconds(text("w:OperationTimeout", "PT60S")),
        max_envelope=int(size) if size.isdigit() else None,
        body=body,
    )


def seconds(duration: str) -> float:
    """An xs:duration without years and months, in seconds."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", duration)
    if match is None:
        raise malformed(f"the duration {duration}")
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + rest


def envelope(action: str, relates_to: str, body: str) -> bytes:
    names = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in PREFIXES.items())
    return (
        f'<s:Envelope xml:lang="en-US" {names}><s:Header><a:Action>{escape(action)}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{ANONYMOUS}</a:To>"
        f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def answer(request: Request, body: str, action: str | None = None) -> Answer:
    return Answer(200, envelope(action or request.action + "Response", request.message_id, body))


def fault_answer(fault: Fault, relates_to: str, machine: str) -> Answer:
    body = (
        f"<s:Fault><s:Code><s:Value>s:{fault.role}</s:Value><s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{escape(fault.message)}</s:Text></s:Reason><s:Detail>'
        f'<f:WSManFault xmlns:f="http://schemas.microsoft.com/wbem/wsman/1/wsmanfault" Code="{fault.code}" Machine={quoteattr(machine)}>'
        f"<f:Message>{escape(fault.message)}</f:Message></f:WSManFault></s:Detail></s:Fault>"
    )
    wsa = fault.subcode.startswith("wsa:")
    action = ADDRESSING + "/fault" if wsa else "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
    return Answer(500, envelope(action, relates_to, body.replace("<s:Value>wsa:", "<s:Value>a:")), fault.code)


def identify_answer(build: str) -> Answer:
    """What Windows tells before a logon where the client asks for it without one."""
    return Answer(200, (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{PREFIXES["s"]}"><s:Header/><s:Body><wsmid:IdentifyResponse xmlns:wsmid="{IDENTITY}">'
        f"<wsmid:ProtocolVersion>{PREFIXES['w']}</wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
        f"<wsmid:ProductVersion>{build}</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>"
    ).encode())
