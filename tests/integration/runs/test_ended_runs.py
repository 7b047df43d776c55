"""What the nodes of a run look like once it is over, however it ended."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from app.runs.models import RunNode
from app.runs.service import cancel_run
from tests.support.runs import HeldRun, Workshop, fetching


def begun(workshop: Workshop) -> HeldRun:
    """A claimed run of three nodes: the first has succeeded, the second is at work."""
    secrets = [workshop.secret() for _ in range(2)]
    held = workshop.claimed(*secrets)
    events = [
        event(held, 0, "n0", {"state": "running"}), event(held, 1, "n0", {"state": "succeeded"}),
        event(held, 2, "n1", {"state": "running"}),
    ]
    answer = workshop.runtime.post(f"/runs/{held.id}/events", held.token(), {"events": events})
    assert answer.status_code == 200, answer.json
    return held


def event(held: HeldRun, number: int, node: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "seq": held.plan["next_seq"] + number, "at": "2026-01-01T00:00:00.000Z", "node": node,
        "attempt": 1, "type": "node", "level": "info", "text": node, "data": data, "masks": [],
    }


def states(workshop: Workshop, run_id: str) -> dict[str, str]:
    return {node.id: node.state for node in workshop.show(run_id).nodes}


def rows(workshop: Workshop, run_id: str) -> int:
    with workshop.installation.services.db.read() as session:
        count = select(func.count()).select_from(RunNode).where(RunNode.run_id == run_id)
        return session.scalar(count) or 0


def test_nodes_wait_while_the_run_goes_on(workshop: Workshop) -> None:
    held = begun(workshop)
    assert states(workshop, held.id) == {"n0": "succeeded", "n1": "running", "log": "queued"}


def test_a_lost_run_leaves_no_node_waiting_or_running(workshop: Workshop) -> None:
    held = begun(workshop)
    answer = workshop.runtime.post(
        f"/runs/{held.id}/lost", held.worker.token(), {"claim": held.plan["claim"], "reason": "x"}
    )
    assert answer.status_code == 200, answer.json
    view = workshop.show(held.id)
    assert view.state == "failed"
    assert states(workshop, held.id) == {"n0": "succeeded", "n1": "failed", "log": "skipped"}
    assert next(node for node in view.nodes if node.id == "n1").finished_at == view.finished_at
    assert rows(workshop, held.id) == 2  # what never began has no row


@pytest.mark.parametrize(("state", "running"), [("cancelled", "cancelled"), ("failed", "failed")])
def test_a_run_that_ends_takes_its_nodes_with_it(
    workshop: Workshop, state: str, running: str
) -> None:
    held = begun(workshop)
    answer = workshop.runtime.post(f"/runs/{held.id}/finish", held.token(), {"state": state})
    assert answer.status_code == 200, answer.json
    assert states(workshop, held.id) == {"n0": "succeeded", "n1": running, "log": "skipped"}


def test_a_run_cancelled_before_it_began_skips_them_all(workshop: Workshop) -> None:
    run = workshop.run(workshop.flow(fetching()))
    assert states(workshop, run.id) == {"log": "queued"}
    with workshop.installation.services.db.begin() as session:
        cancel_run(session, workshop.actor(), run.id)
    assert workshop.show(run.id).state == "cancelled"
    assert states(workshop, run.id) == {"log": "skipped"}
