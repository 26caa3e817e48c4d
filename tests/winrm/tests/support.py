"""What the tests share: servers and helpers that are started for a class and ended by their process id."""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from pypsrp.shell import Process, WinRS
from pypsrp.wsman import WSMan

ROOT = Path(__file__).resolve().parents[1]
POWERSHELL = os.environ.get("DRYDOCK_PWSH") or shutil.which("pwsh") or shutil.which("powershell.exe")
# Debian's folder for administration programs is not on everybody's PATH.
SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
USERS = {
    "lockoutThreshold": 3,
    "users": [
        {"name": "svc", "domain": "LAB", "realm": "lab.test", "password": "P@ss:w0rd"},
        {"name": "local", "password": "l0cal", "certificate": "drydock@local"},
        {"name": "reader", "domain": "LAB", "password": "r", "administrator": False},
        {"name": "locked", "domain": "LAB", "password": "k", "state": "locked"},
        {"name": "disabled", "domain": "LAB", "password": "d", "state": "disabled"},
        {"name": "expired", "domain": "LAB", "password": "e", "state": "expired"},
        {"name": "old", "domain": "LAB", "password": "o", "state": "password-expired"},
    ],
}
# How long a test waits for something that must happen: far above what it takes, as the machine may be busy.
PATIENCE = 30


def within(condition, what: str):
    """Waits until the condition gives something, and returns that."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {PATIENCE} s")


def encoded(script: str) -> list[str]:
    text = base64.b64encode(script.encode("utf-16-le")).decode()
    return ["-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", text]


class Child:
    """A program that prints one JSON line when it is ready."""

    def __init__(self, words: list, **variables: str):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=self.errors, cwd=ROOT, env=os.environ | variables)
        line = self.process.stdout.readline()
        self.ready = json.loads(line) if line else {}
        if not self.ready:
            self.stop()
            raise AssertionError(f"{words[0]} did not start: {self.said()}")

    def said(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode()

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Server(Child):
    """A WinRM server with a folder of its own."""

    def __init__(self, folder: Path, *more: str, name: str = "server", users: dict | None = None, tls: str | None = None, **variables: str):
        self.folder, self.tls = folder, tls
        self.switch_file, self.counter_file, self.user_file = (folder / f"{name}.{kind}.json" for kind in ("switches", "counters", "users"))
        self.user_file.write_text(json.dumps(users or USERS))
        words = [sys.executable, "-m", "winrm_server", "--node", "NODE1", "--users", self.user_file, "--switches", self.switch_file,
                 "--counters", self.counter_file, "--verbose", "--with-parent", *more]
        if tls:
            words += ["--tls", folder / f"{tls}.pem", folder / f"{tls}.key", "--client-authority", folder / "ca.pem"]
        super().__init__(words, **variables)
        self.port = self.ready["nodes"][0]["port"]

    def switch(self, **document) -> None:
        beside = self.switch_file.with_suffix(".new")
        beside.write_text(json.dumps(document))
        beside.replace(self.switch_file)

    def counters(self) -> dict:
        return json.loads(self.counter_file.read_text())

    def wsman(self, user: str = "LAB\\svc", password: str = "P@ss:w0rd", auth: str = "ntlm", **more) -> WSMan:
        if self.tls:
            more = {"ssl": True, "cert_validation": str(self.folder / "ca.pem")} | more
        else:
            more = {"ssl": False, "encryption": "always"} | more
        known = {} if auth == "certificate" else {"username": user, "password": password}
        return WSMan("127.0.0.1", port=self.port, auth=auth, connection_timeout=20, read_timeout=60, reconnection_retries=0, **known, **more)


class Case(unittest.TestCase):
    """Has a folder, and ends whatever was started."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="winrm-tests-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)

    @classmethod
    def certificates(cls) -> None:
        subprocess.run([sys.executable, ROOT / "certificates.py", cls.folder, "node1"], check=True)

    @classmethod
    def start(cls, child: Child) -> Child:
        cls.addClassCleanup(child.stop)
        return child

    def run_in(self, wsman: WSMan, script: str = "'hello ' + $env:COMPUTERNAME; exit 7"):
        with wsman, WinRS(wsman) as shell:
            process = Process(shell, "powershell.exe", encoded(script), no_shell=True)
            process.invoke()
            return process.rc, process.stdout.decode().strip()

    def assert_sound(self, server: Server) -> None:
        """Nothing was left behind, and the server itself made no error."""
        counted = server.counters()
        self.assertEqual((counted["shellsOpen"], counted["broken"]), (0, 0), server.said())


def port_answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
        return True
    except OSError:
        return False


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def stub_cluster(folder: Path, node: str) -> Path:
    """A stub cluster (tests/node) with one more node than asked for; gives the node's folder."""
    sys.path.insert(0, str(ROOT.parent / "node"))
    try:
        from stub.make import make
    finally:
        sys.path.pop(0)
    make(str(folder), [node, "OTHER"])
    return folder / "nodes" / node


needs_powershell = unittest.skipUnless(POWERSHELL, "needs a PowerShell: DRYDOCK_PWSH, or pwsh on PATH")
