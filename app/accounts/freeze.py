"""The freeze: grants, runs and triggers stop at once, in one environment or everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from sqlalchemy import String, bindparam, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import audit
from app.accounts.actor import Actor
from app.accounts.administrators import require_everywhere
from app.accounts.scopes import Scope
from app.audit import Action
from app.db import Base
from app.errors import Locked
from app.ids import utcnow
from app.keys.records import Reading
from app.keys.sealed import Sealed, Tampered
from app.prepared import Prepared

EVERYWHERE = "everywhere"
"""Stands for all environments."""


class Freeze(Sealed, Base):
    """A freeze that is in force; ``place`` is an environment's id or ``everywhere``."""

    __tablename__ = "freezes"
    SEALED: ClassVar[tuple[str, ...]] = ("place",)

    place: Mapped[str] = mapped_column(String(36), primary_key=True)
    reason: Mapped[str] = mapped_column(String(500))
    by: Mapped[str] = mapped_column(String(254))
    at: Mapped[datetime] = mapped_column(default=utcnow)


_FREEZE = Reading(Freeze, "reason", "by", "at")
_HELD = Prepared(
    select(*_FREEZE.columns).where(Freeze.place.in_([EVERYWHERE, bindparam("place")])).limit(1)
)


def freeze(session: Session, actor: Actor, *, everywhere: bool, reason: str) -> Freeze:
    """Freeze the actor's environment, or everything; freezing twice changes the reason.

    :raises Denied: the actor lacks ``environments:manage`` there.
    """
    place = _place(session, actor, everywhere)
    row = session.get(Freeze, place)
    if row is None:
        row = Freeze(place=place)
        session.add(row)
    row.reason, row.by, row.at = reason.strip()[:500] or "No reason given.", actor.name, utcnow()
    session.flush()
    audit.record(
        session, actor=actor.who(), action=Action.FREEZE, target=place,
        data={"reason": row.reason},
    )
    return row


def unfreeze(session: Session, actor: Actor, *, everywhere: bool) -> bool:
    """Lift a freeze; say whether there was one.

    :raises Denied: the actor lacks ``environments:manage`` there.
    """
    place = _place(session, actor, everywhere)
    row = session.get(Freeze, place)
    if row is None:
        return False
    session.delete(row)
    audit.record(session, actor=actor.who(), action=Action.UNFREEZE, target=place)
    return True


def _place(session: Session, actor: Actor, everywhere: bool) -> str:
    if everywhere:
        require_everywhere(session, actor, Scope.ENVIRONMENTS_MANAGE)
        return EVERYWHERE
    actor.require(Scope.ENVIRONMENTS_MANAGE)
    return actor.environment_id


def find_freeze(session: Session, environment_id: str) -> Freeze | None:
    """Return the freeze that holds in an environment, if any: place, reason, who and when."""
    return _FREEZE.find(session, _HELD, {"place": environment_id})


def is_frozen(session: Session, environment_id: str) -> bool:
    """Say whether a freeze holds in an environment; also where its row was changed outside Tacit,
    which is logged where it is found: nothing starts there before it is put right."""
    try:
        return find_freeze(session, environment_id) is not None
    except Tampered:
        return True


def refuse_frozen(session: Session, environment_id: str) -> None:
    """Refuse what a freeze stops.

    :raises Locked: ``frozen``, with who froze it and why.
    """
    row = find_freeze(session, environment_id)
    if row is not None:
        raise frozen(row)


def frozen(row: Freeze) -> Locked:
    """Return the refusal of what a freeze stops, with who froze it and why."""
    reason = row.reason if row.reason[-1:] in ".!?…" else f"{row.reason}."
    where = "Everything" if row.place == EVERYWHERE else "This environment"
    return Locked(
        "frozen",
        f"{where} was frozen by {row.by}: {reason} No run starts and no secret is handed "
        "out until an administrator lifts it with “tacit unfreeze” or on the Freeze page.",
    )
