"""The JSON API under ``/api/v1``: what people's programs and the pages' scripts may rely on."""

from __future__ import annotations

from apiflask import APIFlask
from flask import request

from app.api import openapi
from app.api.blueprint import BASE, api
from app.http import csrf
from app.http.identity import current_actor
from app.http.requests import refuse_large


def register(app: APIFlask) -> None:
    """Add the API to the web application.

    Importing the route modules here, not above, keeps the import of this package free of them.
    """
    from app.api import (  # noqa: F401
        account,
        bundles,
        components,
        credentials,
        credentials_typed,
        external,
        flows,
        history,
        hooks,
        installation,
        limits,
        people,
        runs,
        secret_versions,
        secrets,
        workers,
    )

    openapi.register(app)
    app.before_request(_admit)
    app.register_blueprint(api)
    app.register_blueprint(hooks.routes)


def _admit() -> None:
    """Check the credential before anything else, addresses that don't exist included."""
    path = request.path
    if not (path == BASE or path.startswith(BASE + "/")) or path == openapi.PATH:
        return
    actor = current_actor()
    if actor.kind == "session":
        # Browsers send cookies by themselves; they never send a bearer token so.
        csrf.check()
    refuse_large()
