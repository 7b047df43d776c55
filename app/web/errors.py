"""Error pages: the same look, a toast for htmx, and a plain page when nothing else works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, make_response, render_template
from flask_login import current_user

from app.web.hx import wants_partial


def render_error(problem: Mapping[str, Any]) -> Response:
    """Draw a problem for people; the caller sets the status."""
    try:
        if wants_partial():
            response = make_response(render_template("errors/_toast.html", problem=problem))
            response.headers["HX-Retarget"] = "#toasts"
            response.headers["HX-Reswap"] = "beforeend"
            return response
        page = "errors/error.html" if current_user.is_authenticated else "errors/bare.html"
        return make_response(render_template(page, problem=problem))
    except Exception:
        # Drawing asks the database who is looking. This page asks nobody, not even the context
        # processors, which is why it goes past render_template.
        plain = current_app.jinja_env.get_template("errors/plain.html")
        return make_response(plain.render(problem=problem))
