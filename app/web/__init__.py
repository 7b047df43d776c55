"""The pages: HTML and htmx partials, one module a page family."""

from __future__ import annotations

from flask import Flask

from app.http.problems import show_pages_with
from app.http.services import Services
from app.web import (  # noqa: F401 - importing a family binds its routes to the blueprint
    account,
    assets,
    audit,
    catalogue,
    environments,
    flow_settings,
    flows,
    freezing,
    importing,
    login_sessions,
    master_keys,
    overview,
    people,
    run_forms,
    run_log,
    runs,
    secret_deeds,
    secret_edit,
    secret_page,
    secrets,
    settings,
    versions,
    workers,
)
from app.web.context import install_context
from app.web.errors import render_error
from app.web.hx import htmx
from app.web.looks import FILTERS
from app.web.pages import pages


def register(app: Flask, services: Services) -> None:
    """Add the pages, their template filters and their error pages to an application."""
    htmx.init_app(app)
    assets.register(app)
    app.jinja_env.filters.update(FILTERS)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    install_context(app, services)
    app.register_blueprint(pages)
    show_pages_with(app, render_error)
