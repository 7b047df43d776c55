"""Many viewers, slow ones, too many."""

from __future__ import annotations

import asyncio
import ssl
import statistics
import time

from app.accounts.scopes import Role
from tests.integration.live.conftest import GoingRun, going_run
from tests.support.apart import run_apart
from tests.support.installation import Installation
from tests.support.live_process import Live

VIEWERS = 200
EVENTS = 20


async def _view(
    live: Live, run_id: str, token: str, context: ssl.SSLContext, ready: asyncio.Semaphore
) -> list[tuple[float, int]]:
    """Watch until the end; returns when each event came, and which."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", live.port, ssl=context, server_hostname="localhost"
    )
    writer.write(
        f"GET /runs/{run_id}/events HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    seen = []
    while line := await reader.readline():
        if line.startswith(b"id: "):
            number = int(line[4:])
            seen.append((time.monotonic(), number))
            if number == 1:
                ready.release()
        elif line.startswith(b"event: end"):
            break
    writer.close()
    return seen


def test_two_hundred_viewers(live: Live, installation: Installation, run: GoingRun) -> None:
    tokens = [installation.token("runs:read", role=Role.VIEWER) for _ in range(VIEWERS // 20)]
    client = installation.api(tokens[0])
    path = f"/runs/{run.id}"

    def get() -> float:
        began = time.monotonic()
        assert client.get(path).status_code == 200
        return time.monotonic() - began

    alone = statistics.median(get() for _ in range(20))

    async def crowd() -> tuple[list[list[tuple[float, int]]], dict[int, float], list[float]]:
        ready = asyncio.Semaphore(0)
        views = [
            asyncio.create_task(_view(live, run.id, tokens[n % len(tokens)], live.context, ready))
            for n in range(VIEWERS)
        ]
        async with asyncio.timeout(90):
            for _ in range(VIEWERS):
                await ready.acquire()
            sent, gets = {}, []
            for n in range(EVENTS):
                seq = await asyncio.to_thread(run.happen, f"event {n}")
                sent[seq] = time.monotonic()
                gets.append(await asyncio.to_thread(get))
                await asyncio.sleep(0.1)
            await asyncio.to_thread(run.end)
            return await asyncio.gather(*views), sent, gets

    views, sent, gets = run_apart(crowd())
    assert len(views) == VIEWERS
    for view in views:
        assert [number for _, number in view] == list(range(1, EVENTS + 3)), "all, once, in order"
    delays = sorted(at - sent[number] for view in views for at, number in view if number in sent)
    # Generous: two cores are shared by the viewers, the listener and other tests.
    assert delays[len(delays) // 2] < 2.0
    assert statistics.median(gets) < max(alone * 20, 0.5)


def test_a_slow_viewer_is_cut_and_hurts_nobody(live: Live, run: GoingRun, token: str) -> None:
    block = "z" * 60_000
    with (
        live.watch(run.id, token=token, receive_buffer=4096, timeout=60) as slow,
        live.watch(run.id, token=token, timeout=60) as quick,
    ):
        assert slow.next().id == 1
        frames = quick.frames()
        assert next(frames).id == 1
        last = 1
        for _ in range(40):
            last = run.happen(*[block] * 8)
            while next(frames).id != last:
                pass
        # It wakes up: what was under way is still there, then the stream ends without an end.
        got = list(slow.frames())
        assert all(frame.event == "event" for frame in got)
        assert [frame.id for frame in got] == list(range(2, len(got) + 2)), "no gap"
        reached = got[-1].id or 0
        assert reached < last
    with live.watch(run.id, token=token, after=reached, timeout=60) as again:
        frames = again.frames()
        assert next(frames).id == reached + 1
        run.end()
        assert [frame.event for frame in frames][-1] == "end"


def test_one_person_holds_so_many_streams_and_no_more(
    live: Live, installation: Installation, token: str
) -> None:
    run = going_run(installation, installation.environment_id)
    greedy = installation.token("runs:read", role=Role.VIEWER)
    held = [live.watch(run.id, token=greedy) for _ in range(32)]
    try:
        assert {watcher.status for watcher in held} == {200}
        with live.watch(run.id, token=greedy) as refused:
            assert refused.status == 429
            assert refused.body()["code"] == "streams_of_person"
            assert refused.answer.headers["Retry-After"]
        with live.watch(run.id, token=token) as other:
            assert other.status == 200
    finally:
        for watcher in held:
            watcher.__exit__()
    give_up = time.monotonic() + 10
    while True:
        with live.watch(run.id, token=greedy) as again:
            if again.status == 200:
                break
        assert time.monotonic() < give_up, "streams that were left are not counted out"
        time.sleep(0.1)
