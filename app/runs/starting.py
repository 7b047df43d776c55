"""Starting runs: for a person, a program, a trigger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.freeze import refuse_frozen
from app.accounts.scopes import Scope
from app.audit import Action
from app.components.parsing.limits import DEPTH, depth_of
from app.components.problems import Problem, and_more
from app.components.registry import registry
from app.errors import Invalid
from app.flows.credentials import CODE as CREDENTIAL
from app.flows.graph import Graph, parse_graph
from app.flows.inputs import check_inputs
from app.flows.models import Flow, FlowVersion
from app.flows.service import problems_of, version_to_run
from app.flows.settings import read_settings
from app.flows.validation import external_references
from app.runs.checks import UNRESOLVED
from app.runs.concurrency import admit, overlap, refuse_full
from app.runs.context import hash_context
from app.runs.events import append_own
from app.runs.models import Run
from app.runs.protection import DRAFT, refuse_protected
from app.runs.states import RunState
from app.runs.views import RunView, view_run

# Credentials typed into fields are a matter of activation; what is active goes on.
PASSING = UNRESOLVED | {CREDENTIAL}
"""Problems that don't keep a run from starting."""


@dataclass(frozen=True, slots=True)
class Start:
    """What is run: a flow's snapshot, whose graph was read."""

    flow: Flow
    version: FlowVersion
    graph: Graph


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Which time of which schedule a run is for, and what to do with the run of the time before."""

    trigger_id: str
    at: datetime
    overlap: str

    @property
    def key(self) -> str:
        """The one run that this time has."""
        return f"{self.trigger_id}:{self.at:%Y-%m-%dT%H:%MZ}"


def start_run(
    session: Session,
    actor: Actor,
    flow_id: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    version: int | str | None = None,
) -> RunView:
    """Accept a run; the caller commits, then puts its job into the queue.

    :param version: ``draft``, ``active``, a number, or None: the active one, else the draft.
    :raises Denied: the actor lacks ``runs:manage``.
    :raises NotFound: there is no such flow or version here.
    :raises Invalid: ``flow_has_problems``, with all of them; secrets that can't be resolved are
        not among them, they end the run as ``rejected``. ``inputs_invalid``, with a problem for
        each input, or ``inputs_too_large``.
    :raises Locked: ``frozen``.
    """
    start = ready(session, actor, flow_id, version)
    given = check_inputs(start.graph, inputs or {})
    return accept(session, actor, start, given, trigger_of(actor))


def start_check(session: Session, actor: Actor, flow_id: str, node: str) -> RunView:
    """Accept a run that only asks the external manager of one node; the caller enqueues it.

    A worker asks, as it will when the flow runs: the server has no way to the manager, and its
    word would be another machine's. What else is unfinished in the draft doesn't matter. Who may
    not use secrets has the run rejected, as any other.

    :raises Denied: the actor lacks ``runs:manage``.
    :raises NotFound: there is no such flow here.
    :raises Invalid: ``node_not_checkable``.
    :raises Locked: ``frozen``, ``environment_protected``.
    """
    actor.require(Scope.RUNS_MANAGE)
    refuse_frozen(session, actor.environment_id)
    flow, snapshot = version_to_run(session, actor, flow_id, "draft")
    graph = parse_graph(snapshot.graph)
    if node not in {found.node for found in external_references(graph, registry())}:
        raise Invalid(
            "node_not_checkable",
            "This node fetches no secret from an external manager, or doesn't name one yet.",
        )
    start = Start(flow, snapshot, graph)
    refuse_protected(session, actor.environment_id, graph, DRAFT)
    trigger = {"kind": "check", "by": actor.name, "node": node}
    return accept(session, actor, start, {}, trigger)


def accept(
    session: Session,
    actor: Actor,
    start: Start,
    inputs: dict[str, Any],
    trigger: dict[str, Any],
    *,
    schedule: Scheduled | None = None,
) -> RunView:
    """Make the run's row, for the actor; everything was checked.

    Under the flow's rule it may end at once as ``skipped``, or be held back.

    :param trigger: what started it, for the run's page: ``kind`` and ``by`` at least.
    :raises Invalid: ``inputs_too_deep``: neither pages nor the API's JSON could show them.
    :raises Throttled: ``too_many_queued_runs``.
    """
    flow, version = start.flow, start.version
    if depth_of(inputs) > DEPTH:
        raise Invalid(
            "inputs_too_deep",
            f"The run's inputs are nested deeper than {DEPTH} levels. Send them flatter, or as "
            "text that the flow parses.",
            field="inputs",
        )
    refuse_full(session, flow.environment_id)
    run = Run(
        environment_id=flow.environment_id, flow_id=flow.id, flow_version_id=version.id,
        user_id=actor.user_id, token_id=actor.token_id, trigger=trigger, inputs=inputs,
        context_hash=hash_context(trigger, inputs),
        fired=schedule.key if schedule else None, started_at=None, finished_at=None,
        deadline=None, lease_expires_at=None,
    )
    session.add(run)
    session.flush()
    append_own(session, run, f"Run queued by {trigger['by']}", state=RunState.QUEUED)
    audit.record(
        session, actor=actor.who(), action=Action.RUN_START, flow_id=flow.id, run_id=run.id
    )
    if schedule is not None:
        overlap(session, actor, run, schedule.overlap, schedule.trigger_id)
    if run.state == RunState.QUEUED:
        admit(session, actor, run, read_settings(version.settings))
    return view_run(run, flow.name, version.number, version.graph, ())


def trigger_of(actor: Actor) -> dict[str, Any]:
    """Describe a start by hand: in the browser, or by a program with a token."""
    return {"kind": "manual" if actor.kind == "session" else "api", "by": actor.name}


def ready(session: Session, actor: Actor, flow_id: str, version: int | str | None) -> Start:
    """Return what a run of a flow by hand executes; raises as :func:`start_run` does."""
    actor.require(Scope.RUNS_MANAGE)
    refuse_frozen(session, actor.environment_id)
    flow, snapshot = version_to_run(session, actor, flow_id, version)
    start = read_start(session, actor, flow, snapshot)
    if snapshot.number is None:
        refuse_protected(session, actor.environment_id, start.graph, DRAFT)
    return start


def read_start(session: Session, actor: Actor, flow: Flow, snapshot: FlowVersion) -> Start:
    """Read what is to be run.

    :raises Invalid: ``flow_has_problems``, ``flow_empty``.
    """
    graph = parse_graph(snapshot.graph)
    problems = problems_of(session, actor, graph, flow.id)
    blocking = [p for p in problems if p.severity == "error" and p.code not in PASSING]
    if blocking:
        raise unfinished(flow, blocking)
    if not graph.nodes:
        raise Invalid("flow_empty", f"Flow {flow.name} has no nodes yet. Add one, then run it.")
    return Start(flow, snapshot, graph)


def unfinished(flow: Flow, problems: list[Problem]) -> Invalid:
    """Return the refusal that lists what keeps a flow from running."""
    return Invalid(
        "flow_has_problems",
        f"Flow {flow.name} can't run yet: {problems[0].message}{and_more(problems)}",
        problems=[problem.to_json() for problem in problems],
    )
