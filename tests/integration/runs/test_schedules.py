"""Schedules: one run for each time, for whoever activated, by their own rules."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from app.accounts.freeze import freeze, unfreeze
from app.accounts.service import set_disabled
from app.audit.models import AuditEvent
from app.db import Database
from app.errors import Invalid
from app.flows.activation import activate_flow, deactivate_flow
from app.flows.models import Trigger
from app.flows.service import FlowView, delete_flow, save_flow
from app.flows.triggers import TriggerView, list_triggers
from app.ids import new_id, utcnow
from app.runs import schedules
from app.runs.models import Run
from app.runs.schedules import fire_due
from app.runs.service import list_runs
from app.runs.views import RunView
from tests.support.runs import Workshop


@pytest.fixture
def db(workshop: Workshop) -> Database:
    """The database; schedules of other tests are out of the way."""
    database = workshop.installation.services.db
    with database.begin() as session:
        session.execute(text("update triggers set next_at = null"))
    return database


def scheduled(workshop: Workshop, **config: Any) -> FlowView:
    """Make a flow with a schedule of every hour, and activate it."""
    graph = {"schema": 1, "edges": [], "nodes": [
        {"id": "clock", "component": "trigger.schedule", "label": "Hourly", "position": [0, 0],
         "config": {"cron": "0 * * * *", **config}},
        {"id": "log", "component": "output.log", "position": [0, 0], "config": {"message": "x"}},
    ]}
    flow = workshop.flow(graph)
    with workshop.installation.services.db.begin() as session:
        activate_flow(session, workshop.actor(), flow.id)
    return flow


def due(workshop: Workshop, flow: FlowView, hours: int) -> datetime:
    """Let the schedule be due since some hours; returns the time to go by."""
    now = utcnow().replace(minute=0, second=5, microsecond=0)
    with workshop.installation.services.db.begin() as session:
        since = now.replace(second=0) - timedelta(hours=hours - 1)
        session.execute(
            update(Trigger).where(Trigger.flow_id == flow.id).values(next_at=since),
            execution_options={"synchronize_session": False},
        )
    return now


def fire(workshop: Workshop, now: datetime) -> int:
    """Let a scheduler look; no queue answers here, which is no failure."""
    held = workshop.installation.services
    return fire_due(held.db, held.queue, now)


def runs_of(workshop: Workshop, flow: FlowView) -> list[RunView]:
    """Return the flow's runs, oldest first."""
    with workshop.installation.services.db.read() as session:
        return list_runs(session, workshop.actor(), flow_id=flow.id).items[::-1]


def trigger_of(workshop: Workshop, flow: FlowView) -> TriggerView:
    """Return the flow's one trigger."""
    with workshop.installation.services.db.read() as session:
        (found,) = list_triggers(session, workshop.actor(), flow.id)
    return found


def test_an_active_flow_shows_its_next_times(workshop: Workshop, db: Database) -> None:
    flow = scheduled(workshop, timezone="Europe/Berlin")
    shown = trigger_of(workshop, flow)
    assert (shown.node, shown.label, shown.kind, shown.active) == (
        "clock", "Hourly", "schedule", True
    )
    assert (shown.acts_for, shown.cron, shown.timezone) == (
        workshop.email, "0 * * * *", "Europe/Berlin"
    )
    first, second = shown.next_times[:2]
    assert len(shown.next_times) == 5
    assert first > utcnow()
    assert second - first == timedelta(hours=1)


def test_a_time_that_came_has_one_run_with_two_schedulers(
    workshop: Workshop, db: Database
) -> None:
    flow = scheduled(workshop, inputs={"place": "north"})
    now = due(workshop, flow, 1)
    with ThreadPoolExecutor(4) as pool:
        started = sum(pool.map(lambda _: fire(workshop, now), range(8)))
    assert started == 1
    (run,) = runs_of(workshop, flow)
    assert (run.state, run.flow_version) == ("queued", 1)
    assert run.trigger == {
        "kind": "schedule", "by": f"schedule for {workshop.email}", "node": "clock"
    }
    assert run.inputs == {
        "place": "north", "scheduled_for": f"{now:%Y-%m-%dT%H}:00:00.000000Z"
    }
    with db.read() as session:
        row = session.get_one(Run, run.id)
        assert (row.user_id, row.token_id) == (workshop.user_id, None)
        trigger = session.scalars(select(Trigger).where(Trigger.flow_id == flow.id)).one()
        assert trigger.next_at == now.replace(second=0) + timedelta(hours=1)
    held = workshop.runtime.claim(workshop.worker, run.id)
    assert held.plan["trigger"] == {"kind": "schedule", "node": "clock"}


def test_the_key_of_a_time_lets_no_second_run_in(workshop: Workshop, db: Database) -> None:
    """Even where the row's time is set back, by hand or by a restore."""
    flow = scheduled(workshop)
    now = due(workshop, flow, 1)
    assert fire(workshop, now) == 1
    due(workshop, flow, 1)
    assert fire(workshop, now) == 0
    assert trigger_of(workshop, flow).next_times[0] > now
    assert len(runs_of(workshop, flow)) == 1


@pytest.mark.parametrize(
    ("missed", "hours", "late", "count"),
    [("skip", 5, True, 0), ("run_once", 5, True, 1), ("run_all", 5, True, 5),
     ("skip", 5, False, 1), ("run_once", 5, False, 1), ("run_all", 5, False, 5),
     ("run_all", 300, True, 24)],
)
def test_missed_times(
    workshop: Workshop, db: Database, missed: str, hours: int, late: bool, count: int
) -> None:
    flow = scheduled(workshop, missed=missed)
    now = due(workshop, flow, hours) + timedelta(minutes=30 if late else 0)
    assert fire(workshop, now) == count
    found = [run.inputs["scheduled_for"] for run in runs_of(workshop, flow)]
    assert found == sorted(set(found))
    if count:
        assert found[-1] == f"{now:%Y-%m-%dT%H}:00:00.000000Z"
    assert fire(workshop, now) == 0


