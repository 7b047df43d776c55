"""The audit log, newest first, for those who may read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request, url_for
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action, reading
from app.audit.reading import AuditFilter
from app.web.hx import render
from app.web.pages import pages
from app.web.work import work

_PAGE = 50
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
    """List the audit events of this environment, by action, result and actor."""
    cursor = request.args.get("cursor")
    chosen = {name: request.args.get(name) or None for name in ("action", "outcome", "actor")}
    with work(read=True) as (session, actor):
        wanted = AuditFilter(
            action=chosen["action"], outcome=chosen["outcome"], actor=chosen["actor"]
        )
        rows, following = audit_rows(session, actor, wanted, cursor=cursor)

    def link(**changes: Any) -> str:
        return url_for("pages.audit", **(chosen | changes))

    return render(
        "audit/list.html", "audit/_list.html",
        events=rows, cursor=cursor, chosen=chosen, actions=list(Action), outcomes=_OUTCOMES,
        first_href=link() if cursor else None,
        next_href=link(cursor=following) if following else None,
    )
