"""How the listeners' apps are assembled: parts from the rooms below, rules from ``app.http``."""

from __future__ import annotations

from pathlib import Path

from apiflask import APIFlask
from flask import Flask

from app import api, runtime, web
from app.config import Config
from app.db import Database, build_engine
from app.http import csrf, headers, health, identity, problems, requests
from app.http.services import Services, attach
from app.http.session_key import load_session_key
from app.keys.seals import Seals
from app.live import LiveApp
from app.runs.queue import RunQueue
from app.runs.waiting import RunWaiters
from app.vault import Vault

ROOT = Path(__file__).resolve().parent.parent
"""Where ``templates/`` and ``static/`` are."""


def open_services(config: Config, *, with_vault: bool = True) -> Services:
    """Open the database, the queue and (for who may hold it) the vault.

    Call it after any fork.

    :param with_vault: False in processes that never hold the master key (live, scheduler).
    :raises ConfigError: a key file is missing, wrong or readable by others.
    """
    db = Database(build_engine(config.database_url), info={"seals": Seals.open(config)})
    vault = Vault.open(config, db) if with_vault else None
    queue = RunQueue.open(config)
    return Services(
        config=config, db=db, vault=vault, queue=queue, waiters=RunWaiters(db, queue)
    )


def create_web_app(config: Config, services: Services | None = None) -> APIFlask:
    """Make the application of the web listener: pages, JSON API, health.

    :param services: what it works with; opened from the configuration if not given.
    """
    services = services or open_services(config)
    app = APIFlask(
        "app",
        title="Tacit",
        version="1",
        spec_path=api.openapi.PATH,
        docs_path=None,
        json_errors=False,
        template_folder=str(ROOT / "templates"),
        static_folder=str(ROOT / "static"),
        static_url_path="/static",
        root_path=str(ROOT / "app"),
    )
    _common(app, config, services)
    app.config.update(
        SECRET_KEY=load_session_key(config.home),
        SESSION_COOKIE_NAME="__Host-tacit-flash",
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
    )
    identity.register(app)
    csrf.register(app)
    health.register(app, services)
    api.register(app)
    web.register(app, services)
    api.openapi.limit(app)
    return app


def create_runtime_app(config: Config, services: Services | None = None) -> Flask:
    """Make the application of the runtime listener: no login, no session, no cookie, no static
    files; it answers workers only.
    """
    services = services or open_services(config)
    app = Flask(
        "app.runtime", static_folder=None, template_folder=None, root_path=str(ROOT / "app")
    )
    _common(app, config, services)
    runtime.register(app, services)
    return app


def create_live_app(config: Config, services: Services | None = None) -> LiveApp:
    """Make the ASGI application of the live listener: server-sent events of runs."""
    services = services or open_services(config, with_vault=False)
    return LiveApp(config, services.db)


def _common(app: Flask, config: Config, services: Services) -> None:
    """Set what both listeners do with every request and answer."""
    app.json.sort_keys = False  # type: ignore[attr-defined]
    # “//” in a path is an address that doesn't exist, not one to be redirected to.
    app.url_map.merge_slashes = False
    attach(app, services)
    problems.register(app)
    requests.register(app, trusted_proxies=config.trusted_proxies)
    headers.register(app, config)
