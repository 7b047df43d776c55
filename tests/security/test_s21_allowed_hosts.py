"""Statement 21 of SECURITY.md, for the components there are: a secret with ``allowed_hosts`` never
leaves to another host. Direct requests, redirects and proxies go through a real worker to real
servers; what a name server would say is put in its mouth.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from app.components.registry import registry
from app.components.secret import Secret
from app.providers.egress import EgressGuard, EgressPolicy, Own
from app.sdk import testing
from tests.support.installation import canary
from tests.support.names import answering
from tests.support.runtime_standin import PlannedRun, RuntimeStandin, runtime_standin
from tests.support.worker_process import WorkerProcess, queue_server

HTTP = registry().get("http.request")
PORTS = ("bearer_token", "api_key", "basic_password")


class Server:
    """An HTTP server that keeps all it was sent; ``/go/302/URL`` redirects."""

    def __init__(self, httpd: ThreadingHTTPServer) -> None:
        self.port = int(httpd.server_address[1])
        self.seen: list[str] = []

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def got(self, value: str) -> bool:
        """Say whether a value came here, in any form that a credential has."""
        pair = base64.b64encode(f"somebody:{value}".encode()).decode()
        return any(form in text for text in self.seen for form in (value, pair))


@contextmanager
def serving(address: str = "127.0.0.1", port: int = 0) -> Iterator[Server]:
    """Serve on a free port of an address of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.seen.append(f"{self.requestline}\n{self.headers}\n{body!r}")
            way = self.path.split("/", 3)
            redirect = way[1] == "go"
            self.send_response(int(way[2]) if redirect else 200)
            if redirect:
                self.send_header("Location", unquote(way[3]))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST = do_CONNECT = _serve

        def log_message(self, *_: Any) -> None: ...

    httpd = ThreadingHTTPServer((address, port), Handler)
    httpd.daemon_threads = True
    server = Server(httpd)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Server, Server, Server]]:
    """The host that is allowed, another one, and a proxy that the environment names."""
    with serving() as good, serving() as other, serving() as proxy:
        yield good, other, proxy


@pytest.fixture(autouse=True)
def _forget(servers: tuple[Server, Server, Server]) -> None:
    for server in servers:
        server.seen.clear()


@pytest.fixture(scope="module")
def worker(
    servers: tuple[Server, Server, Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RuntimeStandin, WorkerProcess]]:
    """A real worker, in an environment that names a proxy in every way there is."""
    with ExitStack() as stack:
        standin = stack.enter_context(runtime_standin(tmp_path_factory.mktemp("runtime")))
        url, redis = stack.enter_context(queue_server())
        made = WorkerProcess(standin, url, redis, tmp_path_factory.mktemp("worker"))
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            made.environ |= {name: servers[2].url(""), name.upper(): servers[2].url("")}
        made.start()
        try:
            yield standin, made
        finally:
            made.stop()


def send(
    worker: tuple[RuntimeStandin, WorkerProcess], value: str, hosts: list[str], url: str,
    **config: Any,
) -> PlannedRun:
    """Run a flow that sends the secret in each way that a request can carry it."""
    standin, process = worker
    nodes = [{"id": "fetch", "component": "secret.fetch", "label": "f", "position": [0, 0],
              "config": {"secretName": "tok"}}]
    edges = []
    for port in PORTS:
        more = {"basic_username": "somebody"} if port == "basic_password" else {}
        nodes.append({"id": port, "component": "http.request", "label": port, "position": [0, 0],
                      "config": {"url": url, **more, **config}})
        edges.append({"id": f"e{port}", "source": {"node": "fetch", "port": "value"},
                      "target": {"node": port, "port": port}})
    graph = {"schema": 1, "nodes": nodes, "edges": edges}
    plan = standin.plan(graph, secrets={"fetch": ("tok", value, hosts)})
    return process.enqueue(plan).wait(60)


def codes(run: PlannedRun) -> set[str | None]:
    """Return how the requests ended: problem codes, None where one succeeded."""
    ends = [event["data"] for event in run.events if event["type"] == "node"
            and event["node"] in PORTS and event["data"]["state"] in ("succeeded", "failed")]
    return {(end.get("problem") or {}).get("code") for end in ends}


def test_s21_to_the_allowed_host_past_every_proxy(worker: Any, servers: Any) -> None:
    good, other, proxy = servers
    value = canary()
    run = send(worker, value, [f"127.0.0.1:{good.port}"], good.url("/x"))
    assert run.state == "succeeded", run.events
    assert len(good.seen) == 3
    assert good.got(value)
    assert (other.seen, proxy.seen) == ([], [])


