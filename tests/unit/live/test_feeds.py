"""Viewers' queues and the counting of streams, without any database."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import Throttled, Unavailable
from app.live.feeds import Feeds, Viewer
from app.live.limits import Limits
from app.live.reading import Frame, Reader
from tests.support.apart import run_apart


def _feeds(**limits: int) -> Feeds:
    # Counting reads nothing, so there is no reader.
    return Feeds(object.__new__(Reader), Limits(**limits))


def test_a_viewer_takes_what_is_offered_in_order_and_once() -> None:
    async def scenario() -> None:
        viewer = Viewer(100)
        viewer.offer([Frame(1, b"a"), Frame(2, b"b")])
        viewer.offer([Frame(3, b"c")])
        assert [frame.seq for frame in await viewer.take(1)] == [1, 2, 3]
        assert await viewer.take(0.01) == []
        viewer.end("failed")
        assert await viewer.take(1) == []
        assert viewer.ended == "failed"

    run_apart(scenario())


def test_a_viewer_who_is_too_far_behind_is_cut_and_holds_nothing() -> None:
    async def scenario() -> None:
        viewer = Viewer(10)
        viewer.offer([Frame(1, b"x" * 10)])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(viewer.until_cut(), 0.01)
        viewer.offer([Frame(2, b"y")])
        await asyncio.wait_for(viewer.until_cut(), 1)
        viewer.offer([Frame(3, b"z")])
        assert await viewer.take(1) == []

    run_apart(scenario())


def test_streams_are_counted_in_and_out() -> None:
    feeds = _feeds(streams_of_a_person=2, streams=3)
    feeds.enter("ann")
    feeds.enter("ann")
    with pytest.raises(Throttled) as refused:
        feeds.enter("ann")
    assert refused.value.code == "streams_of_person"
    feeds.enter("bob")
    with pytest.raises(Unavailable) as full:
        feeds.enter("cyd")
    assert full.value.code == "streams_full"
    feeds.leave("ann")
    feeds.enter("ann")
