"""Who may watch a run: the same credentials, scopes and answers as on the web listener."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.accounts import service as accounts
from app.accounts.actor import Actor
from app.accounts.signed_in import find_signed_in
from app.db import Database
from app.errors import Denied, Invalid, Unauthenticated
from app.http.identity import COOKIE, ENVIRONMENT_HEADER
from app.http.tickets import read_ticket
from app.http.work import unit_of_work
from app.runs import service as runs

_NUMBER = re.compile(r"[0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class Visitor:
    """What a request for a stream brought.

    :param after: the sequence number of the last event that the viewer has.
    :param bearer: the Authorization header, which counts instead of all else.
    :param ticket: of the web listener, which counts instead of the cookie.
    """

    run_id: str
    after: int
    cookie: str | None
    bearer: str | None
    ticket: str | None
    environment: str | None
    request_id: str
    address: str | None


def read_visitor(
    run_id: str,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    *,
    web_origin: str,
    request_id: str,
    address: str | None,
) -> Visitor:
    """Read what a request brought; asks no database.

    :param headers: by lower-case name.
    :raises Unauthenticated: ``credential_missing``.
    :raises Denied: ``origin_mismatch``: a browser says that another site's page is asking, or a
        cookie comes without saying whose page it is.
    :raises Invalid: ``after_invalid``.
    """
    bearer, cookie = headers.get("authorization"), _cookie(headers.get("cookie", ""))
    ticket = query.get("ticket")
    if bearer is None and ticket is None and cookie is None:
        raise Unauthenticated(
            "credential_missing",
            "Sign in, or send an API token in the header “Authorization: Bearer …”.",
        )
    origin = headers.get("origin")
    by_cookie = bearer is None and ticket is None
    if origin != web_origin and (origin is not None or by_cookie):
        raise Denied(
            "origin_mismatch",
            f"This request didn't come from a page of this installation ({web_origin}).",
        )
    # What a browser sends when it comes back is newer than the address it first asked for.
    after = headers.get("last-event-id") or query.get("after") or "0"
    if not _NUMBER.fullmatch(after):
        raise Invalid(
            "after_invalid",
            "“after” and Last-Event-ID take the sequence number of the last event seen.",
            field="after",
        )
    environment = headers.get(ENVIRONMENT_HEADER.lower()) or query.get("environment")
    return Visitor(
        run_id, int(after), cookie, bearer, ticket, environment or None, request_id, address
    )


def admit(db: Database, visitor: Visitor, *, opening: bool = True) -> Actor:
    """Return the actor if they may watch the run; called again and again while they do.

    Reads only, but for the audit of a denial and the time of a token's last use.

    :param opening: False for a stream that is open already.
    :raises Unauthenticated: the credential is not valid, or no longer.
    :raises Denied: the scope ``runs:read`` is missing.
    :raises NotFound: there is no such run in the environment.
    """
    with db.read() as session:
        actor = _actor(session, visitor, opening)
        stale = actor.token_id is not None and accounts.needs_touch(session, actor.token_id)
    with unit_of_work(db, actor, read=True) as session:
        runs.get_state(session, actor, visitor.run_id)
    if stale and actor.token_id is not None:
        with db.begin() as session:
            accounts.touch_token(session, actor.token_id)
    return actor


def _actor(session: Session, visitor: Visitor, opening: bool) -> Actor:
    if visitor.bearer is not None:
        scheme, _, credential = visitor.bearer.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated(
                "token_invalid", "Send an API token in the header “Authorization: Bearer …”."
            )
        return accounts.actor_for_token(
            session, credential.strip(), request_id=visitor.request_id, address=visitor.address
        )
    if visitor.ticket is not None:
        return _ticket_actor(session, visitor, opening)
    found = find_signed_in(
        session, visitor.cookie or "", environment=visitor.environment,
        request_id=visitor.request_id, address=visitor.address,
    )
    if found is None:
        raise Unauthenticated("credential_missing", "This session has ended. Sign in again.")
    return found.actor


def _ticket_actor(session: Session, visitor: Visitor, opening: bool) -> Actor:
    ticket = read_ticket(
        session.info["seals"], visitor.ticket or "", visitor.run_id, opening=opening
    )
    scopes = accounts.current_scopes(session, ticket.user, ticket.environment, ticket.token)
    if not scopes:
        raise Unauthenticated("token_invalid", "The API token behind this stream has ended.")
    return Actor(
        kind="token",
        name=ticket.name,
        environment_id=ticket.environment,
        scopes=scopes,
        user_id=ticket.user,
        token_id=ticket.token,
        request_id=visitor.request_id,
        address=visitor.address,
    )


def _cookie(header: str) -> str | None:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE and value:
            return value
    return None
