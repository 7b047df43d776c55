"""``/healthz`` and ``/readyz`` of the web listener."""

from __future__ import annotations

import http.client
import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, jsonify
from sqlalchemy import text

from app.audit.probe import try_audit
from app.config import Config
from app.http.problems import MIMETYPE, problem
from app.http.services import Services
from app.runs.workers import count_live_workers

FRESH = 2.0
"""Seconds for which an answer of the runtime listener, or the audit, is remembered."""

TIMEOUT = 2.0
"""Seconds that the runtime listener has to answer."""

_log = logging.getLogger("tacit.http")


@dataclass
class Readiness:
    """What must be there before the installation can run a flow, and whether it is."""

    services: Services
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: float = 0.0
    _audit_tried: float | None = None
    _audit_holds: bool = False
    _runtime_ready: bool = False
    _context: ssl.SSLContext | None = None

    def missing(self) -> list[tuple[str, str]]:
        """Return the name of each part that isn't ready, with a sentence; empty when all are."""
        checks: tuple[tuple[str, Callable[[], bool], str], ...] = (
            ("database", self._database, "The database does not answer."),
            ("audit", self._audit, "No event can be written to the audit (a lock, or a full "
             "disk?), so no value is handed out."),
            ("queue", self._queue, "The queue's server does not answer."),
            ("runtime", self._runtime, "The runtime listener does not answer at "
             f"{self.services.config.runtime_url}."),
            ("worker", self._worker, "No worker has been seen within the last 30 seconds."),
        )
        return [(name, words) for name, check, words in checks if not _passes(name, check)]

    def _database(self) -> bool:
        with self.services.db.read() as session:
            session.execute(text("select 1"))
        return True

    def _audit(self) -> bool:
        with self._lock:
            # Bad answers are remembered too: each try of a locked database waits a second.
            if self._audit_tried is None or time.monotonic() - self._audit_tried > FRESH:
                self._audit_holds = False
                try:
                    try_audit(self.services.db.engine)
                    self._audit_holds = True
                finally:
                    self._audit_tried = time.monotonic()
            return self._audit_holds

    def _queue(self) -> bool:
        return self.services.queue.ping()

    def _worker(self) -> bool:
        with self.services.db.read() as session:
            return count_live_workers(session) > 0

    def _runtime(self) -> bool:
        with self._lock:
            # Only a good answer is remembered: a start must not wait for a bad one to age.
            if not self._runtime_ready or time.monotonic() - self._asked > FRESH:
                self._runtime_ready = False
                if self._context is None:
                    self._context = _client_context(self.services.config)
                self._runtime_ready = _ask(self.services.config.runtime_url, self._context)
                self._asked = time.monotonic()
            return self._runtime_ready


def register(app: Flask, services: Services) -> None:
    """Add both addresses; neither needs a credential, and neither says more than what is missing.
    """
    readiness = Readiness(services)
    health = Blueprint("health", __name__)

    @health.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @health.get("/readyz")
    def readyz() -> Response:
        missing = readiness.missing()
        if not missing:
            return jsonify(status="ready")
        body = problem(
            503,
            "not_ready",
            " ".join(words for _, words in missing),
            title="Not available now",
            problems=tuple(
                {"code": f"{name}_missing", "severity": "error", "node": None, "port": None,
                 "field": name, "message": words, "remedy": None}
                for name, words in missing
            ),
        )
        response = jsonify(body)
        response.status_code = 503
        response.mimetype = MIMETYPE
        response.headers["Retry-After"] = "1"
        return response

    app.register_blueprint(health)


def _passes(name: str, check: Callable[[], bool]) -> bool:
    try:
        return check()
    except Exception as error:
        # Whatever it was, the part isn't ready; what its message quotes stays out of the log.
        _log.info("readiness: %s: %s", name, type(error).__name__)
        return False


def _client_context(config: Config) -> ssl.SSLContext:
    return ssl.create_default_context(
        cafile=str(config.ca_file) if config.ca_file.exists() else None
    )


def _ask(url: str, context: ssl.SSLContext) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPSConnection(
        parts.hostname or "localhost", parts.port or 443, timeout=TIMEOUT, context=context
    )
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    finally:
        connection.close()
