"""Secrets: list, create, show, rotate, delete. No page ever holds a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import flash, render_template, request, url_for
from werkzeug.wrappers import Response

from app.accounts.scopes import Scope
from app.audit.reading import AuditFilter
from app.errors import Conflict, Invalid
from app.vault import service
from app.vault.service import NewSecret, SecretView, Usage
from app.web.audit import audit_rows
from app.web.forms import Errors, FieldError, errors_of, split_tags, suggest_name
from app.web.hx import go, render, wants_partial
from app.web.pages import pages
from app.web.work import vault, work

_PAGE = 50
_TAG_FILTERS = 8
_SORTS = ("name", "created")
_TRAIL = 10
_FORM = ("name", "description", "value", "tags", "owner")


@dataclass(frozen=True, slots=True)
class ListLinks:
    """Where the list's controls lead, with the filters that are on kept."""

    first: str | None
    next: str | None
    sort: dict[str, str]
    tag: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class TagFilter:
    """A tag above the list; ``href`` turns it on or off."""

    name: str
    on: bool
    href: str


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


@pages.get("/secrets")
def secrets() -> str:
    """List secrets by name, tag and order, a page at a time."""
    args = request.args
    q, tag, cursor = args.get("q") or None, args.get("tag") or None, args.get("cursor")
    sort = args.get("sort", "name")
    sort = sort if sort.removeprefix("-") in _SORTS else "name"
    with work() as (session, actor):
        page = service.list_secrets(
            session, actor, q=q, tag=tag, sort=sort, cursor=cursor, limit=_PAGE
        )

    def link(**changes: Any) -> str:
        kept = {"q": q, "tag": tag, "sort": sort if sort != "name" else None}
        return url_for("pages.secrets", **(kept | changes))

    hrefs = ListLinks(
        first=link() if cursor else None,
        next=link(cursor=page.next_cursor) if page.next_cursor else None,
        sort={key: link(sort=_next_order(key, sort)) for key in _SORTS},
        tag=lambda name: link(tag=name),
    )
    return render(
        "secrets/list.html", "secrets/_list.html", secrets=page.items, q=q, tag=tag, sort=sort,
        cursor=cursor, hrefs=hrefs, tag_filters=_tag_filters(page.items, tag, link),
    )


@pages.get("/secrets/new")
def new_secret() -> str:
    """Show the form; a remedy may bring the name along."""
    return _new_form({}, {"name": request.args.get("name", "")})


@pages.post("/secrets")
def create_secret() -> Response | tuple[str, int]:
    """Seal a new secret."""
    form = request.form
    new = NewSecret(
        name=form.get("name", ""),
        value=form.get("value", "").replace("\r\n", "\n"),
        description=form.get("description", ""),
        tags=split_tags(form.get("tags", "")),
        owner=form.get("owner", "").strip() or None,
        allow_weak=form.get("allow_weak") == "1",
    )
    try:
        with work() as (session, actor):
            secret = service.create_secret(session, actor, vault(), new)
    except (Invalid, Conflict) as error:
        return _new_form(_with_suggestion(errors_of(error, *_FORM), new.name), form), error.status
    flash(f"Saved {secret.name}. Its value is sealed.")
    return go(url_for("pages.secret", secret_id=secret.id))


@pages.get("/secrets/<secret_id>")
def secret(secret_id: str) -> str:
    """Show what is known of a secret but its value."""
    return _page(secret_id)


@pages.post("/secrets/<secret_id>/rotate")
def rotate_secret(secret_id: str) -> Response | tuple[str, int]:
    """Seal a new value as the next version and activate it."""
    form = request.form
    try:
        with work() as (session, actor):
            changed = service.rotate_secret(
                session, actor, vault(), secret_id,
                value=form.get("value", "").replace("\r\n", "\n"),
                allow_weak=form.get("allow_weak") == "1",
                if_match=_revision(form.get("revision")),
            )
    except (Invalid, Conflict) as error:
        errors = errors_of(error, "value")
        if not wants_partial():
            return _page(secret_id, errors=errors), error.status
        with work() as (session, actor):
            found = service.get_secret(session, actor, secret_id)
        return render_template(
            "secrets/_rotate_form.html", secret=found, errors=errors
        ), error.status
    flash(f"Rotated {changed.name}: v{changed.active_version} is active.")
    return go(url_for("pages.secret", secret_id=secret_id))


@pages.post("/secrets/<secret_id>/delete")
def delete_secret(secret_id: str) -> Response | tuple[str, int]:
    """Delete a secret whose name was typed to confirm."""
    form = request.form
    try:
        with work() as (session, actor):
            name = service.get_secret(session, actor, secret_id).name
            if form.get("confirm", "") != name:
                raise Invalid(
                    "confirmation_differs", f"Type {name} exactly to delete it.", field="confirm"
                )
            service.delete_secret(
                session, actor, secret_id, if_match=_revision(form.get("revision"))
            )
    except (Invalid, Conflict) as error:
        return _page(secret_id, delete_errors=errors_of(error, "confirm")), error.status
    flash(f"Deleted {name}. Its name stays reserved.")
    return go(url_for("pages.secrets"))


def _page(
    secret_id: str, *, errors: Errors | None = None, delete_errors: Errors | None = None
) -> str:
    with work() as (session, actor):
        found = service.get_secret(session, actor, secret_id)
        versions = service.list_versions(session, actor, secret_id)
        usage = _usage(service.usage_of(session, actor, secret_id))
        trail = (
            audit_rows(session, actor, AuditFilter(secret_id=secret_id), limit=_TRAIL)[0]
            if actor.may(Scope.AUDIT_READ)
            else None
        )
    return render_template(
        "secrets/secret.html", secret=found, versions=versions, trail=trail,
        usage=usage, errors=errors or {}, delete_errors=delete_errors or {},
    )


def _usage(found: Usage) -> UsageView:
    uses = [
        UseRow(use.flow_id, use.flow_name, use.node, use.pin, use.scope) for use in found.uses
    ]
    return UsageView(uses, {use.flow_id: use.flow_name for use in uses}, found.summary)


def _new_form(errors: Errors, form: object) -> str:
    return render(
        "secrets/new.html", "secrets/_new_form.html", errors=errors, form=form
    )


def _with_suggestion(errors: dict[str, FieldError], name: str) -> dict[str, FieldError]:
    found, close = errors.get("name"), suggest_name(name)
    if found is not None and close and found.code.startswith(("name_", "secret_name")):
        errors["name"] = FieldError(found.message, found.code, close)
    return errors


def _revision(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _next_order(key: str, sort: str) -> str:
    """Turn the order around where it is on already; times start with the newest."""
    if sort.removeprefix("-") == key:
        return key if sort.startswith("-") else f"-{key}"
    return key if key == "name" else f"-{key}"


def _tag_filters(
    items: Sequence[SecretView], tag: str | None, link: Callable[..., str]
) -> list[TagFilter]:
    names = dict.fromkeys(name for item in items for name in item.tags)
    ordered = ([tag] if tag else []) + [name for name in names if name != tag]
    return [
        TagFilter(name, name == tag, link(tag=None if name == tag else name))
        for name in ordered[:_TAG_FILTERS]
    ]
