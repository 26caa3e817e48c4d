"""The command shell as a session uses it: standard input by Send, output by long polling, signals, idle time, a sweep."""

import threading
import time
import xml.etree.ElementTree as ElementTree

from pypsrp.exceptions import WSManFaultError
from pypsrp.shell import CommandState, Process, SignalCode, WinRS
from pypsrp.wsman import OptionSet, SelectorSet, WSManAction

from .support import Case, Server, alive, encoded, needs_powershell, within

SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
NAMES = {"rsp": SHELL, "n": "http://schemas.xmlsoap.org/ws/2004/09/enumeration", "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"}
# Reads lines until the input ends, and answers each.
ECHO = "$r = New-Object System.IO.StreamReader ([Console]::OpenStandardInput()); while ($null -ne ($l = $r.ReadLine())) { \"got $l\" }; exit 3"


class Shells(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = cls.start(Server(cls.folder, "--auth", "ntlm"))

    def tearDown(self):
        self.server.switch()
        within(lambda: self.server.counters()["shellsOpen"] == 0, "no shell is left")
        self.assertEqual(self.server.counters()["broken"], 0, self.server.said())

    def begin(self, shell: WinRS, script: str, pipe: bool = True) -> Process:
        """Starts a command in pipe mode, as a session does: pypsrp itself leaves the mode open."""
        process = Process(shell, "powershell.exe", encoded(script), no_shell=True)
        original = OptionSet.add_option

        def with_mode(options, name, value, *rest):
            original(options, name, value, *rest)
            if name == "WINRS_SKIP_CMD_SHELL":
                original(options, "WINRS_CONSOLEMODE_STDIN", "FALSE" if pipe else "TRUE")

        try:
            OptionSet.add_option = with_mode
            process.begin_invoke()
        finally:
            OptionSet.add_option = original
        return process

    def read_until(self, process: Process, text: bytes) -> bytes:
        while text not in process.stdout:
            self.assertNotEqual(process.state, CommandState.DONE, process.stdout + process.stderr)
            process.poll_invoke()
        return process.stdout

    @needs_powershell
    def test_standard_input_is_fed_line_by_line_and_closed_by_its_end(self):
        with self.server.wsman() as wsman, WinRS(wsman) as shell:
            process = self.begin(shell, ECHO)
            process.send(b"one\n", end=False)
            self.read_until(process, b"got one")
            process.send(b"two\n", end=False)
            self.read_until(process, b"got two")
            self.assertEqual(process.state, CommandState.RUNNING)
            process.send(b"", end=True)
            while process.state != CommandState.DONE:
                process.poll_invoke()
            self.assertEqual(process.rc, 3)

    @needs_powershell
    def test_receive_without_output_ends_in_the_timeout_fault_and_loses_nothing(self):
        with self.server.wsman() as wsman, WinRS(wsman) as shell:
            process = self.begin(shell, ECHO)
            began = time.monotonic()
            with self.assertRaises(WSManFaultError) as fault:
                shell.receive("stdout stderr", process.id, timeout=1)
            self.assertEqual(fault.exception.code, 2150858793)
            self.assertGreaterEqual(time.monotonic() - began, 1)
            self.server.switch(keepAlive="empty")
            self.assertEqual(shell.receive("stdout stderr", process.id, timeout=1)[0], CommandState.RUNNING)
            process.send(b"still\n", end=False)
            self.read_until(process, b"got still")

    @needs_powershell
    def test_output_above_an_envelope_comes_whole_and_in_order(self):
        self.server.switch(quotas={"maxEnvelopeSize": 20000})
        with self.server.wsman() as wsman, WinRS(wsman) as shell:
            process = Process(shell, "powershell.exe", encoded("1..30000 | ForEach-Object { $_ }"), no_shell=True)
            process.invoke()
            self.assertEqual([int(line) for line in process.stdout.split()], list(range(1, 30001)))

    @needs_powershell
    def test_terminate_ends_the_process_and_what_waits_for_it(self):
        with self.server.wsman() as wsman, WinRS(wsman) as shell:
            process = self.begin(shell, "'pid ' + $pid; Start-Sleep 600")
            pid = int(self.read_until(process, b"\n").split()[1])
            threading.Timer(0.5, lambda: self.other_signal(shell.id, process.id)).start()
            with self.assertRaises(WSManFaultError) as fault:
                process.poll_invoke(timeout=30)
            self.assertEqual(fault.exception.code, 2147943395)
            within(lambda: not alive(pid), "the process ends")
            with self.assertRaises(WSManFaultError) as gone:
                process.poll_invoke(timeout=1)
            self.assertEqual(gone.exception.code, 2150858843)

    def other_signal(self, shell: str, command: str) -> None:
        with self.server.wsman() as wsman:
            body = ElementTree.Element("{%s}Signal" % SHELL, CommandId=command)
            ElementTree.SubElement(body, "{%s}Code" % SHELL).text = SignalCode.TERMINATE
            selectors = SelectorSet()
            selectors.add_option("ShellId", shell)
            wsman.signal(SHELL + "/cmd", body, selector_set=selectors)

    @needs_powershell
    def test_ctrl_c_reaches_the_child_only_through_a_console(self):
        with self.server.wsman() as wsman, WinRS(wsman) as shell:
            piped = self.begin(shell, ECHO)
            piped.signal(SignalCode.CTRL_C)
            piped.send(b"alive\n", end=False)
            self.read_until(piped, b"got alive")
            console = self.begin(shell, "'up'; Start-Sleep 600", pipe=False)
            self.read_until(console, b"up")
            console.signal(SignalCode.CTRL_C)
            while console.state != CommandState.DONE:
                console.poll_invoke()

    @needs_powershell
    def test_a_shell_that_nobody_uses_idles_out_with_its_processes_and_one_that_waits_does_not(self):
        before = self.server.counters()["shellsIdledOut"]
        with self.server.wsman() as wsman:
            shell = WinRS(wsman, idle_time_out=2)
            shell.open()
            process = self.begin(shell, "'pid ' + $pid; Start-Sleep 600")
            pid = int(self.read_until(process, b"\n").split()[1])
            with self.assertRaises(WSManFaultError) as fault:
                shell.receive("stdout stderr", process.id, timeout=4)  # longer than the idle time: a pending Receive is use
            self.assertEqual(fault.exception.code, 2150858793)
            within(lambda: self.server.counters()["shellsIdledOut"] == before + 1, "the shell idles out")
            within(lambda: not alive(pid), "its process ends")
            with self.assertRaises(WSManFaultError) as gone:
                process.poll_invoke(timeout=1)
            self.assertEqual(gone.exception.code, 2150858843)

    @needs_powershell
    def test_a_client_that_goes_while_it_waits_takes_no_output_with_it(self):
        with self.server.wsman() as wsman, WinRS(wsman) as shell:
            process = self.begin(shell, ECHO)
            lost = self.server.wsman()
            waiting = threading.Thread(target=lambda: self.swallow(lost, shell.id, process.id))
            waiting.start()
            within(lambda: self.server.counters()["actions"].get("Receive", 0) > 0, "the other client waits")
            time.sleep(0.3)
            lost.transport.session.close()
            for adapter in lost.transport.session.adapters.values():
                adapter.close()
            waiting.join(20)
            process.send(b"kept\n", end=False)
            self.read_until(process, b"got kept")

    def swallow(self, wsman, shell: str, command: str) -> None:
        """Waits for output with a client that gives up after two seconds."""
        wsman.transport.read_timeout = 2
        body = ElementTree.Element("{%s}Receive" % SHELL)
        ElementTree.SubElement(body, "{%s}DesiredStream" % SHELL, CommandId=command).text = "stdout stderr"
        selectors = SelectorSet()
        selectors.add_option("ShellId", shell)
        try:
            wsman.receive(SHELL + "/cmd", body, selector_set=selectors, timeout=15)
        except Exception:  # giving up is what this client is here for
            wsman.transport.session.close()

    def test_shells_are_enumerated_and_deleted_by_another_client(self):
        with self.server.wsman() as wsman:
            for _ in range(2):
                WinRS(wsman).open()
        with self.server.wsman() as wsman:
            body = ElementTree.Element("{%s}Enumerate" % NAMES["n"])
            ElementTree.SubElement(body, "{%s}OptimizeEnumeration" % NAMES["w"])
            found = wsman.invoke(WSManAction.ENUMERATE, SHELL, body)
            ids = [shell.text for shell in found.iterfind(".//rsp:Shell/rsp:ShellId", NAMES)]
            self.assertEqual(len(ids), 2)
            pulled = wsman.invoke(WSManAction.ENUMERATE, SHELL, ElementTree.Element("{%s}Enumerate" % NAMES["n"]))
            context = pulled.findtext(".//n:EnumerationContext", "", NAMES)
            pull = ElementTree.Element("{%s}Pull" % NAMES["n"])
            ElementTree.SubElement(pull, "{%s}EnumerationContext" % NAMES["n"]).text = context
            again = wsman.invoke(WSManAction.PULL, SHELL, pull)
            self.assertEqual([shell.text for shell in again.iterfind(".//rsp:Shell/rsp:ShellId", NAMES)], ids)
            for shell in ids:
                selectors = SelectorSet()
                selectors.add_option("ShellId", shell)
                wsman.delete(SHELL + "/cmd", selector_set=selectors)

    def test_a_program_that_is_not_there_is_told_by_cmd_or_by_a_fault(self):
        with self.server.wsman() as wsman, WinRS(wsman) as shell:
            through_cmd = Process(shell, "no-such-program", [])
            through_cmd.invoke()
            self.assertEqual(through_cmd.rc, 1)
            with self.assertRaises(WSManFaultError) as fault:
                Process(shell, "no-such-program", [], no_shell=True).invoke()
            self.assertEqual(fault.exception.code, 2147942402)
            long = Process(shell, "echo", ["x" * 9000])
            long.invoke()
            self.assertIn(b"too long", long.stderr)
