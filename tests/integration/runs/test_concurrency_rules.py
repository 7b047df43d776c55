"""How many runs go on at once: the flow's rule and the environment's limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text, update

from app.accounts.models import Environment
from app.db import Database
from app.errors import Throttled
from app.flows.service import FlowView
from app.flows.settings import read_settings
from app.ids import new_id
from app.runs import concurrency
from app.runs.concurrency import release
from app.runs.models import Run
from app.runs.scheduler import let_held_go
from tests.support.runs import HeldRun, Workshop


@pytest.fixture
def db(workshop: Workshop) -> Iterator[Database]:
    """The database; runs of earlier tests are out of the way, and limits are taken back."""
    database = workshop.installation.services.db
    with database.begin() as session:
        session.execute(text("update runs set state = 'cancelled' where finished_at is null"))
    yield database
    _limit(database, queued_limit=10_000, running_limit=None)


def _limit(db: Database, **values: Any) -> None:
    with db.begin() as session:
        session.execute(update(Environment).values(**values))


def limited(workshop: Workshop, limit: int, policy: str) -> FlowView:
    """Make a flow with a rule."""
    rule = {"limit": limit, "policy": policy}
    return workshop.flow(settings=read_settings({"concurrency": rule}))


def finish(workshop: Workshop, held: HeldRun) -> None:
    """End a claimed run."""
    answer = workshop.runtime.post(
        f"/runs/{held.id}/finish", held.token(), {"state": "succeeded", "events": []}
    )
    assert answer.status_code == 200, answer.json


def released(workshop: Workshop) -> list[str]:
    """Let the scheduler look for held runs that have a place now."""
    with workshop.installation.services.db.begin() as session:
        return [run_id for run_id, _ in release(session)]


def state(workshop: Workshop, run_id: str) -> str:
    return workshop.show(run_id).state


def test_queue_holds_what_has_no_place_and_lets_the_oldest_go_first(
    workshop: Workshop, db: Database
) -> None:
    flow = limited(workshop, 1, "queue")
    first, second, third = (workshop.run(flow) for _ in range(3))
    # A job that comes out of turn finds no place, and its run stays queued.
    assert workshop.runtime.try_claim(workshop.worker, third.id).json["state"] == "gone"
    going = workshop.runtime.claim(workshop.worker, first.id)
    assert going.plan["state"] == "running"
    assert workshop.runtime.try_claim(workshop.worker, second.id).json["state"] == "gone"
    assert released(workshop) == []
    finish(workshop, going)
    assert released(workshop) == [second.id]
    assert workshop.runtime.try_claim(workshop.worker, third.id).json["state"] == "gone"
    finish(workshop, workshop.runtime.claim(workshop.worker, second.id))
    assert let_held_go(db, workshop.installation.services.queue) == 1
    finish(workshop, workshop.runtime.claim(workshop.worker, third.id))
    assert {state(workshop, one.id) for one in (first, second, third)} == {"succeeded"}


def test_a_flow_at_its_limit_keeps_no_other_flow_waiting(
    workshop: Workshop, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "RELEASED", 2)
    full, other = limited(workshop, 1, "queue"), limited(workshop, 1, "queue")
    for _ in range(4):
        workshop.run(full)
    going = workshop.runtime.claim(workshop.worker, workshop.run(other).id)
    held = workshop.run(other)
    finish(workshop, going)
    assert held.id in released(workshop)


def test_a_held_run_that_was_changed_in_sql_keeps_no_other_flow_waiting(
    workshop: Workshop, db: Database
) -> None:
    flows = [limited(workshop, 1, "queue") for _ in range(2)]
    going = [workshop.runtime.claim(workshop.worker, workshop.run(flow).id) for flow in flows]
    changed, held = (workshop.run(flow) for flow in flows)
    with db.begin() as session:
        session.execute(
            text("update runs set user_id = :id where id = :run"),
            {"id": new_id(), "run": changed.id},
        )
    for one in going:
        finish(workshop, one)
    assert released(workshop) == [held.id]
    assert released(workshop) == []


@pytest.mark.parametrize(("limit", "counted"), [(1, "1 run of this flow is"),
                                                (2, "2 runs of this flow are")])
def test_skip_ends_it_at_once_and_says_why(
    workshop: Workshop, db: Database, limit: int, counted: str
) -> None:
    flow = limited(workshop, limit, "skip")
    runs = [workshop.run(flow) for _ in range(limit + 1)]
    assert [run.state for run in runs] == [*["queued"] * limit, "skipped"]
    assert workshop.runtime.try_claim(workshop.worker, runs[-1].id).json["state"] == "gone"
    with db.read() as session:
        words = session.scalar(
            text("select text from run_events where run_id = :id and seq = 2"), {"id": runs[-1].id}
        )
    assert words == f"Run skipped: {counted} under way, and its limit is {limit}"


def test_cancel_older_makes_room_for_the_newest(workshop: Workshop, db: Database) -> None:
    flow = limited(workshop, 1, "cancel_older")
    going = workshop.runtime.claim(workshop.worker, workshop.run(flow).id)
    waiting = workshop.run(flow)
    newest = workshop.run(flow)
    assert state(workshop, waiting.id) == "cancelled"
    answer = workshop.runtime.post(f"/runs/{going.id}/heartbeat", going.token())
    assert answer.json["cancel"] is True
    assert workshop.runtime.try_claim(workshop.worker, newest.id).json["state"] == "gone"
    finish(workshop, going)
    assert released(workshop) == [newest.id]
    assert workshop.runtime.claim(workshop.worker, newest.id).plan["state"] == "running"


def test_another_flow_is_not_held(workshop: Workshop, db: Database) -> None:
    flow = limited(workshop, 1, "queue")
    workshop.runtime.claim(workshop.worker, workshop.run(flow).id)
    other = workshop.run(limited(workshop, 1, "queue"))
    assert workshop.runtime.claim(workshop.worker, other.id).plan["state"] == "running"


def test_an_environment_takes_so_many_waiting_runs(workshop: Workshop, db: Database) -> None:
    flow = workshop.flow()
    workshop.run(flow)
    _limit(db, queued_limit=2)
    workshop.run(flow)
    with pytest.raises(Throttled) as caught:
        workshop.run(flow)
    assert caught.value.code == "too_many_queued_runs"
    api = workshop.installation.api(workshop.installation.token())
    answer = api.post(f"/flows/{flow.id}/runs", json={})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "30")


def test_an_environment_runs_so_many_at_once(workshop: Workshop, db: Database) -> None:
    _limit(db, running_limit=1)
    going = workshop.runtime.claim(workshop.worker, workshop.run(workshop.flow()).id)
    next_one = workshop.run(workshop.flow())
    assert workshop.runtime.try_claim(workshop.worker, next_one.id).json["state"] == "gone"
    assert released(workshop) == []
    with db.read() as session:
        assert session.get_one(Run, next_one.id).held
    finish(workshop, going)
    assert released(workshop) == [next_one.id]
    assert workshop.runtime.claim(workshop.worker, next_one.id).plan["state"] == "running"
