"""The PowerShell plug-in: runspace pools for third-party clients (pypsrp, Ansible), the protocol by psrpcore, the scripts run by real PowerShell.

As much as those clients need: scripts and commands with simple parameters, output and the record streams, errors, stopping. No host calls, no
disconnecting, no pipeline input.
"""

import asyncio
import base64
import json
import logging
import os
import secrets
import signal
import uuid
import xml.etree.ElementTree as ElementTree

import psrpcore
from psrpcore.types import ErrorCategoryInfo, NETException, PSInvocationState, deserialize

from . import faults
from .node import Node
from .shells import Shell
from .switches import Quotas
from .wsman import PREFIXES, SHELL, Request

log = logging.getLogger("winrm_server")

FRAGMENT = 32 * 1024
# One JSON line of 64 MiB is far above what a client may receive; a longer one is not a runspace that answers.
LINE = 64 * 1024 * 1024

# One process is one runspace. It reads a script a line and answers each object as one line: the token, the stream, and the object as CLIXML.
RUNSPACE = r"""
$token = '%s'
$ErrorActionPreference = 'Continue'
$ProgressPreference = 'SilentlyContinue'
function global:Send-Item([string]$Stream, [string]$Text) {
    $bytes = [Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($Text))
    [Console]::Out.WriteLine(('{0}{1} {2} {3}' -f [char]10, $token, $Stream, $bytes))
}
function global:Send-Failure($Record) {
    Send-Item 'error' (@{ message = $Record.Exception.Message; id = $Record.FullyQualifiedErrorId; category = [int]$Record.CategoryInfo.Category } | ConvertTo-Json -Compress)
}
$reader = New-Object System.IO.StreamReader ([Console]::OpenStandardInput())
while ($null -ne ($line = $reader.ReadLine())) {
    $script = [System.Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($line))
    try {
        . ([scriptblock]::Create($script)) *>&1 | ForEach-Object {
            if ($_ -is [System.Management.Automation.ErrorRecord]) { Send-Failure $_ }
            elseif ($_ -is [System.Management.Automation.WarningRecord]) { Send-Item 'warning' $_.Message }
            elseif ($_ -is [System.Management.Automation.VerboseRecord]) { Send-Item 'verbose' $_.Message }
            elseif ($_ -is [System.Management.Automation.DebugRecord]) { Send-Item 'debug' $_.Message }
            elseif ($_ -is [System.Management.Automation.InformationRecord]) { }
            else { Send-Item 'output' ([System.Management.Automation.PSSerializer]::Serialize($_, 2)) }
        }
        Send-Item 'completed' ''
    } catch {
        Send-Failure $_
        Send-Item 'failed' ''
    }
    [Console]::Out.Flush()
}
"""


class Pipeline:
    """One pipeline: what goes back on it, in fragments."""

    def __init__(self):
        self.waiting: list[bytes] = []
        self.done = False
        self.ended = False


