"""Reads the same probe from many stub nodes with other people's clients, so that ours can be measured beside them in one run.

    bench.py serve FOLDER --nodes 200     makes stub clusters and one server in front of all nodes; prints one JSON line; runs until SIGTERM
    bench.py peers FOLDER [--rounds 3]    pypsrp and Ansible (raw) read from them; prints a line for each and a JSON summary

A client of ours reads FOLDER/nodes.json (address, port and name of each node), logs on as LAB\\bench with the password `bench` (NTLM, sealed, HTTP) and
reads the same probe. What is compared is the client: nodes per second of *its* processor time, and its memory. The wall clock is that of the server's
PowerShell processes mostly, which are the same for everybody.
"""

import argparse
import concurrent.futures
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE.parents[1] / "controller" / "windows" / "scripts"
LIBRARIES = ("lib-seam", "lib-json", "lib-memory", "lib-facts", "lib-guard", "lib-work")
USER = {"name": "bench", "domain": "LAB", "password": "bench"}
NODES_PER_CLUSTER = 4
# Nodes that are read at the same time: what two cores bear.
AT_ONCE = 8


def probe() -> str:
    """The libraries and the probe of a node as one script, for clients that have no session host."""
    texts = [(SCRIPTS / f"{name}.ps1").read_text() for name in LIBRARIES]
    return "\n".join(texts) + "\nConvertTo-WireJson (& {\n" + (SCRIPTS / "probe-node.ps1").read_text() + "\n})\n"


def check(answer: str, node: str) -> None:
    """An answer that is not the probe's is no read."""
    document = json.loads(answer)
    if document["identity"]["value"]["name"].lower() != node.lower():
        raise AssertionError(f"{node} answered {answer[:200]}")


def serve(folder: Path, count: int) -> None:
    sys.path.insert(0, str(HERE.parent / "node"))
    from stub.make import make

    folder.mkdir(parents=True, exist_ok=True)
    nodes = []
    for first in range(0, count, NODES_PER_CLUSTER):
        names = [f"N{number:03}" for number in range(first, min(first + NODES_PER_CLUSTER, count))]
        cluster = folder / f"cluster{first // NODES_PER_CLUSTER:02}"
        make(str(cluster), names)
        nodes += [{"node": name, "cluster": str(cluster), "address": "127.0.0.1", "port": 0, "counters": str(folder / f"{name}.json")} for name in names]
    (folder / "server.json").write_text(json.dumps(nodes))
    (folder / "users.json").write_text(json.dumps({"users": [USER]}))
    (folder / "probe.ps1").write_text(probe())
    # Two hundred PowerShells on one machine: each keeps little, and collects more often.
    os.environ["DOTNET_GCgen0size"] = "0x400000"
    server = subprocess.Popen([sys.executable, "-m", "winrm_server", "--nodes", folder / "server.json", "--users", folder / "users.json", "--auth", "ntlm"],
                              cwd=HERE, stdout=subprocess.PIPE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.terminate())
    line = server.stdout.readline()
    if not line:
        sys.exit("the server did not start")
    ready = json.loads(line)
    (folder / "nodes.json").write_text(json.dumps(ready["nodes"]))
    print(json.dumps({"ready": True, "pid": os.getpid(), "server": server.pid, "nodes": len(nodes), "file": str(folder / "nodes.json"),
                      "user": "LAB\\bench", "password": "bench"}), flush=True)
    server.wait()


# -- peers: each runs in a process of its own, so that its processor time and memory are its own

def pypsrp(folder: Path, rounds: int) -> dict:
    from pypsrp.powershell import PowerShell, RunspacePool
    from pypsrp.wsman import WSMan

    script, nodes = (folder / "probe.ps1").read_text(), json.loads((folder / "nodes.json").read_text())
    pools = {}

    def opened(node: dict) -> RunspacePool:
        wsman = WSMan(node["address"], port=node["port"], ssl=False, auth="ntlm", encryption="always", username="LAB\\bench", password="bench")
        pool = RunspacePool(wsman)
        pool.open()
        return pool

    def read(node: dict) -> None:
        pool = pools.pop(node["node"], None) or opened(node)
        shell = PowerShell(pool)
        shell.add_script(script)
        output = shell.invoke()
        if len(output) != 1 or shell.had_errors:
            raise AssertionError(f"{node['node']}: {output!r} {[str(error) for error in shell.streams.error]}")
        check(output[0], node["node"])
        # Kept for the next round only: over many nodes the server would end the idle connection of the first long before the last was read.
        if rounds > 1:
            pools[node["node"]] = pool
        else:
            pool.close()

    times = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
        for _ in range(rounds):
            times.append(measured(lambda: list(threads.map(read, nodes))))
        list(threads.map(lambda pool: pool.close(), pools.values()))
    return {"rounds": times}


