"""Windows Update's agent and Windows Setup of a node.

Microsoft: Windows Update Agent API (Using WUA From a Remote Computer; IUpdateInstaller4::Commit; WUA Networking, Success and Error Codes), Windows Setup
command-line options, Windows upgrade error codes; and public notes on unattended in-place upgrades.
"""

import os
import re

from . import processes, registry
from .roles import NEW

UPGRADES = "3689bdc8-b205-4af4-8d4a-a63924c5e9d5"
LANDING = {NEW: 1665, 26100: 4349}


class Agent:
    def agent_of(self, node):
        return self.nodes[node]["agent"]

    def history(self, name, title, code, hresult, update=""):
        if update == "":
            update = next((o["id"] for o in self.agent_of(name)["offers"] if o["title"] == title), "")
        self.agent_of(name)["history"].insert(0, {"title": title, "id": update, "code": code, "hresult": hresult, "at": self.now})

    def pending(self, name, on):
        with registry.change(self.path(name, "registry.json")) as hives:
            for key in (registry.REBOOT_PENDING, registry.UPDATE_REBOOT):
                if on:
                    hives.key(key, make=True)
                else:
                    hives.drop(key)

    def is_pending(self, name):
        return registry.read(self.path(name, "registry.json")).key(registry.UPDATE_REBOOT) is not None

    def setup_shows(self, name, percent):
        with registry.change(self.path(name, "registry.json")) as hives:
            if percent is None:
                hives.drop(registry.MO_SETUP)
            else:
                hives.set(registry.MO_SETUP, "SetupProgress", registry.dword(percent))

    def panther(self, name, *lines):
        folder = self.path(name, "C", "$WINDOWS.~BT", "Sources", "Panther")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "setupact.log"), "a", encoding="utf-8") as log:
            log.writelines(line + "\n" for line in lines)

    def hresult(self, code, message=""):
        category = "PermissionDenied" if code == 0x80070005 else "NotSpecified"
        self.refuse(f"HRESULT 0x{code:08X}", category, message or f"Exception from HRESULT: 0x{code:08X}", code)

    def spoiled(self, node, what):
        """The switch `agent` answers an HRESULT: {"Install": "0x80240016"}."""
        code = (self.switches.value(node, "agent") or {}).get(what)
        if code is not None:
            self.hresult(int(str(code), 0))

    def local_only(self, local):
        if not local:
            self.hresult(0x80070005, "Access is denied. (Exception from HRESULT: 0x80070005 (E_ACCESSDENIED))")

    # The agent's objects, as the seam calls them

    def do_agent_make(self, node, args, local):
        """Creating an object. Downloader, installer and SystemInfo are not to be had remotely."""
        self.spoiled(node, "Create" + args["what"])
        if args["what"] != "Searcher":
            self.local_only(local)
        return True

    def do_agent_search(self, node, args, local):
        """`or` at the top level only, `and` inside; a search that names no DeploymentAction means Installation (Microsoft: IUpdateSearcher::Search)."""
        self.spoiled(node, "Search")
        criteria = args["criteria"]
        online = bool(args.get("online", True))
        if "(" in criteria or self.switches.value(node, "no-optional-criterion") and "OptionalInstallation" in criteria:
            self.hresult(0x80240032)
        groups = [[self.criterion(text) for text in re.split(r"\s+and\s+", group, flags=re.IGNORECASE)]
                  for group in re.split(r"\s+or\s+", criteria.strip(), flags=re.IGNORECASE)]
        if online and self.switches.value(node, "no-network"):
            # WU_E_NO_CONNECTION
            self.hresult(0x8024001F)
        if not online and self.switches.value(node, "nothing-cached"):
            return []
        shown = [self.shown(node, o) for o in self.agent_of(node)["offers"]]
        return [o for o in shown if any(self.fits(o, group) for group in groups)]

    def criterion(self, text):
        """One comparison: name, operator, value. What is none is WU_E_INVALID_CRITERIA."""
        found = re.fullmatch(r"\s*(\w+)\s*(!=|=|\s+contains\s+)\s*(?:'([^']*)'|([01]))\s*", text, re.IGNORECASE)
        if found is None:
            self.hresult(0x80240032)
        name, how, value = found[1].lower(), found[2].strip().lower(), (found[3] if found[3] is not None else found[4]).lower()
        known = {"type": "text", "updateid": "text", "deploymentaction": "text", "categoryids": "set", "isinstalled": "bit", "ishidden": "bit", "isassigned": "bit",
                 "browseonly": "bit", "rebootrequired": "bit"}.get(name)
        quoted = found[3] is not None
        fits = known is not None and (how == "contains") == (known == "set") and quoted == (known != "bit") and (how != "!=" or name in ("type", "updateid"))
        if not fits:
            self.hresult(0x80240032)
        return name, how, value

    def fits(self, offer, group):
        optional, waits = offer["optional"], offer["reboot_required"]
        has = {"type": "software", "updateid": offer["id"].lower(), "deploymentaction": "optionalinstallation" if optional else "installation",
               "categoryids": offer["category_id"], "isinstalled": str(int(offer["installed"])), "ishidden": "0", "isassigned": str(int(not optional)),
               "browseonly": str(int(optional)), "rebootrequired": str(int(waits))}
        named = {name for name, _, _ in group}
        # What only a newer agent tells by DeploymentAction an older one tells by BrowseOnly.
        if not named & {"deploymentaction", "browseonly"} and optional:
            return False
        if "isinstalled" not in named and offer["installed"]:
            return False
        return all((has[name] == value) == (how != "!=") for name, how, value in group)

    def shown(self, node, offer):
        it = self.nodes[node]
        staged = it["staged"] if it["staged"] is not None and it["staged"]["id"] == offer["id"] else None
        return {**offer, "downloaded": offer["id"] in it["agent"]["downloaded"], "category_id": UPGRADES, "reboot_required": staged is not None,
                "installed": staged is not None and bool(staged.get("installed"))}

    def do_agent_begin(self, node, args, local):
        """Download, Install or Commit begins; the caller asks for its end."""
        what = args["what"]
        self.spoiled(node, what.capitalize())
        self.local_only(local)
        it = self.nodes[node]
        agent = it["agent"]
        offers = [o for o in agent["offers"] if o["id"] in args["ids"]]
        if not args["ids"]:
            self.hresult(0x80240004 if what == "commit" else 0x80240024)
        if len(offers) != len(args["ids"]):
            self.hresult(0x80240017)
        if what == "commit":
            return self.begin_commit(node, offers, args)
        if agent["operation"] is not None and processes.belongs(agent["operation"]["pid"], self.folder, node):
            self.hresult(0x80240009)
        if what == "install":
            if self.is_pending(node):
                self.hresult(0x80240016)
            self.did(node, "InstallBegan", media=False)
            it["staged"] = None
            self.setup_shows(node, 0)
        return self.operate(node, what, offers, args["pid"])

    def begin_commit(self, node, offers, args):
        it = self.nodes[node]
        self.did(node, "Committed")
        if it["staged"] is not None:
            it["staged"]["commits"] += 1
        return self.operate(node, "commit", offers, args["pid"])

    def operate(self, node, what, offers, pid):
        agent = self.agent_of(node)
        agent["number"] += 1
        agent["operation"] = {"what": what, "number": agent["number"], "ids": [o["id"] for o in offers], "part": 0, "pid": pid, "result": None}
        self.next_part(node)
        return agent["number"]

    def next_part(self, node):
        operation = self.agent_of(node)["operation"]
        wait = self.dice.about(operation["what"], max(1, self.pace(operation["what"]) // self.pace("parts")))
        self.after(wait, "operation", node=node, power=self.nodes[node]["power"], number=operation["number"])

    def on_operation(self, event):
        name = event["node"]
        it = self.nodes[name]
        operation = it["agent"]["operation"]
        if operation is None or operation["number"] != event["number"]:
            return
        # What an operation of the agent does when its caller dies is not documented; here it ends, except for a commit.
        if not processes.belongs(operation["pid"], self.folder, name) and operation["what"] != "commit":
            it["agent"]["operation"] = None
            self.setup_shows(name, None)
            return
        operation["part"] += 1
        parts = self.pace("parts")
        if operation["what"] == "install":
            self.setup_shows(name, min(99, operation["part"] * 100 // parts))
        if operation["part"] >= parts:
            self.operation_ends(name, operation)
        else:
            self.next_part(name)

    def operation_ends(self, name, operation):
        it = self.nodes[name]
        agent = it["agent"]
        what = operation["what"]
        offer = next((o for o in agent["offers"] if o["id"] in operation["ids"]), None)
        result = {"code": 2, "hresult": 0, "reboot": False}
        failing = (self.switches.value(name, "agent-result") or {}).get(what)
        if failing is not None:
            result = {"code": 4, "hresult": int(str(failing), 0), "reboot": False}
        elif what == "download":
            agent["downloaded"] = sorted(set(agent["downloaded"]) | set(operation["ids"]))
        elif what == "install":
            it["staged"] = {"build": offer["build"], "revision": offer["revision"], "media": False, "committed": False, "commits": 0, "entry": None,
                            "id": offer["id"], "title": offer["title"],
                            # Whether what waits for its commit counts as installed is not documented.
                            "installed": self.dice.one_in("staged-counts-as-installed", 2)}
            # Whether the agent itself asks for a restart after staging is a property of the update: a feature update does.
            result["reboot"] = True
            self.panther(name, "Finalize: Reporting result value: [0x0]")
            self.pending(name, True)
        elif what == "commit" and it["staged"] is not None:
            it["staged"]["committed"] = True
        if what == "install":
            self.setup_shows(name, None)
            self.history(name, offer["title"], result["code"], result["hresult"])
            if failing is not None and self.switches.value(name, "failure-leaves-pending"):
                self.pending(name, True)
        operation["result"] = result

    def do_agent_poll(self, node, args, local):
        operation = self.agent_of(node)["operation"]
        if operation is None or operation["number"] != args["number"]:
            self.hresult(0x8024000B)
        return {"result": operation["result"], "percent": operation["part"] * 100 // self.pace("parts")}

    def do_agent_finish(self, node, args, local):
        agent = self.agent_of(node)
        if agent["operation"] is not None and agent["operation"]["number"] == args["number"]:
            agent["operation"] = None
        return True

    def do_agent_history(self, node, args, local):
        self.spoiled(node, "QueryHistory")
        return self.agent_of(node)["history"]

    def do_agent_reboot_required(self, node, args, local):
        self.local_only(local)
        return self.is_pending(node)

    def do_agent_busy(self, node, args, local):
        self.local_only(local)
        operation = self.agent_of(node)["operation"]
        return operation is not None and operation["result"] is None

    # Windows Setup from media

    def do_setup_begin(self, node, args, local):
        """`setup.exe` with its options; answers an exit code to end with at once, or nothing and works."""
        it = self.nodes[node]
        options, images = args["options"], args["images"]
        has = lambda name, value=None: name in options and (value is None or str(options[name]).lower() == value)  # noqa: E731
        self.did(node, "SetupBegan", options=options)
        if not has("auto", "upgrade") or "quiet" not in options or "unattend" in options:
            return {"code": 0xC1900204}
        if not has("eula", "accept"):
            return {"code": 0xC190010E}
        if it["agent"]["operation"] is not None or it["setup"] is not None:
            return {"code": 0x80070020}
        if self.is_pending(node):
            return {"code": 0xC1900107}
        index = int(options.get("imageindex") or 0)
        image = next((i for i in images if i["ImageIndex"] == index), images[0] if len(images) == 1 else None)
        if image is None:
            # Several images of one edition, and none chosen.
            return {"code": 0xC1900215}
        failing = self.switches.value(node, "setup-fails")
        if failing and "at-once" in str(failing):
            return {"code": 0xC1900208}
        build = int(str(image["Version"]).split(".")[2])
        it["setup"] = {"pid": args["pid"], "part": 0, "build": build, "noreboot": "noreboot" in options, "code": None}
        it["staged"] = None
        self.setup_shows(node, 0)
        self.panther(node, "Setup phase change: [SetupPhaseUnknown] -> [SetupPhasePrepare]")
        self.did(node, "InstallBegan", media=True)
        self.after(max(1, self.pace("setup") // self.pace("parts")), "setup", node=node, power=it["power"])
        return {"code": None}

    def on_setup(self, event):
        name = event["node"]
        it = self.nodes[name]
        setup = it["setup"]
        if setup is None:
            return
        if not processes.belongs(setup["pid"], self.folder, name):
            # Setup was ended from outside.
            it["setup"] = None
            self.setup_shows(name, None)
            return
        setup["part"] += 1
        failing = self.switches.value(name, "setup-fails")
        if failing and setup["part"] * 2 >= self.pace("parts"):
            return self.setup_ends(name, int(str(failing), 0) if failing is not True else 0xC1900101)
        if setup["part"] < self.pace("parts"):
            self.setup_shows(name, setup["part"] * 100 // self.pace("parts"))
            return self.after(self.dice.about("setup", max(1, self.pace("setup") // self.pace("parts"))), "setup", node=name, power=it["power"])
        it["staged"] = {"build": setup["build"], "revision": LANDING.get(setup["build"], 1), "media": True, "committed": False, "commits": 0,
                        "entry": "{" + self.dice.uuid("boot-entry") + "}", "id": "", "title": "Windows Setup"}
        self.panther(name, "Finalize: Reporting result value: [0x0]")
        # Whether setup from media marks a pending restart is not documented.
        self.pending(name, self.dice.one_in("media-marks-pending", 2))
        # What it answers on success is not documented.
        self.setup_ends(name, 3010 if self.dice.one_in("setup-answers-3010", 2) else 0)

    def setup_ends(self, name, code):
        it = self.nodes[name]
        it["setup"]["code"] = code
        it["agent"]["setup_code"] = code
        noreboot = it["setup"]["noreboot"]
        self.setup_shows(name, None)
        if code not in (0, 3010):
            self.panther(name, f"Finalize: Reporting result value: [0x{code:08X}]")
            if self.switches.value(name, "failure-leaves-pending"):
                self.pending(name, True)
        elif not noreboot:
            self.did(name, "ShutdownAsked", how="restart", by="setup.exe")
            self.after(self.pace("shutdown"), "go_down", node=name, power=it["power"])

    def do_setup_poll(self, node, args, local):
        setup = self.nodes[node]["setup"]
        if setup is None:
            return {"code": 0x800704C7}
        if setup["code"] is not None:
            self.nodes[node]["setup"] = None
        return {"code": setup["code"]}

    def do_setup_code(self, node, args, local):
        """The 32-bit code of the last setup.exe, which the exit code of a process here cannot bear."""
        return self.agent_of(node).get("setup_code")

    def do_boot_entries(self, node, args, local):
        """What setup staged from media has an entry of its own, by its path under $WINDOWS.~BT."""
        it = self.nodes[node]
        entries = [{"id": "{" + it["instance"] + "}", "path": "\\Windows\\system32\\winload.efi"}]
        if it["staged"] is not None and it["staged"]["entry"]:
            entries.append({"id": it["staged"]["entry"], "path": "\\$WINDOWS.~BT\\NewOS\\Windows\\system32\\winload.efi"})
        return entries

    def do_boot_delete(self, node, args, local):
        it = self.nodes[node]
        if it["staged"] is None or not it["staged"]["entry"] or it["staged"]["entry"].lower() != args["id"].lower():
            self.refuse("1", "ObjectNotFound", "The specified entry does not exist.", 0x80070490)
        it["staged"]["entry"] = None
        self.did(node, "BootEntryDeleted")
        return True

    def do_setup_helpers_end(self, node, args, local):
        if self.nodes[node]["setup"] is not None:
            self.nodes[node]["setup"] = None
            self.setup_shows(node, None)
        return True

    def do_setup_done(self, node, args, local):
        self.agent_of(node)["setup_code"] = args["code"]
        return True
