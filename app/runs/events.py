"""Events of a run: appended in order, once each, and what they say about its nodes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import Table, func, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.components.parsing.limits import DEPTH, is_deep
from app.errors import Invalid, TooLarge
from app.ids import utcnow
from app.prepared import Prepared
from app.runs.models import Run, RunEvent, RunNode

MAX_BATCH = 2000
MAX_EVENTS = 120_000
"""Most events of a run: those of its plan's limit, and room for states and spans."""

MAX_TEXT = 256 * 1024
MAX_DATA = 1024 * 1024
"""Largest text, in characters, and data, as JSON, of one event; workers cut both at 64 KiB."""

MAX_BYTES = 128 * 1024 * 1024
"""Most that a run's events take in all."""

_TYPES = frozenset({"run", "node", "log", "span"})
_LEVELS = frozenset({"debug", "info", "warning", "error"})
_NODE_STATES = frozenset({"running", "succeeded", "failed", "skipped", "cancelled", "rejected"})

_STORE = Prepared(insert(cast(Table, RunEvent.__table__)))
_NODE = cast(Table, RunNode.__table__)


def _put(dialect: Any, *columns: str) -> Prepared:
    """Make the statement that puts nodes into a state, of which some have a row already."""
    new = dialect.insert(_NODE)
    put = new.on_conflict_do_update(
        index_elements=[_NODE.c.run_id, _NODE.c.node],
        set_={
            **{name: new.excluded[name] for name in ("state", "attempt", *columns)},
            "started_at": func.coalesce(new.excluded.started_at, _NODE.c.started_at),
        },
    )
    return Prepared(put)


