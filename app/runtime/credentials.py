"""The service token of a request: read from its header alone, never beside a browser's headers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import request

from app import audit
from app.audit import Action, AuditNote, Who
from app.errors import Denied, TacitError
from app.http.problems import request_id
from app.http.services import services
from app.keys.tokens import TokenRefused, key_id_of, refusal

WORKER = "tacit:worker"
CLAIM = "tacit:claim"
RUN = "tacit:run"
VALUE = "tacit:secret-value"

_BROWSER = frozenset({"cookie", "origin"})
_BROWSER_PREFIXES = ("sec-fetch-", "access-control-request-")


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
    names = {name.lower() for name, _ in request.headers}
    if names & _BROWSER or any(name.startswith(_BROWSER_PREFIXES) for name in names):
        raise _browser()
    if "token" in request.args or "access_token" in request.args:
        raise _browser()
    return token.strip(), kid


@contextmanager
def refusals_audited(
    *, run_id: str | None = None, secret_id: str | None = None
) -> Iterator[None]:
    """Write the audit event of a refusal that passes through, in its own transaction."""
    try:
        yield
    except TacitError as error:
        data = {"reason": error.reason} if isinstance(error, TokenRefused) else {}
        note = AuditNote(
            action=Action.WORKER_DENY, run_id=run_id, secret_id=secret_id, data=data,
        )
        who = Who("worker", None, "unknown", None, request_id(), request.remote_addr)
        with services().db.begin() as session:
            audit.record_note(session, actor=who, note=note, code=error.code)
        raise


def _browser() -> Denied:
    return Denied(
        "browser_refused",
        "The runtime listener answers workers only: leave out cookies and browser headers, and "
        "send the token in the Authorization header.",
    )
