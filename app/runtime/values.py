"""The value route: one value, for one node of one run, once (SECURITY.md, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app import audit
from app.accounts.freeze import refuse_frozen
from app.audit import Action
from app.errors import Denied, Unavailable
from app.http.problems import request_id
from app.http.services import services
from app.ids import is_id
from app.keys.tokens import refusal
from app.runs.claims import may_use_secrets
from app.runs.leases import hold_run, require_current
from app.runs.workers import describe_worker
from app.runtime.credentials import VALUE, read_token, refusals_audited
from app.vault.grants import Use, spend
from app.vault.reveal import open_version

routes = Blueprint("runtime_values", __name__)
_CLAIMS = ("node", "attempt", "purpose", "secret", "version")
_PURPOSES = frozenset({"use", "check"})


@routes.route("/api/v1/secrets/<secret_id>/value", methods=["GET"], provide_automatic_options=False)
def value(secret_id: str) -> Response:
    """Hand a granted value to the run that holds the grant.

    The token is spent, the grant and everything behind it re-read, the value opened and the
    audit event committed in one transaction; only then does the value leave.
    """
    held = services()
    if held.vault is None:
        raise Unavailable("vault_closed", "This process holds no master key.")
    with refusals_audited(secret_id=secret_id if is_id(secret_id) else None):
        token, kid = read_token()
        with held.db.begin() as session:
            owner, claims = hold_run(session, kid, token, VALUE, None, *_CLAIMS)
            use = _read_use(claims, secret_id)
            require_current(owner)
            refuse_frozen(session, owner.run.environment_id)
            if owner.run.cancel_requested:
                raise Denied("run_cancelled", "This run is being cancelled; it gets no values.")
            if not may_use_secrets(session, owner.run):
                raise Denied(
                    "person_may_not_use",
                    "The person that this run acts for may not use secrets here any more.",
                )
            secret, version = spend(session, use, flow_id=owner.run.flow_id)
            plaintext = open_version(session, held.vault, secret, version)
            audit.record(
                session,
                actor=describe_worker(owner.worker, request_id(), request.remote_addr),
                action=Action.SECRET_USE, secret_id=secret.id, flow_id=owner.run.flow_id,
                run_id=owner.run.id, node=use.node,
                data={"version": use.version, "attempt": use.attempt, "purpose": use.purpose},
            )
    response = jsonify(
        value=plaintext, secret_id=secret.id, version=version.number, name=secret.name
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _read_use(claims: Mapping[str, Any], secret_id: str) -> Use:
    version = request.args.get("version", "")
    texts = (claims["node"], claims["purpose"], claims["secret"])
    if not all(isinstance(text, str) for text in texts) or claims["purpose"] not in _PURPOSES:
        raise refusal("claims")
    if type(claims["attempt"]) is not int or type(claims["version"]) is not int:
        raise refusal("claims")
    # Null outside of a For Each; it has to be said all the same. PyJWT takes a null for missing.
    if "item" not in claims or not isinstance(claims["item"], str | None):
        raise refusal("claims")
    if claims["secret"] != secret_id or str(claims["version"]) != version:
        raise refusal("secret")
    return Use(
        run_id=claims["run"], claim=claims["claim"], node=claims["node"],
        attempt=claims["attempt"], item=claims["item"] or "", purpose=claims["purpose"],
        secret_id=secret_id, version=claims["version"], jti=claims["jti"],
        expires=float(claims["exp"]),
    )
