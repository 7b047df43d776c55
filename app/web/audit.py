"""The audit log, newest first, for those who may read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import request, url_for
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action, reading
from app.audit.reading import AuditFilter
from app.errors import Invalid
from app.ids import is_id
from app.vault.service import find_by_name
from app.web.hx import render
from app.web.pages import pages
from app.web.work import work

_PAGE = 50
_FILTERS = ("actor", "action", "outcome", "secret", "run", "since", "until")
_OUTCOMES = (("ok", "Allowed"), ("denied", "Denied"), ("failed", "Failed"))


@dataclass(frozen=True, slots=True)
class AuditRow:
    """An event as a page shows it."""

    seq: int
    at: datetime
    actor_name: str
    action: str
    outcome: str
    secret_id: str | None
    flow_id: str | None
    run_id: str | None
    node: str | None
    target: str | None
    address: str | None
    request_id: str | None
    data: Mapping[str, Any]


def audit_rows(
    session: Session,
    actor: Actor,
    wanted: AuditFilter,
    *,
    cursor: str | None = None,
    limit: int = _PAGE,
) -> tuple[list[AuditRow], str | None]:
    """Read events as rows, with the cursor of the next page.

    :raises Denied: the actor lacks ``audit:read``.
    """
    actor.require(Scope.AUDIT_READ)
    page = reading.list_events(session, actor.who(), wanted, cursor=cursor, limit=limit)
    names = AuditRow.__dataclass_fields__
    rows = [AuditRow(**{name: getattr(event, name) for name in names}) for event in page.items]
    return rows, page.next_cursor


@pages.get("/audit")
def audit() -> str:
    """List the audit events of this environment, filtered, a page at a time."""
    cursor = request.args.get("cursor") or None
    chosen = {name: request.args.get(name, "").strip() or None for name in _FILTERS}
    with work(read=True) as (session, actor):
        actor.require(Scope.AUDIT_READ)
        secret_id = _secret_id(session, actor, chosen["secret"])
        wanted = AuditFilter(
            action=chosen["action"], outcome=chosen["outcome"], actor=chosen["actor"],
            secret_id=secret_id, run_id=chosen["run"],
            since=_day(chosen["since"], "since"), until=_day(chosen["until"], "until", after=1),
        )
        rows, following = audit_rows(session, actor, wanted, cursor=cursor)

    def link(**changes: Any) -> str:
        return url_for("pages.audit", **(chosen | changes))

    return render(
        "audit/list.html", "audit/_list.html",
        events=rows, cursor=cursor, chosen=chosen, filtered=any(chosen.values()),
        actions=list(Action), outcomes=_OUTCOMES,
        first_href=link() if cursor else None,
        next_href=link(cursor=following) if following else None,
    )


def _secret_id(session: Session, actor: Actor, text: str | None) -> str | None:
    """Take a secret's name or id; a name that nothing has finds nothing, not everything."""
    if text is None or is_id(text) or not actor.may(Scope.SECRETS_READ):
        return text
    found = find_by_name(session, actor, text)
    return text if found is None else found.id


def _day(text: str | None, field: str, *, after: int = 0) -> datetime | None:
    """Return the start of a day in UTC, or of the day ``after`` days later."""
    if text is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=after), time(), UTC)
    except (ValueError, OverflowError):
        raise Invalid(
            "date_invalid", "Write a day like 2026-11-23.", field=field
        ) from None
