"""The processes of a node: those with its name and cluster in their environment."""

import os
import signal


def _environment(pid):
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = file.read().split(b"\0")
    except OSError:
        return {}
    return dict(p.split(b"=", 1) for p in pairs if b"=" in p)


def of_node(folder, node):
    """The ids of the processes of one node of one cluster."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            its = _environment(entry)
            if its.get(b"DRYDOCK_NODE") == node.encode() and its.get(b"DRYDOCK_CLUSTER") == folder.encode():
                found.append(int(entry))
    return found


def belongs(pid, folder, node):
    its = _environment(pid)
    return its.get(b"DRYDOCK_NODE") == node.encode() and its.get(b"DRYDOCK_CLUSTER") == folder.encode()


def facts(pid):
    """What Win32_Process tells of it; None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            stat = file.read()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = [w.decode("utf-8", "replace") for w in file.read().split(b"\0") if w]
    except OSError:
        return None
    after = stat.rpartition(")")[2].split()
    if after[0] == "Z":
        return None
    with open("/proc/stat", encoding="utf-8") as file:
        booted = next(int(line.split()[1]) for line in file if line.startswith("btime"))
    began_ms = booted * 1000 + int(after[19]) * 1000 // os.sysconf("SC_CLK_TCK")
    # A script's process bears its interpreter's name; Windows would show the program's.
    name = next((os.path.basename(w) for w in words if w.lower().endswith(".exe")), os.path.basename(words[0]) if words else "?")
    if name == "pwsh":
        name = "powershell.exe"
    return {"pid": int(pid), "parent": int(after[1]), "name": name, "line": " ".join(words), "began_ms": began_ms}


def end(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
