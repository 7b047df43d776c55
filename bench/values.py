"""The value endpoint's rate and latency, asked as a run asks it: one signed token a value."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.accounts.service import actor_for_token
from app.config import Config
from app.factory import open_services
from app.runs.service import start_run
from bench.figures import percentile
from bench.installation import Installation, helper
from worker.tokens import Signer, load_identity

CLIENTS = 8
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests per second over all clients, and how long each answer took."""

    per_second: float
    milliseconds: list[float]

    def share(self, share: float) -> float:
        """Return a percentile in milliseconds."""
        return percentile(self.milliseconds, share)


def measure(installation: Installation, flow: str, count: int) -> Rate:
    """Let 8 kept-alive TLS clients fetch a value ``count`` times.

    A run is claimed and its grant used with one token per attempt, since a token is good for one
    value. All tokens are signed beforehand; the clients live in two processes of their own.
    """
    claim, signer = _claim(installation, _start_run(installation, flow))
    grant = claim["grants"][0]
    path = f"/api/v1/secrets/{grant['secret_id']}/value?version={grant['version']}"
    tokens = [value_token(signer, claim, grant, attempt) for attempt in range(1, count + 1)]
    helpers = [helper("bench.values") for _ in range(PROCESSES)]
    running = [one.__enter__() for one in helpers]
    ended = threading.Event()
    lease = threading.Thread(target=_keep_lease, args=(installation, claim, signer, ended))
    lease.start()
    try:
        for number, process in enumerate(running):
            order = {
                "url": installation.running["runtime_url"],
                "ca": str(installation.home / "tls" / "ca.pem"),
                "path": path,
                "tokens": tokens[number::PROCESSES],
            }
            assert process.stdin is not None
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        began = time.monotonic()
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        took: list[float] = []
        for process in running:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            if said["refused"]:
                raise RuntimeError(f"the value endpoint refused: {said['refused']}")
            took += said["milliseconds"]
        return Rate(count / (time.monotonic() - began), took)
    finally:
        ended.set()
        lease.join()
        for one in helpers:
            one.__exit__(None, None, None)


def _keep_lease(
    installation: Installation, claim: dict[str, Any], signer: Signer, ended: threading.Event
) -> None:
    """Renew the run's lease as its process would, or the scheduler takes it for lost."""
    url = urlsplit(installation.running["runtime_url"])
    while not ended.wait(3):
        connection = _connect(url.hostname or "", url.port or 443, installation.home / "tls/ca.pem")
        token = signer.sign("tacit:run", {"run": claim["run"], "claim": claim["claim"]})
        connection.request(
            "POST", f"/runtime/v1/runs/{claim['run']}/heartbeat", "{}",
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        connection.getresponse().read()
        connection.close()


def _start_run(installation: Installation, flow: str) -> str:
    """Insert a run without telling the queue, so that the worker doesn't take it."""
    environ = {"TACIT_HOME": str(installation.home),
               "TACIT_REDIS_URL": installation.running["redis_url"]}
    services = open_services(Config.load(environ), with_vault=False)
    try:
        with services.db.begin() as session:
            actor = actor_for_token(session, installation.token)
            return str(start_run(session, actor, flow).id)
    finally:
        services.db.dispose()


def _claim(installation: Installation, run: str) -> tuple[dict[str, Any], Signer]:
    identity = load_identity(installation.home / "keys" / "worker-local.json")
    signer = Signer.generate()
    ticket = identity.signer.sign("tacit:claim", {"run": run, "pub": signer.public})
    url = urlsplit(installation.running["runtime_url"])
    connection = _connect(url.hostname or "", url.port or 443, installation.home / "tls/ca.pem")
    connection.request(
        "POST", "/runtime/v1/claims", "{}",
        {"Authorization": f"Bearer {ticket}", "Content-Type": "application/json"},
    )
    claim = json.loads(connection.getresponse().read())
    connection.close()
    if claim.get("state") != "running":
        raise RuntimeError(f"the claim was refused: {claim}")
    signer.key_id, signer.worker_id = claim["kid"], identity.worker_id
    return claim, signer


def value_token(
    signer: Signer, claim: dict[str, Any], grant: dict[str, Any], attempt: int
) -> str:
    """Sign a token for one use of a grant."""
    return signer.sign(
        "tacit:secret-value",
        {"run": claim["run"], "claim": claim["claim"], "node": grant["node"], "attempt": attempt,
         "item": None, "purpose": "use", "secret": grant["secret_id"],
         "version": grant["version"]},
    )


def _connect(host: str, port: int, authority: Path) -> http.client.HTTPSConnection:
    context = ssl.create_default_context(cafile=str(authority))
    return http.client.HTTPSConnection(host, port, timeout=30, context=context)


def _client() -> None:
    """One of the client processes: connect, wait for the word, ask, say what came of it.

    Bare TLS sockets and requests made beforehand: on a machine of two cores a client's work is
    taken from the server's.
    """
    order = json.loads(sys.stdin.readline())
    url = urlsplit(order["url"])
    threads = CLIENTS // PROCESSES
    failures: list[str] = []
    took: list[float] = []
    gate = threading.Event()

    def ask(sock: ssl.SSLSocket, requests: Sequence[bytes]) -> None:
        gate.wait()
        for request in requests:
            began = time.perf_counter()
            status = _exchange(sock, request)
            took.append(round((time.perf_counter() - began) * 1000, 3))
            if status != "200":
                failures.append(status)

    context = ssl.create_default_context(cafile=order["ca"])
    clients = []
    for number in range(threads):
        sock = context.wrap_socket(
            socket.create_connection((url.hostname, url.port), 30), server_hostname=url.hostname
        )
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _exchange(sock, _request("/ping", url.netloc))
        requests = [
            _request(order["path"], url.netloc, token)
            for token in order["tokens"][number::threads]
        ]
        clients.append(threading.Thread(target=ask, args=(sock, requests)))
    for client in clients:
        client.start()
    print("ready", flush=True)
    sys.stdin.readline()
    gate.set()
    for client in clients:
        client.join()
    print(json.dumps({"refused": sorted(set(failures)), "milliseconds": took}), flush=True)


def _request(path: str, host: str, token: str = "") -> bytes:
    credential = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{credential}\r\n".encode()


def _exchange(sock: ssl.SSLSocket, request: bytes) -> str:
    """Send a request, read the whole answer, return its status."""
    sock.sendall(request)
    answer = sock.recv(16384)
    while b"\r\n\r\n" not in answer:
        answer += _more(sock)
    head, _, body = answer.partition(b"\r\n\r\n")
    lengths = [line[15:] for line in head.lower().split(b"\r\n")
               if line.startswith(b"content-length:")]
    length = int(lengths[0])
    size = len(body)
    while size < length:
        size += len(_more(sock))
    return head[9:12].decode()


def _more(sock: ssl.SSLSocket) -> bytes:
    part = sock.recv(16384)
    if not part:
        raise ConnectionError("the runtime closed the connection")
    return part


if __name__ == "__main__":
    _client()
