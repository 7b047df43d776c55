"""Errors become responses here and nowhere else: ``application/problem+json`` (RFC 9457).

The pages may register a renderer (:func:`show_pages_with`); paths under ``/api/`` and the runtime
application answer JSON always.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, current_app, g, json, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.http import HTTP_STATUS_CODES

from app.errors import TacitError, TooLarge, Unauthenticated, Unavailable
from app.ids import new_id

MIMETYPE = "application/problem+json"

_log = logging.getLogger("tacit.http")
_PAGES = "tacit.error_page"

PageRenderer = Callable[[Mapping[str, Any]], Any]
"""Turns the problem's fields into a page (body, or whatever Flask makes a response of)."""


def register(app: Flask) -> None:
    """Answer every error of the application through this module."""
    app.register_error_handler(TacitError, _answer_refusal)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(OperationalError, _answer_database)
    app.register_error_handler(Exception, _answer_unexpected)


def show_pages_with(app: Flask, renderer: PageRenderer) -> None:
    """Let the pages draw errors of requests outside ``/api/``."""
    app.extensions[_PAGES] = renderer


def request_id() -> str:
    """Return the id of the current request, made on first use."""
    if "request_id" not in g:
        g.request_id = new_id()
    return str(g.request_id)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    title: str | None = None,
    field: str | None = None,
    problems: tuple[Mapping[str, Any], ...] = (),
    of_request: str | None = None,
) -> dict[str, Any]:
    """Make the fields of a problem.

    :param field: the input field at fault; becomes one entry of ``problems`` if there are none.
    :param of_request: the request's id; by default that of Flask's current request.
    """
    if field and not problems:
        problems = (
            {"code": code, "severity": "error", "node": None, "port": None, "field": field,
             "message": detail, "remedy": None},
        )
    body: dict[str, Any] = {
        "type": f"urn:tacit:problem:{code}",
        "title": title or HTTP_STATUS_CODES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": of_request or request_id(),
    }
    if problems:
        body["problems"] = [dict(item) for item in problems]
    return body


def respond(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Make the response of a problem: a page where pages are drawn, JSON everywhere else."""
    renderer = current_app.extensions.get(_PAGES)
    if renderer is not None and not request.path.startswith(("/api/", "/hooks/")):
        response = current_app.make_response(renderer(body))
        response.status_code = int(body["status"])
    else:
        response = Response(
            json.dumps(body, sort_keys=False), status=int(body["status"]), mimetype=MIMETYPE
        )
    response.headers.update(headers or {})
    return response


def _answer_refusal(error: TacitError) -> Response:
    if error.status >= 500:
        _log.warning("refused", extra={"code": error.code, "request_id": request_id()})
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    body = problem(
        error.status, error.code, error.detail, title=error.title, field=error.field,
        problems=error.problems,
    )
    return respond(body, headers)


def _answer_http(error: HTTPException) -> Response:
    """Answer what Flask and Werkzeug refuse by themselves: no route, wrong method, a redirect."""
    status = error.code or 500
    if error.response is not None or status < 400:
        return current_app.make_response(error.get_response())
    headers: dict[str, str] = {}
    if isinstance(error, RequestEntityTooLarge):
        limit = request.max_content_length or 0
        return _answer_refusal(
            TooLarge(
                "body_too_large",
                f"The request is larger than {limit / 1048576:g} MiB, the most that is taken.",
            )
        )
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        headers["Allow"] = ", ".join(sorted(error.valid_methods))
    code, detail = _PLAIN.get(
        status, ("request_refused", f"{HTTP_STATUS_CODES.get(status, 'Refused')}.")
    )
    return respond(problem(status, code, detail), headers)


def _answer_database(error: OperationalError) -> Response:
    """Answer for a database that is locked, full or away: nothing was done, nothing is told."""
    _log.error("database_unavailable", extra={"error": type(error.orig).__name__})
    return _answer_refusal(
        Unavailable(
            "database_unavailable",
            "The database takes no changes now: it is locked, full or away. Nothing was done. Try "
            "again; if it stays, an operator finds out why with “tacit doctor”.",
        )
    )


def _answer_unexpected(error: Exception) -> Response:
    # The message of an unknown exception may quote anything, so neither the answer nor the log
    # has it; where it was raised is enough to find it.
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame else "unknown"
    _log.error(
        "unexpected error %s at %s (request %s)", type(error).__name__, place, request_id()
    )
    if current_app.config.get("PROPAGATE_EXCEPTIONS"):
        raise error
    return respond(
        problem(
            500,
            "internal_error",
            "Something went wrong on our side. Try again; if it stays, give the request id "
            "to whoever runs this installation.",
        )
    )


_PLAIN: Mapping[int, tuple[str, str]] = {
    400: ("bad_request", "The request can't be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address doesn't take that method."),
    406: ("not_acceptable", "This is not available in the form that was asked for."),
    414: ("url_too_long", "The address is too long."),
    431: ("headers_too_large", "The headers of the request are too large."),
}
