"""The server of one node: puts connections, logons, switches and shells together."""

import asyncio
import logging
import time

from . import sealing, wsman
from .accounts import Account, Accounts
from .authentication import Authenticator
from .counters import Counters
from .faults import (Fault, access_denied, envelope_too_large, malformed, too_many_operations, unknown_resource, unsupported_action)
from .listener import Certificates, Connection, Cut, HttpRequest, Listener
from .node import Node
from .psrp import PowerShellShell
from .shells import Shell, Shells
from .switches import Rule, SwitchFile, Switches
from .wsman import COMMAND_SHELL, CONFIG, ENUMERATION, POWERSHELL, PREFIXES, SHELL, TRANSFER, Answer, Request

log = logging.getLogger("winrm_server")

SOAP = "application/soap+xml;charset=UTF-8"
# How often the node's power and idle shells are looked at, in seconds.
LOOK = 0.1


class Server:
    def __init__(self, node: Node, address: str, port: int, accounts: Accounts, schemes: set[str], switches: SwitchFile, counters: Counters,
                 certificates: Certificates | None, build: str):
        self.node, self.accounts, self.schemes, self.switches, self.counters, self.build = node, accounts, schemes, switches, counters, build
        self.shells = Shells(node, counters, {COMMAND_SHELL: Shell, POWERSHELL: PowerShellShell})
        self.listener = Listener(address, port, certificates, switches, counters, self._serve)
        self.operations: dict[str, int] = {}
        self._lost = switches.now().lose_shells
        self._enumerations: dict[str, list[str]] = {}

    # -- life

    async def watch(self) -> None:
        """Follows the node's power and the switch of the port, and lets idle shells go; runs until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK)

    async def look(self) -> None:
        switches = self.switches.now()
        power = self.node.has_power()
        wanted = power and switches.listen != "refuse"
        if not wanted and self.listener.listening:
            await self.listener.stop()
            log.info("the port is closed")
        if not power or switches.lose_shells > self._lost:
            self._lost = max(self._lost, switches.lose_shells)
            await self.shells.lose_all()
        if wanted and not self.listener.listening:
            await self.listener.start()
            log.info("the port is open: %s:%s", self.listener.address, self.listener.port)
        await self.shells.sweep_idle()
        if switches.quotas.max_memory_per_shell_mb:
            await self.shells.sweep_memory(switches.quotas.max_memory_per_shell_mb)
        self.counters.write()

    async def stop(self) -> None:
        await self.listener.stop()
        await self.shells.lose_all()
        self.counters.write()

    # -- one connection

    async def _serve(self, connection: Connection) -> None:
        authenticator = Authenticator(self.accounts, self.counters, self.schemes, connection.binding, connection.peer_certificate)
        while (request := await connection.request()) is not None:
            await self._exchange(connection, authenticator, request)
            if request.headers.get("connection", "").lower() == "close":
                return

    async def _exchange(self, connection: Connection, authenticator: Authenticator, http: HttpRequest) -> None:
        self.counters.add("requests")
        switches = self.switches.now()
        status, headers, body = await self._answer(connection, authenticator, http, switches)
        self.counters.write()
        await connection.answer(status, headers, body)

    async def _answer(self, connection: Connection, authenticator: Authenticator, http: HttpRequest, switches: Switches):
        if http.method != "POST":
            return 405, [("Allow", "POST")], b""
        if http.path.split("?")[0] not in ("/wsman", "/wsman-anon/identify"):
            return 404, [], b""
        content = http.headers.get("content-type", "")
        if "authorization" not in http.headers and wants_identity(http):
            return 200, [("Content-Type", SOAP)], wsman.identify_answer("OS: 0.0.0 SP: 0.0 Stack: 3.0").envelope
        verdict = authenticator.check(http.headers.get("authorization"), switches.channel_bindings, switches.allow_unencrypted)
        if verdict.account is None:
            return 401, verdict.headers, b""
        if not http.body:
            return 200, verdict.headers, b""
        sealed = sealing.is_sealed(content)
        if sealed:
            try:
                if authenticator.context is None:
                    raise sealing.Unreadable("there is no security context")
                plain = sealing.unseal(authenticator.context, http.body)
            except sealing.Unreadable as error:
                log.info("sealed message refused: %s", error)
                return 400, [("Connection", "close")], b""
        elif not authenticator.over_tls and not switches.allow_unencrypted:
            self.counters.add("unsealedRefused")
            return 500, verdict.headers, b""
        else:
            plain = http.body
        connection.package = authenticator.package
        answer, rule = await self._operate(connection, plain, verdict.account, switches)
        kind, body = SOAP, answer.envelope
        if sealed and not (rule and rule.do == "unsealed"):
            kind, body = sealing.seal(authenticator.context, body, sealing.protocol(content))
        if rule is not None:
            await self._spoil(rule, connection, answer.status, kind, body)
            if rule.do == "status":
                return rule.status, [], b""
            if rule.do == "content-type":
                kind = "text/html; charset=us-ascii"
        return answer.status, verdict.headers + [("Content-Type", kind)], body

    async def _operate(self, connection: Connection, plain: bytes, account: Account, switches: Switches) -> tuple[Answer, Rule | None]:
        rule, message_id = None, ""
        try:
            if len(plain) > switches.quotas.max_envelope_size:
                raise envelope_too_large(switches.quotas.max_envelope_size)
            request = wsman.parse(plain)
            message_id = request.message_id
            self.counters.add_in("actions", request.name)
            rule = switches.fault(request.name)
            if rule is not None:
                self.counters.add("switched")
                await self._before(rule, connection)
            answer = await self._counted(request, account, connection, switches, rule)
        except Fault as fault:
            self.counters.add_in("faults", str(fault.code))
            answer = wsman.fault_answer(fault, message_id, self.node.name)
        log.info("%s %s -> %s%s", account.full_name, request.name if message_id else "?", answer.status, f" {answer.fault}" if answer.fault else "")
        return answer, rule

    async def _counted(self, request: Request, account: Account, connection: Connection, switches: Switches, rule: Rule | None) -> Answer:
        """Keeps count of the user's operations that are not answered yet."""
        owner, limit = account.full_name, switches.quotas.max_concurrent_operations_per_user
        if self.operations.get(owner, 0) >= limit:
            raise too_many_operations(limit)
        self.operations[owner] = self.operations.get(owner, 0) + 1
        try:
            return await self._perform(request, account, connection, switches, rule)
        finally:
            self.operations[owner] -= 1

    # -- operations

    async def _perform(self, request: Request, account: Account, connection: Connection, switches: Switches, rule: Rule | None) -> Answer:
        if request.identify:
            return wsman.identify_answer(self.build)
        if not account.administrator and not account.shell:
            raise access_denied()
        if request.action == TRANSFER + "/Create":
            shell = await self.shells.create(request, account.full_name, connection.peer_name, switches.quotas)
            shell.environment |= logged_on(account, connection.package, self.node.name)
            created = (
                f"<x:ResourceCreated><a:Address>{request_address(self, connection)}</a:Address><a:ReferenceParameters>"
                f'<w:ResourceURI>{request.resource}</w:ResourceURI><w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
                "</a:ReferenceParameters></x:ResourceCreated>")
            return wsman.answer(request, created + shell.described())
        if request.action == ENUMERATION + "/Enumerate":
            return self._enumerate(request, account)
        if request.action == ENUMERATION + "/Pull":
            return self._pull(request)
        if request.action == TRANSFER + "/Get" and request.resource.startswith(CONFIG):
            return wsman.answer(request, configuration(switches))
        shell = self.shells.find(request, account.full_name, account.administrator)
        shell.busy += 1
        try:
            return await self._in_shell(request, shell, connection, switches, rule)
        finally:
            shell.busy -= 1
            shell.touched = time.monotonic()

    async def _in_shell(self, request: Request, shell: Shell, connection: Connection, switches: Switches, rule: Rule | None) -> Answer:
        middle = rule is not None and rule.do == "cut-middle"
        if request.action == TRANSFER + "/Delete":
            await self.shells.delete(shell)
            return wsman.answer(request, "")
        if request.action == TRANSFER + "/Get":
            return wsman.answer(request, shell.described())
        if request.action == SHELL + "/Command":
            return wsman.answer(request, await shell.command(request, self.node, switches.quotas))
        if request.action == SHELL + "/Send":
            return wsman.answer(request, await shell.send(request, only_half=middle))
        if request.action == SHELL + "/Receive":
            limit = min(request.max_envelope or switches.quotas.max_envelope_size, switches.quotas.max_envelope_size)
            if middle:
                raise Cut
            return wsman.answer(request, await connection.while_there(shell.receive(request, limit, switches.keep_alive == "empty")))
        if request.action == SHELL + "/Signal":
            return wsman.answer(request, await shell.signal(request))
        raise unsupported_action(request.action)

    def _enumerate(self, request: Request, account: Account) -> Answer:
        """All shells of the node, at once where the client asks for that, else by Pull. Who is no administrator sees his own."""
        if not request.resource.startswith(SHELL):
            raise unknown_resource(request.resource)
        items = [shell.described() for shell in self.shells.open.values() if account.administrator or shell.owner == account.full_name]
        asked = request.body.find("n:Enumerate", PREFIXES)
        if asked is not None and asked.find("w:OptimizeEnumeration", PREFIXES) is not None:
            body = f"<n:EnumerateResponse><n:EnumerationContext></n:EnumerationContext><w:Items>{''.join(items)}</w:Items><w:EndOfSequence/></n:EnumerateResponse>"
            return wsman.answer(request, body)
        context = request.message_id.upper()
        self._enumerations[context] = items
        return wsman.answer(request, f"<n:EnumerateResponse><n:EnumerationContext>{context}</n:EnumerationContext></n:EnumerateResponse>")

    def _pull(self, request: Request) -> Answer:
        context = request.body.findtext("n:Pull/n:EnumerationContext", "", PREFIXES)
        items = self._enumerations.pop(context, None)
        if items is None:
            raise malformed("an enumeration context that is not there")
        return wsman.answer(request, f"<n:PullResponse><n:Items>{''.join(items)}</n:Items><n:EndOfSequence/></n:PullResponse>")

    # -- switches

    async def _before(self, rule: Rule, connection: Connection) -> None:
        """What a rule does before the request is acted upon."""
        if rule.do == "cut-before":
            raise Cut
        if rule.do == "silence":
            await connection.reader.read()  # until the client gives up
            raise Cut
        if rule.do == "delay":
            await asyncio.sleep(rule.ms / 1000)
        if rule.do == "lose-shells":
            await self.shells.lose_all()
        if rule.do == "fault":
            raise Fault(rule.code, "Receiver", "w:InternalError", f"A fault that a test asked for: {rule.code}. ")

    async def _spoil(self, rule: Rule, connection: Connection, status: int, kind: str, body: bytes) -> None:
        """What a rule does to the answer of a request that was acted upon."""
        if rule.do in ("cut-after", "cut-middle"):
            self.counters.write()
            raise Cut
        if rule.do == "delay-answer":
            await asyncio.sleep(rule.ms / 1000)
        elif rule.do == "half":
            whole = connection.head(status, [("Content-Type", kind)], len(body)) + body
            await connection.raw(whole[:len(whole) - len(body) // 2 - 1])
            raise Cut
        elif rule.do == "garbage":
            await connection.answer(status, [("Content-Type", kind)], bytes(range(256)) * 4)
            raise Cut
        elif rule.do == "garbage-head":
            await connection.raw(bytes(range(128, 256)) * 4 + b"\r\n\r\n")
            raise Cut
        elif rule.do == "endless-head":
            await connection.raw(b"HTTP/1.1 200 OK\r\n")
            for _ in range(0, rule.bytes or 64 * 1024 * 1024, 64 * 1024):
                await connection.raw(b"X-Filler: " + b"x" * (64 * 1024 - 12) + b"\r\n")
            raise Cut
        elif rule.do == "huge":
            size = rule.bytes or 64 * 1024 * 1024
            await connection.raw(connection.head(status, [("Content-Type", kind)], size))
            for _ in range(0, size, 64 * 1024):
                await connection.raw(b"x" * (64 * 1024))
            raise Cut


def wants_identity(http: HttpRequest) -> bool:
    """Identify without a logon, which a client asks for by a header of its own or by the anonymous path."""
    return b"IdentifyRequest" not in http.body and b"Identify" in http.body and (
        http.headers.get("wsmanidentify", "").lower() == "unauthenticated" or http.path.startswith("/wsman-anon"))


def logged_on(account: Account, package: str, machine: str) -> dict[str, str]:
    """What the processes of a logon have in their environment: Windows' own variables, and what a stub node (../node) cannot ask Windows for."""
    told = {"USERDOMAIN": account.domain or machine, "USERNAME": account.name, "DRYDOCK_LOGON": package}
    return told if account.administrator else told | {"DRYDOCK_RIGHTS": "reader"}


def request_address(server: Server, connection: Connection) -> str:
    scheme = "https" if connection.binding is not None else "http"
    return f"{scheme}://{server.listener.address}:{server.listener.port}/wsman"


def configuration(switches: Switches) -> str:
    """The part of `winrm get winrm/config` that speaks of quotas."""
    quotas = switches.quotas
    return (
        f'<cfg:Config xmlns:cfg="{CONFIG}"><cfg:MaxEnvelopeSizekb>{quotas.max_envelope_size // 1024}</cfg:MaxEnvelopeSizekb>'
        f"<cfg:MaxTimeoutms>60000</cfg:MaxTimeoutms><cfg:Service>"
        f"<cfg:MaxConcurrentOperationsPerUser>{quotas.max_concurrent_operations_per_user}</cfg:MaxConcurrentOperationsPerUser>"
        f"<cfg:AllowUnencrypted>{str(switches.allow_unencrypted).lower()}</cfg:AllowUnencrypted></cfg:Service><cfg:Winrs>"
        f"<cfg:IdleTimeout>{int(quotas.idle_timeout * 1000)}</cfg:IdleTimeout><cfg:MaxProcessesPerShell>{quotas.max_processes_per_shell}</cfg:MaxProcessesPerShell>"
        f"<cfg:MaxShellsPerUser>{quotas.max_shells_per_user}</cfg:MaxShellsPerUser></cfg:Winrs></cfg:Config>")
