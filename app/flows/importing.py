"""Import: a bundle's flows into an environment. Plans all of it first, guesses nothing.

Blocked, it writes nothing; what is merely missing here doesn't block it, since what it writes
are drafts, and a draft with missing secrets can't be activated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.models import Environment
from app.accounts.scopes import Scope
from app.audit import Action
from app.components.problems import Problem, and_more
from app.components.registry import registry
from app.errors import Invalid
from app.flows import service
from app.flows.activation import find_unbounded
from app.flows.bundle_reading import Finding, read_bundle
from app.flows.bundles import Bundle, BundledFlow, map_secrets, references_of, use_of
from app.flows.credential_marks import credential_problems
from app.flows.graph import Graph
from app.flows.history import keep_draft
from app.flows.models import Flow
from app.flows.settings import FlowSettings, read_settings
from app.flows.validation import SecretReference, SecretStatus, find_problems, status_of
from app.vault.lookup import closest_name, resolve
from app.vault.policy import check_name

OnConflict = Literal["replace", "new"]
_WORST_FIRST: tuple[SecretStatus, ...] = (
    "missing", "denied", "disabled", "pin_missing", "found",
)


@dataclass(frozen=True, slots=True)
class SecretPlan:
    """What a secret's name in the bundle stands for here.

    :ivar target: the name that is looked up here: the mapped one, or the same.
    :ivar closest: a name like it that exists here, for who may list names.
    """

    name: str
    target: str
    status: SecretStatus
    uses: tuple[dict[str, Any], ...]
    closest: str | None = None


@dataclass(frozen=True, slots=True)
class FlowPlan:
    """What becomes of a flow of the bundle.

    :ivar id: None for one that doesn't exist here yet.
    """

    id: str | None
    name: str
    action: Literal["create", "replace", "keep"]
    nodes: int


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Everything about an import, at once.

    :ivar blocked: nothing can be written; ``problems`` says why.
    :ivar problems: as the API writes them, with ``flow`` and ``blocks`` (``import``,
        ``activation``, or None for a warning).
    :ivar mappings: what was mapped, to be used again.
    """

    applied: bool
    blocked: bool
    secrets: tuple[SecretPlan, ...] = ()
    problems: tuple[Finding, ...] = ()
    flows: tuple[FlowPlan, ...] = ()
    mappings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether nothing blocks it or what it makes, and every secret was found."""
        return all(one.status == "found" for one in self.secrets) and not any(
            one["blocks"] for one in self.problems
        )


@dataclass(slots=True)
class _Target:
    """A flow of the bundle with its place here."""

    flow: BundledFlow
    row: Flow | None
    name: str
    settings: FlowSettings

    @property
    def action(self) -> Literal["create", "replace", "keep"]:
        if self.row is None:
            return "create"
        same = (
            self.row.graph == self.flow.graph.to_document()
            and self.row.description == self.flow.description
            and self.row.settings == self.settings.to_json()
        )
        return "keep" if same else "replace"


def import_flows(
    session: Session,
    actor: Actor,
    document: object,
    *,
    mappings: Mapping[str, str] | None = None,
    on_conflict: OnConflict = "replace",
    dry_run: bool = False,
) -> ImportReport:
    """Plan an import and, unless it is a dry run, write it; the caller's transaction is one.

    :param mappings: names of secrets in the bundle, and what they are called here.
    :param on_conflict: what becomes of a flow with the same name: its draft is replaced, and the
        one before kept among its versions; or a new flow is made beside it.
    :raises Denied: the actor lacks ``flows:manage``.
    :raises Invalid: ``bundle_blocked``, with everything that blocks it; a dry run reports it.
    """
    actor.require(Scope.FLOWS_MANAGE)
    names = dict(mappings or {})
    bundle, findings = read_bundle(document, registry())
    problems = [{**one, "blocks": "import"} for one in findings]
    problems += _check_mappings(names)
    if bundle is None:
        return _blocked(problems, names, dry_run)
    # Two imports at once would each make the flow that the other one is about to make.
    session.execute(
        select(Environment.id).where(Environment.id == actor.environment_id).with_for_update()
    )
    targets, clashes = _place(session, actor, bundle, names, on_conflict)
    problems += clashes
    secrets, unfinished = _look_up(session, actor, bundle, targets, names)
    blocked = any(one["blocks"] == "import" for one in problems)
    if blocked and not dry_run:
        return _blocked(problems, names, dry_run)
    plans = [
        FlowPlan(one.row.id if one.row else None, one.name, one.action, len(one.flow.graph.nodes))
        for one in targets
    ]
    if not dry_run:
        plans = [_write(session, actor, one, plan) for one, plan in zip(targets, plans,
                                                                        strict=True)]
        audit.record(
            session, actor=actor.who(), action=Action.FLOW_IMPORT,
            target=", ".join(plan.name for plan in plans)[:200],
            data={"digest": bundle.digest, "flows": [plan.id for plan in plans],
                  "mapped": len(names)},
        )
    used = _unused(names, bundle)
    return ImportReport(
        applied=not dry_run, blocked=blocked, secrets=tuple(secrets),
        problems=tuple(problems + unfinished + used), flows=tuple(plans),
        mappings={"secrets": names},
    )


def _blocked(problems: list[Finding], names: dict[str, str], dry_run: bool) -> ImportReport:
    if not dry_run:
        first = str(problems[0]["message"])
        raise Invalid(
            "bundle_blocked",
            f"The bundle can't be imported; nothing was written. {first}{and_more(problems)}",
            field="bundle", problems=problems,
        )
    return ImportReport(False, True, problems=tuple(problems), mappings={"secrets": names})


def _finding(code: str, message: str, blocks: str | None, **where: Any) -> Finding:
    return {
        "code": code, "severity": "error" if blocks else "warning", "node": None, "port": None,
        "field": None, "edge": None, "message": message, "remedy": None, "flow": None,
        "blocks": blocks, **where,
    }


def _check_mappings(names: Mapping[str, str]) -> list[Finding]:
    found = []
    for name, target in sorted(names.items()):
        try:
            check_name(target)
        except Invalid as error:
            found.append(_finding("mapping_invalid", f"{name[:128]} is mapped to what can't be a "
                                  f"name here. {error.detail}", "import", field="mappings"))
    return found[:20]


def _unused(names: Mapping[str, str], bundle: Bundle) -> list[Finding]:
    known = {one.name for flow in bundle.flows for one in references_of(flow.graph)}
    return [
        _finding("mapping_unused", f"{name[:128]} is mapped, and the bundle doesn't name it.",
                 None, field="mappings")
        for name in sorted(names.keys() - known)[:20]
    ]


def _place(
    session: Session, actor: Actor, bundle: Bundle, names: Mapping[str, str],
    on_conflict: OnConflict,
) -> tuple[list[_Target], list[Finding]]:
    """Find the flows that have these names here."""
    rows: dict[str, list[Flow]] = {}
    query = select(Flow).where(
        Flow.environment_id == actor.environment_id, Flow.deleted_at.is_(None),
        Flow.name.in_({flow.name for flow in bundle.flows}),
    )
    for row in session.scalars(query.order_by(Flow.id).with_for_update()):
        rows.setdefault(row.name, []).append(row)
    targets: list[_Target] = []
    clashes: list[Finding] = []
    for flow in bundle.flows:
        mapped = BundledFlow(
            flow.name, flow.description, map_secrets(flow.graph, names), flow.settings
        )
        here = rows.get(flow.name, [])
        if on_conflict == "new":
            name = _free_name(session, actor, flow.name) if here else flow.name
            targets.append(_Target(mapped, None, name, flow.settings))
            continue
        if len(here) > 1:
            clashes.append(_finding(
                "flow_name_ambiguous", f"{len(here)} flows here are called {flow.name}, so it "
                "can't be told which one to replace. Rename all but one, or import as new.",
                "import", flow=flow.name, field="name",
            ))
        found = here[0] if len(here) == 1 else None
        settings = flow.settings
        if found is not None:
            kept = read_settings(found.settings).notify_on_failure
            settings = settings.model_copy(update={"notify_on_failure": kept})
        targets.append(_Target(mapped, found, flow.name, settings))
    return targets, clashes


def _free_name(session: Session, actor: Actor, name: str) -> str:
    number = 2
    while True:
        suffix = f" ({number})"
        wanted = name[: service.MAX_NAME - len(suffix)] + suffix
        query = select(Flow.id).where(
            Flow.environment_id == actor.environment_id, Flow.deleted_at.is_(None),
            Flow.name == wanted,
        )
        if session.scalar(query.limit(1)) is None:
            return wanted
        number += 1


def _look_up(
    session: Session, actor: Actor, bundle: Bundle, targets: Sequence[_Target],
    names: Mapping[str, str],
) -> tuple[list[SecretPlan], list[Finding]]:
    """Say what every name stands for here, and what will keep the drafts from activation."""
    may_read = actor.may(Scope.SECRETS_READ)
    closest = closest_name(session, actor.environment_id) if may_read else None
    statuses: dict[str, list[SecretStatus]] = {}
    uses: dict[str, list[dict[str, Any]]] = {}
    problems: list[Finding] = []
    for original, target in zip(bundle.flows, targets, strict=True):
        references = references_of(target.flow.graph)
        flow_id = target.row.id if target.row else None
        found = _resolve(session, actor, references, flow_id)
        signing = {one.name for one in references if one.purpose == "verify"}
        for before, after in zip(references_of(original.graph), references, strict=True):
            status = status_of(after, found[after.name, after.version], signing)
            # What only webhooks may name is not for this node.
            shown: SecretStatus = "denied" if status == "verify_only" else status
            statuses.setdefault(before.name, []).append(shown)
            uses.setdefault(before.name, []).append(use_of(original.name, before))
        later = _unfinished(target.flow.graph, found, closest)
        later += credential_problems(session, actor, target.flow.graph, target.row)
        later += find_unbounded(session, actor, flow_id, references) if may_read else []
        problems += [
            {**one.to_json(), "flow": original.name,
             "blocks": "activation" if one.severity == "error" else None}
            for one in later
        ]
    plans = []
    for name in sorted(statuses):
        status = min(statuses[name], key=_WORST_FIRST.index)
        target_name = names.get(name, name)
        near = closest(target_name) if closest is not None and status == "missing" else None
        plans.append(SecretPlan(name, target_name, status, tuple(uses[name]), near))
    return plans, problems


def _resolve(
    session: Session, actor: Actor, references: Sequence[SecretReference], flow_id: str | None
) -> dict[tuple[str, int | None], SecretStatus]:
    """Look names up; whoever may not read secrets' names learns of none of them."""
    wanted = {(one.name, one.version) for one in references}
    if not wanted or not actor.may(Scope.SECRETS_READ):
        return dict.fromkeys(wanted, "missing")
    may_use = actor.may(Scope.SECRETS_USE) or actor.may(Scope.SECRETS_MANAGE)
    found = resolve(session, actor.environment_id, wanted, flow_id=flow_id)
    return {
        key: "denied" if one.status == "found" and not may_use else one.status
        for key, one in found.items()
    }


def _unfinished(
    graph: Graph, found: Mapping[tuple[str, int | None], SecretStatus], closest: Any
) -> list[Problem]:
    return find_problems(graph, registry(), lambda name, version: found[name, version], closest)


def _write(session: Session, actor: Actor, target: _Target, plan: FlowPlan) -> FlowPlan:
    flow, graph = target.flow, target.flow.graph.to_document()
    if target.row is None:
        made = service.create_flow(
            session, actor, name=target.name, description=flow.description, graph=graph,
            settings=target.settings,
        )
        return FlowPlan(made.id, made.name, plan.action, plan.nodes)
    if plan.action == "replace":
        keep_draft(session, actor, target.row, "an import replaced it")
        service.save_flow(
            session, actor, target.row.id, graph=graph, description=flow.description,
            settings=target.settings,
        )
    return plan
