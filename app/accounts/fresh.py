"""Deeds for which a password must have been typed in within the last minutes."""

from __future__ import annotations

from app.accounts.actor import Actor
from app.accounts.sessions import FRESH
from app.errors import Denied
from app.ids import utcnow


def require_fresh(actor: Actor, deed: str) -> None:
    """Refuse a login session whose password was typed too long ago.

    API tokens and the command line have no password to type; their scopes decide alone.

    :param deed: what is about to be done, as the start of a sentence.
    :raises Denied: ``reauthentication_required``.
    """
    if actor.kind != "session":
        return
    typed = actor.authenticated_at
    if typed is None or utcnow() - typed > FRESH:
        raise Denied(
            "reauthentication_required", f"{deed} needs your password again. Type it in first."
        )
