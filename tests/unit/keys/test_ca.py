"""The local CA: constrained, private, renewed in time, and accepted by a real TLS client."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from app.errors import ConfigError
from app.ids import utcnow
from app.keys.ca import certificate_end, ensure_tls, server_context


def _handshake(files, name: str) -> None:
    server = socket.create_server(("127.0.0.1", 0))
    context = server_context(files.certificate, files.key)

    def answer() -> None:
        connection, _ = server.accept()
        try:
            context.wrap_socket(connection, server_side=True).close()
        except (ssl.SSLError, OSError):
            connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    client = ssl.create_default_context(cafile=str(files.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        with socket.create_connection(("127.0.0.1", server.getsockname()[1])) as plain:
            client.wrap_socket(plain, server_hostname=name).close()
    finally:
        thread.join()
        server.close()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "tacit.example.org"])
def test_clients_accept_every_host_of_the_installation(tmp_path: Path, name: str) -> None:
    _handshake(ensure_tls(tmp_path, ["tacit.example.org"]), name)


def test_keys_are_private(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path)
    for key in (files.ca_key, files.key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_ca_is_bound_to_the_hosts(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path, ["tacit.example.org", "10.1.2.3"])
    ca = x509.load_pem_x509_certificate(files.ca.read_bytes())
    constraint = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraint.critical
    assert {str(name.value) for name in constraint.value.permitted_subtrees or ()} == {
        "localhost", "tacit.example.org", "127.0.0.1/32", "::1/128", "10.1.2.3/32",
    }


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    first = ensure_tls(tmp_path)
    before = first.certificate.read_bytes()
    second = ensure_tls(tmp_path)
    assert first.renewed
    assert not second.renewed
    assert second.certificate.read_bytes() == before


def test_certificate_is_renewed_a_month_before_its_end_and_the_ca_stays(tmp_path: Path) -> None:
    files = ensure_tls(tmp_path)
    ca = files.ca.read_bytes()
    soon = utcnow() + timedelta(days=397 - 29)
    renewed = ensure_tls(tmp_path, now=soon)
    assert renewed.renewed
    assert not renewed.ca_replaced
    assert renewed.ca.read_bytes() == ca
    assert certificate_end(renewed.certificate) - soon > timedelta(days=300)


def test_a_new_host_outside_the_constraints_needs_a_new_ca(tmp_path: Path) -> None:
    ensure_tls(tmp_path)
    files = ensure_tls(tmp_path, ["tacit.example.org"])
    assert files.ca_replaced
    _handshake(files, "tacit.example.org")


def test_all_interfaces_is_not_a_host(tmp_path: Path) -> None:
    assert not ensure_tls(tmp_path, ["0.0.0.0"]).ca_replaced


def test_lost_ca_key_is_said(tmp_path: Path) -> None:
    ensure_tls(tmp_path).ca_key.unlink()
    with pytest.raises(ConfigError) as raised:
        ensure_tls(tmp_path)
    assert raised.value.code == "ca_key_unreadable"


@pytest.mark.parametrize("host", ["", "two words", "*.example.org", "bücher.example"])
def test_impossible_host_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError) as raised:
        ensure_tls(tmp_path, [host])
    assert raised.value.code == "host_invalid"
