"""The header ``Idempotency-Key``: the same request twice is one deed with one answer."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Response, g, request
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.idempotency import (
    AlreadyDone,
    Named,
    StoredAnswer,
    claim,
    find_answer,
    keep_answer,
)
from app.db import Database
from app.errors import Invalid

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_KEPT_HEADERS = ("ETag", "Location")


def answer_once(
    db: Database, actor: Actor, view: Callable[[], Response], *, keeps_answer: bool
) -> Response:
    """Answer a POST: by its view, or as the same request was answered before.

    :param keeps_answer: False for answers that hold something shown once.
    :raises Invalid: ``idempotency_key_invalid``.
    :raises Conflict: the key was sent with another request, or the answer isn't kept.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return view()
    if not _KEY.fullmatch(key):
        raise Invalid(
            "idempotency_key_invalid",
            f"{HEADER} has 1 to 200 visible ASCII characters, such as a UUID.",
        )
    named = Named.of(
        actor, key, method=request.method, address=request.full_path, body=request.get_data()
    )
    with db.read() as session:
        before = find_answer(session, named)
    if before is None:
        g.idempotency = named
        try:
            response = view()
        except AlreadyDone:
            with db.read() as session:
                before = find_answer(session, named)
            # Done and gone within this moment can't be: a key is kept for a day.
            if before is None:
                raise
        else:
            if keeps_answer and "idempotency" not in g and response.status_code < 400:
                with db.begin() as session:
                    keep_answer(session, named, _stored(response))
            return response
    return _replay(before)


def claim_key(session: Session) -> None:
    """Write the request's key into the first writing transaction of its deed, if it has one."""
    named = g.pop("idempotency", None) if g else None
    if named is not None:
        claim(session, named)


def _stored(response: Response) -> StoredAnswer:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return StoredAnswer(response.status_code, headers, response.get_data(as_text=True))


def _replay(answer: StoredAnswer) -> Response:
    response = Response(
        answer.body, status=answer.status, mimetype="application/json" if answer.body else None
    )
    response.headers.update({**answer.headers, REPLAYED: "true"})
    return response
