"""The freeze: who froze what and why, freezing and lifting it; the bar on every page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import flash, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.accounts import freeze as freezing
from app.accounts.administrators import scopes_everywhere
from app.accounts.scopes import Scope
from app.errors import Denied, Invalid
from app.web.forms import Errors, FieldError, errors_of
from app.web.hx import go
from app.web.pages import pages
from app.web.work import work


@dataclass(frozen=True, slots=True)
class FreezeView:
    """A freeze that is in force."""

    everywhere: bool
    reason: str
    by: str
    at: datetime


def freeze_in(session: Session, environment_id: str) -> FreezeView | None:
    """Return the freeze that holds in an environment, if any."""
    found = freezing.find_freeze(session, environment_id)
    return None if found is None else _view(found)


@pages.get("/settings/freeze")
def freeze_page() -> str:
    """Show what is frozen; for administrators, the forms."""
    return _page()


@pages.post("/settings/freeze")
def change_freeze() -> Response | tuple[str, int]:
    """Freeze the environment or everything, or lift a freeze."""
    form = request.form
    everywhere = form.get("where") == "everywhere"
    try:
        with work() as (session, actor):
            if form.get("deed") == "unfreeze":
                freezing.unfreeze(session, actor, everywhere=everywhere)
            else:
                actor.require(Scope.ENVIRONMENTS_MANAGE)
                if not form.get("reason", "").strip():
                    raise Invalid(
                        "reason_missing",
                        "Say why: people whose runs are stopped read it.", field="reason",
                    )
                freezing.freeze(session, actor, everywhere=everywhere, reason=form["reason"])
    except Invalid as error:
        return _page(errors_of(error, "reason")), error.status
    except Denied as error:
        if error.code == "scope_missing":
            raise
        return _page({"": FieldError(error.detail, error.code)}), error.status
    flash(
        "The freeze is lifted. Runs start and secrets are handed out again."
        if form.get("deed") == "unfreeze"
        else "Frozen. No run starts and no secret is handed out."
    )
    return go(url_for("pages.freeze_page"))


def _page(errors: Errors | None = None) -> str:
    with work(read=True) as (session, actor):
        places = (actor.environment_id, freezing.EVERYWHERE)
        rows = [session.get(freezing.Freeze, place) for place in places]
        views = [_view(row) for row in rows if row is not None]
        everywhere = Scope.ENVIRONMENTS_MANAGE in scopes_everywhere(session, actor)
    return render_template(
        "settings/freeze.html", freezes=views, everywhere=everywhere, errors=errors or {},
        form=request.form,
    )


def _view(row: freezing.Freeze) -> FreezeView:
    return FreezeView(row.place == freezing.EVERYWHERE, row.reason, row.by, row.at)
