"""What the server has counted, in a JSON file that is replaced on every change, before the answer goes out: tests assert on it."""

import json
import os
from pathlib import Path


class Counters:
    def __init__(self, file: Path | None):
        self.file = file
        self.values = {
            "shellsOpen": 0, "shellsMost": 0, "shellsCreated": 0, "shellsDeleted": 0, "shellsIdledOut": 0, "shellsLost": 0,
            "requests": 0, "logons": 0, "failedLogons": 0, "badPasswords": {}, "connections": 0, "connectionsOpen": 0, "connectionsMost": 0,
            "faults": {}, "actions": {}, "switched": 0, "unsealedRefused": 0, "broken": 0,
        }
        self._dirty = True
        self.write()

    def add(self, name: str, by: int = 1) -> None:
        self.values[name] += by
        self._dirty = True

    def add_in(self, name: str, key: str) -> None:
        self.values[name][key] = self.values[name].get(key, 0) + 1
        self._dirty = True

    def connection(self, by: int) -> None:
        self.add("connectionsOpen", by)
        self.add("connections", max(by, 0))
        self.values["connectionsMost"] = max(self.values["connectionsMost"], self.values["connectionsOpen"])
        self.write()

    def shell_opened(self, now: int) -> None:
        self.add("shellsCreated")
        self._shells(now)

    def shell_deleted(self, now: int) -> None:
        self.add("shellsDeleted")
        self._shells(now)

    def shell_idled_out(self, now: int) -> None:
        self.add("shellsIdledOut")
        self._shells(now)

    def shell_lost(self, now: int) -> None:
        self.add("shellsLost")
        self._shells(now)

    def _shells(self, now: int) -> None:
        self.values["shellsOpen"] = now
        self.values["shellsMost"] = max(self.values["shellsMost"], now)
        self.write()

    def write(self) -> None:
        """Replaces the file if anything changed since the last time."""
        if not self._dirty or self.file is None:
            return
        beside = self.file.with_name(self.file.name + f".{os.getpid()}")
        beside.write_text(json.dumps(self.values, indent=1) + "\n")
        beside.replace(self.file)
        self._dirty = False
