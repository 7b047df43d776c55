"""The value route: one value, for one node of one run, once (SECURITY.md, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import MethodNotAllowed

from app import audit
from app.accounts.freeze import refuse_frozen
from app.audit import Action
from app.errors import Denied, Unavailable
from app.http.problems import request_id
from app.http.services import services
from app.ids import is_id
from app.keys.tokens import is_plain, refusal
from app.runs.claims import may_use_secrets
from app.runs.leases import hold_run, require_current
from app.runs.workers import describe_worker
from app.runtime.credentials import VALUE, audit_or_nothing, read_token, refusals_audited
from app.vault.grants import Use, spend
from app.vault.reveal import open_version

routes = Blueprint("runtime_values", __name__)
_CLAIMS = ("node", "attempt", "purpose", "secret", "version")
_PURPOSES = frozenset({"use", "check"})
_MAX_ATTEMPT = 10_000
_MAX_ITEM = 64


@routes.route("/api/v1/secrets/<secret_id>/value", methods=["GET"], provide_automatic_options=False)
def value(secret_id: str) -> Response:
    """Hand a granted value to the run that holds the grant.

    The token is spent, the grant and everything behind it re-read, the value opened and the
    audit event committed in one transaction; only then does the value leave.
    """
    if request.method != "GET":
        # Flask adds HEAD to every GET; it would spend a token for nothing.
        raise MethodNotAllowed(["GET"])
    held = services()
    if held.vault is None:
        raise Unavailable("vault_closed", "This process holds no master key.")
    with refusals_audited(secret_id=secret_id if is_id(secret_id) else None):
        token, kid = read_token()
        with audit_or_nothing(), held.db.begin() as session:
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
    item = claims.get("item", 0)
    node, purpose = claims["node"], claims["purpose"]
    if not is_plain(node, 1, 128) or not isinstance(purpose, str) or purpose not in _PURPOSES:
        raise refusal("claims")
    if type(claims["attempt"]) is not int or not 0 < claims["attempt"] <= _MAX_ATTEMPT:
        raise refusal("claims")
    # Null outside of a For Each; it has to be said all the same. PyJWT takes a null for missing.
    if item is not None and not is_plain(item, 1, _MAX_ITEM):
        raise refusal("claims")
    if type(claims["version"]) is not int or claims["secret"] != secret_id:
        raise refusal("secret")
    if request.args.getlist("version") != [str(claims["version"])]:
        raise refusal("secret")
    return Use(
        run_id=claims["run"], claim=claims["claim"], node=node,
        attempt=claims["attempt"], item=item or "", purpose=purpose,
        secret_id=secret_id, version=claims["version"], jti=claims["jti"],
        expires=float(claims["exp"]),
    )
