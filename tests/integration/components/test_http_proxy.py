"""HTTP Request through a real proxy: tunnels, credentials, and what the guard looks at."""

from __future__ import annotations

import base64
import secrets
import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.components.registry import registry
from app.providers.egress import EgressGuard, EgressPolicy, Own
from app.sdk import testing
from tests.support.http_servers import Authority, Server, reply

HTTP = registry().get("http.request")
CANARY = f"CANARY-{secrets.token_hex(12)}"


@dataclass
class Proxy:
    """A forward proxy: absolute URLs and CONNECT.

    :ivar resolves: names that only it knows.
    """

    port: int = 0
    wants: str = ""
    status: int = 0
    hang: bool = False
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    resolves: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def proxying(context: ssl.SSLContext | None = None) -> Iterator[Proxy]:
    made = Proxy()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def allowed(self) -> bool:
            made.seen.append((self.command, self.path, dict(self.headers.items())))
            while made.hang:
                time.sleep(0.1)
            if made.wants and self.headers.get("Proxy-Authorization") != made.wants:
                self.send_error(407, CANARY)
                return False
            if made.status:
                self.send_error(made.status, CANARY)
                return False
            return True

        def forward(self) -> None:
            if not self.allowed():
                return
            headers = {name: value for name, value in self.headers.items()
                       if not name.lower().startswith(("proxy-", "connection"))}
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            at = made.resolves.get(str(parts.hostname), parts.hostname)
            answer = httpx.request(
                self.command, f"http://{at}:{parts.port}{parts.path}", headers=headers,
                content=body, trust_env=False)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = forward

        def do_CONNECT(self) -> None:
            if not self.allowed():
                return
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((made.resolves.get(host, host), int(port))) as far:
                self.send_response(200)
                self.end_headers()
                near = self.connection
                while True:
                    for one in select.select([near, far], [], [], 10)[0]:
                        data = one.recv(65536)
                        if not data:
                            self.close_connection = True
                            return
                        (far if one is near else near).sendall(data)

        def log_message(self, *_: Any) -> None: ...

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    if context is not None:
        httpd.socket = context.wrap_socket(
            httpd.socket, server_side=True, do_handshake_on_connect=False)
    made.port = httpd.server_port
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.hang = False
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxying() as found:
        yield found


def code(result: testing.Result) -> str | None:
    assert result.leaks == () or result.error is None
    return result.error.code if result.error else None


def test_plain_http_through_a_proxy(server: Server, proxy: Proxy) -> None:
    config = {"url": server.url("/a?b=c"), "proxy": proxy.url, "method": "POST", "body": "x"}
    result = testing.run(HTTP, config, secrets={"bearer_token": CANARY})
    assert code(result) is None
    assert result.outputs["json"]["body"] == "x"
    assert proxy.seen[0][:2] == ("POST", server.url("/a?b=c"))
    # The proxy reads it, so the secret was asked for it too.
    assert result.revealed == (
        ("bearer_token", proxy.url), ("bearer_token", server.url("")))


def test_https_through_a_tunnel(tls: Server, proxy: Proxy, authority: Authority) -> None:
    result = testing.run(
        HTTP, {"url": tls.url("/", "localhost"), "proxy": proxy.url, "ca": authority.pem},
        secrets={"bearer_token": CANARY})
    assert code(result) is None
    assert tls.seen[0].headers["Authorization"] == f"Bearer {CANARY}"
    assert proxy.seen[0][:2] == ("CONNECT", f"localhost:{tls.port}")
    assert CANARY not in str(proxy.seen)
    assert result.revealed == (("bearer_token", tls.url("", "localhost")),)


def test_a_secret_goes_in_the_clear_through_no_proxy_it_doesn_t_name(
    server: Server, tls: Server, proxy: Proxy, authority: Authority
) -> None:
    bound = testing.make_secret(
        CANARY, allowed_hosts=[f"127.0.0.1:{server.port}", f"localhost:{tls.port}"])
    plain = {"url": server.url(), "proxy": proxy.url}
    assert code(testing.run(HTTP, plain, secrets={"api_key": bound})) == "secret_host_denied"
    assert proxy.seen == []
    assert server.seen == []
    through = {"url": tls.url("/", "localhost"), "proxy": proxy.url, "ca": authority.pem}
    assert code(testing.run(HTTP, through, secrets={"api_key": bound})) is None


