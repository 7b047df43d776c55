"""``/hooks``: where other systems start flows; no login, but a signature (docs/api.md)."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.accounts import service as accounts
from app.errors import TacitError, Unavailable
from app.http.problems import request_id
from app.http.requests import address, read_json_object
from app.http.services import services
from app.runs import hooks
from app.runs.states import RunState

routes = Blueprint("hooks", __name__, url_prefix="/hooks")


@routes.post("/<hook>")
def deliver(hook: str) -> tuple[Response, int]:
    """Take a signed delivery and answer with the run that it started."""
    held = services()
    if held.vault is None:
        raise Unavailable("vault_closed", "This process doesn't hold the master key.")
    # Read before any transaction is opened: a slow sender must not keep one.
    request.max_content_length = hooks.MAX_BODY
    delivery = hooks.Delivery(
        hook, request.get_data(), request.headers.get("X-Tacit-Timestamp", ""),
        request.headers.get("X-Tacit-Signature", ""), address(), request_id(),
    )
    with held.db.begin() as session:
        attempt = hooks.open_attempt(session, delivery)
    with held.db.begin() as session:
        signed = hooks.is_signed(session, held.vault, delivery)
    if not signed:
        raise hooks.not_found()
    try:
        payload = read_json_object(delivery.body)
        with held.db.begin() as session:
            run, environment_id = hooks.take(session, delivery, payload, attempt)
            environment = accounts.get_environment(session, environment_id).name
    except TacitError as error:
        with held.db.begin() as session:
            hooks.forget_attempt(session, attempt)
            hooks.note_failure(session, delivery, error)
        raise
    if run.state == RunState.QUEUED:
        held.queue.enqueue(run.id, environment)
    return jsonify(run_id=run.id, state=run.state), 202
