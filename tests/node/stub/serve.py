"""The one process that holds a cluster's state: it answers the nodes' processes, one line of JSON each way, and makes happen what is due.

Started by whoever first needs it, found through `platform.json` in the cluster's folder, ended when that folder is gone.
"""

import fcntl
import json
import os
import secrets
import selectors
import shutil
import socket
import subprocess
import sys
import time
import traceback

from . import processes
from .cluster import READS, Cluster, Refusal
from .environment import HERE

# How often it looks whether its folder is still there and whether programs have ended.
LOOK = 0.2
MOST_LINE = 4 << 20


def serve(folder):
    folder = os.path.abspath(folder)
    held = open(os.path.join(folder, "platform.lock"), "a+", encoding="utf-8")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another one holds it
    cluster = Cluster(folder)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    listener.setblocking(False)
    token = secrets.token_hex(16)
    here = {"port": listener.getsockname()[1], "token": token, "pid": os.getpid()}
    with open(os.path.join(folder, "platform.json.tmp"), "w", encoding="utf-8") as out:
        json.dump(here, out)
    os.replace(os.path.join(folder, "platform.json.tmp"), os.path.join(folder, "platform.json"))
    chooser = selectors.DefaultSelector()
    chooser.register(listener, selectors.EVENT_READ, None)
    heard = {}
    waiting = []
    while os.path.exists(cluster.file):
        if owner_gone(cluster):
            end(cluster)
            return
        due = cluster.next_due()
        wait = LOOK if due is None else max(0.0, min(LOOK, (due - cluster.now) / 1000))
        for key, _ in chooser.select(wait):
            if key.data is None:
                client, _ = listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                chooser.register(client, selectors.EVENT_READ, client)
                heard[client] = b""
                continue
            client = key.data
            try:
                data = client.recv(65536)
            except OSError:
                data = b""
            if not data or len(heard[client]) > MOST_LINE:
                chooser.unregister(client)
                client.close()
                del heard[client]
                continue
            heard[client] += data
            while b"\n" in heard.get(client, b""):
                line, _, heard[client] = heard[client].partition(b"\n")
                said = answered(cluster, token, line, lambda what, client=client: waiting.append((client, what)))
                if said is not None:
                    say(client, said)
        cluster.look_at_children()
        advanced(cluster)
        for client, what in list(waiting):
            held = cluster.holds(what)
            if held or cluster.now > what["until"]:
                waiting.remove((client, what))
                say(client, json.dumps({"ok": True, "value": held}).encode() + b"\n")


def say(client, line):
    try:
        client.settimeout(5)
        client.sendall(line)
    except OSError:
        pass  # its process may have been ended by its own call


def owner_gone(cluster):
    owner = cluster.state["made"].get("owner")
    return owner is not None and not os.path.exists(f"/proc/{owner}")


def end(cluster):
    """The process that made the cluster is gone: so is everything of it."""
    for name in cluster.nodes:
        processes.end(processes.of_node(cluster.folder, name))
    shutil.rmtree(cluster.folder, ignore_errors=True)


def advanced(cluster):
    due = cluster.next_due()
    if due is not None and due <= cluster.now:
        cluster.advance()
        if os.path.exists(cluster.file):
            cluster.save()


def answered(cluster, token, line, wait):
    """The answer, or None where it comes later."""
    request = {}
    try:
        request = json.loads(line)
        if request.get("token") != token:
            raise Refusal("OtherToken", "SecurityError", "not a process of this cluster")
        advanced(cluster)
        used = dict(cluster.state["used"])
        if request.get("act") == "wait":
            what = request.get("args") or {}
            wait({**what, "until": cluster.now + int(what.get("most_ms", 20_000))})
            return None
        args = request.get("args") or {}
        if "act" in request:
            value = acted(cluster, request["act"], request.get("node"), args)
        else:
            value = cluster.answer(request["node"], request["call"], args, request.get("cmdlet"), bool(request.get("local")), request.get("rights") == "reader")
        if request.get("call") not in READS and request.get("act") != "state" or cluster.state["used"] != used:
            cluster.save()
        told = {"ok": True, "value": value}
    except Refusal as refusal:
        cluster.save()
        told = {"ok": False, "error": refusal.told()}
    except Exception:  # noqa: BLE001 - a mistake of the stub must not look like a refusal of Windows
        told = {"ok": False, "error": {"id": "StubFailed", "category": "InvalidResult", "message": traceback.format_exc(limit=4), "hresult": 0, "kind": ""}}
    return json.dumps(told).encode() + b"\n"


def acted(cluster, act, node, args):
    """What only tests ask: the whole state, a blow from outside."""
    if act == "state":
        return cluster.state
    getattr(cluster, "act_" + act)(node, args)
    return True


def where(folder):
    try:
        with open(os.path.join(folder, "platform.json"), encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def start(folder):
    """Starts the platform, detached, without anything of a node in its environment."""
    env = {k: v for k, v in os.environ.items() if k not in ("DRYDOCK_NODE", "DRYDOCK_CLUSTER", "DRYDOCK_TASK")}
    env["PYTHONPATH"] = HERE
    env["PYTHONPYCACHEPREFIX"] = os.path.join(folder, "pycache")
    with open(os.path.join(folder, "platform.err"), "ab") as errors:
        subprocess.Popen([sys.executable, "-m", "stub", "serve", folder], env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors,
                         start_new_session=True)


def call(folder, request, patience=15.0):
    """One question, of a process that is not PowerShell."""
    until = time.monotonic() + patience
    asked = False
    while True:
        there = where(folder)
        try:
            if there is None:
                raise ConnectionRefusedError
            with socket.create_connection(("127.0.0.1", there["port"]), timeout=patience) as link:
                link.sendall(json.dumps({**request, "token": there["token"]}).encode() + b"\n")
                with link.makefile("rb") as file:
                    line = file.readline()
            if not line:
                raise ConnectionResetError("the platform ended")
            return json.loads(line)
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            if not asked:
                start(folder)
                asked = True
            time.sleep(0.02)