_NODES = {
    name: (_put(dialect), _put(dialect, "finished_at", "outputs", "output_masks", "problem"))
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
"""By database: for nodes that began, and for nodes that ended."""


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

    The run's row is in the database.

    :param state: the run's new state, where the event tells of one.
    :param node: the node that it is about.
    """
    run.last_seq += 1
    body = dict(data or {})
    if state is not None:
        body["state"] = state
    _STORE.write(
        session,
        {"run_id": run.id, "seq": run.last_seq, "at": utcnow(), "node": node, "attempt": 1,
         "type": "node" if node else "run", "level": level, "text": text, "data": body,
         "masks": []},
    )


def append_batch(session: Session, run: Run, events: object) -> list[Mapping[str, Any]]:
    """Append what a worker sends, in its order; what is stored already is passed over.

    :returns: the events that were new.
    :raises Invalid: ``events_invalid`` or ``events_gap``; nothing is stored.
    :raises TooLarge: ``run_too_large``: an honest worker stops long before; nothing is stored.
    """
    rows = [_read(run.id, event) for event in _batch(events)]
    fresh = [row for row in rows if row["seq"] > run.last_seq]
    for number, row in enumerate(fresh, start=run.last_seq + 1):
        if row["seq"] != number:
            raise Invalid(
                "events_gap", f"Event {number} is missing: events are sent in order, without gaps."
            )
    _measure(run, fresh)
    if fresh:
        _STORE.write(session, *fresh)
        run.last_seq = fresh[-1]["seq"]
        _apply_to_nodes(session, run.id, [row for row in fresh if row["type"] == "node"])
    return list(fresh)


def _measure(run: Run, fresh: Sequence[Mapping[str, Any]]) -> None:
    """Count what a worker wants stored, and refuse what no honest worker sends.

    Workers keep to the limits of their plan; these stand against one that doesn't.
    """
    size = 0
    for row in fresh:
        written = json.dumps([row["data"], row["masks"]])
        text, data = len(row["text"]), len(written)
        if is_deep(row["data"], written):
            raise _invalid(f"“data” is nested deeper than {DEPTH} levels, which no page shows")
        if text > MAX_TEXT or data > MAX_DATA:
            raise TooLarge("run_too_large", "An event is larger than any that is stored.")
        size += text + data
    events = fresh[-1]["seq"] if fresh else run.last_seq
    if events > MAX_EVENTS or run.stored_bytes + size > MAX_BYTES:
        raise TooLarge(
            "run_too_large",
            f"A run has at most {MAX_EVENTS:,} events and {MAX_BYTES // 2**20} MiB of them.",
        )
    run.stored_bytes += size


def set_node(
    session: Session, run_id: str, node: str, state: str, problem: Mapping[str, Any] | None
) -> None:
    """Put a node into a state that the server decided."""
    session.add(
        RunNode(
            run_id=run_id, node=node, state=state, attempt=1, started_at=None,
            finished_at=utcnow(), outputs=None, output_masks=None,
            problem=dict(problem) if problem else None,
        )
    )


def _apply_to_nodes(session: Session, run_id: str, events: Sequence[Mapping[str, Any]]) -> None:
    rows: dict[str, dict[str, Any]] = {}
    ended = set()
    for event in events:
        node, state = event["node"], event["data"].get("state")
        if state not in _NODE_STATES:
            continue
        row = rows.setdefault(
            node,
            {"run_id": run_id, "node": node, "started_at": None, "finished_at": None,
             "outputs": None, "output_masks": None, "problem": None},
        )
        row.update(state=state, attempt=event["attempt"])
        if state == "running":
            row["started_at"] = event["at"]
        else:
            ended.add(node)
            row["finished_at"] = event["at"]
            row["outputs"] = event["data"].get("outputs")
            row["output_masks"] = event["data"].get("output_masks")
            row["problem"] = event["data"].get("problem")
    begin, end = _NODES[session.get_bind().dialect.name]
    for statement, wanted in (
        (begin, [row for node, row in rows.items() if node not in ended]),
        (end, [row for node, row in rows.items() if node in ended]),
    ):
        if wanted:
            statement.write(session, *wanted)


def _batch(events: object) -> list[Any]:
    if not isinstance(events, list) or len(events) > MAX_BATCH:
        raise _invalid(f"“events” is a list of up to {MAX_BATCH}")
    return events


def _read(run_id: str, event: Any) -> dict[str, Any]:
    if not isinstance(event, dict):
        raise _invalid("an event is an object")
    seq, node, attempt = event.get("seq"), event.get("node"), event.get("attempt", 1)
    text, data, masks = event.get("text", ""), event.get("data", {}), event.get("masks", [])
    kind, level = event.get("type"), event.get("level", "info")
    if type(seq) is not int or seq < 1 or type(attempt) is not int or not 0 < attempt < 2**31:
        raise _invalid("“seq” and “attempt” are whole numbers from 1")
    if not (isinstance(kind, str) and kind in _TYPES):
        raise _invalid("“type” is unknown")
    if not (isinstance(level, str) and level in _LEVELS):
        raise _invalid("“level” is unknown")
    if not (node is None or (isinstance(node, str) and len(node) <= 128 and node.isprintable())):
        raise _invalid("“node” is a node's id")
    if kind == "node" and node is None:
        raise _invalid("an event about a node names it")
    if not (isinstance(text, str) and isinstance(data, dict)):
        raise _invalid("“text” or “data” has another type")
    if not (isinstance(masks, list) and all(_is_mask(mask, len(text)) for mask in masks)):
        raise _invalid("“masks” are objects with an offset in the text, a secret and a version")
    if kind == "node":
        _check_node(data)
    return {
        "run_id": run_id, "seq": seq, "at": _time(event.get("at")), "node": node,
        "attempt": attempt, "type": kind, "level": level,
        "text": text.replace("\0", "\\0"), "data": data, "masks": masks,
    }


def _check_node(data: Mapping[str, Any]) -> None:
    """Refuse what pages and the API could not show of a node."""
    if not isinstance(data.get("state", ""), str):
        raise _invalid("a node's “state” is a text")
    if not isinstance(data.get("outputs"), dict | None):
        raise _invalid("a node's “outputs” are an object by port, or null")
    places = data.get("output_masks")
    if places is not None and not (
        isinstance(places, dict) and all(_are_places(found) for found in places.values())
    ):
        raise _invalid("“output_masks” say by output where which secret stands")
    if data.get("problem") is not None:
        read_problem(data["problem"])


def _are_places(found: object) -> bool:
    return isinstance(found, list) and all(
        isinstance(one, dict)
        and type(one.get("offset")) is int
        and _names_secret(one)
        and isinstance(one.get("path"), list)
        and all(type(step) in (int, str) for step in one["path"])
        for one in found
    )


def read_problem(problem: object) -> dict[str, Any]:
    """Return a problem with what every reader of one relies on: a code and a message.

    :raises Invalid: ``events_invalid``.
    """
    if not isinstance(problem, dict) or not all(
        isinstance(problem.get(name), str) for name in ("code", "message")
    ):
        raise _invalid("a problem is an object with a code and a message")
    masks, length = problem.get("masks", []), len(problem["message"])
    if not (isinstance(masks, list) and all(_is_mask(mask, length) for mask in masks)):
        raise _invalid("a problem's “masks” are objects with an offset in its message")
    return problem


def _is_mask(mask: object, length: int) -> bool:
    return (
        isinstance(mask, dict)
        and type(mask.get("offset")) is int
        and 0 <= mask["offset"] <= length
        and _names_secret(mask)
    )


def _names_secret(mask: Mapping[str, Any]) -> bool:
    version = mask.get("version")
    return isinstance(mask.get("secret"), str) and (version is None or type(version) is int)


def _time(text: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _invalid("“at” is a time in ISO 8601") from None


def _invalid(what: str) -> Invalid:
    return Invalid("events_invalid", f"The events can't be stored: {what}.")
