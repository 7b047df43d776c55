"""The page of one secret: versions, use rules, where it is used, who was given it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from flask import Response, make_response, render_template, request, url_for
from sqlalchemy.orm import Session

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.audit import Action
from app.audit.reading import AuditFilter
from app.flows.names import map_flow_names
from app.vault import service
from app.vault.service import SecretView, Usage
from app.web.audit import audit_rows
from app.web.forms import Errors, FieldError
from app.web.hx import render, wants_partial
from app.web.pages import pages
from app.web.stale import StaleForm
from app.web.work import work

_TRAIL = 8
_LOOKED_AT = 60
_ELSEWHERE = frozenset(
    {Action.SECRET_READ, Action.SECRET_GRANT, Action.SECRET_USE, Action.WORKER_DENY}
)
"""What the trail leaves to the access timeline and the audit page, or nothing else is seen."""

_ACCESSES = 10
PAGE = "#secret-page"

Card = Literal["details", "rules"]


@dataclass(frozen=True, slots=True)
class UseRow:
    """A node that uses the secret.

    :param scope: whether the flow's draft or its active version has it.
    """

    flow_id: str
    flow_name: str
    node: str
    pin: int | None
    scope: str


@dataclass(frozen=True, slots=True)
class UsageView:
    """Where the secret is used, and what a rotation changes, in a sentence."""

    uses: list[UseRow]
    flows: dict[str, str]
    summary: str

    def pinning(self, number: int, scope: str) -> list[str]:
        """Name the flows whose draft or active version pins a version."""
        return sorted(
            {use.flow_name for use in self.uses if use.pin == number and use.scope == scope}
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """Who may use a secret and where it may go, with what that stops today.

    :ivar flows: names of the allowed flows by id; None allows any.
    :ivar stopped: names of flows by id that use it and may not.
    """

    hosts: Sequence[str] | None
    flows: Mapping[str, str] | None
    stopped: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Undo:
    """What a toast offers to take back, in one click."""

    message: str
    label: str
    action: str
    revision: int


@dataclass(frozen=True, slots=True)
class Moment:
    """What a request adds to the page: a form at fault, what came too late, what was done.

    :ivar editing: the card that shows its form.
    :ivar opened: id of the dialog that stands open.
    """

    editing: Card | None = None
    form: Any = None
    errors: Errors = field(default_factory=dict)
    delete_errors: Errors = field(default_factory=dict)
    stale: StaleForm | None = None
    refused: FieldError | None = None
    undo: Undo | None = None
    opened: str | None = None


@pages.get("/secrets/<secret_id>")
def secret(secret_id: str) -> str:
    """Show what is known of a secret but its value."""
    return show(secret_id)


@pages.get("/secrets/<secret_id>/accesses")
def secret_accesses(secret_id: str) -> str:
    """Page through who was given the value, or refused."""
    if not wants_partial():
        return show(secret_id)
    with work(read=True) as (session, actor):
        return render_template(
            "secrets/_accesses.html", **_accesses(session, actor, secret_id),
        )


def show(secret_id: str, moment: Moment | None = None) -> str:
    """Draw the page, or for htmx all of it but the frame."""
    with work() as (session, actor):
        context = page_context(session, actor, secret_id)
    return render(
        "secrets/secret.html", "secrets/_page.html", **context, **_of(moment or Moment())
    )


def show_whole(secret_id: str, moment: Moment, status: int = 200) -> Response:
    """Answer a form of one card with the whole page: more than the card has changed."""
    response = make_response(show(secret_id, moment), status)
    if wants_partial():
        response.headers["HX-Retarget"] = PAGE
        response.headers["HX-Reswap"] = "outerHTML"
    return response


def show_card(secret_id: str, card: Card, moment: Moment) -> str:
    """Draw the card alone for htmx, else the page with it."""
    with work() as (session, actor):
        context = page_context(session, actor, secret_id)
    return render("secrets/secret.html", f"secrets/_{card}.html", **context, **_of(moment))


def page_context(session: Session, actor: Actor, secret_id: str) -> dict[str, Any]:
    """Read everything that the page shows."""
    found = service.get_secret(session, actor, secret_id)
    usage = view_usage(service.usage_of(session, actor, secret_id))
    context = {
        "secret": found,
        "versions": service.list_versions(session, actor, secret_id),
        "usage": usage,
        "rules": rules_of(session, actor, found.allowed_hosts, found.allowed_flows, usage),
        "flow_choices": _flow_choices(session, actor, found, usage),
        "trail": None,
        "accesses": None,
    }
    if actor.may(Scope.AUDIT_READ):
        wanted = AuditFilter(secret_id=secret_id)
        events = audit_rows(session, actor, wanted, limit=_LOOKED_AT)[0]
        context["trail"] = [event for event in events if event.action not in _ELSEWHERE][:_TRAIL]
    if actor.may(Scope.AUDIT_READ) or actor.may(Scope.SECRETS_MANAGE):
        context |= _accesses(session, actor, secret_id)
    return context


def view_usage(found: Usage) -> UsageView:
    """Turn what the vault knows of uses into rows."""
    uses = [
        UseRow(use.flow_id, use.flow_name, use.node, use.pin, use.scope) for use in found.uses
    ]
    return UsageView(uses, {use.flow_id: use.flow_name for use in uses}, found.summary)


def rules_of(
    session: Session,
    actor: Actor,
    hosts: Sequence[str] | None,
    flows: Sequence[str] | None,
    usage: UsageView,
) -> Rules:
    """Name the allowed flows, and those that use the secret and are not among them."""
    if flows is None:
        return Rules(hosts, None, {})
    names = map_flow_names(session, actor, among=flows) if actor.may(Scope.FLOWS_READ) else {}
    allowed = {flow: names.get(flow) or usage.flows.get(flow) or "" for flow in flows}
    stopped = {flow: name for flow, name in usage.flows.items() if flow not in allowed}
    return Rules(hosts, allowed, stopped)


def _flow_choices(
    session: Session, actor: Actor, found: SecretView, usage: UsageView
) -> dict[str, str]:
    """Return the flows to choose from: those that use it first, then the allowed, then others."""
    if not (actor.may(Scope.SECRETS_MANAGE) and actor.may(Scope.FLOWS_READ)):
        return dict(usage.flows)
    others = map_flow_names(session, actor)
    allowed = map_flow_names(session, actor, among=found.allowed_flows or [])
    return dict(usage.flows) | allowed | others


def _accesses(session: Session, actor: Actor, secret_id: str) -> dict[str, Any]:
    cursor = request.args.get("accesses") or None
    page = service.list_accesses(session, actor, secret_id, cursor=cursor, limit=_ACCESSES)

    newest = url_for("pages.secret_accesses", secret_id=secret_id)
    older = url_for("pages.secret_accesses", secret_id=secret_id, accesses=page.next_cursor)
    return {
        "accesses": page.items,
        "accesses_first": newest if cursor else None,
        "accesses_next": older if page.next_cursor else None,
    }


def _of(moment: Moment) -> dict[str, Any]:
    return {name: getattr(moment, name) for name in Moment.__dataclass_fields__}
