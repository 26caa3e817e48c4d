"""The server and the stub node: its power, its environment."""

import json
import shutil
import subprocess
import sys

from pypsrp.exceptions import WSManFaultError
from pypsrp.shell import Process, WinRS

from .support import ROOT, SEARCH, Case, Server, alive, encoded, needs_powershell, port_answers, stub_cluster, within


class Power(Case):
    def test_a_node_without_power_has_no_port_and_no_shells_until_it_is_back(self):
        home = stub_cluster(self.folder / "cluster", "NODE1")

        def power(state: str) -> None:
            (home / "power.new").write_text(json.dumps({"state": state}))
            (home / "power.new").replace(home / "power.json")

        power("off")
        server = self.start(Server(self.folder, "--auth", "ntlm", "--cluster", str(self.folder / "cluster")))
        self.assertFalse(port_answers("127.0.0.1", server.port))
        power("on")
        within(lambda: port_answers("127.0.0.1", server.port), "the port opens")
        wsman = server.wsman()
        shell = WinRS(wsman)
        shell.open()
        power("off")
        within(lambda: not port_answers("127.0.0.1", server.port), "the port closes")
        within(lambda: server.counters()["shellsOpen"] == 0, "the shells are gone")
        power("on")
        within(lambda: port_answers("127.0.0.1", server.port), "the port opens again, at the same place")
        with server.wsman() as again:
            shell.wsman = again
            with self.assertRaises(WSManFaultError) as fault:
                Process(shell, "echo", ["x"]).invoke()
        self.assertEqual(fault.exception.code, 2150858843)


class Environment(Case):
    @needs_powershell
    def test_a_command_has_the_environment_that_the_stub_node_tells(self):
        cluster = self.folder / "cluster"
        stub_cluster(cluster, "NODE1")
        server = self.start(Server(self.folder, "--auth", "ntlm", "--cluster", str(cluster)))
        script = "$env:DRYDOCK_NODE; $env:COMPUTERNAME; (Get-ItemProperty 'HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion').CurrentBuildNumber; $env:PYTHONPATH"
        with server.wsman() as wsman, WinRS(wsman) as shell:
            process = Process(shell, "powershell.exe", encoded(script), no_shell=True)
            process.invoke()
            self.assertEqual(process.stdout.decode().split(), ["NODE1", "NODE1", "20349"], process.stderr)
        self.assert_sound(server)


class Orphans(Case):
    def test_programs_end_when_the_process_that_started_them_is_gone(self):
        users = self.folder / "users.json"
        users.write_text('{"users": []}')
        programs = {
            "server": ["-m", "winrm_server", "--node", "N", "--users", users, "--with-parent"],
            "sshd": [ROOT / "sshd.py", "run", self.folder / "ssh", "--node", "N", "--with-parent"] if shutil.which("sshd", path=SEARCH) else None,
            "kdc": [ROOT / "kdc.py", "run", self.folder / "realm", "--with-parent"] if shutil.which("krb5kdc", path=SEARCH) else None,
        }
        for name, words in programs.items():
            if words is None:
                continue
            with self.subTest(name=name):
                # A parent that starts it, passes its line on, and ends.
                parent = "import subprocess, sys; c = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL); print(c.stdout.readline().decode())"
                told = subprocess.run([sys.executable, "-c", parent, sys.executable, *map(str, words)], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
                pid = json.loads(told)["pid"]
                within(lambda: not alive(pid), f"{name} ends")
