"""A whole installation in a folder of its own: keys, database, accounts, the web app.

Everything is made through the services; only the queue's server is left to who needs it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.accounts import bootstrap
from app.accounts import service as accounts
from app.accounts.actor import Actor, system_actor
from app.accounts.environments import add_environment
from app.accounts.scopes import Role, Scope
from app.config import Config
from app.db import Base, build_engine
from app.factory import create_web_app, open_services
from app.http.services import Services
from app.keys import installation as key_files
from tests.support.database import home_variables

ORIGIN = "https://localhost:8443"
PASSWORD = "correct horse battery"


def canary() -> str:
    """Make a value that must never be seen again."""
    return f"CANARY-{secrets.token_hex(8)}"


@dataclass
class Installation:
    """An installation and the ways to talk to it."""

    config: Config
    services: Services
    app: APIFlask
    environment_id: str
    _number: int = field(default=0)

    @classmethod
    def make(cls, home: Path, *, redis_url: str = "") -> Installation:
        """Make everything in ``home``, on the database that the tests run on."""
        config = Config.load(
            home_variables(home) | {"TACIT_REDIS_URL": redis_url or "redis://localhost:1/0"}
        )
        key_files.ensure_keys(config)
        if config.is_sqlite:
            engine = build_engine(config.database_url)
            Base.metadata.create_all(engine)
            engine.dispose()
        services = open_services(config)
        with services.db.begin() as session:
            environment = bootstrap.ensure_default_environment(session)
        return cls(config, services, create_web_app(config, services), environment.id)

    def operator(self, environment_id: str | None = None) -> Actor:
        """Return the actor of the command line."""
        return system_actor(environment_id or self.environment_id)

    def person(
        self, role: Role | str | None = Role.ADMIN, *, environment_id: str | None = None,
        email: str | None = None,
    ) -> tuple[str, str]:
        """Create a person; returns their id and address. The role holds everywhere by default."""
        self._number += 1
        email = email or f"person{self._number}@example.com"
        with self.services.db.begin() as session:
            user = accounts.create_user(
                session, self.operator(), email=email, password=PASSWORD, role=role,
                environment_id=environment_id,
            )
            return user.id, user.email

    def environment(self, name: str) -> str:
        """Create another environment; returns its id."""
        with self.services.db.begin() as session:
            return add_environment(session, name, name.title()).id

    def token(
        self, *scopes: Scope | str, role: Role | str = Role.ADMIN, user_id: str | None = None,
        environment_id: str | None = None, **more: Any,
    ) -> str:
        """Make a person with a role (or take one) and a token of theirs; returns its text."""
        owner = user_id or self.person(role)[0]
        where = environment_id or self.environment_id
        with self.services.db.begin() as session:
            _, text = accounts.create_token(
                session, self.operator(where), user=accounts.get_user(session, owner),
                name="test", scopes=scopes or tuple(Scope), environment_id=where, **more,
            )
        return text

    def api(self, token: str | None = None) -> Api:
        """Return a client of the JSON API."""
        return Api(self.app.test_client(), token)

    def browser(self) -> Browser:
        """Return a browser without a session."""
        return Browser(self.app.test_client())

    def signed_in(self, role: Role | str = Role.ADMIN) -> Browser:
        """Return a browser in which a new person of that role is signed in."""
        _, email = self.person(role)
        browser = self.browser()
        assert browser.sign_in(email).status_code == 303
        return browser


@dataclass
class Api:
    """A program that calls the JSON API, with a token or without any credential."""

    client: FlaskClient
    token: str | None = None

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send a request; a path that doesn't start with ``/api`` is below ``/api/v1``."""
        headers = dict(options.pop("headers", {}))
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        full = path if path.startswith("/api") else f"/api/v1{path}"
        return self.client.open(
            full, method=method, base_url=ORIGIN, headers=headers, **options
        )

    def get(self, path: str, **options: Any) -> TestResponse:
        """Send a GET."""
        return self.call("GET", path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        """Send a POST."""
        return self.call("POST", path, **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        """Send a PUT."""
        return self.call("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        """Send a DELETE."""
        return self.call("DELETE", path, **options)


@dataclass
class Browser:
    """A browser: keeps cookies and sends the headers that browsers send."""

    client: FlaskClient

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        """Send a request as a page of the installation would."""
        headers = dict(options.pop("headers", {}))
        if method not in ("GET", "HEAD"):
            headers.setdefault("Origin", ORIGIN)
        return self.client.open(path, method=method, base_url=ORIGIN, headers=headers, **options)

    def csrf_token(self) -> str:
        """Return the token that a page would hold: the server's own function is asked."""
        from app.http.csrf import csrf_token

        headers = {"Cookie": self._cookies()}
        with self.client.application.test_request_context(
            "/", base_url=ORIGIN, headers=headers
        ):
            return csrf_token()

    def sign_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        """Open the login form and send it."""
        self.send("GET", "/login")
        return self.send(
            "POST", "/login",
            data={"email": email, "password": password, "csrf_token": self.csrf_token()},
        )

    def api(self, method: str, path: str, **options: Any) -> TestResponse:
        """Call the JSON API as the pages' scripts do."""
        headers = dict(options.pop("headers", {}))
        headers.setdefault("X-CSRF-Token", self.csrf_token())
        headers.setdefault("X-Tacit-Environment", "default")
        return self.send(method, f"/api/v1{path}", headers=headers, **options)

    def cookie(self, name: str = "__Host-tacit") -> str | None:
        """Return a cookie's value."""
        found = self.client.get_cookie(name, domain="localhost")
        return found.value if found else None

    def _cookies(self) -> str:
        names = ("__Host-tacit", "__Host-tacit-form")
        return "; ".join(f"{name}={self.cookie(name)}" for name in names if self.cookie(name))
