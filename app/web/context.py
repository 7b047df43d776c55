"""What every page's template knows: who is looking, where, the theme and the navigation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from flask import Flask, request, url_for
from flask_login import current_user

from app.accounts import service as accounts
from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.http.identity import current_actor
from app.http.services import Services
from app.web.freezing import FreezeView, freeze_in
from app.web.sections import ENDPOINTS, section_tabs

THEME_COOKIE = "tacit-theme"
THEMES = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """The environment that a page shows."""

    id: str
    name: str
    title: str
    protected: bool


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """An entry of the main navigation."""

    label: str
    icon: str
    href: str
    current: bool


_ITEMS: tuple[tuple[str, str, str, Scope | None, Collection[str]], ...] = (
    ("Overview", "layout-dashboard", "overview", None, ("overview",)),
    (
        "Flows", "workflow", "flows", Scope.FLOWS_READ,
        ("flow", "flow_versions", "activate_version", "import_page"),
    ),
    ("Runs", "activity", "runs", Scope.RUNS_READ, ("run",)),
    (
        "Secrets", "key-round", "secrets", Scope.SECRETS_READ,
        (
            "secret", "new_secret", "create_secret", "edit_secret", "describe_secret",
            "edit_rules", "change_rules", "rotate_secret", "delete_secret", "secret_accesses",
        ),
    ),
    ("Components", "blocks", "components", Scope.FLOWS_READ, ("components", "component")),
    ("Audit log", "scroll-text", "audit", Scope.AUDIT_READ, ("audit",)),
    ("Settings", "settings", "settings", None, ENDPOINTS),
)


def theme() -> str | None:
    """Return the theme that the browser's cookie asks for, None for the system's."""
    chosen = request.cookies.get(THEME_COOKIE)
    return chosen if chosen in ("light", "dark") else None


def navigation(actor: Actor) -> list[NavigationItem]:
    """List the entries that the actor may open, marking the page's own."""
    here = (request.endpoint or "").partition(".")[2]
    return [
        NavigationItem(label, icon, url_for(f"pages.{endpoint}"), here in (endpoint, *family))
        for label, icon, endpoint, scope, family in _ITEMS
        if scope is None or actor.may(scope)
    ]


def install_context(app: Flask, services: Services) -> None:
    """Give every template of the application its common names."""

    @app.context_processor
    def _common() -> dict[str, Any]:
        common: dict[str, Any] = {"theme": theme(), "live_origin": services.config.live_url}
        if current_user.is_authenticated:
            actor = current_actor()
            common |= {"actor": actor, "navigation": navigation(actor)}
            common["section_tabs"] = section_tabs
            common["environment"], common["frozen"] = surroundings_of(services, actor)
            common["environments"] = environments_of(services, actor)
        return common


def environments_of(services: Services, actor: Actor) -> list[EnvironmentView]:
    """List the environments that the person can switch to."""
    if actor.user_id is None:
        return []
    with services.db.read() as session:
        return [
            EnvironmentView(one.id, one.name, one.title, one.protected)
            for one in accounts.list_environments_of(session, actor.user_id)
        ]


def surroundings_of(
    services: Services, actor: Actor
) -> tuple[EnvironmentView, FreezeView | None]:
    """Look up where the actor acts, and the freeze that holds there."""
    with services.db.read() as session:
        found = accounts.get_environment(session, actor.environment_id)
        view = EnvironmentView(found.id, found.name, found.title, found.protected)
        return view, freeze_in(session, actor.environment_id)
