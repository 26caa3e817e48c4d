"""Going down, starting, and the restarts of an upgrade. A node that goes down loses every process and every volatile key."""

import json
import os
import shutil

from . import processes, registry
from .roles import NEW, OLD

# The builds on which upgrades end: those of release 2506 (Microsoft: Azure Local release information), 22H2 for completeness.
LANDING = {20349: 3692, NEW: 1665, 26100: 4349}
DISPLAY = {OLD: "22H2", NEW: "23H2", 26100: "24H2"}


class Power:
    def power_file(self, name):
        node = self.nodes[name]
        file = self.path(name, "power.json")
        with open(file + ".tmp", "w", encoding="utf-8") as out:
            json.dump({"state": "on" if node["on"] else "off", "boots": node["boots"], "boot_ms": node["boot_ms"]}, out)
        os.replace(file + ".tmp", file)

    def do_shutdown(self, node, args, local):
        """`shutdown.exe /r /t N`; the stub's seconds are as short as its pace."""
        me = self.nodes[node]
        if self.switches.strikes(node, "shutdown-refused"):
            self.refuse("5", "PermissionDenied", "Access is denied.(5)", 0x80070005)
        if me["shutdown"] is not None:
            self.refuse("1190", "ResourceBusy", "A system shutdown has already been scheduled.(1190)", 0x800704A6)
        me["shutdown"] = args.get("how", "restart")
        self.did(node, "ShutdownAsked", how=me["shutdown"], by=args.get("program"))
        wait = self.pace("shutdown") if args.get("seconds", 0) else self.pace("shutdown") // 2
        self.after(wait, "go_down", node=node, power=me["power"])
        return True

    def do_exit_with(self, node, args, local):
        self.nodes[node]["exit_code"] = args["code"]
        return True

    def do_exit_code(self, node, args, local):
        return self.nodes[node].get("exit_code", 0)

    def do_abort_shutdown(self, node, args, local):
        me = self.nodes[node]
        if me["shutdown"] is None:
            self.refuse("1116", "InvalidOperation", "Unable to abort the system shutdown because no shutdown was in progress.(1116)", 0x8007045C)
        me["shutdown"] = None
        self.state["events"] = [e for e in self.state["events"] if not (e["kind"] == "go_down" and e["node"] == node)]
        return True

    def on_go_down(self, event):
        name = event["node"]
        stays = self.nodes[name]["shutdown"] == "off"
        self.goes_down(name, True, stays)

    def goes_down(self, name, in_order, stays=False):
        node = self.nodes[name]
        if not node["on"]:
            return
        if node["upgrade"] is None:
            self.did(name, "WentDown", in_order=in_order)
            self.what_follows_the_restart(name, in_order)
        if in_order:
            self.leaves_in_order(name)
        node["on"] = False
        node["power"] += 1
        node["joined"] = False
        node["shutdown"] = None
        node["agent"]["operation"] = None
        for service in node["services"].values():
            service["status"] = "Stopped"
        for task in node["tasks"].values():
            if task["pid"] is not None:
                task["pid"], task["result"], task["ended"] = None, 0x40010004, True
        if node["drain"] == "InProgress":
            node["drain"], node["drain_error"] = "Failed", 5016
        self.power_file(name)
        processes.end(processes.of_node(self.folder, name))
        with registry.change(self.path(name, "registry.json")) as hives:
            hives.drop(registry.DRYDOCK + "\\Boot")
            hives.drop(registry.MO_SETUP)
        self.changed()
        if self.switches.strikes(name, "never-returns"):
            stays = True
        if not stays:
            usual = self.pace("upgrade_reboot") if node["upgrade"] else self.pace("reboot")
            self.after(self.dice.about("reboot", usual), "power_on", node=name, power=node["power"])

    def what_follows_the_restart(self, name, in_order):
        """What Windows will do with what is staged, at the restart that begins now."""
        node = self.nodes[name]
        staged = node["staged"]
        if staged is None:
            return
        if staged["media"] and not staged["entry"]:
            # Its boot entry was deleted. That Windows lets itself be cleaned like this is assumed, not documented.
            node["staged"] = None
            return
        operation = node["agent"]["operation"]
        committing = operation is not None and operation["what"] == "commit"
        if staged["committed"]:
            goes_on = True
        elif committing:
            # It went down in the middle of a commit: how far that came nobody can say.
            goes_on = self.dice.one_in("half-a-commit-goes-on", 2)
        elif staged["media"]:
            # Setup's /noreboot holds back its own first restart (Microsoft: Windows Setup command-line options); the next one in good order goes on
            # with the upgrade. Whether a crash does is not said.
            goes_on = in_order or self.dice.one_in("media-goes-on-after-crash", 2)
        else:
            goes_on = False
        if goes_on:
            rolls_back = self.switches.strikes(name, "rolls-back") or (staged["commits"] > 1 and self.dice.one_in("second-commit-spoils", 2))
            # A feature upgrade needs several restarts, how many differs.
            node["upgrade"] = {"build": staged["build"], "revision": staged["revision"], "left": 1 + self.dice.below("restarts", 2),
                               "rolls_back": rolls_back, "title": staged["title"]}
            node["staged"] = None
        else:
            # What was not committed is found on the old build, with this code (public notes on unattended in-place upgrades); whether a later commit
            # would still do is not documented.
            if not staged["media"]:
                self.history(name, staged["title"], 4, 0x80242014)
            if committing or self.dice.one_in("uncommitted-is-forgotten", 2):
                node["staged"] = None

    def on_power_on(self, event):
        name = event["node"]
        node = self.nodes[name]
        between = node["upgrade"] is not None and node["upgrade"]["left"] > 0
        # Between its restarts an upgrading node may answer for a while.
        shows = not between or self.dice.one_in("shows-between-restarts", 3)
        node["on"] = shows
        node["power"] += 1
        node["boots"] += 1
        node["boot_ms"] = self.now
        self.take_effect(name)
        for service in node["services"].values():
            # The cluster service comes up in its own time.
            if service["start"] == "Automatic" and service is not node["services"]["clussvc"]:
                service["status"] = "Running"
        if between:
            node["upgrade"]["left"] -= 1
            self.setup_shows(name, 50)
            self.power_file(name)
            wait = self.dice.about("upgrade-reboot", self.pace("upgrade_reboot"))
            self.after(wait, "go_down" if shows else "power_on", node=name, power=node["power"])
            return
        if node["upgrade"] is not None:
            self.upgrade_ends(name, node["upgrade"])
        else:
            self.pending(name, node["staged"] is not None)
        self.power_file(name)
        if node["services"]["clussvc"]["start"] != "Disabled":
            self.after(self.dice.about("service", self.pace("service")), "service_starts", node=name, power=node["power"])

    def take_effect(self, name):
        """Registry values are read at the start."""
        hives = registry.read(self.path(name, "registry.json"))
        self.nodes[name]["effective"] = {
            "refs": hives.get(registry.FILE_SYSTEM, "RefsEnableMetadataValidation"),
            "small": hives.get(registry.VID, "SkipSmallLocalAllocations"),
        }

    def upgrade_ends(self, name, upgrade):
        node = self.nodes[name]
        node["upgrade"] = None
        shutil.rmtree(self.path(name, "C", "$WINDOWS.~BT"), ignore_errors=True)
        self.pending(name, False)
        if upgrade["rolls_back"]:
            self.did(name, "RolledBack", build=node["build"])
            self.history(name, upgrade["title"], 4, 0xC1900101)
            return
        before = node["build"]
        node["build"], node["revision"] = upgrade["build"], upgrade["revision"]
        node["installed_ms"] = self.now
        self.history(name, upgrade["title"], 2, 0)
        node["agent"]["offers"] = [o for o in node["agent"]["offers"] if o["build"] > node["build"]]
        self.write_build(name)
        # The feature update empties this folder (public notes on unattended in-place upgrades).
        shutil.rmtree(self.path(name, "Windows", "Temp"), ignore_errors=True)
        os.makedirs(self.path(name, "Windows", "Temp"), exist_ok=True)
        if self.switches.strikes(name, "forgets"):
            with registry.change(self.path(name, "registry.json")) as hives:
                hives.drop(registry.DRYDOCK)
            shutil.rmtree(self.path(name, "ProgramData", "Drydock"), ignore_errors=True)
        if self.switches.strikes(name, "loses-values"):
            with registry.change(self.path(name, "registry.json")) as hives:
                (hives.key(registry.FILE_SYSTEM) or {}).get("values", {}).clear()
        # The scheduled task may be gone after the upgrade (public notes on unattended in-place upgrades).
        if self.dice.one_in("tasks-are-lost", 4):
            node["tasks"].clear()
        # A pause is documented to survive a restart (Microsoft: PauseClusterNode function); nothing says so of an upgrade.
        if node["paused"] and self.dice.one_in("pause-lost", 8):
            node["paused"], node["drain"], node["drives"] = False, "NotInitiated", "out"
            node["pause"] += 1
        self.did(name, "ChangedBuild", before=before, after=node["build"])
        # Asked for, and in effect before; otherwise ReFS volumes may not come online (Microsoft: Upgrade Azure Stack HCI OS via PowerShell).
        if node["effective"]["refs"] != 0 and self.dice.one_in("refs-stays-offline", 2):
            self.state["storage"]["refs_offline"] = True
            self.changed()

    def write_build(self, name):
        node = self.nodes[name]
        with registry.change(self.path(name, "registry.json")) as hives:
            for value in ("CurrentBuildNumber", "CurrentBuild"):
                hives.set(registry.CURRENT_VERSION, value, registry.text(str(node["build"])))
            hives.set(registry.CURRENT_VERSION, "UBR", registry.dword(node["revision"]))
            hives.set(registry.CURRENT_VERSION, "DisplayVersion", registry.text(DISPLAY.get(node["build"], "")))
            hives.set(registry.CURRENT_VERSION, "CurrentMajorVersionNumber", registry.dword(10))
            hives.set(registry.CURRENT_VERSION, "CurrentMinorVersionNumber", registry.dword(0))
            hives.set(registry.CURRENT_VERSION, "EditionID", registry.text("ServerAzureStackHCICor"))
            hives.set(registry.CURRENT_VERSION, "InstallationType", registry.text("Server Core"))
            hives.set(registry.CURRENT_VERSION, "ProductName", registry.text("Azure Stack HCI"))

    def on_service_starts(self, event):
        name = event["node"]
        node = self.nodes[name]
        node["services"]["clussvc"]["status"] = "Running"
        self.after(self.dice.about("join", self.pace("join")), "joins", node=name, power=node["power"])

    def on_joins(self, event):
        node = self.nodes[event["node"]]
        if node["services"]["clussvc"]["status"] == "Running" and not node["joined"]:
            node["joined"] = True
            node["cluster_build"] = node["build"]
            self.changed()

    # What a test does to a node from outside

    def act_crash(self, name, args):
        self.goes_down(name, False, args.get("stays", False))

    def act_crash_after(self, name, args):
        """The node crashes at the flush after `flushes` more of its scripts."""
        self.nodes[name]["crash_after"] = int(args.get("flushes", 0))

    def act_power_on(self, name, args):
        if not self.nodes[name]["on"]:
            self.after(0, "power_on", node=name, power=self.nodes[name]["power"])

    def act_pause(self, name, args):
        self.begin_pause(name, bool(args.get("drain", True)))

    def act_resume(self, name, args):
        self.resume(name, args.get("failback", "Immediate"))

    def act_replace(self, name, args):
        """Another machine under the same name: another UUID and member, no memory."""
        node = self.nodes[name]
        node["machine"] = self.dice.uuid("machine")
        node["member"] = str(100 + self.dice.below("member", 900))
        with registry.change(self.path(name, "registry.json")) as hives:
            hives.drop(registry.DRYDOCK)

    def act_registry(self, name, args):
        """What a person, a restored image or an upgrade does to the registry: {"key", "drop": true}, {"key", "unset": VALUE} or {"key", "values": {...}}."""
        with registry.change(self.path(name, "registry.json")) as hives:
            if args.get("drop"):
                hives.drop(args["key"])
            elif "unset" in args:
                (hives.key(args["key"]) or {}).get("values", {}).pop(args["unset"], None)
            else:
                hives.key(args["key"], make=True)
                for value, data in args["values"].items():
                    hives.set(args["key"], value, registry.text(data) if isinstance(data, str) else registry.dword(data))

    def act_set(self, name, args):
        """Sets fields of the node (or of the cluster) to what a test needs."""
        target = self.nodes[name] if name in self.nodes else self.state
        for field, value in args.items():
            *way, last = field.split(".")
            place = target
            for step in way:
                place = place[step]
            place[last] = value
        if name in self.nodes and {"build", "revision"} & set(args):
            self.write_build(name)
            self.nodes[name]["cluster_build"] = self.nodes[name]["build"]
        if name in self.nodes:
            self.power_file(name)
        self.changed()
