"""The value route: one value, for one node of one run, once (SECURITY.md, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import MethodNotAllowed

from app import audit
from app.audit import Action
from app.errors import Denied, Unavailable
from app.http.problems import request_id
from app.http.services import services
from app.ids import is_id
from app.keys.tokens import is_plain, refusal
from app.runs.claims import may_use_unfrozen
from app.runs.leases import look_at_run, require_current
from app.runs.workers import describe_worker
from app.runtime.credentials import VALUE, Caller, audit_or_nothing, read_token, refusals_audited
from app.vault import Vault
from app.vault.grants import Use, spend
from app.vault.reveal import open_blob

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
    with refusals_audited(secret_id=secret_id if is_id(secret_id) else None) as caller:
        token, kid = read_token()
        vault = held.vault
        asked = _Asked(token, kid, secret_id, caller, request_id(), request.remote_addr)
        wanted = request.args.getlist("version")
        with audit_or_nothing():
            handed = held.db.run(lambda session: _hand_out(session, vault, asked, wanted))
    return jsonify(
        value=handed.plaintext, secret_id=secret_id, version=handed.version, name=handed.name
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request for a value brought, read before another thread may do the work."""

    token: str
    kid: str
    secret_id: str
    caller: Caller
    request_id: str
    address: str | None


@dataclass(frozen=True, slots=True)
class _Handed:
    plaintext: str = field(repr=False)
    version: int
    name: str


def _hand_out(session: Session, vault: Vault, asked: _Asked, wanted: list[str]) -> _Handed:
    owner, claims = look_at_run(session, asked.kid, asked.token, VALUE, *_CLAIMS)
    who = describe_worker(owner.worker, asked.request_id, asked.address)
    use = _read_use(claims, asked.secret_id, wanted)
    asked.caller.who, asked.caller.run_id, asked.caller.node = who, owner.run.id, use.node
    require_current(owner)
    if owner.run.cancel_requested:
        raise Denied("run_cancelled", "This run is being cancelled; it gets no values.")
    if not may_use_unfrozen(session, owner.run):
        raise Denied(
            "person_may_not_use",
            "The person that this run acts for may not use secrets here any more.",
        )
    secret, version, blob = spend(session, use, flow_id=owner.run.flow_id)
    plaintext = open_blob(session, vault, secret, version.number, blob)
    audit.record(
        session,
        actor=who,
        action=Action.SECRET_USE, secret_id=secret.id, flow_id=owner.run.flow_id,
        run_id=owner.run.id, node=use.node,
        data={"version": use.version, "attempt": use.attempt, "purpose": use.purpose},
    )
    return _Handed(plaintext, version.number, secret.name)


def _read_use(claims: Mapping[str, Any], secret_id: str, wanted: list[str]) -> Use:
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
    if wanted != [str(claims["version"])]:
        raise refusal("secret")
    return Use(
        run_id=claims["run"], claim=claims["claim"], node=node,
        attempt=claims["attempt"], item=item or "", purpose=purpose,
        secret_id=secret_id, version=claims["version"], jti=claims["jti"],
        expires=float(claims["exp"]),
    )
