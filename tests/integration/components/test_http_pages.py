"""HTTP Request's pages and tries against a real server."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from app.components.errors import NodeCancelled
from app.components.http.retrying import pause_before
from app.components.registry import registry
from app.sdk import testing
from tests.support.http_servers import Request, Server, answer_json, reply

HTTP = registry().get("http.request")
CANARY = f"CANARY-{secrets.token_hex(12)}"
PAGES = [[1, 2], [3, 4], [5]]


def asked(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}


def numbered(handler: Any, request: Request) -> None:
    """Three pages by number, the next one named in every way there is."""
    number = int(asked(request).get("page", 1))
    items = PAGES[number - 1] if number <= len(PAGES) else []
    following = f"/list?page={number + 1}" if number < len(PAGES) else None
    headers = {"Link": f'</first>; rel="first", <{following}>; rel="next last"'} if following \
        else {}
    answer_json(handler, {"data": {"items": items}, "links": [{"next": following}]}, **headers)


def cursors(handler: Any, request: Request) -> None:
    place = int(asked(request).get("after", 0))
    answer_json(handler, {
        "items": PAGES[place], "meta": {"cursor": place + 1 if place + 1 < len(PAGES) else None}})


@pytest.mark.parametrize(
    ("config", "requests"),
    [
        ({"paginate": "link", "page_items": "data.items"}, 3),
        ({"paginate": "next_url", "page_items": "data.items", "page_next": "links.0.next"}, 3),
        ({"paginate": "page", "page_items": "$.data.items"}, 4),
    ],
)
def test_all_pages_come_together(server: Server, config: dict[str, Any], requests: int) -> None:
    server.routes["/list"] = numbered
    result = testing.run(
        HTTP, {"url": server.url("/list"), **config}, secrets={"bearer_token": CANARY})
    assert result.error is None
    assert result.outputs["items"] == [1, 2, 3, 4, 5]
    assert len(server.seen) == requests
    # Each page asked anew whether the secret may go there.
    assert len(result.revealed) == requests
    assert all(one.headers["Authorization"] == f"Bearer {CANARY}" for one in server.seen)


def test_cursors(server: Server) -> None:
    server.routes["/list"] = cursors
    config = {"url": server.url("/list?size=2"), "paginate": "cursor", "page_items": "items",
              "page_next": "meta.cursor", "page_parameter": "after"}
    assert testing.run(HTTP, config).outputs["items"] == [1, 2, 3, 4, 5]
    assert [asked(one) for one in server.seen] == [
        {"size": "2"}, {"size": "2", "after": "1"}, {"size": "2", "after": "2"}]


def test_limits_of_pages(server: Server) -> None:
    server.routes["/list"] = numbered
    config = {"url": server.url("/list"), "paginate": "link", "page_items": "data.items"}
    result = testing.run(HTTP, {**config, "max_pages": 2})
    assert result.outputs["items"] == [1, 2, 3, 4]
    assert "there are more" in result.lines[0].text
    server.routes["/list"] = lambda handler, _: answer_json(
        handler, ["x" * 700], Link='</list?page=2>; rel=next')
    error = testing.run(HTTP, {**config, "page_items": "", "max_total_kib": 1}).error
    assert error is not None
    assert error.code == "pages_too_large"


@pytest.mark.parametrize(
    ("data", "config", "code"),
    [
        ({"items": 1}, {"page_items": "items"}, "page_items_missing"),
        ({"a": []}, {}, "page_items_missing"),
        ({"items": [], "next": {"url": CANARY}}, {"page_items": "items"}, "page_next_not_valid"),
        ({"items": [], "next": "/list"}, {"page_items": "items"}, "pages_repeat"),
        ({"items": [], "next": f"ftp://x/{CANARY}"}, {"page_items": "items"}, "url_scheme"),
        ({"items": [], "next": "http://169.254.169.254/"}, {"page_items": "items"},
         "egress_refused"),
    ],
)
def test_pages_that_go_wrong(
    server: Server, data: Any, config: dict[str, Any], code: str
) -> None:
    server.routes["/list"] = lambda handler, _: answer_json(handler, data)
    error = testing.run(
        HTTP, {"url": server.url("/list"), "paginate": "next_url", **config}).error
    assert error is not None
    assert error.code == code
    assert CANARY not in error.message


def test_a_page_elsewhere_gets_no_credentials(server: Server, other: Server) -> None:
    server.routes["/list"] = lambda handler, _: answer_json(
        handler, [1], Link=f'<{other.url("/more")}>; rel="next"')
    other.routes["/more"] = lambda handler, _: answer_json(
        handler, [2], Link=f'<{server.url("/list?again=1")}>; rel="next"')
    config = {"url": server.url("/list"), "paginate": "link", "max_pages": 3,
              "headers": {"X-Token": "t"}}
    result = testing.run(HTTP, config, secrets={"api_key": CANARY})
    assert result.error is None
    assert result.outputs["items"] == [1, 2, 1]
    # Not there, and not back here either.
    for request in (other.seen[0], server.seen[1]):
        assert CANARY not in str(request)
        assert "X-Token" not in request.headers
    server.routes["/list"] = lambda handler, request: answer_json(
        handler, [1], Link=f'<{other.url("/?k=" + request.headers["X-API-Key"])}>; rel="next"')
    other.seen.clear()
    stolen = testing.run(HTTP, config, secrets={"api_key": CANARY}).error
    assert stolen is not None
    assert stolen.code == "redirect_carries_secret"
    assert other.seen == []


def test_an_error_ends_the_list(server: Server) -> None:
    server.routes["/list"] = lambda handler, _: answer_json(handler, {"error": "no"}, 403)
    config = {"url": server.url("/list"), "paginate": "link"}
    result = testing.run(HTTP, config)
    assert (result.outputs["status"], result.outputs["items"]) == (403, [])
    assert testing.run(HTTP, {**config, "fail_on": "error"}).error is not None


def test_items_without_pages(server: Server) -> None:
    server.routes["/list"] = cursors
    result = testing.run(HTTP, {"url": server.url("/list"), "page_items": "items"})
    assert result.outputs["items"] == [1, 2]
    assert testing.run(HTTP, {"url": server.url("/list")}).outputs["items"] == []


# -- tries ---------------------------------------------------------------------------------


def failing(times: int, status: int, **headers: str) -> Callable[[Any, Request], None]:
    left = [times]

    def answer(handler: Any, request: Request) -> None:
        left[0] -= 1
        if left[0] >= 0:
            reply(handler, b"no", status, **headers)
        else:
            answer_json(handler, ["fine"])

    return answer


@pytest.mark.parametrize(
    ("method", "status", "again"),
    [("GET", 503, True), ("GET", 500, True), ("POST", 429, True), ("POST", 503, True),
     ("POST", 502, False), ("PATCH", 500, False), ("DELETE", 504, True), ("GET", 404, False)],
)
def test_only_what_can_t_be_done_twice_is_tried_again(
    server: Server, method: str, status: int, again: bool
) -> None:
    server.routes["/"] = failing(1, status, Retry_After="0")
    result = testing.run(HTTP, {"url": server.url(), "method": method, "retry_count": 2})
    assert result.outputs["status"] == (200 if again else status)
    assert len(server.seen) == (2 if again else 1)


def test_tries_have_an_end_and_ask_for_the_secret_each_time(server: Server) -> None:
    server.routes["/"] = failing(9, 503, Retry_After="0")
    config = {"url": server.url(), "retry_count": 2, "fail_on": "busy"}
    result = testing.run(HTTP, config, secrets={"bearer_token": CANARY})
    assert result.error is not None
    assert (result.error.code, result.error.retryable) == ("http_status", True)
    assert len(server.seen) == len(result.revealed) == 3
    assert len(result.lines) == 2
    assert result.leaks == ()


@pytest.mark.parametrize(("method", "requests"), [("GET", 3), ("POST", 1)])
def test_lost_connections(server: Server, method: str, requests: int) -> None:
    def hang_up(handler: Any, request: Request) -> None:
        handler.close_connection = True

    server.routes["/"] = hang_up
    error = testing.run(
        HTTP, {"url": server.url(), "method": method, "retry_count": 2}).error
    assert error is not None
    assert error.code == "connection_lost"
    assert len(server.seen) == requests


def test_a_pause_that_is_asked_for_is_kept_or_not_waited_for_at_all(server: Server) -> None:
    server.routes["/"] = failing(1, 503, Retry_After="1")
    began = time.monotonic()
    assert testing.run(HTTP, {"url": server.url(), "retry_count": 1}).outputs["status"] == 200
    assert time.monotonic() - began >= 1
    server.routes["/"] = failing(1, 503, Retry_After="3600")
    assert testing.run(HTTP, {"url": server.url(), "retry_count": 1}).outputs["status"] == 503


def test_a_pause_ends_with_the_run(server: Server) -> None:
    server.routes["/"] = failing(1, 503, Retry_After="50")
    cancelled = testing.LocalCancellation()
    threading.Timer(0.3, cancelled.cancel).start()
    began = time.monotonic()
    with pytest.raises(NodeCancelled):
        testing.run(HTTP, {"url": server.url(), "retry_count": 1}, cancelled=cancelled)
    assert time.monotonic() - began < 2


def test_how_pauses_are_read() -> None:
    assert pause_before(1, "7") == 7
    assert pause_before(1, "61") is None
    assert 3 <= (pause_before(1, formatdate(time.time() + 5, usegmt=True)) or 0) <= 5
    assert pause_before(1, formatdate(time.time() - 5, usegmt=True)) == 0
    for text in ("", "soon", "-1", "9" * 40):
        for attempt in range(1, 12):
            pause = pause_before(attempt, text)
            assert pause is not None
            assert 0 < pause <= 20
