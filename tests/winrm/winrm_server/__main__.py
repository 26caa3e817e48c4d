"""Starts the server for one node, or with --nodes for many in one process. Prints one JSON line when its ports are open; ends on SIGTERM."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

from .accounts import Accounts
from .counters import Counters
from .listener import Certificates
from .node import Node
from .server import Server
from .switches import SwitchFile


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="winrm_server", description=__doc__)
    parser.add_argument("--node", help="the node's name")
    parser.add_argument("--cluster", type=Path, help="folder of the stub cluster; without it the commands get a plain environment")
    parser.add_argument("--address", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=0, help="0: any free one, told in the line that is printed")
    parser.add_argument("--nodes", type=Path, help='JSON file [{"node","cluster","address","port","counters","switches"}]: many nodes in one process')
    parser.add_argument("--tls", nargs=2, type=Path, metavar=("CHAIN", "KEY"))
    parser.add_argument("--client-authority", type=Path, help="who may sign client certificates (with --auth certificate)")
    parser.add_argument("--auth", default="ntlm,kerberos", help="basic, ntlm, kerberos, certificate")
    parser.add_argument("--users", type=Path, required=True, help="accounts.py says what is in it")
    parser.add_argument("--keytab", type=Path, help="the service's keys, for Kerberos")
    parser.add_argument("--switches", type=Path, help="faults and quotas; read anew before each request")
    parser.add_argument("--counters", type=Path, help="what was counted; by default winrm.json in the node's folder")
    parser.add_argument("--build", default="OS: 10.0.20349 SP: 0.0 Stack: 3.0", help="what Identify tells after a logon")
    parser.add_argument("--with-parent", action="store_true", help="end when the process that started it is gone")
    parser.add_argument("--verbose", action="store_true", help="a line for every request on standard error")
    return parser.parse_args()


def server(options: argparse.Namespace, one: dict) -> Server:
    cluster = Path(one["cluster"]).resolve() if one.get("cluster") else None
    node = Node(one["node"], cluster)
    counters = one.get("counters") or (node.folder / "winrm.json" if node.folder else None)
    switches = SwitchFile(Path(one["switches"]) if one.get("switches") else None)
    certificates = Certificates(*options.tls, options.client_authority, switches) if options.tls else None
    accounts = Accounts(options.users, node.name)
    return Server(node, one["address"], one["port"], accounts, set(options.auth.split(",")), switches, Counters(Path(counters) if counters else None),
                  certificates, options.build)


async def run(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    many = json.loads(options.nodes.read_text()) if options.nodes else [
        {"node": options.node, "cluster": options.cluster, "address": options.address, "port": options.port,
         "switches": options.switches, "counters": options.counters}]
    servers = [server(options, one) for one in many]
    for each in servers:
        if not each.listener.address.startswith("127."):
            sys.exit(f"{each.listener.address} is no loopback address")
        await each.look()
    print(json.dumps({"ready": True, "pid": os.getpid(), "nodes": [
        {"node": each.node.name, "address": each.listener.address, "port": each.listener.port} for each in servers]}), flush=True)
    watching = [asyncio.create_task(each.watch()) for each in servers]
    ended = asyncio.create_task(stopped.wait())
    if options.with_parent:
        watching.append(asyncio.create_task(orphaned(os.getppid(), stopped)))
    # A watcher ends only by an error, which must not go unseen: the server ends with it.
    done, _ = await asyncio.wait([ended, *watching], return_when=asyncio.FIRST_COMPLETED)
    for task in watching:
        task.cancel()
    for each in servers:
        await each.stop()
        each.accounts.close()
    for task in done - {ended}:
        task.result()


async def orphaned(parent: int, stopped: asyncio.Event) -> None:
    """A test that is killed cannot end its servers."""
    while os.getppid() == parent:
        await asyncio.sleep(0.5)
    stopped.set()
    await asyncio.sleep(60)


def main() -> None:
    options = arguments()
    if not options.nodes and not options.node:
        sys.exit("either --node or --nodes")
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr)
    if options.keytab:
        os.environ["KRB5_KTNAME"] = f"FILE:{options.keytab.resolve()}"
    # Tests log on many times a second from one machine; a replay cache on disk would outlive them.
    os.environ["KRB5RCACHENAME"] = "none:"
    asyncio.get_event_loop_policy().set_child_watcher(asyncio.PidfdChildWatcher())
    asyncio.run(run(options))


if __name__ == "__main__":
    main()
