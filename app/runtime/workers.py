"""Workers: signs of life, claims, and children that died."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.accounts.environments import get_environment
from app.errors import Invalid
from app.http.problems import request_id
from app.http.services import services
from app.ids import is_id
from app.keys.tokens import decode_public_key, refusal
from app.runs.claims import LEASE, Claimed, claim_run
from app.runs.enrolment import redeem_code
from app.runs.leases import look_after, lose_claim
from app.runs.queue import queue_name
from app.runs.workers import describe_worker, mark_seen, verify_worker_token
from app.runtime.credentials import (
    CLAIM,
    WORKER,
    read_body,
    read_token,
    refusals_audited,
    refuse_browser,
)
from app.runtime.meters import meters

routes = Blueprint("runtime_workers", __name__, url_prefix="/runtime/v1")

LIMITS = {"events": 100_000, "log_bytes": 16 * 1024 * 1024, "output_bytes": 1024 * 1024}
"""Most that a run may send: events, bytes of log text, bytes of one node's outputs."""

MAX_REPORT = 16 * 1024


@routes.post("/workers/heartbeat")
def heartbeat() -> Response:
    """Note that a worker is there; renew what it asks about, and tell what of it has to stop."""
    with refusals_audited() as caller:
        token, kid = read_token()
        body = read_body()
        with services().db.begin() as session:
            worker, _ = verify_worker_token(session, kid, token, WORKER)
            caller.who = describe_worker(worker, request_id(), request.remote_addr)
            if request.content_length is None or request.content_length > MAX_REPORT:
                raise Invalid("report_too_large", "A worker's report is up to 16 KiB.")
            report = dict(body())
            held = report.pop("runs", None)
            mark_seen(session, worker, report)
            stop = look_after(session, worker, held)
    meters().ended.look()
    return jsonify(ok=True, name=worker.name, unix=time.time(), stop=stop)


@routes.post("/enroll")
def enroll() -> Response:
    """Take the public key of a worker that holds a one-time code."""
    held = services()
    with refusals_audited():
        refuse_browser()
        body = request.get_json()
        public = decode_public_key(body.get("public_key"))
        with held.db.begin() as session:
            worker, key = redeem_code(session, body.get("code"), public)
            queue = queue_name(get_environment(session, worker.environment_id).name)
    return jsonify(worker_id=worker.id, key_id=key.id, name=worker.name, queue=queue)


@routes.post("/claims")
def claim() -> Response:
    """Give a worker's fresh process a run, checked, with a key of its own."""
    held = services()
    with refusals_audited() as caller:
        token, kid = read_token()
        body = read_body()
        with held.db.begin() as session:
            worker, claims = verify_worker_token(session, kid, token, CLAIM, "run", "pub")
            caller.who = who = describe_worker(worker, request_id(), request.remote_addr)
            body()
            run_id = claims["run"]
            if not isinstance(run_id, str) or not is_id(run_id):
                raise refusal("run")
            public_key = decode_public_key(claims["pub"])
            claimed = claim_run(session, worker, who, run_id, public_key, key_id=kid)
            last_seq = claimed.run.last_seq
    held.queue.publish(run_id, last_seq)
    if claimed.state == "rejected":
        meters().ended.add(run_id)
    return jsonify(_plan(claimed))


@routes.post("/runs/<run_id>/lost")
def lost(run_id: str) -> Response:
    """Fail a run whose process died, as its parent says."""
    with refusals_audited(run_id=run_id if is_id(run_id) else None) as caller:
        token, kid = read_token()
        body = read_body()
        with services().db.begin() as session:
            worker, _ = verify_worker_token(session, kid, token, WORKER)
            caller.who = who = describe_worker(worker, request_id(), request.remote_addr)
            number, reason = body().get("claim"), body().get("reason")
            public = body().get("public")
            text = str(reason or "its process died").replace("\0", "")[:200]
            changed = lose_claim(
                session, worker, who, run_id, number if type(number) is int else None, text,
                decode_public_key(public) if public is not None else None,
            )
    if changed:
        services().queue.publish(run_id, 0)
        meters().ended.add(run_id)
    return jsonify(ok=True)


def _plan(claimed: Claimed) -> dict[str, Any]:
    run = claimed.run
    answer: dict[str, Any] = {"state": claimed.state, "run": run.id, "unix": time.time()}
    if claimed.kid is None or claimed.settings is None:
        return answer
    return {
        **answer,
        "claim": run.fence,
        "kid": claimed.kid,
        "next_seq": run.last_seq + 1,
        "lease_seconds": LEASE.total_seconds(),
        "deadline_unix": run.deadline.timestamp() if run.deadline else None,
        "environment": {
            "id": run.environment_id, "name": claimed.environment_name,
            "reach": dataclasses.asdict(claimed.reach) if claimed.reach else {},
        },
        "checking": run.state == "checking",
        "only_check": run.trigger.get("kind") == "check",
        "flow": {
            "id": run.flow_id, "name": claimed.flow_name, "version": claimed.flow_version,
        },
        "settings": {"on_prevented_leak": claimed.settings.on_prevented_leak},
        "inputs": claimed.inputs,
        "values": claimed.values,
        "trigger": {"kind": run.trigger.get("kind"), "node": run.trigger.get("node")},
        "graph": claimed.graph,
        "grants": [dataclasses.asdict(grant) for grant in claimed.grants],
        "limits": LIMITS,
    }
