"""Who is at the other end of a connection. NTLM, Kerberos and Negotiate belong to the connection, Basic to each request."""

import base64
import binascii
import logging
from dataclasses import dataclass

import spnego
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from spnego._ntlm_raw.messages import Authenticate, AvId, NTClientChallengeV2
from spnego._spnego import NegState, NegTokenInit, NegTokenResp, unpack_token
from spnego.channel_bindings import GssChannelBindings

from .accounts import Account, Accounts
from .counters import Counters

try:
    import gssapi
except ImportError:
    pass  # no Kerberos; the environment's script has said so
else:
    # An error is to be raised at once, with the token for the client, rather than at the next use of the context.
    gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False

log = logging.getLogger("winrm_server")

MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
UPN = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
NO_BINDING = b"\0" * 16


@dataclass
class Verdict:
    """What becomes of a request after its Authorization header was looked at."""

    account: Account | None
    headers: list[tuple[str, str]]
    refused: bool = False


class Authenticator:
    """The state of one connection."""

    def __init__(self, accounts: Accounts, counters: Counters, schemes: set[str], binding: GssChannelBindings | None, peer: bytes | None):
        self.accounts, self.counters, self.schemes = accounts, counters, schemes
        self.binding, self.peer = binding, peer
        self.context = None  # of the logon that is done, for sealing
        self.account: Account | None = None
        self._going = None  # the context of a logon that is not done

    @property
    def over_tls(self) -> bool:
        return self.binding is not None

    @property
    def package(self) -> str:
        """What Windows calls the package of the logon; empty where it made a local account's logon of something else."""
        return {"ntlm": "NTLM", "kerberos": "Kerberos"}.get(self.context.negotiated_protocol if self.context else "", "")

    def check(self, header: str | None, hardening: str, allow_unencrypted: bool) -> Verdict:
        scheme, _, token = (header or "").strip().partition(" ")
        if not scheme:
            return Verdict(self.account, []) if self.account is not None else self._challenge()
        name = scheme.lower()
        if name == "basic" and "basic" in self.schemes and (self.over_tls or allow_unencrypted):
            return self._basic(token)
        if scheme == MUTUAL and "certificate" in self.schemes:
            return self._certificate()
        if name in ("negotiate", "kerberos") and ({"ntlm", "kerberos"} & self.schemes):
            return self._step(scheme, name, token, hardening)
        return self._challenge()

    def _challenge(self, refused: bool = False) -> Verdict:
        headers = []
        if {"ntlm", "kerberos"} & self.schemes:
            headers.append(("WWW-Authenticate", "Negotiate"))
        if "kerberos" in self.schemes:
            headers.append(("WWW-Authenticate", "Kerberos"))
        if "basic" in self.schemes:
            headers.append(("WWW-Authenticate", 'Basic realm="WSMAN"'))
        return Verdict(None, headers, refused)

    def _refuse(self, why: str, account: Account | None, wrong_password: bool = False) -> Verdict:
        """Windows tells no reason: this goes to the log of the tests only."""
        log.info("logon refused: %s (%s)", account.full_name if account else "unknown user", why)
        self.counters.add("failedLogons")
        if wrong_password:
            self.accounts.failed(account)
            self.counters.add_in("badPasswords", account.full_name if account else "?")
        self.context = self.account = self._going = None
        return self._challenge(refused=True)

    def _accept(self, account: Account | None, why_not: str, headers: list[tuple[str, str]]) -> Verdict:
        if account is None:
            return self._refuse(why_not, None)
        if not self.accounts.may_log_on(account):
            return self._refuse(account.state, account)
        self.accounts.logged_on(account)
        self.counters.add("logons")
        return Verdict(account, headers)

    def _basic(self, token: str) -> Verdict:
        try:
            name, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return self._refuse("garbled", None)
        account = self.accounts.find(name)
        # Basic works for local accounts only (Microsoft: Authentication for Remote Connections).
        if account is None or account.domain or account.password != password:
            return self._refuse("wrong password", account, wrong_password=True)
        return self._accept(account, "", [])

    def _certificate(self) -> Verdict:
        if self.peer is None:
            return self._refuse("no client certificate", None)
        return self._accept(self.accounts.by_certificate(names_in(self.peer)), "no mapping for this certificate", [])

    def _step(self, scheme: str, name: str, token: str, hardening: str) -> Verdict:
        try:
            raw = base64.b64decode(token, validate=True)
        except binascii.Error:
            return self._refuse("garbled", None)
        if not raw:
            return self._challenge()
        self.accounts.ntlm_store()
        if self._going is None:
            protocol = "kerberos" if name == "kerberos" else "ntlm" if raw.startswith(b"NTLMSSP\0") else "negotiate"
            if (protocol == "kerberos" and "kerberos" not in self.schemes) or (protocol == "ntlm" and "ntlm" not in self.schemes):
                return self._refuse(f"{protocol} is switched off", None)
            self.context = self.account = None  # a new logon ends the old one, also when it fails
            self._going = spnego.server(protocol=protocol, context_req=spnego.ContextReq.default)
        answered, bound = ntlm_answer(raw)
        user = None if answered is None else self.accounts.find(answered)
        if hardening == "strict" and self.over_tls and bound is False:
            return self._refuse("no channel binding", user)
        # Relaxed: a client that brings a binding must bring the right one (Windows' CbtHardeningLevel).
        bindings = self.binding if hardening != "none" and bound is not False else None
        try:
            out = self._going.step(raw, channel_bindings=bindings)
        except Exception as error:  # pyspnego passes on what the libraries below it raise
            told = error_token(error, raw)
            verdict = self._refuse(f"{type(error).__name__}: {error}", user, wrong_password=answered is not None and "bindings" not in str(error))
            if told is not None:
                # Kerberos has an answer for a failed logon, too: the clocks differ, the ticket is too old.
                verdict.headers = [("WWW-Authenticate", f"{scheme} {base64.b64encode(told).decode()}")]
            return verdict
        headers = [] if not out else [("WWW-Authenticate", f"{scheme} {base64.b64encode(out).decode()}")]
        if not self._going.complete:
            return Verdict(None, headers)
        context, self._going = self._going, None
        if context.negotiated_protocol not in self.schemes:
            return self._refuse(f"{context.negotiated_protocol} is switched off", user)
        if hardening == "strict" and self.over_tls and context.negotiated_protocol == "kerberos" and not kerberos_is_bound(context):
            return self._refuse("no channel binding", user)
        principal = context.client_principal or ""
        verdict = self._accept(self.accounts.find(principal), f"nobody is called {principal}", headers)
        if not verdict.refused:
            self.context, self.account = context, verdict.account
        return verdict


