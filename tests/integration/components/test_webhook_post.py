"""Webhook Post against real receivers, Tacit's own webhook among them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from typing import Any

import pytest

from app.components.errors import NodeCancelled
from app.components.registry import registry
from app.components.secret import Secret, SecretRef
from app.sdk import testing
from tests.support.http_servers import Server, redirect, reply

POST = registry().get("http.webhook_post")
CANARY = f"CANARY-{secrets.token_hex(12)}"


def code(result: testing.Result) -> str | None:
    if result.error is not None:
        assert "error" not in result.leaks
    return result.error.code if result.error else None


def test_a_delivery_that_is_signed_as_tacit_checks_it(server: Server) -> None:
    result = testing.run(
        POST, {"url": server.url("/hook"), "payload": {"name": "Ü"}},
        secrets={"signing_secret": CANARY, "bearer_token": f"{CANARY}-token\n"})
    assert code(result) is None
    assert result.outputs["status"] == 200
    request = server.seen[0]
    assert (request.method, request.body) == ("POST", '{"name":"Ü"}'.encode())
    assert request.headers["Authorization"] == f"Bearer {CANARY}-token"
    assert request.headers["Content-Type"] == "application/json"
    stamp = request.headers["X-Tacit-Timestamp"]
    assert abs(time.time() - int(stamp)) < 30
    tag = hmac.new(CANARY.encode(), stamp.encode() + b"." + request.body, hashlib.sha256)
    assert request.headers["X-Tacit-Signature"] == f"sha256={tag.hexdigest()}"
    # The key stays here; it is opened for the receiver all the same.
    assert CANARY not in str({**request.headers, "Authorization": ""})
    assert ("signing_secret", server.url("")) in result.revealed


def test_the_body_alone_as_github_has_it(server: Server) -> None:
    testing.run(POST, {"url": server.url(), "payload": [1], "signed_part": "body"},
                secrets={"signing_secret": CANARY})
    tag = hmac.new(CANARY.encode(), b"[1]", hashlib.sha256).hexdigest()
    assert server.seen[0].headers["X-Hub-Signature-256"] == f"sha256={tag}"
    assert "X-Tacit-Signature" not in server.seen[0].headers


def test_an_address_that_is_a_secret(server: Server, other: Server) -> None:
    address = server.url(f"/services/T0AAAA01/{CANARY}?key={CANARY}-key")
    result = testing.run(POST, {"payload": {}}, secrets={"webhook_url": address})
    assert code(result) is None
    assert server.seen[0].path == f"/services/T0AAAA01/{CANARY}?key={CANARY}-key"
    bound = Secret(address, (SecretRef("hook", 1, "id"),), [f"127.0.0.1:{other.port}"])
    assert code(testing.run(POST, {}, secrets={"webhook_url": bound})) == "secret_host_denied"
    assert code(testing.run(POST, {}, secrets={"webhook_url": CANARY})) == "secret_not_usable"
    assert len(server.seen) == 1


def test_the_parts_of_a_secret_address_are_secrets_too(server: Server) -> None:
    """A service tells back the path alone."""
    server.routes[f"/services/T0AAAA01/{CANARY}"] = lambda handler, request: reply(
        handler, request.path.rpartition("/")[2].encode())
    result = testing.run(
        POST, {}, secrets={"webhook_url": server.url(f"/services/T0AAAA01/{CANARY}")})
    assert result.outputs["body"] == CANARY
    # The kit, like the worker, knows it: the worker scrubs what a component returns.
    assert result.leaks == ("output body",)


@pytest.mark.parametrize(
    ("status", "retryable"), [(301, False), (400, False), (404, False), (429, True), (500, True)])
def test_what_isn_t_2xx_fails(server: Server, status: int, retryable: bool) -> None:
    server.routes["/"] = lambda handler, _: reply(handler, CANARY.encode(), status)
    error = testing.run(POST, {"url": server.url(), "retry_count": 0}).error
    assert error is not None
    assert (error.code, error.retryable) == ("http_status", retryable)
    assert CANARY not in error.message


def test_redirects_are_not_followed(server: Server, other: Server) -> None:
    server.routes["/"] = redirect(other.url(), 307)
    result = testing.run(POST, {"url": server.url()}, secrets={"bearer_token": CANARY})
    assert code(result) == "http_status"
    assert other.seen == []


def test_each_try_is_signed_anew(server: Server) -> None:
    left = [503, 429, 200]
    server.routes["/"] = lambda handler, _: reply(handler, status=left.pop(0), Retry_After="1")
    result = testing.run(POST, {"url": server.url()}, secrets={"signing_secret": CANARY})
    assert code(result) is None
    stamps = [one.headers["X-Tacit-Timestamp"] for one in server.seen]
    assert len(set(stamps)) == len(stamps) == 3


@pytest.mark.parametrize(
    ("config", "failure"),
    [({}, "url_not_wired"), ({"url": "ftp://x/"}, "url_scheme"),
     ({"url": "http://169.254.169.254/"}, "egress_refused"),
     ({"url": "http://127.0.0.1:9/", "retry_count": 0}, "connection_failed")],
)
def test_addresses_that_don_t_do(config: dict[str, Any], failure: str) -> None:
    assert code(testing.run(POST, config, secrets={"bearer_token": CANARY})) == failure


def test_limits(server: Server) -> None:
    server.routes["/slow"] = lambda handler, _: time.sleep(5)
    server.routes["/long"] = lambda handler, _: reply(handler, b"x" * 70_000)
    config = {"url": server.url("/slow"), "timeout": 0.5, "retry_count": 0}
    assert code(testing.run(POST, config)) == "http_timeout"
    assert code(testing.run(POST, {"url": server.url("/long")})) == "answer_too_large"
    cancelled = testing.LocalCancellation()
    threading.Timer(0.3, cancelled.cancel).start()
    began = time.monotonic()
    with pytest.raises(NodeCancelled):
        testing.run(POST, {"url": server.url("/slow")}, cancelled=cancelled)
    assert time.monotonic() - began < 2
