"""A real sshd on loopback in front of one stub node. Needs openssh-server.

    sshd.py run FOLDER --node NODE1 [--cluster CLUSTER] [--address 127.0.0.2] [--port 0]

Runs until SIGTERM; prints one JSON line when the port is open. Whatever a client asks to run goes through this file's `exec`, which does what cmd.exe
on a node would: the PowerShell that DRYDOCK_PWSH names, in the node's environment. Without power the port is closed and every session is dead.

FOLDER gets: client, client-rsa (keys that may log on), stranger (one that may not), known_hosts (right), known_hosts.wrong (another key for this address),
and sessions, a line for every session that began.
"""

import argparse
import asyncio
import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from winrm_server.commandline import Builtin, through_cmd, unknown  # noqa: E402
from winrm_server.node import Node, reserved  # noqa: E402

LOOK = 0.1


def program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        sys.exit(f"{name} is not there (Debian: openssh-server)")
    return found


def key(file: Path, kind: str) -> None:
    if not file.exists():
        subprocess.run([program("ssh-keygen"), "-q", "-t", kind, "-N", "", "-C", file.name, "-f", str(file)], check=True)


def configure(folder: Path, options: argparse.Namespace, port: int) -> None:
    for name, kind in {"host": "ed25519", "other-host": "ed25519", "client": "ed25519", "client-rsa": "rsa", "stranger": "ed25519"}.items():
        key(folder / name, kind)
    public = {name: (folder / f"{name}.pub").read_text() for name in ("host", "other-host", "client", "client-rsa")}
    (folder / "authorized_keys").write_text(public["client"] + public["client-rsa"])
    for file, host in {"known_hosts": "host", "known_hosts.wrong": "other-host"}.items():
        (folder / file).write_text(f"[{options.address}]:{port} {public[host]}")
    (folder / "node.json").write_text(json.dumps({
        "node": options.node, "cluster": str(options.cluster.resolve()) if options.cluster else None,
        "pwsh": os.environ.get("DRYDOCK_PWSH"), "path": os.environ.get("PATH", "")}))
    force = f"{sys.executable} {Path(__file__).resolve()} exec {folder}"
    (folder / "sshd_config").write_text("\n".join([
        f"ListenAddress {options.address}:{port}", f"HostKey {folder}/host", f"AuthorizedKeysFile {folder}/authorized_keys", f"PidFile {folder}/sshd.pid",
        "StrictModes no", "PermitRootLogin prohibit-password", "PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no",
        "AllowTcpForwarding no", "X11Forwarding no", "PermitTTY no", "PrintMotd no", "UseDNS no", "MaxStartups 200:30:400", "MaxSessions 20",
        f"ForceCommand {force}", ""]))


def descendants(root: int) -> list[int]:
    """All living processes below one, by /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError, ValueError):
                continue
    found, level = [], {root}
    while level:
        level = {process for process, parent in parents.items() if parent in level} - set(found)
        found += sorted(level)
    return found


def open_port(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
        return True
    except OSError:
        return False


def end(server: subprocess.Popen) -> None:
    """The listener first, so that no new session comes; then the sessions, all at once, as a loss of power ends them."""
    below = descendants(server.pid)
    server.kill()
    for process in below:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass
    server.wait()


def run(options: argparse.Namespace) -> None:
    folder: Path = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not options.address.startswith("127."):
        sys.exit(f"{options.address} is no loopback address")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd separates privileges there and does not make it itself
    holder = reserved(options.address, options.port)
    port = holder.getsockname()[1]
    configure(folder, options, port)
    node = Node(options.node, options.cluster.resolve() if options.cluster else None)
    stopped = False

    def stop(*_):
        nonlocal stopped
        stopped = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server, told, parent = None, False, os.getppid()
    while not stopped and not (options.with_parent and os.getppid() != parent):
        power = node.has_power()
        if server is not None and not power:
            end(server)
            server = None
        if server is None and power:
            with open(folder / "sshd.log", "ab") as log:
                server = subprocess.Popen([program("sshd"), "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
            began = time.monotonic()
            while not open_port(options.address, port):
                if server.poll() is not None or time.monotonic() - began > 20:
                    sys.exit(f"sshd does not answer: {(folder / 'sshd.log').read_text()[-500:]}")
                time.sleep(0.02)
        if server is not None and server.poll() is not None:
            sys.exit(f"sshd ended: {(folder / 'sshd.log').read_text()[-500:]}")
        if not told:
            told = True
            print(json.dumps({"ready": True, "pid": os.getpid(), "node": options.node, "address": options.address, "port": port, "user": getpass.getuser(),
                              "key": str(folder / "client"), "knownHosts": str(folder / "known_hosts")}), flush=True)
        time.sleep(LOOK)
    if server is not None:
        end(server)


def execute(folder: Path) -> None:
    """One session's command: becomes the program, so that sshd holds its input and output and passes its exit code on."""
    told = json.loads((folder / "node.json").read_text())
    if told["pwsh"]:
        os.environ["DRYDOCK_PWSH"] = told["pwsh"]
    os.environ["PATH"] = told["path"]
    with open(folder / "sessions", "a") as sessions:
        sessions.write(f"{os.getpid()}\n")
    node = Node(told["node"], Path(told["cluster"]) if told["cluster"] else None)
    environment = asyncio.run(node.environment())
    line = os.environ.get("SSH_ORIGINAL_COMMAND", "")
    environment.pop("SSH_ORIGINAL_COMMAND", None)
    found = through_cmd(line)
    if isinstance(found, list):
        words = node.program(found[0], environment.get("PATH"))
        if words is not None:
            os.execve(words[0], words + found[1:], environment)
        found = unknown(found[0])
    answer: Builtin = found
    (sys.stderr if answer.error else sys.stdout).write(answer.output)
    sys.exit(answer.exit_code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    begin = verbs.add_parser("run")
    begin.add_argument("folder", type=Path)
    begin.add_argument("--node", required=True)
    begin.add_argument("--cluster", type=Path)
    begin.add_argument("--address", default="127.0.0.1")
    begin.add_argument("--port", type=int, default=0)
    begin.add_argument("--with-parent", action="store_true", help="end when the process that started it is gone")
    verbs.add_parser("exec").add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.verb == "run":
        run(options)
    else:
        execute(options.folder)


if __name__ == "__main__":
    main()
