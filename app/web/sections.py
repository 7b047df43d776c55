"""The sections of the settings, as tabs, and the deeds that need a password typed just now."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request, url_for

from app.accounts.actor import Actor
from app.accounts.scopes import Scope
from app.accounts.sessions import FRESH
from app.ids import utcnow

_SECTIONS: tuple[tuple[str, str, Scope | None, tuple[str, ...]], ...] = (
    ("Account and tokens", "settings", None,
     ("create_token", "change_password", "confirm_password")),
    ("Sessions", "login_sessions", None, ()),
    ("People", "people", Scope.USERS_MANAGE,
     ("create_person", "person", "grant_role", "reset_password")),
    ("Workers", "workers", Scope.WORKERS_MANAGE, ("enrol_worker",)),
    ("Environments", "environments", Scope.ENVIRONMENTS_MANAGE,
     ("create_environment", "change_environment")),
    ("Master keys", "master_keys", Scope.KEYS_MANAGE, ()),
    ("Freeze", "freeze_page", None, ("change_freeze",)),
)

ENDPOINTS = frozenset(
    name for _, endpoint, _, family in _SECTIONS for name in (endpoint, *family)
)
"""Endpoints of the settings, without the blueprint's name."""


@dataclass(frozen=True, slots=True)
class SectionTab:
    """A section that the actor may open."""

    label: str
    href: str
    current: bool


def section_tabs(actor: Actor) -> list[SectionTab]:
    """List the sections that the actor may open, marking the page's own."""
    here = (request.endpoint or "").partition(".")[2]
    return [
        SectionTab(label, url_for(f"pages.{endpoint}"), here in (endpoint, *family))
        for label, endpoint, scope, family in _SECTIONS
        if scope is None or actor.may(scope)
    ]


def is_fresh(actor: Actor) -> bool:
    """Say whether the actor's password was typed recently enough for the deeds that need it."""
    typed = actor.authenticated_at
    return typed is not None and utcnow() - typed <= FRESH
