"""Environments: switching between them, and the page of who looks after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.accounts import service as accounts
from app.accounts.actor import Actor
from app.accounts.administrators import scopes_everywhere
from app.accounts.policies import Policies, read_policies
from app.accounts.scopes import Scope
from app.errors import Conflict, Denied, Invalid
from app.http.identity import ENVIRONMENT_COOKIE
from app.web.forms import Errors, FieldError, errors_of
from app.web.hx import go
from app.web.pages import pages
from app.web.work import work

_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    """An environment as the page shows it."""

    id: str
    name: str
    title: str
    protected: bool
    policies: Policies
    here: bool


@pages.post("/environment")
def switch_environment() -> Response:
    """Show another environment from now on, in every tab of this browser."""
    wanted = request.form.get("name", "")
    with work(read=True) as (session, actor):
        names = {one.name for one in accounts.list_environments_of(session, actor.user_id or "")}
    response = redirect(url_for("pages.overview"), code=303)
    if wanted in names:
        response.set_cookie(
            ENVIRONMENT_COOKIE, wanted, max_age=_YEAR, secure=True, httponly=True,
            samesite="Lax", path="/",
        )
    else:
        flash("There is no environment of that name.", "error")
    return response


@pages.get("/settings/environments")
def environments() -> str:
    """List the environments that the person looks after."""
    return _page()


@pages.post("/settings/environments")
def create_environment() -> Response | tuple[str, int]:
    """Make an environment."""
    form = request.form
    try:
        with work() as (session, actor):
            made = accounts.create_environment(
                session, actor, name=form.get("name", "").strip(), title=form.get("title", ""),
                protected="protected" in form,
            )
            name = made.name
    except (Invalid, Conflict) as error:
        return _page(errors_of(error, "name", "title")), error.status
    except Denied as error:
        if error.code == "scope_missing":
            raise
        return _page({"": FieldError(error.detail, error.code)}), error.status
    flash(f"Created {name}. Its runs wait until it has a worker.")
    return go(url_for("pages.environments"))


@pages.post("/settings/environments/<environment_id>")
def change_environment(environment_id: str) -> Response | tuple[str, int]:
    """Change an environment's title, protection and policies."""
    form = request.form
    policies: dict[str, Any] = {
        "hardcoded_credentials": form.get("hardcoded_credentials", "warn"),
        "require_allowed_hosts": "require_allowed_hosts" in form,
        "value_reading": "value_reading" in form,
    }
    try:
        with work() as (session, actor):
            row = accounts.change_environment(
                session, actor, environment_id, title=form.get("title"),
                protected="protected" in form, policies=policies,
            )
            name = row.name
    except Invalid as error:
        flash(error.detail, "error")
    else:
        flash(f"Changed {name}.")
    return go(url_for("pages.environments"))


def _page(errors: Errors | None = None) -> str:
    with work(read=True) as (session, actor):
        actor.require(Scope.ENVIRONMENTS_MANAGE)
        everywhere = Scope.ENVIRONMENTS_MANAGE in scopes_everywhere(session, actor)
        rows = _rows(session, actor, everywhere)
    return render_template(
        "settings/environments.html", rows=rows, everywhere=everywhere, errors=errors or {},
        form=request.form,
    )


def _rows(session: Session, actor: Actor, everywhere: bool) -> Sequence[EnvironmentRow]:
    found = (
        accounts.list_environments(session)
        if everywhere
        else [accounts.get_environment(session, actor.environment_id)]
    )
    return [
        EnvironmentRow(
            one.id, one.name, one.title, one.protected, read_policies(one.policies),
            one.id == actor.environment_id,
        )
        for one in found
    ]
