"""Idempotency keys: a request sent twice is one deed, and is answered alike.

The row is written in the transaction of the deed, so there is never one without the other; the
answer follows in a transaction of its own. What was sent is kept as a keyed HMAC only: whoever
reads the database can't try out values against it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import LargeBinary, String, Text, delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.accounts.actor import Actor
from app.db import Base
from app.errors import Conflict
from app.ids import utcnow
from app.keys.aead import encode_fields
from app.keys.seals import Seals

LIFETIME = timedelta(hours=24)
"""How long a key is remembered."""

_KIND = "idempotency"


class IdempotencyKey(Base):
    """A deed that a client named.

    :ivar id: digest of who sent which key.
    :ivar fingerprint: HMAC of what was sent, under the row key that ``key_id`` names.
    :ivar status: of the answer; None until it is known, and for good where it isn't kept.
    """

    __tablename__ = "idempotency_keys"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(16))
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(index=True)


@dataclass(frozen=True, slots=True)
class Named:
    """A request that carries an idempotency key.

    :ivar sent: digest of method, address and body.
    """

    id: str
    sent: str = field(repr=False)

    @classmethod
    def of(cls, actor: Actor, key: str, *, method: str, address: str, body: bytes) -> Named:
        """Name a request of an actor; other people's and environments' keys are other keys."""
        owner = encode_fields(
            "tacit/idempotency", actor.environment_id, actor.user_id or actor.name, key
        )
        sent = encode_fields(method, address, hashlib.sha256(body).hexdigest())
        return cls(hashlib.sha256(owner).hexdigest(), hashlib.sha256(sent).hexdigest())


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the first request was answered."""

    status: int
    headers: dict[str, str]
    body: str


def find_answer(session: Session, named: Named) -> StoredAnswer | None:
    """Return what the same request was answered before; None for one that is new.

    :raises Conflict: ``idempotency_key_reused`` for another request under the same key,
        ``idempotency_answer_gone`` where the deed was done but its answer isn't kept.
    """
    row = session.get(IdempotencyKey, named.id, populate_existing=True)
    if row is None or row.expires_at <= utcnow():
        return None
    seals: Seals = session.info["seals"]
    if not seals.row_is_sealed(_KIND, _fields(named), row.key_id, row.fingerprint):
        raise Conflict(
            "idempotency_key_reused",
            "This Idempotency-Key was sent with another request before. Take a new one for each "
            "deed; only a repetition of the very same request has the same key.",
        )
    if row.status is None or row.body is None:
        raise Conflict(
            "idempotency_answer_gone",
            "This was done when it was sent first, and its answer isn't kept: it held something "
            "that is shown once, or the connection broke. Look at what is there now; to do it "
            "again, send another Idempotency-Key.",
        )
    return StoredAnswer(row.status, dict(row.headers or {}), row.body)


def claim(session: Session, named: Named) -> None:
    """Write the key into the transaction of the deed.

    Of two that come at once the second waits here for the first.

    :raises AlreadyDone: the deed was done meanwhile.
    """
    now = utcnow()
    session.execute(
        delete(IdempotencyKey).where(
            IdempotencyKey.id == named.id, IdempotencyKey.expires_at <= now
        )
    )
    seals: Seals = session.info["seals"]
    key_id, fingerprint = seals.mac_row(_KIND, _fields(named))
    session.add(
        IdempotencyKey(
            id=named.id, key_id=key_id, fingerprint=fingerprint, status=None, headers=None,
            body=None, expires_at=now + LIFETIME,
        )
    )
    try:
        session.flush()
    except IntegrityError:
        raise AlreadyDone from None


def keep_answer(session: Session, named: Named, answer: StoredAnswer) -> None:
    """Keep what the request was answered, to be repeated."""
    session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.id == named.id)
        .values(status=answer.status, headers=answer.headers, body=answer.body)
    )


def purge_idempotency_keys(session: Session) -> int:
    """Forget keys that are older than a day; returns how many."""
    found = session.execute(
        delete(IdempotencyKey).where(IdempotencyKey.expires_at <= utcnow())
    )
    return int(found.rowcount)  # type: ignore[attr-defined]


class AlreadyDone(Exception):
    """Another request with this key was faster; its answer is to be repeated."""


def _fields(named: Named) -> dict[str, str]:
    return {"id": named.id, "sent": named.sent}
