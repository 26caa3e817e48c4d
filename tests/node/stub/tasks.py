"""Scheduled tasks. A started task really runs its program, as a process of the node that outlives who started it.

Microsoft: Register-ScheduledTask and its kin; Task Scheduler error and success constants.
"""

import os
import subprocess

from . import environment, processes


def split(line):
    """A command line in the way of Windows: blanks part, quotes keep together, a backslash escapes a quote only."""
    words, word, quoted, there, i = [], "", False, False, 0
    while i < len(line):
        slashes = 0
        while i < len(line) and line[i] == "\\":
            slashes += 1
            i += 1
        if slashes and i < len(line) and line[i] == '"':
            word += "\\" * (slashes // 2)
            if slashes % 2:
                word += '"'
                i += 1
            there = True
            continue
        if slashes:
            word += "\\" * slashes
            there = True
            continue
        c = line[i]
        if c == '"':
            quoted = not quoted
            there = True
        elif c in " \t" and not quoted:
            if there:
                words.append(word)
            word, there = "", False
        else:
            word += c
            there = True
        i += 1
    if there:
        words.append(word)
    return words


class Tasks:
    def key(self, args):
        path = args.get("path") or "\\"
        path = "\\" + path.strip("\\") + "\\" if path.strip("\\") else "\\"
        return path + args["name"]

    def look_at_children(self):
        """Programs that have ended leave their exit code."""
        changed = False
        for name, node in self.nodes.items():
            for task in node["tasks"].values():
                if task["pid"] is None:
                    continue
                child = self.children.get(task["pid"])
                code = child.poll() if child else None
                if code is not None or (child is None and not processes.belongs(task["pid"], self.folder, name)):
                    self.children.pop(task["pid"], None)
                    task["result"] = (code & 0xFFFFFFFF if code >= 0 else 1) if code is not None else 1
                    task["pid"] = None
                    changed = True
        return changed

    def task_shown(self, key, task):
        return {"key": key, "name": key.rpartition("\\")[2], "path": key.rpartition("\\")[0] + "\\", "running": task["pid"] is not None,
                "disabled": task["disabled"], "definition": task["definition"], "last_run": task["last_run"], "result": 0x41301 if task["pid"] else task["result"]}

    def do_tasks(self, node, args, local):
        self.look_at_children()
        return [self.task_shown(key, task) for key, task in sorted(self.nodes[node]["tasks"].items())]

    def do_task_register(self, node, args, local):
        if self.switches.strikes(node, "task-register-refused"):
            self.refuse("HRESULT 0x80070005", "PermissionDenied", "Access is denied.", 0x80070005)
        tasks = self.nodes[node]["tasks"]
        key = self.key(args)
        if key in tasks and not args.get("force"):
            self.refuse("HRESULT 0x800700b7", "ResourceExists", "Cannot create a file when that file already exists.", 0x800700B7)
        tasks[key] = {"definition": args["definition"], "pid": None, "result": 0x41303, "last_run": None, "disabled": False, "ended": False}
        self.did(node, "TaskRegistered", task=key)
        return self.task_shown(key, tasks[key])

    def find_task(self, node, args):
        key = self.key(args).lower()
        for known, task in self.nodes[node]["tasks"].items():
            if known.lower() == key:
                return known, task
        self.refuse("HRESULT 0x80070002", "ObjectNotFound", "The system cannot find the file specified.", 0x80070002)
        return None

    def do_task_start(self, node, args, local):
        self.look_at_children()
        key, task = self.find_task(node, args)
        if self.switches.strikes(node, "task-start-refused"):
            self.refuse("HRESULT 0x80041323", "NotSpecified", "The Task Scheduler service is too busy to handle your request. Please try again later.", 0x80041323)
        if task["pid"] is not None:
            # MultipleInstances is IgnoreNew unless said otherwise.
            return True
        action = task["definition"]["actions"][0]
        env = environment.of(self.folder, node, self.state["made"])
        env["DRYDOCK_TASK"] = key
        program = action["execute"].strip('"')
        found = environment.program(program, env)
        task["last_run"] = self.now
        if found is None:
            task["result"] = 0x80070002
            return True
        child = subprocess.Popen([found, *split(action.get("argument") or "")], env=env, cwd=action.get("folder") or self.path(node, "Windows"),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(os.path.join(self.path(node), "tasks.err"), "ab"),
                                 start_new_session=True)
        self.children[child.pid] = child
        task["pid"], task["result"] = child.pid, 0x41301
        self.did(node, "TaskStarted", task=key)
        if self.switches.strikes(node, "task-dies"):
            self.after(int(self.switches.value(node, "task-dies-after") or 700), "task_dies", node=node, power=self.nodes[node]["power"], key=key)
        return True

    def on_task_dies(self, event):
        task = self.nodes[event["node"]]["tasks"].get(event["key"])
        if task and task["pid"] is not None:
            processes.end([task["pid"]])

    def do_task_stop(self, node, args, local):
        key, task = self.find_task(node, args)
        if task["pid"] is not None:
            processes.end([task["pid"]])
            child = self.children.pop(task["pid"], None)
            if child:
                child.wait()
            task["pid"], task["result"] = None, 0x41306
        return True

    def do_task_unregister(self, node, args, local):
        """Microsoft: ITaskFolder::DeleteTask. What becomes of a running instance is not documented; here it goes on."""
        key, _ = self.find_task(node, args)
        del self.nodes[node]["tasks"][key]
        return True

    def do_task_disable(self, node, args, local):
        _, task = self.find_task(node, args)
        task["disabled"] = bool(args["disabled"])
        return True

    def act_kill_tasks(self, node, args):
        """The programs of the node's tasks die, and with them what they had begun."""
        for task in self.nodes[node]["tasks"].values():
            if task["pid"] is not None:
                processes.end([task["pid"]])
                child = self.children.pop(task["pid"], None)
                if child:
                    child.wait()
                task["pid"], task["result"] = None, 1
        self.nodes[node]["agent"]["operation"] = None
        self.setup_shows(node, None)