@pytest.mark.parametrize(
    ("overlap", "states"),
    [("allow", ["queued", "queued"]), ("skip", ["queued", "skipped"]),
     ("cancel_older", ["cancelled", "queued"])],
)
def test_overlap(workshop: Workshop, db: Database, overlap: str, states: list[str]) -> None:
    flow = scheduled(workshop, overlap=overlap)
    now = due(workshop, flow, 1)
    by_hand = workshop.run(flow)
    fire(workshop, now)
    fire(workshop, now + timedelta(hours=1))
    runs = runs_of(workshop, flow)
    assert [run.state for run in runs if run.id != by_hand.id] == states
    assert runs[0].state == "queued"


def test_a_freeze_stops_it_and_what_passed_was_missed(workshop: Workshop, db: Database) -> None:
    flow = scheduled(workshop, missed="run_once")
    now = due(workshop, flow, 1)
    with db.begin() as session:
        freeze(session, workshop.actor(), everywhere=False, reason="test")
    assert fire(workshop, now) == 0
    with db.begin() as session:
        unfreeze(session, workshop.actor(), everywhere=False)
    assert fire(workshop, now + timedelta(hours=3)) == 1
    assert len(runs_of(workshop, flow)) == 1


def test_what_stays_due_keeps_no_other_schedule_waiting(
    workshop: Workshop, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look takes so many and no more: those that it can't take don't count."""
    monkeypatch.setattr(schedules, "BATCH", 1)
    changed = scheduled(workshop)
    now = due(workshop, changed, 3)
    with db.begin() as session:
        session.execute(
            text("update triggers set user_id = :id where flow_id = :flow"),
            {"id": new_id(), "flow": changed.id})
    flow = scheduled(workshop)
    due(workshop, flow, 1)
    assert fire(workshop, now) == 1
    assert len(runs_of(workshop, flow)) == 1
    assert runs_of(workshop, changed) == []
    with db.begin() as session:
        session.execute(text(f"delete from triggers where flow_id = '{changed.id}'"))


def test_deactivated_and_deleted_flows_start_nothing(workshop: Workshop, db: Database) -> None:
    kept, gone = scheduled(workshop), scheduled(workshop)
    now = due(workshop, kept, 1)
    due(workshop, gone, 1)
    with db.begin() as session:
        deactivate_flow(session, workshop.actor(), kept.id)
        delete_flow(session, workshop.actor(), gone.id)
    assert fire(workshop, now + timedelta(days=2)) == 0
    with db.read() as session:
        assert list_triggers(session, workshop.actor(), kept.id) == []


def test_the_draft_is_never_started(workshop: Workshop, db: Database) -> None:
    flow = scheduled(workshop)
    now = due(workshop, flow, 1)
    changed = dict(flow.graph)
    changed["nodes"] = [{**one, "label": "changed"} for one in flow.graph["nodes"]]
    with db.begin() as session:
        save_flow(session, workshop.actor(), flow.id, graph=changed)
    fire(workshop, now)
    assert [run.flow_version for run in runs_of(workshop, flow)] == [1]


def test_it_acts_for_whoever_activated_and_stops_with_them(
    workshop: Workshop, db: Database
) -> None:
    user_id, _ = workshop.installation.person("operator")
    actor = workshop.actor(user_id=user_id)
    flow = workshop.flow(scheduled(workshop).graph)
    with db.begin() as session:
        activate_flow(session, actor, flow.id)
        session.execute(text("update triggers set next_at = null"))
    now = due(workshop, flow, 1)
    with db.begin() as session:
        set_disabled(session, workshop.actor(), user_id, disabled=True)
    assert fire(workshop, now) == 0
    assert runs_of(workshop, flow) == []
    shown = trigger_of(workshop, flow)
    assert shown.problem is not None
    assert "runs:manage" in shown.problem
    assert shown.next_times
    with db.read() as session:
        event = session.scalars(
            select(AuditEvent).where(
                AuditEvent.flow_id == flow.id, AuditEvent.action == "trigger.fail"
            )
        ).one()
        assert (event.outcome, event.node, event.data) == (
            "denied", "clock", {"code": "scope_missing"}
        )
    assert fire(workshop, now) == 0


def test_a_schedule_that_was_changed_in_sql_starts_nothing(
    workshop: Workshop, db: Database
) -> None:
    flow, other = scheduled(workshop), scheduled(workshop)
    now = due(workshop, flow, 1)
    due(workshop, other, 1)
    with db.begin() as session:
        session.execute(
            text("update triggers set user_id = :id where flow_id = :flow"),
            {"id": new_id(), "flow": flow.id},
        )
    assert fire(workshop, now) == 1
    with db.read() as session:
        assert session.scalar(text(f"select count(*) from runs where flow_id = '{flow.id}'")) == 0
    with db.begin() as session:
        session.execute(text(f"delete from triggers where flow_id = '{flow.id}'"))


def test_a_schedule_without_a_time_zone_of_this_world_is_not_activated(
    workshop: Workshop, db: Database
) -> None:
    with pytest.raises(Invalid) as caught:
        scheduled(workshop, timezone="Mars/Olympus")
    assert caught.value.code == "flow_has_problems"
