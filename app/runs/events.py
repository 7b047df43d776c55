"""Events of a run: appended in order, once each, and what they say about its nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.errors import Invalid
from app.ids import utcnow
from app.runs.models import Run, RunEvent, RunNode

MAX_BATCH = 2000
_TYPES = frozenset({"run", "node", "log", "span"})
_LEVELS = frozenset({"debug", "info", "warning", "error"})
_NODE_STATES = frozenset({"running", "succeeded", "failed", "skipped", "cancelled", "rejected"})
_ENDED = _NODE_STATES - {"running"}


def append_own(
    session: Session,
    run: Run,
    text: str,
    *,
    state: str | None = None,
    node: str | None = None,
    level: str = "info",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Append an event of the server itself; its text holds no worker's output.

    :param state: the run's new state, where the event tells of one.
    :param node: the node that it is about.
    """
    run.last_seq += 1
    body = dict(data or {})
    if state is not None:
        body["state"] = state
    session.add(
        RunEvent(
            run_id=run.id, seq=run.last_seq, at=utcnow(), node=node, attempt=1,
            type="node" if node else "run", level=level, text=text, data=body, masks=[],
        )
    )


def append_batch(session: Session, run: Run, events: object) -> list[Mapping[str, Any]]:
    """Append what a worker sends, in its order; what is stored already is passed over.

    :returns: the events that were new.
    :raises Invalid: ``events_invalid`` or ``events_gap``; nothing is stored.
    """
    rows = [_read(run.id, event) for event in _batch(events)]
    fresh = [row for row in rows if row["seq"] > run.last_seq]
    for number, row in enumerate(fresh, start=run.last_seq + 1):
        if row["seq"] != number:
            raise Invalid(
                "events_gap", f"Event {number} is missing: events are sent in order, without gaps."
            )
    if fresh:
        session.execute(insert(RunEvent), fresh)
        run.last_seq = fresh[-1]["seq"]
        _apply_to_nodes(session, run.id, [row for row in fresh if row["type"] == "node"])
    return list(fresh)


def set_node(
    session: Session, run_id: str, node: str, state: str, problem: Mapping[str, Any] | None
) -> None:
    """Put a node into a state that the server decided."""
    session.add(
        RunNode(
            run_id=run_id, node=node, state=state, attempt=1, started_at=None,
            finished_at=utcnow(), outputs=None, problem=dict(problem) if problem else None,
        )
    )


def _apply_to_nodes(session: Session, run_id: str, events: Sequence[Mapping[str, Any]]) -> None:
    if not events:
        return
    names = {event["node"] for event in events}
    rows = {
        row.node: row
        for row in session.scalars(
            select(RunNode).where(RunNode.run_id == run_id, RunNode.node.in_(names))
        )
    }
    for event in events:
        state = event["data"].get("state")
        if state not in _NODE_STATES:
            continue
        row = rows.get(event["node"])
        if row is None:
            row = rows[event["node"]] = RunNode(
                run_id=run_id, node=event["node"], started_at=None, finished_at=None,
                outputs=None, problem=None,
            )
            session.add(row)
        row.state = state
        row.attempt = event["attempt"]
        if state == "running":
            row.started_at = event["at"]
        if state in _ENDED:
            row.finished_at = event["at"]
            row.outputs = event["data"].get("outputs")
            row.problem = event["data"].get("problem")


def _batch(events: object) -> list[Any]:
    if not isinstance(events, list) or len(events) > MAX_BATCH:
        raise _invalid(f"“events” is a list of up to {MAX_BATCH}")
    return events


def _read(run_id: str, event: Any) -> dict[str, Any]:
    if not isinstance(event, dict):
        raise _invalid("an event is an object")
    seq, node, attempt = event.get("seq"), event.get("node"), event.get("attempt", 1)
    text, data, masks = event.get("text", ""), event.get("data", {}), event.get("masks", [])
    if type(seq) is not int or seq < 1 or type(attempt) is not int:
        raise _invalid("“seq” and “attempt” are whole numbers")
    if event.get("type") not in _TYPES or event.get("level", "info") not in _LEVELS:
        raise _invalid("“type” or “level” is unknown")
    if not (node is None or (isinstance(node, str) and len(node) <= 128)):
        raise _invalid("“node” is a node's id")
    if event["type"] == "node" and node is None:
        raise _invalid("an event about a node names it")
    if not (isinstance(text, str) and isinstance(data, dict) and isinstance(masks, list)):
        raise _invalid("“text”, “data” or “masks” has another type")
    return {
        "run_id": run_id, "seq": seq, "at": _time(event.get("at")), "node": node,
        "attempt": attempt, "type": event["type"], "level": event.get("level", "info"),
        "text": text.replace("\0", "\\0"), "data": data, "masks": masks,
    }


def _time(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        raise _invalid("“at” is a time in ISO 8601") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _invalid(what: str) -> Invalid:
    return Invalid("events_invalid", f"The events can't be stored: {what}.")
