"""Settings of who is signed in: account, password, API tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import flash, render_template, request, url_for
from werkzeug.wrappers import Response

from app.accounts import service as accounts
from app.accounts.passwords import check_password_rules
from app.accounts.scopes import Scope
from app.errors import Denied, Invalid, Throttled, Unauthenticated
from app.http.identity import current_actor
from app.http.services import services
from app.http.sign_in import reauthenticate, sign_in
from app.ids import utcnow
from app.web.forms import Errors, FieldError, errors_of
from app.web.hx import go, safe_next
from app.web.pages import pages
from app.web.work import work

SCOPE_HELP: Mapping[Scope, str] = {
    Scope.SECRETS_READ: "names, metadata, versions; no values",
    Scope.SECRETS_USE: "let flows it runs use secrets",
    Scope.SECRETS_MANAGE: "create, rotate, delete",
    Scope.SECRETS_READ_VALUE: "read values; asks for your password again",
    Scope.FLOWS_READ: "read flows",
    Scope.FLOWS_MANAGE: "create, edit, activate",
    Scope.RUNS_READ: "read runs and logs",
    Scope.RUNS_MANAGE: "start, cancel, run again",
    Scope.AUDIT_READ: "read the audit log",
    Scope.USERS_MANAGE: "people, roles, others' tokens",
    Scope.KEYS_MANAGE: "master keys",
    Scope.WORKERS_MANAGE: "enrol and revoke workers",
    Scope.ENVIRONMENTS_MANAGE: "environments",
}
_MOST_DAYS = 3660


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: the one time its text is shown."""

    name: str
    plaintext: str


@pages.get("/settings")
def settings() -> str:
    """Show the account and its tokens."""
    return _page()


@pages.post("/settings/tokens")
def create_token() -> tuple[str, int]:
    """Make an API token and show it once, with the page that answers this very request."""
    form = request.form
    try:
        with work() as (session, actor):
            row, plaintext = accounts.create_token(
                session, actor,
                user=accounts.get_user(session, actor.user_id or ""),
                name=form.get("name", ""),
                scopes=form.getlist("scopes"),
                environment_id=actor.environment_id,
                expires_at=_expiry(form.get("expires_days", "")),
            )
            made = NewToken(row.name, plaintext)
    except Invalid as error:
        return _page(errors=errors_of(error, "name", "scopes", "expires_days"), form=form), 422
    except Denied as error:
        if error.code != "reauthentication_required":
            raise
        return _page(errors={"": FieldError(error.detail, error.code)}, form=form), error.status
    return _page(new_token=made), 201


@pages.post("/settings/tokens/<token_id>/revoke")
def revoke_token(token_id: str) -> Response:
    """End a token."""
    with work() as (session, actor):
        accounts.revoke_token(session, actor, token_id)
    flash("The token is revoked. Programs that use it are refused from now on.")
    return go(url_for("pages.settings"))


@pages.post("/settings/confirm")
def confirm_password() -> Response | tuple[str, int]:
    """Take the password again, for the deeds that need it fresh, and go back to them."""
    going = safe_next(request.form.get("next"))
    try:
        reauthenticate(services(), current_actor(), request.form.get("confirm_password", ""))
    except (Unauthenticated, Throttled) as error:
        errors = {"confirm_password": FieldError(error.detail, error.code)}
        if going:
            page = render_template("settings/confirm.html", errors=errors, next=going)
            return page, error.status
        errors[""] = FieldError(error.detail, "reauthentication_required")
        return _page(errors=errors), error.status
    flash("Confirmed, for the next ten minutes.")
    return go(going or url_for("pages.settings") + "#tokens")


@pages.post("/settings/password")
def change_password() -> Response | tuple[str, int]:
    """Change the password; every other session ends."""
    actor, password = current_actor(), request.form.get("password", "")
    try:
        check_password_rules(password, email=actor.name)
        reauthenticate(services(), actor, request.form.get("current_password", ""))
    except Invalid as error:
        return _page(password_errors=errors_of(error, "password")), error.status
    except (Unauthenticated, Throttled) as error:
        errors = {"current_password": FieldError(error.detail, error.code)}
        return _page(password_errors=errors), error.status
    with work() as (session, actor):
        accounts.set_password(session, actor, actor.user_id or "", password)
    sign_in(services(), actor.name, password)
    flash("The password is changed. Every other session has ended.")
    return go(url_for("pages.settings"))


def _page(
    *,
    errors: Errors | None = None,
    password_errors: Errors | None = None,
    form: Any = None,
    new_token: NewToken | None = None,
) -> str:
    with work(read=True) as (session, actor):
        tokens = list(accounts.list_tokens(session, actor))
        session.expunge_all()
    return render_template(
        "settings/settings.html",
        tokens=tokens,
        now=utcnow(),
        new_token=new_token,
        scopes=[
            {"name": scope.value, "help": SCOPE_HELP[scope]}
            for scope in Scope
            if actor.may(scope)
        ],
        errors=errors or {},
        password_errors=password_errors or {},
        form={
            "name": form.get("name", "") if form else "",
            "expires_days": form.get("expires_days", "90") if form else "90",
            "scopes": form.getlist("scopes") if form else [],
        },
    )


def _expiry(days: str) -> Any:
    if not days:
        return None
    if not days.isascii() or not days.isdigit() or not 0 < int(days[:6]) <= _MOST_DAYS:
        raise Invalid(
            "expiry_invalid", f"Choose an expiry of 1 to {_MOST_DAYS} days.", field="expires_days"
        )
    return utcnow() + timedelta(days=int(days))
