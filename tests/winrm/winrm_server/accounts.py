"""The accounts that may log on: a JSON file, read anew whenever it changed, so that a test can change a password in mid-run.

{"lockoutThreshold": 5, "users": [{"name": "svc", "domain": "LAB", "password": "...", "state": "ok", "administrator": true, "certificate": "svc@lab.test"}]}

A user without a domain is a local one. States: ok, locked, disabled, expired (the account), password-expired. Whatever is wrong, Windows
answers a logon over HTTP with the same 401.
"""

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from spnego._ntlm_raw.crypto import ntowfv1


@dataclass
class Account:
    name: str
    password: str = ""
    domain: str | None = None
    realm: str | None = None  # the long name of the domain, for user@realm over NTLM
    state: str = "ok"
    administrator: bool = True
    shell: bool = False  # no administrator, and may open a remote shell all the same (winrm configSDDL default)
    certificate: str | None = None

    @property
    def full_name(self) -> str:
        return f"{self.domain}\\{self.name}" if self.domain else self.name


class Accounts:
    def __init__(self, file: Path, machine: str):
        self.file, self.machine = file, machine
        self.users: list[Account] = []
        self.threshold: int | None = None
        self._bad: dict[str, int] = {}
        self._stamp: tuple | None = None
        # Beside the accounts, so that it goes with their folder where the server is killed.
        self._store = Path(f"{file}.{os.getpid()}.{machine}.hashes")
        self._load()

    def close(self) -> None:
        self._store.unlink(missing_ok=True)

    def _load(self) -> None:
        status = self.file.stat()
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp == self._stamp:
            return
        document = json.loads(self.file.read_text())
        self.users = [Account(**user) for user in document["users"]]
        self.threshold = document.get("lockoutThreshold")
        self._bad.clear()
        self._stamp = stamp
        # The form that pyspnego's acceptor looks accounts up in: hashes, as a password may hold the field separator.
        lines = []
        for user in self.users:
            if user.domain:
                names = [f"{user.domain}\\{user.name}", f"{user.name}@{user.domain}"] + ([f"{user.name}@{user.realm}"] if user.realm else [])
            else:
                names = [user.name, f"{self.machine}\\{user.name}", f".\\{user.name}"]
            digest = base64.b16encode(ntowfv1(user.password)).decode()
            lines += [f"{name}:1000:{'0' * 32}:{digest}:[U]:LCT-0" for name in names]
        beside = self._store.with_suffix(".new")
        beside.touch(mode=0o600)
        beside.write_text("\n".join(lines) + "\n")
        beside.replace(self._store)

    def ntlm_store(self) -> None:
        """Names the file that the NTLM acceptor looks into, for the steps that follow at once."""
        self._load()
        os.environ["NTLM_USER_FILE"] = str(self._store)

    def find(self, name: str) -> Account | None:
        """A user by any name Windows knows it by: DOMAIN\\user, user@domain, MACHINE\\user, user."""
        self._load()
        domain, user = None, name
        if "\\" in name:
            domain, user = name.split("\\", 1)
        elif "@" in name:
            user, domain = name.rsplit("@", 1)
        for account in self.users:
            own = (account.domain or "").lower()
            asked = (domain or "").lower()
            # A Kerberos realm begins with the short name of its domain.
            same = asked in (own, "") or asked.split(".")[0] == own or (not own and asked in (self.machine.lower(), "."))
            if account.name.lower() == user.lower() and same:
                return account
        return None

    def by_certificate(self, names: set[str]) -> Account | None:
        """Certificates are mapped to local users only (Microsoft: Authentication for Remote Connections)."""
        self._load()
        return next((a for a in self.users if a.certificate in names and a.certificate and not a.domain), None)

    def failed(self, account: Account | None) -> None:
        """Counts a wrong password, and locks the account at the threshold."""
        if account is not None:
            self._bad[account.full_name] = self._bad.get(account.full_name, 0) + 1

    def may_log_on(self, account: Account) -> bool:
        locked = self.threshold is not None and self._bad.get(account.full_name, 0) >= self.threshold
        return account.state == "ok" and not locked

    def logged_on(self, account: Account) -> None:
        self._bad.pop(account.full_name, None)
