"""Statement 21 for the other ways out: pages, proxies that a node names, bodies, signatures,
webhooks, Slack and mail servers. Real servers on the other side; the authors' kit runs the nodes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.components.ports import PortType
from app.components.registry import registry
from app.sdk import testing
from tests.support.http_servers import Authority, Server, answer_json, redirect, serving
from tests.support.installation import canary
from tests.support.mail_servers import GREETING, mail_server, talking

HTTP = registry().get("http.request")
ELSEWHERE = ["elsewhere.example"]
CONFIGS: dict[str, dict[str, Any]] = {
    "http.request": {"aws_region": "eu-west-1", "method": "POST"},
    "http.webhook_post": {},
    "slack.post": {"text": "x", "channel": "C01"},
}
"""The components that send over HTTP, and what is set in them."""


@pytest.fixture
def here() -> Iterator[Server]:
    with serving() as found:
        yield found


@pytest.fixture
def away() -> Iterator[Server]:
    with serving() as found:
        yield found


def bound(value: str, *hosts: str) -> Any:
    return testing.make_secret(value, allowed_hosts=hosts)


def value_for(port: str, server: Server, value: str) -> str:
    """A secret as the input takes it, with a canary in it."""
    if port == "aws_credentials":
        return json.dumps({"access_key_id": "AKIA", "secret_access_key": value})
    return server.url(f"/hook/{value}") if port == "webhook_url" else value


@pytest.mark.parametrize(
    ("name", "port"),
    [(name, port.name) for name in CONFIGS for port in registry().get(name).inputs
     if port.type is PortType.SECRET
     and port.name not in ("proxy_credentials", "client_certificate")],
)
def test_s21_every_secret_input_asks(here: Server, name: str, port: str) -> None:
    """Elsewhere is allowed: nothing leaves. Here is: it goes."""
    value = canary()
    config = {**CONFIGS[name], ("api_url" if name == "slack.post" else "url"): here.url()}
    held = value_for(port, here, value)
    refused = testing.run(
        registry().get(name), config, secrets={port: bound(held, *ELSEWHERE)})
    assert refused.error is not None
    assert refused.error.code == "secret_host_denied"
    assert here.seen == []
    testing.run(registry().get(name), config,
                secrets={port: bound(held, f"127.0.0.1:{here.port}")})
    assert here.seen


def test_s21_connectors_that_send_are_all_here() -> None:
    sending = {one.name for one in registry() if "network" in one.uses}
    sending |= {"http.request"}
    assert sending - set(CONFIGS) <= {"email.send", "sql.query"} | {
        one.name for one in registry() if one.provider}


@pytest.mark.parametrize("paginate", ["link", "next_url"])
def test_s21_the_next_page(here: Server, away: Server, paginate: str) -> None:
    value = canary()
    here.routes["/list"] = lambda handler, _: answer_json(
        handler, {"items": [1], "next": away.url("/more")},
        Link=f'<{away.url("/more")}>; rel="next"')
    away.routes["/more"] = lambda handler, _: answer_json(handler, {"items": [2]})
    result = testing.run(
        HTTP, {"url": here.url("/list"), "paginate": paginate, "page_items": "items"},
        secrets={"bearer_token": bound(value, f"127.0.0.1:{here.port}", f"127.0.0.1:{away.port}")})
    assert result.error is None
    assert result.outputs["items"] == [1, 2]
    assert value in str(here.seen)
    # Not even where the secret might go: it was wired for the node's own URL.
    assert value not in str(away.seen)


def test_s21_tries_ask_again(here: Server, away: Server) -> None:
    """A server that is busy first and redirects then."""
    value = canary()
    left = [1]

    def answer(handler: Any, request: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            answer_json(handler, {}, 503, Retry_After="0")
        else:
            redirect(away.url("/x"), 307)(handler, request)

    here.routes["/"] = answer
    held = bound(value, f"127.0.0.1:{here.port}")
    for port in ("bearer_token", "api_key", "basic_password"):
        left[0] = 1
        testing.run(HTTP, {"url": here.url(), "retry_count": 1, "method": "POST"},
                    secrets={port: held})
    stolen = testing.run(HTTP, {"url": here.url(), "method": "POST"},
                         secrets={"secret_body": held})
    assert stolen.error is not None
    assert stolen.error.code == "redirect_carries_secret"
    assert value in str(here.seen)
    assert len(away.seen) == 3
    assert value not in str(away.seen)


def test_s21_a_proxy_that_the_node_names(here: Server, away: Server) -> None:
    value = canary()
    for port in ("bearer_token", "api_key", "basic_password", "secret_body"):
        result = testing.run(
            HTTP, {"url": here.url(), "proxy": away.url("")},
            secrets={port: bound(value, f"127.0.0.1:{here.port}")})
        assert result.error is not None
        assert result.error.code == "secret_host_denied"
    for secret in ("proxy_credentials",):
        result = testing.run(HTTP, {"url": here.url(), "proxy": away.url("")},
                             secrets={secret: bound(f"u:{value}", f"127.0.0.1:{here.port}")})
        assert result.error is not None
        assert result.error.code == "secret_host_denied"
    assert away.seen == here.seen == []


def test_s21_a_client_s_certificate(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path)
    with serving(authority.server_context(clients=True)) as asking:
        config = {"url": asking.url("/", "localhost"), "ca": authority.pem}
        for hosts, seen in ((ELSEWHERE, 0), ([f"localhost:{asking.port}"], 1)):
            testing.run(HTTP, config, secrets={
                "client_certificate": bound(authority.issue("client"), *hosts)})
            assert len(asking.seen) == seen


def test_s21_mail_servers(tmp_path: Path) -> None:
    """Refused before a word of the login, whatever the server offers."""
    authority, value = Authority.make(tmp_path), canary()
    mail = registry().get("email.send")
    config = {"host": "localhost", "username": "flow", "from": "a@example.com",
              "to": "b@example.com", "ca": authority.pem}
    with mail_server(authority.server_context(), value) as box:
        for hosts, logins in ((["smtp.example.com"], 0), ([f"localhost:{box.port}"], 1)):
            testing.run(mail, {**config, "port": box.port},
                        secrets={"password": bound(value, *hosts)})
            assert len(box.logins) == logins
    answers = {GREETING: "220 hi\r\n", "ehlo": "250-hi\r\n250 AUTH PLAIN LOGIN\r\n"}
    with talking(lambda line: answers.get(line.partition(" ")[0], "500 no\r\n")) as (port, said):
        result = testing.run(mail, {**config, "port": port},
                             secrets={"password": bound(value, "localhost")})
        assert result.error is not None
        assert result.error.code == "smtp_no_starttls"
        assert not any("AUTH" in line.upper() for line in said)
