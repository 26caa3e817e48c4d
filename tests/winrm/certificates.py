"""Test certificates: an authority, server certificates right and wrong, client certificates. `certificates.py FOLDER NAME...` makes them all.

FOLDER/ca.pem                        the authority (client certificates are signed by it, too)
FOLDER/<NAME>.pem, <NAME>.key        right: the name, localhost, and the addresses 127.0.0.1 to 127.0.0.16
FOLDER/other-name.pem, .key          of the same authority, for somebody else
FOLDER/expired.pem, .key             right names, ended yesterday
FOLDER/not-yet.pem, .key             right names, begins tomorrow
FOLDER/self-signed.pem, .key         right names, no authority
FOLDER/other-authority.pem, .key     right names, of an authority that nobody trusts (other-ca.pem)
FOLDER/client.pem, .key              for user `drydock@local`; client-other.pem, .key: of the other authority; client-expired.pem, .key
FOLDER/fingerprints.json             SHA-256 of each certificate, for pinning
"""

import datetime
import ipaddress
import json
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
UPN = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


class Authority:
    def __init__(self, name: str):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name).public_key(self.key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(NOW - 2 * DAY).not_valid_after(NOW + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256()))


def certificate(authority: Authority | None, common_name: str, others: list[x509.GeneralName], use: ObjectIdentifier,
                begins: datetime.datetime, ends: datetime.datetime):
    """A certificate and its key; without an authority it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    signer, issuer = (authority.key, authority.name) if authority else (key, name)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(others), critical=False)
        .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256()))
    return made, key


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ours, theirs = Authority("Drydock test authority"), Authority("Somebody else's authority")
    prints = {}

    def write(name: str, made, key=None) -> None:
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        prints[name] = made.fingerprint(hashes.SHA256()).hex()
        if key is not None:
            file = folder / f"{name}.key"
            file.touch(mode=0o600)
            file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def server(name: str, authority: Authority | None, hosts: list[str], begins=NOW - DAY, ends=NOW + 30 * DAY) -> None:
        others = [x509.DNSName(host) for host in hosts]
        others += [x509.IPAddress(ipaddress.ip_address(f"127.0.0.{last}")) for last in range(1, 17)] if name != "other-name" else []
        write(name, *certificate(authority, hosts[0], others, ExtendedKeyUsageOID.SERVER_AUTH, begins, ends))

    def client(name: str, authority: Authority, ends=NOW + 30 * DAY) -> None:
        user = "drydock@local"
        others = [x509.OtherName(UPN, b"\x0c" + bytes([len(user)]) + user.encode())]
        write(name, *certificate(authority, user, others, ExtendedKeyUsageOID.CLIENT_AUTH, NOW - 2 * DAY, ends))

    write("ca", ours.certificate)
    write("other-ca", theirs.certificate)
    for name in names:
        server(name, ours, [name, "localhost"])
    every = [*names, "localhost"]
    server("other-name", ours, ["somebody-else.test"])
    server("expired", ours, every, begins=NOW - 2 * DAY, ends=NOW - DAY)
    server("not-yet", ours, every, begins=NOW + DAY)
    server("self-signed", None, every)
    server("other-authority", theirs, every)
    client("client", ours)
    client("client-other", theirs)
    client("client-expired", ours, ends=NOW - DAY)
    (folder / "fingerprints.json").write_text(json.dumps(prints, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2:])
