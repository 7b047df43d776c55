"""Who is asking: flask-login over bearer tokens and our own server-side sessions.

Flask's signed cookie never holds an identity; it carries flash messages only.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flask import Flask, Response, g, redirect, request
from flask_login import (
    AnonymousUserMixin,
    LoginManager,
    UserMixin,
    current_user,
)
from werkzeug.wrappers import Response as BaseResponse

from app.accounts import service as accounts
from app.accounts.actor import Actor
from app.accounts.sessions import touch_session
from app.accounts.signed_in import find_signed_in
from app.db import Database
from app.errors import Unauthenticated
from app.http.problems import request_id
from app.http.requests import address
from app.http.services import services
from app.ids import utcnow

COOKIE = "__Host-tacit"
"""The session cookie; ``__Host-`` binds it to this host, over TLS, for every path."""

ENVIRONMENT_HEADER = "X-Tacit-Environment"
ENVIRONMENT_COOKIE = "__Host-tacit-environment"
"""Which environment the pages show; it opens nothing, roles do."""


@dataclass(frozen=True, eq=False)
class Identity(UserMixin):  # type: ignore[misc]
    """What ``flask_login.current_user`` is for a request with a good credential.

    :param csrf_secret: the session's; None for bearer tokens, which browsers never send.
    """

    actor: Actor
    csrf_secret: str | None = None

    def get_id(self) -> str:
        """Return the person's id, as flask-login asks."""
        return self.actor.user_id or ""


def register(app: Flask) -> None:
    """Find the identity of each request; what comes without one is anonymous."""
    manager = LoginManager()
    manager.session_protection = None
    manager.anonymous_user = AnonymousUserMixin
    manager.request_loader(_load)
    manager.unauthorized_handler(_unauthorized)
    manager.init_app(app)
    # flask-login's remember-me cookie is not used; a cookie of that name means nothing.
    app.config["REMEMBER_COOKIE_NAME"] = "__Host-tacit-unused"
    app.after_request(_write_cookie)


def current_actor() -> Actor:
    """Return the actor of the current request.

    :raises Unauthenticated: ``credential_missing`` or ``token_invalid``.
    """
    user = current_user._get_current_object()
    if not isinstance(user, Identity):
        raise Unauthenticated(
            "credential_missing",
            "Sign in, or send an API token in the header “Authorization: Bearer …”.",
        )
    return user.actor


def csrf_secret() -> str | None:
    """Return the CSRF secret of the current session; None without one."""
    user = current_user._get_current_object()
    return user.csrf_secret if isinstance(user, Identity) else None


def environment_id() -> str | None:
    """Return the environment that a signed-in person acts in; None for everybody else."""
    user = current_user._get_current_object()
    return user.actor.environment_id if isinstance(user, Identity) and user.csrf_secret else None


def session_cookie() -> str | None:
    """Return the session's token as the browser sent it."""
    return request.cookies.get(COOKIE)


def set_session_cookie(token: str | None) -> None:
    """Give the browser a new session token with this response; None takes it away."""
    g.new_session_cookie = token or ""


def _load(_request: object) -> Identity | None:
    """Check the request's credential; a bad bearer token is refused, never anonymous.

    Tokens open the API only: pages look at the session and at nothing else.
    """
    in_api = request.path.startswith("/api/")
    header = request.headers.get("Authorization") if in_api else None
    db = services().db
    if header is not None:
        return Identity(_token_actor(db, header))
    cookie = session_cookie()
    return _session_identity(db, cookie) if cookie else None


def _token_actor(db: Database, header: str) -> Actor:
    scheme, _, credential = header.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated(
            "token_invalid", "Send an API token in the header “Authorization: Bearer …”."
        )
    with db.read() as session:
        actor = accounts.actor_for_token(
            session, credential.strip(), request_id=request_id(), address=address()
        )
        stale = actor.token_id is not None and accounts.needs_touch(session, actor.token_id)
    if stale and actor.token_id is not None:
        with db.begin() as session:
            accounts.touch_token(session, actor.token_id)
    return actor


def _session_identity(db: Database, cookie: str) -> Identity | None:
    in_api = request.path.startswith("/api/")
    name = request.headers.get(ENVIRONMENT_HEADER) if in_api else None
    with db.read() as session:
        found = find_signed_in(
            session, cookie, environment=name, request_id=request_id(), address=address(),
            preferred=None if in_api else request.cookies.get(ENVIRONMENT_COOKIE),
        )
    if found is None:
        return None
    if found.stale and found.actor.session_id is not None:
        with db.begin() as session:
            touch_session(session, found.actor.session_id, utcnow())
    return Identity(found.actor, csrf_secret=found.csrf_secret)


def _unauthorized() -> BaseResponse:
    """Answer a page that needs a login: to the login form and back."""
    if request.path.startswith("/api/"):
        current_actor()
    target = request.full_path.rstrip("?") if request.method == "GET" else "/"
    location = f"/login?next={quote(target, safe='/')}"
    if request.headers.get("HX-Request") == "true":
        return Response(status=204, headers={"HX-Redirect": location})
    return redirect(location)


def _write_cookie(response: Response) -> Response:
    token = g.get("new_session_cookie")
    if token is not None:
        response.set_cookie(
            COOKIE,
            token,
            max_age=0 if token == "" else None,
            secure=True,
            httponly=True,
            samesite="Lax",
            path="/",
        )
    return response
