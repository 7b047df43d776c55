"""The components that are installed here, as a page."""

from __future__ import annotations

from flask import render_template

from app.accounts.scopes import Scope
from app.components.registry import registry
from app.http.identity import current_actor
from app.web.pages import pages

_GROUPS = (
    ("trigger", "Triggers", "trigger"),
    ("secret", "Secrets", "secret"),
    ("connect", "Connect", "net"),
    ("logic", "Logic", "logic"),
    ("output", "Output", "out"),
)


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
