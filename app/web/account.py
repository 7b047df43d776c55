"""Signing in and out, the first administrator, and the theme."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from app.accounts import bootstrap
from app.errors import Invalid, NotFound, Throttled, Unauthenticated
from app.http.identity import current_actor
from app.http.services import services
from app.http.sign_in import sign_in, sign_out
from app.web.context import THEME_COOKIE, THEMES
from app.web.forms import FieldError, errors_of
from app.web.hx import safe_next
from app.web.pages import pages

Answer = str | Response | tuple[str, int]

_YEAR = 365 * 24 * 3600


@pages.get("/login")
def login() -> Answer:
    """Show the form; who is signed in already goes on."""
    going = safe_next(request.args.get("next"))
    if current_user.is_authenticated:
        return redirect(going or url_for("pages.overview"))
    return render_template("accounts/login.html", errors={}, email="", next=going)


@pages.post("/login")
def submit_login() -> Answer:
    """Check email and password and start a session."""
    email = request.form.get("email", "")
    going = safe_next(request.form.get("next"))
    try:
        sign_in(services(), email, request.form.get("password", ""))
    except (Unauthenticated, Throttled) as error:
        errors = {"password": FieldError(error.detail, error.code)}
        page = render_template("accounts/login.html", errors=errors, email=email, next=going)
        return page, error.status
    return redirect(going or url_for("pages.overview"), code=303)


@pages.post("/logout")
def logout() -> Answer:
    """End this browser's session."""
    sign_out(services(), current_actor())
    return redirect(url_for("pages.login"), code=303)


@pages.get("/setup/<token>")
def setup(token: str) -> Answer:
    """Show the form of a one-time link."""
    try:
        with services().db.read() as session:
            bootstrap.check_setup_link(session, token)
    except NotFound as error:
        return _setup_page(usable=False), error.status
    return _setup_page()


@pages.post("/setup/<token>")
def submit_setup(token: str) -> Answer:
    """Create the first administrator and sign them in."""
    email, password = request.form.get("email", ""), request.form.get("password", "")
    try:
        if password != request.form.get("password_again", ""):
            raise Invalid(
                "passwords_differ",
                "The two passwords differ. Type the same one twice.",
                field="password_again",
            )
        with services().db.begin() as session:
            bootstrap.redeem_setup_link(session, token, email, password)
    except Invalid as error:
        errors = errors_of(error, "email", "password", "password_again")
        return _setup_page(errors=errors, email=email), error.status
    except NotFound as error:
        return _setup_page(usable=False), error.status
    sign_in(services(), email, password)
    flash("The account is made, and you are signed in.")
    return redirect(url_for("pages.overview"), code=303)


@pages.post("/theme")
def set_theme() -> Answer:
    """Keep the theme in a cookie, for browsers without script."""
    theme = request.form.get("theme", "auto")
    response = redirect(safe_next(request.form.get("next")) or url_for("pages.login"), code=303)
    if theme in THEMES:
        response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR, secure=True, samesite="Lax")
    return response


def _setup_page(
    *, usable: bool = True, errors: dict[str, FieldError] | None = None, email: str = ""
) -> str:
    return render_template(
        "accounts/setup.html", usable=usable, errors=errors or {}, email=email
    )
