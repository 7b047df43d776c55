"""State changes from browsers: the session's CSRF token and a matching Origin, login included.

One scheme for forms (field ``csrf_token``) and scripts (header ``X-CSRF-Token``). Before a
login the token stands in a ``__Host-`` cookie of its own, which no other host can set.
"""

from __future__ import annotations

import hashlib
import hmac

from flask import Flask, Response, g, request

from app.accounts.tokens import new_random
from app.errors import Conflict, Denied
from app.http.identity import csrf_secret, environment_id
from app.http.services import services

HEADER = "X-CSRF-Token"
FIELD = "csrf_token"
FORM_COOKIE = "__Host-tacit-form"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ANYWHERE = frozenset({"pages.switch_environment", "pages.logout", "pages.set_theme"})


def register(app: Flask) -> None:
    """Check every state change of pages and forms; the API checks its own (:func:`check`)."""
    app.before_request(_check_pages)
    app.after_request(_write_form_cookie)
    app.jinja_env.globals["csrf_token"] = csrf_token


def csrf_token() -> str:
    """Return the token that this page's forms and scripts must send back."""
    secret = csrf_secret()
    if secret is None:
        secret = request.cookies.get(FORM_COOKIE)
        if not secret:
            if "form_secret" not in g:
                g.form_secret = new_random()
            secret = g.form_secret
    return _derive(secret) + _place_mark()


def check() -> None:
    """Refuse a state change that doesn't come from one of our own pages.

    :raises Denied: ``origin_mismatch`` or ``csrf_failed``.
    """
    if request.method in _SAFE:
        return
    _check_origin()
    secret = csrf_secret() or request.cookies.get(FORM_COOKIE)
    sent = request.headers.get(HEADER) or ""
    if not sent and request.mimetype in (
        "application/x-www-form-urlencoded", "multipart/form-data"
    ):
        sent = request.form.get(FIELD, "")
    sent, _, place = sent.partition(".")
    if not secret or not hmac.compare_digest(_derive(secret).encode(), sent.encode()):
        raise Denied(
            "csrf_failed",
            f"This page is out of date, or the header {HEADER} is missing. Reload the page and "
            "try again.",
        )
    _check_place(place)


def _place_mark() -> str:
    """Return the environment of this page, as a mark on its token."""
    found = environment_id()
    return f".{found}" if found else ""


def _check_place(place: str) -> None:
    """Refuse the form of a page that shows another environment than the one acted in by now.

    Two tabs share the cookie that says which; what was typed under one environment's name must
    not land in another. Scripts name theirs in a header with each request.

    :raises Conflict: ``environment_switched``.
    """
    here = environment_id()
    if here is None or not place or place == here or request.endpoint in _ANYWHERE:
        return
    if request.path.startswith("/api/"):
        return
    raise Conflict(
        "environment_switched",
        "Another environment was chosen in another tab since this page was opened, so nothing "
        "was done. Reload the page, or switch back.",
    )


def _check_origin() -> None:
    origin = request.headers.get("Origin")
    if origin in (None, "null"):
        # Pages carry Referrer-Policy: no-referrer, for which browsers send “Origin: null” even
        # to ourselves; Sec-Fetch-Site is theirs alone to write.
        if request.headers.get("Sec-Fetch-Site") == "same-origin":
            return
    elif origin in (services().config.public_url, f"https://{request.host}"):
        return
    raise Denied(
        "origin_mismatch",
        "This request didn't come from a page of this installation "
        f"({services().config.public_url}).",
    )


def _check_pages() -> None:
    # A webhook's delivery acts by its signature, never by a cookie that came along.
    if not request.path.startswith(("/api/", "/hooks/")):
        check()


def _derive(secret: str) -> str:
    return hashlib.sha256(b"tacit:csrf:" + secret.encode()).hexdigest()


def _write_form_cookie(response: Response) -> Response:
    secret = g.get("form_secret")
    if secret is not None:
        response.set_cookie(
            FORM_COOKIE, secret, secure=True, httponly=True, samesite="Lax", path="/"
        )
    return response
