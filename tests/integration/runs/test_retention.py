"""Runs are forgotten when their environment says so, whole and bounded; the audit stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update

from app.accounts.models import Environment
from app.audit.models import AuditEvent
from app.db import Database
from app.flows.activation import activate_flow
from app.flows.history import keep_draft, list_kept_drafts
from app.flows.models import Flow, FlowVersion
from app.ids import utcnow
from app.runs import retention
from app.runs.models import Run, RunEvent
from app.runs.retention import purge_kept_drafts, purge_runs
from tests.support.runs import HeldRun, Workshop


@pytest.fixture
def db(workshop: Workshop) -> Database:
    """The database."""
    return workshop.installation.services.db


def ended(workshop: Workshop, days: int, *, active: bool = False) -> HeldRun:
    """Make a run with a grant, a used value, nodes and events, that ended some days ago."""
    secret = workshop.secret()
    held = workshop.claimed(secret)
    workshop.runtime.value(held)
    done = {"seq": held.plan["next_seq"], "at": "2026-01-01T00:00:00Z", "type": "node",
            "node": "n0", "data": {"state": "succeeded"}}
    answer = workshop.runtime.post(
        f"/runs/{held.id}/finish", held.token(), {"state": "succeeded", "events": [done]}
    )
    assert answer.status_code == 200, answer.json
    with workshop.installation.services.db.begin() as session:
        session.execute(
            update(Run).where(Run.id == held.id)
            .values(finished_at=utcnow() - timedelta(days=days)),
            execution_options={"synchronize_session": False},
        )
    return held


def rows_of(db: Database, run_id: str) -> dict[str, int]:
    """Count what is kept of a run."""
    tables = ("run_events", "run_nodes", "run_claims", "grants", "value_uses")
    with db.read() as session:
        counts = {
            table: session.scalar(
                text(f"select count(*) from {table} where run_id = :id"), {"id": run_id}
            ) or 0
            for table in tables
        }
        counts["runs"] = session.scalar(
            select(func.count()).select_from(Run).where(Run.id == run_id)
        ) or 0
    return counts


def test_a_run_goes_whole_after_its_time(workshop: Workshop, db: Database) -> None:
    old, young = ended(workshop, 31), ended(workshop, 29)
    waiting = workshop.run(workshop.flow())
    assert all(rows_of(db, old.id).values())
    with db.read() as session:
        events = session.scalar(
            select(func.count()).select_from(AuditEvent).where(AuditEvent.run_id == old.id)
        )
    assert purge_runs(db) == 1
    assert not any(rows_of(db, old.id).values())
    assert all(rows_of(db, young.id).values())
    assert workshop.show(waiting.id).state == "queued"
    with db.read() as session:
        assert events == session.scalar(
            select(func.count()).select_from(AuditEvent).where(AuditEvent.run_id == old.id)
        )


def test_an_environment_can_keep_them_for_ever_or_a_day(workshop: Workshop, db: Database) -> None:
    old = ended(workshop, 400)
    with db.begin() as session:
        session.execute(update(Environment).values(retention_days=0))
    assert purge_runs(db) == 0
    with db.begin() as session:
        session.execute(update(Environment).values(retention_days=1))
    assert purge_runs(db) >= 1
    assert not rows_of(db, old.id)["runs"]
    with db.begin() as session:
        session.execute(update(Environment).values(retention_days=30))


def test_it_goes_on_in_small_steps(
    workshop: Workshop, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ended(workshop, 31)
    with db.begin() as session:
        session.add_all(
            RunEvent(
                run_id=old.id, seq=100 + number, at=utcnow(), node=None, type="log",
                level="info", text="x", data={}, masks=[],
            )
            for number in range(50)
        )
    monkeypatch.setattr(retention, "EVENTS", 20)
    assert purge_runs(db, batches=1) == 0
    left = rows_of(db, old.id)
    assert left["runs"] == 1
    assert 30 <= left["run_events"] < 50
    assert purge_runs(db) == 1
    assert not any(rows_of(db, old.id).values())


def test_snapshots_of_drafts_go_with_their_last_run_and_versions_stay(
    workshop: Workshop, db: Database
) -> None:
    old = ended(workshop, 31)
    flow_id = workshop.show(old.id).flow_id
    with db.begin() as session:
        activate_flow(session, workshop.actor(), flow_id)
    purge_runs(db)
    with db.read() as session:
        numbers = session.scalars(
            select(FlowVersion.number).where(FlowVersion.flow_id == flow_id)
        ).all()
    assert list(numbers) == [1]


def test_kept_drafts_stay_their_time_and_as_long_as_a_run_needs_them(
    workshop: Workshop, db: Database
) -> None:
    """A draft that was run and kept must not go with its run; an old one goes."""
    old = ended(workshop, 31)
    flow_id = workshop.show(old.id).flow_id
    with db.begin() as session:
        keep_draft(session, workshop.actor(), session.get_one(Flow, flow_id), "a test")
    assert purge_kept_drafts(db) == 0
    purge_runs(db)

    def kept() -> list[str]:
        with db.read() as session:
            return [one.id for one in list_kept_drafts(session, workshop.actor(), flow_id)]

    (draft,) = kept()
    assert purge_kept_drafts(db) == 0
    with db.begin() as session:
        session.execute(
            update(FlowVersion).where(FlowVersion.id == draft)
            .values(created_at=utcnow() - timedelta(days=31)),
            execution_options={"synchronize_session": False},
        )
    assert purge_kept_drafts(db) == 1
    assert kept() == []
