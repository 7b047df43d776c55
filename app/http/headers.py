"""Response headers: what browsers may do with an answer, and the request's id."""

from __future__ import annotations

from flask import Flask, Response, request

from app.config import Config
from app.http.problems import request_id

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts for which no HSTS is sent."""

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""The headers of every answer of every listener."""

NOTHING = "default-src 'none'; frame-ancestors 'none'"
"""The content security policy of what is no page."""

SCRIPTS = "default-src 'none'; script-src 'self'; frame-ancestors 'none'"
"""That of scripts: one that runs as a worker obeys its own, and may load our other scripts."""


def page_policy(live_origin: str) -> str:
    """Return the content security policy of pages: own files only, nothing inline."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"font-src 'self'; connect-src 'self' {live_origin}; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )


def register(app: Flask, config: Config) -> None:
    """Set the headers of every response of the application."""
    policies = {
        "text/html": page_policy(config.live_url),
        "text/javascript": SCRIPTS,
        "application/javascript": SCRIPTS,
    }
    hsts = config.host not in LOCAL

    @app.after_request
    def _set(response: Response) -> Response:
        headers = response.headers
        for name, value in ALWAYS.items():
            # Added, since no route has set one: setting looks through all that are there.
            headers.add(name, value)
        headers["X-Request-Id"] = request_id()
        headers["Content-Security-Policy"] = policies.get(response.mimetype or "", NOTHING)
        if hsts:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if request.endpoint != "static":
            headers["Cache-Control"] = "no-store"
        return response
