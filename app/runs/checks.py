"""The pre-run check: which secrets a run would use, and what keeps it from them.

One code path for a claim and for the check on demand, so that both say the same words.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.components.problems import Problem
from app.errors import Invalid
from app.flows.graph import parse_graph
from app.flows.service import problems_of, version_to_check
from app.flows.validation import (
    SecretReference,
    fetched_references,
    secret_problem,
    status_of,
)
from app.vault.lookup import Resolved, closest_name, resolve

#: What the pre-run check decides: such a run is accepted and ends ``rejected``.
UNRESOLVED = frozenset({
    "secret_missing", "secret_denied", "secret_disabled", "secret_verify_only", "pin_missing",
})


class Checked(NamedTuple):
    """What each node's secret stands for, and one problem for each that can't be used."""

    found: Mapping[str, Resolved]
    problems: list[Problem]


def check_secrets(
    session: Session,
    environment_id: str,
    flow_id: str,
    references: list[SecretReference],
    bindings: Mapping[str, str] | None,
    scopes: Collection[Scope],
    *,
    lock: bool = False,
) -> Checked:
    """Resolve each node's secret: by name in a draft, and only to the bound id once activated.

    :param scopes: of the person that the run acts for, at this moment.
    :param lock: hold the rows against a change until the transaction's end.
    """
    if not references:
        return Checked({}, [])
    wanted = [(reference.name, reference.version) for reference in references]
    named = resolve(session, environment_id, wanted, flow_id=flow_id, lock=lock)
    # Other names are suggested only to who may list them.
    closest = closest_name(session, environment_id) if Scope.SECRETS_READ in scopes else None
    found: dict[str, Resolved] = {}
    problems = []
    for reference in references:
        resolved = named[reference.name, reference.version]
        bound = bindings.get(reference.node) if bindings is not None else None
        if bindings is not None and (resolved.secret is None or resolved.secret.id != bound):
            # Deleted and made anew under the same name: it has to be re-mapped.
            resolved = Resolved("missing")
        found[reference.node] = resolved
        status = status_of(reference, resolved.status)
        if status == "found" and not may_use(scopes):
            status = "denied"
        problem = secret_problem(status, reference, closest)
        if problem is not None:
            problems.append(problem)
    return Checked(found, problems)


def may_use(scopes: Collection[Scope]) -> bool:
    """Say whether somebody with these scopes may let a run use secrets."""
    return Scope.RUNS_MANAGE in scopes and (
        Scope.SECRETS_USE in scopes or Scope.SECRETS_MANAGE in scopes
    )


def check_flow(
    session: Session, actor: Actor, flow_id: str, version: int | str | None = None
) -> list[Problem]:
    """Return what would keep a run of the flow, started by the actor now, from running.

    The first problem of each node; warnings are left to the canvas. Makes no run.

    :param version: ``draft``, ``active``, a number, or None: the active one, else the draft.
    :raises Denied: the actor lacks ``runs:manage``.
    :raises NotFound: there is no such flow or version here.
    """
    actor.require(Scope.RUNS_MANAGE)
    flow, document, bindings = version_to_check(session, actor, flow_id, version)
    try:
        graph = parse_graph(document)
    except Invalid as error:
        return [Problem(error.code, "error", error.detail)]
    if not graph.nodes:
        return [Problem("flow_empty", "error", f"Flow {flow.name} has no nodes yet. Add one.")]
    unfinished = [
        problem
        for problem in problems_of(session, actor, graph, flow.id)
        if problem.severity == "error" and problem.code not in UNRESOLVED
    ]
    checked = check_secrets(
        session, flow.environment_id, flow.id, fetched_references(graph), bindings, actor.scopes
    )
    first: dict[str | None, Problem] = {}
    for problem in [*unfinished, *checked.problems]:
        first.setdefault(problem.node, problem)
    order = {node.id: number for number, node in enumerate(graph.nodes)}
    return sorted(first.values(), key=lambda problem: order.get(problem.node or "", -1))
