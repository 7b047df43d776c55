"""Slack Message against a stand-in: a real server that answers as Slack's documentation says."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest

from app.components.registry import registry
from app.sdk import testing
from tests.support.http_servers import Request, Server, answer_json, reply

SLACK = registry().get("slack.post")
TOKEN = f"xoxb-CANARY-{secrets.token_hex(12)}"
HOOK = f"/services/T0AAAA01/B0BBBB02/CANARY{secrets.token_hex(12)}"


@pytest.fixture
def slack(server: Server) -> Server:
    """Slack's API and one incoming webhook."""

    def api(handler: Any, request: Request) -> None:
        said = json.loads(request.body)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            answer_json(handler, {"ok": False, "error": "invalid_auth"})
        elif said["channel"] != "C01":
            answer_json(handler, {"ok": False, "error": "channel_not_found"})
        else:
            answer_json(handler, {"ok": True, "channel": "C01", "ts": "1503435956.000247",
                                  "message": {"text": said["text"]}})

    server.routes["/api/chat.postMessage"] = api
    server.routes[HOOK] = lambda handler, _: reply(handler, b"ok")
    return server


def send(slack: Server, secret: str = TOKEN, **config: Any) -> testing.Result:
    settings = {"api_url": slack.url("/api/"), "channel": "C01", "text": "Hé *you*", **config}
    return testing.run(SLACK, settings, secrets={"bot_token": secret})


def code(result: testing.Result) -> str | None:
    assert result.leaks == ()
    return result.error.code if result.error else None


def test_by_a_bot(slack: Server) -> None:
    result = send(slack, thread="1.2", blocks=[{"type": "divider"}])
    assert code(result) is None
    assert result.outputs == {"channel": "C01", "ts": "1503435956.000247"}
    assert json.loads(slack.seen[0].body) == {
        "channel": "C01", "text": "Hé *you*", "thread_ts": "1.2", "blocks": [{"type": "divider"}]}
    assert slack.seen[0].headers["Content-Type"] == "application/json; charset=utf-8"


def test_by_an_incoming_webhook(slack: Server) -> None:
    result = testing.run(SLACK, {"text": "x"}, secrets={"webhook_url": slack.url(HOOK)})
    assert code(result) is None
    assert result.outputs == {"channel": "", "ts": ""}
    assert json.loads(slack.seen[0].body) == {"text": "x"}
    slack.routes[HOOK] = lambda handler, _: reply(handler, b"no_service", 404)
    gone = testing.run(SLACK, {"text": "x"}, secrets={"webhook_url": slack.url(HOOK)})
    assert code(gone) == "slack_channel"
    slack.routes[HOOK] = lambda handler, _: reply(handler, HOOK.encode(), 500)
    broken = testing.run(SLACK, {"text": "x"}, secrets={"webhook_url": slack.url(HOOK)})
    assert code(broken) == "http_status"


def test_refusals_that_slack_knows(slack: Server) -> None:
    assert code(send(slack, "xoxb-CANARY-other")) == "slack_denied"
    assert code(send(slack, channel="C99")) == "slack_channel"
    assert code(send(slack, channel=" ")) == "slack_channel"


@pytest.mark.parametrize(
    ("answer", "status", "failure"),
    [
        ({"ok": False, "error": "msg_too_long"}, 200, "slack_message"),
        ({"ok": False, "error": "fatal_error"}, 200, "slack_refused"),
        ({"ok": False, "error": TOKEN}, 200, "slack_refused"),
        ({"ok": "yes", "error": [TOKEN]}, 200, "slack_refused"),
        ({"ok": False}, 200, "slack_refused"),
        ([TOKEN], 200, "http_status"),
        ({"ok": False, "error": "missing_scope", "needed": "chat:write"}, 200, "slack_denied"),
        ({}, 503, "http_status"),
    ],
    ids=range(8),
)
def test_answers_are_not_repeated(slack: Server, answer: Any, status: int, failure: str) -> None:
    slack.routes["/api/chat.postMessage"] = lambda handler, _: answer_json(handler, answer, status)
    assert code(send(slack, retry_count=0)) == failure


def test_it_waits_as_long_as_slack_says(slack: Server) -> None:
    api, left = slack.routes["/api/chat.postMessage"], [2]

    def busy(handler: Any, request: Request) -> None:
        left[0] -= 1
        if left[0] == 1:
            answer_json(handler, {"ok": False, "error": "ratelimited"}, 429, Retry_After="1")
        elif left[0] == 0:
            answer_json(handler, {"ok": False, "error": "ratelimited"}, Retry_After="0")
        else:
            api(handler, request)

    slack.routes["/api/chat.postMessage"] = busy
    assert code(send(slack)) is None
    assert len(slack.seen) == 3
    left[0] = 2
    result = send(slack, retry_count=0)
    assert result.error is not None
    assert (result.error.code, result.error.retryable) == ("slack_busy", True)


def test_one_credential_and_where_it_may_go(slack: Server) -> None:
    config = {"text": "x", "channel": "C01", "api_url": slack.url("/api")}
    for held in ({}, {"bot_token": TOKEN, "webhook_url": slack.url(HOOK)}):
        assert code(testing.run(SLACK, config, secrets=held)) == "slack_not_wired"
    bound = testing.make_secret(TOKEN, allowed_hosts=["slack.com"])
    assert code(testing.run(SLACK, config, secrets={"bot_token": bound})) == "secret_host_denied"
    bound = testing.make_secret(slack.url(HOOK), allowed_hosts=["hooks.slack.com"])
    assert code(testing.run(SLACK, config, secrets={"webhook_url": bound})) == (
        "secret_host_denied")
    assert code(send(slack, f"{TOKEN}\r\nX: y")) == "secret_not_usable"
    assert slack.seen == []
