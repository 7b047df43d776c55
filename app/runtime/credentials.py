"""The service token of a request: read from its header alone, never beside a browser's headers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from app import audit
from app.audit import Action, AuditNote, Who
from app.errors import Denied, TacitError, Unavailable
from app.http.browsers import sent_by_browser
from app.http.problems import request_id
from app.http.services import services
from app.keys.tokens import TokenRefused, key_id_of, refusal

WORKER = "tacit:worker"
CLAIM = "tacit:claim"
RUN = "tacit:run"
VALUE = "tacit:secret-value"

_log = logging.getLogger("tacit.runtime")


def read_token() -> tuple[str, str]:
    """Return the request's token and the id of the key that it claims to be signed with.

    :raises Unauthenticated: there is none, or it isn't one of ours.
    :raises Denied: ``browser_refused``: the request carries what only browsers send, or the token
        stands in the query.
    """
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token or len(token) > 4096:
        raise refusal("absent")
    kid = key_id_of(token.strip())
    refuse_browser()
    return token.strip(), kid


def refuse_browser() -> None:
    """Refuse what only browsers send, and anything in the query but a version: tokens end there.

    :raises Denied: ``browser_refused``.
    """
    if sent_by_browser() or not request.args.keys() <= {"version"}:
        raise Denied(
            "browser_refused",
            "The runtime listener answers workers only: leave out cookies and browser headers, "
            "and send the token in the Authorization header, never in the address.",
        )


def read_body() -> Callable[[], dict[str, Any]]:
    """Read the body now, and say what is wrong with it only when it is asked for.

    Now, since a slow client must not keep a transaction open; later, since a token that does not
    hold is refused before anything else (SECURITY.md, section 4).

    :returns: a function that returns the body, or raises the refusal of it.
    """
    try:
        body: dict[str, Any] = request.get_json()
    except (TacitError, HTTPException) as error:
        refused = error

        def refuse() -> dict[str, Any]:
            raise refused

        return refuse
    return lambda: body


@dataclass(slots=True)
class Caller:
    """Who calls, and for what: nobody known, until a route has checked the token and says so."""

    who: Who | None = None
    run_id: str | None = None
    node: str | None = None


@contextmanager
def refusals_audited(
    *, run_id: str | None = None, secret_id: str | None = None
) -> Iterator[Caller]:
    """Write the audit event of a refusal that passes through, in its own transaction.

    A known worker's refusal stands in the chain of its environment, with the secret it asked for.
    Anybody else's stands in the installation's: who holds no key must not be able to fill the
    history of a secret, so there the id is only the target.
    """
    caller = Caller()
    try:
        yield caller
    except TacitError as error:
        known = caller.who is not None
        note = AuditNote(
            action=Action.WORKER_DENY,
            run_id=caller.run_id or run_id,
            node=caller.node,
            secret_id=secret_id if known else None,
            target=None if known else secret_id,
            data={"reason": error.reason} if isinstance(error, TokenRefused) else {},
        )
        nobody = Who("worker", None, "unknown", None, request_id(), request.remote_addr)
        with audit_or_nothing(), services().db.begin() as session:
            audit.record_note(session, actor=caller.who or nobody, note=note, code=error.code)
        raise


@contextmanager
def audit_or_nothing() -> Iterator[None]:
    """Turn a database that takes no event into a refusal: no audit, no answer.

    :raises Unavailable: ``audit_unavailable``.
    """
    try:
        yield
    except SQLAlchemyError as error:
        _log.error("audit_unavailable", extra={"error": type(error).__name__})
        raise Unavailable(
            "audit_unavailable",
            "This can't be written to the audit now, so it is not answered either. Try again; if "
            "it stays, an operator finds out why with “tacit doctor”.",
        ) from None
