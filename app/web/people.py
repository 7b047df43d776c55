"""People for administrators: who is here, with which roles; new ones, and shutting out."""

from __future__ import annotations

from typing import Any

from flask import flash, render_template, request, url_for
from werkzeug.wrappers import Response

from app.accounts import service as accounts
from app.accounts.administrators import scopes_everywhere
from app.accounts.scopes import ROLE_SCOPES, Role, Scope
from app.errors import Conflict, Denied, Invalid
from app.web.forms import Errors, FieldError, errors_of
from app.web.hx import go, render
from app.web.pages import pages
from app.web.sections import is_fresh
from app.web.work import work

_PAGE = 50
_FIELDS = ("email", "name", "password", "role")

ROLE_HELP = {
    Role.VIEWER: "sees secrets’ names, flows and runs",
    Role.AUTHOR: "edits, activates and runs flows",
    Role.OPERATOR: "an author whose runs may use secrets",
    Role.SECRET_MANAGER: "saves, rotates and deletes secrets",
    Role.AUDITOR: "a viewer who reads the audit log",
    Role.ADMIN: "everything",
}


@pages.get("/settings/people")
def people() -> str:
    """List the people, a page at a time."""
    return _list()


@pages.post("/settings/people")
def create_person() -> Response | tuple[str, int]:
    """Create a person with a first password, and a role."""
    form = request.form
    try:
        with work() as (session, actor):
            made = accounts.create_user(
                session, actor,
                email=form.get("email", ""), name=form.get("name", ""),
                password=form.get("password", ""), role=form.get("role") or None,
                environment_id=_where(form, actor.environment_id),
            )
            person_id, email = made.id, made.email
    except (Invalid, Conflict) as error:
        return _list(errors_of(error, *_FIELDS), form), error.status
    except Denied as error:
        return _list(_own(error), form), error.status
    flash(f"{email} can sign in now, with the password that you chose.")
    return go(url_for("pages.person", user_id=person_id))


@pages.get("/settings/people/<user_id>")
def person(user_id: str) -> str:
    """Show one person."""
    return _person(user_id)


@pages.post("/settings/people/<user_id>/roles")
def grant_role(user_id: str) -> Response | tuple[str, int]:
    """Give a role, here or everywhere."""
    form = request.form
    try:
        with work() as (session, actor):
            accounts.grant_role(
                session, actor, user_id=user_id, role=form.get("role", ""),
                environment_id=_where(form, actor.environment_id),
            )
    except Invalid as error:
        return _person(user_id, errors_of(error, "role")), error.status
    except Denied as error:
        return _person(user_id, _own(error)), error.status
    flash("The role is given. Their sessions have ended, so that they sign in with it.")
    return go(url_for("pages.person", user_id=user_id))


@pages.post("/settings/people/<user_id>/roles/<grant_id>/revoke")
def revoke_role(user_id: str, grant_id: str) -> Response | tuple[str, int]:
    """Take a role back."""
    try:
        with work() as (session, actor):
            accounts.revoke_role(session, actor, grant_id=grant_id, user_id=user_id)
    except (Conflict, Denied) as error:
        return _person(user_id, _own(error)), error.status
    flash("The role is taken back, and their sessions have ended.")
    return go(url_for("pages.person", user_id=user_id))


@pages.post("/settings/people/<user_id>/<any(disable, enable):deed>")
def set_disabled(user_id: str, deed: str) -> Response | tuple[str, int]:
    """Shut a person out, or let them in again."""
    try:
        with work() as (session, actor):
            accounts.set_disabled(session, actor, user_id, deed == "disable")
    except (Conflict, Denied) as error:
        return _person(user_id, _own(error)), error.status
    flash(
        "Shut out. Their sessions, tokens and runs stopped at once." if deed == "disable"
        else "Let in again."
    )
    return go(url_for("pages.person", user_id=user_id))


@pages.post("/settings/people/<user_id>/password")
def reset_password(user_id: str) -> Response | tuple[str, int]:
    """Give a person a new password; all their sessions end."""
    try:
        with work() as (session, actor):
            accounts.set_password(session, actor, user_id, request.form.get("password", ""))
    except Invalid as error:
        return _person(user_id, errors_of(error, "password")), error.status
    except Denied as error:
        return _person(user_id, _own(error)), error.status
    flash("The password is set. All their sessions have ended.")
    return go(url_for("pages.person", user_id=user_id))


def _list(errors: Errors | None = None, form: Any = None) -> str:
    cursor = request.args.get("cursor") or None
    with work(read=True) as (session, actor):
        page = accounts.list_people(session, actor, cursor=cursor, limit=_PAGE)
        everywhere = Scope.USERS_MANAGE in scopes_everywhere(session, actor)
        roles = _roles(actor.scopes)
    return render(
        "settings/people.html", "settings/_people.html", people=page.items, roles=roles,
        everywhere=everywhere, fresh=is_fresh(actor), errors=errors or {}, form=form or {},
        first_href=url_for("pages.people") if cursor else None,
        next_href=url_for("pages.people", cursor=page.next_cursor) if page.next_cursor else None,
    )


def _person(user_id: str, errors: Errors | None = None) -> str:
    with work(read=True) as (session, actor):
        found = accounts.get_person(session, actor, user_id)
        everywhere = Scope.USERS_MANAGE in scopes_everywhere(session, actor)
        roles = _roles(actor.scopes)
    return render_template(
        "settings/person.html", person=found, roles=roles, everywhere=everywhere,
        fresh=is_fresh(actor), errors=errors or {}, form={},
    )


def _roles(own: frozenset[Scope]) -> list[tuple[str, str]]:
    """Return the roles that can be given: nobody gives what they don't have."""
    return [(role.value, ROLE_HELP[role]) for role in Role if ROLE_SCOPES[role] <= own]


def _where(form: Any, here: str) -> str | None:
    return None if form.get("where") == "everywhere" else here


def _own(error: Denied | Conflict) -> Errors:
    """Place a refusal above the form; one that a click on a hidden button met goes on as it is."""
    if error.code == "scope_missing":
        raise error
    return {"": FieldError(error.detail, error.code)}
