"""The one reader of htmx's headers: which part of a page is asked for, and where to go next."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, render_template
from flask_htmx import HTMX
from werkzeug.wrappers import Response as BaseResponse

htmx = HTMX()


def wants_partial() -> bool:
    """Say whether htmx asks for a partial; a restored history entry needs the whole page."""
    return bool(htmx) and not htmx.history_restore_request


def render(page: str, partial: str, **context: Any) -> str:
    """Render the partial for htmx, else the page that includes it.

    Templates learn from ``partial`` which it is, for what goes along out of band.
    """
    wanted = wants_partial()
    return render_template(partial if wanted else page, partial=wanted, **context)


def go(location: str) -> BaseResponse:
    """Send the browser on after a deed: by htmx's header, else with a 303."""
    if wants_partial():
        return Response(status=204, headers={"HX-Redirect": location})
    return redirect(location, code=303)


def safe_next(location: str | None) -> str | None:
    """Return the location if it is a path of this site, else None."""
    if not location or not location.startswith("/") or location[1:2] in ("/", "\\"):
        return None
    return location if location.isprintable() and "\\" not in location else None