@pytest.mark.parametrize(
    "spell",
    [
        lambda good, other: other.url("/x"),
        lambda good, other: good.url("/x", host="localhost"),
        lambda good, other: f"http://127.0.0.1:{good.port}@127.0.0.1:{other.port}/",
        lambda good, other: f"http://127.0.0.1:{other.port}#@127.0.0.1:{good.port}/",
        lambda good, other: f"http://127.0.0.1:{other.port}\\@127.0.0.1:{good.port}/",
        lambda good, other: f"http://127.0.0.2:{good.port}/",
        lambda good, other: f"http://2130706434:{good.port}/",
        lambda good, other: f"http://[::ffff:127.0.0.1]:{other.port}/",
        lambda good, other: f"http://127.0.0.1.localhost:{other.port}/",
    ],
    ids=["port", "name", "userinfo", "fragment", "backslash", "address", "number", "mapped",
         "suffix"],
)
def test_s21_another_host_however_it_is_spelled(
    worker: Any, servers: Any, spell: Callable[[Server, Server], str]
) -> None:
    good, other, proxy = servers
    value = canary()
    run = send(worker, value, [f"127.0.0.1:{good.port}"], spell(good, other))
    assert None not in codes(run)
    assert not any(server.got(value) for server in servers)
    assert (other.seen, proxy.seen) == ([], [])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_s21_redirects(worker: Any, servers: Any, status: int) -> None:
    good, other, _ = servers
    value = canary()
    away = other.url("/stolen").replace(":", "%3A").replace("/", "%2F")
    send(worker, value, [f"127.0.0.1:{good.port}"], good.url(f"/go/{status}/{away}"))
    assert good.got(value)
    assert not other.got(value)


def test_s21_no_host_is_allowed(worker: Any, servers: Any) -> None:
    good, _, _ = servers
    value = canary()
    run = send(worker, value, [], good.url("/x"))
    assert codes(run) == {"secret_host_denied"}
    assert good.seen == []


# -- name servers ----------------------------------------------------------------------------


def test_s21_rebinding_between_check_and_connection(servers: Any) -> None:
    """The name is asked for once a connection; what was checked is what is connected to."""
    good, _, _ = servers
    value, asked = canary(), []
    with serving("127.0.0.2", good.port) as elsewhere:
        guard = EgressGuard(resolve=answering(asked, "127.0.0.1", "127.0.0.2"))
        result = testing.run(
            HTTP, {"url": good.url("/x", host="api.example")},
            secrets={"bearer_token": bound(value, f"api.example:{good.port}")}, egress=guard,
        )
        assert result.error is None
        assert asked == ["api.example"]
        assert good.got(value)
        assert elsewhere.seen == []


@pytest.mark.parametrize("moved", ["169.254.169.254", "127.0.0.1", "0.0.0.0", "::ffff:127.0.0.1"])
def test_s21_rebinding_to_what_is_never_reached(servers: Any, moved: str) -> None:
    """The allowed name moves to the metadata service or to the installation's own listener, before
    the first request and before the one that a redirect on the same host asks for.
    """
    good, other, _ = servers
    policy = EgressPolicy(own=(Own("127.0.0.1", other.port),))
    value = canary()
    port = other.port
    guard = EgressGuard(policy, resolve=answering([], moved))
    result = testing.run(
        HTTP, {"url": f"http://api.example:{port}/"},
        secrets={"bearer_token": bound(value, f"api.example:{port}")}, egress=guard,
    )
    assert result.error is not None
    assert result.error.code == "egress_refused"
    # The first request goes out; then the name has moved.
    away = f"http%3A%2F%2Fapi.example%3A{port}%2F"
    guard = EgressGuard(policy, resolve=answering([], "127.0.0.1", moved))
    result = testing.run(
        HTTP, {"url": good.url(f"/go/307/{away}", host="api.example")},
        secrets={"bearer_token": bound(value, "api.example", f"api.example:{good.port}")},
        egress=guard,
    )
    assert result.error is not None
    assert result.error.code == "egress_refused"
    assert other.seen == []


def test_s21_the_environment_names_no_proxy_inside_a_node(
    servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the environment were handed on."""
    good, _, proxy = servers
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url(""))
    monkeypatch.delenv("no_proxy", raising=False)
    value = canary()
    result = testing.run(
        HTTP, {"url": good.url("/x")},
        secrets={"bearer_token": bound(value, f"127.0.0.1:{good.port}")},
    )
    assert result.error is None
    assert good.got(value)
    assert proxy.seen == []


def bound(value: str, *hosts: str) -> Secret:
    """A secret that may go to these hosts."""
    return testing.make_secret(value, allowed_hosts=hosts)


def test_s21_derived_secrets_go_where_all_their_parents_may(servers: Any) -> None:
    good, other, _ = servers
    here, there = f"127.0.0.1:{good.port}", f"127.0.0.1:{other.port}"
    free = testing.make_secret(canary())
    for parents, allowed in (
        ([bound(canary(), here), free], {good}),
        ([bound(canary(), here), bound(canary(), here, there)], {good}),
        ([bound(canary(), here), bound(canary(), there)], set()),
        ([Secret.derived(canary(), [bound(canary(), there), free]), free], {other}),
    ):
        value = canary()
        for server in (good, other):
            result = testing.run(
                HTTP, {"url": server.url("/x")},
                secrets={"api_key": Secret.derived(value, parents)},
            )
            assert (result.error is None) == (server in allowed)
            assert server.got(value) == (server in allowed)
