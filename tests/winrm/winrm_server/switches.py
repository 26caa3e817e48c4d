"""Faults and quotas that a test turns on and off while the server runs: one JSON file, looked at before every request.

{
  "faults": [{"do": "cut-after", "action": "Receive", "skip": 2, "times": 1}],
  "quotas": {"maxShellsPerUser": 2},
  "channelBindings": "strict",
  "certificate": {"chain": "expired.pem", "key": "expired.key"},
  "listen": "silent",
  "loseShells": 1
}

README.md says what each of them does. A file that is not valid stops the server: a test with a typing error must not pass.
"""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path

ACTS = {
    "cut-before", "cut-middle", "cut-after", "half", "garbage", "garbage-head", "endless-head", "huge", "status", "content-type",
    "delay", "delay-answer", "silence", "unsealed", "lose-shells", "fault",
}


@dataclass
class Rule:
    """One fault: what to do to the requests it fits."""

    do: str
    action: str | None = None  # Identify, Create, Command, Send, Receive, Signal, Delete, Enumerate, Pull, Get; None fits all
    skip: int = 0  # so many fitting requests go by first
    times: int | None = None  # then so many are hit; None means all
    ms: int = 0
    status: int = 500
    bytes: int = 0
    code: int = 0
    seen: int = 0
    hit: int = 0

    def fits(self, name: str) -> bool:
        if self.action not in (None, name):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.hit >= self.times):
            return False
        self.hit += 1
        return True


@dataclass
class Quotas:
    """Windows' own names and defaults (Microsoft: Quotas; Installation and configuration for Windows Remote Management)."""

    max_shells_per_user: int = 30
    max_processes_per_shell: int = 25
    max_concurrent_operations_per_user: int = 1500
    max_envelope_size: int = 512000
    max_memory_per_shell_mb: int = 0  # 0: not looked at (Windows: 1024; what a PowerShell takes here is no measure of one there)
    idle_timeout: float = 7200.0


@dataclass
class Switches:
    """The file as it was read last."""

    faults: list[Rule] = field(default_factory=list)
    quotas: Quotas = field(default_factory=Quotas)
    channel_bindings: str = "relaxed"  # none, relaxed, strict: Windows' CbtHardeningLevel, and its default
    allow_unencrypted: bool = False
    certificate: dict | None = None
    listen: str = "normal"  # normal, silent (accepts and says nothing), refuse (the port is closed)
    keep_alive: str = "fault"  # fault, empty: how a Receive that asks for keep-alives ends when nothing came
    lose_shells: int = 0  # whenever this number is higher than ever, every shell is gone

    def fault(self, name: str) -> Rule | None:
        """The first rule that hits this request. Rules behind it do not see the request."""
        return next((rule for rule in self.faults if rule.fits(name)), None)


class SwitchFile:
    """Gives the newest switches. Rewriting the file starts every rule's count anew."""

    def __init__(self, file: Path | None):
        self.file = file
        self._stamp: tuple | None = None
        self._switches = Switches()

    def now(self) -> Switches:
        if self.file is None:
            return self._switches
        try:
            status = self.file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                text = self.file.read_text()
                self._switches = read(json.loads(text) if text.strip() else {})
                self._stamp = stamp
        except FileNotFoundError:
            self._stamp, self._switches = None, Switches()
        return self._switches


def read(document: dict) -> Switches:
    switches = _take(Switches, document)
    known = {"channel_bindings": ("none", "relaxed", "strict"), "listen": ("normal", "silent", "refuse"), "keep_alive": ("fault", "empty")}
    for name, values in known.items():
        if getattr(switches, name) not in values:
            raise ValueError(f"{_camel(name)}: one of {values}")
    switches.faults = [_take(Rule, rule) for rule in document.get("faults", [])]
    switches.quotas = _take(Quotas, document.get("quotas", {}))
    if wrong := {rule.do for rule in switches.faults} - ACTS:
        raise ValueError(f"no such fault: {wrong}")
    return switches


def _take(kind: type, document: dict):
    names = {_camel(item.name): item.name for item in fields(kind)}
    if wrong := set(document) - set(names):
        raise ValueError(f"no such switch: {wrong}")
    return kind(**{names[key]: value for key, value in document.items()})


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
