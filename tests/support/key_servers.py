"""Real servers that hold master keys: moto's AWS KMS over HTTP, and OpenBao's dev server."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import httpx


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def kms_server(folder: Path) -> Iterator[str]:
    """Run moto's server; yields its address. AWS's own settings have to be in the environment."""
    port = free_port()
    with _running([str(_program("moto_server")), "-H", "127.0.0.1", "-p", str(port)], folder):
        url = f"http://127.0.0.1:{port}"
        _wait(f"{url}/moto-api/")
        yield url


def create_kms_key(url: str) -> str:
    """Create a symmetric key and return its id."""
    return str(boto3.client("kms", endpoint_url=url).create_key()["KeyMetadata"]["KeyId"])


@contextmanager
def transit_server(folder: Path) -> Iterator[tuple[str, str]]:
    """Run ``bao server -dev`` with a transit engine; yields its address and root token."""
    port, token = free_port(), "root-for-tests"
    arguments = [
        str(_program("bao")), "server", "-dev", f"-dev-root-token-id={token}",
        f"-dev-listen-address=127.0.0.1:{port}",
    ]
    with _running(arguments, folder):
        url = f"http://127.0.0.1:{port}"
        _wait(f"{url}/v1/sys/health")
        bao(url, token, "POST", "sys/mounts/transit", {"type": "transit"})
        yield url, token


@contextmanager
def tls_bao_server(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Run ``bao server -dev-tls``, which makes an authority of its own; yields the server's
    address, root token and the authority's certificate."""
    port, token = free_port(), "root-for-tests"
    arguments = [
        str(_program("bao")), "server", "-dev-tls", f"-dev-tls-cert-dir={folder}",
        f"-dev-root-token-id={token}", f"-dev-listen-address=127.0.0.1:{port}",
    ]
    with _running(arguments, folder):
        authority = folder / "vault-ca.pem"
        url = f"https://127.0.0.1:{port}"
        _wait(f"{url}/v1/sys/health", authority)
        yield url, token, authority


def bao(
    url: str, token: str, method: str, path: str, body: dict[str, object] | None = None, *,
    namespace: str = "", authority: Path | None = None,
) -> httpx.Response:
    """Call the server as an operator would."""
    headers = {"X-Vault-Token": token}
    headers |= {"X-Vault-Namespace": namespace} if namespace else {}
    answer = httpx.request(
        method, f"{url}/v1/{path}", json=body, headers=headers, timeout=20,
        verify=_trusting(authority),
    )
    answer.raise_for_status()
    return answer


def _program(name: str) -> Path:
    return Path(sys.executable).with_name(name)


@contextmanager
def _running(arguments: list[str], folder: Path) -> Iterator[None]:
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            arguments, stdout=log, stderr=log, cwd=folder, start_new_session=True,
            env={**os.environ, "HOME": str(folder)},
        )
        try:
            yield
        finally:
            # The program may be a script that started the server itself.
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(20)


def _trusting(authority: Path | None) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=str(authority)) if authority else True


def _wait(url: str, authority: Path | None = None) -> None:
    give_up = time.monotonic() + 60
    while True:
        try:
            if httpx.get(url, timeout=5, verify=_trusting(authority)).status_code < 500:
                return
        except (httpx.HTTPError, OSError):
            pass
        assert time.monotonic() < give_up, f"{url} does not answer"
        time.sleep(0.05)
