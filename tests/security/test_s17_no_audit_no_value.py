"""Statement 17 of SECURITY.md: where nothing can be written to the audit no value leaves, by either
listener, and readiness says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select

from app.audit.models import AuditEvent
from app.audit.probe import try_audit
from app.config import Config
from app.http import health
from tests.support.database import audit_refusing, database_locked, raw_database, sqlite_only
from tests.support.installation import ORIGIN, Api, Installation, canary
from tests.support.runs import Workshop


@dataclass
class Shop:
    """An installation whose disk and patience the test decides."""

    workshop: Workshop
    api: Api

    def readiness(self) -> dict[str, str]:
        """Return what ``/readyz`` of a fresh look says: part by name, with its words."""
        answer = self.workshop.installation.app.test_client().get("/readyz", base_url=ORIGIN)
        problems = answer.json.get("problems", [])
        return {problem["field"]: problem["message"] for problem in problems}

    def used(self) -> int:
        """Count the uses and reveals that the audit holds."""
        with self.workshop.installation.services.db.read() as session:
            return session.scalar(
                select(func.count()).select_from(AuditEvent)
                .where(AuditEvent.action.in_(("secret.use", "secret.reveal")))
            ) or 0

    def refuses_both_ways(self) -> None:
        """Check that neither a run nor a token with ``secrets:read:value`` gets a value."""
        before = self.used()
        for answer in (self._fetch(), self.api.get(f"/secrets/{self.secret_id}")):
            text = answer.get_data(as_text=True)
            assert answer.status_code >= 500, text
            assert answer.json["code"] in (
                "audit_unavailable", "database_unavailable", "internal_error"
            )
            assert self.value not in text
        assert self.used() == before

    def _fetch(self) -> Any:
        self.attempt += 1
        return self.workshop.runtime.value(
            self.held, self.held.value_token(attempt=self.attempt)
        )

    def hands_out(self) -> None:
        """Check that both ways work."""
        assert self._fetch().json["value"] == self.value
        assert self.api.get(f"/secrets/{self.secret_id}").json["value"] == self.value

    def __post_init__(self) -> None:
        self.value, self.attempt = canary(), 0
        secret = self.workshop.secret(self.value)
        self.secret_id = secret.id
        self.held = self.workshop.claimed(secret)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A fresh installation; readiness is looked at anew each time, and nothing waits long."""
    monkeypatch.setattr(health, "FRESH", 0.0)
    made = Installation.make(tmp_path / "home")

    @event.listens_for(made.services.db.engine, "connect")
    def _impatient(dbapi: Any, _record: object) -> None:
        dbapi.execute(
            "pragma busy_timeout=200" if made.config.is_sqlite else "set lock_timeout = 200"
        )
        if not made.config.is_sqlite:
            dbapi.commit()

    made.services.db.engine.dispose()
    made.app.config["PROPAGATE_EXCEPTIONS"] = False
    workshop = Workshop.open(made)
    yield Shop(workshop, made.api(made.token(user_id=workshop.user_id)))
    made.services.close()


@contextmanager
def gone(config: Config) -> Iterator[None]:
    """The table isn't there."""
    with raw_database(config) as raw:
        raw.execute("alter table audit_events rename to elsewhere")
    try:
        yield
    finally:
        with raw_database(config) as raw:
            raw.execute("alter table elsewhere rename to audit_events")


@pytest.mark.parametrize(
    "trouble", [audit_refusing, database_locked, gone], ids=lambda one: one.__name__
)
def test_s17_refusing_locked_or_gone(shop: Shop, trouble: Any) -> None:
    shop.hands_out()
    assert "audit" not in shop.readiness()
    before = shop.used()
    with trouble(shop.workshop.installation.config):
        if trouble is not gone:
            shop.refuses_both_ways()
        else:
            assert shop._fetch().status_code == 503
        assert "no value is handed out" in shop.readiness()["audit"]
    assert shop.used() == before
    assert "audit" not in shop.readiness()
    shop.hands_out()


@sqlite_only
def test_s17_disk_full(shop: Shop) -> None:
    """SQLite's own “database or disk is full”, at whichever page it comes: as many values left as
    the audit holds, and then none.
    """
    engine = shop.workshop.installation.services.db.engine
    with raw_database(shop.workshop.installation.config) as raw:
        pages = raw.execute("pragma page_count").fetchone()[0]

    limit = pages + 3

    @event.listens_for(engine, "connect")
    def _small(dbapi: Any, _record: object) -> None:
        dbapi.execute(f"pragma max_page_count={limit}")

    engine.dispose()
    before, left = shop.used(), 0
    for _ in range(300):
        answer = shop._fetch()
        if answer.status_code != 200:
            break
        left += 1
    assert (answer.status_code, answer.json["code"]) == (503, "audit_unavailable")
    assert shop.value not in answer.get_data(as_text=True)
    assert shop.used() == before + left
    # Some event may still fit into a page that has room; each value has its own all the same.
    for _ in range(10):
        left += shop._fetch().status_code == 200
    assert shop.used() == before + left
    for _ in range(20):
        if "audit" in (missing := shop.readiness()):
            break
        shop.api.get(f"/secrets/{shop.secret_id}")
    assert "full disk" in missing["audit"]

    limit = 1 << 30
    engine.dispose()
    assert "audit" not in shop.readiness()
    shop.hands_out()


@sqlite_only
def test_s17_the_trial_leaves_nothing(shop: Shop) -> None:
    services = shop.workshop.installation.services
    with services.db.read() as session:
        before = session.scalar(select(func.count()).select_from(AuditEvent))
    wal = services.config.home / "tacit.db-wal"
    with services.db.read():
        size = wal.stat().st_size
        try_audit(services.db.engine)
        # It has asked the disk, not only the table.
        assert wal.stat().st_size > size
    with services.db.read() as session:
        assert session.scalar(select(func.count()).select_from(AuditEvent)) == before
    with services.db.engine.connect() as connection:
        assert connection.exec_driver_sql("pragma busy_timeout").scalar() == 200
