"""Statement 10 for what runs may reach: a row deleted in SQL widens nothing, it stops."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from sqlalchemy import text

from app import migrate
from app.cli.prepare import prepare
from app.config import Config
from app.db import build_engine
from app.runs.reach import Reach, find_missing_reach, reach_of, seal_reach, set_reach
from tests.support.database import home_variables
from tests.support.runs import Workshop


def test_s10_what_runs_may_reach_deleted(workshop: Workshop) -> None:
    """Without its row nothing starts: no row is not the reach of a fresh environment."""
    services, where = workshop.installation.services, workshop.installation.environment_id
    with services.db.begin() as session:
        set_reach(session, workshop.actor(), allow_private=False)
    flow = workshop.flow()
    waiting = workshop.run(flow).id
    with services.db.begin() as session:
        session.execute(
            text("delete from environment_reach where environment_id = :id"), {"id": where}
        )
    plan = workshop.runtime.claim(workshop.worker, waiting).plan
    assert plan["state"] == "rejected"
    assert [one["code"] for one in workshop.show(waiting).problems] == ["row_tampered"]
    api = workshop.installation.api(workshop.installation.token(user_id=workshop.user_id))
    refused = api.get("/reach")
    assert (refused.status_code, dict(refused.json or {})["code"]) == (503, "row_tampered")
    with services.db.read() as session:
        (finding,) = find_missing_reach(session)
        assert (finding.chain, finding.kind) == (where, "missing")
    # Set anew, it begins with nothing: what isn't given is not allowed.
    changed = api.call("PATCH", "/reach", json={"worker_secrets": []})
    assert dict(changed.json or {})["allow_private"] is False
    held = workshop.runtime.claim(workshop.worker, workshop.run(flow).id)
    assert held.plan["environment"]["reach"]["allow_private"] is False
    with services.db.begin() as session:
        set_reach(session, workshop.actor(), allow_private=True)


def test_s10_environments_of_older_releases_get_their_row_once(workshop: Workshop) -> None:
    services = workshop.installation.services
    other = workshop.installation.environment("older")
    with services.db.begin() as session:
        session.execute(
            text("delete from environment_reach where environment_id = :id"), {"id": other}
        )
    with services.db.begin() as session:
        seal_reach(session)
    with services.db.read() as session:
        assert reach_of(session, other) == Reach()
        assert list(find_missing_reach(session)) == []


def test_s10_only_the_migration_itself_makes_rows(tmp_path: Path) -> None:
    """Starting again is no way to have a deleted row made anew."""
    config = Config.load(home_variables(tmp_path / "home", empty=True))
    assert prepare(config, None).error is None
    engine = build_engine(config.database_url)
    count, gone = "select count(*) from environment_reach", "delete from environment_reach"
    try:
        with engine.begin() as connection:
            assert connection.execute(text(count)).scalar_one() == 1
            connection.execute(text(gone))
            alembic = migrate._alembic()
            alembic.attributes["connection"] = connection
            command.downgrade(alembic, "0010_output_masks")
        assert prepare(config, None).error is None
        with engine.begin() as connection:
            assert connection.execute(text(count)).scalar_one() == 1
            connection.execute(text(gone))
        assert prepare(config, None).error is None
        with engine.connect() as connection:
            assert connection.execute(text(count)).scalar_one() == 0
    finally:
        engine.dispose()
