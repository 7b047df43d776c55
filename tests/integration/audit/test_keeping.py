"""Checkpoints as the scheduler writes them, and the retention."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.audit.checkpoints import CheckpointFile
from app.audit.models import AuditChain, AuditEvent
from app.audit.retention import BATCH, purge_all_before
from app.audit.verify import make_checkpoint, read_checkpoints, verify
from app.config import Config
from app.errors import ConfigError
from app.ids import utcnow
from app.runs import scheduler
from tests.support.runs import Workshop


def ticking(workshop: Workshop, config: Config, done: threading.Event) -> threading.Thread:
    """Start the scheduler's loop without the master key."""
    services = replace(workshop.installation.services, vault=None, config=config)
    thread = threading.Thread(target=scheduler.run_forever, args=(services, done))
    thread.start()
    return thread


def wait_for(check: object, done: threading.Event) -> None:
    for _ in range(600):
        if check():  # type: ignore[operator]
            return
        done.wait(0.02)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of the scheduler passes in no time."""
    monkeypatch.setattr(scheduler, "TICK", 0.01)
    monkeypatch.setattr(scheduler, "PURGE_EVERY", 1)
    monkeypatch.setattr(scheduler, "FORGET_EVERY", 1)
    # There is no queue here, and nothing that would be put back into one.
    monkeypatch.setattr(scheduler, "requeue", lambda *_: 0)


def test_the_scheduler_writes_a_checkpoint_when_a_chain_moved(
    workshop: Workshop, tmp_path: Path, quick: None
) -> None:
    config = workshop.installation.config
    assert config.audit_checkpoints == config.home / "audit" / "checkpoints.jsonl"
    file = tmp_path / "new" / "checkpoints.jsonl"
    done = threading.Event()
    workshop.secret()
    thread = ticking(workshop, replace(config, audit_checkpoints=file), done)
    try:
        wait_for(file.exists, done)
        assert len(file.read_text().splitlines()) == 1
        done.wait(0.2)
        assert len(file.read_text().splitlines()) == 1
        workshop.secret()
        wait_for(lambda: len(file.read_text().splitlines()) == 2, done)
    finally:
        done.set()
        thread.join(20)
    with workshop.installation.services.db.read() as session:
        lines = file.read_text().splitlines()
        checkpoints = read_checkpoints(lines, session.info["seals"])
        assert len(checkpoints) == 2
        assert verify(session, checkpoints).findings == []
        assert checkpoints[1]["chains"] == make_checkpoint(session)["chains"]


def test_a_folder_that_can_not_be_written_stops_nothing_else(
    workshop: Workshop, tmp_path: Path, quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    done = threading.Event()
    config = workshop.installation.config
    thread = ticking(workshop, replace(config, audit_checkpoints=blocked / "c.jsonl"), done)
    workshop.secret()
    try:
        wait_for(lambda: "tick_failed" in caplog.text, done)
        assert thread.is_alive()
    finally:
        done.set()
        thread.join(20)
    assert "tick_failed" in caplog.text


def test_a_line_that_a_crash_cut_is_taken_off(
    workshop: Workshop, tmp_path: Path
) -> None:
    file = tmp_path / "checkpoints.jsonl"
    with workshop.installation.services.db.read() as session:
        assert CheckpointFile(file).append(session)
        whole = file.read_text()
        file.write_text(whole + whole[: len(whole) // 2])
        assert not CheckpointFile(file).append(session)
    workshop.secret()
    with workshop.installation.services.db.read() as session:
        assert CheckpointFile(file).append(session)
        lines = file.read_text().splitlines()
        assert len(read_checkpoints(lines, session.info["seals"])) == 2


def test_the_retention_purges_and_the_chain_holds(
    workshop: Workshop, tmp_path: Path, quick: None
) -> None:
    db = workshop.installation.services.db
    environment = workshop.installation.environment_id
    count = select(func.count()).where(AuditEvent.chain == environment)
    for _ in range(3):
        workshop.secret()
    with db.read() as session:
        kept = [make_checkpoint(session)]
        whole = session.scalar(count)
        newest = session.scalar(
            select(func.max(AuditEvent.seq)).where(AuditEvent.chain == environment)
        )
    assert newest is not None
    # Nothing is old yet.
    assert purge_all_before(db, utcnow() - timedelta(days=1)) == 0
    done = threading.Event()
    config = replace(
        workshop.installation.config, audit_days=1, audit_checkpoints=tmp_path / "c.jsonl"
    )
    thread = ticking(workshop, config, done)
    try:
        wait_for((tmp_path / "c.jsonl").exists, done)
    finally:
        done.set()
        thread.join(20)
    with db.read() as session:
        assert session.scalar(count) == whole

    assert purge_all_before(db, utcnow()) > 0
    with db.read() as session:
        oldest = session.scalar(
            select(func.min(AuditEvent.seq)).where(AuditEvent.chain == environment)
        )
        assert oldest == newest
        purged = session.scalars(
            select(AuditEvent).where(AuditEvent.action == "audit.purge")
        ).all()
        assert {row.actor_name for row in purged} == {"scheduler"}
        assert environment in {row.chain for row in purged}
        assert verify(session, kept).findings == []
    workshop.secret()
    with db.read() as session:
        assert verify(session, kept).findings == []


def test_the_retention_works_in_batches(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.audit import retention

    assert BATCH == 5000
    monkeypatch.setattr(retention, "BATCH", 2)
    db = workshop.installation.services.db
    for _ in range(7):
        workshop.secret()
    assert purge_all_before(db, utcnow()) >= 7
    with db.read() as session:
        assert verify(session).findings == []
        heads = session.scalars(select(AuditChain)).all()
        assert heads


def test_days_that_are_no_number_stop_the_start() -> None:
    for text in ("-1", "1.5", "a year", "99999"):
        with pytest.raises(ConfigError, match="TACIT_AUDIT_DAYS"):
            Config.load({"TACIT_HOME": "/x", "TACIT_AUDIT_DAYS": text})
    assert Config.load({"TACIT_HOME": "/x", "TACIT_AUDIT_DAYS": "365"}).audit_days == 365
    loaded = Config.load({"TACIT_HOME": "/x", "TACIT_AUDIT_CHECKPOINTS": "/y/c.jsonl"})
    assert loaded.audit_checkpoints == Path("/y/c.jsonl")
    assert Config.load({"TACIT_HOME": "/x"}).audit_days == 0
