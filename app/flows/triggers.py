"""Triggers of active versions: bound when a flow is activated, let go when it is deactivated."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.components.builtins.trigger_schedule import ScheduleTrigger, ScheduleTriggerConfig
from app.components.builtins.trigger_webhook import WebhookTrigger, WebhookTriggerConfig
from app.components.cron import times_after
from app.components.problems import Problem, Remedy
from app.flows.graph import Graph, Node
from app.flows.models import Flow, FlowVersion, Trigger
from app.flows.rows import get_row, read_version
from app.flows.validation import secret_references
from app.ids import utcnow
from app.vault.lookup import resolve
from app.vault.signing import fetching_flows, set_verify_only

KINDS: Final[Mapping[str, str]] = {ScheduleTrigger.name: "schedule", WebhookTrigger.name: "webhook"}
SHOWN: Final = 5
"""How many of a schedule's next times are shown."""


@dataclass(frozen=True, slots=True)
class TriggerView:
    """A trigger of a flow, as its page shows it.

    :ivar active: whether it starts runs now.
    :ivar path: of a webhook: the path of its address, below the web listener's.
    :ivar next_times: of a schedule: when it will start the next runs.
    """

    node: str
    label: str
    kind: str
    active: bool
    acts_for: str
    path: str | None
    cron: str | None
    timezone: str | None
    next_times: list[datetime]
    last_at: datetime | None
    problem: str | None


def bind_triggers(
    session: Session, actor: Actor, flow: Flow, version: FlowVersion, graph: Graph
) -> None:
    """Let the triggers of a version that was just made active start runs, for the actor.

    A webhook's secret is bound by id, as the version's others are. A webhook whose node stays
    keeps its address.
    """
    rows = _rows(session, flow, hold=True)
    held = {row.secret_id for row in rows.values()}
    bindings = version.bindings or {}
    wanted = {
        node.id: node for node in graph.nodes if node.component in KINDS and not node.disabled
    }
    for name, node in wanted.items():
        kind = KINDS[node.component]
        row = rows.get(name)
        if row is None:
            row = Trigger(environment_id=flow.environment_id, flow_id=flow.id, node=name, hook=None)
            session.add(row)
        row.kind, row.flow_version_id = kind, version.id
        row.user_id, row.token_id, row.acts_for = actor.user_id, actor.token_id, actor.name
        row.secret_id = bindings.get(name)
        row.next_at = row.problem = None
        if kind == "webhook":
            row.hook = row.hook or secrets.token_urlsafe(24)
        else:
            row.next_at = next_time(read_schedule(node), utcnow())
    for name, row in rows.items():
        if name not in wanted:
            _let_go(row)
    session.flush()
    present = _rows(session, flow, hold=True).values()
    _hold_secrets(session, held | {row.secret_id for row in present})


def unbind_triggers(session: Session, flow: Flow) -> None:
    """Stop a flow's triggers; their rows, and webhooks' addresses, stay."""
    rows = _rows(session, flow, hold=True).values()
    held = {row.secret_id for row in rows}
    for row in rows:
        _let_go(row)
    session.flush()
    _hold_secrets(session, held)


def signing_problems(
    session: Session, actor: Actor, flow: Flow, graph: Graph
) -> list[Problem]:
    """Return a problem for each webhook whose secret active flows fetch: it has to be its own."""
    signing = [one for one in secret_references(graph) if one.purpose == "verify"]
    found = resolve(
        session, actor.environment_id, [(one.name, one.version) for one in signing],
        flow_id=flow.id,
    ) if signing else {}
    problems = []
    for one in signing:
        secret = found[one.name, one.version].secret
        # This flow's own version is about to be replaced; its drawing was looked at already.
        users = fetching_flows(session, secret.id, but=flow.id) if secret is not None else []
        if users:
            problems.append(
                Problem(
                    "secret_fetched", "error",
                    f"Secret {one.name} is fetched by nodes of {', '.join(users[:5])}. A webhook's "
                    "signing secret never leaves the vault: choose one of its own for it.",
                    node=one.node, field="secretName",
                    remedy=Remedy("remap_secret", "Re-map", {"secret": one.name}),
                )
            )
    return problems


def list_triggers(session: Session, actor: Actor, flow_id: str) -> list[TriggerView]:
    """List a flow's triggers, active or not.

    :raises Denied: the actor lacks ``flows:read``.
    :raises NotFound: there is no such flow here.
    """
    actor.require(Scope.FLOWS_READ)
    flow = get_row(session, actor, flow_id)
    rows = sorted(_rows(session, flow, hold=False).values(), key=lambda row: row.id)
    return [_view(session, row) for row in rows if row.flow_version_id or row.hook]


def read_schedule(node: Node) -> ScheduleTriggerConfig:
    """Return the settings of a schedule of an active version, which were checked."""
    return ScheduleTriggerConfig.model_validate(dict(node.config))


def read_webhook(node: Node) -> WebhookTriggerConfig:
    """Return the settings of a webhook of an active version, which were checked."""
    return WebhookTriggerConfig.model_validate(dict(node.config))


def next_time(schedule: ScheduleTriggerConfig, after: datetime) -> datetime | None:
    """Return when a schedule is due next; None where it never is again."""
    return next(times_after(schedule.cron, schedule.timezone, after), None)


def _rows(session: Session, flow: Flow, *, hold: bool) -> dict[str, Trigger]:
    query = select(Trigger).where(Trigger.flow_id == flow.id)
    rows = session.scalars(query.with_for_update() if hold else query)
    return {row.node: row for row in rows}


def _let_go(row: Trigger) -> None:
    row.flow_version_id = row.secret_id = row.next_at = row.problem = None


def _hold_secrets(session: Session, secret_ids: set[str | None]) -> None:
    """Keep to the vault what webhooks of active flows check with, and let go of the rest."""
    known = {one for one in secret_ids if one is not None}
    if known:
        held = set(session.scalars(select(Trigger.secret_id).where(Trigger.secret_id.in_(known))))
        set_verify_only(session, known, {one for one in held if one is not None})


def _view(session: Session, row: Trigger) -> TriggerView:
    label, schedule = row.node, None
    if row.flow_version_id is not None:
        graph, _ = read_version(session.get_one(FlowVersion, row.flow_version_id))
        node = graph.by_id[row.node]
        label = node.label or node.id
        schedule = read_schedule(node) if row.kind == "schedule" else None
    times = times_after(schedule.cron, schedule.timezone, utcnow()) if schedule else iter(())
    return TriggerView(
        node=row.node, label=label, kind=row.kind, active=row.flow_version_id is not None,
        acts_for=row.acts_for, path=f"/hooks/{row.hook}" if row.hook else None,
        cron=schedule.cron if schedule else None,
        timezone=schedule.timezone if schedule else None,
        next_times=list(islice(times, SHOWN)), last_at=row.last_at, problem=row.problem,
    )
