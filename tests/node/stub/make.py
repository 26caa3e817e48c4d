"""A new stub cluster in a folder: its state, each node's registry, programs and modules."""

import json
import os
import random
import shutil
import time

from . import environment, registry
from .dice import Dice
from .power import DISPLAY, LANDING

TITLES = {25398: "Feature update to Azure Stack HCI, version 23H2", 26100: "Feature update to Azure Stack HCI, version 24H2"}
SERVICES = {
    "clussvc": ("Cluster Service", "Running", "Automatic"), "wuauserv": ("Windows Update", "Running", "Manual"),
    "WinRM": ("Windows Remote Management (WS-Management)", "Running", "Automatic"), "sshd": ("OpenSSH SSH Server", "Stopped", "Manual"),
    "vmms": ("Hyper-V Virtual Machine Management", "Running", "Automatic"), "Schedule": ("Task Scheduler", "Running", "Automatic"),
    "UsoSvc": ("Update Orchestrator Service", "Running", "Automatic"), "EventLog": ("Windows Event Log", "Running", "Automatic"),
    "healthservice": ("Health Service", "Running", "Automatic"), "TrustedInstaller": ("Windows Modules Installer", "Stopped", "Manual"),
}
PROGRAMS = ("shutdown.exe", "UsoClient.exe", "bcdedit.exe")


class Fixed:
    """No switches yet."""

    def drawn(self, question):
        return None


def make(folder, nodes, seed=0, name="cluster", build="20349.3692", roles=2, role_mib=4096, node_mib=65536, witness="File Share Witness", drives=4,
         disks=("Volume01", "Volume02"), pwsh=None, owner=None):
    folder = os.path.abspath(folder)
    os.makedirs(os.path.join(folder, "nodes"), exist_ok=True)
    family, revision = (int(part) for part in build.split("."))
    state = {"seed": seed, "asked": {}, "used": {}, "name": name, "made": {"python": environment.python(), "pwsh": pwsh or os.environ.get("DRYDOCK_PWSH")
             or shutil.which("pwsh") or "pwsh", "owner": owner}}
    dice = Dice(state, Fixed())
    now = int(time.time() * 1000)
    state["id"] = dice.uuid("cluster")
    state["level"] = {"functional": 11, "upgrade": 32773} if family < 25398 else {"functional": 12, "upgrade": 32772 if family < 26100 else 32774}
    state["witness"] = {"kind": witness or None, "online": bool(witness), "vote": 0}
    state["formed"] = True
    state["node_mib"] = node_mib
    state["azure"] = {"ClusterStatus": "Clustered", "RegistrationStatus": "Registered", "ConnectionStatus": "Connected", "stamp": False}
    state["storage"] = {"disks": list(disks), "drives": drives, "stale": {}, "repair": None, "number": 0, "lists_suspended": False, "reads_degraded": False,
                        "refs_offline": False, "unavailable": False, "pool_version": 24 if family < 25398 else 28}
    state["events"], state["effects"] = [], []
    state["roles"] = []
    for i, (group, kind) in enumerate([("Cluster Group", "Cluster"), ("Cluster Pool 1", "ClusterStoragePool"),
                                       *((f"csv-{d}", "ClusterSharedVolume") for d in disks)]):
        owner = nodes[i % len(nodes)]
        state["roles"].append({"name": group, "id": dice.uuid("group"), "kind": kind, "mib": 0, "home": owner, "on": owner})
    state["roles"].append({"name": "Available Storage", "id": dice.uuid("group"), "kind": "AvailableStorage", "mib": 0, "home": nodes[0], "on": nodes[0],
                           "state": "Offline"})
    for i in range(roles):
        for node in nodes:
            state["roles"].append({"name": f"vm-{node}-{i + 1}", "id": dice.uuid("vm"), "kind": "VirtualMachine", "mib": role_mib, "home": node, "on": node})
    offers = [{"title": TITLES[b], "id": dice.uuid("update"), "build": b, "revision": LANDING[b], "optional": True, "category": "Upgrades"}
              for b in (25398,) if b > family]
    # As dynamic quorum has it while all are there: the witness' vote keeps the total odd.
    state["witness"]["vote"] = int(bool(witness) and len(nodes) % 2 == 0)
    state["nodes"] = {}
    for number, node in enumerate(nodes, 1):
        # Up for some days, as machines in service are.
        booted = now - 86_400_000 * (1 + dice.below("uptime", 30))
        state["nodes"][node] = {
            # A machine's UUID is unlike any other's, also of another cluster of the same seed: it names a mutex of this machine.
            "machine": f"{random.SystemRandom().getrandbits(32):08x}-{dice.uuid('machine')[9:]}", "member": str(number), "instance": dice.uuid("instance"),
            "on": True, "power": 0, "boots": 1, "boot_ms": booted, "build": family, "revision": revision, "cluster_build": family,
            "installed_ms": booted - 86_400_000 * 200, "joined": True, "paused": False, "pause": 0, "drain": "NotInitiated", "drain_error": 0,
            "vote": int(bool(witness) or len(nodes) % 2 == 1 or number < len(nodes)),
            "drives": "out", "shutdown": None, "staged": None, "upgrade": None, "setup": None, "effective": {"refs": None, "small": None},
            "services": {s: {"display": d, "status": st, "start": ty} for s, (d, st, ty) in SERVICES.items()}, "tasks": {}, "log": [],
            "bitlocker": {"protection": "Off", "volume": "FullyDecrypted"},
            "agent": {"offers": [dict(o) for o in offers], "downloaded": [], "operation": None, "number": 0, "history": []},
        }
    with open(os.path.join(folder, "cluster.json"), "w", encoding="utf-8") as out:
        json.dump(state, out, indent=1)
    shutil.copyfile(os.path.join(folder, "cluster.json"), os.path.join(folder, "fresh.json"))
    for node in nodes:
        furnish(folder, node, state)
        media(os.path.join(folder, "nodes", node, "C", "Media"), 25398)


