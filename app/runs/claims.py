"""Claiming a run and the pre-run check: every secret resolved before any node runs.

Both happen in one transaction: a claimed run has its grants, or it ends as ``rejected``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.freeze import refuse_frozen
from app.accounts.models import Environment
from app.accounts.scopes import Scope
from app.accounts.standing import scopes_unfrozen
from app.audit import Action, Who
from app.components.problems import Problem
from app.components.registry import registry
from app.errors import NotFound
from app.flows.graph import Graph
from app.flows.models import Flow, FlowVersion
from app.flows.parts import part_of, part_of_one, part_to_check
from app.flows.rows import read_version
from app.flows.settings import FlowSettings, find_settings
from app.flows.validation import (
    SecretReference,
    external_denied,
    external_references,
    fetched_references,
)
from app.ids import is_id, new_id, utcnow
from app.keys.records import Reading, Writing
from app.keys.sealed import Tampered
from app.prepared import Prepared
from app.runs import protection, single, upto
from app.runs.checks import check_secrets, may_use
from app.runs.concurrency import has_place
from app.runs.context import check_context
from app.runs.events import append_own, set_node
from app.runs.locked import lock_run
from app.runs.models import Run, RunClaim, Worker
from app.runs.notices import note_failure
from app.runs.reach import Reach, reach_of
from app.runs.states import RunState
from app.vault.grants import add_grant
from app.vault.lookup import Resolved

_CLAIMS = Writing(RunClaim)
_VERSION = Reading(FlowVersion, "graph", "settings", remember=False)
_PLAN = Prepared(
    select(*_VERSION.columns, Flow.name, Environment.name)
    .join_from(Run, FlowVersion, FlowVersion.id == Run.flow_version_id)
    .join(Flow, Flow.id == Run.flow_id)
    .join(Environment, Environment.id == Run.environment_id)
    .where(Run.id == bindparam("run_id"))
)

LEASE = timedelta(seconds=12)
"""How long a claim holds without a heartbeat; workers send one each second."""


@dataclass(frozen=True, slots=True)
class GrantView:
    """What a worker may fetch for a node."""

    node: str
    secret_id: str
    name: str
    version: int
    output_format: str
    allowed_hosts: list[str] | None
    weak: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to a claim.

    ``state`` is ``running`` with the plan beside it, ``rejected`` when the pre-run check ended
    the run, or ``gone`` when there is nothing to do: claimed by another, cancelled or over.
    """

    state: Literal["running", "rejected", "gone"]
    run: Run
    kid: str | None = None
    graph: dict[str, Any] | None = None
    grants: tuple[GrantView, ...] = ()
    flow_name: str = ""
    flow_version: int | None = None
    settings: FlowSettings | None = None
    environment_name: str = ""
    reach: Reach | None = None

    @property
    def inputs(self) -> dict[str, Any]:
        """What the run is started with, as triggers pass it on."""
        if self.run.trigger.get("kind") != single.KIND:
            return self.run.inputs
        return dict(self.run.inputs.get(self.run.trigger["node"], {}))

    @property
    def values(self) -> dict[str, Any]:
        """By node and input: what stands for wires, where one node runs alone."""
        return self.run.inputs if self.run.trigger.get("kind") == single.KIND else {}


def claim_run(
    session: Session, worker: Worker, who: Who, run_id: str, public_key: bytes, *, key_id: str
) -> Claimed:
    """Give a worker a queued run, checked, with a claim of its own.

    :param public_key: the Ed25519 key that was made for this claim, raw.
    :param key_id: the worker's enrolled key that signed the ticket.
    :raises NotFound: there is no such run in the worker's environment.
    :raises Locked: ``frozen``; the run stays queued.
    """
    run = lock_run(session, run_id) if is_id(run_id) else None
    if run is None or run.environment_id != worker.environment_id:
        raise NotFound("run_not_found", "There is no such run in this worker's environment.")
    refuse_frozen(session, run.environment_id)
    if run.state != RunState.QUEUED:
        return Claimed("gone", run)
    planned = _PLAN.row(session, {"run_id": run.id})
    assert planned is not None  # noqa: S101 - foreign keys
    version = _VERSION.get(session, planned)
    flow_name, environment_name = planned[len(_VERSION) :]
    if not has_place(session, run, find_settings(version.settings)):
        # Its job is gone with this; the scheduler puts it back when there is a place.
        run.held = True
        return Claimed("gone", run)
    now = utcnow()
    run.fence += 1
    run.started_at = now
    kid = new_id()
    _CLAIMS.write(
        session, run_id=run.id, number=run.fence, kid=kid, public_key=public_key,
        worker_id=worker.id, worker_key_id=key_id, created_at=now,
    )
    append_own(session, run, f"Worker {worker.name} took the run", state=RunState.CHECKING)
    audit.record(
        session, actor=who, action=Action.RUN_CLAIM, flow_id=run.flow_id, run_id=run.id,
        data={"claim": run.fence},
    )
    try:
        graph, settings = read_version(version)
        check_context(run)
        graph = _part(run, graph)
        references = fetched_references(graph)
        external = external_references(graph, registry())
        scopes = _scopes(session, run) if references or external else ()
        found, problems = check_secrets(
            session, run.environment_id, run.flow_id, references, version.bindings, scopes,
            lock=True,
        )
        if external and not may_use(scopes):
            problems += [external_denied(reference) for reference in external]
        if references or external:
            problems += protection.find_problems(
                session, run.environment_id, _unactivated(run, version)
            )
        reach = reach_of(session, run.environment_id)
    except Tampered as error:
        # Left queued, the run would be put back and tried for ever.
        tampered = Problem(error.code, "error", error.detail)
        reject(session, run, who, None, [tampered.to_json()], now)
        return Claimed("rejected", run)
    if problems:
        reject(session, run, who, graph, [problem.to_json() for problem in problems], now)
        return Claimed("rejected", run)
    grants = tuple(_grant(session, run, who, reference, found) for reference in references)
    # Only workers reach external managers: the claim's worker goes on with the check.
    run.state = RunState.CHECKING if external else RunState.RUNNING
    run.deadline = now + timedelta(seconds=settings.timeout_seconds)
    run.lease_expires_at = now + LEASE
    append_own(
        session, run, _checked(len(references)), state=run.state
    )
    return Claimed(
        "running", run, kid, graph.to_document(), grants, flow_name, version.number, settings,
        environment_name, reach,
    )


