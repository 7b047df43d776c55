"""Which secrets are due, which are overdue, and how many of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.ids import utcnow
from app.vault import reading
from app.vault.service import DueCounts, due_counts
from tests.support.database import sqlite_only
from tests.support.installation import Installation, canary


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own."""
    made = Installation.make(tmp_path / "home")
    yield made
    made.services.close()


def test_due_and_overdue(house: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    api = house.api(house.token())
    for period in (None, 3, 10, 20):
        body = {"name": f"every-{period}", "value": canary(), "rotation_period_days": period}
        assert api.post("/secrets", json=body).status_code == 201
    gone = api.post("/secrets", json={"name": "gone", "value": canary(),
                                      "rotation_period_days": 3}).json
    api.delete(f"/secrets/{gone['id']}")

    def names(due: str) -> list[str]:
        found = api.get(f"/secrets?due={due}").json["items"]
        return [item["name"] for item in found]

    def counts() -> DueCounts:
        with house.services.db.read() as session:
            return due_counts(session, house.environment_id)

    assert (names("due"), names("overdue")) == (["every-3"], [])
    assert counts() == DueCounts(due=1, overdue=0)
    now = utcnow() + timedelta(days=5)
    monkeypatch.setattr(reading, "utcnow", lambda: now)
    assert (names("due"), names("overdue")) == (["every-10"], ["every-3"])
    assert counts() == DueCounts(due=1, overdue=1)
    assert api.get("/secrets?due=never").status_code == 422
    # Rotating is what helps.
    secret = api.get("/secrets?due=overdue").json["items"][0]
    monkeypatch.undo()
    rotated = api.put(f"/secrets/{secret['id']}/rotate", json={"value": canary()}).json
    assert rotated["due_at"] > secret["due_at"]


@sqlite_only
def test_the_counts_come_from_the_index(house: Installation) -> None:
    import sqlite3

    with sqlite3.connect(house.config.home / "tacit.db") as raw:
        plan = raw.execute(
            "explain query plan select count(*) from secrets where environment_id = 'x' and "
            "due_at <= '2030-01-01' and state != 'deleted'"
        ).fetchall()
    assert "ix_secrets_environment_id_due_at" in str(plan), plan
