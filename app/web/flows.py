"""Flows: list, create, delete, and the canvas."""

from __future__ import annotations

from flask import flash, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import Conflict, Invalid
from app.flows import activation, copying, service
from app.web.forms import errors_of
from app.web.hx import go, render
from app.web.pages import pages
from app.web.stale import revision_of
from app.web.work import work

_PAGE = 50


@pages.get("/flows")
def flows() -> str:
    """List the flows, found by name."""
    return _list()


@pages.post("/flows")
def create_flow() -> Response | tuple[str, int]:
    """Make an empty flow and open its canvas."""
    form = request.form
    try:
        with work() as (session, actor):
            flow = service.create_flow(
                session, actor, name=form.get("name", ""), description=form.get("description", "")
            )
    except (Invalid, Conflict) as error:
        return _list(errors=errors_of(error, "name", "description"), form=form), error.status
    return go(url_for("pages.flow", flow_id=flow.id))


@pages.get("/flows/<flow_id>")
def flow(flow_id: str) -> str:
    """Show the canvas of a flow."""
    with work(read=True) as (session, actor):
        found = service.get_flow(session, actor, flow_id)
    return render_template("flows/canvas.html", flow=found)


@pages.post("/flows/<flow_id>/duplicate")
def duplicate_flow(flow_id: str) -> Response:
    """Make a draft like a flow's and open its canvas."""
    with work() as (session, actor):
        made = copying.duplicate_flow(session, actor, flow_id)
    return go(url_for("pages.flow", flow_id=made.id))


@pages.post("/flows/<flow_id>/delete")
def delete_flow(flow_id: str) -> Response:
    """Delete a flow; its runs keep their logs."""
    with work() as (session, actor):
        name = service.get_flow(session, actor, flow_id).name
        service.delete_flow(session, actor, flow_id)
    flash(f"Deleted {name}.")
    return go(url_for("pages.flows"))


@pages.post("/flows/<flow_id>/activate")
def activate_flow(flow_id: str) -> Response:
    """Make the draft, as the list showed it, the active version."""
    try:
        with work() as (session, actor):
            version = activation.activate_flow(
                session, actor, flow_id, if_match=revision_of(request.form.get("revision"))
            )
            name = service.get_flow(session, actor, flow_id).name
    except (Invalid, Conflict) as error:
        flash(error.detail, "error")
    else:
        flash(f"{name}: v{version.number} is active. Its secrets are bound by id.")
    return go(url_for("pages.flows"))


@pages.post("/flows/<flow_id>/deactivate")
def deactivate_flow(flow_id: str) -> Response:
    """Take the active version out of use; the draft stays."""
    try:
        with work() as (session, actor):
            activation.deactivate_flow(
                session, actor, flow_id, if_match=revision_of(request.form.get("revision"))
            )
            name = service.get_flow(session, actor, flow_id).name
    except Conflict as error:
        flash(error.detail, "error")
    else:
        flash(f"{name} is no longer active. Its draft stays.")
    return go(url_for("pages.flows"))


def _list(errors: object = None, form: object = None) -> str:
    q, cursor = request.args.get("q") or None, request.args.get("cursor")
    with work(read=True) as (session, actor):
        page = service.list_flows(session, actor, q=q, cursor=cursor, limit=_PAGE)
    return render(
        "flows/list.html",
        "flows/_list.html",
        flows=page.items,
        q=q,
        cursor=cursor,
        first_href=url_for("pages.flows", q=q) if cursor else None,
        next_href=url_for("pages.flows", q=q, cursor=page.next_cursor)
        if page.next_cursor
        else None,
        errors=errors or {},
        form=form or {},
    )