def _unactivated(run: Run, version: FlowVersion) -> str | None:
    """Say what a run executes that nobody activated as it is; None for a whole version."""
    kind = run.trigger.get("kind")
    if kind == single.KIND:
        return protection.ONE_NODE
    if kind == upto.KIND:
        return protection.PART
    return protection.DRAFT if version.number is None else None


def _part(run: Run, graph: Graph) -> Graph:
    """Return what of the graph a run executes: all of it, but for runs of a part."""
    kind, node = run.trigger.get("kind"), str(run.trigger.get("node"))
    if kind == "check":
        return part_to_check(graph, node)
    if kind == single.KIND:
        return part_of_one(graph, run.trigger["part"], node, run.inputs.get(node, ()))
    return part_of(graph, run.trigger["part"]) if kind == upto.KIND else graph


def may_use_unfrozen(session: Session, run: Run) -> bool:
    """Say whether the person that a run acts for may use secrets now, nothing being frozen.

    One statement, since it is asked for each value; the person's row stays locked.

    :raises Locked: ``frozen``.
    """
    if run.user_id is None:
        refuse_frozen(session, run.environment_id)
        return False
    return may_use(scopes_unfrozen(session, run.user_id, run.environment_id, run.token_id))


def _scopes(session: Session, run: Run) -> frozenset[Scope]:
    if run.user_id is None:
        return frozenset()
    return scopes_unfrozen(session, run.user_id, run.environment_id, run.token_id)


def reject(
    session: Session,
    run: Run,
    who: Who,
    graph: Graph | None,
    problems: list[dict[str, Any]],
    now: datetime,
) -> None:
    """End a run before any of its nodes has run.

    :param problems: what the pre-run check found, as JSON.
    """
    run.state = RunState.REJECTED
    run.finished_at = now
    run.lease_expires_at = None
    run.problems = problems
    marked = {problem.get("node"): problem for problem in problems}
    for node in graph.nodes if graph is not None else ():
        state = "rejected" if node.id in marked else "skipped"
        set_node(session, run.id, node.id, state, marked.get(node.id))
    for problem in problems:
        append_own(
            session, run, problem["message"], node=problem.get("node"), level="error",
            data={"state": "rejected", "problem": problem},
        )
    append_own(
        session, run, "Run rejected before any node has run", state=RunState.REJECTED,
        level="error", data={"problems": run.problems},
    )
    note_failure(session, run)
    audit.record(
        session, actor=who, action=Action.RUN_REJECT, outcome="denied", flow_id=run.flow_id,
        run_id=run.id, data={"codes": sorted({problem["code"] for problem in problems})},
    )


def _grant(
    session: Session,
    run: Run,
    who: Who,
    reference: SecretReference,
    found: Mapping[str, Resolved],
) -> GrantView:
    resolved = found[reference.node]
    secret, version = resolved.secret, resolved.version
    if secret is None or version is None:
        raise RuntimeError("a grant for a secret that was not found")
    add_grant(
        session, run_id=run.id, claim=run.fence, node=reference.node, secret=secret,
        version=version.number,
    )
    audit.record(
        session, actor=who, action=Action.SECRET_GRANT, secret_id=secret.id, run_id=run.id,
        flow_id=run.flow_id, node=reference.node, data={"version": version.number},
    )
    return GrantView(
        reference.node, secret.id, secret.name, version.number, reference.output_format,
        secret.allowed_hosts, version.weak,
    )


def _checked(count: int) -> str:
    if not count:
        return "Checked: the flow uses no secrets"
    return f"Checked: {count} secret{'s are' if count > 1 else ' is'} accessible"