def furnish(folder, node, state):
    """The folders of one node."""
    home = os.path.join(folder, "nodes", node)
    for part in ("ProgramData", "C", "Modules", "Windows/System32", "Windows/Temp"):
        os.makedirs(os.path.join(home, part), exist_ok=True)
    for program in PROGRAMS:
        os.symlink(os.path.join(environment.HERE, "bin", program), os.path.join(home, "Windows", "System32", program))
    pwsh = shutil.which(state["made"]["pwsh"]) or state["made"]["pwsh"]
    os.symlink(pwsh, os.path.join(home, "Windows", "System32", "powershell.exe"))
    # By the path that Windows has it at, too.
    shell = os.path.join(home, "Windows", "System32", "WindowsPowerShell", "v1.0")
    os.makedirs(shell)
    os.symlink(pwsh, os.path.join(shell, "powershell.exe"))
    for module in os.listdir(environment.LIBRARY):
        os.symlink(os.path.join(environment.LIBRARY, module), os.path.join(home, "Modules", module))
    it = state["nodes"][node]
    with registry.change(os.path.join(home, "registry.json")) as hives:
        for path in (registry.FILE_SYSTEM, registry.VID, registry.SERVICING, registry.REBOOT_PENDING.rpartition("\\")[0],
                     registry.UPDATE_REBOOT.rpartition("\\")[0], r"SYSTEM\Setup"):
            hives.key(path, make=True)
        for value, text in (("CurrentBuildNumber", str(it["build"])), ("CurrentBuild", str(it["build"])), ("EditionID", "ServerAzureStackHCICor"),
                            ("InstallationType", "Server Core"), ("ProductName", "Azure Stack HCI"), ("DisplayVersion", DISPLAY.get(it["build"], ""))):
            hives.set(registry.CURRENT_VERSION, value, registry.text(text))
        for value, number in (("UBR", it["revision"]), ("CurrentMajorVersionNumber", 10), ("CurrentMinorVersionNumber", 0)):
            hives.set(registry.CURRENT_VERSION, value, registry.dword(number))
    with open(os.path.join(home, "power.json"), "w", encoding="utf-8") as out:
        json.dump({"state": "on", "boots": 1, "boot_ms": it["boot_ms"]}, out)


def media(folder, build):
    """What an administrator copied from the ISO: setup.exe and an install.wim with several images of one edition."""
    os.makedirs(os.path.join(folder, "sources"), exist_ok=True)
    os.symlink(os.path.join(environment.HERE, "bin", "setup.exe"), os.path.join(folder, "setup.exe"))
    images = [
        {"ImageIndex": 1, "ImageName": "Azure Stack HCI (Desktop Experience)", "EditionId": "ServerAzureStackHCICor", "InstallationType": "Server"},
        {"ImageIndex": 2, "ImageName": "Azure Stack HCI", "EditionId": "ServerAzureStackHCICor", "InstallationType": "Server Core"},
    ]
    for image in images:
        image.update({"Version": f"10.0.{build}.{LANDING[build]}", "Languages": ["en-US"], "ImageSize": 12_000_000_000, "Architecture": 9})
    with open(os.path.join(folder, "sources", "install.wim"), "w", encoding="utf-8") as out:
        json.dump(images, out, indent=1)
