"""The local certificate authority and the listeners' certificate.

``tacit up`` makes both on the first start, so that TLS is never switched off for want of a
certificate. The authority is name-constrained (RFC 5280, section 4.2.1.10) to the hosts of this
installation: who imports it into a browser doesn't trust it for anything else.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from app.errors import ConfigError
from app.ids import utcnow

CA_LIFE = timedelta(days=3652)
LEAF_LIFE = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
ALWAYS = ("localhost", "127.0.0.1", "::1")
"""Hosts that every certificate covers."""

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where the authority and the listeners' certificate lie.

    ``renewed`` says whether the certificate was made just now, ``ca_replaced`` whether the
    authority was: who trusted the old one has to import the new one.
    """

    ca: Path
    ca_key: Path
    certificate: Path
    key: Path
    renewed: bool = False
    ca_replaced: bool = False

    @classmethod
    def below(cls, home: Path) -> TlsFiles:
        """Name the files of an installation."""
        folder = home / "tls"
        return cls(
            folder / "ca.pem", folder / "ca.key", folder / "server.pem", folder / "server.key"
        )


def ensure_tls(home: Path, hosts: Iterable[str] = (), *, now: datetime | None = None) -> TlsFiles:
    """Make the local authority and the listeners' certificate, or renew what needs it.

    The certificate is made anew when it ends within 30 days or doesn't cover ``hosts``; the
    authority when it ends within 30 days or its constraints shut one of them out.

    :param hosts: names and addresses of the listeners beyond :data:`ALWAYS`.
    :raises ConfigError: a host is neither a DNS name nor an address, or a file can't be read.
    """
    moment = now or utcnow()
    wanted = _Hosts((*ALWAYS, *hosts))
    files = TlsFiles.below(home)
    files.ca.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = _read_authority(files)
    replaced = authority is not None and not authority.fits(wanted, moment)
    if authority is None or replaced:
        authority = _Authority.make(wanted, moment)
        _write(files.ca_key, _private_pem(authority.key), 0o600)
        _write(files.ca, _pem(authority.certificate), 0o644)
    elif _leaf_fits(files, authority, wanted, moment):
        return files
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = authority.issue(key, wanted, moment)
    _write(files.key, _private_pem(key), 0o600)
    _write(files.certificate, _pem(leaf) + _pem(authority.certificate), 0o644)
    return TlsFiles(
        files.ca, files.ca_key, files.certificate, files.key,
        renewed=True, ca_replaced=replaced,
    )


def certificate_end(path: Path) -> datetime:
    """Return when the certificate in ``path`` ends.

    :raises ConfigError: there is none that can be read.
    """
    return _read_certificate(path).not_valid_after_utc


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return the TLS context of a listener: TLS 1.2 or later, this certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


class _Hosts:
    """Host names, split into what a certificate tells apart."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self.names: list[str] = []
        self.addresses: list[IPAddress] = []
        for host in hosts:
            self._add(host.strip().strip("[]").rstrip("."))

    def _add(self, host: str) -> None:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            name = host.lower()
            if not name or len(name) > 253 or not name.isascii() or " " in name or "*" in name:
                raise ConfigError(
                    "host_invalid",
                    f"“{host}” can't stand in a certificate; set TACIT_HOST to a DNS name "
                    "(in its ASCII form) or an IP address.",
                ) from None
            if name not in self.names:
                self.names.append(name)
            return
        # “All interfaces” is an address to bind to, not one to be reached at.
        if not address.is_unspecified and address not in self.addresses:
            self.addresses.append(address)

    @cached_property
    def general_names(self) -> list[x509.GeneralName]:
        return [
            *(x509.DNSName(name) for name in self.names),
            *(x509.IPAddress(address) for address in self.addresses),
        ]

    @cached_property
    def subtrees(self) -> list[x509.GeneralName]:
        return [
            *(x509.DNSName(name) for name in self.names),
            *(x509.IPAddress(ipaddress.ip_network(address)) for address in self.addresses),
        ]


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, hosts: _Hosts, now: datetime) -> _Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        # The serial in the name tells two authorities of one machine apart in a trust store.
        serial = x509.random_serial_number()
        name = _name(f"Tacit local CA {serial:x}"[:40])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.NameConstraints(hosts.subtrees, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    def fits(self, hosts: _Hosts, now: datetime) -> bool:
        if self.certificate.not_valid_after_utc - now < RENEW_BEFORE:
            return False
        constraints = self.certificate.extensions.get_extension_for_class(x509.NameConstraints)
        allowed = set(constraints.value.permitted_subtrees or ())
        return all(subtree in allowed for subtree in hosts.subtrees)

    def issue(
        self, key: ec.EllipticCurvePrivateKey, hosts: _Hosts, now: datetime
    ) -> x509.Certificate:
        issuer_id = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return (
            x509.CertificateBuilder()
            .subject_name(_name(hosts.names[-1][:64]))
            .issuer_name(self.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(min(now + LEAF_LIFE, self.certificate.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
            .add_extension(x509.SubjectAlternativeName(hosts.general_names), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id.value),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )


def _leaf_fits(files: TlsFiles, authority: _Authority, hosts: _Hosts, now: datetime) -> bool:
    if not files.key.exists() or not files.certificate.exists():
        return False
    leaf = _read_certificate(files.certificate)
    if leaf.not_valid_after_utc - now < RENEW_BEFORE:
        return False
    try:
        leaf.verify_directly_issued_by(authority.certificate)
    except Exception:
        # Whatever the reason is: a certificate of another authority is of no use.
        return False
    covered = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return all(name in covered for name in hosts.general_names)


def _read_authority(files: TlsFiles) -> _Authority | None:
    if not files.ca.exists() and not files.ca_key.exists():
        return None
    certificate = _read_certificate(files.ca)
    try:
        key = serialization.load_pem_private_key(files.ca_key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            "ca_key_unreadable",
            f"The key of the local CA, {files.ca_key}, can't be read. Put it back, or remove "
            f"{files.ca} as well to have a new CA made.",
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError("ca_key_unreadable", f"{files.ca_key} is not an EC key.")
    return _Authority(certificate, key)


def _read_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            "certificate_unreadable",
            f"The certificate {path} can't be read. Put it back, or remove it and its key to "
            "have new ones made.",
        ) from error


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write through a temporary file, so that a stop in between leaves the old one whole."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
