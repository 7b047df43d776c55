"""A claimed run through the runtime listener: events, heartbeats, its end, its loss."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.audit.models import AuditEvent
from app.ids import new_id, utcnow
from app.runs.claims import LEASE
from app.runs.models import Run, Worker
from app.runs.service import cancel_run, list_events
from tests.support.runs import HeldRun, RuntimeClient, SigningWorker, Workshop
from tests.support.signing import ABSENT, public_text

Events = Callable[[], list[AuditEvent]]


@pytest.fixture
def held(workshop: Workshop) -> HeldRun:
    """A claimed run without secrets."""
    return workshop.claimed()


def event(seq: int, **more: Any) -> dict[str, Any]:
    """Return an event as a worker sends it."""
    made = {"seq": seq, "at": "2026-11-23T22:00:00.000001Z", "node": None, "attempt": 1,
            "type": "log", "level": "info", "text": "hello", "data": {}, "masks": []}
    return {**made, **more}


def send(runtime: RuntimeClient, held: HeldRun, *events: Any) -> Any:
    """Send events with a token of the run."""
    return runtime.post(f"/runs/{held.id}/events", held.token(), {"events": list(events)})


def stored(workshop: Workshop, held: HeldRun) -> list[Any]:
    """Return the run's events from the first that its worker sent."""
    with workshop.installation.services.db.read() as session:
        found = list_events(session, workshop.actor(), held.id)
    return [item for item in found if item.seq >= held.plan["next_seq"]]


def refused(answer: Any, status: int, code: str) -> None:
    """Check a refusal."""
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json


