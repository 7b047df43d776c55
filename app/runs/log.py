"""A run's log as it is read: in pages, searched, and whole as text; all of it masked before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.ids import iso
from app.runs.models import RunEvent
from app.runs.rows import get_row
from app.runs.views import EventView, view_event

SEARCH_MOST = 200
"""Characters of a search that count; the rest is left out."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines in order, and whether more lie beyond them: before the first, or after the last."""

    lines: list[EventView]
    more: bool


def list_newest(
    session: Session, actor: Actor, run_id: str, *, before: int | None = None, limit: int = 500
) -> LogPage:
    """List the last lines of a log, or the last ones before a sequence number.

    :raises Denied: the actor lacks ``runs:read``.
    :raises NotFound: there is no such run here.
    """
    query = _lines(session, actor, run_id)
    if before is not None:
        query = query.where(RunEvent.seq < before)
    rows = list(session.scalars(query.order_by(RunEvent.seq.desc()).limit(limit + 1)))
    return LogPage([view_event(row) for row in reversed(rows[:limit])], len(rows) > limit)


def list_lines(
    session: Session, actor: Actor, run_id: str, *, after: int = 0, matching: str = "",
    limit: int = 500,
) -> LogPage:
    """List lines after a sequence number; with ``matching``, those whose masked text holds it.

    Upper and lower case are one (on SQLite for the letters of ASCII).

    :raises Denied: the actor lacks ``runs:read``.
    :raises NotFound: there is no such run here.
    """
    query = _lines(session, actor, run_id).where(RunEvent.seq > after)
    if matching:
        query = query.where(RunEvent.text.icontains(matching[:SEARCH_MOST], autoescape=True))
    rows = list(session.scalars(query.order_by(RunEvent.seq).limit(limit + 1)))
    return LogPage([view_event(row) for row in rows[:limit]], len(rows) > limit)


def write_lines(lines: Iterable[EventView], labels: Mapping[str, str]) -> str:
    """Write lines as text. A text's own line breaks are indented: they can't pose as a line."""
    return "".join(
        f"{iso(line.at)} {line.level:<7} {_flat(labels.get(line.node or '', line.node or 'run'))}: "
        + "\n    ".join(line.text.splitlines()) + "\n"
        for line in lines
    )


def _lines(session: Session, actor: Actor, run_id: str) -> Any:
    actor.require(Scope.RUNS_READ)
    run = get_row(session, actor, run_id)
    return select(RunEvent).where(RunEvent.run_id == run.id, RunEvent.text != "")


def _flat(label: str) -> str:
    return " ".join(label.split())
