"""The way out: every connection of a component goes through the egress guard of its context.

::

    target = read_url(context.config.url)
    stop = Deadline(context.cancelled, context.config.timeout)
    headers = [("Authorization", b"Bearer " + context.reveal("token", target.origin).encode())]
    with send(context.egress, stop, "GET", target, headers, None) as answer:
        body = b"".join(answer.chunks)

A library that is built on httpx gets a :class:`GuardedTransport` (``app.providers.transport``).
"""

from app.providers.calls import Answer, send
from app.providers.destinations import LOCAL, Target, follow, is_endpoint, read_url
from app.providers.egress import EgressGuard, Stop
from app.providers.errors import EgressError, EgressRefused
from app.providers.managers.base import exchange
from app.providers.streams import Stream, connect

__all__ = [
    "LOCAL",
    "Answer",
    "EgressError",
    "EgressGuard",
    "EgressRefused",
    "Stop",
    "Stream",
    "Target",
    "connect",
    "exchange",
    "follow",
    "is_endpoint",
    "read_url",
    "send",
]
