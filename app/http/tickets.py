"""Tickets for live streams: what the web listener hands to a program that it sends on.

Programs drop the Authorization header when they follow a redirect to another port. The address
that they are sent to carries a ticket instead: for one run, to be used within a minute, worth
nothing but that run's events, and no longer than the token behind it.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import asdict, dataclass

from app.accounts.actor import Actor
from app.errors import Unauthenticated
from app.keys.seals import Seals

LIFETIME = 60
"""Seconds within which a stream must be opened with a ticket."""

_KIND = "live/ticket"


@dataclass(frozen=True, slots=True)
class Ticket:
    """Whose token was shown to the web listener, and for which run."""

    run: str
    environment: str
    user: str
    token: str
    name: str
    expires: int


def write_ticket(seals: Seals, actor: Actor, run_id: str) -> str:
    """Make the text of a ticket for the actor of an API token."""
    ticket = Ticket(
        run_id, actor.environment_id, actor.user_id or "", actor.token_id or "", actor.name,
        int(time.time()) + LIFETIME,
    )
    key_id, mac = seals.mac_row(_KIND, asdict(ticket))
    body = json.dumps([*asdict(ticket).values()], ensure_ascii=False).encode()
    return ".".join((_encode(body), key_id, _encode(mac)))


def read_ticket(seals: Seals, text: str, run_id: str, *, opening: bool = True) -> Ticket:
    """Check a ticket; says nothing about the token behind it, which may be revoked by now.

    :param opening: whether it must be fresh; a stream that is open already goes on.
    :raises Unauthenticated: ``ticket_invalid``: not ours, for another run, or too old.
    """
    try:
        body, key_id, mac = text.split(".")
        ticket = Ticket(*json.loads(_decode(body)))
        ours = seals.row_is_sealed(_KIND, asdict(ticket), key_id, _decode(mac))
    except (ValueError, TypeError):
        ours = False
    if not ours or ticket.run != run_id or (opening and ticket.expires < time.time()):
        raise Unauthenticated(
            "ticket_invalid",
            "This address of a stream has expired or doesn't hold. Ask for the stream at "
            "/api/v1/runs/{id}/stream of the web listener again.",
        )
    return ticket


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
