"""The runtime listener's server as processes: its socket, its end, a certificate, its parent."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.cli.children import processes_of
from app.keys.ca import TlsFiles, ensure_tls
from tests.support.database import home_variables
from tests.support.installation import Installation
from tests.support.listener import TACIT
from tests.support.runtime_process import RuntimeProcess, runtime_process


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own."""
    made = Installation.make(tmp_path / "home")
    yield made
    made.services.close()


def _connect(runtime: RuntimeProcess) -> ssl.SSLSocket:
    raw = socket.create_connection(("localhost", runtime.port), 10)
    return runtime.context.wrap_socket(raw, server_hostname="localhost")


def _until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_ends_when_asked_though_connections_are_open(
    installation: Installation, tmp_path: Path
) -> None:
    with runtime_process(installation, tmp_path) as runtime, _connect(runtime) as idle:
        idle.sendall(b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200")
        serving = processes_of(runtime.process.pid)
        runtime.process.send_signal(signal.SIGTERM)
        assert runtime.process.wait(15) == 0
        assert not any(_alive(pid) for pid in serving)


def test_it_dies_with_its_parent(installation: Installation, tmp_path: Path) -> None:
    with runtime_process(installation, tmp_path) as runtime:
        served = processes_of(runtime.process.pid)[1:]
        assert served
        runtime.process.kill()
        runtime.process.wait(10)
        _until(lambda: not any(_alive(pid) for pid in served))


def test_a_killed_server_is_started_again(installation: Installation, tmp_path: Path) -> None:
    with runtime_process(installation, tmp_path) as runtime:
        served = processes_of(runtime.process.pid)[1]
        os.kill(served, signal.SIGKILL)

        def answers() -> bool:
            try:
                return runtime.get("/readyz")[0] == 200
            except OSError:
                return False

        _until(lambda: not _alive(served) and answers())


def test_a_new_certificate_is_taken_up(installation: Installation, tmp_path: Path) -> None:
    with runtime_process(installation, tmp_path) as runtime:
        with _connect(runtime) as before:
            first = before.getpeercert(binary_form=True)
        TlsFiles.below(installation.config.home).certificate.unlink()
        ensure_tls(installation.config.home)
        runtime.process.send_signal(signal.SIGHUP)

        def renewed() -> bool:
            with _connect(runtime) as after:
                return after.getpeercert(binary_form=True) != first

        _until(renewed)
        assert runtime.get("/readyz")[0] == 200


def test_a_port_that_is_taken_is_refused(installation: Installation, tmp_path: Path) -> None:
    with runtime_process(installation, tmp_path) as runtime:
        home = installation.config.home
        kept = {key: value for key, value in os.environ.items() if "TACIT_" not in key}
        second = subprocess.run(
            [TACIT, "runtime", "--port", str(runtime.port)], timeout=30, capture_output=True,
            env=kept | home_variables(home) | {"TACIT_REDIS_URL": installation.config.redis_url},
            check=False,
        )
        assert second.returncode != 0
        assert runtime.get("/readyz")[0] == 200


@pytest.mark.parametrize("head", [
    b"GET /ping HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n",
    b"POST /runtime/v1/claims HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
    b"Content-Length: 3\r\n\r\n{}x",
])
def test_what_no_client_sends_is_refused(
    installation: Installation, tmp_path: Path, head: bytes
) -> None:
    with runtime_process(installation, tmp_path) as runtime, _connect(runtime) as client:
        try:
            client.sendall(head)
            answer = client.recv(4096)
        except OSError:
            answer = b""
        assert answer == b"" or answer.split()[1].startswith(b"4")
