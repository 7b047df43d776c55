"""Export: flows of an environment as a bundle, without anything that belongs to the place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action
from app.components.registry import registry
from app.errors import Conflict, Invalid, NotFound
from app.flows.bundles import MAX_BYTES, MAX_FLOWS, BundledFlow, write_bundle
from app.flows.credential_marks import credential_problems
from app.flows.graph import canonical, parse_graph
from app.flows.models import Flow, FlowVersion
from app.flows.rows import get_row
from app.flows.settings import read_settings


@dataclass(frozen=True, slots=True)
class Exported:
    """A bundle as it leaves.

    :ivar text: canonical JSON, without a line's end; the same for the same versions.
    :ivar filename: a name for the file, of plain characters.
    """

    text: str
    digest: str
    filename: str


def export_flows(
    session: Session, actor: Actor, flow_ids: Sequence[str], *, version: int | str | None = None
) -> Exported:
    """Write flows into a bundle.

    :param version: ``draft``, ``active``, a number (of one flow), or None: of each flow the
        active version, else the draft.
    :raises Denied: the actor lacks ``flows:read``.
    :raises NotFound: one isn't in this environment, or has no such version.
    :raises Invalid: no flow or too many are named, or a number is asked of several.
        ``bundle_holds_credentials``: some stand in ordinary fields, and nobody marked them as
        none.
    :raises Conflict: ``bundle_name_twice``: two of them have one name.
    """
    actor.require(Scope.FLOWS_READ)
    wanted = list(dict.fromkeys(flow_ids))
    if not 0 < len(wanted) <= MAX_FLOWS:
        raise Invalid("bundle_flows_invalid", f"Name 1 to {MAX_FLOWS} flows to export.",
                      field="flow")
    if isinstance(version, int) and len(wanted) > 1:
        raise Invalid("version_invalid", "A version's number is of one flow. Of several, take "
                      "“active” or “draft”.", field="version")
    rows = [get_row(session, actor, flow_id) for flow_id in wanted]
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        raise Conflict("bundle_name_twice", "Two of these flows have the same name, and a bundle "
                       "tells them apart by it. Rename one, or export them one by one.")
    found = [_content(session, row, version) for row in rows]
    _refuse_credentials(session, actor, rows, [flow for flow, _ in found])
    document = write_bundle([flow for flow, _ in found], registry())
    text = canonical(document)
    if len(text.encode()) > MAX_BYTES:
        raise Invalid("bundle_too_large", f"Together these flows are over "
                      f"{MAX_BYTES // 1024 // 1024} MiB. Export fewer at a time.", field="flow")
    for row, (_, number) in zip(rows, found, strict=True):
        audit.record(
            session, actor=actor.who(), action=Action.FLOW_EXPORT, flow_id=row.id,
            target=row.name, data={"version": number, "digest": document["digest"]},
        )
    return Exported(text, document["digest"], _filename(names))


def _refuse_credentials(
    session: Session, actor: Actor, rows: Sequence[Flow], flows: Sequence[BundledFlow]
) -> None:
    """Refuse to let a credential out that was typed into an ordinary field."""
    problems = [
        {**problem.to_json(), "flow": row.name}
        for row, flow in zip(rows, flows, strict=True)
        for problem in credential_problems(session, actor, flow.graph, row)
    ]
    if problems:
        raise Invalid(
            "bundle_holds_credentials", f"A bundle never holds a credential. "
            f"{problems[0]['message']}", field="flow", problems=problems,
        )


def _content(
    session: Session, flow: Flow, version: int | str | None
) -> tuple[BundledFlow, int | None]:
    number = flow.active_version if version in (None, "active") else version
    if version == "draft" or (version is None and number is None):
        kept: Flow | FlowVersion = flow
        number = None
    else:
        query = select(FlowVersion).where(
            FlowVersion.flow_id == flow.id, FlowVersion.number == number
        )
        row = session.scalar(query) if number is not None else None
        if row is None:
            which = "active version" if number is None else f"version {number}"
            raise NotFound(
                "flow_version_not_found",
                f"Flow {flow.name} has no {which}. Activate it first, or export its draft.",
            )
        kept = row
    bundled = BundledFlow(
        flow.name, flow.description, parse_graph(kept.graph), read_settings(kept.settings)
    )
    return bundled, number if isinstance(number, int) else None


def _filename(names: Sequence[str]) -> str:
    base = names[0] if len(names) == 1 else f"{len(names)}-flows"
    plain = "".join(one if one.isascii() and one.isalnum() else "-" for one in base.lower())
    return f"{'-'.join(filter(None, plain.split('-')))[:80] or 'flow'}.tacit.json"
