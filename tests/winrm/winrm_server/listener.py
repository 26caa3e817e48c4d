"""Connections: accepting, TLS, HTTP/1.1, and everything that a switch does to a connection rather than to a request."""

import asyncio
import logging
import ssl
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from .authentication import binding_of
from .counters import Counters
from .node import reserved
from .switches import SwitchFile

log = logging.getLogger("winrm_server")

# Microsoft: MaxPacketRetrievalTimeSeconds is 120. The others bound what a broken client can make the server keep.
RETRIEVAL = 120
HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 64 * 1024 * 1024
REASONS = {200: "OK", 400: "Bad Request", 401: "", 404: "Not Found", 405: "Method Not Allowed", 411: "Length Required", 413: "Request Entity Too Large",
           500: "", 503: "Service Unavailable"}


@dataclass
class HttpRequest:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Cut(Exception):
    """The connection is to be torn down at once, without another byte."""


class Reader(asyncio.StreamReader):
    """A reader that tells when its client has closed or lost the connection, also while nobody reads."""

    def __init__(self):
        super().__init__(limit=HEAD_LIMIT)
        self.ended = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.ended.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.ended.set()


class Connection:
    """One TCP connection, after TLS where there is TLS."""

    def __init__(self, reader: Reader, writer: asyncio.StreamWriter):
        self.reader, self.writer = reader, writer
        self.peer_name = writer.get_extra_info("peername")[0]
        inside = writer.get_extra_info("ssl_object")
        self.peer_certificate = inside.getpeercert(True) if inside else None
        self.binding = getattr(inside.context, "binding", None) if inside else None

    async def request(self) -> HttpRequest | None:
        """The next request; None when the client has closed."""
        try:
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), RETRIEVAL)
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, asyncio.LimitOverrunError, ConnectionError, ssl.SSLError):
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        try:
            method, path, _ = first.split(" ")
        except ValueError:
            await self.answer(400, [], b"")
            return None
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT or "transfer-encoding" in headers:
            await self.answer(411 if "transfer-encoding" in headers else 413, [("Connection", "close")], b"")
            return None
        if headers.get("expect", "").lower() == "100-continue":
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            body = await asyncio.wait_for(self.reader.readexactly(int(length)), RETRIEVAL)
        except (asyncio.IncompleteReadError, asyncio.TimeoutError, ConnectionError, ssl.SSLError):
            return None
        return HttpRequest(method, path, headers, body)

    async def while_there(self, work):
        """Waits for something long, unless the client goes: what it asked for is then taken back, as Windows does, and nothing is lost by it."""
        task, gone = asyncio.ensure_future(work), asyncio.ensure_future(self.reader.ended.wait())
        try:
            await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Cut
            return task.result()
        finally:
            task.cancel()
            gone.cancel()

    @staticmethod
    def head(status: int, headers: list[tuple[str, str]], length: int) -> bytes:
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, '')}", "Server: Microsoft-HTTPAPI/2.0", f"Date: {formatdate(usegmt=True)}"]
        lines += [f"{name}: {value}" for name, value in headers] + [f"Content-Length: {length}"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        await self.raw(self.head(status, headers, len(body)) + body)

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()


class Certificates:
    """The server's certificate: the configured one, or the one a switch names at the moment of the handshake."""

    def __init__(self, chain: Path, key: Path, client_authority: Path | None, switches: SwitchFile):
        self.switches, self.authority = switches, client_authority
        self._made: dict[tuple[str, str], ssl.SSLContext] = {}
        self.own = (str(chain), str(key))
        self.context(*self.own)  # a certificate that cannot be loaded is told at the start, not at the first connection

    def context(self, chain: str, key: str) -> ssl.SSLContext:
        if (chain, key) not in self._made:
            made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            made.load_cert_chain(chain, key)
            if self.authority is not None:
                made.load_verify_locations(self.authority)
                made.verify_mode = ssl.CERT_OPTIONAL
            made.binding = binding_of(ssl.PEM_cert_to_DER_cert(first_certificate(Path(chain).read_text())))
            self._made[chain, key] = made
        return self._made[chain, key]

    def now(self) -> ssl.SSLContext:
        named = self.switches.now().certificate
        return self.context(*((named["chain"], named["key"]) if named else self.own))


def first_certificate(text: str) -> str:
    end = "-----END CERTIFICATE-----"
    return text[text.index("-----BEGIN CERTIFICATE-----"):text.index(end) + len(end)]


class Listener:
    """The node's port. It is open while the node has power and no switch says otherwise."""

    def __init__(self, address: str, port: int, certificates: Certificates | None, switches: SwitchFile, counters: Counters, serve):
        self._holder = reserved(address, port)
        self.address, self.port, self.certificates = address, self._holder.getsockname()[1], certificates
        self.switches, self.counters, self.serve = switches, counters, serve
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task] = set()

    @property
    def listening(self) -> bool:
        return self._server is not None

    async def start(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: asyncio.StreamReaderProtocol(Reader(), self._accepted), self.address, self.port, backlog=512)

    async def stop(self) -> None:
        """Closes the port and tears every connection down."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in list(self._open):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()

    async def _accepted(self, reader: Reader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._tasks.add(task)
        self._open.add(writer)
        self.counters.connection(+1)
        try:
            if self.switches.now().listen == "silent":
                await reader.read()  # until the client gives up
                return
            if self.certificates is not None:
                await writer.start_tls(self.certificates.now(), ssl_handshake_timeout=RETRIEVAL)
            await self.serve(Connection(reader, writer))
        except Cut:
            writer.transport.abort()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError) as error:
            log.info("connection ended: %s", error)
        except asyncio.CancelledError:
            writer.transport.abort()
        except Exception:
            # An error of the server itself: a client that copes with lost connections would hide it, so it is counted, and tests look.
            log.exception("the server is broken")
            self.counters.add("broken")
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            self._open.discard(writer)
            self.counters.connection(-1)
            writer.close()
