"""Real secret managers: moto's AWS Secrets Manager behind a gate that can refuse, and OpenBao."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3

from tests.support.key_servers import bao, kms_server, tls_bao_server, transit_server

REGION = "eu-west-1"
ACCESS_KEY = {"access_key_id": "AKIAIOSFODNN7EXAMPLE",
              "secret_access_key": "CANARY-wJalrXUtnFEMI/K7MDENG/bPxRfiCY"}
CREDENTIALS = json.dumps(ACCESS_KEY)


@dataclass
class Gate:
    """Stands before a server, passes requests on, and refuses when it is told to.

    :ivar refuse: ``(status, AWS code)`` for the next requests, in order.
    :ivar denied: operations that are always refused, ``DescribeSecret`` say.
    :ivar after: what happens behind an operation's back, once it was answered.
    """

    url: str = ""
    refuse: list[tuple[int, str]] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    hang: bool = False
    after: dict[str, Callable[[], object]] = field(default_factory=dict)


@contextmanager
def gate(upstream: str) -> Iterator[Gate]:
    """Serve a gate before ``upstream``."""
    made = Gate()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            made.seen.append(operation)
            if made.hang:
                made.held.wait(30)
            if made.refuse:
                return self._refuse(*made.refuse.pop(0))
            if operation in made.denied:
                return self._refuse(400, "AccessDeniedException")
            headers = {name: value for name, value in self.headers.items()
                       if name.lower() not in ("host", "content-length", "connection")}
            request = urllib.request.Request(upstream + self.path, body, headers, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=20) as answer:
                    status, content = answer.status, answer.read()
                made.after.pop(operation, lambda: None)()
                self._answer(status, content)
            except urllib.error.HTTPError as error:
                self._answer(error.code, error.read())

        def _refuse(self, status: int, code: str) -> None:
            self._answer(status, json.dumps({"__type": code, "message": "no"}).encode())

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield made
    finally:
        made.held.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def aws_manager(folder: Path) -> Iterator[tuple[Gate, Any]]:
    """Run moto behind a gate; yields the gate and a client that an operator would use."""
    with kms_server(folder) as url, gate(url) as made:
        client = boto3.client(
            "secretsmanager", endpoint_url=url, region_name=REGION,
            aws_access_key_id="operator", aws_secret_access_key="operator",
        )
        yield made, client


@dataclass(frozen=True)
class Bao:
    """An OpenBao server with a KV engine of each version: ``secret`` (2) and ``old`` (1)."""

    url: str
    root: str
    authority: Path | None = None

    def call(
        self, method: str, path: str, body: dict[str, object] | None = None, namespace: str = ""
    ) -> Any:
        """Call it as its operator."""
        answer = bao(self.url, self.root, method, path, body, namespace=namespace,
                     authority=self.authority)
        return answer.json() if answer.content else None

    def token(self, rules: str, namespace: str = "", ttl: str = "1h") -> str:
        """Return a token that may do what the rules (HCL) say."""
        name = f"p{abs(hash(rules))}"
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": rules}, namespace)
        made = self.call(
            "POST", "auth/token/create", {"policies": [name], "ttl": ttl}, namespace)
        return str(made["auth"]["client_token"])

    def role(self, rules: str, namespace: str = "", mount: str = "approle", **more: object) -> str:
        """Return JSON with role_id and secret_id of an AppRole that may do what the rules say."""
        self.call("POST", f"sys/auth/{mount}", {"type": "approle"}, namespace)
        self.call("PUT", "sys/policies/acl/role", {"policy": rules}, namespace)
        at = f"auth/{mount}/role/app"
        self.call("POST", at, {"token_policies": ["role"], **more}, namespace)
        role = self.call("GET", f"{at}/role-id", None, namespace)["data"]["role_id"]
        secret = self.call("POST", f"{at}/secret-id", None, namespace)["data"]["secret_id"]
        return json.dumps({"role_id": role, "secret_id": secret})


@contextmanager
def vault_manager(folder: Path) -> Iterator[Bao]:
    """Run OpenBao's dev server with both engines."""
    with transit_server(folder) as (url, root):
        made = Bao(url, root)
        made.call("POST", "sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
        yield made


@contextmanager
def tls_vault_manager(folder: Path) -> Iterator[Bao]:
    """Run OpenBao's dev server behind TLS, under an authority of its own."""
    with tls_bao_server(folder) as (url, root, authority):
        yield Bao(url, root, authority)
