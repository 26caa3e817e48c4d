"""The command shell: shells that live on the node, and commands in them that are real processes."""

import asyncio
import base64
import os
import signal
import time
import uuid
from pathlib import Path
from xml.sax.saxutils import escape

from . import faults
from .commandline import PROCESS_LIMIT, Builtin, split, through_cmd, unknown
from .counters import Counters
from .node import Node
from .switches import Quotas
from .wsman import PREFIXES, SHELL, Request, seconds

# A process that nobody reads from is held up, as by a full pipe on Windows.
KEPT = 1024 * 1024


class Command:
    """A running process (or an answer of cmd.exe) with what it has said and nobody has fetched yet."""

    def __init__(self, console: bool):
        self.id = str(uuid.uuid4()).upper()
        self.console = console
        self.process: asyncio.subprocess.Process | None = None
        self.kept: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self.open = {"stdout", "stderr"}
        self.exit_code: int | None = None
        self.ended = False  # by a signal: what waits for it is answered with "aborted"
        self.code_when_killed = 0xC000013A  # STATUS_CONTROL_C_EXIT
        self.changed = asyncio.Condition()
        self.tasks: list[asyncio.Task] = []

    async def start(self, words: list[str], environment: dict[str, str], folder: str | None) -> None:
        self.process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=environment, cwd=folder, start_new_session=True)
        pumps = [asyncio.create_task(self._pump("stdout", self.process.stdout)), asyncio.create_task(self._pump("stderr", self.process.stderr))]
        self.tasks = pumps + [asyncio.create_task(self._wait(pumps))]

    def answer(self, builtin: Builtin) -> None:
        self.kept["stderr" if builtin.error else "stdout"] += builtin.output.encode()
        self.open.clear()
        self.exit_code = builtin.exit_code

    async def _pump(self, name: str, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(32 * 1024):
            async with self.changed:
                await self.changed.wait_for(lambda: len(self.kept[name]) < KEPT or self.ended)
                self.kept[name] += chunk
                self.changed.notify_all()

    async def _wait(self, pumps: list[asyncio.Task]) -> None:
        # A grandchild that inherited the pipes must not keep the command alive: after the exit, what is there is read and no more is waited for.
        code = await self.process.wait()
        await asyncio.wait(pumps, timeout=1)
        for pump in pumps:
            pump.cancel()
        async with self.changed:
            self.open.clear()
            self.exit_code = code if code >= 0 else self.code_when_killed
            self.changed.notify_all()

    async def feed(self, data: bytes, end: bool) -> None:
        if self.process is None or self.exit_code is not None:
            return
        try:
            self.process.stdin.write(data)
            await self.process.stdin.drain()
            if end:
                self.process.stdin.close()
        except (BrokenPipeError, ConnectionResetError):
            pass  # the process has closed its input: Windows takes the bytes all the same

    def interrupt(self) -> None:
        """ctrl_c reaches the child only through a console."""
        if self.console and self.process is not None and self.exit_code is None:
            os.killpg(self.process.pid, signal.SIGINT)

    async def end(self) -> None:
        """Ends the process and everything it started in its session, as the shell's job object does."""
        self.ended = True
        if self.process is not None and self.process.returncode is None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        async with self.changed:
            self.changed.notify_all()

    def memory(self) -> int:
        """What the process holds, in MiB."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) if self.process and self.exit_code is None else 0
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE") // (1024 * 1024)

    async def out_of_memory(self) -> None:
        """A .NET program in a job that has used up its memory ends with an unhandled exception."""
        if self.process is not None and self.process.returncode is None:
            self.code_when_killed = 0xE0434352
            async with self.changed:
                self.kept["stderr"] += b"Process is terminated due to OutOfMemoryException.\r\n"
            os.killpg(self.process.pid, signal.SIGKILL)

    def has_news(self) -> bool:
        return self.ended or self.exit_code is not None or any(self.kept.values())


class Shell:
    """A command shell, with what Windows tells about it."""

    def __init__(self, owner: str, resource: str, client: str, idle: float, name: str | None):
        self.id = str(uuid.uuid4()).upper()
        self.owner, self.resource, self.client, self.idle, self.name = owner, resource, client, idle, name
        self.commands: dict[str, Command] = {}
        self.environment: dict[str, str] = {}
        self.folder: str | None = None
        self.begun = self.touched = time.monotonic()
        self.busy = 0  # operations on it that are not answered yet: a shell is idle only without any

    def described(self) -> str:
        now = time.monotonic()
        name = f"<rsp:Name>{escape(self.name)}</rsp:Name>" if self.name else ""
        return (
            f"<rsp:Shell><rsp:ShellId>{self.id}</rsp:ShellId>{name}<rsp:ResourceUri>{escape(self.resource)}</rsp:ResourceUri>"
            f"<rsp:Owner>{escape(self.owner)}</rsp:Owner><rsp:ClientIP>{self.client}</rsp:ClientIP><rsp:IdleTimeOut>PT{self.idle:.3f}S</rsp:IdleTimeOut>"
            f"<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
            f"<rsp:ShellRunTime>P0DT0H0M{int(now - self.begun)}S</rsp:ShellRunTime>"
            f"<rsp:ShellInactivity>P0DT0H0M{int(now - self.touched) if not self.busy else 0}S</rsp:ShellInactivity></rsp:Shell>"
        )

    async def create(self, request: Request) -> None:
        """What only the kind of shell knows about its creation: nothing for this one."""

    async def end(self) -> None:
        for command in list(self.commands.values()):
            await command.end()
        self.commands.clear()

    async def command(self, request: Request, node: Node, quotas: Quotas) -> str:
        line = request.body.find("rsp:CommandLine", PREFIXES)
        if line is None:
            raise faults.malformed("no CommandLine")
        running = sum(command.exit_code is None for command in self.commands.values())
        if running >= quotas.max_processes_per_shell:
            raise faults.too_many_processes()
        words = [(line.findtext("rsp:Command", "", PREFIXES) or "").strip()]
        words += [(argument.text or "").strip() for argument in line.iterfind("rsp:Arguments", PREFIXES)]
        text = " ".join(words)
        direct = request.options.get("WINRS_SKIP_CMD_SHELL", "FALSE").upper() == "TRUE"
        if len(text) > PROCESS_LIMIT:
            raise faults.program_not_found()
        environment = await node.environment() | self.environment
        found = split(text) if direct else through_cmd(text)
        command = Command(console=request.options.get("WINRS_CONSOLEMODE_STDIN", "TRUE").upper() == "TRUE")
        if isinstance(found, list):
            program = node.program(found[0], environment.get("PATH")) if found else None
            if program is not None:
                await command.start(program + found[1:], environment, self.folder)
            elif direct:
                raise faults.program_not_found()
            else:
                command.answer(unknown(found[0]))
        else:
            command.answer(found)
        self.commands[command.id] = command
        return f"<rsp:CommandResponse><rsp:CommandId>{command.id}</rsp:CommandId></rsp:CommandResponse>"

    def _command(self, identity: str | None) -> Command:
        command = self.commands.get((identity or "").upper())
        if command is None:
            raise faults.command_not_found()
        return command

    async def send(self, request: Request, only_half: bool = False) -> str:
        for stream in request.body.iterfind("rsp:Send/rsp:Stream", PREFIXES):
            if stream.get("Name") != "stdin":
                raise faults.Fault(faults.INVALID_INPUT_STREAM, "Sender", "w:InvalidParameter", "The input stream is not one of the shell's. ")
            data = base64.b64decode(stream.text or "")
            if only_half:
                data = data[:len(data) // 2]
            await self._command(stream.get("CommandId")).feed(data, stream.get("End", "").upper() == "TRUE" and not only_half)
        return "<rsp:SendResponse/>"

    async def receive(self, request: Request, limit: int, keep_alive: bool) -> str:
        desired = request.body.find("rsp:Receive/rsp:DesiredStream", PREFIXES)
        if desired is None:
            raise faults.malformed("no DesiredStream")
        command, names = self._command(desired.get("CommandId")), (desired.text or "").split()
        async with command.changed:
            try:
                await asyncio.wait_for(command.changed.wait_for(command.has_news), request.timeout)
            except asyncio.TimeoutError:
                # The fault means "ask again". What a client that asks for keep-alives gets instead is not clear from the documents: a switch.
                if not keep_alive or request.options.get("WSMAN_CMDSHELL_OPTION_KEEPALIVE", "").upper() != "TRUE":
                    raise faults.timed_out() from None
            if command.ended:
                raise faults.aborted()
            room, streams = limit * 3 // 4, []
            for name in names:
                taken = bytes(command.kept.get(name, b"")[:room])
                if taken:
                    del command.kept[name][:len(taken)]
                    room -= len(taken)
                    streams.append(f'<rsp:Stream Name="{name}" CommandId="{command.id}">{base64.b64encode(taken).decode()}</rsp:Stream>')
            command.changed.notify_all()
            done = command.exit_code is not None and not any(command.kept[name] for name in names if name in command.kept)
        if done:
            streams += [f'<rsp:Stream Name="{name}" CommandId="{command.id}" End="true"></rsp:Stream>' for name in names]
            state = f'State="{SHELL}/CommandState/Done"><rsp:ExitCode>{command.exit_code}</rsp:ExitCode></rsp:CommandState>'
        else:
            state = f'State="{SHELL}/CommandState/Running"></rsp:CommandState>'
        return f'<rsp:ReceiveResponse>{"".join(streams)}<rsp:CommandState CommandId="{command.id}" {state}</rsp:ReceiveResponse>'

    async def signal(self, request: Request) -> str:
        asked = request.body.find("rsp:Signal", PREFIXES)
        if asked is None:
            raise faults.malformed("no Signal")
        code = (asked.findtext("rsp:Code", "", PREFIXES) or "").rsplit("/", 1)[-1].lower()
        # Ending what is not there is no error: the command may have ended by itself.
        command = self.commands.get((asked.get("CommandId") or "").upper())
        if command is not None and code == "terminate":
            del self.commands[command.id]
            await command.end()
        elif command is not None:
            command.interrupt()
        return "<rsp:SignalResponse/>"


class Shells:
    """All shells of one node, whoever opened them."""

    def __init__(self, node: Node, counters: Counters, kinds: dict[str, type[Shell]]):
        self.node, self.counters, self.kinds = node, counters, kinds
        self.open: dict[str, Shell] = {}

    async def create(self, request: Request, owner: str, client: str, quotas: Quotas) -> Shell:
        kind = next((made for prefix, made in self.kinds.items() if request.resource.startswith(prefix)), None)
        if kind is None:
            raise faults.unknown_resource(request.resource)
        asked = request.body.find("rsp:Shell", PREFIXES)
        if asked is None:
            raise faults.malformed("no Shell")
        if sum(shell.owner == owner for shell in self.open.values()) >= quotas.max_shells_per_user:
            raise faults.too_many_shells(quotas.max_shells_per_user)
        idle = asked.findtext("rsp:IdleTimeOut", "", PREFIXES) or asked.findtext("rsp:IdleTimeout", "", PREFIXES)
        idle = min(seconds(idle) if idle else quotas.idle_timeout, quotas.idle_timeout)
        shell = kind(owner, request.resource, client, idle, asked.get("Name") or asked.findtext("rsp:Name", None, PREFIXES))
        shell.id = (asked.get("ShellId") or shell.id).upper()
        shell.folder = asked.findtext("rsp:WorkingDirectory", None, PREFIXES)
        if shell.folder is not None and not Path(shell.folder).is_dir():
            shell.folder = None
        for variable in asked.iterfind("rsp:Environment/rsp:Variable", PREFIXES):
            shell.environment[variable.get("Name", "")] = variable.text or ""
        await shell.create(request)
        self.open[shell.id] = shell
        self.counters.shell_opened(len(self.open))
        return shell

    def find(self, request: Request, owner: str, administrator: bool) -> Shell:
        identity = request.selectors.get("ShellId", "")
        shell = self.open.get(identity.upper())
        if shell is None or not (administrator or shell.owner == owner):
            raise faults.shell_not_found(identity)
        return shell

    async def delete(self, shell: Shell) -> None:
        if self.open.pop(shell.id, None) is not None:
            await shell.end()
            self.counters.shell_deleted(len(self.open))

    async def lose_all(self) -> None:
        """Power, a restarted service, a crashed host process: nobody said goodbye."""
        lost, self.open = list(self.open.values()), {}
        for shell in lost:
            await shell.end()
            self.counters.shell_lost(len(self.open))

    async def sweep_idle(self) -> None:
        now = time.monotonic()
        for shell in [s for s in self.open.values() if not s.busy and now - s.touched >= s.idle]:
            if self.open.pop(shell.id, None) is not None:
                await shell.end()
                self.counters.shell_idled_out(len(self.open))

    async def sweep_memory(self, limit: int) -> None:
        for shell in list(self.open.values()):
            commands = list(getattr(shell, "commands", {}).values())
            if sum(command.memory() for command in commands) > limit:
                for command in commands:
                    await command.out_of_memory()
