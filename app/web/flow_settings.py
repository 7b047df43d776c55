"""A flow's page of triggers and settings: when it starts by itself, and how its runs go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, render_template, request, url_for
from werkzeug.wrappers import Response

from app.errors import Conflict, Invalid
from app.flows import service, triggers
from app.flows.settings import FlowSettings, read_settings
from app.http.services import services
from app.web.forms import Errors, FieldError
from app.web.hx import go
from app.web.pages import pages
from app.web.stale import revision_of
from app.web.work import work

_FIELDS: Mapping[str, str] = {
    "settings.concurrency.limit": "limit",
    "settings.concurrency.policy": "policy",
    "settings.timeout_seconds": "timeout_seconds",
    "settings.on_prevented_leak": "on_prevented_leak",
    "settings.on_worker_lost": "on_worker_lost",
    "settings.notify_on_failure.webhook_url": "webhook_url",
    "settings.notify_on_failure.email": "email",
}


@pages.get("/flows/<flow_id>/settings")
def flow_settings(flow_id: str) -> str:
    """Show what starts a flow, and its settings."""
    return _page(flow_id)


@pages.post("/flows/<flow_id>/settings")
def save_flow_settings(flow_id: str) -> Response | tuple[str, int]:
    """Save the draft's settings."""
    form = request.form
    try:
        settings = read_settings(_document(form))
        with work() as (session, actor):
            flow = service.get_flow(session, actor, flow_id)
            service.save_flow(
                session, actor, flow_id, graph=flow.graph, settings=settings,
                if_match=revision_of(form.get("revision")),
            )
    except (Invalid, Conflict) as error:
        found = {
            _FIELDS.get(str(problem.get("field")), ""): FieldError(
                str(problem["message"]).partition(": ")[2] or str(problem["message"]),
                str(problem["code"]),
            )
            for problem in error.problems
        } or {"": FieldError(error.detail, error.code)}
        return _page(flow_id, errors=found, form=form), error.status
    flash("Settings saved. An active version keeps its own until you activate the draft.")
    return go(url_for("pages.flow_settings", flow_id=flow_id))


def _document(form: Mapping[str, str]) -> dict[str, Any]:
    def text(name: str) -> str | None:
        return form.get(name, "").strip() or None

    def number(name: str) -> Any:
        typed = text(name)
        return int(typed) if typed is not None and typed.isascii() and typed.isdigit() else typed

    document: dict[str, Any] = {
        "concurrency": {"limit": number("limit"), "policy": form.get("policy", "queue")},
        "on_prevented_leak": form.get("on_prevented_leak", "mask"),
        "on_worker_lost": form.get("on_worker_lost", "fail"),
        "notify_on_failure": {"webhook_url": text("webhook_url"), "email": text("email")},
    }
    if text("timeout_seconds") is not None:
        document["timeout_seconds"] = number("timeout_seconds")
    return document


def _values(settings: FlowSettings) -> dict[str, Any]:
    rule, told = settings.concurrency, settings.notify_on_failure
    return {
        "limit": rule.limit or "", "policy": rule.policy,
        "timeout_seconds": settings.timeout_seconds,
        "on_prevented_leak": settings.on_prevented_leak,
        "on_worker_lost": settings.on_worker_lost,
        "webhook_url": told.webhook_url or "", "email": told.email or "",
    }


def _page(
    flow_id: str, *, errors: Errors | None = None, form: Mapping[str, str] | None = None
) -> str:
    with work(read=True) as (session, actor):
        flow = service.get_flow(session, actor, flow_id)
        found = triggers.list_triggers(session, actor, flow_id)
    return render_template(
        "flows/settings.html", flow=flow, triggers=found, errors=errors or {},
        values=form or _values(flow.settings), origin=services().config.public_url,
    )
