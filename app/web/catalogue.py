"""The components that are installed here: a list, and a page for each, from its declaration."""

from __future__ import annotations

from typing import Any

from flask import render_template, url_for
from werkzeug.wrappers import Response

from app.accounts.scopes import Scope
from app.components.declaration import Component
from app.components.examples import USES
from app.components.registry import registry
from app.errors import NotFound
from app.flows import service
from app.flows.examples import example_graph
from app.http.identity import current_actor
from app.web.hx import go
from app.web.pages import pages
from app.web.work import work

_GROUPS = (
    ("trigger", "Triggers", "trigger"),
    ("secret", "Secrets", "secret"),
    ("connect", "Connect", "net"),
    ("logic", "Logic", "logic"),
    ("output", "Output", "out"),
)
_TILES = {key: tile for key, _, tile in _GROUPS}


@pages.get("/components")
def components() -> str:
    """Show every component with its ports."""
    current_actor().require(Scope.FLOWS_READ)
    found = registry()
    items: list[dict[str, object]] = found.describe()["items"]
    groups = [
        {"key": key, "title": title, "tile": tile, "items": those}
        for key, title, tile in _GROUPS
        if (those := [item for item in items if item["category"] == key])
    ]
    return render_template(
        "catalogue/components.html", components=items, groups=groups, broken=found.broken()
    )


@pages.get("/components/<name>")
def component(name: str) -> str:
    """Show one component: ports, settings, examples, and what it may reach."""
    current_actor().require(Scope.FLOWS_READ)
    found = registry()
    one = found.get(name)
    return render_template(
        "catalogue/component.html",
        item=found.describe_one(one),
        tile=_TILES[one.category],
        permissions=_permissions(one),
        examples=[example.describe() for example in one.examples],
        failures=one.failures,
        upgrades=sorted(one.upgrades.items()),
    )


@pages.post("/components/<name>/examples/<int:number>")
def flow_of_example(name: str, number: int) -> Response:
    """Make a flow of an example and open it; a draft like any other."""
    one = registry().get(name)
    if number >= len(one.examples):
        raise NotFound("example_not_found", f"{one.title} has no such example.")
    example = one.examples[number]
    with work() as (session, actor):
        flow = service.create_flow(
            session, actor, name=f"{one.title}: {example.title}"[:200],
            description=f"An example of {one.title}.", graph=example_graph(one, example),
        )
    return go(url_for("pages.flow", flow_id=flow.id))


def _permissions(one: Component) -> list[dict[str, Any]]:
    """Return what a node of the component may reach, in sentences with an icon each."""
    found = [{"icon": "shield", "words": USES[use]} for use in one.uses]
    secret = [port.label or port.name for port in one.inputs if port.type == "secret"]
    if secret:
        words = f"Gets the secrets that are wired into {', '.join(secret)}, and no others."
        found.append({"icon": "key-round", "words": words})
    if one.provider:
        words = "Fetches secrets of an external manager, each access audited."
        found.append({"icon": "key-round", "words": words})
    elif one.handles_secrets:
        words = "Hands on secrets, over secret wires only. Running it needs secrets:use."
        found.append({"icon": "key-round", "words": words})
    if one.opens_secrets:
        words = "Its plain outputs may be made from secrets; every known value in them is masked."
        found.append({"icon": "eye-off", "words": words})
    return found
