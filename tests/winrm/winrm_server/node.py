"""One stub node as the server sees it: the environment its processes get, the PowerShell it has, and whether it has power."""

import asyncio
import json
import os
import shutil
import socket
import sys
from pathlib import Path

ENVIRONMENT = Path(__file__).resolve().parents[2] / "node" / "environment.py"
# What the server itself was started with is none of a node's business.
OWN = ("PYTHON", "VIRTUAL_ENV", "KRB5", "NTLM_", "PIP_", "DRYDOCK_NODE", "DRYDOCK_CLUSTER")
POWERSHELLS = {"powershell", "powershell.exe", "pwsh", "pwsh.exe"}


class Node:
    """A node of the stub cluster in `cluster`, or, without one, a bare machine with nothing but a PowerShell."""

    def __init__(self, name: str, cluster: Path | None):
        self.name = name
        self.folder = None if cluster is None else cluster / "nodes" / name
        self.cluster = cluster
        self._environment: dict[str, str] | None = None
        self._stamp: tuple | None = None
        self._power = True

    async def environment(self) -> dict[str, str]:
        """The environment of the node's processes; asked for once, as a node does not change its folders."""
        if self._environment is None:
            own = {name: value for name, value in os.environ.items() if not name.startswith(OWN)} | {"COMPUTERNAME": self.name}
            if self.folder is not None and ENVIRONMENT.exists():
                asked = await asyncio.create_subprocess_exec(sys.executable, str(ENVIRONMENT), str(self.folder), stdout=asyncio.subprocess.PIPE)
                told, _ = await asked.communicate()
                if asked.returncode != 0:
                    raise RuntimeError(f"{ENVIRONMENT} {self.folder} ended with {asked.returncode}")
                own = json.loads(told)
            elif self.folder is not None:
                own.update(DRYDOCK_NODE=self.name, DRYDOCK_CLUSTER=str(self.cluster), PWSH_REGISTRY=str(self.folder / "registry.json"))
            self._environment = own
        return dict(self._environment)

    def has_power(self) -> bool:
        """Without a power file a node is always on. A file that is being replaced is read again by the next look."""
        if self.folder is None:
            return True
        file = self.folder / "power.json"
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                self._power = json.loads(file.read_text()).get("state") != "off"
                self._stamp = stamp
        except FileNotFoundError:
            self._power = True
        except ValueError:
            pass
        return self._power

    def program(self, name: str, path: str | None = None) -> list[str] | None:
        """The program that a command line names, as this machine starts it."""
        base = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
        if base in POWERSHELLS:
            # The node's own environment may name another one than the server's.
            named = (self._environment or os.environ).get("DRYDOCK_PWSH") or os.environ.get("DRYDOCK_PWSH") or shutil.which("pwsh") or shutil.which("powershell.exe")
            return [named] if named else None
        # Other programs are those of the stub node's own folders (its `shutdown.exe`), never this machine's.
        for folder in (path or "").split(os.pathsep):
            if folder and (self.cluster is not None) and (ENVIRONMENT.parent in Path(folder).parents or self.cluster in Path(folder).parents):
                for candidate in (base, base + ".exe"):
                    if os.access(os.path.join(folder, candidate), os.X_OK):
                        return [os.path.join(folder, candidate)]
        return None


def reserved(address: str, port: int) -> socket.socket:
    """A socket that holds a port without listening, so that nobody else is given it while the node has no power. The listener may bind beside it."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((address, port))
    return holder
