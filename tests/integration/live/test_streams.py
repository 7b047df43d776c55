"""What a viewer gets: every event, once, in order, soon, and an end."""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

import pytest

from tests.integration.live.conftest import GoingRun
from tests.support.installation import ORIGIN, Installation
from tests.support.live_process import Live


def test_events_come_while_the_run_goes_on(
    live: Live, installation: Installation, run: GoingRun, token: str
) -> None:
    cookie = installation.signed_in().cookie()
    assert cookie
    with live.watch_as(cookie, run.id) as watcher:
        assert watcher.status == 200
        first = watcher.next()
        assert (first.event, first.id, first.data["data"]) == ("event", 1, {"state": "queued"})
        delays = []
        for text in ("first", "ünï “two” \u2028 \r\n lines", "third", "fourth", "fifth"):
            seq = run.happen(text)
            began = time.monotonic()
            frame = watcher.next()
            delays.append(time.monotonic() - began)
            assert (frame.event, frame.id, frame.data["text"]) == ("event", seq, text)
        assert min(delays) < 0.5, "notices arrive; the slow look comes every 2 s"
        run.end()
        rest = list(watcher.frames())
    assert [frame.event for frame in rest] == ["event", "end"]
    assert rest[-1].data == {"state": "cancelled"}
    assert rest[-1].id is None
    items = installation.api(token).get(f"/runs/{run.id}/events").json["items"]
    with live.watch(run.id, token=token) as again:
        frames = list(again.frames())
    assert [frame.data for frame in frames[:-1]] == items
    assert json.dumps(frames[0].data) == json.dumps(items[0]), "same fields in the same order"


def test_an_answer_says_how_it_may_be_used(
    live: Live, installation: Installation, run: GoingRun
) -> None:
    cookie = installation.signed_in().cookie()
    with live.watch_as(cookie or "", run.id) as watcher:
        headers = watcher.answer.headers
    assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Vary"] == "Origin"
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("how", ["query", "header", "both"])
def test_a_viewer_goes_on_where_it_was(
    live: Live, run: GoingRun, token: str, how: str
) -> None:
    last = run.happen(*(f"line {number}" for number in range(2, 11)))
    assert last == 10
    after = {"query": "?after=7", "header": "", "both": "?after=1"}[how]
    headers = {"Authorization": f"Bearer {token}"}
    if how != "query":
        headers["Last-Event-ID"] = "7"
    with live.open(f"/api/v1/runs/{run.id}/stream{after}", headers) as watcher:
        frames = watcher.frames()
        assert [next(frames).id for _ in range(3)] == [8, 9, 10]
        assert run.happen("more") == 11
        assert next(frames).id == 11


def test_more_than_a_page_of_events_comes_whole(live: Live, run: GoingRun, token: str) -> None:
    run.happen(*("x" * 300 for _ in range(1300)))
    with live.watch(run.id, token=token) as watcher:
        frames = watcher.frames()
        assert [next(frames).id for _ in range(1301)] == list(range(1, 1302))
        run.happen(*("y" * 300 for _ in range(1200)))
        assert [next(frames).id for _ in range(1200)] == list(range(1302, 2502))


def test_a_lost_notice_hangs_nobody(live: Live, run: GoingRun, token: str) -> None:
    with live.watch(run.id, token=token) as watcher:
        assert watcher.next().id == 1
        began = time.monotonic()
        run.happen("unannounced", notice=False)
        assert watcher.next().data["text"] == "unannounced"
        assert time.monotonic() - began < 6


def test_a_lost_subscription_is_taken_up_again(live: Live, run: GoingRun, token: str) -> None:
    redis = run.installation.services.queue._redis
    with live.watch(run.id, token=token) as watcher:
        assert watcher.next().id == 1
        assert redis.client_kill_filter(_type="pubsub") == 1
        give_up = time.monotonic() + 15
        while not redis.client_list(_type="pubsub"):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        run.happen("after the break")
        assert watcher.next().data["text"] == "after the break"
    assert len(redis.client_list(_type="pubsub")) == 1, "one subscription a process"


def test_strange_notices_are_passed_over(live: Live, run: GoingRun, token: str) -> None:
    queue = run.installation.services.queue
    with live.watch(run.id, token=token) as watcher:
        assert watcher.next().id == 1
        for notice in (b"{", b"[]", b'{"run": 5}', b'{"run": null}', b"\xff\xfe"):
            queue._redis.publish("tacit:runs", notice)
        run.happen("still here")
        assert watcher.next().data["text"] == "still here"


def test_the_web_listener_sends_programs_on(
    live: Live, installation: Installation, run: GoingRun, token: str
) -> None:
    answer = installation.api(token).get(f"/runs/{run.id}/stream?after=0")
    assert answer.status_code == 307
    assert answer.headers["Cache-Control"] == "no-store"
    location = urlsplit(answer.headers["Location"])
    assert f"{location.scheme}://{location.netloc}" == installation.config.live_url
    assert location.path == f"/api/v1/runs/{run.id}/stream"
    # A client follows it without the header, and that is enough.
    with live.open(f"{location.path}?{location.query}") as watcher:
        assert watcher.status == 200
        assert watcher.next().id == 1
        # The ticket of one run opens no other, and none that was changed opens any.
        for path in (
            f"/api/v1/runs/{installation.environment_id}/stream?{location.query}",
            f"{location.path}?{location.query[:-4]}AAAA",
            f"{location.path}?ticket=",
            f"{location.path}?ticket=x.y.z",
        ):
            with live.open(path) as refused:
                assert refused.status == 401, path
    browser = installation.signed_in()
    page = browser.api("GET", f"/runs/{run.id}/stream")
    assert page.status_code == 307
    assert page.headers["Location"].endswith("/stream?after=0&environment=default")
