"""A real MIT Kerberos KDC on loopback, with its own realm, configuration and database in one folder. Needs krb5-kdc and krb5-admin-server.

    kdc.py run FOLDER --host node1.lab.test --user svc PASSWORD [--clock +600]   runs until SIGTERM; prints one JSON line when it answers
    kdc.py run FOLDER --host node1.lab.test --managed 'svc-drydock$'               an account whose password nobody types
    kdc.py managed FOLDER 'svc-drydock$'                                         its next password, and <user>.keytab anew
    kdc.py change FOLDER svc PASSWORD                                            a new password, while it runs
    kdc.py state FOLDER svc ok|disabled|expired|password-expired                 what the KDC says of the account from now on
    kdc.py ticket FOLDER svc PASSWORD CACHE [--lifetime 2s]                      a credential cache, as kinit makes it

FOLDER gets krb5.conf (for both sides), node.keytab (HTTP/<host> of every host: `winrm_server --keytab`), <user>.keytab for every user.
A managed account stands for a group managed service account: 240 random bytes, read as UTF-16 and given to Kerberos as UTF-8, as whoever reads
msDS-ManagedPassword does (MS-ADTS: MSDS-MANAGEDPASSWORD_BLOB); with each change a new key version, and the old one is of no use any more.
The realm locks an account after --lockout wrong passwords (5). Accounts need pre-authentication, as in Active Directory.
"""

import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from winrm_server.node import reserved  # noqa: E402

# Debian's folder for administration programs is not on everybody's PATH.
SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
NEEDED = ("krb5kdc", "kdb5_util", "kadmin.local")
FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"


def program(name: str) -> str:
    found = shutil.which(name, path=SEARCH)
    if found is None:
        sys.exit(f"{name} is not there (Debian: krb5-kdc, krb5-admin-server, krb5-user)")
    return found


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"KRB5_CONFIG": str(folder / "krb5.conf"), "KRB5_KDC_PROFILE": str(folder / "kdc.conf")}


def admin(folder: Path, *words: str | bytes) -> None:
    done = subprocess.run([program("kadmin.local"), *words], env=environment(folder), capture_output=True, text=True, check=False)
    # kadmin.local ends with 0 after most errors; its own words tell.
    if done.returncode != 0 or "while" in done.stderr:
        sys.exit(f"kadmin.local {words[0]}: {done.stderr.strip()}")


def configure(folder: Path, realm: str, address: str, port: int, hosts: list[str]) -> None:
    mapped = "".join(f"    {host} = {realm}\n" for host in hosts)
    (folder / "krb5.conf").write_text(
        f"[libdefaults]\n    default_realm = {realm}\n    dns_lookup_kdc = false\n    dns_lookup_realm = false\n    dns_canonicalize_hostname = false\n"
        f"    rdns = false\n    udp_preference_limit = 1\n    forwardable = false\n"
        f"[realms]\n    {realm} = {{\n        kdc = {address}:{port}\n    }}\n[domain_realm]\n{mapped}")
    (folder / "kdc.conf").write_text(
        f"[kdcdefaults]\n    kdc_listen = {address}:{port}\n    kdc_tcp_listen = {address}:{port}\n[realms]\n    {realm} = {{\n"
        f"        database_name = {folder}/principal\n        key_stash_file = {folder}/stash\n        acl_file = {folder}/acl\n"
        f"        max_life = 10h\n        default_principal_flags = +preauth\n    }}\n[logging]\n    kdc = FILE:{folder}/kdc.log\n")


