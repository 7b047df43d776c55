"""A stand-in for the runtime listener, for the worker's own tests.

It is a real HTTPS server that speaks the runtime API's protocol and verifies every token, with
plans and values kept in memory instead of the vault and the database. Tests of the whole run
against the real listener (``tests/integration/runtime``, ``tests/e2e``).
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.ids import new_id
from app.keys.ca import ensure_tls, server_context


class Refusal(Exception):
    def __init__(self, status: int, code: str) -> None:
        self.status, self.code = status, code


@dataclass
class PlannedRun:
    """A run as the server would hold it."""

    graph: dict[str, Any]
    inputs: dict[str, Any] = field(default_factory=dict)
    #: node id to (secret name, value, allowed hosts)
    secrets: dict[str, tuple[str, str, list[str] | None]] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    reach: dict[str, Any] = field(default_factory=dict)
    checking: bool = False
    only_check: bool = False
    accesses: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    deadline_in: float | None = None
    answer: str = "running"
    id: str = field(default_factory=new_id)
    claims: int = 0
    public: Ed25519PublicKey | None = None
    kid: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    state: str = "queued"
    problem: dict[str, Any] | None = None
    cancel: bool = False
    fenced: bool = False
    lost: list[dict[str, Any]] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    secret_ids: dict[str, str] = field(default_factory=dict)

    def node(self, node: str) -> dict[str, Any]:
        """The node's last state event's data."""
        return [e["data"] for e in self.events if e["type"] == "node" and e["node"] == node][-1]

    def logs(self) -> list[str]:
        return [event["text"] for event in self.events if event["type"] == "log"]

    def wait(self, seconds: float = 90) -> PlannedRun:
        assert self.done.wait(seconds), (self.state, self.events)
        return self


class RuntimeStandin:
    """The server's state, and what it saw."""

    def __init__(self) -> None:
        self.worker_key = Ed25519PrivateKey.generate()
        self.worker_id, self.key_id = new_id(), new_id()
        self.runs: dict[str, PlannedRun] = {}
        self.heartbeats: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []
        self.jtis: set[Any] = set()
        self.fail_next: list[int] = []  # statuses to answer with, before anything else
        self.cut: list[str] = []  # ends of paths whose next answer is lost on its way
        self.lock = threading.Lock()
        self.url = ""
        self.ca = Path()

    def plan(self, graph: dict[str, Any], **options: Any) -> PlannedRun:
        run = PlannedRun(graph, **options)
        run.secret_ids = {node: new_id() for node in run.secrets}
        self.runs[run.id] = run
        return run

    def key_document(self) -> dict[str, str]:
        raw = base64.urlsafe_b64encode(self.worker_key.private_bytes_raw()).rstrip(b"=").decode()
        return {"worker_id": self.worker_id, "key_id": self.key_id, "name": "one",
                "private_key": raw}

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        parts = urlsplit(path)
        steps = parts.path.strip("/").split("/")
        if parts.path == "/ping":
            return 200, {"ok": True, "unix": time.time()}
        if self.fail_next:
            raise Refusal(self.fail_next.pop(0), "busy")
        token = str(headers.get("Authorization", "")).removeprefix("Bearer ")
        if parts.path == "/runtime/v1/workers/heartbeat":
            self._verify(token, self.worker_key.public_key(), "tacit:worker", self.key_id)
            self.heartbeats.append(body)
            stop = [run for run, _ in body.pop("runs", []) if self.runs[run].cancel]
            return 200, {"ok": True, "name": "one", "unix": time.time(), "stop": stop}
        if parts.path == "/runtime/v1/claims":
            return 200, self._claim(token)
        if parts.path.startswith("/runtime/v1/runs/") and steps[4] == "lost":
            self._verify(token, self.worker_key.public_key(), "tacit:worker", self.key_id)
            run = self._run(steps[3])
            run.lost.append(body)
            run.state = "failed"
            run.done.set()
            return 200, {"ok": True}
        if parts.path.startswith("/runtime/v1/runs/"):
            return 200, self._report(self._run(steps[3]), steps[4], token, body)
        if method == "GET" and steps[:3] == ["api", "v1", "secrets"] and steps[4] == "value":
            return 200, self._value(steps[3], parts.query, token)
        raise Refusal(404, "not_found")

    def _run(self, run_id: str) -> PlannedRun:
        if run_id not in self.runs:
            raise Refusal(404, "run_missing")
        return self.runs[run_id]

    def _verify(self, token: str, key: Any, audience: str, kid: str) -> dict[str, Any]:
        try:
            assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": kid, "typ": "JWT"}
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=["EdDSA"], audience=audience,
                options={"require": ["iss", "sub", "aud", "iat", "nbf", "exp", "jti"]})
            assert claims["exp"] <= claims["iat"] + 60
            assert claims["iss"] == kid
            assert claims["sub"] == self.worker_id
        except Exception:
            raise Refusal(401, "token_invalid") from None
        return claims

    def _spend(self, claims: dict[str, Any]) -> None:
        with self.lock:
            if claims["jti"] in self.jtis:
                raise Refusal(409, "token_spent")
            self.jtis.add(claims["jti"])

    def _claim(self, token: str) -> dict[str, Any]:
        claims = self._verify(token, self.worker_key.public_key(), "tacit:claim", self.key_id)
        self._spend(claims)
        run = self._run(claims["run"])
        if run.state != "queued" or run.answer != "running":
            return {"state": "gone" if run.answer == "running" else run.answer, "run": run.id}
        run.state, run.claims, run.kid = "running", run.claims + 1, new_id()
        run.public = Ed25519PublicKey.from_public_bytes(
            base64.urlsafe_b64decode(claims["pub"] + "="))
        now = time.time()
        return {
            "state": "running", "run": run.id, "claim": run.claims, "kid": run.kid, "unix": now,
            "next_seq": 4, "lease_seconds": 15,
            "deadline_unix": None if run.deadline_in is None else now + run.deadline_in,
            "environment": {"id": new_id(), "name": "default", "reach": run.reach},
            "checking": run.checking, "only_check": run.only_check,
            "flow": {"id": new_id(), "name": "f", "version": 1},
            "inputs": run.inputs, "graph": run.graph,
            "grants": [
                {"node": node, "secret_id": run.secret_ids[node], "name": name, "version": 1,
                 "output_format": "raw", "allowed_hosts": hosts, "weak": False}
                for node, (name, _value, hosts) in run.secrets.items()],
            "limits": {"events": 100_000, "log_bytes": 1 << 24, "output_bytes": 1 << 20,
                       **run.limits},
        }

    def _report(self, run: PlannedRun, what: str, token: str, body: Any) -> dict[str, Any]:
        claims = self._verify(token, run.public, "tacit:run", run.kid)
        if claims["run"] != run.id or claims["claim"] != run.claims:
            raise Refusal(401, "token_invalid")
        if run.fenced:
            raise Refusal(409, "claim_lost")
        with self.lock:
            for event in body.get("events", []):
                expected = (run.events[-1]["seq"] if run.events else 3) + 1
                if event["seq"] == expected:
                    run.events.append(event)
                else:
                    assert event["seq"] < expected, "a gap in the events"
        if what == "finish":
            run.state, run.problem = body["state"], body["problem"]
            run.done.set()
            return {"state": run.state}
        last = run.events[-1]["seq"] if run.events else 3
        return {"stored_through": last, "cancel": run.cancel, "lease_seconds": 15}

    def _value(self, secret_id: str, query: str, token: str) -> dict[str, Any]:
        for run in self.runs.values():
            for node, known in run.secret_ids.items():
                if known == secret_id:
                    claims = self._verify(token, run.public, "tacit:secret-value", run.kid)
                    wanted = {"run": run.id, "claim": run.claims, "node": node, "item": None,
                              "purpose": "use", "secret": secret_id, "version": 1}
                    if any(claims.get(k) != v for k, v in wanted.items()):
                        raise Refusal(403, "grant_mismatch")
                    assert query == "version=1"
                    self._spend(claims)
                    self._spend({"jti": (run.id, run.claims, node, claims["attempt"])})
                    name, value, _ = run.secrets[node]
                    if value == "(denied)":
                        raise Refusal(404, "secret_missing")
                    return {"value": value, "secret_id": secret_id, "version": 1, "name": name}
        raise Refusal(404, "secret_missing")


@contextmanager
def runtime_standin(folder: Path) -> Iterator[RuntimeStandin]:
    """Serve a stand-in on a free port of this machine."""
    standin = RuntimeStandin()
    files = ensure_tls(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            standin.requests.append((self.command, self.path))
            try:
                status, document = standin.answer(self.command, self.path, self.headers, body)
                kind = "application/json"
            except Refusal as refusal:
                status, kind = refusal.status, "application/problem+json"
                document = {"status": status, "code": refusal.code, "title": "Refused",
                            "detail": f"Refused: {refusal.code}."}
            data = json.dumps(document).encode()
            lost = [end for end in standin.cut if self.path.partition("?")[0].endswith(end)]
            if lost and status == 200:
                standin.cut.remove(lost[0])
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _serve

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hangs up is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    server.socket = server_context(files.certificate, files.key).wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False)
    standin.url, standin.ca = f"https://localhost:{server.server_address[1]}", files.ca
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
