"""Environments: switching between them, and the page of who looks after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from app.accounts import service as accounts
from app.accounts.actor import Actor
from app.accounts.administrators import scopes_everywhere
from app.accounts.limits import Limits, get_limits, set_limits
from app.accounts.rules import STRICTEST, Rules, rules_to_show
from app.accounts.scopes import Scope
from app.errors import Conflict, Denied, Invalid
from app.http.identity import ENVIRONMENT_COOKIE
from app.keys.sealed import Tampered
from app.runs.reach import Reach, reach_of, set_reach
from app.web.forms import Errors, FieldError, errors_of
from app.web.hx import go
from app.web.pages import pages
from app.web.work import work

_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    """An environment as the page shows it.

    :ivar rules: the strictest, where they were changed outside Tacit, which ``foreign`` says.
    :ivar reach: None where its row was changed or deleted outside Tacit.
    """

    id: str
    name: str
    title: str
    rules: Rules
    foreign: bool
    here: bool
    limits: Limits
    reach: Reach | None


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
    """Change an environment's title, protection, policies, limits, and what its runs reach."""
    form = request.form
    policies: dict[str, Any] = {
        "hardcoded_credentials": form.get("hardcoded_credentials", "warn"),
        "require_allowed_hosts": "require_allowed_hosts" in form,
        "value_reading": "value_reading" in form,
    }
    try:
        with work() as (session, actor):
            there = accounts.acting_in(session, actor, environment_id)
            if "queued_runs" in form:
                _change_limits(session, there, form)
            if "worker_secrets" in form:
                # First: where its row was deleted in SQL, nothing holds the rules until it is back.
                _change_reach(session, there, form)
            row = accounts.change_environment(
                session, actor, environment_id, title=form.get("title"),
                protected="protected" in form, policies=policies,
            )
            name = row.name
    except (Invalid, Tampered) as error:
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
    rules = {one.id: rules_to_show(session, one) for one in found}
    return [
        EnvironmentRow(
            one.id, one.name, one.title, rules[one.id] or STRICTEST, rules[one.id] is None,
            one.id == actor.environment_id,
            Limits(one.queued_limit, one.running_limit, one.retention_days),
            _reach(session, one.id),
        )
        for one in found
    ]


def _reach(session: Session, environment_id: str) -> Reach | None:
    try:
        return reach_of(session, environment_id)
    except Tampered:
        return None


def _change_limits(session: Session, actor: Actor, form: Mapping[str, str]) -> None:
    """Set the limits as typed, where they are others.

    :raises Invalid: ``limits_invalid``.
    """
    running = form.get("running_runs", "").strip()
    wanted = Limits(
        _whole(form, "queued_runs", "Runs that wait"),
        _whole(form, "running_runs", "Runs at once") if running else None,
        _whole(form, "retention_days", "Days"),
    )
    if wanted != get_limits(session, actor):
        set_limits(session, actor, wanted)


def _whole(form: Mapping[str, str], name: str, label: str) -> int:
    text = form.get(name, "").strip().replace(",", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Invalid("limits_invalid", f"{label} has to be a whole number.", field=name)
    return int(text)


def _change_reach(session: Session, actor: Actor, form: Mapping[str, str]) -> None:
    """Set what runs reach as typed, where it is something else or its row is missing.

    :raises Invalid: ``reference_invalid``.
    :raises Tampered: the row was edited in SQL.
    """
    lines = form.get("worker_secrets", "").splitlines()
    wanted = Reach("allow_private" in form, tuple(sorted({one.strip() for one in lines} - {""})))
    if wanted != _reach(session, actor.environment_id):
        set_reach(
            session, actor, allow_private=wanted.allow_private,
            worker_secrets=list(wanted.worker_secrets),
        )