@pytest.mark.parametrize("secure", [False, True])
def test_the_proxy_s_own_credentials(
    server: Server, tls: Server, proxy: Proxy, authority: Authority, secure: bool
) -> None:
    pair = f"user:{CANARY}"
    proxy.wants = "Basic " + base64.b64encode(pair.encode()).decode()
    target = tls if secure else server
    config = {"url": target.url("/", "localhost" if secure else "127.0.0.1"), "proxy": proxy.url,
              "ca": authority.pem}
    held = {"proxy_credentials": pair}
    result = testing.run(HTTP, config, secrets=held)
    assert code(result) is None
    assert result.outputs["status"] == 200
    assert CANARY not in str(target.seen)
    assert proxy.wants not in str(target.seen)
    denied = testing.run(HTTP, {**config, "fail_on": "error"})
    assert code(denied) == ("proxy_denied" if secure else "http_status")
    assert CANARY not in str(denied.error)
    assert code(testing.run(HTTP, config, secrets={"proxy_credentials": CANARY})) == (
        "secret_not_usable")
    bound = testing.make_secret(pair, allowed_hosts=["elsewhere.example"])
    assert code(testing.run(HTTP, config, secrets={"proxy_credentials": bound})) == (
        "secret_host_denied")


def test_a_proxy_s_password_is_known_alone(server: Server, proxy: Proxy) -> None:
    server.routes["/a"] = lambda handler, _: reply(handler, CANARY.encode())
    result = testing.run(HTTP, {"url": server.url("/a"), "proxy": proxy.url},
                         secrets={"proxy_credentials": f"ann:{CANARY}"})
    assert result.leaks == ("output body",)


def test_the_guard_looks_at_both_ends(server: Server, other: Server, proxy: Proxy) -> None:
    for url in ("http://169.254.169.254/latest", "http://metadata.google.internal/"):
        assert code(testing.run(HTTP, {"url": url, "proxy": proxy.url})) == "egress_refused"
    own = EgressGuard(EgressPolicy(own=(Own("127.0.0.1", other.port),)))
    assert code(testing.run(
        HTTP, {"url": other.url(), "proxy": proxy.url}, egress=own)) == "egress_refused"
    assert code(testing.run(
        HTTP, {"url": server.url(), "proxy": other.url("")}, egress=own)) == "egress_refused"
    assert proxy.seen == []
    # A name that only the proxy knows is the proxy's to find.
    proxy.resolves["only.there.invalid"] = "127.0.0.1"
    inside = f"http://only.there.invalid:{server.port}/"
    assert code(testing.run(HTTP, {"url": inside, "proxy": proxy.url})) is None
    assert code(testing.run(HTTP, {"url": inside})) == "host_not_found"


@pytest.mark.parametrize(
    ("written", "failure"),
    [("https://127.0.0.1:1/path", "proxy_not_valid"),
     ("http://127.0.0.1:1/path", "proxy_not_valid"),
     ("http://u:p@127.0.0.1:1", "url_userinfo"), ("127.0.0.1:1", "url_scheme"),
     ("http://127.0.0.1:9", "connection_failed")],
)
def test_proxies_that_don_t_do(server: Server, written: str, failure: str) -> None:
    assert code(testing.run(HTTP, {"url": server.url(), "proxy": written})) == failure
    assert server.seen == []


def test_a_proxy_that_refuses_or_is_silent(tls: Server, proxy: Proxy) -> None:
    config = {"url": tls.url("/", "localhost"), "proxy": proxy.url, "timeout": 1}
    proxy.status = 403
    refused = testing.run(HTTP, config)
    assert code(refused) == "proxy_refused"
    assert CANARY not in str(refused.error)
    proxy.hang = True
    began = time.monotonic()
    assert code(testing.run(HTTP, config)) == "http_timeout"
    assert time.monotonic() - began < 3


def test_a_proxy_that_is_reached_over_tls(
    server: Server, tls: Server, authority: Authority
) -> None:
    pair = f"user:{CANARY}"
    with proxying(authority.server_context()) as proxy:
        proxy.wants = "Basic " + base64.b64encode(pair.encode()).decode()
        place = f"https://localhost:{proxy.port}"
        for url in (tls.url("/", "localhost"), server.url("/a")):
            config = {"url": url, "proxy": place, "ca": authority.pem, "timeout": 5,
                      "method": "POST", "body": "x" * 200_000}
            result = testing.run(HTTP, config, secrets={
                "proxy_credentials": pair, "bearer_token": f"{CANARY}-token"})
            assert code(result) is None, result.error
            assert len(result.outputs["json"]["body"]) == 200_000
            # Whose certificate isn't trusted gets nothing.
            seen = len(proxy.seen)
            untrusted = testing.run(HTTP, {**config, "ca": ""}, secrets={
                "proxy_credentials": pair})
            assert code(untrusted) == "tls_not_trusted"
            assert len(proxy.seen) == seen
        assert proxy.seen[0][:2] == ("CONNECT", f"localhost:{tls.port}")
        assert f"{CANARY}-token" not in str(proxy.seen[0])
        assert tls.seen[0].headers["Authorization"] == f"Bearer {CANARY}-token"
