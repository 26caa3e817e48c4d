"""Clients that nobody here wrote read from real PowerShell through the server."""

import json
import subprocess
import sys
from pathlib import Path

import winrm
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.shell import WinRS

from .support import USERS, Case, Server, needs_powershell


class Clients(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.certificates()
        cls.http = cls.start(Server(cls.folder, "--auth", "ntlm", name="http"))
        cls.https = cls.start(Server(cls.folder, "--auth", "ntlm,basic,certificate", name="https", tls="node1"))

    def tearDown(self):
        for server in (self.http, self.https):
            self.assert_sound(server)

    @needs_powershell
    def test_pypsrp_runs_a_command_over_sealed_ntlm(self):
        for auth in ("ntlm", "negotiate"):
            self.assertEqual(self.run_in(self.http.wsman(auth=auth)), (7, "hello NODE1"))

    def test_an_account_logs_on_by_any_of_its_names(self):
        for name, password in (("LAB\\svc", "P@ss:w0rd"), ("lab\\SVC", "P@ss:w0rd"), ("svc@lab.test", "P@ss:w0rd"), ("local", "l0cal"), ("NODE1\\local", "l0cal")):
            with self.subTest(name=name), self.http.wsman(name, password) as wsman, WinRS(wsman):
                pass

    @needs_powershell
    def test_pypsrp_runs_a_command_over_tls_with_ntlm_basic_and_a_certificate(self):
        self.assertEqual(self.run_in(self.https.wsman()), (7, "hello NODE1"))
        self.assertEqual(self.run_in(self.https.wsman("local", "l0cal", "basic")), (7, "hello NODE1"))
        with_certificate = self.https.wsman(auth="certificate", certificate_pem=str(self.folder / "client.pem"),
                                            certificate_key_pem=str(self.folder / "client.key"))
        self.assertEqual(self.run_in(with_certificate), (7, "hello NODE1"))

    @needs_powershell
    def test_pypsrp_runspace_pool_gives_objects_errors_and_streams_and_keeps_its_state(self):
        with self.http.wsman() as wsman, RunspacePool(wsman) as pool:
            first = PowerShell(pool)
            first.add_script("$kept = 5; 1; 'two'; [pscustomobject]@{ name = 'n' }; Write-Warning 'w'; Write-Error 'oops'")
            output = first.invoke()
            self.assertEqual(output[:2], [1, "two"])
            self.assertEqual(output[2].adapted_properties.get("name") or output[2].extended_properties.get("name"), "n")
            self.assertEqual([str(error) for error in first.streams.error], ["oops"])
            self.assertEqual(len(first.streams.warning), 1)
            second = PowerShell(pool)
            second.add_script("param([string]$Value) \"$kept $Value\"").add_parameter("Value", "it's; exit")
            self.assertEqual(second.invoke(), ["5 it's; exit"])
            third = PowerShell(pool)
            third.add_script("throw 'boom'")
            third.invoke()
            self.assertTrue(third.had_errors)

    @needs_powershell
    def test_pywinrm_runs_powershell_and_a_cmd_line(self):
        session = winrm.Session(f"http://127.0.0.1:{self.http.port}/wsman", auth=("LAB\\svc", "P@ss:w0rd"), transport="ntlm", message_encryption="always")
        self.assertEqual(session.run_ps("'hello ' + $env:COMPUTERNAME").std_out.strip(), b"hello NODE1")
        self.assertEqual(session.run_cmd("echo", ["hi"]).std_out, b"hi\r\n")
        unknown = session.run_cmd("no-such-program")
        self.assertEqual((unknown.status_code, b"not recognized" in unknown.std_err), (1, True))
        basic = winrm.Session(f"https://127.0.0.1:{self.https.port}/wsman", auth=("local", "l0cal"), transport="basic",
                              ca_trust_path=str(self.folder / "ca.pem"))
        self.assertEqual(basic.run_ps("1 + 1").std_out.strip(), b"2")

    @needs_powershell
    def test_ansible_raw_reads_over_its_winrm_and_its_psrp_connection(self):
        inventory = self.folder / "inventory"
        inventory.write_text("\n".join([
            "[nodes]",
            f"a ansible_connection=winrm ansible_winrm_transport=ntlm ansible_winrm_scheme=http ansible_port={self.http.port}",
            f"b ansible_connection=psrp ansible_psrp_auth=ntlm ansible_psrp_protocol=http ansible_port={self.http.port}",
            "[nodes:vars]", "ansible_host=127.0.0.1", "ansible_user='LAB\\svc'", "ansible_password='P@ss:w0rd'", "ansible_shell_type=powershell", ""]))
        ansible = subprocess.run([Path(sys.executable).parent / "ansible", "-i", inventory, "nodes", "-m", "raw", "-a", "'read ' + $env:COMPUTERNAME"],
                                 capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "LC_ALL": "C.UTF-8"})
        self.assertEqual(ansible.stdout.count("read NODE1"), 2, ansible.stdout + ansible.stderr)

    def test_a_refused_logon_is_a_401_whatever_was_wrong(self):
        for user, password in (("svc", "wrong"), ("nobody", "x"), ("locked", "k"), ("disabled", "d"), ("expired", "e"), ("old", "o")):
            before = self.http.counters()
            with self.subTest(user=user), self.assertRaises(AuthenticationError):
                self.run_in(self.http.wsman(f"LAB\\{user}", password))
            after = self.http.counters()
            self.assertEqual(after["failedLogons"] - before["failedLogons"], 1)
            self.assertEqual(after["logons"], before["logons"])

    def test_wrong_passwords_lock_an_account_until_the_accounts_change(self):
        server = self.start(Server(self.folder, "--auth", "ntlm", name="lock"))
        for password in ("1", "2", "3", "P@ss:w0rd"):
            with self.assertRaises(AuthenticationError):
                self.run_in(server.wsman(password=password))
        self.assertEqual(server.counters()["badPasswords"], {"LAB\\svc": 3})
        changed = USERS | {"users": [{"name": "svc", "domain": "LAB", "password": "new"}]}
        server.user_file.write_text(json.dumps(changed))
        with server.wsman(password="new") as wsman, WinRS(wsman):
            self.assertEqual(server.counters()["shellsOpen"], 1)

    def test_an_account_without_rights_logs_on_and_is_denied(self):
        with self.assertRaises(WSManFaultError) as denied:
            self.run_in(self.http.wsman("LAB\\reader", "r"))
        self.assertEqual(denied.exception.code, 5)

    def test_basic_is_refused_without_tls_and_for_domain_accounts(self):
        plain = self.start(Server(self.folder, "--auth", "basic", name="plain"))
        with self.assertRaises(AuthenticationError):
            self.run_in(plain.wsman("local", "l0cal", "basic", encryption="never"))
        self.assertEqual(plain.counters()["logons"], 0)
        plain.switch(allowUnencrypted=True)
        with plain.wsman("local", "l0cal", "basic", encryption="never") as wsman, WinRS(wsman):
            self.assertEqual(plain.counters()["shellsOpen"], 1)
        with self.assertRaises(AuthenticationError):
            self.run_in(self.https.wsman("LAB\\svc", "P@ss:w0rd", "basic"))

    def test_an_unsealed_request_over_http_is_refused(self):
        with self.assertRaises(Exception) as refused:
            self.run_in(self.http.wsman(encryption="never"))
        self.assertIn("500", str(refused.exception))
        self.assertEqual(self.http.counters()["unsealedRefused"], 1)

    def test_strict_channel_bindings_refuse_a_client_that_brings_none(self):
        self.https.switch(channelBindings="strict")
        try:
            with self.https.wsman() as wsman, WinRS(wsman):
                pass  # the right binding is brought
            with self.assertRaises(AuthenticationError):
                self.run_in(self.https.wsman(negotiate_send_cbt=False))
            self.https.switch(channelBindings="relaxed")
            with self.https.wsman(negotiate_send_cbt=False) as wsman, WinRS(wsman):
                pass
        finally:
            self.https.switch()
