"""TLS settings of one node's own: more authorities, and a client's certificate out of memory."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Final

from app.providers.egress import make_tls_context
from app.providers.errors import EgressError

_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"
_ENCRYPTED: Final = ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED")


def own_context(trust: Path | None, ca: str = "", client: str = "") -> ssl.SSLContext:
    """Return TLS settings that verify servers as the guard's do, and answer for a client.

    :param ca: authorities in PEM to trust besides; public.
    :param client: certificate, chain and private key in PEM. Never on disk: OpenSSL reads it
        from an anonymous file in memory, which is gone when this returns.
    :raises EgressError: ``ca_not_valid``, ``client_certificate_not_valid``; quote nothing.
    """
    context = make_tls_context(trust)
    if ca.strip():
        try:
            context.load_verify_locations(cadata=ca)
        except (ssl.SSLError, ValueError):
            raise EgressError(
                "ca_not_valid", "Authority isn't a certificate in PEM. Paste it whole."
            ) from None
    if client:
        _load_client(context, client)
    return context


def _load_client(context: ssl.SSLContext, client: str) -> None:
    if any(mark in client for mark in _ENCRYPTED):
        raise _not_valid("its private key is encrypted; store it without a passphrase")
    if _CERTIFICATE not in client or "PRIVATE KEY-----" not in client:
        raise _not_valid("it has to hold a certificate and its private key, both in PEM")
    if not hasattr(os, "memfd_create"):
        raise _not_valid("this worker's system has no files in memory (memfd), which it needs")
    file = os.memfd_create("client-certificate", os.MFD_CLOEXEC)
    try:
        data = memoryview(client.encode())
        while data:
            data = data[os.write(file, data):]
        # The password is never asked for on a terminal, whatever the key turns out to be.
        context.load_cert_chain(f"/proc/self/fd/{file}", password=b"")
    except ssl.SSLError:
        raise _not_valid("certificate and private key can't be read, or don't belong together") \
            from None
    except OSError:
        raise _not_valid("this worker can't read it out of memory (/proc isn't there)") from None
    finally:
        os.close(file)


def _not_valid(why: str) -> EgressError:
    return EgressError(
        "client_certificate_not_valid",
        f"The secret wired into client_certificate can't be used: {why}.",
    )
