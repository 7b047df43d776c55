"""What a worker does, done by a test: take a run, tell of its nodes, end it."""

from __future__ import annotations

from playwright.sync_api import expect

from app.ids import iso, utcnow
from tests.integration.runtime.test_runs import event, send
from tests.support.canvas import Canvas
from tests.support.runs import HeldRun, Workshop


def held(canvas: Canvas, workshop: Workshop) -> HeldRun:
    """Take the newest run of the open flow, as a worker would."""
    (run, *_) = canvas.api.get(f"/runs?flow_id={canvas.flow}").get_json()["items"]
    return workshop.runtime.claim(workshop.worker, run["id"])


def told(workshop: Workshop, run: HeldRun, key: str, state: str, **data: object) -> None:
    """Tell that a node came into a state."""
    news = event(
        run.plan["next_seq"], type="node", node=key, at=iso(utcnow()),
        data={"state": state, **data},
    )
    assert send(workshop.runtime, run, news).status_code == 200
    run.plan["next_seq"] += 1


def ended(workshop: Workshop, run: HeldRun, key: str, **data: object) -> None:
    """Tell that a node and its run succeeded."""
    told(workshop, run, key, "succeeded", **data)
    done = workshop.runtime.post(f"/runs/{run.id}/finish", run.token(), {"state": "succeeded"})
    assert done.status_code == 200, done.json


def shown(canvas: Canvas, key: str, state: str) -> None:
    """Expect a node to be drawn in a state."""
    mark = canvas.node(key).locator(".node__state")
    expect(mark).to_have_attribute("data-state", state)
