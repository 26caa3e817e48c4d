"""Each switch does what README.md says it does."""

import base64
import hashlib
import json
import socket
import ssl
import time

import requests
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.shell import Process, WinRS

from .support import Case, Server, encoded, needs_powershell, port_answers, within

IDENTIFY = ('<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
            '<i:Identify xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/></s:Body></s:Envelope>')
CUT = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)


class Switches(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.certificates()
        cls.server = cls.start(Server(cls.folder, "--auth", "ntlm"))

    def tearDown(self):
        self.server.switch(loseShells=int(time.monotonic() * 1000))
        within(lambda: self.server.counters()["shellsOpen"] == 0, "no shell is left")
        self.server.switch()
        self.assertEqual(self.server.counters()["broken"], 0, self.server.said())

    def create(self) -> None:
        with self.server.wsman() as wsman:
            WinRS(wsman).open()

    def created(self) -> int:
        return self.server.counters()["shellsCreated"]

    def test_cut_before_means_not_acted_upon_and_cut_after_means_acted_upon(self):
        before = self.created()
        self.server.switch(faults=[{"do": "cut-before", "action": "Create", "times": 1}])
        with self.assertRaises(CUT):
            self.create()
        self.assertEqual(self.created(), before)
        for do in ("cut-after", "half"):
            count = self.created()
            self.server.switch(faults=[{"do": do, "action": "Create", "times": 1}])
            with self.assertRaises(CUT):
                self.create()
            self.assertEqual(self.created(), count + 1)

    def test_a_rule_lets_skipped_requests_by_and_stops_after_its_times(self):
        self.server.switch(faults=[{"do": "cut-before", "action": "Create", "skip": 1, "times": 1}])
        self.create()
        with self.assertRaises(CUT):
            self.create()
        self.create()

    @needs_powershell
    def test_cut_in_the_middle_of_a_send_delivers_half_of_it(self):
        script = "$s = [Console]::OpenStandardInput(); $b = New-Object byte[] 99; $n = $s.Read($b, 0, 99); 'bytes ' + $n; Start-Sleep 60"
        with self.server.wsman() as wsman:
            shell = WinRS(wsman)
            shell.open()
            process = Process(shell, "powershell.exe", encoded(script), no_shell=True)
            process.begin_invoke()
            self.server.switch(faults=[{"do": "cut-middle", "action": "Send", "times": 1}])
            with self.assertRaises(CUT):
                process.send(b"0123456789", end=False)
        with self.server.wsman() as again:
            process.shell.wsman = again
            while b"\n" not in process.stdout:
                process.poll_invoke()
            self.assertEqual(process.stdout.strip(), b"bytes 5")

    def test_an_unsealed_answer_on_a_sealed_connection_reaches_the_client_as_it_is(self):
        self.server.switch(faults=[{"do": "unsealed", "action": "Create", "times": 1}])
        seen, wsman = [], self.server.wsman()
        build = wsman.transport._build_session

        def watched():
            session = build()
            session.hooks["response"].append(lambda response, **_: seen.append(response.headers.get("Content-Type", "")))
            return session

        wsman.transport._build_session = watched
        with wsman:
            WinRS(wsman).open()  # this client takes it; ours must not
        self.assertEqual(seen[-1], "application/soap+xml;charset=UTF-8")

    def test_status_and_content_type(self):
        for status in (500, 503):
            self.server.switch(faults=[{"do": "status", "status": status, "action": "Create", "times": 1}])
            with self.assertRaises(WinRMTransportError) as refused:
                self.create()
            self.assertEqual(refused.exception.code, status)

    def test_any_fault_can_be_asked_for(self):
        self.server.switch(faults=[{"do": "fault", "code": 2150858770, "action": "Create"}])
        with self.assertRaises(WSManFaultError) as fault:
            self.create()
        self.assertEqual(fault.exception.code, 2150858770)

    def test_delays_hold_back_the_act_or_only_the_answer(self):
        for do in ("delay", "delay-answer"):
            self.server.switch(faults=[{"do": do, "ms": 700, "action": "Create"}])
            began = time.monotonic()
            self.create()
            self.assertGreaterEqual(time.monotonic() - began, 0.7)

    def test_silence_lasts_until_the_client_gives_up(self):
        self.server.switch(faults=[{"do": "silence", "action": "Create"}])
        before, wsman = self.created(), self.server.wsman()
        wsman.transport.read_timeout = 1
        with self.assertRaises(requests.exceptions.ReadTimeout), wsman:
            WinRS(wsman).open()
        self.assertEqual(self.created(), before)

    def test_lost_shells_are_gone_without_a_word(self):
        with self.server.wsman() as wsman:
            shell = WinRS(wsman)
            shell.open()
            self.server.switch(faults=[{"do": "lose-shells", "action": "Command"}])
            with self.assertRaises(WSManFaultError) as fault:
                Process(shell, "echo", ["x"]).invoke()
            self.assertEqual(fault.exception.code, 2150858843)
        self.assertGreaterEqual(self.server.counters()["shellsLost"], 1)

    def test_the_port_can_be_closed_or_silent_and_opens_again(self):
        self.server.switch(listen="refuse")
        within(lambda: not port_answers("127.0.0.1", self.server.port), "the port closes")
        self.server.switch(listen="silent")
        within(lambda: port_answers("127.0.0.1", self.server.port), "the port opens")
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=1) as silent:
            silent.sendall(b"POST /wsman HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
            with self.assertRaises(TimeoutError):
                silent.recv(1)
        self.server.switch()
        self.create()

    def test_the_certificate_of_the_next_handshake_is_the_one_named(self):
        server = self.start(Server(self.folder, "--auth", "ntlm", name="tls", tls="node1"))
        prints = json.loads((self.folder / "fingerprints.json").read_text())
        wrong = {"other-name": "Hostname mismatch|IP address mismatch", "expired": "expired", "not-yet": "not yet valid",
                 "self-signed": "self-signed|self signed", "other-authority": "unable to get local issuer"}
        for name, why in wrong.items():
            server.switch(certificate={"chain": str(self.folder / f"{name}.pem"), "key": str(self.folder / f"{name}.key")})
            context = ssl.create_default_context(cafile=self.folder / "ca.pem")
            with self.subTest(name=name), self.assertRaisesRegex(ssl.SSLCertVerificationError, why):
                with socket.create_connection(("127.0.0.1", server.port)) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1"):
                    pass
            got = ssl.get_server_certificate(("127.0.0.1", server.port))
            self.assertEqual(hashlib.sha256(ssl.PEM_cert_to_DER_cert(got)).hexdigest(), prints[name])
        server.switch()
        with server.wsman() as wsman, WinRS(wsman):
            pass

    def test_a_switch_that_does_not_exist_stops_the_server(self):
        server = Server(self.folder, "--auth", "ntlm", name="typo")
        try:
            server.switch(falts=[])
            self.assertNotEqual(server.process.wait(20), 0)
            self.assertIn("no such switch", server.said())
        finally:
            server.stop()


class Bytes(Case):
    """What goes over the wire, seen by a client that is nothing but a socket."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.start(Server(cls.folder, "--auth", "basic"))

    def answer(self, headers: str = "", body: str = IDENTIFY, logon: bool = True, **rule) -> bytes:
        """Everything that comes until the server closes."""
        self.server.switch(allowUnencrypted=True, faults=[rule] if rule else [])
        known = "Authorization: Basic " + base64.b64encode(b"local:l0cal").decode() + "\r\n" if logon else ""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=20) as plain:
            plain.sendall((f"POST /wsman HTTP/1.1\r\nConnection: close\r\n{headers}{known}Content-Length: {len(body)}\r\n\r\n{body}").encode())
            got = b""
            try:
                while part := plain.recv(65536):
                    got += part
            except ConnectionResetError:
                pass
        self.assertEqual(self.server.counters()["broken"], 0, self.server.said())
        return got

    def test_a_whole_answer_and_one_without_a_logon(self):
        whole = self.answer()
        self.assertTrue(whole.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"OS: 10.0.20349", whole)
        self.assertTrue(self.answer(logon=False).startswith(b"HTTP/1.1 401 "))
        stranger = self.answer("WSMANIDENTIFY: unauthenticated\r\n", logon=False)
        self.assertIn(b"OS: 0.0.0 SP: 0.0 Stack: 3.0", stranger)

    def test_half_an_answer_is_the_beginning_of_the_whole_one(self):
        whole, half = self.answer(), self.answer(do="half")
        self.assertLess(len(half), len(whole))
        self.assertGreater(len(half), len(whole) // 2)
        self.assertIn(b"Content-Length: " + str(len(whole.split(b"\r\n\r\n")[1])).encode(), half)

    def test_a_cut_answer_is_nothing_at_all(self):
        for do in ("cut-before", "cut-middle", "cut-after"):
            self.assertEqual(self.answer(do=do), b"")

    def test_garbage_stands_in_the_body_or_in_the_head(self):
        head, body = self.answer(do="garbage").split(b"\r\n\r\n", 1)
        self.assertIn(b"application/soap+xml", head)
        self.assertEqual(body, bytes(range(256)) * 4)
        self.assertNotIn(b"HTTP", self.answer(do="garbage-head"))

    def test_huge_and_endless_answers_have_the_size_that_was_asked_for(self):
        self.assertEqual(len(self.answer(do="huge", bytes=1024 * 1024).split(b"\r\n\r\n", 1)[1]), 1024 * 1024)
        endless = self.answer(do="endless-head", bytes=1024 * 1024)
        self.assertNotIn(b"\r\n\r\n", endless)
        self.assertGreater(len(endless), 1024 * 1024)

    def test_the_content_type_is_that_of_a_page(self):
        self.assertIn(b"Content-Type: text/html", self.answer(do="content-type"))

    def test_what_is_no_request_gets_no_answer_but_an_error(self):
        self.assertTrue(self.answer(body="<not xml").startswith(b"HTTP/1.1 500"))
        self.assertTrue(self.answer(body=IDENTIFY.replace("<s:Header", '<!DOCTYPE x [<!ENTITY a "b">]><s:Header')).startswith(b"HTTP/1.1 500"))
        self.assertTrue(self.answer("Content-Type: multipart/encrypted;protocol=\"x\"\r\n").startswith(b"HTTP/1.1 400"))


class Quotas(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.start(Server(cls.folder, "--auth", "ntlm"))

    def tearDown(self):
        self.server.switch()
        self.assert_sound(self.server)

    def fault_of(self, act) -> int:
        with self.assertRaises(WSManFaultError) as fault:
            act()
        return fault.exception.code

    def test_shells_per_user(self):
        self.server.switch(quotas={"maxShellsPerUser": 2})
        with self.server.wsman() as wsman, WinRS(wsman), WinRS(wsman):
            self.assertEqual(self.fault_of(WinRS(wsman).open), 2150859173)
            self.assertEqual(self.server.counters()["shellsOpen"], 2)

    @needs_powershell
    def test_processes_per_shell(self):
        self.server.switch(quotas={"maxProcessesPerShell": 1})
        with self.server.wsman() as wsman, WinRS(wsman) as shell:
            Process(shell, "powershell.exe", encoded("Start-Sleep 60"), no_shell=True).begin_invoke()
            self.assertEqual(self.fault_of(Process(shell, "powershell.exe", encoded("1"), no_shell=True).invoke), 2147944216)

    def test_operations_per_user(self):
        self.server.switch(quotas={"maxConcurrentOperationsPerUser": 0})
        with self.server.wsman() as wsman:
            self.assertEqual(self.fault_of(WinRS(wsman).open), 2150859174)

    def test_envelope_size(self):
        self.server.switch(quotas={"maxEnvelopeSize": 4000})
        with self.server.wsman() as wsman, WinRS(wsman) as shell:
            self.assertEqual(self.fault_of(Process(shell, "echo", ["x" * 5000]).invoke), 2150858790)

    @needs_powershell
    def test_memory_per_shell_ends_the_process_as_dotnet_ends(self):
        with self.server.wsman() as wsman, WinRS(wsman) as shell:
            process = Process(shell, "powershell.exe", encoded("'up'; Start-Sleep 60"), no_shell=True)
            process.begin_invoke()
            while b"up" not in process.stdout:
                process.poll_invoke()
            self.server.switch(quotas={"maxMemoryPerShellMb": 1})
            process.end_invoke()
            self.assertEqual(process.rc, 0xE0434352)
            self.assertIn(b"OutOfMemory", process.stderr)

    def test_the_most_shells_at_once_are_counted(self):
        server = self.start(Server(self.folder, "--auth", "ntlm", name="most"))
        with server.wsman() as wsman:
            with WinRS(wsman), WinRS(wsman), WinRS(wsman):
                pass
            with WinRS(wsman):
                pass
        counted = server.counters()
        self.assertEqual([counted[name] for name in ("shellsMost", "shellsCreated", "shellsDeleted", "shellsOpen", "logons")], [3, 4, 4, 0, 1])