def create(folder: Path, options: argparse.Namespace) -> None:
    subprocess.run([program("kdb5_util"), "create", "-s", "-P", "master", "-r", options.realm], env=environment(folder), check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    admin(folder, "addpol", "-maxfailure", str(options.lockout), "-failurecountinterval", "0", "-lockoutduration", "0", "lockout")
    for host in options.host:
        admin(folder, "addprinc", "-randkey", f"HTTP/{host}")
        admin(folder, "ktadd", "-k", str(folder / "node.keytab"), f"HTTP/{host}")
    for name, password in options.user:
        admin(folder, "addprinc", "-policy", "lockout", "+requires_preauth", "-pw", password, name)
        admin(folder, "ktadd", "-norandkey", "-k", str(folder / f"{name}.keytab"), name)
    for name in options.managed:
        admin(folder, "addprinc", "-policy", "lockout", "+requires_preauth", "-randkey", name)
        manage(folder, name)


def manage(folder: Path, name: str) -> None:
    text = "\0"
    while "\0" in text:
        # Units that are half a character become U+FFFD; a zero cannot be handed to kadmin.local.
        text = secrets.token_bytes(240).decode("utf-16-le", "replace")
    admin(folder, "cpw", "-pw", text.encode(), name)
    (folder / f"{name}.keytab").unlink(missing_ok=True)
    admin(folder, "ktadd", "-norandkey", "-k", str(folder / f"{name}.keytab"), name)


def run(options: argparse.Namespace) -> None:
    folder: Path = options.folder.resolve()
    for name in NEEDED:
        program(name)
    folder.mkdir(parents=True, exist_ok=True)
    holder = reserved(options.address, options.port)
    port = holder.getsockname()[1]
    configure(folder, options.realm, options.address, port, options.host)
    if not (folder / "principal").exists():
        create(folder, options)
    skewed = environment(folder)
    if options.clock:
        libraries = sorted(Path("/").glob(FAKETIME[1:]))
        if not libraries:
            sys.exit("--clock needs libfaketime (Debian: libfaketime)")
        skewed |= {"LD_PRELOAD": str(libraries[0]), "FAKETIME": options.clock, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    kdc = subprocess.Popen([program("krb5kdc"), "-n", "-P", str(folder / "kdc.pid")], env=skewed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: kdc.terminate())
    began = time.monotonic()
    while True:
        if kdc.poll() is not None or time.monotonic() - began > 20:
            kdc.kill()
            sys.exit(f"krb5kdc does not answer: {(folder / 'kdc.log').read_text()[-500:] if (folder / 'kdc.log').exists() else 'no log'}")
        try:
            socket.create_connection((options.address, port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.02)
    print(json.dumps({"ready": True, "pid": os.getpid(), "kdc": kdc.pid, "realm": options.realm, "address": options.address, "port": port,
                      "configuration": str(folder / "krb5.conf"), "keytab": str(folder / "node.keytab")}), flush=True)
    parent = os.getppid()
    while kdc.poll() is None:
        if options.with_parent and os.getppid() != parent:
            kdc.terminate()
        try:
            kdc.wait(0.5)
        except subprocess.TimeoutExpired:
            pass
    sys.exit(0 if kdc.returncode in (0, -signal.SIGTERM) else 1)


def state(folder: Path, name: str, wanted: str) -> None:
    admin(folder, "modprinc", "-unlock", name)
    unlocked = int(time.time())
    past = "2001-01-01"
    admin(folder, "modprinc", "-allow_tix" if wanted == "disabled" else "+allow_tix", name)
    admin(folder, "modprinc", "-expire", past if wanted == "expired" else "never", name)
    admin(folder, "modprinc", "-pwexpire", past if wanted == "password-expired" else "never", name)
    # The KDC's times are whole seconds, and it takes no failure for one that is not later than the unlocking: those of the same second would not be counted.
    while int(time.time()) <= unlocked:
        time.sleep(0.02)


def ticket(folder: Path, name: str, password: str, cache: Path, lifetime: str | None) -> None:
    words = [program("kinit"), "-c", f"FILE:{cache}"] + (["-l", lifetime] if lifetime else []) + [name]
    done = subprocess.run(words, input=password + "\n", env=environment(folder), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.strip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    begin = verbs.add_parser("run")
    begin.add_argument("folder", type=Path)
    begin.add_argument("--realm", default="LAB.TEST")
    begin.add_argument("--address", default="127.0.0.1")
    begin.add_argument("--port", type=int, default=0)
    begin.add_argument("--host", action="append", default=[])
    begin.add_argument("--user", nargs=2, action="append", default=[], metavar=("NAME", "PASSWORD"))
    begin.add_argument("--managed", action="append", default=[], metavar="NAME")
    begin.add_argument("--lockout", type=int, default=5)
    begin.add_argument("--with-parent", action="store_true", help="end when the process that started it is gone")
    begin.add_argument("--clock", help="the KDC's clock is off by so many seconds (libfaketime's form: +600)")
    for verb, names in {"change": ["name", "password"], "managed": ["name"], "state": ["name", "wanted"], "ticket": ["name", "password", "cache"]}.items():
        each = verbs.add_parser(verb)
        each.add_argument("folder", type=Path)
        for name in names:
            each.add_argument(name, choices=["ok", "disabled", "expired", "password-expired"] if name == "wanted" else None)
        if verb == "ticket":
            each.add_argument("--lifetime")
    options = parser.parse_args()
    if options.verb == "run":
        run(options)
    elif options.verb == "change":
        admin(options.folder.resolve(), "cpw", "-pw", options.password, options.name)
    elif options.verb == "managed":
        manage(options.folder.resolve(), options.name)
    elif options.verb == "state":
        state(options.folder.resolve(), options.name, options.wanted)
    else:
        ticket(options.folder.resolve(), options.name, options.password, Path(options.cache).resolve(), options.lifetime)


if __name__ == "__main__":
    main()
