"""One stub cluster: its state, its time, and what is due. Everything that changes goes through here and is written down at once."""

import json
import os
import shutil
import time

from . import agent, members, power, processes, registry, rights, roles, services, storage, tasks
from .dice import Dice
from .switches import Switches


class Refusal(Exception):
    """What a cmdlet reports as its error."""

    def __init__(self, error_id, category, message, hresult=0, kind=""):
        super().__init__(message)
        self.error_id, self.category, self.message, self.hresult, self.kind = error_id, category, message, hresult, kind

    def told(self):
        return {"id": self.error_id, "category": self.category, "message": self.message, "hresult": self.hresult, "kind": self.kind}


# Calls that change nothing, so that nothing need be written down.
READS = frozenset("cluster storage host services tasks processes process_names events would_lose_quorum agent_search agent_history agent_poll agent_busy "
                  "agent_reboot_required agent_make boot_entries setup_code exit_code".split())


class Cluster(members.Members, roles.Roles, storage.Storage, power.Power, agent.Agent, services.Services, tasks.Tasks, rights.Rights):
    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.file = os.path.join(self.folder, "cluster.json")
        with open(self.file, encoding="utf-8") as source:
            self.state = json.load(source)
        self.switches = Switches(self.folder, self.state)
        self.dice = Dice(self.state, self.switches)
        self.children = {}

    @property
    def now(self):
        return int(time.time() * 1000)

    @property
    def nodes(self):
        return self.state["nodes"]

    def path(self, node, *more):
        return os.path.join(self.folder, "nodes", node, *more)

    def pace(self, what):
        return self.switches.pace(what)

    # Time

    def after(self, wait, kind, **what):
        self.state["events"].append({"at": self.now + wait, "kind": kind, **what})

    def next_due(self):
        return min((e["at"] for e in self.state["events"]), default=None)

    def advance(self):
        """Everything that is due happens, in order."""
        for _ in range(100_000):
            due = [e for e in self.state["events"] if e["at"] <= self.now]
            if not due:
                return
            event = min(due, key=lambda e: e["at"])
            self.state["events"].remove(event)
            self.happens(event)
        raise RuntimeError("the stub cluster makes events without end")

    def happens(self, event):
        kind = event["kind"]
        node = self.nodes.get(event.get("node"))
        # A number that is not the node's own any more makes an event void.
        if node and event.get("power", node["power"]) != node["power"]:
            return
        if node and event.get("pause", node["pause"]) != node["pause"]:
            return
        getattr(self, "on_" + kind)(event)

    def save(self):
        beside = self.file + ".tmp"
        with open(beside, "w", encoding="utf-8") as out:
            out.write(json.dumps(self.state))
        os.replace(beside, self.file)

    def did(self, node, what, **more):
        """What happened, for the tests to count."""
        self.state["effects"].append({"at": self.now, "node": node, "did": what, **more})

    def changed(self):
        """What follows from a change of members: votes, quorum, roles, storage."""
        self.count_quorum()
        self.place_roles()
        self.look_at_storage()

    def refuse(self, *what):
        raise Refusal(*what)

    # What tests wait for

    def holds(self, what):
        """{"field": "nodes.N01.drain", "in": [...]}, {"worker": "N01", "in": [...]}, {"doing": "N01", "in": [...]}, {"idle": "N01"} (no task runs) or
        {"settled": true}."""
        if "idle" in what:
            return all(t["pid"] is None for t in self.nodes[what["idle"]]["tasks"].values())
        if "worker" in what:
            return self.worker_state(what["worker"]) in what["in"]
        if "doing" in what:
            return any(state.get("doing") in what["in"] for _, state in self.works(what["doing"]))
        if what.get("settled"):
            return (self.disk_state()[1] == "Healthy" and not self.jobs() and not self.state["storage"]["stale"]
                    and all(n["drives"] == "out" and n["joined"] and not n["paused"] for n in self.nodes.values()))
        place = self.state
        for step in what["field"].split("."):
            place = place.get(step) if isinstance(place, dict) else None
        return place in what["in"]

    def works(self, name):
        """Values and state of everything that left files on a node, as far as both read."""
        root = self.path(name, "ProgramData", "Drydock")
        for folder in os.listdir(root) if os.path.isdir(root) else []:
            try:
                with open(os.path.join(root, folder, "state.json"), encoding="ascii") as file:
                    state = json.load(file)
                with open(os.path.join(root, folder, "values.json"), encoding="ascii") as file:
                    values = json.load(file)
            except (OSError, ValueError):
                continue
            yield values, state

    def worker_state(self, name):
        """What the newest state file of a worker says."""
        newest = None
        for values, state in self.works(name):
            if values.get("kind") == "install" and (newest is None or state["up"] >= newest["up"] or state["boot"] != newest["boot"]):
                newest = state
        return None if newest is None else newest["state"]

    def act_reset(self, node, args):
        """Everything as it was made, for the next test: memory, work, tasks, members, storage. What runs of tasks is ended; session hosts stay."""
        with open(os.path.join(self.folder, "fresh.json"), encoding="utf-8") as source:
            fresh = json.load(source)
        for name, now in self.nodes.items():
            processes.end([t["pid"] for t in now["tasks"].values() if t["pid"] is not None])
            processes.end([now["setup"]["pid"]] if now["setup"] else [])
            shutil.rmtree(self.path(name, "ProgramData", "Drydock"), ignore_errors=True)
            shutil.rmtree(self.path(name, "C", "$WINDOWS.~BT"), ignore_errors=True)
            with registry.change(self.path(name, "registry.json")) as hives:
                hives.drop(registry.DRYDOCK)
                hives.drop(registry.MO_SETUP)
                hives.drop(registry.FILE_SYSTEM)
                hives.drop(registry.VID)
                hives.key(registry.FILE_SYSTEM, make=True)
                hives.key(registry.VID, make=True)
            # Its boot is its own: a session host that outlives the test belongs to it.
            for kept in ("boots", "boot_ms", "power"):
                fresh["nodes"][name][kept] = now[kept]
        fresh["asked"], fresh["seed"] = self.state["asked"], int(args.get("seed", fresh["seed"]))
        self.state.clear()
        self.state.update(fresh)
        for name in self.nodes:
            self.pending(name, False)
            self.write_build(name)
            self.power_file(name)

    # Requests

    def answer(self, node, call, args, cmdlet=None, local=False, reader=False):
        """One call of one node's process. `local` is a process that no network logon started: a task. `reader` is one of an account without rights."""
        me = self.nodes[node]
        if not me["on"]:
            self.refuse("NodeIsOff", "ConnectionError", f"{node} is off")
        if cmdlet and cmdlet in (self.switches.value(node, "deny") or []):
            self.denied(cmdlet)
        if cmdlet and cmdlet in (self.switches.value(node, "fail") or {}):
            self.refuse(*self.switches.value(node, "fail")[cmdlet])
        handler = getattr(self, "do_" + call, None)
        if handler is None:
            self.refuse("NoSuchCall", "InvalidOperation", f"the stub platform knows no call {call}")
        if not reader:
            return handler(node, args, local)
        self.look_at_rights(node, call, args, cmdlet)
        return self.seen_by_reader(call, handler(node, args, local))

    def denied(self, cmdlet):
        if "-Cluster" in cmdlet:
            self.refuse("ClusterAccessDenied", "AuthenticationError",
                        "You do not have administrative privileges on the cluster. Contact your network administrator to request access. Access is denied",
                        0x80070005)
        if "Service" in cmdlet:
            self.refuse("CouldNotAccessService", "PermissionDenied", "Access is denied", 0x80070005)
        self.refuse("HRESULT 0x80070005", "PermissionDenied", "Access is denied.", 0x80070005)
