"""Kerberos with a real KDC: tickets, sealing, channel bindings, and what the KDC says of a bad account."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
import unittest
from pathlib import Path

import krb5
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.shell import WinRS

from .support import ROOT, SEARCH, Case, Child, Server, needs_powershell

MISSING = [name for name in ("krb5kdc", "kdb5_util", "kadmin.local", "kinit") if shutil.which(name, path=SEARCH) is None]
MISSING += [name for name in ("gssapi", "krb5") if importlib.util.find_spec(name) is None]
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


@unittest.skipIf(MISSING, f"Kerberos needs {', '.join(MISSING)}")
class Kerberos(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.certificates()
        cls.realm = cls.folder / "realm"
        cls.kdc = cls.start(Child([sys.executable, ROOT / "kdc.py", "run", cls.realm, "--host", "localhost",
                                   "--user", "svc", "P@ss:w0rd", "--user", "reader", "r", "--user", "clumsy", "c", "--lockout", "2"]))
        os.environ["KRB5_CONFIG"] = cls.kdc.ready["configuration"]
        cls.addClassCleanup(os.environ.pop, "KRB5_CONFIG")
        keytab = cls.kdc.ready["keytab"]
        cls.http = cls.start(Server(cls.folder, "--auth", "kerberos,ntlm", "--keytab", keytab, name="http"))
        cls.https = cls.start(Server(cls.folder, "--auth", "kerberos", "--keytab", keytab, name="https", tls="node1"))

    def tearDown(self):
        self.administer("state", "svc", "ok")
        for server in (self.http, self.https):
            self.assert_sound(server)

    def administer(self, verb: str, *words: str) -> None:
        subprocess.run([sys.executable, ROOT / "kdc.py", verb, self.realm, *words], check=True)

    def by_name(self, server: Server, user: str = "svc@LAB.TEST", password: str = "P@ss:w0rd", auth: str = "kerberos", **more):
        return server.wsman(user, password, auth, negotiate_hostname_override="localhost", negotiate_service="HTTP", **more)

    @needs_powershell
    def test_a_command_runs_over_sealed_kerberos_and_over_negotiate_that_chose_it(self):
        for auth in ("kerberos", "negotiate"):
            self.assertEqual(self.run_in(self.by_name(self.http, auth=auth)), (7, "hello NODE1"))

    def test_strict_channel_bindings_take_a_bound_ticket_and_refuse_an_unbound_one(self):
        self.https.switch(channelBindings="strict")
        try:
            with self.by_name(self.https) as wsman, WinRS(wsman):
                pass
            with self.assertRaises(AuthenticationError):
                self.run_in(self.by_name(self.https, negotiate_send_cbt=False))
        finally:
            self.https.switch()

    def test_an_account_without_rights_gets_a_ticket_and_is_denied(self):
        with self.assertRaises(WSManFaultError) as denied:
            self.run_in(self.by_name(self.http, "reader@LAB.TEST", "r"))
        self.assertEqual(denied.exception.code, 5)

    def kdc_says(self, password: str = "P@ss:w0rd", user: str = "svc") -> int:
        """The KDC's own error code for a logon."""
        context = krb5.init_context()
        principal = krb5.parse_name_flags(context, f"{user}@LAB.TEST".encode())
        with self.assertRaises(krb5.Krb5Error) as refused:
            krb5.get_init_creds_password(context, principal, krb5.get_init_creds_opt_alloc(context), password.encode())
        return refused.exception.err_code + 1765328384  # krb5's error table begins there

    def test_the_kdc_blames_a_wrong_password_and_a_disabled_expired_or_old_account(self):
        self.assertEqual(self.kdc_says("wrong"), 24)  # KDC_ERR_PREAUTH_FAILED
        self.administer("state", "svc", "disabled")
        self.assertEqual(self.kdc_says(), 18)  # KDC_ERR_CLIENT_REVOKED
        self.administer("state", "svc", "expired")
        self.assertEqual(self.kdc_says(), 1)  # KDC_ERR_NAME_EXP
        self.administer("state", "svc", "password-expired")
        self.assertEqual(self.kdc_says(), 23)  # KDC_ERR_KEY_EXPIRED

    def test_wrong_passwords_lock_the_account_at_the_kdc(self):
        for _ in range(2):
            self.assertEqual(self.kdc_says("wrong", "clumsy"), 24)
        self.assertEqual(self.kdc_says("c", "clumsy"), 18)

    def test_a_changed_password_counts_at_once(self):
        self.administer("change", "svc", "n3w")
        self.assertEqual(self.kdc_says(), 24)
        self.administer("change", "svc", "P@ss:w0rd")
        with self.by_name(self.http) as wsman, WinRS(wsman):
            pass

    def test_a_ticket_cache_logs_on_and_a_short_ticket_has_the_lifetime_asked_for(self):
        cache = self.folder / "cache"
        self.administer("ticket", "svc", "P@ss:w0rd", str(cache), "--lifetime", "90s")
        listed = subprocess.run(["klist", "-f", f"FILE:{cache}"], capture_output=True, text=True, check=True).stdout
        self.assertIn("svc@LAB.TEST", listed)
        os.environ["KRB5CCNAME"] = f"FILE:{cache}"
        try:
            with self.http.wsman(None, None, "kerberos", negotiate_hostname_override="localhost", negotiate_service="HTTP") as wsman, WinRS(wsman):
                pass
        finally:
            del os.environ["KRB5CCNAME"]

    @unittest.skipUnless(FAKETIME, "a wrong clock needs libfaketime")
    def test_a_node_whose_clock_is_wrong_refuses_a_good_ticket_with_kerberos_own_error(self):
        wrong = self.start(Server(self.folder, "--auth", "kerberos", "--keytab", self.kdc.ready["keytab"], name="skew",
                                  LD_PRELOAD=str(FAKETIME), FAKETIME="+3600", FAKETIME_DONT_FAKE_MONOTONIC="1"))
        # The client can say so only because the answer carries the acceptor's own KRB-ERROR.
        with self.assertRaisesRegex(Exception, "Clock skew too great"):
            self.run_in(self.by_name(wrong))

    @unittest.skipUnless(FAKETIME, "a wrong clock needs libfaketime")
    def test_a_kdc_whose_clock_is_wrong_grants_tickets_of_its_own_time(self):
        skewed = self.folder / "skewed"
        kdc = self.start(Child([sys.executable, ROOT / "kdc.py", "run", skewed, "--user", "svc", "P@ss:w0rd", "--clock", "+3600"]))
        self.assertTrue(kdc.ready["ready"])
        cache = self.folder / "skewed-cache"
        subprocess.run([sys.executable, ROOT / "kdc.py", "ticket", skewed, "svc", "P@ss:w0rd", str(cache)], check=False, capture_output=True)
        # MIT's client corrects itself by the time in the KDC's first answer and logs on all the same; one that does not is told 37, KRB_AP_ERR_SKEW.
        granted = int(re.search(r"authtime (\d+)", (skewed / "kdc.log").read_text()).group(1))
        self.assertGreater(granted, time.time() + 3000)