def ntlm_answer(raw: bytes) -> tuple[str | None, bool | None]:
    """The user of an NTLM answer and whether it brings a channel binding; (None, None) for any other token."""
    try:
        inner = raw
        if not raw.startswith(b"NTLMSSP\0"):
            token = unpack_token(raw)
            inner = token.mech_token if isinstance(token, NegTokenInit) else token.response_token if isinstance(token, NegTokenResp) else b""
        if not (inner or b"").startswith(b"NTLMSSP\0\x03"):
            return None, None
        message = Authenticate.unpack(inner)
        name = f"{message.domain_name}\\{message.user_name}" if message.domain_name else message.user_name
        pairs = NTClientChallengeV2.unpack(message.nt_challenge_response[16:]).av_pairs
        return name, pairs.get(AvId.channel_bindings, NO_BINDING) != NO_BINDING
    except Exception:  # whatever it is, it is no NTLM answer; the acceptor will say what is wrong with it
        return None, None


def error_token(error: Exception, asked: bytes) -> bytes | None:
    """The KRB-ERROR that the Kerberos library made of a failure, in the wrapping that the client speaks."""
    token = getattr(getattr(error, "base_error", None), "token", None)
    if not token:
        return None
    wrapped = isinstance(unpack_token(asked), (NegTokenInit, NegTokenResp))
    return NegTokenResp(neg_state=NegState.reject, response_token=token).pack() if wrapped else token


def kerberos_is_bound(context) -> bool:
    """GSS_C_CHANNEL_BOUND_FLAG, which MIT krb5 sets where both sides gave the same binding."""
    while hasattr(context, "_context") and not hasattr(context, "actual_flags"):
        context = context._context
    return bool(int(getattr(context, "actual_flags", 0)) & 2048)


def binding_of(certificate: bytes) -> GssChannelBindings:
    """tls-server-end-point (RFC 5929): the hash of the certificate by its own signature's hash, SHA-256 at least."""
    parsed = x509.load_der_x509_certificate(certificate)
    algorithm = parsed.signature_hash_algorithm
    if algorithm is None or algorithm.name in ("md5", "sha1"):
        algorithm = hashes.SHA256()
    return GssChannelBindings(application_data=b"tls-server-end-point:" + parsed.fingerprint(algorithm))


def names_in(certificate: bytes) -> set[str]:
    """The principal name and the common name of a client certificate."""
    parsed = x509.load_der_x509_certificate(certificate)
    names = {str(a.value) for a in parsed.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)}
    try:
        others = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.OtherName)
        # The value is a DER UTF8String: tag, length (names are short), text.
        names |= {other.value[2:].decode() for other in others if other.type_id == UPN}
    except x509.ExtensionNotFound:
        pass
    return names
