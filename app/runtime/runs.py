"""A claimed run: events, heartbeats, its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy.orm import Session

from app.http.problems import request_id
from app.http.services import services
from app.ids import is_id
from app.log import bound
from app.runs.claims import LEASE
from app.runs.external import end_check, record_access
from app.runs.leases import Held, finish, hold_run, renew
from app.runs.workers import describe_worker
from app.runtime.credentials import (
    RUN,
    audit_or_nothing,
    read_body,
    read_token,
    refusals_audited,
)
from app.runtime.meters import meters

routes = Blueprint("runtime_runs", __name__, url_prefix="/runtime/v1/runs/<run_id>")


@routes.post("/events")
def events(run_id: str) -> Response:
    """Store events; what is stored already is passed over."""
    with _held(run_id) as (session, held, body):
        stored = renew(session, held, body().get("events"))
    services().queue.publish(run_id, stored)
    return _alive(held, stored)


@routes.post("/heartbeat")
def heartbeat(run_id: str) -> Response:
    """Renew the lease."""
    with _held(run_id) as (session, held, body):
        body()
        stored = renew(session, held)
    return _alive(held, stored)


@routes.post("/finish")
def end(run_id: str) -> Response:
    """End the run, with its last events."""
    with _held(run_id) as (session, held, body):
        sent = body()
        who = describe_worker(held.worker, request_id(), request.remote_addr)
        state = finish(
            session, held, who, sent.get("state"), sent.get("problem"), sent.get("events")
        )
        stored = held.run.last_seq
    services().queue.publish(run_id, stored)
    meters().ended.add(run_id)
    searched = sent.get("searched_bytes")
    if type(searched) is int and 0 < searched < 2**50:
        meters().masked.inc(searched)
    return jsonify(state=state)


@routes.post("/checked")
def checked(run_id: str) -> Response:
    """End the check of external secrets: the run goes on, or is rejected."""
    with _held(run_id) as (session, held, body):
        sent = body()
        who = describe_worker(held.worker, request_id(), request.remote_addr)
        state = end_check(session, held, who, sent.get("problems"), sent.get("events"))
        stored = held.run.last_seq
    services().queue.publish(run_id, stored)
    return jsonify(state=state, cancel=held.run.cancel_requested)


@routes.post("/accesses")
def accesses(run_id: str) -> Response:
    """Write down that a node asked an external secret manager."""
    with audit_or_nothing(), _held(run_id) as (session, held, body):
        who = describe_worker(held.worker, request_id(), request.remote_addr)
        record_access(session, held, who, body())
    return jsonify(ok=True)


@contextmanager
def _held(run_id: str) -> Iterator[tuple[Session, Held, Callable[[], dict[str, Any]]]]:
    """Open a transaction with the run locked under the request's token; gives the body too."""
    known = run_id if is_id(run_id) else None
    with bound(run=known or "?"), refusals_audited(run_id=known) as caller:
        token, kid = read_token()
        body = read_body()
        with services().db.begin() as session:
            held, _ = hold_run(session, kid, token, RUN, run_id)
            caller.who = describe_worker(held.worker, request_id(), request.remote_addr)
            yield session, held, body


def _alive(held: Held, stored: int) -> Response:
    return jsonify(
        stored_through=stored,
        cancel=held.run.cancel_requested,
        lease_seconds=LEASE.total_seconds(),
    )
