"""A claimed run: events, heartbeats, its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, Response, jsonify, request
from sqlalchemy.orm import Session

from app.errors import Unauthenticated
from app.http.problems import request_id
from app.http.services import services
from app.ids import is_id
from app.runs.claims import LEASE
from app.runs.leases import Held, finish, hold_run, renew
from app.runs.workers import describe_worker
from app.runtime.credentials import RUN, read_token, refusals_audited

routes = Blueprint("runtime_runs", __name__, url_prefix="/runtime/v1/runs/<run_id>")


@routes.post("/events")
def events(run_id: str) -> Response:
    """Store events; what is stored already is passed over."""
    batch = request.get_json().get("events")
    with _held(run_id) as (session, held):
        stored = renew(session, held, batch)
    services().queue.publish(run_id, stored)
    return _alive(held, stored)


@routes.post("/heartbeat")
def heartbeat(run_id: str) -> Response:
    """Renew the lease."""
    request.get_json()
    with _held(run_id) as (session, held):
        stored = renew(session, held)
    return _alive(held, stored)


@routes.post("/finish")
def end(run_id: str) -> Response:
    """End the run, with its last events."""
    body = request.get_json()
    with _held(run_id) as (session, held):
        who = describe_worker(held.worker, request_id(), request.remote_addr)
        state = finish(
            session, held, who, body.get("state"), body.get("problem"), body.get("events")
        )
        stored = held.run.last_seq
    services().queue.publish(run_id, stored)
    return jsonify(state=state)


@contextmanager
def _held(run_id: str) -> Iterator[tuple[Session, Held]]:
    """Open a transaction with the run locked under the request's token."""
    with services().db.begin() as session:
        try:
            token, kid = read_token()
            held, _ = hold_run(session, kid, token, RUN, run_id)
        except Unauthenticated:
            # Left before the audit opens a transaction of its own: one writer at a time.
            session.rollback()
            with refusals_audited(run_id=run_id if is_id(run_id) else None):
                raise
        yield session, held


def _alive(held: Held, stored: int) -> Response:
    return jsonify(
        stored_through=stored,
        cancel=held.run.cancel_requested,
        lease_seconds=LEASE.total_seconds(),
    )
