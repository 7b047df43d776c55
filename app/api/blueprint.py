"""The API's blueprint, and the one decorator that every operation wears."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel
from werkzeug.routing import BaseConverter

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.api.bodies import Body, Query
from app.audit import Action, AuditNote
from app.errors import Denied, Invalid
from app.http.idempotency import answer_once
from app.http.identity import current_actor
from app.http.problems import MIMETYPE
from app.http.services import services
from app.http.work import denials_audited
from app.ids import is_id

BASE = "/api/v1"

api = APIBlueprint("api", __name__, url_prefix=BASE)

F = TypeVar("F", bound=Callable[..., Any])

_ETAG = re.compile(r'"(?P<quoted>[0-9]{1,9})"|(?P<bare>[0-9]{1,9})')
_NOBODY = "00000000-0000-0000-0000-000000000000"
_ERRORS = {
    400: "The body can't be read (`malformed_json`).",
    401: "No credential, or one that doesn't hold.",
    403: "The scope is missing (`scope_missing` names it), or the CSRF token or origin is wrong.",
    404: "Unknown id; ids of other environments answer the same.",
    409: "The present state doesn't allow it.",
    412: "`If-Match` names a revision that is no longer the current one.",
    413: "The body is too large.",
    415: "The body isn't `application/json`.",
    422: "The input can't be taken; `problems` says which fields and why.",
    423: "Policy holds it shut.",
    429: "Too many attempts.",
    503: "Not available now.",
}
_BODY_ERRORS = (400, 413, 415, 422)


class IdConverter(BaseConverter):
    """An id in a path. What isn't an id becomes one that nothing has, and answers alike."""

    def to_python(self, value: str) -> str:
        """Return the id, or the nil UUID."""
        return value if is_id(value) else _NOBODY


def operation(
    *,
    scope: Scope | tuple[Scope, ...] | None,
    answer: type[BaseModel] | None,
    status: int = 200,
    early: int | None = None,
    body: type[Body] | None = None,
    query: type[Query] | None = None,
    errors: Sequence[int] = (),
    session_only: bool = False,
    shown_once: bool = False,
) -> Callable[[F], F]:
    """Declare an operation: what it needs, takes and answers.

    The scope is checked before the body is read. The view gets ``json_data`` and ``query_data``.
    A POST takes an ``Idempotency-Key``.

    :param scope: None for what every credential may ask; several of which one is enough.
    :param answer: the model of a good answer; None for 204.
    :param early: another status of a good answer, with the same model.
    :param errors: the statuses beyond those that every operation of its kind can answer.
    :param session_only: refuse API tokens: it is about the person, not about an environment.
    :param shown_once: the answer holds a credential, so it is kept nowhere.
    """
    scopes = scope if isinstance(scope, tuple) else () if scope is None else (scope,)
    statuses = {401, 403, *errors, *(_BODY_ERRORS if body else ()), *((422,) if query else ())}
    if 412 in statuses:
        statuses.add(422)

    def decorate(view: F) -> F:
        decorated: Any = view
        if query is not None:
            decorated = api.input(query, location="query")(decorated)
        if body is not None:
            decorated = api.input(body, location="json")(decorated)
        if answer is not None:
            decorated = api.output(answer, status_code=status)(decorated)
        responses: dict[Any, Any] = {code: problem_response(code) for code in sorted(statuses)}
        if answer is None:
            responses[status] = {"description": "Done."}
        if early is not None and answer is not None:
            schema = {"$ref": f"#/components/schemas/{answer.__name__}"}
            responses[early] = {
                "description": "It is over already.",
                "content": {"application/json": {"schema": schema}},
            }
        extensions: dict[str, Any] = {}
        if scopes:
            extensions["x-required-scope"] = " or ".join(one.value for one in scopes)
        decorated = api.doc(
            responses=responses,
            security=["session"] if session_only else ["token", "session"],
            operation_id=view.__name__,
            extensions=extensions or None,
        )(decorated)

        @wraps(decorated)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            actor, db = current_actor(), services().db
            with denials_audited(db, actor):
                if session_only:
                    _require_session(actor)
                if scopes and not any(actor.may(one) for one in scopes):
                    actor.require(scopes[0])
            if request.method != "POST":
                return decorated(*args, **kwargs)
            return answer_once(
                db, actor, lambda: cast(Response, decorated(*args, **kwargs)),
                keeps_answer=not shown_once,
            )

        return cast(F, guarded)

    return decorate


def problem_response(status: int) -> dict[str, Any]:
    """Describe an error's response to the OpenAPI document."""
    return {
        "description": _ERRORS[status],
        "content": {MIMETYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def _require_session(actor: Actor) -> None:
    if actor.kind != "session":
        raise Denied(
            "session_required",
            "This is about a person, not about an environment: sign in for it. An API token "
            "doesn't open it.",
            audit=AuditNote(action=Action.ACCESS_DENY, data={"needs": "session"}),
        )


def reply(
    model: BaseModel,
    status: int = 200,
    *,
    revision: int | None = None,
    headers: Mapping[str, str] | None = None,
    leave_out: Mapping[str, Any] | set[str] | None = None,
) -> Response:
    """Make the response of a model.

    :param revision: becomes the ``ETag``.
    :param leave_out: fields that this answer doesn't have.
    """
    text = model.model_dump_json(exclude=cast(Any, leave_out))
    response = Response(text, status=status, mimetype="application/json")
    if revision is not None:
        response.set_etag(str(revision))
    response.headers.update(headers or {})
    return response


def if_match() -> int | None:
    """Return the revision that ``If-Match`` names; None without the header or for ``*``.

    :raises Invalid: ``if_match_invalid``: not one of our ETags.
    """
    text = request.headers.get("If-Match", "").strip()
    if text in ("", "*"):
        return None
    found = _ETAG.fullmatch(text)
    if found is None:
        raise Invalid(
            "if_match_invalid", 'If-Match takes the ETag of the last answer, such as "3".'
        )
    return int(found["quoted"] or found["bare"])
