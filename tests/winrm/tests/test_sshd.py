"""The sshd in front of a stub node: real OpenSSH on both sides."""

import json
import shutil
import subprocess
import sys
import unittest

from .support import ROOT, SEARCH, Case, Child, encoded, needs_powershell, port_answers, stub_cluster, within

MISSING = [name for name in ("sshd", "ssh", "ssh-keygen") if shutil.which(name, path=SEARCH) is None]


@unittest.skipIf(MISSING, f"needs {', '.join(MISSING)}")
class Sshd(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.home = stub_cluster(cls.folder / "cluster", "NODE3")
        cls.sshd = cls.start(Child([sys.executable, ROOT / "sshd.py", "run", cls.folder / "ssh", "--node", "NODE3", "--address", "127.0.0.3"]))

    def ssh(self, *command: str, key: str = "client", known: str = "known_hosts", sshd: Child | None = None, folder: str = "ssh", given: str = ""):
        ready, home = (sshd or self.sshd).ready, self.folder / folder
        return subprocess.run(
            ["ssh", "-F", "none", "-i", home / key, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={home / known}",
             "-o", "StrictHostKeyChecking=yes", "-p", str(ready["port"]), f"{ready['user']}@{ready['address']}", *command],
            input=given, capture_output=True, text=True, check=False, timeout=60)

    @needs_powershell
    def test_powershell_runs_with_standard_input_and_its_exit_code_comes_back(self):
        script = "$env:COMPUTERNAME; $r = New-Object System.IO.StreamReader ([Console]::OpenStandardInput()); 'got ' + $r.ReadLine(); exit 5"
        for key in ("client", "client-rsa"):
            done = self.ssh("powershell.exe", *encoded(script), key=key, given="line\n")
            self.assertEqual((done.returncode, done.stdout.split("\n")[:2]), (5, ["NODE3", "got line"]), done.stderr)

    def test_strangers_and_wrong_host_keys_are_refused(self):
        self.assertIn("Permission denied", self.ssh("exit 0", key="stranger").stderr)
        self.assertIn("verification failed", self.ssh("exit 0", known="known_hosts.wrong").stderr)

    def test_what_cmd_does_not_know_or_cannot_hold_is_said_as_cmd_says_it(self):
        unknown = self.ssh("no-such-program")
        self.assertEqual((unknown.returncode, "not recognized" in unknown.stderr), (1, True))
        self.assertIn("too long", self.ssh("powershell.exe " + "x" * 9000).stderr)
        self.assertEqual(self.ssh("exit 9").returncode, 9)

    def test_without_power_the_port_is_closed_and_sessions_are_dead(self):
        def power(state: str) -> None:
            (self.home / "power.new").write_text(json.dumps({"state": state}))
            (self.home / "power.new").replace(self.home / "power.json")

        power("on")
        sshd = self.start(Child([sys.executable, ROOT / "sshd.py", "run", self.folder / "ssh2", "--node", "NODE3", "--cluster", self.folder / "cluster",
                                 "--address", "127.0.0.3"]))
        port = sshd.ready["port"]
        self.assertEqual(self.ssh("exit 4", sshd=sshd, folder="ssh2").returncode, 4)
        session = subprocess.Popen(
            ["ssh", "-F", "none", "-N", "-i", self.folder / "ssh2" / "client", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o",
             f"UserKnownHostsFile={self.folder / 'ssh2' / 'known_hosts'}", "-p", str(port), f"{sshd.ready['user']}@127.0.0.3"],
            stderr=subprocess.DEVNULL)
        try:
            log = self.folder / "ssh2" / "sshd.log"
            within(lambda: log.read_text().count("Accepted publickey") == 2, "the second session is there")
            power("off")
            within(lambda: session.poll() is not None, "the session is dead")
            within(lambda: not port_answers("127.0.0.3", port), "the port is closed")
        finally:
            session.kill()
            session.wait()
        power("on")
        within(lambda: port_answers("127.0.0.3", port), "the port is open again")
        self.assertEqual(self.ssh("exit 4", sshd=sshd, folder="ssh2").returncode, 4)