class PowerShellShell:
    """A runspace pool. Offers what a command shell offers, so that the server need not know which of them it has."""

    def __init__(self, owner: str, resource: str, client: str, idle: float, name: str | None):
        self._shell = Shell(owner, resource, client, idle, name)
        self.owner, self.idle, self.environment = owner, idle, self._shell.environment
        self.id, self.folder, self.begun, self.touched, self.busy = self._shell.id, None, self._shell.begun, self._shell.touched, 0
        self.pool = psrpcore.ServerRunspacePool()
        self.pipelines: dict[str | None, Pipeline] = {None: Pipeline()}
        self.changed = asyncio.Condition()
        self.runspaces: dict[str, asyncio.subprocess.Process] = {}  # by token; those that wait for a script
        self.busy_runspaces: dict[str, asyncio.subprocess.Process] = {}  # by pipeline
        self.tasks: set[asyncio.Task] = set()
        self.node: Node | None = None

    def described(self) -> str:
        self._shell.id, self._shell.touched, self._shell.busy = self.id, self.touched, self.busy
        return self._shell.described().replace(">stdin<", ">stdin pr<").replace(">stdout stderr<", ">stdout<")

    async def create(self, request: Request) -> None:
        opening = next((e for e in request.body.iter() if e.tag.endswith("}creationXml")), None)
        if opening is None:
            raise faults.malformed("no creationXml")
        await self._take(base64.b64decode(opening.text or ""), None)

    async def end(self) -> None:
        for process in [*self.runspaces.values(), *self.busy_runspaces.values()]:
            _kill(process)
        for pipeline in self.pipelines.values():
            pipeline.ended = True
        async with self.changed:
            self.changed.notify_all()

    async def command(self, request: Request, node: Node, quotas: Quotas) -> str:
        self.node = node
        line = request.body.find("rsp:CommandLine", PREFIXES)
        if line is None:
            raise faults.malformed("no CommandLine")
        identity = (line.get("CommandId") or str(uuid.uuid4())).upper()
        self.pipelines[identity] = Pipeline()
        psrpcore.ServerPipeline(self.pool, uuid.UUID(identity))
        data = "".join(argument.text or "" for argument in line.iterfind("rsp:Arguments", PREFIXES))
        await self._take(base64.b64decode(data), identity)
        return f"<rsp:CommandResponse><rsp:CommandId>{identity}</rsp:CommandId></rsp:CommandResponse>"

    async def send(self, request: Request, only_half: bool = False) -> str:
        for stream in request.body.iterfind("rsp:Send/rsp:Stream", PREFIXES):
            identity = stream.get("CommandId")
            await self._take(base64.b64decode(stream.text or ""), identity and identity.upper())
        return "<rsp:SendResponse/>"

    async def receive(self, request: Request, limit: int, keep_alive: bool) -> str:
        desired = request.body.find("rsp:Receive/rsp:DesiredStream", PREFIXES)
        if desired is None:
            raise faults.malformed("no DesiredStream")
        identity = desired.get("CommandId")
        identity = identity and identity.upper()
        pipeline = self.pipelines.get(identity)
        if pipeline is None:
            raise faults.command_not_found()
        async with self.changed:
            try:
                await asyncio.wait_for(self.changed.wait_for(lambda: pipeline.waiting or pipeline.done or pipeline.ended), request.timeout)
            except asyncio.TimeoutError:
                if not keep_alive:
                    raise faults.timed_out() from None
            if pipeline.ended:
                raise faults.aborted()
            room, streams = limit * 3 // 4, []
            at = f' CommandId="{identity}"' if identity else ""
            while pipeline.waiting and room > 0:
                part = pipeline.waiting.pop(0)
                room -= len(part)
                streams.append(f'<rsp:Stream Name="stdout"{at}>{base64.b64encode(part).decode()}</rsp:Stream>')
        state = ""
        if identity:
            word = "Done" if pipeline.done and not pipeline.waiting else "Running"
            state = f'<rsp:CommandState CommandId="{identity}" State="{SHELL}/CommandState/{word}"></rsp:CommandState>'
        return f"<rsp:ReceiveResponse>{''.join(streams)}{state}</rsp:ReceiveResponse>"

    async def signal(self, request: Request) -> str:
        asked = request.body.find("rsp:Signal", PREFIXES)
        identity = (asked.get("CommandId") or "").upper() if asked is not None else ""
        code = (asked.findtext("rsp:Code", "", PREFIXES) or "").rsplit("/", 1)[-1].lower() if asked is not None else ""
        pipeline = self.pipelines.get(identity)
        if pipeline is not None and identity in self.busy_runspaces:
            _kill(self.busy_runspaces.pop(identity))
            self.pool.pipeline_table[uuid.UUID(identity)].stop()
            pipeline.done = True
            await self._flush()
        if pipeline is not None and code == "terminate":
            del self.pipelines[identity]
        return "<rsp:SignalResponse/>"

    # -- the protocol

    async def _take(self, data: bytes, identity: str | None) -> None:
        self.pool.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, uuid.UUID(identity) if identity else None))
        while (event := self.pool.next_event()) is not None:
            if isinstance(event, psrpcore.CreatePipelineEvent):
                self.tasks.add(asyncio.create_task(self._run_or_end(event.pipeline_id, text_of(event.pipeline))))
                self.tasks = {task for task in self.tasks if not task.done()}
        await self._flush()

    async def _flush(self) -> None:
        async with self.changed:
            while (part := self.pool.data_to_send(FRAGMENT)) is not None:
                identity = str(part.pipeline_id).upper() if part.pipeline_id else None
                self.pipelines.setdefault(identity, Pipeline()).waiting.append(bytes(part.data))
            self.changed.notify_all()

    async def _run_or_end(self, identity: uuid.UUID, script: str) -> None:
        """An error of the server must not leave a client waiting: what asks for this pipeline is told that it was aborted."""
        try:
            await self._run(identity, script)
        except Exception:
            log.exception("the plug-in is broken")
            self.pipelines.setdefault(str(identity).upper(), Pipeline()).ended = True
            async with self.changed:
                self.changed.notify_all()

    async def _run(self, identity: uuid.UUID, script: str) -> None:
        pipeline, name = self.pool.pipeline_table[identity], str(identity).upper()
        pipeline.start()
        await self._flush()
        token, process = self.runspaces.popitem() if self.runspaces else await self._runspace()
        self.busy_runspaces[name] = process
        process.stdin.write(base64.b64encode(script.encode()) + b"\n")
        try:
            while True:
                line = await process.stdout.readline()
                if not line or name not in self.busy_runspaces:
                    break
                if line.startswith(token.encode() + b" ") and self._item(pipeline, *line.decode().split(" ")[1:]):
                    self.runspaces[token] = self.busy_runspaces.pop(name)
                    break
                await self._flush()
        except (ConnectionError, ValueError):
            _kill(process)
        if pipeline.state == PSInvocationState.Running:  # the runspace is gone: a script that calls `exit` takes it along
            pipeline.complete()
            self.busy_runspaces.pop(name, None)
        if name in self.pipelines:
            self.pipelines[name].done = True
        await self._flush()

    def _item(self, pipeline: psrpcore.ServerPipeline, stream: str, encoded: str = "") -> bool:
        """Passes one object on; true when it was the last."""
        text = base64.b64decode(encoded).decode()
        if stream == "output":
            objects = ElementTree.fromstring(text)
            for element in objects.iter():
                element.tag = element.tag.rsplit("}", 1)[-1]  # on the wire there is no namespace
            for child in objects:
                pipeline.write_output(deserialize(child, self.pool._cipher))
        elif stream == "error":
            told = json.loads(text)
            pipeline.write_error(NETException(Message=told["message"]), category_info=ErrorCategoryInfo(Category=told["category"]),
                                 fully_qualified_error_id=told["id"])
        elif stream in ("warning", "verbose", "debug"):
            getattr(pipeline, f"write_{stream}")(text)
        elif stream == "completed":
            pipeline.complete()
        elif stream == "failed":
            pipeline._change_state(PSInvocationState.Failed)
        return stream in ("completed", "failed")

    async def _runspace(self) -> tuple[str, asyncio.subprocess.Process]:
        token, environment = secrets.token_hex(16), await self.node.environment() | self.environment
        program = self.node.program("powershell.exe")
        if program is None:
            raise RuntimeError("no PowerShell")
        encoded = base64.b64encode((RUNSPACE % token).encode("utf-16-le")).decode()
        process = await asyncio.create_subprocess_exec(
            *program, "-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", encoded, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=environment,
            start_new_session=True, limit=LINE)
        return token, process


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def text_of(pipeline) -> str:
    """A pipeline of commands as a script: names as they are, values quoted."""
    text = ""
    for index, command in enumerate(pipeline.commands):
        words = [f". {{ {command.command_text}\n}}" if command.is_script else command.command_text]
        for name, value in command.parameters:
            words += ([f"-{name}:" if name else ""] + [quoted(value)]) if value is not None or not name else [f"-{name}"]
        last = index == len(pipeline.commands) - 1
        text += " ".join(word for word in words if word) + ("" if last else "\n" if command.end_of_statement else " | ")
    return text


def quoted(value) -> str:
    if value is None:
        return "$null"
    if isinstance(value, bool):
        return f"${str(value).lower()}"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "@(" + ", ".join(quoted(item) for item in value) + ")"
    return "'" + str(value).replace("'", "''") + "'"
