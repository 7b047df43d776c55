"""``/ping`` and ``/readyz`` of the runtime listener."""

from __future__ import annotations

import time

from flask import Blueprint, Response, jsonify
from sqlalchemy import text

from app.http.services import services
from app.ids import iso, utcnow

routes = Blueprint("runtime_health", __name__)


@routes.get("/ping")
def ping() -> Response:
    """Say that the listener is there, and what time it is here."""
    return jsonify(ok=True, time=iso(utcnow()), unix=time.time())


@routes.get("/readyz")
def readyz() -> Response:
    """Say whether the database answers."""
    with services().db.read() as session:
        session.execute(text("select 1"))
    return jsonify(status="ready")
