"""External secret managers, from the server's side: the end of the check, and the audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy.orm import Session

from app import audit
from app.audit import Action, Who
from app.components.registry import registry
from app.errors import Conflict, Denied, Invalid
from app.flows.graph import parse_graph
from app.flows.models import FlowVersion
from app.flows.validation import ExternalReference, external_references
from app.ids import utcnow
from app.runs.claims import may_use_unfrozen, reject
from app.runs.events import append_batch, read_problem
from app.runs.leases import Held, require_current
from app.runs.models import Run
from app.runs.states import RunState

MAX_PROBLEMS = 2000
Outcome = Literal["ok", "denied", "failed"]
_PURPOSES = frozenset({"check", "use"})


def record_access(session: Session, held: Held, who: Who, access: Mapping[str, Any]) -> None:
    """Write down that a node asked an external manager; the worker waits for it.

    Provider and reference are taken from the flow that runs, so that a worker's words, which
    could hold anything, don't get into the audit.

    :raises Conflict: ``claim_lost``; ``run_cancelled``.
    :raises Denied: ``person_may_not_use``.
    :raises Locked: ``frozen``.
    :raises Invalid: ``access_invalid``.
    """
    require_current(held)
    run = held.run
    if run.cancel_requested:
        raise Conflict("run_cancelled", "This run is being cancelled; it gets no values.")
    if not may_use_unfrozen(session, run):
        raise Denied(
            "person_may_not_use",
            "The person that this run acts for may not use secrets here any more.",
        )
    code, version, purpose = access.get("code", ""), access.get("version", ""), access["purpose"]
    attempt = access.get("attempt", 1)
    found = _references(session, run).get(str(access.get("node")))
    if (
        found is None or purpose not in _PURPOSES or type(attempt) is not int
        or not _is_word(code, 64) or not _is_word(version, 256)
    ):
        raise Invalid("access_invalid", "An access names a node, its purpose and how it went.")
    outcome: Outcome = "ok" if not code else "denied" if code.endswith("_denied") else "failed"
    data = {
        "provider": found.provider, "reference": found.reference, "purpose": purpose,
        "attempt": attempt,
    }
    if code:
        data["code"] = code
    if version:
        data["version"] = version
    audit.record(
        session, actor=who, action=Action.SECRET_EXTERNAL, outcome=outcome, run_id=run.id,
        flow_id=run.flow_id, node=found.node, target=f"{found.provider}:{found.reference}"[:200],
        data=data,
    )


def end_check(
    session: Session, held: Held, who: Who, problems: object, events: object = ()
) -> str:
    """Let a checked run go on, or end it as ``rejected`` with what its worker found.

    Saying it again changes nothing.

    :returns: the run's state.
    :raises Conflict: ``claim_lost``.
    :raises Invalid: the problems can't be stored.
    """
    run = held.run
    if run.fence == held.claim.number and run.state == RunState.REJECTED:
        return run.state
    require_current(held)
    if not isinstance(problems, list) or len(problems) > MAX_PROBLEMS:
        raise Invalid("problems_invalid", f"“problems” is a list of up to {MAX_PROBLEMS}.")
    if run.state != RunState.CHECKING:
        return run.state
    if events:
        append_batch(session, run, events)
    found = [read_problem(problem) for problem in problems]
    if not found:
        run.state = RunState.RUNNING
        return run.state
    version = session.get_one(FlowVersion, run.flow_version_id)
    reject(session, run, who, parse_graph(version.graph), found, utcnow())
    return run.state


def _references(session: Session, run: Run) -> dict[str, ExternalReference]:
    version = session.get_one(FlowVersion, run.flow_version_id)
    graph = parse_graph(version.graph)
    return {found.node: found for found in external_references(graph, registry())}


def _is_word(text: object, longest: int) -> bool:
    """Say whether a text is a code or a version: no white space, nothing that needs quoting."""
    return isinstance(text, str) and len(text) <= longest and text.isascii() and (
        not text or all(char.isalnum() or char in "._:-" for char in text)
    )
