"""The audit log, newest first, for those who may read it."""

from __future__ import annotations

from flask import request, url_for

from app.accounts.scopes import Scope
from app.audit import reading
from app.web.hx import render
from app.web.pages import pages
from app.web.work import work

_PAGE = 50


@pages.get("/audit")
def audit() -> str:
    """List the audit events of this environment."""
    cursor = request.args.get("cursor")
    with work(read=True) as (session, actor):
        actor.require(Scope.AUDIT_READ)
        page = reading.list_events(session, actor.environment_id, cursor=cursor, limit=_PAGE)
    return render(
        "audit/list.html", "audit/_list.html",
        events=page.items, cursor=cursor,
        first_href=url_for("pages.audit") if cursor else None,
        next_href=url_for("pages.audit", cursor=page.next_cursor) if page.next_cursor else None,
    )
