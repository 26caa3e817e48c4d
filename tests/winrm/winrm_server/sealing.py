"""Message encryption over HTTP: `multipart/encrypted` bodies, sealed by the security context of the connection (MS-WSMV 2.2.9.1)."""

import re
import struct

KERBEROS = "application/HTTP-Kerberos-session-encrypted"
SPNEGO = "application/HTTP-SPNEGO-session-encrypted"
BOUNDARY = b"--Encrypted Boundary"


class Unreadable(Exception):
    """The body is not a sealed message, or not one of this context."""


def is_sealed(content_type: str) -> bool:
    return content_type.lower().startswith("multipart/encrypted")


def protocol(content_type: str) -> str:
    match = re.search(r'protocol="([^"]+)"', content_type, re.IGNORECASE)
    return match.group(1) if match else SPNEGO


def unseal(context, body: bytes) -> bytes:
    """The plain text of a sealed body, checked against the length that it declares."""
    match = re.search(rb"(?i)Length=(\d+)", body)
    start = body.find(b"application/octet-stream\r\n")
    if start < 0 or match is None:
        raise Unreadable("not a sealed message")
    start += len(b"application/octet-stream\r\n")
    end = body.rfind(BOUNDARY)
    if end - start < 4:
        raise Unreadable("the sealed part is too short")
    part = body[start:end]
    size = struct.unpack("<i", part[:4])[0]
    if not 0 < size <= len(part) - 4:
        raise Unreadable("the signature's length is not inside the message")
    try:
        plain = context.unwrap_winrm(part[4:4 + size], part[4 + size:])
    except Exception as error:  # pyspnego raises what the library below raises
        raise Unreadable(str(error)) from error
    if len(plain) != int(match.group(1)):
        raise Unreadable(f"{len(plain)} bytes where {int(match.group(1))} were declared")
    return plain


def seal(context, plain: bytes, scheme: str) -> tuple[str, bytes]:
    """The content type and body of a sealed answer."""
    sealed = context.wrap_winrm(plain)
    head = (
        f"\r\n\tContent-Type: {scheme}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(plain) + sealed.padding_length}\r\n"
    ).encode()
    body = BOUNDARY + head + BOUNDARY + b"\r\n\tContent-Type: application/octet-stream\r\n"
    body += struct.pack("<i", len(sealed.header)) + sealed.header + sealed.data + BOUNDARY + b"--\r\n"
    return f'multipart/encrypted;protocol="{scheme}";boundary="Encrypted Boundary"', body
