"""`faults.json` and `pace.json` of a cluster's folder, read anew whenever they change."""

import json
import os

PACE = {
    "drain": 80, "migrate": 30, "download": 300, "install": 500, "setup": 800, "commit": 100, "shutdown": 1500, "reboot": 400,
    "upgrade_reboot": 300, "service": 100, "join": 80, "leave_maintenance": 80, "lull": 150, "repair": 300, "repair_most": 3000, "parts": 10,
}


class File:
    def __init__(self, path):
        self.path = path
        self.stamp = None
        self.value = {}

    def read(self):
        try:
            info = os.stat(self.path)
        except FileNotFoundError:
            self.stamp, self.value = None, {}
            return self.value
        stamp = (info.st_mtime_ns, info.st_size, info.st_ino)
        if stamp != self.stamp:
            try:
                with open(self.path, encoding="utf-8") as file:
                    self.value = json.load(file)
                self.stamp = stamp
            except ValueError:
                pass  # half written by a careless hand: the last good one holds until the next look
        return self.value


class Switches:
    """Faults: {"N01": {"drain-fails": 1, "deny": ["Get-ClusterNode"]}, "*": {...}, "drawn": {"pause-lost": 0}}.

    true means always, a number means the first so many times.
    """

    def __init__(self, folder, state):
        self.faults = File(os.path.join(folder, "faults.json"))
        self.paces = File(os.path.join(folder, "pace.json"))
        self.state = state

    def pace(self, what):
        return int(self.paces.read().get(what, PACE[what]))

    def drawn(self, question):
        return self.faults.read().get("drawn", {}).get(question)

    def value(self, node, fault):
        faults = self.faults.read()
        for whose in (node, "*"):
            value = faults.get(whose, {}).get(fault)
            if value is not None:
                return value
        return None

    def strikes(self, node, fault):
        """Whether a fault strikes now; one with a number is used up."""
        value = self.value(node, fault)
        if value is None or value is False:
            return False
        if value is True:
            return True
        used = self.state["used"]
        key = f"{node}/{fault}"
        if used.get(key, 0) >= int(value):
            return False
        used[key] = used.get(key, 0) + 1
        return True
