"""The one subscription of the process: Redis says that a run has news, never which."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.runs.queue import CHANNEL

_log = logging.getLogger("tacit.live")

_PAUSE = 1.0
"""Seconds between attempts; meanwhile the feeds' slow polls carry on."""


async def listen(url: str, notify: Callable[[str | None], None]) -> None:
    """Call ``notify`` with the id of each run that has news, for ever.

    With None after each connection: whatever was said before it is lost.
    """
    while True:
        try:
            async with Redis.from_url(url, socket_connect_timeout=2, socket_timeout=None) as client:
                async with client.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(CHANNEL)
                    notify(None)
                    async for message in channel.listen():
                        if run_id := _run_of(message["data"]):
                            notify(run_id)
        except (RedisError, OSError) as error:
            _log.warning("notices_lost %s", type(error).__name__)
        await asyncio.sleep(_PAUSE)


def _run_of(data: object) -> str | None:
    """Read a notice; whatever isn't one is passed over."""
    try:
        run_id = json.loads(data)["run"] if isinstance(data, bytes | str) else None
    except (ValueError, KeyError, TypeError):
        return None
    return run_id if isinstance(run_id, str) else None
