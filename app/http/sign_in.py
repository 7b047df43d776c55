"""Signing in and out over HTTP; the cookie is written with the response by itself."""

from __future__ import annotations

from flask import request

from app import audit
from app.accounts import service as accounts
from app.accounts.actor import Actor
from app.accounts.errors import LoginPaused
from app.accounts.login import Attempt
from app.accounts.passwords import verify_password
from app.accounts.sessions import rotate_session
from app.audit import Action
from app.http.identity import session_cookie, set_session_cookie
from app.http.problems import request_id
from app.http.requests import address
from app.http.services import Services
from app.http.work import unit_of_work


def sign_in(services: Services, email: str, password: str) -> None:
    """Check an email address and password and start a session in this browser.

    :raises Unauthenticated: ``login_failed``, with the number of tries left.
    :raises LoginPaused: too many failed tries; knows how long to wait.
    """
    attempt = _open_attempt(services, email)
    # No transaction is open meanwhile: this takes a tenth of a second on purpose.
    matched = verify_password(attempt.password_hash, password)
    with services.db.begin() as session:
        opened = accounts.close_attempt(
            session,
            attempt,
            matched=matched,
            request_id=request_id(),
            user_agent=request.user_agent.string,
            replacing=session_cookie(),
        )
    if opened is None:
        raise accounts.login_failed(attempt)
    set_session_cookie(opened[1])


def sign_out(services: Services, actor: Actor) -> None:
    """End the session of this browser."""
    with unit_of_work(services.db, actor) as session:
        token = session_cookie()
        if token:
            accounts.close_session(session, token)
        audit.record(session, actor=actor.who(), action=Action.LOGOUT, target=actor.user_id)
    set_session_cookie(None)


def reauthenticate(services: Services, actor: Actor, password: str) -> None:
    """Check the password of who is signed in again, and rotate the session.

    The deeds that need a fresh password (:data:`app.accounts.sessions.FRESH`) are open for the
    next request then.

    :raises Unauthenticated: ``login_failed``; counted like a login.
    """
    attempt = _open_attempt(services, actor.name)
    matched = verify_password(attempt.password_hash, password)
    if not matched or actor.session_id is None or attempt.user_id != actor.user_id:
        with services.db.begin() as session:
            audit.record(session, actor=actor.who(), action=Action.LOGIN, outcome="denied",
                         target=actor.user_id, data={"again": True})
        raise accounts.login_failed(attempt, "That password doesn't match.")
    with services.db.begin() as session:
        accounts.forget_attempts(session, attempt)
        token = rotate_session(session, actor.session_id)
        audit.record(session, actor=actor.who(), action=Action.LOGIN, target=actor.user_id,
                     data={"again": True})
    set_session_cookie(token)


def _open_attempt(services: Services, email: str) -> Attempt:
    try:
        with services.db.begin() as session:
            return accounts.open_attempt(session, email, address())
    except LoginPaused:
        with services.db.begin() as session:
            accounts.record_pause(session, email, address=address(), request_id=request_id())
        raise
