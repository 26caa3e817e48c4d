"""A node's registry file, changed from outside PowerShell: under the same lock, replaced in one step."""

import fcntl
import json
import os
from contextlib import contextmanager

MACHINE = "HKEY_LOCAL_MACHINE"
CURRENT_VERSION = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
FILE_SYSTEM = r"SYSTEM\CurrentControlSet\Control\FileSystem"
VID = r"SYSTEM\CurrentControlSet\Services\Vid\Parameters"
REBOOT_PENDING = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
UPDATE_REBOOT = r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired"
SERVICING = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Interface"
MO_SETUP = r"SYSTEM\Setup\MoSetup\Volatile"
DRYDOCK = r"SOFTWARE\Drydock"


def dword(number):
    return {"kind": "DWord", "data": number if number < 2**31 else number - 2**32}


def text(value):
    return {"kind": "String", "data": value}


class Registry:
    def __init__(self, root):
        self.root = root

    def key(self, path, make=False):
        node = self.root.setdefault("keys", {}).setdefault(MACHINE, {})
        for name in path.split("\\"):
            keys = node.setdefault("keys", {}) if make else node.get("keys", {})
            found = next((k for k in keys if k.lower() == name.lower()), None)
            if found is None:
                if not make:
                    return None
                keys[name] = {}
                found = name
            node = keys[found]
        return node

    def get(self, path, name):
        node = self.key(path)
        for value, stored in (node or {}).get("values", {}).items():
            if value.lower() == name.lower():
                return stored["data"]
        return None

    def set(self, path, name, value):
        values = self.key(path, make=True).setdefault("values", {})
        values[next((v for v in values if v.lower() == name.lower()), name)] = value

    def drop(self, path):
        parent, _, name = path.rpartition("\\")
        keys = (self.key(parent) or {}).get("keys", {})
        for key in [k for k in keys if k.lower() == name.lower()]:
            del keys[key]


def read(file):
    try:
        with open(file, encoding="utf-8") as source:
            return Registry(json.load(source))
    except FileNotFoundError:
        return Registry({})


@contextmanager
def change(file):
    with open(file + ".lock", "a+", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        registry = read(file)
        yield registry
        beside = f"{file}.{os.getpid()}.tmp"
        with open(beside, "w", encoding="utf-8") as out:
            json.dump(registry.root, out, indent=1)
        os.replace(beside, file)
