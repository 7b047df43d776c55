"""Real HTTP servers that answer by path and remember what they were asked, plain and TLS."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    client: Any = None
    """The client's certificate, where one was asked for."""


@dataclass
class Server:
    """What it listens on, what it was asked, and who answers which path, and any other."""

    httpd: ThreadingHTTPServer
    scheme: str
    seen: list[Request] = field(default_factory=list)
    routes: dict[str, Callable[[Any, Request], None]] = field(default_factory=dict)
    otherwise: Callable[[Any, Request], None] = field(default_factory=lambda: echo)

    @property
    def port(self) -> int:
        return int(self.httpd.server_port)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


def reply(handler: Any, body: bytes = b"", status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def answer_json(handler: Any, data: Any, status: int = 200, **headers: str) -> None:
    reply(handler, json.dumps(data).encode(), status, Content_Type="application/json", **headers)


def redirect(location: str, status: int = 302) -> Callable[[Any, Request], None]:
    return lambda handler, request: reply(handler, status=status, Location=location)


def echo(handler: Any, request: Request) -> None:
    answer_json(handler, {
        "method": request.method, "headers": request.headers,
        "body": request.body.decode("utf-8", "replace"),
    })


@contextmanager
def serving(context: ssl.SSLContext | None = None, address: str = "127.0.0.1") -> Iterator[Server]:
    """Serve on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            peer = getattr(self.connection, "getpeercert", lambda: None)()
            request = Request(
                self.command, self.path, dict(self.headers.items()), self.rfile.read(length), peer
            )
            server.seen.append(request)
            server.routes.get(self.path.partition("?")[0], server.otherwise)(self, request)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = answer

        def log_message(self, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None: ...

    httpd = Quiet((address, 0), Handler)
    if context is not None:
        # The handshake is each connection's own: it can fail, and that is tested too.
        httpd.socket = context.wrap_socket(
            httpd.socket, server_side=True, do_handshake_on_connect=False)
    server = Server(httpd, "https" if context else "http")
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@dataclass(frozen=True)
class Authority:
    """An authority of its own, and what it vouches for.

    :ivar file: its certificate in PEM; ``pem`` is the text.
    """

    file: Path
    pem: str
    _certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls, folder: Path) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign("test authority", key, None, key, is_authority=True)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        (folder / "ca.pem").write_bytes(pem)
        return cls(folder / "ca.pem", pem.decode(), certificate, key)

    def issue(self, name: str) -> str:
        """Return certificate and key for a name, as one PEM text."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(name, key, self._certificate, self._key, is_authority=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption())
        return (certificate.public_bytes(serialization.Encoding.PEM) + private).decode()

    def server_context(self, *, clients: bool = False) -> ssl.SSLContext:
        """Return TLS settings for localhost; ``clients``: that ask for a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        pem = self.file.with_name("server.pem")
        pem.write_text(self.issue("localhost"))
        context.load_cert_chain(pem)
        if clients:
            context.load_verify_locations(self.file)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _sign(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None,
    signer: ec.EllipticCurvePrivateKey, *, is_authority: bool,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
