#!/bin/sh
# Makes the Python environment of the tests' WinRM server in TARGETDIR/winrm, from PyPI, every file pinned by its hash. Quick when it is there already;
# several callers at once wait for each other. Prints the path of its interpreter on standard output; what is left out, and why, on standard error.
# Usage: environment.sh TARGETDIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
target=$(cd "$1" && pwd)/winrm
exec 9>"$target.lock"
flock 9

say() { printf 'winrm server: %s\n' "$*" >&2; }

# The stamp is written last: an environment without the right one is unfinished or old, and is made anew.
stamp=$(cat "$here"/requirements*.txt "$here/environment.sh" | sha256sum | cut -d' ' -f1)
kerberos=absent
if command -v krb5-config >/dev/null 2>&1 && command -v gcc >/dev/null 2>&1; then kerberos=present; fi
if [ "$(cat "$target/stamp" 2>/dev/null)" != "$stamp $kerberos" ]; then
    python=$(command -v python3.11 || command -v python3 || true)
    if [ -z "$python" ]; then say 'left out: there is no python3'; exit 1; fi
    rm -rf "$target"
    "$python" -m venv "$target" || { say 'left out: python3 cannot make a venv (Debian: python3-venv)'; exit 1; }
    install() { "$target/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes "$@" >"$target/pip.log" 2>&1; }
    install --only-binary :all: -r "$here/requirements.txt" || { say "left out: PyPI cannot be reached ($(tail -n 1 "$target/pip.log"))"; exit 1; }
    : >"$target/missing"
    install --only-binary :all: -r "$here/requirements-bench.txt" ||
        echo "third-party clients (pypsrp, pywinrm, ansible): $(tail -n 1 "$target/pip.log")" >>"$target/missing"
    if [ $kerberos = present ]; then
        # Both come as source only; what builds them is pinned as well, so pip must not fetch a build environment of its own. Most of the
        # minutes this takes are the compiler's optimiser, which tests do not need.
        export CFLAGS=-O0
        { install --only-binary :all: -r "$here/requirements-build.txt" && install --no-build-isolation -r "$here/requirements-kerberos.txt"; } ||
            echo "Kerberos: $(tail -n 1 "$target/pip.log")" >>"$target/missing"
    else
        echo 'Kerberos: needs gcc and krb5-config (Debian: libkrb5-dev)' >>"$target/missing"
    fi
    echo "$stamp $kerberos" >"$target/stamp"
fi
while read -r line; do say "left out: $line"; done <"$target/missing"
echo "$target/bin/python"