def ansible(folder: Path, rounds: int) -> dict:
    nodes = json.loads((folder / "nodes.json").read_text())
    (folder / "inventory").write_text("[nodes]\n" + "".join(f"{n['node']} ansible_host={n['address']} ansible_port={n['port']}\n" for n in nodes) + (
        "[nodes:vars]\nansible_connection=psrp\nansible_psrp_auth=ntlm\nansible_psrp_protocol=http\nansible_user='LAB\\\\bench'\nansible_password=bench\n"
        "ansible_shell_type=powershell\n"))
    (folder / "read.yml").write_text(
        "- hosts: nodes\n  gather_facts: false\n  tasks:\n    - raw: \"{{ lookup('file', 'probe.ps1') }}\"\n      register: answer\n"
        "      failed_when: (answer.stdout | from_json).identity.value.name | lower != inventory_hostname | lower\n")
    words = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(folder / "inventory"), "-f", str(AT_ONCE), str(folder / "read.yml")]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8", "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1"}
    times = []

    def play() -> None:
        done = subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, check=False)
        read = sum(" changed=1 " in line and " failed=0 " in line for line in done.stdout.splitlines())
        if read != len(nodes):
            raise AssertionError(f"{read} of {len(nodes)} read: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    for _ in range(rounds):
        times.append(measured(play))
    return {"rounds": times}


PEERS = {"pypsrp": pypsrp, "ansible": ansible}


def measured(work) -> dict:
    def spent() -> float:
        return sum(used.ru_utime + used.ru_stime for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)))

    began, before = time.monotonic(), spent()
    work()
    return {"seconds": round(time.monotonic() - began, 2), "processor": round(spent() - before, 2)}


def memory(root: int) -> int:
    """What a process and all below it hold, shared pages counted once, in KiB."""
    from sshd import descendants

    total = 0
    for process in [root, *descendants(root)]:
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration, ValueError):
            continue
    return total


def run_peer(name: str, folder: Path, rounds: int) -> dict:
    """Runs one peer and watches how much memory it takes."""
    peer = subprocess.Popen([sys.executable, __file__, "peer", str(folder), "--name", name, "--rounds", str(rounds)], stdout=subprocess.PIPE)
    most = 0
    ended = threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.25):
            most = max(most, memory(peer.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    told = peer.stdout.read()
    ended.set()
    watcher.join()
    if peer.wait() != 0:
        sys.exit(f"{name} failed")
    return json.loads(told) | {"peer": name, "memoryMiB": most // 1024}


def peers(folder: Path, names: list[str], rounds: int) -> None:
    count = len(json.loads((folder / "nodes.json").read_text()))
    summary = []
    for name in names:
        told = run_peer(name, folder, rounds)
        summary.append(told | {"nodes": count})
        for index, one in enumerate(told["rounds"]):
            kind = "first read" if index == 0 else "again"
            print(f"{name:8} {kind:10} {count} nodes in {one['seconds']:.1f} s ({count / one['seconds']:.1f} nodes/s), "
                  f"{count / max(one['processor'], 0.01):.1f} nodes/s per core of the client, {told['memoryMiB']} MiB at most", flush=True)
    print(json.dumps(summary))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["serve", "peers", "peer"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nodes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--name", choices=list(PEERS), help="one peer only")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.verb == "serve":
        serve(folder, options.nodes)
    elif options.verb == "peers":
        peers(folder, [options.name] if options.name else list(PEERS), options.rounds)
    else:
        print(json.dumps(PEERS[options.name](folder, options.rounds)))


if __name__ == "__main__":
    main()