def test_events_are_stored_once_and_in_order(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    first = held.plan["next_seq"]
    token = held.token()  # good for many calls, till its end

    def post(*events: Any) -> Any:
        return runtime.post(f"/runs/{held.id}/events", token, {"events": list(events)})

    mask = {"offset": 3, "secret": "s", "version": 1}
    answer = post(
        event(first, text="a: ***", masks=[mask], node="log", level="warning"),
        event(first + 1, data={"a": [1, None]}),
    )
    assert answer.json == {"stored_through": first + 1, "cancel": False, "lease_seconds": 12.0}
    # Sent again, and with more behind: what is there is passed over, even if it differs.
    answer = post(event(first + 1, text="changed"), event(first + 2, text="third"))
    assert answer.json["stored_through"] == first + 2
    assert post().json["stored_through"] == first + 2
    found = stored(workshop, held)
    assert [(item.seq, item.text) for item in found] == [
        (first, "a: ***"), (first + 1, "hello"), (first + 2, "third")
    ]
    assert (found[0].masks, found[0].level, found[0].node) == ([mask], "warning", "log")
    assert found[1].data == {"a": [1, None]}


def test_a_gap_is_refused_and_nothing_stored(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    first = held.plan["next_seq"]
    refused(send(runtime, held, event(first + 1)), 422, "events_gap")
    refused(send(runtime, held, event(first), event(first + 2)), 422, "events_gap")
    refused(send(runtime, held, event(first + 1), event(first)), 422, "events_gap")
    refused(send(runtime, held, event(first), event(first)), 422, "events_gap")
    refused(send(runtime, held, event(10**30)), 422, "events_gap")
    assert stored(workshop, held) == []


@pytest.mark.parametrize(
    "change",
    [{"seq": "1"}, {"seq": True}, {"seq": 1.0}, {"seq": 0}, {"seq": -1}, {"attempt": None},
     {"attempt": 0}, {"attempt": 10**30}, {"type": "state"}, {"type": ["log"]}, {"type": None},
     {"type": {}}, {"level": "fatal"}, {"level": ["info"]}, {"level": None}, {"node": 7},
     {"node": "x" * 129}, {"node": "a\nb"}, {"type": "node"}, {"text": None}, {"text": ["a"]},
     {"data": None}, {"data": []}, {"masks": {}}, {"masks": ["x"]}, {"masks": [{"offset": -1}]},
     {"masks": [{"offset": "0"}]}, {"masks": [{"offset": 99}]}, {"masks": [{"offset": 0}]},
     {"masks": [{"offset": 0, "secret": 7}]}, {"data": {"deep": json.loads("[" * 200 + "]" * 200)}},
     {"masks": [{"offset": 0, "secret": "s", "version": "1"}]}, {"at": None}, {"at": "yesterday"},
     {"at": 5}, {"at": "0001-01-01T00:00:00+23:00"}, {"at": "9999-12-31T23:59:59-23:00"},
     {"type": "node", "node": "log", "data": {"state": ["running"]}},
     {"type": "node", "node": "log", "data": {"state": "failed", "problem": "text"}},
     {"type": "node", "node": "log", "data": {"state": "failed", "problem": {"code": 1}}},
     {"type": "node", "node": "log", "data": {"state": "succeeded", "outputs": ["a"]}}],
    ids=str,
)
def test_an_event_that_is_none(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun, change: dict[str, Any]
) -> None:
    first = held.plan["next_seq"]
    refused(send(runtime, held, {**event(first), **change}), 422, "events_invalid")
    # Not even the good one before it.
    wrong = {**event(first + 1), **change}
    refused(send(runtime, held, event(first), wrong), 422, "events_invalid")
    assert stored(workshop, held) == []


@pytest.mark.parametrize("body", ["x", 7, {"a": 1}, [7], ["x"], [None]])
def test_a_batch_that_is_none(runtime: RuntimeClient, held: HeldRun, body: object) -> None:
    answer = runtime.post(f"/runs/{held.id}/events", held.token(), {"events": body})
    refused(answer, 422, "events_invalid")


def test_a_batch_has_its_limit(runtime: RuntimeClient, held: HeldRun) -> None:
    first = held.plan["next_seq"]
    many = [event(first + number) for number in range(2001)]
    refused(send(runtime, held, *many), 422, "events_invalid")
    assert send(runtime, held, *many[:2000]).status_code == 200


def test_nodes_follow_their_events(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    first = held.plan["next_seq"]
    send(
        runtime, held,
        event(first, type="node", node="log", data={"state": "running"}, at="2026-01-01T00:00:00Z"),
    )
    (node,) = workshop.show(held.id).nodes
    assert (node.state, node.attempt) == ("running", 1)
    assert node.started_at is not None
    assert node.finished_at is None
    problem = {"code": "http_failed", "severity": "error", "message": "It failed."}
    send(
        runtime, held,
        event(first + 1, type="node", node="log", attempt=2, at="2026-01-01T00:00:01Z",
              data={"state": "failed", "problem": problem, "outputs": {"status": 500}}),
    )
    (node,) = workshop.show(held.id).nodes
    assert (node.state, node.attempt, node.outputs) == ("failed", 2, {"status": 500})
    assert node.problem == problem
    assert node.started_at is not None
    assert node.finished_at is not None
    assert (node.finished_at - node.started_at).total_seconds() == 1
    # A state that nobody knows changes nothing.
    send(runtime, held, event(first + 2, type="node", node="log", data={"state": "happy"}))
    assert workshop.show(held.id).nodes[0].state == "failed"


def test_prevented_leaks_are_audited(
    runtime: RuntimeClient, held: HeldRun, events: Events
) -> None:
    first = held.plan["next_seq"]
    leak = event(
        first, type="node", node="log", data={"state": "succeeded", "prevented_leaks": 2}
    )
    send(runtime, held, leak)
    send(runtime, held, leak)  # again: known already
    (written,) = events()
    assert (written.action, written.run_id, written.node) == ("leak.prevent", held.id, "log")
    assert written.data == {"count": 2}


def test_a_heartbeat_renews_the_lease_and_brings_the_cancel_back(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    db = workshop.installation.services.db
    with db.read() as session:
        before = session.get_one(Run, held.id).lease_expires_at
    time.sleep(0.01)
    answer = runtime.post(f"/runs/{held.id}/heartbeat", held.token())
    assert answer.json["cancel"] is False
    with db.read() as session:
        after = session.get_one(Run, held.id).lease_expires_at
    assert before is not None
    assert after is not None
    assert after > before
    with db.begin() as session:
        cancel_run(session, workshop.actor(), held.id)
    answer = runtime.post(f"/runs/{held.id}/heartbeat", held.token())
    assert answer.json["cancel"] is True
    assert workshop.show(held.id).cancel_requested


def test_a_cancel_request_swallows_no_event(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    """Nor does it make a gap of the worker's numbers: a claimed run has one writer."""
    first = held.plan["next_seq"]
    with workshop.installation.services.db.begin() as session:
        cancel_run(session, workshop.actor(), held.id)
    answer = send(runtime, held, event(first, text="mine"), event(first + 1, text="mine too"))
    assert answer.status_code == 200, answer.json
    texts = [item.text for item in stored(workshop, held)]
    assert [text for text in texts if text.startswith("mine")] == ["mine", "mine too"]


@pytest.mark.parametrize("state", ["succeeded", "failed", "cancelled"])
def test_finish(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun, events: Events, state: str
) -> None:
    first = held.plan["next_seq"]
    problem = {"code": "x_failed", "severity": "error", "message": "It failed.", "node": "log"}
    body = {
        "state": state, "problem": problem if state == "failed" else None,
        "events": [event(first, type="node", node="log", data={"state": "running"}),
                   event(first + 1, text="last words")],
    }
    answer = runtime.post(f"/runs/{held.id}/finish", held.token(), body)
    assert answer.json == {"state": state}
    shown = workshop.show(held.id)
    assert shown.state == state
    assert shown.finished_at is not None
    assert shown.problems == ([problem] if state == "failed" else [])
    # A node that was running has ended with the run.
    assert shown.nodes[0].state == ("cancelled" if state == "cancelled" else "failed")
    (written,) = events()
    assert (written.action, written.outcome) == (
        "run.finish", "ok" if state == "succeeded" else "failed"
    )
    # Again, and again as something else: it stays what it is.
    for other in (state, "failed", "succeeded"):
        again = runtime.post(f"/runs/{held.id}/finish", held.token(), {**body, "state": other})
        assert again.json == {"state": state}
    assert len(events()) == 1
    assert len([item for item in stored(workshop, held) if item.text == "last words"]) == 1


@pytest.mark.parametrize(
    "change",
    [{"state": "running"}, {"state": None}, {"state": ["failed"]}, {"state": "rejected"},
     {"problem": 7}, {"problem": {"code": "x"}}, {"events": "x"}, {"events": [{"seq": 999}]}],
    ids=str,
)
def test_a_finish_that_is_none(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun, change: dict[str, Any]
) -> None:
    body = {"state": "failed", "problem": None, "events": [], **change}
    answer = runtime.post(f"/runs/{held.id}/finish", held.token(), body)
    assert answer.status_code == 422
    assert workshop.show(held.id).state == "running"


def test_a_problem_that_masking_withheld_still_ends_the_run(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    body = {"state": "failed", "problem": "<withheld: masking failed>", "events": []}
    assert runtime.post(f"/runs/{held.id}/finish", held.token(), body).json == {"state": "failed"}
    assert workshop.show(held.id).problems[0]["message"] == "<withheld: masking failed>"


def test_after_its_end_a_run_takes_nothing(runtime: RuntimeClient, held: HeldRun) -> None:
    runtime.post(f"/runs/{held.id}/finish", held.token(), {"state": "succeeded"})
    refused(send(runtime, held, event(held.plan["next_seq"] + 5)), 409, "claim_lost")
    refused(runtime.post(f"/runs/{held.id}/heartbeat", held.token()), 409, "claim_lost")


def test_a_claim_that_another_took_over_is_fenced(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun, events: Events
) -> None:
    with workshop.installation.services.db.begin() as session:
        session.get_one(Run, held.id).fence += 1
    refused(send(runtime, held, event(held.plan["next_seq"])), 409, "claim_lost")
    refused(runtime.post(f"/runs/{held.id}/heartbeat", held.token()), 409, "claim_lost")
    body: dict[str, Any] = {"state": "succeeded", "problem": None, "events": []}
    refused(runtime.post(f"/runs/{held.id}/finish", held.token(), body), 409, "claim_lost")
    assert stored(workshop, held) == []
    assert workshop.show(held.id).state == "running"
    assert {written.data["code"] for written in events()} == {"claim_lost"}


@pytest.mark.parametrize("call", ["events", "heartbeat", "finish"])
@pytest.mark.parametrize(
    "change",
    [{"aud": "tacit:secret-value"}, {"aud": "tacit:worker"}, {"sub": "x"}, {"iss": "x"},
     {"claim": 2}, {"run": "01a20a71-d37c-76f2-9c2e-19f0e2518d3b"}, {"run": ABSENT},
     {"claim": ABSENT}, {"exp": 1}, {"jti": ABSENT}],
    ids=lambda change: next(iter(change)),
)
def test_a_token_that_is_not_right(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun, events: Events, call: str,
    change: dict[str, Any],
) -> None:
    answer = runtime.post(f"/runs/{held.id}/{call}", held.token(**change), {"state": "failed"})
    refused(answer, 401, "token_invalid")
    (written,) = events()
    assert (written.action, written.run_id) == ("worker.deny", held.id)
    assert workshop.show(held.id).state == "running"


def test_another_runs_token(workshop: Workshop, runtime: RuntimeClient, held: HeldRun) -> None:
    other = workshop.claimed()
    for token in (other.token(), other.token(run=held.id), workshop.worker.token("tacit:run")):
        answer = runtime.post(f"/runs/{held.id}/finish", token, {"state": "failed"})
        refused(answer, 401, "token_invalid")
    refused(runtime.post("/runs/x/heartbeat", other.token()), 401, "token_invalid")
    refused(runtime.post(f"/runs/{new_id()}/heartbeat", other.token()), 401, "token_invalid")


def test_a_parent_says_that_its_child_died(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun, events: Events
) -> None:
    body = {"claim": held.plan["claim"], "reason": "killed by signal 9"}
    answer = runtime.post(f"/runs/{held.id}/lost", workshop.worker.token(), body)
    assert answer.status_code == 200, answer.json
    shown = workshop.show(held.id)
    assert shown.state == "failed"
    assert shown.problems[0]["code"] == "worker_lost"
    assert "killed by signal 9" in shown.problems[0]["message"]
    assert [item.action for item in events()] == ["run.finish"]
    # The child's tokens are worth nothing now; saying it again changes nothing.
    refused(runtime.post(f"/runs/{held.id}/heartbeat", held.token()), 409, "claim_lost")
    again = runtime.post(f"/runs/{held.id}/lost", workshop.worker.token(), body)
    assert again.status_code == 200
    assert len(workshop.show(held.id).problems) == 1


def test_a_parent_asks_what_to_stop_and_ends_a_cancelled_run_in_order(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    claim = held.plan["claim"]

    def stop(*pairs: Any, worker: SigningWorker = workshop.worker) -> list[str]:
        answer = runtime.post("/workers/heartbeat", worker.token(), {"runs": list(pairs)})
        assert answer.status_code == 200, answer.json
        return list(answer.json["stop"])

    node = held.plan["graph"]["nodes"][0]["id"]
    running = event(held.plan["next_seq"], type="node", node=node, data={"state": "running"})
    assert send(runtime, held, running).status_code == 200
    strange = ([held.id, "1"], [held.id], held.id, None, [new_id(), 1], [held.id, 2], {"a": 1})
    assert stop([held.id, claim], *strange) == []
    with workshop.installation.services.db.begin() as session:
        cancel_run(session, workshop.actor(), held.id)
    assert stop([held.id, claim], *strange) == [held.id]
    stranger = SigningWorker.enrol(workshop.installation, f"w-{new_id()}")
    assert stop([held.id, claim], worker=stranger) == []
    with workshop.installation.services.db.read() as session:
        assert "runs" not in session.get_one(Worker, workshop.worker.id).reported
    body = {"claim": claim, "reason": "cancelled: it didn't stop in 2 seconds"}
    answer = runtime.post(f"/runs/{held.id}/lost", workshop.worker.token(), body)
    assert answer.status_code == 200
    shown = workshop.show(held.id)
    assert (shown.state, shown.problems) == ("cancelled", [])
    assert {one.id: one.state for one in shown.nodes}[node] == "cancelled"
    assert stop([held.id, claim]) == [held.id]  # over: whoever still works on it has to stop


def test_a_process_that_is_ended_because_its_time_is_over(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    with workshop.installation.services.db.begin() as session:
        session.get_one(Run, held.id).deadline = utcnow() - timedelta(minutes=1)
    body = {"claim": held.plan["claim"], "reason": "killed by signal 9"}
    answer = runtime.post(f"/runs/{held.id}/lost", workshop.worker.token(), body)
    assert answer.status_code == 200, answer.json
    shown = workshop.show(held.id)
    assert (shown.state, shown.problems[0]["code"]) == ("failed", "run_timeout")


def test_a_parent_renews_the_lease_of_a_run_that_cant_speak(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun
) -> None:
    services = workshop.installation.services
    stranger = SigningWorker.enrol(workshop.installation, f"w-{new_id()}")

    def left(*pairs: Any, worker: SigningWorker = workshop.worker) -> float:
        """Return the seconds that are left of a lease of 1 second, after a parent asked."""
        now = utcnow()
        with services.db.begin() as session:
            session.get_one(Run, held.id).lease_expires_at = now + timedelta(seconds=1)
        answer = runtime.post("/workers/heartbeat", worker.token(), {"runs": list(pairs)})
        assert answer.status_code == 200, answer.json
        with services.db.read() as session:
            until = session.get_one(Run, held.id).lease_expires_at
        assert until is not None
        return (until - now).total_seconds()

    claim = held.plan["claim"]
    assert left() == 1
    assert left([held.id, claim + 1]) == 1
    assert left([held.id, claim], worker=stranger) == 1
    assert left([held.id, claim]) >= LEASE.total_seconds()
    with services.db.begin() as session:
        session.get_one(Run, held.id).deadline = utcnow() - timedelta(minutes=1)
    assert left([held.id, claim]) == 1


def test_a_loss_that_is_none(workshop: Workshop, runtime: RuntimeClient, held: HeldRun) -> None:
    other = SigningWorker.enrol(workshop.installation, f"w-{new_id()}")
    calls: list[tuple[str, Any]] = [
        (other.token(), 1), (workshop.worker.token(), None), (workshop.worker.token(), 2),
        (workshop.worker.token(), True), (workshop.worker.token(), "1"),
        (workshop.worker.token(), 10**30),
    ]
    for token, claim in calls:
        answer = runtime.post(f"/runs/{held.id}/lost", token, {"claim": claim, "reason": "x"})
        assert answer.status_code == 200, answer.json
    for path in (f"/runs/{new_id()}/lost", "/runs/x/lost"):
        assert runtime.post(path, workshop.worker.token(), {"claim": 1}).status_code == 200
    assert workshop.show(held.id).state == "running"
    # A run's own key says nothing for its parent.
    answer = runtime.post(f"/runs/{held.id}/lost", held.token("tacit:worker"), {"claim": 1})
    refused(answer, 401, "token_invalid")


@pytest.mark.parametrize(
    "change",
    [{"text": "x" * 300_000}, {"data": {"x": "y" * 1_100_000}}],
)
def test_a_worker_cant_store_an_event_larger_than_any(
    workshop: Workshop, runtime: RuntimeClient, change: dict[str, Any]
) -> None:
    held = workshop.claimed()
    event = {"seq": held.plan["next_seq"], "at": "2026-01-01T00:00:00Z", "type": "log", **change}
    answer = runtime.post(f"/runs/{held.id}/events", held.token(), {"events": [event]})
    assert (answer.status_code, answer.json["code"]) == (413, "run_too_large")


@pytest.mark.parametrize("limit", ["MAX_EVENTS", "MAX_BYTES"])
def test_a_worker_cant_fill_the_database(
    workshop: Workshop, runtime: RuntimeClient, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    from app.runs import events as stored

    held = workshop.claimed()
    first = held.plan["next_seq"]
    monkeypatch.setattr(stored, limit, first + 1 if limit == "MAX_EVENTS" else 250)

    def send(seq: int) -> Any:
        event = {"seq": seq, "at": "2026-01-01T00:00:00Z", "type": "log", "text": "x" * 100}
        return runtime.post(f"/runs/{held.id}/events", held.token(), {"events": [event]})

    assert send(first).status_code == 200
    assert send(first).status_code == 200
    assert send(first + 1).status_code == 200
    assert (send(first + 2).status_code, send(first + 2).json["code"]) == (413, "run_too_large")
    ended = runtime.post(f"/runs/{held.id}/finish", held.token(), {"state": "succeeded"})
    assert ended.status_code == 200


def test_a_claim_that_never_got_its_answer_leaves_the_run_to_another(
    workshop: Workshop, runtime: RuntimeClient, held: HeldRun, events: Events
) -> None:
    """Nothing of it was done, so it is queued again whatever its flow says of lost workers."""
    address, token = f"/runs/{held.id}/lost", workshop.worker.token()
    body = {"claim": None, "reason": "exit 4", "public": public_text(held.key)}
    other = public_text(Ed25519PrivateKey.generate())
    assert runtime.post(address, token, {**body, "public": other}).status_code == 200
    stranger = SigningWorker.enrol(workshop.installation, "stranger")
    assert runtime.post(address, stranger.token(), body).status_code == 200
    assert workshop.show(held.id).state == "running"
    refused(runtime.post(address, token, {**body, "public": "x"}), 401, "token_invalid")
    assert runtime.post(address, token, body).status_code == 200
    shown = workshop.show(held.id)
    assert (shown.state, shown.problems) == ("queued", [])
    assert "run.requeue" in [item.action for item in events()]
    again = runtime.claim(workshop.worker, held.id)
    assert again.plan["claim"] == 2
    refused(runtime.post(f"/runs/{held.id}/heartbeat", held.token()), 409, "claim_lost")
    # One that has begun is lost, with or without its number.
    begun = event(again.plan["next_seq"], type="node", node="log", data={"state": "running"})
    assert send(runtime, again, begun).status_code == 200
    runtime.post(address, token, {**body, "public": public_text(again.key)})
    assert workshop.show(held.id).problems[0]["code"] == "worker_lost"
