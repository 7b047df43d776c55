"""A second flow like one that is there."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.flows import service
from app.flows.models import Flow
from app.flows.service import FlowView

WORD = " copy"
MAX_NAME = 200


def duplicate_flow(session: Session, actor: Actor, flow_id: str) -> FlowView:
    """Make a draft with the drawing, the settings and the description of another flow's draft.

    Secrets stay what they are in a drawing, names. Versions, runs and triggers' addresses are the
    other flow's own.

    :raises Denied: the actor lacks ``flows:manage``.
    :raises NotFound: no such flow in the environment.
    """
    found = service.get_flow(session, actor, flow_id)
    return service.create_flow(
        session,
        actor,
        name=_free_name(session, actor, found.name),
        description=found.description,
        graph=found.graph,
        settings=found.settings,
    )


def _free_name(session: Session, actor: Actor, name: str) -> str:
    """Return "Report copy", or "Report copy 2" where there is one already."""
    stem = name[: MAX_NAME - len(WORD) - 5] + WORD
    taken = set(
        session.scalars(
            select(Flow.name).where(
                Flow.environment_id == actor.environment_id,
                Flow.deleted_at.is_(None),
                Flow.name.startswith(stem, autoescape=True),
            )
        )
    )
    number = 1
    while (free := stem if number == 1 else f"{stem} {number}") in taken:
        number += 1
    return free
