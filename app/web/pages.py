"""The blueprint of the pages; behind login but for the few that lead there."""

from __future__ import annotations

from flask import Blueprint, current_app, request
from flask_login import current_user
from werkzeug.wrappers import Response

from app.errors import Malformed

PUBLIC = frozenset(
    {"pages.login", "pages.submit_login", "pages.setup", "pages.submit_setup", "pages.set_theme"}
)
"""Endpoints that answer without a login."""

pages = Blueprint("pages", __name__)


@pages.before_request
def _refuse_unstorable() -> None:
    """Refuse NUL characters, which no database keeps in text.

    :raises Malformed: ``text_unstorable``.
    """
    values = [*request.args.values(), *(request.view_args or {}).values()]
    if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
        values += [text for key, text in request.form.items() if key != "value"]
    if any("\x00" in str(text) for text in values):
        raise Malformed("text_unstorable", "The text holds a NUL character, which can't be kept.")


@pages.before_request
def _require_login() -> Response | None:
    if request.endpoint in PUBLIC or current_user.is_authenticated:
        return None
    response: Response = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    return response
