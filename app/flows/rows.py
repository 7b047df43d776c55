"""Finding a flow's row for a service, and the checks that every change shares."""

from __future__ import annotations

import hashlib
import json
import logging
from functools import lru_cache
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.errors import Invalid, NotFound, Stale
from app.flows.graph import Graph, canonical, parse_graph
from app.flows.models import Flow, FlowVersion
from app.flows.settings import FlowSettings, read_settings
from app.ids import is_id
from app.keys.sealed import Tampered

_REMEMBERED: Final = 256 * 1024
"""Characters of a version that is remembered; sixteen of them take a few megabytes."""
_log = logging.getLogger("tacit.flows")


def get_row(session: Session, actor: Actor, flow_id: str, *, for_update: bool = False) -> Flow:
    """Return a flow of the actor's environment.

    :raises NotFound: there is none; what another environment holds answers the same.
    """
    query = select(Flow).where(
        Flow.id == flow_id, Flow.environment_id == actor.environment_id,
        Flow.deleted_at.is_(None),
    )
    if for_update:
        query = query.with_for_update()
    flow = session.scalar(query) if is_id(flow_id) else None
    if flow is None:
        raise NotFound("flow_not_found", "There is no such flow in this environment.")
    return flow


def check_revision(flow: Flow, if_match: int | None) -> None:
    """Refuse a change that was decided on an older revision.

    :raises Stale: ``flow_changed``, saying what changed and by whom.
    """
    if if_match is not None and if_match != flow.revision:
        between = flow.revision - if_match
        last = f"of {between} changes the last was that " if between > 1 else ""
        what = f"{last}{flow.last_change}. It" if flow.last_change else "it"
        raise Stale(
            "flow_changed",
            f"Flow {flow.name} was changed by {flow.updated_by} since you read it: {what} is at "
            f"revision {flow.revision}, you had {if_match}. Read it again, then decide.",
        )


def read_version(version: FlowVersion) -> tuple[Graph, FlowSettings]:
    """Return what a version holds, compared with its sealed hash.

    :raises Tampered: it was changed outside Tacit.
    """
    try:
        # Its keys in their own order: of headers, say, that is the order in which they are sent.
        stored = json.dumps([version.graph, version.settings], ensure_ascii=False)
        read = _read_sound if len(stored) <= _REMEMBERED else _read_sound.__wrapped__
        return read(stored, version.content_hash)
    except (Invalid, ValueError):
        _log.error("row_tampered", extra={"table": "flow_versions", "row": version.id})
        raise Tampered("flow_versions") from None


@lru_cache(16)
def _read_sound(stored: str, expected: str) -> tuple[Graph, FlowSettings]:
    """Read what a version holds. Remembered by all of its text, which was compared with its hash:
    a flow runs often, and to read it again is most of what a long one's claim takes.

    :raises ValueError: it isn't what the hash says.
    """
    document, kept = json.loads(stored)
    graph, settings = parse_graph(document), read_settings(kept)
    if content_hash(graph, settings) != expected:
        raise ValueError("another hash")
    return graph, settings


def content_hash(graph: Graph, settings: FlowSettings) -> str:
    """Return the SHA-256 of the canonical graph and the settings, in hex.

    Default settings leave the graph's own hash: no graph has the frame of the two together.
    """
    stored = settings.to_json()
    document = graph.to_document()
    text = canonical({"graph": document, "settings": stored} if stored else document)
    return hashlib.sha256(text.encode()).hexdigest()
