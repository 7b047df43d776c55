"""Secrets: the list, and new ones. No page ever holds a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import flash, request, url_for
from werkzeug.wrappers import Response

from app.errors import Conflict, Invalid
from app.vault import service
from app.vault.reading import Due
from app.vault.service import NewSecret, SecretView
from app.web.forms import Errors, FieldError, errors_of, split_tags, suggest_name
from app.web.hx import go, render
from app.web.pages import pages
from app.web.work import vault, work

_PAGE = 50
_TAG_FILTERS = 8
_SORTS = ("name", "created")
_SHOWN: Mapping[str, Due | None] = {"": None, "due": "due", "overdue": "overdue", "deleted": None}
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
class Tab:
    """A part of the list: what it shows, how many are in it where that is known cheaply."""

    name: str
    label: str
    href: str
    count: int | None = None


@pages.get("/secrets")
def secrets() -> str:
    """List secrets by name, tag, order and rotation, a page at a time; or the deleted ones."""
    args = request.args
    q, tag, cursor = args.get("q") or None, args.get("tag") or None, args.get("cursor")
    sort = args.get("sort", "name")
    sort = sort if sort.removeprefix("-") in _SORTS else "name"
    show = args.get("show", "")
    show = show if show in _SHOWN else ""
    with work() as (session, actor):
        page = service.list_secrets(
            session, actor, q=q, tag=tag, sort=sort, cursor=cursor, limit=_PAGE,
            deleted=show == "deleted", due=_SHOWN[show],
        )
        counts = service.due_counts(session, actor.environment_id)

    def link(**changes: Any) -> str:
        kept = {"show": show, "q": q, "tag": tag, "sort": sort if sort != "name" else None}
        return url_for("pages.secrets", **_given(kept | changes))

    hrefs = ListLinks(
        first=link() if cursor else None,
        next=link(cursor=page.next_cursor) if page.next_cursor else None,
        sort={key: link(sort=_next_order(key, sort)) for key in _SORTS},
        tag=lambda name: link(tag=name),
    )
    tabs = [
        Tab("", "All", link(show=None)),
        Tab("due", "Due soon", link(show="due"), counts.due),
        Tab("overdue", "Overdue", link(show="overdue"), counts.overdue),
        Tab("deleted", "Deleted", link(show="deleted")),
    ]
    return render(
        "secrets/list.html", "secrets/_list.html", secrets=page.items, q=q, tag=tag, sort=sort,
        cursor=cursor, hrefs=hrefs, tag_filters=_tag_filters(page.items, tag, link), show=show,
        tabs=tabs,
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


def _new_form(errors: Errors, form: object) -> str:
    return render(
        "secrets/new.html", "secrets/_new_form.html", errors=errors, form=form
    )


def _with_suggestion(errors: dict[str, FieldError], name: str) -> dict[str, FieldError]:
    found, close = errors.get("name"), suggest_name(name)
    if found is not None and close and found.code.startswith(("name_", "secret_name")):
        errors["name"] = FieldError(found.message, found.code, close)
    return errors


def _given(args: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in args.items() if value}


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
