"""`python -m stub make FOLDER [--nodes N01,N02] [...]`, `serve FOLDER`, `environment FOLDER NODE`, `act FOLDER ACT [NODE] [JSON]`, and the nodes' native programs."""

import argparse
import json
import os
import sys
import time

from . import environment, make, serve


def node_call(call, args, patience=15.0):
    folder, node = os.environ["DRYDOCK_CLUSTER"], os.environ["DRYDOCK_NODE"]
    return serve.call(folder, {"node": node, "call": call, "args": args, "local": "DRYDOCK_TASK" in os.environ, "rights": os.environ.get("DRYDOCK_RIGHTS")}, patience)


def refused(told):
    sys.stderr.write(told["error"]["message"] + "\n")
    return int(told["error"]["id"]) if told["error"]["id"].isdigit() else 1


def tells(code):
    """A process here has eight bits to end with; the platform keeps all of them."""
    node_call("exit_with", {"code": code})
    return code & 0xFF


def shutdown(words):
    """shutdown.exe: /r or /s, /t N, /a, /f, /c, /d as documented (Microsoft: shutdown command)."""
    how, seconds, i = None, 30, 0
    while i < len(words):
        option = words[i].lower().replace("-", "/", 1)
        if option in ("/r", "/g"):
            how = "restart"
        elif option == "/s":
            how = "off"
        elif option == "/a":
            how = "abort"
        elif option in ("/t", "/c", "/d", "/m"):
            i += 1
            if option == "/t":
                seconds = int(words[i])
        elif option != "/f":
            sys.stderr.write(f"unknown option {words[i]}\n")
            return 1
        i += 1
    if how is None:
        return 1
    told = node_call("abort_shutdown", {}) if how == "abort" else node_call("shutdown", {"how": how, "seconds": seconds, "program": "shutdown.exe"})
    return tells(0 if told["ok"] else refused(told))


def uso(words):
    """UsoClient.exe is not documented; RestartDevice restarts, by public notes."""
    if [w.lower() for w in words] != ["restartdevice"]:
        return 0
    told = node_call("shutdown", {"how": "restart", "seconds": 1, "program": "UsoClient.exe"})
    return 0 if told["ok"] else refused(told)


def bcdedit(words):
    """/enum osloader /v and /delete ID (Microsoft: BCDEdit command-line options). Labels are those of an English Windows."""
    told = node_call("boot_entries", {})
    if not told["ok"]:
        return refused(told)
    words = [w.lower().lstrip("/") for w in words]
    if words[:2] == ["enum", "osloader"]:
        for entry in told["value"]:
            print("\nWindows Boot Loader\n-------------------")
            print(f"identifier              {entry['id']}\ndevice                  partition=C:\npath                    {entry['path']}")
            print("description             Windows Server")
        return 0
    if words[:1] == ["delete"] and len(words) > 1:
        gone = node_call("boot_delete", {"id": words[1]})
        if gone["ok"]:
            print("The operation completed successfully.")
            return 0
        return refused(gone) & 0xFF
    return 1


def setup(program, words):
    options, i = {}, 0
    while i < len(words):
        name = words[i].lower().lstrip("/-")
        valued = i + 1 < len(words) and not words[i + 1].startswith(("/", "-")) or name in ("installfrom", "copylogs", "postoobe", "postrollback")
        options[name] = words[i + 1] if valued else True
        i += 2 if valued else 1
    wim = str(options.get("installfrom") or os.path.join(os.path.dirname(program), "sources", "install.wim")).replace("\\", "/")
    with open(wim, encoding="utf-8") as file:
        images = json.load(file)
    told = node_call("setup_begin", {"options": options, "images": images, "pid": os.getpid()})
    while told["ok"] and told["value"]["code"] is None:
        time.sleep(0.05)
        told = node_call("setup_poll", {})
    code = told["value"]["code"] if told["ok"] else 1
    if told["ok"]:
        node_call("setup_done", {"code": code})
    return code & 0xFF


def main():
    words = sys.argv[1:]
    match words[0]:
        case "shutdown.exe":
            return shutdown(words[1:])
        case "UsoClient.exe":
            return uso(words[1:])
        case "bcdedit.exe":
            return bcdedit(words[1:])
        case "setup.exe":
            return setup(words[1], words[2:])
        case "serve":
            return serve.serve(words[1])
        case "environment":
            with open(os.path.join(words[1], "cluster.json"), encoding="utf-8") as file:
                made = json.load(file)["made"]
            print(json.dumps(environment.of(words[1], words[2], made), indent=1))
            return 0
        case "act":
            request = {"act": words[2], "node": words[3] if len(words) > 3 else None, "args": json.loads(words[4]) if len(words) > 4 else {}}
            print(json.dumps(serve.call(words[1], request), indent=1))
            return 0
    parser = argparse.ArgumentParser()
    parser.add_argument("make")
    parser.add_argument("folder")
    parser.add_argument("--nodes", default="N01,N02,N03,N04")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="cluster")
    parser.add_argument("--build", default="20349.3692")
    parser.add_argument("--roles", type=int, default=2)
    parser.add_argument("--witness", default="File Share Witness")
    parser.add_argument("--pwsh")
    parser.add_argument("--owner", type=int, help="the process with which the cluster ends")
    a = parser.parse_args(words)
    nodes = a.nodes.split(",")
    make.make(a.folder, nodes, seed=a.seed, name=a.name, build=a.build, roles=a.roles, witness=a.witness, pwsh=a.pwsh, owner=a.owner)
    with open(os.path.join(a.folder, "cluster.json"), encoding="utf-8") as file:
        made = json.load(file)["made"]
    print(json.dumps({node: environment.of(a.folder, node, made) for node in nodes}))
    return 0


sys.exit(main())
