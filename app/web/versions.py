"""A flow's versions: activate the draft with a note, compare, restore, export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import flash, render_template, request, url_for
from werkzeug.wrappers import Response

from app.accounts.scopes import Scope
from app.errors import Conflict, Invalid, NotFound
from app.flows import activation, history, service
from app.flows.diff import Difference
from app.flows.exporting import export_flows
from app.web.drawing import Drawing, draw
from app.web.findings import Panel, panels
from app.web.hx import go
from app.web.pages import pages
from app.web.stale import revision_of
from app.web.work import work


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions beside each other."""

    before: str
    after: str
    difference: Difference
    drawings: tuple[Drawing, Drawing]


@pages.get("/flows/<flow_id>/versions")
def flow_versions(flow_id: str) -> str:
    """List what was active, compare two versions, offer to activate the draft."""
    return _page(flow_id)


@pages.post("/flows/<flow_id>/versions")
def activate_version(flow_id: str) -> Response | tuple[str, int]:
    """Activate the draft with a note; what keeps it from it is shown all at once."""
    try:
        with work() as (session, actor):
            made = activation.activate_flow(
                session, actor, flow_id, note=request.form.get("note", ""),
                if_match=revision_of(request.form.get("revision")),
            )
    except (Invalid, Conflict) as error:
        return _page(flow_id, error), error.status
    flash(f"v{made.number} is active. Its secrets are bound by id.")
    return go(url_for("pages.flow_versions", flow_id=flow_id))


@pages.post("/flows/<flow_id>/versions/<name>/restore")
def restore_version(flow_id: str, name: str) -> Response:
    """Make a version the draft again."""
    try:
        with work() as (session, actor):
            history.restore(
                session, actor, flow_id, name,
                if_match=revision_of(request.form.get("revision")),
            )
    except (Conflict, Invalid) as error:
        flash(error.detail, "error")
    else:
        flash("The draft is what that version was. The draft before is kept below.")
    return go(url_for("pages.flow_versions", flow_id=flow_id))


@pages.get("/flows/<flow_id>/export")
def export_flow(flow_id: str) -> Response:
    """Download a flow as a bundle."""
    version: int | str | None = request.args.get("version") or None
    if isinstance(version, str) and version.isascii() and version.isdecimal():
        version = int(version[:9])
    try:
        with work() as (session, actor):
            made = export_flows(session, actor, [flow_id], version=version)
    except (Invalid, Conflict) as error:
        flash(error.detail, "error")
        return go(url_for("pages.flow_versions", flow_id=flow_id))
    response = Response(made.text, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{made.filename}"'
    return response


def _page(flow_id: str, error: Invalid | Conflict | None = None) -> str:
    with work(read=True) as (session, actor):
        flow = service.get_flow(session, actor, flow_id)
        versions = activation.list_flow_versions(session, actor, flow_id)
        kept = history.list_kept_drafts(session, actor, flow_id)
        comparison = _compare(session, actor, flow_id, [one.number for one in versions])
        can_create = actor.may(Scope.SECRETS_MANAGE)
    labels = {node["id"]: node.get("label") or node["component"] for node in flow.graph["nodes"]}
    blocking: list[Any] = list(error.problems) if error is not None else [
        one for one in flow.problems if one.severity == "error"
    ]
    shown: list[Panel] = panels(blocking, flow_id=flow.id, labels=labels, can_create=can_create)
    return render_template(
        "flows/versions.html", flow=flow, versions=versions, kept=kept, comparison=comparison,
        problems=shown, refused=error, note=request.form.get("note", ""),
    )


def _compare(session: Any, actor: Any, flow_id: str, numbers: list[int]) -> Comparison | None:
    newest = str(numbers[0]) if numbers else ""
    before, after = request.args.get("before") or newest, request.args.get("after") or "draft"
    if not before:
        return None
    try:
        old, new, difference = history.compare(session, actor, flow_id, before, after)
    except NotFound as error:
        flash(f"{error.detail} Choose one of those listed here.", "error")
        if not newest:
            return None
        before, after = newest, "draft"
        old, new, difference = history.compare(session, actor, flow_id, before, after)
    drawings = (draw(old.graph, difference, old=True), draw(new.graph, difference, old=False))
    return Comparison(before, after, difference, drawings)
