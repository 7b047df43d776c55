"""The browsers in which one is signed in, and ending them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import flash, render_template, url_for
from werkzeug.wrappers import Response

from app.accounts import service as accounts
from app.accounts.sessions import ABSOLUTE_LIMIT, IDLE_LIMIT
from app.web.hx import go
from app.web.pages import pages
from app.web.work import work

_BROWSERS = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"),
    ("Safari/", "Safari"), ("curl/", "curl"),
)
_SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iOS"), ("iPad", "iPadOS"), ("Windows", "Windows"),
    ("Mac OS X", "macOS"), ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A login as the page shows it.

    :ivar ends_at: when it ends at the latest.
    """

    id: str
    browser: str
    user_agent: str
    address: str | None
    created_at: datetime
    last_seen_at: datetime
    ends_at: datetime
    here: bool


@pages.get("/settings/sessions")
def login_sessions() -> str:
    """List one's own live sessions."""
    with work(read=True) as (session, actor):
        rows = [
            SessionRow(
                row.id, describe_browser(row.user_agent), row.user_agent, row.address,
                row.created_at, row.last_seen_at,
                min(row.created_at + ABSOLUTE_LIMIT, row.last_seen_at + IDLE_LIMIT),
                row.id == actor.session_id,
            )
            for row in accounts.list_sessions(session, actor)
        ]
    rows.sort(key=lambda row: not row.here)
    return render_template("settings/sessions.html", sessions=rows)


@pages.post("/settings/sessions/<session_id>/revoke")
def revoke_login(session_id: str) -> Response:
    """End one of one's own sessions."""
    with work() as (session, actor):
        accounts.revoke_session(session, actor, session_id)
    flash("That session has ended. Its browser is asked to sign in again.")
    return go(url_for("pages.login_sessions"))


def describe_browser(user_agent: str) -> str:
    """Name browser and system roughly; the text itself is shown on hover."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "Unknown browser")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), None)
    return f"{browser} on {system}" if system else browser
